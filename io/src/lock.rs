//! SQLite's file locks, as locks of the open file description.
//!
//! The lock-byte page, at 1 GiB of the database file (never read or written as data):
//!
//! ```text
//! 0x40000000  PENDING    one byte    somebody waits to be alone; no new readers
//! 0x40000001  RESERVED   one byte    somebody means to write
//! 0x40000002  SHARED     510 bytes   read-locked by each reader, write-locked by EXCLUSIVE
//! ```
//!
//! ```text
//!          read PENDING, read SHARED, release PENDING
//!  NONE ─────────────────────────────────────────────► SHARED ──write RESERVED──► RESERVED
//!    ▲                                                  │  ▲                         │
//!    └───────────────── release all ────────────────────┘  │            write PENDING│
//!                                                          │                         ▼
//!        read SHARED, release PENDING and RESERVED ────────┤                      PENDING
//!                                                          │                         │
//!                                                      EXCLUSIVE ◄── write SHARED ───┘
//!                        (also from SHARED directly, to roll a hot journal back)
//! ```
//!
//! The -shm file:
//!
//! | byte | lock |
//! |---|---|
//! | 120 | WRITE: the writer |
//! | 121 | CKPT: the checkpointer |
//! | 122 | RECOVER: who rebuilds the index |
//! | 123–127 | READ 0–4: shared by the readers of a mark, exclusive to change it |
//! | 128 | dead man's switch: shared by all who have the file open |
//!
//! 1. Nothing here waits: what is held by others is [`IoError::is_busy`].
//! 2. POSIX locks (stock SQLite's, in other processes *and in this one*) and ours exclude each
//!    other; ours belong to a handle, not to the process, so two handles exclude each other too.
//! 3. A failed upgrade to EXCLUSIVE leaves PENDING, as SQLite does: the readers run dry, and the
//!    next attempt succeeds. Whoever gives up must unlock.
//! 4. Within the process the locks of a -shm file are kept by one [`ShmLocks`], with an owner per
//!    connection: the kernel hears of the first and the last only.
//! 5. Files in memory have the same locks between their handles.
//!
//! Source: `unixLock`, `posixUnlock`, `unixShmLock`, `unixLockSharedMemory` in SQLite's `os_unix.c`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::File;
use crate::error::{IoError, IoOp, Result};

/// What a range lock is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others may hold shared locks too.
    Shared,
    /// Nobody else may hold a lock.
    Exclusive,
    /// Ours is given up.
    Unlock,
}

/// The byte that a waiting writer holds; also the first byte of the lock-byte page.
pub const PENDING_BYTE: u64 = 0x4000_0000;
const RESERVED_BYTE: u64 = PENDING_BYTE + 1;
const SHARED_FIRST: u64 = PENDING_BYTE + 2;
const SHARED_SIZE: u64 = 510;

/// The state of a handle's lock on a database file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockLevel {
    /// Nothing.
    #[default]
    None,
    /// Reads; so may others.
    Shared,
    /// Means to write; others may still read, and none may reserve.
    Reserved,
    /// Waits for the last readers; no new ones.
    Pending,
    /// Writes; alone.
    Exclusive,
}

/// The lock of one handle on a database file. Dropping it unlocks.
pub struct DbLock {
    file: File,
    level: Mutex<LockLevel>,
}

impl DbLock {
    /// An unlocked lock. The handle should have no other.
    pub fn new(file: File) -> DbLock {
        DbLock {
            file,
            level: Mutex::new(LockLevel::None),
        }
    }

    fn state(&self) -> MutexGuard<'_, LockLevel> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The level that is held.
    pub fn level(&self) -> LockLevel {
        *self.state()
    }

