//! First, last, next, previous.
//!
//! ```text
//!  table: leaf, leaf, leaf ...                 index: leaf, divider, leaf, divider, leaf ...
//!
//!  next at the end of a leaf: up to the first page with something right of the way taken;
//!  in a table down the next child's left edge, in an index onto that page's cell (and from a cell down its
//!  right neighbour's left edge). `previous` is the mirror image.
//! ```
//!
//! Rules:
//! 1. The way to the new leaf is built in `scratch`, and replaces the old one only when all of its pages are there
//!    (rule 1 of the cursor).
//! 2. A miss announces the children that follow, so that a scan of cold pages waits once for many.

use super::{Cursor, Level, State};
use crate::node::{IntoStop, Node};
use ringwood_format::page::PageNo;
use ringwood_wal::{Stop, Try, Tx};
use smallvec::SmallVec;

/// Pages that a scan announces when it misses.
const READ_AHEAD: u16 = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edge {
    Left,
    Right,
}

/// Where a descent starts.
#[derive(Clone, Copy, Debug)]
enum From {
    /// At the root.
    Root,
    /// At child `ix` of `path[depth]`.
    Path { depth: usize, ix: u16 },
    /// At child `ix` of the page that the cursor stands on.
    Current { ix: u16 },
}

impl Cursor {
    /// Moves to the first entry; false if there is none.
    ///
    /// # Errors
    /// `Miss`: see rule 1 of the cursor. `Corrupt` for a malformed page.
    pub fn first(&mut self, tx: &Tx) -> Try<bool> {
        self.freshen(tx);
        self.descend(tx, From::Root, Edge::Left)
    }

    /// Moves to the last entry; false if there is none. At once if the cursor is there.
    ///
    /// # Errors
    /// As [`first`](Cursor::first).
    pub fn last(&mut self, tx: &Tx) -> Try<bool> {
        let found = self.find_last(tx)?;
        self.pin(tx)?;
        Ok(found)
    }

    /// The largest rowid of a table; `None` if it has no rows. The cursor is on that row then, and a row that is
    /// inserted behind it with [`InsertHint::append`](crate::InsertHint) costs no seek: this is how `NewRowid` asks.
    ///
    /// # Errors
    /// As [`first`](Cursor::first).
    #[inline]
    pub fn last_rowid(&mut self, tx: &Tx) -> Try<Option<i64>> {
        Ok(if self.find_last(tx)? {
            Some(self.rowid())
        } else {
            None
        })
    }

    /// As [`last`](Cursor::last), but the page need not be pinned afterwards.
    #[inline]
    pub(crate) fn find_last(&mut self, tx: &Tx) -> Try<bool> {
        if self.at_last && self.state == State::Valid && self.is_fresh() {
            return Ok(true);
        }
        self.freshen(tx);
        let found = self.descend(tx, From::Root, Edge::Right)?;
        self.at_last = found;
        Ok(found)
    }

    /// Moves to the next entry; false, and the cursor is on none, if there is no more.
    ///
    /// # Errors
    /// As [`first`](Cursor::first).
    #[inline]
    pub fn next(&mut self, tx: &Tx) -> Try<bool> {
        let ix = self.ix + 1;
        if ix < self.node.count && self.is_current() && self.settle_small(ix) {
            return Ok(true);
        }
        self.next_slow(tx)
    }

    /// Moves to the previous entry; false, and the cursor is on none, if there is none before.
    ///
    /// # Errors
    /// As [`first`](Cursor::first).
    #[inline]
    pub fn previous(&mut self, tx: &Tx) -> Try<bool> {
        self.at_last = false;
        if self.ix > 0 && self.is_current() && self.settle_small(self.ix - 1) {
            return Ok(true);
        }
        self.previous_slow(tx)
    }

    #[inline(never)]
    fn next_slow(&mut self, tx: &Tx) -> Try<bool> {
        // After a change in its place the cursor has only given its pin up.
        if self.page.is_none()
            && self.state == State::Valid
            && self.is_fresh()
            && self.ix + 1 < self.node.count
        {
            self.pin(tx)?;
            if self.settle_small(self.ix + 1) {
                return Ok(true);
            }
            // Pinned but not decoded would look like settled.
            self.page = None;
        }
        self.sync(tx)?;
        match self.state {
            State::Invalid | State::Saved => return Ok(false),
            State::SkipNext => {
                self.state = State::Valid;
                return Ok(true);
            }
            State::Valid | State::SkipPrev => self.state = State::Valid,
        }
        if !self.node.is_leaf() {
            return self.descend(tx, From::Current { ix: self.ix + 1 }, Edge::Left);
        }
        if self.ix + 1 < self.node.count {
            self.settle(tx, self.ix + 1)?;
            return Ok(true);
        }
        let Some(depth) = self
            .path
            .iter()
            .rposition(|level| level.ix < level.node.count)
        else {
            self.leave();
            return Ok(false);
        };
        let ix = self.path[depth].ix;
        if self.is_table() {
            return self.descend(tx, From::Path { depth, ix: ix + 1 }, Edge::Left);
        }
        self.climb(tx, depth, ix)?;
        Ok(true)
    }

