//! Whether a query implies the WHERE of a partial index.
//!
//! | the query says | the index's WHERE | implied |
//! |---|---|---|
//! | `a = 5` | `a = 5` | yes: the same |
//! | `a > 3` | `a IS NOT NULL` | yes: NULL would not pass |
//! | `a = 5` | `a = 5 OR b` | yes: one side is |
//! | `a = 5` | `a > 3` | no: values are not compared |
//!
//! Rules:
//! 1. Every conjunct of the index's WHERE must follow from some term.
//! 2. Terms of an outer join's ON count for its right table only; and for that table only they count.
//! 3. Left of a RIGHT JOIN no partial index is used.
//!
//! Source: SQLite's `whereUsablePartialIndex`, `sqlite3ExprImpliesExpr`.

use super::facts;
use super::term::{Term, binary_op};
use super::{ClauseId, TermFlags, Where};
use crate::bound::walk;
use crate::bound::{BinaryOp, Expr, InSet, UnaryOp};

impl Where<'_> {
    /// Whether a partial index holds all rows that the query can want.
    pub fn partial_index_usable(&self, clause: ClauseId, source_no: u8, index: u16) -> bool {
        let source = &self.sources[usize::from(source_no)];
        if source.join.left_of_right {
            return false; // rule 3
        }
        let Some(p) = self
            .partials
            .iter()
            .find(|p| p.source == source_no && p.index == index)
        else {
            return false;
        };
        let mut conjuncts = smallvec::SmallVec::new();
        walk::conjuncts(&p.expr, &mut conjuncts);
        conjuncts.iter().all(|wanted| {
            self.clause(clause).terms.iter().any(|&id| {
                let t = self.term(id);
                if t.flags.contains(TermFlags::GUARD) || t.ops == super::Ops::ROWVAL {
                    return false;
                }
                let own = t.on.cursor() == Some(source.cursor());
                let admissible =
                    (!t.on.is_outer() || own) && (!source.join.is_outer() || t.on.is_outer());
                admissible && term_implies(t, wanted) && walk::uses_cursor(wanted, source.cursor())
            })
        })
    }
}

fn term_implies(t: &Term<'_>, wanted: &Expr) -> bool {
    if !t.is_virtual() {
        return implies(&t.expr, wanted);
    }
    let Some(sides) = &t.sides else { return false };
    match (binary_op(sides.op), &sides.right) {
        (Some(op), Some(right)) => {
            let mut made = Expr::binary(op, (*sides.left).clone(), (**right).clone());
            if let Expr::Binary { commuted, .. } = &mut made {
                *commuted = sides.commuted;
            }
            implies(&made, wanted)
        }
        _ => false,
    }
}

/// Whether `known` being true makes `wanted` true.
pub fn implies(known: &Expr, wanted: &Expr) -> bool {
    let known = facts::skip_ref(known);
    if walk::same(known, wanted) {
        return true;
    }
    match wanted {
        Expr::Binary {
            op: BinaryOp::Or,
            operands,
            ..
        } => implies(known, &operands.0) || implies(known, &operands.1),
        Expr::Unary(UnaryOp::NotNull, inner) => implies_not_null(known, inner, false),
        _ => false,
    }
}

/// Whether `known` being true (or, if `strict`, being anything but NULL) shows that `operand` is not NULL.
fn implies_not_null(known: &Expr, operand: &Expr, strict: bool) -> bool {
    if walk::same(known, operand) {
        return !matches!(operand, Expr::Null);
    }
    match known {
        Expr::In(set) => {
            if set.not || (strict && matches!(set.set, InSet::Select { .. })) {
                return false;
            }
            implies_not_null(&set.left, operand, true)
        }
        Expr::Between(b) => {
            if strict || b.not {
                return false;
            }
            [&b.low, &b.high, &b.value]
                .into_iter()
                .any(|e| implies_not_null(e, operand, true))
        }
        Expr::Binary { op, operands, .. } => {
            let strict = match op {
                BinaryOp::Eq
                | BinaryOp::Ne
                | BinaryOp::Lt
                | BinaryOp::Le
                | BinaryOp::Gt
                | BinaryOp::Ge
                | BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::BitOr
                | BinaryOp::ShiftLeft
                | BinaryOp::ShiftRight
                | BinaryOp::Concat => true,
                BinaryOp::Multiply | BinaryOp::Remainder | BinaryOp::BitAnd | BinaryOp::Divide => {
                    strict
                }
                _ => return false,
            };
            implies_not_null(&operands.1, operand, strict)
                || implies_not_null(&operands.0, operand, strict)
        }
        Expr::Collate { expr, .. } | Expr::Unary(UnaryOp::Plus | UnaryOp::Negate, expr) => {
            implies_not_null(expr, operand, strict)
        }
        Expr::Truth {
            expr, not: false, ..
        } if !strict => implies_not_null(expr, operand, true),
        Expr::Unary(UnaryOp::BitNot | UnaryOp::Not, expr) => implies_not_null(expr, operand, true),
        _ => false,
    }
}
