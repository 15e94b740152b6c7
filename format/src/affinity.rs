//! Affinity: the type that a column prefers, and what it does to a value; CAST.
//!
//! | declared type contains (first rule that fits) | affinity |
//! |-----------------------------------------------|----------|
//! | `INT`                                         | INTEGER |
//! | `CHAR`, `CLOB`, `TEXT`                        | TEXT |
//! | `BLOB`, or there is no type                   | BLOB |
//! | `REAL`, `FLOA`, `DOUB`                        | REAL |
//! | anything else                                 | NUMERIC |
//!
//! Rules:
//! 1. Affinity converts only what loses nothing: text to a number only if the whole text is one, a real to an integer
//!    only if it is whole and not at the ends of the range. CAST always converts.
//! 2. REAL prefers integers while a value is being compared or stored ([`Affinity::apply`]), because they are exact and
//!    short; what is read from such a column is made a real again by the reader.
//! 3. Text that is too long for an integer, or has a point or an exponent, becomes an integer under an affinity if its
//!    value is whole (`'1e3'`, `'48.00'`).
//!
//! In a UTF-16 database SQLite reads numbers from UTF-16 text, and takes a text with a character beyond Latin-1 behind
//! its digits for an integer in one case (`CAST('1.5é' AS NUMERIC)` is 1 there, 1.5 in UTF-8); here it is 1.5 always.
//!
//! Source: "Datatypes In SQLite", sections 3 and 4; SQLite's `sqlite3AffinityType`, `applyAffinity`,
//! `sqlite3VdbeMemCast`.

use crate::encoding::TextEncoding;
use crate::number::{
    Extent, IntegerEnd, Number, parse_integer, parse_real, parse_whole_real, push_integer,
    push_real, real_is_integer, real_to_integer,
};
use crate::value::{Value, ValueRef};
use std::borrow::Cow;

/// The preferred type of a column or an expression. The numbers are SQLite's, and ordered: from
/// [`Affinity::Numeric`] on they want numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Affinity {
    /// No affinity: an expression.
    None = b'@',
    /// No preference.
    Blob = b'A',
    /// Text.
    Text = b'B',
    /// A number where the text is one.
    Numeric = b'C',
    /// The same, and whole reals become integers.
    Integer = b'D',
    /// A real.
    Real = b'E',
    /// Text becomes a number where it is one; numbers stay as they are (subquery columns).
    Flexnum = b'F',
}

impl Affinity {
    /// The affinity of a column with that declared type.
    pub fn of_type(declared: &str) -> Affinity {
        if declared.is_empty() {
            return Affinity::Blob;
        }
        let mut affinity = Affinity::Numeric;
        let mut window = 0u32; // the last four bytes, in lower case
        for byte in declared.bytes() {
            window = window << 8 | byte.to_ascii_lowercase() as u32;
            match &window.to_be_bytes() {
                b"char" | b"clob" | b"text" => affinity = Affinity::Text,
                b"blob" if matches!(affinity, Affinity::Numeric | Affinity::Real) => {
                    affinity = Affinity::Blob;
                }
                b"real" | b"floa" | b"doub" if affinity == Affinity::Numeric => {
                    affinity = Affinity::Real;
                }
                [_, b'i', b'n', b't'] => return Affinity::Integer,
                _ => {}
            }
        }
        affinity
    }

    /// SQLite's letter for it, as EXPLAIN prints it.
    #[inline]
    pub const fn letter(self) -> char {
        self as u8 as char
    }

    /// The affinity with that letter.
    pub const fn from_letter(letter: u8) -> Option<Affinity> {
        Some(match letter {
            b'@' => Affinity::None,
            b'A' => Affinity::Blob,
            b'B' => Affinity::Text,
            b'C' => Affinity::Numeric,
            b'D' => Affinity::Integer,
            b'E' => Affinity::Real,
            b'F' => Affinity::Flexnum,
            _ => return None,
        })
    }

    /// Whether it wants numbers.
    #[inline]
    pub const fn is_numeric(self) -> bool {
        self as u8 >= Affinity::Numeric as u8
    }

