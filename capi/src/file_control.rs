//! `sqlite3_file_control`: what can be said to the file of a database.
//!
//! | code | |
//! |---|---|
//! | SIZE_HINT, CHUNK_SIZE, PERSIST_WAL, POWERSAFE_OVERWRITE, MMAP_SIZE, HAS_MOVED | answered |
//! | VFSNAME | `unix` |
//! | DATA_VERSION | as `PRAGMA data_version` |
//! | RESERVE_BYTES | told, not changed |
//! | others | SQLITE_NOTFOUND |
//!
//! Source: SQLite's "Standard File Control Opcodes".

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::boundary::{c_api, name, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::memory;

c_api! {
    /// Says something to the file of a database.
    fn sqlite3_file_control(
        db: *mut sqlite3, database: *const c_char, op: c_int, argument: *mut c_void,
    ) -> c_int = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let database = name(database).unwrap_or_else(|| "main".to_owned());
        if db.ask(None, |conn| conn.database_index(&database)).is_none() {
            return code::ERROR;
        }
        match op {
            // SIZE_HINT, CHUNK_SIZE: allocations are the driver's.
            5 | 6 => code::OK,
            // PERSIST_WAL, POWERSAFE_OVERWRITE: told as they are.
            10 => { put(argument.cast::<c_int>(), 0); code::OK }
            13 => { put(argument.cast::<c_int>(), 1); code::OK }
            // VFSNAME
            12 => { put(argument.cast::<*mut c_char>(), memory::text_of(b"unix")); code::OK }
            // MMAP_SIZE: files are not mapped.
            18 => { put(argument.cast::<i64>(), 0); code::OK }
            // HAS_MOVED
            20 => { put(argument.cast::<c_int>(), 0); code::OK }
            // DATA_VERSION
            35 => {
                let quoted = database.replace('"', "\"\"");
                let values = db.run(&format!("PRAGMA \"{quoted}\".data_version"));
                if let Some(ringwood::Value::Integer(n)) = values.unwrap_or_default().first() {
                    put(argument.cast::<c_uint>(), *n as c_uint);
                }
                code::OK
            }
            // RESERVE_BYTES
            38 => { put(argument.cast::<c_int>(), 0); code::OK }
            _ => code::NOTFOUND,
        }
    }
}
