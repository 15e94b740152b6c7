//! Columns of tables.

use crate::ast;
use ringwood_format::affinity::Affinity;
use ringwood_format::collation::Collation;
use ringwood_vdbe::P4;
use std::sync::Arc;

/// A collation by name (rule 3 of the schema).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CollationName {
    /// `BINARY`
    #[default]
    Binary,
    /// `NOCASE`
    NoCase,
    /// `RTRIM`
    Rtrim,
    /// Any other name.
    Other(Arc<str>),
}

impl CollationName {
    /// From the name in the text.
    pub fn new(name: &str) -> CollationName {
        match Collation::builtin(name) {
            Some(Collation::Binary) => CollationName::Binary,
            Some(Collation::NoCase) => CollationName::NoCase,
            Some(Collation::Rtrim) => CollationName::Rtrim,
            Some(Collation::Custom(_)) | None => CollationName::Other(name.into()),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            CollationName::Binary => "BINARY",
            CollationName::NoCase => "NOCASE",
            CollationName::Rtrim => "RTRIM",
            CollationName::Other(name) => name,
        }
    }

    /// Whether it is the same name, without regard to case.
    pub fn same(&self, other: &CollationName) -> bool {
        match (self, other) {
            (CollationName::Other(a), CollationName::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }
}

/// A generated column.
#[derive(Clone, Debug)]
pub struct Generated {
    /// What it computes.
    pub expr: Arc<ast::Expr>,
    /// STORED; else VIRTUAL.
    pub stored: bool,
}

/// A DEFAULT clause.
#[derive(Clone, Debug)]
pub struct Default {
    /// The value.
    pub expr: Arc<ast::Expr>,
    /// Its text, as `PRAGMA table_info` shows it.
    pub text: Arc<str>,
    /// The value after the column's affinity, if it is a literal, as the fourth operand of `Column`: what rows that
    /// are older than the column hold.
    pub value: P4,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// The declared type, as written.
    pub decl_type: Option<Arc<str>>,
    /// The affinity of the declared type.
    pub affinity: Affinity,
    /// COLLATE.
    pub collation: CollationName,
    /// NOT NULL, and what happens on conflict.
    pub not_null: Option<ast::ConflictAction>,
    /// DEFAULT.
    pub default: Option<Default>,
    /// Whether it is a part of the primary key.
    pub primary_key: bool,
    /// Whether it alone is UNIQUE or the primary key.
    pub unique: bool,
    /// GENERATED ALWAYS AS.
    pub generated: Option<Generated>,
    /// Whether `*` leaves it out (columns of virtual tables and table functions).
    pub hidden: bool,
}

impl Column {
    /// A column with a name and nothing else.
    pub fn plain(name: Arc<str>) -> Column {
        Column {
            name,
            decl_type: None,
            affinity: Affinity::Blob,
            collation: CollationName::Binary,
            not_null: None,
            default: None,
            primary_key: false,
            unique: false,
            generated: None,
            hidden: false,
        }
    }

    /// Whether it is a VIRTUAL generated column, which is not stored.
    pub fn is_virtual(&self) -> bool {
        self.generated
            .as_ref()
            .is_some_and(|generated| !generated.stored)
    }
}