    /// Applies the affinity to a value (rules 1 to 3), as before a comparison. A text that is made goes to `scratch`,
    /// which is overwritten.
    #[inline]
    pub fn apply<'a>(self, value: ValueRef<'a>, scratch: &'a mut Vec<u8>) -> ValueRef<'a> {
        match (self, value) {
            (_, ValueRef::Null | ValueRef::Blob(_)) | (Affinity::None | Affinity::Blob, _) => value,
            (Affinity::Text, ValueRef::Text(_)) => value,
            (Affinity::Text, ValueRef::Integer(i)) => {
                scratch.clear();
                push_integer(i, scratch);
                ValueRef::Text(scratch)
            }
            (Affinity::Text, ValueRef::Real(r)) => {
                scratch.clear();
                push_real(r, scratch);
                ValueRef::Text(scratch)
            }
            (_, ValueRef::Integer(_)) | (Affinity::Flexnum, ValueRef::Real(_)) => value,
            (_, ValueRef::Real(r)) => whole_real(r).map_or(value, ValueRef::Integer),
            (_, ValueRef::Text(text)) => numeric_affinity(text).map_or(value, Number::into_value),
        }
    }

    /// Applies the affinity to an owned value, as [`apply`](Affinity::apply).
    pub fn apply_owned(self, value: Value) -> Value {
        let mut scratch = Vec::new();
        let applied = self.apply(value.as_ref(), &mut scratch);
        if applied.value_type() == value.value_type() {
            return value; // numbers and texts that keep their class keep their value
        }
        match applied {
            ValueRef::Text(_) => Value::Text(scratch),
            applied => applied.to_owned(),
        }
    }

    /// Applies the affinity to a value that goes into a record: as [`apply`](Affinity::apply), but under REAL an
    /// integer of more than 48 bits becomes a real, which takes no more room.
    #[inline]
    pub fn apply_for_storage<'a>(
        self,
        value: ValueRef<'a>,
        scratch: &'a mut Vec<u8>,
    ) -> ValueRef<'a> {
        match self.apply(value, scratch) {
            ValueRef::Integer(i)
                if self == Affinity::Real && !(-(1 << 47)..1 << 47).contains(&i) =>
            {
                ValueRef::Real(i as f64)
            }
            value => value,
        }
    }
}

/// The integer that a whole real becomes under a numeric affinity; not at the ends of the range.
#[inline]
pub fn whole_real(r: f64) -> Option<i64> {
    let i = real_to_integer(r);
    (i as f64 == r && i != i64::MIN && i != i64::MAX).then_some(i)
}

/// The number that a text becomes under a numeric affinity; none if not the whole text is a number.
pub fn numeric_affinity(text: &[u8]) -> Option<Number> {
    match numeric_type(text)? {
        Number::Real(r) => Some(whole_real(r).map_or(Number::Real(r), Number::Integer)),
        integer @ Number::Integer(_) => Some(integer),
    }
}

/// The number that a text is: as [`numeric_affinity`], but with a point or an exponent it is a real even if it is
/// whole. SQLite's `sqlite3_value_numeric_type`.
pub fn numeric_type(text: &[u8]) -> Option<Number> {
    if !may_be_number(text) {
        return None;
    }
    let parsed = parse_whole_real(text)?;
    if parsed.is_integer {
        let i = real_to_integer(parsed.value);
        if real_is_integer(parsed.value, i) {
            return Some(Number::Integer(i));
        }
        if let (i, IntegerEnd::Whole) = parse_integer(text) {
            return Some(Number::Integer(i));
        }
    }
    Some(Number::Real(parsed.value))
}

/// Whether the first byte allows a number at all: the quick exit for text that is text.
#[inline]
fn may_be_number(text: &[u8]) -> bool {
    matches!(
        text.first(),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'\t'..=b'\r' | b' ')
    )
}

/// The number that arithmetic takes for a text or a blob: the longest prefix that is one, or 0. SQLite's
/// `computeNumericType`.
pub fn arithmetic_number(text: &[u8]) -> Number {
    let parsed = parse_real(text);
    if parsed.is_integer {
        match (parse_integer(text), parsed.extent) {
            ((i, IntegerEnd::Whole), _) => return Number::Integer(i),
            ((i, IntegerEnd::Prefix | IntegerEnd::None), Extent::Prefix | Extent::None) => {
                return Number::Integer(i);
            }
            _ => {}
        }
    }
    Number::Real(parsed.value)
}

