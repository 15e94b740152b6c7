//! Aggregate queries, with GROUP BY and without.
//!
//! ```text
//!   GROUP BY, sorted first                        GROUP BY, rows come in order
//!     Gosub reset                                   Gosub reset
//!     loops { key, columns → sorter }               loops {
//!     SorterSort; for each row {                      key → new
//!       key → new                                     if new ≠ old { Gosub output; old = new; Gosub reset }
//!       if new ≠ old { … }                            step
//!       step                                        }
//!     }
//!     Gosub output; Goto end
//!   abort:  abort = 1; Return
//!   output: if there was a row { finish; HAVING; the row } Return
//!   reset:  accumulators = NULL; Return
//! ```
//!
//! Source: SQLite's `sqlite3Select` (tag-select-0800 to 0822).

use super::row::ResultExprs;
use super::sort::Sort;
use super::{Destination, LimitRegs, ROWS_MAX};
use crate::bound::walk::same;
use crate::bound::{Expr, OrderTerm, Select, SortOrder};
use crate::codegen::aggregate::{Collected, MinMax, is_count_star};
use crate::codegen::expr::ListFlags;
use crate::codegen::loops::{self, Loops, Request};
use crate::compiler::{Compiler, Optimizations, Result};
use crate::plan::Control;
use crate::plan::cost::LogEst;
use crate::schema::Index;
use ringwood_vdbe::{FunctionFlags, Label, Opcode, P4};
use std::sync::Arc;

/// The registers and subroutines of a GROUP BY.
struct Groups {
    /// Not 0 once the group has a row.
    use_flag: i32,
    abort_flag: i32,
    output_return: i32,
    output: Label,
    reset_return: i32,
    reset: Label,
    /// The key of the group, and of the row.
    old: i32,
    new: i32,
    sorter: i32,
    sorter_addr: i32,
    key: P4,
}

