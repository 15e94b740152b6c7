//! Reads in flight: whoever misses a page that somebody else is already reading waits for that read.
//!
//! ```text
//!  first to miss ──► Boarding::Lead(Flight) ── reads, publishes, drops the flight ──┐
//!  others        ──► Boarding::Follow(Landing).await ◄── wakes, look up again ──────┘
//! ```
//!
//! Rules:
//! 1. A flight that is dropped, its read done, failed or given up, wakes all who wait; each looks again, and the first
//!    that still misses leads the next flight. So nobody depends on another's success.
//! 2. Waiters may be on other threads.
//! 3. A waiter depends on the leader's future being polled or dropped, as with any asynchronous lock.

use hashbrown::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A page and its version, as the reader names it.
pub type FlightKey = (u32, u64);

#[derive(Default)]
struct State {
    landed: bool,
    waiting: Vec<Waker>,
}

type Shared = Arc<Mutex<State>>;

#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<FlightKey, Shared, foldhash::fast::RandomState>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether to read or to wait.
pub enum Boarding<'a> {
    /// Nobody reads it: the caller does, and holds the flight until the page is published.
    Lead(Flight<'a>),
    /// Somebody reads it.
    Follow(Landing),
}

/// A read that is the holder's to make.
pub struct Flight<'a> {
    flights: &'a Flights,
    key: FlightKey,
}

/// Waits for somebody else's read to end.
pub struct Landing(Shared);

impl Flights {
    pub(crate) fn board(&self, key: FlightKey) -> Boarding<'_> {
        let mut flights = locked(&self.0);
        if let Some(shared) = flights.get(&key) {
            return Boarding::Follow(Landing(shared.clone()));
        }
        flights.insert(key, Shared::default());
        Boarding::Lead(Flight { flights: self, key })
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let shared = locked(&self.flights.0)
            .remove(&self.key)
            .expect("a flight is listed until it is dropped");
        let waiting = {
            let mut state = locked(&shared);
            state.landed = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Future for Landing {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = locked(&self.0);
        if state.landed {
            return Poll::Ready(());
        }
        if !state
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
