//! Records: a row or an index key as bytes.
//!
//! ```text
//!  | header size | serial type 0 | serial type 1 | ... | body 0 | body 1 | ...
//!  |<------------------ header size ---------------->|
//! ```
//! Header size and serial types are varints; the header size counts itself.
//!
//! | serial type | body bytes | value |
//! |-------------|------------|-------|
//! | 0           | 0          | NULL |
//! | 1, 2, 3, 4, 5, 6 | 1, 2, 3, 4, 6, 8 | a big-endian two's-complement integer |
//! | 7           | 8          | a big-endian IEEE 754 double; a NaN reads as NULL |
//! | 8, 9        | 0          | the integers 0 and 1 (schema format 4 and later) |
//! | 10, 11      | 0          | reserved: read as NULL |
//! | N ≥ 12 even | (N-12)/2   | a blob |
//! | N ≥ 13 odd  | (N-13)/2   | text in the database's encoding |
//!
//! Rules:
//! 1. A row with fewer values than its table has columns stands for the defaults (or NULL) in the missing ones.
//! 2. Types and offsets are parsed only as far as asked: [`RecordHeader`] resumes where it stopped.
//! 3. Every decoder checks its slice; a record that lies about its lengths is [`Corrupt`].
//!
//! Cost, in instructions: a header about 60 and 23 a column; writing about 60 a value.
//!
//! Source: "Database File Format", section 2.1; SQLite's `OP_MakeRecord` and `OP_Column`.

use crate::corrupt::Corrupt;
use crate::encoding::TextEncoding;
use crate::value::{Value, ValueRef};
use crate::varint;

/// The type and length of one value of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(transparent)]
pub struct SerialType(pub u32);

/// Body bytes of the serial types 0 to 11.
const SMALL_SIZES: [u8; 12] = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0];

/// Body bytes of the serial types that are one byte long.
static BYTE_SIZES: [u8; 128] = {
    let mut sizes = [0; 128];
    let mut serial = 0;
    while serial < 128 {
        sizes[serial as usize] = SerialType(serial).size() as u8;
        serial += 1;
    }
    sizes
};

/// Reads the serial type at the start of a header: it, its length, and the bytes of its body.
#[inline]
pub(crate) fn read_serial(header: &[u8]) -> Option<(SerialType, usize, u32)> {
    let &first = header.first()?;
    if let Some(&size) = BYTE_SIZES.get(first as usize) {
        return Some((SerialType(first as u32), 1, size as u32));
    }
    let (serial, len) = varint::read_u32(header)?;
    let serial = SerialType(serial);
    Some((serial, len, serial.size()))
}

/// The serial type of an integer by the bits of its magnitude.
static INTEGER_TYPES: [u8; 65] = {
    let mut types = [6; 65];
    let mut bits = 0;
    while bits <= 47 {
        types[bits] = match bits {
            0..=7 => 1,
            8..=15 => 2,
            16..=23 => 3,
            24..=31 => 4,
            _ => 5,
        };
        bits += 1;
    }
    types
};

impl SerialType {
    /// NULL.
    pub const NULL: SerialType = SerialType(0);
    /// An eight-byte real.
    pub const REAL: SerialType = SerialType(7);
    /// The integer 0.
    pub const ZERO: SerialType = SerialType(8);
    /// The integer 1.
    pub const ONE: SerialType = SerialType(9);

    /// Bytes of the body.
    #[inline]
    pub const fn size(self) -> u32 {
        if self.0 >= 12 {
            (self.0 - 12) >> 1
        } else {
            SMALL_SIZES[self.0 as usize] as u32
        }
    }

    /// Whether it is text.
    #[inline]
    pub const fn is_text(self) -> bool {
        self.0 >= 13 && self.0 & 1 == 1
    }

    /// Whether it is a blob.
    #[inline]
    pub const fn is_blob(self) -> bool {
        self.0 >= 12 && self.0 & 1 == 0
    }

    /// Whether it reads as NULL.
    #[inline]
    pub const fn is_null(self) -> bool {
        matches!(self.0, 0 | 10 | 11)
    }

