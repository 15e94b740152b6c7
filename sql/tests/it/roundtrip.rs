//! What is printed from a tree parses to the same tree and means the same to stock SQLite.

use ringwood_sql::ast::{Statement, print_expression, print_statement};
use ringwood_sql::parse::{parse_expression, parse_statement};

use crate::corpus::{self, Class};
use crate::differential::{Random, SEEDS};
use crate::oracle::Oracle;

fn parse(sql: &[u8]) -> Option<Statement> {
    parse_statement(sql).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(sql)))
}

/// The text that `sql` becomes, after a look that it becomes itself.
fn printed(sql: &str) -> Option<String> {
    let statement = parse(sql.as_bytes())?;
    let once = print_statement(&statement, sql.as_bytes());
    let again = parse(&once).expect("a statement");
    assert_eq!(statement.params, again.params, "{sql}");
    let twice = print_statement(&again, &once);
    assert_eq!(
        String::from_utf8_lossy(&once),
        String::from_utf8_lossy(&twice),
        "{sql}"
    );
    Some(String::from_utf8(once).expect("UTF-8"))
}

#[test]
fn statements() {
    let corpus = corpus::load().unwrap_or_default();
    let texts = corpus
        .iter()
        .filter(|line| line.class != Class::Syntax && !line.sql.contains("%WO%"))
        .map(|line| line.sql.as_str())
        .filter(|sql| parse_statement(sql.as_bytes()).is_ok())
        .chain(SEEDS.iter().copied());
    let (plain, with_tables) = (Oracle::new(), Oracle::with_tables());
    let mut count = 0;
    for sql in texts {
        let Some(text) = printed(sql) else { continue };
        count += 1;
        // Pragmas act while they are prepared.
        if text.starts_with("PRAGMA") {
            continue;
        }
        for oracle in [&plain, &with_tables] {
            // rusqlite looks at the rest of a text, too: only the first statement counts.
            let first = parse_first(sql);
            let verdict = |sql: &str| {
                oracle
                    .prepare(sql.as_bytes())
                    .map_err(|refusal| refusal.message)
            };
            let (before, after) = (verdict(first), verdict(&text));
            let same = before == after || is_limit(&before) || names_text(&before);
            assert!(same, "{before:?} became {after:?}\n  {first}\n  {text}");
        }
    }
    println!("{count} statements");
}

fn parse_first(sql: &str) -> &str {
    let statement = parse(sql.as_bytes()).expect("a statement");
    &sql[statement.span.start as usize..statement.span.end as usize]
}

fn is_limit(verdict: &Result<(), String>) -> bool {
    verdict.as_ref().is_err_and(|message| {
        matches!(
            message.as_str(),
            "near \"ORDER\": syntax error" | "near \"LIMIT\": syntax error"
        )
    })
}

/// Messages that quote the statement.
fn names_text(verdict: &Result<(), String>) -> bool {
    verdict
        .as_ref()
        .is_err_and(|message| message.starts_with("hex literal too big"))
}

/// A random expression over constants; `depth` bounds it.
fn random_expression(random: &mut Random, depth: usize, out: &mut String) {
    const LEAVES: &[&str] = &[
        "0", "1", "2", "-3", "5", "1.5", "NULL", "'a'", "'b%'", "'3'", "x'61'",
    ];
    const BINARY: &[&str] = &[
        "OR",
        "AND",
        "=",
        "==",
        "<>",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "IS",
        "IS NOT",
        "IS DISTINCT FROM",
        "IS NOT DISTINCT FROM",
        "&",
        "|",
        "<<",
        ">>",
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "LIKE",
        "NOT LIKE",
        "GLOB",
        "NOT GLOB",
        "->>",
    ];
    const PREFIX: &[&str] = &["NOT ", "- ", "+ ", "~ "];
    const POSTFIX: &[&str] = &[
        " ISNULL",
        " NOTNULL",
        " NOT NULL",
        " COLLATE nocase",
        " IN (1, 2)",
        " NOT IN (1, 'a')",
    ];
    if depth == 0 {
        out.push_str(LEAVES[random.below(LEAVES.len())]);
        return;
    }
    match random.below(12) {
        0 => out.push_str(LEAVES[random.below(LEAVES.len())]),
        1 | 2 => {
            out.push_str(PREFIX[random.below(PREFIX.len())]);
            random_expression(random, depth - 1, out);
        }
        3 | 4 => {
            random_expression(random, depth - 1, out);
            out.push_str(POSTFIX[random.below(POSTFIX.len())]);
        }
        5 => {
            random_expression(random, depth - 1, out);
            out.push_str(if random.below(2) == 0 {
                " BETWEEN "
            } else {
                " NOT BETWEEN "
            });
            random_expression(random, depth - 1, out);
            out.push_str(" AND ");
            random_expression(random, depth - 1, out);
        }
        6 => {
            random_expression(random, depth - 1, out);
            out.push_str(" LIKE ");
            random_expression(random, depth - 1, out);
            out.push_str(" ESCAPE 'x'");
        }
        7 => {
            out.push_str("CASE ");
            random_expression(random, depth - 1, out);
            out.push_str(" WHEN ");
            random_expression(random, depth - 1, out);
            out.push_str(" THEN 1 ELSE 2 END");
        }
        _ => {
            random_expression(random, depth - 1, out);
            out.push(' ');
            out.push_str(BINARY[random.below(BINARY.len())]);
            out.push(' ');
            random_expression(random, depth - 1, out);
        }
    }
}

/// Random operators without parentheses mean what they mean with the parentheses of their tree.
#[test]
fn precedence_is_that_of_sqlite() {
    let oracle = Oracle::new();
    let mut evaluated = 0;
    for seed in 0..30_000 {
        let mut random = Random::new(seed);
        let mut text = String::new();
        random_expression(&mut random, 1 + seed as usize % 5, &mut text);
        let Ok(expr) = parse_expression(text.as_bytes()) else {
            // Say, BETWEEN x OR y AND z.
            assert!(
                oracle.prepare(format!("SELECT {text}").as_bytes()).is_err(),
                "{text}"
            );
            continue;
        };
        let printed = String::from_utf8(print_expression(&expr)).expect("UTF-8");
        let value = |text: &str| oracle.value(&format!("SELECT quote({text})"));
        assert_eq!(
            value(&text),
            value(&printed),
            "seed {seed}\n  {text}\n  {printed}"
        );
        evaluated += 1;
    }
    assert!(evaluated > 20_000, "{evaluated}");
}
