//! SELECT: its clauses in SQLite's order, compounds, VALUES.
//!
//! Order: the parts of a compound from the last to the first; in each: LIMIT, FROM, result columns, HAVING, WHERE with
//! ON, ORDER BY, GROUP BY. It decides which of several errors is reported.
//!
//! Source: SQLite's `resolveSelectStep`, `sqlite3SelectWrongNumTermsError`.

use super::Resolver;
use super::expr::{any_call, compound_op};
use super::scope::Scope;
use crate::ast::{self, Distinctness, SelectCore};
use crate::authorizer::ActionCode;
use crate::bound::walk::{NodeMut, Walk, walk_select_mut};
use crate::bound::{CompoundOp, Expr, FromClause, ResultColumn, Select, SelectFlags, SelectId};
use crate::compiler::{Result, SqlError};

/// What the result columns of a SELECT are named for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameMode {
    /// Nobody asks; only aliases are kept.
    None,
    /// The caller of the statement: the text of the expression, or the column's name.
    Output,
    /// A query around it: the identifier as written.
    Subquery,
    /// A view or CREATE TABLE AS: the column's name, or the text.
    View,
}

/// A part of a compound while it is resolved.
pub(super) struct Part {
    pub select: Box<Select>,
    pub scope: Scope,
}

/// A SELECT that the authorizer ignores has no rows.
fn ignore(select: &mut Select) {
    select.limit = Some(Expr::Integer(0));
}

fn ignore_inner(outermost: &mut Select, id: SelectId) {
    walk_select_mut(outermost, &mut |node| {
        if let NodeMut::Select(select) = node {
            if select.id == id {
                ignore(select);
            }
        }
        Walk::Continue
    });
}

