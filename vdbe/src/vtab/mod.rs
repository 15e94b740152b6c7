//! Virtual tables: tables whose rows come from code instead of a tree.
//!
//! ```text
//!   CREATE VIRTUAL TABLE t USING m(a, b)          SELECT … FROM t WHERE x = ?
//!        │                                             │
//!   Module::connect ──▶ Declared { schema, table }     │  the planner asks, for each set of usable terms
//!                              │                  VirtualTable::best_index(&mut IndexInfo)
//!                              │                       │  the chosen plan is compiled in
//!                              └──── VirtualTable::open ──▶ VirtualCursor: filter, eof, column, rowid, next
//!   INSERT, UPDATE, DELETE ──▶ VirtualTable::update, between begin and sync/commit/rollback
//!   DROP TABLE ─────────────▶ VirtualTable::destroy          closing the connection drops the table (disconnect)
//! ```
//!
//! Rules:
//! 1. A module belongs to a connection and may be registered by name at any time; a table is connected when a statement
//!    that names it is compiled, once, and stays connected until it is dropped or the connection ends.
//! 2. **Waiting.** Every step that may need I/O is a plain function that gives a [`VtabStop`]. If what it needs is not
//!    there, it notes what that is in its own state and returns [`VtabStop::Wait`]; the VM then awaits the object's
//!    [`wait`](VirtualCursor::wait), which fetches it, and calls the same function again. So a scan over rows that are
//!    at hand costs no await and no box, and a module that reads a file or a network is written as
//!    "try, else say what is missing". Inside `wait` the connection can be used: [`WaitContext::query`] runs SQL in
//!    the transaction of the statement, which is how a module keeps shadow tables.
//! 3. `best_index`, `open`, `eof`, `commit`, `rollback` and the savepoint calls do not wait: they are asked while a
//!    statement is compiled, per row, or where nothing may fail any more. A module that needs I/O to plan does it when
//!    it is connected ([`Module::connect_async`]).
//! 4. Columns of the declared schema whose type has the word HIDDEN are left out of `*`. In `t(a, b)` the arguments are
//!    equality constraints on them, from the left.
//! 5. A module that is [eponymous](ModuleKind::Eponymous) can be used under its own name without CREATE VIRTUAL TABLE.
//!
//! Source: SQLite's "The Virtual Table Mechanism Of SQLite", `vtab.c`.

mod index;
pub mod json_each;
mod registry;
pub mod series;

pub use index::{
    Constraint, ConstraintOp, DistinctMode, IndexInfo, IndexOrder, IndexPlan, Unusable, Usage,
};
pub use registry::{ConnectError, Connected, PendingConnect, VirtualTables};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::func::{Facts, FnError, FunctionDef};
use crate::mem::Mem;
use crate::result_code::ResultCode;
use ringwood_format::value::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A future of the connection's thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Why a step of a virtual table did not finish.
#[derive(Debug)]
pub enum VtabStop {
    /// It has to wait (rule 2); nothing that the program can see has changed.
    Wait,
    /// It failed.
    Fail(Box<Error>),
}

/// The result of a step.
pub type VtabStep<T = ()> = std::result::Result<T, VtabStop>;

impl From<Error> for VtabStop {
    #[cold]
    fn from(error: Error) -> VtabStop {
        VtabStop::Fail(Box::new(error))
    }
}

impl From<FnError> for VtabStop {
    #[cold]
    fn from(error: FnError) -> VtabStop {
        VtabStop::Fail(Box::new(Error::new(error.code, error.message)))
    }
}

/// How a module may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ModuleKind {
    /// By CREATE VIRTUAL TABLE.
    #[default]
    Ordinary,
    /// That, and under its own name (rule 5).
    Eponymous,
    /// Only under its own name.
    EponymousOnly,
}

bitflags::bitflags! {
    /// What may be assumed of a virtual table.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct VtabFlags: u32 {
        /// It can do no harm in the hands of a file's author.
        const INNOCUOUS = 1;
        /// Not in triggers and views.
        const DIRECT_ONLY = 2;
        /// Its `update` settles conflicts as the statement says.
        const CONSTRAINTS = 4;
    }
}

/// What a table is connected with.
#[derive(Clone, Debug)]
pub struct ModuleArgs {
    /// The name under which the module was registered.
    pub module: Arc<str>,
    /// The database of the table: `main`, `temp`, or the name after ATTACH … AS.
    pub db: Arc<str>,
    /// The table's name.
    pub table: Arc<str>,
    /// The arguments of CREATE VIRTUAL TABLE, as written.
    pub args: Vec<String>,
    /// Whether the table is made now by CREATE VIRTUAL TABLE, rather than found in the schema.
    pub is_new: bool,
}

/// What connecting gives.
pub struct Declared {
    /// A CREATE TABLE statement: its columns are the table's. The name in it is not looked at.
    pub schema: String,
    /// The table.
    pub table: Box<dyn VirtualTable>,
    /// What may be assumed of it.
    pub flags: VtabFlags,
}

