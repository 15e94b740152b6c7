//! A frame: the permanent header of one page in memory, and [`PageRef`], a pin of it.
//!
//! ```text
//!              Pool::page, Pool::adopt            FileCache::publish
//!      Empty ───────────────────────► Private ──────────────────────► Published
//!        ▲                               │                                │ pins = 0 and the policy,
//!        │        last pin dropped       │                                │ a newer version or the end
//!        │◄──────────────────────────────┘                                │ of the file wants it
//!        │                                                                ▼
//!        └─────────────────────────────────────────────────────────── Claimed
//!
//!  state word:  | EXCLUSIVE | PRIVATE | 6 bits unused | 24 bits: pins |
//!
//!    Empty      EXCLUSIVE           tag 0, no buffer, on its class's list of headers
//!    Private    PRIVATE, pins ≥ 1   tag 0; its bytes may change while there is exactly one pin
//!    Published  pins ≥ 0            tag = file and page; its bytes never change again
//!    Claimed    EXCLUSIVE           tag 0; under the lock of its class, on the way to Empty
//! ```
//!
//! Rules:
//! 1. Headers live as long as their pool, at one address. So a stale pointer in a page table is harmless: whoever
//!    follows it pins first and then compares the tag.
//! 2. *Optimistic pin*: add 1 to the state; if the old value was EXCLUSIVE, or the tag is not the wanted one, take
//!    the 1 back. Pins that come and go so are why every other change of the state word is an addition or a
//!    compare-and-swap, never a store.
//! 3. The tag, the buffer and its length change only while the frame is EXCLUSIVE, or, for the tag, when a private
//!    frame is published by the owner of a pin.
//! 4. EXCLUSIVE is set by a compare-and-swap from "published, no pins" or, for the last pin of a private frame, from
//!    "private, one pin". So nobody holds a pin for longer than rule 2 needs it while a frame is EXCLUSIVE.
//! 5. A private frame holds a share of its pool, so that the last pin can hand it back; a published one does not: a
//!    pool that is dropped while pages are still pinned leaves their headers behind instead of freeing them.
//!
//! Cost: a pin and its release are one atomic addition each.

use crate::pool::Pool;
use ringwood_io::Buf;
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Claimed by the pool: nobody may keep a pin.
pub(crate) const EXCLUSIVE: u32 = 1 << 31;
/// Not published: the bytes may change while there is one pin.
pub(crate) const PRIVATE: u32 = 1 << 30;
/// The bits that count pins.
pub(crate) const PIN_MASK: u32 = (1 << 24) - 1;
/// Hits beyond this many are not counted.
pub(crate) const HEAT_MAX: u8 = 3;

/// The header of a frame.
#[repr(align(64))]
pub(crate) struct Frame {
    pub(crate) state: AtomicU32,
    /// Bytes of the page; changes while EXCLUSIVE only.
    len: UnsafeCell<u32>,
    /// The page's file (high half) and number (low half); 0 unless published.
    pub(crate) tag: AtomicU64,
    /// The version: the page is as this log sequence number left it.
    pub(crate) lsn: AtomicU64,
    /// Hits since the policy last looked, up to [`HEAT_MAX`].
    pub(crate) heat: AtomicU8,
    /// Whether hits must be told to the policy at once.
    pub(crate) ordered: bool,
    /// The header's number within its class.
    pub(crate) index: u32,
    /// The pool, and in a private frame a share of it.
    home: UnsafeCell<*const Pool>,
    /// Where the bytes are; changes while EXCLUSIVE only.
    data: UnsafeCell<*mut u8>,
    /// The owner of the bytes; changes while EXCLUSIVE only.
    buf: UnsafeCell<Option<Buf>>,
}

// SAFETY: the cells change only while the frame is EXCLUSIVE (rules 3 and 4), which one thread is at a time, and the
// compare-and-swap that sets it and the addition that clears it order these changes against every pin.
unsafe impl Sync for Frame {}
// SAFETY: as above; the raw pointer is an address of a `Pool`, which is Sync.
unsafe impl Send for Frame {}

impl Frame {
    /// An empty frame.
    pub(crate) fn new(index: u32, ordered: bool) -> Frame {
        Frame {
            state: AtomicU32::new(EXCLUSIVE),
            len: UnsafeCell::new(0),
            tag: AtomicU64::new(0),
            lsn: AtomicU64::new(0),
            heat: AtomicU8::new(0),
            ordered,
            index,
            home: UnsafeCell::new(std::ptr::null()),
            data: UnsafeCell::new(std::ptr::null_mut()),
            buf: UnsafeCell::new(None),
        }
    }

