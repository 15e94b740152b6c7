//! B-tree pages and their cells, as views.
//!
//! ```text
//!  | (page 1: database header, 100) | page header, 8 or 12 | cell pointers, 2 each | unallocated | cell content |
//!  |<------------------------------------- usable size ----------------------------------------------------->|
//!
//!  page header                                   cells
//!  offset size meaning                           table leaf      payload size, rowid, payload [, overflow page]
//!  0      1    2 index interior, 5 table         table interior  left child (4), rowid
//!              interior, 10 index leaf,          index leaf      payload size, payload [, overflow page]
//!              13 table leaf                     index interior  left child (4), payload size, payload [, overflow]
//!  1      2    first freeblock, or 0
//!  3      2    count of cells                    payload size and rowid are varints, page numbers four bytes;
//!  5      2    start of cell content; 0 is 65536 how much payload is local: rule 3 of `page`
//!  7      1    fragmented bytes
//!  8      4    right child (interior only)       freeblock: next freeblock or 0 (2), its size (2), unused
//! ```
//!
//! Rules:
//! 1. Cell pointers are in key order; cell content is in any order. A cell takes at least four bytes, so that it can
//!    become a freeblock.
//! 2. Freeblocks are in ascending order, at least four bytes long, and at least four bytes apart; gaps of one to three
//!    bytes are counted as fragments.
//! 3. A page has at most `(page size - 8) / 6` cells.
//! 4. [`BtreePage::new`] checks the page's header once; a cell is checked when it is decoded, and only for what the
//!    decoder itself reads. That content does not overlap is checked by [`BtreePage::free_space`] in part, and in
//!    full by an integrity check above.
//!
//! Absent: changing a page; that is the b-tree's.
//!
//! Cost: entering a page, a rowid of a table leaf, a decoded cell: about 45 instructions each.
//!
//! Source: "Database File Format", section 1.6; SQLite's `btreeInitPage`, `btreeParseCellPtr`,
//! `btreeComputeFreeSpace`.

use crate::bytes::{get_u16, get_u32};
use crate::corrupt::Corrupt;
use crate::page::{Geometry, PageNo};
use crate::varint;

/// Bytes of the header of a leaf page.
pub const LEAF_HEADER_SIZE: usize = 8;
/// Bytes of the header of an interior page.
pub const INTERIOR_HEADER_SIZE: usize = 12;
/// The least bytes of a cell.
pub const CELL_SIZE_MIN: usize = 4;
/// The largest payload that is accepted: SQLite's limit on a string or blob.
pub const PAYLOAD_SIZE_MAX: u64 = 0x7fff_ffff;

/// What kind of b-tree page it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum PageKind {
    /// Index keys with children.
    IndexInterior = 2,
    /// Rowids with children.
    TableInterior = 5,
    /// Index keys.
    IndexLeaf = 10,
    /// Rows.
    TableLeaf = 13,
}

impl PageKind {
    /// The kind with that flag byte.
    #[inline]
    pub const fn from_flags(flags: u8) -> Option<PageKind> {
        match flags {
            2 => Some(PageKind::IndexInterior),
            5 => Some(PageKind::TableInterior),
            10 => Some(PageKind::IndexLeaf),
            13 => Some(PageKind::TableLeaf),
            _ => None,
        }
    }

    /// Its flag byte.
    #[inline]
    pub const fn flags(self) -> u8 {
        self as u8
    }

    /// Whether it has no children.
    #[inline]
    pub const fn is_leaf(self) -> bool {
        self as u8 & 8 != 0
    }

    /// Whether it belongs to a table (rowid) tree.
    #[inline]
    pub const fn is_table(self) -> bool {
        self as u8 & 1 != 0
    }

    /// Bytes of its page header.
    #[inline]
    pub const fn header_size(self) -> usize {
        if self.is_leaf() {
            LEAF_HEADER_SIZE
        } else {
            INTERIOR_HEADER_SIZE
        }
    }

    /// The largest payload that a cell stores whole; 0 for table interior pages, which have none.
    #[inline]
    pub const fn max_local(self, geometry: Geometry) -> u32 {
        match self {
            PageKind::TableLeaf => geometry.max_local_table_leaf(),
            PageKind::TableInterior => 0,
            _ => geometry.max_local_index(),
        }
    }
}

/// Where the page header starts: behind the database header on page 1.
#[inline]
pub const fn header_offset(page: PageNo) -> usize {
    if page.get() == 1 {
        crate::header::HEADER_SIZE
    } else {
        0
    }
}

