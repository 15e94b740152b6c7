//! MakeRecord: registers become a record.
//!
//! Rules:
//! 1. Affinities are applied to the registers themselves, as SQLite does: what follows sees the converted values.
//! 2. A tail of zeros at the end of the record is counted and not written; one with something behind it is written out.
//! 3. An `IntReal` that does not fit in six bytes is stored as a real.
//!
//! Cost: two passes over the registers, no allocation once the register's buffer is large enough.
//!
//! Source: SQLite's `OP_MakeRecord`.

use super::arith::apply_affinity;
use super::row::SIZES;
use super::trap::{Step, fail};
use crate::env::Env;
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::opcode::p5;
use crate::result_code::ResultCode;
use ringwood_format::affinity::Affinity;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::record::SerialType;
use ringwood_format::varint;

/// The type of a value that does not change, which no file has.
pub(super) const UNCHANGED: u8 = 10;

/// r[p3] = the record of p2 registers from p1. `constants` says whether 0 and 1 take no room.
#[inline]
pub(super) fn make_record(mems: &mut [Mem], env: &Env, constants: bool, insn: &Insn) -> Step {
    let (first, count, out) = (insn.p1 as usize, insn.p2 as usize, insn.p3 as usize);
    // The result lies before or behind the values.
    let (values, record) = if out >= first + count {
        let (left, right) = mems.split_at_mut(out);
        (&mut left[first..first + count], &mut right[0])
    } else if out < first {
        let (left, right) = mems.split_at_mut(first);
        (&mut right[..count], &mut left[out])
    } else {
        return fail(ResultCode::INTERNAL);
    };
    if let P4::Affinity(letters) | P4::Text(letters) = &insn.p4 {
        for (mem, &letter) in values.iter_mut().zip(letters.iter()) {
            apply_affinity(mem, letter);
            if letter == Affinity::Real as u8 {
                if let Some(i) = mem.as_int() {
                    mem.set_int_real(i);
                }
            }
        }
    }
    let zeros = encode(
        values,
        env.facts.encoding,
        constants,
        record.start_bytes(Kind::Blob),
    );
    if insn.p5 & p5::NOCHNG != 0 {
        mark_unchanged(values, record);
    }
    if zeros > 0 {
        // Rule 2: only what nothing but NULLs follow may stay uncounted.
        let last = values.iter().rposition(|mem| !mem.is_null()).unwrap_or(0);
        if values[..last].iter().any(|mem| mem.zeros() > 0) {
            values[..last].iter_mut().for_each(Mem::expand);
            let zeros = encode(
                values,
                env.facts.encoding,
                constants,
                record.start_bytes(Kind::Blob),
            );
            record.set_zeros(zeros);
        } else {
            record.set_zeros(zeros);
        }
    }
    if record.byte_len() > env.limits.length {
        return fail(ResultCode::TOOBIG);
    }
    Ok(())
}

/// The most values of a record that [`encode_few`] makes.
const FEW: usize = 24;
/// The longest text whose type takes one byte.
const SHORT_TEXT_MAX: usize = 57;

/// Appends the record; how many zeros its blobs have at their ends, all of them together.
#[inline(always)]
fn encode(values: &[Mem], encoding: TextEncoding, constants: bool, out: &mut Vec<u8>) -> u64 {
    if encoding.is_utf8() && encode_few(values, constants, out) {
        return 0;
    }
    encode_any(values, encoding, constants, out)
}

/// A record of few values, whose types take one byte each; false, and nothing is written, for others. The buffer is
/// empty before.
#[inline(always)]
fn encode_few(values: &[Mem], constants: bool, out: &mut Vec<u8>) -> bool {
    if values.len() > FEW {
        return false;
    }
    let mut kinds = [0; FEW];
    let mut body = 0;
    for (value, kind) in values.iter().zip(&mut kinds) {
        *kind = match value.kind() {
            Kind::Null | Kind::Object => 0,
            Kind::Int => SerialType::of_integer(value.raw_int(), constants).0 as u8,
            Kind::Real => 7,
            Kind::Text => match value.bytes().len() {
                len @ ..=SHORT_TEXT_MAX => 13 + 2 * len as u8,
                _ => return false,
            },
            Kind::IntReal | Kind::Blob => return false,
        };
        body += usize::from(SIZES[usize::from(*kind)]);
    }
    let header = values.len() + 1;
    out.reserve(header.max(1 + FEW) + body + 8);
    out.push(header as u8);
    // All of the types, and eight bytes of every number, are copied without asking how many: what is too much is cut off.
    out.extend_from_slice(&kinds);
    out.truncate(header);
    for (value, kind) in values.iter().zip(kinds) {
        if kind >= 13 {
            out.extend_from_slice(value.bytes());
        } else {
            let len = SIZES[usize::from(kind)];
            let word = value.raw_int().wrapping_shl(64 - 8 * u32::from(len));
            let end = out.len() + usize::from(len);
            out.extend_from_slice(&word.to_be_bytes());
            out.truncate(end);
        }
    }
    true
}

