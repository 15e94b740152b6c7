//! Functions on texts and blobs: substr, upper, lower, instr, replace, trim, concat, char, unicode, hex, quote, unistr.
//!
//! Rules:
//! 1. Positions and lengths count characters in texts and bytes in blobs; numbers are taken as texts.
//! 2. Case is that of ASCII.
//! 3. A result that would be longer than the limit is an error before it is built.
//!
//! Source: SQLite's `substrFunc`, `upperFunc`, `instrFunc`, `replaceFunc`, `trimFunc`, `concatFuncCore`, `charFunc`,
//! `hexFunc`, `unhexFunc`, `quoteFunc`, `unistrFunc`, `soundexFunc`.

use super::argument::{char_len, check_room, is_continuation, skip_chars, text, until_nul};
use super::quote::push_literal;
use super::{ANY_ARITY, FnContext, FnError, FunctionDef, FunctionRegistry, at_least};
use crate::mem::{Kind, Mem};
use memchr::memmem;
use ringwood_format::encoding::{code_points, push_code_point};
use ringwood_format::value::ValueType;
use std::borrow::Cow;

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    let mut add = |name: &str, arity: i16, run| {
        registry.register(FunctionDef::scalar(name, arity, run));
    };
    for name in ["substr", "substring"] {
        add(name, 2, substr);
        add(name, 3, substr);
    }
    add("upper", 1, upper);
    add("lower", 1, lower);
    add("instr", 2, instr);
    add("replace", 3, replace);
    for arity in [1, 2] {
        add("trim", arity, |ctx, args| trim(ctx, args, true, true));
        add("ltrim", arity, |ctx, args| trim(ctx, args, true, false));
        add("rtrim", arity, |ctx, args| trim(ctx, args, false, true));
        add("unhex", arity, unhex);
    }
    add("concat", at_least(1), concat);
    add("concat_ws", at_least(2), concat_ws);
    add("char", ANY_ARITY, char_of);
    add("unicode", 1, unicode);
    add("hex", 1, hex);
    add("quote", 1, |ctx, args| quote(ctx, args, false));
    add("unistr_quote", 1, |ctx, args| quote(ctx, args, true));
    add("unistr", 1, unistr);
    add("soundex", 1, soundex);
}

/// The start and the length that `substr` is asked for, brought to 0 and above; `len` is the length of what it is taken
/// from, and matters only if the start counts from the end.
fn window(start: i64, wanted: i64, len: i64) -> (u64, u64) {
    let (mut from, mut n) = (start, wanted);
    if from < 0 {
        from += len;
        if from < 0 {
            n = if n < 0 { 0 } else { n + from };
            from = 0;
        }
    } else if from > 0 {
        from -= 1;
    } else if n > 0 {
        n -= 1;
    }
    if n < 0 {
        n = if n < -from { from } else { -n };
        from -= n;
    }
    (from as u64, n as u64)
}

fn substr(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg, start, wanted @ ..] = args else {
        return Ok(());
    };
    if start.is_null() || wanted.first().is_some_and(Mem::is_null) {
        return Ok(());
    }
    let start = start.to_int();
    let wanted = wanted.first().map_or(i64::MAX, Mem::to_int);
    if arg.value_type() == ValueType::Blob {
        let bytes = arg.bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        let (from, n) = window(start, wanted, bytes.len() as i64);
        let from = from.min(bytes.len() as u64) as usize;
        let n = n.min((bytes.len() - from) as u64) as usize;
        ctx.result().set_blob(&bytes[from..from + n]);
        return Ok(());
    }
    let Some(text) = text(ctx, arg) else {
        return Ok(());
    };
    let len = if start < 0 { naive_count(&text) } else { 0 };
    let (from, n) = window(start, wanted, len);
    let tail = &text[skip_chars(&text, from)..];
    let found = &tail[..skip_chars(tail, n)];
    ctx.result().set_text(found);
    Ok(())
}

/// Characters before the first NUL, where a stray continuation byte is one character.
fn naive_count(text: &[u8]) -> i64 {
    let text = until_nul(text);
    if text.is_ascii() {
        return text.len() as i64;
    }
    let mut count = 0;
    let mut in_char = false;
    for &byte in text {
        if !is_continuation(byte) {
            in_char = byte >= 0xc0;
            count += 1;
        } else if !in_char {
            count += 1;
        }
    }
    count
}

fn upper(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some(text) = args.first().and_then(|arg| text(ctx, arg)) else {
        return Ok(());
    };
    check_room(ctx, text.len() as u64 + 1)?;
    let out = ctx.result().start_bytes(Kind::Text);
    out.extend_from_slice(&text);
    out.make_ascii_uppercase();
    Ok(())
}

fn lower(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some(text) = args.first().and_then(|arg| text(ctx, arg)) else {
        return Ok(());
    };
    check_room(ctx, text.len() as u64 + 1)?;
    let out = ctx.result().start_bytes(Kind::Text);
    out.extend_from_slice(&text);
    out.make_ascii_lowercase();
    Ok(())
}

