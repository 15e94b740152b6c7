//! The local executor: tasks of one thread, timers, and the loop that drives the ring.
//!
//! ```text
//! block_on:  poll the root future if it was woken
//!            run what was runnable at the start of the round, first come, first served
//!            fire timers
//!            runnable ──► look for completions (a system call only if something was submitted
//!            │            or the kernel says that completions wait), next round
//!            └ nothing ─► submit and wait: completion, timer, or the bell
//! ```
//!
//! 1. A round runs only what was runnable when it began, so a task that wakes itself lets all
//!    others, the root and the completions go first.
//! 2. `block_on` may be nested (a callback that runs a statement): the inner one drives all tasks
//!    but those being polled further out.
//! 3. Tasks that are unfinished when `block_on` returns go on in the next one.
//! 4. A task that panics takes `block_on` with it; the other tasks stay.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::IoHandle;
use crate::reactor::Reactor;
use crate::wake::{ROOT, Shared, TaskKey, TaskWaker};

const NESTING_MAX: usize = 16;

pub(crate) struct Executor {
    shared: Arc<Shared>,
    tasks: RefCell<Tasks>,
    /// Keys taken from the shared queue for this round, not yet run.
    round: RefCell<VecDeque<TaskKey>>,
    /// How many `block_on` are nested now.
    depth: Cell<u32>,
    /// One bit per depth: the root future was woken and not yet polled.
    roots_woken: Cell<u64>,
    root_wakers: [OnceCell<(Arc<TaskWaker>, Waker)>; NESTING_MAX],
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    timer_count: Cell<u64>,
}

#[derive(Default)]
struct Tasks {
    slots: Vec<Task>,
    free: Vec<u32>,
    live: usize,
}

struct Task {
    generation: u32,
    /// `None` while it is being polled, and when it is over.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Option<(Arc<TaskWaker>, Waker)>,
}

impl Executor {
    pub(crate) fn new(shared: Arc<Shared>) -> Executor {
        Executor {
            shared,
            tasks: RefCell::default(),
            round: RefCell::default(),
            depth: Cell::new(0),
            roots_woken: Cell::new(0),
            root_wakers: Default::default(),
            timers: RefCell::default(),
            timer_count: Cell::new(0),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether a `block_on` drives the ring.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.depth.get() > 0
    }

    /// Whether anything but what is being polled could run now.
    #[inline]
    pub(crate) fn has_runnable(&self) -> bool {
        self.is_running()
            && (self.roots_woken.get() != 0
                || !self.shared.is_empty()
                || !self.round.borrow().is_empty())
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.timers
            .borrow()
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    fn fire_timers(&self, now_ns: impl FnOnce() -> u64) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = now_ns();
        loop {
            let mut timers = self.timers.borrow_mut();
            match timers.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let waker = first.remove();
                    drop(timers);
                    waker.wake();
                }
                _ => return,
            }
        }
    }

    /// Runs what is runnable now (rule 1).
    fn run_round(&self) {
        if self.round.borrow().is_empty() {
            self.shared.take(&mut self.round.borrow_mut());
        }
        // An outer `block_on` may be in the middle of a round: its remains come first.
        let mut left = self.round.borrow().len();
        while left > 0 {
            left -= 1;
            let Some(key) = self.round.borrow_mut().pop_front() else {
                return;
            };
            if key & ROOT != 0 {
                self.roots_woken
                    .set(self.roots_woken.get() | 1 << (key & !ROOT));
            } else {
                self.run_task(key);
            }
        }
    }

    fn run_task(&self, key: TaskKey) {
        let index = key as u32 as usize;
        let (mut future, queued, waker) = {
            let mut tasks = self.tasks.borrow_mut();
            let task = &mut tasks.slots[index];
            if task.generation != (key >> 32) as u32 {
                return;
            }
            let (Some(future), Some((queued, waker))) = (task.future.take(), task.waker.clone())
            else {
                return;
            };
            (future, queued, waker)
        };
        queued.queued.store(false, Ordering::Release);
        let ending = Ending {
            tasks: &self.tasks,
            index,
        };
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            std::mem::forget(ending);
            self.tasks.borrow_mut().slots[index].future = Some(future);
        }
        // Else the future is dropped outside of the borrow, since its destructors may spawn or
        // wake, and the slot is freed; so it is where the poll panicked (rule 4).
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let key = {
            let mut tasks = self.tasks.borrow_mut();
            let index = tasks.free.pop().unwrap_or_else(|| {
                tasks.slots.push(Task {
                    generation: 0,
                    future: None,
                    waker: None,
                });
                tasks.slots.len() as u32 - 1
            });
            tasks.live += 1;
            let task = &mut tasks.slots[index as usize];
            let key = u64::from(task.generation & 0x7FFF_FFFF) << 32 | u64::from(index);
            task.generation &= 0x7FFF_FFFF;
            task.future = Some(future);
            task.waker = Some(make_waker(&self.shared, key));
            if let Some((waker, _)) = &task.waker {
                waker.queued.store(true, Ordering::Release);
            }
            key
        };
        self.shared.push(key);
    }

    fn drop_tasks(&self) {
        loop {
            let mut tasks = self.tasks.borrow_mut();
            let Some(index) = tasks.slots.iter().position(|t| t.future.is_some()) else {
                return;
            };
            let future = tasks.slots[index].future.take();
            tasks.remove(index);
            drop(tasks);
            drop(future);
        }
    }
}

