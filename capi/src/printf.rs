//! Formatted text: the mprintf family, and `sqlite3_str`.
//!
//! A format is read once to fetch its arguments as C passes them; what they look like is the SQL function's business
//! (`ringwood_vdbe::func::printf`), which knows the same conversions.
//!
//! | conversion | argument |
//! |---|---|
//! | `d i` | int, long with `l`, 64 bits with `ll`; `*` as a width or precision is an int |
//! | `u x X o r c` | the same without sign; `c` is a character's number |
//! | `f e E g G` | double |
//! | `s z q Q w j J` | a text that ends with its NUL, or at the precision; `z` is freed |
//! | `p` | a pointer |
//!
//! Source: SQLite's `sqlite3_mprintf`, "Custom Formatted Output".

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};

use ringwood_vdbe::Mem;

use crate::boundary::{
    bytes, bytes_mut, c_api, counted, from_handle, guard, into_handle, object, text,
};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::memory;
use crate::variadic::{Arguments, Taker, Text};

/// The longest text.
const LENGTH_MAX: u64 = 1_000_000_000;

/// What a conversion says about its argument.
#[derive(Default)]
struct Conversion {
    longs: u32,
    precision: Option<usize>,
    counts_characters: bool,
}

/// Fetches the arguments of a format (the table above).
fn fetch(format: &[u8], arguments: Taker) -> Vec<Mem> {
    let mut mems = Vec::new();
    let mut at = 0;
    while let Some(found) = format[at..].iter().position(|b| *b == b'%') {
        at += found + 1;
        let mut spec = Conversion::default();
        let mut in_precision = false;
        loop {
            let Some(byte) = format.get(at) else {
                return mems;
            };
            match byte {
                b'*' => {
                    let n = arguments.int();
                    let mut mem = Mem::new();
                    mem.set_int(i64::from(n));
                    mems.push(mem);
                    if in_precision {
                        spec.precision = Some(n.unsigned_abs() as usize);
                    }
                }
                b'.' => {
                    in_precision = true;
                    spec.precision = Some(0);
                }
                b'l' => spec.longs += 1,
                b'!' => spec.counts_characters = true,
                digit @ b'0'..=b'9' if in_precision => {
                    let n = spec.precision.unwrap_or(0);
                    spec.precision = Some(n.saturating_mul(10) + usize::from(digit - b'0'));
                }
                b'-' | b'+' | b' ' | b'#' | b'0'..=b'9' | b',' => {}
                _ => break,
            }
            at += 1;
        }
        if let Some(mem) = argument(format[at], &spec, arguments) {
            mems.push(mem);
        }
        at += 1;
    }
    mems
}

fn argument(conversion: u8, spec: &Conversion, arguments: Taker) -> Option<Mem> {
    let mut mem = Mem::new();
    match conversion {
        b'd' | b'i' => mem.set_int(match spec.longs {
            0 => i64::from(arguments.int()),
            1 => arguments.long(),
            _ => arguments.int64(),
        }),
        b'u' | b'x' | b'X' | b'o' | b'r' => mem.set_int(match spec.longs {
            0 if conversion == b'r' => i64::from(arguments.int()),
            0 => i64::from(arguments.int() as u32),
            1 => arguments.long(),
            _ => arguments.int64(),
        }),
        b'p' => mem.set_int(arguments.pointer::<c_void>() as i64),
        b'f' | b'e' | b'E' | b'g' | b'G' => mem.set_real(arguments.double()),
        b'c' => {
            let number = arguments.int() as u32;
            let mut out = Vec::new();
            ringwood_format::encoding::push_code_point(&mut out, number);
            mem.set_text_vec(out);
        }
        b's' | b'z' | b'q' | b'Q' | b'w' | b'j' | b'J' => {
            let pointer = arguments.pointer::<Text>();
            if !pointer.is_null() {
                mem.set_text(match spec.precision {
                    // A text may go on behind its precision, without an end.
                    Some(most) if !spec.counts_characters => {
                        // SAFETY: `most` bytes, or as many as there are up to a NUL, are the caller's.
                        let length = unsafe { libc::strnlen(pointer, most) };
                        bytes(pointer.cast(), length)
                    }
                    _ => text(pointer).unwrap_or_default(),
                });
                if conversion == b'z' {
                    memory::release(pointer.cast());
                }
            }
        }
        _ => return None,
    }
    Some(mem)
}

/// The formatted text; none if it would be too long.
fn formatted(format: *const c_char, arguments: *mut Arguments) -> Option<Vec<u8>> {
    let format = text(format)?;
    let fetched = fetch(format, Taker(arguments));
    ringwood_vdbe::func::printf::format(format, fetched, LENGTH_MAX).ok()
}

/// `sqlite3_mprintf` and `sqlite3_vmprintf`: behind the shims.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_mprintf(
    format: *const c_char,
    arguments: *mut Arguments,
) -> *mut c_char {
    guard(std::ptr::null_mut(), || {
        match formatted(format, arguments) {
            Some(text) => memory::text_of(&text),
            None => std::ptr::null_mut(),
        }
    })
}

/// `sqlite3_snprintf` and `sqlite3_vsnprintf`: behind the shims.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_snprintf(
    n: c_int,
    buffer: *mut c_char,
    format: *const c_char,
    arguments: *mut Arguments,
) -> *mut c_char {
    guard(buffer, || {
        let Ok(room @ 1..) = usize::try_from(n) else {
            return buffer;
        };
        let text = formatted(format, arguments).unwrap_or_default();
        let length = text.len().min(room - 1);
        let out = bytes_mut(buffer.cast(), length + 1);
        if out.len() == length + 1 {
            out[..length].copy_from_slice(&text[..length]);
            out[length] = 0;
        }
        buffer
    })
}

