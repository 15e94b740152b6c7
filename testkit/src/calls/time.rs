//! The date and time functions.

use super::{integer, quoted, real, value};
use crate::queries::Dice;
use std::fmt::Write as _;

/// One call.
pub fn draw(dice: &mut Dice) -> String {
    let mut args = Vec::new();
    let name = dice.pick(&[
        "date",
        "time",
        "datetime",
        "julianday",
        "unixepoch",
        "strftime",
        "strftime",
        "timediff",
    ]);
    if name == "strftime" {
        args.push(quoted(&pattern(dice)));
    }
    args.push(moment(dice));
    if name == "timediff" {
        args.push(moment(dice));
        return format!("SELECT {name}({})", args.join(", "));
    }
    for _ in 0..dice.below(4) {
        args.push(match dice.below(15) {
            0 => value(dice),
            _ => quoted(&modifier(dice)),
        });
    }
    format!("SELECT {name}({})", args.join(", "))
}

fn pattern(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(4) {
        text.push_str(dice.pick(&[
            "%d", "%e", "%f", "%F", "%G", "%g", "%H", "%I", "%j", "%J", "%k", "%l", "%m", "%M",
            "%p", "%P", "%R", "%s", "%S", "%T", "%U", "%u", "%V", "%w", "%W", "%Y", "%%", "%q",
            "%", "-", " at ", "é",
        ]));
    }
    text
}

fn two(dice: &mut Dice, below: usize) -> String {
    match dice.below(12) {
        0 => dice.below(below + 40).to_string(),
        _ => format!("{:02}", dice.below(below)),
    }
}

fn day(dice: &mut Dice) -> String {
    let year = match dice.below(5) {
        0 => dice.below(10_000),
        1 => 1969 + dice.below(3),
        _ => 1900 + dice.below(200),
    };
    let sign = dice.pick(&["", "", "", "", "", "-"]);
    format!("{sign}{year:04}-{}-{}", two(dice, 14), two(dice, 33))
}

fn clock(dice: &mut Dice) -> String {
    let mut text = format!("{}:{}", two(dice, 25), two(dice, 61));
    if dice.below(3) != 0 {
        let _ = write!(text, ":{}", two(dice, 61));
        if dice.below(3) == 0 {
            let _ = write!(text, ".{}", dice.below(100_000));
        }
    }
    match dice.below(8) {
        0 => text.push('Z'),
        1 => {
            let sign = dice.pick(&["+", "-", " +"]);
            let _ = write!(text, "{sign}{}:{}", two(dice, 15), two(dice, 60));
        }
        2 => text.push_str(dice.pick(&[" ", " Z", "z", "x", "+5", "."])),
        _ => {}
    }
    text
}

fn moment(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => value(dice),
        1 => integer(dice),
        2 => real(dice),
        3 => format!("{}.{}", 2_400_000 + dice.below(120_000), dice.below(10_000)),
        4 => quoted(&clock(dice)),
        5 => quoted(&format!(
            "{}.{}",
            2_400_000 + dice.below(120_000),
            dice.below(10_000)
        )),
        6 => (dice.below(4_000_000_000) as i64 - 1_000_000_000).to_string(),
        7..=8 => quoted(&day(dice)),
        _ => {
            let between = dice.pick(&[" ", "T", " ", "  ", "t"]);
            quoted(&format!("{}{between}{}", day(dice), clock(dice)))
        }
    }
}

fn modifier(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..=4 => {
            let sign = dice.pick(&["+", "-", "", "+", "-", " "]);
            let number = match dice.below(5) {
                0 => format!("{}.{}", dice.below(100), dice.below(1000)),
                1 => dice.below(100_000).to_string(),
                2 => dice
                    .pick(&["1e3", "0", "1.", ".5", "999999999999", "x"])
                    .to_owned(),
                _ => dice.below(50).to_string(),
            };
            let unit = dice.pick(&[
                "day", "days", "hour", "hours", "minute", "minutes", "second", "seconds", "month",
                "months", "year", "years", "week", "DAYS", "dayss", "",
            ]);
            format!("{sign}{number} {unit}")
        }
        5 => dice
            .pick(&[
                "start of month",
                "start of year",
                "start of day",
                "start of hour",
                "START OF DAY",
                "start of",
                "start  of day",
            ])
            .to_owned(),
        6 => {
            let number = dice.pick(&["0", "1", "2", "3", "4", "5", "6", "7", "-1", "1.5", "x"]);
            format!("weekday {number}")
        }
        7 => dice
            .pick(&[
                "unixepoch",
                "julianday",
                "auto",
                "utc",
                "ceiling",
                "floor",
                "subsec",
                "subsecond",
                "UTC",
                "unixepoch ",
                "now",
            ])
            .to_owned(),
        8 => {
            let sign = dice.pick(&["+", "-", ""]);
            let mut text = format!("{sign}{}", clock(dice));
            if dice.below(2) == 0 {
                text = format!(
                    "{sign}{:04}-{}-{} {}",
                    dice.below(20),
                    two(dice, 14),
                    two(dice, 33),
                    clock(dice)
                );
            }
            text
        }
        _ => format!("{}{}", dice.pick(&["+", "-"]), day(dice)),
    }
}