    #[inline(never)]
    fn previous_slow(&mut self, tx: &Tx) -> Try<bool> {
        self.sync(tx)?;
        match self.state {
            State::Invalid | State::Saved => return Ok(false),
            State::SkipPrev => {
                self.state = State::Valid;
                return Ok(true);
            }
            State::Valid | State::SkipNext => self.state = State::Valid,
        }
        if !self.node.is_leaf() {
            return self.descend(tx, From::Current { ix: self.ix }, Edge::Right);
        }
        if self.ix > 0 {
            self.settle(tx, self.ix - 1)?;
            return Ok(true);
        }
        let Some(depth) = self.path.iter().rposition(|level| level.ix > 0) else {
            self.leave();
            return Ok(false);
        };
        let ix = self.path[depth].ix - 1;
        if self.is_table() {
            return self.descend(tx, From::Path { depth, ix }, Edge::Right);
        }
        self.climb(tx, depth, ix)?;
        Ok(true)
    }

    /// Past an end: on no entry; the path stays for the next seek.
    fn leave(&mut self) {
        self.state = State::Invalid;
        self.at_last = false;
    }

    /// Puts an index cursor on cell `ix` of `path[depth]`.
    fn climb(&mut self, tx: &Tx, depth: usize, ix: u16) -> Try<()> {
        let Level { page, node, .. } = self.path[depth].clone();
        let entry = node
            .entry_to_read(&page, ix, self.geometry)
            .map_err(|e| e.into_stop(node.no))?;
        if entry.overflow.is_some() {
            self.probe_spilled(tx, node.no, &page, &entry)?;
            self.take_probe(node.no, entry.at);
        }
        self.path.truncate(depth);
        self.page = Some(page);
        self.node = node;
        self.place(ix, entry);
        Ok(())
    }

    /// Goes down along an edge and puts the cursor on that edge's entry; false if the tree is empty.
    fn descend(&mut self, tx: &Tx, from: From, edge: Edge) -> Try<bool> {
        let (depth, mut no) = match from {
            From::Root => (0, self.root),
            From::Path { depth, ix } => {
                let level = &self.path[depth];
                let no = level
                    .node
                    .child(&level.page, ix)
                    .map_err(|e| e.into_stop(level.node.no))?;
                (depth + 1, no)
            }
            From::Current { ix } => {
                let page = self
                    .page
                    .as_deref()
                    .expect("the cursor stands on a pinned page");
                let no = self
                    .node
                    .child(page, ix)
                    .map_err(|e| e.into_stop(self.node.no))?;
                (self.path.len() + 1, no)
            }
        };
        self.scratch.clear();
        let (page, node) = loop {
            let (page, node) = match self.enter(tx, no) {
                Ok(entered) => entered,
                Err(stop) => return Err(self.read_ahead(tx, from, edge, stop)),
            };
            if node.is_leaf() {
                break (page, node);
            }
            Cursor::check_depth(depth + self.scratch.len(), no)?;
            let ix = if edge == Edge::Left { 0 } else { node.count };
            no = node.child(&page, ix).map_err(|e| e.into_stop(node.no))?;
            self.scratch.push(Level { page, node, ix });
        };
        if node.count == 0 {
            // Only a root may be empty: `enter` has seen to that.
            self.forget();
            self.page = Some(page);
            self.node = node;
            self.ix = 0;
            return Ok(false);
        }
        let ix = if edge == Edge::Left {
            0
        } else {
            node.count - 1
        };
        let entry = node
            .entry_to_read(&page, ix, self.geometry)
            .map_err(|e| e.into_stop(node.no))?;
        if entry.overflow.is_some() && !self.is_table() {
            self.probe_spilled(tx, node.no, &page, &entry)?;
            self.take_probe(node.no, entry.at);
        }
        match from {
            From::Root => self.path.clear(),
            From::Path { depth, ix } => {
                self.path.truncate(depth + 1);
                self.path[depth].ix = ix;
            }
            From::Current { ix } => {
                let page = self
                    .page
                    .take()
                    .expect("the cursor stands on a pinned page");
                self.path.push(Level {
                    page,
                    node: self.node,
                    ix,
                });
            }
        }
        self.path.append(&mut self.scratch);
        self.page = Some(page);
        self.node = node;
        self.place(ix, entry);
        Ok(true)
    }

    /// On a miss during a scan: announces the missing page and those that the scan will want after it (rule 2).
    #[cold]
    fn read_ahead(&self, tx: &Tx, from: From, edge: Edge, stop: Stop) -> Stop {
        let Stop::Miss(missing) = stop else {
            return stop;
        };
        let (page, node, ix): (&[u8], &Node, u16) = match (self.scratch.last(), from) {
            (Some(level), _) => (&level.page, &level.node, level.ix),
            (None, From::Path { depth, ix }) => {
                (&self.path[depth].page, &self.path[depth].node, ix)
            }
            (None, From::Current { ix }) => match self.page.as_deref() {
                Some(page) => (page, &self.node, ix),
                None => return stop,
            },
            (None, From::Root) => return stop,
        };
        let mut pages: SmallVec<[PageNo; READ_AHEAD as usize]> = SmallVec::new();
        pages.push(missing);
        for step in 1..READ_AHEAD {
            let ix = if edge == Edge::Left {
                ix.checked_add(step)
            } else {
                ix.checked_sub(step)
            };
            match ix
                .filter(|&ix| ix <= node.count)
                .map(|ix| node.child(page, ix))
            {
                Some(Ok(no)) => pages.push(no),
                _ => break,
            }
        }
        tx.announce(&pages);
        stop
    }
}
