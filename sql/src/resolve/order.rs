//! ORDER BY and GROUP BY: aliases, ordinals, expressions.
//!
//! Source: SQLite's `resolveOrderGroupBy`, `resolveCompoundOrderBy`.

use super::Resolver;
use super::expr::{is_false_conjunction, is_literal};
use crate::ast::{self, ExprKind, NullsOrder, Span};
use crate::bound::walk::{Likeness, aggregate_of, has_aggregate_of, likeness, same};
use crate::bound::{Expr, OrderTerm, ResultColumn, SortOrder};
use crate::compiler::{Result, SqlError};
use crate::schema::CollationName;

/// The direction of a term, and where NULLs go.
pub(super) fn sort_order(term: &ast::SortTerm) -> SortOrder {
    let desc = term.is_descending();
    let nulls_first = !desc;
    let big_null = match term.nulls {
        None => false,
        Some(NullsOrder::First) => !nulls_first,
        Some(NullsOrder::Last) => nulls_first,
    };
    SortOrder { desc, big_null }
}

/// Which clause, for messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Order,
    Group,
}

impl Clause {
    const fn word(self) -> &'static str {
        match self {
            Clause::Order => "ORDER",
            Clause::Group => "GROUP",
        }
    }
}

/// An expression without the COLLATE operators around it, and those from the outside in.
fn strip_collate(expr: &ast::Expr) -> (&ast::Expr, smallvec::SmallVec<[&ast::Name; 2]>) {
    let mut collations = smallvec::SmallVec::new();
    let mut inner = expr;
    while let ExprKind::Collate(collate) = &inner.kind {
        collations.push(&collate.collation);
        inner = &collate.expr;
    }
    (inner, collations)
}

/// The value of a constant integer, signs included.
fn ordinal(expr: &ast::Expr) -> Option<i64> {
    match &expr.kind {
        ExprKind::Literal(ast::Literal::Integer(i)) => i32::try_from(*i).ok().map(i64::from),
        ExprKind::Binary(ast::BinaryOp::And, operands) if is_false_conjunction(operands) => Some(0),
        ExprKind::IsNull(inner) if is_literal(inner) => Some(0),
        ExprKind::NotNull(inner) if is_literal(inner) => Some(1),
        ExprKind::Binary(op, operands)
            if matches!(operands[1].kind, ExprKind::Literal(ast::Literal::Null))
                && is_literal(&operands[0]) =>
        {
            match op {
                ast::BinaryOp::Is => Some(0),
                ast::BinaryOp::IsNot => Some(1),
                _ => None,
            }
        }
        ExprKind::Unary(ast::UnaryOp::Plus, inner) => ordinal(inner),
        ExprKind::Unary(ast::UnaryOp::Minus, inner) => ordinal(inner).map(|i| -i),
        _ => None,
    }
}

/// Where the digits of an ordinal stand.
fn number_span(expr: &ast::Expr) -> Span {
    match &expr.kind {
        ExprKind::Unary(_, inner) => number_span(inner),
        _ => expr.span,
    }
}

