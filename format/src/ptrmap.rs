//! The pointer map of autovacuum databases: for every page, what it is and who points to it.
//!
//! ```text
//!  page 1 | page 2: map of the next J pages | J pages | map of the next J pages | J pages | ...
//!
//!  entry: offset  size  meaning
//!         0       1     kind (below)
//!         1       4     parent page, or 0
//! ```
//!
//! | kind | page                                    | parent |
//! |------|-----------------------------------------|--------|
//! | 1    | root of a b-tree                        | 0 |
//! | 2    | free                                    | 0 |
//! | 3    | first overflow page of a cell           | the b-tree page of the cell |
//! | 4    | later overflow page                     | the overflow page before it |
//! | 5    | b-tree page that is not a root          | its parent |
//!
//! Rules:
//! 1. J is `usable / 5`. The first map page is page 2. There are no entries for page 1 and for map pages.
//! 2. A map page that would be the lock-byte page is the one after it.
//!
//! Source: "Database File Format", section 1.8; SQLite's `ptrmapPageno`.

use crate::bytes::{get_u32, put_u32};
use crate::corrupt::Corrupt;
use crate::page::{Geometry, PageNo, page_no_or_zero};

/// Bytes of an entry.
pub const ENTRY_SIZE: usize = 5;

/// What a page is, and who points to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PtrmapEntry {
    /// The root of a b-tree.
    Root,
    /// A page of the freelist.
    Free,
    /// The first overflow page of a cell on that b-tree page.
    Overflow1(PageNo),
    /// The overflow page behind that one.
    Overflow2(PageNo),
    /// A b-tree page with that parent.
    Btree(PageNo),
}

impl PtrmapEntry {
    /// The number of its kind.
    pub const fn kind(self) -> u8 {
        match self {
            PtrmapEntry::Root => 1,
            PtrmapEntry::Free => 2,
            PtrmapEntry::Overflow1(_) => 3,
            PtrmapEntry::Overflow2(_) => 4,
            PtrmapEntry::Btree(_) => 5,
        }
    }

    /// The page that points to the entry's page.
    pub const fn parent(self) -> Option<PageNo> {
        match self {
            PtrmapEntry::Root | PtrmapEntry::Free => None,
            PtrmapEntry::Overflow1(parent)
            | PtrmapEntry::Overflow2(parent)
            | PtrmapEntry::Btree(parent) => Some(parent),
        }
    }
}

/// Entries of a map page.
#[inline]
pub const fn entries_per_page(geometry: Geometry) -> u32 {
    geometry.usable() / 5
}

/// The map page that has the entry of `page`; for a map page, itself. `None` for page 1, which has no entry.
pub fn map_page(page: PageNo, geometry: Geometry) -> Option<PageNo> {
    if page < PageNo::new(2)? {
        return None;
    }
    let group = entries_per_page(geometry) + 1;
    let index = (page.get() - 2) / group;
    let mut map = index.checked_mul(group)?.checked_add(2)?;
    if map == geometry.lock_byte_page().get() {
        map += 1; // rule 2
    }
    PageNo::new(map)
}

/// Whether `page` is a map page.
pub fn is_map_page(page: PageNo, geometry: Geometry) -> bool {
    map_page(page, geometry) == Some(page)
}

/// Where the entry of `page` starts in its map page. `None` for page 1, map pages, and the lock-byte page where it
/// stands in front of a moved map page.
pub fn entry_offset(page: PageNo, geometry: Geometry) -> Option<usize> {
    let map = map_page(page, geometry)?;
    let index = page.get().checked_sub(map.get())?.checked_sub(1)?;
    let offset = index as usize * ENTRY_SIZE;
    (offset + ENTRY_SIZE <= geometry.usable() as usize).then_some(offset)
}

/// Reads the entry of `page` from `data`, its map page.
///
/// # Errors
/// If the page has no entry, the map page is cut off, or the entry is none of the five kinds.
pub fn read(data: &[u8], page: PageNo, geometry: Geometry) -> Result<PtrmapEntry, Corrupt> {
    let bad = |reason| Corrupt {
        page: map_page(page, geometry),
        reason,
    };
    let Some(offset) = entry_offset(page, geometry) else {
        return Err(bad("page has no entry in the pointer map"));
    };
    let Some(entry) = data.get(offset..offset + ENTRY_SIZE) else {
        return Err(bad("pointer map page is cut off"));
    };
    match (entry[0], PageNo::new(get_u32(entry, 1))) {
        (1, _) => Ok(PtrmapEntry::Root),
        (2, _) => Ok(PtrmapEntry::Free),
        (3, Some(parent)) => Ok(PtrmapEntry::Overflow1(parent)),
        (4, Some(parent)) => Ok(PtrmapEntry::Overflow2(parent)),
        (5, Some(parent)) => Ok(PtrmapEntry::Btree(parent)),
        (3..=5, None) => Err(bad("pointer map entry has no parent")),
        _ => Err(bad("pointer map entry of unknown kind")),
    }
}

/// Writes the entry of `page` to `data`, its map page. Returns whether the page changed.
///
/// # Panics
/// If `page` has no entry, or `data` is shorter than a page.
pub fn write(data: &mut [u8], page: PageNo, geometry: Geometry, entry: PtrmapEntry) -> bool {
    let offset = entry_offset(page, geometry).expect("page has an entry in the pointer map");
    let mut bytes = [entry.kind(), 0, 0, 0, 0];
    put_u32(&mut bytes, 1, page_no_or_zero(entry.parent()));
    let slot = &mut data[offset..offset + ENTRY_SIZE];
    let changed = *slot != bytes;
    slot.copy_from_slice(&bytes);
    changed
}
