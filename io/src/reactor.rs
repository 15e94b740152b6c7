//! What lies between an operation's start and its completion.
//!
//! ```text
//! read().await ─► start(op) ─┬─ nothing else to do ──────────► perform now ──► ready at first poll
//!                            └─ else ► backlog ► driver ► in flight ► completion wakes the task
//!
//! slot:  Queued ──► InFlight ──► Done ──► free          (token = slot number and generation)
//!           │           │
//!           └ dropped:  Orphaned ──► free               the operation keeps its buffers till then
//! ```
//!
//! 1. *Inline when there is nothing else to run, the ring as soon as there are two things to wait
//!    for.* An operation is performed at once where no task is runnable, none is in flight or
//!    queued, and no [`Gather`] is open; also where the executor is not running, the file is in
//!    memory or the driver performs at once anyway. An operation that is alone when the executor
//!    would go to sleep is performed inline too.
//! 2. Operations started in one go (several futures polled, or a `Gather` open) reach the kernel
//!    in one system call.
//! 3. Back-pressure is internal: what the driver has no room for waits in the backlog, in order.
//! 4. A future that is dropped leaves its slot orphaned. What was not handed to the driver is not
//!    performed; what was, may be.
//! 5. Operations have no order among each other unless one was started after the other completed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::driver::{Clock, Driver, Io, Names, Wait};
use crate::executor::Executor;
use crate::op::{Done, Op};
use crate::stats::{Counters, add};
use crate::{Arena, IoHandle};

/// Everything behind a handle.
pub(crate) struct Reactor {
    pub(crate) driver: RefCell<Driver>,
    pub(crate) names: Names,
    pub(crate) clock: Clock,
    pub(crate) rng: Cell<u64>,
    pub(crate) arena: Arena,
    pub(crate) counters: Rc<Counters>,
    pub(crate) slots: RefCell<Slots>,
    pub(crate) backlog: RefCell<VecDeque<(u64, Op)>>,
    pub(crate) in_flight: Cell<usize>,
    pub(crate) gathering: Cell<u32>,
    /// Scratch for completions, kept for its capacity.
    pub(crate) completed: RefCell<Vec<Done>>,
    pub(crate) exec: Executor,
}

#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    state: SlotState,
}

enum SlotState {
    Free,
    /// In the backlog or with the driver; whom to wake.
    Pending(Option<Waker>),
    /// As `Pending`, but nobody waits any more.
    Orphaned,
    Done(Done),
}

impl Slots {
    fn insert(&mut self) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                state: SlotState::Free,
            });
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        slot.state = SlotState::Pending(None);
        u64::from(slot.generation) << 32 | u64::from(index)
    }

    fn get(&mut self, token: u64) -> &mut SlotState {
        let slot = &mut self.slots[token as u32 as usize];
        assert_eq!(
            slot.generation,
            (token >> 32) as u32,
            "a token of a slot that was freed"
        );
        &mut slot.state
    }

    fn remove(&mut self, token: u64) -> SlotState {
        let state = std::mem::replace(self.get(token), SlotState::Free);
        let slot = &mut self.slots[token as u32 as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(token as u32);
        state
    }
}

