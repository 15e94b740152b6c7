//! What a compilation is given and does not change.

use crate::authorizer::Authorizer;
use crate::codegen::loops::Memory;
use crate::parse::{ParseError, ParseErrorKind};
use crate::resolve::Scope;
use crate::schema::{NameMap, Schema};
use ringwood_format::collation::Collation;
use ringwood_vdbe::{Buffers, Error, FunctionRegistry, Program, ResultCode, VirtualTables};
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// An error of the compiler: code, message, and the byte offset of the offending token in the text.
///
/// It is one pointer, so that what succeeds fits into registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqlError(Box<ErrorParts>);

/// What a [`SqlError`] says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorParts {
    /// The extended result code.
    pub code: ResultCode,
    /// The message, in SQLite's words.
    pub message: String,
    /// Byte offset of the offending token.
    pub offset: Option<u32>,
}

impl Deref for SqlError {
    type Target = ErrorParts;

    fn deref(&self) -> &ErrorParts {
        &self.0
    }
}

impl DerefMut for SqlError {
    fn deref_mut(&mut self) -> &mut ErrorParts {
        &mut self.0
    }
}

impl SqlError {
    /// A message under a code, without a place.
    #[cold]
    pub fn new(code: ResultCode, message: impl Into<String>) -> SqlError {
        SqlError(Box::new(ErrorParts {
            code,
            message: message.into(),
            offset: None,
        }))
    }

    /// `SQLITE_ERROR` with a message.
    #[cold]
    pub fn error(message: impl Into<String>) -> SqlError {
        SqlError::new(ResultCode::ERROR, message)
    }

    /// `SQLITE_ERROR` with a message and a place.
    #[cold]
    pub fn at(offset: u32, message: impl Into<String>) -> SqlError {
        SqlError::error(message).or_at(offset)
    }

    /// What is wrong with a text.
    #[cold]
    pub fn of_text(error: &ParseError) -> SqlError {
        let code = match error.kind {
            ParseErrorKind::TooBig => ResultCode::TOOBIG,
            _ => ResultCode::ERROR,
        };
        let mut made = SqlError::new(code, error.to_string());
        made.offset = error.offset;
        made
    }

    /// An error for a part of the dialect that is not there yet.
    #[cold]
    pub fn unsupported(what: &str) -> SqlError {
        SqlError::error(format!("{what} not supported yet"))
    }

    /// What it says.
    pub fn into_message(self) -> String {
        self.0.message
    }

    /// The same error without a place.
    #[cold]
    #[must_use]
    pub fn placeless(mut self) -> SqlError {
        self.offset = None;
        self
    }

    /// The same error, with a place if it has none.
    #[cold]
    #[must_use]
    pub fn or_at(mut self, offset: u32) -> SqlError {
        self.offset.get_or_insert(offset);
        self
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

impl From<Error> for SqlError {
    fn from(e: Error) -> SqlError {
        SqlError(Box::new(ErrorParts {
            code: e.code,
            message: e.message,
            offset: e.offset,
        }))
    }
}

impl From<SqlError> for Error {
    fn from(e: SqlError) -> Error {
        let ErrorParts {
            code,
            message,
            offset,
        } = *e.0;
        Error {
            code,
            message,
            offset,
        }
    }
}

/// SQLite's run-time limits, as far as the compiler asks for them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a text, a blob or a row.
    pub length: u32,
    /// Columns of a table, an index, a result, terms of ORDER BY and GROUP BY.
    pub columns: usize,
    /// Depth of an expression.
    pub expr_depth: usize,
    /// Parts of a compound SELECT.
    pub compound_select: usize,
    /// Arguments of a function.
    pub function_args: usize,
    /// Attached databases.
    pub attached: usize,
    /// Nesting of triggers.
    pub trigger_depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            length: 1_000_000_000,
            columns: 2000,
            expr_depth: 1000,
            compound_select: 500,
            function_args: 1000,
            attached: 10,
            trigger_depth: 1000,
        }
    }
}