/// A cell as SQLite's `CellInfo` has it: the numbers, with offsets relative to the cell's first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CellInfo {
    /// The rowid; 0 on index pages.
    pub rowid: i64,
    /// The left child; `None` on leaves.
    pub left_child: Option<PageNo>,
    /// Bytes of the whole payload; 0 on table interior pages.
    pub payload_size: u32,
    /// Where the local payload starts.
    pub payload_offset: u16,
    /// Bytes of the local payload.
    pub local_size: u16,
    /// The first overflow page; `None` if the payload is all local.
    pub overflow: Option<PageNo>,
    /// Bytes of the cell, at least [`CELL_SIZE_MIN`].
    pub size: u16,
}

/// A row on a table leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableLeafCell<'a> {
    /// The rowid.
    pub rowid: i64,
    /// Bytes of the whole payload.
    pub payload_size: u32,
    /// The part of the payload that is on the page.
    pub local: &'a [u8],
    /// The first overflow page, exactly if `local` is not all.
    pub overflow: Option<PageNo>,
}

/// An entry of an index page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexCell<'a> {
    /// The child with smaller keys; `None` on leaves.
    pub left_child: Option<PageNo>,
    /// Bytes of the whole payload.
    pub payload_size: u32,
    /// The part of the payload that is on the page.
    pub local: &'a [u8],
    /// The first overflow page, exactly if `local` is not all.
    pub overflow: Option<PageNo>,
}

/// A divider of a table interior page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableInteriorCell {
    /// The child whose rowids are at most `rowid`.
    pub left_child: PageNo,
    /// The divider.
    pub rowid: i64,
}

/// Parses the cell at the start of `bytes`, which may go on behind it: a page from the cell on, or a buffer.
///
/// # Errors
/// If the cell is cut off, its payload is too long, or a page number is 0.
#[inline]
pub fn parse_cell(bytes: &[u8], kind: PageKind, geometry: Geometry) -> Result<CellInfo, Corrupt> {
    let mut at = 0;
    let mut left_child = None;
    if !kind.is_leaf() {
        left_child = Some(read_page_no(bytes, 0)?);
        at = 4;
    }
    let mut payload_size = 0;
    if kind != PageKind::TableInterior {
        (payload_size, at) = varint::read_at(bytes, at).ok_or(CUT_OFF)?;
        if payload_size > PAYLOAD_SIZE_MAX {
            return Err(Corrupt::new("cell has an impossible payload size"));
        }
    }
    let mut rowid = 0;
    if kind.is_table() {
        (rowid, at) = varint::read_at(bytes, at).ok_or(CUT_OFF)?;
    }
    let max_local = kind.max_local(geometry);
    let mut info = CellInfo {
        rowid: rowid as i64,
        left_child,
        payload_size: payload_size as u32,
        payload_offset: at as u16,
        local_size: payload_size as u16,
        overflow: None,
        size: 0,
    };
    let mut end = at + payload_size as usize;
    if payload_size > max_local as u64 {
        info.local_size = geometry.local_size(payload_size, max_local) as u16;
        end = at + info.local_size as usize;
        info.overflow = Some(read_page_no(bytes, end)?);
        end += 4;
    } else if end > bytes.len() {
        return Err(CUT_OFF);
    }
    info.size = end.max(CELL_SIZE_MIN) as u16;
    Ok(info)
}

const CUT_OFF: Corrupt = Corrupt {
    page: None,
    reason: "cell extends past the end of its page",
};

#[inline]
fn read_page_no(bytes: &[u8], at: usize) -> Result<PageNo, Corrupt> {
    let bytes = bytes.get(at..at + 4).ok_or(CUT_OFF)?;
    PageNo::new(get_u32(bytes, 0)).ok_or(Corrupt::new("cell points to page 0"))
}

/// A b-tree page whose header has been checked.
#[derive(Clone, Copy, Debug)]
pub struct BtreePage<'a> {
    /// The usable bytes.
    data: &'a [u8],
    geometry: Geometry,
    page: PageNo,
    /// Where the cell pointers start.
    pointers: u16,
    cell_count: u16,
    kind: PageKind,
}

