//! Reading a column from wherever it is: table, index, registers.
//!
//! Cost: one opcode; a second for REAL columns, which may be stored as integers; the expression for a virtual column.
//!
//! Source: SQLite's `sqlite3ExprCodeGetColumnOfTable`, `sqlite3ColumnDefault`.

use crate::bound::Expr;
use crate::compiler::{ColumnSource, Compiler, CursorOverride, Reals, Result, SqlError};
use crate::schema::Table;
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// Puts a column of a cursor (-1 is the rowid) into `target`, or tells in which register it is already.
    pub fn code_column(&mut self, cursor: i32, column: i32, target: i32) -> Result<i32> {
        match self.column_source(cursor, column) {
            ColumnSource::Table { cursor: at, column } => {
                let Some(table) = self.cursor_table(cursor).cloned() else {
                    self.op(Opcode::Column, at, column, target);
                    return Ok(target);
                };
                self.code_table_column(&table, at, column, target)?;
                Ok(target)
            }
            ColumnSource::Index {
                cursor: at,
                position,
            } => {
                if position < 0 {
                    self.op(Opcode::IdxRowid, at, target, 0);
                } else {
                    // A WITHOUT ROWID table is its primary key's index; a column that was added later is not in old rows.
                    let default = self.added_default(cursor, column);
                    self.op4(Opcode::Column, at, position, target, default);
                    self.code_real_affinity(cursor, column, target);
                }
                Ok(target)
            }
            ColumnSource::Register {
                reg,
                reals: Reals::Read,
            } => {
                // A coroutine will overwrite its registers: a copy, not an alias.
                self.op(Opcode::Copy, reg, target, 0);
                self.code_real_affinity(cursor, column, target);
                Ok(target)
            }
            ColumnSource::Register {
                reg,
                reals: Reals::Unstored,
            } => {
                let affinity = self
                    .cursor_table(cursor)
                    .map(|table| table.affinity_of(column));
                if affinity == Some(Affinity::Real) {
                    self.op(Opcode::SCopy, reg, target, 0);
                    self.op(Opcode::RealAffinity, target, 0, 0);
                    return Ok(target);
                }
                Ok(reg)
            }
            ColumnSource::Register {
                reg,
                reals: Reals::AsTheyAre,
            } => Ok(reg),
        }
    }

    /// What a row that ends before a column has there, where the rows of the cursor's table are index entries.
    fn added_default(&self, cursor: i32, column: i32) -> P4 {
        let Some(table) = self.cursor_table(cursor).filter(|table| !table.has_rowid()) else {
            return P4::None;
        };
        usize::try_from(column)
            .ok()
            .and_then(|number| table.columns[number].default.as_ref())
            .map_or(P4::None, |default| default.value.clone())
    }

    fn code_real_affinity(&mut self, cursor: i32, column: i32, target: i32) {
        if column >= 0
            && self
                .cursor_table(cursor)
                .is_some_and(|t| t.affinity_of(column) == Affinity::Real)
        {
            self.op(Opcode::RealAffinity, target, 0, 0);
        }
    }

    /// Puts a column of a table into `target`; `cursor` stands on a row of the table, or of the primary key's index if
    /// it is WITHOUT ROWID.
    pub fn code_table_column(
        &mut self,
        table: &Arc<Table>,
        cursor: i32,
        column: i32,
        target: i32,
    ) -> Result<()> {
        let number = match usize::try_from(column) {
            Ok(_) if table.is_virtual() => {
                self.op(Opcode::VColumn, cursor, column, target);
                return Ok(());
            }
            Ok(number) if table.rowid_alias != Some(number) => number,
            _ => {
                self.op(Opcode::Rowid, cursor, target, 0);
                return Ok(());
            }
        };
        let definition = &table.columns[number];
        if definition.is_virtual() {
            return self.code_virtual_column(table, cursor, number, target);
        }
        let position = if table.has_rowid() {
            table.storage_of(number)
        } else {
            let index = table
                .primary_key_index()
                .expect("a WITHOUT ROWID table has a primary key");
            index
                .position_of(column)
                .expect("the primary key's index has every column")
        };
        if let Some(default) = definition.default.as_ref().filter(|_| self.asks()) {
            self.authorize_functions(&default.expr)?;
        }
        let default = definition
            .default
            .as_ref()
            .map_or(P4::None, |default| default.value.clone());
        self.op4(Opcode::Column, cursor, position as i32, target, default);
        if definition.affinity == Affinity::Real {
            self.op(Opcode::RealAffinity, target, 0, 0);
        }
        Ok(())
    }

    /// Computes a virtual column of the row that `cursor` stands on.
    fn code_virtual_column(
        &mut self,
        table: &Arc<Table>,
        cursor: i32,
        number: usize,
        target: i32,
    ) -> Result<()> {
        if self.virtual_columns.contains(&(cursor, number)) {
            let name = &table.columns[number].name;
            return Err(SqlError::error(format!(
                "generated column loop on \"{name}\""
            )));
        }
        self.virtual_columns.push((cursor, number));
        let null_row = self.op(Opcode::IfNullRow, self.null_row_cursor(cursor), 0, target);
        let factor = std::mem::replace(&mut self.factor_constants, false);
        let result = self.code_generated_column(table, cursor, number, target);
        self.factor_constants = factor;
        self.virtual_columns.pop();
        result?;
        self.jump_here(null_row);
        Ok(())
    }

    /// Computes a generated column; `cursor` is where its expression finds the other columns of the row.
    pub fn code_generated_column(
        &mut self,
        table: &Arc<Table>,
        cursor: i32,
        number: usize,
        target: i32,
    ) -> Result<()> {
        let definition = &table.columns[number];
        let generated = definition
            .generated
            .as_ref()
            .expect("a generated column has an expression");
        let expr = crate::resolve::resolve_self_at(
            self,
            table,
            cursor,
            &generated.expr,
            crate::resolve::Place::Generated,
        )?;
        self.expr_code(&expr, target)?;
        if definition.is_virtual() && table.strict {
            let p4 = type_check_letters(table, Some(number));
            self.op4(Opcode::TypeCheck, target, 1, 0, p4);
        } else if definition.affinity >= Affinity::Text {
            self.op4(
                Opcode::Affinity,
                target,
                1,
                0,
                P4::affinity(&[definition.affinity as u8]),
            );
        }
        Ok(())
    }

    /// Puts column `position` of an index's entry for the row that `cursor` (a cursor of the table) stands on into
    /// `target` (SQLite's sqlite3ExprCodeLoadIndexColumn).
    pub fn code_index_column(
        &mut self,
        table: &Arc<Table>,
        index: &crate::schema::Index,
        cursor: i32,
        position: usize,
        target: i32,
    ) -> Result<()> {
        match &index.columns[position].key {
            crate::schema::IndexKey::Expr(expr) => {
                let expr = crate::resolve::resolve_self(self, table, cursor, expr)?;
                self.expr_code(&expr, target)
            }
            key => {
                let column = key.column().unwrap_or(-1);
                let reg = self.code_column(cursor, column, target)?;
                if reg != target {
                    self.op(Opcode::SCopy, reg, target, 0);
                }
                Ok(())
            }
        }
    }

    /// Runs `body` while the columns of `cursor` are read from elsewhere.
    pub fn with_override<T>(
        &mut self,
        cursor: i32,
        source: CursorOverride,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = self.override_cursor(cursor, Some(source));
        let result = body(self);
        self.override_cursor(cursor, before);
        result
    }

    /// An expression that reads a column of a cursor.
    pub fn column_expr(&self, cursor: i32, column: i32) -> Expr {
        let affinity = self
            .cursor_table(cursor)
            .map_or(Affinity::None, |table| table.affinity_of(column));
        Expr::Column(crate::bound::ColumnRef {
            cursor,
            column,
            affinity,
            can_be_null: false,
        })
    }
}

/// P4 of `TypeCheck`: a letter for each column of a STRICT table, then the table's name, and of each column
/// its name and its type.
pub fn type_check_letters(table: &Table, only: Option<usize>) -> P4 {
    let mut letters = Vec::with_capacity(table.columns.len() * 8);
    let mut names = Vec::new();
    for (number, column) in table.columns.iter().enumerate() {
        if only.is_some_and(|only| only != number) || (only.is_none() && column.is_virtual()) {
            continue;
        }
        let declared = column.decl_type.as_deref().unwrap_or("");
        letters.push(
            match declared.as_bytes().first().map(u8::to_ascii_uppercase) {
                Some(b'I') => b'I',
                Some(b'R') => b'R',
                Some(b'T') => b'T',
                Some(b'B') => b'A',
                _ => b'X',
            },
        );
        names.push(0);
        names.extend_from_slice(column.name.as_bytes());
        names.push(0);
        names.extend_from_slice(declared.to_ascii_uppercase().as_bytes());
    }
    letters.push(0);
    letters.extend_from_slice(table.name.as_bytes());
    letters.extend_from_slice(&names);
    P4::affinity(&letters)
}
