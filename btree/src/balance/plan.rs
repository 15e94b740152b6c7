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
//! 3. Old pages are used again before new ones are allocated; the numbers are dealt out in ascending order.
//!
//! Source: SQLite's `balance`, `balance_quick`, `balance_nonroot`, `balance_deeper`.

use super::distribute::{Cuts, PAGES_MAX, distribute};
use super::draft::{ARENA, Arena, Change, Draft, Link, Piece, Slot};
use crate::cursor::Level;
use crate::node::{IntoStop, check, corrupt};
use ringwood_format::btree_page::{PageKind, header_offset, parse_cell};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::varint;
use ringwood_pager::PageRef;
use ringwood_wal::{Stop, Try, Tx};
use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// Siblings that are dealt out together (SQLite's `NB`).
const SIBLINGS_MAX: u16 = 3;

/// A page that a redistribution writes.
#[derive(Debug)]
pub(crate) struct NewPage {
    /// Its cells, of all cells of the redistribution.
    pub(crate) cells: Range<usize>,
    /// Its right child; none on a leaf.
    pub(crate) right: Option<Link>,
}

/// An old page, and what of it went into a redistribution.
#[derive(Debug)]
pub(crate) struct OldPage {
    pub(crate) no: PageNo,
    /// Its cells, of all cells of the redistribution.
    cells: Range<usize>,
    right: Option<Link>,
    unchanged: bool,
}

/// Pages of one level that are written anew.
#[derive(Debug)]
pub(crate) struct Redistribution {
    pub(crate) kind: PageKind,
    /// The pages that pieces refer to, in the version that was planned from.
    pub(crate) sources: SmallVec<[PageRef; 4]>,
    pub(crate) cells: Vec<Piece>,
    /// Pages to be used again, the root first if it is one.
    pub(crate) old: SmallVec<[OldPage; 4]>,
    pub(crate) new: SmallVec<[NewPage; PAGES_MAX]>,
    /// The first old page keeps its number and place: it is the root, or keeps its content.
    pub(crate) first_stays: bool,
}

impl Redistribution {
    /// Whether new page `index`, written to page `no`, is what that page is already.
    pub(crate) fn is_as_before(&self, index: usize, no: PageNo) -> bool {
        let new = &self.new[index];
        self.old.iter().any(|old| {
            old.no == no && old.unchanged && old.cells == new.cells && old.right == new.right
        })
    }
}

/// What a change does, on all levels.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) arena: Arena,
    pub(crate) levels: Vec<Redistribution>,
    pub(crate) edits: Vec<Draft>,
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
                plan.deepen(geometry, current, appending)?;
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
            plan.append(geometry, &current, &mut parent)?;
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
        && change.at == draft.node().count
        && change.remove == 0
        && change.insert.len() == 1
}

impl Plan {
    fn next_level(&self) -> u8 {
        self.levels.len() as u8
    }

    /// The row that does not fit goes alone to a new page on the right; the old one stays as it is.
    fn append(&mut self, geometry: Geometry, current: &Draft, parent: &mut Draft) -> Try<()> {
        let level = self.next_level();
        let divider = self.append_divider(geometry, current, level)?;
        let count = parent.node().count;
        parent.change(Change {
            at: count,
            remove: 0,
            insert: smallvec![divider],
        });
        parent.set_child(count, Link::Slot(Slot { level, index: 1 }), &mut self.arena);
        self.levels.push(Redistribution {
            kind: PageKind::TableLeaf,
            sources: SmallVec::new(),
            cells: vec![current.changes[0].insert[0]],
            old: smallvec![OldPage {
                no: current.node().no,
                cells: 0..0,
                right: None,
                unchanged: true
            }],
            new: smallvec![
                NewPage {
                    cells: 0..0,
                    right: None
                },
                NewPage {
                    cells: 0..1,
                    right: None
                }
            ],
            first_stays: true,
        });
        Ok(())
    }

