//! Runs a sqllogictest file and compares every result.
//!
//! Values are rendered by the type letter of their column, not by storage class: T text, with the
//! empty text as `(empty)` and every byte outside printable ASCII as `@`; I the low 32 bits of the
//! integer conversion; R three decimals; NULL as `NULL`.

use std::collections::HashMap;
use std::fmt::Write as _;

use md5::{Digest, Md5};
use ringwood_format::affinity::{integer_value, real_value, text_value};
use ringwood_format::value::TextEncoding;

use super::script::{Expected, Kind, Sort, parse};
use crate::engine::{Cell, Engine};

/// What a file came to.
#[derive(Debug, Default)]
pub struct Score {
    /// Records that did what they say.
    pub passed: usize,
    /// One line for each record that did not.
    pub failures: Vec<String>,
}

impl Score {
    /// Adds another file's score.
    pub fn add(&mut self, other: Score) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
    }

    /// Records run.
    pub fn total(&self) -> usize {
        self.passed + self.failures.len()
    }
}

/// Runs one file's text. `name` stands before each failure.
pub fn run(engine: &mut dyn Engine, name: &str, text: &str) -> Score {
    let mut score = Score::default();
    let records = match parse(text, "sqlite") {
        Ok(records) => records,
        Err(e) => {
            score.failures.push(format!("{name}: {e}"));
            return score;
        }
    };
    let mut labels: HashMap<&str, String> = HashMap::new();
    let mut threshold = 8;
    for record in &records {
        let outcome = match &record.kind {
            Kind::Halt => break,
            Kind::HashThreshold(n) => {
                threshold = *n;
                continue;
            }
            Kind::Statement { succeeds, sql } => match (engine.run(sql), succeeds) {
                (Ok(_), true) | (Err(_), false) => Ok(()),
                (Err(e), true) => Err(format!("{e}\n{sql}")),
                (Ok(_), false) => Err(format!("succeeded, should fail\n{sql}")),
            },
            Kind::Query {
                types,
                sort,
                label,
                sql,
                expected,
            } => {
                // In the original runner a query that fails while it runs has the rows so far: none where
                // none are expected.
                let none = matches!(expected, Expected::Values(values) if values.is_empty());
                let values = match query(engine, types, *sort, sql) {
                    Err(_) if none => Ok(Vec::new()),
                    other => other,
                };
                values
                    .map_err(|e| format!("{e}\n{sql}"))
                    .and_then(|values| {
                        compare(&values, expected, threshold).map_err(|e| format!("{e}\n{sql}"))?;
                        if let Some(label) = label {
                            let hash = md5(&values);
                            let first = labels.entry(label).or_insert_with(|| hash.clone());
                            if *first != hash {
                                return Err(format!(
                                    "differs from another record labelled {label}\n{sql}"
                                ));
                            }
                        }
                        Ok(())
                    })
            }
        };
        match outcome {
            Ok(()) => score.passed += 1,
            Err(e) => score.failures.push(format!("{name}:{}: {e}", record.line)),
        }
    }
    score
}

fn query(
    engine: &mut dyn Engine,
    types: &str,
    sort: Sort,
    sql: &str,
) -> Result<Vec<String>, String> {
    let answer = engine.run(sql).map_err(|e| e.to_string())?;
    if answer.columns.len() != types.len() {
        return Err(format!(
            "{} columns, {} expected",
            answer.columns.len(),
            types.len()
        ));
    }
    let mut rows: Vec<Vec<String>> = answer
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .zip(types.bytes())
                .map(|(cell, letter)| render(cell, letter))
                .collect()
        })
        .collect();
    if sort == Sort::Rows {
        rows.sort();
    }
    let mut values: Vec<String> = rows.into_iter().flatten().collect();
    if sort == Sort::Values {
        values.sort();
    }
    Ok(values)
}

fn render(cell: &Cell, letter: u8) -> String {
    if *cell == Cell::Null {
        return "NULL".to_owned();
    }
    match letter {
        b'I' => (integer_value(cell.as_ref()) as i32).to_string(),
        b'R' => three_decimals(real_value(cell.as_ref())),
        _ => {
            let text = text_value(cell.as_ref(), TextEncoding::Utf8).unwrap_or_default();
            if text.is_empty() {
                return "(empty)".to_owned();
            }
            text.iter()
                .map(|b| {
                    if (b' '..=b'~').contains(b) {
                        char::from(*b)
                    } else {
                        '@'
                    }
                })
                .collect()
        }
    }
}

/// `%.3f` as SQLite prints it: 16 significant digits, then zeros.
fn three_decimals(r: f64) -> String {
    if r.abs() < 1e16 || !r.is_finite() {
        return format!("{r:.3}");
    }
    let scientific = format!("{r:.15e}");
    let (digits, exponent) = scientific.split_once('e').expect("an exponent");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |d| ("-", d));
    let exponent: usize = exponent.parse().expect("positive above 1e16");
    format!(
        "{sign}{:0<width$}.000",
        digits.replace('.', ""),
        width = exponent + 1
    )
}

fn compare(values: &[String], expected: &Expected<'_>, threshold: usize) -> Result<(), String> {
    match expected {
        Expected::Hash { count, md5: hash } => {
            let got = md5(values);
            if values.len() == *count && got == *hash {
                return Ok(());
            }
            Err(format!(
                "{} values hashing to {got}, expected {count} hashing to {hash}",
                values.len()
            ))
        }
        Expected::Values(wanted) => {
            if values.iter().map(String::as_str).eq(wanted.iter().copied()) {
                return Ok(());
            }
            let shown = threshold.max(8);
            Err(format!(
                "got {:?}, expected {:?}",
                head(values, shown),
                head(wanted, shown)
            ))
        }
    }
}

fn head<T>(values: &[T], count: usize) -> &[T] {
    &values[..values.len().min(count)]
}

fn md5(values: &[String]) -> String {
    let mut hasher = Md5::new();
    for value in values {
        hasher.update(value.as_bytes());
        hasher.update(b"\n");
    }
    hasher
        .finalize()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::Sqlite;

    #[test]
    fn a_right_file_passes_and_each_kind_of_lie_is_caught() {
        let right = "statement ok\nCREATE TABLE t(a,b)\n\nstatement ok\nINSERT INTO t VALUES(2,'x'),(1,NULL)\n\n\
                     query IT rowsort l\nSELECT a,b FROM t\n----\n1\nNULL\n2\nx\n\n\
                     query IT nosort l\nSELECT a,b FROM t ORDER BY a\n----\n1\nNULL\n2\nx\n\n\
                     query R\nSELECT 1/3.0\n----\n0.333\n\nstatement error\nSELECT * FROM nowhere\n";
        let score = run(&mut Sqlite::memory(), "right", right);
        assert!(score.failures.is_empty(), "{:?}", score.failures);
        assert_eq!(score.passed, 6);
        for (good, bad) in [
            ("0.333", "0.334"),
            ("statement error", "statement ok"),
            ("rowsort l", "nosort l"),
            ("query R", "query RR"),
            (
                "SELECT a,b FROM t ORDER BY a\n----\n1\nNULL\n2\nx",
                "SELECT 1,2\n----\n1\n2",
            ),
        ] {
            let score = run(&mut Sqlite::memory(), "lie", &right.replacen(good, bad, 1));
            assert_eq!(
                score.failures.len(),
                1,
                "{good} -> {bad}: {:?}",
                score.failures
            );
        }
    }
}
