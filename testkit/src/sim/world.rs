//! Processes, turns, deaths, and what is checked after each of them.
//!
//! ```text
//!  life:  start processes ─► turns: any process that can go on, chosen by the seed ─► everybody ended
//!                              │                                                      │
//!                              ├ the power fails ── crash image ── the next disk ─────┤
//!                              └ killed ── the disk stays ────────────────────────────┤
//!                                                                                     ▼
//!                        a copy of the disk is recovered, compared with the model, checked; so is, at times, another
//!                        by stock SQLite. The next life recovers the disk itself, and may die at that.
//! ```

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use ringwood::LocalConnection;
use ringwood::local::OpenOptions;
use ringwood_io::{Arena, Chance, DriverChoice, Faults, IoHandle, SimDisk, SimProcess};
use ringwood_pager::{Pool, PoolOptions};

use super::LIFE;
use super::model::{Model, Row};
use super::scenario::{End, Journal, Life, Mutation, Scenario};
use super::session::{
    OTHER, Session, Shared, TABLES, Tolerance, first_text, judge, look, pairs, pragmas, query,
};

const FILE: &str = "/sim.db";
/// Turns after which a life is taken for one that never ends.
const TURNS_MAX: u64 = 2_000_000;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// A hash of everything that reached the disk, in order.
    pub trace: u64,
    /// Operations of the disk.
    pub operations: u64,
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Snapshots that were read whole and compared.
    pub reads: u64,
    /// Statements that were given up.
    pub given_up: u64,
    /// Errors that may happen.
    pub errors: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Lives that ended with a kill.
    pub kills: u64,
    /// Times that stock SQLite looked at the files.
    pub stock_checks: u64,
}

impl Outcome {
    /// Adds counts.
    pub fn add(&mut self, other: &Outcome) {
        self.trace ^= other.trace;
        self.operations += other.operations;
        self.commits += other.commits;
        self.reads += other.reads;
        self.given_up += other.given_up;
        self.errors += other.errors;
        self.cuts += other.cuts;
        self.kills += other.kills;
        self.stock_checks += other.stock_checks;
    }
}

struct Process {
    sim: SimProcess,
    io: IoHandle,
}

impl Process {
    fn start(disk: &SimDisk) -> Process {
        let sim = disk.process();
        let driver = DriverChoice::Simulated(sim.clone());
        let io = IoHandle::builder().driver(driver).build();
        Process { sim, io }
    }

    /// Ends without a word; some of what is in flight still happens.
    fn die(&self) {
        self.sim.kill();
        while self.io.in_flight() > 0 {
            self.io.drain();
        }
        self.sim.bury();
        self.io.shutdown();
    }
}

pub(crate) fn options(scenario: &Scenario) -> OpenOptions {
    let pool = Pool::new(PoolOptions {
        budget_bytes: scenario.frames as usize * scenario.page_size as usize,
        arena: Arena::global().clone(),
        ..PoolOptions::default()
    });
    OpenOptions {
        pool: Some(pool),
        ..OpenOptions::default()
    }
}

/// Runs a scenario.
///
/// # Errors
/// The first rule that was broken.
pub fn run(scenario: &Scenario) -> Result<Outcome, String> {
    let scenario = Rc::new(scenario.clone());
    let mut chance = Chance::new(scenario.seed);
    let mut disk = SimDisk::new(scenario.seed);
    disk.set_lie(scenario.mutation.lie());
    disk.set_verbose(std::env::var_os("RINGWOOD_SIM_LOUD").is_some());
    ringwood_format::wal::set_checksums_ignored(scenario.mutation == Mutation::NoChecksum);
    let shared = Rc::new(Shared {
        model: RefCell::new(Model::default()),
        appends: RefCell::default(),
        failure: RefCell::default(),
        commits: RefCell::default(),
        reads: RefCell::default(),
        given_up: RefCell::default(),
        errors: RefCell::default(),
        copies: Cell::default(),
    });
    if scenario.journal != Journal::Wal {
        found(&scenario, &disk).map_err(|e| format!("a new database: {}", e.message()))?;
    }
    let mut outcome = Outcome::default();
    for (number, life) in scenario.lives.iter().enumerate() {
        LIFE.set(number);
        let cut = live(&scenario, life, &disk, &shared, &mut chance)?;
        if let Some(message) = shared.failure.borrow_mut().take() {
            return Err(message);
        }
        if cut {
            outcome.cuts += 1;
            disk = disk.crash();
        } else {
            outcome.kills += u64::from(life.end != End::Close);
            disk.set_faults(Faults::default());
        }
        check(&scenario, &disk, &shared, cut).map_err(|e| format!("after its end: {e}"))?;
        // Journals name super-journals by their whole paths, which copies have not.
        if chance.permille(scenario.stock) && !scenario.attached {
            outcome.stock_checks += 1;
            check_stock(&disk, &shared.model.borrow())
                .map_err(|e| format!("after its end, stock SQLite: {e}"))?;
        }
    }
    outcome.trace = disk.trace();
    outcome.operations = disk.operations();
    outcome.commits = *shared.commits.borrow();
    outcome.reads = *shared.reads.borrow();
    outcome.given_up = *shared.given_up.borrow();
    outcome.errors = *shared.errors.borrow();
    Ok(outcome)
}

