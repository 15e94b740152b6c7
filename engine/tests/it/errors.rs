//! Errors carry SQLite's code, message and place: compared with stock SQLite, statement by statement.

use ringwood_testkit::compare::compare;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

const SETUP: &[&str] = &[
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL, c UNIQUE, CHECK(a < 100))",
    "CREATE TABLE u(a, b)",
    "CREATE VIEW v AS SELECT a FROM t",
    "INSERT INTO t VALUES (1, 'one', 11), (2, 'two', 22)",
];

const WRONG: &[&str] = &[
    "SELEC 1",
    "SELECT 1 FROM",
    "SELECT nosuch FROM t",
    "SELECT t.nosuch FROM t",
    "SELECT * FROM nowhere",
    "SELECT a FROM t, u",
    "SELECT nosuch(1)",
    "SELECT abs(1, 2)",
    "SELECT sum(a) FROM t WHERE sum(a) > 1",
    "SELECT a FROM t ORDER BY 5",
    "SELECT a, b FROM t UNION SELECT a FROM t",
    "SELECT (SELECT a, b FROM t)",
    "SELECT 1 WHERE (1, 2) = 3",
    "SELECT a FROM t GROUP BY 9",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t(a, nosuch) VALUES (1, 2)",
    "INSERT INTO t(a, b) VALUES (1)",
    "INSERT INTO nowhere VALUES (1)",
    "INSERT INTO v VALUES (1)",
    "INSERT INTO t VALUES (1, 'again', 5)",
    "INSERT INTO t VALUES (3, NULL, 5)",
    "INSERT INTO t VALUES (3, 'x', 11)",
    "INSERT INTO t VALUES (300, 'x', 12)",
    "INSERT INTO t VALUES ('abc', 'x', 12)",
    "UPDATE t SET nosuch = 1",
    "UPDATE t SET c = 11",
    "UPDATE t SET a = 1",
    "DELETE FROM nowhere",
    "DELETE FROM sqlite_schema",
    "CREATE TABLE t(x)",
    "CREATE TABLE d(x, x)",
    "CREATE TABLE d(x PRIMARY KEY, y PRIMARY KEY)",
    "CREATE TABLE d(x TEXT PRIMARY KEY AUTOINCREMENT)",
    "CREATE TABLE d(x) WITHOUT ROWID",
    "CREATE TABLE d(x WHATEVER) STRICT",
    "CREATE TABLE sqlite_mine(x)",
    "CREATE INDEX i ON nowhere(x)",
    "CREATE INDEX i ON t(nosuch)",
    "CREATE UNIQUE INDEX i ON u(a) WHERE",
    "DROP TABLE nowhere",
    "DROP INDEX nowhere",
    "DROP VIEW t",
    "DROP TABLE v",
    "DROP INDEX sqlite_autoindex_t_1",
    "COMMIT",
    "ROLLBACK",
    "RELEASE nosuch",
    "SELECT abs(-9223372036854775808)",
    "SELECT sum(x) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 1)",
    "SELECT 'unterminated",
    "SELECT ?0",
    "SELECT 1 LIMIT 'x'",
    "SELECT x'0'",
    "SELECT 1 COLLATE nosuch = 2",
    "SELECT a FROM t JOIN u USING (c)",
    "SELECT max(a) OVER",
];

#[test]
fn codes_messages_and_offsets_are_stocks() {
    let (mut theirs, mut ours) = (Sqlite::memory(), Ringwood::memory());
    for sql in SETUP {
        assert!(compare(&mut theirs, &mut ours, sql).is_none(), "{sql}");
    }
    let differences: Vec<String> = WRONG
        .iter()
        .filter_map(|sql| compare(&mut theirs, &mut ours, sql))
        .map(|d| d.to_string())
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
