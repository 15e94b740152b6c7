//! The drivers alone: reads and writes of blocks at a depth, and flushes.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use ringwood_io::{Delays, DriverChoice, Durability, IoHandle, OpenOptions, RingOptions, SyncMode};
use serde_json::json;

use super::chance::Chance;
use super::latencies::Latencies;
use super::scratch::Scratch;
use super::{Failure, machine};

/// `ringwood-bench io`
#[derive(Args, Clone, Debug)]
pub struct Io {
    /// Drivers to compare.
    #[arg(long, value_delimiter = ',', default_value = "uring,blocking")]
    pub drivers: Vec<DriverName>,
    /// What is done.
    #[arg(long, value_delimiter = ',', default_value = "read,write,write-sync")]
    pub ops: Vec<Operation>,
    /// How many at once.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    pub depths: Vec<usize>,
    /// Bytes of a block.
    #[arg(long, default_value_t = 4096)]
    pub block: usize,
    /// MiB of the file.
    #[arg(long, default_value_t = 256)]
    pub mib: u64,
    /// Past the kernel's cache (`O_DIRECT`).
    #[arg(long)]
    pub direct: bool,
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

/// A driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriverName {
    /// The ring.
    Uring,
    /// System calls.
    Blocking,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// Random blocks.
    Read,
    /// Random blocks, into the kernel's cache.
    Write,
    /// A block and a flush.
    WriteSync,
}

/// Measures, and prints a line for each combination.
///
/// # Errors
/// Those of the files.
pub fn run(options: &Io) -> Result<(), Failure> {
    let delays = Delays::parse(&options.delay).ok_or("--delay is like read=80us,flush=1600us")?;
    let scratch = Scratch::new(options.dir.as_deref())?;
    let machine = machine::facts(scratch.path());
    let path = scratch.fresh("blocks");
    fill(&path, options.mib)?;
    for &driver in &options.drivers {
        for &op in &options.ops {
            for &depth in &options.depths {
                let choice = match driver {
                    DriverName::Uring => DriverChoice::Uring(RingOptions::default()),
                    DriverName::Blocking => DriverChoice::Blocking,
                };
                let io = IoHandle::builder().driver(choice).delays(delays).build();
                let before = io.stats();
                let began = Instant::now();
                let seen = io.block_on(many(&io, &path, options, op, depth))?;
                let seconds = began.elapsed().as_secs_f64();
                let stats = io.stats() - before;
                let count = seen.iter().map(Latencies::count).sum::<usize>() as f64;
                let line = json!({
                    "what": "io",
                    "driver": io.driver_name(),
                    "op": op.to_possible_value().map(|v| v.get_name().to_owned()),
                    "depth": depth,
                    "block": options.block,
                    "direct": options.direct,
                    "delay": options.delay,
                    "per_second": count / seconds,
                    "mib_per_second": count / seconds * options.block as f64 / f64::from(1 << 20),
                    "syscalls_per_op": stats.syscalls as f64 / count.max(1.0),
                    "latency": Latencies::summary(&seen),
                    "machine": machine,
                });
                println!("{line}");
                io.shutdown();
            }
        }
    }
    Ok(())
}

fn fill(path: &std::path::Path, mib: u64) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path)?;
    for n in 0..mib {
        file.write_all(&vec![n as u8; 1 << 20])?;
    }
    file.sync_all()?;
    Ok(())
}

async fn many(
    io: &IoHandle,
    path: &std::path::Path,
    options: &Io,
    op: Operation,
    depth: usize,
) -> Result<Vec<Latencies>, Failure> {
    let file = io.open(path, &OpenOptions::new().direct(options.direct))?;
    let blocks = (options.mib << 20) / options.block as u64;
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    let failed = Rc::new(RefCell::new(None));
    let tasks: Vec<_> = (0..depth)
        .map(|number| {
            let (io, file, failed) = (io.clone(), file.clone(), failed.clone());
            let (mut chance, block) = (Chance::new(number as u64 + 1), options.block);
            io.clone().spawn(async move {
                let mut seen = Latencies::default();
                while failed.borrow().is_none() {
                    let began = Instant::now();
                    if began >= end {
                        break;
                    }
                    let offset = chance.below(blocks) * block as u64;
                    let done = match op {
                        Operation::Read => {
                            io.read(&file, offset, io.alloc(block)).await.1.map(drop)
                        }
                        Operation::Write => {
                            let buf = io.alloc(block);
                            io.write(&file, offset, buf, Durability::Cached).await.1
                        }
                        Operation::WriteSync => {
                            let bufs = vec![io.alloc(block).into()];
                            io.write_sync(&file, offset, bufs, SyncMode::Data).await.1
                        }
                    };
                    if let Err(error) = done {
                        *failed.borrow_mut() = Some(error);
                    }
                    seen.add(began.elapsed());
                }
                seen
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await?);
    }
    let failed = failed.borrow_mut().take();
    failed.map_or(Ok(all), |error| Err(error.into()))
}
