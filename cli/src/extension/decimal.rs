//! Decimal numbers of any length.
//!
//! ```text
//!   -12.340     negative, digits 1 2 3 4 0, of which 3 behind the point
//! ```
//!
//! Rules:
//! 1. A text that is no number is read as far as digits go; what is neither digit, point nor exponent is passed over.
//! 2. Arithmetic takes the text of its arguments; `decimal(x)` and `decimal_exp(x)` take a real, or a blob of eight
//!    bytes, as the binary number that it is, to the last digit.
//! 3. No number has more than ten million digits: more is "out of memory".
//!
//! Source: SQLite's `ext/misc/decimal.c`.

use std::cmp::Ordering;

use ringwood::{Aggregate, FnContext, FnError, LocalConnection, Mem, Result, ResultCode};
use ringwood_format::value::ValueType;

const DIGITS_MAX: usize = 10_000_000;

#[derive(Clone, Debug)]
struct Decimal {
    negative: bool,
    /// The most significant first.
    digits: Vec<u8>,
    /// How many of them stand behind the point; may be more than there are, by what a computation drops.
    fraction: usize,
}

fn too_long() -> FnError {
    FnError::code(ResultCode::NOMEM)
}

/// The exponent behind an `e`; digits that are none are passed over.
fn exponent(text: &[u8]) -> i32 {
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value = 0i32;
    for digit in digits {
        if value >= 1_000_000 {
            break;
        }
        if digit.is_ascii_digit() {
            value = value * 10 + i32::from(digit - b'0');
        }
    }
    if negative { -value } else { value }
}

impl Decimal {
    fn zero() -> Decimal {
        Decimal {
            negative: false,
            digits: vec![0],
            fraction: 0,
        }
    }

