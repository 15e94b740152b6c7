//! Sorted runs in a file without a name.
//!
//! ```text
//!   file   | run 0: len record len record … | run 1: … |          len: varint
//! ```
//!
//! A reader holds a stretch of its run in memory; when the next record is not all there, it wants to be refilled.

use crate::error::{Error, Result};
use ringwood_format::varint;
use ringwood_io::{Durability, File, IoHandle};

/// Bytes that a run is written in at a time.
const WRITE_SIZE: usize = 256 * 1024;
/// Bytes that a run is read in at a time.
const READ_SIZE: usize = 64 * 1024;

/// The file with the runs.
pub(super) struct Spill {
    file: File,
    end: u64,
    /// Where each run starts and ends.
    pub(super) runs: Vec<(u64, u64)>,
}

impl Spill {
    pub(super) fn open(io: &IoHandle) -> Result<Spill> {
        let file = io.open_temporary(None).map_err(Error::from)?;
        Ok(Spill {
            file,
            end: 0,
            runs: Vec::new(),
        })
    }

    /// Appends a run of records that are in order.
    pub(super) async fn write_run<'a>(
        &mut self,
        io: &IoHandle,
        records: impl Iterator<Item = &'a [u8]>,
    ) -> Result<()> {
        let start = self.end;
        let mut chunk = Vec::with_capacity(WRITE_SIZE);
        for record in records {
            varint::push(&mut chunk, record.len() as u64);
            chunk.extend_from_slice(record);
            if chunk.len() >= WRITE_SIZE {
                self.write(io, &chunk).await?;
                chunk.clear();
            }
        }
        if !chunk.is_empty() {
            self.write(io, &chunk).await?;
        }
        self.runs.push((start, self.end));
        Ok(())
    }

    async fn write(&mut self, io: &IoHandle, bytes: &[u8]) -> Result<()> {
        let mut buf = io.alloc(bytes.len());
        buf.copy_from_slice(bytes);
        let (_, result) = io
            .write(&self.file, self.end, buf, Durability::Cached)
            .await;
        result?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// Reads a run.
pub(super) struct Reader {
    /// Where the file goes on after `buffer`, and where the run ends.
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    /// The current record in `buffer`.
    at: usize,
    len: usize,
    pub(super) prefix: u64,
}

impl Reader {
    pub(super) fn new((start, end): (u64, u64)) -> Reader {
        Reader {
            next: start,
            end,
            buffer: Vec::new(),
            at: 0,
            len: 0,
            prefix: 0,
        }
    }

    /// The current record.
    #[inline]
    pub(super) fn record(&self) -> &[u8] {
        &self.buffer[self.at..self.at + self.len]
    }

    /// Goes to the next record: false at the end of the run, none if it has to be refilled first.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<bool>> {
        let from = self.at + self.len;
        let rest = &self.buffer[from..];
        if rest.is_empty() && self.next >= self.end {
            return Ok(Some(false));
        }
        if let Some((len, size)) = varint::read(rest) {
            if rest.len() as u64 >= len + size as u64 {
                self.at = from + size;
                self.len = len as usize;
                return Ok(Some(true));
            }
        }
        if self.next >= self.end {
            Err(Error::corrupt())
        } else {
            Ok(None)
        }
    }

    /// Reads on, at least as far as the next record.
    pub(super) async fn refill(&mut self, io: &IoHandle, spill: &Spill) -> Result<()> {
        self.buffer.drain(..self.at + self.len);
        (self.at, self.len) = (0, 0);
        let wanted = varint::read(&self.buffer).map_or(0, |(len, size)| len as usize + size);
        let missing = wanted.saturating_sub(self.buffer.len()).max(READ_SIZE) as u64;
        let mut left = missing.min(self.end - self.next);
        while left > 0 {
            let size = left.min(WRITE_SIZE as u64);
            let buf = io
                .read_exact(&spill.file, self.next, io.alloc(size as usize))
                .await?;
            self.buffer.extend_from_slice(&buf);
            self.next += size;
            left -= size;
        }
        Ok(())
    }
}
