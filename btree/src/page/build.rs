//! A page built anew: header, pointers, and cells packed at its end.

use ringwood_format::btree_page::{CELL_SIZE_MIN, PageKind, header_offset};
use ringwood_format::bytes::{put_u16, put_u32};
use ringwood_format::page::{Geometry, PageNo};

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
    /// # Panics
    /// If the page is full: whoever plans a page counts first.
    #[inline]
    pub(crate) fn push(&mut self, cell: &[u8]) {
        let size = cell.len().max(CELL_SIZE_MIN);
        self.start -= size;
        assert!(self.pointer + 2 <= self.start, "a planned page overflows");
        self.data[self.start..self.start + cell.len()].copy_from_slice(cell);
        put_u16(self.data, self.pointer, self.start as u16);
        self.pointer += 2;
        self.count += 1;
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
