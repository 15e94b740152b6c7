//! What goes wrong below the page: which operation, on which file, where, and what the kernel said.
//!
//! | field | meaning |
//! |---|---|
//! | `op` | the operation, in SQLite's vocabulary of `SQLITE_IOERR_*` |
//! | `kind` | what class of failure: the kernel's refusal, an early end of file, a lock held by others |
//! | `errno` | the kernel's number, 0 where there is none |
//! | `path` | the file, where there is one |
//! | `offset` | the byte, where there is one |
//!
//! [`IoError::sqlite_code`] is the one table from these fields to SQLite's extended result codes.
//!
//! Source: SQLite's `os_unix.c` (`sqliteErrorFromPosixError`, `unixLogError`), sqlite.org/rescode.html.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The result of an I/O operation.
pub type Result<T, E = IoError> = std::result::Result<T, E>;

/// Which operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IoOp {
    /// Opening or creating a file.
    Open,
    /// Reading bytes.
    Read,
    /// Writing bytes.
    Write,
    /// fsync or fdatasync of a file.
    Sync,
    /// fsync of a directory.
    DirSync,
    /// Cutting or extending a file.
    Truncate,
    /// Reserving space.
    Allocate,
    /// Asking for a file's size or identity.
    Stat,
    /// Taking a lock of the lock-byte page.
    Lock,
    /// Giving up or weakening a lock.
    Unlock,
    /// Asking whether somebody holds RESERVED.
    CheckReserved,
    /// Deleting a file.
    Delete,
    /// Renaming a file.
    Rename,
    /// Asking whether a file exists.
    Access,
    /// Opening the -shm file.
    ShmOpen,
    /// Growing the -shm file.
    ShmSize,
    /// Taking or giving up a lock on the -shm file.
    ShmLock,
    /// Mapping the -shm file.
    ShmMap,
    /// Setting up or driving the ring.
    Ring,
}

impl IoOp {
    /// The operation as it reads in a message: "reading", "syncing", ….
    pub fn verb(self) -> &'static str {
        match self {
            IoOp::Open => "opening",
            IoOp::Read => "reading",
            IoOp::Write => "writing",
            IoOp::Sync => "syncing",
            IoOp::DirSync => "syncing the directory",
            IoOp::Truncate => "truncating",
            IoOp::Allocate => "reserving space in",
            IoOp::Stat => "asking the size of",
            IoOp::Lock => "locking",
            IoOp::Unlock => "unlocking",
            IoOp::CheckReserved => "asking for the writer's lock of",
            IoOp::Delete => "deleting",
            IoOp::Rename => "renaming",
            IoOp::Access => "looking for",
            IoOp::ShmOpen => "opening the shared memory file",
            IoOp::ShmSize => "growing the shared memory file",
            IoOp::ShmLock => "locking the shared memory file",
            IoOp::ShmMap => "mapping the shared memory file",
            IoOp::Ring => "driving the ring",
        }
    }
}

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IoErrorKind {
    /// The kernel refused; `errno` says why.
    Os,
    /// The file ended before the bytes that were asked for.
    ShortRead,
    /// A lock is held by somebody else; nothing is broken.
    Busy,
}

/// A failed I/O operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoError {
    /// Which operation.
    pub op: IoOp,
    /// What class of failure.
    pub kind: IoErrorKind,
    /// The kernel's error number, or 0.
    pub errno: i32,
    /// The file concerned, where there is one.
    pub path: Option<Arc<Path>>,
    /// The byte offset concerned, where there is one.
    pub offset: Option<u64>,
}

impl IoError {
    /// An error of the kernel.
    pub fn os(op: IoOp, errno: i32) -> IoError {
        IoError {
            op,
            kind: IoErrorKind::Os,
            errno,
            path: None,
            offset: None,
        }
    }

    /// The error number that the last system call of this thread left.
    pub fn last_os(op: IoOp) -> IoError {
        IoError::os(op, crate::syscall::errno())
    }

    /// The file ended too early.
    pub fn short_read() -> IoError {
        IoError {
            op: IoOp::Read,
            kind: IoErrorKind::ShortRead,
            errno: 0,
            path: None,
            offset: None,
        }
    }

    /// A lock is held by somebody else.
    pub fn busy(op: IoOp) -> IoError {
        IoError {
            op,
            kind: IoErrorKind::Busy,
            errno: libc::EAGAIN,
            path: None,
            offset: None,
        }
    }

    /// The same error, naming the file.
    #[must_use]
    pub fn at_path(mut self, path: &Arc<Path>) -> IoError {
        self.path = Some(path.clone());
        self
    }

