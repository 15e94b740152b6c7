//! EXISTS becomes a join whose loop is left after its first row.
//!
//! ```text
//!   SELECT * FROM t WHERE b=5 AND EXISTS (SELECT * FROM u WHERE u.x=t.a AND u.y>3)
//!   SELECT t.* FROM t, u /* until a row is found */ WHERE b=5 AND 1 AND u.x=t.a AND u.y>3
//! ```
//!
//! Rules:
//! 1. Only an EXISTS that is a conjunct of WHERE, over one table, without LIMIT, compound or aggregate. NOT EXISTS is
//!    none.
//! 2. The new item gets a cursor of its own: the same EXISTS may stand elsewhere, too.
//! 3. What the conditions of the subquery bring along may be an EXISTS again.
//!
//! Source: SQLite's `existsToJoin`.

use crate::bound::walk::{NodeMut, Walk, walk_mut};
use crate::bound::{BinaryOp, Expr, FromItem, FromSource, Select, Subquery};
use crate::compiler::Compiler;
use crate::plan::SOURCES_MAX;

/// Rewrites the conjuncts of WHERE that are EXISTS.
pub(super) fn to_join(c: &mut Compiler<'_>, select: &mut Select) {
    if select.offset.is_some() {
        return;
    }
    let Some(mut where_) = select.where_.take() else {
        return;
    };
    let mut moved = Vec::new();
    take(c, &mut where_, select.from.items.len(), &mut moved);
    select.where_ = Some(where_);
    let before = select.from.items.len();
    for (item, condition) in moved {
        select.from.items.push(item);
        select.where_ = Expr::and(select.where_.take(), condition);
    }
    // What the subquery would have returned nobody asks for.
    for i in before..select.from.items.len() {
        super::flatten::recompute_columns_used(select, i);
    }
}

/// Takes the EXISTS out of a condition; `count` is the number of items that FROM has.
fn take(
    c: &mut Compiler<'_>,
    expr: &mut Expr,
    count: usize,
    moved: &mut Vec<(FromItem, Option<Expr>)>,
) {
    match expr {
        Expr::Binary {
            op: BinaryOp::And,
            operands,
            ..
        } => {
            take(c, &mut operands.0, count, moved);
            take(c, &mut operands.1, count, moved);
        }
        Expr::Exists(subquery)
            if count + moved.len() < SOURCES_MAX && is_simple(&subquery.select) =>
        {
            let Expr::Exists(subquery) = std::mem::replace(expr, Expr::Integer(1)) else {
                return;
            };
            let (item, mut condition) = item_of(c, *subquery);
            let at = moved.len();
            moved.push((item, None));
            if let Some(condition) = &mut condition {
                take(c, condition, count, moved);
            }
            moved[at].1 = condition;
        }
        _ => {}
    }
}

/// Rule 1.
fn is_simple(select: &Select) -> bool {
    select.prior.is_none()
        && select.flags.limit_of_use
        && select.offset.is_none()
        && !select.flags.aggregate
        && select.rows.is_empty()
        && matches!(
            select.from.items.as_slice(),
            [FromItem {
                source: FromSource::Table,
                ..
            }]
        )
}

/// The item of an EXISTS under a new cursor, and its condition.
fn item_of(c: &mut Compiler<'_>, subquery: Subquery) -> (FromItem, Option<Expr>) {
    let mut select = subquery.select;
    let mut item = select.from.items.remove(0);
    let old = item.cursor;
    let new = c.alloc_cursor(Some(item.table.clone()));
    let mut condition = Expr::and(select.where_.take(), item.on.take());
    if let Some(condition) = &mut condition {
        walk_mut(condition, &mut |node| {
            match node {
                NodeMut::Expr(Expr::Column(column)) if column.cursor == old => column.cursor = new,
                NodeMut::Expr(Expr::IfNullRow { cursor, .. }) if *cursor == old => *cursor = new,
                _ => {}
            }
            Walk::Continue
        });
    }
    item.cursor = new;
    item.from_exists = true;
    (item, condition)
}
