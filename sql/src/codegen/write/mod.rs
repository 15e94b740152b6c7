//! Changing rows: the cursors on a table and its indexes, and what INSERT, UPDATE and DELETE share.
//!
//! | module | what |
//! |---|---|
//! | [`constraints`] | NOT NULL, CHECK, UNIQUE and the conflict actions; index entries; storing a row |
//! | [`row_delete`] | deleting a row and its index entries |
//! | [`autoincrement`] | `sqlite_sequence` |
//! | [`insert`], [`transfer`], [`update`], [`delete`] | the statements |
//!
//! Rules:
//! 1. Index n of `table.indexes` is open on cursor `index_cursor + n`; the primary key of a WITHOUT ROWID table is the
//!    table, and its cursor is the data cursor.
//! 2. A row about to be stored lies in registers `rowid`, `rowid + 1`…: first the rowid (unused in WITHOUT ROWID
//!    tables), then the columns in the order of declaration.
//!
//! Absent: triggers, foreign keys, upserts, RETURNING, generated columns: refused with an error.
//!
//! Source: SQLite's `insert.c`, `update.c`, `delete.c`.

pub mod autoincrement;
pub mod constraints;
pub mod delete;
pub mod insert;
pub mod row_delete;
pub mod transfer;
pub mod update;

use crate::ast;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::{Index, Table};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

/// A table that a statement changes, and the cursors on it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its database.
    pub db: usize,
    /// The table.
    pub table: Arc<Table>,
    /// The cursor of its rows.
    pub data_cursor: i32,
    /// The cursor of its first index (rule 1).
    pub index_cursor: i32,
}

impl Target {
    /// Takes cursor numbers for a table and its indexes. `data_cursor` is the one that it has already, if it has.
    pub fn new(c: &mut Compiler<'_>, db: usize, table: &Arc<Table>, data_cursor: Option<i32>) -> Target {
        let mut data = data_cursor.unwrap_or_else(|| c.alloc_cursor(Some(table.clone())));
        let mut first = c.cursor_count();
        for (n, index) in table.indexes.iter().enumerate() {
            let is_table = !table.has_rowid() && index.is_primary_key();
            let cursor = c.alloc_cursor(is_table.then(|| table.clone()));
            if n == 0 {
                first = cursor;
            }
            if is_table && data_cursor.is_none() {
                data = cursor;
            }
        }
        Target { db, table: table.clone(), data_cursor: data, index_cursor: first }
    }

    /// The index that is a WITHOUT ROWID table itself.
    pub fn primary_key(&self) -> Option<&Arc<Index>> {
        if self.table.has_rowid() { None } else { self.table.primary_key_index() }
    }

    /// Whether index `n` is the table itself.
    pub fn is_table(&self, n: usize) -> bool {
        !self.table.has_rowid() && self.table.indexes[n].is_primary_key()
    }

    /// The cursor of index `n`.
    pub fn cursor_of(&self, n: usize) -> i32 {
        if self.is_table(n) { self.data_cursor } else { self.index_cursor + n as i32 }
    }

    /// Opens what is to be written; `wanted(None)` is the table, `wanted(Some(n))` index n.
    pub fn open(&self, c: &mut Compiler<'_>, flags: u16, wanted: impl Fn(Option<usize>) -> bool) -> Result<()> {
        if self.table.has_rowid() && wanted(None) {
            c.open_table(self.data_cursor, self.db, &self.table, true)?;
        }
        for (n, index) in self.table.indexes.iter().enumerate() {
            let is_table = self.is_table(n);
            if wanted(if is_table { None } else { Some(n) }) {
                c.open_index(self.cursor_of(n), self.db, index, true)?;
                c.p5(if is_table { 0 } else { flags });
            }
        }
        Ok(())
    }
}

/// The number that SQLite gives a conflict action.
pub fn conflict_code(action: ast::ConflictAction) -> i32 {
    i32::from(match action {
        ast::ConflictAction::Rollback => p5::OE_ROLLBACK,
        ast::ConflictAction::Abort => p5::OE_ABORT,
        ast::ConflictAction::Fail => p5::OE_FAIL,
        ast::ConflictAction::Ignore => p5::OE_IGNORE,
        ast::ConflictAction::Replace => p5::OE_REPLACE,
    })
}

/// A trigger's event, for looking whether a table has triggers for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
}

