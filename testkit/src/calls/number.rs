//! CAST, arithmetic, conversions of numbers to text and back.

use super::{integer, quoted, real, value, word};
use crate::queries::Dice;
use std::fmt::Write as _;

const TYPES: [&str; 9] = [
    "INTEGER",
    "REAL",
    "TEXT",
    "BLOB",
    "NUMERIC",
    "INT",
    "FLOAT",
    "VARCHAR(3)",
    "",
];

/// One call.
pub fn draw(dice: &mut Dice) -> String {
    let call = match dice.below(11) {
        0..=1 => {
            let ty = dice.pick(&TYPES);
            let call = format!("CAST({} AS {ty})", value(dice));
            if dice.below(2) == 0 {
                format!("quote({call})")
            } else {
                call
            }
        }
        2 => {
            let (a, b) = (dice.pick(&TYPES), dice.pick(&TYPES));
            format!("CAST(CAST({} AS {a}) AS {b})", value(dice))
        }
        3..=4 => {
            let op = dice.pick(&["+", "-", "*", "/", "%", "&", "|", "<<", ">>", "||"]);
            format!("{} {op} {}", value(dice), value(dice))
        }
        5 => {
            let op = dice.pick(&["-", "+", "~", "NOT "]);
            format!("{op}({})", value(dice))
        }
        6 => {
            let op = dice.pick(&["<", "=", ">", "<=", ">=", "<>", "IS"]);
            let (a, b) = (dice.pick(&TYPES), value(dice));
            format!("CAST({} AS {a}) {op} {b}", value(dice))
        }
        7 => format!("{} || ''", real(dice)),
        8 => format!("{} + 0", quoted(&digits(dice))),
        9 => format!("round({}, {})", real(dice), dice.below(20) as i64 - 3),
        _ => {
            let f = dice.pick(&["sum", "avg", "total", "min", "max", "group_concat", "count"]);
            let rows: Vec<String> = (0..=dice.below(4))
                .map(|_| {
                    let value = match dice.below(3) {
                        0 => integer(dice),
                        1 => real(dice),
                        _ => value(dice),
                    };
                    format!("({value})")
                })
                .collect();
            return format!("SELECT {f}(column1) FROM (VALUES {})", rows.join(", "));
        }
    };
    format!("SELECT {call}")
}

/// A text that may be a number.
fn digits(dice: &mut Dice) -> String {
    if dice.below(4) == 0 {
        return word(dice);
    }
    let mut text = dice.pick(&["", "", "-", "+", " ", "0"]).to_owned();
    for _ in 0..dice.below(22) {
        text.push(char::from(b'0' + dice.below(10) as u8));
    }
    if dice.below(2) == 0 {
        text.push('.');
        for _ in 0..dice.below(22) {
            text.push(char::from(b'0' + dice.below(10) as u8));
        }
    }
    if dice.below(3) == 0 {
        let sign = dice.pick(&["", "-", "+"]);
        let _ = write!(text, "e{sign}{}", dice.below(330));
    }
    text.push_str(dice.pick(&["", "", "", " ", "x"]));
    text
}
