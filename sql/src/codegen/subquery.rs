//! Subqueries as values: scalar ones, row values, EXISTS.
//!
//! ```text
//!      BeginSubrtn 0 r          r = NULL: reached by falling in
//!      Once                     unless the subquery is correlated
//!      Null result              (EXISTS: Integer 0)
//!      … the SELECT, LIMIT 1 …
//!      Return r                 falls through, or back to a Gosub from another use of the same subquery
//! ```
//!
//! Source: SQLite's `sqlite3CodeSubselect`.

use super::select::Destination;
use crate::bound::Subquery;
use crate::compiler::{Compiler, Result, Subroutine};
use ringwood_vdbe::Opcode;

impl Compiler<'_> {
    /// Runs a subquery; the first of the registers that hold its row, NULLs if it has none. The resolver has given it
    /// a LIMIT of 1.
    pub fn code_subquery(&mut self, subquery: &Subquery) -> Result<i32> {
        self.code_value_subquery(subquery, false)
    }

    /// Runs a subquery; the register that is 1 if it has a row, else 0.
    pub fn code_exists(&mut self, subquery: &Subquery) -> Result<i32> {
        self.code_value_subquery(subquery, true)
    }

    fn code_value_subquery(&mut self, subquery: &Subquery, exists: bool) -> Result<i32> {
        let id = subquery.select.number;
        if let Some(known) = self.subroutine(subquery.id) {
            self.explain(|| format!("REUSE SUBQUERY {id}"));
            self.op(Opcode::Gosub, known.return_reg, known.entry, 0);
            return Ok(known.result);
        }
        let return_reg = self.alloc_reg();
        self.op(Opcode::BeginSubrtn, 0, return_reg, 0);
        let entry = self.here();
        let once = (!subquery.correlated).then(|| self.op(Opcode::Once, 0, 0, 0));
        let correlated = if subquery.correlated {
            "CORRELATED "
        } else {
            ""
        };
        self.explain_push(|| format!("{correlated}SCALAR SUBQUERY {id}"));
        let mut result;
        if exists {
            result = self.alloc_reg();
            self.set_subroutine(
                subquery.id,
                Subroutine {
                    return_reg,
                    entry,
                    result,
                    filter: 0,
                },
            );
            self.op(Opcode::Integer, 0, result, 0);
            self.code_select(&subquery.select, &mut Destination::exists(result))?;
        } else {
            let count = subquery.select.result.len();
            result = self.alloc_regs(count);
            self.set_subroutine(
                subquery.id,
                Subroutine {
                    return_reg,
                    entry,
                    result,
                    filter: 0,
                },
            );
            let mut destination = Destination::memory(result, count);
            let mut last = result + count as i32 - 1;
            if subquery.select.flags.distinct && subquery.select.offset.is_some() {
                // Rows that OFFSET skips must not be left in the result.
                destination.first = self.alloc_regs(count);
                last = destination.first + count as i32 - 1;
            }
            self.op(Opcode::Null, 0, result, last);
            self.code_select(&subquery.select, &mut destination)?;
            if destination.param != result {
                result = destination.param;
                let subroutine = Subroutine {
                    return_reg,
                    entry,
                    result,
                    filter: 0,
                };
                self.set_subroutine(subquery.id, subroutine);
            }
        }
        if let Some(once) = once {
            self.jump_here(once);
        }
        self.op(Opcode::Return, return_reg, entry, 1);
        self.explain_pop();
        self.clear_temps();
        Ok(result)
    }
}
