//! `regexp(pattern, text)`, which the operator REGEXP calls, and `regexpi`, which takes ASCII letters of both cases as
//! the same.
//!
//! ```text
//!   X*  X+  X?  X{m}  X{m,}  X{m,n}   (X)  X|Y   ^X  X$   .  [^a-z]
//!   \b  \d \D \s \S \w \W    \a \f \n \r \t \v \xHH \uHHHH    \\ and before other signs
//! ```
//!
//! A pattern becomes the instructions of a machine that is in several states at once: its time is the length of the text
//! times the number of instructions, whatever the pattern.
//!
//! | instruction | |
//! |---|---|
//! | `Char`, `Any`, `Class`, `Digit`… | reads a character and goes on; `Char(0)` is the end |
//! | `AnyStar` | reads any number of characters |
//! | `Start`, `Boundary` | goes on if it is there |
//! | `Fork`, `Goto` | goes on both here and there, or there |
//! | `Accept` | matched |
//!
//! Rules:
//! 1. A pattern without `^` begins with `AnyStar`.
//! 2. The limit of a pattern's length limits the instructions too, to half as many.
//!
//! Source: SQLite's `ext/misc/regexp.c`, whose grammar and messages these are; libraries have others.

use ringwood::{FnContext, FnError, LocalConnection, Mem, Result};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Op {
    Char(u32),
    Any,
    AnyStar,
    Fork(isize),
    Goto(isize),
    Accept,
    Class {
        except: bool,
        ranges: Vec<(u32, u32)>,
    },
    Word(bool),
    Digit(bool),
    Space(bool),
    Boundary,
    Start,
}

impl Op {
    /// How many instructions stock SQLite counts for it: a class has one for each of its parts.
    fn size(&self) -> usize {
        match self {
            Op::Class { ranges, .. } => {
                1 + ranges
                    .iter()
                    .map(|(low, high)| 1 + usize::from(low != high))
                    .sum::<usize>()
            }
            _ => 1,
        }
    }
}

/// The characters of a text; bytes that are none are U+FFFD, and a zero ends it.
struct Chars<'t> {
    text: &'t [u8],
    at: usize,
    fold: bool,
}

impl Chars<'_> {
    fn next(&mut self) -> u32 {
        let mut c = self.read();
        if self.fold && (u32::from(b'A')..=u32::from(b'Z')).contains(&c) {
            c += 32;
        }
        c
    }

    fn read(&mut self) -> u32 {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(&first) = rest.first() else { return 0 };
        let (length, least, mut c) = match first {
            0..=0x7f => (1, 0, u32::from(first)),
            0xc0..=0xdf => (2, 0x80, u32::from(first & 0x1f)),
            0xe0..=0xef => (3, 0x800, u32::from(first & 0x0f)),
            0xf0..=0xf7 => (4, 0x1_0000, u32::from(first & 0x07)),
            _ => (0, 0, 0),
        };
        let tail = rest.get(1..length).unwrap_or_default();
        if length == 0 || tail.len() + 1 != length || tail.iter().any(|b| b & 0xc0 != 0x80) {
            self.at += 1;
            return 0xfffd;
        }
        for byte in tail {
            c = c << 6 | u32::from(byte & 0x3f);
        }
        self.at += length;
        let is_wrong = c < least || (0xd800..=0xdfff).contains(&c) || c > 0x10_ffff;
        if is_wrong { 0xfffd } else { c }
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }
}

fn is_word(c: u32) -> bool {
    u8::try_from(c).is_ok_and(|c| c.is_ascii_alphanumeric() || c == b'_')
}

fn is_digit(c: u32) -> bool {
    u8::try_from(c).is_ok_and(|c| c.is_ascii_digit())
}

fn is_space(c: u32) -> bool {
    matches!(c, 9..=13 | 32)
}

/// A compiled pattern.
struct Pattern {
    ops: Vec<Op>,
    fold: bool,
}

