//! Functions of text, LIKE and GLOB, collations.

use super::{integer, quoted, value, values, word};
use crate::queries::Dice;

const ONE: [&str; 19] = [
    "length",
    "upper",
    "lower",
    "hex",
    "unhex",
    "quote",
    "unicode",
    "trim",
    "ltrim",
    "rtrim",
    "typeof",
    "soundex",
    "abs",
    "round",
    "sign",
    "octet_length",
    "unistr",
    "unistr_quote",
    "char",
];

const TWO: [&str; 18] = [
    "instr",
    "trim",
    "ltrim",
    "rtrim",
    "round",
    "substr",
    "substring",
    "nullif",
    "ifnull",
    "min",
    "max",
    "unhex",
    "like",
    "glob",
    "concat_ws",
    "coalesce",
    "concat",
    "char",
];

/// One call.
pub fn draw(dice: &mut Dice) -> String {
    let call = match dice.below(12) {
        0..=1 => {
            let name = dice.pick(&ONE);
            format!("{name}({})", value(dice))
        }
        2..=3 => {
            let name = dice.pick(&TWO);
            format!("{name}({})", values(dice, 2))
        }
        4 => {
            let from = place(dice);
            let name = dice.pick(&["substr", "substring"]);
            format!("{name}({}, {from}, {})", value(dice), place(dice))
        }
        5 => {
            let from = place(dice);
            format!("quote(substr({}, {from}))", value(dice))
        }
        6 => format!("replace({})", values(dice, 3)),
        7 => {
            let count = dice.below(5);
            let name = dice.pick(&["char", "concat", "concat_ws", "min", "max", "coalesce"]);
            format!("{name}({})", values(dice, count))
        }
        8 => {
            let hex: String = (0..dice.below(9))
                .map(|_| dice.pick(&["0", "1", "a", "F", "4", "-", " ", "g", "6"]))
                .collect();
            let rest = dice.pick(&["", ", '-'", ", ' -'", ", ''", ", NULL"]);
            format!("unhex({}{rest})", quoted(&hex))
        }
        9 => matched(dice),
        10 => {
            let op = dice.pick(&["<", "=", ">", "<=", "<>", "IS", "IS NOT"]);
            let collation = dice.pick(&["BINARY", "NOCASE", "RTRIM"]);
            format!("{} {op} {} COLLATE {collation}", value(dice), value(dice))
        }
        _ => {
            let function = dice.pick(&[
                "quote",
                "hex",
                "length",
                "typeof",
                "unicode",
                "octet_length",
            ]);
            let op = dice.pick(&["||", "||", "+", "&"]);
            format!("{function}({} {op} {})", value(dice), value(dice))
        }
    };
    format!("SELECT {call}")
}

fn place(dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => integer(dice),
        1 => value(dice),
        _ => (dice.below(14) as i64 - 6).to_string(),
    }
}

fn matched(dice: &mut Dice) -> String {
    let not = dice.pick(&["", "", "NOT "]);
    let mut pattern = String::new();
    let like = dice.below(2) == 0;
    for _ in 0..dice.below(6) {
        pattern.push_str(if like {
            dice.pick(&["a", "A", "%", "_", "%", "b", "é", "\\", "!", "1", "語"])
        } else {
            dice.pick(&[
                "a", "A", "*", "?", "*", "[a-c]", "[^b]", "[", "]", "[]a]", "[a-]", "é", "[^]]",
                "-",
            ])
        });
    }
    let text: String = (0..dice.below(7))
        .map(|_| {
            dice.pick(&[
                "a", "b", "A", "B", "é", "1", "%", "_", "\\", "!", "-", "]", "語", "É",
            ])
        })
        .collect();
    let text = if dice.below(6) == 0 {
        value(dice)
    } else {
        quoted(&text)
    };
    if !like {
        return format!("{text} {not}GLOB {}", quoted(&pattern));
    }
    let escape = match dice.below(4) {
        0 => format!(
            " ESCAPE {}",
            quoted(dice.pick(&["\\", "!", "%", "_", "a", "é", "", "ab"]))
        ),
        1 if dice.below(6) == 0 => format!(" ESCAPE {}", quoted(&word(dice))),
        _ => String::new(),
    };
    format!("{text} {not}LIKE {}{escape}", quoted(&pattern))
}