fn make_waker(shared: &Arc<Shared>, key: TaskKey) -> (Arc<TaskWaker>, Waker) {
    let waker = Arc::new(TaskWaker {
        shared: shared.clone(),
        key,
        queued: AtomicBool::new(false),
    });
    (waker.clone(), Waker::from(waker))
}

impl Tasks {
    fn remove(&mut self, index: usize) {
        let task = &mut self.slots[index];
        task.generation = task.generation.wrapping_add(1) & 0x7FFF_FFFF;
        task.waker = None;
        self.free.push(index as u32);
        self.live -= 1;
    }
}

/// Frees the slot of a task that is over.
struct Ending<'a> {
    tasks: &'a RefCell<Tasks>,
    index: usize,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.tasks.borrow_mut().remove(self.index);
    }
}

/// Restores the depth when `block_on` ends, also by a panic.
struct Depth<'a>(&'a Executor);

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        let depth = self.0.depth.get() - 1;
        self.0.depth.set(depth);
        self.0
            .roots_woken
            .set(self.0.roots_woken.get() & !(1 << depth));
    }
}

impl Reactor {
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let exec = &self.exec;
        let depth = exec.depth.get();
        assert!(
            (depth as usize) < NESTING_MAX,
            "block_on nested {NESTING_MAX} deep"
        );
        exec.depth.set(depth + 1);
        let _restore = Depth(exec);
        let (queued, waker) = exec.root_wakers[depth as usize]
            .get_or_init(|| make_waker(&exec.shared, ROOT | u64::from(depth)));
        let mut future = pin!(future);
        let mut cx = Context::from_waker(waker);
        exec.roots_woken.set(exec.roots_woken.get() | 1 << depth);
        loop {
            let woken = exec.roots_woken.get();
            if woken & 1 << depth != 0 {
                exec.roots_woken.set(woken & !(1 << depth));
                queued.queued.store(false, Ordering::Release);
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return output;
                }
            }
            exec.run_round();
            exec.fire_timers(|| self.clock.now_ns());
            let runnable = exec.roots_woken.get() & 1 << depth != 0
                || !exec.shared.is_empty()
                || !exec.round.borrow().is_empty();
            self.pump(!runnable);
        }
    }
}

impl IoHandle {
    /// Polls what is runnable now, and takes the completions that are there, without waiting: for a
    /// caller that drives several handles in turn. Whether there was anything to do or to wait for
    /// but timers.
    pub fn turn(&self) -> bool {
        let exec = &self.0.exec;
        let depth = exec.depth.get();
        assert!((depth as usize) < NESTING_MAX, "nested too deep");
        exec.depth.set(depth + 1);
        let _restore = Depth(exec);
        exec.fire_timers(|| self.0.clock.now_ns());
        let busy = !exec.shared.is_empty() || !exec.round.borrow().is_empty();
        exec.run_round();
        let busy = busy || self.in_flight() > 0;
        self.0.pump(false);
        busy
    }

    /// Takes the completions that are there, without waiting and without running anybody.
    pub fn drain(&self) {
        self.0.pump(false);
    }

    /// The time at which the first timer fires, if there is one.
    pub fn next_deadline(&self) -> Option<u64> {
        self.0.exec.next_deadline()
    }

