//! Mutexes: the recursive one that serializes a connection, and SQLite's functions for callers that want some.
//!
//! Source: SQLite's `sqlite3_mutex_alloc`.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::boundary::{c_api, from_handle, into_handle, object};
use crate::code;

/// A mutex that its owner may enter again.
#[allow(non_camel_case_types)]
#[derive(Default)]
pub struct sqlite3_mutex {
    /// The thread that holds it; 0: nobody.
    owner: AtomicUsize,
    /// How often it was entered; the owner's to change.
    depth: AtomicU32,
    waiting: AtomicU32,
    line: Mutex<()>,
    freed: Condvar,
}

/// A number for this thread that is not 0.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

impl sqlite3_mutex {
    pub(crate) fn enter(&self) {
        let me = this_thread();
        if self.owner.load(Ordering::Relaxed) == me {
            self.depth.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if !self.take(me) {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_add(1, Ordering::SeqCst);
            while !self.take(me) {
                let waited = self.freed.wait(line);
                line = waited.unwrap_or_else(PoisonError::into_inner);
            }
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        self.depth.store(1, Ordering::Relaxed);
    }

    fn take(&self, me: usize) -> bool {
        self.owner
            .compare_exchange(0, me, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    fn try_enter(&self) -> bool {
        let me = this_thread();
        if self.is_held() {
            self.depth.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let taken = self.take(me);
        if taken {
            self.depth.store(1, Ordering::Relaxed);
        }
        taken
    }

    pub(crate) fn leave(&self) {
        if !self.is_held() || self.depth.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        self.owner.store(0, Ordering::SeqCst);
        // Who joins the line after this look finds the mutex free.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            self.freed.notify_one();
            drop(line);
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_thread()
    }

    /// Enters until the result is dropped.
    #[inline]
    pub(crate) fn held(&self) -> Held<'_> {
        self.enter();
        Held(self)
    }
}

/// Entered until it is dropped.
pub(crate) struct Held<'a>(&'a sqlite3_mutex);

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The static mutexes: SQLITE_MUTEX_STATIC_MAIN (2) and its kin.
static STATICS: [sqlite3_mutex; 12] = [const {
    sqlite3_mutex {
        owner: AtomicUsize::new(0),
        depth: AtomicU32::new(0),
        waiting: AtomicU32::new(0),
        line: Mutex::new(()),
        freed: Condvar::new(),
    }
}; 12];

c_api! {
    /// A new mutex (0 fast, 1 recursive), or one of the static ones (from 2).
    fn sqlite3_mutex_alloc(kind: c_int) -> *mut sqlite3_mutex = std::ptr::null_mut() => {
        match kind {
            0 | 1 => into_handle(sqlite3_mutex::default()),
            _ => match STATICS.get((kind - 2) as usize) {
                Some(mutex) => std::ptr::from_ref(mutex).cast_mut(),
                None => std::ptr::null_mut(),
            },
        }
    }

    /// Gives a mutex back that was made by `sqlite3_mutex_alloc`.
    fn sqlite3_mutex_free(mutex: *mut sqlite3_mutex) => {
        let statics = STATICS.as_ptr_range();
        if !statics.contains(&mutex.cast_const()) {
            drop(from_handle(mutex));
        }
    }

    /// Enters, waiting for whoever else is in.
    fn sqlite3_mutex_enter(mutex: *mut sqlite3_mutex) => {
        if let Some(mutex) = object(mutex) {
            mutex.enter();
        }
    }

    /// Enters if that needs no wait.
    fn sqlite3_mutex_try(mutex: *mut sqlite3_mutex) -> c_int = code::BUSY => {
        match object(mutex) {
            Some(mutex) if !mutex.try_enter() => code::BUSY,
            _ => code::OK,
        }
    }

    /// Leaves.
    fn sqlite3_mutex_leave(mutex: *mut sqlite3_mutex) => {
        if let Some(mutex) = object(mutex) {
            mutex.leave();
        }
    }

    /// Whether this thread is in.
    fn sqlite3_mutex_held(mutex: *mut sqlite3_mutex) -> c_int = 1 => {
        c_int::from(object(mutex).is_none_or(sqlite3_mutex::is_held))
    }

    /// Whether this thread is not in.
    fn sqlite3_mutex_notheld(mutex: *mut sqlite3_mutex) -> c_int = 1 => {
        c_int::from(object(mutex).is_none_or(|mutex| !mutex.is_held()))
    }
}
