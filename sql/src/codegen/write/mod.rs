//! Changing rows: the cursors on a table and its indexes, and what INSERT, UPDATE and DELETE share.
//!
//! | module | what |
//! |---|---|
//! | [`constraints`] | NOT NULL, CHECK, UNIQUE and the conflict actions; index entries; storing a row |
//! | `assignments` | what SET says |
//! | [`generated`] | the generated columns of a row about to be stored |
//! | [`row_delete`] | deleting a row and its index entries |
//! | [`autoincrement`] | `sqlite_sequence` |
//! | [`foreign_keys`], [`foreign_key_actions`] | foreign keys: counting violations; CASCADE and its sisters |
//! | [`view`] | UPDATE and DELETE of views that have INSTEAD OF triggers |
//! | [`returning`] | RETURNING |
//! | [`upsert`] | ON CONFLICT clauses of INSERT |
//! | `limit` | ORDER BY and LIMIT of UPDATE and DELETE |
//! | [`insert`], [`transfer`], [`update`], `update_from`, [`delete`] | the statements |
//!
//! Rules:
//! 1. The table is open on cursor `index_cursor - 1`, index n of `table.indexes` on `index_cursor + n`; the primary key of
//!    a WITHOUT ROWID table is the table: its cursor is the data cursor, and that before the indexes is not used.
//! 2. A row about to be stored lies in registers `rowid`, `rowid + 1`…: first the rowid (unused in WITHOUT ROWID
//!    tables), then the columns in the order of the record, the virtual ones, which are not in it, behind them
//!    ([`Table::storage_of`]).
//!
//! 3. Where triggers or foreign keys want the old row of an UPDATE, it lies right before the new one: `old rowid`, the old
//!    columns, `new rowid`, the new columns. Triggers read both by their distance from the old rowid.
//! 4. The order of effects for a row: BEFORE triggers; checks; counting of foreign keys; the change; actions of foreign
//!    keys; AFTER triggers. A BEFORE trigger may have changed or deleted the row: it is looked up again.
//! 5. A statement ends its changes with [`Compiler::end_change`]; what gives rows out (RETURNING) comes after that.
//!
//! Source: SQLite's `insert.c`, `update.c`, `delete.c`.

mod assignments;
pub mod autoincrement;
pub mod constraints;
pub mod delete;
pub mod foreign_key_actions;
pub mod foreign_keys;
pub mod generated;
pub mod insert;
mod limit;
pub mod returning;
pub mod row_delete;
pub mod transfer;
pub mod update;
mod update_from;
pub mod upsert;
pub mod view;
pub mod virtual_table;

use crate::ast;
use crate::bound::{Expr, FromItem, FromSource, IndexHint, JoinKind};
use crate::codegen::trigger::Triggers;
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::Resolver;
use crate::schema::{Index, Table};
use ringwood_format::key::KeyInfo;
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
    /// What the deletion of one of its rows brings about.
    pub on_delete: DeleteEffects,
}

/// What the deletion of a row brings about besides.
#[derive(Clone, Default, Debug)]
pub struct DeleteEffects {
    /// DELETE triggers.
    pub triggers: Triggers,
    /// Whether the table is the child or the parent of a foreign key.
    pub foreign_keys: bool,
    /// The conflict action that the triggers inherit.
    pub or: Option<ast::ConflictAction>,
}

impl DeleteEffects {
    /// Whether there is something.
    pub fn any(&self) -> bool {
        self.foreign_keys || !self.triggers.is_empty()
    }
}

impl Target {
    /// Takes cursor numbers for a table and its indexes.
    pub fn new(c: &mut Compiler<'_>, db: usize, table: &Arc<Table>) -> Target {
        let mut data_cursor = c.alloc_cursor(table.has_rowid().then(|| table.clone()));
        let index_cursor = data_cursor + 1;
        for index in &table.indexes {
            let is_table = !table.has_rowid() && index.is_primary_key();
            let cursor = c.alloc_cursor(is_table.then(|| table.clone()));
            if is_table {
                data_cursor = cursor;
            }
        }
        Target {
            db,
            table: table.clone(),
            data_cursor,
            index_cursor,
            on_delete: DeleteEffects::default(),
        }
    }

    /// REPLACE deletes rows: their triggers fire if triggers may be recursive.
    pub fn replaces(&mut self, c: &Compiler<'_>) {
        let mut effects = DeleteEffects {
            triggers: Triggers::default(),
            foreign_keys: c.is_in_foreign_key(self.db, &self.table),
            or: Some(ast::ConflictAction::Replace),
        };
        if c.ctx.flags.recursive_triggers {
            effects.triggers = c.triggers_of(self.db, &self.table, Change::Delete, None);
        }
        self.on_delete = effects;
    }

    /// The index that is a WITHOUT ROWID table itself.
    pub fn primary_key(&self) -> Option<&Arc<Index>> {
        if self.table.has_rowid() {
            None
        } else {
            self.table.primary_key_index()
        }
    }

