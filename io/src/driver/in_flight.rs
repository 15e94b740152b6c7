//! An operation that the kernel knows of: its progress, and the entries that move it on.

use io_uring::squeue::Entry;
use io_uring::{opcode, types};

use super::blocking;
use crate::error::IoOp;
use crate::op::{Op, SyncMode};
use crate::syscall;

/// Which of an operation's entries a completion is of.
pub(super) const STAGE_MAIN: u64 = 0;
/// The sync of a `WriteSync`.
pub(super) const STAGE_SYNC: u64 = 1;

/// An operation that the kernel knows of (rule 2).
pub(super) struct InFlight {
    pub(super) token: u64,
    pub(super) op: Op,
    /// Bytes moved so far.
    pub(super) done: usize,
    pub(super) total: usize,
    /// What the kernel reads its addresses from; never touched while entries are outstanding.
    pub(super) iovecs: Vec<libc::iovec>,
    /// Entries whose completion was not yet seen.
    pub(super) outstanding: u8,
    /// The transfer reached the end of the file.
    pub(super) at_end: bool,
    /// The sync of a `WriteSync` is done.
    pub(super) synced: bool,
    pub(super) error: Option<(IoOp, i32)>,
}

impl InFlight {
    pub(super) fn needs_transfer(&self) -> bool {
        match self.op.kind() {
            IoOp::Read | IoOp::Write => self.done < self.total && !self.at_end,
            // Has no bytes: `done` and `total` count the call itself, see `take_result`.
            _ => !self.at_end,
        }
    }

    pub(super) fn take_result(&mut self, stage: u64, result: i32) {
        let kind = self.op.kind();
        if stage == STAGE_SYNC {
            match -result {
                // Cancelled with its write, which is short or failed; or interrupted before it began.
                libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
                errno if errno > 0 => self.error = self.error.or(Some((IoOp::Sync, errno))),
                _ => self.synced = true,
            }
            return;
        }
        match -result {
            libc::EINTR | libc::EAGAIN => {}
            // A direct read that ended off the grid met the end of the file.
            libc::EINVAL if kind == IoOp::Read && syscall::is_off_grid(self.done) => {
                self.at_end = true;
            }
            errno if errno > 0 => self.error = Some((kind, errno)),
            0 if kind == IoOp::Write && self.total > self.done => {
                self.error = Some((kind, libc::EIO));
            }
            0 => self.at_end = true,
            _ => self.done += result as usize,
        }
    }

    /// The entry that transfers what is left; `None` for a `WriteSync` whose bytes are written.
    pub(super) fn main_entry(&mut self, fd: types::Fd, fixed: Option<u16>) -> Option<Entry> {
        let (from, wanted) = (self.done, self.total);
        let entry = match &mut self.op {
            Op::Read { offset, buf, .. } => {
                let at = *offset + from as u64;
                let rest = &mut buf[from..];
                let (ptr, len) = (rest.as_mut_ptr(), rest.len() as u32);
                match fixed {
                    Some(slab) => opcode::ReadFixed::new(fd, ptr, len, slab)
                        .offset(at)
                        .build(),
                    None => opcode::Read::new(fd, ptr, len).offset(at).build(),
                }
            }
            Op::Write {
                offset,
                buf,
                durability,
                ..
            } => {
                let at = *offset + from as u64;
                let flags = blocking::rw_flags(*durability);
                let rest = &buf[from..];
                let (ptr, len) = (rest.as_ptr(), rest.len() as u32);
                match fixed {
                    Some(slab) => {
                        let e = opcode::WriteFixed::new(fd, ptr, len, slab).offset(at);
                        e.rw_flags(flags).build()
                    }
                    None => opcode::Write::new(fd, ptr, len)
                        .offset(at)
                        .rw_flags(flags)
                        .build(),
                }
            }
            Op::Readv { offset, bufs, .. } => {
                let pieces = bufs.iter().map(|b| &b[..]);
                syscall::iovecs_after(pieces, from, &mut self.iovecs);
                let (ptr, n) = (self.iovecs.as_ptr(), self.iovecs.len() as u32);
                opcode::Readv::new(fd, ptr, n)
                    .offset(*offset + from as u64)
                    .build()
            }
            Op::WriteSync { .. } if from == wanted => return None,
            Op::Writev { offset, bufs, .. } | Op::WriteSync { offset, bufs, .. } => {
                let at = *offset + from as u64;
                syscall::iovecs_after(bufs.iter().map(|b| &b[..]), from, &mut self.iovecs);
                let (ptr, n) = (self.iovecs.as_ptr(), self.iovecs.len() as u32);
                let flags = match &self.op {
                    Op::Writev { durability, .. } => blocking::rw_flags(*durability),
                    _ => 0,
                };
                opcode::Writev::new(fd, ptr, n)
                    .offset(at)
                    .rw_flags(flags)
                    .build()
            }
            Op::Sync { mode, .. } => sync_entry(fd, *mode),
            Op::Allocate {
                offset,
                len,
                keep_size,
                ..
            } => {
                let mode = if *keep_size {
                    libc::FALLOC_FL_KEEP_SIZE
                } else {
                    0
                };
                opcode::Fallocate::new(fd, *len)
                    .offset(*offset)
                    .mode(mode)
                    .build()
            }
            Op::Truncate { .. } => unreachable!("performed inline"),
        };
        Some(entry)
    }
}

