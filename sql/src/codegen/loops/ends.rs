//! The ends of the loops: steps, IN loops, second passes, rows of NULLs.
//!
//! ```text
//!   continue:  Next / Prev            back to the level's conditions
//!   next:      the next value of each IN
//!   break:     the next prefix of a skip-scan; the second pass of a LIKE
//!              LEFT JOIN without a match: once more, with a row of NULLs
//! ```
//!
//! Source: SQLite's `sqlite3WhereEnd`.

use super::{Loops, Memory};
use crate::compiler::{Compiler, Result};
use crate::plan::term::Rows;
use crate::plan::{Distinct, LoopFlags};
use ringwood_vdbe::{Opcode, P4};

impl Loops<'_> {
    /// Emits the ends of the loops.
    ///
    /// # Errors
    /// What the code of unmatched rows of a RIGHT JOIN brings.
    pub fn end(mut self: Box<Self>, c: &mut Compiler<'_>) -> Result<()> {
        for i in (0..self.levels.len()).rev() {
            self.end_level(c, i);
        }
        for i in 0..self.levels.len() {
            if self.levels[i].right_join.is_some() {
                self.unmatched_rows(c, i)?;
            }
            self.forget_indexed(c, i);
            self.uncover(c, i);
        }
        c.place(self.break_label);
        c.query_loop = self.outer_rows;
        c.tools().planner = Memory::of(&mut self.plan, &mut self.levels);
        Ok(())
    }

    fn forget_indexed(&mut self, c: &mut Compiler<'_>, i: usize) {
        let code = &self.levels[i];
        if code.index.as_ref().is_some_and(|index| index.has_expr) {
            c.indexed_exprs
                .retain(|e| e.index_cursor != code.index_cursor);
        }
    }

    fn end_level(&mut self, c: &mut Compiler<'_>, i: usize) {
        if let Some(join) = self.levels[i].right_join.clone() {
            c.place(self.levels[i].cont);
            self.levels[i].cont = c.label();
            c.op(Opcode::Return, join.return_reg, join.subroutine, 1);
        }
        let seek = self.skip_duplicates(c, i);
        self.leave_exists(c, i);
        let code = &self.levels[i];
        let lp = &self.plan.levels[i].lp;
        c.place(code.cont);
        if code.op != Opcode::Noop {
            c.op(code.op, code.p1, code.p2, code.p3);
            c.p5(code.p5);
            if let Some(addr) = seek {
                c.jump_here(addr);
            }
            if let Some((reg, label)) = code.big_null {
                c.place(label);
                c.op(Opcode::DecrJumpZero, reg, code.p2 - 1, 0);
            }
        }
        if lp.flags.contains(LoopFlags::IN_ABLE) && !code.ins.is_empty() {
            c.place(code.next);
            for in_loop in code.ins.iter().rev() {
                c.jump_here(in_loop.top + 1);
                if let Some(step) = in_loop.step {
                    if in_loop.prefix > 0 {
                        let early = lp.flags.contains(LoopFlags::IN_EARLYOUT);
                        if code.left_join != 0 {
                            let to = c.here() + 2 + i32::from(early);
                            c.op(Opcode::IfNullRow, in_loop.cursor, to, in_loop.base);
                        }
                        if early {
                            let to = c.here() + 2;
                            let p4 = P4::Int(in_loop.prefix);
                            c.op4(Opcode::IfNoHope, code.index_cursor, to, in_loop.base, p4);
                            c.jump_here(in_loop.top + 1);
                        }
                    }
                    c.op(step, in_loop.cursor, in_loop.top, 0);
                }
                c.jump_here(in_loop.top - 1);
            }
        }
        c.place(code.brk);
        if let Some(join) = &code.right_join {
            c.op(Opcode::Return, join.return_reg, 0, 1);
        }
        if code.skip != 0 {
            c.op(Opcode::Goto, 0, code.skip, 0);
            c.jump_here(code.skip);
            c.jump_here(code.skip - 2);
        }
        if let Some((reg, addr, _)) = code.like {
            c.op(Opcode::DecrJumpZero, reg, addr, 0);
            // Counted from 1: the first pass over texts ends with 0, and the second one begins.
        }
        if code.left_join != 0 {
            self.null_row(c, i);
        }
    }

    /// After a row of an EXISTS its loop is left, with those of the EXISTS directly around it.
    fn leave_exists(&self, c: &mut Compiler<'_>, i: usize) {
        let exists = |i: usize| self.plan.sources[self.levels[i].source].item.from_exists;
        if !exists(i) || (i + 1 < self.levels.len() && exists(i + 1)) {
            return;
        }
        let mut outermost = i;
        while outermost > 0 && exists(outermost - 1) {
            outermost -= 1;
        }
        c.goto(self.levels[outermost].brk);
    }

    /// DISTINCT in index order: seeks past the rows that are the same, if statistics promise many.
    fn skip_duplicates(&self, c: &mut Compiler<'_>, i: usize) -> Option<i32> {
        let (code, lp) = (&self.levels[i], &self.plan.levels[i].lp);
        if code.op == Opcode::Noop
            || self.plan.distinct != Distinct::Ordered
            || i + 1 != self.levels.len()
            || !lp.flags.contains(LoopFlags::INDEXED)
            || lp.distinct_columns == 0
        {
            return None;
        }
        let index = code.index.as_ref()?;
        let n = usize::from(lp.distinct_columns);
        if !index.has_statistics || index.row_estimates.get(n).copied().unwrap_or(0) < 36 {
            return None;
        }
        let first = c.alloc_regs(n);
        let null =
            (code.left_join != 0).then(|| c.op(Opcode::IfNullRow, code.index_cursor, 0, first));
        for j in 0..n {
            c.op(
                Opcode::Column,
                code.index_cursor,
                j as i32,
                first + j as i32,
            );
        }
        let op = if code.op == Opcode::Prev {
            Opcode::SeekLT
        } else {
            Opcode::SeekGT
        };
        let seek = c.op4(op, code.index_cursor, 0, first, P4::Int(n as i32));
        c.op(Opcode::Goto, 1, code.p2, 0);
        if let Some(addr) = null {
            c.jump_here(addr);
        }
        Some(seek)
    }

    /// A LEFT JOIN without a match: the body once more, with a row of NULLs.
    fn null_row(&mut self, c: &mut Compiler<'_>, i: usize) {
        let code = &self.levels[i];
        let flags = self.plan.levels[i].lp.flags;
        let matched = c.op(Opcode::IfPos, code.left_join, 0, 0);
        if !flags.contains(LoopFlags::IDX_ONLY) {
            let source = self.plan.sources[code.source];
            if let Rows::Coroutine { result, .. } = source.rows {
                let count = source.item.table.columns.len() as i32;
                c.op(Opcode::Null, 0, result, result + count - 1);
            } else {
                c.op(Opcode::NullRow, code.table_cursor, 0, 0);
            }
        }
        if flags.intersects(LoopFlags::INDEXED)
            || (flags.contains(LoopFlags::MULTI_OR) && code.index.is_some())
        {
            if flags.contains(LoopFlags::MULTI_OR) {
                self.reopen_covering(c, i);
            }
            c.op(Opcode::NullRow, code.index_cursor, 0, 0);
        }
        for in_loop in &code.ins {
            if in_loop.step.is_some() {
                c.op(Opcode::NullRow, in_loop.cursor, 0, 0);
            }
        }
        if code.op == Opcode::Return {
            c.op(Opcode::Gosub, code.p1, code.first, 0);
        } else {
            c.op(Opcode::Goto, 0, code.first, 0);
        }
        c.jump_here(matched);
    }

    fn reopen_covering(&self, c: &mut Compiler<'_>, i: usize) {
        let code = &self.levels[i];
        let Some(index) = &code.index else { return };
        let item = self.plan.sources[code.source].item;
        // The key was made when the index was opened.
        if let Ok(key) = c.index_key_info(item.db, index) {
            c.op4(
                Opcode::ReopenIdx,
                code.index_cursor,
                index.root as i32,
                item.db as i32,
                P4::KeyInfo(key),
            );
        }
    }
}
