//! Keys: how index entries and sorter rows are ordered, compared in their serialized form.
//!
//! Rules:
//! 1. Columns are compared left to right by value and collation, NULL first; DESC turns a column's order around.
//! 2. `big_null` (ORDER BY … NULLS LAST ascending, NULLS FIRST descending) makes NULL larger than everything, before
//!    DESC is applied to the rest.
//! 3. A search key may have fewer columns than the record; where all of them are equal, the answer is the key's `default`,
//!    which says on which side of its equals a seek wants to land. A record that ends before that is corrupt; of two
//!    records, one may end before the other.
//! 4. Orderings are those of the *record* relative to the *key*.
//! 5. In a UTF-16 database `BINARY` compares the stored bytes; other collations see UTF-8.
//!
//! Cost, in instructions: a record against an integer about 50, against a binary text of 18 bytes about 90 with the
//! `memcmp`, each further column about 70; two records by a first integer about 95, by a first text about 170. Nothing is
//! allocated, but that a UTF-16 text under a collation other than `BINARY` is transcoded into a buffer.
//!
//! Source: SQLite's `sqlite3VdbeRecordCompare`, `vdbeRecordCompareInt`, `vdbeRecordCompareString`,
//! `sqlite3VdbeIdxRowid`.

mod loose;

pub use loose::{compare_record_loosely, search_record_loosely};

use crate::collation::Collation;
use crate::corrupt::Corrupt;
use crate::encoding::{TextEncoding, compare_stored};
use crate::record::{RECORD_HEADER_SIZE_MAX, SerialType, decode_integer, read_serial};
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
    /// How many of the last columns entries may be searched by although those before them tell any two entries apart: the
    /// rowid or primary key behind the columns of a UNIQUE index of NOT NULL columns (SQLite's nAllField - nKeyField).
    pub behind: usize,
    /// The encoding of texts in the records.
    pub encoding: TextEncoding,
}

impl KeyInfo {
    /// `count` ascending `BINARY` columns.
    pub fn binary(count: usize, encoding: TextEncoding) -> KeyInfo {
        KeyInfo {
            columns: vec![KeyColumn::default(); count],
            behind: 0,
            encoding,
        }
    }

