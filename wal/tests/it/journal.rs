//! Rollback journals between stock SQLite and us: each reads what the other wrote, and rolls back what it left.

use crate::store::{Dir, Store, allocate, byte, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::{DriverChoice, IoHandle, OpenOptions, SimDisk};
use ringwood_wal::{
    Database, DbOptions, Error, Field, JournalMode, Synchronous, Tx, TxState, commit_many,
};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

const MODES: [JournalMode; 5] = [
    JournalMode::Delete,
    JournalMode::Truncate,
    JournalMode::Persist,
    JournalMode::Memory,
    JournalMode::Off,
];

fn ask<T: rusqlite::types::FromSql>(stock: &Connection, sql: &str) -> T {
    stock
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn make(path: &Path, page_size: u32) {
    let stock = Connection::open(path).expect("opens");
    stock
        .execute_batch(&format!(
            "PRAGMA page_size={page_size};
             CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300)
             INSERT INTO t SELECT i, hex(zeroblob(100)) FROM n"
        ))
        .expect("runs");
}

fn journal(path: &Path) -> PathBuf {
    format!("{}-journal", path.display()).into()
}

async fn set_version(tx: &mut Tx, version: u32) -> ringwood_wal::Result<()> {
    tx.begin_write().await?;
    tx.set_header_field(Field::UserVersion, version)?;
    let committed = tx.commit().await;
    if committed.is_err() {
        tx.rollback();
    }
    tx.end_read();
    committed
}

#[test]
fn every_mode_commits_what_stock_reads() {
    for page_size in [512, 4096, 65536] {
        let dir = Dir::new();
        let path = dir.file("modes.db");
        make(&path, page_size);
        let io = IoHandle::for_thread();
        let store = Store::open(&io, &path, Geometry::default());
        io.block_on(async {
            let mut tx = store.tx();
            let mut version = 1;
            for mode in MODES {
                for synchronous in [
                    Synchronous::Off,
                    Synchronous::Normal,
                    Synchronous::Full,
                    Synchronous::Extra,
                ] {
                    version += 1;
                    tx.set_synchronous(synchronous);
                    assert_eq!(tx.set_journal_mode(mode).await, Ok(mode));
                    set_version(&mut tx, version).await.expect("commits");
                    let left = std::fs::metadata(journal(&path)).map(|m| m.len()).ok();
                    match mode {
                        JournalMode::Truncate => assert_eq!(left, Some(0)),
                        JournalMode::Persist => assert!(left > Some(512)),
                        _ => assert_eq!(left, None, "{mode:?}"),
                    }
                    // A shell of its own: our locks are not touched by its closing.
                    let out = std::process::Command::new("sqlite3")
                        .arg(&path)
                        .arg("PRAGMA user_version; PRAGMA integrity_check; PRAGMA user_version=77")
                        .output();
                    if let Ok(out) = out {
                        let text = String::from_utf8_lossy(&out.stdout).into_owned();
                        assert_eq!(text, format!("{version}\nok\n"), "{mode:?}");
                        tx.begin_read().await.expect("reads");
                        assert_eq!(tx.header_field(Field::UserVersion), 77, "{mode:?}");
                        tx.end_read();
                    }
                }
            }
        });
    }
}

#[test]
fn a_new_file_is_made_with_a_journal() {
    let io = IoHandle::in_memory();
    let options = DbOptions {
        journal_mode: JournalMode::Delete,
        ..DbOptions::default()
    };
    let pool = ringwood_pager::Pool::with_frames(64, 4096);
    io.clone().block_on(async {
        let path = Path::new("/db");
        let db = ringwood_wal::Database::open(&io, &pool, path, options)
            .await
            .expect("opens");
        let mut tx = Tx::new(db.clone(), io.clone());
        tx.set_cache_size(10);
        tx.begin_write().await.expect("writes");
        for page in allocate(&mut tx, 100).await {
            fill(&mut tx, page, page.get() as u8).await;
        }
        assert_eq!(io.size_of(path), Some(0), "what does not fit is elsewhere");
        tx.commit().await.expect("commits");
        tx.end_read();
        assert_eq!(io.size_of(path), Some(101 * 4096));
        assert!(!io.exists("/db-journal") && !io.exists("/db-wal"));
        tx.begin_write().await.expect("writes");
        fill(&mut tx, no(50), 7).await;
        tx.rollback();
        for page in [2, 50, 101] {
            assert_eq!(byte(&tx, page).await, page as u8);
        }
        assert_eq!(tx.journal_mode(), JournalMode::Delete);
        assert_eq!(tx.page(no(1)).await.expect("there")[18..20], [1, 1]);
    });
}

#[test]
fn readers_and_writers_exclude_each_other_as_in_sqlite() {
    let dir = Dir::new();
    let path = dir.file("locks.db");
    make(&path, 4096);
    let io = IoHandle::for_thread();
    let stock = Connection::open(&path).expect("opens");
    stock.busy_timeout(Duration::ZERO).expect("sets");
    let (one, two) = (
        Store::open(&io, &path, Geometry::default()),
        Store::open(&io, &path, Geometry::default()),
    );
    io.block_on(async {
        let (mut a, mut b, mut c) = (one.tx(), one.tx(), two.tx());
        for other in [&mut b, &mut c] {
            // A reader of this handle, or of another one, keeps the commit waiting.
            other.begin_read().await.expect("reads");
            a.begin_write().await.expect("writes");
            assert_eq!(a.header_field(Field::UserVersion), 0);
            a.set_header_field(Field::UserVersion, 5).expect("writes");
            assert_eq!(a.commit().await, Err(Error::Busy));
            assert_eq!(a.state(), TxState::Write, "it can be tried again");
            assert_eq!(other.header_field(Field::UserVersion), 0);
            other.end_read();
            a.commit().await.expect("nobody reads");
            a.end_read();
            assert_eq!(ask::<u32>(&stock, "PRAGMA user_version"), 5);
            stock.execute_batch("PRAGMA user_version=0").expect("runs");
        }
        a.begin_write().await.expect("writes");
        assert_eq!(b.begin_write().await, Err(Error::Busy));
        assert_eq!(c.begin_write().await, Err(Error::Busy));
        assert!(stock.execute_batch("PRAGMA user_version=9").is_err());
        assert_eq!(ask::<u32>(&stock, "PRAGMA user_version"), 0);
        a.rollback();
        a.end_read();
        stock.execute_batch("BEGIN; SELECT * FROM t").ok();
        let _: u32 = ask(&stock, "SELECT count(*) FROM t");
        assert_eq!(set_version(&mut a, 3).await, Err(Error::Busy));
        stock.execute_batch("COMMIT").expect("ends");
        set_version(&mut a, 3).await.expect("commits");
    });
}

/// A database, its journal, and what else lies there, as a crash would leave them.
fn snapshot(from: &Path, to: &Path) {
    for suffix in ["", "-journal", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        if Path::new(&name(from)).exists() {
            std::fs::copy(name(from), name(to)).expect("copies");
        } else {
            let _ = std::fs::remove_file(name(to));
        }
    }
}

#[test]
fn stocks_hot_journal_is_rolled_back() {
    for sql in [
        "PRAGMA cache_size=2; BEGIN; UPDATE t SET b = hex(randomblob(100))",
        "PRAGMA cache_size=2; BEGIN; INSERT INTO t SELECT a+1000, b||b FROM t",
        "PRAGMA cache_size=2; BEGIN; DELETE FROM t WHERE a % 2; UPDATE t SET b = b || 'x'",
    ] {
        let dir = Dir::new();
        let (path, crashed) = (dir.file("hot.db"), dir.file("crashed.db"));
        make(&path, 512);
        let stock = Connection::open(&path).expect("opens");
        stock.execute_batch(sql).expect("runs");
        snapshot(&path, &crashed);
        let io = IoHandle::for_thread();
        let store = Store::open(&io, &crashed, Geometry::default());
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_read().await.expect("rolls back");
            assert!(!journal(&crashed).exists());
            tx.end_read();
            store
                .db
                .close(&io, Synchronous::Full)
                .await
                .expect("closes");
        });
        drop(store);
        let theirs = Connection::open(&crashed).expect("opens");
        assert_eq!(ask::<String>(&theirs, "PRAGMA integrity_check"), "ok");
        assert_eq!(
            ask::<u32>(
                &theirs,
                "SELECT count(*) FROM t WHERE b = hex(zeroblob(100))"
            ),
            300
        );
    }
}