impl Reactor {
    /// Whether an operation started now is performed at once (rule 1).
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.gathering.get() == 0
            && self.in_flight.get() == 0
            && self.backlog.borrow().is_empty()
            && !self.exec.has_runnable()
    }

    pub(crate) fn enqueue(&self, op: Op) -> u64 {
        let token = self.slots.borrow_mut().insert();
        self.backlog.borrow_mut().push_back((token, op));
        token
    }

    /// Performs what is alone, hands what is queued to the driver, and takes completions, where
    /// `wait` says so waiting for one (or for the bell, or for a timer).
    pub(crate) fn pump(&self, wait: bool) {
        let lone = self.in_flight.get() == 0 && self.backlog.borrow().len() == 1;
        if wait && lone && self.gathering.get() == 0 {
            let lone = self.backlog.borrow_mut().pop_front();
            if let Some((token, op)) = lone {
                if !self.forget_orphan(token) {
                    let done = self.driver.borrow_mut().run(op);
                    self.complete(Done { token, ..done });
                }
            }
            return;
        }
        self.hand_over();
        if !wait && self.in_flight.get() == 0 {
            return;
        }
        let wait = match (wait, self.exec.next_deadline()) {
            (false, _) => Wait::No,
            (true, None) => Wait::Forever,
            (true, Some(deadline)) => Wait::Until(deadline),
        };
        let mut completed = std::mem::take(&mut *self.completed.borrow_mut());
        self.driver.borrow_mut().poll(&mut completed, wait);
        self.in_flight.set(self.in_flight.get() - completed.len());
        for done in completed.drain(..) {
            self.complete(done);
        }
        *self.completed.borrow_mut() = completed;
        self.hand_over();
    }

    /// Gives the driver as much of the backlog as it has room for.
    fn hand_over(&self) {
        loop {
            let Some((token, op)) = self.backlog.borrow_mut().pop_front() else {
                return;
            };
            if self.forget_orphan(token) {
                continue;
            }
            let submitted = self.driver.borrow_mut().submit(token, op);
            match submitted {
                Ok(()) => self.in_flight.set(self.in_flight.get() + 1),
                Err(op) => {
                    add(&self.counters.held_back, 1);
                    self.backlog.borrow_mut().push_front((token, *op));
                    return;
                }
            }
        }
    }

    /// Frees the slot of an operation that nobody wants and that was not begun.
    fn forget_orphan(&self, token: u64) -> bool {
        let mut slots = self.slots.borrow_mut();
        let orphaned = matches!(slots.get(token), SlotState::Orphaned);
        if orphaned {
            slots.remove(token);
        }
        orphaned
    }

    fn complete(&self, done: Done) {
        let token = done.token;
        let mut slots = self.slots.borrow_mut();
        let state = slots.get(token);
        match std::mem::replace(state, SlotState::Free) {
            SlotState::Pending(waker) => {
                *state = SlotState::Done(done);
                drop(slots);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            SlotState::Orphaned => {
                slots.remove(token);
                drop(slots);
                // The buffers return to their arena here.
                drop(done);
            }
            SlotState::Free | SlotState::Done(_) => unreachable!("completed twice"),
        }
    }

    fn poll_slot(&self, token: u64, waker: &Waker) -> Poll<Done> {
        let mut slots = self.slots.borrow_mut();
        match slots.get(token) {
            SlotState::Pending(Some(w)) if w.will_wake(waker) => {}
            SlotState::Pending(w) => {
                let before = w.replace(waker.clone());
                // A waker of another executor may do anything when it is dropped.
                drop(slots);
                drop(before);
            }
            SlotState::Done(_) => match slots.remove(token) {
                SlotState::Done(done) => return Poll::Ready(done),
                _ => unreachable!("just seen"),
            },
            SlotState::Free | SlotState::Orphaned => unreachable!("the future is alive"),
        }
        Poll::Pending
    }

    fn orphan(&self, token: u64) {
        let mut slots = self.slots.borrow_mut();
        let state = slots.get(token);
        if matches!(state, SlotState::Done(_)) {
            slots.remove(token);
            return;
        }
        *state = SlotState::Orphaned;
        drop(slots);
        add(&self.counters.orphaned, 1);
        self.driver.borrow_mut().cancel(token);
    }
}

/// An operation that was started.
#[must_use = "an operation whose future is dropped may not happen"]
pub struct OpFuture {
    pub(crate) io: IoHandle,
    pub(crate) state: OpState,
}

pub(crate) enum OpState {
    Ready(Done),
    Waiting(u64),
    Taken,
}

impl Future for OpFuture {
    type Output = Done;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let token = match std::mem::replace(&mut self.state, OpState::Taken) {
            OpState::Ready(done) => return Poll::Ready(done),
            OpState::Waiting(token) => token,
            OpState::Taken => panic!("polled after it was ready"),
        };
        let r = &self.io.0;
        loop {
            if let Poll::Ready(done) = r.poll_slot(token, cx.waker()) {
                return Poll::Ready(done);
            }
            if r.exec.is_running() {
                break;
            }
            // Nobody drives the ring, since our executor is not running: so we do.
            r.pump(true);
        }
        self.state = OpState::Waiting(token);
        Poll::Pending
    }
}

impl Drop for OpFuture {
    fn drop(&mut self) {
        if let OpState::Waiting(token) = self.state {
            self.io.0.orphan(token);
        }
    }
}

impl fmt::Debug for OpFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            OpState::Ready(done) => write!(f, "OpFuture(ready: {done:?})"),
            OpState::Waiting(token) => write!(f, "OpFuture(waiting, {token:#x})"),
            OpState::Taken => f.write_str("OpFuture(over)"),
        }
    }
}

/// While one exists, operations that are started are queued instead of performed at once, so that
/// they go to the kernel together; see [`IoHandle::gather`].
#[must_use = "gathers until it is dropped"]
pub struct Gather(pub(crate) IoHandle);

impl Drop for Gather {
    fn drop(&mut self) {
        let gathering = &self.0.0.gathering;
        gathering.set(gathering.get() - 1);
    }
}

impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}
