//! Seeks: by rowid in tables, by key in indexes.
//!
//! Order of attempts, cheapest first:
//! 1. The cursor is on the key, or on the last entry and the key is larger.
//! 2. A table's next row has the key.
//! 3. The last two seeks ended on one leaf (`local`), and the key lies between that leaf's ends.
//! 4. Down from the root along the old path: a page is taken again only where the way differs (rule 5 of the cursor).
//!
//! Cost, cached, three levels: about 300 instructions for a random rowid.
//!
//! Source: SQLite's `sqlite3BtreeTableMoveto`, `sqlite3BtreeIndexMoveto`.

use super::{Cursor, Level, Seek, State};
use crate::node::{IntoStop, Node, corrupt, small_record};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::key::{
    KeyInfo, UnpackedKey, compare_record, compare_records, integer_on_page, search_record_loosely,
};
use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;
use ringwood_wal::{Try, Tx};
use std::cmp::Ordering;

/// What an index is searched for.
pub(crate) trait Sought {
    /// Orders an index record relative to it.
    fn order(&self, record: &[u8]) -> Result<Ordering, Corrupt>;

    /// Orders a record that `order` does not want, as SQLite does: the first `size` of `bytes`.
    fn order_loosely(&self, bytes: &[u8], size: usize) -> Result<Ordering, Corrupt>;

    /// See [`UnpackedKey::first_integer`].
    #[inline]
    fn first_integer(&self) -> Option<(i64, Ordering)> {
        None
    }
}

impl Sought for UnpackedKey<'_> {
    #[inline]
    fn order(&self, record: &[u8]) -> Result<Ordering, Corrupt> {
        compare_record(record, self)
    }

    fn order_loosely(&self, bytes: &[u8], size: usize) -> Result<Ordering, Corrupt> {
        search_record_loosely(bytes, size, self)
    }

    #[inline]
    fn first_integer(&self) -> Option<(i64, Ordering)> {
        UnpackedKey::first_integer(self)
    }
}

/// The key columns of a record in its stored form.
pub(crate) struct StoredKey<'a> {
    pub(crate) record: &'a [u8],
    pub(crate) info: &'a KeyInfo,
}

impl Sought for StoredKey<'_> {
    fn order(&self, record: &[u8]) -> Result<Ordering, Corrupt> {
        compare_records(record, self.record, self.info)
    }

    fn order_loosely(&self, bytes: &[u8], size: usize) -> Result<Ordering, Corrupt> {
        self.order(&bytes[..size])
    }
}

impl Cursor {
    /// Moves a table cursor to the row with that rowid, or next to where it would be.
    ///
    /// # Errors
    /// `Miss`: see rule 1 of the cursor; the cursor may be on no entry then. `Corrupt` for a malformed page.
    #[inline]
    pub fn seek_rowid(&mut self, tx: &Tx, rowid: i64) -> Try<Seek> {
        let found = self.find_rowid(tx, rowid)?;
        self.pin(tx)?;
        Ok(found)
    }

    /// As [`seek_rowid`](Cursor::seek_rowid), but the page need not be pinned afterwards.
    #[inline]
    pub(crate) fn find_rowid(&mut self, tx: &Tx, rowid: i64) -> Try<Seek> {
        debug_assert!(self.is_table());
        if !self.is_fresh() {
            self.freshen(tx);
        } else if self.state == State::Valid {
            if self.entry.rowid == rowid {
                return Ok(Seek::Equal);
            }
            if self.at_last && self.entry.rowid < rowid {
                return Ok(Seek::Less);
            }
            if let Some(found) = self.seek_rowid_nearby(tx, rowid)? {
                return Ok(found);
            }
        }
        self.descend_to_rowid(tx, rowid)
    }

    /// Attempts 2 and 3.
    #[inline]
    fn seek_rowid_nearby(&mut self, tx: &Tx, rowid: i64) -> Try<Option<Seek>> {
        let Some(page) = self.page.as_deref() else {
            return Ok(None);
        };
        let node = &self.node;
        if self.local {
            let first = node.leaf_rowid(page, 0);
            let last = node.leaf_rowid(page, node.count - 1);
            if let (Ok(first), Ok(last)) = (first, last)
                && first <= rowid
                && rowid <= last
            {
                return self.search_leaf(tx, rowid).map(Some);
            }
            self.local = false;
        } else if self.entry.rowid.wrapping_add(1) == rowid && self.ix + 1 < node.count {
            if let Ok(next) = node.leaf_rowid(page, self.ix + 1)
                && next == rowid
            {
                self.settle(tx, self.ix + 1)?;
                return Ok(Some(Seek::Equal));
            }
        }
        Ok(None)
    }

