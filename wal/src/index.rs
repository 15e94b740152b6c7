//! The log's index: from a page to the newest frame that holds it, in the layout of SQLite's -shm file.
//!
//! ```text
//!  block 0                                  block 1
//!  | 136 bytes | 4062 pages | 8192 slots |  | 4096 pages | 8192 slots |  …       32 KiB each
//!                  frame 1 ▲        │           ▲ frame 4063
//!                          └────────┘ 1 + position of the frame in its block
//! ```
//!
//! Rules:
//! 1. Only committed frames are here; frames that a transaction has spilled are known to that transaction alone.
//! 2. Blocks are appended to, and dropped when the log starts anew; that makes another *generation*. Whoever holds a
//!    snapshot of an earlier one finds everything it may see in the database file.
//! 3. The words are atomic, as in memory that several processes share, but order comes from the lock around the index.
//!
//! Absent: the index header and the read marks of the -shm file: nobody else reads this memory.
//!
//! Source: "WAL-mode File Format", section 3; SQLite's `walIndexAppend`, `sqlite3WalFindFrame`.

use ringwood_format::page::PageNo;
use ringwood_format::wal_index::{
    HASH_OFFSET, block_frames, block_of_frame, block_zero, hash, next_slot, page_numbers_offset,
};
use ringwood_io::ShmRegion;
use std::sync::atomic::Ordering::Relaxed;

#[derive(Default)]
pub(crate) struct WalIndex {
    blocks: Vec<ShmRegion>,
    last: u32,
    generation: u32,
}

impl WalIndex {
    /// Frames that the index describes.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// How often the log has started anew.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Forgets all frames: the log starts anew.
    pub(crate) fn restart(&mut self) {
        self.blocks.clear();
        self.last = 0;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Makes this another generation.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }

    /// Appends frames that hold these pages.
    pub(crate) fn append(&mut self, pages: impl IntoIterator<Item = PageNo>) {
        for page in pages {
            self.push(page);
        }
    }

    fn push(&mut self, page: PageNo) {
        let frame = self.last + 1;
        let number = block_of_frame(frame);
        if number as usize == self.blocks.len() {
            self.blocks.push(ShmRegion::heap());
        }
        let block = &self.blocks[number as usize];
        // Positions count from 1.
        let position = frame - block_zero(number);
        block.words()[page_numbers_offset(number) / 4 + position as usize - 1]
            .store(page.get(), Relaxed);
        let slots = &block.halves()[HASH_OFFSET / 2..];
        let mut slot = hash(page);
        // A block has twice as many slots as frames.
        while slots[slot as usize].load(Relaxed) != 0 {
            slot = next_slot(slot);
        }
        slots[slot as usize].store(position as u16, Relaxed);
        self.last = frame;
    }

    /// The newest frame, up to `max`, that holds `page`.
    pub(crate) fn find(&self, page: PageNo, max: u32) -> Option<u32> {
        let max = max.min(self.last);
        if max == 0 {
            return None;
        }
        (0..=block_of_frame(max))
            .rev()
            .find_map(|number| self.find_in_block(number, page, max))
    }

    fn find_in_block(&self, number: u32, page: PageNo, max: u32) -> Option<u32> {
        let block = &self.blocks[number as usize];
        let pages = &block.words()[page_numbers_offset(number) / 4..];
        let slots = &block.halves()[HASH_OFFSET / 2..];
        let mut slot = hash(page);
        let mut found = None;
        loop {
            let position = u32::from(slots[slot as usize].load(Relaxed));
            if position == 0 {
                return found;
            }
            debug_assert!(position <= block_frames(number));
            let frame = block_zero(number) + position;
            if frame <= max && pages[position as usize - 1].load(Relaxed) == page.get() {
                // Later frames of a page come later in its chain.
                found = Some(frame);
            }
            slot = next_slot(slot);
        }
    }

    /// The page that a frame holds.
    pub(crate) fn page_of(&self, frame: u32) -> PageNo {
        assert!(
            (1..=self.last).contains(&frame),
            "frame {frame} is not in the index"
        );
        let number = block_of_frame(frame);
        let at = page_numbers_offset(number) / 4 + (frame - block_zero(number)) as usize - 1;
        PageNo::new(self.blocks[number as usize].words()[at].load(Relaxed))
            .expect("only pages are appended")
    }

    /// The pages of the frames `from..=to`, each once with its newest frame, by page number.
    pub(crate) fn newest(&self, from: u32, to: u32) -> Vec<(PageNo, u32)> {
        let mut pages: Vec<(PageNo, u32)> = (from..=to)
            .map(|frame| (self.page_of(frame), frame))
            .collect();
        pages.sort_unstable();
        pages.reverse();
        pages.dedup_by_key(|&mut (page, _)| page);
        pages.reverse();
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(n: u32) -> PageNo {
        PageNo::new(n).expect("not 0")
    }

    #[test]
    fn the_newest_frame_of_a_snapshot_is_found_across_blocks() {
        let mut index = WalIndex::default();
        assert_eq!(index.find(no(1), u32::MAX), None);
        // Page numbers that collide, over three blocks.
        let page_of = |frame: u32| no(1 + (frame * 7919) % 3001);
        index.append((1..=10_000).map(page_of));
        for max in [1, 4061, 4062, 4063, 8158, 8159, 10_000] {
            for page in [1, 2, 77, 3000, 3001, 3002].map(no) {
                let expected = (1..=max).rev().find(|&frame| page_of(frame) == page);
                assert_eq!(
                    index.find(page, max),
                    expected,
                    "page {page} up to frame {max}"
                );
            }
        }
        assert_eq!(index.page_of(4063), page_of(4063));
        let newest = index.newest(9_000, 10_000);
        assert!(newest.is_sorted());
        assert!(
            newest
                .iter()
                .all(|&(page, frame)| index.find(page, 10_000) == Some(frame))
        );
        index.restart();
        assert_eq!(
            (
                index.find(no(1), u32::MAX),
                index.generation(),
                index.last()
            ),
            (None, 1, 0)
        );
    }
}
