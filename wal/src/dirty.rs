//! The private pages of a write transaction.
//!
//! ```text
//!  page number ──► map: chunks of 64 numbers, made as needed ──► entry
//!                                                                 page     in memory, or not (spilled)
//!                                                                 frame    of the log that holds it, uncommitted
//!                                                                 slot     of the spill file that holds it
//!                                                                 current  whether frame or slot is as the page is
//! ```
//!
//! Rules:
//! 1. A page that the transaction changed has exactly one entry; its newest content is `page`, else in `slot`, else in
//!    `frame`.
//! 2. Finding an entry costs three array loads and no hashing.
//! 3. `saved` is the serial number of the newest savepoint that can restore this entry; see
//!    [`savepoint`](crate::savepoint).

use crate::spill::SlotRef;
use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;
use std::cell::Cell;
use std::collections::VecDeque;

const CHUNK_BITS: u32 = 6;
const CHUNK: usize = 1 << CHUNK_BITS;

/// One private page.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) no: PageNo,
    /// Serial number of the newest savepoint that can restore it.
    pub(crate) saved: u32,
    /// The log's uncommitted frame that belongs to this page; 0 for none.
    pub(crate) frame: u32,
    /// Whether what `frame` (or, without a log, `slot`) holds is the page's content.
    pub(crate) current: bool,
    /// Used since the spiller last looked.
    pub(crate) touched: Cell<bool>,
    /// Whether it is in the queue of those that may leave memory.
    queued: bool,
    /// The content is meaningless (a leaf of the freelist), so it need not be written.
    pub(crate) discarded: bool,
    pub(crate) page: Option<PageRef>,
    pub(crate) slot: Option<SlotRef>,
}

/// The private pages of a transaction.
#[derive(Debug, Default)]
pub(crate) struct DirtySet {
    /// Page number → index of its entry plus one.
    map: Vec<Option<Box<[u32; CHUNK]>>>,
    entries: Vec<Entry>,
    /// Entries whose page is in memory.
    resident: usize,
    /// Pages that came into memory, oldest first; some have left since.
    queue: VecDeque<PageNo>,
}

impl DirtySet {
    #[inline]
    pub(crate) fn find(&self, no: PageNo) -> Option<usize> {
        let n = no.get();
        let chunk = self.map.get((n >> CHUNK_BITS) as usize)?.as_ref()?;
        (chunk[n as usize % CHUNK] as usize).checked_sub(1)
    }

    #[inline]
    pub(crate) fn get(&self, no: PageNo) -> Option<&Entry> {
        self.find(no).map(|at| &self.entries[at])
    }

    /// Whether an entry can be changed as it is: in memory, and no savepoint from `top` on needs to remember it.
    #[inline]
    pub(crate) fn is_ready(&self, index: usize, top: u32) -> bool {
        let entry = &self.entries[index];
        entry.saved >= top && entry.page.is_some()
    }

    #[inline]
    pub(crate) fn at(&mut self, index: usize) -> &mut Entry {
        &mut self.entries[index]
    }

    pub(crate) fn get_mut(&mut self, no: PageNo) -> Option<&mut Entry> {
        self.find(no).map(|at| &mut self.entries[at])
    }

    fn map_slot(&mut self, no: PageNo) -> &mut u32 {
        let n = no.get();
        let at = (n >> CHUNK_BITS) as usize;
        if at >= self.map.len() {
            self.map.resize_with(at + 1, || None);
        }
        &mut self.map[at].get_or_insert_with(|| Box::new([0; CHUNK]))[n as usize % CHUNK]
    }

    /// Adds an entry for a page that has none: its index.
    pub(crate) fn insert(&mut self, no: PageNo, saved: u32, page: PageRef) -> usize {
        let index = self.entries.len();
        let slot = self.map_slot(no);
        assert!(*slot == 0, "page {no} has an entry already");
        *slot = index as u32 + 1;
        self.entries.push(Entry {
            no,
            saved,
            frame: 0,
            current: false,
            touched: Cell::new(true),
            queued: true,
            discarded: false,
            page: Some(page),
            slot: None,
        });
        self.queue.push_back(no);
        self.resident += 1;
        index
    }

