//! AUTOINCREMENT: the largest rowid ever used, kept in `sqlite_sequence`.
//!
//! ```text
//!   name_reg      the table's name
//!   max_reg       the largest rowid so far          (NewRowid's third operand)
//!   row_reg       the rowid of the row in sqlite_sequence, NULL if there is none
//!   old_reg       the value found there
//! ```
//!
//! The registers are the main program's, also where a trigger inserts: the prologue reads the table, the end of the
//! statement writes it.
//!
//! Source: SQLite's `autoIncBegin`, `sqlite3AutoincrementBegin`, `sqlite3AutoincrementEnd`.

use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::Table;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4, ResultCode};
use std::sync::Arc;

/// The sequence of one table, while a statement inserts into it.
#[derive(Clone, Debug)]
pub struct Sequence {
    db: usize,
    /// The table's name.
    name: Arc<str>,
    /// `sqlite_sequence`.
    table: Arc<Table>,
    name_reg: i32,
    /// The register of the largest rowid.
    pub max_reg: i32,
}

impl Compiler<'_> {
    /// The sequence of a table; none if the table is not AUTOINCREMENT.
    pub fn begin_autoincrement(&mut self, db: usize, table: &Table) -> Result<Option<Sequence>> {
        if !table.autoincrement {
            return Ok(None);
        }
        let known = self
            .programs
            .sequences
            .iter()
            .find(|sequence| sequence.db == db && sequence.name == table.name);
        if let Some(known) = known {
            return Ok(Some(known.clone()));
        }
        let found = self.ctx.schema.dbs[db].table("sqlite_sequence").cloned();
        let Some(sequence) = found.filter(|t| t.has_rowid() && t.columns.len() == 2) else {
            return Err(SqlError::new(
                ResultCode::CORRUPT,
                ResultCode::CORRUPT.message(),
            ));
        };
        let name_reg = self.alloc_main_regs(4);
        let sequence = Sequence {
            db,
            name: table.name.clone(),
            table: sequence,
            name_reg,
            max_reg: name_reg + 1,
        };
        self.programs.sequences.push(sequence.clone());
        Ok(Some(sequence))
    }

    /// Reads the table's row of `sqlite_sequence`: in the prologue.
    pub(crate) fn read_sequence(&mut self, sequence: &Sequence) -> Result<()> {
        let name_reg = sequence.name_reg;
        let (max, row, old) = (name_reg + 1, name_reg + 2, name_reg + 3);
        let cursor = self.alloc_cursor(Some(sequence.table.clone()));
        self.open_table(cursor, sequence.db, &sequence.table, false)?;
        let name = P4::text(sequence.name.as_bytes());
        self.op4(Opcode::String8, 0, name_reg, 0, name);
        self.op(Opcode::Null, 0, max, old);
        let (next, found, done) = (self.label(), self.label(), self.label());
        let top = self.jump(Opcode::Rewind, cursor, done, 0) + 1;
        self.op(Opcode::Column, cursor, 0, max);
        self.jump(Opcode::Ne, name_reg, next, max);
        self.p5(p5::JUMPIFNULL);
        self.op(Opcode::Rowid, cursor, row, 0);
        self.op(Opcode::Column, cursor, 1, max);
        self.op(Opcode::AddImm, max, 0, 0);
        self.op(Opcode::Copy, max, old, 0);
        self.goto(found);
        self.place(next);
        self.op(Opcode::Next, cursor, top, 0);
        self.place(done);
        self.op(Opcode::Integer, 0, max, 0);
        self.place(found);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }

    /// After a rowid was chosen.
    pub fn step_autoincrement(&mut self, sequence: Option<&Sequence>, rowid: i32) {
        if let Some(sequence) = sequence {
            self.op(Opcode::MemMax, sequence.max_reg, rowid, 0);
        }
    }

    /// Writes the largest rowid back, if it has grown.
    pub fn end_autoincrement(&mut self, sequence: &Sequence) -> Result<()> {
        let Sequence {
            db,
            table: sequence,
            name_reg,
            max_reg,
            ..
        } = sequence;
        let (row, old) = (max_reg + 1, max_reg + 2);
        let record = self.alloc_reg();
        let cursor = self.alloc_cursor(Some(sequence.clone()));
        let unchanged = self.label();
        self.jump(Opcode::Le, old, unchanged, *max_reg);
        self.open_table(cursor, *db, sequence, true)?;
        let known = self.label();
        self.jump(Opcode::NotNull, row, known, 0);
        self.op(Opcode::NewRowid, cursor, row, 0);
        self.place(known);
        self.op(Opcode::MakeRecord, *name_reg, 2, record);
        self.op(Opcode::Insert, cursor, record, row);
        self.p5(p5::APPEND);
        self.op(Opcode::Close, cursor, 0, 0);
        self.place(unchanged);
        Ok(())
    }
}
