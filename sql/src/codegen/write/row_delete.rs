//! Deleting a row and its index entries.
//!
//! Source: SQLite's `sqlite3GenerateRowDelete`, `sqlite3GenerateRowIndexDelete`, `sqlite3GenerateIndexKey`.

use super::Target;
use super::returning::Returning;
use crate::ast::TriggerTime;
use crate::compiler::{Compiler, Result};
use crate::schema::Index;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use std::sync::Arc;

/// How the row to be deleted is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// By its key, with a seek.
    BySeek,
    /// The data cursor stands on it; the only row of the statement.
    Single,
    /// The data cursor stands on it, and goes on to the next afterwards.
    Multi,
}

impl Compiler<'_> {
    /// Deletes one row of the table with its index entries. `key`, `key_count`: the registers of its rowid or primary
    /// key. `on_index`: an index cursor that stands on the row's entry and is deleted through.
    pub fn delete_row(
        &mut self,
        target: &Target,
        key: i32,
        key_count: usize,
        count_change: bool,
        found: Found,
        on_index: Option<i32>,
        returning: Option<Returning<'_>>,
    ) -> Result<()> {
        let done = self.label();
        if found == Found::BySeek {
            self.seek_key(target, key, key_count, done);
        }
        let (table, effects) = (&target.table, &target.on_delete);
        let mut on_index = on_index;
        let mut old = 0;
        if effects.any() || returning.is_some() {
            old = self.code_old_row(target, key, returning.is_some())?;
        }
        if effects.any() {
            let before = self.here();
            let time = TriggerTime::Before;
            self.fire(&effects.triggers, time, table, old, effects.or, done);
            if self.here() > before {
                // The trigger may have moved the cursors, or deleted the row.
                self.seek_key(target, key, key_count, done);
                on_index = None;
            }
            self.check_foreign_keys(target.db, table, Some(old), None, None)?;
        }
        self.delete_index_entries(target, None, on_index)?;
        let flags = if count_change {
            i32::from(p5::NCHANGE)
        } else {
            0
        };
        self.op4(
            Opcode::Delete,
            target.data_cursor,
            flags,
            0,
            Self::table_operand(&target.table),
        );
        if found != Found::BySeek {
            self.p5(p5::AUXDELETE);
        }
        if let Some(cursor) = on_index.filter(|cursor| *cursor != target.data_cursor) {
            self.op(Opcode::Delete, cursor, 0, 0);
        }
        self.p5(if found == Found::Multi {
            p5::SAVEPOSITION
        } else {
            0
        });
        if effects.any() {
            self.act_on_foreign_keys(target.db, table, old, None)?;
        }
        let (triggers, or) = (&effects.triggers, effects.or);
        self.fire_after(triggers, target, old, or, done, returning, old)?;
        self.place(done);
        Ok(())
    }

    /// Puts the data cursor on the row with that key, or goes on at `missing`.
    pub(super) fn seek_key(&mut self, target: &Target, key: i32, key_count: usize, missing: Label) {
        let data = target.data_cursor;
        if target.table.has_rowid() {
            self.jump(Opcode::NotExists, data, missing, key);
        } else {
            let count = P4::Int(key_count as i32);
            self.b.op4(Opcode::NotFound, data, missing, key, count);
        }
    }

    /// The row that goes, as triggers and foreign keys see it: the register of its rowid; those columns follow that
    /// somebody reads, or all of the `whole` row.
    fn code_old_row(&mut self, target: &Target, key: i32, whole: bool) -> Result<i32> {
        let table = &target.table;
        let triggers = &target.on_delete.triggers;
        let mut used: Vec<bool> = table
            .columns
            .iter()
            .map(|column| whole || triggers.read_old(&column.name))
            .collect();
        self.mark_key_columns(target.db, table, &mut used, None)?;
        let old = self.alloc_regs(1 + table.columns.len());
        self.op(Opcode::Copy, key, old, 0);
        for (i, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            let reg = old + 1 + table.storage_of(i) as i32;
            self.code_column_into(target.data_cursor, i as i32, reg)?;
        }
        Ok(old)
    }

    /// REPLACE: deletes the row that a UNIQUE index holds already.
    pub(super) fn delete_found_row(
        &mut self,
        target: &Target,
        key: i32,
        key_count: usize,
        on_index: Option<i32>,
        standing: bool,
    ) -> Result<()> {
        let found = if standing {
            Found::Single
        } else {
            Found::BySeek
        };
        self.delete_row(target, key, key_count, false, found, on_index, None)
    }

    /// Deletes the index entries of the row that the data cursor stands on. `touched`: only the indexes with a
    /// register that is not 0. `except`: a cursor whose entry is deleted otherwise.
    pub fn delete_index_entries(
        &mut self,
        target: &Target,
        touched: Option<&[i32]>,
        except: Option<i32>,
    ) -> Result<()> {
        for (n, index) in target.table.indexes.iter().enumerate() {
            let cursor = target.cursor_of(n);
            if target.is_table(n)
                || Some(cursor) == except
                || touched.is_some_and(|regs| regs[n] == 0)
            {
                continue;
            }
            let (first, count, skip) = self.index_key(target, index, None, true)?;
            self.op(Opcode::IdxDelete, cursor, first, count as i32);
            self.p5(1);
            self.release_temps(first, count);
            if let Some(skip) = skip {
                self.place(skip);
            }
        }
        Ok(())
    }

    /// The index entry of the row that the data cursor stands on, in registers, and as a record in `record` if that is
    /// wanted: the first register, how many, and where a row goes that a partial index does not have.
    pub fn index_key(
        &mut self,
        target: &Target,
        index: &Arc<Index>,
        record: Option<i32>,
        prefix_only: bool,
    ) -> Result<(i32, usize, Option<Label>)> {
        let mut skip = None;
        if let Some(partial) = &index.partial {
            let label = self.label();
            let expr =
                crate::resolve::resolve_self(self, &target.table, target.data_cursor, partial)?;
            let factor = std::mem::replace(&mut self.factor_constants, false);
            self.expr_if_false(&expr, label, true)?;
            self.factor_constants = factor;
            skip = Some(label);
        }
        let count = if prefix_only && index.unique_not_null {
            index.key_count
        } else {
            index.columns.len()
        };
        let first = self.temp_regs(count);
        for i in 0..count {
            let factor = std::mem::replace(&mut self.factor_constants, false);
            self.code_index_column(
                &target.table,
                index,
                target.data_cursor,
                i,
                first + i as i32,
            )?;
            self.factor_constants = factor;
            if index.columns[i].key.column().is_some() {
                // A REAL that is a whole number is an integer in the index too.
                self.b.delete_prior(Opcode::RealAffinity);
            }
        }
        if let Some(record) = record {
            self.op(Opcode::MakeRecord, first, count as i32, record);
        }
        Ok((first, count, skip))
    }
}
