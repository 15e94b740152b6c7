//! The simulator: the whole engine on a machine that fails, checked against a model.
//!
//! ```text
//!  seed ──► Scenario ──► World ── turn by turn ──► Session ── SQL ──► engine ──► SimDisk
//!             │            │                          │                            │
//!             │            ├ kills, cuts the power    └ Model: who was told what   └ faults, crash images
//!             └ shrink ◄───┴ after each life: recover a copy, compare, integrity_check, stock SQLite
//! ```
//!
//! A *scenario* is a list of lives; a *life* is what happens from one start of the machine's programs to their end:
//! processes, each with connections, each with a list of actions. It ends with everything closed, with all processes
//! killed, or with a power cut at a given operation.
//!
//! Rules
//! 1. Everything random comes from the seed; [`Outcome::trace`] is equal for equal seeds.
//! 2. The model holds each version of the content that any transaction tried to commit, with its parent. What is read
//!    must be one of them, whole, and must descend from everything that was acknowledged before the reading began.
//! 3. After a power cut what is recovered must descend from everything that was acknowledged as durable: with
//!    `synchronous=FULL` each commit, with NORMAL what a complete checkpoint covered. Where the journal is deleted at
//!    the end it takes EXTRA.
//! 4. A commit that failed, was given up, or was under way when its process died may have happened or not.
//! 5. SQLITE_BUSY may always happen. Other errors may happen only where this life has faults or gave a step up. A
//!    corrupt database may never be found.
//! 6. Two files that a transaction changes, both with rollback journals, say the same whenever they are read together.
//!
//! | module | what |
//! |---|---|
//! | [`scenario`] | what is to happen: made from a seed, or read from a file |
//! | [`model`] | what may be seen |
//! | [`appends`] | what may be seen of rows that many append at once |
//! | `session` | a connection carrying out its actions |
//! | [`world`] | processes, turns, deaths, checks |
//! | [`shrink`] | the smallest scenario that still fails |

pub mod appends;
pub mod model;
pub mod scenario;
mod session;
pub mod shrink;
pub mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use scenario::{Scenario, Settings};
pub use world::Outcome;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In which life, from 0.
    pub life: usize,
    /// What was wrong.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "life {}: {}", self.life, self.message)
    }
}

thread_local! {
    static LIFE: Cell<usize> = const { Cell::new(0) };
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics of simulated runs are reported as failures; they need not be printed as they happen.
fn hush_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
}

/// Runs a scenario.
///
/// # Errors
/// What broke a rule; a panic counts.
pub fn run(scenario: &Scenario) -> Result<Outcome, Failure> {
    hush_panics();
    LIFE.set(0);
    QUIET.set(std::env::var_os("RINGWOOD_SIM_LOUD").is_none());
    let result = catch_unwind(AssertUnwindSafe(|| world::run(scenario)));
    QUIET.set(false);
    ringwood_format::wal::set_checksums_ignored(false);
    match result {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(message)) => Err(Failure {
            life: LIFE.get(),
            message,
        }),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(Failure {
                life: LIFE.get(),
                message: format!("panic: {}", text.unwrap_or_default()),
            })
        }
    }
}

/// Runs the scenarios of many seeds on several threads; stops at the first failure of each thread.
///
/// Returns how many seeds were run, what they did together, and the failures with their seeds.
pub fn run_seeds(
    seeds: std::ops::Range<u64>,
    threads: u64,
    settings: &Settings,
    failures_max: usize,
) -> (u64, Outcome, Vec<(u64, Failure)>) {
    let worker = |number: u64| {
        let (mut done, mut sum, mut failures) = (0, Outcome::default(), Vec::new());
        let mut seed = seeds.start + number;
        while seed < seeds.end && failures.len() < failures_max {
            done += 1;
            match run(&Scenario::of_seed(seed, settings)) {
                Ok(outcome) => sum.add(&outcome),
                Err(failure) => failures.push((seed, failure)),
            }
            seed += threads;
        }
        (done, sum, failures)
    };
    let mut total = (0, Outcome::default(), Vec::new());
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || worker(number)))
            .collect();
        for thread in started {
            let (done, sum, failures) = thread.join().expect("failures are caught");
            total.0 += done;
            total.1.add(&sum);
            total.2.extend(failures);
        }
    });
    total.2.sort_by_key(|(seed, _)| *seed);
    total
}
