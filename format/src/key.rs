//! Keys: how index entries and sorter rows are ordered, compared in their serialized form.
//!
//! Rules:
//! 1. Columns are compared left to right by value and collation, NULL first; DESC turns a column's order around.
//! 2. `big_null` (ORDER BY … NULLS LAST ascending, NULLS FIRST descending) makes NULL larger than everything, before
//!    DESC is applied to the rest.
//! 3. A search key may have fewer columns than the record, or the record fewer than the key; where all that both have
//!    are equal, the answer is the key's `default`, which says on which side of its equals a seek wants to land.
//! 4. Orderings are those of the *record* relative to the *key*.
//! 5. In a UTF-16 database `BINARY` compares the stored bytes; other collations see UTF-8.
//!
//! Cost: comparing with an integer first column takes about 20 instructions, with a binary text about 30 and the
//! `memcmp`; other keys walk the record header and compare column by column without allocation (a UTF-16 text under
//! a collation other than `BINARY` is transcoded into a buffer).
//!
//! Source: SQLite's `sqlite3VdbeRecordCompare`, `vdbeRecordCompareInt`, `vdbeRecordCompareString`,
//! `sqlite3VdbeIdxRowid`.

use crate::collation::Collation;
use crate::corrupt::Corrupt;
use crate::encoding::{TextEncoding, compare_stored};
use crate::record::{RECORD_HEADER_SIZE_MAX, SerialType, decode_integer};
use crate::value::{ValueRef, compare_int_real, compare_reals};
use crate::varint;
use std::cmp::Ordering;

/// How one column of a key is ordered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyColumn {
    /// The order of its texts.
    pub collation: Collation,
    /// Whether the column descends.
    pub desc: bool,
    /// Whether NULL is the largest value instead of the smallest (rule 2).
    pub big_null: bool,
}

/// How the keys of an index or a sorter are ordered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyInfo {
    /// The key columns in order; a record may have more columns behind them.
    pub columns: Vec<KeyColumn>,
    /// The encoding of texts in the records.
    pub encoding: TextEncoding,
}

impl KeyInfo {
    /// `count` ascending `BINARY` columns.
    pub fn binary(count: usize, encoding: TextEncoding) -> KeyInfo {
        KeyInfo {
            columns: vec![KeyColumn::default(); count],
            encoding,
        }
    }
}

impl KeyColumn {
    /// Applies DESC and `big_null` to the plain order of two values, one of which is NULL if `has_null`.
    #[inline]
    fn direct(&self, order: Ordering, has_null: bool) -> Ordering {
        let flip = if self.big_null {
            self.desc != has_null
        } else {
            self.desc
        };
        if flip { order.reverse() } else { order }
    }
}

/// What a specialised comparison may assume of a key's first column.
#[derive(Clone, Copy, PartialEq, Debug)]
enum First<'a> {
    Integer(i64),
    BinaryText(&'a [u8]),
    General,
}

/// A search key: values to be compared with serialized records.
#[derive(Clone, Copy, Debug)]
pub struct UnpackedKey<'a> {
    values: &'a [ValueRef<'a>],
    info: &'a KeyInfo,
    default: Ordering,
    first: First<'a>,
    /// What the specialised comparisons answer for a record whose first column is less (DESC turns it around).
    less: Ordering,
}

impl<'a> UnpackedKey<'a> {
    /// A key of `values`, the first columns of `info`; `default` is the answer where all columns are equal (rule 3).
    ///
    /// # Panics
    /// If there are more values than columns.
    #[inline]
    pub fn new(
        values: &'a [ValueRef<'a>],
        info: &'a KeyInfo,
        default: Ordering,
    ) -> UnpackedKey<'a> {
        assert!(values.len() <= info.columns.len());
        let mut key = UnpackedKey {
            values,
            info,
            default,
            first: First::General,
            less: Ordering::Less,
        };
        if let (Some(value), Some(column)) = (values.first(), info.columns.first()) {
            if column.desc {
                key.less = Ordering::Greater;
            }
            key.first = match *value {
                ValueRef::Integer(i) if !column.big_null => First::Integer(i),
                ValueRef::Text(text)
                    if !column.big_null
                        && column.collation.is_binary()
                        && info.encoding.is_utf8() =>
                {
                    First::BinaryText(text)
                }
                _ => First::General,
            };
        }
        key
    }

    /// The same key with another answer for equality.
    #[inline]
    #[must_use]
    pub fn with_default(self, default: Ordering) -> UnpackedKey<'a> {
        UnpackedKey { default, ..self }
    }

    /// The values.
    #[inline]
    pub const fn values(&self) -> &'a [ValueRef<'a>] {
        self.values
    }

    /// How they are ordered.
    #[inline]
    pub const fn info(&self) -> &'a KeyInfo {
        self.info
    }

    /// The answer where all columns are equal.
    #[inline]
    pub const fn default(&self) -> Ordering {
        self.default
    }
}

