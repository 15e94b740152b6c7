//! Ring, drivers, executor, files, buffers and clock of Ringwood: the only crate with system calls.
//!
//! ```text
//!            IoHandle ── one per thread: operations, files, clock, executor
//!           ╱    │   ╲
//!    Executor  slots  Driver ── uring │ blocking │ memory │ simulated
//!       │        │      │
//!     tasks    Op ──► Done      an operation owns its buffers, and comes home with them
//!                │
//!               Buf ◄── Arena   aligned, from slabs, shared by threads
//! ```
//!
//! **Rules**
//! 1. The kernel owns a buffer from submission to completion; a dropped future leaves its
//!    operation orphaned until then.
//! 2. Inline when there is nothing else to run, the ring as soon as there are two things to wait
//!    for.
//! 3. No error of the kernel is swallowed; short transfers, `EINTR` and `EAGAIN` never get out; a
//!    failed sync is never retried.
//! 4. Everything that differs between a real and a simulated machine (time, chance, files, locks)
//!    is asked of the handle.
//!
//! **Costs**, in system calls (counted by `tests/it/cost.rs`):
//!
//! | path | calls |
//! |---|---|
//! | a future that is ready, `yield_now`, waking a task of this thread | 0 |
//! | a lone read, write, sync, allocate, truncate | 1, and one more for a read that meets the end of the file |
//! | a lone `write_sync` | 2: pwritev, fdatasync |
//! | any number of operations started together | 1 enter, and 1 more each time the thread has to wait |
//! | a wake-up from another thread | 0 while this one is awake; else 1 there, 2 here |
//! | opening a file | openat, fstat; statx where it is direct |
//! | a handle | getrandom; the ring (about 4) when two operations first wait at once |
//!
//! On the development machine (2 cores, kernel 6.18): a cached 4 KiB read 0.6 µs inline and 1.3 µs
//! through the ring; a write of 4 KiB with its fdatasync 72 µs.
//!
//! **Absent:** anything that knows what the bytes mean.

// The only crate that talks to the kernel and hands memory to it; each block says why it is sound.
#![allow(unsafe_code)]

mod arena;
mod buf;
mod cpu;
mod doctor;
mod driver;
mod error;
mod executor;
mod file;
mod handle;
mod lock;
mod memory;
mod op;
mod reactor;
mod semaphore;
mod shm;
mod simulated;
mod stats;
mod syscall;
mod unbroken;
mod wake;

pub use arena::{Arena, ArenaStats, BUF_SIZE_MAX, BUF_SIZE_MIN};
pub use buf::{Buf, StableBytes, WriteBuf};
pub use cpu::{allowed_cpus, pin_thread};
pub use doctor::Report;
pub use driver::delayed::Delays;
pub use driver::ring_setup::{RingInfo, RingLevel, RingOptions};
pub use driver::{Io, Wait};
pub use error::{IoError, IoErrorKind, IoOp, Result};
pub use executor::{JoinHandle, Sleep, TaskGone, block_on, join_all};
pub use file::{File, FileCaps, FileId, FileIdentity, OpenOptions};
pub use handle::{DriverChoice, IoBuilder, IoHandle};
pub use lock::{
    DbLock, LockKind, LockLevel, PENDING_BYTE, SHM_CKPT, SHM_LOCK_COUNT, SHM_READ0, SHM_RECOVER,
    SHM_WRITE, ShmLocks, ShmOwner,
};
pub use memory::MemFs;
pub use op::{Done, Durability, Op, SyncMode};
pub use reactor::{Gather, OpFuture};
pub use semaphore::{LocalMutex, LocalMutexGuard, Notified, Notify, Permit, Semaphore};
pub use shm::{SHM_REGION_SIZE, ShmRegion};
pub use simulated::{Chance, Faults, Lie, Nth, SimDisk, SimProcess};
pub use stats::IoStats;
pub use unbroken::Unbroken;
pub use wake::RemoteWaker;
