//! Settings of the library and of connections.
//!
//! Source: SQLite's `sqlite3_config`, `sqlite3_db_config`.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::boundary::{guard, put, text};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::variadic::{Arguments, Taker, Text};

static IS_INITIALIZED: AtomicBool = AtomicBool::new(false);
static URIS: AtomicBool = AtomicBool::new(false);
static LOG: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static LOG_ARGUMENT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

type Log = unsafe extern "C" fn(*mut c_void, c_int, *const c_char);

/// Settings of a connection that only it remembers.
#[derive(Default)]
pub(crate) struct Settings {
    main_name: RefCell<Option<CString>>,
    /// `SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION`, and the SQL function.
    pub(crate) extensions: Cell<bool>,
    pub(crate) extension_function: Cell<bool>,
    pub(crate) extension_registered: Cell<bool>,
    /// Others, by number: remembered, so that they are told as they were set.
    others: RefCell<Vec<(c_int, bool)>>,
}

/// Whether names are URIs without the flag.
pub(crate) fn uris_are_on() -> bool {
    URIS.load(Ordering::Relaxed)
}

pub(crate) fn set_initialized(on: bool) {
    IS_INITIALIZED.store(on, Ordering::Relaxed);
}

/// What a connection of this interface begins with, unlike one of the engine's.
pub(crate) fn apply_defaults(_db: &sqlite3) {
    set_initialized(true);
}

/// Tells the application's log.
pub(crate) fn log(code: c_int, message: &[u8]) {
    let call = LOG.load(Ordering::Acquire);
    if call.is_null() {
        return;
    }
    let message = crate::boundary::c_string(message);
    // SAFETY: it was set by SQLITE_CONFIG_LOG, which takes such a function.
    let call: Log = unsafe { std::mem::transmute::<*mut c_void, Log>(call) };
    // SAFETY: the application's function, with its own argument.
    unsafe { call(LOG_ARGUMENT.load(Ordering::Acquire), code, message.as_ptr()) }
}

/// `sqlite3_config`: behind the shim.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_config(op: c_int, arguments: *mut Arguments) -> c_int {
    guard(code::INTERNAL, || config(op, Taker(arguments)))
}

fn config(op: c_int, arguments: Taker) -> c_int {
    const LOG_OP: c_int = 16;
    const MAY_CHANGE: [c_int; 2] = [LOG_OP, 24];
    if IS_INITIALIZED.load(Ordering::Relaxed) && !MAY_CHANGE.contains(&op) {
        return code::MISUSE;
    }
    match op {
        // SINGLETHREAD, MULTITHREAD, SERIALIZED: connections are serialized, which serves all three.
        1..=3 => code::OK,
        LOG_OP => {
            let call = arguments.pointer::<c_void>();
            let argument = arguments.pointer::<c_void>();
            LOG_ARGUMENT.store(argument, Ordering::Release);
            LOG.store(call, Ordering::Release);
            code::OK
        }
        17 => {
            URIS.store(arguments.int() != 0, Ordering::Relaxed);
            code::OK
        }
        // SCRATCH (6), HEAP (8: no memory is managed here), MEMSTATUS (9), LOOKASIDE (13), COVERING_INDEX_SCAN (20),
        // MMAP_SIZE (22), PCACHE_HDRSZ, PMASZ, STMTJRNL_SPILL, SMALL_MALLOC, SORTERREF_SIZE, MEMDB_MAXSIZE: hints.
        6 | 7 | 9 | 13 | 20 | 22 | 25..=29 => code::OK,
        _ => code::ERROR,
    }
}

/// The flags that a pragma sets.
const PRAGMAS: [(c_int, &str); 8] = [
    (1002, "foreign_keys"),
    (1011, "writable_schema"),
    (1012, "legacy_alter_table"),
    (1016, "legacy_file_format"),
    (1017, "trusted_schema"),
    (1007, "query_only_of_the_planner"),
    (1010, "defensive_is_remembered"),
    (1008, "trigger_eqp"),
];

/// `sqlite3_db_config`: behind the shim.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_db_config(
    db: *mut sqlite3,
    op: c_int,
    arguments: *mut Arguments,
) -> c_int {
    guard(code::INTERNAL, || db_config(db, op, Taker(arguments)))
}

fn db_config(db: *mut sqlite3, op: c_int, arguments: Taker) -> c_int {
    let Some(db) = connection(db) else {
        return code::MISUSE;
    };
    let _held = db.lock();
    match op {
        1000 => {
            let name = text(arguments.pointer::<Text>()).map(crate::boundary::c_string);
            *db.settings.main_name.borrow_mut() = name;
            code::OK
        }
        // LOOKASIDE: there is none.
        1001 => code::OK,
        1002..=1022 => {
            let wanted = arguments.int();
            let out = arguments.pointer::<c_int>();
            let is_on = flag(db, op, wanted);
            put(out, c_int::from(is_on));
            code::OK
        }
        1023 => {
            arguments.int();
            put(arguments.pointer::<c_int>(), 0);
            code::OK
        }
        _ => code::ERROR,
    }
}

/// Sets a flag (1, 0) or leaves it (-1); what it is then.
fn flag(db: &sqlite3, op: c_int, wanted: c_int) -> bool {
    let pragma = PRAGMAS
        .iter()
        .find(|(number, _)| *number == op && matches!(op, 1002 | 1011 | 1012 | 1017));
    if let Some((_, pragma)) = pragma {
        if wanted >= 0 {
            // A pragma that cannot be set now stays what it is, and that is told.
            let _ = db.run(&format!("PRAGMA {pragma} = {}", c_int::from(wanted > 0)));
        }
        let value = db.run(&format!("PRAGMA {pragma}")).unwrap_or_default();
        return matches!(value.first(), Some(ringwood::Value::Integer(n)) if *n != 0);
    }
    if op == 1005 {
        if wanted >= 0 {
            db.settings.extensions.set(wanted > 0);
        }
        return db.settings.extensions.get();
    }
    let mut others = db.settings.others.borrow_mut();
    // Triggers, views, double-quoted strings, ATTACH that creates and writes: on unless they are switched off.
    let begins = matches!(op, 1003 | 1013 | 1014 | 1015 | 1020 | 1021 | 1022);
    let at = match others.iter().position(|(number, _)| *number == op) {
        Some(at) => at,
        None => {
            others.push((op, begins));
            others.len() - 1
        }
    };
    if wanted >= 0 {
        others[at].1 = wanted > 0;
    }
    others[at].1
}

/// `sqlite3_test_control`: behind the shim. What tests of SQLite's own switch is not there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_test_control(op: c_int, arguments: *mut Arguments) -> c_int {
    guard(code::INTERNAL, || {
        let arguments = Taker(arguments);
        match op {
            // OPTIMIZATIONS
            15 => {
                let db = connection(arguments.pointer::<sqlite3>());
                let mask = arguments.int() as u32;
                if let Some(db) = db {
                    let which = ringwood::Optimizations::from_bits_truncate(mask);
                    db.glance((), |conn| conn.disable_optimizations(which));
                }
                code::OK
            }
            _ => code::OK,
        }
    })
}
