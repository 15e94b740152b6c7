//! A connection that carries out its actions and tells the model what it was told.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ringwood::{Error, LocalConnection, Value};
use ringwood_io::SimProcess;

use super::appends::Appends;
use super::model::{Model, Row, State, bytes_of, number_of};
use super::scenario::{Action, Journal, Mutation, Scenario};

const BUSY: i32 = 5;
const CORRUPT: i32 = 11;
const NOTADB: i32 = 26;

/// Which errors a process may meet.
pub(crate) struct Tolerance {
    pub(crate) sim: SimProcess,
    /// Errors other than SQLITE_BUSY may happen.
    pub(crate) faulty: Cell<bool>,
}

/// What all sessions of a life share.
pub(crate) struct Shared {
    pub(crate) model: RefCell<Model>,
    pub(crate) appends: RefCell<Appends>,
    /// The first rule that was broken.
    pub(crate) failure: RefCell<Option<String>>,
    /// What everybody did.
    pub(crate) commits: RefCell<u64>,
    pub(crate) reads: RefCell<u64>,
    pub(crate) given_up: RefCell<u64>,
    pub(crate) errors: RefCell<u64>,
    /// Backups that were begun.
    pub(crate) copies: Cell<u64>,
}

impl Shared {
    pub(crate) fn fail(&self, message: impl Into<String>) {
        let mut failure = self.failure.borrow_mut();
        if failure.is_none() {
            *failure = Some(message.into());
        }
    }
}

/// Why a session goes no further with a transaction.
enum Stop {
    /// An error that may happen.
    Error,
    /// The statement was given up.
    GivenUp,
}

/// A transaction as its session sees it.
struct Open {
    /// The version that it started from.
    base: i64,
    state: State,
    savepoints: Vec<State>,
    changed: bool,
}

pub(crate) struct Session {
    conn: LocalConnection,
    shared: Rc<Shared>,
    tolerance: Rc<Tolerance>,
    synchronous: u8,
    open: Option<Open>,
    /// For the log.
    number: usize,
    scenario: Rc<Scenario>,
    give_up: Option<u32>,
    /// The tables are there.
    ready: bool,
}

impl Session {
    pub(crate) fn new(
        conn: LocalConnection,
        shared: Rc<Shared>,
        tolerance: Rc<Tolerance>,
        scenario: &Rc<Scenario>,
        number: usize,
    ) -> Session {
        Session {
            conn,
            shared,
            tolerance,
            // The negative control claims more than it does.
            synchronous: match scenario.mutation {
                Mutation::SynchronousOff => 2,
                _ => scenario.synchronous,
            },
            open: None,
            number,
            scenario: scenario.clone(),
            give_up: None,
            ready: false,
        }
    }

    /// Carries everything out, then closes.
    pub(crate) async fn run(mut self, actions: Vec<Action>) {
        // Whoever is not what the scenario says does nothing.
        let is_ready = self.set_up().await && self.attach().await;
        let actions = if is_ready { actions } else { vec![] };
        for action in actions {
            if self.shared.failure.borrow().is_some() {
                return;
            }
            if self.act(action).await.is_err() {
                self.abandon().await;
            }
        }
        self.abandon().await;
        if let Err(error) = self.conn.close() {
            judge(&self.shared, &self.tolerance, &error, "close");
        }
    }

    async fn act(&mut self, action: Action) -> Result<(), Stop> {
        match action {
            Action::GiveUp(polls) => self.give_up = Some(polls),
            Action::Sleep(ms) => {
                self.conn
                    .io()
                    .clone()
                    .sleep(Duration::from_millis(ms))
                    .await;
            }
            Action::Begin => self.begin("BEGIN IMMEDIATE").await?,
            Action::Defer => self.begin("BEGIN").await?,
            Action::Commit => self.commit().await?,
            Action::Rollback => {
                if self.open.is_some() {
                    self.sql("ROLLBACK", vec![]).await?;
                    self.open = None;
                }
            }
            Action::Append => self.append().await?,
            Action::Read => self.read().await?,
            Action::Check => self.check().await?,
            Action::Checkpoint(mode) => self.checkpoint(mode).await?,
            Action::Journal(mode) => {
                let sql = format!("PRAGMA journal_mode = {}", mode.name());
                self.outside(&sql).await?;
            }
            Action::Vacuum => self.outside("VACUUM").await?,
            Action::Incremental(pages) => {
                let sql = format!("PRAGMA incremental_vacuum({pages})");
                self.outside(&sql).await?;
            }
            Action::Backup(pages) => self.back_up(pages).await?,
            change => self.change(change).await?,
        }
        Ok(())
    }

