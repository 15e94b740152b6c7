//! Numbers as text, and text as numbers: what SQLite prints, and what it accepts.
//!
//! ```text
//!  [space] [+-] digits [. [digits]] [eE [+-] digits] [space]
//!  [space] [+-] . digits           [eE [+-] digits] [space]
//! ```
//!
//! Rules:
//! 1. An integer is printed in decimal. A real is printed with 17 significant digits or fewer (rule 2 of
//!    [`decimal`](crate::decimal)), always with a decimal point and a digit behind it; with an exponent if that is
//!    below -4 or above 16. Infinities are `Inf` and `-Inf`.
//! 2. Space is one of the bytes 9 to 13 and 32. A text that is longer than its number has a numeric *prefix*, and
//!    whether a prefix is enough depends on who asks: affinity wants it all, CAST and arithmetic take what there is.
//! 3. To the reader of reals a NUL ends the text; to the reader of integers it is a byte like others.
//! 4. About 19 significant digits of a real count; further ones only shift the decimal point.
//! 5. Hexadecimal and digit separators (`1_000`) exist only in SQL literals. A decimal literal that does not fit in 64
//!    bits is a real; a hexadecimal one is an error.
//!
//! Source: SQLite's `sqlite3AtoF`, `sqlite3Atoi64`, `sqlite3DecOrHexToI64`, `codeInteger`, `sqlite3DequoteNumber`,
//! `vdbeMemRenderNum`; "Floating Point Numbers", section 2.

use crate::decimal::{FpClass, FpDecode, from_decimal, write_digits};
use crate::value::{Value, ValueRef};
use std::borrow::Cow;
use std::fmt;

/// An integer or a real.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
}

impl Number {
    /// The number as a value.
    #[inline]
    pub fn into_value<'a>(self) -> ValueRef<'a> {
        match self {
            Number::Integer(i) => ValueRef::Integer(i),
            Number::Real(r) => ValueRef::real(r),
        }
    }

    /// As a double.
    #[inline]
    pub const fn as_f64(self) -> f64 {
        match self {
            Number::Integer(i) => i as f64,
            Number::Real(r) => r,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        number.into_value().to_owned()
    }
}

/// Appends an integer as text.
#[inline]
pub fn push_integer(i: i64, out: &mut Vec<u8>) {
    let mut buffer = [0; 20];
    let start = write_digits(&mut buffer, i.unsigned_abs());
    if i < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[start..]);
}

/// Appends a real as text (rule 1).
#[inline]
pub fn push_real(r: f64, out: &mut Vec<u8>) {
    push_real_digits(r, 17, out);
}

/// Appends a real as text with at most that many significant digits: SQLite's `%!.*g`.
pub fn push_real_digits(r: f64, significant: u8, out: &mut Vec<u8>) {
    let precision = significant.max(1) as i32;
    let decode = FpDecode::new(r, precision, 20);
    match decode.class {
        FpClass::Nan => return out.extend_from_slice(b"NaN"),
        FpClass::Infinite => {
            return out.extend_from_slice(if decode.negative { b"-Inf" } else { b"Inf" });
        }
        FpClass::Finite => {}
    }
    if decode.negative {
        out.push(b'-');
    }
    let digits = decode.digits();
    let exponent = decode.decimal_point - 1;
    if exponent < -4 || exponent >= precision {
        out.push(digits[0]);
        push_fraction(&digits[1..], out);
        push_exponent(exponent, out);
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(&b"000"[..(-1 - exponent) as usize]);
        out.extend_from_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        let (before, behind) = digits.split_at(whole.min(digits.len()));
        out.extend_from_slice(before);
        out.resize(out.len() + (whole - before.len()), b'0');
        push_fraction(behind, out);
    }
}

fn push_fraction(digits: &[u8], out: &mut Vec<u8>) {
    out.push(b'.');
    out.extend_from_slice(if digits.is_empty() { b"0" } else { digits });
}

fn push_exponent(exponent: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let mut buffer = [b'0'; 3];
    let start = write_digits(&mut buffer, exponent.unsigned_abs() as u64).min(1);
    out.extend_from_slice(&buffer[start..]);
}

/// An integer as text.
pub fn integer_to_text(i: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    push_integer(i, &mut out);
    out
}

/// A real as text.
pub fn real_to_text(r: f64) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    push_real(r, &mut out);
    out
}

/// Whether a byte is a space (rule 2).
#[inline]
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// How much of a text a number takes up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// The text does not start with a number.
    None,
    /// There is something else behind the number.
    Prefix,
    /// The text is a number and spaces around it.
    Whole,
}

/// What [`parse_real`] found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ParsedReal {
    /// The value; 0.0 if there is no number.
    pub value: f64,
    /// How much of the text it is.
    pub extent: Extent,
    /// Whether it is written as an integer: without decimal point and exponent.
    pub is_integer: bool,
}

/// Reads a text as a real.
pub fn parse_real(text: &[u8]) -> ParsedReal {
    scan_real(text, false)
}