    fn parse(text: &[u8]) -> Result<Decimal, FnError> {
        let mut rest = text;
        // The white space of C's isspace.
        while let [b' ' | b'\t'..=b'\r', after @ ..] = rest {
            rest = after;
        }
        let negative = rest.first() == Some(&b'-');
        if let [b'-' | b'+', after @ ..] = rest {
            rest = after;
        }
        while let [b'0', after @ ..] = rest {
            rest = after;
        }
        let mut number = Decimal {
            negative,
            digits: Vec::with_capacity(rest.len()),
            fraction: 0,
        };
        let mut point = None;
        let mut power = 0;
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'0'..=b'9' => number.digits.push(byte - b'0'),
                b'.' => point = Some(number.digits.len()),
                b'e' | b'E' => {
                    power = exponent(&rest[at + 1..]);
                    break;
                }
                _ => {}
            }
        }
        number.fraction = point.map_or(0, |point| number.digits.len() - point);
        number.shift(power);
        if number.digits.iter().all(|digit| *digit == 0) {
            number.negative = false;
        }
        if number.digits.len() > DIGITS_MAX {
            return Err(too_long());
        }
        Ok(number)
    }

    /// Multiplies with a power of ten.
    fn shift(&mut self, power: i32) {
        let mut steps = power.unsigned_abs() as usize;
        if power > 0 {
            let within = steps.min(self.fraction);
            self.fraction -= within;
            let length = self.digits.len() + steps - within;
            self.digits.resize(length, 0);
        } else if power < 0 {
            // One digit stays before the point, as far as there are digits.
            let before = self.digits.len() as isize - self.fraction as isize - 1;
            if before != 0 {
                if before >= steps as isize {
                    self.fraction += steps;
                    steps = 0;
                } else {
                    steps = (steps as isize - before) as usize;
                    self.fraction = self.digits.len().saturating_sub(1);
                }
            }
            if steps > 0 {
                self.digits.splice(0..0, std::iter::repeat_n(0, steps));
                self.fraction += steps;
            }
        }
    }

    /// The binary number; none for what is not finite.
    fn from_real(real: f64) -> Result<Option<Decimal>, FnError> {
        let negative = real < 0.0;
        let bits = real.abs().to_bits();
        let (mut mantissa, mut exponent) = (0u64, 0i32);
        if bits != 0 {
            exponent = (bits >> 52) as i32;
            mantissa = bits & ((1 << 52) - 1);
            if exponent == 0 {
                mantissa <<= 1;
            } else {
                mantissa |= 1 << 52;
            }
            while exponent < 1075 && mantissa > 0 && mantissa & 1 == 0 {
                mantissa >>= 1;
                exponent += 1;
            }
            exponent -= 1075;
            if exponent > 971 {
                return Ok(None);
            }
        }
        let mut number = Decimal::parse(mantissa.to_string().as_bytes())?;
        number.negative = negative;
        number.multiply(&Decimal::power_of_two(i64::from(exponent))?.unwrap_or(Decimal::zero()))?;
        Ok(Some(number))
    }

    fn power_of_two(power: i64) -> Result<Option<Decimal>, FnError> {
        if !(-20_000..=20_000).contains(&power) {
            return Ok(None);
        }
        let mut number = Decimal::parse(b"1.0")?;
        let mut factor = Decimal::parse(if power > 0 { b"2.0" } else { b"0.5" })?;
        let mut left = power.unsigned_abs();
        while left > 0 {
            if left & 1 == 1 {
                number.multiply(&factor)?;
            }
            left >>= 1;
            if left > 0 {
                let same = factor.clone();
                factor.multiply(&same)?;
            }
        }
        Ok(Some(number))
    }

    /// The number that a value is; none for NULL and what is no number (rule 2).
    fn of(value: &Mem, text_only: bool) -> Result<Option<Decimal>, FnError> {
        match value.value_type() {
            ValueType::Null => Ok(None),
            ValueType::Real if !text_only => Decimal::from_real(value.to_real()),
            ValueType::Blob if !text_only => match <[u8; 8]>::try_from(&*value.to_bytes()) {
                Ok(bytes) => Decimal::from_real(f64::from_bits(u64::from_be_bytes(bytes))),
                Err(_) => Ok(None),
            },
            _ => Decimal::parse(&value.to_text()).map(Some),
        }
    }

    /// Digits before the point.
    fn whole(&self) -> usize {
        self.digits.len().saturating_sub(self.fraction)
    }

    fn expand(&mut self, length: usize, fraction: usize) -> Result<(), FnError> {
        if length + 1 > DIGITS_MAX {
            return Err(too_long());
        }
        let behind = fraction - self.fraction;
        let before = length - self.digits.len() - behind;
        self.digits.splice(0..0, std::iter::repeat_n(0, before));
        self.digits.resize(length, 0);
        self.fraction = fraction;
        Ok(())
    }

    fn add(&mut self, mut other: Decimal) -> Result<(), FnError> {
        let mut whole = self.whole();
        if whole > 0 && self.digits[0] == 0 {
            whole -= 1;
        }
        let fraction = self.fraction.max(other.fraction);
        let mut length = whole.max(other.whole()) + fraction + 1;
        length = length.max(self.digits.len() + fraction - self.fraction);
        length = length.max(other.digits.len() + fraction - other.fraction);
        self.expand(length, fraction)?;
        other.expand(length, fraction)?;
        if self.negative == other.negative {
            let mut carry = 0;
            for (digit, more) in self.digits.iter_mut().zip(&other.digits).rev() {
                let sum = *digit + more + carry;
                carry = sum / 10;
                *digit = sum % 10;
            }
            return Ok(());
        }
        if self.digits < other.digits {
            std::mem::swap(&mut self.digits, &mut other.digits);
            self.negative = !self.negative;
        }
        let mut borrow = 0;
        for (digit, less) in self.digits.iter_mut().zip(&other.digits).rev() {
            let take = less + borrow;
            borrow = u8::from(*digit < take);
            *digit = *digit + 10 * borrow - take;
        }
        Ok(())
    }

    fn multiply(&mut self, other: &Decimal) -> Result<(), FnError> {
        let length = self.digits.len() + other.digits.len() + 2;
        if length > DIGITS_MAX {
            return Err(too_long());
        }
        let mut product = vec![0u8; length];
        for (i, factor) in self.digits.iter().enumerate().rev() {
            let mut carry = 0;
            for (j, digit) in other.digits.iter().enumerate().rev() {
                let at = i + j + 3;
                let sum = product[at] + factor * digit + carry;
                product[at] = sum % 10;
                carry = sum / 10;
            }
            let sum = product[i + 2] + carry;
            product[i + 2] = sum % 10;
            product[i + 1] += sum / 10;
        }
        let least = self.fraction.min(other.fraction);
        self.digits = product;
        self.fraction += other.fraction;
        self.negative ^= other.negative;
        while self.fraction > least && self.digits.last() == Some(&0) {
            self.fraction -= 1;
            self.digits.pop();
        }
        Ok(())
    }

    /// Rounds to so many significant digits.
    fn round(&mut self, count: usize) {
        if self.digits.len() <= count {
            return;
        }
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        let end = count + zeros;
        if self.digits.len() <= end {
            return;
        }
        if self.digits[end] > 4 {
            let mut at = end - 1;
            self.digits[at] += 1;
            while at > 0 && self.digits[at] > 9 {
                self.digits[at] = 0;
                self.digits[at - 1] += 1;
                at -= 1;
            }
            if self.digits[0] > 9 {
                self.digits[0] = 1;
                self.fraction = self.fraction.saturating_sub(1);
            }
        }
        self.digits[end..].fill(0);
    }

    /// How two numbers are ordered.
    fn compare(mut a: Decimal, mut b: Decimal) -> Ordering {
        for number in [&mut a, &mut b] {
            while number.fraction > 0 && number.digits.last() == Some(&0) {
                number.digits.pop();
                number.fraction -= 1;
            }
        }
        if a.negative != b.negative {
            return b.negative.cmp(&a.negative);
        }
        if a.negative {
            std::mem::swap(&mut a, &mut b);
        }
        let whole = |number: &Decimal| number.digits.len() as isize - number.fraction as isize;
        whole(&a)
            .cmp(&whole(&b))
            .then_with(|| a.digits.cmp(&b.digits))
    }

    fn write(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.digits.len() + 3);
        if self.negative && !self.digits.is_empty() && self.digits[..] != [0] {
            text.push(b'-');
        }
        let mut whole = self.whole();
        if whole == 0 {
            text.push(b'0');
        }
        let mut digits = &self.digits[..];
        while whole > 1 && digits[0] == 0 {
            digits = &digits[1..];
            whole -= 1;
        }
        text.extend(digits[..whole].iter().map(|digit| digit + b'0'));
        if self.fraction > 0 {
            text.push(b'.');
            text.extend(digits[whole..].iter().map(|digit| digit + b'0'));
        }
        text
    }

    /// With an exponent; `least`: digits that stay even if they are zeros at the end.
    fn write_scientific(&self, least: usize) -> Vec<u8> {
        let mut length = self.digits.len();
        while length > least && self.digits[length - 1] == 0 {
            length -= 1;
        }
        let zeros = self.digits[..length]
            .iter()
            .take_while(|digit| **digit == 0)
            .count();
        let mut fraction = self.fraction as isize + length as isize - self.digits.len() as isize;
        let mut digits = &self.digits[zeros..length];
        if digits.is_empty() {
            (digits, fraction) = (&[0], 0);
        }
        let mut text = vec![
            if self.negative { b'-' } else { b'+' },
            digits[0] + b'0',
            b'.',
        ];
        if digits.len() == 1 {
            text.push(b'0');
        }
        text.extend(digits[1..].iter().map(|digit| digit + b'0'));
        let exponent = digits.len() as isize - fraction - 1;
        let sign = if exponent < 0 { '-' } else { '+' };
        text.extend(format!("e{sign}{:02}", exponent.abs()).bytes());
        text
    }
}

