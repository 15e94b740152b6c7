//! The threads that `Connection`s live on.
//!
//! ```text
//!   Runtime ── Core 0 ── thread: IoHandle, executor, tasks: one for each connection
//!           └─ Core 1 ── …
//!
//!   starts at its first connection ─► runs ─► shut down: no new calls, those that are queued are answered,
//!                                             connections are closed, threads end
//! ```
//!
//! Connections are dealt out to the cores in turn, also those of one database: what they share is made for several
//! threads. Without another word everything runs on one runtime for the process, [`Runtime::global`].
//!
//! Rules:
//! 1. A task that panics takes neither its core nor another task with it: its connection rolls back, and its callers are
//!    told that the connection is closed.
//! 2. A runtime that is shut down answers what was asked before and refuses what is asked after. Open transactions are
//!    rolled back, and the last connection of a file checkpoints its log.
//! 3. Threads of a runtime whose handles are all gone end with its last connection.
//! 4. Core *i* is kept on the *i*-th processor that the process may use, unless the builder says otherwise.
//!
//! Absent: queues between cores. What cores share is the page cache and the log, never messages.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use ringwood_io::IoHandle;

use crate::core_meters::CoreMeters;
use crate::error::{Error, Result};
use crate::queue::Door;
use crate::session::Message;

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce(IoHandle) -> Task + Send>;

/// How often what runs is interrupted, once the patience of a shutdown is over.
const NUDGE: Duration = Duration::from_millis(5);

/// Threads for connections. Clones are the same runtime.
///
/// ```
/// # fn main() -> ringwood::Result<()> { ringwood::block_on(async {
/// let runtime = ringwood::Runtime::builder().threads(1).build();
/// let db = ringwood::Builder::new_local(":memory:").runtime(&runtime).build().await?;
/// let conn = db.connect()?;
/// conn.execute("CREATE TABLE t(a)", ()).await?;
/// runtime.shutdown().await;
/// assert!(conn.execute("INSERT INTO t VALUES (1)", ()).await.is_err());
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<Cores>);

/// Makes a [`Runtime`].
#[derive(Clone, Debug, Default)]
pub struct RuntimeBuilder {
    threads: Option<usize>,
    unpinned: bool,
}

impl RuntimeBuilder {
    /// How many threads: at least one; by default as many as there are processors that the process may use.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> RuntimeBuilder {
        self.threads = Some(threads.max(1));
        self
    }

    /// Whether each thread is kept on a processor of its own; by default it is.
    #[must_use]
    pub fn pin(mut self, pin: bool) -> RuntimeBuilder {
        self.unpinned = !pin;
        self
    }

    /// The runtime. Its threads start when they are needed.
    pub fn build(self) -> Runtime {
        let cpus = ringwood_io::allowed_cpus();
        let count = self.threads.unwrap_or_else(|| {
            let all = std::thread::available_parallelism().map_or(1, usize::from);
            if cpus.is_empty() { all } else { cpus.len() }
        });
        let cpu = |index: usize| {
            let last = cpus.len().max(1);
            cpus.get(index % last).copied().filter(|_| !self.unpinned)
        };
        let cores: Vec<Arc<Core>> = (0..count)
            .map(|index| Arc::new(Core::new(index, cpu(index))))
            .collect();
        list().extend(cores.iter().map(Arc::downgrade));
        Runtime(Arc::new(Cores {
            cores,
            next: AtomicUsize::new(0),
        }))
    }
}

