//! `SELECT count(*) FROM (SELECT … UNION ALL SELECT …)` adds the counts of the parts up, each by whatever way is
//! shortest.
//!
//! Source: SQLite's `countOfViewOptimization`.

use crate::bound::{BinaryOp, CompoundOp, Expr, FromClause, FromSource, Select, Subquery};
use crate::compiler::{Compiler, Result};
use ringwood_vdbe::FunctionFlags;

/// Rewrites the SELECT, if it is of that form; whether it was.
pub(super) fn rewrite(c: &mut Compiler<'_>, select: &mut Select) -> Result<bool> {
    if !is_count_of_union(select) {
        return Ok(false);
    }
    let FromSource::Select(inner) =
        std::mem::replace(&mut select.from.items[0].source, FromSource::Table)
    else {
        return Ok(false);
    };
    let count = select.result[0].expr.clone();
    let mut sum: Option<Expr> = None;
    let mut part = Some(inner);
    while let Some(mut this) = part {
        part = this.prior.take().map(|(_, prior)| prior);
        let mut counted = count.clone();
        if let Expr::Function(call) = &mut counted {
            if let Some(aggregate) = &mut call.aggregate {
                aggregate.owner = this.id;
            }
        }
        this.flags.aggregate = true;
        this.flags.compound = false;
        this.result.truncate(1);
        this.result[0].expr = counted;
        this.order_by.clear();
        this.limit = Some(Expr::Integer(1));
        let correlated = this.flags.correlated;
        super::rewrite(c, &mut this)?;
        c.has_subqueries = true;
        let value = Expr::Subquery(Box::new(Subquery {
            id: c.next_subquery(),
            select: this,
            correlated,
        }));
        sum = Some(match sum {
            None => value,
            Some(rest) => Expr::binary(BinaryOp::Add, value, rest),
        });
    }
    select.result[0].expr = sum.unwrap_or(Expr::Integer(0));
    select.from = FromClause::default();
    select.flags.aggregate = false;
    Ok(true)
}

fn is_count_of_union(select: &Select) -> bool {
    let ([item], [result]) = (select.from.items.as_slice(), select.result.as_slice()) else {
        return false;
    };
    if select.where_.is_some()
        || select.having.is_some()
        || !select.group_by.is_empty()
        || !select.order_by.is_empty()
        || select.limit.is_some()
        || select.flags.distinct
    {
        return false;
    }
    let Expr::Function(call) = &result.expr else {
        return false;
    };
    let is_count = call.def.flags.contains(FunctionFlags::COUNT) && call.args.is_empty();
    let plain = call.aggregate.as_ref().is_some_and(|aggregate| {
        aggregate.owner == select.id && !aggregate.distinct && aggregate.filter.is_none()
    });
    let FromSource::Select(inner) = &item.source else {
        return false;
    };
    if !is_count || !plain || inner.prior.is_none() || item.cte.is_some() {
        return false;
    }
    let mut part = Some(&**inner);
    while let Some(this) = part {
        let union_all = this
            .prior
            .as_ref()
            .is_none_or(|(op, _)| *op == CompoundOp::UnionAll);
        if !union_all
            || this.limit.is_some()
            || this.flags.aggregate
            || this.flags.distinct
            || this.where_.is_some()
            || !this.rows.is_empty()
        {
            return false;
        }
        part = this.prior.as_ref().map(|(_, prior)| &**prior);
    }
    true
}
