//! The write-ahead log: its header, its frames, and their checksums.
//!
//! ```text
//!  | WAL header (32) | frame header (24) | page | frame header (24) | page | ...
//!
//!  WAL header                                     frame header
//!  offset size meaning                            offset size meaning
//!  0      4    magic 0x377f0682 or 0x377f0683     0      4    page number
//!  4      4    format version 3007000             4      4    pages of the database after this commit;
//!  8      4    page size (65536 as 65536)                     0 if the frame is not a commit
//!  12     4    checkpoint sequence number         8      8    salt of the WAL header
//!  16     8    salt                               16     8    checksum of bytes 0..8 and the page, continuing
//!  24     8    checksum of bytes 0..24                        from the frame before
//! ```
//!
//! Rules:
//! 1. All numbers are big-endian. Whether the *checksum* reads its input as little- or big-endian words is said by
//!    the magic: 0x377f0682 little, 0x377f0683 big. Writers use the machine's own order; readers take both.
//! 2. The checksum is a pair of 32-bit sums over pairs of words, so its input is a multiple of eight bytes. It chains:
//!    the WAL header starts from (0, 0), the first frame from the header's checksum, each frame from the one before.
//!    The frame's salt is not summed.
//! 3. A frame is valid if its salt is the header's, its page number is not 0 and its checksum fits. The log ends at
//!    the first frame that is not valid, and what follows the last valid commit is not there.
//!
//! The index of the log is [`wal_index`](crate::wal_index).
//!
//! Source: "WAL-mode File Format", sections 1 and 2; SQLite's `walChecksumBytes`, `walDecodeFrame`.

use crate::bytes::{get_u32, put_u32};
use crate::corrupt::Corrupt;
use crate::page::{Geometry, PageNo};

/// Bytes of the WAL header.
pub const WAL_HEADER_SIZE: usize = 32;
/// Bytes of a frame header.
pub const FRAME_HEADER_SIZE: usize = 24;
/// The magic without the bit of the checksum's byte order.
pub const WAL_MAGIC: u32 = 0x377f_0682;
/// The only format version.
pub const WAL_VERSION: u32 = 3_007_000;

/// The byte order in which a checksum reads its input (rule 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChecksumOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ChecksumOrder {
    /// The order of this machine, which writers use.
    pub const NATIVE: ChecksumOrder = if cfg!(target_endian = "big") {
        ChecksumOrder::Big
    } else {
        ChecksumOrder::Little
    };
}

/// A running checksum (rule 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Checksum {
    /// The first sum.
    pub s1: u32,
    /// The second sum.
    pub s2: u32,
}

impl Checksum {
    /// The checksum with which a chain starts.
    pub const ZERO: Checksum = Checksum { s1: 0, s2: 0 };

    /// The checksum stored, big-endian, at `bytes[at..at + 8]`.
    fn get(bytes: &[u8], at: usize) -> Checksum {
        Checksum {
            s1: get_u32(bytes, at),
            s2: get_u32(bytes, at + 4),
        }
    }

    fn put(self, bytes: &mut [u8], at: usize) {
        put_u32(bytes, at, self.s1);
        put_u32(bytes, at + 4, self.s2);
    }

    /// The checksum after `bytes`.
    ///
    /// # Panics
    /// If the length of `bytes` is not a multiple of eight.
    #[inline]
    #[must_use]
    pub fn update(self, bytes: &[u8], order: ChecksumOrder) -> Checksum {
        match order {
            ChecksumOrder::Little => self.sum(bytes, u32::from_le_bytes),
            ChecksumOrder::Big => self.sum(bytes, u32::from_be_bytes),
        }
    }

    #[inline]
    fn sum(self, bytes: &[u8], word: impl Fn([u8; 4]) -> u32) -> Checksum {
        let (pairs, rest) = bytes.as_chunks::<8>();
        assert!(
            rest.is_empty(),
            "checksum input is not a multiple of eight bytes"
        );
        let Checksum { mut s1, mut s2 } = self;
        for &[a, b, c, d, e, f, g, h] in pairs {
            s1 = s1.wrapping_add(word([a, b, c, d])).wrapping_add(s2);
            s2 = s2.wrapping_add(word([e, f, g, h])).wrapping_add(s1);
        }
        Checksum { s1, s2 }
    }
}

