//! Limits: each set to several values on both engines, and statements around them.

use ringwood::local::Limit;
use ringwood_testkit::compare::compare;
use ringwood_testkit::engine::Engine;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;
use rusqlite::limits::Limit as Stock;

fn stock(limit: Limit) -> Stock {
    match limit {
        Limit::Length => Stock::SQLITE_LIMIT_LENGTH,
        Limit::SqlLength => Stock::SQLITE_LIMIT_SQL_LENGTH,
        Limit::Column => Stock::SQLITE_LIMIT_COLUMN,
        Limit::ExprDepth => Stock::SQLITE_LIMIT_EXPR_DEPTH,
        Limit::CompoundSelect => Stock::SQLITE_LIMIT_COMPOUND_SELECT,
        Limit::VdbeOp => Stock::SQLITE_LIMIT_VDBE_OP,
        Limit::FunctionArg => Stock::SQLITE_LIMIT_FUNCTION_ARG,
        Limit::Attached => Stock::SQLITE_LIMIT_ATTACHED,
        Limit::LikePatternLength => Stock::SQLITE_LIMIT_LIKE_PATTERN_LENGTH,
        Limit::VariableNumber => Stock::SQLITE_LIMIT_VARIABLE_NUMBER,
        Limit::TriggerDepth => Stock::SQLITE_LIMIT_TRIGGER_DEPTH,
        Limit::WorkerThreads => Stock::SQLITE_LIMIT_WORKER_THREADS,
    }
}

const SCHEMA: &str = "CREATE TABLE t(a,b,c); INSERT INTO t VALUES(1,2,3),(4,'x',x'00');
    CREATE TABLE n(i);
    CREATE TRIGGER r AFTER INSERT ON n WHEN new.i<20 BEGIN INSERT INTO n VALUES(new.i+1); END;
    PRAGMA recursive_triggers=1;";

