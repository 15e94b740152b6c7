//! Statements that mean no good: each ends with one of SQLite's limit errors, with a result, or by an interrupt; within
//! bounded memory and on a stack of 2 MiB.

use std::time::{Duration, Instant};

use ringwood::LocalConnection;
use ringwood::local::Limit;

/// Runs a test on a small stack.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let joined = thread.spawn(test).expect("a thread starts").join();
    if let Err(panic) = joined {
        std::panic::resume_unwind(panic);
    }
}

/// The rows, or the message.
fn run(conn: &LocalConnection, sql: &str) -> Result<usize, String> {
    let mut statement = conn.prepare(sql).map_err(|e| e.message())?;
    let mut rows = 0;
    while statement.step().map_err(|e| e.message())? {
        rows += 1;
    }
    Ok(rows)
}

fn message(conn: &LocalConnection, sql: &str) -> String {
    run(conn, sql).expect_err("this is refused")
}

const TOO_DEEP: [&str; 4] = [
    "Recursion limit",
    "Expression tree is too large (maximum depth 1000)",
    "parser stack overflow",
    "too many terms in compound SELECT",
];

fn refused(conn: &LocalConnection, sql: &str) {
    let found = message(conn, sql);
    assert!(
        TOO_DEEP.iter().any(|message| found.starts_with(message)),
        "{}…: {found}",
        &sql[..sql.len().min(40)]
    );
}

#[test]
fn nesting_of_100_000() {
    on_small_stack(|| {
        let conn = LocalConnection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a)").unwrap();
        let n = 100_000;
        let nests = [
            ("SELECT ", "(", "1", ")"),
            ("SELECT ", "NOT ", "1", ""),
            ("SELECT ", "- ", "1", ""),
            ("SELECT ", "~ ", "1", ""),
            ("SELECT ", "CASE WHEN 1 THEN ", "1", " END"),
            ("SELECT ", "CASE ", "1", " WHEN 1 THEN 2 END"),
            ("SELECT ", "abs(", "1", ")"),
            ("SELECT ", "(SELECT ", "1", ")"),
            ("SELECT ", "EXISTS(SELECT ", "1", ")"),
            ("SELECT ", "1 IN (SELECT ", "1", ")"),
            ("SELECT ", "1 IN (", "1", ")"),
            ("", "SELECT * FROM (", "SELECT 1", ")"),
            ("SELECT * FROM ", "(", "t", ")"),
            ("", "WITH c AS (", "SELECT 1", ") SELECT 1"),
            ("SELECT ", "CAST(", "1", " AS int)"),
            ("SELECT 1 WHERE ", "1=", "1", ""),
            ("SELECT ", "a.", "b", ""),
            ("SELECT 1 ", "UNION SELECT 1 ", "", ""),
            ("SELECT ", "1||", "1", ""),
            ("SELECT ", "1 AND ", "1", ""),
            ("SELECT ", "1 OR ", "1", ""),
            ("SELECT * FROM t WHERE a LIKE ", "'x' ESCAPE ", "1", ""),
            ("SELECT ", "1 BETWEEN 0 AND ", "1", ""),
            ("CREATE TABLE x(a DEFAULT ", "(", "1", "))"),
            ("CREATE INDEX x ON t(", "(", "a", "))"),
            ("SELECT 1 -> ", "'a' -> ", "'b'", ""),
            ("SELECT 1 ", "COLLATE NOCASE ", "", ""),
            ("SELECT count(*) FILTER (WHERE ", "(", "1", "))"),
            ("SELECT sum(1) OVER (ORDER BY ", "(", "1", "))"),
        ];
        for (before, open, core, close) in nests {
            let sql = [before, &open.repeat(n), core, &close.repeat(n)].concat();
            let outcome = run(&conn, &sql);
            assert!(outcome.is_err(), "{before}{open}… is taken");
        }
        for open in ["(", "NOT ", "- ", "CASE WHEN 1 THEN ", "1+", "abs("] {
            // Without an end.
            assert!(run(&conn, &format!("SELECT {}", open.repeat(n))).is_err());
        }
        refused(
            &conn,
            &format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)),
        );
        refused(&conn, &format!("SELECT {}1", "1+".repeat(n)));
        assert_eq!(run(&conn, "SELECT 1"), Ok(1));
    });
}

#[test]
fn depth_just_below_the_limits_runs() {
    on_small_stack(|| {
        let conn = LocalConnection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
            .unwrap();
        for (open, close) in [
            ("(", ")"),
            ("NOT ", ""),
            ("- ", ""),
            ("abs(", ")"),
            ("1+(", ")"),
        ] {
            let mut taken = 0;
            for n in [10, 100, 300, 490, 700, 990] {
                let sql = format!("SELECT {}a{} FROM t", open.repeat(n), close.repeat(n));
                if run(&conn, &sql) == Ok(1) {
                    taken = n;
                }
            }
            assert!(taken >= 490, "{open} is taken {taken} times only");
        }
        let subqueries = |n: usize| format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n));
        for n in [10, 50, 100, 200, 400] {
            // Taken or refused, but not a crash.
            let _ = run(&conn, &subqueries(n));
            let views = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(n), ")".repeat(n));
            let _ = run(&conn, &views);
        }
    });
}

