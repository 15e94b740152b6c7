//! Arguments as JSON.
//!
//! Rules:
//! 1. A text is parsed where JSON is expected. Where a value is expected it is a text, unless it has JSON's subtype.
//! 2. A blob that looks like JSONB is JSON in both places; another one is taken for text, or refused as a value.
//! 3. Texts that were parsed are remembered for the statement, the last four of them.
//!
//! Source: SQLite's `jsonParseFuncArg`, `jsonArgIsJsonb`, `jsonAppendSqlValue`, `jsonFunctionArgToBlob`, `JsonCache`.

use super::blob::{self, FLOAT, INT, NULL, OBJECT, TEXTRAW, header, kind, push_node};
use super::{SUBTYPE, malformed, parse, render};
use crate::func::argument::text;
use crate::func::{FnContext, FnError};
use crate::mem::{Kind, Mem};
use ringwood_format::number::{push_integer, push_real};
use std::borrow::Cow;
use std::sync::Arc;

/// JSON of an argument.
pub(super) enum Document<'a> {
    Borrowed(&'a [u8]),
    Shared(Arc<Remembered>),
}

impl Document<'_> {
    pub fn blob(&self) -> &[u8] {
        match self {
            Document::Borrowed(blob) => blob,
            Document::Shared(shared) => &shared.blob,
        }
    }
}

/// A text that was parsed.
pub(super) struct Remembered {
    text: Vec<u8>,
    blob: Vec<u8>,
}

/// The last ones, the youngest at the end (rule 3).
#[derive(Default)]
struct Memory {
    texts: Vec<Arc<Remembered>>,
}

/// How many texts are remembered.
const MEMORY_SIZE: usize = 4;
/// Where the memory is kept: not with an argument, but with the statement.
const MEMORY_SLOT: i32 = -429_938;

impl Memory {
    fn find(&mut self, text: &[u8]) -> Option<Arc<Remembered>> {
        let at = self.texts.iter().position(|known| known.text == text)?;
        let known = self.texts.remove(at);
        self.texts.push(Arc::clone(&known));
        Some(known)
    }

    fn add(&mut self, new: Arc<Remembered>) {
        if self.texts.len() == MEMORY_SIZE {
            self.texts.remove(0);
        }
        self.texts.push(new);
    }
}

/// The JSON that an argument is (rules 1 and 2); none for NULL.
pub(super) fn document<'a>(
    ctx: &mut FnContext<'_>,
    arg: &'a Mem,
) -> Result<Option<Document<'a>>, FnError> {
    if let Some(blob) = as_jsonb(arg) {
        return Ok(Some(Document::Borrowed(blob)));
    }
    let Some(text) = text(ctx, arg) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Err(malformed());
    }
    let is_text = arg.kind() == Kind::Text;
    if is_text {
        if let Some(known) = ctx.aux::<Memory>(MEMORY_SLOT).and_then(|m| m.find(&text)) {
            return Ok(Some(Document::Shared(known)));
        }
    }
    let parsed = parse::parse(&text).map_err(|_| malformed())?;
    let new = Arc::new(Remembered {
        text: text.into_owned(),
        blob: parsed.blob,
    });
    if is_text {
        if ctx.aux::<Memory>(MEMORY_SLOT).is_none() {
            ctx.set_aux(MEMORY_SLOT, Memory::default());
        }
        if let Some(memory) = ctx.aux::<Memory>(MEMORY_SLOT) {
            memory.add(Arc::clone(&new));
        }
    }
    Ok(Some(Document::Shared(new)))
}

/// The blob of an argument, if it looks like JSONB: of small ones everything is checked, because text may look so too.
pub(super) fn as_jsonb(arg: &Mem) -> Option<&[u8]> {
    if arg.kind() != Kind::Blob || arg.zeros() > 0 {
        return None;
    }
    let blob = arg.bytes();
    let head = header(blob, 0)?;
    let kind = kind(blob, 0);
    let fits =
        kind <= OBJECT && head.whole() == blob.len() && (kind > blob::FALSE || head.size == 0);
    if !fits {
        return None;
    }
    let may_be_text = head.size <= 7 && matches!(blob[0], b'{' | b'[' | b'0'..=b'9');
    (!may_be_text || blob::check(blob, 0, blob.len(), 1) == 0).then_some(blob)
}

/// Appends a value as JSON text (rules 1 and 2).
pub(super) fn push_value(arg: &Mem, out: &mut Vec<u8>) -> Result<(), FnError> {
    match arg.kind() {
        Kind::Null | Kind::Object => out.extend_from_slice(b"null"),
        Kind::Int => push_integer(arg.to_int(), out),
        Kind::Real | Kind::IntReal => match arg.to_real() {
            f64::INFINITY => out.extend_from_slice(b"9.0e+999"),
            f64::NEG_INFINITY => out.extend_from_slice(b"-9.0e+999"),
            r => push_real(r, out),
        },
        Kind::Text if arg.subtype() == SUBTYPE => out.extend_from_slice(arg.bytes()),
        Kind::Text => render::push_string(arg.bytes(), out),
        Kind::Blob => {
            let blob = as_jsonb(arg).ok_or_else(|| FnError::new("JSON cannot hold BLOB values"))?;
            render::render(blob, 0, 0, out)?;
        }
    }
    Ok(())
}

/// A value as JSONB (rules 1 and 2).
pub(super) fn value_blob(arg: &Mem) -> Result<Cow<'_, [u8]>, FnError> {
    let mut blob = Vec::new();
    match arg.kind() {
        Kind::Null | Kind::Object => blob.push(NULL),
        Kind::Int => push_node(INT, &arg.to_text(), &mut blob),
        Kind::Real | Kind::IntReal => match arg.to_real() {
            f64::INFINITY => push_node(FLOAT, b"9e999", &mut blob),
            f64::NEG_INFINITY => push_node(FLOAT, b"-9e999", &mut blob),
            _ => push_node(FLOAT, &arg.to_text(), &mut blob),
        },
        Kind::Text if arg.subtype() == SUBTYPE => {
            blob = parse::parse(arg.bytes()).map_err(|_| malformed())?.blob;
        }
        Kind::Text => push_node(TEXTRAW, arg.bytes(), &mut blob),
        Kind::Blob => {
            let blob = as_jsonb(arg);
            return blob
                .map(Cow::Borrowed)
                .ok_or_else(|| FnError::new("JSON cannot hold BLOB values"));
        }
    }
    Ok(Cow::Owned(blob))
}