/// How deep queries may nest, views included: so deep a stack of 2 MiB lets them be compiled. Stock SQLite takes a few
/// hundred, as its parser's stack allows.
const NESTING_MAX: u32 = 200;

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// Resolves a SELECT; what is in sight now is around it.
    pub fn select(&mut self, select: &'a ast::Select, names: NameMode) -> Result<Box<Select>> {
        let withs = self.withs.len();
        if let Some(with) = &select.with {
            self.push_with(with)?;
        }
        self.enter()?;
        let is_outermost = self.c.selects == 0;
        if is_outermost {
            self.c.inner_selects.clear();
        }
        let allowed = !is_outermost || self.c.authorize(ActionCode::Select, None, None, None)?;
        self.prepared += 1;
        self.c.selects += 1;
        let bound = self.select_body(select, names);
        self.c.selects -= 1;
        self.prepared -= 1;
        self.leave();
        self.withs.truncate(withs);
        let mut bound = match bound {
            Ok(bound) => bound,
            Err(e) if self.prepared == 0 => return Err(self.earlier_error(select, e)),
            Err(e) => return Err(e),
        };
        if !allowed {
            ignore(&mut bound);
        }
        if self.c.asks() {
            if is_outermost {
                self.ask_about_inner(&mut bound)?;
            } else {
                let accessor = self.c.accessor.clone();
                self.c.inner_selects.push((bound.id, accessor));
            }
        }
        Ok(bound)
    }

    /// Asks about the SELECTs within one: stock SQLite prepares them once all names are resolved.
    fn ask_about_inner(&mut self, outermost: &mut Select) -> Result<()> {
        for (id, accessor) in std::mem::take(&mut self.c.inner_selects) {
            let before = std::mem::replace(&mut self.c.accessor, accessor);
            let allowed = self.c.authorize(ActionCode::Select, None, None, None);
            self.c.accessor = before;
            if !allowed? {
                ignore_inner(outermost, id);
            }
        }
        Ok(())
    }

    /// One level of nesting more.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.c.nesting += 1;
        if self.c.nesting > NESTING_MAX {
            return Err(SqlError::error("VIEWs and/or subqueries nested too deep"));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.c.nesting -= 1;
    }

    fn select_body(&mut self, select: &'a ast::Select, names: NameMode) -> Result<Box<Select>> {
        if let (true, SelectCore::Values(values)) = (select.compounds.is_empty(), &select.core) {
            if values.row_count() > 1 && Self::has_window(values) {
                let limit = self.limit(select.limit.as_deref())?;
                return self.values_one_by_one(values, &select.order_by, names, limit);
            }
        }
        if select.compounds.is_empty() {
            let limit = match &select.limit {
                Some(limit) => self.limit(Some(limit))?,
                None => (None, None),
            };
            let mut bound = self.core_in_scope(&select.core, &select.order_by, names)?;
            let scope = self.scope();
            bound.result = std::mem::take(&mut scope.result);
            bound.from.items = std::mem::take(&mut scope.items);
            (bound.limit, bound.offset) = limit;
            self.scopes.pop();
            return Ok(bound);
        }
        let limit = self.limit(select.limit.as_deref())?;
        if select.compounds.len() >= self.c.ctx.limits.compound_select {
            return Err(SqlError::error("too many terms in compound SELECT"));
        }
        // From the last to the first; only the first gives names.
        let mut parts = Vec::with_capacity(select.compounds.len() + 1);
        for (i, compound) in select.compounds.iter().enumerate().rev() {
            parts.push(self.core(&compound.core, &[], NameMode::None)?);
            check_count(&parts, select, i + 1)?;
        }
        parts.push(self.core(&select.core, &[], names)?);
        check_count(&parts, select, 0)?;
        parts.reverse();
        let order_by = self.compound_order_by(&select.order_by, &mut parts)?;
        let ops = select
            .compounds
            .iter()
            .map(|compound| compound_op(compound.op));
        let mut head = link_parts(parts, ops);
        head.order_by = order_by;
        (head.limit, head.offset) = limit;
        Ok(head)
    }

    /// Whether a row of VALUES calls a window function.
    fn has_window(values: &ast::Values) -> bool {
        let is_window = |call: &ast::FunctionCall| call.over.is_some();
        values.exprs.iter().any(|expr| any_call(expr, &is_window))
    }

    /// Rows of VALUES that are queries: a compound of them.
    fn values_one_by_one(
        &mut self,
        values: &'a ast::Values,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
        limit: (Option<Expr>, Option<Expr>),
    ) -> Result<Box<Select>> {
        let count = values.row_count();
        if count > self.c.ctx.limits.compound_select {
            return Err(SqlError::error("too many terms in compound SELECT"));
        }
        check_values(values)?;
        let mut parts = Vec::with_capacity(count);
        for row in (0..count).rev() {
            let names = if row == 0 { names } else { NameMode::None };
            let select = self.values_rows(values, row..row + 1, &[], names)?;
            let scope = self.pop_scope();
            parts.push(Part { select, scope });
        }
        parts.reverse();
        let order_by = self.compound_order_by(order_by, &mut parts)?;
        let mut head = link_parts(parts, std::iter::repeat(CompoundOp::UnionAll));
        head.order_by = order_by;
        (head.limit, head.offset) = limit;
        Ok(head)
    }

    /// LIMIT and OFFSET see no columns at all.
    pub(super) fn limit(
        &mut self,
        limit: Option<&'a ast::Limit>,
    ) -> Result<(Option<Expr>, Option<Expr>)> {
        let Some(limit) = limit else {
            return Ok((None, None));
        };
        let outer = std::mem::take(&mut self.scopes);
        self.scopes.push(Scope::default());
        let bound = self.expr(&limit.limit).and_then(|count| {
            let offset = limit
                .offset
                .as_ref()
                .map(|offset| self.expr(offset))
                .transpose()?;
            Ok((Some(count), offset))
        });
        self.scopes = outer;
        bound
    }

    /// One part.
    pub(super) fn core(
        &mut self,
        core: &'a SelectCore,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
    ) -> Result<Part> {
        let select = self.core_in_scope(core, order_by, names)?;
        let scope = self.pop_scope();
        Ok(Part { select, scope })
    }

    /// The same; what it has found is still in its scope, which is the innermost one.
    fn core_in_scope(
        &mut self,
        core: &'a SelectCore,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
    ) -> Result<Box<Select>> {
        let depth = self.scopes.len();
        let select = match core {
            SelectCore::Select(clause) => self.clause(clause, order_by, names),
            SelectCore::Values(values) => self.values(values, order_by, names),
        };
        if select.is_err() {
            self.scopes.truncate(depth);
        }
        select
    }

    fn clause(
        &mut self,
        clause: &'a ast::SelectClause,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
    ) -> Result<Box<Select>> {
        let mut select = self.empty_select();
        select.number = clause.number;
        select.flags.distinct = clause.distinct == Distinctness::Distinct;
        super::window::check_windows(&clause.windows)?;
        let joined = match &clause.from {
            Some(from) => self.from(from)?,
            None => super::from::Joined::default(),
        };
        self.scopes.push(Scope {
            items: joined.items,
            names: joined.names,
            select: select.id,
            allow_aggregates: true,
            allow_windows: true,
            ..Scope::default()
        });
        if clause.windows.is_empty() {
            self.clause_in_scope(clause, order_by, names, &mut select, &joined.ons)?;
        } else {
            self.window_clauses.push((select.id, &clause.windows));
            let part = self.clause_in_scope(clause, order_by, names, &mut select, &joined.ons);
            self.window_clauses.pop();
            part?;
        }
        Ok(select)
    }

    fn clause_in_scope(
        &mut self,
        clause: &'a ast::SelectClause,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
        select: &mut Select,
        ons: &[super::from::OnClause<'a>],
    ) -> Result<()> {
        let result = self.result_columns(&clause.columns, names)?;
        select.flags.aggregate = !clause.group_by.is_empty() || self.scope().has_aggregates;
        select.flags.min_max = self.scope().has_min_max;
        let scope = self.scope();
        scope.allow_aggregates = select.flags.aggregate;
        scope.allow_windows = false;
        scope.result = result;
        scope.use_result = true;
        if let Some(having) = &clause.having {
            if !select.flags.aggregate {
                return Err(SqlError::error("HAVING clause on a non-aggregate query"));
            }
            select.having = Some(self.expr(having)?);
        }
        self.scope().in_where = true;
        if let Some(where_clause) = &clause.where_clause {
            select.where_ = Some(self.expr(where_clause)?);
        }
        let refers_to_right = self.resolve_ons(ons)?;
        self.scope().in_where = false;
        self.scope().allow_aggregates = true;
        self.scope().allow_windows = true;
        select.order_by = self.order_by(order_by)?;
        self.scope().allow_windows = false;
        select.group_by = self.group_by(&clause.group_by)?;
        if refers_to_right {
            return Err(SqlError::error("ON clause references tables to its right"));
        }
        let scope = self.scope();
        select.flags.window = scope.main_window.is_some();
        select.flags.multi_part = scope.multi_part;
        Ok(())
    }

    /// VALUES: the first row makes the columns.
    fn values(
        &mut self,
        values: &'a ast::Values,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
    ) -> Result<Box<Select>> {
        check_values(values)?;
        self.values_rows(values, 0..values.row_count(), order_by, names)
    }

    fn values_rows(
        &mut self,
        values: &'a ast::Values,
        rows: std::ops::Range<usize>,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
    ) -> Result<Box<Select>> {
        if values.row(0).len() > self.c.ctx.limits.columns {
            return Err(SqlError::error("too many columns in result set"));
        }
        let mut select = self.empty_select();
        select.number = values.number;
        select.flags.values = true;
        let several = rows.len() > 1;
        self.scopes.push(Scope {
            select: select.id,
            allow_aggregates: !several,
            allow_windows: !several,
            ..Scope::default()
        });
        self.values_in_scope(values, rows, order_by, names, &mut select)?;
        Ok(select)
    }

    fn values_in_scope(
        &mut self,
        values: &'a ast::Values,
        rows: std::ops::Range<usize>,
        order_by: &'a [ast::SortTerm],
        names: NameMode,
        select: &mut Select,
    ) -> Result<()> {
        let first = self.exprs(values.row(rows.start))?;
        let mut result = self.unnamed_columns(first);
        if names != NameMode::None {
            for (i, column) in result.iter_mut().enumerate() {
                column.name = format!("column{}", i + 1).into();
            }
        }
        for i in rows.start + 1..rows.end {
            select.rows.push(self.exprs(values.row(i))?);
        }
        let scope = self.scope();
        select.flags.aggregate = scope.has_aggregates;
        scope.result = result;
        scope.allow_aggregates = true;
        select.order_by = self.order_by(order_by)?;
        select.flags.window = self.scope().main_window.is_some();
        Ok(())
    }

    /// A SELECT with a number and nothing else.
    pub(super) fn empty_select(&mut self) -> Box<Select> {
        let id = self.c.next_select();
        Box::new(Select {
            id,
            number: id.0,
            flags: SelectFlags::default(),
            result: Vec::new(),
            rows: Vec::new(),
            from: FromClause::default(),
            where_: None,
            group_by: Vec::new(),
            having: None,
            order_by: Vec::new(),
            limit: None,
            offset: None,
            window: None,
            prior: None,
        })
    }

    /// Result columns that nobody names.
    pub(super) fn unnamed_columns(&mut self, exprs: Vec<Expr>) -> Vec<ResultColumn> {
        let empty = self.c.empty_name();
        exprs
            .into_iter()
            .map(|expr| ResultColumn {
                expr,
                name: empty.clone(),
                alias: false,
            })
            .collect()
    }
}

