//! Values: what `sqlite3_value*` points to, and its conversions.
//!
//! ```text
//!   sqlite3_value ── mem ──▶ a register of the statement (a column, an argument), or `own`
//!                └─ text, wide: its other forms, made when they are first asked for
//! ```
//!
//! Rules:
//! 1. A pointer that was given out stays good until the value changes: the row is left, the function returns, the value is
//!    freed. Buffers are kept from row to row.
//! 2. A text is given out with a NUL behind it, of 8 or 16 bits.
//! 3. A value that is a copy owns its register; one of a row or a call only points to one, and is pointed elsewhere before
//!    that goes.
//!
//! Source: SQLite's "Obtaining SQL Values".

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_char, c_double, c_int, c_uint, c_void};
use std::sync::Arc;

use ringwood_format::value::{TextEncoding, ValueType};
use ringwood_vdbe::Mem;

use crate::boundary::{
    Destructor, NATIVE_UTF16, c_api, destroy, from_handle, into_handle, object, text,
};
use crate::code;

/// A value.
#[allow(non_camel_case_types)]
pub struct sqlite3_value {
    mem: Cell<*const Mem>,
    own: UnsafeCell<Mem>,
    narrow: UnsafeCell<Form>,
    wide: UnsafeCell<Form>,
    from_bind: Cell<bool>,
    /// The list of an IN that is gone through: the next one's place, and the value that is given out.
    in_next: Cell<usize>,
    in_value: Cell<*mut sqlite3_value>,
    /// Stands for a column that an UPDATE leaves as it is.
    pub(crate) no_change: Cell<bool>,
}

/// Another form of a value.
#[derive(Default)]
struct Form {
    bytes: Vec<u8>,
    is_made: bool,
}

impl Default for sqlite3_value {
    fn default() -> sqlite3_value {
        sqlite3_value {
            mem: Cell::new(std::ptr::null()),
            own: UnsafeCell::default(),
            narrow: UnsafeCell::default(),
            wide: UnsafeCell::default(),
            from_bind: Cell::new(false),
            in_next: Cell::new(0),
            in_value: Cell::new(std::ptr::null_mut()),
            no_change: Cell::new(false),
        }
    }
}

impl Drop for sqlite3_value {
    fn drop(&mut self) {
        drop(from_handle(self.in_value.get()));
    }
}

/// A pointer that passes through SQL, with the name of its type.
pub(crate) struct Passed {
    pointer: *mut c_void,
    kind: Vec<u8>,
    destructor: Destructor,
}

// SAFETY: the pointer is only handed on, to the application that gave it, under its connection's mutex.
unsafe impl Send for Passed {}
// SAFETY: as above.
unsafe impl Sync for Passed {}

impl Passed {
    /// A register that holds the pointer.
    pub(crate) fn mem(pointer: *mut c_void, kind: *const c_char, destructor: Destructor) -> Mem {
        let passed = Passed {
            pointer,
            kind: text(kind).unwrap_or_default().to_vec(),
            destructor,
        };
        let mut mem = Mem::new();
        let shared: Arc<dyn Any + Send + Sync> = Arc::new(passed);
        mem.set_pointer(shared);
        mem
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        destroy(self.destructor, self.pointer);
    }
}

impl sqlite3_value {
    /// A value of its own.
    pub(crate) fn owned(mem: Mem) -> sqlite3_value {
        let mut value = sqlite3_value::default();
        *value.own.get_mut() = mem;
        value
    }

    /// Points to a register (rule 3); its other forms are forgotten.
    #[inline]
    pub(crate) fn point_to(&self, mem: *const Mem) {
        self.mem.set(mem);
        self.forget_forms();
    }

    #[inline]
    fn forget_forms(&self) {
        // SAFETY: nobody holds a reference to a form: those that are given out are pointers, good until now (rule 1).
        unsafe {
            (*self.narrow.get()).is_made = false;
            (*self.wide.get()).is_made = false;
        }
    }

    /// The register.
    #[inline]
    pub(crate) fn mem(&self) -> &Mem {
        let mem = self.mem.get();
        if mem.is_null() {
            // SAFETY: `own` is changed by `sqlite3_value_numeric_type` alone, between calls.
            unsafe { &*self.own.get() }
        } else {
            // SAFETY: rule 3.
            unsafe { &*mem }
        }
    }

    pub(crate) fn kind(&self) -> c_int {
        match self.mem().value_type() {
            ValueType::Integer => code::INTEGER,
            ValueType::Real => code::FLOAT,
            ValueType::Text => code::TEXT,
            ValueType::Blob => code::BLOB,
            ValueType::Null => code::NULL,
        }
    }

