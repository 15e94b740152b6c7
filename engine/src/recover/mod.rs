//! Recovering: what can be read from a damaged file, as SQL text that makes a new database.
//!
//! ```text
//!  file and log ──► pages ──► schema ──► tables, by their trees ──► rows
//!                     └── leaves that no tree reaches ──────────► lost_and_found
//! ```
//!
//! Rules:
//! 1. Nothing that the file says is believed: a page is looked at once for each purpose, a cell that cannot be read is
//!    left out, a record gives the values that can be decoded.
//! 2. The log counts as far as its checksums hold. A page size that the header has lost is found by looking for pages.
//! 3. Rows of tables whose definition cannot be run, and of leaves that no tree reaches, go to `lost_and_found`:
//!    the root that they seem to belong to, their page, how many values they have, their rowid, and the values. So do
//!    pages of the freelist: what was deleted may come back.
//! 4. Definitions of indexes, triggers and views come last; one that fails is left out.
//!
//! Source: SQLite's `sqlite3_recover`, and the shell's `.recover`.

mod pages;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use ringwood_format::btree_page::PageKind;
use ringwood_format::value::Value;

use crate::error::Result;
use crate::local::LocalConnection;
use pages::{Cell, Pages};

/// What was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Tables whose definition was found.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// Rows that went to `lost_and_found`.
    pub lost: u64,
}

/// A definition of the schema table.
struct Definition {
    kind: String,
    name: String,
    root: u32,
    sql: String,
}

/// Reads what can be read of the database file at `path` and hands SQL statements that make it again to `emit`, in order.
///
/// # Errors
/// If the file cannot be read at all; those of `emit`, which end it.
pub fn recover(path: &Path, emit: &mut dyn FnMut(&str) -> Result<()>) -> Result<Recovered> {
    let pages = Pages::read(path)?;
    let mut counts = Recovered::default();
    let mut seen: HashSet<u32> = HashSet::new();
    let definitions = schema(&pages, &mut seen);
    emit("PRAGMA foreign_keys=OFF;")?;
    emit(&format!("PRAGMA encoding='{}';", pages.encoding_name()))?;
    emit(&format!("PRAGMA page_size={};", pages.page_size()))?;
    emit(&format!("PRAGMA auto_vacuum={};", pages.auto_vacuum()))?;
    for (name, value) in pages.header_numbers() {
        emit(&format!("PRAGMA {name}={value};"))?;
    }
    emit("BEGIN;")?;
    // A schema to ask about columns.
    let mirror = LocalConnection::open_in_memory()?;
    let mut orphans: Vec<u32> = Vec::new();
    let mut sequences: Vec<Vec<String>> = Vec::new();
    for table in definitions.iter().filter(|d| d.kind == "table") {
        let is_system = table.name.starts_with("sqlite_");
        let is_virtual = table.root == 0;
        let runs = is_system || is_virtual || mirror.execute_batch(&table.sql).is_ok();
        if is_virtual {
            continue;
        }
        if !runs {
            orphans.push(table.root);
            continue;
        }
        let columns = columns(&mirror, &table.name);
        if is_system {
            if table.name == "sqlite_sequence" {
                pages.walk(table.root, &mut seen, &mut |_, cell| {
                    let values = cell.values(&pages);
                    sequences.push(values.iter().map(text::literal).collect::<Vec<_>>());
                });
            } else {
                // Statistics are made again by ANALYZE.
                mark(&pages, table.root, &mut seen);
            }
            continue;
        }
        emit(&format!("{};", table.sql))?;
        counts.tables += 1;
        counts.rows += rows_of(&pages, table, &columns, &mut seen, emit)?;
    }
    for index in definitions.iter().filter(|d| d.kind == "index") {
        mark(&pages, index.root, &mut seen);
    }
    counts.lost = lost_and_found(&pages, &definitions, &seen, &orphans, emit)?;
    for sequence in sequences.iter().filter(|values| values.len() == 2) {
        let (name, value) = (&sequence[0], &sequence[1]);
        emit(&format!("DELETE FROM sqlite_sequence WHERE name={name};"))?;
        emit(&format!(
            "INSERT INTO sqlite_sequence VALUES({name},{value});"
        ))?;
    }
    for kind in ["index", "view", "trigger"] {
        for other in definitions.iter().filter(|d| d.kind == kind) {
            // Against what has been recovered it is tried by whoever runs the statements.
            if !other.sql.is_empty() && mirror.execute_batch(&other.sql).is_ok() {
                emit(&format!("{};", other.sql))?;
            }
        }
    }
    emit("COMMIT;")?;
    Ok(counts)
}

