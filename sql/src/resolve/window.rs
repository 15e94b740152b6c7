//! OVER and WINDOW.
//!
//! Rules:
//! 1. A definition may build upon one that is written before it: it takes its PARTITION BY, and its ORDER BY if there is
//!    one, and brings the frame. `OVER name` takes the named definition as it is.
//! 2. Window functions may be called in result columns and ORDER BY, not in arguments and windows of others, where
//!    aggregates may.
//! 3. The functions that only make sense in a window see the frame that they need, whatever is written.
//! 4. A distance of a frame is a constant; anything else is NULL, which is refused when the statement runs.
//!
//! Source: SQLite's `sqlite3WindowUpdate`, `sqlite3WindowChain`, `sqlite3WindowAlloc`, `sqlite3WindowLink`.

use super::Resolver;
use super::scope::Scope;
use crate::ast::{self, ExprKind, FrameBound as AstBound, Over, Span, WindowDef};
use crate::bound::walk::{same, same_window};
use crate::bound::{
    Exclude, Expr, Frame, FrameBound, FrameUnit, FunctionCall, OrderTerm, SelectId, Window,
};
use crate::compiler::{Result, SqlError};
use ringwood_vdbe::{FunctionDef, FunctionFlags};
use std::sync::Arc;

/// A window with everything that it builds upon.
#[derive(Clone, Copy)]
struct Definition<'a> {
    partition_by: &'a [ast::Expr],
    order_by: &'a [ast::SortTerm],
    frame: Option<&'a ast::WindowFrame>,
}

impl<'a> Definition<'a> {
    fn alone(window: &'a WindowDef) -> Definition<'a> {
        Definition {
            partition_by: &window.partition_by,
            order_by: &window.order_by,
            frame: window.frame.as_ref(),
        }
    }
}

/// A window upon those in sight (rule 1).
fn definition<'a>(window: &'a WindowDef, others: &'a [WindowDef]) -> Result<Definition<'a>> {
    let own = Definition::alone(window);
    let Some(base) = &window.base else {
        return Ok(own);
    };
    let below = named(base, others)?;
    let problem = if !own.partition_by.is_empty() {
        "PARTITION clause"
    } else if !below.order_by.is_empty() && !own.order_by.is_empty() {
        "ORDER BY clause"
    } else if below.frame.is_some() {
        "frame specification"
    } else {
        return Ok(Definition {
            partition_by: below.partition_by,
            order_by: if below.order_by.is_empty() {
                own.order_by
            } else {
                below.order_by
            },
            frame: own.frame,
        });
    };
    let message = format!("cannot override {problem} of window: {base}");
    Err(SqlError::error(message))
}

/// The last window of that name.
fn named<'a>(name: &ast::Name, windows: &'a [WindowDef]) -> Result<Definition<'a>> {
    let is_it = |window: &WindowDef| window.name.as_ref().is_some_and(|own| own.matches(name));
    match windows.iter().rposition(is_it) {
        // The first one has nothing to build upon: what it says of that is not looked at.
        Some(0) => Ok(Definition::alone(&windows[0])),
        Some(at) => definition(&windows[at], &windows[..at]),
        None => Err(SqlError::error(format!("no such window: {name}"))),
    }
}

