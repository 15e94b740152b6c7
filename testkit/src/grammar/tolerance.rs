//! Differences that are not errors, each class with its reason: those of COMPAT.md's "Differences".

use crate::compare::Difference;
use crate::engine::{Cell, Engine};

/// A class of documented differences.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// `1` and `1.0` are equal: which of them stands for a group, a DISTINCT row or the end of an order is the plan's
    /// choice.
    EqualValues,
    /// Of several definitions that mean nothing any more, ALTER TABLE names another one.
    BrokenDefinitions,
    /// A view that means nothing any more: stock SQLite may have its columns from before, and meets the error later or
    /// not at all.
    BrokenView,
    /// An aggregate of a query around, in a query that another one is flattened into: stock SQLite takes it for the
    /// inner query's.
    OuterAggregate,
    /// RENAME COLUMN of the INTEGER key of a WITHOUT ROWID table that a UNIQUE constraint has too: stock SQLite leaves
    /// the old name in the definition and refuses.
    RenamedKey,
}

impl Class {
    /// What a summary calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Class::EqualValues => "which of equal values represents them",
            Class::BrokenDefinitions => "which of several broken definitions ALTER TABLE names",
            Class::BrokenView => "views that mean nothing any more",
            Class::OuterAggregate => "aggregates of a query around, behind a flattened subquery",
            Class::RenamedKey => "renaming a key that stock SQLite refuses",
        }
    }
}

/// The class of a difference, if it is documented. `stock` has just answered the statement.
pub fn class(difference: &Difference, stock: &mut dyn Engine) -> Option<Class> {
    let what = &difference.what;
    let errors = what
        .strip_prefix("expected error ")
        .and_then(|rest| rest.split_once(", got "));
    let alters = difference.sql.starts_with("ALTER");
    if let Some((theirs, ours)) = errors {
        if alters && theirs.starts_with("error in ") && ours.starts_with("error in ") {
            return Some(Class::BrokenDefinitions);
        }
        // Which one of several is met last, or that none is met and the statement runs into something else.
        let is_misuse = |message: &str| message.starts_with("misuse of aggregate: ");
        if is_misuse(ours)
            && (is_misuse(theirs)
                || theirs.contains(" columns assigned ")
                || !theirs.ends_with("(1) at None"))
        {
            return Some(Class::OuterAggregate);
        }
        return uses_broken_view(&difference.sql, stock).then_some(Class::BrokenView);
    }
    let only_theirs = what.strip_prefix("expected error: ");
    let only_ours = what
        .split_once(" rows, got error: ")
        .map(|(_, error)| error);
    if let Some(error) = only_theirs.or(only_ours) {
        return one_sided(&difference.sql, error, only_theirs.is_some(), stock);
    }
    equal_values(difference).then_some(Class::EqualValues)
}

/// An error that only one of them answers.
fn one_sided(sql: &str, error: &str, theirs: bool, stock: &mut dyn Engine) -> Option<Class> {
    if error.starts_with("misuse of aggregate: ") {
        return Some(Class::OuterAggregate);
    }
    let renames = sql.starts_with("ALTER") && sql.contains("RENAME");
    if theirs && renames && error.contains("after rename: no such column") {
        return Some(Class::RenamedKey);
    }
    uses_broken_view(sql, stock).then_some(Class::BrokenView)
}

/// Whether a statement names a view that stock SQLite cannot query, or changes definitions while there is one.
fn uses_broken_view(sql: &str, stock: &mut dyn Engine) -> bool {
    let list = "SELECT name FROM temp.sqlite_schema WHERE type='view' \
                UNION SELECT name FROM sqlite_schema WHERE type='view'";
    let Ok(views) = stock.run(list) else {
        return false;
    };
    let alters = sql.starts_with("ALTER");
    views.rows.iter().any(|row| {
        let [Cell::Text(name)] = &row[..] else {
            return false;
        };
        let name = String::from_utf8_lossy(name);
        (alters || sql.contains(&*name))
            && stock
                .run(&format!("SELECT * FROM \"{name}\" LIMIT 0"))
                .is_err()
    })
}

fn equal_values(difference: &Difference) -> bool {
    let sql = difference.sql.to_ascii_lowercase();
    let what = &difference.what;
    if !what.contains("Real(") && !what.contains("Integer(") {
        return false;
    }
    let (Some(expected), Some(got)) = (part(what, "expected ["), part(what, "got [")) else {
        return false;
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
    same_numbers(expected) == same_numbers(got) && groups.iter().any(|word| sql.contains(word))
}

/// The row after a mark.
fn part<'a>(what: &'a str, mark: &str) -> Option<&'a str> {
    let start = what.rfind(mark)? + mark.len();
    what[start..].split(']').next()
}

/// A row's text in which 1.0 is written as 1.
fn same_numbers(row: &str) -> String {
    row.replace("Real(-0.0", "Integer(0")
        .replace("Real(", "Integer(")
        .replace(".0)", ")")
}
