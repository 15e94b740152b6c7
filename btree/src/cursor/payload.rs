//! Payloads that continue on overflow pages.
//!
//! Rules:
//! 1. A chain is followed only as far as the payload's size says, so that a cyclic chain ends; one that ends early is
//!    corrupt.
//! 2. A read keeps its progress in the caller's buffer, and the pages of the chain that it found in `chain`, so that
//!    a miss does not start over.
//! 3. A [`Spill`] holds the key columns of one index entry whose key is not all on its page. It is tagged with the
//!    cell and the tree's version, so that a second look at the same cell costs nothing.

use super::Cursor;
use crate::node::{Entry, IntoStop, corrupt};
use ringwood_format::overflow;
use ringwood_format::page::PageNo;
use ringwood_format::record::SerialType;
use ringwood_format::varint;
use ringwood_wal::{Try, Tx};

/// The first bytes of the payload of one index cell.
#[derive(Debug, Default)]
pub(super) struct Spill {
    buf: Vec<u8>,
    /// The next page to read.
    next: Option<PageNo>,
    page: u32,
    at: u32,
    version: u64,
}

impl Spill {
    /// Whether these are the bytes of that cell.
    #[inline]
    pub(super) fn is_for(&self, page: PageNo, at: u32, version: u64) -> bool {
        self.page == page.get() && self.at == at && self.version == version
    }
}

impl Cursor {
    /// Reads `len` bytes of the entry's payload from `offset` on into `out`, which is empty at the first call. What
    /// is in `out` at a later call counts as read: call again with the same arguments after a miss (rule 2). Only the
    /// page fetched last need be held.
    ///
    /// # Errors
    /// `Miss`, with `out` holding what was read. `Corrupt` if the range is not within the payload, or the chain ends
    /// early.
    ///
    /// # Panics
    /// Unless the cursor [is current](Cursor::is_current).
    pub fn read_payload(&mut self, tx: &Tx, offset: u32, len: u32, out: &mut Vec<u8>) -> Try<()> {
        let no = self.node.no;
        let end = offset as u64 + len as u64;
        if end > self.entry.payload_size as u64 {
            return Err(corrupt(no, "read past the end of a payload"));
        }
        let local = self.entry.local_size as u64;
        let mut at = offset as u64 + out.len() as u64;
        if at < local && at < end {
            let part = at as usize..end.min(local) as usize;
            // The borrow of the page ends before the chain is walked.
            let bytes = &self.local_payload()[part.clone()];
            out.extend_from_slice(bytes);
            at = part.end as u64;
        }
        if at >= end {
            return Ok(());
        }
        self.check_chain(tx)?;
        if out.capacity() < len as usize {
            out.reserve_exact(len as usize - out.len());
        }
        let capacity = self.geometry.overflow_capacity() as u64;
        while at < end {
            let index = ((at - local) / capacity) as usize;
            let page = self.chain_page(tx, index)?;
            let data = tx.try_page(page)?;
            let content = overflow::content(&data, self.geometry).map_err(|e| e.into_stop(page))?;
            let from = (at - local) % capacity;
            let count = (capacity - from).min(end - at);
            out.extend_from_slice(&content[from as usize..(from + count) as usize]);
            at += count;
            if index + 1 == self.chain.len()
                && at < end
                && let Some(next) = overflow::next(&data).map_err(|e| e.into_stop(page))?
            {
                self.chain.push(next);
            }
        }
        Ok(())
    }

    /// Overflow page `index` of the current cell.
    fn chain_page(&mut self, tx: &Tx, index: usize) -> Try<PageNo> {
        if self.chain.is_empty() {
            let Some(first) = self.entry.overflow else {
                return Err(corrupt(self.node.no, "payload has no overflow page"));
            };
            self.chain.push(first);
        }
        while self.chain.len() <= index {
            let last = self.chain[self.chain.len() - 1];
            let data = tx.try_page(last)?;
            match overflow::next(&data).map_err(|e| e.into_stop(last))? {
                Some(next) => self.chain.push(next),
                None => return Err(corrupt(last, "overflow chain ends early")),
            }
        }
        Ok(self.chain[index])
    }

