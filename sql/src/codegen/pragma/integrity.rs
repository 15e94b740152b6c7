//! integrity_check and quick_check.
//!
//! ```text
//!   for each database
//!     the trees                       IntegrityCk: pages, cells, order of keys; counts the entries of each tree
//!     the counts of the indexes       against those of their tables
//!     each row of each table          NOT NULL, CHECK, and (integrity_check) its entries in the indexes, once each where
//!                                     they are UNIQUE
//!   "ok" if nothing was found
//! ```
//!
//! Register 1 of the rows counts down how many more may be reported; the first row beyond the limit ends the program.
//!
//! Source: SQLite's `sqlite3Pragma` (PragTyp_INTEGRITY_CHECK).

use crate::codegen::write::Target;
use crate::compiler::{Compiler, Result, SqlError};
use crate::schema::{IndexKey, Table};
use ringwood_vdbe::{Opcode, P4};
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
            match arg.parse::<i32>() {
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
            tables.retain(|table| !table.is_view() && table.root > 0);
            tables.sort_by_key(|table| table.root);
            regs.counts = self.check_trees(number, &tables, only.is_some(), regs);
            if regs.counts == 0 {
                continue;
            }
            self.check_counts(&tables, regs);
            for table in &tables {
                self.check_rows(number, table, quick, regs)?;
            }
        }
        // Nothing was reported: the counter is where it began.
        self.op(Opcode::AddImm, left, 1 - limit as i32, 0);
        let found = self.op(Opcode::IfNotZero, left, 0, 0);
        self.op4(Opcode::String8, 0, regs.out, 0, P4::text("ok"));
        self.op(Opcode::ResultRow, regs.out, 1, 0);
        self.jump_here(found);
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
        let roots = roots_of(tables);
        let count_of = |root: u32| {
            let at = roots.iter().position(|other| *other == root);
            regs.counts + at.expect("every root is in the list") as i32
        };
        for table in tables {
            for index in &table.indexes {
                if index.root == table.root || index.partial.is_some() {
                    continue;
                }
                let (rows, entries) = (count_of(table.root), count_of(index.root));
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
        let done = self.label();
        let top = self.jump(Opcode::Rewind, data, done, 0) + 1;
        self.op(Opcode::AddImm, row, 1, 0);
        self.check_not_null_columns(&target, regs)?;
        self.check_conditions(&target, regs)?;
        if !quick {
            self.check_entries(&target, row, regs)?;
        }
        self.op(Opcode::Next, data, top, 0);
        self.place(done);
        self.op(Opcode::Close, data, 0, 0);
        Ok(())
    }

    fn check_not_null_columns(&mut self, target: &Target, regs: Registers) -> Result<()> {
        let table = &target.table;
        for (number, column) in table.columns.iter().enumerate() {
            if column.not_null.is_none() || table.rowid_alias == Some(number) {
                continue;
            }
            self.code_column_into(target.data_cursor, number as i32, regs.scratch)?;
            let fine = self.op(Opcode::NotNull, regs.scratch, 0, 0);
            self.report_text(
                regs,
                &format!("NULL value in {}.{}", table.name, column.name),
            );
            self.jump_here(fine);
        }
        Ok(())
    }

    fn check_conditions(&mut self, target: &Target, regs: Registers) -> Result<()> {
        let table = &target.table;
        if table.checks.is_empty() || self.ctx.flags.ignore_check_constraints {
            return Ok(());
        }
        let (failed, fine) = (self.label(), self.label());
        for (n, check) in table.checks.iter().enumerate() {
            let expr = crate::resolve::resolve_self_at(
                self,
                table,
                target.data_cursor,
                &check.expr,
                crate::resolve::Place::Check,
            )?;
            if n + 1 < table.checks.len() {
                self.without_factoring(|c| c.expr_if_false(&expr, failed, false))?;
            } else {
                self.without_factoring(|c| c.expr_if_true(&expr, fine, true))?;
            }
        }
        self.place(failed);
        self.report_text(regs, &format!("CHECK constraint failed in {}", table.name));
        self.place(fine);
        Ok(())
    }

    /// The row's entry is in each index, and in a UNIQUE one only once.
    fn check_entries(&mut self, target: &Target, row: i32, regs: Registers) -> Result<()> {
        let table = target.table.clone();
        for (n, index) in table.indexes.iter().enumerate() {
            if target.is_table(n) {
                continue;
            }
            let cursor = target.cursor_of(n);
            let (first, count, skip) = self.index_key(target, index, None, false)?;
            let found = self.label();
            self.op4(
                Opcode::Found,
                cursor,
                found.into(),
                first,
                P4::Int(count as i32),
            );
            self.op4(Opcode::String8, 0, regs.out, 0, P4::text("row "));
            self.op(Opcode::Concat, row, regs.out, regs.out);
            let text = format!(" missing from index {}", index.name);
            self.op4(Opcode::String8, 0, regs.scratch, 0, P4::text(text));
            self.op(Opcode::Concat, regs.scratch, regs.out, regs.out);
            self.report(regs);
            self.place(found);
            if index.unique.is_some() {
                // The next entry must differ in the key, unless that holds a NULL.
                let unique = self.label();
                for (i, column) in index.columns[..index.key_count].iter().enumerate() {
                    let nullable = match column.key {
                        IndexKey::Column(number) => table.columns[number].not_null.is_none(),
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
                self.op4(
                    Opcode::IdxGT,
                    cursor,
                    unique.into(),
                    first,
                    P4::Int(index.key_count as i32),
                );
                self.report_text(regs, &format!("non-unique entry in index {}", index.name));
                self.place(unique);
            }
            self.release_temps(first, count);
            if let Some(skip) = skip {
                self.place(skip);
            }
        }
        Ok(())
    }
}

/// The root pages of tables and their indexes, each once.
fn roots_of(tables: &[Arc<Table>]) -> Vec<u32> {
    let mut roots = Vec::new();
    for table in tables {
        roots.push(table.root);
        roots.extend(
            table
                .indexes
                .iter()
                .map(|index| index.root)
                .filter(|root| *root != table.root),
        );
    }
    roots
}
