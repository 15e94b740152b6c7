//! Everything at once: tasks, dropped futures, timers, and other threads that wake.

use ringwood_io::{
    Arena, Buf, DbLock, File, IoError, IoHandle, Op, OpenOptions, RemoteWaker, ShmLocks, ShmOwner,
    ShmRegion, SyncMode, WriteBuf, block_on,
};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::drivers::drivers;
use crate::scratch::Scratch;

#[test]
fn what_threads_may_share() {
    fn shared<T: Send + Sync>() {}
    shared::<Arena>();
    shared::<Buf>();
    shared::<WriteBuf>();
    shared::<File>();
    shared::<IoError>();
    shared::<RemoteWaker>();
    shared::<DbLock>();
    shared::<ShmLocks>();
    shared::<ShmOwner>();
    shared::<ShmRegion>();
    shared::<Op>();
}

/// Futures are embedded in those of every caller, up to the statement's.
#[test]
fn futures_are_small() {
    let io = IoHandle::in_memory();
    let f = io.open("f", &OpenOptions::create()).unwrap();
    let sizes = [
        (
            "start",
            size_of_val(&io.start(Op::Truncate {
                file: f.clone(),
                len: 0,
            })),
        ),
        ("read", size_of_val(&io.read(&f, 0, io.alloc(1)))),
        (
            "read_exact",
            size_of_val(&io.read_exact(&f, 0, io.alloc(1))),
        ),
        ("read_many", size_of_val(&io.read_many(&f, Vec::new()))),
        (
            "write_sync",
            size_of_val(&io.write_sync(&f, 0, Vec::new(), SyncMode::Data)),
        ),
    ];
    eprintln!("{sizes:?}");
    assert!(sizes.iter().all(|(_, n)| *n <= 512), "{sizes:?}");
}

#[test]
fn tasks_timers_dropped_futures_and_other_threads() {
    for (driver, bench) in drivers() {
        eprintln!("driver {driver}");
        let (io, f) = (&bench.io, bench.file());
        io.write_now(&f, 0, &vec![0; 64 * 512]).unwrap();
        let waker = io.remote_waker();
        let thread = std::thread::spawn(move || {
            for _ in 0..100 {
                std::thread::sleep(Duration::from_micros(100));
                waker.wake();
            }
        });
        let finished = Rc::new(Cell::new(0));
        io.block_on(async {
            let mut tasks = Vec::new();
            for t in 0..8u64 {
                let (io2, f, finished) = (io.clone(), f.clone(), finished.clone());
                tasks.push(io.spawn(async move {
                    for k in 0..60u64 {
                        let at = (t * 8 + k % 8) * 512;
                        match io2.rand() % 6 {
                            0 => {
                                let bufs = vec![io2.arena().copy_of(&[t as u8; 512]).into()];
                                io2.write_sync(&f, at, bufs, SyncMode::Data)
                                    .await
                                    .1
                                    .unwrap();
                                let b = io2.read_exact(&f, at, io2.alloc(512)).await.unwrap();
                                assert_eq!(b[..], [t as u8; 512]);
                            }
                            1 => io2.sleep(Duration::from_micros(io2.rand() % 500)).await,
                            2 => {
                                // Dropped at a random moment.
                                let buf = io2.alloc(512);
                                let op = Op::Read {
                                    file: f.clone(),
                                    offset: at,
                                    buf,
                                };
                                let future = io2.start(op);
                                for _ in 0..io2.rand() % 3 {
                                    io2.yield_now().await;
                                }
                                drop(future);
                            }
                            3 => {
                                let requests = (0..8).map(|i| (i * 512, io2.alloc(512))).collect();
                                for (_, n) in io2.read_many(&f, requests).await {
                                    assert_eq!(n.unwrap(), 512);
                                }
                            }
                            4 => io2.sync(&f, SyncMode::Data).await.unwrap(),
                            _ => io2.yield_now().await,
                        }
                    }
                    finished.set(finished.get() + 1);
                }));
            }
            let mut seen = 0;
            while seen < 100 {
                seen = io.remote_woken(seen).await;
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        thread.join().unwrap();
        io.shutdown();
        assert_eq!((finished.get(), io.in_flight(), io.task_count()), (8, 0, 0));
        assert_eq!(io.arena().stats().in_use_bytes, 0);
    }
}

/// A ring has room for 64 files; only by letting go of closed ones can it know all 200.
#[test]
fn rings_let_go_of_closed_files() {
    let scratch = Scratch::new();
    let io = crate::registering_files();
    for i in 0..200 {
        let f = io
            .open(scratch.path(&format!("f{i}")), &OpenOptions::create())
            .unwrap();
        io.write_now(&f, 0, &[i as u8; 1024]).unwrap();
        let requests = vec![(0, io.alloc(512)), (512, io.alloc(512))];
        for (b, n) in io.block_on(io.read_many(&f, requests)) {
            assert_eq!((n.unwrap(), b[0]), (512, i as u8));
        }
    }
    if io.driver_name() == "uring" {
        assert_eq!(io.stats().registered_files, 400);
    }
}

#[test]
fn each_thread_has_its_own_handle() {
    let scratch = Scratch::new();
    let file = IoHandle::for_thread()
        .open(scratch.path("f"), &OpenOptions::create())
        .unwrap();
    std::thread::scope(|s| {
        for t in 0..4u64 {
            let file = file.clone();
            s.spawn(move || {
                let io = IoHandle::for_thread();
                assert!(io.is_same(&IoHandle::for_thread()));
                block_on(async {
                    for k in 0..20 {
                        let at = (t * 20 + k) * 512;
                        let writes = (0..2).map(|i| {
                            (
                                at + i * 256,
                                io.arena().copy_of(&[(t + i) as u8; 256]).into(),
                            )
                        });
                        io.write_many(&file, writes.collect()).await.unwrap();
                        let b = io.read_exact(&file, at, io.alloc(512)).await.unwrap();
                        assert_eq!((b[0], b[511]), (t as u8, t as u8 + 1));
                    }
                });
            });
        }
    });
    assert_eq!(file.len().unwrap(), 4 * 20 * 512);
}
