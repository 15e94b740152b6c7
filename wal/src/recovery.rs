//! Recovery: what a log holds, found by reading it from its start; the index made again.
//!
//! ```text
//!  header ok? ──no──► as if there were no log
//!     │ yes
//!  frame: salt, checksum ok? ──no──► end
//!     │ yes
//!  commits? ──► its frames, and those since the last commit, go into the index
//! ```
//!
//! | the log | result |
//! |---------|--------|
//! | absent, or shorter than a header | no log |
//! | header with a wrong magic, checksum or page size | no log |
//! | header of another version | an error: SQLITE_CANTOPEN |
//! | frames, the last commit at n | the first n frames |
//! | frames, no commit | a log without frames |
//!
//! Who recovers holds the locks WRITE, CKPT and RECOVER; the header comes last, so that whoever dies half way leaves an
//! index that the next one makes again.
//!
//! Source: SQLite's `walIndexRecover`.

use crate::error::{Error, Result};
use crate::index::{IndexHeader, MARK_UNUSED, MARKS, WalIndex};
use crate::log::{CHUNK_BYTES, frame_size};
use ringwood_format::page::PageNo;
use ringwood_format::wal::{
    FRAME_HEADER_SIZE, FrameHeader, WAL_HEADER_SIZE, WalHeader, frame_count, frame_offset,
    is_version_error,
};
use ringwood_io::{File, IoHandle, SHM_READ0, ShmOwner};

/// What a log holds.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) head: IndexHeader,
    /// `checkpoint_seq` of its header.
    pub(crate) seq: u32,
    /// The pages of its committed frames, in order.
    pub(crate) pages: Vec<PageNo>,
}

/// Reads a log.
pub(crate) async fn read_log(io: &IoHandle, file: &File) -> Result<Recovered> {
    let mut found = Recovered::default();
    let size = file.len()?;
    if size < WAL_HEADER_SIZE as u64 {
        return Ok(found);
    }
    let head = io.read_exact(file, 0, io.alloc(WAL_HEADER_SIZE)).await?;
    let (wal, mut checksum) = match WalHeader::decode(&head) {
        Ok(decoded) => decoded,
        Err(error) if is_version_error(&error) => {
            return Err(Error::CantOpen("the log is of an unknown format version"));
        }
        Err(_) => return Ok(found),
    };
    found.seq = wal.checkpoint_seq;
    found.head.order = wal.order;
    found.head.page_size = wal.page_size;
    found.head.salt = wal.salt;
    found.head.checksum = checksum;
    let frame_bytes = frame_size(wal.page_size);
    let frames = frame_count(size, wal.page_size);
    let mut pages: Vec<PageNo> = Vec::new();
    let mut next = 1;
    'log: while next <= frames {
        let count = (CHUNK_BYTES / frame_bytes).clamp(1, (frames - next + 1) as usize);
        let buf = io.alloc(count * frame_bytes);
        let buf = io
            .read_exact(file, frame_offset(next, wal.page_size), buf)
            .await?;
        for bytes in buf.chunks_exact(frame_bytes) {
            let (head, page) = bytes.split_at(FRAME_HEADER_SIZE);
            let Some((frame, after)) = FrameHeader::decode(head, page, &wal, checksum) else {
                break 'log;
            };
            checksum = after;
            pages.push(frame.page);
            if let Some(page_count) = frame.commit {
                found.head.page_count = page_count;
                found.head.max_frame = pages.len() as u32;
                found.head.checksum = checksum;
            }
        }
        next += count as u32;
    }
    pages.truncate(found.head.max_frame as usize);
    found.pages = pages;
    Ok(found)
}

/// Makes an index of what was found, with its marks and header, for everybody. `owner` holds WRITE, CKPT and RECOVER,
/// where the index is shared.
pub(crate) fn install(
    index: &mut WalIndex,
    found: &Recovered,
    mut owner: Option<&mut ShmOwner>,
) -> Result<()> {
    let max = found.head.max_frame;
    index.reserve(max)?;
    index.append(0, found.pages.iter().copied())?;
    index.set_backfilled(0);
    index.set_backfill_attempted(max);
    index.set_mark(0, 0);
    for slot in 1..MARKS {
        // A mark that somebody reads under stays.
        if let Some(owner) = owner.as_deref_mut() {
            match owner.lock_exclusive(SHM_READ0 + slot, 1) {
                Ok(()) => {}
                Err(error) if error.is_busy() => continue,
                Err(error) => return Err(error.into()),
            }
        }
        let mark = if slot == 1 && max != 0 {
            max
        } else {
            MARK_UNUSED
        };
        index.set_mark(slot, mark);
        if let Some(owner) = owner.as_deref_mut() {
            owner.unlock_exclusive(SHM_READ0 + slot, 1)?;
        }
    }
    index.write_header(&found.head.encode());
    Ok(())
}
