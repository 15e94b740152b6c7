//! Errors: the code and message that a connection keeps from its last call.
//!
//! Rules:
//! 1. A call that can fail sets the connection's code; one that succeeds sets SQLITE_OK.
//! 2. Without a message of its own a code has SQLite's default one.
//! 3. The message's text stays until the next call that sets one.
//!
//! Source: SQLite's "Error Codes And Messages".

use std::ffi::{c_char, c_int, c_void};

use ringwood::ResultCode;

use crate::boundary::{c_api, c_string, text, to_utf16};
use crate::code;
use crate::connection::{even_sick, sqlite3};

/// What the last call ended with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure {
    /// The extended code.
    pub(crate) code: c_int,
    /// The message, if it is not the code's own.
    pub(crate) message: Option<Vec<u8>>,
    /// Where in the statement's text, if that is known.
    pub(crate) offset: Option<u32>,
}

impl Failure {
    pub(crate) fn code(code: c_int) -> Failure {
        Failure {
            code,
            ..Failure::default()
        }
    }

    pub(crate) fn new(code: c_int, message: impl Into<Vec<u8>>) -> Failure {
        Failure {
            code,
            message: Some(message.into()),
            offset: None,
        }
    }

    pub(crate) fn text(&self) -> &[u8] {
        match &self.message {
            Some(message) => message,
            None => ResultCode::from_i32(self.code).message().as_bytes(),
        }
    }
}

impl From<ringwood::Error> for Failure {
    fn from(error: ringwood::Error) -> Failure {
        let code = error.extended_code();
        let message = error.message();
        Failure {
            code,
            message: (message != ResultCode::from_i32(code).message())
                .then(|| message.into_bytes()),
            offset: error.offset(),
        }
    }
}

impl sqlite3 {
    /// Sets the code; gives it as the caller wants it, extended or not.
    pub(crate) fn fail(&self, failure: Failure) -> c_int {
        let code = failure.code;
        *self.message.borrow_mut() = None;
        *self.error.borrow_mut() = failure;
        self.masked(code)
    }

    /// Sets SQLITE_OK.
    #[inline]
    pub(crate) fn succeed(&self) -> c_int {
        self.set_code(code::OK)
    }

    /// Sets a code without words.
    #[inline]
    pub(crate) fn set_code(&self, code: c_int) -> c_int {
        let mut error = self.error.borrow_mut();
        if error.code != code || error.message.is_some() {
            *error = Failure::code(code);
            *self.message.borrow_mut() = None;
        }
        code
    }

    /// The code of a result.
    pub(crate) fn settle(&self, result: Result<(), Failure>) -> c_int {
        match result {
            Ok(()) => self.succeed(),
            Err(failure) => self.fail(failure),
        }
    }

    /// A code as the caller wants it.
    pub(crate) fn masked(&self, code: c_int) -> c_int {
        if self.extended.get() {
            code
        } else {
            code & 0xff
        }
    }
}

/// The default messages, for ever.
fn default_message(code: c_int) -> *const c_char {
    use std::collections::BTreeMap;
    use std::ffi::CString;
    use std::sync::{Mutex, PoisonError};
    static MESSAGES: Mutex<BTreeMap<&'static str, CString>> = Mutex::new(BTreeMap::new());
    let message = ResultCode::from_i32(code).message();
    let mut messages = MESSAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = messages.entry(message).or_insert_with(|| c_string(message));
    known.as_ptr()
}

c_api! {
    /// The primary code of the last call.
    fn sqlite3_errcode(db: *mut sqlite3) -> c_int = code::INTERNAL => {
        if db.is_null() {
            return code::NOMEM;
        }
        match even_sick(db) {
            Some(db) => db.masked(db.error.borrow().code),
            None => code::MISUSE,
        }
    }

    /// The extended code of the last call.
    fn sqlite3_extended_errcode(db: *mut sqlite3) -> c_int = code::INTERNAL => {
        if db.is_null() {
            return code::NOMEM;
        }
        even_sick(db).map_or(code::MISUSE, |db| db.error.borrow().code)
    }

    /// Whether calls return extended codes.
    fn sqlite3_extended_result_codes(db: *mut sqlite3, on: c_int) -> c_int
    = code::INTERNAL => {
        let Some(db) = even_sick(db) else { return code::MISUSE };
        db.extended.set(on != 0);
        code::OK
    }

    /// The message of the last call.
    fn sqlite3_errmsg(db: *mut sqlite3) -> *const c_char = std::ptr::null() => {
        if db.is_null() {
            return default_message(code::NOMEM);
        }
        let Some(db) = even_sick(db) else { return default_message(code::MISUSE) };
        let _held = db.lock();
        let error = db.error.borrow();
        if error.message.is_none() {
            return default_message(error.code);
        }
        let mut message = db.message.borrow_mut();
        message.get_or_insert_with(|| c_string(error.text())).as_ptr()
    }

    /// The same in UTF-16.
    fn sqlite3_errmsg16(db: *mut sqlite3) -> *const c_void = std::ptr::null() => {
        let Some(db) = even_sick(db) else { return std::ptr::null() };
        let _held = db.lock();
        let mut message = db.message16.borrow_mut();
        *message = to_utf16(db.error.borrow().text());
        message.as_ptr().cast()
    }

    /// The default message of a code.
    fn sqlite3_errstr(code: c_int) -> *const c_char = std::ptr::null() => {
        default_message(code)
    }

    /// Where in the statement's text the last error is, in bytes; -1 where that is not known.
    fn sqlite3_error_offset(db: *mut sqlite3) -> c_int = -1 => {
        let Some(db) = even_sick(db) else { return -1 };
        let error = db.error.borrow();
        if error.code == 0 { -1 } else { error.offset.map_or(-1, |at| at as c_int) }
    }

    /// Sets code and message.
    fn sqlite3_set_errmsg(db: *mut sqlite3, code: c_int, message: *const c_char) -> c_int
    = code::INTERNAL => {
        let Some(db) = even_sick(db) else { return code::MISUSE };
        let _held = db.lock();
        let message = text(message).map(<[u8]>::to_vec);
        db.fail(Failure { code, message, offset: None });
        code::OK
    }

    /// The operating system's number for the last error of a file: not kept here.
    fn sqlite3_system_errno(_db: *mut sqlite3) -> c_int = 0 => {
        0
    }
}