    async fn set_up(&mut self) -> bool {
        for pragma in pragmas(&self.scenario) {
            let mut tries = 0;
            while self.sql(&pragma, vec![]).await.is_err() {
                tries += 1;
                if tries > 5 {
                    return false;
                }
            }
        }
        true
    }

    /// Attaches the other file, if there is one; false if it cannot be had.
    async fn attach(&mut self) -> bool {
        if !self.scenario.attached {
            return true;
        }
        let sql = format!("ATTACH '{OTHER}' AS o");
        if self.sql(&sql, vec![]).await.is_err() {
            return false;
        }
        let sql = format!("PRAGMA o.synchronous = {}", self.scenario.synchronous);
        self.sql(&sql, vec![]).await.is_ok()
    }

    /// Runs what cannot run within a transaction.
    async fn outside(&mut self, sql: &str) -> Result<(), Stop> {
        if self.open.is_none() {
            self.sql(sql, vec![]).await?;
        }
        Ok(())
    }

    /// Copies the database into a new one, step by step; what comes out must be a version that may be seen.
    async fn back_up(&mut self, pages: i32) -> Result<(), Stop> {
        if self.open.is_some() {
            return Ok(());
        }
        let floor = self.shared.model.borrow().floor();
        let number = self.shared.copies.get();
        self.shared.copies.set(number + 1);
        let path = format!("/copy-{number}.db");
        let polls = self.give_up.take();
        let copied = limited(
            polls,
            Box::pin(copy(&self.conn, &path, &self.scenario, pages)),
        )
        .await;
        let (version, rows) = match copied {
            None => {
                *self.shared.given_up.borrow_mut() += 1;
                return Err(Stop::GivenUp);
            }
            Some(Err(error)) => {
                *self.shared.errors.borrow_mut() += 1;
                judge(&self.shared, &self.tolerance, &error, "backup");
                return Err(Stop::Error);
            }
            Some(Ok(copied)) => copied,
        };
        let mut model = self.shared.model.borrow_mut();
        let compared = model
            .saw(version, floor)
            .and_then(|()| model.compare(version, &rows));
        drop(model);
        if let Err(message) = compared {
            self.shared.fail(format!("backup: {message}"));
        }
        Ok(())
    }

    /// A transaction begins: which version it sees, and, if that has no tables, the tables.
    async fn begin(&mut self, how: &str) -> Result<(), Stop> {
        if self.open.is_some() {
            return Ok(());
        }
        let floor = self.shared.model.borrow().floor();
        self.sql(how, vec![]).await?;
        let base = self.stamp().await?;
        if let Err(message) = self.shared.model.borrow_mut().saw(base, floor) {
            self.shared.fail(message);
            return Err(Stop::Error);
        }
        let state = self.shared.model.borrow().state(base);
        self.open = Some(Open {
            base,
            state: (*state.expect("it was just seen")).clone(),
            savepoints: Vec::new(),
            changed: false,
        });
        if base == 0 && !self.has_tables().await? {
            for statement in TABLES {
                self.sql(statement, vec![]).await?;
            }
        }
        Ok(())
    }

