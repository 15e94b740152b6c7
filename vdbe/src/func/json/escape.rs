//! Escapes in JSON's texts, and labels that are compared in spite of them.
//!
//! Rules:
//! 1. \uXXXX of a high surrogate and \uXXXX of a low one are one character.
//! 2. A backslash before the end of a line (LF, CR, CR LF, U+2028, U+2029) stands for nothing.
//! 3. A label ends at its first NUL for the comparison, if one of the two has escapes.
//!
//! Source: SQLite's `jsonUnescapeOneChar`, `jsonLabelCompare`.

use ringwood_format::encoding::push_code_point;

/// Whether four hexadecimal digits stand there.
pub(super) fn is_hex4(text: &[u8]) -> bool {
    text.len() >= 4 && text[..4].iter().all(u8::is_ascii_hexdigit)
}

/// The value of hexadecimal digits; what is none counts as something.
fn hex(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, &digit| {
        let value = u32::from(digit) + 9 * u32::from(digit >> 6 & 1);
        n << 4 | value & 15
    })
}

/// Bytes of escaped line ends (rule 2).
fn line_ends(z: &[u8]) -> usize {
    let mut i = 0;
    while i + 1 < z.len() && z[i] == b'\\' {
        i += match z[i + 1..] {
            [b'\n', ..] => 2,
            [b'\r', b'\n', ..] => 3,
            [b'\r', ..] => 2,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => 4,
            _ => break,
        };
    }
    i
}

/// The first character of a text, at most four bytes long.
fn read_char(z: &[u8]) -> (u32, usize) {
    let lead = z[0];
    let mut c = match lead {
        0..=0xbf => return (u32::from(lead), 1),
        0xc0..=0xdf => u32::from(lead) & 0x1f,
        0xe0..=0xef => u32::from(lead) & 0x0f,
        0xf0..=0xf7 => u32::from(lead) & 0x07,
        0xf8..=0xfb => u32::from(lead) & 0x03,
        0xfc..=0xfd => u32::from(lead) & 0x01,
        _ => 0,
    };
    let mut n = 1;
    while n < z.len().min(4) && z[n] & 0xc0 == 0x80 {
        c = c << 6 | u32::from(z[n] & 0x3f);
        n += 1;
    }
    (c, n)
}

/// The character that an escape stands for, none if it is no escape, and how long it is. The text starts with `\`.
pub(super) fn unescape(z: &[u8]) -> (Option<u32>, usize) {
    let Some(&letter) = z.get(1) else {
        return (None, z.len());
    };
    match letter {
        b'u' => {
            if z.len() < 6 {
                return (None, z.len());
            }
            let high = hex(&z[2..6]);
            if high & 0xfc00 == 0xd800 && z.len() >= 12 && z[6] == b'\\' && z[7] == b'u' {
                let low = hex(&z[8..12]);
                if low & 0xfc00 == 0xdc00 {
                    let c = ((high & 0x3ff) << 10) + (low & 0x3ff) + 0x10000;
                    return (Some(c), 12);
                }
            }
            (Some(high), 6)
        }
        b'b' => (Some(8), 2),
        b'f' => (Some(12), 2),
        b'n' => (Some(10), 2),
        b'r' => (Some(13), 2),
        b't' => (Some(9), 2),
        b'v' => (Some(11), 2),
        b'0' if z.get(2).is_some_and(u8::is_ascii_digit) => (None, 2),
        b'0' => (Some(0), 2),
        b'\'' | b'"' | b'/' | b'\\' => (Some(u32::from(letter)), 2),
        b'x' => {
            if z.len() < 4 {
                return (None, z.len());
            }
            (Some(hex(&z[2..4])), 4)
        }
        0xe2 | b'\r' | b'\n' => {
            let skipped = line_ends(z);
            if skipped == 0 {
                (None, z.len())
            } else if skipped == z.len() {
                (Some(0), z.len())
            } else if z[skipped] == b'\\' {
                // What is left is no line end, so this goes one deeper at most.
                let (c, length) = unescape(&z[skipped..]);
                (c, skipped + length)
            } else {
                let (c, length) = read_char(&z[skipped..]);
                (Some(c), skipped + length)
            }
        }
        _ => (None, 2),
    }
}

/// Appends a text without its escapes; what is no escape is left out.
pub(super) fn push_unescaped(z: &[u8], out: &mut Vec<u8>) {
    let mut rest = z;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (c, length) = unescape(&rest[at..]);
        if let Some(c) = c {
            push_code_point(out, c);
        }
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
}

/// A label: its bytes, and whether they are taken as they are.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    pub text: &'a [u8],
    pub is_raw: bool,
}

impl Label<'_> {
    /// Takes the first character; 0 at the end.
    fn next(&mut self) -> u32 {
        let (c, length) = match self.text.first() {
            None => return 0,
            // One that is no escape equals others of its kind.
            Some(b'\\') if !self.is_raw => {
                let (c, length) = unescape(self.text);
                (c.unwrap_or(0x99999), length)
            }
            Some(_) => read_char(self.text),
        };
        self.text = &self.text[length.min(self.text.len())..];
        c
    }

    /// Whether both are the same.
    pub fn equals(mut self, mut other: Label<'_>) -> bool {
        if self.is_raw && other.is_raw {
            return self.text == other.text;
        }
        loop {
            let c = self.next();
            if c != other.next() {
                return false;
            }
            if c == 0 {
                return true;
            }
        }
    }
}
