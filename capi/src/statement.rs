//! Statements: preparing, stepping, resetting, finalizing.
//!
//! ```text
//!   prepare ──▶ ready ── step ──▶ ROW ── step ──▶ … ──▶ DONE, or an error
//!                 ▲                │                      │
//!                 └──── reset ─────┴──────────────────────┘     (a step after the end resets by itself)
//! ```
//!
//! Rules:
//! 1. While a statement is stepped it is borrowed: a callback that steps, resets or finalizes it again is refused with
//!    `SQLITE_MISUSE`.
//! 2. What a column was given out as stays until the statement is stepped, reset or finalized.
//!
//! Source: SQLite's "The SQLite Bytecode Engine" functions, `sqlite3_prepare_v3`.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_uint, c_void};

use ringwood::local::Statement;

use crate::boundary::{
    bytes, c_api, c_string, counted, counted16, from_handle, from_utf16, into_handle, object, put,
    to_utf16,
};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::value::sqlite3_value;

const MAGIC: u32 = 0x5754_4d54;

/// A prepared statement.
#[allow(non_camel_case_types)]
pub struct sqlite3_stmt {
    magic: Cell<u32>,
    pub(crate) db: *const sqlite3,
    pub(crate) inner: RefCell<Statement>,
    /// Its own text, as `sqlite3_sql` gives it.
    sql: CString,
    /// Prepared by the oldest interface: errors of steps are told by `sqlite3_reset`.
    is_legacy: bool,
    /// What the last run ended with.
    last: RefCell<Failure>,
    /// It was stepped since it was prepared or reset: only then a reset has something to tell.
    was_stepped: Cell<bool>,
    pub(crate) has_row: Cell<bool>,
    /// Counts rows and resets: values of an older row are pointed anew.
    pub(crate) row: Cell<u64>,
    pub(crate) columns: RefCell<Vec<ColumnValue>>,
    pub(crate) names: RefCell<crate::column::Names>,
    param_names: RefCell<Vec<Option<CString>>>,
    runs: Cell<u32>,
    /// When the run began, for the profile; none if nobody asks.
    started: Cell<Option<std::time::Instant>>,
    reported: Cell<(u64, u64, u64)>,
}

/// A column's value with the row that it points into.
pub(crate) struct ColumnValue {
    pub(crate) row: Cell<u64>,
    /// In a box: its address is given out.
    pub(crate) value: Box<sqlite3_value>,
}

/// The statement behind a handle, unless it is none.
#[inline]
pub(crate) fn statement<'a>(handle: *const sqlite3_stmt) -> Option<&'a sqlite3_stmt> {
    object(handle).filter(|s| s.magic.get() == MAGIC)
}

impl sqlite3_stmt {
    /// Its connection, which lives as long as it has statements.
    #[inline]
    pub(crate) fn connection(&self) -> &sqlite3 {
        object(self.db).expect("a connection lives as long as its statements")
    }

    pub(crate) fn text(&self) -> &CString {
        &self.sql
    }

    /// The row is left (rule 2).
    fn leave_row(&self) {
        self.has_row.set(false);
        self.row.set(self.row.get() + 1);
    }

    fn step(&self) -> c_int {
        let db = self.connection();
        let _held = db.lock();
        self.leave_row();
        self.was_stepped.set(true);
        self.begin();
        let Ok(mut inner) = self.inner.try_borrow_mut() else {
            return db.fail(Failure::code(code::MISUSE));
        };
        let mut needed = 0;
        let outer = db.tracing.steps(self);
        let outcome = loop {
            let outcome = db.engine(|_| inner.step()).and_then(|step| Ok(step?));
            match outcome {
                // A statement that is compiled again may miss a collation that the application can bring.
                Err(failure) if needed < 10 && db.bring_collation(&failure) => needed += 1,
                other => break other,
            }
        };
        db.tracing.steps(outer);
        match outcome {
            Ok(true) => {
                self.has_row.set(true);
                db.set_code(code::ROW);
                db.tracing.row(db, self);
                code::ROW
            }
            Ok(false) => {
                drop(inner);
                self.ended();
                let failure = db.hooks.after_commit(db);
                match failure {
                    None => {
                        *self.last.borrow_mut() = Failure::default();
                        db.set_code(code::DONE)
                    }
                    Some(failure) => {
                        *self.last.borrow_mut() = failure.clone();
                        db.fail(failure)
                    }
                }
            }
            Err(failure) => {
                drop(inner);
                self.ended();
                *self.last.borrow_mut() = failure.clone();
                let rc = db.fail(failure);
                if self.is_legacy && rc != code::BUSY && rc != code::MISUSE {
                    return code::ERROR;
                }
                rc
            }
        }
    }

