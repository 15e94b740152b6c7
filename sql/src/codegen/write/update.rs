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
//! 1. An index is touched if one of its columns may change, or the rowid, or the truth of its WHERE; and where foreign keys
//!    make the old row go before the new one comes.
//! 2. Rows are not changed while they are found if that could let a row be found again: through an index that is touched,
//!    or because keys change or REPLACE deletes other rows.
//! 3. An UPDATE with FROM is a SELECT of the keys and the new values, kept under the key: a row that is found twice is
//!    changed once, by what was found last.
//! 4. With LIMIT the WHERE becomes `key IN (SELECT key … ORDER BY … LIMIT …)`.
//!
//! Source: SQLite's `sqlite3Update`, `updateFromSelect`, `sqlite3LimitWhere`.

use super::assignments::{Assignments, Value, table_scope};
use super::constraints::Row;
use super::foreign_keys::Involvement;
use super::returning::Returning;
use super::{Change, Target, columns_used};
use crate::ast::{self, AssignmentTarget, ConflictAction, TriggerTime};
use crate::bound::FromItem;
use crate::bound::walk::has_subquery;
use crate::codegen::loops::{self, Loops, OnePass, Request};
use crate::codegen::trigger::Triggers;
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::Control;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use smallvec::SmallVec;

/// The registers of a row.
#[derive(Clone, Copy)]
pub(super) struct Registers {
    pub old_rowid: i32,
    pub new_rowid: i32,
    /// The key by which the row is looked up, and how many registers it has; 0: it is a record.
    pub key: i32,
    pub key_count: usize,
}

/// What an UPDATE of a table brings about, and who reads the old row.
pub(super) struct Effects {
    /// UPDATE triggers.
    pub triggers: Triggers,
    /// Foreign keys.
    pub keys: Involvement,
    /// Whether columns of a primary key that changes are compared.
    pub compares_key: bool,
}

impl Effects {
    /// Whether triggers or foreign keys want the old row.
    pub fn wants_old(&self) -> bool {
        self.checks_keys() || !self.triggers.is_empty()
    }

    fn checks_keys(&self) -> bool {
        self.keys != Involvement::None
    }
}

/// The change of one row, on which the data cursor stands.
pub(super) struct RowChange<'r> {
    pub target: &'r Target,
    pub assignments: &'r Assignments,
    pub effects: &'r Effects,
    /// As [`Row::records`].
    pub records: &'r [i32],
    pub regs: Registers,
    pub or: Option<ConflictAction>,
    /// Where IGNORE goes.
    pub next: Label,
    /// The data cursor may not have been moved to the row yet.
    pub deferred_seek: bool,
    /// The cursor goes on from the row afterwards.
    pub keep: bool,
    /// The values that a FROM clause has made: the cursor on them.
    pub values: Option<i32>,
    pub returning: Option<Returning<'r>>,
}

/// The names of the columns that are assigned.
pub(super) fn assigned_names(set: &[ast::Assignment]) -> SmallVec<[&str; 8]> {
    let names = set.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::Column(name) => std::slice::from_ref(name),
        AssignmentTarget::Columns(names) => &names[..],
    });
    names.map(|name| &*name.text).collect()
}

