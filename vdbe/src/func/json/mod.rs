//! JSON: text and JSONB.
//!
//! ```text
//!   text ──parse──> JSONB ──path, patch, change──> JSONB ──render──> text
//!   JSONB argument ────^                             └──> JSONB result (jsonb_…)
//! ```
//!
//! Rules:
//! 1. A text argument is JSON where JSON is expected; where a value is expected it is a text, unless it has the subtype
//!    of JSON, which the results of these functions have. A blob that looks like JSONB is JSON in both places; another
//!    blob is taken for text, or refused as a value.
//! 2. Everything nests 1000 deep at most.
//!
//! Source: SQLite's `json.c`, "JSON Functions And Operators", "The SQLite JSONB Format".

mod aggregate;
mod argument;
mod blob;
pub mod each;
mod escape;
mod parse;
mod patch;
mod path;
mod render;

use super::argument::{text, until_nul};
use super::quote::push_doubled;
use super::{
    ANY_ARITY, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry, ScalarFn,
};
use crate::mem::{Kind, Mem};
use argument::{Document, as_jsonb, document, push_value, value_blob};
use blob::{ARRAY, FLOAT, INT, NULL, OBJECT, TEXTRAW, header, kind};
use path::{Change, Lost};
use ringwood_format::number::{
    Extent, IntegerEnd, LiteralError, Number, parse_integer, parse_literal, parse_real,
};
use std::borrow::Cow;

/// Rule 2.
const DEPTH_MAX: u32 = 1000;
/// The subtype of JSON.
const SUBTYPE: u8 = b'J';

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    // Each in two forms: with a text and with JSONB as its result.
    let both: [(&str, i16, ScalarFn, ScalarFn); 10] = [
        ("", 1, |c, a| remove(c, a, TEXT), |c, a| remove(c, a, BLOB)),
        (
            "_array",
            ANY_ARITY,
            |c, a| array(c, a, TEXT),
            |c, a| array(c, a, BLOB),
        ),
        (
            "_array_insert",
            ANY_ARITY,
            |c, a| edit(c, a, TEXT, Change::InsertBefore),
            |c, a| edit(c, a, BLOB, Change::InsertBefore),
        ),
        (
            "_extract",
            ANY_ARITY,
            |c, a| extract(c, a, TEXT, Wanted::Either),
            |c, a| extract(c, a, BLOB, Wanted::Either),
        ),
        (
            "_insert",
            ANY_ARITY,
            |c, a| edit(c, a, TEXT, Change::Insert),
            |c, a| edit(c, a, BLOB, Change::Insert),
        ),
        (
            "_object",
            ANY_ARITY,
            |c, a| object(c, a, TEXT),
            |c, a| object(c, a, BLOB),
        ),
        (
            "_patch",
            2,
            |c, a| patch(c, a, TEXT),
            |c, a| patch(c, a, BLOB),
        ),
        (
            "_remove",
            ANY_ARITY,
            |c, a| remove(c, a, TEXT),
            |c, a| remove(c, a, BLOB),
        ),
        (
            "_replace",
            ANY_ARITY,
            |c, a| edit(c, a, TEXT, Change::Replace),
            |c, a| edit(c, a, BLOB, Change::Replace),
        ),
        (
            "_set",
            ANY_ARITY,
            |c, a| edit(c, a, TEXT, Change::Set),
            |c, a| edit(c, a, BLOB, Change::Set),
        ),
    ];
    for (name, arity, to_text, to_blob) in both {
        let takes_values = !matches!(name, "" | "_extract" | "_patch" | "_remove");
        for (prefix, run) in [("json", to_text), ("jsonb", to_blob)] {
            let mut def = FunctionDef::scalar(&format!("{prefix}{name}"), arity, run);
            if prefix == "json" {
                def = def.with(FunctionFlags::RESULT_SUBTYPE);
            }
            if takes_values {
                def = def.with(FunctionFlags::SUBTYPE);
            }
            registry.register(def);
        }
    }
    let one: [(&str, i16, ScalarFn); 10] = [
        ("->", 2, |c, a| extract(c, a, TEXT, Wanted::Json)),
        ("->>", 2, |c, a| extract(c, a, TEXT, Wanted::Value)),
        ("json_array_length", 1, json_array_length),
        ("json_array_length", 2, json_array_length),
        ("json_error_position", 1, error_position),
        ("json_pretty", 1, pretty),
        ("json_pretty", 2, pretty),
        ("json_type", 1, type_of),
        ("json_type", 2, type_of),
        ("json_valid", 1, valid),
    ];
    for (name, arity, run) in one {
        let def = FunctionDef::scalar(name, arity, run);
        registry.register(if name == "->" {
            def.with(FunctionFlags::RESULT_SUBTYPE)
        } else {
            def
        });
    }
    registry.register(FunctionDef::scalar("json_valid", 2, valid));
    let subtypes = FunctionFlags::RESULT_SUBTYPE | FunctionFlags::SUBTYPE;
    registry.register(FunctionDef::scalar("json_quote", 1, quote).with(subtypes));
    aggregate::register(registry);
}