#[test]
fn statements_of_10_megabytes() {
    on_small_stack(|| {
        let conn = LocalConnection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a)").unwrap();
        let size = 10 << 20;
        let text = format!("SELECT length('{}')", "x".repeat(size));
        assert_eq!(run(&conn, &text), Ok(1));
        assert_eq!(
            run(&conn, &format!("SELECT 1 /* {} */", "x".repeat(size))),
            Ok(1)
        );
        assert_eq!(run(&conn, &format!("SELECT 1 {}", " ".repeat(size))), Ok(1));
        let rows = format!("INSERT INTO t VALUES {}(1)", "(1),".repeat(size / 4));
        run(&conn, &rows).unwrap();
        let count = conn.query_row("SELECT count(*) FROM t", ()).unwrap();
        assert_eq!(count.get::<i64>(0).unwrap(), size as i64 / 4 + 1);
        let list = format!("SELECT 1 WHERE 5 IN ({}5)", "1,".repeat(size / 2));
        assert_eq!(run(&conn, &list), Ok(1));
        for bad in [
            "1,", "1+", "(", "a.", "\"", "'", "x'", "`", "@", "?", ";;", "\u{0}", "é",
        ] {
            let _ = run(
                &conn,
                &format!("SELECT {}", bad.repeat(size / bad.len() / 4)),
            );
        }
        let name = "n".repeat(size);
        assert!(message(&conn, &format!("SELECT {name}")).starts_with("no such column: nnn"));
        assert!(message(&conn, &format!("SELECT {name}()")).starts_with("no such function: nnn"));
        conn.set_limit(Limit::SqlLength, 1_000_000);
        assert_eq!(message(&conn, &text), "statement too long");
    });
}

#[test]
fn many_terms() {
    on_small_stack(|| {
        let conn = LocalConnection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t(a)").unwrap();
        for op in ["UNION", "UNION ALL", "EXCEPT", "INTERSECT"] {
            let sql = format!("SELECT 1{}", format!(" {op} SELECT 1").repeat(30_000));
            assert_eq!(message(&conn, &sql), "too many terms in compound SELECT");
        }
        let values = format!("VALUES(1){}", ",(1)".repeat(30_000));
        assert_eq!(run(&conn, &values), Ok(30_001));
        let from = |n: usize| format!("SELECT 1 FROM t{}", ",t".repeat(n - 1));
        assert_eq!(run(&conn, &from(64)), Ok(0));
        assert_eq!(message(&conn, &from(65)), "at most 64 tables in a join");
        assert!(run(&conn, &from(5000)).is_err());
        let columns = |n: usize| format!("SELECT 1{}", ",1".repeat(n - 1));
        assert_eq!(run(&conn, &columns(2000)), Ok(1));
        assert_eq!(
            message(&conn, &columns(2001)),
            "too many columns in result set"
        );
        let table = |n: usize| {
            let names: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
            format!("CREATE TABLE t{n}({})", names.join(","))
        };
        assert_eq!(run(&conn, &table(2000)), Ok(0));
        assert_eq!(message(&conn, &table(2001)), "too many columns on t2001");
        assert_eq!(run(&conn, "SELECT * FROM t2000"), Ok(0));
        let variables = |n: usize| format!("SELECT 1 WHERE 1 IN (?{})", ",?".repeat(n - 1));
        assert_eq!(run(&conn, &variables(32_766)), Ok(0));
        assert_eq!(message(&conn, &variables(32_767)), "too many SQL variables");
        let arguments = |n: usize| format!("SELECT max(1{})", ",1".repeat(n - 1));
        assert_eq!(run(&conn, &arguments(1000)), Ok(1));
        assert!(message(&conn, &arguments(1001)).starts_with("too many arguments on function"));
        let ctes: Vec<String> = (0..3000).map(|i| format!("c{i} AS (SELECT 1)")).collect();
        let _ = run(
            &conn,
            &format!("WITH {} SELECT * FROM c2999", ctes.join(",")),
        );
        let doubling: Vec<String> = (1..40)
            .map(|i| format!("c{i} AS (SELECT a.x FROM c{} a, c{0} b LIMIT 1)", i - 1))
            .collect();
        let sql = format!(
            "WITH c0(x) AS (SELECT 1), {} SELECT 1 FROM c8",
            doubling.join(",")
        );
        let _ = run(&conn, &sql);
    });
}

