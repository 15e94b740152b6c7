//! What is known of a table's column.
//!
//! Source: SQLite's `sqlite3_table_column_metadata`.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};

use crate::boundary::{c_api, c_string, name, put};
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;

/// Texts that were given out: few differ, and they stay for the process.
fn lasting(text: &str) -> *const c_char {
    use std::sync::{Mutex, PoisonError};
    static TEXTS: Mutex<RefCell<Vec<CString>>> = Mutex::new(RefCell::new(Vec::new()));
    let texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut texts = texts.borrow_mut();
    let wanted = c_string(text);
    if let Some(known) = texts.iter().find(|known| **known == wanted) {
        return known.as_ptr();
    }
    texts.push(wanted);
    texts.last().map_or(std::ptr::null(), |text| text.as_ptr())
}

c_api! {
    /// Type, collation, NOT NULL, primary key and AUTOINCREMENT of a column.
    fn sqlite3_table_column_metadata(
        db: *mut sqlite3, database: *const c_char, table: *const c_char, column: *const c_char,
        decltype: *mut *const c_char, collation: *mut *const c_char, not_null: *mut c_int,
        primary_key: *mut c_int, autoincrement: *mut c_int,
    ) -> c_int = code::INTERNAL => {
        let (Some(db), Some(table)) = (connection(db), name(table)) else { return code::MISUSE };
        let (database, column) = (name(database), name(column));
        let found = db.engine(|conn| {
            conn.column_metadata(database.as_deref(), &table, column.as_deref())
        });
        let found = match found.and_then(|found| Ok(found?)) {
            Ok(found) => found,
            Err(failure) => {
                put(decltype, std::ptr::null());
                put(collation, std::ptr::null());
                put(not_null, 0);
                put(primary_key, 0);
                put(autoincrement, 0);
                return db.fail(Failure { code: code::ERROR, ..failure });
            }
        };
        if let Some(found) = found {
            let text = found.decl_type.as_deref();
            put(decltype, text.map_or(std::ptr::null(), lasting));
            put(collation, lasting(&found.collation));
            put(not_null, c_int::from(found.not_null));
            put(primary_key, c_int::from(found.primary_key));
            put(autoincrement, c_int::from(found.autoincrement));
        }
        db.succeed()
    }
}
