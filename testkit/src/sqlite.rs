//! The oracle: stock SQLite, linked through rusqlite.

use std::path::Path;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;

use crate::engine::{Answer, Cell, Engine, EngineError};

/// A connection to stock SQLite.
pub struct Sqlite {
    /// The connection, for what the trait does not cover.
    pub connection: rusqlite::Connection,
}

impl Sqlite {
    /// An in-memory database.
    pub fn memory() -> Sqlite {
        Sqlite {
            connection: rusqlite::Connection::open_in_memory().expect("stock SQLite opens memory"),
        }
    }

    /// A file.
    pub fn open(path: &Path) -> Result<Sqlite, EngineError> {
        rusqlite::Connection::open(path)
            .map(|connection| Sqlite { connection })
            .map_err(convert)
    }
}

fn convert(error: rusqlite::Error) -> EngineError {
    match error {
        rusqlite::Error::SqliteFailure(e, message) => EngineError {
            code: e.extended_code,
            message: message.unwrap_or_else(|| e.to_string()),
            offset: None,
        },
        rusqlite::Error::SqlInputError {
            error, msg, offset, ..
        } => EngineError {
            code: error.extended_code,
            message: msg,
            offset: u32::try_from(offset).ok(),
        },
        other => EngineError {
            code: 1,
            message: other.to_string(),
            offset: None,
        },
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(i) => Cell::Integer(i),
        ValueRef::Real(r) => Cell::Real(r),
        ValueRef::Text(t) => Cell::Text(t.to_vec()),
        ValueRef::Blob(b) => Cell::Blob(b.to_vec()),
    }
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn run(&mut self, sql: &str) -> Result<Answer, EngineError> {
        let mut answer = Answer::default();
        let mut batch = rusqlite::Batch::new(&self.connection, sql);
        while let Some(mut statement) = batch.next().map_err(convert)? {
            answer.columns = statement.column_names().map(str::to_owned).collect();
            let types = statement.columns();
            answer.types = types
                .map(|column| column.decl_type().map(str::to_owned))
                .collect();
            answer.rows.clear();
            let width = statement.column_count();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(convert)? {
                answer.rows.push(
                    (0..width)
                        .map(|i| cell(row.get_ref(i).expect("column in range")))
                        .collect(),
                );
            }
        }
        Ok(answer)
    }

    fn changes(&self) -> u64 {
        self.connection.changes()
    }

    fn total_changes(&self) -> u64 {
        self.connection.total_changes()
    }

    fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}
