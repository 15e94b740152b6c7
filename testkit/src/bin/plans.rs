//! Compares EXPLAIN QUERY PLAN with stock SQLite's: `plans [--random N] [--show N] [CORPUS...]`. Prints the agreement
//! for each corpus, and the first N differences.

use std::process::ExitCode;

use ringwood_testkit::plans::{Outcome, compare, corpora};

fn main() -> ExitCode {
    let (mut random, mut show, mut names) = (500, 10, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        match arg.as_str() {
            "--random" => random = number(),
            "--show" => show = number(),
            _ => names.push(arg),
        }
    }
    let dir = std::env::temp_dir().join(format!("ringwood-plans-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary folder");
    let mut shown = Vec::new();
    for corpus in corpora(random) {
        if !names.is_empty() && !names.contains(&corpus.name) {
            continue;
        }
        let mut outcome = Outcome::default();
        if let Err(e) = compare(&corpus, &dir, &mut outcome) {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
        let same = outcome.count - outcome.differences.len();
        println!(
            "{:<16} {same} of {} plans are the same",
            corpus.name, outcome.count
        );
        shown.extend(outcome.differences);
    }
    for d in shown.iter().take(show) {
        println!(
            "\n-- {}\n{}\nsqlite:\n{}ringwood:\n{}",
            d.corpus, d.sql, d.expected, d.got
        );
    }
    // The databases are of no further use.
    let _ = std::fs::remove_dir_all(dir);
    ExitCode::SUCCESS
}
