//! ALTER TABLE: definitions are edited as texts, then read again.
//!
//! ```text
//!   definitions of main, temp ── edited ──▶ new texts ──▶ a new schema: does every definition still mean something?
//!                                              │
//!   program:   what the table's rows must be │ rows of sqlite_schema │ cookie, ParseSchema │ rows of the table
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`names`] | which names in a definition mean a table, a column, a string |
//! | [`rename`] | RENAME TO, RENAME COLUMN |
//! | [`columns`] | ADD COLUMN, DROP COLUMN |
//! | [`constraints`] | ADD and DROP CONSTRAINT, SET and DROP NOT NULL |
//! | [`definitions`] | the rows of the schema table, edited and tested |
//! | [`permission`] | what the authorizer is asked |
//!
//! Rules:
//! 1. Everything that depends on definitions alone is done when the statement is compiled; the schema cookie makes sure
//!    that they are still the same when it runs. (Stock SQLite does it when the statement runs, through functions.)
//! 2. An edit replaces tokens and leaves every other byte as it is.
//! 3. A definition that would mean nothing afterwards is an error: `error in view v after rename: …`. So is, for
//!    columns, one that means nothing before.
//!
//! Source: SQLite's `alter.c`.

mod columns;
mod constraints;
mod definitions;
mod names;
mod permission;
mod rename;

use crate::ast::{AlterAction, AlterTable};
use crate::codegen::ddl::TEMP;
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::Resolver;
use crate::schema::Table;
use definitions::{Definitions, Edit};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{ColumnInfo, Opcode, P4, ResultCode};
use std::sync::Arc;

/// The table that is altered.
struct Altered {
    db: usize,
    table: Arc<Table>,
}

