//! A register as another type: what functions ask of their arguments.
//!
//! None of these changes the register; text of numbers and blobs is made where it is asked for.
//!
//! Source: SQLite's `sqlite3_value_int64`, `sqlite3_value_double`, `sqlite3_value_text`, `sqlite3_value_blob`,
//! `sqlite3_value_numeric_type`.

use super::{Kind, Mem};
use ringwood_format::affinity::{integer_value, numeric_type, real_value};
use ringwood_format::number::{Number, integer_to_text, real_to_integer, real_to_text};
use ringwood_format::value::{ValueRef, ValueType};
use std::borrow::Cow;

impl Mem {
    /// The integer that it stands for: of a text or blob, the one that it begins with; else 0.
    #[inline]
    pub fn to_int(&self) -> i64 {
        match self.kind() {
            Kind::Int | Kind::IntReal => self.raw_int(),
            Kind::Real => real_to_integer(self.raw_real()),
            Kind::Text | Kind::Blob => integer_value(ValueRef::Text(self.bytes())),
            Kind::Null | Kind::Object => 0,
        }
    }

    /// The real that it stands for: of a text or blob, the number that it begins with; else 0.0.
    #[inline]
    pub fn to_real(&self) -> f64 {
        match self.kind() {
            Kind::Int | Kind::IntReal => self.raw_int() as f64,
            Kind::Real => self.raw_real(),
            Kind::Text | Kind::Blob => real_value(ValueRef::Text(self.bytes())),
            Kind::Null | Kind::Object => 0.0,
        }
    }

    /// Its text; empty for NULL. A blob's bytes are taken for text, its tail of zeros included.
    pub fn to_text(&self) -> Cow<'_, [u8]> {
        match self.kind() {
            Kind::Null | Kind::Object => Cow::Borrowed(b""),
            Kind::Int => Cow::Owned(integer_to_text(self.raw_int())),
            Kind::Real => Cow::Owned(real_to_text(self.raw_real())),
            Kind::IntReal => Cow::Owned(real_to_text(self.raw_int() as f64)),
            Kind::Text => Cow::Borrowed(self.bytes()),
            Kind::Blob if self.zeros() == 0 => Cow::Borrowed(self.bytes()),
            Kind::Blob => {
                let mut bytes = self.bytes().to_vec();
                bytes.resize(self.byte_len() as usize, 0);
                Cow::Owned(bytes)
            }
        }
    }

    /// Its bytes: those of its text, or of a blob.
    #[inline]
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        self.to_text()
    }

    /// Its storage class, where a text that is a number as a whole counts as that number.
    pub fn numeric_type(&self) -> ValueType {
        match self.numeric() {
            Some(Number::Integer(_)) => ValueType::Integer,
            Some(Number::Real(_)) => ValueType::Real,
            None => self.value_type(),
        }
    }

    /// The number that it is, as a number or as a text that is one as a whole.
    pub fn numeric(&self) -> Option<Number> {
        match self.kind() {
            Kind::Int => Some(Number::Integer(self.raw_int())),
            Kind::Real => Some(Number::Real(self.raw_real())),
            Kind::IntReal => Some(Number::Real(self.raw_int() as f64)),
            Kind::Text => numeric_type(self.bytes()),
            Kind::Null | Kind::Blob | Kind::Object => None,
        }
    }
}
