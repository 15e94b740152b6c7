//! Virtual tables of a connection: registering modules, the built-in ones, and SQL that a virtual table runs.
//!
//! | module | |
//! |---|---|
//! | `json_each`, `json_tree`, `jsonb_each`, `jsonb_tree` | elements of a JSON document |
//! | `generate_series` | integers |
//! | `pragma_…` | each pragma that gives rows and changes nothing ([`super::pragma_table`]) |
//! | `dbstat` | the pages of a database ([`super::dbstat`]) |
//! | `ringwood_counters` | what was counted ([`super::counter_table`]) |
//! | `sqlite_stmt`, `bytecode`, `tables_used` | statements ([`super::statement_tables`]) |

use std::rc::{Rc, Weak};
use std::sync::Arc;

use ringwood_format::value::Value;
use ringwood_sql::parse::Parser;
use ringwood_vdbe::vtab::json_each::JsonEach;
use ringwood_vdbe::vtab::series::Series;
use ringwood_vdbe::vtab::{LocalFuture, Module, NestedSql};
use ringwood_vdbe::{Env, Error as VdbeError, Exit, Mem, ResultCode, Vm};

use super::pragma_table::PragmaModule;
use super::statement_tables::StatementTable;
use super::{Inner, LocalConnection};
use crate::error::Error;

/// The built-in module of that name.
pub(super) fn builtin(name: &str) -> Option<Arc<dyn Module>> {
    let each = |recursive, binary| -> Option<Arc<dyn Module>> {
        Some(Arc::new(JsonEach { recursive, binary }))
    };
    match name {
        "json_each" => each(false, false),
        "json_tree" => each(true, false),
        "jsonb_each" => each(false, true),
        "jsonb_tree" => each(true, true),
        "generate_series" => Some(Arc::new(Series)),
        "dbstat" => Some(Arc::new(super::dbstat::DbStat)),
        super::counter_table::NAME => Some(Arc::new(super::counter_table::CounterTable)),
        _ => {
            if let Some(table) = StatementTable::find(name) {
                return Some(Arc::new(table));
            }
            let pragma = PragmaModule::find(name.strip_prefix("pragma_")?)?;
            Some(Arc::new(pragma))
        }
    }
}

/// The names of the built-in modules that `PRAGMA module_list` shows from the start.
pub(super) const BUILTIN_NAMES: [&str; 6] = [
    "json_tree",
    "jsonb_tree",
    "json_each",
    "jsonb_each",
    "dbstat",
    "generate_series",
];

impl LocalConnection {
    /// Registers a module of virtual tables, or replaces the one of that name. Tables that are connected keep the old
    /// one.
    ///
    /// A table-valued function that counts:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ringwood::LocalConnection;
    /// use ringwood::vtab::*;
    /// use ringwood::Mem;
    ///
    /// /// `upto(n)`: the numbers from 1 to n.
    /// struct UpTo;
    ///
    /// impl Module for UpTo {
    ///     fn kind(&self) -> ModuleKind {
    ///         ModuleKind::EponymousOnly
    ///     }
    ///     fn connect(&self, _: &ModuleArgs) -> VtabStep<Declared> {
    ///         Ok(Declared::new("CREATE TABLE x(value, n HIDDEN)", Table))
    ///     }
    /// }
    ///
    /// struct Table;
    ///
    /// impl VirtualTable for Table {
    ///     fn best_index(&self, info: &mut IndexInfo) -> Result<(), Unusable> {
    ///         // The argument arrives as an equality on the hidden column.
    ///         let wanted = |c: &Constraint| c.column == 1 && c.op == ConstraintOp::EQ;
    ///         let Some(at) = info.usable().find(|(_, c)| wanted(c)).map(|(i, _)| i) else {
    ///             return Err(Unusable::Constraint);
    ///         };
    ///         info.usage[at] = Usage { argument: 1, omit: true, in_all: false };
    ///         info.estimated_cost = 10.0;
    ///         Ok(())
    ///     }
    ///     fn open(&mut self) -> Result<Box<dyn VirtualCursor>, VtabError> {
    ///         Ok(Box::new(Cursor { at: 1, to: 0 }))
    ///     }
    /// }
    ///
    /// struct Cursor {
    ///     at: i64,
    ///     to: i64,
    /// }
    ///
    /// impl VirtualCursor for Cursor {
    ///     fn filter(&mut self, _: &mut VtabContext<'_>, _: &IndexPlan, args: &[Mem]) -> VtabStep {
    ///         (self.at, self.to) = (1, args[0].to_int());
    ///         Ok(())
    ///     }
    ///     fn next(&mut self, _: &mut VtabContext<'_>) -> VtabStep {
    ///         self.at += 1;
    ///         Ok(())
    ///     }
    ///     fn eof(&self) -> bool {
    ///         self.at > self.to
    ///     }
    ///     fn column(&mut self, _: &mut VtabContext<'_>, column: usize, out: &mut Mem) -> VtabStep {
    ///         out.set_int(if column == 0 { self.at } else { self.to });
    ///         Ok(())
    ///     }
    ///     fn rowid(&mut self) -> VtabStep<i64> {
    ///         Ok(self.at)
    ///     }
    /// }
    ///
    /// # fn main() -> ringwood::Result<()> {
    /// let conn = LocalConnection::open_in_memory()?;
    /// conn.create_module("upto", Some(Arc::new(UpTo)));
    /// let row = conn.query_row("SELECT sum(value) FROM upto(10)", ())?;
    /// assert_eq!(row.get::<i64>(0)?, 55);
    /// # Ok(()) }
    /// ```
    ///
    /// With `None` the module is forgotten.
    pub fn create_module(&self, name: &str, module: Option<Arc<dyn Module>>) {
        let tables = &self.inner.virtual_tables;
        match module {
            Some(module) => tables.register(name, module),
            None => {
                tables.remove(name);
            }
        }
        self.inner.expire();
    }
}

