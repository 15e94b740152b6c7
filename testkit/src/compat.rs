//! What Ringwood does of SQLite, found by running it: the text of `COMPAT.md`.
//!
//! ```text
//! testkit/compat/statements.sql   functions.sql   tables.sql   pragmas.sql
//!        │  -- # group   -- ## title   SQL…
//!        ▼
//! each entry on a fresh database of stock SQLite and one of Ringwood ──▶ yes, or the first difference
//!        │
//!        ▼
//! EXPLAIN of each statement ──▶ which entry reaches which opcode
//! ```
//!
//! Rules:
//! 1. Every statement of an entry succeeds on stock SQLite; what is equal is rows, types, column names, changes.
//! 2. What the linked SQLite was built without is written `-- ours: SQL`, with the rows it must give on the next
//!    line, `-- = a|b;c|d`.
//! 3. Functions and pragmas that stock SQLite lists and no entry names are errors, so that none is forgotten, but for
//!    those of extensions ([`EXTENSIONS`]).
//!
//! **Absent:** depth. An entry shows that a thing is there and behaves; the differential tests show that it behaves
//! everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::compare::{compare, statements};
use crate::engine::{Answer, Cell, Engine};
use crate::ringwood::Ringwood;
use crate::sqlite::Sqlite;

/// Functions that belong to full-text search, R-tree or the C interface.
pub const EXTENSIONS: [&str; 18] = [
    "bm25",
    "fts3_tokenizer",
    "fts5",
    "fts5_get_locale",
    "fts5_insttoken",
    "fts5_locale",
    "fts5_source_id",
    "highlight",
    "load_extension",
    "match",
    "matchinfo",
    "offsets",
    "optimize",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
    "snippet",
    "sqlite_log",
];

/// Opcodes that only virtual tables of the application's own need.
const MODULE_OPCODES: [&str; 6] = [
    "VBegin", "VCheck", "VDestroy", "VInitIn", "VRename", "VUpdate",
];

/// A thing that SQLite does.
#[derive(Debug)]
pub struct Entry {
    /// The heading that it stands under.
    pub group: String,
    /// What it is.
    pub title: String,
    /// SQL that shows it, and notes as in the module's rule 2.
    pub script: String,
}

/// The entries of a file.
pub fn entries(text: &str) -> Vec<Entry> {
    let mut group = String::new();
    let mut found: Vec<Entry> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("-- ## ") {
            found.push(Entry {
                group: group.clone(),
                title: title.to_owned(),
                script: String::new(),
            });
        } else if let Some(name) = line.strip_prefix("-- # ") {
            name.clone_into(&mut group);
        } else if let Some(entry) = found.last_mut() {
            entry.script.push_str(line);
            entry.script.push('\n');
        }
    }
    found
}

/// The rows as the notes write them.
fn shown(answer: &Answer) -> String {
    let cell = |cell: &Cell| match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Integer(i) => i.to_string(),
        Cell::Real(r) => format!("{r:?}"),
        Cell::Text(t) => String::from_utf8_lossy(t).into_owned(),
        Cell::Blob(b) => format!("{b:02x?}"),
    };
    let row = |row: &Vec<Cell>| row.iter().map(cell).collect::<Vec<_>>().join("|");
    answer.rows.iter().map(row).collect::<Vec<_>>().join(";")
}

/// Which entry was the first to reach an opcode.
pub type Reached = BTreeMap<String, String>;

fn explain(engine: &mut Ringwood, sql: &str, entry: &Entry, reached: &mut Reached) {
    if sql.trim_start().starts_with("EXPLAIN QUERY PLAN") {
        // Its lines are instructions that do nothing else.
        let title = entry.title.clone();
        reached.entry("Explain".to_owned()).or_insert(title);
    }
    let Ok(answer) = engine.run(&format!("EXPLAIN {sql}")) else {
        return;
    };
    for row in &answer.rows {
        if let Some(Cell::Text(name)) = row.get(1) {
            reached
                .entry(String::from_utf8_lossy(name).into_owned())
                .or_insert_with(|| entry.title.clone());
        }
    }
}