/// Reads a text that is a real as a whole; none for any other. Dates and the like cost no more than looking at their
/// first characters.
pub fn parse_whole_real(text: &[u8]) -> Option<ParsedReal> {
    let parsed = scan_real(text, true);
    (parsed.extent == Extent::Whole).then_some(parsed)
}

/// `whole`: the value of what is not a number as a whole does not matter.
#[inline(always)]
fn scan_real(text: &[u8], whole: bool) -> ParsedReal {
    let mut text = Cursor { rest: text };
    text.skip_spaces();
    let negative = text.eat(b'-');
    if !negative {
        text.eat(b'+');
    }
    let mut parsed = ParsedReal {
        value: 0.0,
        extent: Extent::None,
        is_integer: true,
    };
    let mut mantissa = 0u64;
    let mut exponent = 0i32;
    let mut has_digits = false;
    while let Some(digit) = text.digit() {
        has_digits = true;
        if mantissa < MANTISSA_FULL {
            mantissa = mantissa * 10 + digit as u64;
        } else {
            exponent = exponent.saturating_add(1);
        }
    }
    if text.eat(b'.') {
        let mut has_fraction = false;
        while let Some(digit) = text.digit() {
            has_fraction = true;
            if mantissa < MANTISSA_FULL {
                mantissa = mantissa * 10 + digit as u64;
                exponent = exponent.saturating_sub(1);
            }
        }
        if !has_digits && !has_fraction {
            return parsed;
        }
        parsed.is_integer = false;
    } else if !has_digits {
        return parsed;
    }
    let mut is_cut_off = false;
    if let Some(b'e' | b'E') = text.peek() {
        match text.exponent() {
            Some(n) => {
                parsed.is_integer = false;
                exponent = exponent.saturating_add(n);
            }
            None => is_cut_off = true,
        }
    }
    text.skip_spaces();
    let is_end = matches!(text.peek(), None | Some(0)); // rule 3
    parsed.extent = if is_end && !is_cut_off {
        Extent::Whole
    } else {
        Extent::Prefix
    };
    if whole && parsed.extent != Extent::Whole {
        return parsed;
    }
    let value = from_decimal(mantissa, exponent);
    parsed.value = if negative { -value } else { value };
    parsed
}

/// A mantissa that takes no further digit (rule 4).
const MANTISSA_FULL: u64 = (u64::MAX - 9) / 10;

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    #[inline]
    fn digit(&mut self) -> Option<u8> {
        let digit = self.peek()?.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        self.rest = &self.rest[1..];
        Some(digit)
    }

    #[inline]
    fn skip_spaces(&mut self) {
        while let [first, rest @ ..] = self.rest
            && is_space(*first)
        {
            self.rest = rest;
        }
    }

    /// Reads an exponent, which starts with `e`; nothing if no digit follows.
    fn exponent(&mut self) -> Option<i32> {
        let mut ahead = Cursor {
            rest: &self.rest[1..],
        };
        let negative = ahead.eat(b'-');
        if !negative {
            ahead.eat(b'+');
        }
        let mut exponent = ahead.digit()? as i32;
        while let Some(digit) = ahead.digit() {
            exponent = if exponent < 10000 {
                exponent * 10 + digit as i32
            } else {
                10000
            };
        }
        self.rest = ahead.rest;
        Some(if negative { -exponent } else { exponent })
    }
}

/// How [`parse_integer`] ended; the numbers in brackets are `sqlite3Atoi64`'s.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegerEnd {
    /// There is no integer (-1).
    None,
    /// The text is an integer and spaces around it (0).
    Whole,
    /// Something else follows the integer (1).
    Prefix,
    /// It is too large; the value is the nearest integer (2).
    TooLarge,
    /// It is 9223372036854775808 without a minus; the value is one less (3).
    Pow63,
}

/// Reads a text as a decimal integer: the value, saturated, and how it ended. 0 if there is none.
pub fn parse_integer(text: &[u8]) -> (i64, IntegerEnd) {
    let mut text = Cursor { rest: text };
    text.skip_spaces();
    let negative = text.eat(b'-');
    if !negative {
        text.eat(b'+');
    }
    let limit = if negative { i64::MIN } else { i64::MAX };
    let signed_len = text.rest.len();
    while text.eat(b'0') {}
    let start = text.rest.len();
    let mut magnitude = 0u64;
    while let Some(digit) = text.digit() {
        magnitude = magnitude.wrapping_mul(10).wrapping_add(digit as u64);
    }
    let digits = start - text.rest.len();
    if digits == 0 && start == signed_len {
        return (0, IntegerEnd::None);
    }
    let end = if text.rest.iter().all(|&byte| is_space(byte)) {
        IntegerEnd::Whole
    } else {
        IntegerEnd::Prefix
    };
    // Up to 19 digits the magnitude has not wrapped.
    match magnitude {
        _ if digits > 19 => (limit, IntegerEnd::TooLarge),
        POW_63 if negative => (limit, end),
        POW_63 => (limit, IntegerEnd::Pow63),
        m if m > POW_63 => (limit, IntegerEnd::TooLarge),
        m if negative => (-(m as i64), end),
        m => (m as i64, end),
    }
}

