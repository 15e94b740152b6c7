//! Drivers: who performs operations.
//!
//! | driver | operations | waiting | chosen |
//! |---|---|---|---|
//! | `uring` | a ring; a lone one inline | io_uring_enter | by default |
//! | `blocking` | inline, in the order of submission | ppoll on the bell | where io_uring is forbidden |
//! | `memory` | inline, on files in memory | ppoll on the bell | for tests; `:memory:` needs no choice |
//! | `delayed` | as another one's, told later | as another one's | for measurements of slower devices |
//! | `simulated` | when the seed says so, on a disk that can fail | the clock goes on | for the simulator |
//!
//! 1. The driver is a value inside of the handle, never a type parameter. A further one is one more
//!    variant here, in [`Clock`] and in [`Names`].
//! 2. A file in memory can be used with every driver: its operations are always inline.
//! 3. Nothing a driver is given is lost: each accepted operation comes home as one [`Done`].

pub(crate) mod blocking;
pub(crate) mod delayed;
mod in_flight;
pub(crate) mod ring_setup;
pub(crate) mod simulated;
pub(crate) mod uring;

use std::rc::Rc;

use crate::error::Result;
use crate::memory::MemFs;
use crate::op::{Done, Op};
use crate::simulated::SimDisk;
use crate::stats::Counters;
use crate::syscall;
use crate::wake::Shared;
use blocking::Blocking;
use delayed::Delayed;
use ring_setup::RingInfo;
use simulated::Simulated;
use uring::Uring;

/// How long a driver may wait for completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until something happens.
    Forever,
    /// At most until this time of the driver's clock.
    Until(u64),
}

/// What a driver does. One per thread.
pub trait Io {
    /// Queues an operation; `Err` gives it back because there is no room, which a poll may make.
    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>>;
    /// Performs an operation now, waiting for it.
    fn run(&mut self, op: Op) -> Done;
    /// Hands what is queued to the kernel, and appends what has completed to `out`; one system
    /// call at most, apart from resumed transfers. Returns early when the bell rings.
    fn poll(&mut self, out: &mut Vec<Done>, wait: Wait);
    /// A hint that nobody needs this operation any more. Its `Done` arrives all the same.
    fn cancel(&mut self, token: u64);
    /// Operations accepted and not yet come home.
    fn in_flight(&self) -> usize;
}

/// The driver of a handle.
pub(crate) enum Driver {
    Uring(Box<Uring>),
    Blocking(Blocking),
    Simulated(Simulated),
    Delayed(Delayed),
}

impl Driver {
    fn get(&mut self) -> &mut dyn Io {
        match self {
            Driver::Uring(d) => &mut **d,
            Driver::Blocking(d) => d,
            Driver::Simulated(d) => d,
            Driver::Delayed(d) => d,
        }
    }

    /// Whether operations are performed in `submit`, so that queueing gains nothing.
    #[inline]
    pub(crate) fn is_inline(&self) -> bool {
        match self {
            Driver::Uring(d) => d.is_refused(),
            Driver::Blocking(_) => true,
            Driver::Simulated(_) => false,
            Driver::Delayed(d) => d.within().is_inline(),
        }
    }

    /// Whether every operation is queued, also where nothing else is to be done.
    #[inline]
    pub(crate) fn always_queues(&self) -> bool {
        matches!(self, Driver::Simulated(_))
    }

    /// Whether the ring can register buffers; `None` without a ring.
    pub(crate) fn try_buffers(&mut self) -> Option<Result<(), i32>> {
        match self {
            Driver::Uring(d) => d.try_buffers(),
            Driver::Delayed(d) => d.within_mut().try_buffers(),
            Driver::Blocking(_) | Driver::Simulated(_) => None,
        }
    }

    /// What became of the ring, where one was wanted.
    pub(crate) fn ring_info(&mut self) -> Option<RingInfo> {
        match self {
            Driver::Uring(d) => Some(d.info()),
            Driver::Delayed(d) => d.within_mut().ring_info(),
            Driver::Blocking(_) | Driver::Simulated(_) => None,
        }
    }
}

impl Io for Driver {
    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>> {
        self.get().submit(token, op)
    }
    fn run(&mut self, op: Op) -> Done {
        self.get().run(op)
    }
    fn poll(&mut self, out: &mut Vec<Done>, wait: Wait) {
        self.get().poll(out, wait);
    }
    fn cancel(&mut self, token: u64) {
        self.get().cancel(token);
    }
    fn in_flight(&self) -> usize {
        match self {
            Driver::Uring(d) => d.in_flight(),
            Driver::Blocking(d) => d.in_flight(),
            Driver::Simulated(d) => d.in_flight(),
            Driver::Delayed(d) => d.in_flight(),
        }
    }
}

/// Waits for the bell with nothing in flight.
pub(crate) fn nap(shared: &Shared, counters: &Rc<Counters>, clock: &Clock, wait: Wait) {
    let timeout = match wait {
        Wait::No => return,
        Wait::Forever => None,
        Wait::Until(deadline) => Some(deadline.saturating_sub(clock.now_ns())),
    };
    let Ok(bell) = shared.bell() else {
        // No descriptor left: look again in a moment instead of never.
        std::thread::sleep(std::time::Duration::from_millis(1));
        return;
    };
    if !shared.go_to_sleep() {
        return;
    }
    crate::stats::add(&counters.syscalls, 1);
    crate::stats::add(&counters.naps, 1);
    if syscall::eventfd_wait(bell, timeout) {
        syscall::eventfd_drain(bell);
    }
    shared.wake_up();
}

/// Where time comes from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Simulated(SimDisk),
}

impl Clock {
    pub(crate) fn now_ns(&self) -> u64 {
        match self {
            Clock::System => syscall::monotonic_ns(),
            Clock::Simulated(disk) => disk.now_ns(),
        }
    }

    pub(crate) fn unix_ms(&self) -> i64 {
        match self {
            Clock::Simulated(disk) => 1_700_000_000_000 + (disk.now_ns() / 1_000_000) as i64,
            Clock::System => {
                match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
                    Ok(d) => d.as_millis() as i64,
                    Err(e) => -(e.duration().as_millis() as i64),
                }
            }
        }
    }
}

/// Where names of files lead.
#[derive(Clone, Debug)]
pub(crate) enum Names {
    Os,
    Memory(MemFs),
}
