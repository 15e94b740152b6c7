//! `base64(blob)` is text of at most 72 characters a line, `base64(text)` the blob.
//!
//! Rules of reading, which no library's decoder has:
//! 1. What is no digit is passed over before a group of four.
//! 2. White space within a group ends the group; it is a byte shorter, whatever digits it has.
//! 3. Padding makes a group shorter; where a group should begin, it ends the text. So does, after its group, any other
//!    character.
//!
//! Source: SQLite's `ext/misc/base64.c`.

use ringwood::{FnContext, FnError, FunctionFlags, LocalConnection, Mem, Result};
use ringwood_format::value::ValueType;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes of a line: 72 characters.
const LINE: usize = 54;

fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() / 3 * 4 + bytes.len() / LINE + 8);
    for line in bytes.chunks(LINE) {
        for group in line.chunks(3) {
            let byte = |at: usize| group.get(at).copied().map_or(0, u32::from);
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for digit in 0..4 {
                let value = bits >> (18 - 6 * digit) & 0x3f;
                let is_there = digit <= group.len();
                text.push(if is_there {
                    DIGITS[value as usize]
                } else {
                    b'='
                });
            }
        }
        text.push(b'\n');
    }
    text
}

/// What a character is to the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit(u32),
    Padding,
    Space,
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b'=' => Class::Padding,
        b' ' | b'\t'..=b'\r' => Class::Space,
        // As stock SQLite: like padding.
        0x80.. => Class::Padding,
        _ => match DIGITS.iter().position(|digit| *digit == byte) {
            Some(value) => Class::Digit(value as u32),
            None => Class::Other,
        },
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut rest = text.strip_suffix(b"\n").unwrap_or(text);
    while !rest.is_empty() && rest[0] != b'=' {
        let skipped = rest
            .iter()
            .take_while(|byte| **byte != 0 && !matches!(class(**byte), Class::Digit(_)))
            .count();
        rest = &rest[skipped..];
        let mut length = rest.len().min(4);
        if length < 2 {
            break;
        }
        // What follows the group, counted as if the group were whole.
        let left = rest.len() - length;
        let (mut count, mut bits, mut ends, mut used) = (length - 1, 0u32, false, 0);
        for at in 0..4 {
            let mut value = 0;
            let here = rest.get(at).filter(|_| at < length);
            if let Some(kind) = here.map(|byte| class(*byte)) {
                used += 1;
                match kind {
                    Class::Digit(digit) => value = digit,
                    _ => {
                        count = count.saturating_sub(1);
                        ends |= kind == Class::Other;
                        if kind != Class::Padding {
                            length = at;
                        }
                    }
                }
            }
            bits = bits << 6 | value;
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=count]);
        if ends {
            break;
        }
        rest = &rest[used..used + left];
    }
    bytes
}

fn base64(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    match args[0].value_type() {
        ValueType::Blob => {
            let text = encode(&args[0].to_bytes());
            if text.len() as u64 > ctx.facts().length_max {
                return Err(FnError::new("blob expanded to base64 too big"));
            }
            ctx.result().set_text_vec(text);
        }
        ValueType::Text => ctx.result().set_blob_vec(decode(&args[0].to_text())),
        _ => return Err(FnError::new("base64 accepts only blob or text")),
    }
    Ok(())
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    let flags = super::PURE | FunctionFlags::DIRECT_ONLY;
    conn.create_scalar_function("base64", 1, flags, base64)
}
