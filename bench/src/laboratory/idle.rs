//! What a connection and a database cost that nobody uses: memory, threads, descriptors.
//!
//! | measured | |
//! |---|---|
//! | a connection | that has run nothing yet |
//! | one that was used | after its first statement: it has read its schema, which is its own, and keeps the statement compiled |
//! | a database | after a connection has read it and left |

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::scratch::Scratch;
use super::{Failure, machine, memory};

/// `ringwood-bench idle`
#[derive(Args, Clone, Debug)]
pub struct Idle {
    /// Connections to one database.
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
    /// Databases, each a file; two descriptors each, the file's and its log's.
    #[arg(long, default_value_t = 10_000)]
    pub databases: usize,
    /// Tables in each.
    #[arg(long, default_value_t = 3)]
    pub tables: usize,
    /// Where they go.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Bytes, threads and descriptors that so many have cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// How many there were.
    pub count: usize,
    /// Bytes in memory for each.
    pub bytes_each: f64,
    /// Threads for all.
    pub threads: u64,
    /// Descriptors for all.
    pub descriptors: usize,
}

/// The process before and after.
struct Before {
    bytes: u64,
    threads: u64,
    descriptors: usize,
}

impl Before {
    fn now() -> Before {
        Before {
            bytes: memory::resident_bytes(),
            threads: memory::threads(),
            descriptors: memory::open_files(),
        }
    }

    fn cost_of(&self, count: usize) -> Cost {
        let now = Before::now();
        Cost {
            count,
            bytes_each: now.bytes.saturating_sub(self.bytes) as f64 / count.max(1) as f64,
            threads: now.threads.saturating_sub(self.threads),
            descriptors: now.descriptors.saturating_sub(self.descriptors),
        }
    }
}

impl Cost {
    fn to_json(self) -> Value {
        json!({
            "count": self.count,
            "bytes_each": self.bytes_each.round(),
            "threads": self.threads,
            "descriptors": self.descriptors,
        })
    }
}

/// Measures, and prints a line.
///
/// # Errors
/// Those of the engine: above all that there are not enough descriptors (`ulimit -n`).
pub fn run(options: &Idle) -> Result<(), Failure> {
    let Costs {
        fresh,
        used,
        databases,
    } = measure(options)?;
    let line = json!({
        "what": "idle",
        "tables": options.tables,
        "connections": fresh.to_json(),
        "used_connections": used.to_json(),
        "databases": databases.to_json(),
        "machine": machine::facts(&options.dir.clone().unwrap_or_else(std::env::temp_dir)),
    });
    println!("{line}");
    for (name, cost) in [
        ("connection", fresh),
        ("used", used),
        ("database", databases),
    ] {
        eprintln!(
            "{name:<12} {:>8.1} KiB each, {} threads and {} descriptors for {}",
            cost.bytes_each / 1024.0,
            cost.threads,
            cost.descriptors,
            cost.count
        );
    }
    Ok(())
}

/// What each kind costs.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Connections that have run nothing.
    pub fresh: Cost,
    /// Those that have.
    pub used: Cost,
    /// Databases.
    pub databases: Cost,
}

/// What connections cost, and databases.
///
/// # Errors
/// As [`run`].
pub fn measure(options: &Idle) -> Result<Costs, Failure> {
    let scratch = Scratch::new(options.dir.as_deref())?;
    ringwood::block_on(async {
        let first = scratch.fresh("connections.db");
        prepare(&first, options.tables)?;
        let db = ringwood::Builder::new_local(&first).build().await?;
        // Cores, pools and first pages are nobody's in particular.
        let warm = [used(&db).await?, used(&db).await?, used(&db).await?];
        // First, so that memory which others have given back is not counted as theirs.
        let template = std::fs::read(&first)?;
        let before = Before::now();
        let mut open = Vec::with_capacity(options.databases);
        for number in 0..options.databases {
            let path = scratch.fresh(&format!("{number}.db"));
            std::fs::write(&path, &template)?;
            let db = ringwood::Builder::new_local(&path).build().await?;
            drop(used(&db).await?);
            await_last(&db, warm.len() as u64)?;
            open.push(db);
        }
        let databases = before.cost_of(options.databases);

        let before = Before::now();
        let mut kept = Vec::with_capacity(options.connections);
        for _ in 0..options.connections {
            let conn = db.connect()?;
            // It is there once it answers.
            conn.with_local(|_| Ok(())).await?;
            kept.push(conn);
        }
        let fresh = before.cost_of(options.connections);
        for conn in &kept {
            use_once(conn).await?;
        }
        let of_used = before.cost_of(options.connections);
        drop((kept, warm, db, open));

        Ok(Costs {
            fresh,
            used: of_used,
            databases,
        })
    })
}

/// A file with some tables, each with an index.
fn prepare(path: &std::path::Path, tables: usize) -> Result<(), Failure> {
    let conn = ringwood::LocalConnection::open(path)?;
    for n in 0..tables {
        conn.execute_batch(&format!(
            "CREATE TABLE t{n}(id INTEGER PRIMARY KEY, name TEXT NOT NULL, at REAL, body BLOB);
             CREATE INDEX t{n}_name ON t{n}(name, at);
             INSERT INTO t{n}(name) VALUES ('a'), ('b')"
        ))?;
    }
    conn.close()?;
    Ok(())
}

/// Connections on cores end some time after their handles.
fn await_last(db: &ringwood::Database, others: u64) -> Result<(), Failure> {
    let began = Instant::now();
    while db.counters().sum("core", "connections") > others {
        if began.elapsed() > Duration::from_mins(1) {
            return Err("a connection does not end".into());
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}

/// A connection that has run a statement.
async fn used(db: &ringwood::Database) -> Result<ringwood::Connection, Failure> {
    let conn = db.connect()?;
    use_once(&conn).await?;
    Ok(conn)
}

async fn use_once(conn: &ringwood::Connection) -> Result<(), Failure> {
    let mut rows = conn.query("SELECT count(*) FROM sqlite_schema", ()).await?;
    rows.next().await?;
    Ok(())
}
