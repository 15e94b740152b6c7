//! Recursive common table expressions.
//!
//! ```text
//!   setup → queue
//!   while the queue has rows:
//!     current = the queue's first row, which leaves it       the first that came, or the first of ORDER BY
//!     the row goes out, past OFFSET, until LIMIT
//!     recursive terms over that one row → queue
//! ```
//!
//! Rules:
//! 1. With UNION a row that was in the queue once does not enter it again.
//! 2. With ORDER BY the queue is an index: the terms of ORDER BY, a sequence number, the row as a record.
//! 3. Setup and recursive terms have no order of their own: it would not be seen.
//!
//! Source: SQLite's `generateWithRecursiveQuery`.

use super::{Destination, DestinationKind, LimitRegs};
use crate::bound::{CompoundOp, FromSource, OrderTerm, Select};
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::cost::LogEst;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Opcode, P4};
use std::sync::Arc;

/// How rows enter the queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Rule 1: the index of all rows that were in the queue.
    pub distinct: Option<i32>,
    /// Rule 2: the result columns that ORDER BY names; empty: the queue is a table.
    pub order: Arc<[usize]>,
}

impl Compiler<'_> {
    /// A recursive compound: its setup and its recursive terms.
    pub(super) fn code_recursive(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let columns = select.result.len();
        self.open_destination(dest, columns);
        if select.flags.window {
            return Err(SqlError::error(
                "cannot use window functions in recursive queries",
            ));
        }
        let end = self.label();
        let (limits, estimate, _) = self.code_limits(select, limits, end)?;
        let (setup, step) = split(select)?;
        let current = current_cursor(select)?;
        let record = self.alloc_reg();
        self.op(Opcode::OpenPseudo, current, record, columns as i32);
        let queue = self.alloc_cursor(None);
        let is_union = matches!(select.prior, Some((CompoundOp::Union, _)));
        let mut entry = Destination::new(
            DestinationKind::Queue(Queue {
                distinct: is_union.then(|| self.alloc_cursor(None)),
                order: order_columns(&select.order_by),
            }),
            queue,
        );
        self.open_queue(select, &entry)?;

        self.explain_push(|| "SETUP".to_owned());
        self.code_select_limited(setup, &mut entry, LimitRegs::default())?;
        self.explain_pop();

        let top = self.jump(Opcode::Rewind, queue, end, 0);
        self.op(Opcode::NullRow, current, 0, 0);
        if select.order_by.is_empty() {
            self.op(Opcode::RowData, queue, record, 0);
        } else {
            let place = select.order_by.len() as i32 + 1;
            self.op(Opcode::Column, queue, place, record);
        }
        self.op(Opcode::Delete, queue, 0, 0);
        let next = self.label();
        self.code_offset(limits, next.into());
        self.code_current_row(current, columns, dest)?;
        if limits.limit != 0 {
            self.jump(Opcode::DecrJumpZero, limits.limit, end, 0);
        }
        self.place(next);

        self.explain_push(|| "RECURSIVE STEP".to_owned());
        let mut entry = Destination::new(entry.kind, queue);
        self.code_select_limited(&step, &mut entry, LimitRegs::default())?;
        self.explain_pop();
        self.op(Opcode::Goto, 0, top, 0);
        self.place(end);
        Ok(estimate)
    }

    /// Opens the queue and the index of rule 1.
    fn open_queue(&mut self, select: &Select, entry: &Destination) -> Result<()> {
        let columns = select.result.len();
        let DestinationKind::Queue(queue) = &entry.kind else {
            return Ok(());
        };
        let collations = self.compound_collations(select);
        if select.order_by.is_empty() {
            self.op(Opcode::OpenEphemeral, entry.param, columns as i32, 0);
            self.p5(p5::ROWLIST);
        } else {
            let (key, _) = self.merge_key(&select.order_by, &collations)?;
            let mut key = (*key).clone();
            key.columns
                .resize(select.order_by.len() + 2, <_>::default());
            let count = select.order_by.len() as i32 + 2;
            let key = P4::KeyInfo(Arc::new(key));
            self.op4(Opcode::OpenEphemeral, entry.param, count, 0, key);
            self.p5(p5::ROWLIST);
        }
        if let Some(distinct) = queue.distinct {
            let key = P4::KeyInfo(self.duplicate_key(&collations)?);
            self.op4(Opcode::OpenEphemeral, distinct, columns as i32, 0, key);
        }
        Ok(())
    }

    /// Outputs the current row.
    fn code_current_row(
        &mut self,
        current: i32,
        columns: usize,
        dest: &mut Destination,
    ) -> Result<()> {
        if dest.first == 0 {
            dest.first = self.alloc_regs(columns);
        }
        dest.count = columns;
        for i in 0..columns as i32 {
            self.op(Opcode::Column, current, i, dest.first + i);
        }
        let first = dest.first;
        self.code_disposal(None, dest, LimitRegs::default(), first, first, columns, 0)
    }

    /// Puts a row, `count` registers from `first` on, into the queue.
    pub(super) fn code_enqueue(&mut self, queue: &Queue, cursor: i32, first: i32, count: usize) {
        let skip = self.label();
        let record = self.temp_reg();
        if let Some(distinct) = queue.distinct {
            let key = P4::Int(count as i32);
            self.op4(Opcode::Found, distinct, skip.into(), first, key.clone());
            self.op(Opcode::MakeRecord, first, count as i32, record);
            self.op4(Opcode::IdxInsert, distinct, record, first, key);
        } else {
            self.op(Opcode::MakeRecord, first, count as i32, record);
        }
        if queue.order.is_empty() {
            let rowid = self.temp_reg();
            self.op(Opcode::NewRowid, cursor, rowid, 0);
            self.op(Opcode::Insert, cursor, record, rowid);
            self.p5(p5::APPEND);
            self.release_temp(rowid);
        } else {
            let keys = queue.order.len();
            let key = self.temp_regs(keys + 3);
            for (i, column) in queue.order.iter().enumerate() {
                self.op(Opcode::SCopy, first + *column as i32, key + i as i32, 0);
            }
            let at = key + keys as i32;
            self.op(Opcode::Sequence, cursor, at, 0);
            self.op(Opcode::Copy, record, at + 1, 0);
            self.op(Opcode::MakeRecord, key, keys as i32 + 2, at + 2);
            let count = P4::Int(keys as i32 + 2);
            self.op4(Opcode::IdxInsert, cursor, at + 2, key, count);
            self.release_temps(key, keys + 3);
        }
        self.release_temp(record);
        self.place(skip);
    }
}

