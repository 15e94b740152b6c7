//! Dates and times: date, time, datetime, julianday, unixepoch, strftime, timediff, CURRENT_TIMESTAMP and its kin.
//!
//! ```text
//!   function(time, modifier, modifier, …)
//!      parse ──> Moment ──modifier──> Moment ──modifier──> … ──> text or number
//! ```
//!
//! Rules:
//! 1. Without arguments the time is that of the statement, which stays the same until it ends.
//! 2. What cannot be read, or leaves the years -4713 to 9999, gives NULL.
//! 3. A number is a Julian day unless a modifier says otherwise.
//!
//! Source: SQLite's `date.c`, "Date And Time Functions".

mod modifier;
mod moment;
mod parse;
mod strftime;
mod zone;

use super::argument::{text, until_nul};
use super::context::UNIX_EPOCH_MS;
use super::{ANY_ARITY, FnContext, FnError, FunctionDef, FunctionFlags, FunctionRegistry};
use crate::mem::{Kind, Mem};
use moment::{Moment, is_valid_jd};
use ringwood_format::value::ValueType;

/// Adds these functions.
pub fn register(registry: &mut FunctionRegistry) {
    let mut add = |name: &str, arity: i16, run| {
        let def = FunctionDef::scalar(name, arity, run);
        registry.register(def.with(FunctionFlags::SLOW_CHANGING));
    };
    add("julianday", ANY_ARITY, julian_day);
    add("unixepoch", ANY_ARITY, unix_epoch);
    add("date", ANY_ARITY, date);
    add("time", ANY_ARITY, time);
    add("datetime", ANY_ARITY, date_time);
    add("strftime", ANY_ARITY, strftime::strftime);
    add("timediff", 2, time_difference);
    for (name, run) in [
        ("current_date", date as fn(&mut FnContext<'_>, &[Mem]) -> _),
        ("current_time", time),
        ("current_timestamp", date_time),
    ] {
        let def = FunctionDef::scalar(name, 0, run)
            .with(FunctionFlags::SLOW_CHANGING)
            .without(FunctionFlags::DETERMINISTIC);
        registry.register(def);
    }
}

/// Reads the arguments (rules 1 to 3).
fn moment(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<Option<Moment>, FnError> {
    let mut moment = Moment::default();
    let Some((first, modifiers)) = args.split_first() else {
        return Ok(set_now(ctx, &mut moment)?.then_some(moment));
    };
    match first.value_type() {
        ValueType::Integer | ValueType::Real => moment.set_raw(first.to_real()),
        _ => {
            let Some(text) = text(ctx, first) else {
                return Ok(None);
            };
            if !parse_moment(ctx, until_nul(&text), &mut moment)? {
                return Ok(None);
            }
        }
    }
    for (i, arg) in modifiers.iter().enumerate() {
        let Some(text) = text(ctx, arg) else {
            return Ok(None);
        };
        let text = until_nul(&text);
        if text.eq_ignore_ascii_case(b"localtime") || text.eq_ignore_ascii_case(b"utc") {
            ctx.check_impure()?;
        }
        if modifier::apply(text, &mut moment, i + 1).is_none() {
            return Ok(None);
        }
    }
    moment.compute_jd();
    if moment.is_error || !is_valid_jd(moment.jd) {
        return Ok(None);
    }
    if modifiers.is_empty() && moment.has_date && moment.day > 28 {
        // 2023-02-31 is 2023-03-03.
        moment.has_date = false;
    }
    Ok(Some(moment))
}

/// Reads the first argument; false if it is no time.
fn parse_moment(
    ctx: &mut FnContext<'_>,
    text: &[u8],
    moment: &mut Moment,
) -> Result<bool, FnError> {
    let is = |word: &[u8]| text.eq_ignore_ascii_case(word);
    if parse::parse_date(text, moment).is_some()
        || parse::parse_time(parse::Reader::new(text), moment).is_some()
    {
        return Ok(true);
    }
    if is(b"now") {
        return set_now(ctx, moment);
    }
    if let Some(r) = parse::number(text) {
        moment.set_raw(r);
        return Ok(true);
    }
    if is(b"subsec") || is(b"subsecond") {
        moment.shows_subseconds = true;
        return set_now(ctx, moment);
    }
    Ok(false)
}

/// The time of the statement, which definitions may not depend on; false if the clock is before all time.
fn set_now(ctx: &mut FnContext<'_>, moment: &mut Moment) -> Result<bool, FnError> {
    ctx.check_impure()?;
    let now = ctx.now_ms();
    moment.set_jd(now);
    moment.is_utc = true;
    moment.is_local = false;
    moment.clear_fields();
    Ok(now > 0)
}

fn julian_day(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(moment) = moment(ctx, args)? {
        ctx.result().set_real(moment.jd as f64 / 86_400_000.0);
    }
    Ok(())
}

fn unix_epoch(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(moment) = moment(ctx, args)? {
        if moment.shows_subseconds {
            let ms = moment.jd - UNIX_EPOCH_MS;
            ctx.result().set_real(ms as f64 / 1000.0);
        } else {
            let seconds = moment.jd / 1000 - UNIX_EPOCH_MS / 1000;
            ctx.result().set_int(seconds);
        }
    }
    Ok(())
}

fn date(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(mut moment) = moment(ctx, args)? {
        moment.compute_date();
        push_date(&moment, ctx.result().start_bytes(Kind::Text));
    }
    Ok(())
}

fn time(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(mut moment) = moment(ctx, args)? {
        moment.compute_time();
        push_time(&moment, ctx.result().start_bytes(Kind::Text));
    }
    Ok(())
}

fn date_time(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    if let Some(mut moment) = moment(ctx, args)? {
        moment.compute_fields();
        let out = ctx.result().start_bytes(Kind::Text);
        push_date(&moment, out);
        out.push(b' ');
        push_time(&moment, out);
    }
    Ok(())
}

/// Two digits; others are cut off.
fn push_two(n: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8]);
}

fn push_date(moment: &Moment, out: &mut Vec<u8>) {
    if moment.year < 0 {
        out.push(b'-');
    }
    let year = moment.year.abs();
    push_two(year / 100 % 100, out);
    push_two(year % 100, out);
    out.push(b'-');
    push_two(moment.month, out);
    out.push(b'-');
    push_two(moment.day, out);
}

fn push_time(moment: &Moment, out: &mut Vec<u8>) {
    push_two(moment.hour, out);
    out.push(b':');
    push_two(moment.minute, out);
    out.push(b':');
    if moment.shows_subseconds {
        let ms = (1000.0 * moment.seconds + 0.5) as i32;
        push_two(ms / 1000, out);
        out.push(b'.');
        out.push(b'0' + (ms / 100 % 10) as u8);
        push_two(ms % 100, out);
    } else {
        push_two(moment.seconds as i32, out);
    }
}

/// What must be added to the second time to get the first: `±YYYY-MM-DD HH:MM:SS.SSS`.
fn time_difference(ctx: &mut FnContext<'_>, args: &[Mem]) -> Result<(), FnError> {
    let [first, second] = args else {
        return Ok(());
    };
    let one = std::slice::from_ref;
    let (Some(mut a), Some(mut b)) = (moment(ctx, one(first))?, moment(ctx, one(second))?) else {
        return Ok(());
    };
    a.compute_fields();
    b.compute_fields();
    // b is moved to a's month, then by months until it lies on the near side of a.
    let forward = a.jd >= b.jd;
    let sign = if forward { 1 } else { -1 };
    let move_to = |b: &mut Moment| {
        b.has_jd = false;
        b.compute_jd();
    };
    let mut years = sign * (a.year - b.year);
    let mut months = sign * (a.month - b.month);
    if years != 0 {
        b.year = a.year;
        move_to(&mut b);
    }
    if months < 0 {
        years -= 1;
        months += 12;
    }
    if months != 0 {
        b.month = a.month;
        move_to(&mut b);
    }
    while (forward && a.jd < b.jd) || (!forward && a.jd > b.jd) {
        months -= 1;
        if months < 0 {
            months = 11;
            years -= 1;
        }
        b.month -= sign;
        if b.month < 1 {
            b.month = 12;
            b.year -= 1;
        } else if b.month > 12 {
            b.month = 1;
            b.year += 1;
        }
        move_to(&mut b);
    }
    // 0000-01-01 and what is left.
    const YEAR_ZERO_MS: i64 = 148_699_540_800_000;
    a.set_jd((a.jd - b.jd).abs() + YEAR_ZERO_MS);
    a.clear_fields();
    a.compute_fields();
    let out = ctx.result().start_bytes(Kind::Text);
    out.push(if forward { b'+' } else { b'-' });
    strftime::push_padded(i64::from(years), 4, b'0', out);
    for (separator, n) in [
        (b'-', months),
        (b'-', a.day - 1),
        (b' ', a.hour),
        (b':', a.minute),
    ] {
        out.push(separator);
        strftime::push_padded(i64::from(n), 2, b'0', out);
    }
    out.push(b':');
    strftime::push_seconds(a.seconds, out);
    Ok(())
}
