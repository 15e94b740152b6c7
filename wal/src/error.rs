//! What goes wrong in the page store, and why a step stops.
//!
//! | [`Error`] | SQLite's code |
//! |---|---|
//! | `Io` | that of [`IoError::sqlite_code`] |
//! | `Corrupt` | SQLITE_CORRUPT |
//! | `NotADb` | SQLITE_NOTADB |
//! | `Busy`, `BusySnapshot`, `BusyRecovery` | SQLITE_BUSY and its extensions |
//! | `Protocol` | SQLITE_PROTOCOL |
//! | `ReadOnlyRecovery` | SQLITE_READONLY_RECOVERY |
//! | `Locked` | SQLITE_LOCKED |
//! | `ReadOnly` | SQLITE_READONLY |
//! | `ReadOnlyDirectory` | SQLITE_READONLY_DIRECTORY |
//! | `HotJournal` | SQLITE_READONLY_ROLLBACK |
//! | `Full` | SQLITE_FULL |
//! | `CantOpen` | SQLITE_CANTOPEN |
//! | `LogPoisoned` | SQLITE_IOERR_FSYNC |
//! | `Misuse` | SQLITE_MISUSE |

use ringwood_format::corrupt::Corrupt;
use ringwood_format::header::HeaderError;
use ringwood_format::page::PageNo;
use ringwood_io::IoError;
use std::fmt;
use std::path::PathBuf;

/// The result of an operation of the page store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation of the page store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The kernel refused a read, a write, a sync, ….
    Io(IoError),
    /// Bytes of the file violate the format.
    Corrupt(Corrupt),
    /// The file is no database, or one of a future format.
    NotADb(&'static str),
    /// Somebody else holds a lock that is needed.
    Busy,
    /// The read snapshot is not the newest any more, so nothing can be written on top of it.
    BusySnapshot,
    /// Somebody else is recovering the log.
    BusyRecovery,
    /// Others were faster again and again.
    Protocol,
    /// The index of the log is damaged, and cannot be made again without the right to write.
    ReadOnlyRecovery,
    /// Another transaction of the same connection is in the way.
    Locked,
    /// The database was opened for reading, or is of a format that may only be read.
    ReadOnly,
    /// A log, its index or a journal has to be made, in a directory where that is not allowed.
    ReadOnlyDirectory,
    /// A crash left a rollback journal at this path, without which the file must not be read.
    HotJournal(PathBuf),
    /// The database has as many pages as it may have.
    Full,
    /// A file that is needed cannot be opened, for a reason that is not the kernel's.
    CantOpen(&'static str),
    /// A sync of the log failed earlier: nothing more can be made durable through this handle.
    LogPoisoned,
    /// The caller broke the protocol of transactions.
    Misuse(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => error.fmt(f),
            Error::Corrupt(corrupt) => write!(f, "database disk image is malformed: {corrupt}"),
            Error::NotADb(reason) => write!(f, "file is not a database: {reason}"),
            Error::Busy => f.write_str("database is locked"),
            Error::BusySnapshot => {
                f.write_str("database is locked: the snapshot is not the newest")
            }
            Error::BusyRecovery => f.write_str("database is locked: its log is being recovered"),
            Error::Protocol => f.write_str("locking protocol"),
            Error::ReadOnlyRecovery => f.write_str(
                "attempt to write a readonly database: the index of its log has to be made again",
            ),
            Error::Locked => f.write_str("database table is locked"),
            Error::ReadOnly => f.write_str("attempt to write a readonly database"),
            Error::ReadOnlyDirectory => {
                f.write_str("attempt to write a readonly database: its directory is")
            }
            Error::HotJournal(path) => write!(
                f,
                "attempt to write a readonly database: a crash left the rollback journal {}",
                path.display()
            ),
            Error::Full => f.write_str("database or disk is full"),
            Error::CantOpen(reason) => write!(f, "unable to open database file: {reason}"),
            Error::LogPoisoned => f.write_str("disk I/O error: an earlier sync of the log failed"),
            Error::Misuse(reason) => write!(f, "bad parameter or other API misuse: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            Error::Corrupt(corrupt) => Some(corrupt),
            _ => None,
        }
    }
}

impl From<IoError> for Error {
    fn from(error: IoError) -> Error {
        if error.is_busy() {
            Error::Busy
        } else {
            Error::Io(error)
        }
    }
}

impl From<Corrupt> for Error {
    fn from(corrupt: Corrupt) -> Error {
        Error::Corrupt(corrupt)
    }
}

impl From<HeaderError> for Error {
    fn from(error: HeaderError) -> Error {
        match error {
            HeaderError::NotADb(reason) => Error::NotADb(reason),
            HeaderError::Corrupt(corrupt) => Error::Corrupt(corrupt),
        }
    }
}

impl Error {
    /// Whether somebody else's lock is the reason, so that asking again may help.
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Error::Busy | Error::BusySnapshot | Error::BusyRecovery
        )
    }

    /// `page` violates the format.
    #[cold]
    pub const fn corrupt(page: PageNo, reason: &'static str) -> Error {
        Error::Corrupt(Corrupt::on(page, reason))
    }
}

/// Why a step that cannot wait did not succeed.
///
/// Rule: nothing observable has changed, so after what is asked for was done the same step is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// This page is not in memory: `fetch` it, keep the pin until the step succeeds, and call again.
    Miss(PageNo),
    /// The step needs its asynchronous twin.
    Slow,
    /// The step failed.
    Fail(Box<Error>),
}

/// The result of a step that cannot wait.
pub type Try<T> = std::result::Result<T, Stop>;

impl From<Error> for Stop {
    #[cold]
    fn from(error: Error) -> Stop {
        Stop::Fail(Box::new(error))
    }
}

impl From<Corrupt> for Stop {
    #[cold]
    fn from(corrupt: Corrupt) -> Stop {
        Stop::Fail(Box::new(Error::Corrupt(corrupt)))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Miss(page) => write!(f, "page {page} is not in memory"),
            Stop::Slow => f.write_str("the step has to wait"),
            Stop::Fail(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}
