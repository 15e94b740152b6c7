//! Which names in a stored definition mean a table, a column of it, or, in double quotes, a string.
//!
//! ```text
//! CREATE VIEW v AS SELECT t.a, "x" FROM t WHERE b IN (SELECT a FROM u)
//!                         │ │   │       │       │            │      └ table u
//!                         │ │   string  │       │            └ column u.a
//!                         │ column t.a  table t column t.b
//!                         qualifier t
//! ```
//!
//! Rules:
//! 1. Names are looked for as `resolve` does, but nothing is bound: only where a name stands and what it means is kept.
//! 2. A column of a subquery, a view or a common table expression is no column of a table.
//! 3. The INTEGER PRIMARY KEY and the rowid under any of its names are column -1.
//! 4. Names in views that a definition uses are not part of it.
//! 5. A table-valued function may have any column.
//! 6. `excluded` in an upsert is no table. (Stock SQLite renames it with its table, which changes what the trigger does.)
//!
//! Source: SQLite's `renameColumnExprCb`, `renameTableSelectCb`, `lookupName`.

use crate::ast::walk::{Child, children, window_children};
use crate::ast::{
    self, CreateTrigger, Expr, ExprKind, FromClause, InsertSource, JoinConstraint, Name,
    QualifiedName, Quote, ResultColumn, Select, SelectCore, Source, Span, TriggerEvent,
    TriggerStmt, UpsertAction, With,
};
use crate::schema::{Schema, Table, TableKind};
use ringwood_vdbe::vtab::VirtualTables;
use std::sync::Arc;

/// What a name means. Tables are given by database and name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// A table, where rows come from.
    Table(usize, Arc<str>),
    /// A table, in front of a column.
    Qualifier(usize, Arc<str>),
    /// A column of a table (rule 3).
    Column(usize, Arc<str>, i32),
    /// A string.
    String,
}

/// A name and its meaning.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub span: Span,
    pub meaning: Meaning,
}

type Result<T = (), E = String> = std::result::Result<T, E>;

/// One item of a FROM clause.
#[derive(Clone)]
struct Item {
    label: Arc<str>,
    has_alias: bool,
    /// A table of a file; none for what has its columns from a query.
    table: Option<(usize, Arc<Table>)>,
    columns: Vec<Arc<str>>,
    /// Rule 5.
    any_column: bool,
}

#[derive(Default)]
struct Scope {
    items: Vec<Item>,
    aliases: Vec<Arc<str>>,
    sees_aliases: bool,
}

/// A common table expression in sight.
#[derive(Clone)]
struct Cte {
    name: Arc<str>,
    columns: Vec<Arc<str>>,
}

/// Looks for names.
pub(super) struct Finder<'s> {
    schema: &'s Schema,
    /// Modules whose tables need no CREATE.
    modules: &'s VirtualTables,
    /// The database of the definition; names without a database are looked for in it alone, unless it is temp.
    db: usize,
    /// Whether a double-quoted name that names nothing is a string.
    strings: bool,
    scopes: Vec<Scope>,
    ctes: Vec<Cte>,
    /// NEW and OLD.
    trigger: Option<(usize, Arc<Table>)>,
    /// Rule 4: how many views deep.
    depth: u32,
    /// What was found.
    pub found: Vec<Found>,
}

const TEMP: usize = 1;
/// Views within views, against circles.
const DEPTH_MAX: u32 = 100;

