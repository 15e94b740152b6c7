//! Results of functions.
//!
//! Source: SQLite's "Setting The Result Of An SQL Function".

use std::ffi::{c_char, c_double, c_int, c_uchar, c_uint, c_void};

use ringwood_format::value::TextEncoding;
use ringwood_vdbe::Mem;

use crate::bind::decoded;
use crate::boundary::{
    Destructor, bytes, c_api, counted, counted16, destroy, from_utf16, is_transient, object,
};
use crate::code;
use crate::error::Failure;
use crate::function::{context, sqlite3_context};
use crate::value::{Passed, sqlite3_value};

fn set_bytes(
    cx: *mut sqlite3_context,
    data: *const c_void,
    length: u64,
    destructor: Destructor,
    make: impl FnOnce(&mut Mem, &[u8]),
) {
    if let Some(cx) = context(cx) {
        if length > cx.length_max() {
            cx.fail(Failure::code(code::TOOBIG));
        } else if data.is_null() {
            cx.set(Mem::set_null);
        } else {
            cx.set(|mem| make(mem, bytes(data, length as usize)));
        }
    }
    if !is_transient(destructor) {
        destroy(destructor, data.cast_mut());
    }
}

fn set(cx: *mut sqlite3_context, write: impl FnOnce(&mut Mem)) {
    if let Some(cx) = context(cx) {
        cx.set(write);
    }
}

fn fail(cx: *mut sqlite3_context, failure: Failure) {
    if let Some(cx) = context(cx) {
        cx.fail(failure);
    }
}

fn text16(
    cx: *mut sqlite3_context,
    data: *const c_void,
    length: c_int,
    destructor: Destructor,
    encoding: TextEncoding,
) {
    let length = counted16(data, i64::from(length)).len() as u64;
    set_bytes(cx, data, length, destructor, |mem, text| {
        let mut out = Vec::with_capacity(text.len());
        encoding.decode(text, &mut out);
        mem.set_text_vec(out);
    });
}

c_api! {
    /// A blob.
    fn sqlite3_result_blob(
        cx: *mut sqlite3_context, data: *const c_void, length: c_int, destructor: Destructor,
    ) => {
        set_bytes(cx, data, u64::try_from(length).unwrap_or(0), destructor, Mem::set_blob);
    }

    /// A blob.
    fn sqlite3_result_blob64(
        cx: *mut sqlite3_context, data: *const c_void, length: u64, destructor: Destructor,
    ) => {
        set_bytes(cx, data, length, destructor, Mem::set_blob);
    }

    /// A real.
    fn sqlite3_result_double(cx: *mut sqlite3_context, value: c_double) => {
        set(cx, |mem| mem.set_real(value));
    }

    /// An error with a message.
    fn sqlite3_result_error(cx: *mut sqlite3_context, message: *const c_char, length: c_int) => {
        fail(cx, Failure::new(code::ERROR, counted(message, length)));
    }

    /// An error with a message in UTF-16.
    fn sqlite3_result_error16(cx: *mut sqlite3_context, message: *const c_void, length: c_int) => {
        let message = from_utf16(counted16(message, i64::from(length)));
        fail(cx, Failure::new(code::ERROR, message));
    }

    /// "string or blob too big".
    fn sqlite3_result_error_toobig(cx: *mut sqlite3_context) => {
        fail(cx, Failure::code(code::TOOBIG));
    }

    /// "out of memory".
    fn sqlite3_result_error_nomem(cx: *mut sqlite3_context) => {
        fail(cx, Failure::code(code::NOMEM));
    }

    /// The code of the error; a message that was set stays.
    fn sqlite3_result_error_code(cx: *mut sqlite3_context, code: c_int) => {
        if let Some(cx) = context(cx) {
            let message = cx.error.borrow_mut().take().and_then(|e| e.message);
            cx.fail(Failure { code: if code == 0 { -1 } else { code }, message, offset: None });
        }
    }

    /// An integer.
    fn sqlite3_result_int(cx: *mut sqlite3_context, value: c_int) => {
        set(cx, |mem| mem.set_int(i64::from(value)));
    }

    /// An integer.
    fn sqlite3_result_int64(cx: *mut sqlite3_context, value: i64) => {
        set(cx, |mem| mem.set_int(value));
    }

    /// NULL.
    fn sqlite3_result_null(cx: *mut sqlite3_context) => {
        set(cx, Mem::set_null);
    }

    /// A text; a negative length means up to its NUL.
    fn sqlite3_result_text(
        cx: *mut sqlite3_context, data: *const c_char, length: c_int, destructor: Destructor,
    ) => {
        let length = counted(data, length).len() as u64;
        set_bytes(cx, data.cast(), length, destructor, Mem::set_text);
    }

    /// A text in that encoding.
    fn sqlite3_result_text64(
        cx: *mut sqlite3_context, data: *const c_char, length: u64, destructor: Destructor,
        encoding: c_uchar,
    ) => {
        set_bytes(cx, data.cast(), length, destructor, |mem, text| {
            mem.set_text_vec(decoded(text, c_int::from(encoding)));
        });
    }

    /// A text in UTF-16 in the machine's order.
    fn sqlite3_result_text16(
        cx: *mut sqlite3_context, data: *const c_void, length: c_int, destructor: Destructor,
    ) => {
        text16(cx, data, length, destructor, crate::boundary::NATIVE_UTF16);
    }

    /// A text in UTF-16, the low byte first.
    fn sqlite3_result_text16le(
        cx: *mut sqlite3_context, data: *const c_void, length: c_int, destructor: Destructor,
    ) => {
        text16(cx, data, length, destructor, TextEncoding::Utf16le);
    }

    /// A text in UTF-16, the high byte first.
    fn sqlite3_result_text16be(
        cx: *mut sqlite3_context, data: *const c_void, length: c_int, destructor: Destructor,
    ) => {
        text16(cx, data, length, destructor, TextEncoding::Utf16be);
    }

    /// A copy of a value.
    fn sqlite3_result_value(cx: *mut sqlite3_context, value: *mut sqlite3_value) => {
        if let Some(value) = object(value) {
            set(cx, |mem| mem.copy_from(value.mem()));
        }
    }

    /// NULL with a pointer behind it.
    fn sqlite3_result_pointer(
        cx: *mut sqlite3_context, pointer: *mut c_void, kind: *const c_char, destructor: Destructor,
    ) => {
        let value = Passed::mem(pointer, kind, destructor);
        set(cx, |mem| *mem = value);
    }

    /// A blob of zeros.
    fn sqlite3_result_zeroblob(cx: *mut sqlite3_context, length: c_int) => {
        zeroblob(cx, u64::try_from(length).unwrap_or(0));
    }

    /// A blob of zeros.
    fn sqlite3_result_zeroblob64(cx: *mut sqlite3_context, length: u64) -> c_int
    = code::INTERNAL => {
        zeroblob(cx, length)
    }

    /// The subtype of the result.
    fn sqlite3_result_subtype(cx: *mut sqlite3_context, subtype: c_uint) => {
        if let Some(cx) = context(cx) {
            // SAFETY: as in `sqlite3_context::set`.
            unsafe { (*cx.out).set_subtype(subtype as u8) };
        }
    }
}

fn zeroblob(cx: *mut sqlite3_context, length: u64) -> c_int {
    let Some(cx) = context(cx) else {
        return code::MISUSE;
    };
    if length > cx.length_max() {
        cx.fail(Failure::code(code::TOOBIG));
        return code::TOOBIG;
    }
    cx.set(|mem| mem.set_zeroblob(length));
    code::OK
}
