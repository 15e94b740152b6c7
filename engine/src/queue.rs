//! The queue of a connection: bounded, from the handles of any thread to the one task that serves it.
//!
//! ```text
//!   send().await ─► room? ──yes──► [ 1 ][ 2 ][ 3 ] ──► next().await
//!                    └ no: in line, first come, first served
//! ```
//!
//! Rules:
//! 1. Who waits for room keeps his place; who comes later does not get in before him.
//! 2. What must not wait (a handle is being dropped) is put in without regard to the bound; there is one such message
//!    for each handle, so their number is bounded by other means.
//! 3. When either end is gone the other is told: messages that were in are still delivered to a receiver, and dropped
//!    with it.
//! 4. A [`Door`] closes the queue from outside: nothing more comes in, and what is in is still delivered.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

struct State<T> {
    messages: VecDeque<T>,
    limit: usize,
    /// Who waits for room.
    line: VecDeque<(u64, Waker)>,
    numbers: u64,
    receiver: Option<Waker>,
    sender_gone: bool,
    receiver_gone: bool,
    /// Rule 4.
    closed: bool,
}

impl<T> State<T> {
    fn takes_nothing(&self) -> bool {
        self.receiver_gone || self.closed
    }
}

struct Shared<T>(Mutex<State<T>>);

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handles' end; they share it.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// The server's end.
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

/// The other end is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// A queue for `limit` messages.
pub(crate) fn bounded<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared(Mutex::new(State {
        messages: VecDeque::new(),
        limit,
        line: VecDeque::new(),
        numbers: 0,
        receiver: None,
        sender_gone: false,
        receiver_gone: false,
        closed: false,
    })));
    (Sender(shared.clone()), Receiver(shared))
}

/// A place in the line; leaves it when it is dropped.
struct Place<'a, T> {
    queue: &'a Shared<T>,
    number: Option<u64>,
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.queue.state();
        let was_first = state.line.front().is_some_and(|(n, _)| *n == number);
        state.line.retain(|(n, _)| *n != number);
        // The room that was meant for us goes to the next one.
        let next = (was_first && state.messages.len() < state.limit)
            .then(|| state.line.front().map(|(_, waker)| waker.clone()));
        drop(state);
        if let Some(waker) = next.flatten() {
            waker.wake();
        }
    }
}

