//! Both engines in one process: the CPU that a statement takes on each, and whether they agree.
//!
//! Rules:
//! 1. The clock is the CPU time of the whole process, kernel included: what an engine hands to a thread of its own or
//!    to the kernel counts.
//! 2. A figure is the least of several runs; what has taken two seconds is not run again.
//! 3. Numbers are equal when they differ by less than one part in a thousand million: sums in another order are.

use ringwood_testkit::engine::{Answer, Cell, Engine, EngineError};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The CPU time that this process has used.
pub fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// The CPU time since a reading of [`cpu`].
pub fn since(before: Duration) -> Duration {
    cpu().saturating_sub(before)
}

/// Rule 2: no more runs after this.
const ENOUGH: Duration = Duration::from_secs(2);

/// Runs some SQL several times (rule 2); the last answer, and the least CPU time.
pub fn measure(
    engine: &mut dyn Engine,
    sql: &str,
    runs: u32,
) -> (Result<Answer, EngineError>, Duration) {
    let mut best = Duration::MAX;
    let mut answer = Ok(Answer::default());
    let mut spent = Duration::ZERO;
    for _ in 0..runs.max(1) {
        let before = cpu();
        answer = engine.run(sql);
        let took = since(before);
        best = best.min(took);
        spent += took;
        if answer.is_err() || spent > ENOUGH {
            break;
        }
    }
    (answer, best)
}

/// Whether two answers are the same rows, in the same order unless `any_order`.
pub fn same_rows(a: &Answer, b: &Answer, any_order: bool) -> bool {
    if a.columns != b.columns || a.rows.len() != b.rows.len() {
        return false;
    }
    let equal = |a: &[Vec<Cell>], b: &[Vec<Cell>]| {
        let row = |(a, b): (&Vec<Cell>, &Vec<Cell>)| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_cell(a, b))
        };
        a.iter().zip(b).all(row)
    };
    if equal(&a.rows, &b.rows) {
        return true;
    }
    if !any_order {
        return false;
    }
    let sorted = |answer: &Answer| {
        let mut rows = answer.rows.clone();
        rows.sort_by_cached_key(|row| format!("{row:?}"));
        rows
    };
    equal(&sorted(a), &sorted(b))
}

fn same_cell(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Real(a), Cell::Real(b)) => {
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) || a.is_nan() && b.is_nan()
        }
        _ => a == b,
    }
}

/// Ratios of many loads: their geometric mean, and the largest.
#[derive(Clone, Debug, Default)]
pub struct Ratios(Vec<f64>);

impl Ratios {
    /// Adds one; returns it.
    pub fn push(&mut self, ours: Duration, theirs: Duration) -> f64 {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64().max(1e-9);
        self.0.push(ratio);
        ratio
    }

    /// The geometric mean; 1 of none.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.0.iter().map(|r| r.ln()).sum();
        (sum / self.0.len().max(1) as f64).exp()
    }

    /// The largest; 0 of none.
    pub fn largest(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

/// Milliseconds, for a table.
pub fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
