//! The authorizer: who is asked what statements may do.
//!
//! Source: SQLite's "Compile-Time Authorization Callbacks".

use std::ffi::{c_char, c_int, c_void};

use crate::boundary::c_api;
use crate::code;
use crate::connection::{connection, sqlite3};
use crate::error::Failure;

type Authorize = Option<
    unsafe extern "C" fn(
        *mut c_void,
        c_int,
        *const c_char,
        *const c_char,
        *const c_char,
        *const c_char,
    ) -> c_int,
>;

c_api! {
    /// Who is asked about everything that statements would do: not supported, so that only taking it away succeeds.
    fn sqlite3_set_authorizer(db: *mut sqlite3, call: Authorize, _argument: *mut c_void) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        if call.is_none() {
            return db.succeed();
        }
        db.fail(Failure::new(code::ERROR, "authorizers are not supported"))
    }
}
