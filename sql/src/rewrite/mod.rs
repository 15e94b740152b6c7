//! Rewriting bound SELECTs into ones that mean the same and run faster.
//!
//! | pass | module | from | to |
//! |---|---|---|---|
//! | windows | [`window`] | `SELECT …, sum(x) OVER (ORDER BY a) FROM t` | a pass over `SELECT … FROM t ORDER BY a` |
//! | weaken | [`crate::plan::outer_joins`] | outer joins whose NULL rows WHERE drops | inner joins |
//! | drop orders | [`mod@self`] | ORDER BY of a FROM subquery that nothing sees | none |
//! | flatten | [`flatten`] | `SELECT … FROM (SELECT … FROM t WHERE …) WHERE …` | one SELECT |
//! | exists | [`exists`] | `… WHERE EXISTS (SELECT … FROM u …)` | a join that ends with its first row |
//! | propagate | [`propagate`] | `a=5 AND b=a` | `a=5 AND b=5` |
//! | having | [`mod@self`] | terms of HAVING over GROUP BY terms alone | WHERE |
//! | count of view | [`count_of_view`] | `SELECT count(*) FROM (… UNION ALL …)` | a sum of counts |
//! | push down | [`push_down`] | WHERE terms over one FROM subquery | its own WHERE |
//! | unused columns | [`push_down`] | result columns of a FROM subquery that nobody reads | NULL |
//!
//! A SELECT is rewritten before the subqueries in its FROM clause, because these change with it; subqueries in
//! expressions come last.
//!
//! Source: SQLite's `sqlite3Select` (tag-select-0200 to 0480), "The SQLite Query Optimizer Overview".

mod count_of_view;
mod exists;
mod flatten;
mod propagate;
mod push_down;
mod substitute;
mod window;

pub(crate) use flatten::twin;

use crate::bound::walk::{
    Constness, Likeness, Node, NodeMut, Walk, has_function, has_subquery, is_constant, likeness,
    walk, walk_mut,
};
use crate::bound::{BinaryOp, Expr, FromSource, Select};
use crate::compiler::{Compiler, Optimizations, Result};
use crate::plan::outer_joins;
use ringwood_vdbe::FunctionFlags;

/// Rewrites a SELECT and everything in it.
pub fn rewrite(c: &mut Compiler<'_>, select: &mut Select) -> Result<()> {
    let mut part = Some(&mut *select);
    let mut is_compound = false;
    while let Some(this) = part {
        is_compound |= this.prior.is_some();
        this.flags.rewritten = true;
        rewrite_part(c, this, is_compound)?;
        is_compound |= this.prior.is_some();
        part = this.prior.as_mut().map(|(_, prior)| &mut **prior);
    }
    Ok(())
}

/// Rewrites the subqueries of an expression that stands alone: a WHERE of UPDATE, a DEFAULT.
pub fn rewrite_expr(c: &mut Compiler<'_>, expr: &mut Expr) -> Result<()> {
    if !c.has_subqueries || !has_subquery(expr) {
        return Ok(());
    }
    let mut result = Ok(());
    walk_mut(expr, &mut |node| match node {
        NodeMut::Expr(Expr::Exists(subquery)) => {
            drop_order(&mut subquery.select);
            Walk::Continue
        }
        NodeMut::Expr(_) => Walk::Continue,
        NodeMut::Select(select) => {
            result = rewrite(c, select);
            if result.is_err() {
                Walk::Stop
            } else {
                Walk::Prune
            }
        }
    });
    result
}

/// EXISTS does not care for order and duplicates.
fn drop_order(select: &mut Select) {
    select.order_by.clear();
    if select.prior.is_none() {
        select.flags.distinct = false;
    }
}

/// Rewrites one part of a compound, or a SELECT that is none.
fn rewrite_part(c: &mut Compiler<'_>, select: &mut Select, is_compound: bool) -> Result<()> {
    if select.flags.window && select.window.is_none() {
        window::rewrite(c, select)?;
    }
    let exists = |where_: &Option<Expr>| where_.as_ref().is_some_and(has_exists);
    if !select.from.items.is_empty() || exists(&select.where_) && !select.flags.values {
        rewrite_from(c, select, is_compound)?;
    }
    if c.has_subqueries {
        rewrite_part_exprs(c, select)?;
    }
    Ok(())
}

