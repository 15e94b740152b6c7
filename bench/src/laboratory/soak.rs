//! Many clients do everything at once for a long time: reads, writes, transactions, new and dropped tables, calls that are
//! given up, connections that are dropped in the middle.
//!
//! | checked | how |
//! |---|---|
//! | what was acknowledged is there, what was not is whole or absent | each client owns keys, and knows what they hold |
//! | transactions are atomic and isolated | transfers between accounts: every reader sees the same total |
//! | nobody is stuck | a watch that sees no client stand still for longer than [`STUCK`] |
//! | memory is flat | what is resident at the end against what was after the first fifth |
//! | everything ends | the runtime shuts down; `integrity_check` |
//!
//! A client is a thread that waits for a `Connection` of the pool or of its own.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use clap::Args;
use futures_executor::block_on;
use ringwood::{Builder, Connection, Database, Error, Runtime};
use serde_json::json;

use super::scratch::Scratch;
use super::{Failure, machine, memory};

/// How long a client may stand still.
const STUCK: Duration = Duration::from_secs(30);
const ACCOUNTS: i64 = 20;
const EACH: i64 = 1000;
/// Keys that a client owns.
const KEYS: i64 = 50;

/// `ringwood-bench soak`
#[derive(Args, Clone, Debug)]
pub struct Soak {
    /// How many clients.
    #[arg(long, default_value_t = 64)]
    pub clients: usize,
    /// For how long.
    #[arg(long, default_value_t = 600.0)]
    pub seconds: f64,
    /// `PRAGMA synchronous`.
    #[arg(long, default_value = "FULL")]
    pub synchronous: String,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// By how many MiB memory may grow after the first fifth.
    #[arg(long, default_value_t = 32)]
    pub growth: u64,
    /// Where the database goes.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// What was done.
#[derive(Default, Debug)]
struct Done {
    reads: AtomicU64,
    writes: AtomicU64,
    transfers: AtomicU64,
    definitions: AtomicU64,
    given_up: AtomicU64,
    reconnects: AtomicU64,
    busy: AtomicU64,
}

/// What clients share.
struct Stage {
    db: Database,
    synchronous: String,
    over: AtomicBool,
    done: Done,
    /// When each client last moved, in milliseconds since the start.
    moved: Vec<AtomicU64>,
    began: Instant,
}

impl Stage {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs, checks, and prints a line.
///
/// # Errors
/// What the checks found, or the engine failed with.
pub fn run(options: &Soak) -> Result<(), Failure> {
    let scratch = Scratch::new(options.dir.as_deref())?;
    let path = scratch.fresh("soak.db");
    let runtime = Runtime::builder().build();
    let db = block_on(prepare(&path, &runtime, options))?;
    let stage = Stage {
        db,
        synchronous: options.synchronous.clone(),
        over: AtomicBool::new(false),
        done: Done::default(),
        moved: (0..options.clients).map(|_| AtomicU64::new(0)).collect(),
        began: Instant::now(),
    };
    let (told, resident) = std::thread::scope(|scope| {
        let stage = &stage;
        let clients: Vec<_> = (0..options.clients)
            .map(|number| {
                let seed = options.seed.wrapping_mul(0x9E37_79B9) + number as u64;
                scope.spawn(move || {
                    let told = Client::new(stage, number, seed).and_then(Client::run);
                    if told.is_err() {
                        stage.over.store(true, Ordering::Release);
                    }
                    told
                })
            })
            .collect();
        let watched = watch(stage, options.seconds);
        stage.over.store(true, Ordering::Release);
        let mut told = watched.as_ref().map(|_| ()).map_err(Clone::clone);
        for (number, client) in clients.into_iter().enumerate() {
            let ended = client.join().map_err(|_| "panicked".to_owned());
            let ended = ended.and_then(|told| told);
            told = told.and(ended.map_err(|e| format!("client {number}: {e}")));
        }
        (told, watched.unwrap_or((0, 0)))
    });
    told?;
    let counters = stage.db.counters();
    let (early, late) = resident;
    let done = &stage.done;
    let look = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let line = json!({
        "what": "soak",
        "clients": options.clients,
        "seconds": options.seconds,
        "synchronous": options.synchronous,
        "reads": look(&done.reads),
        "writes": look(&done.writes),
        "transfers": look(&done.transfers),
        "definitions": look(&done.definitions),
        "given_up": look(&done.given_up),
        "reconnects": look(&done.reconnects),
        "busy": look(&done.busy),
        "commits": counters.get("main", "commits"),
        "commit_groups": counters.get("main", "commit_groups"),
        "resident_early": early,
        "resident_late": late,
        "machine": machine::facts(scratch.path()),
    });
    println!("{line}");
    drop(stage);
    block_on(runtime.shutdown_within(Duration::from_secs(10)));
    inspect(&path)?;
    let bound = early + options.growth * (1 << 20);
    if late > bound {
        return Err(format!("memory grew from {early} to {late} bytes").into());
    }
    Ok(())
}

async fn prepare(path: &Path, runtime: &Runtime, options: &Soak) -> Result<Database, Failure> {
    let db = Builder::new_local(path)
        .runtime(runtime)
        .max_connections(options.clients.div_ceil(4).max(1))
        .acquire_timeout(STUCK)
        .build()
        .await?;
    let conn = db.connect()?;
    conn.execute_batch(
        "PRAGMA synchronous = OFF;
         CREATE TABLE accounts(id INTEGER PRIMARY KEY, sum INTEGER NOT NULL);
         CREATE TABLE own(client INTEGER, k INTEGER, v INTEGER, pad BLOB, PRIMARY KEY(client, k));
         CREATE INDEX own_v ON own(v)",
    )
    .await?;
    for id in 0..ACCOUNTS {
        conn.execute("INSERT INTO accounts VALUES (?1, ?2)", [id, EACH])
            .await?;
    }
    Ok(db)
}

/// Watches until the time is over: memory after a fifth of it, and at the end.
fn watch(stage: &Stage, seconds: f64) -> Result<(u64, u64), String> {
    let mut early = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let passed = stage.began.elapsed();
        if early == 0 && passed.as_secs_f64() > seconds / 5.0 {
            early = memory::resident_bytes();
        }
        for (number, moved) in stage.moved.iter().enumerate() {
            let moved = Duration::from_millis(moved.load(Ordering::Relaxed));
            if passed.saturating_sub(moved) > STUCK {
                return Err(format!("client {number} is stuck"));
            }
        }
        if passed.as_secs_f64() > seconds || stage.over.load(Ordering::Acquire) {
            return Ok((early, memory::resident_bytes()));
        }
    }
}

/// After the end, alone: the file is sound, and nothing is lost.
fn inspect(path: &Path) -> Result<(), Failure> {
    let conn = ringwood::LocalConnection::open(path)?;
    let check: String = conn.query_row("PRAGMA integrity_check", ())?.get(0)?;
    let total: i64 = conn
        .query_row("SELECT sum(sum) FROM accounts", ())?
        .get(0)?;
    if check != "ok" || total != ACCOUNTS * EACH {
        return Err(format!("integrity_check: {check}; the accounts hold {total}").into());
    }
    Ok(())
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future so long, and drops it then.
fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let began = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        let left = patience.checked_sub(began.elapsed())?;
        std::thread::park_timeout(left);
    }
}

