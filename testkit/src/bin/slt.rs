//! Runs sqllogictest files: `slt [--engine sqlite|ringwood] [--show N] [--at-most N] FILE-OR-FOLDER…`.
//!
//! Prints each file's score and the CPU time that it took, the first failures, and the total;
//! exits with 1 where more records failed than `--at-most` allows (none).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringwood_testkit::engine::Engine;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::slt::run::{Score, run};
use ringwood_testkit::sqlite::Sqlite;

fn main() -> ExitCode {
    let mut engine = "ringwood".to_owned();
    let mut show: usize = 10;
    let mut at_most: usize = 0;
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--engine" => engine = args.next().unwrap_or_default(),
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(show),
            "--at-most" => at_most = args.next().and_then(|n| n.parse().ok()).unwrap_or(at_most),
            "--help" | "-h" => return usage(ExitCode::SUCCESS),
            _ => paths.push(PathBuf::from(arg)),
        }
    }
    let open: fn() -> Box<dyn Engine> = match engine.as_str() {
        "sqlite" => || Box::new(Sqlite::memory()),
        "ringwood" => || Box::new(Ringwood::memory()),
        _ => return usage(ExitCode::from(2)),
    };
    if paths.is_empty() {
        return usage(ExitCode::from(2));
    }
    let mut files = Vec::new();
    for path in &paths {
        collect(path, &mut files);
    }
    files.sort();
    let mut total = Score::default();
    for file in &files {
        let text = match std::fs::read(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) => {
                eprintln!("{}: {e}", file.display());
                return ExitCode::from(2);
            }
        };
        let score = run(open().as_mut(), &file.display().to_string(), &text);
        println!("{}: {} of {}", file.display(), score.passed, score.total());
        for failure in score
            .failures
            .iter()
            .take(show.saturating_sub(total.failures.len()))
        {
            println!("  {failure}");
        }
        total.add(score);
    }
    println!(
        "{engine}: {} passed, {} failed, {} files",
        total.passed,
        total.failures.len(),
        files.len()
    );
    if total.failures.len() <= at_most {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            collect(&entry.path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}

fn usage(code: ExitCode) -> ExitCode {
    eprintln!("usage: slt [--engine sqlite|ringwood] [--show N] [--at-most N] FILE-OR-FOLDER...");
    code
}
