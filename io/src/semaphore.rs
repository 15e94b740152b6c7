//! Waiting for one's turn, within one thread: [`Semaphore`], [`LocalMutex`] and [`Notify`].
//!
//! ```text
//! permits 0    waiters: front [ A ][ B ][ C ] back
//! release ──►  A is handed the permit (it never becomes free), then woken
//! ```
//!
//! 1. First come, first served: a permit is handed over, so that nobody can barge in between.
//! 2. A waiter that is dropped after it was handed something passes it on.
//! 3. Nothing here is `Send`; nothing borrows a cell across an await.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Waiting,
    Granted,
    /// Taken, or not wanted any more.
    Over,
}

struct Waiter {
    turn: Cell<Turn>,
    waker: RefCell<Option<Waker>>,
}

impl Waiter {
    fn new() -> Rc<Waiter> {
        Rc::new(Waiter {
            turn: Cell::new(Turn::Waiting),
            waker: RefCell::new(None),
        })
    }

    fn grant(&self) {
        self.turn.set(Turn::Granted);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.turn.get() == Turn::Granted {
            self.turn.set(Turn::Over);
            return Poll::Ready(());
        }
        let before = self.waker.replace(Some(cx.waker().clone()));
        // Outside of the borrow: a waker of another executor may do anything when it is dropped.
        drop(before);
        Poll::Pending
    }
}

#[derive(Default)]
struct Line(RefCell<VecDeque<Rc<Waiter>>>);

impl Line {
    fn join(&self) -> Rc<Waiter> {
        let waiter = Waiter::new();
        self.0.borrow_mut().push_back(waiter.clone());
        waiter
    }

    /// Hands the turn to the first who still waits; whether there was one.
    fn serve_one(&self) -> bool {
        loop {
            let Some(first) = self.0.borrow_mut().pop_front() else {
                return false;
            };
            if first.turn.get() == Turn::Waiting {
                first.grant();
                return true;
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0
            .borrow()
            .iter()
            .all(|w| w.turn.get() != Turn::Waiting)
    }

    /// Whether the waiter that leaves held a turn that must be passed on.
    fn leave(&self, waiter: &Waiter) -> bool {
        let turn = waiter.turn.replace(Turn::Over);
        if turn == Turn::Waiting {
            self.0
                .borrow_mut()
                .retain(|w| !std::ptr::eq(&raw const **w, waiter));
        }
        turn == Turn::Granted
    }
}

/// A number of permits, handed out in the order of asking.
#[derive(Default)]
pub struct Semaphore {
    permits: Cell<usize>,
    line: Line,
}

impl Semaphore {
    /// A semaphore with this many permits.
    pub fn new(permits: usize) -> Semaphore {
        Semaphore {
            permits: Cell::new(permits),
            line: Line::default(),
        }
    }

    /// The permits that are free.
    pub fn available(&self) -> usize {
        self.permits.get()
    }

    /// Takes a permit if one is free and nobody waits.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let free = self.permits.get();
        if free == 0 || !self.line.is_empty() {
            return None;
        }
        self.permits.set(free - 1);
        Some(Permit { semaphore: self })
    }

    /// Takes a permit; gives it back when the [`Permit`] is dropped.
    ///
    /// # Suspends
    /// Until a permit is free and everybody who asked before was served.
    pub async fn acquire(&self) -> Permit<'_> {
        if let Some(permit) = self.try_acquire() {
            return permit;
        }
        Acquire {
            semaphore: self,
            waiter: self.line.join(),
        }
        .await;
        Permit { semaphore: self }
    }

    /// Adds a permit.
    pub fn release(&self) {
        if !self.line.serve_one() {
            self.permits.set(self.permits.get() + 1);
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Semaphore({} free)", self.permits.get())
    }
}

struct Acquire<'a> {
    semaphore: &'a Semaphore,
    waiter: Rc<Waiter>,
}

impl Future for Acquire<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waiter.poll(cx)
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if self.semaphore.line.leave(&self.waiter) {
            self.semaphore.release();
        }
    }
}

/// A permit of a [`Semaphore`]; dropping it gives it back.
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit taken for good; [`Semaphore::release`] can give it back later.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release();
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// A mutex whose guard may be held across an await, for tasks of one thread.
pub struct LocalMutex<T: ?Sized> {
    turn: Semaphore,
    value: UnsafeCell<T>,
}

impl<T> LocalMutex<T> {
    /// A free mutex.
    pub fn new(value: T) -> LocalMutex<T> {
        LocalMutex {
            turn: Semaphore::new(1),
            value: UnsafeCell::new(value),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> LocalMutex<T> {
    /// Takes the mutex, in the order of asking.
    ///
    /// # Suspends
    /// Until it is free and everybody who asked before was served.
    pub async fn lock(&self) -> LocalMutexGuard<'_, T> {
        LocalMutexGuard {
            _permit: self.turn.acquire().await,
            mutex: self,
        }
    }

    /// Takes the mutex if it is free and nobody waits.
    pub fn try_lock(&self) -> Option<LocalMutexGuard<'_, T>> {
        self.turn.try_acquire().map(|permit| LocalMutexGuard {
            _permit: permit,
            mutex: self,
        })
    }

    /// Whether somebody holds it.
    pub fn is_locked(&self) -> bool {
        self.turn.available() == 0
    }

    /// The value, without locking: the borrow shows that nobody else can hold it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> fmt::Debug for LocalMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "LocalMutex({})",
            if self.is_locked() { "held" } else { "free" }
        )
    }
}

/// Access to what a [`LocalMutex`] protects.
pub struct LocalMutexGuard<'a, T: ?Sized> {
    mutex: &'a LocalMutex<T>,
    _permit: Permit<'a>,
}

impl<T: ?Sized> Deref for LocalMutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the one permit is ours, so no other guard exists.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for LocalMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the one permit is ours, and this guard is borrowed exclusively.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> fmt::Debug for LocalMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalMutexGuard")
    }
}

/// Something that can happen, and that tasks of one thread wait for.
///
/// [`notified`](Notify::notified) counts as waiting from the moment it is called, so that nothing
/// that happens between the call and the await is missed. A notification without anybody waiting
/// is not kept.
#[derive(Default)]
pub struct Notify {
    line: Line,
}

impl Notify {
    /// Nobody waits yet.
    pub fn new() -> Notify {
        Notify::default()
    }

    /// Waits for the next notification.
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            waiter: self.line.join(),
        }
    }

    /// Wakes who has waited longest; whether there was anybody.
    pub fn notify_one(&self) -> bool {
        self.line.serve_one()
    }

    /// Wakes everybody who waits now.
    pub fn notify_all(&self) {
        let waiting = std::mem::take(&mut *self.line.0.borrow_mut());
        for waiter in waiting {
            if waiter.turn.get() == Turn::Waiting {
                waiter.grant();
            }
        }
    }

    /// Whether nobody waits.
    pub fn is_idle(&self) -> bool {
        self.line.is_empty()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notify")
    }
}

/// The future of [`Notify::notified`].
#[must_use = "waits only when awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    waiter: Rc<Waiter>,
}

impl Future for Notified<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waiter.poll(cx)
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if self.notify.line.leave(&self.waiter) {
            self.notify.line.serve_one();
        }
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notified")
    }
}
