//! SELECT.
//!
//! ```text
//!   code_select ─┬─ compound:  one part after the other, or two coroutines that are merged     compound.rs
//!                ├─ recursion: setup and recursive step around a queue                          recursive.rs
//!                ├─ FROM subqueries: coroutines, ephemeral tables                              sources.rs
//!                ├─ plain:     loops { inner loop }                                            this file, row.rs
//!                ├─ aggregate: loops { step } finish, inner loop once                          grouping.rs
//!                ├─ GROUP BY:  loops { sorter } or in order; a subroutine outputs a group      grouping.rs
//!                ├─ windows:   loops { buffer, move } rest, inner loop as a subroutine         ../window
//!                └─ sorter:    the rows again, in the order of ORDER BY                        sort.rs
//! ```
//!
//! Rules:
//! 1. A row is computed into consecutive registers, then disposed of as the [`Destination`] says.
//! 2. The sorter and the DISTINCT index are opened before the loops, when it is not known yet whether they are needed;
//!    if not, the opening becomes a Noop.
//! 3. LIMIT counts down in a register; with ORDER BY the sorter keeps no more rows than that.
//! 4. An aggregate query without GROUP BY has one row, whatever FROM yields.
//!
//! Source: SQLite's `sqlite3Select` and its helpers.

mod compound;
mod destination;
mod grouping;
mod recursive;
mod row;
mod sort;
mod sources;

pub use compound::show_merge_order;
pub use destination::{Destination, DestinationKind};

use crate::bound::walk::same;
use crate::bound::{Expr, FromSource, OrderTerm, ResultColumn, Select, SortOrder};
use crate::codegen::loops::{self, Request};
use crate::compiler::{Compiler, FromRows, Optimizations, Result};
use crate::plan::cost::{LogEst, log_est};
use crate::plan::term::Rows;
use crate::plan::{Control, Distinct};
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use row::{DistinctIndex, ResultExprs};
use smallvec::SmallVec;
use sort::Sort;
use std::sync::Arc;

/// The registers of LIMIT and OFFSET; 0: none. Behind OFFSET's is the sum of both.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct LimitRegs {
    pub limit: i32,
    pub offset: i32,
}

/// How many rows nobody has limited: 4 billion.
const ROWS_MAX: LogEst = 320;

