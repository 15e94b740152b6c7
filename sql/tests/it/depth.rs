//! Nesting: where SQLite gives up, the parser gives up (nearly) there, too; and nothing overflows a stack of 2 MiB.

use ringwood_sql::parse::{ParseErrorKind, Parser};

use crate::oracle::Oracle;

/// What can be nested: what stands before, what opens, what closes.
const EXPRESSIONS: &[(&str, &str, &str)] = &[
    ("SELECT ", "(", ")"),
    ("SELECT ", "- ", ""),
    ("SELECT ", "NOT ", ""),
    ("SELECT ", "+", ""),
    ("SELECT ", "abs(", ")"),
    ("SELECT ", "max(1, ", ")"),
    ("SELECT ", "CASE WHEN 1 THEN ", " END"),
    ("SELECT ", "CASE ", " WHEN 1 THEN 2 END"),
    ("SELECT ", "1 IN (2, ", ")"),
    ("SELECT ", "CAST(", " AS int)"),
    ("SELECT ", "1 BETWEEN ", " AND 2"),
    ("SELECT ", "1 BETWEEN 0 AND ", ""),
    ("SELECT ", "1+(", ")"),
];

/// What is counted otherwise. Row values have a height here and none in SQLite. And of queries within queries SQLite takes fewer of them than its parser's stack allows: when it resolves names it adds
/// up the heights of all expressions around.
const OTHERS: &[(&str, &str, &str)] = &[
    ("SELECT ", "(1, ", ") = (1, 2)"),
    ("SELECT ", "(SELECT ", ")"),
    ("SELECT ", "EXISTS (SELECT ", ")"),
    ("SELECT ", "1 IN (SELECT ", ")"),
    ("", "VALUES((", "))"),
    ("", "SELECT * FROM (", ")"),
    ("", "WITH a AS (", ") SELECT 1"),
];

fn nested(&(before, open, close): &(&str, &str, &str), times: usize) -> String {
    let core = if open.starts_with("SELECT") || open.starts_with("WITH") {
        "SELECT 1"
    } else {
        "1"
    };
    format!(
        "{before}{}{core}{}",
        open.repeat(times),
        close.repeat(times)
    )
}

fn verdict(error: Option<&str>) -> &'static str {
    match error {
        Some(text) if text.starts_with("Recursion limit") => "recursion",
        Some(text) if text.starts_with("Expression tree") => "height",
        Some(text) if text.starts_with("near") || text.starts_with("incomplete") => "syntax",
        _ => "fine",
    }
}

fn mine(sql: &str) -> &'static str {
    let error = Parser::new(sql.as_bytes()).next_statement().unwrap().err();
    verdict(error.map(|error| error.to_string()).as_deref())
}

/// The least nesting at which `answer` is no longer "fine".
fn breaking_point(limit: usize, answer: impl Fn(usize) -> &'static str) -> (usize, &'static str) {
    let (mut fine, mut broken) = (1, limit);
    if answer(limit) == "fine" {
        return (limit, "fine");
    }
    while broken - fine > 1 {
        let middle = usize::midpoint(fine, broken);
        if answer(middle) == "fine" {
            fine = middle;
        } else {
            broken = middle;
        }
    }
    (broken, answer(broken))
}

#[test]
fn limits_are_where_sqlite_has_them() {
    let oracle = Oracle::new();
    for nest in EXPRESSIONS {
        let limit = 2600;
        let ours = breaking_point(limit, |times| mine(&nested(nest, times)));
        let theirs = breaking_point(limit, |times| {
            let refusal = oracle.prepare(nested(nest, times).as_bytes()).err();
            verdict(refusal.as_ref().map(|refusal| refusal.message.as_str()))
        });
        println!("{:30} ours {ours:?}, SQLite {theirs:?}", nest.1);
        let near = ours.0.abs_diff(theirs.0) <= 5;
        assert!(
            near && ours.1 == theirs.1,
            "{nest:?}: ours {ours:?}, SQLite {theirs:?}"
        );
    }
}

#[test]
fn a_stack_of_two_mebibytes_is_enough() {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        for nest in EXPRESSIONS.iter().chain(OTHERS) {
            for times in [10, 300, 999, 1000, 2000, 2600, 20_000, 500_000] {
                drop(Parser::new(nested(nest, times).as_bytes()).next_statement());
                // Without an end.
                drop(
                    Parser::new(format!("{}{}", nest.0, nest.1.repeat(times)).as_bytes())
                        .next_statement(),
                );
            }
        }
        for (piece, times) in [
            (" || 1", 3000),
            (" COLLATE a", 100_000),
            (" OR a", 3000),
            (" ISNULL", 100_000),
        ] {
            let sql = format!("SELECT 1{}", piece.repeat(times));
            let error = Parser::new(sql.as_bytes())
                .next_statement()
                .unwrap()
                .unwrap_err();
            assert_eq!(
                error.kind,
                ParseErrorKind::ExpressionTooDeep(1000),
                "{piece}"
            );
        }
        // Long is not deep.
        for (piece, times) in [
            (", 1", 100_000),
            (" UNION SELECT 1", 499),
            (", 1 AS x", 100_000),
        ] {
            let sql = format!("SELECT 1{}", piece.repeat(times));
            assert!(
                Parser::new(sql.as_bytes())
                    .next_statement()
                    .unwrap()
                    .is_ok(),
                "{piece}"
            );
        }
        let sql = format!("VALUES (1, 2){}", ", (3, 'x')".repeat(200_000));
        assert!(
            Parser::new(sql.as_bytes())
                .next_statement()
                .unwrap()
                .is_ok()
        );
    });
    thread.unwrap().join().unwrap();
}
