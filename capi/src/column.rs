//! Reading rows and what is known of their columns.
//!
//! Source: SQLite's "Result Values From A Query", `sqlite3_column_name`.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_double, c_int, c_void};

use ringwood::local::Statement;

use crate::boundary::{NATIVE_UTF16, c_api, c_string, to_utf16};
use crate::code;
use crate::error::Failure;
use crate::statement::{ColumnValue, sqlite3_stmt, statement};
use crate::value::sqlite3_value;

/// Names of columns that were given out, by kind and column; they stay until the statement goes or is compiled again.
#[derive(Default)]
pub(crate) struct Names {
    /// The program that they are of.
    of: usize,
    narrow: Vec<(usize, usize, CString)>,
    wide: Vec<(usize, usize, Vec<u8>)>,
}

impl Names {
    pub(crate) fn clear(&mut self) {
        *self = Names::default();
    }
}

/// What may be asked of a column; the number is its place in [`Names`].
#[derive(Clone, Copy)]
enum Fact {
    Name,
    Decltype,
    Database,
    Table,
    Origin,
}

fn fact(statement: &Statement, column: usize, fact: Fact) -> Option<String> {
    let columns = statement.columns();
    let column = columns.get(column)?;
    let text = match fact {
        Fact::Name => Some(column.name),
        Fact::Decltype => column.decl_type,
        Fact::Database => column.database_name,
        Fact::Table => column.table_name,
        Fact::Origin => column.origin_name,
    };
    text.map(str::to_owned)
}

fn known<'a>(
    handle: *mut sqlite3_stmt,
    column: c_int,
    of: Fact,
) -> Option<(&'a sqlite3_stmt, usize, String)> {
    let it = statement(handle)?;
    let column = usize::try_from(column).ok()?;
    let inner = it.inner.try_borrow().ok()?;
    let text = fact(&inner, column, of)?;
    let program = std::sync::Arc::as_ptr(inner.program()) as usize;
    let mut names = it.names.borrow_mut();
    if names.of != program {
        names.clear();
        names.of = program;
    }
    Some((it, column, text))
}

fn narrow(handle: *mut sqlite3_stmt, column: c_int, of: Fact) -> *const c_char {
    let Some((it, column, text)) = known(handle, column, of) else {
        return std::ptr::null();
    };
    let names = &mut it.names.borrow_mut().narrow;
    let key = of as usize;
    if !names.iter().any(|(k, c, _)| (*k, *c) == (key, column)) {
        names.push((key, column, c_string(text)));
    }
    let found = names.iter().find(|(k, c, _)| (*k, *c) == (key, column));
    found.map_or(std::ptr::null(), |(_, _, name)| name.as_ptr())
}

fn wide(handle: *mut sqlite3_stmt, column: c_int, of: Fact) -> *const c_void {
    let Some((it, column, text)) = known(handle, column, of) else {
        return std::ptr::null();
    };
    let names = &mut it.names.borrow_mut().wide;
    let key = of as usize;
    if !names.iter().any(|(k, c, _)| (*k, *c) == (key, column)) {
        names.push((key, column, to_utf16(text.as_bytes())));
    }
    let found = names.iter().find(|(k, c, _)| (*k, *c) == (key, column));
    found.map_or(std::ptr::null(), |(_, _, name)| name.as_ptr().cast())
}

/// A column of the current row; none, and SQLITE_RANGE, without one.
#[inline]
fn value<'a>(handle: *mut sqlite3_stmt, column: c_int) -> Option<&'a sqlite3_value> {
    let it = statement(handle)?;
    let at = column as usize;
    let inner = it.inner.try_borrow().ok()?;
    let row = inner.row();
    if !it.has_row.get() || at >= row.len() {
        let db = it.connection();
        db.fail(Failure::code(code::RANGE));
        return None;
    }
    let mut columns = it.columns.borrow_mut();
    if columns.len() < row.len() {
        columns.resize_with(row.len(), || ColumnValue {
            row: Cell::new(0),
            value: Box::default(),
        });
    }
    let slot = &columns[at];
    if slot.row.replace(it.row.get()) != it.row.get() {
        slot.value.point_to(&raw const row[at]);
    }
    let found: *const sqlite3_value = &raw const *slot.value;
    crate::boundary::object(found)
}

