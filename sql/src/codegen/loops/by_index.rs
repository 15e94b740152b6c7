//! Loops over an index: equal columns, then a range, forwards or backwards.
//!
//! ```text
//!   a=5 AND b>1 AND b<=9, index (a, b)         r+0 = 5   r+1 = 1
//!                                              SeekGT  (5, 1)       past the lower bound
//!                                              r+1 = 9
//!                                         top: IdxGT   (5, 9)       past the upper bound: leave
//!                                              DeferredSeek         the table, when it is needed
//! ```
//!
//! | start | forwards | backwards | | end | forwards | backwards |
//! |---|---|---|---|---|---|---|
//! | no key | Rewind | Last | | key included | IdxGT | IdxLT |
//! | key included | SeekGE | SeekLE | | key excluded | IdxGE | IdxLE |
//! | key excluded | SeekGT | SeekLT | | | | |
//!
//! Rules:
//! 1. On a DESC column, or backwards, lower and upper bound change places.
//! 2. NULLs sort first: a range without a lower bound starts behind them.
//! 3. A LIKE prefix is walked twice: over texts, and over BLOBs, which the range compares otherwise.
//! 4. NULLS LAST on an ascending column is walked twice, too: without the NULLs, then over them.
//!
//! Source: SQLite's `sqlite3WhereCodeOneLoopStart`, case 4.

use super::Loops;
use super::equality::{Affinities, apply_affinities, range_affinities};
use crate::bound::walk;
use crate::compiler::{Compiler, CursorOverride, IndexedExpr, Optimizations, Result, SqlError};
use crate::plan::term::ExprRef;
use crate::plan::{ClauseId, Control, LoopFlags, Ops, TermFlags, TermId};
use crate::schema::{Index, IndexKey};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

impl<'q> Loops<'q> {
    /// The loop over an index; true if the table is still needed for conditions.
    pub(super) fn code_index(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        reverse: bool,
    ) -> Result<()> {
        let lp = self.plan.levels[i].lp.clone();
        let flags = lp.flags;
        let eq = usize::from(lp.eq);
        let Some(index) = self.levels[i].index.clone() else {
            return Err(SqlError::error("internal query planner error"));
        };
        let table = self.plan.sources[self.levels[i].source].item.table.clone();
        let cursor = self.levels[i].index_cursor;
        let desc = index.columns.get(eq).is_some_and(|column| column.desc);

        // Which terms bound the range, and how NULLs are kept out of it.
        let (mut bottom, mut top) = (lp.btm, lp.top);
        let mut extra = 0;
        let mut place = eq;
        let (mut start, mut end) = (None, None);
        if flags.contains(LoopFlags::BTM_LIMIT) {
            start = lp.terms[place];
            place += 1;
            extra = extra.max(usize::from(bottom));
        }
        let mut past_null = false;
        let mut stop_at_null = false;
        if flags.contains(LoopFlags::TOP_LIMIT) {
            end = lp.terms[place];
            extra = extra.max(usize::from(top));
            if end.is_some_and(|id| self.plan.term(id).flags.contains(TermFlags::LIKE_OPT)) {
                let reg = c.alloc_reg();
                c.op(Opcode::Integer, 1, reg, 0);
                self.levels[i].like = Some((reg, c.here(), reverse ^ desc));
            }
            if start.is_none() {
                past_null = match &index.columns[eq].key {
                    IndexKey::Column(n) => table.columns[*n].not_null.is_none(),
                    IndexKey::Rowid => false,
                    IndexKey::Expr(_) => true,
                };
            }
        }
        let mut big_null = 0;
        if flags.contains(LoopFlags::BIGNULL_SORT) && !flags.intersects(LoopFlags::BOTH_LIMIT) {
            extra = 1;
            past_null = true;
            big_null = c.alloc_reg();
            let label = c.label();
            self.levels[i].big_null = Some((big_null, label));
            if self.levels[i].left_join != 0 {
                c.op(Opcode::Integer, 0, big_null, 0);
            }
        }
        if eq < index.columns.len() && reverse != desc {
            // Rule 1.
            std::mem::swap(&mut start, &mut end);
            std::mem::swap(&mut past_null, &mut stop_at_null);
            std::mem::swap(&mut bottom, &mut top);
        }
        if i > 0 && flags.contains(LoopFlags::IN_SEEKSCAN) {
            c.op(Opcode::NullRow, cursor, 0, 0);
        }
        let (base, mut affinities) = self.code_equalities(c, i, reverse, extra)?;
        let flags = self.plan.levels[i].lp.flags; // IN loops have been noted
        let mut end_affinities: Affinities = affinities
            .get(eq..)
            .map(Affinities::from_slice)
            .unwrap_or_default();
        let next = self.levels[i]
            .big_null
            .map_or(self.levels[i].next, |(_, label)| label);
        let inclusive = |plan: &crate::plan::Where<'_>, id: Option<TermId>| {
            id.is_none_or(|id| plan.term(id).ops.intersects(Ops::LE | Ops::GE))
        };
        let mut start_eq = inclusive(&self.plan, start);
        let mut end_eq = inclusive(&self.plan, end);
        let mut bounded = start.is_some() || eq > 0;
        let mut count = eq;
        let range_reg = base + eq as i32;