    /// If a run begins: counts it, and tells who traces.
    fn begin(&self) {
        let Ok(inner) = self.inner.try_borrow() else {
            return;
        };
        if inner.is_running() {
            return;
        }
        self.runs.set(self.runs.get() + 1);
        let db = self.connection();
        if db.tracing.wants_any() {
            self.started.set(Some(std::time::Instant::now()));
            db.tracing.begun(db, self, &inner);
        }
    }

    /// The run is over: who measures it is told.
    fn ended(&self) {
        if let Some(started) = self.started.take() {
            let db = self.connection();
            db.tracing.ended(db, self, started.elapsed());
        }
    }

    fn reset(&self) -> c_int {
        let db = self.connection();
        let _held = db.lock();
        let Ok(mut inner) = self.inner.try_borrow_mut() else {
            return db.fail(Failure::code(code::MISUSE));
        };
        self.leave_row();
        if !self.was_stepped.replace(false) {
            return code::OK;
        }
        let finished = db
            .engine(|_| inner.finish())
            .and_then(|finished| Ok(finished?));
        drop(inner);
        self.ended();
        let last = std::mem::take(&mut *self.last.borrow_mut());
        match finished {
            Ok(()) if last.code == code::OK => match db.hooks.after_commit(db) {
                None => db.succeed(),
                Some(failure) => db.fail(failure),
            },
            Ok(()) => db.fail(last),
            Err(failure) => db.fail(failure),
        }
    }

    /// Its text with the values of its parameters.
    pub(crate) fn expanded(&self, inner: &Statement) -> Vec<u8> {
        crate::expanded::expanded(inner.sql_bytes(), inner)
    }
}

/// How a statement is prepared.
#[derive(Clone, Copy)]
struct Way {
    is_legacy: bool,
    flags: c_uint,
}

/// Prepares the first statement of a text; gives how many bytes of it that took.
fn prepare(
    db: &sqlite3,
    text: &[u8],
    way: Way,
    out: *mut *mut sqlite3_stmt,
) -> Result<usize, Failure> {
    let mut needed = 0;
    let prepared = loop {
        let prepared = db.engine(|conn| conn.prepare_bytes(text));
        match prepared.and_then(|prepared| Ok(prepared?)) {
            Err(failure) if needed < 10 && db.bring_collation(&failure) => needed += 1,
            other => break other?,
        }
    };
    let _ = way.flags;
    let Some((inner, tail)) = prepared else {
        return Ok(text.len());
    };
    let made = into_handle(sqlite3_stmt {
        magic: Cell::new(MAGIC),
        db,
        sql: c_string(inner.sql_bytes()),
        inner: RefCell::new(inner),
        is_legacy: way.is_legacy,
        last: RefCell::default(),
        was_stepped: Cell::new(false),
        has_row: Cell::new(false),
        row: Cell::new(1),
        columns: RefCell::default(),
        names: RefCell::default(),
        param_names: RefCell::default(),
        runs: Cell::new(0),
        started: Cell::new(None),
        reported: Cell::default(),
    });
    db.statements.borrow_mut().insert(0, made);
    put(out, made);
    Ok(tail)
}

fn prepare8(
    db: *mut sqlite3,
    sql: *const c_char,
    length: c_int,
    way: Way,
    out: *mut *mut sqlite3_stmt,
    tail: *mut *const c_char,
) -> c_int {
    if out.is_null() {
        return code::MISUSE;
    }
    put(out, std::ptr::null_mut());
    let Some(db) = connection(db) else {
        return code::MISUSE;
    };
    if sql.is_null() {
        return code::MISUSE;
    }
    let _held = db.lock();
    // A NUL ends the text even within the length.
    let text = match usize::try_from(length) {
        Ok(length) => {
            // SAFETY: `length` bytes, or as many as there are up to a NUL, are the caller's.
            let length = unsafe { libc::strnlen(sql, length) };
            bytes(sql.cast(), length)
        }
        Err(_) => counted(sql, -1),
    };
    match prepare(db, text, way, out) {
        Ok(taken) => {
            put(tail, sql.wrapping_add(taken));
            db.succeed()
        }
        Err(failure) => {
            put(tail, sql.wrapping_add(text.len()));
            db.fail(failure)
        }
    }
}

