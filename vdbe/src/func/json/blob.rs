//! JSONB: JSON as bytes.
//!
//! ```text
//!   element = header, payload       header: high 4 bits  size            low 4 bits  kind
//!                                           0–11         that size       0 null  1 true  2 false
//!                                           12           1 byte follows  3 int  4 int, JSON5  5 float  6 float, JSON5
//!                                           13           2 bytes         7 text  8 with JSON escapes
//!                                           14           4 bytes         9 with JSON5 escapes  10 to be escaped
//!                                           15           8 bytes         11 array  12 object
//! ```
//!
//! Rules:
//! 1. A size is big-endian and need not be minimal. New headers are minimal, except where one is stretched so that what
//!    follows stays in place.
//! 2. The payload of an array is its elements; that of an object labels and values in turn, labels being texts.
//! 3. Blobs come from the application: everything that is read is checked against the blob's end. [`check`] tells
//!    whether a blob is well-formed throughout.
//!
//! Source: SQLite's `jsonbPayloadSize`, `jsonBlobAppendNode`, `jsonBlobChangePayloadSize`, `jsonBlobOverwrite`,
//! `jsonbValidityCheck`; "The SQLite JSONB Format".

use super::escape::{is_hex4, unescape};
use super::{DEPTH_MAX, is_plain};

pub(super) const NULL: u8 = 0;
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const INT: u8 = 3;
pub(super) const INT5: u8 = 4;
pub(super) const FLOAT: u8 = 5;
pub(super) const FLOAT5: u8 = 6;
pub(super) const TEXT: u8 = 7;
pub(super) const TEXTJ: u8 = 8;
pub(super) const TEXT5: u8 = 9;
pub(super) const TEXTRAW: u8 = 10;
pub(super) const ARRAY: u8 = 11;
pub(super) const OBJECT: u8 = 12;

/// What a kind is called.
pub(super) const NAMES: [&str; 16] = [
    "null", "true", "false", "integer", "integer", "real", "real", "text", "text", "text", "text",
    "array", "object", "", "", "",
];

/// Where an element's payload starts, counted from the element, and its size.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Header {
    pub len: usize,
    pub size: usize,
}

impl Header {
    /// The size of the whole element.
    pub fn whole(self) -> usize {
        self.len + self.size
    }
}

/// The kind of the element at `at`; 15, which is none, behind the end.
#[inline]
pub(super) fn kind(blob: &[u8], at: usize) -> u8 {
    blob.get(at).map_or(15, |byte| byte & 15)
}

/// Whether a kind is a label's.
#[inline]
pub(super) fn is_text(kind: u8) -> bool {
    (TEXT..=TEXTRAW).contains(&kind)
}

/// Reads a header, without a look at whether the payload is there.
#[inline]
pub(super) fn raw_header(blob: &[u8], at: usize) -> Option<Header> {
    let first = *blob.get(at)?;
    let width = match first >> 4 {
        size @ 0..=11 => {
            return Some(Header {
                len: 1,
                size: usize::from(size),
            });
        }
        12 => 1,
        13 => 2,
        14 => 4,
        _ => 8,
    };
    let bytes = blob.get(at + 1..at + 1 + width)?;
    let size = bytes.iter().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
    let size = usize::try_from(size)
        .ok()
        .filter(|size| u32::try_from(*size).is_ok())?;
    Some(Header {
        len: 1 + width,
        size,
    })
}

/// Reads the header of an element that ends at `end` or before.
#[inline]
pub(super) fn header_within(blob: &[u8], at: usize, end: usize) -> Option<Header> {
    raw_header(blob, at).filter(|header| at + header.whole() <= end)
}

/// Reads the header of an element that lies in the blob.
#[inline]
pub(super) fn header(blob: &[u8], at: usize) -> Option<Header> {
    header_within(blob, at, blob.len())
}

