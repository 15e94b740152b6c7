//! CREATE and DROP: what changes `sqlite_schema`.
//!
//! ```text
//!   CREATE   a tree for the table and each index that its constraints make
//!            a row of sqlite_schema for each
//!            schema cookie + 1; ParseSchema: the engine reads the rows
//!   DROP     rows of sqlite_schema, sqlite_sequence and the statistics deleted
//!            schema cookie + 1; trees destroyed; DropTable, DropIndex: the engine forgets them
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`create_table`] | CREATE TABLE, also AS SELECT; CREATE VIEW |
//! | [`create_index`] | CREATE INDEX |
//! | [`create_trigger`] | CREATE TRIGGER |
//! | [`create_virtual`] | CREATE VIRTUAL TABLE |
//! | [`reindex`] | REINDEX |
//! | [`mod@drop`] | DROP TABLE, VIEW, INDEX, TRIGGER |
//!
//! Absent: ALTER: refused with an error.
//!
//! Source: SQLite's `build.c`.

pub mod create_index;
pub mod create_table;
pub mod create_trigger;
pub mod create_virtual;
pub mod drop;
pub mod reindex;

use crate::ast::{Name, QualifiedName, Span, Stmt};
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::Table;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

/// The temp database.
pub(crate) const TEMP: usize = 1;

/// Where a new object's root page is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Root {
    /// In a register.
    Register(i32),
    /// Nowhere: a view.
    None,
}

/// The root page of a tree.
#[derive(Clone, Copy, Debug)]
enum Tree {
    /// In a register.
    Register(i32),
    /// This page.
    Page(u32),
}

/// A row of `sqlite_schema`.
pub(crate) struct SchemaRow<'r> {
    pub(crate) kind: &'r str,
    pub(crate) name: &'r str,
    pub(crate) table: &'r str,
    pub(crate) root: Root,
    pub(crate) sql: Option<&'r [u8]>,
}

