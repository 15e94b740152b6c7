//! Walks over bound trees, and questions that are answered by one.
//!
//! A walk visits a node before its children. What the visitor answers decides whether it goes on below ([`Walk`]).
//! Subqueries are visited as [`Node::Select`] first; a visitor that does not want to look into them answers
//! [`Walk::Prune`] there.

use super::expr::{Expr, InSet, Subquery};
use super::select::{FromItem, FromSource, OrderTerm, Select};
use super::window::{Frame, FrameBound, Window};
use crate::bound::{ColumnRef, SubqueryId};
use ringwood_vdbe::FunctionDef;
use std::sync::Arc;

/// What a visitor answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// Go on, into the children too.
    Continue,
    /// Go on, but not into the children.
    Prune,
    /// Stop altogether.
    Stop,
}

/// What a visitor is shown.
#[derive(Clone, Copy, Debug)]
pub enum Node<'e> {
    /// An expression.
    Expr(&'e Expr),
    /// A subquery.
    Select(&'e Select),
}

/// What a changing visitor is shown.
#[derive(Debug)]
pub enum NodeMut<'e> {
    /// An expression.
    Expr(&'e mut Expr),
    /// A subquery.
    Select(&'e mut Select),
}

/// Walks over an expression; false if the visitor stopped.
pub fn walk<'e, F: FnMut(Node<'e>) -> Walk>(expr: &'e Expr, visit: &mut F) -> bool {
    match visit(Node::Expr(expr)) {
        Walk::Stop => return false,
        Walk::Prune => return true,
        Walk::Continue => {}
    }
    match expr {
        Expr::Null
        | Expr::Integer(_)
        | Expr::Real(_)
        | Expr::Text(_)
        | Expr::Blob(_)
        | Expr::Bool(_)
        | Expr::Param(_)
        | Expr::Column(_)
        | Expr::AggregateValue { .. }
        | Expr::Register { .. }
        | Expr::TriggerColumn { .. } => true,
        Expr::Unary(_, inner)
        | Expr::AggregateColumn { expr: inner, .. }
        | Expr::Fixed { value: inner, .. }
        | Expr::Truth { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::Likelihood { expr: inner, .. }
        | Expr::IfNullRow { expr: inner, .. }
        | Expr::Raise { message: inner, .. } => walk(inner, visit),
        Expr::Binary { operands, .. } => walk(&operands.0, visit) && walk(&operands.1, visit),
        Expr::Between(between) => {
            walk(&between.value, visit) && walk(&between.low, visit) && walk(&between.high, visit)
        }
        Expr::In(in_) => {
            walk(&in_.left, visit)
                && match &in_.set {
                    InSet::List(list) => list.iter().all(|item| walk(item, visit)),
                    InSet::Select { select, .. } => walk_select(select, visit),
                }
        }
        Expr::Exists(subquery) | Expr::Subquery(subquery) => walk_select(&subquery.select, visit),
        Expr::Case(case) => {
            case.operand
                .as_ref()
                .is_none_or(|operand| walk(operand, visit))
                && case
                    .whens
                    .iter()
                    .all(|(when, then)| walk(when, visit) && walk(then, visit))
                && case
                    .otherwise
                    .as_ref()
                    .is_none_or(|otherwise| walk(otherwise, visit))
        }
        Expr::Function(call) => {
            call.args.iter().all(|arg| walk(arg, visit))
                && call.aggregate.as_ref().is_none_or(|aggregate| {
                    aggregate
                        .order_by
                        .iter()
                        .all(|term| walk(&term.expr, visit))
                        && aggregate
                            .filter
                            .as_ref()
                            .is_none_or(|filter| walk(filter, visit))
                })
                && call
                    .window
                    .as_ref()
                    .is_none_or(|window| walk_window(window, visit))
        }
        Expr::Vector(items) => items.iter().all(|item| walk(item, visit)),
    }
}

/// Walks over the expressions of a window.
fn walk_window<'e, F: FnMut(Node<'e>) -> Walk>(window: &'e Window, visit: &mut F) -> bool {
    window.partition_by.iter().all(|expr| walk(expr, visit))
        && window.order_by.iter().all(|term| walk(&term.expr, visit))
        && window.filter.iter().all(|expr| walk(expr, visit))
        && window.frame.start.offset().is_none_or(|e| walk(e, visit))
        && window.frame.end.offset().is_none_or(|e| walk(e, visit))
}

/// The same, to change them.
fn walk_window_mut<F: FnMut(NodeMut<'_>) -> Walk>(window: &mut Window, visit: &mut F) -> bool {
    let frame = &mut window.frame;
    window
        .partition_by
        .iter_mut()
        .all(|expr| walk_mut(expr, visit))
        && window
            .order_by
            .iter_mut()
            .all(|term| walk_mut(&mut term.expr, visit))
        && window.filter.iter_mut().all(|expr| walk_mut(expr, visit))
        && frame.start.offset_mut().is_none_or(|e| walk_mut(e, visit))
        && frame.end.offset_mut().is_none_or(|e| walk_mut(e, visit))
}

/// Walks over a SELECT: itself, its expressions, its FROM clause, the parts of the compound before it.
pub fn walk_select<'e, F: FnMut(Node<'e>) -> Walk>(select: &'e Select, visit: &mut F) -> bool {
    let mut part = Some(select);
    while let Some(select) = part {
        match visit(Node::Select(select)) {
            Walk::Stop => return false,
            Walk::Prune => return true,
            Walk::Continue => {}
        }
        let mut exprs = select
            .result
            .iter()
            .map(|column| &column.expr)
            .chain(select.rows.iter().flatten())
            .chain(&select.where_)
            .chain(&select.group_by)
            .chain(&select.having)
            .chain(select.order_by.iter().map(|term| &term.expr))
            .chain(&select.limit)
            .chain(&select.offset);
        if !exprs.all(|expr| walk(expr, visit)) {
            return false;
        }
        for item in &select.from.items {
            if item.on.as_ref().is_some_and(|on| !walk(on, visit)) {
                return false;
            }
            if let FromSource::Select(inner) = &item.source {
                if !walk_select(inner, visit) {
                    return false;
                }
            }
        }
        part = select.prior.as_ref().map(|(_, prior)| &**prior);
    }
    true
}

