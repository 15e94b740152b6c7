//! The library itself: what it is, what it was made with, and functions that need no connection.
//!
//! `sqlite3_libversion` and its kin answer as the SQLite that is followed; what really runs is told by `ringwood_version`
//! and by the compile option `RINGWOOD=…`.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::time::Duration;

use ringwood_sql::lex::{KEYWORDS, Token, complete_statement, incomplete_statement, keyword};
use ringwood_vdbe::func::connection::{OPTIONS, SQLITE_SOURCE_ID, SQLITE_VERSION};

use crate::boundary::{bytes, bytes_mut, c_api, c_string, counted16, from_utf16, put, text};
use crate::code;

const VERSION_BYTES: [u8; SQLITE_VERSION.len() + 1] = {
    let mut bytes = [0; SQLITE_VERSION.len() + 1];
    let mut i = 0;
    while i < SQLITE_VERSION.len() {
        bytes[i] = SQLITE_VERSION.as_bytes()[i];
        i += 1;
    }
    bytes
};

/// The version of SQLite that is followed, as a C string.
#[unsafe(no_mangle)]
pub static sqlite3_version: [u8; SQLITE_VERSION.len() + 1] = VERSION_BYTES;

/// A pointer that C sets.
#[repr(transparent)]
pub struct Directory(std::cell::UnsafeCell<*mut c_char>);

// SAFETY: SQLite's documents allow setting it before the library is used only.
unsafe impl Sync for Directory {}

/// Where temporary files go, in SQLite's old way: not looked at, `PRAGMA temp_store_directory` is.
#[unsafe(no_mangle)]
pub static sqlite3_temp_directory: Directory =
    Directory(std::cell::UnsafeCell::new(std::ptr::null_mut()));

/// Where relative names of databases begin, on Windows only.
#[unsafe(no_mangle)]
pub static sqlite3_data_directory: Directory =
    Directory(std::cell::UnsafeCell::new(std::ptr::null_mut()));

const fn version_number() -> c_int {
    let bytes = SQLITE_VERSION.as_bytes();
    let (mut parts, mut at, mut i) = ([0; 3], 0, 0);
    while i < bytes.len() {
        if bytes[i] == b'.' {
            at += 1;
        } else {
            parts[at] = 10 * parts[at] + (bytes[i] - b'0') as c_int;
        }
        i += 1;
    }
    parts[0] * 1_000_000 + parts[1] * 1000 + parts[2]
}

fn constant(text: &'static str, cell: &'static OnceLock<CString>) -> *const c_char {
    cell.get_or_init(|| c_string(text)).as_ptr()
}

/// Compares without regard to the case of ASCII letters, up to `n` bytes.
fn compare(a: *const c_char, b: *const c_char, n: usize) -> c_int {
    let (a, b) = match (a.is_null(), b.is_null()) {
        (true, true) => return 0,
        (true, false) => return -1,
        (false, true) => return 1,
        (false, false) => (a, b),
    };
    for i in 0..n {
        let byte = |p: *const c_char| bytes(p.wrapping_add(i).cast(), 1)[0].to_ascii_lowercase();
        let (x, y) = (byte(a), byte(b));
        if x != y || x == 0 {
            return c_int::from(x) - c_int::from(y);
        }
    }
    0
}

/// Whether a text matches a pattern, by the SQL function; 0 if so.
fn matches(function: &str, pattern: *const c_char, subject: *const c_char, escape: u32) -> c_int {
    let (Some(pattern), Some(subject)) = (text(pattern), text(subject)) else {
        return c_int::from(!(pattern.is_null() && subject.is_null()));
    };
    let mut args = vec![pattern, subject];
    let mut letter = Vec::new();
    if escape != 0 {
        ringwood_format::encoding::push_code_point(&mut letter, escape);
        args.push(&letter);
    }
    let values: Vec<_> = args
        .iter()
        .map(|text| ringwood_format::value::Value::Text(text.to_vec()))
        .collect();
    let found = ringwood_vdbe::func::builtins().find(function, values.len());
    let result = found.and_then(|def| {
        let mut facts = ringwood_vdbe::func::Facts {
            like_pattern_length_max: u64::MAX,
            ..ringwood_vdbe::func::Facts::default()
        };
        def.call(&mut facts, &values).ok()
    });
    c_int::from(result != Some(ringwood_format::value::Value::Integer(1)))
}

