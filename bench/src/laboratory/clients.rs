//! Many clients on one database, each with a connection of its own: small commits as fast as they go.
//!
//! | api | a client is |
//! |-----|-------------|
//! | `threads` | a thread with a `LocalConnection` |
//! | `hops` | a thread with a `Connection`, which lives on a core |
//! | `tasks` | a task of a foreign executor with a `Connection`; `--threads` of these executors |
//! | (stock SQLite) | a thread with a connection and a busy timeout |

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::latencies::Latencies;
use super::scratch::Scratch;
use super::{Engine, Failure, machine, median};

/// Bytes of a row's blob.
const ROW_BYTES: usize = 100;
/// How long a client waits for its turn.
const PATIENCE: Duration = Duration::from_mins(1);

/// `ringwood-bench clients`
#[derive(Args, Clone, Debug)]
pub struct Clients {
    /// How many.
    #[arg(long, default_value_t = 32)]
    pub clients: usize,
    /// What a client is.
    #[arg(long, value_enum, default_value = "tasks")]
    pub api: Api,
    /// Threads that run the tasks.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// How long each engine is measured at a time.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// How often.
    #[arg(long, default_value_t = 3)]
    pub repeat: usize,
    /// `PRAGMA synchronous`.
    #[arg(long, default_value = "FULL")]
    pub synchronous: String,
    /// `PRAGMA wal_autocheckpoint`.
    #[arg(long, default_value_t = 1000)]
    pub autocheckpoint: u32,
    /// This engine alone.
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// Where the databases go.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// A thread with a `LocalConnection`.
    Threads,
    /// A thread with a `Connection`.
    Hops,
    /// A task with a `Connection`.
    Tasks,
}

const TABLE: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)";
const INSERT: &str = "INSERT INTO t(b) VALUES (?1)";

/// Measures, and prints a line for each run.
///
/// # Errors
/// Those of the engines.
pub fn run(options: &Clients) -> Result<(), Failure> {
    compare(options, "clients")
}

/// The same under another name.
pub(super) fn compare(options: &Clients, what: &str) -> Result<(), Failure> {
    let scratch = Scratch::new(options.dir.as_deref())?;
    let machine = machine::facts(scratch.path());
    let mut rates: Vec<(Engine, Vec<f64>)> = Vec::new();
    for round in 0..options.repeat {
        for &engine in Engine::available() {
            if options.engine.is_some_and(|only| only != engine) {
                continue;
            }
            // A name of its own: connections on cores are closed some time after their handles are gone.
            let path = scratch.fresh(&format!("{}-{round}.db", engine.name()));
            let seen = match engine {
                Engine::Ringwood => ringwood(options, &path)?,
                Engine::Sqlite => sqlite(options, &path)?,
            };
            let commits: usize = seen.iter().map(Latencies::count).sum();
            let rate = commits as f64 / options.seconds;
            let line = json!({
                "what": what,
                "engine": engine.name(),
                "api": format!("{:?}", options.api).to_lowercase(),
                "clients": options.clients,
                "threads": options.threads,
                "synchronous": options.synchronous,
                "autocheckpoint": options.autocheckpoint,
                "seconds": options.seconds,
                "commits_per_second": rate,
                "latency": Latencies::summary(&seen),
                "machine": machine,
            });
            println!("{line}");
            match rates.iter_mut().find(|(there, _)| *there == engine) {
                Some((_, all)) => all.push(rate),
                None => rates.push((engine, vec![rate])),
            }
        }
    }
    report(rates);
    Ok(())
}

fn report(rates: Vec<(Engine, Vec<f64>)>) {
    let medians: Vec<(Engine, f64)> = rates.into_iter().map(|(e, r)| (e, median(r))).collect();
    for (engine, rate) in &medians {
        eprintln!("{:<10} {rate:>12.0} commits/s", engine.name());
    }
    if let [(_, ours), (_, theirs)] = medians[..] {
        eprintln!("ratio      {:>12.2}", ours / theirs);
    }
}

fn pragmas(options: &Clients) -> String {
    format!(
        "PRAGMA synchronous = {}; PRAGMA wal_autocheckpoint = {}",
        options.synchronous, options.autocheckpoint
    )
}

/// When clients start, and when they stop.
struct Race {
    start: Barrier,
    over: AtomicBool,
}

