//! Flattening: a subquery in FROM is dissolved in the query around it.
//!
//! ```text
//!   SELECT a+5 FROM (SELECT x*3 AS a FROM t1 WHERE z<100) WHERE a>5
//!   SELECT x*3+5 FROM t1 WHERE z<100 AND x*3>5
//!
//!   SELECT a FROM (SELECT x AS a FROM t1 UNION ALL SELECT y FROM t2) WHERE a>5 ORDER BY 1
//!   SELECT x FROM t1 WHERE x>5 UNION ALL SELECT y FROM t2 WHERE y>5 ORDER BY 1
//! ```
//!
//! When it is not done (the numbers are those of SQLite's list of restrictions):
//!
//! | number | the subquery … |
//! |---|---|
//! | – | is aggregate, or a MATERIALIZED common table expression |
//! | 3, 26 | is right of an outer join or left of a RIGHT JOIN, and is a join itself, or the query is DISTINCT, or it is a RIGHT JOIN's own |
//! | 4, 7 | is DISTINCT; has no FROM |
//! | 8, 9, 13, 14, 15, 19, 21 | has LIMIT, and the query is a join, aggregate, DISTINCT, a part of a compound, or has LIMIT or WHERE; has OFFSET |
//! | 11, 16 | has ORDER BY, and the query too, or is aggregate |
//! | 17, 18, 20 | is a compound, but not of UNION ALL over plain SELECTs with equal affinities; or the query is aggregate, DISTINCT, or has an ORDER BY by something that is no result column; or it has ORDER BY |
//! | 22, 23 | is recursive, or is a compound in a recursive query |
//! | 25 | has window functions, or the query has |
//! | 27 | has a RIGHT JOIN and is not the first item |
//!
//! Source: SQLite's `flattenSubquery`.

use super::substitute::Substitution;
use crate::bound::walk::{Node, NodeMut, Walk, renew_subqueries, walk_select, walk_select_mut};
use crate::bound::{CompoundOp, Expr, FromItem, FromSource, ResultColumn, Select};
use crate::compiler::{Compiler, Result};
use crate::resolve::parts_of;
use hashbrown::HashMap;

/// Dissolves the i-th item of FROM, if that is possible; whether it was.
pub(super) fn flatten(
    c: &mut Compiler<'_>,
    select: &mut Select,
    i: usize,
    is_compound: bool,
) -> Result<bool> {
    let item = &select.from.items[i];
    let FromSource::Select(inner) = &item.source else {
        return Ok(false);
    };
    if !is_allowed(select, item, inner, i, is_compound) {
        return Ok(false);
    }
    let outer = item.join.is_outer();
    let correlated = item.correlated;
    let FromSource::Select(inner) =
        std::mem::replace(&mut select.from.items[i].source, FromSource::Table)
    else {
        return Ok(false);
    };
    let mut inner = *inner;
    let first: Vec<ResultColumn> = parts_of(&inner)[0].result.clone();

    // One copy of the query for each part of the subquery, the last part in the query itself.
    let mut copies: Vec<(Select, Select)> = Vec::new();
    let mut prior = inner.prior.take();
    while let Some((_, part)) = prior {
        let mut part = *part;
        prior = part.prior.take();
        let mut copy = copy_of(c, select, i);
        copy.flags.compound = true;
        copies.push((copy, part));
    }
    let becomes_compound = !copies.is_empty();
    dissolve(c, select, i, inner, &first, outer, correlated);
    let mut chain: Option<Select> = None;
    for (mut copy, part) in copies.into_iter().rev() {
        dissolve(c, &mut copy, i, part, &first, outer, correlated);
        copy.prior = chain
            .take()
            .map(|before| (CompoundOp::UnionAll, Box::new(before)));
        chain = Some(copy);
    }
    if becomes_compound {
        select.flags.compound = true;
        select.prior = chain.map(|before| (CompoundOp::UnionAll, Box::new(before)));
        // ORDER BY of a compound is by the number of the column.
        for term in &mut select.order_by {
            if let Some(column) = term.result_column {
                let number = Expr::Integer(column as i64 + 1);
                term.expr = match std::mem::replace(&mut term.expr, Expr::Null) {
                    Expr::Collate {
                        collation,
                        implicit: false,
                        ..
                    } => Expr::Collate {
                        expr: Box::new(number),
                        collation,
                        implicit: false,
                    },
                    _ => number,
                };
            }
        }
    }
    Ok(true)
}

