//! Generated queries on both engines: the same rows, and nearly always the same plan.
//!
//! `QUERIES=n` draws n of them, `SEED=s` begins elsewhere.

use ringwood_testkit::compare::{compare, plan_text};
use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::queries::{Dice, SCRIPT, STATISTICS, draw, draw_change, draw_condition};
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::selects;
use ringwood_testkit::sqlite::Sqlite;
use std::fmt::Write as _;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default)
}

/// The same file, made by stock SQLite, opened by both.
fn engines(name: &str, statistics: bool) -> (Sqlite, Ringwood) {
    let folder =
        std::env::temp_dir().join(format!("ringwood-queries-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let (theirs, ours) = (folder.join("theirs.db"), folder.join("ours.db"));
    {
        let mut maker = Sqlite::open(&theirs).unwrap();
        // Ringwood only writes to files with a log.
        maker.run("PRAGMA journal_mode=WAL").unwrap();
        maker.run(SCRIPT).unwrap();
        if statistics {
            maker.run(STATISTICS).unwrap();
        }
    }
    std::fs::copy(&theirs, &ours).unwrap();
    (
        Sqlite::open(&theirs).unwrap(),
        Ringwood::open(&ours).unwrap(),
    )
}

fn rows(name: &str, statistics: bool, depth: usize) {
    compare_rows(name, statistics, |dice| draw(dice, depth));
}

fn compare_rows(name: &str, statistics: bool, draw: impl Fn(&mut Dice) -> String) {
    let (mut theirs, mut ours) = engines(name, statistics);
    let mut dice = Dice::new(number("SEED", 1));
    let mut report = String::new();
    let count = number("QUERIES", 2000);
    let mut wrong = 0;
    for _ in 0..count {
        let query = draw(&mut dice);
        if let Some(difference) = compare(&mut theirs, &mut ours, &query) {
            wrong += 1;
            let _ = writeln!(report, "{difference}\n");
        }
    }
    assert!(wrong == 0, "{wrong} of {count} queries differ\n\n{report}");
}

#[test]
fn rows_are_equal() {
    rows("plain", false, 0);
}

#[test]
fn rows_are_equal_with_statistics() {
    rows("statistics", true, 0);
}

#[test]
fn rows_of_subqueries_are_equal() {
    rows("subqueries", false, 2);
}

#[test]
fn rows_of_windows_recursions_and_compounds_are_equal() {
    compare_rows("selects", false, |dice| selects::draw(dice, 0));
}

#[test]
fn rows_of_windows_recursions_and_compounds_are_equal_with_subqueries() {
    compare_rows("selects-statistics", true, |dice| selects::draw(dice, 1));
}

/// Updates and deletes by the same conditions: the same rows stay, and the indexes fit them.
fn changes(name: &str, statistics: bool, depth: usize) {
    let (mut theirs, mut ours) = engines(name, statistics);
    let mut dice = Dice::new(number("SEED", 1));
    let mut report = String::new();
    let count = number("QUERIES", 1000);
    let mut wrong = 0;
    for _ in 0..count {
        let (table, change) = draw_change(&mut dice, depth);
        let rows = format!("SELECT * FROM {table}");
        let steps = [
            "BEGIN",
            &change,
            &rows,
            "PRAGMA integrity_check",
            "ROLLBACK",
        ];
        // All of them run on both sides, whatever the first difference is.
        let differences: Vec<_> = steps
            .iter()
            .filter_map(|sql| compare(&mut theirs, &mut ours, sql))
            .collect();
        if let Some(difference) = differences.first() {
            wrong += 1;
            let _ = writeln!(report, "{change}\n{difference}\n");
        }
    }
    assert!(wrong == 0, "{wrong} of {count} changes differ\n\n{report}");
}

#[test]
fn changes_are_equal() {
    changes("changes", false, 0);
}

#[test]
fn changes_are_equal_with_statistics() {
    changes("changes-statistics", true, 0);
}

#[test]
fn changes_with_subqueries_are_equal() {
    changes("changes-subqueries", false, 2);
}

/// Lines of a plan, by depth; ids are addresses and differ.
fn plan(engine: &mut dyn Engine, query: &str) -> String {
    let answer = match engine.run(&format!("EXPLAIN QUERY PLAN {query}")) {
        Ok(answer) => answer,
        Err(e) => return e.to_string(),
    };
    plan_text(&answer)
}

fn plans(name: &str, statistics: bool) {
    let (mut theirs, mut ours) = engines(name, statistics);
    let own = ringwood::Optimizations::CORRELATED_INDEX;
    ours.connection.disable_optimizations(own);
    let mut dice = Dice::new(number("SEED", 1));
    let count = number("QUERIES", 2000) as usize;
    let mut report = String::new();
    let mut wrong = 0;
    for _ in 0..count {
        let query = draw(&mut dice, 0);
        let (a, b) = (plan(&mut theirs, &query), plan(&mut ours, &query));
        if a != b {
            wrong += 1;
            let _ = writeln!(report, "{query}\n--- stock\n{a}--- own\n{b}");
        }
    }
    assert!(
        wrong * 25 <= count,
        "{wrong} of {count} plans differ\n\n{report}"
    );
}

#[test]
fn plans_are_alike() {
    plans("plans", false);
}

#[test]
fn plans_are_alike_with_statistics() {
    plans("plans-statistics", true);
}

/// The same rows with each optimisation switched off, and with all of them off, as stock SQLite has with all of them.
fn switches(name: &str, draw: impl Fn(&mut Dice) -> String) {
    let (mut theirs, mut ours) = engines(name, true);
    let mut report = String::new();
    let mut wrong = 0;
    let count = number("QUERIES", 200);
    let all = ringwood::Optimizations::all();
    for (name, switch) in all.iter_names().chain([("ANY", all)]) {
        ours.connection.disable_optimizations(switch);
        let mut dice = Dice::new(number(
            "SEED",
            u64::from(switch.bits().trailing_zeros()) + 1,
        ));
        for _ in 0..count {
            let query = draw(&mut dice);
            if let Some(difference) = compare(&mut theirs, &mut ours, &query) {
                wrong += 1;
                let _ = writeln!(report, "without {name}: {difference}\n");
            }
        }
    }
    assert!(wrong == 0, "{wrong} queries differ\n\n{report}");
}

#[test]
fn switches_change_no_rows() {
    switches("switches", |dice| draw(dice, 1));
}

#[test]
fn switches_change_no_rows_of_whole_selects() {
    switches("switches-selects", |dice| selects::draw(dice, 1));
}

/// A switch that is off makes another program of a statement that its optimisation is for.
#[test]
fn switches_switch() {
    use ringwood::Optimizations as O;
    let mut ours = Ringwood::memory();
    ours.run(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b INT, c INT, d TEXT); CREATE INDEX t_b ON t(b);
         CREATE INDEX t_e ON t(abs(c)); CREATE TABLE u(x INT, y INT); CREATE INDEX u_y ON u(y);
         CREATE TABLE k(v INT, w INT); CREATE INDEX k_v ON k(v);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)
           INSERT INTO k SELECT iif(i%20=0, i, 1), i FROM n;
         ANALYZE k",
    )
    .unwrap();
    let cases = [
        (
            O::GROUP_BY_ORDER,
            "SELECT c, count(*) FROM t GROUP BY c ORDER BY c",
        ),
        (O::GROUP_BY_ORDER, "SELECT DISTINCT c FROM t ORDER BY c"),
        (
            O::TRANSITIVE,
            "SELECT * FROM t CROSS JOIN u WHERE t.b = u.y AND u.y > 5",
        ),
        (O::STAT4, "SELECT * FROM k WHERE v = 1"),
        (O::MIN_MAX, "SELECT min(b) FROM t"),
        (O::INDEXED_EXPR, "SELECT abs(c) FROM t WHERE abs(c) > 5"),
        (O::ONE_PASS, "DELETE FROM t WHERE c = 5"),
        (O::ONE_PASS, "UPDATE t SET c = 6 WHERE c = 5"),
        (
            O::ORDER_BY_SUBQUERY,
            "SELECT * FROM (SELECT b, c FROM t ORDER BY c LIMIT 10) ORDER BY c",
        ),
    ];
    for (switch, sql) in cases {
        let mut programs = [O::empty(), switch].map(|off| {
            ours.connection.disable_optimizations(off);
            let program = ours.run(&format!("EXPLAIN {sql}")).unwrap().rows;
            format!("{program:?}")
        });
        programs.sort();
        assert_ne!(programs[0], programs[1], "{switch:?}: {sql}");
    }
}