/// The expressions of one part, with their subqueries.
fn rewrite_part_exprs(c: &mut Compiler<'_>, select: &mut Select) -> Result<()> {
    let ons = select
        .from
        .items
        .iter_mut()
        .filter_map(|item| item.on.as_mut());
    let exprs = select
        .result
        .iter_mut()
        .map(|column| &mut column.expr)
        .chain(select.rows.iter_mut().flatten())
        .chain(&mut select.where_)
        .chain(&mut select.group_by)
        .chain(&mut select.having)
        .chain(select.order_by.iter_mut().map(|term| &mut term.expr))
        .chain(&mut select.limit)
        .chain(&mut select.offset)
        .chain(ons);
    for expr in exprs {
        rewrite_expr(c, expr)?;
    }
    Ok(())
}

/// The FROM clause of one part.
fn rewrite_from(c: &mut Compiler<'_>, select: &mut Select, is_compound: bool) -> Result<()> {
    if c.optimizes(Optimizations::SIMPLIFY_JOIN) {
        outer_joins::weaken(select);
    }
    let is_select = |item: &crate::bound::FromItem| matches!(item.source, FromSource::Select(_));
    if select.from.items.iter().any(is_select) {
        flatten_all(c, select, is_compound)?;
        if !is_compound && select.prior.is_some() {
            // It has become a compound, and the parts before it are rewritten after it.
            return rewrite_from(c, select, true);
        }
    }
    if !select.group_by.is_empty() && select.having.is_some() {
        having_to_where(c, select);
    }
    if select.where_.as_ref().is_some_and(has_exists) && c.optimizes(Optimizations::EXISTS_TO_JOIN)
    {
        exists::to_join(c, select);
    }
    if c.optimizes(Optimizations::PROPAGATE_CONSTANTS) {
        propagate::propagate(c, select);
    }
    if select.flags.aggregate
        && c.optimizes(Optimizations::COUNT_OF_VIEW)
        && count_of_view::rewrite(c, select)?
    {
        return Ok(());
    }
    for i in 0..select.from.items.len() {
        if !is_select(&select.from.items[i]) {
            continue;
        }
        if may_push_down(c, select, i) {
            push_down::push_down(c, select, i)?;
        }
        if c.optimizes(Optimizations::NULL_UNUSED_COLUMNS) {
            push_down::drop_unused_columns(select, i);
        }
        let FromSource::Select(inner) = &mut select.from.items[i].source else {
            continue;
        };
        crate::codegen::select::show_merge_order(inner);
        rewrite(c, inner)?;
    }
    Ok(())
}

/// Whether some conjunct is an EXISTS.
fn has_exists(expr: &Expr) -> bool {
    match expr {
        Expr::Binary {
            op: BinaryOp::And,
            operands,
            ..
        } => has_exists(&operands.0) || has_exists(&operands.1),
        Expr::Exists(_) => true,
        _ => false,
    }
}

/// Terms go into a common table expression only if nobody else reads it.
fn may_push_down(c: &mut Compiler<'_>, select: &Select, i: usize) -> bool {
    if !c.optimizes(Optimizations::PUSH_DOWN) {
        return false;
    }
    let Some(number) = select.from.items[i].cte else {
        return true;
    };
    let cte = c.cte(number);
    cte.materialized != crate::ast::Materialized::Yes && cte.uses < 2
}

/// Flattens what can be flattened, again and again: what a subquery leaves behind may be flattened too.
fn flatten_all(c: &mut Compiler<'_>, select: &mut Select, is_compound: bool) -> Result<()> {
    let mut i = 0;
    while i < select.from.items.len() {
        if select.prior.is_some() && !is_compound {
            return Ok(()); // it has become a compound
        }
        let many = select.from.items.len() > 1;
        let outer_order = !select.order_by.is_empty();
        let needs_order = needs_order(select);
        let required = select.flags.order_required;
        let complex = is_complex(select);
        let next_fixed = select
            .from
            .items
            .get(1)
            .is_none_or(|next| next.join.is_outer() || next.join.cross);
        let item = &mut select.from.items[i];
        let FromSource::Select(inner) = &mut item.source else {
            i += 1;
            continue;
        };
        let blocked = inner.flags.aggregate || inner.flags.materialize;
        if !blocked {
            let counts =
                needs_order || required || inner.flags.order_required || inner.flags.recursive;
            let unseen = (outer_order || many) && inner.limit.is_none() && !counts;
            let may_drop = c.optimizes(Optimizations::OMIT_ORDER_BY);
            if !inner.order_by.is_empty() && unseen && inner.rows.is_empty() && may_drop {
                inner.order_by.clear();
            }
            let keeps_coroutine = !inner.order_by.is_empty() && i == 0 && complex && next_fixed;
            let may_flatten = c.optimizes(Optimizations::QUERY_FLATTENER)
                && (inner.prior.is_none() || c.optimizes(Optimizations::FLATTEN_UNION_ALL));
            if !keeps_coroutine && may_flatten && flatten::flatten(c, select, i, is_compound)? {
                if c.optimizes(Optimizations::SIMPLIFY_JOIN) {
                    outer_joins::weaken(select);
                }
                i = 0;
                continue;
            }
        }
        i += 1;
    }
    Ok(())
}

