//! Putting what a subquery's columns compute in the place of the columns.
//!
//! Rules:
//! 1. Right of a LEFT JOIN a value must become NULL with the row: [`Expr::IfNullRow`] goes around everything but plain
//!    columns of the new table.
//! 2. A column of a subquery has a collation, which is not an explicit one: an implicit COLLATE keeps it.
//! 3. Each copy of a subquery in an expression gets an id of its own.
//!
//! Source: SQLite's `substExpr`, `substSelect`.

use crate::bound::walk::{
    NodeMut, Walk, has_subquery, renew_subqueries, walk_mut, walk_select_mut,
};
use crate::bound::{Expr, ResultColumn, Select};
use crate::compiler::Compiler;
use crate::schema::CollationName;

/// What is put in the place of what.
pub(super) struct Substitution {
    /// The cursor of the subquery.
    pub from: i32,
    /// The cursor of the table that takes its place.
    pub to: i32,
    /// What each column computes.
    exprs: Vec<Expr>,
}

impl Substitution {
    /// For the result of a subquery; `first` is the result of its first part, whose collations count.
    pub(super) fn new(
        c: &Compiler<'_>,
        from: i32,
        to: i32,
        outer: bool,
        result: &[ResultColumn],
        first: &[ResultColumn],
    ) -> Substitution {
        let exprs = result
            .iter()
            .zip(first)
            .map(|(column, first)| replacement(c, &column.expr, &first.expr, to, outer))
            .collect();
        Substitution { from, to, exprs }
    }

    /// In an expression and the subqueries in it.
    pub(super) fn expr(&self, c: &mut Compiler<'_>, expr: &mut Expr) {
        walk_mut(expr, &mut |node| self.visit(c, node));
    }

    /// In a SELECT and everything in it; the parts before it only if `prior`.
    pub(super) fn select(&self, c: &mut Compiler<'_>, select: &mut Select, prior: bool) {
        if prior {
            walk_select_mut(select, &mut |node| self.visit(c, node));
            return;
        }
        let before = select.prior.take();
        walk_select_mut(select, &mut |node| self.visit(c, node));
        select.prior = before;
    }

    fn visit(&self, c: &mut Compiler<'_>, node: NodeMut<'_>) -> Walk {
        let NodeMut::Expr(expr) = node else {
            return Walk::Continue;
        };
        match expr {
            Expr::Column(column) if column.cursor == self.from && column.column >= 0 => {
                *expr = self.exprs[column.column as usize].clone();
                if has_subquery(expr) {
                    renew_subqueries(expr, &mut || c.next_subquery());
                }
                Walk::Prune
            }
            Expr::IfNullRow { cursor, .. } if *cursor == self.from => {
                *cursor = self.to;
                Walk::Continue
            }
            _ => Walk::Continue,
        }
    }
}

fn replacement(c: &Compiler<'_>, expr: &Expr, first: &Expr, to: i32, outer: bool) -> Expr {
    let natural = c.collation_name(expr);
    let wanted = c.collation_name(first);
    let mut new = expr.clone();
    if outer {
        match &mut new {
            Expr::Column(column) if column.cursor == to => column.can_be_null = true,
            _ => {
                new = Expr::IfNullRow {
                    cursor: to,
                    expr: Box::new(new),
                }
            }
        }
    }
    if let Expr::Bool(value) = new {
        new = Expr::Integer(i64::from(value));
    }
    let same = match (&natural, &wanted) {
        (Some(a), Some(b)) => a.same(b),
        (None, None) => true,
        _ => false,
    };
    let is_literal = matches!(
        new,
        Expr::Integer(_) | Expr::Real(_) | Expr::Null | Expr::Blob(_)
    );
    let plain = matches!(new, Expr::Column(_) | Expr::Collate { .. }) || is_literal;
    if !same || !plain {
        let collation = wanted.unwrap_or(CollationName::Binary);
        new = Expr::Collate {
            expr: Box::new(new),
            collation,
            implicit: true,
        };
    } else if let Expr::Collate { implicit, .. } = &mut new {
        *implicit = true; // an explicit one is not explicit outside
    }
    new
}