/// Switches of the connection that change what is compiled.
#[derive(Clone, Copy, Debug)]
pub struct CompileFlags {
    /// A double-quoted name that names nothing is a string, in SELECT and changes of rows.
    pub double_quoted_strings_dml: bool,
    /// The same in definitions.
    pub double_quoted_strings_ddl: bool,
    /// PRAGMA foreign_keys.
    pub foreign_keys: bool,
    /// No trigger fires: the statement is the engine's own.
    pub no_triggers: bool,
    /// PRAGMA recursive_triggers.
    pub recursive_triggers: bool,
    /// PRAGMA full_column_names.
    pub full_column_names: bool,
    /// PRAGMA short_column_names.
    pub short_column_names: bool,
    /// PRAGMA reverse_unordered_selects.
    pub reverse_unordered_selects: bool,
    /// PRAGMA count_changes.
    pub count_changes: bool,
    /// PRAGMA ignore_check_constraints.
    pub ignore_check_constraints: bool,
    /// PRAGMA automatic_index.
    pub automatic_index: bool,
    /// Optimisations that are switched off.
    pub disabled: super::Optimizations,
    /// PRAGMA defer_foreign_keys.
    pub defer_foreign_keys: bool,
    /// PRAGMA cell_size_check, query_only and the like do not concern the compiler; writable_schema does.
    pub writable_schema: bool,
    /// PRAGMA legacy_alter_table.
    pub legacy_alter_table: bool,
    /// PRAGMA trusted_schema.
    pub trusted_schema: bool,
    /// PRAGMA analysis_limit.
    pub analysis_limit: u32,
    /// Whether temporary tables live in memory (no influence on code, only on EXPLAIN).
    pub read_only: bool,
}

impl Default for CompileFlags {
    fn default() -> CompileFlags {
        CompileFlags {
            double_quoted_strings_dml: true,
            double_quoted_strings_ddl: true,
            foreign_keys: false,
            no_triggers: false,
            recursive_triggers: false,
            full_column_names: false,
            short_column_names: true,
            reverse_unordered_selects: false,
            count_changes: false,
            ignore_check_constraints: false,
            automatic_index: true,
            disabled: super::Optimizations::empty(),
            defer_foreign_keys: false,
            writable_schema: false,
            legacy_alter_table: false,
            trusted_schema: true,
            analysis_limit: 0,
            read_only: false,
        }
    }
}

/// What a connection lends to the compiler.
pub struct CompileContext<'a> {
    /// Its databases.
    pub schema: &'a Schema,
    /// Its functions.
    pub functions: &'a FunctionRegistry,
    /// Collations other than the built-in ones.
    pub collations: &'a NameMap<Collation>,
    /// Its modules and the virtual tables that are connected.
    pub virtual_tables: &'a VirtualTables,
    /// Its limits.
    pub limits: Limits,
    /// Its switches.
    pub flags: CompileFlags,
    /// Who is asked whether a statement may do what it would do.
    pub authorizer: Option<&'a Authorizer<'a>>,
    /// Memory to be used again.
    pub workshop: &'a Workshop,
}

/// Where one compilation leaves its memory for the next.
#[derive(Default)]
pub struct Workshop(Cell<Option<Box<Tools>>>);

/// What lies in a workshop: buffers and lists, all of them empty.
#[derive(Default)]
pub(crate) struct Tools {
    pub buffers: Buffers,
    pub cursors: Vec<super::CursorInfo>,
    /// Of the resolver.
    pub scopes: Vec<Scope>,
    /// Of the planner.
    pub planner: Memory,
}

impl Workshop {
    /// Takes everything out. A compilation within another one finds nothing, and makes do.
    pub(super) fn take(&self) -> Box<Tools> {
        self.0.take().unwrap_or_default()
    }

    pub(super) fn put(&self, tools: Box<Tools>) {
        self.0.set(Some(tools));
    }

    /// Takes a program that is gone and has been emptied: the next one is made in its place.
    pub fn take_back(&self, program: Arc<Program>) {
        let mut tools = self.take();
        tools.buffers.program.get_or_insert(program);
        self.put(tools);
    }
}