impl Compiler<'_> {
    /// The database of a new object (SQLite's sqlite3TwoPartName).
    fn new_object_db(&self, name: &QualifiedName, temp: bool) -> Result<usize> {
        let db = match &name.schema {
            Some(schema) => self.ctx.schema.db_index(&schema.text).ok_or_else(|| {
                let written = String::from_utf8_lossy(schema.span.slice(self.text));
                SqlError::at(schema.span.start, format!("unknown database {written}"))
            })?,
            None => 0,
        };
        if temp && name.schema.is_some() && db != TEMP {
            return Err(SqlError::error("temporary table name must be unqualified"));
        }
        Ok(if temp { TEMP } else { db })
    }

    /// What is wrong with the beginning of a statement whose text goes wrong later.
    pub(crate) fn check_beginning(&mut self, begun: &Stmt) -> Result<()> {
        match begun {
            Stmt::CreateTable(create) => self.check_table_beginning(create),
            Stmt::CreateVirtualTable(create) => {
                self.begin_virtual_table(create)?;
                Ok(())
            }
            Stmt::CreateTrigger(create) => {
                self.begin_trigger(create)?;
                Ok(())
            }
            Stmt::AlterTable(alter) => self.check_alter_beginning(alter),
            _ => Ok(()),
        }
    }

    /// Refuses names that are kept for the engine.
    pub(crate) fn check_object_name(&self, name: &str) -> Result<()> {
        if self.ctx.flags.writable_schema {
            return Ok(());
        }
        if name.len() >= 7 && name.as_bytes()[..7].eq_ignore_ascii_case(b"sqlite_") {
            return Err(SqlError::error(format!(
                "object name reserved for internal use: {name}"
            )));
        }
        Ok(())
    }

    /// A trigger or a view that is not temporary names objects of its own database only.
    fn check_databases(
        &self,
        kind: &str,
        name: &Name,
        db: usize,
        sources: &[&QualifiedName],
    ) -> Result<()> {
        for source in sources {
            let Some(schema) = &source.schema else {
                continue;
            };
            if self.ctx.schema.db_index(&schema.text) != Some(db) {
                let written = String::from_utf8_lossy(name.span.slice(self.text));
                let message = format!(
                    "{kind} {written} cannot reference objects in database {}",
                    schema.text
                );
                return Err(SqlError::at(name.span.start, message));
            }
        }
        Ok(())
    }

    /// The schema table of a database.
    fn schema_table(&self, db: usize) -> Arc<Table> {
        let name = if db == TEMP {
            "sqlite_temp_master"
        } else {
            "sqlite_master"
        };
        let found = self.ctx.schema.dbs[db].table(name).cloned();
        found.unwrap_or_else(|| Arc::new(Table::schema_table(db == TEMP)))
    }

    /// Opens `sqlite_schema` for writing; the cursor.
    pub(crate) fn open_schema_table(&mut self, db: usize) -> Result<i32> {
        let table = self.schema_table(db);
        let cursor = self.alloc_cursor(Some(table.clone()));
        self.open_table(cursor, db, &table, true)?;
        Ok(cursor)
    }

    /// Adds the row of an object that has no tree: `create` (CREATE VIEW, …) and the rest of the statement.
    pub(crate) fn add_definition(
        &mut self,
        db: usize,
        create: &str,
        (kind, name, table): (&'static str, &str, &str),
        text: Span,
    ) -> Result<()> {
        let mut sql = format!("{create} ").into_bytes();
        sql.extend_from_slice(text.slice(self.text));
        let cursor = self.open_schema_table(db)?;
        let row = SchemaRow {
            kind,
            name,
            table,
            root: Root::None,
            sql: Some(&sql),
        };
        self.add_schema_row(cursor, &row);
        self.op(Opcode::Close, cursor, 0, 0);
        self.change_cookie(db);
        Ok(())
    }

    /// Adds a row to `sqlite_schema`.
    pub(crate) fn add_schema_row(&mut self, cursor: i32, row: &SchemaRow<'_>) {
        let rowid = self.alloc_reg();
        let first = self.alloc_regs(6);
        let record = first + 5;
        self.op(Opcode::NewRowid, cursor, rowid, 0);
        for (i, text) in [row.kind, row.name, row.table].into_iter().enumerate() {
            self.op4(Opcode::String8, 0, first + i as i32, 0, P4::text(text));
        }
        match row.root {
            Root::Register(reg) => self.op(Opcode::SCopy, reg, first + 3, 0),
            Root::None => self.op(Opcode::Integer, 0, first + 3, 0),
        };
        match row.sql {
            Some(sql) => self.op4(Opcode::String8, 0, first + 4, 0, P4::text(sql)),
            None => self.op(Opcode::Null, 0, first + 4, 0),
        };
        self.op4(Opcode::MakeRecord, first, 5, record, P4::affinity(b"BBBDB"));
        self.op(Opcode::Insert, cursor, record, rowid);
        self.p5(p5::APPEND);
    }

    /// The schema cookie goes up, so that other statements and connections notice.
    pub(crate) fn change_cookie(&mut self, db: usize) {
        let cookie = self.ctx.schema.dbs[db].cookie.wrapping_add(1) as i32;
        self.op(
            Opcode::SetCookie,
            db as i32,
            p5::META_SCHEMA_VERSION,
            cookie,
        );
    }

    /// A file that has never been written gets its format and encoding.
    pub(crate) fn init_file_format(&mut self, db: usize) {
        let reg = self.alloc_reg();
        self.op(Opcode::ReadCookie, db as i32, reg, p5::META_FILE_FORMAT);
        let known = self.op(Opcode::If, reg, 0, 0);
        self.op(Opcode::SetCookie, db as i32, p5::META_FILE_FORMAT, 4);
        let encoding = self.ctx.schema.dbs[0].encoding as i32;
        self.op(
            Opcode::SetCookie,
            db as i32,
            p5::META_TEXT_ENCODING,
            encoding,
        );
        self.jump_here(known);
    }

    /// Deletes the rows of a table of the engine in which columns have these texts; but not those in which `unless`
    /// has its text.
    pub(crate) fn delete_matching(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        equal: &[(usize, &str)],
        unless: Option<(usize, &str)>,
    ) -> Result<()> {
        let cursor = self.alloc_cursor(Some(table.clone()));
        self.open_table(cursor, db, table, true)?;
        let value = self.alloc_reg();
        let texts = self.alloc_regs(equal.len() + 1);
        let all = equal.iter().copied().chain(unless);
        for (i, (_, text)) in all.enumerate() {
            self.op4(Opcode::String8, 0, texts + i as i32, 0, P4::text(text));
        }
        let (done, next) = (self.label(), self.label());
        let top = self.jump(Opcode::Rewind, cursor, done, 0) + 1;
        for (i, (column, _)) in equal.iter().enumerate() {
            self.op(Opcode::Column, cursor, *column as i32, value);
            self.jump(Opcode::Ne, texts + i as i32, next, value);
            self.p5(p5::JUMPIFNULL);
        }
        if let Some((column, _)) = unless {
            self.op(Opcode::Column, cursor, column as i32, value);
            self.jump(Opcode::Eq, texts + equal.len() as i32, next, value);
        }
        self.op(Opcode::Delete, cursor, 0, 0);
        self.p5(p5::SAVEPOSITION);
        self.place(next);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }
}

/// A text in single quotes, as the WHERE of `ParseSchema` wants it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
