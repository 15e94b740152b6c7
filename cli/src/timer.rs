//! `.timer`: how long a line's statements took.

use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// A running measurement.
pub struct Timer {
    start: Instant,
    /// Microseconds (user, system).
    used: (i64, i64),
}

/// Processor time used so far, in microseconds: (user, system).
fn used() -> (i64, i64) {
    getrusage(UsageWho::RUSAGE_SELF).map_or((0, 0), |usage| {
        (
            usage.user_time().num_microseconds(),
            usage.system_time().num_microseconds(),
        )
    })
}

impl Timer {
    /// Starts.
    pub fn start() -> Timer {
        Timer {
            start: Instant::now(),
            used: used(),
        }
    }

    /// What has passed, as sqlite3's shell prints it.
    pub fn report(&self) -> String {
        let (user, system) = used();
        format!(
            "Run Time: real {:.3} user {:.6} sys {:.6}\n",
            self.start.elapsed().as_secs_f64(),
            (user - self.used.0) as f64 / 1e6,
            (system - self.used.1) as f64 / 1e6
        )
    }
}