    /// Attempt 4 for a rowid. The path is fresh.
    pub(crate) fn descend_to_rowid(&mut self, tx: &Tx, rowid: i64) -> Try<Seek> {
        self.state = State::Invalid;
        self.at_last = false;
        let mut depth = 0;
        let mut changed = false;
        while depth < self.path.len() {
            let level = &mut self.path[depth];
            let ix = level
                .node
                .search_rowid_interior(&level.page, rowid)
                .map_err(|e| e.into_stop(level.node.no))?;
            depth += 1;
            if ix != level.ix {
                level.ix = ix;
                changed = true;
                break;
            }
        }
        if changed {
            self.path.truncate(depth);
            self.page = None;
        }
        if self.page.is_none() {
            let mut no = self.next_down()?;
            loop {
                let (page, node) = self.enter(tx, no)?;
                if node.is_leaf() {
                    self.page = Some(page);
                    self.node = node;
                    break;
                }
                Cursor::check_depth(self.path.len(), no)?;
                let ix = node
                    .search_rowid_interior(&page, rowid)
                    .map_err(|e| e.into_stop(no))?;
                let child = node.child(&page, ix).map_err(|e| e.into_stop(no))?;
                self.path.push(Level { page, node, ix });
                no = child;
            }
        }
        let leaf = self.node.no.get();
        self.local = leaf == self.last_leaf;
        self.last_leaf = leaf;
        let found = self.search_leaf(tx, rowid)?;
        self.notice_last(found);
        Ok(found)
    }

    /// A seek that ended behind the last entry of the rightmost leaf: remember that for the next.
    #[inline]
    fn notice_last(&mut self, found: Seek) {
        if found == Seek::Less {
            self.at_last = self.path.iter().all(|level| level.ix == level.node.count);
        }
    }

    /// The page below the path: the child that its last level took, or the root.
    fn next_down(&self) -> Try<PageNo> {
        match self.path.last() {
            Some(Level { page, node, ix }) => {
                node.child(page, *ix).map_err(|e| e.into_stop(node.no))
            }
            None => Ok(self.root),
        }
    }

    #[inline]
    fn search_leaf(&mut self, tx: &Tx, rowid: i64) -> Try<Seek> {
        let page = self.page.as_deref().expect("the leaf was entered");
        let ix = self
            .node
            .search_rowid_leaf(page, rowid)
            .map_err(|e| e.into_stop(self.node.no))?;
        if ix < self.node.count {
            self.settle(tx, ix)?;
            return Ok(if self.entry.rowid == rowid {
                Seek::Equal
            } else {
                Seek::Greater
            });
        }
        if ix == 0 {
            self.ix = 0;
            return Ok(Seek::Empty);
        }
        self.settle(tx, ix - 1)?;
        Ok(Seek::Less)
    }

    /// Moves an index cursor to the entry with that key, or next to where it would be. Where several entries agree
    /// with the key, its default decides; with `Equal` it is any of them.
    ///
    /// # Errors
    /// As [`seek_rowid`](Cursor::seek_rowid).
    pub fn seek_key(&mut self, tx: &Tx, key: &UnpackedKey<'_>) -> Try<Seek> {
        self.seek_sought(tx, key)
    }

    #[inline]
    pub(crate) fn seek_sought(&mut self, tx: &Tx, key: &impl Sought) -> Try<Seek> {
        debug_assert!(!self.is_table());
        if !self.is_fresh() {
            self.freshen(tx);
        } else if self.state == State::Valid && self.node.is_leaf() && (self.local || self.at_last)
        {
            self.pin(tx)?;
            if let Some(found) = self.seek_key_nearby(tx, key)? {
                return Ok(found);
            }
            self.local = false;
        }
        self.descend_to_key(tx, key)
    }

