//! A b-tree page that was entered: its header checked once, so that steps on it need not look again.
//!
//! A [`Node`] is what a cursor remembers of a page beside its pin: number, kind, count of cells, and where the cell
//! pointers start. The checks of [`enter`] make every later access to a pointer in bounds; what a pointer says is
//! checked where the cell is decoded.
//!
//! Rules:
//! 1. A page is entered for a tree of one kind; a page of the other kind there is corrupt.
//! 2. Only a root may have no cells. (An interior root without cells has its right child alone: a tree whose root
//!    is page 1 can be like that, because page 1 has 100 bytes less than its child.)
//! 3. A tree is at most [`DEPTH_MAX`] pages deep, so that a page that is its own descendant is found out.

use ringwood_format::btree_page::{BtreePage, CellInfo, PageKind, parse_cell};
use ringwood_format::bytes::{get_u16, get_u32};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::varint;
use ringwood_pager::PageRef;
use ringwood_wal::{Error, Stop, Try, Tx};

/// The most pages from root to leaf (SQLite's `BTCURSOR_MAX_DEPTH`).
pub const DEPTH_MAX: usize = 20;

/// The checked header of a b-tree page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) no: PageNo,
    /// Count of cells.
    pub(crate) count: u16,
    /// Where the cell pointers start.
    pub(crate) pointers: u16,
    pub(crate) kind: PageKind,
}

/// The error about page `no`.
#[cold]
pub(crate) fn corrupt(no: PageNo, reason: &'static str) -> Stop {
    Corrupt::on(no, reason).at(no).into_stop(no)
}

/// How a decoder's error becomes a step's.
pub(crate) trait IntoStop {
    /// The error, on page `no` unless it knows its own.
    fn into_stop(self, no: PageNo) -> Stop;
}

impl IntoStop for Corrupt {
    #[cold]
    fn into_stop(self, no: PageNo) -> Stop {
        Stop::from(Error::from(self.at(no)))
    }
}

impl Node {
    /// What stands for a page before one was entered.
    pub(crate) const fn none(no: PageNo, kind: PageKind) -> Node {
        Node {
            no,
            count: 0,
            pointers: 0,
            kind,
        }
    }

    /// The checked header of the page in `data`.
    #[inline]
    pub(crate) fn new(data: &[u8], geometry: Geometry, no: PageNo) -> Result<Node, Corrupt> {
        let page = BtreePage::new(data, geometry, no)?;
        Ok(Node {
            no,
            count: page.cell_count() as u16,
            pointers: page.pointers_offset() as u16,
            kind: page.kind(),
        })
    }

    #[inline]
    pub(crate) const fn is_leaf(&self) -> bool {
        self.kind.is_leaf()
    }

    /// Where the page header starts.
    #[inline]
    pub(crate) const fn header(&self) -> usize {
        self.pointers as usize - self.kind.header_size()
    }

    /// Where cell `ix` starts, as the page says.
    #[inline]
    pub(crate) fn cell_at(&self, data: &[u8], ix: u16) -> usize {
        get_u16(data, self.pointers as usize + 2 * ix as usize) as usize
    }

    /// Where cell `ix` starts, and what it says.
    #[inline]
    pub(crate) fn cell(
        &self,
        data: &[u8],
        ix: u16,
        geometry: Geometry,
    ) -> Result<(u32, CellInfo), Corrupt> {
        let at = self.cell_at(data, ix);
        let Some(bytes) = data.get(at..geometry.usable() as usize) else {
            return Err(OUT_OF_BOUNDS);
        };
        let info = parse_cell(bytes, self.kind, geometry)?;
        Ok((at as u32, info))
    }

