//! Where buffers come from: slabs of mapped memory, cut into classes of page sizes.
//!
//! ```text
//! class 0    1     2     3     4     5      6      7      large
//!       512  1024  2048  4096  8192  16384  32768  65536  a power of two up to 4 MiB is kept for
//!                                                         the next taker, anything above is not
//! ```
//!
//! 1. A slab belongs to one class. The first is 256 KiB, each next one half of what the arena
//!    maps already, at most 16 MiB; from 2 MiB on it is aligned for, and offered to, huge pages.
//!    So a small program pays for no huge page, and a large cache has few entries in the TLB.
//! 2. A buffer's address is a multiple of its class size or of 4096, whichever is less, which is
//!    enough for O_DIRECT everywhere.
//! 3. Buffers are `Send` and return to their arena from any thread. Slabs are never unmapped
//!    while the arena or one of its buffers lives.
//! 4. All memory that a buffer shows was initialised; its contents are whatever the last user
//!    left (in debug builds 0xA5), unless zeroed memory was asked for.
//!
//! Absent: NUMA placement, and giving slabs back to the kernel.

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::buf::Buf;
use crate::syscall;

/// The smallest class.
pub const BUF_SIZE_MIN: usize = 512;
/// The largest class; longer buffers are one-off.
pub const BUF_SIZE_MAX: usize = 65536;
const CLASS_COUNT: usize = 8;
const SLAB_SIZE_MIN: usize = 256 << 10;
const SLAB_SIZE_MAX: usize = 16 << 20;
const HUGE_PAGE: usize = 2 << 20;
const LARGE_KEPT_SIZE_MAX: usize = 4 << 20;
const LARGE_KEPT_TOTAL_MAX: usize = 16 << 20;
const LARGE_ALIGN: usize = 4096;
/// The slab number of a large buffer, which is in no slab.
pub(crate) const NO_SLAB: u32 = u32::MAX;

/// A source of aligned buffers; cheap to clone, shared by threads.
#[derive(Clone)]
pub struct Arena(pub(crate) Arc<ArenaInner>);

pub(crate) struct ArenaInner {
    classes: [Mutex<Class>; CLASS_COUNT],
    slabs: Mutex<Vec<Slab>>,
    large: Mutex<Large>,
    huge: bool,
    mapped: AtomicUsize,
}

#[derive(Default)]
struct Class {
    free: Vec<Chunk>,
    /// The part of the newest slab that was never handed out.
    bump: usize,
    bump_end: usize,
    slab: u32,
    in_use_bytes: usize,
}

/// A piece of memory of one class, or a large one.
#[derive(Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) ptr: NonNull<u8>,
    pub(crate) slab: u32,
}

// SAFETY: a chunk is an address of memory that the arena owns and that exactly one list or one
// buffer holds; handing it to another thread hands over that sole ownership.
unsafe impl Send for Chunk {}

pub(crate) struct Slab {
    pub(crate) addr: usize,
    pub(crate) size: usize,
}

#[derive(Default)]
struct Large {
    kept: Vec<(usize, Chunk)>,
    kept_total: usize,
    in_use_bytes: usize,
}

/// How an arena stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArenaStats {
    /// Bytes of slabs mapped (not necessarily touched).
    pub mapped_bytes: usize,
    /// Bytes of buffers handed out and not yet returned.
    pub in_use_bytes: usize,
    /// Slabs mapped.
    pub slab_count: usize,
}

