//! Arithmetic, bits, logic, and the conversions of registers.
//!
//! Rules:
//! 1. Two integers stay integers unless the result does not fit; then both are taken as reals.
//! 2. Text and blobs stand for the number that they begin with, or 0.
//! 3. Dividing by zero, and a result that is no number, is NULL.
//!
//! Source: SQLite's `OP_Add`, `OP_BitAnd`, `OP_Concat`, `applyAffinity`, `sqlite3VdbeMemCast`.

use super::trap::{Step, fail, fail_with};
use crate::env::Env;
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::opcode::Opcode;
use crate::result_code::ResultCode;
use ringwood_format::affinity::{
    Affinity, arithmetic_number, boolean_value, cast, integer_value, numeric_affinity, whole_real,
};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::number::{Number, push_integer, push_real, real_to_integer};
use ringwood_format::value::{Value, ValueRef};

/// The number that a register stands for in arithmetic; none for NULL.
#[inline]
fn number(mem: &Mem) -> Option<Number> {
    match mem.kind() {
        Kind::Null | Kind::Object => None,
        Kind::Int => Some(Number::Integer(mem.raw_int())),
        Kind::Real => Some(Number::Real(mem.raw_real())),
        Kind::IntReal => Some(Number::Real(mem.raw_int() as f64)),
        Kind::Text | Kind::Blob => Some(arithmetic_number(mem.bytes())),
    }
}

/// A number where the arithmetic is of reals: the text `-0` is then a negative zero.
fn real(mem: &Mem, number: Number) -> f64 {
    match (number, mem.kind()) {
        (Number::Integer(0), Kind::Text | Kind::Blob)
            if matches!(mem.bytes().trim_ascii_start(), [b'-', b'0'..=b'9', ..]) =>
        {
            -0.0
        }
        (number, _) => number.as_f64(),
    }
}

/// Add, Subtract, Multiply, Divide, Remainder: r[p3] = r[p2] op r[p1].
#[inline]
pub(super) fn arithmetic(mems: &mut [Mem], insn: &Insn) {
    let (right, left) = (&mems[insn.p1 as usize], &mems[insn.p2 as usize]);
    if let (Some(b), Some(a)) = (right.as_int(), left.as_int()) {
        if let Some(result) = integers(insn.opcode, a, b) {
            mems[insn.p3 as usize].set_int(result);
            return;
        }
    }
    arithmetic_slow(mems, insn);
}

#[inline]
fn integers(opcode: Opcode, a: i64, b: i64) -> Option<i64> {
    match opcode {
        Opcode::Add => a.checked_add(b),
        Opcode::Subtract => a.checked_sub(b),
        Opcode::Multiply => a.checked_mul(b),
        Opcode::Divide if b != 0 => a.checked_div(b),
        Opcode::Remainder if b != 0 => Some(a.wrapping_rem(b)),
        _ => None,
    }
}

fn arithmetic_slow(mems: &mut [Mem], insn: &Insn) {
    let (right, left) = (&mems[insn.p1 as usize], &mems[insn.p2 as usize]);
    let opcode = insn.opcode;
    let result = match (number(left), number(right)) {
        (Some(a), Some(b)) => {
            let whole = match (a, b) {
                (Number::Integer(a), Number::Integer(b)) => integers(opcode, a, b),
                _ => None,
            };
            let (x, y) = (real(left, a), real(right, b));
            match (whole, opcode) {
                (Some(i), _) => ValueRef::Integer(i),
                (None, Opcode::Add) => ValueRef::real(x + y),
                (None, Opcode::Subtract) => ValueRef::real(x - y),
                (None, Opcode::Multiply) => ValueRef::real(x * y),
                (None, Opcode::Divide) if y != 0.0 => ValueRef::real(x / y),
                (None, Opcode::Divide) => ValueRef::Null,
                _ => {
                    let (i, j) = (integer(left), integer(right));
                    if j == 0 {
                        ValueRef::Null
                    } else if matches!((a, b), (Number::Integer(_), Number::Integer(_))) {
                        ValueRef::Integer(i.wrapping_rem(j))
                    } else {
                        ValueRef::Real(i.wrapping_rem(j) as f64)
                    }
                }
            }
        }
        _ => ValueRef::Null,
    };
    // The result holds no bytes, so it does not borrow from the registers.
    match result {
        ValueRef::Integer(i) => mems[insn.p3 as usize].set_int(i),
        ValueRef::Real(r) => mems[insn.p3 as usize].set_real(r),
        _ => mems[insn.p3 as usize].set_null(),
    }
}

