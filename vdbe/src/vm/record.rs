//! MakeRecord: registers become a record.
//!
//! Rules:
//! 1. Affinities are applied to the registers themselves, as SQLite does: what follows sees the converted values.
//! 2. A tail of zeros at the end of the record is counted and not written; one in the middle is written out.
//! 3. An `IntReal` that does not fit in six bytes is stored as a real.
//!
//! Cost: two passes over the registers, no allocation once the register's buffer is large enough.
//!
//! Source: SQLite's `OP_MakeRecord`.

use super::arith::apply_affinity;
use super::trap::{Step, fail};
use crate::env::Env;
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::result_code::ResultCode;
use ringwood_format::affinity::Affinity;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::record::SerialType;
use ringwood_format::varint;

/// r[p3] = the record of p2 registers from p1. `constants` says whether 0 and 1 take no room.
pub(super) fn make_record(mems: &mut [Mem], env: &Env, constants: bool, insn: &Insn) -> Step {
    let (first, count, out) = (insn.p1 as usize, insn.p2 as usize, insn.p3 as usize);
    if let P4::Affinity(letters) | P4::Text(letters) = &insn.p4 {
        for (mem, &letter) in mems[first..first + count].iter_mut().zip(letters.iter()) {
            apply_affinity(mem, letter);
            if letter == Affinity::Real as u8 {
                if let Some(i) = mem.as_int() {
                    mem.set_int_real(i);
                }
            }
        }
    }
    let last = first + count;
    for at in first..last {
        if mems[at].zeros() > 0
            && mems[at + 1..last]
                .iter()
                .any(|mem| !mem.is_null() || mem.byte_len() > 0)
        {
            mems[at].expand();
        }
    }
    let mut record = std::mem::take(&mut mems[out]);
    let zeros = encode(
        &mems[first..last],
        env.facts.encoding,
        constants,
        record.start_bytes(Kind::Blob),
    );
    if record.byte_len() + zeros > env.limits.length {
        return fail(ResultCode::TOOBIG);
    }
    record.set_zeros(zeros);
    mems[out] = record;
    Ok(())
}

/// Appends the record; how many zeros are to follow it.
#[inline]
fn encode(values: &[Mem], encoding: TextEncoding, constants: bool, out: &mut Vec<u8>) -> u64 {
    out.push(0); // the header's size, patched below
    let mut zeros = 0;
    for value in values {
        match value.kind() {
            Kind::Null | Kind::Object => out.push(0),
            Kind::Int => out.push(SerialType::of_integer(value.raw_int(), constants).0 as u8),
            Kind::Real => out.push(7),
            Kind::IntReal => out.push(match SerialType::of_integer(value.raw_int(), constants).0 {
                6 => 7,
                short => short as u8,
            }),
            Kind::Text if encoding.is_utf8() => push_type(out, value.bytes().len() as u64 * 2 + 13),
            Kind::Text => push_type(out, encoding.encoded_len(value.bytes()) as u64 * 2 + 13),
            Kind::Blob => {
                push_type(out, value.byte_len() * 2 + 12);
                zeros = value.zeros();
            }
        }
    }
    let header = out.len();
    if header < 0x80 {
        out[0] = header as u8;
    } else {
        let mut len = varint::len(header as u64);
        if varint::len((header - 1 + len) as u64) > len {
            len += 1;
        }
        let mut size = [0; varint::VARINT_LEN_MAX];
        varint::write(&mut size, (header - 1 + len) as u64);
        out.splice(..1, size[..len].iter().copied());
    }
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

#[inline]
fn push_type(out: &mut Vec<u8>, kind: u64) {
    if kind < 0x80 {
        out.push(kind as u8);
    } else {
        varint::push(out, kind);
    }
}

#[inline]
fn push_integer(out: &mut Vec<u8>, i: i64, constants: bool) {
    let size = SerialType::of_integer(i, constants).size() as usize;
    out.extend_from_slice(&i.to_be_bytes()[8 - size..]);
}
