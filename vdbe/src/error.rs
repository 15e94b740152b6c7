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

impl From<ringwood_wal::Error> for Error {
    #[cold]
    fn from(error: ringwood_wal::Error) -> Error {
        use ringwood_wal::Error as Store;
        let code = match &error {
            Store::Io(error) => ResultCode::from_i32(error.sqlite_code()),
            Store::Corrupt(_) => ResultCode::CORRUPT,
            Store::NotADb(_) => ResultCode::NOTADB,
            Store::Busy => ResultCode::BUSY,
            Store::BusySnapshot => ResultCode::BUSY_SNAPSHOT,
            Store::BusyRecovery => ResultCode::BUSY_RECOVERY,
            Store::Protocol => ResultCode::PROTOCOL,
            Store::ReadOnlyRecovery => ResultCode::READONLY_RECOVERY,
            Store::Locked => ResultCode::LOCKED,
            // The message names the way out.
            Store::ReadOnly => ResultCode::READONLY,
            Store::ReadOnlyDirectory => ResultCode::READONLY_DIRECTORY,
            Store::HotJournal(_) => {
                return Error::new(ResultCode::READONLY_ROLLBACK, error.to_string());
            }
            Store::Full => ResultCode::FULL,
            Store::CantOpen(_) => ResultCode::CANTOPEN,
            Store::LogPoisoned => ResultCode::IOERR_FSYNC,
            Store::Misuse(_) => return Error::new(ResultCode::MISUSE, error.to_string()),
        };
        Error::code(code)
    }
}

impl From<ringwood_io::IoError> for Error {
    #[cold]
    fn from(error: ringwood_io::IoError) -> Error {
        Error::code(ResultCode::from_i32(error.sqlite_code()))
    }
}

impl From<ringwood_format::corrupt::Corrupt> for Error {
    #[cold]
    fn from(_: ringwood_format::corrupt::Corrupt) -> Error {
        Error::corrupt()
    }
}
