//! `Connection`: `Send`, from a foreign executor, with libsql's names.

use std::future::Future;

use futures_executor::block_on;
use ringwood::{Builder, Connection, Error, TransactionBehavior, params};

fn assert_send<T: Send>(value: T) -> T {
    value
}

async fn memory() -> Connection {
    let db = Builder::new_local(":memory:").build().await.unwrap();
    let conn = db.connect().unwrap();
    conn.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)", ())
        .await
        .unwrap();
    conn
}

#[test]
fn futures_are_send_and_the_calls_are_libsqls() {
    block_on(assert_send(async {
        let conn = memory().await;
        assert_eq!(
            conn.execute("INSERT INTO t(s) VALUES (?1), (?2)", params!["a", "b"])
                .await
                .unwrap(),
            2
        );
        assert_eq!(
            (
                conn.last_insert_rowid(),
                conn.changes(),
                conn.total_changes()
            ),
            (2, 2, 2)
        );
        let mut statement = conn
            .prepare("SELECT id, s FROM t WHERE id >= ?1")
            .await
            .unwrap();
        assert_eq!(
            (statement.parameter_count(), statement.columns().len()),
            (1, 2)
        );
        let mut rows = statement.query([1]).await.unwrap();
        assert_eq!((rows.column_count(), rows.column_name(1)), (2, Some("s")));
        let mut got = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            got.push((row.get::<i64>(0).unwrap(), row.get::<String>(1).unwrap()));
        }
        assert_eq!(got, [(1, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(
            statement.query_row([2]).await.unwrap().get_str(1).unwrap(),
            "b"
        );
    }));
}

#[test]
fn a_large_result_comes_in_batches_and_may_be_left() {
    block_on(async {
        let conn = memory().await;
        let tx = conn.transaction().await.unwrap();
        for i in 0..1000 {
            tx.execute("INSERT INTO t(s) VALUES (?1)", [format!("row {i}")])
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let mut rows = conn
            .query("SELECT id FROM t ORDER BY id", ())
            .await
            .unwrap();
        let mut sum = 0;
        while let Some(row) = rows.next().await.unwrap() {
            sum += row.get::<i64>(0).unwrap();
        }
        assert_eq!(sum, 500_500);
        let mut rows = conn.query("SELECT id FROM t", ()).await.unwrap();
        rows.next().await.unwrap().unwrap();
        drop(rows);
        conn.execute("DROP TABLE t", ()).await.unwrap();
    });
}

#[test]
fn a_dropped_transaction_rolls_back() {
    block_on(async {
        let conn = memory().await;
        {
            let tx = conn
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .await
                .unwrap();
            tx.execute("INSERT INTO t(s) VALUES ('gone')", ())
                .await
                .unwrap();
        }
        let mut rows = conn.query("SELECT count(*) FROM t", ()).await.unwrap();
        assert_eq!(
            rows.next().await.unwrap().unwrap().get::<i64>(0).unwrap(),
            0
        );
        assert!(conn.is_autocommit());
        let tx = conn.transaction().await.unwrap();
        tx.execute("INSERT INTO t(s) VALUES ('kept')", ())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut rows = conn.query("SELECT s FROM t", ()).await.unwrap();
        assert_eq!(
            rows.next().await.unwrap().unwrap().get_str(0).unwrap(),
            "kept"
        );
    });
}

#[test]
fn scripts_give_the_rows_of_each_statement() {
    block_on(async {
        let conn = memory().await;
        let mut batch = conn
            .execute_batch("INSERT INTO t(s) VALUES ('x'); SELECT s FROM t; SELECT 1, 2;")
            .await
            .unwrap();
        assert!(batch.next_stmt_row().unwrap().is_none());
        let rows = batch.next_stmt_row().unwrap().unwrap();
        assert_eq!(rows[0].get_str(0).unwrap(), "x");
        assert_eq!(
            batch.next_stmt_row().unwrap().unwrap()[0]
                .get::<i32>(1)
                .unwrap(),
            2
        );
        assert!(batch.next_stmt_row().is_none());
    });
}

#[test]
fn errors_cross_the_threads_whole() {
    block_on(async {
        let conn = memory().await;
        let error = conn.query("SELECT nosuch FROM t", ()).await.unwrap_err();
        assert_eq!(
            (error.message().as_str(), error.offset()),
            ("no such column: nosuch", Some(7))
        );
        let mut statement = conn.prepare("SELECT 1").await.unwrap();
        statement.finalize();
        assert!(matches!(statement.query(()).await, Err(Error::Misuse(_))));
    });
}

#[test]
fn connections_work_from_many_threads() {
    let conn = block_on(memory());
    let threads: Vec<_> = (0..8)
        .map(|t| {
            let conn = conn.clone();
            std::thread::spawn(move || {
                block_on(async {
                    for i in 0..50 {
                        conn.execute("INSERT INTO t(s) VALUES (?1)", [format!("{t}-{i}")])
                            .await
                            .unwrap();
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let count = block_on(async {
        let mut rows = conn
            .query("SELECT count(*), count(DISTINCT s) FROM t", ())
            .await
            .unwrap();
        let row = rows.next().await.unwrap().unwrap();
        (row.get::<i64>(0).unwrap(), row.get::<i64>(1).unwrap())
    });
    assert_eq!(count, (400, 400));
}

/// Polls a future a few times, then gives it up.
fn give_up_after(polls: u32, future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..polls {
        if future.as_mut().poll(&mut context).is_ready() {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    true
}

#[test]
fn a_call_that_is_given_up_is_interrupted_and_the_next_one_is_not() {
    block_on(async {
        let db = Builder::new_local(":memory:").build().await.unwrap();
        let conn = db.connect().unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT count(*) FROM n";
        let began = std::time::Instant::now();
        for _ in 0..3 {
            assert!(give_up_after(3, conn.query(endless, ())));
            let mut rows = conn.query("SELECT 41 + 1", ()).await.unwrap();
            let row = rows.next().await.unwrap().unwrap();
            assert_eq!(row.get::<i64>(0).unwrap(), 42);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20));

        // What waits behind it and is given up does not happen at all.
        conn.execute("CREATE TABLE t(a)", ()).await.unwrap();
        {
            let mut first = std::pin::pin!(conn.query(endless, ()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(give_up_after(
                1,
                conn.execute("INSERT INTO t VALUES (1)", ())
            ));
        }
        let mut rows = conn.query("SELECT count(*) FROM t", ()).await.unwrap();
        let row = rows.next().await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 0);
    });
}

#[test]
fn a_panic_ends_its_connection_and_nothing_else() {
    let folder = crate::folder::Folder::new("panic");
    let path = folder.0.join("panic.db");
    block_on(async {
        let db = Builder::new_local(&path).build().await.unwrap();
        let first = db.connect().unwrap();
        first.execute("CREATE TABLE t(a)", ()).await.unwrap();
        // The rollback follows the news.
        first
            .busy_timeout(std::time::Duration::from_secs(30))
            .unwrap();
        // One for each core, and more.
        for _ in 0..6 {
            let doomed = db.connect().unwrap();
            doomed
                .execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
                .await
                .unwrap();
            let ended = doomed
                .with_local(|_| -> ringwood::Result<()> { panic!("on purpose") })
                .await;
            assert!(matches!(ended, Err(ringwood::Error::ConnectionClosed)));
            let after = doomed.execute("SELECT 1", ()).await;
            assert!(matches!(after, Err(ringwood::Error::ConnectionClosed)));
            first.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
        }
        let sums = "SELECT count(*), sum(a) FROM t";
        let mut rows = first.query(sums, ()).await.unwrap();
        let row = rows.next().await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 6);
        assert_eq!(row.get::<i64>(1).unwrap(), 12);
    });
}
