//! Values as literals of SQL, as `quote` gives them.
//!
//! Rules:
//! 1. A text ends at its first NUL, because no literal can hold one.
//! 2. `unistr_quote` writes a text with control characters as a call of `unistr`, so that it stays on one line.
//! 3. An infinity is a number too large: 9.0e+999.
//!
//! Source: SQLite's `sqlite3QuoteValue`; `%Q` and `%#Q` of its printf.

use super::FnError;
use super::argument::until_nul;
use crate::mem::{Kind, Mem};
use ringwood_format::number::{push_integer, push_real};

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Appends bytes as hexadecimal digits.
pub(super) fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() * 2);
    for &byte in bytes {
        let pair = [
            HEX_DIGITS[usize::from(byte >> 4)],
            HEX_DIGITS[usize::from(byte & 15)],
        ];
        out.extend_from_slice(&pair);
    }
}

/// Appends a value as a literal to `out`, which is empty.
pub(super) fn push_literal(
    arg: &Mem,
    escapes: bool,
    length_max: u64,
    out: &mut Vec<u8>,
) -> Result<(), FnError> {
    match arg.kind() {
        Kind::Null | Kind::Object => out.extend_from_slice(b"NULL"),
        Kind::Int => push_integer(arg.to_int(), out),
        Kind::Real | Kind::IntReal => match arg.to_real() {
            f64::INFINITY => out.extend_from_slice(b"9.0e+999"),
            f64::NEG_INFINITY => out.extend_from_slice(b"-9.0e+999"),
            r => push_real(r, out),
        },
        Kind::Blob => {
            let bytes = arg.to_bytes();
            if bytes.len() as u64 * 2 + 5 > length_max {
                return Err(FnError::too_big());
            }
            out.extend_from_slice(b"X'");
            push_hex(&bytes, out);
            out.push(b'\'');
        }
        Kind::Text => {
            let text = until_nul(arg.bytes());
            let quotes = memchr::memchr_iter(b'\'', text).count();
            if (text.len() + quotes) as u64 + 3 > length_max {
                return Err(FnError::too_big());
            }
            if escapes && text.iter().any(|&byte| byte < 0x20) {
                out.extend_from_slice(b"unistr('");
                push_escaped(text, out);
                out.extend_from_slice(b"')");
            } else {
                out.push(b'\'');
                push_doubled(text, b'\'', out);
                out.push(b'\'');
            }
        }
    }
    Ok(())
}

/// Appends a text, with each `quote` in it twice.
pub(super) fn push_doubled(text: &[u8], quote: u8, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(quote, rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(quote);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends a text with quotes and backslashes twice, and control characters as \u00XX.
pub(super) fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\'' | b'\\' => out.extend_from_slice(&[byte, byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(HEX_DIGITS[usize::from(byte & 15)].to_ascii_lowercase());
            }
            _ => out.push(byte),
        }
    }
}
