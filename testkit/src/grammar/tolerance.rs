//! Differences that are not errors, each with its reason.

use crate::compare::Difference;

/// Why a difference is none, if so.
pub fn reason(difference: &Difference) -> Option<&'static str> {
    let sql = difference.sql.to_ascii_lowercase();
    let what = &difference.what;
    // Stock SQLite makes tables and resolves names while it parses and walks on after some errors; of a statement with
    // several mistakes it may report another than the first.
    if let Some((theirs, ours)) = what
        .strip_prefix("expected error ")
        .and_then(|rest| rest.split_once(", got "))
        && is_mistake(theirs)
        && is_mistake(ours)
    {
        return Some("which of several mistakes is reported");
    }
    // An aggregate of an outer query where that query may have none: stock SQLite notices while it codes, if it codes it.
    if what.contains("misuse of aggregate") {
        return Some("misplaced aggregates are noticed at another time");
    }
    if what.contains("Real(") || what.contains("Integer(") {
        // 1 and 1.0 are equal: which of them stands for a group, a DISTINCT row or the end of an order is the plan's choice.
        let (Some(expected), Some(got)) = (part(what, "expected ["), part(what, "got [")) else {
            return None;
        };
        let groups = [
            "distinct",
            "group by",
            "union",
            "intersect",
            "except",
            "min(",
            "max(",
            "limit",
            " in ",
            "over (",
        ];
        if same_numbers(expected) == same_numbers(got)
            && groups.iter().any(|word| sql.contains(word))
        {
            return Some("which of equal values represents them");
        }
    }
    None
}

/// Whether a message is about a statement that cannot be run, whatever is stored.
fn is_mistake(message: &str) -> bool {
    const MISTAKES: [&str; 16] = [
        "error in view",
        "out of range",
        "no such column",
        "no such table",
        "no such function",
        "no such collation",
        "wrong number of arguments",
        "misuse of",
        "row value misused",
        "values for",
        "syntax error",
        "incomplete input",
        "already exists",
        "duplicate column",
        "ambiguous column",
        "prohibited in",
    ];
    MISTAKES.iter().any(|mistake| message.contains(mistake))
}

/// The row after a mark.
fn part<'a>(what: &'a str, mark: &str) -> Option<&'a str> {
    let start = what.rfind(mark)? + mark.len();
    what[start..].split(']').next()
}

/// A row's text in which 1.0 is written as 1.
fn same_numbers(row: &str) -> String {
    row.replace("Real(", "Integer(").replace(".0)", ")")
}
