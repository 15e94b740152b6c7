//! The local time zone: how many seconds it is ahead of UTC at a time.
//!
//! ```text
//!   TZ unset     /etc/localtime             TZif: transitions, and a rule for the time behind the last
//!   TZ=:path     that file
//!   TZ=name      /usr/share/zoneinfo/name
//!   TZ=rule      EST5EDT,M3.2.0,M11.1.0     if there is no such file
//! ```
//!
//! Rules:
//! 1. The zone is read once a process, as the C library does.
//! 2. A zone that cannot be read is UTC.
//! 3. Leap seconds are left out: files that count them (`right/…`) are not meant.
//!
//! Absent: `posixrules`; a rule without days of change takes the present ones of the United States. Files with nothing but
//! a version 1 block say nothing about the time behind their last transition.
//!
//! Source: RFC 9636 (TZif); POSIX, "TZ".

use super::moment::{Moment, days_of_month};
use crate::func::context::UNIX_EPOCH_MS;
use std::sync::OnceLock;

/// A time zone.
#[derive(Clone, Default, Debug)]
pub(super) struct Zone {
    /// When the offset changes, in seconds since 1970, and what it is from then on.
    transitions: Vec<(i64, i64)>,
    /// Before the first of them.
    first: i64,
    /// Behind the last of them.
    rule: Option<Rule>,
}

impl Zone {
    /// The zone of this process (rule 1).
    pub fn of_process() -> &'static Zone {
        static ZONE: OnceLock<Zone> = OnceLock::new();
        ZONE.get_or_init(|| {
            let name = std::env::var("TZ").ok();
            Zone::named(name.as_deref()).unwrap_or_default()
        })
    }

    fn named(name: Option<&str>) -> Option<Zone> {
        let Some(name) = name else {
            return Zone::from_file("/etc/localtime");
        };
        let name = name.strip_prefix(':').unwrap_or(name);
        if name.is_empty() {
            return None;
        }
        let path = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("/usr/share/zoneinfo/{name}")
        };
        Zone::from_file(&path).or_else(|| {
            Some(Zone {
                rule: Rule::parse(name.as_bytes()),
                ..Zone::default()
            })
        })
    }

    fn from_file(path: &str) -> Option<Zone> {
        Zone::decode(&std::fs::read(path).ok()?)
    }

    /// Reads a TZif file.
    fn decode(file: &[u8]) -> Option<Zone> {
        let (header, rest) = Header::read(file)?;
        if header.version < b'2' {
            return Block::read(&header, rest, 4).map(|(zone, _)| zone);
        }
        let (header, rest) = Header::read(rest.get(header.block_len(4)..)?)?;
        let (mut zone, footer) = Block::read(&header, rest, 8)?;
        let rule = footer.strip_prefix(b"\n")?;
        let end = rule.iter().position(|&byte| byte == b'\n')?;
        zone.rule = Rule::parse(&rule[..end]);
        Some(zone)
    }

    /// Seconds ahead of UTC at that time, which counts seconds since 1970.
    pub fn offset(&self, seconds: i64) -> i64 {
        let behind = self
            .transitions
            .partition_point(|(from, _)| *from <= seconds);
        match (behind, &self.rule) {
            (n, Some(rule)) if n == self.transitions.len() => rule.offset(seconds),
            (0, _) => self.first,
            (n, _) => self.transitions[n - 1].1,
        }
    }
}

/// The counts at the start of a block.
struct Header {
    version: u8,
    utc_flags: usize,
    standard_flags: usize,
    leaps: usize,
    times: usize,
    types: usize,
    characters: usize,
}

impl Header {
    fn read(file: &[u8]) -> Option<(Header, &[u8])> {
        let (header, rest) = file.split_at_checked(44)?;
        if !header.starts_with(b"TZif") {
            return None;
        }
        let count = |i: usize| big_endian(&header[20 + 4 * i..24 + 4 * i]) as u32 as usize;
        let header = Header {
            version: header[4],
            utc_flags: count(0),
            standard_flags: count(1),
            leaps: count(2),
            times: count(3),
            types: count(4),
            characters: count(5),
        };
        Some((header, rest))
    }