struct Client<'a> {
    stage: &'a Stage,
    number: usize,
    chance: u64,
    conn: Connection,
    /// What its keys hold, as far as it was told.
    own: Vec<Option<i64>>,
    /// A key of which it was not told: its call was given up.
    unsure: Option<(usize, Option<i64>)>,
    has_table: bool,
}

type Told = Result<(), String>;

fn told(error: Error) -> String {
    format!("{error} ({})", error.extended_code())
}

impl<'a> Client<'a> {
    fn new(stage: &'a Stage, number: usize, seed: u64) -> Result<Client<'a>, String> {
        Ok(Client {
            stage,
            number,
            chance: seed | 1,
            conn: connect(stage)?,
            own: vec![None; KEYS as usize],
            unsure: None,
            has_table: false,
        })
    }

    fn below(&mut self, n: u64) -> u64 {
        // xorshift64*
        self.chance ^= self.chance >> 12;
        self.chance ^= self.chance << 25;
        self.chance ^= self.chance >> 27;
        (self.chance.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn run(mut self) -> Told {
        while !self.stage.over.load(Ordering::Acquire) {
            match self.below(100) {
                0..35 => self.write()?,
                35..55 => self.read_own()?,
                55..70 => self.read_total()?,
                70..80 => self.transfer()?,
                80..84 => self.define()?,
                84..92 => self.give_up()?,
                92..95 => self.leave()?,
                _ => self.borrow()?,
            }
            let now = self.stage.began.elapsed().as_millis() as u64;
            self.stage.moved[self.number].store(now, Ordering::Relaxed);
        }
        self.settle()?;
        self.read_own()
    }

    /// Whether a call came to something: those that another one was in the way of did not.
    fn outcome<T>(&self, result: Result<T, Error>) -> Result<Option<T>, String> {
        match result {
            Ok(value) => Ok(Some(value)),
            // Somebody else's snapshot or lock, or somebody else's new schema, again and again.
            Err(error) if matches!(error.extended_code() & 0xff, 5 | 6 | 17) => {
                Stage::count(&self.stage.done.busy);
                Ok(None)
            }
            Err(error) => Err(told(error)),
        }
    }

    /// One key gets a value, or none.
    fn write(&mut self) -> Told {
        self.settle()?;
        let key = self.below(KEYS as u64) as usize;
        let value = (self.below(4) != 0).then(|| self.below(1_000_000) as i64);
        let (sql, params) = self.writing(key, value);
        if self
            .outcome(block_on(self.conn.execute(sql, params)))?
            .is_some()
        {
            self.own[key] = value;
            Stage::count(&self.stage.done.writes);
        }
        Ok(())
    }

    fn writing(&self, key: usize, value: Option<i64>) -> (&'static str, Vec<i64>) {
        let client = self.number as i64;
        match value {
            Some(value) => (
                "INSERT INTO own VALUES (?1, ?2, ?3, zeroblob(?3 % 300)) \
                 ON CONFLICT DO UPDATE SET v = excluded.v, pad = excluded.pad",
                vec![client, key as i64, value],
            ),
            None => (
                "DELETE FROM own WHERE client = ?1 AND k = ?2",
                vec![client, key as i64],
            ),
        }
    }

    /// What its keys hold is what it was told.
    fn read_own(&mut self) -> Told {
        let Some(found) = self.look()? else {
            return Ok(());
        };
        for (key, (found, told)) in found.iter().zip(&self.own).enumerate() {
            let either =
                matches!(&self.unsure, Some((unsure, value)) if *unsure == key && value == found);
            if found != told && !either {
                return Err(format!("key {key} holds {found:?} instead of {told:?}"));
            }
        }
        Stage::count(&self.stage.done.reads);
        Ok(())
    }

    fn look(&self) -> Result<Option<Vec<Option<i64>>>, String> {
        let asked = async {
            let sql = "SELECT k, v FROM own WHERE client = ?1";
            let mut rows = self.conn.query(sql, [self.number as i64]).await?;
            let mut found = vec![None; KEYS as usize];
            while let Some(row) = rows.next().await? {
                found[row.get::<i64>(0)? as usize] = Some(row.get::<i64>(1)?);
            }
            Ok(found)
        };
        self.outcome(block_on(asked))
    }

    /// Finds out what became of the call that was given up.
    fn settle(&mut self) -> Told {
        while let Some((key, _)) = self.unsure {
            self.read_own()?;
            if let Some(found) = self.look()? {
                self.own[key] = found[key];
                self.unsure = None;
            }
        }
        Ok(())
    }

    /// All accounts together hold what they always held; sometimes the rows are left in the middle.
    fn read_total(&mut self) -> Told {
        let leaves = self.below(4) == 0;
        let asked = async {
            let sql = "SELECT sum FROM accounts";
            let mut rows = self.conn.query(sql, ()).await?;
            let mut total = 0;
            while let Some(row) = rows.next().await? {
                if leaves {
                    return Ok(ACCOUNTS * EACH);
                }
                total += row.get::<i64>(0)?;
            }
            Ok(total)
        };
        match self.outcome(block_on(asked))? {
            Some(total) if total != ACCOUNTS * EACH => Err(format!("the accounts hold {total}")),
            _ => {
                Stage::count(&self.stage.done.reads);
                Ok(())
            }
        }
    }

    fn transfer(&mut self) -> Told {
        let (from, to) = (self.below(ACCOUNTS as u64), self.below(ACCOUNTS as u64));
        let amount = self.below(50) as i64;
        let commits = self.below(4) != 0;
        let conn = &self.conn;
        let asked = async {
            let behavior = ringwood::TransactionBehavior::Immediate;
            let tx = conn.transaction_with_behavior(behavior).await?;
            let sql = "UPDATE accounts SET sum = sum + ?2 WHERE id = ?1";
            tx.execute(sql, [from as i64, -amount]).await?;
            tx.execute(sql, [to as i64, amount]).await?;
            if commits {
                tx.commit().await?;
            }
            Ok(())
        };
        if self.outcome(block_on(asked))?.is_some() {
            Stage::count(&self.stage.done.transfers);
        }
        Ok(())
    }

    /// A table of its own comes or goes.
    fn define(&mut self) -> Told {
        let n = self.number;
        let sql = if self.has_table {
            format!("DROP TABLE IF EXISTS mine{n}")
        } else {
            format!("CREATE TABLE IF NOT EXISTS mine{n}(a, b UNIQUE, c)")
        };
        if self
            .outcome(block_on(self.conn.execute(&sql, ())))?
            .is_some()
        {
            self.has_table = !self.has_table;
            Stage::count(&self.stage.done.definitions);
        }
        Ok(())
    }

    /// A call that is not waited for long.
    fn give_up(&mut self) -> Told {
        self.settle()?;
        let patience = Duration::from_micros(self.below(600));
        Stage::count(&self.stage.done.given_up);
        if self.below(2) == 0 {
            let sql = "SELECT count(*) FROM own a, own b WHERE a.v < b.v";
            let asked = within(patience, self.conn.query(sql, ()));
            return self.given_up(asked.map(|rows| rows.map(drop)));
        }
        let key = self.below(KEYS as u64) as usize;
        let value = Some(self.below(1_000_000) as i64);
        let (sql, params) = self.writing(key, value);
        match within(patience, self.conn.execute(sql, params)) {
            Some(Ok(_)) => self.own[key] = value,
            Some(Err(error)) => {
                self.outcome::<()>(Err(error))?;
            }
            None => self.unsure = Some((key, value)),
        }
        Ok(())
    }

    fn given_up(&self, asked: Option<Result<(), Error>>) -> Told {
        match asked {
            Some(told) => self.outcome(told).map(drop),
            None => Ok(()),
        }
    }

    /// The connection is dropped with all that it was doing, and another one made.
    fn leave(&mut self) -> Told {
        self.settle()?;
        if self.below(2) == 0 {
            let sql = "BEGIN; UPDATE accounts SET sum = 0; SELECT * FROM own";
            let patience = Duration::from_micros(self.below(400));
            let _ = within(patience, self.conn.execute_batch(sql));
        }
        self.conn = connect(self.stage)?;
        Stage::count(&self.stage.done.reconnects);
        Ok(())
    }

    /// One of the pool's connections, given back in the middle of a transaction.
    fn borrow(&mut self) -> Told {
        let db = &self.stage.db;
        let asked = async {
            let conn = db.acquire().await?;
            conn.busy_timeout(STUCK)?;
            let tx = conn.transaction().await?;
            let mut rows = tx.query("SELECT sum(sum) FROM accounts", ()).await?;
            let total = rows.next().await?.map(|row| row.get::<i64>(0));
            total.transpose()
        };
        match self.outcome(block_on(asked))? {
            Some(total) if total != Some(ACCOUNTS * EACH) => {
                Err(format!("the accounts hold {total:?}"))
            }
            _ => {
                Stage::count(&self.stage.done.reads);
                Ok(())
            }
        }
    }
}

fn connect(stage: &Stage) -> Result<Connection, String> {
    let conn = stage.db.connect().map_err(told)?;
    conn.busy_timeout(STUCK).map_err(told)?;
    let set = format!("PRAGMA synchronous = {}", stage.synchronous);
    block_on(conn.execute_batch(&set)).map_err(told)?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_seconds_of_everything() {
        let options = Soak {
            clients: 64,
            seconds: 5.0,
            synchronous: "NORMAL".to_owned(),
            seed: 7,
            growth: 64,
            dir: None,
        };
        run(&options).expect("all goes well");
    }
}
