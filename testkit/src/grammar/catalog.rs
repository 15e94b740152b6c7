//! What there is to be queried: read from stock SQLite, which is right about it.

use crate::engine::{Cell, Engine};

/// A table or a view.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name; with the schema in front where it is not `main`.
    pub name: String,
    /// Whether it is a view.
    pub view: bool,
    /// Whether it has a rowid.
    pub rowid: bool,
    /// Its columns.
    pub columns: Vec<String>,
    /// Those that can be written: not generated.
    pub writable: Vec<String>,
}

/// All of them, and the names of what else there is.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Tables and views.
    pub tables: Vec<Table>,
    /// Indexes that can be dropped.
    pub indexes: Vec<String>,
    /// Triggers.
    pub triggers: Vec<String>,
    /// Whether a second file is attached.
    pub attached: bool,
    /// Numbers for names that have not been given yet.
    pub next: usize,
}

fn texts(engine: &mut dyn Engine, sql: &str) -> Vec<Vec<String>> {
    let text = |cell: &Cell| match cell {
        Cell::Text(t) => String::from_utf8_lossy(t).into_owned(),
        Cell::Integer(i) => i.to_string(),
        _ => String::new(),
    };
    engine
        .run(sql)
        .map(|answer| {
            answer
                .rows
                .iter()
                .map(|row| row.iter().map(text).collect())
                .collect()
        })
        .unwrap_or_default()
}

/// A name as a statement can have it.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && ringwood_sql::lex::keyword(name.as_bytes()) == ringwood_sql::lex::Token::Id;
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

impl Catalog {
    /// Reads it.
    pub fn read(&mut self, stock: &mut dyn Engine) {
        self.next += 1;
        let list = texts(
            stock,
            "SELECT schema, name, type, wr FROM pragma_table_list \
             WHERE schema IN ('main','temp','aux') AND name NOT LIKE 'sqlite%' AND type IN ('table','view') ORDER BY 1,2",
        );
        self.tables.clear();
        let files = texts(stock, "PRAGMA database_list");
        self.attached = files
            .iter()
            .any(|file| file.get(1).is_some_and(|name| name == "aux"));
        for row in list {
            let [schema, name, kind, without_rowid] = &row[..] else {
                continue;
            };
            let columns = texts(
                stock,
                &format!("SELECT name, hidden FROM pragma_table_xinfo('{name}','{schema}')"),
            );
            let names = |writable: bool| -> Vec<String> {
                columns
                    .iter()
                    .filter(|c| !writable || c[1] == "0")
                    .map(|c| quoted(&c[0]))
                    .collect()
            };
            if columns.is_empty() {
                continue;
            }
            self.tables.push(Table {
                name: if schema == "main" {
                    name.clone()
                } else {
                    format!("{schema}.{name}")
                },
                view: kind == "view",
                rowid: kind == "table" && without_rowid == "0",
                columns: names(false),
                writable: names(true),
            });
        }
        let named = |kind: &str| {
            format!(
                "SELECT name FROM sqlite_schema WHERE type='{kind}' AND sql IS NOT NULL ORDER BY 1"
            )
        };
        let flat = |rows: Vec<Vec<String>>| rows.into_iter().flatten().collect();
        self.indexes = flat(texts(stock, &named("index")));
        self.triggers = flat(texts(stock, &named("trigger")));
    }

    /// Those that can be written.
    pub fn writable(&self) -> Vec<&Table> {
        self.tables.iter().filter(|t| !t.view).collect()
    }
}
