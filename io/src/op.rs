//! An operation, which owns its buffers, and its completion, which brings them home.
//!
//! | operation | a success counts | at once, inline | on the ring |
//! |---|---|---|---|
//! | `Read`, `Readv` | bytes; fewer than asked for only at the end of the file | pread, preadv2 | one entry |
//! | `Write`, `Writev` | bytes, always all | pwrite, pwritev2 | one entry |
//! | `WriteSync` | bytes, always all, durable | pwritev2 + fdatasync | a write linked to an fsync |
//! | `Sync` | 0 | fdatasync, fsync | one entry |
//! | `Allocate` | 0 | fallocate | one entry |
//! | `Truncate` | 0 | ftruncate | inline too: it is rare, and old kernels lack it |
//!
//! Rules: a short transfer is resumed below this line; `EINTR` and `EAGAIN` never reach it; an
//! error of a sync is reported once and never retried, since the kernel forgets the lost pages.

use crate::error::{IoError, IoOp, Result};
use crate::{Buf, File, WriteBuf};

/// How durable a write is when it completes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// In the kernel's cache; a later sync makes it durable.
    #[default]
    Cached,
    /// On the medium (RWF_DSYNC): this write only.
    Dsync,
}

/// What a sync covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// The bytes, and what is needed to find them again (fdatasync).
    #[default]
    Data,
    /// Times and permissions too (fsync).
    Full,
}

/// An operation on a file.
#[derive(Debug)]
pub enum Op {
    /// Read into one buffer, up to its length.
    Read {
        /// The file.
        file: File,
        /// First byte.
        offset: u64,
        /// Filled from its start.
        buf: Buf,
    },
    /// Read adjacent bytes into several buffers, in order.
    Readv {
        /// The file.
        file: File,
        /// First byte.
        offset: u64,
        /// Filled in order.
        bufs: Vec<Buf>,
    },
    /// Write one buffer.
    Write {
        /// The file.
        file: File,
        /// First byte.
        offset: u64,
        /// The bytes.
        buf: WriteBuf,
        /// Whether it must be on the medium when the operation completes.
        durability: Durability,
    },
    /// Write several buffers, one after the other.
    Writev {
        /// The file.
        file: File,
        /// First byte.
        offset: u64,
        /// The bytes, in order.
        bufs: Vec<WriteBuf>,
        /// Whether they must be on the medium when the operation completes.
        durability: Durability,
    },
    /// Write several buffers, one after the other, then sync the file.
    WriteSync {
        /// The file.
        file: File,
        /// First byte.
        offset: u64,
        /// The bytes, in order.
        bufs: Vec<WriteBuf>,
        /// What the sync covers.
        mode: SyncMode,
    },
    /// Make earlier completed writes durable.
    Sync {
        /// The file.
        file: File,
        /// What it covers.
        mode: SyncMode,
    },
    /// Reserve space for a range.
    Allocate {
        /// The file.
        file: File,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u64,
        /// Whether the file's size stays as it is.
        keep_size: bool,
    },
    /// Set the size of a file.
    Truncate {
        /// The file.
        file: File,
        /// The new size.
        len: u64,
    },
}

impl Op {
    /// The file that the operation is on.
    #[inline]
    pub fn file(&self) -> &File {
        match self {
            Op::Read { file, .. }
            | Op::Readv { file, .. }
            | Op::Write { file, .. }
            | Op::Writev { file, .. }
            | Op::WriteSync { file, .. }
            | Op::Sync { file, .. }
            | Op::Allocate { file, .. }
            | Op::Truncate { file, .. } => file,
        }
    }

    /// The operation's name for errors.
    pub fn kind(&self) -> IoOp {
        match self {
            Op::Read { .. } | Op::Readv { .. } => IoOp::Read,
            Op::Write { .. } | Op::Writev { .. } | Op::WriteSync { .. } => IoOp::Write,
            Op::Sync { .. } => IoOp::Sync,
            Op::Allocate { .. } => IoOp::Allocate,
            Op::Truncate { .. } => IoOp::Truncate,
        }
    }

    /// The first byte that the operation touches, where that means something.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Op::Read { offset, .. }
            | Op::Readv { offset, .. }
            | Op::Write { offset, .. }
            | Op::Writev { offset, .. }
            | Op::WriteSync { offset, .. }
            | Op::Allocate { offset, .. } => Some(*offset),
            Op::Sync { .. } => None,
            Op::Truncate { len, .. } => Some(*len),
        }
    }

    /// How many bytes a complete transfer moves.
    pub fn byte_count(&self) -> usize {
        match self {
            Op::Read { buf, .. } => buf.len(),
            Op::Readv { bufs, .. } => bufs.iter().map(|b| b.len()).sum(),
            Op::Write { buf, .. } => buf.len(),
            Op::Writev { bufs, .. } | Op::WriteSync { bufs, .. } => {
                bufs.iter().map(|b| b.len()).sum()
            }
            Op::Sync { .. } | Op::Allocate { .. } | Op::Truncate { .. } => 0,
        }
    }

    /// An error of this operation.
    pub(crate) fn error(&self, op: IoOp, errno: i32) -> IoError {
        let mut e = IoError::os(op, errno).at_path(self.file().shared_path());
        e.offset = if op == IoOp::Sync {
            None
        } else {
            self.offset()
        };
        e
    }
}

/// The completion of an operation: its result, and the operation itself with its buffers.
#[derive(Debug)]
pub struct Done {
    /// What the submitter called it.
    pub token: u64,
    /// Bytes moved, or what went wrong.
    pub result: Result<u32>,
    /// The operation, with its buffers.
    pub op: Op,
}
