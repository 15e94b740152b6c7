//! Databases with a file: commit, recovery, checkpoint, restart of the log, locks, spilling.

use crate::store::{Dir, Store, allocate, byte, checkpoint, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::IoHandle;
use ringwood_wal::{CheckpointMode, Error, Field, JournalMode, Synchronous};
use std::path::Path;

fn geometry(page_size: u32) -> Geometry {
    Geometry::new(page_size, 0).expect("a page size")
}

#[test]
fn an_empty_file_stays_empty_until_a_commit() {
    let io = IoHandle::in_memory();
    let path = Path::new("/db");
    let store = Store::open(&io, path, geometry(1024));
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        assert_eq!(
            (tx.page_count(), tx.header_field(Field::SchemaCookie)),
            (0, 0)
        );
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 3).await;
        tx.rollback();
        tx.end_read();
        assert_eq!((io.size_of(path), io.size_of("/db-wal")), (Some(0), None));
        tx.begin_write().await.expect("writes");
        assert_eq!(tx.page_count(), 1);
        tx.set_header_field(Field::UserVersion, 5).expect("writes");
        tx.commit().await.expect("commits");
        assert_eq!(
            (io.size_of(path), io.size_of("/db-wal")),
            (Some(512), Some(32 + 1048))
        );
        tx.end_read();
        store
            .db
            .close(&io, Synchronous::Full)
            .await
            .expect("closes");
        assert_eq!(
            (io.size_of(path), io.size_of("/db-wal")),
            (Some(1024), None)
        );
        tx.begin_read().await.expect("opens again");
        assert_eq!(
            (tx.page_count(), tx.header_field(Field::UserVersion)),
            (1, 5)
        );
    });
}

#[test]
fn commits_survive_a_crash_and_a_checkpoint() {
    for page_size in [512, 4096, 65536] {
        let io = IoHandle::in_memory();
        let path = Path::new("/db");
        let store = Store::open(&io, path, geometry(page_size));
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_write().await.expect("writes");
            let pages = allocate(&mut tx, 20).await;
            for &page in &pages {
                fill(&mut tx, page, page.get() as u8).await;
            }
            tx.commit().await.expect("commits");
            tx.begin_write().await.expect("writes");
            fill(&mut tx, no(7), 77).await;
            tx.commit().await.expect("commits");
            tx.begin_write().await.expect("writes");
            fill(&mut tx, no(8), 88).await;
            // Not committed: the process is gone.
        });
        drop(store);
        let store = Store::open(&io, path, geometry(4096));
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_read().await.expect("recovers");
            assert_eq!((tx.page_count(), tx.geometry()), (21, geometry(page_size)));
            assert_eq!(
                (byte(&tx, 7).await, byte(&tx, 8).await, byte(&tx, 21).await),
                (77, 8, 21)
            );
            let done = checkpoint(&mut tx, CheckpointMode::Passive)
                .await
                .expect("checkpoints");
            assert_eq!(
                (done.busy, done.log_frames, done.checkpointed_frames),
                (false, 22, 22)
            );
            assert_eq!(io.size_of(path), Some(21 * u64::from(page_size)));
            // The log starts anew.
            tx.begin_write().await.expect("writes");
            fill(&mut tx, no(9), 99).await;
            tx.commit().await.expect("commits");
            assert_eq!(store.db.log_frames(), (1, 0));
            let done = checkpoint(&mut tx, CheckpointMode::Truncate)
                .await
                .expect("checkpoints");
            assert_eq!(
                (done.busy, done.log_frames, done.checkpointed_frames),
                (false, 0, 0)
            );
            assert_eq!(io.size_of("/db-wal"), Some(0));
            tx.begin_write().await.expect("writes");
            fill(&mut tx, no(10), 100).await;
            tx.commit().await.expect("commits");
        });
        drop(store);
        let store = Store::open(&io, path, geometry(4096));
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_read().await.expect("recovers");
            assert_eq!(
                (byte(&tx, 9).await, byte(&tx, 10).await, byte(&tx, 11).await),
                (99, 100, 11)
            );
        });
    }
}

