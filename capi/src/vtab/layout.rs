//! The objects of virtual tables as C lays them out.
//!
//! A module says by its version how many of its methods exist: nothing behind that is read ([`Methods::of`]).
//!
//! Source: SQLite's `sqlite3_module`, `sqlite3_vtab`, `sqlite3_vtab_cursor`, `sqlite3_index_info`.

use std::ffi::{c_char, c_double, c_int, c_uchar, c_void};

use crate::connection::sqlite3;
use crate::function::{Call, sqlite3_context};
use crate::value::sqlite3_value;

/// A table of the application's; its own fields follow.
#[allow(non_camel_case_types, missing_docs)]
#[repr(C)]
pub struct sqlite3_vtab {
    pub module: *const c_void,
    pub references: c_int,
    pub message: *mut c_char,
}

/// A cursor of the application's; its own fields follow.
#[allow(non_camel_case_types, missing_docs)]
#[repr(C)]
pub struct sqlite3_vtab_cursor {
    pub table: *mut sqlite3_vtab,
}

/// A constraint that a table is asked about.
#[allow(missing_docs)]
#[repr(C)]
pub struct Constraint {
    pub column: c_int,
    pub op: c_uchar,
    pub usable: c_uchar,
    pub term: c_int,
}

/// A term of the wished order.
#[allow(missing_docs)]
#[repr(C)]
pub struct OrderBy {
    pub column: c_int,
    pub desc: c_uchar,
}

/// What a table does with a constraint.
#[allow(missing_docs)]
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Usage {
    pub argument: c_int,
    pub omit: c_uchar,
}

/// A question to a table and its answer.
#[allow(non_camel_case_types, missing_docs)]
#[repr(C)]
pub struct sqlite3_index_info {
    pub constraint_count: c_int,
    pub constraints: *mut Constraint,
    pub order_by_count: c_int,
    pub order_by: *mut OrderBy,
    pub usage: *mut Usage,
    pub number: c_int,
    pub text: *mut c_char,
    pub free_text: c_int,
    pub order_by_consumed: c_int,
    pub cost: c_double,
    pub rows: i64,
    pub flags: c_int,
    pub columns_used: u64,
}

type Table = *mut sqlite3_vtab;
type Cursor = *mut sqlite3_vtab_cursor;
type Message = *mut *mut c_char;
type OnTable = Option<unsafe extern "C" fn(Table) -> c_int>;
type Numbered = Option<unsafe extern "C" fn(Table, c_int) -> c_int>;
type Connect = Option<
    unsafe extern "C" fn(
        *mut sqlite3,
        *mut c_void,
        c_int,
        *const *const c_char,
        *mut Table,
        Message,
    ) -> c_int,
>;
type OnCursor = Option<unsafe extern "C" fn(Cursor) -> c_int>;

/// The methods of a module. Each is SQLite's of that name.
#[allow(missing_docs)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Methods {
    pub version: c_int,
    pub create: Connect,
    pub connect: Connect,
    pub best_index: Option<unsafe extern "C" fn(Table, *mut sqlite3_index_info) -> c_int>,
    pub disconnect: OnTable,
    pub destroy: OnTable,
    pub open: Option<unsafe extern "C" fn(Table, *mut Cursor) -> c_int>,
    pub close: OnCursor,
    pub filter: Option<
        unsafe extern "C" fn(Cursor, c_int, *const c_char, c_int, *mut *mut sqlite3_value) -> c_int,
    >,
    pub next: OnCursor,
    pub eof: OnCursor,
    pub column: Option<unsafe extern "C" fn(Cursor, *mut sqlite3_context, c_int) -> c_int>,
    pub rowid: Option<unsafe extern "C" fn(Cursor, *mut i64) -> c_int>,
    pub update:
        Option<unsafe extern "C" fn(Table, c_int, *mut *mut sqlite3_value, *mut i64) -> c_int>,
    pub begin: OnTable,
    pub sync: OnTable,
    pub commit: OnTable,
    pub rollback: OnTable,
    pub find_function: Option<
        unsafe extern "C" fn(Table, c_int, *const c_char, *mut Call, *mut *mut c_void) -> c_int,
    >,
    pub rename: Option<unsafe extern "C" fn(Table, *const c_char) -> c_int>,
    // From version 2 on.
    pub savepoint: Numbered,
    pub release: Numbered,
    pub rollback_to: Numbered,
    // From version 3 on.
    pub shadow_name: Option<unsafe extern "C" fn(*const c_char) -> c_int>,
    // From version 4 on.
    pub integrity:
        Option<unsafe extern "C" fn(Table, *const c_char, *const c_char, c_int, Message) -> c_int>,
}

const _: () = assert!(std::mem::size_of::<Methods>() == 25 * 8);

impl Methods {
    /// No methods.
    pub(crate) const NONE: Methods = Methods {
        version: 0,
        create: None,
        connect: None,
        best_index: None,
        disconnect: None,
        destroy: None,
        open: None,
        close: None,
        filter: None,
        next: None,
        eof: None,
        column: None,
        rowid: None,
        update: None,
        begin: None,
        sync: None,
        commit: None,
        rollback: None,
        find_function: None,
        rename: None,
        savepoint: None,
        release: None,
        rollback_to: None,
        shadow_name: None,
        integrity: None,
    };

    /// What a module of the application has.
    pub(crate) fn of(module: *const c_void) -> Option<Methods> {
        if module.is_null() {
            return None;
        }
        // SAFETY: every module begins with its version.
        let version = unsafe { module.cast::<c_int>().read() };
        let count = match version {
            ..=1 => 20,
            2 => 23,
            3 => 24,
            _ => 25,
        };
        let mut methods = Methods::NONE;
        // SAFETY: a module of that version has so many words, which are laid out as `Methods` are.
        unsafe {
            module
                .cast::<usize>()
                .copy_to_nonoverlapping((&raw mut methods).cast(), count);
        }
        Some(methods)
    }
}
