//! Values of expressions.
//!
//! | method | SQLite's | result |
//! |---|---|---|
//! | [`Compiler::expr_code`] | sqlite3ExprCode | exactly in `target` |
//! | [`Compiler::expr_code_target`] | sqlite3ExprCodeTarget | in `target` or another register, which is returned |
//! | [`Compiler::expr_code_temp`] | sqlite3ExprCodeTemp | in some register; constants are factored |
//! | [`Compiler::expr_code_factorable`] | sqlite3ExprCodeFactorable | exactly in `target`; constants run once |
//! | [`Compiler::expr_code_list`] | sqlite3ExprCodeExprList | in consecutive registers |
//!
//! Source: SQLite's functions of those names.

use crate::bound::walk::{Constness, has_subquery, is_constant};
use crate::bound::{BinaryOp, Case, Expr, RaiseAction, TriggerRow, UnaryOp};
use crate::compiler::{Compiler, Result, SqlError};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::{Opcode, P4};

/// How [`Compiler::expr_code_list`] works.
#[derive(Clone, Copy, Default, Debug)]
pub struct ListFlags {
    /// Copy values that are in other registers deeply (SQLite's SQLITE_ECEL_DUP).
    pub dup: bool,
    /// Compute constants once (SQLITE_ECEL_FACTOR).
    pub factor: bool,
}

