//! Statements that are kept for texts that are run again.

use futures_executor::block_on;
use ringwood::local::StatementCacheCounters;
use ringwood::{Builder, FunctionFlags, LocalConnection, Value};

fn table() -> LocalConnection {
    let conn = LocalConnection::open_in_memory().expect("opens");
    conn.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, 'x')")
        .expect("makes");
    conn
}

fn one(conn: &LocalConnection, sql: &str) -> Vec<Value> {
    let mut statement = conn.prepare_cached(sql).expect("compiles");
    assert!(statement.step().expect("runs"));
    statement.values()
}

fn counts(conn: &LocalConnection) -> [u64; 5] {
    let StatementCacheCounters {
        hits,
        misses,
        invalidated,
        evicted,
        kept,
    } = conn.statement_cache_counters();
    [hits, misses, invalidated, evicted, kept]
}

#[test]
fn a_text_is_compiled_once_and_its_parameters_do_not_stay() {
    let conn = table();
    for n in 0..3 {
        let mut statement = conn
            .prepare_cached("SELECT ?1, b FROM t")
            .expect("compiles");
        assert!(statement.step().expect("runs"));
        assert_eq!(statement.values()[0], Value::Null, "of nobody else");
        statement.reset();
        statement.bind(1, n).expect("one parameter");
        assert!(statement.step().expect("runs"));
        assert_eq!(statement.values()[0], Value::Integer(n));
        // Given back in the middle of its run.
    }
    assert_eq!(counts(&conn), [2, 1, 0, 0, 1]);
    let first = conn
        .prepare_cached("SELECT ?1, b FROM t")
        .expect("compiles");
    let second = conn
        .prepare_cached("SELECT ?1, b FROM t")
        .expect("compiles");
    assert_eq!(counts(&conn), [3, 2, 0, 0, 0], "both are in use");
    drop((first, second));
    assert_eq!(counts(&conn), [3, 2, 0, 0, 1]);
}

#[test]
fn what_was_compiled_under_another_schema_or_function_is_not_used() {
    let conn = table();
    let sql = "SELECT * FROM t";
    assert_eq!(one(&conn, sql).len(), 2);
    conn.execute_batch("ALTER TABLE t ADD COLUMN c DEFAULT 7")
        .expect("alters");
    assert_eq!(one(&conn, sql).len(), 3);
    assert_eq!(counts(&conn), [0, 2, 1, 0, 1]);
    let other = conn.another().expect("a second one");
    other
        .execute_batch("ALTER TABLE t ADD COLUMN d DEFAULT 8")
        .expect("alters");
    assert_eq!(one(&conn, sql).len(), 4, "noticed by its first step");

    let define = |n: i64| {
        let told = conn.create_scalar_function("f", 0, FunctionFlags::empty(), move |cx, _| {
            cx.result().set_int(n);
            Ok(())
        });
        told.expect("is registered");
    };
    define(1);
    assert_eq!(one(&conn, "SELECT f()"), [Value::Integer(1)]);
    assert_eq!(one(&conn, "SELECT f()"), [Value::Integer(1)]);
    define(2);
    assert_eq!(one(&conn, "SELECT f()"), [Value::Integer(2)]);
    conn.execute_batch("DROP TABLE t").expect("drops");
    assert!(conn.prepare_cached(sql).is_err());
}

#[test]
fn so_many_are_kept_and_no_pragmas() {
    let conn = table();
    conn.set_statement_cache_capacity(3);
    for n in 0..5 {
        one(&conn, &format!("SELECT {n} FROM t"));
    }
    assert_eq!(counts(&conn), [0, 5, 0, 2, 3]);
    one(&conn, "SELECT 2 FROM t");
    one(&conn, "SELECT 9 FROM t");
    one(&conn, "SELECT 2 FROM t");
    assert_eq!(
        counts(&conn),
        [2, 6, 0, 3, 3],
        "the one that was just used stays"
    );
    one(&conn, "PRAGMA user_version");
    one(&conn, "/* of no use */ EXPLAIN SELECT 1");
    assert_eq!(counts(&conn)[4], 3);
    one(&conn, " /* this */ select 77 FROM t");
    one(&conn, " /* this */ select 77 FROM t");
    assert_eq!(counts(&conn)[0], 3);
    conn.set_statement_cache_capacity(0);
    assert_eq!(counts(&conn)[4], 0);
    one(&conn, "SELECT 2 FROM t");
    one(&conn, "SELECT 2 FROM t");
    assert_eq!(counts(&conn)[0], 3);
}

#[test]
fn a_statement_that_is_kept_keeps_nobody_from_anything() {
    let conn = table();
    drop(conn.prepare_cached("SELECT * FROM t").map(|mut s| s.step()));
    drop(
        conn.prepare_cached("INSERT INTO t VALUES (5, 5)")
            .map(|mut s| s.step()),
    );
    conn.execute_batch("VACUUM; DROP TABLE t; CREATE TABLE t(z)")
        .expect("nothing reads");
    let weak = conn.clone();
    weak.close().expect("closes");
}

#[test]
fn connections_use_it() {
    block_on(async {
        let db = Builder::new_local(":memory:").build().await.expect("opens");
        let conn = db.connect().expect("room");
        conn.execute("CREATE TABLE t(a)", ()).await.expect("makes");
        for n in 0..10 {
            let told = conn.execute("INSERT INTO t VALUES (?1)", [n]).await;
            assert_eq!(told.expect("inserts"), 1);
        }
        for n in 0..10_i64 {
            let mut rows = conn
                .query("SELECT a FROM t WHERE a >= ?1", [n])
                .await
                .expect("asks");
            let row = rows.next().await.expect("answers").expect("a row");
            assert_eq!(row.get::<i64>(0).unwrap(), n);
        }
        let counters = conn.counters().await.expect("counts");
        let hits = counters.get("connection", "statement_cache_hits");
        assert_eq!(hits, Some(18), "{counters}");
        conn.statement_cache_capacity(0).await.expect("is set");
    });
}
