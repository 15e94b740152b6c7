//! Stock SQLite, asked whether it takes a statement.

use rusqlite::{Connection, Error};

/// An empty database of stock SQLite.
pub struct Oracle {
    connection: Connection,
}

/// Why stock SQLite refuses a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub message: String,
    pub offset: Option<u32>,
}

impl Oracle {
    pub fn new() -> Self {
        Self {
            connection: Connection::open_in_memory().expect("a database in memory"),
        }
    }

    /// A database with the tables that statements of tests name most often.
    pub fn with_tables() -> Self {
        let oracle = Self::new();
        oracle.run("CREATE TABLE t1(a, b, c); CREATE TABLE t2(a, b, c); CREATE TABLE a1(a); CREATE VIEW v1 AS SELECT 1 AS a");
        oracle
    }

    /// The text that `query` yields.
    pub fn text(&self, query: &str) -> String {
        self.connection
            .query_row(query, [], |row| row.get(0))
            .expect(query)
    }

    /// The text that `query` yields, or why it does not.
    pub fn value(&self, query: &str) -> Result<String, String> {
        let row = self.connection.query_row(query, [], |row| row.get(0));
        row.map_err(|error| match error {
            Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        })
    }

    /// Runs `sql` for its effect.
    pub fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).expect(sql);
    }

    /// Prepares the first statement of `sql`.
    ///
    /// rusqlite wants UTF-8; other texts are not asked about.
    pub fn prepare(&self, sql: &[u8]) -> Result<(), Refusal> {
        let sql = std::str::from_utf8(sql).expect("UTF-8");
        match self.connection.prepare(sql) {
            Ok(_) => Ok(()),
            Err(Error::SqlInputError { msg, offset, .. }) => Err(Refusal {
                message: msg,
                offset: u32::try_from(offset).ok(),
            }),
            Err(Error::SqliteFailure(_, Some(message))) => Err(Refusal {
                message,
                offset: None,
            }),
            Err(Error::MultipleStatement) => Ok(()),
            Err(other) => Err(Refusal {
                message: other.to_string(),
                offset: None,
            }),
        }
    }
}
