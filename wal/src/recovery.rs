//! Recovery: what a log holds, found by reading it from its start.
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
//! Source: SQLite's `walIndexRecover`.

use crate::error::{Error, Result};
use crate::index::WalIndex;
use crate::log::{CHUNK_BYTES, LogState, frame_size};
use ringwood_format::page::PageNo;
use ringwood_format::wal::{
    FRAME_HEADER_SIZE, FrameHeader, WAL_HEADER_SIZE, WalHeader, frame_count, frame_offset,
    is_version_error,
};
use ringwood_io::{File, IoHandle};

/// What was found.
pub(crate) struct Recovered {
    pub(crate) state: LogState,
    /// Pages of the database after the last commit; 0 if there is none.
    pub(crate) page_count: u32,
}

/// Reads a log, and appends its committed frames to `index`, which is empty.
pub(crate) async fn recover(io: &IoHandle, file: &File, index: &mut WalIndex) -> Result<Recovered> {
    let mut found = Recovered {
        state: LogState {
            generation: index.generation(),
            ..LogState::default()
        },
        page_count: 0,
    };
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
    found.state.header = Some(wal);
    found.state.checksum = checksum;
    let frame_bytes = frame_size(wal.page_size);
    let frames = frame_count(size, wal.page_size);
    let mut uncommitted: Vec<PageNo> = Vec::new();
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
            uncommitted.push(frame.page);
            if let Some(page_count) = frame.commit {
                index.append(uncommitted.drain(..));
                found.page_count = page_count;
                found.state.max_frame = index.last();
                found.state.checksum = checksum;
            }
        }
        next += count as u32;
    }
    Ok(found)
}
