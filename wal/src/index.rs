//! The log's index: from a page to the newest frame that holds it; SQLite's -shm file, shared or on the heap.
//!
//! ```text
//!  block 0                                  block 1
//!  | 136 bytes | 4062 pages | 8192 slots |  | 4096 pages | 8192 slots |  …       32 KiB each
//!        │                 frame 1 ▲        │           ▲ frame 4063
//!        │                         └────────┘ 1 + position of the frame in its block
//!        └ header, header again, backfilled, five read marks, locks
//! ```
//!
//! Rules:
//! 1. Other processes read and write this memory at any time: every word is atomic, what is read is checked before it
//!    is believed, and what cannot be is `Corrupt`.
//! 2. A committer writes hash entries, a barrier, the second header, a barrier, the first one; a reader reads them in
//!    the other order and believes two equal copies with the right checksum. Read marks and the backfill count are
//!    changed under their locks only.
//! 3. Entries of frames beyond the header's last one are left-overs of a transaction that never committed; they are
//!    swept away when a frame of their number is appended.
//! 4. The log's *generation* counts within this process how often the log was seen to start anew.
//!
//! Source: "WAL-mode File Format", section 3; SQLite's `walIndexAppend`, `walCleanupHash`, `sqlite3WalFindFrame`,
//! `walIndexWriteHdr`, `walIndexTryHdr`.

use crate::error::Result;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::PageNo;
use ringwood_format::wal::{Checksum, ChecksumOrder, Salt, WAL_VERSION};
use ringwood_format::wal_index::{
    BACKFILL_ATTEMPTED_OFFSET, BACKFILL_OFFSET, HASH_OFFSET, HASH_SLOTS, INDEX_HEADER_SIZE,
    READ_MARKS_OFFSET, block_frames, block_of_frame, block_zero, hash, next_slot,
    page_numbers_offset,
};
use ringwood_io::{File, ShmRegion};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;

/// Words of one copy of the header.
const HEADER_WORDS: usize = INDEX_HEADER_SIZE / 4;

/// The header's words, as they are in memory.
pub(crate) type HeaderWords = [u32; HEADER_WORDS];

/// The header of an index: what the newest snapshot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IndexHeader {
    /// Counts commits.
    pub(crate) change: u32,
    pub(crate) order: ChecksumOrder,
    /// 0 where there has been no log yet.
    pub(crate) page_size: u32,
    pub(crate) max_frame: u32,
    pub(crate) page_count: u32,
    pub(crate) checksum: Checksum,
    pub(crate) salt: Salt,
}

impl Default for IndexHeader {
    /// Before there was a log.
    fn default() -> IndexHeader {
        IndexHeader {
            change: 0,
            order: ChecksumOrder::NATIVE,
            page_size: 0,
            max_frame: 0,
            page_count: 0,
            checksum: Checksum::ZERO,
            salt: Salt { s1: 0, s2: 0 },
        }
    }
}

impl IndexHeader {
    fn decode(words: &HeaderWords) -> Option<IndexHeader> {
        let flags = words[3].to_ne_bytes();
        let size = u32::from(u16::from_ne_bytes([flags[2], flags[3]]));
        let right = words[0] == WAL_VERSION
            && flags[0] != 0
            && sum(words)
                == Checksum {
                    s1: words[10],
                    s2: words[11],
                };
        right.then(|| IndexHeader {
            change: words[2],
            order: if flags[1] != 0 {
                ChecksumOrder::Big
            } else {
                ChecksumOrder::Little
            },
            page_size: (size & 0xfe00) + ((size & 1) << 16),
            max_frame: words[4],
            page_count: words[5],
            checksum: Checksum {
                s1: words[6],
                s2: words[7],
            },
            salt: Salt {
                s1: u32::from_be_bytes(words[8].to_ne_bytes()),
                s2: u32::from_be_bytes(words[9].to_ne_bytes()),
            },
        })
    }

    pub(crate) fn encode(&self) -> HeaderWords {
        let size = ((self.page_size & 0xff00) | (self.page_size >> 16)) as u16;
        let [low, high] = size.to_ne_bytes();
        let big = u8::from(self.order == ChecksumOrder::Big);
        let mut words = [
            WAL_VERSION,
            0,
            self.change,
            u32::from_ne_bytes([1, big, low, high]),
            self.max_frame,
            self.page_count,
            self.checksum.s1,
            self.checksum.s2,
            u32::from_ne_bytes(self.salt.s1.to_be_bytes()),
            u32::from_ne_bytes(self.salt.s2.to_be_bytes()),
            0,
            0,
        ];
        let sum = sum(&words);
        (words[10], words[11]) = (sum.s1, sum.s2);
        words
    }
}

