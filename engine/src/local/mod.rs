//! `LocalConnection`: a connection on the calling thread, with no hop.
//!
//! ```text
//!   LocalConnection ── Rc ──▶ Inner { env: LocalMutex<Env>, schema, functions, io }
//!   Statement ────────── Rc ──┘        one step at a time holds the Env
//! ```
//!
//! Every function that may wait comes in two forms: `name_async` is a future for whatever executor
//! the caller has, `name` drives it to its end on this thread. With nothing else to run the I/O is
//! done inline, so that the plain form costs no ring trip.
//!
//! Rules:
//! 1. A step holds the `Env` through the local mutex from its start to its end; statements of one
//!    connection interleave between steps, never within one.
//! 2. The schema is read once and kept until a statement finds that its cookie has changed; then it
//!    is read again and the statement compiled once more, as `sqlite3_prepare_v2` does.

mod attach;
mod backup;
mod backup_steps;
mod blob;
mod counter_table;
mod databases;
mod dbstat;
mod functions;
mod lend;
mod limits;
mod metadata;
mod modules;
mod open;
mod pragma_table;
mod request;
mod schema;
mod serialize;
mod setting;
mod statement;
mod statement_cache;
mod statement_tables;
mod store;
mod uri;
mod vacuum;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ringwood_format::collation::Collation;
use ringwood_io::{IoHandle, LocalMutex};
use ringwood_sql::authorizer::Authorizer;
pub use ringwood_sql::compiler::Optimizations;
use ringwood_sql::compiler::{CompileFlags, Limits, Workshop};
use ringwood_sql::schema::{NameMap, Schema};
use ringwood_vdbe::{Env, FunctionDef, FunctionRegistry, VirtualTables};
pub use ringwood_wal::TxState;
use ringwood_wal::{Busy, BusyHandler};

pub use backup_steps::Backup;
pub use blob::BlobColumn;
pub use functions::AuthorizerCallback;
pub use limits::Limit;
pub use metadata::ColumnMetadata;
pub use open::{JournalMode, OpenOptions};
pub use statement::{Rows, Statement};
pub use statement_cache::{CachedStatement, StatementCacheCounters};
pub(crate) use store::{Store, open_store, pool};

use crate::error::{Error, Result};
use crate::params::IntoParams;
use crate::row::Row;

/// A connection that runs on the calling thread. Not `Send`; clones are the same connection.
///
/// ```
/// use ringwood::LocalConnection;
/// # fn main() -> ringwood::Result<()> {
/// let conn = LocalConnection::open_in_memory()?;
/// conn.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1),(2),(3);")?;
/// let mut rows = conn.query("SELECT sum(a) FROM t WHERE a > ?1", [1])?;
/// assert_eq!(rows.next()?.unwrap().get::<i64>(0)?, 5);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LocalConnection {
    pub(crate) inner: Rc<Inner>,
}

/// What a connection and its statements share.
pub(crate) struct Inner {
    pub(crate) io: IoHandle,
    pub(crate) env: LocalMutex<Env>,
    /// `None` once it is closed.
    store: Cell<Option<Store>>,
    /// The stores of attached databases: that of `env.dbs[i + 2]`.
    attached: RefCell<Vec<Store>>,
    /// Whether the connection may only read.
    read_only: bool,
    /// Whether the main database is a file without a name.
    main_is_temporary: Cell<bool>,
    /// The number of the schema that was read last, whichever database's it was.
    generation: Cell<i32>,
    /// `PRAGMA temp_store_directory`.
    temp_directory: RefCell<Option<String>>,
    /// What `PRAGMA page_size` and `auto_vacuum` ask of the next VACUUM.
    next_vacuum: Cell<vacuum::Wanted>,
    /// `None`: to be read before the next statement is compiled.
    schema: RefCell<Option<Rc<Schema>>>,
    functions: RefCell<Arc<FunctionRegistry>>,
    collations: RefCell<NameMap<Collation>>,
    virtual_tables: Rc<VirtualTables>,
    limits: Cell<Limits>,
    limit_values: Cell<limits::Limits>,
    flags: Cell<CompileFlags>,
    interrupt: Arc<AtomicBool>,
    /// What to do while somebody else holds a lock: the same for all databases.
    pub(crate) busy: Rc<Busy>,
    /// Settings without effect, for the pragmas that ask.
    remembered: RefCell<setting::Remembered>,
    /// The `Env`, while the application's code uses the connection within a step (`lend`).
    lent: Cell<Option<Box<Env>>>,
    /// Who is asked while a statement is compiled.
    authorizer: RefCell<Option<Rc<Authorizer<'static>>>>,
    statements: statement_tables::Statements,
    cache: statement_cache::StatementCache,
    counts: Counts,
    /// What dropped statements have left.
    #[allow(clippy::vec_box)] // they are moved in and out
    spares: RefCell<Vec<Box<statement::Body>>>,
    /// The memory of their programs.
    workshop: Workshop,
}

