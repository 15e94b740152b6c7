//! The log's file: where frames are, and how they are made.
//!
//! ```text
//!  | header, salt | frame 1 | … | frame backfilled | … | frame max | uncommitted, or of an earlier life |
//!                  `- in the database already ----´ `- committed -´
//! ```
//!
//! Rules:
//! 1. Frames after `max` belong to the transaction that writes, if anybody: spilled pages. What an earlier transaction
//!    or an earlier life of the log left there does not chain or has another salt, so recovery stops at it.
//! 2. A log of which all frames are in the database starts anew at its first frame with the next write: new salt,
//!    header written and synced before the first frame, so that no frame of two lives ever chains.
//! 3. The file is not padded to whole sectors after a commit: like SQLite on Linux we count on writes that leave the
//!    bytes around them alone (SQLite's "powersafe overwrite").
//! 4. The file is not made longer ahead of its frames: its size is that of SQLite's.
//!
//! Source: SQLite's `sqlite3WalFrames`, `walRestartLog`.

use crate::error::{Error, Result};
use crate::index::{HeaderWords, IndexHeader};
use ringwood_format::page::PageNo;
use ringwood_format::wal::{
    Checksum, ChecksumOrder, FRAME_HEADER_SIZE, FrameHeader, Salt, WAL_HEADER_SIZE, WalHeader,
    frame_offset,
};
use ringwood_io::{Buf, Durability, File, IoHandle};

/// Bytes written or read at once.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// The committed part of the log, as this process knows it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogState {
    /// The index's header, and its words to compare with.
    pub(crate) head: IndexHeader,
    pub(crate) words: HeaderWords,
    /// `checkpoint_seq` of the header in the log, as far as this process knows.
    pub(crate) seq: u32,
    /// How often the log started anew; as in the index.
    pub(crate) generation: u32,
    /// Frames that are durable for certain.
    pub(crate) synced: u32,
}

impl LogState {
    /// The header of the log's next life (rule 2), whose salt the index has already if there was a life before.
    pub(crate) fn wal_header(&self, io: &IoHandle, page_size: u32) -> WalHeader {
        let mut salt = self.head.salt;
        if (salt.s1, salt.s2) == (0, 0) {
            let random = io.rand();
            salt = Salt {
                s1: (random >> 32) as u32,
                s2: random as u32,
            };
        }
        WalHeader {
            order: ChecksumOrder::NATIVE,
            page_size,
            checkpoint_seq: self.seq,
            salt,
        }
    }

    /// The index's header once the log has started anew.
    pub(crate) fn restarted(&self, random: u32) -> IndexHeader {
        IndexHeader {
            max_frame: 0,
            salt: self.head.salt.restarted(random),
            ..self.head
        }
    }
}

/// What a transaction appends to the log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    pub(crate) file: File,
    pub(crate) wal: WalHeader,
    /// Commits before this one.
    pub(crate) change: u32,
    /// The transaction's first frame.
    pub(crate) first: u32,
    /// The checksum before that frame.
    base: Checksum,
    /// The checksums of the transaction's frames; those from `broken` on have to be made again.
    chain: Vec<Checksum>,
    /// The pages of the transaction's frames.
    pages: Vec<PageNo>,
    /// The first frame that was overwritten in place; 0 for none.
    broken: u32,
    /// Frames that hold an older version of a page that has another frame now.
    pub(crate) duplicates: u32,
}

/// Bytes of a frame.
pub(crate) const fn frame_size(page_size: u32) -> usize {
    FRAME_HEADER_SIZE + page_size as usize
}

impl LogWriter {
    /// A writer that goes on behind the frames of `head`, in the log's life `seq`.
    pub(crate) fn behind(
        file: File,
        head: &IndexHeader,
        seq: u32,
        page_size: u32,
    ) -> Result<LogWriter> {
        if head.page_size != page_size {
            let reason = "log and database differ in page size";
            return Err(Error::corrupt(PageNo::ONE, reason));
        }
        let wal = WalHeader {
            order: head.order,
            page_size: head.page_size,
            checkpoint_seq: seq,
            salt: head.salt,
        };
        Ok(LogWriter::new(file, wal, head, head.checksum))
    }

    /// A writer behind the frames of `head`, if there are any, whose checksum is `checksum`.
    pub(crate) fn new(
        file: File,
        wal: WalHeader,
        head: &IndexHeader,
        checksum: Checksum,
    ) -> LogWriter {
        LogWriter {
            file,
            wal,
            change: head.change,
            first: head.max_frame + 1,
            base: checksum,
            chain: Vec::new(),
            pages: Vec::new(),
            broken: 0,
            duplicates: 0,
        }
    }

    /// The frame that is appended next.
    pub(crate) fn next(&self) -> u32 {
        self.first + self.chain.len() as u32
    }

