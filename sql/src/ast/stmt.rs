//! Statements: the envelope, changes to rows, transactions, and the small commands.

use super::{
    AlterTable, CreateIndex, CreateTable, CreateTrigger, CreateView, CreateVirtualTable,
    DropObject, Expr, FromClause, Indexed, Limit, Name, QualifiedName, ResultColumn, Select,
    SortTerm, Span, With,
};
use crate::parse::ParseError;

/// One statement of a script.
#[derive(Clone, PartialEq, Debug)]
pub struct Statement {
    /// What it says.
    pub kind: Stmt,
    /// EXPLAIN or EXPLAIN QUERY PLAN before it.
    pub explain: Explain,
    /// From its first token (EXPLAIN included) to its last, without the semicolon.
    pub span: Span,
    /// Offset of the semicolon that ends it, or of the end of the text. Comments may lie between the span's
    /// end and here; SQLite keeps them in some CREATE texts.
    pub terminator: u32,
    /// Its bound parameters.
    pub params: Params,
    /// How many SELECTs it has.
    pub selects: u32,
    /// The statement is only what had begun when this came: compiling it fails with what is wrong with the beginning,
    /// or else with this.
    pub error: Option<Box<ParseError>>,
}

/// Whether to explain instead of to run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Explain {
    /// Run.
    #[default]
    No,
    /// EXPLAIN: list the program.
    Program,
    /// EXPLAIN QUERY PLAN.
    QueryPlan,
}

/// The parameters of a statement, numbered as SQLite numbers them: `?` takes the next number after the highest
/// so far, `?N` the number N, a name the number of its first appearance.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Params {
    /// The highest number: how many values may be bound.
    pub count: u32,
    /// Names, in order of appearance. Numbers without an entry have no name.
    pub names: Vec<ParamName>,
}

impl Params {
    /// The name of parameter `number`, prefix included (`?7`, `:a`); `None` for a plain `?`.
    pub fn name(&self, number: u32) -> Option<&str> {
        self.names
            .iter()
            .find(|name| name.number == number)
            .map(|name| &*name.text)
    }

    /// The number of the parameter called `text`, prefix included.
    pub fn number(&self, text: &str) -> Option<u32> {
        self.names
            .iter()
            .find(|name| &*name.text == text)
            .map(|name| name.number)
    }
}

/// A named parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParamName {
    /// Its number, from 1.
    pub number: u32,
    /// Its name with its prefix: `?7`, `:a`, `@a`, `$a::b(c)`.
    pub text: Box<str>,
}

/// The kinds of statements.
#[derive(Clone, PartialEq, Debug)]
pub enum Stmt {
    /// SELECT or VALUES.
    Select(Box<Select>),
    /// INSERT or REPLACE.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// `BEGIN [kind] [TRANSACTION [name]]`.
    Begin(TransactionKind),
    /// COMMIT or END.
    Commit,
    /// ROLLBACK, without TO.
    Rollback,
    /// SAVEPOINT name.
    Savepoint(Name),
    /// RELEASE name.
    Release(Name),
    /// ROLLBACK TO name.
    RollbackTo(Name),
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// CREATE INDEX.
    CreateIndex(Box<CreateIndex>),
    /// CREATE VIEW.
    CreateView(Box<CreateView>),
    /// CREATE TRIGGER.
    CreateTrigger(Box<CreateTrigger>),
    /// CREATE VIRTUAL TABLE.
    CreateVirtualTable(Box<CreateVirtualTable>),
    /// DROP TABLE, VIEW, INDEX or TRIGGER.
    Drop(Box<DropObject>),
    /// ALTER TABLE.
    AlterTable(Box<AlterTable>),
    /// PRAGMA.
    Pragma(Box<Pragma>),
    /// ATTACH.
    Attach(Box<Attach>),
    /// DETACH name.
    Detach(Box<Expr>),
    /// VACUUM.
    Vacuum(Box<Vacuum>),
    /// ANALYZE [name | schema.name].
    Analyze(Option<Box<QualifiedName>>),
    /// REINDEX [name | schema.name].
    Reindex(Option<Box<QualifiedName>>),
}

/// How a transaction begins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TransactionKind {
    /// DEFERRED, or nothing.
    #[default]
    Deferred,
    /// IMMEDIATE
    Immediate,
    /// EXCLUSIVE
    Exclusive,
}

/// What to do where a constraint is violated: `OR …`, `ON CONFLICT …`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConflictAction {
    /// ROLLBACK
    Rollback,
    /// ABORT
    Abort,
    /// FAIL
    Fail,
    /// IGNORE
    Ignore,
    /// REPLACE
    Replace,
}

