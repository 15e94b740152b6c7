//! Runs the simulator: `sim [--seeds N] [--from N] [--processes N] [--crowd] [--mutation NAME] [--threads N]`, or one seed or
//! scenario again: `sim --seed N [--shrink]`, `sim --scenario FILE`.
//!
//! Exits with 1 where something was found; each finding comes with the command that replays it.

use std::process::ExitCode;
use std::time::Instant;

use ringwood_testkit::sim::scenario::Mutation;
use ringwood_testkit::sim::{Scenario, Settings, run, run_seeds, shrink};

const USAGE: &str = "usage: sim [--seeds N] [--from N] [--processes N] [--threads N] [--crowd]
           [--cuts-after-failed-syncs]
           [--mutation no-log-sync|no-journal-sync|no-checkpoint-sync|no-checksum|synchronous-off]
           [--all] (go on after a failure)
       sim --seed N [--processes N] [--crowd] [--mutation NAME] [--shrink]
       sim --scenario FILE";

fn main() -> ExitCode {
    let mut settings = Settings::default();
    let (mut from, mut count, mut threads) = (0, 2000, 2);
    let (mut seed, mut file, mut shrinks, mut failures_max) = (None, None, false, 1);
    let mut args = std::env::args().skip(1);
    let number = |args: &mut dyn Iterator<Item = String>| {
        args.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seeds" => count = number(&mut args),
            "--from" => from = number(&mut args),
            "--threads" => threads = number(&mut args).max(1),
            "--processes" => settings.processes = number(&mut args).max(1),
            "--crowd" => settings.crowd = true,
            "--cuts-after-failed-syncs" => settings.cuts_after_failed_syncs = true,
            "--seed" => seed = Some(number(&mut args)),
            "--scenario" => file = args.next(),
            "--shrink" => shrinks = true,
            "--all" => failures_max = 1000,
            "--mutation" => {
                settings.mutation = match args.next().as_deref() {
                    Some("no-log-sync") => Mutation::NoLogSync,
                    Some("no-journal-sync") => Mutation::NoJournalSync,
                    Some("no-checkpoint-sync") => Mutation::NoCheckpointSync,
                    Some("no-checksum") => Mutation::NoChecksum,
                    Some("synchronous-off") => Mutation::SynchronousOff,
                    _ => {
                        eprintln!("{USAGE}");
                        return ExitCode::from(2);
                    }
                }
            }
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    if let Some(file) = file {
        let read = std::fs::read_to_string(&file).map_err(|e| e.to_string());
        let parsed = read.and_then(|t| serde_json::from_str(&t).map_err(|e| e.to_string()));
        return match parsed {
            Ok(scenario) => one(&scenario, shrinks),
            Err(error) => {
                eprintln!("{file}: {error}");
                ExitCode::from(2)
            }
        };
    }
    if let Some(seed) = seed {
        return one(&Scenario::of_seed(seed, &settings), shrinks);
    }
    let started = Instant::now();
    let (done, sum, failures) = run_seeds(from..from + count, threads, &settings, failures_max);
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{done} seeds in {seconds:.1} s: {} commits acknowledged, {} snapshots compared, {} power cuts, {} kills, \
         {} statements given up, {} errors, {} operations, stock SQLite looked {} times",
        sum.commits,
        sum.reads,
        sum.cuts,
        sum.kills,
        sum.given_up,
        sum.errors,
        sum.operations,
        sum.stock_checks
    );
    for (seed, failure) in &failures {
        println!(
            "seed {seed}: {failure}\n  again: sim --seed {seed} --processes {}{} --shrink",
            settings.processes,
            if settings.crowd { " --crowd" } else { "" }
        );
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(scenario: &Scenario, shrinks: bool) -> ExitCode {
    match run(scenario) {
        Ok(outcome) => {
            println!("{outcome:?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            if shrinks {
                let (small, failure) = shrink::shrink(scenario, failure);
                println!("smallest: {failure}");
                let text = serde_json::to_string(&small).unwrap_or_default();
                println!("{text}");
            }
            ExitCode::FAILURE
        }
    }
}
