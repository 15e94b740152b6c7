//! The threads of connections: where they run, how they end.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use ringwood::{Builder, Connection, Database, Error, Runtime};

use crate::folder::Folder;

async fn open(path: &Path, runtime: &Runtime) -> Database {
    Builder::new_local(path)
        .runtime(runtime)
        .build()
        .await
        .expect("opens")
}

async fn counted(conn: &Connection) -> i64 {
    let mut rows = conn
        .query("SELECT count(*) FROM t", ())
        .await
        .expect("asks");
    let row = rows.next().await.expect("answers").expect("a row");
    row.get(0).expect("a number")
}

/// The threads of this process that have such a name.
fn threads() -> usize {
    let all = std::fs::read_dir("/proc/self/task").expect("Linux");
    let names = all.flatten().map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm"));
        name.unwrap_or_default()
    });
    names.filter(|name| name.starts_with("ringwood-")).count()
}

fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "never {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_shutdown_answers_what_was_asked_before_and_refuses_the_rest() {
    let _turn = crate::alone();
    let dir = Folder::new("runtime");
    let path = dir.0.join("a.db");
    let runtime = Runtime::builder().threads(2).build();
    block_on(async {
        let db = open(&path, &runtime).await;
        let (conn, other) = (db.connect().expect("room"), db.connect().expect("room"));
        conn.execute("CREATE TABLE t(a)", ()).await.expect("makes");
        other.execute("BEGIN", ()).await.expect("begins");
        assert_eq!(counted(&other).await, 0);
        let mut calls: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
        for n in 0..40 {
            let mut call: Pin<Box<dyn Future<Output = _>>> =
                Box::pin(conn.execute("INSERT INTO t VALUES (?1)", [n]));
            // Asked, and not awaited.
            let mut nobody = Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(&mut nobody).is_pending());
            calls.push(call);
        }
        runtime.shutdown().await;
        for call in calls {
            assert_eq!(call.await.expect("was asked before"), 1);
        }
        for refused in [&conn, &other] {
            assert!(refused.is_closed());
            let told = refused.execute("SELECT 1", ()).await;
            assert!(matches!(told, Err(Error::ConnectionClosed)), "{told:?}");
        }
        assert!(matches!(db.connect(), Err(Error::ConnectionClosed)));
        let again = Builder::new_local(&path).runtime(&runtime).build().await;
        assert!(matches!(again, Err(Error::ConnectionClosed)));
        runtime.shutdown().await;
    });
    soon("ends", || threads() == 0);
    let log = format!("{}-wal", path.display());
    assert!(
        !Path::new(&log).exists(),
        "the last one has made a checkpoint"
    );
    let local = ringwood::LocalConnection::open(&path).expect("opens");
    let row = local.query_row("SELECT count(*) FROM t", ()).expect("asks");
    assert_eq!(row.get::<i64>(0).expect("a number"), 40);
}

#[test]
fn a_shutdown_rolls_back_what_is_open_and_interrupts_what_takes_too_long() {
    let _turn = crate::alone();
    let dir = Folder::new("runtime");
    let path = dir.0.join("a.db");
    let runtime = Runtime::builder().threads(1).pin(false).build();
    block_on(async {
        let db = open(&path, &runtime).await;
        let (conn, endless) = (db.connect().expect("room"), db.connect().expect("room"));
        conn.execute_batch("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)")
            .await
            .expect("begins");
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) \
                   SELECT count(*) FROM n";
        let mut call = Box::pin(endless.query(sql, ()));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut nobody).is_pending());
        runtime.shutdown_within(Duration::from_millis(50)).await;
        let told = call.await.map(drop).expect_err("it has no end");
        assert_eq!(told.extended_code(), 9, "{told:?}");
    });
    let local = ringwood::LocalConnection::open(&path).expect("opens");
    let row = local.query_row("SELECT count(*) FROM t", ()).expect("asks");
    assert_eq!(row.get::<i64>(0).expect("a number"), 0);
}

#[test]
fn threads_end_with_the_last_connection_of_a_runtime_that_nobody_has() {
    let _turn = crate::alone();
    soon("those of other tests end", || threads() == 0);
    let runtime = Runtime::builder().threads(3).build();
    assert_eq!(
        (runtime.threads(), threads()),
        (3, 0),
        "none before they are needed"
    );
    let conn = block_on(async {
        let db = open(Path::new(":memory:"), &runtime).await;
        let _second = db.connect().expect("room");
        db.connect().expect("room")
    });
    drop(runtime);
    block_on(async {
        let told = conn.execute("CREATE TABLE t(a)", ()).await;
        told.expect("goes on without its runtime");
    });
    soon("down to one", || threads() == 1);
    drop(conn);
    soon("ends", || threads() == 0);
}

#[test]
fn cores_keep_to_their_processors_unless_they_are_told_otherwise() {
    let _turn = crate::alone();
    let allowed = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("Linux");
        let line = status.lines().find(|l| l.starts_with("Cpus_allowed_list"));
        line.unwrap_or_default().to_owned()
    };
    let all = allowed();
    for pinned in [true, false] {
        let runtime = Runtime::builder().threads(2).pin(pinned).build();
        let there = block_on(async {
            let db = open(Path::new(":memory:"), &runtime).await;
            let mut there = Vec::new();
            for _ in 0..2 {
                let conn = db.connect().expect("room");
                there.push(conn.with_local(move |_| Ok(allowed())).await.expect("runs"));
            }
            there
        });
        if pinned {
            let one = |list: &String| !list.contains(['-', ',']);
            assert!(there.iter().all(one), "{there:?}");
        } else {
            assert!(there.iter().all(|list| *list == all), "{there:?}");
        }
    }
}
