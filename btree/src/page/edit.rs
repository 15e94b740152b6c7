//! Cells put on and taken off one page.
//!
//! ```text
//!  header | pointers ->       gap        <- content: cell, freeblock, cell, fragment, cell ... | usable end
//!                      ^ end of pointers ^ start of content
//! ```
//!
//! Space for a new cell, in this order:
//! 1. a freeblock that is large enough: its end is taken; if less than four bytes would be left, all of it, and the
//!    rest becomes fragments (unless those would be more than [`FRAGMENTS_MAX`]);
//! 2. the gap;
//! 3. the gap after the page was defragmented.
//!
//! Space that is given back is merged with freeblocks on both sides and the fragments between; at the start of the
//! content it joins the gap.
//!
//! Rules:
//! 1. Whatever the page says is checked before it is used as an offset: a malformed page answers `Corrupt`, and
//!    may have been changed by then.
//! 2. A cell takes at least four bytes.
//!
//! Source: SQLite's `allocateSpace`, `pageFindSlot`, `freeSpace`, `defragmentPage`, `insertCell`, `dropCell`.

use crate::node::{Limits, Node};
use ringwood_format::btree_page::{BtreePage, CELL_SIZE_MIN, parse_cell};
use ringwood_format::bytes::{get_u16, put_u16, put_u32};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};

/// The most fragmented bytes on a page; with more, it is defragmented.
pub(crate) const FRAGMENTS_MAX: usize = 60;

/// A page that is being edited.
pub(crate) struct PageEdit<'a> {
    data: &'a mut [u8],
    pub(crate) node: Node,
    geometry: Geometry,
    header: usize,
}

