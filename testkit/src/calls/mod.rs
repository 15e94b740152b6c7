//! Calls of functions with drawn arguments, good and bad, for comparing engines.
//!
//! | topic | what is called |
//! |---|---|
//! | [`mod@format`] | printf and format: flags, widths, precisions, conversions |
//! | [`time`] | the date and time functions, with every modifier |
//! | [`json`] | JSON and JSONB: documents, damaged ones, JSON5, paths |
//! | [`text`] | functions of text; LIKE and GLOB; collations |
//! | [`number`] | CAST, arithmetic, conversions of numbers to text and back |
//!
//! Rules:
//! 1. The same seed gives the same calls.
//! 2. A statement is one call (or a table-valued one), so that an error hides no other.
//! 3. Nothing asks for the time that it is, nor for random numbers.
//!
//! **Absent:** the mathematical functions, which the oracle is built without.

pub mod format;
pub mod json;
pub mod number;
pub mod text;
pub mod time;

use crate::queries::Dice;
use std::fmt::Write as _;

/// A topic: its name, and what draws a statement.
pub type Topic = (&'static str, fn(&mut Dice) -> String);

/// All of them.
pub const TOPICS: [Topic; 5] = [
    ("format", format::draw),
    ("time", time::draw),
    ("json", json::draw),
    ("text", text::draw),
    ("number", number::draw),
];

/// A string literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const INTEGERS: [i64; 22] = [
    0,
    1,
    -1,
    2,
    3,
    7,
    9,
    10,
    99,
    100,
    255,
    -256,
    65_535,
    1_000_000,
    2_147_483_647,
    -2_147_483_648,
    4_294_967_296,
    281_474_976_710_656,
    9_007_199_254_740_993,
    1_000_000_000_000_000_000,
    i64::MAX,
    i64::MIN,
];

const REALS: [&str; 28] = [
    "0.0",
    "-0.0",
    "0.1",
    "0.5",
    "1.0",
    "-1.5",
    "2.5",
    "3.14159265358979",
    "0.30000000000000004",
    "99.995",
    "1e15",
    "1e16",
    "123456789012345678.0",
    "9223372036854775807.0",
    "-9223372036854775808.0",
    "9223372036854775808.0",
    "1e100",
    "1.7976931348623157e308",
    "-1e300",
    "1e-5",
    "0.00001234",
    "2.2250738585072014e-308",
    "4.9e-324",
    "1e999",
    "-1e999",
    "1.00000000000000022",
    "0.1e1",
    "5e-1",
];

/// An integer literal; the smallest one as a computation.
pub fn integer(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("{}", dice.below(2000) as i64 - 1000),
        1 => {
            let bits = dice.below(63) as u32;
            let value = (dice.below(usize::MAX) as i64) & ((1i64 << bits) - 1);
            let sign = dice.pick(&["", "-"]);
            format!("{sign}{value}")
        }
        _ => match INTEGERS[dice.below(INTEGERS.len())] {
            i64::MIN => "(-9223372036854775807-1)".to_owned(),
            value => value.to_string(),
        },
    }
}

/// A real literal: known ones, short decimals, and any bits.
pub fn real(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => {
            let sign = dice.pick(&["", "-"]);
            format!("{sign}{}.{}", dice.below(1000), dice.below(10_000))
        }
        1 => {
            let high = (dice.below(1 << 32) as u64) << 32;
            let value = f64::from_bits(high | dice.below(1 << 32) as u64);
            if value.is_finite() {
                format!("{value:e}")
            } else {
                "2.0".to_owned()
            }
        }
        2 => format!(
            "{}.{}e{}",
            dice.below(10),
            dice.below(1_000_000_000),
            dice.below(40) as i64 - 20
        ),
        _ => dice.pick(&REALS).to_owned(),
    }
}

const WORDS: [&str; 40] = [
    "",
    "a",
    "A",
    "abc",
    "ABC",
    "aBc",
    "hello world",
    "  x  ",
    "x  ",
    "é",
    "ÄÖ",
    "日本語",
    "😀a",
    "a\tb",
    "a\nb",
    "'",
    "''",
    "\"",
    "%",
    "_",
    "\\",
    "1",
    "-1",
    "+1",
    " 12 ",
    "1.5",
    ".5",
    "5.",
    "1e3",
    "1e",
    "0x10",
    "12abc",
    "1.5e+2x",
    "inf",
    "nan",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1_000",
    "NULL",
];

/// Any text.
pub fn word(dice: &mut Dice) -> String {
    const LETTERS: [&str; 26] = [
        "a", "b", "A", "B", "x", "0", "1", "9", ".", "-", "+", "e", "E", " ", "%", "_", "*", "?",
        "[", "]", "^", "\\", "é", "ß", "語", "'",
    ];
    if dice.below(2) == 0 {
        return dice.pick(&WORDS).to_owned();
    }
    let count = dice.below(9);
    let mut text = String::new();
    for _ in 0..count {
        text.push_str(dice.pick(&LETTERS));
    }
    text
}

/// A blob literal.
pub fn blob(dice: &mut Dice) -> String {
    let mut text = "x'".to_owned();
    for _ in 0..dice.below(6) {
        let byte = match dice.below(3) {
            0 => 0x20 + dice.below(0x5f),
            1 => 0x30 + dice.below(10),
            _ => dice.below(256),
        };
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}

/// A value of any type.
pub fn value(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => "NULL".to_owned(),
        1..=3 => integer(dice),
        4..=6 => real(dice),
        7 => blob(dice),
        _ => quoted(&word(dice)),
    }
}

/// Several values, separated by commas.
pub fn values(dice: &mut Dice, count: usize) -> String {
    let all: Vec<String> = (0..count).map(|_| value(dice)).collect();
    all.join(", ")
}
