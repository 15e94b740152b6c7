//! Checks of foreign keys: every violation counts up, every one that goes counts down.
//!
//! ```text
//!   a child row comes      no parent row? FkCounter +1          a parent row comes    each child row of it: FkCounter -1
//!   a child row goes       no parent row? FkCounter -1          a parent row goes     each child row of it: FkCounter +1
//! ```
//!
//! The counter of immediate keys must be 0 at the end of the statement, that of deferred ones at the commit.
//!
//! Rules:
//! 1. A statement that inserts one row, and no trigger with it, has no savepoint to go back to: a missing parent of an
//!    immediate key halts it at once.
//! 2. A row is removed from the counts before it is changed and added again after that: what an UPDATE does not touch of
//!    a key is not looked at.
//! 3. A row that is its own parent violates nothing.
//! 4. Comparisons have the affinity and the collation of the parent's columns.
//! 5. The program of a key's own SET NULL does not look for parents: there are none to look for. Stock SQLite leaves that
//!    out also where a statement comes to the key after it has set that SET NULL off (a REPLACE into a table that refers
//!    to itself, say), and lets rows without parents in; not here.
//! 6. While a table is dropped, missing parents and mismatches are no errors: its rows have no parents then.
//!
//! Source: SQLite's `sqlite3FkCheck`, `fkLookupParent`, `fkScanChildren`, `sqlite3FkRequired`, `sqlite3FkOldmask`;
//! "SQLite Foreign Key Support".

use super::{columns_used, key_affinities};
use crate::ast::ForeignKeyAction;
use crate::bound::{BinaryOp, ColumnRef, Expr, FromClause, UnaryOp};
use crate::codegen::loops::{self, Request};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::table_item;
use crate::schema::{ForeignKey, ParentKey, Table};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4, ResultCode};
use std::sync::Arc;

/// Which columns an UPDATE changes.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'c> {
    /// Those that are assigned.
    pub columns: &'c [bool],
    /// Whether the rowid may change.
    pub rowid: bool,
}

impl Changed<'_> {
    fn has(&self, table: &Table, column: usize) -> bool {
        self.columns[column] || (self.rowid && table.rowid_alias == Some(column))
    }

    /// Whether a key of the child table is touched.
    fn touches_child(&self, table: &Table, key: &ForeignKey) -> bool {
        key.columns.iter().any(|column| self.has(table, *column))
    }

    /// Whether a key of the parent table is touched.
    pub(super) fn touches_parent(&self, parent: &Table, key: &ForeignKey) -> bool {
        let columns = parent.columns.iter().enumerate();
        let mut changed = columns.filter(|(number, _)| self.has(parent, *number));
        changed.any(|(_, column)| match &key.parent_columns {
            Some(names) => names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&column.name)),
            None => column.primary_key,
        })
    }
}

/// How much an UPDATE has to do with foreign keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Involvement {
    /// Nothing.
    None,
    /// Keys are checked.
    Checks,
    /// They may refer to the table itself, or actions change other rows: the old row goes before the new one comes.
    Moves,
}

/// Which row's keys are asked for.
#[derive(Clone, Copy)]
pub(super) enum Going<'a> {
    /// A row that goes, or is changed so.
    Old(Option<Changed<'a>>),
    /// A row that comes.
    New,
}

