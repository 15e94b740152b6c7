//! printf and format.

use super::{quoted, value, values};
use crate::queries::Dice;

/// One call.
pub fn draw(dice: &mut Dice) -> String {
    let name = dice.pick(&["printf", "format"]);
    if dice.below(30) == 0 {
        let count = dice.below(3);
        return format!("SELECT {name}({})", values(dice, count));
    }
    let mut text = String::new();
    let count = 1 + dice.below(2);
    for _ in 0..count {
        text.push_str(dice.pick(&["", "", "a", " ", "%%", "é"]));
        text.push_str(&conversion(dice));
    }
    text.push_str(dice.pick(&["", "", "", "|", "%"]));
    // A star would take a large number for a width of gigabytes.
    let small = text.contains('*');
    let args: Vec<String> = (0..dice.below(5)).map(|_| argument(dice, small)).collect();
    let all: Vec<String> = std::iter::once(quoted(&text)).chain(args).collect();
    format!("SELECT {name}({})", all.join(", "))
}

fn conversion(dice: &mut Dice) -> String {
    let mut text = "%".to_owned();
    for _ in 0..dice.below(3) {
        text.push_str(dice.pick(&["-", "+", " ", "0", ",", "#", "!"]));
    }
    match dice.below(5) {
        0 => text.push_str(&dice.below(20).to_string()),
        1 => text.push_str(dice.pick(&["*", "1", "100", "0"])),
        _ => {}
    }
    match dice.below(6) {
        0 => text.push_str(&[".", &dice.below(25).to_string()].concat()),
        1 => text.push_str(dice.pick(&[".*", ".", ".0", ".60", ".-1"])),
        _ => {}
    }
    text.push_str(dice.pick(&["", "", "", "", "l", "ll", "lll"]));
    text.push_str(dice.pick(&[
        "d", "i", "u", "x", "X", "o", "f", "F", "e", "E", "g", "G", "s", "z", "c", "q", "Q", "w",
        "p", "n", "r", "j", "%", "y", "d", "s", "f", "g", "e", "q",
    ]));
    text
}

fn argument(dice: &mut Dice, small: bool) -> String {
    match dice.below(6) {
        0..=1 => (dice.below(40) as i64 - 20).to_string(),
        _ if small => dice.pick(&["7", "-12.5", "'abc'", "NULL"]).to_owned(),
        2 => dice
            .pick(&[
                "1000000.5",
                "123456789",
                "-12345.678",
                "1e10",
                "0.5",
                "'abcdef'",
            ])
            .to_owned(),
        _ => value(dice),
    }
}
