//! Which of several mistakes in a query is reported: those that stock SQLite finds before it looks at any name.
//!
//! ```text
//!   stock     tables, joins, stars of the whole query, in FROM, in expressions │ then names, functions, aggregates
//!   here      one walk does both                                               │ after an error this pass looks again
//! ```
//!
//! Rules:
//! 1. It runs after an error only, over the tree as it was parsed, and builds nothing but the names of columns.
//! 2. A query's parts from the last to the first; in each: FROM, joins, stars; then the queries in its expressions:
//!    result columns, WHERE and ON, GROUP BY, HAVING, ORDER BY, LIMIT, windows, arguments of table-valued functions.
//! 3. An unknown star is noted and the walk goes on; the next query ends it, and what that says last counts. Once
//!    something is wrong, common table expressions are not found any more, but for the recursive uses of one.
//! 4. A view's own SELECT was checked by itself, names included, when the view was looked up.
//!
//! Source: SQLite's `selectExpander`, `resolveFromTermToCte`, `sqlite3WalkSelect`.

use super::Resolver;
use super::cte::{OpenCte, recursion};
use crate::ast::walk::{Child, children, window_children};
use crate::ast::{
    self, ExprKind, Indexed, JoinConstraint, JoinType, ResultColumn, SelectCore, Source,
};
use crate::compiler::{Result, SqlError};
use crate::schema::{Table, TableKind};
use ringwood_vdbe::ResultCode;
use std::sync::Arc;

/// What an item of FROM shows.
#[derive(Default)]
struct Shown {
    /// Its name for `name.*`; none for a parenthesised join.
    name: Option<Arc<str>>,
    columns: Vec<ShownColumn>,
    /// The columns of its USING clause, or of NATURAL.
    using: Names,
}

struct ShownColumn {
    /// The table that it comes from, where the item is a parenthesised join.
    table: Arc<str>,
    name: Arc<str>,
}

/// The walk: what is wrong so far (rule 3). An `Err` ends it.
#[derive(Default)]
struct Expansion {
    wrong: Option<SqlError>,
    /// Uses of common table expressions: their bodies are walked anew for each.
    uses: usize,
}

/// The names of a query's columns.
type Names = Vec<Arc<str>>;

/// A recursive common table expression while its recursive terms are walked: their places, its name and columns.
pub(super) struct Recursive {
    places: Vec<*const ast::QualifiedName>,
    name: Arc<str>,
    columns: Names,
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// What stock SQLite would say before it came to the error at hand, or else that error.
    #[cold]
    pub(super) fn earlier_error(&mut self, select: &'a ast::Select, error: SqlError) -> SqlError {
        if error.code != ResultCode::ERROR || error.is_connecting() {
            return error;
        }
        self.c.unasked += 1;
        let earlier = self.expansion_error(select);
        self.c.unasked -= 1;
        earlier.unwrap_or(error)
    }

    fn expansion_error(&mut self, select: &'a ast::Select) -> Option<SqlError> {
        let (withs, open, nesting) = (self.withs.len(), self.open_ctes.len(), self.c.nesting);
        let mut walk = Expansion::default();
        let end = self.expand(select, &mut walk);
        self.c.nesting = nesting;
        self.withs.truncate(withs);
        self.open_ctes.truncate(open);
        end.err().or(walk.wrong)
    }

    fn expand(&mut self, select: &'a ast::Select, walk: &mut Expansion) -> Result<Names> {
        self.enter()?;
        let names = self.expand_parts(select, 0, select.compounds.len() + 1, walk);
        self.leave();
        names
    }

    /// The parts `from..to`, the last first; the names of the first of them.
    fn expand_parts(
        &mut self,
        select: &'a ast::Select,
        from: usize,
        to: usize,
        walk: &mut Expansion,
    ) -> Result<Names> {
        let withs = self.withs.len();
        if let (Some(with), None) = (&select.with, &walk.wrong) {
            self.push_with(with)?;
        }
        let last = select.compounds.len();
        let mut names = Names::new();
        for at in (from..to).rev() {
            let core = match at.checked_sub(1) {
                None => &select.core,
                Some(at) => &select.compounds[at].core,
            };
            names = self.expand_core(core, walk)?;
            self.expand_exprs_of(core, walk)?;
            if at == last {
                for term in &select.order_by {
                    self.expand_expr(&term.expr, walk)?;
                }
                if let Some(limit) = &select.limit {
                    self.expand_expr(&limit.limit, walk)?;
                    if let Some(offset) = &limit.offset {
                        self.expand_expr(offset, walk)?;
                    }
                }
            }
            self.expand_last_exprs_of(core, walk)?;
        }
        self.withs.truncate(withs);
        Ok(names)
    }

