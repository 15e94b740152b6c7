//! Where the statements of SQLite's own tests come from.
//!
//! The data lies outside the repository: `statements/statements.jsonl.xz` under the folder that the environment
//! variable RINGWOOD_DATA names, or under `../shared` beside the workspace. Without it these tests say so and
//! pass. It is unpacked by the program `xz`.

use std::path::PathBuf;
use std::process::Command;

/// What SQLite said of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    Ok,
    Semantic,
    Syntax,
}

/// One line of the corpus.
pub struct Line {
    pub class: Class,
    pub message: String,
    pub sql: String,
}

/// The corpus; `None`, and a word on stderr, if it is not there.
pub fn load() -> Option<Vec<Line>> {
    let root = std::env::var_os("RINGWOOD_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let mut candidates = vec![root];
    if std::env::var_os("RINGWOOD_DATA").is_none() {
        // A worktree lies one level deeper.
        candidates.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    }
    let paths = candidates
        .iter()
        .map(|root| root.join("statements/statements.jsonl.xz"));
    let Some(path) = paths.into_iter().find(|path| path.exists()) else {
        eprintln!(
            "SKIPPED: no statements/statements.jsonl.xz under {candidates:?}; set RINGWOOD_DATA to the data folder"
        );
        return None;
    };
    let output = Command::new("xz")
        .arg("-dc")
        .arg(&path)
        .output()
        .expect("the program xz");
    assert!(output.status.success(), "xz -dc {}", path.display());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(
        text.lines()
            .filter(|line| !line.is_empty())
            .map(line_of)
            .collect(),
    )
}

fn line_of(json: &str) -> Line {
    let class = match field(json, "class").as_str() {
        "ok" => Class::Ok,
        "semantic" => Class::Semantic,
        "syntax" => Class::Syntax,
        other => panic!("class {other}"),
    };
    Line {
        class,
        message: field(json, "message"),
        sql: field(json, "sql"),
    }
}

/// The string under `key` in a flat JSON object of strings.
fn field(json: &str, key: &str) -> String {
    let start = json
        .find(&format!("\"{key}\": \""))
        .unwrap_or_else(|| panic!("no {key} in {json}"));
    let mut chars = json[start + key.len() + 5..].chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return out,
            '\\' => match chars.next().expect("an escape") {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let mut unit = hex4(&mut chars);
                    if (0xd800..0xdc00).contains(&unit) {
                        assert_eq!((chars.next(), chars.next()), (Some('\\'), Some('u')));
                        unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(&mut chars) - 0xdc00);
                    }
                    out.push(char::from_u32(unit).unwrap_or('\u{fffd}'));
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    panic!("an open string in {json}");
}

fn hex4(chars: &mut std::str::Chars<'_>) -> u32 {
    let digits: String = chars.take(4).collect();
    u32::from_str_radix(&digits, 16).expect("four hexadecimal digits")
}
