//! The WAL-index (the -shm file): which frame holds the newest version of a page.
//!
//! ```text
//!  block 0 (32768 bytes):  | header copy 1 (48) | header copy 2 (48) | checkpoint info (24) | locks (8) + spare (8) |
//!                          | 4062 page numbers (u32) | 8192 hash slots (u16) |
//!  block n (32768 bytes):  | 4096 page numbers (u32) | 8192 hash slots (u16) |
//!
//!  header                                            checkpoint info
//!  offset size meaning                               offset size meaning
//!  0      4    version 3007000                       96     4    frames already copied to the database
//!  4      4    unused                                100    20   five read marks; 0xffffffff is "unused"
//!  8      4    change counter                        120    8    the bytes that are locked (never read)
//!  12     1    1 if initialised                      128    4    frames that a checkpoint tried to copy
//!  13     1    1 if checksums read big-endian        132    4    unused
//!  14     2    page size; 65536 as 1
//!  16     4    frames up to the last commit
//!  20     4    pages of the database
//!  24     8    checksum of the last frame
//!  32     8    salt, as the WAL header's bytes
//!  40     8    checksum of bytes 0..40
//! ```
//!
//! Rules:
//! 1. Numbers are in the machine's own byte order; the checksum too (over native words).
//! 2. The header is written twice, copy 2 first; a reader that finds them equal and their checksum right has a
//!    consistent one.
//! 3. Block n describes frames in order; slot k of its hash holds 1 + the index, within the block, of a frame, or 0.
//!    A page's search starts at slot `(page * 383) & 8191` and goes on upward, around the end, to an empty slot; of
//!    the matches the one with the highest frame counts.
//! 4. Sections of the shared memory are always of 32 KiB, whatever the page size.
//!
//! Source: "WAL-mode File Format", section 3; SQLite's `WalIndexHdr`, `WalCkptInfo`, `walHash`, `walFramePage`.

use crate::corrupt::Corrupt;
use crate::page::{Geometry, PageNo};
use crate::wal::{Checksum, ChecksumOrder, Salt, WAL_VERSION};

/// Bytes of one copy of the header.
pub const INDEX_HEADER_SIZE: usize = 48;
/// Where the checkpoint info starts.
pub const CKPT_INFO_OFFSET: usize = 96;
/// Where the frames already copied to the database are counted (`nBackfill`).
pub const BACKFILL_OFFSET: usize = 96;
/// Where the five read marks start (`aReadMark`).
pub const READ_MARKS_OFFSET: usize = 100;
/// Where the lock bytes start (`aLock`).
pub const LOCKS_OFFSET: usize = 120;
/// Where the frames that a checkpoint tried to copy are counted (`nBackfillAttempted`).
pub const BACKFILL_ATTEMPTED_OFFSET: usize = 128;
/// Bytes in front of the page numbers of block 0.
pub const INDEX_PREFIX_SIZE: usize = 136;
/// Bytes of a block.
pub const BLOCK_SIZE: usize = 32768;
/// Read marks.
pub const READ_MARK_COUNT: usize = 5;
/// A read mark that no reader uses.
pub const READ_MARK_UNUSED: u32 = 0xffff_ffff;
/// Frames that a block other than the first describes.
pub const BLOCK_FRAMES: u32 = 4096;
/// Frames that the first block describes.
pub const FIRST_BLOCK_FRAMES: u32 = BLOCK_FRAMES - (INDEX_PREFIX_SIZE / 4) as u32;
/// Hash slots of a block.
pub const HASH_SLOTS: u32 = 8192;
/// Where the hash slots start in every block.
pub const HASH_OFFSET: usize = BLOCK_FRAMES as usize * 4;

/// Lock byte of writers, relative to [`LOCKS_OFFSET`].
pub const LOCK_WRITE: u32 = 0;
/// Lock byte of checkpointers.
pub const LOCK_CHECKPOINT: u32 = 1;
/// Lock byte of recovery.
pub const LOCK_RECOVER: u32 = 2;
/// Lock byte of read mark 0; that of mark i is this plus i.
pub const LOCK_READ0: u32 = 3;

/// Where a page's search starts in a block's hash (rule 3).
#[inline]
pub const fn hash(page: PageNo) -> u32 {
    page.get().wrapping_mul(383) & (HASH_SLOTS - 1)
}

/// The slot to try after `slot`.
#[inline]
pub const fn next_slot(slot: u32) -> u32 {
    (slot + 1) & (HASH_SLOTS - 1)
}

/// The block that describes a frame (from 1).
#[inline]
pub const fn block_of_frame(frame: u32) -> u32 {
    ((frame as u64 + (BLOCK_FRAMES - FIRST_BLOCK_FRAMES) as u64 - 1) / BLOCK_FRAMES as u64) as u32
}

/// The frame before the first one that a block describes (`iZero`): a block's entry i is frame `block_zero + 1 + i`.
#[inline]
pub const fn block_zero(block: u32) -> u32 {
    if block == 0 {
        0
    } else {
        FIRST_BLOCK_FRAMES + (block - 1) * BLOCK_FRAMES
    }
}

/// Frames that a block describes.
#[inline]
pub const fn block_frames(block: u32) -> u32 {
    if block == 0 {
        FIRST_BLOCK_FRAMES
    } else {
        BLOCK_FRAMES
    }
}

