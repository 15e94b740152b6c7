//! Databases as bytes.
//!
//! Source: SQLite's `sqlite3_serialize`, `sqlite3_deserialize`.

use std::ffi::{c_char, c_int, c_uint};

use crate::boundary::{bytes, c_api, name, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;
use crate::memory;

const NO_COPY: c_uint = 1;
const FREE_ON_CLOSE: c_uint = 1;
const READ_ONLY: c_uint = 4;

c_api! {
    /// The bytes of a database, which the caller frees. There is never memory that could be given without a copy.
    fn sqlite3_serialize(
        db: *mut sqlite3, database: *const c_char, size: *mut i64, flags: c_uint,
    ) -> *mut u8 = std::ptr::null_mut() => {
        put(size, -1);
        let Some(db) = connection(db) else { return std::ptr::null_mut() };
        let database = name(database).unwrap_or_else(|| "main".to_owned());
        let made = db.engine(|conn| conn.serialize(&database));
        match made.and_then(|made| Ok(made?)) {
            Ok(made) => {
                put(size, made.len() as i64);
                if flags & NO_COPY != 0 || made.is_empty() {
                    return std::ptr::null_mut();
                }
                memory::copy_of(&made).cast()
            }
            Err(failure) => {
                db.fail(failure);
                std::ptr::null_mut()
            }
        }
    }

    /// Puts a database in memory, made of these bytes, in the place of one of the connection's.
    fn sqlite3_deserialize(
        db: *mut sqlite3, database: *const c_char, data: *mut u8, size: i64, _room: i64,
        flags: c_uint,
    ) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let database = name(database).unwrap_or_else(|| "main".to_owned());
        let content = bytes(data.cast_const().cast(), usize::try_from(size).unwrap_or(0));
        let read_only = flags & READ_ONLY != 0;
        let done = db.engine(|conn| conn.deserialize(&database, content, read_only));
        let rc = match done.and_then(|done| Ok(done?)) {
            Ok(()) => db.succeed(),
            Err(failure) => db.fail(Failure { offset: None, ..failure }),
        };
        // The bytes were copied.
        if flags & FREE_ON_CLOSE != 0 {
            memory::release(data.cast());
        }
        rc
    }
}
