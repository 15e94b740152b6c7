//! SQLite's locks: between two handles of ours, and against a stock sqlite3 process.

use ringwood_io::{
    DbLock, File, IoHandle, LockKind, LockLevel, OpenOptions, SHM_CKPT, SHM_READ0, SHM_REGION_SIZE,
    SHM_WRITE, ShmLocks, ShmRegion,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering;

use crate::scratch::Scratch;

/// A stock sqlite3 that runs what it is told, line by line.
struct Stock {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Stock {
    fn open(db: &Path) -> Option<Stock> {
        let child = Command::new("sqlite3")
            .arg("-batch")
            .arg(db)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no sqlite3 in the path");
            return None;
        };
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Some(Stock {
            child,
            stdin,
            stdout,
        })
    }

    /// Runs statements; the lines that they print.
    fn run(&mut self, sql: &str) -> Vec<String> {
        writeln!(self.stdin, "{sql}\n.print --").unwrap();
        self.stdin.flush().unwrap();
        let lines = self.stdout.by_ref().lines().map(Result::unwrap);
        lines.take_while(|l| l != "--").collect()
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        let _ = writeln!(self.stdin, ".quit");
        let _ = self.stdin.flush();
        let _ = self.child.wait();
    }
}

fn open(io: &IoHandle, path: &Path) -> File {
    io.open(path, &OpenOptions::create()).unwrap()
}

fn assert_busy(r: ringwood_io::Result<()>) {
    let e = r.unwrap_err();
    assert!(e.is_busy() && e.sqlite_code() == 5, "{e}");
}

/// SQLite's table of compatible locks, walked through two handles of each kind of file.
#[test]
fn two_handles() {
    use LockLevel::*;
    let scratch = Scratch::new();
    for io in [IoHandle::builder().build(), IoHandle::in_memory()] {
        let path = scratch.path("db");
        let (a, b) = (DbLock::new(open(&io, &path)), DbLock::new(open(&io, &path)));
        a.lock(Shared).unwrap();
        b.lock(Shared).unwrap();
        assert!(!a.is_reserved().unwrap());
        a.lock(Reserved).unwrap();
        assert!(a.is_reserved().unwrap() && b.is_reserved().unwrap());
        assert_busy(b.lock(Reserved));
        assert_busy(a.lock(Exclusive));
        assert_eq!(a.level(), Pending, "the readers run dry");
        b.unlock(None).unwrap();
        assert_busy(b.lock(Shared));
        assert_eq!(b.level(), None);
        a.lock(Exclusive).unwrap();
        assert_busy(b.lock(Shared));
        a.unlock(Shared).unwrap();
        b.lock(Shared).unwrap();
        b.lock(Reserved).unwrap();
        a.unlock(None).unwrap();
        b.lock(Exclusive).unwrap();
        assert_busy(a.lock(Shared));
        drop(b);
        a.lock(Shared).unwrap();
        // From SHARED directly, as for a hot journal; a failure leaves SHARED.
        let c = DbLock::new(open(&io, &path));
        c.lock(Shared).unwrap();
        assert_busy(a.lock(Exclusive));
        assert_eq!(a.level(), Shared);
        c.unlock(None).unwrap();
        a.lock(Exclusive).unwrap();
    }
}

#[test]
fn closing_a_file_that_a_ring_has_registered_unlocks_it() {
    let scratch = Scratch::new();
    let io = crate::registering_files();
    let path = scratch.path("db");
    let file = open(&io, &path);
    let requests = (0..4).map(|i| (i * 512, io.alloc(512))).collect();
    io.block_on(io.read_many(&file, requests));
    if io.driver_name() == "uring" {
        assert!(io.stats().registered_files > 0);
    }
    assert!(file.try_lock_range(0, 1, LockKind::Exclusive).unwrap());
    let other = open(&io, &path);
    assert!(!other.try_lock_range(0, 1, LockKind::Shared).unwrap());
    drop(file);
    assert!(other.try_lock_range(0, 1, LockKind::Exclusive).unwrap());
}

#[test]
fn stock_sqlite_and_the_database_locks() {
    let scratch = Scratch::new();
    let io = IoHandle::builder().build();
    let path = scratch.path("db");
    let Some(mut stock) = Stock::open(&path) else {
        return;
    };
    stock.run("PRAGMA journal_mode=DELETE; CREATE TABLE t(x); INSERT INTO t VALUES(1);");
    let ours = DbLock::new(open(&io, &path));

    // Theirs against ours.
    stock.run("BEGIN; SELECT * FROM t;");
    ours.lock(LockLevel::Shared).unwrap();
    ours.lock(LockLevel::Reserved).unwrap();
    assert_busy(ours.lock(LockLevel::Exclusive));
    stock.run("COMMIT;");
    ours.lock(LockLevel::Exclusive).unwrap();
    ours.unlock(LockLevel::None).unwrap();

    stock.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(2);");
    assert!(ours.is_reserved().unwrap());
    ours.lock(LockLevel::Shared).unwrap();
    assert_busy(ours.lock(LockLevel::Reserved));
    ours.unlock(LockLevel::None).unwrap();
    stock.run("COMMIT;");
    assert!(!ours.is_reserved().unwrap());

    stock.run("BEGIN EXCLUSIVE;");
    assert_busy(ours.lock(LockLevel::Shared));
    stock.run("COMMIT;");

    // Ours against theirs: a busy stock prints nothing to stdout but leaves the table as it was.
    ours.lock(LockLevel::Shared).unwrap();
    assert_eq!(stock.run("SELECT count(*) FROM t;"), ["2"]);
    ours.lock(LockLevel::Reserved).unwrap();
    assert_eq!(stock.run("SELECT count(*) FROM t;"), ["2"]);
    stock.run("INSERT INTO t VALUES(3);");
    ours.lock(LockLevel::Exclusive).unwrap();
    assert_eq!(stock.run("SELECT count(*) FROM t;"), Vec::<String>::new());
    drop(ours);
    assert_eq!(
        stock.run("SELECT count(*) FROM t;"),
        ["2"],
        "the insert was refused"
    );
    stock.run("INSERT INTO t VALUES(3);");
    assert_eq!(stock.run("SELECT count(*) FROM t;"), ["3"]);
}

#[test]
fn stock_sqlite_and_the_log_locks() {
    let scratch = Scratch::new();
    let io = IoHandle::builder().build();
    let (path, shm) = (scratch.path("db"), scratch.path("db-shm"));
    let Some(mut stock) = Stock::open(&path) else {
        return;
    };
    let mode = stock.run("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);");
    assert_eq!(mode, ["wal"]);
    let file = io.open(&shm, &OpenOptions::new()).unwrap();
    let (locks, first) = ShmLocks::open(file.clone()).unwrap();
    assert!(!first, "stock sqlite3 has it open");
    let region = file.shm_region(0, false).unwrap().unwrap();
    assert!(region.is_mapped());
    let version = region.words()[0].load(Ordering::Acquire);
    assert_eq!(version, 3_007_000, "the wal-index format's version");
    assert!(file.shm_region(9, false).unwrap().is_none());
    let mut ours = locks.owner();

    stock.run("BEGIN IMMEDIATE;");
    assert_busy(ours.lock_exclusive(SHM_WRITE, 1));
    stock.run("COMMIT;");
    ours.lock_exclusive(SHM_WRITE, 1).unwrap();
    stock.run("INSERT INTO t VALUES(2);");
    assert_eq!(
        stock.run("SELECT count(*) FROM t;"),
        ["1"],
        "reads, but could not write"
    );
    ours.unlock_exclusive(SHM_WRITE, 1).unwrap();
    stock.run("INSERT INTO t VALUES(2);");
    assert_eq!(stock.run("SELECT count(*) FROM t;"), ["2"]);

    stock.run("BEGIN; SELECT * FROM t;");
    // It shares one of the read marks.
    let mut busy = 0;
    for mark in 0..5 {
        match ours.lock_exclusive(SHM_READ0 + mark, 1) {
            Ok(()) => ours.unlock_exclusive(SHM_READ0 + mark, 1).unwrap(),
            Err(e) => busy += u32::from(e.is_busy()),
        }
        ours.lock_shared(SHM_READ0 + mark).unwrap();
        ours.unlock_shared(SHM_READ0 + mark).unwrap();
    }
    assert_eq!(busy, 1);
    stock.run("COMMIT;");

    ours.lock_exclusive(SHM_CKPT, 1).unwrap();
    assert_eq!(stock.run("PRAGMA wal_checkpoint;"), ["1|-1|-1"]);
    ours.unlock_exclusive(SHM_CKPT, 1).unwrap();
    assert!(stock.run("PRAGMA wal_checkpoint;")[0].starts_with("0|"));
}

#[test]
fn log_locks_between_connections_of_one_process() {
    let scratch = Scratch::new();
    for io in [IoHandle::builder().build(), IoHandle::in_memory()] {
        let path = scratch.path("shm");
        let (locks, first) = ShmLocks::open(open(&io, &path)).unwrap();
        assert!(first);
        // Another process, as far as the locks can tell.
        let (others, first) = ShmLocks::open(open(&io, &path)).unwrap();
        assert!(!first);
        let (mut a, mut b, mut c) = (locks.owner(), locks.owner(), others.owner());
        a.lock_shared(SHM_READ0 + 1).unwrap();
        b.lock_shared(SHM_READ0 + 1).unwrap();
        c.lock_shared(SHM_READ0 + 1).unwrap();
        assert_busy(locks.owner().lock_exclusive(SHM_READ0, 3));
        a.unlock_shared(SHM_READ0 + 1).unwrap();
        c.unlock_shared(SHM_READ0 + 1).unwrap();
        assert_busy(c.lock_exclusive(SHM_READ0, 3));
        b.unlock_shared(SHM_READ0 + 1).unwrap();
        c.lock_exclusive(SHM_READ0, 3).unwrap();
        assert_busy(a.lock_shared(SHM_READ0 + 2));
        assert!(c.has_exclusive(SHM_READ0 + 2) && !c.has_shared(SHM_READ0 + 2));
        drop(c);
        a.lock_exclusive(SHM_WRITE, 1).unwrap();
        assert_busy(b.lock_exclusive(SHM_WRITE, 1));
        drop(a);
        b.lock_exclusive(SHM_WRITE, 1).unwrap();
    }
    let heap = ShmLocks::heap();
    let (mut a, mut b) = (heap.owner(), heap.owner());
    a.lock_exclusive(SHM_WRITE, 2).unwrap();
    assert_busy(b.lock_shared(SHM_CKPT));
}

#[test]
fn regions_are_shared_between_handles() {
    let scratch = Scratch::new();
    for io in [IoHandle::builder().build(), IoHandle::in_memory()] {
        let (a, b) = (open(&io, &scratch.path("r")), open(&io, &scratch.path("r")));
        assert!(a.shm_region(0, false).unwrap().is_none());
        let second = a.shm_region(1, true).unwrap().unwrap();
        if second.is_mapped() {
            assert_eq!(a.len().unwrap(), 2 * SHM_REGION_SIZE as u64);
        }
        second.words()[8191].store(0xDEAD_BEEF, Ordering::Release);
        let same = b.shm_region(1, false).unwrap().unwrap();
        assert_eq!(same.words()[8191].load(Ordering::Acquire), 0xDEAD_BEEF);
        same.halves()[0].store(7, Ordering::Release);
        assert_eq!(second.halves()[0].load(Ordering::Acquire), 7);
        let first = b.shm_region(0, true).unwrap().unwrap();
        assert_eq!(first.words()[0].load(Ordering::Acquire), 0);
        drop((a, b));
        assert_eq!(
            second.halves()[0].load(Ordering::Acquire),
            7,
            "outlives its file"
        );
    }
    assert!(!ShmRegion::heap().is_mapped());
}
