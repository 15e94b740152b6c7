//! What a connection lends to a running program.
//!
//! ```text
//!   Env ── dbs[0] main ── Tx          one transaction per database
//!       ├─ dbs[1] temp ── Tx
//!       ├─ dbs[2…] attached
//!       ├─ autocommit, savepoints     BEGIN, SAVEPOINT
//!       ├─ active, active_read, active_write      statements that are running
//!       └─ facts, limits, flags, hooks, interrupt, progress
//! ```
//!
//! Rules:
//! 1. Programs of one connection run one at a time; several may be half-way through (rows of one are read while another
//!    is stepped). The counters of active statements decide who commits.
//! 2. A savepoint has a counterpart in the transaction of each database that has been written to since it was opened or
//!    before: it is made when the savepoint is opened, or when the database's write transaction begins.
//! 3. `schema_changed` says that the transaction in progress has changed the schema; if it is rolled back,
//!    `schema_reset` asks the engine to read the schema again.
//! 4. Code of the application that runs within a step ([`Env::outside`]) may use the connection: while it runs, `door` says
//!    where this `Env` stands, so that the C interface can lend it to what the callback calls. Nobody else follows it.

use crate::error::{Error, Result};
use crate::func::Facts;
use crate::result_code::ResultCode;
use crate::vtab::{NestedSql, VirtualTables};
use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_wal::{SavepointId, Tx};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One database of a connection.
pub struct Db {
    /// `main`, `temp`, or the name after AS.
    pub name: String,
    /// Its transaction.
    pub tx: Tx,
    /// The cookie of the schema in memory.
    pub schema_cookie: u32,
    /// Counts how often the schema in memory was read; programs of an older one are refused.
    pub generation: i32,
    /// The schema's file format: from 4 on, the integers 0 and 1 take no room in a record.
    pub file_format: u8,
}

/// Violations of foreign keys that a commit must find gone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Violations {
    /// Of deferred foreign keys (SQLite's nDeferredCons).
    pub deferred: i64,
    /// Of the others, delayed by `PRAGMA defer_foreign_keys` (SQLite's nDeferredImmCons).
    pub delayed: i64,
}

impl Violations {
    /// Whether a commit must fail.
    pub const fn any(self) -> bool {
        self.deferred + self.delayed > 0
    }
}

/// An open savepoint.
#[derive(Debug)]
pub struct Savepoint {
    /// Its name.
    pub name: Vec<u8>,
    /// Its counterparts, by database (rule 2).
    pub(crate) ids: Vec<(u8, SavepointId)>,
    /// The counters of violations when it was opened.
    pub(crate) violations: Violations,
}

impl Savepoint {
    /// Counts for a database that was attached after it was opened.
    pub fn attach(&mut self, db: u8, id: SavepointId) {
        self.ids.push((db, id));
    }

    /// Forgets a database; those behind it move down by one.
    pub fn detach(&mut self, db: u8) {
        self.ids.retain(|(of, _)| *of != db);
        for (of, _) in &mut self.ids {
            *of -= u8::from(*of > db);
        }
    }
}

/// What a change was, for the update hook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// A row was inserted.
    Insert,
    /// A row was updated.
    Update,
    /// A row was deleted.
    Delete,
}

/// Calls back on every changed row: kind, database, table, rowid.
pub type UpdateHook = Box<dyn FnMut(ChangeKind, &str, &str, i64)>;
/// Called before a commit; `true` turns it into a rollback.
pub type CommitHook = Box<dyn FnMut() -> bool>;
/// Called after a rollback.
pub type RollbackHook = Box<dyn FnMut()>;
/// Called every so many instructions; `true` interrupts the statement.
pub type ProgressHandler = Box<dyn FnMut() -> bool>;

/// Called when the program of a trigger begins, with its name; without one that of a foreign key's action.
pub type TriggerHook = Box<dyn FnMut(Option<&str>)>;

/// The application's callbacks.
#[derive(Default)]
pub struct Hooks {
    /// On every changed row.
    pub update: Option<UpdateHook>,
    /// Before a commit.
    pub commit: Option<CommitHook>,
    /// After a rollback.
    pub rollback: Option<RollbackHook>,
    /// When the program of a trigger begins.
    pub trigger: Option<TriggerHook>,
    /// Every so many instructions.
    pub progress: Option<(u64, ProgressHandler)>,
}

/// Limits of a connection that the VM checks.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest string, blob or row, in bytes; `facts.length_max` is the same for functions.
    pub length: u64,
    /// How deep triggers may nest.
    pub trigger_depth: u32,
    /// How many databases may be attached.
    pub attached: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            length: 1_000_000_000,
            trigger_depth: 1000,
            attached: 10,
        }
    }
}

