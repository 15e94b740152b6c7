//! Expressions.
//!
//! What SQLite's parser rewrites is rewritten here: `x IN (1)` is `x=+1`, `x IS NULL` is ISNULL, LIKE and `->` are
//! calls, a minus sign before a number is a part of it.
//!
//! Source: SQLite's `parse.y` (expr), `resolveExprStep`.

use super::Resolver;
use super::names::Wanted;
use super::select::NameMode;
use crate::ast::walk::calls_function;
use crate::ast::{self, ExprKind, Literal, Span};
use crate::bound::walk::{Constness, is_constant};
use crate::bound::{
    Between, BinaryOp, Case, CompoundOp, Expr, In, InSet, RaiseAction, Select, Subquery, UnaryOp,
};
use crate::compiler::{Result, SqlError};
use crate::schema::CollationName;
use ringwood_format::affinity::Affinity;

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// Resolves an expression in the innermost scope.
    pub fn expr(&mut self, expr: &'a ast::Expr) -> Result<Expr> {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal, expr.span),
            ExprKind::Id(name) => self.id(name),
            ExprKind::Column(column) => self.dotted(column, expr.span),
            ExprKind::Variable(variable) => {
                self.forbid("parameters", expr.span, false)?;
                Ok(Expr::Param(variable.number))
            }
            ExprKind::Unary(op, inner) => self.unary(*op, inner),
            ExprKind::Binary(op, operands) => self.binary(*op, operands, expr.span),
            ExprKind::IsNull(inner) => self.null_test(UnaryOp::IsNull, inner),
            ExprKind::NotNull(inner) => self.null_test(UnaryOp::NotNull, inner),
            ExprKind::Between { not, operands } => self.between(*not, operands),
            ExprKind::InList { not, operands } => self.in_list(*not, &operands.0, &operands.1),
            ExprKind::InSelect { not, operands } => {
                self.in_select(*not, &operands.0, &operands.1, expr.span)
            }
            ExprKind::InTable(in_table) => self.in_table(in_table, expr.span),
            ExprKind::Like(like) => self.like(like),
            ExprKind::Case(case) => self.case(case),
            ExprKind::Cast(cast) => {
                let inner = self.expr(&cast.expr)?;
                let affinity = if cast.type_name.is_empty() {
                    Affinity::Numeric
                } else {
                    Affinity::of_type(&cast.type_name)
                };
                Ok(Expr::Cast {
                    expr: Box::new(inner),
                    affinity,
                })
            }
            ExprKind::Collate(collate) => {
                let inner = self.expr(&collate.expr)?;
                let collation = CollationName::new(&collate.collation.text);
                Ok(Expr::Collate {
                    expr: Box::new(inner),
                    collation,
                    implicit: false,
                })
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Exists(select) => {
                let subquery = self.subquery(select, expr.span)?;
                Ok(Expr::Exists(Box::new(subquery)))
            }
            ExprKind::Subquery(select) => {
                let subquery = self.subquery(select, expr.span)?;
                Ok(Expr::Subquery(Box::new(subquery)))
            }
            ExprKind::Row(items) => Ok(Expr::Vector(self.exprs(items)?)),
            ExprKind::Raise(raise) => self.raise(raise),
        }
    }

    /// Resolves several expressions.
    pub fn exprs(&mut self, exprs: &'a [ast::Expr]) -> Result<Vec<Expr>> {
        let mut bound = Vec::with_capacity(exprs.len());
        for expr in exprs {
            bound.push(self.expr(expr)?);
        }
        Ok(bound)
    }

    /// What may not stand in a definition: `CHECK`s allow functions, nothing allows subqueries or parameters.
    fn forbid(&self, what: &str, span: Span, check_allows: bool) -> Result<()> {
        use super::Definition;
        match self.scopes.last().and_then(|scope| scope.definition) {
            None | Some(Definition::Trusted(_)) => Ok(()),
            Some(Definition::Check) if check_allows => Ok(()),
            Some(definition) => {
                Err(self.error_at(span, format!("{what} prohibited in {}", definition.place())))
            }
        }
    }

    fn literal(&mut self, literal: &Literal, span: Span) -> Result<Expr> {
        Ok(match literal {
            Literal::Null => Expr::Null,
            Literal::Integer(i) => Expr::Integer(*i),
            Literal::BigInteger(text) | Literal::Float(text) => Expr::Real(real(text)),
            Literal::BigHex(text) => {
                return Err(self.error_at(span, format!("hex literal too big: {text}")));
            }
            Literal::String(bytes) => Expr::Text(bytes[..].into()),
            Literal::Blob(bytes) => Expr::Blob(bytes[..].into()),
            Literal::Current(which) => return self.operator_call(which.name(), Vec::new(), span),
        })
    }

    fn dotted(&mut self, column: &'a ast::ColumnRef, span: Span) -> Result<Expr> {
        use super::Definition;
        let definition = self.scopes.last().and_then(|scope| scope.definition);
        // A name that is not there is the error that is reported, where there are two.
        let found = self.lookup(Wanted {
            db: column.schema.as_ref().map(|schema| &*schema.text),
            table: Some(&column.table.text),
            column: &column.column.text,
            quote: column.column.quote,
            span,
        })?;
        if let Some(definition @ (Definition::IndexExpr | Definition::Generated)) = definition {
            let message = format!("the \".\" operator prohibited in {}", definition.place());
            return Err(self.error_at(span, message));
        }
        Ok(found)
    }

    fn unary(&mut self, op: ast::UnaryOp, inner: &'a ast::Expr) -> Result<Expr> {
        let op = match op {
            ast::UnaryOp::Minus => return self.negate(inner),
            ast::UnaryOp::Not => UnaryOp::Not,
            ast::UnaryOp::BitNot => UnaryOp::BitNot,
            ast::UnaryOp::Plus => UnaryOp::Plus,
        };
        Ok(Expr::Unary(op, Box::new(self.expr(inner)?)))
    }

    fn negate(&mut self, inner: &'a ast::Expr) -> Result<Expr> {
        if let ExprKind::Literal(literal) = &inner.kind {
            match literal {
                // Only a hexadecimal literal can be this small.
                Literal::Integer(i64::MIN) => {
                    let text = String::from_utf8_lossy(self.slice(inner.span)).into_owned();
                    return Err(self.error_at(inner.span, format!("hex literal too big: -{text}")));
                }
                Literal::Integer(i) => return Ok(Expr::Integer(-i)),
                Literal::BigInteger(text) if &**text == "9223372036854775808" => {
                    return Ok(Expr::Integer(i64::MIN));
                }
                Literal::BigInteger(text) | Literal::Float(text) => {
                    return Ok(Expr::Real(-real(text)));
                }
                Literal::BigHex(text) => {
                    return Err(self.error_at(inner.span, format!("hex literal too big: -{text}")));
                }
                _ => {}
            }
        }
        Ok(Expr::Unary(UnaryOp::Negate, Box::new(self.expr(inner)?)))
    }

    fn binary(
        &mut self,
        op: ast::BinaryOp,
        operands: &'a [ast::Expr; 2],
        span: Span,
    ) -> Result<Expr> {
        let [left, right] = operands;
        let op = match op {
            ast::BinaryOp::Arrow | ast::BinaryOp::LongArrow => {
                let args = vec![self.expr(left)?, self.expr(right)?];
                return self.operator_call(op.symbol(), args, span);
            }
            ast::BinaryOp::Is | ast::BinaryOp::IsNot => {
                return self.is(op == ast::BinaryOp::IsNot, left, right);
            }
            ast::BinaryOp::Or => BinaryOp::Or,
            ast::BinaryOp::And => BinaryOp::And,
            ast::BinaryOp::Eq => BinaryOp::Eq,
            ast::BinaryOp::Ne => BinaryOp::Ne,
            ast::BinaryOp::Lt => BinaryOp::Lt,
            ast::BinaryOp::Le => BinaryOp::Le,
            ast::BinaryOp::Gt => BinaryOp::Gt,
            ast::BinaryOp::Ge => BinaryOp::Ge,
            ast::BinaryOp::BitAnd => BinaryOp::BitAnd,
            ast::BinaryOp::BitOr => BinaryOp::BitOr,
            ast::BinaryOp::ShiftLeft => BinaryOp::ShiftLeft,
            ast::BinaryOp::ShiftRight => BinaryOp::ShiftRight,
            ast::BinaryOp::Add => BinaryOp::Add,
            ast::BinaryOp::Subtract => BinaryOp::Subtract,
            ast::BinaryOp::Multiply => BinaryOp::Multiply,
            ast::BinaryOp::Divide => BinaryOp::Divide,
            ast::BinaryOp::Remainder => BinaryOp::Remainder,
            ast::BinaryOp::Concat => BinaryOp::Concat,
        };
        let place = left;
        if op == BinaryOp::And && is_false_conjunction(operands) {
            return Ok(Expr::Integer(0)); // nothing in it is looked up
        }
        if op.is_comparison() {
            self.check_written_vectors(left, right, place)?;
        }
        let left = match self.expr(left) {
            Ok(left) => left,
            // What is wrong within a call does not keep stock SQLite from looking at what stands beside it.
            Err(e) if is_call(left) => return Err(self.later_error([right], e)),
            Err(e) => return Err(e),
        };
        let right = self.expr(right)?;
        if op.is_comparison() {
            self.check_vectors(&left, &right, place)?;
        }
        Ok(Expr::binary(op, left, right))
    }

    /// The same before anything in it is looked up, as far as it can be seen.
    fn check_written_vectors(
        &self,
        left: &ast::Expr,
        right: &ast::Expr,
        place: &ast::Expr,
    ) -> Result<()> {
        match (written_width(left), written_width(right)) {
            (Some(a), Some(b)) if a != b => Err(self.row_value_misused(place)),
            _ => Ok(()),
        }
    }

    fn row_value_misused(&self, place: &ast::Expr) -> SqlError {
        match leftmost_token(place) {
            Some(span) => self.error_at(span, "row value misused"),
            None => SqlError::error("row value misused"),
        }
    }

    /// Both sides of a comparison must be equally wide. `place`: the left side.
    fn check_vectors(&self, left: &Expr, right: &Expr, place: &ast::Expr) -> Result<()> {
        if left.vector_size() == right.vector_size() {
            return Ok(());
        }
        Err(self.row_value_misused(place))
    }

    /// IS and IS NOT: a test for NULL or for a truth, or a comparison.
    fn is(&mut self, not: bool, left: &'a ast::Expr, right: &'a ast::Expr) -> Result<Expr> {
        if matches!(right.kind, ExprKind::Literal(Literal::Null)) {
            return self.null_test(
                if not {
                    UnaryOp::NotNull
                } else {
                    UnaryOp::IsNull
                },
                left,
            );
        }
        let is_name = matches!(right.kind, ExprKind::Id(_));
        let place = left;
        // A name is looked up first: it may be a truth.
        let name = if is_name {
            Some(self.expr(right)?)
        } else {
            None
        };
        if !matches!(name, Some(Expr::Bool(_))) {
            self.check_written_vectors(left, right, place)?;
        }
        let left = self.expr(left)?;
        let right = match name {
            Some(name) => name,
            None => self.expr(right)?,
        };
        if let (Expr::Bool(value), true) = (&right, is_name) {
            return Ok(Expr::Truth {
                expr: Box::new(left),
                not,
                value: *value,
            });
        }
        self.check_vectors(&left, &right, place)?;
        Ok(Expr::binary(
            if not { BinaryOp::IsNot } else { BinaryOp::Is },
            left,
            right,
        ))
    }

    /// A test for NULL; in WHERE known at once if the operand cannot be NULL.
    fn null_test(&mut self, op: UnaryOp, inner: &'a ast::Expr) -> Result<Expr> {
        if is_literal(inner) {
            return Ok(Expr::Integer(i64::from(op == UnaryOp::NotNull)));
        }
        let before = self.outermost_use;
        let inner = self.expr(inner)?;
        let in_where = self.scopes.iter().all(|scope| scope.in_where);
        if in_where && !self.c.can_be_null(&inner) {
            self.outermost_use = before;
            return Ok(Expr::Integer(i64::from(op == UnaryOp::NotNull)));
        }
        Ok(Expr::Unary(op, Box::new(inner)))
    }

    fn between(&mut self, not: bool, operands: &'a [ast::Expr; 3]) -> Result<Expr> {
        let [value, low, high] = operands;
        let place = value;
        self.check_written_vectors(value, low, place)?;
        self.check_written_vectors(value, high, place)?;
        let (value, low, high) = (self.expr(value)?, self.expr(low)?, self.expr(high)?);
        self.check_vectors(&value, &low, place)?;
        self.check_vectors(&value, &high, place)?;
        Ok(Expr::Between(Box::new(Between {
            value,
            low,
            high,
            not,
        })))
    }

    fn in_list(&mut self, not: bool, left: &'a ast::Expr, list: &'a [ast::Expr]) -> Result<Expr> {
        if list.is_empty() && !calls_function(left) {
            return Ok(Expr::Bool(not)); // whatever the left side is
        }
        if list.is_empty() {
            // The function may be an aggregate, which makes the query another one.
            let op = if not { BinaryOp::Or } else { BinaryOp::And };
            let bound = self.expr(left)?;
            if bound.is_vector() {
                return Ok(Expr::Bool(not));
            }
            return Ok(Expr::binary(op, Expr::Bool(not), bound));
        }
        if let (ExprKind::Row(fields), true) = (&left.kind, true) {
            return self.in_rows(not, left, fields.len(), list);
        }
        let left = self.expr(left)?;
        let mut list = self.exprs(list)?;
        if let [single] = list.as_slice() {
            if is_constant(single, Constness::Literal) && !single.is_vector() && !left.is_vector() {
                // The plus keeps the affinity and collation of the right side out of it.
                let right = Expr::Unary(UnaryOp::Plus, Box::new(list.swap_remove(0)));
                let equal = Expr::binary(BinaryOp::Eq, left, right);
                return Ok(if not {
                    Expr::Unary(UnaryOp::Not, Box::new(equal))
                } else {
                    equal
                });
            }
        }
        let id = self.c.next_subquery();
        Ok(Expr::In(Box::new(In {
            left,
            set: InSet::List(list),
            not,
            id,
        })))
    }

    /// `(a, b) IN ((1, 2), (3, 4))` is `(a, b) IN (VALUES (1, 2), (3, 4))`.
    fn in_rows(
        &mut self,
        not: bool,
        left: &'a ast::Expr,
        count: usize,
        list: &'a [ast::Expr],
    ) -> Result<Expr> {
        if let [
            ast::Expr {
                kind: ExprKind::Subquery(select),
                span,
            },
        ] = list
        {
            return self.in_select(not, left, select, *span);
        }
        for item in list {
            let have = match &item.kind {
                ExprKind::Row(fields) => fields.len(),
                _ => 1,
            };
            if have != count {
                let terms = if have == 1 { "term" } else { "terms" };
                return Err(SqlError::error(format!(
                    "IN(...) element has {have} {terms} - expected {count}"
                )));
            }
        }
        let left = self.expr(left)?;
        let outer = std::mem::replace(&mut self.outermost_use, usize::MAX);
        let mut rows = Vec::with_capacity(list.len());
        for item in list {
            let ExprKind::Row(fields) = &item.kind else {
                continue;
            };
            rows.push(self.exprs(fields)?);
        }
        let correlated = self.outermost_use != usize::MAX;
        self.outermost_use = self.outermost_use.min(outer);
        self.c.has_subqueries = true;
        let select = self.values_of_rows(rows);
        let id = self.c.next_subquery();
        let set = InSet::Select { select, correlated };
        Ok(Expr::In(Box::new(In { left, set, not, id })))
    }

    fn in_select(
        &mut self,
        not: bool,
        left: &'a ast::Expr,
        select: &'a ast::Select,
        span: Span,
    ) -> Result<Expr> {
        self.forbid("subqueries", span, false)?;
        self.c.has_subqueries = true;
        // As stock SQLite: the query is looked at first, which shows in errors.
        let (select, correlated) = self.inner_select(select)?;
        let left = self.expr(left)?;
        let id = self.c.next_subquery();
        let set = InSet::Select { select, correlated };
        Ok(Expr::In(Box::new(In { left, set, not, id })))
    }

    /// `x IN t` is `x IN (SELECT * FROM t)`.
    fn in_table(&mut self, in_table: &'a ast::InTable, span: Span) -> Result<Expr> {
        let left = self.expr(&in_table.expr)?;
        self.forbid("subqueries", span, false)?;
        self.c.has_subqueries = true;
        let select = self.select_all_of(&in_table.table, &in_table.args)?;
        let id = self.c.next_subquery();
        let set = InSet::Select {
            select,
            correlated: false,
        };
        Ok(Expr::In(Box::new(In {
            left,
            set,
            not: in_table.not,
            id,
        })))
    }

    fn like(&mut self, like: &'a ast::Like) -> Result<Expr> {
        let mut args = vec![self.expr(&like.pattern)?, self.expr(&like.expr)?];
        if let Some(escape) = &like.escape {
            args.push(self.expr(escape)?);
        }
        // As it is written, where the text is at hand: the expression of an index is from another one.
        let written = self.slice(like.op_span);
        let name = if written.eq_ignore_ascii_case(like.op.name().as_bytes()) {
            String::from_utf8_lossy(written).into_owned()
        } else {
            like.op.name().to_owned()
        };
        let call = self.operator_call(&name, args, like.op_span)?;
        Ok(if like.not {
            Expr::Unary(UnaryOp::Not, Box::new(call))
        } else {
            call
        })
    }

    fn case(&mut self, case: &'a ast::Case) -> Result<Expr> {
        let operand = case
            .operand
            .as_ref()
            .map(|operand| self.expr(operand))
            .transpose()?;
        let mut whens = Vec::with_capacity(case.arms.len());
        for (when, then) in &case.arms {
            whens.push((self.expr(when)?, self.expr(then)?));
        }
        let otherwise = case
            .otherwise
            .as_ref()
            .map(|otherwise| self.expr(otherwise))
            .transpose()?;
        Ok(Expr::Case(Box::new(Case {
            operand,
            whens,
            otherwise,
        })))
    }

    fn raise(&mut self, raise: &'a ast::Raise) -> Result<Expr> {
        let action = match raise.action {
            ast::RaiseAction::Ignore => RaiseAction::Ignore,
            ast::RaiseAction::Rollback => RaiseAction::Rollback,
            ast::RaiseAction::Abort => RaiseAction::Abort,
            ast::RaiseAction::Fail => RaiseAction::Fail,
        };
        let message = raise
            .message
            .as_ref()
            .map_or(Ok(Expr::Null), |message| self.expr(message))?;
        Ok(Expr::Raise {
            action,
            message: Box::new(message),
        })
    }

    /// A subquery within the innermost scope, and whether it is correlated (rule 3).
    fn inner_select(&mut self, select: &'a ast::Select) -> Result<(Box<Select>, bool)> {
        let outer = std::mem::replace(&mut self.outermost_use, usize::MAX);
        let in_on = std::mem::replace(&mut self.in_on, false);
        self.c.subquery_depth += 1;
        let bound = self
            .check_subquery_depth()
            .and_then(|()| self.select(select, NameMode::None));
        self.c.subquery_depth -= 1;
        self.in_on = in_on;
        let correlated = self.outermost_use != usize::MAX && self.outermost_use < self.scopes.len();
        self.outermost_use = self.outermost_use.min(outer);
        let mut bound = bound?;
        bound.flags.correlated |= correlated;
        Ok((bound, correlated))
    }

    /// Stock SQLite adds the heights of all expressions that a subquery stands in: each is one higher than the next.
    fn check_subquery_depth(&self) -> Result<()> {
        let max = self.c.ctx.limits.expr_depth;
        let depth = self.c.subquery_depth + 1;
        if depth * (depth + 1) / 2 > max {
            return Err(SqlError::error(format!(
                "Expression tree is too large (maximum depth {max})"
            )));
        }
        Ok(())
    }

    /// A subquery as a value: one row is enough.
    fn subquery(&mut self, select: &'a ast::Select, span: Span) -> Result<Subquery> {
        self.forbid("subqueries", span, false)
            .map_err(SqlError::placeless)?; // as in stock SQLite
        self.c.has_subqueries = true;
        let (mut select, correlated) = self.inner_select(select)?;
        select.flags.limit_of_use = select.limit.is_none();
        select.limit = Some(match select.limit.take() {
            None => Expr::Integer(1),
            Some(limit @ Expr::Integer(0 | 1)) => limit,
            Some(limit) => Expr::binary(BinaryOp::Ne, limit, Expr::Integer(0)),
        });
        Ok(Subquery {
            id: self.c.next_subquery(),
            select,
            correlated,
        })
    }

    /// VALUES as a SELECT.
    pub(super) fn values_of_rows(&mut self, rows: Vec<Vec<Expr>>) -> Box<Select> {
        let mut rows = rows.into_iter();
        let first = rows.next().unwrap_or_default();
        let mut select = self.empty_select();
        select.result = self.unnamed_columns(first);
        select.rows = rows.collect();
        select.flags.values = true;
        select
    }
}