    /// Pins the frame if it holds what `tag` names, whatever its version (rule 2).
    #[inline]
    pub(crate) fn pin(&self, tag: u64) -> Option<PageRef> {
        let before = self.state.fetch_add(1, Acquire);
        debug_assert!(before & PIN_MASK != PIN_MASK, "pins overflow");
        if before & EXCLUSIVE == 0 && self.tag.load(Relaxed) == tag {
            // SAFETY: the frame is published and, now that it is pinned, stays so; its buffer is in place.
            return Some(unsafe { PageRef::of_pinned(self) });
        }
        self.unpin();
        None
    }

    /// Gives a pin back; the last pin of a private frame empties it, and the share that it held of its pool is the
    /// caller's to drop: the pool, and this header with it, may go then.
    #[inline]
    fn unpin(&self) -> Option<Arc<Pool>> {
        // A published frame stays published while there are pins, this one included. The others can change meanwhile.
        if self.state.load(Relaxed) & (PRIVATE | EXCLUSIVE) == 0 {
            self.state.fetch_sub(1, Release);
            None
        } else {
            self.unpin_unpublished()
        }
    }

    #[cold]
    fn unpin_unpublished(&self) -> Option<Arc<Pool>> {
        let mut seen = self.state.load(Relaxed);
        loop {
            if seen == PRIVATE | 1 {
                match self
                    .state
                    .compare_exchange_weak(seen, EXCLUSIVE, AcqRel, Relaxed)
                {
                    Ok(_) => break,
                    Err(now) => seen = now,
                }
            } else {
                match self
                    .state
                    .compare_exchange_weak(seen, seen - 1, Release, Relaxed)
                {
                    Ok(_) => return None,
                    Err(now) => seen = now,
                }
            }
        }
        // SAFETY: the frame was private, so `home` is a pool of which the frame holds a share (rule 5), and now that
        // the frame is EXCLUSIVE that share is this function's to give up.
        let pool = unsafe { Arc::from_raw(*self.home.get()) };
        pool.take_back(self);
        Some(pool)
    }

    /// Empty → Private with one pin. The frame must be EXCLUSIVE and the caller's.
    pub(crate) fn fill(&self, mut buf: Buf, pool: &Arc<Pool>) -> PageRef {
        assert!(
            self.state.load(Relaxed) & EXCLUSIVE != 0,
            "a frame in use is being filled"
        );
        // SAFETY: EXCLUSIVE, so nobody reads the cells (rule 3).
        unsafe {
            *self.len.get() = buf.len() as u32;
            *self.home.get() = Arc::into_raw(pool.clone());
            *self.data.get() = buf.as_mut_ptr();
            *self.buf.get() = Some(buf);
        }
        self.heat.store(0, Relaxed);
        self.lsn.store(0, Relaxed);
        self.state
            .fetch_add(PRIVATE.wrapping_add(1).wrapping_sub(EXCLUSIVE), AcqRel);
        // SAFETY: filled, and pinned by the addition.
        unsafe { PageRef::of_pinned(self) }
    }

    /// Claimed → Empty: the buffer that the frame held.
    pub(crate) fn empty(&self) -> Buf {
        assert!(
            self.state.load(Acquire) & EXCLUSIVE != 0,
            "a frame in use is being emptied"
        );
        self.tag.store(0, Relaxed);
        // SAFETY: EXCLUSIVE, so nobody reads the cell (rule 3).
        unsafe { (*self.buf.get()).take() }.expect("a claimed frame has a buffer")
    }

    /// Published without pins → Claimed; `false` where somebody has it pinned.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        self.state
            .compare_exchange(0, EXCLUSIVE, AcqRel, Relaxed)
            .is_ok()
    }

    /// Claimed → Published, when the claim turned out to be a mistake.
    pub(crate) fn unclaim(&self) {
        self.state.fetch_sub(EXCLUSIVE, Release);
    }

    /// Notes a hit; the caller has the frame pinned. Whether the policy wants to know at once.
    #[inline]
    pub(crate) fn warm(&self) -> bool {
        let heat = self.heat.load(Relaxed);
        if heat >= HEAT_MAX {
            return false;
        }
        if self.ordered {
            return true;
        }
        self.heat.store(heat + 1, Relaxed);
        false
    }

    /// Whether the frame's bytes may still change.
    pub(crate) fn is_private(&self) -> bool {
        self.state.load(Relaxed) & PRIVATE != 0
    }

    /// Private → Published: from here on the bytes are immutable. The caller holds a pin.
    pub(crate) fn seal(&self, tag: u64, lsn: u64) {
        assert!(tag != 0, "tag 0 is that of unpublished frames");
        self.lsn.store(lsn, Relaxed);
        // SAFETY: the caller's pin keeps the frame private, and only its last unpin or this function, which the caller
        // runs once, gives the share up.
        let home = unsafe { *self.home.get() };
        self.tag.store(tag, Relaxed);
        let before = self.state.fetch_and(!PRIVATE, AcqRel);
        assert!(
            before & (PRIVATE | EXCLUSIVE) == PRIVATE,
            "only private frames are published"
        );
        // SAFETY: the share that `fill` put there (rule 5).
        drop(unsafe { Arc::from_raw(home) });
    }
}

