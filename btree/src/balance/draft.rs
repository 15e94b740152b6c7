//! A page with its changes still on paper.
//!
//! A [`Draft`] is a page as it is, pinned, and what a plan will do to it: cells replaced, child pointers redirected.
//! Cells that do not come from the page lie in the plan's arena. Pages that a plan creates have no numbers yet: a
//! child pointer to one is a [`Link::Slot`], and its four bytes in the arena are filled in when the numbers are known.

use crate::cursor::Level;
use crate::node::Node;
use ringwood_format::btree_page::BtreePage;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use smallvec::SmallVec;

/// Page `index` among those that redistribution `level` of the plan writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) level: u8,
    pub(crate) index: u8,
}

/// A child, by number or by its slot in the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    Page(PageNo),
    Slot(Slot),
}

/// The bytes of a cell in the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// Cells that a plan made, and the child pointers in them that wait for numbers.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fixups: Vec<(u32, Slot)>,
}

impl Arena {
    /// A cell made of these parts, padded to four bytes.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> Piece {
        let at = self.bytes.len();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        if self.bytes.len() < at + 4 {
            self.bytes.resize(at + 4, 0);
        }
        Piece {
            at: at as u32,
            len: (self.bytes.len() - at) as u32,
        }
    }

    /// A cell with that left child and rest.
    pub(crate) fn push_with_child(&mut self, child: Link, rest: &[u8]) -> Piece {
        let number = match child {
            Link::Page(no) => no.get(),
            Link::Slot(_) => 0,
        };
        let piece = self.push(&[&number.to_be_bytes(), rest]);
        if let Link::Slot(slot) = child {
            self.fixups.push((piece.at, slot));
        }
        piece
    }

    /// The bytes of a piece that is in the arena.
    pub(crate) fn get(&self, piece: Piece) -> &[u8] {
        &self.bytes[piece.at as usize..(piece.at + piece.len) as usize]
    }
}

/// Cells `at..at + remove` give way to `insert`, which is in the arena.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) at: u16,
    pub(crate) remove: u16,
    pub(crate) insert: SmallVec<[Piece; 4]>,
}

/// A page and its changes.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) level: Level,
    /// In the order of `at`, without overlap.
    pub(crate) changes: SmallVec<[Change; 2]>,
    /// Cells, by their index on the page as it is, whose left child is another.
    pub(crate) links: SmallVec<[(u16, Link); 2]>,
    /// The right child, if it is another.
    pub(crate) right: Option<Link>,
}

impl Draft {
    pub(crate) fn new(level: Level) -> Draft {
        Draft {
            level,
            changes: SmallVec::new(),
            links: SmallVec::new(),
            right: None,
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.level.node
    }

    /// Adds a change; those within its range are its own business and go.
    pub(crate) fn change(&mut self, change: Change) {
        let range = change.at..change.at + change.remove;
        self.changes.retain(|other| !range.contains(&other.at));
        self.changes.push(change);
        self.changes.sort_by_key(|change| change.at);
    }

    /// Count of cells after the changes.
    pub(crate) fn count_after(&self) -> usize {
        let (mut removed, mut inserted) = (0, 0);
        for change in &self.changes {
            removed += change.remove as usize;
            inserted += change.insert.len();
        }
        (self.node().count as usize + inserted).saturating_sub(removed)
    }

    /// The cell that takes the place of cell `ix`, if one does.
    pub(crate) fn replacement(&self, ix: u16) -> Option<Piece> {
        self.changes
            .iter()
            .find(|change| change.at == ix && change.remove == 1 && change.insert.len() == 1)
            .map(|change| change.insert[0])
    }

    /// Redirects child `ix`: the left child of that cell, or the right child behind all cells.
    pub(crate) fn set_child(&mut self, ix: u16, child: Link, arena: &mut Arena) {
        if ix >= self.node().count {
            self.right = Some(child);
        } else if let Some(piece) = self.replacement(ix) {
            arena.fixups.retain(|&(at, _)| at != piece.at);
            match child {
                Link::Slot(slot) => arena.fixups.push((piece.at, slot)),
                Link::Page(no) => {
                    arena.bytes[piece.at as usize..piece.at as usize + 4]
                        .copy_from_slice(&no.get().to_be_bytes());
                }
            }
        } else {
            self.links.push((ix, child));
        }
    }

    /// The right child after the changes, on an interior page.
    pub(crate) fn right_child(&self) -> Result<Link, Corrupt> {
        match self.right {
            Some(link) => Ok(link),
            None => Ok(Link::Page(
                self.node().child(&self.level.page, self.node().count)?,
            )),
        }
    }

    /// Unused bytes after the changes; negative if they do not fit.
    pub(crate) fn free_after(&self, geometry: Geometry) -> Result<i64, Corrupt> {
        let (page, node) = (&self.level.page, self.node());
        let mut free = BtreePage::new(page, geometry, node.no)?.free_space()? as i64;
        for change in &self.changes {
            for ix in change.at..change.at + change.remove {
                free += node.cell_bytes(page, ix, geometry)?.len() as i64 + 2;
            }
            free -= change
                .insert
                .iter()
                .map(|piece| piece.len as i64 + 2)
                .sum::<i64>();
        }
        Ok(free)
    }
}
