//! The authorizer: the application is asked about everything that a statement would do, while it is compiled.
//!
//! | code | first | second | database |
//! |---|---|---|---|
//! | `CREATE_INDEX`, `CREATE_TEMP_INDEX`, `DROP_INDEX`, `DROP_TEMP_INDEX` | index | table | name |
//! | `CREATE_TABLE`, `CREATE_TEMP_TABLE`, `DROP_TABLE`, `DROP_TEMP_TABLE` | table | | name |
//! | `CREATE_TRIGGER`, `CREATE_TEMP_TRIGGER`, `DROP_TRIGGER`, `DROP_TEMP_TRIGGER` | trigger | table | name |
//! | `CREATE_VIEW`, `CREATE_TEMP_VIEW`, `DROP_VIEW`, `DROP_TEMP_VIEW` | view | | name |
//! | `CREATE_VTABLE`, `DROP_VTABLE` | table | module | name |
//! | `INSERT`, `DELETE`, `ANALYZE` | table | | name |
//! | `READ`, `UPDATE` | table | column | name |
//! | `REINDEX` | index | | name |
//! | `ALTER_TABLE` | database | table | column, or nothing |
//! | `PRAGMA` | pragma | argument | name, if it was written |
//! | `TRANSACTION` | BEGIN, COMMIT, ROLLBACK | | |
//! | `SAVEPOINT` | BEGIN, RELEASE, ROLLBACK | savepoint | |
//! | `ATTACH`, `DETACH` | file; database | | |
//! | `FUNCTION` | | function | |
//! | `SELECT`, `RECURSIVE` | | | |
//!
//! Rules:
//! 1. A refusal ends the compilation with `SQLITE_AUTH`. IGNORE on READ makes the column NULL, on FUNCTION the call, on
//!    UPDATE leaves the column as it is; a DELETE then deletes row by row; another statement becomes one that does nothing.
//! 2. Changes of the schema are also changes of the schema table, and are asked about as such, as in stock SQLite, which
//!    makes them by statements.
//! 3. The fourth text is the innermost trigger, view or common table expression whose text asks.
//! 4. Expressions of the schema that were looked at when they were made (CHECK, indexes, generated columns) are not asked
//!    about again.
//! 5. Without an authorizer a question is one comparison.
//!
//! Source: SQLite's `auth.c`, "Compile-Time Authorization Callbacks".

use crate::ast::{Expr, ExprKind, Literal};
use crate::codegen::ddl::TEMP;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::Table;
use ringwood_vdbe::ResultCode;
use std::sync::Arc;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// What a statement would do; the numbers are SQLite's.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i32)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub enum ActionCode { $($(#[$doc])* $name = $value,)* }
    };
}

codes! {
    CreateIndex = 1,
    CreateTable = 2,
    CreateTempIndex = 3,
    CreateTempTable = 4,
    CreateTempTrigger = 5,
    CreateTempView = 6,
    CreateTrigger = 7,
    CreateView = 8,
    Delete = 9,
    DropIndex = 10,
    DropTable = 11,
    DropTempIndex = 12,
    DropTempTable = 13,
    DropTempTrigger = 14,
    DropTempView = 15,
    DropTrigger = 16,
    DropView = 17,
    Insert = 18,
    Pragma = 19,
    Read = 20,
    Select = 21,
    Transaction = 22,
    Update = 23,
    Attach = 24,
    Detach = 25,
    AlterTable = 26,
    Reindex = 27,
    Analyze = 28,
    CreateVirtualTable = 29,
    DropVirtualTable = 30,
    Function = 31,
    Savepoint = 32,
    Recursive = 33,
}

/// A question to the authorizer: the table above says what the texts are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action<'t> {
    /// What would be done.
    pub code: ActionCode,
    /// To what.
    pub first: Option<&'t str>,
    /// More about it.
    pub second: Option<&'t str>,
    /// The database.
    pub database: Option<&'t str>,
    /// Whose text it is (rule 3).
    pub accessor: Option<&'t str>,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authorization {
    /// It may be done.
    Allow,
    /// The statement is refused.
    Deny,
    /// It is left out (rule 1).
    Ignore,
    /// No answer: the statement fails with `authorizer malfunction`.
    Malfunction,
}

