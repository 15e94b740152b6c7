//! Aggregate functions: collecting them from a SELECT, and the code that resets, steps and finishes them.
//!
//! ```text
//!   SELECT a, sum(b), max(c) FROM t GROUP BY a HAVING count(*) > 1
//!
//!   columns    a, b, c                     registers first_reg…      AggregateColumn 0…2
//!   functions  sum(b), max(c), count(*)    registers after those     AggregateValue 0…2
//! ```
//!
//! Rules:
//! 1. While rows come in (`direct_mode`), an aggregate column is the column itself, or a column of the sorter if the
//!    rows are sorted first (`use_sorter`). Afterwards it is its register.
//! 2. `AggStep` runs for each row, `AggFinal` once per group; the accumulator and the result are the same register.
//! 3. Columns that are no GROUP BY terms keep the value of the group's first row, or of the row that gave the minimum
//!    or maximum if there is exactly one min() or max().
//! 4. Columns 0…`accumulators` are those that show outside of aggregate functions; the ones behind are arguments only.
//!
//! Source: SQLite's AggInfo, `analyzeAggregate`, `updateAccumulator`, `finalizeAggFunctions`.

use super::expr::ListFlags;
use crate::bound::walk::{NodeMut, Walk, aggregate_of, same, walk_mut};
use crate::bound::{
    AggregateCall, AggregateId, Expr, FunctionCall, OrderTerm, ResultColumn, Select, SelectId,
};
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::Distinct;
use ringwood_format::collation::Collation;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{FunctionDef, FunctionFlags, Label, Opcode, P4};
use std::sync::Arc;

/// A column that the aggregates of a SELECT need.
#[derive(Clone, Debug)]
pub struct AggregateColumn {
    /// The column, or an [`Expr::IfNullRow`].
    pub expr: Expr,
    /// Its place in the sorter's record, if rows are sorted first.
    pub sorter_column: i32,
}

/// An aggregate function of a SELECT.
#[derive(Clone, Debug)]
pub struct AggregateFunction {
    /// The function.
    pub def: Arc<FunctionDef>,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// FILTER, DISTINCT, ORDER BY.
    pub call: AggregateCall,
    /// The ephemeral index of DISTINCT; -1: none.
    pub distinct_cursor: i32,
    /// The address of its `OpenEphemeral`.
    pub distinct_addr: i32,
    /// What the loops do about DISTINCT: the index is made only if its values come in any order.
    pub distinct_kind: Distinct,
    /// With ordered values: the register of the one before.
    pub distinct_previous: i32,
    /// The ephemeral index that sorts the arguments for ORDER BY; -1: none.
    pub order_cursor: i32,
    /// Whether the arguments are the sort key, so that the record has no separate payload.
    pub order_is_args: bool,
    /// Whether equal sort keys must be told apart by a sequence number.
    pub order_has_sequence: bool,
}

/// The aggregates of one SELECT (SQLite's AggInfo).
#[derive(Clone, Debug)]
pub struct Aggregates {
    /// Whose they are.
    pub owner: SelectId,
    /// Rule 1.
    pub direct_mode: bool,
    /// Rule 1.
    pub use_sorter: bool,
    /// The sorter's pseudo cursor.
    pub sorter_pseudo: i32,
    /// The first register: columns, then functions; 0 while it is not known.
    pub first_reg: i32,
    /// The columns.
    pub columns: Vec<AggregateColumn>,
    /// The functions.
    pub functions: Vec<AggregateFunction>,
    /// Rule 4.
    pub accumulators: usize,
}

impl Aggregates {
    fn new(owner: SelectId) -> Aggregates {
        Aggregates {
            owner,
            direct_mode: false,
            use_sorter: false,
            sorter_pseudo: -1,
            first_reg: 0,
            columns: Vec::new(),
            functions: Vec::new(),
            accumulators: 0,
        }
    }

    /// The register of a column.
    pub fn column_reg(&self, index: usize) -> i32 {
        self.first_reg + index as i32
    }

    /// The register of a function.
    pub fn function_reg(&self, index: usize) -> i32 {
        self.first_reg + (self.columns.len() + index) as i32
    }
}

/// The single min() or max() of a query, which one end of an index may answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MinMax {
    /// min()
    Min,
    /// max()
    Max,
}

