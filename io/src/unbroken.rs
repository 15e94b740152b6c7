//! Work that is not left half done: what has begun is ended, also where nobody waits for it any more.
//!
//! ```text
//!  poll ─► … ─► ready                         as any future
//!    └ dropped in between ─► polled on, with the ring but without other tasks, until it is ready
//! ```
//!
//! Rules:
//! 1. Such a future waits for operations of its handle alone: other tasks do not run while it is brought to its end, so
//!    it must not need them.
//! 2. Dropping one that was polled and is not ready blocks the thread for as long as those operations take. One that was
//!    never polled is simply dropped.
//! 3. A future that panicked is not polled again; nor is any while its thread unwinds. Whoever has to know of that keeps
//!    a guard of his own inside.
//!
//! Cost: one allocation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::IoHandle;

/// A future that is brought to its end even if it is dropped; see [`IoHandle::unbroken`].
#[must_use = "does nothing unless it is awaited"]
pub struct Unbroken<F: Future> {
    io: IoHandle,
    /// Not there while it is being polled, nor when it is over.
    future: Option<Pin<Box<F>>>,
    begun: bool,
}

impl IoHandle {
    /// Makes a future that is ended in any case once it was polled: dropping it waits until it is ready. It may wait for
    /// nothing but operations of this handle.
    pub fn unbroken<F: Future>(&self, future: F) -> Unbroken<F> {
        Unbroken {
            io: self.clone(),
            future: Some(Box::pin(future)),
            begun: false,
        }
    }
}

impl<F: Future> Future for Unbroken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.begun = true;
        let mut future = self.future.take().expect("polled after it was ready");
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl<F: Future> Unbroken<F> {
    /// Brings the future to its end here and now, without other tasks; `None` if it is over, or waits for something else
    /// than operations of its handle.
    pub fn now(mut self) -> Option<F::Output> {
        self.end()
    }

    fn end(&mut self) -> Option<F::Output> {
        let mut future = self.future.take()?;
        let mut nobody = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut nobody) {
                return Some(output);
            }
            if self.io.in_flight() == 0 {
                debug_assert!(false, "rule 1: it waits for something else");
                return None;
            }
            self.io.0.pump(true);
        }
    }
}

impl<F: Future> Drop for Unbroken<F> {
    fn drop(&mut self) {
        if self.begun && !std::thread::panicking() {
            self.end();
        }
    }
}

impl<F: Future> fmt::Debug for Unbroken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (&self.future, self.begun) {
            (None, _) => "over",
            (Some(_), true) => "begun",
            (Some(_), false) => "not begun",
        };
        write!(f, "Unbroken({state})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriverChoice, Durability, OpenOptions, SimDisk};
    use std::cell::Cell;
    use std::rc::Rc;

    async fn write_twice(io: IoHandle, done: Rc<Cell<u32>>) {
        let file = io
            .open("/f", &OpenOptions::create())
            .expect("a file is made");
        for at in 0..2 {
            let buf = io.arena().copy_of(&[7; 8]);
            let written = io.write(&file, at * 8, buf, Durability::Cached).await;
            written.1.expect("is written");
            done.set(done.get() + 1);
        }
    }

    #[test]
    fn what_has_begun_is_ended_and_what_has_not_is_not() {
        let disk = SimDisk::new(1);
        let io = IoHandle::builder()
            .driver(DriverChoice::Simulated(disk.process()))
            .build();
        io.block_on(async {
            let done = Rc::new(Cell::new(0));
            drop(io.unbroken(write_twice(io.clone(), done.clone())));
            assert_eq!(done.get(), 0, "never polled");

            let mut begun = io.unbroken(write_twice(io.clone(), done.clone()));
            let mut nobody = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut begun).poll(&mut nobody).is_pending());
            assert_eq!(done.get(), 0);
            drop(begun);
            assert_eq!(done.get(), 2, "dropped in the first of two writes");

            io.unbroken(write_twice(io.clone(), done.clone())).await;
            assert_eq!(done.get(), 4);
            assert_eq!(io.in_flight(), 0);
        });
    }

    #[test]
    fn one_that_panicked_is_left_alone() {
        let io = IoHandle::in_memory();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            io.block_on(io.unbroken(async { panic!("within") }));
        }));
        assert!(caught.is_err());
    }
}
