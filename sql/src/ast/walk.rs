//! Walking a tree: what stands directly below an expression, and every name of a table in a query.
//!
//! Source: SQLite's `walker.c`.

use super::{
    BinaryOp, Expr, ExprKind, FrameBound, FromClause, FunctionCall, InsertSource, JoinConstraint,
    Limit, Literal, Over, QualifiedName, ResultColumn, Select, SelectCore, SortTerm, Source,
    TriggerStmt, UpsertAction, WindowDef, With,
};

/// What stands below an expression.
#[derive(Clone, Copy, Debug)]
pub enum Child<'a> {
    /// Another expression.
    Expr(&'a Expr),
    /// A query.
    Select(&'a Select),
    /// The table of `x IN table`.
    Table(&'a QualifiedName),
}

/// Hands what stands directly below an expression to `f`, in the order of the text. Left of an empty list (`x IN ()`)
/// nothing does, unless a function is called there: what it is does not matter, as in stock SQLite.
pub fn children<'a>(expr: &'a Expr, f: &mut dyn FnMut(Child<'a>)) {
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Id(_) | ExprKind::Column(_) | ExprKind::Variable(_) => {}
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            f(Child::Expr(inner));
        }
        ExprKind::Binary(_, operands) => operands.iter().for_each(|e| f(Child::Expr(e))),
        ExprKind::Between { operands, .. } => operands.iter().for_each(|e| f(Child::Expr(e))),
        ExprKind::InList { operands, .. } => {
            if !operands.1.is_empty() || calls_function(&operands.0) {
                f(Child::Expr(&operands.0));
            }
            operands.1.iter().for_each(|e| f(Child::Expr(e)));
        }
        ExprKind::InSelect { operands, .. } => {
            f(Child::Expr(&operands.0));
            f(Child::Select(&operands.1));
        }
        ExprKind::InTable(inner) => {
            f(Child::Expr(&inner.expr));
            f(Child::Table(&inner.table));
            inner.args.iter().for_each(|e| f(Child::Expr(e)));
        }
        ExprKind::Like(like) => {
            f(Child::Expr(&like.expr));
            f(Child::Expr(&like.pattern));
            like.escape.iter().for_each(|e| f(Child::Expr(e)));
        }
        ExprKind::Case(case) => {
            case.operand.iter().for_each(|e| f(Child::Expr(e)));
            for (when, then) in &case.arms {
                f(Child::Expr(when));
                f(Child::Expr(then));
            }
            case.otherwise.iter().for_each(|e| f(Child::Expr(e)));
        }
        ExprKind::Cast(cast) => f(Child::Expr(&cast.expr)),
        ExprKind::Collate(collate) => f(Child::Expr(&collate.expr)),
        ExprKind::Call(call) => call_children(call, f),
        ExprKind::Exists(select) | ExprKind::Subquery(select) => f(Child::Select(select)),
        ExprKind::Row(elements) => elements.iter().for_each(|e| f(Child::Expr(e))),
        ExprKind::Raise(raise) => raise.message.iter().for_each(|e| f(Child::Expr(e))),
    }
}

/// Whether a function is called, outside subqueries.
pub(crate) fn calls_function(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(Literal::Current(_)) | ExprKind::Call(_) | ExprKind::Like(_) => true,
        ExprKind::Binary(BinaryOp::Arrow | BinaryOp::LongArrow, ..) => true,
        ExprKind::Literal(_)
        | ExprKind::Id(_)
        | ExprKind::Column(_)
        | ExprKind::Variable(_)
        | ExprKind::Exists(_)
        | ExprKind::Subquery(_)
        | ExprKind::Raise(_) => false,
        ExprKind::Unary(_, inner) | ExprKind::IsNull(inner) | ExprKind::NotNull(inner) => {
            calls_function(inner)
        }
        ExprKind::Binary(_, operands) => operands.iter().any(calls_function),
        ExprKind::Between { operands, .. } => operands.iter().any(calls_function),
        ExprKind::InList { operands, .. } => {
            calls_function(&operands.0) || operands.1.iter().any(calls_function)
        }
        ExprKind::InSelect { operands, .. } => calls_function(&operands.0),
        ExprKind::InTable(in_table) => calls_function(&in_table.expr),
        ExprKind::Case(case) => {
            case.operand.as_ref().is_some_and(calls_function)
                || case
                    .arms
                    .iter()
                    .any(|(when, then)| calls_function(when) || calls_function(then))
                || case.otherwise.as_ref().is_some_and(calls_function)
        }
        ExprKind::Cast(cast) => calls_function(&cast.expr),
        ExprKind::Collate(collate) => calls_function(&collate.expr),
        ExprKind::Row(items) => items.iter().any(calls_function),
    }
}

fn call_children<'a>(call: &'a FunctionCall, f: &mut dyn FnMut(Child<'a>)) {
    call.arg_list().iter().for_each(|e| f(Child::Expr(e)));
    terms(&call.order_by, f);
    call.filter.iter().for_each(|e| f(Child::Expr(e)));
    if let Some(Over::Window(window)) = &call.over {
        window_children(window, f);
    }
}

