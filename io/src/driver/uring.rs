//! The ring.
//!
//! ```text
//! submit ─► prepare ─► SQ ──enter──► kernel ──► CQ ─► settle ─┬─► whole: Done
//!              ▲                                             ├─► short, EINTR, EAGAIN: prepare again
//!              └──────────── resumed ◄───────────────────────┘
//!                                           write ──link──► fsync   (WriteSync; a short write
//!                                                                    breaks the link, see settle)
//! ```
//!
//! 1. The ring is set up when the first operation needs it, so that a program which only ever
//!    waits for one thing at a time pays nothing for it. Where it is refused on every level
//!    ([`ring_setup`](super::ring_setup)), the blocking driver takes its place.
//! 2. The memory that the kernel was told of (buffers, iovecs) belongs to the entry in `ops`, which
//!    lives until its last completion was seen; dropping the driver waits for that.
//! 3. Files are registered at their first use, and let go soon after their last handle is dropped.
//! 4. Buffers are registered, slab by slab, only for files that bypass the kernel's cache: pinning
//!    saves the kernel nothing where it copies.
//! 5. The bell is a poll of the eventfd, armed when the thread first sleeps in the ring.
//!
//! Cost: one enter for any number of operations submitted since the last, which also collects
//! completions; none where completions are there already.
//!
//! Absent: IOPOLL (its rings can neither sync nor poll), buffer rings, linked chains beyond two.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use io_uring::squeue::Flags;
use io_uring::{IoUring, opcode, types};

use super::blocking::{self, Blocking};
use super::in_flight::{InFlight, STAGE_MAIN, STAGE_SYNC, sync_entry};
use super::ring_setup::{RingInfo, RingOptions, errno_of, set_up};
use super::{Clock, Io, Wait, nap};
use crate::arena::Arena;
use crate::error::{IoOp, Result};
use crate::file::{CLOSED, FileInner};
use crate::op::{Done, Op};
use crate::stats::{Counters, add};
use crate::syscall;
use crate::wake::Shared;
use crate::{File, FileId};

/// The driver: a ring once it is needed, or what takes its place.
pub(crate) struct Uring {
    options: RingOptions,
    state: State,
    counters: Rc<Counters>,
    shared: Arc<Shared>,
    arena: Arena,
}

enum State {
    Unborn,
    Live(Box<Ring>),
    Refused(Blocking, RingInfo),
}

impl Uring {
    pub(crate) fn new(
        options: RingOptions,
        arena: Arena,
        counters: Rc<Counters>,
        shared: Arc<Shared>,
    ) -> Uring {
        Uring {
            options,
            state: State::Unborn,
            counters,
            shared,
            arena,
        }
    }

    /// Whether the ring was refused, so that operations are performed at once.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(..))
    }

    /// What became of the ring, which is set up if it was not.
    pub(crate) fn info(&mut self) -> RingInfo {
        match self.born() {
            State::Live(ring) => ring.info.clone(),
            State::Refused(_, info) => info.clone(),
            State::Unborn => unreachable!("just born"),
        }
    }

    /// Tries to register what there is of the arena, to learn whether it is possible.
    pub(crate) fn try_buffers(&mut self) -> Option<Result<(), i32>> {
        drop(self.arena.alloc(crate::BUF_SIZE_MIN));
        match self.born() {
            State::Live(ring) => {
                ring.register_slabs(0);
                ring.info.buffers
            }
            _ => None,
        }
    }

    fn born(&mut self) -> &mut State {
        if matches!(self.state, State::Unborn) {
            self.state = match set_up(&self.options) {
                Ok((ring, level, refused)) => State::Live(Box::new(Ring::new(
                    ring,
                    RingInfo {
                        level: Some(level),
                        refused,
                        files: None,
                        buffers: None,
                    },
                    self.options.clone(),
                    self.arena.clone(),
                    self.counters.clone(),
                    self.shared.clone(),
                ))),
                Err(refused) => State::Refused(
                    Blocking::new(self.counters.clone(), self.shared.clone()),
                    RingInfo {
                        level: None,
                        refused,
                        files: None,
                        buffers: None,
                    },
                ),
            };
        }
        &mut self.state
    }
}

