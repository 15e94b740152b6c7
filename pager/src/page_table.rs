//! The page table of a file: from a page number to the frame of its newest version, one array load away.
//!
//! ```text
//!  segment 0: pages 1 … 63      segment 1: 64 … 127     segment 2: 128 … 255     segment k: 64·2^(k-1) … 64·2^k - 1
//!             [■■■■■■■■]                   [■■■■■■■■]              [■■■■■■■■■■■■■■■■]
//! ```
//!
//! Rules:
//! 1. A segment is made when the first page in it is published, and stays until the table goes; readers never wait for
//!    the table to grow. Fresh segments are untouched zero pages of the kernel, so a sparse one costs little.
//! 2. An entry may be stale: its frame may hold another page by now. Whoever follows it pins and compares.

use crate::frame::Frame;
use std::ptr::NonNull;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

/// Pages of the first segment.
const FIRST: u32 = 64;
const SEGMENT_COUNT: usize = 27;

type Slot = AtomicPtr<Frame>;

pub(crate) struct PageTable {
    /// Each null, or the first of [`segment_len`] slots that this table owns.
    segments: [AtomicPtr<Slot>; SEGMENT_COUNT],
}

/// Segment of a page number, and the page's place in it: below [`segment_len`].
#[inline]
fn locate(page: u32) -> (usize, usize) {
    let top = (page | (FIRST - 1)).ilog2();
    let first = (1 << top) & !(FIRST - 1);
    ((top + 1 - FIRST.ilog2()) as usize, (page - first) as usize)
}

/// The first page of a segment.
fn segment_first(segment: usize) -> u64 {
    if segment == 0 {
        0
    } else {
        segment_len(segment) as u64
    }
}

fn segment_len(segment: usize) -> usize {
    (FIRST as usize) << segment.saturating_sub(1)
}

impl PageTable {
    pub(crate) fn new() -> PageTable {
        PageTable {
            segments: [const { AtomicPtr::new(std::ptr::null_mut()) }; SEGMENT_COUNT],
        }
    }

    /// The slot of a page, if its segment exists.
    #[inline]
    pub(crate) fn slot(&self, page: u32) -> Option<&Slot> {
        let (segment, place) = locate(page);
        let first = NonNull::new(self.segments[segment].load(Acquire))?;
        // SAFETY: the segment has `segment_len` slots, of which `place` is one, and lives as long as the table.
        Some(unsafe { first.add(place).as_ref() })
    }

    /// The slot of a page, made if need be.
    pub(crate) fn slot_or_grow(&self, page: u32) -> &Slot {
        if let Some(slot) = self.slot(page) {
            return slot;
        }
        let (segment, _) = locate(page);
        let made = Box::into_raw(zeroed_slots(segment_len(segment)));
        let null = std::ptr::null_mut();
        if self.segments[segment]
            .compare_exchange(null, made.cast(), AcqRel, Acquire)
            .is_err()
        {
            // SAFETY: just made, and somebody else's was installed instead.
            drop(unsafe { Box::from_raw(made) });
        }
        self.slot(page).expect("the segment was just installed")
    }

    fn segment(&self, segment: usize) -> &[Slot] {
        let first = self.segments[segment].load(Acquire);
        if first.is_null() {
            return &[];
        }
        // SAFETY: as in `slot`.
        unsafe { std::slice::from_raw_parts(first, segment_len(segment)) }
    }

    /// The slots of the pages from `from` on that exist, in order.
    pub(crate) fn slots_from(&self, from: u32) -> impl Iterator<Item = (u32, &Slot)> {
        (0..SEGMENT_COUNT).flat_map(move |segment| {
            let first = segment_first(segment);
            let skip = u64::from(from).saturating_sub(first) as usize;
            let slots = self.segment(segment).iter().enumerate().skip(skip);
            slots.map(move |(i, slot)| ((first + i as u64) as u32, slot))
        })
    }
}

impl Drop for PageTable {
    fn drop(&mut self) {
        for (segment, first) in self.segments.iter_mut().enumerate() {
            let first = *first.get_mut();
            if !first.is_null() {
                let slots = std::ptr::slice_from_raw_parts_mut(first, segment_len(segment));
                // SAFETY: a box of this length was installed by `slot_or_grow`, and nobody uses the table any more.
                drop(unsafe { Box::from_raw(slots) });
            }
        }
    }
}

/// Slots that are null, in memory that the kernel zeroes when it is first touched.
fn zeroed_slots(len: usize) -> Box<[Slot]> {
    let nulls: Box<[*mut Frame]> = vec![std::ptr::null_mut(); len].into_boxed_slice();
    let raw = Box::into_raw(nulls);
    // SAFETY: `AtomicPtr<T>` has the size, alignment and bit validity of `*mut T`, so the allocation is as a
    // `Box<[Slot]>` of the same length would be.
    unsafe { Box::from_raw(raw as *mut [Slot]) }
}

/// What a slot points to.
///
/// # Safety
/// The pool of the frames lives.
#[inline]
pub(crate) unsafe fn follow<'a>(frame: *mut Frame) -> Option<&'a Frame> {
    // SAFETY: slots are null or hold the address of a header, and headers live as long as their pool.
    NonNull::new(frame).map(|frame| unsafe { frame.as_ref() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn every_page_has_its_own_slot() {
        for (page, segment, place) in [
            (0, 0, 0),
            (63, 0, 63),
            (64, 1, 0),
            (127, 1, 63),
            (128, 2, 0),
            (u32::MAX, 26, (1 << 31) - 1),
        ] {
            assert_eq!(locate(page), (segment, place));
            assert!(place < segment_len(segment), "{page}");
            assert_eq!(segment_first(segment) + place as u64, u64::from(page));
        }
        let table = PageTable::new();
        assert!(table.slot(7).is_none());
        for page in 1..3000u32 {
            table
                .slot_or_grow(page)
                .store(page as usize as *mut Frame, Relaxed);
        }
        for page in 1..3000u32 {
            assert_eq!(
                table.slot(page).expect("grown").load(Relaxed) as usize,
                page as usize
            );
        }
        let seen: Vec<u32> = table
            .slots_from(60)
            .filter(|(_, s)| !s.load(Relaxed).is_null())
            .map(|(page, _)| page)
            .collect();
        assert_eq!(seen, (60..3000).collect::<Vec<_>>());
    }
}
