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

use crate::loose::Page;
use ringwood_format::btree_page::{
    BtreePage, CELL_SIZE_MIN, CellInfo, PAYLOAD_SIZE_MAX, PageKind, header_offset, parse_cell,
};
use ringwood_format::bytes::{get_u16, get_u32};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::varint;
use ringwood_pager::PageRef;
use ringwood_wal::{Error, Stop, Try, Tx};
use std::cmp::Ordering;

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

/// What a cursor keeps of its entry's cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    /// 0 in indexes.
    pub(crate) rowid: i64,
    pub(crate) payload_size: u32,
    /// Where on the page the payload starts.
    pub(crate) payload_at: u32,
    /// Bytes of the payload that are on the page.
    pub(crate) local_size: u32,
    /// Where on the page the cell starts.
    pub(crate) at: u32,
    pub(crate) overflow: Option<PageNo>,
}

impl Entry {
    /// Bytes of the cell.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        let overflow = if self.overflow.is_some() { 4 } else { 0 };
        ((self.payload_at - self.at + self.local_size + overflow) as usize).max(CELL_SIZE_MIN)
    }
}

/// What bounds the cells of pages of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) geometry: Geometry,
    pub(crate) usable: u32,
    pub(crate) max_local: u32,
}

impl Limits {
    #[inline]
    pub(crate) fn new(geometry: Geometry, kind: PageKind) -> Limits {
        Limits {
            geometry,
            usable: geometry.usable(),
            max_local: kind.max_local(geometry),
        }
    }
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