    async fn change(&mut self, change: Action) -> Result<(), Stop> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let mut next = open.state.clone();
        let mut statements: Vec<(&str, Vec<Value>)> = Vec::new();
        let put = "INSERT OR REPLACE INTO kv(k, n, v) VALUES (?1, ?2, ?3)";
        let row = |key: i64, tag: u64| {
            vec![
                Value::from(key),
                Value::from(number_of(tag)),
                Value::from(bytes_of(tag)),
            ]
        };
        match change {
            Action::Put(key, tag) => {
                next.insert(key, tag);
                statements.push((put, row(key, tag)));
            }
            Action::Fill(from, count, tag) => {
                for i in 0..count {
                    let tag = tag.wrapping_add(i as u64 * 7919);
                    next.insert(from + i, tag);
                    statements.push((put, row(from + i, tag)));
                }
            }
            Action::Update(from, to, tag) => {
                for (_, old) in next.range_mut(from..=to) {
                    *old = tag;
                }
                let values = vec![
                    Value::from(from),
                    Value::from(to),
                    Value::from(number_of(tag)),
                    Value::from(bytes_of(tag)),
                ];
                statements.push((
                    "UPDATE kv SET n = ?3, v = ?4 WHERE k BETWEEN ?1 AND ?2",
                    values,
                ));
            }
            Action::Delete(from, to) => {
                next.retain(|key, _| !(from..=to).contains(key));
                let values = vec![Value::from(from), Value::from(to)];
                statements.push(("DELETE FROM kv WHERE k BETWEEN ?1 AND ?2", values));
            }
            Action::Savepoint => {
                self.sql("SAVEPOINT s", vec![]).await?;
                let open = self.open.as_mut().expect("seen above");
                open.savepoints.push(open.state.clone());
                return Ok(());
            }
            Action::RollbackTo => {
                if let Some(state) = open.savepoints.last().cloned() {
                    self.sql("ROLLBACK TO s", vec![]).await?;
                    self.open.as_mut().expect("seen above").state = state;
                }
                return Ok(());
            }
            _ => unreachable!("not a change"),
        }
        for (sql, values) in statements {
            self.sql(sql, values).await?;
        }
        let open = self.open.as_mut().expect("seen above");
        open.state = next;
        open.changed = true;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Stop> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        if !open.changed && open.base != 0 {
            self.sql("COMMIT", vec![]).await?;
            self.open = None;
            return Ok(());
        }
        let (base, state) = (open.base, open.state.clone());
        let version = self.shared.model.borrow_mut().attempt(base, state);
        let give_up = self.give_up.take();
        self.sql("UPDATE stamp SET n = ?1", vec![Value::from(version)])
            .await?;
        if self.scenario.attached {
            let values = vec![Value::from(version)];
            self.sql("UPDATE o.stamp SET n = ?1", values).await?;
            let values = vec![
                Value::from(version % 5),
                Value::from(bytes_of(version as u64 * 0x9E37)),
            ];
            let put = "INSERT OR REPLACE INTO o.kv(k, n, v) VALUES (?1, 0, ?2)";
            self.sql(put, values).await?;
        }
        let durable = self.is_durable().await?;
        self.give_up = give_up;
        self.sql("COMMIT", vec![]).await?;
        self.open = None;
        *self.shared.commits.borrow_mut() += 1;
        let told = self
            .shared
            .model
            .borrow_mut()
            .acknowledged(version, durable);
        if let Err(message) = told {
            self.shared.fail(message);
        }
        Ok(())
    }

    /// Appends a row in a transaction of its own.
    async fn append(&mut self) -> Result<(), Stop> {
        if self.open.is_some() {
            return Ok(());
        }
        if !self.ready {
            let give_up = self.give_up.take();
            if self.stamp().await? == 0 {
                self.begin("BEGIN IMMEDIATE").await?;
                self.commit().await?;
            }
            self.ready = true;
            self.give_up = give_up;
        }
        let number = self.shared.appends.borrow_mut().attempt();
        self.sql("INSERT INTO log(n) VALUES (?1)", vec![Value::from(number)])
            .await?;
        *self.shared.commits.borrow_mut() += 1;
        let durable = self.synchronous >= 2;
        self.shared.appends.borrow_mut().is_known(number, durable);
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Stop> {
        if self.open.is_some() {
            return Ok(());
        }
        let known = self.shared.appends.borrow().known();
        let floor = self.shared.model.borrow().floor();
        self.sql("BEGIN", vec![]).await?;
        let version = self.stamp().await?;
        let rows = if version == 0 {
            Vec::new()
        } else {
            self.sql("SELECT k, n, v FROM kv ORDER BY k", vec![])
                .await?
        };
        let log = if version == 0 {
            Vec::new()
        } else {
            self.sql("SELECT id, n FROM log ORDER BY id", vec![])
                .await?
        };
        self.sql("COMMIT", vec![]).await?;
        let durable = self.synchronous >= 2;
        let seen = self
            .shared
            .appends
            .borrow_mut()
            .saw(&pairs(log), &known, durable);
        if let Err(message) = seen {
            self.shared.fail(message);
        }
        *self.shared.reads.borrow_mut() += 1;
        let mut model = self.shared.model.borrow_mut();
        let compared = model
            .saw(version, floor)
            .and_then(|()| model.compare(version, &triples(rows)));
        drop(model);
        if let Err(message) = compared {
            self.shared.fail(message);
        }
        Ok(())
    }

    async fn check(&mut self) -> Result<(), Stop> {
        let rows = self.sql("PRAGMA integrity_check", vec![]).await?;
        let text = first_text(&rows);
        // What cannot be read is told as SQLite tells it, in the result.
        let unread = self.tolerance.faulty.get()
            && (text.contains(" get ") || text.contains("Failed to read ptrmap"));
        if std::env::var_os("RINGWOOD_SIM_LOUD").is_some() {
            eprintln!("      {} is {text}", self.number);
        }
        if text != "ok" && !unread {
            self.shared.fail(format!("integrity_check: {text}"));
        }
        Ok(())
    }

    async fn checkpoint(&mut self, mode: u8) -> Result<(), Stop> {
        if self.open.is_some() {
            return Ok(());
        }
        let floor = self.shared.model.borrow().floor();
        let name = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][mode as usize % 4];
        let sql = format!("PRAGMA wal_checkpoint({name})");
        let rows = self.sql(&sql, vec![]).await?;
        if let Some(
            [
                Value::Integer(busy),
                Value::Integer(log),
                Value::Integer(done),
            ],
        ) = rows.first().map(Vec::as_slice)
        {
            // Without a log both are -1, and nothing was done.
            let complete = *busy == 0 && *log >= 0 && log == done && !mode.is_multiple_of(4);
            if complete && self.synchronous >= 1 {
                self.shared.model.borrow_mut().made_durable(floor);
            }
        }
        Ok(())
    }

    /// Whether a commit that is made now is durable once it is acknowledged: a journal that was deleted may be there
    /// again after a power cut, unless its directory was synced.
    async fn is_durable(&mut self) -> Result<bool, Stop> {
        if self.synchronous != 2 || !self.scenario.has_journals() {
            return Ok(self.synchronous >= 2);
        }
        let rows = self.sql("PRAGMA journal_mode", vec![]).await?;
        Ok(first_text(&rows) != Journal::Delete.name())
    }

    async fn has_tables(&mut self) -> Result<bool, Stop> {
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'stamp'";
        let rows = self.sql(there, vec![]).await?;
        Ok(rows.first().map(Vec::as_slice) != Some(&[Value::Integer(0)]))
    }

    /// The version that is seen; 0 where there are no tables.
    async fn stamp(&mut self) -> Result<i64, Stop> {
        if !self.has_tables().await? {
            return Ok(0);
        }
        let version = self.stamp_of("stamp").await?;
        if self.scenario.attached {
            let other = self.stamp_of("o.stamp").await?;
            if other != version {
                let message = format!("one file has version {version}, the other {other}");
                self.shared.fail(message);
                return Err(Stop::Error);
            }
        }
        Ok(version)
    }

    async fn stamp_of(&mut self, table: &str) -> Result<i64, Stop> {
        let rows = self.sql(&format!("SELECT n FROM {table}"), vec![]).await?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Integer(n)]) => Ok(*n),
            other => {
                self.shared.fail(format!("{table} holds {other:?}"));
                Err(Stop::Error)
            }
        }
    }

    /// Leaves whatever is open behind.
    async fn abandon(&mut self) {
        self.give_up = None;
        self.open = None;
        for _ in 0..3 {
            if self.conn.is_autocommit() {
                return;
            }
            let _ = self.sql("ROLLBACK", vec![]).await;
        }
        if !self.tolerance.faulty.get() && self.tolerance.sim.is_alive() {
            self.shared.fail("a transaction cannot be rolled back");
        }
    }

    /// Runs one statement.
    async fn sql(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Vec<Value>>, Stop> {
        let give_up = self.give_up.take();
        if std::env::var_os("RINGWOOD_SIM_LOUD").is_some() {
            eprintln!("      {} {sql} {give_up:?}", self.number);
        }
        match limited(give_up, Box::pin(query(&self.conn, sql, values))).await {
            None => {
                *self.shared.given_up.borrow_mut() += 1;
                Err(Stop::GivenUp)
            }
            Some(Ok(rows)) => Ok(rows),
            Some(Err(error)) => {
                *self.shared.errors.borrow_mut() += 1;
                judge(&self.shared, &self.tolerance, &error, sql);
                Err(Stop::Error)
            }
        }
    }
}