fn check_values(values: &ast::Values) -> Result<()> {
    let count = values.row(0).len();
    if values.rows().any(|row| row.len() != count) {
        return Err(SqlError::error(
            "all VALUES must have the same number of terms",
        ));
    }
    Ok(())
}

/// A compound of its parts, and what is between them.
fn link_parts(parts: Vec<Part>, ops: impl IntoIterator<Item = CompoundOp>) -> Box<Select> {
    let mut parts = parts
        .into_iter()
        .map(|part| finish_part(part, (None, None)));
    let mut head = parts.next().expect("a compound has parts");
    head.flags.compound = true;
    for (mut part, op) in parts.zip(ops) {
        part.flags.compound = true;
        part.prior = Some((op, head));
        head = part;
    }
    head
}

/// Moves what the scope holds into the SELECT.
pub(super) fn finish_part(part: Part, limit: (Option<Expr>, Option<Expr>)) -> Box<Select> {
    let Part { mut select, scope } = part;
    select.result = scope.result;
    select.from = FromClause { items: scope.items };
    (select.limit, select.offset) = limit;
    select
}

/// Whether part `i`, the last of `parts`, has as many columns as the one behind it.
fn check_count(parts: &[Part], select: &ast::Select, i: usize) -> Result<()> {
    match parts {
        [.., after, this] if after.scope.result.len() != this.scope.result.len() => {
            Err(wrong_column_count(select.compounds[i].op))
        }
        _ => Ok(()),
    }
}

#[cold]
pub(super) fn wrong_column_count(op: ast::CompoundOp) -> SqlError {
    SqlError::error(format!(
        "SELECTs to the left and right of {} do not have the same number of result columns",
        op.symbol()
    ))
}

/// A SELECT of constant rows, for other statements to build on.
pub fn select_of_rows(id: SelectId, first: Vec<ResultColumn>, rows: Vec<Vec<Expr>>) -> Select {
    Select {
        id,
        number: id.0,
        flags: SelectFlags {
            values: true,
            ..SelectFlags::default()
        },
        result: first,
        rows,
        from: FromClause::default(),
        where_: None,
        group_by: Vec::new(),
        having: None,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        window: None,
        prior: None,
    }
}

impl CompoundOp {
    /// As written.
    pub const fn symbol(self) -> &'static str {
        match self {
            CompoundOp::UnionAll => "UNION ALL",
            CompoundOp::Union => "UNION",
            CompoundOp::Intersect => "INTERSECT",
            CompoundOp::Except => "EXCEPT",
        }
    }
}
