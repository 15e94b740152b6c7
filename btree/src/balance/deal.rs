//! The cells of siblings in order, with the dividers between them: what a redistribution deals out.
//!
//! ```text
//!  segments:  Run(page 0, 0..40)  One(divider)  Run(page 1, 0..17)  One(new cell)  Run(page 1, 17..35) ...
//!  cells:     0 ............. 39      40        41 ............ 57        58        59 ...
//! ```
//! Cells of a page stay where they are, as runs; nothing is measured or copied before it crosses a border.

use super::distribute::{Cells, PAGES_MAX, Part, Parts, distribute};
use super::draft::{Arena, Draft, Link, Piece};
use crate::node::{Limits, Node};
use ringwood_format::btree_page::{PageKind, header_offset, parse_cell};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_pager::PageRef;
use smallvec::SmallVec;
use std::cell::Cell;
use std::ops::Range;

/// Cells in order: some of a page, or one in the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Segment {
    /// Cells `from..to` of that source.
    Run {
        source: u8,
        from: u16,
        to: u16,
    },
    One(Piece),
}

impl Segment {
    /// Count of cells.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        match self {
            Segment::Run { from, to, .. } => (to - from) as usize,
            Segment::One(_) => 1,
        }
    }
}

/// A page that cells come from, in the version that was planned from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) page: PageRef,
    pub(crate) node: Node,
    /// The right child after the changes; none on a leaf.
    pub(crate) right: Option<Link>,
}

/// A page that a redistribution writes.
#[derive(Debug)]
pub(crate) struct NewPage {
    /// Its cells, of all cells of the redistribution.
    pub(crate) cells: Range<usize>,
    /// Its right child; none on a leaf.
    pub(crate) right: Option<Link>,
}

/// Pages of one level that are written anew.
#[derive(Debug)]
pub(crate) struct Redistribution {
    pub(crate) kind: PageKind,
    pub(crate) sources: SmallVec<[Source; 3]>,
    pub(crate) segments: SmallVec<[Segment; 12]>,
    /// Pages to be used again; the root first if it is one.
    pub(crate) old: SmallVec<[PageNo; 4]>,
    pub(crate) new: SmallVec<[NewPage; PAGES_MAX]>,
    /// The first old page keeps its number and place: it is the root, or keeps its content.
    pub(crate) first_stays: bool,
}

impl Redistribution {
    /// The segments that make up new page `index`.
    pub(crate) fn segments_of(&self, index: usize) -> SmallVec<[Segment; 12]> {
        let Range { start, end } = self.new[index].cells;
        let mut parts = SmallVec::new();
        let mut at = 0;
        for &segment in &self.segments {
            let next = at + segment.count();
            if next > start && at < end {
                parts.push(match segment {
                    Segment::Run { source, from, .. } => Segment::Run {
                        source,
                        from: from + start.saturating_sub(at) as u16,
                        to: from + (next.min(end) - at) as u16,
                    },
                    one @ Segment::One(_) => one,
                });
            }
            at = next;
        }
        parts
    }

    /// The source that is page `no`.
    pub(crate) fn source_of(&self, no: PageNo) -> Option<u8> {
        self.sources
            .iter()
            .position(|source| source.node.no == no)
            .map(|at| at as u8)
    }
}

/// A redistribution in the making.
pub(super) struct Deal {
    pub(super) kind: PageKind,
    geometry: Geometry,
    limits: Limits,
    sources: SmallVec<[Source; 3]>,
    segments: SmallVec<[Segment; 12]>,
    count: usize,
    /// The segment that was looked into last, and its first cell.
    last: Cell<(usize, usize)>,
    /// How the cells lie.
    parts: Parts,
    /// The right children of the new pages before the last.
    pub(super) right: SmallVec<[Link; PAGES_MAX]>,
}

impl Deal {
    pub(super) fn new(kind: PageKind, geometry: Geometry) -> Deal {
        Deal {
            kind,
            geometry,
            limits: Limits::new(geometry, kind),
            sources: SmallVec::new(),
            segments: SmallVec::new(),
            count: 0,
            last: Cell::new((0, 0)),
            parts: Parts::new(),
            right: SmallVec::new(),
        }
    }