        // The start.
        if let Some(id) = start {
            let right = self.code_bound(c, i, id, range_reg, usize::from(bottom), next)?;
            let width = usize::from(bottom).min(affinities.len() - eq);
            range_affinities(&right, &mut affinities[eq..eq + width]);
            count += usize::from(bottom);
            if right.is_vector() {
                start_eq = true;
            } else {
                self.disable(i, id);
            }
            past_null = false;
        } else if past_null || big_null != 0 {
            if past_null {
                start_eq = false;
            }
            c.op(Opcode::Null, 0, range_reg, 0);
            bounded = true;
            count += 1;
        }
        let typed = (count - usize::from(past_null)).min(affinities.len());
        apply_affinities(c, base, &affinities[..typed]);
        let mut seek_scan = 0;
        if !(lp.skip > 0 && count == usize::from(lp.skip)) {
            if big_null != 0 {
                c.op(Opcode::Integer, 1, big_null, 0);
            }
            self.ask_filters(c, i, base, eq, next)?;
            let op = start_op(bounded, start_eq, reverse);
            if flags.contains(LoopFlags::IN_SEEKSCAN) && op == Opcode::SeekGE {
                let steps = (index.row_estimates.first().copied().unwrap_or(0) + 9) / 10;
                seek_scan = c.op(Opcode::SeekScan, i32::from(steps), 0, 0);
                if start.is_some() || end.is_some() {
                    c.p5(1);
                    let after = c.here() + 1;
                    c.b.set_p2(seek_scan, after);
                    seek_scan = 0;
                }
            }
            c.op4(op, cursor, next.into(), base, P4::Int(count as i32));
            if big_null != 0 {
                let over = c.here() + 2;
                c.op(Opcode::Goto, 0, over, 0);
                let op = start_op(count > 1, true, reverse);
                c.op4(
                    op,
                    cursor,
                    next.into(),
                    base,
                    P4::Int((count - usize::from(start_eq)) as i32),
                );
            }
        }

