//! What is known of an expression's value before it is computed: affinity, collation, NULL, truth.
//!
//! Rules:
//! 1. Affinity: that of the column, of the CAST, of a subquery's first column; an expression has none.
//! 2. Collation: COLLATE wins, from the left; else the column's; `+x` and CAST pass a column's on.
//! 3. A comparison is made with numeric affinity if one side wants numbers; if both sides have an affinity and neither
//!    is numeric, with none; if only one side has one, with that.
//!
//! Source: SQLite's `sqlite3ExprAffinity`, `sqlite3ExprCollSeq`, `sqlite3CompareAffinity`, `sqlite3ExprCanBeNull`;
//! "Datatypes In SQLite", sections 3.2, 4.2, 7.

use crate::bound::walk::{Node, Walk, walk};
use crate::bound::{Expr, InSet};
use crate::compiler::{Compiler, Result};
use crate::schema::CollationName;
use ringwood_format::affinity::Affinity;
use ringwood_format::collation::Collation;

impl Expr {
    /// The affinity of the value (rule 1).
    pub fn affinity(&self) -> Affinity {
        let mut expr = self;
        loop {
            match expr {
                Expr::Column(column) | Expr::Fixed { column, .. } => return column.affinity,
                Expr::Register { affinity, .. }
                | Expr::TriggerColumn { affinity, .. }
                | Expr::Cast { affinity, .. } => return *affinity,
                Expr::Subquery(subquery) => match subquery.select.result.first() {
                    Some(column) => expr = &column.expr,
                    None => return Affinity::None,
                },
                Expr::Vector(items) => match items.first() {
                    Some(item) => expr = item,
                    None => return Affinity::None,
                },
                Expr::Function(call) if call.merged_column => expr = &call.args[0],
                Expr::Collate { expr: inner, .. }
                | Expr::IfNullRow { expr: inner, .. }
                | Expr::AggregateColumn { expr: inner, .. } => expr = inner,
                _ => return Affinity::None,
            }
        }
    }

    /// Whether a COLLATE operator is somewhere in the expression, outside subqueries (SQLite's EP_Collate).
    pub fn has_collate(&self) -> bool {
        match self {
            Expr::Collate {
                implicit: false, ..
            } => true,
            Expr::Register { collation, .. } => collation.is_some(),
            Expr::Null
            | Expr::Integer(_)
            | Expr::Real(_)
            | Expr::Text(_)
            | Expr::Blob(_)
            | Expr::Bool(_)
            | Expr::Param(_)
            | Expr::Column(_)
            | Expr::Fixed { .. }
            | Expr::AggregateColumn { .. }
            | Expr::AggregateValue { .. }
            | Expr::TriggerColumn { .. }
            | Expr::Subquery(_)
            | Expr::Exists(_) => false,
            _ => !walk(self, &mut |node| match node {
                Node::Expr(Expr::Collate {
                    implicit: false, ..
                }) => Walk::Stop,
                Node::Expr(Expr::Collate { .. }) => Walk::Prune,
                Node::Select(_) => Walk::Prune,
                Node::Expr(_) => Walk::Continue,
            }),
        }
    }

    /// The i-th element of a row value; of a scalar itself.
    pub fn vector_field(&self, i: usize) -> &Expr {
        match self {
            Expr::Vector(items) => &items[i],
            Expr::Subquery(subquery) if subquery.select.result.len() > 1 => {
                &subquery.select.result[i].expr
            }
            _ => self,
        }
    }

    /// The constant truth of a literal: integers, TRUE and FALSE (SQLite's EP_IsTrue and EP_IsFalse).
    pub fn known_truth(&self) -> Option<bool> {
        match self {
            Expr::Integer(i) => Some(*i != 0),
            Expr::Bool(b) => Some(*b),
            Expr::Binary { .. } => None,
            _ => None,
        }
    }

    /// The value as a small constant integer (SQLite's sqlite3ExprIsInteger).
    pub fn as_integer(&self) -> Option<i32> {
        match self {
            Expr::Integer(i) => i32::try_from(*i).ok(),
            Expr::Unary(crate::bound::UnaryOp::Plus, inner) => inner.as_integer(),
            Expr::Unary(crate::bound::UnaryOp::Negate, inner) => inner.as_integer()?.checked_neg(),
            _ => None,
        }
    }

    /// How the type that a value has may look: bit 0 numbers, bit 1 text, bit 2 blobs (SQLite's sqlite3ExprDataType).
    pub fn data_type(&self) -> u8 {
        match self {
            Expr::Null => 0,
            Expr::Text(_) => 2,
            Expr::Blob(_) => 4,
            Expr::Collate { expr, .. } | Expr::IfNullRow { expr, .. } => expr.data_type(),
            Expr::Unary(crate::bound::UnaryOp::Plus, expr) => expr.data_type(),
            Expr::Binary {
                op: crate::bound::BinaryOp::Concat,
                ..
            } => 6,
            Expr::Param(_)
            | Expr::Function(_)
            | Expr::AggregateValue { .. }
            | Expr::Likelihood { .. } => 7,
            Expr::Column(_)
            | Expr::Fixed { .. }
            | Expr::AggregateColumn { .. }
            | Expr::Subquery(_)
            | Expr::Cast { .. }
            | Expr::TriggerColumn { .. }
            | Expr::Register { .. }
            | Expr::Vector(_) => match self.affinity() {
                affinity if affinity.is_numeric() => 5,
                Affinity::Text => 6,
                _ => 7,
            },
            Expr::Case(case) => {
                let otherwise = case.otherwise.as_ref().map_or(0, Expr::data_type);
                case.whens
                    .iter()
                    .fold(otherwise, |types, (_, then)| types | then.data_type())
            }
            _ => 1,
        }
    }
}

