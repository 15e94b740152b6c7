//! Generated statements that change tables, for comparing engines: every conflict action on every kind of constraint,
//! upserts, RETURNING, UPDATE with FROM and row values.
//!
//! Rules:
//! 1. The same seed gives the same statements.
//! 2. Statements go to the tables of [`SCRIPT`]: rowid tables with and without INTEGER PRIMARY KEY, AUTOINCREMENT, WITHOUT
//!    ROWID, STRICT, generated columns; NOT NULL, CHECK, UNIQUE with conflict clauses of their own; partial and expression indexes.
//! 3. Values are few, so that they collide.
//! 4. A UNIQUE constraint of a WITHOUT ROWID table is an index made afterwards: of those made with the table, stock SQLite
//!    does not notice that they cover the primary key, and so takes rows in another order.

use crate::queries::Dice;
use std::fmt::Write as _;

/// The tables and their indexes.
pub const SCRIPT: &str = "
PRAGMA foreign_keys=OFF;
CREATE TABLE r1(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c INT NOT NULL DEFAULT 3, d REAL CHECK(d < 100));
CREATE INDEX r1c ON r1(c);
CREATE UNIQUE INDEX r1cd ON r1(c DESC, d);
CREATE TABLE r2(a, b COLLATE NOCASE, c, d, UNIQUE(a, b));
CREATE INDEX r2e ON r2(c + 1);
CREATE UNIQUE INDEX r2p ON r2(c) WHERE b IS NOT NULL;
CREATE INDEX r2d ON r2(d, a) WHERE d > 2;
CREATE TABLE w(k TEXT, n INT, v, u, PRIMARY KEY(n DESC, k)) WITHOUT ROWID;
CREATE UNIQUE INDEX wu ON w(u);
CREATE INDEX wv ON w(v);
CREATE TABLE w1(k INT PRIMARY KEY ON CONFLICT REPLACE, v CHECK(v <> 4)) WITHOUT ROWID;
CREATE TABLE rc(a INTEGER PRIMARY KEY ON CONFLICT REPLACE, b UNIQUE ON CONFLICT IGNORE,
  c NOT NULL ON CONFLICT REPLACE DEFAULT 7, d UNIQUE, e UNIQUE ON CONFLICT REPLACE);
CREATE TABLE st(a INT PRIMARY KEY, b TEXT, c ANY, d REAL) STRICT;
CREATE TABLE ai(id INTEGER PRIMARY KEY AUTOINCREMENT, x UNIQUE, y);
CREATE TABLE plain(a, b, c);
CREATE TABLE twin(a, b, c);
CREATE INDEX twin_a ON twin(a);
CREATE TABLE ge(a INTEGER PRIMARY KEY, b, c AS (b + 1) STORED UNIQUE, d, e AS (c || d) NOT NULL CHECK(e <> '3b'));
CREATE INDEX gee ON ge(e, b);
CREATE TABLE gw(k, n AS (v * 2), v, x AS (n + k) STORED, PRIMARY KEY(v, k)) WITHOUT ROWID;
CREATE UNIQUE INDEX gwx ON gw(x) WHERE n > 4;
";

/// Each table with its columns.
pub const TABLES: [(&str, &[&str]); 11] = [
    ("r1", &["a", "b", "c", "d"]),
    ("r2", &["a", "b", "c", "d"]),
    ("w", &["k", "n", "v", "u"]),
    ("w1", &["k", "v"]),
    ("rc", &["a", "b", "c", "d", "e"]),
    ("st", &["a", "b", "c", "d"]),
    ("ai", &["id", "x", "y"]),
    ("plain", &["a", "b", "c"]),
    ("twin", &["a", "b", "c"]),
    ("ge", &["a", "b", "d"]),
    ("gw", &["k", "v"]),
];

/// Keys that ON CONFLICT may name; some of them are none.
const KEYS: [(&str, &[&str]); 11] = [
    ("r1", &["(a)", "(b)", "(c, d)", "(d, c)", "(rowid)", "(c)"]),
    (
        "r2",
        &[
            "(a, b)",
            "(b COLLATE nocase, a)",
            "(c) WHERE b IS NOT NULL",
            "(c)",
        ],
    ),
    ("w", &["(k, n)", "(n, k)", "(u)"]),
    ("w1", &["(k)"]),
    ("rc", &["(a)", "(b)", "(d)", "(e)"]),
    ("st", &["(a)"]),
    ("ai", &["(id)", "(x)"]),
    ("plain", &["(a, b) WHERE c IS NOT NULL", "(rowid)"]),
    ("twin", &["(oid)"]),
    ("ge", &["(a)", "(c)", "(b)"]),
    ("gw", &["(k, v)", "(x) WHERE n > 4"]),
];