/// The integer that a value stands for where an integer is wanted: SQLite's `sqlite3VdbeIntValue`.
#[inline]
pub fn integer_value(value: ValueRef<'_>) -> i64 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(i) => i,
        ValueRef::Real(r) => real_to_integer(r),
        ValueRef::Text(text) | ValueRef::Blob(text) => parse_integer(text).0,
    }
}

/// The real that a value stands for where a real is wanted: SQLite's `sqlite3VdbeRealValue`.
#[inline]
pub fn real_value(value: ValueRef<'_>) -> f64 {
    match value {
        ValueRef::Null => 0.0,
        ValueRef::Integer(i) => i as f64,
        ValueRef::Real(r) => r,
        ValueRef::Text(text) | ValueRef::Blob(text) => parse_real(text).value,
    }
}

/// Whether a value is true; none for NULL. SQLite's `sqlite3VdbeBooleanValue`.
#[inline]
pub fn boolean_value(value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(i) => Some(i != 0),
        value => Some(real_value(value) != 0.0),
    }
}

/// The text that a value is printed as; none for NULL. A blob is taken for text of that encoding.
pub fn text_value(value: ValueRef<'_>, encoding: TextEncoding) -> Option<Cow<'_, [u8]>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(i) => Some(Cow::Owned(crate::number::integer_to_text(i))),
        ValueRef::Real(r) => Some(Cow::Owned(crate::number::real_to_text(r))),
        ValueRef::Text(text) => Some(Cow::Borrowed(text)),
        ValueRef::Blob(blob) => Some(decoded(blob, encoding)),
    }
}

/// CAST(value AS type), where the type has that affinity. The encoding is the database's: a blob and a text are cast
/// to each other by the bytes that the database would store.
pub fn cast(value: ValueRef<'_>, affinity: Affinity, encoding: TextEncoding) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    match affinity {
        Affinity::Text => Value::Text(text_value(value, encoding).unwrap_or_default().into_owned()),
        Affinity::None | Affinity::Blob => match value {
            ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
            value => {
                let text = text_value(value, encoding).unwrap_or_default();
                let mut blob = Vec::with_capacity(encoding.encoded_len(&text));
                encoding.encode(&text, &mut blob);
                Value::Blob(blob)
            }
        },
        Affinity::Integer => Value::Integer(integer_value(blob_as_text(value, encoding).as_ref())),
        Affinity::Real => Value::real(real_value(blob_as_text(value, encoding).as_ref())),
        Affinity::Numeric | Affinity::Flexnum => match value {
            ValueRef::Text(text) => cast_to_numeric(text).into(),
            ValueRef::Blob(blob) => cast_to_numeric(&decoded(blob, encoding)).into(),
            number => number.to_owned(),
        },
    }
}

/// CAST to NUMERIC: an integer if the prefix is written as one and fits, or is a whole number of at most 51 bits.
fn cast_to_numeric(text: &[u8]) -> Number {
    let parsed = parse_real(text);
    if parsed.is_integer {
        if let (i, IntegerEnd::None | IntegerEnd::Whole | IntegerEnd::Prefix) = parse_integer(text)
        {
            return Number::Integer(i);
        }
    }
    let i = real_to_integer(parsed.value);
    if real_is_integer(parsed.value, i) {
        Number::Integer(i)
    } else {
        Number::Real(parsed.value)
    }
}

/// A blob's bytes as UTF-8 text.
fn decoded(blob: &[u8], encoding: TextEncoding) -> Cow<'_, [u8]> {
    if encoding.is_utf8() {
        return Cow::Borrowed(blob);
    }
    let mut text = Vec::with_capacity(blob.len());
    encoding.decode(blob, &mut text);
    Cow::Owned(text)
}

fn blob_as_text(value: ValueRef<'_>, encoding: TextEncoding) -> Value {
    match value {
        ValueRef::Blob(blob) => Value::Text(decoded(blob, encoding).into_owned()),
        value => value.to_owned(),
    }
}