/// The integer that a register stands for; 0 for NULL.
#[inline]
pub(super) fn integer(mem: &Mem) -> i64 {
    match mem.kind() {
        Kind::Int | Kind::IntReal => mem.raw_int(),
        Kind::Real => real_to_integer(mem.raw_real()),
        Kind::Text | Kind::Blob => integer_value(ValueRef::Text(mem.bytes())),
        Kind::Null | Kind::Object => 0,
    }
}

/// Whether a register is true; none for NULL.
#[inline]
pub(super) fn truth(mem: &Mem) -> Option<bool> {
    match mem.kind() {
        Kind::Null | Kind::Object => None,
        Kind::Int | Kind::IntReal => Some(mem.raw_int() != 0),
        Kind::Real => Some(mem.raw_real() != 0.0),
        Kind::Text | Kind::Blob => boolean_value(ValueRef::Text(mem.bytes())),
    }
}

/// BitAnd, BitOr, ShiftLeft, ShiftRight: r[p3] = r[p2] op r[p1].
pub(super) fn bits(mems: &mut [Mem], insn: &Insn) {
    let (right, left) = (&mems[insn.p1 as usize], &mems[insn.p2 as usize]);
    if right.is_null() || left.is_null() {
        mems[insn.p3 as usize].set_null();
        return;
    }
    let (a, b) = (integer(left), integer(right));
    let result = match insn.opcode {
        Opcode::BitAnd => a & b,
        Opcode::BitOr => a | b,
        Opcode::ShiftLeft => shift_left(a, b),
        _ => shift_left(a, b.checked_neg().unwrap_or(i64::MAX)),
    };
    mems[insn.p3 as usize].set_int(result);
}

/// `a << by`; a negative `by` shifts right, and more than 63 bits leave the sign or nothing.
fn shift_left(a: i64, by: i64) -> i64 {
    match by {
        0..64 => a << by,
        64.. => 0,
        -63..0 => a >> -by,
        _ => a >> 63,
    }
}

/// And, Or: r[p3] = r[p1] op r[p2], where NULL is unknown.
pub(super) fn logic(mems: &mut [Mem], insn: &Insn) {
    let (a, b) = (
        truth(&mems[insn.p1 as usize]),
        truth(&mems[insn.p2 as usize]),
    );
    let decides = insn.opcode == Opcode::Or; // the operand that decides alone
    let result = if a == Some(decides) || b == Some(decides) {
        Some(decides)
    } else if a.is_none() || b.is_none() {
        None
    } else {
        Some(!decides)
    };
    match result {
        Some(result) => mems[insn.p3 as usize].set_bool(result),
        None => mems[insn.p3 as usize].set_null(),
    }
}

/// Not, BitNot.
pub(super) fn invert(mems: &mut [Mem], insn: &Insn) {
    let source = &mems[insn.p1 as usize];
    let result = match insn.opcode {
        Opcode::Not => truth(source).map(|t| i64::from(!t)),
        _ if source.is_null() => None,
        _ => Some(!integer(source)),
    };
    match result {
        Some(i) => mems[insn.p2 as usize].set_int(i),
        None => mems[insn.p2 as usize].set_null(),
    }
}

/// Appends a register as text.
#[inline]
pub(super) fn push_text(mem: &Mem, out: &mut Vec<u8>) {
    match mem.kind() {
        Kind::Null | Kind::Object => {}
        Kind::Int => push_integer(mem.raw_int(), out),
        Kind::Real => push_real(mem.raw_real(), out),
        Kind::IntReal => push_real(mem.raw_int() as f64, out),
        Kind::Text | Kind::Blob => {
            out.extend_from_slice(mem.bytes());
            out.resize(out.len() + mem.zeros() as usize, 0);
        }
    }
}

