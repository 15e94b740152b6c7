//! A date and time, in two forms that are computed from each other when they are needed.
//!
//! ```text
//!   jd         milliseconds since noon of -4713-11-24 (Julian day 0)
//!   date       year, month, day, Gregorian throughout
//!   time       hour, minute, seconds with a fraction; with a zone in minutes as long as it is not applied
//!   raw        a number as given, of which modifiers may say what it means
//! ```
//!
//! Rules:
//! 1. A form that is present agrees with the others, except while something changes it and clears them.
//! 2. A date without a time is midnight; a time without a date is of 2000-01-01.
//! 3. What lies outside -4713-11-24 … 9999-12-31 is an error that stays.
//! 4. Integers wrap around as SQLite's do in practice; what is out of range is found at the end.
//!
//! Source: SQLite's `date.c`: `computeJD`, `computeYMD`, `computeHMS`, `computeFloor`; Meeus, "Astronomical Algorithms".

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;
/// The last millisecond of the year 9999.
const JD_MAX: i64 = 464_269_060_799_999;

/// A date and time; SQLite's `DateTime`.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Moment {
    /// Milliseconds since Julian day 0.
    pub jd: i64,
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    /// Minutes that are still to be subtracted.
    pub zone: i32,
    /// Seconds, or the raw number.
    pub seconds: f64,
    pub has_jd: bool,
    pub has_date: bool,
    pub has_time: bool,
    /// How many days the day lies behind the end of its month.
    pub beyond: i32,
    /// `seconds` is a number as given.
    pub is_raw: bool,
    pub is_error: bool,
    pub shows_subseconds: bool,
    pub is_utc: bool,
    pub is_local: bool,
}

/// Days of a month.
pub(super) fn days_of_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 30,
    }
}

/// Whether it is within range (rule 3).
pub(super) fn is_valid_jd(jd: i64) -> bool {
    (0..=JD_MAX).contains(&jd)
}

impl Moment {
    /// Rule 3.
    pub fn fail(&mut self) {
        *self = Moment {
            is_error: true,
            ..Moment::default()
        };
    }

    /// Forgets the date and the time, which are to be computed again.
    pub fn clear_fields(&mut self) {
        self.has_date = false;
        self.has_time = false;
        self.zone = 0;
    }

    /// Sets the time to one that counts milliseconds.
    pub fn set_jd(&mut self, jd: i64) {
        self.jd = jd;
        self.has_jd = true;
    }

    /// Adds milliseconds to `jd` (rule 4).
    pub fn add_ms(&mut self, ms: i64) {
        self.jd = self.jd.wrapping_add(ms);
    }

    /// A number that may be a Julian day, or seconds.
    pub fn set_raw(&mut self, r: f64) {
        self.seconds = r;
        self.is_raw = true;
        if (0.0..5_373_484.5).contains(&r) {
            self.set_jd((r * 86_400_000.0 + 0.5) as i64);
        }
    }

    /// Computes `jd` from the date and the time.
    pub fn compute_jd(&mut self) {
        if self.has_jd {
            return;
        }
        let (mut year, mut month, mut day) = (2000, 1, 1);
        if self.has_date {
            (year, month, day) = (self.year, self.month, self.day);
        } else if self.has_time && self.hour == 24 {
            self.hour = 0;
            day = 2;
        }
        if !(-4713..=9999).contains(&year) || self.is_raw {
            self.fail();
            return;
        }
        if month <= 2 {
            year -= 1;
            month += 12;
        }
        let century = (year + 4800) / 100;
        let leap = 38 - century + century / 4;
        let year_days = 36525 * (year + 4716) / 100;
        let month_days = 306_001 * (month + 1) / 10000;
        let days = f64::from(year_days + month_days + day + leap) - 1524.5;
        self.set_jd((days * 86_400_000.0) as i64);
        if self.has_time {
            let ms = i64::from(self.hour) * 3_600_000
                + i64::from(self.minute) * 60_000
                + (self.seconds * 1000.0 + 0.5) as i64;
            self.add_ms(ms);
            if self.zone != 0 {
                self.add_ms(-i64::from(self.zone) * 60_000);
                self.clear_fields();
                self.is_utc = true;
                self.is_local = false;
            }
        }
    }

    /// Computes the date from `jd`.
    pub fn compute_date(&mut self) {
        if self.has_date {
            return;
        }
        if !self.has_jd {
            (self.year, self.month, self.day) = (2000, 1, 1);
        } else if !is_valid_jd(self.jd) {
            self.fail();
            return;
        } else {
            let z = ((self.jd + 43_200_000) / DAY_MS) as i32;
            let alpha = ((f64::from(z) + 32044.75) / 36524.25) as i32 - 52;
            let a = z + 1 + alpha - (alpha + 100) / 4 + 25;
            let b = a + 1524;
            let c = ((f64::from(b) - 122.1) / 365.25) as i32;
            let d = 36525 * (c & 32767) / 100;
            let e = (f64::from(b - d) / 30.6001) as i32;
            self.day = b - d - (30.6001 * f64::from(e)) as i32;
            self.month = if e < 14 { e - 1 } else { e - 13 };
            self.year = if self.month > 2 { c - 4716 } else { c - 4715 };
        }
        self.has_date = true;
    }

    /// Computes the time from `jd`.
    pub fn compute_time(&mut self) {
        if self.has_time {
            return;
        }
        self.compute_jd();
        let day_ms = (self.jd.wrapping_add(43_200_000) % DAY_MS) as i32;
        self.seconds = f64::from(day_ms % 60_000) / 1000.0;
        let minutes = day_ms / 60_000;
        self.minute = minutes % 60;
        self.hour = minutes / 60;
        self.is_raw = false;
        self.has_time = true;
    }

    /// Both.
    pub fn compute_fields(&mut self) {
        self.compute_date();
        self.compute_time();
    }

    /// Notes by how much the day lies behind its month.
    pub fn compute_beyond(&mut self) {
        self.beyond = (self.day - days_of_month(self.year, self.month)).max(0);
    }

    /// Brings the month back to 1…12, and the year along.
    pub fn carry_months(&mut self) {
        let years = if self.month > 0 {
            (self.month - 1) / 12
        } else {
            (self.month - 12) / 12
        };
        self.year += years;
        self.month -= years * 12;
    }

    /// Days since January 1.
    pub fn day_of_year(&self) -> i64 {
        let mut january = *self;
        january.has_jd = false;
        january.month = 1;
        january.day = 1;
        january.compute_jd();
        (self.jd - january.jd + 43_200_000) / DAY_MS
    }

    /// Days since Monday.
    pub fn days_after_monday(&self) -> i64 {
        (self.jd + 43_200_000) / DAY_MS % 7
    }

    /// Days since Sunday.
    pub fn days_after_sunday(&self) -> i64 {
        (self.jd + 129_600_000) / DAY_MS % 7
    }
}
