//! The log and the file between stock SQLite and us: each reads what the other left, crashes included.

use crate::store::{Dir, Store, checkpoint, no, touch};
use ringwood_format::page::Geometry;
use ringwood_io::IoHandle;
use ringwood_wal::{Allocate, CheckpointMode, Error, Field, Synchronous, Tx};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

fn stock(path: &Path) -> Connection {
    let stock = Connection::open(path).expect("opens");
    stock.busy_timeout(Duration::ZERO).expect("sets");
    stock
}

fn ask<T: rusqlite::types::FromSql>(stock: &Connection, sql: &str) -> T {
    stock
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// A table of texts of 300 times one letter, made by stock.
fn make(path: &Path, page_size: u32, rows: u32) {
    let stock = stock(path);
    stock
        .execute_batch(&format!(
            "PRAGMA page_size={page_size}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
             CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
             INSERT INTO t SELECT i, replace(hex(zeroblob(150)), '0', 'a') FROM n"
        ))
        .expect("runs");
}

/// Changes the texts on all pages from one letter to another, in place. Shorter runs of the byte are something else.
async fn change(tx: &mut Tx, from: u8, to: u8) -> u32 {
    let mut changed = 0;
    for n in 2..=tx.page_count() {
        let page = tx.fetch(no(n)).await.expect("there");
        let mut runs = Vec::new();
        let mut at = 0;
        for run in page.chunk_by(|a, b| a == b) {
            if run[0] == from && run.len() > 20 {
                runs.push(at..at + run.len());
            }
            at += run.len();
        }
        drop(page);
        if runs.is_empty() {
            continue;
        }
        touch(tx, no(n)).await;
        let bytes = tx.page_mut(no(n)).expect("private");
        for run in runs {
            bytes[run].fill(to);
        }
        changed += 1;
    }
    changed
}

fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        if Path::new(&name(from)).exists() {
            std::fs::copy(name(from), name(to)).expect("copies");
        }
    }
}

#[test]
fn stock_recovers_our_log() {
    for page_size in [512, 1024, 4096, 65536] {
        let dir = Dir::new();
        let (path, crashed) = (dir.file("ours.db"), dir.file("crashed.db"));
        make(&path, page_size, 400);
        let io = IoHandle::for_thread();
        let store = Store::open(&io, &path, Geometry::default());
        io.block_on(async {
            let mut tx = store.tx();
            tx.set_autocheckpoint(0);
            tx.set_cache_size(10);
            for (from, to) in [(b'a', b'b'), (b'b', b'c')] {
                tx.begin_write().await.expect("writes");
                tx.set_header_field(Field::UserVersion, u32::from(to))
                    .expect("writes");
                assert!(change(&mut tx, from, to).await > 1);
                tx.commit().await.expect("commits");
            }
            // Frames of a transaction that never ends.
            tx.begin_write().await.expect("writes");
            for _ in 0..30 {
                tx.allocate(None, Allocate::Any).await.expect("room");
            }
            change(&mut tx, b'c', b'x').await;
            tx.make_room().await.expect("room");
        });
        copy(&path, &crashed);
        let stock = stock(&crashed);
        assert_eq!(ask::<String>(&stock, "PRAGMA integrity_check"), "ok");
        assert_eq!(
            ask::<u32>(
                &stock,
                "SELECT count(*) FROM t WHERE b = replace(hex(zeroblob(150)), '0', 'c')"
            ),
            400
        );
        assert_eq!(ask::<u8>(&stock, "PRAGMA user_version"), b'c');
        assert_eq!(ask::<u32>(&stock, "PRAGMA page_size"), page_size);
        stock
            .execute_batch("UPDATE t SET b = 'd'; PRAGMA wal_checkpoint(TRUNCATE)")
            .expect("runs");
    }
}

#[test]
fn we_recover_stocks_log() {
    let dir = Dir::new();
    let (path, crashed) = (dir.file("stock.db"), dir.file("crashed.db"));
    make(&path, 1024, 300);
    let stock = stock(&path);
    stock
        .execute_batch("PRAGMA wal_autocheckpoint=0; UPDATE t SET b = replace(b, 'a', 'g'); PRAGMA user_version=77")
        .expect("runs");
    copy(&path, &crashed);
    let io = IoHandle::for_thread();
    let store = Store::open(&io, &crashed, Geometry::default());
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("recovers");
        assert_eq!(tx.header_field(Field::UserVersion), 77);
        assert_eq!(tx.page_count(), ask::<u32>(&stock, "PRAGMA page_count"));
        assert!(change(&mut tx, b'g', b'h').await > 10);
        tx.commit().await.expect("commits");
        tx.end_read();
        store
            .db
            .close(&io, Synchronous::Full)
            .await
            .expect("closes");
    });
    let theirs = Connection::open(&crashed).expect("opens");
    assert_eq!(ask::<String>(&theirs, "PRAGMA integrity_check"), "ok");
    assert_eq!(
        ask::<u32>(
            &theirs,
            "SELECT count(*) FROM t WHERE b = replace(hex(zeroblob(150)), '0', 'h')"
        ),
        300
    );
}

