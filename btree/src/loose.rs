//! Pages as SQLite reads them: nothing is refused that it would read, so that the same fault is found.
//!
//! A cell may begin anywhere, name page 0, or end behind its page; what lies behind the page counts as zeros. Numbers
//! are cut to 32 bits where SQLite cuts them.
//!
//! Cursors look here where `node.rs` calls a cell corrupt, and the integrity check looks at everything so.
//!
//! Absent: changes. What a page cannot be edited for is corrupt.
//!
//! Source: SQLite's `btreeInitPage`, `btreeComputeFreeSpace`, `btreeParseCellPtr`, `btreeParseCellPtrIndex`.

use ringwood_format::btree_page::{CELL_SIZE_MIN, PageKind, header_offset};
use ringwood_format::bytes::{get_u16, get_u32};
use ringwood_format::page::{Geometry, PageNo};

/// A page of a tree.
pub(crate) struct Page<'a> {
    pub(crate) no: PageNo,
    pub(crate) data: &'a [u8],
    pub(crate) usable: usize,
    pub(crate) count: usize,
    pub(crate) is_leaf: bool,
    pub(crate) is_table: bool,
    kind: PageKind,
    geometry: Geometry,
    header: usize,
    pointers: usize,
}

/// A cell.
pub(crate) struct Cell {
    pub(crate) rowid: i64,
    pub(crate) left_child: u32,
    /// Bytes of the payload, and how many of them are on the page.
    pub(crate) payload: u32,
    pub(crate) local: u32,
    pub(crate) payload_at: usize,
    /// The first page of the overflow chain, if `payload` is more than `local`.
    pub(crate) overflow: u32,
    pub(crate) size: u32,
}

impl<'a> Page<'a> {
    /// The page; `None` if its kind is unknown or it has too many cells.
    pub(crate) fn new(data: &'a [u8], no: PageNo, geometry: Geometry) -> Option<Page<'a>> {
        let header = header_offset(no);
        let kind = PageKind::from_flags(data[header])?;
        let count = get_u16(data, header + 3) as usize;
        if count as u32 > (geometry.page_size() - 8) / 6 {
            return None;
        }
        let pointers = header + kind.header_size();
        Some(Page {
            no,
            data,
            usable: geometry.usable() as usize,
            count,
            is_leaf: kind.is_leaf(),
            is_table: kind.is_table(),
            kind,
            geometry,
            header,
            pointers,
        })
    }

    pub(crate) fn content_start(&self) -> usize {
        match get_u16(self.data, self.header + 5) {
            0 => 65536,
            start => start as usize,
        }
    }

    pub(crate) fn fragmented_bytes(&self) -> usize {
        self.data[self.header + 7] as usize
    }

    pub(crate) fn right_child(&self) -> u32 {
        get_u32(self.data, self.header + 8)
    }

    pub(crate) fn cell_at(&self, ix: usize) -> usize {
        get_u16(self.data, self.pointers + 2 * ix) as usize
    }

    /// Whether the freeblocks ascend within the page, and what is free fits between the pointers and the page's end.
    pub(crate) fn is_free_space_sound(&self) -> bool {
        let top = self.content_start();
        let first_cell = self.pointers + 2 * self.count;
        let mut free = self.fragmented_bytes() + top;
        let mut at = get_u16(self.data, self.header + 1) as usize;
        if at > 0 {
            if at < top {
                return false;
            }
            loop {
                if at > self.usable - 4 {
                    return false;
                }
                let next = get_u16(self.data, at) as usize;
                let size = get_u16(self.data, at + 2) as usize;
                if size < 4 {
                    return false;
                }
                free += size;
                if next < at + size + 4 {
                    if next > 0 || at + size > self.usable {
                        return false;
                    }
                    break;
                }
                at = next;
            }
        }
        (first_cell..=self.usable).contains(&free)
    }

    /// From where to where the freeblocks of a page go that is sound in this.
    pub(crate) fn freeblocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = get_u16(self.data, self.header + 1) as usize;
        std::iter::from_fn(move || {
            if at == 0 {
                return None;
            }
            let block = (at, at + get_u16(self.data, at + 2) as usize);
            at = get_u16(self.data, at) as usize;
            Some(block)
        })
    }

    fn byte(&self, at: usize) -> u8 {
        self.data.get(at).copied().unwrap_or(0)
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes([0, 1, 2, 3].map(|i| self.byte(at + i)))
    }

    /// A size: seven bits of each of at most nine bytes, cut to 32 bits; and where it ends.
    fn size_at(&self, mut at: usize) -> (u32, usize) {
        let mut size = 0u64;
        for _ in 0..9 {
            let byte = self.byte(at);
            at += 1;
            size = size << 7 | u64::from(byte & 0x7f);
            if byte < 0x80 {
                break;
            }
        }
        (size as u32, at)
    }

    /// A rowid, and where it ends.
    fn rowid_at(&self, at: usize) -> (i64, usize) {
        let mut rowid = 0u64;
        for i in 0..8 {
            let byte = self.byte(at + i);
            rowid = rowid << 7 | u64::from(byte & 0x7f);
            if byte < 0x80 {
                return (rowid as i64, at + i + 1);
            }
        }
        ((rowid << 8 | u64::from(self.byte(at + 8))) as i64, at + 9)
    }

    /// The cell that begins at `start`.
    pub(crate) fn cell(&self, start: usize) -> Cell {
        let mut at = start;
        let mut cell = Cell {
            rowid: 0,
            left_child: 0,
            payload: 0,
            local: 0,
            payload_at: 0,
            overflow: 0,
            size: 0,
        };
        if !self.is_leaf {
            cell.left_child = self.number(at);
            at += 4;
        }
        if self.is_leaf || !self.is_table {
            (cell.payload, at) = self.size_at(at);
        }
        if self.is_table {
            (cell.rowid, at) = self.rowid_at(at);
        }
        cell.payload_at = at;
        cell.local = cell.payload;
        let max_local = self.kind.max_local(self.geometry);
        if cell.payload <= max_local {
            let size = at - start + cell.payload as usize;
            cell.size = size.max(CELL_SIZE_MIN) as u32;
        } else {
            cell.local = self.geometry.local_size(u64::from(cell.payload), max_local);
            cell.overflow = self.number(at + cell.local as usize);
            cell.size = (at - start) as u32 + cell.local + 4;
        }
        cell
    }

    /// The pages of a cell's overflow chain.
    pub(crate) fn overflow_pages(&self, cell: &Cell) -> u32 {
        let beyond = (cell.payload - cell.local).wrapping_add(self.usable as u32 - 5);
        beyond / (self.usable as u32 - 4)
    }
}
