//! Generated schemas with triggers and foreign keys, and statements that set them off, for comparing engines.
//!
//! Rules:
//! 1. The same seed gives the same schema and the same statements.
//! 2. Every trigger notes that it fired in `log` and stops when that is long: whatever sets off what, it ends.
//! 3. Keys refer to a unique key of any table, also of the own one, with any action, immediate or deferred.
//! 4. Values are few, so that they collide, and rows have parents.
//! 5. SET NULL is left to the scripts: where it was set off within a statement, stock SQLite does not look for the parents
//!    of rows that the statement puts in afterwards.

use crate::changes::OR;
use crate::queries::Dice;
use std::fmt::Write as _;

/// The tables that triggers and keys are about.
pub const TABLES: [&str; 4] = ["a", "b", "c", "w"];

const COLUMNS: [&str; 4] = ["k", "x", "y", "z"];
const VALUES: [&str; 10] = ["1", "2", "3", "4", "5", "NULL", "'2'", "3.0", "'x'", "7"];
const ACTIONS: [&str; 6] = [
    "",
    "NO ACTION",
    "RESTRICT",
    "CASCADE",
    "SET DEFAULT",
    "CASCADE",
];

/// What makes the schema.
pub fn schema(dice: &mut Dice) -> Vec<String> {
    let mut script = vec![
        "PRAGMA foreign_keys=ON".to_owned(),
        "CREATE TABLE log(n INTEGER PRIMARY KEY, e, p, q)".to_owned(),
    ];
    for table in TABLES {
        let key = match table {
            "a" => "k INTEGER PRIMARY KEY, x INT, y, z TEXT DEFAULT 2",
            "b" => "k INTEGER PRIMARY KEY AUTOINCREMENT, x, y INT DEFAULT 3, z UNIQUE",
            "c" => "k UNIQUE, x REAL, y, z DEFAULT 1, UNIQUE(x, y)",
            _ => "k PRIMARY KEY, x UNIQUE, y DEFAULT 1, z",
        };
        let mut keys = String::new();
        for _ in 0..dice.below(3) {
            keys += &foreign_key(dice);
        }
        let without = if table == "w" { " WITHOUT ROWID" } else { "" };
        script.push(format!("CREATE TABLE {table}({key}{keys}){without}"));
        if dice.below(2) == 0 {
            let column = dice.pick(&COLUMNS);
            script.push(format!(
                "CREATE INDEX {table}_{column} ON {table}({column})"
            ));
        }
    }
    script.push("CREATE VIEW v AS SELECT a.k AS k, a.x AS x, b.y AS y, b.z AS z FROM a LEFT JOIN b ON a.k = b.k".to_owned());
    for i in 0..2 + dice.below(5) {
        script.push(trigger(dice, i));
    }
    script
}

fn foreign_key(dice: &mut Dice) -> String {
    let (columns, parent) = match dice.below(6) {
        0 => ("x, y", "c(x, y)"),
        1 => ("y", "b(z)"),
        2 => ("z", "w"),
        3 => ("y", "a"),
        4 => ("x", "w(x)"),
        _ => ("z", "c(k)"),
    };
    let mut text = format!(", FOREIGN KEY({columns}) REFERENCES {parent}");
    for when in ["DELETE", "UPDATE"] {
        let action = dice.pick(&ACTIONS);
        if !action.is_empty() {
            let _ = write!(text, " ON {when} {action}");
        }
    }
    if dice.below(3) == 0 {
        text += " DEFERRABLE INITIALLY DEFERRED";
    }
    text
}

/// CREATE TRIGGER.
fn trigger(dice: &mut Dice, number: usize) -> String {
    let of_view = dice.below(6) == 0;
    let table = if of_view { "v" } else { dice.pick(&TABLES) };
    let time = match dice.below(2) {
        _ if of_view => "INSTEAD OF",
        0 => "BEFORE",
        _ => "AFTER",
    };
    let (event, rows): (String, &[&str]) = match dice.below(4) {
        0 => ("INSERT".into(), &["new"]),
        1 => ("DELETE".into(), &["old"]),
        2 => ("UPDATE".into(), &["new", "old"]),
        _ => (
            format!("UPDATE OF {}, {}", dice.pick(&COLUMNS), dice.pick(&COLUMNS)),
            &["old", "new"],
        ),
    };
    let temp = if dice.below(6) == 0 { "TEMP " } else { "" };
    let more = match dice.below(4) {
        0 => format!(" AND {}.{} > 1", dice.pick(rows), dice.pick(&COLUMNS)),
        1 => format!(
            " AND {}.{} IS NOT {}.{}",
            dice.pick(rows),
            dice.pick(&COLUMNS),
            dice.pick(rows),
            dice.pick(&COLUMNS)
        ),
        _ => String::new(),
    };
    let mut body = format!(
        "INSERT INTO log(e, p, q) VALUES('{number}', {}, {}); ",
        value(dice, rows),
        value(dice, rows)
    );
    for _ in 0..=dice.below(2) {
        body += &step(dice, rows);
        body += "; ";
    }
    format!(
        "CREATE {temp}TRIGGER t{number} {time} {event} ON {table} \
         WHEN (SELECT count(*) FROM log) < 40{more} BEGIN {body}END"
    )
}

