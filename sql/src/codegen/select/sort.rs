//! ORDER BY: rows into a sorter, and out again.
//!
//! ```text
//!   a record:  key terms that the loops do not satisfy | sequence number | result columns that are not in the key
//! ```
//!
//! The sequence number makes records of the ephemeral index (with LIMIT) differ; the sorter (without) is stable by
//! itself.
//!
//! If the loops deliver the first terms in order, only rows that are equal in them are sorted together: a block.
//!
//! Source: SQLite's `pushOntoSorter`, `generateSortTail`.

use super::{Destination, DestinationKind, LimitRegs};
use crate::bound::{Expr, OrderTerm};
use crate::codegen::expr::ListFlags;
use crate::compiler::{Compiler, Result};
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use std::sync::Arc;

/// The sorter of an ORDER BY.
pub(super) struct Sort<'s> {
    pub terms: &'s [OrderTerm],
    pub cursor: i32,
    /// The address that opens it.
    pub addr: i32,
    /// A sorter, not an ephemeral index.
    pub use_sorter: bool,
    /// How many of the terms the loops satisfy.
    pub satisfied: usize,
    /// Where to jump when a row is worse than all that LIMIT lets through.
    pub limit_label: Option<i32>,
    /// For each result column its place in the key, if it is not stored beside it.
    pub key_position: Vec<Option<usize>>,
    /// Result columns that are computed when the row turns out to be kept: what, where, how.
    pub deferred: Option<(Vec<Expr>, i32, ListFlags)>,
    /// Where the output of a block begins, and the register through which it returns.
    block: Option<(Label, i32)>,
    done: Option<Label>,
}

impl<'s> Sort<'s> {
    pub(super) fn new(terms: &'s [OrderTerm], cursor: i32, addr: i32, count: usize) -> Sort<'s> {
        Sort {
            terms,
            cursor,
            addr,
            use_sorter: false,
            satisfied: 0,
            limit_label: None,
            key_position: vec![None; count],
            deferred: None,
            block: None,
            done: None,
        }
    }

    /// Finds the result columns that are in the key anyway.
    pub(super) fn mark_columns_in_key(&mut self) {
        for (i, term) in self.terms.iter().enumerate().skip(self.satisfied) {
            if let Some(column) = term.result_column {
                // COLLATE around a term does not change its value.
                self.key_position[column] = Some(i - self.satisfied);
            }
        }
    }
}

impl Compiler<'_> {
    /// Puts a row, `count` registers from `data` on, into the sorter. `original`: where the result columns are
    /// before they are packed, 0 if not all are there. `prefix` registers before `data` are free for the key.
    pub(super) fn push_sorter(
        &mut self,
        sort: &mut Sort<'_>,
        limits: LimitRegs,
        data: i32,
        original: i32,
        count: usize,
        prefix: usize,
    ) -> Result<()> {
        let sequence = i32::from(!sort.use_sorter);
        let terms = sort.terms.len() as i32;
        let total = terms + sequence + count as i32;
        let satisfied = sort.satisfied as i32;
        let base = if prefix > 0 {
            data - prefix as i32
        } else {
            self.alloc_regs(total as usize)
        };
        let limit = if limits.offset != 0 {
            limits.offset + 1
        } else {
            limits.limit
        };
        let done = self.label();
        sort.done = Some(done);
        self.code_sort_key(sort, base, original)?;
        if sequence == 1 {
            self.op(Opcode::Sequence, sort.cursor, base + terms, 0);
        }
        if prefix == 0 && count > 0 {
            self.op(Opcode::Move, data, base + terms + sequence, count as i32);
        }
        let mut record = 0;
        if satisfied > 0 {
            record = self.make_sort_record(sort, base, total)?;
            self.code_block_change(sort, base, limit, done, count)?;
        }
        let mut skip = None;
        if limit != 0 {
            // Full: the last one goes if this one is better, else this one is not put in.
            let insert = self.here() + 4;
            self.op(Opcode::IfNotZero, limit, insert, 0);
            self.op(Opcode::Last, sort.cursor, 0, 0);
            let key = P4::Int(terms - satisfied);
            skip = Some(self.op4(Opcode::IdxLE, sort.cursor, 0, base + satisfied, key));
            self.op(Opcode::Delete, sort.cursor, 0, 0);
        }
        if record == 0 {
            record = self.make_sort_record(sort, base, total)?;
        }
        if sort.use_sorter {
            self.op(Opcode::SorterInsert, sort.cursor, record, 0);
        } else {
            let key = P4::Int(total - satisfied);
            self.op4(
                Opcode::IdxInsert,
                sort.cursor,
                record,
                base + satisfied,
                key,
            );
        }
        if let Some(skip) = skip {
            let to = sort.limit_label.unwrap_or_else(|| self.here());
            self.b.set_p2(skip, to);
        }
        Ok(())
    }