/// `1st`, `2nd`, `3rd`, `4th`…
fn nth(n: usize) -> String {
    let suffix = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    #[cold]
    fn out_of_range(&self, clause: Clause, term: usize, count: usize, span: Span) -> SqlError {
        let message = format!(
            "{} {} BY term out of range - should be between 1 and {count}",
            nth(term + 1),
            clause.word()
        );
        self.error_at(span, message)
    }

    /// The result column that a term names by alias or number.
    fn named_column(
        &self,
        expr: &ast::Expr,
        result: &[ResultColumn],
        clause: Clause,
        term: usize,
        is_compound: bool,
    ) -> Result<Option<usize>> {
        if let (ExprKind::Id(name), Clause::Order) = (&expr.kind, clause) {
            let found = result
                .iter()
                .position(|c| c.alias && c.name.eq_ignore_ascii_case(&name.text));
            if found.is_some() {
                return Ok(found);
            }
        }
        let Some(number) = ordinal(expr) else {
            return Ok(None);
        };
        match usize::try_from(number) {
            Ok(number) if (1..=result.len()).contains(&number) => Ok(Some(number - 1)),
            // Found out later, when all terms are resolved.
            Ok(number @ 1..=0xffff) if !is_compound => Ok(Some(number - 1)),
            _ => {
                let mut e = self.out_of_range(clause, term, result.len(), number_span(expr));
                let is_digits = matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Unary(..));
                if !is_digits {
                    e.offset = None;
                }
                Err(e)
            }
        }
    }

    /// One term of ORDER BY or GROUP BY of a simple SELECT, in its scope.
    fn order_term(
        &mut self,
        expr: &'a ast::Expr,
        clause: Clause,
        term: usize,
        late: &mut Option<SqlError>,
    ) -> Result<(Expr, Option<usize>)> {
        let (inner, collations) = strip_collate(expr);
        let named = {
            let scope = self.scopes.last().expect("a scope is in sight");
            self.named_column(inner, &scope.result, clause, term, false)?
        };
        if let Some(column) = named {
            let count = self.scope().result.len();
            if column >= count {
                if late.is_none() && !self.c.altering {
                    let mut e = self.out_of_range(clause, term, count, expr.span);
                    e.offset = None;
                    *late = Some(e);
                }
                return Ok((Expr::Null, None));
            }
            let mut bound = self.scope().result[column].expr.clone();
            let (owner, of_group) = (self.scope().select, clause == Clause::Group);
            if of_group && !collations.is_empty() && late.is_none() {
                // Stock SQLite does not see such an aggregate here, but when it codes it.
                *late = aggregate_of(&bound, owner).map(|call| self.c.misuse(call));
            }
            for name in collations.iter().rev() {
                bound = Expr::Collate {
                    expr: Box::new(bound),
                    collation: CollationName::new(&name.text),
                    implicit: false,
                };
            }
            return Ok((bound, Some(column)));
        }
        let bound = self.expr(expr)?;
        let result = &self.scope().result;
        // The last one that is the same, as stock SQLite's loop finds it.
        let column = result.iter().rposition(|column| same(&column.expr, &bound));
        Ok((bound, column))
    }

    /// ORDER BY of a simple SELECT.
    pub(super) fn order_by(&mut self, terms: &'a [ast::SortTerm]) -> Result<Vec<OrderTerm>> {
        if terms.len() > self.c.ctx.limits.columns {
            return Err(SqlError::error("too many terms in ORDER BY clause"));
        }
        let mut bound = Vec::with_capacity(terms.len());
        let mut late = None;
        for (i, term) in terms.iter().enumerate() {
            let (expr, result_column) = self.order_term(&term.expr, Clause::Order, i, &mut late)?;
            bound.push(OrderTerm {
                expr,
                order: sort_order(term),
                result_column,
            });
        }
        late.map_or(Ok(bound), Err)
    }

    /// GROUP BY.
    pub(super) fn group_by(&mut self, terms: &'a [ast::Expr]) -> Result<Vec<Expr>> {
        if terms.len() > self.c.ctx.limits.columns {
            return Err(SqlError::error("too many terms in GROUP BY clause"));
        }
        let mut bound = Vec::with_capacity(terms.len());
        let mut late = None;
        for (i, term) in terms.iter().enumerate() {
            bound.push(self.order_term(term, Clause::Group, i, &mut late)?.0);
        }
        if let Some(e) = late {
            return Err(e);
        }
        let owner = self.scope().select;
        if bound.iter().any(|expr| has_aggregate_of(expr, owner)) {
            return Err(SqlError::error(
                "aggregate functions are not allowed in the GROUP BY clause",
            ));
        }
        Ok(bound)
    }

    /// ORDER BY of a compound: each term must be a result column of one of its parts.
    pub(super) fn compound_order_by(
        &mut self,
        terms: &'a [ast::SortTerm],
        parts: &mut [super::select::Part],
    ) -> Result<Vec<OrderTerm>> {
        if terms.len() > self.c.ctx.limits.columns {
            return Err(SqlError::error("too many terms in ORDER BY clause"));
        }
        let mut columns: Vec<Option<usize>> = vec![None; terms.len()];
        for part in parts.iter_mut() {
            for (i, term) in terms.iter().enumerate() {
                if columns[i].is_some() {
                    continue;
                }
                let (inner, _) = strip_collate(&term.expr);
                columns[i] =
                    match self.named_column(inner, &part.scope.result, Clause::Order, i, true)? {
                        Some(column) => Some(column),
                        None => self.matching_column(inner, part),
                    };
            }
        }
        let mut bound = Vec::with_capacity(terms.len());
        for (i, term) in terms.iter().enumerate() {
            let Some(column) = columns[i] else {
                let message = format!(
                    "{} ORDER BY term does not match any column in the result set",
                    nth(i + 1)
                );
                return Err(SqlError::error(message));
            };
            let mut expr = Expr::Integer(column as i64 + 1);
            for name in strip_collate(&term.expr).1.iter().rev() {
                expr = Expr::Collate {
                    expr: Box::new(expr),
                    collation: CollationName::new(&name.text),
                    implicit: false,
                };
            }
            bound.push(OrderTerm {
                expr,
                order: sort_order(term),
                result_column: Some(column),
            });
        }
        Ok(bound)
    }

    /// The result column of a part that an expression is the same as.
    fn matching_column(
        &mut self,
        expr: &'a ast::Expr,
        part: &mut super::select::Part,
    ) -> Option<usize> {
        let mut scope = std::mem::take(&mut part.scope);
        scope.allow_aggregates = true;
        scope.allow_windows = false;
        scope.use_result = true;
        // The parts see nothing but themselves here.
        let outer = std::mem::take(&mut self.scopes);
        let before = self.outermost_use;
        self.scopes.push(scope);
        let bound = self.expr(expr);
        part.scope = self.pop_scope();
        self.scopes = outer;
        self.outermost_use = before;
        let bound = bound.ok()?;
        part.scope
            .result
            .iter()
            .position(|column| likeness(&column.expr, &bound) < Likeness::Different)
    }
}
