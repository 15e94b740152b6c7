//! What is counted for the whole process (threads, open databases), so that only one test at a time may run in it.

mod counters;
#[path = "../it/folder.rs"]
mod folder;
mod runtime;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lets one test after another go on.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
