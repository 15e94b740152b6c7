//! `.tables`, `.indexes`, `.schema`, `.fullschema`, `.databases`: what is in the database.

use ringwood::{LocalConnection, Value};

use super::pattern::{glob, like};
use super::{Flow, is_option, rows_of, text};
use crate::mode::schema_text::{push_indented, push_line};
use crate::mode::{Mode, quote};
use crate::shell::Shell;

/// A row of a database's `sqlite_schema`.
pub struct Entry {
    /// The database.
    pub database: String,
    /// table, index, view or trigger.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table that it belongs to.
    pub table: String,
    /// The CREATE text; automatic indexes have none.
    pub sql: Option<String>,
}

impl Shell {
    /// The schema of one database, in the order in which it was made.
    pub fn entries(&mut self, database: &str) -> ringwood::Result<Vec<Entry>> {
        let conn = self
            .connection()
            .map_err(|failure| ringwood::Error::SqliteFailure(failure.code, failure.message))?;
        entries_of(&conn, database)
    }

    /// The schema of all databases.
    pub fn all_entries(&mut self) -> ringwood::Result<Vec<Entry>> {
        let mut names = self.database_names()?;
        // SQLite leaves temp out of the list until it is used; it is looked at all the same.
        if !names.iter().any(|n| n == "temp") {
            names.push("temp".into());
        }
        let mut all = Vec::new();
        for name in names {
            all.extend(self.entries(&name)?);
        }
        Ok(all)
    }

    fn complain_about(&mut self, error: &ringwood::Error) -> Flow {
        self.fail(format!("Error: {}\n", error.message()))
    }
}

/// The schema of one of a connection's databases, in the order in which it was made.
pub fn entries_of(conn: &LocalConnection, database: &str) -> ringwood::Result<Vec<Entry>> {
    let table = if database.eq_ignore_ascii_case("temp") {
        "sqlite_temp_schema".to_owned()
    } else {
        format!("{}.sqlite_schema", quote::doubled(database))
    };
    let rows = rows_of(
        conn,
        &format!("SELECT type, name, tbl_name, sql FROM {table} ORDER BY rowid"),
    )?;
    let word = |value: &Value| text(value.clone()).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            database: database.to_owned(),
            kind: word(&row[0]),
            name: word(&row[1]),
            table: word(&row[2]),
            sql: text(row[3].clone()),
        })
        .collect())
}

fn is_system(name: &str) -> bool {
    like("sqlite_%", name)
}

/// `.tables ?PATTERN?`
pub fn tables(shell: &mut Shell, args: &[String]) -> Flow {
    let pattern = args.get(1).map_or("%", String::as_str);
    list(shell, |e| {
        matches!(e.kind.as_str(), "table" | "view") && !is_system(&e.name) && like(pattern, &e.name)
    })
}

/// `.indexes ?TABLE?`
pub fn indexes(shell: &mut Shell, args: &[String]) -> Flow {
    if args.len() > 2 {
        return shell.fail("Usage: .indexes ?LIKE-PATTERN?\n");
    }
    let pattern = args.get(1).map_or("%", String::as_str);
    list(shell, |e| e.kind == "index" && like(pattern, &e.table))
}

/// Prints names in as many columns as fit into 80 characters.
fn list(shell: &mut Shell, wanted: impl Fn(&Entry) -> bool) -> Flow {
    let entries = match shell.all_entries() {
        Ok(entries) => entries,
        Err(e) => return shell.complain_about(&e),
    };
    let mut names: Vec<String> = entries
        .iter()
        .filter(|e| wanted(e))
        .map(|e| {
            if e.database == "main" {
                e.name.clone()
            } else {
                format!("{}.{}", e.database, e.name)
            }
        })
        .collect();
    names.sort();
    let widest = names.iter().map(String::len).max().unwrap_or(0);
    let columns = (80 / (widest + 2)).max(1);
    let rows = names.len().div_ceil(columns);
    let mut lines = String::new();
    for row in 0..rows {
        for (column, name) in names.iter().skip(row).step_by(rows).enumerate() {
            if column > 0 {
                lines.push_str("  ");
            }
            lines.push_str(name);
            lines.extend(std::iter::repeat_n(' ', widest - name.len()));
        }
        lines.push('\n');
    }
    shell.print(lines);
    Flow::Go
}

/// `.schema ?--indent? ?--nosys? ?PATTERN?`
pub fn schema(shell: &mut Shell, args: &[String]) -> Flow {
    let mut indent = false;
    let mut no_system = false;
    let mut name: Option<&str> = None;
    for word in &args[1..] {
        if is_option(word, "indent") {
            indent = true;
        } else if is_option(word, "nosys") {
            no_system = true;
        } else if word.starts_with('-') {
            return shell.fail(format!("Unknown option: \"{word}\"\n"));
        } else if name.is_none() {
            name = Some(word);
        } else {
            return shell.fail("Usage: .schema ?--indent? ?--nosys? ?LIKE-PATTERN?\n");
        }
    }
    let entries = match shell.all_entries() {
        Ok(entries) => entries,
        Err(e) => return shell.complain_about(&e),
    };
    let mut out = Vec::new();
    if let Some(table) = name.filter(|n| is_schema_table(n)) {
        let columns = "type text,\n  name text,\n  tbl_name text,\n  rootpage integer,\n  sql text";
        push_sql(
            &format!("CREATE TABLE {table} (\n  {columns}\n)"),
            indent,
            &mut out,
        );
    }
    for entry in &entries {
        let Some(sql) = &entry.sql else { continue };
        if (no_system && is_system(&entry.name)) || !name.is_none_or(|n| matches(n, entry)) {
            continue;
        }
        let mut sql = qualified(sql, &entry.database);
        if sql.starts_with("CREATE VIEW ") || sql.starts_with("CREATE VIRTUAL TABLE ") {
            if let Some(columns) = signature(shell, entry) {
                sql = format!("{sql}\n/* {columns} */");
            }
        }
        push_sql(&sql, indent, &mut out);
    }
    shell.print(out);
    Flow::Go
}

