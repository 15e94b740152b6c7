//! Modifiers: what follows the time in the arguments of the date functions.
//!
//! ```text
//!   ±N second(s) minute(s) hour(s) day(s) month(s) year(s)     ±HH:MM[:SS[.FFF]]     ±YYYY-MM-DD [HH:MM[:SS[.FFF]]]
//!   ceiling  floor                            what becomes of January 31 and a month
//!   start of / end of  day month year         weekday [-]N
//!   auto  julianday  unixepoch                what a number means; only right behind it
//!   localtime  utc                            subsec  subsecond
//! ```
//!
//! Source: SQLite's `parseModifier`, `autoAdjustDate`, `toLocaltime`.

use super::moment::{DAY_MS, Moment};
use super::parse::{Reader, YEAR_MAX, number, parse_time};
use super::zone::Zone;
use crate::func::context::UNIX_EPOCH_MS;
use ringwood_format::number::is_space;

/// Applies a modifier, which is argument `index` behind the time; none if it is not one.
pub(super) fn apply(text: &[u8], moment: &mut Moment, index: usize) -> Option<()> {
    let is = |word: &[u8]| text.eq_ignore_ascii_case(word);
    match text.first()?.to_ascii_lowercase() {
        b'a' if is(b"auto") => {
            (index == 1).then_some(())?;
            auto(moment);
            Some(())
        }
        b'c' if is(b"ceiling") => {
            moment.compute_jd();
            moment.clear_fields();
            moment.beyond = 0;
            Some(())
        }
        b'f' if is(b"floor") => {
            moment.compute_jd();
            moment.add_ms(-i64::from(moment.beyond) * DAY_MS);
            moment.clear_fields();
            Some(())
        }
        b'e' => end_of(after(text, b"end of ")?, moment),
        b's' if is(b"subsec") || is(b"subsecond") => {
            moment.shows_subseconds = true;
            Some(())
        }
        b's' => start_of(after(text, b"start of ")?, moment),
        b'j' if is(b"julianday") && index == 1 && moment.has_jd && moment.is_raw => {
            moment.is_raw = false;
            Some(())
        }
        b'l' if is(b"localtime") => {
            if !moment.is_local {
                to_local(moment, Zone::of_process());
            }
            moment.is_utc = false;
            moment.is_local = true;
            Some(())
        }
        b'u' if is(b"unixepoch") && moment.is_raw => {
            (index == 1).then_some(())?;
            unix_epoch(moment)
        }
        b'u' if is(b"utc") => {
            if !moment.is_utc {
                to_utc(moment, Zone::of_process());
            }
            Some(())
        }
        b'w' => weekday(after(text, b"weekday ")?, moment),
        b'+' | b'-' | b'0'..=b'9' => shift(text, moment),
        _ => None,
    }
}

/// What follows these words.
fn after<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = text.split_at_checked(words.len())?;
    head.eq_ignore_ascii_case(words).then_some(tail)
}

/// A number within the range of Julian days is one; else it counts seconds.
fn auto(moment: &mut Moment) {
    const SECONDS_MIN: f64 = -210_866_760_000.0;
    const SECONDS_MAX: f64 = 253_402_300_799.0;
    if !moment.is_raw || moment.has_jd {
        moment.is_raw = false;
    } else if (SECONDS_MIN..=SECONDS_MAX).contains(&moment.seconds) {
        let ms = moment.seconds * 1000.0 + UNIX_EPOCH_MS as f64;
        moment.clear_fields();
        moment.set_jd((ms + 0.5) as i64);
        moment.is_raw = false;
    }
}

fn unix_epoch(moment: &mut Moment) -> Option<()> {
    let ms = moment.seconds * 1000.0 + UNIX_EPOCH_MS as f64;
    if !(0.0..464_269_060_800_000.0).contains(&ms) {
        return None;
    }
    moment.clear_fields();
    moment.set_jd((ms + 0.5) as i64);
    moment.is_raw = false;
    Some(())
}