impl LocalConnection {
    /// Disconnects all virtual tables, before the connection is closed; one that is used again is connected again.
    pub fn disconnect_virtual_tables(&self) {
        self.inner.virtual_tables.forget_all();
        self.inner.expire();
    }
}

/// Runs SQL for virtual tables.
pub(super) struct Nested(pub(super) Weak<Inner>);

impl NestedSql for Nested {
    fn run<'a>(
        &'a self,
        env: &'a mut Env,
        sql: &'a str,
        params: &'a [Value],
    ) -> LocalFuture<'a, Result<Vec<Vec<Value>>, VdbeError>> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else {
                return Err(VdbeError::code(ResultCode::MISUSE));
            };
            inner.run_nested(env, sql, params).await
        })
    }

    fn about_statements<'a>(
        &'a self,
        env: &'a mut Env,
        table: &'a str,
        sql: Option<&'a [u8]>,
    ) -> LocalFuture<'a, Result<Vec<Vec<Value>>, VdbeError>> {
        Box::pin(async move {
            match (self.0.upgrade(), StatementTable::find(table)) {
                (Some(inner), None) if table == super::counter_table::NAME => {
                    Ok(inner.counter_rows(env))
                }
                (Some(inner), Some(table)) => table.rows(&inner, env, sql).await,
                _ => Err(VdbeError::code(ResultCode::MISUSE)),
            }
        })
    }
}

impl Inner {
    /// Statements that are compiled already are compiled again when they next start.
    pub(super) fn expire(&self) {
        self.with_env(|env| env.expirations += 1);
    }

    /// Runs one statement within the one that is under way.
    pub(super) async fn run_nested(
        self: &Rc<Self>,
        env: &mut Env,
        sql: &str,
        params: &[Value],
    ) -> Result<Vec<Vec<Value>>, VdbeError> {
        let mut parser = Parser::new(sql.as_bytes());
        let parsed = match parser.next_statement() {
            Some(Ok(parsed)) => parsed,
            Some(Err(error)) => return Err(VdbeError::new(ResultCode::ERROR, error.to_string())),
            None => return Ok(Vec::new()),
        };
        let mut retries = 0;
        loop {
            let program = self
                .compile_in(env, &parsed, sql.as_bytes())
                .await
                .map_err(plain_error)?;
            let mut vm = Vm::new(program);
            for (i, value) in params.iter().enumerate() {
                vm.bind_value(i + 1, value.clone())?;
            }
            match self.collect_rows(env, &mut vm).await {
                Err(error) if error.code == ResultCode::SCHEMA && retries < 5 => {
                    retries += 1;
                    self.forget_schema();
                }
                rows => return rows,
            }
        }
    }

    async fn collect_rows(
        self: &Rc<Self>,
        env: &mut Env,
        vm: &mut Vm,
    ) -> Result<Vec<Vec<Value>>, VdbeError> {
        let mut rows = Vec::new();
        loop {
            match vm.step(env).await {
                Ok(Exit::Row) => rows.push(vm.row().iter().map(Mem::to_value).collect()),
                Ok(Exit::Done) => return Ok(rows),
                Ok(Exit::Request(request)) => {
                    let answer = self.answer(env, request).await;
                    // A failed answer is told by the next step.
                    let _ = vm.answer(env, answer);
                }
                Err(error) => {
                    vm.abandon(env);
                    return Err(error);
                }
            }
        }
    }
}

/// The compiler's error, without the place in a text that the application has not written.
fn plain_error(error: Error) -> VdbeError {
    VdbeError::new(ResultCode::from_i32(error.extended_code()), error.message())
}