/// Runs an entry; the first difference, if there is one.
///
/// # Errors
/// Where the entry itself is wrong: stock SQLite refuses a statement of it.
pub fn run(entry: &Entry, reached: &mut Reached) -> Result<Option<String>, String> {
    let (mut stock, mut ours) = (Sqlite::memory(), Ringwood::memory());
    let mut plain = String::new();
    let mut own: Option<&str> = None;
    for line in entry.script.lines() {
        if let Some(sql) = line.strip_prefix("-- ours: ") {
            own = Some(sql);
        } else if let Some(expected) = line.strip_prefix("-- = ") {
            for sql in statements(&plain) {
                let _ = (stock.run(sql), ours.run(sql));
            }
            let sql = own.take().ok_or("rows without a statement")?;
            match ours.run(sql) {
                Err(e) => return Ok(Some(e.to_string())),
                Ok(answer) if shown(&answer) != expected => {
                    return Ok(Some(format!("expected {expected}, got {}", shown(&answer))));
                }
                Ok(_) => return Ok(None),
            }
        } else {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    let mut first = None;
    for sql in statements(&plain) {
        explain(&mut ours, sql, entry, reached);
        let difference = compare(&mut stock, &mut ours, sql);
        if let Some(difference) = difference {
            let what = difference.what;
            if what.starts_with("expected error") {
                return Err(format!("{}: {sql}: {what}", entry.title));
            }
            first.get_or_insert(what);
        }
    }
    Ok(first)
}

/// Names that stock SQLite lists: of functions or of pragmas.
pub fn listed(pragma: &str) -> BTreeSet<String> {
    let sql = format!("SELECT DISTINCT name FROM pragma_{pragma}_list");
    let answer = Sqlite::memory()
        .run(&sql)
        .expect("stock SQLite lists its own");
    let name = |row: &Vec<Cell>| match &row[0] {
        Cell::Text(t) => String::from_utf8_lossy(t).into_owned(),
        other => format!("{other:?}"),
    };
    answer.rows.iter().map(name).collect()
}

/// A table of entries: what works, and what differs.
fn table(out: &mut String, text: &str, reached: &mut Reached) -> Result<(), String> {
    let mut wrong = String::new();
    let mut group = String::from("-");
    for entry in entries(text) {
        if entry.group != group {
            entry.group.clone_into(&mut group);
            if !group.is_empty() {
                let _ = writeln!(out, "\n### {group}");
            }
            out.push_str("\n| | |\n|---|---|\n");
        }
        let verdict = match run(&entry, reached) {
            Ok(None) => "yes".to_owned(),
            Ok(Some(what)) => format!("no: {}", what.replace('|', "\\|").replace('\n', " ")),
            Err(what) => {
                let _ = writeln!(wrong, "{what}");
                continue;
            }
        };
        let _ = writeln!(out, "| {} | {verdict} |", entry.title.replace('|', "\\|"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The whole text.
///
/// # Errors
/// Where an entry is wrong, or stock SQLite lists what no entry names.
pub fn render() -> Result<String, String> {
    let functions = include_str!("../compat/functions.sql");
    let pragmas = include_str!("../compat/pragmas.sql");
    for (kind, text) in [("function", functions), ("pragma", pragmas)] {
        let named: BTreeSet<String> = entries(text).into_iter().map(|e| e.title).collect();
        let missing: Vec<String> = listed(kind)
            .into_iter()
            .filter(|name| !named.contains(name) && !EXTENSIONS.contains(&name.as_str()))
            .collect();
        if !missing.is_empty() {
            return Err(format!("no {kind} entry names {missing:?}"));
        }
    }
    let mut reached = Reached::new();
    let head = include_str!("../compat/head.md");
    for test in head.split('`').filter(|name| name.contains("/it/")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(test);
        if !path.is_file() {
            return Err(format!("head.md names {test}, which is not there"));
        }
    }
    let mut out = String::from(head);
    for (heading, folder, text) in [
        (
            "Statements and clauses",
            "statements.sql",
            include_str!("../compat/statements.sql"),
        ),
        ("Functions", "functions.sql", functions),
        (
            "Table-valued functions and virtual tables",
            "tables.sql",
            include_str!("../compat/tables.sql"),
        ),
        ("Pragmas", "pragmas.sql", pragmas),
    ] {
        let _ = write!(out, "\n## {heading}\nShown by `testkit/compat/{folder}`.\n");
        table(&mut out, text, &mut reached)?;
    }
    out.push_str("\n## Opcodes\nEach with the first entry above whose program contains it.\n\n| | |\n|---|---|\n");
    for name in ringwood_vdbe::Opcode::ALL.iter().map(|op| op.name()) {
        match reached.get(name) {
            Some(entry) => {
                let _ = writeln!(out, "| {name} | {} |", entry.replace('|', "\\|"));
            }
            None if MODULE_OPCODES.contains(&name) => {
                let _ = writeln!(
                    out,
                    "| {name} | modules of the application: `engine/tests` |"
                );
            }
            None => {
                let _ = writeln!(out, "| {name} | by no entry |");
            }
        }
    }
    Ok(out)
}