#[inline(never)]
fn encode_any(values: &[Mem], encoding: TextEncoding, constants: bool, out: &mut Vec<u8>) -> u64 {
    out.reserve(1 + 2 * values.len());
    out.push(0); // the header's size, patched below
    let mut zeros = 0;
    let mut body = 0;
    for value in values {
        let kind = match value.kind() {
            Kind::Null | Kind::Object => 0,
            Kind::Int => {
                let kind = SerialType::of_integer(value.raw_int(), constants);
                body += kind.size() as usize;
                u64::from(kind.0)
            }
            Kind::Real => {
                body += 8;
                7
            }
            Kind::IntReal => {
                body += 8;
                match SerialType::of_integer(value.raw_int(), constants).0 {
                    6 => 7,
                    short => u64::from(short),
                }
            }
            Kind::Text => {
                let text = value.bytes();
                let len = if encoding.is_utf8() {
                    text.len()
                } else {
                    encoding.encoded_len(text)
                };
                body += len;
                len as u64 * 2 + 13
            }
            Kind::Blob => {
                body += value.bytes().len();
                zeros += value.zeros();
                value.byte_len() * 2 + 12
            }
        };
        if kind < 0x80 {
            out.push(kind as u8);
        } else {
            varint::push(out, kind);
        }
    }
    let header = out.len();
    if header < 0x80 {
        out[0] = header as u8;
    } else {
        patch_long_header(out);
    }
    out.reserve(body);
    for value in values {
        match value.kind() {
            Kind::Null | Kind::Object => {}
            Kind::Int => push_integer(out, value.raw_int(), constants),
            Kind::Real => out.extend_from_slice(&value.raw_real().to_be_bytes()),
            Kind::IntReal => {
                let i = value.raw_int();
                if SerialType::of_integer(i, constants).0 == 6 {
                    out.extend_from_slice(&(i as f64).to_be_bytes());
                } else {
                    push_integer(out, i, constants);
                }
            }
            Kind::Text if encoding.is_utf8() => out.extend_from_slice(value.bytes()),
            Kind::Text => encoding.encode(value.bytes(), out),
            Kind::Blob => out.extend_from_slice(value.bytes()),
        }
    }
    zeros
}

/// Columns that an UPDATE leaves as they are have a type of their own in a record that is never stored.
#[cold]
fn mark_unchanged(values: &[Mem], record: &mut Mem) {
    let Some(bytes) = record.bytes_mut() else {
        return;
    };
    let mut at = varint::read(bytes).map_or(1, |(_, length)| length);
    for value in values {
        if value.is_no_change() {
            bytes[at] = UNCHANGED;
        }
        at += varint::read(&bytes[at..]).map_or(1, |(_, length)| length);
    }
}

/// A header whose size takes more than one byte.
#[cold]
fn patch_long_header(out: &mut Vec<u8>) {
    let header = out.len();
    let mut len = varint::len(header as u64);
    if varint::len((header - 1 + len) as u64) > len {
        len += 1;
    }
    let mut size = [0; varint::VARINT_LEN_MAX];
    varint::write(&mut size, (header - 1 + len) as u64);
    out.splice(..1, size[..len].iter().copied());
}

#[inline(always)]
fn push_integer(out: &mut Vec<u8>, i: i64, constants: bool) {
    let bytes = i.to_be_bytes();
    // Arrays of a known size are stored in place; a slice of any size would be a call.
    match SerialType::of_integer(i, constants).0 {
        1 => out.push(i as u8),
        2 => out.extend_from_slice(&[bytes[6], bytes[7]]),
        3 => out.extend_from_slice(&[bytes[5], bytes[6], bytes[7]]),
        4 => out.extend_from_slice(&[bytes[4], bytes[5], bytes[6], bytes[7]]),
        5 => out.extend_from_slice(&[bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
        6 => out.extend_from_slice(&bytes),
        _ => {}
    }
}
