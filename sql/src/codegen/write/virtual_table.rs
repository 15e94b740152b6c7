//! INSERT, UPDATE and DELETE on virtual tables: rows are collected first, then handed to the table one by one.
//!
//! ```text
//!   DELETE      rowids into an ephemeral table;  for each: VUpdate (rowid)
//!   UPDATE      (old rowid, new rowid, columns) into an ephemeral table;  for each: VUpdate
//!   INSERT      for each row of the source: VUpdate (NULL, rowid or NULL, columns)
//! ```
//!
//! Columns that an UPDATE does not assign are asked for with NOCHNG: the table may leave them out. One with FROM is a SELECT
//! of the key, all columns and the new values; the table gets a change for each of its rows.
//!
//! A table WITHOUT ROWID has its primary key, which is one column, in the place of the rowid.
//!
//! Source: SQLite's `updateVirtualTable`, `sqlite3VtabMakeWritable`, `sqlite3Insert`, `sqlite3DeleteFrom`.

use super::assignments::{Assignments, Value};
use super::insert::Given;
use super::returning::Returning;
use super::update::Assigned;
use super::{Target, conflict_code};
use crate::ast;
use crate::bound::{Expr, FromItem};
use crate::codegen::loops::{self, Request};
use crate::codegen::select::{Destination, DestinationKind};
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::Control;
use crate::schema::Table;
use ringwood_vdbe::Opcode;
use ringwood_vdbe::opcode::p5;
use std::sync::Arc;