impl Compiler<'_> {
    /// ALTER TABLE. `terminator`: where the statement's text ends.
    pub fn code_alter_table(&mut self, alter: &AlterTable, terminator: u32) -> Result<()> {
        let (db, table) = Resolver::new(self).find_table(&alter.table)?;
        let of = Altered { db, table };
        match &alter.action {
            AlterAction::RenameTo(name) => self.alter_rename_table(&of, name),
            AlterAction::RenameColumn { from, to } => self.alter_rename_column(&of, from, to),
            AlterAction::AddColumn(column) => self.alter_add_column(&of, column, terminator),
            AlterAction::DropColumn(name) => self.alter_drop_column(&of, name),
            AlterAction::DropConstraint(name) => self.alter_drop_constraint(&of, name),
            AlterAction::DropNotNull(column) => self.alter_drop_not_null(&of, column),
            AlterAction::SetNotNull { column, text, .. } => {
                self.alter_set_not_null(&of, column, text.start, terminator)
            }
            AlterAction::AddCheck { name, expr, .. } => {
                let start = self.text_after_add(alter);
                self.alter_add_check(&of, name.as_ref(), expr, start, terminator)
            }
        }
    }

    /// What is wrong with the beginning of an ALTER TABLE whose text goes wrong later: only ADD COLUMN is looked at early.
    pub(crate) fn check_alter_beginning(&mut self, alter: &AlterTable) -> Result<()> {
        let AlterAction::AddColumn(column) = &alter.action else {
            return Ok(());
        };
        let (db, table) = Resolver::new(self).find_table(&alter.table)?;
        self.check_addition(&Altered { db, table }, column)
    }

    fn check_alterable(of: &Altered) -> Result<()> {
        let name = &of.table.name;
        let is_eponymous = matches!(
            &of.table.kind,
            crate::schema::TableKind::Virtual(def) if def.is_eponymous
        );
        let is_internal = name.len() >= 7 && name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_");
        if is_internal || is_eponymous {
            return Err(SqlError::error(format!("table {name} may not be altered")));
        }
        Ok(())
    }

    /// `what` is "rename columns of", "drop column from", "edit constraints of".
    fn check_real_table(of: &Altered, what: &str) -> Result<()> {
        let kind = if of.table.is_view() {
            "view"
        } else if of.table.is_virtual() {
            "virtual table"
        } else {
            return Ok(());
        };
        Err(SqlError::error(format!(
            "cannot {what} {kind} \"{}\"",
            of.table.name
        )))
    }

    fn check_rowid_alias(of: &Altered, column: &str, what: &str) -> Result<()> {
        if of.table.has_rowid() && names::is_rowid_name(column) {
            return Err(SqlError::error(format!(
                "cannot {what} rowid alias: {column}"
            )));
        }
        Ok(())
    }

    /// Stores what was edited and has the schema read again.
    fn store_definitions(&mut self, of: &Altered, definitions: &Definitions) -> Result<()> {
        self.writes_db(true, of.db);
        self.may_abort = true;
        self.store_edits(of.db, &definitions.edits(of.db))?;
        if of.db != TEMP {
            let edits = definitions.edits(TEMP);
            if !edits.is_empty() {
                self.writes_db(true, TEMP);
                self.store_edits(TEMP, &edits)?;
            }
        }
        Ok(())
    }

    fn reload_definitions(&mut self, of: &Altered, definitions: &Definitions) {
        self.change_cookie(of.db);
        self.op(Opcode::ParseSchema, of.db as i32, 0, 0);
        if of.db != TEMP && !definitions.edits(TEMP).is_empty() {
            self.op(Opcode::ParseSchema, TEMP as i32, 0, 0);
        }
        self.op(Opcode::Expire, 0, 1, 0);
    }

    /// Changes rows of the schema table.
    fn store_edits(&mut self, db: usize, edits: &[Edit]) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        let cursor = self.open_schema_table(db)?;
        // What is looked for: type and name of each.
        let sought = self.alloc_regs(edits.len() * 2);
        for (edit, at) in edits.iter().zip((sought..).step_by(2)) {
            self.op4(Opcode::String8, 0, at, 0, P4::text(edit.kind));
            self.op4(Opcode::String8, 0, at + 1, 0, P4::text(&*edit.name));
        }
        let first = self.alloc_regs(7);
        let (record, rowid) = (first + 5, first + 6);
        let (done, next, write) = (self.label(), self.label(), self.label());
        let top = self.jump(Opcode::Rewind, cursor, done, 0) + 1;
        for column in 0..5 {
            self.op(Opcode::Column, cursor, column, first + column);
        }
        for (edit, at) in edits.iter().zip((sought..).step_by(2)) {
            let other = self.label();
            self.jump(Opcode::Ne, at + 1, other, first + 1);
            self.p5(p5::JUMPIFNULL);
            self.jump(Opcode::Ne, at, other, first);
            self.p5(p5::JUMPIFNULL);
            let values = [(1, &edit.new_name), (2, &edit.new_table)];
            for (column, value) in values {
                if let Some(value) = value {
                    self.op4(Opcode::String8, 0, first + column, 0, P4::text(&**value));
                }
            }
            if let Some(sql) = &edit.new_sql {
                self.op4(Opcode::String8, 0, first + 4, 0, P4::text(&**sql));
            }
            self.goto(write);
            self.place(other);
        }
        self.goto(next);
        self.place(write);
        self.op(Opcode::Rowid, cursor, rowid, 0);
        self.op4(Opcode::MakeRecord, first, 5, record, P4::affinity(b"BBBDB"));
        self.op(Opcode::Insert, cursor, record, rowid);
        self.p5(p5::SAVEPOSITION);
        self.place(next);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// Stock SQLite's checks are queries, the first of which names a column of the statement.
    fn name_check(&mut self, name: String) {
        if self.columns.is_empty() {
            self.columns = vec![ColumnInfo {
                name: name.into(),
                ..ColumnInfo::default()
            }];
        }
    }

    /// An error as soon as the table has a row for which `body`, which jumps to the label for those that are fine, does
    /// not jump.
    fn refuse_rows(
        &mut self,
        of: &Altered,
        table: &Arc<Table>,
        code: ResultCode,
        message: &str,
        body: impl FnOnce(&mut Self, i32, ringwood_vdbe::Label) -> Result<()>,
    ) -> Result<()> {
        self.writes_db(true, of.db);
        self.may_abort = true;
        let cursor = self.alloc_cursor(Some(table.clone()));
        self.open_table(cursor, of.db, table, false)?;
        let (done, next) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, cursor, done, 0) + 1;
        let factor = std::mem::replace(&mut self.factor_constants, false);
        let outcome = body(self, cursor, next);
        self.factor_constants = factor;
        outcome?;
        self.op4(
            Opcode::Halt,
            code.get(),
            i32::from(p5::OE_ABORT),
            0,
            P4::text(message),
        );
        self.place(next);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// An error if the table is not empty.
    fn refuse_if_not_empty(&mut self, of: &Altered, message: &str) -> Result<()> {
        self.name_check(format!("raise(ABORT,'{message}')"));
        self.refuse_rows(
            of,
            &of.table.clone(),
            ResultCode::ERROR,
            message,
            |_, _, _| Ok(()),
        )
    }
}

/// An identifier in double quotes.
fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