fn is_allowed(
    select: &Select,
    item: &FromItem,
    inner: &Select,
    i: usize,
    is_compound: bool,
) -> bool {
    let (outer_flags, flags) = (select.flags, inner.flags);
    if outer_flags.window || flags.window || flags.recursive {
        return false;
    }
    let is_join = select.from.items.len() > 1;
    if inner.limit.is_some() {
        let clash = select.limit.is_some()
            || inner.offset.is_some()
            || is_compound
            || outer_flags.compound
            || is_join
            || outer_flags.aggregate
            || select.where_.is_some()
            || outer_flags.distinct;
        if clash {
            return false;
        }
    }
    let Some(first) = inner.from.items.first() else {
        return false;
    };
    if flags.distinct || !inner.rows.is_empty() {
        return false;
    }
    // The ORDER BY of a part of a compound would be the whole compound's.
    let order_goes_up = !select.order_by.is_empty() || outer_flags.aggregate || is_compound;
    if !inner.order_by.is_empty() && order_goes_up {
        return false;
    }
    let outer = item.join.is_outer();
    if (outer || item.join.left_of_right)
        && (inner.from.items.len() > 1 || outer_flags.distinct || item.join.right)
    {
        return false;
    }
    if i > 0 && first.join.left_of_right {
        return false;
    }
    inner.prior.is_none() || is_allowed_compound(select, item, inner, i, is_compound)
}

/// Restrictions 17, 18, 20 and 23.
fn is_allowed_compound(
    select: &Select,
    item: &FromItem,
    inner: &Select,
    i: usize,
    is_compound: bool,
) -> bool {
    let flags = select.flags;
    let outer = item.join.is_outer() || item.join.left_of_right;
    if flags.recursive
        || is_compound
        || !inner.order_by.is_empty()
        || flags.aggregate
        || flags.distinct
        || outer
    {
        return false;
    }
    let parts = parts_of(inner);
    for part in &parts {
        let plain = !part.flags.distinct
            && !part.flags.window
            && !part.flags.aggregate
            && part.rows.is_empty()
            && part
                .prior
                .as_ref()
                .is_none_or(|(op, _)| *op == CompoundOp::UnionAll);
        let Some(first) = part.from.items.first() else {
            return false;
        };
        if !plain || i > 0 && first.join.left_of_right {
            return false;
        }
    }
    if select
        .order_by
        .iter()
        .any(|term| term.result_column.is_none())
    {
        return false;
    }
    (0..inner.result.len()).all(|column| {
        let affinity = inner.result[column].expr.affinity();
        parts
            .iter()
            .all(|part| part.result[column].expr.affinity() == affinity)
    })
}

/// A copy of the query without ORDER BY and LIMIT, whose items but the i-th have cursors of their own.
fn copy_of(c: &mut Compiler<'_>, select: &Select, i: usize) -> Select {
    let mut copy = Select {
        order_by: Vec::new(),
        limit: None,
        offset: None,
        prior: None,
        ..select.clone()
    };
    let mut map = HashMap::with_hasher(foldhash::fast::FixedState::default());
    renumber_items(c, &mut copy, Some(i), &mut map);
    if !map.is_empty() {
        walk_select_mut(&mut copy, &mut |node| {
            match node {
                NodeMut::Expr(Expr::Column(column)) => {
                    if let Some(&new) = map.get(&column.cursor) {
                        column.cursor = new;
                    }
                }
                NodeMut::Expr(Expr::IfNullRow { cursor, .. }) => {
                    if let Some(&new) = map.get(cursor) {
                        *cursor = new;
                    }
                }
                _ => {}
            }
            Walk::Continue
        });
    }
    for column in &mut copy.result {
        renew_subqueries(&mut column.expr, &mut || c.next_subquery());
    }
    if let Some(where_) = &mut copy.where_ {
        renew_subqueries(where_, &mut || c.next_subquery());
    }
    copy
}