    fn push(&mut self, segment: Segment) {
        let count = segment.count();
        if count > 0 {
            self.segments.push(segment);
            self.count += count;
        }
    }

    fn capacity(&self) -> i64 {
        self.geometry.usable() as i64 - self.kind.header_size() as i64
    }

    /// Appends the cells of a page, as they are after its changes.
    pub(super) fn take_page(&mut self, arena: &mut Arena, draft: &Draft) -> Result<(), Corrupt> {
        let node = *draft.node();
        let source = self.sources.len() as u8;
        let right = if node.is_leaf() {
            None
        } else {
            Some(draft.right_child()?)
        };
        let mut from = 0;
        for change in &draft.changes {
            self.take_run(arena, draft, source, from..change.at)?;
            for &piece in &change.insert {
                self.push(Segment::One(piece));
            }
            from = change.at + change.remove;
        }
        self.take_run(arena, draft, source, from..node.count)?;
        let page_header = self.geometry.usable() as i64
            - header_offset(node.no) as i64
            - node.kind.header_size() as i64;
        self.parts.push(Part {
            end: self.count,
            filled: page_header - draft.free_after(self.geometry)?,
        });
        self.sources.push(Source {
            page: draft.level.page.clone(),
            node,
            right,
        });
        Ok(())
    }

    /// Appends cells of a page; those whose left child changes lie in the arena then.
    fn take_run(
        &mut self,
        arena: &mut Arena,
        draft: &Draft,
        source: u8,
        range: Range<u16>,
    ) -> Result<(), Corrupt> {
        let (page, node) = (&draft.level.page, draft.node());
        let mut from = range.start;
        let mut links = draft.links.clone();
        links.sort_unstable_by_key(|&(ix, _)| ix);
        for (ix, child) in links {
            if ix < from || ix >= range.end {
                continue;
            }
            self.push(Segment::Run {
                source,
                from,
                to: ix,
            });
            let bytes = node.cell_bytes(page, ix, self.geometry)?;
            let piece = arena.push_with_child(child, &bytes[4..]);
            self.push(Segment::One(piece));
            from = ix + 1;
        }
        if from < range.end {
            self.push(Segment::Run {
                source,
                from,
                to: range.end,
            });
        }
        Ok(())
    }

    /// Appends divider `ix` of the parent, which stands behind the cells of `left`.
    pub(super) fn take_divider(
        &mut self,
        arena: &mut Arena,
        parent: &Draft,
        ix: u16,
        left: &Draft,
    ) -> Result<(), Corrupt> {
        let rest = match parent.replacement(ix) {
            Some(piece) => arena.get(piece)[4..].to_vec(),
            None => {
                let (page, node) = (&parent.level.page, parent.node());
                exact_cell(
                    node.cell_bytes(page, ix, self.geometry)?,
                    node.kind,
                    self.geometry,
                )?[4..]
                    .to_vec()
            }
        };
        let piece = if self.kind.is_leaf() {
            arena.push(&[&rest])
        } else {
            arena.push_with_child(left.right_child()?, &rest)
        };
        self.push(Segment::One(piece));
        Ok(())
    }

    /// Where a cell is: in the arena, or cell `ix` of a source.
    #[inline]
    fn find(&self, cell: usize) -> Option<Result<(u8, u16), Piece>> {
        // Neighbours are asked for one after the other.
        let (mut index, mut start) = self.last.get();
        if cell < start {
            (index, start) = (0, 0);
        }
        while let Some(segment) = self.segments.get(index) {
            let end = start + segment.count();
            if cell < end {
                self.last.set((index, start));
                return Some(match *segment {
                    Segment::Run { source, from, .. } => Ok((source, from + (cell - start) as u16)),
                    Segment::One(piece) => Err(piece),
                });
            }
            (index, start) = (index + 1, end);
        }
        None
    }