impl<'s> Finder<'s> {
    /// A finder for definitions of database `db`.
    pub fn new(
        schema: &'s Schema,
        modules: &'s VirtualTables,
        db: usize,
        strings: bool,
    ) -> Finder<'s> {
        Finder {
            schema,
            modules,
            db,
            strings,
            scopes: Vec::new(),
            ctes: Vec::new(),
            trigger: None,
            depth: 0,
            found: Vec::new(),
        }
    }

    fn note(&mut self, span: Span, meaning: Meaning) {
        if self.depth == 0 {
            self.found.push(Found { span, meaning });
        }
    }

    /// The table that a name means.
    fn table(&self, name: &QualifiedName) -> Result<(usize, Arc<Table>)> {
        let db = match &name.schema {
            Some(schema) => match self.schema.db_index(&schema.text) {
                Some(db) => Some(db),
                None => return Err(format!("no such table: {}.{}", schema.text, name.name.text)),
            },
            None if self.db == TEMP => None,
            None => Some(self.db),
        };
        let found = self.schema.find_table(db, &name.name.text);
        found.map(|(db, table)| (db, table.clone())).ok_or_else(|| {
            let of = match (&name.schema, db) {
                (Some(schema), _) => format!("{}.", schema.text),
                (None, Some(db)) => format!("{}.", self.schema.dbs[db].name),
                (None, None) => String::new(),
            };
            format!("no such table: {of}{}", name.name.text)
        })
    }

    // ---- definitions ----

    /// The names of a view's query.
    pub fn view(&mut self, select: &Select) -> Result {
        self.select(select).map(drop)
    }

    /// The names of an expression over one table's columns.
    pub fn over_table(&mut self, db: usize, table: &Arc<Table>, exprs: &[&Expr]) -> Result {
        let item = self.table_item(db, table, None)?;
        self.scopes.push(Scope {
            items: vec![item],
            ..Scope::default()
        });
        let outcome = exprs.iter().try_for_each(|expr| self.expr(expr));
        self.scopes.pop();
        outcome
    }

    /// The names of a trigger, but that of its table.
    pub fn trigger(&mut self, trigger: &CreateTrigger) -> Result {
        let (db, table) = self.table(&trigger.table)?;
        self.note(
            trigger.table.name.span,
            Meaning::Table(db, table.name.clone()),
        );
        if let TriggerEvent::Update(columns) = &trigger.event {
            self.columns_of(db, &table, columns);
        }
        let mut table = table;
        if table.is_view() {
            // Its columns are those of its query.
            let columns = self.view_columns(db, &table)?;
            let columns = columns.into_iter().map(crate::schema::Column::plain);
            let mut with_columns = Table::clone(&table);
            with_columns.columns = columns.collect();
            table = Arc::new(with_columns);
        }
        self.trigger = Some((db, table));
        self.scopes.push(Scope::default());
        let outcome = self.trigger_body(trigger);
        self.scopes.pop();
        outcome
    }

    fn trigger_body(&mut self, trigger: &CreateTrigger) -> Result {
        if let Some(when) = &trigger.when {
            self.expr(when)?;
        }
        for step in &trigger.steps {
            match &step.stmt {
                TriggerStmt::Select(select) => drop(self.select(select)?),
                TriggerStmt::Insert(insert) => self.insert(insert)?,
                TriggerStmt::Update(update) => {
                    let (db, table) = self.target(&update.table)?;
                    let targets = update.set.iter().flat_map(|set| match &set.target {
                        ast::AssignmentTarget::Column(name) => std::slice::from_ref(name),
                        ast::AssignmentTarget::Columns(names) => names,
                    });
                    targets.for_each(|name| {
                        self.columns_of(db, &table, std::slice::from_ref(name));
                    });
                    let mut items = vec![self.table_item(db, &table, update.alias.as_ref())?];
                    if let Some(from) = &update.from {
                        self.from_items(from, &mut items)?;
                    }
                    let values = update.set.iter().map(|set| &set.value);
                    let exprs: Vec<&Expr> = values.chain(&update.where_clause).collect();
                    self.within(items, |finder| {
                        if let Some(from) = &update.from {
                            finder.constraints(from)?;
                        }
                        exprs.iter().try_for_each(|expr| finder.expr(expr))
                    })?;
                }
                TriggerStmt::Delete(delete) => {
                    let (db, table) = self.target(&delete.table)?;
                    let item = self.table_item(db, &table, delete.alias.as_ref())?;
                    self.within(vec![item], |finder| {
                        delete
                            .where_clause
                            .iter()
                            .try_for_each(|expr| finder.expr(expr))
                    })?;
                }
            }
        }
        Ok(())
    }

    fn target(&mut self, name: &QualifiedName) -> Result<(usize, Arc<Table>)> {
        let (db, table) = self.table(name)?;
        self.note(name.name.span, Meaning::Table(db, table.name.clone()));
        Ok((db, table))
    }

    fn insert(&mut self, insert: &ast::Insert) -> Result {
        let (db, table) = self.target(&insert.table)?;
        self.columns_of(db, &table, &insert.columns);
        if let InsertSource::Select(select) = &insert.source {
            self.select(select)?;
        }
        let target = self.table_item(db, &table, insert.alias.as_ref())?;
        let excluded = Item {
            label: "excluded".into(),
            has_alias: true,
            ..target.clone()
        };
        for upsert in &insert.upserts {
            if let Some(clause) = &upsert.target {
                self.within(vec![target.clone()], |finder| {
                    clause
                        .columns
                        .iter()
                        .try_for_each(|term| finder.expr(&term.expr))?;
                    clause
                        .where_clause
                        .iter()
                        .try_for_each(|expr| finder.expr(expr))
                })?;
            }
            let UpsertAction::Update { set, where_clause } = &upsert.action else {
                continue;
            };
            for assignment in set {
                match &assignment.target {
                    ast::AssignmentTarget::Column(name) => {
                        self.columns_of(db, &table, std::slice::from_ref(name));
                    }
                    ast::AssignmentTarget::Columns(names) => self.columns_of(db, &table, names),
                }
            }
            self.within(vec![target.clone(), excluded.clone()], |finder| {
                set.iter()
                    .try_for_each(|assignment| finder.expr(&assignment.value))?;
                where_clause.iter().try_for_each(|expr| finder.expr(expr))
            })?;
        }
        Ok(())
    }

    /// Names that can only be columns of that table.
    fn columns_of(&mut self, db: usize, table: &Arc<Table>, names: &[Name]) {
        for name in names {
            if let Some(column) = table.column_index(&name.text) {
                let meaning = Meaning::Column(db, table.name.clone(), number(table, column));
                self.note(name.span, meaning);
            }
        }
    }

    fn within(&mut self, items: Vec<Item>, body: impl FnOnce(&mut Self) -> Result) -> Result {
        self.scopes.push(Scope {
            items,
            ..Scope::default()
        });
        let outcome = body(self);
        self.scopes.pop();
        outcome
    }

    // ---- queries ----

    /// The names of a query; the names of its columns.
    fn select(&mut self, select: &Select) -> Result<Vec<Arc<str>>> {
        let ctes = self.ctes.len();
        let outcome = self.select_with(select);
        self.ctes.truncate(ctes);
        outcome
    }

    fn select_with(&mut self, select: &Select) -> Result<Vec<Arc<str>>> {
        if let Some(with) = &select.with {
            self.with(with)?;
        }
        // The terms after a compound are names of its columns.
        let tail = select.compounds.is_empty().then_some(select);
        let columns = self.core(&select.core, tail)?;
        for part in &select.compounds {
            self.core(&part.core, None)?;
        }
        Ok(columns)
    }

    fn with(&mut self, with: &With) -> Result {
        for cte in &with.ctes {
            let mut columns: Vec<Arc<str>> =
                cte.columns.iter().map(|c| Arc::from(&*c.text)).collect();
            if columns.is_empty() {
                // Those of its first part, which a recursive one may use.
                self.depth += 1;
                let ctes = self.ctes.len();
                let first = cte
                    .select
                    .with
                    .as_ref()
                    .map_or(Ok(()), |with| self.with(with))
                    .and_then(|()| self.core(&cte.select.core, None));
                self.ctes.truncate(ctes);
                self.depth -= 1;
                columns = first.unwrap_or_default();
            }
            self.ctes.push(Cte {
                name: (&*cte.name.text).into(),
                columns,
            });
        }
        let scopes = std::mem::take(&mut self.scopes);
        let outcome = with
            .ctes
            .iter()
            .try_for_each(|cte| self.select(&cte.select).map(drop));
        self.scopes = scopes;
        outcome
    }

    /// One part of a query. `tail`: the query whose ORDER BY and LIMIT see this part's names.
    fn core(&mut self, core: &SelectCore, tail: Option<&Select>) -> Result<Vec<Arc<str>>> {
        let clause = match core {
            SelectCore::Values(values) => {
                values.exprs.iter().try_for_each(|expr| self.expr(expr))?;
                let width = values.row_ends.first().copied().unwrap_or(0);
                return Ok((1..=width).map(|i| format!("column{i}").into()).collect());
            }
            SelectCore::Select(clause) => clause,
        };
        let mut items = Vec::new();
        if let Some(from) = &clause.from {
            self.from_items(from, &mut items)?;
        }
        let using = clause.from.as_ref().map(using_names).unwrap_or_default();
        self.scopes.push(Scope {
            items,
            ..Scope::default()
        });
        let outcome = self.clauses(clause, &using, tail);
        self.scopes.pop();
        outcome
    }

    fn clauses(
        &mut self,
        clause: &ast::SelectClause,
        using: &[&Name],
        tail: Option<&Select>,
    ) -> Result<Vec<Arc<str>>> {
        if let Some(from) = &clause.from {
            self.constraints(from)?;
        }
        let mut columns = Vec::new();
        let mut aliases = Vec::new();
        for column in &clause.columns {
            match column {
                ResultColumn::Expr { expr, alias, span } => {
                    self.expr(expr)?;
                    let name = match (alias, &expr.kind) {
                        (Some(alias), _) => {
                            aliases.push(Arc::from(&*alias.text));
                            Arc::from(&*alias.text)
                        }
                        (None, ExprKind::Id(name)) => self.declared_name(&name.text),
                        (None, ExprKind::Column(column)) => self.declared_name(&column.column.text),
                        // Two expressions may have the same text; which it is does not matter here.
                        (None, _) => format!("expr@{}", span.start).into(),
                    };
                    columns.push(name);
                }
                ResultColumn::Star(_) => {
                    let items = &self.scopes.last().expect("just pushed").items;
                    for (at, item) in items.iter().enumerate() {
                        let is_shared = |name: &Arc<str>| {
                            using.iter().any(|u| u.is(name))
                                && items[..at].iter().any(|left| has(left, name))
                        };
                        columns.extend(item.columns.iter().filter(|c| !is_shared(c)).cloned());
                    }
                }
                ResultColumn::TableStar { table, .. } => {
                    let items = &self.scopes.last().expect("just pushed").items;
                    let item = items.iter().find(|item| table.is(&item.label)).cloned();
                    if let Some(item) = item {
                        columns.extend(item.columns.iter().cloned());
                        if let (Some((db, of)), false) = (&item.table, item.has_alias) {
                            self.note(table.span, Meaning::Qualifier(*db, of.name.clone()));
                        }
                    }
                }
            }
        }
        let scope = self.scopes.last_mut().expect("just pushed");
        scope.aliases = aliases;
        scope.sees_aliases = true;
        let exprs = clause
            .where_clause
            .iter()
            .chain(&clause.group_by)
            .chain(&clause.having);
        for expr in exprs {
            self.expr(expr)?;
        }
        for window in &clause.windows {
            self.window(window)?;
        }
        if let Some(select) = tail {
            for term in &select.order_by {
                let is_alias = match &term.expr.kind {
                    ExprKind::Id(name) => {
                        let scope = self.scopes.last().expect("just pushed");
                        scope.aliases.iter().any(|alias| name.is(alias))
                    }
                    _ => false,
                };
                if !is_alias {
                    self.expr(&term.expr)?;
                }
            }
        }
        Ok(columns)
    }

    /// The name of a column as its table declares it.
    fn declared_name(&self, written: &str) -> Arc<str> {
        let items = self.scopes.iter().rev().flat_map(|scope| &scope.items);
        let mut names = items.flat_map(|item| &item.columns);
        names
            .find(|name| name.eq_ignore_ascii_case(written))
            .cloned()
            .unwrap_or_else(|| written.into())
    }

    fn from_items(&mut self, from: &FromClause, out: &mut Vec<Item>) -> Result {
        for item in &from.items {
            let alias = item.alias.as_ref();
            match &item.source {
                Source::Table { name, .. } => {
                    let cte = self.ctes.iter().rev().find(|cte| name.name.is(&cte.name));
                    if let (Some(cte), None) = (cte, &name.schema) {
                        let label = alias.map_or(&*name.name.text, |alias| &*alias.text);
                        out.push(Item {
                            label: label.into(),
                            has_alias: true,
                            table: None,
                            columns: cte.columns.clone(),
                            any_column: cte.columns.is_empty(),
                        });
                        continue;
                    }
                    let (db, table) = match self.table(name) {
                        Err(_) if self.modules.module(&name.name.text).is_some() => {
                            // Rule 5: a module's own table.
                            out.push(Item {
                                label: alias.map_or(&*name.name.text, |alias| &*alias.text).into(),
                                has_alias: true,
                                table: None,
                                columns: Vec::new(),
                                any_column: true,
                            });
                            continue;
                        }
                        found => found?,
                    };
                    self.note(name.name.span, Meaning::Table(db, table.name.clone()));
                    out.push(self.table_item(db, &table, alias)?);
                }
                Source::Function { name, .. } => out.push(Item {
                    label: alias.map_or(&*name.name.text, |alias| &*alias.text).into(),
                    has_alias: true,
                    table: None,
                    columns: Vec::new(),
                    any_column: true,
                }),
                Source::Select(select) => {
                    let columns = self.select(select)?;
                    out.push(Item {
                        label: alias.map_or("", |alias| &*alias.text).into(),
                        has_alias: true,
                        table: None,
                        columns,
                        any_column: false,
                    });
                }
                Source::Join(inner) => match alias {
                    None => self.from_items(inner, out)?,
                    Some(alias) => {
                        let mut items = Vec::new();
                        self.from_items(inner, &mut items)?;
                        self.within(items.clone(), |finder| finder.constraints(inner))?;
                        out.push(Item {
                            label: (&*alias.text).into(),
                            has_alias: true,
                            table: None,
                            any_column: items.iter().any(|item| item.any_column),
                            columns: items.into_iter().flat_map(|item| item.columns).collect(),
                        });
                    }
                },
            }
        }
        Ok(())
    }

    /// ON, and arguments of functions.
    fn constraints(&mut self, from: &FromClause) -> Result {
        for item in &from.items {
            match &item.source {
                Source::Function { args, .. } => {
                    args.iter().try_for_each(|expr| self.expr(expr))?;
                }
                Source::Join(inner) if item.alias.is_none() => self.constraints(inner)?,
                _ => {}
            }
            if let Some(JoinConstraint::On(on)) = &item.constraint {
                self.expr(on)?;
            }
        }
        Ok(())
    }

    fn table_item(&mut self, db: usize, table: &Arc<Table>, alias: Option<&Name>) -> Result<Item> {
        let columns = if table.is_view() {
            self.view_columns(db, table)?
        } else {
            table.columns.iter().map(|c| c.name.clone()).collect()
        };
        Ok(Item {
            label: alias.map_or_else(|| table.name.clone(), |alias| (&*alias.text).into()),
            has_alias: alias.is_some(),
            any_column: columns.is_empty(),
            columns,
            table: Some((db, table.clone())),
        })
    }

    fn view_columns(&mut self, db: usize, view: &Table) -> Result<Vec<Arc<str>>> {
        let TableKind::View { columns, select } = &view.kind else {
            return Ok(Vec::new());
        };
        if !columns.is_empty() {
            return Ok(columns.clone());
        }
        if self.depth >= DEPTH_MAX {
            return Err(format!("view {} is circularly defined", view.name));
        }
        let mut inner = Finder::new(self.schema, self.modules, db, true);
        inner.depth = self.depth + 1;
        inner.select(select)
    }

    // ---- expressions ----

    fn window(&mut self, window: &ast::WindowDef) -> Result {
        let mut exprs = Vec::new();
        window_children(window, &mut |child| {
            if let Child::Expr(expr) = child {
                exprs.push(expr);
            }
        });
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    fn expr(&mut self, expr: &Expr) -> Result {
        match &expr.kind {
            ExprKind::Id(name) => return self.bare(name),
            ExprKind::Column(column) => return self.qualified(column),
            _ => {}
        }
        let mut outcome = Ok(());
        let mut below = Vec::new();
        children(expr, &mut |child| below.push(child));
        for child in below {
            outcome = match child {
                Child::Expr(expr) => self.expr(expr),
                Child::Select(select) => self.select(select).map(drop),
                Child::Table(name) => self.in_table(name),
            };
            if outcome.is_err() {
                break;
            }
        }
        outcome
    }

    /// `x IN name`. It is not renamed, as in stock SQLite, where the test afterwards finds it.
    fn in_table(&self, name: &QualifiedName) -> Result {
        let is_cte = self.ctes.iter().any(|cte| name.name.is(&cte.name));
        if is_cte && name.schema.is_none() {
            return Ok(());
        }
        match self.table(name) {
            // Rule 5.
            Err(_) if self.modules.module(&name.name.text).is_some() => Ok(()),
            found => found.map(drop),
        }
    }

    fn bare(&mut self, name: &Name) -> Result {
        let mut any_column = false;
        for scope in self.scopes.iter().rev() {
            let found = scope.items.iter().find(|item| has(item, &name.text));
            let found = found.or_else(|| {
                // The rowid of the only table.
                let mut with_rowid = scope
                    .items
                    .iter()
                    .filter(|item| rowid_of(item, name).is_some());
                with_rowid.next().filter(|_| with_rowid.next().is_none())
            });
            if let Some(item) = found {
                if let Some((db, table)) = &item.table {
                    if !table.is_view() {
                        let column = table
                            .column_index(&name.text)
                            .map_or(-1, |column| number(table, column));
                        let meaning = Meaning::Column(*db, table.name.clone(), column);
                        self.note(name.span, meaning);
                    }
                }
                return Ok(());
            }
            if scope.sees_aliases && scope.aliases.iter().any(|alias| name.is(alias)) {
                return Ok(());
            }
            any_column |= scope.items.iter().any(|item| item.any_column);
        }
        if any_column {
            return Ok(());
        }
        if name.quote == Quote::Double && self.strings {
            self.note(name.span, Meaning::String);
            return Ok(());
        }
        if name.is_bare() && (name.is("true") || name.is("false")) {
            return Ok(());
        }
        Err(format!("no such column: {}", shown(name)))
    }

    fn qualified(&mut self, column: &ast::ColumnRef) -> Result {
        let schema = match &column.schema {
            Some(schema) => match self.schema.db_index(&schema.text) {
                Some(db) => Some(db),
                None => return Err(missing(column)),
            },
            None => None,
        };
        for scope in self.scopes.iter().rev() {
            for item in &scope.items {
                if !column.table.is(&item.label) {
                    continue;
                }
                let of = item.table.as_ref();
                if schema.is_some_and(|db| of.is_none_or(|(of, _)| *of != db)) {
                    continue;
                }
                let is_there = has(item, &column.column.text);
                if !is_there && rowid_of(item, &column.column).is_none() {
                    if item.any_column {
                        return Ok(());
                    }
                    continue;
                }
                let Some((db, table)) = of else {
                    return Ok(());
                };
                let (db, table, has_alias) = (*db, table.clone(), item.has_alias);
                if !has_alias {
                    self.note(
                        column.table.span,
                        Meaning::Qualifier(db, table.name.clone()),
                    );
                }
                if !table.is_view() {
                    let at = table
                        .column_index(&column.column.text)
                        .map_or(-1, |at| number(&table, at));
                    self.note(
                        column.column.span,
                        Meaning::Column(db, table.name.clone(), at),
                    );
                }
                return Ok(());
            }
        }
        if let Some((db, table)) = self.trigger.clone() {
            let is_row = column.table.is("new") || column.table.is("old");
            let at = table
                .column_index(&column.column.text)
                .map(|at| number(&table, at))
                .or_else(|| is_rowid_name(&column.column.text).then_some(-1));
            if let (true, Some(at)) = (is_row && schema.is_none(), at) {
                self.note(
                    column.column.span,
                    Meaning::Column(db, table.name.clone(), at),
                );
                return Ok(());
            }
        }
        Err(missing(column))
    }
}

