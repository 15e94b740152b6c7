//! What each path costs in system calls, and what happens where the kernel refuses.

use ringwood_io::{
    Arena, DriverChoice, Durability, IoHandle, IoOp, IoStats, Op, OpenOptions, Report, RingOptions,
    SyncMode,
};
use std::process::Command;

use crate::scratch::Scratch;

fn spent<T>(io: &IoHandle, f: impl FnOnce() -> T) -> (T, IoStats) {
    let before = io.stats();
    let value = f();
    (value, io.stats() - before)
}

fn has_ring(io: &IoHandle) -> bool {
    let has = io.driver_name() == "uring";
    if !has {
        eprintln!("skipped: io_uring is refused here ({:?})", io.ring_info());
    }
    has
}

#[test]
fn a_lone_operation_is_one_plain_call() {
    let scratch = Scratch::new();
    let io = IoHandle::builder().build();
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    let ((), s) = spent(&io, || {
        io.block_on(async {
            let page = io.arena().alloc_zeroed(4096);
            io.write(&f, 0, page, Durability::Cached).await.1.unwrap();
        });
    });
    assert_eq!((s.syscalls, s.inline_ops, s.enters), (1, 1, 0));
    let (_, s) = spent(&io, || {
        io.block_on(io.read_exact(&f, 0, io.alloc(4096))).unwrap()
    });
    assert_eq!((s.syscalls, s.inline_ops, s.read_bytes), (1, 1, 4096));
    let bufs = (0..10)
        .map(|_| io.arena().alloc_zeroed(4096).into())
        .collect();
    let ((), s) = spent(&io, || {
        io.block_on(io.write_sync(&f, 0, bufs, SyncMode::Data))
            .1
            .unwrap();
    });
    assert_eq!(
        (s.syscalls, s.syncs, s.written_bytes),
        (2, 1, 40960),
        "pwritev, fdatasync"
    );
    // One task among sleeping ones is as alone as the root.
    let ((), s) = spent(&io, || {
        io.block_on(async {
            let (io2, f2) = (io.clone(), f.clone());
            let task = io.spawn(async move { io2.read_exact(&f2, 0, io2.alloc(512)).await });
            task.await.unwrap().unwrap();
        });
    });
    assert_eq!((s.syscalls, s.ring_ops), (1, 0));
}

#[test]
fn a_batch_is_one_enter() {
    let scratch = Scratch::new();
    let io = crate::registering_files();
    if !has_ring(&io) {
        return;
    }
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    io.write_now(&f, 0, &vec![3; 64 * 4096]).unwrap();
    let read = || {
        let requests = (0..64).map(|i| (i * 4096, io.alloc(4096))).collect();
        spent(&io, || io.block_on(io.read_many(&f, requests)))
    };
    read(); // Sets the ring's registered files up.
    let (results, s) = read();
    assert!(
        results
            .iter()
            .all(|(b, n)| n == &Ok(4096) && b[..] == [3; 4096])
    );
    assert_eq!((s.ring_ops, s.inline_ops), (64, 0));
    assert!(s.enters <= 2, "64 cached reads: {s:?}");
    assert_eq!(s.registered_files, 64);
    // The same from 64 tasks that know nothing of each other.
    let ((), s) = spent(&io, || {
        io.block_on(async {
            let tasks: Vec<_> = (0..64u64)
                .map(|i| {
                    let (io, f) = (io.clone(), f.clone());
                    io.clone()
                        .spawn(async move { io.read_exact(&f, i * 4096, io.alloc(4096)).await })
                })
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
        });
    });
    assert!(s.ring_ops >= 63 && s.enters <= 3, "{s:?}");
}

#[test]
fn a_ready_future_costs_no_call() {
    let io = IoHandle::builder().build();
    let ((), s) = spent(&io, || {
        for _ in 0..100 {
            io.block_on(async {});
            io.block_on(io.yield_now());
        }
    });
    assert_eq!(s, IoStats::default());
}

#[test]
fn more_than_the_ring_holds_waits_its_turn() {
    let scratch = Scratch::new();
    let options = RingOptions {
        depth: 8,
        ..RingOptions::default()
    };
    let io = IoHandle::builder()
        .driver(DriverChoice::Uring(options))
        .build();
    if !has_ring(&io) {
        return;
    }
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    let writes = || (0..500u64).map(|i| (i * 512, io.arena().copy_of(&[i as u8; 512]).into()));
    let started: Vec<_> = {
        let _gather = io.gather();
        let write = |(offset, buf)| Op::Write {
            file: f.clone(),
            offset,
            buf,
            durability: Durability::Cached,
        };
        writes().map(|w| io.start(write(w))).collect()
    };
    io.block_on(async {
        for write in started {
            write.await.result.unwrap();
        }
    });
    let s = io.stats();
    assert!(s.held_back > 0 && s.ring_ops == 500, "{s:?}");
    for i in 0..500 {
        let mut out = [0; 512];
        io.read_exact_now(&f, i * 512, &mut out).unwrap();
        assert_eq!(out, [i as u8; 512]);
    }
    // Many writes of one who is alone are copies into the page cache, which need no ring.
    let ((), s) = spent(&io, || {
        io.block_on(io.write_many(&f, writes().collect())).unwrap();
    });
    assert_eq!((s.ring_ops, s.inline_ops, s.enters), (0, 500, 0), "{s:?}");
}