/// Whether the parser of stock SQLite makes a 0 of it.
fn is_false(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(Literal::Integer(0)) => true,
        ExprKind::IsNull(inner) => is_literal(inner),
        ExprKind::InList {
            not: false,
            operands,
        } => operands.1.is_empty(),
        ExprKind::Binary(ast::BinaryOp::Is, operands) => is_null_test_of_literal(operands),
        ExprKind::Binary(ast::BinaryOp::And, operands) => is_false_conjunction(operands),
        _ => false,
    }
}

/// `0 AND x`, where x calls no function, is 0.
pub(super) fn is_false_conjunction(operands: &[ast::Expr; 2]) -> bool {
    operands.iter().any(is_false) && !operands.iter().any(calls_function)
}

/// `5 IS NULL`
fn is_null_test_of_literal([left, right]: &[ast::Expr; 2]) -> bool {
    matches!(right.kind, ExprKind::Literal(Literal::Null)) && is_literal(left)
}

/// Whether a call outside subqueries passes the test.
pub(super) fn any_call(expr: &ast::Expr, test: &impl Fn(&ast::FunctionCall) -> bool) -> bool {
    let any = |expr: &ast::Expr| any_call(expr, test);
    match &expr.kind {
        ExprKind::Call(call) => test(call) || call.arg_list().iter().any(any),
        ExprKind::Like(like) => any(&like.expr) || any(&like.pattern),
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            any(inner)
        }
        ExprKind::Binary(_, operands) => operands.iter().any(any),
        ExprKind::Between { operands, .. } => operands.iter().any(any),
        ExprKind::InList { operands, .. } => any(&operands.0) || operands.1.iter().any(any),
        ExprKind::InSelect { operands, .. } => any(&operands.0),
        ExprKind::InTable(in_table) => any(&in_table.expr),
        ExprKind::Case(case) => {
            case.operand.as_ref().is_some_and(any)
                || case.arms.iter().any(|(when, then)| any(when) || any(then))
                || case.otherwise.as_ref().is_some_and(any)
        }
        ExprKind::Cast(cast) => any(&cast.expr),
        ExprKind::Collate(collate) => any(&collate.expr),
        ExprKind::Row(items) => items.iter().any(any),
        ExprKind::Literal(_)
        | ExprKind::Id(_)
        | ExprKind::Column(_)
        | ExprKind::Variable(_)
        | ExprKind::Exists(_)
        | ExprKind::Subquery(_)
        | ExprKind::Raise(_) => false,
    }
}

