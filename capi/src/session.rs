//! Sessions, snapshots and R-trees: functions that exist, and say that they are not supported.
//!
//! Source: SQLite's "The Session Extension", "The Geopoly Interface To The SQLite R*Tree Module", `sqlite3_snapshot_get`.

use std::ffi::{c_char, c_int, c_void};

use crate::boundary::{Destructor, c_api, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;

/// Says that something is not supported.
fn refuse(db: *mut sqlite3, what: &str) -> c_int {
    match connection(db) {
        Some(db) => db.fail(Failure::new(
            code::ERROR,
            format!("{what} are not supported"),
        )),
        None => code::MISUSE,
    }
}

c_api! {
    /// Begins to record changes: refused.
    fn sqlite3session_create(db: *mut sqlite3, _database: *const c_char, out: *mut *mut c_void)
    -> c_int = code::INTERNAL => {
        put(out, std::ptr::null_mut());
        refuse(db, "sessions")
    }

    /// There are no sessions.
    fn sqlite3session_delete(_session: *mut c_void) => {}

    /// There are no sessions.
    fn sqlite3session_attach(_session: *mut c_void, _table: *const c_char) -> c_int
    = code::MISUSE => {
        code::MISUSE
    }

    /// There are no sessions.
    fn sqlite3session_changeset(_session: *mut c_void, size: *mut c_int, out: *mut *mut c_void)
    -> c_int = code::MISUSE => {
        put(size, 0);
        put(out, std::ptr::null_mut());
        code::MISUSE
    }

    /// There are no sessions.
    fn sqlite3session_patchset(_session: *mut c_void, size: *mut c_int, out: *mut *mut c_void)
    -> c_int = code::MISUSE => {
        put(size, 0);
        put(out, std::ptr::null_mut());
        code::MISUSE
    }

    /// There are no sessions.
    fn sqlite3session_enable(_session: *mut c_void, _on: c_int) -> c_int = 0 => {
        0
    }

    /// There are no sessions.
    fn sqlite3session_indirect(_session: *mut c_void, _on: c_int) -> c_int = 0 => {
        0
    }

    /// There are no sessions.
    fn sqlite3session_isempty(_session: *mut c_void) -> c_int = 1 => {
        1
    }

    /// There are no sessions.
    fn sqlite3session_table_filter(
        _session: *mut c_void,
        _filter: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int>,
        _argument: *mut c_void,
    ) => {}

    /// There are no R-trees.
    fn sqlite3_rtree_geometry_callback(
        db: *mut sqlite3, _name: *const c_char, _call: *mut c_void, _argument: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        refuse(db, "R-trees")
    }

    /// There are no R-trees.
    fn sqlite3_rtree_query_callback(
        db: *mut sqlite3, _name: *const c_char, _call: *mut c_void, argument: *mut c_void,
        destructor: Destructor,
    ) -> c_int = code::INTERNAL => {
        crate::boundary::destroy(destructor, argument);
        refuse(db, "R-trees")
    }

    /// Snapshots are not handed out.
    fn sqlite3_snapshot_get(db: *mut sqlite3, _database: *const c_char, out: *mut *mut c_void)
    -> c_int = code::INTERNAL => {
        put(out, std::ptr::null_mut());
        refuse(db, "snapshots")
    }

    /// Snapshots are not handed out.
    fn sqlite3_snapshot_open(db: *mut sqlite3, _database: *const c_char, _snapshot: *mut c_void)
    -> c_int = code::INTERNAL => {
        refuse(db, "snapshots")
    }

    /// There are no snapshots.
    fn sqlite3_snapshot_free(_snapshot: *mut c_void) => {}

    /// There are no snapshots.
    fn sqlite3_snapshot_cmp(_a: *mut c_void, _b: *mut c_void) -> c_int = 0 => {
        0
    }

    /// Snapshots are not handed out.
    fn sqlite3_snapshot_recover(db: *mut sqlite3, _database: *const c_char) -> c_int
    = code::INTERNAL => {
        refuse(db, "snapshots")
    }
}
