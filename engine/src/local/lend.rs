//! Lending the `Env`: how code of the application that runs within a step uses the connection.
//!
//! ```text
//!   step ── holds Env ──▶ function, hook, virtual table (the application's)
//!                              │  reenter(env, …): the Env moves to `lent`, a stand-in takes its place
//!                              ▼
//!                         prepare, step, … ── enter() finds it there ──▶ a step within the step
//!                              │  and brings it back
//!   step goes on ◀─────────────┘
//! ```
//!
//! Rules:
//! 1. Who wants the `Env` calls [`Inner::enter`]: it is the one that was lent, if one was, else that of the mutex.
//! 2. What is lent comes back before the step goes on: nothing that happens in between suspends.
//!
//! Only the C interface lends: it is where callbacks may use their connection.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use ringwood_io::LocalMutexGuard;
use ringwood_vdbe::Env;
use ringwood_vdbe::env::Door;

use super::{Inner, LocalConnection};

/// The `Env`, for as long as this lives.
pub(super) enum EnvGuard<'a> {
    /// Of the mutex.
    Locked(LocalMutexGuard<'a, Env>),
    /// That was lent; it goes back to its place.
    Lent(Option<Box<Env>>, &'a Cell<Option<Box<Env>>>),
}

impl Deref for EnvGuard<'_> {
    type Target = Env;
    #[inline]
    fn deref(&self) -> &Env {
        match self {
            EnvGuard::Locked(env) => env,
            EnvGuard::Lent(env, _) => env.as_deref().expect("it is there until it is dropped"),
        }
    }
}

impl DerefMut for EnvGuard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Env {
        match self {
            EnvGuard::Locked(env) => env,
            EnvGuard::Lent(env, _) => env.as_deref_mut().expect("it is there until it is dropped"),
        }
    }
}

impl Drop for EnvGuard<'_> {
    fn drop(&mut self) {
        if let EnvGuard::Lent(env, place) = self {
            place.set(env.take());
        }
    }
}

impl Inner {
    /// Rule 1.
    ///
    /// # Suspends
    /// Until the mutex is free.
    #[inline]
    pub(super) async fn enter(&self) -> EnvGuard<'_> {
        match self.try_enter() {
            Some(env) => env,
            None => EnvGuard::Locked(self.env.lock().await),
        }
    }

    /// The same without waiting; none if somebody else holds the mutex.
    #[inline]
    pub(super) fn try_enter(&self) -> Option<EnvGuard<'_>> {
        if let Some(env) = self.lent.take() {
            return Some(EnvGuard::Lent(Some(env), &self.lent));
        }
        self.env.try_lock().map(EnvGuard::Locked)
    }
}

impl LocalConnection {
    /// Where the `Env` stands while code of the application runs within a step: for [`reenter`](Self::reenter).
    pub fn door(&self) -> Door {
        self.inner.with_env(|env| env.door.clone())
    }

    /// Runs `use_connection`, which may use this connection although a step of it is under way: the step that has called
    /// the application's code, and that holds `env`.
    pub fn reenter<T>(&self, env: &mut Env, use_connection: impl FnOnce() -> T) -> T {
        let stand_in = env.stand_in();
        let lent = Box::new(std::mem::replace(env, stand_in));
        let before = self.inner.lent.replace(Some(lent));
        let result = use_connection();
        if let Some(lent) = self.inner.lent.replace(before) {
            *env = *lent;
        }
        result
    }
}
