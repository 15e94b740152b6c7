//! The boundary: how a call from C becomes a call of Rust.
//!
//! Rules:
//! 1. Every exported function is written with [`c_api!`]: its body is safe code in a `catch_unwind`; a panic becomes the
//!    value after `=`, and goes no further.
//! 2. Pointers of the caller become references here and nowhere else, once they have been looked at: null, and for
//!    handles the magic word at their start. What cannot be looked at (that a pointer is valid at all, that a text ends) is
//!    what SQLite's documentation asks of the caller too.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a body (rule 1).
#[inline]
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// Defines exported functions: `fn name(args) -> type = fallback => { body }`.
macro_rules! c_api {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $(= $fallback:expr)? => $body:block)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[allow(clippy::unused_unit)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            $crate::boundary::guard(c_api!(@or $($fallback)?), || $body)
        }
    )*};
    (@or $fallback:expr) => { $fallback };
    (@or) => { () };
}
pub(crate) use c_api;

/// What SQLite calls to give memory back.
pub type Destructor = Option<unsafe extern "C" fn(*mut c_void)>;

/// Whether that is `SQLITE_TRANSIENT`.
pub(crate) fn is_transient(destructor: Destructor) -> bool {
    destructor.is_some_and(|f| f as usize == usize::MAX)
}

/// Calls a destructor, if there is one to call: none for SQLITE_STATIC and SQLITE_TRANSIENT.
pub(crate) fn destroy(destructor: Destructor, data: *mut c_void) {
    if let Some(f) = destructor.filter(|_| !is_transient(destructor)) {
        // SAFETY: the caller gave it for this pointer; each pointer is given back once.
        unsafe { f(data) }
    }
}

/// The object behind a pointer, if there is one.
#[inline]
pub(crate) fn object<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: rule 2. Objects behind handles have interior mutability only, so that shared references are all there is.
    unsafe { pointer.as_ref() }
}

/// Writes through a pointer of the caller, if it is not null.
#[inline]
pub(crate) fn put<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: rule 2: the caller's variable.
        unsafe { to.write(value) }
    }
}

/// A text of the caller without its NUL.
#[inline]
pub(crate) fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: rule 2: it ends with a NUL.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The same as UTF-8; what is not is repaired.
pub(crate) fn name(name: *const c_char) -> Option<String> {
    text(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// `length` bytes of the caller.
#[inline]
pub(crate) fn bytes<'a>(pointer: *const c_void, length: usize) -> &'a [u8] {
    if pointer.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: rule 2.
    unsafe { std::slice::from_raw_parts(pointer.cast(), length) }
}

/// `length` bytes of the caller to write to.
#[inline]
pub(crate) fn bytes_mut<'a>(pointer: *mut c_void, length: usize) -> &'a mut [u8] {
    if pointer.is_null() || length == 0 {
        return &mut [];
    }
    // SAFETY: rule 2.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast(), length) }
}

/// `count` things of the caller.
pub(crate) fn items<'a, T>(pointer: *const T, count: usize) -> &'a [T] {
    if pointer.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: rule 2.
    unsafe { std::slice::from_raw_parts(pointer, count) }
}

/// `count` things of the caller to write to.
pub(crate) fn items_mut<'a, T>(pointer: *mut T, count: usize) -> &'a mut [T] {
    if pointer.is_null() || count == 0 {
        return &mut [];
    }
    // SAFETY: rule 2.
    unsafe { std::slice::from_raw_parts_mut(pointer, count) }
}

/// A text whose length is given in bytes, or by a NUL if it is negative.
pub(crate) fn counted<'a>(pointer: *const c_char, length: c_int) -> &'a [u8] {
    match usize::try_from(length) {
        Ok(length) => bytes(pointer.cast(), length),
        Err(_) => text(pointer).unwrap_or_default(),
    }
}

/// Bytes of a UTF-16 text up to its two NULs, or `length` bytes if that is not negative; an odd one is left out.
pub(crate) fn counted16<'a>(pointer: *const c_void, length: i64) -> &'a [u8] {
    if pointer.is_null() {
        return &[];
    }
    let length = usize::try_from(length).unwrap_or_else(|_| {
        let mut units = 0;
        let start: *const u16 = pointer.cast();
        // SAFETY: rule 2: the text ends with a unit of 0; C's texts of this kind may stand at any address.
        while unsafe { start.add(units).read_unaligned() } != 0 {
            units += 1;
        }
        2 * units
    });
    bytes(pointer, length & !1)
}

/// UTF-16 in the machine's order as UTF-8.
pub(crate) fn from_utf16(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    NATIVE_UTF16.decode(text, &mut out);
    out
}

/// UTF-8 as UTF-16 in the machine's order, with two NULs behind it.
pub(crate) fn to_utf16(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * text.len() + 2);
    NATIVE_UTF16.encode(text, &mut out);
    out.extend_from_slice(&[0, 0]);
    out
}

/// UTF-16 in the machine's order.
pub(crate) const NATIVE_UTF16: ringwood_format::value::TextEncoding = if cfg!(target_endian = "big")
{
    ringwood_format::value::TextEncoding::Utf16be
} else {
    ringwood_format::value::TextEncoding::Utf16le
};

/// A C string; it ends at its first NUL.
pub(crate) fn c_string(text: impl AsRef<[u8]>) -> CString {
    let text = text.as_ref();
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Makes a handle.
pub(crate) fn into_handle<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Takes a handle back.
pub(crate) fn from_handle<T>(handle: *mut T) -> Option<Box<T>> {
    // SAFETY: handles come from `into_handle`, and whoever asks for this has seen that it is still one.
    (!handle.is_null()).then(|| unsafe { Box::from_raw(handle) })
}