/// The two numbers of a function; none if one of them is none.
fn two(args: &[Mem]) -> Result<Option<(Decimal, Decimal)>, FnError> {
    let (a, b) = (Decimal::of(&args[0], true)?, Decimal::of(&args[1], true)?);
    Ok(a.zip(b))
}

fn add(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((mut a, b)) = two(args)? {
        a.add(b)?;
        ctx.result().set_text_vec(a.write());
    }
    Ok(())
}

fn subtract(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((mut a, mut b)) = two(args)? {
        b.negative = !b.negative;
        a.add(b)?;
        ctx.result().set_text_vec(a.write());
    }
    Ok(())
}

fn multiply(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((mut a, b)) = two(args)? {
        a.multiply(&b)?;
        ctx.result().set_text_vec(a.write());
    }
    Ok(())
}

fn compare(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((a, b)) = two(args)? {
        ctx.result().set_int(Decimal::compare(a, b) as i64);
    }
    Ok(())
}

fn power_of_two(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if args[0].value_type() == ValueType::Integer {
        let number = Decimal::power_of_two(args[0].to_int())?.ok_or_else(too_long)?;
        ctx.result().set_text_vec(number.write_scientific(0));
    }
    Ok(())
}

/// `decimal(x [, digits])`
fn plain(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((number, _)) = rounded(args)? {
        ctx.result().set_text_vec(number.write());
    }
    Ok(())
}

