//! Result codes: the numbers, names and default messages that SQLite's callers know.
//!
//! ```text
//!   extended code = primary code | (detail << 8)      SQLITE_CONSTRAINT_UNIQUE = 19 | (8 << 8) = 2067
//! ```
//!
//! Rules:
//! 1. The primary code is the low byte; what is not in the table keeps its number and has its primary's message.
//! 2. An extended code has its primary code's default message, but for the three exceptions of
//!    [`ResultCode::message`].
//!
//! Source: "Result and Error Codes"; SQLite's `sqlite3ErrStr`.

use std::fmt;

/// A result code of SQLite, primary or extended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(i32);

macro_rules! result_codes {
    ($($name:ident = $primary:literal | $detail:literal, $sqlite:literal;)+) => {
        #[allow(missing_docs)] // each constant is SQLite's SQLITE_ constant of that name
        impl ResultCode {
            $(
                #[doc = concat!("`", $sqlite, "`")]
                pub const $name: ResultCode = ResultCode($primary | ($detail << 8));
            )+

            /// Every code of the table with its name, in the table's order.
            pub const ALL: &'static [(ResultCode, &'static str)] = &[
                $((ResultCode::$name, $sqlite),)+
            ];
        }
    };
}

result_codes! {
    OK = 0 | 0, "SQLITE_OK";
    ERROR = 1 | 0, "SQLITE_ERROR";
    INTERNAL = 2 | 0, "SQLITE_INTERNAL";
    PERM = 3 | 0, "SQLITE_PERM";
    ABORT = 4 | 0, "SQLITE_ABORT";
    BUSY = 5 | 0, "SQLITE_BUSY";
    LOCKED = 6 | 0, "SQLITE_LOCKED";
    NOMEM = 7 | 0, "SQLITE_NOMEM";
    READONLY = 8 | 0, "SQLITE_READONLY";
    INTERRUPT = 9 | 0, "SQLITE_INTERRUPT";
    IOERR = 10 | 0, "SQLITE_IOERR";
    CORRUPT = 11 | 0, "SQLITE_CORRUPT";
    NOTFOUND = 12 | 0, "SQLITE_NOTFOUND";
    FULL = 13 | 0, "SQLITE_FULL";
    CANTOPEN = 14 | 0, "SQLITE_CANTOPEN";
    PROTOCOL = 15 | 0, "SQLITE_PROTOCOL";
    EMPTY = 16 | 0, "SQLITE_EMPTY";
    SCHEMA = 17 | 0, "SQLITE_SCHEMA";
    TOOBIG = 18 | 0, "SQLITE_TOOBIG";
    CONSTRAINT = 19 | 0, "SQLITE_CONSTRAINT";
    MISMATCH = 20 | 0, "SQLITE_MISMATCH";
    MISUSE = 21 | 0, "SQLITE_MISUSE";
    NOLFS = 22 | 0, "SQLITE_NOLFS";
    AUTH = 23 | 0, "SQLITE_AUTH";
    FORMAT = 24 | 0, "SQLITE_FORMAT";
    RANGE = 25 | 0, "SQLITE_RANGE";
    NOTADB = 26 | 0, "SQLITE_NOTADB";
    NOTICE = 27 | 0, "SQLITE_NOTICE";
    WARNING = 28 | 0, "SQLITE_WARNING";
    ROW = 100 | 0, "SQLITE_ROW";
    DONE = 101 | 0, "SQLITE_DONE";
    ERROR_MISSING_COLLSEQ = 1 | 1, "SQLITE_ERROR_MISSING_COLLSEQ";
    ERROR_RETRY = 1 | 2, "SQLITE_ERROR_RETRY";
    ERROR_SNAPSHOT = 1 | 3, "SQLITE_ERROR_SNAPSHOT";
    IOERR_READ = 10 | 1, "SQLITE_IOERR_READ";
    IOERR_SHORT_READ = 10 | 2, "SQLITE_IOERR_SHORT_READ";
    IOERR_WRITE = 10 | 3, "SQLITE_IOERR_WRITE";
    IOERR_FSYNC = 10 | 4, "SQLITE_IOERR_FSYNC";
    IOERR_DIR_FSYNC = 10 | 5, "SQLITE_IOERR_DIR_FSYNC";
    IOERR_TRUNCATE = 10 | 6, "SQLITE_IOERR_TRUNCATE";
    IOERR_FSTAT = 10 | 7, "SQLITE_IOERR_FSTAT";
    IOERR_UNLOCK = 10 | 8, "SQLITE_IOERR_UNLOCK";
    IOERR_RDLOCK = 10 | 9, "SQLITE_IOERR_RDLOCK";
    IOERR_DELETE = 10 | 10, "SQLITE_IOERR_DELETE";
    IOERR_BLOCKED = 10 | 11, "SQLITE_IOERR_BLOCKED";
    IOERR_NOMEM = 10 | 12, "SQLITE_IOERR_NOMEM";
    IOERR_ACCESS = 10 | 13, "SQLITE_IOERR_ACCESS";
    IOERR_CHECKRESERVEDLOCK = 10 | 14, "SQLITE_IOERR_CHECKRESERVEDLOCK";
    IOERR_LOCK = 10 | 15, "SQLITE_IOERR_LOCK";
    IOERR_CLOSE = 10 | 16, "SQLITE_IOERR_CLOSE";
    IOERR_DIR_CLOSE = 10 | 17, "SQLITE_IOERR_DIR_CLOSE";
    IOERR_SHMOPEN = 10 | 18, "SQLITE_IOERR_SHMOPEN";
    IOERR_SHMSIZE = 10 | 19, "SQLITE_IOERR_SHMSIZE";
    IOERR_SHMLOCK = 10 | 20, "SQLITE_IOERR_SHMLOCK";
    IOERR_SHMMAP = 10 | 21, "SQLITE_IOERR_SHMMAP";
    IOERR_SEEK = 10 | 22, "SQLITE_IOERR_SEEK";
    IOERR_DELETE_NOENT = 10 | 23, "SQLITE_IOERR_DELETE_NOENT";
    IOERR_MMAP = 10 | 24, "SQLITE_IOERR_MMAP";
    IOERR_GETTEMPPATH = 10 | 25, "SQLITE_IOERR_GETTEMPPATH";
    IOERR_CONVPATH = 10 | 26, "SQLITE_IOERR_CONVPATH";
    IOERR_VNODE = 10 | 27, "SQLITE_IOERR_VNODE";
    IOERR_AUTH = 10 | 28, "SQLITE_IOERR_AUTH";
    IOERR_BEGIN_ATOMIC = 10 | 29, "SQLITE_IOERR_BEGIN_ATOMIC";
    IOERR_COMMIT_ATOMIC = 10 | 30, "SQLITE_IOERR_COMMIT_ATOMIC";
    IOERR_ROLLBACK_ATOMIC = 10 | 31, "SQLITE_IOERR_ROLLBACK_ATOMIC";
    IOERR_DATA = 10 | 32, "SQLITE_IOERR_DATA";
    IOERR_CORRUPTFS = 10 | 33, "SQLITE_IOERR_CORRUPTFS";
    IOERR_IN_PAGE = 10 | 34, "SQLITE_IOERR_IN_PAGE";
    LOCKED_SHAREDCACHE = 6 | 1, "SQLITE_LOCKED_SHAREDCACHE";
    LOCKED_VTAB = 6 | 2, "SQLITE_LOCKED_VTAB";
    BUSY_RECOVERY = 5 | 1, "SQLITE_BUSY_RECOVERY";
    BUSY_SNAPSHOT = 5 | 2, "SQLITE_BUSY_SNAPSHOT";
    BUSY_TIMEOUT = 5 | 3, "SQLITE_BUSY_TIMEOUT";
    CANTOPEN_NOTEMPDIR = 14 | 1, "SQLITE_CANTOPEN_NOTEMPDIR";
    CANTOPEN_ISDIR = 14 | 2, "SQLITE_CANTOPEN_ISDIR";
    CANTOPEN_FULLPATH = 14 | 3, "SQLITE_CANTOPEN_FULLPATH";
    CANTOPEN_CONVPATH = 14 | 4, "SQLITE_CANTOPEN_CONVPATH";
    CANTOPEN_DIRTYWAL = 14 | 5, "SQLITE_CANTOPEN_DIRTYWAL";
    CANTOPEN_SYMLINK = 14 | 6, "SQLITE_CANTOPEN_SYMLINK";
    CORRUPT_VTAB = 11 | 1, "SQLITE_CORRUPT_VTAB";
    CORRUPT_SEQUENCE = 11 | 2, "SQLITE_CORRUPT_SEQUENCE";
    CORRUPT_INDEX = 11 | 3, "SQLITE_CORRUPT_INDEX";
    READONLY_RECOVERY = 8 | 1, "SQLITE_READONLY_RECOVERY";
    READONLY_CANTLOCK = 8 | 2, "SQLITE_READONLY_CANTLOCK";
    READONLY_ROLLBACK = 8 | 3, "SQLITE_READONLY_ROLLBACK";
    READONLY_DBMOVED = 8 | 4, "SQLITE_READONLY_DBMOVED";
    READONLY_CANTINIT = 8 | 5, "SQLITE_READONLY_CANTINIT";
    READONLY_DIRECTORY = 8 | 6, "SQLITE_READONLY_DIRECTORY";
    ABORT_ROLLBACK = 4 | 2, "SQLITE_ABORT_ROLLBACK";
    CONSTRAINT_CHECK = 19 | 1, "SQLITE_CONSTRAINT_CHECK";
    CONSTRAINT_COMMITHOOK = 19 | 2, "SQLITE_CONSTRAINT_COMMITHOOK";
    CONSTRAINT_FOREIGNKEY = 19 | 3, "SQLITE_CONSTRAINT_FOREIGNKEY";
    CONSTRAINT_FUNCTION = 19 | 4, "SQLITE_CONSTRAINT_FUNCTION";
    CONSTRAINT_NOTNULL = 19 | 5, "SQLITE_CONSTRAINT_NOTNULL";
    CONSTRAINT_PRIMARYKEY = 19 | 6, "SQLITE_CONSTRAINT_PRIMARYKEY";
    CONSTRAINT_TRIGGER = 19 | 7, "SQLITE_CONSTRAINT_TRIGGER";
    CONSTRAINT_UNIQUE = 19 | 8, "SQLITE_CONSTRAINT_UNIQUE";
    CONSTRAINT_VTAB = 19 | 9, "SQLITE_CONSTRAINT_VTAB";
    CONSTRAINT_ROWID = 19 | 10, "SQLITE_CONSTRAINT_ROWID";
    CONSTRAINT_PINNED = 19 | 11, "SQLITE_CONSTRAINT_PINNED";
    CONSTRAINT_DATATYPE = 19 | 12, "SQLITE_CONSTRAINT_DATATYPE";
    NOTICE_RECOVER_WAL = 27 | 1, "SQLITE_NOTICE_RECOVER_WAL";
    NOTICE_RECOVER_ROLLBACK = 27 | 2, "SQLITE_NOTICE_RECOVER_ROLLBACK";
    NOTICE_RBU = 27 | 3, "SQLITE_NOTICE_RBU";
    WARNING_AUTOINDEX = 28 | 1, "SQLITE_WARNING_AUTOINDEX";
    AUTH_USER = 23 | 1, "SQLITE_AUTH_USER";
}