/// The position of the first occurrence, from 1; 0 without one.
fn instr(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [haystack, needle] = args else {
        return Ok(());
    };
    let is_blob = |arg: &Mem| arg.value_type() == ValueType::Blob;
    let in_bytes = is_blob(haystack) && is_blob(needle);
    let (Some(haystack), Some(needle)) = (text(ctx, haystack), text(ctx, needle)) else {
        return Ok(());
    };
    let position = if in_bytes {
        memmem::find(&haystack, &needle).map_or(0, |at| at as i64 + 1)
    } else {
        find_text(&haystack, &needle)
    };
    ctx.result().set_int(position);
    Ok(())
}

/// A match counts where a character starts: at the start of the text, or at a byte that continues none.
fn find_text(haystack: &[u8], needle: &[u8]) -> i64 {
    let mut from = 0;
    while let Some(at) = memmem::find(&haystack[from..], needle).map(|at| at + from) {
        if at == 0 {
            return 1;
        }
        if !is_continuation(haystack[at]) {
            let between = &haystack[1..=at];
            return 1 + between.iter().filter(|&&b| !is_continuation(b)).count() as i64;
        }
        from = at + 1;
    }
    0
}

fn replace(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg, pattern, replacement] = args else {
        return Ok(());
    };
    let (Some(source), Some(pattern)) = (text(ctx, arg), text(ctx, pattern)) else {
        return Ok(());
    };
    if matches!(pattern.first(), None | Some(0)) {
        ctx.result().set_text(&source);
        return Ok(());
    }
    let Some(replacement) = text(ctx, replacement) else {
        return Ok(());
    };
    check_room(ctx, source.len() as u64 + 1)?;
    let length_max = ctx.facts.length_max;
    let mut length = source.len() as u64;
    let out = ctx.result().start_bytes(Kind::Text);
    let mut done = 0;
    for at in memmem::find_iter(&source, &*pattern) {
        if replacement.len() > pattern.len() {
            length += (replacement.len() - pattern.len()) as u64;
            if length > length_max {
                return Err(FnError::too_big());
            }
        }
        out.extend_from_slice(&source[done..at]);
        out.extend_from_slice(&replacement);
        done = at + pattern.len();
    }
    out.extend_from_slice(&source[done..]);
    Ok(())
}

fn trim(ctx: &mut FnContext<'_>, args: &[Mem], left: bool, right: bool) -> Result<(), FnError> {
    let Some(source) = args.first().and_then(|arg| text(ctx, arg)) else {
        return Ok(());
    };
    let set = match args.get(1) {
        None => Cow::Borrowed(&b" "[..]),
        Some(set) => match text(ctx, set) {
            Some(set) => set,
            None => return Ok(()),
        },
    };
    let set = until_nul(&set);
    let mut rest = &*source;
    if let [only] = *set {
        while let (true, [first, tail @ ..]) = (left, rest)
            && *first == only
        {
            rest = tail;
        }
        while let (true, [head @ .., last]) = (right, rest)
            && *last == only
        {
            rest = head;
        }
    } else {
        while let (true, Some(len)) = (left, trimmed(set, |c| rest.starts_with(c))) {
            if rest.is_empty() {
                break;
            }
            rest = &rest[len..];
        }
        while let (true, Some(len)) = (right, trimmed(set, |c| rest.ends_with(c))) {
            if rest.is_empty() {
                break;
            }
            rest = &rest[..rest.len() - len];
        }
    }
    ctx.result().set_text(rest);
    Ok(())
}

/// The length of the first character of `set` that is wanted.
fn trimmed(set: &[u8], is_wanted: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let mut rest = set;
    while !rest.is_empty() {
        let len = char_len(rest);
        if is_wanted(&rest[..len]) {
            return Some(len);
        }
        rest = &rest[len..];
    }
    None
}

fn concat(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    join(ctx, b"", args)
}

fn concat_ws(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some((separator, args)) = args.split_first() else {
        return Ok(());
    };
    match text(ctx, separator) {
        Some(separator) => join(ctx, &separator, args),
        None => Ok(()),
    }
}

