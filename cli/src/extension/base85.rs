//! `base85(blob)` is text of at most 80 characters a line, `base85(text)` the blob.
//!
//! ```text
//!   four bytes, the highest first ── to base 85 ──▶ five digits      n < 4 bytes: n + 1 digits
//!   digits   # $ % &   0 to 3      * … z   4 to 84
//! ```
//!
//! What is no digit is passed over between groups, and ends a group.
//!
//! Source: SQLite's `ext/misc/base85.c`, whose digits are its own: no library has them.

use ringwood::{FnContext, FnError, FunctionFlags, LocalConnection, Mem, Result};
use ringwood_format::value::ValueType;

/// Characters of a line.
const LINE: usize = 80;

fn digit_of(value: u8) -> u8 {
    if value < 4 {
        b'#' + value
    } else {
        b'*' + value - 4
    }
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'#'..=b'&' => Some(digit - b'#'),
        b'*'..=b'z' => Some(digit - b'*' + 4),
        _ => None,
    }
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() / 4 * 5 + bytes.len() / 64 + 8);
    let mut column = 0;
    for group in bytes.chunks(4) {
        let mut value = group
            .iter()
            .fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        let mut digits = [0; 5];
        let count = group.len() + 1;
        for digit in digits[..count].iter_mut().rev() {
            *digit = digit_of((value % 85) as u8);
            value /= 85;
        }
        text.extend_from_slice(&digits[..count]);
        column += count;
        if column >= LINE {
            text.push(b'\n');
            column = 0;
        }
    }
    if column > 0 {
        text.push(b'\n');
    }
    text
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4 + 4);
    let mut rest = text.strip_suffix(b"\n").unwrap_or(text);
    loop {
        while rest
            .first()
            .is_some_and(|byte| *byte != 0 && value_of(*byte).is_none())
        {
            rest = &rest[1..];
        }
        let group: Vec<u8> = rest
            .iter()
            .take(5)
            .map_while(|byte| value_of(*byte))
            .collect();
        let available = rest.len().min(5);
        if available < 2 {
            return bytes;
        }
        let value = group.iter().fold(0u32, |value, digit| {
            value.wrapping_mul(85).wrapping_add(u32::from(*digit))
        });
        let count = group.len().saturating_sub(1);
        bytes.extend_from_slice(&value.to_be_bytes()[4 - count..]);
        // What ended the group is gone with it.
        rest = &rest[(group.len() + 1).min(available)..];
    }
}

fn base85(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    match args[0].value_type() {
        ValueType::Blob => {
            let text = encode(&args[0].to_bytes());
            if text.len() as u64 > ctx.facts().length_max {
                return Err(FnError::new("blob expanded to base85 too big"));
            }
            ctx.result().set_text_vec(text);
        }
        ValueType::Text => ctx.result().set_blob_vec(decode(&args[0].to_text())),
        _ => return Err(FnError::new("base85 accepts only blob or text.")),
    }
    Ok(())
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    let flags = super::PURE | FunctionFlags::DIRECT_ONLY;
    conn.create_scalar_function("base85", 1, flags, base85)
}