/// Whether it is a literal other than NULL, signs aside.
pub(super) fn is_literal(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary(ast::UnaryOp::Plus | ast::UnaryOp::Minus, inner) => is_literal(inner),
        ExprKind::Literal(literal) => !matches!(literal, Literal::Null | Literal::Current(_)),
        ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => is_literal(inner),
        ExprKind::Binary(ast::BinaryOp::Is | ast::BinaryOp::IsNot, operands) => {
            is_null_test_of_literal(operands)
        }
        ExprKind::Binary(ast::BinaryOp::And, operands) => is_false_conjunction(operands),
        _ => false,
    }
}

/// Whether it is a call, or an operator that stands for one.
fn is_call(expr: &ast::Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Call(_)
            | ExprKind::Like(_)
            | ExprKind::Binary(ast::BinaryOp::Arrow | ast::BinaryOp::LongArrow, ..)
    )
}

/// How wide an expression is, where that is written; a subquery's columns may be stars.
fn written_width(expr: &ast::Expr) -> Option<usize> {
    match &expr.kind {
        ExprKind::Row(items) => Some(items.len()),
        ExprKind::Subquery(_) => None,
        _ => Some(1),
    }
}

/// Where an expression begins, as far as stock SQLite remembers: the leftmost operand that is a token.
fn leftmost_token(expr: &ast::Expr) -> Option<Span> {
    match &expr.kind {
        ExprKind::Literal(_)
        | ExprKind::Id(_)
        | ExprKind::Column(_)
        | ExprKind::Variable(_)
        | ExprKind::Call(_) => Some(expr.span),
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            leftmost_token(inner)
        }
        ExprKind::Binary(_, operands) => leftmost_token(&operands[0]),
        ExprKind::Cast(cast) => leftmost_token(&cast.expr),
        ExprKind::Collate(collate) => leftmost_token(&collate.expr),
        _ => None,
    }
}

/// The value of a number that is no integer.
fn real(text: &str) -> f64 {
    ringwood_format::number::parse_real(text.as_bytes()).value
}

/// The operator between parts of a compound.
pub(super) fn compound_op(op: ast::CompoundOp) -> CompoundOp {
    match op {
        ast::CompoundOp::Union => CompoundOp::Union,
        ast::CompoundOp::UnionAll => CompoundOp::UnionAll,
        ast::CompoundOp::Except => CompoundOp::Except,
        ast::CompoundOp::Intersect => CompoundOp::Intersect,
    }
}