/// Makes the database, and the other one, as they are before the first life: with tables, and without a log.
fn found(scenario: &Rc<Scenario>, disk: &SimDisk) -> ringwood::Result<()> {
    let first = SimDisk::new(scenario.seed);
    let process = Process::start(&first);
    let io = process.io.clone();
    let inner = io.clone();
    let scenario = scenario.clone();
    io.block_on(async move {
        for path in [FILE, OTHER] {
            if path == OTHER && !scenario.attached {
                continue;
            }
            let conn = LocalConnection::open_on(&inner, path, &options(&scenario)).await?;
            for pragma in pragmas(&scenario) {
                query(&conn, &pragma, vec![]).await?;
            }
            for statement in TABLES {
                query(&conn, statement, vec![]).await?;
            }
            conn.close()?;
        }
        Ok::<_, ringwood::Error>(())
    })?;
    process.io.shutdown();
    for (path, bytes) in first.image() {
        disk.put(path, &bytes);
    }
    Ok(())
}

/// Lives a life; whether it ended with a power cut.
fn live(
    scenario: &Rc<Scenario>,
    life: &Life,
    disk: &SimDisk,
    shared: &Rc<Shared>,
    chance: &mut Chance,
) -> Result<bool, String> {
    disk.set_faults(life.faults.faults());
    let started = disk.operations();
    if let End::Cut(after) = life.end {
        disk.cut_at(started + after);
    }
    let mut processes: Vec<Option<Process>> = Vec::new();
    for connections in &life.processes {
        let process = Process::start(disk);
        let (io, shared, scenario) = (process.io.clone(), shared.clone(), scenario.clone());
        let connections = connections.clone();
        let tolerance = Rc::new(Tolerance {
            sim: process.sim.clone(),
            faulty: Cell::new(life.faults.is_any()),
        });
        process.io.spawn(async move {
            let options = options(&scenario);
            let first = match LocalConnection::open_on(&io, FILE, &options).await {
                Ok(first) => first,
                Err(error) => return judge(&shared, &tolerance, &error, "open"),
            };
            let mut all = Vec::new();
            for _ in 1..connections.len() {
                match first.another() {
                    Ok(another) => all.push(another),
                    Err(error) => return shared.fail(error.message()),
                }
            }
            all.push(first);
            for (number, (conn, actions)) in all.into_iter().zip(connections).enumerate() {
                let session =
                    Session::new(conn, shared.clone(), tolerance.clone(), &scenario, number);
                io.spawn(session.run(actions));
            }
        });
        processes.push(Some(process));
    }
    let mut turns = 0;
    let mut kill = life.kill;
    loop {
        let alive: Vec<usize> = (0..processes.len())
            .filter(|&i| processes[i].as_ref().is_some_and(|p| p.io.task_count() > 0))
            .collect();
        if alive.is_empty() || disk.is_off() || shared.failure.borrow().is_some() {
            break;
        }
        let done = disk.operations() - started;
        if matches!(life.end, End::Kill(after) if done >= after) {
            break;
        }
        if let Some((victim, after)) = kill {
            if done >= after {
                kill = None;
                if let Some(process) = processes.get_mut(victim).and_then(Option::take) {
                    process.die();
                }
                continue;
            }
        }
        turns += 1;
        if turns > TURNS_MAX {
            return Err("this life never ends".to_owned());
        }
        let chosen = alive[chance.below(alive.len() as u64) as usize];
        let process = |i: usize| processes[i].as_ref().expect("it is alive");
        if process(chosen).io.turn() {
            continue;
        }
        // Whoever was chosen waits for time to pass; where all do, it does.
        let mut idle = true;
        for &i in &alive {
            idle &= !process(i).io.turn();
        }
        if idle {
            let next = alive.iter().filter_map(|&i| process(i).io.next_deadline());
            match next.min() {
                Some(deadline) => disk.advance_to(deadline),
                None => return Err("everybody waits, and for nothing".to_owned()),
            }
        }
    }
    let cut = disk.is_off();
    // First all of them stop; only then is anything of theirs dropped.
    for process in processes.iter().flatten() {
        process.sim.kill();
    }
    for process in processes.iter().flatten() {
        process.die();
    }
    Ok(cut)
}