    /// FROM, joins and stars of one part; its columns.
    fn expand_core(&mut self, core: &'a SelectCore, walk: &mut Expansion) -> Result<Names> {
        let clause = match core {
            SelectCore::Select(clause) => clause,
            SelectCore::Values(values) => {
                stop_if_wrong(walk)?;
                let count = values.row(0).len();
                return Ok((1..=count).map(|n| format!("column{n}").into()).collect());
            }
        };
        let items = self.expand_from(clause.from.as_ref(), walk)?;
        let mut names = Names::new();
        for column in &clause.columns {
            match column {
                ResultColumn::Star(_) => star(&items, None, &mut names, walk),
                ResultColumn::TableStar { table, .. } => {
                    star(&items, Some(&table.text), &mut names, walk);
                }
                ResultColumn::Expr { expr, alias, .. } => {
                    names.push(match alias {
                        Some(alias) => Arc::from(&*alias.text),
                        None => written_name(expr),
                    });
                }
            }
        }
        if names.len() > self.c.ctx.limits.columns {
            return Err(SqlError::error("too many columns in result set"));
        }
        Ok(names)
    }

    fn expand_from(
        &mut self,
        from: Option<&'a ast::FromClause>,
        walk: &mut Expansion,
    ) -> Result<Vec<Shown>> {
        let mut items: Vec<Shown> = Vec::new();
        for item in from.iter().flat_map(|from| &from.items) {
            items.push(self.expand_item(item, walk)?);
        }
        stop_if_wrong(walk)?;
        let is_right = |item: &ast::FromItem| item.join.contains(JoinType::RIGHT);
        let merges = from.is_some_and(|from| from.items.iter().any(is_right));
        for (i, item) in from.iter().flat_map(|from| &from.items).enumerate().skip(1) {
            check_join(&mut items, i, item, merges, walk)?;
        }
        Ok(items)
    }

    fn expand_item(&mut self, item: &'a ast::FromItem, walk: &mut Expansion) -> Result<Shown> {
        let alias = item.alias.as_ref().map(|alias| Arc::from(&*alias.text));
        let shown = |name: Option<Arc<str>>, names: Names| Shown {
            columns: names
                .into_iter()
                .map(|column| ShownColumn {
                    table: name.clone().unwrap_or_default(),
                    name: column,
                })
                .collect(),
            name: Some(name.unwrap_or_default()),
            using: Names::new(),
        };
        match &item.source {
            Source::Select(select) => Ok(shown(alias, self.expand(select, walk)?)),
            Source::Join(inner) => {
                let items = self.expand_from(Some(inner), walk)?;
                self.expand_ons(inner, walk)?;
                let columns = items.into_iter().flat_map(|item| item.columns).collect();
                Ok(Shown {
                    columns,
                    ..Shown::default()
                })
            }
            Source::Function { name, .. } => {
                let bound = self.from_function(name, alias.clone())?;
                let names = bound.table.columns.iter().filter(|column| !column.hidden);
                let names = names.map(|column| column.name.clone()).collect();
                Ok(shown(alias.or(Some(bound.table.name.clone())), names))
            }
            Source::Table { name, indexed } => {
                if name.schema.is_none() {
                    if let Some((of, names)) = self.expand_cte(name, indexed, walk)? {
                        return Ok(shown(alias.or(Some(of)), names));
                    }
                }
                let (db, table) = self.find_table(name)?;
                let mut columns = table.clone();
                if let TableKind::View { .. } = table.kind {
                    columns = self.view_select(db, &table)?.1; // rule 4
                    if walk.wrong.is_some() {
                        self.expand_view(db, &table, walk);
                    }
                }
                if let Indexed::By(index) = indexed {
                    let is = |have: &Arc<crate::schema::Index>| {
                        have.name.eq_ignore_ascii_case(&index.text)
                    };
                    if !table.indexes.iter().any(is) {
                        return Err(SqlError::error(format!("no such index: {}", index.text)));
                    }
                }
                let names = columns.columns.iter().filter(|column| !column.hidden);
                let names = names.map(|column| column.name.clone()).collect();
                Ok(shown(alias.or(Some(table.name.clone())), names))
            }
        }
    }

