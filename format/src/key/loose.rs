//! The comparison of a search key with a record that makes no sense, as SQLite makes it.
//!
//! A column is looked at no further than its order asks: a type may decide where the body is cut off, and where a number
//! is sought only the type's first byte counts. Numbers go on behind the record, on the page. So a search on a damaged index goes
//! the way that SQLite's goes, and ends in an error where that does.
//!
//! Source: SQLite's `sqlite3VdbeRecordCompareWithSkip`.

use super::{First, UnpackedKey, compare_column, is_null};
use crate::corrupt::Corrupt;
use crate::record::{SerialType, decode_integer};
use crate::value::ValueRef;
use crate::varint;
use std::cmp::Ordering;

/// The most columns of an index whose first column SQLite compares by a shortcut.
const SHORTCUT_COLUMNS_MAX: usize = 13;

/// Orders the record relative to the key, as a search does: the first `size` of `bytes`, which go on behind it to the end
/// of the page. For records that [`compare_record`](super::compare_record) does not want.
///
/// # Errors
/// If a text or blob that had to be looked at, or the header, is cut off.
#[cold]
pub fn search_record_loosely(
    bytes: &[u8],
    size: usize,
    key: &UnpackedKey<'_>,
) -> Result<Ordering, Corrupt> {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    if key.info.columns.len() > SHORTCUT_COLUMNS_MAX {
        return compare_record_loosely(bytes, size, key);
    }
    let first = match key.first {
        First::Integer(wanted) => {
            let serial = SerialType(u32::from(byte(1)));
            if !matches!(serial.0, 1..=6 | 8 | 9) {
                return compare_record_loosely(bytes, size, key);
            }
            let mut short = [0; 8];
            let at = usize::from(byte(0) & 0x3f);
            let content = content(bytes, size, serial, at, &mut short).unwrap_or_default();
            match serial.0 {
                8 => 0.cmp(&wanted),
                9 => 1.cmp(&wanted),
                _ => decode_integer(content).cmp(&wanted),
            }
        }
        First::BinaryText(wanted) => {
            let serial = SerialType(varint_at(bytes, 1).0);
            if serial.0 < 12 {
                Ordering::Less
            } else if !serial.is_text() {
                Ordering::Greater
            } else {
                let mut short = [0; 8];
                let at = usize::from(byte(0));
                let content = content(bytes, size, serial, at, &mut short);
                content.ok_or(TOO_LONG)?.cmp(wanted)
            }
        }
        First::Real(_) | First::General => return compare_record_loosely(bytes, size, key),
    };
    match first {
        Ordering::Less => Ok(key.less),
        Ordering::Greater => Ok(key.less.reverse()),
        Ordering::Equal if key.values.len() == 1 => Ok(key.default),
        Ordering::Equal => {
            let (serial, at) = varint_at(bytes, 1);
            let header = u32::from(byte(0));
            let body = header as usize + SerialType(serial).size() as usize;
            compare_columns(bytes, size, key, 1, (header, at, body))
        }
    }
}

const TOO_LONG: Corrupt = Corrupt {
    page: None,
    reason: "record is longer than its payload",
};

/// The same where no search is made, but an entry is looked at again.
///
/// # Errors
/// As [`search_record_loosely`].
#[cold]
pub fn compare_record_loosely(
    bytes: &[u8],
    size: usize,
    key: &UnpackedKey<'_>,
) -> Result<Ordering, Corrupt> {
    let (header, at) = varint_at(bytes, 0);
    compare_columns(bytes, size, key, 0, (header, at, header as usize))
}

/// Compares columns from `skip` on; those before are known to be equal. Behind them are the next type and the next body.
fn compare_columns(
    bytes: &[u8],
    size: usize,
    key: &UnpackedKey<'_>,
    skip: usize,
    (header, mut at, mut body): (u32, usize, usize),
) -> Result<Ordering, Corrupt> {
    if body > size {
        return Err(Corrupt::new("record header is cut off"));
    }
    let columns = key.values.iter().zip(&key.info.columns);
    for (n, (wanted, column)) in columns.enumerate().skip(skip) {
        let first = bytes.get(at).copied().unwrap_or(0);
        let serial = match wanted {
            ValueRef::Text(_) | ValueRef::Blob(_) => SerialType(varint_at(bytes, at).0),
            _ => SerialType(u32::from(first)),
        };
        let by_type = match wanted {
            ValueRef::Null => None,
            ValueRef::Integer(_) | ValueRef::Real(_) => match serial.0 {
                0 | 10 => Some(Ordering::Less),
                11.. => Some(Ordering::Greater),
                _ => None,
            },
            ValueRef::Text(_) if serial.0 >= 12 && !serial.is_text() => Some(Ordering::Greater),
            ValueRef::Text(_) if serial.0 < 12 => Some(Ordering::Less),
            ValueRef::Blob(_) if serial.0 < 12 || serial.is_text() => Some(Ordering::Less),
            _ => None,
        };
        let order = match (by_type, wanted) {
            (Some(order), _) => column.direct(order, serial.is_null()),
            (None, ValueRef::Null) => {
                if serial.is_null() || is_null_real(bytes, serial, body) {
                    Ordering::Equal
                } else {
                    column.direct(Ordering::Greater, true)
                }
            }
            (None, _) => {
                let mut short = [0; 8];
                let Some(content) = content(bytes, size, serial, body, &mut short) else {
                    return Err(TOO_LONG);
                };
                let encoding = key.info.encoding;
                let order = compare_column(serial, content, *wanted, &column.collation, encoding);
                column.direct(order, is_null(serial, content))
            }
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
        if n + 1 == key.values.len() {
            break;
        }
        body += serial.size() as usize;
        if body > size {
            break;
        }
        at += varint_len(serial.0);
        if at >= header as usize {
            return Err(Corrupt::new("record has too few columns"));
        }
    }
    Ok(key.default)
}

/// A column's content: of a number the bytes that are there and zeros, of a text or blob all of it or nothing.
fn content<'a>(
    bytes: &'a [u8],
    record_size: usize,
    serial: SerialType,
    at: usize,
    short: &'a mut [u8; 8],
) -> Option<&'a [u8]> {
    let size = serial.size() as usize;
    let end = at.checked_add(size)?;
    if serial.0 >= 12 {
        return bytes.get(at..end).filter(|_| end <= record_size);
    }
    if let Some(content) = bytes.get(at..end) {
        return Some(content);
    }
    let there = bytes.get(at..).unwrap_or_default();
    short[..there.len()].copy_from_slice(there);
    Some(&short[..size])
}

fn is_null_real(bytes: &[u8], serial: SerialType, at: usize) -> bool {
    let mut short = [0; 8];
    let content = content(bytes, bytes.len(), serial, at, &mut short);
    content.is_some_and(|content| is_null(serial, content))
}

fn varint_at(bytes: &[u8], at: usize) -> (u32, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some((value, len)) = varint::read_u32(rest) {
        return (value, at + len);
    }
    let mut padded = [0; varint::VARINT_LEN_MAX];
    let there = rest.len().min(padded.len());
    padded[..there].copy_from_slice(&rest[..there]);
    let (value, len) = varint::read_u32(&padded).unwrap_or((0, 1));
    (value, at + len)
}

/// Bytes of the shortest varint of that value, whatever the record has.
const fn varint_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}
