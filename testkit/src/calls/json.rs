//! JSON and JSONB.

use super::{blob, quoted, value};
use crate::queries::Dice;
use std::fmt::Write as _;

/// One call.
pub fn draw(dice: &mut Dice) -> String {
    let b = dice.pick(&["json", "jsonb"]);
    let call = match dice.below(20) {
        0..=1 => format!("{b}({})", document(dice)),
        2 => {
            let flags = match dice.below(3) {
                0 => String::new(),
                _ => format!(", {}", dice.below(18)),
            };
            format!("json_valid({}{flags})", document(dice))
        }
        3 => format!("json_error_position({})", document(dice)),
        4 => format!("json_type({}{})", document(dice), maybe_path(dice)),
        5..=6 => {
            let second = maybe_path(dice);
            format!("{b}_extract({}, {}{second})", document(dice), path(dice))
        }
        7..=8 => {
            let op = dice.pick(&["->", "->>"]);
            let right = match dice.below(4) {
                0 => (dice.below(7) as i64 - 3).to_string(),
                1 => quoted(dice.pick(&["a", "b", "a.b", "[0]", "", "x y", "$"])),
                2 => value(dice),
                _ => path(dice),
            };
            format!("{} {op} {right}", document(dice))
        }
        9 => format!("json_array_length({}{})", document(dice), maybe_path(dice)),
        10..=12 => {
            let name = dice.pick(&["set", "insert", "replace", "array_insert"]);
            let mut args = document(dice);
            for _ in 0..=dice.below(2) {
                let _ = write!(args, ", {}, {}", path(dice), element(dice));
            }
            format!("{b}_{name}({args})")
        }
        13 => {
            let second = maybe_path(dice);
            format!("{b}_remove({}, {}{second})", document(dice), path(dice))
        }
        14 => format!("{b}_patch({}, {})", document(dice), document(dice)),
        15 => {
            let args: Vec<String> = (0..dice.below(4)).map(|_| element(dice)).collect();
            format!("{b}_array({})", args.join(", "))
        }
        16 => {
            let args: Vec<String> = (0..dice.below(5))
                .map(|n| {
                    if n % 2 == 0 && dice.below(8) != 0 {
                        quoted(dice.pick(&["a", "b", "c d", "", "é\"", "a"]))
                    } else {
                        element(dice)
                    }
                })
                .collect();
            format!("{b}_object({})", args.join(", "))
        }
        17 => {
            let indent = dice.pick(&["", ", '  '", ", ''", ", NULL", ", 'x'", ", 3"]);
            format!("json_pretty({}{indent})", document(dice))
        }
        18 => {
            let f = dice.pick(&["each", "tree"]);
            let group = dice.pick(&[
                "group_array(value)",
                "group_object(key, value)",
                "group_object(id, atom)",
            ]);
            if dice.below(2) == 0 {
                let five = dice.below(2) == 0;
                let from = format!(
                    "json_{f}({}{})",
                    quoted(&text(dice, 3, five)),
                    maybe_path(dice)
                );
                return format!("SELECT {b}_{group} FROM {from}");
            }
            let document = document(dice);
            // Of damaged JSONB and a path that leads nowhere either may be reported.
            let path = if document.starts_with("x'") {
                String::new()
            } else {
                maybe_path(dice)
            };
            return format!(
                "SELECT key, value, type, atom, id, parent, fullkey, path FROM {b}_{f}({document}{path})"
            );
        }
        _ => format!("json_quote({})", element(dice)),
    };
    format!("SELECT {call}")
}

/// A value as an element: perhaps JSON itself. Not a blob: of one that is damaged JSONB stock SQLite writes what it read
/// before it noticed.
fn element(dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => format!("json({})", quoted(&text(dice, 2, false))),
        1 => format!("jsonb({})", quoted(&text(dice, 2, false))),
        _ => loop {
            let value = value(dice);
            if !value.starts_with("x'") {
                return value;
            }
        },
    }
}

/// A document as an argument: text, JSONB, damaged, or no JSON at all.
fn document(dice: &mut Dice) -> String {
    match dice.below(14) {
        0 => value(dice),
        1 => blob(dice),
        2..=3 => format!("jsonb({})", quoted(&text(dice, 3, false))),
        4 => format!("json({})", quoted(&text(dice, 3, true))),
        5..=6 => quoted(&damaged(dice)),
        7 => {
            // A blob that may be JSONB.
            let mut bytes = String::from("x'");
            for _ in 0..=dice.below(6) {
                let byte = match dice.below(3) {
                    0 => dice.below(13) | (dice.below(6) << 4),
                    1 => 0x30 + dice.below(10),
                    _ => dice.below(256),
                };
                let _ = write!(bytes, "{byte:02x}");
            }
            bytes.push('\'');
            bytes
        }
        8..=9 => quoted(&text(dice, 3, true)),
        _ => quoted(&text(dice, 3, false)),
    }
}

