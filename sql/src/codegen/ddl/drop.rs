//! DROP TABLE, DROP VIEW, DROP INDEX, DROP TRIGGER.
//!
//! Trees are destroyed from the largest root page down: in an auto-vacuum file the last root page of the file moves into
//! the place of the one that goes, and its row of `sqlite_schema` is mended.
//!
//! Source: SQLite's `sqlite3DropTable`, `sqlite3CodeDropTable`, `destroyTable`, `sqlite3DropIndex`,
//! `sqlite3DropTriggerPtr`.

use crate::ast::{Delete, DropObject, Indexed, ObjectKind, QualifiedName};
use crate::authorizer::{ActionCode, schema_table_name};
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::{IndexOrigin, Table, TableKind};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4, ResultCode};
use std::sync::Arc;

/// Columns of `sqlite_schema`.
const TYPE: usize = 0;
const NAME: usize = 1;
const TABLE_NAME: usize = 2;
const ROOT_PAGE: usize = 3;

impl Compiler<'_> {
    /// Codes a DROP.
    pub fn code_drop(&mut self, drop: &DropObject) -> Result<()> {
        match drop.kind {
            ObjectKind::Table => self.drop_table(drop, false),
            ObjectKind::View => self.drop_table(drop, true),
            ObjectKind::Index => self.drop_index(drop),
            ObjectKind::Trigger => self.drop_trigger(drop),
        }
    }

    /// What IF EXISTS does where nothing is to be dropped: the schemas are still verified.
    fn nothing_to_drop(&mut self, drop: &DropObject, what: &str) -> Result<()> {
        if !drop.if_exists {
            return Err(SqlError::error(format!(
                "no such {what}: {}",
                written(&drop.name)
            )));
        }
        for db in 0..self.ctx.schema.dbs.len() {
            let name = &self.ctx.schema.dbs[db].name;
            if drop
                .name
                .schema
                .as_ref()
                .is_none_or(|schema| schema.is(name))
            {
                self.uses_db(db);
            }
        }
        Ok(())
    }

    /// The database that was named; `Err` holds nothing if there is no such.
    fn named_db(&self, name: &QualifiedName) -> Result<Option<usize>, ()> {
        match &name.schema {
            Some(schema) => self.ctx.schema.db_index(&schema.text).map(Some).ok_or(()),
            None => Ok(None),
        }
    }

    fn drop_table(&mut self, drop: &DropObject, view: bool) -> Result<()> {
        let schema = self.ctx.schema;
        let db = self.named_db(&drop.name);
        let found = db
            .ok()
            .and_then(|db| schema.find_table(db, &drop.name.name.text));
        let Some((db, table)) = found else {
            let name = &drop.name.name.text;
            if let Some(Ok(table)) = self.eponymous(name) {
                let name = &table.name;
                return Err(SqlError::error(format!("table {name} may not be dropped")));
            }
            return self.nothing_to_drop(drop, if view { "view" } else { "table" });
        };
        let table = table.clone();
        let name = &*table.name;
        if !self.authorize_drop(db, &table, view)? {
            return Ok(());
        }
        if may_not_be_dropped(name) {
            return Err(SqlError::error(format!("table {name} may not be dropped")));
        }
        if view && !table.is_view() {
            return Err(SqlError::error(format!(
                "use DROP TABLE to delete table {name}"
            )));
        }
        if !view && table.is_view() {
            return Err(SqlError::error(format!(
                "use DROP VIEW to delete view {name}"
            )));
        }
        self.writes_db(true, db);
        self.may_abort = true;
        self.authorize_schema_delete(db, &["tbl_name", "type"])?;
        if table.is_virtual() {
            // Its module may have to put away what it has; without a module the table cannot be dropped.
            self.connected(db, &table)?;
        }
        if !table.is_view() {
            self.clear_statistics(db, "tbl", name)?;
            self.delete_rows_of_keys(drop, db, &table)?;
        }
        self.drop_triggers_of(db, name)?;
        if table.autoincrement {
            if let Some(sequence) = schema.dbs[db].table("sqlite_sequence").cloned() {
                self.authorize_delete(db, &sequence, 0)?;
                self.delete_matching(db, &sequence, &[(0, name)], None)?;
            }
        }
        let schema_table = self.schema_table(db);
        self.delete_matching(
            db,
            &schema_table,
            &[(TABLE_NAME, name)],
            Some((TYPE, "trigger")),
        )?;
        if table.is_virtual() {
            self.op4(Opcode::VDestroy, db as i32, 0, 0, P4::text(name));
        } else if !table.is_view() {
            self.destroy_table(db, &table)?;
        }
        self.op4(Opcode::DropTable, db as i32, 0, 0, P4::text(name));
        self.change_cookie(db);
        Ok(())
    }

    /// A table that has to do with foreign keys loses its rows before it goes: children may refer to them, and deferred
    /// violations may go with them. Triggers do not fire.
    fn delete_rows_of_keys(
        &mut self,
        drop: &DropObject,
        db: usize,
        table: &Arc<Table>,
    ) -> Result<()> {
        let flags = &self.ctx.flags;
        if !flags.foreign_keys {
            return Ok(());
        }
        let (delayed, is_parent) = (
            flags.defer_foreign_keys,
            self.ctx.schema.dbs[db].children.get(&table.name).is_some(),
        );
        let is_deferred = table.foreign_keys.iter().any(|key| key.deferred) || delayed;
        if !is_parent && (table.foreign_keys.is_empty() || !is_deferred) {
            return Ok(());
        }
        let skip = self.label();
        if !is_parent {
            self.jump(Opcode::FkIfZero, 1, skip, 0);
        }
        self.dropping = true;
        let deleted = self.code_delete(&Delete {
            with: None,
            table: drop.name.clone(),
            alias: None,
            indexed: Indexed::Unspecified,
            where_clause: None,
            returning: Vec::new(),
            order_by: Vec::new(),
            limit: None,
        });
        self.dropping = false;
        deleted?;
        if !delayed {
            // Before the schema changes: a statement cannot take that back.
            let ok = self.label();
            self.jump(Opcode::FkIfZero, 0, ok, 0);
            let code = ResultCode::CONSTRAINT_FOREIGNKEY.get();
            self.op(Opcode::Halt, code, i32::from(p5::OE_ABORT), 0);
            self.p5(p5::HALT_FOREIGNKEY);
            self.place(ok);
        }
        self.place(skip);
        Ok(())
    }

    fn drop_triggers_of(&mut self, db: usize, table: &str) -> Result<()> {
        let schema = self.ctx.schema;
        if let Some(temp) = schema.dbs.get(super::TEMP).filter(|_| db != super::TEMP) {
            for trigger in temp.watching.get(table).into_iter().flatten() {
                if schema.watched_db(trigger) == Some(db) {
                    self.code_drop_trigger(super::TEMP, &trigger.name)?;
                }
            }
        }
        for trigger in schema.dbs[db].watching.get(table).into_iter().flatten() {
            self.code_drop_trigger(db, &trigger.name)?;
        }
        Ok(())
    }

    fn destroy_table(&mut self, db: usize, table: &Table) -> Result<()> {
        let mut roots = vec![table.root];
        roots.extend(table.indexes.iter().map(|index| index.root));
        roots.sort_unstable();
        roots.dedup();
        for root in roots.into_iter().rev() {
            self.destroy_tree(db, root)?;
        }
        Ok(())
    }

    /// Frees a tree and mends the row of the one that moved into its place.
    fn destroy_tree(&mut self, db: usize, root: u32) -> Result<()> {
        if root < 2 {
            return Err(SqlError::new(ResultCode::CORRUPT, "corrupt schema"));
        }
        self.may_abort = true;
        self.authorize_schema_update(db, &["rootpage"], &["rootpage"], &[])?;
        let moved = self.alloc_reg();
        self.op(Opcode::Destroy, root as i32, moved, db as i32);
        let skip = self.op(Opcode::IfNot, moved, 0, 1);
        let cursor = self.open_schema_table(db)?;
        let first = self.alloc_regs(7);
        let (record, rowid) = (first + 5, first + 6);
        let (done, next) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, cursor, done, 0) + 1;
        self.op(
            Opcode::Column,
            cursor,
            ROOT_PAGE as i32,
            first + ROOT_PAGE as i32,
        );
        self.jump(Opcode::Ne, moved, next, first + ROOT_PAGE as i32);
        self.p5(p5::JUMPIFNULL);
        for column in [TYPE, NAME, TABLE_NAME, 4] {
            self.op(Opcode::Column, cursor, column as i32, first + column as i32);
        }
        self.op(Opcode::Integer, root as i32, first + ROOT_PAGE as i32, 0);
        self.op(Opcode::Rowid, cursor, rowid, 0);
        self.op4(Opcode::MakeRecord, first, 5, record, P4::affinity(b"BBBDB"));
        self.op(Opcode::Insert, cursor, record, rowid);
        self.p5(p5::SAVEPOSITION);
        self.place(next);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        self.jump_here(skip);
        Ok(())
    }

    /// Deletes what ANALYZE has found out.
    fn clear_statistics(&mut self, db: usize, column: &str, name: &str) -> Result<()> {
        for number in 1..=4 {
            let table = self.ctx.schema.dbs[db]
                .table(&format!("sqlite_stat{number}"))
                .cloned();
            let Some(table) = table else { continue };
            if let Some(column) = table.column_index(column) {
                self.authorize_delete(db, &table, column)?;
                self.delete_matching(db, &table, &[(column, name)], None)?;
            }
        }
        Ok(())
    }

    fn drop_index(&mut self, drop: &DropObject) -> Result<()> {
        let schema = self.ctx.schema;
        let db = self.named_db(&drop.name);
        let found = db
            .ok()
            .and_then(|db| schema.find_index(db, &drop.name.name.text));
        let Some((db, index)) = found else {
            return self.nothing_to_drop(drop, "index");
        };
        if index.origin != IndexOrigin::Create {
            let message =
                "index associated with UNIQUE or PRIMARY KEY constraint cannot be dropped";
            return Err(SqlError::error(message));
        }
        let index = index.clone();
        let code = if db == super::TEMP {
            ActionCode::DropTempIndex
        } else {
            ActionCode::DropIndex
        };
        if !self.authorize_in(ActionCode::Delete, schema_table_name(db), None, db)?
            || !self.authorize_in(code, &index.name, Some(&index.table), db)?
        {
            return Ok(());
        }
        self.authorize_schema_delete(db, &["name", "type"])?;
        self.writes_db(true, db);
        self.may_abort = true;
        let schema_table = self.schema_table(db);
        self.delete_matching(
            db,
            &schema_table,
            &[(NAME, &index.name), (TYPE, "index")],
            None,
        )?;
        self.clear_statistics(db, "idx", &index.name)?;
        self.change_cookie(db);
        self.destroy_tree(db, index.root)?;
        self.op4(Opcode::DropIndex, db as i32, 0, 0, P4::text(&*index.name));
        Ok(())
    }

    fn drop_trigger(&mut self, drop: &DropObject) -> Result<()> {
        let schema = self.ctx.schema;
        let db = self.named_db(&drop.name);
        let found = db
            .ok()
            .and_then(|db| schema.find_trigger(db, &drop.name.name.text));
        let Some((db, trigger)) = found else {
            return self.nothing_to_drop(drop, "trigger");
        };
        let name = trigger.name.clone();
        self.code_drop_trigger(db, &name)
    }

    /// Asks whether a table or view may be dropped.
    fn authorize_drop(&self, db: usize, table: &Table, view: bool) -> Result<bool> {
        let temp = db == super::TEMP;
        let mut module = None;
        let code = match &table.kind {
            _ if view && temp => ActionCode::DropTempView,
            _ if view => ActionCode::DropView,
            TableKind::Virtual(def) => {
                module = Some(&*def.module);
                ActionCode::DropVirtualTable
            }
            _ if temp => ActionCode::DropTempTable,
            _ => ActionCode::DropTable,
        };
        Ok(
            self.authorize_in(ActionCode::Delete, schema_table_name(db), None, db)?
                && self.authorize_in(code, &table.name, module, db)?
                && self.authorize_in(ActionCode::Delete, &table.name, None, db)?,
        )
    }

    /// Asks whether a trigger may be dropped.
    fn authorize_drop_trigger(&self, db: usize, name: &str) -> Result<bool> {
        if !self.asks() {
            return Ok(true);
        }
        let code = if db == super::TEMP {
            ActionCode::DropTempTrigger
        } else {
            ActionCode::DropTrigger
        };
        let trigger = self.ctx.schema.dbs[db].triggers.get(name);
        let table = trigger.map(|trigger| trigger.create.table.name.text.to_string());
        Ok(self.authorize_in(code, name, table.as_deref(), db)?
            && self.authorize_in(ActionCode::Delete, schema_table_name(db), None, db)?)
    }

    fn code_drop_trigger(&mut self, db: usize, name: &str) -> Result<()> {
        if !self.authorize_drop_trigger(db, name)? {
            return Ok(());
        }
        self.authorize_schema_delete(db, &["name", "type"])?;
        self.writes_db(false, db);
        let schema_table = self.schema_table(db);
        self.delete_matching(db, &schema_table, &[(NAME, name), (TYPE, "trigger")], None)?;
        self.change_cookie(db);
        self.op4(Opcode::DropTrigger, db as i32, 0, 0, P4::text(name));
        Ok(())
    }
}

/// The name as it was written: with its database, if that was.
fn written(name: &QualifiedName) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", schema.text, name.name.text),
        None => name.name.text.to_string(),
    }
}

/// Whether a table belongs to the engine; statistics may be dropped.
fn may_not_be_dropped(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower
        .strip_prefix("sqlite_")
        .is_some_and(|rest| !rest.starts_with("stat") && !rest.starts_with("parameters"))
}