/// A vectored call takes 1024 pieces; the rest is resumed, and the sync comes after the last.
#[test]
fn many_pieces_are_resumed() {
    let scratch = Scratch::new();
    let io = IoHandle::builder().build();
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    for ring in [false, true] {
        let gather = ring.then(|| io.gather());
        let bufs = (0..2500)
            .map(|i| io.arena().copy_of(&[i as u8; 8]).into())
            .collect();
        let (r, s) = spent(&io, || {
            io.block_on(io.write_sync(&f, 0, bufs, SyncMode::Data)).1
        });
        r.unwrap();
        assert_eq!((s.written_bytes, s.syncs), (20000, 1));
        assert!(s.resumed >= 2, "{s:?}");
        drop(gather);
        let bytes = io.block_on(io.read_exact(&f, 0, io.alloc(20000))).unwrap();
        assert!(bytes.chunks(8).enumerate().all(|(i, b)| b == [i as u8; 8]));
        io.truncate_now(&f, 0).unwrap();
    }
}

#[test]
fn orphans_keep_their_buffers_until_they_complete() {
    let scratch = Scratch::new();
    let arena = Arena::new();
    let io = IoHandle::builder().arena(arena.clone()).build();
    if !has_ring(&io) {
        return;
    }
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    io.block_on(async {
        let gather = io.gather();
        // A write with a sync goes to a worker thread, so it is in flight for a while.
        let op = |i: u64| Op::WriteSync {
            file: f.clone(),
            offset: i * 4096,
            bufs: vec![io.arena().copy_of(&[9; 4096]).into()],
            mode: SyncMode::Data,
        };
        let futures: Vec<_> = (0..4).map(|i| io.start(op(i))).collect();
        io.yield_now().await; // The executor hands them to the kernel.
        drop(futures);
        drop(gather);
        assert_eq!(
            arena.stats().in_use_bytes,
            4 * 4096,
            "the kernel still reads them"
        );
        assert_eq!(io.stats().orphaned, 4);
    });
    io.shutdown();
    assert_eq!((io.in_flight(), arena.stats().in_use_bytes), (0, 0));
    assert_eq!(f.len().unwrap(), 4 * 4096, "begun writes are finished");
    // Never handed to the driver: never performed.
    let gather = io.gather();
    drop(io.start(Op::Truncate {
        file: f.clone(),
        len: 0,
    }));
    drop(gather);
    io.shutdown();
    assert_eq!(f.len().unwrap(), 4 * 4096);
}

#[test]
fn a_driver_that_is_dropped_waits_for_the_kernel() {
    let scratch = Scratch::new();
    let arena = Arena::new();
    let io = IoHandle::builder().arena(arena.clone()).build();
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    io.block_on(async {
        let _gather = io.gather();
        let bufs = vec![io.arena().copy_of(&[7; 65536]).into()];
        let op = Op::WriteSync {
            file: f.clone(),
            offset: 0,
            bufs,
            mode: SyncMode::Full,
        };
        let future = io.start(op);
        io.yield_now().await;
        drop(future);
    });
    drop(io);
    assert_eq!(arena.stats().in_use_bytes, 0);
}

#[test]
fn errors_say_what_failed_inline_and_on_the_ring() {
    let io = IoHandle::builder().build();
    if !std::path::Path::new("/dev/full").exists() {
        eprintln!("skipped: no /dev/full");
        return;
    }
    let f = io.open("/dev/full", &OpenOptions::new()).unwrap();
    for ring in [false, true] {
        let _gather = ring.then(|| io.gather());
        let page = || io.arena().alloc_zeroed(4096);
        let (buf, r) = io.block_on(io.write(&f, 4096, page(), Durability::Cached));
        let e = r.unwrap_err();
        assert_eq!((buf.len(), e.op, e.offset), (4096, IoOp::Write, Some(4096)));
        assert!(e.is_full() && e.sqlite_code() == 13);
        assert!(
            e.to_string()
                .starts_with("writing /dev/full at byte 4096: No space left"),
            "{e}"
        );
        let bufs = vec![page().into(), page().into()];
        let (bufs, r) = io.block_on(io.write_sync(&f, 0, bufs, SyncMode::Data));
        assert_eq!((bufs.len(), r.unwrap_err().op), (2, IoOp::Write));
        let e = io.block_on(io.sync(&f, SyncMode::Data)).unwrap_err();
        assert_eq!((e.op, e.sqlite_code()), (IoOp::Sync, 1034));
    }
}

