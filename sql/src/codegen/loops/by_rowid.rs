//! Loops over a table by its own key: all rows, one rowid, a range of rowids, the rows of a subquery.
//!
//! Source: SQLite's `sqlite3WhereCodeOneLoopStart`, cases 1, 2 and 6.

use super::Loops;
use crate::bound::Expr;
use crate::compiler::{Compiler, CursorOverride, Reals, Result, SqlError};
use crate::plan::term::{ExprRef, Rows};
use crate::plan::{LoopFlags, Ops, TermId};
use ringwood_vdbe::Opcode;
use ringwood_vdbe::opcode::p5;

impl<'q> Loops<'q> {
    /// The rows of a co-routine.
    pub(super) fn code_coroutine(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        yield_reg: i32,
        address: i32,
        result: i32,
    ) {
        let brk = self.levels[i].brk;
        c.op(Opcode::InitCoroutine, yield_reg, 0, address);
        let next = c.jump(Opcode::Yield, yield_reg, brk, 0);
        let code = &mut self.levels[i];
        code.op = Opcode::Goto;
        code.p1 = 0;
        code.p2 = next;
        self.cover(
            c,
            i,
            CursorOverride::Registers {
                first: result,
                rowid: None,
                reals: Reals::Read,
            },
        );
    }

    /// All rows of the table.
    pub(super) fn code_scan(&mut self, c: &mut Compiler<'_>, i: usize, reverse: bool) {
        if self.plan.sources[self.levels[i].source].rows == Rows::Recursive {
            return;
        }
        let code = &mut self.levels[i];
        let (start, step) = if reverse {
            (Opcode::Last, Opcode::Prev)
        } else {
            (Opcode::Rewind, Opcode::Next)
        };
        let addr = c.jump(start, code.table_cursor, code.halt, 0);
        code.op = step;
        code.p1 = code.table_cursor;
        code.p2 = addr + 1;
        code.p5 = 1; // counts as a step of a full scan
    }

    /// The row with one rowid, or each of those of an IN.
    pub(super) fn code_rowid(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        reverse: bool,
    ) -> Result<()> {
        let Some(Some(id)) = self.plan.levels[i].lp.terms.first().copied() else {
            return Err(SqlError::error("internal query planner error"));
        };
        let target = c.alloc_reg();
        let reg = self.code_equality(c, i, id, 0, reverse, target)?;
        if self.levels[i].filter != 0 {
            let next = self.levels[i].next;
            c.jump(Opcode::MustBeInt, reg, next, 0);
            self.ask_filters(c, i, reg, 1, next)?;
        }
        let code = &mut self.levels[i];
        c.jump(Opcode::SeekRowid, code.table_cursor, code.next, reg);
        code.op = Opcode::Noop;
        Ok(())
    }

    /// A range of rowids.
    pub(super) fn code_rowid_range(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        reverse: bool,
    ) -> Result<()> {
        let lp = &self.plan.levels[i].lp;
        let mut terms = lp.terms.iter().copied();
        let bottom = lp
            .flags
            .contains(LoopFlags::BTM_LIMIT)
            .then(|| terms.next().flatten())
            .flatten();
        let top = lp
            .flags
            .contains(LoopFlags::TOP_LIMIT)
            .then(|| terms.next().flatten())
            .flatten();
        let (start, end) = if reverse {
            (top, bottom)
        } else {
            (bottom, top)
        };
        let (cursor, brk, halt) = (
            self.levels[i].table_cursor,
            self.levels[i].brk,
            self.levels[i].halt,
        );
        match start {
            Some(id) => {
                let (op, right) = self.range_of(id)?;
                let (reg, free) = if right.is_vector() {
                    let reg = c.temp_reg();
                    code_range_value(c, &right, reg, 1)?;
                    (reg, reg)
                } else {
                    let value = c.expr_code_temp(&right)?;
                    self.disable(i, id);
                    value
                };
                // A row value only approximates: its first column may be equal.
                let seek = match op {
                    Ops::GT if right.is_vector() => Opcode::SeekGE,
                    Ops::LT if right.is_vector() => Opcode::SeekLE,
                    Ops::GT => Opcode::SeekGT,
                    Ops::GE => Opcode::SeekGE,
                    Ops::LT => Opcode::SeekLT,
                    _ => Opcode::SeekLE,
                };
                c.jump(seek, cursor, brk, reg);
                c.release_temp(free);
            }
            None => {
                c.jump(
                    if reverse {
                        Opcode::Last
                    } else {
                        Opcode::Rewind
                    },
                    cursor,
                    halt,
                    0,
                );
            }
        }
        let mut test = None;
        if let Some(id) = end {
            let (op, right) = self.range_of(id)?;
            let reg = c.alloc_reg();
            code_range_value(c, &right, reg, 1)?;
            let strict = !right.is_vector() && matches!(op, Ops::LT | Ops::GT);
            if !right.is_vector() {
                self.disable(i, id);
            }
            let opcode = match (strict, reverse) {
                (true, false) => Opcode::Ge,
                (true, true) => Opcode::Le,
                (false, false) => Opcode::Gt,
                (false, true) => Opcode::Lt,
            };
            test = Some((opcode, reg));
        }
        let start = c.here();
        let code = &mut self.levels[i];
        code.op = if reverse { Opcode::Prev } else { Opcode::Next };
        code.p1 = cursor;
        code.p2 = start;
        if let Some((opcode, bound)) = test {
            let rowid = c.alloc_reg();
            c.op(Opcode::Rowid, cursor, rowid, 0);
            c.jump(opcode, bound, brk, rowid);
            c.p5(p5::AFF_NUMERIC | p5::JUMPIFNULL);
        }
        Ok(())
    }

    /// Operator and right side of a range term.
    pub(super) fn range_of(&self, id: TermId) -> Result<(Ops, ExprRef<'q>)> {
        let t = self.plan.term(id);
        match &t.sides {
            Some(s) => match &s.right {
                Some(right) => Ok((s.op, right.clone())),
                None => Err(SqlError::error("internal query planner error")),
            },
            None => Err(SqlError::error("internal query planner error")),
        }
    }
}

/// The first `count` columns of a value that may be a row value, into registers from `target` on.
pub(super) fn code_range_value(
    c: &mut Compiler<'_>,
    right: &Expr,
    target: i32,
    count: usize,
) -> Result<()> {
    match right {
        Expr::Vector(items) => {
            for (n, item) in items.iter().take(count).enumerate() {
                c.expr_code(item, target + n as i32)?;
            }
            Ok(())
        }
        Expr::Subquery(_) if right.is_vector() => {
            let (first, free) = c.expr_code_vector(right)?;
            c.op(Opcode::Copy, first, target, count as i32 - 1);
            c.release_temp(free);
            Ok(())
        }
        _ => c.expr_code(right, target),
    }
}