    /// Whether index `n` is the table itself.
    pub fn is_table(&self, n: usize) -> bool {
        !self.table.has_rowid() && self.table.indexes[n].is_primary_key()
    }

    /// The cursor of index `n`.
    pub fn cursor_of(&self, n: usize) -> i32 {
        self.index_cursor + n as i32
    }

    /// Opens what is to be written: what `wanted` says of each cursor. `flags` are for the cursors of indexes.
    pub fn open(
        &self,
        c: &mut Compiler<'_>,
        flags: u16,
        wanted: impl Fn(i32) -> bool,
    ) -> Result<()> {
        if self.table.has_rowid() && wanted(self.data_cursor) {
            c.open_table(self.data_cursor, self.db, &self.table, true)?;
        }
        for (n, index) in self.table.indexes.iter().enumerate() {
            let cursor = self.cursor_of(n);
            if wanted(cursor) {
                c.open_index(cursor, self.db, index, true)?;
                c.p5(if self.is_table(n) { 0 } else { flags });
            }
        }
        Ok(())
    }

    /// The affinities of the columns of an index, for making a key (SQLite's sqlite3IndexAffinityStr).
    pub fn key_affinities(&self, index: &Index) -> P4 {
        key_affinities(&self.table, index)
    }
}

/// The same for the index of any table.
pub(crate) fn key_affinities(table: &Table, index: &Index) -> P4 {
    P4::Affinity(table.key_affinities(index))
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

/// What is done to rows, and what fires a trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
}

