//! Arguments as text.
//!
//! Rules:
//! 1. NULL has no text. Numbers are printed; a blob's bytes are taken for text in the encoding of the database.
//! 2. Where SQLite reads a text up to its first NUL, the caller cuts it with [`until_nul`].
//! 3. A character is what `length` and `substr` count: an ASCII byte, or another byte and the continuation bytes behind
//!    it, which in malformed text may start with a continuation byte.
//!
//! Source: SQLite's `sqlite3_value_text`, `sqlite3_value_bytes`; "Dividing malformed UTF-8 into characters".

use super::{FnContext, FnError};
use crate::mem::{Kind, Mem};
use ringwood_format::encoding::TextEncoding;
use std::borrow::Cow;

/// The text of an argument; none for NULL.
#[inline]
pub(super) fn text<'a>(ctx: &FnContext<'_>, arg: &'a Mem) -> Option<Cow<'a, [u8]>> {
    match arg.kind() {
        Kind::Null | Kind::Object => None,
        Kind::Text => Some(Cow::Borrowed(arg.bytes())),
        Kind::Blob => Some(blob_text(arg, ctx.facts.encoding)),
        Kind::Int | Kind::Real | Kind::IntReal => Some(arg.to_text()),
    }
}

#[cold]
fn decoded(arg: &Mem, encoding: TextEncoding) -> Vec<u8> {
    let bytes = arg.to_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    encoding.decode(&bytes, &mut text);
    text
}

fn blob_text(arg: &Mem, encoding: TextEncoding) -> Cow<'_, [u8]> {
    if encoding.is_utf8() {
        arg.to_bytes()
    } else {
        Cow::Owned(decoded(arg, encoding))
    }
}

/// The bytes before the first NUL (rule 2).
#[inline]
pub(super) fn until_nul(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// Whether a byte continues a character.
#[inline]
pub(super) const fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// How many bytes the first character takes; 0 of nothing. A continuation byte at the start is one by itself, unlike in
/// rule 3.
#[inline]
pub(super) fn char_len(text: &[u8]) -> usize {
    match text.first() {
        None => 0,
        Some(0..=0xbf) => 1,
        Some(_) => {
            1 + text[1..]
                .iter()
                .take_while(|&&byte| is_continuation(byte))
                .count()
        }
    }
}

/// How many bytes the first `n` characters take (rule 3); fewer characters if the text or a NUL ends them.
pub(super) fn skip_chars(text: &[u8], n: u64) -> usize {
    let short = usize::try_from(n).unwrap_or(usize::MAX).min(text.len());
    if text[..short].is_ascii() && memchr::memchr(0, &text[..short]).is_none() {
        return short;
    }
    let (mut at, mut left) = (0, n);
    while left > 0 && at < text.len() && text[at] != 0 {
        at += 1;
        if text[at - 1] >= 0x80 {
            while at < text.len() && is_continuation(text[at]) {
                at += 1;
            }
        }
        left -= 1;
    }
    at
}

/// How many characters a text without NUL has (rule 3).
#[inline]
pub(super) fn count_chars(text: &[u8]) -> usize {
    let mut previous_is_ascii = true;
    let mut count = 0;
    for &byte in text {
        count += usize::from(!is_continuation(byte) | previous_is_ascii);
        previous_is_ascii = byte < 0x80;
    }
    count
}

/// Fails as SQLite's allocations for a result do: `bytes` counts the NUL behind a text.
#[inline]
pub(super) fn check_room(ctx: &FnContext<'_>, bytes: u64) -> Result<(), FnError> {
    if bytes > ctx.facts.length_max {
        return Err(FnError::too_big());
    }
    Ok(())
}
