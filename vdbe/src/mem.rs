//! Registers.
//!
//! ```text
//!   Mem, 40 bytes:   store 24 (text and blob bytes, or an object) | num 8 (integer, real bits, zeros) | kind, flags
//! ```
//!
//! Rules:
//! 1. A register keeps its byte buffer when it gets a value without bytes, so that a loop over rows allocates once.
//! 2. A register owns what it holds: a copy copies bytes. Text is UTF-8 (possibly malformed).
//! 3. `IntReal` is a real that is a whole number: it reads as a real, and records store it as an integer where that
//!    is shorter, as SQLite does for REAL columns.
//! 4. A blob may have a tail of zeros that are counted and not stored (`zeroblob`); [`Mem::expand`] writes them out.
//! 5. A real is never NaN: [`Mem::set_real`] makes NULL of it.

mod convert;

use crate::func::Aggregate;
use crate::rowset::RowSet;
use ringwood_format::value::{Value, ValueRef, ValueType};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What a register holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Kind {
    /// NULL, or nothing yet.
    #[default]
    Null,
    /// An integer.
    Int,
    /// A real.
    Real,
    /// A real that is the integer `num` (rule 3).
    IntReal,
    /// Text.
    Text,
    /// A blob, perhaps with a tail of zeros (rule 4).
    Blob,
    /// The state of an aggregate, a set of rowids, a filter: no value.
    Object,
}

/// Bytes, or an object that lives in a register. The variants share 24 bytes.
enum Store {
    Bytes(Vec<u8>),
    Aggregate(Box<dyn Aggregate>),
    RowSet(Box<RowSet>),
    Values(Box<[Value]>),
    Pointer(Arc<dyn Any + Send + Sync>),
}

/// A register.
pub struct Mem {
    store: Store,
    /// The integer, the real's bits, or how many zeros follow the bytes.
    num: u64,
    kind: Kind,
    flags: u8,
    subtype: u8,
}

/// NULL that compares as different from NULL even with NULLEQ (`Null` with P1).
const CLEARED: u8 = 1;
/// There is a subtype.
const SUBTYPE: u8 = 2;
/// NULL in the place of a column that an UPDATE of a virtual table leaves as it is.
const NO_CHANGE: u8 = 4;

impl Default for Mem {
    fn default() -> Mem {
        Mem::new()
    }
}

impl Mem {
    /// NULL.
    #[inline]
    pub const fn new() -> Mem {
        Mem {
            store: Store::Bytes(Vec::new()),
            num: 0,
            kind: Kind::Null,
            flags: 0,
            subtype: 0,
        }
    }

    /// A register with that value.
    pub fn from_value(value: Value) -> Mem {
        let mut mem = Mem::new();
        match value {
            Value::Text(t) => mem.set_text_vec(t),
            Value::Blob(b) => mem.set_blob_vec(b),
            other => mem.set_value(other.as_ref()),
        }
        mem
    }

    /// What it holds.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its storage class; an object counts as NULL.
    #[inline]
    pub fn value_type(&self) -> ValueType {
        match self.kind {
            Kind::Null | Kind::Object => ValueType::Null,
            Kind::Int => ValueType::Integer,
            Kind::Real | Kind::IntReal => ValueType::Real,
            Kind::Text => ValueType::Text,
            Kind::Blob => ValueType::Blob,
        }
    }

