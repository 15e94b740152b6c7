//! What statements ask a table for again and again, made when it is first asked for.
//!
//! Rules:
//! 1. Everything here follows from the table's name, columns and indexes: who changes one of these empties it.
//! 2. A copy of a table starts with nothing, because copies are made to be changed.

use super::index::{Index, IndexKey};
use super::table::Table;
use ringwood_format::affinity::Affinity;
use std::sync::{Arc, OnceLock};

/// What is remembered of a table.
#[derive(Debug, Default)]
pub struct Memo {
    affinities: OnceLock<Arc<[u8]>>,
    rowid_text: OnceLock<Arc<[u8]>>,
    keys: OnceLock<Box<[Key]>>,
}

/// What is remembered of an index.
#[derive(Debug)]
struct Key {
    affinities: Arc<[u8]>,
    text: Arc<[u8]>,
}

impl Clone for Memo {
    /// Rule 2.
    fn clone(&self) -> Memo {
        Memo::default()
    }
}

impl Table {
    /// The affinity letters of the stored columns, without those at the end that change nothing (SQLite's
    /// sqlite3TableAffinity). May be empty.
    pub fn affinity_letters(&self) -> &Arc<[u8]> {
        self.memo.affinities.get_or_init(|| {
            let stored = self.columns.iter().filter(|column| !column.is_virtual());
            let mut letters: Vec<u8> = stored.map(|column| column.affinity as u8).collect();
            while letters
                .last()
                .is_some_and(|letter| *letter <= Affinity::Blob as u8)
            {
                letters.pop();
            }
            letters.into()
        })
    }

    /// What the message about a rowid that is there already names: `t.id`, `t.rowid`.
    pub fn rowid_text(&self) -> &Arc<[u8]> {
        self.memo.rowid_text.get_or_init(|| {
            let column = self
                .rowid_alias
                .map_or("rowid", |alias| &self.columns[alias].name);
            format!("{}.{column}", self.name).into_bytes().into()
        })
    }

    /// The affinities of the key columns of an index, for making a key (SQLite's sqlite3IndexAffinityStr).
    pub fn key_affinities(&self, index: &Index) -> Arc<[u8]> {
        match self.key(index) {
            Some(key) => key.affinities.clone(),
            None => self.affinities_of(index),
        }
    }

    /// What the message about a key of an index that is there already names: `t.a, t.b`.
    pub fn key_text(&self, index: &Index) -> Arc<[u8]> {
        match self.key(index) {
            Some(key) => key.text.clone(),
            None => self.text_of(index).into_bytes().into(),
        }
    }

    /// None for an index that is not the table's yet.
    fn key(&self, index: &Index) -> Option<&Key> {
        let own = |other: &Arc<Index>| std::ptr::eq(&raw const **other, index);
        let n = self.indexes.iter().position(own)?;
        let keys = self.memo.keys.get_or_init(|| {
            let keys = self.indexes.iter().map(|index| Key {
                affinities: self.affinities_of(index),
                text: self.text_of(index).into_bytes().into(),
            });
            keys.collect()
        });
        keys.get(n)
    }

    fn affinities_of(&self, index: &Index) -> Arc<[u8]> {
        let letters = index.columns[..index.key_count]
            .iter()
            .map(|column| match column.key {
                IndexKey::Column(number) => (self.columns[number].affinity as u8).clamp(b'A', b'C'),
                IndexKey::Rowid => b'D',
                IndexKey::Expr(_) => b'A',
            });
        letters.collect()
    }

    fn text_of(&self, index: &Index) -> String {
        if index.has_expr {
            return format!("index '{}'", index.name);
        }
        let names = index.columns[..index.key_count]
            .iter()
            .map(|column| match column.key {
                IndexKey::Column(number) => format!("{}.{}", self.name, self.columns[number].name),
                IndexKey::Rowid | IndexKey::Expr(_) => format!("{}.rowid", self.name),
            });
        names.collect::<Vec<_>>().join(", ")
    }
}
