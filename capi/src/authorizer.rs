//! The authorizer: who is asked what statements may do.
//!
//! Source: SQLite's "Compile-Time Authorization Callbacks".

use std::ffi::{CString, c_char, c_int, c_void};

use ringwood::authorizer::{Action, Authorization};

use crate::boundary::{c_api, c_string};
use crate::code;
use crate::connection::{connection, sqlite3};

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
    /// Who is asked about everything that statements would do, while they are prepared.
    fn sqlite3_set_authorizer(db: *mut sqlite3, call: Authorize, argument: *mut c_void) -> c_int
    = code::INTERNAL => {
        let Some(db) = connection(db) else { return code::MISUSE };
        let authorizer = call.map(|call| -> Box<dyn FnMut(&Action<'_>) -> Authorization> {
            Box::new(move |action| {
                let texts = [action.first, action.second, action.database, action.accessor];
                let texts = texts.map(|text| text.map(c_string));
                let pointer = |text: &Option<CString>| {
                    text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
                };
                let [a, b, c, d] = &texts;
                // SAFETY: the application's function, with its own argument; the texts live until it returns.
                let answer = unsafe {
                    call(argument, action.code as c_int, pointer(a), pointer(b), pointer(c), pointer(d))
                };
                match answer {
                    code::OK => Authorization::Allow,
                    1 => Authorization::Deny,
                    2 => Authorization::Ignore,
                    _ => Authorization::Malfunction,
                }
            })
        });
        db.settle(db.engine(|conn| conn.set_authorizer(authorizer)))
    }
}
