//! Overflow pages: the part of a payload that does not fit in its cell.
//!
//! ```text
//!  offset  size         meaning
//!  0       4            next page of the chain; 0 on the last
//!  4       usable - 4   payload; on the last page the rest is unused
//! ```
//!
//! Source: "Database File Format", section 1.6 ("Cell Payload Overflow Pages").

use crate::bytes::{get_u32, put_u32};
use crate::corrupt::Corrupt;
use crate::page::{Geometry, PageNo, page_no_or_zero};

/// Bytes in front of the payload.
pub const CONTENT_OFFSET: usize = 4;

/// The next page of the chain.
///
/// # Errors
/// If `data` is shorter than four bytes.
#[inline]
pub fn next(data: &[u8]) -> Result<Option<PageNo>, Corrupt> {
    if data.len() < CONTENT_OFFSET {
        return Err(Corrupt::new("overflow page is cut off"));
    }
    Ok(PageNo::new(get_u32(data, 0)))
}

/// The payload bytes of an overflow page: `usable - 4` of them.
///
/// # Errors
/// If `data` is shorter than a page.
#[inline]
pub fn content(data: &[u8], geometry: Geometry) -> Result<&[u8], Corrupt> {
    data.get(CONTENT_OFFSET..geometry.usable() as usize)
        .ok_or(Corrupt::new("overflow page is cut off"))
}

/// Sets the next page of the chain.
///
/// # Panics
/// If `data` is shorter than four bytes.
#[inline]
pub fn set_next(data: &mut [u8], next: Option<PageNo>) {
    put_u32(data, 0, page_no_or_zero(next));
}

/// Pages in the chain of a payload, of which `local` bytes are in the cell.
#[inline]
pub fn chain_len(payload_size: u64, local: u32, geometry: Geometry) -> u64 {
    payload_size
        .saturating_sub(local as u64)
        .div_ceil(geometry.overflow_capacity() as u64)
}
