//! Cores: the threads that connections live on.
//!
//! A core is one thread with its own I/O handle and local executor. Connections are dealt out to the cores in turn, also
//! those of one database: what they share is made for several threads. Cores are started when the first connection needs
//! them, as many as the machine has, and stay.
//!
//! Rule: a task that panics takes neither its core nor another task with it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use ringwood_io::IoHandle;

use crate::error::{Error, Result};

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce(IoHandle) -> Task + Send>;

/// A task whose panic ends it and nothing else: what it held is dropped, so that its connection rolls back, and its
/// callers are told that the connection is closed.
struct Contained(Option<Task>);

impl Future for Contained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(task) = &mut self.0 else {
            return Poll::Ready(());
        };
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        let task = self.0.take();
        // What a panic left may panic again when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
        Poll::Ready(())
    }
}

/// A handle to a core; `Send`.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    jobs: UnboundedSender<Job>,
}

impl Core {
    /// The core for the next connection, round robin.
    pub(crate) fn next() -> Result<Core> {
        static CORES: OnceLock<Vec<OnceLock<Core>>> = OnceLock::new();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let cores = CORES.get_or_init(|| {
            let count = std::thread::available_parallelism().map_or(1, usize::from);
            (0..count).map(|_| OnceLock::new()).collect()
        });
        let index = NEXT.fetch_add(1, Ordering::Relaxed) % cores.len();
        if let Some(core) = cores[index].get() {
            return Ok(core.clone());
        }
        let core = Core::start(index)?;
        Ok(cores[index].get_or_init(|| core).clone())
    }

    fn start(index: usize) -> Result<Core> {
        let (jobs, mut queue) = unbounded::<Job>();
        std::thread::Builder::new()
            .name(format!("ringwood-{index}"))
            .spawn(move || {
                let io = IoHandle::for_thread();
                let local = io.clone();
                io.block_on(async move {
                    while let Some(job) = std::future::poll_fn(|cx| {
                        futures_core::Stream::poll_next(Pin::new(&mut queue), cx)
                    })
                    .await
                    {
                        let here = local.clone();
                        // A job that panics while it is made is no task at all.
                        if let Ok(task) = catch_unwind(AssertUnwindSafe(|| job(here))) {
                            local.spawn(Contained(Some(task)));
                        }
                    }
                });
            })
            .map_err(|e| Error::Misuse(format!("cannot start a thread: {e}")))?;
        Ok(Core { jobs })
    }

    /// Runs a task on the core; `job` makes it there.
    pub(crate) fn spawn<F, T>(&self, job: F) -> Result<()>
    where
        F: FnOnce(IoHandle) -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        self.jobs
            .unbounded_send(Box::new(move |io| Box::pin(job(io))))
            .map_err(|_| Error::ConnectionClosed)
    }
}