c_api! {
    /// How many columns rows have.
    fn sqlite3_column_count(handle: *mut sqlite3_stmt) -> c_int = 0 => {
        let Some(it) = statement(handle) else { return 0 };
        it.inner.try_borrow().map_or(0, |inner| inner.column_count()) as c_int
    }

    /// How many columns the current row has; 0 without one.
    fn sqlite3_data_count(handle: *mut sqlite3_stmt) -> c_int = 0 => {
        let Some(it) = statement(handle) else { return 0 };
        if !it.has_row.get() {
            return 0;
        }
        it.inner.try_borrow().map_or(0, |inner| inner.column_count()) as c_int
    }

    /// The name of a column.
    fn sqlite3_column_name(handle: *mut sqlite3_stmt, column: c_int) -> *const c_char
    = std::ptr::null() => {
        narrow(handle, column, Fact::Name)
    }

    /// The name of a column, in UTF-16.
    fn sqlite3_column_name16(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        wide(handle, column, Fact::Name)
    }

    /// The database of the table column that it is; null if it is none.
    fn sqlite3_column_database_name(handle: *mut sqlite3_stmt, column: c_int) -> *const c_char
    = std::ptr::null() => {
        narrow(handle, column, Fact::Database)
    }

    /// The same in UTF-16.
    fn sqlite3_column_database_name16(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        wide(handle, column, Fact::Database)
    }

    /// The table of the column that it is; null if it is none.
    fn sqlite3_column_table_name(handle: *mut sqlite3_stmt, column: c_int) -> *const c_char
    = std::ptr::null() => {
        narrow(handle, column, Fact::Table)
    }

    /// The same in UTF-16.
    fn sqlite3_column_table_name16(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        wide(handle, column, Fact::Table)
    }

    /// The name in its table of the column that it is; null if it is none.
    fn sqlite3_column_origin_name(handle: *mut sqlite3_stmt, column: c_int) -> *const c_char
    = std::ptr::null() => {
        narrow(handle, column, Fact::Origin)
    }

    /// The same in UTF-16.
    fn sqlite3_column_origin_name16(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        wide(handle, column, Fact::Origin)
    }

    /// The declared type of the table column that it is; null if it is none.
    fn sqlite3_column_decltype(handle: *mut sqlite3_stmt, column: c_int) -> *const c_char
    = std::ptr::null() => {
        narrow(handle, column, Fact::Decltype)
    }

    /// The same in UTF-16.
    fn sqlite3_column_decltype16(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        wide(handle, column, Fact::Decltype)
    }

    /// The bytes of a column.
    fn sqlite3_column_blob(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        value(handle, column).map_or(std::ptr::null(), sqlite3_value::blob)
    }

    /// A column as a real.
    fn sqlite3_column_double(handle: *mut sqlite3_stmt, column: c_int) -> c_double = 0.0 => {
        value(handle, column).map_or(0.0, |v| v.mem().to_real())
    }

    /// The lower 32 bits of a column as an integer.
    fn sqlite3_column_int(handle: *mut sqlite3_stmt, column: c_int) -> c_int = 0 => {
        value(handle, column).map_or(0, |v| v.mem().to_int() as c_int)
    }

    /// A column as an integer.
    fn sqlite3_column_int64(handle: *mut sqlite3_stmt, column: c_int) -> i64 = 0 => {
        value(handle, column).map_or(0, |v| v.mem().to_int())
    }

    /// A column as UTF-8.
    fn sqlite3_column_text(handle: *mut sqlite3_stmt, column: c_int) -> *const c_char
    = std::ptr::null() => {
        value(handle, column).map_or(std::ptr::null(), sqlite3_value::text)
    }

    /// A column as UTF-16.
    fn sqlite3_column_text16(handle: *mut sqlite3_stmt, column: c_int) -> *const c_void
    = std::ptr::null() => {
        value(handle, column).map_or(std::ptr::null(), |v| v.text16(NATIVE_UTF16))
    }

    /// A column's value; NULL without a row.
    fn sqlite3_column_value(handle: *mut sqlite3_stmt, column: c_int) -> *mut sqlite3_value
    = std::ptr::null_mut() => {
        match value(handle, column) {
            Some(found) => std::ptr::from_ref(found).cast_mut(),
            None => null_value(),
        }
    }

    /// Bytes of a column's blob, or of its text as UTF-8.
    fn sqlite3_column_bytes(handle: *mut sqlite3_stmt, column: c_int) -> c_int = 0 => {
        value(handle, column).map_or(0, sqlite3_value::byte_count)
    }

    /// Bytes of a column's blob, or of its text as UTF-16.
    fn sqlite3_column_bytes16(handle: *mut sqlite3_stmt, column: c_int) -> c_int = 0 => {
        value(handle, column).map_or(0, sqlite3_value::byte_count16)
    }

    /// The storage class of a column.
    fn sqlite3_column_type(handle: *mut sqlite3_stmt, column: c_int) -> c_int = code::NULL => {
        value(handle, column).map_or(code::NULL, sqlite3_value::kind)
    }
}

/// A value that is NULL: one for each thread, which nobody changes.
fn null_value() -> *mut sqlite3_value {
    thread_local!(static NULL: sqlite3_value = sqlite3_value::default());
    NULL.with(|null| std::ptr::from_ref(null).cast_mut())
}