/// Sets the time of day; none if there is no date or time to begin with.
fn set_time(moment: &mut Moment, hour: i32, minute: i32, seconds: f64) -> Option<()> {
    if !moment.has_jd && !moment.has_date && !moment.has_time {
        return None;
    }
    moment.compute_date();
    moment.has_time = true;
    (moment.hour, moment.minute, moment.seconds) = (hour, minute, seconds);
    moment.is_raw = false;
    moment.zone = 0;
    moment.has_jd = false;
    Some(())
}

fn start_of(what: &[u8], moment: &mut Moment) -> Option<()> {
    set_time(moment, 0, 0, 0.0)?;
    match what.to_ascii_lowercase().as_slice() {
        b"day" => {}
        b"month" => moment.day = 1,
        b"year" => (moment.month, moment.day) = (1, 1),
        _ => return None,
    }
    Some(())
}

fn end_of(what: &[u8], moment: &mut Moment) -> Option<()> {
    set_time(moment, 23, 59, 59.999)?;
    match what.to_ascii_lowercase().as_slice() {
        b"day" => {}
        b"month" => {
            moment.day = 1;
            moment.month += 1;
            if moment.month > 12 {
                moment.year += 1;
                moment.month = 1;
            }
            moment.compute_beyond();
            moment.compute_jd();
            moment.add_ms(-i64::from(moment.beyond + 1) * DAY_MS);
            moment.clear_fields();
        }
        b"year" => (moment.month, moment.day) = (12, 31),
        _ => return None,
    }
    Some(())
}

/// The next such day of the week, or the one before.
fn weekday(what: &[u8], moment: &mut Moment) -> Option<()> {
    let r = number(what).filter(|r| (-6.0..=6.0).contains(r) && r.fract() == 0.0)?;
    let wanted = (r as i64).abs();
    moment.compute_fields();
    moment.zone = 0;
    moment.has_jd = false;
    moment.compute_jd();
    let mut today = moment.days_after_sunday();
    if today != wanted {
        if today > wanted {
            today -= 7;
        }
        moment.add_ms((wanted - today) * DAY_MS);
        if what.contains(&b'-') {
            moment.add_ms(-7 * DAY_MS);
        }
    }
    moment.clear_fields();
    Some(())
}

/// The units of `±N unit`: name, the largest N (a single-precision number in SQLite), seconds.
const UNITS: [(&[u8], f32, f64); 6] = [
    (b"second", 4.6427e14, 1.0),
    (b"minute", 7.7379e12, 60.0),
    (b"hour", 1.2897e11, 3600.0),
    (b"day", 5_373_485.0, 86_400.0),
    (b"month", 176_546.0, 2_592_000.0),
    (b"year", 14_713.0, 31_536_000.0),
];

/// Everything that starts with a sign or a digit.
fn shift(text: &[u8], moment: &mut Moment) -> Option<()> {
    let year_of = |digits: usize| Reader::new(&text[1..]).field(digits, 0, YEAR_MAX).is_some();
    let mut end = 1;
    while let Some(&byte) = text.get(end) {
        let is_year = byte == b'-' && ((end == 5 && year_of(4)) || (end == 6 && year_of(5)));
        if byte == b':' || is_space(byte) || is_year {
            break;
        }
        end += 1;
    }
    let mut r = number(&text[..end])?;
    let negative = text[0] == b'-';
    match text.get(end) {
        Some(b'-') => return shift_date(text, end, moment),
        Some(b':') => return shift_time(text, negative, moment),
        _ => {}
    }
    let mut unit = Reader::new(&text[end..]);
    unit.skip_spaces();
    let mut unit = unit.rest;
    if !(3..=10).contains(&unit.len()) {
        return None;
    }
    if let [head @ .., b's' | b'S'] = unit {
        unit = head;
    }
    moment.compute_jd();
    let round = if r < 0.0 { -0.5 } else { 0.5 };
    moment.beyond = 0;
    let known = UNITS.iter().find(|(name, limit, _)| {
        let limit = f64::from(*limit);
        unit.eq_ignore_ascii_case(name) && r > -limit && r < limit
    });
    if let Some((name, _, seconds)) = known {
        if matches!(*name, b"month" | b"year") {
            moment.compute_fields();
            if *name == b"month" {
                moment.month += r as i32;
                moment.carry_months();
            } else {
                moment.year += r as i32;
            }
            moment.compute_beyond();
            moment.has_jd = false;
            r -= f64::from(r as i32);
        }
        moment.compute_jd();
        moment.add_ms((r * 1000.0 * seconds + round) as i64);
    }
    moment.clear_fields();
    known.map(|_| ())
}

