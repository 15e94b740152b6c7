//! One list of tests, run through every driver.

use ringwood_io::{
    Arena, DriverChoice, Durability, File, IoErrorKind, IoHandle, IoOp, MemFs, Op, OpenOptions,
    RingLevel, RingOptions, StableBytes, SyncMode, WriteBuf, join_all,
};
use std::path::PathBuf;
use std::sync::Arc;

use crate::scratch::Scratch;

pub struct Bench {
    pub io: IoHandle,
    scratch: Scratch,
}

impl Bench {
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }
    pub fn file(&self) -> File {
        self.io
            .open(self.path("f"), &OpenOptions::create())
            .unwrap()
    }
}

pub fn drivers() -> Vec<(&'static str, Bench)> {
    let with = |choice| Bench {
        io: IoHandle::builder()
            .driver(choice)
            .arena(Arena::new())
            .build(),
        scratch: Scratch::new(),
    };
    let ring = |options| with(DriverChoice::Uring(options));
    let level = |level| {
        ring(RingOptions {
            level,
            ..RingOptions::default()
        })
    };
    vec![
        ("uring", with(DriverChoice::Auto)),
        ("uring deferred", level(RingLevel::Deferred)),
        ("uring cooperative", level(RingLevel::Cooperative)),
        ("uring plain", level(RingLevel::Plain)),
        (
            "uring, four at a time",
            ring(RingOptions {
                depth: 4,
                ..RingOptions::default()
            }),
        ),
        (
            "uring, files registered",
            ring(RingOptions {
                register_files: true,
                ..RingOptions::default()
            }),
        ),
        (
            "uring, nothing registered",
            ring(RingOptions {
                register_buffers: false,
                ..RingOptions::default()
            }),
        ),
        (
            "uring with a polling thread",
            ring(RingOptions {
                sqpoll_idle_ms: Some(5),
                ..RingOptions::default()
            }),
        ),
        (
            "uring forbidden",
            ring(RingOptions {
                forbidden: true,
                ..RingOptions::default()
            }),
        ),
        ("blocking", with(DriverChoice::Blocking)),
        ("memory", with(DriverChoice::Memory(MemFs::new()))),
    ]
}

/// Declares tests that run once through each driver.
macro_rules! each_driver {
    ($($name:ident => $body:expr;)*) => {
        $(#[test]
        fn $name() {
            for (driver, bench) in drivers() {
                eprintln!("driver {driver}");
                let body: fn(&Bench) = $body;
                body(&bench);
                // Once more, with every operation sent through the ring, also when it is alone.
                let bench = Bench { io: bench.io.clone(), scratch: Scratch::new() };
                let gather = bench.io.gather();
                body(&bench);
                drop(gather);
                assert_eq!(bench.io.in_flight(), 0, "{driver}");
                assert_eq!(bench.io.arena().stats().in_use_bytes, 0, "{driver}: buffers came home");
            }
        })*
    };
}

fn pattern(io: &IoHandle, len: usize, seed: u8) -> ringwood_io::Buf {
    let mut buf = io.alloc(len);
    for (i, b) in buf.iter_mut().enumerate() {
        *b = (i as u8)
            .wrapping_mul(31)
            .wrapping_add((i >> 8) as u8)
            .wrapping_add(seed);
    }
    buf
}

