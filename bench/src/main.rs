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
use ringwood_bench::laboratory::clients::{self, Clients};
use ringwood_bench::laboratory::commit::{self, Commit};

#[derive(Parser)]
#[command(
    name = "ringwood-bench",
    about = "Measurements of Ringwood, as lines of JSON"
)]
enum What {
    /// Many clients commit small transactions to one database.
    Clients(Clients),
    /// One client commits small transactions: time per commit.
    Commit(Commit),
}

fn main() -> ExitCode {
    let done = match What::parse() {
        What::Clients(options) => clients::run(&options),
        What::Commit(options) => commit::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("ringwood-bench: {e}");
            ExitCode::FAILURE
        }
    }
}