#[test]
fn readers_keep_their_snapshot_and_hold_checkpoints_back() {
    let io = IoHandle::in_memory();
    let store = Store::open(&io, Path::new("/db"), geometry(512));
    io.block_on(async {
        let mut writer = store.tx();
        writer.set_autocheckpoint(0);
        writer.begin_write().await.expect("writes");
        allocate(&mut writer, 5).await;
        fill(&mut writer, no(3), 1).await;
        writer.commit().await.expect("commits");
        let mut old = store.tx();
        old.begin_read().await.expect("reads");
        for value in 2..10 {
            writer.begin_write().await.expect("writes");
            fill(&mut writer, no(3), value).await;
            writer.commit().await.expect("commits");
            assert_eq!((byte(&old, 3).await, byte(&writer, 3).await), (1, value));
        }
        assert_eq!(old.begin_write().await, Err(Error::BusySnapshot));
        let passive = checkpoint(&mut writer, CheckpointMode::Passive)
            .await
            .expect("runs");
        assert_eq!(
            (
                passive.busy,
                passive.log_frames,
                passive.checkpointed_frames
            ),
            (false, 14, 6)
        );
        let full = checkpoint(&mut writer, CheckpointMode::Full)
            .await
            .expect("runs");
        assert_eq!((full.busy, full.checkpointed_frames), (true, 6));
        assert_eq!((byte(&old, 3).await, byte(&writer, 3).await), (1, 9));
        old.end_read();
        let full = checkpoint(&mut writer, CheckpointMode::Full)
            .await
            .expect("runs");
        assert_eq!((full.busy, full.checkpointed_frames), (false, 14));
        // A reader of a log that was backfilled keeps its snapshot when the log starts anew.
        old.begin_read().await.expect("reads");
        writer.begin_write().await.expect("writes");
        fill(&mut writer, no(3), 50).await;
        fill(&mut writer, no(4), 60).await;
        writer.commit().await.expect("commits");
        assert_eq!(store.db.log_frames(), (2, 0));
        store.pool.set_budget_bytes(512);
        assert_eq!((byte(&old, 3).await, byte(&old, 4).await), (9, 0));
        let passive = checkpoint(&mut writer, CheckpointMode::Passive)
            .await
            .expect("runs");
        assert_eq!(
            passive.checkpointed_frames, 0,
            "the old reader reads the database file"
        );
        assert_eq!((byte(&old, 3).await, byte(&writer, 3).await), (9, 50));
        let mut second = store.tx();
        second.begin_write().await.expect("writes");
        assert_eq!(writer.begin_write().await, Err(Error::Busy));
    });
}

/// A page that is changed after a savepoint and goes to the log twice leaves nothing there once that is rolled back.
#[test]
fn pages_spilled_twice_since_a_savepoint_are_gone_with_it() {
    let io = IoHandle::in_memory();
    let path = Path::new("/db");
    let store = Store::open(&io, path, geometry(512));
    store.pool.set_budget_bytes(16 * 512);
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_cache_size(16);
        tx.begin_write().await.expect("writes");
        let pages = allocate(&mut tx, 300).await;
        for &page in &pages {
            tx.make_room().await.expect("room");
            fill(&mut tx, page, 1).await;
        }
        tx.commit().await.expect("commits");
        tx.begin_write().await.expect("writes");
        for &page in &pages[200..] {
            tx.make_room().await.expect("room");
            fill(&mut tx, page, 2).await;
        }
        let savepoint = tx.savepoint();
        for round in 0..3 {
            for &page in &pages[..200] {
                tx.make_room().await.expect("room");
                fill(&mut tx, page, 0xe0 + round).await;
            }
        }
        tx.rollback_to(savepoint).expect("open");
        for &page in &pages[100..120] {
            tx.make_room().await.expect("room");
            fill(&mut tx, page, 3).await;
        }
        tx.commit().await.expect("commits");
        for (at, &page) in pages.iter().enumerate() {
            let expected = match at {
                100..120 => 3,
                200.. => 2,
                _ => 1,
            };
            assert_eq!(byte(&tx, page.get()).await, expected, "page {page}");
        }
    });
}

