//! INSERT.
//!
//! ```text
//!   one row of VALUES        the expressions are coded straight into the row's registers
//!   rows of a SELECT         a coroutine yields them; if it reads the table, they go into an ephemeral table first
//!
//!      open the table and its indexes
//!   L: next row, or goto M
//!      columns and defaults into registers; BEFORE triggers; the rowid
//!      checks; foreign keys; index entries; the record; AFTER triggers
//!      goto L
//!   M: sqlite_sequence
//! ```
//!
//! Cost: a row of VALUES is one opcode a column, and for the table NewRowid, MakeRecord and Insert; three opcodes and a
//! copy a column for each index.
//!
//! Source: SQLite's `sqlite3Insert`.

use super::constraints::Row;
use super::foreign_keys::Going;
use super::{Change, Target};
use crate::ast::{self, InsertSource, TriggerTime};
use crate::authorizer::ActionCode;
use crate::bound::Expr;
use crate::codegen::select::{Destination, DestinationKind};
use crate::compiler::{Compiler, Result, SqlError};
use crate::resolve::{NameMode, Resolver};
use crate::schema::Table;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use smallvec::SmallVec;
use std::sync::Arc;

/// Where a column's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Given {
    /// Column n of the source.
    Source(usize),
    /// DEFAULT.
    Default,
    /// The row's other columns: it is generated.
    Computed,
}

/// Where the rows come from.
pub(super) enum Rows {
    /// One row: these expressions.
    One(Vec<Expr>),
    /// DEFAULT VALUES.
    Defaults,
    /// A coroutine: its yield register and the first register of its row.
    Coroutine { yield_reg: i32, first: i32 },
    /// An ephemeral table.
    Table { cursor: i32 },
}