/// A copy of a SELECT that can be compiled beside it: its cursors and the subqueries in it are others.
pub(crate) fn twin(c: &mut Compiler<'_>, select: &Select) -> Box<Select> {
    let mut copy = Box::new(select.clone());
    let mut map = HashMap::with_hasher(foldhash::fast::FixedState::default());
    renumber_items(c, &mut copy, None, &mut map);
    walk_select_mut(&mut copy, &mut |node| {
        match node {
            NodeMut::Expr(Expr::Column(column)) => {
                if let Some(&new) = map.get(&column.cursor) {
                    column.cursor = new;
                }
            }
            NodeMut::Expr(Expr::IfNullRow { cursor, .. }) => {
                if let Some(&new) = map.get(cursor) {
                    *cursor = new;
                }
            }
            NodeMut::Expr(Expr::Exists(inner) | Expr::Subquery(inner)) => {
                inner.id = c.next_subquery();
            }
            NodeMut::Expr(Expr::In(inner)) => inner.id = c.next_subquery(),
            _ => {}
        }
        Walk::Continue
    });
    copy
}

/// New cursors for the items of FROM, and for those of the subqueries in it.
fn renumber_items(
    c: &mut Compiler<'_>,
    select: &mut Select,
    except: Option<usize>,
    map: &mut HashMap<i32, i32, foldhash::fast::FixedState>,
) {
    for (j, item) in select.from.items.iter_mut().enumerate() {
        item.id = c.next_subquery();
        if except == Some(j) {
            continue;
        }
        let new = c.alloc_cursor(Some(item.table.clone()));
        map.insert(item.cursor, new);
        item.cursor = new;
        if let FromSource::Select(inner) = &mut item.source {
            let mut part = Some(&mut **inner);
            while let Some(this) = part {
                renumber_items(c, this, None, map);
                part = this.prior.as_mut().map(|(_, prior)| &mut **prior);
            }
        }
    }
}

/// Moves what a subquery is made of into the query, in the place of its i-th item.
fn dissolve(
    c: &mut Compiler<'_>,
    select: &mut Select,
    i: usize,
    inner: Select,
    first: &[ResultColumn],
    outer: bool,
    correlated: bool,
) {
    let slot = select.from.items.remove(i);
    // Its WHERE is about its own rows, before an outer join adds rows of NULLs.
    let in_on = outer || slot.join.left_of_right;
    let to = inner.from.items[0].cursor;
    let moved = inner.from.items.len();
    for (j, mut item) in inner.from.items.into_iter().enumerate() {
        item.join.left_of_right |= slot.join.left_of_right;
        if j == 0 {
            item.join.cross |= slot.join.cross;
            item.join.left |= slot.join.left;
            item.join.right |= slot.join.right;
            let where_ = if in_on { inner.where_.clone() } else { None };
            item.on = Expr::and(Expr::and(item.on.take(), where_), slot.on.clone());
        }
        select.from.items.insert(i + j, item);
    }
    if !inner.order_by.is_empty() {
        select.order_by = inner.order_by;
        for term in &mut select.order_by {
            term.result_column = None;
        }
    }
    if !in_on {
        select.where_ = Expr::and(inner.where_, select.where_.take());
    }
    let substitution = Substitution::new(c, slot.cursor, to, in_on, &inner.result, first);
    substitution.select(c, select, false);
    if inner.limit.is_some() {
        select.limit = inner.limit;
    }
    select.flags.correlated |= correlated;
    for j in i..i + moved {
        recompute_columns_used(select, j);
    }
}

/// Finds out anew which columns of an item are used.
pub(super) fn recompute_columns_used(select: &mut Select, i: usize) {
    let cursor = select.from.items[i].cursor;
    let table = select.from.items[i].table.clone();
    let mut used = 0u64;
    let prior = select.prior.take();
    walk_select(select, &mut |node| {
        if let Node::Expr(Expr::Column(column)) = node {
            if column.cursor == cursor && column.column >= 0 {
                let number = column.column as usize;
                let generated = table.has_generated && table.columns[number].generated.is_some();
                used |= if generated {
                    u64::MAX
                } else {
                    1 << number.min(63)
                };
            }
        }
        Walk::Continue
    });
    select.prior = prior;
    select.from.items[i].columns_used = used;
}