impl Race {
    fn new(clients: usize) -> Race {
        Race {
            start: Barrier::new(clients + 1),
            over: AtomicBool::new(false),
        }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn run(&self, seconds: f64) {
        self.start.wait();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        self.over.store(true, Ordering::Relaxed);
    }
}

type Seen = Result<Latencies, Failure>;

fn collect(
    threads: Vec<std::thread::ScopedJoinHandle<'_, Vec<Seen>>>,
) -> Result<Vec<Latencies>, Failure> {
    let mut all = Vec::new();
    for thread in threads {
        match thread.join() {
            Ok(seen) => all.extend(seen),
            Err(_) => all.push(Err("a client panicked".into())),
        }
    }
    all.into_iter().collect()
}

fn ringwood(options: &Clients, path: &Path) -> Result<Vec<Latencies>, Failure> {
    let first = ringwood::LocalConnection::open(path)?;
    first.execute_batch(TABLE)?;
    let seen = match options.api {
        Api::Threads => local_threads(options, path),
        Api::Hops => ringwood::block_on(on_cores(options, path, options.clients)),
        Api::Tasks => ringwood::block_on(on_cores(options, path, options.threads)),
    }?;
    check(&first, &seen)?;
    Ok(seen)
}

/// As many rows as commits, or the measurement is of something else.
fn check(conn: &ringwood::LocalConnection, seen: &[Latencies]) -> Result<(), Failure> {
    let rows: i64 = conn.query_row("SELECT count(*) FROM t", ())?.get(0)?;
    let commits: usize = seen.iter().map(Latencies::count).sum();
    if rows != commits as i64 {
        return Err(format!("{commits} commits, and {rows} rows").into());
    }
    Ok(())
}

fn local_threads(options: &Clients, path: &Path) -> Result<Vec<Latencies>, Failure> {
    let race = Race::new(options.clients);
    let ready = || -> Result<_, Failure> {
        let conn = ringwood::LocalConnection::open(path)?;
        conn.busy_timeout(PATIENCE);
        conn.execute_batch(&pragmas(options))?;
        Ok(conn.prepare(INSERT)?)
    };
    let client = || -> Seen {
        let ready = ready();
        let mut seen = Latencies::default();
        // Who is not ready starts all the same, or nobody would.
        race.start.wait();
        let mut insert = ready?;
        while race.goes_on() {
            let began = Instant::now();
            insert.execute([vec![7_u8; ROW_BYTES]])?;
            seen.add(began.elapsed());
        }
        Ok(seen)
    };
    std::thread::scope(|scope| {
        let threads = (0..options.clients).map(|_| scope.spawn(|| vec![client()]));
        let threads: Vec<_> = threads.collect();
        race.run(options.seconds);
        collect(threads)
    })
}

async fn on_cores(
    options: &Clients,
    path: &Path,
    threads: usize,
) -> Result<Vec<Latencies>, Failure> {
    let db = ringwood::Builder::new_local(path).build().await?;
    let mut ready = Vec::new();
    for _ in 0..options.clients {
        let conn = db.connect()?;
        conn.busy_timeout(PATIENCE)?;
        conn.execute_batch(&pragmas(options)).await?;
        let insert = conn.prepare(INSERT).await?;
        ready.push((conn, insert));
    }
    let race = Race::new(threads);
    let per_thread = options.clients.div_ceil(threads);
    std::thread::scope(|scope| {
        let mut started = Vec::new();
        while !ready.is_empty() {
            let some: Vec<_> = ready.drain(..per_thread.min(ready.len())).collect();
            let race = &race;
            started.push(scope.spawn(move || {
                race.start.wait();
                let clients = some.into_iter().map(|(conn, insert)| -> Client<'_> {
                    Box::pin(async move {
                        let seen = client_on_core(race, insert).await;
                        drop(conn);
                        seen
                    })
                });
                futures_executor::block_on(All::of(clients))
            }));
        }
        race.run(options.seconds);
        collect(started)
    })
}

async fn client_on_core(race: &Race, mut insert: ringwood::Statement) -> Seen {
    let mut seen = Latencies::default();
    while race.goes_on() {
        let began = Instant::now();
        insert.execute([vec![7_u8; ROW_BYTES]]).await?;
        seen.add(began.elapsed());
    }
    Ok(seen)
}

type Client<'a> = Pin<Box<dyn Future<Output = Seen> + 'a>>;

/// Clients on one thread, each polled when it was woken.
struct All<'a> {
    clients: futures_util::stream::FuturesUnordered<Client<'a>>,
    seen: Vec<Seen>,
}

impl<'a> All<'a> {
    fn of(clients: impl Iterator<Item = Client<'a>>) -> All<'a> {
        All {
            clients: clients.collect(),
            seen: Vec::new(),
        }
    }
}

impl Future for All<'_> {
    type Output = Vec<Seen>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<Seen>> {
        use futures_util::Stream as _;
        loop {
            match Pin::new(&mut self.clients).poll_next(cx) {
                Poll::Ready(Some(seen)) => self.seen.push(seen),
                Poll::Ready(None) => return Poll::Ready(std::mem::take(&mut self.seen)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(not(feature = "peer"))]
fn sqlite(_: &Clients, _: &Path) -> Result<Vec<Latencies>, Failure> {
    Err("stock SQLite is there with the feature `peer`".into())
}

#[cfg(feature = "peer")]
fn sqlite(options: &Clients, path: &Path) -> Result<Vec<Latencies>, Failure> {
    let first = rusqlite::Connection::open(path)?;
    first.execute_batch(&format!("PRAGMA journal_mode = WAL; {TABLE}"))?;
    let race = Race::new(options.clients);
    let ready = || -> Result<_, Failure> {
        let conn = rusqlite::Connection::open(path)?;
        conn.busy_timeout(PATIENCE)?;
        conn.execute_batch(&pragmas(options))?;
        Ok(conn)
    };
    let client = || -> Seen {
        let ready = ready();
        let mut seen = Latencies::default();
        // Who is not ready starts all the same, or nobody would.
        race.start.wait();
        let conn = ready?;
        let mut insert = conn.prepare(INSERT)?;
        while race.goes_on() {
            let began = Instant::now();
            insert.execute([vec![7_u8; ROW_BYTES]])?;
            seen.add(began.elapsed());
        }
        Ok(seen)
    };
    std::thread::scope(|scope| {
        let threads = (0..options.clients).map(|_| scope.spawn(|| vec![client()]));
        let threads: Vec<_> = threads.collect();
        race.run(options.seconds);
        collect(threads)
    })
}