impl Io for Uring {
    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>> {
        match self.born() {
            State::Live(ring) => ring.submit(token, op),
            State::Refused(blocking, _) => blocking.submit(token, op),
            State::Unborn => unreachable!("just born"),
        }
    }

    fn run(&mut self, op: Op) -> Done {
        blocking::perform(op, &self.counters)
    }

    fn poll(&mut self, out: &mut Vec<Done>, wait: Wait) {
        match &mut self.state {
            State::Unborn => nap(&self.shared, &self.counters, &Clock::System, wait),
            State::Live(ring) => ring.poll(out, wait),
            State::Refused(blocking, _) => blocking.poll(out, wait),
        }
    }

    fn cancel(&mut self, token: u64) {
        if let State::Live(ring) = &mut self.state {
            ring.cancel(token);
        }
    }

    fn in_flight(&self) -> usize {
        match &self.state {
            State::Unborn => 0,
            State::Live(ring) => ring.live + ring.finished.len(),
            State::Refused(blocking, _) => blocking.in_flight(),
        }
    }
}

/// `user_data` of a completion: slot number and stage, or one of these.
const BELL: u64 = u64::MAX;
const CANCELLED: u64 = u64::MAX - 1;

struct Ring {
    kernel: IoUring,
    info: RingInfo,
    options: RingOptions,
    ops: Vec<Option<InFlight>>,
    free: Vec<u32>,
    live: usize,
    /// Slots whose next entry found no room in the submission queue.
    retry: VecDeque<u32>,
    /// Performed inline at submission, or settled, and not yet taken.
    finished: VecDeque<Done>,
    bell_armed: bool,
    files: Files,
    slabs_registered: usize,
    arena: Arena,
    counters: Rc<Counters>,
    shared: Arc<Shared>,
}

const FILES_MAX: usize = 64;

/// The registered files.
struct Files {
    slots: Vec<Option<(FileId, Weak<FileInner>)>>,
    /// The last answer: most operations are on the file of the one before.
    last: Option<(FileId, u32)>,
    closed_seen: u64,
}