impl<'a> Compiler<'a> {
    /// The table of that name, to be changed.
    ///
    /// # Errors
    /// `no such table: x`; `cannot modify v because it is a view`; `table x may not be modified`; what is not
    /// supported yet for it.
    pub fn table_to_change(&mut self, name: &ast::QualifiedName, change: Change) -> Result<(usize, Arc<Table>)> {
        let (db, table) = self.find_table(name)?;
        if table.is_view() {
            return Err(SqlError::error(format!("cannot modify {} because it is a view", table.name)));
        }
        if is_read_only(&table.name) && !self.ctx.flags.writable_schema {
            return Err(SqlError::error(format!("table {} may not be modified", table.name)));
        }
        if table.has_generated {
            return Err(SqlError::unsupported("changing a table with generated columns is"));
        }
        let event = |trigger: &crate::schema::Trigger| match &*trigger.create {
            ast::Stmt::CreateTrigger(create) => matches!(
                (&create.event, change),
                (ast::TriggerEvent::Insert, Change::Insert)
                    | (ast::TriggerEvent::Delete, Change::Delete)
                    | (ast::TriggerEvent::Update(_), Change::Update)
            ),
            _ => false,
        };
        let triggers = self.ctx.schema.dbs.iter().flat_map(|db| db.triggers.values());
        if triggers.into_iter().any(|t| t.table.eq_ignore_ascii_case(&table.name) && event(t)) {
            return Err(SqlError::unsupported("triggers are"));
        }
        if self.ctx.flags.foreign_keys && self.is_in_foreign_key(db, &table, change) {
            return Err(SqlError::unsupported("foreign key enforcement is"));
        }
        self.uses_db(db);
        Ok((db, table))
    }

    /// Whether a change of that kind would need foreign keys to be enforced.
    fn is_in_foreign_key(&self, db: usize, table: &Table, change: Change) -> bool {
        let is_child = !table.foreign_keys.is_empty() && change != Change::Delete;
        let is_parent = change != Change::Insert
            && self.ctx.schema.dbs[db]
                .tables
                .values()
                .any(|t| t.foreign_keys.iter().any(|key| key.parent.eq_ignore_ascii_case(&table.name)));
        is_child || is_parent
    }

    /// The table of that name.
    ///
    /// # Errors
    /// `no such table: x`, `unknown database x`
    pub fn find_table(&self, name: &ast::QualifiedName) -> Result<(usize, Arc<Table>)> {
        let schema = self.ctx.schema;
        let missing = || {
            let what = match &name.schema {
                Some(db) => format!("no such table: {}.{}", db.text, name.name.text),
                None => format!("no such table: {}", name.name.text),
            };
            SqlError::error(what)
        };
        let db = match &name.schema {
            Some(db) => Some(schema.db_index(&db.text).ok_or_else(missing)?),
            None => None,
        };
        schema.find_table(db, &name.name.text).map(|(db, table)| (db, table.clone())).ok_or_else(missing)
    }

    /// `Halt` with a constraint's code, unless the action is ABORT of a statement that changes one row.
    pub(crate) fn halt_constraint(&mut self, code: ringwood_vdbe::ResultCode, action: i32, message: &str, kind: u16) {
        if action == i32::from(p5::OE_ABORT) {
            self.may_abort = true;
        }
        self.op4(Opcode::Halt, code.code(), action, 0, P4::text(message));
        self.p5(kind);
    }

    /// P4 of `Insert` and `Delete`: the table, for hooks.
    pub(crate) fn table_operand(table: &Table) -> P4 {
        P4::Table(table.name.clone())
    }

    /// Emits what gives `first`… the table's affinities, or checks the types of a STRICT table; with no registers, puts
    /// it into the `MakeRecord` just emitted.
    pub(crate) fn table_affinity(&mut self, table: &Arc<Table>, first: i32) {
        if table.strict {
            let p4 = super::column::type_check_letters(table, None);
            let count = table.stored_count() as i32;
            if first == 0 {
                let record = self.b.last().expect("after MakeRecord").clone();
                let at = self.here() - 1;
                let insn = self.b.insn_mut(at);
                (insn.opcode, insn.p1, insn.p2, insn.p3, insn.p4) = (Opcode::TypeCheck, record.p1, count, 0, p4);
                self.op4(record.opcode, record.p1, record.p2, record.p3, P4::None);
            } else {
                self.op4(Opcode::TypeCheck, first, count, 0, p4);
            }
            return;
        }
        let mut letters: Vec<u8> = table.columns.iter().map(|column| column.affinity as u8).collect();
        while letters.last().is_some_and(|letter| *letter <= b'A') {
            letters.pop();
        }
        if letters.is_empty() {
            return;
        }
        let count = letters.len() as i32;
        if first == 0 {
            let at = self.here() - 1;
            self.b.set_p4(at, P4::affinity(&letters));
        } else {
            self.op4(Opcode::Affinity, first, count, 0, P4::affinity(&letters));
        }
    }
}

/// Whether a table belongs to the engine.
pub fn is_read_only(name: &str) -> bool {
    name.eq_ignore_ascii_case("sqlite_master")
        || name.eq_ignore_ascii_case("sqlite_temp_master")
        || name.eq_ignore_ascii_case("sqlite_schema")
        || name.eq_ignore_ascii_case("sqlite_temp_schema")
}
