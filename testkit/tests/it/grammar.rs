//! A short run of histories over the whole grammar; `differ` runs long ones.

use ringwood_testkit::grammar::{Options, run, shrink};

/// How many statements each history has after its schema.
const LENGTH: usize = 100;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default)
}

#[test]
fn histories_over_the_grammar() {
    let first = number("SEED", 1);
    let mut answered = 0;
    for seed in first..first + number("HISTORIES", 150) {
        let found = run(Options {
            seed,
            statements: LENGTH,
        });
        answered += found.answered;
        if let Some(difference) = found.difference {
            let (history, again) = shrink(&found.history);
            panic!(
                "seed {seed}: {}\n{}",
                again.map_or(difference.what, |d| d.what),
                history.join(";\n")
            );
        }
    }
    assert!(answered > 1000, "the generator draws what can be run");
}