impl Compiler<'_> {
    /// Goes to the first row, or to `done`; where the next begins.
    pub(super) fn begin_rows(&mut self, rows: &Rows, done: Label) -> i32 {
        match *rows {
            Rows::Table { cursor } => self.jump(Opcode::Rewind, cursor, done, 0) + 1,
            Rows::Coroutine { yield_reg, .. } => self.jump(Opcode::Yield, yield_reg, done, 0),
            Rows::One(_) | Rows::Defaults => 0,
        }
    }

    /// Goes back to `top` for the next row; after the last it is `done`.
    pub(super) fn end_rows(&mut self, rows: &Rows, top: i32, done: Label) {
        match *rows {
            Rows::Table { cursor } => {
                self.op(Opcode::Next, cursor, top, 0);
                self.place(done);
                self.op(Opcode::Close, cursor, 0, 0);
            }
            Rows::Coroutine { .. } => {
                self.op(Opcode::Goto, 0, top, 0);
                self.place(done);
            }
            Rows::One(_) | Rows::Defaults => self.place(done),
        }
    }

    /// Codes an INSERT.
    pub fn code_insert(&mut self, insert: &ast::Insert) -> Result<()> {
        let (db, table, triggers) = self.table_to_change(&insert.table, Change::Insert, None)?;
        if !self.authorize_in(ActionCode::Insert, &table.name, None, db)? {
            return Ok(());
        }
        self.b.about.count_changes = true;
        let multi_row =
            matches!(&insert.source, InsertSource::Select(select) if !is_one_row(select));
        let fires = !triggers.is_empty();
        let has_returning = !insert.returning.is_empty();
        let multi_write = multi_row || fires || has_returning;
        self.writes_db(multi_write, db);
        if table.is_virtual() {
            if !insert.upserts.is_empty() {
                return Err(SqlError::error(format!(
                    "UPSERT not implemented for virtual table \"{}\"",
                    table.name
                )));
            }
            let returning = self.begin_returning(&insert.returning, insert.with.as_deref());
            self.insert_virtual(insert, db, &table, returning)?;
            self.end_change()?;
            self.end_returning(returning);
            return Ok(());
        }
        let plain = !fires && !has_returning && insert.upserts.is_empty();
        if plain && self.code_transfer(insert, db, &table)? {
            return self.end_change();
        }
        let returning = self.begin_returning(&insert.returning, insert.with.as_deref());
        let (columns, rowid_from) = column_map(insert, &table)?;

        let sequence = self.begin_autoincrement(db, &table)?;
        let rowid = self.alloc_regs(1 + table.columns.len());
        let identity =
            |(i, given): (usize, &Given)| *given == Given::Source(i) || *given == Given::Default;
        let in_order = (insert.columns.is_empty() || columns.iter().enumerate().all(identity))
            && rowid_from.is_none()
            && !table.has_generated;
        let in_place = in_order.then_some(rowid + 1);
        let (rows, width) = self.code_source(insert, db, &table, in_place, fires)?;
        check_width(insert, &table, width)?;

        let mut target = Target::new(self, db, &table);
        target.replaces(self);
        let target = target;
        if !table.is_view() {
            target.open(self, 0, |_| true)?;
        }
        let records = self.record_registers(&target, |_| true);
        let upserts = self.resolve_upserts(insert, &target, returning)?;
        let done = self.label();
        let next = self.label();
        let top = self.begin_rows(&rows, done);

        // The rowid is chosen after the columns, but a coroutine may have it in a register that is a column's.
        let mut append = false;
        if let (Some(n), Rows::Coroutine { first, .. }) = (rowid_from, &rows) {
            self.op(Opcode::Copy, first + n as i32, rowid, 0);
        }
        for (i, column) in table.columns.iter().enumerate() {
            let reg = rowid + 1 + table.storage_of(i) as i32;
            if table.rowid_alias == Some(i) {
                self.op(Opcode::SoftNull, reg, 0, 0);
                continue;
            }
            match columns[i] {
                Given::Computed => {}
                Given::Source(n) => self.code_given(&rows, n, reg)?,
                Given::Default => match &column.default {
                    Some(default) => {
                        let expr = self.resolve_default(&default.expr)?;
                        self.expr_code_factorable(&expr, reg)?;
                    }
                    None => {
                        self.op(Opcode::Null, 0, reg, 0);
                    }
                },
            }
        }
        // NEW is as far behind where OLD would be as if there were one.
        let base = |new: i32| new - (1 + table.columns.len() as i32);
        if triggers.before {
            let new = self.code_new_row_before(&rows, rowid_from, rowid, &target)?;
            let time = TriggerTime::Before;
            self.fire(&triggers, time, &table, base(new), insert.or, next);
        }
        if table.has_rowid() && !table.is_view() {
            append = self.code_rowid(
                &rows,
                rowid_from,
                rowid,
                &target,
                sequence.as_ref().map_or(0, |s| s.max_reg),
            )?;
            self.step_autoincrement(sequence.as_ref(), rowid);
        } else {
            self.op(Opcode::Null, 0, rowid, 0);
        }
        if table.has_generated {
            self.compute_generated_columns(&target, rowid)?;
        }

        let row = Row {
            target: &target,
            new: rowid,
            old: None,
            key_changes: rowid_from.is_some() || !table.has_rowid(),
            or: insert.or,
            ignore: next,
            changed: None,
            records: &records,
            upserts: upserts.as_ref(),
        };
        if !table.is_view() {
            let replaces = match self.check_row(&row) {
                Ok(replaces) => replaces,
                // What the row's own keys say is said after what its conflicts say, and counts.
                Err(e) => return Err(self.key_mismatch(db, &table, Going::New).unwrap_or(e)),
            };
            let use_seek = !replaces;
            self.check_foreign_keys(db, &table, None, Some(rowid), None)?;
            self.store_row(&row, 0, append, use_seek);
        }
        let (first, or) = (base(rowid), insert.or);
        self.fire_after(&triggers, &target, first, or, next, returning, rowid)?;

        self.place(next);
        self.end_rows(&rows, top, done);
        self.end_change()?;
        self.end_returning(returning);
        Ok(())
    }

    /// The row that BEFORE triggers see: the rowid is -1 where it is still to be chosen. The register of the rowid.
    fn code_new_row_before(
        &mut self,
        rows: &Rows,
        rowid_from: Option<usize>,
        rowid: i32,
        target: &Target,
    ) -> Result<i32> {
        let table = &target.table;
        let new = self.alloc_regs(1 + table.columns.len());
        match rowid_from {
            None => {
                self.op(Opcode::Integer, -1, new, 0);
            }
            Some(n) => {
                self.code_given(rows, n, new)?;
                let given = self.op(Opcode::NotNull, new, 0, 0);
                self.op(Opcode::Integer, -1, new, 0);
                self.jump_here(given);
                self.op(Opcode::MustBeInt, new, 0, 0);
            }
        }
        let count = table.stored_count() as i32;
        self.op(Opcode::Copy, rowid + 1, new + 1, count - 1);
        if table.has_generated {
            self.compute_generated_columns(target, new)?;
        }
        if !table.is_view() {
            self.table_affinity(table, new + 1);
        }
        Ok(new)
    }

    /// Makes the rows available; tells how many columns they have. `dest`: where a coroutine may put them at once;
    /// `fires`: triggers may change what is read, so all rows are read first.
    pub(super) fn code_source(
        &mut self,
        insert: &ast::Insert,
        db: usize,
        table: &Arc<Table>,
        dest: Option<i32>,
        fires: bool,
    ) -> Result<(Rows, usize)> {
        let InsertSource::Select(select) = &insert.source else {
            return Ok((Rows::Defaults, 0));
        };
        let mut resolver = Resolver::new(self);
        if let Some(with) = &insert.with {
            resolver.push_with(with)?;
        }
        if let (true, ast::SelectCore::Values(values)) = (is_one_row(select), &select.core) {
            resolver.push_scope(crate::resolve::Scope::default());
            let exprs = resolver.exprs(&values.exprs)?;
            let width = exprs.len();
            return Ok((Rows::One(exprs), width));
        }
        let select = resolver.select(select, NameMode::None)?;
        drop(resolver);
        let width = select.result.len();
        check_width(insert, table, width)?;
        let yield_reg = self.alloc_reg();
        let entry = self.here() + 1;
        let init = self.op(Opcode::InitCoroutine, yield_reg, 0, entry);
        let mut out = Destination::new(DestinationKind::Coroutine, yield_reg);
        // The coroutine may fill the row's own registers where nothing has to be moved.
        if let Some(first) = dest {
            (out.first, out.count) = (first, width);
        }
        self.code_select(&select, &mut out)?;
        self.op(Opcode::EndCoroutine, yield_reg, 0, 0);
        self.jump_here(init);
        self.clear_temps();
        if !fires && !self.reads_table(entry, db, table) {
            return Ok((
                Rows::Coroutine {
                    yield_reg,
                    first: out.first,
                },
                width,
            ));
        }
        let cursor = self.alloc_cursor(None);
        let (record, key) = (self.temp_reg(), self.temp_reg());
        self.op(Opcode::OpenEphemeral, cursor, width as i32, 0);
        let done = self.label();
        let top = self.jump(Opcode::Yield, yield_reg, done, 0);
        self.op(Opcode::MakeRecord, out.first, width as i32, record);
        self.op(Opcode::NewRowid, cursor, key, 0);
        self.op(Opcode::Insert, cursor, record, key);
        self.p5(p5::APPEND);
        self.op(Opcode::Goto, 0, top, 0);
        self.place(done);
        self.release_temp(record);
        self.release_temp(key);
        Ok((Rows::Table { cursor }, width))
    }

    /// Whether the code from `start` on reads the table or one of its indexes.
    fn reads_table(&self, start: i32, db: usize, table: &Table) -> bool {
        (start..self.here())
            .map(|addr| self.b.insn(addr))
            .any(|insn| {
                let is_virtual = |operand: &P4| match operand {
                    P4::VirtualTable(name) => name.1 == table.name,
                    _ => false,
                };
                (insn.opcode == Opcode::VOpen && is_virtual(&insn.p4))
                    || insn.opcode == Opcode::OpenRead
                        && insn.p3 == db as i32
                        && (insn.p2 == table.root as i32
                            || table
                                .indexes
                                .iter()
                                .any(|index| index.root as i32 == insn.p2))
            })
    }

    /// Puts column `n` of the source into a register.
    pub(super) fn code_given(&mut self, rows: &Rows, n: usize, reg: i32) -> Result<()> {
        match rows {
            Rows::One(exprs) => self.expr_code(&exprs[n], reg)?,
            Rows::Table { cursor } => {
                self.op(Opcode::Column, *cursor, n as i32, reg);
            }
            Rows::Coroutine { first, .. } => {
                if first + n as i32 != reg {
                    self.op(Opcode::SCopy, first + n as i32, reg, 0);
                }
            }
            Rows::Defaults => unreachable!("DEFAULT VALUES gives no columns"),
        }
        Ok(())
    }

    /// Chooses the rowid; tells whether it is the next after the largest.
    fn code_rowid(
        &mut self,
        rows: &Rows,
        from: Option<usize>,
        rowid: i32,
        target: &Target,
        max_reg: i32,
    ) -> Result<bool> {
        let Some(n) = from else {
            self.op(Opcode::NewRowid, target.data_cursor, rowid, max_reg);
            return Ok(true);
        };
        match rows {
            Rows::One(exprs) => {
                if matches!(exprs[n], Expr::Null) {
                    self.op(Opcode::NewRowid, target.data_cursor, rowid, max_reg);
                    return Ok(true);
                }
                self.expr_code(&exprs[n], rowid)?;
                if matches!(exprs[n], Expr::Integer(_)) {
                    return Ok(false);
                }
            }
            Rows::Table { cursor } => {
                self.op(Opcode::Column, *cursor, n as i32, rowid);
            }
            Rows::Coroutine { .. } | Rows::Defaults => {}
        }
        let given = self.op(Opcode::NotNull, rowid, 0, 0);
        self.op(Opcode::NewRowid, target.data_cursor, rowid, max_reg);
        self.jump_here(given);
        self.op(Opcode::MustBeInt, rowid, 0, 0);
        self.may_abort = true;
        Ok(false)
    }
}

