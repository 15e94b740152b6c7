//! Bloom filters: a lookup that would find nothing is mostly known to before it is made.
//!
//! ```text
//!   Once                                        for each row of t
//!     for each row of u that conditions on        Filter   u's key not in the filter? next row of t
//!     u alone let pass                            Filter   v's key (pulled down from v's loop)
//!       FilterAdd  key                            SeekGE u …
//!                                                   SeekGE v …
//! ```
//!
//! Rules:
//! 1. A filter is worth it where statistics say that a table is looked up more often than it has rows, and conditions
//!    on it alone throw rows away. An automatic index always has one: its rows are read anyway. A key with a text that is
//!    not compared byte by byte has none: texts that are equal to each other would be told apart.
//! 2. Filters of inner levels are filled at once with the first one, and asked as early as their key is known: not
//!    those of outer joins, nor those with an IN in the key.
//! 3. The filter is a BLOB of a byte for each row, 10,000 at least, ten million at most.
//!
//! Source: SQLite's `whereCheckIfBloomFilterIsUseful`, `sqlite3ConstructBloomFilter`, `filterPullDown`.

use super::Loops;
use super::equality::apply_affinities;
use super::explain::column_name;
use crate::compiler::{Compiler, Optimizations, Result, SqlError};
use crate::plan::cost::{LogEst, to_count};
use crate::plan::{ClauseId, LoopFlags, Mask, Where};
use crate::schema::{CollationName, Index, Table};
use ringwood_vdbe::{Label, Opcode, P4};
use std::ops::Range;

impl Where<'_> {
    /// Marks the levels of the chosen path that get a filter (rule 1).
    pub fn place_filters(&mut self) {
        if self.levels.len() < 2 || self.disabled.contains(Optimizations::BLOOM_FILTER) {
            return;
        }
        let wanted = LoopFlags::SELFCULL | LoopFlags::COLUMN_EQ;
        let mut searches: LogEst = 0;
        for (i, level) in self.levels.iter_mut().enumerate() {
            let lp = &mut level.lp;
            let table = &self.sources[usize::from(lp.source)].item.table;
            if !table.has_statistics {
                return;
            }
            let is_binary = match lp.index {
                Some(at) if !lp.flags.contains(LoopFlags::IPK) => {
                    let columns = &table.indexes[usize::from(at)].columns;
                    let mut key = columns.iter().take(usize::from(lp.eq));
                    key.all(|column| column.collation == CollationName::Binary)
                }
                _ => true,
            };
            let is_useful = is_binary && searches > table.row_estimate;
            if i > 0 && lp.flags.contains(wanted) && is_useful {
                lp.flags |= LoopFlags::BLOOM_FILTER;
                lp.flags -= LoopFlags::IDX_ONLY;
            }
            searches = searches.saturating_add(lp.rows);
        }
    }
}

