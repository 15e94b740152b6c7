//! DELETE.
//!
//! ```text
//!   no WHERE             Clear for the table and each index, unless triggers or foreign keys want to see each row
//!   one pass             the loops' cursors are open for writing; each row is deleted where it is found
//!   two passes           the keys of the rows go into a set (an ephemeral index, for WITHOUT ROWID); then each is
//!                        looked up and deleted
//! ```
//!
//! Source: SQLite's `sqlite3DeleteFrom`.

use super::returning::Returning;
use super::row_delete::Found;
use super::{Change, DeleteEffects, Target, columns_used};
use crate::ast;
use crate::authorizer::ActionCode;
use crate::bound::walk::has_subquery;
use crate::bound::{Expr, FromItem};
use crate::codegen::loops::{self, OnePass, Request};
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::Control;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};

impl Compiler<'_> {
    /// Codes a DELETE.
    pub fn code_delete(&mut self, delete: &ast::Delete) -> Result<()> {
        let (db, table, triggers) = self.table_to_change(&delete.table, Change::Delete, None)?;
        // Rule 1 of the authorizer: row by row.
        let each_row = !self.authorize_in(ActionCode::Delete, &table.name, None, db)?;
        if table.is_view() {
            return self.accessed_by(&table.name, |c| {
                c.delete_from_view(delete, db, &table, &triggers)
            });
        }
        let mut target = Target::new(self, db, &table);
        target.on_delete = DeleteEffects {
            triggers,
            foreign_keys: self.is_in_foreign_key(db, &table),
            or: None,
        };
        self.b.about.count_changes = true;
        let mut item = self.target_item(&target, delete.alias.as_ref(), &delete.indexed)?;
        let with = delete.with.as_deref();
        let limited = self.limited_where(
            &target,
            delete.alias.as_ref(),
            &delete.indexed,
            delete.where_clause.as_ref(),
            &delete.order_by,
            delete.limit.as_deref(),
            with,
            &mut item,
        )?;
        let where_ = match (limited, &delete.where_clause) {
            (Some(limited), _) => Some(limited),
            (None, Some(where_)) => Some(self.resolve_where(&item, with, where_)?),
            (None, None) => None,
        };
        let has_returning = !delete.returning.is_empty();
        self.writes_db(target.on_delete.any() || has_returning, db);
        if table.is_virtual() {
            if has_returning {
                return Err(SqlError::error(
                    "DELETE RETURNING is not available on virtual tables",
                ));
            }
            item.columns_used = where_.as_ref().map_or(0, |w| columns_used(w, item.cursor));
            self.delete_virtual(&target, &item, where_.as_ref())?;
            return self.end_change();
        }
        let returning = self.begin_returning(&delete.returning, with);
        if where_.is_none() && !target.on_delete.any() && !has_returning && !each_row {
            self.delete_all(&target);
        } else {
            let used = |where_: &Expr| columns_used(where_, item.cursor);
            item.columns_used = where_.as_ref().map_or(0, used);
            self.delete_where(&target, &item, where_.as_ref(), returning)?;
        }
        self.end_change()?;
        self.end_returning(returning);
        Ok(())
    }

    fn delete_all(&mut self, target: &Target) {
        let (table, db) = (&target.table, target.db as i32);
        if table.has_rowid() {
            self.op4(
                Opcode::Clear,
                table.root as i32,
                db,
                -1,
                P4::text(&*table.name),
            );
        }
        for (n, index) in table.indexes.iter().enumerate() {
            self.op(
                Opcode::Clear,
                index.root as i32,
                db,
                if target.is_table(n) { -1 } else { 0 },
            );
        }
    }

    fn delete_where(
        &mut self,
        target: &Target,
        item: &FromItem,
        where_: Option<&Expr>,
        returning: Option<Returning<'_>>,
    ) -> Result<()> {
        let mut control = Control::ONEPASS_DESIRED | Control::DUPLICATES_OK;
        if !target.on_delete.any() && returning.is_none() && !where_.is_some_and(has_subquery) {
            control |= Control::ONEPASS_MULTIROW;
        }
        let data = target.data_cursor;
        let primary = target.primary_key().cloned();
        let key_count = primary.as_ref().map_or(1, |primary| primary.key_count);
        let keys;
        let mut opened = None;
        let mut key;
        if let Some(primary) = &primary {
            key = self.alloc_regs(key_count);
            keys = self.alloc_cursor(None);
            let info = self.key_prefix_info(target.db, primary)?;
            let open = self.op4(
                Opcode::OpenEphemeral,
                keys,
                key_count as i32,
                0,
                P4::KeyInfo(info),
            );
            opened = Some(open);
        } else {
            key = 0;
            keys = self.alloc_reg();
            self.op(Opcode::Null, 0, keys, 0);
        }
        let mut request = Request::table(item, where_, control, target.index_cursor);
        let loops = loops::begin(self, &mut request)?;
        let one_pass = loops.one_pass;
        let (table_cursor, index_cursor) = loops.one_pass_cursors;
        if one_pass != OnePass::Single {
            self.multi_write = true;
        }
        if loops.deferred_seek {
            self.op(Opcode::FinishSeek, data, 0, 0);
        }
        if primary.is_none() {
            key = self.alloc_reg();
        }
        self.code_key(target, key)?;

        if one_pass == OnePass::Off {
            if let Some(primary) = &primary {
                let record = self.alloc_reg();
                let affinities = target.key_affinities(primary);
                self.op4(
                    Opcode::MakeRecord,
                    key,
                    key_count as i32,
                    record,
                    affinities,
                );
                self.op4(
                    Opcode::IdxInsert,
                    keys,
                    record,
                    key,
                    P4::Int(key_count as i32),
                );
                key = record;
            } else {
                self.op(Opcode::RowSetAdd, keys, key, 0);
            }
            loops.end(self)?;
            target.open(self, p5::FORDELETE, |_| true)?;
            let done = self.label();
            if primary.is_some() {
                let top = self.jump(Opcode::Rewind, keys, done, 0) + 1;
                self.op(Opcode::RowData, keys, key, 0);
                self.delete_row(target, key, 0, true, Found::BySeek, None, returning)?;
                self.op(Opcode::Next, keys, top, 0);
            } else {
                let top = self.jump(Opcode::RowSetRead, keys, done, key);
                self.delete_row(target, key, 1, true, Found::BySeek, None, returning)?;
                self.op(Opcode::Goto, 0, top, 0);
            }
            self.place(done);
            return Ok(());
        }

        if let Some(open) = opened {
            self.b.to_noop(open);
        }
        let is_open = |cursor: i32| cursor == table_cursor || cursor == index_cursor;
        if one_pass == OnePass::Multi {
            self.op(Opcode::Once, 0, 0, 0);
        }
        let once = self.here() - 1;
        target.open(self, p5::FORDELETE, |cursor| !is_open(cursor))?;
        if one_pass == OnePass::Multi {
            self.end_once(once);
        }
        let next = self.label();
        if !is_open(data) {
            self.op4(
                Opcode::NotFound,
                data,
                next.into(),
                key,
                P4::Int(key_count as i32),
            );
        }
        let found = if one_pass == OnePass::Multi {
            Found::Multi
        } else {
            Found::Single
        };
        let on_index = (index_cursor >= 0).then_some(index_cursor);
        self.delete_row(target, key, key_count, true, found, on_index, returning)?;
        self.place(next);
        loops.end(self)
    }
}