        // The end.
        count = eq;
        if let Some(id) = end {
            let right = self.code_bound(c, i, id, range_reg, usize::from(top), next)?;
            let width = usize::from(top).min(end_affinities.len());
            range_affinities(&right, &mut end_affinities[..width]);
            apply_affinities(c, range_reg, &end_affinities[..width]);
            count += usize::from(top);
            if right.is_vector() {
                end_eq = true;
            } else {
                self.disable(i, id);
            }
        } else if stop_at_null {
            if big_null == 0 {
                c.op(Opcode::Null, 0, range_reg, 0);
                end_eq = false;
            }
            count += 1;
        }
        self.levels[i].p2 = c.here();
        if count > 0 {
            if big_null != 0 {
                let over = c.here() + 3;
                c.op(Opcode::IfNot, big_null, over, 0);
            }
            c.op4(
                end_op(end_eq, reverse),
                cursor,
                next.into(),
                base,
                P4::Int(count as i32),
            );
            if seek_scan != 0 {
                c.jump_here(seek_scan);
            }
        }
        if big_null != 0 {
            let over = c.here() + 2;
            c.op(Opcode::If, big_null, over, 0);
            let all = count + usize::from(past_null);
            c.op4(
                end_op(past_null, reverse),
                cursor,
                next.into(),
                base,
                P4::Int(all as i32),
            );
        }
        if flags.contains(LoopFlags::IN_EARLYOUT) {
            c.op(Opcode::SeekHit, cursor, lp.eq.into(), lp.eq.into());
        }
        self.code_table_seek(c, i, &index)?;
        if self.levels[i].left_join == 0
            && self.levels[i].right_join.is_none()
            && index.partial.is_some()
        {
            self.apply_partial(i);
        }
        self.finish_index(i, reverse, big_null != 0);
        Ok(())
    }

    /// How the loop over an index steps.
    fn finish_index(&mut self, i: usize, reverse: bool, two_passes: bool) {
        let lp = &self.plan.levels[i].lp;
        let by_in = !self.levels[i].ins.is_empty() && !two_passes && self.one_row_each(i);
        let code = &mut self.levels[i];
        code.op = if lp.flags.contains(LoopFlags::ONEROW) || by_in {
            Opcode::Noop
        } else if reverse {
            Opcode::Prev
        } else {
            Opcode::Next
        };
        code.p1 = code.index_cursor;
        code.p3 = i32::from(lp.flags.contains(LoopFlags::UNQ_WANTED));
        code.p5 = u16::from(!lp.flags.intersects(LoopFlags::CONSTRAINT));
    }

    /// Whether a unique key is fixed for each value of the IN loops.
    fn one_row_each(&self, i: usize) -> bool {
        let lp = &self.plan.levels[i].lp;
        let Some(index) = &self.levels[i].index else {
            return false;
        };
        index.unique.is_some()
            && lp.skip == 0
            && usize::from(lp.eq) == index.key_count
            && lp
                .terms
                .iter()
                .take(usize::from(lp.eq))
                .flatten()
                .all(|&id| !self.plan.term(id).ops.intersects(Ops::IS | Ops::ISNULL))
    }

    /// The value of a bound, into registers from `target` on; NULL ends the loop.
    fn code_bound(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        id: TermId,
        target: i32,
        count: usize,
        next: ringwood_vdbe::Label,
    ) -> Result<ExprRef<'q>> {
        let t = self.plan.term(id);
        let flags = t.flags;
        let Some(right) = t.sides.as_ref().and_then(|s| s.right.clone()) else {
            return Err(SqlError::error("internal query planner error"));
        };
        match self.levels[i].like {
            Some((reg, _, downwards)) if flags.contains(TermFlags::LIKE_OPT) => {
                let crate::bound::Expr::Text(text) = &*right else {
                    return Err(SqlError::error("internal query planner error"));
                };
                // The second pass takes the bound as a BLOB.
                c.op4(Opcode::String8, 0, target, reg, P4::Text(text.clone()));
                c.p5(u16::from(downwards));
            }
            _ => super::by_rowid::code_range_value(c, &right, target, count)?,
        }
        if !flags.contains(TermFlags::GUARD) && c.can_be_null(&right) {
            c.jump(Opcode::IsNull, target, next, 0);
        }
        Ok(right)
    }

    /// Leads from the index's entry to the table's row, and makes columns be read from the index.
    fn code_table_seek(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        index: &Arc<Index>,
    ) -> Result<()> {
        let source = self.plan.sources[self.levels[i].source];
        let (table, item) = (&source.item.table, source.item);
        let (cursor, index_cursor) = (self.levels[i].table_cursor, self.levels[i].index_cursor);
        let flags = self.plan.levels[i].lp.flags;
        let lone = !self
            .plan
            .control
            .intersects(Control::OR_SUBCLAUSE | Control::RIGHT_JOIN);
        let covering = flags.contains(LoopFlags::IDX_ONLY) && lone;
        if covering {
            // The table is not touched.
        } else if table.has_rowid() {
            self.deferred_seek = true;
            c.op(Opcode::DeferredSeek, index_cursor, 0, cursor);
            if !lone && !c.is_writing() {
                // The body is entered from several indexes: the cursor itself knows where a column is.
                let mut map = vec![0u32; table.stored_count()];
                for (at, column) in index.columns.iter().enumerate() {
                    if let IndexKey::Column(n) = column.key {
                        if !table.columns[n].is_virtual() {
                            map[table.storage_of(n)] = at as u32 + 1;
                        }
                    }
                }
                let addr = c.here() - 1;
                c.b.set_p4(addr, P4::Ints(map.into()));
            }
        } else if cursor != index_cursor {
            let Some(key) = table.primary_key_index() else {
                return Err(SqlError::error("internal query planner error"));
            };
            let first = c.temp_regs(key.key_count);
            for (j, column) in key.columns[..key.key_count].iter().enumerate() {
                let at = column
                    .key
                    .column()
                    .and_then(|n| index.position_of(n))
                    .unwrap_or(0);
                c.op(Opcode::Column, index_cursor, at as i32, first + j as i32);
            }
            let cont = self.levels[i].cont;
            c.op4(
                Opcode::NotFound,
                cursor,
                cont.into(),
                first,
                P4::Int(key.key_count as i32),
            );
            c.release_temps(first, key.key_count);
        }
        // The body of a RIGHT JOIN is entered without the index as well.
        if index_cursor != cursor && self.levels[i].right_join.is_none() {
            self.cover(
                c,
                i,
                CursorOverride::Index {
                    cursor: index_cursor,
                    index: index.clone(),
                    covering,
                },
            );
        }
        if index.has_expr && c.optimizes(Optimizations::INDEXED_EXPR) {
            let lp = &self.plan.levels[i].lp;
            let maybe_null_row = source.in_outer_join();
            for e in &self.plan.index_exprs {
                let ours = e.source == lp.source && Some(e.index) == lp.index;
                if !ours || walk::is_constant(&e.expr, walk::Constness::Statement) {
                    continue;
                }
                let affinity = e.expr.affinity().clamp(Affinity::Blob, Affinity::Numeric);
                c.indexed_exprs.push(IndexedExpr {
                    expr: e.expr.clone(),
                    table_cursor: item.cursor,
                    index_cursor,
                    position: i32::from(e.position),
                    maybe_null_row,
                    affinity,
                });
            }
        }
        Ok(())
    }

    /// Terms that the WHERE of a partial index repeats hold for all its entries.
    fn apply_partial(&mut self, i: usize) {
        let lp = &self.plan.levels[i].lp;
        let partial = self
            .plan
            .partials
            .iter()
            .find(|p| p.source == lp.source && Some(p.index) == lp.index);
        let Some(expr) = partial.map(|p| p.expr.clone()) else {
            return;
        };
        let mut conjuncts = smallvec::SmallVec::new();
        walk::conjuncts(&expr, &mut conjuncts);
        let ids = self.plan.clause(ClauseId::WHERE).terms.clone();
        for wanted in conjuncts {
            for &id in &ids {
                let t = self.plan.term_mut(id);
                if !t.flags.contains(TermFlags::CODED)
                    && !t.is_virtual()
                    && walk::same(&t.expr, wanted)
                {
                    t.flags |= TermFlags::CODED;
                }
            }
        }
    }
}

fn start_op(bounded: bool, inclusive: bool, reverse: bool) -> Opcode {
    match (bounded, inclusive, reverse) {
        (false, _, false) => Opcode::Rewind,
        (false, _, true) => Opcode::Last,
        (true, false, false) => Opcode::SeekGT,
        (true, false, true) => Opcode::SeekLT,
        (true, true, false) => Opcode::SeekGE,
        (true, true, true) => Opcode::SeekLE,
    }
}

fn end_op(inclusive: bool, reverse: bool) -> Opcode {
    match (inclusive, reverse) {
        (false, false) => Opcode::IdxGE,
        (true, false) => Opcode::IdxGT,
        (false, true) => Opcode::IdxLE,
        (true, true) => Opcode::IdxLT,
    }
}
