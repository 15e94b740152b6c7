//! Extensions: shared libraries that are compiled against SQLite's header, and functions that every new connection runs.
//!
//! ```text
//!   load_extension(file, entry) ── dlopen ── entry(db, &message, &ROUTINES) ── registers functions, modules, …
//!                                     └ closed with the connection, unless the entry says that it stays (rule 2)
//! ```
//!
//! Rules:
//! 1. Nothing is loaded before the application has allowed it.
//! 2. A library stays open as long as its connection lives; for ever, if its entry point returned
//!    `SQLITE_OK_LOAD_PERMANENTLY`.
//!
//! Source: SQLite's "Loadable Extensions Interface", `sqlite3_auto_extension`, `loadext.c`.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use ringwood::{FnError, FunctionFlags, ResultCode};

use crate::boundary::{c_api, c_string, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::memory;
use crate::routines::{ROUTINES, Routines};

type Entry = unsafe extern "C" fn();
type Init = unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const Routines) -> c_int;

static AUTOMATIC: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The libraries that a connection has loaded.
#[derive(Default)]
pub(crate) struct Loaded(RefCell<Vec<Library>>);

impl Loaded {
    /// Closes them, once nothing of theirs is used any more.
    pub(crate) fn close(&self) {
        self.0.borrow_mut().clear();
    }
}

/// A library that is open.
struct Library(*mut c_void);

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: it was opened by `Library::open`, and its connection is gone.
        unsafe { libc::dlclose(self.0) };
    }
}

impl Library {
    /// Opens a file, or the same with `.so` behind its name.
    fn open(file: &[u8]) -> Result<Library, Failure> {
        for suffix in [&b""[..], b".so"] {
            let path = c_string([file, suffix].concat());
            // SAFETY: the application has allowed that code of this file is run.
            let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
            if !handle.is_null() {
                return Ok(Library(handle));
            }
        }
        // SAFETY: a text of the loader's, good until its next call.
        let reason = crate::boundary::text(unsafe { libc::dlerror() }).map(<[u8]>::to_vec);
        Err(Failure::new(code::ERROR, reason.unwrap_or_default()))
    }

    fn find(&self, entry: &CStr) -> Option<Init> {
        // SAFETY: the library is open.
        let symbol = unsafe { libc::dlsym(self.0, entry.as_ptr()) };
        // SAFETY: a function of that name has that type, as SQLite's documents say.
        (!symbol.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Init>(symbol) })
    }
}

/// `sqlite3_x_init` for a file `…/libx.so.1`: letters only, in lower case.
fn entry_of(file: &[u8]) -> CString {
    let name = file.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let name = match name {
        [a, b, c, rest @ ..] if [*a, *b, *c].eq_ignore_ascii_case(b"lib") => rest,
        name => name,
    };
    let name = name.split(|b| *b == b'.').next().unwrap_or_default();
    let letters = name.iter().filter(|b| b.is_ascii_alphabetic());
    let letters: Vec<u8> = letters.map(u8::to_ascii_lowercase).collect();
    c_string([&b"sqlite3_"[..], &letters, b"_init"].concat())
}

/// Loads an extension (rule 1 is the caller's).
fn load(db: &sqlite3, file: &[u8], entry: Option<&[u8]>) -> Result<(), Failure> {
    const PERMANENTLY: c_int = 256;
    const PATH_MAX: usize = 4096;
    let refused = |what: String| Failure::new(code::ERROR, what);
    let shown = String::from_utf8_lossy(file);
    if file.len() > PATH_MAX {
        return Err(refused(format!(
            "unable to open shared library [{shown:.4096}]"
        )));
    }
    if file.is_empty() {
        return Err(refused("unable to open shared library []".to_owned()));
    }
    let library = Library::open(file)?;
    let wanted = entry.map_or_else(|| c"sqlite3_extension_init".to_owned(), c_string);
    let mut init = library.find(&wanted);
    let mut named = wanted;
    if init.is_none() && entry.is_none() {
        named = entry_of(file);
        init = library.find(&named);
    }
    let Some(init) = init else {
        let entry = named.to_string_lossy();
        let what = format!("no entry point [{entry}] in shared library [{shown}]");
        return Err(refused(what));
    };
    let (rc, message) = run(db, init);
    if rc == PERMANENTLY {
        std::mem::forget(library);
        return Ok(());
    }
    if rc != code::OK {
        let message = String::from_utf8_lossy(&message).into_owned();
        return Err(refused(format!("error during initialization: {message}")));
    }
    db.loaded.0.borrow_mut().push(library);
    Ok(())
}