/// Recovers a copy of the disk, compares it with the model and checks it.
fn check(
    scenario: &Rc<Scenario>,
    disk: &SimDisk,
    shared: &Rc<Shared>,
    cut: bool,
) -> Result<(), String> {
    let copy = SimDisk::new(1);
    for (path, bytes) in disk.image() {
        if !path.to_string_lossy().ends_with("-shm") {
            copy.put(path, &bytes);
        }
    }
    let process = Process::start(&copy);
    let io = process.io.clone();
    let inner = io.clone();
    let found = io.block_on(async move {
        let options = options(scenario);
        let conn = LocalConnection::open_on(&inner, FILE, &options).await?;
        let check = query(&conn, "PRAGMA integrity_check", vec![]).await?;
        let (version, rows) = look(&conn).await?;
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'log'";
        let mut log = Vec::new();
        if query(&conn, there, vec![]).await? == [[ringwood::Value::Integer(1)]] {
            log = query(&conn, "SELECT id, n FROM log ORDER BY id", vec![]).await?;
        }
        let mut other = version;
        if scenario.attached {
            query(&conn, &format!("ATTACH '{OTHER}' AS o"), vec![]).await?;
            let stamp = query(&conn, "SELECT n FROM o.stamp", vec![]).await?;
            other = match stamp.first().map(Vec::as_slice) {
                Some([ringwood::Value::Integer(n)]) => *n,
                _ => -1,
            };
        }
        conn.close()?;
        let found = (first_text(&check), version, other, rows, pairs(log));
        Ok::<_, ringwood::Error>(found)
    });
    let (text, version, other, rows, log) =
        found.map_err(|e| format!("error {}: {}", e.extended_code(), e.message()))?;
    process.io.shutdown();
    if text != "ok" {
        return Err(format!("integrity_check: {text}"));
    }
    if other != version {
        return Err(format!("one file has version {version}, the other {other}"));
    }
    let mut model = shared.model.borrow_mut();
    model.recovered(version, cut)?;
    shared.appends.borrow_mut().recovered(&log, cut)?;
    model.compare(version, &rows)
}

/// A name for files of this thread that no other has.
fn scratch() -> std::path::PathBuf {
    let shm = Path::new("/dev/shm");
    let dir = if shm.is_dir() {
        shm.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let thread = format!("{:?}", std::thread::current().id());
    let digits: String = thread.chars().filter(char::is_ascii_digit).collect();
    dir.join(format!("ringwood-sim-{}-{digits}", std::process::id()))
}

/// Lets stock SQLite recover a copy of the files: what it finds must be what we found.
fn check_stock(disk: &SimDisk, model: &Model) -> Result<(), String> {
    let dir = scratch();
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let db = dir.join("sim.db");
    for (path, bytes) in disk.image() {
        let name = path.file_name().expect("a file's path");
        if !name.to_string_lossy().ends_with("-shm") {
            std::fs::write(dir.join(name), bytes).map_err(|e| e.to_string())?;
        }
    }
    let looked = || -> rusqlite::Result<(String, i64, Vec<Row>)> {
        let conn = rusqlite::Connection::open(&db)?;
        let text = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'stamp'";
        let there: i64 = conn.query_row(there, [], |row| row.get(0))?;
        let (mut version, mut rows) = (0, Vec::new());
        if there == 1 {
            version = conn.query_row("SELECT n FROM stamp", [], |row| row.get(0))?;
            let mut statement = conn.prepare("SELECT k, n, v FROM kv ORDER BY k")?;
            rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?;
        }
        Ok((text, version, rows))
    };
    let found = looked();
    let _ = std::fs::remove_dir_all(&dir);
    let (text, version, rows) = found.map_err(|e| e.to_string())?;
    if text != "ok" {
        return Err(format!("integrity_check: {text}"));
    }
    if version != model.floor() {
        return Err(format!(
            "recovered version {version}, not {}",
            model.floor()
        ));
    }
    model.compare(version, &rows)
}