    fn block_len(&self, time_size: usize) -> usize {
        self.times * (time_size + 1)
            + self.types * 6
            + self.characters
            + self.leaps * (time_size + 4)
            + self.standard_flags
            + self.utc_flags
    }
}

/// The transitions behind a header.
struct Block;

impl Block {
    fn read<'a>(header: &Header, block: &'a [u8], time_size: usize) -> Option<(Zone, &'a [u8])> {
        let (block, rest) = block.split_at_checked(header.block_len(time_size))?;
        let (times, block) = block.split_at_checked(header.times * time_size)?;
        let (indexes, block) = block.split_at_checked(header.times)?;
        let types = block.get(..header.types * 6)?;
        let offset = |i: usize| {
            let entry = types.get(6 * i..6 * i + 4)?;
            Some(big_endian(entry))
        };
        // Before the first transition counts the first type that is no summer time.
        let standard = (0..header.types).find(|i| types[6 * i + 4] == 0);
        let mut zone = Zone {
            first: offset(standard.unwrap_or(0)).unwrap_or(0),
            ..Zone::default()
        };
        for (time, &index) in times.chunks_exact(time_size).zip(indexes) {
            zone.transitions
                .push((big_endian(time), offset(usize::from(index))?));
        }
        Some((zone, rest))
    }
}

/// A signed integer of 4 or 8 bytes.
fn big_endian(bytes: &[u8]) -> i64 {
    let n = bytes.iter().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
    if bytes.len() == 4 {
        i64::from(n as u32 as i32)
    } else {
        n as i64
    }
}

/// A rule for all years.
#[derive(Clone, Copy, Debug)]
struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, Debug)]
struct Summer {
    offset: i64,
    from: Change,
    to: Change,
}

/// A day of every year, and seconds into it.
#[derive(Clone, Copy, Debug)]
struct Change {
    day: Day,
    seconds: i64,
}

#[derive(Clone, Copy, Debug)]
enum Day {
    /// Jn: 1…365, February 29 never counts.
    Julian(i64),
    /// n: 0…365.
    Counted(i64),
    /// Mm.w.d: the w-th (5: the last) such day of the week in a month.
    Week { month: i32, week: i64, weekday: i64 },
}

impl Rule {
    fn parse(text: &[u8]) -> Option<Rule> {
        let mut text = RuleText(text);
        text.name()?;
        let standard = -text.time()?;
        if text.0.is_empty() {
            return Some(Rule {
                standard,
                summer: None,
            });
        }
        text.name()?;
        let offset = if matches!(text.0.first(), None | Some(b',')) {
            standard + 3600
        } else {
            -text.time()?
        };
        let (from, to) = if text.0.is_empty() {
            // POSIX leaves it open; the C library takes the rules of the United States.
            let day = |month, week| Day::Week {
                month,
                week,
                weekday: 0,
            };
            let change = |day| Change { day, seconds: 7200 };
            (change(day(3, 2)), change(day(11, 1)))
        } else {
            (text.change()?, text.change()?)
        };
        let summer = Some(Summer { offset, from, to });
        Some(Rule { standard, summer })
    }

    fn offset(&self, seconds: i64) -> i64 {
        let Some(summer) = self.summer else {
            return self.standard;
        };
        let mut moment = Moment::default();
        moment.set_jd((seconds + self.standard) * 1000 + UNIX_EPOCH_MS);
        moment.compute_date();
        let from = summer.from.in_year(moment.year) - self.standard;
        let to = summer.to.in_year(moment.year) - summer.offset;
        let is_summer = if from < to {
            (from..to).contains(&seconds)
        } else {
            !(to..from).contains(&seconds)
        };
        if is_summer {
            summer.offset
        } else {
            self.standard
        }
    }
}