/// NoREC: as many rows pass a condition in WHERE, where indexes serve it, as it is true for where none can.
#[test]
fn where_and_result_agree() {
    let (_, mut ours) = engines("norec", true);
    let all = ringwood::Optimizations::all();
    let mut dice = Dice::new(number("SEED", 7));
    let mut report = String::new();
    for _ in 0..number("QUERIES", 600) {
        let (from, condition) = draw_condition(&mut dice, 1);
        let optimised = format!("SELECT count(*) FROM {from} WHERE {condition}");
        let plain = format!("SELECT total(({condition}) IS TRUE) FROM {from}");
        let a = ours.run(&optimised);
        ours.connection.disable_optimizations(all);
        let b = ours.run(&plain);
        ours.connection
            .disable_optimizations(ringwood::Optimizations::empty());
        let (Ok(a), Ok(b)) = (a, b) else { continue };
        let same = match (&a.rows[0][0], &b.rows[0][0]) {
            (Cell::Integer(a), Cell::Real(b)) => *a as f64 == *b,
            _ => false,
        };
        if !same {
            let _ = writeln!(report, "{optimised}\n{:?}\n{:?}\n", a.rows, b.rows);
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// TLP: every row is in exactly one of the parts where a condition is true, false, unknown.
#[test]
fn parts_make_the_whole() {
    let (_, mut ours) = engines("tlp", true);
    let mut dice = Dice::new(number("SEED", 11));
    let mut report = String::new();
    let sorted = |rows: Vec<Vec<Cell>>| {
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    for _ in 0..number("QUERIES", 600) {
        let (from, condition) = draw_condition(&mut dice, 1);
        let whole = ours.run(&format!("SELECT * FROM {from}"));
        let parts = ["", "NOT ", ""].map(|not| format!("{not}({condition})"));
        let parts = format!(
            "SELECT * FROM {from} WHERE {} UNION ALL SELECT * FROM {from} WHERE {}
             UNION ALL SELECT * FROM {from} WHERE {} IS NULL",
            parts[0], parts[1], parts[2]
        );
        let (Ok(a), Ok(b)) = (whole, ours.run(&parts)) else {
            continue;
        };
        if sorted(a.rows) != sorted(b.rows) {
            let _ = writeln!(report, "{parts}\n");
        }
    }
    assert!(report.is_empty(), "{report}");
}
