//! Comparisons, scalar and of row values.
//!
//! Source: SQLite's `codeCompare`, `codeVectorCompare`, `exprComputeOperands`.

use super::types::compare_affinity;
use crate::bound::walk::has_subquery;
use crate::bound::{BinaryOp, Expr};
use crate::compiler::{Compiler, Result, SqlError};
use ringwood_format::affinity::Affinity;
use ringwood_vdbe::opcode::p5;
use ringwood_vdbe::{Label, Opcode, P4};

/// The opcode of a comparison; IS and IS NOT are Eq and Ne with NULLEQ.
pub fn compare_opcode(op: BinaryOp) -> Opcode {
    match op {
        BinaryOp::Ne | BinaryOp::IsNot => Opcode::Ne,
        BinaryOp::Lt => Opcode::Lt,
        BinaryOp::Le => Opcode::Le,
        BinaryOp::Gt => Opcode::Gt,
        BinaryOp::Ge => Opcode::Ge,
        _ => Opcode::Eq,
    }
}

/// The opcode that jumps where the comparison does not.
pub fn inverted_opcode(op: BinaryOp) -> Opcode {
    match op {
        BinaryOp::Ne | BinaryOp::IsNot => Opcode::Eq,
        BinaryOp::Lt => Opcode::Ge,
        BinaryOp::Le => Opcode::Gt,
        BinaryOp::Gt => Opcode::Le,
        BinaryOp::Ge => Opcode::Lt,
        _ => Opcode::Ne,
    }
}

/// The operands of a binary operator, in registers.
pub(super) struct Operands {
    pub left: i32,
    pub right: i32,
    free: [i32; 2],
    /// A jump that skips one operand because the other is NULL.
    pub is_null: Option<i32>,
}

