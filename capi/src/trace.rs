//! Tracing: statements that begin, their rows, their ends, and the connection's.
//!
//! Source: SQLite's `sqlite3_trace_v2`, `sqlite3_trace`, `sqlite3_profile`.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::time::Duration;

use ringwood::local::Statement;

use crate::boundary::{c_api, c_string};
use crate::code;
use crate::connection::{Mask, connection, sqlite3};
use crate::statement::sqlite3_stmt;

const STMT: Mask = 1;
const PROFILE: Mask = 2;
const ROW: Mask = 4;
const CLOSE: Mask = 8;

type Modern = Option<unsafe extern "C" fn(c_uint, *mut c_void, *mut c_void, *mut c_void) -> c_int>;
type Legacy = Option<unsafe extern "C" fn(*mut c_void, *const c_char)>;
type Profile = Option<unsafe extern "C" fn(*mut c_void, *const c_char, u64)>;

/// Who is told.
pub(crate) struct Tracing {
    mask: Cell<Mask>,
    modern: Cell<(Modern, *mut c_void)>,
    legacy: Cell<(Legacy, *mut c_void)>,
    profile: Cell<(Profile, *mut c_void)>,
    /// The statement that is stepped.
    running: Cell<*const sqlite3_stmt>,
}

impl Default for Tracing {
    fn default() -> Tracing {
        let none = std::ptr::null_mut;
        Tracing {
            mask: Cell::new(0),
            modern: Cell::new((None, none())),
            legacy: Cell::new((None, none())),
            profile: Cell::new((None, none())),
            running: Cell::new(std::ptr::null()),
        }
    }
}

/// Every line of a text as a comment.
fn commented(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 3);
    for line in text.split_inclusive(|b| *b == b'\n') {
        out.extend_from_slice(b"-- ");
        out.extend_from_slice(line);
    }
    out
}

impl Tracing {
    /// Whether anybody wants to know of statements.
    pub(crate) fn wants_any(&self) -> bool {
        self.mask.get() & (STMT | PROFILE) != 0
            || self.legacy.get().0.is_some()
            || self.profile.get().0.is_some()
    }

    fn tell(&self, event: Mask, p: *mut c_void, x: *mut c_void) {
        if let ((Some(call), argument), true) = (self.modern.get(), self.mask.get() & event != 0) {
            // SAFETY: the application's function, with its own argument, and what SQLite documents for the event.
            unsafe { call(event, argument, p, x) };
        }
    }

    /// A run begins; what a step of another one runs is told as a comment.
    pub(crate) fn begun(&self, db: &sqlite3, statement: &sqlite3_stmt, inner: &Statement) {
        let handle = std::ptr::from_ref(statement).cast_mut().cast();
        let within = db.is_inside();
        if within && self.mask.get() & STMT != 0 {
            let text = c_string([b"-- ", statement.text().to_bytes()].concat());
            self.tell(STMT, handle, text.as_ptr().cast_mut().cast());
        } else {
            self.tell(STMT, handle, statement.text().as_ptr().cast_mut().cast());
        }
        if let (Some(call), argument) = self.legacy.get() {
            let text = if within {
                commented(statement.text().to_bytes())
            } else {
                statement.expanded(inner)
            };
            let text = c_string(text);
            // SAFETY: the application's function, with its own argument; the text lives until it returns.
            unsafe { call(argument, text.as_ptr()) }
        }
    }

    /// A step of a statement begins, or ends; the statement that was stepped before.
    pub(crate) fn steps(&self, statement: *const sqlite3_stmt) -> *const sqlite3_stmt {
        self.running.replace(statement)
    }

    /// The program of a trigger begins; of a foreign key's action, without a name, the statement's own text is told.
    fn trigger_begun(&self, name: Option<&str>) {
        let running = self.running.get();
        let Some(statement) = crate::statement::statement(running) else {
            return;
        };
        let text = match name {
            Some(name) => c_string(format!("-- TRIGGER {name}")),
            None => statement.text().clone(),
        };
        self.tell(
            STMT,
            running.cast_mut().cast(),
            text.as_ptr().cast_mut().cast(),
        );
        if let (Some(call), argument) = self.legacy.get() {
            // SAFETY: as in `begun`.
            unsafe { call(argument, text.as_ptr()) }
        }
    }

    /// Who traces is told of triggers too.
    fn watch_triggers(db: &sqlite3) {
        let wanted = db.tracing.mask.get() & STMT != 0 || db.tracing.legacy.get().0.is_some();
        let handle = db.handle();
        let hook = wanted.then(|| -> ringwood_vdbe::env::TriggerHook {
            Box::new(move |name| {
                if let Some(db) = connection(handle) {
                    db.tracing.trigger_begun(name);
                }
            })
        });
        db.ask((), |conn| conn.trigger_hook(hook));
    }

    pub(crate) fn row(&self, _db: &sqlite3, statement: &sqlite3_stmt) {
        if self.mask.get() & ROW != 0 {
            let handle = std::ptr::from_ref(statement).cast_mut().cast();
            self.tell(ROW, handle, std::ptr::null_mut());
        }
    }

    pub(crate) fn ended(&self, _db: &sqlite3, statement: &sqlite3_stmt, time: Duration) {
        let mut ns = time.as_nanos() as i64;
        let handle = std::ptr::from_ref(statement).cast_mut().cast();
        self.tell(PROFILE, handle, (&raw mut ns).cast());
        if let (Some(call), argument) = self.profile.get() {
            // SAFETY: as above.
            unsafe { call(argument, statement.text().as_ptr(), ns as u64) }
        }
    }

    pub(crate) fn closed(&self, db: &sqlite3) {
        self.tell(CLOSE, db.handle().cast(), std::ptr::null_mut());
    }
}

c_api! {
    /// Who is told of statements (1), their ends (2), rows (4), and the end of the connection (8).
    fn sqlite3_trace_v2(
        db: *mut sqlite3, mask: c_uint, call: Modern, argument: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let _held = db.lock();
        let is_off = call.is_none() || mask == 0;
        db.tracing.mask.set(if is_off { 0 } else { mask });
        db.tracing.modern.set((call.filter(|_| !is_off), argument));
        db.tracing.legacy.set((None, std::ptr::null_mut()));
        Tracing::watch_triggers(db);
        code::OK
    }

    /// Who is told the text of statements, with the values of their parameters.
    fn sqlite3_trace(db: *mut sqlite3, call: Legacy, argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        db.tracing.mask.set(0);
        db.tracing.modern.set((None, std::ptr::null_mut()));
        let before = db.tracing.legacy.replace((call, argument)).1;
        Tracing::watch_triggers(db);
        before
    }

    /// Who is told how long statements took, in nanoseconds.
    fn sqlite3_profile(db: *mut sqlite3, call: Profile, argument: *mut c_void) -> *mut c_void
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        db.tracing.profile.replace((call, argument)).1
    }
}