/// The definitions, and the pages that hold them.
fn schema(pages: &Pages, seen: &mut HashSet<u32>) -> Vec<Definition> {
    let mut found = Vec::new();
    let mut names = HashSet::new();
    pages.walk(1, seen, &mut |_, cell| {
        let values = cell.values(pages);
        let text = |at: usize| match values.get(at) {
            Some(Value::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        let root = match values.get(3) {
            Some(Value::Integer(root)) => u32::try_from(*root).unwrap_or(0),
            _ => 0,
        };
        let definition = Definition {
            kind: text(0),
            name: text(1),
            root,
            sql: text(4),
        };
        let known = ["table", "index", "view", "trigger"].contains(&definition.kind.as_str());
        if known && names.insert((definition.kind.clone(), definition.name.clone())) {
            found.push(definition);
        }
    });
    found
}

/// What a table's records hold, by position.
#[derive(Default)]
struct Columns {
    /// In the order of the record, each quoted; `None` for what is not to be inserted.
    stored: Vec<Option<String>>,
    /// Where the rowid is a column of its own: its position.
    rowid_at: Option<usize>,
    without_rowid: bool,
}

fn columns(mirror: &LocalConnection, table: &str) -> Columns {
    let quoted = text::literal(&Value::Text(table.as_bytes().to_vec()));
    let mut all: Vec<(String, String, i64, i64)> = Vec::new();
    if let Ok(mut rows) = mirror.query(&format!("PRAGMA table_xinfo({quoted})"), ()) {
        while let Ok(Some(row)) = rows.next() {
            let (Ok(name), Ok(kind), Ok(pk), Ok(hidden)) = (
                row.get::<String>(1),
                row.get::<String>(2),
                row.get::<i64>(5),
                row.get::<i64>(6),
            ) else {
                continue;
            };
            all.push((name, kind, pk, hidden));
        }
    }
    let mut without_rowid = false;
    if let Ok(mut rows) = mirror.query(&format!("PRAGMA main.table_list({quoted})"), ()) {
        while let Ok(Some(row)) = rows.next() {
            without_rowid |= row.get::<i64>(4).is_ok_and(|wr| wr != 0);
        }
    }
    let column = |(name, _, _, hidden): &(String, String, i64, i64)| {
        (*hidden == 0).then(|| text::identifier(name))
    };
    let mut columns = Columns {
        without_rowid,
        ..Columns::default()
    };
    if without_rowid {
        let mut key: Vec<_> = all.iter().filter(|c| c.2 > 0).collect();
        key.sort_by_key(|c| c.2);
        let rest = all.iter().filter(|c| c.2 == 0 && c.3 != 2);
        columns.stored = key.into_iter().chain(rest).map(column).collect();
        return columns;
    }
    // Virtual generated columns are not stored.
    let stored: Vec<_> = all.iter().filter(|c| c.3 != 2).collect();
    let keys = all.iter().filter(|c| c.2 > 0).count();
    columns.rowid_at = stored
        .iter()
        .position(|c| c.2 == 1 && keys == 1 && c.1.eq_ignore_ascii_case("integer"));
    columns.stored = stored.into_iter().map(column).collect();
    columns
}

fn rows_of(
    pages: &Pages,
    table: &Definition,
    columns: &Columns,
    seen: &mut HashSet<u32>,
    emit: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<u64> {
    let mut count = 0;
    let mut result = Ok(());
    pages.walk(table.root, seen, &mut |_, cell| {
        if result.is_err() || (cell.rowid.is_none() != columns.without_rowid) {
            return;
        }
        let values = cell.values(pages);
        if values.is_empty() {
            return;
        }
        let mut names = Vec::new();
        let mut texts = Vec::new();
        if let Some(rowid) = cell.rowid {
            if columns.rowid_at.is_none() {
                names.push("_rowid_".to_owned());
                texts.push(rowid.to_string());
            }
        }
        for (at, value) in values.iter().enumerate() {
            let Some(Some(name)) = columns.stored.get(at) else {
                continue;
            };
            names.push(name.clone());
            texts.push(match (cell.rowid, columns.rowid_at) {
                (Some(rowid), Some(rowid_at)) if rowid_at == at => rowid.to_string(),
                _ => text::literal(value),
            });
        }
        result = emit(&format!(
            "INSERT OR IGNORE INTO {}({}) VALUES({});",
            text::identifier(&table.name),
            names.join(","),
            texts.join(",")
        ));
        count += 1;
    });
    result.map(|()| count)
}

/// Marks the pages of a tree as known.
fn mark(pages: &Pages, root: u32, seen: &mut HashSet<u32>) {
    pages.walk(root, seen, &mut |_, _| {});
}

/// A rowid, and values.
type LostRow = (Option<i64>, Vec<Value>);

fn lost_and_found(
    pages: &Pages,
    definitions: &[Definition],
    seen: &HashSet<u32>,
    orphans: &[u32],
    emit: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<u64> {
    let parents = pages.parents();
    let root_of = |page: u32| {
        let mut root = page;
        // A circle ends it.
        for _ in 0..64 {
            match parents.get(&root) {
                Some(&parent) => root = parent,
                None => break,
            }
        }
        root
    };
    let mut lost: BTreeMap<u32, Vec<LostRow>> = BTreeMap::new();
    let mut width = 0;
    for number in 2..=pages.count() {
        if seen.contains(&number) {
            continue;
        }
        let is_leaf = matches!(
            pages.kind(number),
            Some(PageKind::TableLeaf | PageKind::IndexLeaf)
        );
        if !is_leaf {
            continue;
        }
        for cell in pages.cells(number) {
            let values = cell.values(pages);
            if !values.is_empty() {
                width = width.max(values.len());
                lost.entry(number).or_default().push((cell.rowid, values));
            }
        }
    }
    if lost.is_empty() {
        return Ok(0);
    }
    let taken = |name: &str| {
        definitions
            .iter()
            .any(|d| d.name.eq_ignore_ascii_case(name))
    };
    let name = (0..=definitions.len())
        .map(|n| match n {
            0 => "lost_and_found".to_owned(),
            n => format!("lost_and_found_{}", n - 1),
        })
        .find(|name| !taken(name))
        .unwrap_or_default();
    let columns: Vec<String> = (0..width).map(|n| format!("c{n}")).collect();
    emit(&format!(
        "CREATE TABLE {name}(rootpgno INTEGER, pgno INTEGER, nfield INTEGER, id INTEGER, {});",
        columns.join(", ")
    ))?;
    let mut count = 0;
    for (page, rows) in lost {
        let mut root = root_of(page);
        if let Some(&orphan) = orphans.iter().find(|orphan| **orphan == page) {
            root = orphan;
        }
        for (rowid, values) in rows {
            let id = rowid.map_or("NULL".to_owned(), |id| id.to_string());
            let texts: Vec<String> = values.iter().map(text::literal).collect();
            let mut named = ["rootpgno", "pgno", "nfield", "id"].join(",");
            for column in &columns[..values.len()] {
                named.push(',');
                named.push_str(column);
            }
            emit(&format!(
                "INSERT INTO {name}({named}) VALUES({root},{page},{},{id},{});",
                values.len(),
                texts.join(",")
            ))?;
            count += 1;
        }
    }
    Ok(count)
}

impl Cell {
    /// The values that can be decoded, from the first on.
    fn values(&self, pages: &Pages) -> Vec<Value> {
        pages.decode(&self.payload)
    }
}
