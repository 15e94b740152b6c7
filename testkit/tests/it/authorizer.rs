//! The authorizer is asked the same questions as stock SQLite's, and its answers do the same.
//!
//! Each statement is prepared on both engines with an authorizer that writes down what it is asked, then run without.
//! What is compared is the set: stock asks some things twice.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use ringwood::LocalConnection;
use ringwood::authorizer::{Action, ActionCode, Authorization};
use rusqlite::hooks::{AuthContext, Authorization as StockAnswer};

/// A question, written the same for both.
fn stock_question(context: &AuthContext<'_>) -> String {
    let text = format!("{:?}", context.action);
    let variant = text.split([' ', '{']).next().unwrap_or_default();
    let variant = match variant {
        "CreateVtable" => "CreateVirtualTable",
        "DropVtable" => "DropVirtualTable",
        "Unknown" if text.contains("code: 24") => "Attach",
        "Unknown" if text.contains("code: 25") => "Detach",
        other => other,
    };
    let mut words: Vec<String> = text
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    if let Some(at) = text.find("operation: ") {
        let word = text[at + 11..].split([' ', ',', '}']).next();
        words.insert(0, word.unwrap_or_default().to_uppercase());
    }
    question(variant, &words, context.database_name, context.accessor)
}

fn our_question(action: &Action<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in [action.first, action.second].into_iter().flatten() {
        words.push(match (action.code, word) {
            // The other engine's binding does not know it.
            (ActionCode::Transaction, "COMMIT") => "UNKNOWN".to_owned(),
            _ => word.to_owned(),
        });
    }
    let variant = format!("{:?}", action.code);
    question(&variant, &words, action.database, action.accessor)
}

fn question(
    variant: &str,
    words: &[String],
    database: Option<&str>,
    accessor: Option<&str>,
) -> String {
    format!(
        "{variant}({}) in {} by {}",
        words.join(", "),
        database.unwrap_or("-"),
        accessor.unwrap_or("-")
    )
}

struct Both {
    stock: rusqlite::Connection,
    ours: LocalConnection,
}

impl Both {
    fn new() -> Both {
        let stock = rusqlite::Connection::open_in_memory().expect("it opens");
        stock
            .execute_batch("PRAGMA foreign_keys = off")
            .expect("a pragma");
        let ours = LocalConnection::open_in_memory().expect("it opens");
        Both { stock, ours }
    }

    fn run(&self, sql: &str) {
        let stock = self.stock.execute_batch(sql).map_err(|e| e.to_string());
        let ours = self.ours.execute_batch(sql).map_err(|e| e.to_string());
        assert_eq!(stock.is_ok(), ours.is_ok(), "{sql}: {stock:?} {ours:?}");
    }

