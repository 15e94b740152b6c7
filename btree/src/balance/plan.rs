//! The plan of a change: from the leaf up, what every page on the way becomes.
//!
//! ```text
//!  current = the page that changes
//!  loop: fits, and not too empty   → edited in place; done (unless an interior page above changes too)
//!        root                      → edited in place, or its cells go to new children (deepen)
//!        else                      → its siblings' cells and its own are dealt out anew; the dividers between them
//!                                    change in the parent; current = parent
//!                                    (and if the parent is the root and keeps no cell: its child moves into it)
//! ```
//!
//! Rules:
//! 1. A plan reads and changes nothing. It pins what it read; those versions are what it is carried out from.
//! 2. A page is too empty with more than two thirds of it free, as in SQLite.
//! 3. Old pages are used again before new ones are allocated.
//!
//! Source: SQLite's `balance`, `balance_quick`, `balance_nonroot`, `balance_deeper`.

use super::deal::{Deal, NewPage, Redistribution, Segment, exact_cell};
use super::distribute::Parts;
use super::draft::{Arena, Change, Draft, Link, Piece, Slot};
use crate::cursor::Level;
use crate::node::{IntoStop, check, corrupt};
use ringwood_format::btree_page::{PageKind, parse_cell};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::varint;
use ringwood_wal::{Stop, Try, Tx};
use smallvec::{SmallVec, smallvec};

/// Siblings that are dealt out together (SQLite's `NB`).
const SIBLINGS_MAX: u16 = 3;

/// What a change does, on all levels.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) arena: Arena,
    pub(crate) levels: SmallVec<[Redistribution; 2]>,
    pub(crate) edits: SmallVec<[Draft; 2]>,
}

/// What is to be changed: on the leaf at the end of a path, and perhaps on one interior page of it.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) at: u16,
    pub(crate) remove: u16,
    /// The cell to be inserted, if any.
    pub(crate) insert: Option<Vec<u8>>,
    /// Index trees: the cell of that level of the path gives way to that one.
    pub(crate) interior: Option<(usize, u16, Vec<u8>)>,
    /// The cell goes behind all others of its tree, and the one before did too.
    pub(crate) appending: bool,
}

/// Plans a change of the tree whose pages from the root to the changed page are `path`.
///
/// # Errors
/// `Miss` for a sibling that is not resident: fetch it, hold it, plan again. `Corrupt` for malformed pages.
pub(crate) fn plan(tx: &Tx, geometry: Geometry, path: &[Level], wanted: &Wanted) -> Try<Plan> {
    let mut plan = Plan::default();
    let mut depth = path.len() - 1;
    let mut current = Draft::new(path[depth].clone());
    let insert = wanted
        .insert
        .iter()
        .map(|cell| plan.arena.push(&[cell]))
        .collect();
    current.change(Change {
        at: wanted.at,
        remove: wanted.remove,
        insert,
    });
    let mut interior = match &wanted.interior {
        Some((depth, at, cell)) => {
            let piece = plan.arena.push(&[cell]);
            Some((
                *depth,
                Change {
                    at: *at,
                    remove: 1,
                    insert: smallvec![piece],
                },
            ))
        }
        None => None,
    };
    let mut appending = wanted.appending;
    loop {
        let no = current.node().no;
        let free = current.free_after(geometry).map_err(|e| e.into_stop(no))?;
        let fits = free >= 0;
        if depth == 0 {
            if fits {
                plan.edits.push(current);
            } else {
                plan.deepen(geometry, &current, appending)
                    .map_err(|e| e.into_stop(no))?;
            }
            return Ok(plan);
        }
        if fits && free * 3 <= geometry.usable() as i64 * 2 {
            plan.edits.push(current);
            let Some((above, change)) = interior.take() else {
                return Ok(plan);
            };
            depth = above;
            current = Draft::new(path[depth].clone());
            current.change(change);
            appending = false;
            continue;
        }
        depth -= 1;
        let mut parent = Draft::new(path[depth].clone());
        if let Some((_, change)) = interior.take_if(|(above, _)| *above == depth) {
            parent.change(change);
        }
        let rightmost = parent.level.ix == parent.node().count;
        appending = appending && rightmost && !fits;
        if rightmost && !fits && is_append(&current) && parent.node().no != PageNo::ONE {
            plan.append(geometry, &current, &mut parent)
                .map_err(|e| e.into_stop(no))?;
        } else if plan.redistribute(tx, geometry, &current, &mut parent, depth == 0, appending)? {
            return Ok(plan);
        }
        current = parent;
    }
}

