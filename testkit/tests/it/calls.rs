//! Functions with drawn arguments answer as stock SQLite's do. `CALLS=n` draws n of each topic, `SEED=s` begins elsewhere.

use ringwood_testkit::calls::TOPICS;
use ringwood_testkit::compare::compare;
use ringwood_testkit::queries::Dice;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn calls_answer_alike() {
    let (mut stock, mut ours) = (Sqlite::memory(), Ringwood::memory());
    let mut differences = Vec::new();
    for (name, draw) in TOPICS {
        let mut dice = Dice::new(number("SEED", 1));
        for _ in 0..number("CALLS", 4000) {
            let sql = draw(&mut dice);
            let difference = compare(&mut stock, &mut ours, &sql);
            differences.extend(difference.map(|difference| format!("{name}: {difference}")));
        }
    }
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>();
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        shown.join("\n")
    );
}