impl Declared {
    /// A table with those columns.
    pub fn new(schema: impl Into<String>, table: impl VirtualTable + 'static) -> Declared {
        Declared {
            schema: schema.into(),
            table: Box::new(table),
            flags: VtabFlags::empty(),
        }
    }

    /// The same with flags.
    #[must_use]
    pub fn with(mut self, flags: VtabFlags) -> Declared {
        self.flags |= flags;
        self
    }
}

/// A kind of virtual table.
pub trait Module: Send + Sync {
    /// How it may be used.
    fn kind(&self) -> ModuleKind {
        ModuleKind::Ordinary
    }

    /// Connects a table. For one that is [new](ModuleArgs::is_new), [`VirtualTable::create`] follows.
    ///
    /// # Errors
    /// The error of the statement. [`VtabStop::Wait`]: [`connect_async`](Module::connect_async) is called instead.
    fn connect(&self, args: &ModuleArgs) -> VtabStep<Declared>;

    /// Connects a table where that needs I/O.
    fn connect_async<'a>(
        &'a self,
        _args: &'a ModuleArgs,
        _cx: WaitContext<'a>,
    ) -> LocalFuture<'a, Result<Declared>> {
        Box::pin(async { Err(cannot_wait()) })
    }

    /// Whether `suffix` is that of a shadow table: `t_suffix` belongs to the virtual table `t`.
    fn is_shadow(&self, _suffix: &str) -> bool {
        false
    }
}

/// What is to be done to a row.
#[derive(Debug)]
pub enum VtabChange<'a> {
    /// Delete the row with that rowid (of a table WITHOUT ROWID: with that primary key).
    Delete {
        /// Which.
        rowid: &'a Mem,
    },
    /// Insert a row; NULL: the table chooses the rowid.
    Insert {
        /// The rowid.
        rowid: &'a Mem,
        /// All columns, hidden ones too.
        columns: &'a [Mem],
    },
    /// Update a row.
    Update {
        /// Which.
        old_rowid: &'a Mem,
        /// Its rowid from now on.
        new_rowid: &'a Mem,
        /// All columns, hidden ones too.
        columns: &'a [Mem],
    },
}

/// How an [update](VirtualTable::update) settles conflicts: an OE_ value of `opcode::p5`.
pub type OnConflict = u8;

/// A function that a table puts in the place of one of the connection's, for calls with a column of the table.
pub struct Overload {
    /// The function.
    pub function: FunctionDef,
    /// An operator from 150 on: calls in WHERE are offered to `best_index` as constraints with it.
    pub op: Option<ConstraintOp>,
}

/// A connected table. Dropping it disconnects.
pub trait VirtualTable {
    /// Chooses how to scan: looks at the constraints and the order in `info`, says which it uses, and what that costs.
    /// It is asked several times with other constraints usable.
    ///
    /// # Errors
    /// [`Unusable::Constraint`]: this combination cannot be used at all.
    fn best_index(&self, info: &mut IndexInfo) -> std::result::Result<(), Unusable>;

    /// A cursor; `filter` comes next.
    ///
    /// # Errors
    /// The error of the statement.
    fn open(&mut self) -> Result<Box<dyn VirtualCursor>>;

    /// Makes what a new table needs outside of memory.
    ///
    /// # Errors
    /// The error of CREATE VIRTUAL TABLE.
    fn create(&mut self) -> VtabStep {
        Ok(())
    }

    /// Takes away what [`create`](VirtualTable::create) made.
    ///
    /// # Errors
    /// The error of DROP TABLE.
    fn destroy(&mut self) -> VtabStep {
        Ok(())
    }

    /// Changes a row; an insert gives its rowid.
    ///
    /// # Errors
    /// The error of the statement.
    fn update(&mut self, _change: &VtabChange<'_>, _on_conflict: OnConflict) -> VtabStep<i64> {
        Err(Error::new(ResultCode::READONLY, "virtual table is read-only").into())
    }

    /// Whether rows can be changed.
    fn is_writable(&self) -> bool {
        false
    }

    /// The first change of a transaction comes. A table that was made in it has begun by that, and is not told.
    ///
    /// # Errors
    /// The error of the statement.
    fn begin(&mut self) -> VtabStep {
        Ok(())
    }

    /// The transaction is about to be committed; the last chance to fail.
    ///
    /// # Errors
    /// The error of the commit.
    fn sync(&mut self) -> VtabStep {
        Ok(())
    }

    /// The transaction has been committed.
    fn commit(&mut self) {}

    /// The transaction has been rolled back.
    fn rollback(&mut self) {}

    /// A savepoint was opened; numbers rise.
    fn savepoint(&mut self, _number: usize) {}

    /// That savepoint and all above it are gone, their changes stay.
    fn release(&mut self, _number: usize) {}

    /// Changes since that savepoint are undone.
    fn rollback_to(&mut self, _number: usize) {}

    /// The table gets another name.
    ///
    /// # Errors
    /// The error of ALTER TABLE.
    fn rename(&mut self, _name: &str) -> VtabStep {
        Ok(())
    }