/// Runs an entry point; its code and what it says.
fn run(db: &sqlite3, init: Init) -> (c_int, Vec<u8>) {
    let mut message = std::ptr::null_mut();
    // SAFETY: the application's function, called as SQLite calls it.
    let rc = unsafe { init(db.handle(), &raw mut message, &raw const ROUTINES) };
    let text = crate::boundary::text(message).map(<[u8]>::to_vec);
    memory::release(message.cast());
    (rc, text.unwrap_or_default())
}

/// Runs what `sqlite3_auto_extension` has registered.
pub(crate) fn run_automatic(db: &sqlite3) -> Result<(), Failure> {
    let mut at = 0;
    // One that registers another one makes the list longer.
    while let Some(entry) = automatic(at) {
        at += 1;
        // SAFETY: SQLite's documents give entry points that type behind the cast.
        let init: Init = unsafe { std::mem::transmute::<Entry, Init>(entry) };
        let (rc, message) = run(db, init);
        if rc != code::OK {
            let message = String::from_utf8_lossy(&message).into_owned();
            let words = format!("automatic extension loading failed: {message}");
            return Err(Failure::new(rc, words));
        }
    }
    Ok(())
}

fn automatic(at: usize) -> Option<Entry> {
    let all = AUTOMATIC.lock().unwrap_or_else(PoisonError::into_inner);
    all.get(at).copied()
}

/// The SQL function `load_extension`: it takes the place of the one that refuses.
fn register_function(db: &sqlite3) -> Result<(), Failure> {
    let handle = db.handle() as usize;
    db.engine(|conn| -> ringwood::Result<()> {
        for args in [1, 2] {
            let flags = FunctionFlags::DIRECT_ONLY;
            conn.create_scalar_function("load_extension", args, flags, move |_, args| {
                let refused = |failure: Failure| FnError {
                    code: ResultCode::from_i32(failure.code),
                    message: String::from_utf8_lossy(failure.text()).into_owned(),
                };
                let db = connection(handle as *const sqlite3);
                let Some(db) = db.filter(|db| db.settings.extension_function.get()) else {
                    return Err(FnError::new("not authorized"));
                };
                let file = args[0].to_text();
                let entry = args
                    .get(1)
                    .filter(|arg| !arg.is_null())
                    .map(|arg| arg.to_text());
                load(db, &file, entry.as_deref()).map_err(refused)
            })?;
        }
        Ok(())
    })??;
    Ok(())
}

c_api! {
    /// Whether extensions may be loaded.
    fn sqlite3_enable_load_extension(db: *mut sqlite3, on: c_int) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        db.settings.extensions.set(on != 0);
        db.settings.extension_function.set(on != 0);
        if on != 0 && !db.settings.extension_registered.replace(true) {
            if let Err(failure) = register_function(db) {
                return db.fail(failure);
            }
        }
        code::OK
    }

    /// Loads an extension.
    fn sqlite3_load_extension(
        db: *mut sqlite3, file: *const c_char, entry: *const c_char, message: *mut *mut c_char,
    ) -> c_int = code::INTERNAL => {
        put(message, std::ptr::null_mut());
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        let loaded = if db.settings.extensions.get() {
            let file = crate::boundary::text(file).unwrap_or_default();
            load(db, file, crate::boundary::text(entry))
        } else {
            Err(Failure::new(code::ERROR, "not authorized"))
        };
        match loaded {
            Ok(()) => db.succeed(),
            Err(failure) => {
                put(message, memory::text_of(failure.text()));
                // The message goes to the caller; the connection's is the code's own.
                db.fail(Failure::code(failure.code))
            }
        }
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