fn locked<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code in here can panic while the lists are inconsistent.
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arena {
    /// An arena of its own, offering its large slabs to transparent huge pages.
    pub fn new() -> Arena {
        Arena::with_huge_pages(true)
    }

    /// An arena of its own; `huge` says whether large slabs are offered to huge pages.
    pub fn with_huge_pages(huge: bool) -> Arena {
        Arena(Arc::new(ArenaInner {
            classes: Default::default(),
            slabs: Mutex::default(),
            large: Mutex::default(),
            huge,
            mapped: AtomicUsize::new(0),
        }))
    }

    /// The arena that the process shares.
    pub fn global() -> &'static Arena {
        static GLOBAL: OnceLock<Arena> = OnceLock::new();
        GLOBAL.get_or_init(Arena::new)
    }

    /// A buffer of `len` bytes whose contents are unspecified.
    ///
    /// # Panics
    /// Where the machine has no memory left, and for lengths over 2 GiB, which no read or write
    /// of the kernel could fill.
    #[inline]
    pub fn alloc(&self, len: usize) -> Buf {
        let (cap, chunk) = self.0.take(len);
        // SAFETY: the arena just gave up this chunk of `cap` ≥ `len` initialised bytes.
        unsafe { Buf::from_chunk(chunk, len, cap, self.0.clone()) }
    }

    /// A buffer of `len` zero bytes.
    pub fn alloc_zeroed(&self, len: usize) -> Buf {
        let mut buf = self.alloc(len);
        buf.fill(0);
        buf
    }

    /// A buffer holding a copy of `bytes`.
    pub fn copy_of(&self, bytes: &[u8]) -> Buf {
        let mut buf = self.alloc(bytes.len());
        buf.copy_from_slice(bytes);
        buf
    }

    /// How the arena stands.
    pub fn stats(&self) -> ArenaStats {
        ArenaStats {
            mapped_bytes: self.0.mapped.load(Relaxed),
            in_use_bytes: self
                .0
                .classes
                .iter()
                .map(|c| locked(c).in_use_bytes)
                .sum::<usize>()
                + locked(&self.0.large).in_use_bytes,
            slab_count: locked(&self.0.slabs).len(),
        }
    }

    /// The slabs from number `from` on, for registration with a ring.
    pub(crate) fn slabs_from(&self, from: usize) -> Vec<(usize, usize)> {
        locked(&self.0.slabs)
            .iter()
            .skip(from)
            .map(|s| (s.addr, s.size))
            .collect()
    }
}

impl Default for Arena {
    fn default() -> Arena {
        Arena::new()
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arena").field(&self.stats()).finish()
    }
}

/// The class of a length, and the class's size.
#[inline]
fn class_of(len: usize) -> (usize, usize) {
    let size = len.max(BUF_SIZE_MIN).next_power_of_two();
    (
        size.trailing_zeros() as usize - BUF_SIZE_MIN.trailing_zeros() as usize,
        size,
    )
}

impl ArenaInner {
    /// A chunk of at least `len` initialised bytes, and its true size.
    #[inline]
    fn take(&self, len: usize) -> (usize, Chunk) {
        if len > BUF_SIZE_MAX {
            return self.take_large(len);
        }
        let (class, size) = class_of(len);
        let mut list = locked(&self.classes[class]);
        list.in_use_bytes += size;
        if let Some(chunk) = list.free.pop() {
            return (size, chunk);
        }
        if list.bump == list.bump_end {
            let (addr, bytes, slab) = self.map_slab();
            (list.bump, list.bump_end, list.slab) = (addr, addr + bytes, slab);
        }
        let ptr = NonNull::new(list.bump as *mut u8).expect("a mapping is not at address 0");
        list.bump += size;
        (
            size,
            Chunk {
                ptr,
                slab: list.slab,
            },
        )
    }

    /// Takes a chunk back.
    ///
    /// # Safety
    /// The chunk came from [`take`](Self::take) of this arena with the size `cap`, and nobody
    /// uses it any more.
    pub(crate) unsafe fn give_back(&self, chunk: Chunk, cap: usize) {
        if cfg!(debug_assertions) {
            // SAFETY: `cap` bytes at `ptr` are ours alone, as the caller promised.
            unsafe { chunk.ptr.as_ptr().write_bytes(0xA5, cap) };
        }
        if chunk.slab != NO_SLAB {
            let mut list = locked(&self.classes[class_of(cap).0]);
            list.in_use_bytes -= cap;
            list.free.push(chunk);
            return;
        }
        let mut large = locked(&self.large);
        large.in_use_bytes -= cap;
        if cap <= LARGE_KEPT_SIZE_MAX && large.kept_total + cap <= LARGE_KEPT_TOTAL_MAX {
            large.kept_total += cap;
            large.kept.push((cap, chunk));
        } else {
            drop(large);
            // SAFETY: a large chunk was allocated with exactly this layout.
            unsafe { free_large(chunk, cap) };
        }
    }

    #[cold]
    fn take_large(&self, len: usize) -> (usize, Chunk) {
        assert!(i32::try_from(len).is_ok(), "a buffer of {len} bytes");
        let size = if len <= LARGE_KEPT_SIZE_MAX {
            len.next_power_of_two()
        } else {
            len.next_multiple_of(LARGE_ALIGN)
        };
        let mut large = locked(&self.large);
        large.in_use_bytes += size;
        if let Some(at) = large.kept.iter().rposition(|(kept, _)| *kept == size) {
            large.kept_total -= size;
            return large.kept.swap_remove(at);
        }
        drop(large);
        let layout = large_layout(size);
        // SAFETY: the layout has a size above 0.
        let ptr = unsafe { std::alloc::alloc_zeroed(layout) };
        let ptr = NonNull::new(ptr).unwrap_or_else(|| std::alloc::handle_alloc_error(layout));
        (size, Chunk { ptr, slab: NO_SLAB })
    }