/// Whether a source is VALUES with one row and nothing else.
fn is_one_row(select: &ast::Select) -> bool {
    let plain = select.with.is_none()
        && select.compounds.is_empty()
        && select.order_by.is_empty()
        && select.limit.is_none();
    plain && matches!(&select.core, ast::SelectCore::Values(values) if values.row_count() == 1)
}

/// For each column of the table where its value comes from; and the place of the rowid in the source, if it has one.
pub(super) fn column_map(
    insert: &ast::Insert,
    table: &Table,
) -> Result<(SmallVec<[Given; 8]>, Option<usize>)> {
    let computed = |column: &crate::schema::Column| {
        column.generated.is_some() || (column.hidden && insert.columns.is_empty())
    };
    if insert.columns.is_empty() {
        let has_values = !matches!(insert.source, InsertSource::DefaultValues);
        let mut next = 0;
        let given = table.columns.iter().map(|column| {
            if computed(column) {
                return Given::Computed;
            }
            next += 1;
            if has_values {
                Given::Source(next - 1)
            } else {
                Given::Default
            }
        });
        let map: SmallVec<[Given; 8]> = given.collect();
        let rowid = match table.rowid_alias.map(|alias| map[alias]) {
            Some(Given::Source(n)) => Some(n),
            _ => None,
        };
        return Ok((map, rowid));
    }
    let mut map: SmallVec<[Given; 8]> = table
        .columns
        .iter()
        .map(|column| {
            if computed(column) {
                Given::Computed
            } else {
                Given::Default
            }
        })
        .collect();
    let mut rowid = None;
    for (n, name) in insert.columns.iter().enumerate() {
        if let Some(column) = table.column_index(&name.text) {
            // A column that is named twice has its first value.
            if map[column] == Given::Default {
                map[column] = Given::Source(n);
            }
            if table.rowid_alias == Some(column) {
                rowid = Some(n);
            }
            if map[column] == Given::Computed {
                let message = format!(
                    "cannot INSERT into generated column \"{}\"",
                    table.columns[column].name
                );
                return Err(SqlError::error(message));
            }
        } else if table.has_rowid() && is_rowid_name(&name.text) {
            rowid = Some(n);
        } else {
            let message = format!(
                "table {} has no column named {}",
                display(insert),
                name.text
            );
            return Err(SqlError::error(message));
        }
    }
    Ok((map, rowid))
}

pub(super) fn check_width(insert: &ast::Insert, table: &Table, width: usize) -> Result<()> {
    if insert.columns.is_empty() {
        let count = table
            .columns
            .iter()
            .filter(|column| column.generated.is_none() && !column.hidden)
            .count();
        if width != count && !matches!(insert.source, InsertSource::DefaultValues) {
            let name = display(insert);
            return Err(SqlError::error(format!(
                "table {name} has {count} columns but {width} values were supplied"
            )));
        }
    } else if width != insert.columns.len() {
        return Err(SqlError::error(format!(
            "{width} values for {} columns",
            insert.columns.len()
        )));
    }
    Ok(())
}

/// The table's alias, or its name as it was written.
fn display(insert: &ast::Insert) -> String {
    match (&insert.alias, &insert.table.schema) {
        (Some(alias), _) => alias.text.to_string(),
        (None, Some(schema)) => format!("{}.{}", schema.text, insert.table.name.text),
        (None, None) => insert.table.name.text.to_string(),
    }
}

/// Whether a name means the rowid where no column has it.
pub fn is_rowid_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("rowid")
        || name.eq_ignore_ascii_case("oid")
        || name.eq_ignore_ascii_case("_rowid_")
}
