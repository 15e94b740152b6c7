//! FROM: tables, views, subqueries, common table expressions, joins.
//!
//! Rules:
//! 1. A common table expression hides a table. A view is resolved anew for each use, with nothing in sight.
//! 2. NATURAL is USING of all names that are on both sides. A USING column of the right item equals the leftmost column
//!    of that name; where a RIGHT or FULL JOIN may have made that NULL, the first that is not.
//! 3. A parenthesised join is a subquery of all its columns, which keep the names of their tables.
//!
//! Source: SQLite's `selectExpander`, `sqlite3ProcessJoin`, `sqlite3SrcListShiftJoinType`.

use super::Resolver;
use super::names::mark_used;
use super::scope::{ItemNames, NestedColumn, Scope};
use super::select::NameMode;
use crate::ast::{self, Indexed, JoinConstraint, JoinType, Source};
use crate::bound::{
    BinaryOp, ColumnRef, Expr, FromItem, FromSource, IndexHint, JoinKind, ResultColumn, Select,
    UnaryOp,
};
use crate::compiler::{Result, SqlError};
use crate::schema::{Table, TableKind};
use ringwood_vdbe::vtab::VtabFlags;
use smallvec::SmallVec;
use std::sync::Arc;

/// A FROM clause whose ON clauses are still to be resolved.
#[derive(Default)]
pub(super) struct Joined<'a> {
    pub items: Vec<FromItem>,
    pub names: SmallVec<[ItemNames; 4]>,
    pub ons: Vec<OnClause<'a>>,
}

/// What joins an item to those left of it.
pub(super) struct OnClause<'a> {
    item: usize,
    on: Option<&'a ast::Expr>,
    /// Arguments of a table-valued function.
    args: &'a [ast::Expr],
}

/// Checks a WITH clause for duplicate names.
pub(super) fn check_with(with: &ast::With) -> Result<()> {
    for (i, cte) in with.ctes.iter().enumerate() {
        if with.ctes[..i]
            .iter()
            .any(|other| other.name.matches(&cte.name))
        {
            return Err(SqlError::error(format!(
                "duplicate WITH table name: {}",
                cte.name
            )));
        }
    }
    Ok(())
}

