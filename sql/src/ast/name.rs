//! Names: identifiers as written, without their quotes.
//!
//! SQLite accepts four kinds of quotes around a name, and each leaves a trace in what the name may
//! mean later: an unresolved `"x"` in an expression is the string `x`, `'x'` is a name only where
//! nothing but a name can stand (an alias, a table), and an unquoted `true` is a constant where
//! `"true"` is a column. So a [`Name`] remembers its quote.
//!
//! Bytes that are not UTF-8 are replaced by U+FFFD in a name's text; the span still leads to them.

use super::Span;
use smol_str::SmolStr;

/// Which quotes stood around a name or a string.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Quote {
    /// None: `name`.
    #[default]
    None,
    /// `"name"`: falls back to a string literal where it names no column.
    Double,
    /// `'name'`: a string, standing where a name is wanted.
    Single,
    /// `` `name` ``, as MySQL writes it.
    Backtick,
    /// `[name]`, as SQL Server writes it.
    Bracket,
}

/// An identifier: table, column, alias, function, collation, schema, …
///
/// `==` compares everything, spans included. To compare names as SQL does, use [`Name::is`] and
/// [`Name::matches`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// The text without quotes, doubled quotes made single. Upper and lower case as written.
    pub text: SmolStr,
    /// Where it stands, quotes included.
    pub span: Span,
    /// The quotes that it had.
    pub quote: Quote,
}

impl Name {
    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is `other`, ASCII case aside: how SQL compares identifiers.
    #[inline]
    pub fn is(&self, other: &str) -> bool {
        self.text.eq_ignore_ascii_case(other)
    }

    /// Whether both are the same identifier, ASCII case aside.
    #[inline]
    pub fn matches(&self, other: &Name) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }

    /// Whether no quotes stood around it: only then may it be a keyword-like constant (`true`, `rowid` is
    /// a name either way).
    #[inline]
    pub fn is_bare(&self) -> bool {
        self.quote == Quote::None
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Display for Name {
    /// The text, without quotes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// `name` or `schema.name`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QualifiedName {
    /// `main`, `temp`, or the name of an attached database.
    pub schema: Option<Name>,
    /// The object's own name.
    pub name: Name,
}

impl QualifiedName {
    /// From the schema (or the name, if there is none) to the end of the name.
    pub fn span(&self) -> Span {
        self.schema
            .as_ref()
            .map_or(self.name.span, |schema| schema.span.to(self.name.span))
    }
}