fn value(dice: &mut Dice, rows: &[&str]) -> String {
    match dice.below(4) {
        0 => dice.pick(&VALUES).to_owned(),
        1 if !rows.is_empty() => {
            format!(
                "coalesce({}.{}, 0) + 1",
                dice.pick(rows),
                dice.pick(&COLUMNS)
            )
        }
        _ if !rows.is_empty() => format!("{}.{}", dice.pick(rows), dice.pick(&COLUMNS)),
        _ => dice.pick(&VALUES).to_owned(),
    }
}

/// A statement of a trigger's body.
fn step(dice: &mut Dice, rows: &[&str]) -> String {
    let table = dice.pick(&TABLES);
    match dice.below(9) {
        0..=2 => insert(dice, table, rows),
        3..=5 => update(dice, table, rows),
        6 => format!("DELETE FROM {table} WHERE {}", condition(dice, rows)),
        7 => format!(
            "UPDATE log SET q = changes(), p = last_insert_rowid() WHERE n = {}",
            1 + dice.below(20)
        ),
        _ => {
            let raise = match dice.below(5) {
                0 => "RAISE(ABORT, 'abort')",
                1 => "RAISE(FAIL, 'fail')",
                2 => "RAISE(ROLLBACK, 'rollback')",
                _ => "RAISE(IGNORE)",
            };
            format!("SELECT {raise} WHERE {} = 3", value(dice, rows))
        }
    }
}

fn condition(dice: &mut Dice, rows: &[&str]) -> String {
    let column = dice.pick(&COLUMNS);
    match dice.below(4) {
        0 => format!("{column} > {}", value(dice, rows)),
        1 => format!("{column} IN ({}, {})", value(dice, rows), value(dice, rows)),
        _ => format!("{column} = {}", value(dice, rows)),
    }
}

fn insert(dice: &mut Dice, table: &str, rows: &[&str]) -> String {
    let verb = match dice.below(8) {
        0 => "REPLACE".to_owned(),
        _ => format!("INSERT {}", dice.pick(&OR)),
    };
    if dice.below(6) == 0 {
        let from = dice.pick(&TABLES);
        return format!(
            "{verb} INTO {table}(k, x, y, z) SELECT k + {}, x, {}, z FROM {from} WHERE {}",
            dice.below(4),
            value(dice, rows),
            condition(dice, rows)
        );
    }
    let count = 1 + dice.below(2);
    let row = |dice: &mut Dice| {
        let cells: Vec<String> = COLUMNS.iter().map(|_| value(dice, rows)).collect();
        format!("({})", cells.join(", "))
    };
    let values: Vec<String> = (0..count).map(|_| row(dice)).collect();
    format!(
        "{verb} INTO {table}(k, x, y, z) VALUES {}",
        values.join(", ")
    )
}

fn update(dice: &mut Dice, table: &str, rows: &[&str]) -> String {
    let mut set = format!("{} = {}", dice.pick(&COLUMNS), value(dice, rows));
    if dice.below(3) == 0 {
        let column = dice.pick(&COLUMNS);
        let _ = write!(set, ", {column} = {column} + 1");
    }
    let filter = match dice.below(4) {
        0 => String::new(),
        _ => format!(" WHERE {}", condition(dice, rows)),
    };
    format!("UPDATE {} {table} SET {set}{filter}", dice.pick(&OR))
}

/// A statement.
pub fn draw(dice: &mut Dice) -> String {
    let table = match dice.below(8) {
        0 => "v",
        _ => dice.pick(&TABLES),
    };
    match dice.below(48) {
        0 => "BEGIN".to_owned(),
        1 | 2 => "COMMIT".to_owned(),
        3 => "ROLLBACK".to_owned(),
        4 => "SAVEPOINT s".to_owned(),
        5 => "RELEASE s".to_owned(),
        6 => "ROLLBACK TO s".to_owned(),
        7 => "PRAGMA recursive_triggers = ON".to_owned(),
        8 => "PRAGMA recursive_triggers = OFF".to_owned(),
        9 => "PRAGMA defer_foreign_keys = ON".to_owned(),
        10 => format!("PRAGMA foreign_key_check({})", dice.pick(&TABLES)),
        11 => format!("DROP TRIGGER IF EXISTS t{}", dice.below(7)),
        12 => {
            let number = 10 + dice.below(3);
            trigger(dice, number)
        }
        13..=15 => "DELETE FROM log".to_owned(),
        16..=18 => format!("DELETE FROM {table} WHERE {}", condition(dice, &[])),
        19 => format!("DELETE FROM {table}"),
        20..=29 => update(dice, table, &[]),
        _ => insert(dice, table, &[]),
    }
}