/// Concat: r[p3] = the text of r[p2] and then that of r[p1].
pub(super) fn concat(mems: &mut [Mem], env: &Env, insn: &Insn) -> Step {
    let (first, second, out) = (insn.p2 as usize, insn.p1 as usize, insn.p3 as usize);
    if mems[first].is_null() || mems[second].is_null() {
        mems[out].set_null();
        return Ok(());
    }
    if mems[first].byte_len() + mems[second].byte_len() > env.limits.length {
        return fail(ResultCode::TOOBIG);
    }
    // a || b || c is compiled with the running text as both P2 and P3: append to it in place.
    if out == first && mems[out].kind() == Kind::Text && second != out {
        let mut text = std::mem::take(&mut mems[out]);
        if let Some(bytes) = text.bytes_mut() {
            push_text(&mems[second], bytes);
        }
        text.clear_subtype();
        mems[out] = text;
        return Ok(());
    }
    let mut result = if out == first || out == second {
        Mem::new()
    } else {
        std::mem::take(&mut mems[out])
    };
    let bytes = result.start_bytes(Kind::Text);
    push_text(&mems[first], bytes);
    push_text(&mems[second], bytes);
    mems[out] = result;
    Ok(())
}

/// MustBeInt: makes r[p1] an integer; whether it is one.
pub(super) fn must_be_int(mems: &mut [Mem], insn: &Insn) -> Step<bool> {
    let mem = &mut mems[insn.p1 as usize];
    if mem.kind() == Kind::Int {
        return Ok(true);
    }
    apply_affinity(mem, Affinity::Numeric as u8);
    if mem.kind() == Kind::Int {
        Ok(true)
    } else if insn.p2 == 0 {
        fail(ResultCode::MISMATCH)
    } else {
        Ok(false)
    }
}

/// Applies an affinity in place, as before a value is stored or compared.
#[inline]
pub(super) fn apply_affinity(mem: &mut Mem, letter: u8) {
    const NUMERIC: u8 = Affinity::Numeric as u8;
    const TEXT: u8 = Affinity::Text as u8;
    match (letter, mem.kind()) {
        (_, Kind::Null | Kind::Object | Kind::Blob) => {}
        (NUMERIC.., Kind::Int) => {}
        (NUMERIC.., Kind::Real) if letter <= Affinity::Real as u8 => {
            if let Some(i) = whole_real(mem.raw_real()) {
                mem.set_int(i);
            }
        }
        (NUMERIC.., Kind::IntReal) if letter <= Affinity::Real as u8 => {
            let i = mem.raw_int();
            mem.set_int(i);
        }
        (NUMERIC.., Kind::Text) => match numeric_affinity(mem.bytes()) {
            Some(Number::Integer(i)) => mem.set_int(i),
            Some(Number::Real(r)) => mem.set_real(r),
            None => {}
        },
        (TEXT, Kind::Int | Kind::Real | Kind::IntReal) => stringify(mem),
        _ => {}
    }
}

/// Makes a number text.
pub(super) fn stringify(mem: &mut Mem) {
    let (kind, i, r) = (mem.kind(), mem.raw_int(), mem.raw_real());
    let bytes = mem.start_bytes(Kind::Text);
    match kind {
        Kind::Int => push_integer(i, bytes),
        Kind::IntReal => push_real(i as f64, bytes),
        _ => push_real(r, bytes),
    }
}

/// Affinity: applies the letters of P4 to p2 registers from p1.
pub(super) fn affinity(mems: &mut [Mem], insn: &Insn) {
    let (P4::Affinity(letters) | P4::Text(letters)) = &insn.p4 else {
        return;
    };
    let first = insn.p1 as usize;
    for (mem, &letter) in mems[first..first + insn.p2 as usize]
        .iter_mut()
        .zip(letters.iter())
    {
        apply_affinity(mem, letter);
        if letter == Affinity::Real as u8 {
            real_of_int(mem);
        }
    }
}

