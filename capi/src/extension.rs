//! Extensions: shared libraries that are compiled against SQLite's header, and functions that every new connection runs.
//!
//! An extension gets at SQLite's functions through a table of pointers (`sqlite3_api_routines`). This library has none to
//! give yet, so that loading is refused with that reason.
//!
//! Source: SQLite's "Loadable Extensions Interface", `sqlite3_auto_extension`.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use crate::boundary::{c_api, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::memory;

type Entry = unsafe extern "C" fn();
type Init = unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const c_void) -> c_int;

static AUTOMATIC: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Runs what `sqlite3_auto_extension` has registered.
pub(crate) fn run_automatic(db: &sqlite3) -> Result<(), Failure> {
    let entries = AUTOMATIC
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for entry in entries {
        let mut message = std::ptr::null_mut();
        // SAFETY: SQLite's documents give entry points that type behind the cast.
        let init: Init = unsafe { std::mem::transmute::<Entry, Init>(entry) };
        // SAFETY: the application's function; statically linked ones look at no table.
        let rc = unsafe { init(db.handle(), &raw mut message, std::ptr::null()) };
        let text = crate::boundary::text(message).map(<[u8]>::to_vec);
        memory::release(message.cast());
        if rc != code::OK {
            let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
            let words = format!("automatic extension loading failed: {text}");
            return Err(Failure::new(rc, words));
        }
    }
    Ok(())
}

c_api! {
    /// Whether extensions may be loaded.
    fn sqlite3_enable_load_extension(db: *mut sqlite3, on: c_int) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        db.settings.extensions.set(on != 0);
        db.settings.extension_function.set(on != 0);
        code::OK
    }

    /// Loads an extension.
    fn sqlite3_load_extension(
        db: *mut sqlite3, file: *const c_char, _entry: *const c_char, message: *mut *mut c_char,
    ) -> c_int = code::INTERNAL => {
        put(message, std::ptr::null_mut());
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        let failure = if db.settings.extensions.get() {
            let file = crate::boundary::name(file).unwrap_or_default();
            Failure::new(code::ERROR, format!("cannot load {file}: extensions are not supported"))
        } else {
            Failure::new(code::ERROR, "not authorized")
        };
        put(message, memory::text_of(failure.text()));
        db.fail(failure)
    }

    /// Every connection that is opened from now on runs it.
    fn sqlite3_auto_extension(entry: Option<Entry>) -> c_int = code::INTERNAL => {
        let Some(entry) = entry else { return code::MISUSE };
        let mut all = AUTOMATIC.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|have| *have as usize == entry as usize) {
            all.push(entry);
        }
        code::OK
    }

    /// Takes one back; whether it was there.
    fn sqlite3_cancel_auto_extension(entry: Option<Entry>) -> c_int = 0 => {
        let mut all = AUTOMATIC.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.len();
        all.retain(|have| entry.is_none_or(|entry| *have as usize != entry as usize));
        c_int::from(all.len() < before)
    }

    /// Takes all back.
    fn sqlite3_reset_auto_extension() => {
        AUTOMATIC.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