/// The tables of a new database.
pub(crate) const TABLES: [&str; 5] = [
    "CREATE TABLE kv(k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v BLOB NOT NULL)",
    "CREATE INDEX kv_n ON kv(n, k)",
    "CREATE TABLE log(id INTEGER PRIMARY KEY, n INTEGER NOT NULL UNIQUE)",
    "CREATE TABLE stamp(n INTEGER NOT NULL)",
    "INSERT INTO stamp VALUES (0)",
];

/// The other file, where there are two.
pub(crate) const OTHER: &str = "/other.db";

/// What each connection is set to.
pub(crate) fn pragmas(scenario: &Scenario) -> Vec<String> {
    let mut pragmas = vec![
        format!("PRAGMA page_size = {}", scenario.page_size),
        format!("PRAGMA synchronous = {}", scenario.synchronous),
        format!("PRAGMA wal_autocheckpoint = {}", scenario.autocheckpoint),
        "PRAGMA busy_timeout = 20".to_owned(),
    ];
    if scenario.auto_vacuum > 0 {
        pragmas.push(format!("PRAGMA auto_vacuum = {}", scenario.auto_vacuum));
    }
    if scenario.journal != Journal::Wal {
        pragmas.push(format!("PRAGMA journal_mode = {}", scenario.journal.name()));
    }
    pragmas
}

