//! Compounds and VALUES.
//!
//! ```text
//!   UNION ALL without ORDER BY     left, then right, into the same destination
//!   everything else                two coroutines, each in the order of ORDER BY, and a merge:
//!
//!       UNION ALL   A<B out A   A=B out A   A>B out B      UNION drops rows equal to the one before
//!       INTERSECT   A<B next A  A=B out A   A>B next B
//!       EXCEPT      A<B out A   A=B next A  A>B next B
//! ```
//!
//! Source: SQLite's `multiSelect`, `multiSelectByMerge`, `multiSelectValues`, `generateOutputSubroutine`.

use super::row::ResultExprs;
use super::{Destination, DestinationKind, LimitRegs, ROWS_MAX};
use crate::bound::{CompoundOp, Expr, OrderTerm, Select, SortOrder};
use crate::compiler::{Compiler, Result};
use crate::plan::cost::{self, LogEst, log_est};
use crate::schema::CollationName;
use ringwood_format::key::{KeyColumn, KeyInfo};
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};
use std::sync::Arc;

/// The coroutine of one side of a merge.
struct Side {
    /// Yields through this register.
    yield_reg: i32,
    dest: Destination,
    /// The subroutine that outputs its row returns through this one.
    return_reg: i32,
}

impl Compiler<'_> {
    /// A compound or VALUES of several rows.
    pub(super) fn code_compound(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let Some((op, _)) = &select.prior else {
            return self.code_values(select, dest, limits);
        };
        if select.flags.recursive && has_setup(select) {
            return self.code_recursive(select, dest, limits);
        }
        if select.order_by.is_empty() && (*op == CompoundOp::UnionAll || is_union_limit_one(select))
        {
            return self.code_union_all(select, dest, limits);
        }
        self.code_merge(select, dest, limits)
    }

    /// VALUES: one row after the other.
    fn code_values(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let count = select.rows.len() + 1;
        if !select.order_by.is_empty() {
            return self.code_sorted_values(select, dest, limits);
        }
        self.open_destination(dest, select.result.len());
        let end = self.label();
        let (limits, ..) = self.code_limits(select, limits, end)?;
        if dest.is_queue() {
            // There, stock SQLite takes the rows one by one.
            self.explain_push(|| "COMPOUND QUERY".to_owned());
            for i in 0..count {
                let part = if i == 0 {
                    "LEFT-MOST SUBQUERY"
                } else {
                    "UNION ALL"
                };
                self.explain_push(|| part.to_owned());
                self.explain(|| "SCAN CONSTANT ROW".to_owned());
                self.explain_pop();
            }
            self.explain_pop();
        } else if !self.values_in_from {
            self.explain(|| format!("SCAN {count}-ROW VALUES CLAUSE"));
        }
        let next = self.label();
        self.code_row(
            ResultExprs::Columns(&select.result),
            None,
            None,
            dest,
            limits,
            next.into(),
            end.into(),
        )?;
        self.place(next);
        for row in &select.rows {
            let next = self.label();
            self.code_row(
                ResultExprs::Exprs(row),
                None,
                None,
                dest,
                limits,
                next.into(),
                end.into(),
            )?;
            self.place(next);
        }
        self.place(end);
        Ok(log_est(count as u64))
    }

    /// VALUES with ORDER BY: the rows go through a sorter.
    fn code_sorted_values(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let columns = select.result.len();
        let mut sort = self.open_sort(&select.order_by, columns)?;
        self.open_destination(dest, columns);
        let end = self.label();
        let (limits, ..) = self.code_limits(select, limits, end)?;
        self.settle_sort(&mut sort, limits)?;
        let Some(mut sort) = sort else { return Ok(0) };
        // A coroutine yields the rows; the sorter sees them as columns of registers.
        let yield_reg = self.alloc_reg();
        let entry = self.here() + 1;
        let init = self.op(Opcode::InitCoroutine, yield_reg, 0, entry);
        let mut inner = Destination::new(DestinationKind::Coroutine, yield_reg);
        let plain = Select {
            order_by: Vec::new(),
            limit: None,
            offset: None,
            ..select.clone()
        };
        let estimate = self.code_values(&plain, &mut inner, LimitRegs::default())?;
        self.op(Opcode::EndCoroutine, yield_reg, 0, 0);
        self.jump_here(init);
        let exprs: Vec<Expr> = (0..columns)
            .map(|i| Expr::Register {
                reg: inner.first + i as i32,
                affinity: ringwood_format::affinity::Affinity::None,
                collation: None,
            })
            .collect();
        let done = self.label();
        let top = self.jump(Opcode::Yield, yield_reg, done, 0);
        let terms: Vec<OrderTerm> = select
            .order_by
            .iter()
            .map(|term| OrderTerm {
                expr: term
                    .result_column
                    .map_or_else(|| term.expr.clone(), |i| exprs[i].clone()),
                ..term.clone()
            })
            .collect();
        sort.terms = &terms;
        let next = self.label();
        self.code_row(
            ResultExprs::Exprs(&exprs),
            Some(&mut sort),
            None,
            dest,
            limits,
            next.into(),
            done.into(),
        )?;
        self.place(next);
        self.op(Opcode::Goto, 0, top, 0);
        self.place(done);
        self.code_sort_tail(sort, columns, dest, limits)?;
        self.place(end);
        Ok(estimate)
    }

    /// The left side, then the right side.
    fn code_union_all(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let mut part = select;
        while let Some((CompoundOp::UnionAll, prior)) = &part.prior {
            part = prior;
        }
        // Behind a merge it is not called a compound.
        let is_whole = part.prior.is_none();
        if is_whole {
            self.explain_push(|| "COMPOUND QUERY".to_owned());
        }
        let rows = self.code_union_all_parts(select, dest, limits);
        if is_whole {
            self.explain_pop();
        }
        rows
    }

    fn code_union_all_parts(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let Some((_, prior)) = &select.prior else {
            return Ok(0);
        };
        if matches!(dest.kind, DestinationKind::EphemeralTable) {
            self.op(
                Opcode::OpenEphemeral,
                dest.param,
                select.result.len() as i32,
                0,
            );
            dest.kind = DestinationKind::Table;
        }
        let end = self.label();
        let (limits, mut limit_rows, fixed) = self.code_limits(select, limits, end)?;
        if !fixed {
            limit_rows = ROWS_MAX;
        }
        let is_chain = matches!(prior.prior, Some((CompoundOp::UnionAll, _)));
        let left_rows = if is_chain {
            self.code_union_all_parts(prior, dest, limits)?
        } else if prior.prior.is_some() {
            self.code_part(prior, dest, limits)?
        } else {
            self.explain_push(|| "LEFT-MOST SUBQUERY".to_owned());
            let rows = self.code_part(prior, dest, limits)?;
            self.explain_pop();
            rows
        };
        let mut skip = None;
        if limits.limit != 0 {
            skip = Some(self.op(Opcode::IfNot, limits.limit, 0, 0));
            if limits.offset != 0 {
                self.op(
                    Opcode::OffsetLimit,
                    limits.limit,
                    limits.offset + 1,
                    limits.offset,
                );
            }
        }
        self.explain_push(|| "UNION ALL".to_owned());
        let alone = Select {
            prior: None,
            limit: None,
            offset: None,
            order_by: Vec::new(),
            ..select.clone()
        };
        let right_rows = self.code_part(&alone, dest, limits)?;
        self.explain_pop();
        if let Some(skip) = skip {
            self.jump_here(skip);
        }
        self.place(end);
        Ok(cost::add(left_rows, right_rows).min(limit_rows))
    }

    /// A part whose LIMIT is the compound's.
    fn code_part(
        &mut self,
        part: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        self.code_select_limited(part, dest, limits)
    }

    /// Two coroutines and a merge.
    fn code_merge(
        &mut self,
        select: &Select,
        dest: &mut Destination,
        limits: LimitRegs,
    ) -> Result<LogEst> {
        let Some((op, _)) = select.prior.as_ref().map(|(op, prior)| (*op, prior)) else {
            return Ok(0);
        };
        let columns = select.result.len();
        if matches!(dest.kind, DestinationKind::EphemeralTable) {
            self.op(Opcode::OpenEphemeral, dest.param, columns as i32, 0);
            dest.kind = DestinationKind::Table;
        }
        let (end, compare) = (self.label(), self.label());
        let order = merge_order(select, op);
        let collations = self.compound_collations(select);
        let (merge_key, order) = self.merge_key(&order, &collations)?;
        let previous = if op == CompoundOp::UnionAll {
            0
        } else {
            let reg = self.alloc_regs(columns + 1);
            self.op(Opcode::Integer, 0, reg, 0);
            reg
        };
        let duplicate_key = self.duplicate_key(&collations)?;
        let (left, right) = split(select, op, &order);

        let (limits, limit_rows, _) = self.code_limits(select, limits, end)?;
        let (mut left_limits, mut right_limits) = (LimitRegs::default(), LimitRegs::default());
        if limits.limit != 0 && (op == CompoundOp::UnionAll || is_union_limit_one(select)) {
            left_limits.limit = self.alloc_reg();
            right_limits.limit = self.alloc_reg();
            let from = if limits.offset != 0 {
                limits.offset + 1
            } else {
                limits.limit
            };
            self.op(Opcode::Copy, from, left_limits.limit, 0);
            self.op(Opcode::Copy, left_limits.limit, right_limits.limit, 0);
        }
        let side = |c: &mut Self| Side {
            yield_reg: c.alloc_reg(),
            dest: Destination::new(DestinationKind::Coroutine, 0),
            return_reg: c.alloc_reg(),
        };
        let (mut a, mut b) = (side(self), side(self));
        a.dest.param = a.yield_reg;
        b.dest.param = b.yield_reg;
        self.explain_push(|| format!("MERGE ({})", op.symbol()));
        let left_rows = self.code_side(&left, &mut a, left_limits, "LEFT")?;
        let right_rows = self.code_side(&right, &mut b, right_limits, "RIGHT")?;
        self.explain_pop();

        // Over the subroutines.
        let start = self.op(Opcode::Goto, 0, 0, 0);
        let out_a = self.code_merge_output(&a, dest, previous, &duplicate_key, limits, end)?;
        let both = matches!(op, CompoundOp::UnionAll | CompoundOp::Union);
        let out_b = if both {
            self.code_merge_output(&b, dest, previous, &duplicate_key, limits, end)?
        } else {
            0
        };

        // A is exhausted: the rest of B.
        let (eof_a, eof_a_no_b): (i32, i32) = if both {
            let addr = self.op(Opcode::Gosub, b.return_reg, out_b, 0);
            let no_b = self.jump(Opcode::Yield, b.yield_reg, end, 0);
            self.op(Opcode::Goto, 0, addr, 0);
            (addr, no_b)
        } else {
            (end.into(), end.into())
        };
        // B is exhausted: the rest of A.
        let eof_b = if op == CompoundOp::Intersect {
            eof_a
        } else {
            let addr = self.op(Opcode::Gosub, a.return_reg, out_a, 0);
            self.jump(Opcode::Yield, a.yield_reg, end, 0);
            self.op(Opcode::Goto, 0, addr, 0);
            addr
        };
        // A < B
        let mut less = self.op(Opcode::Gosub, a.return_reg, out_a, 0);
        self.op(Opcode::Yield, a.yield_reg, eof_a, 0);
        self.goto(compare);
        let equal = match op {
            CompoundOp::UnionAll => less,
            CompoundOp::Intersect => {
                less += 1;
                less - 1
            }
            CompoundOp::Union | CompoundOp::Except => less + 1,
        };
        // A > B
        let mut greater = self.here();
        if both {
            self.op(Opcode::Gosub, b.return_reg, out_b, 0);
            self.op(Opcode::Yield, b.yield_reg, eof_b, 0);
            self.goto(compare);
        }
        // The first row of each.
        self.jump_here(start);
        self.op(Opcode::Yield, a.yield_reg, eof_a_no_b, 0);
        let next_b = self.op(Opcode::Yield, b.yield_reg, eof_b, 0);
        if !both {
            greater = next_b;
        }
        self.place(compare);
        let permuted = order
            .iter()
            .enumerate()
            .any(|(i, term)| term.result_column != Some(i));
        if permuted {
            let map: Vec<u32> = order
                .iter()
                .map(|term| term.result_column.unwrap_or(0) as u32)
                .collect();
            self.op4(Opcode::Permutation, 0, 0, 0, P4::Ints(map.into()));
        }
        let count = order.len() as i32;
        self.op4(
            Opcode::Compare,
            a.dest.first,
            b.dest.first,
            count,
            P4::KeyInfo(merge_key),
        );
        if permuted {
            self.p5(p5::PERMUTE);
        }
        self.op(Opcode::Jump, less, equal, greater);
        self.place(end);
        let rows = match op {
            CompoundOp::UnionAll | CompoundOp::Union => cost::add(left_rows, right_rows),
            CompoundOp::Intersect => left_rows.min(right_rows),
            CompoundOp::Except => right_rows, // as stock SQLite
        };
        Ok(rows.min(limit_rows))
    }

    /// The coroutine of one side.
    fn code_side(
        &mut self,
        select: &Select,
        side: &mut Side,
        limits: LimitRegs,
        name: &str,
    ) -> Result<LogEst> {
        let entry = self.here() + 1;
        let init = self.op(Opcode::InitCoroutine, side.yield_reg, 0, entry);
        self.explain_push(|| name.to_owned());
        let rows = self.code_select_limited(select, &mut side.dest, limits)?;
        self.explain_pop();
        self.op(Opcode::EndCoroutine, side.yield_reg, 0, 0);
        self.jump_here(init);
        self.clear_temps();
        Ok(rows)
    }

    /// The subroutine that outputs a side's row, unless it equals the row before; its address.
    fn code_merge_output(
        &mut self,
        side: &Side,
        dest: &mut Destination,
        previous: i32,
        key: &Arc<KeyInfo>,
        limits: LimitRegs,
        end: Label,
    ) -> Result<i32> {
        let addr = self.here();
        let next = self.label();
        let (first, count) = (side.dest.first, side.dest.count);
        if previous != 0 {
            let is_first = self.op(Opcode::IfNot, previous, 0, 0);
            let compare = self.op4(
                Opcode::Compare,
                first,
                previous + 1,
                count as i32,
                P4::KeyInfo(key.clone()),
            );
            self.op(Opcode::Jump, compare + 2, next.into(), compare + 2);
            self.jump_here(is_first);
            self.op(Opcode::Copy, first, previous + 1, count as i32 - 1);
            self.op(Opcode::Integer, 1, previous, 0);
        }
        self.code_offset(limits, next.into());
        match &dest.kind {
            DestinationKind::Table | DestinationKind::EphemeralTable => {
                let (record, rowid) = (self.temp_reg(), self.temp_reg());
                self.op(Opcode::MakeRecord, first, count as i32, record);
                self.op(Opcode::NewRowid, dest.param, rowid, 0);
                self.op(Opcode::Insert, dest.param, record, rowid);
                self.p5(p5::APPEND);
                self.release_temp(rowid);
                self.release_temp(record);
            }
            DestinationKind::UpdateFrom { key_count } => {
                let record = self.temp_reg();
                self.store_found(dest.param, *key_count, first, count, record);
                self.release_temp(record);
            }
            DestinationKind::Exists => {
                self.op(Opcode::Integer, 1, dest.param, 0);
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
            DestinationKind::Memory => {
                self.op(Opcode::Move, first, dest.param, count as i32);
            }
            DestinationKind::Coroutine => {
                if dest.first == 0 {
                    dest.first = self.alloc_regs(count);
                    dest.count = count;
                }
                self.op(Opcode::Move, first, dest.first, count as i32);
                self.op(Opcode::Yield, dest.param, 0, 0);
            }
            DestinationKind::Discard => {}
            DestinationKind::Output => {
                self.op(Opcode::ResultRow, first, count as i32, 0);
            }
        }
        if limits.limit != 0 {
            self.jump(Opcode::DecrJumpZero, limits.limit, end, 0);
        }
        self.place(next);
        self.op(Opcode::Return, side.return_reg, 0, 0);
        Ok(addr)
    }

    /// The collation of each column of a compound.
    pub(super) fn compound_collations(&self, select: &Select) -> Vec<Option<CollationName>> {
        (0..select.result.len())
            .map(|i| self.compound_collation(select, i))
            .collect()
    }

    /// The collation of a column of a compound: that of the first part that has one.
    fn compound_collation(&self, select: &Select, column: usize) -> Option<CollationName> {
        let before = select
            .prior
            .as_ref()
            .and_then(|(_, prior)| self.compound_collation(prior, column));
        before.or_else(|| self.collation_name(&select.result[column].expr))
    }

    /// How the merge orders rows; the terms get their collations, which both sides sort by.
    pub(super) fn merge_key(
        &self,
        order: &[OrderTerm],
        collations: &[Option<CollationName>],
    ) -> Result<(Arc<KeyInfo>, Vec<OrderTerm>)> {
        let mut key = KeyInfo {
            columns: Vec::new(),
            behind: 0,
            encoding: self.ctx.schema.dbs[0].encoding,
        };
        let mut terms = Vec::with_capacity(order.len());
        for term in order {
            let column = term.result_column.unwrap_or(0);
            let name = if let Expr::Collate { collation, .. } = &term.expr {
                collation.clone()
            } else {
                collations[column].clone().unwrap_or_default()
            };
            let collation = self.collation(&name)?;
            key.columns.push(KeyColumn {
                collation,
                desc: term.order.desc,
                big_null: term.order.big_null,
            });
            let expr = Expr::Collate {
                expr: Box::new(Expr::Null),
                collation: name,
                implicit: false,
            };
            terms.push(OrderTerm {
                expr,
                ..term.clone()
            });
        }
        // Values of the row that are no terms of the order do not count.
        Ok((Arc::new(key), terms))
    }

    pub(super) fn duplicate_key(
        &self,
        collations: &[Option<CollationName>],
    ) -> Result<Arc<KeyInfo>> {
        let mut key = KeyInfo {
            columns: Vec::new(),
            behind: 0,
            encoding: self.ctx.schema.dbs[0].encoding,
        };
        for name in collations {
            let collation = name
                .as_ref()
                .map(|name| self.collation(name))
                .transpose()?
                .unwrap_or_default();
            key.columns.push(KeyColumn {
                collation,
                desc: false,
                big_null: false,
            });
        }
        Ok(Arc::new(key))
    }
}