c_api! {
    /// The version of SQLite that is followed.
    fn sqlite3_libversion() -> *const c_char = std::ptr::null() => {
        sqlite3_version.as_ptr().cast()
    }

    /// The check-in of that version.
    fn sqlite3_sourceid() -> *const c_char = std::ptr::null() => {
        static ID: OnceLock<CString> = OnceLock::new();
        constant(SQLITE_SOURCE_ID, &ID)
    }

    /// The version as a number.
    fn sqlite3_libversion_number() -> c_int = 0 => {
        version_number()
    }

    /// The version of Ringwood.
    fn ringwood_version() -> *const c_char = std::ptr::null() => {
        static VERSION: OnceLock<CString> = OnceLock::new();
        constant(env!("CARGO_PKG_VERSION"), &VERSION)
    }

    /// Whether a compile option is there.
    fn sqlite3_compileoption_used(option: *const c_char) -> c_int = 0 => {
        let name = text(option).unwrap_or_default().to_ascii_uppercase();
        let name = name.strip_prefix(b"SQLITE_").unwrap_or(&name);
        let is_it = |option: &&str| {
            matches!(option.as_bytes().strip_prefix(name), Some([] | [b'=', ..]))
        };
        c_int::from(OPTIONS.iter().any(is_it))
    }

    /// A compile option by its place.
    fn sqlite3_compileoption_get(n: c_int) -> *const c_char = std::ptr::null() => {
        static ALL: OnceLock<Vec<CString>> = OnceLock::new();
        let all = ALL.get_or_init(|| OPTIONS.iter().map(c_string).collect());
        let found = usize::try_from(n).ok().and_then(|n| all.get(n));
        found.map_or(std::ptr::null(), |option| option.as_ptr())
    }

    /// 1: serialized.
    fn sqlite3_threadsafe() -> c_int = 1 => {
        1
    }

    /// Nothing has to be done before the library is used.
    fn sqlite3_initialize() -> c_int = code::INTERNAL => {
        crate::config::set_initialized(true);
        code::OK
    }

    /// Settings may be made again.
    fn sqlite3_shutdown() -> c_int = code::INTERNAL => {
        crate::config::set_initialized(false);
        code::OK
    }

    /// Nothing has to be done for the system.
    fn sqlite3_os_init() -> c_int = code::INTERNAL => {
        code::OK
    }

    /// Nothing has to be done for the system.
    fn sqlite3_os_end() -> c_int = code::INTERNAL => {
        code::OK
    }

    /// Whether a text is a whole number of statements.
    fn sqlite3_complete(sql: *const c_char) -> c_int = 0 => {
        text(sql).map_or(0, |sql| c_int::from(complete_statement(sql)))
    }

    /// What a text lacks to be complete: 0 nothing; 16 if it is empty; else bit fields: 1, what ends the statement (from
    /// bit 8), what closes a string or comment (from 16), open parentheses (from 32).
    fn sqlite3_incomplete(sql: *const c_char) -> i64 = 0 => {
        let Some(sql) = text(sql) else { return i64::from(code::MISUSE) };
        let missing = incomplete_statement(sql);
        if missing.is_empty {
            return 16;
        }
        let lacks = missing.end > 0 || missing.close > 0;
        i64::from(missing.parens) << 32
            | i64::from(missing.close) << 16
            | i64::from(missing.end) << 8
            | i64::from(lacks)
    }

    /// The same for UTF-16.
    fn sqlite3_complete16(sql: *const c_void) -> c_int = 0 => {
        c_int::from(complete_statement(&from_utf16(counted16(sql, -1))))
    }

    /// How many keywords there are.
    fn sqlite3_keyword_count() -> c_int = 0 => {
        KEYWORDS.len() as c_int
    }

    /// A keyword by its place; it has no NUL behind it.
    fn sqlite3_keyword_name(n: c_int, name: *mut *const c_char, length: *mut c_int) -> c_int
    = code::INTERNAL => {
        let found = usize::try_from(n).ok().and_then(|n| KEYWORDS.get(n));
        let Some((word, _)) = found else { return code::ERROR };
        put(name, word.as_ptr().cast());
        put(length, word.len() as c_int);
        code::OK
    }

    /// Whether a word is a keyword.
    fn sqlite3_keyword_check(word: *const c_char, length: c_int) -> c_int = 0 => {
        let word = bytes(word.cast(), usize::try_from(length).unwrap_or(0));
        c_int::from(keyword(word) != Token::Id)
    }

    /// Waits; how many milliseconds.
    fn sqlite3_sleep(ms: c_int) -> c_int = 0 => {
        let ms = ms.max(0);
        std::thread::sleep(Duration::from_millis(ms as u64));
        ms
    }

    /// Random bytes.
    fn sqlite3_randomness(n: c_int, out: *mut c_void) => {
        use std::cell::Cell;
        thread_local!(static SEED: Cell<u64> = const { Cell::new(0) });
        let out = bytes_mut(out, usize::try_from(n).unwrap_or(0));
        SEED.with(|seed| {
            let random = match seed.get() {
                0 => {
                    let mut word = [0; 8];
                    // SAFETY: the buffer is ours; without random bytes the clock serves.
                    let got = unsafe { libc::getrandom(word.as_mut_ptr().cast(), 8, 0) };
                    if got == 8 {
                        u64::from_ne_bytes(word)
                    } else {
                        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                        now.map_or(1, |t| t.as_nanos() as u64)
                    }
                }
                state => state,
            };
            let mut facts = ringwood_vdbe::func::Facts {
                random,
                ..ringwood_vdbe::func::Facts::default()
            };
            for chunk in out.chunks_mut(8) {
                let word = facts.next_random().to_le_bytes();
                chunk.copy_from_slice(&word[..chunk.len()]);
            }
            seed.set(facts.random);
        });
    }

    /// Compares without regard to the case of ASCII letters.
    fn sqlite3_stricmp(a: *const c_char, b: *const c_char) -> c_int = 0 => {
        compare(a, b, usize::MAX)
    }

    /// The same of the first `n` bytes.
    fn sqlite3_strnicmp(a: *const c_char, b: *const c_char, n: c_int) -> c_int = 0 => {
        compare(a, b, usize::try_from(n).unwrap_or(0))
    }

    /// 0 if a text matches a GLOB pattern.
    fn sqlite3_strglob(pattern: *const c_char, subject: *const c_char) -> c_int = 1 => {
        matches("glob", pattern, subject, 0)
    }

    /// 0 if a text matches a LIKE pattern.
    fn sqlite3_strlike(pattern: *const c_char, subject: *const c_char, escape: u32) -> c_int
    = 1 => {
        matches("like", pattern, subject, escape)
    }

    /// Nothing is kept for a thread.
    fn sqlite3_thread_cleanup() => {}

    /// Locks of other threads are never lost.
    fn sqlite3_global_recover() -> c_int = code::OK => {
        code::OK
    }

    /// SQLite's old alarm: never called there either.
    fn sqlite3_memory_alarm(_call: *mut c_void, _argument: *mut c_void, _threshold: i64) -> c_int
    = code::OK => {
        code::OK
    }
}