/// `sqlite3_log`: behind the shim.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_log(
    code: c_int,
    format: *const c_char,
    arguments: *mut Arguments,
) {
    guard((), || {
        let message = formatted(format, arguments).unwrap_or_default();
        crate::config::log(code, &message);
    });
}

/// A text that grows.
#[allow(non_camel_case_types)]
pub struct sqlite3_str {
    /// With a NUL behind it.
    text: RefCell<Vec<u8>>,
    error: Cell<c_int>,
    length_max: usize,
}

impl sqlite3_str {
    fn push(&self, more: &[u8]) {
        let mut text = self.text.borrow_mut();
        if self.error.get() != code::OK {
            return;
        }
        if text.len() + more.len() > self.length_max {
            self.error.set(code::TOOBIG);
            text.clear();
            return;
        }
        text.pop();
        text.extend_from_slice(more);
        text.push(0);
    }

    fn len(&self) -> usize {
        self.text.borrow().len().saturating_sub(1)
    }

    fn finish(&self) -> *mut c_char {
        let text = std::mem::take(&mut *self.text.borrow_mut());
        match text.split_last() {
            Some((_, text)) if !text.is_empty() && self.error.get() == code::OK => {
                memory::text_of(text)
            }
            _ => std::ptr::null_mut(),
        }
    }
}

/// `sqlite3_str_appendf` and `sqlite3_str_vappendf`: behind the shims.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_str_appendf(
    it: *mut sqlite3_str,
    format: *const c_char,
    arguments: *mut Arguments,
) {
    guard((), || {
        if let Some(it) = object(it) {
            match formatted(format, arguments) {
                Some(text) => it.push(&text),
                None => it.error.set(code::TOOBIG),
            }
        }
    });
}

c_api! {
    /// An empty text.
    fn sqlite3_str_new(db: *mut sqlite3) -> *mut sqlite3_str = std::ptr::null_mut() => {
        let limit = connection(db).map_or(LENGTH_MAX as usize, |db| {
            db.glance(0, |conn| conn.limit(ringwood::local::Limit::Length)) as usize
        });
        into_handle(sqlite3_str {
            text: RefCell::default(), error: Cell::new(code::OK), length_max: limit,
        })
    }

    /// The text, which the caller frees; null for an empty one. The object is gone.
    fn sqlite3_str_finish(it: *mut sqlite3_str) -> *mut c_char = std::ptr::null_mut() => {
        from_handle(it).map_or(std::ptr::null_mut(), |it| it.finish())
    }

    /// The object with its text is gone.
    fn sqlite3_str_free(it: *mut sqlite3_str) => {
        drop(from_handle(it));
    }

    /// Appends that many bytes.
    fn sqlite3_str_append(it: *mut sqlite3_str, more: *const c_char, length: c_int) => {
        if let Some(it) = object(it) {
            it.push(counted(more, length));
        }
    }

    /// Appends a text.
    fn sqlite3_str_appendall(it: *mut sqlite3_str, more: *const c_char) => {
        if let Some(it) = object(it) {
            it.push(text(more).unwrap_or_default());
        }
    }

    /// Appends a character some times.
    fn sqlite3_str_appendchar(it: *mut sqlite3_str, count: c_int, character: c_char) => {
        if let Some(it) = object(it) {
            it.push(&vec![character as u8; usize::try_from(count).unwrap_or(0)]);
        }
    }

    /// Makes it empty, and forgets an error.
    fn sqlite3_str_reset(it: *mut sqlite3_str) => {
        if let Some(it) = object(it) {
            it.text.borrow_mut().clear();
            it.error.set(code::OK);
        }
    }

    /// Makes it that short.
    fn sqlite3_str_truncate(it: *mut sqlite3_str, length: c_int) => {
        if let (Some(it), Ok(length)) = (object(it), usize::try_from(length)) {
            if length < it.len() {
                let mut text = it.text.borrow_mut();
                text.truncate(length);
                text.push(0);
            }
        }
    }

    /// Why nothing more is appended.
    fn sqlite3_str_errcode(it: *mut sqlite3_str) -> c_int = code::INTERNAL => {
        object(it).map_or(code::NOMEM, |it| it.error.get())
    }

    /// Its length in bytes.
    fn sqlite3_str_length(it: *mut sqlite3_str) -> c_int = 0 => {
        object(it).map_or(0, sqlite3_str::len) as c_int
    }

    /// The text, until it is changed; null for an empty one.
    fn sqlite3_str_value(it: *mut sqlite3_str) -> *mut c_char = std::ptr::null_mut() => {
        let Some(it) = object(it).filter(|it| it.len() > 0) else { return std::ptr::null_mut() };
        it.text.borrow_mut().as_mut_ptr().cast()
    }

    /// The text as the result of a function.
    fn sqlite3_result_str(
        cx: *mut crate::function::sqlite3_context, it: *mut sqlite3_str, free: c_int,
    ) => {
        if let (Some(cx), Some(it)) = (crate::function::context(cx), object(it)) {
            match it.error.get() {
                code::OK => cx.set(|mem| mem.set_text(it.text.borrow().split_last().map_or(&[], |t| t.1))),
                error => cx.fail(crate::error::Failure::code(error)),
            }
        }
        if free != 0 {
            drop(from_handle(it));
        }
    }
}