/// The salt: two numbers that change whenever the log restarts, so that frames of an earlier life do not pass.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Salt {
    /// Incremented at every restart.
    pub s1: u32,
    /// Random at every restart.
    pub s2: u32,
}

impl Salt {
    fn get(bytes: &[u8], at: usize) -> Salt {
        Salt {
            s1: get_u32(bytes, at),
            s2: get_u32(bytes, at + 4),
        }
    }

    fn put(self, bytes: &mut [u8], at: usize) {
        put_u32(bytes, at, self.s1);
        put_u32(bytes, at + 4, self.s2);
    }

    /// The salt of the log's next life; `random` is its second half.
    #[must_use]
    pub const fn restarted(self, random: u32) -> Salt {
        Salt {
            s1: self.s1.wrapping_add(1),
            s2: random,
        }
    }
}

/// The header of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalHeader {
    /// How checksums read their input.
    pub order: ChecksumOrder,
    /// Bytes in a page.
    pub page_size: u32,
    /// How often the log has been restarted.
    pub checkpoint_seq: u32,
    /// The salt that valid frames carry.
    pub salt: Salt,
}

impl WalHeader {
    /// Decodes a WAL header, and gives the checksum with which its first frame starts.
    ///
    /// # Errors
    /// If `bytes` is shorter than 32 bytes, or magic, version, page size or checksum is wrong. To recovery that means
    /// that the log is empty, except for a wrong version behind a right checksum, which SQLite refuses to open
    /// ([`is_version_error`]).
    pub fn decode(bytes: &[u8]) -> Result<(WalHeader, Checksum), Corrupt> {
        let Some(bytes) = bytes.get(..WAL_HEADER_SIZE) else {
            return Err(Corrupt::new("log header is cut off"));
        };
        let magic = get_u32(bytes, 0);
        if magic & !1 != WAL_MAGIC {
            return Err(Corrupt::new("log header has the wrong magic"));
        }
        let order = if magic & 1 == 1 {
            ChecksumOrder::Big
        } else {
            ChecksumOrder::Little
        };
        let page_size = get_u32(bytes, 8);
        if !Geometry::is_page_size(page_size) {
            return Err(Corrupt::new("log header has an impossible page size"));
        }
        let checksum = Checksum::ZERO.update(&bytes[..24], order);
        if checksum != Checksum::get(bytes, 24) {
            return Err(Corrupt::new("log header has the wrong checksum"));
        }
        if get_u32(bytes, 4) != WAL_VERSION {
            return Err(Corrupt::new(VERSION_REASON));
        }
        let header = WalHeader {
            order,
            page_size,
            checkpoint_seq: get_u32(bytes, 12),
            salt: Salt::get(bytes, 16),
        };
        Ok((header, checksum))
    }

    /// The header's bytes, and the checksum with which its first frame starts.
    pub fn encode(&self) -> ([u8; WAL_HEADER_SIZE], Checksum) {
        let mut out = [0; WAL_HEADER_SIZE];
        put_u32(
            &mut out,
            0,
            WAL_MAGIC | u32::from(self.order == ChecksumOrder::Big),
        );
        put_u32(&mut out, 4, WAL_VERSION);
        put_u32(&mut out, 8, self.page_size);
        put_u32(&mut out, 12, self.checkpoint_seq);
        self.salt.put(&mut out, 16);
        let checksum = Checksum::ZERO.update(&out[..24], self.order);
        checksum.put(&mut out, 24);
        (out, checksum)
    }
}

const VERSION_REASON: &str = "log is of an unknown format version";

/// Whether [`WalHeader::decode`] failed because a well-formed header names another format version: SQLite answers
/// SQLITE_CANTOPEN to that.
pub fn is_version_error(error: &Corrupt) -> bool {
    error.reason == VERSION_REASON
}

