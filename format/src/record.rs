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
    pub const fn of_integer(i: i64, constants: bool) -> SerialType {
        let magnitude = (i ^ (i >> 63)) as u64; // ~i for a negative i, which needs as many bits
        SerialType(if magnitude <= 0x7f {
            if constants && i >> 1 == 0 {
                8 + i as u32
            } else {
                1
            }
        } else if magnitude <= 0x7fff {
            2
        } else if magnitude <= 0x007f_ffff {
            3
        } else if magnitude <= 0x7fff_ffff {
            4
        } else if magnitude <= 0x7fff_ffff_ffff {
            5
        } else {
            6
        })
    }

    /// Decodes a value whose text, if it is text, is UTF-8. `body` starts at the value and may go on behind it.
    ///
    /// # Errors
    /// If `body` is shorter than the value.
    #[inline]
    pub fn decode(self, body: &[u8]) -> Result<ValueRef<'_>, Corrupt> {
        let size = self.size() as usize;
        let Some(bytes) = body.get(..size) else {
            return Err(Corrupt::new("value extends past the end of its record"));
        };
        Ok(match self.0 {
            0 | 10 | 11 => ValueRef::Null,
            1..=6 => ValueRef::Integer(decode_integer(bytes)),
            7 => decode_real(bytes),
            8 => ValueRef::Integer(0),
            9 => ValueRef::Integer(1),
            n if n & 1 == 1 => ValueRef::Text(bytes),
            _ => ValueRef::Blob(bytes),
        })
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

/// How far a record's header has been parsed. Types and offsets go to arrays that the caller keeps, one entry a
/// column, so that a cursor reuses their memory from row to row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecordHeader {
    /// Size of the header: where the bodies start.
    pub size: u32,
    /// Where the next serial type starts; equal to `size` when all are parsed.
    pub next: u32,
    /// Where the next value's body starts.
    pub body: u64,
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
            body: size as u64,
        })
    }

    /// Whether all serial types have been parsed.
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.next >= self.size
    }

    /// Parses serial types until `types` has more than `column` entries or the header ends. `offsets[i]` is where
    /// the body of column i starts in the payload, and one more offset is kept than types: the end of the last
    /// parsed body. Both vectors are empty at the first call and left alone between calls.
    ///
    /// `payload` must hold the header (`self.size` bytes); the bodies need not be there. `payload_size` is the size
    /// of the whole record.
    ///
    /// # Errors
    /// If the header is cut off, its last type crosses its end, a body lies beyond `payload_size`, or all bodies
    /// together are shorter than that.
    #[inline]
    pub fn parse_to(
        &mut self,
        payload: &[u8],
        payload_size: u32,
        column: usize,
        types: &mut Vec<u32>,
        offsets: &mut Vec<u32>,
    ) -> Result<(), Corrupt> {
        let Some(header) = payload.get(..self.size as usize) else {
            return Err(Corrupt::new("record header is cut off"));
        };
        if offsets.is_empty() {
            offsets.push(self.size);
        }
        let mut next = self.next as usize;
        let mut body = self.body;
        while types.len() <= column && next < header.len() {
            let Some((serial, len)) = varint::read_u32(&header[next..]) else {
                return Err(Corrupt::new("record header is cut off"));
            };
            next += len;
            body += SerialType(serial).size() as u64;
            types.push(serial);
            offsets.push(u32::try_from(body).unwrap_or(u32::MAX));
        }
        let complete = next >= header.len();
        if body > payload_size as u64
            || (complete && body < payload_size as u64 && !header.is_empty())
        {
            return Err(Corrupt::new("record and payload differ in length"));
        }
        self.next = next as u32;
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
        let Some((serial, len)) = varint::read_u32(&self.payload[self.next..self.header]) else {
            self.next = self.header;
            return Some(Err(Corrupt::new("record header is cut off")));
        };
        self.next += len;
        let serial = SerialType(serial);
        let end = self.body + serial.size() as usize;
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
        match value {
            ValueRef::Null => out.push(0),
            ValueRef::Integer(i) => out.push(SerialType::of_integer(i, constants).0 as u8),
            ValueRef::Real(_) => out.push(7),
            ValueRef::Text(text) => varint::push(out, encoding_len(text, encoding) as u64 * 2 + 13),
            ValueRef::Blob(blob) => varint::push(out, blob.len() as u64 * 2 + 12),
        }
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

/// Fills in the header size at `start`; the types follow it up to the end of `out`.
#[inline]
fn patch_header_size(out: &mut Vec<u8>, start: usize) {
    let size = out.len() - start;
    if size < 0x80 {
        out[start] = size as u8;
        return;
    }
    // The size counts itself, and so may need one more byte for its own sake.
    let mut len = varint::len(size as u64);
    if varint::len((size - 1 + len) as u64) > len {
        len += 1;
    }
    let mut buf = [0; varint::VARINT_LEN_MAX];
    varint::write(&mut buf, (size - 1 + len) as u64);
    out.splice(start..=start, buf[..len].iter().copied());
}

#[inline]
fn push_integer(out: &mut Vec<u8>, i: i64, constants: bool) {
    let size = SerialType::of_integer(i, constants).size() as usize;
    let bytes = i.to_be_bytes();
    out.extend_from_slice(&bytes[8 - size..]);
}