/// Copies of what callers may ask for while a step is under way.
#[derive(Default)]
struct Counts {
    changes: Cell<u64>,
    total_changes: Cell<u64>,
    last_insert_rowid: Cell<i64>,
    in_transaction: Cell<bool>,
}

/// Stops a connection's running statement from another thread.
#[derive(Clone, Debug)]
pub struct InterruptHandle(Arc<AtomicBool>);

impl InterruptHandle {
    /// The running statement ends with `SQLITE_INTERRUPT`; without one nothing happens.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody has asked for that since the last statement began.
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl InterruptHandle {
    /// Takes it back.
    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl std::fmt::Debug for LocalConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalConnection").finish_non_exhaustive()
    }
}

impl LocalConnection {
    /// Opens a database file (made at the first write if it is absent), or `:memory:`.
    ///
    /// # Errors
    /// `SQLITE_CANTOPEN`, `SQLITE_BUSY` (another process holds the file), `SQLITE_NOTADB`,
    /// `SQLITE_CORRUPT`, `SQLITE_IOERR`.
    pub fn open(path: impl AsRef<Path>) -> Result<LocalConnection> {
        LocalConnection::open_with(path, &OpenOptions::default())
    }

    /// Opens an in-memory database of its own.
    pub fn open_in_memory() -> Result<LocalConnection> {
        LocalConnection::open(":memory:")
    }

    /// Opens a database file with options. Connections of this process on one file, from any thread, share its page
    /// cache and wait in one line to write.
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<LocalConnection> {
        let io = IoHandle::for_thread();
        io.block_on(LocalConnection::open_on(&io, path, options))
    }

    /// Opens a database file on a handle of one's own, which then performs everything.
    pub async fn open_on(
        io: &IoHandle,
        path: impl AsRef<Path>,
        options: &OpenOptions,
    ) -> Result<LocalConnection> {
        let store = open_store(io, path.as_ref(), options).await?;
        store.take_seat().await;
        Ok(LocalConnection::on_store(io.clone(), store, Arc::default()))
    }

    /// Another connection to the same open file: they share its page cache, and wait for each
    /// other's transactions within the process.
    ///
    /// # Errors
    /// `Misuse` where this connection was closed.
    pub fn another(&self) -> Result<LocalConnection> {
        let store = self.inner.store.take();
        let Some(store) = store else {
            return Err(Error::Misuse("the connection is closed".into()));
        };
        self.inner.store.set(Some(store.clone()));
        store.take_seat_beside();
        Ok(LocalConnection::on_store(
            self.inner.io.clone(),
            store,
            Arc::default(),
        ))
    }

    /// A connection to a store in which it has a seat.
    pub(crate) fn on_store(
        io: IoHandle,
        store: Store,
        interrupt: Arc<AtomicBool>,
    ) -> LocalConnection {
        let busy = Rc::new(Busy::default());
        let env = open::env(&io, &store, interrupt.clone(), &busy);
        let virtual_tables = env.virtual_tables.clone();
        virtual_tables.set_builtins(modules::builtin, &modules::BUILTIN_NAMES);
        let read_only = store.db.is_read_only();
        let connection = LocalConnection {
            inner: Rc::new(Inner {
                env: LocalMutex::new(env),
                store: Cell::new(Some(store)),
                attached: RefCell::default(),
                read_only,
                main_is_temporary: Cell::new(false),
                generation: Cell::new(0),
                temp_directory: RefCell::default(),
                next_vacuum: Cell::default(),
                schema: RefCell::new(None),
                functions: RefCell::new(builtins()),
                collations: RefCell::default(),
                virtual_tables,
                limits: Cell::default(),
                limit_values: Cell::default(),
                flags: Cell::default(),
                interrupt,
                busy,
                remembered: RefCell::default(),
                lent: Cell::default(),
                authorizer: RefCell::default(),
                statements: statement_tables::Statements::default(),
                cache: statement_cache::StatementCache::default(),
                counts: Counts::default(),
                spares: RefCell::default(),
                workshop: Workshop::default(),
                io,
            }),
        };
        let nested = modules::Nested(Rc::downgrade(&connection.inner));
        connection
            .inner
            .with_env(|env| env.nested = Some(Rc::new(nested)));
        connection
    }