#[test]
fn direct_files() {
    let scratch = Scratch::new();
    let arena = Arena::new();
    let io = IoHandle::builder().arena(arena).build();
    let f = io
        .open(scratch.path("f"), &OpenOptions::create().direct(true))
        .unwrap();
    if !f.caps().direct {
        eprintln!("skipped: no O_DIRECT here");
        return;
    }
    let align = f.caps().offset_align as usize;
    assert!(align >= 512 && f.caps().mem_align <= 4096, "{:?}", f.caps());
    for ring in [false, true] {
        let _gather = ring.then(|| io.gather());
        io.block_on(async {
            let writes =
                (0..16u64).map(|i| (i * 4096, io.arena().copy_of(&[i as u8; 4096]).into()));
            io.write_many(&f, writes.collect()).await.unwrap();
            for i in 0..16 {
                let b = io.read_exact(&f, i * 4096, io.alloc(4096)).await.unwrap();
                assert_eq!(b[..], [i as u8; 4096]);
            }
            // An end off the grid, and past it.
            io.truncate(&f, 15 * 4096 + 100).await.unwrap();
            let (b, n) = io.read(&f, 15 * 4096, io.alloc(4096)).await;
            assert_eq!((n.unwrap(), b[99]), (100, 15));
            let (_, n) = io.read(&f, 14 * 4096, io.alloc(65536)).await;
            assert_eq!(n.unwrap(), 4196);
            let (_, n) = io.read(&f, 20 * 4096, io.alloc(4096)).await;
            assert_eq!(n.unwrap(), 0);
        });
        let mut head = [0; 100];
        io.read_exact_now(&f, 3 * 4096 + 7, &mut head).unwrap();
        assert_eq!(
            head, [3; 100],
            "unaligned reads of set-up paths go through a buffer"
        );
    }
    eprintln!("buffers: {:?}", io.ring_info().and_then(|i| i.buffers));
    if io.driver_name() == "uring" && io.ring_info().unwrap().buffers == Some(Ok(())) {
        assert!(io.stats().registered_buffers > 0);
    }
}

#[test]
fn a_forbidden_ring_leads_to_blocking_and_says_so() {
    let options = RingOptions {
        forbidden: true,
        ..RingOptions::default()
    };
    let io = IoHandle::builder()
        .driver(DriverChoice::Uring(options))
        .build();
    assert_eq!(io.driver_name(), "blocking");
    let info = io.ring_info().unwrap();
    assert_eq!((info.level, info.refused.len()), (None, 4));
    assert!(info.to_string().contains("io_uring is refused"), "{info}");
    let scratch = Scratch::new();
    let f = io.open(scratch.path("f"), &OpenOptions::create()).unwrap();
    let writes = (0..10)
        .map(|i| (i * 512, io.arena().alloc_zeroed(512).into()))
        .collect();
    io.block_on(io.write_many(&f, writes)).unwrap();
    assert_eq!((io.stats().inline_ops, io.stats().ring_ops), (10, 0));
}

#[test]
fn the_doctor_reports() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("d")).unwrap();
    let report = Report::of(&scratch.path("d"));
    let text = report.to_string();
    eprintln!("{text}");
    for name in [
        "kernel",
        "driver",
        "memlock",
        "registered files",
        "O_DIRECT",
        "flush",
        "lone read",
    ] {
        assert!(text.contains(name), "{name} in\n{text}");
    }
    assert!(*report.flush_ns.as_ref().unwrap() > 0);
    assert_eq!(
        std::fs::read_dir(scratch.path("d")).unwrap().count(),
        0,
        "leaves nothing"
    );
}

/// Runs one test of this binary again, without the right or the limit to lock memory.
#[test]
fn without_locked_memory_everything_still_works() {
    let me = std::env::current_exe().unwrap();
    let run = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .arg(&me)
            .args([
                "--exact",
                "cost::direct_files",
                "cost::a_batch_is_one_enter",
                "--nocapture",
            ])
            .output()
    };
    // For root the limit does not count, unless the capability is gone too.
    let dropped = [
        "--memlock=0",
        "setpriv",
        "--bounding-set=-ipc_lock",
        "--inh-caps=-ipc_lock",
    ];
    let mut refused = true;
    let out = match run("prlimit", &dropped) {
        Ok(out) if !String::from_utf8_lossy(&out.stderr).contains("setpriv") => out,
        _ => match run("prlimit", &dropped[..1]) {
            Ok(out) => {
                refused = false;
                out
            }
            Err(e) => {
                eprintln!("skipped: no prlimit ({e})");
                return;
            }
        },
    };
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(text.contains("2 passed"), "{text}");
    let errors = String::from_utf8_lossy(&out.stderr);
    if refused && !errors.contains("skipped") {
        assert!(
            errors.contains("buffers: Some(Err(12))"),
            "registration was refused: {errors}"
        );
    }
}
