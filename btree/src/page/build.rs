//! A page built anew: header, pointers, and cells packed at its end.

use crate::node::{Limits, Node};
use ringwood_format::btree_page::{CELL_SIZE_MIN, PageKind, header_offset};
use ringwood_format::bytes::{put_u16, put_u32};
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use std::ops::Range;

/// Writes a b-tree page to `data` from its first cell on.
pub(crate) struct PageBuild<'a> {
    data: &'a mut [u8],
    header: usize,
    pointer: usize,
    start: usize,
    count: u16,
}

impl<'a> PageBuild<'a> {
    /// An empty page of that kind in `data`, which is page `no`. What else is on the page (the database header on
    /// page 1, the reserved bytes) stays.
    pub(crate) fn new(
        data: &'a mut [u8],
        kind: PageKind,
        geometry: Geometry,
        no: PageNo,
    ) -> PageBuild<'a> {
        let header = header_offset(no);
        let start = geometry.usable() as usize;
        data[header..header + 8].copy_from_slice(&[kind.flags(), 0, 0, 0, 0, 0, 0, 0]);
        put_u16(data, header + 5, start as u16);
        PageBuild {
            data,
            header,
            pointer: header + kind.header_size(),
            start,
            count: 0,
        }
    }

    /// Appends a cell.
    ///
    /// # Errors
    /// If the page is full: its cells are more than the pages that they come from say.
    pub(crate) fn push(&mut self, cell: &[u8]) -> Result<(), Corrupt> {
        let size = cell.len().max(CELL_SIZE_MIN);
        match self.start.checked_sub(size) {
            Some(start) if start >= self.pointer + 2 => self.start = start,
            _ => return Err(Corrupt::new("pages have more cells than they say")),
        }
        self.data[self.start..self.start + cell.len()].copy_from_slice(cell);
        put_u16(self.data, self.pointer, self.start as u16);
        self.pointer += 2;
        self.count += 1;
        Ok(())
    }

    /// Appends cells of another page of the same kind. Cells that lie one below the other there, in order, are copied
    /// together.
    pub(crate) fn push_run(
        &mut self,
        page: &[u8],
        node: &Node,
        cells: Range<u16>,
        limits: Limits,
    ) -> Result<(), Corrupt> {
        let too_many = Corrupt::on(node.no, "pages have more cells than they say");
        let cells = cells.start as usize..cells.end as usize;
        let Some(from) = node.pointers_of(page).get(cells) else {
            return Err(too_many);
        };
        let floor = self.pointer + 2 * from.len();
        if floor > self.start {
            return Err(too_many);
        }
        let (head, content) = self.data.split_at_mut(floor);
        let to = head[self.pointer..].as_chunks_mut::<2>().0;
        // The block that is not copied yet: from where on it lies there, and how much.
        let (mut block, mut size) = (0, 0);
        let mut start = self.start;
        for (pointer, new) in from.iter().zip(to) {
            let (at, len) = node.span_at(page, u16::from_be_bytes(*pointer) as usize, limits)?;
            let (at, len) = (at as usize, len as usize);
            if start < floor + len {
                return Err(too_many);
            }
            if at + len != block {
                content[start - floor..start - floor + size]
                    .copy_from_slice(&page[block..block + size]);
                size = 0;
            }
            block = at;
            size += len;
            start -= len;
            *new = (start as u16).to_be_bytes();
        }
        content[start - floor..start - floor + size].copy_from_slice(&page[block..block + size]);
        self.start = start;
        self.pointer = floor;
        self.count += from.len() as u16;
        Ok(())
    }

    /// Sets the right child of an interior page.
    pub(crate) fn set_right_child(&mut self, child: PageNo) {
        put_u32(self.data, self.header + 8, child.get());
    }

    /// Completes the page's header.
    pub(crate) fn finish(self) {
        put_u16(self.data, self.header + 3, self.count);
        put_u16(self.data, self.header + 5, self.start as u16);
    }
}
