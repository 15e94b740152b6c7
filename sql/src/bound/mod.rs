//! The tree after name resolution: what a statement means, with every name replaced by what it names.
//!
//! ```text
//! ast::Select ──resolve──▶ bound::Select ──rewrite──▶ bound::Select ──codegen──▶ opcodes
//!               names become              subqueries are            read only
//!               (cursor, column)          flattened, aggregates
//!                                         collected
//! ```
//!
//! Rules:
//! 1. A FROM item has its cursor number from the moment its name is resolved; a column is (cursor, column number), and
//!    everything else that is known of the cursor (its table, a covering index) is in `Compiler::cursor`.
//! 2. Code generation does not change the tree: what it must remember about a subquery (its subroutine, its
//!    ephemeral table) it keeps in the compiler under the subquery's [`SubqueryId`].
//! 3. A copy of an expression that holds a subquery has the same ids; whoever changes the copy calls
//!    [`crate::bound::walk::renew_subqueries`].
//! 4. ON terms stay with the FROM item that they were written for, because only the join's kind says what they mean.
//!
//! 5. The terms of a recursive common table expression read its rows one by one through [`FromSource::Recursive`]; they
//!    share one cursor.

mod expr;
mod select;
pub mod walk;
mod window;

pub use expr::{
    AggregateCall, AggregateId, Between, BinaryOp, Case, ColumnRef, Expr, FunctionCall, In, InSet,
    RaiseAction, Subquery, SubqueryId, TriggerRow, UnaryOp,
};
pub use select::{
    CompoundOp, FromClause, FromItem, FromSource, IndexHint, JoinKind, OrderTerm, ResultColumn,
    Select, SelectFlags, SelectId, SortOrder,
};
pub use window::{Exclude, Frame, FrameBound, FrameUnit, Window, WindowFunction, WindowPass};