    /// Removes the entry of a page.
    pub(crate) fn remove(&mut self, no: PageNo) -> Option<Entry> {
        let index = self.find(no)?;
        *self.map_slot(no) = 0;
        let entry = self.entries.swap_remove(index);
        if let Some(moved) = self.entries.get(index) {
            let moved = moved.no;
            *self.map_slot(moved) = index as u32 + 1;
        }
        self.resident -= usize::from(entry.page.is_some());
        Some(entry)
    }

    /// Replaces an entry's page in memory: by another version, or by none.
    pub(crate) fn set_page(&mut self, index: usize, page: Option<PageRef>) {
        let entry = &mut self.entries[index];
        self.resident += usize::from(page.is_some());
        self.resident -= usize::from(entry.page.is_some());
        if page.is_some() && !entry.queued {
            entry.queued = true;
            self.queue.push_back(entry.no);
        }
        entry.page = page;
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Private pages in memory.
    #[inline]
    pub(crate) fn resident(&self) -> usize {
        self.resident
    }

    /// Empties the set: what it held.
    pub(crate) fn take(&mut self) -> Vec<Entry> {
        self.map.clear();
        self.resident = 0;
        self.queue.clear();
        std::mem::take(&mut self.entries)
    }

    /// Up to `count` entries that may leave memory: not pinned by anybody else, not touched since they were last asked,
    /// and not page 1; the oldest first. They are no longer queued: their pages are to be taken away.
    pub(crate) fn victims(&mut self, count: usize) -> Vec<usize> {
        let mut victims = Vec::with_capacity(count);
        // Twice around: who was touched is spared once.
        for _ in 0..2 * self.queue.len() {
            if victims.len() == count {
                break;
            }
            let Some(no) = self.queue.pop_front() else {
                break;
            };
            let Some(index) = self.find(no) else { continue };
            let entry = &mut self.entries[index];
            let Some(page) = &entry.page else {
                entry.queued = false;
                continue;
            };
            if page.is_shared() || no == PageNo::ONE || entry.touched.replace(false) {
                self.queue.push_back(no);
                continue;
            }
            entry.queued = false;
            victims.push(index);
        }
        victims
    }

    /// Queues an entry again that was a victim and stayed.
    pub(crate) fn spare(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        if !entry.queued && entry.page.is_some() {
            entry.queued = true;
            self.queue.push_back(entry.no);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwood_pager::Pool;

    fn no(n: u32) -> PageNo {
        PageNo::new(n).expect("not 0")
    }

    #[test]
    fn entries_are_found_moved_and_removed() {
        let pool = Pool::with_frames(16, 512);
        let mut set = DirtySet::default();
        for n in [1, 64, 65, 100_000, 7] {
            set.insert(no(n), 0, pool.page_zeroed(512));
        }
        assert_eq!((set.len(), set.resident()), (5, 5));
        assert!(set.remove(no(64)).is_some() && set.remove(no(64)).is_none());
        for n in [1, 65, 100_000, 7] {
            assert_eq!(set.get(no(n)).expect("kept").no, no(n));
        }
        let at = set.find(no(7)).expect("kept");
        set.set_page(at, None);
        assert_eq!((set.len(), set.resident()), (4, 3));
        assert_eq!(set.take().len(), 4);
        assert!(set.find(no(7)).is_none());
        assert_eq!(pool.counters().used_bytes, 0);
    }

    #[test]
    fn victims_are_untouched_and_not_pinned() {
        let pool = Pool::with_frames(16, 512);
        let mut set = DirtySet::default();
        for n in 1..=6 {
            set.insert(no(n), 0, pool.page_zeroed(512));
        }
        let pin = set.get(no(3)).expect("there").page.clone();
        let numbers = |set: &mut DirtySet, count| -> Vec<u32> {
            let victims = set.victims(count);
            victims.into_iter().map(|at| set.at(at).no.get()).collect()
        };
        assert_eq!(numbers(&mut set, 2), [2, 4]);
        set.get(no(5)).expect("there").touched.set(true);
        assert_eq!(numbers(&mut set, 2), [6, 5]);
        let spared = set.find(no(2)).expect("there");
        set.spare(spared);
        assert_eq!(numbers(&mut set, 9), [2]);
        drop(pin);
    }
}