impl Compiler<'_> {
    /// The table of that name, to be changed, and the triggers that this fires; `set`: the names of the columns that an
    /// UPDATE assigns. A view with INSTEAD OF triggers comes with the columns of its SELECT.
    ///
    /// # Errors
    /// `no such table: x`; `cannot modify v because it is a view`; `table x may not be modified`; what is not
    /// supported yet for it.
    pub fn table_to_change(
        &mut self,
        name: &ast::QualifiedName,
        change: Change,
        set: Option<&[&str]>,
    ) -> Result<(usize, Arc<Table>, Triggers)> {
        let (db, mut table) = self.find_table(name)?;
        let triggers = self.triggers_of(db, &table, change, set);
        if table.is_view() {
            let made = self.unasked(|c| Resolver::new(c).view_select(db, &table));
            let (_, made) = made?;
            table = made;
        }
        if table.is_view() && triggers.is_empty() {
            return Err(SqlError::error(format!(
                "cannot modify {} because it is a view",
                table.name
            )));
        }
        let is_read_only_virtual = table.is_virtual()
            && !self
                .connection_of(db, &table)
                .is_some_and(|connected| connected.with(|t| t.is_writable()).unwrap_or(false));
        if is_read_only_virtual || is_read_only(&table.name) && !self.ctx.flags.writable_schema {
            return Err(SqlError::error(format!(
                "table {} may not be modified",
                table.name
            )));
        }
        self.uses_db(db);
        Ok((db, table, triggers))
    }

    /// The item that stands for the table in the loops and in expressions.
    ///
    /// # Errors
    /// `no such index: x`
    pub(crate) fn target_item(
        &mut self,
        target: &Target,
        alias: Option<&ast::Name>,
        indexed: &ast::Indexed,
    ) -> Result<FromItem> {
        let table = &target.table;
        let hint = match indexed {
            ast::Indexed::Unspecified => IndexHint::Any,
            ast::Indexed::Not => IndexHint::None,
            ast::Indexed::By(name) => {
                let found = table
                    .indexes
                    .iter()
                    .find(|index| index.name.eq_ignore_ascii_case(&name.text));
                let Some(index) = found else {
                    return Err(SqlError::error(format!("no such index: {}", name.text)));
                };
                IndexHint::Index(index.clone())
            }
        };
        Ok(FromItem {
            cursor: target.data_cursor,
            db: target.db,
            table: table.clone(),
            alias: alias.map(|alias| Arc::from(&*alias.text)),
            source: FromSource::Table,
            join: JoinKind::default(),
            on: None,
            hint,
            columns_used: 0,
            id: self.next_subquery(),
            correlated: false,
            cte: None,
            nested_join: false,
            from_exists: false,
            written_db: None,
        })
    }

    /// Resolves the DEFAULT of a column.
    pub(crate) fn resolve_default(&mut self, default: &ast::Expr) -> Result<Expr> {
        if self.asks() {
            self.authorize_functions(default)?;
        }
        self.unasked(|c| crate::resolve::resolve_constant(c, default))
    }

    /// Resolves a WHERE over one table.
    pub(crate) fn resolve_where(
        &mut self,
        item: &FromItem,
        with: Option<&ast::With>,
        expr: &ast::Expr,
    ) -> Result<Expr> {
        self.resolve_condition(with, expr, assignments::table_scope(item, &[]))
    }

    /// Puts a column into that very register.
    pub(crate) fn code_column_into(&mut self, cursor: i32, column: i32, reg: i32) -> Result<()> {
        let from = self.code_column(cursor, column, reg)?;
        if from != reg {
            self.op(Opcode::SCopy, from, reg, 0);
        }
        Ok(())
    }

    /// Puts the key of the row that the loops have found into registers: the rowid or the primary key.
    pub(crate) fn code_key(&mut self, target: &Target, first: i32) -> Result<()> {
        let Some(primary) = target.primary_key().cloned() else {
            return self.code_column_into(target.data_cursor, -1, first);
        };
        for (i, column) in primary.columns[..primary.key_count].iter().enumerate() {
            let number = column.key.column().unwrap_or(-1);
            self.code_column_into(target.data_cursor, number, first + i as i32)?;
        }
        Ok(())
    }

    /// How keys of the primary key alone are ordered.
    pub(crate) fn key_prefix_info(&self, db: usize, primary: &Index) -> Result<Arc<KeyInfo>> {
        let full = self.index_key_info(db, primary)?;
        if full.columns.len() == primary.key_count {
            return Ok(full);
        }
        let columns = full.columns[..primary.key_count].to_vec();
        Ok(Arc::new(KeyInfo {
            columns,
            behind: 0,
            encoding: full.encoding,
        }))
    }

    /// Ends what a `Once` at that address protects; it goes if that is nothing.
    pub(crate) fn end_once(&mut self, once: i32) {
        if self.here() == once + 1 {
            self.b.delete_prior(Opcode::Once);
        } else {
            self.jump_here(once);
        }
    }

    /// The table of that name.
    ///
    /// # Errors
    /// `no such table: x`, `unknown database x`
    pub fn find_table(&self, name: &ast::QualifiedName) -> Result<(usize, Arc<Table>)> {
        let schema = self.ctx.schema;
        let fixed = self.fixed_db;
        let missing = || -> SqlError {
            let what = match (&name.schema, fixed) {
                (Some(db), _) => format!("no such table: {}.{}", db.text, name.name.text),
                (None, Some(db)) => {
                    format!("no such table: {}.{}", schema.dbs[db].name, name.name.text)
                }
                (None, None) => format!("no such table: {}", name.name.text),
            };
            SqlError::error(what)
        };
        let db = match &name.schema {
            Some(db) => Some(schema.db_index(&db.text).ok_or_else(missing)?),
            None => fixed,
        };
        match schema.find_table(db, &name.name.text) {
            Some((db, table)) => Ok((db, self.connected(db, table)?)),
            None => match self.eponymous(&name.name.text) {
                Some(table) => Ok((0, table?)),
                None => Err(missing()),
            },
        }
    }

    /// `Halt` with a constraint's code, unless the action is ABORT of a statement that changes one row.
    pub(crate) fn halt_constraint(
        &mut self,
        code: ringwood_vdbe::ResultCode,
        action: i32,
        message: &str,
        kind: u16,
    ) {
        self.halt_conflict(code, action, Arc::from(message.as_bytes()), kind);
    }

    /// The same with a message that is kept already.
    pub(crate) fn halt_conflict(
        &mut self,
        code: ringwood_vdbe::ResultCode,
        action: i32,
        message: Arc<[u8]>,
        kind: u16,
    ) {
        if action == i32::from(p5::OE_ABORT) {
            self.may_abort = true;
        }
        self.op4(Opcode::Halt, code.get(), action, 0, P4::Text(message));
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
                (insn.opcode, insn.p1, insn.p2, insn.p3, insn.p4) =
                    (Opcode::TypeCheck, record.p1, count, 0, p4);
                self.op4(record.opcode, record.p1, record.p2, record.p3, P4::None);
            } else {
                self.op4(Opcode::TypeCheck, first, count, 0, p4);
            }
            return;
        }
        let letters = table.affinity_letters();
        if letters.is_empty() {
            return;
        }
        let count = letters.len() as i32;
        if first == 0 {
            let at = self.here() - 1;
            self.b.set_p4(at, P4::Affinity(letters.clone()));
        } else {
            self.op4(
                Opcode::Affinity,
                first,
                count,
                0,
                P4::Affinity(letters.clone()),
            );
        }
    }
}

/// The columns of a cursor that the loops have to read, as [`FromItem::columns_used`]. The values of SET are not among
/// them: they are computed outside of the loops, or when the table itself is open.
pub(crate) fn columns_used(where_: &Expr, cursor: i32) -> u64 {
    let mut used = 0;
    crate::bound::walk::for_each_column(where_, &mut |column| {
        if column.cursor == cursor && column.column >= 0 {
            used |= 1u64 << column.column.min(63);
        }
    });
    used
}

/// Whether a table belongs to the engine.
pub fn is_read_only(name: &str) -> bool {
    name.eq_ignore_ascii_case("sqlite_master")
        || name.eq_ignore_ascii_case("sqlite_temp_master")
        || name.eq_ignore_ascii_case("sqlite_schema")
        || name.eq_ignore_ascii_case("sqlite_temp_schema")
}
