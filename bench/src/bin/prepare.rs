//! Prepares a statement many times on one engine: `prepare sqlite|ringwood COUNT SQL`, over the tables below. What it
//! costs is counted from outside, see `prepare.sh`.

use std::process::ExitCode;

use ringwood::LocalConnection;
use ringwood_testkit::sqlite::Sqlite;

const SCHEMA: &str = "
CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL);
CREATE INDEX t_a ON t(a);
CREATE TABLE u(id INTEGER PRIMARY KEY, t_id INT, name TEXT NOT NULL);
CREATE INDEX u_t ON u(t_id);
CREATE TABLE v(k TEXT PRIMARY KEY, u_id INT, note);
CREATE INDEX v_u ON v(u_id);
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("prepare: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [engine, count, sql] = args.as_slice() else {
        return Err("usage: prepare sqlite|ringwood COUNT SQL".into());
    };
    let count: u32 = count.parse()?;
    match engine.as_str() {
        "sqlite" => {
            let stock = Sqlite::memory();
            stock.connection.execute_batch(SCHEMA)?;
            for _ in 0..count {
                drop(stock.connection.prepare(sql)?);
            }
        }
        "ringwood" => {
            let connection = LocalConnection::open_in_memory()?;
            connection.execute_batch(SCHEMA)?;
            for _ in 0..count {
                drop(connection.prepare(sql)?);
            }
        }
        other => return Err(format!("no engine {other}").into()),
    }
    Ok(())
}