    /// The serial type of an integer; with `constants` (schema format 4) 0 and 1 need no body.
    #[inline]
    pub fn of_integer(i: i64, constants: bool) -> SerialType {
        if i >> 1 == 0 && constants {
            return SerialType(8 + i as u32);
        }
        let magnitude = (i ^ (i >> 63)) as u64; // !i for a negative i, which needs as many bits
        SerialType(INTEGER_TYPES[64 - magnitude.leading_zeros() as usize] as u32)
    }

    /// Decodes a value whose text, if it is text, is UTF-8. `body` starts at the value and may go on behind it.
    ///
    /// # Errors
    /// If `body` is shorter than the value.
    #[inline]
    pub fn decode(self, body: &[u8]) -> Result<ValueRef<'_>, Corrupt> {
        match body.get(..self.size() as usize) {
            Some(bytes) => Ok(self.decode_exact(bytes)),
            None => Err(Corrupt::new("value extends past the end of its record")),
        }
    }

    /// Decodes a value whose body is exactly `bytes`.
    #[inline]
    pub(crate) fn decode_exact(self, bytes: &[u8]) -> ValueRef<'_> {
        match self.0 {
            0 | 10 | 11 => ValueRef::Null,
            1..=6 => ValueRef::Integer(decode_integer(bytes)),
            7 => decode_real(bytes),
            8 => ValueRef::Integer(0),
            9 => ValueRef::Integer(1),
            n if n & 1 == 1 => ValueRef::Text(bytes),
            _ => ValueRef::Blob(bytes),
        }
    }

    /// Decodes a value; text of a UTF-16 database is transcoded into `scratch`, which is overwritten.
    ///
    /// # Errors
    /// If `body` is shorter than the value.
    #[inline]
    pub fn decode_into<'a>(
        self,
        body: &'a [u8],
        encoding: TextEncoding,
        scratch: &'a mut Vec<u8>,
    ) -> Result<ValueRef<'a>, Corrupt> {
        match self.decode(body)? {
            ValueRef::Text(text) if !encoding.is_utf8() => {
                scratch.clear();
                encoding.decode(text, scratch);
                Ok(ValueRef::Text(scratch))
            }
            value => Ok(value),
        }
    }

    /// Decodes an owned value.
    ///
    /// # Errors
    /// If `body` is shorter than the value.
    pub fn decode_owned(self, body: &[u8], encoding: TextEncoding) -> Result<Value, Corrupt> {
        match self.decode(body)? {
            ValueRef::Text(text) if !encoding.is_utf8() => {
                let mut out = Vec::with_capacity(text.len());
                encoding.decode(text, &mut out);
                Ok(Value::Text(out))
            }
            value => Ok(value.to_owned()),
        }
    }
}