/// An integer in a REAL column is a real. Not an `IntReal`: a sorter's record would store that as an integer.
#[inline]
pub(super) fn real_of_int(mem: &mut Mem) {
    if let Some(i) = mem.as_int() {
        mem.set_real(i as f64);
    }
}

/// The same in a STRICT table: an `IntReal` if a record can store it in at most 6 bytes.
fn int_real_of_int(mem: &mut Mem) {
    match mem.as_int() {
        Some(i) if (-(1 << 47)..1 << 47).contains(&i) => mem.set_int_real(i),
        _ => real_of_int(mem),
    }
}

/// Cast: r[p1] to the affinity p2.
pub(super) fn cast_register(mems: &mut [Mem], encoding: TextEncoding, insn: &Insn) {
    let mem = &mut mems[insn.p1 as usize];
    mem.expand();
    let affinity = Affinity::from_letter(insn.p2 as u8).unwrap_or(Affinity::Blob);
    match (affinity, mem.kind()) {
        (_, Kind::Null) => {}
        (Affinity::Text, Kind::Text) | (Affinity::Blob | Affinity::None, Kind::Blob) => {
            mem.clear_subtype();
        }
        (Affinity::Text, Kind::Blob) if encoding.is_utf8() => mem.retype_bytes(Kind::Text),
        (Affinity::Blob | Affinity::None, Kind::Text) if encoding.is_utf8() => {
            mem.retype_bytes(Kind::Blob);
        }
        (Affinity::Integer, Kind::Int) | (Affinity::Real, Kind::Real) => {}
        _ => match cast(mem.as_value_ref(), affinity, encoding) {
            Value::Text(text) => mem.set_text_vec(text),
            Value::Blob(blob) => mem.set_blob_vec(blob),
            value => mem.set_value(value.as_ref()),
        },
    }
}

/// TypeCheck: the registers of a row of a STRICT table. P4 is letters, then NUL-separated names: the table's and the
/// columns'.
pub(super) fn type_check(mems: &mut [Mem], insn: &Insn) -> Step {
    let (P4::Affinity(text) | P4::Text(text)) = &insn.p4 else {
        return Ok(());
    };
    let mut parts = text.split(|&b| b == 0);
    let letters = parts.next().unwrap_or_default();
    let first = insn.p1 as usize;
    let registers = &mut mems[first..first + insn.p2 as usize];
    for (i, (mem, &letter)) in registers.iter_mut().zip(letters).enumerate() {
        let affinity = match letter {
            b'I' => Affinity::Integer,
            b'R' => Affinity::Real,
            b'T' => Affinity::Text,
            _ => Affinity::Blob,
        };
        if letter == b'G' {
            continue;
        }
        apply_affinity(mem, affinity as u8);
        let fits = match (letter, mem.kind()) {
            (_, Kind::Null) | (b'X', _) => true,
            (b'I', kind) => kind == Kind::Int,
            (b'R', kind) => matches!(kind, Kind::Real | Kind::Int | Kind::IntReal),
            (b'T', kind) => kind == Kind::Text,
            (_, kind) => kind == Kind::Blob,
        };
        if fits {
            if letter == b'R' {
                int_real_of_int(mem);
            }
            continue;
        }
        let found = match mem.kind() {
            Kind::Int => "INT",
            Kind::Real | Kind::IntReal => "REAL",
            Kind::Text => "TEXT",
            _ => "BLOB",
        };
        let names: Vec<_> = parts.map(String::from_utf8_lossy).collect();
        let table = names.first().map_or("", |n| n);
        let (column, declared) = (names.get(1 + 2 * i), names.get(2 + 2 * i));
        return fail_with(
            ResultCode::CONSTRAINT_DATATYPE,
            format!(
                "cannot store {found} value in {} column {table}.{}",
                declared.map_or("", |n| n),
                column.map_or("", |n| n)
            ),
        );
    }
    Ok(())
}