struct Compiler<'p> {
    chars: Chars<'p>,
    ops: Vec<Op>,
    size: usize,
    size_max: usize,
}

type Parsed<T> = std::result::Result<T, &'static str>;

const TOO_BIG: &str = "REGEXP pattern too big";
/// How deep parentheses may nest.
const DEPTH_MAX: u32 = 250;

impl Compiler<'_> {
    fn insert(&mut self, at: usize, op: Op) -> Parsed<()> {
        self.size += op.size();
        if self.size > self.size_max {
            return Err(TOO_BIG);
        }
        self.ops.insert(at, op);
        Ok(())
    }

    fn push(&mut self, op: Op) -> Parsed<()> {
        self.insert(self.ops.len(), op)
    }

    fn repeat(&mut self, from: usize, count: usize) -> Parsed<()> {
        for at in from..from + count {
            self.push(self.ops[at].clone())?;
        }
        Ok(())
    }

    /// Alternatives, up to the end or a `)`.
    fn alternatives(&mut self, depth: u32) -> Parsed<()> {
        if depth > DEPTH_MAX {
            return Err(TOO_BIG);
        }
        let start = self.ops.len();
        self.sequence(depth)?;
        while self.chars.peek() == b'|' {
            let end = self.ops.len();
            self.insert(start, Op::Fork((end + 2 - start) as isize))?;
            let goto = self.ops.len();
            self.push(Op::Goto(0))?;
            self.chars.at += 1;
            self.sequence(depth)?;
            self.ops[goto] = Op::Goto((self.ops.len() - goto) as isize);
        }
        Ok(())
    }

    fn sequence(&mut self, depth: u32) -> Parsed<()> {
        let mut before: Option<usize> = None;
        loop {
            let c = self.chars.next();
            if c == 0 {
                return Ok(());
            }
            let start = self.ops.len();
            match u8::try_from(c).unwrap_or(0) {
                b'|' | b')' => {
                    self.chars.at -= 1;
                    return Ok(());
                }
                b'(' => {
                    self.alternatives(depth + 1)?;
                    if self.chars.peek() != b')' {
                        return Err("unmatched '('");
                    }
                    self.chars.at += 1;
                }
                b'.' if self.chars.peek() == b'*' => {
                    self.push(Op::AnyStar)?;
                    self.chars.at += 1;
                }
                b'.' => self.push(Op::Any)?,
                b'*' => {
                    let from = before.ok_or("'*' without operand")?;
                    self.insert(from, Op::Goto((self.ops.len() - from + 1) as isize))?;
                    let back = from as isize - self.ops.len() as isize + 1;
                    self.push(Op::Fork(back))?;
                }
                b'+' => {
                    let from = before.ok_or("'+' without operand")?;
                    self.push(Op::Fork(from as isize - self.ops.len() as isize))?;
                }
                b'?' => {
                    let from = before.ok_or("'?' without operand")?;
                    self.insert(from, Op::Fork((self.ops.len() - from + 1) as isize))?;
                }
                b'$' => self.push(Op::Char(0))?,
                b'^' => self.push(Op::Start)?,
                b'{' => self.counted(before.ok_or("'{m,n}' without operand")?)?,
                b'[' => self.class()?,
                b'\\' => self.escaped()?,
                _ => self.push(Op::Char(c))?,
            }
            before = Some(start);
        }
    }

    fn number(&mut self) -> Parsed<usize> {
        let mut number = 0;
        while self.chars.peek().is_ascii_digit() {
            number = number * 10 + usize::from(self.chars.peek() - b'0');
            if number * 2 > self.size_max {
                return Err(TOO_BIG);
            }
            self.chars.at += 1;
        }
        Ok(number)
    }

    /// `{m,n}` behind what begins at `from`.
    fn counted(&mut self, mut from: usize) -> Parsed<()> {
        let least = self.number()?;
        let mut most = least;
        if self.chars.peek() == b',' {
            self.chars.at += 1;
            most = self.number()?;
        }
        if self.chars.peek() != b'}' {
            return Err("unmatched '{'");
        }
        if most > 0 && most < least {
            return Err("n less than m in '{m,n}'");
        }
        self.chars.at += 1;
        let size = self.ops.len() - from;
        if least == 0 {
            if most == 0 {
                return Err("both m and n are zero in '{m,n}'");
            }
            self.insert(from, Op::Fork(size as isize + 1))?;
            from += 1;
            most -= 1;
        } else {
            for _ in 1..least {
                self.repeat(from, size)?;
            }
        }
        for _ in least..most {
            self.push(Op::Fork(size as isize + 1))?;
            self.repeat(from, size)?;
        }
        if most == 0 && least > 0 {
            self.push(Op::Fork(-(size as isize)))?;
        }
        Ok(())
    }

    fn class(&mut self) -> Parsed<()> {
        let except = self.chars.peek() == b'^';
        self.chars.at += usize::from(except);
        let mut ranges = Vec::new();
        loop {
            let mut low = self.chars.next();
            if low == 0 {
                return Err("unclosed '['");
            }
            if low == u32::from(b'[') && self.chars.peek() == b':' {
                return Err("POSIX character classes not supported");
            }
            if low == u32::from(b'\\') {
                low = self.escape()?;
            }
            let mut high = low;
            if self.chars.peek() == b'-' {
                self.chars.at += 1;
                high = self.chars.next();
                if high == u32::from(b'\\') {
                    high = self.escape()?;
                }
                if high == 0 {
                    return Err("unclosed '['");
                }
            }
            ranges.push((low, high));
            if self.chars.peek() == b']' {
                self.chars.at += 1;
                return self.push(Op::Class { except, ranges });
            }
        }
    }

    fn escaped(&mut self) -> Parsed<()> {
        let op = match self.chars.peek() {
            b'b' => Op::Boundary,
            b'd' => Op::Digit(true),
            b'D' => Op::Digit(false),
            b's' => Op::Space(true),
            b'S' => Op::Space(false),
            b'w' => Op::Word(true),
            b'W' => Op::Word(false),
            _ => {
                let c = self.escape()?;
                return self.push(Op::Char(c));
            }
        };
        self.chars.at += 1;
        self.push(op)
    }

    /// The character that is written behind a `\`.
    fn escape(&mut self) -> Parsed<u32> {
        const PLAIN: &[u8] = b"\\()*.+?[$^{|}]-";
        let rest = self.chars.text.get(self.chars.at..).unwrap_or_default();
        let Some(&c) = rest.first() else { return Ok(0) };
        let hex = |count: usize| {
            let digits = rest.get(1..=count)?;
            let text = std::str::from_utf8(digits).ok()?;
            let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
            is_hex.then(|| u32::from_str_radix(text, 16).ok()).flatten()
        };
        let coded = match c {
            b'u' => hex(4).map(|value| (value, 5)),
            b'x' => hex(2).map(|value| (value, 3)),
            _ => None,
        };
        let (value, length) = match c {
            _ if coded.is_some() => coded.unwrap_or_default(),
            b'a' => (7, 1),
            b'f' => (12, 1),
            b'n' => (10, 1),
            b'r' => (13, 1),
            b't' => (9, 1),
            b'v' => (11, 1),
            _ if PLAIN.contains(&c) => (u32::from(c), 1),
            _ => return Err("unknown \\ escape"),
        };
        self.chars.at += length;
        Ok(value)
    }
}