impl Compiler<'_> {
    /// Computes both operands into registers. With `shortcut`, an operand that holds a subquery is skipped if the other
    /// is NULL: the caller gives [`Operands::is_null`] its target.
    pub(super) fn code_operands(
        &mut self,
        left: &Expr,
        right: &Expr,
        shortcut: bool,
    ) -> Result<Operands> {
        if shortcut && (has_subquery(left) || has_subquery(right)) {
            if has_subquery(left) && !has_subquery(right) && self.can_be_null(right) {
                // The subquery is on the left: the right side first.
                let (r2, free2) = self.expr_code_temp(right)?;
                let is_null = self.op(Opcode::IsNull, r2, 0, 0);
                let (r1, free1) = self.expr_code_temp(left)?;
                return Ok(Operands {
                    left: r1,
                    right: r2,
                    free: [free1, free2],
                    is_null: Some(is_null),
                });
            }
            let (r1, free1) = self.expr_code_temp(left)?;
            let mut is_null = None;
            if has_subquery(right) && self.can_be_null(left) {
                is_null = Some(self.op(Opcode::IsNull, r1, 0, 0));
            }
            let (r2, free2) = self.expr_code_temp(right)?;
            return Ok(Operands {
                left: r1,
                right: r2,
                free: [free1, free2],
                is_null,
            });
        }
        let (r1, free1) = self.expr_code_temp(left)?;
        let (r2, free2) = self.expr_code_temp(right)?;
        Ok(Operands {
            left: r1,
            right: r2,
            free: [free1, free2],
            is_null: None,
        })
    }

    pub(super) fn release_operands(&mut self, operands: &Operands) {
        self.release_temp(operands.free[0]);
        self.release_temp(operands.free[1]);
    }

    /// Emits a comparison of two registers with the affinity and collation of the expressions that are in them; jumps
    /// to `dest` if it holds. `flags`: `JUMPIFNULL`, `NULLEQ`.
    pub fn code_compare(
        &mut self,
        left: &Expr,
        right: &Expr,
        opcode: Opcode,
        left_reg: i32,
        right_reg: i32,
        dest: impl Into<i32>,
        flags: u16,
        commuted: bool,
    ) -> Result<i32> {
        let collation = if commuted {
            self.compare_collation(right, left)?
        } else {
            self.compare_collation(left, right)?
        };
        let affinity = compare_affinity(left, right.affinity());
        let p4 = collation.map_or(P4::None, P4::Collation);
        let addr = self.op4(opcode, right_reg, dest.into(), left_reg, p4);
        self.p5(affinity as u16 | flags);
        Ok(addr)
    }

    /// The value of a comparison: 1, 0 or NULL, into `target`.
    pub(super) fn code_comparison(
        &mut self,
        op: BinaryOp,
        commuted: bool,
        left: &Expr,
        right: &Expr,
        target: i32,
    ) -> Result<()> {
        let null_equal = matches!(op, BinaryOp::Is | BinaryOp::IsNot);
        let flags = if null_equal { p5::NULLEQ } else { 0 };
        if left.is_vector() || right.is_vector() {
            return self.code_vector_compare(op, commuted, left, right, target);
        }
        let operands = self.code_operands(left, right, !null_equal)?;
        self.op(Opcode::Integer, 1, target, 0);
        let next = self.here() + 2;
        self.code_compare(
            left,
            right,
            compare_opcode(op),
            operands.left,
            operands.right,
            next,
            flags,
            commuted,
        )?;
        if null_equal {
            self.op(Opcode::Integer, 0, target, 0);
        } else {
            self.op(Opcode::ZeroOrNull, operands.left, target, operands.right);
            if let Some(is_null) = operands.is_null {
                let end = self.here() + 2;
                self.op(Opcode::Goto, 0, end, 0);
                self.jump_here(is_null);
                self.op(Opcode::Null, 0, target, 0);
            }
        }
        self.release_operands(&operands);
        Ok(())
    }

    /// The value of a comparison of row values, into `target`.
    fn code_vector_compare(
        &mut self,
        op: BinaryOp,
        commuted: bool,
        left: &Expr,
        right: &Expr,
        target: i32,
    ) -> Result<()> {
        let count = left.vector_size();
        if count != right.vector_size() {
            return Err(SqlError::error("row value misused"));
        }
        let null_equal = matches!(op, BinaryOp::Is | BinaryOp::IsNot);
        let flags = if null_equal { p5::NULLEQ } else { 0 };
        let opcode = compare_opcode(op);
        // All but the last element decide only if they are different.
        let mut step = match opcode {
            Opcode::Le => Opcode::Lt,
            Opcode::Ge => Opcode::Gt,
            Opcode::Ne => Opcode::Eq,
            other => other,
        };
        let left_base = self.code_vector_source(left)?;
        let right_base = self.code_vector_source(right)?;
        let done = self.label();
        self.op(Opcode::Integer, 1, target, 0);
        let mut compare = None;
        for i in 0..count {
            if let Some(addr) = compare {
                self.jump_here(addr);
            }
            let (r1, free1) = self.code_vector_element(left, i, left_base)?;
            let (r2, free2) = self.code_vector_element(right, i, right_base)?;
            let (left_field, right_field) = (left.vector_field(i), right.vector_field(i));
            let addr =
                self.code_compare(left_field, right_field, step, r1, r2, done, flags, commuted)?;
            self.release_temp(free1);
            self.release_temp(free2);
            let mut last_jump = addr;
            if matches!(step, Opcode::Lt | Opcode::Gt) && i < count - 1 {
                last_jump = self.op(Opcode::ElseEq, 0, 0, 0);
            }
            compare = Some(last_jump);
            if null_equal {
                self.op(Opcode::Integer, 0, target, 0);
            } else {
                self.op(Opcode::ZeroOrNull, r1, target, r2);
            }
            if i == count - 1 {
                break;
            }
            if step == Opcode::Eq {
                self.op(Opcode::NotNull, target, done.into(), 0);
            } else {
                self.goto(done);
                if i == count - 2 {
                    step = opcode;
                }
            }
        }
        if let Some(addr) = compare {
            self.jump_here(addr);
        }
        self.place(done);
        if opcode == Opcode::Ne {
            self.op(Opcode::Not, target, target, 0);
        }
        Ok(())
    }

    /// Runs the subquery of a row value; the first of the registers that hold it.
    fn code_vector_source(&mut self, expr: &Expr) -> Result<i32> {
        match expr {
            Expr::Subquery(subquery) => self.code_subquery(subquery),
            _ => Ok(0),
        }
    }

    fn code_vector_element(&mut self, expr: &Expr, i: usize, base: i32) -> Result<(i32, i32)> {
        match expr {
            Expr::Vector(items) => self.expr_code_temp(&items[i]),
            Expr::Subquery(_) => Ok((base + i as i32, 0)),
            _ => Err(SqlError::error("row value misused")),
        }
    }

    /// Jumps on a comparison; see [`Compiler::expr_if_true`] and its twin.
    pub(super) fn code_compare_jump(
        &mut self,
        op: BinaryOp,
        commuted: bool,
        left: &Expr,
        right: &Expr,
        dest: Label,
        if_true: bool,
        jump_if_null: bool,
    ) -> Result<()> {
        let null_equal = matches!(op, BinaryOp::Is | BinaryOp::IsNot);
        let opcode = if if_true {
            compare_opcode(op)
        } else {
            inverted_opcode(op)
        };
        let flags = match (null_equal, jump_if_null) {
            (true, _) => p5::NULLEQ,
            (false, true) => p5::JUMPIFNULL,
            (false, false) => 0,
        };
        let operands = self.code_operands(left, right, !null_equal)?;
        self.code_compare(
            left,
            right,
            opcode,
            operands.left,
            operands.right,
            dest,
            flags,
            commuted,
        )?;
        if let Some(is_null) = operands.is_null {
            if jump_if_null {
                self.b.set_p2(is_null, dest);
            } else {
                self.jump_here(is_null);
            }
        }
        self.release_operands(&operands);
        Ok(())
    }
}

/// The letters of several affinities, as the fourth operand of `Affinity` and `MakeRecord`.
pub fn affinity_letters(affinities: impl IntoIterator<Item = Affinity>) -> P4 {
    let letters: smallvec::SmallVec<[u8; 16]> = affinities
        .into_iter()
        .map(|affinity| affinity as u8)
        .collect();
    P4::affinity(&letters)
}
