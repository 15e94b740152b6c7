//! ADD COLUMN and DROP COLUMN.
//!
//! Rules:
//! 1. A new column goes behind the last one, as it was written; rows are not touched, and what they lack is the default.
//! 2. So the default is a constant where there are rows, and not NULL where the column is NOT NULL.
//! 3. A column that goes is cut out of every row, unless it is VIRTUAL. No key, index, CHECK, view or trigger may name
//!    it.
//!
//! Source: SQLite's `sqlite3AlterBeginAddColumn`, `sqlite3AlterFinishAddColumn`, `sqlite3AlterDropColumn`,
//! `dropColumnFunc`.

use super::definitions::Definitions;
use super::permission::Edited;
use super::{Altered, constraints};
use crate::ast::{
    ColumnConstraint, ColumnConstraintKind, ColumnDef, CreateTable, ExprKind, Literal, Name, Stmt,
    TableBody,
};
use crate::compiler::{Compiler, Result, SqlError};
use crate::lex::Token;
use crate::resolve::{Place, resolve_self_at};
use crate::schema::Table;
use ringwood_format::value::Value;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4, ResultCode};
use std::sync::Arc;

impl Compiler<'_> {
    /// What is looked at before the new column's constraints are.
    pub(super) fn check_addition(&self, of: &Altered, column: &ColumnDef) -> Result<()> {
        if of.table.is_virtual() {
            return Err(SqlError::error("virtual tables may not be altered"));
        }
        if of.table.is_view() {
            return Err(SqlError::error("Cannot add a column to a view"));
        }
        Self::check_alterable(of)?;
        let name = &*column.name.text;
        if of.table.columns.len() >= self.ctx.limits.columns {
            return Err(SqlError::error(format!(
                "too many columns on sqlite_altertab_{}",
                of.table.name
            )));
        }
        if of.table.column_index(name).is_some() {
            return Err(SqlError::error(format!("duplicate column name: {name}")));
        }
        Ok(())
    }

    /// ADD COLUMN.
    pub(super) fn alter_add_column(
        &mut self,
        of: &Altered,
        column: &ColumnDef,
        terminator: u32,
    ) -> Result<()> {
        self.check_addition(of, column)?;
        let name = &*column.name.text;
        check_new_column(column)?;
        Self::check_rowid_alias(of, name, "add")?;
        let schema = self.ctx.schema;
        let mut definitions = Definitions::new(schema, of.db);
        let row = definitions
            .table_mut(of.db, &of.table.name)
            .ok_or_else(corrupt)?;
        let text = row.text().unwrap_or_default().to_owned();
        let (_, end) = parsed_table(&text)?;
        let start = column.name.span.start as usize;
        let written = self
            .text
            .get(start..terminator as usize)
            .unwrap_or_default();
        let written = String::from_utf8_lossy(written);
        let written = written.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace());
        row.set_text(format!("{}, {written}{}", &text[..end], &text[end..]));
        let after = definitions.schema(schema, "after add column")?;
        let new = after.dbs[of.db]
            .table(&of.table.name)
            .cloned()
            .ok_or_else(corrupt)?;
        let is_check = |c: &ColumnConstraint| matches!(c.kind, ColumnConstraintKind::Check { .. });
        let checks = column.constraints.iter().any(is_check) || new.strict;
        if !self.may_alter(of, None, Edited::AddColumn { checks })? {
            return Ok(());
        }
        // What is wrong with the column alone is said as of CREATE TABLE.
        self.check_new_default(&new)?;
        definitions.test(self.ctx, &after, "after add column", true, false)?;
        self.refuse_rows_for(of, &new, column)?;
        self.store_definitions(of, &definitions)?;
        let format = self.alloc_reg();
        self.op(
            Opcode::ReadCookie,
            of.db as i32,
            format,
            p5::META_FILE_FORMAT,
        );
        self.op(Opcode::AddImm, format, -2, 0);
        let here = self.here();
        self.op(Opcode::IfPos, format, here + 2, 0);
        self.op(Opcode::SetCookie, of.db as i32, p5::META_FILE_FORMAT, 3);
        self.reload_definitions(of, &definitions);
        self.check_new_column_rows(of, &new, column)
    }

    fn check_new_default(&mut self, table: &Arc<Table>) -> Result<()> {
        let Some(column) = table.columns.last() else {
            return Ok(());
        };
        if let Some(default) = &column.default {
            if !crate::codegen::ddl::create_table::is_constant_default(&default.expr) {
                let message = format!("default value of column [{}] is not constant", column.name);
                return Err(SqlError::error(message));
            }
        }
        self.collation(&column.collation).map(drop)
    }

    /// Errors for what only an empty table may get.
    fn refuse_rows_for(&mut self, of: &Altered, new: &Table, column: &ColumnDef) -> Result<()> {
        let added = new.columns.last().ok_or_else(corrupt)?;
        if let Some(generated) = &added.generated {
            if generated.stored {
                self.refuse_if_not_empty(of, "cannot add a STORED column")?;
            }
            return Ok(());
        }
        let default = added
            .default
            .as_ref()
            .filter(|default| !matches!(default.expr.kind, ExprKind::Literal(Literal::Null)));
        let references = column
            .constraints
            .iter()
            .any(|c| matches!(c.kind, ColumnConstraintKind::References(_)));
        if self.ctx.flags.foreign_keys && references && default.is_some() {
            self.refuse_if_not_empty(
                of,
                "Cannot add a REFERENCES column with non-NULL default value",
            )?;
        }
        if added.not_null.is_some() && default.is_none() {
            self.refuse_if_not_empty(of, "Cannot add a NOT NULL column with default value NULL")?;
        }
        if default.is_some_and(|default| matches!(default.value, P4::None)) {
            self.refuse_if_not_empty(of, "Cannot add a column with non-constant default")?;
        }
        Ok(())
    }

    /// Rows that the new column makes wrong.
    fn check_new_column_rows(
        &mut self,
        of: &Altered,
        new: &Arc<Table>,
        column: &ColumnDef,
    ) -> Result<()> {
        let has_check = column
            .constraints
            .iter()
            .any(|c| matches!(c.kind, ColumnConstraintKind::Check { .. }));
        let number = new.columns.len() - 1;
        let added = &new.columns[number];
        let not_null = added.not_null.is_some() && added.generated.is_some();
        if not_null {
            self.refuse_rows(
                of,
                new,
                ResultCode::ERROR,
                "NOT NULL constraint failed",
                |c, cursor, fine| {
                    let reg = c.alloc_reg();
                    c.code_table_column(new, cursor, number as i32, reg)?;
                    c.jump(Opcode::NotNull, reg, fine, 0);
                    Ok(())
                },
            )?;
        }
        if new.strict && added.default.is_some() {
            if let Some(fits) = default_fits(added) {
                if !fits {
                    self.refuse_if_not_empty(of, "type mismatch on DEFAULT")?;
                }
            }
        }
        if has_check || not_null || new.strict {
            for check in &new.checks {
                self.refuse_rows(
                    of,
                    new,
                    ResultCode::ERROR,
                    "CHECK constraint failed",
                    |c, cursor, fine| {
                        let expr = resolve_self_at(c, new, cursor, &check.expr, Place::Check)?;
                        c.expr_if_true(&expr, fine, true)
                    },
                )?;
            }
        }
        Ok(())
    }

    /// DROP COLUMN.
    pub(super) fn alter_drop_column(&mut self, of: &Altered, name: &Name) -> Result<()> {
        Self::check_alterable(of)?;
        Self::check_real_table(of, "drop column from")?;
        let table = &of.table;
        let Some(column) = table.column_index(&name.text) else {
            return Err(self.no_such_column(name));
        };
        Self::check_rowid_alias(of, &name.text, "drop")?;
        let definition = &table.columns[column];
        let sql = table.sql.as_deref().unwrap_or_default();
        if definition.primary_key || is_unique_by_itself(sql, column)? {
            let what = if definition.primary_key {
                "PRIMARY KEY"
            } else {
                "UNIQUE"
            };
            return Err(SqlError::error(format!(
                "cannot drop {what} column: \"{}\"",
                name.text
            )));
        }
        if table.columns.len() <= 1 {
            return Err(SqlError::error(format!(
                "cannot drop column \"{}\": no other columns exist",
                name.text
            )));
        }
        if !self.may_alter(of, Some(&name.text), Edited::DropColumn)? {
            return Ok(());
        }
        let schema = self.ctx.schema;
        let mut definitions = Definitions::new(schema, of.db);
        let all = !self.ctx.flags.legacy_alter_table;
        definitions.test(self.ctx, schema, "", true, all)?;
        definitions.fix_quotes(self.ctx, all)?;
        let row = definitions
            .table_mut(of.db, &table.name)
            .ok_or_else(corrupt)?;
        let text = row.text().unwrap_or_default().to_owned();
        row.set_text(without_column(&text, column)?);
        let when = "after drop column";
        let after = definitions.schema(schema, when)?;
        definitions.test(self.ctx, &after, when, true, false)?;
        definitions.test(self.ctx, &after, when, false, all)?;
        self.store_definitions(of, &definitions)?;
        self.reload_definitions(of, &definitions);
        if !definition.is_virtual() {
            self.cut_column(of, column)?;
        }
        Ok(())
    }

    /// Writes every row without a column.
    fn cut_column(&mut self, of: &Altered, column: usize) -> Result<()> {
        let table = &of.table;
        let cursor = self.alloc_cursor(Some(table.clone()));
        self.open_table(cursor, of.db, table, true)?;
        let (done, rewind) = (self.label(), self.here());
        self.jump(Opcode::Rewind, cursor, done, 0);
        let primary = table.primary_key_index().filter(|_| table.without_rowid);
        let key_count = primary.map_or(0, |index| index.key_count);
        let order: Vec<(usize, usize)> = match primary {
            // Columns by their place in the record.
            Some(index) => index
                .columns
                .iter()
                .enumerate()
                .filter_map(|(at, c)| Some((at, usize::try_from(c.key.column()?).ok()?)))
                .filter(|(at, number)| *at < key_count || *number != column)
                .collect(),
            None => (0..table.columns.len())
                .filter(|number| *number != column && !table.columns[*number].is_virtual())
                .map(|number| (table.storage_of(number), number))
                .collect(),
        };
        let count = order.len().max(1);
        let first = self.alloc_regs(count + 2);
        let (record, rowid) = (first + count as i32, first + count as i32 + 1);
        if primary.is_none() {
            self.op(Opcode::Rowid, cursor, rowid, 0);
        }
        if order.is_empty() {
            self.op(Opcode::Null, 0, first, 0);
        }
        for (reg, (at, number)) in (first..).zip(&order) {
            let is_alias = table.rowid_alias == Some(*number) && primary.is_none();
            if is_alias {
                self.op(Opcode::Null, 0, reg, 0);
                continue;
            }
            // As stored: a REAL column's integers stay integers.
            let default = table.columns[*number].default.as_ref();
            let default = default.map_or(P4::None, |default| default.value.clone());
            self.op4(Opcode::Column, cursor, *at as i32, reg, default);
        }
        self.op(Opcode::MakeRecord, first, count as i32, record);
        if primary.is_some() {
            self.op4(
                Opcode::IdxInsert,
                cursor,
                record,
                first,
                P4::Int(key_count as i32),
            );
        } else {
            self.op(Opcode::Insert, cursor, record, rowid);
        }
        self.p5(p5::SAVEPOSITION);
        self.op(Opcode::Next, cursor, rewind + 1, 0);
        self.place(done);
        self.op(Opcode::Close, cursor, 0, 0);
        Ok(())
    }
}

