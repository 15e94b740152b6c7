//! Calls functions with drawn arguments on stock SQLite and on Ringwood: `calls [TOPIC|all [COUNT [SEED]]]`.
//! Prints the differences of different kinds, up to 40; exits with 1 where there is one.

use std::collections::HashSet;
use std::process::ExitCode;

use ringwood_testkit::calls::TOPICS;
use ringwood_testkit::compare::compare;
use ringwood_testkit::queries::Dice;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

fn main() -> ExitCode {
    let mut given = std::env::args().skip(1);
    let wanted = given.next().unwrap_or_else(|| "all".to_owned());
    let number = |text: Option<String>, default: u64| {
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let count = number(given.next(), 100_000);
    let seed = number(given.next(), 1);
    let (mut stock, mut ours) = (Sqlite::memory(), Ringwood::memory());
    let mut found = 0u64;
    let mut kinds: HashSet<String> = HashSet::new();
    for (name, draw) in TOPICS {
        if wanted != "all" && wanted != name {
            continue;
        }
        let mut dice = Dice::new(seed);
        for _ in 0..count {
            let sql = draw(&mut dice);
            let Some(difference) = compare(&mut stock, &mut ours, &sql) else {
                continue;
            };
            found += 1;
            let function: String = sql.chars().take_while(|c| *c != '(').collect();
            let what: String = difference
                .what
                .chars()
                .filter(|c| c.is_alphabetic())
                .take(30)
                .collect();
            if kinds.len() < 40 && kinds.insert(format!("{function} {what}")) {
                println!("{difference}");
            }
        }
    }
    println!("{found} differences");
    if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
