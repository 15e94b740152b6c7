//! Varints: unsigned 64-bit integers in one to nine bytes, the most significant group first.
//!
//! ```text
//!  1xxxxxxx ... 1xxxxxxx 0xxxxxxx      up to eight bytes: seven bits each, the high bit says "more follows"
//!  1xxxxxxx (eight times) xxxxxxxx     nine bytes: the last gives all of its eight bits
//! ```
//!
//! Nearly all varints in a real file take one to three bytes, so those are read inline.
//! A value may be written in more bytes than it needs; the reader accepts that, as SQLite's does.
//!
//! Source: "Database File Format", section 1.6.

/// The most bytes that a varint takes.
pub const VARINT_LEN_MAX: usize = 9;

/// Reads the varint at the start of `bytes`: its value and its length. `None` if `bytes` ends within it.
#[inline]
pub fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let &a = bytes.first()?;
    if a < 0x80 {
        return Some((a as u64, 1));
    }
    let &b = bytes.get(1)?;
    if b < 0x80 {
        return Some(((a as u64 & 0x7f) << 7 | b as u64, 2));
    }
    let &c = bytes.get(2)?;
    if c < 0x80 {
        return Some((
            (a as u64 & 0x7f) << 14 | (b as u64 & 0x7f) << 7 | c as u64,
            3,
        ));
    }
    read_long(bytes)
}

/// Reads the varint at `bytes[at..]`: its value and the offset behind it.
#[inline]
pub fn read_at(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let (value, len) = read(bytes.get(at..)?)?;
    Some((value, at + len))
}

/// Reads a varint that is meant to fit in 32 bits, as SQLite's `getVarint32`: a larger one saturates to `u32::MAX`.
#[inline]
pub fn read_u32(bytes: &[u8]) -> Option<(u32, usize)> {
    let &a = bytes.first()?;
    if a < 0x80 {
        return Some((a as u32, 1));
    }
    let (value, len) = read(bytes)?;
    Some((u32::try_from(value).unwrap_or(u32::MAX), len))
}

/// Reads the varint at the start of `word`, eight bytes of a page as a big-endian number: its value and its length.
/// `None` if it has nine bytes. There is no branch on the length but for one byte: for searches that read many.
#[inline(always)]
pub const fn read_word(word: u64) -> Option<(u64, usize)> {
    if word >> 63 == 0 {
        return Some((word >> 56, 1));
    }
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        return None;
    }
    let len = ends.leading_zeros() as usize / 8 + 1;
    // Groups of 7 bits are joined to 14, 28 and 56.
    let x = (word >> (64 - 8 * len)) & 0x7f7f_7f7f_7f7f_7f7f;
    let x = (x & 0x007f_007f_007f_007f) | (x & 0x7f00_7f00_7f00_7f00) >> 1;
    let x = (x & 0x0000_3fff_0000_3fff) | (x & 0x3fff_0000_3fff_0000) >> 2;
    let x = (x & 0x0fff_ffff) | (x & 0x0fff_ffff_0000_0000) >> 4;
    Some((x, len))
}

/// Four bytes and more.
#[inline(never)]
fn read_long(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | (byte & 0x7f) as u64;
        if byte < 0x80 {
            return Some((value, i + 1));
        }
    }
    let last = *bytes.get(8)?;
    Some((value << 8 | last as u64, 9))
}

/// The bytes that `value` takes: 1..=9.
#[inline]
pub const fn len(value: u64) -> usize {
    if value < 0x80 {
        return 1;
    }
    let bits = 64 - value.leading_zeros() as usize;
    let len = bits.div_ceil(7);
    if len > 9 { 9 } else { len }
}

/// Writes `value` to the start of `out` and returns its length.
///
/// # Panics
/// If `out` is shorter than [`len`]`(value)`.
#[inline]
pub fn write(out: &mut [u8], value: u64) -> usize {
    if value < 0x80 {
        out[0] = value as u8;
        return 1;
    }
    if value < 0x4000 {
        out[0] = (value >> 7) as u8 | 0x80;
        out[1] = value as u8 & 0x7f;
        return 2;
    }
    if value < 0x20_0000 {
        let out = &mut out[..3];
        out[0] = (value >> 14) as u8 | 0x80;
        out[1] = (value >> 7) as u8 | 0x80;
        out[2] = value as u8 & 0x7f;
        return 3;
    }
    write_long(out, value)
}

#[inline(never)]
fn write_long(out: &mut [u8], mut value: u64) -> usize {
    let len = len(value);
    let out = &mut out[..len];
    let mut more = 0;
    if len == 9 {
        out[8] = value as u8;
        value >>= 8;
        more = 0x80;
    }
    let groups = if len == 9 { 8 } else { len };
    for byte in out[..groups].iter_mut().rev() {
        *byte = value as u8 & 0x7f | more;
        more = 0x80;
        value >>= 7;
    }
    len
}

/// Appends `value` to `out`.
#[inline]
pub fn push(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        let mut buf = [0; VARINT_LEN_MAX];
        let len = write(&mut buf, value);
        out.extend_from_slice(&buf[..len]);
    }
}
