//! One trait over the engines that a test compares.

/// A value as a result row holds it. Text need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL
    Null,
    /// INTEGER
    Integer(i64),
    /// REAL
    Real(f64),
    /// TEXT
    Text(Vec<u8>),
    /// BLOB
    Blob(Vec<u8>),
}

impl Cell {
    /// The value as text, as `sqlite3_column_text` converts it; `None` for NULL.
    pub fn to_text(&self) -> Option<Vec<u8>> {
        match self {
            Cell::Null => None,
            Cell::Integer(i) => Some(i.to_string().into_bytes()),
            Cell::Real(r) => {
                let mut out = Vec::new();
                ringwood_format::number::write_real(*r, &mut out);
                Some(out)
            }
            Cell::Text(t) | Cell::Blob(t) => Some(t.clone()),
        }
    }

    /// The value as a real, as `sqlite3_column_double` converts it.
    pub fn to_real(&self) -> f64 {
        match self {
            Cell::Null => 0.0,
            Cell::Integer(i) => *i as f64,
            Cell::Real(r) => *r,
            Cell::Text(t) | Cell::Blob(t) => ringwood_format::number::real_prefix(t),
        }
    }

    /// The value as an integer, as `sqlite3_column_int64` converts it.
    pub fn to_integer(&self) -> i64 {
        match self {
            Cell::Null => 0,
            Cell::Integer(i) => *i,
            Cell::Real(r) => ringwood_format::number::real_to_integer(*r),
            Cell::Text(t) | Cell::Blob(t) => ringwood_format::number::integer_prefix(t),
        }
    }
}

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
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// An engine that runs SQL on one connection.
pub trait Engine {
    /// `sqlite` or `ringwood`.
    fn name(&self) -> &'static str;

    /// Runs all statements of `sql`; the answer is the last one's.
    fn run(&mut self, sql: &str) -> Result<Answer, EngineError>;
}
