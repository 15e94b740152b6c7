//! The VM's error: a result code, the message that SQLite would give, and where in the statement it arose.
//!
//! Rules:
//! 1. The message is what the caller sees (`sqlite3_errmsg`); an error without words of its own has its code's
//!    default message.
//! 2. Errors of the layers below keep their meaning: [`Error::from`] maps each of them to one code.

use crate::result_code::ResultCode;
use std::fmt;

/// What went wrong while a program ran.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The extended result code.
    pub code: ResultCode,
    /// The message.
    pub message: String,
    /// Byte offset of the offending token in the statement's text, where it is known.
    pub offset: Option<u32>,
}

/// A shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with words of its own.
    #[cold]
    pub fn new(code: ResultCode, message: impl Into<String>) -> Error {
        Error {
            code,
            message: message.into(),
            offset: None,
        }
    }

    /// An error with its code's default message.
    #[cold]
    pub fn code(code: ResultCode) -> Error {
        Error::new(code, code.message())
    }

    /// `SQLITE_CORRUPT`, with the reason kept out of the message, as SQLite logs it and does not show it.
    #[cold]
    pub fn corrupt() -> Error {
        Error::code(ResultCode::CORRUPT)
    }

    /// `SQLITE_TOOBIG`: "string or blob too big".
    #[cold]
    pub fn too_big() -> Error {
        Error::code(ResultCode::TOOBIG)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