impl<'a> BtreePage<'a> {
    /// A view of the b-tree page in `data`, which holds at least the usable bytes of page `page`.
    ///
    /// # Errors
    /// If the page is of no known kind, has more cells than fit, or is interior without a right child.
    #[inline]
    pub fn new(data: &'a [u8], geometry: Geometry, page: PageNo) -> Result<BtreePage<'a>, Corrupt> {
        let Some(data) = data.get(..geometry.usable() as usize) else {
            return Err(Corrupt::on(page, "b-tree page is cut off"));
        };
        let header = header_offset(page);
        let Some(kind) = PageKind::from_flags(data[header]) else {
            return Err(Corrupt::on(page, "page is not a b-tree page"));
        };
        let cell_count = get_u16(data, header + 3);
        if cell_count as u32 > (geometry.page_size() - 8) / 6 {
            return Err(Corrupt::on(page, "b-tree page has too many cells"));
        }
        let pointers = header + kind.header_size();
        if pointers + 2 * cell_count as usize > data.len() {
            return Err(Corrupt::on(page, "b-tree page has too many cells"));
        }
        if !kind.is_leaf() && get_u32(data, header + 8) == 0 {
            return Err(Corrupt::on(page, "interior page has no right child"));
        }
        Ok(BtreePage {
            data,
            geometry,
            page,
            pointers: pointers as u16,
            cell_count,
            kind,
        })
    }

    /// The page's number.
    #[inline]
    pub const fn page(&self) -> PageNo {
        self.page
    }

    /// The page's kind.
    #[inline]
    pub const fn kind(&self) -> PageKind {
        self.kind
    }

    /// Whether it has no children.
    #[inline]
    pub const fn is_leaf(&self) -> bool {
        self.kind.is_leaf()
    }

    /// Page size and reserved bytes.
    #[inline]
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The usable bytes of the page.
    #[inline]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where the page header starts.
    #[inline]
    pub const fn header_offset(&self) -> usize {
        header_offset(self.page)
    }

    /// Where the cell pointers start.
    #[inline]
    pub const fn pointers_offset(&self) -> usize {
        self.pointers as usize
    }

    /// Where the cell pointers end and the unallocated space starts.
    #[inline]
    pub const fn pointers_end(&self) -> usize {
        self.pointers as usize + 2 * self.cell_count as usize
    }

    /// Count of cells.
    #[inline]
    pub const fn cell_count(&self) -> usize {
        self.cell_count as usize
    }

    /// The first freeblock, 0 if there is none.
    #[inline]
    pub fn first_freeblock(&self) -> usize {
        get_u16(self.data, self.header_offset() + 1) as usize
    }

    /// Where cell content starts: up to 65536.
    #[inline]
    pub fn content_start(&self) -> usize {
        match get_u16(self.data, self.header_offset() + 5) {
            0 => 65536,
            start => start as usize,
        }
    }

    /// Bytes lost in gaps too small for a freeblock.
    #[inline]
    pub fn fragmented_bytes(&self) -> usize {
        self.data[self.header_offset() + 7] as usize
    }

    /// The right child; `None` on leaves.
    #[inline]
    pub fn right_child(&self) -> Option<PageNo> {
        if self.is_leaf() {
            None
        } else {
            PageNo::new(get_u32(self.data, self.header_offset() + 8))
        }
    }

    /// Where cell `i` starts. The page may lie: nothing says that it is behind the pointers.
    ///
    /// # Panics
    /// If `i` is not below the count of cells.
    #[inline]
    pub fn cell_pointer(&self, i: usize) -> usize {
        assert!(i < self.cell_count as usize);
        get_u16(self.data, self.pointers as usize + 2 * i) as usize
    }

    /// The page from cell `i` on.
    ///
    /// # Errors
    /// If the cell starts within the header or the pointers, or beyond the page.
    ///
    /// # Panics
    /// If `i` is not below the count of cells.
    #[inline]
    pub fn cell_bytes(&self, i: usize) -> Result<&'a [u8], Corrupt> {
        let at = self.cell_pointer(i);
        match self.data.get(at..) {
            Some(bytes) if at >= self.pointers_end() => Ok(bytes),
            _ => Err(self.corrupt("cell pointer is out of bounds")),
        }
    }

    /// Parses cell `i`, whatever the kind.
    ///
    /// # Errors
    /// As [`parse_cell`] and [`cell_bytes`](BtreePage::cell_bytes).
    #[inline]
    pub fn cell_info(&self, i: usize) -> Result<CellInfo, Corrupt> {
        parse_cell(self.cell_bytes(i)?, self.kind, self.geometry).map_err(|e| e.at(self.page))
    }

