//! Weaker joins that mean the same: a condition that no row of NULLs passes makes an outer join an inner one.
//!
//! ```text
//! a LEFT JOIN b ON … WHERE b.x = 5      b.x is not NULL in any result: a JOIN b ON … WHERE b.x = 5
//! a FULL JOIN b ON … WHERE b.x = 5      a RIGHT JOIN b …
//! a FULL JOIN b ON … WHERE a.x = 5      a LEFT JOIN b …
//! a RIGHT JOIN b ON … WHERE a.x = 5     a JOIN b …
//! ```
//!
//! A pass over the bound SELECT, before its loops are planned: inner joins may be nested in any order.
//!
//! Source: SQLite's "OUTER JOIN Strength Reduction" in `sqlite3Select`, `sqlite3ExprImpliesNonNullRow`.

use crate::bound::walk::{NodeMut, Walk, walk_mut};
use crate::bound::{BinaryOp, Expr, FromItem, InSet, Select, UnaryOp};

/// Weakens the outer joins of a SELECT, not of its subqueries; whether there was something to weaken.
pub fn weaken(select: &mut Select) -> bool {
    let outer = |item: &FromItem| item.join.left || item.join.left_of_right;
    if !select.from.items.iter().any(outer) {
        return false;
    }
    let mut changed = false;
    let count = select.from.items.len();
    for i in 0..count {
        let item = &select.from.items[i];
        let (cursor, join) = (item.cursor, item.join);
        if !(join.left || join.left_of_right)
            || !excludes_null_row(select, cursor, join.left_of_right)
        {
            continue;
        }
        changed = true;
        if join.left {
            select.from.items[i].join.left = false;
            if !join.right {
                never_null(select, cursor);
            }
        }
        if !join.left_of_right {
            continue;
        }
        for j in i + 1..count {
            let other = &mut select.from.items[j];
            if other.join.right {
                other.join.right = false;
            }
        }
        for item in select.from.items.iter_mut().rev() {
            item.join.left_of_right = false;
            if item.join.right {
                break;
            }
        }
    }
    changed
}

/// Whether no row of NULLs for `cursor` gets through WHERE and the ONs of inner joins. `right`: the cursor is left of a
/// RIGHT JOIN, and ONs say nothing.
fn excludes_null_row(select: &Select, cursor: i32, right: bool) -> bool {
    let ons = select
        .from
        .items
        .iter()
        .filter(|item| !item.join.is_outer() && !right);
    let ons = ons.filter_map(|item| item.on.as_ref());
    let Some(where_) = &select.where_ else {
        let mut ons = ons;
        return ons.next().is_some_and(|e| excludes(e, cursor))
            || ons.any(|e| rest_excludes(e, cursor));
    };
    excludes(where_, cursor) || ons.into_iter().any(|e| rest_excludes(e, cursor))
}

/// The same of one condition; `x IS NOT NULL` counts only at its very beginning, as in SQLite.
fn excludes(expr: &Expr, cursor: i32) -> bool {
    match expr.without_collate() {
        Expr::Unary(UnaryOp::NotNull, inner) => strict(inner, cursor),
        other => rest_excludes(other, cursor),
    }
}

fn rest_excludes(expr: &Expr, cursor: i32) -> bool {
    let mut expr = expr;
    while let Expr::Binary {
        op: BinaryOp::And,
        operands,
        ..
    } = expr
    {
        if excludes(&operands.0, cursor) {
            return true;
        }
        expr = &operands.1;
    }
    strict(expr, cursor)
}

/// Whether the value is NULL or false when all columns of `cursor` are NULL.
fn strict(expr: &Expr, cursor: i32) -> bool {
    match expr {
        Expr::Column(column) => column.cursor == cursor,
        Expr::Unary(UnaryOp::IsNull | UnaryOp::NotNull, _)
        | Expr::Truth { .. }
        | Expr::Vector(_)
        | Expr::Function(_)
        | Expr::Case(_)
        | Expr::Subquery(_)
        | Expr::Exists(_)
        | Expr::Raise { .. } => false,
        Expr::Binary { op, operands, .. } => match op {
            BinaryOp::Is | BinaryOp::IsNot => false,
            BinaryOp::And | BinaryOp::Or => {
                strict(&operands.0, cursor) && strict(&operands.1, cursor)
            }
            _ => strict(&operands.0, cursor) || strict(&operands.1, cursor),
        },
        Expr::In(set) => matches!(set.set, InSet::List(_)) && strict(&set.left, cursor),
        Expr::Between(b) => {
            strict(&b.value, cursor) || (strict(&b.low, cursor) && strict(&b.high, cursor))
        }
        Expr::Unary(_, inner)
        | Expr::Collate { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Likelihood { expr: inner, .. } => strict(inner, cursor),
        _ => false,
    }
}

/// In the conditions, a column of `cursor` that is declared NOT NULL is so.
fn never_null(select: &mut Select, cursor: i32) {
    let mut visit = |node: NodeMut<'_>| {
        if let NodeMut::Expr(Expr::Column(column)) = node {
            if column.cursor == cursor {
                column.can_be_null = false;
            }
        }
        Walk::Continue
    };
    for expr in select.where_.iter_mut().chain(
        select
            .from
            .items
            .iter_mut()
            .filter_map(|item| item.on.as_mut()),
    ) {
        walk_mut(expr, &mut visit);
    }
}
