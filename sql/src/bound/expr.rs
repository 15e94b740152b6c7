//! Bound expressions.
//!
//! | SQLite's token        | here |
//! |-----------------------|------|
//! | TK_COLUMN             | [`Expr::Column`] |
//! | TK_AGG_COLUMN         | [`Expr::AggregateColumn`] |
//! | TK_AGG_FUNCTION       | [`Expr::Function`] with an [`AggregateCall`] until it is collected, then [`Expr::AggregateValue`] |
//! | TK_REGISTER           | [`Expr::Register`] |
//! | TK_TRIGGER            | [`Expr::TriggerColumn`] |
//! | TK_IF_NULL_ROW        | [`Expr::IfNullRow`] |
//! | TK_VECTOR             | [`Expr::Vector`] |
//! | TK_TRUTH              | [`Expr::Truth`] |
//! | EP_Unlikely           | [`Expr::Likelihood`] |

use super::select::{OrderTerm, Select, SelectId};
use super::window::Window;
use crate::schema::CollationName;
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::FunctionDef;
use std::sync::Arc;

/// Names a subquery (or the right side of an IN) for as long as the statement is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SubqueryId(pub u32);

/// Names the collected aggregates of one SELECT: an index into the compiler's list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AggregateId(pub u32);

/// A column of a cursor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ColumnRef {
    /// The FROM item's cursor.
    pub cursor: i32,
    /// The column's number in the table, in the order of its declaration; -1 is the rowid.
    pub column: i32,
    /// The affinity of the column.
    pub affinity: Affinity,
    /// Whether an outer join may make a NULL of a column that is declared NOT NULL.
    pub can_be_null: bool,
}

/// Which row of a trigger a column is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TriggerRow {
    /// `OLD.x`
    Old,
    /// `NEW.x`
    New,
}

/// Operators with one operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnaryOp {
    /// `-x`
    Negate,
    /// `+x`: the value of x without its affinity, and never a term for an index.
    Plus,
    /// `~x`
    BitNot,
    /// `NOT x`
    Not,
    /// `x IS NULL`, `x ISNULL`
    IsNull,
    /// `x IS NOT NULL`, `x NOTNULL`, `x NOT NULL`
    NotNull,
}

/// Operators with two operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinaryOp {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `=`, `==`
    Eq,
    /// `<>`, `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `IS`, `IS NOT DISTINCT FROM`
    Is,
    /// `IS NOT`, `IS DISTINCT FROM`
    IsNot,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `||`
    Concat,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
}

impl BinaryOp {
    /// Whether it compares: `=`, `<>`, `<`, `<=`, `>`, `>=`, `IS`, `IS NOT`.
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            BinaryOp::Eq
                | BinaryOp::Ne
                | BinaryOp::Lt
                | BinaryOp::Le
                | BinaryOp::Gt
                | BinaryOp::Ge
                | BinaryOp::Is
                | BinaryOp::IsNot
        )
    }

    /// The comparison with its sides exchanged.
    #[must_use]
    pub const fn commuted(self) -> BinaryOp {
        match self {
            BinaryOp::Lt => BinaryOp::Gt,
            BinaryOp::Gt => BinaryOp::Lt,
            BinaryOp::Le => BinaryOp::Ge,
            BinaryOp::Ge => BinaryOp::Le,
            other => other,
        }
    }
}

/// An expression, every name of it resolved.
#[derive(Clone, Debug)]
pub enum Expr {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A real.
    Real(f64),
    /// A text.
    Text(Arc<[u8]>),
    /// A blob.
    Blob(Arc<[u8]>),
    /// TRUE or FALSE: the integers 1 and 0, but for `x IS TRUE`, which is a [`Expr::Truth`].
    Bool(bool),
    /// A bound parameter, counted from 1.
    Param(u32),
    /// A column of a FROM item.
    Column(ColumnRef),
    /// A column of which WHERE says what it is equal to (SQLite's EP_FixedCol): computed as that value, made the
    /// column's type; an index may still find the column by it.
    Fixed {
        /// The column.
        column: ColumnRef,
        /// A constant.
        value: Box<Expr>,
    },
    /// A column of a FROM item of an aggregate query, seen after or while grouping. Reads the column itself while
    /// the aggregate is in direct mode.
    AggregateColumn {
        /// Whose aggregates.
        aggregates: AggregateId,
        /// Index into its columns.
        index: u32,
        /// The column itself: an [`Expr::Column`] or an [`Expr::IfNullRow`].
        expr: Box<Expr>,
    },
    /// The result of an aggregate function.
    AggregateValue {
        /// Whose aggregates.
        aggregates: AggregateId,
        /// Index into its functions.
        index: u32,
    },
    /// A value that is in a register already.
    Register {
        /// The register.
        reg: i32,
        /// The affinity of the expression that was put there.
        affinity: Affinity,
        /// The collation of the expression that was put there.
        collation: Option<CollationName>,
    },
    /// A column of the row that a trigger fires for.
    TriggerColumn {
        /// Which row.
        row: TriggerRow,
        /// The column's number, -1 for the rowid.
        column: i32,
        /// The affinity of the column.
        affinity: Affinity,
    },
    /// An operator with one operand.
    Unary(UnaryOp, Box<Expr>),
    /// `x IS TRUE` and its three sisters.
    Truth {
        /// The operand.
        expr: Box<Expr>,
        /// IS NOT?
        not: bool,
        /// TRUE or FALSE?
        value: bool,
    },
    /// An operator with two operands.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Whether the planner has exchanged the sides: the collation is then taken from the right side first.
        commuted: bool,
        /// Left and right.
        operands: Box<(Expr, Expr)>,
    },
    /// `x BETWEEN y AND z`, `x NOT BETWEEN y AND z`
    Between(Box<Between>),
    /// `x IN (…)`, `x NOT IN (…)`
    In(Box<In>),
    /// `EXISTS (SELECT …)`; NOT EXISTS is a NOT around it.
    Exists(Box<Subquery>),
    /// `(SELECT …)` as a value, or as a row value if it has several columns.
    Subquery(Box<Subquery>),
    /// `CASE … END`
    Case(Box<Case>),
    /// `CAST(x AS type)`
    Cast {
        /// The operand.
        expr: Box<Expr>,
        /// The affinity of the type's name.
        affinity: Affinity,
    },
    /// `x COLLATE name`
    Collate {
        /// The operand.
        expr: Box<Expr>,
        /// The collation.
        collation: CollationName,
        /// It was not written: the collation that a subquery's column had, before it was replaced by what it computes.
        implicit: bool,
    },
    /// A call of a function, also LIKE, GLOB, `->` and the like.
    Function(Box<FunctionCall>),
    /// A row value: `(a, b, c)`.
    Vector(Vec<Expr>),
    /// `likely(x)`, `unlikely(x)`, `likelihood(x, p)`: the value of x.
    Likelihood {
        /// The operand.
        expr: Box<Expr>,
        /// The chance that it is true, in 2^27ths as SQLite keeps it.
        probability: i32,
    },
    /// The value of the expression, or NULL while the cursor stands on the NULL row of an outer join.
    IfNullRow {
        /// The cursor to ask.
        cursor: i32,
        /// The expression.
        expr: Box<Expr>,
    },
    /// `RAISE(…)` in a trigger.
    Raise {
        /// What happens.
        action: RaiseAction,
        /// The message; NULL for IGNORE.
        message: Box<Expr>,
    },
}

