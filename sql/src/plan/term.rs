//! Terms and the clauses that hold them.
//!
//! ```text
//!   WHERE a=5 AND (b=1 OR b=2) AND c BETWEEN ?1 AND ?2
//!
//!   clause 0 (AND)      T0 a=5   T1 OR ──────────▶ clause 1 (OR)   T3 b=1  T4 b=2
//!                       T2 BETWEEN
//!                       T5 c>=?1  (virtual, of T2)
//!                       T6 c<=?2  (virtual, of T2)
//!                       T7 b IN (1,2)  (virtual, of T1)
//! ```
//!
//! Rules:
//! 1. All terms of a plan are in one list; a clause holds their numbers.
//! 2. A virtual term keeps the expression of the term that it follows from; what it compares is in its [`Sides`].
//! 3. When all children of a term have been coded, so is the term ([`crate::codegen::loops`] counts them down).

use super::cost::LogEst;
use super::{Clause, ClauseId, Mask, Ops, TermFlags, TermId};
use crate::bound::{BinaryOp, Expr, FromItem, In, JoinKind, UnaryOp};
use crate::schema::CollationName;
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::vtab::ConstraintOp;
use smallvec::SmallVec;
use std::ops::Deref;
use std::rc::Rc;

/// An expression that the statement's tree holds, or one that the planner made.
#[derive(Clone, Debug)]
pub enum ExprRef<'q> {
    /// Of the tree.
    Tree(&'q Expr),
    /// Made here.
    Made(Rc<Expr>),
}

impl<'q> ExprRef<'q> {
    /// An expression that the planner made.
    pub fn made(expr: Expr) -> ExprRef<'q> {
        ExprRef::Made(Rc::new(expr))
    }
}

impl Deref for ExprRef<'_> {
    type Target = Expr;
    #[inline]
    fn deref(&self) -> &Expr {
        match self {
            ExprRef::Tree(e) => e,
            ExprRef::Made(e) => e,
        }
    }
}

/// The join that a term was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum On {
    /// It was written in WHERE.
    #[default]
    Where,
    /// In the ON of an inner join that stands left of a RIGHT JOIN, whose right table has this cursor.
    Inner(i32),
    /// In the ON of the outer join whose right table has this cursor.
    Outer(i32),
}

impl On {
    /// Whether the term was written in ON of an outer join.
    pub fn is_outer(self) -> bool {
        matches!(self, On::Outer(_))
    }

    /// The cursor of the join's right table.
    pub fn cursor(self) -> Option<i32> {
        match self {
            On::Where => None,
            On::Inner(c) | On::Outer(c) => Some(c),
        }
    }
}

/// A comparison as an index sees it: the indexed side is left.
#[derive(Clone, Debug)]
pub struct Sides<'q> {
    /// One operator.
    pub op: Ops,
    /// The indexed side.
    pub left: ExprRef<'q>,
    /// What it is compared with; none for IN and IS NULL.
    pub right: Option<ExprRef<'q>>,
    /// The collation comes from the right side first, because the sides have been exchanged.
    pub commuted: bool,
    /// By which the sides are compared.
    pub collation: CollationName,
    /// With which the sides are compared.
    pub affinity: Affinity,
    /// For a range of row values: the collation of each field.
    pub field_collations: Option<Rc<[CollationName]>>,
}

impl<'q> Sides<'q> {
    /// A comparison of which collation and affinity are not known yet.
    pub fn new(
        op: Ops,
        left: ExprRef<'q>,
        right: Option<ExprRef<'q>>,
        commuted: bool,
    ) -> Sides<'q> {
        Sides {
            op,
            left,
            right,
            commuted,
            collation: CollationName::Binary,
            affinity: Affinity::None,
            field_collations: None,
        }
    }
}

