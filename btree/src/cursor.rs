//! A cursor: a place in a table or an index tree.
//!
//! ```text
//!   path[0]  root, pinned        ix: the child that was taken
//!   path[1]  interior, pinned    ix
//!   page     the page it stands on, pinned; ix: the entry, cell: its numbers
//!            (a leaf; on an interior page only in index trees, whose interior cells are entries)
//! ```
//!
//! | state      | page        | meaning |
//! |------------|-------------|---------|
//! | `Invalid`  | any         | no entry: before the first move, past either end, in an empty tree |
//! | `Valid`    | pinned      | stands on entry `ix` |
//! | `Valid`    | not pinned  | the same, after a change through this cursor, which gave the pin up |
//! | `SkipNext` | any         | its entry is gone; it stands on the one after, and `next` stays there |
//! | `SkipPrev` | any         | its entry is gone; it stands on the one before, and `previous` stays there |
//! | `Saved`    | none        | knows its key only, and seeks it at its next use |
//!
//! Rules:
//! 1. Moves are plain functions that answer `Miss` where a page is not resident. Nothing but pins has changed then:
//!    fetch the page, hold it, and call again. While the caller holds what it fetched, every call gets further.
//! 2. `seen` is the tree's version at which path and place were right. A cursor that finds another version keeps
//!    nothing but its key, which it takes from the page version that it has pinned; then it seeks that key again.
//!    So nobody keeps a list of cursors, and a change does not wait for them.
//! 3. A change through a cursor gives up its pin on the page (a pinned page would be copied), and moves `seen` along.
//!    Before reading again, the caller asks [`is_current`](Cursor::is_current) and else calls
//!    [`restore`](Cursor::restore).
//! 4. The key of an index entry is always in hand: on the page, or, where a key column lies on overflow pages,
//!    in `spill`, read when the cursor arrives. So rule 2 holds although overflow pages may be recycled.
//! 5. `path` is right whenever `seen` is, whatever the state: a seek starts from it and takes again only the pages
//!    where the way differs.
//!
//! Cost: a step within a leaf decodes one cell and touches no map.
//!
//! Source: SQLite's `BtCursor`, `saveCursorPosition`, `restoreCursorPosition`.

mod payload;
mod restore;
mod seek;
mod step;

use crate::insert::Pending;
use crate::node::{DEPTH_MAX, Entry, IntoStop, Node, check, corrupt, small_entry};
use payload::Spill;
use ringwood_format::btree_page::PageKind;
use ringwood_format::key::KeyInfo;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_pager::PageRef;
use ringwood_wal::{TreeVersion, Try, Tx};
pub(crate) use seek::StoredKey;
use std::sync::Arc;

/// Where a seek left the cursor: its entry against the key that was sought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    /// The tree has no entries; the cursor is on none.
    Empty,
    /// The entry is smaller than the key, and the next larger entry is larger than the key.
    Less,
    /// The entry has the key.
    Equal,
    /// The entry is larger than the key, and the next smaller entry is smaller than the key.
    Greater,
}

/// What became of the cursor's entry while others changed the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// The cursor is on the entry that it was on.
    Same,
    /// That entry is gone. The cursor is on a neighbour, and the next step goes where it would have gone.
    Moved,
    /// That entry is gone, and so are all others; or the cursor was on none.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Invalid,
    Valid,
    SkipNext,
    SkipPrev,
    Saved,
}

/// A page on the way down.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) page: PageRef,
    pub(crate) node: Node,
    /// The child that was taken; the count of cells for the right child.
    pub(crate) ix: u16,
}

/// A place in a tree.
#[derive(Debug)]
pub struct Cursor {
    pub(crate) root: PageNo,
    /// How the keys of an index tree are ordered; none for tables.
    pub(crate) info: Option<Arc<KeyInfo>>,
    pub(crate) state: State,
    /// The cursor is on the last entry of the tree.
    pub(crate) at_last: bool,
    /// The last two seeks ended on one leaf: look there first.
    local: bool,
    /// The last change through this cursor was an insert behind the last entry.
    pub(crate) appending: bool,
    pub(crate) ix: u16,
    pub(crate) geometry: Geometry,
    pub(crate) page: Option<PageRef>,
    pub(crate) node: Node,
    pub(crate) entry: Entry,
    /// Of the geometry, and of the tree's leaves.
    usable: u32,
    pub(crate) max_local: u32,
    /// Where a fast path of an insert gave up.
    pub(crate) pending: Option<Pending>,
    version: Option<TreeVersion>,
    seen: u64,
    pub(crate) path: Vec<Level>,
    scratch: Vec<Level>,
    last_leaf: u32,
    /// The key of a `Saved`, `SkipNext` or `SkipPrev` cursor.
    saved_rowid: i64,
    saved_key: Vec<u8>,
    /// Overflow pages of the current cell, as far as they are known.
    chain: Vec<PageNo>,
    /// The key of the current entry, where it is not on the page (rule 4).
    spill: Spill,
    /// The same for the entry that is being looked at.
    probe: Spill,
}

