//! What other threads may touch of an executor: its queue of tasks to run, and its door bell.
//!
//! ```text
//! any thread: Waker::wake ──► queue (mutex) ──► if the owner sleeps: eventfd ──► ring or ppoll ends
//! ```
//!
//! The owner says under the queue's lock that it goes to sleep, and only if the queue is empty, so
//! that no wake-up is lost and no system call is made for an owner that is awake.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake, Waker};

use crate::syscall;

/// Which task: index and generation, or the root future of a `block_on`.
pub(crate) type TaskKey = u64;
/// Set in the keys of root futures; the low bits are the depth of the `block_on`.
pub(crate) const ROOT: TaskKey = 1 << 63;

/// The part of an executor that is shared with other threads.
#[derive(Default)]
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    /// How many keys are queued; read without the lock.
    len: AtomicUsize,
    bell: OnceLock<OwnedFd>,
    remote: Mutex<Remote>,
}

#[derive(Default)]
struct Queue {
    keys: VecDeque<TaskKey>,
    sleeping: bool,
}

#[derive(Default)]
struct Remote {
    calls: u64,
    waiting: Vec<Waker>,
}

fn locked<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn push(&self, key: TaskKey) {
        let mut queue = locked(&self.queue);
        queue.keys.push_back(key);
        self.len.store(queue.keys.len(), Ordering::Release);
        self.ring_if_sleeping(queue);
    }

    fn ring_if_sleeping(&self, mut queue: MutexGuard<'_, Queue>) {
        let sleeping = std::mem::take(&mut queue.sleeping);
        drop(queue);
        if sleeping {
            if let Some(bell) = self.bell.get() {
                syscall::eventfd_signal(bell.as_fd());
            }
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    /// Moves all queued keys to `out`, which is empty.
    pub(crate) fn take(&self, out: &mut VecDeque<TaskKey>) {
        if self.is_empty() {
            return;
        }
        let mut queue = locked(&self.queue);
        std::mem::swap(&mut queue.keys, out);
        self.len.store(0, Ordering::Release);
    }

    /// The bell, made when first needed; `Err` is an errno.
    pub(crate) fn bell(&self) -> Result<BorrowedFd<'_>, i32> {
        if self.bell.get().is_none() {
            // Only the owner makes it, so that nobody can be first in between.
            let _ = self.bell.set(syscall::eventfd()?);
        }
        Ok(self.bell.get().expect("just made").as_fd())
    }

    /// Announces sleep; `false` where there is something to run after all.
    pub(crate) fn go_to_sleep(&self) -> bool {
        let mut queue = locked(&self.queue);
        queue.sleeping = queue.keys.is_empty();
        queue.sleeping
    }

    pub(crate) fn wake_up(&self) {
        locked(&self.queue).sleeping = false;
    }

    /// How often a [`RemoteWaker`] was used; registers the waker if that is still `seen`.
    pub(crate) fn remote_calls(&self, seen: u64, waker: Option<&Waker>) -> u64 {
        let mut remote = locked(&self.remote);
        if remote.calls == seen {
            if let Some(waker) = waker {
                if !remote.waiting.iter().any(|w| w.will_wake(waker)) {
                    remote.waiting.push(waker.clone());
                }
            }
        }
        remote.calls
    }
}

/// Wakes one task, or one root future.
pub(crate) struct TaskWaker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) key: TaskKey,
    /// Whether the key is in the queue already.
    pub(crate) queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.shared.push(self.key);
        }
    }
}

/// Wakes an executor from another thread: whoever awaits [`IoHandle::remote_woken`] there goes on.
///
/// [`IoHandle::remote_woken`]: crate::IoHandle::remote_woken
#[derive(Clone)]
pub struct RemoteWaker(pub(crate) Arc<Shared>);

impl RemoteWaker {
    /// Wakes the executor. Costs a system call only where its thread sleeps.
    pub fn wake(&self) {
        let waiting = {
            let mut remote = locked(&self.0.remote);
            remote.calls += 1;
            std::mem::take(&mut remote.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
        self.0.ring_if_sleeping(locked(&self.0.queue));
    }
}

impl fmt::Debug for RemoteWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteWaker")
    }
}