    /// The same error, naming the byte.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> IoError {
        self.offset = Some(offset);
        self
    }

    /// Whether a lock was held by somebody else.
    pub fn is_busy(&self) -> bool {
        self.kind == IoErrorKind::Busy
    }

    /// Whether the disk or the quota is full.
    pub fn is_full(&self) -> bool {
        self.kind == IoErrorKind::Os && matches!(self.errno, libc::ENOSPC | libc::EDQUOT)
    }

    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        self.kind == IoErrorKind::Os && matches!(self.errno, libc::ENOENT | libc::ENOTDIR)
    }

    /// Whether the file, the file system or our rights do not allow writing.
    pub fn is_read_only(&self) -> bool {
        self.kind == IoErrorKind::Os
            && matches!(self.errno, libc::EROFS | libc::EACCES | libc::EPERM)
    }

    /// Whether the file system as a whole does not allow writing.
    pub fn is_read_only_medium(&self) -> bool {
        self.kind == IoErrorKind::Os && self.errno == libc::EROFS
    }

    /// SQLite's extended result code for this failure.
    ///
    /// | failure | code |
    /// |---|---|
    /// | a lock held by others | `SQLITE_BUSY` |
    /// | the file ended | `SQLITE_IOERR_SHORT_READ` |
    /// | disk or quota full while writing, growing, syncing | `SQLITE_FULL` |
    /// | open | `SQLITE_CANTOPEN` |
    /// | anything else | `SQLITE_IOERR_…` of the operation |
    pub fn sqlite_code(&self) -> i32 {
        const IOERR: i32 = 10;
        match self.kind {
            IoErrorKind::Busy => return 5,
            IoErrorKind::ShortRead => return IOERR | (2 << 8),
            IoErrorKind::Os => {}
        }
        if self.is_full() && matches!(self.op, IoOp::Write | IoOp::Allocate | IoOp::Truncate) {
            return 13;
        }
        match self.op {
            IoOp::Open => 14,
            IoOp::Read => IOERR | (1 << 8),
            IoOp::Write | IoOp::Allocate => IOERR | (3 << 8),
            IoOp::Sync => IOERR | (4 << 8),
            IoOp::DirSync => IOERR | (5 << 8),
            IoOp::Truncate => IOERR | (6 << 8),
            IoOp::Stat => IOERR | (7 << 8),
            IoOp::Unlock => IOERR | (8 << 8),
            IoOp::Lock => IOERR | (15 << 8),
            IoOp::CheckReserved => IOERR | (14 << 8),
            IoOp::Delete if self.is_not_found() => IOERR | (23 << 8),
            IoOp::Delete | IoOp::Rename => IOERR | (10 << 8),
            IoOp::Access => IOERR | (13 << 8),
            IoOp::ShmOpen => IOERR | (18 << 8),
            IoOp::ShmSize => IOERR | (19 << 8),
            IoOp::ShmLock => IOERR | (20 << 8),
            IoOp::ShmMap => IOERR | (21 << 8),
            IoOp::Ring => IOERR,
        }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.verb())?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        match self.kind {
            IoErrorKind::Os => write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno)),
            IoErrorKind::ShortRead => f.write_str(": the file ends before the bytes asked for"),
            IoErrorKind::Busy => f.write_str(": somebody else holds the lock"),
        }
    }
}

impl std::error::Error for IoError {}

impl From<IoError> for std::io::Error {
    fn from(e: IoError) -> std::io::Error {
        match e.kind {
            IoErrorKind::Os => std::io::Error::from_raw_os_error(e.errno),
            IoErrorKind::ShortRead => std::io::Error::new(std::io::ErrorKind::UnexpectedEof, e),
            IoErrorKind::Busy => std::io::Error::new(std::io::ErrorKind::WouldBlock, e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_codes() {
        use IoOp::*;
        let rows = [
            (Open, libc::ENOENT, 14),
            (Open, libc::EACCES, 14),
            (Read, libc::EIO, 266),
            (Write, libc::EIO, 778),
            (Write, libc::ENOSPC, 13),
            (Allocate, libc::EDQUOT, 13),
            (Sync, libc::EIO, 1034),
            (Sync, libc::ENOSPC, 1034),
            (DirSync, libc::EIO, 1290),
            (Truncate, libc::EIO, 1546),
            (Stat, libc::EIO, 1802),
            (Unlock, libc::EIO, 2058),
            (Delete, libc::EACCES, 2570),
            (Delete, libc::ENOENT, 5898),
            (Access, libc::EIO, 3338),
            (CheckReserved, libc::EIO, 3594),
            (Lock, libc::ENOLCK, 3850),
            (ShmOpen, libc::EIO, 4618),
            (ShmSize, libc::EIO, 4874),
            (ShmLock, libc::EIO, 5130),
            (ShmMap, libc::ENOMEM, 5386),
        ];
        for (op, errno, code) in rows {
            assert_eq!(IoError::os(op, errno).sqlite_code(), code, "{op:?} {errno}");
        }
        assert_eq!(IoError::busy(Lock).sqlite_code(), 5);
        assert_eq!(IoError::short_read().sqlite_code(), 522);
    }
}
