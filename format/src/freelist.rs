//! The freelist: a chain of trunk pages, each an array of free leaf pages.
//!
//! ```text
//!  offset  size   meaning
//!  0       4      next trunk page; 0 on the last
//!  4       4      count of leaves on this trunk
//!  8       4 each page numbers of the leaves
//! ```
//! The first trunk and the count of all free pages, trunks included, stand in the database header.
//!
//! Rules:
//! 1. A trunk has room for `usable/4 - 2` leaves. SQLite before 3.6.0 called a trunk with more than `usable/4 - 8`
//!    corrupt, so writers stop there; readers accept the full room.
//! 2. The content of a leaf is meaningless; it need not be read nor written.
//!
//! Source: "Database File Format", section 1.5; SQLite's `freePage2`, `allocateBtreePage`.

use crate::bytes::{get_u32, put_u32};
use crate::corrupt::Corrupt;
use crate::page::{Geometry, PageNo, page_no_or_zero};

/// Leaves that a trunk has room for.
#[inline]
pub const fn capacity(geometry: Geometry) -> u32 {
    geometry.usable() / 4 - 2
}

/// Leaves after which a writer starts another trunk (rule 1).
#[inline]
pub const fn writer_capacity(geometry: Geometry) -> u32 {
    geometry.usable() / 4 - 8
}

/// A view of a trunk page.
#[derive(Clone, Copy, Debug)]
pub struct Trunk<'a> {
    data: &'a [u8],
    leaf_count: u32,
}

impl<'a> Trunk<'a> {
    /// A view of the trunk page in `data`.
    ///
    /// # Errors
    /// If the page is cut off or claims more leaves than it has room for.
    pub fn new(data: &'a [u8], geometry: Geometry, page: PageNo) -> Result<Trunk<'a>, Corrupt> {
        if data.len() < geometry.usable() as usize {
            return Err(Corrupt::on(page, "freelist trunk page is cut off"));
        }
        let leaf_count = get_u32(data, 4);
        if leaf_count > capacity(geometry) {
            return Err(Corrupt::on(page, "freelist trunk page has too many leaves"));
        }
        Ok(Trunk { data, leaf_count })
    }

    /// The next trunk.
    pub fn next(&self) -> Option<PageNo> {
        PageNo::new(get_u32(self.data, 0))
    }

    /// Count of leaves.
    pub const fn leaf_count(&self) -> u32 {
        self.leaf_count
    }

    /// Leaf `i`; `None` if it is stored as 0, which is corrupt.
    ///
    /// # Panics
    /// If `i` is not below the count of leaves.
    pub fn leaf(&self, i: u32) -> Option<PageNo> {
        assert!(i < self.leaf_count);
        PageNo::new(get_u32(self.data, 8 + 4 * i as usize))
    }

    /// All leaves in order; `None` for one that is stored as 0.
    pub fn leaves(&self) -> impl Iterator<Item = Option<PageNo>> + '_ {
        (0..self.leaf_count).map(|i| self.leaf(i))
    }
}

/// Makes `data` a trunk without leaves.
///
/// # Panics
/// If `data` is shorter than eight bytes.
pub fn init_trunk(data: &mut [u8], next: Option<PageNo>) {
    set_next(data, next);
    put_u32(data, 4, 0);
}

/// Sets the next trunk.
///
/// # Panics
/// If `data` is shorter than four bytes.
pub fn set_next(data: &mut [u8], next: Option<PageNo>) {
    put_u32(data, 0, page_no_or_zero(next));
}

/// Appends a leaf to a trunk that has been checked with [`Trunk::new`].
///
/// # Panics
/// If the trunk is full.
pub fn push_leaf(data: &mut [u8], geometry: Geometry, leaf: PageNo) {
    let count = get_u32(data, 4);
    assert!(count < capacity(geometry));
    put_u32(data, 8 + 4 * count as usize, leaf.get());
    put_u32(data, 4, count + 1);
}

/// Removes leaf `i` from a trunk that has been checked with [`Trunk::new`]: the last leaf takes its place, as in
/// SQLite. Returns what was stored there.
///
/// # Panics
/// If `i` is not below the count of leaves.
pub fn remove_leaf(data: &mut [u8], i: u32) -> Option<PageNo> {
    let count = get_u32(data, 4);
    assert!(i < count);
    let leaf = get_u32(data, 8 + 4 * i as usize);
    let last = get_u32(data, 8 + 4 * (count - 1) as usize);
    put_u32(data, 8 + 4 * i as usize, last);
    put_u32(data, 4, count - 1);
    PageNo::new(leaf)
}
