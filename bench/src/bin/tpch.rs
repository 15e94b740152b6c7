//! TPC-H on both engines in one process: the 22 queries of `tpch/q*.sql`, results compared, CPU as a ratio.
//!
//! ```text
//! tpch [--scale N] [--runs N] [--query N]... [--indexes] [--plans] [--check] [--dir DIR]
//!   --scale N    size of the data (0.1: 600,572 lines of 150,000 orders)
//!   --runs N     the best of N runs of each query (3); one that takes seconds is run once
//!   --query N    only these queries
//!   --indexes    with an index on every foreign key (without, tables have their primary keys alone)
//!   --plans      print the plans where they differ
//!   --check      exit with 1 if a result differs, a query takes more than 1.5 times stock's CPU, or the geometric
//!                mean is above 1.0
//!   --dir DIR    keep the two files there, and take them from there if they exist
//! ```
//!
//! `tpch --check` is the whole check and takes about two minutes, most of them in stock SQLite, which scans a table for
//! each row of another in queries 17, 20 and 22.
//!
//! The queries run first without statistics, then with those that stock's ANALYZE leaves. Both engines get a cache that
//! holds the whole database: what is measured is their CPU.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringwood::LocalConnection;
use ringwood_bench::peer::{self, Ratios, ms};
use ringwood_testkit::engine::Engine;
use ringwood_testkit::plans;
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;
use tpchgen::generators as tables;

const SCHEMA: &str = include_str!("../../tpch/schema.sql");
const INDEXES: &str = include_str!("../../tpch/indexes.sql");
const QUERIES: [&str; 22] = [
    include_str!("../../tpch/q01.sql"),
    include_str!("../../tpch/q02.sql"),
    include_str!("../../tpch/q03.sql"),
    include_str!("../../tpch/q04.sql"),
    include_str!("../../tpch/q05.sql"),
    include_str!("../../tpch/q06.sql"),
    include_str!("../../tpch/q07.sql"),
    include_str!("../../tpch/q08.sql"),
    include_str!("../../tpch/q09.sql"),
    include_str!("../../tpch/q10.sql"),
    include_str!("../../tpch/q11.sql"),
    include_str!("../../tpch/q12.sql"),
    include_str!("../../tpch/q13.sql"),
    include_str!("../../tpch/q14.sql"),
    include_str!("../../tpch/q15.sql"),
    include_str!("../../tpch/q16.sql"),
    include_str!("../../tpch/q17.sql"),
    include_str!("../../tpch/q18.sql"),
    include_str!("../../tpch/q19.sql"),
    include_str!("../../tpch/q20.sql"),
    include_str!("../../tpch/q21.sql"),
    include_str!("../../tpch/q22.sql"),
];
/// A cache for the whole database, in KiB.
const CACHE: &str = "PRAGMA cache_size=-1000000";

type Failure = Box<dyn std::error::Error>;

struct Options {
    scale: f64,
    runs: u32,
    queries: Vec<usize>,
    indexes: bool,
    plans: bool,
    check: bool,
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("tpch: {e}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        scale: 0.1,
        runs: 3,
        queries: Vec::new(),
        indexes: false,
        plans: false,
        check: false,
        dir: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--scale" => options.scale = value()?.parse()?,
            "--runs" => options.runs = value()?.parse()?,
            "--query" => options.queries.push(value()?.parse()?),
            "--dir" => options.dir = Some(value()?.into()),
            "--indexes" => options.indexes = true,
            "--plans" => options.plans = true,
            "--check" => options.check = true,
            _ => return Err(format!("unknown option {arg}").into()),
        }
    }
    if options.queries.is_empty() {
        options.queries = (1..=QUERIES.len()).collect();
    }
    if options.queries.iter().any(|&q| q == 0 || q > QUERIES.len()) {
        return Err("queries are numbered from 1 to 22".into());
    }
    Ok(options)
}

fn run(options: &Options) -> Result<bool, Failure> {
    let temporary;
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => {
            temporary = TemporaryDir::new()?;
            temporary.0.clone()
        }
    };
    std::fs::create_dir_all(&dir)?;
    let (theirs, ours) = (dir.join("sqlite.db"), dir.join("ringwood.db"));
    let mut good = true;
    if !ours.exists() {
        good &= load(options, &theirs, &ours)?;
    }
    for analyzed in [false, true] {
        for file in [&theirs, &ours] {
            let stock = rusqlite_open(file)?;
            let sql = if analyzed {
                "ANALYZE"
            } else {
                "DROP TABLE IF EXISTS sqlite_stat1; DROP TABLE IF EXISTS sqlite_stat4"
            };
            stock.connection.execute_batch(sql)?;
        }
        good &= queries(options, &theirs, &ours, analyzed)?;
    }
    Ok(good || !options.check)
}

fn rusqlite_open(file: &Path) -> Result<Sqlite, Failure> {
    let mut stock = Sqlite::open(file).map_err(|e| e.to_string())?;
    stock.run(CACHE).map_err(|e| e.to_string())?;
    Ok(stock)
}