/// Whether an aggregate of the SELECT depends on the order of its rows.
fn needs_order(select: &Select) -> bool {
    if !select.flags.aggregate {
        return false;
    }
    let ordered = |expr: &Expr| {
        !walk(expr, &mut |node| match node {
            Node::Expr(Expr::Function(call))
                if call.aggregate.is_some()
                    && !call.def.flags.contains(FunctionFlags::ANY_ORDER) =>
            {
                Walk::Stop
            }
            _ => Walk::Continue,
        })
    };
    select.result.iter().any(|column| ordered(&column.expr))
        || select.having.as_ref().is_some_and(ordered)
}

/// Whether the result columns call functions or run subqueries.
fn is_complex(select: &Select) -> bool {
    select
        .result
        .iter()
        .any(|column| has_function(&column.expr) || has_subquery(&column.expr))
}

/// Moves the terms of HAVING that only GROUP BY terms decide to WHERE.
fn having_to_where(c: &Compiler<'_>, select: &mut Select) {
    let Some(having) = select.having.take() else {
        return;
    };
    let mut kept = None;
    let mut moved = None;
    let mut terms = Vec::new();
    split_and(having, &mut terms);
    for term in terms {
        let is_false = matches!(term, Expr::Integer(0) | Expr::Bool(false));
        if !is_false && depends_on_groups_only(c, &term, &select.group_by) {
            moved = Expr::and(moved, Some(term));
        } else {
            kept = Expr::and(kept, Some(term));
        }
    }
    select.having = kept;
    select.where_ = Expr::and(select.where_.take(), moved);
}

/// The operands of a conjunction.
fn split_and(expr: Expr, terms: &mut Vec<Expr>) {
    match expr {
        Expr::Binary {
            op: BinaryOp::And,
            operands,
            ..
        } => {
            let (left, right) = *operands;
            split_and(left, terms);
            split_and(right, terms);
        }
        other => terms.push(other),
    }
}

/// Whether the value is the same for all rows of a group (SQLite's sqlite3ExprIsConstantOrGroupBy).
fn depends_on_groups_only(c: &Compiler<'_>, expr: &Expr, group_by: &[Expr]) -> bool {
    walk(expr, &mut |node| match node {
        Node::Select(_) => Walk::Stop,
        Node::Expr(expr) => {
            let is_group =
                |group: &Expr| likeness(group, expr) < Likeness::Different && is_binary(c, group);
            if group_by.iter().any(is_group) {
                return Walk::Prune;
            }
            match expr {
                Expr::Column(_) | Expr::AggregateColumn { .. } | Expr::AggregateValue { .. } => {
                    Walk::Stop
                }
                Expr::Function(call) if call.aggregate.is_some() || call.window.is_some() => {
                    Walk::Stop
                }
                Expr::Function(_) if !is_constant_call(expr) => Walk::Stop,
                _ => Walk::Continue,
            }
        }
    })
}

/// Terms over groups of another collation stay: equal values of a group may differ.
fn is_binary(c: &Compiler<'_>, group: &Expr) -> bool {
    let collation = c.collation_name(group);
    collation.is_none_or(|name| name.as_str().eq_ignore_ascii_case("BINARY"))
}

fn is_constant_call(expr: &Expr) -> bool {
    match expr {
        Expr::Function(call) => call
            .def
            .flags
            .intersects(FunctionFlags::DETERMINISTIC | FunctionFlags::SLOW_CHANGING),
        _ => is_constant(expr, Constness::Statement),
    }
}
