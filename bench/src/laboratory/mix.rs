//! Readers and writers on one database: point reads of keys drawn by Zipf's law beside small commits.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::chance::{Chance, Zipf};
use super::latencies::Latencies;
use super::scratch::Scratch;
use super::{Engine, Failure, machine};

const READ: &str = "SELECT n, body FROM t WHERE id = ?1";
const WRITE: &str = "UPDATE t SET n = n + 1 WHERE id = ?1";
const PATIENCE: Duration = Duration::from_mins(1);

/// `ringwood-bench mix`
#[derive(Args, Clone, Debug)]
pub struct Mix {
    /// Threads that read.
    #[arg(long, default_value_t = 2)]
    pub readers: usize,
    /// Threads that write.
    #[arg(long, default_value_t = 1)]
    pub writers: usize,
    /// Rows of the table.
    #[arg(long, default_value_t = 100_000)]
    pub rows: u64,
    /// Exponent of Zipf's law; 0 for keys that are all alike.
    #[arg(long, default_value_t = 0.9)]
    pub skew: f64,
    /// `PRAGMA synchronous`.
    #[arg(long, default_value = "FULL")]
    pub synchronous: String,
    /// `PRAGMA wal_autocheckpoint`: small for a checkpoint that never ends.
    #[arg(long, default_value_t = 1000)]
    pub autocheckpoint: u32,
    /// How long each engine is measured at a time.
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// How often.
    #[arg(long, default_value_t = 3)]
    pub repeat: usize,
    /// This engine alone.
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// Where the databases go.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Measures, and prints a line for each run.
///
/// # Errors
/// Those of the engines.
pub fn run(options: &Mix) -> Result<(), Failure> {
    let scratch = Scratch::new(options.dir.as_deref())?;
    let machine = machine::facts(scratch.path());
    for round in 0..options.repeat {
        for &engine in Engine::available() {
            if options.engine.is_some_and(|only| only != engine) {
                continue;
            }
            let path = scratch.fresh(&format!("{}-{round}.db", engine.name()));
            build(&path, options.rows)?;
            let (reads, writes) = match engine {
                Engine::Ringwood => race(options, |role| local(&path, options, role))?,
                Engine::Sqlite => sqlite(&path, options)?,
            };
            let rate = |seen: &[Latencies]| {
                seen.iter().map(Latencies::count).sum::<usize>() as f64 / options.seconds
            };
            let line = json!({
                "what": "mix",
                "engine": engine.name(),
                "readers": options.readers,
                "writers": options.writers,
                "rows": options.rows,
                "skew": options.skew,
                "synchronous": options.synchronous,
                "autocheckpoint": options.autocheckpoint,
                "reads_per_second": rate(&reads),
                "writes_per_second": rate(&writes),
                "reads": Latencies::summary(&reads),
                "writes": Latencies::summary(&writes),
                "machine": machine,
            });
            println!("{line}");
            eprintln!(
                "{:<10} {:>10.0} reads/s {:>10.0} writes/s",
                engine.name(),
                rate(&reads),
                rate(&writes)
            );
        }
    }
    Ok(())
}

fn build(path: &Path, rows: u64) -> Result<(), Failure> {
    let conn = ringwood::LocalConnection::open(path)?;
    conn.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, body TEXT)")?;
    conn.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
         INSERT INTO t SELECT i, 0, hex(randomblob(50)) FROM n",
        [rows as i64],
    )?;
    conn.close()?;
    Ok(())
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Reads,
    Writes,
}

impl Role {
    fn sql(self) -> &'static str {
        match self {
            Role::Reads => READ,
            Role::Writes => WRITE,
        }
    }
}

fn pragmas(options: &Mix) -> String {
    format!(
        "PRAGMA synchronous = {}; PRAGMA wal_autocheckpoint = {}",
        options.synchronous, options.autocheckpoint
    )
}

/// One operation on a key.
type Turn = Box<dyn FnMut(i64) -> Result<(), Failure>>;
type Seen = (Vec<Latencies>, Vec<Latencies>);

/// Runs all threads: what readers saw, and writers. `ready` makes what a thread does, on that thread.
fn race(
    options: &Mix,
    ready: impl Fn(Role) -> Result<Turn, Failure> + Sync,
) -> Result<Seen, Failure> {
    let count = options.readers + options.writers;
    let (start, over) = (Barrier::new(count + 1), AtomicBool::new(false));
    let zipf = Zipf::new(options.rows, options.skew);
    let thread = |number: usize| -> Result<Latencies, Failure> {
        let role = if number < options.readers {
            Role::Reads
        } else {
            Role::Writes
        };
        let turn = ready(role);
        let mut chance = Chance::new(number as u64 + 1);
        // Who is not ready starts all the same, or nobody would.
        start.wait();
        let (mut turn, mut seen) = (turn?, Latencies::default());
        while !over.load(Ordering::Relaxed) {
            let key = zipf.draw(&mut chance) as i64;
            let began = Instant::now();
            turn(key)?;
            seen.add(began.elapsed());
        }
        Ok(seen)
    };
    std::thread::scope(|scope| {
        let thread = &thread;
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || thread(n))).collect();
        start.wait();
        std::thread::sleep(Duration::from_secs_f64(options.seconds));
        over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for thread in threads {
            let seen = thread.join().map_err(|_| "a thread panicked")?;
            all.push(seen?);
        }
        let writes = all.split_off(options.readers);
        Ok((all, writes))
    })
}

fn local(path: &Path, options: &Mix, role: Role) -> Result<Turn, Failure> {
    let conn = ringwood::LocalConnection::open(path)?;
    conn.busy_timeout(PATIENCE);
    conn.execute_batch(&pragmas(options))?;
    let mut statement = conn.prepare(role.sql())?;
    Ok(Box::new(move |key| {
        statement.reset();
        statement.bind(1, key)?;
        while statement.step()? {}
        Ok(())
    }))
}

#[cfg(not(feature = "peer"))]
fn sqlite(_: &Path, _: &Mix) -> Result<Seen, Failure> {
    Err("stock SQLite is there with the feature `peer`".into())
}

#[cfg(feature = "peer")]
fn sqlite(path: &Path, options: &Mix) -> Result<Seen, Failure> {
    race(options, |role| {
        let conn = rusqlite::Connection::open(path)?;
        conn.busy_timeout(PATIENCE)?;
        conn.execute_batch(&pragmas(options))?;
        Ok(Box::new(move |key| {
            let mut statement = conn.prepare_cached(role.sql())?;
            let mut rows = statement.query([key])?;
            while rows.next()?.is_some() {}
            Ok(())
        }))
    })
}
