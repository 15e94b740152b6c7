//! The scripts of SQLite's speedtest1 on both engines in one process: CPU as a ratio for each test, the databases that
//! they leave compared.
//!
//! ```text
//! speedtest [--tests] [--check] [--dir DIR] SCRIPT...
//!   --tests     a line for each test of a script, not for the script alone
//!   --check     exit with 1 if a script fails, its database differs or is not whole, or takes more than 2.0 times
//!               stock's CPU
//!   --dir DIR   keep the databases there
//!   SCRIPT      a file, perhaps compressed (.xz); `-- begin test N` lines mark its tests
//! ```
//!
//! Databases are compared by stock SQLite: schema, and the rows of every table. Of a script that asks for random values
//! only the numbers of rows are compared.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use ringwood_bench::peer::{Ratios, cpu, ms, same_rows, since};
use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("speedtest: {e}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Failure> {
    let (mut tests, mut check, mut dir, mut scripts) = (false, false, None, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--tests" => tests = true,
            "--check" => check = true,
            "--dir" => dir = args.next().map(PathBuf::from),
            _ => scripts.push(PathBuf::from(arg)),
        }
    }
    let keep = dir.is_some();
    let dir = dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("ringwood-speedtest-{}", std::process::id()))
    });
    std::fs::create_dir_all(&dir)?;
    println!(
        "{:<40} {:>10} {:>10} {:>6}  result",
        "script", "sqlite ms", "ringwood", "ratio"
    );
    let (mut good, mut ratios) = (true, Ratios::default());
    for script in &scripts {
        good &= one(script, &dir, tests, &mut ratios)?;
    }
    if !keep {
        std::fs::remove_dir_all(&dir)?;
    }
    println!(
        "geometric mean {:.2}, largest {:.2}",
        ratios.mean(),
        ratios.largest()
    );
    Ok(!check || good && ratios.largest() <= 2.0)
}

/// A part of a script, and what it took.
struct Part {
    title: String,
    sql: String,
}

/// Runs one script; whether all went well.
fn one(script: &Path, dir: &Path, tests: bool, ratios: &mut Ratios) -> Result<bool, Failure> {
    let text = read(script)?;
    let name = script
        .file_name()
        .map_or(String::new(), |n| n.to_string_lossy().into_owned());
    let name = name.trim_end_matches(".xz").trim_end_matches(".sql");
    let files = [
        dir.join(format!("{name}-sqlite.db")),
        dir.join(format!("{name}-ringwood.db")),
    ];
    for file in &files {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let path = format!("{}{suffix}", file.display());
            if Path::new(&path).exists() {
                std::fs::remove_file(path)?;
            }
        }
    }
    let parts = split(&text);
    let mut stock = Sqlite::open(&files[0]).map_err(|e| e.to_string())?;
    let mut ringwood = Ringwood::open(&files[1]).map_err(|e| e.to_string())?;
    let (mut theirs, mut ours) = (Duration::ZERO, Duration::ZERO);
    let mut wrong = Vec::new();
    for part in &parts {
        let (a, stock_time, expected) = timed(&mut stock, &part.sql);
        let (b, time, got) = timed(&mut ringwood, &part.sql);
        theirs += stock_time;
        ours += time;
        if tests && !part.title.is_empty() {
            let ratio = time.as_secs_f64() / stock_time.as_secs_f64().max(1e-9);
            println!(
                "  {:<38} {:>10} {:>10} {ratio:>6.2}",
                part.title.chars().take(38).collect::<String>(),
                ms(stock_time),
                ms(time)
            );
        }
        if (a, &expected) != (b, &got) {
            wrong.push(format!(
                "test {}: {a} rows expected, {b} got; {} and {}",
                part.title,
                expected.unwrap_or_else(|| "no error".into()),
                got.unwrap_or_else(|| "no error".into())
            ));
        }
    }
    drop(stock);
    ringwood.connection.close()?;
    let random = text.contains("random");
    wrong.extend(differences(&files, random)?);
    let ratio = ratios.push(ours, theirs);
    println!(
        "{name:<40} {:>10} {:>10} {ratio:>6.2}  {}",
        ms(theirs),
        ms(ours),
        if wrong.is_empty() {
            "equal"
        } else {
            "DIFFERENT"
        }
    );
    for line in &wrong {
        println!("  {line}");
    }
    Ok(wrong.is_empty())
}

fn read(script: &Path) -> Result<String, Failure> {
    if script.extension().is_some_and(|e| e == "xz") {
        let output = Command::new("xz").arg("-dc").arg(script).output()?;
        if !output.status.success() {
            return Err(format!("xz cannot read {}", script.display()).into());
        }
        return Ok(String::from_utf8(output.stdout)?);
    }
    Ok(std::fs::read_to_string(script)?)
}

/// Splits a script where its tests begin.
fn split(text: &str) -> Vec<Part> {
    let mut parts = vec![Part {
        title: String::new(),
        sql: String::new(),
    }];
    for line in text.split_inclusive('\n') {
        if let Some(title) = line.strip_prefix("-- begin test ") {
            parts.push(Part {
                title: title.trim().to_owned(),
                sql: String::new(),
            });
        } else if !line.starts_with("-- end test") {
            if let Some(part) = parts.last_mut() {
                part.sql += line;
            }
        }
    }
    parts
}

/// Runs a part statement by statement; the number of rows, the time, the first error.
fn timed(engine: &mut dyn Engine, sql: &str) -> (usize, Duration, Option<String>) {
    let statements = ringwood_testkit::compare::statements(sql);
    let (mut rows, mut error) = (0, None);
    let before = cpu();
    for statement in statements {
        match engine.run(statement) {
            Ok(answer) => rows += answer.rows.len(),
            Err(e) => {
                error.get_or_insert_with(|| {
                    let line = statement.trim().chars().take(60).collect::<String>();
                    format!("error {e} of {line}")
                });
            }
        }
    }
    (rows, since(before), error)
}

/// What stock SQLite finds different in the two files.
fn differences(files: &[PathBuf; 2], random: bool) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let open = |file: &Path| Sqlite::open(file).map_err(|e| e.to_string());
    let (mut theirs, mut ours) = (open(&files[0])?, open(&files[1])?);
    let whole = ours
        .run("PRAGMA integrity_check")
        .map_err(|e| e.to_string())?;
    if whole.rows != [[Cell::Text(b"ok".to_vec())]] {
        found.push(format!("integrity_check: {:?}", whole.rows));
    }
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2";
    let (expected, got) = (theirs.run(sql), ours.run(sql));
    if expected != got {
        found.push("the schemas differ".to_owned());
    }
    for row in &expected.map_err(|e| e.to_string())?.rows {
        let (Cell::Text(kind), Cell::Text(name)) = (&row[0], &row[1]) else {
            continue;
        };
        if kind != b"table" {
            continue;
        }
        let name = String::from_utf8_lossy(name).replace('"', "\"\"");
        let sql = if random {
            format!("SELECT count(*) FROM \"{name}\"")
        } else {
            format!("SELECT * FROM \"{name}\"")
        };
        let (a, b) = (theirs.run(&sql), ours.run(&sql));
        let same = match (&a, &b) {
            (Ok(a), Ok(b)) => same_rows(a, b, true),
            (a, b) => a == b,
        };
        if !same {
            found.push(format!("the rows of {name} differ"));
        }
    }
    Ok(found)
}