pub(super) fn sync_entry(fd: types::Fd, mode: SyncMode) -> Entry {
    let flags = match mode {
        SyncMode::Data => types::FsyncFlags::DATASYNC,
        SyncMode::Full => types::FsyncFlags::empty(),
    };
    opcode::Fsync::new(fd).flags(flags).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arena, Buf, IoHandle, OpenOptions};

    /// What is left to do after these completions, in the terms of `settle`.
    fn after(op: Op, completions: &[(u64, i32)]) -> (Option<(IoOp, i32)>, bool, bool, usize) {
        let total = op.byte_count();
        let mut f = InFlight {
            token: 0,
            op,
            done: 0,
            total,
            iovecs: Vec::new(),
            outstanding: 0,
            at_end: false,
            synced: false,
            error: None,
        };
        for (stage, result) in completions {
            f.take_result(*stage, *result);
        }
        (f.error, f.needs_transfer(), f.synced, f.done)
    }

    #[test]
    fn completions_and_what_is_left() {
        let io = IoHandle::in_memory();
        let file = io.open("f", &OpenOptions::create()).unwrap();
        let page = || -> Buf { Arena::global().alloc(4096) };
        let read = || Op::Read {
            file: file.clone(),
            offset: 0,
            buf: page(),
        };
        let write_sync = || Op::WriteSync {
            file: file.clone(),
            offset: 0,
            bufs: vec![page().into()],
            mode: SyncMode::Data,
        };
        let sync = || Op::Sync {
            file: file.clone(),
            mode: SyncMode::Data,
        };
        let (again, eio) = (-libc::EAGAIN, -libc::EIO);
        let cancelled = -libc::ECANCELED;

        assert_eq!(after(read(), &[(0, 4096)]), (None, false, false, 4096));
        assert_eq!(after(read(), &[(0, 100)]), (None, true, false, 100));
        assert_eq!(
            after(read(), &[(0, 100), (0, 0)]),
            (None, false, false, 100)
        );
        assert_eq!(
            after(read(), &[(0, 100), (0, -libc::EINTR)]),
            (None, true, false, 100)
        );
        assert_eq!(
            after(read(), &[(0, 100), (0, -libc::EINVAL)]),
            (None, false, false, 100)
        );
        let invalid = Some((IoOp::Read, libc::EINVAL));
        assert_eq!(after(read(), &[(0, 512), (0, -libc::EINVAL)]).0, invalid);
        assert_eq!(after(read(), &[(0, eio)]).0, Some((IoOp::Read, libc::EIO)));

        assert_eq!(
            after(write_sync(), &[(0, 4096), (1, 0)]),
            (None, false, true, 4096)
        );
        assert_eq!(
            after(write_sync(), &[(0, 100), (1, cancelled)]),
            (None, true, false, 100)
        );
        assert_eq!(
            after(write_sync(), &[(0, again), (1, cancelled)]),
            (None, true, false, 0)
        );
        let interrupted = [(0, 4096), (1, -libc::EINTR)];
        assert_eq!(
            after(write_sync(), &interrupted),
            (None, false, false, 4096)
        );
        let full = [(0, -libc::ENOSPC), (1, cancelled)];
        assert_eq!(
            after(write_sync(), &full).0,
            Some((IoOp::Write, libc::ENOSPC))
        );
        assert_eq!(
            after(write_sync(), &[(0, 0), (1, cancelled)]).0,
            Some((IoOp::Write, libc::EIO))
        );
        let lost = [(0, 4096), (1, eio)];
        assert_eq!(after(write_sync(), &lost).0, Some((IoOp::Sync, libc::EIO)));

        assert_eq!(after(sync(), &[(0, 0)]), (None, false, false, 0));
        assert_eq!(after(sync(), &[(0, -libc::EINTR)]), (None, true, false, 0));
        assert_eq!(after(sync(), &[(0, eio)]).0, Some((IoOp::Sync, libc::EIO)));
    }
}
