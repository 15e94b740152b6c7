//! printf, which is also called format.
//!
//! ```text
//!   %[flags][width][.precision][l|ll]conversion
//!
//!   flags    - left    + or space: sign    0 zeros    # alternate form    , thousands    ! more digits; characters
//!   d i      signed integer               u     unsigned           r    ordinal: 1st, 2nd
//!   x X o p  hexadecimal, octal           f     1.500000           e E  1.5e+00           g G  whichever is shorter
//!   s z      text                         c     first character, precision times
//!   q Q w    text with ' (or ") doubled; Q quotes it, # escapes control characters for unistr
//!   j J      text as in a JSON string; J quotes it
//!   n        nothing                      %     itself
//! ```
//!
//! Rules:
//! 1. An argument that is missing is NULL: 0, or no text.
//! 2. A conversion that is not known ends the output there, without an error.
//! 3. Texts end at their first NUL; widths and precisions count bytes, or characters with `!`.
//! 4. What would become longer than the limit is an error before it is built.
//!
//! Source: SQLite's `sqlite3_str_vappendf`, "Built-in printf()".

use super::argument::{char_len, is_continuation, text, until_nul};
use super::quote::{push_doubled, push_escaped};
use super::real_format::{Spec, push_real_format};
use super::{ANY_ARITY, FnContext, FnError, FunctionDef, FunctionRegistry};
use crate::mem::{Kind, Mem};
use ringwood_format::decimal::write_digits;
use std::borrow::Cow;

/// Adds `printf` and `format`.
pub fn register(registry: &mut FunctionRegistry) {
    registry.register(FunctionDef::scalar("printf", ANY_ARITY, printf));
    registry.register(FunctionDef::scalar("format", ANY_ARITY, printf));
}

fn printf(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some((format, args)) = args.split_first() else {
        return Ok(());
    };
    let Some(format) = text(ctx, format) else {
        return Ok(());
    };
    let length_max = ctx.facts.length_max;
    // The buffer is taken out of the result while arguments are read through the context.
    ctx.out.start_bytes(Kind::Text);
    let buffer = ctx.out.bytes_mut().map(std::mem::take).unwrap_or_default();
    let mut printer = Printer {
        ctx: &*ctx,
        args: args.iter(),
        out: buffer,
        length_max,
    };
    let outcome = printer.print(until_nul(&format));
    let buffer = printer.out;
    ctx.out.set_text_vec(buffer);
    outcome
}

/// What the SQL function gives for a format and its arguments, for callers without a connection.
///
/// # Errors
/// `SQLITE_TOOBIG` where the text would become longer than `length_max`.
pub fn format(format: &[u8], args: Vec<Mem>, length_max: u64) -> Result<Vec<u8>, FnError> {
    let mut all = vec![Mem::new()];
    all[0].set_text(format);
    all.extend(args);
    let mut facts = super::Facts {
        length_max,
        ..super::Facts::default()
    };
    let mut out = Mem::new();
    FunctionDef::scalar("format", ANY_ARITY, printf).call_into(
        &mut facts,
        &mut super::AuxData::default(),
        &all,
        &mut out,
    )?;
    Ok(out.bytes().to_vec())
}

struct Printer<'a, 'c> {
    ctx: &'a FnContext<'c>,
    args: std::slice::Iter<'a, Mem>,
    out: Vec<u8>,
    length_max: u64,
}

/// The bytes of a format, one at a time; 0 at the end.
struct Format<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Format<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// A number that wraps around as SQLite's does.
    fn number(&mut self) -> i64 {
        let mut n = 0u32;
        while let digit @ b'0'..=b'9' = self.peek() {
            n = n.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
            self.at += 1;
        }
        i64::from(n & 0x7fff_ffff)
    }
}