impl Change {
    /// Its local time in seconds since 1970.
    fn in_year(self, year: i32) -> i64 {
        let first_of = |month: i32| {
            let mut moment = Moment {
                year,
                month,
                day: 1,
                has_date: true,
                ..Moment::default()
            };
            moment.compute_jd();
            moment
        };
        let january = (first_of(1).jd - UNIX_EPOCH_MS) / 86_400_000;
        let day = match self.day {
            Day::Counted(n) => january + n,
            Day::Julian(n) => {
                let leaps = i64::from(n >= 60 && days_of_month(year, 2) == 29);
                january + n - 1 + leaps
            }
            Day::Week {
                month,
                week,
                weekday,
            } => {
                let first = first_of(month);
                let start = (first.jd - UNIX_EPOCH_MS) / 86_400_000;
                let to_weekday = (weekday - first.days_after_sunday()).rem_euclid(7);
                let mut day = to_weekday + 7 * (week - 1);
                while day >= i64::from(days_of_month(year, month)) {
                    day -= 7;
                }
                start + day
            }
        };
        day * 86_400 + self.seconds
    }
}

/// A rule that is read from the left.
struct RuleText<'a>(&'a [u8]);

impl RuleText<'_> {
    /// Three letters or more, or something in angle brackets.
    fn name(&mut self) -> Option<()> {
        let end = if self.0.first() == Some(&b'<') {
            self.0.iter().position(|&byte| byte == b'>')? + 1
        } else {
            let letters = self.0.iter().take_while(|byte| byte.is_ascii_alphabetic());
            letters.count()
        };
        self.0 = &self.0[end..];
        (end >= 3).then_some(())
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn number(&mut self) -> Option<i64> {
        let digits = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=3).contains(&digits) {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some(number.iter().fold(0, |n, &b| n * 10 + i64::from(b - b'0')))
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn time(&mut self) -> Option<i64> {
        let negative = self.eat(b'-');
        if !negative {
            self.eat(b'+');
        }
        let mut seconds = self.number()? * 3600;
        if self.eat(b':') {
            seconds += self.number()? * 60;
            if self.eat(b':') {
                seconds += self.number()?;
            }
        }
        Some(if negative { -seconds } else { seconds })
    }

    /// `,day[/time]`.
    fn change(&mut self) -> Option<Change> {
        if !self.eat(b',') {
            return None;
        }
        let day = if self.eat(b'M') {
            let month = self.number().filter(|n| (1..=12).contains(n))? as i32;
            let week = self.eat(b'.').then(|| self.number())??;
            let weekday = self.eat(b'.').then(|| self.number())??;
            if !(1..=5).contains(&week) || weekday > 6 {
                return None;
            }
            Day::Week {
                month,
                week,
                weekday,
            }
        } else if self.eat(b'J') {
            Day::Julian(self.number()?)
        } else {
            Day::Counted(self.number()?)
        };
        let seconds = if self.eat(b'/') { self.time()? } else { 7200 };
        Some(Change { day, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let rule = Rule::parse(b"EST5EDT,M3.2.0,M11.1.0").expect("a rule");
        // 2024-03-10 07:00 UTC is when New York changes; 2024-11-03 06:00 UTC is the way back.
        assert_eq!(rule.offset(1_710_053_999), -5 * 3600);
        assert_eq!(rule.offset(1_710_054_000), -4 * 3600);
        assert_eq!(rule.offset(1_730_613_599), -4 * 3600);
        assert_eq!(rule.offset(1_730_613_600), -5 * 3600);
        let south = Rule::parse(b"AEST-10AEDT,M10.1.0,M4.1.0/3").expect("a rule");
        assert_eq!(south.offset(1_704_067_200), 11 * 3600);
        assert_eq!(south.offset(1_720_000_000), 10 * 3600);
        assert_eq!(
            Rule::parse(b"<+0330>-3:30").expect("a rule").offset(0),
            12_600
        );
        assert!(Rule::parse(b"E5").is_none());
        assert!(Rule::parse(b"").is_none());
    }

    #[test]
    fn broken_files_are_no_zones() {
        assert!(Zone::decode(b"").is_none());
        assert!(Zone::decode(b"TZif2").is_none());
        let mut file = b"TZif2".to_vec();
        file.resize(44, 0);
        file[32..36].copy_from_slice(&[0xff; 4]);
        assert!(Zone::decode(&file).is_none());
    }
}