impl Pattern {
    fn compile(text: &[u8], length_max: u64, fold: bool) -> Parsed<Pattern> {
        if text.len() as u64 > length_max {
            return Err(TOO_BIG);
        }
        // A text ends at its first zero.
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let anchored = text.first() == Some(&b'^');
        let text = if anchored { &text[1..] } else { text };
        let mut compiler = Compiler {
            chars: Chars { text, at: 0, fold },
            ops: Vec::new(),
            size: 0,
            size_max: 75 + length_max as usize / 2,
        };
        if !anchored {
            compiler.push(Op::AnyStar)?;
        }
        compiler.alternatives(0)?;
        if compiler.chars.at < text.len() {
            return Err("unrecognized character");
        }
        compiler.push(Op::Accept)?;
        Ok(Pattern {
            ops: compiler.ops,
            fold,
        })
    }

    fn matches(&self, text: &[u8]) -> bool {
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut chars = Chars {
            text,
            at: 0,
            fold: self.fold,
        };
        let (mut now, mut next) = (States::new(self.ops.len()), States::new(self.ops.len()));
        next.add(0);
        let (mut at_start, mut was_word) = (true, false);
        loop {
            let c = chars.next();
            std::mem::swap(&mut now, &mut next);
            next.clear();
            let mut i = 0;
            while let Some(&state) = now.list.get(i) {
                i += 1;
                let to = |offset: isize| state.wrapping_add_signed(offset);
                let goes_on = match &self.ops[state] {
                    Op::Char(wanted) => *wanted == c,
                    Op::Any => c != 0,
                    Op::Word(yes) => is_word(c) == *yes && (*yes || c != 0),
                    Op::Digit(yes) => is_digit(c) == *yes && (*yes || c != 0),
                    Op::Space(yes) => is_space(c) == *yes && (*yes || c != 0),
                    Op::Class { except, ranges } => {
                        let within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                        within != *except && !(*except && c == 0)
                    }
                    Op::Start => {
                        if at_start {
                            now.add(state + 1);
                        }
                        false
                    }
                    Op::Boundary => {
                        if is_word(c) != was_word {
                            now.add(state + 1);
                        }
                        false
                    }
                    Op::AnyStar => {
                        next.add(state);
                        now.add(state + 1);
                        false
                    }
                    Op::Fork(offset) => {
                        now.add(to(*offset));
                        now.add(state + 1);
                        false
                    }
                    Op::Goto(offset) => {
                        now.add(to(*offset));
                        false
                    }
                    Op::Accept => return true,
                };
                if goes_on {
                    next.add(state + 1);
                }
            }
            if c == 0 || next.list.is_empty() {
                break;
            }
            (at_start, was_word) = (false, is_word(c));
        }
        next.list.iter().any(|&state| {
            let mut state = state;
            while let Op::Goto(offset) = self.ops[state] {
                state = state.wrapping_add_signed(offset);
            }
            self.ops[state] == Op::Accept
        })
    }
}

