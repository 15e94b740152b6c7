//! Reals as scripts need them: 20 significant digits, so that a value read back is the value written.
//!
//! Modes `quote`, `insert` and `json`, and `.dump`, print reals in full where other modes print what SQL's
//! conversion to text gives. The digits are those of sqlite3 3.40 on x86: it scales the value by powers of ten
//! and peels digit after digit off, in the 80-bit format with its 64 bits of precision, so that the digits past
//! the 17th are a little off the exact decimal value. They are reproduced here, in integers, because a dump is
//! compared with stock's byte by byte; whatever the last digits are, the text denotes the same double.
//!
//! Source: `sqlite3_str_vappendf`, the conversion `%!.20g`, of SQLite 3.40.

use std::cmp::Ordering;

/// A non-negative number `mantissa * 2^exponent`; the mantissa's top bit is set, unless it is zero.
#[derive(Clone, Copy)]
struct Extended {
    mantissa: u64,
    exponent: i32,
}

impl Extended {
    fn of(value: f64) -> Extended {
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match (bits >> 52) as i32 & 0x7ff {
            0 => (fraction, -1074),
            e => (fraction | 1 << 52, e - 1075),
        };
        Extended::normal(u128::from(mantissa) << 64, exponent - 64, false)
    }

    /// Rounds `mantissa * 2^exponent` to 64 bits, to even on a tie; `sticky` stands for a little more.
    fn normal(mantissa: u128, exponent: i32, sticky: bool) -> Extended {
        if mantissa == 0 {
            return Extended {
                mantissa: 0,
                exponent: 0,
            };
        }
        let shift = mantissa.leading_zeros();
        let mantissa = mantissa << shift;
        let (high, low) = ((mantissa >> 64) as u64, mantissa as u64);
        let exponent = exponent - shift as i32 + 64;
        let half = 1_u64 << 63;
        let up = low > half || (low == half && (sticky || high & 1 == 1));
        match high.checked_add(u64::from(up)) {
            Some(mantissa) => Extended { mantissa, exponent },
            None => Extended {
                mantissa: half,
                exponent: exponent + 1,
            },
        }
    }

    fn times(self, other: Extended) -> Extended {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa);
        Extended::normal(product, self.exponent + other.exponent, false)
    }

    fn over(self, other: Extended) -> Extended {
        let numerator = u128::from(self.mantissa) << 64;
        let divisor = u128::from(other.mantissa);
        let (quotient, rest) = (numerator / divisor, numerator % divisor);
        // Up to 65 bits; 3 more from the rest are enough to round, with the sticky bit.
        let more = (rest << 60) / divisor;
        let sticky = (rest << 60) % divisor != 0;
        Extended::normal(
            quotient << 60 | more,
            self.exponent - other.exponent - 64 - 60,
            sticky,
        )
    }

    fn plus(self, other: Extended) -> Extended {
        let (large, small) = if self.compare(other) == Ordering::Less {
            (other, self)
        } else {
            (self, other)
        };
        if small.mantissa == 0 {
            return large;
        }
        let distance = (large.exponent - small.exponent) as u32;
        // One bit of headroom for the carry.
        let a = u128::from(large.mantissa) << 63;
        let b = u128::from(small.mantissa) << 63;
        let (b, sticky) = if distance > 127 {
            (0, true)
        } else {
            (b >> distance, b & ((1 << distance) - 1) != 0)
        };
        Extended::normal(a + b, large.exponent - 63, sticky)
    }

    /// The integer part, which must be below 2^63, and ten times what is left.
    fn peel(self) -> (u8, Extended) {
        let shift = -self.exponent;
        if self.mantissa == 0 || shift >= 64 {
            return (0, self.times(Extended::of(10.0)));
        }
        let digit = self.mantissa >> shift;
        let rest = self.mantissa & ((1 << shift) - 1);
        let rest = Extended::normal(u128::from(rest) << 64, self.exponent - 64, false);
        (digit as u8, rest.times(Extended::of(10.0)))
    }

    fn compare(self, other: Extended) -> Ordering {
        match (self.mantissa, other.mantissa) {
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Less,
            (_, 0) => Ordering::Greater,
            _ => (self.exponent, self.mantissa).cmp(&(other.exponent, other.mantissa)),
        }
    }

    fn at_least(self, other: Extended) -> bool {
        self.compare(other) != Ordering::Less
    }
}

/// Significant digits.
const PRECISION: i32 = 20;

/// Appends `value` with 20 significant digits, less trailing zeros, and always with a decimal point.
pub fn push_full(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let value = value.abs();
    if value.is_infinite() {
        out.extend_from_slice(b"Inf");
        return;
    }
    let (mut value, mut exponent) = scale(value);
    let rounder = 5.0e-10_f64 * 1.0e-10;
    value = value.plus(Extended::of(rounder));
    if value.at_least(Extended::of(10.0)) {
        value = value.times(Extended::of(0.1));
        exponent += 1;
    }
    let mut digits = [b'0'; PRECISION as usize];
    for digit in &mut digits {
        let (d, rest) = value.peel();
        *digit = b'0' + d;
        value = rest;
    }
    push_digits(&digits, exponent, out);
}

/// `value` as a number from 1 up to 10 and a power of ten.
fn scale(value: f64) -> (Extended, i32) {
    let mut value = Extended::of(value);
    let mut exponent = 0;
    if value.mantissa == 0 {
        return (value, 0);
    }
    let mut scale = Extended::of(1.0);
    for (step, power) in [(1e100, 100), (1e10, 10), (10.0, 1)] {
        while value.at_least(Extended::of(step).times(scale)) {
            scale = scale.times(Extended::of(step));
            exponent += power;
        }
    }
    value = value.over(scale);
    while !value.at_least(Extended::of(1e-8)) {
        value = value.times(Extended::of(1e8));
        exponent -= 8;
    }
    while !value.at_least(Extended::of(1.0)) {
        value = value.times(Extended::of(10.0));
        exponent -= 1;
    }
    (value, exponent)
}

/// Lays digits out, with an exponent where the number is very large or very small.
fn push_digits(digits: &[u8; PRECISION as usize], exponent: i32, out: &mut Vec<u8>) {
    let scientific = !(-4..PRECISION).contains(&exponent);
    let before = if scientific { 1 } else { exponent + 1 };
    let mut digits = digits.iter().copied();
    if before <= 0 {
        out.push(b'0');
    }
    out.extend(digits.by_ref().take(before.max(0) as usize));
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', (-before).max(0) as usize));
    out.extend(digits);
    while out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.push(b'0');
    }
    if scientific {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::push_full;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        push_full(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_sqlite_3_40_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (0.1, "0.10000000000000000555"),
            (-2.5, "-2.5"),
            (1e300, "1.0000000000000000047e+300"),
            (123456.789, "123456.7890000000043"),
            (5e-324, "4.9406564584124654428e-324"),
            (1e22, "1.0e+22"),
            (1.5e10, "15000000000.0"),
            (f64::INFINITY, "Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn reading_back_gives_the_same_value() {
        let mut state = 88172645463325252_u64;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = f64::from_bits(state);
            if value.is_finite() {
                assert_eq!(text(value).parse::<f64>().unwrap(), value);
            }
        }
    }
}
