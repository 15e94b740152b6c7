//! Draws histories of statements over the whole grammar and runs them on stock SQLite and on Ringwood.

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ringwood_testkit::grammar::{Class, Options, run, shrink};

const HELP: &str =
    "usage: differ [--statements N] [--length N] [--seed S] [--threads N] [--show N] [--no-shrink]

  --statements N  draw so many statements in all (default 10000)
  --length N      so many in each history (default 120)
  --seed S        begin at this seed (default 1)
  --threads N     run on so many threads (default: all cores)
  --show N        stop after so many differences of different kinds (default 10)
  --skip-missing  do not count what says that it is not supported yet
  --at-most N     fail only if more histories differ (default 0)
  --no-shrink     print histories as they were drawn";

struct Arguments {
    statements: usize,
    length: usize,
    seed: u64,
    threads: usize,
    show: usize,
    shrink: bool,
    known: bool,
    at_most: usize,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut found = Arguments {
        statements: 10_000,
        length: 120,
        seed: 1,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        show: 10,
        shrink: true,
        known: false,
        at_most: 0,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut number = || -> Result<u64, String> {
            let value = given
                .next()
                .ok_or_else(|| format!("{name} needs a number"))?;
            value.parse().map_err(|e| format!("{name} {value}: {e}"))
        };
        match name.as_str() {
            "--statements" => found.statements = number()? as usize,
            "--length" => found.length = number()? as usize,
            "--seed" => found.seed = number()?,
            "--threads" => found.threads = number()?.max(1) as usize,
            "--show" => found.show = number()? as usize,
            "--at-most" => found.at_most = number()? as usize,
            "--skip-missing" => found.known = true,
            "--no-shrink" => found.shrink = false,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument: {other}\n{HELP}")),
        }
    }
    Ok(Some(found))
}

/// What two reports of one cause have in common.
fn kind(what: &str) -> String {
    let what = what.split("got error: ").last().unwrap_or(what);
    what.chars()
        .filter(|c| c.is_ascii_alphabetic() || *c == ' ')
        .take(40)
        .collect()
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::from(2);
        }
    };
    let (ran, answered, found) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let tolerated: Mutex<BTreeMap<Class, usize>> = Mutex::new(BTreeMap::new());
    let seeds = AtomicU64::new(arguments.seed);
    let kinds: Mutex<HashSet<String>> = Mutex::new(HashSet::new());
    let shown = || kinds.lock().unwrap_or_else(PoisonError::into_inner).len();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                while ran.load(Ordering::Relaxed) < arguments.statements && shown() < arguments.show
                {
                    let seed = seeds.fetch_add(1, Ordering::Relaxed);
                    let result = run(Options {
                        seed,
                        statements: arguments.length,
                    });
                    ran.fetch_add(result.ran, Ordering::Relaxed);
                    answered.fetch_add(result.answered, Ordering::Relaxed);
                    for class in result.tolerated {
                        *tolerated
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .entry(class)
                            .or_insert(0) += 1;
                    }
                    let Some(difference) = result.difference else {
                        continue;
                    };
                    if arguments.known && difference.what.contains("not supported yet") {
                        continue;
                    }
                    found.fetch_add(1, Ordering::Relaxed);
                    let new = kinds
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(kind(&difference.what));
                    if !new {
                        continue;
                    }
                    let (history, what) = if arguments.shrink {
                        let (history, again) = shrink(&result.history);
                        (history, again.map_or(difference.what, |d| d.what))
                    } else {
                        (result.history, difference.what)
                    };
                    println!("-- seed {seed}: {what}\n{};\n", history.join(";\n"));
                }
            });
        }
    });
    let (ran, found) = (ran.into_inner(), found.into_inner());
    for (class, count) in tolerated
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
    {
        println!("documented: {count} times {}", class.name());
    }
    println!(
        "{ran} statements, {} of them without an error; {found} histories with a difference",
        answered.into_inner(),
    );
    if found <= arguments.at_most {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