    /// Its text with a NUL behind it; none for NULL.
    fn narrow(&self) -> Option<&[u8]> {
        if self.kind() == code::NULL {
            return None;
        }
        // SAFETY: the form is changed while nobody reads it: once, and then not until rule 1 allows.
        let form = unsafe { &mut *self.narrow.get() };
        if !form.is_made {
            form.bytes.clear();
            form.bytes.extend_from_slice(&self.mem().to_text());
            form.bytes.push(0);
            form.is_made = true;
        }
        Some(&form.bytes)
    }

    /// The same as UTF-16.
    fn wide(&self, encoding: TextEncoding) -> Option<&[u8]> {
        let narrow = self.narrow()?;
        // SAFETY: as in `narrow`.
        let form = unsafe { &mut *self.wide.get() };
        if !form.is_made || encoding != NATIVE_UTF16 {
            form.bytes.clear();
            encoding.encode(&narrow[..narrow.len() - 1], &mut form.bytes);
            form.bytes.extend_from_slice(&[0, 0]);
            form.is_made = encoding == NATIVE_UTF16;
        }
        Some(&form.bytes)
    }

    pub(crate) fn text(&self) -> *const c_char {
        self.narrow()
            .map_or(std::ptr::null(), |t| t.as_ptr().cast())
    }

    pub(crate) fn text16(&self, encoding: TextEncoding) -> *const c_void {
        self.wide(encoding)
            .map_or(std::ptr::null(), |t| t.as_ptr().cast())
    }

    pub(crate) fn blob(&self) -> *const c_void {
        let mem = self.mem();
        let bytes = match self.kind() {
            code::TEXT | code::BLOB if mem.zeros() == 0 => mem.bytes(),
            _ => match self.narrow() {
                Some(text) => &text[..text.len() - 1],
                None => &[],
            },
        };
        if bytes.is_empty() {
            std::ptr::null()
        } else {
            bytes.as_ptr().cast()
        }
    }

    pub(crate) fn byte_count(&self) -> c_int {
        match self.kind() {
            code::NULL => 0,
            code::TEXT | code::BLOB => self.mem().byte_len() as c_int,
            _ => self.narrow().map_or(0, |text| text.len() - 1) as c_int,
        }
    }

    pub(crate) fn byte_count16(&self) -> c_int {
        if self.kind() == code::BLOB {
            return self.byte_count();
        }
        self.wide(NATIVE_UTF16).map_or(0, |text| text.len() - 2) as c_int
    }
}