impl Ring {
    fn new(
        kernel: IoUring,
        info: RingInfo,
        options: RingOptions,
        arena: Arena,
        counters: Rc<Counters>,
        shared: Arc<Shared>,
    ) -> Ring {
        let mut ring = Ring {
            kernel,
            info,
            options,
            ops: Vec::new(),
            free: Vec::new(),
            live: 0,
            retry: VecDeque::new(),
            finished: VecDeque::new(),
            bell_armed: false,
            files: Files {
                slots: Vec::new(),
                last: None,
                closed_seen: CLOSED.load(Relaxed),
            },
            slabs_registered: 0,
            arena,
            counters,
            shared,
        };
        if ring.options.register_files {
            let made = ring
                .kernel
                .submitter()
                .register_files_sparse(FILES_MAX as u32);
            if made.is_ok() {
                ring.files.slots.resize_with(FILES_MAX, || None);
            }
            ring.info.files = Some(made.map_err(|e| errno_of(&e)));
        }
        ring
    }

    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>> {
        if matches!(op, Op::Truncate { .. }) || op.file().is_memory() {
            let done = blocking::perform(op, &self.counters);
            self.finished.push_back(Done { token, ..done });
            return Ok(());
        }
        if self.live >= self.options.depth as usize || !self.retry.is_empty() || self.room() < 2 {
            return Err(Box::new(op));
        }
        add(&self.counters.ring_ops, 1);
        let total = op.byte_count();
        let entry = InFlight {
            token,
            op,
            done: 0,
            total,
            iovecs: Vec::new(),
            outstanding: 0,
            at_end: false,
            synced: false,
            error: None,
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.ops.push(None);
            self.ops.len() as u32 - 1
        });
        self.ops[index as usize] = Some(entry);
        self.live += 1;
        self.prepare(index);
        Ok(())
    }

    /// Free entries of the submission queue.
    fn room(&mut self) -> usize {
        let sq = self.kernel.submission();
        sq.capacity() - sq.len()
    }

    /// Puts the next entry or entries of an operation into the submission queue.
    fn prepare(&mut self, index: u32) {
        if self.room() < 2 {
            self.retry.push_back(index);
            return;
        }
        let mut op = self.ops[index as usize].take().expect("a live slot");
        let (fd, file_flag) = self.descriptor(op.op.file());
        let fixed = self.registered_slab(&op.op);
        let main = op.main_entry(fd, fixed);
        let sync = match &op.op {
            Op::WriteSync { mode, .. } => Some(sync_entry(fd, *mode)),
            _ => None,
        };
        if main.is_some() {
            op.synced = false;
        }
        let data = u64::from(index) << 1;
        let mut entries = [None, None];
        match (main, sync) {
            (Some(main), Some(sync)) => {
                entries[0] = Some(main.flags(file_flag | Flags::IO_LINK).user_data(data));
                entries[1] = Some(sync.flags(file_flag).user_data(data | STAGE_SYNC));
            }
            (Some(main), None) => entries[0] = Some(main.flags(file_flag).user_data(data)),
            // The bytes are written; the sync is what is left.
            (None, Some(sync)) => {
                entries[0] = Some(sync.flags(file_flag).user_data(data | STAGE_SYNC));
            }
            (None, None) => unreachable!("every operation has an entry"),
        }
        let mut sq = self.kernel.submission();
        for entry in entries.iter().flatten() {
            op.outstanding += 1;
            // SAFETY: the entry points to buffers and iovecs of `op`, which stays in `ops`,
            // unchanged, until the completion of each of its entries was seen (rule 2).
            unsafe { sq.push(entry) }.expect("room was checked");
        }
        drop(sq);
        self.ops[index as usize] = Some(op);
    }

    /// The descriptor to name in an entry: a registered file's number, where there is one.
    fn descriptor(&mut self, file: &File) -> (types::Fd, Flags) {
        let fd = file.raw_fd().expect("files in memory are performed inline");
        match self.registered_file(file, fd) {
            Some(index) => {
                add(&self.counters.registered_files, 1);
                (types::Fd(index as i32), Flags::FIXED_FILE)
            }
            None => (types::Fd(fd), Flags::empty()),
        }
    }

    fn registered_file(&mut self, file: &File, fd: i32) -> Option<u32> {
        let id = file.id();
        match self.files.last {
            Some((last, index)) if last == id => return Some(index),
            _ if self.files.slots.is_empty() => return None,
            _ => {}
        }
        self.release_closed();
        let slots = &mut self.files.slots;
        let index = match slots
            .iter()
            .position(|s| s.as_ref().is_some_and(|(i, _)| *i == id))
        {
            Some(index) => index,
            None => {
                let index = slots.iter().position(Option::is_none)?;
                self.kernel
                    .submitter()
                    .register_files_update(index as u32, &[fd])
                    .ok()?;
                slots[index] = Some((id, Arc::downgrade(&file.0)));
                index
            }
        };
        self.files.last = Some((id, index as u32));
        Some(index as u32)
    }

    /// Lets go of files that nobody holds any more (rule 3).
    fn release_closed(&mut self) {
        let closed = CLOSED.load(Relaxed);
        if closed == self.files.closed_seen {
            return;
        }
        self.files.closed_seen = closed;
        self.files.last = None;
        for (index, slot) in self.files.slots.iter_mut().enumerate() {
            if slot
                .as_ref()
                .is_some_and(|(_, file)| file.strong_count() == 0)
            {
                // A failure keeps the descriptor open a while longer; nothing else.
                if self
                    .kernel
                    .submitter()
                    .register_files_update(index as u32, &[-1])
                    .is_ok()
                {
                    *slot = None;
                }
            }
        }
    }

    /// The registered slab of an operation's buffer, where that helps (rule 4).
    fn registered_slab(&mut self, op: &Op) -> Option<u16> {
        if !op.file().caps().direct || !self.options.register_buffers {
            return None;
        }
        let slab = match op {
            Op::Read { buf, .. } => buf.slab_in(&self.arena)?,
            Op::Write {
                buf: crate::WriteBuf::Owned(buf),
                ..
            } => buf.slab_in(&self.arena)?,
            _ => return None,
        } as usize;
        if slab >= self.slabs_registered {
            self.register_slabs(slab);
        }
        (slab < self.slabs_registered).then(|| {
            add(&self.counters.registered_buffers, 1);
            slab as u16
        })
    }

    /// Registers the arena's slabs up to number `upto` at least. Where the kernel refuses, it is
    /// not asked again.
    fn register_slabs(&mut self, upto: usize) {
        const SLABS_MAX: usize = 1024;
        if matches!(self.info.buffers, Some(Err(_))) || upto >= SLABS_MAX {
            return;
        }
        let submitter = self.kernel.submitter();
        let mut result = Ok(());
        if self.info.buffers.is_none() {
            result = submitter.register_buffers_sparse(SLABS_MAX as u32);
        }
        let from = self.slabs_registered;
        let slabs: Vec<libc::iovec> = self
            .arena
            .slabs_from(from)
            .into_iter()
            .take(SLABS_MAX - from)
            .map(|(addr, size)| libc::iovec {
                iov_base: addr as *mut _,
                iov_len: size,
            })
            .collect();
        result = result.and_then(|()| {
            // SAFETY: slabs stay mapped while their arena lives, which this driver holds; the
            // ring is torn down before the arena is let go.
            unsafe { submitter.register_buffers_update(from as u32, &slabs, None) }
        });
        if result.is_ok() {
            self.slabs_registered += slabs.len();
        }
        self.info.buffers = Some(result.map_err(|e| errno_of(&e)));
    }

    fn poll(&mut self, out: &mut Vec<Done>, mut wait: Wait) {
        for _ in 0..self.retry.len() {
            let Some(index) = self.retry.pop_front() else {
                break;
            };
            self.prepare(index);
        }
        if !self.finished.is_empty() || !self.kernel.completion().is_empty() {
            wait = Wait::No;
        }
        if wait != Wait::No && !self.bell_armed {
            if self.room() == 0 {
                self.enter(Wait::No);
            }
            self.arm_bell();
        }
        let asleep = wait != Wait::No && self.bell_armed && self.shared.go_to_sleep();
        if wait != Wait::No && !asleep && self.bell_armed {
            wait = Wait::No;
        }
        self.enter(wait);
        if asleep {
            self.shared.wake_up();
        }
        self.reap();
        self.release_closed();
        out.extend(self.finished.drain(..));
    }

    fn arm_bell(&mut self) {
        let Ok(bell) = self.shared.bell() else { return };
        let entry = opcode::PollAdd::new(types::Fd(bell.as_raw_fd()), libc::POLLIN as u32);
        let entry = entry.build().user_data(BELL);
        // SAFETY: a poll refers to no memory of ours.
        self.bell_armed = unsafe { self.kernel.submission().push(&entry) }.is_ok();
    }

    /// Submits, and waits for a completion where asked to. Without anything to do: no call.
    fn enter(&mut self, wait: Wait) {
        let (queued, work_waits) = {
            let sq = self.kernel.submission();
            (sq.len(), sq.taskrun() || sq.cq_overflow())
        };
        if queued == 0 && wait == Wait::No && !work_waits {
            return;
        }
        add(&self.counters.syscalls, 1);
        add(&self.counters.enters, 1);
        let want = usize::from(wait != Wait::No);
        // Without a bell (no descriptors left) nobody could end the wait: look again soon.
        const SOON_NS: u64 = 10_000_000;
        let limit = if self.bell_armed { u64::MAX } else { SOON_NS };
        let deadline = match wait {
            Wait::No => None,
            Wait::Until(at) => Some(at.saturating_sub(Clock::System.now_ns()).min(limit)),
            Wait::Forever => (!self.bell_armed).then_some(SOON_NS),
        };
        let time = deadline.map(|ns| {
            types::Timespec::new()
                .sec(ns / 1_000_000_000)
                .nsec((ns % 1_000_000_000) as u32)
        });
        let mut args = types::SubmitArgs::new();
        if let Some(time) = &time {
            args = args.timespec(time);
        }
        if let Err(e) = self.kernel.submitter().submit_with_args(want, &args) {
            match errno_of(&e) {
                // Time is up, a signal, or the kernel wants completions taken or memory first: what
                // was not submitted is still queued, and the caller comes again.
                libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN | libc::ENOMEM => {}
                errno => panic!(
                    "io_uring_enter: {}",
                    std::io::Error::from_raw_os_error(errno)
                ),
            }
        }
    }

    /// Takes all completions.
    fn reap(&mut self) {
        loop {
            let mut batch = [(0u64, 0i32); 64];
            let mut n = 0;
            for cqe in self.kernel.completion().take(batch.len()) {
                batch[n] = (cqe.user_data(), cqe.result());
                n += 1;
            }
            for &(data, result) in &batch[..n] {
                match data {
                    BELL => {
                        self.bell_armed = false;
                        if let (true, Ok(bell)) = (result > 0, self.shared.bell()) {
                            syscall::eventfd_drain(bell.as_fd());
                            add(&self.counters.syscalls, 1);
                        }
                    }
                    CANCELLED => {}
                    data => self.settle((data >> 1) as u32, data & 1, result),
                }
            }
            if n < batch.len() {
                return;
            }
        }
    }

    /// Takes one completion of an operation, and decides once all of its entries have completed:
    ///
    /// | error | bytes missing | sync missing | then |
    /// |---|---|---|---|
    /// | yes | | | it failed |
    /// | no | yes, not at the end | | transfer the rest (and link the sync) |
    /// | no | no | yes | sync |
    /// | no | no | no | it is done |
    fn settle(&mut self, index: u32, stage: u64, result: i32) {
        let op = self.ops[index as usize]
            .as_mut()
            .expect("completions are of live slots");
        op.outstanding -= 1;
        op.take_result(stage, result);
        if op.outstanding > 0 {
            return;
        }
        let sync_missing = matches!(op.op, Op::WriteSync { .. }) && !op.synced;
        let unfinished = op.needs_transfer() || sync_missing;
        if op.error.is_none() && unfinished {
            add(&self.counters.resumed, 1);
            self.prepare(index);
            return;
        }
        let Some(InFlight {
            token,
            op,
            done,
            error,
            ..
        }) = self.ops[index as usize].take()
        else {
            unreachable!("just seen")
        };
        self.free.push(index);
        self.live -= 1;
        let result = match error {
            None => Ok(done as u32),
            // What the file system cannot do on a ring it may do, or be excused from, outside.
            Some((IoOp::Allocate, libc::EOPNOTSUPP | libc::ENOSYS)) => {
                let again = blocking::perform(op, &self.counters);
                self.finished.push_back(Done { token, ..again });
                return;
            }
            Some((kind, errno)) => Err(op.error(kind, errno)),
        };
        blocking::count_bytes(&op, &result, &self.counters);
        self.finished.push_back(Done { token, result, op });
    }

    /// Asks the kernel to give up on a read that nobody waits for. Writes are left to finish.
    fn cancel(&mut self, token: u64) {
        let of_token = |o: &Option<InFlight>| {
            o.as_ref()
                .is_some_and(|o| o.token == token && o.op.kind() == IoOp::Read)
        };
        let Some(index) = self.ops.iter().position(of_token) else {
            return;
        };
        let entry = opcode::AsyncCancel::new((index as u64) << 1 | STAGE_MAIN);
        let entry = entry.build().user_data(CANCELLED);
        // SAFETY: refers to no memory of ours. Where there is no room, the hint is not given.
        let _ = unsafe { self.kernel.submission().push(&entry) };
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Rule 2: the kernel must be done with our buffers before they are freed.
        let mut out = Vec::new();
        while self.live > 0 {
            for _ in 0..self.retry.len() {
                let Some(index) = self.retry.pop_front() else {
                    break;
                };
                self.prepare(index);
            }
            if self.kernel.completion().is_empty() {
                self.enter(Wait::Forever);
            }
            self.reap();
            out.extend(self.finished.drain(..));
            out.clear();
        }
    }
}