impl<'a> Printer<'a, '_> {
    fn print(&mut self, format: &[u8]) -> Result<(), FnError> {
        let mut format = Format {
            bytes: format,
            at: 0,
        };
        while format.at < format.bytes.len() {
            let rest = &format.bytes[format.at..];
            let literal = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            self.append(&rest[..literal])?;
            format.at += literal + 1;
            if literal == rest.len() {
                break;
            }
            if format.at >= format.bytes.len() {
                return self.append(b"%");
            }
            let (conversion, spec) = self.spec(&mut format);
            format.at += 1;
            if !self.convert(conversion, spec)? {
                break; // rule 2
            }
        }
        Ok(())
    }

    /// Reads flags, width and precision, up to the conversion, which is returned and not passed.
    fn spec(&mut self, format: &mut Format<'_>) -> (u8, Spec) {
        let mut spec = Spec::default();
        loop {
            match format.peek() {
                b'-' => spec.left = true,
                sign @ (b'+' | b' ') => spec.sign = sign,
                b'#' => spec.alternate = true,
                b'!' => spec.more = true,
                b'0' => spec.zeros = true,
                b',' => spec.thousands = true,
                b'l' => {
                    format.at += 1;
                    if format.peek() == b'l' {
                        format.at += 1;
                    }
                    return (format.peek(), spec);
                }
                b'1'..=b'9' => {
                    spec.width = format.number();
                    if !matches!(format.peek(), b'.' | b'l') {
                        return (format.peek(), spec);
                    }
                    continue;
                }
                b'*' => {
                    let width = self.int_arg() as i32;
                    if width < 0 {
                        spec.left = true;
                    }
                    spec.width = i64::from(width.checked_abs().unwrap_or(0));
                    format.at += 1;
                    if !matches!(format.peek(), b'.' | b'l') {
                        return (format.peek(), spec);
                    }
                    continue;
                }
                b'.' => {
                    format.at += 1;
                    if format.peek() == b'*' {
                        format.at += 1;
                        let precision = self.int_arg() as i32;
                        spec.precision = precision.checked_abs().map(i64::from);
                    } else {
                        spec.precision = Some(format.number());
                    }
                    if format.peek() != b'l' {
                        return (format.peek(), spec);
                    }
                    continue;
                }
                other => return (other, spec),
            }
            format.at += 1;
        }
    }

    /// Prints one conversion; false if it is not known.
    fn convert(&mut self, conversion: u8, spec: Spec) -> Result<bool, FnError> {
        match conversion {
            b'd' | b'i' | b'u' | b'r' | b'x' | b'X' | b'o' | b'p' => {
                self.integer(conversion, spec)?;
            }
            b'f' | b'e' | b'E' | b'g' | b'G' => self.real(conversion, spec)?,
            b's' | b'z' => self.text(spec)?,
            b'c' => self.character(spec)?,
            b'q' | b'Q' | b'w' => self.quoted(conversion, spec)?,
            b'j' | b'J' => self.json(conversion, spec)?,
            b'%' => self.padded(b"%", spec)?,
            b'n' => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn int_arg(&mut self) -> i64 {
        self.args.next().map_or(0, Mem::to_int)
    }

    /// Up to the first NUL; none for NULL.
    fn text_arg(&mut self) -> Option<Cow<'a, [u8]>> {
        let arg = self.args.next()?;
        Some(match text(self.ctx, arg)? {
            Cow::Borrowed(text) => Cow::Borrowed(until_nul(text)),
            Cow::Owned(mut text) => {
                text.truncate(until_nul(&text).len());
                Cow::Owned(text)
            }
        })
    }

    /// Rule 4: room for that many bytes more.
    fn check_room(&self, more: i64) -> Result<(), FnError> {
        if self.out.len() as u64 + more as u64 + 1 > self.length_max {
            return Err(FnError::too_big());
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FnError> {
        self.check_room(bytes.len() as i64)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn fill(&mut self, byte: u8, n: i64) -> Result<(), FnError> {
        let n = n.max(0);
        self.check_room(n)?;
        self.out.resize(self.out.len() + n as usize, byte);
        Ok(())
    }

    /// Appends what was converted, with spaces up to the width in bytes.
    fn padded(&mut self, bytes: &[u8], spec: Spec) -> Result<(), FnError> {
        let padding = spec.width - bytes.len() as i64;
        if !spec.left {
            self.fill(b' ', padding)?;
        }
        self.append(bytes)?;
        if spec.left {
            self.fill(b' ', padding)?;
        }
        Ok(())
    }

    /// The same, with the width in characters if the spec says so (rule 3).
    fn padded_text(&mut self, bytes: &[u8], mut spec: Spec) -> Result<(), FnError> {
        if spec.more && spec.width > 0 {
            spec.width += bytes.iter().filter(|&&b| is_continuation(b)).count() as i64;
        }
        self.padded(bytes, spec)
    }

    fn integer(&mut self, conversion: u8, spec: Spec) -> Result<(), FnError> {
        let arg = self.int_arg();
        let is_signed = matches!(conversion, b'd' | b'i' | b'r');
        let (magnitude, sign) = match (is_signed, arg < 0) {
            (true, true) => (arg.unsigned_abs(), b'-'),
            (true, false) => (arg as u64, spec.sign),
            (false, _) => (arg as u64, 0),
        };
        let mut digits = [0; 24];
        let start = match conversion {
            b'x' | b'X' | b'p' | b'o' => write_radix(&mut digits, magnitude, conversion),
            b'r' => {
                digits[22..].copy_from_slice(ordinal(magnitude));
                write_digits(&mut digits[..22], magnitude)
            }
            _ => write_digits(&mut digits, magnitude),
        };
        let digits = &digits[start..];

        let signs = i64::from(sign != 0);
        let mut precision = spec.precision.unwrap_or(-1);
        if spec.zeros {
            precision = precision.max(spec.width - signs);
        }
        let thousands = spec.thousands && matches!(conversion, b'd' | b'i' | b'u');
        if precision >= 37 {
            // Here SQLite leaves its buffer on the stack, and looks at the limit.
            let needed = precision + 10 + if thousands { precision / 3 } else { 0 };
            if needed as u64 > self.length_max {
                return Err(FnError::too_big());
            }
        }
        let zeros = (precision - digits.len() as i64).max(0);
        let length = zeros + digits.len() as i64;
        let commas = if thousands { (length - 1) / 3 } else { 0 };
        let prefix: &[u8] = match conversion {
            _ if !spec.alternate || magnitude == 0 => b"",
            b'x' | b'p' => b"0x",
            b'X' => b"0X",
            b'o' => b"0",
            _ => b"",
        };
        let whole = length + commas + signs + prefix.len() as i64;
        self.check_room(whole.max(spec.width))?;
        if !spec.left {
            self.fill(b' ', spec.width - whole)?;
        }
        self.out.extend_from_slice(prefix);
        if sign != 0 {
            self.out.push(sign);
        }
        if commas == 0 {
            self.out.resize(self.out.len() + zeros as usize, b'0');
            self.out.extend_from_slice(digits);
        } else {
            for i in 0..length {
                if i > 0 && (length - i) % 3 == 0 {
                    self.out.push(b',');
                }
                let digit = if i < zeros {
                    b'0'
                } else {
                    digits[(i - zeros) as usize]
                };
                self.out.push(digit);
            }
        }
        if spec.left {
            self.fill(b' ', spec.width - whole)?;
        }
        Ok(())
    }

    fn real(&mut self, conversion: u8, spec: Spec) -> Result<(), FnError> {
        let r = self.args.next().map_or(0.0, Mem::to_real);
        push_real_format(r, conversion, spec, self.length_max, &mut self.out)
    }

    fn text(&mut self, spec: Spec) -> Result<(), FnError> {
        let arg = self.text_arg().unwrap_or_default();
        let length = match spec.precision {
            None => arg.len(),
            Some(n) if spec.more => chars_len(&arg, n),
            Some(n) => arg.len().min(n as usize),
        };
        self.padded_text(&arg[..length], spec)
    }

    /// The first character, as many times as the precision says. Of no text that is a NUL.
    fn character(&mut self, mut spec: Spec) -> Result<(), FnError> {
        let arg = self.text_arg().unwrap_or_default();
        let c = match &*arg {
            [] => &b"\0"[..],
            arg => &arg[..char_len(arg).min(4)],
        };
        if let Some(n @ 2..) = spec.precision {
            spec.width -= n - 1;
            if spec.width > 1 && !spec.left {
                self.fill(b' ', spec.width - 1)?;
                spec.width = 0;
            }
            self.check_room((n - 1) * c.len() as i64)?;
            for _ in 1..n {
                self.out.extend_from_slice(c);
            }
        }
        spec.more = true;
        self.padded_text(c, spec)
    }

    fn quoted(&mut self, conversion: u8, spec: Spec) -> Result<(), FnError> {
        let arg = self.text_arg();
        let is_null = arg.is_none();
        let arg = arg.unwrap_or(Cow::Borrowed(if conversion == b'Q' {
            b"NULL"
        } else {
            b"(NULL)"
        }));
        let arg = match spec.precision {
            None => &*arg,
            Some(n) if spec.more => &arg[..chars_len(&arg, n)],
            Some(n) => &arg[..arg.len().min(n as usize)],
        };
        let quote = if conversion == b'w' { b'"' } else { b'\'' };
        let has_control = arg.iter().any(|&byte| byte < 0x20);
        let escapes = match conversion {
            b'q' => spec.alternate,
            b'Q' => spec.alternate && has_control,
            _ => false,
        };
        // The most that it can become.
        let count = |wanted: fn(u8) -> bool| arg.iter().filter(|&&byte| wanted(byte)).count();
        let mut needed = arg.len() + memchr::memchr_iter(quote, arg).count() + 3;
        if escapes {
            needed += count(|byte| byte == b'\\') + 5 * count(|byte| byte < 0x20);
        }
        if needed as u64 > self.length_max {
            return Err(FnError::too_big());
        }
        let mut out = Vec::with_capacity(needed + 10);
        let (open, close): (&[u8], &[u8]) = match (conversion == b'Q' && !is_null, escapes) {
            (false, _) => (b"", b""),
            (true, false) => (b"'", b"'"),
            (true, true) => (b"unistr('", b"')"),
        };
        out.extend_from_slice(open);
        if escapes {
            push_escaped(arg, &mut out);
        } else {
            push_doubled(arg, quote, &mut out);
        }
        out.extend_from_slice(close);
        self.padded_text(&out, spec)
    }

    fn json(&mut self, conversion: u8, spec: Spec) -> Result<(), FnError> {
        let mut out = Vec::new();
        let quotes = conversion == b'J';
        if let Some(arg) = self.text_arg() {
            let length = match spec.precision {
                None => arg.len(),
                Some(n) if spec.more => code_points_len(&arg, n),
                Some(n) => arg.len().min(n as usize),
            };
            if arg.len() as u64 > self.length_max {
                return Err(FnError::too_big());
            }
            if quotes {
                out.push(b'"');
            }
            push_json(&arg[..length], &mut out);
            if quotes {
                out.push(b'"');
            }
        } else if quotes {
            out.extend_from_slice(b"null");
        }
        self.padded_text(&out, spec)
    }
}

/// Bytes of the first `n` characters, where a stray continuation byte is one.
fn chars_len(text: &[u8], n: i64) -> usize {
    let (mut at, mut left) = (0, n);
    while left > 0 && at < text.len() {
        at += char_len(&text[at..]);
        left -= 1;
    }
    at
}

/// Bytes of the first `n` characters, where a stray continuation byte is none.
fn code_points_len(text: &[u8], n: i64) -> usize {
    let mut limit = n;
    let mut at = 0;
    while (at as i64) < limit && at < text.len() {
        limit += i64::from(is_continuation(text[at]));
        at += 1;
    }
    while at as i64 == limit && at < text.len() && is_continuation(text[at]) {
        at += 1;
        limit += 1;
    }
    at
}

/// Appends a text with JSON's escapes.
pub(super) fn push_json(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            8 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

/// Writes digits of base 16 or 8 to the end of the buffer; where they start.
fn write_radix(buffer: &mut [u8; 24], n: u64, conversion: u8) -> usize {
    let digits: &[u8; 16] = match conversion {
        b'x' => b"0123456789abcdef",
        _ => b"0123456789ABCDEF",
    };
    let shift = if conversion == b'o' { 3 } else { 4 };
    let (mut n, mut at) = (n, buffer.len());
    loop {
        at -= 1;
        buffer[at] = digits[(n & ((1 << shift) - 1)) as usize];
        n >>= shift;
        if n == 0 {
            return at;
        }
    }
}

fn ordinal(n: u64) -> &'static [u8; 2] {
    match (n % 10, n / 10 % 10) {
        (_, 1) => b"th",
        (1, _) => b"st",
        (2, _) => b"nd",
        (3, _) => b"rd",
        _ => b"th",
    }
}
