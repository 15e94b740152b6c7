//! Deleting entries.
//!
//! | the entry                                                   | what happens |
//! |-------------------------------------------------------------|--------------|
//! | on a leaf that stays at least a third full, or on the root, without overflow pages | taken off, without waiting |
//! | on a leaf                                                   | taken off; the leaf is balanced |
//! | on an interior page (index)                                 | the entry before it, the last one of a leaf, takes its place, and leaves its leaf; that is balanced, and then the interior page |
//!
//! Rules:
//! 1. With `keep_position` the cursor remembers the entry's key: the next `next` or `previous` goes to the row that
//!    follows or precedes it, whatever else happens to the tree until then.
//! 2. Overflow pages are freed after the tree is whole again.
//! 3. How full a leaf of many entries is, is looked at for every eighth deletion: the walk along its freeblocks would be
//!    a third of the work of deleting. It may be a little less than a third full for a while.
//!
//! Source: SQLite's `sqlite3BtreeDelete`.

use crate::balance::deal::exact_cell;
use crate::balance::plan::Wanted;
use crate::chain::chain_pages;
use crate::cursor::{Cursor, Level, State};
use crate::node::{IntoStop, check, corrupt};
use crate::page::edit::PageEdit;
use crate::wait::wait;
use ringwood_format::page::PageNo;
use ringwood_wal::{Result, Stop, Try, Tx};

/// Rule 3: a leaf with fewer entries is always looked at.
const COUNTED_BELOW: usize = 16;
/// Rule 3: one with more, when it has a multiple of that many.
const COUNTED_EVERY: usize = 8;

impl Cursor {
    /// Deletes the cursor's entry, if that can be done without waiting. Without an entry, or if it is gone, nothing
    /// happens. With `keep_position` see rule 1; otherwise the cursor is on no entry afterwards.
    ///
    /// # Errors
    /// `Miss`: fetch the page and call again; `Slow`: call [`delete`](Cursor::delete) with the same arguments. The
    /// tree has not changed in either case. `Corrupt` may leave the tree changed in part.
    pub fn try_delete(&mut self, tx: &mut Tx, keep_position: bool) -> Try<()> {
        if !self.is_fresh() || self.state != State::Valid {
            self.sync(tx)?;
            if self.state != State::Valid {
                return Ok(());
            }
        }
        if !self.node.is_leaf() || self.entry.overflow.is_some() {
            return Err(Stop::Slow);
        }
        let (no, ix, geometry) = (self.node.no, self.ix, self.geometry);
        if keep_position {
            self.remember_key(tx)?;
        }
        self.page = None;
        let secure = tx.secure_delete();
        let data = tx.page_mut(no)?;
        let mut page = PageEdit::known(data, geometry, self.node).map_err(|e| e.into_stop(no))?;
        let count = usize::from(self.node.count);
        if count < COUNTED_BELOW || count % COUNTED_EVERY == 0 {
            let free = page.free_space().map_err(|e| e.into_stop(no))? + self.entry.size() + 2;
            if !self.path.is_empty() && free * 3 > geometry.usable() as usize * 2 {
                return Err(Stop::Slow);
            }
        }
        let removed = if secure {
            page.wipe(ix)
        } else {
            page.remove(ix)
        };
        removed.map_err(|e| e.into_stop(no))?;
        self.node = page.node;
        self.changed();
        self.at_last = false;
        self.appending = false;
        self.state = if !keep_position {
            State::Invalid
        } else if self.node.count == 0 {
            // The only entry of the tree: nothing comes next, unless something is inserted; the key will tell.
            State::Saved
        } else if ix == self.node.count {
            self.ix = ix - 1;
            State::SkipPrev
        } else {
            State::SkipNext
        };
        Ok(())
    }

    /// Deletes the cursor's entry. Without an entry, or if it is gone, nothing happens.
    ///
    /// # Errors
    /// After an error, or if the future is dropped, the transaction must be rolled back to a savepoint.
    pub async fn delete(&mut self, tx: &mut Tx, keep_position: bool) -> Result<()> {
        if self
            .fast(tx, |cursor, tx| cursor.try_delete(tx, keep_position))
            .await?
        {
            return Ok(());
        }
        wait!(tx, self.pin(tx));
        let geometry = self.geometry;
        let (no, entry) = (self.node.no, self.entry);
        let chain = chain_pages(tx, geometry, no, &entry).await?;
        if keep_position {
            wait!(tx, self.remember_key(tx));
        }
        let left_child = match (self.node.is_leaf(), self.page.as_deref()) {
            (false, Some(page)) => Some(self.node.child(page, self.ix)?),
            _ => None,
        };
        self.appending = false;
        let mut path = self.take_way();
        let mut wanted = Wanted {
            at: self.ix,
            remove: 1,
            insert: None,
            interior: None,
            appending: false,
        };
        if !self.node.is_leaf() {
            let depth = path.len() - 1;
            let leaf = wait!(tx, self.predecessor(tx, &mut path));
            let mut moved = left_child.map_or(0, PageNo::get).to_be_bytes().to_vec();
            moved.extend_from_slice(&leaf);
            wanted.interior = Some((depth, wanted.at, moved));
            wanted.at = path[path.len() - 1].ix;
        }
        self.carry_out(tx, path, wanted, no, &chain).await?;
        if keep_position {
            self.state = State::Saved;
        }
        Ok(())
    }

    /// Extends `path`, which ends on an interior index page, to the leaf with the entry before its cell `ix`: the
    /// bytes of that entry's cell. After a miss, `path` is as far as it got.
    fn predecessor(&self, tx: &Tx, path: &mut Vec<Level>) -> Try<Vec<u8>> {
        loop {
            let Level { page, node, ix } = &path[path.len() - 1];
            if node.is_leaf() {
                let bytes = node
                    .cell_bytes(page, *ix, self.geometry)
                    .map_err(|e| e.into_stop(node.no))?;
                let bytes = exact_cell(bytes, node.kind, self.geometry)
                    .map_err(|e| e.into_stop(node.no))?;
                return Ok(bytes.to_vec());
            }
            let no = node.child(page, *ix).map_err(|e| e.into_stop(node.no))?;
            if path.len() >= crate::node::DEPTH_MAX {
                return Err(corrupt(no, "tree is too deep"));
            }
            let page = tx.try_page(no)?;
            let node =
                check(&page, no, false, false, self.geometry).map_err(|e| e.into_stop(no))?;
            let ix = if node.is_leaf() {
                node.count - 1
            } else {
                node.count
            };
            path.push(Level { page, node, ix });
        }
    }
}