    /// The bytes of cell `i`, no more. On the last bytes of a page a cell may be shorter than it is accounted for.
    ///
    /// # Errors
    /// If the cell is malformed.
    #[inline]
    pub fn cell(&self, i: usize) -> Result<&'a [u8], Corrupt> {
        let bytes = self.cell_bytes(i)?;
        let info = parse_cell(bytes, self.kind, self.geometry).map_err(|e| e.at(self.page))?;
        bytes
            .get(..info.size as usize)
            .ok_or_else(|| CUT_OFF.at(self.page))
    }

    /// The rowid of cell `i` of a table page, leaf or interior.
    ///
    /// # Errors
    /// If the cell is cut off.
    #[inline]
    pub fn rowid(&self, i: usize) -> Result<i64, Corrupt> {
        debug_assert!(self.kind.is_table());
        let bytes = self.cell_bytes(i)?;
        let at = if self.is_leaf() {
            skip_varint(bytes)
        } else {
            4
        };
        match varint::read_at(bytes, at) {
            Some((rowid, _)) => Ok(rowid as i64),
            None => Err(CUT_OFF.at(self.page)),
        }
    }

    /// Child `i` of an interior page, from 0 to the count of cells: the last one is the right child.
    ///
    /// # Errors
    /// If the cell is cut off or its child is page 0.
    #[inline]
    pub fn child(&self, i: usize) -> Result<PageNo, Corrupt> {
        debug_assert!(!self.is_leaf());
        if i == self.cell_count() {
            return self
                .right_child()
                .ok_or_else(|| self.corrupt("interior page has no right child"));
        }
        read_page_no(self.cell_bytes(i)?, 0).map_err(|e| e.at(self.page))
    }

    /// Cell `i` of a table leaf.
    ///
    /// # Errors
    /// If the cell is malformed.
    #[inline]
    pub fn table_leaf_cell(&self, i: usize) -> Result<TableLeafCell<'a>, Corrupt> {
        debug_assert_eq!(self.kind, PageKind::TableLeaf);
        let bytes = self.cell_bytes(i)?;
        let info =
            parse_cell(bytes, PageKind::TableLeaf, self.geometry).map_err(|e| e.at(self.page))?;
        let CellInfo {
            rowid,
            payload_size,
            overflow,
            ..
        } = info;
        Ok(TableLeafCell {
            rowid,
            payload_size,
            local: self.local(bytes, &info)?,
            overflow,
        })
    }

    /// Cell `i` of a table interior page.
    ///
    /// # Errors
    /// If the cell is malformed.
    #[inline]
    pub fn table_interior_cell(&self, i: usize) -> Result<TableInteriorCell, Corrupt> {
        debug_assert_eq!(self.kind, PageKind::TableInterior);
        let bytes = self.cell_bytes(i)?;
        let left_child = read_page_no(bytes, 0).map_err(|e| e.at(self.page))?;
        match varint::read_at(bytes, 4) {
            Some((rowid, _)) => Ok(TableInteriorCell {
                left_child,
                rowid: rowid as i64,
            }),
            None => Err(CUT_OFF.at(self.page)),
        }
    }

    /// Cell `i` of an index page, leaf or interior.
    ///
    /// # Errors
    /// If the cell is malformed.
    #[inline]
    pub fn index_cell(&self, i: usize) -> Result<IndexCell<'a>, Corrupt> {
        debug_assert!(!self.kind.is_table());
        let bytes = self.cell_bytes(i)?;
        let kind = if self.is_leaf() {
            PageKind::IndexLeaf
        } else {
            PageKind::IndexInterior
        };
        let info = parse_cell(bytes, kind, self.geometry).map_err(|e| e.at(self.page))?;
        let CellInfo {
            left_child,
            payload_size,
            overflow,
            ..
        } = info;
        Ok(IndexCell {
            left_child,
            payload_size,
            local: self.local(bytes, &info)?,
            overflow,
        })
    }

    #[inline]
    fn local(&self, bytes: &'a [u8], info: &CellInfo) -> Result<&'a [u8], Corrupt> {
        let start = info.payload_offset as usize;
        bytes
            .get(start..start + info.local_size as usize)
            .ok_or_else(|| CUT_OFF.at(self.page))
    }

    /// The freeblocks: offset and size of each.
    pub fn freeblocks(&self) -> Freeblocks<'a> {
        Freeblocks {
            page: *self,
            next: self.first_freeblock(),
            floor: self.content_start(),
        }
    }

    /// Unused bytes of the page: unallocated space, freeblocks and fragments, as SQLite's `btreeComputeFreeSpace`
    /// counts them. An editor calls this before its first change to a page.
    ///
    /// # Errors
    /// If the content starts before the pointers end or beyond the page, freeblocks violate rule 2, or more is free
    /// than the page has.
    pub fn free_space(&self) -> Result<usize, Corrupt> {
        let (first, start) = (self.pointers_end(), self.content_start());
        if start > self.data.len() || start < first {
            return Err(self.corrupt("cell content starts out of bounds"));
        }
        let mut free = start - first + self.fragmented_bytes();
        for block in self.freeblocks() {
            free += block?.1;
        }
        if free > self.data.len() - first {
            return Err(self.corrupt("more is free than the page has"));
        }
        Ok(free)
    }

    #[cold]
    fn corrupt(&self, reason: &'static str) -> Corrupt {
        Corrupt::on(self.page, reason)
    }
}