/// What a function gives for JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Blob,
}
const TEXT: Form = Form::Text;
const BLOB: Form = Form::Blob;

/// What is wanted of an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// JSON for arrays and objects, else a value.
    Either,
    /// JSON (`->`).
    Json,
    /// A value (`->>`).
    Value,
}

/// Bytes that stand for themselves in any text.
#[inline]
const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && !matches!(byte, b'"' | b'\'' | b'\\')
}

#[cold]
fn malformed() -> FnError {
    FnError::new("malformed JSON")
}

#[cold]
fn too_deep() -> FnError {
    FnError::new("JSON nested too deep")
}

/// What is said of a path that leads nowhere.
#[cold]
fn bad_path(path: &[u8], lost: Lost) -> FnError {
    let start = match lost {
        Lost::Malformed => return malformed(),
        Lost::TooDeep => return FnError::new("JSON path too deep"),
        Lost::NotArray => "not an array element: '",
        Lost::NotFound | Lost::BadPath => "bad JSON path: '",
    };
    let mut message = start.as_bytes().to_vec();
    push_doubled(path, b'\'', &mut message);
    message.push(b'\'');
    FnError::new(String::from_utf8_lossy(&message))
}

/// A path argument, up to its first NUL; none for NULL.
fn path_of<'a>(ctx: &FnContext<'_>, arg: &'a Mem) -> Option<Cow<'a, [u8]>> {
    Some(match text(ctx, arg)? {
        Cow::Borrowed(path) => Cow::Borrowed(until_nul(path)),
        Cow::Owned(path) => Cow::Owned(until_nul(&path).to_vec()),
    })
}

/// Gives JSON text as the result, which is in the result's buffer already. Where broken JSONB went into it, it may be
/// none; SQLite then gives the start of it as JSONB, this is an error.
fn finish_text(ctx: &mut FnContext<'_>, form: Form) -> Result<(), FnError> {
    if form == BLOB {
        let parsed = parse::parse(ctx.out.bytes()).map_err(|_| malformed())?;
        ctx.out.set_blob_vec(parsed.blob);
    }
    ctx.out.set_subtype(SUBTYPE);
    Ok(())
}

/// Gives JSON as the result.
fn finish_blob(ctx: &mut FnContext<'_>, blob: &[u8], form: Form) -> Result<(), FnError> {
    if form == BLOB {
        ctx.out.set_blob(blob);
    } else {
        render::render(blob, 0, 0, ctx.out.start_bytes(Kind::Text))?;
        ctx.out.set_subtype(SUBTYPE);
    }
    Ok(())
}

fn quote(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let [arg] = args {
        push_value(arg, ctx.out.start_bytes(Kind::Text))?;
        ctx.out.set_subtype(SUBTYPE);
    }
    Ok(())
}

fn array(ctx: &mut FnContext<'_>, args: &[Mem], form: Form) -> Result<(), FnError> {
    let out = ctx.out.start_bytes(Kind::Text);
    out.push(b'[');
    for arg in args {
        push_separator(out);
        push_value(arg, out)?;
    }
    out.push(b']');
    finish_text(ctx, form)
}

/// A comma, unless this is the first.
fn push_separator(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'[' | b'{')) {
        out.push(b',');
    }
}

fn object(ctx: &mut FnContext<'_>, args: &[Mem], form: Form) -> Result<(), FnError> {
    if !args.len().is_multiple_of(2) {
        return Err(FnError::new(
            "json_object() requires an even number of arguments",
        ));
    }
    if args
        .iter()
        .step_by(2)
        .any(|label| label.kind() != Kind::Text)
    {
        return Err(FnError::new("json_object() labels must be TEXT"));
    }
    let out = ctx.out.start_bytes(Kind::Text);
    out.push(b'{');
    for pair in args.chunks_exact(2) {
        push_separator(out);
        render::push_string(pair[0].bytes(), out);
        out.push(b':');
        push_value(&pair[1], out)?;
    }
    out.push(b'}');
    finish_text(ctx, form)
}

