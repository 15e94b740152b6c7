//! Generated statements that change tables, for comparing engines: every conflict action on every kind of constraint.
//!
//! Rules:
//! 1. The same seed gives the same statements.
//! 2. Statements go to the tables of [`SCRIPT`]: rowid tables with and without INTEGER PRIMARY KEY, AUTOINCREMENT, WITHOUT
//!    ROWID, STRICT; NOT NULL, CHECK, UNIQUE with conflict clauses of their own; partial and expression indexes.
//! 3. Values are few, so that they collide.
//! 4. A UNIQUE constraint of a WITHOUT ROWID table is an index made afterwards: of those made with the table, stock SQLite
//!    does not notice that they cover the primary key, and so takes rows in another order.

use crate::queries::Dice;

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
";

/// Each table with its columns.
pub const TABLES: [(&str, &[&str]); 9] = [
    ("r1", &["a", "b", "c", "d"]),
    ("r2", &["a", "b", "c", "d"]),
    ("w", &["k", "n", "v", "u"]),
    ("w1", &["k", "v"]),
    ("rc", &["a", "b", "c", "d", "e"]),
    ("st", &["a", "b", "c", "d"]),
    ("ai", &["id", "x", "y"]),
    ("plain", &["a", "b", "c"]),
    ("twin", &["a", "b", "c"]),
];

const VALUES: [&str; 16] = [
    "1", "2", "3", "4", "5", "NULL", "'a'", "'A'", "'b'", "'2'", "2.0", "2.5", "x'61'", "101",
    "-3", "'c'",
];

const OR: [&str; 9] = [
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

fn insert(dice: &mut Dice) -> String {
    let (name, columns) = table(dice);
    let verb = match dice.below(8) {
        0 => "REPLACE".to_owned(),
        _ => format!("INSERT {}", dice.pick(&OR)),
    };
    if dice.below(12) == 0 {
        return format!("{verb} INTO {name} DEFAULT VALUES");
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
        return format!("{verb} INTO {name}{list} SELECT {values} FROM {from}{filter}");
    }
    let rows: Vec<String> = (0..=dice.below(3))
        .map(|_| {
            let row: Vec<&str> = named.iter().map(|_| dice.pick(&VALUES)).collect();
            format!("({})", row.join(", "))
        })
        .collect();
    format!("{verb} INTO {name}{list} VALUES {}", rows.join(", "))
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
    format!(
        "UPDATE {} {name} SET {}{filter}",
        dice.pick(&OR),
        set.join(", ")
    )
}

fn delete(dice: &mut Dice) -> String {
    let (name, columns) = table(dice);
    match dice.below(12) {
        0 => format!("DELETE FROM {name}"),
        _ => format!(
            "DELETE FROM {name} WHERE {}",
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
