//! One trait over the engines that a test compares.

/// A value as a result row holds it. Text need not be UTF-8.
pub use ringwood_format::value::Value as Cell;

/// What a statement failed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// SQLite's extended result code.
    pub code: i32,
    /// The message.
    pub message: String,
    /// Byte offset of the offending token.
    pub offset: Option<u32>,
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// The rows of one statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Result column names.
    pub columns: Vec<String>,
    /// The types that the columns behind them were declared with.
    pub types: Vec<Option<String>>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// An engine that runs SQL on one connection.
pub trait Engine {
    /// `sqlite` or `ringwood`.
    fn name(&self) -> &'static str;

    /// Runs all statements of `sql`; the answer is the last one's.
    fn run(&mut self, sql: &str) -> Result<Answer, EngineError>;

    /// Rows changed by the last statement that changed some.
    fn changes(&self) -> u64;

    /// Rows changed since the connection was opened, by triggers and keys too.
    fn total_changes(&self) -> u64;

    /// The rowid of the last insert.
    fn last_insert_rowid(&self) -> i64;
}