#[test]
fn values_that_explode() {
    on_small_stack(|| {
        let conn = LocalConnection::open_in_memory().unwrap();
        let too_big = "string or blob too big";
        for sql in [
            "SELECT zeroblob(1000000001)",
            "SELECT zeroblob(9223372036854775807)",
            "SELECT randomblob(1000000001)",
            "SELECT randomblob(9223372036854775807)",
            "SELECT hex(zeroblob(500000001))",
            "SELECT printf('%*d', 2000000000, 1)",
            "SELECT printf('%.*c', 2000000000, 'x')",
            "SELECT replace(hex(zeroblob(10000)), '0', hex(zeroblob(100000)))",
            "SELECT char(65) || zeroblob(1000000000)",
            "SELECT quote(zeroblob(500000000))",
        ] {
            assert_eq!(message(&conn, sql), too_big, "{sql}");
        }
        // A blob of zeros costs nothing until somebody reads it.
        let length = conn
            .query_row("SELECT length(zeroblob(1000000000))", ())
            .unwrap();
        assert_eq!(length.get::<i64>(0).unwrap(), 1_000_000_000);
        conn.set_limit(Limit::Length, 1_000_000);
        for sql in [
            "WITH RECURSIVE c(x) AS (SELECT 'ab' UNION ALL SELECT x||x FROM c) SELECT max(x) FROM c",
            "WITH RECURSIVE c(x) AS (SELECT 'ab' UNION ALL SELECT replace(x,'a','aba') FROM c) SELECT count(*) FROM c",
            "SELECT group_concat(value) FROM generate_series(1,100000000)",
            "SELECT string_agg(hex(zeroblob(1000)),'') FROM generate_series(1,100000000)",
            "SELECT json_group_array(value) FROM generate_series(1,100000000)",
            "SELECT json_group_object(value, value) FROM generate_series(1,100000000)",
            "SELECT upper(hex(zeroblob(400000)))||lower(hex(zeroblob(400000)))",
            "SELECT printf('%s%s%s', hex(zeroblob(200000)), hex(zeroblob(200000)), hex(zeroblob(200000)))",
        ] {
            assert_eq!(message(&conn, sql), too_big, "{sql}");
        }
    });
}

#[test]
fn patterns_that_explode() {
    on_small_stack(|| {
        let conn = LocalConnection::open_in_memory().unwrap();
        let long = "a".repeat(20_000);
        for (pattern, op) in [
            (format!("{}b", "%a".repeat(200)), "LIKE"),
            (format!("{}b", "%_a".repeat(200)), "LIKE"),
            (format!("{}b", "%".repeat(40_000)), "LIKE"),
            (format!("{}b", "*a".repeat(200)), "GLOB"),
            (format!("{}b", "*[a-z]".repeat(100)), "GLOB"),
            (format!("{}b", "*?".repeat(200)), "GLOB"),
            (format!("{}b", "%aaaaaaaaaa".repeat(100)), "LIKE"),
        ] {
            let start = Instant::now();
            let sql = format!("SELECT '{long}' {op} '{pattern}'");
            assert_eq!(run(&conn, &sql), Ok(1));
            let spent = start.elapsed();
            assert!(
                spent < Duration::from_secs(10),
                "{}…: {spent:?}",
                &pattern[..12]
            );
        }
        let sql = format!("SELECT 'a' LIKE '{}'", "%".repeat(50_001));
        assert_eq!(message(&conn, &sql), "LIKE or GLOB pattern too complex");
    });
}

/// How long a statement goes on after it was told to stop; the shortest of some attempts, because the machine may be busy
/// with something else.
fn time_to_stop(sql: &str) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let conn = LocalConnection::open_in_memory().unwrap();
        conn.set_limit(Limit::Length, 10_000_000);
        let handle = conn.interrupt_handle();
        let told = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(150));
            handle.interrupt();
            Instant::now()
        });
        let found = message(&conn, sql);
        let ended = Instant::now();
        assert_eq!(found, "interrupted", "{sql}");
        best = best.min(ended.duration_since(told.join().unwrap()));
        if best < Duration::from_millis(50) {
            break;
        }
    }
    best
}

#[test]
fn endless_statements_stop_when_they_are_told() {
    for sql in [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 1000000000) SELECT sum(x) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x+1 FROM c) SELECT count(*) FROM c",
        "SELECT count(*) FROM generate_series(1,1000000000000)",
        "SELECT count(*) FROM generate_series(1,10000000) a, generate_series(1,10000000) b",
        "SELECT value FROM generate_series(1,10000000000) ORDER BY random() LIMIT 1",
        "SELECT DISTINCT value%10 FROM generate_series(1,1000000000000) WHERE value%10>10",
        "SELECT value, count(*) FROM generate_series(1,1000000000000) GROUP BY value%3",
        "SELECT (SELECT count(*) FROM generate_series(1,1000000000)) FROM generate_series(1,1000000)",
        "CREATE TABLE x AS SELECT value FROM generate_series(1,1000000000)",
        "SELECT hex(zeroblob(4000000)) LIKE '%' || substr(hex(zeroblob(30000)), 2, 49990) || '1'",
        "SELECT hex(zeroblob(4000000)) GLOB '*' || substr(hex(zeroblob(30000)), 2, 49990) || '[1-9]'",
        "SELECT * FROM generate_series(1,100000000) a JOIN generate_series(1,100000000) b ON a.value=b.value+1000000000000",
    ] {
        let late = time_to_stop(sql);
        assert!(
            late < Duration::from_millis(100),
            "{sql}: stops after {late:?}"
        );
    }
}
