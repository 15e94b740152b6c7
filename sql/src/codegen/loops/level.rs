//! One level: its head, then every condition that can be tested there.
//!
//! Source: SQLite's `sqlite3WhereCodeOneLoopStart`.

use super::Loops;
use crate::bound::{Expr, In, InSet};
use crate::compiler::{Compiler, Result};
use crate::plan::scan::Scan;
use crate::plan::term::{On, Rows, binary_op};
use crate::plan::{ClauseId, Control, LoopFlags, Mask, Ops, TermFlags, TermId};
use ringwood_vdbe::{Opcode, P4};

/// What must be read to test a condition; the order of testing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Index,
    Table,
    Subqueries,
}

impl Loops<'_> {
    /// Emits the head of a level and its conditions; returns the sources that are still without a row.
    pub(super) fn code_level(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        not_ready: Mask,
    ) -> Result<Mask> {
        let reverse = self.plan.reverse >> i & 1 != 0;
        let source = self.plan.sources[self.levels[i].source];
        let cont = c.label();
        {
            let code = &mut self.levels[i];
            code.cont = cont;
            code.next = code.brk;
            code.not_ready = not_ready & !self.plan.masks.of(code.table_cursor);
        }
        if self.levels[i].source > 0
            && source.join.left
            && !self.plan.control.contains(Control::OR_SUBCLAUSE)
        {
            let reg = c.alloc_reg();
            self.levels[i].left_join = reg;
            c.op(Opcode::Integer, 0, reg, 0);
        }
        let flags = self.plan.levels[i].lp.flags;
        let mut uses_index = false;
        if let (
            Rows::Coroutine {
                yield_reg,
                address,
                result,
            },
            false,
        ) = (source.rows, flags.contains(LoopFlags::AUTO_INDEX))
        {
            self.code_coroutine(c, i, yield_reg, address, result);
        } else if flags.contains(LoopFlags::VIRTUAL) {
            self.code_virtual(c, i)?;
        } else if flags.contains(LoopFlags::IPK)
            && flags.intersects(LoopFlags::COLUMN_EQ | LoopFlags::COLUMN_IN)
        {
            self.code_rowid(c, i, reverse)?;
        } else if flags.contains(LoopFlags::IPK | LoopFlags::COLUMN_RANGE) {
            self.code_rowid_range(c, i, reverse)?;
        } else if flags.contains(LoopFlags::INDEXED) {
            self.code_index(c, i, reverse)?;
            let lone = !self
                .plan
                .control
                .intersects(Control::OR_SUBCLAUSE | Control::RIGHT_JOIN);
            uses_index = !(flags.contains(LoopFlags::IDX_ONLY) && lone);
        } else if flags.contains(LoopFlags::MULTI_OR) {
            self.code_multi_or(c, i)?;
        } else {
            self.code_scan(c, i, reverse);
        }
        self.code_conditions(c, i, uses_index)?;
        self.code_transitive(c, i, not_ready)?;
        if self.levels[i].right_join.is_some() {
            self.record_match(c, i)?;
        }
        if self.levels[i].left_join != 0 {
            self.levels[i].first = c.here();
            c.op(Opcode::Integer, 1, self.levels[i].left_join, 0);
            if self.levels[i].right_join.is_none() {
                self.code_after_match(c, i)?;
            }
        }
        if self.levels[i].right_join.is_some() {
            self.begin_body_subroutine(c, i);
            self.code_after_match(c, i)?;
        }
        Ok(self.levels[i].not_ready)
    }

    /// Tests what can be tested, in the order of [`Stage`].
    fn code_conditions(&mut self, c: &mut Compiler<'_>, i: usize, uses_index: bool) -> Result<()> {
        let cont = self.levels[i].cont;
        let not_ready = self.levels[i].not_ready;
        let mut stage = if uses_index {
            Stage::Index
        } else {
            Stage::Table
        };
        loop {
            let mut later: Option<Stage> = None;
            for n in 0..self.plan.clause(ClauseId::WHERE).terms.len() {
                let id = self.plan.clause(ClauseId::WHERE).terms[n];
                let t = self.plan.term(id);
                if t.flags.intersects(TermFlags::VIRTUAL | TermFlags::CODED) {
                    continue;
                }
                if t.prereq_all & not_ready != 0 {
                    self.untested = true;
                    continue;
                }
                if !self.is_ready(i, t.on) {
                    continue;
                }
                if stage == Stage::Index {
                    let lp = &self.plan.levels[i].lp;
                    let covered = lp
                        .index
                        .is_some_and(|no| self.plan.covered_by_index(&t.expr, lp.source, no));
                    if !covered {
                        later = Some(Stage::Table);
                        continue;
                    }
                }
                if stage < Stage::Subqueries && t.flags.contains(TermFlags::VAR_SELECT) {
                    later = later.or(Some(Stage::Subqueries));
                    continue;
                }
                let (expr, like_cond) = (t.expr.clone(), t.flags.contains(TermFlags::LIKE_COND));
                let mut skip = 0;
                if let (true, Some((reg, _, downwards))) = (like_cond, self.levels[i].like) {
                    // Texts have been tested by the range: only the pass over BLOBs needs the function.
                    skip = c.op(
                        if downwards { Opcode::IfNot } else { Opcode::If },
                        reg,
                        0,
                        0,
                    );
                }
                c.expr_if_false(&expr, cont, true)?;
                if skip != 0 {
                    c.jump_here(skip);
                }
                self.plan.term_mut(id).flags |= TermFlags::CODED;
            }
            match later {
                Some(next) => stage = next,
                None => return Ok(()),
            }
        }
    }

    /// Whether a term may be tested before the match of an outer join is recorded: only those of its ON may.
    pub(super) fn is_ready(&self, i: usize, on: On) -> bool {
        let join = self.plan.sources[self.levels[i].source].join;
        if !(join.left || join.left_of_right || join.right) {
            return true;
        }
        match on {
            On::Where => false,
            On::Inner(_) if join.left => false,
            On::Inner(cursor) | On::Outer(cursor) => {
                self.plan.masks.of(cursor) & self.levels[i].not_ready == 0
            }
        }
    }

    /// `a = b AND b = 5`: where only `a` has a row yet, tests `a = 5`.
    fn code_transitive(&mut self, c: &mut Compiler<'_>, i: usize, not_ready: Mask) -> Result<()> {
        let cursor = self.levels[i].table_cursor;
        if self.plan.sources[self.levels[i].source].in_outer_join() {
            return Ok(());
        }
        let base = self.plan.clause(ClauseId::WHERE).base_count;
        for n in 0..base {
            let id = self.plan.clause(ClauseId::WHERE).terms[n];
            let t = self.plan.term(id);
            if t.flags.intersects(TermFlags::VIRTUAL | TermFlags::CODED)
                || !t.ops.intersects(Ops::EQ | Ops::IS)
                || !t.ops.contains(Ops::EQUIV)
                || t.cursor != cursor
            {
                continue;
            }
            let Some(left) = t.sides.as_ref().map(|s| (*s.left).clone()) else {
                continue;
            };
            let wanted = Ops::EQ | Ops::IN | Ops::IS;
            let Some(other) = self.plan.find_term(
                Scan::column(ClauseId::WHERE, cursor, t.column, wanted),
                not_ready,
                wanted,
            ) else {
                continue;
            };
            if let Some(expr) = self.implied(c, other, left) {
                let cont = self.levels[i].cont;
                c.expr_if_false(&expr, cont, true)?;
                self.plan.term_mut(other).flags |= TermFlags::CODED;
            }
        }
        Ok(())
    }

    /// A term with another left side.
    fn implied(&self, c: &mut Compiler<'_>, id: TermId, left: Expr) -> Option<Expr> {
        let t = self.plan.term(id);
        let sides = t.sides.as_ref()?;
        if t.flags.contains(TermFlags::CODED)
            || sides.left.has_collate()
            || sides.right.as_ref().is_some_and(|r| r.has_collate())
        {
            return None;
        }
        match (&sides.right, t.in_expr()) {
            (Some(right), _) => {
                let mut expr = Expr::binary(binary_op(sides.op)?, left, (**right).clone());
                if let Expr::Binary { commuted, .. } = &mut expr {
                    *commuted = sides.commuted;
                }
                Some(expr)
            }
            (
                None,
                Some(In {
                    set: set @ InSet::List(_),
                    ..
                }),
            ) => {
                let id = c.next_subquery();
                Some(Expr::In(Box::new(In {
                    left,
                    set: set.clone(),
                    not: false,
                    id,
                })))
            }
            _ => None,
        }
    }

    /// The conditions of WHERE on an outer join's right table, tested once it is known whether there is a match.
    fn code_after_match(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let join = self.plan.sources[self.levels[i].source].join;
        let (cont, not_ready) = (self.levels[i].cont, self.levels[i].not_ready);
        let base = self.plan.clause(ClauseId::WHERE).base_count;
        for n in 0..base {
            let id = self.plan.clause(ClauseId::WHERE).terms[n];
            let t = self.plan.term(id);
            let done = t.flags.intersects(TermFlags::VIRTUAL | TermFlags::CODED);
            if done || t.prereq_all & not_ready != 0 || join.left_of_right {
                continue;
            }
            let expr = t.expr.clone();
            c.expr_if_false(&expr, cont, true)?;
            self.plan.term_mut(id).flags |= TermFlags::CODED;
        }
        Ok(())
    }

    /// Remembers that a row of a RIGHT JOIN's right table has found a match.
    fn record_match(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let Some(join) = self.levels[i].right_join.clone() else {
            return Ok(());
        };
        let columns = self.key_columns(i);
        let first = c.temp_regs(columns.len() + 1);
        self.code_key(c, i, &columns, first + 1)?;
        let count = columns.len() as i32;
        let found = c.op4(Opcode::Found, join.matched, 0, first + 1, P4::Int(count));
        c.op(Opcode::MakeRecord, first + 1, count, first);
        c.op4(
            Opcode::IdxInsert,
            join.matched,
            first,
            first + 1,
            P4::Int(count),
        );
        if join.filter != 0 {
            c.op4(Opcode::FilterAdd, join.filter, 0, first + 1, P4::Int(count));
        }
        c.jump_here(found);
        c.release_temps(first, columns.len() + 1);
        Ok(())
    }

    /// The columns that tell a level's rows apart; -1 is the rowid.
    pub(super) fn key_columns(&self, i: usize) -> Vec<i32> {
        let table = &self.plan.sources[self.levels[i].source].item.table;
        match table.primary_key_index().filter(|_| table.without_rowid) {
            Some(index) => index.columns[..index.key_count]
                .iter()
                .map(|k| k.key.column().unwrap_or(-1))
                .collect(),
            None => vec![-1],
        }
    }

    /// Those columns, into registers from `target` on.
    pub(super) fn code_key(
        &self,
        c: &mut Compiler<'_>,
        i: usize,
        columns: &[i32],
        target: i32,
    ) -> Result<()> {
        let cursor = self.levels[i].table_cursor;
        for (n, &column) in columns.iter().enumerate() {
            let target = target + n as i32;
            let reg = c.code_column(cursor, column, target)?;
            if reg != target {
                c.op(Opcode::SCopy, reg, target, 0);
            }
        }
        Ok(())
    }
}