/// Walks over an expression that may be changed; false if the visitor stopped.
pub fn walk_mut<F: FnMut(NodeMut<'_>) -> Walk>(expr: &mut Expr, visit: &mut F) -> bool {
    match visit(NodeMut::Expr(expr)) {
        Walk::Stop => return false,
        Walk::Prune => return true,
        Walk::Continue => {}
    }
    match expr {
        Expr::Null
        | Expr::Integer(_)
        | Expr::Real(_)
        | Expr::Text(_)
        | Expr::Blob(_)
        | Expr::Bool(_)
        | Expr::Param(_)
        | Expr::Column(_)
        | Expr::AggregateValue { .. }
        | Expr::Register { .. }
        | Expr::TriggerColumn { .. } => true,
        Expr::Unary(_, inner)
        | Expr::AggregateColumn { expr: inner, .. }
        | Expr::Fixed { value: inner, .. }
        | Expr::Truth { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::Likelihood { expr: inner, .. }
        | Expr::IfNullRow { expr: inner, .. }
        | Expr::Raise { message: inner, .. } => walk_mut(inner, visit),
        Expr::Binary { operands, .. } => {
            walk_mut(&mut operands.0, visit) && walk_mut(&mut operands.1, visit)
        }
        Expr::Between(between) => {
            walk_mut(&mut between.value, visit)
                && walk_mut(&mut between.low, visit)
                && walk_mut(&mut between.high, visit)
        }
        Expr::In(in_) => {
            walk_mut(&mut in_.left, visit)
                && match &mut in_.set {
                    InSet::List(list) => list.iter_mut().all(|item| walk_mut(item, visit)),
                    InSet::Select { select, .. } => walk_select_mut(select, visit),
                }
        }
        Expr::Exists(subquery) | Expr::Subquery(subquery) => {
            walk_select_mut(&mut subquery.select, visit)
        }
        Expr::Case(case) => {
            case.operand
                .as_mut()
                .is_none_or(|operand| walk_mut(operand, visit))
                && case
                    .whens
                    .iter_mut()
                    .all(|(when, then)| walk_mut(when, visit) && walk_mut(then, visit))
                && case
                    .otherwise
                    .as_mut()
                    .is_none_or(|otherwise| walk_mut(otherwise, visit))
        }
        Expr::Function(call) => {
            call.args.iter_mut().all(|arg| walk_mut(arg, visit))
                && call.aggregate.as_mut().is_none_or(|aggregate| {
                    aggregate
                        .order_by
                        .iter_mut()
                        .all(|term| walk_mut(&mut term.expr, visit))
                        && aggregate
                            .filter
                            .as_mut()
                            .is_none_or(|filter| walk_mut(filter, visit))
                })
                && call
                    .window
                    .as_mut()
                    .is_none_or(|window| walk_window_mut(window, visit))
        }
        Expr::Vector(items) => items.iter_mut().all(|item| walk_mut(item, visit)),
    }
}

/// Walks over a SELECT that may be changed; see [`walk_select`].
pub fn walk_select_mut<F: FnMut(NodeMut<'_>) -> Walk>(select: &mut Select, visit: &mut F) -> bool {
    match visit(NodeMut::Select(select)) {
        Walk::Stop => return false,
        Walk::Prune => return true,
        Walk::Continue => {}
    }
    let exprs_done = select
        .result
        .iter_mut()
        .all(|column| walk_mut(&mut column.expr, visit))
        && select
            .rows
            .iter_mut()
            .flatten()
            .all(|expr| walk_mut(expr, visit))
        && select.where_.iter_mut().all(|expr| walk_mut(expr, visit))
        && select.group_by.iter_mut().all(|expr| walk_mut(expr, visit))
        && select.having.iter_mut().all(|expr| walk_mut(expr, visit))
        && select
            .order_by
            .iter_mut()
            .all(|term| walk_mut(&mut term.expr, visit))
        && select.limit.iter_mut().all(|expr| walk_mut(expr, visit))
        && select.offset.iter_mut().all(|expr| walk_mut(expr, visit));
    if !exprs_done {
        return false;
    }
    for item in &mut select.from.items {
        if item.on.as_mut().is_some_and(|on| !walk_mut(on, visit)) {
            return false;
        }
        if let FromSource::Select(inner) = &mut item.source {
            if !walk_select_mut(inner, visit) {
                return false;
            }
        }
    }
    select
        .prior
        .as_mut()
        .is_none_or(|(_, prior)| walk_select_mut(prior, visit))
}

/// Calls `f` for every column in an expression, those in subqueries too.
pub fn for_each_column<'e>(expr: &'e Expr, f: &mut impl FnMut(&'e ColumnRef)) {
    walk(expr, &mut |node| {
        if let Node::Expr(Expr::Column(column)) = node {
            f(column);
        }
        Walk::Continue
    });
}

/// Whether some node of the expression (subqueries included) satisfies `f`.
pub fn any(expr: &Expr, f: impl Fn(&Expr) -> bool) -> bool {
    !walk(expr, &mut |node| match node {
        Node::Expr(expr) if f(expr) => Walk::Stop,
        _ => Walk::Continue,
    })
}

/// Whether the expression contains a subquery.
pub fn has_subquery(expr: &Expr) -> bool {
    any(expr, |e| {
        matches!(e, Expr::Exists(_) | Expr::Subquery(_))
            || matches!(e, Expr::In(in_) if matches!(in_.set, InSet::Select { .. }))
    })
}

/// Whether the expression calls a function (SQLite's EP_HasFunc).
pub fn has_function(expr: &Expr) -> bool {
    any(expr, |e| matches!(e, Expr::Function(_)))
}

/// Whether an aggregate is called directly in the expression, outside subqueries.
pub fn has_aggregate(expr: &Expr) -> bool {
    !walk(expr, &mut |node| match node {
        Node::Select(_) => Walk::Prune,
        Node::Expr(Expr::Function(call)) if call.aggregate.is_some() => Walk::Stop,
        Node::Expr(Expr::AggregateValue { .. }) => Walk::Stop,
        Node::Expr(_) => Walk::Continue,
    })
}

/// Whether an aggregate of that SELECT is called in the expression, also in subqueries.
pub fn has_aggregate_of(expr: &Expr, owner: crate::bound::SelectId) -> bool {
    any(expr, |e| match e {
        Expr::Function(call) => call
            .aggregate
            .as_ref()
            .is_some_and(|aggregate| aggregate.owner == owner),
        _ => false,
    })
}

/// The first call of an aggregate that belongs to that query.
pub fn aggregate_of(
    expr: &Expr,
    owner: crate::bound::SelectId,
) -> Option<&crate::bound::FunctionCall> {
    let mut found = None;
    walk(expr, &mut |node| match node {
        Node::Expr(Expr::Function(call))
            if call
                .aggregate
                .as_ref()
                .is_some_and(|aggregate| aggregate.owner == owner) =>
        {
            found = Some(&**call);
            Walk::Stop
        }
        _ => Walk::Continue,
    });
    found
}

/// Whether the expression mentions that cursor.
pub fn uses_cursor(expr: &Expr, cursor: i32) -> bool {
    any(expr, |e| match e {
        Expr::Column(column) => column.cursor == cursor,
        Expr::IfNullRow { cursor: c, .. } => *c == cursor,
        _ => false,
    })
}

/// Which functions of a "constant" expression are allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Constness {
    /// Deterministic functions: the same within a statement (SQLite's sqlite3ExprIsConstant).
    Statement,
    /// No functions at all, and no parameters where the value must be known now.
    Literal,
}

