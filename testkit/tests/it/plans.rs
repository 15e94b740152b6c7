//! EXPLAIN QUERY PLAN, word for word, over the corpora of plans.

use ringwood_testkit::plans::{Outcome, compare, corpora};
use std::fmt::Write as _;

/// In a hundred plans so many may differ: mostly indexes of equal cost and subqueries that are used again.
const DIFFERENT_MAX: usize = 2;

#[test]
fn plans_are_the_same() {
    let dir = std::env::temp_dir().join(format!("ringwood-plan-corpora-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut outcome = Outcome::default();
    for corpus in corpora(200) {
        compare(&corpus, &dir, &mut outcome).unwrap();
    }
    std::fs::remove_dir_all(&dir).unwrap();
    let mut report = String::new();
    for d in &outcome.differences {
        let _ = writeln!(
            report,
            "-- {}\n{}\nsqlite:\n{}ringwood:\n{}",
            d.corpus, d.sql, d.expected, d.got
        );
    }
    let wrong = outcome.differences.len();
    assert!(
        wrong * 100 <= outcome.count * DIFFERENT_MAX,
        "{wrong} of {} plans differ\n\n{report}",
        outcome.count
    );
}
