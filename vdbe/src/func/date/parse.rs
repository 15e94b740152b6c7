//! Dates and times as text.
//!
//! ```text
//!   [-]YYYY-MM-DD [space or T] [HH:MM[:SS[.FFF]]] [zone]      zone: Z, or +HH:MM, or -HH:MM
//!   HH:MM[:SS[.FFF]] [zone]
//!   a number: a Julian day, or what modifiers make of it
//!   now, subsec, subsecond
//! ```
//!
//! Rules:
//! 1. Every field has exactly as many digits as written above, but the fraction.
//! 2. 24:00:00 is midnight of the next day.
//! 3. A fraction counts up to 0.999.
//!
//! Source: SQLite's `parseYyyyMmDd`, `parseHhMmSs`, `parseTimezone`, `getDigits`.

use super::moment::{Moment, days_of_month};
use ringwood_format::number::{Extent, is_space, parse_real};

/// Reads a text from the left; 0 at its end.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { rest: text }
    }

    pub fn peek(self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    pub fn is_at_end(self) -> bool {
        self.peek() == 0
    }

    pub fn eat(&mut self, byte: u8) -> bool {
        let found = byte != 0 && self.peek() == byte;
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    pub fn skip_spaces(&mut self) {
        while is_space(self.peek()) {
            self.rest = &self.rest[1..];
        }
    }

    /// Exactly that many digits, with a value in the range.
    pub fn field(&mut self, digits: usize, min: i32, max: i32) -> Option<i32> {
        let field = self.rest.get(..digits)?;
        let mut value = 0;
        for &byte in field {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i32::from(byte - b'0');
        }
        if !(min..=max).contains(&value) {
            return None;
        }
        self.rest = &self.rest[digits..];
        Some(value)
    }

    /// The same, and a separator behind it.
    pub fn field_then(&mut self, digits: usize, min: i32, max: i32, separator: u8) -> Option<i32> {
        let value = self.field(digits, min, max)?;
        self.eat(separator).then_some(value)
    }

    /// `HH:MM` with hours up to that.
    pub fn hour_minute(&mut self, hour_max: i32) -> Option<(i32, i32)> {
        let hour = self.field_then(2, 0, hour_max, b':')?;
        let minute = self.field(2, 0, 59)?;
        Some((hour, minute))
    }
}

/// The years that a date may be written with.
pub(super) const YEAR_MAX: i32 = 14712;

/// A whole text as a number.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    let parsed = parse_real(text);
    (parsed.extent == Extent::Whole).then_some(parsed.value)
}

/// A time and its zone, which end the text. Even if the zone is wrong the time is set.
pub(super) fn parse_time(text: Reader<'_>, moment: &mut Moment) -> Option<()> {
    let mut text = text;
    let (hour, minute) = text.hour_minute(24)?;
    let (mut second, mut fraction) = (0, 0.0f64);
    if text.eat(b':') {
        second = text.field(2, 0, 59)?;
        if text.peek() == b'.' && text.rest.get(1).is_some_and(u8::is_ascii_digit) {
            text.eat(b'.');
            let mut scale = 1.0;
            while text.peek().is_ascii_digit() {
                fraction = fraction * 10.0 + f64::from(text.peek()) - 48.0;
                scale *= 10.0;
                text.rest = &text.rest[1..];
            }
            fraction = (fraction / scale).min(0.999); // rule 3
        }
    }
    if hour == 24 && (minute != 0 || second != 0 || fraction != 0.0) {
        return None;
    }
    moment.has_jd = false;
    moment.is_raw = false;
    moment.has_time = true;
    moment.hour = hour;
    moment.minute = minute;
    moment.seconds = f64::from(second) + fraction;
    parse_zone(text, moment)
}

fn parse_zone(text: Reader<'_>, moment: &mut Moment) -> Option<()> {
    let mut text = text;
    text.skip_spaces();
    moment.zone = 0;
    let sign = match text.peek() {
        0 => return Some(()),
        b'-' => -1,
        b'+' => 1,
        b'Z' | b'z' => 0,
        _ => return None,
    };
    text.rest = &text.rest[1..];
    if sign != 0 {
        let (hours, minutes) = text.hour_minute(14)?;
        moment.zone = sign * (minutes + hours * 60);
    }
    if moment.zone == 0 {
        moment.is_local = false;
        moment.is_utc = true;
    }
    text.skip_spaces();
    text.is_at_end().then_some(())
}

/// A date, and a time behind it if there is one.
pub(super) fn parse_date(text: &[u8], moment: &mut Moment) -> Option<()> {
    let mut text = Reader::new(text);
    let negative = text.eat(b'-');
    let mut year = text.field_then(4, 0, YEAR_MAX, b'-')?;
    let mut month = text.field_then(2, 1, 12, b'-')?;
    let mut day = text.field(2, 1, 31)?;
    while is_space(text.peek()) || text.peek() == b'T' {
        text.rest = &text.rest[1..];
    }
    if parse_time(text, moment).is_some() {
        if moment.hour == 24 {
            let last = days_of_month(year, month);
            moment.hour = 0;
            day += 1;
            if day > last {
                day -= last;
                month += 1;
                if month > 12 {
                    month = 1;
                    year += 1;
                }
            }
        }
    } else if text.is_at_end() {
        moment.has_time = false;
    } else {
        return None;
    }
    moment.has_jd = false;
    moment.has_date = true;
    moment.year = if negative { -year } else { year };
    moment.month = month;
    moment.day = day;
    moment.compute_beyond();
    if moment.zone != 0 {
        moment.compute_jd();
    }
    Some(())
}
