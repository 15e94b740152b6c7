//! A history: a schema, rows, then statement after statement on both engines.

use crate::compare::{Difference, answered, compare};
use crate::queries::Dice;
use crate::ringwood::Ringwood;
use crate::sqlite::Sqlite;

use super::{Catalog, Generator, tolerance};

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which history.
    pub seed: u64,
    /// How many statements after the schema.
    pub statements: usize,
}

/// How a history went.
#[derive(Debug, Default)]
pub struct Found {
    /// Statements that ran, the schema's included.
    pub ran: usize,
    /// Of these, those that stock SQLite answered without an error.
    pub answered: usize,
    /// Differences that are documented.
    pub tolerated: usize,
    /// All statements up to the first difference that is not.
    pub history: Vec<String>,
    /// That difference.
    pub difference: Option<Difference>,
}

/// Runs one until the first difference that is not documented, or its end.
pub fn run(options: Options) -> Found {
    let mut dice = Dice::new(options.seed);
    let mut catalog = Catalog::default();
    let (mut stock, mut ours) = (Sqlite::memory(), Ringwood::memory());
    let mut found = Found::default();
    let first = ["PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON"][dice.below(2)];
    let mut next = vec![first.to_owned()];
    let tables = 2 + dice.below(3);
    for at in 0..options.statements + tables * 4 {
        if next.is_empty() {
            let mut generator = Generator::new(&mut dice, &catalog);
            next.push(if at <= tables || catalog.tables.is_empty() {
                generator.create_table()
            } else if at <= tables * 3 {
                generator.insert()
            } else {
                generator.statement()
            });
        }
        let sql = next.remove(0);
        let (ok, difference) = answered(&mut stock, &mut ours, &sql);
        found.ran += 1;
        found.answered += usize::from(ok);
        found.history.push(sql);
        let Some(sql) = found.history.last() else {
            break;
        };
        match difference {
            None => {}
            Some(difference) if tolerance::reason(&difference).is_some() => {
                found.tolerated += 1;
                // What was changed may differ from here on.
                if !sql.starts_with("SELECT") && !sql.starts_with("WITH") {
                    return found;
                }
            }
            Some(difference) => {
                found.difference = Some(difference);
                return found;
            }
        }
        if ["CREATE", "DROP", "ALTER", "ROLLBACK", "PRAGMA foreign"]
            .iter()
            .any(|word| sql.starts_with(word))
        {
            catalog.read(&mut stock);
        }
    }
    // What the indexes hold is what the tables hold, and both engines hold the same.
    let mut end = vec!["COMMIT".to_owned(), "PRAGMA integrity_check".to_owned()];
    end.extend(
        catalog
            .writable()
            .iter()
            .map(|t| format!("SELECT * FROM {}", t.name)),
    );
    for sql in end {
        let difference = compare(&mut stock, &mut ours, &sql);
        found.ran += 1;
        found.history.push(sql);
        if let Some(difference) = difference {
            found.difference = Some(difference);
            break;
        }
    }
    found
}
