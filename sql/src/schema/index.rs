//! Indexes.
//!
//! The record of an index entry, column by column:
//!
//! ```text
//! index of a rowid table:      key columns | rowid
//! index of WITHOUT ROWID:      key columns | those columns of the primary key that are not there already
//! the WITHOUT ROWID table:     primary key, duplicates removed | all other columns
//! ```

use super::column::CollationName;
use super::statistics::Samples;
use crate::ast;
use ringwood_format::key::KeyInfo;
use std::sync::{Arc, OnceLock};

/// Ten times the binary logarithm of a count.
pub type LogEst = i16;

/// What an index column holds.
#[derive(Clone, Debug)]
pub enum IndexKey {
    /// A column of the table, by number.
    Column(usize),
    /// The rowid, at the end of every index of a rowid table.
    Rowid,
    /// An expression over the table's columns.
    Expr(Arc<ast::Expr>),
}

impl IndexKey {
    /// The number of the column, if it is one; -1 for the rowid.
    pub const fn column(&self) -> Option<i32> {
        match self {
            IndexKey::Column(column) => Some(*column as i32),
            IndexKey::Rowid => Some(-1),
            IndexKey::Expr(_) => None,
        }
    }
}

/// A column of an index.
#[derive(Clone, Debug)]
pub struct IndexColumn {
    /// What it holds.
    pub key: IndexKey,
    /// How texts are ordered.
    pub collation: CollationName,
    /// DESC.
    pub desc: bool,
}

/// Where an index comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IndexOrigin {
    /// CREATE INDEX.
    Create,
    /// A UNIQUE constraint.
    Unique,
    /// The primary key.
    PrimaryKey,
}

/// An index.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its name.
    pub name: Arc<str>,
    /// Its table's name.
    pub table: Arc<str>,
    /// Root page; of the primary key of a WITHOUT ROWID table: the table itself. 0 while it is being made.
    pub root: u32,
    /// Key columns, then what makes an entry unique and leads to the row.
    pub columns: Vec<IndexColumn>,
    /// How many of the columns are the key (SQLite's nKeyCol).
    pub key_count: usize,
    /// UNIQUE, and what happens on conflict.
    pub unique: Option<ast::ConflictAction>,
    /// Where it comes from.
    pub origin: IndexOrigin,
    /// The WHERE of a partial index.
    pub partial: Option<Arc<ast::Expr>>,
    /// Whether every key column is NOT NULL, so that UNIQUE means one row (SQLite's uniqNotNull).
    pub unique_not_null: bool,
    /// Whether some key is an expression.
    pub has_expr: bool,
    /// The text of CREATE INDEX; none for those that a constraint made.
    pub sql: Option<Arc<str>>,
    /// Statistics: rows in the index, then rows for each prefix of the key (SQLite's aiRowLogEst).
    pub row_estimates: Vec<LogEst>,
    /// Whether the statistics come from ANALYZE.
    pub has_statistics: bool,
    /// The statistics say `unordered`: not for ranges nor sorting.
    pub unordered: bool,
    /// The statistics say `noskipscan`.
    pub no_skip_scan: bool,
    /// Estimated bytes of an entry, as SQLite's szIdxRow.
    pub entry_size: LogEst,
    /// The samples of `sqlite_stat4`.
    pub samples: Option<Arc<Samples>>,
    /// How its entries are ordered, made when it is first needed, unless the connection's own collations decide it.
    pub key_info: OnceLock<Arc<KeyInfo>>,
}

impl Index {
    /// An index that is made for one statement: `columns` of a table, of which the first `key_count` are looked up.
    pub fn automatic(table: Arc<str>, columns: Vec<IndexColumn>, key_count: usize) -> Index {
        Index {
            name: "auto-index".into(),
            table,
            root: 0,
            columns,
            key_count,
            unique: None,
            origin: IndexOrigin::Create,
            partial: None,
            unique_not_null: false,
            has_expr: false,
            sql: None,
            row_estimates: Vec::new(),
            has_statistics: false,
            unordered: false,
            no_skip_scan: false,
            entry_size: 0,
            samples: None,
            key_info: OnceLock::new(),
        }
    }

    /// Whether it is the primary key of a WITHOUT ROWID table or made by a constraint PRIMARY KEY.
    pub fn is_primary_key(&self) -> bool {
        self.origin == IndexOrigin::PrimaryKey
    }

    /// At which place of the entry a column of the table is; -1 asks for the rowid.
    pub fn position_of(&self, column: i32) -> Option<usize> {
        self.columns
            .iter()
            .position(|c| c.key.column() == Some(column))
    }

    /// Fills the estimates in as SQLite does without ANALYZE: each key column narrows by ten, then by less.
    pub fn default_estimates(&mut self, table_rows: LogEst) {
        const STEPS: [LogEst; 5] = [33, 32, 30, 28, 26];
        let rows = table_rows.max(99) - if self.partial.is_some() { 10 } else { 0 };
        self.row_estimates.clear();
        self.row_estimates.push(rows);
        for i in 0..self.key_count {
            self.row_estimates.push(STEPS.get(i).copied().unwrap_or(23));
        }
        if self.unique.is_some() {
            self.row_estimates[self.key_count] = 0;
        }
    }
}
