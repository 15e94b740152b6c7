//! The shared memory of the wal-index, in regions of 32 KiB.
//!
//! ```text
//! -shm file:  region 0         region 1         region 2
//!             32768 bytes      32768 bytes      …
//! ShmRegion:  a mapping of one region, or the same number of bytes on the heap
//! ```
//!
//! 1. All access is atomic, word by word, so that other threads and processes may write meanwhile.
//!    One place is accessed with one width at a time; the layout of the wal-index keeps its 32-bit
//!    and 16-bit parts apart.
//! 2. The file is made longer by writing to each of its blocks, never by leaving holes: a full
//!    disk must be an error here, not a SIGBUS later.
//! 3. Nobody shortens a -shm file while others have it open; the lock on byte 128 sees to that.
//!
//! Source: sqlite.org/walformat.html, `unixShmMap` in SQLite's `os_unix.c`.

use std::fmt;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32};

use crate::error::IoOp;
use crate::syscall;

/// Bytes in a region.
pub const SHM_REGION_SIZE: usize = 32 << 10;

/// One region of shared memory; a clone is the same memory.
#[derive(Clone)]
pub struct ShmRegion(Arc<Memory>);

struct Memory {
    /// Aligned to 4096 and readable and writable for [`SHM_REGION_SIZE`] bytes.
    addr: usize,
    /// What keeps the memory alive.
    backing: Backing,
}

enum Backing {
    Mapping { start: usize, size: usize },
    Heap,
}

const HEAP_LAYOUT: std::alloc::Layout =
    match std::alloc::Layout::from_size_align(SHM_REGION_SIZE, 4096) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two"),
    };

impl ShmRegion {
    /// A region on the heap, all zeros.
    pub fn heap() -> ShmRegion {
        // SAFETY: the layout has a size above 0.
        let ptr = unsafe { std::alloc::alloc_zeroed(HEAP_LAYOUT) };
        if ptr.is_null() {
            std::alloc::handle_alloc_error(HEAP_LAYOUT);
        }
        ShmRegion(Arc::new(Memory {
            addr: ptr as usize,
            backing: Backing::Heap,
        }))
    }

    /// Maps region `index` of a file that is long enough.
    pub(crate) fn map(fd: RawFd, index: usize, read_only: bool) -> Result<ShmRegion, i32> {
        let offset = index * SHM_REGION_SIZE;
        // Where pages are larger than a region, the mapping starts earlier.
        // SAFETY: takes a number only.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let from = offset / page * page;
        let size = offset - from + SHM_REGION_SIZE;
        let prot = if read_only {
            libc::PROT_READ
        } else {
            libc::PROT_READ | libc::PROT_WRITE
        };
        // SAFETY: a fresh shared mapping, placed by the kernel.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                prot,
                libc::MAP_SHARED,
                fd,
                from as i64,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(syscall::errno());
        }
        let start = at as usize;
        let addr = start + (offset - from);
        Ok(ShmRegion(Arc::new(Memory {
            addr,
            backing: Backing::Mapping { start, size },
        })))
    }

    /// The region as 32-bit words, in the machine's byte order.
    ///
    /// A region of a file that was opened for reading must only be read.
    #[inline]
    pub fn words(&self) -> &[AtomicU32; SHM_REGION_SIZE / 4] {
        // SAFETY: aligned memory of this size, alive with `self`, and only ever accessed
        // atomically (rule 1).
        unsafe { &*(self.0.addr as *const [AtomicU32; SHM_REGION_SIZE / 4]) }
    }

    /// The region as 16-bit words, in the machine's byte order.
    #[inline]
    pub fn halves(&self) -> &[AtomicU16; SHM_REGION_SIZE / 2] {
        // SAFETY: as in `words`.
        unsafe { &*(self.0.addr as *const [AtomicU16; SHM_REGION_SIZE / 2]) }
    }

    /// Whether other processes may see this memory.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0.backing, Backing::Mapping { .. })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        match self.backing {
            // SAFETY: our mapping, and the last share in it.
            Backing::Mapping { start, size } => unsafe { syscall::unmap(start, size) },
            // SAFETY: allocated with this layout, and the last share in it.
            Backing::Heap => unsafe { std::alloc::dealloc(self.addr as *mut u8, HEAP_LAYOUT) },
        }
    }
}

impl fmt::Debug for ShmRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_mapped() { "mapped" } else { "heap" };
        write!(f, "ShmRegion({kind} at {:#x})", self.0.addr)
    }
}

/// Makes a -shm file long enough for region `index`, block by block (rule 2).
pub(crate) fn grow(fd: RawFd, index: usize) -> Result<(), (IoOp, i32)> {
    const BLOCK: u64 = 4096;
    let wanted = ((index + 1) * SHM_REGION_SIZE) as u64;
    let len = syscall::fstat(fd).map_err(|e| (IoOp::ShmSize, e))?.len;
    let mut block = len / BLOCK;
    while block * BLOCK < wanted && len < wanted {
        let last = (block + 1) * BLOCK - 1;
        syscall::pwrite(fd, &[0], last, 0)
            .result
            .map_err(|e| (IoOp::ShmSize, e))?;
        block += 1;
    }
    Ok(())
}
