//! UPDATE.
//!
//! ```text
//!   one pass             the loops' cursors are open for writing; each row is changed where it is found
//!   two passes           the keys of the rows go into an ephemeral table; then each is looked up and changed
//!
//!   registers            old rowid | old columns | new rowid | new columns
//!                        where the key cannot change, there is one rowid and no old columns
//!
//!   a row                new columns: assigned ones computed, the others read; BEFORE triggers
//!                        checks; index entries of indexes that are touched
//!                        their old entries deleted; the row, if its key may change
//!                        new entries and the row stored; actions of foreign keys; AFTER triggers
//! ```
//!
//! Rules:
//! 1. An index is touched if one of its columns may change, or the rowid, or the truth of its WHERE.
//! 2. Rows are not changed while they are found if that could let a row be found again: through an index that is touched,
//!    or because keys change or REPLACE deletes other rows.
//!
//! Source: SQLite's `sqlite3Update`.

use super::constraints::Row;
use super::foreign_keys::{Changed, Involvement};
use super::insert::is_rowid_name;
use super::{Change, Target, columns_used};
use crate::ast::{self, AssignmentTarget, ConflictAction, TriggerTime};
use crate::bound::walk::{for_each_column, has_subquery};
use crate::bound::{Expr, FromItem};
use crate::codegen::loops::{self, Loops, OnePass, Request};
use crate::codegen::trigger::Triggers;
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::Control;
use crate::resolve::{Place, resolve_self_at};
use crate::schema::{Index, IndexKey, Table};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

/// What an UPDATE assigns.
struct Assignments {
    /// For each column its new value, if it has one.
    columns: Vec<Option<Expr>>,
    /// Whether it has one.
    changed: Vec<bool>,
    /// The new rowid.
    rowid: Option<Expr>,
    /// Whether a column of the primary key of a WITHOUT ROWID table is among them.
    key: bool,
}

impl Assignments {
    fn changes_key(&self) -> bool {
        self.rowid.is_some() || self.key
    }

    /// Whether a column, or the rowid (-1), may change.
    fn touches_column(&self, column: i32) -> bool {
        usize::try_from(column).map_or(self.rowid.is_some(), |number| self.changed[number])
    }

    fn touches_expr(&self, expr: &Expr) -> bool {
        let mut touches = false;
        for_each_column(expr, &mut |column| {
            touches |= self.touches_column(column.column);
        });
        touches
    }
}

/// The registers of a row.
#[derive(Clone, Copy)]
struct Registers {
    old_rowid: i32,
    new_rowid: i32,
    /// The key by which the row is looked up, and how many registers it has; 0: it is a record.
    key: i32,
    key_count: usize,
}

/// Who reads the old row.
struct OldColumns<'t> {
    /// These triggers, and foreign keys.
    triggers: Option<&'t Triggers>,
    /// The checks of a primary key that changes.
    key: bool,
}

impl OldColumns<'_> {
    fn any(&self) -> bool {
        self.key || self.triggers.is_some()
    }
}

/// The names of the columns that are assigned.
fn assigned_names(set: &[ast::Assignment]) -> Vec<&str> {
    let names = set.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::Column(name) => std::slice::from_ref(name),
        AssignmentTarget::Columns(names) => &names[..],
    });
    names.map(|name| &*name.text).collect()
}