/// A pin of one version of one page: while it lives, the bytes stay.
///
/// Clone and drop are one atomic addition each. The bytes of a published page never change; those of a private one
/// change only through [`PageRef::get_mut`].
pub struct PageRef {
    frame: NonNull<Frame>,
    data: NonNull<u8>,
}

// SAFETY: a PageRef is a counted pin of a frame, which is Sync; it gives out shared access to bytes that nobody
// changes while another pin exists.
unsafe impl Send for PageRef {}
// SAFETY: as above.
unsafe impl Sync for PageRef {}

impl PageRef {
    /// # Safety
    /// The caller owns one pin of a frame that is private or published, and gives it up to the result.
    #[inline]
    unsafe fn of_pinned(frame: &Frame) -> PageRef {
        // SAFETY: pinned, so the buffer is in place, its address is not null, and the cell does not change (rule 3).
        let data = unsafe { NonNull::new_unchecked(*frame.data.get()) };
        PageRef {
            frame: NonNull::from(frame),
            data,
        }
    }

    #[inline]
    pub(crate) fn frame(&self) -> &Frame {
        // SAFETY: headers outlive every pin (rules 1 and 5).
        unsafe { self.frame.as_ref() }
    }

    /// Bytes of the page.
    #[inline]
    fn size(&self) -> usize {
        // SAFETY: pinned, so the length does not change (rule 3).
        unsafe { *self.frame().len.get() as usize }
    }

    /// The bytes for changing, if the page is unpublished and this is the only pin.
    ///
    /// The answer can be `None` for a moment although there is no other `PageRef`, while somebody follows a stale
    /// entry of a page table (rule 2); copy then, as with any other pin.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        if !self.is_unique() {
            return None;
        }
        // SAFETY: `is_unique`, just now.
        Some(unsafe { self.bytes_mut() })
    }

    /// The bytes for changing: those of this page if [`PageRef::get_mut`] gives them out, else those of a private copy,
    /// which takes the page's place here.
    #[inline]
    pub fn make_mut(&mut self, pool: &Arc<Pool>) -> &mut [u8] {
        if !self.is_unique() {
            self.make_unique(pool);
        }
        // SAFETY: `is_unique`, just now.
        unsafe { self.bytes_mut() }
    }

    #[cold]
    fn make_unique(&mut self, pool: &Arc<Pool>) {
        while !self.is_unique() {
            *self = pool.page_copy(self);
        }
    }

    /// # Safety
    /// `is_unique` was true since `self` was borrowed: the frame is private with one pin, which is `self`. Nobody else
    /// can get a pin but by cloning this one, or optimistically, and those do not look at the bytes before they compare
    /// the tag, which is 0.
    #[inline]
    unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: initialised bytes of this length, which are the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.size()) }
    }

    /// Whether [`PageRef::get_mut`] would give the bytes out.
    #[inline]
    pub fn is_unique(&self) -> bool {
        self.frame().state.load(Acquire) == PRIVATE | 1
    }

    /// Whether the page has been published, and its bytes are immutable.
    #[inline]
    pub fn is_published(&self) -> bool {
        !self.frame().is_private()
    }

    /// Whether there are other pins of this version at the moment.
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.frame().state.load(Acquire) & PIN_MASK > 1
    }

    /// The version of a published page: the log sequence number from which on it is known to be valid; 0 for a private
    /// one.
    pub fn lsn(&self) -> u64 {
        self.frame().lsn.load(Relaxed)
    }

    /// Whether both are pins of the same version.
    #[inline]
    pub fn same(&self, other: &PageRef) -> bool {
        self.frame == other.frame
    }
}

impl Deref for PageRef {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: pinned, so the buffer stays; its bytes change only through `get_mut`, which needs the only pin and
        // borrows it exclusively.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.size()) }
    }
}

impl Clone for PageRef {
    #[inline]
    fn clone(&self) -> PageRef {
        let before = self.frame().state.fetch_add(1, Relaxed);
        assert!(
            before & PIN_MASK < PIN_MASK / 2,
            "too many pins of one page"
        );
        PageRef {
            frame: self.frame,
            data: self.data,
        }
    }
}

impl Drop for PageRef {
    #[inline]
    fn drop(&mut self) {
        if let Some(pool) = self.frame().unpin() {
            drop(pool);
        }
    }
}

impl fmt::Debug for PageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = self.frame();
        let tag = frame.tag.load(Relaxed);
        let pins = frame.state.load(Relaxed) & PIN_MASK;
        if frame.is_private() {
            write!(f, "PageRef(private, {} bytes, {pins} pins)", self.size())
        } else {
            write!(
                f,
                "PageRef(file {} page {} lsn {}, {pins} pins)",
                tag >> 32,
                tag as u32,
                self.lsn()
            )
        }
    }
}