const CASES: &[(Limit, &[i32], &[&str])] = &[
    (
        Limit::Length,
        &[0, 30, 40, 100],
        &[
            "SELECT zeroblob(20)",
            "SELECT length(zeroblob(30)), length(zeroblob(31))",
            "SELECT length(randomblob(35))",
            "SELECT length('aaaaaaaaaaaaaaaaaaaa' || 'bbbbbbbbbbbbbbbbbbbbbb')",
            "SELECT length(printf('%50d', 1))",
            "SELECT length(replace('aaaaaaaaaa', 'a', 'bbbbb'))",
            "SELECT length(group_concat('abcdefghijkl')) FROM t, t AS u",
            "SELECT hex('aaaaaaaaaaaaaaaaaaaa')",
            "SELECT quote('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
            "SELECT upper('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
            "SELECT json_array('aaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbb')",
            "SELECT group_concat(a) FROM t",
            "INSERT INTO t VALUES('aaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbb','cccccccccccccccccc')",
            "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
            "SELECT x'00000000000000000000000000000000000000000000000000000000000000000000'",
            "SELECT char(65,65,65,65,65,65,65,65,65,65,65,65,65,65,65,65,65)",
        ],
    ),
    (
        Limit::SqlLength,
        &[10, 20, 30],
        &[
            "SELECT 1",
            "SELECT 12345678901234567",
            "SELECT 1234567890123456789012345",
        ],
    ),
    (
        Limit::Column,
        &[6, 7, 8],
        &[
            "SELECT 1,2,3,4,5,6,7",
            "SELECT *, * FROM t",
            "SELECT *, *, a FROM t",
            "SELECT a FROM t ORDER BY 1,2-1,a,a,a,a,a",
            "SELECT count(*) FROM t GROUP BY a,b,c,a+1,b+1,c+1,a+2",
            "CREATE TABLE w(a,b,c,d,e,f,g)",
            "CREATE INDEX i ON t(a,b,c,a+1,b+1,c+1,a+2)",
            "UPDATE t SET a=1,b=2,c=3,a=1,b=2,c=3,a=1",
            "VALUES(1,2,3,4,5,6,7)",
            "SELECT a FROM t UNION SELECT b FROM t ORDER BY 1",
        ],
    ),
    (
        Limit::ExprDepth,
        &[1, 2, 3, 5],
        &[
            "SELECT 1",
            "SELECT 1+2",
            "SELECT 1+2+3+4",
            "SELECT abs(abs(abs(1)))",
            "SELECT a FROM t WHERE a=1 AND b=2 AND c=3",
            "SELECT CASE WHEN 1 THEN 2+3 END",
            "SELECT - - - - 1",
            "SELECT NOT NOT NOT 1",
        ],
    ),
    (
        Limit::CompoundSelect,
        &[0, 1, 2, 3],
        &[
            "SELECT 1 UNION SELECT 2",
            "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4",
            "VALUES(1),(2),(3),(4),(5)",
            "SELECT 1",
        ],
    ),
    (
        Limit::FunctionArg,
        &[0, 1, 2, 3],
        &[
            "SELECT abs(1)",
            "SELECT max(1,2)",
            "SELECT max(1,2,3)",
            "SELECT printf('%d%d%d',1,2,3)",
            "SELECT count(*) FROM t",
            "SELECT coalesce(1,2,3,4)",
            "SELECT 1 IN (1,2,3,4,5)",
        ],
    ),
    (
        Limit::Attached,
        &[0, 1, 2],
        &[
            "ATTACH ':memory:' AS a1",
            "ATTACH ':memory:' AS a2",
            "ATTACH ':memory:' AS a3",
            "DETACH a1",
            "DETACH a2",
        ],
    ),
    (
        Limit::LikePatternLength,
        &[0, 1, 3, 5],
        &[
            "SELECT 'abc' LIKE 'abc'",
            "SELECT 'abc' LIKE 'a%'",
            "SELECT 'abc' GLOB 'abc*'",
            "SELECT 'abc' LIKE 'abcdefgh'",
            "SELECT 'abc' NOT LIKE '%%%%%%'",
        ],
    ),
    (
        Limit::VariableNumber,
        &[0, 1, 2, 5],
        &[
            "SELECT ?",
            "SELECT ?,?",
            "SELECT ?5",
            "SELECT ?6",
            "SELECT :a, :b, :c",
            "SELECT ?2, ?",
            "SELECT ?1000000",
            "SELECT ?0",
        ],
    ),
    (
        Limit::TriggerDepth,
        &[1, 5, 19, 20, 21],
        &[
            "INSERT INTO n VALUES(1)",
            "SELECT count(*) FROM n",
            "DELETE FROM n",
        ],
    ),
    (
        Limit::VdbeOp,
        &[0, 10, 41, 42, 83, 84, 200],
        &["SELECT 1", "VALUES(1)"],
    ),
];

#[test]
fn every_limit_fails_as_stock_does() {
    let mut differences = Vec::new();
    for (limit, values, statements) in CASES {
        for &value in *values {
            let (mut theirs, mut ours) = (Sqlite::memory(), Ringwood::memory());
            for engine in [&mut theirs as &mut dyn Engine, &mut ours] {
                engine.run(SCHEMA).unwrap();
            }
            let old = theirs.connection.set_limit(stock(*limit), value).unwrap();
            let own = ours.connection.set_limit(*limit, value);
            if *limit != Limit::WorkerThreads && *limit != Limit::Attached {
                assert_eq!(own, old, "{limit:?}");
            }
            for sql in *statements {
                if let Some(difference) = compare(&mut theirs, &mut ours, sql) {
                    differences.push(format!("{limit:?}={value}: {difference}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn values_that_are_out_of_range() {
    let (theirs, ours) = (Sqlite::memory(), Ringwood::memory());
    for (_, limit) in Limit::ALL {
        for value in [-1, i32::MAX, 0, 29, 30, 1_000_000_000] {
            if matches!(limit, Limit::Attached | Limit::WorkerThreads) && value > 0 {
                continue; // set when the library is built
            }
            // rusqlite refuses negative values; they ask.
            if value >= 0 {
                theirs.connection.set_limit(stock(limit), value).unwrap();
            }
            ours.connection.set_limit(limit, value);
            let stock = theirs.connection.limit(stock(limit)).unwrap();
            if !matches!(limit, Limit::Attached | Limit::WorkerThreads) {
                assert_eq!(
                    ours.connection.limit(limit),
                    stock,
                    "{limit:?} set to {value}"
                );
            }
        }
    }
}