fn terms<'a>(terms: &'a [SortTerm], f: &mut dyn FnMut(Child<'a>)) {
    for term in terms {
        f(Child::Expr(&term.expr));
    }
}

/// The expressions of a window.
pub fn window_children<'a>(window: &'a WindowDef, f: &mut dyn FnMut(Child<'a>)) {
    window.partition_by.iter().for_each(|e| f(Child::Expr(e)));
    terms(&window.order_by, f);
    if let Some(frame) = &window.frame {
        for bound in [&frame.start, &frame.end] {
            if let FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
                f(Child::Expr(e));
            }
        }
    }
}

/// Hands every name of a table, view or table-valued function in a query to `f`, those of its subqueries too.
pub fn tables_of_select<'a>(select: &'a Select, f: &mut dyn FnMut(&'a QualifiedName)) {
    let Select {
        with,
        core,
        compounds,
        order_by,
        limit,
        ..
    } = select;
    if let Some(with) = with {
        tables_of_with(with, f);
    }
    for core in std::iter::once(core).chain(compounds.iter().map(|part| &part.core)) {
        tables_of_core(core, f);
    }
    for term in order_by {
        tables_of_expr(&term.expr, f);
    }
    if let Some(limit) = limit {
        let Limit { limit, offset } = &**limit;
        tables_of_expr(limit, f);
        if let Some(offset) = offset {
            tables_of_expr(offset, f);
        }
    }
}

fn tables_of_with<'a>(with: &'a With, f: &mut dyn FnMut(&'a QualifiedName)) {
    with.ctes
        .iter()
        .for_each(|cte| tables_of_select(&cte.select, f));
}

fn tables_of_core<'a>(core: &'a SelectCore, f: &mut dyn FnMut(&'a QualifiedName)) {
    let clause = match core {
        SelectCore::Values(values) => {
            values.exprs.iter().for_each(|e| tables_of_expr(e, f));
            return;
        }
        SelectCore::Select(clause) => clause,
    };
    for column in &clause.columns {
        if let ResultColumn::Expr { expr, .. } = column {
            tables_of_expr(expr, f);
        }
    }
    if let Some(from) = &clause.from {
        tables_of_from(from, f);
    }
    let exprs = clause
        .where_clause
        .iter()
        .chain(&clause.group_by)
        .chain(&clause.having);
    exprs.for_each(|e| tables_of_expr(e, f));
    for window in &clause.windows {
        window_children(window, &mut |child| tables_of_child(child, f));
    }
}

fn tables_of_from<'a>(from: &'a FromClause, f: &mut dyn FnMut(&'a QualifiedName)) {
    for item in &from.items {
        match &item.source {
            Source::Table { name, .. } => f(name),
            Source::Function { name, args } => {
                f(name);
                for arg in args {
                    tables_of_expr(arg, f);
                }
            }
            Source::Select(select) => tables_of_select(select, f),
            Source::Join(inner) => tables_of_from(inner, f),
        }
        if let Some(JoinConstraint::On(on)) = &item.constraint {
            tables_of_expr(on, f);
        }
    }
}

/// The same for an expression.
pub fn tables_of_expr<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a QualifiedName)) {
    children(expr, &mut |child| tables_of_child(child, f));
}

/// The same for a statement of a trigger; the table that it changes is not among them.
pub fn tables_of_step<'a>(step: &'a TriggerStmt, f: &mut dyn FnMut(&'a QualifiedName)) {
    match step {
        TriggerStmt::Select(select) => tables_of_select(select, f),
        TriggerStmt::Delete(delete) => tables_of_exprs(&delete.where_clause, f),
        TriggerStmt::Update(update) => {
            tables_of_exprs(&update.where_clause, f);
            tables_of_exprs(update.set.iter().map(|set| &set.value), f);
            if let Some(from) = &update.from {
                tables_of_from(from, f);
            }
        }
        TriggerStmt::Insert(insert) => {
            if let InsertSource::Select(select) = &insert.source {
                tables_of_select(select, f);
            }
            for upsert in &insert.upserts {
                if let Some(target) = &upsert.target {
                    tables_of_exprs(target.columns.iter().map(|term| &term.expr), f);
                    tables_of_exprs(&target.where_clause, f);
                }
                if let UpsertAction::Update { set, where_clause } = &upsert.action {
                    tables_of_exprs(set.iter().map(|set| &set.value), f);
                    tables_of_exprs(where_clause, f);
                }
            }
        }
    }
}

fn tables_of_exprs<'a>(
    exprs: impl IntoIterator<Item = &'a Expr>,
    f: &mut dyn FnMut(&'a QualifiedName),
) {
    for expr in exprs {
        tables_of_expr(expr, f);
    }
}

fn tables_of_child<'a>(child: Child<'a>, f: &mut dyn FnMut(&'a QualifiedName)) {
    match child {
        Child::Expr(expr) => tables_of_expr(expr, f),
        Child::Select(select) => tables_of_select(select, f),
        Child::Table(name) => f(name),
    }
}