    /// The key; terms that are result columns are copied from there.
    fn code_sort_key(&mut self, sort: &Sort<'_>, base: i32, original: i32) -> Result<()> {
        for (i, term) in sort.terms.iter().enumerate() {
            let target = base + i as i32;
            match term.result_column {
                Some(column) if original != 0 => {
                    self.op(Opcode::Copy, original + column as i32, target, 0);
                }
                _ => self.expr_code_list(
                    [&term.expr],
                    target,
                    ListFlags {
                        dup: true,
                        factor: false,
                    },
                )?,
            }
        }
        Ok(())
    }

    fn make_sort_record(&mut self, sort: &mut Sort<'_>, base: i32, total: i32) -> Result<i32> {
        let record = self.alloc_reg();
        if let Some((exprs, first, flags)) = sort.deferred.take() {
            self.expr_code_list(&exprs, first, flags)?;
        }
        let satisfied = sort.satisfied as i32;
        self.op(
            Opcode::MakeRecord,
            base + satisfied,
            total - satisfied,
            record,
        );
        Ok(record)
    }

    /// If the satisfied terms have changed, outputs what was sorted so far and begins anew.
    fn code_block_change(
        &mut self,
        sort: &mut Sort<'_>,
        base: i32,
        limit: i32,
        done: Label,
        count: usize,
    ) -> Result<()> {
        let satisfied = sort.satisfied;
        let previous = self.alloc_regs(satisfied);
        let terms = sort.terms.len();
        let first = if sort.use_sorter {
            self.op(Opcode::SequenceTest, sort.cursor, 0, 0)
        } else {
            self.op(Opcode::IfNot, base + terms as i32, 0, 0)
        };
        // Only whether they differ matters: no directions.
        let mut same_key = KeyInfo {
            columns: Vec::new(),
            behind: 0,
            encoding: self.ctx.schema.dbs[0].encoding,
        };
        for term in &sort.terms[..satisfied] {
            let collation = self.expr_collation(&term.expr)?;
            same_key.columns.push(KeyColumn {
                collation,
                desc: false,
                big_null: false,
            });
        }
        self.op4(
            Opcode::Compare,
            previous,
            base,
            satisfied as i32,
            P4::KeyInfo(Arc::new(same_key)),
        );
        let rest = sort.terms[satisfied..]
            .iter()
            .map(|term| (&term.expr, term.order));
        let sequence = usize::from(!sort.use_sorter);
        let extra = if sort.use_sorter { 0 } else { sequence + count };
        let key = self.key_info_of(rest, extra)?;
        let open = self.b.insn_mut(sort.addr);
        open.p2 = (terms - satisfied + sequence + count) as i32;
        open.p4 = P4::KeyInfo(key);
        let jump = self.here();
        self.op(Opcode::Jump, jump + 1, 0, jump + 1);
        let block = self.label();
        let return_reg = self.alloc_reg();
        sort.block = Some((block, return_reg));
        self.jump(Opcode::Gosub, return_reg, block, 0);
        self.op(Opcode::ResetSorter, sort.cursor, 0, 0);
        if limit != 0 {
            self.jump(Opcode::IfNot, limit, done, 0);
        }
        self.jump_here(first);
        self.op(Opcode::Move, base, previous, satisfied as i32);
        self.jump_here(jump);
        Ok(())
    }