/// Orders the record in `payload` relative to `key` (rules 3, 4).
///
/// # Errors
/// If the columns that had to be looked at are malformed.
#[inline]
pub fn compare_record(payload: &[u8], key: &UnpackedKey<'_>) -> Result<Ordering, Corrupt> {
    match key.first {
        First::Integer(i) => compare_integer_first(payload, key, i),
        First::BinaryText(text) => compare_text_first(payload, key, text),
        First::General => compare_from(payload, key, 0),
    }
}

fn compare_integer_first(
    payload: &[u8],
    key: &UnpackedKey<'_>,
    wanted: i64,
) -> Result<Ordering, Corrupt> {
    // One-byte header size, one-byte serial type of an integer: everything else goes the long way.
    let [header, serial, ..] = *payload else {
        return compare_from(payload, key, 0);
    };
    let Some(body) = payload.get(header as usize..) else {
        return compare_from(payload, key, 0);
    };
    if header & 0x80 != 0 || header < 2 {
        return compare_from(payload, key, 0);
    }
    let found = match (serial, body) {
        (1, [a, ..]) => *a as i8 as i64,
        (2, [a, b, ..]) => i16::from_be_bytes([*a, *b]) as i64,
        (3, [a, b, c, ..]) => (i32::from_be_bytes([*a, *b, *c, 0]) >> 8) as i64,
        (4, [a, b, c, d, ..]) => i32::from_be_bytes([*a, *b, *c, *d]) as i64,
        (5, [a, b, c, d, e, f, ..]) => i64::from_be_bytes([*a, *b, *c, *d, *e, *f, 0, 0]) >> 16,
        (6, [a, b, c, d, e, f, g, h, ..]) => i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        (8, _) => 0,
        (9, _) => 1,
        _ => return compare_from(payload, key, 0),
    };
    match found.cmp(&wanted) {
        Ordering::Less => Ok(key.less),
        Ordering::Greater => Ok(key.less.reverse()),
        Ordering::Equal if key.values.len() > 1 => compare_from(payload, key, 1),
        Ordering::Equal => Ok(key.default),
    }
}

fn compare_text_first(
    payload: &[u8],
    key: &UnpackedKey<'_>,
    wanted: &[u8],
) -> Result<Ordering, Corrupt> {
    let header = match payload.first() {
        Some(&header) if header & 0x80 == 0 && header >= 2 => header as usize,
        _ => return compare_from(payload, key, 0),
    };
    let Some((serial, _)) = varint::read_u32(&payload[1..]) else {
        return compare_from(payload, key, 0);
    };
    let serial = SerialType(serial);
    let order = if serial.is_text() {
        match payload.get(header..header + serial.size() as usize) {
            Some(found) => found.cmp(wanted),
            None => return Err(Corrupt::new("record is longer than its payload")),
        }
    } else if serial.0 < 12 {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    match order {
        Ordering::Less => Ok(key.less),
        Ordering::Greater => Ok(key.less.reverse()),
        Ordering::Equal if key.values.len() > 1 => compare_from(payload, key, 1),
        Ordering::Equal => Ok(key.default),
    }
}

/// Compares columns from `skip` on; those before are known to be equal.
fn compare_from(payload: &[u8], key: &UnpackedKey<'_>, skip: usize) -> Result<Ordering, Corrupt> {
    let mut columns = Columns::new(payload)?;
    for _ in 0..skip {
        columns.next()?;
    }
    let compared = key.values.iter().zip(&key.info.columns).skip(skip);
    for (wanted, column) in compared {
        let Some((serial, body)) = columns.next()? else {
            break;
        };
        let found = serial.decode(body)?;
        let order = compare_found(found, *wanted, &column.collation, key.info.encoding);
        if order != Ordering::Equal {
            return Ok(column.direct(order, found.is_null() || wanted.is_null()));
        }
    }
    Ok(key.default)
}

/// Orders a stored value, whose text is in `encoding`, against one in memory.
#[inline]
fn compare_found(
    found: ValueRef<'_>,
    wanted: ValueRef<'_>,
    collation: &Collation,
    encoding: TextEncoding,
) -> Ordering {
    match (found, wanted) {
        (ValueRef::Text(found), ValueRef::Text(wanted)) => {
            if encoding.is_utf8() {
                collation.compare(found, wanted)
            } else if collation.is_binary() {
                compare_stored(found, wanted, encoding)
            } else {
                let mut utf8 = Vec::with_capacity(found.len());
                encoding.decode(found, &mut utf8);
                collation.compare(&utf8, wanted)
            }
        }
        _ => compare_untexts(found, wanted),
    }
}

/// Orders values that are not both text.
#[inline]
fn compare_untexts(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Real(a), ValueRef::Real(b)) => compare_reals(a, b),
        (ValueRef::Integer(a), ValueRef::Real(b)) => compare_int_real(a, b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => compare_int_real(b, a).reverse(),
        (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        _ => class(a).cmp(&class(b)),
    }
}

#[inline]
const fn class(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    }
}