    /// Attempts 1 and 3.
    fn seek_key_nearby(&mut self, tx: &Tx, key: &impl Sought) -> Try<Option<Seek>> {
        let page = self.page.clone().expect("the caller saw it");
        let last = self.node.count - 1;
        let order = self.compare(tx, &page, last, key, self.node)?;
        if order == Ordering::Less {
            if self.at_last && self.ix == last {
                return Ok(Some(Seek::Less));
            }
            return Ok(None);
        }
        // The first entry of a tree's first leaf has nothing before it, but that is not worth a case of its own.
        if order == Ordering::Greater
            && self.compare(tx, &page, 0, key, self.node)? == Ordering::Greater
        {
            return Ok(None);
        }
        self.search_index_leaf(tx, &page, key).map(Some)
    }

    /// Attempt 4 for a key. The path is fresh.
    pub(crate) fn descend_to_key(&mut self, tx: &Tx, key: &impl Sought) -> Try<Seek> {
        // A cursor on an interior entry: its page is one more level of the way, with no child taken yet.
        if !self.node.is_leaf()
            && let Some(page) = self.page.take()
        {
            self.path.push(Level {
                page,
                node: self.node,
                ix: u16::MAX,
            });
        }
        self.state = State::Invalid;
        self.at_last = false;
        let mut depth = 0;
        while depth < self.path.len() {
            let Level {
                page,
                node,
                ix: old,
            } = &self.path[depth];
            let old = *old;
            let (ix, equal) = match search_small(page, node, key, self.usable, self.max_local) {
                Some(found) => found,
                None => {
                    let (page, node) = (page.clone(), *node);
                    self.search_index(tx, &page, key, node)?
                }
            };
            if equal {
                return self.stand_on_interior(tx, depth, ix);
            }
            depth += 1;
            if ix != old {
                self.path[depth - 1].ix = ix;
                self.path.truncate(depth);
                self.page = None;
            }
        }
        if self.page.is_none() {
            let mut no = self.next_down()?;
            loop {
                let (page, node) = self.enter(tx, no)?;
                if node.is_leaf() {
                    self.page = Some(page);
                    self.node = node;
                    break;
                }
                Cursor::check_depth(self.path.len(), no)?;
                let (ix, equal) = match search_small(&page, &node, key, self.usable, self.max_local)
                {
                    Some(found) => found,
                    None => self.search_index(tx, &page, key, node)?,
                };
                let child = node.child(&page, ix).map_err(|e| e.into_stop(no))?;
                self.path.push(Level { page, node, ix });
                if equal {
                    return self.stand_on_interior(tx, self.path.len() - 1, ix);
                }
                no = child;
            }
        }
        let leaf = self.node.no.get();
        self.local = leaf == self.last_leaf;
        self.last_leaf = leaf;
        let page = self.page.clone().expect("the leaf was entered");
        let found = self.search_index_leaf(tx, &page, key)?;
        self.notice_last(found);
        Ok(found)
    }

    /// Ends a seek on cell `ix` of `path[depth]`.
    fn stand_on_interior(&mut self, tx: &Tx, depth: usize, ix: u16) -> Try<Seek> {
        self.path.truncate(depth + 1);
        let Some(Level { page, node, .. }) = self.path.pop() else {
            return Ok(Seek::Empty);
        };
        self.page = Some(page);
        self.node = node;
        self.local = false;
        self.settle(tx, ix)?;
        Ok(Seek::Equal)
    }

    fn search_index_leaf(&mut self, tx: &Tx, page: &PageRef, key: &impl Sought) -> Try<Seek> {
        let node = self.node;
        let (ix, equal) = match search_small(page, &node, key, self.usable, self.max_local) {
            Some(found) => found,
            None => self.search_index(tx, &page.clone(), key, node)?,
        };
        if equal || ix < node.count {
            self.settle(tx, ix)?;
            return Ok(if equal { Seek::Equal } else { Seek::Greater });
        }
        if ix == 0 {
            self.ix = 0;
            return Ok(Seek::Empty);
        }
        self.settle(tx, ix - 1)?;
        Ok(Seek::Less)
    }