/// What RAISE does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RaiseAction {
    /// Leaves the trigger.
    Ignore,
    /// Undoes the transaction.
    Rollback,
    /// Undoes the statement.
    Abort,
    /// Stops and undoes nothing.
    Fail,
}

/// `value [NOT] BETWEEN low AND high`
#[derive(Clone, Debug)]
pub struct Between {
    /// What is compared; evaluated once.
    pub value: Expr,
    /// The lower bound.
    pub low: Expr,
    /// The upper bound.
    pub high: Expr,
    /// NOT?
    pub not: bool,
}

/// `left [NOT] IN set`
#[derive(Clone, Debug)]
pub struct In {
    /// The left side, perhaps a vector.
    pub left: Expr,
    /// The right side.
    pub set: InSet,
    /// NOT?
    pub not: bool,
    /// Under which the compiler keeps the ephemeral table of the right side.
    pub id: SubqueryId,
}

/// The right side of an IN.
#[derive(Clone, Debug)]
pub enum InSet {
    /// `(a, b, c)`; never empty (an empty list is a constant).
    List(Vec<Expr>),
    /// `(SELECT …)`, also `IN table`.
    Select {
        /// The subquery.
        select: Box<Select>,
        /// Whether it refers to a query around it.
        correlated: bool,
    },
}

/// A subquery within an expression.
#[derive(Clone, Debug)]
pub struct Subquery {
    /// Under which the compiler keeps the subroutine.
    pub id: SubqueryId,
    /// The subquery.
    pub select: Box<Select>,
    /// Whether it refers to a query around it.
    pub correlated: bool,
}

/// `CASE operand WHEN … THEN … ELSE … END`
#[derive(Clone, Debug)]
pub struct Case {
    /// What each WHEN is compared to; none: each WHEN is a condition.
    pub operand: Option<Expr>,
    /// WHEN and THEN.
    pub whens: Vec<(Expr, Expr)>,
    /// ELSE.
    pub otherwise: Option<Expr>,
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    /// The function.
    pub def: Arc<FunctionDef>,
    /// The arguments.
    pub args: Vec<Expr>,
    /// What a call of an aggregate has more.
    pub aggregate: Option<AggregateCall>,
    /// OVER.
    pub window: Option<Box<Window>>,
    /// It is the `coalesce` of the columns that USING merges: it has the affinity and collation of the first.
    pub merged_column: bool,
}

/// What a call of an aggregate function has besides its arguments.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// The query over whose rows it runs: the innermost one that its arguments mention.
    pub owner: SelectId,
    /// `f(DISTINCT x)`
    pub distinct: bool,
    /// `FILTER (WHERE …)`
    pub filter: Option<Expr>,
    /// `f(x ORDER BY y)`
    pub order_by: Vec<OrderTerm>,
    /// Where it stands in the statement.
    pub offset: Option<u32>,
}

impl Expr {
    /// An operator with two operands.
    pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
        Expr::Binary {
            op,
            commuted: false,
            operands: Box::new((left, right)),
        }
    }

    /// The conjunction of what there is.
    pub fn and(left: Option<Expr>, right: Option<Expr>) -> Option<Expr> {
        match (left, right) {
            (Some(left), Some(right)) => Some(Expr::binary(BinaryOp::And, left, right)),
            (left, right) => left.or(right),
        }
    }

    /// How many columns a row value has; 1 for a scalar.
    pub fn vector_size(&self) -> usize {
        match self {
            Expr::Vector(items) => items.len(),
            Expr::Subquery(subquery) => subquery.select.result.len(),
            _ => 1,
        }
    }

    /// Whether it is a row value.
    pub fn is_vector(&self) -> bool {
        self.vector_size() > 1
    }

    /// The expression without COLLATE operators and likelihoods around it.
    pub fn without_collate(&self) -> &Expr {
        let mut expr = self;
        while let Expr::Collate { expr: inner, .. } | Expr::Likelihood { expr: inner, .. } = expr {
            expr = inner;
        }
        expr
    }
}