/// Appends a header for a payload that follows.
pub(super) fn push_header(kind: u8, size: usize, out: &mut Vec<u8>) {
    match size {
        0..=11 => out.push(kind | (size as u8) << 4),
        12..=0xff => out.extend_from_slice(&[kind | 0xc0, size as u8]),
        0x100..=0xffff => {
            out.push(kind | 0xd0);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        _ => {
            out.push(kind | 0xe0);
            out.extend_from_slice(&(size as u32).to_be_bytes());
        }
    }
}

/// Appends an element.
pub(super) fn push_node(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    push_header(kind, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Gives the element at `at` a minimal header for that size; by how many bytes the blob grew.
pub(super) fn resize(blob: &mut Vec<u8>, at: usize, size: usize) -> i64 {
    let Some(old) = raw_header(blob, at) else {
        return 0;
    };
    let mut new = Vec::with_capacity(5);
    push_header(blob[at] & 15, size, &mut new);
    if new.len() == old.len {
        blob[at..at + old.len].copy_from_slice(&new);
        return 0;
    }
    let grown = new.len() as i64 - old.len as i64;
    blob.splice(at..at + old.len, new);
    grown
}

/// The element `new` with a longer header, so that it takes `more` bytes (1 to 8) more; none if there is no such header.
pub(super) fn stretched(new: &[u8], more: usize) -> Option<Vec<u8>> {
    if kind(new, 0) <= FALSE {
        return None;
    }
    let old = raw_header(new, 0)?.len;
    let width = match old + more {
        2 => 0xc0,
        3 => 0xd0,
        5 => 0xe0,
        9 => 0xf0,
        _ => return None,
    };
    let size = (new.len() - old) as u64;
    let mut out = Vec::with_capacity(new.len() + more);
    out.push(kind(new, 0) | width);
    out.extend_from_slice(&size.to_be_bytes()[9 - old - more..]);
    out.extend_from_slice(&new[old..]);
    Some(out)
}

/// How many elements the array at `at` has.
pub(super) fn array_length(blob: &[u8], at: usize) -> usize {
    let Some(array) = header(blob, at) else {
        return 0;
    };
    let end = at + array.whole();
    let mut next = at + array.len;
    let mut count = 0;
    while next < end {
        count += 1;
        match header(blob, next) {
            Some(element) => next += element.whole(),
            None => break,
        }
    }
    count
}

/// Checks the element from `at` to `end` (rule 3): 0, or the position of the first error, from 1.
pub(super) fn check(blob: &[u8], at: usize, end: usize, depth: u32) -> usize {
    if depth > DEPTH_MAX {
        return at + 1;
    }
    let Some(head) = header_within(blob, at, end).filter(|head| at + head.whole() == end) else {
        return at + 1;
    };
    let start = at + head.len;
    let payload = &blob[start..end];
    let error = |found: Result<(), usize>| found.err().map_or(0, |offset| start + offset + 1);
    match kind(blob, at) {
        NULL | TRUE | FALSE => {
            if head.whole() == 1 {
                0
            } else {
                at + 1
            }
        }
        INT => {
            let digits = payload.strip_prefix(b"-").unwrap_or(payload);
            if digits.is_empty() {
                return at + 1;
            }
            let skipped = payload.len() - digits.len();
            error(first_not(digits, u8::is_ascii_digit).map_err(|i| i + skipped))
        }
        INT5 => {
            let digits = payload.strip_prefix(b"-").unwrap_or(payload);
            let skipped = payload.len() - digits.len();
            match digits {
                [] | [_] | [_, _] => at + 1,
                [b'0', b'x' | b'X', hex @ ..] => {
                    error(first_not(hex, u8::is_ascii_hexdigit).map_err(|i| i + skipped + 2))
                }
                [b'0', ..] => start + skipped + 2,
                _ => at + 1,
            }
        }
        FLOAT | FLOAT5 => match check_float(payload, kind(blob, at) == FLOAT) {
            Ok(()) => 0,
            Err(None) => at + 1,
            Err(Some(offset)) => start + offset + 1,
        },
        TEXT => error(first_not(payload, |&byte| is_plain(byte) || byte == b'\'')),
        kind @ (TEXTJ | TEXT5) => error(check_text(payload, kind == TEXT5)),
        TEXTRAW => 0,
        kind @ (ARRAY | OBJECT) => {
            let mut next = start;
            let mut count = 0;
            while next < end {
                let Some(element) = header_within(blob, next, end) else {
                    return next + 1;
                };
                if kind == OBJECT && count % 2 == 0 && !is_text(blob[next] & 15) {
                    return next + 1;
                }
                let found = check(blob, next, next + element.whole(), depth + 1);
                if found > 0 {
                    return found;
                }
                count += 1;
                next += element.whole();
            }
            if kind == OBJECT && count % 2 != 0 {
                next + 1
            } else {
                0
            }
        }
        _ => at + 1,
    }
}

fn first_not(bytes: &[u8], wanted: impl Fn(&u8) -> bool) -> Result<(), usize> {
    match bytes.iter().position(|byte| !wanted(byte)) {
        Some(at) => Err(at),
        None => Ok(()),
    }
}

/// None is an error of the whole element.
fn check_float(z: &[u8], is_canonical: bool) -> Result<(), Option<usize>> {
    let at = |i: usize| z.get(i).copied().unwrap_or(0);
    let mut j = usize::from(at(0) == b'-');
    if z.len() < 2 + j {
        return Err(None);
    }
    // 1 behind the point, 2 behind the exponent's letter.
    let mut seen = 0;
    if at(j) == b'.' {
        if is_canonical || !at(j + 1).is_ascii_digit() {
            return Err(Some(j));
        }
        j += 2;
        seen = 1;
    } else if at(j) == b'0' && is_canonical {
        if j + 3 > z.len() || !matches!(at(j + 1), b'.' | b'e' | b'E') {
            return Err(Some(j));
        }
        j += 1;
    }
    while j < z.len() {
        match at(j) {
            b'0'..=b'9' => {}
            b'.' => {
                if seen > 0 || (is_canonical && !at(j + 1).is_ascii_digit()) {
                    return Err(Some(j));
                }
                seen = 1;
            }
            b'e' | b'E' => {
                if seen == 2 || j + 1 == z.len() {
                    return Err(Some(j));
                }
                if matches!(at(j + 1), b'+' | b'-') {
                    j += 1;
                    if j + 1 == z.len() {
                        return Err(Some(j));
                    }
                }
                seen = 2;
            }
            _ => return Err(Some(j)),
        }
        j += 1;
    }
    if seen == 0 { Err(None) } else { Ok(()) }
}

fn check_text(z: &[u8], is_json5: bool) -> Result<(), usize> {
    let mut j = 0;
    while j < z.len() {
        match z[j] {
            byte if is_plain(byte) || byte == b'\'' => {}
            b'"' | 0..0x20 if is_json5 => {}
            b'\\' if j + 1 < z.len() => match z[j + 1] {
                // SQLite finds these with strchr, which finds a NUL too.
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | 0 => j += 1,
                b'u' => {
                    if j + 5 >= z.len() || !is_hex4(&z[j + 2..]) {
                        return Err(j);
                    }
                    j += 1;
                }
                _ if is_json5 => {
                    let (c, length) = unescape(&z[j..]);
                    if c.is_none() {
                        return Err(j);
                    }
                    j += length - 1;
                }
                _ => return Err(j),
            },
            _ => return Err(j),
        }
        j += 1;
    }
    Ok(())
}