/// `json(j)`, and `json_remove(j, path, …)`.
fn remove(ctx: &mut FnContext<'_>, args: &[Mem], form: Form) -> Result<(), FnError> {
    let Some((first, paths)) = args.split_first() else {
        return Ok(());
    };
    let Some(document) = document(ctx, first)? else {
        return Ok(());
    };
    if paths.is_empty() {
        return finish_blob(ctx, document.blob(), form);
    }
    let mut blob = document.blob().to_vec();
    for arg in paths {
        let Some(path) = path_of(ctx, arg) else {
            return Ok(());
        };
        match path.split_first() {
            Some((b'$', [])) => return Ok(()),
            Some((b'$', rest)) => match path::change(&mut blob, rest, Change::Remove, b"") {
                Ok(()) | Err(Lost::NotFound) => {}
                Err(lost) => return Err(bad_path(&path, lost)),
            },
            _ => return Err(bad_path(&path, Lost::BadPath)),
        }
    }
    finish_blob(ctx, &blob, form)
}

/// json_insert, json_replace, json_set, json_array_insert.
fn edit(ctx: &mut FnContext<'_>, args: &[Mem], form: Form, change: Change) -> Result<(), FnError> {
    let Some((first, changes)) = args.split_first() else {
        return Ok(());
    };
    if !changes.len().is_multiple_of(2) {
        let name = match change {
            Change::Insert => "insert",
            Change::Set => "set",
            Change::InsertBefore => "array_insert",
            Change::Replace | Change::Remove => "replace",
        };
        return Err(FnError::new(format!(
            "json_{name}() needs an odd number of arguments"
        )));
    }
    let Some(document) = document(ctx, first)? else {
        return Ok(());
    };
    if changes.is_empty() {
        return finish_blob(ctx, document.blob(), form);
    }
    let mut blob = document.blob().to_vec();
    for pair in changes.chunks_exact(2) {
        let Some(path) = path_of(ctx, &pair[0]) else {
            continue;
        };
        let Some((b'$', rest)) = path.split_first() else {
            return Err(bad_path(&path, Lost::BadPath));
        };
        let new = value_blob(&pair[1])?;
        if rest.is_empty() {
            if matches!(change, Change::Replace | Change::Set) {
                let whole = blob.len();
                path::splice(&mut blob, 0, whole, &new);
            }
            continue;
        }
        match path::change(&mut blob, rest, change, &new) {
            Ok(()) | Err(Lost::NotFound) => {}
            Err(lost) => return Err(bad_path(&path, lost)),
        }
    }
    finish_blob(ctx, &blob, form)
}

fn patch(ctx: &mut FnContext<'_>, args: &[Mem], form: Form) -> Result<(), FnError> {
    let [target, patch] = args else { return Ok(()) };
    let Some(target) = document(ctx, target)? else {
        return Ok(());
    };
    let Some(patch) = document(ctx, patch)? else {
        return Ok(());
    };
    let mut blob = target.blob().to_vec();
    patch::merge(&mut blob, 0, patch.blob(), 0, 0, &mut 0)?;
    finish_blob(ctx, &blob, form)
}

/// The path that the operators take besides: a number, a label, or what stands in brackets.
fn short_path(path: &[u8], is_integer: bool) -> Vec<u8> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match path {
        [b'-', ..] if is_integer => [b"[#", path, b"]"].concat(),
        _ if is_integer => [b"[", path, b"]"].concat(),
        _ if path.iter().all(is_word) => [b".", path].concat(),
        [b'[', _, .., b']'] => path.to_vec(),
        _ => [b".\"", path, b"\""].concat(),
    }
}

