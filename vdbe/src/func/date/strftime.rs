//! strftime.
//!
//! ```text
//!   %d 01–31   %e  1–31   %m 01–12   %Y 0000–9999   %F %Y-%m-%d    %j day of year 001–366
//!   %H 00–24   %k  0–24   %I 01–12   %l  1–12       %p AM PM       %P am pm
//!   %M 00–59   %S 00–59   %f 00.000  %R %H:%M       %T %H:%M:%S    %s seconds since 1970   %J Julian day
//!   %u 1–7 from Monday    %w 0–6 from Sunday        %U %W %V week of the year   %G %g its year   %%
//! ```
//!
//! Rules:
//! 1. Anything else behind a `%` gives NULL.
//!
//! Source: SQLite's `strftimeFunc`.

use super::moment::{DAY_MS, Moment};
use crate::func::argument::{text, until_nul};
use crate::func::context::UNIX_EPOCH_MS;
use crate::func::real_format::{Spec, push_real_format};
use crate::func::{FnContext, FnError};
use crate::mem::{Kind, Mem};
use ringwood_format::decimal::write_digits;
use ringwood_format::number::push_integer;

/// `strftime(format, time, modifier, …)`.
pub(super) fn strftime(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let Some((format, args)) = args.split_first() else {
        return Ok(());
    };
    let Some(format) = text(ctx, format) else {
        return Ok(());
    };
    let Some(mut moment) = super::moment(ctx, args)? else {
        return Ok(());
    };
    moment.compute_fields();
    let length_max = ctx.facts.length_max;
    let out = ctx.result().start_bytes(Kind::Text);
    let mut rest = until_nul(&format);
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        let conversion = rest.get(at + 1).copied().unwrap_or(0);
        if !push(conversion, &moment, out)? {
            ctx.result().set_null();
            return Ok(());
        }
        if out.len() as u64 > length_max {
            return Err(FnError::too_big());
        }
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// Appends one conversion; false if there is no such (rule 1).
fn push(conversion: u8, x: &Moment, out: &mut Vec<u8>) -> Result<bool, FnError> {
    let mut number = |n: i32, width, fill| push_padded(i64::from(n), width, fill, out);
    match conversion {
        b'd' => number(x.day, 2, b'0'),
        b'e' => number(x.day, 2, b' '),
        b'f' => push_seconds(x.seconds.min(59.999), out),
        b'F' => {
            number(x.year, 4, b'0');
            for n in [x.month, x.day] {
                out.push(b'-');
                push_padded(i64::from(n), 2, b'0', out);
            }
        }
        b'G' => number(thursday(x).year, 4, b'0'),
        b'g' => number(thursday(x).year % 100, 2, b'0'),
        b'H' => number(x.hour, 2, b'0'),
        b'k' => number(x.hour, 2, b' '),
        b'I' => number(twelve_hours(x.hour), 2, b'0'),
        b'l' => number(twelve_hours(x.hour), 2, b' '),
        b'j' => push_padded(x.day_of_year() + 1, 3, b'0', out),
        b'J' => push_real(x.jd as f64 / 86_400_000.0, b'g', 16, out)?,
        b'm' => number(x.month, 2, b'0'),
        b'M' => number(x.minute, 2, b'0'),
        b'p' => out.extend_from_slice(if x.hour >= 12 { b"PM" } else { b"AM" }),
        b'P' => out.extend_from_slice(if x.hour >= 12 { b"pm" } else { b"am" }),
        b'R' | b'T' => {
            number(x.hour, 2, b'0');
            out.push(b':');
            push_padded(i64::from(x.minute), 2, b'0', out);
            if conversion == b'T' {
                out.push(b':');
                push_padded(x.seconds as i64, 2, b'0', out);
            }
        }
        b's' if x.shows_subseconds => {
            push_real((x.jd - UNIX_EPOCH_MS) as f64 / 1000.0, b'f', 3, out)?;
        }
        b's' => push_integer(x.jd / 1000 - UNIX_EPOCH_MS / 1000, out),
        b'S' => number(x.seconds as i32, 2, b'0'),
        b'u' => out.push(b'1' + x.days_after_monday() as u8),
        b'w' => out.push(b'0' + x.days_after_sunday() as u8),
        b'U' => push_week((x.day_of_year() - x.days_after_sunday() + 7) / 7, out),
        b'V' => push_week(thursday(x).day_of_year() / 7 + 1, out),
        b'W' => push_week((x.day_of_year() - x.days_after_monday() + 7) / 7, out),
        b'Y' => number(x.year, 4, b'0'),
        b'%' => out.push(b'%'),
        _ => return Ok(false),
    }
    Ok(true)
}

/// The Thursday of the same week, whose year the week belongs to.
fn thursday(x: &Moment) -> Moment {
    let mut day = *x;
    day.add_ms((3 - x.days_after_monday()) * DAY_MS);
    day.has_date = false;
    day.compute_date();
    day
}

fn twelve_hours(hour: i32) -> i32 {
    match if hour > 12 { hour - 12 } else { hour } {
        0 => 12,
        hour => hour,
    }
}

fn push_week(week: i64, out: &mut Vec<u8>) {
    push_padded(week, 2, b'0', out);
}

/// An integer of at least that many bytes, its minus included.
pub(super) fn push_padded(n: i64, width: usize, fill: u8, out: &mut Vec<u8>) {
    let mut buffer = [0; 20];
    let start = write_digits(&mut buffer, n.unsigned_abs());
    let digits = &buffer[start..];
    let length = digits.len() + usize::from(n < 0);
    let padding = width.saturating_sub(length);
    if fill == b' ' {
        out.resize(out.len() + padding, b' ');
    }
    if n < 0 {
        out.push(b'-');
    }
    if fill == b'0' {
        out.resize(out.len() + padding, b'0');
    }
    out.extend_from_slice(digits);
}

fn push_real(r: f64, conversion: u8, precision: i64, out: &mut Vec<u8>) -> Result<(), FnError> {
    let spec = Spec {
        precision: Some(precision),
        ..Spec::default()
    };
    push_real_format(r, conversion, spec, u64::MAX, out)
}

/// `SS.SSS`.
pub(super) fn push_seconds(seconds: f64, out: &mut Vec<u8>) {
    let spec = Spec {
        precision: Some(3),
        width: 6,
        zeros: true,
        ..Spec::default()
    };
    // There is no limit that six bytes could exceed.
    if push_real_format(seconds, b'f', spec, u64::MAX, out).is_err() {
        out.extend_from_slice(b"00.000");
    }
}