/// Replaces, in one expression of a SELECT, its columns and aggregates by references to the collection.
struct Collector<'c> {
    id: AggregateId,
    found: &'c mut Aggregates,
    cursors: &'c [i32],
}

impl Collector<'_> {
    fn collect(&mut self, expr: &mut Expr) {
        walk_mut(expr, &mut |node| match node {
            NodeMut::Select(_) => Walk::Continue,
            NodeMut::Expr(expr) => self.visit(expr),
        });
    }

    fn visit(&mut self, expr: &mut Expr) -> Walk {
        match expr {
            Expr::Column(column) if self.cursors.contains(&column.cursor) => {
                self.replace_column(expr);
                Walk::Prune
            }
            Expr::IfNullRow { cursor, .. } if self.cursors.contains(cursor) => {
                self.replace_column(expr);
                Walk::Prune
            }
            Expr::Function(call) => {
                let mine = call
                    .aggregate
                    .as_ref()
                    .is_some_and(|aggregate| aggregate.owner == self.found.owner);
                if !mine {
                    return Walk::Continue;
                }
                let index = self.function_index(call);
                *expr = Expr::AggregateValue {
                    aggregates: self.id,
                    index,
                };
                Walk::Prune
            }
            _ => Walk::Continue,
        }
    }

    fn replace_column(&mut self, expr: &mut Expr) {
        let known = self
            .found
            .columns
            .iter()
            .position(|have| same(&have.expr, expr));
        let index = known.unwrap_or_else(|| {
            self.found.columns.push(AggregateColumn {
                expr: expr.clone(),
                sorter_column: -1,
            });
            self.found.columns.len() - 1
        });
        let column = std::mem::replace(expr, Expr::Null);
        *expr = Expr::AggregateColumn {
            aggregates: self.id,
            index: index as u32,
            expr: Box::new(column),
        };
    }

    fn function_index(&mut self, call: &FunctionCall) -> u32 {
        let wanted = Expr::Function(Box::new(call.clone()));
        let known = self.found.functions.iter().position(|have| {
            let have = Expr::Function(Box::new(FunctionCall {
                def: have.def.clone(),
                args: have.args.clone(),
                aggregate: Some(have.call.clone()),
                window: None,
                merged_column: false,
            }));
            same(&have, &wanted)
        });
        let index = known.unwrap_or_else(|| {
            let aggregate = call
                .aggregate
                .clone()
                .expect("only aggregates are collected");
            self.found.functions.push(AggregateFunction {
                def: call.def.clone(),
                args: call.args.clone(),
                call: aggregate,
                distinct_cursor: -1,
                distinct_addr: -1,
                distinct_kind: Distinct::Unordered,
                distinct_previous: 0,
                order_cursor: -1,
                order_is_args: false,
                order_has_sequence: false,
            });
            self.found.functions.len() - 1
        });
        index as u32
    }
}

/// The expressions of an aggregate SELECT after collection.
#[derive(Debug)]
pub struct Collected {
    /// The collection.
    pub id: AggregateId,
    /// The result columns.
    pub result: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
    /// ORDER BY.
    pub order_by: Vec<OrderTerm>,
    /// The single min() or max(), and its argument.
    pub min_max: Option<(MinMax, Expr)>,
}

