//! The simulator in the usual run: seeds, the corpus of what it found, and what is broken on purpose.

use ringwood_testkit::sim::scenario::Mutation;
use ringwood_testkit::sim::{Scenario, Settings, run, run_seeds};

/// How many seeds; `RINGWOOD_SEEDS` says otherwise.
fn seed_count() -> u64 {
    let asked = std::env::var("RINGWOOD_SEEDS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(2000)
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_breaks() {
    let (done, sum, failures) = run_seeds(0..seed_count(), 2, &Settings::default(), 3);
    let told: Vec<String> = failures
        .iter()
        .map(|(seed, failure)| format!("sim --seed {seed} --shrink: {failure}"))
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert_eq!(done, seed_count());
    // It did something.
    assert!(sum.commits > done && sum.cuts > done / 3 && sum.given_up > 0 && sum.stock_checks > 0);
}

#[test]
fn many_who_commit_at_once_lose_nothing() {
    let settings = Settings {
        crowd: true,
        processes: 2,
        ..Settings::default()
    };
    let (done, sum, failures) = run_seeds(0..seed_count() / 2, 2, &settings, 3);
    let told: Vec<String> = failures
        .iter()
        .map(|(seed, failure)| {
            format!("sim --crowd --processes 2 --seed {seed} --shrink: {failure}")
        })
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(sum.commits > 4 * done && sum.cuts > done / 3 && sum.given_up > 0);
    // What is only seen when it is durable is missed if it is not.
    let broken = Settings {
        mutation: Mutation::NoLogSync,
        ..settings
    };
    let (_, _, failures) = run_seeds(0..500, 2, &broken, 1);
    assert!(!failures.is_empty(), "a log that is not synced is clean");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..60 {
        let scenario = Scenario::of_seed(seed, &Settings::default());
        assert_eq!(run(&scenario), run(&scenario), "seed {seed}");
    }
}

#[test]
fn what_is_left_out_is_noticed() {
    let mutations = [
        Mutation::NoLogSync,
        Mutation::NoJournalSync,
        Mutation::NoCheckpointSync,
        Mutation::NoChecksum,
        Mutation::SynchronousOff,
    ];
    for mutation in mutations {
        let settings = Settings {
            mutation,
            ..Settings::default()
        };
        let (done, _, failures) = run_seeds(0..1000, 2, &settings, 1);
        assert!(!failures.is_empty(), "{mutation:?}: {done} seeds are clean");
        println!("{mutation:?}: {} ({done} seeds)", failures[0].1);
    }
}

#[test]
fn what_was_found_once_stays_fixed() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sim");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).expect("the corpus is there") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let scenario: Scenario = serde_json::from_str(&text).expect("a scenario");
        if let Err(failure) = run(&scenario) {
            panic!("sim --scenario {}: {failure}", path.display());
        }
        count += 1;
    }
    assert!(count >= 5, "{count} scenarios");
}