fn sum(words: &HeaderWords) -> Checksum {
    let mut bytes = [0; 40];
    for (out, word) in bytes.chunks_exact_mut(4).zip(words) {
        out.copy_from_slice(&word.to_ne_bytes());
    }
    Checksum::ZERO.update(&bytes, ChecksumOrder::NATIVE)
}

/// A read mark that nobody uses.
pub(crate) const MARK_UNUSED: u32 = ringwood_format::wal_index::READ_MARK_UNUSED;
/// Read marks; the first stands for the database file alone.
pub(crate) const MARKS: usize = ringwood_format::wal_index::READ_MARK_COUNT;

#[derive(Default)]
pub(crate) struct WalIndex {
    blocks: Vec<ShmRegion>,
    /// The -shm file; `None` for an index on the heap.
    file: Option<File>,
    /// The last committed frame that this process knows of.
    last: u32,
    generation: u32,
}

impl WalIndex {
    /// Takes memory of a file, or of the heap, instead of what there was.
    pub(crate) fn attach(&mut self, file: Option<File>) {
        self.blocks.clear();
        self.file = file;
        self.renew(0);
    }

    /// Whether the memory can only be read.
    pub(crate) fn is_read_only(&self) -> bool {
        self.file.as_ref().is_some_and(File::is_read_only)
    }

    /// The last committed frame that this process knows of.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// More frames were committed.
    pub(crate) fn set_last(&mut self, last: u32) {
        self.last = last;
    }