impl Compiler<'_> {
    /// Codes a SELECT; its rows go to `dest`. The estimate of their number.
    pub fn code_select(&mut self, select: &Select, dest: &mut Destination) -> Result<LogEst> {
        if !select.flags.rewritten {
            let mut rewritten = select.clone();
            crate::rewrite::rewrite(self, &mut rewritten)?;
            return self.code_select_limited(&rewritten, dest, LimitRegs::default());
        }
        self.code_select_limited(select, dest, LimitRegs::default())
    }

    /// The same, with LIMIT and OFFSET in registers that exist, if any.
    fn code_select_limited(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        if select.prior.is_some() || !select.rows.is_empty() {
            return self.code_compound(select, dest, limits);
        }
        let drops_order = select.limit.is_none() && limits.limit == 0 && dest.is_queue();
        if drops_order && !select.order_by.is_empty() {
            let mut plain = select.clone();
            plain.order_by.clear();
            return self.code_select_limited(&plain, dest, limits);
        }
        if dest.ignores_order() && (select.flags.distinct || !select.order_by.is_empty()) {
            let mut plain = select.clone();
            plain.flags.distinct = false;
            plain.order_by.clear();
            return self.code_simple(&plain, dest, limits);
        }
        // DISTINCT with an ORDER BY of the same columns is a GROUP BY.
        let is_grouping = select.flags.distinct
            && !select.flags.aggregate
            && select.window.is_none()
            && self.optimizes(Optimizations::GROUP_BY_ORDER)
            && select.order_by.len() == select.result.len()
            && select
                .order_by
                .iter()
                .zip(&select.result)
                .all(|(term, column)| !term.order.big_null && same(&term.expr, &column.expr));
        if is_grouping {
            let mut grouped = select.clone();
            grouped.flags.distinct = false;
            grouped.flags.aggregate = true;
            grouped.group_by = select
                .result
                .iter()
                .map(|column| column.expr.clone())
                .collect();
            return self.code_grouped(&grouped, dest, limits, true);
        }
        self.code_simple(select, dest, limits)
    }

    fn code_simple(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        if select.flags.aggregate {
            return self.code_grouped(select, dest, limits, false);
        }
        if is_constant_row(select) && limits.limit == 0 {
            return self.code_constant_row(select, dest, limits);
        }
        self.code_sources(select)?;
        let mut sort = self.open_sort(&select.order_by, select.result.len())?;
        self.open_destination(dest, select.result.len());
        let end = self.label();
        let (limits, mut estimate, fixed) = self.code_limits(select, limits, end)?;
        self.settle_sort(&mut sort, limits)?;
        let mut distinct = self.open_distinct(select)?;

        let rows = self.source_rows(select);
        let owns_limit = select.limit.is_some() && !select.flags.compound;
        let mut request = Request::new(&select.from, &rows, select.where_.as_ref());
        request.select = Some(select);
        request.result = Some(&select.result);
        if select.flags.distinct {
            request.control |= Control::WANT_DISTINCT;
        }
        if !select.order_by.is_empty() {
            request.order = Some(
                select
                    .order_by
                    .iter()
                    .map(|term| (&term.expr, term.order))
                    .collect(),
            );
        }
        if fixed {
            request.control |= Control::USE_LIMIT;
        }
        request.limit = estimate;
        if owns_limit && select.window.is_none() {
            request.limit_regs = (limits.limit, limits.offset);
        }
        let mut windows = select
            .window
            .as_deref()
            .map(|pass| self.open_windows(pass))
            .transpose()?;
        let loops = loops::begin(self, &mut request)?;
        estimate = estimate.min(loops.rows());
        if let Some(distinct) = &mut distinct {
            if loops.distinct() != Distinct::Noop {
                distinct.kind = loops.distinct();
            }
        }
        if let Some(open) = &mut sort {
            open.satisfied = loops.order_satisfied();
            open.limit_label = Some(loops.order_limit_label().into());
            if open.satisfied == select.order_by.len() {
                self.b.to_noop(open.addr);
                sort = None;
            }
        }
        let result = ResultExprs::Columns(&select.result);
        if let Some(windows) = &mut windows {
            // The rows go out through a subroutine, some of them after the loop.
            let input = select.from.items[0].cursor;
            self.code_windows(windows, loops, input)?;
            let (next, stop) = (self.label(), self.label());
            self.goto(stop);
            let (body, body_return) = windows.body();
            self.place(body);
            if let Some(sort) = &mut sort {
                sort.limit_label = None;
            }
            self.code_row(
                result,
                sort.as_mut(),
                distinct.as_ref(),
                dest,
                limits,
                next.into(),
                stop.into(),
            )?;
            self.place(next);
            self.op(Opcode::Return, body_return, 0, 0);
            self.place(stop);
        } else {
            self.code_row(
                result,
                sort.as_mut(),
                distinct.as_ref(),
                dest,
                limits,
                loops.continue_label.into(),
                loops.break_label.into(),
            )?;
            loops.end(self)?;
        }
        if distinct.is_some_and(|distinct| distinct.kind == Distinct::Unordered) {
            self.explain(|| "USE TEMP B-TREE FOR DISTINCT".to_owned());
        }
        if let Some(sort) = sort {
            self.code_sort_tail(sort, select.result.len(), dest, limits)?;
        }
        self.place(end);
        Ok(estimate)
    }

    /// `SELECT 1`: one row, no loops. The estimate is that of one row.
    fn code_constant_row(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        self.open_destination(dest, select.result.len());
        self.explain(|| "SCAN CONSTANT ROW".to_owned());
        let end = self.label();
        let result = ResultExprs::Columns(&select.result);
        self.code_row(result, None, None, dest, limits, end.into(), end.into())?;
        self.place(end);
        Ok(0)
    }

    /// How the rows of each FROM item come, for the planner.
    fn source_rows(&self, select: &Select) -> SmallVec<[Rows; 4]> {
        let items = &select.from.items;
        if items
            .iter()
            .all(|item| matches!(item.source, FromSource::Table))
        {
            return SmallVec::new();
        }
        items
            .iter()
            .map(|item| match self.from_rows(item) {
                None if matches!(item.source, FromSource::Recursive) => Rows::Recursive,
                None => Rows::Table,
                Some((FromRows::Ephemeral, _)) => Rows::Ephemeral,
                Some((
                    FromRows::Materialized {
                        return_reg,
                        entry,
                        correlated,
                    },
                    _,
                )) => Rows::Materialized {
                    return_reg,
                    address: entry,
                    correlated,
                },
                Some((
                    FromRows::Coroutine {
                        yield_reg,
                        entry,
                        result,
                    },
                    _,
                )) => Rows::Coroutine {
                    yield_reg,
                    address: entry,
                    result,
                },
            })
            .collect()
    }

    /// Opens the ephemeral table that the destination is.
    fn open_destination(&mut self, dest: &mut Destination, count: usize) {
        if matches!(dest.kind, DestinationKind::EphemeralTable) {
            self.op(Opcode::OpenEphemeral, dest.param, count as i32, 0);
        }
    }

    /// Opens the index that remembers rows for DISTINCT.
    fn open_distinct(&mut self, select: &Select) -> Result<Option<DistinctIndex>> {
        if !select.flags.distinct {
            return Ok(None);
        }
        let cursor = self.alloc_cursor(None);
        let order = SortOrder::default();
        let key = self.key_info_of(select.result.iter().map(|column| (&column.expr, order)), 0)?;
        let addr = self.op4(Opcode::OpenEphemeral, cursor, 0, 0, P4::KeyInfo(key));
        self.p5(p5::BTREE_UNORDERED);
        Ok(Some(DistinctIndex {
            cursor,
            addr,
            kind: Distinct::Unordered,
        }))
    }

    /// Puts LIMIT and OFFSET into registers (SQLite's computeLimitRegisters): the registers, an estimate of the rows,
    /// and whether the estimate is a number in the text.
    fn code_limits(
        &mut self,
        select: &Select,
        given: LimitRegs,
        end: Label,
    ) -> Result<(LimitRegs, LogEst, bool)> {
        if given.limit != 0 {
            return Ok((given, ROWS_MAX, false));
        }
        let Some(limit) = &select.limit else {
            return Ok((given, ROWS_MAX, false));
        };
        let mut regs = LimitRegs {
            limit: self.alloc_reg(),
            offset: 0,
        };
        let (mut estimate, mut fixed) = (ROWS_MAX, false);
        if let Some(count) = limit.as_integer() {
            self.op(Opcode::Integer, count, regs.limit, 0);
            if count == 0 {
                self.goto(end);
            } else if count > 0 && log_est(count as u64) < estimate {
                estimate = log_est(count as u64);
                fixed = true;
            }
        } else {
            self.expr_code(limit, regs.limit)?;
            self.op(Opcode::MustBeInt, regs.limit, 0, 0);
            self.jump(Opcode::IfNot, regs.limit, end, 0);
            self.may_abort = true;
        }
        if let Some(offset) = &select.offset {
            regs.offset = self.alloc_regs(2);
            self.expr_code(offset, regs.offset)?;
            self.op(Opcode::MustBeInt, regs.offset, 0, 0);
            self.op(
                Opcode::OffsetLimit,
                regs.limit,
                regs.offset + 1,
                regs.offset,
            );
            self.may_abort = true;
        }
        Ok((regs, estimate, fixed))
    }

    /// How rows are ordered by expressions; `extra` columns behind them are ordered by bytes.
    pub fn key_info_of<'e>(
        &self,
        terms: impl IntoIterator<Item = (&'e Expr, SortOrder)>,
        extra: usize,
    ) -> Result<Arc<KeyInfo>> {
        let mut columns = Vec::new();
        for (expr, order) in terms {
            let collation = self.expr_collation(expr)?;
            columns.push(KeyColumn {
                collation,
                desc: order.desc,
                big_null: order.big_null,
            });
        }
        columns.extend(std::iter::repeat_n(KeyColumn::default(), extra));
        Ok(Arc::new(KeyInfo {
            columns,
            behind: 0,
            encoding: self.ctx.schema.dbs[0].encoding,
        }))
    }

    /// Opens the sorter of ORDER BY, if there is one.
    fn open_sort<'s>(&mut self, terms: &'s [OrderTerm], count: usize) -> Result<Option<Sort<'s>>> {
        if terms.is_empty() {
            return Ok(None);
        }
        let cursor = self.alloc_cursor(None);
        let key = self.key_info_of(terms.iter().map(|term| (&term.expr, term.order)), count + 1)?;
        let columns = terms.len() + 1 + count;
        let addr = self.op4(
            Opcode::OpenEphemeral,
            cursor,
            columns as i32,
            0,
            P4::KeyInfo(key),
        );
        Ok(Some(Sort::new(terms, cursor, addr, count)))
    }

    /// Without LIMIT a sorter does; with it an ephemeral index keeps the best rows only.
    fn settle_sort(&mut self, sort: &mut Option<Sort<'_>>, limits: LimitRegs) -> Result<()> {
        let Some(sort) = sort else { return Ok(()) };
        if limits.limit == 0 {
            let key =
                self.key_info_of(sort.terms.iter().map(|term| (&term.expr, term.order)), 0)?;
            let insn = self.b.insn_mut(sort.addr);
            insn.opcode = Opcode::SorterOpen;
            insn.p4 = P4::KeyInfo(key);
            sort.use_sorter = true;
        }
        Ok(())
    }
}

/// Whether a SELECT that is no aggregate has nothing but result columns.
fn is_constant_row(select: &Select) -> bool {
    select.from.items.is_empty()
        && select.where_.is_none()
        && select.limit.is_none()
        && select.order_by.is_empty()
        && !select.flags.distinct
        && select.window.is_none()
}

/// The result columns of a SELECT as expressions.
fn result_exprs(result: &[ResultColumn]) -> impl Iterator<Item = &Expr> {
    result.iter().map(|column| &column.expr)
}
