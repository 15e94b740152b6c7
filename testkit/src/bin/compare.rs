//! Runs SQL scripts on stock SQLite and on Ringwood and prints every difference:
//! `compare [--db FILE] FILE…` (standard input without FILE). With `--db` both work on a copy of that file.
//! `--show` prints what stock SQLite answers to each statement instead, plans as trees.
//! Exits with 1 where one was found.

use std::io::Read as _;
use std::process::ExitCode;

use ringwood_testkit::compare::{plan_text, run, statements};
use ringwood_testkit::engine::Engine as _;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

fn main() -> ExitCode {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    if files.iter().any(|arg| arg == "--help" || arg == "-h") {
        eprintln!("usage: compare [--show] [--db FILE] [FILE...]");
        return ExitCode::SUCCESS;
    }
    let shows = files.first().is_some_and(|arg| arg == "--show");
    if shows {
        files.remove(0);
    }
    let mut engines = (Sqlite::memory(), Ringwood::memory());
    let folder = std::env::temp_dir().join(format!("ringwood-compare-{}", std::process::id()));
    if files.first().is_some_and(|arg| arg == "--db") {
        let db = files.drain(..2).nth(1).expect("--db FILE");
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let (theirs, ours) = (folder.join("theirs.db"), folder.join("ours.db"));
        std::fs::copy(&db, &theirs)
            .and_then(|_| std::fs::copy(&db, &ours))
            .expect("the database is copied");
        engines = (
            Sqlite::open(&theirs).expect("stock opens"),
            Ringwood::open(&ours).expect("ringwood opens"),
        );
    }
    let mut scripts = Vec::new();
    for file in &files {
        scripts.push(std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}")));
    }
    if files.is_empty() {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .expect("standard input is UTF-8");
        scripts.push(text);
    }
    let mut count = 0;
    if shows {
        for sql in scripts.iter().flat_map(|script| statements(script)) {
            show(&mut engines.0, sql);
        }
        return ExitCode::SUCCESS;
    }
    for script in &scripts {
        for difference in run(&mut engines.0, &mut engines.1, script) {
            println!("{difference}");
            count += 1;
        }
    }
    drop(engines);
    // The copies are of no further use.
    let _ = std::fs::remove_dir_all(folder);
    println!("{count} differences");
    if count == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the answer of stock SQLite.
fn show(stock: &mut Sqlite, sql: &str) {
    println!("{}", sql.trim());
    let answer = match stock.run(sql) {
        Ok(answer) => answer,
        Err(e) => return println!("  {e} at {:?}", e.offset),
    };
    if answer.columns == ["id", "parent", "notused", "detail"] {
        return print!("{}", plan_text(&answer));
    }
    for row in &answer.rows {
        println!("  {row:?}");
    }
}