/// Every state that a crash in the middle of our commit can leave is one commit or the other, for stock and for us.
#[test]
fn our_commit_cut_at_every_write_is_whole() {
    let io = IoHandle::in_memory();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let path = Path::new("/db");
    let options = DbOptions {
        geometry,
        journal_mode: JournalMode::Delete,
        ..DbOptions::default()
    };
    let pool = ringwood_pager::Pool::with_frames(64, 512);
    let read = |name: &str| {
        let file = io.open(name, &OpenOptions::new()).ok()?;
        let mut bytes = vec![0; file.len().ok()? as usize];
        io.read_exact_now(&file, 0, &mut bytes).ok()?;
        Some(bytes)
    };
    let (old, new, journal) = io.clone().block_on(async {
        let db = ringwood_wal::Database::open(&io, &pool, path, options.clone())
            .await
            .expect("opens");
        let mut tx = Tx::new(db, io.clone());
        tx.set_journal_mode(JournalMode::Persist)
            .await
            .expect("sets");
        tx.begin_write().await.expect("writes");
        for page in allocate(&mut tx, 5).await {
            fill(&mut tx, page, 1).await;
        }
        tx.commit().await.expect("commits");
        let old = read("/db").expect("there");
        tx.begin_write().await.expect("writes");
        for page in [2, 4, 6] {
            fill(&mut tx, no(page), 2).await;
        }
        fill(&mut tx, no(3), 2).await;
        let more = allocate(&mut tx, 1).await[0];
        fill(&mut tx, more, 2).await;
        tx.commit().await.expect("commits");
        let mut journal = read("/db-journal").expect("kept");
        // Its header was zeroed at the commit: as it was before.
        journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
        journal[8..12].copy_from_slice(&5u32.to_be_bytes());
        for (at, value) in [(16, 6u32), (20, 512), (24, 512)] {
            journal[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        (old, read("/db").expect("there"), journal)
    });
    // The nonce went with the header; any one is right that fits the first record.
    let page = &journal[512 + 4..512 + 4 + 512];
    let sum = u32::from_be_bytes(journal[512 + 516..512 + 520].try_into().expect("4 bytes"));
    let nonce = sum
        .wrapping_sub(u32::from(page[312]))
        .wrapping_sub(u32::from(page[112]));
    let mut journal = journal;
    journal[12..16].copy_from_slice(&nonce.to_be_bytes());
    for cut in 0..=new.len() / 512 {
        for keep in [journal.len(), 0] {
            let mut torn = old.clone();
            torn.resize(old.len().max(cut * 512), 0);
            torn[..cut * 512].copy_from_slice(&new[..cut * 512]);
            let machine = IoHandle::in_memory();
            for (name, bytes) in [("/db", &torn[..]), ("/db-journal", &journal[..keep])] {
                let file = machine.open(name, &OpenOptions::create()).expect("opens");
                machine.write_now(&file, 0, bytes).expect("writes");
            }
            if keep == 0 && cut != 0 && cut < new.len() / 512 {
                continue;
            }
            let store = Store::open(&machine, path, geometry);
            machine.block_on(async {
                let mut tx = store.tx();
                tx.begin_read().await.expect("rolls back");
                let expected = if keep == 0 && cut != 0 { 2 } else { 1 };
                let found = byte(&tx, 2).await;
                assert_eq!(found, expected, "cut at {cut}");
                assert_eq!(byte(&tx, 6).await, expected);
                assert_eq!(tx.page_count(), if expected == 1 { 6 } else { 7 });
                let file = machine.open("/db", &OpenOptions::new()).expect("there");
                let length = file.len().expect("a size");
                assert_eq!(length, u64::from(tx.page_count()) * 512);
            });
        }
    }
}

#[test]
fn several_files_commit_together() {
    let io = IoHandle::in_memory();
    let geometry = Geometry::default();
    let pool = ringwood_pager::Pool::with_frames(64, 4096);
    let open = |name: &'static str| {
        let options = DbOptions {
            journal_mode: JournalMode::Delete,
            geometry,
            ..DbOptions::default()
        };
        let db = io
            .block_on(ringwood_wal::Database::open(
                &io,
                &pool,
                Path::new(name),
                options,
            ))
            .expect("opens");
        Tx::new(db, io.clone())
    };
    let (mut a, mut b) = (open("/a"), open("/b"));
    io.block_on(async {
        for round in 1..5u8 {
            for tx in [&mut a, &mut b] {
                tx.begin_write().await.expect("writes");
                if round == 1 {
                    allocate(tx, 2).await;
                }
                fill(tx, no(2), round).await;
            }
            commit_many(&mut [&mut a, &mut b]).await.expect("commits");
            assert_eq!((byte(&a, 2).await, byte(&b, 2).await), (round, round));
            a.end_read();
            b.end_read();
            assert!(!io.exists("/a-journal") && !io.exists("/b-journal"));
        }
        // A reader of one keeps both.
        let mut reader = Tx::new(b.database().clone(), io.clone());
        reader.begin_read().await.expect("reads");
        for tx in [&mut a, &mut b] {
            tx.begin_write().await.expect("writes");
            fill(tx, no(2), 99).await;
        }
        assert_eq!(commit_many(&mut [&mut a, &mut b]).await, Err(Error::Busy));
        a.rollback();
        b.rollback();
        assert_eq!((byte(&a, 2).await, byte(&b, 2).await), (4, 4));
        a.end_read();
        b.end_read();
        reader.end_read();
        a.begin_read().await.expect("reads");
        assert_eq!(byte(&a, 2).await, 4);
    });
}

#[test]
fn files_that_commit_together_do_so_or_not_also_when_it_is_given_up() {
    let mut outcomes = [0, 0];
    for polls in 0.. {
        let disk = SimDisk::new(u64::from(polls));
        let io = IoHandle::builder()
            .driver(DriverChoice::Simulated(disk.process()))
            .build();
        let pool = ringwood_pager::Pool::with_frames(64, 4096);
        let given_up = io.block_on(async {
            let mut txs = Vec::new();
            for (name, mode) in [
                ("/a", JournalMode::Delete),
                ("/b", JournalMode::Persist),
                ("/log", JournalMode::Wal),
            ] {
                let options = DbOptions {
                    journal_mode: mode,
                    ..DbOptions::default()
                };
                let db = Database::open(&io, &pool, Path::new(name), options).await;
                let mut tx = Tx::new(db.expect("opens"), io.clone());
                tx.begin_write().await.expect("writes");
                allocate(&mut tx, 2).await;
                fill(&mut tx, no(2), 1).await;
                tx.commit().await.expect("commits");
                tx.end_read();
                tx.begin_write().await.expect("writes");
                fill(&mut tx, no(2), 2).await;
                txs.push(tx);
            }
            let done = {
                let mut all: Vec<&mut Tx> = txs.iter_mut().collect();
                within(polls, commit_many(&mut all)).await
            };
            assert_eq!(io.in_flight(), 0, "nothing lands later");
            let given_up = done.is_none();
            if let Some(result) = done {
                result.expect("commits");
            }
            let mut seen = Vec::new();
            for tx in &mut txs {
                // Whoever reads in the same connection goes on.
                let before = byte(tx, 2).await;
                assert!((1..=2).contains(&before));
                tx.rollback();
                seen.push(byte(tx, 2).await);
                tx.end_read();
            }
            assert!(
                seen == [1, 1, 1] || seen == [2, 2, 2],
                "after {polls} polls: {seen:?}"
            );
            outcomes[usize::from(seen[0]) - 1] += 1;
            for path in ["/a-journal", "/b-journal"] {
                let journal = io.open(path, &OpenOptions::read_only());
                let mut first = [0];
                let cold = journal.map_or(true, |file| {
                    matches!(io.read_now(&file, 0, &mut first), Ok(read) if read == 0 || first[0] == 0)
                });
                assert!(cold, "{path} is hot after {polls} polls");
            }
            for tx in &mut txs {
                tx.begin_write().await.expect("writes on");
                fill(tx, no(2), 3).await;
                tx.commit().await.expect("commits");
                tx.end_read();
            }
            given_up
        });
        if !given_up {
            break;
        }
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 1, "{outcomes:?}");
}

/// Drives a future until it has waited so often.
async fn within<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_super_journal_decides() {
    let dir = Dir::new();
    let (path, other) = (dir.file("one.db"), dir.file("two.db"));
    let super_journal = dir.file("one.db-mj0001");
    for is_there in [true, false] {
        make(&path, 512);
        let stock = Connection::open(&path).expect("opens");
        stock
            .execute_batch("PRAGMA cache_size=2; BEGIN; UPDATE t SET b = 'gone'")
            .expect("runs");
        snapshot(&path, &other);
        drop(stock);
        let name = super_journal.to_str().expect("text").as_bytes();
        let mut bytes = std::fs::read(journal(&other)).expect("reads");
        bytes.extend_from_slice(&((0x4000_0000u32 / 512) + 1).to_be_bytes());
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&(name.len() as u32).to_be_bytes());
        let sum: u32 = name.iter().map(|&b| u32::from(b)).sum();
        bytes.extend_from_slice(&sum.to_be_bytes());
        bytes.extend_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
        std::fs::write(journal(&other), bytes).expect("writes");
        if is_there {
            let mut names = journal(&other).to_str().expect("text").as_bytes().to_vec();
            names.push(0);
            std::fs::write(&super_journal, names).expect("writes");
        }
        let before = std::fs::read(&other).expect("reads");
        let io = IoHandle::for_thread();
        let store = Store::open(&io, &other, Geometry::default());
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_read().await.expect("settles");
        });
        drop(store);
        assert!(!journal(&other).exists());
        assert!(!super_journal.exists(), "nobody names it any more");
        let after = std::fs::read(&other).expect("reads");
        assert_eq!(before == after, !is_there, "rolled back while it is there");
        let _ = std::fs::remove_file(&path);
    }
}