/// Whether the value does not depend on any row.
pub fn is_constant(expr: &Expr, functions: Constness) -> bool {
    walk(expr, &mut |node| match node {
        Node::Select(_) => Walk::Stop,
        Node::Expr(expr) => match expr {
            Expr::Column(_)
            | Expr::AggregateColumn { .. }
            | Expr::AggregateValue { .. }
            | Expr::Register { .. }
            | Expr::TriggerColumn { .. }
            | Expr::IfNullRow { .. }
            | Expr::Exists(_)
            | Expr::Subquery(_)
            | Expr::Raise { .. } => Walk::Stop,
            Expr::Param(_) if functions == Constness::Literal => Walk::Stop,
            Expr::Function(call) => {
                if functions == Constness::Statement
                    && call.aggregate.is_none()
                    && is_factorable(&call.def)
                {
                    Walk::Continue
                } else {
                    Walk::Stop
                }
            }
            _ => Walk::Continue,
        },
    })
}

fn is_factorable(def: &FunctionDef) -> bool {
    use ringwood_vdbe::FunctionFlags;
    !def.is_aggregate()
        && def
            .flags
            .intersects(FunctionFlags::DETERMINISTIC | FunctionFlags::SLOW_CHANGING)
}

/// The same as [`is_constant`], but columns of that one cursor are allowed (SQLite's sqlite3ExprIsTableConstant).
pub fn is_constant_but_for(expr: &Expr, cursor: i32) -> bool {
    walk(expr, &mut |node| match node {
        Node::Select(_) => Walk::Stop,
        Node::Expr(expr) => match expr {
            Expr::Column(column) if column.cursor == cursor => Walk::Continue,
            Expr::Column(_)
            | Expr::AggregateColumn { .. }
            | Expr::AggregateValue { .. }
            | Expr::Register { .. }
            | Expr::TriggerColumn { .. }
            | Expr::IfNullRow { .. }
            | Expr::Exists(_)
            | Expr::Subquery(_)
            | Expr::Raise { .. } => Walk::Stop,
            Expr::Function(call) => {
                if call.aggregate.is_none() && is_factorable(&call.def) {
                    Walk::Continue
                } else {
                    Walk::Stop
                }
            }
            _ => Walk::Continue,
        },
    })
}