/// See the [module](super) for what a term is.
#[derive(Clone, Debug)]
pub struct Term<'q> {
    /// The expression to evaluate, or (virtual) the one it follows from.
    pub expr: ExprRef<'q>,
    /// What it compares, if it is a comparison.
    pub sides: Option<Sides<'q>>,
    /// Where it was written.
    pub on: On,
    /// The chance of being true as a logarithm, or 1 if nothing is known.
    pub truth: LogEst,
    /// See [`TermFlags`].
    pub flags: TermFlags,
    /// Its operator, and EQUIV.
    pub ops: Ops,
    /// Virtual terms that follow from it and have not been coded.
    pub children: u8,
    /// The term that it follows from.
    pub parent: Option<TermId>,
    /// The cursor of the column that it constrains, or -1.
    pub cursor: i32,
    /// The column, [`super::ROWID`] or [`super::EXPR`].
    pub column: i16,
    /// For a field of a row-value IN: which one, counted from 1.
    pub field: u16,
    /// With [`Ops::AUX`]: which operator.
    pub match_op: Option<ConstraintOp>,
    /// Disjuncts or conjuncts.
    pub inner: Option<ClauseId>,
    /// For an OR: sources for which every disjunct has an index, perhaps.
    pub indexable: Mask,
    /// Sources that the right side needs.
    pub prereq_right: Mask,
    /// Sources that the whole needs.
    pub prereq_all: Mask,
}

impl<'q> Term<'q> {
    /// A term that has not been analysed.
    pub fn new(expr: ExprRef<'q>, on: On, flags: TermFlags) -> Term<'q> {
        Term {
            expr,
            sides: None,
            on,
            truth: 1,
            flags,
            ops: Ops::empty(),
            children: 0,
            parent: None,
            cursor: -1,
            column: 0,
            field: 0,
            match_op: None,
            inner: None,
            indexable: 0,
            prereq_right: 0,
            prereq_all: 0,
        }
    }

    /// The IN that it is, or is a field of.
    pub fn in_expr(&self) -> Option<&In> {
        match &*self.expr {
            Expr::In(set) if self.ops.contains(Ops::IN) => Some(set),
            _ => None,
        }
    }

    /// Whether it is virtual.
    #[inline]
    pub fn is_virtual(&self) -> bool {
        self.flags.contains(TermFlags::VIRTUAL)
    }

    /// Whether it constrains this column of this cursor.
    #[inline]
    pub fn constrains(&self, cursor: i32, column: i16) -> bool {
        self.cursor == cursor && self.column == column
    }
}

/// The comparison that an expression is, if an index could serve it.
pub fn sides_of<'q>(expr: &ExprRef<'q>) -> Option<Sides<'q>> {
    fn child<'q>(made: bool, e: &Expr, tree: Option<&'q Expr>) -> ExprRef<'q> {
        match tree {
            Some(t) if !made => ExprRef::Tree(t),
            _ => ExprRef::made(e.clone()),
        }
    }
    let (made, tree) = match expr {
        ExprRef::Tree(t) => (false, Some(*t)),
        ExprRef::Made(_) => (true, None),
    };
    match &**expr {
        Expr::Binary {
            op,
            commuted,
            operands,
        } => {
            let op = operator(*op)?;
            let (left, right) = match tree {
                Some(Expr::Binary { operands, .. }) => (Some(&operands.0), Some(&operands.1)),
                _ => (None, None),
            };
            let (left, right) = (
                child(made, &operands.0, left),
                child(made, &operands.1, right),
            );
            Some(Sides::new(op, left, Some(right), *commuted))
        }
        Expr::Unary(UnaryOp::IsNull, inner) => {
            let left = match tree {
                Some(Expr::Unary(_, e)) => Some(&**e),
                _ => None,
            };
            Some(Sides::new(
                Ops::ISNULL,
                child(made, inner, left),
                None,
                false,
            ))
        }
        Expr::In(set) if !set.not => {
            let left = match tree {
                Some(Expr::In(s)) => Some(&s.left),
                _ => None,
            };
            Some(Sides::new(
                Ops::IN,
                child(made, &set.left, left),
                None,
                false,
            ))
        }
        _ => None,
    }
}

