//! Big-endian integers at an offset of a slice: the format's way to store every fixed-width number.
//!
//! These index the slice: the caller has checked its length, so a violation is a bug and not a bad file.
//! Checked reads use `slice::get` at the call site.

/// The two bytes at `at`.
#[inline]
pub fn get_u16(bytes: &[u8], at: usize) -> u16 {
    let b = &bytes[at..at + 2];
    u16::from_be_bytes([b[0], b[1]])
}

/// The four bytes at `at`.
#[inline]
pub fn get_u32(bytes: &[u8], at: usize) -> u32 {
    let b = &bytes[at..at + 4];
    u32::from_be_bytes([b[0], b[1], b[2], b[3]])
}

/// Writes two bytes at `at`.
#[inline]
pub fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Writes four bytes at `at`.
#[inline]
pub fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}