/// Whether the change is one row behind all others of a table leaf.
fn is_append(draft: &Draft) -> bool {
    let [change] = draft.changes.as_slice() else {
        return false;
    };
    draft.node().kind == PageKind::TableLeaf
        && draft.node().count > 0
        && change.at == draft.node().count
        && change.remove == 0
        && change.insert.len() == 1
}

impl Plan {
    fn next_level(&self) -> u8 {
        self.levels.len() as u8
    }

    /// The row that does not fit goes alone to a new page on the right; the old one stays as it is.
    fn append(
        &mut self,
        geometry: Geometry,
        current: &Draft,
        parent: &mut Draft,
    ) -> Result<(), Corrupt> {
        let level = self.next_level();
        let mut deal = Deal::new(PageKind::TableLeaf, geometry);
        deal.take_page(&mut self.arena, current)?;
        let parts = deal.cut_before_last();
        let dividers = self.dividers(geometry, &mut deal, &parts, level)?;
        let count = parent.node().count;
        parent.change(Change {
            at: count,
            remove: 0,
            insert: dividers,
        });
        parent.set_child(count, Link::Slot(Slot { level, index: 1 }), &mut self.arena);
        let mut redistribution = deal.finish(&parts, true);
        redistribution.first_stays = true;
        self.levels.push(redistribution);
        Ok(())
    }

    /// Deals out the cells of `current` and its siblings, and changes the dividers in `parent`. True if the parent,
    /// the root, took its only child in; there is nothing left to do then.
    fn redistribute(
        &mut self,
        tx: &Tx,
        geometry: Geometry,
        current: &Draft,
        parent: &mut Draft,
        parent_is_root: bool,
        appending: bool,
    ) -> Try<bool> {
        let kind = current.node().kind;
        let (first, count) = siblings(parent, appending);
        let drafts = gather(tx, geometry, current, parent, first, count)?;
        let mut deal = Deal::new(kind, geometry);
        for (i, draft) in (0..count).zip(&drafts) {
            let draft = draft.as_ref().unwrap_or(current);
            deal.take_page(&mut self.arena, draft)
                .map_err(|e| e.into_stop(draft.node().no))?;
            if i + 1 < count && kind != PageKind::TableLeaf {
                deal.take_divider(&mut self.arena, parent, first + i, draft)
                    .map_err(|e| e.into_stop(parent.node().no))?;
            }
        }
        let parts = deal
            .cut(!appending)
            .map_err(|e| e.into_stop(current.node().no))?;
        let kept = parent.count_after() + parts.len() - count as usize;
        let root = parent.node().no;
        if parent_is_root && kept == 0 && deal.fits_in_root(&parts, root) {
            let mut level = deal.finish(&parts, true);
            level.old.insert(0, root);
            level.first_stays = true;
            self.levels.push(level);
            return Ok(true);
        }
        let level = self.next_level();
        let dividers = self
            .dividers(geometry, &mut deal, &parts, level)
            .map_err(|e| e.into_stop(current.node().no))?;
        parent.change(Change {
            at: first,
            remove: count - 1,
            insert: dividers,
        });
        let last = Slot {
            level,
            index: parts.len() as u8 - 1,
        };
        parent.set_child(first + count - 1, Link::Slot(last), &mut self.arena);
        self.levels.push(deal.finish(&parts, true));
        Ok(false)
    }

