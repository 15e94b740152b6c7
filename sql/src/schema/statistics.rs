//! Statistics of ANALYZE: rows of `sqlite_stat1` put into tables and indexes.
//!
//! The text of an index is its number of rows, then for each prefix of its key the average number of rows that share
//! it; words may follow (`unordered`, `noskipscan`, `sz=N`).
//!
//! Source: "The ANALYZE command"; SQLite's `analysisLoader`, `decodeIntArray`.

use super::{LogEst, Table};
use crate::plan::cost::log_est;
use std::sync::Arc;

/// Puts one row into a table, or one of its indexes. A row for an index that is not there is ignored.
pub(super) fn apply(table: &mut Table, index: Option<&str>, stat: &str) {
    let mut numbers: Vec<LogEst> = Vec::new();
    let mut words = Vec::new();
    for word in stat.split_ascii_whitespace() {
        match word.parse::<u64>() {
            Ok(n) if words.is_empty() => numbers.push(log_est(n)),
            _ => words.push(word),
        }
    }
    let Some(&rows) = numbers.first() else { return };
    let Some(name) = index else {
        table.row_estimate = rows;
        table.has_statistics = true;
        return;
    };
    // The primary key of a WITHOUT ROWID table goes under the table's name.
    let is_table = name.eq_ignore_ascii_case(&table.name);
    let found = table.indexes.iter_mut().find(|index| {
        index.name.eq_ignore_ascii_case(name) || (is_table && index.is_primary_key())
    });
    let Some(index) = found else { return };
    let index = Arc::make_mut(index);
    for (estimate, n) in index.row_estimates.iter_mut().zip(&numbers) {
        *estimate = *n;
    }
    index.has_statistics = true;
    for word in words {
        match word.split_once('=') {
            Some(("sz", size)) => {
                index.entry_size = size
                    .parse()
                    .map_or(index.entry_size, |n: u64| log_est(n.max(2)));
            }
            _ if word.starts_with("unordered") => index.unordered = true,
            _ if word.starts_with("noskipscan") => index.no_skip_scan = true,
            _ => {}
        }
    }
    if index.partial.is_none() {
        table.row_estimate = rows;
        table.has_statistics = true;
    }
}