impl Compiler<'_> {
    /// Codes an UPDATE.
    pub fn code_update(&mut self, update: &ast::Update) -> Result<()> {
        if !update.returning.is_empty() {
            return Err(SqlError::unsupported("RETURNING is"));
        }
        if update.from.is_some() {
            return Err(SqlError::unsupported("UPDATE FROM is"));
        }
        if !update.order_by.is_empty() || update.limit.is_some() {
            return Err(SqlError::unsupported("ORDER BY and LIMIT of UPDATE are"));
        }
        let set = assigned_names(&update.set);
        let (db, table, triggers) =
            self.table_to_change(&update.table, Change::Update, Some(&set))?;
        let mut target = Target::new(self, db, &table);
        target.replaces(self);
        let target = target;
        let mut item = self.target_item(&target, update.alias.as_ref(), &update.indexed)?;
        if table.is_view() {
            return self.update_of_view(update, &target, &mut item, &triggers);
        }
        let assignments = self.resolve_assignments(update, &table, &item)?;
        if table.is_virtual() {
            self.b.about.count_changes = true;
            self.writes_db(false, db);
            let where_ = match &update.where_clause {
                Some(where_) => Some(self.resolve_where(&item, update.with.as_deref(), where_)?),
                None => None,
            };
            item.columns_used = u64::MAX;
            let (columns, rowid) = (&assignments.columns, assignments.rowid.as_ref());
            self.update_virtual(&target, &item, columns, rowid, where_.as_ref(), update.or)?;
            return self.end_change();
        }
        let changed = Changed {
            columns: &assignments.changed,
            rowid: assignments.rowid.is_some(),
        };
        let keys_involved = self.foreign_keys_of_update(db, &table, changed);
        let checks_keys = keys_involved != Involvement::None;
        let wants_old = checks_keys || !triggers.is_empty();

        let replaces_all = update.or == Some(ConflictAction::Replace);
        let mut touched = Vec::with_capacity(table.indexes.len());
        for (n, index) in table.indexes.iter().enumerate() {
            touched
                .push(target.is_table(n) || self.is_index_touched(&target, index, &assignments)?);
        }
        let replaces = replaces_all
            || update.or.is_none()
                && table.indexes.iter().zip(&touched).any(|(index, touched)| {
                    *touched && index.unique == Some(ConflictAction::Replace)
                });
        let mut records = self.record_registers(&target, |n| touched[n]);

        self.b.about.count_changes = true;
        self.writes_db(wants_old, db);
        let set = records[table.indexes.len()];
        let old_rowid = self.alloc_reg();
        let mut new_rowid = old_rowid;
        if assignments.key || wants_old {
            self.alloc_regs(table.columns.len());
        }
        if assignments.changes_key() || wants_old {
            new_rowid = self.alloc_reg();
        }
        self.alloc_regs(table.columns.len());
        let where_ = match &update.where_clause {
            Some(where_) => Some(self.resolve_where(&item, update.with.as_deref(), where_)?),
            None => None,
        };
        item.columns_used = where_
            .as_ref()
            .map_or(0, |where_| columns_used(where_, item.cursor));

        let finish = self.label();
        let mut regs = Registers {
            old_rowid,
            new_rowid,
            key: old_rowid,
            key_count: 1,
        };
        let primary = target.primary_key().cloned();
        let keys;
        let opened;
        if let Some(primary) = &primary {
            regs.key_count = primary.key_count;
            regs.key = self.alloc_regs(regs.key_count);
            keys = self.alloc_cursor(None);
            self.op(
                Opcode::Null,
                0,
                regs.key,
                regs.key + regs.key_count as i32 - 1,
            );
            let info = self.key_prefix_info(db, primary)?;
            opened = self.op4(
                Opcode::OpenEphemeral,
                keys,
                regs.key_count as i32,
                0,
                P4::KeyInfo(info),
            );
        } else {
            self.op(Opcode::Null, 0, set, old_rowid);
            keys = self.alloc_cursor(None);
            opened = self.op(Opcode::OpenEphemeral, keys, 0, set);
        }

        let mut control = Control::ONEPASS_DESIRED;
        if !assignments.changes_key()
            && !replaces
            && !wants_old
            && !where_.as_ref().is_some_and(has_subquery)
        {
            control |= Control::ONEPASS_MULTIROW;
        }
        let request = Request::table(&item, where_.as_ref(), control, target.index_cursor);
        let loops = loops::begin(self, request)?;
        let mut one_pass = loops.one_pass;
        let (table_cursor, index_cursor) = loops.one_pass_cursors;
        let wanted = |cursor: i32| {
            cursor == target.data_cursor
                || replaces
                || usize::try_from(cursor - target.index_cursor).is_ok_and(|n| touched[n])
        };
        if one_pass != OnePass::Single {
            self.multi_write = true;
            // Rule 2.
            let scans_touched =
                index_cursor >= 0 && index_cursor != target.data_cursor && wanted(index_cursor);
            if one_pass == OnePass::Multi && scans_touched {
                one_pass = OnePass::Off;
            }
        }
        let deferred_seek = loops.deferred_seek;

        self.code_key(&target, regs.key)?;
        if one_pass != OnePass::Off {
            self.b.to_noop(opened);
        } else if let Some(primary) = &primary {
            let record = self.alloc_reg();
            let affinities = target.key_affinities(primary);
            self.op4(
                Opcode::MakeRecord,
                regs.key,
                regs.key_count as i32,
                record,
                affinities,
            );
            self.op4(
                Opcode::IdxInsert,
                keys,
                record,
                regs.key,
                P4::Int(regs.key_count as i32),
            );
            (regs.key, regs.key_count) = (record, 0);
        } else {
            records[table.indexes.len()] = self.alloc_reg();
            self.op(Opcode::Insert, keys, set, old_rowid);
        }
        let mut running: Option<Loops<'_>> = Some(loops);
        if one_pass != OnePass::Multi {
            if let Some(loops) = running.take() {
                loops.end(self)?;
            }
        }

        let is_open = |cursor: i32| {
            one_pass != OnePass::Off && (cursor == table_cursor || cursor == index_cursor)
        };
        if one_pass == OnePass::Multi {
            self.op(Opcode::Once, 0, 0, 0);
        }
        let once = self.here() - 1;
        target.open(self, 0, |cursor| wanted(cursor) && !is_open(cursor))?;
        if one_pass == OnePass::Multi {
            self.end_once(once);
        }

        let next = if one_pass == OnePass::Single {
            finish
        } else {
            self.label()
        };
        let mut top = 0;
        if one_pass != OnePass::Off {
            if !is_open(target.data_cursor) {
                let count = P4::Int(regs.key_count as i32);
                self.op4(
                    Opcode::NotFound,
                    target.data_cursor,
                    finish.into(),
                    regs.key,
                    count,
                );
            }
            self.jump(Opcode::IsNull, regs.key, finish, 0);
        } else if primary.is_some() {
            self.jump(Opcode::Rewind, keys, finish, 0);
            top = self.op(Opcode::RowData, keys, regs.key, 0);
            self.op4(
                Opcode::NotFound,
                target.data_cursor,
                next.into(),
                regs.key,
                P4::Int(0),
            );
        } else {
            self.jump(Opcode::Rewind, keys, finish, 0);
            top = self.op(Opcode::Rowid, keys, old_rowid, 0);
            self.jump(Opcode::NotExists, target.data_cursor, next, old_rowid);
        }

        let old_columns = OldColumns {
            triggers: wants_old.then_some(&triggers),
            key: assignments.key,
        };
        let mut reads_row = self.code_new_row(&target, &assignments, regs, &old_columns)?;
        if triggers.before {
            self.table_affinity(&table, new_rowid + 1);
            let time = TriggerTime::Before;
            self.fire(&triggers, time, &table, old_rowid, update.or, next);
            self.seek_key(&target, regs.key, regs.key_count, next);
            // The trigger may have changed what is not assigned.
            for (i, assigned) in assignments.changed.iter().enumerate() {
                let is_read = !assigned
                    && table.rowid_alias != Some(i)
                    && table.columns[i].generated.is_none();
                if is_read {
                    let reg = new_rowid + 1 + table.storage_of(i) as i32;
                    self.code_column_into(target.data_cursor, i as i32, reg)?;
                }
            }
            if table.has_generated {
                self.compute_generated_columns(&target, new_rowid)?;
            }
            reads_row = true;
        }
        let old = Some(old_rowid);
        let row = Row {
            target: &target,
            new: new_rowid,
            old,
            key_changes: assignments.changes_key(),
            or: update.or,
            ignore: next,
            changed: Some(&assignments.changed),
            records: &records,
        };
        let replaced = self.check_row(&row)?;
        if replaced || assignments.changes_key() {
            // The checks may have moved the cursor.
            self.seek_key(&target, regs.key, regs.key_count, next);
        }
        if checks_keys {
            self.check_foreign_keys(db, &table, old, None, Some(changed))?;
        }
        self.delete_index_entries(&target, Some(&records), None)?;
        if deferred_seek && !reads_row {
            self.op(Opcode::FinishSeek, target.data_cursor, 0, 0);
        }
        if assignments.changes_key() || keys_involved == Involvement::Moves {
            self.op(Opcode::Delete, target.data_cursor, 0, 0);
        }
        if checks_keys {
            self.check_foreign_keys(db, &table, None, Some(new_rowid), Some(changed))?;
        }
        let keep = if one_pass == OnePass::Multi {
            p5::SAVEPOSITION
        } else {
            0
        };
        self.store_row(&row, p5::ISUPDATE | keep, false, false);
        if checks_keys {
            self.act_on_foreign_keys(db, &table, old_rowid, Some(changed))?;
        }
        let time = TriggerTime::After;
        self.fire(&triggers, time, &table, old_rowid, update.or, next);

        if one_pass != OnePass::Single {
            self.place(next);
        }
        match running {
            Some(loops) => loops.end(self)?,
            None if one_pass == OnePass::Off => {
                self.op(Opcode::Next, keys, top, 0);
            }
            None => {}
        }
        self.place(finish);
        self.end_change()
    }

    fn update_of_view(
        &mut self,
        update: &ast::Update,
        target: &Target,
        item: &mut FromItem,
        triggers: &Triggers,
    ) -> Result<()> {
        self.b.about.count_changes = true;
        self.writes_db(true, target.db);
        item.cursor = self.materialize_view(
            target.db,
            &update.table,
            &target.table,
            update.with.as_deref(),
            update.where_clause.as_ref(),
        )?;
        let assignments = self.resolve_assignments(update, &target.table, item)?;
        let values = &assignments.columns;
        self.update_view(item.cursor, &target.table, values, update.or, triggers)?;
        self.end_change()
    }

    /// Which columns of the old row somebody reads.
    fn old_columns_used(&self, target: &Target, old: &OldColumns<'_>) -> Vec<bool> {
        let table = &target.table;
        let mut used: Vec<bool> = table
            .columns
            .iter()
            .map(|column| {
                column.primary_key
                    || old
                        .triggers
                        .is_some_and(|triggers| triggers.read_old(&column.name))
            })
            .collect();
        if old.triggers.is_some() {
            self.mark_key_columns(target.db, table, &mut used);
        }
        used
    }

    /// Resolves the right sides of SET and finds their columns.
    fn resolve_assignments(
        &mut self,
        update: &ast::Update,
        table: &Arc<Table>,
        item: &FromItem,
    ) -> Result<Assignments> {
        let mut pairs: Vec<(&ast::Name, Expr)> = Vec::with_capacity(update.set.len());
        for assignment in &update.set {
            let value = self.resolve_in(item, update.with.as_deref(), &assignment.value)?;
            match &assignment.target {
                AssignmentTarget::Column(name) => pairs.push((name, value)),
                AssignmentTarget::Columns(names) => {
                    let count = value.vector_size();
                    if count != names.len() {
                        let message = format!("{} columns assigned {count} values", names.len());
                        return Err(SqlError::error(message));
                    }
                    match value {
                        Expr::Vector(items) => pairs.extend(names.iter().zip(items)),
                        one if count == 1 => pairs.push((&names[0], one)),
                        _ => {
                            return Err(SqlError::unsupported(
                                "assigning a subquery to several columns is",
                            ));
                        }
                    }
                }
            }
        }
        let mut made = Assignments {
            columns: vec![None; table.columns.len()],
            changed: vec![false; table.columns.len()],
            rowid: None,
            key: false,
        };
        for (name, value) in pairs {
            let Some(number) = table.column_index(&name.text) else {
                if table.has_rowid() && is_rowid_name(&name.text) {
                    made.rowid = Some(value);
                    continue;
                }
                return Err(SqlError::error(format!("no such column: {}", name.text)));
            };
            if table.rowid_alias == Some(number) {
                made.rowid = Some(value);
                made.changed[number] = true;
                continue;
            }
            if table.columns[number].generated.is_some() {
                let message = format!(
                    "cannot UPDATE generated column \"{}\"",
                    table.columns[number].name
                );
                return Err(SqlError::error(message));
            }
            made.key |= !table.has_rowid() && table.columns[number].primary_key;
            made.columns[number] = Some(value);
            made.changed[number] = true;
        }
        if table.has_generated {
            self.mark_generated(table, item.cursor, &mut made)?;
        }
        Ok(made)
    }

    /// A generated column may change with any that its expression mentions.
    fn mark_generated(
        &mut self,
        table: &Arc<Table>,
        cursor: i32,
        assignments: &mut Assignments,
    ) -> Result<()> {
        let mut generated = Vec::new();
        for (number, column) in table.columns.iter().enumerate() {
            if let Some(definition) = &column.generated {
                let place = Place::Generated;
                generated.push((
                    number,
                    resolve_self_at(self, table, cursor, &definition.expr, place)?,
                ));
            }
        }
        let mut progress = true;
        while progress {
            progress = false;
            for (number, expr) in &generated {
                if !assignments.changed[*number] && assignments.touches_expr(expr) {
                    assignments.changed[*number] = true;
                    progress = true;
                }
            }
        }
        Ok(())
    }

    /// Rule 1.
    fn is_index_touched(
        &mut self,
        target: &Target,
        index: &Index,
        assignments: &Assignments,
    ) -> Result<bool> {
        if assignments.changes_key() {
            return Ok(true);
        }
        if let Some(partial) = &index.partial {
            let expr =
                crate::resolve::resolve_self(self, &target.table, target.data_cursor, partial)?;
            if assignments.touches_expr(&expr) {
                return Ok(true);
            }
        }
        for column in &index.columns[..index.key_count] {
            let touches = match &column.key {
                IndexKey::Column(number) => assignments.changed[*number],
                IndexKey::Rowid => assignments.rowid.is_some(),
                IndexKey::Expr(expr) => {
                    let expr = crate::resolve::resolve_self(
                        self,
                        &target.table,
                        target.data_cursor,
                        expr,
                    )?;
                    assignments.touches_expr(&expr)
                }
            };
            if touches {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Computes the new row, and of the old one what the checks compare with; tells whether the row was read.
    fn code_new_row(
        &mut self,
        target: &Target,
        assignments: &Assignments,
        regs: Registers,
        old: &OldColumns<'_>,
    ) -> Result<bool> {
        let table = &target.table;
        if let Some(rowid) = &assignments.rowid {
            self.expr_code(rowid, regs.new_rowid)?;
            self.op(Opcode::MustBeInt, regs.new_rowid, 0, 0);
            self.may_abort = true;
        }
        if old.any() {
            let used = self.old_columns_used(target, old);
            for (i, used) in used.into_iter().enumerate() {
                let reg = regs.old_rowid + 1 + table.storage_of(i) as i32;
                if used {
                    self.code_column_into(target.data_cursor, i as i32, reg)?;
                } else {
                    self.op(Opcode::Null, 0, reg, 0);
                }
            }
            if assignments.rowid.is_none() && table.has_rowid() && old.triggers.is_some() {
                self.op(Opcode::Copy, regs.old_rowid, regs.new_rowid, 0);
            }
        }
        let mut reads = false;
        for (i, value) in assignments.columns.iter().enumerate() {
            let reg = regs.new_rowid + 1 + table.storage_of(i) as i32;
            if table.columns[i].generated.is_some() {
                continue;
            }
            if table.rowid_alias == Some(i) {
                self.op(Opcode::Null, 0, reg, 0);
                continue;
            }
            match value {
                Some(value) => self.expr_code(value, reg)?,
                None => {
                    self.code_column_into(target.data_cursor, i as i32, reg)?;
                    reads = true;
                }
            }
        }
        if table.has_generated {
            self.compute_generated_columns(target, regs.new_rowid)?;
        }
        Ok(reads)
    }
}