impl<'a> PageEdit<'a> {
    /// The b-tree page in `data`.
    ///
    /// # Errors
    /// If its header is malformed.
    #[inline]
    pub(crate) fn new(
        data: &'a mut [u8],
        geometry: Geometry,
        no: PageNo,
    ) -> Result<PageEdit<'a>, Corrupt> {
        let node = Node::new(data, geometry, no)?;
        let header = node.header();
        Ok(PageEdit {
            data,
            node,
            geometry,
            header,
        })
    }

    /// The same where the header is known to be `node`, from a version of the page that has not changed since.
    ///
    /// # Errors
    /// If it has another count of cells after all: two trees share the page.
    #[inline]
    pub(crate) fn known(
        data: &'a mut [u8],
        geometry: Geometry,
        node: Node,
    ) -> Result<PageEdit<'a>, Corrupt> {
        let header = node.header();
        if !node.is_header_of(data) {
            return Err(Corrupt::on(node.no, "page is not what the cursor saw"));
        }
        Ok(PageEdit {
            data,
            node,
            geometry,
            header,
        })
    }

    /// The bytes of the page.
    #[inline]
    pub(crate) fn data(&mut self) -> &mut [u8] {
        self.data
    }

    /// Unused bytes, checked.
    pub(crate) fn free_space(&self) -> Result<usize, Corrupt> {
        BtreePage::new(self.data, self.geometry, self.node.no)?.free_space()
    }

    /// Bytes between the pointers and the content: a part of the free space.
    #[inline]
    pub(crate) fn gap(&self) -> usize {
        self.content_start()
            .saturating_sub(self.node.pointers_end())
    }

    #[inline]
    fn usable(&self) -> usize {
        self.geometry.usable() as usize
    }

    #[inline]
    fn content_start(&self) -> usize {
        match get_u16(self.data, self.header + 5) {
            0 => 65536,
            start => start as usize,
        }
    }

    #[inline]
    fn set_content_start(&mut self, at: usize) {
        put_u16(self.data, self.header + 5, at as u16);
    }

    #[cold]
    fn corrupt(&self, reason: &'static str) -> Corrupt {
        Corrupt::on(self.node.no, reason)
    }

    /// Makes room for a cell of `size` bytes as cell `ix`, and a pointer to it. Returns where its bytes go; they hold
    /// anything until the caller writes them. `None`, and the page is as it was, if the page is too full.
    ///
    /// # Errors
    /// If the page is malformed.
    #[inline]
    pub(crate) fn insert(&mut self, ix: u16, size: usize) -> Result<Option<usize>, Corrupt> {
        debug_assert!(size >= CELL_SIZE_MIN && ix <= self.node.count);
        let (end, start) = (self.node.pointers_end(), self.content_start());
        let no_freeblock = get_u16(self.data, self.header + 1) == 0;
        let at = if no_freeblock && end + 2 + size <= start && start <= self.usable() {
            self.set_content_start(start - size);
            start - size
        } else {
            let Some(at) = self.allocate(size)? else {
                return Ok(None);
            };
            at
        };
        let pointer = self.node.pointers as usize + 2 * ix as usize;
        if pointer < end {
            self.data.copy_within(pointer..end, pointer + 2);
        }
        put_u16(self.data, pointer, at as u16);
        self.node.count += 1;
        put_u16(self.data, self.header + 3, self.node.count);
        Ok(Some(at))
    }

    #[inline(never)]
    fn allocate(&mut self, size: usize) -> Result<Option<usize>, Corrupt> {
        let gap = self.node.pointers_end();
        let mut start = self.content_start();
        if start > self.usable() || start < gap {
            return Err(self.corrupt("cell content starts out of bounds"));
        }
        if get_u16(self.data, self.header + 1) != 0 && gap + 2 <= start {
            if let Some(at) = self.take_freeblock(size, start)? {
                return Ok(Some(at));
            }
        }
        if gap + 2 + size > start {
            if self.free_space()? < size + 2 {
                return Ok(None);
            }
            start = match self.close_holes(gap + 2 + size)? {
                Some(start) => start,
                None => self.defragment()?,
            };
            if gap + 2 + size > start {
                return Err(self.corrupt("free space is not what the page says"));
            }
        }
        self.set_content_start(start - size);
        Ok(Some(start - size))
    }

    /// The end of the first freeblock with `size` bytes.
    fn take_freeblock(
        &mut self,
        size: usize,
        content_start: usize,
    ) -> Result<Option<usize>, Corrupt> {
        let usable = self.usable();
        let (mut link, mut floor) = (self.header + 1, content_start);
        loop {
            let at = get_u16(self.data, link) as usize;
            if at == 0 {
                return Ok(None);
            }
            if at < floor || at + 4 > usable {
                return Err(self.corrupt("freeblock is out of order or out of bounds"));
            }
            let found = get_u16(self.data, at + 2) as usize;
            if found < 4 || at + found > usable {
                return Err(self.corrupt("freeblock has an impossible size"));
            }
            if found >= size {
                let rest = found - size;
                if rest >= 4 {
                    put_u16(self.data, at + 2, rest as u16);
                    return Ok(Some(at + rest));
                }
                let fragments = self.data[self.header + 7] as usize + rest;
                if fragments > FRAGMENTS_MAX {
                    return Ok(None);
                }
                let next = get_u16(self.data, at);
                put_u16(self.data, link, next);
                self.data[self.header + 7] = fragments as u8;
                // The fragments stay in front of the cell, as if the freeblock had shrunk to nothing.
                return Ok(Some(at + rest));
            }
            link = at;
            floor = at + found;
        }
    }

    /// Takes cell `ix` off the page.
    ///
    /// # Errors
    /// If the cell or the freeblocks around it are malformed.
    pub(crate) fn remove(&mut self, ix: u16) -> Result<(), Corrupt> {
        self.take_out(ix, false)
    }

    /// The same; the cell's bytes become zeros (`secure_delete`).
    pub(crate) fn wipe(&mut self, ix: u16) -> Result<(), Corrupt> {
        self.take_out(ix, true)
    }

    fn take_out(&mut self, ix: u16, wipe: bool) -> Result<(), Corrupt> {
        if ix >= self.node.count {
            return Err(self.corrupt("cell to be removed is not there"));
        }
        let limits = Limits::new(self.geometry, self.node.kind);
        let (at, size) = self.node.cell_span(self.data, ix, limits)?;
        if wipe {
            self.data[at as usize..at as usize + size as usize].fill(0);
        }
        self.release(at as usize, size as usize)?;
        let pointer = self.node.pointers as usize + 2 * ix as usize;
        let end = self.node.pointers_end();
        self.data.copy_within(pointer + 2..end, pointer);
        self.node.count -= 1;
        put_u16(self.data, self.header + 3, self.node.count);
        if self.node.count == 0 {
            put_u16(self.data, self.header + 1, 0);
            self.data[self.header + 7] = 0;
            self.set_content_start(self.usable());
        }
        Ok(())
    }

    /// Gives `size` bytes at `start` back.
    fn release(&mut self, mut start: usize, size: usize) -> Result<(), Corrupt> {
        let (usable, content_start) = (self.usable(), self.content_start());
        let mut end = start + size;
        // The freeblocks on both sides.
        let mut link = self.header + 1;
        let mut before = 0;
        let mut next = get_u16(self.data, link) as usize;
        while next != 0 && next < start {
            if next <= before || next < content_start {
                return Err(self.corrupt("freeblocks are out of order"));
            }
            (before, link) = (next, next);
            next = get_u16(self.data, next) as usize;
        }
        if next > usable - 4 {
            return Err(self.corrupt("freeblock is out of bounds"));
        }
        let mut gaps = 0;
        if next != 0 && end + 3 >= next {
            if end > next {
                return Err(self.corrupt("cell overlaps a freeblock"));
            }
            gaps = next - end;
            end = next + get_u16(self.data, next + 2) as usize;
            if end > usable {
                return Err(self.corrupt("freeblock extends past the end of its page"));
            }
            next = get_u16(self.data, next) as usize;
        }
        let mut merged = false;
        if before != 0 {
            let before_end = before + get_u16(self.data, before + 2) as usize;
            if before_end + 3 >= start {
                if before_end > start {
                    return Err(self.corrupt("cell overlaps a freeblock"));
                }
                gaps += start - before_end;
                start = before;
                merged = true;
            }
        }
        let fragments = self.data[self.header + 7] as usize;
        if gaps > fragments {
            return Err(self.corrupt("fragments are more than the page says"));
        }
        self.data[self.header + 7] = (fragments - gaps) as u8;
        if start <= content_start {
            if start < content_start || before != 0 {
                return Err(self.corrupt("cell lies before the cell content"));
            }
            put_u16(self.data, self.header + 1, next as u16);
            self.set_content_start(end);
            return Ok(());
        }
        if !merged {
            put_u16(self.data, link, start as u16);
        }
        put_u16(self.data, start, next as u16);
        put_u16(self.data, start + 2, (end - start) as u16);
        Ok(())
    }

    /// Moves the content over the freeblocks, if there are at most two of them and the content starts at `wanted` or
    /// behind it then: the new start. Cells need not be looked at for that.
    fn close_holes(&mut self, wanted: usize) -> Result<Option<usize>, Corrupt> {
        let (start, usable) = (self.content_start(), self.usable());
        let first = get_u16(self.data, self.header + 1) as usize;
        if first < start || first + 4 > usable {
            return Ok(None);
        }
        let first_size = get_u16(self.data, first + 2) as usize;
        let second = get_u16(self.data, first) as usize;
        let mut second_size = 0;
        if second != 0 {
            if second + 4 > usable || get_u16(self.data, second) != 0 {
                return Ok(None);
            }
            second_size = get_u16(self.data, second + 2) as usize;
        }
        let room = first_size + second_size;
        if start + room < wanted {
            return Ok(None);
        }
        let end = if second == 0 { usable } else { second };
        if first_size < 4 || first + first_size > end || end + second_size > usable {
            return Err(self.corrupt("freeblock has an impossible size"));
        }
        if second != 0 {
            let between = first + first_size..second;
            self.data.copy_within(between, first + room);
        }
        self.data.copy_within(start..first, start + room);
        let pointers = self.node.pointers as usize..self.node.pointers_end();
        for pointer in self.data[pointers].as_chunks_mut::<2>().0 {
            let at = u16::from_be_bytes(*pointer);
            let moves = if usize::from(at) < first {
                room
            } else if usize::from(at) < second {
                second_size
            } else {
                0
            };
            *pointer = at.wrapping_add(moves as u16).to_be_bytes();
        }
        put_u16(self.data, self.header + 1, 0);
        self.set_content_start(start + room);
        Ok(Some(start + room))
    }

    /// Packs all cells at the end of the page, in the order of their pointers from the back. Returns the new start of
    /// the content.
    fn defragment(&mut self) -> Result<usize, Corrupt> {
        let usable = self.usable();
        let old_start = self.content_start();
        let old = self.data[old_start..usable].to_vec();
        let mut start = usable;
        for ix in 0..self.node.count {
            let pointer = self.node.pointers as usize + 2 * ix as usize;
            let at = get_u16(self.data, pointer) as usize;
            if at < old_start || at >= usable {
                return Err(self.corrupt("cell pointer is out of bounds"));
            }
            let info = parse_cell(&old[at - old_start..], self.node.kind, self.geometry)
                .map_err(|e| e.at(self.node.no))?;
            let size = info.size as usize;
            if at + size > usable || start < old_start + size {
                return Err(self.corrupt("cell extends past the end of its page"));
            }
            start -= size;
            self.data[start..start + size]
                .copy_from_slice(&old[at - old_start..at - old_start + size]);
            put_u16(self.data, pointer, start as u16);
        }
        put_u16(self.data, self.header + 1, 0);
        self.data[self.header + 7] = 0;
        self.set_content_start(start);
        Ok(start)
    }

    /// Puts a whole cell on the page as cell `ix`; false, and the page is as it was, if it is too full.
    ///
    /// # Errors
    /// If the page is malformed.
    pub(crate) fn insert_cell(&mut self, ix: u16, cell: &[u8]) -> Result<bool, Corrupt> {
        let Some(at) = self.insert(ix, cell.len().max(CELL_SIZE_MIN))? else {
            return Ok(false);
        };
        self.data[at..at + cell.len()].copy_from_slice(cell);
        Ok(true)
    }

    /// Sets child `ix` of an interior page; the count of cells for the right child.
    ///
    /// # Errors
    /// If the cell is out of bounds.
    pub(crate) fn set_child(&mut self, ix: u16, child: PageNo) -> Result<(), Corrupt> {
        let at = if ix >= self.node.count {
            self.header + 8
        } else {
            self.node.cell_at(self.data, ix)
        };
        if at + 4 > self.usable() || at < self.header + 8 {
            return Err(self.corrupt("cell pointer is out of bounds"));
        }
        put_u32(self.data, at, child.get());
        Ok(())
    }
}