/// `decimal_exp(x [, digits])`
fn scientific(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some((number, digits)) = rounded(args)? {
        ctx.result().set_text_vec(number.write_scientific(digits));
    }
    Ok(())
}

fn rounded(args: &[Mem]) -> Result<Option<(Decimal, usize)>, FnError> {
    let Some(mut number) = Decimal::of(&args[0], false)? else {
        return Ok(None);
    };
    let digits = args
        .get(1)
        .map_or(0, Mem::to_int)
        .clamp(0, i64::from(i32::MAX)) as usize;
    if digits > 0 {
        number.round(digits);
    }
    Ok(Some((number, digits)))
}

/// `decimal_sum`: NULL without a row, 0 if all are NULL.
#[derive(Default)]
struct Sum(Option<Decimal>);

impl Sum {
    fn take(&mut self, value: &Mem, negate: bool) -> Result<(), FnError> {
        let sum = self.0.get_or_insert_with(Decimal::zero);
        if let Some(mut number) = Decimal::of(value, true)? {
            number.negative ^= negate;
            sum.add(number)?;
        }
        Ok(())
    }
}

impl Aggregate for Sum {
    fn step(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        self.take(&args[0], false)
    }

    fn inverse(&mut self, _: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
        self.take(&args[0], true)
    }

    fn value(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        if let Some(sum) = &self.0 {
            ctx.result().set_text_vec(sum.write());
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut FnContext<'_>) -> Result<(), FnError> {
        self.value(ctx)
    }
}

pub(super) fn register(conn: &LocalConnection) -> Result<()> {
    let pure = super::PURE;
    for count in [1, 2] {
        conn.create_scalar_function("decimal", count, pure, plain)?;
        conn.create_scalar_function("decimal_exp", count, pure, scientific)?;
    }
    conn.create_scalar_function("decimal_cmp", 2, pure, compare)?;
    conn.create_scalar_function("decimal_add", 2, pure, add)?;
    conn.create_scalar_function("decimal_sub", 2, pure, subtract)?;
    conn.create_scalar_function("decimal_mul", 2, pure, multiply)?;
    conn.create_scalar_function("decimal_pow2", 1, pure, power_of_two)?;
    conn.create_window_function("decimal_sum", 1, pure, Sum::default)?;
    conn.create_collation(
        "decimal",
        Some(
            |a: &[u8], b: &[u8]| match (Decimal::parse(a), Decimal::parse(b)) {
                (Ok(a), Ok(b)) => Decimal::compare(a, b),
                _ => Ordering::Equal,
            },
        ),
    )
}
