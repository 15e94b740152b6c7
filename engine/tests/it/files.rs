//! Files: what we write stock reads, who holds a file, what a file that is none is called.

use std::process::Command;

use ringwood::local::{JournalMode, OpenOptions};
use ringwood::{LocalConnection, ResultCode};
use ringwood_pager::{Pool, PoolOptions};

use crate::folder::Folder;

/// What stock sqlite3 prints, or its error; `None` (with a word) where it is not installed.
pub(crate) fn stock(db: &std::path::Path, sql: &str) -> Option<String> {
    let Ok(output) = Command::new("sqlite3").arg(db).arg(sql).output() else {
        eprintln!("skipped: stock sqlite3 is not installed");
        return None;
    };
    Some(
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
            .trim()
            .to_owned(),
    )
}

#[test]
fn an_open_file_is_shared_and_a_closed_one_is_whole() {
    let folder = Folder::new("busy");
    let db = folder.0.join("a.db");
    let conn = LocalConnection::open(&db).unwrap();
    conn.execute_batch(
        "CREATE TABLE t(a, b); CREATE INDEX i ON t(b); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
    )
    .unwrap();
    if let Some(answer) = stock(&db, "SELECT count(*) FROM t") {
        assert_eq!(answer, "2", "the log is shared");
    }
    conn.close().unwrap();
    assert!(
        !db.with_extension("db-wal").exists(),
        "the last connection deletes the log"
    );
    if let Some(answer) = stock(
        &db,
        "PRAGMA integrity_check; SELECT count(*) FROM t WHERE b='y'; PRAGMA journal_mode",
    ) {
        assert_eq!(answer, "ok\n1\nwal");
    }
}

#[test]
fn what_is_read_only_or_no_database_says_so() {
    let folder = Folder::new("readonly");
    let db = folder.0.join("a.db");
    LocalConnection::open(&db)
        .unwrap()
        .execute_batch("CREATE TABLE t(a)")
        .unwrap();
    let options = OpenOptions {
        read_only: true,
        create: false,
        ..OpenOptions::default()
    };
    let conn = LocalConnection::open_with(&db, &options).unwrap();
    assert_eq!(
        conn.query_row("SELECT count(*) FROM t", ())
            .unwrap()
            .get::<i64>(0)
            .unwrap(),
        0
    );
    let error = conn.execute("INSERT INTO t VALUES (1)", ()).unwrap_err();
    assert_eq!(error.primary_code(), ResultCode::READONLY.get(), "{error}");
    drop(conn);

    let junk = folder.0.join("junk.db");
    std::fs::write(&junk, vec![b'x'; 4096]).unwrap();
    let outcome = LocalConnection::open(&junk)
        .and_then(|conn| conn.execute("SELECT * FROM sqlite_schema", ()));
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.primary_code(), error.message().as_str()),
        (26, "file is not a database")
    );

    let absent = OpenOptions {
        read_only: false,
        create: false,
        ..OpenOptions::default()
    };
    let outcome = LocalConnection::open_with(folder.0.join("absent.db"), &absent)
        .and_then(|conn| conn.execute("SELECT * FROM sqlite_schema", ()));
    assert_eq!(
        outcome.unwrap_err().primary_code(),
        ResultCode::CANTOPEN.get()
    );
    let outcome = LocalConnection::open(folder.0.join("no/such/folder.db"))
        .and_then(|c| c.execute("CREATE TABLE t(a)", ()));
    assert_eq!(
        outcome.unwrap_err().primary_code(),
        ResultCode::CANTOPEN.get()
    );
}

#[test]
fn connections_of_one_database_share_it() {
    let folder = Folder::new("shared");
    let db = folder.0.join("a.db");
    futures_executor::block_on(async {
        let database = ringwood::Builder::new_local(&db).build().await.unwrap();
        let (a, b) = (database.connect().unwrap(), database.connect().unwrap());
        a.execute("CREATE TABLE t(x)", ()).await.unwrap();
        b.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
        let mut rows = a.query("SELECT x FROM t", ()).await.unwrap();
        assert_eq!(
            rows.next().await.unwrap().unwrap().get::<i64>(0).unwrap(),
            1
        );
    });
}

#[test]
fn a_locked_file_can_be_opened_and_told_how_long_to_wait() {
    let folder = Folder::new("locked");
    let db = folder.0.join("a.db");
    let options = |pool| OpenOptions {
        journal_mode: JournalMode::Delete,
        pool,
        ..OpenOptions::default()
    };
    // With a cache of its own it shares no locks with the other, as if it were another process.
    let own = Pool::new(PoolOptions::default());
    let holder = LocalConnection::open_with(&db, &options(Some(own))).expect("opens");
    holder
        .execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE t(a); INSERT INTO t VALUES (1)",
        )
        .expect("holds it");
    let conn = LocalConnection::open_with(&db, &options(None)).expect("opens");
    let told = conn
        .query_row("PRAGMA busy_timeout = 20", ())
        .expect("is set");
    assert_eq!(told.get::<i64>(0).expect("a number"), 20);
    conn.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON")
        .expect("are set");
    let refused = conn.query_row("SELECT a FROM t", ()).expect_err("is held");
    assert_eq!(refused.primary_code(), ResultCode::BUSY.get(), "{refused}");
    holder.close().expect("gives it up");
    let row = conn.query_row("SELECT a FROM t", ()).expect("is free");
    assert_eq!(row.get::<i64>(0).expect("a number"), 1);
    let row = conn.query_row("PRAGMA foreign_keys", ()).expect("asks");
    assert_eq!(row.get::<i64>(0).expect("a number"), 1);
}