/// Whether there is a part that does not read the recursive table; the recursive terms alone have none.
fn has_setup(select: &Select) -> bool {
    let mut part = Some(select);
    while let Some(this) = part.filter(|this| this.flags.recursive) {
        part = this.prior.as_ref().map(|(_, prior)| &**prior);
    }
    part.is_some()
}

/// UNION with LIMIT 1: the first row of either side, whatever comes later.
fn is_union_limit_one(select: &Select) -> bool {
    matches!(select.prior, Some((CompoundOp::Union, _)))
        && select.offset.is_none()
        && select.limit.as_ref().and_then(Expr::as_integer) == Some(1)
}

/// Gives a compound that is going to be merged the ORDER BY that it has anyway, for the query around it to use.
pub fn show_merge_order(select: &mut Select) {
    let Some((op, _)) = &select.prior else {
        return;
    };
    let op = *op;
    if op != CompoundOp::UnionAll
        && select.order_by.is_empty()
        && !select.flags.recursive
        && !is_union_limit_one(select)
    {
        select.order_by = merge_order(select, op);
    }
}

/// The ORDER BY of a merge: the compound's, or its first column; and, unless duplicates may stay, all other columns.
fn merge_order(select: &Select, op: CompoundOp) -> Vec<OrderTerm> {
    let term = |column: usize| OrderTerm {
        expr: Expr::Integer(column as i64 + 1),
        order: SortOrder::default(),
        result_column: Some(column),
    };
    let mut order = select.order_by.clone();
    if order.is_empty() {
        order.push(term(0));
    }
    if op != CompoundOp::UnionAll {
        for column in 0..select.result.len() {
            if !order.iter().any(|term| term.result_column == Some(column)) {
                order.push(term(column));
            }
        }
    }
    order
}