    /// Compiles the first statement of `sql`; what follows it is ignored.
    ///
    /// # Errors
    /// `SqlInput` with the place for text that does not compile; `Misuse` if there is no statement.
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        match self.prepare_next(sql)? {
            Some((statement, _)) => Ok(statement),
            None => Err(Error::Misuse("the text holds no statement".into())),
        }
    }

    /// As [`prepare`](Self::prepare).
    pub async fn prepare_async(&self, sql: &str) -> Result<Statement> {
        match self.prepare_next_async(sql).await? {
            Some((statement, _)) => Ok(statement),
            None => Err(Error::Misuse("the text holds no statement".into())),
        }
    }

    /// Compiles the first statement of `sql` and gives the offset of the text after it, or `None`
    /// if only white space and comments are left. For scripts.
    pub fn prepare_next(&self, sql: &str) -> Result<Option<(Statement, usize)>> {
        self.prepare_bytes(sql.as_bytes())
    }

    /// As [`prepare_next`](Self::prepare_next), for a text that may not be UTF-8.
    pub fn prepare_bytes(&self, sql: &[u8]) -> Result<Option<(Statement, usize)>> {
        if let Some(prepared) = Statement::prepare_now(&self.inner, sql) {
            return prepared;
        }
        let prepared = Statement::prepare(self.inner.clone(), sql);
        self.inner.io.block_on(prepared)
    }

    /// As [`prepare_next`](Self::prepare_next).
    pub async fn prepare_next_async(&self, sql: &str) -> Result<Option<(Statement, usize)>> {
        let sql = sql.as_bytes();
        if let Some(prepared) = Statement::prepare_now(&self.inner, sql) {
            return prepared;
        }
        Statement::prepare(self.inner.clone(), sql).await
    }

    /// Runs one statement that returns no rows; gives the number of rows that it changed.
    pub fn execute(&self, sql: &str, params: impl IntoParams) -> Result<u64> {
        let params = params.into_params()?;
        let mut statement = self.prepare(sql)?;
        statement.bind_all(params)?;
        statement.execute_bound()
    }

    /// Runs every statement of a script; rows are dropped.
    pub fn execute_batch(&self, sql: &str) -> Result<()> {
        let mut rest = sql;
        while let Some((mut statement, tail)) = self.prepare_next(rest)? {
            while statement.step()? {}
            rest = &rest[tail..];
        }
        Ok(())
    }

    /// As [`execute_batch`](Self::execute_batch).
    pub async fn execute_batch_async(&self, sql: &str) -> Result<()> {
        let mut rest = sql;
        while let Some((mut statement, tail)) = self.prepare_next_async(rest).await? {
            while statement.step_async().await? {}
            rest = &rest[tail..];
        }
        Ok(())
    }

    /// Runs one statement and gives its rows.
    pub fn query(&self, sql: &str, params: impl IntoParams) -> Result<Rows> {
        self.prepare(sql)?.into_rows(params)
    }

    /// Runs one statement and gives its first row.
    ///
    /// # Errors
    /// `QueryReturnedNoRows`.
    pub fn query_row(&self, sql: &str, params: impl IntoParams) -> Result<Row> {
        self.query(sql, params)?
            .next()?
            .ok_or(Error::QueryReturnedNoRows)
    }

    /// Switches optimisations off, for statements prepared from now on: those that are set. For tests: no switch
    /// changes what a statement means.
    pub fn disable_optimizations(&self, which: Optimizations) {
        let mut flags = self.inner.flags.get();
        flags.disabled = which;
        self.inner.flags.set(flags);
        self.inner.cache.clear();
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    pub fn changes(&self) -> u64 {
        self.inner.counts.changes.get()
    }

    /// Rows changed since the connection was opened.
    pub fn total_changes(&self) -> u64 {
        self.inner.counts.total_changes.get()
    }

    /// Rowid of the last row inserted.
    pub fn last_insert_rowid(&self) -> i64 {
        self.inner.counts.last_insert_rowid.get()
    }

    /// True outside of a transaction.
    pub fn is_autocommit(&self) -> bool {
        !self.inner.counts.in_transaction.get()
    }

    /// What stops this connection's statements from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(self.inner.interrupt.clone())
    }

    /// How long a statement waits for another connection's lock; zero is not at all.
    pub fn busy_timeout(&self, timeout: Duration) {
        self.inner.busy.set_timeout(timeout);
    }

    /// Asks `handler` whether to wait for another connection's lock once more; it is told how often it was asked for
    /// the same lock. It takes the place of a timeout; `None` takes both away.
    pub fn busy_handler(&self, handler: Option<BusyHandler>) {
        self.inner.busy.set_handler(handler);
    }

    /// Calls `handler` about every `opcodes` opcodes of a running statement; when it returns true
    /// the statement ends with `SQLITE_INTERRUPT`. `None` takes it away.
    pub fn progress_handler(&self, opcodes: u32, handler: Option<Box<dyn FnMut() -> bool>>) {
        self.inner
            .with_env(|env| env.hooks.progress = handler.map(|h| (u64::from(opcodes.max(1)), h)));
    }

    /// Adds a function, or replaces the one of the same name and number of arguments. Statements
    /// that are compiled already keep the old one.
    pub fn register_function(&self, function: FunctionDef) {
        Arc::make_mut(&mut *self.inner.functions.borrow_mut()).register(function);
        self.inner.cache.clear();
    }

    /// Bytes that have to be read or written are waited for on this handle.
    pub fn io(&self) -> &IoHandle {
        &self.inner.io
    }

    /// Ends the connection: rolls an open transaction back, and, as the last one of its file,
    /// checkpoints the log and deletes it. Dropping the connection does the same and tells nobody
    /// what failed.
    ///
    /// # Errors
    /// What the checkpoint fails with; the log then stays, and the next open recovers it.
    pub fn close(self) -> Result<()> {
        let io = self.inner.io.clone();
        io.block_on(self.inner.close())
    }

    pub(crate) async fn close_async(self) {
        // What fails here is met again by the next open, which recovers the log.
        let _ = self.inner.close().await;
    }
}

