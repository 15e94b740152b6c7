//! Counters and limits.
//!
//! Counters of what this library does not do (lookaside, page cache allocations) are 0.
//!
//! Source: SQLite's `sqlite3_status64`, `sqlite3_db_status64`, `sqlite3_limit`.

use std::ffi::c_int;

use ringwood::local::Limit;

use crate::boundary::{c_api, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::memory;

fn status(op: c_int, reset: bool) -> Option<(i64, i64)> {
    match op {
        0 => Some(memory::usage(reset)),
        1..=9 => Some((0, 0)),
        _ => None,
    }
}

c_api! {
    /// A counter of the library.
    fn sqlite3_status(op: c_int, now: *mut c_int, highest: *mut c_int, reset: c_int) -> c_int
    = code::INTERNAL => {
        let Some((a, b)) = status(op, reset != 0) else { return code::MISUSE };
        put(now, a as c_int);
        put(highest, b as c_int);
        code::OK
    }

    /// A counter of the library.
    fn sqlite3_status64(op: c_int, now: *mut i64, highest: *mut i64, reset: c_int) -> c_int
    = code::INTERNAL => {
        let Some((a, b)) = status(op, reset != 0) else { return code::MISUSE };
        put(now, a);
        put(highest, b);
        code::OK
    }

    /// A counter of a connection.
    fn sqlite3_db_status(
        db: *mut sqlite3, op: c_int, now: *mut c_int, highest: *mut c_int, _reset: c_int,
    ) -> c_int = code::INTERNAL => {
        if connection(db).is_none() {
            return code::MISUSE;
        }
        if !(0..=14).contains(&op) {
            return code::ERROR;
        }
        put(now, 0);
        put(highest, 0);
        code::OK
    }

    /// A counter of a connection.
    fn sqlite3_db_status64(
        db: *mut sqlite3, op: c_int, now: *mut i64, highest: *mut i64, _reset: c_int,
    ) -> c_int = code::INTERNAL => {
        if connection(db).is_none() {
            return code::MISUSE;
        }
        if !(0..=14).contains(&op) {
            return code::ERROR;
        }
        put(now, 0);
        put(highest, 0);
        code::OK
    }

    /// A limit, which a number that is not negative changes; the value before.
    fn sqlite3_limit(db: *mut sqlite3, id: c_int, value: c_int) -> c_int = -1 => {
        let Some(db) = connection(db) else { return -1 };
        let found = Limit::ALL.iter().find(|(_, limit)| *limit as c_int == id);
        let Some((_, limit)) = found else { return -1 };
        if value < 0 {
            return db.glance(-1, |conn| conn.limit(*limit));
        }
        db.ask(-1, |conn| conn.set_limit(*limit, value))
    }
}
