//! A SELECT with window functions becomes a pass over a subquery that delivers the rows in their windows' order.
//!
//! ```text
//!   SELECT a+1, max(b) OVER (PARTITION BY c ORDER BY d) FROM t WHERE e GROUP BY f HAVING g ORDER BY h LIMIT i
//!
//!   SELECT $1+1, register FROM (SELECT a, h, c, d, b FROM t WHERE e GROUP BY f HAVING g ORDER BY c, d) ORDER BY $2 LIMIT i
//!                                      └┬─┘  │  │  └ arguments and FILTER of each function
//!                      columns, aggregates   │  └ ORDER BY of the window
//!                                            └ PARTITION BY
//! ```
//!
//! Rules:
//! 1. The first function that is written says which windows this pass is for; the others are columns of the subquery,
//!    which is rewritten in turn.
//! 2. A term of ORDER BY that is a result column has a call of its own, which belongs to the subquery.
//! 3. If the order of the subquery is what ORDER BY asks for, ORDER BY goes.
//! 4. The subquery takes the SELECT's id along, because its aggregates are owned by that.
//!
//! Source: SQLite's `sqlite3WindowRewrite`, `selectWindowRewriteExprCb`.

use crate::bound::walk::{Node, walk};
use crate::bound::walk::{NodeMut, Walk, has_aggregate, has_window, same, same_window, walk_mut};
use crate::bound::{
    ColumnRef, Expr, FromClause, FromItem, FromSource, FunctionCall, IndexHint, JoinKind,
    OrderTerm, ResultColumn, Select, SelectFlags, SelectId, Window, WindowFunction, WindowPass,
};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::table_of_select;
use ringwood_vdbe::FunctionFlags;
use smallvec::SmallVec;
use std::sync::Arc;