    /// Whether the page in `data` has this header still.
    #[inline]
    pub(crate) fn is_header_of(&self, data: &[u8]) -> bool {
        let header = self.header();
        get_u16(data, header + 3) == self.count && data[header] == self.kind.flags()
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
    pub(crate) fn cell(
        &self,
        data: &[u8],
        ix: u16,
        geometry: Geometry,
    ) -> Result<(u32, CellInfo), Corrupt> {
        let at = self.cell_at(data, ix);
        let Some(bytes) = data.get(at..geometry.usable() as usize) else {
            return Err(OUT_OF_BOUNDS.at(self.no));
        };
        let info = parse_cell(bytes, self.kind, geometry).map_err(|e| e.at(self.no))?;
        Ok((at as u32, info))
    }

    /// What a cursor keeps of cell `ix`. Its local payload lies within the page.
    pub(crate) fn entry(&self, data: &[u8], ix: u16, geometry: Geometry) -> Result<Entry, Corrupt> {
        let (at, cell) = self.cell(data, ix, geometry)?;
        let entry = Entry {
            rowid: cell.rowid,
            payload_size: cell.payload_size,
            payload_at: at + cell.payload_offset as u32,
            local_size: cell.local_size as u32,
            at,
            overflow: cell.overflow,
        };
        if entry.payload_at + entry.local_size > geometry.usable() {
            return Err(Corrupt::on(
                self.no,
                "cell extends past the end of its page",
            ));
        }
        Ok(entry)
    }

    /// The same for reading only: where the cell makes no sense, what SQLite reads there. Its pointer is cut to the
    /// size of the page, and a payload that goes on behind the page has a local part that ends with it.
    #[inline]
    pub(crate) fn entry_to_read(
        &self,
        data: &[u8],
        ix: u16,
        geometry: Geometry,
    ) -> Result<Entry, Corrupt> {
        self.entry(data, ix, geometry)
            .or_else(|corrupt| self.loose_entry(data, ix, geometry).ok_or(corrupt))
    }

    #[cold]
    fn loose_entry(&self, data: &[u8], ix: u16, geometry: Geometry) -> Option<Entry> {
        let page = Page::new(data, self.no, geometry)?;
        let at = page.cell_at(ix as usize) & (geometry.page_size() as usize - 1);
        let cell = page.cell(at);
        let payload_at = cell.payload_at.min(page.usable);
        let local_size = (cell.local as usize).min(page.usable - payload_at);
        let overflow = if local_size < cell.local as usize || cell.payload == cell.local {
            None
        } else {
            PageNo::new(cell.overflow)
        };
        (cell.payload as u64 <= PAYLOAD_SIZE_MAX).then_some(Entry {
            rowid: cell.rowid,
            payload_size: cell.payload,
            payload_at: payload_at as u32,
            local_size: local_size as u32,
            at: at as u32,
            overflow,
        })
    }

    /// Where cell `ix` starts and its size; it lies behind the pointers and within the page.
    #[inline]
    pub(crate) fn cell_span(
        &self,
        data: &[u8],
        ix: u16,
        limits: Limits,
    ) -> Result<(u32, u32), Corrupt> {
        self.span_at(data, self.cell_at(data, ix), limits)
    }

    /// The same for the cell that starts at `at`.
    #[inline(always)]
    pub(crate) fn span_at(
        &self,
        data: &[u8],
        at: usize,
        limits: Limits,
    ) -> Result<(u32, u32), Corrupt> {
        let size = match self.kind {
            PageKind::TableLeaf => small_size(data, at, 0, true, limits),
            PageKind::IndexLeaf => small_size(data, at, 0, false, limits),
            PageKind::IndexInterior => small_size(data, at, 4, false, limits),
            PageKind::TableInterior => None,
        };
        if let Some(size) = size
            && at >= self.pointers_end()
            && at as u32 + size <= limits.usable
        {
            return Ok((at as u32, size));
        }
        self.any_span(data, at, limits)
    }

    #[inline(never)]
    fn any_span(&self, data: &[u8], at: usize, limits: Limits) -> Result<(u32, u32), Corrupt> {
        let Some(bytes) = data.get(at..limits.usable as usize) else {
            return Err(OUT_OF_BOUNDS.at(self.no));
        };
        let size = parse_cell(bytes, self.kind, limits.geometry)
            .map_err(|e| e.at(self.no))?
            .size as u32;
        if at < self.pointers_end() || at as u32 + size > limits.usable {
            return Err(OUT_OF_BOUNDS.at(self.no));
        }
        Ok((at as u32, size))
    }

    /// The bytes of cell `ix`, at least four.
    pub(crate) fn cell_bytes<'a>(
        &self,
        data: &'a [u8],
        ix: u16,
        geometry: Geometry,
    ) -> Result<&'a [u8], Corrupt> {
        let (at, size) = self.cell_span(data, ix, Limits::new(geometry, self.kind))?;
        Ok(&data[at as usize..(at + size) as usize])
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
                // The pointer is cut to the size of the page, as `entry_to_read` does.
                None => match data.get(at & (data.len() - 1)..) {
                    Some([a, b, c, d, ..]) => u32::from_be_bytes([*a, *b, *c, *d]),
                    _ => return Err(OUT_OF_BOUNDS.at(self.no)),
                },
            }
        };
        PageNo::new(no).ok_or(Corrupt::on(self.no, "child is page 0"))
    }

    /// The first child whose rowids may be at least `rowid`: the index of the first cell whose divider is.
    #[inline]
    pub(crate) fn search_rowid_interior(&self, data: &[u8], rowid: i64) -> Result<u16, Corrupt> {
        let pointers = self.pointers_of(data);
        let (mut low, mut high) = (0, pointers.len());
        while low < high {
            let mid = low + (high - low) / 2;
            let found = pointers
                .get(mid)
                .and_then(|at| read_rowid(data, u16::from_be_bytes(*at) as usize + 4))
                .or_else(|| self.loose_rowid(data, mid));
            let Some(found) = found else {
                return Err(OUT_OF_BOUNDS.at(self.no));
            };
            if found < rowid {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        Ok(low as u16)
    }

    /// The first cell of a table leaf whose rowid is at least `rowid`.
    ///
    /// Rowids are integers and ascend, so a probe that is off by d says that the cell is at most d cells away. Where
    /// they are dense, as in most tables, that place is right, and the second probe is the last.
    #[inline]
    pub(crate) fn search_rowid_leaf(&self, data: &[u8], rowid: i64) -> Result<u16, Corrupt> {
        let pointers = self.pointers_of(data);
        let (mut low, mut high) = (0, pointers.len());
        let mut mid = high / 2;
        while low < high {
            let found = pointers
                .get(mid)
                .and_then(|at| read_leaf_rowid(data, u16::from_be_bytes(*at) as usize))
                .or_else(|| self.loose_rowid(data, mid));
            let Some(found) = found else {
                return Err(OUT_OF_BOUNDS.at(self.no));
            };
            match found.cmp(&rowid) {
                Ordering::Equal => return Ok(mid as u16),
                Ordering::Less => {
                    let away = rowid.wrapping_sub(found) as u64;
                    low = mid + 1;
                    if away < (high - mid) as u64 {
                        high = mid + away as usize;
                        mid = high - 1;
                        continue;
                    }
                }
                Ordering::Greater => {
                    let away = found.wrapping_sub(rowid) as u64;
                    high = mid;
                    if away < (mid - low) as u64 {
                        low = mid - away as usize;
                        mid = low;
                        continue;
                    }
                }
            }
            mid = low + (high - low) / 2;
        }
        Ok(low as u16)
    }

    /// The rowid of a cell that does not lie within the page, as [`Node::entry_to_read`] has it.
    #[cold]
    fn loose_rowid(&self, data: &[u8], ix: usize) -> Option<i64> {
        let at = get_u16(data, self.pointers as usize + 2 * ix) as usize & (data.len() - 1);
        let size = if self.is_leaf() {
            varint::read(&data[at..])?.1
        } else {
            4
        };
        Some(varint::read_at(data, at + size)?.0 as i64)
    }

    /// The cell pointers; one bounds check for a whole search.
    #[inline]
    pub(crate) fn pointers_of<'a>(&self, data: &'a [u8]) -> &'a [[u8; 2]] {
        data[self.pointers as usize..self.pointers_end()]
            .as_chunks::<2>()
            .0
    }

    /// The rowid of cell `ix` of a table leaf.
    #[inline]
    pub(crate) fn leaf_rowid(&self, data: &[u8], ix: u16) -> Result<i64, Corrupt> {
        read_leaf_rowid(data, self.cell_at(data, ix)).ok_or(OUT_OF_BOUNDS.at(self.no))
    }
}