/// `±HH:MM…`; the sign was taken for the text's first byte.
fn shift_time(text: &[u8], negative: bool, moment: &mut Moment) -> Option<()> {
    let text = match text {
        [b'0'..=b'9', ..] => text,
        _ => text.get(1..)?,
    };
    let mut time = Moment::default();
    parse_time(Reader::new(text), &mut time)?;
    time.compute_jd();
    let ms = (time.jd - DAY_MS / 2) % DAY_MS;
    moment.compute_jd();
    moment.clear_fields();
    moment.add_ms(if negative { -ms } else { ms });
    Some(())
}

/// `±YYYY-MM-DD`, with four or five digits of the year, and perhaps a time.
fn shift_date(text: &[u8], end: usize, moment: &mut Moment) -> Option<()> {
    let negative = match text[0] {
        b'-' => true,
        b'+' => false,
        _ => return None,
    };
    let mut reader = Reader::new(&text[1..]);
    let years = reader.field_then(end - 1, 0, YEAR_MAX, b'-')?;
    let months = reader.field_then(2, 0, 11, b'-')?;
    let days = reader.field(2, 0, 30)?;
    moment.compute_fields();
    moment.has_jd = false;
    let sign = if negative { -1 } else { 1 };
    moment.year += sign * years;
    moment.month += sign * months;
    moment.carry_months();
    moment.compute_beyond();
    moment.compute_jd();
    moment.has_time = false;
    moment.has_date = false;
    moment.add_ms(i64::from(sign * days) * DAY_MS);
    if reader.is_at_end() {
        return Some(());
    }
    if !is_space(reader.peek()) {
        return None;
    }
    let time = &reader.rest[1..];
    Reader::new(time).hour_minute(24)?;
    shift_time(time, negative, moment)
}

/// From UTC to local time. Years without a calendar of their own in the zone are mapped to 2000…2003.
fn to_local(moment: &mut Moment, zone: &Zone) {
    const FROM: i64 = 210_866_760_000_000; // 1970-01-01
    const TO: i64 = 213_014_145_600_000; // 2038-01-18
    moment.compute_jd();
    let mut jd = moment.jd;
    let mut years = 0;
    if !(FROM..=TO).contains(&jd) {
        let mut mapped = *moment;
        mapped.compute_fields();
        years = 2000 + mapped.year % 4 - mapped.year;
        mapped.year += years;
        mapped.has_jd = false;
        mapped.compute_jd();
        jd = mapped.jd;
    }
    let seconds = jd / 1000 - UNIX_EPOCH_MS / 1000;
    let mut local = Moment::default();
    local.set_jd((seconds + zone.offset(seconds)) * 1000 + UNIX_EPOCH_MS);
    local.compute_fields();
    moment.year = local.year - years;
    moment.month = local.month;
    moment.day = local.day;
    moment.hour = local.hour;
    moment.minute = local.minute;
    moment.seconds = local.seconds + (moment.jd % 1000) as f64 * 0.001;
    moment.has_date = true;
    moment.has_time = true;
    moment.has_jd = false;
    moment.is_raw = false;
    moment.zone = 0;
    moment.is_error = false;
}

/// From local time to UTC, by guessing.
fn to_utc(moment: &mut Moment, zone: &Zone) {
    moment.compute_jd();
    let wanted = moment.jd;
    let (mut guess, mut error) = (wanted, 0);
    for _ in 0..4 {
        guess -= error;
        let mut local = Moment::default();
        local.set_jd(guess);
        to_local(&mut local, zone);
        local.compute_jd();
        error = local.jd - wanted;
        if error == 0 {
            break;
        }
    }
    *moment = Moment {
        is_utc: true,
        ..Moment::default()
    };
    moment.set_jd(guess);
}
