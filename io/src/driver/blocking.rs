//! Operations performed at once, by plain system calls or on files in memory.
//!
//! This is the `blocking` and the `memory` driver, and the inline path of the others.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::{Clock, Io, Wait, nap};
use crate::error::{IoError, IoOp, Result};
use crate::file::Body;
use crate::op::{Done, Durability, Op, SyncMode};
use crate::stats::{Counters, add};
use crate::syscall::{self, Transfer};
use crate::wake::Shared;

/// Performs each operation when it is submitted.
pub(crate) struct Blocking {
    done: VecDeque<Done>,
    counters: Rc<Counters>,
    shared: Arc<Shared>,
}

impl Blocking {
    pub(crate) fn new(counters: Rc<Counters>, shared: Arc<Shared>) -> Blocking {
        Blocking {
            done: VecDeque::new(),
            counters,
            shared,
        }
    }
}

impl Io for Blocking {
    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>> {
        let done = perform(op, &self.counters);
        self.done.push_back(Done { token, ..done });
        Ok(())
    }

    fn run(&mut self, op: Op) -> Done {
        perform(op, &self.counters)
    }

    fn poll(&mut self, out: &mut Vec<Done>, wait: Wait) {
        if self.done.is_empty() {
            nap(&self.shared, &self.counters, &Clock::System, wait);
        }
        out.extend(self.done.drain(..));
    }

    fn cancel(&mut self, _token: u64) {}

    fn in_flight(&self) -> usize {
        self.done.len()
    }
}

/// Performs an operation, waiting for it.
pub(crate) fn perform(mut op: Op, counters: &Counters) -> Done {
    add(&counters.inline_ops, 1);
    let result = match op.file().raw_fd() {
        Some(fd) => on_disk(fd, &mut op, counters),
        None => in_memory(&mut op),
    };
    count_bytes(&op, &result, counters);
    let result = result.map_err(|(kind, errno)| op.error(kind, errno));
    Done {
        token: 0,
        result,
        op,
    }
}

pub(crate) fn count_bytes<E>(op: &Op, result: &Result<u32, E>, counters: &Counters) {
    let Ok(n) = result else { return };
    match op.kind() {
        IoOp::Read => add(&counters.read_bytes, u64::from(*n)),
        IoOp::Write => add(&counters.written_bytes, u64::from(*n)),
        _ => {}
    }
    if matches!(op, Op::Sync { .. } | Op::WriteSync { .. }) {
        add(&counters.syncs, 1);
    }
}

pub(crate) fn rw_flags(durability: Durability) -> i32 {
    match durability {
        Durability::Cached => 0,
        Durability::Dsync => libc::RWF_DSYNC,
    }
}

fn on_disk(fd: i32, op: &mut Op, counters: &Counters) -> Result<u32, (IoOp, i32)> {
    let kind = op.kind();
    let transferred = |t: Transfer| {
        add(&counters.syscalls, u64::from(t.calls));
        add(&counters.resumed, u64::from(t.calls.saturating_sub(1)));
        t.result.map(|n| n as u32).map_err(|e| (kind, e))
    };
    let called = |r: Result<(), i32>| {
        add(&counters.syscalls, 1);
        r.map(|()| 0).map_err(|e| (kind, e))
    };
    match op {
        Op::Read { offset, buf, .. } => transferred(syscall::pread(fd, buf, *offset)),
        Op::Readv { offset, bufs, .. } => transferred(syscall::preadv(fd, bufs, *offset)),
        Op::Write {
            offset,
            buf,
            durability,
            ..
        } => transferred(syscall::pwrite(fd, buf, *offset, rw_flags(*durability))),
        Op::Writev {
            offset,
            bufs,
            durability,
            ..
        } => transferred(syscall::pwritev(fd, bufs, *offset, rw_flags(*durability))),
        Op::WriteSync {
            offset, bufs, mode, ..
        } => {
            let n = transferred(syscall::pwritev(fd, bufs, *offset, 0))?;
            add(&counters.syscalls, 1);
            syscall::sync(fd, *mode == SyncMode::Full).map_err(|e| (IoOp::Sync, e))?;
            Ok(n)
        }
        Op::Sync { mode, .. } => called(syscall::sync(fd, *mode == SyncMode::Full)),
        Op::Allocate {
            offset,
            len,
            keep_size,
            ..
        } => called(allocate(fd, *keep_size, *offset, *len)),
        Op::Truncate { len, .. } => called(syscall::ftruncate(fd, *len)),
    }
}

/// Reserves space; where the file system cannot, the size is set if it was to change, and the
/// blocks come with the writes.
pub(crate) fn allocate(fd: i32, keep_size: bool, offset: u64, len: u64) -> Result<(), i32> {
    if len == 0 {
        return Ok(());
    }
    match syscall::fallocate(fd, keep_size, offset, len) {
        Err(libc::EOPNOTSUPP | libc::ENOSYS) if keep_size => Ok(()),
        Err(libc::EOPNOTSUPP | libc::ENOSYS) => {
            if syscall::fstat(fd)?.len < offset + len {
                syscall::ftruncate(fd, offset + len)?;
            }
            Ok(())
        }
        other => other,
    }
}

fn in_memory(op: &mut Op) -> Result<u32, (IoOp, i32)> {
    let kind = op.kind();
    let handle = op.file().clone();
    let Body::Memory(file, fs) = &handle.0.body else {
        unreachable!("asked for by raw_fd")
    };
    if handle.is_read_only() && kind != IoOp::Read && kind != IoOp::Sync {
        return Err((kind, libc::EBADF));
    }
    match fs.process() {
        Some(process) => process.perform(file, op),
        None => file.apply(op),
    }
}

/// Reads into a plain slice; through an aligned buffer where the file demands it.
pub(crate) fn read_slice(
    file: &crate::File,
    offset: u64,
    out: &mut [u8],
    arena: &crate::Arena,
    counters: &Counters,
) -> Result<usize, IoError> {
    let fail = |e| file.error(IoOp::Read, e).at_offset(offset);
    let caps = file.caps();
    let Some(fd) = file.raw_fd() else {
        let Body::Memory(mem, fs) = &file.0.body else {
            unreachable!("has no descriptor")
        };
        return match fs.process() {
            Some(process) => process.read(mem, out, offset).map_err(fail),
            None => Ok(mem.read_at(std::iter::once(out), offset)),
        };
    };
    let align = u64::from(caps.offset_align.max(1));
    let fits = |n: u64| n.is_multiple_of(align);
    if !caps.direct
        || (fits(offset)
            && fits(out.len() as u64)
            && (out.as_ptr() as usize).is_multiple_of(caps.mem_align as usize))
    {
        let t = syscall::pread(fd, out, offset);
        add(&counters.syscalls, u64::from(t.calls));
        return t.result.map_err(fail);
    }
    let start = offset / align * align;
    let end = (offset + out.len() as u64).next_multiple_of(align);
    let mut buf = arena.alloc((end - start) as usize);
    let t = syscall::pread(fd, &mut buf, start);
    add(&counters.syscalls, u64::from(t.calls));
    let got = t.result.map_err(fail)?;
    let skip = (offset - start) as usize;
    let n = got.saturating_sub(skip).min(out.len());
    out[..n].copy_from_slice(&buf[skip..skip + n]);
    Ok(n)
}