    /// The first cell of an index page that is not less than the key, or one that is equal: on a page whose key
    /// cells are not all small.
    #[cold]
    fn search_index(
        &mut self,
        tx: &Tx,
        page: &PageRef,
        key: &impl Sought,
        node: Node,
    ) -> Try<(u16, bool)> {
        let (mut low, mut high) = (0, node.count);
        while low < high {
            // Of two in the middle the first, as SQLite's: on damaged pages it matters where one looks.
            let mid = (low + high - 1) / 2;
            match self.compare(tx, page, mid, key, node)? {
                Ordering::Less => low = mid + 1,
                Ordering::Greater => high = mid,
                Ordering::Equal => return Ok((mid, true)),
            }
        }
        Ok((low, false))
    }

    /// Orders cell `ix` against the key, reading overflow pages where key columns lie on them.
    fn compare(
        &mut self,
        tx: &Tx,
        page: &PageRef,
        ix: u16,
        key: &impl Sought,
        node: Node,
    ) -> Try<Ordering> {
        let at = node.cell_at(page, ix);
        if let Some(record) = small_record(page, at, node.kind, self.usable, self.max_local)
            && let Ok(order) = key.order(record)
        {
            return Ok(order);
        }
        let entry = node
            .entry_to_read(page, ix, self.geometry)
            .map_err(|e| e.into_stop(node.no))?;
        let (bytes, size) = (
            &page[entry.payload_at as usize..],
            entry.local_size as usize,
        );
        if entry.overflow.is_none() {
            if entry.local_size < entry.payload_size {
                return Err(corrupt(node.no, "payload has no overflow page"));
            }
            return key
                .order(&bytes[..size])
                .or_else(|_| key.order_loosely(bytes, size))
                .map_err(|e| e.into_stop(node.no));
        }
        self.probe_spilled(tx, node.no, page, &entry)?;
        let record = self
            .spilled_key(node.no, entry.at)
            .unwrap_or(&bytes[..size]);
        key.order(record).map_err(|e| e.into_stop(node.no))
    }
}

/// [`Cursor::search_index`] where all cells that are looked at are small and make sense; `None` at one that is not.
#[inline(always)]
fn search_small(
    page: &[u8],
    node: &Node,
    key: &impl Sought,
    usable: u32,
    max_local: u32,
) -> Option<(u16, bool)> {
    match key.first_integer() {
        // Cells of less than 128 bytes are whole, but on the smallest pages.
        Some(first) if max_local >= 0x80 => {
            search_integers(page, node, key, first, usable, max_local)
        }
        _ => search_in_general(page, node, key, usable, max_local),
    }
}

#[inline(always)]
fn search_in_general(
    page: &[u8],
    node: &Node,
    key: &impl Sought,
    usable: u32,
    max_local: u32,
) -> Option<(u16, bool)> {
    let pointers = node.pointers_of(page);
    let (mut low, mut high) = (0, pointers.len());
    while low < high {
        let mid = (low + high - 1) / 2;
        let at = u16::from_be_bytes(*pointers.get(mid)?) as usize;
        let record = small_record(page, at, node.kind, usable, max_local)?;
        match key.order(record) {
            Ok(Ordering::Less) => low = mid + 1,
            Ok(Ordering::Greater) => high = mid,
            Ok(Ordering::Equal) => return Some((mid as u16, true)),
            Err(_) => return None,
        }
    }
    Some((low as u16, false))
}

/// The same for a key whose first column is the integer `wanted`; a record with a smaller one is `less`.
#[inline(always)]
fn search_integers(
    page: &[u8],
    node: &Node,
    key: &impl Sought,
    (wanted, less): (i64, Ordering),
    usable: u32,
    max_local: u32,
) -> Option<(u16, bool)> {
    let lead = if node.is_leaf() { 0 } else { 4 };
    let ascends = less == Ordering::Less;
    let pointers = node.pointers_of(page);
    let (mut low, mut high) = (0, pointers.len());
    while low < high {
        let mid = (low + high - 1) / 2;
        let at = u16::from_be_bytes(*pointers.get(mid)?) as usize;
        if let Some(found) = integer_on_page(page, at + lead, usable)
            && found != wanted
        {
            if (found < wanted) == ascends {
                low = mid + 1;
            } else {
                high = mid;
            }
            continue;
        }
        let record = small_record(page, at, node.kind, usable, max_local)?;
        match key.order(record) {
            Ok(Ordering::Less) => low = mid + 1,
            Ok(Ordering::Greater) => high = mid,
            Ok(Ordering::Equal) => return Some((mid as u16, true)),
            Err(_) => return None,
        }
    }
    Some((low as u16, false))
}