#[test]
fn large_transactions_spill_and_come_back() {
    let io = IoHandle::in_memory();
    let path = Path::new("/db");
    let store = Store::open(&io, path, geometry(512));
    store.pool.set_budget_bytes(16 * 512);
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_cache_size(16);
        tx.begin_write().await.expect("writes");
        let pages = allocate(&mut tx, 500).await;
        let mut seed = 1u32;
        let mut expected: Vec<u8> = vec![0; 502];
        for round in 0..4000 {
            seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
            let page = pages[(seed >> 8) as usize % pages.len()];
            tx.make_room().await.expect("room");
            fill(&mut tx, page, round as u8).await;
            expected[page.get() as usize] = round as u8;
            if round == 1000 || round == 2000 {
                let savepoint = tx.savepoint();
                let kept = expected.clone();
                for i in 0..200 {
                    tx.make_room().await.expect("room");
                    fill(&mut tx, pages[(i * 7) % pages.len()], 0xee).await;
                }
                allocate(&mut tx, 40).await;
                tx.rollback_to(savepoint).expect("open");
                tx.release(savepoint);
                expected = kept;
            }
        }
        for &page in &pages {
            assert_eq!(
                byte(&tx, page.get()).await,
                expected[page.get() as usize],
                "page {page}"
            );
        }
        tx.commit().await.expect("commits");
        let frames = store.db.log_frames().0;
        assert!(frames < 501 * 6 / 5, "{frames} frames for 501 pages");
        for &page in &pages {
            assert_eq!(
                byte(&tx, page.get()).await,
                expected[page.get() as usize],
                "page {page}"
            );
        }
        tx.end_read();
        let copy = io
            .open("/db-wal", &ringwood_io::OpenOptions::new())
            .expect("there");
        let mut bytes = vec![0; copy.len().expect("a size") as usize];
        io.read_exact_now(&copy, 0, &mut bytes).expect("reads");
        drop(tx);
        drop(store);
        let again = Store::open(&io, path, geometry(512));
        let mut tx = again.tx();
        tx.begin_read().await.expect("recovers");
        assert_eq!(tx.page_count(), 501);
        for &page in &pages {
            assert_eq!(
                byte(&tx, page.get()).await,
                expected[page.get() as usize],
                "page {page}"
            );
        }
    });
}

#[test]
fn modes_are_switched_and_refused() {
    let dir = Dir::new();
    let path = dir.file("modes.db");
    let stock = rusqlite::Connection::open(&path).expect("opens");
    stock.busy_timeout(std::time::Duration::ZERO).expect("sets");
    stock
        .execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)")
        .expect("runs");
    let io = IoHandle::for_thread();
    let store = Store::open(&io, &path, geometry(4096));
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        assert_eq!(
            (tx.page_count(), store.db.journal_mode()),
            (2, JournalMode::Delete)
        );
        tx.begin_write().await.expect("writes");
        assert_eq!(
            stock
                .execute_batch("INSERT INTO t VALUES (3)")
                .expect_err("locked")
                .to_string(),
            "database is locked"
        );
        tx.rollback();
        tx.end_read();
        stock
            .execute_batch("INSERT INTO t VALUES (3); CREATE TABLE u(b)")
            .expect("unlocked");
        tx.begin_read().await.expect("reads");
        assert_eq!(tx.page_count(), 3, "sees what others wrote");
        tx.end_read();
        assert_eq!(
            tx.set_journal_mode(JournalMode::Wal).await,
            Ok(JournalMode::Wal)
        );
        tx.begin_write().await.expect("writes");
        tx.set_header_field(Field::UserVersion, 9).expect("writes");
        tx.commit().await.expect("commits");
        tx.end_read();
        let count = stock.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(count, Ok(3), "shares the log");
        assert_eq!(
            tx.set_journal_mode(JournalMode::Delete).await,
            Err(Error::Busy)
        );
        let refused: String = stock
            .query_row("PRAGMA journal_mode=DELETE", [], |row| {
                row.get::<_, String>(0)
            })
            .expect_err("we have it open")
            .to_string();
        assert_eq!(refused, "database is locked");
        drop(stock);
        assert_eq!(
            tx.set_journal_mode(JournalMode::Delete).await,
            Ok(JournalMode::Delete)
        );
        let stock = rusqlite::Connection::open(&path).expect("opens");
        let version: i64 = stock
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .expect("reads");
        let mode: String = stock
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .expect("reads");
        assert_eq!((version, mode.as_str()), (9, "delete"));
        let check: String = stock
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("reads");
        assert_eq!(check, "ok");
    });
}