/// A big-endian two's-complement integer of 1, 2, 3, 4, 6 or 8 bytes.
#[inline]
pub(crate) fn decode_integer(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => a as i8 as i64,
        [a, b] => i16::from_be_bytes([a, b]) as i64,
        [a, b, c] => (i32::from_be_bytes([a, b, c, 0]) >> 8) as i64,
        [a, b, c, d] => i32::from_be_bytes([a, b, c, d]) as i64,
        [a, b, c, d, e, f] => i64::from_be_bytes([a, b, c, d, e, f, 0, 0]) >> 16,
        [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

#[inline]
fn decode_real<'a>(bytes: &[u8]) -> ValueRef<'a> {
    match *bytes {
        [a, b, c, d, e, f, g, h] => ValueRef::real(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => ValueRef::Null,
    }
}

/// How far a record's header has been parsed. Types and offsets go to arrays that the caller keeps, with one entry for
/// each column that the record may have, so that a cursor reuses their memory from row to row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecordHeader {
    /// Size of the header: where the bodies start.
    pub size: u32,
    /// Where the next serial type starts; at least `size` when all are parsed.
    pub next: u32,
    /// Where the next value's body starts; `u32::MAX` also stands for anything beyond.
    pub body: u32,
    /// Columns that have been parsed.
    pub parsed: u32,
}

impl RecordHeader {
    /// Reads the header size of the record at the start of `payload`.
    ///
    /// # Errors
    /// If there is no header size, or it is above 98307, which no record that SQLite writes can reach. A header size
    /// too small for itself is a record without values, as it is to SQLite.
    #[inline]
    pub fn new(payload: &[u8]) -> Result<RecordHeader, Corrupt> {
        let Some((size, len)) = varint::read_u32(payload) else {
            return Err(Corrupt::new("record header is cut off"));
        };
        if size as usize > RECORD_HEADER_SIZE_MAX {
            return Err(Corrupt::new("record header size is impossible"));
        }
        Ok(RecordHeader {
            size,
            next: len as u32,
            body: size,
            parsed: 0,
        })
    }

    /// Whether all serial types have been parsed.
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.next >= self.size
    }

    /// Parses serial types until column `column` is parsed or the header ends; `self.parsed` says which.
    /// Then `types[i]` is the serial type of column i, and its body is `payload[offsets[i]..offsets[i + 1]]`, for all i
    /// below `parsed`. The arrays are left alone between calls on one record.
    ///
    /// `payload` must hold the header (`self.size` bytes); the bodies need not be there. `payload_size` is the size of
    /// the whole record.
    ///
    /// # Errors
    /// If the header is cut off, its last type crosses its end, a body lies beyond `payload_size`, or all bodies
    /// together are shorter than that. What was parsed before stays valid.
    ///
    /// # Panics
    /// If `column` is not below the length of `types`, or `offsets` is not longer than `types`.
    #[inline]
    pub fn parse_to(
        &mut self,
        payload: &[u8],
        payload_size: u32,
        column: usize,
        types: &mut [u32],
        offsets: &mut [u32],
    ) -> Result<(), Corrupt> {
        let parsed = self.parsed as usize;
        if column < parsed {
            return Ok(());
        }
        let Some(mut rest) =
            payload.get(self.next as usize..(self.size as usize).max(self.next as usize))
        else {
            return Err(Corrupt::new("record header is cut off"));
        };
        let types = &mut types[parsed..=column];
        let offsets = &mut offsets[parsed..column + 2];
        let mut body = self.body;
        offsets[0] = body;
        let mut found = 0;
        for (serial_slot, offset_slot) in types.iter_mut().zip(&mut offsets[1..]) {
            let Some((&first, tail)) = rest.split_first() else {
                break;
            };
            let size = match BYTE_SIZES.get(first as usize) {
                Some(&size) => {
                    *serial_slot = first as u32;
                    rest = tail;
                    size as u32
                }
                None => {
                    let Some((serial, len)) = varint::read_u32(rest) else {
                        return Err(Corrupt::new("record header is cut off"));
                    };
                    *serial_slot = serial;
                    rest = &rest[len..];
                    SerialType(serial).size()
                }
            };
            body = body.saturating_add(size);
            *offset_slot = body;
            found += 1;
        }
        if body > payload_size || (rest.is_empty() && body < payload_size && self.size != 0) {
            return Err(Corrupt::new("record and payload differ in length"));
        }
        self.parsed += found;
        self.next = (self.size as usize - rest.len()) as u32;
        self.body = body;
        Ok(())
    }
}

/// The largest header of a record that SQLite accepts: 32767 columns of three bytes each and the size.
pub const RECORD_HEADER_SIZE_MAX: usize = 98307;

/// An iterator over the values of a whole record.
#[derive(Clone, Debug)]
pub struct RecordValues<'a> {
    payload: &'a [u8],
    next: usize,
    header: usize,
    body: usize,
}

/// The serial types and bodies of the record in `payload`, in order.
///
/// # Errors
/// If the header size is impossible or the header is cut off.
pub fn record_values(payload: &[u8]) -> Result<RecordValues<'_>, Corrupt> {
    let header = RecordHeader::new(payload)?;
    if header.size as usize > payload.len() {
        return Err(Corrupt::new("record header is cut off"));
    }
    Ok(RecordValues {
        payload,
        next: header.next as usize,
        header: header.size as usize,
        body: header.size as usize,
    })
}

