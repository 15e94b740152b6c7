//! Finding the column that a name means.
//!
//! Source: SQLite's `lookupName`.

use super::Resolver;
use super::scope::Scope;
use crate::ast::{Name, Quote, Span};
use crate::bound::walk::has_aggregate_of;
use crate::bound::{ColumnRef, Expr, FromItem, FromSource, FunctionCall, TriggerRow};
use crate::codegen::write::Change;
use crate::compiler::{Result, SqlError};
use crate::schema::Table;
use ringwood_format::affinity::Affinity;

/// A name to look for, with what stands before its dots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'n> {
    pub db: Option<&'n str>,
    pub table: Option<&'n str>,
    pub column: &'n str,
    pub quote: Quote,
    pub span: Span,
}

/// The names of the rowid.
pub(super) fn is_rowid_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("_rowid_")
        || name.eq_ignore_ascii_case("rowid")
        || name.eq_ignore_ascii_case("oid")
}

/// Whether `rowid` names something of the table that is no declared column.
pub(super) fn visible_rowid(table: &Table) -> bool {
    use crate::schema::TableKind;
    !table.without_rowid && matches!(table.kind, TableKind::Ordinary | TableKind::Virtual(_))
}

/// A match in one scope.
#[derive(Clone, Copy)]
struct Match {
    item: usize,
    column: i32,
}

/// What was found in one scope.
#[derive(Default)]
struct Found {
    count: usize,
    /// Tables that could answer with their rowid.
    rowid_tables: usize,
    matched: Option<Match>,
    /// Columns of a FULL JOIN with USING that together are the value.
    full_join: Vec<Match>,
}