/// Checks a WINDOW clause, whether its windows are used or not.
pub(super) fn check_windows(windows: &[WindowDef]) -> Result<()> {
    for (at, window) in windows.iter().enumerate().skip(1) {
        definition(window, &windows[..at])?;
    }
    Ok(())
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// A call with OVER.
    pub(super) fn window_call(
        &mut self,
        call: &'a ast::FunctionCall,
        over: &'a Over,
        def: Arc<FunctionDef>,
        span: Span,
    ) -> Result<Expr> {
        let name = &call.name.text;
        let usable = FunctionFlags::INVERSE | FunctionFlags::WINDOW_ONLY | FunctionFlags::MINMAX;
        if !def.is_aggregate() || !def.flags.intersects(usable) {
            let message = format!("{name}() may not be used as a window function");
            return Err(self.error_at(span, message));
        }
        let allowed = self.scopes.last().is_some_and(|scope| scope.allow_windows);
        if !allowed || (!self.scope().allow_aggregates) {
            return Err(self.error_at(span, format!("misuse of window function {name}()")));
        }
        self.scope().allow_windows = false;
        let bound = self.window_parts(call, over, &def);
        self.scope().allow_windows = true;
        let (args, window) = bound?;
        self.link_window(&window);
        Ok(Expr::Function(Box::new(FunctionCall {
            def,
            args,
            aggregate: None,
            window: Some(Box::new(window)),
            merged_column: false,
        })))
    }

    fn window_parts(
        &mut self,
        call: &'a ast::FunctionCall,
        over: &'a Over,
        def: &FunctionDef,
    ) -> Result<(Vec<Expr>, Window)> {
        let args = match self.exprs(call.arg_list()) {
            Ok(args) => args,
            Err(e) => return Err(self.later_error(call.filter.as_deref(), e)),
        };
        let owner = self.scope().select;
        let definition = self.definition(over, owner)?;
        let has_offset = definition.frame.is_some_and(|frame| {
            frame.unit == ast::FrameUnit::Range
                && [&frame.start, &frame.end]
                    .into_iter()
                    .any(|bound| offset(bound).is_some())
        });
        if has_offset && definition.order_by.len() != 1 {
            return Err(SqlError::error(
                "RANGE with offset PRECEDING/FOLLOWING requires one ORDER BY expression",
            ));
        }
        let window_only = def.flags.contains(FunctionFlags::WINDOW_ONLY);
        if window_only && call.filter.is_some() {
            return Err(SqlError::error(
                "FILTER clause may only be used with aggregate window functions",
            ));
        }
        let partition_by = match self.exprs(definition.partition_by) {
            Ok(partition_by) => partition_by,
            Err(e) => {
                let e = self.later_error(definition.order_by.iter().map(|term| &term.expr), e);
                return Err(self.later_error(call.filter.as_deref(), e));
            }
        };
        let mut order_by = Vec::with_capacity(definition.order_by.len());
        for term in definition.order_by {
            let expr = match self.expr(&term.expr) {
                Ok(expr) => expr,
                Err(e) => return Err(self.later_error(call.filter.as_deref(), e)),
            };
            order_by.push(OrderTerm {
                expr,
                order: super::order::sort_order(term),
                result_column: None,
            });
        }
        let filter = match call.filter.as_deref() {
            Some(filter) => Some(self.expr(filter)?),
            None => None,
        };
        let forced = window_only && def.flags.contains(FunctionFlags::BUILTIN);
        let frame = match forced.then(|| needed_frame(&def.name)).flatten() {
            Some(frame) => frame,
            None => self.frame(definition.frame)?,
        };
        let window = Window {
            owner,
            partition_by,
            order_by,
            frame,
            filter,
        };
        Ok((args, window))
    }

    /// What OVER says.
    fn definition(&self, over: &'a Over, owner: SelectId) -> Result<Definition<'a>> {
        let clause = self.window_clauses.iter().rev();
        let windows: &'a [WindowDef] = clause
            .into_iter()
            .find(|(select, _)| *select == owner)
            .map_or(&[], |(_, windows)| windows);
        match over {
            Over::Name(name) => named(name, windows),
            Over::Window(window) => definition(window, windows),
        }
    }

    fn frame(&mut self, frame: Option<&'a ast::WindowFrame>) -> Result<Frame> {
        let Some(frame) = frame else {
            return Ok(Frame {
                unit: FrameUnit::Range,
                start: FrameBound::Unbounded,
                end: FrameBound::Current,
                exclude: None,
            });
        };
        Ok(Frame {
            unit: match frame.unit {
                ast::FrameUnit::Rows => FrameUnit::Rows,
                ast::FrameUnit::Range => FrameUnit::Range,
                ast::FrameUnit::Groups => FrameUnit::Groups,
            },
            start: self.bound(&frame.start)?,
            end: self.bound(&frame.end)?,
            exclude: frame.exclude.map(|exclude| match exclude {
                ast::FrameExclude::NoOthers => Exclude::NoOthers,
                ast::FrameExclude::CurrentRow => Exclude::CurrentRow,
                ast::FrameExclude::Group => Exclude::Group,
                ast::FrameExclude::Ties => Exclude::Ties,
            }),
        })
    }

    fn bound(&mut self, bound: &'a AstBound) -> Result<FrameBound> {
        Ok(match bound {
            AstBound::UnboundedPreceding | AstBound::UnboundedFollowing => FrameBound::Unbounded,
            AstBound::CurrentRow => FrameBound::Current,
            AstBound::Preceding(expr) => FrameBound::Preceding(self.distance(expr)?),
            AstBound::Following(expr) => FrameBound::Following(self.distance(expr)?),
        })
    }

    /// Rule 4.
    fn distance(&mut self, expr: &'a ast::Expr) -> Result<Expr> {
        if !is_constant(expr) {
            return Ok(Expr::Null);
        }
        let outer = std::mem::take(&mut self.scopes);
        self.scopes.push(Scope::default());
        let bound = self.expr(expr);
        self.scopes = outer;
        bound
    }

    /// Notes that the query has window functions, and how their partitions differ.
    fn link_window(&mut self, window: &Window) {
        let scope = self.scope();
        match &scope.main_window {
            None => scope.main_window = Some(Box::new(window.clone())),
            Some(main) => {
                let other_parts = main.partition_by.len() != window.partition_by.len()
                    || !main
                        .partition_by
                        .iter()
                        .zip(&window.partition_by)
                        .all(|(a, b)| same(a, b));
                scope.multi_part |= other_parts && !same_window(main, window);
            }
        }
    }
}

/// Rule 3; none: the function sees the frame that is written.
fn needed_frame(name: &str) -> Option<Frame> {
    use FrameBound::{Current, Following, Unbounded};
    let (unit, start, end) = match name {
        "row_number" | "lag" => (FrameUnit::Rows, Unbounded, Current),
        "rank" | "dense_rank" => (FrameUnit::Range, Unbounded, Current),
        "percent_rank" => (FrameUnit::Groups, Current, Unbounded),
        "cume_dist" => (FrameUnit::Groups, Following(Expr::Integer(1)), Unbounded),
        "ntile" => (FrameUnit::Rows, Current, Unbounded),
        "lead" => (FrameUnit::Rows, Unbounded, Unbounded),
        _ => return None,
    };
    Some(Frame {
        unit,
        start,
        end,
        exclude: None,
    })
}

/// The distance of a bound.
fn offset(bound: &AstBound) -> Option<&ast::Expr> {
    match bound {
        AstBound::Preceding(expr) | AstBound::Following(expr) => Some(expr),
        AstBound::UnboundedPreceding | AstBound::CurrentRow | AstBound::UnboundedFollowing => None,
    }
}

/// Whether an expression is made of literals, parameters and operators.
fn is_constant(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(literal) => !matches!(literal, ast::Literal::Current(_)),
        ExprKind::Variable(_) => true,
        ExprKind::Id(name) => {
            name.quote == ast::Quote::None
                && (name.text.eq_ignore_ascii_case("true")
                    || name.text.eq_ignore_ascii_case("false"))
        }
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            is_constant(inner)
        }
        ExprKind::Binary(op, operands) => {
            !matches!(op, ast::BinaryOp::Arrow | ast::BinaryOp::LongArrow)
                && operands.iter().all(is_constant)
        }
        ExprKind::Between { operands, .. } => operands.iter().all(is_constant),
        ExprKind::InList { operands, .. } => {
            is_constant(&operands.0) && operands.1.iter().all(is_constant)
        }
        ExprKind::Case(case) => {
            let operand = case.operand.iter().chain(&case.otherwise);
            let arms = case.arms.iter().flat_map(|(when, then)| [when, then]);
            operand.chain(arms).all(is_constant)
        }
        ExprKind::Cast(cast) => is_constant(&cast.expr),
        ExprKind::Collate(collate) => is_constant(&collate.expr),
        ExprKind::Row(items) => items.iter().all(is_constant),
        ExprKind::Column(_)
        | ExprKind::InSelect { .. }
        | ExprKind::InTable(_)
        | ExprKind::Like(_)
        | ExprKind::Call(_)
        | ExprKind::Exists(_)
        | ExprKind::Subquery(_)
        | ExprKind::Raise(_) => false,
    }
}
