//! ORDER BY and LIMIT of UPDATE and DELETE: the WHERE becomes `key IN (SELECT key FROM table WHERE … ORDER BY … LIMIT …)`.
//!
//! Source: SQLite's `sqlite3LimitWhere`.

use super::Target;
use crate::ast::{self, ExprKind, Literal, Name, QualifiedName, Quote, Span};
use crate::bound::{ColumnRef, Expr, FromItem, In, InSet, IndexHint};
use crate::compiler::{Compiler, Result};
use crate::resolve::{NameMode, Resolver};

impl Compiler<'_> {
    /// The WHERE of a statement with LIMIT, from whose table INDEXED BY moves into the subquery; none without LIMIT.
    pub(super) fn limited_where(
        &mut self,
        target: &Target,
        alias: Option<&Name>,
        indexed: &ast::Indexed,
        where_: Option<&ast::Expr>,
        order_by: &[ast::SortTerm],
        limit: Option<&ast::Limit>,
        with: Option<&ast::With>,
        item: &mut FromItem,
    ) -> Result<Option<Expr>> {
        let Some(limit) = limit else {
            return Ok(None);
        };
        let keys = self.key_columns(target);
        let columns = keys.iter().map(|_| placeholder()).collect();
        let items = vec![self.target_source(target, alias, indexed)];
        let mut select = ast::Select::of(columns, items, where_.cloned());
        select.order_by = order_by.to_vec();
        select.limit = Some(Box::new(limit.clone()));
        let mut resolver = Resolver::new(self);
        if let Some(with) = with {
            resolver.push_with(with)?;
        }
        let mut select = resolver.select(&select, NameMode::None)?;
        drop(resolver);
        let inner = &mut select.from.items[0];
        for (column, key) in select.result.iter_mut().zip(&keys) {
            column.expr = key_column(inner, *key);
        }
        item.hint = IndexHint::Any;
        let mut left: Vec<Expr> = keys.iter().map(|key| key_column(item, *key)).collect();
        let left = if left.len() == 1 {
            left.swap_remove(0)
        } else {
            Expr::Vector(left)
        };
        let set = InSet::Select {
            select,
            correlated: false,
        };
        self.has_subqueries = true;
        let id = self.next_subquery();
        Ok(Some(Expr::In(Box::new(In {
            left,
            set,
            not: false,
            id,
        }))))
    }

    /// The columns of a table's key; -1 is the rowid.
    pub(super) fn key_columns(&self, target: &Target) -> Vec<i32> {
        match target.primary_key() {
            None => vec![-1],
            Some(primary) => primary.columns[..primary.key_count]
                .iter()
                .map(|column| column.key.column().unwrap_or(-1))
                .collect(),
        }
    }

    /// The table as an item of a FROM clause, named so that no common table expression hides it.
    pub(super) fn target_source(
        &self,
        target: &Target,
        alias: Option<&Name>,
        indexed: &ast::Indexed,
    ) -> ast::FromItem {
        let name = |text: &str| Name {
            text: text.into(),
            span: Span::default(),
            quote: Quote::Double,
        };
        ast::FromItem {
            join: ast::JoinType::NONE,
            source: ast::Source::Table {
                name: QualifiedName {
                    schema: Some(name(&self.ctx.schema.dbs[target.db].name)),
                    name: name(&target.table.name),
                },
                indexed: indexed.clone(),
            },
            alias: alias.cloned(),
            constraint: None,
            span: Span::default(),
        }
    }
}

/// A result column in whose place a key column is put, which may have no name that could be written.
pub(super) fn placeholder() -> ast::ResultColumn {
    ast::ResultColumn::Expr {
        expr: ast::Expr {
            kind: ExprKind::Literal(Literal::Integer(0)),
            span: Span::default(),
        },
        alias: None,
        span: Span::default(),
    }
}

/// A column of an item's table, marked as used.
pub(super) fn key_column(item: &mut FromItem, column: i32) -> Expr {
    if let Ok(number) = usize::try_from(column) {
        item.columns_used |= 1 << number.min(63);
    }
    Expr::Column(ColumnRef {
        cursor: item.cursor,
        column,
        affinity: item.table.affinity_of(column),
        can_be_null: false,
    })
}