impl Runtime {
    /// Settings of a runtime of one's own.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// The runtime of the process, where no other is asked for.
    pub fn global() -> &'static Runtime {
        static GLOBAL: OnceLock<Runtime> = OnceLock::new();
        GLOBAL.get_or_init(|| Runtime::builder().build())
    }

    /// How many threads it has, at most.
    pub fn threads(&self) -> usize {
        self.0.cores.len()
    }

    /// The core for the next connection, in turn.
    pub(crate) fn next_core(&self) -> Arc<Core> {
        let cores = &self.0.cores;
        let next = self.0.next.fetch_add(1, Ordering::Relaxed);
        cores[next % cores.len()].clone()
    }

    /// Ends it (rule 2): returns when all that was queued is answered, all connections are closed and the threads have
    /// ended. A second call waits for the same. Not to be awaited on one of its own threads.
    pub async fn shutdown(&self) {
        self.refuse();
        for core in &self.0.cores {
            core.wait_for_end().await;
        }
    }

    /// As [`shutdown`](Self::shutdown); what still runs when that time is over is interrupted.
    pub async fn shutdown_within(&self, patience: Duration) {
        self.refuse();
        let over = Arc::new(AtomicBool::new(false));
        let (cores, done) = (self.0.clone(), over.clone());
        let nudge = move || {
            std::thread::park_timeout(patience);
            while !done.load(Ordering::Acquire) {
                cores.cores.iter().for_each(|core| core.interrupt());
                std::thread::park_timeout(NUDGE);
            }
        };
        // Without a thread for the purpose it takes as long as it takes.
        let nudger = std::thread::Builder::new()
            .name("ringwood-shutdown".into())
            .spawn(nudge);
        self.shutdown().await;
        over.store(true, Ordering::Release);
        if let Ok(nudger) = nudger {
            nudger.thread().unpark();
        }
    }

    fn refuse(&self) {
        self.0.cores.iter().for_each(|core| core.refuse());
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({} threads)", self.threads())
    }
}

struct Cores {
    cores: Vec<Arc<Core>>,
    next: AtomicUsize,
}

impl Drop for Cores {
    fn drop(&mut self) {
        // Rule 3: no new task can come; the connections that there are go on.
        self.cores.iter().for_each(|core| core.take_no_more());
    }
}

/// All cores of the process, for who counts.
fn list() -> MutexGuard<'static, Vec<Weak<Core>>> {
    static LIST: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());
    let mut list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|core| core.strong_count() > 0);
    list
}