fn push_sql(sql: &str, indent: bool, out: &mut Vec<u8>) {
    if indent {
        push_indented(sql.as_bytes(), out);
    } else {
        push_line(sql.as_bytes(), b";\n", out);
    }
}

fn is_schema_table(pattern: &str) -> bool {
    [
        "sqlite_master",
        "sqlite_schema",
        "sqlite_temp_master",
        "sqlite_temp_schema",
    ]
    .iter()
    .any(|t| like(pattern, t))
}

/// Whether an entry's table, with its database if the pattern has a dot, fits the pattern.
fn matches(pattern: &str, entry: &Entry) -> bool {
    let subject = if pattern.contains('.') {
        format!("{}.{}", entry.database, entry.table)
    } else {
        entry.table.clone()
    };
    let subject = subject.to_ascii_lowercase();
    if pattern.contains(['*', '?', '[']) {
        glob(pattern, &subject)
    } else {
        like(pattern, &subject)
    }
}

/// A CREATE text with the database before the name, unless that is main.
fn qualified(sql: &str, database: &str) -> String {
    if database == "main" {
        return sql.to_owned();
    }
    let prefixes = [
        "TABLE",
        "INDEX",
        "UNIQUE INDEX",
        "VIEW",
        "TRIGGER",
        "VIRTUAL TABLE",
    ];
    let rest = sql.strip_prefix("CREATE ");
    let split = rest.and_then(|rest| {
        prefixes
            .iter()
            .find_map(|p| Some((p, rest.strip_prefix(p)?.strip_prefix(' ')?)))
    });
    match split {
        Some((prefix, rest)) => {
            let database = if database.eq_ignore_ascii_case("temp") {
                database.to_owned()
            } else {
                quote::name(database)
            };
            format!("CREATE {prefix} {database}.{rest}")
        }
        None => sql.to_owned(),
    }
}

/// A view's name and columns, `v(a,b)`; nothing if it cannot be compiled.
fn signature(shell: &mut Shell, entry: &Entry) -> Option<String> {
    let database = quote::doubled(&entry.database);
    let rows = shell
        .rows(&format!(
            "PRAGMA {database}.table_info={}",
            quote::sql(&entry.name)
        ))
        .ok()?;
    let columns: Vec<String> = rows
        .iter()
        .map(|row| quote::name(&text(row[1].clone()).unwrap_or_default()))
        .collect();
    let name = quote::name(&entry.name);
    let name = match entry.database.as_str() {
        "main" => name,
        "temp" => format!("temp.{name}"),
        database => format!("{}.{name}", quote::name(database)),
    };
    (!columns.is_empty()).then(|| format!("{name}({})", columns.join(",")))
}

/// `.fullschema ?--indent?`: the schema and what ANALYZE found.
pub fn fullschema(shell: &mut Shell, args: &[String]) -> Flow {
    let indent = args.len() == 2 && is_option(&args[1], "indent");
    if args.len() != 1 && !indent {
        return shell.fail("Usage: .fullschema ?--indent?\n");
    }
    let entries = shell.entries("main").and_then(|mut main| {
        main.extend(shell.entries("temp")?);
        Ok(main)
    });
    let entries = match entries {
        Ok(entries) => entries,
        Err(e) => return shell.complain_about(&e),
    };
    let mut out = Vec::new();
    for entry in entries.iter().filter(|e| !is_system(&e.name)) {
        if let Some(sql) = &entry.sql {
            push_sql(sql, indent, &mut out);
        }
    }
    let stats: Vec<&str> = ["sqlite_stat1", "sqlite_stat4"]
        .into_iter()
        .filter(|s| entries.iter().any(|e| e.name == *s))
        .collect();
    if stats.is_empty() {
        out.extend_from_slice(b"/* No STAT tables available */\n");
        shell.print(out);
        return Flow::Go;
    }
    out.extend_from_slice(b"ANALYZE sqlite_schema;\n");
    shell.print(out);
    let saved = shell.format.clone();
    shell.format.header = false;
    shell.format.mode = Mode::Insert;
    let mut flow = Flow::Go;
    for table in stats {
        shell.format.table = table.as_bytes().to_vec();
        if let Err(failure) = shell.run_sql(&format!("SELECT * FROM {table}")) {
            flow = shell.fail(failure.brief());
        }
    }
    shell.format = saved;
    shell.print("ANALYZE sqlite_schema;\n");
    flow
}

/// `.databases`
pub fn databases(shell: &mut Shell, _: &[String]) -> Flow {
    let rows = match shell.rows("PRAGMA database_list") {
        Ok(rows) => rows,
        Err(e) => return shell.complain_about(&e),
    };
    let in_transaction = shell.connected().is_some_and(|conn| !conn.is_autocommit());
    for row in rows {
        let (Some(name), Some(file)) = (text(row[1].clone()), text(row[2].clone())) else {
            continue;
        };
        let file = if file.is_empty() {
            "\"\"".to_owned()
        } else {
            file
        };
        let access = if shell.read_only { "r/o" } else { "r/w" };
        let transaction = if in_transaction {
            " in a transaction"
        } else {
            ""
        };
        shell.print(format!("{name}: {file} {access}{transaction}\n"));
    }
    Flow::Go
}