    /// What is wrong with the table, for `PRAGMA integrity_check`, or `quick_check` if `quick`; none if nothing is.
    ///
    /// # Errors
    /// The error of the pragma.
    fn integrity(&mut self, _db: &str, _table: &str, _quick: bool) -> VtabStep<Option<String>> {
        Ok(None)
    }

    /// Whether [`integrity`](VirtualTable::integrity) looks at anything.
    fn has_integrity(&self) -> bool {
        false
    }

    /// The table's own function for a call with `args` arguments whose column argument is the table's.
    fn find_function(&self, _name: &str, _args: usize) -> Option<Overload> {
        None
    }

    /// Does what the last step stopped for.
    fn wait<'a>(&'a mut self, _cx: WaitContext<'a>) -> LocalFuture<'a, Result<()>> {
        Box::pin(async { Err(cannot_wait()) })
    }
}

/// What a step of a cursor may use and where its result goes.
pub struct VtabContext<'a> {
    pub(crate) facts: &'a mut Facts,
    pub(crate) no_change: bool,
}

impl VtabContext<'_> {
    /// The connection, as functions see it.
    pub fn facts(&mut self) -> &mut Facts {
        self.facts
    }

    /// In [`VirtualCursor::column`]: the value is wanted for an UPDATE that does not change this column. If it is left as
    /// it is, [`VirtualTable::update`] gets a value that says so ([`Mem::is_no_change`]).
    pub fn is_no_change(&self) -> bool {
        self.no_change
    }
}

/// A scan under way.
pub trait VirtualCursor {
    /// Begins a scan: `plan` is what `best_index` chose, `args` the values that it asked for.
    ///
    /// # Errors
    /// The error of the statement.
    fn filter(&mut self, cx: &mut VtabContext<'_>, plan: &IndexPlan, args: &[Mem]) -> VtabStep;

    /// Goes to the next row.
    ///
    /// # Errors
    /// The error of the statement.
    fn next(&mut self, cx: &mut VtabContext<'_>) -> VtabStep;

    /// Whether there is no row.
    fn eof(&self) -> bool;

    /// A column of the row, into `out`, which is NULL.
    ///
    /// # Errors
    /// The error of the statement.
    fn column(&mut self, cx: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep;

    /// The rowid of the row.
    ///
    /// # Errors
    /// The error of the statement.
    fn rowid(&mut self) -> VtabStep<i64>;

    /// Does what the last step stopped for.
    fn wait<'a>(&'a mut self, _cx: WaitContext<'a>) -> LocalFuture<'a, Result<()>> {
        Box::pin(async { Err(cannot_wait()) })
    }
}

#[cold]
fn cannot_wait() -> Error {
    Error::new(
        ResultCode::INTERNAL,
        "internal error: this virtual table does not say how it waits",
    )
}

/// Runs SQL within a statement; the engine gives it to the VM.
pub trait NestedSql {
    /// Runs one statement in the transaction of the statement that is under way, and gives its rows.
    fn run<'a>(
        &'a self,
        env: &'a mut Env,
        sql: &'a str,
        params: &'a [Value],
    ) -> LocalFuture<'a, Result<Vec<Vec<Value>>>>;

    /// The rows of one of the tables about statements: `sqlite_stmt`, or `bytecode` and `tables_used` about that one.
    fn about_statements<'a>(
        &'a self,
        env: &'a mut Env,
        table: &'a str,
        sql: Option<&'a [u8]>,
    ) -> LocalFuture<'a, Result<Vec<Vec<Value>>>>;
}

/// What a virtual table may use while it waits.
pub struct WaitContext<'a> {
    pub(crate) env: &'a mut Env,
}

impl<'a> WaitContext<'a> {
    /// Of a connection.
    pub fn new(env: &'a mut Env) -> WaitContext<'a> {
        WaitContext { env }
    }

    /// The thread's I/O.
    pub fn io(&self) -> &ringwood_io::IoHandle {
        &self.env.io
    }

    /// What the connection lends: for the engine's own modules.
    #[doc(hidden)]
    pub fn env(&mut self) -> &mut Env {
        self.env
    }

    /// Runs code of the application that may use the connection ([`Env::door`](crate::Env)): for the C interface.
    #[doc(hidden)]
    pub fn outside<T>(&mut self, run: impl FnOnce() -> T) -> T {
        self.env.outside(run)
    }

    /// For the tables about statements.
    #[doc(hidden)]
    pub async fn about_statements(
        &mut self,
        table: &str,
        sql: Option<&[u8]>,
    ) -> Result<Vec<Vec<Value>>> {
        let Some(nested) = self.env.nested.clone() else {
            return Err(Error::code(ResultCode::MISUSE));
        };
        nested.about_statements(self.env, table, sql).await
    }

    /// Runs one statement within the one that is under way, in its transaction, and gives its rows.
    ///
    /// # Errors
    /// The statement's.
    pub async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        let Some(nested) = self.env.nested.clone() else {
            return Err(Error::code(ResultCode::MISUSE));
        };
        nested.run(self.env, sql, params).await
    }
}
