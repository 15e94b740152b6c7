//! A sqllogictest file as records.
//!
//! Records are separated by blank lines; lines that start with `#` are comments; `skipif` and
//! `onlyif` lines stand before the record that they guard.

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Line of the file on which the record starts, from 1.
    pub line: usize,
    /// What it asks for.
    pub kind: Kind<'a>,
}

/// What a record asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `statement ok` or `statement error`.
    Statement {
        /// True for `ok`.
        succeeds: bool,
        /// The SQL.
        sql: String,
    },
    /// `query TYPES SORT LABEL`.
    Query {
        /// One letter a column: T, I, R.
        types: &'a str,
        /// How the values are ordered before they are compared.
        sort: Sort,
        /// Records of one label have the same result.
        label: Option<&'a str>,
        /// The SQL.
        sql: String,
        /// What is expected.
        expected: Expected<'a>,
    },
    /// `halt`: the rest of the file is not run.
    Halt,
    /// `hash-threshold N`.
    HashThreshold(usize),
}

/// The order in which the values of a result are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// As they come.
    None,
    /// Row by row.
    Rows,
    /// Value by value.
    Values,
}

/// The expected result of a query.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// One value a line.
    Values(Vec<&'a str>),
    /// `N values hashing to MD5`.
    Hash {
        /// How many values.
        count: usize,
        /// MD5 over each value and a newline, in hex.
        md5: &'a str,
    },
}

/// Reads a file's records, less those that are not for `engine`.
///
/// # Errors
/// The line number and what is wrong with it.
pub fn parse<'a>(text: &'a str, engine: &str) -> Result<Vec<Record<'a>>, String> {
    let mut records = Vec::new();
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l.trim_end()))
        .peekable();
    while let Some((line, head)) = lines.next() {
        if head.is_empty() || head.starts_with('#') {
            continue;
        }
        let mut wanted = true;
        let mut head = (line, head);
        loop {
            let mut words = head.1.split_ascii_whitespace();
            match words.next() {
                Some("skipif") => wanted &= words.next() != Some(engine),
                Some("onlyif") => wanted &= words.next() == Some(engine),
                _ => break,
            }
            head = lines
                .next()
                .ok_or_else(|| format!("line {line}: nothing follows"))?;
        }
        let mut body = Vec::new();
        while let Some((_, l)) = lines.next_if(|(_, l)| !l.is_empty()) {
            body.push(l);
        }
        if let Some(kind) = record(head.1, &body).map_err(|e| format!("line {}: {e}", head.0))?
            && wanted
        {
            records.push(Record { line: head.0, kind });
        }
    }
    Ok(records)
}

fn record<'a>(head: &'a str, body: &[&'a str]) -> Result<Option<Kind<'a>>, String> {
    let mut words = head.split_ascii_whitespace();
    let kind = match words.next().unwrap_or_default() {
        "halt" => Kind::Halt,
        "hash-threshold" => {
            let n = words.next().and_then(|w| w.parse().ok());
            Kind::HashThreshold(n.ok_or("hash-threshold wants a number")?)
        }
        "statement" => {
            let succeeds = match words.next() {
                Some("ok") => true,
                Some("error") => false,
                other => return Err(format!("statement {other:?}")),
            };
            Kind::Statement {
                succeeds,
                sql: body.join("\n"),
            }
        }
        "query" => {
            let types = words.next().unwrap_or_default();
            let sort = match words.next() {
                None | Some("nosort") => Sort::None,
                Some("rowsort") => Sort::Rows,
                Some("valuesort") => Sort::Values,
                Some(other) => return Err(format!("unknown sort mode {other}")),
            };
            let split = body.iter().position(|l| *l == "----").unwrap_or(body.len());
            let values = body.get(split + 1..).unwrap_or_default();
            Kind::Query {
                types,
                sort,
                label: words.next(),
                sql: body[..split].join("\n"),
                expected: expected(values),
            }
        }
        other => return Err(format!("unknown record {other}")),
    };
    Ok(Some(kind))
}

fn expected<'a>(values: &[&'a str]) -> Expected<'a> {
    if let [one] = values
        && let Some((count, md5)) = one.split_once(" values hashing to ")
        && let Ok(count) = count.parse()
    {
        return Expected::Hash { count, md5 };
    }
    Expected::Values(values.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_kind() {
        let text = "# a comment\nhash-threshold 8\n\nstatement ok\nCREATE TABLE t(a)\n\n\
                    onlyif mysql # aggregate syntax\nquery I nosort\nSELECT 1\n----\n1\n\n\
                    skipif mysql\nquery IT rowsort x\nSELECT 1,\n 2\n----\n1\n2\n\n\
                    query I\nSELECT a FROM t\n----\n30 values hashing to 00ff\n\nhalt\n";
        let records = parse(text, "sqlite").unwrap();
        assert_eq!(records.len(), 5);
        assert_eq!(records[1].line, 4);
        let Kind::Query {
            types: "IT",
            sort: Sort::Rows,
            label: Some("x"),
            sql,
            expected,
        } = &records[2].kind
        else {
            panic!("{:?}", records[2]);
        };
        assert_eq!(sql, "SELECT 1,\n 2");
        assert_eq!(*expected, Expected::Values(vec!["1", "2"]));
        let Kind::Query {
            expected,
            label: None,
            ..
        } = &records[3].kind
        else {
            panic!()
        };
        assert_eq!(
            *expected,
            Expected::Hash {
                count: 30,
                md5: "00ff"
            }
        );
        assert_eq!(records[4].kind, Kind::Halt);
    }

    #[test]
    fn what_is_not_a_record_is_named_with_its_line() {
        assert_eq!(
            parse("\n\nquest I\nSELECT 1\n", "sqlite"),
            Err("line 3: unknown record quest".into())
        );
    }
}