impl Compiler<'_> {
    /// Codes an UPDATE.
    pub fn code_update(&mut self, update: &ast::Update) -> Result<()> {
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
        let with = update.with.as_deref();
        let mut scope = table_scope(&item, &[]);
        let assignments = if update.from.is_some() {
            self.name_assignments(&update.set, db, &table, item.cursor)?
        } else {
            self.resolve_assignments(&update.set, &table, with, &mut scope)?
        };
        if table.is_virtual() {
            return self.update_of_virtual(update, &target, &mut item, &assignments);
        }
        let effects = self.update_effects(&target, &assignments, triggers);
        let replaces_all = update.or == Some(ConflictAction::Replace);
        let mut touched = self.touched_indexes(&target, &assignments)?;
        if effects.keys == Involvement::Moves {
            touched.fill(true);
        }
        let replaces = replaces_all
            || update.or.is_none()
                && table.indexes.iter().zip(&touched).any(|(index, touched)| {
                    *touched && index.unique == Some(ConflictAction::Replace)
                });
        let mut records = self.record_registers(&target, |n| touched[n]);

        self.b.about.count_changes = true;
        self.writes_db(effects.wants_old() || !update.returning.is_empty(), db);
        let returning = self.begin_returning(&update.returning, with);
        let mut regs = self.update_registers(&target, &assignments, &effects);
        let finish = self.label();
        if update.from.is_some() {
            let change = RowChange {
                target: &target,
                assignments: &assignments,
                effects: &effects,
                records: &records,
                regs,
                or: update.or,
                next: finish,
                deferred_seek: false,
                keep: false,
                values: None,
                returning,
            };
            self.update_from(update, change)?;
            self.end_change()?;
            self.end_returning(returning);
            return Ok(());
        }
        let limited = self.limited_where(
            &target,
            update.alias.as_ref(),
            &update.indexed,
            update.where_clause.as_ref(),
            &update.order_by,
            update.limit.as_deref(),
            with,
            &mut item,
        )?;
        let where_ = match (limited, &update.where_clause) {
            (Some(limited), _) => Some(limited),
            (None, Some(where_)) => Some(self.resolve_condition(with, where_, scope)?),
            (None, None) => None,
        };
        item.columns_used = where_
            .as_ref()
            .map_or(0, |where_| columns_used(where_, item.cursor));

        let set = records[table.indexes.len()];
        let old_rowid = regs.old_rowid;
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
            && returning.is_none()
            && !effects.wants_old()
            && !where_.as_ref().is_some_and(has_subquery)
        {
            control |= Control::ONEPASS_MULTIROW;
        }
        let mut request = Request::table(&item, where_.as_ref(), control, target.index_cursor);
        let loops = loops::begin(self, &mut request)?;
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
        let mut running: Option<Box<Loops<'_>>> = Some(loops);
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
            self.seek_key(&target, regs.key, regs.key_count, next);
        } else {
            self.jump(Opcode::Rewind, keys, finish, 0);
            top = self.op(Opcode::Rowid, keys, old_rowid, 0);
            self.seek_key(&target, old_rowid, 1, next);
        }

        self.change_row(&RowChange {
            target: &target,
            assignments: &assignments,
            effects: &effects,
            records: &records,
            regs,
            or: update.or,
            next,
            deferred_seek,
            keep: one_pass == OnePass::Multi,
            values: None,
            returning,
        })?;

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
        self.end_change()?;
        self.end_returning(returning);
        Ok(())
    }

    fn update_of_view(
        &mut self,
        update: &ast::Update,
        target: &Target,
        item: &mut FromItem,
        triggers: &Triggers,
    ) -> Result<()> {
        let with = update.with.as_deref();
        self.b.about.count_changes = true;
        self.writes_db(true, target.db);
        let returning = self.begin_returning(&update.returning, with);
        let view = &target.table;
        let assignments = if update.from.is_some() {
            let made = self.name_assignments(&update.set, target.db, view, item.cursor)?;
            item.cursor = self.accessed_by(&view.name, |c| c.view_with_from(update, target))?;
            made
        } else {
            item.cursor = self.accessed_by(&view.name, |c| {
                c.materialize_view(
                    target.db,
                    &update.table,
                    view,
                    with,
                    update.where_clause.as_ref(),
                    &update.order_by,
                    update.limit.as_deref(),
                )
            })?;
            self.resolve_assignments(&update.set, view, with, &mut table_scope(item, &[]))?
        };
        self.update_view(
            item.cursor,
            target,
            &assignments,
            update.or,
            triggers,
            returning,
        )?;
        self.end_change()?;
        self.end_returning(returning);
        Ok(())
    }

    fn update_of_virtual(
        &mut self,
        update: &ast::Update,
        target: &Target,
        item: &mut FromItem,
        assignments: &Assignments,
    ) -> Result<()> {
        if !update.returning.is_empty() {
            return Err(SqlError::error(
                "UPDATE RETURNING is not available on virtual tables",
            ));
        }
        self.b.about.count_changes = true;
        self.writes_db(false, target.db);
        if update.from.is_some() {
            self.update_virtual_from(update, target, assignments)?;
            return self.end_change();
        }
        let with = update.with.as_deref();
        let limited = self.limited_where(
            target,
            update.alias.as_ref(),
            &update.indexed,
            update.where_clause.as_ref(),
            &update.order_by,
            update.limit.as_deref(),
            with,
            item,
        )?;
        let where_ = match (limited, &update.where_clause) {
            (Some(limited), _) => Some(limited),
            (None, Some(where_)) => Some(self.resolve_where(item, with, where_)?),
            (None, None) => None,
        };
        item.columns_used = u64::MAX;
        self.update_virtual(target, item, assignments, where_.as_ref(), update.or)?;
        self.end_change()
    }

    /// What an UPDATE with these assignments brings about.
    pub(super) fn update_effects(
        &self,
        target: &Target,
        assignments: &Assignments,
        triggers: Triggers,
    ) -> Effects {
        let changed = assignments.all_changed();
        Effects {
            triggers,
            keys: self.foreign_keys_of_update(target.db, &target.table, changed),
            compares_key: assignments.key,
        }
    }

    /// Which indexes may change (rule 1); the table itself always.
    pub(super) fn touched_indexes(
        &mut self,
        target: &Target,
        assignments: &Assignments,
    ) -> Result<SmallVec<[bool; 16]>> {
        let mut touched = SmallVec::new();
        for (n, index) in target.table.indexes.iter().enumerate() {
            touched.push(target.is_table(n) || self.is_index_touched(target, index, assignments)?);
        }
        Ok(touched)
    }

    /// Registers for the new row, and for the old one as far as it is compared with.
    pub(super) fn update_registers(
        &mut self,
        target: &Target,
        assignments: &Assignments,
        effects: &Effects,
    ) -> Registers {
        let count = target.table.columns.len();
        let old_rowid = self.alloc_reg();
        let mut new_rowid = old_rowid;
        if assignments.key || effects.wants_old() {
            self.alloc_regs(count);
        }
        if assignments.changes_key() || effects.wants_old() {
            new_rowid = self.alloc_reg();
        }
        self.alloc_regs(count);
        Registers {
            old_rowid,
            new_rowid,
            key: old_rowid,
            key_count: 1,
        }
    }

    /// Computes the new row, checks it, and puts it in the place of the old one.
    pub(super) fn change_row(&mut self, change: &RowChange<'_>) -> Result<()> {
        let RowChange {
            target,
            assignments,
            records,
            regs,
            next,
            ..
        } = *change;
        let (db, table, effects) = (target.db, &target.table, change.effects);
        let (old_rowid, new_rowid) = (regs.old_rowid, regs.new_rowid);
        let checks_keys = effects.checks_keys();
        let changed = Some(assignments.all_changed());
        let mut reads_row = self.code_new_row(change)?;
        if effects.triggers.before {
            self.table_affinity(table, new_rowid + 1);
            let time = TriggerTime::Before;
            self.fire(&effects.triggers, time, table, old_rowid, change.or, next);
            self.seek_key(target, regs.key, regs.key_count, next);
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
                self.compute_generated_columns(target, new_rowid)?;
            }
            reads_row = true;
        }
        let old = Some(old_rowid);
        let row = Row {
            target,
            new: new_rowid,
            old,
            key_changes: assignments.changes_key(),
            or: change.or,
            ignore: next,
            changed: Some(&assignments.changed),
            records,
            upserts: None,
        };
        let replaced = self.check_row(&row)?;
        if replaced || assignments.changes_key() {
            // The checks may have moved the cursor.
            self.seek_key(target, regs.key, regs.key_count, next);
        }
        if checks_keys {
            self.check_foreign_keys(db, table, old, None, changed)?;
        }
        self.delete_index_entries(target, Some(records), None)?;
        if change.deferred_seek && !reads_row {
            self.op(Opcode::FinishSeek, target.data_cursor, 0, 0);
        }
        if assignments.changes_key() || effects.keys == Involvement::Moves {
            self.op(Opcode::Delete, target.data_cursor, 0, 0);
        }
        if checks_keys {
            self.check_foreign_keys(db, table, None, Some(new_rowid), changed)?;
        }
        let keep = if change.keep { p5::SAVEPOSITION } else { 0 };
        self.store_row(&row, p5::ISUPDATE | keep, false, false);
        if checks_keys {
            self.act_on_foreign_keys(db, table, old_rowid, changed)?;
        }
        let (triggers, or, returning) = (&effects.triggers, change.or, change.returning);
        self.fire_after(triggers, target, old_rowid, or, next, returning, new_rowid)
    }

    /// Which columns of the old row somebody reads.
    fn old_columns_used(
        &self,
        target: &Target,
        effects: &Effects,
        changed: super::foreign_keys::Changed<'_>,
    ) -> Result<Vec<bool>> {
        let table = &target.table;
        let wants_old = effects.wants_old();
        let reads = |column: &crate::schema::Column| {
            column.primary_key || wants_old && effects.triggers.read_old(&column.name)
        };
        let mut used: Vec<bool> = table.columns.iter().map(reads).collect();
        if effects.checks_keys() {
            self.mark_key_columns(target.db, table, &mut used, Some(changed))?;
        }
        Ok(used)
    }

    /// Computes the new row, and of the old one what the checks compare with; tells whether the row was read.
    fn code_new_row(&mut self, change: &RowChange<'_>) -> Result<bool> {
        let RowChange {
            target,
            assignments,
            effects,
            regs,
            ..
        } = *change;
        let table = &target.table;
        let mut assigned = Assigned::new(target, assignments, change.values);
        if let Some(rowid) = &assignments.rowid {
            self.code_assigned(&mut assigned, rowid, regs.new_rowid)?;
            self.op(Opcode::MustBeInt, regs.new_rowid, 0, 0);
            self.may_abort = true;
        }
        if effects.compares_key || effects.wants_old() {
            let used = self.old_columns_used(target, effects, assignments.all_changed())?;
            for (i, used) in used.into_iter().enumerate() {
                let reg = regs.old_rowid + 1 + table.storage_of(i) as i32;
                if used {
                    self.code_column_into(target.data_cursor, i as i32, reg)?;
                } else {
                    self.op(Opcode::Null, 0, reg, 0);
                }
            }
            if assignments.rowid.is_none() && table.has_rowid() && effects.wants_old() {
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
                Some(value) => self.code_assigned(&mut assigned, value, reg)?,
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

    /// Puts an assigned value into a register.
    pub(super) fn code_assigned(
        &mut self,
        assigned: &mut Assigned<'_>,
        value: &Value,
        reg: i32,
    ) -> Result<()> {
        match value {
            Value::Expr(expr) => self.expr_code(expr, reg),
            Value::Field { subquery, field } => {
                if assigned.rows[*subquery] == 0 {
                    let rows = &assigned.assignments.subqueries[*subquery];
                    assigned.rows[*subquery] = self.code_subquery(rows)?;
                }
                let row = assigned.rows[*subquery];
                self.op(Opcode::Copy, row + *field as i32, reg, 0);
                Ok(())
            }
            Value::Found(n) => {
                let at = (assigned.skip + n) as i32;
                self.op(Opcode::Column, assigned.values, at, reg);
                Ok(())
            }
        }
    }
}

/// The values of one row while they are computed.
pub(super) struct Assigned<'r> {
    assignments: &'r Assignments,
    /// Where the rows of the subqueries are; 0: not run yet.
    rows: Vec<i32>,
    /// The cursor on the values that a FROM clause has made, and how many columns come before them.
    values: i32,
    skip: usize,
}

impl<'r> Assigned<'r> {
    /// No value is computed yet.
    pub fn new(target: &Target, assignments: &'r Assignments, values: Option<i32>) -> Assigned<'r> {
        let table = &target.table;
        Assigned {
            assignments,
            rows: vec![0; assignments.subqueries.len()],
            values: values.unwrap_or(-1),
            skip: if table.is_view() {
                table.columns.len()
            } else {
                target.primary_key().map_or(0, |key| key.key_count)
            },
        }
    }
}
