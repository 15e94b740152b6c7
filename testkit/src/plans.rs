//! EXPLAIN QUERY PLAN on both engines: how often the plans are the same, word for word.
//!
//! | corpus | schema | queries |
//! |---|---|---|
//! | chinook | chinook.db | `scripts/plans/chinook.sql` |
//! | northwind | northwind.sql | `scripts/plans/northwind.sql`, and its views |
//! | tpch | bench/tpch | its 22 queries, with and without indexes |
//! | shapes | `scripts/plans/shapes.sql` | the same file, after the line `-- queries` |
//! | random | [`crate::queries::SCRIPT`] | [`crate::queries::draw`] |
//!
//! Each is planned without statistics, with those of stock's ANALYZE, and the random ones with
//! [`crate::queries::STATISTICS`]. The databases are made by stock SQLite and opened by both.

use std::path::{Path, PathBuf};

use crate::compare::{plan_text, statements};
use crate::engine::Engine;
use ringwood::Optimizations;

use crate::queries::{self, Dice};
use crate::ringwood::Ringwood;
use crate::sqlite::Sqlite;

/// Statements over one database.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Its name.
    pub name: String,
    /// The script that makes the database, or the database.
    pub schema: Schema,
    /// The statements.
    pub queries: Vec<String>,
}

/// Where a database comes from.
#[derive(Clone, Debug)]
pub enum Schema {
    /// A script.
    Script(String),
    /// A file.
    File(PathBuf),
}

/// A statement that is planned differently.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The corpus.
    pub corpus: String,
    /// The statement.
    pub sql: String,
    /// Stock's plan.
    pub expected: String,
    /// Ours.
    pub got: String,
}

/// How many plans were compared, and those that differ.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many were compared.
    pub count: usize,
    /// Those that differ.
    pub differences: Vec<Difference>,
}

/// The plan of a statement, indented as the shell does it; the error, if it has none.
pub fn plan(engine: &mut dyn Engine, sql: &str) -> Result<String, String> {
    let answer = engine
        .run(&format!("EXPLAIN QUERY PLAN {sql}"))
        .map_err(|e| e.message)?;
    Ok(plan_text(&answer))
}

/// Plans a corpus on both engines, working in `dir`. Statements that either refuses are left out.
///
/// # Errors
/// A database that cannot be made.
pub fn compare(corpus: &Corpus, dir: &Path, outcome: &mut Outcome) -> Result<(), String> {
    for analyzed in [false, true] {
        let file = dir.join(format!("plans-{}-{analyzed}.db", corpus.name));
        for suffix in ["", "-wal", "-shm"] {
            // Left by an earlier run, perhaps.
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
        make(corpus, &file, analyzed)?;
        let mut stock = Sqlite::open(&file).map_err(|e| e.message)?;
        let mut ringwood = Ringwood::open(&file).map_err(|e| e.message)?;
        // Stock SQLite as it is linked here enforces them from the beginning.
        stock
            .run("PRAGMA foreign_keys=off")
            .map_err(|e| e.message)?;
        // Documented differences: what is switched off is not stock's.
        ringwood
            .connection
            .disable_optimizations(Optimizations::CORRELATED_INDEX);
        for sql in &corpus.queries {
            let (Ok(expected), Ok(got)) = (plan(&mut stock, sql), plan(&mut ringwood, sql)) else {
                continue;
            };
            outcome.count += 1;
            if expected != got {
                let statistics = if analyzed { ", analyzed" } else { "" };
                outcome.differences.push(Difference {
                    corpus: format!("{}{statistics}", corpus.name),
                    sql: sql.trim().to_owned(),
                    expected,
                    got,
                });
            }
        }
    }
    Ok(())
}

fn make(corpus: &Corpus, file: &Path, analyzed: bool) -> Result<(), String> {
    if let Schema::File(from) = &corpus.schema {
        let bytes = std::fs::read(from).map_err(|e| e.to_string())?;
        std::fs::write(file, bytes).map_err(|e| e.to_string())?;
    }
    let stock = Sqlite::open(file).map_err(|e| e.message)?;
    let run = |sql: &str| {
        stock
            .connection
            .execute_batch(sql)
            .map_err(|e| format!("{}: {e}", corpus.name))
    };
    if let Schema::Script(script) = &corpus.schema {
        run(&format!("PRAGMA foreign_keys=off; BEGIN; {script}; COMMIT"))?;
    }
    if analyzed {
        let random = corpus.name.starts_with("random");
        run(if random {
            queries::STATISTICS
        } else {
            "ANALYZE"
        })?;
    }
    Ok(())
}

/// The corpora; `random` queries are drawn from each of two depths. Those whose files are not there are left out.
pub fn corpora(random: usize) -> Vec<Corpus> {
    let of = |text: &str| -> Vec<String> {
        let all = statements(text).into_iter();
        all.map(|sql| sql.trim().trim_end_matches(';').to_owned())
            .filter(|sql| !sql.is_empty())
            .collect()
    };
    let mut all = Vec::new();
    let (schema, shapes) = include_str!("../scripts/plans/shapes.sql")
        .split_once("-- queries\n")
        .expect("the file has both parts");
    all.push(Corpus {
        name: "shapes".into(),
        schema: Schema::Script(schema.to_owned()),
        queries: of(shapes),
    });
    let tpch = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/tpch");
    let read = |name: &str| std::fs::read_to_string(tpch.join(name)).ok();
    if let (Some(schema), Some(indexes)) = (read("schema.sql"), read("indexes.sql")) {
        let queries: Vec<String> = (1..=22)
            .filter_map(|n| read(&format!("q{n:02}.sql")))
            .collect();
        for (name, script) in [
            ("tpch", schema.clone()),
            ("tpch-indexes", format!("{schema}{indexes}")),
        ] {
            all.push(Corpus {
                name: name.into(),
                schema: Schema::Script(script),
                queries: queries.clone(),
            });
        }
    }
    if let Some(file) = crate::data::file("data/chinook.db") {
        all.push(Corpus {
            name: "chinook".into(),
            schema: Schema::File(file),
            queries: of(include_str!("../scripts/plans/chinook.sql")),
        });
    }
    if let Some(file) = crate::data::file("data/northwind.sql") {
        if let Ok(script) = std::fs::read_to_string(file) {
            all.push(Corpus {
                name: "northwind".into(),
                schema: Schema::Script(
                    script
                        .replace("BEGIN TRANSACTION;", "")
                        .replace("COMMIT;", ""),
                ),
                queries: of(include_str!("../scripts/plans/northwind.sql")),
            });
        }
    }
    for depth in 0..2 {
        all.push(Corpus {
            name: format!("random-{depth}"),
            schema: Schema::Script(queries::SCRIPT.to_owned()),
            queries: (0..random)
                .map(|seed| queries::draw(&mut Dice::new(seed as u64 + 1), depth))
                .collect(),
        });
    }
    all
}
