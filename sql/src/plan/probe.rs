//! What a loop probes: an index, or the table by rowid, seen alike.

use super::ROWID;
use super::cost::LogEst;
use crate::schema::{Index, IndexKey, Table};

/// What is probed: an index, or the table by rowid.
#[derive(Clone, Copy)]
pub(super) struct Probe<'q> {
    pub(super) index: Option<u16>,
    pub(super) table: &'q Table,
    pub(super) key: Option<&'q Index>,
    pub(super) estimate: LogEst,
}

impl Probe<'_> {
    pub(super) fn key_count(&self) -> u16 {
        self.key.map_or(1, |k| k.key_count as u16)
    }

    pub(super) fn column_count(&self) -> u16 {
        self.key.map_or(1, |k| k.columns.len() as u16)
    }

    pub(super) fn rows(&self, prefix: u16) -> LogEst {
        match self.key {
            Some(k) => k
                .row_estimates
                .get(usize::from(prefix))
                .copied()
                .unwrap_or(0),
            None if prefix == 0 => self.estimate,
            None => 0,
        }
    }

    pub(super) fn is_primary_key(&self) -> bool {
        self.key.is_some_and(Index::is_primary_key)
    }

    /// The table column at a place of the index, or ROWID; none for an expression.
    pub(super) fn column(&self, position: u16) -> Option<i16> {
        match self.key {
            None => Some(ROWID),
            Some(k) => match &k.columns[usize::from(position)].key {
                IndexKey::Rowid => Some(ROWID),
                IndexKey::Column(c) => Some(*c as i16),
                IndexKey::Expr(_) => None,
            },
        }
    }

    pub(super) fn column_not_null(&self, position: u16) -> bool {
        match self.column(position) {
            Some(c) if c >= 0 => self.table.columns[c as usize].not_null.is_some(),
            Some(_) => true,
            None => false,
        }
    }
}