    /// Raises the lock to `wanted`, or leaves it if it is at least that.
    ///
    /// # Errors
    /// Busy where others are in the way: the level is as before, except that an attempt at
    /// EXCLUSIVE from RESERVED leaves PENDING (rule 3).
    ///
    /// # Panics
    /// Where RESERVED or more is asked for without SHARED being held, or PENDING by name.
    pub fn lock(&self, wanted: LockLevel) -> Result<()> {
        let mut level = self.state();
        if *level >= wanted {
            return Ok(());
        }
        assert!(
            *level != LockLevel::None || wanted == LockLevel::Shared,
            "SHARED comes first"
        );
        match wanted {
            LockLevel::Shared => {
                self.take(PENDING_BYTE, 1, LockKind::Shared)?;
                let taken = self.take(SHARED_FIRST, SHARED_SIZE, LockKind::Shared);
                self.release(PENDING_BYTE, 1)?;
                taken?;
                *level = LockLevel::Shared;
            }
            LockLevel::Reserved => {
                self.take(RESERVED_BYTE, 1, LockKind::Exclusive)?;
                *level = LockLevel::Reserved;
            }
            LockLevel::Exclusive => {
                if *level == LockLevel::Reserved {
                    self.take(PENDING_BYTE, 1, LockKind::Exclusive)?;
                    *level = LockLevel::Pending;
                }
                self.take(SHARED_FIRST, SHARED_SIZE, LockKind::Exclusive)?;
                *level = LockLevel::Exclusive;
            }
            LockLevel::None | LockLevel::Pending => panic!("{wanted:?} cannot be asked for"),
        }
        Ok(())
    }

    /// Lowers the lock to SHARED or to nothing.
    ///
    /// # Errors
    /// What the kernel said; the level is then unchanged.
    ///
    /// # Panics
    /// Where `wanted` is neither.
    pub fn unlock(&self, wanted: LockLevel) -> Result<()> {
        assert!(
            wanted <= LockLevel::Shared,
            "{wanted:?} cannot be returned to"
        );
        let mut level = self.state();
        if *level <= wanted {
            return Ok(());
        }
        if wanted == LockLevel::Shared {
            // First the weaker lock, then the release, so that nobody can slip in between.
            self.take(SHARED_FIRST, SHARED_SIZE, LockKind::Shared)?;
            self.release(PENDING_BYTE, 2)?;
        } else {
            self.release(PENDING_BYTE, 2 + SHARED_SIZE)?;
        }
        *level = wanted;
        Ok(())
    }

    /// Whether anybody, this handle included, holds RESERVED or more.
    pub fn is_reserved(&self) -> Result<bool> {
        if self.level() >= LockLevel::Reserved {
            return Ok(true);
        }
        let held = self
            .file
            .query_lock_range(RESERVED_BYTE, 1, LockKind::Exclusive);
        held.map(|h| h.is_some()).map_err(|e| IoError {
            op: IoOp::CheckReserved,
            ..e
        })
    }

    fn take(&self, start: u64, len: u64, kind: LockKind) -> Result<()> {
        if self.file.try_lock_range(start, len, kind)? {
            return Ok(());
        }
        Err(IoError::busy(IoOp::Lock).at_path(self.file.shared_path()))
    }

    fn release(&self, start: u64, len: u64) -> Result<()> {
        let released = self.file.try_lock_range(start, len, LockKind::Unlock);
        released.map(drop).map_err(|e| IoError {
            op: IoOp::Unlock,
            ..e
        })
    }
}

impl Drop for DbLock {
    fn drop(&mut self) {
        // A file that cannot be unlocked is unlocked when it is closed.
        let _ = self.unlock(LockLevel::None);
    }
}

impl fmt::Debug for DbLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DbLock({:?} on {})",
            self.level(),
            self.file.path().display()
        )
    }
}

/// The number of locks on a -shm file.
pub const SHM_LOCK_COUNT: usize = 8;
/// The writer's lock.
pub const SHM_WRITE: usize = 0;
/// The checkpointer's lock.
pub const SHM_CKPT: usize = 1;
/// The lock of who rebuilds the index.
pub const SHM_RECOVER: usize = 2;
/// The lock of the first read mark; READ n is `SHM_READ0 + n`, n up to 4.
pub const SHM_READ0: usize = 3;
const SHM_BASE: u64 = 120;
const SHM_DMS: u64 = SHM_BASE + SHM_LOCK_COUNT as u64;