/// What is not NULL, with the separator between.
fn join(ctx: &mut FnContext<'_>, separator: &[u8], args: &[Mem]) -> Result<(), FnError> {
    let length_max = ctx.facts.length_max;
    ctx.result().start_bytes(Kind::Text);
    let mut is_first = true;
    for arg in args {
        let Some(text) = text(ctx, arg) else { continue };
        let Some(out) = ctx.result().bytes_mut() else {
            return Ok(());
        };
        if out.len() as u64 + text.len() as u64 > length_max {
            return Err(FnError::too_big());
        }
        if !is_first {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(&text);
        is_first = false;
    }
    Ok(())
}

/// The characters with these numbers.
fn char_of(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    // As much as stock SQLite sets aside.
    check_room(ctx, 4 * args.len() as u64 + 1)?;
    let out = ctx.result().start_bytes(Kind::Text);
    for arg in args {
        let c = match arg.to_int() {
            c @ 0..=0x10_ffff => c as u32,
            _ => 0xfffd,
        };
        push_code_point(out, c);
    }
    Ok(())
}

fn unicode(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let text = args.first().and_then(|arg| text(ctx, arg));
    let first = text.as_deref().and_then(|text| code_points(text).next());
    if let Some(c @ 1..) = first {
        ctx.result().set_int(i64::from(c));
    }
    Ok(())
}

fn hex(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg] = args else { return Ok(()) };
    let encoding = ctx.facts.encoding;
    let mut bytes = arg.to_bytes();
    if arg.value_type() == ValueType::Text && !encoding.is_utf8() {
        let mut stored = Vec::with_capacity(encoding.encoded_len(&bytes));
        encoding.encode(&bytes, &mut stored);
        bytes = Cow::Owned(stored);
    }
    check_room(ctx, bytes.len() as u64 * 2 + 1)?;
    super::quote::push_hex(&bytes, ctx.result().start_bytes(Kind::Text));
    Ok(())
}

/// The blob that a text of hexadecimal digits stands for; NULL if it is none. Characters of the second argument may
/// stand between the pairs.
fn unhex(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some(digits) = args.first().and_then(|arg| text(ctx, arg)) else {
        return Ok(());
    };
    let ignored = match args.get(1) {
        None => Cow::Borrowed(&b""[..]),
        Some(arg) => match text(ctx, arg) {
            Some(ignored) => ignored,
            None => return Ok(()),
        },
    };
    check_room(ctx, digits.len() as u64 / 2 + 1)?;
    let out = ctx.result().start_bytes(Kind::Blob);
    if !decode_hex(until_nul(&digits), &ignored, out) {
        ctx.result().set_null();
    }
    Ok(())
}

fn decode_hex(mut digits: &[u8], ignored: &[u8], out: &mut Vec<u8>) -> bool {
    let value = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    while let Some(&first) = digits.first() {
        if let Some(high) = value(first) {
            let Some(low) = digits.get(1).and_then(|&byte| value(byte)) else {
                return false;
            };
            out.push(high << 4 | low);
            digits = &digits[2..];
        } else {
            let mut points = code_points(digits);
            let c = points.next();
            if !code_points(ignored).any(|other| Some(other) == c) {
                return false;
            }
            digits = points.rest();
        }
    }
    true
}

fn quote(ctx: &mut FnContext<'_>, args: &[Mem], escapes: bool) -> Result<(), FnError> {
    let [arg] = args else { return Ok(()) };
    let length_max = ctx.facts.length_max;
    let out = ctx.result().start_bytes(Kind::Text);
    push_literal(arg, escapes, length_max, out)
}

/// Replaces \XXXX, \uXXXX, \+XXXXXX, \UXXXXXXXX and \\.
fn unistr(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some(source) = args.first().and_then(|arg| text(ctx, arg)) else {
        return Ok(());
    };
    let out = ctx.result().start_bytes(Kind::Text);
    let mut rest = &*source;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        // A NUL hides the escapes behind it.
        if memchr::memchr(0, &rest[..at]).is_some() {
            break;
        }
        out.extend_from_slice(&rest[..at]);
        let escape = &rest[at + 1..];
        let (skip, digits) = match escape.first() {
            Some(b'\\') => {
                out.push(b'\\');
                rest = &escape[1..];
                continue;
            }
            Some(b'+') => (1, 6),
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            _ => (0, 4),
        };
        let c = escape.get(skip..skip + digits).and_then(hex_number);
        let Some(c) = c else {
            return Err(FnError::new("invalid Unicode escape"));
        };
        push_code_point(out, c);
        rest = &escape[skip + digits..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn hex_number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, &digit| {
        Some(number << 4 | (digit as char).to_digit(16)?)
    })
}

fn soundex(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let source = args
        .first()
        .and_then(|arg| text(ctx, arg))
        .unwrap_or_default();
    let source = until_nul(&source);
    let Some(start) = source.iter().position(u8::is_ascii_alphabetic) else {
        ctx.result().set_text(b"?000");
        return Ok(());
    };
    let code = |byte: u8| match (byte & 0x7f).to_ascii_lowercase() {
        b'b' | b'f' | b'p' | b'v' => b'1',
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => b'2',
        b'd' | b't' => b'3',
        b'l' => b'4',
        b'm' | b'n' => b'5',
        b'r' => b'6',
        _ => 0,
    };
    let mut result = [b'0'; 4];
    result[0] = source[start].to_ascii_uppercase();
    let mut previous = code(source[start]);
    let mut n = 1;
    for &byte in &source[start..] {
        let digit = code(byte);
        if digit != 0 && digit != previous {
            result[n] = digit;
            n += 1;
            if n == 4 {
                break;
            }
        }
        previous = digit;
    }
    ctx.result().set_text(&result);
    Ok(())
}
