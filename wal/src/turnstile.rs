//! The writers of one process stand in line: first come, first served.
//!
//! ```text
//!   taken ── waiting: front [ 7 ][ 8 ][ 9 ] back
//!   release ──► 7 is handed the turn (it never becomes free), then woken
//! ```
//!
//! Rules:
//! 1. A turn is handed over, so nobody can barge in between; who comes while others wait goes to the back.
//! 2. A waiter that gives up, or is dropped after it was handed the turn, passes it on.
//! 3. Waiters may be on different threads. Nothing waits inside the mutex.
//!
//! Between processes there is no line: SQLite's lock byte goes to whoever asks at the right moment.

use ringwood_io::{IoHandle, Sleep};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[derive(Default)]
struct Line {
    taken: bool,
    next: u64,
    /// Handed over, and not picked up yet.
    granted: Option<u64>,
    waiting: VecDeque<(u64, Option<Waker>)>,
}

/// The line, and whose turn it is.
#[derive(Default)]
pub(crate) struct Turnstile(Mutex<Line>);

/// Somebody's turn; dropping it hands it on.
pub(crate) struct Turn(Arc<Turnstile>);

impl Turnstile {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn, if it is free and nobody waits for it.
    pub(crate) fn try_take(self: &Arc<Turnstile>) -> Option<Turn> {
        let mut line = self.line();
        if line.taken {
            return None;
        }
        line.taken = true;
        Some(Turn(self.clone()))
    }

    /// The turn, waited for in line; `None` if it does not come in time.
    pub(crate) async fn take(
        self: &Arc<Turnstile>,
        io: &IoHandle,
        patience: Duration,
    ) -> Option<Turn> {
        if let Some(turn) = self.try_take() {
            return Some(turn);
        }
        if patience.is_zero() {
            return None;
        }
        let number = {
            let mut line = self.line();
            let number = line.next;
            line.next += 1;
            line.waiting.push_back((number, None));
            number
        };
        let place = Place {
            stile: self,
            number,
            sleep: io.sleep(patience),
            over: false,
        };
        place.await
    }

    /// Whether it is somebody's turn.
    pub(crate) fn is_taken(&self) -> bool {
        self.line().taken
    }

    fn pass_on(&self) {
        let mut line = self.line();
        let waker = match line.waiting.pop_front() {
            Some((number, waker)) => {
                line.granted = Some(number);
                waker
            }
            None => {
                line.taken = false;
                None
            }
        };
        drop(line);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

/// A place in the line.
struct Place<'a> {
    stile: &'a Arc<Turnstile>,
    number: u64,
    sleep: Sleep,
    over: bool,
}

impl Future for Place<'_> {
    type Output = Option<Turn>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        let number = self.number;
        {
            let mut line = self.stile.line();
            // The first in line may find the turn free: it was given up between looking and joining.
            if !line.taken && line.waiting.front().is_some_and(|(n, _)| *n == number) {
                line.taken = true;
                line.waiting.pop_front();
                line.granted = Some(number);
            }
            if line.granted == Some(number) {
                line.granted = None;
                drop(line);
                self.over = true;
                return Poll::Ready(Some(Turn(self.stile.clone())));
            }
            if let Some((_, waker)) = line.waiting.iter_mut().find(|(n, _)| *n == number) {
                *waker = Some(cx.waker().clone());
            }
        }
        if Pin::new(&mut self.sleep).poll(cx).is_ready() {
            // Dropping it leaves the line, or hands on what was handed over this very moment.
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut line = self.stile.line();
        line.waiting.retain(|(n, _)| *n != self.number);
        if line.granted == Some(self.number) {
            line.granted = None;
            drop(line);
            self.stile.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn turns_come_in_order_and_are_given_up() {
        let io = IoHandle::in_memory();
        io.clone().block_on(async {
            let stile = Arc::new(Turnstile::default());
            let first = stile.try_take().expect("free");
            assert!(stile.try_take().is_none());
            assert!(stile.take(&io, Duration::ZERO).await.is_none());
            assert!(stile.take(&io, Duration::from_millis(2)).await.is_none());
            let order = Rc::new(RefCell::new(Vec::new()));
            let mut tasks = Vec::new();
            for n in 0..5 {
                let (stile, order, local) = (stile.clone(), order.clone(), io.clone());
                tasks.push(io.spawn(async move {
                    let turn = stile.take(&local, Duration::from_secs(5)).await;
                    assert!(turn.is_some());
                    order.borrow_mut().push(n);
                    local.sleep(Duration::from_micros(10)).await;
                }));
            }
            io.sleep(Duration::from_millis(1)).await;
            drop(first);
            for task in tasks {
                task.await.expect("ends");
            }
            assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
            assert!(!stile.is_taken());
        });
    }
}