/// Who is asked.
pub type Authorizer<'a> = dyn Fn(&Action<'_>) -> Authorization + 'a;

/// The columns of the schema table that a CREATE fills.
const SCHEMA_COLUMNS: [&str; 5] = ["type", "name", "tbl_name", "rootpage", "sql"];

/// The schema table, as it is called.
pub(crate) const fn schema_table_name(db: usize) -> &'static str {
    if db == TEMP {
        "sqlite_temp_master"
    } else {
        "sqlite_master"
    }
}

impl Compiler<'_> {
    /// Whether there is an authorizer, and it is to be asked.
    #[inline]
    pub(crate) fn asks(&self) -> bool {
        self.ctx.authorizer.is_some() && self.unasked == 0
    }

    /// Asks whether something may be done; false: it is to be left out.
    ///
    /// # Errors
    /// `not authorized`
    #[inline]
    pub(crate) fn authorize(
        &self,
        code: ActionCode,
        first: Option<&str>,
        second: Option<&str>,
        database: Option<&str>,
    ) -> Result<bool> {
        if !self.asks() {
            return Ok(true);
        }
        match self.ask(code, first, second, database)? {
            Authorization::Deny => Err(auth_error("not authorized")),
            answer => Ok(answer == Authorization::Allow),
        }
    }

    /// The same where what is asked about is in a database that is known.
    #[inline]
    pub(crate) fn authorize_in(
        &self,
        code: ActionCode,
        first: &str,
        second: Option<&str>,
        db: usize,
    ) -> Result<bool> {
        if !self.asks() {
            return Ok(true);
        }
        let database = self.ctx.schema.dbs[db].name.clone();
        self.authorize(code, Some(first), second, Some(&database))
    }

    #[cold]
    fn ask(
        &self,
        code: ActionCode,
        first: Option<&str>,
        second: Option<&str>,
        database: Option<&str>,
    ) -> Result<Authorization> {
        let Some(authorizer) = self.ctx.authorizer else {
            return Ok(Authorization::Allow);
        };
        let accessor = self.accessor.as_deref();
        let action = Action {
            code,
            first,
            second,
            database,
            accessor,
        };
        match authorizer(&action) {
            Authorization::Malfunction => Err(SqlError::error("authorizer malfunction")),
            answer => Ok(answer),
        }
    }

    /// Asks whether a column may be read; false: it is NULL. A column number below 0 is the rowid.
    ///
    /// # Errors
    /// `access to t.c is prohibited`
    #[inline]
    pub(crate) fn authorize_read(&self, db: usize, table: &Table, column: i32) -> Result<bool> {
        if !self.asks() {
            return Ok(true);
        }
        let number = usize::try_from(column).ok().or(table.rowid_alias);
        let column = number.and_then(|number| table.columns.get(number));
        self.ask_to_read(
            db,
            &table.name,
            column.map_or("ROWID", |column| &column.name),
        )
    }

    #[cold]
    fn ask_to_read(&self, db: usize, table: &str, column: &str) -> Result<bool> {
        let dbs = &self.ctx.schema.dbs;
        let database = &*dbs[db].name;
        match self.ask(ActionCode::Read, Some(table), Some(column), Some(database))? {
            Authorization::Deny => {
                let what = if dbs.len() > 2 || db != 0 {
                    format!("{database}.{table}.{column}")
                } else {
                    format!("{table}.{column}")
                };
                Err(auth_error(&format!("access to {what} is prohibited")))
            }
            answer => Ok(answer == Authorization::Allow),
        }
    }

    /// Asks about the functions of a DEFAULT; none may be left out.
    #[cold]
    pub(crate) fn authorize_functions(&self, default: &Expr) -> Result<()> {
        let mut outcome = Ok(());
        functions_of(default, &mut |name| {
            if outcome.is_ok() {
                outcome = match self.authorize(ActionCode::Function, None, Some(name), None) {
                    Ok(true) => Ok(()),
                    Err(e) if e.code != ResultCode::AUTH => Err(e),
                    _ => {
                        let message = format!("not authorized to use function: {name}");
                        Err(SqlError::error(message))
                    }
                };
            }
        });
        outcome
    }

    /// Does something that nobody is asked about.
    pub(crate) fn unasked<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        self.unasked += 1;
        let done = what(self);
        self.unasked -= 1;
        done
    }

    /// Does something under another name (rule 3).
    pub(crate) fn accessed_by<T>(
        &mut self,
        name: &Arc<str>,
        what: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if !self.asks() {
            return what(self);
        }
        let before = self.accessor.replace(name.clone());
        let done = what(self);
        self.accessor = before;
        done
    }

    // ---- rule 2 ----

    /// A row of the schema table is filled.
    pub(crate) fn authorize_schema_row(&self, db: usize) -> Result<()> {
        self.authorize_schema_update(db, &SCHEMA_COLUMNS, &["ROWID"], &[])
    }

    /// Rows of the schema table are changed.
    pub(crate) fn authorize_schema_update(
        &self,
        db: usize,
        set: &[&str],
        read: &[&str],
        functions: &[&str],
    ) -> Result<()> {
        if !self.asks() {
            return Ok(());
        }
        let table = schema_table_name(db);
        for column in set {
            self.authorize_in(ActionCode::Update, table, Some(column), db)?;
        }
        self.authorize_schema_reads(db, read, functions)
    }

    /// Rows of the schema table are deleted.
    pub(crate) fn authorize_schema_delete(&self, db: usize, read: &[&str]) -> Result<()> {
        if !self.asks() {
            return Ok(());
        }
        self.authorize_in(ActionCode::Delete, schema_table_name(db), None, db)?;
        self.authorize_schema_reads(db, read, &[])
    }

    /// Rows of a table of the engine are deleted that have something in a column.
    pub(crate) fn authorize_delete(&self, db: usize, table: &Table, column: usize) -> Result<()> {
        self.authorize_in(ActionCode::Delete, &table.name, None, db)?;
        self.authorize_read(db, table, column as i32).map(drop)
    }

    /// Columns of the schema table are read, and functions called.
    pub(crate) fn authorize_schema_reads(
        &self,
        db: usize,
        read: &[&str],
        functions: &[&str],
    ) -> Result<()> {
        if !self.asks() {
            return Ok(());
        }
        for column in read {
            self.ask_to_read(db, schema_table_name(db), column)?;
        }
        for function in functions {
            self.authorize(ActionCode::Function, None, Some(function), None)?;
        }
        Ok(())
    }
}

