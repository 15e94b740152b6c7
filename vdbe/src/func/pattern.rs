//! LIKE and GLOB.
//!
//! ```text
//!             any run   one character   a set      case      escape
//!   LIKE        %            _                     ASCII     ESCAPE c
//!   GLOB        *            ?          [a-z^…]    counts
//! ```
//!
//! Rules:
//! 1. A NUL ends the pattern, and the text.
//! 2. Once a run wildcard has matched up to the next one, it is never tried again further on: what the later wildcard
//!    does not find, it would not find from there either. So one place to go back to is enough, nothing recurses, and
//!    the worst case is the product of both lengths.
//! 3. The pattern's length is limited because of that worst case.
//! 4. So a match may take long; every few hundred tries it looks whether the statement is to stop.
//! 5. An escaped `_` that is not found literally matches no other character.
//!
//! Source: SQLite's `patternCompare`, `likeFunc`.

use super::argument::{char_len, text};
use super::{FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::{Kind, Mem};
use crate::result_code::ResultCode;
use ringwood_format::encoding::code_points;

/// Adds `glob`, and `like` in its usual form.
pub fn register(registry: &mut FunctionRegistry) {
    let glob = FunctionDef::scalar("glob", 2, |ctx, args| match plain(ctx, args) {
        Some((pattern, text)) => matches_glob(ctx, pattern, text),
        None => run(ctx, args, GLOB),
    });
    registry.register(glob.with(FunctionFlags::LIKE | FunctionFlags::CASE_SENSITIVE));
    register_like(registry, false);
}

/// Adds `like`; with or without regard to case (`PRAGMA case_sensitive_like`).
pub fn register_like(registry: &mut FunctionRegistry, case_sensitive: bool) {
    for arity in [2, 3] {
        let like = if case_sensitive {
            FunctionDef::scalar("like", arity, |ctx, args| run(ctx, args, LIKE_CASE))
                .with(FunctionFlags::LIKE | FunctionFlags::CASE_SENSITIVE)
        } else {
            FunctionDef::scalar("like", arity, |ctx, args| match plain(ctx, args) {
                Some((pattern, text)) => matches_like(ctx, pattern, text),
                None => run(ctx, args, LIKE),
            })
            .with(FunctionFlags::LIKE)
        };
        registry.register(like);
    }
}

/// What the special characters are; 0 for none.
#[derive(Clone, Copy, Debug)]
struct Wild {
    all: u32,
    one: u32,
    /// Opens a set.
    set: u32,
    escape: u32,
    no_case: bool,
}

const GLOB: Wild = Wild {
    all: b'*' as u32,
    one: b'?' as u32,
    set: b'[' as u32,
    escape: 0,
    no_case: false,
};
const LIKE_CASE: Wild = Wild {
    all: b'%' as u32,
    one: b'_' as u32,
    set: 0,
    escape: 0,
    no_case: false,
};
const LIKE: Wild = Wild {
    no_case: true,
    ..LIKE_CASE
};

/// The arguments as they nearly always are: two texts, and the pattern is not too long.
#[inline]
fn plain<'a>(ctx: &FnContext<'_>, args: &'a [Mem]) -> Option<(&'a [u8], &'a [u8])> {
    let [pattern, text] = args else { return None };
    let is_plain = pattern.kind() == Kind::Text
        && text.kind() == Kind::Text
        && pattern.bytes().len() as u64 <= ctx.facts.like_pattern_length_max;
    is_plain.then(|| (pattern.bytes(), text.bytes()))
}

/// `like(pattern, text, escape)`.
#[inline(never)]
fn run(ctx: &mut FnContext<'_>, args: &[Mem], mut wild: Wild) -> Result<(), FnError> {
    let [pattern, subject, escape @ ..] = args else {
        return Ok(());
    };
    let pattern = text(ctx, pattern);
    let pattern_length = pattern.as_deref().map_or(0, <[u8]>::len);
    if pattern_length as u64 > ctx.facts.like_pattern_length_max {
        return Err(FnError::new("LIKE or GLOB pattern too complex"));
    }
    if let [escape, ..] = escape {
        let Some(escape) = text(ctx, escape) else {
            return Ok(());
        };
        let escape = super::argument::until_nul(&escape);
        if escape.is_empty() || char_len(escape) != escape.len() {
            return Err(FnError::new("ESCAPE expression must be a single character"));
        }
        wild.escape = code_points(escape).next().unwrap_or(0);
        if wild.escape == wild.all {
            wild.all = 0;
        }
        if wild.escape == wild.one {
            wild.one = 0;
        }
    }
    let (Some(pattern), Some(subject)) = (pattern, text(ctx, subject)) else {
        return Ok(());
    };
    match (wild.escape, wild.set, wild.no_case) {
        (0, 0, true) => matches_like(ctx, &pattern, &subject),
        (0, 1.., _) => matches_glob(ctx, &pattern, &subject),
        _ => matches_any(ctx, &pattern, &subject, wild),
    }
}