impl Cursor {
    /// A cursor on the table tree with that root, on no entry yet.
    pub fn table(root: PageNo) -> Cursor {
        Cursor::new(root, None)
    }

    /// A cursor on the index tree with that root, on no entry yet. Keys are ordered by `info`.
    pub fn index(root: PageNo, info: Arc<KeyInfo>) -> Cursor {
        Cursor::new(root, Some(info))
    }

    fn new(root: PageNo, info: Option<Arc<KeyInfo>>) -> Cursor {
        let kind = if info.is_none() {
            PageKind::TableLeaf
        } else {
            PageKind::IndexLeaf
        };
        Cursor {
            root,
            info,
            state: State::Invalid,
            at_last: false,
            local: false,
            appending: false,
            ix: 0,
            geometry: Geometry::default(),
            page: None,
            node: Node::none(root, kind),
            entry: Entry::default(),
            usable: 0,
            max_local: 0,
            pending: None,
            version: None,
            seen: 0,
            path: Vec::new(),
            scratch: Vec::new(),
            last_leaf: 0,
            saved_rowid: 0,
            saved_key: Vec::new(),
            chain: Vec::new(),
            spill: Spill::default(),
            probe: Spill::default(),
        }
    }

    /// Forgets the place and gives all pins up; the cursor may be used again, also in another transaction.
    /// Buffers are kept.
    pub fn reset(&mut self) {
        self.forget();
        self.version = None;
        self.local = false;
        self.appending = false;
        self.last_leaf = 0;
    }

    /// As [`reset`](Cursor::reset), for another tree.
    pub fn reopen(&mut self, root: PageNo, info: Option<Arc<KeyInfo>>) {
        self.reset();
        self.root = root;
        self.info = info;
    }

    /// The root of its tree.
    pub fn root(&self) -> PageNo {
        self.root
    }

    /// How its keys are ordered; `None` on a table.
    pub fn key_info(&self) -> Option<&Arc<KeyInfo>> {
        self.info.as_ref()
    }

    /// Whether it is a cursor on a table tree.
    #[inline]
    pub fn is_table(&self) -> bool {
        self.info.is_none()
    }

    /// Whether the cursor has a place: an entry, or the place of one that is gone. False past the ends.
    #[inline]
    pub fn is_valid(&self) -> bool {
        self.state != State::Invalid
    }

    /// Whether the accessors of the entry may be used as they are. If not, call [`restore`](Cursor::restore) first:
    /// somebody changed the tree, this cursor changed it itself, or it is on no entry.
    #[inline]
    pub fn is_current(&self) -> bool {
        self.state == State::Valid && self.page.is_some() && self.is_fresh()
    }

    /// Gives up the pin on the page of a table cursor's entry, which stays where it is: a change through another cursor
    /// then need not copy the page. Before reading again, [`restore`](Cursor::restore).
    #[inline]
    pub fn unpin(&mut self) {
        if self.is_table() && self.state == State::Valid {
            self.page = None;
        }
    }

    /// The rowid of a table cursor's entry. After the entry was deleted or the tree was changed, still the old one.
    #[inline]
    pub fn rowid(&self) -> i64 {
        debug_assert!(self.is_table());
        match self.state {
            State::Valid | State::Invalid => self.entry.rowid,
            _ => self.saved_rowid,
        }
    }

    /// Bytes of the entry's payload: a row, or an index record.
    #[inline]
    pub fn payload_size(&self) -> u32 {
        self.entry.payload_size
    }

    /// The part of the payload that is on the entry's page: a prefix of it, and most often all.
    ///
    /// # Panics
    /// Unless the cursor [is current](Cursor::is_current).
    #[inline]
    pub fn local_payload(&self) -> &[u8] {
        let page: &[u8] = self
            .page
            .as_deref()
            .expect("a current cursor pins its page");
        let start = self.entry.payload_at as usize;
        &page[start..start + self.entry.local_size as usize]
    }

    /// The page from the start of the payload on: what follows [`local_payload`](Cursor::local_payload) is of no entry,
    /// but SQLite looks at it where an entry is damaged.
    ///
    /// # Panics
    /// Unless the cursor [is current](Cursor::is_current).
    pub fn payload_and_behind(&self) -> &[u8] {
        let page = self
            .page
            .as_deref()
            .expect("a current cursor pins its page");
        page.get(self.entry.payload_at as usize..)
            .unwrap_or_default()
    }