    /// Outputs the sorted rows.
    pub(super) fn code_sort_tail(
        &mut self,
        sort: Sort<'_>,
        columns: usize,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<()> {
        let keys = sort.terms.len() - sort.satisfied;
        if sort.satisfied == 0 || keys == 1 {
            let last = if sort.satisfied > 0 {
                "LAST TERM OF "
            } else {
                ""
            };
            self.explain(|| format!("USE TEMP B-TREE FOR {last}ORDER BY"));
        } else {
            self.explain(|| format!("USE TEMP B-TREE FOR LAST {keys} TERMS OF ORDER BY"));
        }
        let stop = sort.done.unwrap_or_else(|| self.label());
        let next = self.label();
        if let Some((block, return_reg)) = sort.block {
            self.jump(Opcode::Gosub, return_reg, block, 0);
            self.goto(stop);
            self.place(block);
        }
        let is_record = matches!(
            dest.kind,
            DestinationKind::Table | DestinationKind::EphemeralTable
        );
        let in_place = matches!(
            dest.kind,
            DestinationKind::Output | DestinationKind::Coroutine | DestinationKind::Memory
        );
        let columns = if is_record { 0 } else { columns };
        let (row, scratch) = if in_place {
            if matches!(dest.kind, DestinationKind::Memory) {
                if limits.offset != 0 {
                    self.op(Opcode::Null, 0, dest.first, 0);
                }
                // Where the sorted rows go is where the result is.
                dest.param = dest.first;
            }
            (dest.first, 0)
        } else {
            let scratch = self.temp_reg();
            (
                if is_record {
                    self.temp_reg()
                } else {
                    self.temp_regs(columns)
                },
                scratch,
            )
        };
        let (source, top, sequence) = self.begin_sorted(&sort, keys, columns, stop, next, limits);
        let stored = sort
            .key_position
            .iter()
            .take(columns)
            .filter(|key| key.is_none())
            .count();
        let mut at = keys + sequence + stored;
        for i in (0..columns).rev() {
            let position = match sort.key_position[i] {
                Some(position) => position,
                None => {
                    at -= 1;
                    at
                }
            };
            self.op(Opcode::Column, source, position as i32, row + i as i32);
        }
        match &dest.kind {
            DestinationKind::Table | DestinationKind::EphemeralTable => {
                self.op(Opcode::Column, source, (keys + sequence) as i32, row);
                self.op(Opcode::NewRowid, dest.param, scratch, 0);
                self.op(Opcode::Insert, dest.param, row, scratch);
                self.p5(p5::APPEND);
            }
            DestinationKind::Set { affinities, .. } => {
                let affinities = affinities.clone();
                self.op4(Opcode::MakeRecord, row, columns as i32, scratch, affinities);
                self.op4(
                    Opcode::IdxInsert,
                    dest.param,
                    scratch,
                    row,
                    P4::Int(columns as i32),
                );
            }
            DestinationKind::Queue(queue) => {
                let queue = queue.clone();
                self.code_enqueue(&queue, dest.param, row, columns);
            }
            DestinationKind::UpdateFrom { key_count } => {
                self.store_found(dest.param, *key_count, row, columns, scratch);
            }
            DestinationKind::Output => {
                self.op(Opcode::ResultRow, dest.first, columns as i32, 0);
            }
            DestinationKind::Coroutine => {
                self.op(Opcode::Yield, dest.param, 0, 0);
            }
            DestinationKind::Memory | DestinationKind::Exists | DestinationKind::Discard => {}
        }
        if !in_place {
            self.release_temp(scratch);
            self.release_temps(row, columns.max(1));
        }
        self.place(next);
        let step = if sort.use_sorter {
            Opcode::SorterNext
        } else {
            Opcode::Next
        };
        self.op(step, sort.cursor, top, 0);
        if let Some((_, return_reg)) = sort.block {
            self.op(Opcode::Return, return_reg, 0, 0);
        }
        self.place(stop);
        Ok(())
    }

    /// Goes to the first sorted row: the cursor to read from, the top of the loop, and how many columns are between key
    /// and data.
    fn begin_sorted(
        &mut self,
        sort: &Sort<'_>,
        keys: usize,
        columns: usize,
        stop: Label,
        next: Label,
        limits: LimitRegs,
    ) -> (i32, i32, usize) {
        if !sort.use_sorter {
            let sorted = self.jump(Opcode::Sort, sort.cursor, stop, 0);
            self.code_offset(limits, next.into());
            if limits.offset > 0 {
                self.op(Opcode::AddImm, limits.limit, -1, 0);
            }
            return (sort.cursor, sorted + 1, 1);
        }
        let once = sort.block.map(|_| self.op(Opcode::Once, 0, 0, 0));
        let record = self.alloc_reg();
        let pseudo = self.alloc_cursor(None);
        self.op(
            Opcode::OpenPseudo,
            pseudo,
            record,
            (keys + 1 + columns) as i32,
        );
        if let Some(once) = once {
            self.jump_here(once);
        }
        let sorted = self.jump(Opcode::SorterSort, sort.cursor, stop, 0);
        self.code_offset(limits, next.into());
        self.op(Opcode::SorterData, sort.cursor, record, pseudo);
        (pseudo, sorted + 1, 0)
    }
}
