//! Memory that crosses the boundary: C's own `malloc`, counted.
//!
//! Source: SQLite's "Memory Allocation Subsystem".

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::boundary::{bytes_mut, c_api};

static USED: AtomicI64 = AtomicI64::new(0);
static HIGHEST: AtomicI64 = AtomicI64::new(0);
static SOFT_LIMIT: AtomicI64 = AtomicI64::new(0);
static HARD_LIMIT: AtomicI64 = AtomicI64::new(0);

/// SQLite gives out no more at once.
const LARGEST: u64 = 0x7fff_fe00;

fn count(change: i64) {
    let used = USED.fetch_add(change, Ordering::Relaxed) + change;
    HIGHEST.fetch_max(used, Ordering::Relaxed);
}

fn size_of(pointer: *mut c_void) -> i64 {
    // SAFETY: it comes from `malloc`, or is null.
    unsafe { libc::malloc_usable_size(pointer) as i64 }
}

/// `n` bytes, or null.
pub(crate) fn allocate(n: u64) -> *mut c_void {
    if n == 0 || n > LARGEST {
        return std::ptr::null_mut();
    }
    // SAFETY: any size may be asked for.
    let pointer = unsafe { libc::malloc(n as usize) };
    count(size_of(pointer));
    pointer
}

/// Gives memory of [`allocate`] back.
pub(crate) fn release(pointer: *mut c_void) {
    if !pointer.is_null() {
        count(-size_of(pointer));
        // SAFETY: it comes from `allocate`, and is given back once: SQLite's rule for `sqlite3_free`.
        unsafe { libc::free(pointer) }
    }
}

/// A copy that the caller gives back with `sqlite3_free`.
pub(crate) fn copy_of(bytes: &[u8]) -> *mut c_void {
    let pointer = allocate(bytes.len().max(1) as u64);
    bytes_mut(pointer, bytes.len()).copy_from_slice(bytes);
    pointer
}

/// The same of a text, with a NUL behind it.
pub(crate) fn text_of(text: &[u8]) -> *mut std::ffi::c_char {
    let pointer = allocate(text.len() as u64 + 1);
    let out = bytes_mut(pointer, text.len() + 1);
    if let Some((last, rest)) = out.split_last_mut() {
        rest.copy_from_slice(text);
        *last = 0;
    }
    pointer.cast()
}

fn resize(pointer: *mut c_void, n: u64) -> *mut c_void {
    if pointer.is_null() {
        return allocate(n);
    }
    if n == 0 {
        release(pointer);
        return std::ptr::null_mut();
    }
    if n > LARGEST {
        return std::ptr::null_mut();
    }
    let before = size_of(pointer);
    // SAFETY: it comes from `allocate`.
    let after = unsafe { libc::realloc(pointer, n as usize) };
    if !after.is_null() {
        count(size_of(after) - before);
    }
    after
}

/// Bytes in use, and the most there were.
pub(crate) fn usage(reset: bool) -> (i64, i64) {
    let used = USED.load(Ordering::Relaxed);
    let highest = if reset {
        HIGHEST.swap(used, Ordering::Relaxed)
    } else {
        HIGHEST.load(Ordering::Relaxed)
    };
    (used, highest)
}

fn limit(which: &AtomicI64, n: i64) -> i64 {
    if n < 0 {
        which.load(Ordering::Relaxed)
    } else {
        which.swap(n, Ordering::Relaxed)
    }
}

c_api! {
    /// `n` bytes, or null.
    fn sqlite3_malloc(n: c_int) -> *mut c_void = std::ptr::null_mut() => {
        allocate(u64::try_from(n).unwrap_or(0))
    }

    /// `n` bytes, or null.
    fn sqlite3_malloc64(n: u64) -> *mut c_void = std::ptr::null_mut() => {
        allocate(n)
    }

    /// Changes the size of an allocation; its contents stay.
    fn sqlite3_realloc(pointer: *mut c_void, n: c_int) -> *mut c_void = std::ptr::null_mut() => {
        resize(pointer, u64::try_from(n).unwrap_or(0))
    }

    /// Changes the size of an allocation; its contents stay.
    fn sqlite3_realloc64(pointer: *mut c_void, n: u64) -> *mut c_void = std::ptr::null_mut() => {
        resize(pointer, n)
    }

    /// Gives memory back.
    fn sqlite3_free(pointer: *mut c_void) => {
        release(pointer);
    }

    /// The size of an allocation.
    fn sqlite3_msize(pointer: *mut c_void) -> u64 = 0 => {
        if pointer.is_null() { 0 } else { size_of(pointer) as u64 }
    }

    /// Bytes that are given out.
    fn sqlite3_memory_used() -> i64 = 0 => {
        usage(false).0
    }

    /// The most that were ever given out.
    fn sqlite3_memory_highwater(reset: c_int) -> i64 = 0 => {
        usage(reset != 0).1
    }

    /// Bytes that could be given up: the page cache bounds itself.
    fn sqlite3_release_memory(_bytes: c_int) -> c_int = 0 => {
        0
    }

    /// Remembers a limit and gives the one before; the page cache bounds itself.
    fn sqlite3_soft_heap_limit64(n: i64) -> i64 = 0 => {
        limit(&SOFT_LIMIT, n)
    }

    /// The same, in SQLite's old form.
    fn sqlite3_soft_heap_limit(n: c_int) => {
        limit(&SOFT_LIMIT, i64::from(n.max(0)));
    }

    /// Remembers a limit and gives the one before.
    fn sqlite3_hard_heap_limit64(n: i64) -> i64 = 0 => {
        limit(&HARD_LIMIT, n)
    }
}
