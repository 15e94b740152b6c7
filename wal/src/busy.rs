//! What to do while somebody else holds a lock: `busy_timeout`, and the busy handler.
//!
//! | policy | a lock that is held |
//! |---|---|
//! | none | the error, at once |
//! | a timeout | asked again after 1, 2, 5, … milliseconds until it is over |
//! | a handler | asked again as long as it says so; it is told how often it was asked before |
//!
//! Rule: a transaction that reads already is not made to wait for the right to write: whoever writes makes its snapshot
//! an old one, so the wait would be in vain, and two that wait for each other would do so for ever.
//!
//! Source: SQLite's `sqliteDefaultBusyCallback`, whose delays these are, and `btreeInvokeBusyHandler`.

use ringwood_io::IoHandle;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

/// How long each wait takes, in milliseconds; the last for all that follow.
const DELAYS_MS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/// Told how often it was asked for the same lock; `true` to ask for the lock again.
pub type BusyHandler = Box<dyn FnMut(u32) -> bool>;

/// What a connection does while somebody else holds a lock: one for all of its transactions.
#[derive(Default)]
pub struct Busy {
    timeout: Cell<Duration>,
    handler: RefCell<Option<BusyHandler>>,
}

/// What was waited for one lock.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    waits: u32,
    waited: Duration,
}

impl Busy {
    /// `PRAGMA busy_timeout`: a handler is taken away.
    pub fn set_timeout(&self, timeout: Duration) {
        self.timeout.set(timeout);
        let before = self.handler.take();
        drop(before);
    }

    /// How long a lock is waited for.
    pub fn timeout(&self) -> Duration {
        self.timeout.get()
    }

    /// A handler instead of a timeout, or neither.
    pub fn set_handler(&self, handler: Option<BusyHandler>) {
        self.timeout.set(Duration::ZERO);
        let before = self.handler.replace(handler);
        drop(before);
    }

    /// How long to stand in line for a lock that is handed on in order.
    pub(crate) fn line_time(&self) -> Duration {
        self.timeout.get()
    }

    /// Waits a little; whether to ask for the lock again.
    pub(crate) async fn wait(&self, io: &IoHandle, patience: &mut Patience) -> bool {
        let count = patience.waits;
        patience.waits += 1;
        // Out of its cell, for it may set another one.
        if let Some(mut handler) = self.handler.take() {
            let again = handler(count);
            let mut slot = self.handler.borrow_mut();
            if slot.is_none() && self.timeout.get().is_zero() {
                *slot = Some(handler);
            }
            return again;
        }
        let left = self.timeout.get().saturating_sub(patience.waited);
        if left.is_zero() {
            return false;
        }
        let wish = DELAYS_MS[(count as usize).min(DELAYS_MS.len() - 1)];
        let delay = Duration::from_millis(wish).min(left);
        io.sleep(delay).await;
        patience.waited += delay;
        true
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Busy({:?})", self.timeout.get())
    }
}