/// How the items are joined; an item knows whether it is left of a RIGHT JOIN.
fn join_kinds(items: &[ast::FromItem]) -> SmallVec<[JoinKind; 8]> {
    let mut kinds: SmallVec<[JoinKind; 8]> = items
        .iter()
        .map(|item| JoinKind {
            cross: item.join.contains(JoinType::CROSS),
            left: item.join.contains(JoinType::LEFT),
            right: item.join.contains(JoinType::RIGHT),
            left_of_right: false,
        })
        .collect();
    if let Some(last) = kinds.iter().rposition(|kind| kind.right) {
        kinds[..last]
            .iter_mut()
            .for_each(|kind| kind.left_of_right = true);
    }
    kinds
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// A FROM clause; the scopes in sight are those around the query.
    pub(super) fn from(&mut self, from: &'a ast::FromClause) -> Result<Joined<'a>> {
        if from.items.len() > 64 {
            // As stock SQLite, whose bit masks have 64 bits.
            return Err(SqlError::error("at most 64 tables in a join"));
        }
        let kinds = join_kinds(&from.items);
        let mut joined = Joined {
            items: Vec::with_capacity(from.items.len()),
            names: SmallVec::new(),
            ons: Vec::new(),
        };
        for (item, kind) in from.items.iter().zip(kinds) {
            let (mut bound, names) = self.from_item(item)?;
            bound.join = kind;
            joined.items.push(bound);
            joined.names.push(names);
            if let Source::Function { args, .. } = &item.source {
                joined.ons.push(OnClause {
                    item: joined.items.len() - 1,
                    on: None,
                    args,
                });
            }
        }
        for (i, item) in from.items.iter().enumerate().skip(1) {
            self.join(&mut joined, i, item)?;
        }
        Ok(joined)
    }

    fn from_item(&mut self, item: &'a ast::FromItem) -> Result<(FromItem, ItemNames)> {
        let alias: Option<Arc<str>> = item.alias.as_ref().map(|alias| Arc::from(&*alias.text));
        match &item.source {
            Source::Table { name, indexed } => {
                Ok((self.from_table(name, indexed, alias)?, ItemNames::default()))
            }
            Source::Select(select) => {
                let (bound, correlated) = self.from_select(select, NameMode::Subquery)?;
                let table_name = alias.clone().unwrap_or_else(|| self.c.empty_name());
                let table = self.subquery_table(&bound, table_name);
                Ok((
                    self.select_item(bound, table, alias, correlated),
                    ItemNames::default(),
                ))
            }
            Source::Join(inner) => self.nested_join(inner, alias),
            Source::Function { name, .. } => {
                let bound = self.from_function(name, alias)?;
                Ok((bound, ItemNames::default()))
            }
        }
    }

    /// A subquery in FROM sees the scopes around the query; whether it uses them.
    fn from_select(
        &mut self,
        select: &'a ast::Select,
        names: NameMode,
    ) -> Result<(Box<Select>, bool)> {
        let outer = std::mem::replace(&mut self.outermost_use, usize::MAX);
        let bound = self.select(select, names);
        let correlated = self.outermost_use < self.scopes.len();
        self.outermost_use = self.outermost_use.min(outer);
        let mut bound = bound?;
        bound.flags.correlated |= correlated;
        Ok((bound, correlated))
    }

    pub(super) fn select_item(
        &mut self,
        select: Box<Select>,
        table: Arc<Table>,
        alias: Option<Arc<str>>,
        correlated: bool,
    ) -> FromItem {
        let cursor = self.c.alloc_cursor(Some(table.clone()));
        FromItem {
            cursor,
            db: 0,
            table,
            alias,
            source: FromSource::Select(select),
            join: JoinKind::default(),
            on: None,
            hint: IndexHint::Any,
            columns_used: 0,
            id: self.c.next_subquery(),
            correlated,
            cte: None,
            nested_join: false,
            from_exists: false,
            written_db: None,
        }
    }

    /// A name: a common table expression, a table or a view.
    fn from_table(
        &mut self,
        name: &'a ast::QualifiedName,
        indexed: &'a Indexed,
        alias: Option<Arc<str>>,
    ) -> Result<FromItem> {
        if name.schema.is_none() {
            if let Some(item) = self.from_cte(name, indexed, alias.clone())? {
                return Ok(item);
            }
        }
        let (db, table) = self.find_table(name)?;
        if let TableKind::View { .. } = table.kind {
            return self.from_view(db, &table, indexed, alias);
        }
        self.check_trusted(db, &table)?;
        let mut item = super::table_item(self.c, db, &table, alias);
        item.written_db = self.written_db(name);
        item.hint = match indexed {
            Indexed::Unspecified => IndexHint::Any,
            Indexed::Not => IndexHint::None,
            Indexed::By(index) => {
                let found = table
                    .indexes
                    .iter()
                    .find(|have| have.name.eq_ignore_ascii_case(&index.text));
                match found {
                    Some(found) => IndexHint::Index(found.clone()),
                    None => return Err(SqlError::error(format!("no such index: {}", index.text))),
                }
            }
        };
        Ok(item)
    }

    /// A call of a table-valued function; its arguments are resolved when all items are known.
    pub(super) fn from_function(
        &mut self,
        name: &'a ast::QualifiedName,
        alias: Option<Arc<str>>,
    ) -> Result<FromItem> {
        let not_a_function = || SqlError::error(format!("'{}' is not a function", name.name));
        if name.schema.is_none() && self.names_cte(name) {
            return Err(not_a_function());
        }
        let (db, table) = self.find_table(name)?;
        if !table.is_virtual() {
            return Err(not_a_function());
        }
        self.check_trusted(db, &table)?;
        let mut item = super::table_item(self.c, db, &table, alias);
        item.written_db = self.written_db(name);
        Ok(item)
    }

    /// A schema may use harmless virtual tables, and, if it is trusted, those that nobody has called harmful.
    ///
    /// # Errors
    /// `unsafe use of virtual table "x"`
    fn check_trusted(&self, db: usize, table: &Table) -> Result<()> {
        if !self.from_schema || !table.is_virtual() {
            return Ok(());
        }
        let Some(connected) = self.c.connection_of(db, table) else {
            return Ok(());
        };
        let is_safe = if self.c.ctx.flags.trusted_schema {
            !connected.flags.contains(VtabFlags::DIRECT_ONLY)
        } else {
            connected.flags.contains(VtabFlags::INNOCUOUS)
        };
        if is_safe {
            return Ok(());
        }
        let message = format!("unsafe use of virtual table \"{}\"", table.name);
        Err(SqlError::error(message))
    }

    /// The database that a name was written with; within a view or a trigger, that of its own.
    fn written_db(&self, name: &ast::QualifiedName) -> Option<usize> {
        if !self.c.asks() {
            return None;
        }
        let schema = name.schema.as_ref();
        schema.map_or(self.fixed_db, |schema| {
            self.c.ctx.schema.db_index(&schema.text)
        })
    }

    /// The authorizer is asked in the name of a view or common table expression; the name before.
    pub(super) fn access(&mut self, name: &str) -> Option<Arc<str>> {
        if !self.c.asks() {
            return None;
        }
        self.c.accessor.replace(name.into())
    }

    /// Whether a name is that of a common table expression in sight.
    fn names_cte(&self, name: &ast::QualifiedName) -> bool {
        let mut ctes = self.withs.iter().flat_map(|frame| &frame.with.ctes);
        ctes.any(|cte| cte.name.matches(&name.name))
    }

    /// `column = argument` for each argument of a table-valued function, on its hidden columns from the left.
    fn resolve_args(&mut self, item: usize, args: &'a [ast::Expr]) -> Result<()> {
        let bound = self.exprs(args)?;
        let table = self.scope().items[item].table.clone();
        let hidden = table.columns.iter().enumerate().filter(|(_, c)| c.hidden);
        let hidden: Vec<usize> = hidden.map(|(i, _)| i).collect();
        if bound.len() > hidden.len() {
            return Err(SqlError::error(format!(
                "too many arguments on {}() - max {}",
                table.name,
                hidden.len()
            )));
        }
        for (column, arg) in hidden.into_iter().zip(bound) {
            self.c.unasked += 1;
            let column = self.item_column(item, column as i32);
            self.c.unasked -= 1;
            let column = column?;
            let arg = Expr::Unary(UnaryOp::Plus, Box::new(arg));
            let equal = Expr::binary(BinaryOp::Eq, column, arg);
            let item = &mut self.scope().items[item];
            item.on = Expr::and(item.on.take(), Some(equal));
        }
        Ok(())
    }

    /// The table or view of that name.
    ///
    /// # Errors
    /// `no such table: x`
    pub fn find_table(&mut self, name: &ast::QualifiedName) -> Result<(usize, Arc<Table>)> {
        let schema = self.c.ctx.schema;
        let found = match &name.schema {
            Some(db_name) => match schema.db_index(&db_name.text) {
                Some(db) => schema.find_table(Some(db), &name.name.text),
                None => None,
            },
            None => schema.find_table(self.fixed_db, &name.name.text),
        };
        if found.is_none() {
            if let Some(table) = self.c.eponymous(&name.name.text) {
                self.c.uses_db(0);
                return Ok((0, table?));
            }
        }
        match found {
            Some((db, table)) => {
                self.c.uses_db(db);
                let table = self.c.connected(db, table)?;
                Ok((db, table))
            }
            None => Err(match &name.schema {
                Some(db) => {
                    SqlError::error(format!("no such table: {}.{}", db.text, name.name.text))
                }
                None if self.fixed_db.is_some() => {
                    let db = &schema.dbs[self.fixed_db.unwrap_or(0)].name;
                    SqlError::error(format!("no such table: {db}.{}", name.name.text))
                }
                None => SqlError::error(format!("no such table: {}", name.name.text)),
            }),
        }
    }

    fn from_view(
        &mut self,
        db: usize,
        view: &Arc<Table>,
        indexed: &Indexed,
        alias: Option<Arc<str>>,
    ) -> Result<FromItem> {
        if let Indexed::By(index) = indexed {
            return Err(SqlError::error(format!("no such index: {}", index.text)));
        }
        let (bound, table) = self.view_select(db, view)?;
        let mut item = self.select_item(bound, table, alias, false);
        item.db = db;
        Ok(item)
    }

    /// A view's SELECT and its columns.
    ///
    /// # Errors
    /// `view x is circularly defined`, and whatever is wrong with its SELECT.
    pub fn view_select(
        &mut self,
        db: usize,
        view: &Arc<Table>,
    ) -> Result<(Box<Select>, Arc<Table>)> {
        if self
            .open_views
            .iter()
            .any(|open| Arc::ptr_eq(open, &view.name))
        {
            return Err(SqlError::error(format!(
                "view {} is circularly defined",
                view.name
            )));
        }
        // The statement must live as long as the schema, which it does: tables are only behind Arcs of the context.
        let schema: &'a crate::schema::Schema = self.c.ctx.schema;
        let Some(kept) = schema.dbs[db].table(&view.name) else {
            return Err(SqlError::error(format!("no such table: {}", view.name)));
        };
        let TableKind::View { select, columns } = &kept.kind else {
            return Err(SqlError::error(format!("no such view: {}", view.name)));
        };
        self.open_views.push(view.name.clone());
        let scopes = std::mem::take(&mut self.scopes);
        let withs = std::mem::take(&mut self.withs);
        let text = std::mem::replace(&mut self.text, kept.sql.as_deref().unwrap_or("").as_bytes());
        let foreign = std::mem::replace(&mut self.foreign_text, true);
        let from_schema = self.from_schema;
        self.from_schema |= db != crate::codegen::ddl::TEMP;
        let fixed = std::mem::replace(&mut self.fixed_db, (db != 1).then_some(db));
        let used = self.outermost_use;
        let accessor = self.access(&view.name);
        let prepared = std::mem::take(&mut self.prepared);
        let bound = self.select(select, NameMode::View);
        self.prepared = prepared;
        self.c.accessor = accessor;
        self.outermost_use = used;
        self.fixed_db = fixed;
        self.foreign_text = foreign;
        self.from_schema = from_schema;
        self.text = text;
        self.withs = withs;
        self.scopes = scopes;
        self.open_views.pop();
        let mut bound = bound?;
        bound.flags.view = true;
        if self.open_views.is_empty() && self.c.is_explaining_plan() {
            renumber(&mut bound, &mut self.c.select_numbers);
        }
        let count = bound.result.len();
        if !columns.is_empty() && columns.len() != count {
            let message = format!(
                "expected {} columns for '{}' but got {count}",
                columns.len(),
                view.name
            );
            return Err(SqlError::error(message));
        }
        let table = self.view_table(&bound, view, columns);
        Ok((bound, table))
    }

    /// `(SELECT * FROM t)`, for `x IN t`.
    pub(super) fn select_all_of(
        &mut self,
        name: &'a ast::QualifiedName,
        args: &'a [ast::Expr],
    ) -> Result<Box<Select>> {
        let item = if args.is_empty() {
            self.from_table(name, &Indexed::Unspecified, None)?
        } else {
            self.from_function(name, None)?
        };
        let mut select = self.empty_select();
        let mut scope = Scope::of_items(vec![item]);
        scope.select = select.id;
        self.scopes.push(scope);
        let result = self
            .resolve_args(0, args)
            .and_then(|()| self.star(None, ast::Span::default(), NameMode::None));
        let scope = self.pop_scope();
        select.result = result?;
        select.from.items = scope.items;
        Ok(select)
    }

    /// Rule 3.
    fn nested_join(
        &mut self,
        from: &'a ast::FromClause,
        alias: Option<Arc<str>>,
    ) -> Result<(FromItem, ItemNames)> {
        let mut select = self.empty_select();
        let joined = self.from(from)?;
        let mut scope = Scope {
            select: select.id,
            ..Scope::default()
        };
        scope.items = joined.items;
        scope.names = joined.names;
        self.scopes.push(scope);
        let columns = self.nested_columns();
        self.scope().in_where = true;
        let ons = self.resolve_ons(&joined.ons);
        let scope = self.pop_scope();
        let (result, nested) = columns?;
        ons?;
        select.result = result;
        select.from.items = scope.items;
        let name = alias.clone().unwrap_or_else(|| self.c.empty_name());
        let table = self.subquery_table(&select, name);
        let correlated = false;
        let mut item = self.select_item(select, table, alias, correlated);
        item.nested_join = true;
        Ok((item, ItemNames::of_join(nested)))
    }

    /// The columns of a parenthesised join: all of each item, after those of its USING clause.
    fn nested_columns(&mut self) -> Result<(Vec<ResultColumn>, Vec<NestedColumn>)> {
        let mut result = Vec::new();
        let mut nested = Vec::new();
        let star: Arc<str> = Arc::from("*");
        let count = self.scope().items.len();
        for i in 0..count {
            let next_using = self
                .scope()
                .names
                .get(i + 1)
                .map(|names| names.using().to_vec())
                .unwrap_or_default();
            for name in &next_using {
                let expr = self.named(None, name)?;
                result.push(ResultColumn {
                    expr,
                    name: name.clone(),
                    alias: false,
                });
                nested.push(NestedColumn {
                    schema: self.c.empty_name(),
                    table: self.c.empty_name(),
                    column: name.clone(),
                    rowid: false,
                    using_term: true,
                    no_expand: false,
                });
            }
            let scope = self.scopes.last().expect("a scope is in sight");
            let (item, names) = (&scope.items[i], &scope.names[i]);
            let schema = match item.source {
                FromSource::Table => self.c.ctx.schema.dbs[item.db].name.clone(),
                FromSource::Select(_) | FromSource::Recursive => star.clone(),
            };
            let table_name = item
                .alias
                .clone()
                .unwrap_or_else(|| item.table.name.clone());
            let table = item.table.clone();
            let inner = names.nested().cloned();
            let using = names.using().to_vec();
            for (j, column) in table.columns.iter().enumerate() {
                let within = inner.as_ref().map(|inner| &inner[j]);
                if column.hidden || within.is_some_and(|within| within.rowid) {
                    continue;
                }
                let expr = self.item_column(i, j as i32)?;
                let in_using =
                    |names: &[Arc<str>]| names.iter().any(|n| n.eq_ignore_ascii_case(&column.name));
                let no_expand = in_using(&using)
                    || in_using(&next_using)
                    || within.is_some_and(|within| within.no_expand);
                result.push(ResultColumn {
                    expr,
                    name: column.name.clone(),
                    alias: false,
                });
                nested.push(match within {
                    Some(within) => NestedColumn {
                        no_expand,
                        using_term: false,
                        ..within.clone()
                    },
                    None => NestedColumn {
                        schema: schema.clone(),
                        table: table_name.clone(),
                        column: column.name.clone(),
                        rowid: false,
                        using_term: false,
                        no_expand,
                    },
                });
            }
            if super::names::visible_rowid(&table) {
                let alias = ["_ROWID_", "ROWID", "OID"]
                    .into_iter()
                    .find(|name| table.column_index(name).is_none());
                if let Some(alias) = alias {
                    let expr = self.item_column(i, -1)?;
                    result.push(ResultColumn {
                        expr,
                        name: Arc::from(alias),
                        alias: false,
                    });
                    nested.push(NestedColumn {
                        schema,
                        table: table_name,
                        column: Arc::from(alias),
                        rowid: true,
                        using_term: false,
                        no_expand: true,
                    });
                }
            }
        }
        Ok((result, nested))
    }

    /// A column of an item of the innermost scope, marked as used.
    pub(super) fn item_column(&mut self, item: usize, column: i32) -> Result<Expr> {
        let depth = self.scopes.len() - 1;
        let of = &self.scopes[depth].items[item];
        let column = match usize::try_from(column) {
            Ok(number) if of.table.rowid_alias == Some(number) => -1,
            _ => column,
        };
        self.use_column(depth, item, column)
    }

    /// USING, NATURAL and ON of one item (rule 2).
    fn join(&mut self, joined: &mut Joined<'a>, i: usize, item: &'a ast::FromItem) -> Result<()> {
        let natural = item.join.contains(JoinType::NATURAL);
        if natural && item.constraint.is_some() {
            return Err(SqlError::error(
                "a NATURAL join may not have an ON or USING clause",
            ));
        }
        let using: Vec<Arc<str>> = match &item.constraint {
            Some(JoinConstraint::Using(names)) => {
                names.iter().map(|name| Arc::from(&*name.text)).collect()
            }
            None if natural => {
                let columns = &joined.items[i].table.columns;
                let shared = columns.iter().filter(|column| {
                    !column.hidden && find_column(&joined.items, 0, i, &column.name, true).is_some()
                });
                shared.map(|column| column.name.clone()).collect()
            }
            Some(JoinConstraint::On(on)) => {
                joined.ons.push(OnClause {
                    item: i,
                    on: Some(on),
                    args: &[],
                });
                return Ok(());
            }
            None => return Ok(()),
        };
        joined.names[i].set_using(&using);
        for name in &using {
            let right = joined.items[i].table.column_index(name);
            let left = find_column(&joined.items, 0, i, name, natural);
            let (Some(right), Some(left)) = (right, left) else {
                let message =
                    format!("cannot join using column {name} - column not present in both tables");
                return Err(SqlError::error(message));
            };
            let equal = self.using_term(joined, i, name, left, right, natural)?;
            let item = &mut joined.items[i];
            item.on = Expr::and(item.on.take(), Some(equal));
        }
        Ok(())
    }

    fn using_term(
        &mut self,
        joined: &mut Joined<'a>,
        i: usize,
        name: &str,
        left: (usize, usize),
        right: usize,
        ignore_hidden: bool,
    ) -> Result<Expr> {
        let column = |items: &mut [FromItem], at: (usize, usize), nullable: bool| {
            let item = &mut items[at.0];
            let number = if item.table.rowid_alias == Some(at.1) {
                -1
            } else {
                at.1 as i32
            };
            mark_used(item, at.1 as i32);
            let can_be_null = nullable || item.join.left || item.join.left_of_right;
            let affinity = item.table.affinity_of(number);
            Expr::Column(ColumnRef {
                cursor: item.cursor,
                column: number,
                affinity,
                can_be_null,
            })
        };
        let in_right_join = joined.items[0].join.left_of_right;
        let nullable = in_right_join || joined.items[i].join.left;
        let mut at = left;
        let mut value = column(&mut joined.items, at, nullable);
        if in_right_join {
            let mut args = Vec::new();
            while let Some(next) = find_column(&joined.items, at.0 + 1, i, name, ignore_hidden) {
                if !joined.names[next.0].is_using(name) {
                    return Err(SqlError::error(format!(
                        "ambiguous reference to {name} in USING()"
                    )));
                }
                args.push(value);
                at = next;
                value = column(&mut joined.items, at, false);
            }
            if !args.is_empty() {
                args.push(value);
                value = self.coalesce_call(args)?;
            }
        }
        let other = column(&mut joined.items, (i, right), false);
        Ok(Expr::binary(BinaryOp::Eq, value, other))
    }

    /// Resolves the ON clauses in the scope of all items. Whether one that may not refers to an item to its right: that
    /// is said when all else is resolved.
    pub(super) fn resolve_ons(&mut self, ons: &[OnClause<'a>]) -> Result<bool> {
        let mut refers_to_right = false;
        for clause in ons {
            let Some(on) = clause.on else {
                self.resolve_args(clause.item, clause.args)?;
                continue;
            };
            self.in_on = true;
            let bound = self.expr(on);
            self.in_on = false;
            let bound = bound?;
            let scope = self.scope();
            if scope.items[0].join.left_of_right || scope.items[clause.item].join.is_outer() {
                let mut later = scope.items[clause.item + 1..].iter();
                refers_to_right |=
                    later.any(|item| crate::bound::walk::uses_cursor(&bound, item.cursor));
            }
            let item = &mut scope.items[clause.item];
            item.on = Expr::and(item.on.take(), Some(bound));
        }
        Ok(refers_to_right)
    }
}

/// The first item of `from..to` that has a column of that name.
fn find_column(
    items: &[FromItem],
    from: usize,
    to: usize,
    name: &str,
    ignore_hidden: bool,
) -> Option<(usize, usize)> {
    (from..to).find_map(|i| {
        let table = &items[i].table;
        let column = table.column_index(name)?;
        (!ignore_hidden || !table.columns[column].hidden).then_some((i, column))
    })
}

/// Numbers the SELECTs of a view behind those of the statement: each part before what is in it, the last part first.
fn renumber(select: &mut Select, numbers: &mut u32) {
    use crate::bound::walk::{NodeMut, Walk, walk_mut};
    let mut part = Some(select);
    while let Some(this) = part {
        *numbers += 1;
        this.number = *numbers;
        for item in &mut this.from.items {
            if let FromSource::Select(inner) = &mut item.source {
                renumber(inner, numbers);
            }
        }
        let mut visit = |node: NodeMut<'_>| match node {
            NodeMut::Select(inner) => {
                renumber(inner, numbers);
                Walk::Prune
            }
            NodeMut::Expr(_) => Walk::Continue,
        };
        let exprs = this.result.iter_mut().map(|column| &mut column.expr);
        let exprs = exprs.chain(&mut this.where_).chain(&mut this.group_by);
        let exprs = exprs.chain(&mut this.having);
        let ons = this
            .from
            .items
            .iter_mut()
            .filter_map(|item| item.on.as_mut());
        for expr in exprs.chain(ons) {
            walk_mut(expr, &mut visit);
        }
        part = this.prior.as_mut().map(|(_, prior)| &mut **prior);
    }
}