/// The affinity with which two values are compared, given the affinity of the one and the other (rule 3).
pub fn compare_affinity(expr: &Expr, other: Affinity) -> Affinity {
    let affinity = expr.affinity();
    if affinity > Affinity::None && other > Affinity::None {
        if affinity.is_numeric() || other.is_numeric() {
            Affinity::Numeric
        } else {
            Affinity::Blob
        }
    } else if affinity <= Affinity::None {
        other
    } else {
        affinity
    }
}

/// Whether an index column of that affinity can serve the comparison of two values (SQLite's sqlite3IndexAffinityOk).
pub fn index_affinity_ok(left: &Expr, right: Option<&Expr>, index: Affinity) -> bool {
    let mut affinity = left.affinity();
    if let Some(right) = right {
        affinity = compare_affinity(right, affinity);
    }
    match affinity {
        affinity if affinity < Affinity::Text => true,
        Affinity::Text => index == Affinity::Text,
        _ => index.is_numeric(),
    }
}

impl Compiler<'_> {
    /// The collation that an expression asks for (rule 2); none: it does not care.
    pub fn collation_name(&self, expr: &Expr) -> Option<CollationName> {
        let mut expr = expr;
        loop {
            match expr {
                Expr::Column(column) | Expr::Fixed { column, .. } => {
                    if column.column < 0 {
                        return None;
                    }
                    let table = self.cursor_table(column.cursor)?;
                    return Some(table.collation_of(column.column).clone());
                }
                Expr::TriggerColumn { column, .. } => {
                    let table = &self.trigger.as_ref()?.table;
                    return (*column >= 0).then(|| table.collation_of(*column).clone());
                }
                Expr::AggregateColumn { expr: inner, .. } => expr = inner,
                Expr::Register { collation, .. } => return collation.clone(),
                Expr::Cast { expr: inner, .. }
                | Expr::Unary(crate::bound::UnaryOp::Plus, inner) => expr = inner,
                Expr::Vector(items) => expr = items.first()?,
                Expr::Function(call) if call.merged_column => expr = &call.args[0],
                Expr::Collate { collation, .. } => return Some(collation.clone()),
                _ if !expr.has_collate() => return None,
                Expr::Unary(_, inner)
                | Expr::Truth { expr: inner, .. }
                | Expr::Likelihood { expr: inner, .. }
                | Expr::IfNullRow { expr: inner, .. } => expr = inner,
                Expr::Binary { operands, .. } => {
                    expr = if operands.0.has_collate() {
                        &operands.0
                    } else {
                        &operands.1
                    };
                }
                Expr::Between(between) => {
                    expr = if between.value.has_collate() {
                        &between.value
                    } else if between.low.has_collate() {
                        &between.low
                    } else {
                        &between.high
                    };
                }
                Expr::In(in_) => match &in_.set {
                    _ if in_.left.has_collate() => expr = &in_.left,
                    InSet::List(list) => expr = list.iter().find(|item| item.has_collate())?,
                    InSet::Select { .. } => return None,
                },
                Expr::Case(case) => {
                    let parts = case
                        .operand
                        .iter()
                        .chain(case.whens.iter().flat_map(|(when, then)| [when, then]));
                    expr = parts
                        .chain(&case.otherwise)
                        .find(|part| part.has_collate())?;
                }
                Expr::Function(call) => expr = call.args.iter().find(|arg| arg.has_collate())?,
                _ => return None,
            }
        }
    }

    /// The collation of an expression, ready to compare with; `BINARY` if it does not care.
    pub fn expr_collation(&self, expr: &Expr) -> Result<Collation> {
        match self.collation_name(expr) {
            Some(name) => self.collation(&name),
            None => Ok(Collation::Binary),
        }
    }

    /// The collation by which two expressions are compared, by name (SQLite's sqlite3BinaryCompareCollSeq).
    pub fn compare_collation_name(&self, left: &Expr, right: &Expr) -> Option<CollationName> {
        if left.has_collate() {
            self.collation_name(left)
        } else if right.has_collate() {
            self.collation_name(right)
        } else {
            self.collation_name(left)
                .or_else(|| self.collation_name(right))
        }
    }

    /// The same, ready to compare with.
    pub fn compare_collation(&self, left: &Expr, right: &Expr) -> Result<Option<Collation>> {
        self.compare_collation_name(left, right)
            .map(|name| self.collation(&name))
            .transpose()
    }

    /// Whether the value may be NULL.
    pub fn can_be_null(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Integer(_) | Expr::Real(_) | Expr::Text(_) | Expr::Blob(_) | Expr::Bool(_) => {
                false
            }
            Expr::Unary(crate::bound::UnaryOp::Plus | crate::bound::UnaryOp::Negate, inner) => {
                self.can_be_null(inner)
            }
            Expr::Collate { expr: inner, .. } => self.can_be_null(inner),
            Expr::Column(column) | Expr::Fixed { column, .. } => {
                if column.can_be_null {
                    return true;
                }
                let Some(table) = self.cursor_table(column.cursor) else {
                    return true;
                };
                let Ok(number) = usize::try_from(column.column) else {
                    return false;
                };
                match table.columns.get(number) {
                    Some(definition) => {
                        definition.not_null.is_none() && table.rowid_alias != Some(number)
                    }
                    None => true,
                }
            }
            Expr::Exists(_) => false,
            _ => true,
        }
    }
}
