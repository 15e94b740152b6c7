//! `.dump`: the database as SQL that makes it again.
//!
//! Byte for byte what sqlite3's shell writes: tables with their rows first, `sqlite_sequence` last among them,
//! then indexes, triggers and views, each in the order in which they were made.

use super::pattern::like;
use super::schema::Entry;
use super::{Flow, integer, text};
use crate::mode::schema_text::push_line;
use crate::mode::{Mode, quote};
use crate::shell::Shell;

/// What a dump leaves out or puts in.
#[derive(Default)]
struct Options {
    rowids: bool,
    newlines: bool,
    data_only: bool,
    no_system: bool,
    patterns: Vec<String>,
}

/// `.dump ?OPTIONS? ?PATTERN…?`
pub fn dump(shell: &mut Shell, args: &[String]) -> Flow {
    let mut options = Options::default();
    for word in &args[1..] {
        match word
            .strip_prefix('-')
            .map(|rest| rest.strip_prefix('-').unwrap_or(rest))
        {
            Some("preserve-rowids") => options.rowids = true,
            Some("newlines") => options.newlines = true,
            Some("data-only") => options.data_only = true,
            Some("nosys") => options.no_system = true,
            Some(_) => return shell.fail(format!("Unknown option \"{word}\" on \".dump\"\n")),
            None => options.patterns.push(word.clone()),
        }
    }
    let Some(conn) = shell.connection_or_complain() else {
        return Flow::Failed;
    };
    if !options.data_only {
        shell.print("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
    }
    let saved = (shell.format.clone(), shell.echo);
    shell.format.header = false;
    shell.format.mode = Mode::Insert;
    shell.format.keep_newlines = options.newlines;
    shell.echo = false;
    // Everything from one snapshot.
    let held = conn.execute_batch("SAVEPOINT dump").is_ok();
    let errors = dump_all(shell, &options);
    if held {
        // Nothing was written in it.
        let _ = conn.execute_batch("RELEASE dump");
    }
    (shell.format, shell.echo) = saved;
    if !options.data_only {
        shell.print(if errors > 0 {
            "ROLLBACK; -- due to errors\n"
        } else {
            "COMMIT;\n"
        });
    }
    Flow::Go
}

/// Dumps what the options ask for; gives the number of errors.
fn dump_all(shell: &mut Shell, options: &Options) -> u32 {
    let entries = match shell.entries("main") {
        Ok(entries) => entries,
        Err(e) => {
            shell.print(format!("/****** ERROR: {} ******/\n", e.message()));
            return 1;
        }
    };
    let wanted = |e: &&Entry| e.sql.is_some() && wanted(options, e, &entries);
    let (sequence, tables): (Vec<&Entry>, Vec<&Entry>) = entries
        .iter()
        .filter(wanted)
        .filter(|e| e.kind == "table")
        .partition(|e| e.table == "sqlite_sequence");
    let mut dumped = Dumped::default();
    for table in tables.into_iter().chain(sequence) {
        dump_table(shell, options, table, &mut dumped);
    }
    if !options.data_only {
        for entry in entries.iter().filter(wanted).filter(|e| e.kind != "table") {
            let sql = entry.sql.as_deref().unwrap_or_default();
            // A comment at the end of the text must not swallow the semicolon.
            let end = if sql.contains("--") { "\n;\n" } else { ";\n" };
            shell.print(format!("{sql}{end}"));
        }
    }
    if dumped.writable_schema {
        shell.print("PRAGMA writable_schema=OFF;\n");
    }
    dumped.errors
}

/// Whether a pattern asks for an entry, or for the virtual table that it is a shadow of.
fn wanted(options: &Options, entry: &Entry, all: &[Entry]) -> bool {
    let is_virtual = |e: &Entry| {
        e.sql
            .as_deref()
            .is_some_and(|sql| like("CREATE VIRTUAL TABLE%", sql))
    };
    options.patterns.is_empty()
        || options.patterns.iter().any(|pattern| {
            like(pattern, &entry.name)
                || all.iter().any(|owner| {
                    like(pattern, &owner.name)
                        && is_virtual(owner)
                        && entry
                            .name
                            .strip_prefix(&owner.name)
                            .is_some_and(|rest| rest.starts_with('_'))
                })
        })
}

#[derive(Default)]
struct Dumped {
    errors: u32,
    writable_schema: bool,
}

fn dump_table(shell: &mut Shell, options: &Options, table: &Entry, dumped: &mut Dumped) {
    let name = table.name.as_str();
    let sql = table.sql.as_deref().unwrap_or_default();
    let is_stat = name
        .strip_prefix("sqlite_stat")
        .is_some_and(|rest| rest.chars().count() == 1);
    if name == "sqlite_sequence" && !options.no_system {
        if !options.data_only {
            shell.print("DELETE FROM sqlite_sequence;\n");
        }
    } else if is_stat && !options.no_system {
        if !options.data_only {
            shell.print("ANALYZE sqlite_schema;\n");
        }
    } else if name.starts_with("sqlite_") {
        return;
    } else if options.data_only {
    } else if sql.starts_with("CREATE VIRTUAL TABLE") {
        if !dumped.writable_schema {
            shell.print("PRAGMA writable_schema=ON;\n");
            dumped.writable_schema = true;
        }
        let (name, sql) = (quote::sql(name), quote::sql(sql));
        shell.print(format!(
            "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',{name},{name},0,{sql});\n"
        ));
        return;
    } else {
        let mut line = Vec::new();
        push_line(sql.as_bytes(), b";\n", &mut line);
        shell.print(line);
    }
    if let Err(message) = dump_rows(shell, options, name) {
        shell.print(format!("/****** ERROR: {message} ******/\n"));
        dumped.errors += 1;
    }
}

fn dump_rows(shell: &mut Shell, options: &Options, name: &str) -> Result<(), String> {
    let (columns, rowid_is_named) = columns(shell, name).map_err(|e| e.message())?;
    let rowid = if options.rowids && !rowid_is_named {
        rowid_name(shell, name, &columns)
    } else {
        None
    };
    let quoted: Vec<String> = columns.iter().map(|c| quote::name(c)).collect();
    let list: Vec<&str> = rowid
        .into_iter()
        .chain(quoted.iter().map(String::as_str))
        .collect();
    let list = list.join(",");
    let table = quote::name(name);
    shell.format.table = match rowid {
        Some(_) => format!("{table}({list})").into_bytes(),
        None => table.clone().into_bytes(),
    };
    shell
        .run_sql(&format!("SELECT {list} FROM {table}"))
        .map_err(|failure| failure.message)
}

/// A table's columns, and whether one of them is the rowid.
fn columns(shell: &mut Shell, table: &str) -> ringwood::Result<(Vec<String>, bool)> {
    let rows = shell.rows(&format!("PRAGMA table_info={}", quote::sql(table)))?;
    let word = |value: &ringwood::Value| match value {
        ringwood::Value::Integer(i) => i.to_string(),
        value => text(value.clone()).unwrap_or_default(),
    };
    let keys: Vec<_> = rows
        .iter()
        .filter(|row| integer(&word(&row[5])) != 0)
        .collect();
    let integer_key = matches!(keys[..], [key] if word(&key[2]).eq_ignore_ascii_case("INTEGER"));
    let mut named = false;
    if integer_key {
        // An index of its own means that the key is no alias: WITHOUT ROWID, or INTEGER PRIMARY KEY DESC.
        let indexes = shell.rows(&format!("PRAGMA index_list={}", quote::sql(table)))?;
        named = !indexes
            .iter()
            .any(|row| row.get(3).is_some_and(|origin| word(origin) == "pk"));
    }
    Ok((rows.iter().map(|row| word(&row[1])).collect(), named))
}

/// A name for the rowid that no column has taken, if the table has one.
fn rowid_name(shell: &mut Shell, table: &str, columns: &[String]) -> Option<&'static str> {
    let name = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|name| !columns.iter().any(|c| c.eq_ignore_ascii_case(name)))?;
    let conn = shell.connected()?.clone();
    conn.prepare(&format!("SELECT {name} FROM {}", quote::name(table)))
        .is_ok()
        .then_some(name)
}
