//! integrity_check and quick_check.
//!
//! ```text
//!   for each database
//!     the trees                       IntegrityCk: pages, cells, order of keys; counts the entries of each tree
//!     the counts of the indexes       against those of their tables
//!     each row of each table          its header, the order of WITHOUT ROWID keys, NOT NULL, types, CHECK, and
//!                                     (integrity_check) its entries in the indexes, once each where they are UNIQUE
//!     virtual tables                  VCheck: what their modules say
//!   "ok" if nothing was found
//! ```
//!
//! The tables come in the order of SQLite's hash table, so that the same damage gives the same rows. `Init` says where a
//! record leads that makes no sense: to a last row that says no more than that.
//!
//! Absent: virtual tables (those that there are keep nothing), and REAL values of expressions that an older version
//! rounded otherwise: their rows are missing from the index.
//!
//! Register 1 of the rows counts down how many more may be reported; the first row beyond the limit ends the program.
//!
//! Source: SQLite's `sqlite3Pragma` (PragTyp_INTEGRITY_CHECK).

use crate::codegen::write::Target;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::{CollationName, Index, IndexKey, Table, TableKind, walk_order};
use ringwood_format::affinity::Affinity;
use ringwood_format::value::ValueRef;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Connected, Label, Opcode, P4};
use std::rc::Rc;
use std::sync::Arc;

/// How many problems are reported if nobody says.
const ERRORS_MAX: i64 = 100;

/// Registers.
#[derive(Clone, Copy)]
struct Registers {
    /// How many more problems may be reported; the message of `IntegrityCk` is behind it.
    left: i32,
    /// The row that is reported.
    out: i32,
    scratch: i32,
    /// The first count.
    counts: i32,
}