    /// The columns that tell any two entries apart.
    #[inline]
    pub fn unique_columns(&self) -> &[KeyColumn] {
        &self.columns[..self.columns.len() - self.behind]
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
    Real(f64),
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
                ValueRef::Real(r) if !column.big_null => First::Real(r),
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

    /// The integer that its first column is, and the order of a record whose first column is a smaller number: what a
    /// search on a page compares with [`integer_on_page`]. `None` for other keys.
    #[inline]
    pub const fn first_integer(&self) -> Option<(i64, Ordering)> {
        match self.first {
            First::Integer(i) => Some((i, self.less)),
            _ => None,
        }
    }
}

/// The sizes of integers by serial type; of other types more than a short record has.
const INTEGER_SIZES: [u8; 256] = {
    let mut sizes = [0xff; 256];
    sizes[1] = 1;
    sizes[2] = 2;
    sizes[3] = 3;
    sizes[4] = 4;
    sizes[5] = 6;
    sizes[6] = 8;
    sizes
};

/// The first column of the record whose payload size stands at `page[at]`, if that is an integer of one to eight bytes,
/// and everything before it takes one byte: the cells of most indexes. `None` for others, for records that make no
/// sense, and for those in the last bytes of the page.
#[inline(always)]
pub fn integer_on_page(page: &[u8], at: usize, usable: u32) -> Option<i64> {
    let head = u32::from_be_bytes(*page.get(at..at + 4)?.first_chunk()?);
    let (size, header) = (head >> 24, (head >> 16) & 0xff);
    let body = at + 1 + header as usize;
    let word = i64::from_be_bytes(*page.get(body..body + 8)?.first_chunk()?);
    let len = u32::from(INTEGER_SIZES[(head >> 8) as u8 as usize]);
    let is_whole = size < 0x80 && header >= 2 && header + len <= size && at as u32 + size < usable;
    if !is_whole {
        return None;
    }
    // So the length is at most eight.
    Some(word >> (64 - 8 * len))
}

/// Orders the record in `payload` relative to `key` (rules 3, 4).
///
/// # Errors
/// If the columns that had to be looked at are malformed.
#[inline]
pub fn compare_record(payload: &[u8], key: &UnpackedKey<'_>) -> Result<Ordering, Corrupt> {
    match key.first {
        First::Integer(i) => compare_integer_first(payload, key, i),
        First::Real(r) => compare_real_first(payload, key, r),
        First::BinaryText(text) => compare_text_first(payload, key, text),
        First::General => compare_from(payload, key, 0),
    }
}

#[inline]
fn compare_integer_first(
    payload: &[u8],
    key: &UnpackedKey<'_>,
    wanted: i64,
) -> Result<Ordering, Corrupt> {
    match first_integer(payload) {
        Some(found) => decide(found.cmp(&wanted), payload, key),
        None => compare_from(payload, key, 0),
    }
}

#[inline]
fn compare_real_first(
    payload: &[u8],
    key: &UnpackedKey<'_>,
    wanted: f64,
) -> Result<Ordering, Corrupt> {
    let order = if let Some(found) = first_integer(payload) {
        compare_int_real(found, wanted)
    } else if let Some(found) = first_real(payload) {
        compare_reals(found, wanted)
    } else {
        return compare_from(payload, key, 0);
    };
    decide(order, payload, key)
}

#[inline]
fn compare_text_first(
    payload: &[u8],
    key: &UnpackedKey<'_>,
    wanted: &[u8],
) -> Result<Ordering, Corrupt> {
    match first_text(payload) {
        Some(found) => decide(compare_bytes(found, wanted), payload, key),
        None => compare_from(payload, key, 0),
    }
}

/// The order of two texts by their bytes. Most differ within the first eight, which need no call.
#[inline]
fn compare_bytes(a: &[u8], b: &[u8]) -> Ordering {
    if let (Some((x, a)), Some((y, b))) = (a.split_first_chunk(), b.split_first_chunk()) {
        let order = u64::from_be_bytes(*x).cmp(&u64::from_be_bytes(*y));
        return if order == Ordering::Equal {
            a.cmp(b)
        } else {
            order
        };
    }
    a.cmp(b)
}

/// The answer once the first column has been compared.
#[inline]
fn decide(first: Ordering, payload: &[u8], key: &UnpackedKey<'_>) -> Result<Ordering, Corrupt> {
    match first {
        Ordering::Less => Ok(key.less),
        Ordering::Greater => Ok(key.less.reverse()),
        Ordering::Equal => decide_by_others(payload, key),
    }
}

/// The answer where the first column is equal.
fn decide_by_others(payload: &[u8], key: &UnpackedKey<'_>) -> Result<Ordering, Corrupt> {
    match (key.values, key.info.columns.as_slice()) {
        ([_], _) => Ok(key.default),
        // The rowid at the end of an index entry, most often.
        ([_, ValueRef::Integer(wanted)], [_, column, ..]) if !column.big_null => {
            let Some(found) = second_integer(payload) else {
                return compare_from(payload, key, 1);
            };
            match found.cmp(wanted) {
                Ordering::Equal => Ok(key.default),
                order if column.desc => Ok(order.reverse()),
                order => Ok(order),
            }
        }
        _ => compare_from(payload, key, 1),
    }
}

/// The second column, if it is an integer, and header size and both serial types take one byte each.
#[inline]
fn second_integer(payload: &[u8]) -> Option<i64> {
    let &[header, first, second, ..] = payload else {
        return None;
    };
    if !(3..0x80).contains(&header) || first >= 0x80 {
        return None;
    }
    let body = header as usize + SerialType(u32::from(first)).size() as usize;
    integer_of(second, payload.get(body..)?)
}

/// The first column, if it is an integer and header size and serial type take one byte each.
#[inline]
fn first_integer(payload: &[u8]) -> Option<i64> {
    let &[header, serial, ..] = payload else {
        return None;
    };
    if !(2..0x80).contains(&header) {
        return None;
    }
    integer_of(serial, payload.get(header as usize..)?)
}

/// The integer of that serial type at the start of `body`.
#[inline(always)]
fn integer_of(serial: u8, body: &[u8]) -> Option<i64> {
    Some(match (serial, body) {
        (1, [a, ..]) => *a as i8 as i64,
        (2, [a, b, ..]) => i16::from_be_bytes([*a, *b]) as i64,
        (3, [a, b, c, ..]) => (i32::from_be_bytes([*a, *b, *c, 0]) >> 8) as i64,
        (4, [a, b, c, d, ..]) => i32::from_be_bytes([*a, *b, *c, *d]) as i64,
        (5, [a, b, c, d, e, f, ..]) => i64::from_be_bytes([*a, *b, *c, *d, *e, *f, 0, 0]) >> 16,
        (6, [a, b, c, d, e, f, g, h, ..]) => i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        (8, _) => 0,
        (9, _) => 1,
        _ => return None,
    })
}

/// The first column, if it is a real and the header size takes one byte.
#[inline]
fn first_real(payload: &[u8]) -> Option<f64> {
    let &[header, 7, ..] = payload else {
        return None;
    };
    if !(2..0x80).contains(&header) {
        return None;
    }
    let bytes = payload.get(header as usize..)?.first_chunk()?;
    let real = f64::from_be_bytes(*bytes);
    (!real.is_nan()).then_some(real)
}

/// The first column, if it is text and the header size takes one byte.
#[inline]
fn first_text(payload: &[u8]) -> Option<&[u8]> {
    let &header = payload.first()?;
    if !(2..0x80).contains(&header) {
        return None;
    }
    let (serial, _, size) = read_serial(payload.get(1..header as usize)?)?;
    if !serial.is_text() {
        return None;
    }
    payload.get(header as usize..)?.get(..size as usize)
}

/// Compares columns from `skip` on; those before are known to be equal.
fn compare_from(payload: &[u8], key: &UnpackedKey<'_>, skip: usize) -> Result<Ordering, Corrupt> {
    let mut columns = Columns::new(payload)?;
    for _ in 0..skip {
        columns.next()?;
    }
    for (wanted, column) in key.values[skip..].iter().zip(&key.info.columns[skip..]) {
        let Some((serial, body)) = columns.next()? else {
            return Err(Corrupt::new("record has too few columns"));
        };
        let order = compare_column(serial, body, *wanted, &column.collation, key.info.encoding);
        if order != Ordering::Equal {
            return Ok(column.direct(order, is_null(serial, body) || wanted.is_null()));
        }
    }
    Ok(key.default)
}

/// Orders a stored value, whose text is in `encoding`, against one in memory. `body` has the length of the type.
#[inline]
fn compare_column(
    serial: SerialType,
    body: &[u8],
    wanted: ValueRef<'_>,
    collation: &Collation,
    encoding: TextEncoding,
) -> Ordering {
    match (serial.0, wanted) {
        (1..=6, ValueRef::Integer(wanted)) => decode_integer(body).cmp(&wanted),
        (n, ValueRef::Text(wanted)) if n >= 13 && n & 1 == 1 => {
            if encoding.is_utf8() {
                collation.compare(body, wanted)
            } else if collation.is_binary() {
                compare_stored(body, wanted, encoding)
            } else {
                collation.compare(&transcoded(body, encoding), wanted)
            }
        }
        _ => compare_untexts(serial.decode_exact(body), wanted),
    }
}

#[cold]
fn transcoded(text: &[u8], encoding: TextEncoding) -> Vec<u8> {
    let mut utf8 = Vec::with_capacity(text.len());
    encoding.decode(text, &mut utf8);
    utf8
}

/// Whether a stored value is NULL, a NaN included.
#[inline]
fn is_null(serial: SerialType, body: &[u8]) -> bool {
    serial.is_null() || (serial == SerialType::REAL && serial.decode_exact(body).is_null())
}

/// Orders values that are not both text.
fn compare_untexts(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Real(a), ValueRef::Real(b)) => compare_reals(a, b),
        (ValueRef::Integer(a), ValueRef::Real(b)) => compare_int_real(a, b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => compare_int_real(b, a).reverse(),
        (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        _ => a.class_rank().cmp(&b.class_rank()),
    }
}

/// Orders two records by the key columns of `info`; columns behind those do not count. Where one record has fewer
/// columns and they are equal so far, the records are equal.
///
/// # Errors
/// If the columns that had to be looked at are malformed.
pub fn compare_records(a: &[u8], b: &[u8], info: &KeyInfo) -> Result<Ordering, Corrupt> {
    let Some(first) = info.columns.first() else {
        return Ok(Ordering::Equal);
    };
    // Most sorts are decided by a first column of integers or texts.
    let order = if let (Some(x), Some(y)) = (first_integer(a), first_integer(b)) {
        x.cmp(&y)
    } else if let (Some(x), Some(y)) = (first_text(a), first_text(b))
        && (info.encoding.is_utf8() || first.collation.is_binary())
    {
        first.collation.compare(x, y)
    } else {
        return compare_records_from(a, b, info, 0);
    };
    if order != Ordering::Equal {
        return Ok(first.direct(order, false));
    }
    if info.columns.len() > 1 {
        compare_records_from(a, b, info, 1)
    } else {
        Ok(Ordering::Equal)
    }
}

/// Compares columns from `skip` on; those before are known to be equal.
fn compare_records_from(
    a: &[u8],
    b: &[u8],
    info: &KeyInfo,
    skip: usize,
) -> Result<Ordering, Corrupt> {
    let (mut left, mut right) = (Columns::new(a)?, Columns::new(b)?);
    for _ in 0..skip {
        left.next()?;
        right.next()?;
    }
    for column in &info.columns[skip..] {
        let (Some((x, x_body)), Some((y, y_body))) = (left.next()?, right.next()?) else {
            break;
        };
        let order = compare_stored_values(x, x_body, y, y_body, &column.collation, info.encoding);
        if order != Ordering::Equal {
            return Ok(column.direct(order, is_null(x, x_body) || is_null(y, y_body)));
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
) -> Ordering {
    if matches!(a.0, 1..=6) && matches!(b.0, 1..=6) {
        return decode_integer(a_body).cmp(&decode_integer(b_body));
    }
    if !(a.is_text() && b.is_text()) {
        return compare_untexts(a.decode_exact(a_body), b.decode_exact(b_body));
    }
    if collation.is_binary() || encoding.is_utf8() {
        return collation.compare(a_body, b_body);
    }
    collation.compare(&transcoded(a_body, encoding), &transcoded(b_body, encoding))
}

/// A walk over a record's columns that stops wherever the comparison does: what is left of header and bodies.
struct Columns<'a> {
    header: &'a [u8],
    bodies: &'a [u8],
}

impl<'a> Columns<'a> {
    #[inline]
    fn new(payload: &'a [u8]) -> Result<Columns<'a>, Corrupt> {
        if let Some((size, len)) = varint::read_u32(payload)
            && size as usize <= RECORD_HEADER_SIZE_MAX
            && let Some((header, bodies)) = payload.split_at_checked(size as usize)
        {
            // A header too small for its own size is one without columns.
            return Ok(Columns {
                header: header.get(len..).unwrap_or_default(),
                bodies,
            });
        }
        Err(Corrupt::new("record header is cut off"))
    }

    /// The next column, `None` at the end of the header.
    #[inline]
    fn next(&mut self) -> Result<Option<(SerialType, &'a [u8])>, Corrupt> {
        if self.header.is_empty() {
            return Ok(None);
        }
        let Some((serial, len, size)) = read_serial(self.header) else {
            return Err(Corrupt::new("record header is cut off"));
        };
        let Some((body, bodies)) = self.bodies.split_at_checked(size as usize) else {
            return Err(Corrupt::new("record is longer than its payload"));
        };
        self.header = &self.header[len..];
        self.bodies = bodies;
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
