//! Text encodings, and the way from one to another.
//!
//! In memory text is always UTF-8, as the application or the file gave it: possibly malformed. In a UTF-16 database
//! it is transcoded where a record is written or read.
//!
//! Rules (SQLite's, so that malformed text comes out as it does there):
//! 1. UTF-8 is decoded leniently: a lead byte takes all continuation bytes that follow it, however many; a stray
//!    continuation byte stands for itself; what comes out below 0x80 from a lead byte, or as a surrogate, becomes U+FFFD.
//! 2. UTF-16 is decoded leniently: any surrogate takes the unit that follows as its other half, without a check; at
//!    the end of the text it stands for itself. An odd byte at the end is dropped.
//! 3. Code points are written without a check.
//!
//! Source: SQLite's `utf.c` (`READ_UTF8`, `WRITE_UTF16LE`, `sqlite3VdbeMemTranslate`).

use std::cmp::Ordering;

/// How a database stores text. The numbers are those of the database header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum TextEncoding {
    /// UTF-8.
    #[default]
    Utf8 = 1,
    /// UTF-16, least significant byte first.
    Utf16le = 2,
    /// UTF-16, most significant byte first.
    Utf16be = 3,
}

impl TextEncoding {
    /// The encoding with that number in the header.
    pub const fn from_code(code: u32) -> Option<TextEncoding> {
        match code {
            1 => Some(TextEncoding::Utf8),
            2 => Some(TextEncoding::Utf16le),
            3 => Some(TextEncoding::Utf16be),
            _ => None,
        }
    }

    /// Its number in the header.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Its name as `PRAGMA encoding` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            TextEncoding::Utf8 => "UTF-8",
            TextEncoding::Utf16le => "UTF-16le",
            TextEncoding::Utf16be => "UTF-16be",
        }
    }

    /// Whether this is UTF-8.
    #[inline]
    pub const fn is_utf8(self) -> bool {
        matches!(self, TextEncoding::Utf8)
    }

    /// Appends UTF-8 `text` to `out` in this encoding.
    pub fn encode(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            TextEncoding::Utf8 => out.extend_from_slice(text),
            TextEncoding::Utf16le => {
                units(text).for_each(|unit| out.extend_from_slice(&unit.to_le_bytes()));
            }
            TextEncoding::Utf16be => {
                units(text).for_each(|unit| out.extend_from_slice(&unit.to_be_bytes()));
            }
        }
    }

    /// Bytes that [`encode`](TextEncoding::encode) would append.
    pub fn encoded_len(self, text: &[u8]) -> usize {
        match self {
            TextEncoding::Utf8 => text.len(),
            _ if text.is_ascii() => text.len() * 2,
            _ => units(text).count() * 2,
        }
    }

    /// Appends `bytes`, which are text in this encoding, to `out` as UTF-8.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            TextEncoding::Utf8 => out.extend_from_slice(bytes),
            TextEncoding::Utf16le => decode_units(
                bytes
                    .chunks_exact(2)
                    .map(|b| u16::from_le_bytes([b[0], b[1]])),
                out,
            ),
            TextEncoding::Utf16be => decode_units(
                bytes
                    .chunks_exact(2)
                    .map(|b| u16::from_be_bytes([b[0], b[1]])),
                out,
            ),
        }
    }
}

/// The code points of UTF-8 text, by rule 1.
#[derive(Clone)]
pub struct CodePoints<'a> {
    rest: &'a [u8],
}

/// The code points of `text`, malformed or not (rule 1).
#[inline]
pub const fn code_points(text: &[u8]) -> CodePoints<'_> {
    CodePoints { rest: text }
}

impl<'a> CodePoints<'a> {
    /// What has not been read yet.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl Iterator for CodePoints<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (&lead, mut rest) = self.rest.split_first()?;
        if lead < 0xc0 {
            self.rest = rest;
            return Some(lead as u32);
        }
        let mut c = match lead {
            0xc0..=0xdf => lead as u32 & 0x1f,
            0xe0..=0xef => lead as u32 & 0x0f,
            0xf0..=0xf7 => lead as u32 & 0x07,
            0xf8..=0xfb => lead as u32 & 0x03,
            0xfc..=0xfd => lead as u32 & 0x01,
            _ => 0,
        };
        while let Some((&byte, tail)) = rest.split_first() {
            if byte & 0xc0 != 0x80 {
                break;
            }
            c = c << 6 | (byte & 0x3f) as u32;
            rest = tail;
        }
        self.rest = rest;
        if c < 0x80 || c & 0xffff_f800 == 0xd800 {
            c = 0xfffd;
        }
        Some(c)
    }
}

/// Appends a code point as UTF-8, without a check (rule 3).
#[inline]
pub fn push_code_point(out: &mut Vec<u8>, c: u32) {
    let tail = |shift: u32| (c >> shift & 0x3f) as u8 | 0x80;
    if c < 0x80 {
        out.push(c as u8);
    } else if c < 0x800 {
        out.extend_from_slice(&[(c >> 6 & 0x1f) as u8 | 0xc0, tail(0)]);
    } else if c < 0x10000 {
        out.extend_from_slice(&[(c >> 12 & 0x0f) as u8 | 0xe0, tail(6), tail(0)]);
    } else {
        out.extend_from_slice(&[(c >> 18 & 0x07) as u8 | 0xf0, tail(12), tail(6), tail(0)]);
    }
}

/// The UTF-16 units of UTF-8 text.
fn units(text: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let mut points = code_points(text);
    let mut low = None;
    std::iter::from_fn(move || {
        if let Some(unit) = low.take() {
            return Some(unit);
        }
        let c = points.next()?;
        if c <= 0xffff {
            return Some(c as u16);
        }
        // The arithmetic wraps as SQLite's does for what lies beyond U+10FFFF.
        let minus = c.wrapping_sub(0x10000);
        let high = 0xd800 | (minus >> 18 & 0x03) << 8 | (c >> 10 & 0x3f) | (minus >> 10 & 0xc0);
        low = Some(0xdc00 | (c & 0x3ff) as u16);
        Some(high as u16)
    })
}

fn decode_units(mut units: impl Iterator<Item = u16>, out: &mut Vec<u8>) {
    while let Some(unit) = units.next() {
        let mut c = unit as u32;
        if (0xd800..0xe000).contains(&c) {
            if let Some(second) = units.next() {
                c = (second as u32 & 0x3ff) + ((c & 0x3f) << 10) + (((c & 0x3c0) + 0x40) << 10);
            }
        }
        push_code_point(out, c);
    }
}

/// Orders two UTF-8 texts by the bytes that they have in `encoding`, without building them.
pub fn compare_utf16_order(a: &[u8], b: &[u8], encoding: TextEncoding) -> Ordering {
    match encoding {
        TextEncoding::Utf8 => a.cmp(b),
        TextEncoding::Utf16le => units(a)
            .map(u16::swap_bytes)
            .cmp(units(b).map(u16::swap_bytes)),
        TextEncoding::Utf16be => units(a).cmp(units(b)),
    }
}

/// Orders `stored`, text as a database of that encoding holds it, against UTF-8 `text`, by the stored bytes.
pub fn compare_stored(stored: &[u8], text: &[u8], encoding: TextEncoding) -> Ordering {
    match encoding {
        TextEncoding::Utf8 => stored.cmp(text),
        TextEncoding::Utf16le => stored
            .iter()
            .copied()
            .cmp(units(text).flat_map(u16::to_le_bytes)),
        TextEncoding::Utf16be => stored
            .iter()
            .copied()
            .cmp(units(text).flat_map(u16::to_be_bytes)),
    }
}