impl Compiler<'_> {
    /// Codes integrity_check or quick_check.
    pub(super) fn integrity_check(
        &mut self,
        name: &str,
        db: Option<usize>,
        arg: Option<&str>,
        quick: bool,
    ) -> Result<()> {
        let mut limit = ERRORS_MAX;
        let mut only = None;
        if let Some(arg) = arg {
            // Of a negative number SQLite sees the digits.
            match arg.strip_prefix('-').unwrap_or(arg).parse::<i32>() {
                Ok(number) if number > 0 => limit = i64::from(number),
                Ok(_) => {}
                Err(_) => match self.ctx.schema.find_table(db, arg) {
                    Some((db, table)) => only = Some((db, table.clone())),
                    None => {
                        let of = db.map(|db| format!("{}.", self.ctx.schema.dbs[db].name));
                        let of = of.unwrap_or_default();
                        return Err(SqlError::error(format!("no such table: {of}{arg}")));
                    }
                },
            }
        }
        self.pragma_row(&[name]);
        // What is computed once, outside the loops, might be what the check is about.
        self.factor_constants = false;
        let left = self.alloc_regs(4);
        let mut regs = Registers {
            left,
            out: left + 2,
            scratch: left + 3,
            counts: 0,
        };
        self.op(Opcode::Integer, limit as i32 - 1, left, 0);
        for number in 0..self.ctx.schema.dbs.len() {
            let wanted = match &only {
                Some((of, _)) => *of == number,
                None => db.is_none_or(|db| db == number),
            };
            if !wanted {
                continue;
            }
            self.uses_db(number);
            let schema = self.ctx.schema;
            let mut tables: Vec<Arc<Table>> = match &only {
                Some((_, table)) => vec![table.clone()],
                None => schema.dbs[number].tables.values().cloned().collect(),
            };
            in_walk_order(&mut tables);
            let mut virtual_tables = tables.clone();
            virtual_tables.retain(|table| table.is_virtual());
            virtual_tables.sort_by_key(|table| table.order);
            tables.retain(|table| !table.is_view() && table.root > 0);
            regs.counts = self.check_trees(number, &tables, only.is_some(), regs);
            if regs.counts != 0 {
                self.check_counts(&tables, regs);
                for table in &tables {
                    self.check_rows(number, table, quick, regs)?;
                }
            }
            for table in &virtual_tables {
                self.check_virtual(number, table, quick, regs)?;
            }
        }
        // Nothing was reported: the counter is where it began.
        self.op(Opcode::AddImm, left, 1 - limit as i32, 0);
        let found = self.op(Opcode::IfNotZero, left, 0, 0);
        self.op4(Opcode::String8, 0, regs.out, 0, P4::text("ok"));
        let row = self.op(Opcode::ResultRow, regs.out, 1, 0);
        self.jump_here(found);
        self.op(Opcode::Halt, 0, 0, 0);
        // Where a record makes no sense, that is the last row.
        let malformed = P4::text("database disk image is malformed");
        let corrupt = self.op4(Opcode::String8, 0, regs.out, 0, malformed);
        self.b.set_p3(0, corrupt);
        self.op(Opcode::Goto, 0, row, 0);
        Ok(())
    }

    /// Asks a virtual table, if its module is there and looks.
    fn check_virtual(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        quick: bool,
        regs: Registers,
    ) -> Result<()> {
        let has_module = match &table.kind {
            TableKind::Virtual(def) => self.ctx.virtual_tables.module(&def.module).is_some(),
            _ => false,
        };
        if !has_module {
            return Ok(());
        }
        let table = self.connected(db, table)?;
        let looks = |of: Rc<Connected>| of.with(|table| table.has_integrity()).unwrap_or(false);
        if !self.connection_of(db, &table).is_some_and(looks) {
            return Ok(());
        }
        let operand = self.vtab_operand(db, &table);
        self.op4(
            Opcode::VCheck,
            db as i32,
            regs.out,
            i32::from(quick),
            operand,
        );
        let fine = self.op(Opcode::IsNull, regs.out, 0, 0);
        self.report(regs);
        self.jump_here(fine);
        Ok(())
    }

    /// Reports `out`; ends the program after the last one that is wanted.
    fn report(&mut self, regs: Registers) {
        self.op(Opcode::ResultRow, regs.out, 1, 0);
        let after = self.here() + 2;
        self.op(Opcode::IfPos, regs.left, after, 1);
        self.op(Opcode::Halt, 0, 0, 0);
    }

    fn report_text(&mut self, regs: Registers, text: &str) {
        self.op4(Opcode::String8, 0, regs.out, 0, P4::text(text));
        self.report(regs);
    }

    /// Checks the trees; the register of the first count, in the order of the roots, or 0 if there are no trees.
    fn check_trees(
        &mut self,
        db: usize,
        tables: &[Arc<Table>],
        partial: bool,
        regs: Registers,
    ) -> i32 {
        let roots = roots_of(tables);
        if roots.is_empty() {
            return 0;
        }
        let counts = self.alloc_regs(roots.len() + 1);
        let mut operand: Vec<u32> = roots.clone();
        if partial {
            operand.insert(0, 0);
        }
        let p4 = P4::Ints(operand.into());
        self.op4(
            Opcode::IntegrityCk,
            regs.left,
            roots.len() as i32,
            counts,
            p4,
        );
        self.p5(db as u16);
        let fine = self.op(Opcode::IsNull, regs.left + 1, 0, 0);
        let title = format!("*** in database {} ***\n", self.ctx.schema.dbs[db].name);
        self.op4(Opcode::String8, 0, regs.out, 0, P4::text(title));
        self.op(Opcode::Concat, regs.left + 1, regs.out, regs.out);
        self.report(regs);
        self.jump_here(fine);
        counts
    }

    /// Every full index has as many entries as its table has rows.
    fn check_counts(&mut self, tables: &[Arc<Table>], regs: Registers) {
        let mut next = regs.counts;
        for table in tables {
            let of_indexes = next + i32::from(table.has_rowid());
            let rows = if table.has_rowid() {
                next
            } else {
                let primary = table.indexes.iter().position(|i| i.is_primary_key());
                next + primary.unwrap_or(0) as i32
            };
            next = of_indexes + table.indexes.len() as i32;
            for (entries, index) in (of_indexes..).zip(&table.indexes) {
                if index.partial.is_some() || entries == rows {
                    continue;
                }
                let equal = self.op(Opcode::Eq, entries, 0, rows);
                self.report_text(regs, &format!("wrong # of entries in index {}", index.name));
                self.jump_here(equal);
            }
        }
    }

    fn check_rows(
        &mut self,
        db: usize,
        table: &Arc<Table>,
        quick: bool,
        regs: Registers,
    ) -> Result<()> {
        let target = Target::new(self, db, table);
        let data = target.data_cursor;
        self.open_table(data, db, table, false)?;
        if !quick {
            for (n, index) in table.indexes.iter().enumerate() {
                if !target.is_table(n) {
                    self.open_index(target.cursor_of(n), db, index, false)?;
                }
            }
        }
        let row = self.alloc_reg();
        self.op(Opcode::Integer, 0, row, 0);
        let key = self.previous_key(&target, quick);
        let done = self.label();
        let top = self.jump(Opcode::Rewind, data, done, 0) + 1;
        self.op(Opcode::AddImm, row, 1, 0);
        self.check_header(&target, regs);
        if let Some(key) = key {
            self.check_key_order(&target, key, regs)?;
        }
        for number in 0..table.columns.len() {
            if table.rowid_alias != Some(number) {
                self.check_column(&target, number, regs)?;
            }
        }
        self.check_conditions(&target, regs)?;
        if !quick {
            for n in 0..table.indexes.len() {
                if !target.is_table(n) {
                    self.check_entry(&target, n, row, regs)?;
                }
            }
        }
        self.op(Opcode::Next, data, top, 0);
        self.place(done);
        self.op(Opcode::Close, data, 0, 0);
        Ok(())
    }

    /// Reads the last column that is stored: its record's header is then parsed, and found sound, to its end.
    fn check_header(&mut self, target: &Target, regs: Registers) {
        let last = match target.primary_key() {
            Some(primary) => primary.columns.len().checked_sub(1),
            None => {
                let last = target.table.stored_count().checked_sub(1);
                match last {
                    Some(last) if target.table.rowid_alias == Some(last) => last.checked_sub(1),
                    last => last,
                }
            }
        };
        if let Some(last) = last {
            self.op(
                Opcode::Column,
                target.data_cursor,
                last as i32,
                regs.scratch,
            );
            self.p5(p5::TYPEOFARG);
        }
    }

    /// Registers for the primary key of the row before, if the rows of the table are checked for being in its order.
    fn previous_key(&mut self, target: &Target, quick: bool) -> Option<i32> {
        let count = target.primary_key().filter(|_| !quick)?.key_count;
        let key = self.alloc_regs(count);
        self.op(Opcode::Null, 0, key, key + count as i32 - 1);
        Some(key)
    }

    fn check_key_order(&mut self, target: &Target, key: i32, regs: Registers) -> Result<()> {
        let Some(primary) = target.primary_key().cloned() else {
            return Ok(());
        };
        let (table, data) = (&target.table, target.data_cursor);
        let fine = self.label();
        let count = P4::Int(primary.key_count as i32);
        self.op4(Opcode::IdxGT, data, fine.into(), key, count);
        self.jump(Opcode::IsNull, key, fine, 0);
        let text = format!("row not in PRIMARY KEY order for {}", table.name);
        self.report_text(regs, &text);
        self.place(fine);
        for at in 0..primary.key_count {
            self.code_index_column(table, &primary, data, at, key + at as i32)?;
        }
        Ok(())
    }

    /// A column is not NULL if it must not be, and of a type that its affinity leaves.
    fn check_column(&mut self, target: &Target, number: usize, regs: Registers) -> Result<()> {
        let table = &target.table;
        let column = &table.columns[number];
        let wanted = WantedTypes::of(table, number);
        if column.not_null.is_none() && wanted.is_none() {
            return Ok(());
        }
        let place = self.column_place(target, number, regs)?;
        let (fine, failed) = (self.label(), self.label());
        let named = |what: &str| format!("{what} value in {}.{}", table.name, column.name);
        if column.not_null.is_some() {
            let typed = self.is_type(&place, fine, if place.cursor < 0 { 0x0f } else { 0x0d });
            let mut not_null = None;
            if place.cursor >= 0 {
                // What the header calls a REAL may be a NaN, which is NULL.
                self.code_column_into(target.data_cursor, number as i32, regs.scratch)?;
                not_null = Some(self.jump(Opcode::NotNull, regs.scratch, fine, 0));
            }
            self.op4(Opcode::String8, 0, regs.out, 0, P4::text(named("NULL")));
            if wanted.is_some() {
                self.goto(failed);
                self.jump_here(typed);
                if let Some(not_null) = not_null {
                    self.jump_here(not_null);
                }
            }
        }
        if let Some(wanted) = wanted {
            self.is_type(&place, fine, wanted.mask);
            if wanted.converts {
                if place.cursor >= 0 {
                    self.code_column_into(target.data_cursor, number as i32, regs.scratch)?;
                }
                let numeric = P4::affinity(&[Affinity::Numeric as u8]);
                self.op4(Opcode::Affinity, regs.scratch, 1, 0, numeric);
                let register = ColumnPlace {
                    cursor: -1,
                    at: regs.scratch,
                    ..place
                };
                self.is_type(&register, fine, 0x1c);
            }
            let text = P4::text(named(&wanted.complaint));
            self.op4(Opcode::String8, 0, regs.out, 0, text);
        }
        self.place(failed);
        self.report(regs);
        self.place(fine);
        Ok(())
    }

    /// Where a column is looked at: a virtual one is computed first.
    fn column_place(
        &mut self,
        target: &Target,
        number: usize,
        regs: Registers,
    ) -> Result<ColumnPlace> {
        let (table, column) = (&target.table, &target.table.columns[number]);
        if column.is_virtual() {
            self.code_column_into(target.data_cursor, number as i32, regs.scratch)?;
            return Ok(ColumnPlace {
                cursor: -1,
                at: regs.scratch,
                absent: NULL_TYPE,
            });
        }
        let at = match target.primary_key() {
            Some(primary) => primary.position_of(number as i32),
            None => Some(table.storage_of(number)),
        };
        Ok(ColumnPlace {
            cursor: target.data_cursor,
            at: at.unwrap_or(number) as i32,
            absent: column
                .default
                .as_ref()
                .map_or(NULL_TYPE, |default| type_of(&default.value)),
        })
    }

    /// Jumps to `fine` if the column is of a type in `mask`.
    fn is_type(&mut self, place: &ColumnPlace, fine: Label, mask: u16) -> i32 {
        let absent = P4::Int(place.absent);
        let at = self.op4(Opcode::IsType, place.cursor, fine.into(), place.at, absent);
        self.p5(mask);
        at
    }

    fn check_conditions(&mut self, target: &Target, regs: Registers) -> Result<()> {
        let table = &target.table;
        if table.checks.is_empty() || self.ctx.flags.ignore_check_constraints {
            return Ok(());
        }
        let (failed, fine) = (self.label(), self.label());
        for (n, check) in table.checks.iter().enumerate().rev() {
            let expr = crate::resolve::resolve_self_at(
                self,
                table,
                target.data_cursor,
                &check.expr,
                crate::resolve::Place::Check,
            )?;
            if n > 0 {
                self.expr_if_false(&expr, failed, false)?;
            } else {
                self.expr_if_true(&expr, fine, true)?;
            }
        }
        self.place(failed);
        self.report_text(regs, &format!("CHECK constraint failed in {}", table.name));
        self.place(fine);
        Ok(())
    }

    /// The row's entry is in index `n`, says what the row says, and in a UNIQUE index is there only once.
    fn check_entry(&mut self, target: &Target, n: usize, row: i32, regs: Registers) -> Result<()> {
        let index = target.table.indexes[n].clone();
        let cursor = target.cursor_of(n);
        let (first, count, skip) = self.index_key(target, &index, None, false)?;
        let (found, done) = (self.label(), self.label());
        let key = P4::Int(count as i32);
        self.op4(Opcode::Found, cursor, found.into(), first, key);
        let missing = format!(" missing from index {}", index.name);
        self.report_row(("row ", row, &missing), regs, done);
        self.place(found);
        if target.table.has_rowid() {
            // Only where nothing comes behind the rowid the end of the entry can be read for it.
            self.op(Opcode::IdxRowid, cursor, regs.scratch, 0);
            let last = first + count as i32 - 1;
            let same = self.op(Opcode::Eq, regs.scratch, 0, last);
            let ends = format!(" of index {}", index.name);
            let begins = "rowid not at end-of-record for row ";
            self.report_row((begins, row, &ends), regs, done);
            self.jump_here(same);
        }
        self.check_values(&index, cursor, first, row, regs, done);
        if index.unique.is_some() {
            self.check_unique(target, &index, cursor, first, regs);
        }
        self.place(done);
        self.release_temps(first, count);
        if let Some(skip) = skip {
            self.place(skip);
        }
        Ok(())
    }

    /// What is equal under a collation must be the very same text in index and table.
    fn check_values(
        &mut self,
        index: &Index,
        cursor: i32,
        first: i32,
        row: i32,
        regs: Registers,
        done: Label,
    ) {
        let (differs, same) = (self.label(), self.label());
        let mut any = false;
        for (at, column) in index.columns[..index.key_count].iter().enumerate() {
            if column.collation != CollationName::Binary {
                any = true;
                self.op(Opcode::Column, cursor, at as i32, regs.scratch);
                self.jump(Opcode::Ne, regs.scratch, differs, first + at as i32);
            }
        }
        if any {
            self.goto(same);
            self.place(differs);
            let ends = format!(" values differ from index {}", index.name);
            self.report_row(("row ", row, &ends), regs, done);
        }
        self.place(same);
    }

    /// The next entry must differ in the key, unless that holds a NULL.
    fn check_unique(
        &mut self,
        target: &Target,
        index: &Index,
        cursor: i32,
        first: i32,
        regs: Registers,
    ) {
        let unique = self.label();
        for (i, column) in index.columns[..index.key_count].iter().enumerate() {
            let nullable = match column.key {
                IndexKey::Column(number) => target.table.columns[number].not_null.is_none(),
                IndexKey::Rowid => false,
                IndexKey::Expr(_) => true,
            };
            if nullable {
                self.jump(Opcode::IsNull, first + i as i32, unique, 0);
            }
        }
        let more = self.op(Opcode::Next, cursor, 0, 0);
        self.goto(unique);
        self.jump_here(more);
        let count = P4::Int(index.key_count as i32);
        self.op4(Opcode::IdxGT, cursor, unique.into(), first, count);
        self.report_text(regs, &format!("non-unique entry in index {}", index.name));
        self.place(unique);
    }

    /// Reports a sentence around the number of the row, and leaves the row's entry alone.
    fn report_row(&mut self, (begins, row, ends): (&str, i32, &str), regs: Registers, done: Label) {
        self.op4(Opcode::String8, 0, regs.out, 0, P4::text(begins));
        self.op(Opcode::Concat, row, regs.out, regs.out);
        self.op4(Opcode::String8, 0, regs.scratch, 0, P4::text(ends));
        self.op(Opcode::Concat, regs.scratch, regs.out, regs.out);
        self.op(Opcode::ResultRow, regs.out, 1, 0);
        self.jump(Opcode::IfPos, regs.left, done, 1);
        self.op(Opcode::Halt, 0, 0, 0);
    }
}

