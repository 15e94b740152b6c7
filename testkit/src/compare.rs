//! The same SQL on both engines, statement by statement: rows, column names, declared types, errors, changes.

use crate::engine::{Answer, Cell, Engine, EngineError};

/// A statement on which the engines differ.
#[derive(Debug)]
pub struct Difference {
    /// The statement.
    pub sql: String,
    /// What is different, and both sides.
    pub what: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  {}", self.sql.trim(), self.what)
    }
}

/// Splits a script at the ends of its statements.
pub fn statements(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = script;
    while !rest.trim().is_empty() {
        let mut end = 0;
        let cut = loop {
            match rest[end..].find(';') {
                None => break rest.len(),
                Some(i) => {
                    end += i + 1;
                    if ringwood_sql::lex::complete_statement(&rest.as_bytes()[..end]) {
                        break end;
                    }
                }
            }
        };
        found.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    found
}

/// Runs one statement on both. An order that the statement does not ask for does not count.
pub fn compare(expected: &mut dyn Engine, got: &mut dyn Engine, sql: &str) -> Option<Difference> {
    answered(expected, got, sql).1
}

/// As [`compare`], and whether the expected answer was one, and not an error.
pub fn answered(
    expected: &mut dyn Engine,
    got: &mut dyn Engine,
    sql: &str,
) -> (bool, Option<Difference>) {
    let (theirs, ours) = (expected.run(sql), got.run(sql));
    let what = match (&theirs, &ours) {
        (Ok(a), Ok(b)) => answers(a, b, sql).or_else(|| {
            let facts = |engine: &dyn Engine| {
                (
                    engine.changes(),
                    engine.last_insert_rowid(),
                    engine.total_changes(),
                )
            };
            let (a, b) = (facts(expected), facts(got));
            (a != b).then(|| {
                format!("changes, last_insert_rowid, total_changes: expected {a:?}, got {b:?}")
            })
        }),
        (Err(a), Err(b)) => errors(a, b),
        (Ok(a), Err(b)) => Some(format!("expected {} rows, got error: {b}", a.rows.len())),
        (Err(a), Ok(b)) => Some(format!("expected error: {a}, got {} rows", b.rows.len())),
    };
    let difference = what.map(|what| Difference {
        sql: sql.to_owned(),
        what,
    });
    (theirs.is_ok(), difference)
}

fn errors(a: &EngineError, b: &EngineError) -> Option<String> {
    (a != b).then(|| {
        format!(
            "expected error {a} at {:?}, got {b} at {:?}",
            a.offset, b.offset
        )
    })
}

/// Whether a statement has an ORDER BY outside of all brackets.
fn asks_for_an_order(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    sql.match_indices("order by")
        .any(|(at, _)| sql[..at].matches('(').count() <= sql[..at].matches(')').count())
}

fn answers(a: &Answer, b: &Answer, sql: &str) -> Option<String> {
    if a.columns != b.columns {
        return Some(format!(
            "columns: expected {:?}, got {:?}",
            a.columns, b.columns
        ));
    }
    // Ours has none where stock SQLite makes one up (COMPAT.md, known differences).
    let differs = |(a, b): (&Option<String>, &Option<String>)| b.is_some() && a != b;
    if a.types.iter().zip(&b.types).any(differs) {
        return Some(format!(
            "declared types: expected {:?}, got {:?}",
            a.types, b.types
        ));
    }
    if a.columns == ["id", "parent", "notused", "detail"] {
        let (a, b) = (plan_text(a), plan_text(b));
        return (a != b).then(|| format!("plan: expected\n{a}got\n{b}"));
    }
    let rows = |answer: &Answer| {
        let mut rows: Vec<String> = answer.rows.iter().map(|row| format!("{row:?}")).collect();
        if !asks_for_an_order(sql) {
            rows.sort();
        }
        rows
    };
    let (a, b) = (rows(a), rows(b));
    if a == b {
        return None;
    }
    let at = a
        .iter()
        .zip(&b)
        .position(|(a, b)| a != b)
        .unwrap_or(a.len().min(b.len()));
    let show = |rows: &[String]| rows.get(at).cloned().unwrap_or_else(|| "nothing".into());
    Some(format!(
        "{} rows expected, {} got; row {at}: expected {}, got {}",
        a.len(),
        b.len(),
        show(&a),
        show(&b)
    ))
}

/// The lines of EXPLAIN QUERY PLAN by depth; ids are addresses and differ.
pub fn plan_text(answer: &Answer) -> String {
    let mut depth = std::collections::HashMap::from([(0, 0)]);
    let mut text = String::new();
    for row in &answer.rows {
        let [
            Cell::Integer(id),
            Cell::Integer(parent),
            _,
            Cell::Text(detail),
        ] = &row[..]
        else {
            continue;
        };
        let d = depth.get(parent).copied().unwrap_or(0);
        depth.insert(*id, d + 1);
        let detail = String::from_utf8_lossy(detail);
        text.push_str(&"  ".repeat(d + 1));
        text.push_str(&detail);
        text.push('\n');
    }
    text
}

/// Runs a script on both and gives every difference.
pub fn run(expected: &mut dyn Engine, got: &mut dyn Engine, script: &str) -> Vec<Difference> {
    statements(script)
        .into_iter()
        .filter_map(|sql| compare(expected, got, sql))
        .collect()
}