impl<T> Sender<T> {
    /// Puts a message in, when there is room.
    ///
    /// # Errors
    /// The receiver is gone.
    pub(crate) async fn send(&self, message: T) -> Result<(), Closed> {
        let mut message = Some(message);
        let mut place = Place {
            queue: &self.0,
            number: None,
        };
        std::future::poll_fn(|cx| {
            let mut state = self.0.state();
            if state.takes_nothing() {
                return Poll::Ready(Err(Closed));
            }
            let first = match (place.number, state.line.front()) {
                (_, None) => true,
                (Some(number), Some((front, _))) => number == *front,
                (None, Some(_)) => false,
            };
            if first && state.messages.len() < state.limit {
                if let Some(message) = message.take() {
                    state.messages.push_back(message);
                }
                if place.number.take().is_some() {
                    state.line.pop_front();
                }
                // Several places may have become free.
                let more = state.messages.len() < state.limit;
                let next = more.then(|| state.line.front().map(|(_, waker)| waker.clone()));
                let receiver = state.receiver.take();
                drop(state);
                receiver.into_iter().for_each(Waker::wake);
                next.flatten().into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(()));
            }
            match place.number {
                Some(number) => {
                    if let Some((_, waker)) = state.line.iter_mut().find(|(n, _)| *n == number) {
                        waker.clone_from(cx.waker());
                    }
                }
                None => {
                    state.numbers += 1;
                    let number = state.numbers;
                    state.line.push_back((number, cx.waker().clone()));
                    place.number = Some(number);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Puts a message in at once (rule 2).
    ///
    /// # Errors
    /// The receiver is gone.
    pub(crate) fn send_now(&self, message: T) -> Result<(), Closed> {
        let mut state = self.0.state();
        if state.takes_nothing() {
            return Err(Closed);
        }
        state.messages.push_back(message);
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl<T> Sender<T> {
    /// What closes this queue.
    pub(crate) fn door(&self) -> Door<T> {
        Door(Arc::downgrade(&self.0))
    }

    /// Whether nothing is taken any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.state().takes_nothing()
    }
}

/// What closes a queue from outside.
pub(crate) struct Door<T>(Weak<Shared<T>>);

impl<T> Clone for Door<T> {
    fn clone(&self) -> Door<T> {
        Door(self.0.clone())
    }
}

impl<T> Door<T> {
    /// Closes it (rule 4).
    pub(crate) fn close(&self) {
        let Some(queue) = self.0.upgrade() else {
            return;
        };
        let mut state = queue.state();
        state.closed = true;
        let receiver = state.receiver.take();
        let line: Vec<Waker> = state.line.iter().map(|(_, waker)| waker.clone()).collect();
        drop(state);
        receiver.into_iter().chain(line).for_each(Waker::wake);
    }
}

impl<T> Receiver<T> {
    /// What closes this queue.
    pub(crate) fn door(&self) -> Door<T> {
        Door(Arc::downgrade(&self.0))
    }

    /// How many messages are in.
    pub(crate) fn len(&self) -> usize {
        self.0.state().messages.len()
    }

    /// The next message; `None` when the sender is gone.
    pub(crate) async fn next(&mut self) -> Option<T> {
        std::future::poll_fn(|cx| {
            let mut state = self.0.state();
            let Some(message) = state.messages.pop_front() else {
                if state.sender_gone || state.closed {
                    return Poll::Ready(None);
                }
                state.receiver = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let room = state.messages.len() < state.limit;
            let next = room.then(|| state.line.front().map(|(_, waker)| waker.clone()));
            drop(state);
            next.flatten().into_iter().for_each(Waker::wake);
            Poll::Ready(Some(message))
        })
        .await
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.sender_gone = true;
        let receiver = state.receiver.take();
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.receiver_gone = true;
        let messages = std::mem::take(&mut state.messages);
        let waiting: Vec<Waker> = state.line.iter().map(|(_, waker)| waker.clone()).collect();
        drop(state);
        // What a message holds may send again, or wake somebody.
        drop(messages);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({} queued)", self.0.state().messages.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwood_io::IoHandle;
    use std::cell::RefCell;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Context;

    #[test]
    fn who_waits_for_room_gets_in_in_order() {
        let io = IoHandle::in_memory();
        io.clone().block_on(async {
            let (sender, mut receiver) = bounded(2);
            let sender = Rc::new(sender);
            let told = Rc::new(RefCell::new(Vec::new()));
            for n in 0..6 {
                let (sender, told) = (sender.clone(), told.clone());
                io.spawn(async move {
                    sender.send(n).await.expect("there");
                    told.borrow_mut().push(n);
                });
            }
            io.yield_now().await;
            io.yield_now().await;
            assert_eq!(*told.borrow(), [0, 1], "no more than there is room for");
            sender.send_now(99).expect("there");
            let mut got = Vec::new();
            for _ in 0..7 {
                got.push(receiver.next().await.expect("sent"));
                io.yield_now().await;
            }
            assert_eq!(got, [0, 1, 99, 2, 3, 4, 5]);
            drop(sender);
            assert_eq!(receiver.next().await, None);
        });
    }

    #[test]
    fn a_closed_queue_delivers_what_is_in_and_takes_no_more() {
        let io = IoHandle::in_memory();
        io.clone().block_on(async {
            let (sender, mut receiver) = bounded(1);
            let door = receiver.door();
            sender.send(1).await.expect("room");
            let mut waits = pin!(sender.send(2));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(waits.as_mut().poll(&mut cx).is_pending());
            door.close();
            assert!(sender.is_closed());
            assert_eq!(waits.await, Err(Closed));
            assert_eq!(sender.send_now(3), Err(Closed));
            assert_eq!(receiver.len(), 1);
            assert_eq!(receiver.next().await, Some(1));
            assert_eq!(receiver.next().await, None);
        });
    }

    #[test]
    fn a_place_that_is_given_up_goes_to_the_next() {
        let io = IoHandle::in_memory();
        io.clone().block_on(async {
            let (sender, mut receiver) = bounded(1);
            sender.send(1).await.expect("room");
            let waker = Waker::noop();
            let mut cx = Context::from_waker(waker);
            let mut third = Box::pin(sender.send(3));
            {
                let mut second = pin!(sender.send(2));
                assert!(second.as_mut().poll(&mut cx).is_pending());
                assert!(third.as_mut().poll(&mut cx).is_pending());
                assert_eq!(receiver.next().await, Some(1));
                // There is room, and it is the second's.
                assert!(third.as_mut().poll(&mut cx).is_pending());
            }
            assert!(third.as_mut().poll(&mut cx).is_ready());
            assert_eq!(receiver.next().await, Some(3));
            drop(receiver);
            assert_eq!(sender.send(4).await, Err(Closed));
            assert_eq!(sender.send_now(5), Err(Closed));
        });
    }
}
