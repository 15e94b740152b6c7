//! Loops over virtual tables.
//!
//! ```text
//!   r = number of the plan, r+1 = how many arguments, r+2 … = the arguments
//!   VFilter  ─ no row ─▶ the end, or the next value of an IN
//!   …
//!   VNext
//! ```
//!
//! Source: SQLite's `sqlite3WhereCodeOneLoopStart`, case 1.

use super::Loops;
use crate::bound::{BinaryOp, Expr};
use crate::compiler::{Compiler, Result, SqlError};
use crate::plan::{Ops, TermId};
use ringwood_vdbe::vtab::ConstraintOp;
use ringwood_vdbe::{Opcode, P4};

impl Loops<'_> {
    /// The head of a level over a virtual table.
    pub(super) fn code_virtual(&mut self, c: &mut Compiler<'_>, i: usize) -> Result<()> {
        let lp = &self.plan.levels[i].lp;
        let internal = || SqlError::error("internal query planner error");
        let plan = lp.virtual_plan.clone().ok_or_else(internal)?;
        let terms: Vec<TermId> = lp.terms.iter().flatten().copied().collect();
        let count = terms.len();
        let cursor = self.levels[i].table_cursor;
        let first = c.alloc_regs(count + 2);
        let mut not_found = self.levels[i].brk;
        for (j, &id) in terms.iter().enumerate() {
            let target = first + 2 + j as i32;
            let t = self.plan.term(id);
            if t.ops.contains(Ops::IN) {
                if j < 64 && plan.in_all >> j & 1 != 0 {
                    let expr = t.expr.clone();
                    let Expr::In(set) = &*expr else {
                        return Err(internal());
                    };
                    let values = c.in_values(set)?;
                    c.op(Opcode::VInitIn, values, target, 0);
                } else {
                    let reg = self.code_equality(c, i, id, j, false, target)?;
                    if reg != target {
                        c.op(Opcode::Copy, reg, target, 0);
                    }
                    not_found = self.levels[i].next;
                }
                continue;
            }
            match t.sides.as_ref().and_then(|sides| sides.right.clone()) {
                Some(right) if right.is_vector() => {
                    // The table sees the first field.
                    let field = right.vector_field(0).clone();
                    c.expr_code(&field, target)?;
                }
                Some(right) => c.expr_code(&right, target)?,
                None => {
                    c.op(Opcode::Null, 0, target, 0);
                }
            }
            if plan.omit_offset && t.match_op == Some(ConstraintOp::OFFSET) {
                c.op(Opcode::Integer, 0, self.plan.limit_regs.1, 0);
            }
        }
        c.op(Opcode::Integer, plan.index.number, first, 0);
        c.op(Opcode::Integer, count as i32, first + 1, 0);
        let text = match &plan.index.text {
            Some(text) => P4::text(&**text),
            None => P4::None,
        };
        let filter = c.jump(Opcode::VFilter, cursor, not_found, first);
        c.b.set_p4(filter, text);
        let here = c.here();
        let code = &mut self.levels[i];
        code.op = Opcode::VNext;
        code.p1 = cursor;
        code.p2 = here;
        for (j, &id) in terms.iter().enumerate() {
            let t = self.plan.term(id);
            if j < 64 && plan.omit >> j & 1 != 0 {
                self.disable(i, id);
            } else if t.ops.contains(Ops::IN) && (j >= 64 || plan.in_all >> j & 1 == 0) {
                // The row must have the value that was asked for: the whole IN would let others pass.
                let column = i32::from(t.column);
                let left = c.column_expr(cursor, column);
                let right = Expr::Register {
                    reg: first + 2 + j as i32,
                    affinity: left.affinity(),
                    collation: None,
                };
                let equal = Expr::binary(BinaryOp::Eq, left, right);
                let cont = self.levels[i].cont;
                c.expr_if_false(&equal, cont, true)?;
            }
        }
        Ok(())
    }
}