const OUT_OF_BOUNDS: Corrupt = Corrupt {
    page: None,
    reason: "cell pointer is out of bounds",
};

/// Eight bytes at `at` as a number; `None` near the end of the page.
#[inline(always)]
fn word(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*data.get(at..at + 8)?.first_chunk()?))
}

/// The entry of a leaf cell whose payload is all on the page, decoded without a call. `None` for others, for rare
/// lengths of the numbers in front of the payload, for malformed cells, and for those in the last bytes of the page.
#[inline(always)]
pub(crate) fn small_entry(
    data: &[u8],
    at: usize,
    kind: PageKind,
    usable: u32,
    max_local: u32,
) -> Option<Entry> {
    let word = word(data, at)?;
    let (payload_size, mut len) = match word >> 63 {
        0 => ((word >> 56) as u32, 1),
        _ if word & 0x0080_0000_0000_0000 == 0 => {
            ((word >> 49 & 0x3f80 | word >> 48 & 0x7f) as u32, 2)
        }
        _ => return None,
    };
    let mut rowid = 0;
    if kind == PageKind::TableLeaf {
        let rowid_len;
        (rowid, rowid_len) = match short_varint(((word << (8 * len)) >> 32) as u32) {
            Some(short) => short,
            None => long_varint(data, at + len as usize)?,
        };
        len += rowid_len;
    } else if kind != PageKind::IndexLeaf {
        return None;
    }
    let payload_at = at as u32 + len;
    if payload_size > max_local || payload_at + payload_size > usable {
        return None;
    }
    Some(Entry {
        rowid,
        payload_size,
        payload_at,
        local_size: payload_size,
        at: at as u32,
        overflow: None,
    })
}

/// The size of a cell whose payload, behind `lead` bytes, is all on the page; `None` where [`small_entry`] has it.
#[inline(always)]
fn small_size(data: &[u8], at: usize, lead: usize, rowid: bool, limits: Limits) -> Option<u32> {
    let word = word(data, at + lead)?;
    let (payload_size, mut len) = match word >> 63 {
        0 => ((word >> 56) as u32, 1),
        _ if word & 0x0080_0000_0000_0000 == 0 => {
            ((word >> 49 & 0x3f80 | word >> 48 & 0x7f) as u32, 2)
        }
        _ => return None,
    };
    if payload_size > limits.max_local {
        return None;
    }
    if rowid {
        // The zeros that are shifted in would end any varint: more than six bytes are not looked for.
        let ends = !(word << (8 * len)) & 0x8080_8080_8080_0000;
        if ends == 0 {
            return None;
        }
        len += ends.leading_zeros() / 8 + 1;
    }
    Some((lead as u32 + len + payload_size).max(CELL_SIZE_MIN as u32))
}

/// The record in an index cell, leaf or interior, that is all on the page; `None` where [`small_entry`] has it.
#[inline(always)]
pub(crate) fn small_record(
    data: &[u8],
    at: usize,
    kind: PageKind,
    usable: u32,
    max_local: u32,
) -> Option<&[u8]> {
    let at = if kind == PageKind::IndexLeaf {
        at
    } else {
        at + 4
    };
    let &[a, b] = data.get(at..at + 2)?.first_chunk()?;
    let (size, start) = match (a, b) {
        (0..0x80, _) => (a as usize, at + 1),
        (_, 0..0x80) => ((a as usize & 0x7f) << 7 | b as usize, at + 2),
        _ => return None,
    };
    if size > max_local as usize || start + size > usable as usize {
        return None;
    }
    data.get(start..start + size)
}