const VALUES: [&str; 16] = [
    "1", "2", "3", "4", "5", "NULL", "'a'", "'A'", "'b'", "'2'", "2.0", "2.5", "x'61'", "101",
    "-3", "'c'",
];

pub(crate) const OR: [&str; 9] = [
    "",
    "",
    "",
    "",
    "OR REPLACE",
    "OR IGNORE",
    "OR FAIL",
    "OR ABORT",
    "OR ROLLBACK",
];

type Table = (&'static str, &'static [&'static str]);

fn table(dice: &mut Dice) -> Table {
    TABLES[dice.below(TABLES.len())]
}

fn expr(dice: &mut Dice, columns: &[&'static str]) -> String {
    match dice.below(7) {
        0..=2 => dice.pick(&VALUES).to_owned(),
        3 => dice.pick(columns).to_owned(),
        4 => format!("{} + {}", dice.pick(columns), dice.below(3)),
        5 => format!("abs(coalesce({}, 1)) % 5", dice.pick(columns)),
        _ => format!("{} || '{}'", dice.pick(columns), dice.below(3)),
    }
}

fn condition(dice: &mut Dice, (name, columns): Table) -> String {
    let column = dice.pick(columns);
    match dice.below(9) {
        0 => format!("{column} = {}", dice.pick(&VALUES)),
        1 => format!("{column} > {}", dice.pick(&VALUES)),
        2 => format!("{column} IS NOT NULL"),
        3 => format!(
            "{column} BETWEEN {} AND {}",
            dice.pick(&VALUES),
            dice.pick(&VALUES)
        ),
        4 => format!(
            "{column} IN ({}, {})",
            dice.pick(&VALUES),
            dice.pick(&VALUES)
        ),
        5 => format!("{column} IN (SELECT {} FROM {name})", dice.pick(columns)),
        6 => {
            let other = dice.pick(columns);
            format!(
                "{column} = {} OR {other} = {}",
                dice.pick(&VALUES),
                dice.pick(&VALUES)
            )
        }
        7 => format!(
            "{column} < {} AND {} >= {}",
            dice.pick(&VALUES),
            dice.pick(columns),
            dice.pick(&VALUES)
        ),
        _ => "1".to_owned(),
    }
}

/// ON CONFLICT clauses, mostly none.
fn upserts(dice: &mut Dice, (name, columns): Table) -> String {
    let mut text = String::new();
    if dice.below(3) != 0 {
        return text;
    }
    let keys = KEYS.iter().find(|(table, _)| *table == name);
    let keys = keys.map_or(&[][..], |(_, keys)| keys);
    let count = 1 + dice.below(3);
    for i in 0..count {
        let key = if i + 1 == count && dice.below(3) == 0 {
            ""
        } else {
            dice.pick(keys)
        };
        let _ = write!(text, " ON CONFLICT{key} DO ");
        if dice.below(3) == 0 {
            text.push_str("NOTHING");
            continue;
        }
        let set: Vec<String> = (0..=dice.below(2))
            .map(|_| {
                let value = match dice.below(3) {
                    0 => format!("excluded.{}", dice.pick(columns)),
                    1 => format!(
                        "{name}.{} || excluded.{}",
                        dice.pick(columns),
                        dice.pick(columns)
                    ),
                    _ => expr(dice, columns),
                };
                format!("{} = {value}", dice.pick(columns))
            })
            .collect();
        let _ = write!(text, "UPDATE SET {}", set.join(", "));
        if dice.below(4) == 0 {
            let _ = write!(text, " WHERE {}", condition(dice, (name, columns)));
        }
    }
    text
}

/// RETURNING, mostly none.
fn returning(dice: &mut Dice, (name, columns): Table) -> String {
    match dice.below(12) {
        0 => " RETURNING *".to_owned(),
        1 => format!(
            " RETURNING {}, {} AS x, typeof({name}.{})",
            expr(dice, columns),
            dice.pick(columns),
            dice.pick(columns)
        ),
        2 => format!(
            " RETURNING {}, (SELECT count(*) FROM {name})",
            dice.pick(columns)
        ),
        _ => String::new(),
    }
}

fn insert(dice: &mut Dice) -> String {
    let (name, columns) = table(dice);
    let verb = match dice.below(8) {
        0 => "REPLACE".to_owned(),
        _ => format!("INSERT {}", dice.pick(&OR)),
    };
    if dice.below(12) == 0 {
        let returning = returning(dice, (name, columns));
        return format!("{verb} INTO {name} DEFAULT VALUES{returning}");
    }
    let named: Vec<&str> = if dice.below(3) == 0 {
        let start = dice.below(columns.len());
        let mut named: Vec<&str> = columns[start..].to_vec();
        if dice.below(2) == 0 {
            named.reverse();
        }
        named
    } else {
        columns.to_vec()
    };
    let list = if named.len() < columns.len() || dice.below(3) == 0 {
        format!("({})", named.join(", "))
    } else if named == columns {
        String::new()
    } else {
        format!("({})", named.join(", "))
    };
    if dice.below(3) == 0 {
        let (from, theirs) = table(dice);
        let values: Vec<String> = named.iter().map(|_| expr(dice, theirs)).collect();
        let values = if list.is_empty() && theirs.len() == columns.len() && dice.below(2) == 0 {
            "*".to_owned()
        } else {
            values.join(", ")
        };
        let filter = if dice.below(3) == 0 {
            String::new()
        } else {
            format!(" WHERE {}", condition(dice, (from, theirs)))
        };
        let mut clauses = upserts(dice, (name, columns));
        if !clauses.is_empty() && filter.is_empty() {
            clauses = format!(" WHERE true{clauses}");
        }
        let returning = returning(dice, (name, columns));
        return format!(
            "{verb} INTO {name}{list} SELECT {values} FROM {from}{filter}{clauses}{returning}"
        );
    }
    let rows: Vec<String> = (0..=dice.below(3))
        .map(|_| {
            let row: Vec<&str> = named.iter().map(|_| dice.pick(&VALUES)).collect();
            format!("({})", row.join(", "))
        })
        .collect();
    let clauses = upserts(dice, (name, columns));
    let returning = returning(dice, (name, columns));
    let rows = rows.join(", ");
    format!("{verb} INTO {name}{list} VALUES {rows}{clauses}{returning}")
}

fn update(dice: &mut Dice) -> String {
    let (name, columns) = table(dice);
    let count = 1 + dice.below(2);
    let set: Vec<String> = (0..count)
        .map(|_| format!("{} = {}", dice.pick(columns), expr(dice, columns)))
        .collect();
    let filter = match dice.below(5) {
        0 => String::new(),
        _ => format!(" WHERE {}", condition(dice, (name, columns))),
    };
    let (or, set) = (dice.pick(&OR), set.join(", "));
    let returning = returning(dice, (name, columns));
    match dice.below(5) {
        0 => {
            let (from, theirs) = table(dice);
            let (mine, other) = (dice.pick(columns), dice.pick(theirs));
            // One row at most is found for each, or all of them bring the same.
            let source = format!(
                "(SELECT {other} AS q, max({}) AS m FROM {from} GROUP BY 1)",
                dice.pick(theirs)
            );
            format!(
                "UPDATE {or} {name} SET {} = m FROM {source} AS f WHERE f.q = {name}.{mine}{returning}",
                dice.pick(columns)
            )
        }
        1 => {
            let (a, b) = (dice.pick(columns), dice.pick(columns));
            let value = match dice.below(2) {
                0 => format!("({}, {})", expr(dice, columns), expr(dice, columns)),
                _ => format!(
                    "(SELECT {}, max({}) FROM {name} AS i WHERE i.{a} >= {name}.{a})",
                    dice.pick(&VALUES),
                    dice.pick(columns)
                ),
            };
            format!("UPDATE {or} {name} SET ({a}, {b}) = {value}{filter}{returning}")
        }
        _ => format!("UPDATE {or} {name} SET {set}{filter}{returning}"),
    }
}

fn delete(dice: &mut Dice) -> String {
    let (name, columns) = table(dice);
    let returning = returning(dice, (name, columns));
    match dice.below(12) {
        0 => format!("DELETE FROM {name}{returning}"),
        _ => format!(
            "DELETE FROM {name} WHERE {}{returning}",
            condition(dice, (name, columns))
        ),
    }
}

/// A statement.
pub fn draw(dice: &mut Dice) -> String {
    match dice.below(40) {
        0 => "BEGIN".to_owned(),
        1 => "COMMIT".to_owned(),
        2 => "ROLLBACK".to_owned(),
        3 => "SAVEPOINT s".to_owned(),
        4 => "RELEASE s".to_owned(),
        5 => "ROLLBACK TO s".to_owned(),
        6 => "CREATE INDEX IF NOT EXISTS extra ON r1(d, b)".to_owned(),
        7 => "DROP INDEX IF EXISTS extra".to_owned(),
        8 => {
            "CREATE UNIQUE INDEX IF NOT EXISTS extra2 ON plain(a, b) WHERE c IS NOT NULL".to_owned()
        }
        9 => "DROP INDEX IF EXISTS extra2".to_owned(),
        10..=24 => insert(dice),
        25..=33 => update(dice),
        _ => delete(dice),
    }
}