impl Compiler<'_> {
    /// A SELECT with aggregates or GROUP BY. `from_distinct`: the GROUP BY was a DISTINCT.
    pub(super) fn code_grouped(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
        from_distinct: bool,
    ) -> Result<LogEst> {
        self.code_sources(select)?;
        let order_by: &[OrderTerm] = if dest.ignores_order() {
            &[]
        } else {
            &select.order_by
        };
        let collected = self.collect_aggregates(select)?;
        let collected_order: Vec<OrderTerm> = if order_by.is_empty() {
            Vec::new()
        } else {
            collected.order_by.clone()
        };
        // The sorter's collations are those of the expressions as written.
        let mut sort = self.open_sort(&collected_order, select.result.len())?;
        self.open_destination(dest, select.result.len());
        let end = self.label();
        let (limits, mut estimate, _) = self.code_limits(select, limits, end)?;
        self.settle_sort(&mut sort, limits)?;
        let distinct = self.open_distinct(select)?;
        let done = self.label();
        if select.group_by.is_empty() {
            estimate = 0;
            self.code_single_group(select, &collected, done)?;
            if let Some(sort) = sort.take() {
                self.b.to_noop(sort.addr); // one row is sorted
            }
            if let Some(distinct) = &distinct {
                self.b.to_noop(distinct.addr);
            }
            if let Some(having) = &collected.having {
                self.expr_if_false(having, done, true)?;
            }
            let result = ResultExprs::Exprs(&collected.result);
            self.code_row(result, None, None, dest, limits, done.into(), done.into())?;
        } else {
            estimate = estimate.min(66);
            let same_order = order_by.len() == select.group_by.len()
                && order_by
                    .iter()
                    .zip(&select.group_by)
                    .all(|(term, group)| !term.order.big_null && same(&term.expr, group));
            let order: Vec<SortOrder> = if same_order {
                order_by
                    .iter()
                    .map(|term| SortOrder {
                        desc: term.order.desc,
                        big_null: false,
                    })
                    .collect()
            } else {
                vec![SortOrder::default(); select.group_by.len()]
            };
            let mut pass = GroupPass {
                select,
                collected: &collected,
                same_order,
                order,
                from_distinct,
                done,
            };
            let groups = self.code_groups(&mut pass, &mut sort)?;
            self.code_group_output(
                &pass,
                &groups,
                sort.as_mut(),
                distinct.as_ref(),
                dest,
                limits,
            )?;
        }
        self.place(done);
        if distinct.is_some() && !select.group_by.is_empty() {
            self.explain(|| "USE TEMP B-TREE FOR DISTINCT".to_owned());
        }
        if let Some(sort) = sort {
            self.code_sort_tail(sort, select.result.len(), dest, limits)?;
        }
        self.place(end);
        Ok(estimate.min(ROWS_MAX))
    }

    /// All rows are one group; afterwards the aggregates have their results.
    fn code_single_group(
        &mut self,
        select: &Select,
        collected: &Collected,
        _done: Label,
    ) -> Result<()> {
        let id = collected.id;
        if is_count_star(select, collected, self.aggregates(id)) {
            return self.code_count(select, collected);
        }
        self.prepare_aggregate_indexes(id);
        let aggregates = self.aggregates(id);
        // Plain columns keep the first row's values, unless min() or max() says which.
        let by_min_max = aggregates
            .functions
            .iter()
            .any(|function| function.def.flags.contains(FunctionFlags::NEEDS_COLLATION));
        let mut flag = 0;
        if aggregates.accumulators > 0 && !by_min_max {
            flag = self.alloc_reg();
            self.op(Opcode::Integer, 0, flag, 0);
        }
        self.assign_aggregate_registers(id);
        self.reset_aggregates(id)?;
        let wish = self.distinct_wish(id, &[]);
        let rows = self.source_rows(select);
        let mut request = Request::new(&select.from, &rows, select.where_.as_ref());
        request.select = Some(select);
        let min_max = collected
            .min_max
            .as_ref()
            .filter(|_| self.optimizes(Optimizations::MIN_MAX));
        if let Some((which, arg)) = min_max {
            let (control, order) = match which {
                MinMax::Min => {
                    let big_null = self.can_be_null(arg);
                    (
                        Control::ORDERBY_MIN,
                        SortOrder {
                            desc: false,
                            big_null,
                        },
                    )
                }
                MinMax::Max => (
                    Control::ORDERBY_MAX,
                    SortOrder {
                        desc: true,
                        big_null: false,
                    },
                ),
            };
            request.control |= control;
            request.order = Some(std::iter::once((arg, order)).collect());
        }
        if let Some(wish) = &wish {
            request.control |= Control::WANT_DISTINCT | Control::AGG_DISTINCT;
            request.result = Some(wish);
        }
        let loops = loops::begin(self, &mut request)?;
        if wish.is_some() {
            self.decide_distinct(id, loops.distinct());
            self.settle_distinct(id);
        }
        self.step_aggregates(id, flag)?;
        if flag != 0 {
            self.op(Opcode::Integer, 1, flag, 0);
        }
        if min_max.is_some() {
            loops.min_max_early_out(self);
        }
        loops.end(self)?;
        self.finish_aggregates(id)
    }

    /// `SELECT count(*) FROM t`: the smallest tree that has an entry for each row is counted.
    fn code_count(&mut self, select: &Select, collected: &Collected) -> Result<()> {
        let item = &select.from.items[0];
        let table = item.table.clone();
        let cursor = self.alloc_cursor(None);
        let mut best: Option<Arc<Index>> = if table.has_rowid() {
            None
        } else {
            table.primary_key_index().cloned()
        };
        if !matches!(item.hint, crate::bound::IndexHint::None) {
            for index in &table.indexes {
                let smaller = best
                    .as_ref()
                    .is_none_or(|best| index.entry_size < best.entry_size);
                if !index.unordered
                    && index.entry_size < table.row_size
                    && index.partial.is_none()
                    && smaller
                {
                    best = Some(index.clone());
                }
            }
        }
        match &best {
            Some(index) => self.open_index(cursor, item.db, index, false)?,
            None => {
                self.uses_db(item.db);
                self.op4(
                    Opcode::OpenRead,
                    cursor,
                    table.root as i32,
                    item.db as i32,
                    P4::Int(1),
                )
            }
        };
        self.assign_aggregate_registers(collected.id);
        let reg = self.aggregates(collected.id).function_reg(0);
        self.op(Opcode::Count, cursor, reg, 0);
        self.op(Opcode::Close, cursor, 0, 0);
        self.explain(|| {
            let covering = best
                .as_ref()
                .filter(|index| table.has_rowid() || !index.is_primary_key());
            match covering {
                Some(index) => format!("SCAN {} USING COVERING INDEX {}", table.name, index.name),
                None => format!("SCAN {}", table.name),
            }
        });
        Ok(())
    }

    /// The loops over the rows, group by group.
    fn code_groups(
        &mut self,
        pass: &mut GroupPass<'_>,
        sort: &mut Option<Sort<'_>>,
    ) -> Result<Groups> {
        let (select, id) = (pass.select, pass.collected.id);
        let count = select.group_by.len();
        self.prepare_aggregate_indexes(id);
        let sorter_columns = self.assign_sorter_columns(select, id);
        let terms = select.group_by.iter().zip(pass.order.iter().copied());
        let key = P4::KeyInfo(self.key_info_of(terms, 0)?);
        let sorter = self.alloc_cursor(None);
        let sorter_addr = self.op4(
            Opcode::SorterOpen,
            sorter,
            sorter_columns as i32,
            0,
            key.clone(),
        );
        let groups = Groups {
            use_flag: self.alloc_reg(),
            abort_flag: self.alloc_reg(),
            output_return: self.alloc_reg(),
            output: self.label(),
            reset_return: self.alloc_reg(),
            reset: self.label(),
            old: self.alloc_regs(count),
            new: self.alloc_regs(count),
            sorter,
            sorter_addr,
            key,
        };
        self.op(Opcode::Integer, 0, groups.abort_flag, 0);
        self.op(Opcode::Null, 0, groups.old, groups.old + count as i32 - 1);
        self.jump(Opcode::Gosub, groups.reset_return, groups.reset, 0);

        let wish = self.distinct_wish(id, &select.group_by);
        let rows = self.source_rows(select);
        let mut request = Request::new(&select.from, &rows, select.where_.as_ref());
        request.select = Some(select);
        request.order = Some(
            select
                .group_by
                .iter()
                .zip(pass.order.iter().copied())
                .collect(),
        );
        request.control |= if pass.from_distinct {
            Control::DISTINCTBY
        } else {
            Control::GROUPBY
        };
        if pass.same_order {
            request.control |= Control::SORTBYGROUP;
        }
        if let Some(wish) = &wish {
            request.control |= Control::WANT_DISTINCT | Control::AGG_DISTINCT;
            request.result = Some(wish);
        }
        let loops = loops::begin(self, &mut request)?;
        if wish.is_some() && loops.order_satisfied() == count {
            self.decide_distinct(id, loops.distinct());
        }
        self.assign_aggregate_registers(id);
        let in_order = loops.order_satisfied() == count;
        let keeps_order = pass.same_order
            && (!in_order || loops.is_sorted())
            && self.optimizes(Optimizations::GROUP_BY_ORDER);
        if keeps_order {
            if let Some(sort) = sort.take() {
                self.b.to_noop(sort.addr);
            }
        }
        if in_order {
            self.code_groups_in_order(pass, &groups, loops)?;
        } else {
            self.code_groups_sorted(pass, &groups, loops, sorter_columns)?;
        }
        self.jump(Opcode::Gosub, groups.output_return, groups.output, 0);
        self.goto(pass.done);
        Ok(groups)
    }

    /// Gives each column of the aggregates a place in the sorter's record: behind the keys, unless it is a key; how
    /// many columns the record has.
    fn assign_sorter_columns(&mut self, select: &Select, id: crate::bound::AggregateId) -> usize {
        let mut next = select.group_by.len();
        for column in &mut self.aggregates_mut(id).columns {
            let key = select
                .group_by
                .iter()
                .position(|group| matches!(group, Expr::Column(_)) && same(group, &column.expr));
            column.sorter_column = match key {
                Some(key) => key as i32,
                None => {
                    next += 1;
                    next as i32 - 1
                }
            };
        }
        next
    }

    fn code_groups_in_order(
        &mut self,
        pass: &GroupPass<'_>,
        groups: &Groups,
        loops: Box<Loops<'_>>,
    ) -> Result<()> {
        let id = pass.collected.id;
        self.aggregates_mut(id).direct_mode = true;
        for (i, group) in pass.select.group_by.iter().enumerate() {
            self.expr_code(group, groups.new + i as i32)?;
        }
        self.aggregates_mut(id).direct_mode = false;
        self.code_group_change(pass, groups)?;
        self.step_aggregates(id, groups.use_flag)?;
        self.op(Opcode::Integer, 1, groups.use_flag, 0);
        loops.end(self)?;
        self.b.to_noop(groups.sorter_addr);
        Ok(())
    }

    fn code_groups_sorted(
        &mut self,
        pass: &GroupPass<'_>,
        groups: &Groups,
        loops: Box<Loops<'_>>,
        columns: usize,
    ) -> Result<()> {
        let (select, id) = (pass.select, pass.collected.id);
        let what = if pass.from_distinct {
            "DISTINCT"
        } else {
            "GROUP BY"
        };
        self.explain(|| format!("USE TEMP B-TREE FOR {what}"));
        let keys = select.group_by.len();
        let base = self.temp_regs(columns);
        self.expr_code_list(&select.group_by, base, ListFlags::default())?;
        self.aggregates_mut(id).direct_mode = true;
        for i in 0..self.aggregates(id).columns.len() {
            let column = self.aggregates(id).columns[i].clone();
            if column.sorter_column >= keys as i32 {
                self.expr_code(&column.expr, base + column.sorter_column)?;
            }
        }
        self.aggregates_mut(id).direct_mode = false;
        let record = self.temp_reg();
        self.op(Opcode::MakeRecord, base, columns as i32, record);
        self.op(Opcode::SorterInsert, groups.sorter, record, 0);
        self.release_temp(record);
        self.release_temps(base, columns);
        loops.end(self)?;

        let pseudo = self.alloc_cursor(None);
        let row = self.alloc_reg();
        self.op(Opcode::OpenPseudo, pseudo, row, columns as i32);
        self.jump(Opcode::SorterSort, groups.sorter, pass.done, 0);
        let aggregates = self.aggregates_mut(id);
        aggregates.sorter_pseudo = pseudo;
        aggregates.use_sorter = true;
        let top = self.here();
        self.op(Opcode::SorterData, groups.sorter, row, pseudo);
        for i in 0..keys as i32 {
            self.op(Opcode::Column, pseudo, i, groups.new + i);
        }
        self.code_group_change(pass, groups)?;
        self.step_aggregates(id, groups.use_flag)?;
        self.op(Opcode::Integer, 1, groups.use_flag, 0);
        self.op(Opcode::SorterNext, groups.sorter, top, 0);
        Ok(())
    }

    /// If the key has changed, outputs the group and begins another.
    fn code_group_change(&mut self, pass: &GroupPass<'_>, groups: &Groups) -> Result<()> {
        let count = pass.select.group_by.len() as i32;
        self.op4(
            Opcode::Compare,
            groups.old,
            groups.new,
            count,
            groups.key.clone(),
        );
        let jump = self.here();
        self.op(Opcode::Jump, jump + 1, 0, jump + 1);
        self.jump(Opcode::Gosub, groups.output_return, groups.output, 0);
        self.op(Opcode::Move, groups.new, groups.old, count);
        self.jump(Opcode::IfPos, groups.abort_flag, pass.done, 0);
        self.jump(Opcode::Gosub, groups.reset_return, groups.reset, 0);
        self.jump_here(jump);
        Ok(())
    }

    /// The subroutines that output a group and begin another.
    fn code_group_output(
        &mut self,
        pass: &GroupPass<'_>,
        groups: &Groups,
        sort: Option<&mut Sort<'_>>,
        distinct: Option<&super::row::DistinctIndex>,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<()> {
        let collected = pass.collected;
        let abort = self.here();
        self.op(Opcode::Integer, 1, groups.abort_flag, 0);
        self.op(Opcode::Return, groups.output_return, 0, 0);
        self.place(groups.output);
        let output = self.here();
        self.op(Opcode::IfPos, groups.use_flag, output + 2, 0);
        let leave = self.op(Opcode::Return, groups.output_return, 0, 0);
        self.finish_aggregates(collected.id)?;
        if let Some(having) = &collected.having {
            let (keep, drop) = (self.label(), self.label());
            self.expr_if_false(having, drop, true)?;
            self.goto(keep);
            self.place(drop);
            self.op(Opcode::Goto, 0, leave, 0);
            self.place(keep);
        }
        // Result columns that are GROUP BY terms are in the key.
        let mut result = collected.result.clone();
        for (i, group) in pass.select.group_by.iter().enumerate() {
            let column = pass
                .select
                .result
                .iter()
                .rposition(|column| same(&column.expr, group));
            if let Some(column) = column {
                if !matches!(
                    result[column].without_collate(),
                    Expr::AggregateColumn { .. } | Expr::Register { .. }
                ) {
                    result[column] = self.register_expr(group, groups.old + i as i32);
                }
            }
        }
        self.code_row(
            ResultExprs::Exprs(&result),
            sort,
            distinct,
            dest,
            limits,
            leave,
            abort,
        )?;
        self.op(Opcode::Return, groups.output_return, 0, 0);
        self.place(groups.reset);
        self.reset_aggregates(collected.id)?;
        self.settle_distinct(collected.id);
        self.op(Opcode::Integer, 0, groups.use_flag, 0);
        self.op(Opcode::Return, groups.reset_return, 0, 0);
        Ok(())
    }
}

/// What the steps of a GROUP BY share.
struct GroupPass<'p> {
    select: &'p Select,
    collected: &'p Collected,
    /// ORDER BY asks for the same terms.
    same_order: bool,
    /// The directions of the terms.
    order: Vec<SortOrder>,
    from_distinct: bool,
    done: Label,
}