/// The varint at the start of `w`, four bytes of a page as a big-endian number, and its length, if it is all there:
/// nearly every rowid. In most trees all that are read have one length, so that these branches are foreseen.
#[inline(always)]
const fn short_varint(w: u32) -> Option<(i64, u32)> {
    if w & 0x8000_0000 == 0 {
        Some(((w >> 24) as i64, 1))
    } else if w & 0x0080_0000 == 0 {
        Some(((w >> 17 & 0x3f80 | w >> 16 & 0x7f) as i64, 2))
    } else if w & 0x8000 == 0 {
        Some((
            (w >> 10 & 0x001f_c000 | w >> 9 & 0x3f80 | w >> 8 & 0x7f) as i64,
            3,
        ))
    } else if w & 0x80 == 0 {
        Some((
            (w >> 3 & 0x0fe0_0000 | w >> 2 & 0x001f_c000 | w >> 1 & 0x3f80 | w & 0x7f) as i64,
            4,
        ))
    } else {
        None
    }
}

/// The varint at `at`, if it has up to eight bytes and is not in the last bytes of the page.
#[inline(always)]
fn long_varint(data: &[u8], at: usize) -> Option<(i64, u32)> {
    let (value, len) = varint::read_word(word(data, at)?)?;
    Some((value as i64, len as u32))
}

/// The varint at the start of a word, if it has up to eight bytes.
#[inline(always)]
const fn word_varint(word: u64) -> Option<i64> {
    match short_varint((word >> 32) as u32) {
        Some((value, _)) => Some(value),
        None => match varint::read_word(word) {
            Some((value, _)) => Some(value as i64),
            None => None,
        },
    }
}

/// The rowid varint at `at`.
#[inline(always)]
fn read_rowid(data: &[u8], at: usize) -> Option<i64> {
    match word(data, at) {
        Some(word) => match word_varint(word) {
            Some(rowid) => Some(rowid),
            None => read_rowid_slow(data, at),
        },
        None => read_rowid_slow(data, at),
    }
}

#[inline(never)]
fn read_rowid_slow(data: &[u8], at: usize) -> Option<i64> {
    Some(varint::read_at(data, at)?.0 as i64)
}

/// The rowid behind the payload size at `at`.
#[inline(always)]
fn read_leaf_rowid(data: &[u8], at: usize) -> Option<i64> {
    if let Some(first) = word(data, at) {
        // A payload size of one or two bytes leaves six for the rowid.
        let rest = match first & 0x8080_0000_0000_0000 {
            0x8080_0000_0000_0000 => return read_leaf_rowid_slow(data, at),
            0 | 0x0080_0000_0000_0000 => first << 8,
            _ => first << 16,
        };
        // What was shifted in would end any varint.
        if !rest & 0x8080_8080_8080_0000 != 0
            && let Some(rowid) = word_varint(rest)
        {
            return Some(rowid);
        }
    }
    read_leaf_rowid_slow(data, at)
}

#[inline(never)]
fn read_leaf_rowid_slow(data: &[u8], at: usize) -> Option<i64> {
    let (_, at) = varint::read_at(data, at)?;
    read_rowid_slow(data, at)
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
    let header = header_offset(no);
    if let Some(&[flags, _, _, high, low, ..]) = data.get(header..header + 8) {
        let leaf = if table {
            PageKind::TableLeaf
        } else {
            PageKind::IndexLeaf
        };
        let interior = if table {
            PageKind::TableInterior
        } else {
            PageKind::IndexInterior
        };
        let kind = if flags == leaf.flags() {
            leaf
        } else {
            interior
        };
        let count = u16::from_be_bytes([high, low]);
        let pointers = header + kind.header_size();
        if flags == kind.flags()
            && (count > 0 || is_root)
            && pointers + 2 * count as usize <= geometry.usable() as usize
        {
            return Ok(Node {
                no,
                count,
                pointers: pointers as u16,
                kind,
            });
        }
    }
    Err(refuse(data, no, table, geometry))
}

/// Why [`check`] does not want a page.
#[cold]
fn refuse(data: &[u8], no: PageNo, table: bool, geometry: Geometry) -> Corrupt {
    match BtreePage::new(data, geometry, no) {
        Err(corrupt) => corrupt.at(no),
        Ok(page) if page.kind().is_table() == table => {
            Corrupt::on(no, "page below the root has no cells")
        }
        Ok(_) if table => Corrupt::on(no, "index page in a table"),
        Ok(_) => Corrupt::on(no, "table page in an index"),
    }
}
