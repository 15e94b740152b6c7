//! The gate: the parser takes what SQLite takes and refuses what it refuses, with its message at its offset, over
//! the statements of SQLite's own tests.

use ringwood_sql::parse::{ParseErrorKind, Parser};

use crate::corpus::{Class, Line, load};
use crate::oracle::Oracle;

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
    let oracle_of_triggers = Oracle::with_tables();
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