/// The locks of one -shm file within this process; one per file.
#[derive(Clone)]
pub struct ShmLocks(Arc<ShmNode>);

struct ShmNode {
    /// `None` where only this process uses the index, on the heap.
    file: Option<File>,
    /// Per lock: how many owners share it, or -1 where one holds it exclusively.
    held: Mutex<[i32; SHM_LOCK_COUNT]>,
}

impl ShmLocks {
    /// The locks of an index on the heap: between owners of this process only.
    pub fn heap() -> ShmLocks {
        ShmLocks(Arc::new(ShmNode {
            file: None,
            held: Mutex::default(),
        }))
    }

    /// The locks of a -shm file that was just opened. Takes the dead man's switch, which is held
    /// until the file is closed; whoever finds nobody else holding it empties the file first.
    /// Returns whether that was so: the index must then be rebuilt. A file that can only be read
    /// is not emptied; what it holds must not be believed then.
    ///
    /// # Errors
    /// Busy where another process is about to empty the file.
    pub fn open(file: File) -> Result<(ShmLocks, bool)> {
        let lock = |kind| -> Result<bool> {
            file.try_lock_range(SHM_DMS, 1, kind).map_err(|e| IoError {
                op: IoOp::ShmLock,
                ..e
            })
        };
        let busy = || IoError::busy(IoOp::ShmLock).at_path(file.shared_path());
        let first = match file.query_lock_range(SHM_DMS, 1, LockKind::Exclusive) {
            Ok(None) if !file.is_read_only() => {
                if !lock(LockKind::Exclusive)? {
                    return Err(busy());
                }
                file.empty().map_err(|e| IoError {
                    op: IoOp::ShmOpen,
                    ..e
                })?;
                true
            }
            Ok(Some(true)) => return Err(busy()),
            // Nobody keeps the index up, and we cannot make it.
            Ok(None) => true,
            Ok(Some(false)) => false,
            Err(e) => {
                return Err(IoError {
                    op: IoOp::ShmLock,
                    ..e
                });
            }
        };
        if !lock(LockKind::Shared)? {
            return Err(busy());
        }
        Ok((
            ShmLocks(Arc::new(ShmNode {
                file: Some(file),
                held: Mutex::default(),
            })),
            first,
        ))
    }

    /// A connection's share in the locks.
    pub fn owner(&self) -> ShmOwner {
        ShmOwner {
            node: self.0.clone(),
            shared: 0,
            exclusive: 0,
        }
    }
}

impl fmt::Debug for ShmLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShmLocks({:?})", self.0.state())
    }
}

impl ShmNode {
    fn state(&self) -> MutexGuard<'_, [i32; SHM_LOCK_COUNT]> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> IoError {
        let e = IoError::busy(IoOp::ShmLock);
        match &self.file {
            Some(file) => e.at_path(file.shared_path()),
            None => e,
        }
    }

    fn tell_kernel(&self, first: usize, count: usize, kind: LockKind) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        match file.try_lock_range(SHM_BASE + first as u64, count as u64, kind) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.busy()),
            Err(e) => Err(IoError {
                op: IoOp::ShmLock,
                ..e
            }),
        }
    }
}

/// One connection's locks on a -shm file. Dropping it unlocks what it holds.
pub struct ShmOwner {
    node: Arc<ShmNode>,
    shared: u16,
    exclusive: u16,
}

impl ShmOwner {
    /// Shares lock `index` with others; nothing happens where this owner shares it already.
    ///
    /// # Errors
    /// Busy where another owner or process holds it exclusively.
    ///
    /// # Panics
    /// Where this owner itself holds it exclusively.
    pub fn lock_shared(&mut self, index: usize) -> Result<()> {
        let bit = 1 << index;
        assert!(
            self.exclusive & bit == 0,
            "lock {index} is held exclusively"
        );
        if self.shared & bit != 0 {
            return Ok(());
        }
        let mut held = self.node.state();
        match held[index] {
            -1 => return Err(self.node.busy()),
            0 => self.node.tell_kernel(index, 1, LockKind::Shared)?,
            _ => {}
        }
        held[index] += 1;
        self.shared |= bit;
        Ok(())
    }