    /// The bytes of cell `ix`, at least four.
    pub(crate) fn cell_bytes<'a>(
        &self,
        data: &'a [u8],
        ix: u16,
        geometry: Geometry,
    ) -> Result<&'a [u8], Corrupt> {
        let (at, info) = self.cell(data, ix, geometry)?;
        let at = at as usize;
        if at < self.pointers_end() {
            return Err(OUT_OF_BOUNDS);
        }
        data[..geometry.usable() as usize]
            .get(at..at + info.size as usize)
            .ok_or(OUT_OF_BOUNDS)
    }

    /// Where the cell pointers end.
    #[inline]
    pub(crate) const fn pointers_end(&self) -> usize {
        self.pointers as usize + 2 * self.count as usize
    }

    /// Child `ix` of an interior page, from 0 to the count of cells: the last is the right child.
    #[inline]
    pub(crate) fn child(&self, data: &[u8], ix: u16) -> Result<PageNo, Corrupt> {
        let no = if ix >= self.count {
            get_u32(data, self.header() + 8)
        } else {
            let at = self.cell_at(data, ix);
            match data.get(at..at + 4) {
                Some(bytes) => get_u32(bytes, 0),
                None => return Err(OUT_OF_BOUNDS.at(self.no)),
            }
        };
        PageNo::new(no).ok_or(Corrupt::on(self.no, "child is page 0"))
    }

    /// The first child whose rowids may be at least `rowid`: the index of the first cell whose divider is.
    #[inline]
    pub(crate) fn search_rowid_interior(&self, data: &[u8], rowid: i64) -> Result<u16, Corrupt> {
        self.lower_bound(data, rowid, |data, at| read_rowid(data, at + 4))
    }

    /// The first cell of a table leaf whose rowid is at least `rowid`, and whether it is that.
    #[inline]
    pub(crate) fn search_rowid_leaf(&self, data: &[u8], rowid: i64) -> Result<u16, Corrupt> {
        self.lower_bound(data, rowid, read_leaf_rowid)
    }

    /// The rowid of cell `ix` of a table leaf.
    #[inline]
    pub(crate) fn leaf_rowid(&self, data: &[u8], ix: u16) -> Result<i64, Corrupt> {
        read_leaf_rowid(data, self.cell_at(data, ix)).ok_or(OUT_OF_BOUNDS)
    }

    #[inline(always)]
    fn lower_bound(
        &self,
        data: &[u8],
        rowid: i64,
        read: impl Fn(&[u8], usize) -> Option<i64>,
    ) -> Result<u16, Corrupt> {
        // One bounds check for all pointers of the search.
        let pointers = &data[self.pointers as usize..self.pointers_end()];
        let (mut low, mut high) = (0usize, self.count as usize);
        while low < high {
            let mid = low + (high - low) / 2;
            let at = get_u16(pointers, 2 * mid) as usize;
            match read(data, at) {
                Some(found) if found < rowid => low = mid + 1,
                Some(_) => high = mid,
                None => return Err(OUT_OF_BOUNDS.at(self.no)),
            }
        }
        Ok(low as u16)
    }
}

const OUT_OF_BOUNDS: Corrupt = Corrupt {
    page: None,
    reason: "cell pointer is out of bounds",
};

/// The rowid varint at `at`. Up to three bytes are read inline: rowids below two million.
#[inline(always)]
fn read_rowid(data: &[u8], at: usize) -> Option<i64> {
    if let Some(&[a, b, c]) = data.get(at..at + 3) {
        if a < 0x80 {
            return Some(a as i64);
        }
        if b < 0x80 {
            return Some((a as i64 & 0x7f) << 7 | b as i64);
        }
        if c < 0x80 {
            return Some((a as i64 & 0x7f) << 14 | (b as i64 & 0x7f) << 7 | c as i64);
        }
    }
    Some(varint::read_at(data, at)?.0 as i64)
}

/// The rowid behind the payload size at `at`.
#[inline(always)]
fn read_leaf_rowid(data: &[u8], mut at: usize) -> Option<i64> {
    // A payload size has at most five bytes in a sound file; nine are skipped in any.
    let limit = at + 8;
    while *data.get(at)? >= 0x80 && at < limit {
        at += 1;
    }
    read_rowid(data, at + 1)
}

/// Pins page `no` and checks that it is a page of a table or an index tree below (or at) its root.
///
/// # Suspends
/// `Miss` if the page is not resident.
#[inline]
pub(crate) fn enter(
    tx: &Tx,
    no: PageNo,
    table: bool,
    is_root: bool,
    geometry: Geometry,
) -> Try<(PageRef, Node)> {
    let page = tx.try_page(no)?;
    let node = check(&page, no, table, is_root, geometry).map_err(|e| e.into_stop(no))?;
    Ok((page, node))
}

/// The checks of [`enter`] on a page that is at hand.
#[inline]
pub(crate) fn check(
    data: &[u8],
    no: PageNo,
    table: bool,
    is_root: bool,
    geometry: Geometry,
) -> Result<Node, Corrupt> {
    let node = Node::new(data, geometry, no)?;
    if node.kind.is_table() != table {
        return Err(Corrupt::on(
            no,
            if table {
                "index page in a table"
            } else {
                "table page in an index"
            },
        ));
    }
    if node.count == 0 && !is_root {
        return Err(Corrupt::on(no, "page below the root has no cells"));
    }
    Ok(node)
}