    /// Whether it is NULL.
    #[inline]
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null || (self.kind == Kind::Object && self.pointer().is_some())
    }

    /// The integer, if it is one.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        (self.kind == Kind::Int).then_some(self.num as i64)
    }

    /// The number in `num`, which is meaningful for `Int` and `IntReal`.
    #[inline]
    pub(crate) fn raw_int(&self) -> i64 {
        self.num as i64
    }

    /// The real in `num`, which is meaningful for `Real`.
    #[inline]
    pub(crate) fn raw_real(&self) -> f64 {
        f64::from_bits(self.num)
    }

    /// The bytes of a text or blob, without the tail of zeros; of anything else, nothing.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.store {
            Store::Bytes(bytes) if matches!(self.kind, Kind::Text | Kind::Blob) => bytes,
            _ => &[],
        }
    }

    /// How many zeros follow the bytes (rule 4).
    #[inline]
    pub fn zeros(&self) -> u64 {
        if self.kind == Kind::Blob { self.num } else { 0 }
    }

    /// Length of a text or blob in bytes, with the tail of zeros.
    #[inline]
    pub fn byte_len(&self) -> u64 {
        self.bytes().len() as u64 + self.zeros()
    }

    /// The value, borrowed. A tail of zeros must have been expanded.
    #[inline]
    pub fn as_value_ref(&self) -> ValueRef<'_> {
        match self.kind {
            Kind::Null | Kind::Object => ValueRef::Null,
            Kind::Int => ValueRef::Integer(self.num as i64),
            Kind::Real => ValueRef::Real(f64::from_bits(self.num)),
            Kind::IntReal => ValueRef::Real(self.num as i64 as f64),
            Kind::Text => ValueRef::Text(self.bytes()),
            Kind::Blob => {
                debug_assert!(self.num == 0, "rule 4");
                ValueRef::Blob(self.bytes())
            }
        }
    }

    /// The value, owned, with its zeros.
    pub fn to_value(&self) -> Value {
        if self.zeros() > 0 {
            let mut bytes = self.bytes().to_vec();
            bytes.resize(self.byte_len() as usize, 0);
            return Value::Blob(bytes);
        }
        self.as_value_ref().to_owned()
    }

    /// Its subtype; 0 without one.
    #[inline]
    pub fn subtype(&self) -> u8 {
        if self.flags & SUBTYPE != 0 {
            self.subtype
        } else {
            0
        }
    }

    /// Sets the subtype of the value; any new value clears it.
    pub fn set_subtype(&mut self, subtype: u8) {
        self.subtype = subtype;
        self.flags |= SUBTYPE;
    }

    /// Whether there is a subtype.
    pub fn has_subtype(&self) -> bool {
        self.flags & SUBTYPE != 0
    }

    /// Takes the subtype away.
    pub fn clear_subtype(&mut self) {
        self.flags &= !SUBTYPE;
    }

    /// Whether it is the NULL that equals nothing.
    #[inline]
    pub(crate) fn is_cleared(&self) -> bool {
        self.flags & CLEARED != 0
    }

    /// NULL.
    #[inline]
    pub fn set_null(&mut self) {
        if self.kind == Kind::Object {
            self.store = Store::Bytes(Vec::new());
        }
        self.kind = Kind::Null;
        self.flags = 0;
    }

    /// The NULL that equals nothing.
    pub(crate) fn set_cleared(&mut self) {
        self.set_null();
        self.flags = CLEARED;
    }

    /// The NULL of a column that does not change (`sqlite3_value_nochange`).
    #[inline]
    pub(crate) fn set_no_change(&mut self) {
        self.set_null();
        self.flags = NO_CHANGE;
    }

    /// Whether it stands for a column that an UPDATE leaves as it is: the table's cursor was asked for it for that purpose
    /// alone ([`VtabContext::is_no_change`](crate::vtab::VtabContext::is_no_change)), and gave nothing.
    #[inline]
    pub fn is_no_change(&self) -> bool {
        self.kind == Kind::Null && self.flags & NO_CHANGE != 0
    }

    /// An integer.
    #[inline]
    pub fn set_int(&mut self, i: i64) {
        if self.kind == Kind::Object {
            self.set_null();
        }
        self.kind = Kind::Int;
        self.flags = 0;
        self.num = i as u64;
    }

    /// A boolean, as 0 or 1.
    #[inline]
    pub fn set_bool(&mut self, b: bool) {
        self.set_int(i64::from(b));
    }

    /// A real; NULL for NaN (rule 5).
    #[inline]
    pub fn set_real(&mut self, r: f64) {
        if self.kind == Kind::Object || r.is_nan() {
            self.set_null();
            if r.is_nan() {
                return;
            }
        }
        self.kind = Kind::Real;
        self.flags = 0;
        self.num = r.to_bits();
    }

    /// A real that is a whole number (rule 3).
    #[inline]
    pub(crate) fn set_int_real(&mut self, i: i64) {
        self.set_int(i);
        self.kind = Kind::IntReal;
    }

    /// The buffer, empty, for bytes that the caller appends; the register is then a text or a blob.
    #[inline]
    pub fn start_bytes(&mut self, kind: Kind) -> &mut Vec<u8> {
        debug_assert!(matches!(kind, Kind::Text | Kind::Blob));
        self.kind = kind;
        self.flags = 0;
        self.num = 0;
        if !matches!(self.store, Store::Bytes(_)) {
            self.store = Store::Bytes(Vec::new());
        }
        match &mut self.store {
            Store::Bytes(bytes) => {
                bytes.clear();
                bytes
            }
            _ => unreachable!("made a buffer above"),
        }
    }

    /// The bytes of a text or a blob, to change them.
    pub fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.store {
            Store::Bytes(bytes) if matches!(self.kind, Kind::Text | Kind::Blob) => Some(bytes),
            _ => None,
        }
    }

    /// A text.
    #[inline]
    pub fn set_text(&mut self, text: &[u8]) {
        self.start_bytes(Kind::Text).extend_from_slice(text);
    }

    /// A blob.
    #[inline]
    pub fn set_blob(&mut self, bytes: &[u8]) {
        self.start_bytes(Kind::Blob).extend_from_slice(bytes);
    }

    /// A text that is given away.
    pub fn set_text_vec(&mut self, text: Vec<u8>) {
        self.store = Store::Bytes(text);
        self.kind = Kind::Text;
        self.flags = 0;
        self.num = 0;
    }

    /// A blob that is given away.
    pub fn set_blob_vec(&mut self, bytes: Vec<u8>) {
        self.set_text_vec(bytes);
        self.kind = Kind::Blob;
    }

    /// A blob of `n` zeros (rule 4).
    pub fn set_zeroblob(&mut self, n: u64) {
        self.start_bytes(Kind::Blob);
        self.num = n;
    }

    /// How many zeros follow the bytes of a blob.
    #[inline]
    pub(crate) fn set_zeros(&mut self, zeros: u64) {
        debug_assert!(self.kind == Kind::Blob);
        self.num = zeros;
    }

    /// Any value.
    #[inline]
    pub fn set_value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.set_null(),
            ValueRef::Integer(i) => self.set_int(i),
            ValueRef::Real(r) => self.set_real(r),
            ValueRef::Text(t) => self.set_text(t),
            ValueRef::Blob(b) => self.set_blob(b),
        }
    }

    /// Text becomes a blob of the same bytes and the other way round.
    pub(crate) fn retype_bytes(&mut self, kind: Kind) {
        debug_assert!(matches!(self.kind, Kind::Text | Kind::Blob));
        self.kind = kind;
        self.num = 0;
    }

    /// Copies a value with its subtype. An object other than a pointer is copied as NULL.
    #[inline]
    pub fn copy_from(&mut self, other: &Mem) {
        match other.kind {
            Kind::Text | Kind::Blob => {
                self.start_bytes(other.kind)
                    .extend_from_slice(other.bytes());
                self.num = other.num;
            }
            Kind::Object => {
                match &other.store {
                    Store::Pointer(pointer) => self.set_pointer(pointer.clone()),
                    _ => self.set_null(),
                }
                return;
            }
            kind => {
                if self.kind == Kind::Object {
                    self.set_null();
                }
                self.kind = kind;
                self.num = other.num;
            }
        }
        self.flags = other.flags;
        self.subtype = other.subtype;
    }

    /// Writes the tail of zeros out (rule 4).
    pub fn expand(&mut self) {
        if self.kind == Kind::Blob && self.num > 0 {
            let len = self.byte_len() as usize;
            self.num = 0;
            if let Store::Bytes(bytes) = &mut self.store {
                bytes.resize(len, 0);
            }
        }
    }

    /// The aggregate that lives here, made by `new` if there is none.
    #[inline]
    pub(crate) fn aggregate(
        &mut self,
        new: impl FnOnce() -> Box<dyn Aggregate>,
    ) -> &mut dyn Aggregate {
        if self.kind != Kind::Object || !matches!(self.store, Store::Aggregate(_)) {
            self.store = Store::Aggregate(new());
            self.kind = Kind::Object;
            self.flags = 0;
        }
        match &mut self.store {
            Store::Aggregate(aggregate) => &mut **aggregate,
            _ => unreachable!("made an aggregate above"),
        }
    }

    /// The aggregate that lives here, if there is one.
    #[inline]
    pub(crate) fn existing_aggregate(&mut self) -> Option<&mut dyn Aggregate> {
        match &mut self.store {
            Store::Aggregate(aggregate) if self.kind == Kind::Object => Some(&mut **aggregate),
            _ => None,
        }
    }

    /// The set of rowids that lives here, made if there is none.
    pub(crate) fn rowset(&mut self) -> &mut RowSet {
        if self.kind != Kind::Object || !matches!(self.store, Store::RowSet(_)) {
            self.store = Store::RowSet(Box::default());
            self.kind = Kind::Object;
            self.flags = 0;
        }
        match &mut self.store {
            Store::RowSet(set) => set,
            _ => unreachable!("made a set above"),
        }
    }

    /// Puts all values of an IN here, for a virtual table.
    pub(crate) fn set_in_values(&mut self, values: Vec<Value>) {
        self.store = Store::Values(values.into());
        self.kind = Kind::Object;
        self.flags = 0;
    }

    /// All values of an IN, if this is what a virtual table has asked for.
    pub fn in_values(&self) -> Option<&[Value]> {
        match &self.store {
            Store::Values(values) if self.kind == Kind::Object => Some(values),
            _ => None,
        }
    }

    /// NULL, with something behind it that only code of the application can see: SQLite's "pointer passing interface".
    pub fn set_pointer(&mut self, pointer: Arc<dyn Any + Send + Sync>) {
        self.store = Store::Pointer(pointer);
        self.kind = Kind::Object;
        self.flags = 0;
    }

    /// What was set by [`set_pointer`](Mem::set_pointer).
    pub fn pointer(&self) -> Option<&(dyn Any + Send + Sync)> {
        match &self.store {
            Store::Pointer(pointer) if self.kind == Kind::Object => Some(&**pointer),
            _ => None,
        }
    }

    /// The set of rowids that lives here, if there is one.
    pub(crate) fn existing_rowset(&mut self) -> Option<&mut RowSet> {
        match &mut self.store {
            Store::RowSet(set) if self.kind == Kind::Object => Some(set),
            _ => None,
        }
    }
}

impl Clone for Mem {
    fn clone(&self) -> Mem {
        let mut mem = Mem::new();
        mem.copy_from(self);
        mem
    }
}

impl fmt::Debug for Mem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Object => f.write_str("Object"),
            Kind::Blob if self.num > 0 => {
                write!(f, "Blob({:?} + {} zeros)", self.bytes(), self.num)
            }
            _ => self.as_value_ref().fmt(f),
        }
    }
}