    /// A payload that needs more pages than the database has is a lie; nothing is reserved for it.
    fn check_chain(&self, tx: &Tx) -> Try<()> {
        self.check_chain_of(tx, self.node.no, &self.entry)
    }

    fn check_chain_of(&self, tx: &Tx, no: PageNo, entry: &Entry) -> Try<()> {
        let pages = overflow::chain_len(entry.payload_size as u64, entry.local_size, self.geometry);
        if pages > tx.page_count() as u64 {
            return Err(corrupt(no, "payload is larger than the database"));
        }
        Ok(())
    }

    /// What was probed belongs to the entry that the cursor is put on, if it is of that cell.
    pub(super) fn take_probe(&mut self, no: PageNo, at: u32) {
        if self.probe.is_for(no, at, self.seen) {
            std::mem::swap(&mut self.spill, &mut self.probe);
        }
    }

    /// The key columns of a spilled cell that was probed; `None` if they are on its page.
    pub(super) fn spilled_key(&self, no: PageNo, at: u32) -> Option<&[u8]> {
        let known = [&self.spill, &self.probe]
            .into_iter()
            .find(|spill| spill.is_for(no, at, self.seen));
        known.map(|spill| spill.buf.as_slice())
    }

    /// Has the key columns of a spilled index cell in `probe`, unless they are in `spill` or on the page.
    #[cold]
    pub(super) fn probe_spilled(
        &mut self,
        tx: &Tx,
        no: PageNo,
        page: &[u8],
        entry: &Entry,
    ) -> Try<()> {
        let (version, at) = (self.seen, entry.at);
        if self.spill.is_for(no, at, version) {
            return Ok(());
        }
        let start = entry.payload_at as usize;
        let Some(local) = page.get(start..start + entry.local_size as usize) else {
            return Err(corrupt(no, "cell extends past the end of its page"));
        };
        let columns = self.info.as_ref().map_or(0, |info| info.columns.len());
        let extent = key_extent(local, entry.payload_size, columns);
        if extent as usize <= local.len() {
            return Ok(());
        }
        if !self.probe.is_for(no, at, version) {
            self.check_chain_of(tx, no, entry)?;
            self.probe.buf.clear();
            self.probe.buf.extend_from_slice(local);
            self.probe.next = entry.overflow;
            (self.probe.page, self.probe.at, self.probe.version) = (no.get(), at, version);
        }
        while self.probe.buf.len() < extent as usize {
            let Some(next) = self.probe.next else {
                return Err(corrupt(no, "overflow chain ends early"));
            };
            let data = tx.try_page(next)?;
            let content = overflow::content(&data, self.geometry).map_err(|e| e.into_stop(next))?;
            let left = entry.payload_size as usize - self.probe.buf.len();
            self.probe
                .buf
                .extend_from_slice(&content[..content.len().min(left)]);
            self.probe.next = overflow::next(&data).map_err(|e| e.into_stop(next))?;
        }
        Ok(())
    }

    /// The key of the current index entry: its record, or as much of it as has the key columns.
    pub(super) fn key_bytes(&self) -> &[u8] {
        let spilled = match self.entry.overflow {
            Some(_) => self.spilled_key(self.node.no, self.entry.at),
            None => None,
        };
        spilled.unwrap_or_else(|| self.local_payload())
    }
}

/// Bytes of a record up to the end of its first `columns` columns; all of it if `local`, its first bytes, does not
/// tell.
fn key_extent(local: &[u8], payload_size: u32, columns: usize) -> u32 {
    let Some((header, mut at)) = varint::read_u32(local) else {
        return payload_size;
    };
    if header as usize > local.len() {
        return payload_size;
    }
    let mut extent = header as u64;
    for _ in 0..columns {
        if at >= header as usize {
            break;
        }
        let Some((serial, len)) = varint::read_u32(&local[at..header as usize]) else {
            return payload_size;
        };
        at += len;
        extent += SerialType(serial).size() as u64;
    }
    extent.min(payload_size as u64) as u32
}
