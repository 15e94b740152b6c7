//! `INSERT INTO x SELECT * FROM y` between tables of the same shape: records are copied as they are.
//!
//! ```text
//!   if x is not empty, goto the general code
//!   for each row of y in order:  NewRowid or its own;  RowData;  Insert APPEND
//!   for each index of x:         the entries of y's index that is alike, in order;  IdxInsert APPEND
//! ```
//!
//! Rules:
//! 1. The tables have the same columns: affinity, collation, NOT NULL, DEFAULT; x has no CHECK that y has not; each
//!    index of x has a twin in y. Only then may a row go over unchecked.
//! 2. Where rows that are in x already could be in conflict with more than the rowid, or the rowids of y are needed, the
//!    fast way is taken only if x is empty.
//!
//! Source: SQLite's `xferOptimization`.

use super::{Target, conflict_code};
use crate::ast::{self, ConflictAction, InsertSource, print_expression};
use crate::authorizer::ActionCode;
use crate::compiler::{Compiler, Result};
use crate::schema::{Index, IndexKey, Table};
use ringwood_vdbe::Opcode;
use ringwood_vdbe::opcode::p5;
use std::sync::Arc;

impl Compiler<'_> {
    /// Asks whether the whole of a table may be read.
    fn authorize_transfer(&self, db: usize, source: &Table) -> Result<bool> {
        let mut allowed = self.authorize(ActionCode::Select, None, None, None)?;
        for column in 0..source.columns.len() {
            allowed &= self.authorize_read(db, source, column as i32)?;
        }
        Ok(allowed)
    }

    /// Codes an INSERT as a transfer if it is one. True: nothing is left to do. False: the general code must follow;
    /// it is reached if the table turns out not to be empty.
    pub(super) fn code_transfer(
        &mut self,
        insert: &ast::Insert,
        db: usize,
        table: &Arc<Table>,
    ) -> Result<bool> {
        let Some((source_db, source)) = self.transfer_source(insert, table) else {
            return Ok(false);
        };
        if self.asks() && !self.authorize_transfer(source_db, &source)? {
            return Ok(false);
        }
        let action = insert
            .or
            .or(table.key_conflict)
            .unwrap_or(ConflictAction::Abort);
        let sequence = self.begin_autoincrement(db, table)?;
        let target = Target::new(self, db, table);
        let from = self.alloc_cursor(Some(source.clone()));
        let (data, rowid) = (self.alloc_reg(), self.alloc_reg());

        let general = self.label();
        let needs_empty = (table.rowid_alias.is_none() && !table.indexes.is_empty())
            || table.indexes.iter().any(|index| index.unique.is_some())
            || !matches!(action, ConflictAction::Abort | ConflictAction::Rollback);
        target.open(self, 0, |cursor| cursor == target.data_cursor)?;
        if needs_empty {
            let empty = self.op(Opcode::Rewind, target.data_cursor, 0, 0);
            self.goto(general);
            self.jump_here(empty);
        }
        let nothing = self.label();
        if table.has_rowid() {
            self.open_table(from, source_db, &source, false)?;
            let top = self.jump(Opcode::Rewind, from, nothing, 0) + 1;
            if table.rowid_alias.is_some() {
                self.op(Opcode::Rowid, from, rowid, 0);
                let fresh = self.label();
                self.jump(Opcode::NotExists, target.data_cursor, fresh, rowid);
                self.rowid_violation(&target, conflict_code(action));
                self.place(fresh);
                self.step_autoincrement(sequence.as_ref(), rowid);
            } else if table.indexes.is_empty() {
                self.op(Opcode::NewRowid, target.data_cursor, rowid, 0);
            } else {
                // The entries of the indexes go over as they are, so the rowids must stay.
                self.op(Opcode::Rowid, from, rowid, 0);
            }
            self.op(Opcode::RowData, from, data, 1);
            let operand = Self::table_operand(table);
            self.op4(Opcode::Insert, target.data_cursor, data, rowid, operand);
            self.p5(p5::NCHANGE | p5::LASTROWID | p5::APPEND);
            self.op(Opcode::Next, from, top, 0);
            self.op(Opcode::Close, from, 0, 0);
        }
        for (n, index) in table.indexes.iter().enumerate() {
            let twin = twin_of(index, &source).expect("checked in transfer_source");
            let cursor = self.alloc_cursor(None);
            self.open_index(cursor, source_db, twin, false)?;
            let to = target.cursor_of(n);
            if !target.is_table(n) {
                self.open_index(to, db, index, true)?;
                self.p5(p5::BULKCSR);
            }
            let end = self.label();
            let top = self.jump(Opcode::Rewind, cursor, end, 0) + 1;
            self.op(Opcode::RowData, cursor, data, 1);
            self.op(Opcode::IdxInsert, to, data, 0);
            self.p5(p5::APPEND | if target.is_table(n) { p5::NCHANGE } else { 0 });
            self.op(Opcode::Next, cursor, top, 0);
            self.place(end);
            self.op(Opcode::Close, cursor, 0, 0);
            if !target.is_table(n) {
                self.op(Opcode::Close, to, 0, 0);
            }
        }
        self.place(nothing);
        self.op(Opcode::Close, target.data_cursor, 0, 0);
        if !needs_empty {
            self.place(general);
            return Ok(true);
        }
        if let Some(sequence) = &sequence {
            self.end_autoincrement(sequence)?;
        }
        self.op(Opcode::Halt, 0, 0, 0);
        self.place(general);
        self.op(Opcode::Close, target.data_cursor, 0, 0);
        Ok(false)
    }

    /// The table that is copied, if rule 1 holds.
    fn transfer_source(
        &self,
        insert: &ast::Insert,
        table: &Arc<Table>,
    ) -> Option<(usize, Arc<Table>)> {
        let InsertSource::Select(select) = &insert.source else {
            return None;
        };
        if insert.with.is_some() || select.with.is_some() || !insert.columns.is_empty() {
            return None;
        }
        if !select.compounds.is_empty() || !select.order_by.is_empty() || select.limit.is_some() {
            return None;
        }
        let ast::SelectCore::Select(core) = &select.core else {
            return None;
        };
        let plain = core.distinct != ast::Distinctness::Distinct
            && core.where_clause.is_none()
            && core.group_by.is_empty()
            && core.having.is_none();
        if !plain
            || !matches!(core.columns[..], [ast::ResultColumn::Star(_)])
            || self.ctx.flags.count_changes
        {
            return None;
        }
        let [
            ast::FromItem {
                source: ast::Source::Table { name, .. },
                ..
            },
        ] = &core.from.as_ref()?.items[..]
        else {
            return None;
        };
        let (db, source) = self.find_table(name).ok()?;
        let same_kind = !source.is_view()
            && !source.is_virtual()
            && !table.is_virtual()
            && !Arc::ptr_eq(&source, table)
            && source.has_rowid() == table.has_rowid()
            && (source.strict || !table.strict)
            && source.rowid_alias == table.rowid_alias
            && source.columns.len() == table.columns.len()
            && source.root != table.root
            && !super::is_read_only(&source.name);
        if !same_kind || !columns_alike(table, &source) {
            return None;
        }
        if !table.checks.is_empty()
            && !self.ctx.flags.ignore_check_constraints
            && !checks_alike(table, &source)
        {
            return None;
        }
        if self.ctx.flags.foreign_keys && !table.foreign_keys.is_empty() {
            return None;
        }
        let same_encoding = self.ctx.schema.dbs[db].encoding == self.ctx.schema.dbs[0].encoding;
        let twins = table
            .indexes
            .iter()
            .all(|index| twin_of(index, &source).is_some());
        (same_encoding && twins).then_some((db, source))
    }
}

