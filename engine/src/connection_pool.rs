//! The pool of a `Database`: connections that are lent out, a bounded number at a time.
//!
//! ```text
//!   acquire() ─┬─ one is idle ──────────────► the one that was used last
//!              ├─ fewer than the bound ─────► a new one
//!              └─ else in line: first come, first served ─► handed over by who gives one back
//!                     └ patience over: SQLITE_BUSY; given up: the place is gone, and nothing is lost
//! ```
//!
//! Rules:
//! 1. Nobody gets in before those who wait.
//! 2. A connection that comes back ends its transaction before its next user's first call: the queue is in order. What
//!    else was set on it stays: pragmas, attached and temporary tables, functions.
//! 3. One that is closed does not go out again; another one is made in its place.
//!
//! Cost: a lock and two moves where one is idle; who waits with a timeout costs a message to a core besides, for its clock.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::builder::Database;
use crate::connection::Connection;
use crate::error::{Error, Result, ResultCode};
use crate::histogram::Histogram;
use crate::session::Command;

/// How a pool is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) connections_max: usize,
    pub(crate) patience: Option<Duration>,
}

impl Default for PoolOptions {
    fn default() -> PoolOptions {
        PoolOptions {
            connections_max: usize::MAX,
            patience: None,
        }
    }
}

/// What a pool counts.
#[derive(Default)]
pub(crate) struct PoolMeters {
    pub(crate) acquired: AtomicU64,
    /// Those who had to wait, and how long until they got one, in nanoseconds.
    pub(crate) waits: Histogram,
    pub(crate) timeouts: AtomicU64,
}

/// The pool.
pub(crate) struct ConnectionPool {
    options: PoolOptions,
    pub(crate) meters: PoolMeters,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Connections that there are, or are being made.
    made: usize,
    line: VecDeque<Waiter>,
    numbers: u64,
}

struct Waiter {
    number: u64,
    waker: Waker,
    given: Option<Given>,
}

/// What somebody in line was given.
enum Given {
    Idle(Connection),
    /// He may make one.
    Room,
}

impl State {
    /// What is there, unless others wait for it (rule 1).
    fn take(&mut self, max: usize) -> Option<Given> {
        if !self.line.is_empty() {
            return None;
        }
        while let Some(conn) = self.idle.pop() {
            if !conn.is_closed() {
                return Some(Given::Idle(conn));
            }
            self.made -= 1;
        }
        if self.made >= max {
            return None;
        }
        self.made += 1;
        Some(Given::Room)
    }
}