/// `INSERT [OR …] INTO table [AS alias] [(columns)] source [upsert]… [RETURNING …]`, and REPLACE.
#[derive(Clone, PartialEq, Debug)]
pub struct Insert {
    /// WITH before it.
    pub with: Option<Box<With>>,
    /// OR …; `Replace` for REPLACE INTO.
    pub or: Option<ConflictAction>,
    /// The table.
    pub table: QualifiedName,
    /// Its alias, for upserts.
    pub alias: Option<Name>,
    /// The columns named; empty if none were.
    pub columns: Vec<Name>,
    /// What is inserted.
    pub source: InsertSource,
    /// ON CONFLICT clauses, in order.
    pub upserts: Vec<Upsert>,
    /// RETURNING.
    pub returning: Vec<ResultColumn>,
}

/// What an INSERT inserts.
#[derive(Clone, PartialEq, Debug)]
pub enum InsertSource {
    /// VALUES or SELECT.
    Select(Box<Select>),
    /// DEFAULT VALUES
    DefaultValues,
}

/// `ON CONFLICT [target] DO action`.
#[derive(Clone, PartialEq, Debug)]
pub struct Upsert {
    /// The key that is in conflict; only the last clause may be without.
    pub target: Option<UpsertTarget>,
    /// What to do.
    pub action: UpsertAction,
}

/// `(columns) [WHERE …]` after ON CONFLICT.
#[derive(Clone, PartialEq, Debug)]
pub struct UpsertTarget {
    /// The key's columns.
    pub columns: Vec<SortTerm>,
    /// The condition of a partial index.
    pub where_clause: Option<Expr>,
}

/// What follows DO.
#[derive(Clone, PartialEq, Debug)]
pub enum UpsertAction {
    /// NOTHING
    Nothing,
    /// UPDATE SET … [WHERE …]
    Update {
        /// The assignments.
        set: Vec<Assignment>,
        /// Which rows.
        where_clause: Option<Expr>,
    },
}

/// `column = value` or `(a, b) = row`.
#[derive(Clone, PartialEq, Debug)]
pub struct Assignment {
    /// Left of the `=`.
    pub target: AssignmentTarget,
    /// Right of it.
    pub value: Expr,
}

/// What an assignment sets.
#[derive(Clone, PartialEq, Debug)]
pub enum AssignmentTarget {
    /// One column.
    Column(Name),
    /// Several, in parentheses; one at least.
    Columns(Vec<Name>),
}

/// `UPDATE [OR …] table [AS alias] SET … [FROM …] [WHERE …] [RETURNING …] [ORDER BY …] [LIMIT …]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// WITH before it.
    pub with: Option<Box<With>>,
    /// OR ….
    pub or: Option<ConflictAction>,
    /// The table.
    pub table: QualifiedName,
    /// Its alias.
    pub alias: Option<Name>,
    /// INDEXED BY or NOT INDEXED.
    pub indexed: Indexed,
    /// The assignments; one at least.
    pub set: Vec<Assignment>,
    /// FROM.
    pub from: Option<FromClause>,
    /// WHERE.
    pub where_clause: Option<Expr>,
    /// RETURNING.
    pub returning: Vec<ResultColumn>,
    /// ORDER BY, as SQLite has it under SQLITE_ENABLE_UPDATE_DELETE_LIMIT.
    pub order_by: Vec<SortTerm>,
    /// LIMIT, likewise.
    pub limit: Option<Box<Limit>>,
}

/// `DELETE FROM table [AS alias] [WHERE …] [RETURNING …] [ORDER BY …] [LIMIT …]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Delete {
    /// WITH before it.
    pub with: Option<Box<With>>,
    /// The table.
    pub table: QualifiedName,
    /// Its alias.
    pub alias: Option<Name>,
    /// INDEXED BY or NOT INDEXED.
    pub indexed: Indexed,
    /// WHERE.
    pub where_clause: Option<Expr>,
    /// RETURNING.
    pub returning: Vec<ResultColumn>,
    /// ORDER BY, as SQLite has it under SQLITE_ENABLE_UPDATE_DELETE_LIMIT.
    pub order_by: Vec<SortTerm>,
    /// LIMIT, likewise.
    pub limit: Option<Box<Limit>>,
}

/// `PRAGMA [schema.]name [= value | (value)]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Pragma {
    /// Its name.
    pub name: QualifiedName,
    /// Its argument.
    pub arg: Option<PragmaArg>,
}

/// A pragma's argument: a name, a string, or a signed number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PragmaArg {
    /// Its text as SQLite hands it to the pragma: without quotes, with a leading `-` if negative (a `+` falls
    /// away).
    pub text: Box<str>,
    /// It was given in parentheses rather than after `=`.
    pub in_parentheses: bool,
    /// Where it stands, its sign and quotes included.
    pub span: Span,
}

/// `ATTACH [DATABASE] file AS schema [KEY key]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Attach {
    /// The file; a bare identifier here is a string.
    pub file: Expr,
    /// The schema's name; a bare identifier here is a string.
    pub schema: Expr,
    /// KEY: parsed, without effect.
    pub key: Option<Expr>,
}

/// `VACUUM [schema] [INTO file]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Vacuum {
    /// Which database; main if none.
    pub schema: Option<Name>,
    /// INTO.
    pub into: Option<Expr>,
}