    /// What both are asked about a statement.
    fn questions(&mut self, sql: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let stock_asked = Arc::new(Mutex::new(BTreeSet::new()));
        let into = stock_asked.clone();
        self.stock
            .authorizer(Some(move |context: AuthContext<'_>| {
                into.lock()
                    .expect("one thread")
                    .insert(stock_question(&context));
                StockAnswer::Allow
            }))
            .expect("an authorizer");
        let stock = self.stock.prepare(sql).map(drop);
        self.stock
            .authorizer(None::<fn(AuthContext<'_>) -> StockAnswer>)
            .expect("none");
        let asked = Rc::new(RefCell::new(BTreeSet::new()));
        let into = asked.clone();
        self.ours.set_authorizer(Some(Box::new(move |action| {
            into.borrow_mut().insert(our_question(action));
            Authorization::Allow
        })));
        let ours = self.ours.prepare(sql).map(drop);
        self.ours.set_authorizer(None);
        assert_eq!(stock.is_ok(), ours.is_ok(), "{sql}: {stock:?} {ours:?}");
        let stock_asked = stock_asked.lock().expect("one thread").clone();
        (stock_asked, asked.take())
    }

    /// What both say to a statement where one question is answered so.
    fn answers(&mut self, sql: &str, to: &str, answer: Authorization) -> (String, String) {
        let stock_answer = match answer {
            Authorization::Deny => StockAnswer::Deny,
            Authorization::Ignore => StockAnswer::Ignore,
            _ => StockAnswer::Allow,
        };
        let wanted = to.to_owned();
        self.stock
            .authorizer(Some(move |context: AuthContext<'_>| {
                if stock_question(&context) == wanted {
                    stock_answer
                } else {
                    StockAnswer::Allow
                }
            }))
            .expect("an authorizer");
        let stock = stock_rows(&self.stock, sql);
        self.stock
            .authorizer(None::<fn(AuthContext<'_>) -> StockAnswer>)
            .expect("none");
        let wanted = to.to_owned();
        self.ours.set_authorizer(Some(Box::new(move |action| {
            if our_question(action) == wanted {
                answer
            } else {
                Authorization::Allow
            }
        })));
        let ours = our_rows(&self.ours, sql);
        self.ours.set_authorizer(None);
        (stock, ours)
    }
}

fn stock_rows(conn: &rusqlite::Connection, sql: &str) -> String {
    let run = || -> rusqlite::Result<String> {
        let mut statement = conn.prepare(sql)?;
        let count = statement.column_count();
        let mut rows = statement.query([])?;
        let mut text = String::new();
        while let Some(row) = rows.next()? {
            for i in 0..count {
                let cell = match row.get_ref(i)? {
                    rusqlite::types::ValueRef::Null => "NULL".to_owned(),
                    rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                    rusqlite::types::ValueRef::Text(text) => {
                        String::from_utf8_lossy(text).into_owned()
                    }
                    other => format!("{other:?}"),
                };
                text.push_str(&cell);
                text.push('|');
            }
            text.push('\n');
        }
        Ok(text)
    };
    run().unwrap_or_else(|e| match e {
        rusqlite::Error::SqliteFailure(e, message) => {
            format!("{} {}", e.extended_code, message.unwrap_or_default())
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => {
            format!("{} {msg}", error.extended_code)
        }
        other => other.to_string(),
    })
}

fn our_rows(conn: &LocalConnection, sql: &str) -> String {
    let run = || -> ringwood::Result<String> {
        let mut rows = conn.query(sql, ())?;
        let mut text = String::new();
        while let Some(row) = rows.next()? {
            for i in 0..row.column_count() {
                let cell = match row.get_value(i)? {
                    ringwood::Value::Null => "NULL".to_owned(),
                    ringwood::Value::Integer(n) => n.to_string(),
                    ringwood::Value::Text(text) => text,
                    other => format!("{other:?}"),
                };
                text.push_str(&cell);
                text.push('|');
            }
            text.push('\n');
        }
        Ok(text)
    };
    run().unwrap_or_else(|e| format!("{} {}", e.extended_code(), e.message()))
}

const SCHEMA: &str = "
    CREATE TABLE t(id INTEGER PRIMARY KEY, a, b DEFAULT (abs(-3)), c);
    CREATE TABLE u(x, y, z AS (x || y));
    CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    CREATE TABLE log(what, n);
    CREATE TABLE parent(p PRIMARY KEY, q);
    CREATE TABLE child(r REFERENCES parent(p) ON DELETE CASCADE ON UPDATE SET NULL, s);
    CREATE INDEX ta ON t(a);
    CREATE INDEX te ON t(lower(b)) WHERE c > 1;
    CREATE VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
    CREATE VIEW plain(one, two) AS SELECT x, y FROM u WHERE x > 0;
    CREATE VIEW deep AS SELECT one FROM plain;
    CREATE TEMP TABLE tt(m, n);
    CREATE TEMP VIEW tv AS SELECT m FROM tt;
    CREATE TRIGGER after_u AFTER INSERT ON u BEGIN INSERT INTO log VALUES (new.x, length(new.y)); END;
    CREATE TRIGGER upd_t AFTER UPDATE OF a ON t WHEN old.b > 1 BEGIN DELETE FROM log WHERE n = old.c; END;
    CREATE TRIGGER into_v INSTEAD OF INSERT ON plain BEGIN INSERT INTO u(x, y) VALUES (new.one, new.two); END;
    CREATE TRIGGER of_v INSTEAD OF UPDATE ON plain BEGIN UPDATE u SET y = new.two WHERE x = old.one; END;
    CREATE TRIGGER out_v INSTEAD OF DELETE ON plain BEGIN DELETE FROM u WHERE x = old.one; END;
    INSERT INTO t VALUES (1, 2, 3, 4), (5, 6, 7, 8);
    INSERT INTO u(x, y) VALUES (1, 'y');
    INSERT INTO w VALUES ('k', 'v');
    INSERT INTO parent VALUES (1, 2);
    INSERT INTO child VALUES (1, 3);
";

const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT a, b FROM t",
    "SELECT * FROM t WHERE id > 1 ORDER BY c",
    "SELECT rowid FROM t",
    "SELECT rowid, oid, x FROM u",
    "SELECT count(*) FROM t",
    "SELECT 1 FROM t, u",
    "SELECT t.* FROM t, main.u",
    "SELECT z FROM u",
    "SELECT sum(a), upper(b) FROM t GROUP BY c HAVING max(a) > 1",
    "SELECT a FROM t WHERE b LIKE 'x%' OR c GLOB 'y' OR b IN (SELECT x FROM u)",
    "SELECT (SELECT y FROM u WHERE x = t.a) FROM t",
    "SELECT a FROM t UNION SELECT x FROM u",
    "SELECT a FROM t UNION ALL SELECT x FROM u ORDER BY 1 LIMIT 3",
    "VALUES (1, 2), (3, 4)",
    "SELECT * FROM v",
    "SELECT two FROM plain",
    "SELECT * FROM deep",
    "SELECT m FROM tv",
    "SELECT k FROM w WHERE v = 1",
    "WITH q AS (SELECT a FROM t) SELECT a FROM q",
    "WITH q AS MATERIALIZED (SELECT a FROM t) SELECT a FROM q",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
    "SELECT row_number() OVER (ORDER BY a), sum(b) OVER w FROM t WINDOW w AS (PARTITION BY c)",
    "SELECT a, x FROM t JOIN u USING (rowid)",
    "SELECT * FROM t NATURAL JOIN w",
    "SELECT CURRENT_TIMESTAMP, datetime('now'), CAST(a AS TEXT) COLLATE nocase FROM t",
    "SELECT json_extract(a, '$.b'), b -> 'c', b ->> 'c' FROM t",
    "SELECT value FROM json_each('[1,2]')",
    "SELECT * FROM pragma_table_info('t')",
    "SELECT name FROM sqlite_master",
    "SELECT name FROM temp.sqlite_master",
    "SELECT EXISTS(SELECT * FROM u), a BETWEEN 1 AND 2, CASE a WHEN 1 THEN b END FROM t",
    "EXPLAIN SELECT a FROM t",
    "EXPLAIN QUERY PLAN SELECT a FROM t",
    "INSERT INTO t(a, b) VALUES (1, 2)",
    "INSERT INTO t(a) VALUES (1)",
    "INSERT INTO t DEFAULT VALUES",
    "INSERT INTO t(a) VALUES (1), (2)",
    "INSERT INTO t(a) SELECT x FROM u WHERE y = 1",
    "INSERT INTO log SELECT * FROM child",
    "INSERT INTO u(x, y) VALUES (1, 2)",
    "INSERT INTO plain VALUES (1, 2)",
    "INSERT INTO w VALUES ('a', 1) ON CONFLICT(k) DO UPDATE SET v = excluded.v WHERE w.v > 1",
    "INSERT OR REPLACE INTO w VALUES ('a', 1)",
    "INSERT INTO t(a) VALUES (1) RETURNING id, a + b",
    "UPDATE t SET a = 1, b = c WHERE id = 3",
    "UPDATE t SET rowid = 9 WHERE id = 3",
    "UPDATE t SET c = (SELECT max(x) FROM u)",
    "UPDATE t SET b = u.y FROM u WHERE u.x = t.a",
    "UPDATE u SET x = x + 1",
    "UPDATE plain SET two = 3 WHERE one = 2",
    "UPDATE t SET c = 1 RETURNING c",
    "DELETE FROM t",
    "DELETE FROM log",
    "DELETE FROM t WHERE a = 3",
    "DELETE FROM plain WHERE two = 2",
    "DELETE FROM w RETURNING k",
    "BEGIN",
    "COMMIT",
    "BEGIN IMMEDIATE",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "ROLLBACK",
    "CREATE TABLE n1(a, b)",
    "CREATE TABLE n2(a UNIQUE, b CHECK (b > length(a)), c DEFAULT (random()))",
    "CREATE TABLE n3(a, b AS (a + abs(a)))",
    "CREATE TABLE n4(i INTEGER PRIMARY KEY AUTOINCREMENT, a)",
    "CREATE TABLE n5 AS SELECT a, b FROM t",
    "CREATE TABLE n6(a PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS n1(a)",
    "CREATE TEMP TABLE n7(a)",
    "CREATE TABLE temp.n8(a UNIQUE)",
    "CREATE VIEW nv AS SELECT a FROM t",
    "CREATE TEMP VIEW ntv AS SELECT a FROM t",
    "CREATE INDEX ni ON n1(a)",
    "CREATE UNIQUE INDEX ni2 ON n1(a, lower(b)) WHERE b IS NOT NULL",
    "CREATE INDEX temp.ni3 ON n7(a)",
    "CREATE TRIGGER nt AFTER INSERT ON n1 BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER ntt AFTER INSERT ON n1 BEGIN SELECT 1; END",
    "DROP TRIGGER nt",
    "DROP TRIGGER ntt",
    "REINDEX",
    "REINDEX n1",
    "REINDEX nocase",
    "DROP INDEX ni2",
    "DROP INDEX temp.ni3",
    "ANALYZE",
    "ANALYZE t",
    "ANALYZE main.ta",
    "DROP VIEW nv",
    "DROP VIEW ntv",
    "DROP TABLE n4",
    "DROP TABLE n1",
    "DROP TABLE n7",
    "DROP TABLE IF EXISTS nothing",
    "DROP TABLE n2",
    "PRAGMA user_version",
    "PRAGMA user_version = 3",
    "PRAGMA main.cache_size(-100)",
    "PRAGMA table_info(t)",
    "PRAGMA journal_mode = 'memory'",
    "PRAGMA Foreign_Keys = on",
    "PRAGMA nothing_known = x",
    "DELETE FROM parent WHERE p = 1",
    "UPDATE parent SET p = 4",
    "INSERT INTO child VALUES (4, 4)",
    "UPDATE child SET r = 4 WHERE s = 1",
    "DROP TABLE child",
    "PRAGMA foreign_keys = off",
    "ATTACH ':memory:' AS aux",
    "ATTACH 'file:' || 'x?mode=memory' AS aux2",
    "CREATE TABLE aux.at(a, b)",
    "SELECT a FROM at",
    "SELECT a FROM aux.at, t",
    "INSERT INTO aux.at SELECT a, b FROM t",
    "DETACH aux2",
    "DROP TABLE aux.at",
    "DETACH aux",
    "VACUUM",
    "ALTER TABLE n6 ADD COLUMN b",
    "ALTER TABLE n6 RENAME TO n66",
    "ALTER TABLE n66 RENAME COLUMN b TO bb",
    "ALTER TABLE n66 ADD COLUMN c CHECK (c > 0)",
    "ALTER TABLE n66 ADD COLUMN d NOT NULL DEFAULT 3",
    "ALTER TABLE n66 DROP COLUMN bb",
    "CREATE TABLE n9(a INTEGER PRIMARY KEY AUTOINCREMENT, b)",
    "ALTER TABLE n9 RENAME TO n99",
    "CREATE TEMP TABLE n10(a, b)",
    "ALTER TABLE n10 RENAME TO n100",
    "ALTER TABLE n100 RENAME a TO aa",
    "ALTER TABLE n100 ADD c",
    "ALTER TABLE n100 DROP b",
    "CREATE TABLE n11(a, b CONSTRAINT small CHECK (b < 10))",
    "ALTER TABLE n11 ALTER COLUMN a SET NOT NULL",
    "ALTER TABLE n11 ALTER COLUMN a DROP NOT NULL",
    "ALTER TABLE n11 DROP CONSTRAINT small",
    "ALTER TABLE n11 ADD CONSTRAINT big CHECK (b > 10)",
    "ALTER TABLE n11 ADD CHECK (a > 10)",
];

#[test]
fn the_same_questions_are_asked() {
    let mut both = Both::new();
    both.run(SCHEMA);
    let mut differences = String::new();
    for sql in STATEMENTS {
        let (stock, ours) = both.questions(sql);
        if stock != ours {
            let _ = writeln!(differences, "{sql}");
            for missing in stock.difference(&ours) {
                let _ = writeln!(differences, "    not asked: {missing}");
            }
            for more in ours.difference(&stock) {
                let _ = writeln!(differences, "    asked more: {more}");
            }
        }
        both.run(sql);
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn the_answers_do_the_same() {
    let cases: &[(&str, &[&str])] = &[
        ("SELECT id, a, b FROM t", &[]),
        ("SELECT count(*) FROM t", &[]),
        ("SELECT rowid, x, y FROM u", &[]),
        ("SELECT sum(a) OVER (ORDER BY id) FROM t", &[]),
        ("SELECT upper(k), v FROM w WHERE v LIKE 'v'", &[]),
        (
            "INSERT INTO u(x, y) VALUES (5, 6)",
            &["SELECT * FROM u, log"],
        ),
        (
            "UPDATE t SET a = 10, c = 11 WHERE id = 1",
            &["SELECT * FROM t"],
        ),
        ("DELETE FROM log", &["SELECT changes(), count(*) FROM log"]),
        (
            "CREATE TABLE fresh(a)",
            &["SELECT count(*) FROM sqlite_master"],
        ),
        ("DROP TABLE child", &["SELECT count(*) FROM sqlite_master"]),
        ("PRAGMA user_version", &[]),
        ("SAVEPOINT s", &["ROLLBACK"]),
        ("SELECT * FROM plain", &[]),
        ("INSERT INTO t(a) VALUES (3)", &["SELECT a, b FROM t"]),
    ];
    let mut differences = String::new();
    for (sql, then) in cases {
        for answer in [Authorization::Deny, Authorization::Ignore] {
            let mut both = Both::new();
            both.run(SCHEMA);
            let (stock, _) = both.questions(sql);
            for question in &stock {
                // A query that is ignored ends as if it were nothing: stock's rows are those of a broken program.
                if answer == Authorization::Ignore
                    && (question.starts_with("Select") || question.contains("sqlite_master"))
                {
                    continue;
                }
                let mut both = Both::new();
                both.run(SCHEMA);
                let (stock, ours) = both.answers(sql, question, answer);
                if stock != ours {
                    let _ = writeln!(
                        differences,
                        "{sql}: {answer:?} to {question}\n{stock}\n{ours}"
                    );
                    continue;
                }
                for query in *then {
                    let stock = stock_rows(&both.stock, query);
                    let ours = our_rows(&both.ours, query);
                    if stock != ours {
                        let _ = writeln!(
                            differences,
                            "{query} after {sql}: {answer:?} to {question}\n{stock}\n{ours}"
                        );
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn an_answer_that_is_none_is_a_malfunction() {
    let conn = LocalConnection::open_in_memory().expect("it opens");
    conn.set_authorizer(Some(Box::new(|_| Authorization::Malfunction)));
    let error = conn.prepare("SELECT 1").expect_err("no answer");
    assert_eq!(error.message(), "authorizer malfunction");
    assert_eq!(error.extended_code(), 1);
}
