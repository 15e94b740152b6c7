//! Setting parameters.
//!
//! Values are copied; the destructor of what is copied is called at once, so that SQLITE_STATIC and SQLITE_TRANSIENT are
//! the same.
//!
//! Source: SQLite's "Binding Values To Prepared Statements".

use std::ffi::{c_char, c_double, c_int, c_uchar, c_void};

use ringwood_format::value::TextEncoding;
use ringwood_vdbe::Mem;

use crate::boundary::{
    Destructor, bytes, c_api, counted, counted16, destroy, from_utf16, is_transient, object,
};
use crate::code;
use crate::error::Failure;
use crate::statement::{sqlite3_stmt, statement};
use crate::value::{Passed, sqlite3_value};

/// The longest text or blob.
const LENGTH_MAX: u64 = 0x7fff_fffe;

fn bind(handle: *mut sqlite3_stmt, index: c_int, make: impl FnOnce(&mut Mem)) -> c_int {
    let Some(it) = statement(handle) else {
        return code::MISUSE;
    };
    let db = it.connection();
    let _held = db.lock();
    let Ok(mut inner) = it.inner.try_borrow_mut() else {
        return db.fail(Failure::code(code::MISUSE));
    };
    if inner.is_running() {
        return db.fail(Failure::code(code::MISUSE));
    }
    let Some(index) = usize::try_from(index).ok().filter(|i| *i > 0) else {
        return db.fail(Failure::code(code::RANGE));
    };
    let mut value = Mem::new();
    make(&mut value);
    if value.byte_len()
        > db.glance(u64::MAX, |conn| {
            conn.limit(ringwood::local::Limit::Length) as u64
        })
    {
        return db.fail(Failure::code(code::TOOBIG));
    }
    let bound = inner.bind_mem(index, value).map_err(Failure::from);
    db.settle(bound)
}

/// Text in some encoding as UTF-8.
pub(crate) fn decoded(text: &[u8], encoding: c_int) -> Vec<u8> {
    let encoding = match encoding {
        code::UTF16 | code::UTF16_ALIGNED => crate::boundary::NATIVE_UTF16,
        code::UTF16LE => TextEncoding::Utf16le,
        code::UTF16BE => TextEncoding::Utf16be,
        _ => return text.to_vec(),
    };
    let mut out = Vec::with_capacity(text.len());
    encoding.decode(text, &mut out);
    out
}

fn bind_bytes(
    handle: *mut sqlite3_stmt,
    index: c_int,
    data: *const c_void,
    length: u64,
    destructor: Destructor,
    make: impl FnOnce(&mut Mem, &[u8]),
) -> c_int {
    let rc = if length > LENGTH_MAX {
        code::TOOBIG
    } else {
        bind(handle, index, |value| {
            if !data.is_null() {
                make(value, bytes(data, length as usize));
            }
        })
    };
    if !is_transient(destructor) {
        destroy(destructor, data.cast_mut());
    }
    rc
}

c_api! {
    /// Binds a blob.
    fn sqlite3_bind_blob(
        handle: *mut sqlite3_stmt, index: c_int, data: *const c_void, length: c_int,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        let Ok(length) = u64::try_from(length) else { return code::MISUSE };
        bind_bytes(handle, index, data, length, destructor, Mem::set_blob)
    }

    /// Binds a blob.
    fn sqlite3_bind_blob64(
        handle: *mut sqlite3_stmt, index: c_int, data: *const c_void, length: u64,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        bind_bytes(handle, index, data, length, destructor, Mem::set_blob)
    }

    /// Binds a real.
    fn sqlite3_bind_double(handle: *mut sqlite3_stmt, index: c_int, value: c_double) -> c_int
    = code::INTERNAL => {
        bind(handle, index, |mem| mem.set_real(value))
    }

    /// Binds an integer.
    fn sqlite3_bind_int(handle: *mut sqlite3_stmt, index: c_int, value: c_int) -> c_int
    = code::INTERNAL => {
        bind(handle, index, |mem| mem.set_int(i64::from(value)))
    }

    /// Binds an integer.
    fn sqlite3_bind_int64(handle: *mut sqlite3_stmt, index: c_int, value: i64) -> c_int
    = code::INTERNAL => {
        bind(handle, index, |mem| mem.set_int(value))
    }

    /// Binds NULL.
    fn sqlite3_bind_null(handle: *mut sqlite3_stmt, index: c_int) -> c_int = code::INTERNAL => {
        bind(handle, index, Mem::set_null)
    }

    /// Binds a text; a negative length means up to its NUL.
    fn sqlite3_bind_text(
        handle: *mut sqlite3_stmt, index: c_int, data: *const c_char, length: c_int,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        let length = counted(data, length).len() as u64;
        bind_bytes(handle, index, data.cast(), length, destructor, Mem::set_text)
    }

    /// Binds a text in UTF-16.
    fn sqlite3_bind_text16(
        handle: *mut sqlite3_stmt, index: c_int, data: *const c_void, length: c_int,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        let length = counted16(data, i64::from(length)).len() as u64;
        bind_bytes(handle, index, data, length, destructor, |mem, text| {
            mem.set_text_vec(from_utf16(text));
        })
    }

    /// Binds a text in that encoding.
    fn sqlite3_bind_text64(
        handle: *mut sqlite3_stmt, index: c_int, data: *const c_char, length: u64,
        destructor: Destructor, encoding: c_uchar,
    ) -> c_int = code::INTERNAL => {
        bind_bytes(handle, index, data.cast(), length, destructor, |mem, text| {
            mem.set_text_vec(decoded(text, c_int::from(encoding)));
        })
    }

    /// Binds a copy of a value.
    fn sqlite3_bind_value(handle: *mut sqlite3_stmt, index: c_int, value: *const sqlite3_value)
    -> c_int = code::INTERNAL => {
        let Some(value) = object(value) else { return code::MISUSE };
        bind(handle, index, |mem| *mem = value.mem().clone())
    }

    /// Binds NULL with a pointer behind it.
    fn sqlite3_bind_pointer(
        handle: *mut sqlite3_stmt, index: c_int, pointer: *mut c_void, kind: *const c_char,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        let value = Passed::mem(pointer, kind, destructor);
        bind(handle, index, |mem| *mem = value)
    }

    /// Binds a blob of zeros.
    fn sqlite3_bind_zeroblob(handle: *mut sqlite3_stmt, index: c_int, length: c_int) -> c_int
    = code::INTERNAL => {
        bind(handle, index, |mem| mem.set_zeroblob(u64::try_from(length).unwrap_or(0)))
    }

    /// Binds a blob of zeros.
    fn sqlite3_bind_zeroblob64(handle: *mut sqlite3_stmt, index: c_int, length: u64) -> c_int
    = code::INTERNAL => {
        if length > LENGTH_MAX {
            return code::TOOBIG;
        }
        bind(handle, index, |mem| mem.set_zeroblob(length))
    }
}
