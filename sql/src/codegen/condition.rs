//! Jumps on conditions, without computing the truth value where that can be avoided.
//!
//! Source: SQLite's `sqlite3ExprIfTrue`, `sqlite3ExprIfFalse`, `exprCodeBetween`.

use super::expr::simplified;
use crate::bound::walk::has_subquery;
use crate::bound::{Between, BinaryOp, Expr, UnaryOp};
use crate::compiler::{Compiler, Result};
use ringwood_vdbe::{Label, Opcode};

impl Compiler<'_> {
    /// Jumps to `dest` if the expression is true, or NULL and `jump_if_null`; else falls through.
    pub fn expr_if_true(&mut self, expr: &Expr, dest: Label, jump_if_null: bool) -> Result<()> {
        match expr {
            Expr::Binary {
                op: op @ (BinaryOp::And | BinaryOp::Or),
                operands,
                ..
            } => {
                let (left, right) = (&operands.0, &operands.1);
                if let Some(only) = simplified(*op, left, right) {
                    return self.expr_if_true(only, dest, jump_if_null);
                }
                let (first, second) = evaluation_order(left, right);
                if *op == BinaryOp::And {
                    let no = self.label();
                    self.expr_if_false(first, no, !jump_if_null)?;
                    self.expr_if_true(second, dest, jump_if_null)?;
                    self.place(no);
                    Ok(())
                } else {
                    self.expr_if_true(first, dest, jump_if_null)?;
                    self.expr_if_true(second, dest, jump_if_null)
                }
            }
            Expr::Unary(UnaryOp::Not, inner) => self.expr_if_false(inner, dest, jump_if_null),
            Expr::Truth { expr, not, value } => {
                if *value != *not {
                    self.expr_if_true(expr, dest, *not)
                } else {
                    self.expr_if_false(expr, dest, *not)
                }
            }
            Expr::Binary {
                op,
                commuted,
                operands,
            } if op.is_comparison() && !operands.0.is_vector() => self.code_compare_jump(
                *op,
                *commuted,
                &operands.0,
                &operands.1,
                dest,
                true,
                jump_if_null,
            ),
            Expr::Unary(op @ (UnaryOp::IsNull | UnaryOp::NotNull), inner) => {
                let opcode = if *op == UnaryOp::IsNull {
                    Opcode::IsNull
                } else {
                    Opcode::NotNull
                };
                self.code_null_jump(opcode, inner, dest)
            }
            Expr::Between(between) => self.code_between_jump(between, dest, true, jump_if_null),
            Expr::In(in_) if in_.not => self.jump_unless_in(in_, dest, jump_if_null),
            Expr::In(in_) => self.jump_if_in(in_, dest, jump_if_null),
            _ => match expr.known_truth() {
                Some(true) => {
                    self.goto(dest);
                    Ok(())
                }
                Some(false) => Ok(()),
                None => {
                    let (reg, free) = self.expr_code_temp(expr)?;
                    self.jump(Opcode::If, reg, dest, i32::from(jump_if_null));
                    self.release_temp(free);
                    Ok(())
                }
            },
        }
    }

    /// Jumps to `dest` if the expression is false, or NULL and `jump_if_null`; else falls through.
    pub fn expr_if_false(&mut self, expr: &Expr, dest: Label, jump_if_null: bool) -> Result<()> {
        match expr {
            Expr::Binary {
                op: op @ (BinaryOp::And | BinaryOp::Or),
                operands,
                ..
            } => {
                let (left, right) = (&operands.0, &operands.1);
                if let Some(only) = simplified(*op, left, right) {
                    return self.expr_if_false(only, dest, jump_if_null);
                }
                let (first, second) = evaluation_order(left, right);
                if *op == BinaryOp::And {
                    self.expr_if_false(first, dest, jump_if_null)?;
                    self.expr_if_false(second, dest, jump_if_null)
                } else {
                    let yes = self.label();
                    self.expr_if_true(first, yes, !jump_if_null)?;
                    self.expr_if_false(second, dest, jump_if_null)?;
                    self.place(yes);
                    Ok(())
                }
            }
            Expr::Unary(UnaryOp::Not, inner) => self.expr_if_true(inner, dest, jump_if_null),
            Expr::Truth { expr, not, value } => {
                if *value != *not {
                    self.expr_if_false(expr, dest, !*not)
                } else {
                    self.expr_if_true(expr, dest, !*not)
                }
            }
            Expr::Binary {
                op,
                commuted,
                operands,
            } if op.is_comparison() && !operands.0.is_vector() => self.code_compare_jump(
                *op,
                *commuted,
                &operands.0,
                &operands.1,
                dest,
                false,
                jump_if_null,
            ),
            Expr::Unary(op @ (UnaryOp::IsNull | UnaryOp::NotNull), inner) => {
                let opcode = if *op == UnaryOp::IsNull {
                    Opcode::NotNull
                } else {
                    Opcode::IsNull
                };
                self.code_null_jump(opcode, inner, dest)
            }
            Expr::Between(between) => self.code_between_jump(between, dest, false, jump_if_null),
            Expr::In(in_) if in_.not => self.jump_if_in(in_, dest, jump_if_null),
            Expr::In(in_) => self.jump_unless_in(in_, dest, jump_if_null),
            _ => match expr.known_truth() {
                Some(false) => {
                    self.goto(dest);
                    Ok(())
                }
                Some(true) => Ok(()),
                None => {
                    let (reg, free) = self.expr_code_temp(expr)?;
                    self.jump(Opcode::IfNot, reg, dest, i32::from(jump_if_null));
                    self.release_temp(free);
                    Ok(())
                }
            },
        }
    }

    fn code_null_jump(&mut self, opcode: Opcode, inner: &Expr, dest: Label) -> Result<()> {
        let (reg, free) = self.expr_code_temp(inner)?;
        self.jump(opcode, reg, dest, 0);
        self.release_temp(free);
        Ok(())
    }

    /// `x BETWEEN y AND z` is `x>=y AND x<=z`, with x computed once.
    fn code_between_jump(
        &mut self,
        between: &Between,
        dest: Label,
        if_true: bool,
        jump_if_null: bool,
    ) -> Result<()> {
        let (reg, free) = self.expr_code_vector(&between.value)?;
        let value = self.register_expr(&between.value, reg);
        // NOT BETWEEN is true where BETWEEN is false.
        let want = if_true != between.not;
        if want {
            let no = self.label();
            self.code_bound_jump(BinaryOp::Ge, &value, &between.low, no, false, !jump_if_null)?;
            self.code_bound_jump(
                BinaryOp::Le,
                &value,
                &between.high,
                dest,
                true,
                jump_if_null,
            )?;
            self.place(no);
        } else {
            self.code_bound_jump(
                BinaryOp::Ge,
                &value,
                &between.low,
                dest,
                false,
                jump_if_null,
            )?;
            self.code_bound_jump(
                BinaryOp::Le,
                &value,
                &between.high,
                dest,
                false,
                jump_if_null,
            )?;
        }
        self.release_temp(free);
        Ok(())
    }

    fn code_bound_jump(
        &mut self,
        op: BinaryOp,
        value: &Expr,
        bound: &Expr,
        dest: Label,
        if_true: bool,
        jump_if_null: bool,
    ) -> Result<()> {
        if !value.is_vector() && !bound.is_vector() {
            return self.code_compare_jump(op, false, value, bound, dest, if_true, jump_if_null);
        }
        let reg = self.temp_reg();
        self.code_comparison(op, false, value, bound, reg)?;
        self.jump(
            if if_true { Opcode::If } else { Opcode::IfNot },
            reg,
            dest,
            i32::from(jump_if_null),
        );
        self.release_temp(reg);
        Ok(())
    }

    /// The value of a BETWEEN, into `target`.
    pub(super) fn code_between_value(&mut self, between: &Between, target: i32) -> Result<()> {
        let (reg, free) = self.expr_code_vector(&between.value)?;
        let value = self.register_expr(&between.value, reg);
        let low = self.temp_reg();
        self.code_comparison(BinaryOp::Ge, false, &value, &between.low, low)?;
        let high = self.temp_reg();
        self.code_comparison(BinaryOp::Le, false, &value, &between.high, high)?;
        self.op(Opcode::And, high, low, target);
        if between.not {
            self.op(Opcode::Not, target, target, 0);
        }
        self.release_temp(high);
        self.release_temp(low);
        self.release_temp(free);
        Ok(())
    }
}

/// A subquery on the left is tried after a right side without one.
fn evaluation_order<'e>(left: &'e Expr, right: &'e Expr) -> (&'e Expr, &'e Expr) {
    if has_subquery(left) && !has_subquery(right) {
        (right, left)
    } else {
        (left, right)
    }
}