impl Compiler<'_> {
    /// Collects columns and aggregate functions from an aggregate SELECT; its expressions come back as copies that
    /// refer to the collection.
    pub fn collect_aggregates(&mut self, select: &Select) -> Result<Collected> {
        let id = AggregateId(self.aggregates.len() as u32);
        let cursors: smallvec::SmallVec<[i32; 8]> =
            select.from.items.iter().map(|item| item.cursor).collect();
        let mut found = Aggregates::new(select.id);
        let mut collector = Collector {
            id,
            found: &mut found,
            cursors: &cursors,
        };

        let mut result: Vec<Expr> = select
            .result
            .iter()
            .map(|column| column.expr.clone())
            .collect();
        let mut order_by = select.order_by.clone();
        let mut having = select.having.clone();
        // The order is SQLite's: it decides the numbering of registers and of the sorter's columns.
        for expr in &mut result {
            collector.collect(expr);
        }
        for term in &mut order_by {
            collector.collect(&mut term.expr);
        }
        if let Some(having) = &mut having {
            collector.collect(having);
        }
        collector.found.accumulators = collector.found.columns.len();
        let min_max = single_min_max(select, collector.found);

        // The arguments, which may need further columns.
        for i in 0..collector.found.functions.len() {
            let mut function = collector.found.functions[i].clone();
            let args = function.args.iter().chain(&function.call.filter);
            let mut args = args.chain(function.call.order_by.iter().map(|term| &term.expr));
            if let Some(nested) = args.find_map(|arg| aggregate_of(arg, select.id)) {
                return Err(self.misuse(nested)); // in a subquery of an argument
            }
            function
                .args
                .iter_mut()
                .for_each(|arg| collector.collect(arg));
            function
                .call
                .order_by
                .iter_mut()
                .for_each(|term| collector.collect(&mut term.expr));
            if let Some(filter) = &mut function.call.filter {
                collector.collect(filter);
            }
            collector.found.functions[i] = function;
        }
        self.aggregates.push(found);
        Ok(Collected {
            id,
            result,
            having,
            order_by,
            min_max,
        })
    }

    /// Gives the aggregates their registers; from now on nothing is added.
    pub fn assign_aggregate_registers(&mut self, id: AggregateId) {
        let aggregates = self.aggregates(id);
        let count = aggregates.columns.len() + aggregates.functions.len();
        let first = self.alloc_regs(count);
        self.aggregates_mut(id).first_reg = first;
    }

    /// A column of an aggregate query (rule 1).
    pub(super) fn code_aggregate_column(
        &mut self,
        id: AggregateId,
        index: u32,
        expr: &Expr,
        target: i32,
    ) -> Result<i32> {
        let aggregates = self.aggregates(id);
        if !aggregates.direct_mode {
            return Ok(aggregates.column_reg(index as usize));
        }
        if aggregates.use_sorter {
            let column = aggregates.columns[index as usize].sorter_column;
            let cursor = aggregates.sorter_pseudo;
            self.op(Opcode::Column, cursor, column, target);
            if expr.affinity() == ringwood_format::affinity::Affinity::Real {
                self.op(Opcode::RealAffinity, target, 0, 0);
            }
            return Ok(target);
        }
        self.expr_code_target(expr, target)
    }

    /// Clears the registers, and opens the ephemeral indexes of DISTINCT and ORDER BY (SQLite's resetAccumulator).
    pub fn reset_aggregates(&mut self, id: AggregateId) -> Result<()> {
        let aggregates = self.aggregates(id);
        let count = aggregates.columns.len() + aggregates.functions.len();
        if count == 0 {
            return Ok(());
        }
        let first = aggregates.first_reg;
        self.op(Opcode::Null, 0, first, first + count as i32 - 1);
        for i in 0..self.aggregates(id).functions.len() {
            self.open_distinct_index(id, i)?;
            self.open_order_index(id, i)?;
        }
        Ok(())
    }

    fn open_distinct_index(&mut self, id: AggregateId, i: usize) -> Result<()> {
        let function = &self.aggregates(id).functions[i];
        if function.distinct_cursor < 0 {
            return Ok(());
        }
        if function.args.len() != 1 {
            return Err(SqlError::error(
                "DISTINCT aggregates must have exactly one argument",
            ));
        }
        let (cursor, arg) = (function.distinct_cursor, function.args[0].clone());
        let key = self.key_info_of(
            std::iter::once((&arg, crate::bound::SortOrder::default())),
            0,
        )?;
        let addr = self.op4(Opcode::OpenEphemeral, cursor, 0, 0, P4::KeyInfo(key));
        self.aggregates_mut(id).functions[i].distinct_addr = addr;
        let name = self.aggregates(id).functions[i].def.name.clone();
        self.explain(|| format!("USE TEMP B-TREE FOR {name}(DISTINCT)"));
        Ok(())
    }

    fn open_order_index(&mut self, id: AggregateId, i: usize) -> Result<()> {
        let function = self.aggregates(id).functions[i].clone();
        if function.order_cursor < 0 {
            return Ok(());
        }
        let terms = function
            .call
            .order_by
            .iter()
            .map(|term| (&term.expr, term.order));
        let extra = usize::from(function.order_has_sequence);
        let key = self.key_info_of(terms, extra)?;
        let mut columns = function.call.order_by.len() + extra;
        if !function.order_is_args {
            columns += function.args.len();
        }
        self.op4(
            Opcode::OpenEphemeral,
            function.order_cursor,
            columns as i32,
            0,
            P4::KeyInfo(key),
        );
        self.explain(|| format!("USE TEMP B-TREE FOR {}(ORDER BY)", function.def.name));
        Ok(())
    }

    /// Gives the functions with DISTINCT or ORDER BY their ephemeral indexes (SQLite's analyzeAggregate, first half).
    pub fn prepare_aggregate_indexes(&mut self, id: AggregateId) {
        for i in 0..self.aggregates(id).functions.len() {
            let function = &self.aggregates(id).functions[i];
            // min() and max() find the same without DISTINCT.
            let distinct =
                function.call.distinct && !function.def.flags.contains(FunctionFlags::MINMAX);
            let ordered = !function.call.order_by.is_empty()
                && !function.args.is_empty()
                && !function.def.flags.contains(FunctionFlags::ANY_ORDER)
                && !function.def.flags.contains(FunctionFlags::MINMAX);
            let order_is_args = ordered
                && function.call.order_by.len() == 1
                && function.args.len() == 1
                && same(&function.call.order_by[0].expr, &function.args[0]);
            let order_cursor = if ordered { self.alloc_cursor(None) } else { -1 };
            // Equal keys are one entry of the sorting index.
            let distinct_cursor = if distinct && !order_is_args {
                self.alloc_cursor(None)
            } else {
                -1
            };
            let function = &mut self.aggregates_mut(id).functions[i];
            function.order_cursor = order_cursor;
            function.order_is_args = order_is_args;
            function.order_has_sequence = ordered && !(order_is_args && function.call.distinct);
            function.distinct_cursor = distinct_cursor;
        }
    }

    /// The only aggregate, if it is one with DISTINCT: what the loops should tell apart, behind the terms of GROUP BY.
    pub fn distinct_wish(&self, id: AggregateId, group_by: &[Expr]) -> Option<Vec<ResultColumn>> {
        let [function] = self.aggregates(id).functions.as_slice() else {
            return None;
        };
        let arg = function
            .args
            .first()
            .filter(|_| function.distinct_cursor >= 0)?;
        let exprs = group_by.iter().chain(std::iter::once(arg));
        let columns = exprs.map(|expr| ResultColumn {
            expr: expr.clone(),
            name: self.empty_name(),
            alias: false,
        });
        Some(columns.collect())
    }

    /// Tells the only aggregate what the loops do about its DISTINCT.
    pub fn decide_distinct(&mut self, id: AggregateId, kind: Distinct) {
        let previous = if kind == Distinct::Ordered {
            self.alloc_reg()
        } else {
            0
        };
        if let (Some(function), true) = (
            self.aggregates_mut(id).functions.first_mut(),
            kind != Distinct::Noop,
        ) {
            function.distinct_kind = kind;
            function.distinct_previous = previous;
        }
    }

    /// After the code that opens its index has been emitted: leaves it out, where it is not needed.
    pub fn settle_distinct(&mut self, id: AggregateId) {
        let Some(function) = self.aggregates(id).functions.first() else {
            return;
        };
        let (addr, kind) = (function.distinct_addr, function.distinct_kind);
        let previous = function.distinct_previous;
        if addr < 0 || !matches!(kind, Distinct::Ordered | Distinct::Unique) {
            return;
        }
        self.b.to_noop(addr);
        if addr + 1 < self.here() && self.b.insn(addr + 1).opcode == Opcode::Explain {
            self.b.to_noop(addr + 1);
        }
        if kind == Distinct::Ordered {
            // The value before the first differs from any, also from NULL.
            let insn = self.b.insn_mut(addr);
            insn.opcode = Opcode::Null;
            insn.p1 = 1;
            insn.p2 = previous;
        }
    }

    /// One row comes in (SQLite's updateAccumulator). `flag`: a register that is not 0 once the group's first row has
    /// been seen, if the plain columns keep the first row's values; 0: there is none.
    pub fn step_aggregates(&mut self, id: AggregateId, flag: i32) -> Result<()> {
        self.aggregates_mut(id).direct_mode = true;
        let mut hit = 0;
        for i in 0..self.aggregates(id).functions.len() {
            let function = self.aggregates(id).functions[i].clone();
            let reg = self.aggregates(id).function_reg(i);
            self.step_function(id, &function, reg, flag, &mut hit)?;
        }
        let accumulators = self.aggregates(id).accumulators;
        if hit == 0 && accumulators > 0 {
            hit = flag;
        }
        let skip = (hit != 0).then(|| self.op(Opcode::If, hit, 0, 0));
        for i in 0..accumulators {
            let expr = self.aggregates(id).columns[i].expr.clone();
            let reg = self.aggregates(id).column_reg(i);
            let value = Expr::AggregateColumn {
                aggregates: id,
                index: i as u32,
                expr: Box::new(expr),
            };
            self.expr_code(&value, reg)?;
        }
        self.aggregates_mut(id).direct_mode = false;
        if let Some(skip) = skip {
            self.jump_here(skip);
        }
        Ok(())
    }

    fn step_function(
        &mut self,
        id: AggregateId,
        function: &AggregateFunction,
        reg: i32,
        flag: i32,
        hit: &mut i32,
    ) -> Result<()> {
        let next: Label = self.label();
        let mut jumps = false;
        let count = function.args.len();
        if let Some(filter) = &function.call.filter {
            let wants_first_row = function.def.flags.contains(FunctionFlags::NEEDS_COLLATION)
                && self.aggregates(id).accumulators > 0
                && flag != 0;
            if wants_first_row {
                // Rows that the filter drops must not leave the plain columns unset.
                if *hit == 0 {
                    *hit = self.alloc_reg();
                }
                self.op(Opcode::Copy, flag, *hit, 0);
            }
            self.expr_if_false(filter, next, true)?;
            jumps = true;
        }
        let mut args = 0;
        let mut total = count;
        if function.order_cursor >= 0 {
            // Key, sequence, arguments: the record of the sorting index.
            total = function.call.order_by.len()
                + usize::from(function.order_has_sequence)
                + if function.order_is_args { 0 } else { count };
            args = self.temp_regs(total.max(1));
            let keys = function.call.order_by.len();
            let order = function.call.order_by.iter().map(|term| &term.expr);
            self.expr_code_list(
                order,
                args,
                ListFlags {
                    dup: true,
                    factor: false,
                },
            )?;
            let mut at = args + keys as i32;
            if function.order_has_sequence {
                self.op(Opcode::Sequence, function.order_cursor, at, 0);
                at += 1;
            }
            if !function.order_is_args {
                self.expr_code_list(
                    &function.args,
                    at,
                    ListFlags {
                        dup: true,
                        factor: false,
                    },
                )?;
            }
        } else if count > 0 {
            args = self.temp_regs(count);
            self.expr_code_list(
                &function.args,
                args,
                ListFlags {
                    dup: true,
                    factor: false,
                },
            )?;
        }
        if function.distinct_cursor >= 0 && count > 0 {
            let value = if function.order_cursor >= 0 && !function.order_is_args {
                args + function.call.order_by.len() as i32 + i32::from(function.order_has_sequence)
            } else {
                args
            };
            match function.distinct_kind {
                Distinct::Unique => {}
                Distinct::Ordered => {
                    let collation = self.expr_collation(&function.args[0])?;
                    let previous = function.distinct_previous;
                    let p4 = P4::Collation(collation);
                    self.op4(Opcode::Eq, value, next.into(), previous, p4);
                    self.p5(p5::NULLEQ);
                    self.op(Opcode::Copy, value, previous, 0);
                }
                Distinct::Noop | Distinct::Unordered => {
                    self.code_distinct_check(function.distinct_cursor, next, value, 1);
                }
            }
            jumps = true;
        }
        if function.order_cursor >= 0 {
            let record = self.temp_reg();
            self.op(Opcode::MakeRecord, args, total as i32, record);
            self.op4(
                Opcode::IdxInsert,
                function.order_cursor,
                record,
                args,
                P4::Int(total as i32),
            );
            self.release_temp(record);
            self.release_temps(args, total.max(1));
        } else {
            if function.def.flags.contains(FunctionFlags::NEEDS_COLLATION) {
                let name = function
                    .args
                    .iter()
                    .find_map(|arg| self.collation_name(arg));
                let collation = name.map_or(Ok(Collation::Binary), |name| self.collation(&name))?;
                if *hit == 0 && self.aggregates(id).accumulators > 0 {
                    *hit = self.alloc_reg();
                }
                self.op4(Opcode::CollSeq, *hit, 0, 0, P4::Collation(collation));
            }
            self.op4(
                Opcode::AggStep,
                0,
                args,
                reg,
                P4::Function(function.def.clone()),
            );
            self.p5(count as u16);
            if count > 0 {
                self.release_temps(args, count);
            }
        }
        if jumps {
            self.place(next);
        } else {
            self.b.resolve(next);
        }
        Ok(())
    }

    /// All rows of the group are in (SQLite's finalizeAggFunctions).
    pub fn finish_aggregates(&mut self, id: AggregateId) -> Result<()> {
        for i in 0..self.aggregates(id).functions.len() {
            let function = self.aggregates(id).functions[i].clone();
            let reg = self.aggregates(id).function_reg(i);
            let count = function.args.len();
            if function.order_cursor >= 0 {
                self.step_in_order(&function, reg)?;
            }
            self.op4(
                Opcode::AggFinal,
                reg,
                count as i32,
                0,
                P4::Function(function.def.clone()),
            );
        }
        Ok(())
    }

    /// Steps a function over the rows that its ORDER BY has sorted.
    fn step_in_order(&mut self, function: &AggregateFunction, reg: i32) -> Result<()> {
        let count = function.args.len();
        let args = self.temp_regs(count.max(1));
        let done = self.op(Opcode::Rewind, function.order_cursor, 0, 0);
        let first = if function.order_is_args {
            0
        } else {
            function.call.order_by.len() + usize::from(function.order_has_sequence)
        };
        for i in (0..count).rev() {
            self.op(
                Opcode::Column,
                function.order_cursor,
                (first + i) as i32,
                args + i as i32,
            );
        }
        if function.def.flags.contains(FunctionFlags::NEEDS_COLLATION) {
            let name = function
                .args
                .iter()
                .find_map(|arg| self.collation_name(arg));
            let collation = name.map_or(Ok(Collation::Binary), |name| self.collation(&name))?;
            self.op4(Opcode::CollSeq, 0, 0, 0, P4::Collation(collation));
        }
        self.op4(
            Opcode::AggStep,
            0,
            args,
            reg,
            P4::Function(function.def.clone()),
        );
        self.p5(count as u16);
        self.op(Opcode::Next, function.order_cursor, done + 1, 0);
        self.jump_here(done);
        self.release_temps(args, count.max(1));
        Ok(())
    }

    /// Jumps to `seen` if the values were there before, else remembers them (SQLite's codeDistinct, unordered).
    pub(super) fn code_distinct_check(
        &mut self,
        cursor: i32,
        seen: Label,
        first: i32,
        count: usize,
    ) {
        let record = self.temp_reg();
        self.op4(
            Opcode::Found,
            cursor,
            seen.into(),
            first,
            P4::Int(count as i32),
        );
        self.op(Opcode::MakeRecord, first, count as i32, record);
        self.op4(
            Opcode::IdxInsert,
            cursor,
            record,
            first,
            P4::Int(count as i32),
        );
        self.p5(p5::USESEEKRESULT);
        self.release_temp(record);
    }
}

