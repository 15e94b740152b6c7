//! Runs a SQL script from standard input through the library and drops the rows: what a profiler
//! sees is the engine, without a shell's reading and rendering. `script DATABASE < FILE`.

use std::io::Read as _;
use std::process::ExitCode;

use ringwood::LocalConnection;

fn main() -> ExitCode {
    let Some(db) = std::env::args().nth(1) else {
        eprintln!("usage: script DATABASE < FILE");
        return ExitCode::from(2);
    };
    match run(&db) {
        Ok(rows) => {
            println!("{rows} rows");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(db: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let mut script = String::new();
    std::io::stdin().read_to_string(&mut script)?;
    let conn = LocalConnection::open(db)?;
    let mut rows = 0;
    let mut rest = script.as_str();
    while let Some((mut statement, tail)) = conn.prepare_next(rest)? {
        while statement.step()? {
            rows += 1;
        }
        rest = &rest[tail..];
    }
    conn.close()?;
    Ok(rows)
}
