//! The pool: who gets a connection when, and in which state.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use ringwood::{Builder, Database};

async fn pool(connections: usize) -> Database {
    let db = Builder::new_local(":memory:")
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(20))
        .build()
        .await
        .expect("opens");
    let conn = db.acquire().await.expect("the first");
    conn.execute("CREATE TABLE t(a)", ()).await.expect("makes");
    db
}

#[test]
fn those_who_wait_are_served_in_line_and_never_more_than_the_bound() {
    block_on(async {
        let db = pool(2).await;
        let (first, second) = (db.acquire().await.unwrap(), db.acquire().await.unwrap());
        let mut nobody = Context::from_waker(Waker::noop());
        let mut third = Box::pin(db.acquire());
        let mut fourth = Box::pin(db.acquire());
        let mut fifth = Box::pin(db.acquire());
        for waiting in [&mut third, &mut fourth, &mut fifth] {
            assert!(waiting.as_mut().poll(&mut nobody).is_pending());
        }
        drop(first);
        assert!(
            fourth.as_mut().poll(&mut nobody).is_pending(),
            "not its turn"
        );
        // Given to the third, who does not want it any more.
        drop(third);
        let fourth = fourth.await.expect("is next");
        assert!(fifth.as_mut().poll(&mut nobody).is_pending());
        let newcomer = pin!(db.acquire());
        let mut newcomer = newcomer;
        assert!(newcomer.as_mut().poll(&mut nobody).is_pending());
        drop(second);
        assert!(
            newcomer.as_mut().poll(&mut nobody).is_pending(),
            "nobody gets in before"
        );
        let fifth = fifth.await.expect("is next");
        drop((fourth, fifth));
        drop(newcomer.await.expect("is next"));
        let counters = db.counters();
        assert_eq!(counters.get("pool", "pool_made"), Some(2));
        assert_eq!(counters.get("pool", "pool_idle"), Some(2));
        assert_eq!(counters.get("pool", "pool_acquired"), Some(6));
        let waits = counters.distribution("pool", "pool_wait_ns");
        assert_eq!(waits.map(ringwood::Distribution::count), Some(3));
    });
}

#[test]
fn patience_has_an_end() {
    block_on(async {
        let db = Builder::new_local(":memory:")
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(30))
            .build()
            .await
            .expect("opens");
        let held = db.acquire().await.expect("the first");
        let began = Instant::now();
        let told = db.acquire().await.map(drop).expect_err("it is held");
        assert_eq!(told.extended_code(), 5, "{told:?}");
        assert!(began.elapsed() >= Duration::from_millis(30));
        drop(held);
        drop(db.acquire().await.expect("it is free"));
        assert_eq!(db.counters().get("pool", "pool_timeouts"), Some(1));
    });
}

#[test]
fn what_comes_back_has_no_transaction_and_what_is_closed_does_not_come_back() {
    block_on(async {
        let db = pool(1).await;
        let conn = db.acquire().await.expect("free");
        conn.execute_batch("BEGIN; INSERT INTO t VALUES (1)")
            .await
            .expect("begins");
        drop(conn);
        let conn = db.acquire().await.expect("free");
        conn.execute("INSERT INTO t VALUES (2)", ())
            .await
            .expect("by itself");
        assert!(conn.is_autocommit());
        let mut rows = conn.query("SELECT a FROM t", ()).await.expect("asks");
        let row = rows.next().await.expect("answers").expect("a row");
        assert_eq!(row.get::<i64>(0).unwrap(), 2);
        assert!(rows.next().await.expect("answers").is_none());
        drop(rows);
        let told = conn.with_local(|_| -> ringwood::Result<()> { panic!("by itself") });
        assert!(told.await.is_err());
        drop(conn);
        let conn = db.acquire().await.expect("a new one");
        conn.execute("INSERT INTO t VALUES (3)", ())
            .await
            .expect("works");
        assert_eq!(db.counters().get("pool", "pool_made"), Some(1));
        // It is counted when its stack is unwound, which is after its caller was told.
        let began = Instant::now();
        while db.counters().sum("core", "panics") == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "never counted");
            std::thread::yield_now();
        }
        assert_eq!(db.counters().sum("core", "panics"), 1);
    });
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn many_threads_share_a_few_connections() {
    let db = block_on(pool(3));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..50 {
                    let mut acquire = Box::pin(db.acquire());
                    if n % 5 == 0 {
                        // Given up, perhaps just when it is served.
                        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                        let polled = acquire.as_mut().poll(&mut Context::from_waker(&waker));
                        drop(polled);
                        continue;
                    }
                    let conn = block_on(acquire).expect("in time");
                    conn.busy_timeout(Duration::from_secs(20)).expect("is set");
                    let done = block_on(conn.execute("INSERT INTO t VALUES (?1)", [n]));
                    assert_eq!(done.expect("inserts"), 1);
                }
            });
        }
    });
    let counters = db.counters();
    assert!(counters.get("pool", "pool_made") <= Some(3), "{counters}");
    let made = counters.get("pool", "pool_made");
    assert_eq!(counters.get("pool", "pool_idle"), made, "all are back");
}