    /// Whether path and place are of the tree's current version (rule 2).
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        match &self.version {
            Some(version) => version.get() == self.seen,
            None => false,
        }
    }

    /// The version at which path and place were right.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Forgets place, path and pins, but not the tree.
    pub(crate) fn forget(&mut self) {
        self.state = State::Invalid;
        self.page = None;
        self.path.clear();
        self.scratch.clear();
        self.chain.clear();
        self.at_last = false;
    }

    /// Makes `seen` the tree's current version. A place of another version is forgotten; whoever wants it has saved
    /// its key before.
    #[inline]
    pub(crate) fn freshen(&mut self, tx: &Tx) {
        if !self.is_fresh() {
            self.freshen_slow(tx);
        }
    }

    #[cold]
    fn freshen_slow(&mut self, tx: &Tx) {
        let root = self.root;
        self.forget();
        let version = self.version.get_or_insert_with(|| tx.tree_version(root));
        self.seen = version.get();
        self.geometry = tx.geometry();
        self.usable = self.geometry.usable();
        let leaf = if self.is_table() {
            PageKind::TableLeaf
        } else {
            PageKind::IndexLeaf
        };
        self.max_local = leaf.max_local(self.geometry);
    }

    /// Tells the other cursors on the tree that it has changed; this one stays as fresh as it was.
    #[inline]
    pub(crate) fn changed(&mut self) {
        let Some(version) = &self.version else { return };
        let fresh = version.get() == self.seen;
        version.set(version.get() + 1);
        if fresh {
            self.seen = version.get();
        }
    }

    /// Pins a page below the current path, or the root.
    #[inline]
    pub(crate) fn enter(&self, tx: &Tx, no: PageNo) -> Try<(PageRef, Node)> {
        let page = tx.try_page(no)?;
        let node = check(&page, no, self.is_table(), no == self.root, self.geometry)
            .map_err(|e| e.into_stop(no))?;
        Ok((page, node))
    }

    /// Takes the page under the pin again after a change gave it up (rule 3). The page is as the cursor left it.
    #[inline]
    pub(crate) fn pin(&mut self, tx: &Tx) -> Try<()> {
        if self.page.is_some() {
            Ok(())
        } else {
            self.pin_slow(tx)
        }
    }

    #[cold]
    fn pin_slow(&mut self, tx: &Tx) -> Try<()> {
        let page = tx.try_page(self.node.no)?;
        if !self.node.is_header_of(&page) {
            let table = self.is_table();
            self.node = check(
                &page,
                self.node.no,
                table,
                self.node.no == self.root,
                self.geometry,
            )
            .map_err(|e| e.into_stop(self.node.no))?;
        }
        self.page = Some(page);
        Ok(())
    }

    /// Puts the cursor on cell `ix` of its pinned page. On an index page whose key is not all there, reads the rest
    /// (rule 4); on a `Miss` nothing has changed.
    #[inline]
    pub(crate) fn settle(&mut self, tx: &Tx, ix: u16) -> Try<()> {
        if self.settle_small(ix) {
            Ok(())
        } else {
            self.settle_slow(tx, ix)
        }
    }

    /// The same for small cells of a leaf; false for others.
    #[inline(always)]
    pub(super) fn settle_small(&mut self, ix: u16) -> bool {
        let Some(page) = &self.page else { return false };
        let at = self.node.cell_at(page, ix);
        match small_entry(page, at, self.node.kind, self.usable, self.max_local) {
            Some(entry) => {
                self.place(ix, entry);
                true
            }
            None => false,
        }
    }

    #[cold]
    fn settle_slow(&mut self, tx: &Tx, ix: u16) -> Try<()> {
        let page = self.page.clone().expect("the page was entered");
        let entry = self
            .node
            .entry_to_read(&page, ix, self.geometry)
            .map_err(|e| e.into_stop(self.node.no))?;
        if entry.overflow.is_some() && !self.is_table() {
            self.probe_spilled(tx, self.node.no, &page, &entry)?;
            self.take_probe(self.node.no, entry.at);
        }
        self.place(ix, entry);
        Ok(())
    }

    #[inline]
    pub(crate) fn place(&mut self, ix: u16, entry: Entry) {
        self.ix = ix;
        self.entry = entry;
        self.chain.clear();
        self.state = State::Valid;
        self.at_last = false;
    }

    /// Refuses a way down that is deeper than a sound tree (rule 3 of [`node`](crate::node)).
    #[inline]
    fn check_depth(levels: usize, no: PageNo) -> Try<()> {
        if levels + 1 >= DEPTH_MAX {
            Err(corrupt(no, "tree is too deep"))
        } else {
            Ok(())
        }
    }
}