/// A text of JSON with a piece too much or too little.
fn damaged(dice: &mut Dice) -> String {
    let five = dice.below(2) == 0;
    let mut chars: Vec<char> = text(dice, 3, five).chars().collect();
    for _ in 0..=dice.below(2) {
        let at = dice.below(chars.len() + 1);
        if dice.below(2) == 0 && at < chars.len() {
            chars.remove(at);
        } else {
            let what = dice.pick(&[
                "{", "}", "[", "]", ",", ":", "\"", "'", "\\", "1", "-", ".", "e", "x", "/",
                "\u{1}", " ", "é",
            ]);
            chars.extend(what.chars());
            let last = chars.len() - 1;
            chars.swap(at.min(last), last);
        }
    }
    chars.into_iter().collect()
}

/// A document's text; `five`: with what JSON5 allows.
fn text(dice: &mut Dice, depth: usize, five: bool) -> String {
    let space = |dice: &mut Dice| {
        if five && dice.below(12) == 0 {
            dice.pick(&["/* c */", "// x\n", "\u{a0}", "\t\n", "\u{feff}"])
        } else {
            dice.pick(&["", "", "", "", " "])
        }
    };
    let before = space(dice);
    let body = match dice.below(if depth == 0 { 6 } else { 11 }) {
        0 => dice.pick(&["null", "true", "false"]).to_owned(),
        1..=2 => number(dice, five),
        3..=5 => string(dice, five),
        6..=8 => {
            let count = dice.below(4);
            let mut items: Vec<String> = Vec::new();
            for _ in 0..count {
                let key = key(dice, five);
                items.push(format!(
                    "{key}{}:{}",
                    space(dice),
                    text(dice, depth - 1, five)
                ));
            }
            let comma = if five && count > 0 && dice.below(5) == 0 {
                ","
            } else {
                ""
            };
            format!("{{{}{comma}{}}}", items.join(","), space(dice))
        }
        _ => {
            let count = dice.below(4);
            let items: Vec<String> = (0..count).map(|_| text(dice, depth - 1, five)).collect();
            let comma = if five && count > 0 && dice.below(5) == 0 {
                ","
            } else {
                ""
            };
            format!("[{}{comma}{}]", items.join(","), space(dice))
        }
    };
    format!("{before}{body}{}", space(dice))
}

fn number(dice: &mut Dice, five: bool) -> String {
    if five && dice.below(2) == 0 {
        return dice
            .pick(&[
                "0x1F",
                "-0xab",
                "+5",
                ".5",
                "5.",
                "Infinity",
                "-Infinity",
                "NaN",
                "+.5e1",
                "inf",
                "0x",
            ])
            .to_owned();
    }
    match dice.below(4) {
        0 => dice
            .pick(&[
                "0",
                "-0",
                "1e5",
                "1E-2",
                "12345678901234567890",
                "1.0",
                "-0.0",
                "9223372036854775808",
                "1e400",
                "01",
            ])
            .to_owned(),
        1 => format!("{}.{}", dice.below(100), dice.below(1000)),
        _ => (dice.below(2000) as i64 - 1000).to_string(),
    }
}

fn string(dice: &mut Dice, five: bool) -> String {
    let mut body = String::new();
    for _ in 0..dice.below(5) {
        body.push_str(dice.pick(&[
            "a",
            "b",
            "1",
            " ",
            "é",
            "語",
            "\\n",
            "\\\"",
            "\\\\",
            "\\/",
            "\\u0041",
            "\\ud83d\\ude00",
            "\\u00e9",
            "\\t",
            "\\u0000",
            "\\ud800",
        ]));
        if five && dice.below(3) == 0 {
            body.push_str(
                dice.pick(&["\\x41", "\\'", "\\v", "\\0", "\\\n", "\"", "\\q", "\\u2028"]),
            );
        }
    }
    if five && dice.below(2) == 0 {
        format!("'{body}'")
    } else {
        format!("\"{body}\"")
    }
}

fn key(dice: &mut Dice, five: bool) -> String {
    if five && dice.below(2) == 0 {
        return dice
            .pick(&["a", "b", "_x", "$y", "aé", "null", "a1", "1a"])
            .to_owned();
    }
    dice.pick(&[
        "\"a\"",
        "\"b\"",
        "\"c d\"",
        "\"\"",
        "\"a\\u0062\"",
        "\"a.b\"",
        "\"1\"",
        "\"a\"",
    ])
    .to_owned()
}

fn path(dice: &mut Dice) -> String {
    if dice.below(15) == 0 {
        return value(dice);
    }
    let mut text = "$".to_owned();
    for _ in 0..dice.below(4) {
        text.push_str(dice.pick(&[
            ".a", ".b", "[0]", "[1]", "[2]", "[#]", "[#-1]", "[#-2]", ".\"c d\"", ".\"a\"",
            ".\"\"", ".\"a.b\"", ".ab", "[99]", ".1",
        ]));
    }
    if dice.below(10) == 0 {
        text.push_str(dice.pick(&[
            ".", "[", "[]", "[#-]", "[-1]", "..a", ".\"", "a", "[a]", "[#1]", " ",
        ]));
    }
    quoted(&text)
}

fn maybe_path(dice: &mut Dice) -> String {
    if dice.below(2) == 0 {
        return String::new();
    }
    format!(", {}", path(dice))
}
