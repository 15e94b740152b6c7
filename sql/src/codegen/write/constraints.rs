//! Constraints, index entries, and the storing of a row.
//!
//! The order is SQLite's: NOT NULL, CHECK, the rowid, each index; a rowid whose conflict is settled by REPLACE while
//! the indexes' are not is looked at last, so that nothing is deleted before the others have been checked.
//!
//! Source: SQLite's `sqlite3GenerateConstraintChecks`, `sqlite3CompleteInsertion`.

use super::row_delete::Found;
use super::upsert::Upserts;
use super::{Target, conflict_code};
use crate::ast::ConflictAction;
use crate::bound::Expr;
use crate::compiler::{Compiler, CursorOverride, Reals, Result};
use crate::schema::{Index, IndexKey};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4, ResultCode};
use smallvec::SmallVec;
use std::sync::Arc;

/// A row about to be stored, and how.
pub struct Row<'r> {
    /// The table.
    pub target: &'r Target,
    /// The register of the new rowid; the columns follow.
    pub new: i32,
    /// The register of the old rowid, of an UPDATE; the old columns follow, in a WITHOUT ROWID table.
    pub old: Option<i32>,
    /// Whether the primary key may change (always so in an INSERT).
    pub key_changes: bool,
    /// The statement's OR.
    pub or: Option<ConflictAction>,
    /// Where IGNORE goes.
    pub ignore: Label,
    /// Of an UPDATE: which columns change; all of an INSERT.
    pub changed: Option<&'r [bool]>,
    /// For each index the register of its new entry (0: not touched), then that of the row's record.
    pub records: &'r [i32],
    /// The ON CONFLICT clauses of an INSERT.
    pub upserts: Option<&'r Upserts<'r>>,
}

/// What is done about a key that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// A conflict action.
    Action(ConflictAction),
    /// DO UPDATE of that ON CONFLICT clause.
    Update(usize),
}

impl Row<'_> {
    fn action(&self, own: Option<ConflictAction>) -> ConflictAction {
        self.or.or(own).unwrap_or(ConflictAction::Abort)
    }

    /// What a conflict in an index (none: in the rowid) leads to, and the ON CONFLICT clause that says so.
    fn answer(&self, own: Option<ConflictAction>, index: Option<usize>) -> (Answer, Option<usize>) {
        let clause = self.upserts.and_then(|upserts| upserts.clause_of(index));
        let answer = match (self.upserts, clause) {
            (Some(upserts), Some(clause)) if upserts.updates(clause) => Answer::Update(clause),
            (Some(_), Some(_)) => Answer::Action(ConflictAction::Ignore),
            _ => Answer::Action(self.action(own)),
        };
        (answer, clause)
    }

    /// The register of a column.
    pub fn column(&self, column: usize) -> i32 {
        self.new + 1 + self.target.table.storage_of(column) as i32
    }

    fn is_changed(&self, column: usize) -> bool {
        self.changed.is_none_or(|changed| changed[column])
    }

    /// Whether an expression over the table's columns mentions one that changes.
    fn touches(&self, expr: &Expr) -> bool {
        let Some(changed) = self.changed else {
            return true;
        };
        let mut touches = false;
        crate::bound::walk::for_each_column(expr, &mut |column| {
            touches |=
                usize::try_from(column.column).map_or(self.key_changes, |number| changed[number]);
        });
        touches
    }
}

