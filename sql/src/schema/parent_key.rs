//! The parent key of a foreign key: the INTEGER PRIMARY KEY or a UNIQUE index of the parent table.
//!
//! Source: SQLite's `sqlite3FkLocateIndex`; "SQLite Foreign Key Support", section 3.

use super::{ForeignKey, Index, IndexKey, Table};
use std::sync::Arc;

/// Where a foreign key finds its parent rows.
#[derive(Clone, Debug)]
pub struct ParentKey {
    /// The index; none: the rowid.
    pub index: Option<Arc<Index>>,
    /// The columns of the parent table, in the order of the index; the INTEGER PRIMARY KEY's number for the rowid.
    pub parent_columns: Vec<usize>,
    /// The columns of the child table that they correspond to.
    pub child_columns: Vec<usize>,
}

impl ParentKey {
    /// The key of `parent` that a foreign key refers to; none is a mismatch: no UNIQUE index has these columns with
    /// their own collations.
    pub fn find(parent: &Table, key: &ForeignKey) -> Option<ParentKey> {
        if let ([child], Some(alias)) = (&key.columns[..], parent.rowid_alias) {
            let is_alias = key
                .parent_columns
                .as_ref()
                .is_none_or(|columns| parent.columns[alias].name.eq_ignore_ascii_case(&columns[0]));
            if is_alias {
                return Some(ParentKey {
                    index: None,
                    parent_columns: vec![alias],
                    child_columns: vec![*child],
                });
            }
        }
        parent.indexes.iter().find_map(|index| {
            let fits = index.key_count == key.columns.len()
                && index.unique.is_some()
                && index.partial.is_none();
            if !fits {
                return None;
            }
            let child_columns = match &key.parent_columns {
                None if index.is_primary_key() => key.columns.clone(),
                None => return None,
                Some(names) => children_of(parent, index, key, names)?,
            };
            let parent_columns = index.columns[..index.key_count]
                .iter()
                .map(|column| column.key.column().and_then(|n| usize::try_from(n).ok()))
                .collect::<Option<Vec<_>>>()?;
            Some(ParentKey {
                index: Some(index.clone()),
                parent_columns,
                child_columns,
            })
        })
    }
}

/// The child's columns in the order of an index, if it has the columns named.
fn children_of(
    parent: &Table,
    index: &Index,
    key: &ForeignKey,
    names: &[Arc<str>],
) -> Option<Vec<usize>> {
    let mut children = Vec::with_capacity(names.len());
    for column in &index.columns[..index.key_count] {
        let IndexKey::Column(number) = column.key else {
            return None;
        };
        let definition = &parent.columns[number];
        if !column.collation.same(&definition.collation) {
            return None;
        }
        let at = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(&definition.name))?;
        children.push(key.columns[at]);
    }
    Some(children)
}