/// The header of a frame, without its salt and checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// The page that the frame holds.
    pub page: PageNo,
    /// Pages of the database after this commit; `None` if the frame does not end a transaction.
    pub commit: Option<u32>,
}

#[cfg(feature = "sabotage")]
thread_local! {
    static CHECKSUMS_IGNORED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this thread takes every frame for valid: for the simulator, which must notice.
#[cfg(feature = "sabotage")]
pub fn set_checksums_ignored(ignored: bool) {
    CHECKSUMS_IGNORED.set(ignored);
}

impl FrameHeader {
    /// Decodes and verifies a frame: its header, and the page behind it. `checksum` is that of the frame before (or
    /// of the WAL header); on success the result carries the one for the next frame. `None` if the frame is not valid
    /// (rule 3), which is how a log ends and so no error.
    ///
    /// # Panics
    /// If the length of `page` is not a multiple of eight.
    #[inline]
    pub fn decode(
        header: &[u8],
        page: &[u8],
        wal: &WalHeader,
        checksum: Checksum,
    ) -> Option<(FrameHeader, Checksum)> {
        let frame = FrameHeader::peek(header, wal.salt)?;
        let checksum = checksum
            .update(&header[..8], wal.order)
            .update(page, wal.order);
        #[cfg(feature = "sabotage")]
        if CHECKSUMS_IGNORED.get() {
            return Some((frame, Checksum::get(header, 16)));
        }
        (checksum == Checksum::get(header, 16)).then_some((frame, checksum))
    }

    /// Decodes a frame's header without verifying its checksum. `None` if its salt is not `salt`, its page number is
    /// 0 or it is shorter than 24 bytes.
    #[inline]
    pub fn peek(header: &[u8], salt: Salt) -> Option<FrameHeader> {
        let header = header.get(..FRAME_HEADER_SIZE)?;
        if Salt::get(header, 8) != salt {
            return None;
        }
        let page = PageNo::new(get_u32(header, 0))?;
        let commit = Some(get_u32(header, 4)).filter(|&pages| pages != 0);
        Some(FrameHeader { page, commit })
    }

    /// The checksum that a frame stores in its header.
    ///
    /// # Panics
    /// If `header` is shorter than 24 bytes.
    pub fn stored_checksum(header: &[u8]) -> Checksum {
        Checksum::get(header, 16)
    }

    /// The frame header of `page`, and the checksum for the next frame.
    ///
    /// # Panics
    /// If the length of `page` is not a multiple of eight.
    #[inline]
    pub fn encode(
        &self,
        page: &[u8],
        wal: &WalHeader,
        checksum: Checksum,
    ) -> ([u8; FRAME_HEADER_SIZE], Checksum) {
        let mut out = [0; FRAME_HEADER_SIZE];
        put_u32(&mut out, 0, self.page.get());
        put_u32(&mut out, 4, self.commit.unwrap_or(0));
        wal.salt.put(&mut out, 8);
        let checksum = checksum
            .update(&out[..8], wal.order)
            .update(page, wal.order);
        checksum.put(&mut out, 16);
        (out, checksum)
    }
}

/// Where frame `frame` (from 1) starts in the log.
#[inline]
pub const fn frame_offset(frame: u32, page_size: u32) -> u64 {
    WAL_HEADER_SIZE as u64 + (frame as u64 - 1) * (FRAME_HEADER_SIZE as u64 + page_size as u64)
}

/// Where the page of frame `frame` (from 1) starts in the log.
#[inline]
pub const fn frame_page_offset(frame: u32, page_size: u32) -> u64 {
    frame_offset(frame, page_size) + FRAME_HEADER_SIZE as u64
}

/// Whole frames in a log of `size` bytes.
#[inline]
pub const fn frame_count(size: u64, page_size: u32) -> u32 {
    let frames =
        size.saturating_sub(WAL_HEADER_SIZE as u64) / (FRAME_HEADER_SIZE as u64 + page_size as u64);
    if frames > u32::MAX as u64 {
        u32::MAX
    } else {
        frames as u32
    }
}
