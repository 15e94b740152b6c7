//! What integrity_check and quick_check say of damaged files, word for word next to stock SQLite's.

use std::path::{Path, PathBuf};

use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

const PLAIN: &str = "PRAGMA page_size = 512;
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL, c BLOB);
CREATE INDEX t_b ON t(b);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO t SELECT i * 5, 'text ' || i, CASE WHEN i % 10 = 0 THEN zeroblob(1100) ELSE i * 1.5 END FROM n;
DELETE FROM t WHERE a % 4 = 0;";

const VARIED: &str = "PRAGMA page_size = 1024; PRAGMA auto_vacuum = FULL;
CREATE TABLE w(k TEXT, n INTEGER, v, PRIMARY KEY(k, n)) WITHOUT ROWID;
CREATE TABLE u(x UNIQUE, y NOT NULL, CHECK(length(y) < 100));
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO w SELECT 'key ' || (i % 9), i, NULL FROM n;
INSERT INTO u SELECT n, k FROM w;
DELETE FROM u WHERE x % 3 = 0;";

/// What a check says: its rows, or an error's message.
fn says(engine: Result<&mut dyn Engine, String>, sql: &str) -> Vec<String> {
    let answer = match engine {
        Ok(engine) => engine.run(sql).map_err(|error| error.message),
        Err(message) => Err(message),
    };
    match answer {
        Ok(answer) => answer
            .rows
            .into_iter()
            .map(|row| match row.first() {
                Some(Cell::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
            .collect(),
        Err(message) => vec![format!("error: {message}")],
    }
}

fn scratch() -> PathBuf {
    let base = Path::new("/dev/shm");
    let base = if base.is_dir() {
        base.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let dir = base.join(format!("ringwood-wording-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

#[test]
fn damage_is_described_in_sqlites_words() {
    let dir = scratch();
    let (mut total, mut damaged, mut different) = (0, 0, Vec::new());
    for (name, sql) in [("plain", PLAIN), ("varied", VARIED)] {
        let path = dir.join(format!("{name}.db"));
        Sqlite::open(&path)
            .and_then(|mut stock| stock.run(sql))
            .expect("made");
        let whole = std::fs::read(&path).expect("reads");
        let _ = std::fs::remove_file(&path);
        for n in 0..700usize {
            let mut bytes = whole.clone();
            let at = (n * 7919 + n / 3) % bytes.len();
            match n % 4 {
                0 => bytes[at] ^= 1,
                1 => bytes[at] ^= 0xff,
                2 => bytes[at] = 0,
                _ => bytes[at] = bytes[at].wrapping_add(1),
            }
            if n % 11 == 0 {
                let other = (at * 31 + 5) % bytes.len();
                bytes[other] = bytes[other].wrapping_sub(3);
            }
            let path = dir.join("damaged.db");
            std::fs::write(&path, &bytes).expect("writes");
            for check in ["PRAGMA integrity_check", "PRAGMA quick_check"] {
                let theirs = match Sqlite::open(&path) {
                    Ok(mut stock) => says(Ok(&mut stock), check),
                    Err(error) => says(Err(error.message), check),
                };
                let ours = match Ringwood::open(&path) {
                    Ok(mut ours) => says(Ok(&mut ours), check),
                    Err(error) => says(Err(error.message), check),
                };
                for suffix in ["-wal", "-shm", "-journal"] {
                    let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
                }
                total += 1;
                damaged += usize::from(theirs != ["ok"]);
                if ours != theirs {
                    different.push(format!(
                        "{name}, damage {n} at byte {at}, {check}\n  stock {theirs:?}\n  ours  {ours:?}"
                    ));
                }
            }
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
    let some: Vec<&str> = different.iter().take(25).map(String::as_str).collect();
    eprintln!(
        "{total} checks, {damaged} of damage, {} differ\n{}",
        different.len(),
        some.join("\n")
    );
    assert!(damaged > total / 6, "{damaged} of {total}");
    assert!(
        different.is_empty(),
        "{} of {damaged} differ",
        different.len()
    );
}

/// Databases whose rows are not what their schemas say, and what is asked about them.
const FAULTY: [(&str, &[&str]); 4] = [
    (
        "CREATE TABLE a(x, y, z); CREATE TABLE other(x); CREATE INDEX a_y ON a(y); CREATE VIEW v AS SELECT 1;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
         INSERT INTO a SELECT i, CASE WHEN i % 7 THEN i END, i FROM n;
         INSERT INTO other VALUES (NULL);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE a(x, y NOT NULL, z CHECK (z % 5 > 0))' WHERE name = 'a';
         UPDATE sqlite_schema SET sql = 'CREATE TABLE other(x NOT NULL)' WHERE name = 'other';",
        &[
            "PRAGMA integrity_check",
            "PRAGMA integrity_check(1)",
            "PRAGMA integrity_check(7)",
            "PRAGMA integrity_check(0)",
            "PRAGMA integrity_check(-4)",
            "PRAGMA quick_check(1000)",
            "PRAGMA integrity_check(other)",
            "PRAGMA quick_check('a')",
            "PRAGMA main.integrity_check(other)",
            "PRAGMA temp.integrity_check",
            "PRAGMA integrity_check(nothing)",
            "PRAGMA temp.integrity_check(a)",
            "PRAGMA integrity_check(sqlite_schema)",
            "SELECT * FROM pragma_integrity_check WHERE 1 LIMIT 3",
            "SELECT * FROM pragma_quick_check('other')",
        ],
    ),
    (
        "CREATE TABLE s(i INT, n INTEGER, r REAL, t TEXT, b BLOB, a ANY, w);
         INSERT INTO s VALUES ('x', 1.5, 'y', 7, 'z', 'any', 1), (1, 2, 3.5, 'four', x'05', NULL, 1);
         CREATE TABLE k(t TEXT, i INTEGER, r REAL, n NUMERIC, b, d DEFAULT 'five', g AS (t || 1) VIRTUAL);
         INSERT INTO k(t, i, r, n, b) VALUES ('1', 2, 3, 4, 5), ('a', 'b', 'c', 'd', 'e');
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE s(i INT, n INTEGER, r REAL, t TEXT, b BLOB, a ANY, w ANY) STRICT'
             WHERE name = 's';
         UPDATE sqlite_schema SET sql =
             'CREATE TABLE k(t NUMERIC, i TEXT, r TEXT, n TEXT, b TEXT NOT NULL, d INT DEFAULT 5, g INT AS (t || 1) VIRTUAL)'
             WHERE name = 'k';",
        &["PRAGMA integrity_check", "PRAGMA quick_check(k)", "PRAGMA integrity_check(s)"],
    ),
    (
        "CREATE TABLE c(x TEXT, y); CREATE INDEX c_x ON c(x COLLATE NOCASE); CREATE INDEX c_y ON c(y);
         CREATE INDEX c_part ON c(y) WHERE y > 3; CREATE INDEX c_xy ON c(lower(x), y DESC);
         INSERT INTO c VALUES ('a', 1), ('b', 2), ('B', 5), ('c', 5);
         CREATE TABLE without(k TEXT, j, PRIMARY KEY (k, j)) WITHOUT ROWID;
         INSERT INTO without VALUES ('a', 1), ('B', 2), ('c', 3);
         CREATE TABLE emptied(x); CREATE INDEX emptied_x ON emptied(x); INSERT INTO emptied VALUES (1), (2);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX c_y ON c(y)' WHERE name = 'c_y';
         UPDATE sqlite_schema SET sql = 'CREATE INDEX c_part ON c(y) WHERE y > 1' WHERE name = 'c_part';
         UPDATE sqlite_schema SET sql = 'CREATE INDEX c_xy ON c(upper(x), y DESC)' WHERE name = 'c_xy';
         UPDATE sqlite_schema SET sql = 'CREATE TABLE without(k TEXT, j, PRIMARY KEY (k COLLATE NOCASE, j)) WITHOUT ROWID'
             WHERE name = 'without';
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'c_y')
             WHERE name = 'emptied_x';",
        &["PRAGMA integrity_check", "PRAGMA quick_check", "PRAGMA integrity_check(without)", "PRAGMA integrity_check(c)"],
    ),
    (
        "CREATE TABLE t1(x); CREATE TABLE t2(x); CREATE TABLE t3(x); CREATE TABLE t4(x); CREATE TABLE t5(x);
         CREATE TABLE t6(x); CREATE TABLE t7(x); CREATE TABLE t8(x); CREATE TABLE t9(x); CREATE TABLE t10(x);
         INSERT INTO t1 VALUES (NULL); INSERT INTO t2 VALUES (NULL); INSERT INTO t3 VALUES (NULL);
         INSERT INTO t4 VALUES (NULL); INSERT INTO t5 VALUES (NULL); INSERT INTO t6 VALUES (NULL);
         INSERT INTO t7 VALUES (NULL); INSERT INTO t8 VALUES (NULL); INSERT INTO t9 VALUES (NULL);
         INSERT INTO t10 VALUES (NULL);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, '(x)', '(x NOT NULL)');",
        &["PRAGMA integrity_check", "PRAGMA integrity_check(4)", "PRAGMA quick_check"],
    ),
];

#[test]
fn rows_that_contradict_their_schema_are_described_in_sqlites_words() {
    let dir = scratch().with_extension("rows");
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("faulty.db");
    for (sql, checks) in FAULTY {
        let _ = std::fs::remove_file(&path);
        Sqlite::open(&path)
            .and_then(|mut stock| stock.run(sql))
            .expect("made");
        let mut found = 0;
        for check in checks {
            let theirs = match Sqlite::open(&path) {
                Ok(mut stock) => says(Ok(&mut stock), check),
                Err(error) => says(Err(error.message), check),
            };
            let ours = match Ringwood::open(&path) {
                Ok(mut ours) => says(Ok(&mut ours), check),
                Err(error) => says(Err(error.message), check),
            };
            assert_eq!(ours, theirs, "{check}: ours, then stock's");
            found += theirs.len();
        }
        assert!(found > checks.len(), "nothing was found");
    }
    let _ = std::fs::remove_dir_all(&dir);
}
