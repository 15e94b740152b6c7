//! What the authorizer is asked about ALTER TABLE: the table, then what stock SQLite's statements over the schema table do.
//!
//! | | reads | functions | changes |
//! |---|---|---|---|
//! | test of all definitions | name, sql, type | like, sqlite_rename_test | |
//! | strings in double quotes mended | name, sql | like, sqlite_rename_quotefix | sql |
//! | the edit itself | as [`Edited`] says | | |
//!
//! Source: SQLite's `alter.c`.

use super::Altered;
use crate::authorizer::ActionCode;
use crate::codegen::ddl::TEMP;
use crate::compiler::{Compiler, Result};

/// Which edit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edited {
    RenameTable,
    RenameColumn,
    AddColumn {
        /// Rows are checked.
        checks: bool,
    },
    DropColumn,
    DropConstraint,
    SetNotNull,
    AddCheck {
        /// It has a name.
        named: bool,
    },
}

const CONSTRAINT_READS: [&str; 3] = ["sql", "type", "tbl_name"];

impl Compiler<'_> {
    /// Asks whether the table may be altered; false: nothing is done. `column`: the one that is dropped.
    pub(super) fn may_alter(
        &self,
        of: &Altered,
        column: Option<&str>,
        edited: Edited,
    ) -> Result<bool> {
        if !self.asks() {
            return Ok(true);
        }
        let db = self.ctx.schema.dbs[of.db].name.clone();
        let (code, table) = (ActionCode::AlterTable, &*of.table.name);
        if !self.authorize(code, Some(&db), Some(table), column)? {
            return Ok(false);
        }
        match edited {
            Edited::RenameTable => self.ask_rename_table(of)?,
            Edited::RenameColumn => self.ask_rename_column(of)?,
            Edited::AddColumn { checks } => self.ask_add_column(of, checks)?,
            Edited::DropColumn => {
                self.ask_tests(of)?;
                self.ask_quotes(of)?;
                let function = ["sqlite_drop_column"];
                self.authorize_schema_update(of.db, &["sql"], &CONSTRAINT_READS, &function)?;
            }
            Edited::DropConstraint => self.ask_constraint(of, &["sqlite_drop_constraint"])?,
            Edited::SetNotNull => {
                self.authorize(ActionCode::Select, None, None, None)?;
                let number = column.and_then(|name| of.table.column_index(name));
                if let Some(number) = number {
                    self.authorize_read(of.db, &of.table, number as i32)?;
                }
                let functions = [
                    "sqlite_fail",
                    "sqlite_add_constraint",
                    "sqlite_drop_constraint",
                ];
                self.ask_constraint(of, &functions)?;
            }
            Edited::AddCheck { named } => {
                self.authorize(ActionCode::Select, None, None, None)?;
                let all = [
                    "sqlite_fail",
                    "sqlite_add_constraint",
                    "sqlite_find_constraint",
                ];
                self.ask_constraint(of, &all[..if named { 3 } else { 2 }])?;
            }
        }
        Ok(true)
    }

    fn ask_constraint(&self, of: &Altered, functions: &[&str]) -> Result<()> {
        self.authorize_schema_update(of.db, &["sql"], &CONSTRAINT_READS, functions)
    }

    /// The databases whose definitions may name the table.
    fn concerned(of: &Altered) -> impl Iterator<Item = usize> {
        [of.db, TEMP]
            .into_iter()
            .take(if of.db == TEMP { 1 } else { 2 })
    }

    fn ask_tests(&self, of: &Altered) -> Result<()> {
        self.authorize(ActionCode::Select, None, None, None)?;
        for db in Self::concerned(of) {
            let functions = ["like", "sqlite_rename_test"];
            self.authorize_schema_reads(db, &["name", "sql", "type"], &functions)?;
        }
        Ok(())
    }

    fn ask_quotes(&self, of: &Altered) -> Result<()> {
        for db in Self::concerned(of) {
            let functions = ["like", "sqlite_rename_quotefix"];
            self.authorize_schema_update(db, &["sql"], &["name", "sql"], &functions)?;
        }
        Ok(())
    }

    fn ask_rename_table(&self, of: &Altered) -> Result<()> {
        let all = ["type", "name", "sql", "tbl_name"];
        let functions = ["sqlite_rename_table", "like", "substr"];
        let set = ["sql", "tbl_name", "name"];
        self.authorize_schema_update(of.db, &set, &all, &functions)?;
        let sequence = self.ctx.schema.dbs[of.db].table("sqlite_sequence");
        if let Some(sequence) = sequence {
            self.authorize_in(ActionCode::Update, &sequence.name, Some("name"), of.db)?;
            self.authorize_read(of.db, sequence, 0)?;
        }
        if of.db != TEMP {
            let functions = ["sqlite_rename_table", "sqlite_rename_test"];
            self.authorize_schema_update(TEMP, &["sql", "tbl_name"], &all, &functions)?;
        }
        self.ask_tests(of)
    }

    fn ask_rename_column(&self, of: &Altered) -> Result<()> {
        self.ask_tests(of)?;
        self.ask_quotes(of)?;
        let function = ["sqlite_rename_column"];
        let all = ["sql", "type", "name", "tbl_name"];
        self.authorize_schema_update(of.db, &["sql"], &all, &function)?;
        if of.db != TEMP {
            self.authorize_schema_update(TEMP, &["sql"], &all[..3], &function)?;
        }
        Ok(())
    }

    fn ask_add_column(&self, of: &Altered, checks: bool) -> Result<()> {
        let functions = ["printf", "substr", "length"];
        self.authorize_schema_update(of.db, &["sql"], &["sql", "type", "name"], &functions)?;
        if checks {
            self.authorize(ActionCode::Select, None, None, None)?;
            self.authorize(ActionCode::Function, None, Some("glob"), None)?;
            let (table, column) = ("pragma_quick_check", Some("quick_check"));
            self.authorize_in(ActionCode::Read, table, column, 0)?;
        }
        Ok(())
    }
}
