//! The laboratory: one measurement a call, its result as a line of JSON.
//!
//! ```text
//! ringwood-bench clients --clients 32 --api tasks --seconds 3 --repeat 3
//! {"what":"clients","engine":"ringwood","api":"tasks","clients":32,…,"commits_per_second":63120.4,…,"machine":{…}}
//! ```
//!
//! Each measurement runs on the engines in turn, `--repeat` times, so that a noisy machine meets all of them alike; what
//! counts is the ratio within one call, which goes to the standard error at the end.

use std::process::ExitCode;

use clap::Parser;
use ringwood_bench::laboratory::cache::{self, Cache};
use ringwood_bench::laboratory::clients::{self, Clients};
use ringwood_bench::laboratory::commit::{self, Commit};
use ringwood_bench::laboratory::idle::{self, Idle};
use ringwood_bench::laboratory::io::{self, Io};
use ringwood_bench::laboratory::mix::{self, Mix};
use ringwood_bench::laboratory::report::{self, Report};
use ringwood_bench::laboratory::scan::{self, Scan};
use ringwood_bench::laboratory::soak::{self, Soak};
use ringwood_bench::laboratory::wal::{self, Wal};

#[derive(Parser)]
#[command(
    name = "ringwood-bench",
    about = "Measurements of Ringwood, as lines of JSON"
)]
enum What {
    /// The drivers: blocks at a depth, flushes.
    Io(Io),
    /// The page cache: misses of its policies, the cost of a hit.
    Cache(Cache),
    /// The page store: commits of pages, without SQL.
    Wal(Wal),
    /// Full scans of a table, cold and warm.
    Scan(Scan),
    /// Readers beside writers.
    Mix(Mix),
    /// A page of HTML of results.
    Report(Report),
    /// Many clients commit small transactions to one database.
    Clients(Clients),
    /// One client commits small transactions: time per commit.
    Commit(Commit),
    /// Memory, threads and descriptors of connections and databases that nobody uses.
    Idle(Idle),
    /// Many clients do everything at once, and what they see is checked.
    Soak(Soak),
}

fn main() -> ExitCode {
    let done = match What::parse() {
        What::Io(options) => io::run(&options),
        What::Cache(options) => cache::run(&options),
        What::Wal(options) => wal::run(&options),
        What::Scan(options) => scan::run(&options),
        What::Mix(options) => mix::run(&options),
        What::Report(options) => report::run(&options),
        What::Clients(options) => clients::run(&options),
        What::Commit(options) => commit::run(&options),
        What::Idle(options) => idle::run(&options),
        What::Soak(options) => soak::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("ringwood-bench: {e}");
            ExitCode::FAILURE
        }
    }
}