each_driver! {
    read_back_what_was_written => |b| {
        let (io, f) = (&b.io, b.file());
        io.block_on(async {
            for (offset, len) in [(0u64, 4096usize), (4096, 512), (10_000, 1), (1 << 20, 65536)] {
                let (home, r) = io.write(&f, offset, pattern(io, len, 3), Durability::Cached).await;
                r.unwrap();
                assert_eq!(home.len(), len);
                let got = io.read_exact(&f, offset, io.alloc(len)).await.unwrap();
                assert_eq!(got[..], home[..]);
            }
            assert_eq!(f.len().unwrap(), (1 << 20) + 65536);
            // The hole in between.
            let (hole, n) = io.read(&f, 100_000, io.alloc(100)).await;
            assert_eq!(n.unwrap(), 100);
            assert!(hole.iter().all(|x| *x == 0));
        });
    };

    vectored_writes_and_reads => |b| {
        let (io, f) = (&b.io, b.file());
        io.block_on(async {
            let page: Arc<dyn StableBytes> = Arc::new(vec![9u8; 4096]);
            // More pieces than one system call takes.
            let mut pieces: Vec<WriteBuf> = Vec::new();
            let mut expected = Vec::new();
            for i in 0..1500 {
                let head = pattern(io, 24, i as u8);
                expected.extend_from_slice(&head);
                pieces.push(head.into());
                pieces.push(WriteBuf::Shared(page.clone()));
                expected.extend_from_slice(page.bytes());
            }
            let (pieces, r) = io.write_sync(&f, 32, pieces, SyncMode::Data).await;
            r.unwrap();
            assert_eq!(pieces.len(), 3000);
            drop(pieces);
            assert_eq!(f.len().unwrap(), 32 + expected.len() as u64);
            let bufs = (0..1600).map(|_| io.alloc(4096)).collect();
            let (bufs, n) = io.readv(&f, 32, bufs).await;
            assert_eq!(n.unwrap(), expected.len());
            for (i, chunk) in expected.chunks(4096).enumerate() {
                assert_eq!(&bufs[i][..chunk.len()], chunk, "buffer {i}");
            }
            let (_, r) = io.writev(&f, 0, vec![pattern(io, 7, 1).into(), pattern(io, 9, 2).into()], Durability::Dsync).await;
            r.unwrap();
            let got = io.read_exact(&f, 7, io.alloc(9)).await.unwrap();
            assert_eq!(got[..], pattern(io, 9, 2)[..]);
        });
    };

    short_only_at_the_end => |b| {
        let (io, f) = (&b.io, b.file());
        io.block_on(async {
            io.write(&f, 0, pattern(io, 1000, 0), Durability::Cached).await.1.unwrap();
            let (_, n) = io.read(&f, 512, io.alloc(4096)).await;
            assert_eq!(n.unwrap(), 488);
            let (_, n) = io.read(&f, 1000, io.alloc(4096)).await;
            assert_eq!(n.unwrap(), 0);
            let e = io.read_exact(&f, 512, io.alloc(4096)).await.unwrap_err();
            assert_eq!((e.kind, e.offset), (IoErrorKind::ShortRead, Some(1000)));
            assert_eq!(e.sqlite_code(), 522);
            let mut out = [7u8; 100];
            assert_eq!(io.read_now(&f, 950, &mut out).unwrap(), 50);
            assert!(io.read_exact_now(&f, 950, &mut out).is_err());
            assert_eq!(out[50..], [0; 50]);
        });
    };

    sizes => |b| {
        let (io, f) = (&b.io, b.file());
        io.block_on(async {
            io.allocate(&f, 0, 100_000, false).await.unwrap();
            assert_eq!(f.len().unwrap(), 100_000);
            io.allocate(&f, 0, 200_000, true).await.unwrap();
            assert_eq!(f.len().unwrap(), 100_000);
            io.truncate(&f, 10).await.unwrap();
            assert_eq!(f.len().unwrap(), 10);
            io.sync(&f, SyncMode::Data).await.unwrap();
            io.sync(&f, SyncMode::Full).await.unwrap();
            io.truncate_now(&f, 5000).unwrap();
            io.allocate_now(&f, 0, 6000, false).unwrap();
            io.write_now(&f, 6000, b"end").unwrap();
            io.sync_now(&f, SyncMode::Data).unwrap();
            assert_eq!(f.len().unwrap(), 6003);
        });
    };

    large_transfers => |b| {
        let (io, f) = (&b.io, b.file());
        io.block_on(async {
            let len = 24 << 20;
            let (home, r) = io.write(&f, 5, pattern(io, len, 9), Durability::Cached).await;
            r.unwrap();
            let got = io.read_exact(&f, 5, io.alloc(len)).await.unwrap();
            assert!(got[..] == home[..]);
        });
    };

    sixty_four_at_once => |b| {
        let (io, f) = (&b.io, b.file());
        io.block_on(async {
            let writes = (0..256u64).map(|i| (i * 4096, pattern(io, 4096, i as u8).into())).collect();
            io.write_many(&f, writes).await.unwrap();
            let tasks: Vec<_> = (0..64u64).map(|t| {
                let (io, f) = (io.clone(), f.clone());
                io.clone().spawn(async move {
                    for k in 0..16 {
                        let i = (t * 16 + k * 7) % 256;
                        let got = io.read_exact(&f, i * 4096, io.alloc(4096)).await.unwrap();
                        assert_eq!(got[..], pattern(&io, 4096, i as u8)[..]);
                    }
                    t
                })
            }).collect();
            let done: Vec<u64> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(done, (0..64).collect::<Vec<_>>());
            let requests = (0..200u64).map(|i| (i * 4096, io.alloc(4096))).collect();
            for (i, (buf, n)) in io.read_many(&f, requests).await.into_iter().enumerate() {
                assert_eq!(n.unwrap(), 4096);
                assert_eq!(buf[..], pattern(io, 4096, i as u8)[..]);
            }
        });
    };

    dropped_futures_give_their_buffers_back => |b| {
        let (io, f) = (&b.io, b.file());
        io.write_now(&f, 0, &vec![1; 1 << 20]).unwrap();
        io.block_on(async {
            let gather = io.gather();
            let futures: Vec<_> = (0..32u64)
                .map(|i| io.start(Op::Read { file: f.clone(), offset: i * 4096, buf: io.alloc(4096) }))
                .collect();
            drop(gather);
            io.yield_now().await;
            drop(futures);
            let got = io.read_exact(&f, 0, io.alloc(100)).await.unwrap();
            assert_eq!(got[..], [1; 100]);
        });
        io.shutdown();
    };

    without_our_executor => |b| {
        let (io, f) = (&b.io, b.file());
        io.write_now(&f, 0, &[5; 8192]).unwrap();
        let mut read = std::pin::pin!(io.read_exact(&f, 4096, io.alloc(4096)));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(got) = read.as_mut().poll(&mut cx) else {
            panic!("a lone operation is ready at its first poll");
        };
        assert_eq!(got.unwrap()[..], [5; 4096]);
        let mut many = std::pin::pin!(io.read_many(&f, vec![(0, io.alloc(512)), (512, io.alloc(512))]));
        let std::task::Poll::Ready(got) = many.as_mut().poll(&mut cx) else {
            panic!("without an executor the operations drive themselves");
        };
        assert!(got.iter().all(|(b, n)| n == &Ok(512) && b[..] == [5; 512]));
    };

    names => |b| {
        let io = &b.io;
        let (one, two) = (b.path("one"), b.path("two"));
        assert!(!io.exists(&one));
        let e = io.open(&one, &OpenOptions::new()).unwrap_err();
        assert!(e.is_not_found() && e.op == IoOp::Open && e.sqlite_code() == 14, "{e}");
        let f = io.open(&one, &OpenOptions::create_new()).unwrap();
        assert_eq!(io.open(&one, &OpenOptions::create_new()).unwrap_err().errno, libc_eexist());
        io.write_now(&f, 0, b"hello").unwrap();
        assert_eq!(io.size_of(&one), Some(5));
        let again = io.open(&one, &OpenOptions::read_only()).unwrap();
        assert_eq!(again.identity(), f.identity());
        assert_ne!(again.id(), f.id());
        assert!(io.write_now(&again, 0, b"x").is_err());
        io.rename(&one, &two).unwrap();
        io.sync_dir_of(&two).unwrap();
        assert!(!io.exists(&one) && io.exists(&two) && !f.is_at_its_path());
        assert!(io.delete(&one).unwrap_err().is_not_found());
        io.delete(&two).unwrap();
        let mut out = [0; 5];
        io.read_exact_now(&f, 0, &mut out).unwrap();
        assert_eq!(&out, b"hello", "an open file outlives its name");
        let third = io.open(b.path("3"), &OpenOptions::create().delete_on_close(true)).unwrap();
        let clone = third.clone();
        drop(third);
        assert!(io.exists(b.path("3")));
        drop(clone);
        assert!(!io.exists(b.path("3")));
        let t = io.open_temporary(None).unwrap();
        io.write_now(&t, 3, b"abc").unwrap();
        assert_eq!(t.len().unwrap(), 6);
    };

    memory_files_beside_the_driver => |b| {
        let (io, f) = (&b.io, b.file());
        let mem = io.open_temporary_memory();
        io.block_on(async {
            let (disk, memory) = (io.write(&f, 0, pattern(io, 4096, 1), Durability::Cached), io.write(&mem, 0, pattern(io, 4096, 2), Durability::Cached));
            disk.await.1.unwrap();
            memory.await.1.unwrap();
            let got = io.read_exact(&mem, 0, io.alloc(4096)).await.unwrap();
            assert_eq!(got[..], pattern(io, 4096, 2)[..]);
        });
    };
}

fn libc_eexist() -> i32 {
    17
}