impl ResultCode {
    /// The code with that number, in the table or not (rule 1).
    pub const fn from_i32(code: i32) -> ResultCode {
        ResultCode(code)
    }

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The primary code: the low byte.
    #[must_use]
    pub const fn primary(self) -> ResultCode {
        ResultCode(self.0 & 0xff)
    }

    /// SQLite's name, `SQLITE_…`; of a code outside the table, its primary's.
    pub fn name(self) -> &'static str {
        let find = |code| {
            ResultCode::ALL
                .iter()
                .find(|(c, _)| *c == code)
                .map(|(_, name)| *name)
        };
        find(self)
            .or_else(|| find(self.primary()))
            .unwrap_or("SQLITE_UNKNOWN")
    }

    /// The default message, as `sqlite3_errstr` gives it (rule 2).
    pub const fn message(self) -> &'static str {
        match self {
            ResultCode::ABORT_ROLLBACK => return "abort due to ROLLBACK",
            ResultCode::ROW => return "another row available",
            ResultCode::DONE => return "no more rows available",
            _ => {}
        }
        match self.primary() {
            ResultCode::OK => "not an error",
            ResultCode::ERROR => "SQL logic error",
            ResultCode::PERM => "access permission denied",
            ResultCode::ABORT => "query aborted",
            ResultCode::BUSY => "database is locked",
            ResultCode::LOCKED => "database table is locked",
            ResultCode::NOMEM => "out of memory",
            ResultCode::READONLY => "attempt to write a readonly database",
            ResultCode::INTERRUPT => "interrupted",
            ResultCode::IOERR => "disk I/O error",
            ResultCode::CORRUPT => "database disk image is malformed",
            ResultCode::NOTFOUND => "unknown operation",
            ResultCode::FULL => "database or disk is full",
            ResultCode::CANTOPEN => "unable to open database file",
            ResultCode::PROTOCOL => "locking protocol",
            ResultCode::SCHEMA => "database schema has changed",
            ResultCode::TOOBIG => "string or blob too big",
            ResultCode::CONSTRAINT => "constraint failed",
            ResultCode::MISMATCH => "datatype mismatch",
            ResultCode::MISUSE => "bad parameter or other API misuse",
            ResultCode::AUTH => "authorization denied",
            ResultCode::RANGE => "column index out of range",
            ResultCode::NOTADB => "file is not a database",
            ResultCode::NOTICE => "notification message",
            ResultCode::WARNING => "warning message",
            _ => "unknown error",
        }
    }
}

impl fmt::Debug for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}
