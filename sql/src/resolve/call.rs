//! Functions and aggregates.
//!
//! Source: SQLite's `resolveExprStep` (TK_FUNCTION), `sqlite3ReferencesSrcList`.

use super::Resolver;
use super::scope::{Definition, Place};
use crate::ast::{self, Distinctness, Span};
use crate::authorizer::ActionCode;
use crate::bound::walk::{Node, Walk, walk};
use crate::bound::{AggregateCall, Expr, FunctionCall, OrderTerm, SelectId};
use crate::compiler::{Result, SqlError};
use ringwood_vdbe::{FunctionDef, FunctionFlags, ResultCode};
use std::sync::Arc;

/// unlikely() and likely() are 1/16 and 15/16, in 2^27ths.
const UNLIKELY: i32 = 8_388_608;
const LIKELY: i32 = 125_829_120;

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// A call as written.
    pub(super) fn call(&mut self, call: &'a ast::FunctionCall) -> Result<Expr> {
        let name_span = call.name.span;
        let args = call.arg_list();
        let def = match self.find_function(&call.name.text, args.len(), name_span) {
            Ok(def) => def,
            Err(e) => return Err(self.last_error(args, e)),
        };
        let name = &call.name.text;
        if !self.may_call(&def, name, name_span)? {
            return Ok(Expr::Null);
        }
        if def.flags.contains(FunctionFlags::UNLIKELY) {
            return self.likelihood(&def, args, name, name_span);
        }
        if let Some(over) = &call.over {
            return self.window_call(call, over, def, name_span);
        }
        if !def.is_aggregate() {
            if call.filter.is_some() {
                let message = format!("FILTER may not be used with non-aggregate {name}()");
                return Err(self.error_at(name_span, message));
            }
            if !call.order_by.is_empty() {
                let message = format!("ORDER BY may not be used with non-aggregate {name}()");
                return Err(self.error_at(name_span, message));
            }
            if call.distinct == Distinctness::Distinct && !args.is_empty() {
                // As stock SQLite: DISTINCT means nothing here.
            }
            let args = self.exprs(args)?;
            return Ok(Expr::Function(Box::new(FunctionCall {
                def,
                args,
                aggregate: None,
                window: None,
                merged_column: false,
            })));
        }
        self.aggregate(call, def, name_span)
    }

    fn aggregate(
        &mut self,
        call: &'a ast::FunctionCall,
        def: Arc<FunctionDef>,
        span: Span,
    ) -> Result<Expr> {
        let name = &call.name.text;
        if def.flags.contains(FunctionFlags::WINDOW_ONLY) {
            return Err(self.error_at(span, format!("misuse of window function {name}()")));
        }
        let allowed = self
            .scopes
            .last()
            .is_some_and(|scope| scope.allow_aggregates);
        if !allowed {
            let e = self.error_at(span, format!("misuse of aggregate function {name}()"));
            return Err(self.last_error(call.arg_list(), e));
        }
        self.scope().allow_aggregates = false;
        let allow_windows = std::mem::replace(&mut self.scope().allow_windows, false);
        let args = self.exprs(call.arg_list());
        let order_by: Result<Vec<OrderTerm>> = call
            .order_by
            .iter()
            .map(|term| {
                let expr = self.expr(&term.expr)?;
                Ok(OrderTerm {
                    expr,
                    order: super::order::sort_order(term),
                    result_column: None,
                })
            })
            .collect();
        let filter = call
            .filter
            .as_deref()
            .map(|filter| self.expr(filter))
            .transpose();
        let found = match (args, order_by, filter) {
            (Ok(args), Ok(order_by), Ok(filter)) => Ok((args, order_by, filter)),
            (Err(e), _, _) => {
                let e = self.later_error(call.order_by.iter().map(|term| &term.expr), e);
                Err(self.later_error(call.filter.as_deref(), e))
            }
            (_, Err(e), _) => Err(self.later_error(call.filter.as_deref(), e)),
            (_, _, Err(e)) => Err(e),
        };
        self.scope().allow_aggregates = true;
        self.scope().allow_windows = allow_windows;
        let (args, order_by, filter) = found?;
        if call.distinct == Distinctness::Distinct && args.len() != 1 {
            return Err(SqlError::error(
                "DISTINCT aggregates must have exactly one argument",
            ));
        }
        let min_max = def.flags.contains(FunctionFlags::MINMAX);
        let owner = self.aggregate_owner(&args, &order_by, filter.as_ref(), min_max);
        let aggregate = AggregateCall {
            owner,
            distinct: call.distinct == Distinctness::Distinct,
            filter,
            order_by,
            offset: (!self.foreign_text).then_some(span.start),
        };
        let call = FunctionCall {
            def,
            args,
            aggregate: Some(aggregate),
            window: None,
            merged_column: false,
        };
        Ok(Expr::Function(Box::new(call)))
    }

    /// The query that an aggregate belongs to (rule 4), which is told.
    fn aggregate_owner(
        &mut self,
        args: &[Expr],
        order_by: &[OrderTerm],
        filter: Option<&Expr>,
        min_max: bool,
    ) -> SelectId {
        let mut cursors: smallvec::SmallVec<[i32; 8]> = smallvec::SmallVec::new();
        let parts = args
            .iter()
            .chain(order_by.iter().map(|term| &term.expr))
            .chain(filter);
        for part in parts {
            walk(part, &mut |node| {
                if let Node::Expr(Expr::Column(column)) = node {
                    cursors.push(column.cursor);
                }
                Walk::Continue
            });
        }
        let mut owner = self.scopes.len() - 1;
        let in_sight = |scope: &super::Scope| {
            cursors
                .iter()
                .any(|c| scope.items.iter().any(|item| item.cursor == *c))
        };
        if self.scopes.iter().any(in_sight) {
            owner = self.scopes.iter().rposition(in_sight).unwrap_or(owner);
        }
        self.outermost_use = self.outermost_use.min(owner);
        let scope = &mut self.scopes[owner];
        scope.has_aggregates = true;
        scope.has_min_max |= min_max;
        scope.select
    }

    /// Of a wrong call and a wrong argument stock SQLite reports the argument, which it looks at later; it goes no
    /// deeper once there is an error.
    fn last_error(&mut self, args: &'a [ast::Expr], error: SqlError) -> SqlError {
        self.later_error(args, error)
    }

    /// The same for the expressions that are looked at afterwards: names and calls, up to anything else.
    pub(super) fn later_error(
        &mut self,
        exprs: impl IntoIterator<Item = &'a ast::Expr>,
        mut error: SqlError,
    ) -> SqlError {
        use ast::ExprKind::{Call, Column, Exists, Id, InSelect, Subquery};
        for expr in exprs {
            match &expr.kind {
                Id(_) | Column(_) => match self.expr(expr) {
                    Ok(_) => {}
                    Err(later) => return later,
                },
                Call(call) => {
                    let args = call.arg_list();
                    let found = self.find_function(&call.name.text, args.len(), call.name.span);
                    error = self.later_error(args, found.err().unwrap_or(error));
                }
                Subquery(_) | Exists(_) | InSelect { .. } => {
                    return self.expr(expr).err().unwrap_or(error);
                }
                _ => return error,
            }
        }
        error
    }

    /// `likely(x)` and its kin are x with a hint.
    fn likelihood(
        &mut self,
        def: &FunctionDef,
        args: &'a [ast::Expr],
        name: &str,
        span: Span,
    ) -> Result<Expr> {
        let probability = match args {
            [
                _,
                ast::Expr {
                    kind: ast::ExprKind::Literal(ast::Literal::Float(text)),
                    ..
                },
            ] => {
                let value = ringwood_format::number::parse_real(text.as_bytes()).value;
                (0.0..=1.0)
                    .contains(&value)
                    .then_some((value * 134_217_728.0) as i32)
            }
            [_, _] => None,
            _ if def.name.starts_with('u') => Some(UNLIKELY),
            _ => Some(LIKELY),
        };
        let Some(probability) = probability else {
            let message =
                format!("second argument to {name}() must be a constant between 0.0 and 1.0");
            let e = self.error_at(span, message);
            return Err(self.last_error(args, e));
        };
        let Some(first) = args.first() else {
            return Ok(Expr::Null);
        };
        let expr = Box::new(self.expr(first)?);
        Ok(Expr::Likelihood { expr, probability })
    }

    /// Asks whether a function may be called.
    #[inline]
    fn may_call(&self, def: &FunctionDef, name: &str, span: Span) -> Result<bool> {
        if !self.c.asks() {
            return Ok(true);
        }
        let definition = self.scopes.last().and_then(|scope| scope.definition);
        if matches!(definition, Some(Definition::Trusted(_))) {
            return Ok(true);
        }
        let answer = self
            .c
            .authorize(ActionCode::Function, None, Some(&def.name), None);
        answer.map_err(|e| match e.code {
            ResultCode::AUTH => {
                self.error_at(span, format!("not authorized to use function: {name}"))
            }
            _ => e,
        })
    }

    /// A function by name and number of arguments.
    pub(super) fn find_function(
        &mut self,
        name: &str,
        count: usize,
        span: Span,
    ) -> Result<Arc<FunctionDef>> {
        let found = self.c.ctx.functions.find(name, count);
        let Some(def) =
            found.filter(|def| !def.flags.contains(FunctionFlags::INTERNAL) || self.c.internal)
        else {
            let message = if self.c.ctx.functions.exists(name) && !self.is_internal(name) {
                format!("wrong number of arguments to function {name}()")
            } else if matches!(
                self.scopes.last().and_then(|scope| scope.definition),
                Some(Definition::Trusted(_))
            ) {
                // The definition was made where there was one.
                format!("unknown function: {name}()")
            } else {
                format!("no such function: {name}")
            };
            return Err(self.error_at(span, message));
        };
        if count > self.c.ctx.limits.function_args {
            return Err(self.error_at(span, format!("too many arguments on function {name}")));
        }
        if let Some(definition) = self.scopes.last().and_then(|scope| scope.definition) {
            let must_not_change = matches!(
                definition,
                Definition::IndexExpr | Definition::PartialIndex | Definition::Generated
            );
            if must_not_change && !def.flags.contains(FunctionFlags::DETERMINISTIC) {
                let message = format!(
                    "non-deterministic functions prohibited in {}",
                    definition.place()
                );
                return Err(self.error_at(span, message));
            }
        }
        if let Some(Definition::Trusted(place)) = self.scopes.last().and_then(|s| s.definition) {
            // The same arguments give the same result, unless they ask for the time: that is found when it runs.
            if def
                .flags
                .contains(FunctionFlags::DETERMINISTIC | FunctionFlags::SLOW_CHANGING)
            {
                let flag = match place {
                    Place::Check => FunctionFlags::IN_CHECK,
                    Place::Generated => FunctionFlags::IN_GENERATED,
                    Place::Index => FunctionFlags::IN_INDEX,
                };
                return Ok(Arc::new(FunctionDef::clone(&def).with(flag)));
            }
        }
        if self.from_schema {
            let harmless = FunctionFlags::BUILTIN | FunctionFlags::INNOCUOUS;
            let is_unsafe = !def.flags.intersects(harmless);
            if def.flags.contains(FunctionFlags::DIRECT_ONLY)
                || is_unsafe && !self.c.ctx.flags.trusted_schema
            {
                return Err(SqlError::error(format!("unsafe use of {name}()")));
            }
        }
        Ok(def)
    }

    fn is_internal(&self, name: &str) -> bool {
        !self.c.internal
            && self
                .c
                .ctx
                .functions
                .overloads(name)
                .iter()
                .all(|def| def.flags.contains(FunctionFlags::INTERNAL))
    }

    /// A call that an operator stands for.
    pub(super) fn operator_call(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        span: Span,
    ) -> Result<Expr> {
        let def = self.find_function(name, args.len(), span)?;
        if !self.may_call(&def, name, span)? {
            return Ok(Expr::Null);
        }
        Ok(Expr::Function(Box::new(FunctionCall {
            def,
            args,
            aggregate: None,
            window: None,
            merged_column: false,
        })))
    }
}
