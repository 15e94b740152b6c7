//! One client: the time of a small commit, which is a write and a sync on either engine.

use std::path::PathBuf;

use clap::Args;

use super::clients::{self, Api, Clients};
use super::{Engine, Failure};

/// `ringwood-bench commit`
#[derive(Args, Clone, Debug)]
pub struct Commit {
    /// How long each engine is measured at a time.
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// How often.
    #[arg(long, default_value_t = 5)]
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

/// Measures, and prints a line for each run.
///
/// # Errors
/// Those of the engines.
pub fn run(options: &Commit) -> Result<(), Failure> {
    let alone = Clients {
        clients: 1,
        api: Api::Threads,
        threads: 1,
        seconds: options.seconds,
        repeat: options.repeat,
        synchronous: options.synchronous.clone(),
        autocheckpoint: options.autocheckpoint,
        engine: options.engine,
        dir: options.dir.clone(),
    };
    clients::compare(&alone, "commit")
}