/// How alike two expressions are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Likeness {
    /// They always have the same value.
    Same,
    /// They differ in COLLATE only.
    Collation,
    /// They may differ.
    Different,
}

/// Whether two expressions always have the same value, collation included.
pub fn same(a: &Expr, b: &Expr) -> bool {
    likeness(a, b) == Likeness::Same
}

/// The same, COLLATE and likelihoods around either left out (SQLite's sqlite3ExprCompareSkip).
pub fn same_without_collate(a: &Expr, b: &Expr) -> bool {
    same(a.without_collate(), b.without_collate())
}

/// How alike two expressions are (SQLite's sqlite3ExprCompare). Subqueries are never alike.
pub fn likeness(a: &Expr, b: &Expr) -> Likeness {
    use Likeness::{Collation, Different, Same};
    let all = |equal: bool| if equal { Same } else { Different };
    match (a, b) {
        (Expr::Null, Expr::Null) => Same,
        (Expr::Integer(a), Expr::Integer(b)) => all(a == b),
        (Expr::Real(a), Expr::Real(b)) => all(a.to_bits() == b.to_bits()),
        (Expr::Text(a), Expr::Text(b)) | (Expr::Blob(a), Expr::Blob(b)) => all(a == b),
        (Expr::Bool(a), Expr::Bool(b)) => all(a == b),
        (Expr::Param(a), Expr::Param(b)) => all(a == b),
        (
            Expr::Column(a) | Expr::Fixed { column: a, .. },
            Expr::Column(b) | Expr::Fixed { column: b, .. },
        ) => all(a.cursor == b.cursor && a.column == b.column),
        (Expr::AggregateColumn { expr: a, .. }, Expr::AggregateColumn { expr: b, .. }) => {
            likeness(a, b)
        }
        (Expr::AggregateColumn { expr: a, .. }, b) => likeness(a, b),
        (a, Expr::AggregateColumn { expr: b, .. }) => likeness(a, b),
        (
            Expr::AggregateValue {
                aggregates: a,
                index: i,
            },
            Expr::AggregateValue {
                aggregates: b,
                index: j,
            },
        ) => all(a == b && i == j),
        (Expr::Register { reg: a, .. }, Expr::Register { reg: b, .. }) => all(a == b),
        (
            Expr::TriggerColumn {
                row: a, column: i, ..
            },
            Expr::TriggerColumn {
                row: b, column: j, ..
            },
        ) => all(a == b && i == j),
        (
            Expr::Collate {
                expr: a,
                collation: x,
                ..
            },
            Expr::Collate {
                expr: b,
                collation: y,
                ..
            },
        ) => {
            if x.same(y) {
                likeness(a, b)
            } else {
                likeness(a, b).max(Collation)
            }
        }
        (Expr::Collate { expr: a, .. }, b) => likeness(a, b).max(Collation),
        (a, Expr::Collate { expr: b, .. }) => likeness(a, b).max(Collation),
        (Expr::Unary(x, a), Expr::Unary(y, b)) => {
            if x == y {
                likeness(a, b)
            } else {
                Different
            }
        }
        (
            Expr::Truth {
                expr: a,
                not: n,
                value: v,
            },
            Expr::Truth {
                expr: b,
                not: m,
                value: w,
            },
        ) => {
            if n == m && v == w {
                likeness(a, b)
            } else {
                Different
            }
        }
        (
            Expr::Cast {
                expr: a,
                affinity: x,
            },
            Expr::Cast {
                expr: b,
                affinity: y,
            },
        ) => {
            if x == y {
                likeness(a, b)
            } else {
                Different
            }
        }
        (Expr::Likelihood { expr: a, .. }, Expr::Likelihood { expr: b, .. }) => likeness(a, b),
        (Expr::IfNullRow { cursor: i, expr: a }, Expr::IfNullRow { cursor: j, expr: b }) => {
            if i == j { likeness(a, b) } else { Different }
        }
        (
            Expr::Binary {
                op: x,
                operands: a,
                commuted: c,
            },
            Expr::Binary {
                op: y,
                operands: b,
                commuted: d,
            },
        ) => {
            if x != y || c != d {
                return Different;
            }
            likeness(&a.0, &b.0).max(likeness(&a.1, &b.1))
        }
        (Expr::Between(a), Expr::Between(b)) => {
            if a.not != b.not {
                return Different;
            }
            likeness(&a.value, &b.value)
                .max(likeness(&a.low, &b.low))
                .max(likeness(&a.high, &b.high))
        }
        (Expr::In(a), Expr::In(b)) => match (&a.set, &b.set) {
            (InSet::List(x), InSet::List(y)) if a.not == b.not => {
                likeness(&a.left, &b.left).max(list_likeness(x, y))
            }
            _ => Different,
        },
        (Expr::Case(a), Expr::Case(b)) => {
            if a.whens.len() != b.whens.len() {
                return Different;
            }
            let option = |a: &Option<Expr>, b: &Option<Expr>| match (a, b) {
                (Some(a), Some(b)) => likeness(a, b),
                (None, None) => Same,
                _ => Different,
            };
            let mut worst = option(&a.operand, &b.operand).max(option(&a.otherwise, &b.otherwise));
            for ((when, then), (other_when, other_then)) in a.whens.iter().zip(&b.whens) {
                worst = worst
                    .max(likeness(when, other_when))
                    .max(likeness(then, other_then));
            }
            worst
        }
        (Expr::Function(a), Expr::Function(b)) => {
            if !Arc::ptr_eq(&a.def, &b.def) || a.aggregate.is_some() != b.aggregate.is_some() {
                return Different;
            }
            if let (Some(x), Some(y)) = (&a.aggregate, &b.aggregate) {
                let filters = match (&x.filter, &y.filter) {
                    (Some(x), Some(y)) => same(x, y),
                    (None, None) => true,
                    _ => false,
                };
                if x.distinct != y.distinct || !filters || !same_order(&x.order_by, &y.order_by) {
                    return Different;
                }
            }
            match (&a.window, &b.window) {
                (None, None) => {}
                (Some(x), Some(y)) => {
                    let filters = match (&x.filter, &y.filter) {
                        (Some(x), Some(y)) => same(x, y),
                        (None, None) => true,
                        _ => false,
                    };
                    if !filters || !same_window(x, y) {
                        return Different;
                    }
                }
                _ => return Different,
            }
            list_likeness(&a.args, &b.args)
        }
        (Expr::Vector(a), Expr::Vector(b)) => list_likeness(a, b),
        _ => Different,
    }
}