impl<'a> Iterator for RecordValues<'a> {
    type Item = Result<(SerialType, &'a [u8]), Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.header {
            return None;
        }
        let Some((serial, len, size)) = read_serial(&self.payload[self.next..self.header]) else {
            self.next = self.header;
            return Some(Err(Corrupt::new("record header is cut off")));
        };
        self.next += len;
        let end = self.body + size as usize;
        let Some(body) = self.payload.get(self.body..end) else {
            self.next = self.header;
            return Some(Err(Corrupt::new("record is longer than its payload")));
        };
        self.body = end;
        Some(Ok((serial, body)))
    }
}

/// Decodes all values of a record.
///
/// # Errors
/// If the record is malformed.
pub fn decode_record(payload: &[u8], encoding: TextEncoding) -> Result<Vec<Value>, Corrupt> {
    record_values(payload)?
        .map(|value| value.and_then(|(serial, body)| serial.decode_owned(body, encoding)))
        .collect()
}

/// Appends the record of `values` to `out`. `constants` says whether 0 and 1 are stored without a body (schema format
/// 4 and later: every database that SQLite has made since 2005 unless told otherwise).
#[inline]
pub fn encode_record(
    values: &[ValueRef<'_>],
    encoding: TextEncoding,
    constants: bool,
    out: &mut Vec<u8>,
) {
    encode_record_iter(values.iter().copied(), encoding, constants, out);
}

/// The same for values that do not lie in a slice. The iterator is walked twice.
#[inline]
pub fn encode_record_iter<'a>(
    values: impl Iterator<Item = ValueRef<'a>> + Clone,
    encoding: TextEncoding,
    constants: bool,
    out: &mut Vec<u8>,
) {
    // The header size is one byte unless there are many or long values; it is patched in when it is known.
    let start = out.len();
    out.push(0);
    for value in values.clone() {
        let serial = match value {
            ValueRef::Null => 0,
            ValueRef::Integer(i) => SerialType::of_integer(i, constants).0 as u64,
            ValueRef::Real(_) => 7,
            ValueRef::Text(text) => encoding_len(text, encoding) as u64 * 2 + 13,
            ValueRef::Blob(blob) => blob.len() as u64 * 2 + 12,
        };
        varint::push(out, serial);
    }
    patch_header_size(out, start);
    for value in values {
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(i) => push_integer(out, i, constants),
            ValueRef::Real(r) => out.extend_from_slice(&r.to_be_bytes()),
            ValueRef::Text(text) if encoding.is_utf8() => out.extend_from_slice(text),
            ValueRef::Text(text) => encoding.encode(text, out),
            ValueRef::Blob(blob) => out.extend_from_slice(blob),
        }
    }
}

#[inline]
fn encoding_len(text: &[u8], encoding: TextEncoding) -> usize {
    if encoding.is_utf8() {
        text.len()
    } else {
        encoding.encoded_len(text)
    }
}

/// Fills in the header size of the record that starts at `start` with a byte kept for it; its serial types follow, up
/// to the end of `out`. For those who write a record piece by piece.
#[inline]
pub fn patch_header_size(out: &mut Vec<u8>, start: usize) {
    let size = out.len() - start;
    if size < 0x80 {
        out[start] = size as u8;
    } else {
        insert_header_size(out, start, size);
    }
}

#[cold]
fn insert_header_size(out: &mut Vec<u8>, start: usize, size: usize) {
    // The size counts itself, and so may need one more byte for its own sake.
    let mut len = varint::len(size as u64);
    if varint::len((size - 1 + len) as u64) > len {
        len += 1;
    }
    let mut buf = [0; varint::VARINT_LEN_MAX];
    varint::write(&mut buf, (size - 1 + len) as u64);
    out.splice(start..=start, buf[..len].iter().copied());
}

/// Appends the body of an integer.
#[inline]
pub fn push_integer(out: &mut Vec<u8>, i: i64, constants: bool) {
    let size = SerialType::of_integer(i, constants).size() as usize;
    // Eight bytes with the significant ones in front, of which `size` stay: cheaper than a copy of a varying length.
    let shifted = (i as u64).unbounded_shl(64 - 8 * size as u32);
    let len = out.len();
    out.extend_from_slice(&shifted.to_be_bytes());
    out.truncate(len + size);
}