    /// Maps another slab: address, size, number.
    #[cold]
    fn map_slab(&self) -> (usize, usize, u32) {
        let mut slabs = locked(&self.slabs);
        let wanted = (self.mapped.load(Relaxed) / 2).clamp(SLAB_SIZE_MIN, SLAB_SIZE_MAX);
        let (size, align) = if wanted >= HUGE_PAGE {
            (wanted & !(HUGE_PAGE - 1), HUGE_PAGE)
        } else {
            (wanted.next_power_of_two(), BUF_SIZE_MAX)
        };
        let Some(addr) = syscall::map_anonymous(size, align) else {
            let layout = std::alloc::Layout::from_size_align(size, 4096).expect("a fixed layout");
            std::alloc::handle_alloc_error(layout)
        };
        if self.huge && align == HUGE_PAGE {
            syscall::advise_huge(addr, size);
        }
        self.mapped.fetch_add(size, Relaxed);
        slabs.push(Slab { addr, size });
        (addr, size, slabs.len() as u32 - 1)
    }
}

fn large_layout(size: usize) -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(size, LARGE_ALIGN).expect("at most 2 GiB, a power of two")
}

/// # Safety
/// The chunk is a large one of this size, and nobody uses it any more.
unsafe fn free_large(chunk: Chunk, size: usize) {
    // SAFETY: allocated by `take_large` with this very layout.
    unsafe { std::alloc::dealloc(chunk.ptr.as_ptr(), large_layout(size)) }
}

impl Drop for ArenaInner {
    fn drop(&mut self) {
        // Each buffer holds the arena, so none is left.
        for (size, chunk) in std::mem::take(&mut locked(&self.large).kept) {
            // SAFETY: kept chunks are unused and of the size kept beside them.
            unsafe { free_large(chunk, size) };
        }
        for slab in locked(&self.slabs).drain(..) {
            // SAFETY: mapped by `map_slab`, and each buffer in it is gone.
            unsafe { syscall::unmap(slab.addr, slab.size) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_the_page_sizes() {
        for (len, class, size) in [(0, 0, 512), (1, 0, 512), (512, 0, 512), (513, 1, 1024)] {
            assert_eq!(class_of(len), (class, size));
        }
        assert_eq!(class_of(65536), (7, 65536));
        assert_eq!(class_of(40000), (7, 65536));
    }

    #[test]
    fn buffers_are_aligned_and_recycled() {
        let arena = Arena::new();
        for size in [
            512usize,
            1024,
            2048,
            4096,
            8192,
            16384,
            32768,
            65536,
            100_000,
            9 << 20,
        ] {
            let buf = arena.alloc_zeroed(size);
            assert_eq!(buf.len(), size);
            assert_eq!(
                buf.as_ptr() as usize % size.next_power_of_two().min(4096),
                0,
                "{size}"
            );
            assert!(buf.iter().all(|b| *b == 0));
            let at = buf.as_ptr();
            drop(buf);
            if size <= LARGE_KEPT_SIZE_MAX {
                assert_eq!(arena.alloc(size).as_ptr(), at, "{size}");
            }
        }
        assert_eq!(arena.stats().in_use_bytes, 0);
    }

    #[test]
    fn slabs_grow_and_never_overlap() {
        let arena = Arena::new();
        let mut bufs: Vec<Buf> = (0..3000).map(|_| arena.alloc(4096)).collect();
        for (i, b) in bufs.iter_mut().enumerate() {
            b.fill(i as u8);
        }
        assert!(
            bufs.iter()
                .enumerate()
                .all(|(i, b)| b.iter().all(|x| *x == i as u8))
        );
        let stats = arena.stats();
        assert_eq!(stats.in_use_bytes, 3000 * 4096);
        assert!(stats.slab_count > 3 && stats.mapped_bytes < 2 * stats.in_use_bytes);
    }

    #[test]
    fn buffers_return_from_other_threads() {
        let arena = Arena::new();
        std::thread::scope(|s| {
            for _ in 0..4 {
                let buf = arena.alloc(4096);
                s.spawn(move || drop(buf));
            }
        });
        assert_eq!(arena.stats().in_use_bytes, 0);
    }
}