/// Runs the queries on both files; whether results and bounds hold.
fn queries(options: &Options, theirs: &Path, ours: &Path, analyzed: bool) -> Result<bool, Failure> {
    let mut stock = rusqlite_open(theirs)?;
    let mut ringwood = Ringwood::open(ours).map_err(|e| e.to_string())?;
    ringwood.run(CACHE).map_err(|e| e.to_string())?;
    println!(
        "\n{} ANALYZE\n{:>5} {:>7} {:>10} {:>10} {:>6}  result",
        if analyzed { "with" } else { "without" },
        "query",
        "rows",
        "sqlite ms",
        "ringwood",
        "ratio"
    );
    let (mut ratios, mut equal) = (Ratios::default(), 0);
    for &number in &options.queries {
        let sql = QUERIES[number - 1];
        let (expected, stock_time) = peer::measure(&mut stock, sql, options.runs);
        let (got, time) = peer::measure(&mut ringwood, sql, options.runs);
        let expected = expected.map_err(|e| format!("stock SQLite on query {number}: {e}"))?;
        let verdict = match &got {
            Err(e) => format!("error: {e}"),
            Ok(got) if peer::same_rows(&expected, got, false) => {
                equal += 1;
                "equal".to_owned()
            }
            Ok(_) => "DIFFERENT".to_owned(),
        };
        let ratio = match got {
            Ok(_) => format!("{:.2}", ratios.push(time, stock_time)),
            Err(_) => "-".to_owned(),
        };
        println!(
            "{number:>5} {:>7} {:>10} {:>10} {ratio:>6}  {verdict}",
            expected.rows.len(),
            ms(stock_time),
            ms(time),
        );
        let plans = (plan(&mut stock, sql), plan(&mut ringwood, sql));
        if options.plans && plans.0 != plans.1 {
            println!("sqlite:\n{}ringwood:\n{}", plans.0, plans.1);
        }
    }
    println!(
        "{equal} of {} equal, geometric mean {:.2}, largest {:.2}",
        options.queries.len(),
        ratios.mean(),
        ratios.largest()
    );
    Ok(equal == options.queries.len() && ratios.mean() <= 1.0 && ratios.largest() <= 1.5)
}

/// The lines of EXPLAIN QUERY PLAN.
fn plan(engine: &mut dyn Engine, sql: &str) -> String {
    plans::plan(engine, sql).unwrap_or_else(|e| format!("{e}\n"))
}

/// Makes both files; prints what it took.
fn load(options: &Options, theirs: &Path, ours: &Path) -> Result<bool, Failure> {
    let rows = generate(options.scale);
    let indexes = if options.indexes { INDEXES } else { "" };

    let before = peer::cpu();
    let stock = rusqlite_open(theirs)?;
    stock
        .connection
        .execute_batch(&format!("PRAGMA journal_mode=WAL; {SCHEMA} BEGIN"))?;
    for (table, lines) in &rows {
        let mut insert = stock.connection.prepare(&insert_into(table, &lines[0]))?;
        for line in lines {
            insert.execute(rusqlite_params(line))?;
        }
    }
    stock
        .connection
        .execute_batch(&format!("{indexes} COMMIT"))?;
    drop(stock);
    let stock_time = peer::since(before);

    let before = peer::cpu();
    let connection = LocalConnection::open(ours)?;
    connection.execute_batch(&format!("{CACHE}; {SCHEMA} BEGIN"))?;
    for (table, lines) in &rows {
        let mut insert = connection.prepare(&insert_into(table, &lines[0]))?;
        for line in lines {
            for (i, field) in fields(line).enumerate() {
                insert.bind(i + 1, field)?;
            }
            insert.step()?;
            insert.reset();
        }
    }
    connection.execute_batch(&format!("{indexes} COMMIT"))?;
    connection.close()?;
    let time = peer::since(before);
    println!(
        "load: sqlite {} ms, ringwood {} ms, ratio {:.2}",
        ms(stock_time),
        ms(time),
        time.as_secs_f64() / stock_time.as_secs_f64()
    );
    let verdict: String =
        rusqlite_open(ours)?
            .connection
            .query_row("PRAGMA integrity_check", (), |row| row.get(0))?;
    println!("integrity_check by stock: {verdict}");
    Ok(verdict == "ok")
}

fn rusqlite_params(line: &str) -> impl rusqlite::Params + '_ {
    rusqlite::params_from_iter(fields(line))
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.trim_end_matches('|').split('|')
}

fn insert_into(table: &str, line: &str) -> String {
    let marks = vec!["?"; fields(line).count()].join(",");
    format!("INSERT INTO {table} VALUES({marks})")
}

/// The lines of all tables, fields separated by `|`.
fn generate(scale: f64) -> Vec<(&'static str, Vec<String>)> {
    fn lines<T: std::fmt::Display>(rows: impl Iterator<Item = T>) -> Vec<String> {
        rows.map(|row| row.to_string()).collect()
    }
    vec![
        (
            "region",
            lines(tables::RegionGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "nation",
            lines(tables::NationGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "part",
            lines(tables::PartGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "supplier",
            lines(tables::SupplierGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "partsupp",
            lines(tables::PartSuppGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "customer",
            lines(tables::CustomerGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "orders",
            lines(tables::OrderGenerator::new(scale, 1, 1).iter()),
        ),
        (
            "lineitem",
            lines(tables::LineItemGenerator::new(scale, 1, 1).iter()),
        ),
    ]
}

/// A folder that goes away with its owner.
struct TemporaryDir(PathBuf);

impl TemporaryDir {
    fn new() -> std::io::Result<TemporaryDir> {
        let path = std::env::temp_dir().join(format!("ringwood-tpch-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(TemporaryDir(path))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