    /// The divider to the right of a leaf that stays as it is: its last rowid.
    fn append_divider(&mut self, geometry: Geometry, current: &Draft, level: u8) -> Try<Piece> {
        let node = current.node();
        let last = node
            .count
            .checked_sub(1)
            .ok_or_else(|| corrupt(node.no, "page below the root has no cells"))?;
        let (_, cell) = node
            .cell(&current.level.page, last, geometry)
            .map_err(|e| e.into_stop(node.no))?;
        Ok(self.table_divider(cell.rowid, Link::Slot(Slot { level, index: 0 })))
    }

    fn table_divider(&mut self, rowid: i64, child: Link) -> Piece {
        let mut buf = [0; varint::VARINT_LEN_MAX];
        let len = varint::write(&mut buf, rowid as u64);
        self.arena.push_with_child(child, &buf[..len])
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
        let mut deal = Deal::new(kind);
        for (i, draft) in (0..count).zip(&drafts) {
            let draft = draft.as_ref().unwrap_or(current);
            deal.take_page(&mut self.arena, geometry, draft)
                .map_err(|e| e.into_stop(draft.node().no))?;
            if i + 1 < count && kind != PageKind::TableLeaf {
                deal.take_divider(&mut self.arena, geometry, parent, first + i, draft)
                    .map_err(|e| e.into_stop(parent.node().no))?;
            }
        }
        deal.sources.push(parent.level.page.clone());
        let cuts = deal
            .cut(geometry, !appending)
            .ok_or_else(|| corrupt(current.node().no, "cells do not fit on siblings"))?;
        let kept = parent.count_after() + cuts.len() - count as usize;
        let root = parent.node().no;
        if parent_is_root && kept == 0 && deal.fits_in_root(geometry, root) {
            let mut level = deal.finish(&cuts);
            level.old.insert(
                0,
                OldPage {
                    no: root,
                    cells: 0..0,
                    right: None,
                    unchanged: false,
                },
            );
            level.first_stays = true;
            self.levels.push(level);
            return Ok(true);
        }
        let level = self.next_level();
        let dividers = self
            .dividers(geometry, &mut deal, &cuts, level)
            .map_err(|e| e.into_stop(current.node().no))?;
        parent.change(Change {
            at: first,
            remove: count - 1,
            insert: dividers,
        });
        let last = Slot {
            level,
            index: cuts.len() as u8 - 1,
        };
        parent.set_child(first + count - 1, Link::Slot(last), &mut self.arena);
        self.levels.push(deal.finish(&cuts));
        Ok(false)
    }