#[test]
fn announced_pages_are_read_together() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let path = dir.file("ahead.db");
    let store = Store::open(&io, &path, geometry(4096));
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        for page in allocate(&mut tx, 60).await {
            fill(&mut tx, page, page.get() as u8).await;
        }
        tx.commit().await.expect("commits");
        checkpoint(&mut tx, CheckpointMode::Truncate)
            .await
            .expect("runs");
        // Some pages in the log, out of order.
        tx.begin_write().await.expect("writes");
        fill(&mut tx, no(20), 200).await;
        tx.commit().await.expect("commits");
        tx.end_read();
        drop(tx);
        store.db.close(&io, Synchronous::Off).await.expect("closes");
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        let pages: Vec<_> = (10..30).chain([50]).map(no).collect();
        tx.announce(&pages);
        let before = io.stats();
        assert_eq!(byte(&tx, 12).await, 12);
        let after = io.stats();
        for page in (10..30).chain([50]) {
            let expected = if page == 20 { 200 } else { page as u8 };
            assert_eq!(byte(&tx, page).await, expected);
        }
        assert_eq!(
            io.stats().read_bytes,
            after.read_bytes,
            "all were read at once"
        );
        assert_eq!(after.read_bytes - before.read_bytes, 21 * 4096);
    });
}

#[test]
fn a_transaction_of_many_pages_stays_small() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let path = dir.file("large.db");
    let store = Store::open(&io, &path, geometry(4096));
    let log = dir.file("large.db-wal");
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_cache_size(-2000);
        tx.set_autocheckpoint(0);
        tx.begin_write().await.expect("writes");
        let mut peak = 0;
        for leaf in 0..10_000u32 {
            let page = allocate(&mut tx, 1).await[0];
            fill(&mut tx, page, leaf as u8).await;
            // A parent that changes with each leaf, and another one now and then.
            fill(&mut tx, no(2), leaf as u8).await;
            let other = (3 + leaf / 400 * 300).min(tx.page_count());
            fill(&mut tx, no(other), leaf as u8).await;
            peak = peak.max(store.pool.counters().used_bytes);
        }
        assert!(peak <= 3 << 20, "{peak} bytes of pages");
        tx.commit().await.expect("commits");
        let frames = store.db.log_frames().0;
        assert!(frames < 10_001 * 12 / 10, "{frames} frames for 10001 pages");
        let size = std::fs::metadata(&log).expect("there").len();
        assert_eq!(
            size,
            32 + u64::from(frames) * 4120,
            "and nothing more in the file"
        );
        assert_eq!(byte(&tx, 2).await, 9999u32 as u8);
        assert_eq!(byte(&tx, 9000).await, 8998u32 as u8);
        tx.end_read();
        checkpoint(&mut tx, CheckpointMode::Truncate)
            .await
            .expect("runs");
    });
    let bytes = std::fs::read(&path).expect("reads");
    assert_eq!(bytes.len(), 10_001 * 4096);
    assert_eq!(bytes[8999 * 4096], 8998u32 as u8);
}

#[test]
fn changes_of_old_pages_make_room_too() {
    let io = IoHandle::in_memory();
    let store = Store::open(&io, Path::new("/db"), geometry(512));
    store.pool.set_budget_bytes(2000 * 512);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        let pages = allocate(&mut tx, 1000).await;
        tx.commit().await.expect("commits");
        tx.set_cache_size(20);
        tx.begin_write().await.expect("writes");
        let mut peak = 0;
        for &page in &pages {
            fill(&mut tx, page, 7).await;
            peak = peak.max(store.pool.counters().used_bytes / 512);
        }
        assert!(peak < 1001 + 40, "{peak} pages");
        tx.commit().await.expect("commits");
        for &page in &pages {
            assert_eq!(byte(&tx, page.get()).await, 7);
        }
    });
}

#[test]
fn a_poisoned_database_is_read_and_recovers_when_it_is_opened_again() {
    let io = IoHandle::in_memory();
    let store = Store::open(&io, Path::new("/db"), geometry(512));
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 3).await;
        fill(&mut tx, no(2), 1).await;
        tx.commit().await.expect("commits");
        tx.begin_write().await.expect("writes");
        fill(&mut tx, no(2), 2).await;
        store.db.poison();
        assert_eq!(tx.commit().await, Err(Error::LogPoisoned));
        tx.rollback();
        assert_eq!(byte(&tx, 2).await, 1);
        assert_eq!(tx.begin_write().await, Err(Error::LogPoisoned));
        assert_eq!(
            checkpoint(&mut tx, CheckpointMode::Full).await,
            Err(Error::LogPoisoned)
        );
        tx.end_read();
        store
            .db
            .close(&io, Synchronous::Full)
            .await
            .expect("closes");
        assert!(io.exists("/db-wal"), "nothing was checkpointed");
        tx.begin_write().await.expect("recovers");
        fill(&mut tx, no(2), 3).await;
        tx.commit().await.expect("commits");
        assert_eq!(byte(&tx, 2).await, 3);
    });
}