/// Where the page numbers start in a block.
#[inline]
pub const fn page_numbers_offset(block: u32) -> usize {
    if block == 0 { INDEX_PREFIX_SIZE } else { 0 }
}

/// The header of a WAL-index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalIndexHdr {
    /// Incremented by every transaction.
    pub change: u32,
    /// How the checksums of the log's frames read their input.
    pub order: ChecksumOrder,
    /// Bytes in a page.
    pub page_size: u32,
    /// Frames up to the last commit (`mxFrame`).
    pub max_frame: u32,
    /// Pages of the database as of that commit.
    pub page_count: u32,
    /// Checksum of the last frame.
    pub frame_checksum: Checksum,
    /// The log's salt.
    pub salt: Salt,
}

impl WalIndexHdr {
    /// Decodes one copy of the header.
    ///
    /// # Errors
    /// If `bytes` is shorter than 48 bytes, is not initialised, or version, page size or checksum is wrong.
    pub fn decode(bytes: &[u8]) -> Result<WalIndexHdr, Corrupt> {
        let Some(bytes) = bytes.get(..INDEX_HEADER_SIZE) else {
            return Err(Corrupt::new("log index header is cut off"));
        };
        if bytes[12] == 0 {
            return Err(Corrupt::new("log index is not initialised"));
        }
        let stored = Checksum {
            s1: get(bytes, 40),
            s2: get(bytes, 44),
        };
        if Checksum::ZERO.update(&bytes[..40], ChecksumOrder::NATIVE) != stored {
            return Err(Corrupt::new("log index header has the wrong checksum"));
        }
        if get(bytes, 0) != WAL_VERSION {
            return Err(Corrupt::new("log index is of an unknown format version"));
        }
        let size = u16::from_ne_bytes([bytes[14], bytes[15]]) as u32;
        let page_size = (size & 0xfe00) + ((size & 1) << 16);
        if !Geometry::is_page_size(page_size) {
            return Err(Corrupt::new("log index has an impossible page size"));
        }
        Ok(WalIndexHdr {
            change: get(bytes, 8),
            order: if bytes[13] != 0 {
                ChecksumOrder::Big
            } else {
                ChecksumOrder::Little
            },
            page_size,
            max_frame: get(bytes, 16),
            page_count: get(bytes, 20),
            frame_checksum: Checksum {
                s1: get(bytes, 24),
                s2: get(bytes, 28),
            },
            salt: Salt {
                s1: u32::from_be_bytes([bytes[32], bytes[33], bytes[34], bytes[35]]),
                s2: u32::from_be_bytes([bytes[36], bytes[37], bytes[38], bytes[39]]),
            },
        })
    }

    /// The bytes of one copy, initialised and with its checksum.
    pub fn encode(&self) -> [u8; INDEX_HEADER_SIZE] {
        let mut out = [0; INDEX_HEADER_SIZE];
        put(&mut out, 0, WAL_VERSION);
        put(&mut out, 8, self.change);
        out[12] = 1;
        out[13] = u8::from(self.order == ChecksumOrder::Big);
        let size = ((self.page_size & 0xff00) | (self.page_size >> 16)) as u16;
        out[14..16].copy_from_slice(&size.to_ne_bytes());
        put(&mut out, 16, self.max_frame);
        put(&mut out, 20, self.page_count);
        put(&mut out, 24, self.frame_checksum.s1);
        put(&mut out, 28, self.frame_checksum.s2);
        out[32..36].copy_from_slice(&self.salt.s1.to_be_bytes());
        out[36..40].copy_from_slice(&self.salt.s2.to_be_bytes());
        let checksum = Checksum::ZERO.update(&out[..40], ChecksumOrder::NATIVE);
        put(&mut out, 40, checksum.s1);
        put(&mut out, 44, checksum.s2);
        out
    }
}

/// What checkpointers and readers tell each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CkptInfo {
    /// Frames already copied to the database.
    pub backfill: u32,
    /// The frames up to which readers may use the log.
    pub read_marks: [u32; READ_MARK_COUNT],
    /// Frames that a checkpoint tried to copy.
    pub backfill_attempted: u32,
}

impl CkptInfo {
    /// Decodes the checkpoint info of `block`, the start of block 0.
    ///
    /// # Errors
    /// If `block` is shorter than 136 bytes.
    pub fn decode(block: &[u8]) -> Result<CkptInfo, Corrupt> {
        if block.len() < INDEX_PREFIX_SIZE {
            return Err(Corrupt::new("log index is cut off"));
        }
        Ok(CkptInfo {
            backfill: get(block, BACKFILL_OFFSET),
            read_marks: std::array::from_fn(|i| get(block, READ_MARKS_OFFSET + 4 * i)),
            backfill_attempted: get(block, BACKFILL_ATTEMPTED_OFFSET),
        })
    }

    /// Writes the checkpoint info to `block`, the start of block 0; the lock bytes are left alone.
    ///
    /// # Panics
    /// If `block` is shorter than 136 bytes.
    pub fn encode(&self, block: &mut [u8]) {
        put(block, BACKFILL_OFFSET, self.backfill);
        for (i, &mark) in self.read_marks.iter().enumerate() {
            put(block, READ_MARKS_OFFSET + 4 * i, mark);
        }
        put(block, BACKFILL_ATTEMPTED_OFFSET, self.backfill_attempted);
    }
}

fn get(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}
