//! Overflow chains as a whole: written, overwritten, listed to be freed.
//!
//! Each page of a chain is written once, when the number of the next is known. The rules for following a chain are
//! those of [`cursor::payload`](crate::cursor).

use crate::node::{Entry, IntoStop};
use crate::wait::{fetch, wait};
use ringwood_format::btree_page::PageKind;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::ptrmap::PtrmapEntry;
use ringwood_format::varint;
use ringwood_wal::{Allocate, Error, Result, Tx};

/// A row or an index record to be stored, with zeros at its end that need not be in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payload<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Count of zeros behind them (`zeroblob`).
    pub zeros: u32,
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Payload<'a> {
        Payload { bytes, zeros: 0 }
    }
}

impl Payload<'_> {
    /// Bytes and zeros together.
    #[inline]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 + self.zeros as u64
    }

    /// Copies the payload from `from` on to `out`, which must not reach past its end.
    #[inline]
    pub(crate) fn copy_to(&self, from: usize, out: &mut [u8]) {
        let stored = self.bytes.len().saturating_sub(from).min(out.len());
        if stored > 0 {
            out[..stored].copy_from_slice(&self.bytes[from..from + stored]);
        }
        // Seldom: and a call that fills nothing is not free.
        if stored < out.len() {
            out[stored..].fill(0);
        }
    }

    /// Whether the payload from `from` on starts with `bytes`.
    #[inline]
    pub(crate) fn is_at(&self, from: usize, bytes: &[u8]) -> bool {
        let stored = self.bytes.len().saturating_sub(from).min(bytes.len());
        let (head, tail) = bytes.split_at(stored);
        (stored == 0 || head == &self.bytes[from..from + stored])
            && tail.iter().all(|&byte| byte == 0)
    }
}

/// The cell of a leaf (or, with room for its child, of an interior index page), its overflow chain written.
///
/// # Suspends
/// While overflow pages are allocated.
pub(crate) async fn encode_cell(
    tx: &mut Tx,
    geometry: Geometry,
    kind: PageKind,
    left_child: Option<PageNo>,
    rowid: i64,
    payload: Payload<'_>,
    near: PageNo,
) -> Result<Vec<u8>> {
    let size = payload.size();
    let local = geometry.local_size(size, kind.max_local(geometry)) as usize;
    let mut cell = Vec::with_capacity(local + 26);
    if let Some(child) = left_child {
        cell.extend_from_slice(&child.get().to_be_bytes());
    }
    varint::push(&mut cell, size);
    if kind.is_table() {
        varint::push(&mut cell, rowid as u64);
    }
    let start = cell.len();
    cell.resize(start + local, 0);
    payload.copy_to(0, &mut cell[start..]);
    if (local as u64) < size {
        let first = write_chain(tx, geometry, payload, local, near).await?;
        cell.extend_from_slice(&first.get().to_be_bytes());
    }
    if cell.len() < 4 {
        cell.resize(4, 0);
    }
    Ok(cell)
}

/// Writes the payload from `from` on to new overflow pages: the first of them.
async fn write_chain(
    tx: &mut Tx,
    geometry: Geometry,
    payload: Payload<'_>,
    from: usize,
    near: PageNo,
) -> Result<PageNo> {
    let capacity = geometry.overflow_capacity() as usize;
    let size = payload.size() as usize;
    let first = tx.allocate(Some(near), Allocate::Any).await?;
    let (mut at, mut page) = (from, first);
    loop {
        let count = capacity.min(size - at);
        let next = if at + count < size {
            Some(tx.allocate(Some(page), Allocate::Any).await?)
        } else {
            None
        };
        // What was fetched is held: a crowded transaction copies no page that nobody holds.
        let mut held = None;
        loop {
            match tx.page_mut(page) {
                Ok(data) => {
                    overflow::set_next(data, next);
                    payload.copy_to(
                        at,
                        &mut data[overflow::CONTENT_OFFSET..overflow::CONTENT_OFFSET + count],
                    );
                    break;
                }
                Err(stop) => held = Some(fetch(tx, stop).await?),
            }
        }
        drop(held);
        at += count;
        match next {
            Some(next) => {
                tx.ptrmap_put(next, PtrmapEntry::Overflow2(page)).await?;
                page = next;
            }
            None => return Ok(first),
        }
    }
}

/// The overflow pages of a cell.
pub(crate) async fn chain_pages(
    tx: &Tx,
    geometry: Geometry,
    no: PageNo,
    entry: &Entry,
) -> Result<Vec<PageNo>> {
    let mut pages = Vec::new();
    let Some(mut page) = entry.overflow else {
        return Ok(pages);
    };
    let count = overflow::chain_len(entry.payload_size as u64, entry.local_size, geometry);
    if count > tx.page_count() as u64 {
        return Err(Error::from(Corrupt::on(
            no,
            "payload is larger than the database",
        )));
    }
    loop {
        pages.push(page);
        if pages.len() as u64 == count {
            return Ok(pages);
        }
        let next = wait!(
            tx,
            match tx.try_page(page) {
                Ok(data) => overflow::next(&data).map_err(|e| e.into_stop(page)),
                Err(stop) => Err(stop),
            }
        );
        match next {
            Some(next) => page = next,
            None => return Err(Error::from(Corrupt::on(page, "overflow chain ends early"))),
        }
    }
}

/// Writes the payload from `from` on over that of an existing chain of the same length.
pub(crate) async fn overwrite_chain(
    tx: &mut Tx,
    geometry: Geometry,
    payload: Payload<'_>,
    from: usize,
    pages: &[PageNo],
) -> Result<()> {
    let capacity = geometry.overflow_capacity() as usize;
    let size = payload.size() as usize;
    let mut at = from;
    for &page in pages {
        let end = (at + capacity).min(size);
        let range = overflow::CONTENT_OFFSET..overflow::CONTENT_OFFSET + (end - at);
        let old = tx.page(page).await?;
        if !payload.is_at(at, &old[range.clone()]) {
            drop(old);
            // What was fetched is held: a crowded transaction copies no page that nobody holds.
            let mut held = None;
            loop {
                match tx.page_mut(page) {
                    Ok(data) => {
                        payload.copy_to(at, &mut data[range]);
                        break;
                    }
                    Err(stop) => held = Some(fetch(tx, stop).await?),
                }
            }
            drop(held);
        }
        at = end;
    }
    Ok(())
}