fn list_likeness(a: &[Expr], b: &[Expr]) -> Likeness {
    if a.len() != b.len() {
        return Likeness::Different;
    }
    a.iter()
        .zip(b)
        .map(|(a, b)| likeness(a, b))
        .max()
        .unwrap_or(Likeness::Same)
}

/// Whether two windows show the same rows in the same order, so that one pass serves both.
pub fn same_window(a: &Window, b: &Window) -> bool {
    same_frame(&a.frame, &b.frame)
        && list_likeness(&a.partition_by, &b.partition_by) == Likeness::Same
        && same_order(&a.order_by, &b.order_by)
}

fn same_frame(a: &Frame, b: &Frame) -> bool {
    let bounds = |a: &FrameBound, b: &FrameBound| match (a, b) {
        (FrameBound::Unbounded, FrameBound::Unbounded)
        | (FrameBound::Current, FrameBound::Current) => true,
        (FrameBound::Preceding(a), FrameBound::Preceding(b))
        | (FrameBound::Following(a), FrameBound::Following(b)) => same(a, b),
        _ => false,
    };
    a.unit == b.unit
        && a.exclude == b.exclude
        && bounds(&a.start, &b.start)
        && bounds(&a.end, &b.end)
}

/// Whether a window function is called in the expression, outside subqueries.
pub fn has_window(expr: &Expr) -> bool {
    !walk(expr, &mut |node| match node {
        Node::Select(_) => Walk::Prune,
        Node::Expr(Expr::Function(call)) if call.window.is_some() => Walk::Stop,
        Node::Expr(_) => Walk::Continue,
    })
}

fn same_order(a: &[OrderTerm], b: &[OrderTerm]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.order == b.order && same(&a.expr, &b.expr))
}

/// Gives every subquery in a copied expression an id of its own.
pub fn renew_subqueries(expr: &mut Expr, next: &mut impl FnMut() -> SubqueryId) {
    walk_mut(expr, &mut |node| {
        match node {
            NodeMut::Expr(Expr::Exists(subquery) | Expr::Subquery(subquery)) => {
                let subquery: &mut Subquery = subquery;
                subquery.id = next();
            }
            NodeMut::Expr(Expr::In(in_)) => in_.id = next(),
            NodeMut::Select(select) => {
                for item in &mut select.from.items {
                    let item: &mut FromItem = item;
                    item.id = next();
                }
            }
            NodeMut::Expr(_) => {}
        }
        Walk::Continue
    });
}

/// The operands of a conjunction, from left to right.
pub fn conjuncts<'e>(expr: &'e Expr, out: &mut smallvec::SmallVec<[&'e Expr; 8]>) {
    if let Expr::Binary {
        op: super::BinaryOp::And,
        operands,
        ..
    } = expr
    {
        conjuncts(&operands.0, out);
        conjuncts(&operands.1, out);
    } else {
        out.push(expr);
    }
}
