//! The generated columns of a row about to be stored.
//!
//! Rules:
//! 1. The other columns get their affinities first: an expression sees values as they will be stored.
//! 2. A column is computed once all generated columns that its expression mentions are; where none can go on there is a
//!    loop.
//!
//! Source: SQLite's `sqlite3ComputeGeneratedColumns`.

use super::Target;
use crate::bound::walk::for_each_column;
use crate::codegen::column::type_check_letters;
use crate::compiler::{Compiler, CursorOverride, Reals, Result, SqlError};
use crate::resolve::{Place, resolve_self_at};
use crate::schema::Table;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl Compiler<'_> {
    /// Computes the generated columns of the row whose rowid is in register `row`, the columns behind it.
    ///
    /// # Errors
    /// `generated column loop on "x"`
    pub fn compute_generated_columns(&mut self, target: &Target, row: i32) -> Result<()> {
        let table = &target.table;
        self.plain_columns_affinity(table, row + 1);
        let is_generated = |number: usize| table.columns[number].generated.is_some();
        let mut waiting: Vec<(usize, Vec<usize>)> = Vec::new();
        for (number, column) in table.columns.iter().enumerate() {
            let Some(generated) = &column.generated else {
                continue;
            };
            let place = Place::Generated;
            let expr = resolve_self_at(self, table, target.data_cursor, &generated.expr, place)?;
            let mut needs = Vec::new();
            for_each_column(&expr, &mut |column| {
                if let Ok(other) = usize::try_from(column.column) {
                    if is_generated(other) {
                        needs.push(other);
                    }
                }
            });
            waiting.push((number, needs));
        }
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut still: Vec<(usize, Vec<usize>)> = Vec::new();
            for i in 0..waiting.len() {
                let (number, needs) = &waiting[i];
                let blocked = needs.iter().any(|need| {
                    still.iter().any(|(other, _)| other == need)
                        || waiting[i..].iter().any(|(other, _)| other == need)
                });
                if blocked {
                    still.push((*number, needs.clone()));
                } else {
                    self.compute_generated(target, row, *number)?;
                }
            }
            if still.len() == before {
                let (last, _) = still[before - 1];
                let name = &table.columns[last].name;
                return Err(SqlError::error(format!(
                    "generated column loop on \"{name}\""
                )));
            }
            waiting = still;
        }
        Ok(())
    }

    fn compute_generated(&mut self, target: &Target, row: i32, number: usize) -> Result<()> {
        let (table, cursor) = (&target.table, target.data_cursor);
        let to = row + 1 + table.storage_of(number) as i32;
        let registers = CursorOverride::Registers {
            first: row + 1,
            rowid: Some(row),
            reals: Reals::Unstored,
        };
        self.without_factoring(|c| {
            c.with_override(cursor, registers, |c| {
                c.code_generated_column(table, cursor, number, to)
            })
        })
    }

    /// Rule 1.
    fn plain_columns_affinity(&mut self, table: &Arc<Table>, first: i32) {
        let stored = table.columns.iter().filter(|column| !column.is_virtual());
        if table.strict {
            let mut p4 = type_check_letters(table, None);
            if let P4::Affinity(text) = &mut p4 {
                let mut letters = text.to_vec();
                for (letter, column) in letters.iter_mut().zip(stored) {
                    if column.generated.is_some() {
                        *letter = b'G';
                    }
                }
                p4 = P4::affinity(&letters);
            }
            let count = table.stored_count() as i32;
            self.op4(Opcode::TypeCheck, first, count, 0, p4);
            return;
        }
        let mut letters: Vec<u8> = stored
            .map(|column| {
                if column.generated.is_some() {
                    b'@'
                } else {
                    column.affinity as u8
                }
            })
            .collect();
        while letters.last().is_some_and(|letter| *letter <= b'A') {
            letters.pop();
        }
        if !letters.is_empty() {
            let count = letters.len() as i32;
            self.op4(Opcode::Affinity, first, count, 0, P4::affinity(&letters));
        }
    }
}
