//! Full scans of a table, cold and warm, next to stock SQLite.
//!
//! Cold means that neither our cache nor the kernel's has the pages: the kernel is told to forget them
//! (`/proc/sys/vm/drop_caches`, which only root may write; without it the result says `"cold":false`).

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::scratch::Scratch;
use super::{Engine, Failure, machine, median};

const SQL: &str = "SELECT count(*), sum(length(body)), max(n) FROM t";

/// `ringwood-bench scan`
#[derive(Args, Clone, Debug)]
pub struct Scan {
    /// MiB of the table.
    #[arg(long, default_value_t = 256)]
    pub mib: u64,
    /// MiB of the cache.
    #[arg(long, default_value_t = 64)]
    pub cache: u64,
    /// Bytes of a page.
    #[arg(long, default_value_t = 4096)]
    pub page_size: u32,
    /// How often.
    #[arg(long, default_value_t = 3)]
    pub repeat: usize,
    /// A slower device, for us alone: `read=80us,flush=1600us`.
    #[arg(long, default_value = "")]
    pub delay: String,
    /// This engine alone.
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// Where the database goes.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Measures, and prints a line for each run.
///
/// # Errors
/// Those of the engines.
pub fn run(options: &Scan) -> Result<(), Failure> {
    let delays = ringwood_io::Delays::parse(&options.delay);
    let delays = delays.ok_or("--delay is like read=80us,flush=1600us")?;
    let scratch = Scratch::new(options.dir.as_deref())?;
    let machine = machine::facts(scratch.path());
    let path = scratch.fresh("scan.db");
    let bytes = build(&path, options)?;
    let mut rates: Vec<(Engine, bool, Vec<f64>)> = Vec::new();
    for _ in 0..options.repeat {
        for &engine in Engine::available() {
            if options.engine.is_some_and(|only| only != engine) {
                continue;
            }
            let cold = forget_files();
            let seconds = match engine {
                Engine::Ringwood => ringwood(&path, options, delays)?,
                Engine::Sqlite => sqlite(&path, options)?,
            };
            for (round, seconds) in seconds.into_iter().enumerate() {
                let is_cold = cold && round == 0;
                let rate = bytes as f64 / seconds / f64::from(1 << 20);
                let line = json!({
                    "what": "scan",
                    "engine": engine.name(),
                    "mib": options.mib,
                    "cache_mib": options.cache,
                    "page_size": options.page_size,
                    "delay": options.delay,
                    "cold": is_cold,
                    "seconds": seconds,
                    "mib_per_second": rate,
                    "machine": machine,
                });
                println!("{line}");
                let found = rates
                    .iter_mut()
                    .find(|(there, cold, _)| (*there, *cold) == (engine, is_cold));
                match found {
                    Some((_, _, all)) => all.push(rate),
                    None => rates.push((engine, is_cold, vec![rate])),
                }
            }
        }
    }
    for (engine, cold, rates) in rates {
        let state = if cold { "cold" } else { "warm" };
        let rate = median(rates);
        eprintln!("{:<10} {state} {rate:>10.0} MiB/s", engine.name());
    }
    Ok(())
}

/// Makes the kernel forget what it has cached; whether it did.
fn forget_files() -> bool {
    std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
}

/// The table; the bytes of its file.
fn build(path: &Path, options: &Scan) -> Result<u64, Failure> {
    let conn = ringwood::LocalConnection::open(path)?;
    conn.execute_batch(&format!(
        "PRAGMA page_size = {}; PRAGMA synchronous = OFF;
         CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, body TEXT)",
        options.page_size
    ))?;
    let rows = options.mib * 4096;
    let mut insert = conn.prepare(
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
         INSERT INTO t SELECT i, i * 7919 % 100003, hex(randomblob(115)) FROM n",
    )?;
    for first in (0..rows).step_by(20_000) {
        let last = (first + 20_000).min(rows) - 1;
        insert.execute([first as i64, last as i64])?;
    }
    drop(insert);
    conn.close()?;
    let file = std::fs::File::open(path)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Seconds of a first scan and of a second one.
fn ringwood(path: &Path, options: &Scan, delays: ringwood_io::Delays) -> Result<Vec<f64>, Failure> {
    let io = ringwood_io::IoHandle::builder().delays(delays).build();
    let pool = ringwood_pager::Pool::new(ringwood_pager::PoolOptions {
        budget_bytes: (options.cache << 20) as usize,
        ..ringwood_pager::PoolOptions::default()
    });
    let open = ringwood::local::OpenOptions {
        pool: Some(pool),
        ..ringwood::local::OpenOptions::default()
    };
    let conn = io.block_on(ringwood::LocalConnection::open_on(&io, path, &open))?;
    let mut seconds = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        conn.query_row(SQL, ())?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

#[cfg(not(feature = "peer"))]
fn sqlite(_: &Path, _: &Scan) -> Result<Vec<f64>, Failure> {
    Err("stock SQLite is there with the feature `peer`".into())
}

#[cfg(feature = "peer")]
fn sqlite(path: &Path, options: &Scan) -> Result<Vec<f64>, Failure> {
    let conn = rusqlite::Connection::open(path)?;
    let size = format!("PRAGMA cache_size = -{}", options.cache * 1024);
    conn.execute_batch(&size)?;
    let mut seconds = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        conn.query_row(SQL, [], |row| row.get::<_, i64>(0))?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
