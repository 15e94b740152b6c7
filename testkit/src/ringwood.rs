//! The engine under test.

use std::path::Path;

use ringwood::{LocalConnection, ValueRef};

use crate::engine::{Answer, Cell, Engine, EngineError};

/// A connection to Ringwood.
pub struct Ringwood {
    /// The connection, for what the trait does not cover.
    pub connection: LocalConnection,
}

impl Ringwood {
    /// An in-memory database.
    pub fn memory() -> Ringwood {
        Ringwood {
            connection: LocalConnection::open_in_memory().expect("memory opens"),
        }
    }

    /// A file.
    pub fn open(path: &Path) -> Result<Ringwood, EngineError> {
        LocalConnection::open(path)
            .map(|connection| Ringwood { connection })
            .map_err(|e| convert(&e))
    }
}

fn convert(error: &ringwood::Error) -> EngineError {
    EngineError {
        code: error.extended_code(),
        message: error.message(),
        offset: error.offset(),
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

impl Engine for Ringwood {
    fn name(&self) -> &'static str {
        "ringwood"
    }

    fn run(&mut self, sql: &str) -> Result<Answer, EngineError> {
        let mut answer = Answer::default();
        let mut rest = sql;
        while let Some((mut statement, tail)) = self
            .connection
            .prepare_next(rest)
            .map_err(|e| convert(&e))?
        {
            let width = statement.column_count();
            answer.columns = (0..width)
                .map(|i| statement.column_name(i).to_owned())
                .collect();
            let columns = statement.columns();
            answer.types = columns
                .iter()
                .map(|column| column.decl_type.map(str::to_owned))
                .collect();
            answer.rows.clear();
            while statement.step().map_err(|e| convert(&e))? {
                answer
                    .rows
                    .push((0..width).map(|i| cell(statement.column(i))).collect());
            }
            rest = &rest[tail..];
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
