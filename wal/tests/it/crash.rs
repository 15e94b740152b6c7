//! Logs that end anywhere, and hold anything: what was committed before the damage is there, and nothing else.

use crate::store::{Store, allocate, byte, checkpoint, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::{IoHandle, OpenOptions};
use std::path::Path;

fn geometry() -> Geometry {
    Geometry::new(512, 0).expect("a page size")
}

fn read(io: &IoHandle, path: &str) -> Vec<u8> {
    let file = io.open(path, &OpenOptions::new()).expect("there");
    let mut bytes = vec![0; file.len().expect("a size") as usize];
    io.read_exact_now(&file, 0, &mut bytes).expect("reads");
    bytes
}

/// A machine after a crash: these files and nothing else.
fn machine(db: &[u8], log: &[u8]) -> IoHandle {
    let io = IoHandle::in_memory();
    for (path, bytes) in [("/db", db), ("/db-wal", log)] {
        let file = io.open(path, &OpenOptions::create()).expect("opens");
        io.write_now(&file, 0, bytes).expect("writes");
    }
    io
}

/// A database whose page 2 holds the number of its last commit; files, and where the log stood after each commit.
fn history() -> (Vec<u8>, Vec<u8>, Vec<usize>) {
    let io = IoHandle::in_memory();
    let store = Store::open(&io, Path::new("/db"), geometry());
    let mut ends = Vec::new();
    io.block_on(async {
        let mut tx = store.tx();
        for commit in 1..=4u8 {
            tx.begin_write().await.expect("writes");
            if commit == 1 {
                allocate(&mut tx, 2).await;
            }
            fill(&mut tx, no(2), commit).await;
            if commit % 2 == 0 {
                fill(&mut tx, no(3), commit).await;
            }
            tx.commit().await.expect("commits");
            ends.push(io.size_of("/db-wal").expect("there") as usize);
        }
    });
    (read(&io, "/db"), read(&io, "/db-wal"), ends)
}

/// The last commit that is found, 0 for none.
fn recovered(io: &IoHandle) -> u8 {
    let store = Store::open(io, Path::new("/db"), geometry());
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_read().await.expect("opens");
        if tx.page_count() == 1 {
            return 0;
        }
        let commit = byte(&tx, 2).await;
        assert_eq!(byte(&tx, 3).await, commit / 2 * 2, "pages of one commit");
        commit
    })
}

/// What is found is what the log's whole frames say, and it can be written on.
fn check(db: &[u8], log: &[u8], expected: u8, what: &str) {
    let io = machine(db, log);
    assert_eq!(recovered(&io), expected, "{what}");
    if expected == 0 {
        return;
    }
    {
        let store = Store::open(&io, Path::new("/db"), geometry());
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_write().await.expect("writes");
            fill(&mut tx, no(2), 100).await;
            fill(&mut tx, no(3), 100).await;
            tx.commit().await.expect("commits");
        });
    }
    assert_eq!(recovered(&io), 100, "{what}, written on");
}

#[test]
fn a_log_cut_at_every_byte() {
    let (db, log, ends) = history();
    for size in 0..=log.len() {
        let expected = ends.iter().filter(|&&end| end <= size).count() as u8;
        check(
            &db,
            &log[..size],
            expected,
            &format!("{size} bytes of the log"),
        );
    }
}

#[test]
fn a_log_with_every_byte_damaged() {
    let (db, log, ends) = history();
    for at in 0..log.len() {
        let mut damaged = log.clone();
        damaged[at] ^= 0x10;
        let whole = ends.iter().filter(|&&end| end <= at).count() as u8;
        let io = machine(&db, &damaged);
        // The header's version is under its checksum too, so each damage of the header makes it none.
        let expected = if at < 32 { 0 } else { whole };
        assert_eq!(recovered(&io), expected, "byte {at} of the log");
    }
}

#[test]
fn sectors_that_never_arrived() {
    let (db, log, ends) = history();
    for sector in 1..log.len().div_ceil(512) {
        let mut torn = log.clone();
        let end = ((sector + 1) * 512).min(log.len());
        if torn[sector * 512..end].iter().all(|&b| b == 0) {
            continue;
        }
        torn[sector * 512..end].fill(0);
        let changed = (sector * 512..end)
            .find(|&at| torn[at] != log[at])
            .expect("not all zeros");
        let expected = ends.iter().filter(|&&end| end <= changed).count() as u8;
        check(&db, &torn, expected, &format!("sector {sector}"));
    }
}

#[test]
fn frames_of_an_earlier_life_do_not_count() {
    let (db, log, ends) = history();
    let io = machine(&db, &log);
    let long = log.len();
    {
        let store = Store::open(&io, Path::new("/db"), geometry());
        io.block_on(async {
            let mut tx = store.tx();
            checkpoint(&mut tx, ringwood_wal::CheckpointMode::Restart)
                .await
                .expect("runs");
            tx.begin_write().await.expect("writes");
            fill(&mut tx, no(2), 50).await;
            fill(&mut tx, no(3), 50).await;
            tx.commit().await.expect("commits");
        });
    }
    let after = read(&io, "/db-wal");
    assert_eq!(after.len(), long, "the log keeps its size");
    assert_eq!(after[ends[1]..], log[ends[1]..], "older frames follow");
    assert_eq!(recovered(&io), 50);
    // A crash between the new header and the first frame: everything is in the database file.
    let mut header_only = log.clone();
    header_only[..32].copy_from_slice(&after[..32]);
    let io = machine(&read(&io, "/db"), &header_only);
    assert_eq!(recovered(&io), 4);
}

#[test]
fn a_database_whose_file_lost_its_tail_lives_in_the_log() {
    let (_, log, _) = history();
    let io = machine(&[], &log);
    // An empty file has no log, whatever lies beside it; SQLite deletes it.
    let store = Store::open(&io, Path::new("/db"), geometry());
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        assert_eq!(tx.page_count(), 0);
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 2).await;
        fill(&mut tx, no(2), 9).await;
        fill(&mut tx, no(3), 8).await;
        tx.commit().await.expect("commits");
    });
    drop(store);
    let store = Store::open(&io, Path::new("/db"), geometry());
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        assert_eq!(
            (tx.page_count(), byte(&tx, 2).await, byte(&tx, 3).await),
            (3, 9, 8)
        );
    });
}
