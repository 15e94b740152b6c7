//! What the planner and a virtual table tell each other about a scan.
//!
//! ```text
//!   planner ──▶ constraints: x = ?   y > ?   LIMIT ?        ──▶ usage: x is argument 1 (omit), y is not used
//!               order_by:    x, y DESC                      ──▶ order_by_consumed, plan, costs
//!               columns_used, distinct
//! ```
//!
//! Source: SQLite's `sqlite3_index_info`.

use crate::error::Error;
use ringwood_format::value::Value;
use std::sync::Arc;

/// What a constraint demands of a column. Numbers are SQLite's SQLITE_INDEX_CONSTRAINT_*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConstraintOp(pub u8);

#[allow(missing_docs)] // the operators themselves
impl ConstraintOp {
    pub const EQ: ConstraintOp = ConstraintOp(2);
    pub const GT: ConstraintOp = ConstraintOp(4);
    pub const LE: ConstraintOp = ConstraintOp(8);
    pub const LT: ConstraintOp = ConstraintOp(16);
    pub const GE: ConstraintOp = ConstraintOp(32);
    pub const MATCH: ConstraintOp = ConstraintOp(64);
    pub const LIKE: ConstraintOp = ConstraintOp(65);
    pub const GLOB: ConstraintOp = ConstraintOp(66);
    pub const REGEXP: ConstraintOp = ConstraintOp(67);
    pub const NE: ConstraintOp = ConstraintOp(68);
    pub const IS_NOT: ConstraintOp = ConstraintOp(69);
    pub const IS_NOT_NULL: ConstraintOp = ConstraintOp(70);
    pub const IS_NULL: ConstraintOp = ConstraintOp(71);
    pub const IS: ConstraintOp = ConstraintOp(72);
    /// LIMIT; the column means nothing.
    pub const LIMIT: ConstraintOp = ConstraintOp(73);
    /// OFFSET; the column means nothing.
    pub const OFFSET: ConstraintOp = ConstraintOp(74);
    /// From here on: functions of [`VirtualTable::find_function`](super::VirtualTable::find_function).
    pub const FUNCTION: ConstraintOp = ConstraintOp(150);
}

/// A term of WHERE that constrains a column.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// The column; -1 is the rowid.
    pub column: i32,
    /// The operator.
    pub op: ConstraintOp,
    /// Whether it can be used in this plan: its value is known before the scan begins.
    pub usable: bool,
    /// Its right side, if that is a constant of the statement's text.
    pub value: Option<Value>,
    /// The name of the collation by which it compares.
    pub collation: Arc<str>,
    /// Whether it is `IN (…)` whose values can be had all at once ([`Usage::in_all`]); otherwise the scan is made once
    /// for each value.
    pub is_in: bool,
}

/// A term of the wished order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexOrder {
    /// The column; -1 is the rowid.
    pub column: i32,
    /// DESC.
    pub desc: bool,
}

/// What a table does with a constraint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Its value is argument number `argument` of the filter, from 1; 0: it is not used. Numbers have no gaps.
    pub argument: usize,
    /// The table answers for it: it need not be tested again. A hint.
    pub omit: bool,
    /// The argument is a list of all values of the IN (`Mem::in_values`).
    pub in_all: bool,
}

/// What the statement does with equal rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DistinctMode {
    /// All rows are wanted, in the order of `order_by`.
    #[default]
    Ordered,
    /// For GROUP BY: equal ones next to each other, groups in any order.
    Grouped,
    /// For DISTINCT: one of equal rows is enough, in any order.
    Distinct,
    /// For DISTINCT with ORDER BY: one of equal rows is enough, in the order of `order_by`.
    DistinctOrdered,
}

/// How to scan: handed to `filter` as it was chosen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IndexPlan {
    /// A number that means what the table wants.
    pub number: i32,
    /// A text that means what the table wants.
    pub text: Option<Arc<str>>,
}

/// A question to a virtual table and its answer.
#[derive(Clone, Debug)]
pub struct IndexInfo {
    /// The constraints.
    pub constraints: Vec<Constraint>,
    /// The wished order; empty if the table cannot serve it.
    pub order_by: Vec<IndexOrder>,
    /// Which columns are read: bit n for column n, bit 63 for all from 63 on.
    pub columns_used: u64,
    /// What becomes of equal rows.
    pub distinct: DistinctMode,
    /// Answer: what is done with each constraint.
    pub usage: Vec<Usage>,
    /// Answer: how to scan.
    pub plan: IndexPlan,
    /// Answer: rows come in the wished order.
    pub order_by_consumed: bool,
    /// Answer: the cost of one scan, in rows of a table that have to be looked at.
    pub estimated_cost: f64,
    /// Answer: rows of one scan.
    pub estimated_rows: i64,
    /// Answer: at most one row.
    pub unique: bool,
    /// Answer: EXPLAIN shows the plan's number in hexadecimal.
    pub hexadecimal: bool,
}

/// A cost that no other reaches: the answer of a table that was not asked well.
pub(crate) const HUGE_COST: f64 = 5e98;

impl IndexInfo {
    /// A question.
    pub fn new(constraints: Vec<Constraint>, order_by: Vec<IndexOrder>) -> IndexInfo {
        let mut info = IndexInfo {
            usage: Vec::new(),
            constraints,
            order_by,
            columns_used: 0,
            distinct: DistinctMode::default(),
            plan: IndexPlan::default(),
            order_by_consumed: false,
            estimated_cost: 0.0,
            estimated_rows: 0,
            unique: false,
            hexadecimal: false,
        };
        info.clear_answer();
        info
    }

    /// Before the table is asked (again).
    pub fn clear_answer(&mut self) {
        self.usage.clear();
        self.usage.resize(self.constraints.len(), Usage::default());
        self.plan = IndexPlan::default();
        self.order_by_consumed = false;
        self.estimated_cost = HUGE_COST / 2.0;
        self.estimated_rows = 25;
        self.unique = false;
        self.hexadecimal = false;
    }

    /// The usable constraints with their numbers.
    pub fn usable(&self) -> impl Iterator<Item = (usize, &Constraint)> {
        self.constraints
            .iter()
            .enumerate()
            .filter(|(_, constraint)| constraint.usable)
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum Unusable {
    /// Not with these constraints (SQLite's SQLITE_CONSTRAINT).
    Constraint,
    /// Not at all: the statement fails.
    Fail(Box<Error>),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Unusable {
        Unusable::Fail(Box::new(error))
    }
}