impl Inner {
    /// The connection's `Env`, for a caller on this thread that is not within a step.
    pub(crate) fn with_env<T>(&self, f: impl FnOnce(&mut Env) -> T) -> T {
        if let Some(mut env) = self.try_enter() {
            return f(&mut env);
        }
        self.io.block_on(async { f(&mut *self.enter().await) })
    }

    /// A number that no schema of this connection has had.
    pub(super) fn next_generation(&self) -> i32 {
        let next = self.generation.get().wrapping_add(1);
        self.generation.set(next);
        next
    }

    pub(crate) fn functions(&self) -> Arc<FunctionRegistry> {
        self.functions.borrow().clone()
    }

    /// A step has waited so long.
    fn count_wait(&self, time: Duration) {
        if let Some(store) = self.store.take() {
            store.waits().add_time(time);
            self.store.set(Some(store));
        }
    }

    /// Copies what callers may ask for out of the `Env`.
    pub(crate) fn publish(&self, env: &Env) {
        let counts = &self.counts;
        counts.changes.set(env.facts.changes as u64);
        counts.total_changes.set(env.facts.total_changes as u64);
        counts.last_insert_rowid.set(env.facts.last_insert_rowid);
        counts.in_transaction.set(!env.autocommit);
    }

    async fn close(&self) -> Result<()> {
        let Some(store) = self.store.take() else {
            return Ok(());
        };
        let mut env = self.env.lock().await;
        let mut synchronous = ringwood_wal::Synchronous::default();
        for (index, db) in env.dbs.iter_mut().enumerate() {
            match db.tx.state() {
                TxState::None => {}
                TxState::Read => db.tx.end_read(),
                TxState::Write => db.tx.rollback(),
            }
            if index == 0 {
                synchronous = db.tx.synchronous();
            }
        }
        // Transactions of attached databases end with their connections.
        env.dbs.truncate(2);
        drop(env);
        let attached: Vec<Store> = self.attached.borrow_mut().drain(..).collect();
        for store in attached {
            // Each file keeps what it has; the next open recovers the log.
            let _ = store.close(&self.io, synchronous).await;
        }
        store
            .close(&self.io, synchronous)
            .await
            .map_err(|e| Error::from_vdbe(e.into(), b""))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to tell; the next open recovers the log.
        let _ = self.io.block_on(self.close());
    }
}

/// The built-in functions, made once.
fn builtins() -> Arc<FunctionRegistry> {
    static BUILTINS: OnceLock<Arc<FunctionRegistry>> = OnceLock::new();
    BUILTINS
        .get_or_init(|| Arc::new(ringwood_vdbe::func::builtins()))
        .clone()
}