/// `sqlite3_value_type` of NULL.
const NULL_TYPE: i32 = 5;

/// Where `IsType` looks.
struct ColumnPlace {
    /// -1 if it is a register.
    cursor: i32,
    /// The place in the record, or the register.
    at: i32,
    /// The type of what a row has that ends before the column.
    absent: i32,
}

/// The types that a column may hold, as `IsType` has them: 1 INTEGER, 2 REAL, 4 TEXT, 8 BLOB, 16 NULL.
struct WantedTypes {
    mask: u16,
    /// A text is all right if it is no number.
    converts: bool,
    /// What is there instead.
    complaint: String,
}

impl WantedTypes {
    /// `None` if it may hold everything.
    fn of(table: &Table, number: usize) -> Option<WantedTypes> {
        let column = &table.columns[number];
        if table.strict {
            let declared = column.decl_type.as_deref().unwrap_or("ANY");
            let declared = declared.to_ascii_uppercase();
            let mask = match &*declared {
                "BLOB" => 0x18,
                "INT" | "INTEGER" => 0x11,
                "REAL" => 0x13,
                "TEXT" => 0x14,
                _ => return None,
            };
            return Some(WantedTypes {
                mask,
                converts: false,
                complaint: format!("non-{declared}"),
            });
        }
        match column.affinity {
            Affinity::None | Affinity::Blob => None,
            Affinity::Text => Some(WantedTypes {
                mask: 0x1c,
                converts: false,
                complaint: "NUMERIC".to_owned(),
            }),
            _ => Some(WantedTypes {
                mask: 0x1b,
                converts: true,
                complaint: "TEXT".to_owned(),
            }),
        }
    }
}

fn type_of(default: &P4) -> i32 {
    let P4::Value(value) = default else {
        return NULL_TYPE;
    };
    match value.as_ref().as_ref() {
        ValueRef::Integer(_) => 1,
        ValueRef::Real(_) => 2,
        ValueRef::Text(_) => 3,
        ValueRef::Blob(_) => 4,
        ValueRef::Null => NULL_TYPE,
    }
}

/// Puts the tables of a database in the order in which SQLite checks them.
fn in_walk_order(tables: &mut Vec<Arc<Table>>) {
    tables.sort_by_key(|table| table.order);
    let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
    let order = walk_order(&names);
    *tables = order.into_iter().map(|at| tables[at].clone()).collect();
}

/// The root pages of tables and their indexes: of a WITHOUT ROWID table that of its primary key, in its place.
fn roots_of(tables: &[Arc<Table>]) -> Vec<u32> {
    let mut roots = Vec::new();
    for table in tables {
        if table.has_rowid() {
            roots.push(table.root);
        }
        roots.extend(table.indexes.iter().map(|index| index.root));
    }
    roots
}