impl Found {
    /// Takes another match in; false if the one that is there already stays the answer.
    fn add(
        &mut self,
        scope: &Scope,
        item: usize,
        column: i32,
        name: &str,
        same_item: bool,
    ) -> bool {
        if self.count > 0 {
            let join = scope.items[item].join;
            if !scope.names[item].is_using(name) || same_item {
                self.full_join.clear(); // ambiguous
            } else if !join.right {
                return false; // inner or left join: the leftmost
            } else if !join.left {
                self.count = 0; // right join: the rightmost
                self.full_join.clear();
            } else {
                self.full_join.extend(self.matched);
            }
        }
        self.count += 1;
        self.matched = Some(Match { item, column });
        true
    }
}

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// A bare name in an expression.
    pub(super) fn id(&mut self, name: &Name) -> Result<Expr> {
        self.lookup(Wanted {
            db: None,
            table: None,
            column: &name.text,
            quote: name.quote,
            span: name.span,
        })
    }

    /// The column that a name means (or the result column, string or constant).
    pub(super) fn lookup(&mut self, wanted: Wanted<'_>) -> Result<Expr> {
        let mut wanted = wanted;
        if wanted.db.is_some()
            && self
                .scopes
                .last()
                .is_some_and(|scope| scope.definition.is_some())
        {
            wanted.db = None; // a definition names its own table only
        }
        let mut db = None;
        if let Some(name) = wanted.db {
            db = self.c.ctx.schema.db_index(name);
        }
        let mut count = 0;
        for depth in (0..self.scopes.len()).rev() {
            if let Some(column) = lookup_single(&self.scopes[depth], wanted, db) {
                self.outermost_use = self.outermost_use.min(depth);
                return self.use_column(depth, 0, column);
            }
            let mut found = self.lookup_in(&self.scopes[depth], wanted, db);
            if found.count == 0 && wanted.db.is_none() {
                if let Some(expr) = self.lookup_row(depth, wanted) {
                    self.outermost_use = self.outermost_use.min(depth);
                    return Ok(expr);
                }
            }
            if found.count == 0 && wanted.db.is_none() {
                if let Some(expr) = self.lookup_trigger_row(depth, wanted)? {
                    return Ok(expr);
                }
            }
            let scope = &self.scopes[depth];
            let hides_rowid = matches!(
                scope.definition,
                Some(super::Definition::IndexExpr | super::Definition::Generated)
            );
            if found.count == 0
                && found.rowid_tables >= 1
                && !hides_rowid
                && is_rowid_name(wanted.column)
            {
                found.count = found.rowid_tables;
            }
            if found.count == 0 && scope.use_result && wanted.table.is_none() {
                if let Some(expr) = self.lookup_alias(depth, wanted)? {
                    self.outermost_use = self.outermost_use.min(depth);
                    return Ok(expr);
                }
            }
            count = found.count;
            if found.count == 1 {
                self.outermost_use = self.outermost_use.min(depth);
                let matched = found.matched.expect("one match");
                return self.use_column(depth, matched.item, matched.column);
            }
            if found.count > 1
                && found.full_join.len() == found.count - 1
                && !found.full_join.is_empty()
            {
                self.outermost_use = self.outermost_use.min(depth);
                found.full_join.extend(found.matched);
                return self.coalesce(depth, &found.full_join);
            }
            if found.count > 0 {
                break;
            }
        }
        if count == 0 && wanted.table.is_none() {
            if wanted.quote == Quote::Double && self.allows_quoted_strings() {
                return Ok(Expr::Text(wanted.column.as_bytes().into()));
            }
            if wanted.quote == Quote::None {
                if wanted.column.eq_ignore_ascii_case("true") {
                    return Ok(Expr::Bool(true));
                }
                if wanted.column.eq_ignore_ascii_case("false") {
                    return Ok(Expr::Bool(false));
                }
            }
        }
        Err(self.name_error(wanted, count))
    }

    fn allows_quoted_strings(&self) -> bool {
        let flags = &self.c.ctx.flags;
        match self.scopes.last().and_then(|scope| scope.definition) {
            None => flags.double_quoted_strings_dml,
            Some(super::Definition::Trusted(_)) => true,
            Some(_) => flags.double_quoted_strings_ddl,
        }
    }

    #[cold]
    fn name_error(&self, wanted: Wanted<'_>, count: usize) -> SqlError {
        let problem = if count == 0 {
            "no such column"
        } else {
            "ambiguous column name"
        };
        let column = wanted.column;
        let message = match (wanted.db, wanted.table) {
            (Some(db), Some(table)) => format!("{problem}: {db}.{table}.{column}"),
            (_, Some(table)) => format!("{problem}: {table}.{column}"),
            _ if count == 0 && wanted.quote == Quote::Double => {
                format!(
                    "{problem}: \"{column}\" - should this be a string literal in single-quotes?"
                )
            }
            _ => format!("{problem}: {column}"),
        };
        self.error_at(wanted.span, message)
    }

    /// Matches in one scope.
    fn lookup_in(&self, scope: &Scope, wanted: Wanted<'_>, db: Option<usize>) -> Found {
        let mut found = Found::default();
        if scope.returning && wanted.db.is_some() {
            return found;
        }
        for (i, item) in scope.items.iter().enumerate() {
            if let Some(nested) = scope.names[i].nested() {
                let mut hit = false;
                for (j, column) in nested.iter().enumerate() {
                    let in_table = wanted
                        .table
                        .is_none_or(|table| column.table.eq_ignore_ascii_case(table))
                        && wanted
                            .db
                            .is_none_or(|db| column.schema.eq_ignore_ascii_case(db));
                    let is_column = if column.rowid {
                        is_rowid_name(wanted.column)
                    } else {
                        column.column.eq_ignore_ascii_case(wanted.column)
                    };
                    if !in_table || !is_column {
                        continue;
                    }
                    if column.rowid {
                        if found.count == 0 {
                            found.rowid_tables += 1;
                            found.matched = Some(Match {
                                item: i,
                                column: j as i32,
                            });
                        }
                        continue;
                    }
                    let same_item = found.matched.is_some_and(|matched| matched.item == i);
                    if found.add(scope, i, j as i32, wanted.column, same_item) {
                        hit = true;
                        if column.using_term {
                            break;
                        }
                    }
                }
                if hit || wanted.table.is_none() {
                    continue;
                }
            }
            if let Some(table) = wanted.table {
                if !names_item(item, table, wanted.db.is_some(), db) {
                    continue;
                }
            }
            if let Some(column) = item.table.column_index(wanted.column) {
                let column = if item.table.rowid_alias == Some(column) {
                    -1
                } else {
                    column as i32
                };
                if !found.add(scope, i, column, wanted.column, false) {
                    continue;
                }
            }
            if found.count == 0 && visible_rowid(&item.table) {
                found.rowid_tables += 1;
                found.matched = Some(Match {
                    item: i,
                    column: -1,
                });
            }
        }
        found
    }

    /// The reference to a column, which is marked as used.
    pub(super) fn use_column(&mut self, depth: usize, item: usize, column: i32) -> Result<Expr> {
        if self.c.asks() && !self.may_read(depth, item, column)? {
            mark_used(&mut self.scopes[depth].items[item], column);
            return Ok(Expr::Null);
        }
        let item = &mut self.scopes[depth].items[item];
        mark_used(item, column);
        let can_be_null = item.join.left || item.join.left_of_right;
        let affinity = item.table.affinity_of(column);
        Ok(Expr::Column(ColumnRef {
            cursor: item.cursor,
            column,
            affinity,
            can_be_null,
        }))
    }

    /// Asks whether a column may be read, if it is one of the schema's and not yet part of it.
    #[cold]
    fn may_read(&self, depth: usize, item: usize, column: i32) -> Result<bool> {
        let scope = &self.scopes[depth];
        let item = &scope.items[item];
        let is_stored = match &item.source {
            FromSource::Table => true,
            FromSource::Select(select) => select.flags.view,
            FromSource::Recursive => false,
        };
        let is_trusted = matches!(scope.definition, Some(super::Definition::Trusted(_)));
        if !is_stored || is_trusted {
            return Ok(true);
        }
        self.c.authorize_read(item.db, &item.table, column)
    }

    /// The value of a column that a FULL JOIN's USING merges.
    fn coalesce(&mut self, depth: usize, matches: &[Match]) -> Result<Expr> {
        let args: Vec<Expr> = matches
            .iter()
            .map(|&matched| {
                Ok(
                    match self.use_column(depth, matched.item, matched.column)? {
                        Expr::Column(column) => Expr::Column(ColumnRef {
                            can_be_null: true,
                            ..column
                        }),
                        other => other,
                    },
                )
            })
            .collect::<Result<_>>()?;
        self.coalesce_call(args)
    }

    /// `coalesce(args…)`, with the affinity of the first.
    pub(super) fn coalesce_call(&self, args: Vec<Expr>) -> Result<Expr> {
        let def = self.c.ctx.functions.find("coalesce", args.len());
        let def = def.ok_or_else(|| SqlError::error("no such function: coalesce"))?;
        Ok(Expr::Function(Box::new(FunctionCall {
            def,
            args,
            aggregate: None,
            window: None,
            merged_column: true,
        })))
    }

    /// NEW, OLD, `excluded`.
    fn lookup_row(&mut self, depth: usize, wanted: Wanted<'_>) -> Option<Expr> {
        let table = wanted.table?;
        let row = self.scopes[depth]
            .rows
            .iter_mut()
            .find(|row| row.name.eq_ignore_ascii_case(table))?;
        let item = &mut row.item;
        let column = match item.table.column_index(wanted.column) {
            Some(column) if item.table.rowid_alias == Some(column) => -1,
            Some(column) => column as i32,
            None if is_rowid_name(wanted.column) && visible_rowid(&item.table) => -1,
            None => return None,
        };
        if let Some(first) = row.values {
            let place = usize::try_from(column).map_or(0, |n| item.table.storage_of(n) as i32 + 1);
            return Some(Expr::Register {
                reg: first + place,
                affinity: Affinity::None,
                collation: None,
            });
        }
        mark_used(item, column);
        let affinity = item.table.affinity_of(column);
        Some(Expr::Column(ColumnRef {
            cursor: item.cursor,
            column,
            affinity,
            can_be_null: true,
        }))
    }

    /// NEW and OLD in the program of a trigger, unless a table of the query is called so.
    fn lookup_trigger_row(&self, depth: usize, wanted: Wanted<'_>) -> Result<Option<Expr>> {
        let (Some(context), Some(table)) = (self.c.trigger.as_ref(), wanted.table) else {
            return Ok(None);
        };
        let row = if context.change != Change::Delete && table.eq_ignore_ascii_case("new") {
            TriggerRow::New
        } else if context.change != Change::Insert && table.eq_ignore_ascii_case("old") {
            TriggerRow::Old
        } else {
            return Ok(None);
        };
        let mut items = self.scopes[depth].items.iter();
        if items.any(|item| names_item(item, table, false, None)) {
            return Ok(None);
        }
        let of = &context.table;
        let column = match of.column_index(wanted.column) {
            Some(column) if of.rowid_alias == Some(column) => -1,
            Some(column) => column as i32,
            None if is_rowid_name(wanted.column) && visible_rowid(of) => -1,
            None => return Ok(None),
        };
        if !self.c.authorize_read(context.db, of, column)? {
            return Ok(Some(Expr::Null));
        }
        // As in stock SQLite, where only the rowid has an affinity here.
        let affinity = if column < 0 {
            Affinity::Integer
        } else {
            Affinity::None
        };
        Ok(Some(Expr::TriggerColumn {
            row,
            column,
            affinity,
        }))
    }

    /// The result column of that alias.
    fn lookup_alias(&mut self, depth: usize, wanted: Wanted<'_>) -> Result<Option<Expr>> {
        let scope = &self.scopes[depth];
        let found = scope
            .result
            .iter()
            .find(|column| column.alias && column.name.eq_ignore_ascii_case(wanted.column));
        let Some(column) = found else { return Ok(None) };
        if !scope.allow_aggregates && has_aggregate_of(&column.expr, scope.select) {
            return Err(SqlError::error(format!(
                "misuse of aliased aggregate {}",
                column.name
            )));
        }
        if column.expr.vector_size() != 1 {
            return Err(SqlError::error("row value misused"));
        }
        Ok(Some(column.expr.clone()))
    }
}