/// The states that the machine is in.
struct States {
    list: Vec<usize>,
    is_in: Vec<bool>,
}

impl States {
    fn new(count: usize) -> States {
        States {
            list: Vec::with_capacity(count),
            is_in: vec![false; count],
        }
    }

    fn add(&mut self, state: usize) {
        if !std::mem::replace(&mut self.is_in[state], true) {
            self.list.push(state);
        }
    }

    fn clear(&mut self) {
        for state in self.list.drain(..) {
            self.is_in[state] = false;
        }
    }
}

fn regexp(ctx: &mut FnContext<'_>, args: &[Mem], fold: bool) -> Result<(), FnError> {
    if args[0].is_null() {
        return Ok(());
    }
    if let Some(pattern) = ctx.aux::<Pattern>(0) {
        let found = (!args[1].is_null()).then(|| pattern.matches(&args[1].to_text()));
        if let Some(found) = found {
            ctx.result().set_bool(found);
        }
        return Ok(());
    }
    let length_max = ctx.facts().like_pattern_length_max;
    let pattern = Pattern::compile(&args[0].to_text(), length_max, fold).map_err(FnError::new)?;
    if !args[1].is_null() {
        let found = pattern.matches(&args[1].to_text());
        ctx.result().set_bool(found);
    }
    ctx.set_aux(0, pattern);
    Ok(())
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    let pure = super::PURE;
    conn.create_scalar_function("regexp", 2, pure, |ctx, args| regexp(ctx, args, false))?;
    conn.create_scalar_function("regexpi", 2, pure, |ctx, args| regexp(ctx, args, true))
}
