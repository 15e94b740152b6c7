//! Statistics of ANALYZE: rows of `sqlite_stat1` and `sqlite_stat4` put into tables and indexes.
//!
//! The text of an index in `sqlite_stat1` is its number of rows, then for each prefix of its key the average number of
//! rows that share it; words may follow (`unordered`, `noskipscan`, `sz=N`).
//!
//! A row of `sqlite_stat4` is one entry of an index, and for each prefix of it:
//!
//! | column | what is counted |
//! |---|---|
//! | neq | entries with the same prefix |
//! | nlt | entries with a smaller prefix |
//! | ndlt | different smaller prefixes |
//! | sample | the entry, a record |
//!
//! Source: "The ANALYZE command"; SQLite's `analysisLoader`, `decodeIntArray`, `loadStatTbl`, `initAvgEq`.

use super::{Index, LogEst, Table};
use crate::plan::cost::log_est;
use std::sync::Arc;

/// One entry of an index, and how many others stand before it.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Entries that share its first n + 1 columns.
    pub equal: Vec<u64>,
    /// Entries whose first n + 1 columns are smaller.
    pub less: Vec<u64>,
    /// Different values of the first n + 1 columns that are smaller.
    pub distinct_less: Vec<u64>,
    /// The entry.
    pub record: Vec<u8>,
}

/// The samples of an index, in its order.
#[derive(Clone, Debug)]
pub struct Samples {
    /// How many columns of an entry were counted.
    pub width: usize,
    /// How many entries the index has.
    pub rows: u64,
    /// For each prefix: how many entries share one that is in no sample.
    pub average: Vec<u64>,
    /// The samples; at least one.
    pub list: Vec<Sample>,
}

/// A row of `sqlite_stat4`.
#[derive(Clone, Debug)]
pub struct SampleRow {
    /// The index, or the WITHOUT ROWID table.
    pub index: String,
    /// The three texts: neq, nlt, ndlt.
    pub counts: [String; 3],
    /// The entry.
    pub record: Vec<u8>,
}

/// Puts one row of `sqlite_stat1` into a table, or one of its indexes; the numbers of an index, as they were written. A
/// row for an index that is not there is ignored.
pub(super) fn apply(
    table: &mut Table,
    index: Option<&str>,
    stat: &str,
) -> Option<(Arc<str>, Vec<u64>)> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut words = Vec::new();
    for word in stat.split_ascii_whitespace() {
        match word.parse::<u64>() {
            Ok(n) if words.is_empty() => numbers.push(n),
            _ => words.push(word),
        }
    }
    let rows = log_est(*numbers.first()?);
    let Some(name) = index else {
        table.row_estimate = rows;
        table.has_statistics = true;
        if let Some(size) = words.iter().find_map(|word| size_of(word)) {
            table.row_size = size;
        }
        return None;
    };
    let index = Arc::make_mut(find(table, name)?);
    for (estimate, n) in index.row_estimates.iter_mut().zip(&numbers) {
        *estimate = log_est(*n);
    }
    index.has_statistics = true;
    for word in words {
        if let Some(size) = size_of(word) {
            index.entry_size = size;
        } else if word.starts_with("unordered") {
            index.unordered = true;
        } else if word.starts_with("noskipscan") {
            index.no_skip_scan = true;
        }
    }
    let name = index.name.clone();
    if index.partial.is_none() {
        table.row_estimate = rows;
        table.has_statistics = true;
    }
    Some((name, numbers))
}

/// `sz=N`
fn size_of(word: &str) -> Option<LogEst> {
    let size = word.strip_prefix("sz=")?.parse::<u64>().ok()?;
    Some(log_est(size.max(2)))
}

/// The index of that name; the primary key of a WITHOUT ROWID table goes under the table's name.
fn find<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Arc<Index>> {
    let is_table = table.without_rowid && name.eq_ignore_ascii_case(&table.name);
    table
        .indexes
        .iter_mut()
        .find(|index| index.name.eq_ignore_ascii_case(name) || (is_table && index.is_primary_key()))
}

/// Puts the samples of an index into it, if it is one of this table's. `counts` are its numbers in `sqlite_stat1`.
pub(super) fn apply_samples(
    table: &mut Table,
    name: &str,
    rows: &[SampleRow],
    counts: Option<&[u64]>,
) {
    let without_rowid = table.without_rowid;
    let Some(index) = find(table, name) else {
        return;
    };
    let width = if without_rowid && index.is_primary_key() {
        index.key_count
    } else {
        index.columns.len()
    };
    let list: Vec<Sample> = rows
        .iter()
        .map(|row| {
            let [equal, less, distinct_less] = &row.counts;
            Sample {
                equal: numbers(equal, width),
                less: numbers(less, width),
                distinct_less: numbers(distinct_less, width),
                record: row.record.clone(),
            }
        })
        .collect();
    if list.is_empty() || width == 0 {
        return;
    }
    let mut samples = Samples {
        width,
        rows: 0,
        average: vec![1; width],
        list,
    };
    // The last column makes every entry different.
    for column in 0..(width - 1).max(1) {
        samples.average(column, index.key_count, counts);
    }
    Arc::make_mut(index).samples = Some(Arc::new(samples));
    table.has_samples = true;
}

/// The first `count` numbers of a text; 0 for what is missing.
fn numbers(text: &str, count: usize) -> Vec<u64> {
    let mut words = text.split(' ').map(|word| word.parse().unwrap_or(0));
    (0..count).map(|_| words.next().unwrap_or(0)).collect()
}

impl Samples {
    /// How many entries share a prefix that is in no sample, on average: what the samples do not account for.
    fn average(&mut self, column: usize, key_count: usize, counts: Option<&[u64]>) {
        let Some(last) = self.list.last() else { return };
        let known = counts.filter(|_| column < key_count).and_then(|counts| {
            let shared = *counts.get(column + 1)?;
            (shared != 0).then_some((counts[0], shared))
        });
        let mut seen = self.list.len();
        let (rows, distinct) = match known {
            Some((rows, shared)) => (rows, rows.saturating_mul(100) / shared),
            None => {
                seen -= 1;
                let distinct = last.distinct_less[column].saturating_mul(100);
                (last.less[column], distinct)
            }
        };
        self.rows = rows;
        let (mut sum, mut counted) = (0u64, 0u64);
        for (i, sample) in self.list[..seen].iter().enumerate() {
            let next = self.list.get(i + 1);
            if next.is_none_or(|n| n.distinct_less[column] != sample.distinct_less[column]) {
                sum = sum.saturating_add(sample.equal[column]);
                counted += 100;
            }
        }
        if distinct > counted && sum < rows {
            let rest = (rows - sum).saturating_mul(100) / (distinct - counted);
            self.average[column] = rest.max(1);
        }
    }
}
