//! Where the statements of SQLite's own tests come from, and the gate over them.
//!
//! The data lies outside the repository: `statements/statements.jsonl.xz` under the folder that the environment
//! variable RINGWOOD_DATA names, or under `../shared` beside the workspace. Without it these tests say so and
//! pass. It is unpacked by the program `xz`.

use std::path::PathBuf;
use std::process::Command;

use ringwood_sql::parse::{ParseErrorKind, Parser};

use crate::oracle::Oracle;

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

/// The first error in `sql`, read as a script.
fn first_error(sql: &str) -> Option<ringwood_sql::parse::ParseError> {
    let mut parser = Parser::new(sql.as_bytes());
    while let Some(result) = parser.next_statement() {
        if let Err(error) = result {
            return Some(error);
        }
    }
    None
}

/// Refused by SQLite's default build alone: UPDATE and DELETE with LIMIT.
fn is_limit_option(line: &Line) -> bool {
    matches!(
        line.message.as_str(),
        "near \"ORDER\": syntax error" | "near \"LIMIT\": syntax error"
    ) && first_error(&line.sql)
        .is_none_or(|error| error.to_string().starts_with("ORDER BY without LIMIT on "))
}

#[test]
fn gate() {
    let Some(corpus) = load() else { return };
    let oracle = Oracle::new();
    // A trigger's table is looked up in the midst of the text.
    let oracle_of_triggers = Oracle::new();
    oracle_of_triggers.run("CREATE TABLE t1(a); CREATE TABLE a1(a)");
    let (mut accepted, mut acceptable) = (0, 0);
    let (mut refused, mut exact, mut refusable, mut options, mut schema) = (0, 0, 0, 0, 0);
    for line in &corpus {
        let error = first_error(&line.sql);
        if line.class != Class::Syntax {
            acceptable += 1;
            match error {
                None => accepted += 1,
                // SQLite's parser itself said so.
                Some(error)
                    if line.class == Class::Semantic && error.to_string() == line.message =>
                {
                    accepted += 1;
                }
                Some(error) => eprintln!("REFUSED: {error} ({})\n  {}", line.message, line.sql),
            }
            continue;
        }
        if line.message.starts_with("malformed database schema") {
            // Not of this statement: the schema of the database at hand was damaged on purpose.
            schema += 1;
            assert!(error.is_none(), "{}", line.sql);
            continue;
        }
        if is_limit_option(line) {
            options += 1;
            continue;
        }
        refusable += 1;
        let Some(error) = error else {
            eprintln!("ACCEPTED: ({})\n  {}", line.message, line.sql);
            continue;
        };
        refused += 1;
        let oracle = if line.sql.starts_with("CREATE TRIGGER") {
            &oracle_of_triggers
        } else {
            &oracle
        };
        let expected = oracle
            .prepare(line.sql.as_bytes())
            .expect_err("a syntax error");
        let message = error.to_string();
        if message == line.message && error.offset == expected.offset {
            exact += 1;
        } else {
            eprintln!(
                "DIFFERS: {message} at {:?}, expected {} at {:?}\n  {}",
                error.offset, line.message, expected.offset, line.sql
            );
        }
        if let ParseErrorKind::Near(text) = &error.kind {
            assert!(line.sql[error.offset.unwrap() as usize..].starts_with(text.as_str()));
        }
    }
    let percent = 100.0 * f64::from(accepted) / f64::from(acceptable);
    println!("accepted {accepted} of {acceptable} ({percent:.3} %)");
    println!("refused {refused} of {refusable}, {exact} with message and offset");
    println!("aside: {options} of a compile option, {schema} of a damaged schema");
    assert!(percent >= 99.95, "accepted {percent:.3} %");
    assert_eq!(refused, refusable);
    assert_eq!(exact, refusable);
}