    /// How often the log has started anew.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The log has started anew, and holds `last` frames.
    pub(crate) fn renew(&mut self, last: u32) {
        self.last = last;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Sees to it that frames up to `frame` have a place.
    pub(crate) fn reserve(&mut self, frame: u32) -> Result<()> {
        let count = block_of_frame(frame.max(1)) as usize + 1;
        while self.blocks.len() < count {
            let number = self.blocks.len();
            let block = match &self.file {
                None => ShmRegion::heap(),
                Some(file) => match file.shm_region(number, true)? {
                    Some(block) => block,
                    None => return Err(Corrupt::new("log index is shorter than its log").into()),
                },
            };
            self.blocks.push(block);
        }
        Ok(())
    }

    // ---- block 0 ----

    fn word(&self, offset: usize) -> u32 {
        self.blocks
            .first()
            .map_or(0, |block| block.words()[offset / 4].load(Acquire))
    }

    fn set_word(&self, offset: usize, value: u32) {
        if let Some(block) = self.blocks.first() {
            block.words()[offset / 4].store(value, Release);
        }
    }

    fn copy_of_header(&self, copy: usize) -> HeaderWords {
        let mut words = [0; HEADER_WORDS];
        if let Some(block) = self.blocks.first() {
            let from = &block.words()[copy * HEADER_WORDS..];
            for (word, there) in words.iter_mut().zip(from) {
                *word = there.load(Relaxed);
            }
        }
        words
    }

    /// The header, if both of its copies are whole.
    pub(crate) fn header(&self) -> Option<(IndexHeader, HeaderWords)> {
        let first = self.copy_of_header(0);
        fence(SeqCst);
        let second = self.copy_of_header(1);
        if first != second {
            return None;
        }
        Some((IndexHeader::decode(&first)?, first))
    }

    /// Whether the header is what it was.
    pub(crate) fn is_still(&self, words: &HeaderWords) -> bool {
        fence(SeqCst);
        self.copy_of_header(0) == *words
    }

    /// Makes this the newest snapshot, for everybody.
    pub(crate) fn write_header(&self, words: &HeaderWords) {
        let Some(block) = self.blocks.first() else {
            return;
        };
        for copy in [1, 0] {
            fence(SeqCst);
            let to = &block.words()[copy * HEADER_WORDS..];
            for (word, there) in words.iter().zip(to) {
                there.store(*word, Relaxed);
            }
        }
        fence(SeqCst);
    }

    /// Frames that are in the database file.
    pub(crate) fn backfilled(&self) -> u32 {
        self.word(BACKFILL_OFFSET)
    }

    pub(crate) fn set_backfilled(&self, frames: u32) {
        self.set_word(BACKFILL_OFFSET, frames);
    }

    pub(crate) fn set_backfill_attempted(&self, frames: u32) {
        self.set_word(BACKFILL_ATTEMPTED_OFFSET, frames);
    }

    /// The frames up to which the readers of a slot may look.
    pub(crate) fn mark(&self, slot: usize) -> u32 {
        self.word(READ_MARKS_OFFSET + 4 * slot)
    }

    pub(crate) fn set_mark(&self, slot: usize, frame: u32) {
        self.set_word(READ_MARKS_OFFSET + 4 * slot, frame);
    }

    // ---- hash blocks ----

    /// Appends frames that hold these pages after frame `after`. They have been [reserved](Self::reserve).
    pub(crate) fn append(&self, after: u32, pages: impl IntoIterator<Item = PageNo>) -> Result<()> {
        for (frame, page) in (after + 1..).zip(pages) {
            self.push(frame, page)?;
        }
        Ok(())
    }

    fn push(&self, frame: u32, page: PageNo) -> Result<()> {
        let number = block_of_frame(frame);
        let block = &self.blocks[number as usize];
        let numbers = &block.words()[page_numbers_offset(number) / 4..HASH_OFFSET / 4];
        let slots = &block.halves()[HASH_OFFSET / 2..];
        // Positions count from 1.
        let position = frame - block_zero(number);
        if position == 1 {
            for word in numbers {
                word.store(0, Relaxed);
            }
            for slot in slots {
                slot.store(0, Relaxed);
            }
        } else if numbers[position as usize - 1].load(Relaxed) != 0 {
            let limit = position - 1;
            for slot in slots {
                if u32::from(slot.load(Relaxed)) > limit {
                    slot.store(0, Relaxed);
                }
            }
            for word in &numbers[limit as usize..] {
                word.store(0, Relaxed);
            }
        }
        let mut slot = hash(page);
        let mut tries = 0;
        // A block has twice as many slots as frames.
        while slots[slot as usize].load(Relaxed) != 0 {
            tries += 1;
            if tries > position {
                return Err(Corrupt::new("log index has more entries than frames").into());
            }
            slot = next_slot(slot);
        }
        numbers[position as usize - 1].store(page.get(), Relaxed);
        slots[slot as usize].store(position as u16, Release);
        Ok(())
    }

    /// The newest frame from `min` to `max` that holds `page`.
    pub(crate) fn find(&self, page: PageNo, min: u32, max: u32) -> Result<Option<u32>> {
        if max == 0 || max < min {
            return Ok(None);
        }
        for number in (block_of_frame(min.max(1))..=block_of_frame(max)).rev() {
            let found = self.find_in_block(number, page, max)?;
            if let Some(frame) = found.filter(|&frame| frame >= min) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn find_in_block(&self, number: u32, page: PageNo, max: u32) -> Result<Option<u32>> {
        let Some(block) = self.blocks.get(number as usize) else {
            return Err(Corrupt::new("log index is shorter than its log").into());
        };
        let pages = &block.words()[page_numbers_offset(number) / 4..];
        let slots = &block.halves()[HASH_OFFSET / 2..];
        let mut slot = hash(page);
        let mut found = None;
        for _ in 0..HASH_SLOTS {
            let position = u32::from(slots[slot as usize].load(Acquire));
            if position == 0 {
                return Ok(found);
            }
            if position > block_frames(number) {
                break;
            }
            let frame = block_zero(number) + position;
            if frame <= max && pages[position as usize - 1].load(Relaxed) == page.get() {
                // Later frames of a page come later in its chain.
                found = Some(frame);
            }
            slot = next_slot(slot);
        }
        Err(Corrupt::new("log index is damaged").into())
    }

    /// The page that a committed frame holds.
    fn page_of(&self, frame: u32) -> Result<PageNo> {
        let number = block_of_frame(frame);
        let at = page_numbers_offset(number) / 4 + (frame - block_zero(number)) as usize - 1;
        let block = self.blocks.get(number as usize);
        block
            .and_then(|block| PageNo::new(block.words()[at].load(Relaxed)))
            .ok_or_else(|| Corrupt::new("log index lacks a frame").into())
    }

    /// The pages of the frames `from..=to`.
    pub(crate) fn pages(&self, from: u32, to: u32) -> Result<Vec<PageNo>> {
        (from..=to).map(|frame| self.page_of(frame)).collect()
    }

    /// The pages of the frames `from..=to`, each once with its newest frame, by page number.
    pub(crate) fn newest(&self, from: u32, to: u32) -> Result<Vec<(PageNo, u32)>> {
        let mut pages: Vec<(PageNo, u32)> = (from..=to)
            .map(|frame| Ok((self.page_of(frame)?, frame)))
            .collect::<Result<_>>()?;
        pages.sort_unstable();
        pages.reverse();
        pages.dedup_by_key(|&mut (page, _)| page);
        pages.reverse();
        Ok(pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(n: u32) -> PageNo {
        PageNo::new(n).expect("not 0")
    }

    #[test]
    fn headers_are_sqlites_and_are_written_twice() {
        let mut index = WalIndex::default();
        index.attach(None);
        index.reserve(1).expect("heap");
        assert!(index.header().is_none());
        let header = IndexHeader {
            change: 7,
            order: ChecksumOrder::NATIVE,
            page_size: 65536,
            max_frame: 3,
            page_count: 9,
            checksum: Checksum { s1: 1, s2: 2 },
            salt: Salt { s1: 5, s2: 6 },
        };
        index.write_header(&header.encode());
        assert_eq!(index.header().expect("whole").0, header);
        let mut bytes = Vec::new();
        for word in header.encode() {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        let decoded = ringwood_format::wal_index::WalIndexHdr::decode(&bytes).expect("SQLite's");
        assert_eq!(
            (decoded.max_frame, decoded.page_size, decoded.salt),
            (3, 65536, header.salt)
        );
        // Another process died between the copies.
        index.blocks[0].words()[HEADER_WORDS + 4].store(4, Relaxed);
        assert!(index.header().is_none());
    }

    #[test]
    fn frames_are_found_swept_and_renewed() {
        let mut index = WalIndex::default();
        index.attach(None);
        assert_eq!(index.find(no(1), 1, 0), Ok(None));
        // Page numbers that collide, over three blocks.
        let page_of = |frame: u32| no(1 + (frame * 7919) % 3001);
        index.reserve(10_000).expect("heap");
        index.append(0, (1..=10_000).map(page_of)).expect("room");
        for max in [1, 4061, 4062, 4063, 8158, 8159, 10_000] {
            for page in [1, 2, 77, 3000, 3001, 3002].map(no) {
                let expected = (1..=max).rev().find(|&frame| page_of(frame) == page);
                assert_eq!(index.find(page, 1, max), Ok(expected), "{page} to {max}");
                let late = expected.filter(|&frame| frame >= 5000);
                assert_eq!(index.find(page, 5000, max), Ok(late), "{page} to {max}");
            }
        }
        assert_eq!(index.page_of(4063), Ok(page_of(4063)));
        let newest = index.newest(9_000, 10_000).expect("there");
        assert!(newest.is_sorted());
        for &(page, frame) in &newest {
            assert_eq!(index.find(page, 1, 10_000), Ok(Some(frame)));
        }
        // A transaction that died after 9,000 frames left the rest; another one takes their place.
        index.append(9_000, [no(77), no(5)]).expect("room");
        assert_eq!(index.find(no(77), 1, 9_002), Ok(Some(9_001)));
        for page in (1..=3001).map(no) {
            let before = (1..=9_000).rev().find(|&frame| page_of(frame) == page);
            assert_eq!(index.find(page, 1, 9_000), Ok(before), "{page}");
        }
        index.append(0, [no(1)]).expect("room");
        assert_eq!(index.find(no(77), 1, 1), Ok(None));
        assert_eq!(index.find(no(1), 1, 1), Ok(Some(1)));
    }

    #[test]
    fn damage_is_an_error() {
        let mut index = WalIndex::default();
        index.attach(None);
        index.reserve(1).expect("heap");
        let block = index.blocks[0].clone();
        for slot in &block.halves()[HASH_OFFSET / 2..] {
            slot.store(1, Relaxed);
        }
        assert!(index.find(no(9), 1, 1).is_err());
        assert!(index.append(1, [no(9)]).is_err());
        assert!(index.pages(1, 1).is_err());
        assert!(index.find(no(9), 1, 5000).is_err());
    }
}