/// The window of the function that is written first (rule 1).
pub(super) fn main_window(select: &Select) -> Option<&Window> {
    if !select.flags.window {
        return None;
    }
    let mut found = None;
    let own = select
        .order_by
        .iter()
        .filter(|term| term.result_column.is_none())
        .map(|term| &term.expr);
    let exprs = select.result.iter().map(|column| &column.expr).chain(own);
    for expr in exprs {
        walk(expr, &mut |node| match node {
            Node::Select(_) => Walk::Prune,
            Node::Expr(Expr::Function(call)) => match &call.window {
                Some(window) => {
                    found = Some(&**window);
                    Walk::Stop
                }
                None => Walk::Continue,
            },
            Node::Expr(_) => Walk::Continue,
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Rewrites the SELECT, one part of a compound perhaps.
pub(super) fn rewrite(c: &mut Compiler<'_>, select: &mut Select) -> Result<()> {
    let Some(main) = main_window(select).cloned() else {
        return Ok(());
    };
    if !select.flags.aggregate {
        if let Some(name) = select.order_by.iter().find_map(aggregate_in) {
            return Err(SqlError::error(format!("misuse of aggregate: {name}()")));
        }
    }
    let sort = sort_terms(&main);
    drop_order(select, &sort);

    let cursor = c.alloc_cursor(None);
    for _ in 0..3 {
        c.alloc_cursor(None);
    }
    let mut rewriter = Rewriter {
        c,
        main: &main,
        cursor,
        owner: select.id,
        own: select.from.items.iter().map(|item| item.cursor).collect(),
        columns: Vec::new(),
        calls: Vec::new(),
    };
    for column in &mut select.result {
        rewriter.expr(&mut column.expr, true);
    }
    for term in &mut select.order_by {
        let linked = term.result_column.is_none();
        rewriter.expr(&mut term.expr, linked);
    }
    let buffer_columns = rewriter.columns.len();
    let order = main.order_by.iter().map(|term| &term.expr);
    let terms = main.partition_by.iter().chain(order);
    rewriter.columns.extend(terms.cloned());
    let calls = std::mem::take(&mut rewriter.calls);
    let mut functions = Vec::with_capacity(calls.len());
    // The last one written comes first.
    for call in calls.into_iter().rev() {
        functions.push(rewriter.function(call));
    }
    let mut columns = std::mem::take(&mut rewriter.columns);
    if columns.is_empty() {
        columns.push(Expr::Integer(0));
    }
    let ascending = crate::bound::SortOrder::default();
    let partition = main.partition_by.iter().map(|expr| (expr, ascending));
    let order = main.order_by.iter().map(|term| (&term.expr, term.order));
    let pass = WindowPass {
        partition: c.key_info_of(partition, 0)?,
        order: c.key_info_of(order, 0)?,
        frame: main.frame.clone(),
        functions,
        cursor,
        buffer_columns,
        columns: columns.len(),
    };
    let item = subquery(c, select, columns, sort, cursor);
    select.from.items.push(item);
    select.window = Some(Box::new(pass));
    Ok(())
}

/// The aggregate that a term calls.
fn aggregate_in(term: &OrderTerm) -> Option<String> {
    if !has_aggregate(&term.expr) {
        return None;
    }
    let mut name = None;
    walk(&term.expr, &mut |node| match node {
        Node::Expr(Expr::Function(call)) if call.aggregate.is_some() => {
            name = Some(call.def.name.clone());
            Walk::Stop
        }
        Node::Select(_) => Walk::Prune,
        Node::Expr(_) => Walk::Continue,
    });
    name
}

/// PARTITION BY and ORDER BY as the ORDER BY of the subquery, where an integer would be the number of a column.
fn sort_terms(main: &Window) -> Vec<OrderTerm> {
    let partition = main.partition_by.iter().map(|expr| OrderTerm {
        expr: expr.clone(),
        order: crate::bound::SortOrder::default(),
        result_column: None,
    });
    let mut terms: Vec<OrderTerm> = partition.chain(main.order_by.iter().cloned()).collect();
    for term in &mut terms {
        let mut inner = &mut term.expr;
        while let Expr::Collate { expr, .. } | Expr::Likelihood { expr, .. } = inner {
            inner = expr;
        }
        if inner.as_integer().is_some() {
            *inner = Expr::Null;
        }
    }
    terms
}

/// Rule 3.
fn drop_order(select: &mut Select, sort: &[OrderTerm]) {
    let wished = &select.order_by;
    let is_prefix = wished.len() <= sort.len()
        && wished
            .iter()
            .zip(sort)
            .all(|(wish, term)| wish.order == term.order && same(&wish.expr, &term.expr));
    if is_prefix {
        select.order_by.clear();
    }
}

/// Moves everything but result columns, DISTINCT, ORDER BY and LIMIT into a subquery.
fn subquery(
    c: &mut Compiler<'_>,
    select: &mut Select,
    columns: Vec<Expr>,
    mut sort: Vec<OrderTerm>,
    cursor: i32,
) -> FromItem {
    for term in &mut sort {
        term.result_column = columns.iter().rposition(|column| same(column, &term.expr));
    }
    let number = c.next_select();
    let empty = c.empty_name();
    let window = columns.iter().any(has_window);
    let result = columns.into_iter().map(|expr| ResultColumn {
        expr,
        name: empty.clone(),
        alias: false,
    });
    let inner = Select {
        id: select.id, // rule 4
        number: number.0,
        flags: SelectFlags {
            aggregate: select.flags.aggregate,
            min_max: select.flags.min_max,
            correlated: select.flags.correlated,
            window,
            order_required: true,
            ..SelectFlags::default()
        },
        result: result.collect(),
        rows: Vec::new(),
        from: std::mem::take(&mut select.from),
        where_: select.where_.take(),
        group_by: std::mem::take(&mut select.group_by),
        having: select.having.take(),
        order_by: sort,
        limit: None,
        offset: None,
        window: None,
        prior: None,
    };
    select.id = number;
    select.flags.aggregate = false;
    select.flags.min_max = false;
    select.from = FromClause::default();
    let table = Arc::new(table_of_select(c, &inner, empty));
    for n in 0..4 {
        c.set_cursor_table(cursor + n, table.clone());
    }
    FromItem {
        cursor: c.alloc_cursor(Some(table.clone())),
        db: 0,
        table,
        alias: None,
        source: FromSource::Select(Box::new(inner)),
        join: JoinKind::default(),
        on: None,
        hint: IndexHint::Any,
        columns_used: u64::MAX,
        id: c.next_subquery(),
        correlated: true,
        cte: None,
        nested_join: false,
        from_exists: false,
        written_db: None,
    }
}

/// A call that this pass computes.
struct Call {
    function: FunctionCall,
    accumulator: i32,
    result: i32,
}

/// Replaces what the subquery computes by its columns.
struct Rewriter<'r, 'c> {
    c: &'r mut Compiler<'c>,
    main: &'r Window,
    cursor: i32,
    owner: SelectId,
    /// The cursors of FROM.
    own: SmallVec<[i32; 8]>,
    /// The subquery's columns so far.
    columns: Vec<Expr>,
    calls: Vec<Call>,
}

impl Rewriter<'_, '_> {
    /// `linked`: whether calls of this pass's windows are of this pass (rule 2).
    fn expr(&mut self, expr: &mut Expr, linked: bool) {
        walk_mut(expr, &mut |node| match node {
            NodeMut::Select(_) => Walk::Continue,
            NodeMut::Expr(expr) => self.visit(expr, linked),
        });
    }

    fn visit(&mut self, expr: &mut Expr, linked: bool) -> Walk {
        match expr {
            Expr::Column(column) if self.own.contains(&column.cursor) => {}
            Expr::IfNullRow { cursor, .. } if self.own.contains(cursor) => {}
            Expr::Function(call) => {
                if let Some(window) = &call.window {
                    if !self.is_own(window) {
                        return Walk::Continue; // of a subquery
                    }
                    // The first one is the pass's by its place: with a subquery in it, a window is not even like itself.
                    if linked && (self.calls.is_empty() || same_window(window, self.main)) {
                        self.link(expr);
                        return Walk::Prune;
                    }
                } else if call
                    .aggregate
                    .as_ref()
                    .is_none_or(|aggregate| aggregate.owner != self.owner)
                {
                    return Walk::Continue;
                }
            }
            _ => return Walk::Continue,
        }
        self.to_column(expr);
        Walk::Prune
    }

    /// Whether a window function is called by this SELECT and not by one within.
    fn is_own(&self, window: &Window) -> bool {
        window.owner == self.owner
    }

    /// Replaces a call by its register.
    fn link(&mut self, expr: &mut Expr) {
        let collation = if expr.has_collate() {
            self.c.collation_name(expr)
        } else {
            None
        };
        let (accumulator, result) = (self.c.alloc_reg(), self.c.alloc_reg());
        let value = Expr::Register {
            reg: result,
            affinity: ringwood_format::affinity::Affinity::None,
            collation,
        };
        if let Expr::Function(call) = std::mem::replace(expr, value) {
            self.calls.push(Call {
                function: *call,
                accumulator,
                result,
            });
        }
    }

    /// Replaces an expression by the column of the subquery that computes it.
    fn to_column(&mut self, expr: &mut Expr) {
        let known = self.columns.iter().position(|have| same(have, expr));
        let column = known.unwrap_or(self.columns.len());
        let value = Expr::Column(ColumnRef {
            cursor: self.cursor,
            column: column as i32,
            affinity: expr.affinity(),
            can_be_null: true,
        });
        let computed = std::mem::replace(expr, value);
        if known.is_none() {
            self.columns.push(computed);
        }
    }

    /// Gives a function's arguments and FILTER their columns.
    fn function(&mut self, call: Call) -> WindowFunction {
        let FunctionCall {
            def, args, window, ..
        } = call.function;
        let first = args.first();
        let collation = first
            .and_then(|arg| self.c.collation_name(arg))
            .unwrap_or_default();
        let arg_count = args.len();
        let mut arg_exprs = None;
        let arg_column;
        if def.flags.contains(FunctionFlags::SUBTYPE) {
            let mut args = args;
            for arg in &mut args {
                self.expr(arg, true);
            }
            arg_exprs = Some(args);
            arg_column = self.columns.len();
        } else {
            arg_column = self.columns.len();
            self.columns.extend(args);
        }
        let filter = window.and_then(|window| window.filter);
        let has_filter = filter.is_some();
        self.columns.extend(filter);
        WindowFunction {
            def,
            arg_count,
            arg_column,
            arg_exprs,
            collation,
            has_filter,
            accumulator: call.accumulator,
            result: call.result,
        }
    }
}