    /// A view's own SELECT after something was wrong: rule 3 is its rule, too, but the query around goes on.
    fn expand_view(&mut self, db: usize, view: &Arc<Table>, walk: &mut Expansion) {
        let schema: &'a crate::schema::Schema = self.c.ctx.schema;
        let kept = schema.dbs[db].table(&view.name);
        let Some(TableKind::View { select, .. }) = kept.map(|kept| &kept.kind) else {
            return;
        };
        let withs = std::mem::take(&mut self.withs);
        let fixed = std::mem::replace(&mut self.fixed_db, (db != 1).then_some(db));
        let end = self.expand(select, walk);
        self.fixed_db = fixed;
        self.withs = withs;
        if let Err(e) = end {
            walk.wrong = Some(e);
        }
    }

    /// A use of a common table expression: its name and columns.
    fn expand_cte(
        &mut self,
        name: &'a ast::QualifiedName,
        indexed: &Indexed,
        walk: &mut Expansion,
    ) -> Result<Option<(Arc<str>, Names)>> {
        let place: *const ast::QualifiedName = name;
        let mut uses = self.expanded_recursions.iter().rev();
        if let Some(known) = uses.find(|known| known.places.contains(&place)) {
            return Ok(Some((known.name.clone(), known.columns.clone())));
        }
        if walk.wrong.is_some() {
            return Ok(None);
        }
        let Some((frame, cte)) = self.find_cte(name, indexed)? else {
            return Ok(None);
        };
        let address: *const ast::Cte = cte;
        let recursion = recursion(cte)?;
        walk.uses += 1;
        if walk.uses >= self.c.ctx.limits.expr_depth {
            return Err(SqlError::error("VIEWs and/or subqueries nested too deep"));
        }
        let hidden = self.withs.split_off(frame + 1);
        self.open_ctes.push(OpenCte {
            address,
            problem: "circular reference",
        });
        self.enter()?;
        let parts = cte.select.compounds.len() + 1;
        let first = recursion
            .as_ref()
            .map_or(parts, |recursion| recursion.first);
        let mut names = self.expand_parts(&cte.select, 0, first, walk)?;
        if walk.wrong.is_none() || !names.is_empty() {
            super::cte::check_columns(cte, names.len())?;
        }
        if !cte.columns.is_empty() {
            names = cte
                .columns
                .iter()
                .map(|name| Arc::from(&*name.text))
                .collect();
        }
        let of: Arc<str> = Arc::from(&*cte.name.text);
        if let Some(recursion) = recursion {
            if let Some(open) = self.open_ctes.last_mut() {
                open.problem = "multiple recursive references";
            }
            self.expanded_recursions.push(Recursive {
                places: recursion.places.to_vec(),
                name: of.clone(),
                columns: names.clone(),
            });
            let rest = self.expand_parts(&cte.select, first, parts, walk);
            self.expanded_recursions.pop();
            rest?;
        }
        self.leave();
        self.open_ctes.pop();
        self.withs.extend(hidden);
        Ok(Some((of, names)))
    }

    fn expand_ons(&mut self, from: &'a ast::FromClause, walk: &mut Expansion) -> Result<()> {
        for item in &from.items {
            if let Some(JoinConstraint::On(on)) = &item.constraint {
                self.expand_expr(on, walk)?;
            }
        }
        Ok(())
    }

    /// The queries in the expressions of a part, up to HAVING.
    fn expand_exprs_of(&mut self, core: &'a SelectCore, walk: &mut Expansion) -> Result<()> {
        let clause = match core {
            SelectCore::Select(clause) => clause,
            SelectCore::Values(values) => {
                return values
                    .exprs
                    .iter()
                    .try_for_each(|expr| self.expand_expr(expr, walk));
            }
        };
        for column in &clause.columns {
            if let ResultColumn::Expr { expr, .. } = column {
                self.expand_expr(expr, walk)?;
            }
        }
        if let Some(filter) = &clause.where_clause {
            self.expand_expr(filter, walk)?;
        }
        if let Some(from) = &clause.from {
            self.expand_ons(from, walk)?;
        }
        for expr in clause.group_by.iter().chain(&clause.having) {
            self.expand_expr(expr, walk)?;
        }
        Ok(())
    }

