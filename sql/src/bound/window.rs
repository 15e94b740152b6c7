//! Windows.
//!
//! ```text
//!   resolved     sum(x) OVER (PARTITION BY a ORDER BY b ROWS 2 PRECEDING)       a FunctionCall with a Window
//!   rewritten    a register; the SELECT around it has a WindowPass, and reads from a subquery that sorts by a, b
//! ```
//!
//! Source: SQLite's `Window`.

use super::expr::Expr;
use super::select::{OrderTerm, SelectId};
use crate::schema::CollationName;
use ringwood_format::key::KeyInfo;
use ringwood_vdbe::FunctionDef;
use std::sync::Arc;

/// What a frame's distances count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameUnit {
    /// ROWS
    Rows,
    /// RANGE
    Range,
    /// GROUPS
    Groups,
}

/// One end of a frame. The expressions are constants.
#[derive(Clone, Debug)]
pub enum FrameBound {
    /// UNBOUNDED PRECEDING as the start, UNBOUNDED FOLLOWING as the end.
    Unbounded,
    /// `x PRECEDING`
    Preceding(Expr),
    /// CURRENT ROW
    Current,
    /// `x FOLLOWING`
    Following(Expr),
}

impl FrameBound {
    /// The distance.
    pub const fn offset(&self) -> Option<&Expr> {
        match self {
            FrameBound::Preceding(expr) | FrameBound::Following(expr) => Some(expr),
            FrameBound::Unbounded | FrameBound::Current => None,
        }
    }

    /// The distance, to be changed.
    pub const fn offset_mut(&mut self) -> Option<&mut Expr> {
        match self {
            FrameBound::Preceding(expr) | FrameBound::Following(expr) => Some(expr),
            FrameBound::Unbounded | FrameBound::Current => None,
        }
    }

    /// Whether it is UNBOUNDED.
    pub const fn is_unbounded(&self) -> bool {
        matches!(self, FrameBound::Unbounded)
    }

    /// Whether it is `x PRECEDING`.
    pub const fn is_preceding(&self) -> bool {
        matches!(self, FrameBound::Preceding(_))
    }

    /// Whether it is `x FOLLOWING`.
    pub const fn is_following(&self) -> bool {
        matches!(self, FrameBound::Following(_))
    }
}

/// What a frame leaves out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exclude {
    /// EXCLUDE NO OTHERS: nothing, but it was said.
    NoOthers,
    /// EXCLUDE CURRENT ROW
    CurrentRow,
    /// EXCLUDE GROUP
    Group,
    /// EXCLUDE TIES
    Ties,
}

/// The rows that a window function sees.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What distances count.
    pub unit: FrameUnit,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
    /// What is left out; none: nothing was said.
    pub exclude: Option<Exclude>,
}

/// The OVER clause of a call, every name of a window replaced by what it names.
#[derive(Clone, Debug)]
pub struct Window {
    /// The query that calls the function.
    pub owner: SelectId,
    /// PARTITION BY.
    pub partition_by: Vec<Expr>,
    /// ORDER BY.
    pub order_by: Vec<OrderTerm>,
    /// The frame.
    pub frame: Frame,
    /// FILTER (WHERE …) of the call.
    pub filter: Option<Expr>,
}

/// One function of a pass.
#[derive(Clone, Debug)]
pub struct WindowFunction {
    /// The function.
    pub def: Arc<FunctionDef>,
    /// How many arguments it has.
    pub arg_count: usize,
    /// The column of the subquery that holds its first argument, the others behind; behind them FILTER.
    pub arg_column: usize,
    /// The arguments as expressions over the buffered row, if they must be computed there, because the function asks
    /// for their subtypes.
    pub arg_exprs: Option<Vec<Expr>>,
    /// The collation of the first argument.
    pub collation: CollationName,
    /// Whether there is a FILTER.
    pub has_filter: bool,
    /// The register of its state.
    pub accumulator: i32,
    /// The register of its value.
    pub result: i32,
}

/// The window functions of a SELECT that have equal windows, and the way of its rows past them.
#[derive(Clone, Debug)]
pub struct WindowPass {
    /// Their frame.
    pub frame: Frame,
    /// The functions, the last one written first.
    pub functions: Vec<WindowFunction>,
    /// The cursor of the table that buffers the subquery's rows; three more cursors on it follow.
    pub cursor: i32,
    /// How many columns of the subquery are for the SELECT itself; PARTITION BY and ORDER BY follow.
    pub buffer_columns: usize,
    /// How many columns the subquery has.
    pub columns: usize,
    /// How the terms of PARTITION BY compare.
    pub partition: Arc<KeyInfo>,
    /// How the terms of ORDER BY compare.
    pub order: Arc<KeyInfo>,
}
