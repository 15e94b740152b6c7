//! Terms of WHERE go down into a subquery of FROM that alone decides them; columns that nobody reads become NULL.
//!
//! ```text
//!   SELECT * FROM (SELECT a, count(*) AS n FROM t GROUP BY a) WHERE a=5
//!   SELECT * FROM (SELECT a, count(*) AS n FROM t GROUP BY a HAVING a=5) WHERE a=5
//! ```
//!
//! The term stays where it was: it costs little there, and the subquery may be read otherwise.
//!
//! Source: SQLite's `pushDownWhereTerms`, `sqlite3ExprIsSingleTableConstraint`, `disableUnusedSubqueryResultColumns`.

use super::substitute::Substitution;
use crate::bound::walk::{Node, Walk, conjuncts, renew_subqueries, walk};
use crate::bound::{CompoundOp, Expr, FromSource, InSet, Select};
use crate::compiler::{Compiler, Result};
use crate::resolve::parts_of;
use smallvec::SmallVec;

/// Copies what the i-th item alone decides into its subquery.
pub(super) fn push_down(c: &mut Compiler<'_>, select: &mut Select, i: usize) -> Result<()> {
    let item = &select.from.items[i];
    let FromSource::Select(inner) = &item.source else {
        return Ok(());
    };
    if item.join.left_of_right || item.join.right || inner.limit.is_some() || !may_receive(c, inner)
    {
        return Ok(());
    }
    let in_right_join = select.from.items[0].join.left_of_right;
    let cursor = item.cursor;
    let mut terms: SmallVec<[&Expr; 8]> = SmallVec::new();
    if item.join.left {
        if let Some(on) = &item.on {
            conjuncts(on, &mut terms);
        }
    } else {
        if let Some(where_) = &select.where_ {
            conjuncts(where_, &mut terms);
        }
        for (j, other) in select.from.items.iter().enumerate() {
            let before_right_join = in_right_join && j < i && other.join.left_of_right;
            if let (Some(on), false, false) = (&other.on, other.join.is_outer(), before_right_join)
            {
                conjuncts(on, &mut terms);
            }
        }
    }
    let mut terms: Vec<Expr> = terms
        .into_iter()
        .filter(|term| concerns_only(term, cursor))
        .cloned()
        .collect();
    let partition = super::window::main_window(inner).map(|window| window.partition_by.clone());
    if let Some(partition) = &partition {
        // Only whole partitions may be left out.
        let substitution =
            Substitution::new(c, cursor, cursor, false, &inner.result, &inner.result);
        terms.retain(|term| {
            let mut inside = term.clone();
            substitution.expr(c, &mut inside);
            super::depends_on_groups_only(c, &inside, partition)
        });
    }
    if terms.is_empty() {
        return Ok(());
    }
    let FromSource::Select(inner) = &mut select.from.items[i].source else {
        return Ok(());
    };
    inner.flags.pushed_down = true;
    let first = parts_of(inner)[0].result.clone();
    let mut part = Some(&mut **inner);
    while let Some(this) = part {
        let substitution = Substitution::new(c, cursor, cursor, false, &this.result, &first);
        // Rows of VALUES are all taken: the term outside decides them.
        let takes = this.rows.is_empty();
        for term in terms.iter().filter(|_| takes) {
            let mut term = term.clone();
            renew_subqueries(&mut term, &mut || c.next_subquery());
            substitution.expr(c, &mut term);
            let clause = if this.flags.aggregate {
                &mut this.having
            } else {
                &mut this.where_
            };
            *clause = Expr::and(clause.take(), Some(term));
        }
        part = this.prior.as_mut().map(|(_, prior)| &mut **prior);
    }
    Ok(())
}

/// Whether terms may go into the subquery at all: not into several rows of VALUES alone, and into compounds that compare
/// rows only if all columns compare by bytes.
fn may_receive(c: &Compiler<'_>, inner: &Select) -> bool {
    let parts = parts_of(inner);
    if parts.iter().all(|part| !part.rows.is_empty()) {
        return false;
    }
    if inner.flags.recursive || inner.flags.multi_part {
        return false;
    }
    let windows = |part: &&Select| part.flags.window;
    if inner.prior.is_some() && parts.iter().any(windows)
        || super::window::main_window(inner).is_some_and(|window| window.partition_by.is_empty())
    {
        return false;
    }
    let compares = parts.iter().any(|part| {
        part.prior
            .as_ref()
            .is_some_and(|(op, _)| *op != CompoundOp::UnionAll)
    });
    let binary = |part: &&Select| {
        part.result.iter().all(|column| {
            c.collation_name(&column.expr)
                .is_none_or(|name| name.as_str() == "BINARY")
        })
    };
    !compares || parts.iter().all(binary)
}

/// Whether a term depends on one cursor and on nothing else that changes from row to row.
fn concerns_only(term: &Expr, cursor: i32) -> bool {
    walk(term, &mut |node| match node {
        Node::Select(select) => {
            if select.flags.correlated {
                Walk::Stop
            } else {
                Walk::Prune
            }
        }
        Node::Expr(expr) => match expr {
            Expr::Column(column) if column.cursor == cursor => Walk::Continue,
            Expr::Column(_)
            | Expr::AggregateColumn { .. }
            | Expr::AggregateValue { .. }
            | Expr::Register { .. }
            | Expr::TriggerColumn { .. }
            | Expr::IfNullRow { .. }
            | Expr::Raise { .. } => Walk::Stop,
            Expr::Exists(subquery) | Expr::Subquery(subquery) if subquery.correlated => Walk::Stop,
            Expr::In(in_)
                if matches!(
                    in_.set,
                    InSet::Select {
                        correlated: true,
                        ..
                    }
                ) =>
            {
                Walk::Stop
            }
            Expr::Function(call) => {
                use ringwood_vdbe::FunctionFlags;
                let stable = FunctionFlags::DETERMINISTIC | FunctionFlags::SLOW_CHANGING;
                if call.aggregate.is_none() && call.def.flags.intersects(stable) {
                    Walk::Continue
                } else {
                    Walk::Stop
                }
            }
            _ => Walk::Continue,
        },
    })
}

/// Makes result columns of the i-th item's subquery that nobody reads NULL.
pub(super) fn drop_unused_columns(select: &mut Select, i: usize) {
    let item = &mut select.from.items[i];
    if item.correlated || item.cte.is_some() {
        return;
    }
    let mut used = item.columns_used;
    let FromSource::Select(inner) = &mut item.source else {
        return;
    };
    for part in parts_of(inner) {
        let compares = part
            .prior
            .as_ref()
            .is_some_and(|(op, _)| *op != CompoundOp::UnionAll);
        if part.flags.distinct
            || part.flags.window
            || part.flags.aggregate
            || compares
            || !part.rows.is_empty()
        {
            return;
        }
    }
    for term in &inner.order_by {
        if let Some(column) = term.result_column {
            used |= 1 << column.min(63);
        }
    }
    let mut changed = false;
    let mut part = Some(&mut **inner);
    while let Some(this) = part {
        for (number, column) in this.result.iter_mut().enumerate() {
            if used & (1 << number.min(63)) == 0 {
                changed |= !matches!(column.expr, Expr::Null);
                column.expr = Expr::Null;
            }
        }
        part = this.prior.as_mut().map(|(_, prior)| &mut **prior);
    }
    inner.flags.pushed_down |= changed;
}
