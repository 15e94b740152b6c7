//! What may be wrong with a statement before any name in it is looked up.

use std::fmt;

/// Why a text is no statement: SQLite's message (through [`Display`](fmt::Display)) and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Byte offset into the text given to the parser, where SQLite tells one (sqlite3_error_offset). Note that
    /// SQLite counts from the start of the text given to sqlite3_prepare: of a later statement of a script,
    /// that is the end of the one before.
    pub offset: Option<u32>,
}

/// The ways in which a statement can be wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A token that cannot stand there.
    Near(String),
    /// The text ends within a statement.
    Incomplete,
    /// Bytes that are no token.
    UnrecognizedToken(String),
    /// An expression deeper than the limit.
    ExpressionTooDeep(u32),
    /// Nested more deeply than the parser's stack.
    RecursionLimit,
    /// `?N` out of range.
    VariableNumber(u32),
    /// More variables than the limit.
    TooManyVariables,
    /// Any other of SQLite's messages.
    Other(String),
    /// The text is longer than the limit: SQLITE_TOOBIG.
    TooBig,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseErrorKind::Near(text) => write!(f, "near \"{text}\": syntax error"),
            ParseErrorKind::Incomplete => f.write_str("incomplete input"),
            ParseErrorKind::UnrecognizedToken(text) => write!(f, "unrecognized token: \"{text}\""),
            ParseErrorKind::ExpressionTooDeep(max) => {
                write!(f, "Expression tree is too large (maximum depth {max})")
            }
            ParseErrorKind::RecursionLimit => f.write_str("Recursion limit"),
            ParseErrorKind::VariableNumber(max) => {
                write!(f, "variable number must be between ?1 and ?{max}")
            }
            ParseErrorKind::TooManyVariables => f.write_str("too many SQL variables"),
            ParseErrorKind::Other(text) => f.write_str(text),
            ParseErrorKind::TooBig => f.write_str("statement too long"),
        }
    }
}

impl std::error::Error for ParseError {}
