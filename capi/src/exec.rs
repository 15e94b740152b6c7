//! Running scripts: `sqlite3_exec`, `sqlite3_get_table`. They are made of the other functions, as callers would make them.
//!
//! Source: SQLite's "One-Step Query Execution Interface".

use std::ffi::{c_char, c_int, c_void};

use crate::boundary::{c_api, put, text};
use crate::code;
use crate::column::{sqlite3_column_count, sqlite3_column_name, sqlite3_column_text};
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::memory;
use crate::statement::{sqlite3_finalize, sqlite3_prepare_v2, sqlite3_step, sqlite3_stmt};

type Row = unsafe extern "C" fn(*mut c_void, c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;

/// Values of a row and names of its columns.
type Shown = (Vec<*mut c_char>, Vec<*mut c_char>);

fn names(statement: *mut sqlite3_stmt) -> Vec<*mut c_char> {
    // SAFETY: functions of this library with a statement that was just prepared.
    let count = unsafe { sqlite3_column_count(statement) };
    // SAFETY: as above.
    (0..count)
        .map(|i| unsafe { sqlite3_column_name(statement, i) }.cast_mut())
        .collect()
}

fn values(statement: *mut sqlite3_stmt, count: usize) -> Vec<*mut c_char> {
    // SAFETY: as above.
    let mut values: Vec<*mut c_char> = (0..count as c_int)
        .map(|i| unsafe { sqlite3_column_text(statement, i) }.cast_mut())
        .collect();
    values.push(std::ptr::null_mut());
    values
}

/// Runs every statement; `row` gets what there is to show, and says whether to go on.
fn run(db: *mut sqlite3, script: *const c_char, mut row: impl FnMut(&mut Shown) -> bool) -> c_int {
    let mut rest = script;
    while text(rest).is_some_and(|rest| !rest.is_empty()) {
        let mut statement = std::ptr::null_mut();
        // SAFETY: a function of this library, with the caller's text.
        let rc = unsafe { sqlite3_prepare_v2(db, rest, -1, &raw mut statement, &raw mut rest) };
        if rc != code::OK {
            return rc;
        }
        if statement.is_null() {
            continue;
        }
        let mut shown: Option<Shown> = None;
        let rc = loop {
            // SAFETY: as above.
            let rc = unsafe { sqlite3_step(statement) };
            let names = match (rc, &shown) {
                (code::ROW, None) => names(statement),
                (code::ROW, Some((_, names))) => names.clone(),
                (code::DONE, None) if wants_empty(db) => names(statement),
                _ => break rc,
            };
            let found = if rc == code::ROW {
                values(statement, names.len())
            } else {
                Vec::new()
            };
            let shown = shown.insert((found, names));
            if !row(shown) {
                // SAFETY: as above.
                unsafe { sqlite3_finalize(statement) };
                if let Some(db) = connection(db) {
                    db.fail(Failure::code(code::ABORT));
                }
                return code::ABORT;
            }
            if rc != code::ROW {
                break rc;
            }
        };
        // SAFETY: as above.
        let ended = unsafe { sqlite3_finalize(statement) };
        if rc != code::DONE {
            return ended;
        }
    }
    code::OK
}

/// `PRAGMA empty_result_callbacks` is not kept: callbacks are called for rows only.
fn wants_empty(_db: *mut sqlite3) -> bool {
    false
}

/// Gives the message of an error out.
fn tell(db: *mut sqlite3, rc: c_int, message: *mut *mut c_char) -> c_int {
    let failed = connection(db).filter(|_| rc != code::OK && !message.is_null());
    let text = failed.map(|db| memory::text_of(db.error.borrow().text()));
    put(message, text.unwrap_or(std::ptr::null_mut()));
    rc
}

/// A table that `sqlite3_get_table` fills.
struct Table {
    cells: Vec<*mut c_char>,
    columns: usize,
    rows: c_int,
    differs: bool,
}

c_api! {
    /// Runs a script; `call` gets the rows.
    fn sqlite3_exec(
        db: *mut sqlite3, script: *const c_char, call: Option<Row>, argument: *mut c_void,
        message: *mut *mut c_char,
    ) -> c_int = code::INTERNAL => {
        put(message, std::ptr::null_mut());
        let Some(it) = connection(db) else { return code::MISUSE };
        let _held = it.lock();
        it.succeed();
        let rc = run(db, script, |(values, names)| {
            let Some(call) = call else { return true };
            let count = names.len() as c_int;
            let values = if values.is_empty() { std::ptr::null_mut() } else { values.as_mut_ptr() };
            // SAFETY: the application's function, with its own argument; the texts live until it returns.
            unsafe { call(argument, count, values, names.as_mut_ptr()) == 0 }
        });
        tell(db, rc, message)
    }

    /// Runs a script; all rows in one array, the names first.
    fn sqlite3_get_table(
        db: *mut sqlite3, script: *const c_char, result: *mut *mut *mut c_char, rows: *mut c_int,
        columns: *mut c_int, message: *mut *mut c_char,
    ) -> c_int = code::INTERNAL => {
        put(result, std::ptr::null_mut());
        put(rows, 0);
        put(columns, 0);
        put(message, std::ptr::null_mut());
        let Some(it) = connection(db) else { return code::MISUSE };
        let _held = it.lock();
        // In front of the cells: how many there are, for `sqlite3_free_table`.
        let mut table = Table {
            cells: vec![std::ptr::null_mut()], columns: 0, rows: 0, differs: false,
        };
        let copy = |cell: &*mut c_char| match text(*cell) {
            Some(cell) => memory::text_of(cell),
            None => std::ptr::null_mut(),
        };
        let mut rc = run(db, script, |(values, names)| {
            if table.rows == 0 && table.columns == 0 {
                table.columns = names.len();
                table.cells.extend(names.iter().map(copy));
            } else if table.columns != names.len() {
                table.differs = true;
                return false;
            }
            table.rows += 1;
            table.cells.extend(values.iter().take(names.len()).map(copy));
            true
        });
        if table.differs {
            let words = "sqlite3_get_table() called with two or more incompatible queries";
            it.fail(Failure::new(code::ERROR, words));
            rc = code::ERROR;
        }
        let count = table.cells.len();
        table.cells[0] = count as *mut c_char;
        let size = count * size_of::<*mut c_char>();
        let memory: *mut *mut c_char = memory::allocate(size as u64).cast();
        crate::boundary::items_mut(memory, count).copy_from_slice(&table.cells);
        let cells = memory.wrapping_add(1);
        if rc == code::OK {
            put(result, cells);
            put(rows, table.rows);
            put(columns, table.columns as c_int);
        } else {
            free_table(cells);
        }
        tell(db, rc, message)
    }

    /// Frees what `sqlite3_get_table` gave.
    fn sqlite3_free_table(cells: *mut *mut c_char) => {
        free_table(cells);
    }
}

fn free_table(cells: *mut *mut c_char) {
    if cells.is_null() {
        return;
    }
    let start = cells.wrapping_sub(1);
    let count = crate::boundary::items(start, 1)[0] as usize;
    for cell in &crate::boundary::items(start, count)[1..] {
        memory::release(cell.cast());
    }
    memory::release(start.cast());
}