/// json_extract, `->` and `->>`.
fn extract(
    ctx: &mut FnContext<'_>,
    args: &[Mem],
    form: Form,
    wanted: Wanted,
) -> Result<(), FnError> {
    let [first, paths @ ..] = args else {
        return Ok(());
    };
    if paths.is_empty() {
        return Ok(());
    }
    let Some(document) = document(ctx, first)? else {
        return Ok(());
    };
    let blob = document.blob();
    let mut all = Vec::new();
    for arg in paths {
        let Some(path) = path_of(ctx, arg) else {
            return Ok(());
        };
        let found = match path.split_first() {
            Some((b'$', rest)) => path::find(blob, rest),
            _ if wanted != Wanted::Either => {
                path::find(blob, &short_path(&path, arg.kind() == Kind::Int))
            }
            _ => Err(Lost::BadPath),
        };
        let found = match found {
            Ok(at) => Some(at),
            Err(Lost::NotFound) => None,
            Err(lost) => return Err(bad_path(&path, lost)),
        };
        if let [_] = paths {
            return match found {
                Some(at) => give_element(ctx, blob, at, form, wanted),
                None => Ok(()),
            };
        }
        all.push(if all.is_empty() { b'[' } else { b',' });
        match found {
            Some(at) => {
                render::render(blob, at, 0, &mut all)?;
            }
            None => all.extend_from_slice(b"null"),
        }
    }
    all.push(b']');
    ctx.out.set_text_vec(all);
    finish_text(ctx, form)?;
    if form == BLOB {
        ctx.out.clear_subtype();
    }
    Ok(())
}

/// Gives an element as the result.
fn give_element(
    ctx: &mut FnContext<'_>,
    blob: &[u8],
    at: usize,
    form: Form,
    wanted: Wanted,
) -> Result<(), FnError> {
    if wanted == Wanted::Json {
        render::render(blob, at, 0, ctx.out.start_bytes(Kind::Text))?;
        ctx.out.set_subtype(SUBTYPE);
        return Ok(());
    }
    give_value(ctx, blob, at, form)?;
    if wanted == Wanted::Either && form == TEXT && kind(blob, at) >= ARRAY {
        ctx.out.set_subtype(SUBTYPE);
    }
    Ok(())
}

/// Gives an element as a value; an array or an object as JSON.
fn give_value(ctx: &mut FnContext<'_>, blob: &[u8], at: usize, form: Form) -> Result<(), FnError> {
    put_value(ctx.out, blob, at, form)
}

/// The same, into a register.
fn put_value(out: &mut Mem, blob: &[u8], at: usize, form: Form) -> Result<(), FnError> {
    let head = header(blob, at).ok_or_else(malformed)?;
    let payload = &blob[at + head.len..at + head.whole()];
    match kind(blob, at) {
        NULL | blob::TRUE | blob::FALSE if !payload.is_empty() => return Err(malformed()),
        NULL => out.set_null(),
        blob::TRUE => out.set_int(1),
        blob::FALSE => out.set_int(0),
        INT | blob::INT5 => match integer(payload)? {
            Number::Integer(i) => out.set_int(i),
            Number::Real(r) => out.set_real(r),
        },
        FLOAT | blob::FLOAT5 => out.set_real(real(payload)?),
        TEXTRAW | blob::TEXT => out.set_text(payload),
        blob::TEXTJ | blob::TEXT5 => {
            escape::push_unescaped(payload, out.start_bytes(Kind::Text));
        }
        ARRAY | OBJECT if form == BLOB => out.set_blob(&blob[at..at + head.whole()]),
        ARRAY | OBJECT => {
            let element = &blob[at..at + head.whole()];
            render::render(element, 0, 0, out.start_bytes(Kind::Text))?;
        }
        _ => return Err(malformed()),
    }
    Ok(())
}

fn real(payload: &[u8]) -> Result<f64, FnError> {
    let parsed = parse_real(until_nul(payload));
    if parsed.extent != Extent::Whole {
        return Err(malformed());
    }
    Ok(parsed.value)
}

