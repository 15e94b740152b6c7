//! Statements that write, on both engines: the same answers, errors, counts and contents, and files that stock SQLite
//! finds whole.
//!
//! `CHANGES=n` draws n statements, `SEED=s` begins elsewhere.

use ringwood_testkit::changes::{SCRIPT, TABLES, draw};
use ringwood_testkit::compare::{Difference, compare, run};
use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::queries::Dice;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;
use std::fmt::Write as _;
use std::path::PathBuf;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("ringwood-changes-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn report(differences: &[Difference]) -> String {
    differences
        .iter()
        .fold(String::new(), |mut text, difference| {
            let _ = writeln!(text, "{difference}\n");
            text
        })
}

/// Runs a script in memory, then on files, which stock SQLite looks at afterwards.
fn script(name: &str, text: &str) {
    let differences = run(&mut Sqlite::memory(), &mut Ringwood::memory(), text);
    assert!(
        differences.is_empty(),
        "in memory:\n{}",
        report(&differences)
    );

    let folder = Folder::new(name);
    let (theirs, ours) = (folder.0.join("theirs.db"), folder.0.join("ours.db"));
    let mut stock = Sqlite::open(&theirs).unwrap();
    stock.run("PRAGMA journal_mode=WAL").unwrap();
    let mut ringwood = Ringwood::open(&ours).unwrap();
    let skip = [
        "page_count",
        "database_list",
        "wal_checkpoint",
        "journal_mode",
    ];
    let text: String = text
        .lines()
        .filter(|line| !skip.iter().any(|word| line.contains(word)))
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        });
    let differences = run(&mut stock, &mut ringwood, &text);
    assert!(
        differences.is_empty(),
        "on files:\n{}",
        report(&differences)
    );
    drop(ringwood);
    whole(&ours);
}

/// Stock SQLite finds nothing wrong with a file.
fn whole(path: &std::path::Path) {
    let answer = Sqlite::open(path)
        .unwrap()
        .run("PRAGMA integrity_check")
        .unwrap();
    assert_eq!(answer.rows, [vec![Cell::Text(b"ok".to_vec())]]);
}

#[test]
fn statements_that_write() {
    script("statements", include_str!("../../scripts/changes.sql"));
}

#[test]
fn conflicts_and_transactions() {
    script("conflicts", include_str!("../../scripts/conflicts.sql"));
}

#[test]
fn generated_columns() {
    script(
        "generated",
        include_str!("../../scripts/generated_columns.sql"),
    );
}

#[test]
fn upserts() {
    script("upserts", include_str!("../../scripts/upsert.sql"));
}

#[test]
fn returning() {
    script("returning", include_str!("../../scripts/returning.sql"));
}

#[test]
fn upserts_and_returning_with_triggers_and_foreign_keys() {
    script(
        "with-triggers",
        include_str!("../../scripts/upsert_triggers.sql"),
    );
}

#[test]
fn updates_without_rowid() {
    script(
        "without-rowid",
        include_str!("../../scripts/without_rowid_update.sql"),
    );
}

#[test]
fn expression_indexes_that_cover() {
    script(
        "expression-index",
        include_str!("../../scripts/expression_index.sql"),
    );
}

#[test]
fn update_from_and_row_values() {
    script("update-from", include_str!("../../scripts/update_from.sql"));
}

#[test]
fn pragmas() {
    script("pragmas", include_str!("../../scripts/pragmas.sql"));
}

#[test]
fn triggers() {
    script("triggers", include_str!("../../scripts/triggers.sql"));
}

#[test]
fn foreign_keys() {
    script("keys", include_str!("../../scripts/foreign_keys.sql"));
}

#[test]
fn table_functions() {
    script(
        "table_functions",
        include_str!("../../scripts/table_functions.sql"),
    );
}

#[test]
fn altered_virtual_tables() {
    script(
        "altered_virtual_tables",
        include_str!("../../scripts/altered_virtual_tables.sql"),
    );
}

#[test]
fn virtual_tables() {
    script(
        "virtual_tables",
        include_str!("../../scripts/virtual_tables.sql"),
    );
}

#[test]
fn windows() {
    script("windows", include_str!("../../scripts/windows.sql"));
}

#[test]
fn automatic_indexes() {
    script(
        "automatic-indexes",
        include_str!("../../scripts/automatic_indexes.sql"),
    );
}

#[test]
fn row_lists() {
    script("row-lists", include_str!("../../scripts/row_lists.sql"));
}

#[test]
fn recursion() {
    script("recursion", include_str!("../../scripts/recursion.sql"));
}

#[test]
fn drawn() {
    script("drawn", include_str!("../../scripts/drawn.sql"));
}

#[test]
fn mistakes() {
    script("mistakes", include_str!("../../scripts/mistakes.sql"));
}

#[test]
fn selects() {
    script("selects", include_str!("../../scripts/selects.sql"));
}

#[test]
fn many_rows() {
    script("many", include_str!("../../scripts/many_rows.sql"));
}

/// Every table is the same on both sides, and ours is whole.
fn same_contents(stock: &mut Sqlite, ringwood: &mut Ringwood) -> Option<Difference> {
    for (name, columns) in TABLES {
        let sql = format!("SELECT * FROM {name} ORDER BY {}", columns.join(", "));
        if let Some(difference) = compare(stock, ringwood, &sql) {
            return Some(difference);
        }
    }
    compare(stock, ringwood, "PRAGMA integrity_check")
}

fn history(name: &str, seed: u64, count: u64) {
    let folder = Folder::new(&format!("{name}-{seed}"));
    let ours = folder.0.join("ours.db");
    let mut stock = Sqlite::memory();
    let mut ringwood = if name == "file" {
        Ringwood::open(&ours).unwrap()
    } else {
        Ringwood::memory()
    };
    let differences = run(&mut stock, &mut ringwood, SCRIPT);
    assert!(differences.is_empty(), "{}", report(&differences));
    let mut dice = Dice::new(seed);
    let mut before = Vec::new();
    for at in 0..count {
        let sql = draw(&mut dice);
        let mut difference = compare(&mut stock, &mut ringwood, &sql);
        before.push(sql);
        if difference.is_none() && at % 8 == 7 {
            difference = same_contents(&mut stock, &mut ringwood);
        }
        if let Some(difference) = difference {
            let last = before.len().saturating_sub(12);
            let path = std::env::temp_dir().join(format!("ringwood-history-{seed}.sql"));
            std::fs::write(&path, format!("{SCRIPT}{};\n", before.join(";\n"))).unwrap();
            panic!(
                "SEED={seed}, statement {at} (history in {}): {difference}\nafter\n{}",
                path.display(),
                before[last..].join(";\n")
            );
        }
    }
    let _ = (stock.run("COMMIT"), ringwood.run("COMMIT"));
    if let Some(difference) = same_contents(&mut stock, &mut ringwood) {
        panic!("SEED={seed}, at the end: {difference}");
    }
    if name == "file" {
        drop(ringwood);
        whole(&ours);
    }
}

#[test]
fn generated_histories_in_memory() {
    let seed = number("SEED", 1);
    for seed in seed..seed + number("CHANGES", 4000).div_ceil(500) {
        history("memory", seed, 500);
    }
}

#[test]
fn generated_histories_on_a_file() {
    let seed = number("SEED", 1000);
    for seed in seed..seed + number("CHANGES", 1000).div_ceil(500) {
        history("file", seed, 500);
    }
}