/// How a name that means nothing is shown: as in stock SQLite, in quotes if it had some.
fn shown(name: &Name) -> String {
    if name.quote == Quote::Double {
        format!("\"{}\"", name.text)
    } else {
        name.text.to_string()
    }
}

fn missing(column: &ast::ColumnRef) -> String {
    match &column.schema {
        Some(schema) => format!(
            "no such column: {}.{}.{}",
            schema.text, column.table.text, column.column.text
        ),
        None => format!(
            "no such column: {}.{}",
            column.table.text, column.column.text
        ),
    }
}

fn has(item: &Item, name: &str) -> bool {
    item.columns
        .iter()
        .any(|column| column.eq_ignore_ascii_case(name))
}

/// The table whose rowid `name` means, in an item without a column of that name.
fn rowid_of<'i>(item: &'i Item, name: &Name) -> Option<&'i Arc<Table>> {
    let (_, table) = item.table.as_ref()?;
    (!table.is_view() && table.has_rowid() && is_rowid_name(&name.text)).then_some(table)
}

/// `rowid`, `oid`, `_rowid_`.
pub(super) fn is_rowid_name(name: &str) -> bool {
    ["rowid", "oid", "_rowid_"]
        .iter()
        .any(|rowid| rowid.eq_ignore_ascii_case(name))
}

/// Rule 3.
pub(super) fn number(table: &Table, column: usize) -> i32 {
    if table.rowid_alias == Some(column) {
        -1
    } else {
        column as i32
    }
}

fn using_names(from: &FromClause) -> Vec<&Name> {
    let constraints = from
        .items
        .iter()
        .filter_map(|item| item.constraint.as_ref());
    constraints
        .filter_map(|constraint| match constraint {
            JoinConstraint::Using(names) => Some(names),
            JoinConstraint::On(_) => None,
        })
        .flatten()
        .collect()
}