fn columns_alike(table: &Table, source: &Table) -> bool {
    table
        .columns
        .iter()
        .zip(&source.columns)
        .enumerate()
        .all(|(i, (to, from))| {
            let default = |column: &crate::schema::Column| {
                column.default.as_ref().map(|default| default.text.clone())
            };
            let generated = match (&to.generated, &from.generated) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    a.stored == b.stored && print_expression(&a.expr) == print_expression(&b.expr)
                }
                _ => false,
            };
            generated
                && to.affinity == from.affinity
                && to.collation.same(&from.collation)
                && (to.not_null.is_none() || from.not_null.is_some())
                && (i == 0 || default(to) == default(from))
        })
}

fn checks_alike(table: &Table, source: &Table) -> bool {
    table.checks.len() == source.checks.len()
        && table
            .checks
            .iter()
            .zip(&source.checks)
            .all(|(a, b)| print_expression(&a.expr) == print_expression(&b.expr))
}

/// The index of `source` that holds the same entries for the same rows.
fn twin_of<'s>(index: &Index, source: &'s Table) -> Option<&'s Arc<Index>> {
    let text = |expr: &Option<Arc<ast::Expr>>| expr.as_deref().map(print_expression);
    source.indexes.iter().find(|other| {
        other.columns.len() == index.columns.len()
            && other.key_count == index.key_count
            && other.unique == index.unique
            && other.is_primary_key() == index.is_primary_key()
            && text(&other.partial) == text(&index.partial)
            && index.columns.iter().zip(&other.columns).all(|(a, b)| {
                let same_key = match (&a.key, &b.key) {
                    (IndexKey::Expr(a), IndexKey::Expr(b)) => {
                        print_expression(a) == print_expression(b)
                    }
                    _ => a.key.column() == b.key.column(),
                };
                same_key && a.desc == b.desc && a.collation.same(&b.collation)
            })
    })
}
