//! A history: a schema, rows, then statement after statement on both engines; some on files, which each engine then
//! reads of the other.

use std::path::{Path, PathBuf};

use crate::compare::{Difference, answered, compare};
use crate::queries::Dice;
use crate::ringwood::Ringwood;
use crate::sqlite::Sqlite;

use super::{Catalog, Class, Generator, tolerance};

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
    pub tolerated: Vec<Class>,
    /// All statements up to the first difference that is not.
    pub history: Vec<String>,
    /// That difference.
    pub difference: Option<Difference>,
}

/// What the file is like, and the other one that is attached.
fn beginning(dice: &mut Dice) -> Vec<String> {
    let mut script = Vec::new();
    if dice.below(6) == 0 {
        let mode = dice.pick(&["FULL", "INCREMENTAL"]);
        script.push(format!("PRAGMA auto_vacuum={mode}"));
    }
    if dice.below(6) == 0 {
        let size = dice.pick(&["512", "1024", "8192"]);
        script.push(format!("PRAGMA page_size={size}"));
    }
    if dice.below(4) == 0 {
        script.push("ATTACH ':memory:' AS aux".to_owned());
    }
    script.push(
        dice.pick(&["PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON"])
            .to_owned(),
    );
    script
}

/// The files of a history, each engine's own, until it is dropped.
struct Files(PathBuf);

impl Files {
    /// In a folder that no other thread has; in memory, where there is such a place.
    fn new() -> Option<Files> {
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() {
            shm.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let thread = format!("{:?}", std::thread::current().id());
        let digits: String = thread.chars().filter(char::is_ascii_digit).collect();
        let folder = folder.join(format!("ringwood-differ-{}-{digits}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).ok()?;
        Some(Files(folder))
    }

    fn open(&self, stock: &str, ours: &str) -> Option<(Sqlite, Ringwood)> {
        let stock = Sqlite::open(&self.0.join(stock)).ok()?;
        Some((stock, Ringwood::open(&self.0.join(ours)).ok()?))
    }

    /// Each engine reads what the other wrote.
    fn swapped(&self, catalog: &Catalog) -> Option<Difference> {
        let Some((mut stock, mut ours)) = self.open("ours", "stock") else {
            return Some(Difference {
                sql: String::new(),
                what: "the other's file does not open".to_owned(),
            });
        };
        let mut all = vec!["PRAGMA integrity_check".to_owned()];
        let lasting = catalog.writable().into_iter();
        let lasting = lasting.filter(|table| !table.name.contains('.'));
        all.extend(lasting.map(|table| format!("SELECT * FROM {}", table.name)));
        all.iter().find_map(|sql| {
            let mut difference = compare(&mut stock, &mut ours, sql)?;
            // What was changed was changed before.
            if difference.what.starts_with("changes, ") {
                return None;
            }
            difference.what.insert_str(0, "in the other's file: ");
            Some(difference)
        })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs one until the first difference that is not documented, or its end.
pub fn run(options: Options) -> Found {
    let mut dice = Dice::new(options.seed);
    let mut catalog = Catalog::default();
    // Every fourth is on files.
    let files = options.seed.is_multiple_of(4).then(Files::new).flatten();
    let (mut stock, mut ours) = files
        .as_ref()
        .and_then(|files| files.open("stock", "ours"))
        .unwrap_or_else(|| (Sqlite::memory(), Ringwood::memory()));
    let mut found = Found::default();
    let mut next = beginning(&mut dice);
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
        if let Some(difference) = difference {
            let Some(class) = tolerance::class(&difference, &mut stock) else {
                found.difference = Some(difference);
                return found;
            };
            found.tolerated.push(class);
            // What was changed may differ from here on; where both refused, nothing was.
            let both_refused = difference.what.starts_with("expected error ");
            if !both_refused && !sql.starts_with("SELECT") && !sql.starts_with("WITH") {
                return found;
            }
        }
        if [
            "CREATE",
            "DROP",
            "ALTER",
            "ROLLBACK",
            "PRAGMA foreign",
            "ATTACH",
        ]
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
            return found;
        }
    }
    if let Some(files) = files {
        drop((stock, ours));
        found.difference = files.swapped(&catalog);
    }
    found
}