    /// Those behind LIMIT.
    fn expand_last_exprs_of(&mut self, core: &'a SelectCore, walk: &mut Expansion) -> Result<()> {
        let SelectCore::Select(clause) = core else {
            return Ok(());
        };
        let mut result = Ok(());
        for window in &clause.windows {
            window_children(window, &mut |child| {
                if result.is_ok() {
                    result = self.expand_child(child, walk);
                }
            });
        }
        result?;
        for item in clause.from.iter().flat_map(|from| &from.items) {
            if let Source::Function { args, .. } = &item.source {
                args.iter()
                    .try_for_each(|arg| self.expand_expr(arg, walk))?;
            }
        }
        Ok(())
    }

    fn expand_expr(&mut self, expr: &'a ast::Expr, walk: &mut Expansion) -> Result<()> {
        let mut result = Ok(());
        children(expr, &mut |child| {
            if result.is_ok() {
                result = self.expand_child(child, walk);
            }
        });
        result
    }

    fn expand_child(&mut self, child: Child<'a>, walk: &mut Expansion) -> Result<()> {
        match child {
            Child::Expr(expr) => self.expand_expr(expr, walk),
            Child::Select(select) => self.expand(select, walk).map(drop),
            Child::Table(name) => {
                let is_cte = name.schema.is_none()
                    && self
                        .expand_cte(name, &Indexed::Unspecified, walk)?
                        .is_some();
                if !is_cte {
                    let (db, table) = self.find_table(name)?;
                    if let TableKind::View { .. } = table.kind {
                        self.view_select(db, &table)?;
                    }
                }
                stop_if_wrong(walk)
            }
        }
    }
}

/// Rule 3.
fn stop_if_wrong(walk: &mut Expansion) -> Result<()> {
    walk.wrong.take().map_or(Ok(()), Err)
}

/// The name of a result column without AS, as a query around it sees it.
fn written_name(expr: &ast::Expr) -> Arc<str> {
    let mut inner = expr;
    while let ExprKind::Collate(collate) = &inner.kind {
        inner = &collate.expr;
    }
    match &inner.kind {
        ExprKind::Id(name) => Arc::from(&*name.text),
        ExprKind::Column(column) => Arc::from(&*column.column.text),
        _ => Arc::default(),
    }
}

fn star(items: &[Shown], wanted: Option<&str>, names: &mut Names, walk: &mut Expansion) {
    let before = names.len();
    for item in items {
        let is_other = |name: &Arc<str>| wanted.is_some_and(|w| !name.eq_ignore_ascii_case(w));
        if item.name.as_ref().is_some_and(is_other) {
            continue;
        }
        let columns = item.columns.iter().filter(|column| {
            item.name.is_some() || wanted.is_none_or(|w| column.table.eq_ignore_ascii_case(w))
        });
        names.extend(columns.map(|column| column.name.clone()));
    }
    if names.len() == before {
        walk.wrong = Some(match wanted {
            Some(table) => SqlError::error(format!("no such table: {table}")),
            None => SqlError::error("no tables specified"),
        });
    }
}

/// NATURAL and USING of one item. `merges`: a RIGHT or FULL JOIN is among the items, so that a column of USING may be
/// that of several.
fn check_join(
    items: &mut [Shown],
    i: usize,
    item: &ast::FromItem,
    merges: bool,
    walk: &mut Expansion,
) -> Result<()> {
    let natural = item.join.contains(JoinType::NATURAL);
    if natural && item.constraint.is_some() {
        return Err(SqlError::error(
            "a NATURAL join may not have an ON or USING clause",
        ));
    }
    let has = |item: &Shown, name: &str| {
        item.columns
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case(name))
    };
    let (left, right) = items.split_at_mut(i);
    let names: Names = match &item.constraint {
        Some(JoinConstraint::Using(names)) => names.iter().map(|n| Arc::from(&*n.text)).collect(),
        None if natural => {
            let shared = right[0].columns.iter().map(|column| column.name.clone());
            shared
                .filter(|name| left.iter().any(|item| has(item, name)))
                .collect()
        }
        _ => return Ok(()),
    };
    for name in &names {
        let mut known = left.iter().filter(|item| has(item, name));
        if !has(&right[0], name) || known.next().is_none() {
            let message =
                format!("cannot join using column {name} - column not present in both tables");
            return Err(SqlError::error(message));
        }
        let is_merged = |item: &Shown| item.using.iter().any(|u| u.eq_ignore_ascii_case(name));
        if merges && known.any(|item| !is_merged(item)) {
            let message = format!("ambiguous reference to {name} in USING()");
            walk.wrong = Some(SqlError::error(message));
            break;
        }
    }
    right[0].using = names;
    Ok(())
}