/// Orders two records by the key columns of `info`; columns behind those do not count. Where one record has fewer
/// columns and they are equal so far, the records are equal.
///
/// # Errors
/// If the columns that had to be looked at are malformed.
pub fn compare_records(a: &[u8], b: &[u8], info: &KeyInfo) -> Result<Ordering, Corrupt> {
    let (mut left, mut right) = (Columns::new(a)?, Columns::new(b)?);
    for column in &info.columns {
        let (Some((x, x_body)), Some((y, y_body))) = (left.next()?, right.next()?) else {
            break;
        };
        let order = compare_stored_values(x, x_body, y, y_body, &column.collation, info.encoding)?;
        if order != Ordering::Equal {
            return Ok(column.direct(order, x.is_null() || y.is_null()));
        }
    }
    Ok(Ordering::Equal)
}

#[inline]
fn compare_stored_values(
    a: SerialType,
    a_body: &[u8],
    b: SerialType,
    b_body: &[u8],
    collation: &Collation,
    encoding: TextEncoding,
) -> Result<Ordering, Corrupt> {
    if matches!(a.0, 1..=6) && matches!(b.0, 1..=6) {
        return Ok(decode_integer(a_body).cmp(&decode_integer(b_body)));
    }
    let (x, y) = (a.decode(a_body)?, b.decode(b_body)?);
    let (ValueRef::Text(s), ValueRef::Text(t)) = (x, y) else {
        return Ok(compare_untexts(x, y));
    };
    if collation.is_binary() || encoding.is_utf8() {
        return Ok(collation.compare(s, t));
    }
    let (mut s_utf8, mut t_utf8) = (Vec::with_capacity(s.len()), Vec::with_capacity(t.len()));
    encoding.decode(s, &mut s_utf8);
    encoding.decode(t, &mut t_utf8);
    Ok(collation.compare(&s_utf8, &t_utf8))
}

/// A walk over a record's columns that stops wherever the comparison does.
struct Columns<'a> {
    payload: &'a [u8],
    next: usize,
    header: usize,
    body: usize,
}

impl<'a> Columns<'a> {
    #[inline]
    fn new(payload: &'a [u8]) -> Result<Columns<'a>, Corrupt> {
        match varint::read_u32(payload) {
            Some((size, len)) if (size as usize) <= payload.len().min(RECORD_HEADER_SIZE_MAX) => {
                Ok(Columns {
                    payload,
                    next: len,
                    header: size as usize,
                    body: size as usize,
                })
            }
            _ => Err(Corrupt::new("record header is cut off")),
        }
    }

    /// The next column, `None` at the end of the header.
    #[inline]
    fn next(&mut self) -> Result<Option<(SerialType, &'a [u8])>, Corrupt> {
        if self.next >= self.header {
            return Ok(None);
        }
        let Some((serial, len)) = varint::read_u32(&self.payload[self.next..self.header]) else {
            return Err(Corrupt::new("record header is cut off"));
        };
        self.next += len;
        let serial = SerialType(serial);
        let end = self.body + serial.size() as usize;
        let Some(body) = self.payload.get(self.body..end) else {
            return Err(Corrupt::new("record is longer than its payload"));
        };
        self.body = end;
        Ok(Some((serial, body)))
    }
}

/// The rowid at the end of an index record.
///
/// # Errors
/// If the record is malformed or its last column is no integer.
pub fn index_rowid(payload: &[u8]) -> Result<i64, Corrupt> {
    let bad = || Corrupt::new("index entry does not end with a rowid");
    let (header, _) = varint::read_u32(payload).ok_or_else(bad)?;
    let header = header as usize;
    if header < 3 || header > payload.len() {
        return Err(bad());
    }
    // The serial type of an integer is one byte, the last one of the header.
    match payload[header - 1] {
        8 => Ok(0),
        9 => Ok(1),
        serial @ 1..=6 => {
            let size = SerialType(serial as u32).size() as usize;
            if payload.len() < header + size {
                return Err(bad());
            }
            Ok(decode_integer(&payload[payload.len() - size..]))
        }
        _ => Err(bad()),
    }
}