/// The column of a scope's only item, which is the commonest match and never ambiguous.
#[inline]
fn lookup_single(scope: &Scope, wanted: Wanted<'_>, db: Option<usize>) -> Option<i32> {
    let [item] = scope.items.as_slice() else {
        return None;
    };
    if scope.names[0].nested().is_some() || scope.returning {
        return None;
    }
    if let Some(table) = wanted.table {
        if !names_item(item, table, wanted.db.is_some(), db) {
            return None;
        }
    }
    let column = item.table.column_index(wanted.column)?;
    Some(if item.table.rowid_alias == Some(column) {
        -1
    } else {
        column as i32
    })
}

/// Whether the name before the dot is the item's.
#[inline]
fn names_item(item: &FromItem, table: &str, has_db: bool, db: Option<usize>) -> bool {
    if has_db && !is_in_database(item, db) {
        return false;
    }
    let name = item.alias.as_ref().unwrap_or(&item.table.name);
    name.eq_ignore_ascii_case(table)
        || item.table.root == 1
            && item.alias.is_none()
            && names_schema_table(&item.table, table, has_db)
}

/// Whether the database before the dots is the item's; a subquery is in none.
fn is_in_database(item: &FromItem, db: Option<usize>) -> bool {
    let is_subquery = matches!(item.source, crate::bound::FromSource::Select(_))
        || (item.table.root == 0 && !item.table.is_virtual());
    let is_view = matches!(item.table.kind, crate::schema::TableKind::View { .. });
    db == Some(item.db) && (is_view || !is_subquery)
}

/// `sqlite_schema` and its other names.
fn names_schema_table(table: &Table, name: &str, has_db: bool) -> bool {
    if table.name.eq_ignore_ascii_case("sqlite_temp_master") {
        return name.eq_ignore_ascii_case("sqlite_temp_schema")
            || has_db
                && (name.eq_ignore_ascii_case("sqlite_master")
                    || name.eq_ignore_ascii_case("sqlite_schema"));
    }
    name.eq_ignore_ascii_case("sqlite_schema")
}

/// Marks a column of an item as used (SQLite's sqlite3ExprColUsed).
pub(super) fn mark_used(item: &mut FromItem, column: i32) {
    let Ok(number) = usize::try_from(column) else {
        return;
    };
    let generated = item.table.has_generated && item.table.columns[number].generated.is_some();
    if generated {
        let count = item.table.columns.len();
        item.columns_used |= if count >= 64 {
            u64::MAX
        } else {
            (1 << count) - 1
        };
    } else {
        item.columns_used |= 1 << number.min(63);
    }
}