/// The functions that an expression without names calls.
fn functions_of(expr: &Expr, found: &mut dyn FnMut(&str)) {
    match &expr.kind {
        ExprKind::Call(call) => {
            found(&call.name.text);
            for arg in call.arg_list() {
                functions_of(arg, found);
            }
        }
        ExprKind::Like(like) => {
            found(like.op.name());
            functions_of(&like.expr, found);
            functions_of(&like.pattern, found);
        }
        ExprKind::Literal(Literal::Current(which)) => found(which.name()),
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            functions_of(inner, found);
        }
        ExprKind::Binary(_, operands) => {
            operands
                .iter()
                .for_each(|operand| functions_of(operand, found));
        }
        ExprKind::Cast(cast) => functions_of(&cast.expr, found),
        ExprKind::Collate(collate) => functions_of(&collate.expr, found),
        ExprKind::Between { operands, .. } => {
            operands
                .iter()
                .for_each(|operand| functions_of(operand, found));
        }
        ExprKind::InList { operands, .. } => {
            functions_of(&operands.0, found);
            operands.1.iter().for_each(|item| functions_of(item, found));
        }
        ExprKind::Case(case) => {
            case.operand
                .iter()
                .for_each(|operand| functions_of(operand, found));
            for (when, then) in &case.arms {
                functions_of(when, found);
                functions_of(then, found);
            }
            case.otherwise
                .iter()
                .for_each(|other| functions_of(other, found));
        }
        ExprKind::Row(items) => items.iter().for_each(|item| functions_of(item, found)),
        _ => {}
    }
}

fn auth_error(message: &str) -> SqlError {
    SqlError::new(ResultCode::AUTH, message)
}