/// The result columns that the terms of an ORDER BY are.
fn order_columns(terms: &[OrderTerm]) -> Arc<[usize]> {
    terms
        .iter()
        .map(|term| term.result_column.unwrap_or(0))
        .collect()
}

/// The setup, and a copy of the recursive terms as a UNION ALL of their own.
///
/// # Errors
/// `recursive aggregate queries not supported`
fn split(select: &Select) -> Result<(&Select, Select)> {
    let mut terms = Vec::new();
    let mut part = select;
    let setup = loop {
        if part.flags.aggregate {
            return Err(SqlError::error("recursive aggregate queries not supported"));
        }
        terms.push(Select {
            order_by: Vec::new(),
            limit: None,
            offset: None,
            prior: None,
            ..part.clone()
        });
        match &part.prior {
            Some((_, prior)) if prior.flags.recursive => part = prior,
            Some((_, prior)) => break &**prior,
            None => return Err(SqlError::error("a recursion has a setup")),
        }
    };
    let mut step: Option<Select> = None;
    for mut term in terms.into_iter().rev() {
        term.prior = step
            .take()
            .map(|before| (CompoundOp::UnionAll, Box::new(before)));
        step = Some(term);
    }
    let step = step.ok_or_else(|| SqlError::error("a recursion has a term"))?;
    Ok((setup, step))
}

/// The cursor of the current row.
fn current_cursor(select: &Select) -> Result<i32> {
    let items = select.from.items.iter();
    items
        .into_iter()
        .find(|item| matches!(item.source, FromSource::Recursive))
        .map(|item| item.cursor)
        .ok_or_else(|| SqlError::error("a recursion reads itself"))
}