const POW_63: u64 = 1 << 63;

/// The integer nearest to a real towards zero, saturated: SQLite's `sqlite3RealToI64`.
#[inline]
pub const fn real_to_integer(r: f64) -> i64 {
    if r < -9223372036854774784.0 {
        i64::MIN
    } else if r > 9223372036854774784.0 {
        i64::MAX
    } else {
        r as i64
    }
}

/// Whether `r` is exactly the integer `i`, obtained from it by [`real_to_integer`], and within the range in which
/// text like `1e3` becomes an integer: SQLite's `sqlite3RealSameAsInt`.
#[inline]
pub const fn real_is_integer(r: f64, i: i64) -> bool {
    r == 0.0 || ((i as f64).to_bits() == r.to_bits() && i >= -(1 << 51) && i < 1 << 51)
}

/// Why a literal is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LiteralError {
    /// A hexadecimal literal has more than 16 significant digits, or is negated and cannot be.
    HexTooBig,
    /// It is no numeric literal: a separator that is not between digits, or other bytes.
    Malformed,
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LiteralError::HexTooBig => "hex literal too big",
            LiteralError::Malformed => "unrecognized token",
        })
    }
}

impl std::error::Error for LiteralError {}

/// The value of a numeric literal of SQL, as the lexer cut it out (rule 5); `negated` if a minus stands before it,
/// which is then part of the value.
///
/// # Errors
/// If a hexadecimal literal does not fit, or the token is no numeric literal.
pub fn parse_literal(token: &[u8], negated: bool) -> Result<Number, LiteralError> {
    let token = strip_separators(token)?;
    if let [b'0', b'x' | b'X', digits @ ..] = &*token {
        return parse_hex_literal(digits, negated);
    }
    if !token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        match (parse_integer(&token), negated) {
            ((i, IntegerEnd::Whole), false) => return Ok(Number::Integer(i)),
            ((i, IntegerEnd::Whole), true) => return Ok(Number::Integer(-i)),
            ((_, IntegerEnd::Pow63), true) => return Ok(Number::Integer(i64::MIN)),
            ((_, IntegerEnd::Prefix | IntegerEnd::None), _) => return Err(LiteralError::Malformed),
            ((_, IntegerEnd::TooLarge | IntegerEnd::Pow63), _) => {} // a real
        }
    }
    let parsed = parse_real(&token);
    if parsed.extent != Extent::Whole {
        return Err(LiteralError::Malformed);
    }
    Ok(Number::Real(if negated {
        -parsed.value
    } else {
        parsed.value
    }))
}

fn parse_hex_literal(digits: &[u8], negated: bool) -> Result<Number, LiteralError> {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let mut value = 0u64;
    if digits.is_empty() {
        return Err(LiteralError::Malformed);
    }
    for &digit in &digits[zeros..] {
        let digit = (digit as char)
            .to_digit(16)
            .ok_or(LiteralError::Malformed)?;
        value = value << 4 | digit as u64;
    }
    let value = value as i64;
    if digits.len() - zeros > 16 || (negated && value == i64::MIN) {
        return Err(LiteralError::HexTooBig);
    }
    Ok(Number::Integer(if negated { -value } else { value }))
}

/// The token without its separators, each of which must stand between two digits.
fn strip_separators(token: &[u8]) -> Result<Cow<'_, [u8]>, LiteralError> {
    if !token.contains(&b'_') {
        return Ok(Cow::Borrowed(token));
    }
    let hex = matches!(token, [b'0', b'x' | b'X', ..]);
    let is_digit = |at: Option<usize>| {
        let byte = at.and_then(|at| token.get(at));
        byte.is_some_and(|byte| {
            if hex {
                byte.is_ascii_hexdigit()
            } else {
                byte.is_ascii_digit()
            }
        })
    };
    let mut out = Vec::with_capacity(token.len());
    for (at, &byte) in token.iter().enumerate() {
        if byte != b'_' {
            out.push(byte);
        } else if !is_digit(at.checked_sub(1)) || !is_digit(Some(at + 1)) {
            return Err(LiteralError::Malformed);
        }
    }
    Ok(Cow::Owned(out))
}

/// A 32-bit integer at the start of a text, decimal or hexadecimal, without regard to what follows: SQLite's
/// `sqlite3GetInt32`, which reads the numbers of pragmas.
pub fn parse_i32_prefix(text: &[u8]) -> Option<i32> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            let len = rest
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let digits = std::str::from_utf8(&rest[..len]).ok()?;
            return u32::from_str_radix(digits, 16)
                .ok()
                .and_then(|n| i32::try_from(n).ok());
        }
        _ => (false, text),
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let mut value = 0i64;
    let mut any = false;
    for &digit in digits {
        any = true;
        value = value * 10 + (digit - b'0') as i64;
        if value > 1 << 31 {
            return None;
        }
    }
    let value = if negative { -value } else { value };
    if any { i32::try_from(value).ok() } else { None }
}