    /// Runs a future to its end on this thread, and with it the ring, the timers and all tasks.
    ///
    /// # Panics
    /// Where a task panics, and where calls are nested more than 16 deep.
    #[inline]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    /// Adds a task. It runs whenever a `block_on` of this handle runs, whether or not its
    /// [`JoinHandle`] is kept.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        let state = Rc::new(Join {
            result: RefCell::new(JoinState::Running(None)),
        });
        let completion = Completion(state.clone());
        self.0.exec.spawn(Box::pin(async move {
            let output = future.await;
            completion.0.finish(JoinState::Done(output));
        }));
        JoinHandle(state)
    }

    /// The tasks that are not finished.
    pub fn task_count(&self) -> usize {
        self.0.exec.tasks.borrow().live
    }

    /// Whether any task of this thread could run now, if the caller waited.
    pub fn has_runnable(&self) -> bool {
        self.0.exec.has_runnable()
    }

    /// Lets everything else that is runnable go first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits at least this long.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sleep_until(self.now_ns().saturating_add(ns))
    }

    /// Waits until this time of [`IoHandle::now_ns`].
    pub fn sleep_until(&self, deadline_ns: u64) -> Sleep {
        Sleep {
            io: self.clone(),
            deadline: deadline_ns,
            timer: None,
        }
    }

    /// Waits until a [`RemoteWaker`](crate::RemoteWaker) of this handle is used more often than
    /// `seen` times, and says how often it was. Start with 0 and pass the last answer.
    pub async fn remote_woken(&self, seen: u64) -> u64 {
        std::future::poll_fn(|cx| {
            let calls = self.0.exec.shared.remote_calls(seen, Some(cx.waker()));
            if calls == seen {
                Poll::Pending
            } else {
                Poll::Ready(calls)
            }
        })
        .await
    }

    /// Drops all tasks and waits for what is in flight. Tasks hold handles, so a thread that ends
    /// with unfinished tasks should call this, or their memory stays.
    pub fn shutdown(&self) {
        self.0.exec.drop_tasks();
        while self.in_flight() > 0 {
            self.0.pump(true);
        }
    }
}

/// Runs a future to its end with this thread's handle.
pub fn block_on<F: Future>(future: F) -> F::Output {
    IoHandle::for_thread().block_on(future)
}

/// Waits for all futures of a list; the outputs come in its order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|f| Some(Box::pin(f))).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        let mut pending = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            let Some(f) = future else { continue };
            match f.as_mut().poll(cx) {
                Poll::Ready(o) => {
                    *output = Some(o);
                    *future = None;
                }
                Poll::Pending => pending = true,
            }
        }
        if pending {
            return Poll::Pending;
        }
        Poll::Ready(
            outputs
                .iter_mut()
                .map(|o| o.take().expect("each is ready"))
                .collect(),
        )
    })
    .await
}

/// The future of [`IoHandle::sleep`].
#[must_use = "waits only when awaited"]
pub struct Sleep {
    io: IoHandle,
    deadline: u64,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (io, deadline) = (self.io.clone(), self.deadline);
        let exec = &io.0.exec;
        let now = io.now_ns();
        if now < deadline && !exec.is_running() {
            // Nobody would fire the timer.
            std::thread::sleep(Duration::from_nanos(deadline - now));
            return Poll::Ready(());
        }
        if now >= deadline {
            return Poll::Ready(());
        }
        let number = *self.timer.get_or_insert_with(|| {
            exec.timer_count.set(exec.timer_count.get() + 1);
            exec.timer_count.get()
        });
        let before = exec
            .timers
            .borrow_mut()
            .insert((deadline, number), cx.waker().clone());
        // Outside of the borrow: a waker of another executor may do anything when it is dropped.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.timer {
            let waker = self
                .io
                .0
                .exec
                .timers
                .borrow_mut()
                .remove(&(self.deadline, number));
            drop(waker);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sleep(until {} ns)", self.deadline)
    }
}

struct Join<T> {
    result: RefCell<JoinState<T>>,
}

enum JoinState<T> {
    Running(Option<Waker>),
    Done(T),
    Gone,
}

impl<T> Join<T> {
    fn finish(&self, state: JoinState<T>) {
        let before = std::mem::replace(&mut *self.result.borrow_mut(), state);
        if let JoinState::Running(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// Tells who joins that a task was dropped or panicked.
struct Completion<T>(Rc<Join<T>>);

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        if matches!(*self.0.result.borrow(), JoinState::Running(_)) {
            self.0.finish(JoinState::Gone);
        }
    }
}

/// A task that will not finish: it panicked, or was dropped by [`IoHandle::shutdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskGone;

impl fmt::Display for TaskGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was dropped before it finished")
    }
}

impl std::error::Error for TaskGone {}

/// Waits for a task's output. Dropping it leaves the task running.
pub struct JoinHandle<T>(Rc<Join<T>>);

impl<T> JoinHandle<T> {
    /// Whether the task is over.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.0.result.borrow(), JoinState::Running(_))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, TaskGone>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, TaskGone>> {
        let mut state = self.0.result.borrow_mut();
        match &mut *state {
            JoinState::Running(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => match std::mem::replace(&mut *state, JoinState::Gone) {
                JoinState::Done(output) => Poll::Ready(Ok(output)),
                _ => Poll::Ready(Err(TaskGone)),
            },
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "JoinHandle({})",
            if self.is_finished() {
                "finished"
            } else {
                "running"
            }
        )
    }
}
