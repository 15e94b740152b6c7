//! Triggers and foreign keys, on both engines: generated schemas, and statements that set them off.
//!
//! `EFFECTS=n` draws n schemas, `SEED=s` begins elsewhere. A difference is shrunk to the statements that it needs.

use ringwood_testkit::compare::{Difference, compare};
use ringwood_testkit::effects::{TABLES, draw, schema};
use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::queries::Dice;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

/// Statements for each schema.
const STATEMENTS: usize = 60;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The first difference of a history: the statement's number, and what differs.
fn first_difference(history: &[String]) -> Option<(usize, Difference)> {
    let (mut stock, mut ringwood) = (Sqlite::memory(), Ringwood::memory());
    for (at, sql) in history.iter().enumerate() {
        let mut difference = compare(&mut stock, &mut ringwood, sql);
        if at % 4 == 3 || at + 1 == history.len() {
            difference = difference.or_else(|| same_contents(&mut stock, &mut ringwood));
        }
        if let Some(difference) = difference {
            return Some((at, difference));
        }
    }
    None
}

fn same_contents(stock: &mut Sqlite, ringwood: &mut Ringwood) -> Option<Difference> {
    let mut tables = TABLES.to_vec();
    tables.extend(["log", "sqlite_sequence"]);
    tables.into_iter().find_map(|table| {
        let sql = format!("SELECT * FROM {table}");
        compare(stock, ringwood, &sql)
    })
}

/// Leaves out what the difference does not need.
fn shrink(mut history: Vec<String>) -> (Vec<String>, Difference) {
    let (at, mut difference) = first_difference(&history).expect("the history differs");
    history.truncate(at + 1);
    let mut from = history.len();
    // The first turns the keys on, which only one of the engines does by itself.
    while from > 1 {
        from -= 1;
        let mut shorter = history.clone();
        shorter.remove(from);
        if let Some((at, other)) = first_difference(&shorter) {
            shorter.truncate(at + 1);
            (history, difference) = (shorter, other);
            from = from.min(history.len());
        }
    }
    (history, difference)
}

#[test]
fn generated_triggers_and_foreign_keys() {
    let first = number("SEED", 1);
    for seed in first..first + number("EFFECTS", 150) {
        let mut dice = Dice::new(seed);
        let mut history = schema(&mut dice);
        history.extend((0..STATEMENTS).map(|_| draw(&mut dice)));
        if first_difference(&history).is_some() {
            let (history, difference) = shrink(history);
            panic!("SEED={seed}\n{};\n\n{difference}", history.join(";\n"));
        }
    }
}

#[test]
fn triggers_leave_whole_files() {
    let path = std::env::temp_dir().join(format!("ringwood-effects-{}.db", std::process::id()));
    for seed in 5000..5010 {
        let _ = std::fs::remove_file(&path);
        let mut dice = Dice::new(seed);
        let mut ringwood = Ringwood::open(&path).unwrap();
        let mut history = schema(&mut dice);
        history.extend((0..STATEMENTS).map(|_| draw(&mut dice)));
        for sql in history {
            let _ = ringwood.run(&sql);
        }
        let _ = ringwood.run("COMMIT");
        drop(ringwood);
        let mut stock = Sqlite::open(&path).unwrap();
        let answer = stock.run("PRAGMA integrity_check").unwrap();
        assert_eq!(
            answer.rows,
            [vec![Cell::Text(b"ok".to_vec())]],
            "SEED={seed}"
        );
    }
    let _ = std::fs::remove_file(&path);
}
