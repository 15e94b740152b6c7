//! Reals as printf prints them.
//!
//! ```text
//!   %12.3f     |       1.500|     digits of the decoded real, placed around the decimal point
//!   %e         |1.500000e+00|
//!   %!g        |1.5|              the shorter of both
//! ```
//!
//! Rules:
//! 1. A real has at most 16 significant digits, or 20 with `!`; zeros follow.
//! 2. An infinity is `Inf`, or with the flag `0` the number 9.0e+999.
//! 3. Room for the longest result is checked before anything is built.
//!
//! Source: SQLite's `sqlite3_str_vappendf` (etFLOAT, etEXP, etGENERIC).

use super::FnError;
use ringwood_format::decimal::{FpClass, FpDecode};

/// The longest precision of a real.
const FP_PRECISION_MAX: i64 = 100_000_000;

/// What stands between `%` and the conversion.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Spec {
    pub(super) left: bool,
    /// `+`, a space, or 0.
    pub(super) sign: u8,
    pub(super) alternate: bool,
    pub(super) more: bool,
    pub(super) zeros: bool,
    pub(super) thousands: bool,
    pub(super) width: i64,
    pub(super) precision: Option<i64>,
}

/// Appends a real as the conversion (`f`, `e`, `E`, `g`, `G`) says.
pub(super) fn push_real_format(
    r: f64,
    conversion: u8,
    spec: Spec,
    length_max: u64,
    out: &mut Vec<u8>,
) -> Result<(), FnError> {
    let mut precision = spec.precision.unwrap_or(6).min(FP_PRECISION_MAX);
    let round = match conversion {
        b'f' => -precision,
        b'g' | b'G' => {
            precision = precision.max(1);
            precision
        }
        _ => precision + 1,
    };
    let round_max = if spec.more { 20 } else { 16 };
    let decode = FpDecode::new(r, round as i32, round_max);
    let (digits, point) = match decode.class {
        FpClass::Finite => (decode.digits(), i64::from(decode.decimal_point)),
        FpClass::Infinite if spec.zeros => (&b"9"[..], 1000),
        class => {
            let text = match (class, decode.negative, spec.sign) {
                (FpClass::Nan, _, _) if spec.zeros => &b"null"[..],
                (FpClass::Nan, _, _) => b"NaN",
                (_, true, _) => b"-Inf",
                (_, false, b'+') => b"+Inf",
                (_, false, b' ') => b" Inf",
                (_, false, _) => b"Inf",
            };
            if out.len() as u64 + spec.width.max(4) as u64 >= length_max {
                return Err(FnError::too_big());
            }
            let start = out.len();
            out.extend_from_slice(text);
            let spec = Spec {
                zeros: false,
                ..spec
            };
            justify(start, 0, spec, out);
            return Ok(());
        }
    };
    let is_shown_as_zero = conversion == b'f' && point <= round;
    let sign = match decode.negative {
        true if spec.alternate && spec.sign == 0 && is_shown_as_zero => 0,
        true => b'-',
        false => spec.sign,
    };
    let exponent = point - 1;
    let (with_exponent, trims) = match conversion {
        b'g' | b'G' => {
            precision -= 1;
            let with_exponent = exponent < -4 || exponent > precision;
            if !with_exponent {
                precision -= exponent;
            }
            (with_exponent, !spec.alternate)
        }
        b'f' => (false, spec.more),
        _ => (true, spec.more),
    };
    let figure = Figure {
        digits,
        point: if with_exponent { 1 } else { point },
        precision,
        thousands: spec.thousands,
        shows_point: precision > 0 || spec.alternate || spec.more,
        trims,
        keeps_zero: spec.more,
    };
    let whole = figure.point.max(1) - 1;
    let mut needed = whole + precision + spec.width + 10;
    if spec.thousands && whole > 0 {
        needed += (whole + 2) / 3;
    }
    if out.len() as u64 + needed as u64 + 1 > length_max {
        return Err(FnError::too_big());
    }
    let start = out.len();
    if sign != 0 {
        out.push(sign);
    }
    figure.push(out);
    if with_exponent {
        let letter = if matches!(conversion, b'E' | b'G') {
            b'E'
        } else {
            b'e'
        };
        push_exponent(letter, exponent, out);
    }
    justify(start, usize::from(sign != 0), spec, out);
    Ok(())
}

/// Brings what was printed from `start` on to its width; zeros go behind the sign.
fn justify(start: usize, sign_length: usize, spec: Spec, out: &mut Vec<u8>) {
    let padding = spec.width - (out.len() - start) as i64;
    if padding <= 0 {
        return;
    }
    let padding = padding as usize;
    let (at, byte) = match (spec.left, spec.zeros) {
        (true, _) => (out.len(), b' '),
        (false, false) => (start, b' '),
        (false, true) => (start + sign_length, b'0'),
    };
    let end = out.len();
    out.resize(end + padding, byte);
    out.copy_within(at..end, at + padding);
    out[at..at + padding].fill(byte);
}

/// The digits of a real and where they go.
struct Figure<'a> {
    digits: &'a [u8],
    /// Digits before the decimal point; 0 or less if zeros come first.
    point: i64,
    /// Digits behind the decimal point.
    precision: i64,
    thousands: bool,
    shows_point: bool,
    /// Whether zeros at the end go.
    trims: bool,
    /// Whether one zero stays behind the point then.
    keeps_zero: bool,
}

impl Figure<'_> {
    fn push(&self, out: &mut Vec<u8>) {
        let mut left = self.digits;
        if self.point <= 0 {
            out.push(b'0');
        } else {
            for place in (0..self.point).rev() {
                let digit = left.split_off_first().copied().unwrap_or(b'0');
                out.push(digit);
                if self.thousands && place % 3 == 0 && place > 1 {
                    out.push(b',');
                }
            }
        }
        if self.shows_point {
            out.push(b'.');
        }
        let mut room = self.precision.max(0) as usize;
        let zeros = room.min((-self.point).max(0) as usize);
        out.resize(out.len() + zeros, b'0');
        room -= zeros;
        let shown = &left[..left.len().min(room)];
        out.extend_from_slice(shown);
        room -= shown.len();
        if !self.trims {
            out.resize(out.len() + room, b'0');
        } else if self.shows_point {
            while out.last() == Some(&b'0') {
                out.pop();
            }
            if out.last() == Some(&b'.') {
                if self.keeps_zero {
                    out.push(b'0');
                } else {
                    out.pop();
                }
            }
        }
    }
}

fn push_exponent(letter: u8, exponent: i64, out: &mut Vec<u8>) {
    out.push(letter);
    out.push(if exponent < 0 { b'-' } else { b'+' });
    let n = exponent.unsigned_abs();
    if n >= 100 {
        out.push(b'0' + (n / 100) as u8);
    }
    out.push(b'0' + (n / 10 % 10) as u8);
    out.push(b'0' + (n % 10) as u8);
}