impl ConnectionPool {
    pub(crate) fn new(options: PoolOptions) -> ConnectionPool {
        ConnectionPool {
            options,
            meters: PoolMeters::default(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections that there are, and how many of them are idle.
    pub(crate) fn size(&self) -> (usize, usize) {
        let state = self.state();
        (state.made, state.idle.len())
    }

    /// What is there without waiting.
    fn try_take(&self) -> Option<Given> {
        self.state().take(self.options.connections_max)
    }

    /// Gives something to the first in line who has nothing yet, or keeps it.
    fn give(&self, given: Given) {
        let mut state = self.state();
        let next = state.line.iter_mut().find(|waiter| waiter.given.is_none());
        let waker = match (next, given) {
            (Some(waiter), given) => {
                waiter.given = Some(given);
                Some(waiter.waker.clone())
            }
            (None, Given::Idle(conn)) => {
                state.idle.push(conn);
                None
            }
            (None, Given::Room) => {
                state.made -= 1;
                None
            }
        };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits in line, at most until the clock says so.
    async fn wait(&self, clock: Option<&Clock>) -> Option<Given> {
        let mut place = Place {
            pool: self,
            number: None,
        };
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            let Some(number) = place.number else {
                // Somebody may have given one back since.
                if let Some(given) = state.take(self.options.connections_max) {
                    return Poll::Ready(Some(given));
                }
                state.numbers += 1;
                let number = state.numbers;
                state.line.push_back(Waiter {
                    number,
                    waker: cx.waker().clone(),
                    given: None,
                });
                place.number = Some(number);
                if let Some(clock) = clock {
                    clock.tell(cx.waker());
                }
                return Poll::Pending;
            };
            let at = state.line.iter().position(|w| w.number == number);
            let Some(waiter) = at.and_then(|at| state.line.get_mut(at)) else {
                return Poll::Ready(None);
            };
            if let Some(given) = waiter.given.take() {
                return Poll::Ready(Some(given));
            }
            waiter.waker.clone_from(cx.waker());
            match clock {
                Some(clock) if clock.is_over() => Poll::Ready(None),
                Some(clock) => {
                    clock.tell(cx.waker());
                    Poll::Pending
                }
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// A place in the line; leaves it when it is dropped.
struct Place<'a> {
    pool: &'a ConnectionPool,
    number: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.pool.state();
        let at = state.line.iter().position(|w| w.number == number);
        let left = at.and_then(|at| state.line.remove(at));
        drop(state);
        // What was given in vain goes to the next one.
        if let Some(given) = left.and_then(|waiter| waiter.given) {
            self.pool.give(given);
        }
    }
}

/// Tells when somebody's patience is over; a core keeps the time.
#[derive(Clone, Default)]
struct Clock(Arc<Mutex<ClockState>>);

#[derive(Default)]
struct ClockState {
    is_over: bool,
    /// Nobody wants to know any more.
    is_stopped: bool,
    waits: Option<Waker>,
    runs: Option<Waker>,
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one on a core.
    fn start(db: &Database, patience: Duration) -> Result<Stopping> {
        let clock = Clock::default();
        let runs = clock.clone();
        db.runtime.next_core().spawn(move |io| async move {
            let mut sleep = std::pin::pin!(io.sleep(patience));
            std::future::poll_fn(|cx| {
                let mut state = runs.state();
                if state.is_stopped {
                    return Poll::Ready(());
                }
                state.runs = Some(cx.waker().clone());
                drop(state);
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let mut state = runs.state();
                state.is_over = true;
                let waits = state.waits.take();
                drop(state);
                waits.into_iter().for_each(Waker::wake);
                Poll::Ready(())
            })
            .await;
        })?;
        Ok(Stopping(clock))
    }

    fn is_over(&self) -> bool {
        self.state().is_over
    }

    fn tell(&self, waker: &Waker) {
        let mut state = self.state();
        if state.is_over {
            drop(state);
            waker.wake_by_ref();
            return;
        }
        state.waits = Some(waker.clone());
    }
}

/// Stops a clock when it is dropped.
struct Stopping(Clock);

impl Drop for Stopping {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_stopped = true;
        let runs = state.runs.take();
        drop(state);
        runs.into_iter().for_each(Waker::wake);
    }
}

impl Database {
    /// A connection from the pool, which gets it back when it is dropped. Who has to wait does so in line.
    ///
    /// ```
    /// # fn main() -> ringwood::Result<()> { ringwood::block_on(async {
    /// let db = ringwood::Builder::new_local(":memory:").max_connections(2).build().await?;
    /// let conn = db.acquire().await?;
    /// conn.execute("CREATE TABLE t(a)", ()).await?;
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// `SQLITE_BUSY` when the patience is over ([`acquire_timeout`](crate::Builder::acquire_timeout)); the runtime was
    /// shut down.
    pub async fn acquire(&self) -> Result<PooledConnection> {
        let given = match self.pool.try_take() {
            Some(given) => given,
            None => self.wait_in_line().await?,
        };
        let conn = match given {
            Given::Idle(conn) if !conn.is_closed() => conn,
            // Rule 3.
            Given::Idle(_) | Given::Room => self
                .connect()
                .inspect_err(|_| self.pool.give(Given::Room))?,
        };
        self.pool.meters.acquired.fetch_add(1, Ordering::Relaxed);
        Ok(PooledConnection {
            conn: Some(conn),
            pool: self.pool.clone(),
        })
    }

    async fn wait_in_line(&self) -> Result<Given> {
        let began = Instant::now();
        let patience = self.pool.options.patience;
        let clock = patience.map(|patience| Clock::start(self, patience));
        let clock = clock.transpose()?;
        let given = self.pool.wait(clock.as_ref().map(|c| &c.0)).await;
        match given {
            Some(given) => {
                self.pool.meters.waits.add_time(began.elapsed());
                Ok(given)
            }
            None => {
                self.pool.meters.timeouts.fetch_add(1, Ordering::Relaxed);
                let message = "no connection of the pool became free in time";
                Err(Error::from_code(ResultCode::BUSY, message))
            }
        }
    }
}

/// A connection that goes back to its pool when it is dropped; it derefs to it.
pub struct PooledConnection {
    /// Until then.
    conn: Option<Connection>,
    pool: Arc<ConnectionPool>,
}

impl Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn.as_ref().expect("there until it is dropped")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        // Rule 2; a connection that is gone has rolled back already.
        let ended = conn.link.tell(Command::With {
            job: Box::new(|conn| {
                conn.interrupt_handle().clear();
                if !conn.is_autocommit() {
                    // Nobody is left to tell; the next statement meets it.
                    let _ = conn.execute("ROLLBACK", ());
                }
            }),
        });
        self.pool.give(match ended {
            Ok(()) => Given::Idle(conn),
            Err(_) => Given::Room,
        });
    }
}

impl fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledConnection").finish_non_exhaustive()
    }
}
