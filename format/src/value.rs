//! Values: SQLite's five storage classes, borrowed and owned, and their order.
//!
//! Rules:
//! 1. Text is UTF-8 bytes in memory, whatever the database stores; it may be malformed and may contain NULs.
//! 2. A NaN is not a value: [`Value::real`] and [`ValueRef::real`] turn it into NULL, as SQLite does.
//! 3. The order: NULL, then numbers by value, then text by collation, then blobs by bytes. An integer and a real
//!    compare exactly, without rounding the integer.
//!
//! Source: SQLite's `sqlite3MemCompare`, `sqlite3IntFloatCompare`.

use crate::collation::Collation;
use std::cmp::Ordering;

pub use crate::encoding::{TextEncoding, compare_utf16_order};

/// A storage class, in the order of comparison but for numbers, which compare together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ValueType {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer,
    /// A double.
    Real,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

impl ValueType {
    /// The name that `typeof()` gives.
    pub const fn name(self) -> &'static str {
        match self {
            ValueType::Null => "null",
            ValueType::Integer => "integer",
            ValueType::Real => "real",
            ValueType::Text => "text",
            ValueType::Blob => "blob",
        }
    }
}

/// A borrowed value.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum ValueRef<'a> {
    /// NULL.
    #[default]
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double, never NaN (rule 2).
    Real(f64),
    /// UTF-8, possibly malformed (rule 1).
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// An owned value.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Value {
    /// NULL.
    #[default]
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double, never NaN (rule 2).
    Real(f64),
    /// UTF-8, possibly malformed (rule 1).
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl<'a> ValueRef<'a> {
    /// A real, or NULL for NaN (rule 2).
    #[inline]
    pub fn real(r: f64) -> ValueRef<'a> {
        if r.is_nan() {
            ValueRef::Null
        } else {
            ValueRef::Real(r)
        }
    }

    /// Its storage class.
    #[inline]
    pub const fn value_type(self) -> ValueType {
        match self {
            ValueRef::Null => ValueType::Null,
            ValueRef::Integer(_) => ValueType::Integer,
            ValueRef::Real(_) => ValueType::Real,
            ValueRef::Text(_) => ValueType::Text,
            ValueRef::Blob(_) => ValueType::Blob,
        }
    }

    /// Whether it is NULL.
    #[inline]
    pub const fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The rank of its class in the order of values: both kinds of numbers share one.
    #[inline]
    pub const fn class_rank(self) -> u8 {
        match self {
            ValueRef::Null => 0,
            ValueRef::Integer(_) | ValueRef::Real(_) => 1,
            ValueRef::Text(_) => 2,
            ValueRef::Blob(_) => 3,
        }
    }

    /// An owned copy.
    pub fn to_owned(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(i) => Value::Integer(i),
            ValueRef::Real(r) => Value::Real(r),
            ValueRef::Text(t) => Value::Text(t.to_vec()),
            ValueRef::Blob(b) => Value::Blob(b.to_vec()),
        }
    }

    /// The bytes of a text or a blob.
    #[inline]
    pub const fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            ValueRef::Text(b) | ValueRef::Blob(b) => Some(b),
            _ => None,
        }
    }
}

impl Value {
    /// A real, or NULL for NaN (rule 2).
    pub fn real(r: f64) -> Value {
        if r.is_nan() {
            Value::Null
        } else {
            Value::Real(r)
        }
    }

    /// A text.
    pub fn text(s: impl Into<String>) -> Value {
        Value::Text(s.into().into_bytes())
    }

    /// The same, borrowed.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(r) => ValueRef::Real(*r),
            Value::Text(t) => ValueRef::Text(t),
            Value::Blob(b) => ValueRef::Blob(b),
        }
    }

    /// Its storage class.
    #[inline]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Value::Null => ValueType::Null,
            Value::Integer(_) => ValueType::Integer,
            Value::Real(_) => ValueType::Real,
            Value::Text(_) => ValueType::Text,
            Value::Blob(_) => ValueType::Blob,
        }
    }

    /// Whether it is NULL.
    #[inline]
    pub const fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> ValueRef<'a> {
        value.as_ref()
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        value.to_owned()
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Value {
        Value::Integer(i)
    }
}

impl From<f64> for Value {
    fn from(r: f64) -> Value {
        Value::real(r)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        Value::Text(s.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Value {
        Value::Text(s.into_bytes())
    }
}

impl From<Vec<u8>> for Value {
    fn from(b: Vec<u8>) -> Value {
        Value::Blob(b)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// Orders two values (rule 3) in a UTF-8 database; elsewhere use [`compare_values_encoded`].
#[inline]
pub fn compare_values(a: ValueRef<'_>, b: ValueRef<'_>, collation: &Collation) -> Ordering {
    compare_values_encoded(a, b, collation, TextEncoding::Utf8)
}

/// Orders two values (rule 3) as a database of that encoding does: there `BINARY` compares the stored bytes.
#[inline]
pub fn compare_values_encoded(
    a: ValueRef<'_>,
    b: ValueRef<'_>,
    collation: &Collation,
    encoding: TextEncoding,
) -> Ordering {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Text(a), ValueRef::Text(b)) => collation.compare_encoded(a, b, encoding),
        (ValueRef::Real(a), ValueRef::Real(b)) => compare_reals(a, b),
        (ValueRef::Integer(a), ValueRef::Real(b)) => compare_int_real(a, b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => compare_int_real(b, a).reverse(),
        (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
        _ => a.class_rank().cmp(&b.class_rank()),
    }
}

/// Orders two reals; zeros are equal. A NaN, which is no value (rule 2), counts as below every number.
#[inline]
pub fn compare_reals(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Orders an integer and a real exactly. A NaN counts as below every integer.
#[inline]
pub fn compare_int_real(i: i64, r: f64) -> Ordering {
    if r.is_nan() || r < -9223372036854775808.0 {
        return Ordering::Greater;
    }
    if r >= 9223372036854775808.0 {
        return Ordering::Less;
    }
    // In range: compare with the integer part, then with the rest, where `i as f64` is exact enough because the
    // integer parts are equal.
    let whole = r as i64;
    i.cmp(&whole).then_with(|| compare_reals(whole as f64, r))
}