impl Loops<'_> {
    /// Fills the filter of a level, and those further in that can be asked by then (rule 2).
    pub(super) fn fill_filters(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        not_ready: Mask,
    ) -> Result<()> {
        let indexed = std::mem::take(&mut c.indexed_exprs);
        let once = c.op(Opcode::Once, 0, 0, 0);
        let mut at = Some(i);
        while let Some(i) = at {
            self.fill_filter(c, i)?;
            if !c.optimizes(Optimizations::BLOOM_PULLDOWN) {
                break;
            }
            at = (i + 1..self.levels.len()).find(|&k| {
                let lp = &self.plan.levels[k].lp;
                let join = self.plan.sources[self.levels[k].source].join;
                !(join.left || join.left_of_right)
                    && lp.prereq & not_ready == 0
                    && lp.flags.contains(LoopFlags::BLOOM_FILTER)
                    && !lp.flags.contains(LoopFlags::COLUMN_IN)
            });
        }
        c.jump_here(once);
        c.indexed_exprs = indexed;
        Ok(())
    }

    fn fill_filter(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let source_no = self.levels[i].source;
        let item = self.plan.sources[source_no].item;
        let (table, cursor) = (item.table.clone(), self.levels[i].table_cursor);
        let lp = &self.plan.levels[i].lp;
        let (by_rowid, count) = (lp.flags.contains(LoopFlags::IPK), usize::from(lp.eq));
        let skip = usize::from(lp.skip);
        let index = self.levels[i].index.clone();
        c.explain(|| {
            let names = match &index {
                Some(index) if !by_rowid => filter_columns(index, skip..count, &table),
                _ => match table.rowid_alias {
                    Some(n) => format!("{}=?", table.columns[n].name),
                    None => "rowid=?".to_owned(),
                },
            };
            format!("BLOOM FILTER ON {} ({names})", item.display_name())
        });
        let filter = c.alloc_reg();
        self.levels[i].filter = filter;
        let size = to_count(table.row_estimate).clamp(10_000, 10_000_000);
        c.op(Opcode::Blob, size as i32, filter, 0);
        let top = c.op(Opcode::Rewind, cursor, 0, 0);
        let skip = c.label();
        let factor = std::mem::replace(&mut c.factor_constants, false);
        for n in 0..self.plan.clause(ClauseId::WHERE).terms.len() {
            let id = self.plan.clause(ClauseId::WHERE).terms[n];
            let t = self.plan.term(id);
            if !t.is_virtual() && self.concerns_only(&t.expr, t.on, source_no) {
                let expr = t.expr.clone();
                c.expr_if_false(&expr, skip, true)?;
            }
        }
        c.factor_constants = factor;
        match &index {
            Some(index) if !by_rowid => {
                let first = c.temp_regs(count);
                for at in 0..count {
                    c.code_index_column(&table, index, cursor, at, first + at as i32)?;
                }
                c.op4(Opcode::FilterAdd, filter, 0, first, P4::Int(count as i32));
                c.release_temps(first, count);
            }
            _ => {
                let reg = c.temp_reg();
                c.op(Opcode::Rowid, cursor, reg, 0);
                c.op4(Opcode::FilterAdd, filter, 0, reg, P4::Int(1));
                c.release_temp(reg);
            }
        }
        c.place(skip);
        c.op(Opcode::Next, cursor, top + 1, 0);
        c.jump_here(top);
        self.plan.levels[i].lp.flags -= LoopFlags::BLOOM_FILTER;
        Ok(())
    }

    /// Asks the level's own filter for the key in `first`…, then those of inner levels, if their keys are known by now.
    pub(super) fn ask_filters(
        &mut self,
        c: &mut Compiler<'_>,
        i: usize,
        first: i32,
        count: usize,
        next: Label,
    ) -> Result<()> {
        let filter = self.levels[i].filter;
        if filter == 0 {
            return Ok(());
        }
        c.op4(
            Opcode::Filter,
            filter,
            next.into(),
            first,
            P4::Int(count as i32),
        );
        for k in i + 1..self.levels.len() {
            let filter = self.levels[k].filter;
            let lp = &self.plan.levels[k].lp;
            if filter == 0 || lp.skip != 0 {
                continue;
            }
            let (by_rowid, eq) = (lp.flags.contains(LoopFlags::IPK), usize::from(lp.eq));
            let first_term = lp.terms.first().copied().flatten();
            let brk = std::mem::replace(&mut self.levels[k].brk, next);
            if by_rowid {
                let Some(id) = first_term else {
                    return Err(SqlError::error("internal query planner error"));
                };
                let reg = c.temp_reg();
                let key = self.code_equality(c, k, id, 0, false, reg)?;
                c.jump(Opcode::MustBeInt, key, next, 0);
                c.op4(Opcode::Filter, filter, next.into(), key, P4::Int(1));
                c.release_temp(reg);
            } else {
                let (first, affinities) = self.code_equalities(c, k, false, 0)?;
                apply_affinities(c, first, &affinities[..eq.min(affinities.len())]);
                c.op4(
                    Opcode::Filter,
                    filter,
                    next.into(),
                    first,
                    P4::Int(eq as i32),
                );
            }
            self.levels[k].brk = brk;
            self.levels[k].filter = 0;
        }
        Ok(())
    }
}

/// `a=? AND b=?`
pub(super) fn filter_columns(index: &Index, columns: Range<usize>, table: &Table) -> String {
    let names: Vec<String> = columns
        .map(|at| format!("{}=?", column_name(index, table, at)))
        .collect();
    names.join(" AND ")
}