/// The one min() or max() of a query without GROUP BY, if it is the only aggregate and FILTER does not narrow it.
fn single_min_max(select: &Select, found: &Aggregates) -> Option<(MinMax, Expr)> {
    if !select.group_by.is_empty() || select.having.is_some() {
        return None;
    }
    let [function] = found.functions.as_slice() else {
        return None;
    };
    let [arg] = function.args.as_slice() else {
        return None;
    };
    let builtin = FunctionFlags::MINMAX | FunctionFlags::BUILTIN;
    if !function.def.flags.contains(builtin)
        || function.call.filter.is_some()
        || !function.call.order_by.is_empty()
    {
        return None;
    }
    let which = if function.def.name.eq_ignore_ascii_case("min") {
        MinMax::Min
    } else {
        MinMax::Max
    };
    Some((which, arg.clone()))
}

/// Whether a SELECT is `SELECT count(*) FROM t` of a stored table and nothing more (SQLite's isSimpleCount).
pub fn is_count_star(select: &Select, collected: &Collected, found: &Aggregates) -> bool {
    let ([function], [item], [result]) = (
        found.functions.as_slice(),
        select.from.items.as_slice(),
        collected.result.as_slice(),
    ) else {
        return false;
    };
    select.where_.is_none()
        && select.having.is_none()
        && matches!(item.source, crate::bound::FromSource::Table)
        && !item.table.is_virtual()
        && matches!(result, Expr::AggregateValue { .. })
        && function.def.flags.contains(FunctionFlags::COUNT)
        && function.args.is_empty()
        && !function.call.distinct
        && function.call.filter.is_none()
}