fn check_new_column(column: &ColumnDef) -> Result<()> {
    let has = |f: &dyn Fn(&ColumnConstraintKind) -> bool| {
        column
            .constraints
            .iter()
            .any(|constraint| f(&constraint.kind))
    };
    let generated = has(&|kind| matches!(kind, ColumnConstraintKind::Generated { .. }));
    if has(&|kind| matches!(kind, ColumnConstraintKind::PrimaryKey { .. })) {
        if generated {
            return Err(SqlError::error(
                "generated columns cannot be part of the PRIMARY KEY",
            ));
        }
        return Err(SqlError::error("Cannot add a PRIMARY KEY column"));
    }
    if has(&|kind| matches!(kind, ColumnConstraintKind::Unique(_))) {
        return Err(SqlError::error("Cannot add a UNIQUE column"));
    }
    Ok(())
}

/// Whether the default of a column of a STRICT table is of its type; none if it has no constant one.
fn default_fits(column: &crate::schema::Column) -> Option<bool> {
    let P4::Value(value) = &column.default.as_ref()?.value else {
        return None;
    };
    let declared = column.decl_type.as_deref().unwrap_or("");
    let declared = declared.to_ascii_uppercase();
    let is_any = declared == "ANY";
    let fits = matches!(
        (&**value, declared.as_str()),
        (Value::Integer(_), "INT" | "INTEGER" | "REAL")
            | (Value::Real(_), "REAL")
            | (Value::Text(_), "TEXT")
            | (Value::Blob(_), "BLOB")
    );
    Some(is_any || fits)
}

