//! Values as a caller sees them: owned, with UTF-8 text.
//!
//! The engine keeps text as bytes that need not be valid UTF-8, as SQLite does; here, at the edge,
//! text becomes `String`, and bytes that are not UTF-8 are replaced by U+FFFD. Read such a column
//! as a blob (`CAST(x AS BLOB)`) to see the bytes themselves.

use std::fmt;

use ringwood_format::value::Value as Stored;

use crate::error::{BoxError, Error, Result};

/// A value going into or coming out of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// An IEEE 754 double. A NaN is stored as NULL, as in SQLite.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The storage class of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// INTEGER
    Integer = 1,
    /// REAL
    Real,
    /// TEXT
    Text,
    /// BLOB
    Blob,
    /// NULL
    Null,
}

/// A borrowed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// SQL NULL.
    Null,
    /// A 64-bit signed integer.
    Integer(i64),
    /// An IEEE 754 double.
    Real(f64),
    /// Text; UTF-8 unless the database holds bytes that are not.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Value {
    /// The storage class.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Null => ValueType::Null,
            Value::Integer(_) => ValueType::Integer,
            Value::Real(_) => ValueType::Real,
            Value::Text(_) => ValueType::Text,
            Value::Blob(_) => ValueType::Blob,
        }
    }

    /// True for NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<&i64> {
        if let Value::Integer(i) = self {
            Some(i)
        } else {
            None
        }
    }

    /// The real, if it is one.
    pub fn as_real(&self) -> Option<&f64> {
        if let Value::Real(r) = self {
            Some(r)
        } else {
            None
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&String> {
        if let Value::Text(s) = self {
            Some(s)
        } else {
            None
        }
    }

    /// The bytes, if it is a blob.
    pub fn as_blob(&self) -> Option<&Vec<u8>> {
        if let Value::Blob(b) = self {
            Some(b)
        } else {
            None
        }
    }

    pub(crate) fn into_stored(self) -> Stored {
        match self {
            Value::Null => Stored::Null,
            Value::Integer(i) => Stored::Integer(i),
            Value::Real(r) if r.is_nan() => Stored::Null,
            Value::Real(r) => Stored::Real(r),
            Value::Text(s) => Stored::Text(s.into_bytes()),
            Value::Blob(b) => Stored::Blob(b),
        }
    }
}

impl ValueRef<'_> {
    /// The storage class.
    pub fn data_type(&self) -> ValueType {
        match self {
            ValueRef::Null => ValueType::Null,
            ValueRef::Integer(_) => ValueType::Integer,
            ValueRef::Real(_) => ValueType::Real,
            ValueRef::Text(_) => ValueType::Text,
            ValueRef::Blob(_) => ValueType::Blob,
        }
    }

    /// An owned copy; text that is not UTF-8 is repaired with U+FFFD.
    pub fn to_value(&self) -> Value {
        match *self {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(i) => Value::Integer(i),
            ValueRef::Real(r) => Value::Real(r),
            ValueRef::Text(t) => Value::Text(String::from_utf8_lossy(t).into_owned()),
            ValueRef::Blob(b) => Value::Blob(b.to_vec()),
        }
    }
}

impl<'a> From<ringwood_format::value::ValueRef<'a>> for ValueRef<'a> {
    fn from(v: ringwood_format::value::ValueRef<'a>) -> Self {
        use ringwood_format::value::ValueRef as R;
        match v {
            R::Null => ValueRef::Null,
            R::Integer(i) => ValueRef::Integer(i),
            R::Real(r) => ValueRef::Real(r),
            R::Text(t) => ValueRef::Text(t),
            R::Blob(b) => ValueRef::Blob(b),
        }
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(v: ValueRef<'_>) -> Self {
        v.to_value()
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::Integer => "INTEGER",
            ValueType::Real => "REAL",
            ValueType::Text => "TEXT",
            ValueType::Blob => "BLOB",
            ValueType::Null => "NULL",
        })
    }
}

macro_rules! from_integer {
    ($($t:ty),*) => {$(
        impl From<$t> for Value {
            fn from(v: $t) -> Self {
                Value::Integer(i64::from(v))
            }
        }
    )*};
}
from_integer!(i8, i16, i32, i64, u8, u16, u32, bool);

impl TryFrom<u64> for Value {
    type Error = Error;
    fn try_from(v: u64) -> Result<Self> {
        i64::try_from(v).map(Value::Integer).map_err(|_| {
            Error::ToSqlConversionFailure(BoxError::from("u64 is too large to fit in an i64"))
        })
    }
}

impl From<f32> for Value {
    fn from(v: f32) -> Self {
        Value::Real(f64::from(v))
    }
}

impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Value::Real(v)
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Value::Text(v.to_owned())
    }
}

impl From<String> for Value {
    fn from(v: String) -> Self {
        Value::Text(v)
    }
}

impl From<&String> for Value {
    fn from(v: &String) -> Self {
        Value::Text(v.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Self {
        Value::Blob(v)
    }
}

impl From<&[u8]> for Value {
    fn from(v: &[u8]) -> Self {
        Value::Blob(v.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(v: [u8; N]) -> Self {
        Value::Blob(v.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}

/// A Rust type that a column can be read as; see `Row::get`.
pub trait FromValue: Sized {
    /// Converts, or says why not.
    fn from_sql(value: Value) -> Result<Self>;
}

fn mismatch<T>(expected: &'static str, value: &Value) -> Result<T> {
    match value {
        Value::Null => Err(Error::NullValue),
        other => Err(Error::InvalidColumnType {
            expected,
            found: other.value_type(),
        }),
    }
}

impl FromValue for Value {
    fn from_sql(value: Value) -> Result<Self> {
        Ok(value)
    }
}

macro_rules! integer_from_value {
    ($($t:ty),*) => {$(
        impl FromValue for $t {
            fn from_sql(value: Value) -> Result<Self> {
                match value {
                    Value::Integer(i) => <$t>::try_from(i).map_err(|_| Error::IntegralValueOutOfRange(i)),
                    other => mismatch("INTEGER", &other),
                }
            }
        }
    )*};
}
integer_from_value!(i8, i16, i32, i64, u8, u16, u32, u64, usize, isize);

impl FromValue for bool {
    fn from_sql(value: Value) -> Result<Self> {
        match value {
            Value::Integer(i) => Ok(i != 0),
            other => mismatch("INTEGER", &other),
        }
    }
}

impl FromValue for f64 {
    fn from_sql(value: Value) -> Result<Self> {
        match value {
            Value::Real(r) => Ok(r),
            Value::Integer(i) => Ok(i as f64),
            other => mismatch("REAL", &other),
        }
    }
}

impl FromValue for String {
    fn from_sql(value: Value) -> Result<Self> {
        match value {
            Value::Text(s) => Ok(s),
            other => mismatch("TEXT", &other),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_sql(value: Value) -> Result<Self> {
        match value {
            Value::Blob(b) => Ok(b),
            other => mismatch("BLOB", &other),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_sql(value: Value) -> Result<Self> {
        match value {
            Value::Blob(b) => b
                .try_into()
                .map_err(|b: Vec<u8>| Error::InvalidBlobSize(b.len())),
            other => mismatch("BLOB", &other),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_sql(value: Value) -> Result<Self> {
        match value {
            Value::Null => Ok(None),
            other => T::from_sql(other).map(Some),
        }
    }
}
