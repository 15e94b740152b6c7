//! Virtual tables of the application: modules made of C functions.
//!
//! Source: SQLite's "The Virtual Table Mechanism Of SQLite".

use std::ffi::{c_char, c_int, c_void};

use crate::boundary::{Destructor, c_api, destroy, guard};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::value::sqlite3_value;
use crate::variadic::Arguments;

/// `sqlite3_vtab_config`: behind the shim.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ringwood_vtab_config(
    db: *mut sqlite3,
    _op: c_int,
    _arguments: *mut Arguments,
) -> c_int {
    guard(code::INTERNAL, || match connection(db) {
        Some(db) => db.fail(Failure::code(code::MISUSE)),
        None => code::MISUSE,
    })
}

fn refuse(db: *mut sqlite3) -> c_int {
    match connection(db) {
        Some(db) => db.fail(Failure::new(
            code::ERROR,
            "virtual table modules of the application are not supported",
        )),
        None => code::MISUSE,
    }
}

c_api! {
    /// Registers a module.
    fn sqlite3_create_module(
        db: *mut sqlite3, _name: *const c_char, _module: *const c_void, _data: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        refuse(db)
    }

    /// Registers a module.
    fn sqlite3_create_module_v2(
        db: *mut sqlite3, _name: *const c_char, _module: *const c_void, data: *mut c_void,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        destroy(destructor, data);
        refuse(db)
    }

    /// Takes all modules away but those.
    fn sqlite3_drop_modules(db: *mut sqlite3, _keep: *const *const c_char) -> c_int
    = code::INTERNAL => {
        if connection(db).is_some() { code::OK } else { code::MISUSE }
    }

    /// Declares the columns of a table that is being connected.
    fn sqlite3_declare_vtab(db: *mut sqlite3, _sql: *const c_char) -> c_int
    = code::INTERNAL => {
        match connection(db) {
            Some(db) => db.fail(Failure::code(code::MISUSE)),
            None => code::MISUSE,
        }
    }

    /// How a conflict is settled by the change that is under way.
    fn sqlite3_vtab_on_conflict(_db: *mut sqlite3) -> c_int = 0 => {
        0
    }

    /// The collation of a constraint.
    fn sqlite3_vtab_collation(_info: *mut c_void, _constraint: c_int) -> *const c_char
    = std::ptr::null() => {
        std::ptr::null()
    }

    /// What becomes of equal rows.
    fn sqlite3_vtab_distinct(_info: *mut c_void) -> c_int = 0 => {
        0
    }

    /// Whether an IN can be had as a whole.
    fn sqlite3_vtab_in(_info: *mut c_void, _constraint: c_int, _handle: c_int) -> c_int = 0 => {
        0
    }

    /// The right side of a constraint.
    fn sqlite3_vtab_rhs_value(
        _info: *mut c_void, _constraint: c_int, _value: *mut *mut sqlite3_value,
    ) -> c_int = code::NOTFOUND => {
        code::NOTFOUND
    }
}
