//! JSONB to text.
//!
//! Rules:
//! 1. The text is RFC 8259: what JSON5 allows besides is rewritten.
//! 2. Not every mistake in a blob is noticed, and those that are give an error.
//!
//! Source: SQLite's `jsonTranslateBlobToText`, `jsonTranslateBlobToPrettyText`, `jsonAppendString`.

use super::blob::{ARRAY, FALSE, FLOAT, FLOAT5, INT, INT5, NULL, OBJECT, TEXT, TEXT5, TEXTJ};
use super::blob::{TEXTRAW, TRUE, header, kind};
use super::{DEPTH_MAX, is_plain, malformed, too_deep};
use crate::func::FnError;
use crate::func::printf::push_json;
use ringwood_format::decimal::write_digits;

/// Appends the element at `at`, which lies `depth` levels deep; where it ends.
pub(super) fn render(
    blob: &[u8],
    at: usize,
    depth: u32,
    out: &mut Vec<u8>,
) -> Result<usize, FnError> {
    let head = header(blob, at).ok_or_else(malformed)?;
    let start = at + head.len;
    let end = start + head.size;
    let payload = &blob[start..end];
    match kind(blob, at) {
        NULL => {
            out.extend_from_slice(b"null");
            return Ok(at + 1);
        }
        TRUE => {
            out.extend_from_slice(b"true");
            return Ok(at + 1);
        }
        FALSE => {
            out.extend_from_slice(b"false");
            return Ok(at + 1);
        }
        INT | FLOAT | INT5 | FLOAT5 if payload.is_empty() => return Err(malformed()),
        INT | FLOAT => out.extend_from_slice(payload),
        INT5 => push_hexadecimal(payload, out)?,
        FLOAT5 => push_float5(payload, out)?,
        TEXT | TEXTJ => {
            out.push(b'"');
            out.extend_from_slice(payload);
            out.push(b'"');
        }
        TEXT5 => push_text5(payload, out)?,
        TEXTRAW => push_string(payload, out),
        kind @ (ARRAY | OBJECT) => {
            let depth = depth + 1;
            if depth > DEPTH_MAX {
                return Err(too_deep());
            }
            out.push(if kind == ARRAY { b'[' } else { b'{' });
            let mut next = start;
            let mut is_label = true;
            while next < end {
                next = render(blob, next, depth, out)?;
                out.push(if kind == OBJECT && is_label {
                    b':'
                } else {
                    b','
                });
                is_label = !is_label;
            }
            if next > end || (kind == OBJECT && !is_label) {
                return Err(malformed());
            }
            if end > start {
                out.pop();
            }
            out.push(if kind == ARRAY { b']' } else { b'}' });
        }
        _ => return Err(malformed()),
    }
    Ok(end)
}

/// Appends a text in quotes, with escapes.
pub(super) fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    push_json(text, out);
    out.push(b'"');
}

/// A hexadecimal number in decimal; one that is too large is infinite.
fn push_hexadecimal(payload: &[u8], out: &mut Vec<u8>) -> Result<(), FnError> {
    let digits = match payload[0] {
        b'-' => {
            out.push(b'-');
            payload.get(3..)
        }
        b'+' => payload.get(3..),
        _ => payload.get(2..),
    };
    let mut value = 0u64;
    let mut is_too_large = false;
    for &digit in digits.unwrap_or_default() {
        let digit = (digit as char).to_digit(16).ok_or_else(malformed)?;
        if value >> 60 != 0 {
            is_too_large = true;
        } else {
            value = value << 4 | u64::from(digit);
        }
    }
    if is_too_large {
        out.extend_from_slice(b"9.0e999");
    } else {
        let mut buffer = [0; 20];
        let start = write_digits(&mut buffer, value);
        out.extend_from_slice(&buffer[start..]);
    }
    Ok(())
}

/// A number with digits on both sides of its point.
fn push_float5(payload: &[u8], out: &mut Vec<u8>) -> Result<(), FnError> {
    let mut digits = payload;
    if let [b'-', rest @ ..] = digits {
        if rest.is_empty() {
            return Err(malformed());
        }
        out.push(b'-');
        digits = rest;
    }
    if digits[0] == b'.' {
        out.push(b'0');
    }
    for (i, &byte) in digits.iter().enumerate() {
        out.push(byte);
        if byte == b'.' && !digits.get(i + 1).is_some_and(u8::is_ascii_digit) {
            out.push(b'0');
        }
    }
    Ok(())
}

/// A text with JSON5's escapes.
fn push_text5(payload: &[u8], out: &mut Vec<u8>) -> Result<(), FnError> {
    out.push(b'"');
    let mut z = payload;
    loop {
        let plain = z.iter().take_while(|b| is_plain(**b) || **b == b'\'');
        let plain = plain.count();
        out.extend_from_slice(&z[..plain]);
        z = &z[plain..];
        let length = match *z {
            [] => break,
            [b'\\', b'\'', ..] => {
                out.push(b'\'');
                2
            }
            [b'\\', b'v', ..] => {
                out.extend_from_slice(b"\\u000b");
                2
            }
            [b'\\', b'x', a, b, ..] => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[a, b]);
                4
            }
            [b'\\', b'0', ..] => {
                out.extend_from_slice(b"\\u0000");
                2
            }
            [b'\\', b'\r', b'\n', ..] => 3,
            [b'\\', b'\r' | b'\n', ..] => 2,
            [b'\\', 0xe2, 0x80, 0xa8 | 0xa9, ..] => 4,
            [b'\\', b'x' | 0xe2, ..] | [b'\\'] => return Err(malformed()),
            [b'\\', byte, ..] => {
                out.extend_from_slice(&[b'\\', byte]);
                2
            }
            [byte, ..] => {
                // A double quote or a control character.
                push_json(&[byte], out);
                1
            }
        };
        z = &z[length..];
    }
    out.push(b'"');
    Ok(())
}

/// Appends the element at `at` with line ends and indentation; where it ends.
pub(super) fn render_pretty(
    blob: &[u8],
    at: usize,
    level: u32,
    indent: &[u8],
    out: &mut Vec<u8>,
) -> Result<usize, FnError> {
    let head = header(blob, at).ok_or_else(malformed)?;
    let kind = kind(blob, at);
    if !matches!(kind, ARRAY | OBJECT) {
        return render(blob, at, 0, out);
    }
    let push_indent = |level: u32, out: &mut Vec<u8>| {
        for _ in 0..level {
            out.extend_from_slice(indent);
        }
    };
    out.push(if kind == ARRAY { b'[' } else { b'{' });
    let end = at + head.whole();
    let mut next = at + head.len;
    if next < end {
        out.push(b'\n');
        let inner = level + 1;
        if inner >= DEPTH_MAX {
            return Err(too_deep());
        }
        loop {
            push_indent(inner, out);
            if kind == OBJECT {
                next = render(blob, next, inner, out)?;
                if next > end {
                    return Err(malformed());
                }
                out.extend_from_slice(b": ");
            }
            next = render_pretty(blob, next, inner, indent, out)?;
            if next >= end {
                if kind == ARRAY && next > end {
                    return Err(malformed());
                }
                break;
            }
            out.extend_from_slice(b",\n");
        }
        out.push(b'\n');
        push_indent(level, out);
    }
    out.push(if kind == ARRAY { b']' } else { b'}' });
    Ok(end)
}