fn prepare16(
    db: *mut sqlite3,
    sql: *const c_void,
    length: c_int,
    way: Way,
    out: *mut *mut sqlite3_stmt,
    tail: *mut *const c_void,
) -> c_int {
    if out.is_null() {
        return code::MISUSE;
    }
    put(out, std::ptr::null_mut());
    let Some(db) = connection(db) else {
        return code::MISUSE;
    };
    if sql.is_null() {
        return code::MISUSE;
    }
    let _held = db.lock();
    let mut wide = counted16(sql, i64::from(length));
    if let Some(end) = wide.chunks_exact(2).position(|unit| unit == [0, 0]) {
        wide = &wide[..2 * end];
    }
    let text = from_utf16(wide);
    let (result, taken) = match prepare(db, &text, way, out) {
        Ok(taken) => (Ok(()), to_utf16(&text[..taken]).len() - 2),
        Err(failure) => (Err(failure), wide.len()),
    };
    put(tail, sql.wrapping_byte_add(taken));
    db.settle(result)
}

const LEGACY: Way = Way {
    is_legacy: true,
    flags: 0,
};

const fn modern(flags: c_uint) -> Way {
    Way {
        is_legacy: false,
        flags,
    }
}

c_api! {
    /// Prepares; errors of steps are told by `sqlite3_reset`.
    fn sqlite3_prepare(
        db: *mut sqlite3, sql: *const c_char, length: c_int,
        out: *mut *mut sqlite3_stmt, tail: *mut *const c_char,
    ) -> c_int = code::INTERNAL => {
        prepare8(db, sql, length, LEGACY, out, tail)
    }

    /// Prepares the first statement of a text.
    fn sqlite3_prepare_v2(
        db: *mut sqlite3, sql: *const c_char, length: c_int,
        out: *mut *mut sqlite3_stmt, tail: *mut *const c_char,
    ) -> c_int = code::INTERNAL => {
        prepare8(db, sql, length, modern(0), out, tail)
    }

    /// The same with flags.
    fn sqlite3_prepare_v3(
        db: *mut sqlite3, sql: *const c_char, length: c_int, flags: c_uint,
        out: *mut *mut sqlite3_stmt, tail: *mut *const c_char,
    ) -> c_int = code::INTERNAL => {
        prepare8(db, sql, length, modern(flags), out, tail)
    }

    /// Prepares a text in UTF-16; errors of steps are told by `sqlite3_reset`.
    fn sqlite3_prepare16(
        db: *mut sqlite3, sql: *const c_void, length: c_int,
        out: *mut *mut sqlite3_stmt, tail: *mut *const c_void,
    ) -> c_int = code::INTERNAL => {
        prepare16(db, sql, length, LEGACY, out, tail)
    }

    /// Prepares a text in UTF-16.
    fn sqlite3_prepare16_v2(
        db: *mut sqlite3, sql: *const c_void, length: c_int,
        out: *mut *mut sqlite3_stmt, tail: *mut *const c_void,
    ) -> c_int = code::INTERNAL => {
        prepare16(db, sql, length, modern(0), out, tail)
    }

    /// The same with flags.
    fn sqlite3_prepare16_v3(
        db: *mut sqlite3, sql: *const c_void, length: c_int, flags: c_uint,
        out: *mut *mut sqlite3_stmt, tail: *mut *const c_void,
    ) -> c_int = code::INTERNAL => {
        prepare16(db, sql, length, modern(flags), out, tail)
    }

    /// Runs to the next row, or to the end.
    fn sqlite3_step(handle: *mut sqlite3_stmt) -> c_int = code::INTERNAL => {
        statement(handle).map_or(code::MISUSE, sqlite3_stmt::step)
    }

    /// Makes a statement ready to run again; parameters keep their values.
    fn sqlite3_reset(handle: *mut sqlite3_stmt) -> c_int = code::INTERNAL => {
        if handle.is_null() {
            return code::OK;
        }
        statement(handle).map_or(code::MISUSE, sqlite3_stmt::reset)
    }

    /// Frees a statement.
    fn sqlite3_finalize(handle: *mut sqlite3_stmt) -> c_int = code::INTERNAL => {
        if handle.is_null() {
            return code::OK;
        }
        let Some(it) = statement(handle) else { return code::MISUSE };
        let db = it.connection();
        let held = db.lock();
        if it.inner.try_borrow_mut().is_err() {
            return db.fail(Failure::code(code::MISUSE));
        }
        let rc = it.reset();
        it.magic.set(0);
        db.statements.borrow_mut().retain(|s| *s != handle);
        // Dropping ends nothing: it was reset.
        drop(from_handle(handle));
        drop(held);
        db.release();
        rc
    }

    /// Sets all parameters to NULL.
    fn sqlite3_clear_bindings(handle: *mut sqlite3_stmt) -> c_int = code::INTERNAL => {
        let Some(it) = statement(handle) else { return code::MISUSE };
        let _held = it.connection().lock();
        if let Ok(mut inner) = it.inner.try_borrow_mut() {
            inner.clear_bindings();
        }
        code::OK
    }

    /// The connection of a statement.
    fn sqlite3_db_handle(handle: *mut sqlite3_stmt) -> *mut sqlite3 = std::ptr::null_mut() => {
        statement(handle).map_or(std::ptr::null_mut(), |it| it.db.cast_mut())
    }

    /// The statement that was prepared before that one, or the newest.
    fn sqlite3_next_stmt(db: *mut sqlite3, handle: *mut sqlite3_stmt) -> *mut sqlite3_stmt
    = std::ptr::null_mut() => {
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let _held = db.lock();
        let all = db.statements.borrow();
        let next = if handle.is_null() {
            all.first()
        } else {
            all.iter().position(|s| *s == handle).and_then(|at| all.get(at + 1))
        };
        next.copied().unwrap_or(std::ptr::null_mut())
    }

    /// The text of a statement.
    fn sqlite3_sql(handle: *mut sqlite3_stmt) -> *const c_char = std::ptr::null() => {
        statement(handle).map_or(std::ptr::null(), |it| it.sql.as_ptr())
    }

    /// The text with the values of its parameters; the caller frees it.
    fn sqlite3_expanded_sql(handle: *mut sqlite3_stmt) -> *mut c_char = std::ptr::null_mut() => {
        let Some(it) = statement(handle) else { return std::ptr::null_mut() };
        let _held = it.connection().lock();
        let Ok(inner) = it.inner.try_borrow() else { return std::ptr::null_mut() };
        let text = it.expanded(&inner);
        let limit = it.connection().glance(0, |conn| conn.limit(ringwood::local::Limit::Length));
        if text.len() > limit as usize {
            return std::ptr::null_mut();
        }
        crate::memory::text_of(&text)
    }

    /// Whether it changes no database by itself.
    fn sqlite3_stmt_readonly(handle: *mut sqlite3_stmt) -> c_int = 1 => {
        let Some(it) = statement(handle) else { return 1 };
        let Ok(inner) = it.inner.try_borrow() else { return 0 };
        c_int::from(inner.is_readonly())
    }

    /// 1 for EXPLAIN, 2 for EXPLAIN QUERY PLAN, else 0.
    fn sqlite3_stmt_isexplain(handle: *mut sqlite3_stmt) -> c_int = 0 => {
        let Some(it) = statement(handle) else { return 0 };
        let Ok(inner) = it.inner.try_borrow() else { return 0 };
        inner.explain() as c_int
    }

    /// Makes it an EXPLAIN, an EXPLAIN QUERY PLAN, or what its text says.
    fn sqlite3_stmt_explain(handle: *mut sqlite3_stmt, mode: c_int) -> c_int
    = code::INTERNAL => {
        let Some(it) = statement(handle) else { return code::MISUSE };
        let db = it.connection();
        let _held = db.lock();
        let Ok(mut inner) = it.inner.try_borrow_mut() else { return code::MISUSE };
        if inner.is_running() {
            return code::BUSY;
        }
        if !(0..=2).contains(&mode) {
            return code::ERROR;
        }
        if inner.explain() as c_int == mode {
            return code::OK;
        }
        let changed = db.engine(|_| inner.set_explain(mode as u8));
        it.columns.borrow_mut().clear();
        it.names.borrow_mut().clear();
        db.settle(changed.and_then(|changed| Ok(changed?)))
    }

    /// Whether it was stepped, and neither ended nor was reset.
    fn sqlite3_stmt_busy(handle: *mut sqlite3_stmt) -> c_int = 0 => {
        let Some(it) = statement(handle) else { return 0 };
        c_int::from(it.inner.try_borrow().is_ok_and(|inner| inner.is_running()))
    }

    /// A counter of a statement.
    fn sqlite3_stmt_status(handle: *mut sqlite3_stmt, op: c_int, reset: c_int) -> c_int = 0 => {
        let Some(it) = statement(handle) else { return 0 };
        let Ok(inner) = it.inner.try_borrow() else { return 0 };
        let (steps, scans, sorts) = inner.counters();
        let (steps0, scans0, sorts0) = it.reported.get();
        let (now, before) = match op {
            1 => (scans, scans0),
            2 => (sorts, sorts0),
            4 => (steps, steps0),
            6 => {
                let runs = it.runs.get();
                if reset != 0 {
                    it.runs.set(0);
                }
                return runs as c_int;
            }
            _ => return 0,
        };
        if reset != 0 {
            it.reported.set(match op {
                1 => (steps0, scans, sorts0),
                2 => (steps0, scans0, sorts),
                _ => (steps, scans0, sorts0),
            });
        }
        now.saturating_sub(before) as c_int
    }

    /// The number of parameters: the largest one's.
    fn sqlite3_bind_parameter_count(handle: *mut sqlite3_stmt) -> c_int = 0 => {
        let Some(it) = statement(handle) else { return 0 };
        it.inner.try_borrow().map_or(0, |inner| inner.parameter_count()) as c_int
    }

    /// The name of a parameter, with the character in front of it.
    fn sqlite3_bind_parameter_name(handle: *mut sqlite3_stmt, index: c_int) -> *const c_char
    = std::ptr::null() => {
        let Some(it) = statement(handle) else { return std::ptr::null() };
        let Ok(inner) = it.inner.try_borrow() else { return std::ptr::null() };
        let Some(at) = usize::try_from(index).ok().and_then(|i| i.checked_sub(1)) else {
            return std::ptr::null();
        };
        let mut names = it.param_names.borrow_mut();
        if names.is_empty() {
            let count = inner.parameter_count();
            names.extend((1..=count).map(|i| inner.parameter_name(i).map(c_string)));
        }
        let found = names.get(at).and_then(Option::as_ref);
        found.map_or(std::ptr::null(), |name| name.as_ptr())
    }

    /// The number of the parameter with that name, 0 without one.
    fn sqlite3_bind_parameter_index(handle: *mut sqlite3_stmt, name: *const c_char) -> c_int
    = 0 => {
        let (Some(it), Some(name)) = (statement(handle), crate::boundary::name(name)) else {
            return 0;
        };
        let Ok(inner) = it.inner.try_borrow() else { return 0 };
        inner.parameter_index(&name).unwrap_or(0) as c_int
    }

    /// Moves the values of parameters from one statement to another of the same connection.
    fn sqlite3_transfer_bindings(from: *mut sqlite3_stmt, to: *mut sqlite3_stmt) -> c_int
    = code::INTERNAL => {
        let (Some(from), Some(to)) = (statement(from), statement(to)) else { return code::MISUSE };
        let (Ok(source), Ok(mut target)) = (from.inner.try_borrow(), to.inner.try_borrow_mut()) else {
            return code::MISUSE;
        };
        if source.parameter_count() != target.parameter_count() {
            return code::ERROR;
        }
        for (i, value) in source.bindings().iter().enumerate() {
            // It has as many, and does not run, or stays as it is.
            let _ = target.bind_mem(i + 1, value.clone());
        }
        code::OK
    }
}