#[cold]
fn corrupt() -> SqlError {
    SqlError::new(ResultCode::CORRUPT, ResultCode::CORRUPT.message())
}

/// The definition of a table, and where its columns end.
fn parsed_table(text: &str) -> Result<(Box<CreateTable>, usize)> {
    match crate::parse::parse_statement(text.as_bytes()) {
        Ok(Some(statement)) => match statement.kind {
            Stmt::CreateTable(create) => match create.body {
                TableBody::Columns { columns_end, .. } => Ok((create, columns_end as usize)),
                TableBody::Select(_) => Err(corrupt()),
            },
            _ => Err(corrupt()),
        },
        _ => Err(corrupt()),
    }
}

/// Whether a column was declared UNIQUE where it stands.
fn is_unique_by_itself(text: &str, column: usize) -> Result<bool> {
    let (create, _) = parsed_table(text)?;
    let TableBody::Columns { columns, .. } = &create.body else {
        return Ok(false);
    };
    let is_unique = |definition: &ColumnDef| {
        let mut constraints = definition.constraints.iter();
        constraints.any(|c| matches!(c.kind, ColumnConstraintKind::Unique(_)))
    };
    Ok(columns.get(column).is_some_and(is_unique))
}

/// The text of a table's definition without a column.
fn without_column(text: &str, column: usize) -> Result<String> {
    let (create, columns_end) = parsed_table(text)?;
    let TableBody::Columns { columns, .. } = &create.body else {
        return Err(corrupt());
    };
    let start = |column: usize| columns.get(column).map(|c| c.name.span.start as usize);
    let (from, to) = match start(column + 1) {
        Some(next) => (start(column).ok_or_else(corrupt)?, next),
        None => {
            // The comma in front of it.
            let mut at = start(column.wrapping_sub(1)).ok_or_else(corrupt)?;
            loop {
                let token = constraints::token(text.as_bytes(), at);
                at = token.end;
                match token.token {
                    Token::Comma => break,
                    Token::EndOfText | Token::Illegal => return Err(corrupt()),
                    _ => {}
                }
            }
            (at - 1, columns_end)
        }
    };
    Ok(format!("{}{}", &text[..from], &text[to..]))
}
