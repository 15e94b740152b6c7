//! Result columns: `*`, `t.*`, expressions with and without AS.
//!
//! Source: SQLite's `selectExpander`.

use super::Resolver;
use super::names::Wanted;
use super::select::NameMode;
use crate::ast::{self, ExprKind, Quote, Span};
use crate::bound::{Expr, FromSource, ResultColumn};
use crate::compiler::{Result, SqlError};
use std::sync::Arc;

impl<'a, 'c: 'a> Resolver<'_, 'c, 'a> {
    /// The result columns of a SELECT in its scope, stars expanded.
    pub fn result_columns(
        &mut self,
        columns: &'a [ast::ResultColumn],
        names: NameMode,
    ) -> Result<Vec<ResultColumn>> {
        let mut result = Vec::with_capacity(columns.len());
        for column in columns {
            match column {
                ast::ResultColumn::Star(span) => result.extend(self.star(None, *span, names)?),
                ast::ResultColumn::TableStar { table, span } => {
                    result.extend(self.star(Some(&table.text), *span, names)?);
                }
                ast::ResultColumn::Expr { expr, alias, span } => {
                    let bound = self.expr(expr)?;
                    let (name, alias) = match alias {
                        Some(alias) => (Arc::from(&*alias.text), true),
                        None => (self.column_name(expr, &bound, *span, names), false),
                    };
                    result.push(ResultColumn {
                        expr: bound,
                        name,
                        alias,
                    });
                }
            }
        }
        if result.len() > self.c.ctx.limits.columns {
            return Err(SqlError::error("too many columns in result set"));
        }
        Ok(result)
    }

    /// The name of a result column without AS.
    fn column_name(
        &mut self,
        expr: &ast::Expr,
        bound: &Expr,
        span: Span,
        names: NameMode,
    ) -> Arc<str> {
        let text = |resolver: &Self| match std::str::from_utf8(resolver.slice(span)) {
            Ok(text) => Arc::from(text),
            Err(_) => Arc::from(&*String::from_utf8_lossy(resolver.slice(span))),
        };
        match names {
            NameMode::None => self.c.empty_name(),
            NameMode::Output => {
                let flags = self.c.ctx.flags;
                match bound {
                    Expr::Column(column) if flags.short_column_names || flags.full_column_names => {
                        let name = self.table_column_name(column.cursor, column.column);
                        match (flags.full_column_names, self.c.cursor_table(column.cursor)) {
                            (true, Some(table)) => format!("{}.{name}", table.name).into(),
                            _ => name,
                        }
                    }
                    _ => text(self),
                }
            }
            NameMode::Subquery => {
                let mut inner = expr;
                while let ExprKind::Collate(collate) = &inner.kind {
                    inner = &collate.expr;
                }
                match &inner.kind {
                    ExprKind::Id(name) => Arc::from(&*name.text),
                    ExprKind::Column(column) => Arc::from(&*column.column.text),
                    _ => text(self),
                }
            }
            NameMode::View => match bound.without_collate() {
                Expr::Column(column) => self.table_column_name(column.cursor, column.column),
                _ => text(self),
            },
        }
    }

    /// The name of a column of a cursor's table.
    fn table_column_name(&self, cursor: i32, column: i32) -> Arc<str> {
        let Some(table) = self.c.cursor_table(cursor) else {
            return Arc::from("");
        };
        let number = usize::try_from(column).ok().or(table.rowid_alias);
        match number.and_then(|number| table.columns.get(number)) {
            Some(column) => column.name.clone(),
            None => Arc::from("rowid"),
        }
    }

    /// A column by name in the innermost scope, as if it were written.
    pub(super) fn named(&mut self, table: Option<&str>, column: &str) -> Result<Expr> {
        self.lookup(Wanted {
            db: None,
            table,
            column,
            quote: Quote::Backtick,
            span: Span::default(),
        })
    }

    /// `*` or `t.*`.
    pub(super) fn star(
        &mut self,
        wanted: Option<&str>,
        span: Span,
        names: NameMode,
    ) -> Result<Vec<ResultColumn>> {
        let mut result = Vec::new();
        let mut seen = false;
        let count = self.scope().items.len();
        let flags = self.c.ctx.flags;
        let long_names =
            flags.full_column_names && !flags.short_column_names && names == NameMode::Output;
        for i in 0..count {
            let scope = self.scopes.last().expect("a scope is in sight");
            let item = &scope.items[i];
            let nested = scope.names[i].nested().cloned();
            let table = item.table.clone();
            let table_name = item.alias.clone().unwrap_or_else(|| table.name.clone());
            if nested.is_none()
                && wanted.is_some_and(|wanted| !table_name.eq_ignore_ascii_case(wanted))
            {
                continue;
            }
            let left_of_right = item.join.left_of_right;
            let db_name = match item.source {
                FromSource::Table => Some(self.c.ctx.schema.dbs[item.db].name.clone()),
                FromSource::Select(_) | FromSource::Recursive => None,
            };
            let unique = is_unique(scope, i);
            if count == 1 && nested.is_none() {
                result.reserve(table.columns.len());
            }
            for (j, column) in table.columns.iter().enumerate() {
                if let Some(nested) = nested.as_ref().map(|nested| &nested[j]) {
                    if nested.rowid
                        || wanted.is_some_and(|wanted| !nested.table.eq_ignore_ascii_case(wanted))
                        || nested.no_expand && wanted.is_none()
                    {
                        continue;
                    }
                }
                if column.hidden {
                    continue;
                }
                seen = true;
                let scope = self.scopes.last().expect("a scope is in sight");
                if i > 0 && wanted.is_none() && scope.names[i].is_using(&column.name) {
                    continue; // the column of the left item stands for both
                }
                let later_using = scope.names[i + 1..]
                    .iter()
                    .any(|names| names.is_using(&column.name));
                let expr = if count > 1 && left_of_right && wanted.is_none() && later_using {
                    // RIGHT and FULL JOIN: whichever side is there.
                    self.named(None, &column.name)
                        .map_err(|e| e.or_at(span.start))?
                } else if unique || nested.is_some() {
                    self.item_column(i, j as i32)?
                } else {
                    let wanted = Wanted {
                        db: db_name.as_deref(),
                        table: Some(&table_name),
                        column: &column.name,
                        quote: Quote::Backtick,
                        span,
                    };
                    self.lookup(wanted)?
                };
                let name = column.name.clone();
                let name = if long_names {
                    format!("{table_name}.{name}").into()
                } else {
                    name
                };
                result.push(ResultColumn {
                    expr,
                    name,
                    alias: true,
                });
            }
        }
        if !seen {
            return Err(match wanted {
                Some(table) => SqlError::error(format!("no such table: {table}")),
                None => SqlError::error("no tables specified"),
            });
        }
        Ok(result)
    }
}

/// Whether no other item goes by the same name.
fn is_unique(scope: &super::Scope, i: usize) -> bool {
    let item = &scope.items[i];
    let name = item.alias.as_ref().unwrap_or(&item.table.name);
    let same = |other: &crate::bound::FromItem| {
        other
            .alias
            .as_ref()
            .unwrap_or(&other.table.name)
            .eq_ignore_ascii_case(name)
            && other.db == item.db
    };
    name.is_empty()
        || scope
            .items
            .iter()
            .enumerate()
            .all(|(j, other)| j == i || !same(other))
}