/// A text that is read character by character; 0 at its end.
#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    #[inline]
    fn next(&mut self) -> u32 {
        match self.rest {
            [] => 0,
            [byte @ ..0x80, tail @ ..] => {
                self.rest = tail;
                u32::from(*byte)
            }
            _ => self.next_wide(),
        }
    }

    fn next_wide(&mut self) -> u32 {
        let mut points = code_points(self.rest);
        let c = points.next().unwrap_or(0);
        self.rest = points.rest();
        c
    }

    #[inline]
    fn is_at_end(self) -> bool {
        matches!(self.rest, [] | [0, ..])
    }

    /// The byte ahead; 0 at the end.
    #[inline]
    fn peek(self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }
}

/// What is looked for behind a run wildcard.
#[derive(Clone, Copy)]
enum Anchor {
    /// An ASCII character, in both cases.
    Byte(u8, u8),
    /// Another character.
    Char(u32),
    /// A set: every character is tried.
    Set,
}

/// The last run wildcard: where the match goes on if it takes one character more (rule 2).
#[derive(Clone, Copy)]
struct Run<'a> {
    anchor: Anchor,
    /// The pattern behind the anchor, or from the set on.
    pattern: Reader<'a>,
    /// What the run has not taken yet.
    text: Reader<'a>,
}

impl<'a> Run<'a> {
    /// The next place where the anchor is found: the text behind it.
    #[inline]
    fn advance(&mut self) -> Option<Reader<'a>> {
        match self.anchor {
            Anchor::Byte(a, b) => {
                let at = if a == b {
                    memchr::memchr2(a, 0, self.text.rest)
                } else {
                    memchr::memchr3(a, b, 0, self.text.rest)
                }?;
                if self.text.rest[at] == 0 {
                    return None;
                }
                self.text.rest = &self.text.rest[at + 1..];
                Some(self.text)
            }
            Anchor::Char(wanted) => loop {
                match self.text.next() {
                    0 => return None,
                    c if c == wanted => return Some(self.text),
                    _ => {}
                }
            },
            Anchor::Set => {
                if self.text.is_at_end() {
                    return None;
                }
                let here = self.text;
                self.text.rest = &here.rest[char_len(here.rest)..];
                Some(here)
            }
        }
    }
}

#[inline]
fn same_letter(a: u32, b: u32) -> bool {
    a < 0x80 && b < 0x80 && (a as u8).eq_ignore_ascii_case(&(b as u8))
}

// The usual wildcards are known when this is compiled, which leaves little of each comparison.

#[inline(never)]
fn matches_like(ctx: &mut FnContext<'_>, pattern: &[u8], text: &[u8]) -> Result<(), FnError> {
    matches(ctx, pattern, text, LIKE)
}

#[inline(never)]
fn matches_glob(ctx: &mut FnContext<'_>, pattern: &[u8], text: &[u8]) -> Result<(), FnError> {
    matches(ctx, pattern, text, GLOB)
}

#[inline(never)]
fn matches_any(
    ctx: &mut FnContext<'_>,
    pattern: &[u8],
    text: &[u8],
    wild: Wild,
) -> Result<(), FnError> {
    matches(ctx, pattern, text, wild)
}

/// Tries between two looks at whether the statement is to stop: each compares no more than a pattern's length.
const LOOK_EVERY: u32 = 256;