/// The freeblocks of a page, checked against rule 2 as they are walked.
#[derive(Clone, Debug)]
pub struct Freeblocks<'a> {
    page: BtreePage<'a>,
    next: usize,
    floor: usize,
}

impl Iterator for Freeblocks<'_> {
    type Item = Result<(usize, usize), Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == 0 {
            return None;
        }
        let (at, data) = (self.next, self.page.data);
        self.next = 0; // an error ends the walk
        if at < self.floor || at + 4 > data.len() {
            return Some(Err(self
                .page
                .corrupt("freeblock is out of order or out of bounds")));
        }
        let size = get_u16(data, at + 2) as usize;
        if size < 4 || at + size > data.len() {
            return Some(Err(self.page.corrupt("freeblock has an impossible size")));
        }
        self.next = get_u16(data, at) as usize;
        self.floor = at + size + 4;
        Some(Ok((at, size)))
    }
}

/// Bytes of the varint at the start of `bytes`; past the end if it is cut off.
#[inline]
fn skip_varint(bytes: &[u8]) -> usize {
    match bytes {
        [a, ..] if *a < 0x80 => 1,
        [_, b, ..] if *b < 0x80 => 2,
        _ => bytes
            .iter()
            .take(8)
            .position(|&b| b < 0x80)
            .map_or(9, |at| at + 1),
    }
}

/// Bytes of a cell with that payload on a page of that kind, without the overflow chain. `rowid` counts on table pages.
#[inline]
pub fn cell_size(kind: PageKind, rowid: i64, payload_size: u32, geometry: Geometry) -> usize {
    let mut size = if kind.is_leaf() { 0 } else { 4 };
    if kind.is_table() {
        size += varint::len(rowid as u64);
    }
    if kind != PageKind::TableInterior {
        let local = geometry.local_size(payload_size as u64, kind.max_local(geometry));
        size += varint::len(payload_size as u64)
            + local as usize
            + if local < payload_size { 4 } else { 0 };
    }
    size.max(CELL_SIZE_MIN)
}

/// Appends a table leaf cell to `out`: the local part of `payload`, and `overflow`, the first page of the chain that
/// holds the rest. Returns the bytes of payload that are local.
///
/// # Panics
/// Unless `overflow` is given exactly if the payload is not all local.
#[inline]
pub fn encode_table_leaf_cell(
    rowid: i64,
    payload: &[u8],
    overflow: Option<PageNo>,
    geometry: Geometry,
    out: &mut Vec<u8>,
) -> usize {
    let start = out.len();
    varint::push(out, payload.len() as u64);
    varint::push(out, rowid as u64);
    push_payload(
        start,
        payload,
        geometry.max_local_table_leaf(),
        overflow,
        geometry,
        out,
    )
}

/// Appends an index cell to `out`; with a left child it is one of an interior page. Otherwise as
/// [`encode_table_leaf_cell`].
///
/// # Panics
/// Unless `overflow` is given exactly if the payload is not all local.
#[inline]
pub fn encode_index_cell(
    left_child: Option<PageNo>,
    payload: &[u8],
    overflow: Option<PageNo>,
    geometry: Geometry,
    out: &mut Vec<u8>,
) -> usize {
    let start = out.len();
    if let Some(child) = left_child {
        out.extend_from_slice(&child.get().to_be_bytes());
    }
    varint::push(out, payload.len() as u64);
    push_payload(
        start,
        payload,
        geometry.max_local_index(),
        overflow,
        geometry,
        out,
    )
}

/// Appends a table interior cell to `out`.
#[inline]
pub fn encode_table_interior_cell(left_child: PageNo, rowid: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&left_child.get().to_be_bytes());
    varint::push(out, rowid as u64);
}

#[inline]
fn push_payload(
    start: usize,
    payload: &[u8],
    max_local: u32,
    overflow: Option<PageNo>,
    geometry: Geometry,
    out: &mut Vec<u8>,
) -> usize {
    let local = geometry.local_size(payload.len() as u64, max_local) as usize;
    out.extend_from_slice(&payload[..local]);
    assert_eq!(
        overflow.is_some(),
        local < payload.len(),
        "overflow page does not fit the payload"
    );
    if let Some(page) = overflow {
        out.extend_from_slice(&page.get().to_be_bytes());
    }
    while out.len() - start < CELL_SIZE_MIN {
        out.push(0); // rule 1
    }
    local
}
