//! Connections of one process on one file: opened by path, on threads of their own, and over all cores.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use ringwood::{Builder, LocalConnection};

use crate::files::stock;
use crate::folder::Folder;

const THREADS: i64 = 6;
const ROWS: i64 = 40;

fn number(conn: &LocalConnection, sql: &str) -> i64 {
    conn.query_row(sql, ())
        .expect("a row")
        .get(0)
        .expect("a number")
}

#[test]
fn threads_that_open_a_file_by_its_path_write_in_one_line() {
    let dir = Folder::new("threads");
    let path = dir.0.join("shared.db");
    let first = LocalConnection::open(&path).expect("opens");
    first
        .execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        .expect("a table");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let path = &path;
            scope.spawn(move || {
                let conn = LocalConnection::open(path).expect("opens");
                conn.busy_timeout(Duration::from_mins(1));
                conn.execute_batch("PRAGMA synchronous = OFF").expect("set");
                for row in 0..ROWS {
                    let before = number(&conn, "SELECT count(*) FROM t WHERE b = 1");
                    assert!(before >= 0, "a count");
                    conn.execute("INSERT INTO t(b) VALUES (?1)", [thread])
                        .expect("the line moves on");
                    let own = "SELECT count(*) FROM t WHERE b = ";
                    assert_eq!(number(&conn, &format!("{own}{thread}")), row + 1);
                }
                conn.close().expect("closes");
            });
        }
    });
    assert_eq!(
        number(&first, "SELECT count(*) FROM t"),
        THREADS * ROWS,
        "nothing is lost"
    );
    first.close().expect("closes");
    assert!(
        !dir.0.join("shared.db-wal").exists(),
        "the last one out deletes the log"
    );
}

#[test]
fn opening_while_the_last_connection_closes_succeeds() {
    let dir = Folder::new("revolving");
    let path = dir.0.join("revolving.db");
    LocalConnection::open(&path)
        .and_then(|conn| conn.execute_batch("CREATE TABLE t(a)"))
        .expect("a table");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..60 {
                    let conn = LocalConnection::open(path).expect("opens");
                    conn.busy_timeout(Duration::from_mins(1));
                    conn.execute_batch("PRAGMA synchronous = OFF; INSERT INTO t VALUES (1)")
                        .expect("nobody is in the way");
                    conn.close().expect("closes");
                }
            });
        }
    });
    let conn = LocalConnection::open(&path).expect("opens");
    assert_eq!(number(&conn, "SELECT count(*) FROM t"), 240);
}

#[test]
fn connections_of_a_database_live_on_all_cores() {
    let dir = Folder::new("cores");
    let path = dir.0.join("cores.db");
    block_on(async {
        let db = Builder::new_local(&path).build().await.expect("opens");
        let first = db.connect().expect("connects");
        first
            .execute_batch("CREATE TABLE t(a)")
            .await
            .expect("a table");
        let mut connections = Vec::new();
        let mut threads = std::collections::HashSet::new();
        for _ in 0..8 {
            let conn = db.connect().expect("connects");
            let thread = conn.with_local(|_| Ok(std::thread::current().id()));
            threads.insert(thread.await.expect("runs"));
            connections.push(conn);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(threads.len(), cores.min(8));
        std::thread::scope(|scope| {
            for conn in &connections {
                scope.spawn(move || {
                    conn.busy_timeout(Duration::from_mins(1)).expect("set");
                    for n in 0..20 {
                        block_on(conn.execute("INSERT INTO t VALUES (?1)", [n]))
                            .expect("the line moves on");
                    }
                });
            }
        });
        let mut rows = first
            .query("SELECT count(*) FROM t", ())
            .await
            .expect("a query");
        let row = rows.next().await.expect("a step").expect("a row");
        assert_eq!(row.get::<i64>(0).expect("a number"), 160);
    });
}

#[test]
fn another_process_gets_in_between_many_who_never_stop_writing() {
    let dir = Folder::new("foreign");
    let path = dir.0.join("foreign.db");
    let first = LocalConnection::open(&path).expect("opens");
    first
        .execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        .expect("a table");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (path, over) = (&path, &over);
            scope.spawn(move || {
                let conn = LocalConnection::open(path).expect("opens");
                conn.busy_timeout(Duration::from_mins(1));
                conn.execute_batch("PRAGMA synchronous = NORMAL")
                    .expect("set");
                while !over.load(Ordering::Relaxed) {
                    conn.execute("INSERT INTO t(b) VALUES (1)", ())
                        .expect("the line moves on");
                }
            });
        }
        // The pragma answers with what was set.
        let insert = "PRAGMA busy_timeout = 20000; INSERT INTO t(b) VALUES (7);\
                      SELECT count(*) FROM t WHERE b = 7";
        let told: Vec<Option<String>> = (0..5).map(|_| stock(&path, insert)).collect();
        over.store(true, Ordering::Relaxed);
        for (n, said) in told.into_iter().enumerate() {
            if let Some(said) = said {
                assert_eq!(said, format!("20000\n{}", n + 1));
            }
        }
    });
    let check = first
        .query_row("PRAGMA integrity_check", ())
        .expect("a row");
    assert_eq!(check.get::<String>(0).expect("text"), "ok");
}