#[test]
fn a_big_endian_log_is_read_and_continued() {
    let dir = Dir::new();
    let (path, other) = (dir.file("little.db"), dir.file("big.db"));
    make(&path, 512, 50);
    let stock = stock(&path);
    stock
        .execute_batch("UPDATE t SET b = replace(b, 'a', 'b')")
        .expect("runs");
    copy(&path, &other);
    // The same log as a big-endian machine would have written it.
    let log = format!("{}-wal", other.display());
    let bytes = std::fs::read(&log).expect("reads");
    std::fs::write(&log, big_endian(&bytes, 512)).expect("writes");
    let io = IoHandle::for_thread();
    let store = Store::open(&io, &other, Geometry::default());
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("recovers");
        assert_eq!(tx.page_count(), ask::<u32>(&stock, "PRAGMA page_count"));
        assert!(change(&mut tx, b'b', b'c').await > 10);
        tx.commit().await.expect("commits");
    });
    let copied = dir.file("copied.db");
    copy(&other, &copied);
    let theirs = Connection::open(&copied).expect("opens");
    assert_eq!(
        ask::<u32>(
            &theirs,
            "SELECT count(*) FROM t WHERE b = replace(hex(zeroblob(150)), '0', 'c')"
        ),
        50
    );
    assert_eq!(ask::<String>(&theirs, "PRAGMA integrity_check"), "ok");
}

fn big_endian(log: &[u8], page_size: usize) -> Vec<u8> {
    let mut out = log.to_vec();
    let sum = |bytes: &[u8], mut s: (u32, u32)| {
        for pair in bytes.chunks_exact(8) {
            let word =
                |at: usize| u32::from_be_bytes(pair[at..at + 4].try_into().expect("4 bytes"));
            s.0 = s.0.wrapping_add(word(0)).wrapping_add(s.1);
            s.1 = s.1.wrapping_add(word(4)).wrapping_add(s.0);
        }
        s
    };
    out[3] |= 1;
    let mut s = sum(&out[..24], (0, 0));
    out[24..28].copy_from_slice(&s.0.to_be_bytes());
    out[28..32].copy_from_slice(&s.1.to_be_bytes());
    for frame in out[32..].chunks_exact_mut(24 + page_size) {
        s = sum(&frame[..8], s);
        s = sum(&frame[24..], s);
        frame[16..20].copy_from_slice(&s.0.to_be_bytes());
        frame[20..24].copy_from_slice(&s.1.to_be_bytes());
    }
    out
}

#[test]
fn stock_and_we_share_a_log() {
    let dir = Dir::new();
    let path = dir.file("shared.db");
    make(&path, 4096, 10);
    let io = IoHandle::for_thread();
    let theirs = stock(&path);
    // A second library of this process loses its POSIX locks when we close the file; so it is closed last.
    let store = Store::open(&io, &path, Geometry::default());
    io.block_on(async {
        let mut tx = store.tx();
        assert_eq!(ask::<u32>(&theirs, "SELECT count(*) FROM t"), 10);
        for round in 1..50u32 {
            theirs
                .execute_batch(&format!("PRAGMA user_version={round}"))
                .expect("writes");
            tx.begin_read().await.expect("reads");
            assert_eq!(tx.header_field(Field::UserVersion), round);
            theirs
                .execute_batch(&format!("PRAGMA user_version={}", round + 1000))
                .expect("writes");
            assert_eq!(tx.header_field(Field::UserVersion), round, "a snapshot");
            assert_eq!(tx.begin_write().await, Err(Error::BusySnapshot));
            tx.end_read();
            tx.begin_write().await.expect("writes");
            assert_eq!(tx.header_field(Field::UserVersion), round + 1000);
            let refused = theirs.execute_batch("PRAGMA user_version=1");
            assert_eq!(refused.expect_err("busy").to_string(), "database is locked");
            tx.set_header_field(Field::UserVersion, round + 2000)
                .expect("writes");
            tx.commit().await.expect("commits");
            tx.end_read();
            assert_eq!(ask::<u32>(&theirs, "PRAGMA user_version"), round + 2000);
            if round % 7 == 0 {
                assert_eq!(ask::<u32>(&theirs, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
            } else if round % 5 == 0 {
                let done = checkpoint(&mut tx, CheckpointMode::Restart)
                    .await
                    .expect("runs");
                assert!(!done.busy);
            }
        }
        theirs
            .execute_batch("BEGIN IMMEDIATE; UPDATE t SET b = 'new'")
            .expect("writes");
        assert_eq!(tx.begin_write().await, Err(Error::Busy));
        theirs.execute_batch("COMMIT").expect("commits");
        tx.begin_read().await.expect("reads");
        assert_eq!(ask::<u32>(&theirs, "PRAGMA wal_checkpoint(TRUNCATE)"), 1);
        tx.end_read();
        assert_eq!(ask::<u32>(&theirs, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
        assert_eq!(ask::<String>(&theirs, "PRAGMA integrity_check"), "ok");
        drop(theirs);
        store
            .db
            .close(&io, Synchronous::Full)
            .await
            .expect("closes");
    });
}
