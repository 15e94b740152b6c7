//! Statements over the whole grammar, drawn at random, for comparing engines: schemas, data, queries, changes.
//!
//! ```text
//! seed ─▶ Dice ─▶ history: schema, rows, then statement after statement
//!                    │  each on stock SQLite and on Ringwood (crate::compare)
//!                    ▼
//!               Catalog, read anew from stock after each change of the schema
//!                    │
//!        a difference that is not documented (tolerance) ─▶ shrink: fewer statements, then fewer tokens
//! ```
//!
//! Rules:
//! 1. The same seed gives the same statements.
//! 2. What SQLite leaves open is not asked: rows come in any order unless all columns are sorted by; LIMIT only then;
//!    no column outside GROUP BY; order-sensitive aggregates and ROWS frames name a whole order.
//! 3. Numbers in tables are exact in binary and small, so that sums do not depend on the order.
//! 4. Nothing drawn fails while a row is evaluated: which rows are evaluated is the plan's choice.
//!
//! **Absent:** hostile input (that is fuzzing's); UTF-16 files, in which a blob that is used as text or as a number is read
//! as UTF-8 here (COMPAT.md).

mod catalog;
mod change;
mod define;
mod expr;
mod history;
mod select;
mod shrink;
mod tolerance;

pub use catalog::{Catalog, Table};
pub use history::{Found, Options, run};
pub use shrink::shrink;
pub use tolerance::Class;

use crate::queries::Dice;

/// A source of columns in sight of an expression.
#[derive(Clone, Debug)]
struct Source {
    alias: String,
    columns: Vec<String>,
}

/// Draws statements from a catalog.
pub struct Generator<'a> {
    dice: &'a mut Dice,
    catalog: &'a Catalog,
    /// Sources in sight, of each query around; the innermost last.
    scopes: Vec<Vec<Source>>,
    /// Common table expressions in sight.
    ctes: Vec<(String, usize)>,
    /// For fresh names.
    names: usize,
}

impl<'a> Generator<'a> {
    /// A generator over these tables.
    pub fn new(dice: &'a mut Dice, catalog: &'a Catalog) -> Generator<'a> {
        Generator {
            dice,
            catalog,
            scopes: Vec::new(),
            ctes: Vec::new(),
            names: 0,
        }
    }

    /// One statement.
    pub fn statement(&mut self) -> String {
        if self.catalog.tables.len() < 2 {
            return self.create_table();
        }
        match self.dice.below(100) {
            0..=51 => self.query(),
            52..=65 => self.insert(),
            66..=75 => self.update(),
            76..=81 => self.delete(),
            82..=90 => self.transaction(),
            _ => self.schema_change(),
        }
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.dice.below(one_in) == 0
    }

    fn pick<'b>(&mut self, of: &[&'b str]) -> &'b str {
        self.dice.pick(of)
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A column in sight, mostly of the innermost query; a literal where none is.
    fn column(&mut self) -> String {
        let scopes = self.scopes.len();
        let mut at = scopes;
        while at > 0 {
            at -= 1;
            let scope = &self.scopes[at];
            if scope.is_empty() || (at > 0 && self.dice.below(6) == 0) {
                continue;
            }
            let source = scope[self.dice.below(scope.len())].clone();
            if source.columns.is_empty() {
                continue;
            }
            let column = &source.columns[self.dice.below(source.columns.len())];
            return if source.alias.is_empty() {
                column.clone()
            } else {
                format!("{}.{column}", source.alias)
            };
        }
        self.literal()
    }

    /// Every column of the innermost query.
    fn all_columns(&self) -> Vec<String> {
        let Some(scope) = self.scopes.last() else {
            return Vec::new();
        };
        scope
            .iter()
            .flat_map(|source| {
                source.columns.iter().map(|column| {
                    if source.alias.is_empty() {
                        column.clone()
                    } else {
                        format!("{}.{column}", source.alias)
                    }
                })
            })
            .collect()
    }

    fn list(&mut self, count: usize, mut one: impl FnMut(&mut Self) -> String) -> String {
        let items: Vec<String> = (0..count).map(|_| one(self)).collect();
        items.join(", ")
    }
}
