//! sqllogictest: SQLite's corpus of records, each a statement or a query with its result.
//!
//! [`script`] reads a file into records, [`run`] runs them against an [`Engine`](crate::engine::Engine)
//! and compares, labels included.
//!
//! # Source
//! <https://sqlite.org/sqllogictest/doc/trunk/about.wiki>

pub mod run;
pub mod script;