/// The two sides, each with the ORDER BY of the merge. Long chains of UNION and UNION ALL are split in the middle.
fn split(select: &Select, op: CompoundOp, order: &[OrderTerm]) -> (Select, Select) {
    let mut chain = 1;
    if matches!(op, CompoundOp::UnionAll | CompoundOp::Union) {
        let mut part = select;
        while let Some((this, prior)) = &part.prior {
            if *this != op {
                break;
            }
            chain += 1;
            part = prior;
        }
    }
    // How many parts are on the right.
    let mut depth = 1;
    if chain > 3 {
        depth += (2..chain).step_by(2).count();
    }
    let mut right = select.clone();
    right.limit = None;
    right.offset = None;
    let mut left = match take_prior(&mut right, depth) {
        Some(prior) => prior,
        None => return (right.clone(), right),
    };
    order_side(&mut left, order);
    order_side(&mut right, order);
    (left, right)
}

/// Cuts the parts before the last `keep` off.
fn take_prior(select: &mut Select, keep: usize) -> Option<Select> {
    if keep == 1 {
        return select.prior.take().map(|(_, prior)| *prior);
    }
    take_prior(&mut select.prior.as_mut()?.1, keep - 1)
}

/// Gives a side the ORDER BY of the merge, in its own columns.
fn order_side(side: &mut Select, order: &[OrderTerm]) {
    side.order_by = order
        .iter()
        .map(|term| {
            let column = term.result_column.unwrap_or(0);
            let value = if side.prior.is_some() {
                Expr::Integer(column as i64 + 1)
            } else {
                side.result[column].expr.clone()
            };
            let expr = match &term.expr {
                Expr::Collate { collation, .. } => Expr::Collate {
                    expr: Box::new(value),
                    collation: collation.clone(),
                    implicit: false,
                },
                _ => value,
            };
            OrderTerm {
                expr,
                order: term.order,
                result_column: Some(column),
            }
        })
        .collect();
}
