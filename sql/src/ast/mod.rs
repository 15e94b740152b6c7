//! The syntax tree: what a statement says, before any name in it means anything.
//!
//! ```text
//! Statement ── kind: Stmt ─┬─ Select(Select) ─┬─ with: With ── Cte*
//!   span, explain, params  │                  ├─ core: SelectCore ── Select(SelectClause) | Values
//!                          │                  ├─ compounds: (op, SelectCore)*
//!                          │                  └─ order_by, limit
//!                          ├─ Insert, Update, Delete
//!                          ├─ CreateTable, CreateIndex, CreateView, CreateTrigger, CreateVirtualTable
//!                          └─ DropObject, Alter, Begin, …, Pragma, Attach, Vacuum, Reindex, Analyze
//! SelectClause ── columns: ResultColumn*, from: FromClause ── FromItem*, where, group_by, having, windows
//! Expr ── kind: ExprKind, span
//! ```
//!
//! Rules:
//! 1. The tree owns everything; the statement's text is needed again only where a [`Span`] is to be
//!    shown verbatim (column names, `CREATE` text kept in the schema, error offsets).
//! 2. A span is a pair of byte offsets into the text that was given to the parser, so that a script's
//!    statements share one coordinate system. [`Span::slice`] cuts it out.
//! 3. Parentheses around an expression leave no node; the tree's shape holds the precedence.
//! 4. What SQLite's own parser rewrites on the way is rewritten here too, where it decides meaning:
//!    FROM lists are flat with the join operator on the right item, and a parenthesised single table
//!    or a leading parenthesised join is opened (see [`FromClause`]). What SQLite rewrites only for speed
//!    (`x IN (1)` to `x = 1`, folding of `+x`) is left to the code generator.
//! 5. Depth: the parser refuses expressions deeper than 1000 levels and statements nested more deeply
//!    than its stack limit, so walking or dropping a tree recursively is safe on a small stack.
//! 6. Names and strings: see [`Name`]; string and blob literals are bytes, because a statement may
//!    contain invalid UTF-8 and SQLite keeps it.
//!
//! Deliberately absent: affinity, collation, types, cursor numbers: they come with name resolution.
//!
//! Source: SQLite's parse.y (3.54), <https://sqlite.org/syntaxdiagrams.html>.

mod create;
mod expr;
mod name;
mod print;
mod select;
mod stmt;
pub mod walk;

pub use create::{
    AlterAction, AlterTable, ColumnConstraint, ColumnConstraintKind, ColumnDef, CreateIndex,
    CreateTable, CreateTrigger, CreateView, CreateVirtualTable, Deferral, DropObject,
    ForeignKeyAction, GeneratedKind, ObjectKind, References, TableBody, TableConstraint,
    TableConstraintKind, TriggerEvent, TriggerStep, TriggerStmt, TriggerTime, TypeName,
};
pub use expr::{
    BinaryOp, Case, Cast, Collate, ColumnRef, CurrentTime, Expr, ExprKind, FrameBound,
    FrameExclude, FrameUnit, FunctionArgs, FunctionCall, InTable, Like, LikeOp, Literal, Over,
    Raise, RaiseAction, UnaryOp, Variable, WindowDef, WindowFrame,
};
pub use name::{Name, QualifiedName, Quote};
pub use print::{print_expression, print_statement};
pub use select::{
    Compound, CompoundOp, Cte, Distinctness, FromClause, FromItem, Indexed, JoinConstraint,
    JoinType, Limit, Materialized, NullsOrder, ResultColumn, Select, SelectClause, SelectCore,
    SortOrder, SortTerm, Source, Values, With,
};
pub use stmt::{
    Assignment, AssignmentTarget, Attach, ConflictAction, Delete, Explain, Insert, InsertSource,
    ParamName, Params, Pragma, PragmaArg, Statement, Stmt, TransactionKind, Update, Upsert,
    UpsertAction, UpsertTarget, Vacuum,
};

/// A range of byte offsets into the text that was parsed: `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just past the last byte.
    pub end: u32,
}

impl Span {
    /// The span `start..end`.
    #[inline]
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// Bytes covered.
    #[inline]
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// From the start of `self` to the end of `last`.
    #[inline]
    #[must_use]
    pub const fn to(self, last: Span) -> Self {
        Self {
            start: self.start,
            end: last.end,
        }
    }

    /// The bytes of `text` under this span; empty if `text` is not the text that was parsed and too short.
    #[inline]
    pub fn slice(self, text: &[u8]) -> &[u8] {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}