    /// The size of a cell with its pointer.
    #[inline]
    fn cost(&self, cell: usize) -> Result<u32, Corrupt> {
        Ok(2 + match self.find(cell) {
            Some(Ok((source, ix))) => {
                let Source { page, node, .. } = &self.sources[source as usize];
                node.cell_span(page, ix, self.limits)?.1
            }
            Some(Err(piece)) => piece.len,
            None => return Err(Corrupt::new("siblings have fewer cells than they say")),
        })
    }

    /// The bytes of a cell.
    pub(super) fn bytes<'a>(&'a self, arena: &'a Arena, cell: usize) -> Result<&'a [u8], Corrupt> {
        match self.find(cell) {
            Some(Ok((source, ix))) => {
                let Source { page, node, .. } = &self.sources[source as usize];
                node.cell_bytes(page, ix, self.geometry)
            }
            Some(Err(piece)) => Ok(arena.get(piece)),
            None => Err(Corrupt::new("siblings have fewer cells than they say")),
        }
    }

    /// The left child of a cell.
    pub(super) fn left_child(&self, arena: &Arena, cell: usize) -> Result<Link, Corrupt> {
        if let Some(Err(piece)) = self.find(cell)
            && let Some(&(_, slot)) = arena.fixups.iter().find(|&&(at, _)| at == piece.at)
        {
            return Ok(Link::Slot(slot));
        }
        let bytes = self.bytes(arena, cell)?;
        let no = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        PageNo::new(no)
            .map(Link::Page)
            .ok_or(Corrupt::new("child is page 0"))
    }

    /// Deals the cells out: where each page ends.
    pub(super) fn cut(&mut self, even: bool) -> Result<Parts, Corrupt> {
        let cells = Cells {
            count: self.count,
            dividers: self.kind != PageKind::TableLeaf,
            capacity: self.capacity(),
            cost: |cell| self.cost(cell),
        };
        distribute(cells, even, self.parts.clone())
    }

    /// The cells as they lie on one page, and the one that was appended on another.
    pub(super) fn cut_before_last(&self) -> Parts {
        let part = |end| Part { end, filled: 0 };
        Parts::from_slice(&[part(self.count.saturating_sub(1)), part(self.count)])
    }

    /// Whether all cells fit in the root, page `no`.
    pub(super) fn fits_in_root(&self, parts: &Parts, no: PageNo) -> bool {
        let [part] = parts.as_slice() else {
            return false;
        };
        part.filled <= self.capacity() - header_offset(no) as i64
    }

    /// The redistribution. `reuse` tells whether the old pages are used again.
    pub(super) fn finish(self, parts: &Parts, reuse: bool) -> Redistribution {
        let dividers = self.kind != PageKind::TableLeaf;
        let last_right = self.sources.last().and_then(|source| source.right);
        let mut new = SmallVec::new();
        let mut first = 0;
        for (index, part) in parts.iter().enumerate() {
            let right = if index + 1 == parts.len() {
                last_right
            } else {
                self.right.get(index).copied()
            };
            new.push(NewPage {
                cells: first..part.end,
                right,
            });
            first = part.end + usize::from(dividers);
        }
        let old = if reuse {
            self.sources.iter().map(|source| source.node.no).collect()
        } else {
            SmallVec::new()
        };
        Redistribution {
            kind: self.kind,
            sources: self.sources,
            segments: self.segments,
            old,
            new,
            first_stays: false,
        }
    }
}

/// The bytes of a cell without its padding to four.
pub(crate) fn exact_cell(
    bytes: &[u8],
    kind: PageKind,
    geometry: Geometry,
) -> Result<&[u8], Corrupt> {
    let cell = parse_cell(bytes, kind, geometry)?;
    let overflow = if cell.overflow.is_some() { 4 } else { 0 };
    let size = cell.payload_offset as usize + cell.local_size as usize + overflow;
    bytes
        .get(..size)
        .ok_or(Corrupt::new("cell extends past the end of its page"))
}
