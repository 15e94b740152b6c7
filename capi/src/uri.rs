//! Names of files as they are given out, with their parameters behind them.
//!
//! ```text
//!   0 0 0 0 path 0 key 0 value 0 key 0 value 0 0 journal 0 wal 0 0
//!           ▲ what the caller has
//! ```
//!
//! Source: SQLite's `sqlite3_create_filename`, `sqlite3_uri_parameter`.

use std::ffi::{c_char, c_int};

use crate::boundary::{c_api, items, text};
use crate::memory;

/// A name of a file.
pub(crate) struct Filename(Vec<u8>);

/// Bytes in front of the path.
const FRONT: usize = 4;

impl Filename {
    fn new(path: &[u8], parameters: &[(Vec<u8>, Vec<u8>)], journal: &[u8], wal: &[u8]) -> Filename {
        let mut bytes = vec![0; FRONT];
        let mut push = |part: &[u8]| {
            bytes.extend_from_slice(part);
            bytes.push(0);
        };
        push(path);
        for (key, value) in parameters {
            push(key);
            push(value);
        }
        push(b"");
        push(journal);
        push(wal);
        push(b"");
        Filename(bytes)
    }

    /// Of a database: with the parameters of the URI that it was opened by.
    pub(crate) fn of_database(path: &[u8], given: &[u8], is_uri: bool) -> Filename {
        let mut parameters = Vec::new();
        if is_uri && given.starts_with(b"file:") {
            let given = given.split(|b| *b == b'#').next().unwrap_or_default();
            let query = given.splitn(2, |b| *b == b'?').nth(1).unwrap_or_default();
            for pair in query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
                let mut parts = pair.splitn(2, |b| *b == b'=');
                let key = decoded(parts.next().unwrap_or_default());
                if !key.is_empty() {
                    parameters.push((key, decoded(parts.next().unwrap_or_default())));
                }
            }
        }
        let beside = |suffix: &[u8]| {
            if path.is_empty() {
                Vec::new()
            } else {
                [path, suffix].concat()
            }
        };
        Filename::new(path, &parameters, &beside(b"-journal"), &beside(b"-wal"))
    }

    pub(crate) fn path(&self) -> &[u8] {
        let rest = &self.0[FRONT..];
        rest.split(|b| *b == 0).next().unwrap_or_default()
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0[FRONT..].as_ptr().cast()
    }
}

/// Replaces `%41` by `A`.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    out
}

/// The texts behind a path, in pairs.
fn parameters<'a>(
    file: *const c_char,
) -> impl Iterator<Item = (*const c_char, *const c_char, &'a [u8])> {
    let mut at = file;
    let mut step = move || {
        let part = text(at)?;
        at = at.wrapping_add(part.len() + 1);
        Some(at)
    };
    let mut next = step();
    std::iter::from_fn(move || {
        let key_at = next?;
        let key = text(key_at).filter(|key| !key.is_empty())?;
        let value_at = step()?;
        next = step();
        Some((key_at, value_at, key))
    })
}

/// The text behind the parameters: 0 the journal, 1 the log.
fn beside(file: *const c_char, which: usize) -> *const c_char {
    let Some(path) = text(file) else {
        return std::ptr::null();
    };
    let mut at = file.wrapping_add(path.len() + 1);
    while let Some(key) = text(at).filter(|key| !key.is_empty()) {
        at = at.wrapping_add(key.len() + 1);
        at = at.wrapping_add(text(at).map_or(0, <[u8]>::len) + 1);
    }
    at = at.wrapping_add(1);
    for _ in 0..which {
        at = at.wrapping_add(text(at).map_or(0, <[u8]>::len) + 1);
    }
    at
}

fn parameter(file: *const c_char, key: *const c_char) -> *const c_char {
    let Some(key) = text(key).filter(|_| !file.is_null()) else {
        return std::ptr::null();
    };
    let found = parameters(file).find(|(_, _, have)| *have == key);
    found.map_or(std::ptr::null(), |(_, value, _)| value)
}

/// A number as SQLite reads it: decimal or hexadecimal, all of the text.
fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|n| n as i64),
        None => text.parse().ok(),
    }
}

c_api! {
    /// The value of a parameter of the URI; null without one.
    fn sqlite3_uri_parameter(file: *const c_char, key: *const c_char) -> *const c_char
    = std::ptr::null() => {
        parameter(file, key)
    }

    /// A parameter as a boolean.
    fn sqlite3_uri_boolean(file: *const c_char, key: *const c_char, otherwise: c_int) -> c_int
    = 0 => {
        let Some(value) = text(parameter(file, key)) else {
            return c_int::from(otherwise != 0);
        };
        let is = |words: &[&str]| words.iter().any(|w| value.eq_ignore_ascii_case(w.as_bytes()));
        if value.first().is_some_and(u8::is_ascii_digit) {
            return c_int::from(integer(value).is_some_and(|n| n != 0));
        }
        if is(&["on", "yes", "true", "extra", "full"]) {
            1
        } else if is(&["off", "no", "false"]) {
            0
        } else {
            c_int::from(otherwise != 0)
        }
    }

    /// A parameter as an integer.
    fn sqlite3_uri_int64(file: *const c_char, key: *const c_char, otherwise: i64) -> i64 = 0 => {
        text(parameter(file, key)).and_then(integer).unwrap_or(otherwise)
    }

    /// The name of a parameter, by its place.
    fn sqlite3_uri_key(file: *const c_char, n: c_int) -> *const c_char = std::ptr::null() => {
        let Ok(n) = usize::try_from(n) else { return std::ptr::null() };
        if file.is_null() {
            return std::ptr::null();
        }
        parameters(file).nth(n).map_or(std::ptr::null(), |(key, _, _)| key)
    }

    /// The database of a name that belongs to it.
    fn sqlite3_filename_database(file: *const c_char) -> *const c_char = std::ptr::null() => {
        file
    }

    /// The file object of a database whose journal has that name: files here are no objects of C's.
    fn sqlite3_database_file_object(_file: *const c_char) -> *mut std::ffi::c_void
    = std::ptr::null_mut() => {
        std::ptr::null_mut()
    }

    /// The rollback journal of a database.
    fn sqlite3_filename_journal(file: *const c_char) -> *const c_char = std::ptr::null() => {
        beside(file, 0)
    }

    /// The write-ahead log of a database.
    fn sqlite3_filename_wal(file: *const c_char) -> *const c_char = std::ptr::null() => {
        beside(file, 1)
    }

    /// A name with parameters; `sqlite3_free_filename` frees it.
    fn sqlite3_create_filename(
        database: *const c_char, journal: *const c_char, wal: *const c_char, count: c_int,
        pairs: *const *const c_char,
    ) -> *const c_char = std::ptr::null() => {
        let part = |p: *const c_char| text(p).unwrap_or_default().to_vec();
        let pairs = items(pairs, 2 * usize::try_from(count).unwrap_or(0));
        let pairs: Vec<_> = pairs.chunks_exact(2).map(|p| (part(p[0]), part(p[1]))).collect();
        let made = Filename::new(&part(database), &pairs, &part(journal), &part(wal));
        let memory: *mut c_char = memory::copy_of(&made.0).cast();
        memory.wrapping_add(FRONT)
    }

    /// Frees a name of `sqlite3_create_filename`.
    fn sqlite3_free_filename(file: *const c_char) => {
        if !file.is_null() {
            memory::release(file.wrapping_sub(FRONT).cast_mut().cast());
        }
    }
}
