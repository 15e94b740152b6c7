//! Merging runs: a heap of readers by their current records.
//!
//! Rules:
//! 1. Of equal records the one of the earlier run comes first, so that the sorter is stable.
//! 2. `heap[0]` is the reader with the current record; readers at their end leave the heap.

use super::prefix::prefix;
use super::run::{Reader, Spill};
use crate::error::{Error, Result};
use ringwood_format::key::{KeyInfo, compare_records};
use ringwood_io::IoHandle;
use std::cmp::Ordering;
use std::sync::Arc;

/// Runs that are being merged.
pub(super) struct Merge {
    info: Arc<KeyInfo>,
    readers: Vec<Reader>,
    heap: Vec<u32>,
}

impl Merge {
    /// Opens a reader on each run and goes to the first record.
    pub(super) async fn start(io: &IoHandle, spill: &Spill, info: Arc<KeyInfo>) -> Result<Merge> {
        let mut merge = Merge {
            info,
            readers: Vec::new(),
            heap: Vec::new(),
        };
        for &run in &spill.runs {
            let mut reader = Reader::new(run);
            let on_record = loop {
                match reader.advance()? {
                    Some(on_record) => break on_record,
                    None => reader.refill(io, spill).await?,
                }
            };
            if on_record {
                reader.prefix = prefix(reader.record(), &merge.info)?.0;
                merge.heap.push(merge.readers.len() as u32);
                merge.readers.push(reader);
            }
        }
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sink(at)?;
        }
        Ok(merge)
    }

    /// The current record.
    #[inline]
    pub(super) fn record(&self) -> Option<&[u8]> {
        self.heap
            .first()
            .map(|&reader| self.readers[reader as usize].record())
    }

    /// Goes to the next record: false at the end, none if the first reader has to be refilled.
    pub(super) fn next(&mut self) -> Result<Option<bool>> {
        let Some(&first) = self.heap.first() else {
            return Ok(Some(false));
        };
        let reader = &mut self.readers[first as usize];
        match reader.advance()? {
            None => return Ok(None),
            Some(true) => reader.prefix = prefix(reader.record(), &self.info)?.0,
            Some(false) => {
                self.heap.swap_remove(0);
            }
        }
        self.sink(0)?;
        Ok(Some(!self.heap.is_empty()))
    }

    /// Reads on in the run of the first reader.
    pub(super) async fn refill(&mut self, io: &IoHandle, spill: &Spill) -> Result<()> {
        match self.heap.first() {
            Some(&first) => self.readers[first as usize].refill(io, spill).await,
            None => Ok(()),
        }
    }

    fn is_before(&self, a: u32, b: u32) -> Result<bool> {
        let (x, y) = (&self.readers[a as usize], &self.readers[b as usize]);
        let order = match x.prefix.cmp(&y.prefix) {
            Ordering::Equal => {
                compare_records(x.record(), y.record(), &self.info).map_err(|_| Error::corrupt())?
            }
            order => order,
        };
        Ok(order.then(a.cmp(&b)) == Ordering::Less)
    }

    /// Moves the reader at `at` down the heap to its place.
    fn sink(&mut self, mut at: usize) -> Result<()> {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.is_before(self.heap[child], self.heap[least])? {
                    least = child;
                }
            }
            if least == at {
                return Ok(());
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}
