//! `a = 5 AND b > a` is `a = 5 AND b > 5`.
//!
//! Rules:
//! 1. What is said by a conjunct `column = constant` of WHERE or of an inner join's ON holds in all other conjuncts,
//!    subqueries included. Not in the ON of an outer join, and where there is a RIGHT JOIN in no ON.
//! 2. The comparison must be by BINARY, and the constant must have no affinity.
//! 3. A column without affinity (or BLOB) may be equal to what is another value elsewhere (`5` and `5.0` as texts are
//!    different): it is replaced only as an operand of a comparison.
//! 4. The column stays visible in [`Expr::Fixed`], so that an index may find it.
//! 5. Once more, until nothing changes: what was replaced may make new constants.
//!
//! Source: SQLite's `propagateConstants`, "WHERE-Clause Constant Propagation".

use crate::bound::walk::{Constness, NodeMut, Walk, conjuncts, is_constant, walk_mut};
use crate::bound::{BinaryOp, ColumnRef, Expr, Select};
use crate::compiler::Compiler;
use crate::schema::CollationName;
use ringwood_format::affinity::Affinity;
use smallvec::SmallVec;

/// A column and what it is equal to.
struct Known {
    column: ColumnRef,
    value: Expr,
    /// Where that is said; this node stays.
    said: *const Expr,
}

/// Replaces columns by constants in the conditions of a SELECT.
pub(super) fn propagate(c: &Compiler<'_>, select: &mut Select) {
    let right_join = select
        .from
        .items
        .first()
        .is_some_and(|item| item.join.left_of_right);
    let is_and = |expr: &Expr| {
        matches!(
            expr,
            Expr::Binary {
                op: BinaryOp::And,
                ..
            }
        )
    };
    if select.from.items.len() == 1 && !select.where_.as_ref().is_some_and(is_and) {
        let on = select.from.items[0].on.as_ref();
        if on.is_none() {
            return; // one conjunct says nothing about others
        }
    }
    loop {
        let known = constants(c, select, right_join);
        if known.is_empty() {
            return;
        }
        let by_blob = known.iter().any(|k| k.column.affinity <= Affinity::Blob);
        let ons = select.from.items.iter_mut().filter_map(|item| {
            let excluded = item.join.is_outer() || right_join;
            item.on.as_mut().filter(|_| !excluded)
        });
        let mut changed = false;
        for expr in select.where_.iter_mut().chain(ons) {
            walk_mut(expr, &mut |node| match node {
                NodeMut::Expr(expr) => visit(expr, &known, by_blob, &mut changed),
                NodeMut::Select(_) => Walk::Continue,
            });
        }
        if !changed {
            return;
        }
    }
}

/// The conjuncts that rule 1 speaks of, later ones first.
fn constants(c: &Compiler<'_>, select: &Select, right_join: bool) -> Vec<Known> {
    let mut terms: SmallVec<[&Expr; 8]> = SmallVec::new();
    if let Some(where_) = &select.where_ {
        conjuncts(where_, &mut terms);
    }
    for item in &select.from.items {
        if let (Some(on), false) = (&item.on, item.join.is_outer() || right_join) {
            conjuncts(on, &mut terms);
        }
    }
    let mut known: Vec<Known> = Vec::new();
    if terms.len() < 2 {
        return known;
    }
    for term in terms.into_iter().rev() {
        let Expr::Binary {
            op: BinaryOp::Eq,
            operands,
            ..
        } = term
        else {
            continue;
        };
        let (left, right) = (&operands.0, &operands.1);
        let binary = c
            .compare_collation_name(left, right)
            .is_none_or(|name| name.same(&CollationName::Binary));
        if !binary {
            continue;
        }
        for (column, value) in [(right, left), (left, right)] {
            let Expr::Column(found) = column else {
                continue;
            };
            if value.affinity() != Affinity::None
                || !is_constant(value, Constness::Statement)
                || known.iter().any(|k| same_column(&k.column, found))
            {
                continue;
            }
            known.push(Known {
                column: *found,
                value: value.clone(),
                said: std::ptr::from_ref(column),
            });
        }
    }
    known
}

fn same_column(a: &ColumnRef, b: &ColumnRef) -> bool {
    a.cursor == b.cursor && a.column == b.column
}

fn visit(expr: &mut Expr, known: &[Known], by_blob: bool, changed: &mut bool) -> Walk {
    if by_blob {
        if let Expr::Binary { op, operands, .. } = expr {
            if op.is_comparison() && *op != BinaryOp::IsNot {
                replace(&mut operands.0, known, false, changed);
                if operands.0.affinity() != Affinity::Text {
                    replace(&mut operands.1, known, false, changed);
                }
            }
        }
    }
    replace(expr, known, by_blob, changed)
}

/// Replaces the expression, if it is a column that is known. `careful`: not one without affinity (rule 3).
fn replace(expr: &mut Expr, known: &[Known], careful: bool, changed: &mut bool) -> Walk {
    let Expr::Column(column) = &*expr else {
        // The constants themselves are not to be replaced again.
        return match expr {
            Expr::Fixed { .. } => Walk::Prune,
            _ => Walk::Continue,
        };
    };
    let at = std::ptr::from_ref(&*expr);
    let found = known
        .iter()
        .find(|k| !std::ptr::eq(k.said, at) && same_column(&k.column, column));
    let Some(found) = found else {
        return Walk::Prune;
    };
    if careful && found.column.affinity <= Affinity::Blob {
        return Walk::Prune;
    }
    *expr = Expr::Fixed {
        column: *column,
        value: Box::new(found.value.clone()),
    };
    *changed = true;
    Walk::Prune
}