    /// Takes `count` locks from `first` on for this owner alone; all or none.
    ///
    /// # Errors
    /// Busy where another owner or process holds one of them in any way.
    ///
    /// # Panics
    /// Where this owner shares one of them, or holds some but not all.
    pub fn lock_exclusive(&mut self, first: usize, count: usize) -> Result<()> {
        let bits = mask(first, count);
        assert!(
            self.shared & bits == 0,
            "one of {count} locks from {first} on is shared"
        );
        if self.exclusive & bits == bits {
            return Ok(());
        }
        assert!(
            self.exclusive & bits == 0,
            "some of {count} locks from {first} on are held"
        );
        let mut held = self.node.state();
        if held[first..first + count].iter().any(|h| *h != 0) {
            return Err(self.node.busy());
        }
        self.node.tell_kernel(first, count, LockKind::Exclusive)?;
        held[first..first + count].fill(-1);
        self.exclusive |= bits;
        Ok(())
    }

    /// Gives up this owner's share in lock `index`, if it has one.
    pub fn unlock_shared(&mut self, index: usize) -> Result<()> {
        let bit = 1 << index;
        if self.shared & bit == 0 {
            return Ok(());
        }
        let mut held = self.node.state();
        if held[index] == 1 {
            self.node.tell_kernel(index, 1, LockKind::Unlock)?;
        }
        held[index] -= 1;
        self.shared &= !bit;
        Ok(())
    }

    /// Gives up those of `count` locks from `first` on that this owner holds alone.
    pub fn unlock_exclusive(&mut self, first: usize, count: usize) -> Result<()> {
        let mut held = self.node.state();
        for (index, held) in held.iter_mut().enumerate().skip(first).take(count) {
            if self.exclusive & 1 << index != 0 {
                self.node.tell_kernel(index, 1, LockKind::Unlock)?;
                *held = 0;
                self.exclusive &= !(1 << index);
            }
        }
        Ok(())
    }

    /// Gives a lock that this owner holds alone to a new owner; the kernel hears nothing of it.
    ///
    /// # Panics
    /// Where it does not hold it alone.
    #[must_use = "dropping it unlocks"]
    pub fn hand_over(&mut self, index: usize) -> ShmOwner {
        let bit = 1 << index;
        assert!(self.exclusive & bit != 0, "lock {index} is not held");
        self.exclusive &= !bit;
        ShmOwner {
            node: self.node.clone(),
            shared: 0,
            exclusive: bit,
        }
    }

    /// Whether others than this process have the -shm file open; what cannot be found out counts as so.
    pub fn is_used_by_others(&self) -> bool {
        let Some(file) = &self.node.file else {
            return false;
        };
        let held = file.query_lock_range(SHM_DMS, 1, LockKind::Exclusive);
        held.map_or(true, |held| held.is_some())
    }

    /// Whether this owner shares lock `index`.
    pub fn has_shared(&self, index: usize) -> bool {
        self.shared & 1 << index != 0
    }

    /// Whether this owner holds lock `index` alone.
    pub fn has_exclusive(&self, index: usize) -> bool {
        self.exclusive & 1 << index != 0
    }
}

fn mask(first: usize, count: usize) -> u16 {
    assert!(
        first + count <= SHM_LOCK_COUNT,
        "locks {first}..{}",
        first + count
    );
    ((1 << count) - 1) << first
}

impl Drop for ShmOwner {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked when the file is closed.
        let _ = self.unlock_exclusive(0, SHM_LOCK_COUNT);
        for index in 0..SHM_LOCK_COUNT {
            let _ = self.unlock_shared(index);
        }
    }
}

impl fmt::Debug for ShmOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ShmOwner(shared {:#b}, exclusive {:#b})",
            self.shared, self.exclusive
        )
    }
}