/// The result: whether the pattern matches the whole text.
#[inline(always)]
fn matches(
    ctx: &mut FnContext<'_>,
    pattern: &[u8],
    text: &[u8],
    wild: Wild,
) -> Result<(), FnError> {
    let mut pattern = Reader { rest: pattern };
    let mut text = Reader { rest: text };
    let mut run: Option<Run<'_>> = None;
    let mut tries = 0u32;
    let found = loop {
        // One round compares up to the end of the pattern, the next run wildcard, or a difference.
        match compare(&mut pattern, &mut text, wild) {
            Compared::AtEnd if text.is_at_end() => break true,
            Compared::Run => match open_run(pattern, text, wild) {
                Opened::Matches => break true,
                Opened::Fails => break false,
                Opened::Run(opened) => run = Some(opened),
            },
            Compared::AtEnd | Compared::Differs => {}
        }
        let Some(run) = &mut run else { break false };
        let Some(behind) = run.advance() else {
            break false;
        };
        pattern = run.pattern;
        text = behind;
        tries += 1;
        if tries.is_multiple_of(LOOK_EVERY) && ctx.facts.is_interrupted() {
            return Err(FnError::code(ResultCode::INTERRUPT));
        }
    };
    ctx.result().set_bool(found);
    Ok(())
}

enum Compared {
    AtEnd,
    Run,
    Differs,
}

/// Compares character by character.
#[inline(always)]
fn compare(pattern: &mut Reader<'_>, text: &mut Reader<'_>, wild: Wild) -> Compared {
    loop {
        if let ([p @ 1..0x80, pattern_tail @ ..], [t, text_tail @ ..]) = (pattern.rest, text.rest) {
            let c = u32::from(*p);
            if c != wild.all && c != wild.one && c != wild.escape && c != wild.set {
                // An ordinary ASCII character, which no other kind of character equals.
                let other_case = wild.no_case && p ^ t == 0x20 && p.is_ascii_alphabetic();
                if p != t && !other_case {
                    return Compared::Differs;
                }
                pattern.rest = pattern_tail;
                text.rest = text_tail;
                continue;
            }
        }
        let mut c = pattern.next();
        let mut is_escaped = false;
        if c == 0 {
            return Compared::AtEnd;
        }
        if c == wild.all {
            return Compared::Run;
        }
        if c == wild.escape {
            c = pattern.next();
            if c == 0 {
                return Compared::Differs;
            }
            is_escaped = true;
        } else if c == wild.set {
            if !matches_set(pattern, text) {
                return Compared::Differs;
            }
            continue;
        }
        let other = text.next();
        let same = c == other
            || (wild.no_case && same_letter(c, other))
            || (c == wild.one && !is_escaped && other != 0);
        if !same {
            return Compared::Differs;
        }
    }
}

/// Matches a set, whose `[` has been read, with the next character.
fn matches_set(pattern: &mut Reader<'_>, text: &mut Reader<'_>) -> bool {
    const CLOSE: u32 = b']' as u32;
    let c = text.next();
    if c == 0 {
        return false;
    }
    let mut seen = false;
    let mut next = pattern.next();
    let inverted = next == u32::from(b'^');
    if inverted {
        next = pattern.next();
    }
    if next == CLOSE {
        seen = c == CLOSE;
        next = pattern.next();
    }
    let mut previous = 0;
    while next != 0 && next != CLOSE {
        if next == u32::from(b'-') && !matches!(pattern.peek(), 0 | b']') && previous > 0 {
            let last = pattern.next();
            seen |= (previous..=last).contains(&c);
            previous = 0;
        } else {
            seen |= c == next;
            previous = next;
        }
        next = pattern.next();
    }
    next != 0 && seen != inverted
}

enum Opened<'a> {
    Matches,
    Fails,
    Run(Run<'a>),
}

/// Reads on behind a run wildcard, to what it runs up to.
#[inline(always)]
fn open_run<'a>(mut pattern: Reader<'a>, mut text: Reader<'a>, wild: Wild) -> Opened<'a> {
    let mut before;
    let mut c;
    loop {
        before = pattern;
        c = pattern.next();
        if c == 0 {
            return Opened::Matches;
        }
        if c == wild.one {
            if text.next() == 0 {
                return Opened::Fails;
            }
        } else if c != wild.all {
            break;
        }
    }
    if c == wild.set {
        return Opened::Run(Run {
            anchor: Anchor::Set,
            pattern: before,
            text,
        });
    }
    if c == wild.escape {
        c = pattern.next();
        if c == 0 {
            return Opened::Fails;
        }
    }
    let anchor = if c < 0x80 {
        let byte = c as u8;
        if wild.no_case {
            Anchor::Byte(byte.to_ascii_lowercase(), byte.to_ascii_uppercase())
        } else {
            Anchor::Byte(byte, byte)
        }
    } else {
        Anchor::Char(c)
    };
    Opened::Run(Run {
        anchor,
        pattern,
        text,
    })
}
