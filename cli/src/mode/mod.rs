//! Output modes: how a result becomes text.
//!
//! ```text
//!  Statement ──(Row)──> rows::push_row      one row at a time: list, csv, line, json, insert, …
//!            ──(Row)──> columns::Grid       all rows first, then widths: column, table, box, markdown
//!            ──(Row)──> plan::Plan, Listing EXPLAIN QUERY PLAN as a tree, EXPLAIN with loops indented
//! ```
//!
//! Every byte is what sqlite3's shell prints (3.40). Modes that print row by row allocate nothing per row.

pub mod columns;
pub mod plan;
pub mod quote;
pub mod real;
pub mod rows;
pub mod schema_text;

use ringwood::ValueRef;

/// The modes, by the names that `.mode` knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `name = value`, a line per value.
    Line,
    /// Aligned columns.
    Column,
    /// Values with a separator between them.
    List,
    /// Rows of an HTML table.
    Html,
    /// INSERT statements.
    Insert,
    /// SQL literals.
    Quote,
    /// C strings.
    Tcl,
    /// Comma-separated values.
    Csv,
    /// The listing of EXPLAIN.
    Explain,
    /// Unit and record separators.
    Ascii,
    /// An array of objects.
    Json,
    /// A Markdown table.
    Markdown,
    /// A table of ASCII characters.
    Table,
    /// A table of box-drawing characters.
    Box,
    /// Only the number of rows.
    Count,
    /// Nothing.
    Off,
    /// The tree of EXPLAIN QUERY PLAN.
    QueryPlan,
}

impl Mode {
    /// The name that `.show` prints.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Line => "line",
            Mode::Column => "column",
            Mode::List => "list",
            Mode::Html => "html",
            Mode::Insert => "insert",
            Mode::Quote => "quote",
            Mode::Tcl => "tcl",
            Mode::Csv => "csv",
            Mode::Explain => "explain",
            Mode::Ascii => "ascii",
            Mode::Json => "json",
            Mode::Markdown => "markdown",
            Mode::Table => "table",
            Mode::Box => "box",
            Mode::Count => "count",
            Mode::Off => "off",
            Mode::QueryPlan => "eqp",
        }
    }

    /// Whether all rows must be there before the first is printed.
    pub fn is_columnar(self) -> bool {
        matches!(
            self,
            Mode::Column | Mode::Table | Mode::Box | Mode::Markdown
        )
    }
}

/// Options of the columnar modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wrapping {
    /// Longest line of a value, in characters; 0 for any.
    pub width: usize,
    /// Break lines between words.
    pub at_words: bool,
    /// Print values as SQL literals.
    pub quote: bool,
}

/// Everything that decides how a result looks.
#[derive(Clone, Debug)]
pub struct Format {
    /// The mode.
    pub mode: Mode,
    /// Between the values of a row.
    pub column_separator: Vec<u8>,
    /// After a row.
    pub row_separator: Vec<u8>,
    /// What stands for NULL.
    pub null: Vec<u8>,
    /// Whether column names are printed.
    pub header: bool,
    /// Widths of the columnar modes; negative to align right, 0 for as wide as needed.
    pub widths: Vec<i32>,
    /// Options of the columnar modes.
    pub wrapping: Wrapping,
    /// The table of mode `insert`, quoted.
    pub table: Vec<u8>,
    /// Whether mode `insert` leaves newlines in strings.
    pub keep_newlines: bool,
}

impl Format {
    /// Mode `list`, as the shell starts.
    pub fn new() -> Format {
        Format {
            mode: Mode::List,
            column_separator: b"|".to_vec(),
            row_separator: b"\n".to_vec(),
            null: Vec::new(),
            header: false,
            widths: Vec::new(),
            wrapping: Wrapping::default(),
            table: b"\"table\"".to_vec(),
            keep_newlines: false,
        }
    }

    /// Sets both separators.
    pub fn separators(&mut self, column: &[u8], row: &[u8]) {
        self.column_separator = column.to_vec();
        self.row_separator = row.to_vec();
    }
}

/// A row of a result, and the names of its columns.
pub trait Row {
    /// How many columns.
    fn len(&self) -> usize;
    /// The name of column `i`.
    fn name(&self, i: usize) -> &str;
    /// The value in column `i`.
    fn value(&self, i: usize) -> ValueRef<'_>;
}

impl Row for ringwood::local::Statement {
    #[inline]
    fn len(&self) -> usize {
        self.column_count()
    }

    #[inline]
    fn name(&self, i: usize) -> &str {
        self.column_name(i)
    }

    #[inline]
    fn value(&self, i: usize) -> ValueRef<'_> {
        self.column(i)
    }
}

/// Appends a value as SQL's conversion to text gives it, up to a NUL; NULL as `null`.
#[inline]
pub fn push_text(value: ValueRef<'_>, null: &[u8], out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.extend_from_slice(null),
        ValueRef::Integer(i) => ringwood_format::number::push_integer(i, out),
        ValueRef::Real(r) => ringwood_format::number::push_real(r, out),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            out.extend_from_slice(quote::printable(text));
        }
    }
}
