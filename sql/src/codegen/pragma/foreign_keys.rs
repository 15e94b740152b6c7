//! `PRAGMA foreign_key_check`: the rows of child tables that have no parent.
//!
//! ```text
//!   for each child table                       cursor 0; the parents' keys on cursors of their own
//!     for each row, for each foreign key:      a column is NULL? next key; the parent has it? next key
//!       table, rowid, parent, number of the key
//! ```
//!
//! Source: SQLite's `sqlite3Pragma`, PragTyp_FOREIGN_KEY_CHECK.

use crate::codegen::write::key_affinities;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::{ParentKey, Table};
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// Codes the pragma, for one table or all.
    pub(super) fn foreign_key_check(&mut self, db: Option<usize>, arg: Option<&str>) -> Result<()> {
        let first = self.pragma_row(&["table", "rowid", "parent", "fkid"]);
        let schema = self.ctx.schema;
        let mut tables: Vec<(usize, Arc<Table>)> = Vec::new();
        if let Some(name) = arg {
            let Some((db, table)) = schema.find_table(db, name) else {
                let what = db.map_or_else(
                    || name.to_owned(),
                    |db| format!("{}.{name}", schema.dbs[db].name),
                );
                return Err(SqlError::error(format!("no such table: {what}")));
            };
            tables.push((db, table.clone()));
        } else {
            let db = db.unwrap_or(0);
            let all = schema.dbs[db].tables.values();
            tables.extend(all.map(|table| (db, table.clone())));
            tables.sort_by_key(|(_, table)| std::cmp::Reverse(table.order));
        }
        for (db, table) in tables {
            if !table.is_view() && !table.foreign_keys.is_empty() {
                self.check_children(db, &table, first)?;
            }
        }
        Ok(())
    }

    fn check_children(&mut self, db: usize, table: &Arc<Table>, first: i32) -> Result<()> {
        self.uses_db(db);
        let rows = self.alloc_cursor(Some(table.clone()));
        self.open_table(rows, db, table, false)?;
        self.op4(Opcode::String8, 0, first, 0, P4::text(&*table.name));
        let mut parents = Vec::with_capacity(table.foreign_keys.len());
        for key in &table.foreign_keys {
            let parent = self.ctx.schema.dbs[db].table(&key.parent).cloned();
            let Some(parent) = parent else {
                parents.push(None);
                continue;
            };
            let found = self.parent_key(table, &parent, key)?;
            let cursor = self.alloc_cursor(Some(parent.clone()));
            match &found.index {
                Some(index) => self.open_index(cursor, db, index, false)?,
                None => self.open_table(cursor, db, &parent, false)?,
            };
            parents.push(Some((cursor, parent, found)));
        }
        let done = self.label();
        let top = self.jump(Opcode::Rewind, rows, done, 0) + 1;
        for (number, (key, parent)) in table.foreign_keys.iter().zip(&parents).enumerate() {
            let ok = self.label();
            let columns = match parent {
                Some((_, _, found)) => &found.child_columns,
                None => &key.columns,
            };
            let values = self.alloc_regs(columns.len());
            for (i, column) in columns.iter().enumerate() {
                let reg = values + i as i32;
                self.code_table_column(table, rows, *column as i32, reg)?;
                self.jump(Opcode::IsNull, reg, ok, 0);
            }
            if let Some((cursor, parent, found)) = parent {
                self.find_parent(*cursor, parent, found, values, ok);
            }
            if table.has_rowid() {
                self.op(Opcode::Rowid, rows, first + 1, 0);
            } else {
                self.op(Opcode::Null, 0, first + 1, 0);
            }
            self.op4(Opcode::String8, 0, first + 2, 0, P4::text(&*key.parent));
            self.op(Opcode::Integer, number as i32, first + 3, 0);
            self.op(Opcode::ResultRow, first, 4, 0);
            self.place(ok);
        }
        self.op(Opcode::Next, rows, top, 0);
        self.place(done);
        Ok(())
    }

    /// Jumps to `ok` if the parent's key has those values.
    fn find_parent(
        &mut self,
        cursor: i32,
        parent: &Table,
        found: &ParentKey,
        values: i32,
        ok: ringwood_vdbe::Label,
    ) {
        let count = found.child_columns.len() as i32;
        if let Some(index) = &found.index {
            let affinities = key_affinities(parent, index);
            self.op4(Opcode::Affinity, values, count, 0, affinities);
            self.b
                .op4(Opcode::Found, cursor, ok, values, P4::Int(count));
        } else {
            let missing = self.label();
            self.jump(Opcode::SeekRowid, cursor, missing, values);
            self.goto(ok);
            self.place(missing);
        }
    }
}
