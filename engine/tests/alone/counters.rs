//! What is counted, and that all ways to it tell the same.

use futures_executor::block_on;
use ringwood::{Builder, Distribution, LocalConnection, Runtime, Value};

use crate::folder::Folder;

#[test]
fn a_connection_counts_pages_commits_and_waits() {
    let _turn = crate::alone();
    let dir = Folder::new("counters");
    let path = dir.0.join("a.db");
    let conn = LocalConnection::open(&path).expect("opens");
    conn.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        .expect("makes");
    let before = conn.counters();
    for n in 0..20 {
        conn.execute("INSERT INTO t VALUES (?1, zeroblob(3000))", [n])
            .expect("inserts");
    }
    conn.query_row("SELECT sum(length(b)) FROM t", ())
        .expect("reads");
    let after = conn.counters();
    let grown = |scope: &str, name: &str| {
        let (before, after) = (before.get(scope, name), after.get(scope, name));
        after.expect(name) - before.expect(name)
    };
    assert_eq!(grown("main", "commits"), 20);
    assert_eq!(grown("main", "commit_groups"), 20);
    assert_eq!(grown("main", "commit_syncs"), 20);
    assert!(grown("main", "commit_bytes") > 20 * 4096);
    assert!(grown("main", "cache_hits") > 20);
    assert!(grown("process", "cache_hits") >= grown("main", "cache_hits"));
    assert!(grown("thread", "syncs") >= 20);
    assert!(grown("thread", "written_bytes") > 20 * 4096);
    assert_eq!(after.get("main", "connections"), Some(1));
    assert!(after.get("main", "log_frames") > Some(20));
    let sizes = after
        .distribution("main", "commit_group_size")
        .expect("there");
    let alone = sizes.buckets().next();
    assert!(matches!(alone, Some((1, 20..))), "{sizes:?}");
    let waits = after.distribution("main", "wait_ns").expect("there");
    assert!(
        waits.count() >= 20 && waits.quantile(0.5) > 1000,
        "{waits:?}"
    );

    // A second file, its pages read anew.
    let other = dir.0.join("b.db");
    {
        let other = LocalConnection::open(&other).expect("opens");
        other
            .execute_batch("CREATE TABLE u(a); INSERT INTO u VALUES (1)")
            .expect("makes");
    }
    conn.execute_batch(&format!("ATTACH '{}' AS o", other.display()))
        .expect("attaches");
    conn.query_row("SELECT * FROM u", ()).expect("reads");
    let now = conn.counters();
    assert!(now.get("o", "cache_misses") >= Some(1), "{now}");
    assert_eq!(now.get("process", "databases"), Some(2));
    let all = ringwood::counters();
    let scope = std::fs::canonicalize(&path).expect("there");
    let commits = all.get(&scope.to_string_lossy(), "commits");
    assert_eq!(commits, now.get("main", "commits"));
}

#[test]
fn sql_sees_the_same() {
    let _turn = crate::alone();
    let conn = LocalConnection::open_in_memory().expect("opens");
    conn.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1); SELECT * FROM t")
        .expect("runs");
    let listed = conn.counters();
    let sql = "SELECT DISTINCT scope, name FROM ringwood_counters";
    let mut rows = conn.query(sql, ()).expect("asks");
    let mut seen = Vec::new();
    while let Some(row) = rows.next().expect("answers") {
        seen.push((row.get::<String>(0).unwrap(), row.get::<String>(1).unwrap()));
    }
    let numbers = listed
        .iter()
        .filter(|c| listed.get(&c.scope, c.name).is_some());
    for counter in numbers {
        let there = (counter.scope.to_string(), counter.name.to_owned());
        assert!(seen.contains(&there), "{there:?}");
    }
    let one = |sql: &str| {
        conn.query_row(sql, ())
            .expect("asks")
            .get::<Value>(0)
            .unwrap()
    };
    let sql = "SELECT value FROM ringwood_counters WHERE scope = 'main' AND name = 'connections'";
    assert_eq!(one(sql), Value::Integer(1));
    let names = ["scope", "name", "bound", "value"];
    let mut pragma = conn.prepare("PRAGMA counters").expect("compiles");
    let columns: Vec<&str> = (0..4).map(|at| pragma.column_name(at)).collect();
    assert_eq!(columns, names);
    assert!(pragma.step().expect("runs"));
    assert_eq!(pragma.values()[0], Value::Text("process".to_owned()));
    drop(pragma);
    let sql = "SELECT count(*) FROM ringwood_counters WHERE bound IS NULL AND value < 0";
    assert_eq!(one(sql), Value::Integer(0));
}

#[test]
fn a_core_counts_calls_and_its_io() {
    let _turn = crate::alone();
    let dir = Folder::new("counters");
    let runtime = Runtime::builder().threads(1).build();
    block_on(async {
        let db = Builder::new_local(dir.0.join("a.db"))
            .runtime(&runtime)
            .build()
            .await
            .expect("opens");
        let conn = db.connect().expect("room");
        conn.execute("CREATE TABLE t(a)", ()).await.expect("makes");
        for n in 0..10 {
            let told = conn.execute("INSERT INTO t VALUES (?1)", [n]).await;
            told.expect("inserts");
        }
        let counters = db.counters();
        assert_eq!(counters.sum("core", "calls"), 11, "{counters}");
        assert_eq!(counters.sum("core", "connections"), 1);
        assert!(counters.sum("core", "syncs") >= 11);
        let runs: u64 = (0..64)
            .filter_map(|n| counters.distribution(&format!("core {n}"), "run_ns"))
            .map(Distribution::count)
            .sum();
        assert_eq!(runs, 11);
        assert_eq!(
            counters.get("main", "commits"),
            Some(10),
            "but the file's first"
        );
    });
}