thread_local! {
    static IS_CORE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this thread is that of a core.
pub(crate) fn is_core() -> bool {
    IS_CORE.get()
}

/// The cores whose threads have been started.
pub(crate) fn running() -> Vec<Arc<Core>> {
    let cores = list();
    let alive = cores.iter().filter_map(Weak::upgrade);
    alive.filter(|core| core.state().is_started).collect()
}

/// One thread.
pub(crate) struct Core {
    pub(crate) index: usize,
    cpu: Option<usize>,
    pub(crate) meters: CoreMeters,
    state: Mutex<CoreState>,
}

#[derive(Default)]
struct CoreState {
    is_started: bool,
    /// How tasks get there; `None` before the start and after the end of new ones.
    jobs: Option<UnboundedSender<Job>>,
    takes_no_more: bool,
    has_ended: bool,
    /// Who waits for that.
    waiting: Vec<Waker>,
    /// The ways in to its connections.
    doors: HashMap<u64, (Door<Message>, Arc<AtomicBool>)>,
    next_door: u64,
}

impl Core {
    fn new(index: usize, cpu: Option<usize>) -> Core {
        Core {
            index,
            cpu,
            meters: CoreMeters::default(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, CoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task here; `job` makes it.
    pub(crate) fn spawn<F, T>(self: &Arc<Core>, job: F) -> Result<()>
    where
        F: FnOnce(IoHandle) -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        let mut state = self.state();
        if state.takes_no_more {
            return Err(Error::ConnectionClosed);
        }
        if state.jobs.is_none() {
            state.jobs = Some(self.start()?);
            state.is_started = true;
        }
        let job: Job = Box::new(move |io| Box::pin(job(io)));
        let sent = state.jobs.as_ref().map(|jobs| jobs.unbounded_send(job));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(Error::ConnectionClosed),
        }
    }

    fn start(self: &Arc<Core>) -> Result<UnboundedSender<Job>> {
        let (jobs, queue) = unbounded::<Job>();
        let core = self.clone();
        std::thread::Builder::new()
            .name(format!("ringwood-{}", self.index))
            .spawn(move || {
                let ending = Ending(core);
                IS_CORE.set(true);
                if let Some(cpu) = ending.0.cpu {
                    // Where that is refused the thread runs where it may.
                    ringwood_io::pin_thread(cpu);
                }
                let io = IoHandle::for_thread();
                io.block_on(work(io.clone(), queue, ending.0.clone()));
                io.shutdown();
            })
            .map_err(|e| Error::Misuse(format!("cannot start a thread: {e}")))?;
        Ok(jobs)
    }

    /// Registers a connection, so that it hears of a shutdown.
    pub(crate) fn let_in(
        self: &Arc<Core>,
        door: Door<Message>,
        interrupt: Arc<AtomicBool>,
    ) -> Result<Guest> {
        let mut state = self.state();
        if state.takes_no_more {
            return Err(Error::ConnectionClosed);
        }
        let number = state.next_door;
        state.next_door += 1;
        state.doors.insert(number, (door, interrupt));
        self.meters.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Guest {
            core: self.clone(),
            number,
        })
    }

    /// No new tasks.
    fn take_no_more(&self) {
        let mut state = self.state();
        state.takes_no_more = true;
        let jobs = state.jobs.take();
        if !state.is_started {
            state.has_ended = true;
        }
        drop(state);
        // Its receiver is woken.
        drop(jobs);
    }

    /// No new tasks, and no new calls for those that there are.
    fn refuse(&self) {
        self.take_no_more();
        let doors: Vec<Door<Message>> = {
            let state = self.state();
            state.doors.values().map(|(door, _)| door.clone()).collect()
        };
        doors.iter().for_each(Door::close);
    }

    /// Interrupts what runs.
    fn interrupt(&self) {
        for (_, interrupt) in self.state().doors.values() {
            interrupt.store(true, Ordering::Release);
        }
    }

    async fn wait_for_end(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            if state.has_ended {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({})", self.index)
    }
}

/// A connection's place on a core; gives it up when it is dropped.
pub(crate) struct Guest {
    pub(crate) core: Arc<Core>,
    number: u64,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let gone = self.core.state().doors.remove(&self.number);
        drop(gone);
        let meters = &self.core.meters;
        meters.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The thread ends, however.
struct Ending(Arc<Core>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.takes_no_more = true;
        state.has_ended = true;
        let (jobs, waiting) = (state.jobs.take(), std::mem::take(&mut state.waiting));
        drop(state);
        drop(jobs);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// What a thread does: takes tasks until no more come, and runs those that it has to their ends.
async fn work(io: IoHandle, mut queue: UnboundedReceiver<Job>, core: Arc<Core>) {
    let living = Rc::new(Living::default());
    while let Some(job) =
        std::future::poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut queue), cx)).await
    {
        let here = io.clone();
        // A job that panics while it is made is no task at all.
        match catch_unwind(AssertUnwindSafe(|| job(here))) {
            Ok(task) => {
                living.count.set(living.count.get() + 1);
                io.spawn(Contained {
                    task: Some(task),
                    core: core.clone(),
                    _alive: Alive(living.clone()),
                });
            }
            Err(_) => core.meters.panics_add(),
        }
    }
    std::future::poll_fn(|cx| {
        if living.count.get() == 0 {
            return Poll::Ready(());
        }
        *living.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

/// How many tasks a thread has.
#[derive(Default)]
struct Living {
    count: std::cell::Cell<usize>,
    waker: std::cell::RefCell<Option<Waker>>,
}

struct Alive(Rc<Living>);

impl Drop for Alive {
    fn drop(&mut self) {
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0 {
            let waiting = self.0.waker.borrow_mut().take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// A task whose panic ends it and nothing else (rule 1).
struct Contained {
    task: Option<Task>,
    core: Arc<Core>,
    _alive: Alive,
}

impl Future for Contained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(());
        };
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        let task = self.task.take();
        // What a panic left may panic again when it is dropped.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(task)));
        if polled.is_err() || dropped.is_err() {
            self.core.meters.panics_add();
        }
        Poll::Ready(())
    }
}
