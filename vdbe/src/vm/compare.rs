//! Comparisons of registers.
//!
//! Rules:
//! 1. Two integers are compared at once; everything else goes through [`compare`].
//! 2. An affinity applies to copies: the registers keep their values.
//! 3. With a NULL and without NULLEQ the result is unknown: the jump is taken only with JUMPIFNULL.
//!
//! Source: SQLite's `OP_Eq`…`OP_Ge`, `OP_Compare`.

use super::state::State;
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::opcode::{Opcode, p5};
use ringwood_format::affinity::numeric_type;
use ringwood_format::collation::Collation;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::number::Number;
use ringwood_format::value::{ValueRef, compare_values_encoded};
use std::cmp::Ordering;

/// The collation where none is given.
pub(super) static BINARY: Collation = Collation::Binary;

/// Whether a comparison that came out as `order` jumps.
#[inline]
fn holds(opcode: Opcode, order: Ordering) -> bool {
    match opcode {
        Opcode::Eq => order == Ordering::Equal,
        Opcode::Ne => order != Ordering::Equal,
        Opcode::Lt => order == Ordering::Less,
        Opcode::Le => order != Ordering::Greater,
        Opcode::Gt => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

/// Eq, Ne, Lt, Le, Gt, Ge: whether r[p3] op r[p1].
#[inline]
pub(super) fn comparison(s: &mut State, encoding: TextEncoding, insn: &Insn) -> bool {
    let (right, left) = (&s.mems[insn.p1 as usize], &s.mems[insn.p3 as usize]);
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        let order = a.cmp(&b);
        s.last_order = order;
        return holds(insn.opcode, order);
    }
    comparison_slow(s, encoding, insn)
}

fn comparison_slow(s: &mut State, encoding: TextEncoding, insn: &Insn) -> bool {
    let (right, left) = (&s.mems[insn.p1 as usize], &s.mems[insn.p3 as usize]);
    let order = if left.is_null() || right.is_null() {
        if insn.p5 & p5::NULLEQ == 0 {
            s.last_order = Ordering::Greater;
            return insn.p5 & p5::JUMPIFNULL != 0;
        }
        if left.is_null() && right.is_null() && !left.is_cleared() {
            Ordering::Equal
        } else if left.is_null() {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    } else {
        let collation = match &insn.p4 {
            P4::Collation(collation) => collation,
            _ => &BINARY,
        };
        compare_with_affinity(left, right, insn.p5 & p5::AFF_MASK, collation, encoding)
    };
    s.last_order = order;
    holds(insn.opcode, order)
}

/// Compares after applying an affinity to copies of both sides (rule 2).
fn compare_with_affinity(
    left: &Mem,
    right: &Mem,
    affinity: u16,
    collation: &Collation,
    encoding: TextEncoding,
) -> Ordering {
    if left.zeros() > 0 || right.zeros() > 0 {
        // A blob has no affinity, and is of another class than what an affinity would change.
        return compare_zeros(left, right);
    }
    let has_text = left.kind() == Kind::Text || right.kind() == Kind::Text;
    if has_text && affinity >= p5::AFF_NUMERIC {
        return compare_values_encoded(as_number(left), as_number(right), collation, encoding);
    }
    if has_text && affinity == p5::AFF_TEXT && left.kind() != right.kind() {
        let text = |mem: &Mem| match mem.kind() {
            Kind::Int | Kind::Real | Kind::IntReal => {
                let mut bytes = Vec::new();
                super::arith::push_text(mem, &mut bytes);
                Some(bytes)
            }
            _ => None,
        };
        let (a, b) = (text(left), text(right));
        let a = a
            .as_deref()
            .map_or_else(|| left.as_value_ref(), ValueRef::Text);
        let b = b
            .as_deref()
            .map_or_else(|| right.as_value_ref(), ValueRef::Text);
        return compare_values_encoded(a, b, collation, encoding);
    }
    compare(left, right, collation, encoding)
}

/// A register as a number if it is a text that is one, else as it is.
fn as_number(mem: &Mem) -> ValueRef<'_> {
    if mem.kind() == Kind::Text {
        if let Some(number) = numeric_type(mem.bytes()) {
            return Number::into_value(number);
        }
    }
    mem.as_value_ref()
}

/// The order of two registers; NULLs are equal.
#[inline]
pub(super) fn compare(a: &Mem, b: &Mem, collation: &Collation, encoding: TextEncoding) -> Ordering {
    if a.zeros() > 0 || b.zeros() > 0 {
        return compare_zeros(a, b);
    }
    compare_values_encoded(a.as_value_ref(), b.as_value_ref(), collation, encoding)
}

/// The order where one side is a blob with a tail of zeros.
#[cold]
fn compare_zeros(a: &Mem, b: &Mem) -> Ordering {
    let class = |mem: &Mem| match mem.kind() {
        Kind::Null | Kind::Object => 0,
        Kind::Int | Kind::Real | Kind::IntReal => 1,
        Kind::Text => 2,
        Kind::Blob => 3,
    };
    class(a).cmp(&class(b)).then_with(|| {
        let bytes = |mem: &Mem| {
            let mut copy = mem.clone();
            copy.expand();
            copy.bytes().to_vec()
        };
        bytes(a).cmp(&bytes(b))
    })
}

/// Compare: two vectors of registers by the key P4, in the order of the permutation if P5 says so.
pub(super) fn compare_vectors(
    s: &mut State,
    permutation: Option<&[u32]>,
    encoding: TextEncoding,
    insn: &Insn,
) {
    let mut result = Ordering::Equal;
    let columns: &[_] = match &insn.p4 {
        P4::KeyInfo(info) => &info.columns,
        _ => &[],
    };
    for i in 0..insn.p3 as usize {
        let at = permutation
            .and_then(|p| p.get(i))
            .map_or(i, |&p| p as usize);
        let (Some(a), Some(b)) = (
            s.mems.get(insn.p1 as usize + at),
            s.mems.get(insn.p2 as usize + at),
        ) else {
            break;
        };
        let column = columns.get(i);
        let collation = column.map_or(&BINARY, |c| &c.collation);
        let order = compare(a, b, collation, encoding);
        if order != Ordering::Equal {
            let nulls_flip = column.is_some_and(|c| c.big_null) && (a.is_null() || b.is_null());
            let flip = column.is_some_and(|c| c.desc) != nulls_flip;
            result = if flip { order.reverse() } else { order };
            break;
        }
    }
    s.last_order = result;
}