/// The operator of a comparison that an index can serve.
pub fn operator(op: BinaryOp) -> Option<Ops> {
    Some(match op {
        BinaryOp::Eq => Ops::EQ,
        BinaryOp::Lt => Ops::LT,
        BinaryOp::Le => Ops::LE,
        BinaryOp::Gt => Ops::GT,
        BinaryOp::Ge => Ops::GE,
        BinaryOp::Is => Ops::IS,
        _ => return None,
    })
}

/// The operator with the sides exchanged.
pub fn commute(op: Ops) -> Ops {
    match op {
        Ops::LT => Ops::GT,
        Ops::GT => Ops::LT,
        Ops::LE => Ops::GE,
        Ops::GE => Ops::LE,
        other => other,
    }
}

/// The comparison that an operator was made from.
pub fn binary_op(op: Ops) -> Option<BinaryOp> {
    Some(match op {
        Ops::EQ => BinaryOp::Eq,
        Ops::LT => BinaryOp::Lt,
        Ops::LE => BinaryOp::Le,
        Ops::GT => BinaryOp::Gt,
        Ops::GE => BinaryOp::Ge,
        Ops::IS => BinaryOp::Is,
        _ => return None,
    })
}

/// One item of the FROM clause, as the planner sees it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'q> {
    /// The item.
    pub item: &'q FromItem,
    /// How it is joined; a run of its own (OR disjunct, unmatched rows of a RIGHT JOIN) may say otherwise than the
    /// item does.
    pub join: JoinKind,
    /// How its rows come.
    pub rows: Rows,
    /// How many there are, perhaps.
    pub estimate: LogEst,
}

/// How the rows of a source come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// From a stored table.
    Table,
    /// From an ephemeral table that a subroutine fills when the loop begins.
    Materialized {
        /// The subroutine's return register.
        return_reg: i32,
        /// Where it begins.
        address: i32,
        /// It must be filled anew each time.
        correlated: bool,
    },
    /// From an ephemeral table that has been filled.
    Ephemeral,
    /// From a co-routine.
    Coroutine {
        /// The register that it yields through.
        yield_reg: i32,
        /// Where it begins.
        address: i32,
        /// The first of the registers that hold its row.
        result: i32,
    },
    /// The queue of a recursive query: one row at a time, no loop.
    Recursive,
}

impl<'q> Source<'q> {
    /// An item of FROM as it stands there.
    pub fn new(item: &'q FromItem, rows: Rows) -> Source<'q> {
        Source {
            item,
            join: item.join,
            rows,
            estimate: item.table.row_estimate,
        }
    }

    /// Its cursor.
    #[inline]
    pub fn cursor(&self) -> i32 {
        self.item.cursor
    }

    /// Whether its rows come from a subquery.
    pub fn is_subquery(&self) -> bool {
        self.rows != Rows::Table
    }

    /// Whether it takes part in an outer join, on either side of one that matters for its constraints.
    #[inline]
    pub fn in_outer_join(&self) -> bool {
        self.join.left || self.join.right || self.join.left_of_right
    }
}

/// Which cursors stand at which bit.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    cursors: SmallVec<[i32; 8]>,
}

impl Masks {
    /// Gives the next bit to a cursor.
    pub fn push(&mut self, cursor: i32) {
        self.cursors.push(cursor);
    }

    /// The bit of a cursor; none if it belongs to a query around this one.
    #[inline]
    pub fn of(&self, cursor: i32) -> Mask {
        match self.cursors.iter().position(|&c| c == cursor) {
            Some(i) => 1 << i,
            None => 0,
        }
    }
}

impl Clause {
    /// An empty clause.
    pub fn new(is_or: bool, outer: Option<ClauseId>) -> Clause {
        Clause {
            terms: SmallVec::new(),
            base_count: 0,
            is_or,
            has_or: false,
            outer,
        }
    }
}