    fn checksum_before(&self, frame: u32) -> Checksum {
        match (frame - self.first).checked_sub(1) {
            Some(before) => self.chain[before as usize],
            None => self.base,
        }
    }

    /// The checksum of the last frame.
    pub(crate) fn checksum(&self) -> Checksum {
        self.checksum_before(self.next())
    }

    /// Whether checksums have to be made again before a commit.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken != 0
    }

    /// The pages of the transaction's frames, in order.
    pub(crate) fn pages(&self) -> &[PageNo] {
        &self.pages
    }

    /// Gives up the frames from `next` on.
    pub(crate) fn retreat(&mut self, next: u32) {
        self.chain.truncate((next - self.first) as usize);
        self.pages.truncate((next - self.first) as usize);
        if self.broken >= next {
            self.broken = 0;
        }
    }

    /// Appends frames for pages: the buffer to write at the end of the log. The last frame commits, where `commit` says
    /// how many pages the database has.
    pub(crate) fn append<'a>(
        &mut self,
        io: &IoHandle,
        pages: impl ExactSizeIterator<Item = (PageNo, &'a [u8])>,
        commit: Option<u32>,
    ) -> Buf {
        let size = frame_size(self.wal.page_size);
        let count = pages.len();
        let mut buf = io.alloc(count * size);
        let mut checksum = self.checksum();
        for (i, ((page, bytes), frame)) in pages.zip(buf.chunks_exact_mut(size)).enumerate() {
            let commit = commit.filter(|_| i + 1 == count);
            let header;
            (header, checksum) = FrameHeader { page, commit }.encode(bytes, &self.wal, checksum);
            frame[..FRAME_HEADER_SIZE].copy_from_slice(&header);
            frame[FRAME_HEADER_SIZE..].copy_from_slice(bytes);
            self.chain.push(checksum);
            self.pages.push(page);
        }
        buf
    }

    /// Gives a frame of this transaction to `page`, with new contents: the buffer to write over it. Checksums from there
    /// on are made again by [`LogWriter::mend`].
    pub(crate) fn overwrite(
        &mut self,
        io: &IoHandle,
        frame: u32,
        page: PageNo,
        bytes: &[u8],
    ) -> Buf {
        self.pages[(frame - self.first) as usize] = page;
        if self.broken == 0 || frame < self.broken {
            self.broken = frame;
        }
        let (header, _) = FrameHeader { page, commit: None }.encode(&[], &self.wal, Checksum::ZERO);
        let mut buf = io.alloc(frame_size(self.wal.page_size));
        buf[..FRAME_HEADER_SIZE].copy_from_slice(&header);
        buf[FRAME_HEADER_SIZE..].copy_from_slice(bytes);
        buf
    }

    /// Makes the checksums again from the first frame that was overwritten in place; the last frame commits, where
    /// `commit` says how many pages the database has.
    pub(crate) async fn mend(&mut self, io: &IoHandle, commit: Option<u32>) -> Result<()> {
        let page_size = self.wal.page_size;
        let size = frame_size(page_size);
        let next = self.next();
        let mut frame = if self.broken != 0 {
            self.broken
        } else {
            next - 1
        };
        while frame < next {
            let count = (CHUNK_BYTES / size).clamp(1, (next - frame) as usize);
            let mut buf = io.alloc(count * size);
            buf = io
                .read_exact(&self.file, frame_offset(frame, page_size), buf)
                .await?;
            let mut checksum = self.checksum_before(frame);
            for (i, bytes) in buf.chunks_exact_mut(size).enumerate() {
                let at = frame + i as u32;
                let (head, page) = bytes.split_at_mut(FRAME_HEADER_SIZE);
                let index = (at - self.first) as usize;
                let commit = commit.filter(|_| at + 1 == next);
                let header;
                (header, checksum) = FrameHeader {
                    page: self.pages[index],
                    commit,
                }
                .encode(page, &self.wal, checksum);
                head.copy_from_slice(&header);
                self.chain[index] = checksum;
            }
            let offset = frame_offset(frame, page_size);
            io.write(&self.file, offset, buf, Durability::Cached)
                .await
                .1?;
            frame += count as u32;
        }
        self.broken = 0;
        Ok(())
    }
}

/// Writes a log's header to the start of its file: the checksum with which its frames start.
pub(crate) async fn write_header(io: &IoHandle, file: &File, wal: &WalHeader) -> Result<Checksum> {
    let (bytes, checksum) = wal.encode();
    debug_assert_eq!(bytes.len(), WAL_HEADER_SIZE);
    io.write(file, 0, io.arena().copy_of(&bytes), Durability::Cached)
        .await
        .1?;
    Ok(checksum)
}
