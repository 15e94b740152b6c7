//! The lock-byte page: the page that holds byte 0x40000000 of the file, and the ranges that are locked there.
//!
//! ```text
//!  0x40000000  PENDING   1 byte     a writer waits for readers to leave
//!  0x40000001  RESERVED  1 byte     one connection prepares to write
//!  0x40000002  SHARED    510 bytes  readers lock it shared, a writer of the file locks it whole
//! ```
//!
//! The page exists only in files of more than 1 GiB. It is never read, written, or put on the freelist; writers skip
//! its number when they extend the file. Its number follows from the page size:
//! [`Geometry::lock_byte_page`](crate::page::Geometry::lock_byte_page).
//!
//! Source: "Database File Format", section 1.3; SQLite's `os.h`.

use crate::page::{Geometry, PENDING_BYTE, PageNo};

/// Offset of the PENDING lock.
pub const PENDING: u64 = PENDING_BYTE as u64;
/// Offset of the RESERVED lock.
pub const RESERVED: u64 = PENDING + 1;
/// Offset of the first byte of the SHARED lock.
pub const SHARED_FIRST: u64 = PENDING + 2;
/// Bytes of the SHARED lock.
pub const SHARED_SIZE: u64 = 510;

/// Whether `page` is the lock-byte page.
#[inline]
pub fn is_lock_byte_page(page: PageNo, geometry: Geometry) -> bool {
    page == geometry.lock_byte_page()
}

/// The page behind `page` that may be used: the lock-byte page is skipped. `None` at the end of the number space.
#[inline]
pub fn next_usable(page: PageNo, geometry: Geometry) -> Option<PageNo> {
    let next = page.next()?;
    if is_lock_byte_page(next, geometry) {
        next.next()
    } else {
        Some(next)
    }
}