/// What a connection lends to a running program.
pub struct Env {
    /// The databases: 0 main, 1 temp, 2… attached.
    pub dbs: Vec<Db>,
    /// The thread's I/O.
    pub io: IoHandle,
    /// The page cache, for temporary tables.
    pub pool: Arc<Pool>,
    /// Whether each statement is a transaction of its own.
    pub autocommit: bool,
    /// Whether the outermost savepoint began the transaction.
    pub is_transaction_savepoint: bool,
    /// Open savepoints, outermost first.
    pub savepoints: Vec<Savepoint>,
    /// Running statements.
    pub active: u32,
    /// Running statements that read a database.
    pub active_read: u32,
    /// Running statements that write a database.
    pub active_write: u32,
    /// What functions may know.
    pub facts: Facts,
    /// Limits.
    pub limits: Limits,
    /// `PRAGMA query_only`.
    pub query_only: bool,
    /// `PRAGMA foreign_keys`.
    pub foreign_keys: bool,
    /// `PRAGMA defer_foreign_keys`.
    pub defer_foreign_keys: bool,
    /// Violations that a commit must find gone.
    pub violations: Violations,
    /// Bytes that a sorter keeps in memory before it spills.
    pub sorter_memory: usize,
    /// The application's callbacks.
    pub hooks: Hooks,
    /// Modules and the virtual tables that are connected.
    pub virtual_tables: Rc<VirtualTables>,
    /// Runs SQL for virtual tables.
    pub nested: Option<Rc<dyn NestedSql>>,
    /// Set from any thread to stop what is running.
    pub interrupt: Arc<AtomicBool>,
    /// The transaction in progress has changed a schema (rule 3).
    pub schema_changed: bool,
    /// Schemas in memory are not to be trusted any more (rule 3): the engine reads them again and clears this.
    pub schema_reset: bool,
    /// Virtual tables that are being destroyed: statements of theirs may drop trees, though a statement is running.
    pub(crate) destroying: u32,
    /// Counts rollbacks: a writing statement that was half-way through one cannot go on.
    pub rollbacks: u64,
    /// Counts rollbacks of schema changes: no statement that was half-way through one can go on.
    pub schema_rollbacks: u64,
    /// Counts `Expire`: statements that were prepared before it prepare again.
    pub expirations: u64,
    /// Whether commits to a log are noted in `logged`, for a hook.
    pub watches_logs: bool,
    /// Commits to logs: the database, and how many frames its log has.
    pub logged: Vec<(String, u32)>,
    /// Where the `Env` stands while code of the application runs (rule 4); null otherwise.
    pub door: Door,
}

/// Where a connection's `Env` stands while code of the application runs within a step; null otherwise.
pub type Door = Rc<Cell<*mut Env>>;

impl Env {
    /// An environment without databases, in autocommit mode.
    pub fn new(io: IoHandle, pool: Arc<Pool>) -> Env {
        Env {
            dbs: Vec::new(),
            io,
            pool,
            autocommit: true,
            is_transaction_savepoint: false,
            savepoints: Vec::new(),
            active: 0,
            active_read: 0,
            active_write: 0,
            facts: Facts::default(),
            limits: Limits::default(),
            query_only: false,
            foreign_keys: false,
            defer_foreign_keys: false,
            violations: Violations::default(),
            sorter_memory: 2_048_000,
            hooks: Hooks::default(),
            virtual_tables: Rc::default(),
            nested: None,
            interrupt: Arc::new(AtomicBool::new(false)),
            schema_changed: false,
            schema_reset: false,
            destroying: 0,
            rollbacks: 0,
            schema_rollbacks: 0,
            expirations: 0,
            watches_logs: false,
            logged: Vec::new(),
            door: Rc::new(Cell::new(std::ptr::null_mut())),
        }
    }

    /// What stands in the place of an `Env` that is lent (rule 4): it has the same handles, and nothing to run on.
    #[must_use]
    pub fn stand_in(&self) -> Env {
        Env {
            virtual_tables: self.virtual_tables.clone(),
            interrupt: self.interrupt.clone(),
            door: self.door.clone(),
            ..Env::new(self.io.clone(), self.pool.clone())
        }
    }

    /// Runs code of the application (rule 4).
    pub(crate) fn outside<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let before = self.door.get();
        let here: *mut Env = self;
        self.door.set(here);
        let result = run();
        self.door.set(before);
        result
    }

    /// The database with that index.
    #[inline]
    pub(crate) fn db(&mut self, index: i32) -> Result<&mut Db> {
        match self.dbs.get_mut(index as usize) {
            Some(db) => Ok(db),
            None => Err(no_such_database(index)),
        }
    }

    /// Whether somebody wants the statement to stop.
    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

#[cold]
fn no_such_database(index: i32) -> Error {
    Error::new(
        ResultCode::ERROR,
        format!("unknown database number {index}"),
    )
}