impl Compiler<'_> {
    /// The table takes part in the transaction.
    fn begin_virtual(&mut self, db: usize, table: &Table) {
        let operand = self.vtab_operand(db, table);
        self.op4(Opcode::VBegin, 0, 0, 0, operand);
        self.may_abort = true;
    }

    fn update_virtual_row(
        &mut self,
        db: usize,
        table: &Table,
        first: i32,
        count: i32,
        or: Option<ast::ConflictAction>,
        sets_rowid: bool,
    ) {
        let operand = self.vtab_operand(db, table);
        self.op4(
            Opcode::VUpdate,
            i32::from(sets_rowid),
            count,
            first,
            operand,
        );
        let action = or.map_or(u16::from(p5::OE_ABORT), |or| conflict_code(or) as u16);
        self.p5(action);
        self.may_abort = true;
    }

    /// The column that stands for the rowid: -1 for the rowid itself.
    fn virtual_key(table: &Table) -> i32 {
        let key = table
            .primary_key_index()
            .filter(|_| table.without_rowid)
            .and_then(|index| index.columns.first())
            .and_then(|column| column.key.column());
        key.unwrap_or(-1)
    }

    /// DELETE.
    pub(super) fn delete_virtual(
        &mut self,
        target: &Target,
        item: &FromItem,
        where_: Option<&Expr>,
    ) -> Result<()> {
        let (db, table) = (target.db, &target.table);
        self.multi_write = true;
        self.begin_virtual(db, table);
        let rows = self.alloc_cursor(None);
        let (key, record) = (self.alloc_reg(), self.alloc_reg());
        self.op(Opcode::OpenEphemeral, rows, 1, 0);
        let mut request = Request::table(item, where_, Control::empty(), 0);
        let loops = loops::begin(self, &mut request)?;
        self.code_column_into(item.cursor, Self::virtual_key(table), key)?;
        self.op(Opcode::MakeRecord, key, 1, record);
        let rowid = self.alloc_reg();
        self.op(Opcode::NewRowid, rows, rowid, 0);
        self.op(Opcode::Insert, rows, record, rowid);
        loops.end(self)?;
        let done = self.label();
        let top = self.jump(Opcode::Rewind, rows, done, 0) + 1;
        self.op(Opcode::Column, rows, 0, key);
        self.update_virtual_row(db, table, key, 1, None, false);
        self.op(Opcode::Next, rows, top, 0);
        self.place(done);
        self.op(Opcode::Close, rows, 0, 0);
        Ok(())
    }

    /// UPDATE.
    pub(super) fn update_virtual(
        &mut self,
        target: &Target,
        item: &FromItem,
        assignments: &Assignments,
        where_: Option<&Expr>,
        or: Option<ast::ConflictAction>,
    ) -> Result<()> {
        let (db, table) = (target.db, &target.table);
        let (columns, rowid) = (&assignments.columns, assignments.rowid.as_ref());
        let mut assigned = Assigned::new(target, assignments, None);
        self.multi_write = true;
        self.begin_virtual(db, table);
        let count = columns.len() + 2;
        let rows = self.alloc_cursor(None);
        let first = self.alloc_regs(count);
        let (record, number) = (self.alloc_reg(), self.alloc_reg());
        self.op(Opcode::OpenEphemeral, rows, count as i32, 0);
        let mut request = Request::table(item, where_, Control::empty(), 0);
        let loops = loops::begin(self, &mut request)?;
        for (i, value) in columns.iter().enumerate() {
            let reg = first + 2 + i as i32;
            match value {
                Some(value) => self.code_assigned(&mut assigned, value, reg)?,
                None => {
                    self.op(Opcode::VColumn, item.cursor, i as i32, reg);
                    self.p5(p5::NOCHNG);
                }
            }
        }
        let key = Self::virtual_key(table);
        self.code_column_into(item.cursor, key, first)?;
        match (usize::try_from(key), rowid) {
            (Ok(key), _) => {
                self.op(Opcode::SCopy, first + 2 + key as i32, first + 1, 0);
            }
            (Err(_), Some(rowid)) => self.code_assigned(&mut assigned, rowid, first + 1)?,
            (Err(_), None) => self.code_column_into(item.cursor, -1, first + 1)?,
        }
        self.op(Opcode::MakeRecord, first, count as i32, record);
        self.p5(p5::NOCHNG);
        self.op(Opcode::NewRowid, rows, number, 0);
        self.op(Opcode::Insert, rows, record, number);
        loops.end(self)?;
        let done = self.label();
        let top = self.jump(Opcode::Rewind, rows, done, 0) + 1;
        for i in 0..count as i32 {
            self.op(Opcode::Column, rows, i, first + i);
        }
        self.update_virtual_row(db, table, first, count as i32, or, false);
        self.op(Opcode::Next, rows, top, 0);
        self.place(done);
        self.op(Opcode::Close, rows, 0, 0);
        Ok(())
    }

    /// UPDATE with FROM.
    pub(super) fn update_virtual_from(
        &mut self,
        update: &ast::Update,
        target: &Target,
        assignments: &Assignments,
    ) -> Result<()> {
        let (db, table) = (target.db, &target.table);
        let width = table.columns.len() as i32;
        let mut keys = vec![Self::virtual_key(table)];
        keys.extend(0..width);
        self.multi_write = true;
        self.begin_virtual(db, table);
        let select = self.found_rows(update, target, &keys)?;
        let rows = self.alloc_cursor(None);
        let mut out = Destination::new(DestinationKind::EphemeralTable, rows);
        self.code_select(&select, &mut out)?;
        let count = width + 2;
        let first = self.alloc_regs(count as usize);
        let done = self.label();
        let top = self.jump(Opcode::Rewind, rows, done, 0) + 1;
        let place = |value: &Value| match value {
            Value::Found(n) => Some(1 + width + *n as i32),
            Value::Expr(_) | Value::Field { .. } => None,
        };
        let internal = || SqlError::error("internal error: a value without a place");
        self.op(Opcode::Column, rows, 0, first);
        for (i, value) in (0..).zip(&assignments.columns) {
            let at = match value {
                Some(value) => place(value).ok_or_else(internal)?,
                None => 1 + i,
            };
            self.op(Opcode::Column, rows, at, first + 2 + i);
        }
        match (usize::try_from(keys[0]), &assignments.rowid) {
            (Ok(key), _) => self.op(Opcode::SCopy, first + 2 + key as i32, first + 1, 0),
            (Err(_), Some(rowid)) => {
                let at = place(rowid).ok_or_else(internal)?;
                self.op(Opcode::Column, rows, at, first + 1)
            }
            (Err(_), None) => self.op(Opcode::SCopy, first, first + 1, 0),
        };
        self.update_virtual_row(db, table, first, count, update.or, false);
        self.op(Opcode::Next, rows, top, 0);
        self.place(done);
        self.op(Opcode::Close, rows, 0, 0);
        Ok(())
    }

    /// INSERT.
    pub(super) fn insert_virtual(
        &mut self,
        insert: &ast::Insert,
        db: usize,
        table: &Arc<Table>,
        returning: Option<Returning<'_>>,
    ) -> Result<()> {
        let (columns, rowid_from) = super::insert::column_map(insert, table)?;
        self.begin_virtual(db, table);
        let (rows, width) = self.code_source(insert, db, table, None, false)?;
        super::insert::check_width(insert, table, width)?;
        let count = columns.len() as i32 + 2;
        let first = self.alloc_regs(columns.len() + 2);
        let done = self.label();
        let top = self.begin_rows(&rows, done);
        self.op(Opcode::Null, 0, first, first + count - 1);
        for (i, given) in columns.iter().enumerate() {
            if let Given::Source(n) = given {
                self.code_given(&rows, *n, first + 2 + i as i32)?;
            }
        }
        let key = Self::virtual_key(table);
        match (usize::try_from(key), rowid_from) {
            (Ok(key), _) => {
                self.op(Opcode::SCopy, first + 2 + key as i32, first + 1, 0);
            }
            (Err(_), Some(n)) => self.code_given(&rows, n, first + 1)?,
            (Err(_), None) => {}
        }
        self.update_virtual_row(db, table, first, count, insert.or, true);
        let target = Target::new(self, db, table);
        self.code_returning(returning, &target, first + 1)?;
        self.end_rows(&rows, top, done);
        Ok(())
    }
}