    /// The root's cells go to new children; the root keeps the dividers between them.
    fn deepen(&mut self, geometry: Geometry, root: &Draft, appending: bool) -> Result<(), Corrupt> {
        let no = root.node().no;
        let level = self.next_level();
        let mut deal = Deal::new(root.node().kind, geometry);
        deal.take_page(&mut self.arena, root)?;
        let parts = if is_append(root) && no != PageNo::ONE {
            deal.cut_before_last()
        } else {
            deal.cut(!appending)?
        };
        let dividers = self.dividers(geometry, &mut deal, &parts, level)?;
        self.levels.push(deal.finish(&parts, false));
        let kind = if root.node().kind.is_table() {
            PageKind::TableInterior
        } else {
            PageKind::IndexInterior
        };
        let last = Slot {
            level,
            index: parts.len() as u8 - 1,
        };
        self.levels.push(Redistribution {
            kind,
            sources: SmallVec::new(),
            segments: dividers.iter().map(|&piece| Segment::One(piece)).collect(),
            old: smallvec![no],
            new: smallvec![NewPage {
                cells: 0..dividers.len(),
                right: Some(Link::Slot(last))
            }],
            first_stays: true,
        });
        Ok(())
    }

    /// The dividers between the pages of a deal, as cells of the parent, and the right children of those pages.
    fn dividers(
        &mut self,
        geometry: Geometry,
        deal: &mut Deal,
        parts: &Parts,
        level: u8,
    ) -> Result<SmallVec<[Piece; 4]>, Corrupt> {
        let mut dividers = SmallVec::new();
        for (index, part) in parts.iter().enumerate().take(parts.len() - 1) {
            let child = Link::Slot(Slot {
                level,
                index: index as u8,
            });
            dividers.push(match deal.kind {
                PageKind::TableLeaf => {
                    // The cell itself stays on its page; what goes up is its rowid.
                    let cell =
                        parse_cell(deal.bytes(&self.arena, part.end - 1)?, deal.kind, geometry)?;
                    let mut buf = [0; varint::VARINT_LEN_MAX];
                    let len = varint::write(&mut buf, cell.rowid as u64);
                    self.arena.push_with_child(child, &buf[..len])
                }
                PageKind::IndexLeaf => {
                    let cell = exact_cell(deal.bytes(&self.arena, part.end)?, deal.kind, geometry)?
                        .to_vec();
                    self.arena.push_with_child(child, &cell)
                }
                _ => {
                    let right = deal.left_child(&self.arena, part.end)?;
                    deal.right.push(right);
                    let rest = deal.bytes(&self.arena, part.end)?[4..].to_vec();
                    self.arena.push_with_child(child, &rest)
                }
            });
        }
        Ok(dividers)
    }
}

/// Which children of the parent are dealt out together: the first, and how many.
fn siblings(parent: &Draft, appending: bool) -> (u16, u16) {
    let (ix, count) = (parent.level.ix, parent.node().count);
    if appending {
        return (ix, 1);
    }
    if count < SIBLINGS_MAX {
        return (0, count + 1);
    }
    let first = if ix == 0 {
        0
    } else if ix == count {
        ix - 2
    } else {
        ix - 1
    };
    (first, SIBLINGS_MAX)
}

/// The siblings as drafts; `None` for `current`.
fn gather(
    tx: &Tx,
    geometry: Geometry,
    current: &Draft,
    parent: &Draft,
    first: u16,
    count: u16,
) -> Try<SmallVec<[Option<Draft>; 3]>> {
    let (page, node) = (&parent.level.page, parent.node());
    let mut numbers: SmallVec<[PageNo; 3]> = SmallVec::new();
    for ix in first..first + count {
        let no = node.child(page, ix).map_err(|e| e.into_stop(node.no))?;
        let is_current = no == current.node().no;
        if no == node.no || numbers.contains(&no) || is_current != (ix == parent.level.ix) {
            return Err(corrupt(node.no, "two children are one page"));
        }
        numbers.push(no);
    }
    let mut drafts = SmallVec::new();
    for &no in &numbers {
        if no == current.node().no {
            drafts.push(None);
            continue;
        }
        let page = match tx.try_page(no) {
            Err(Stop::Miss(missing)) => {
                tx.announce(&numbers);
                return Err(Stop::Miss(missing));
            }
            found => found?,
        };
        let is_table = current.node().kind.is_table();
        let node = check(&page, no, is_table, false, geometry).map_err(|e| e.into_stop(no))?;
        if node.kind != current.node().kind {
            return Err(corrupt(no, "leaves are not all at one depth"));
        }
        drafts.push(Some(Draft::new(Level { page, node, ix: 0 })));
    }
    Ok(drafts)
}