/// An integer, or a real if it is too large for one.
fn integer(payload: &[u8]) -> Result<Number, FnError> {
    let (negative, digits) = match payload {
        [] | [b'-'] => return Err(malformed()),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let digits = until_nul(digits);
    if let [b'0', b'x' | b'X', ..] = digits {
        return match parse_literal(digits, false) {
            // The sign bit of 64 belongs to the magnitude.
            Ok(Number::Integer(i)) if i < 0 => {
                let r = i as u64 as f64;
                Ok(Number::Real(if negative { -r } else { r }))
            }
            Ok(Number::Integer(i)) => Ok(Number::Integer(if negative { -i } else { i })),
            Err(LiteralError::HexTooBig) => real(payload).map(Number::Real),
            _ => Err(malformed()),
        };
    }
    match parse_integer(digits) {
        (i, IntegerEnd::Whole) => Ok(Number::Integer(if negative { -i } else { i })),
        (_, IntegerEnd::Pow63) if negative => Ok(Number::Integer(i64::MIN)),
        (_, IntegerEnd::Prefix) => Err(malformed()),
        _ => real(payload).map(Number::Real),
    }
}

/// The document, and the element that an optional path leads to.
fn element_of<'a>(
    ctx: &mut FnContext<'_>,
    args: &'a [Mem],
) -> Result<Option<(Document<'a>, usize)>, FnError> {
    let Some((first, paths)) = args.split_first() else {
        return Ok(None);
    };
    let Some(document) = document(ctx, first)? else {
        return Ok(None);
    };
    let Some(arg) = paths.first() else {
        return Ok(Some((document, 0)));
    };
    let Some(path) = path_of(ctx, arg) else {
        return Ok(None);
    };
    let Some((b'$', rest)) = path.split_first() else {
        return Err(bad_path(&path, Lost::BadPath));
    };
    match path::find(document.blob(), rest) {
        Ok(at) => Ok(Some((document, at))),
        Err(Lost::NotFound) => Ok(None),
        Err(lost) => Err(bad_path(&path, lost)),
    }
}

fn json_array_length(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((document, at)) = element_of(ctx, args)? {
        let is_array = kind(document.blob(), at) == ARRAY;
        let length = if is_array {
            blob::array_length(document.blob(), at)
        } else {
            0
        };
        ctx.out.set_int(length as i64);
    }
    Ok(())
}

fn type_of(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((document, at)) = element_of(ctx, args)? {
        let name = blob::NAMES[usize::from(kind(document.blob(), at))];
        ctx.out.set_text(name.as_bytes());
    }
    Ok(())
}

fn pretty(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some((first, indent)) = args.split_first() else {
        return Ok(());
    };
    let Some(document) = document(ctx, first)? else {
        return Ok(());
    };
    let indent = indent.first().and_then(|arg| path_of(ctx, arg));
    let indent = indent.unwrap_or(Cow::Borrowed(b"    "));
    let out = ctx.out.start_bytes(Kind::Text);
    render::render_pretty(document.blob(), 0, 0, &indent, out)?;
    Ok(())
}

/// Bits of json_valid's second argument.
mod validity {
    /// RFC 8259.
    pub const CANONICAL: i64 = 1;
    /// JSON5.
    pub const JSON5: i64 = 2;
    /// Looks like JSONB.
    pub const LOOKS_LIKE_JSONB: i64 = 4;
    /// Is JSONB.
    pub const JSONB: i64 = 8;
}

fn valid(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some((arg, flags)) = args.split_first() else {
        return Ok(());
    };
    let flags = flags.first().map_or(validity::CANONICAL, Mem::to_int);
    if !(1..=15).contains(&flags) {
        return Err(FnError::new(
            "FLAGS parameter to json_valid() must be between 1 and 15",
        ));
    }
    if let Some(blob) = as_jsonb(arg) {
        let is_valid = flags & validity::LOOKS_LIKE_JSONB != 0
            || (flags & validity::JSONB != 0 && blob::check(blob, 0, blob.len(), 1) == 0);
        ctx.out.set_bool(is_valid);
        return Ok(());
    }
    let Some(text) = text(ctx, arg) else {
        return Ok(());
    };
    let is_valid = flags & (validity::CANONICAL | validity::JSON5) != 0
        && !text.is_empty()
        && parse::parse(&text)
            .is_ok_and(|parsed| flags & validity::JSON5 != 0 || parsed.is_canonical);
    ctx.out.set_bool(is_valid);
    Ok(())
}

/// Where JSON ceases to be JSON: characters from 1, or bytes of JSONB; 0 if it does not.
fn error_position(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [arg] = args else { return Ok(()) };
    if let Some(blob) = as_jsonb(arg) {
        let position = blob::check(blob, 0, blob.len(), 1);
        ctx.out.set_int(position as i64);
        return Ok(());
    }
    let Some(text) = text(ctx, arg) else {
        return Ok(());
    };
    let position = match parse::parse(&text) {
        Ok(_) => 0,
        Err(at) => {
            let before = &text[..at.min(text.len())];
            1 + before.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
        }
    };
    ctx.out.set_int(position as i64);
    Ok(())
}
