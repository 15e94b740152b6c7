//! Waiting for a lock that somebody else holds: `busy_timeout`.
//!
//! Source: SQLite's `sqliteDefaultBusyCallback`, whose delays these are.

use std::time::Duration;

use ringwood_vdbe::{Error, ResultCode};

use super::Inner;

/// How long each wait takes, in milliseconds; the last for all that follow.
const DELAYS_MS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/// What a call has waited so far.
#[derive(Debug, Default)]
pub(super) struct Patience {
    waits: usize,
    waited: Duration,
}

impl Patience {
    /// The next wait; it counts as waited.
    pub(super) fn delay(&mut self) -> Duration {
        let ms = DELAYS_MS[self.waits.min(DELAYS_MS.len() - 1)];
        self.waits += 1;
        let delay = Duration::from_millis(ms);
        self.waited += delay;
        delay
    }
}

impl Inner {
    /// Whether an error is a lock that is worth waiting for once more. A snapshot that is too old to be written on
    /// stays so.
    pub(super) fn waits_for(&self, error: &Error, patience: &mut Patience) -> bool {
        error.code.primary() == ResultCode::BUSY
            && error.code != ResultCode::BUSY_SNAPSHOT
            && patience.waited < self.busy_timeout.get()
    }
}