    /// The root's cells go to new children; the root keeps the dividers between them.
    fn deepen(&mut self, geometry: Geometry, root: Draft, appending: bool) -> Try<()> {
        let no = root.node().no;
        let level = self.next_level();
        let last;
        let dividers: SmallVec<[Piece; 4]>;
        if is_append(&root) && no != PageNo::ONE {
            // The old cells move to one new page as they are, the new row to another.
            let mut deal = Deal::new(root.node().kind);
            deal.take_page(&mut self.arena, geometry, &root)
                .map_err(|e| e.into_stop(no))?;
            let cuts: Cuts = smallvec![root.node().count as usize, root.node().count as usize + 1];
            dividers = smallvec![self.append_divider(geometry, &root, level)?];
            last = 1;
            deal.old.clear();
            self.levels.push(deal.finish(&cuts));
        } else {
            let mut deal = Deal::new(root.node().kind);
            deal.take_page(&mut self.arena, geometry, &root)
                .map_err(|e| e.into_stop(no))?;
            let cuts = deal
                .cut(geometry, !appending)
                .ok_or_else(|| corrupt(no, "cells do not fit on children"))?;
            dividers = self
                .dividers(geometry, &mut deal, &cuts, level)
                .map_err(|e| e.into_stop(no))?;
            last = cuts.len() as u8 - 1;
            deal.old.clear();
            self.levels.push(deal.finish(&cuts));
        }
        let kind = if root.node().kind.is_table() {
            PageKind::TableInterior
        } else {
            PageKind::IndexInterior
        };
        let count = dividers.len();
        self.levels.push(Redistribution {
            kind,
            sources: SmallVec::new(),
            cells: dividers.into_vec(),
            old: smallvec![OldPage {
                no,
                cells: 0..0,
                right: None,
                unchanged: false
            }],
            new: smallvec![NewPage {
                cells: 0..count,
                right: Some(Link::Slot(Slot { level, index: last }))
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
        cuts: &Cuts,
        level: u8,
    ) -> Result<SmallVec<[Piece; 4]>, Corrupt> {
        let mut dividers = SmallVec::new();
        for (index, &end) in cuts.iter().enumerate().take(cuts.len() - 1) {
            let child = Link::Slot(Slot {
                level,
                index: index as u8,
            });
            let piece = match deal.kind {
                PageKind::TableLeaf => {
                    let cell = parse_cell(
                        deal.bytes(&self.arena, deal.cells[end - 1]),
                        deal.kind,
                        geometry,
                    )?;
                    self.table_divider(cell.rowid, child)
                }
                PageKind::IndexLeaf => {
                    let bytes = deal.bytes(&self.arena, deal.cells[end]);
                    let cell = exact_cell(bytes, deal.kind, geometry)?.to_vec();
                    self.arena.push_with_child(child, &cell)
                }
                _ => {
                    let piece = deal.cells[end];
                    let right = link_of(&self.arena, deal, piece)?;
                    deal.right.push(right);
                    let rest = deal.bytes(&self.arena, piece)[4..].to_vec();
                    self.arena.push_with_child(child, &rest)
                }
            };
            dividers.push(piece);
        }
        Ok(dividers)
    }
}

/// The bytes of a cell without its padding to four.
pub(crate) fn exact_cell(
    bytes: &[u8],
    kind: PageKind,
    geometry: Geometry,
) -> Result<&[u8], Corrupt> {
    let cell = parse_cell(bytes, kind, geometry)?;
    let size = cell.payload_offset as usize
        + cell.local_size as usize
        + if cell.overflow.is_some() { 4 } else { 0 };
    bytes
        .get(..size)
        .ok_or(Corrupt::new("cell extends past the end of its page"))
}

/// The left child of a cell of a deal.
fn link_of(arena: &Arena, deal: &Deal, piece: Piece) -> Result<Link, Corrupt> {
    if piece.source == ARENA
        && let Some(&(_, slot)) = arena.fixups.iter().find(|&&(at, _)| at == piece.at)
    {
        return Ok(Link::Slot(slot));
    }
    let bytes = deal.bytes(arena, piece);
    let no = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    PageNo::new(no)
        .map(Link::Page)
        .ok_or(Corrupt::new("child is page 0"))
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
        if no == node.no
            || numbers.contains(&no)
            || (no == current.node().no) != (ix == parent.level.ix)
        {
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
        let node = check(&page, no, current.node().kind.is_table(), false, geometry)
            .map_err(|e| e.into_stop(no))?;
        if node.kind != current.node().kind {
            return Err(corrupt(no, "leaves are not all at one depth"));
        }
        drafts.push(Some(Draft::new(Level { page, node, ix: 0 })));
    }
    Ok(drafts)
}

/// Cells of siblings in order, with the dividers between them.
struct Deal {
    kind: PageKind,
    sources: SmallVec<[PageRef; 4]>,
    cells: Vec<Piece>,
    old: SmallVec<[OldPage; 4]>,
    /// The right child of the last old page, and so of the last new one.
    last_right: Option<Link>,
    /// The right children of the new pages before the last.
    right: SmallVec<[Link; PAGES_MAX]>,
}

impl Deal {
    fn new(kind: PageKind) -> Deal {
        Deal {
            kind,
            sources: SmallVec::new(),
            cells: Vec::new(),
            old: SmallVec::new(),
            last_right: None,
            right: SmallVec::new(),
        }
    }

    fn bytes<'a>(&'a self, arena: &'a Arena, piece: Piece) -> &'a [u8] {
        if piece.source == ARENA {
            return arena.get(piece);
        }
        &self.sources[piece.source as usize][piece.at as usize..(piece.at + piece.len) as usize]
    }

    /// Appends the cells of a page, as they are after its changes.
    fn take_page(
        &mut self,
        arena: &mut Arena,
        geometry: Geometry,
        draft: &Draft,
    ) -> Result<(), Corrupt> {
        let (page, node) = (&draft.level.page, draft.node());
        let source = self.sources.len() as u8;
        self.sources.push(page.clone());
        let start = self.cells.len();
        self.cells.reserve(node.count as usize + 4);
        let mut changes = draft.changes.iter().peekable();
        let mut ix = 0;
        loop {
            if let Some(change) = changes.next_if(|change| change.at == ix) {
                self.cells.extend_from_slice(&change.insert);
                ix += change.remove;
                continue;
            }
            if ix >= node.count {
                break;
            }
            self.cells
                .push(take_cell(arena, geometry, draft, source, ix)?);
            ix += 1;
        }
        self.last_right = if node.is_leaf() {
            None
        } else {
            Some(draft.right_child()?)
        };
        self.old.push(OldPage {
            no: node.no,
            cells: start..self.cells.len(),
            right: self.last_right,
            unchanged: draft.is_unchanged(),
        });
        Ok(())
    }

    /// Appends divider `ix` of the parent, which stands behind the cells of `left`.
    fn take_divider(
        &mut self,
        arena: &mut Arena,
        geometry: Geometry,
        parent: &Draft,
        ix: u16,
        left: &Draft,
    ) -> Result<(), Corrupt> {
        let rest = match parent.replacement(ix) {
            Some(piece) => arena.get(piece)[4..].to_vec(),
            None => {
                let (page, node) = (&parent.level.page, parent.node());
                if self.kind == PageKind::TableInterior {
                    node.cell_bytes(page, ix, geometry)?[4..].to_vec()
                } else {
                    exact_cell(node.cell_bytes(page, ix, geometry)?, node.kind, geometry)?[4..]
                        .to_vec()
                }
            }
        };
        self.cells.push(if self.kind.is_leaf() {
            arena.push(&[&rest])
        } else {
            arena.push_with_child(left.right_child()?, &rest)
        });
        Ok(())
    }

    fn cut(&self, geometry: Geometry, even: bool) -> Option<Cuts> {
        let capacity = geometry.usable() - self.kind.header_size() as u32;
        let costs: Vec<u32> = self.cells.iter().map(|piece| piece.len + 2).collect();
        distribute(&costs, self.kind != PageKind::TableLeaf, capacity, even)
    }

    /// Whether all cells fit in the root, page `no`.
    fn fits_in_root(&self, geometry: Geometry, no: PageNo) -> bool {
        let capacity = geometry.usable() as usize - header_offset(no) - self.kind.header_size();
        self.cells
            .iter()
            .map(|piece| piece.len as usize + 2)
            .sum::<usize>()
            <= capacity
    }

    fn finish(self, cuts: &Cuts) -> Redistribution {
        let dividers = self.kind != PageKind::TableLeaf;
        let mut new = SmallVec::new();
        let mut first = 0;
        for (index, &end) in cuts.iter().enumerate() {
            let right = if index + 1 == cuts.len() {
                self.last_right
            } else {
                self.right.get(index).copied()
            };
            new.push(NewPage {
                cells: first..end,
                right,
            });
            first = end + usize::from(dividers);
        }
        Redistribution {
            kind: self.kind,
            sources: self.sources,
            cells: self.cells,
            old: self.old,
            new,
            first_stays: false,
        }
    }
}

/// Cell `ix` of a page; with its new left child, if it gets one.
fn take_cell(
    arena: &mut Arena,
    geometry: Geometry,
    draft: &Draft,
    source: u8,
    ix: u16,
) -> Result<Piece, Corrupt> {
    let (page, node) = (&draft.level.page, draft.node());
    let bytes = node.cell_bytes(page, ix, geometry)?;
    if let Some(&(_, child)) = draft.links.iter().find(|&&(link, _)| link == ix) {
        return Ok(arena.push_with_child(child, &bytes[4..]));
    }
    Ok(Piece {
        source,
        at: node.cell_at(page, ix) as u32,
        len: bytes.len() as u32,
    })
}