impl Compiler<'_> {
    /// Emits every check of a row, and its index entries and record into `row.records`. Tells whether a REPLACE may
    /// have deleted rows, after which the positions of cursors are not to be trusted.
    pub fn check_row(&mut self, row: &Row<'_>) -> Result<bool> {
        let rechecks = self.begin_recheck(row);
        self.check_not_null(row)?;
        let mut affinity_done = self.check_checks(row)?;
        let mut deferred = self.check_rowid(row, rechecks)?;
        let mut replaces = deferred.replaces;
        let table = &row.target.table;
        let order: SmallVec<[usize; 8]> = match row.upserts {
            Some(upserts) => upserts.order(table.indexes.len()),
            None => (0..table.indexes.len())
                .filter(|n| row.records[*n] != 0)
                .collect(),
        };
        for n in order {
            let clause = row.answer(None, Some(n)).1;
            if let (Some(delayed), Some(0), false) = (deferred.delayed, clause, deferred.arrived) {
                self.jump_here(delayed.0);
                deferred.arrived = true;
            }
            if !affinity_done {
                self.table_affinity(table, row.new + 1);
                affinity_done = true;
            }
            replaces |= self.check_index(row, n, &table.indexes[n], rechecks)?;
            if let (Some((top, back)), Some(clause), Some(upserts)) =
                (deferred.delayed, clause, row.upserts)
            {
                if upserts.rowid_is_next(clause) {
                    self.op(Opcode::Goto, 0, top + 1, 0);
                    self.jump_here(back);
                    deferred.delayed = None;
                }
            }
        }
        if let Some((top, bottom)) = deferred.jumps {
            self.op(Opcode::Goto, 0, top, 0);
            self.jump_here(bottom);
        }
        if replaces && rechecks != 0 {
            self.recheck(row, rechecks)?;
        }
        if table.has_rowid() {
            let record = row.records[table.indexes.len()];
            self.op(
                Opcode::MakeRecord,
                row.new + 1,
                table.stored_count() as i32,
                record,
            );
            if !affinity_done {
                self.table_affinity(table, 0);
            }
        }
        Ok(replaces)
    }

    fn check_not_null(&mut self, row: &Row<'_>) -> Result<()> {
        // Two passes: REPLACE puts defaults in on the first, and is ABORT on the second, where a default is NULL.
        // Generated columns may depend on those defaults, so they are looked at on the second.
        let table = &row.target.table;
        if table.columns.iter().all(|column| column.not_null.is_none()) {
            return Ok(());
        }
        let replaced = self.check_not_null_pass(row, false)?;
        let generated = table.has_generated
            && table
                .columns
                .iter()
                .any(|column| column.generated.is_some() && column.not_null.is_some());
        if replaced || generated {
            if replaced && table.has_generated {
                self.compute_generated_columns(row.target, row.new)?;
            }
            self.check_not_null_pass(row, true)?;
        }
        Ok(())
    }

    fn check_not_null_pass(&mut self, row: &Row<'_>, second: bool) -> Result<bool> {
        let table = &row.target.table;
        let mut again = false;
        for (i, column) in table.columns.iter().enumerate() {
            let Some(own) = column.not_null else { continue };
            let generated = column.generated.is_some();
            if table.rowid_alias == Some(i) || (generated && !second) {
                continue;
            }
            if !generated && !row.is_changed(i) {
                continue;
            }
            let reg = row.column(i);
            let mut action = row.or.unwrap_or(own);
            if action == ConflictAction::Replace {
                match column.default.as_ref().filter(|_| !second) {
                    Some(default) => {
                        again = true;
                        let given = self.op(Opcode::NotNull, reg, 0, 0);
                        let expr = self.resolve_default(&default.expr)?;
                        self.without_factoring(|c| c.expr_code(&expr, reg))?;
                        self.jump_here(given);
                        continue;
                    }
                    None => action = ConflictAction::Abort,
                }
            } else if second && !generated {
                continue;
            }
            if action == ConflictAction::Ignore {
                self.jump(Opcode::IsNull, reg, row.ignore, 0);
                continue;
            }
            if action == ConflictAction::Abort {
                self.may_abort = true;
            }
            let message = format!("{}.{}", table.name, column.name);
            let code = ResultCode::CONSTRAINT_NOTNULL.get();
            self.op4(
                Opcode::HaltIfNull,
                code,
                conflict_code(action),
                reg,
                P4::text(message),
            );
            self.p5(p5::HALT_NOTNULL);
        }
        Ok(again)
    }

    /// Tells whether the columns got their affinities: CHECK sees the values as they will be stored.
    fn check_checks(&mut self, row: &Row<'_>) -> Result<bool> {
        let table = &row.target.table;
        if table.checks.is_empty() || self.ctx.flags.ignore_check_constraints {
            return Ok(false);
        }
        let action = match row.action(None) {
            ConflictAction::Replace => ConflictAction::Abort,
            action => action,
        };
        let mut affinity_done = false;
        for check in &table.checks {
            let expr = crate::resolve::resolve_self_at(
                self,
                table,
                row.target.data_cursor,
                &check.expr,
                crate::resolve::Place::Check,
            )?;
            if !row.touches(&expr) {
                continue;
            }
            if !affinity_done {
                self.table_affinity(table, row.new + 1);
                affinity_done = true;
            }
            let ok = self.label();
            self.on_new_row(row, |c| c.expr_if_true(&expr, ok, true))?;
            if action == ConflictAction::Ignore {
                self.goto(row.ignore);
            } else {
                let code = ResultCode::CONSTRAINT_CHECK;
                self.halt_constraint(code, conflict_code(action), &check.name, p5::HALT_CHECK);
            }
            self.place(ok);
        }
        Ok(affinity_done)
    }

    /// Runs `body` while constants are computed where they stand.
    pub(crate) fn without_factoring<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let factor = std::mem::replace(&mut self.factor_constants, false);
        let result = body(self);
        self.factor_constants = factor;
        result
    }

    /// Runs `body` while the table's columns are those of the row about to be stored.
    fn on_new_row<T>(
        &mut self,
        row: &Row<'_>,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let registers = CursorOverride::Registers {
            first: row.new + 1,
            rowid: Some(row.new),
            reals: Reals::Unstored,
        };
        let cursor = row.target.data_cursor;
        self.without_factoring(|c| c.with_override(cursor, registers, body))
    }

    /// The register that counts rows deleted by REPLACE whose deletion brought something about (0: that cannot be).
    fn begin_recheck(&mut self, row: &Row<'_>) -> i32 {
        let table = &row.target.table;
        let replaces = row.or == Some(ConflictAction::Replace)
            || row.or.is_none()
                && (table.key_conflict == Some(ConflictAction::Replace)
                    || table
                        .indexes
                        .iter()
                        .any(|index| index.unique == Some(ConflictAction::Replace)));
        if !replaces || !row.target.on_delete.any() {
            return 0;
        }
        let counter = self.alloc_reg();
        self.op(Opcode::Integer, 0, counter, 0);
        counter
    }

    /// What REPLACE set off may have put other rows in the way: now they abort.
    fn recheck(&mut self, row: &Row<'_>, counter: i32) -> Result<()> {
        let (target, table) = (row.target, &row.target.table);
        let abort = conflict_code(ConflictAction::Abort);
        let done = self.label();
        self.jump(Opcode::IfNot, counter, done, 0);
        if table.has_rowid() && row.key_changes {
            let ok = self.label();
            if let Some(old) = row.old {
                self.jump(Opcode::Eq, row.new, ok, old);
                self.p5(p5::NULLEQ);
            }
            self.jump(Opcode::NotExists, target.data_cursor, ok, row.new);
            self.rowid_violation(target, abort);
            self.place(ok);
        }
        for (n, index) in table.indexes.iter().enumerate() {
            let (record, is_table) = (row.records[n], target.is_table(n));
            let is_fixed = row.old.is_some() && is_table && !row.key_changes;
            let Some(own) = index.unique.filter(|_| record != 0 && !is_fixed) else {
                continue;
            };
            if row.action(Some(own)) != ConflictAction::Replace {
                continue;
            }
            let ok = self.label();
            if index.partial.is_some() {
                self.jump(Opcode::IsNull, record, ok, 0);
            }
            let (cursor, key) = (target.cursor_of(n), record + 1);
            let keys = P4::Int(index.key_count as i32);
            self.b.op4(Opcode::NoConflict, cursor, ok, key, keys);
            self.other_row(row, index, cursor, key, is_table, ConflictAction::Abort, ok)?;
            self.unique_violation(target, index, abort);
            self.place(ok);
        }
        self.place(done);
        Ok(())
    }

    fn check_rowid(&mut self, row: &Row<'_>, rechecks: i32) -> Result<Deferred> {
        let (target, table) = (row.target, &row.target.table);
        let mut deferred = Deferred::default();
        if !row.key_changes || !table.has_rowid() {
            return Ok(deferred);
        }
        let (answer, clause) = row.answer(table.key_conflict, None);
        let ok = self.label();
        let mut top = None;
        // The first ON CONFLICT clause is for another key, which is looked at before.
        let mut delay = match row.upserts {
            Some(_) if clause != Some(0) => Some(self.op(Opcode::Goto, 0, 0, 0)),
            _ => None,
        };
        if answer == Answer::Action(ConflictAction::Replace)
            && row.or != Some(ConflictAction::Replace)
            && !table.indexes.is_empty()
        {
            let over = match delay.take() {
                Some(delay) => delay,
                None => self.op(Opcode::Goto, 0, 0, 0),
            };
            top = Some(over + 1);
        }
        if let Some(old) = row.old {
            self.jump(Opcode::Eq, row.new, ok, old);
            self.p5(p5::NULLEQ);
        }
        self.jump(Opcode::NotExists, target.data_cursor, ok, row.new);
        match answer {
            Answer::Action(ConflictAction::Ignore) => {
                self.goto(row.ignore);
            }
            Answer::Update(clause) => {
                let upserts = row.upserts.expect("the clause is one of them");
                self.code_do_update(row, upserts, clause, None)?;
                self.goto(row.ignore);
            }
            Answer::Action(ConflictAction::Replace) if target.on_delete.any() => {
                self.multi_write = true;
                self.delete_row(target, row.new, 1, false, Found::Single, None, None)?;
                self.op(Opcode::AddImm, rechecks, 1, 0);
                deferred.replaces = true;
            }
            Answer::Action(ConflictAction::Replace) => {
                if !table.indexes.is_empty() {
                    self.multi_write = true;
                    self.delete_index_entries(target, None, None)?;
                }
                deferred.replaces = true;
            }
            Answer::Action(action) => self.rowid_violation(target, conflict_code(action)),
        }
        self.place(ok);
        if let Some(delay) = delay {
            let back = self.op(Opcode::Goto, 0, 0, 0);
            deferred.delayed = Some((delay, back));
        } else if let Some(top) = top {
            let bottom = self.op(Opcode::Goto, 0, 0, 0);
            self.jump_here(top - 1);
            deferred.jumps = Some((top, bottom));
        }
        Ok(deferred)
    }

    /// Makes the new entry of an index and looks for another row that has it.
    fn check_index(
        &mut self,
        row: &Row<'_>,
        n: usize,
        index: &Arc<Index>,
        rechecks: i32,
    ) -> Result<bool> {
        let (target, table) = (row.target, &row.target.table);
        let (cursor, record) = (target.cursor_of(n), row.records[n]);
        let key = record + 1;
        let unique_ok = self.label();
        if let Some(partial) = &index.partial {
            self.op(Opcode::Null, 0, record, 0);
            let expr = crate::resolve::resolve_self(self, table, target.data_cursor, partial)?;
            self.on_new_row(row, |c| c.expr_if_false(&expr, unique_ok, true))?;
        }
        for (i, column) in index.columns.iter().enumerate() {
            let to = key + i as i32;
            match &column.key {
                IndexKey::Expr(expr) => {
                    let expr = crate::resolve::resolve_self(self, table, target.data_cursor, expr)?;
                    self.on_new_row(row, |c| c.expr_code(&expr, to))?;
                }
                IndexKey::Column(column) if table.rowid_alias != Some(*column) => {
                    self.op(Opcode::SCopy, row.column(*column), to, 0);
                }
                _ => {
                    self.op(Opcode::IntCopy, row.new, to, 0);
                }
            }
        }
        self.op(Opcode::MakeRecord, key, index.columns.len() as i32, record);
        let is_table = target.is_table(n);
        if row.old.is_some() && is_table && !row.key_changes {
            self.place(unique_ok);
            return Ok(false);
        }
        let Some(own) = index.unique else {
            self.place(unique_ok);
            return Ok(false);
        };
        let (answer, _) = row.answer(Some(own), Some(n));
        let action = match answer {
            Answer::Action(action) => action,
            Answer::Update(_) => ConflictAction::Ignore,
        };
        // REPLACE into a WITHOUT ROWID table without other indexes: the insert overwrites.
        let overwrites = table.indexes.len() == 1 && !target.on_delete.any();
        if is_table && overwrites && action == ConflictAction::Replace {
            self.place(unique_ok);
            return Ok(false);
        }
        let keys = P4::Int(index.key_count as i32);
        self.b.op4(Opcode::NoConflict, cursor, unique_ok, key, keys);
        let other = self.other_row(row, index, cursor, key, is_table, action, unique_ok)?;
        let mut replaces = false;
        match action {
            ConflictAction::Ignore => {
                if let (Answer::Update(clause), Some(upserts)) = (answer, row.upserts) {
                    self.code_do_update(row, upserts, clause, Some(n))?;
                }
                self.goto(row.ignore);
            }
            ConflictAction::Replace => {
                self.multi_write = true;
                // A trigger must not change the row that is being updated: its cursor stays where it is.
                let locks = target.on_delete.any() && row.old.is_some();
                if locks {
                    self.op(Opcode::CursorLock, target.data_cursor, 0, 0);
                }
                self.delete_found_row(
                    target,
                    other.0,
                    other.1,
                    if is_table { None } else { Some(cursor) },
                    is_table,
                )?;
                if locks {
                    self.op(Opcode::CursorUnlock, target.data_cursor, 0, 0);
                }
                if target.on_delete.any() {
                    self.op(Opcode::AddImm, rechecks, 1, 0);
                }
                replaces = true;
            }
            _ => self.unique_violation(target, index, conflict_code(action)),
        }
        self.place(unique_ok);
        Ok(replaces)
    }

    /// The key of the row that an index was found to hold: its first register and how many; jumps to `same` if that is
    /// the row that is being updated.
    fn other_row(
        &mut self,
        row: &Row<'_>,
        index: &Index,
        cursor: i32,
        key: i32,
        is_table: bool,
        action: ConflictAction,
        same: Label,
    ) -> Result<(i32, usize)> {
        let Some(primary) = row.target.primary_key().cloned() else {
            let reg = self.alloc_reg();
            if row.old.is_some() || action == ConflictAction::Replace {
                self.op(Opcode::IdxRowid, cursor, reg, 0);
                if let Some(old) = row.old {
                    self.jump(Opcode::Eq, reg, same, old);
                    self.p5(p5::NULLEQ);
                }
            }
            return Ok((reg, 1));
        };
        let count = primary.key_count;
        let first = if is_table {
            key
        } else {
            self.alloc_regs(count)
        };
        if row.old.is_none() && action != ConflictAction::Replace {
            return Ok((first, count));
        }
        if !is_table {
            for (i, column) in primary.columns[..count].iter().enumerate() {
                let column = column.key.column().expect("a primary key has columns only");
                let at = index
                    .position_of(column)
                    .expect("every index has the primary key");
                self.op(Opcode::Column, cursor, at as i32, first + i as i32);
            }
        }
        if let Some(old) = row.old {
            let differs = self.label();
            for (i, column) in primary.columns[..count].iter().enumerate() {
                let number = column.key.column().expect("a primary key has columns only");
                let collation = P4::Collation(self.collation(&column.collation)?);
                let (opcode, to) = if i + 1 == count {
                    (Opcode::Eq, same)
                } else {
                    (Opcode::Ne, differs)
                };
                let was = old + 1 + row.target.table.storage_of(number as usize) as i32;
                self.b.op4(opcode, was, to, first + i as i32, collation);
                self.p5(p5::NULLEQ);
            }
            self.place(differs);
        }
        Ok((first, count))
    }

    /// `UNIQUE constraint failed: t.a`, of the rowid.
    pub(crate) fn rowid_violation(&mut self, target: &Target, action: i32) {
        let code = match target.table.rowid_alias {
            Some(_) => ResultCode::CONSTRAINT_PRIMARYKEY,
            None => ResultCode::CONSTRAINT_ROWID,
        };
        let text = target.table.rowid_text().clone();
        self.halt_conflict(code, action, text, p5::HALT_UNIQUE);
    }

    /// `UNIQUE constraint failed: t.a, t.b`
    pub(crate) fn unique_violation(&mut self, target: &Target, index: &Index, action: i32) {
        let code = if index.is_primary_key() {
            ResultCode::CONSTRAINT_PRIMARYKEY
        } else {
            ResultCode::CONSTRAINT_UNIQUE
        };
        let text = target.table.key_text(index);
        self.halt_conflict(code, action, text, p5::HALT_UNIQUE);
    }

    /// Registers for the entries and the record of a row, as [`Row::records`] wants them; 0 for an index that
    /// `wanted` does not name.
    pub fn record_registers(
        &mut self,
        target: &Target,
        wanted: impl Fn(usize) -> bool,
    ) -> SmallVec<[i32; 8]> {
        let mut records = SmallVec::new();
        for (n, index) in target.table.indexes.iter().enumerate() {
            records.push(if wanted(n) {
                self.alloc_regs(1 + index.columns.len())
            } else {
                0
            });
        }
        records.push(self.alloc_reg());
        records
    }

    /// Stores a checked row: its index entries, then its record.
    pub fn store_row(&mut self, row: &Row<'_>, update_flags: u16, append: bool, use_seek: bool) {
        let table = &row.target.table;
        let seek = if use_seek { p5::USESEEKRESULT } else { 0 };
        for (n, index) in table.indexes.iter().enumerate() {
            let record = row.records[n];
            if record == 0 {
                continue;
            }
            if index.partial.is_some() {
                let after = self.here() + 2;
                self.op(Opcode::IsNull, record, after, 0);
            }
            let mut flags = seek;
            if row.target.is_table(n) {
                flags |= p5::NCHANGE | (update_flags & p5::SAVEPOSITION);
            }
            let count = if index.unique_not_null {
                index.key_count
            } else {
                index.columns.len()
            };
            let cursor = row.target.cursor_of(n);
            self.op4(
                Opcode::IdxInsert,
                cursor,
                record,
                record + 1,
                P4::Int(count as i32),
            );
            self.p5(flags);
        }
        if !table.has_rowid() {
            return;
        }
        let mut flags = p5::NCHANGE
            | if update_flags == 0 {
                p5::LASTROWID
            } else {
                update_flags
            };
        if append {
            flags |= p5::APPEND;
        }
        flags |= seek;
        let record = row.records[table.indexes.len()];
        self.op4(
            Opcode::Insert,
            row.target.data_cursor,
            record,
            row.new,
            Self::table_operand(table),
        );
        self.p5(flags);
    }
}

/// What `check_rowid` left for later.
#[derive(Default)]
struct Deferred {
    /// Where the postponed check begins, and the jump at its end.
    jumps: Option<(i32, i32)>,
    /// The jump over a check that waits for its ON CONFLICT clause, and the jump at its end.
    delayed: Option<(i32, i32)>,
    /// The jump over it has been given its end.
    arrived: bool,
    replaces: bool,
}
