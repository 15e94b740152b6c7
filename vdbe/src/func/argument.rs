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
#[inline]
pub(super) fn skip_chars(text: &[u8], n: u64) -> usize {
    let short = usize::try_from(n).unwrap_or(usize::MAX).min(text.len());
    // Few characters are cheaper to look at one by one than to ask about as a whole.
    let plain = if short <= 32 {
        let is_plain = |byte: &u8| matches!(byte, 1..0x80);
        text[..short].iter().position(|byte| !is_plain(byte))
    } else if text[..short].is_ascii() && memchr::memchr(0, &text[..short]).is_none() {
        None
    } else {
        Some(0)
    };
    match plain {
        None => short,
        Some(at) => skip_wide_chars(text, n, at),
    }
}

/// The same, after as many plain bytes.
fn skip_wide_chars(text: &[u8], n: u64, plain: usize) -> usize {
    let (mut at, mut left) = (plain, n - plain as u64);
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
    if text.is_ascii() {
        return text.len();
    }
    let starts = text.iter().filter(|byte| !is_continuation(**byte)).count();
    let stray = text.first().is_some_and(|byte| is_continuation(*byte));
    let behind_ascii = text
        .windows(2)
        .filter(|pair| pair[0] < 0x80 && is_continuation(pair[1]))
        .count();
    starts + usize::from(stray) + behind_ascii
}

/// Fails as SQLite's allocations for a result do: `bytes` counts the NUL behind a text.
#[inline]
pub(super) fn check_room(ctx: &FnContext<'_>, bytes: u64) -> Result<(), FnError> {
    if bytes > ctx.facts.length_max {
        return Err(FnError::too_big());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{char_len, count_chars, is_continuation, skip_chars};

    /// Rule 3, byte by byte.
    fn ends_of_chars(text: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = 0;
        while at < text.len() && text[at] != 0 {
            at += 1;
            if text[at - 1] >= 0x80 {
                while at < text.len() && is_continuation(text[at]) {
                    at += 1;
                }
            }
            ends.push(at);
        }
        ends
    }

    #[test]
    fn characters_are_counted_and_skipped_as_they_are_divided() {
        let letters: [&[u8]; 9] = [
            b"a",
            b"bc",
            "é".as_bytes(),
            "漢".as_bytes(),
            "😀".as_bytes(),
            b"\x80",
            b"\xbf\xbf",
            b"\xff",
            b"\0",
        ];
        let mut random = 7_u64;
        let mut next = |n: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % n
        };
        for _ in 0..4000 {
            let mut text = Vec::new();
            for _ in 0..next(60) {
                let plain = next(4) > 0;
                text.extend_from_slice(letters[if plain { 0 } else { next(letters.len()) }]);
            }
            let ends = ends_of_chars(&text);
            for n in 0..=ends.len() + 2 {
                let wanted = n
                    .checked_sub(1)
                    .map_or(0, |i| ends.get(i).or(ends.last()).copied().unwrap_or(0));
                assert_eq!(skip_chars(&text, n as u64), wanted, "{n} of {text:x?}");
            }
            assert_eq!(
                skip_chars(&text, u64::MAX),
                ends.last().copied().unwrap_or(0)
            );
            if !text.contains(&0) {
                assert_eq!(count_chars(&text), ends.len(), "{text:x?}");
            }
            assert!(char_len(&text) <= text.len());
        }
    }
}
