//! UPDATE with FROM.
//!
//! ```text
//!      OpenEphemeral E                       under the rowid, or under the primary key's columns
//!      SELECT key, new values … FROM table, FROM clause WHERE …      each row into E, over one with the same key
//!      open the table and its indexes
//!      for each row of E:  look the row up by its key;  change it
//! ```
//!
//! With LIMIT the SELECT is grouped by the key, so that a row counts once.
//!
//! Source: SQLite's `updateFromSelect`.

use super::Target;
use super::limit::{key_column, placeholder};
use super::update::RowChange;
use crate::ast::{self, AssignmentTarget, ExprKind, Span};
use crate::bound::{Expr, FromItem, FromSource, Select};
use crate::codegen::select::{Destination, DestinationKind};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::{NameMode, Resolver};
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// The body of an UPDATE with FROM; the assignments number their values.
    pub(super) fn update_from(
        &mut self,
        update: &ast::Update,
        change: RowChange<'_>,
    ) -> Result<()> {
        let mut change = change;
        let target = change.target;
        let primary = target.primary_key().cloned();
        let keys = self.key_columns(target);
        let select = self.found_rows(update, target, &keys)?;
        let key_count = primary.as_ref().map_or(0, |primary| primary.key_count);
        let width = select.result.len();
        let found = self.alloc_cursor(None);
        match &primary {
            None => {
                self.op(Opcode::OpenEphemeral, found, width as i32 - 1, 0);
            }
            Some(primary) => {
                change.regs.key = self.alloc_regs(key_count);
                change.regs.key_count = key_count;
                let info = P4::KeyInfo(self.key_prefix_info(target.db, primary)?);
                self.op4(Opcode::OpenEphemeral, found, width as i32, 0, info);
            }
        }
        let mut out = Destination::new(DestinationKind::UpdateFrom { key_count }, found);
        self.code_select(&select, &mut out)?;

        self.multi_write = true;
        target.open(self, 0, |_| true)?;
        let (next, finish) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, found, finish, 0) + 1;
        let regs = change.regs;
        if primary.is_some() {
            for i in 0..key_count as i32 {
                self.op(Opcode::Column, found, i, regs.key + i);
            }
        } else {
            self.op(Opcode::Rowid, found, regs.old_rowid, 0);
        }
        self.seek_key(target, regs.key, regs.key_count, next);
        change.next = next;
        change.values = Some(found);
        self.change_row(&change)?;
        self.place(next);
        self.op(Opcode::Next, found, top, 0);
        self.place(finish);
        Ok(())
    }

    /// The rows of a view that an UPDATE with FROM finds, in an ephemeral table: all columns, then the new values.
    pub(super) fn view_with_from(&mut self, update: &ast::Update, target: &Target) -> Result<i32> {
        let keys: Vec<i32> = (0..target.table.columns.len() as i32).collect();
        let select = self.found_rows(update, target, &keys)?;
        let rows = self.alloc_cursor(None);
        let mut out = Destination::new(DestinationKind::EphemeralTable, rows);
        self.code_select(&select, &mut out)?;
        Ok(rows)
    }

    /// The SELECT of the rows' keys and new values.
    pub(super) fn found_rows(
        &mut self,
        update: &ast::Update,
        target: &Target,
        keys: &[i32],
    ) -> Result<Box<Select>> {
        let mut columns: Vec<ast::ResultColumn> = keys.iter().map(|_| placeholder()).collect();
        let mut fields = Vec::new();
        for assignment in &update.set {
            match (&assignment.target, &assignment.value.kind) {
                (AssignmentTarget::Columns(_), ExprKind::Row(values)) => {
                    columns.extend(values.iter().map(plain_column));
                }
                (AssignmentTarget::Columns(names), ExprKind::Subquery(rows)) => {
                    for field in 0..names.len() {
                        fields.push((columns.len(), field, names.len()));
                        columns.push(plain_column(&all_of(rows, assignment.value.span)));
                    }
                }
                _ => columns.push(plain_column(&assignment.value)),
            }
        }
        let from = update.from.as_ref().expect("an UPDATE with FROM");
        let mut items = vec![self.target_source(target, update.alias.as_ref(), &update.indexed)];
        match &from.items[..] {
            [single] => items.push(single.clone()),
            _ => items.push(ast::FromItem {
                join: ast::JoinType::NONE,
                source: ast::Source::Join(Box::new(from.clone())),
                alias: None,
                constraint: None,
                span: Span::default(),
            }),
        }
        let mut select = ast::Select::of(columns, items, update.where_clause.clone());
        select.order_by.clone_from(&update.order_by);
        select.limit.clone_from(&update.limit);
        let mut resolver = Resolver::new(self);
        if let Some(with) = &update.with {
            resolver.push_with(with)?;
        }
        let mut select = resolver.select(&select, NameMode::None)?;
        drop(resolver);
        let (first, rest) = select
            .from
            .items
            .split_first_mut()
            .expect("the table is the first item");
        if names_again(first, rest) {
            let name = first.alias.as_ref().unwrap_or(&first.table.name);
            return Err(SqlError::error(format!(
                "target object/alias may not appear in FROM clause: {name}"
            )));
        }
        for (column, key) in select.result.iter_mut().zip(keys) {
            column.expr = key_column(first, *key);
        }
        if update.limit.is_some() {
            select.group_by = keys.iter().map(|key| key_column(first, *key)).collect();
            select.flags.aggregate = true;
        }
        for (at, field, count) in fields {
            if let Expr::Subquery(subquery) = &mut select.result[at].expr {
                let result = &mut subquery.select.result;
                if result.len() != count {
                    let have = result.len();
                    return Err(SqlError::error(format!(
                        "{count} columns assigned {have} values"
                    )));
                }
                let one = result.swap_remove(field);
                *result = vec![one];
            }
        }
        crate::rewrite::rewrite(self, &mut select)?;
        Ok(select)
    }
}

fn plain_column(expr: &ast::Expr) -> ast::ResultColumn {
    ast::ResultColumn::Expr {
        expr: expr.clone(),
        alias: None,
        span: expr.span,
    }
}

/// `(SELECT * FROM (rows))`, of which one column is kept.
fn all_of(rows: &ast::Select, span: Span) -> ast::Expr {
    let clause = ast::SelectClause {
        distinct: ast::Distinctness::None,
        columns: vec![ast::ResultColumn::Star(Span::default())],
        from: Some(ast::FromClause {
            items: vec![ast::FromItem {
                join: ast::JoinType::NONE,
                source: ast::Source::Select(Box::new(rows.clone())),
                alias: None,
                constraint: None,
                span: Span::default(),
            }],
        }),
        where_clause: None,
        group_by: Vec::new(),
        having: None,
        windows: Vec::new(),
        span: Span::default(),
        number: 0,
    };
    ast::Expr {
        kind: ExprKind::Subquery(Box::new(ast::Select {
            with: None,
            core: ast::SelectCore::Select(Box::new(clause)),
            compounds: Vec::new(),
            order_by: Vec::new(),
            limit: None,
            span: Span::default(),
        })),
        span,
    }
}

/// Whether one of the items is the same table under the same name.
fn names_again(first: &FromItem, rest: &[FromItem]) -> bool {
    rest.iter().any(|item| {
        let same_alias = match (&first.alias, &item.alias) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, None) => true,
            _ => false,
        };
        match &item.source {
            FromSource::Table => same_alias && Arc::ptr_eq(&item.table, &first.table),
            FromSource::Select(inner) => item.nested_join && names_again(first, &inner.from.items),
            FromSource::Recursive => false,
        }
    })
}