impl Compiler<'_> {
    /// Computes the value into `target`.
    pub fn expr_code(&mut self, expr: &Expr, target: i32) -> Result<()> {
        let reg = self.expr_code_target(expr, target)?;
        if reg != target {
            let inner = expr.without_collate();
            let deep = matches!(inner, Expr::Register { .. }) || has_subquery(inner);
            self.op(
                if deep { Opcode::Copy } else { Opcode::SCopy },
                reg,
                target,
                0,
            );
        }
        Ok(())
    }

    /// Computes the value into `target`, once for the whole statement if it is constant.
    pub fn expr_code_factorable(&mut self, expr: &Expr, target: i32) -> Result<()> {
        if self.factor_constants && is_constant(expr, Constness::Statement) {
            self.constant(expr, Some(target))?;
            return Ok(());
        }
        self.expr_code(expr, target)
    }

    /// Computes the value into some register: the register, and the temporary register to release (0: none).
    pub fn expr_code_temp(&mut self, expr: &Expr) -> Result<(i32, i32)> {
        let expr = expr.without_collate();
        if let Expr::Register { reg, .. } = expr {
            return Ok((*reg, 0));
        }
        if self.factor_constants && is_constant(expr, Constness::Statement) {
            return Ok((self.constant(expr, None)?, 0));
        }
        let temp = self.temp_reg();
        let reg = self.expr_code_target(expr, temp)?;
        if reg == temp {
            return Ok((temp, temp));
        }
        self.release_temp(temp);
        Ok((reg, 0))
    }

    /// Computes values into consecutive registers from `target` on.
    pub fn expr_code_list<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        target: i32,
        flags: ListFlags,
    ) -> Result<()> {
        for (i, expr) in exprs.into_iter().enumerate() {
            let target = target + i as i32;
            if flags.factor && self.factor_constants && is_constant(expr, Constness::Statement) {
                self.constant(expr, Some(target))?;
                continue;
            }
            let reg = self.expr_code_target(expr, target)?;
            if reg == target {
                continue;
            }
            if !flags.dup {
                self.op(Opcode::SCopy, reg, target, 0);
                continue;
            }
            // Neighbours that are copied from neighbours are one Copy.
            let last = self.here() - 1;
            let insn = self.b.insn_mut(last);
            let merges = insn.opcode == Opcode::Copy
                && insn.p1 + insn.p3 + 1 == reg
                && insn.p2 + insn.p3 + 1 == target
                && insn.p5 == 0;
            if merges {
                insn.p3 += 1;
            } else {
                self.op(Opcode::Copy, reg, target, 0);
            }
        }
        Ok(())
    }

    /// Computes a scalar into one register, a row value into consecutive ones: the first register, and the temporary
    /// one to release (0: none).
    pub fn expr_code_vector(&mut self, expr: &Expr) -> Result<(i32, i32)> {
        let count = expr.vector_size();
        match expr {
            Expr::Vector(items) if count > 1 => {
                let first = self.alloc_regs(count);
                for (i, item) in items.iter().enumerate() {
                    self.expr_code_factorable(item, first + i as i32)?;
                }
                Ok((first, 0))
            }
            Expr::Subquery(subquery) if count > 1 => Ok((self.code_subquery(subquery)?, 0)),
            _ => self.expr_code_temp(expr),
        }
    }

    /// The expression that stands for a value which is in registers from `reg` on.
    pub fn register_expr(&self, expr: &Expr, reg: i32) -> Expr {
        let one = |field: &Expr, reg: i32| {
            let affinity = field.affinity();
            let register = |collation| Expr::Register {
                reg,
                affinity,
                collation,
            };
            match self.collation_name(field) {
                // A column's own collation gives way to a COLLATE of what it is compared with.
                Some(collation) if !field.has_collate() => Expr::Collate {
                    expr: Box::new(register(None)),
                    collation,
                    implicit: true,
                },
                collation => register(collation),
            }
        };
        let count = expr.vector_size();
        if count == 1 {
            return one(expr, reg);
        }
        Expr::Vector(
            (0..count)
                .map(|i| one(expr.vector_field(i), reg + i as i32))
                .collect(),
        )
    }

    /// Computes the value into `target` or tells in which register it is.
    pub fn expr_code_target(&mut self, expr: &Expr, target: i32) -> Result<i32> {
        if !self.indexed_exprs.is_empty() {
            if let Some(reg) = self.code_indexed_expr(expr, target)? {
                return Ok(reg);
            }
        }
        match expr {
            Expr::Null => {
                self.op(Opcode::Null, 0, target, 0);
            }
            Expr::Integer(i) => self.code_integer(*i, target),
            Expr::Bool(b) => {
                self.op(Opcode::Integer, i32::from(*b), target, 0);
            }
            Expr::Real(r) => {
                self.op4(Opcode::Real, 0, target, 0, P4::Real(*r));
            }
            Expr::Text(text) => {
                self.op4(Opcode::String8, 0, target, 0, P4::Text(text.clone()));
            }
            Expr::Blob(blob) => {
                self.op4(
                    Opcode::Blob,
                    blob.len() as i32,
                    target,
                    0,
                    P4::Blob(blob.clone()),
                );
            }
            Expr::Param(number) => {
                self.op(Opcode::Variable, *number as i32, target, 0);
            }
            Expr::Column(column) => return self.code_column(column.cursor, column.column, target),
            Expr::Fixed { column, value } => {
                self.expr_code(value, target)?;
                if column.affinity > Affinity::Blob {
                    let letters = super::comparison::affinity_letters([column.affinity]);
                    self.op4(Opcode::Affinity, target, 1, 0, letters);
                }
            }
            Expr::AggregateColumn {
                aggregates,
                index,
                expr,
            } => {
                return self.code_aggregate_column(*aggregates, *index, expr, target);
            }
            Expr::AggregateValue { aggregates, index } => {
                return Ok(self.aggregates(*aggregates).function_reg(*index as usize));
            }
            Expr::Register { reg, .. } => return Ok(*reg),
            Expr::TriggerColumn { row, column, .. } => {
                self.code_trigger_column(*row, *column, target);
            }
            Expr::Unary(op, inner) => return self.code_unary(*op, inner, target),
            Expr::Truth { expr, not, value } => {
                let (reg, free) = self.expr_code_temp(expr)?;
                // IS TRUE: NULL counts as false; IS FALSE: the inverse of "is true", NULL counting as true.
                let normal = !*not;
                let p4 = P4::Int(i32::from(*value ^ normal));
                self.op4(Opcode::IsTrue, reg, target, i32::from(!*value), p4);
                self.release_temp(free);
            }
            Expr::Binary {
                op,
                commuted,
                operands,
            } => {
                return self.code_binary(*op, *commuted, &operands.0, &operands.1, target);
            }
            Expr::Between(between) => self.code_between_value(between, target)?,
            Expr::In(in_) => self.code_in_value(in_, target)?,
            Expr::Exists(subquery) => return self.code_exists(subquery),
            Expr::Subquery(subquery) => {
                let count = subquery.select.result.len();
                if count != 1 {
                    return Err(SqlError::error(format!(
                        "sub-select returns {count} columns - expected 1"
                    )));
                }
                return self.code_subquery(subquery);
            }
            Expr::Case(case) => self.code_case(case, target)?,
            Expr::Cast { expr, affinity } => {
                self.expr_code(expr, target)?;
                self.op(Opcode::Cast, target, *affinity as i32, 0);
            }
            Expr::Collate { expr, .. } | Expr::Likelihood { expr, .. } => {
                return self.expr_code_target(expr, target);
            }
            Expr::Function(call) => return self.code_call(expr, call, target),
            Expr::Vector(_) => return Err(SqlError::error("row value misused")),
            Expr::IfNullRow { cursor, expr } => {
                let at = self.null_row_cursor(*cursor);
                let skip = self.op(Opcode::IfNullRow, at, 0, target);
                // The value must be in `target` and nowhere else, because the NULL goes there.
                let factor = std::mem::replace(&mut self.factor_constants, false);
                self.expr_code(expr, target)?;
                self.factor_constants = factor;
                self.jump_here(skip);
            }
            Expr::Raise { action, message } => {
                if self.trigger.is_none() {
                    return Err(SqlError::error(
                        "RAISE() may only be used within a trigger-program",
                    ));
                }
                self.code_raise(*action, message)?;
            }
        }
        Ok(target)
    }

    /// A column of OLD or NEW.
    fn code_trigger_column(&mut self, row: TriggerRow, column: i32, target: i32) {
        let Some(context) = &self.trigger else { return };
        let table = context.table.clone();
        let at = usize::try_from(column).map_or(0, |number| 1 + table.storage_of(number));
        let at = match row {
            TriggerRow::Old => at,
            TriggerRow::New => 1 + table.columns.len() + at,
        };
        self.op(Opcode::Param, at as i32, target, 0);
        // It may be stored as an integer yet.
        if column >= 0 && table.affinity_of(column) == Affinity::Real {
            self.op(Opcode::RealAffinity, target, 0, 0);
        }
    }

    /// Puts an integer into a register.
    pub fn code_integer(&mut self, value: i64, target: i32) {
        match i32::try_from(value) {
            Ok(small) => self.op(Opcode::Integer, small, target, 0),
            Err(_) => self.op4(Opcode::Int64, 0, target, 0, P4::Int64(value)),
        };
    }

    fn code_raise(&mut self, action: RaiseAction, message: &Expr) -> Result<()> {
        use ringwood_vdbe::ResultCode;
        use ringwood_vdbe::opcode::p5::{OE_ABORT, OE_FAIL, OE_IGNORE, OE_ROLLBACK};
        let effect = match action {
            RaiseAction::Ignore => {
                self.op(Opcode::Halt, 0, i32::from(OE_IGNORE), 0);
                return Ok(());
            }
            RaiseAction::Rollback => OE_ROLLBACK,
            RaiseAction::Abort => {
                self.may_abort = true;
                OE_ABORT
            }
            RaiseAction::Fail => OE_FAIL,
        };
        let (reg, free) = self.expr_code_temp(message)?;
        self.op(
            Opcode::Halt,
            ResultCode::CONSTRAINT_TRIGGER.get(),
            i32::from(effect),
            reg,
        );
        self.release_temp(free);
        Ok(())
    }

    fn code_unary(&mut self, op: UnaryOp, inner: &Expr, target: i32) -> Result<i32> {
        match op {
            UnaryOp::Plus => return self.expr_code_target(inner, target),
            UnaryOp::Negate => {
                let (zero, free_zero) = self.expr_code_temp(&Expr::Integer(0))?;
                let (reg, free) = self.expr_code_temp(inner)?;
                self.op(Opcode::Subtract, reg, zero, target);
                self.release_temp(free);
                self.release_temp(free_zero);
            }
            UnaryOp::BitNot | UnaryOp::Not => {
                let (reg, free) = self.expr_code_temp(inner)?;
                self.op(
                    if op == UnaryOp::Not {
                        Opcode::Not
                    } else {
                        Opcode::BitNot
                    },
                    reg,
                    target,
                    0,
                );
                self.release_temp(free);
            }
            UnaryOp::IsNull | UnaryOp::NotNull => {
                self.op(Opcode::Integer, 1, target, 0);
                let (reg, free) = self.expr_code_temp(inner)?;
                let opcode = if op == UnaryOp::IsNull {
                    Opcode::IsNull
                } else {
                    Opcode::NotNull
                };
                let jump = self.op(opcode, reg, 0, 0);
                self.op(Opcode::Integer, 0, target, 0);
                self.jump_here(jump);
                self.release_temp(free);
            }
        }
        Ok(target)
    }

    fn code_binary(
        &mut self,
        op: BinaryOp,
        commuted: bool,
        left: &Expr,
        right: &Expr,
        target: i32,
    ) -> Result<i32> {
        let opcode = match op {
            BinaryOp::And | BinaryOp::Or => {
                self.code_and_or(op, left, right, target)?;
                return Ok(target);
            }
            _ if op.is_comparison() => {
                self.code_comparison(op, commuted, left, right, target)?;
                return Ok(target);
            }
            BinaryOp::Add => Opcode::Add,
            BinaryOp::Subtract => Opcode::Subtract,
            BinaryOp::Multiply => Opcode::Multiply,
            BinaryOp::Divide => Opcode::Divide,
            BinaryOp::Remainder => Opcode::Remainder,
            BinaryOp::Concat => Opcode::Concat,
            BinaryOp::BitAnd => Opcode::BitAnd,
            BinaryOp::BitOr => Opcode::BitOr,
            BinaryOp::ShiftLeft => Opcode::ShiftLeft,
            _ => Opcode::ShiftRight,
        };
        let operands = self.code_operands(left, right, true)?;
        self.op(opcode, operands.right, operands.left, target);
        if let Some(is_null) = operands.is_null {
            let end = self.here() + 2;
            self.op(Opcode::Goto, 0, end, 0);
            self.jump_here(is_null);
            self.op(Opcode::Null, 0, target, 0);
        }
        self.release_operands(&operands);
        Ok(target)
    }

    /// AND and OR as values; a subquery on one side is skipped if the other side decides.
    fn code_and_or(&mut self, op: BinaryOp, left: &Expr, right: &Expr, target: i32) -> Result<()> {
        if let Some(only) = simplified(op, left, right) {
            let reg = self.expr_code_target(only, target)?;
            self.op(Opcode::And, reg, reg, target); // makes a boolean of it
            return Ok(());
        }
        let opcode = if op == BinaryOp::And {
            Opcode::And
        } else {
            Opcode::Or
        };
        let skip = if op == BinaryOp::And {
            Opcode::IfNot
        } else {
            Opcode::If
        };
        let (first, second) = if has_subquery(left) && !has_subquery(right) {
            (right, left)
        } else {
            (left, right)
        };
        let first_reg = self.expr_code_target(first, target)?;
        let jump = has_subquery(second).then(|| self.op(skip, first_reg, 0, 0));
        // The second operand may not run: nothing in it may be factored into a place that runs earlier, and the first
        // may be in `target` itself.
        let (second_reg, free) = self.expr_code_temp(second)?;
        let (left_reg, right_reg) = if std::ptr::eq(first, left) {
            (first_reg, second_reg)
        } else {
            (second_reg, first_reg)
        };
        self.op(opcode, right_reg, left_reg, target);
        if let Some(jump) = jump {
            let end = self.here() + 2;
            self.op(Opcode::Goto, 0, end, 0);
            self.jump_here(jump);
            self.op(Opcode::Or, first_reg, first_reg, target);
        }
        self.release_temp(free);
        Ok(())
    }

    fn code_case(&mut self, case: &Case, target: i32) -> Result<()> {
        let end = self.label();
        let operand = match &case.operand {
            Some(operand) => {
                // The register must stay untouched until the end: its temporary is not given back.
                let (reg, _) = self.expr_code_vector(operand)?;
                Some(self.register_expr(operand, reg))
            }
            None => None,
        };
        for (when, then) in &case.whens {
            let next = self.label();
            match &operand {
                Some(operand) => self.code_case_test(operand, when, next)?,
                None => self.expr_if_false(when, next, true)?,
            }
            self.expr_code(then, target)?;
            self.goto(end);
            self.place(next);
        }
        match &case.otherwise {
            Some(otherwise) => self.expr_code(otherwise, target)?,
            None => {
                self.op(Opcode::Null, 0, target, 0);
            }
        }
        self.unmergeable_copy();
        self.place(end);
        Ok(())
    }

    fn code_case_test(
        &mut self,
        operand: &Expr,
        when: &Expr,
        next: ringwood_vdbe::Label,
    ) -> Result<()> {
        if operand.is_vector() || when.is_vector() {
            let reg = self.temp_reg();
            self.code_comparison(BinaryOp::Eq, false, operand, when, reg)?;
            self.jump(Opcode::IfNot, reg, next, 1);
            self.release_temp(reg);
            return Ok(());
        }
        self.code_compare_jump(BinaryOp::Eq, false, operand, when, next, false, true)
    }

    /// Keeps the last opcode, if it is a `Copy`, from being merged with a later one: a jump ends between them.
    pub(super) fn unmergeable_copy(&mut self) {
        if self
            .b
            .last()
            .is_some_and(|insn| insn.opcode == Opcode::Copy)
        {
            self.p5(1);
        }
    }

    /// Reads an expression that an index holds from the index (SQLite's sqlite3IndexedExprLookup).
    fn code_indexed_expr(&mut self, expr: &Expr, target: i32) -> Result<Option<i32>> {
        use crate::bound::walk::same;
        if matches!(
            expr,
            Expr::Column(_) | Expr::Integer(_) | Expr::Null | Expr::Text(_) | Expr::Register { .. }
        ) {
            return Ok(None);
        }
        let found = self.indexed_exprs.iter().find(|indexed| {
            // The value in the index has been through the column's affinity: only if that changes nothing.
            let affinity = expr.affinity();
            let fits = if indexed.affinity.is_numeric() || affinity.is_numeric() {
                indexed.affinity == affinity
                    || !affinity.is_numeric() && indexed.affinity.is_numeric()
            } else {
                true
            };
            fits && same(&indexed.expr, expr)
        });
        let Some(indexed) = found else {
            return Ok(None);
        };
        let (cursor, position, maybe_null) = (
            indexed.index_cursor,
            indexed.position,
            indexed.maybe_null_row,
        );
        if maybe_null {
            // On the NULL row of an outer join the index has nothing to say: compute it.
            let addr = self.here();
            self.op(Opcode::IfNullRow, cursor, addr + 3, target);
            self.op(Opcode::Column, cursor, position, target);
            let skip = self.op(Opcode::Goto, 0, 0, 0);
            let indexed = std::mem::take(&mut self.indexed_exprs);
            self.expr_code(expr, target)?;
            self.indexed_exprs = indexed;
            self.jump_here(skip);
        } else {
            self.op(Opcode::Column, cursor, position, target);
        }
        Ok(Some(target))
    }
}

/// The one operand of AND or OR that matters, if the truth of the other is known.
pub(super) fn simplified<'e>(op: BinaryOp, left: &'e Expr, right: &'e Expr) -> Option<&'e Expr> {
    let is_and = op == BinaryOp::And;
    match (left.known_truth(), right.known_truth()) {
        (Some(truth), _) if truth == is_and => Some(right),
        (_, Some(truth)) if truth == is_and => Some(left),
        (Some(_), _) => Some(left),
        (_, Some(_)) => Some(right),
        (None, None) => None,
    }
}
