//! The transactional page store alone: commits of some pages, without SQL.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_io::{Delays, IoHandle};
use ringwood_pager::Pool;
use ringwood_wal::{Allocate, Database, DbOptions, Stop, Synchronous, Tx};
use serde_json::json;

use super::latencies::Latencies;
use super::scratch::Scratch;
use super::{Failure, machine};

/// `ringwood-bench wal`
#[derive(Args, Clone, Debug)]
pub struct Wal {
    /// Bytes of a page.
    #[arg(long, value_delimiter = ',', default_value = "4096")]
    pub page_sizes: Vec<u32>,
    /// Pages that a transaction changes.
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pub pages: Vec<u32>,
    /// Transactions at once, on one thread.
    #[arg(long, value_delimiter = ',', default_value = "1,32")]
    pub writers: Vec<usize>,
    /// `off`, `normal`, `full`.
    #[arg(long, value_delimiter = ',', default_value = "full")]
    pub synchronous: Vec<String>,
    /// How long each is measured.
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
    /// A slower device: `read=80us,flush=1600us`.
    #[arg(long, default_value = "")]
    pub delay: String,
    /// Where the file goes.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Measures, and prints a line for each combination.
///
/// # Errors
/// Those of the store.
pub fn run(options: &Wal) -> Result<(), Failure> {
    let delays = Delays::parse(&options.delay).ok_or("--delay is like read=80us,flush=1600us")?;
    let scratch = Scratch::new(options.dir.as_deref())?;
    let machine = machine::facts(scratch.path());
    for &page_size in &options.page_sizes {
        for name in &options.synchronous {
            for &pages in &options.pages {
                for &writers in &options.writers {
                    let io = IoHandle::builder().delays(delays).build();
                    let path = scratch.fresh("wal.db");
                    let synchronous = match name.to_ascii_lowercase().as_str() {
                        "off" => Synchronous::Off,
                        "normal" => Synchronous::Normal,
                        "full" => Synchronous::Full,
                        _ => return Err("--synchronous is off, normal or full".into()),
                    };
                    let one = One {
                        page_size,
                        pages,
                        writers,
                        synchronous,
                        seconds: options.seconds,
                    };
                    let (seen, groups) = io.block_on(one.measure(&io, &path))?;
                    let commits: usize = seen.iter().map(Latencies::count).sum();
                    let line = json!({
                        "what": "wal",
                        "page_size": page_size,
                        "pages": pages,
                        "writers": writers,
                        "synchronous": name,
                        "delay": options.delay,
                        "commits_per_second": commits as f64 / options.seconds,
                        "commits_per_group": commits as f64 / groups.max(1) as f64,
                        "latency": Latencies::summary(&seen),
                        "machine": machine,
                    });
                    println!("{line}");
                }
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct One {
    page_size: u32,
    pages: u32,
    writers: usize,
    synchronous: Synchronous,
    seconds: f64,
}

impl One {
    async fn measure(
        self,
        io: &IoHandle,
        path: &std::path::Path,
    ) -> Result<(Vec<Latencies>, u64), Failure> {
        let geometry = Geometry::new(self.page_size, 0).ok_or("no such page size")?;
        let pool = Pool::with_frames(4096, self.page_size as usize);
        let options = DbOptions {
            geometry,
            ..DbOptions::default()
        };
        let db = Database::open(io, &pool, path, options).await?;
        let mut own = Vec::new();
        {
            let mut tx = Tx::new(db.clone(), io.clone());
            tx.begin_write().await?;
            for _ in 0..self.writers {
                let mut pages = Vec::new();
                for _ in 0..self.pages {
                    let page = tx.allocate(None, Allocate::Any).await?;
                    pages.push(page);
                }
                own.push(pages);
            }
            tx.commit().await?;
            tx.end_read();
        }
        let before = db.commit_counters().groups;
        let end = Instant::now() + Duration::from_secs_f64(self.seconds);
        let tasks: Vec<_> = own
            .into_iter()
            .map(|pages| {
                let mut tx = Tx::new(db.clone(), io.clone());
                tx.busy().set_timeout(Duration::from_mins(1));
                tx.set_synchronous(self.synchronous);
                io.spawn(write_until(tx, pages, end))
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(task.await??);
        }
        let groups = db.commit_counters().groups - before;
        db.close(io, Synchronous::Off).await?;
        Ok((seen, groups))
    }
}

async fn write_until(
    mut tx: Tx,
    pages: Vec<PageNo>,
    end: Instant,
) -> ringwood_wal::Result<Latencies> {
    let mut seen = Latencies::default();
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok(seen);
        }
        tx.begin_write().await?;
        for &page in &pages {
            change(&mut tx, page).await?;
        }
        tx.commit().await?;
        tx.end_read();
        seen.add(began.elapsed());
    }
}

async fn change(tx: &mut Tx, page: PageNo) -> ringwood_wal::Result<()> {
    loop {
        match tx.page_mut(page) {
            Ok(bytes) => {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                return Ok(());
            }
            Err(Stop::Fail(error)) => return Err(*error),
            // The pin goes before the page is changed.
            Err(Stop::Miss(_) | Stop::Slow) => drop(tx.page(page).await?),
        }
    }
}
