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
use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;

const FIRST_BITS: u32 = 6;
const SEGMENT_COUNT: usize = 33 - FIRST_BITS as usize;

type Slot = AtomicPtr<Frame>;

pub(crate) struct PageTable {
    segments: [OnceLock<Box<[Slot]>>; SEGMENT_COUNT],
}

/// Segment of a page number, and its first page.
#[inline]
fn locate(page: u32) -> (usize, u32) {
    let bits = 32 - (page >> FIRST_BITS).leading_zeros();
    let first = if bits == 0 {
        0
    } else {
        1 << (bits + FIRST_BITS - 1)
    };
    (bits as usize, first)
}

fn segment_len(segment: usize) -> usize {
    1 << (FIRST_BITS as usize + segment.saturating_sub(1))
}

impl PageTable {
    pub(crate) fn new() -> PageTable {
        PageTable {
            segments: [const { OnceLock::new() }; SEGMENT_COUNT],
        }
    }

    /// The slot of a page, if its segment exists.
    #[inline]
    pub(crate) fn slot(&self, page: u32) -> Option<&Slot> {
        let (segment, first) = locate(page);
        self.segments[segment].get()?.get((page - first) as usize)
    }

    /// The slot of a page, made if need be.
    pub(crate) fn slot_or_grow(&self, page: u32) -> &Slot {
        let (segment, first) = locate(page);
        let slots = self.segments[segment].get_or_init(|| zeroed_slots(segment_len(segment)));
        &slots[(page - first) as usize]
    }

    /// The slots of the pages from `from` on that exist, in order.
    pub(crate) fn slots_from(&self, from: u32) -> impl Iterator<Item = (u32, &Slot)> {
        self.segments
            .iter()
            .enumerate()
            .flat_map(move |(segment, slots)| {
                let first = if segment == 0 {
                    0
                } else {
                    segment_len(segment) as u64
                };
                let slots = slots.get().map_or(&[][..], |slots| slots);
                let skip = u64::from(from).saturating_sub(first) as usize;
                slots
                    .iter()
                    .enumerate()
                    .skip(skip)
                    .map(move |(i, slot)| ((first + i as u64) as u32, slot))
            })
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
        for (page, segment, first) in [
            (0, 0, 0),
            (63, 0, 0),
            (64, 1, 64),
            (127, 1, 64),
            (128, 2, 128),
            (u32::MAX, 26, 1 << 31),
        ] {
            assert_eq!(locate(page), (segment, first));
            assert!(((page - first) as usize) < segment_len(segment), "{page}");
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
