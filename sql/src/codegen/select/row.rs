//! One row of a SELECT: computed, tested for DISTINCT and OFFSET, disposed of.
//!
//! Source: SQLite's `selectInnerLoop`, `codeDistinct`, `fixDistinctOpenEph`, `codeOffset`.

use super::sort::Sort;
use super::{Destination, DestinationKind, LimitRegs, result_exprs};
use crate::bound::{Expr, ResultColumn};
use crate::codegen::expr::ListFlags;
use crate::compiler::{Compiler, Result};
use crate::plan::Distinct;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use smallvec::SmallVec;

/// The expressions of a row.
#[derive(Clone, Copy)]
pub(super) enum ResultExprs<'e> {
    /// Result columns.
    Columns(&'e [ResultColumn]),
    /// The same after aggregates were collected; or a row of VALUES.
    Exprs(&'e [Expr]),
}

impl<'e> ResultExprs<'e> {
    pub(super) fn len(self) -> usize {
        match self {
            ResultExprs::Columns(columns) => columns.len(),
            ResultExprs::Exprs(exprs) => exprs.len(),
        }
    }

    pub(super) fn to_list(self) -> SmallVec<[&'e Expr; 8]> {
        match self {
            ResultExprs::Columns(columns) => result_exprs(columns).collect(),
            ResultExprs::Exprs(exprs) => exprs.iter().collect(),
        }
    }
}

/// The index that remembers rows for DISTINCT.
#[derive(Clone, Copy, Debug)]
pub(super) struct DistinctIndex {
    pub cursor: i32,
    /// The address that opens it.
    pub addr: i32,
    pub kind: Distinct,
}

impl Compiler<'_> {
    /// Emits the body of the loops. `next` and `stop` are where to jump for the next row and to end.
    pub(super) fn code_row(
        &mut self,
        result: ResultExprs<'_>,
        mut sort: Option<&mut Sort<'_>>,
        distinct: Option<&DistinctIndex>,
        dest: &mut Destination,
        limits: LimitRegs,
        next: i32,
        stop: i32,
    ) -> Result<()> {
        let is_distinct = distinct.is_some();
        if sort.is_none() && !is_distinct {
            self.code_offset(limits, next);
        }
        let mut count = result.len();
        let mut prefix = 0;
        if dest.first == 0 {
            if let Some(sort) = &sort {
                prefix = sort.terms.len() + usize::from(!sort.use_sorter);
                self.alloc_regs(prefix);
            }
            dest.first = self.alloc_regs(count);
        }
        dest.count = count;
        let first = dest.first;
        let mut original = first;
        if !matches!(dest.kind, DestinationKind::Exists) {
            let dup = matches!(
                dest.kind,
                DestinationKind::Memory | DestinationKind::Output | DestinationKind::Coroutine
            );
            let is_record = matches!(
                dest.kind,
                DestinationKind::EphemeralTable | DestinationKind::Table
            );
            let flags = ListFlags { dup, factor: false };
            if let Some(sort) = sort.as_deref_mut() {
                let mut load = result.to_list();
                let mut deferred = false;
                if !is_distinct && !is_record {
                    // What is in the sort key is not stored twice.
                    sort.mark_columns_in_key();
                    if sort.key_position.iter().any(Option::is_some) {
                        original = 0;
                        let kept = load
                            .iter()
                            .zip(&sort.key_position)
                            .filter(|(_, key)| key.is_none());
                        load = kept.map(|(expr, _)| *expr).collect();
                        count = load.len();
                    }
                    // With LIMIT, rows that are thrown away at once need not be computed.
                    deferred = limits.limit != 0 && prefix > 0;
                }
                if deferred {
                    original = 0;
                    let load = load.iter().map(|expr| (*expr).clone()).collect();
                    sort.deferred = Some((load, first, flags));
                } else {
                    self.expr_code_list(load, first, flags)?;
                }
            } else {
                match result {
                    ResultExprs::Columns(columns) => {
                        self.expr_code_list(result_exprs(columns), first, flags)?;
                    }
                    ResultExprs::Exprs(exprs) => self.expr_code_list(exprs, first, flags)?,
                }
            }
        }
        if let Some(distinct) = distinct {
            self.code_distinct(distinct, result, first, next)?;
            if sort.is_none() {
                self.code_offset(limits, next);
            }
        }
        let sorting = sort.is_some();
        if !sorting && matches!(dest.kind, DestinationKind::UpdateFrom { .. }) {
            // An aggregate over no rows yields one that is no row of the table.
            self.op(Opcode::IsNull, first, stop, 0);
        }
        self.code_disposal(sort, dest, limits, first, original, count, prefix)?;
        if !sorting && limits.limit != 0 {
            self.op(Opcode::DecrJumpZero, limits.limit, stop, 0);
        }
        Ok(())
    }

    pub(super) fn code_disposal(
        &mut self,
        sort: Option<&mut Sort<'_>>,
        dest: &mut Destination,
        limits: LimitRegs,
        first: i32,
        original: i32,
        count: usize,
        prefix: usize,
    ) -> Result<()> {
        match &dest.kind {
            DestinationKind::Table | DestinationKind::EphemeralTable => {
                let base = self.temp_regs(prefix + 1);
                let record = base + prefix as i32;
                self.op(Opcode::MakeRecord, first, count as i32, record);
                match sort {
                    Some(sort) => self.push_sorter(sort, limits, record, original, 1, prefix)?,
                    None => {
                        let rowid = self.temp_reg();
                        self.op(Opcode::NewRowid, dest.param, rowid, 0);
                        self.op(Opcode::Insert, dest.param, record, rowid);
                        self.p5(p5::APPEND);
                        self.release_temp(rowid);
                    }
                }
                self.release_temps(base, prefix + 1);
            }
            DestinationKind::Exists => {
                self.op(Opcode::Integer, 1, dest.param, 0);
            }
            DestinationKind::Discard => {}
            _ if sort.is_some() => {
                if let Some(sort) = sort {
                    self.push_sorter(sort, limits, first, original, count, prefix)?;
                }
                if matches!(dest.kind, DestinationKind::Memory) {
                    dest.param = first;
                }
                if let DestinationKind::Set { filter, .. } = &mut dest.kind {
                    *filter = 0;
                }
            }
            DestinationKind::Set { affinities, filter } => {
                let (affinities, filter) = (affinities.clone(), *filter);
                let record = self.temp_reg();
                self.op4(Opcode::MakeRecord, first, count as i32, record, affinities);
                self.op4(
                    Opcode::IdxInsert,
                    dest.param,
                    record,
                    first,
                    P4::Int(count as i32),
                );
                self.add_to_filter(filter, first, count);
                self.release_temp(record);
            }
            DestinationKind::Queue(queue) => {
                let queue = queue.clone();
                self.code_enqueue(&queue, dest.param, first, count);
            }
            DestinationKind::UpdateFrom { key_count } => {
                let record = self.temp_reg();
                self.store_found(dest.param, *key_count, first, count, record);
                self.release_temp(record);
            }
            DestinationKind::Memory => {
                if first != dest.param {
                    self.op(Opcode::Copy, first, dest.param, count as i32 - 1);
                }
            }
            DestinationKind::Coroutine => {
                self.op(Opcode::Yield, dest.param, 0, 0);
            }
            DestinationKind::Output => {
                self.op(Opcode::ResultRow, first, count as i32, 0);
            }
        }
        Ok(())
    }

    /// Adds a row of the right side of an IN to its filter, if it has one.
    pub(super) fn add_to_filter(&mut self, filter: i32, first: i32, count: usize) {
        if filter != 0 {
            self.op4(Opcode::FilterAdd, filter, 0, first, P4::Int(count as i32));
            self.explain(|| "CREATE BLOOM FILTER".to_owned());
        }
    }

    /// Puts a row of an UPDATE with FROM under its key.
    pub(super) fn store_found(
        &mut self,
        cursor: i32,
        key_count: usize,
        first: i32,
        count: usize,
        record: i32,
    ) {
        if key_count == 0 {
            self.op(Opcode::MakeRecord, first + 1, count as i32 - 1, record);
            self.op(Opcode::Insert, cursor, record, first);
        } else {
            self.op(Opcode::MakeRecord, first, count as i32, record);
            let keys = P4::Int(key_count as i32);
            self.op4(Opcode::IdxInsert, cursor, record, first, keys);
        }
    }

    /// Skips the first rows.
    pub(super) fn code_offset(&mut self, limits: LimitRegs, next: i32) {
        if limits.offset > 0 {
            self.op(Opcode::IfPos, limits.offset, next, 1);
        }
    }

    /// Jumps to `next` if the row was there before.
    fn code_distinct(
        &mut self,
        distinct: &DistinctIndex,
        result: ResultExprs<'_>,
        first: i32,
        next: i32,
    ) -> Result<()> {
        let count = result.len();
        match distinct.kind {
            Distinct::Ordered => {
                // Equal rows follow one another: compare with the one before.
                let previous = self.alloc_regs(count);
                let differs = self.here() + count as i32;
                for (i, expr) in result.to_list().into_iter().enumerate() {
                    let collation = self.expr_collation(expr)?;
                    let (reg, other) = (first + i as i32, previous + i as i32);
                    if i + 1 < count {
                        self.op4(Opcode::Ne, reg, differs, other, P4::Collation(collation));
                    } else {
                        self.op4(Opcode::Eq, reg, next, other, P4::Collation(collation));
                    }
                    self.p5(p5::NULLEQ);
                }
                self.op(Opcode::Copy, first, previous, count as i32 - 1);
                self.drop_distinct_index(distinct);
                // The row before the first differs from any row, also from one of NULLs.
                let insn = self.b.insn_mut(distinct.addr);
                insn.opcode = Opcode::Null;
                insn.p1 = 1;
                insn.p2 = previous;
            }
            Distinct::Unique => self.drop_distinct_index(distinct),
            Distinct::Noop | Distinct::Unordered => {
                let record = self.temp_reg();
                self.op4(
                    Opcode::Found,
                    distinct.cursor,
                    next,
                    first,
                    P4::Int(count as i32),
                );
                self.op(Opcode::MakeRecord, first, count as i32, record);
                self.op4(
                    Opcode::IdxInsert,
                    distinct.cursor,
                    record,
                    first,
                    P4::Int(count as i32),
                );
                self.p5(p5::USESEEKRESULT);
                self.release_temp(record);
            }
        }
        Ok(())
    }

    /// The loops themselves tell rows apart: the index is not opened, nor explained.
    fn drop_distinct_index(&mut self, distinct: &DistinctIndex) {
        self.b.to_noop(distinct.addr);
        if distinct.addr + 1 < self.here()
            && self.b.insn(distinct.addr + 1).opcode == Opcode::Explain
        {
            self.b.to_noop(distinct.addr + 1);
        }
    }
}
