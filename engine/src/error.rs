//! The public error: what went wrong, SQLite's extended result code for it, and where in the text.

use std::fmt;

pub use ringwood_vdbe::ResultCode;

use crate::value::ValueType;

/// A boxed foreign error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of the public functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that a call can fail with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A failure with SQLite's extended result code and message.
    SqliteFailure(i32, String),
    /// A statement that could not be compiled.
    SqlInput {
        /// SQLite's extended result code.
        code: i32,
        /// SQLite's message.
        message: String,
        /// The text that was being prepared.
        sql: String,
        /// Where the offending token starts in `sql`, in bytes.
        offset: u32,
    },
    /// A NULL was read as a type that has none; read it as `Option<T>`.
    NullValue,
    /// A column was read as a type that its value does not have.
    InvalidColumnType {
        /// What was asked for.
        expected: &'static str,
        /// What the value is.
        found: ValueType,
    },
    /// A blob was read as an array of another length; its length in bytes.
    InvalidBlobSize(usize),
    /// An integer does not fit the type that it was read as.
    IntegralValueOutOfRange(i64),
    /// No such column in the row; its index.
    ColumnNotFound(i32),
    /// No such column in the row; its name.
    InvalidColumnName(String),
    /// A named parameter that the statement does not have.
    InvalidParameterName(String),
    /// More values than the statement has parameters.
    InvalidParameterCount {
        /// How many values were given.
        given: usize,
        /// How many parameters the statement has.
        wanted: usize,
    },
    /// `execute` was called on a statement that returns rows; use `query`.
    ExecuteReturnedRows,
    /// A row was asked for and there was none.
    QueryReturnedNoRows,
    /// A Rust value has no SQL form.
    ToSqlConversionFailure(BoxError),
    /// A row could not be made into the Rust type that was asked for.
    FromSqlConversionFailure(BoxError),
    /// The connection's thread is gone.
    ConnectionClosed,
    /// The call makes no sense in this state.
    Misuse(String),
}

impl Error {
    /// A failure with a code and its message.
    pub fn from_code(code: ResultCode, message: impl Into<String>) -> Error {
        Error::SqliteFailure(code.get(), message.into())
    }

    /// SQLite's extended result code.
    ///
    /// # Source
    /// <https://sqlite.org/rescode.html>
    pub fn extended_code(&self) -> i32 {
        match self {
            Error::SqliteFailure(code, _) | Error::SqlInput { code, .. } => *code,
            Error::NullValue
            | Error::InvalidColumnType { .. }
            | Error::InvalidBlobSize(_)
            | Error::IntegralValueOutOfRange(_)
            | Error::FromSqlConversionFailure(_)
            | Error::ToSqlConversionFailure(_) => ResultCode::MISMATCH.get(),
            Error::ColumnNotFound(_)
            | Error::InvalidColumnName(_)
            | Error::InvalidParameterName(_)
            | Error::InvalidParameterCount { .. } => ResultCode::RANGE.get(),
            Error::ExecuteReturnedRows
            | Error::QueryReturnedNoRows
            | Error::ConnectionClosed
            | Error::Misuse(_) => ResultCode::MISUSE.get(),
        }
    }

    /// SQLite's primary result code: the low byte of the extended one.
    pub fn primary_code(&self) -> i32 {
        self.extended_code() & 0xff
    }

    /// Where the offending token starts in the statement's text, in bytes, where that is known.
    pub fn offset(&self) -> Option<u32> {
        match self {
            Error::SqlInput { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// The message alone, as `sqlite3_errmsg` gives it.
    pub fn message(&self) -> String {
        match self {
            Error::SqliteFailure(_, message) | Error::SqlInput { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    pub(crate) fn from_vdbe(error: ringwood_vdbe::Error, sql: &[u8]) -> Error {
        match error.offset {
            Some(offset) => Error::SqlInput {
                code: error.code.get(),
                message: error.message,
                sql: String::from_utf8_lossy(sql).into_owned(),
                offset,
            },
            None => Error::SqliteFailure(error.code.get(), error.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::SqliteFailure(_, message) | Error::SqlInput { message, .. } => {
                f.write_str(message)
            }
            Error::NullValue => f.write_str("unexpected NULL value"),
            Error::InvalidColumnType { expected, found } => {
                write!(f, "cannot read a {found} value as {expected}")
            }
            Error::InvalidBlobSize(n) => write!(f, "a blob of {n} bytes has another length"),
            Error::IntegralValueOutOfRange(i) => write!(f, "integer {i} is out of range"),
            Error::ColumnNotFound(i) => write!(f, "no column with index {i}"),
            Error::InvalidColumnName(name) => write!(f, "no column named {name}"),
            Error::InvalidParameterName(name) => write!(f, "no parameter named {name}"),
            Error::InvalidParameterCount { given, wanted } => {
                write!(
                    f,
                    "{given} values given, the statement has {wanted} parameters"
                )
            }
            Error::ExecuteReturnedRows => f.write_str("execute returned rows"),
            Error::QueryReturnedNoRows => f.write_str("query returned no rows"),
            Error::ToSqlConversionFailure(e) => write!(f, "value has no SQL form: {e}"),
            Error::FromSqlConversionFailure(e) => write!(f, "row does not convert: {e}"),
            Error::ConnectionClosed => f.write_str("the connection's thread has ended"),
            Error::Misuse(what) => write!(f, "misuse: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::ToSqlConversionFailure(e) | Error::FromSqlConversionFailure(e) => {
                Some(e.as_ref())
            }
            _ => None,
        }
    }
}