c_api! {
    /// The bytes of a blob or a text, or of a number's text; null for NULL and for none.
    fn sqlite3_value_blob(value: *mut sqlite3_value) -> *const c_void = std::ptr::null() => {
        object(value).map_or(std::ptr::null(), sqlite3_value::blob)
    }

    /// The value as a real.
    fn sqlite3_value_double(value: *mut sqlite3_value) -> c_double = 0.0 => {
        object(value).map_or(0.0, |v| v.mem().to_real())
    }

    /// The lower 32 bits of the value as an integer.
    fn sqlite3_value_int(value: *mut sqlite3_value) -> c_int = 0 => {
        object(value).map_or(0, |v| v.mem().to_int() as c_int)
    }

    /// The value as an integer.
    fn sqlite3_value_int64(value: *mut sqlite3_value) -> i64 = 0 => {
        object(value).map_or(0, |v| v.mem().to_int())
    }

    /// The pointer that was passed under that name of a type; else null.
    fn sqlite3_value_pointer(value: *mut sqlite3_value, kind: *const c_char) -> *mut c_void
    = std::ptr::null_mut() => {
        let passed = object(value).and_then(|v| v.mem().pointer());
        match (passed.and_then(|p| p.downcast_ref::<Passed>()), text(kind)) {
            (Some(passed), Some(kind)) if passed.kind == kind => passed.pointer,
            _ => std::ptr::null_mut(),
        }
    }

    /// The value as UTF-8; null for NULL.
    fn sqlite3_value_text(value: *mut sqlite3_value) -> *const c_char = std::ptr::null() => {
        object(value).map_or(std::ptr::null(), sqlite3_value::text)
    }

    /// The value as UTF-16 in the machine's order; null for NULL.
    fn sqlite3_value_text16(value: *mut sqlite3_value) -> *const c_void = std::ptr::null() => {
        object(value).map_or(std::ptr::null(), |v| v.text16(NATIVE_UTF16))
    }

    /// The value as UTF-16, the low byte first.
    fn sqlite3_value_text16le(value: *mut sqlite3_value) -> *const c_void = std::ptr::null() => {
        object(value).map_or(std::ptr::null(), |v| v.text16(TextEncoding::Utf16le))
    }

    /// The value as UTF-16, the high byte first.
    fn sqlite3_value_text16be(value: *mut sqlite3_value) -> *const c_void = std::ptr::null() => {
        object(value).map_or(std::ptr::null(), |v| v.text16(TextEncoding::Utf16be))
    }

    /// Bytes of the blob, or of the text as UTF-8.
    fn sqlite3_value_bytes(value: *mut sqlite3_value) -> c_int = 0 => {
        object(value).map_or(0, sqlite3_value::byte_count)
    }

    /// Bytes of the blob, or of the text as UTF-16.
    fn sqlite3_value_bytes16(value: *mut sqlite3_value) -> c_int = 0 => {
        object(value).map_or(0, sqlite3_value::byte_count16)
    }

    /// The storage class.
    fn sqlite3_value_type(value: *mut sqlite3_value) -> c_int = code::NULL => {
        object(value).map_or(code::NULL, sqlite3_value::kind)
    }

    /// The storage class, where a text that is a number as a whole becomes that number.
    fn sqlite3_value_numeric_type(value: *mut sqlite3_value) -> c_int = code::NULL => {
        let Some(value) = object(value) else { return code::NULL };
        if value.kind() == code::TEXT {
            if let Some(number) = value.mem().numeric() {
                let mut mem = Mem::new();
                match number {
                    ringwood_format::number::Number::Integer(i) => mem.set_int(i),
                    ringwood_format::number::Number::Real(r) => mem.set_real(r),
                }
                // SAFETY: no reference to `own` is alive: `mem()` lends it within a call only.
                unsafe { *value.own.get() = mem };
                value.point_to(std::ptr::null());
            }
        }
        value.kind()
    }

    /// Whether it stands for a column that an UPDATE of a virtual table leaves as it is.
    fn sqlite3_value_nochange(value: *mut sqlite3_value) -> c_int = 0 => {
        c_int::from(object(value).is_some_and(|v| v.no_change.get()))
    }

    /// Whether it comes from a parameter. Only known of values that the caller has bound itself.
    fn sqlite3_value_frombind(value: *mut sqlite3_value) -> c_int = 0 => {
        c_int::from(object(value).is_some_and(|v| v.from_bind.get()))
    }

    /// The encoding in which the value is kept: UTF-8.
    fn sqlite3_value_encoding(_value: *mut sqlite3_value) -> c_int = code::UTF8 => {
        code::UTF8
    }

    /// The subtype, 0 without one.
    fn sqlite3_value_subtype(value: *mut sqlite3_value) -> c_uint = 0 => {
        object(value).map_or(0, |v| c_uint::from(v.mem().subtype()))
    }

    /// A copy, to be freed by `sqlite3_value_free`.
    fn sqlite3_value_dup(value: *const sqlite3_value) -> *mut sqlite3_value
    = std::ptr::null_mut() => {
        match object(value) {
            Some(value) => into_handle(sqlite3_value::owned(value.mem().clone())),
            None => std::ptr::null_mut(),
        }
    }

    /// Frees a copy.
    fn sqlite3_value_free(value: *mut sqlite3_value) => {
        drop(from_handle(value));
    }

    /// The first value of an IN that a virtual table gets as a whole.
    fn sqlite3_vtab_in_first(list: *mut sqlite3_value, out: *mut *mut sqlite3_value) -> c_int
    = code::INTERNAL => {
        if let Some(list) = object(list) {
            list.in_next.set(0);
        }
        next_of_in(list, out)
    }

    /// The next value of an IN.
    fn sqlite3_vtab_in_next(list: *mut sqlite3_value, out: *mut *mut sqlite3_value) -> c_int
    = code::INTERNAL => {
        next_of_in(list, out)
    }
}

fn next_of_in(list: *mut sqlite3_value, out: *mut *mut sqlite3_value) -> c_int {
    crate::boundary::put(out, std::ptr::null_mut());
    let Some(list) = object(list) else {
        return code::MISUSE;
    };
    let Some(values) = list.mem().in_values() else {
        return code::ERROR;
    };
    let at = list.in_next.get();
    let Some(value) = values.get(at) else {
        return code::DONE;
    };
    list.in_next.set(at + 1);
    let made = into_handle(sqlite3_value::owned(Mem::from_value(value.clone())));
    drop(from_handle(list.in_value.replace(made)));
    crate::boundary::put(out, made);
    code::OK
}