impl Compiler<'_> {
    /// The foreign keys that refer to a table: the children, and the keys.
    pub(super) fn references(
        &self,
        db: usize,
        table: &Table,
    ) -> Vec<(Arc<Table>, Arc<ForeignKey>)> {
        let schema = &self.ctx.schema.dbs[db];
        let children = schema.children.get(&table.name).into_iter().flatten();
        children
            .filter_map(|(name, at)| {
                let child = schema.tables.get(name)?;
                Some((child.clone(), child.foreign_keys.get(*at)?.clone()))
            })
            .collect()
    }

    /// Whether foreign keys matter where rows of the table go, or come.
    pub(crate) fn is_in_foreign_key(&self, db: usize, table: &Table) -> bool {
        self.ctx.flags.foreign_keys
            && !table.is_view()
            && (!table.foreign_keys.is_empty()
                || self.ctx.schema.dbs[db].children.get(&table.name).is_some())
    }

    /// How an UPDATE has to do with foreign keys.
    pub(super) fn foreign_keys_of_update(
        &self,
        db: usize,
        table: &Table,
        changed: Changed<'_>,
    ) -> Involvement {
        let mut involvement = Involvement::None;
        if !self.is_in_foreign_key(db, table) {
            return involvement;
        }
        for key in &table.foreign_keys {
            if changed.touches_child(table, key) {
                if key.parent.eq_ignore_ascii_case(&table.name) {
                    return Involvement::Moves;
                }
                involvement = Involvement::Checks;
            }
        }
        for (_, key) in self.references(db, table) {
            if changed.touches_parent(table, &key) {
                if key.on_update != ForeignKeyAction::NoAction {
                    return Involvement::Moves;
                }
                involvement = Involvement::Checks;
            }
        }
        involvement
    }

    /// Marks the columns that the checks and actions read of the old row.
    ///
    /// # Errors
    /// Those of [`Compiler::key_mismatch`], where another table's key means nothing.
    pub(super) fn mark_key_columns(
        &self,
        db: usize,
        table: &Table,
        used: &mut [bool],
        changed: Option<Changed<'_>>,
    ) -> Result<()> {
        if !self.is_in_foreign_key(db, table) {
            return Ok(());
        }
        for key in &table.foreign_keys {
            key.columns.iter().for_each(|column| used[*column] = true);
        }
        let mut fits = true;
        for (child, key) in self.references(db, table) {
            match self.parent_key(&child, table, &key) {
                Ok(found) => found
                    .parent_columns
                    .iter()
                    .for_each(|column| used[*column] = true),
                Err(_) => fits = false,
            }
        }
        if fits || self.dropping {
            return Ok(());
        }
        let wrong = self.key_mismatch(db, table, Going::Old(changed));
        wrong.map_or(Ok(()), Err)
    }

    /// The parent's key, or the error that there is none.
    pub(crate) fn parent_key(
        &self,
        child: &Table,
        parent: &Table,
        key: &ForeignKey,
    ) -> Result<ParentKey> {
        ParentKey::find(parent, key).ok_or_else(|| {
            SqlError::error(format!(
                "foreign key mismatch - \"{}\" referencing \"{}\"",
                child.name.replace('"', "\"\""),
                key.parent.replace('"', "\"\"")
            ))
        })
    }

    /// Counts the violations that the going of the row in `old`, or the coming of that in `new`, makes or ends: registers
    /// of a rowid, which the columns follow. `changed`: of an UPDATE, what it changes.
    pub(crate) fn check_foreign_keys(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        old: Option<i32>,
        new: Option<i32>,
        changed: Option<Changed<'_>>,
    ) -> Result<()> {
        if !self.is_in_foreign_key(db, table) {
            return Ok(());
        }
        for key in &table.foreign_keys {
            let is_own_parent = key.parent.eq_ignore_ascii_case(&table.name);
            let untouched = changed.is_some_and(|changed| !changed.touches_child(table, key));
            if !untouched || is_own_parent {
                self.check_child(db, table, key, old, new)?;
            }
        }
        for (child, key) in self.references(db, table) {
            if changed.is_some_and(|changed| !changed.touches_parent(table, &key)) {
                continue;
            }
            if self.halts_at_once(&key) {
                // Rule 1: one row that comes cannot make or end a violation of an immediate key.
                continue;
            }
            let found = match self.parent_key(&child, table, &key) {
                Ok(found) => found,
                Err(_) if self.dropping => continue,
                Err(error) => return Err(error),
            };
            if let Some(new) = new {
                self.scan_children(db, &child, table, &key, &found, new, -1)?;
            }
            if let Some(old) = old {
                let action = if changed.is_some() {
                    key.on_update
                } else {
                    key.on_delete
                };
                self.scan_children(db, &child, table, &key, &found, old, 1)?;
                let mends = matches!(
                    action,
                    ForeignKeyAction::Cascade | ForeignKeyAction::SetNull
                );
                if !key.deferred && !mends {
                    self.may_abort = true;
                }
            }
        }
        Ok(())
    }

    /// Of several keys that mean nothing the one that stock SQLite names, the last that it comes to: those with an action,
    /// the last of them; else the first that is checked, the table's own before the others; else the last of all.
    #[cold]
    pub(super) fn key_mismatch(
        &self,
        db: usize,
        table: &Table,
        going: Going<'_>,
    ) -> Option<SqlError> {
        if !self.is_in_foreign_key(db, table) {
            return None;
        }
        let changed = match going {
            Going::Old(changed) => changed,
            Going::New => None,
        };
        let (mut acts, mut checked, mut last) = (None, None, None);
        for key in &table.foreign_keys {
            let is_own_parent = key.parent.eq_ignore_ascii_case(&table.name);
            if checked.is_some()
                || !is_own_parent && changed.is_some_and(|c| !c.touches_child(table, key))
            {
                continue;
            }
            checked = match self.ctx.schema.dbs[db].table(&key.parent) {
                None => Some(self.no_such_parent(db, key)),
                Some(parent) => self.parent_key(table, parent, key).err(),
            };
        }
        for (child, key) in self.references(db, table) {
            let Err(error) = self.parent_key(&child, table, &key) else {
                continue;
            };
            last = Some(error.clone());
            if changed.is_some_and(|c| !c.touches_parent(table, &key)) {
                continue;
            }
            if checked.is_none() && !self.halts_at_once(&key) {
                checked = Some(error.clone());
            }
            let action = match changed {
                Some(_) => key.on_update,
                None => key.on_delete,
            };
            let is_deferred =
                action == ForeignKeyAction::Restrict && self.ctx.flags.defer_foreign_keys;
            if action != ForeignKeyAction::NoAction && !is_deferred {
                acts = Some(error);
            }
        }
        match going {
            Going::Old(_) => acts.or(checked).or(last),
            Going::New => checked,
        }
    }

    fn no_such_parent(&self, db: usize, key: &ForeignKey) -> SqlError {
        let db = &self.ctx.schema.dbs[db].name;
        SqlError::error(format!("no such table: {db}.{}", key.parent))
    }

    /// Rule 1.
    fn halts_at_once(&self, key: &ForeignKey) -> bool {
        !key.deferred
            && !self.ctx.flags.defer_foreign_keys
            && self.trigger.is_none()
            && !self.multi_write
    }

    /// A row of the child table goes or comes.
    fn check_child(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        key: &ForeignKey,
        old: Option<i32>,
        new: Option<i32>,
    ) -> Result<()> {
        let parent = self.ctx.schema.dbs[db].table(&key.parent).cloned();
        let Some(parent) = parent else {
            if !self.dropping {
                return Err(self.no_such_parent(db, key));
            }
            // Rule 6.
            if let Some(old) = old {
                let ok = self.label();
                for column in &key.columns {
                    self.jump(Opcode::IsNull, column_reg(table, old, *column), ok, 0);
                }
                self.op(Opcode::FkCounter, i32::from(key.deferred), -1, 0);
                self.place(ok);
            }
            return Ok(());
        };
        let found = match self.parent_key(table, &parent, key) {
            Ok(found) => found,
            Err(_) if self.dropping => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut ignored = false;
        if self.asks() {
            for column in &found.parent_columns {
                let may = self.authorize_read(db, &parent, *column as i32)?;
                ignored = !may;
            }
        }
        let cursor = self.alloc_cursor(Some(parent.clone()));
        if let Some(old) = old {
            self.look_up_parent(cursor, db, table, &parent, key, &found, old, -1, ignored)?;
        }
        if let Some(new) = new {
            if !self.sets_null(key) {
                self.look_up_parent(cursor, db, table, &parent, key, &found, new, 1, ignored)?;
            }
        }
        Ok(())
    }

    /// Rule 5.
    fn sets_null(&self, key: &ForeignKey) -> bool {
        let Some(context) = &self.trigger else {
            return false;
        };
        let action = match context.change {
            super::Change::Update => key.on_update,
            _ => key.on_delete,
        };
        action == ForeignKeyAction::SetNull
            && context
                .action_of
                .as_ref()
                .is_some_and(|of| std::ptr::eq(&raw const **of, key))
    }

    /// Counts by `step` if the child row at `row` has no parent; `ignored`: as if there were none.
    fn look_up_parent(
        &mut self,
        cursor: i32,
        db: usize,
        table: &Arc<Table>,
        parent: &Arc<Table>,
        key: &ForeignKey,
        found: &ParentKey,
        row: i32,
        step: i32,
        ignored: bool,
    ) -> Result<()> {
        let ok = self.label();
        if step < 0 {
            self.jump(Opcode::FkIfZero, i32::from(key.deferred), ok, 0);
        }
        for column in &found.child_columns {
            self.jump(Opcode::IsNull, column_reg(table, row, *column), ok, 0);
        }
        let is_self = step > 0 && Arc::ptr_eq(parent, table);
        let count = found.child_columns.len();
        let first = self.temp_regs(count);
        for (i, column) in found.child_columns.iter().enumerate() {
            let from = column_reg(table, row, *column);
            self.op(Opcode::Copy, from, first + i as i32, 0);
        }
        if ignored {
            // The parent may not be read: it has no such row.
        } else if let Some(index) = &found.index {
            self.open_index(cursor, db, index, false)?;
            if is_self {
                // Rule 3.
                let differs = self.label();
                for (child, own) in found.child_columns.iter().zip(&found.parent_columns) {
                    let child = column_reg(table, row, *child);
                    self.jump(Opcode::Ne, child, differs, column_reg(table, row, *own));
                    self.p5(p5::JUMPIFNULL);
                }
                self.goto(ok);
                self.place(differs);
            }
            self.op4(
                Opcode::Affinity,
                first,
                count as i32,
                0,
                key_affinities(parent, index),
            );
            let count = P4::Int(count as i32);
            self.b.op4(Opcode::Found, cursor, ok, first, count);
        } else {
            let missing = self.label();
            self.jump(Opcode::MustBeInt, first, missing, 0);
            if is_self {
                self.jump(Opcode::Eq, row, ok, first);
            }
            self.open_table(cursor, db, parent, false)?;
            self.jump(Opcode::NotExists, cursor, missing, first);
            self.goto(ok);
            self.place(missing);
        }
        self.release_temps(first, count);
        if self.halts_at_once(key) {
            let code = ResultCode::CONSTRAINT_FOREIGNKEY.get();
            self.may_abort = true;
            self.op(Opcode::Halt, code, i32::from(p5::OE_ABORT), 0);
            self.p5(p5::HALT_FOREIGNKEY);
        } else {
            if step > 0 && !key.deferred {
                self.may_abort = true;
            }
            self.op(Opcode::FkCounter, i32::from(key.deferred), step, 0);
        }
        self.place(ok);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// Counts by `step` for each row of the child table that refers to the parent row at `row`.
    fn scan_children(
        &mut self,
        db: usize,
        child: &Arc<Table>,
        parent: &Arc<Table>,
        key: &ForeignKey,
        found: &ParentKey,
        row: i32,
        step: i32,
    ) -> Result<()> {
        let skip = (step < 0).then(|| self.op(Opcode::FkIfZero, i32::from(key.deferred), 0, 0));
        let mut item = table_item(self, db, child, None);
        let mut where_ = None;
        for (own, of_child) in found.parent_columns.iter().zip(&found.child_columns) {
            let left = register_column(parent, row, *own);
            let right = child_column(child, item.cursor, *of_child);
            let term = Expr::binary(BinaryOp::Eq, left, right);
            where_ = Expr::and(where_, Some(term));
        }
        if step > 0 && Arc::ptr_eq(child, parent) {
            where_ = Expr::and(where_, Some(not_the_row(parent, item.cursor, found, row)));
        }
        if let Some(where_) = &where_ {
            item.columns_used = columns_used(where_, item.cursor);
        }
        let from = FromClause { items: vec![item] };
        let loops = loops::begin(self, &mut Request::new(&from, &[], where_.as_ref()))?;
        self.op(Opcode::FkCounter, i32::from(key.deferred), step, 0);
        loops.end(self)?;
        if let Some(skip) = skip {
            self.jump_here(skip);
        }
        Ok(())
    }
}

/// The register of a column of a row: that of the rowid for its alias.
fn column_reg(table: &Table, row: i32, column: usize) -> i32 {
    if table.rowid_alias == Some(column) {
        row
    } else {
        row + 1 + table.storage_of(column) as i32
    }
}

/// A column of a row in registers, with its affinity and collation.
fn register_column(table: &Table, row: i32, column: usize) -> Expr {
    let reg = column_reg(table, row, column);
    if reg == row {
        return Expr::Register {
            reg,
            affinity: Affinity::Integer,
            collation: None,
        };
    }
    Expr::Register {
        reg,
        affinity: table.columns[column].affinity,
        collation: Some(table.columns[column].collation.clone()),
    }
}

fn child_column(table: &Table, cursor: i32, column: usize) -> Expr {
    let number = if table.rowid_alias == Some(column) {
        -1
    } else {
        column as i32
    };
    Expr::Column(ColumnRef {
        cursor,
        column: number,
        affinity: table.affinity_of(number),
        can_be_null: false,
    })
}

/// A condition that leaves the row at `row` out: by its rowid, or by its parent key.
fn not_the_row(table: &Table, cursor: i32, found: &ParentKey, row: i32) -> Expr {
    if table.has_rowid() {
        let rowid = Expr::Column(ColumnRef {
            cursor,
            column: -1,
            affinity: Affinity::Integer,
            can_be_null: false,
        });
        let own = Expr::Register {
            reg: row,
            affinity: Affinity::Integer,
            collation: None,
        };
        return Expr::binary(BinaryOp::Ne, own, rowid);
    }
    let terms = found.parent_columns.iter().map(|column| {
        let own = register_column(table, row, *column);
        Expr::binary(BinaryOp::Is, own, child_column(table, cursor, *column))
    });
    let all = terms.fold(None, |all, term| Expr::and(all, Some(term)));
    Expr::Unary(UnaryOp::Not, Box::new(all.unwrap_or(Expr::Bool(true))))
}
