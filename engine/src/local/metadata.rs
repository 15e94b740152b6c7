//! What is known of a table's column, for callers that ask without a statement.
//!
//! Source: SQLite's `sqlite3_table_column_metadata`.

use std::sync::Arc;

use ringwood_sql::schema::TableKind;
use ringwood_vdbe::ResultCode;

use super::LocalConnection;
use crate::error::{Error, Result};

/// A column of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnMetadata {
    /// The declared type.
    pub decl_type: Option<Arc<str>>,
    /// The name of its collation.
    pub collation: Arc<str>,
    /// NOT NULL.
    pub not_null: bool,
    /// Part of the primary key.
    pub primary_key: bool,
    /// AUTOINCREMENT.
    pub autoincrement: bool,
}

impl LocalConnection {
    /// What is known of a column, or with `None` of the rowid; the table is looked for in `database`, or in all.
    ///
    /// # Errors
    /// `SQLITE_ERROR` if there is no such table or column, or the table is a view.
    pub fn column_metadata(
        &self,
        database: Option<&str>,
        table: &str,
        column: Option<&str>,
    ) -> Result<Option<ColumnMetadata>> {
        let io = self.inner.io.clone();
        let schema = io.block_on(async {
            let mut env = self.inner.enter().await;
            self.inner.schema(&mut env).await
        })?;
        let missing = || {
            let name = match column {
                Some(column) => format!("no such table column: {table}.{column}"),
                None => format!("no such table column: {table}.NULL"),
            };
            Error::from_code(ResultCode::ERROR, name)
        };
        let db = match database {
            Some(name) => Some(schema.db_index(name).ok_or_else(missing)?),
            None => None,
        };
        let (_, found) = schema.find_table(db, table).ok_or_else(missing)?;
        if matches!(found.kind, TableKind::View { .. }) {
            return Err(missing());
        }
        let rowid = || ColumnMetadata {
            decl_type: Some("INTEGER".into()),
            collation: "BINARY".into(),
            not_null: false,
            primary_key: true,
            autoincrement: false,
        };
        let Some(column) = column else {
            return Ok(None);
        };
        let at = found
            .columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(column));
        let is_rowid = ["rowid", "_rowid_", "oid"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(column));
        let at = match at {
            Some(at) => at,
            None if is_rowid && !found.without_rowid => match found.rowid_alias {
                Some(at) => at,
                None => return Ok(Some(rowid())),
            },
            None => return Err(missing()),
        };
        let c = &found.columns[at];
        Ok(Some(ColumnMetadata {
            decl_type: c.decl_type.clone(),
            collation: c.collation.as_str().into(),
            not_null: c.not_null.is_some(),
            primary_key: c.primary_key,
            autoincrement: found.rowid_alias == Some(at) && found.autoincrement,
        }))
    }
}