/// Copies a database into a new file and reads that.
async fn copy(
    conn: &LocalConnection,
    path: &str,
    scenario: &Scenario,
    pages: i32,
) -> Result<(i64, Vec<Row>), Error> {
    let target =
        LocalConnection::open_on(conn.io(), path, &super::world::options(scenario)).await?;
    let mut backup = conn.backup_into("main", &target, "main")?;
    while !backup.step_async(pages).await? {}
    drop(backup);
    let found = look(&target).await?;
    target.close()?;
    Ok(found)
}

/// The version and the rows of a database; version 0 where there are no tables.
pub(crate) async fn look(conn: &LocalConnection) -> Result<(i64, Vec<Row>), Error> {
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'stamp'";
    if query(conn, there, vec![]).await? != [[Value::Integer(1)]] {
        return Ok((0, Vec::new()));
    }
    let stamp = query(conn, "SELECT n FROM stamp", vec![]).await?;
    let version = match stamp.first().map(Vec::as_slice) {
        Some([Value::Integer(n)]) => *n,
        _ => -1,
    };
    let rows = query(conn, "SELECT k, n, v FROM kv ORDER BY k", vec![]).await?;
    Ok((version, triples(rows)))
}

/// Whether an error may happen.
pub(crate) fn judge(shared: &Shared, tolerance: &Tolerance, error: &Error, sql: &str) {
    if !tolerance.sim.is_alive() {
        return;
    }
    let code = error.extended_code();
    let broken = match code & 0xFF {
        BUSY => false,
        CORRUPT | NOTADB => true,
        // SQLITE_ERROR: the statement itself was wrong.
        1 => true,
        _ => !tolerance.faulty.get(),
    };
    if broken {
        shared.fail(format!("{sql}: error {code}: {}", error.message()));
    }
}

/// Runs one statement to its end.
pub(crate) async fn query(
    conn: &LocalConnection,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut statement = conn.prepare_async(sql).await?;
    for (i, value) in values.into_iter().enumerate() {
        statement.bind(i + 1, value)?;
    }
    let mut rows = Vec::new();
    while statement.step_async().await? {
        rows.push(statement.values());
    }
    Ok(rows)
}

/// The rows of `kv`.
fn triples(rows: Vec<Vec<Value>>) -> Vec<Row> {
    let triple = |row: Vec<Value>| match <[Value; 3]>::try_from(row) {
        Ok([Value::Integer(k), Value::Integer(n), Value::Blob(v)]) => (k, n, v),
        _ => (i64::MIN, 0, Vec::new()),
    };
    rows.into_iter().map(triple).collect()
}

/// The rows of `log`.
pub(crate) fn pairs(rows: Vec<Vec<Value>>) -> Vec<(i64, i64)> {
    let pair = |row: Vec<Value>| match <[Value; 2]>::try_from(row) {
        Ok([Value::Integer(id), Value::Integer(n)]) => (id, n),
        _ => (i64::MIN, 0),
    };
    rows.into_iter().map(pair).collect()
}

pub(crate) fn first_text(rows: &[Vec<Value>]) -> String {
    match rows.first().map(Vec::as_slice) {
        Some([Value::Text(text)]) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Drives a future, and drops it when it has waited `polls` times.
async fn limited<F: Future>(polls: Option<u32>, future: F) -> Option<F::Output> {
    let Some(mut left) = polls else {
        return Some(future.await);
    };
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
