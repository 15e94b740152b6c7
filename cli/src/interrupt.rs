//! Ctrl-C: stops the statement, and not the shell.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ringwood::InterruptHandle;

/// After so many without an effect the shell ends.
const PATIENCE: usize = 3;

/// What a SIGINT reaches.
#[derive(Clone, Default)]
pub struct Interrupts {
    seen: Arc<AtomicUsize>,
    target: Arc<Mutex<Option<InterruptHandle>>>,
}

impl Interrupts {
    /// Starts to listen.
    pub fn listen() -> Interrupts {
        let interrupts = Interrupts::default();
        let Ok(mut signals) = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT])
        else {
            return interrupts;
        };
        let heard = interrupts.clone();
        // The thread ends with the process. Without it Ctrl-C would do nothing, which is no reason not to start.
        let _ = std::thread::Builder::new()
            .name("interrupt".into())
            .spawn(move || {
                for _ in signals.forever() {
                    heard.hear();
                }
            });
        interrupts
    }

    fn hear(&self) {
        if self.seen.fetch_add(1, Ordering::AcqRel) + 1 >= PATIENCE {
            std::process::exit(1);
        }
        if let Some(target) = &*self.target.lock().unwrap_or_else(PoisonError::into_inner) {
            target.interrupt();
        }
    }

    /// What is to be stopped from now on.
    pub fn aim(&self, target: Option<InterruptHandle>) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Whether one came since the last [`clear`](Self::clear).
    pub fn came(&self) -> bool {
        self.seen.load(Ordering::Acquire) > 0
    }

    /// Forgets those that came.
    pub fn clear(&self) {
        self.seen.store(0, Ordering::Release);
    }
}
