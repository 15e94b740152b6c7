//! The fields of a row-value IN that an index uses.
//!
//! ```text
//!   index on (e, c)      WHERE (a, c, e) IN (SELECT x, y, z FROM u)
//!   the key's values     (e, c) IN (SELECT z, y FROM u)            and each row found is tested by the whole IN
//! ```
//!
//! Rules:
//! 1. The set that is looped over is one of its own, of the used fields in the index's order: no value comes twice.
//! 2. Its SELECT is a twin of the written one: what that has been compiled to is not shared.
//! 3. A SELECT of which fewer columns could be other rows (LIMIT), or that is a common table expression's, must be used
//!    with all of its fields.
//!
//! Source: SQLite's `removeUnindexableInClauseTerms`.

use crate::bound::walk::{Node, Walk, walk_select};
use crate::bound::{Expr, In, InSet, Select};
use crate::compiler::Compiler;

/// Whether the SELECT gives the same rows with some of its columns left out (rule 3).
pub fn may_be_reduced(select: &Select) -> bool {
    let plain = |select: &Select| {
        select.limit.is_none()
            && select.offset.is_none()
            && select.window.is_none()
            && !select.flags.window
            && !select.flags.recursive
            && select.from.items.iter().all(|item| item.cte.is_none())
    };
    walk_select(select, &mut |node| match node {
        Node::Select(inner) if !plain(inner) => Walk::Stop,
        _ => Walk::Continue,
    }) && plain(select)
        && select.prior.is_none()
}

/// The IN over some of its fields, in that order; none if the right side is no SELECT of several columns.
pub(super) fn over_fields(c: &mut Compiler<'_>, set: &In, fields: &[usize]) -> Option<In> {
    let InSet::Select { select, correlated } = &set.set else {
        return None;
    };
    let in_order = fields.iter().enumerate().all(|(i, &field)| i == field);
    let complete = in_order && fields.len() == select.result.len();
    if select.result.len() < 2 || !complete && !may_be_reduced(select) {
        return None;
    }
    let mut select = crate::rewrite::twin(c, select);
    select.result = fields.iter().map(|&f| select.result[f].clone()).collect();
    for row in &mut select.rows {
        *row = fields.iter().map(|&f| row[f].clone()).collect();
    }
    if select.limit.is_none() {
        select.order_by.clear();
    }
    c.select_numbers += 1;
    select.number = c.select_numbers;
    c.select_numbers += select.rows.len() as u32;
    let mut left: Vec<Expr> = fields
        .iter()
        .map(|&f| set.left.vector_field(f).clone())
        .collect();
    let left = match (left.pop(), left.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            left.extend(last);
            Expr::Vector(left)
        }
    };
    Some(In {
        left,
        set: InSet::Select {
            select,
            correlated: *correlated,
        },
        not: set.not,
        id: c.next_subquery(),
    })
}
