//! `.open`, `.backup`, `.restore`, `.clone`, `.dbinfo`, `.timeout`: databases as a whole.

use std::path::Path;
use std::time::Duration;

use ringwood::LocalConnection;
use ringwood::local::OpenOptions;

use super::schema::{Entry, entries_of};
use super::{Flow, integer, is_option};
use crate::mode::quote;
use crate::progress::Progress;
use crate::shell::Shell;

/// `.open ?OPTIONS? ?FILE?`
pub fn open(shell: &mut Shell, args: &[String]) -> Flow {
    let (mut new, mut read_only, mut no_follow) = (false, false, false);
    let mut file: Option<&str> = None;
    for word in &args[1..] {
        if is_option(word, "new") {
            new = true;
        } else if is_option(word, "readonly") {
            read_only = true;
        } else if is_option(word, "nofollow") {
            no_follow = true;
        } else if word.starts_with('-') {
            return shell.fail(format!("unknown option: {word}\n"));
        } else if file.is_some() {
            return shell.fail(format!("extra argument: \"{word}\"\n"));
        } else {
            file = Some(word);
        }
    }
    if shell.safe && file.is_some_and(|f| f != ":memory:") {
        let line = shell.line;
        shell.exit = Some(1);
        return shell.fail(format!(
            "line {line}: cannot open disk-based database files in safe mode\n"
        ));
    }
    shell.close();
    shell.read_only = read_only;
    shell.no_follow = no_follow;
    let file = file.unwrap_or("");
    if new && !file.is_empty() && !shell.safe {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // What is not there need not be removed; what cannot be is met again by the open.
            let _ = std::fs::remove_file(format!("{file}{suffix}"));
        }
    }
    file.clone_into(&mut shell.database);
    let Err(e) = shell.open(file) else {
        return Flow::Go;
    };
    shell.out.complain(format!(
        "Error: unable to open database \"{file}\": {}\n",
        e.message()
    ));
    shell.read_only = false;
    ":memory:".clone_into(&mut shell.database);
    Flow::Failed
}

/// `.timeout MS`
pub fn timeout(shell: &mut Shell, args: &[String]) -> Flow {
    let Some(conn) = shell.connection_or_complain() else {
        return Flow::Failed;
    };
    let ms = args.get(1).map_or(0, |ms| integer(ms).max(0));
    conn.busy_timeout(Duration::from_millis(ms.unsigned_abs()));
    Flow::Go
}

/// `.backup ?DB? FILE`, and `.save`
pub fn backup(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(&format!(".{}", args[0])) {
        return Flow::Failed;
    }
    let mut names = Vec::new();
    for word in &args[1..] {
        // A copy is always made in one go, so that `--async` has nothing to change.
        if word.starts_with('-') && !is_option(word, "async") {
            return shell.fail(format!("unknown option: {word}\n"));
        }
        if !word.starts_with('-') {
            names.push(word.as_str());
        }
    }
    let (database, file) = match names[..] {
        [] => return shell.fail("missing FILENAME argument on .backup\n"),
        [file] => ("main", file),
        [database, file] => (database, file),
        _ => return shell.fail("Usage: .backup ?DB? ?OPTIONS? FILENAME\n"),
    };
    let Some(conn) = shell.connection_or_complain() else {
        return Flow::Failed;
    };
    match copy_pages(&conn, database, file, ".backup") {
        Ok(()) => Flow::Go,
        Err(e) => shell.fail(format!("Error: {}\n", e.message())),
    }
}

fn copy_pages(
    conn: &LocalConnection,
    database: &str,
    file: &str,
    what: &str,
) -> ringwood::Result<()> {
    let mut bar = None;
    conn.backup(database, file, |done, total| {
        bar.get_or_insert_with(|| Progress::pages(what, u64::from(total)))
            .at(u64::from(done));
    })
}

/// `.restore ?DB? FILE`: the main database becomes what is in a file.
///
/// One that lies in a file is closed, its file replaced, and opened again; one in memory is made anew from the
/// rows.
pub fn restore(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(".restore") {
        return Flow::Failed;
    }
    let file = match args {
        [_, file] => file,
        [_, database, file] if database == "main" => file,
        [_, database, _] => {
            return shell.fail(format!("Error: cannot restore \"{database}\", only main\n"));
        }
        _ => return shell.fail("Usage: .restore ?DB? FILE\n"),
    };
    let options = OpenOptions {
        read_only: true,
        create: false,
        ..OpenOptions::default()
    };
    let source = match LocalConnection::open_with(file, &options) {
        Ok(source) => source,
        Err(_) => return shell.fail(format!("Error: cannot open \"{file}\"\n")),
    };
    let path = shell.database.clone();
    shell.close();
    let replaced = if path.is_empty() || path == ":memory:" {
        refill(shell, &source)
    } else {
        copy_pages(&source, "main", &path, ".restore").and_then(|()| shell.open(&path).map(drop))
    };
    match replaced.and_then(|()| source.close()) {
        Ok(()) => Flow::Go,
        Err(e) => shell.fail(format!("Error: {}\n", e.message())),
    }
}

/// Opens an empty database in memory and copies another's content into it.
fn refill(shell: &mut Shell, source: &LocalConnection) -> ringwood::Result<()> {
    let path = shell.database.clone();
    let target = shell.open(&path)?;
    let entries = entries_of(source, "main")?;
    copy(&entries, source, &target, |_| {})
}

/// `.dbinfo ?DB?`: the header, and how much is in the schema.
pub fn dbinfo(shell: &mut Shell, args: &[String]) -> Flow {
    let database = args.get(1).map_or("main", String::as_str);
    let Some(conn) = shell.connection_or_complain() else {
        return Flow::Failed;
    };
    let page = match conn.read_page(database, 1) {
        Ok(Some(page)) => page,
        Ok(None) => return shell.fail("unable to read database header\n"),
        Err(e) => return shell.fail(format!("error: {}\n", e.message())),
    };
    let entries = match shell.entries(database) {
        Ok(entries) => entries,
        Err(e) => return shell.fail(format!("error: {}\n", e.message())),
    };
    let mut lines = vec![
        ("database page size:", page.len().to_string()),
        ("write format:", page[18].to_string()),
        ("read format:", page[19].to_string()),
        ("reserved bytes:", page[20].to_string()),
    ];
    for (name, at) in HEADER {
        let value = u32::from_be_bytes([page[*at], page[at + 1], page[at + 2], page[at + 3]]);
        let encoding = match (at, value) {
            (56, 1) => " (utf8)",
            (56, 2) => " (utf16le)",
            (56, 3) => " (utf16be)",
            _ => "",
        };
        lines.push((name, format!("{value}{encoding}")));
    }
    let count = |kind: &str| {
        entries
            .iter()
            .filter(|e| e.kind == kind)
            .count()
            .to_string()
    };
    let text = entries
        .iter()
        .filter_map(|e| e.sql.as_deref())
        .map(|sql| sql.chars().count())
        .sum::<usize>();
    lines.extend([
        ("number of tables:", count("table")),
        ("number of indexes:", count("index")),
        ("number of triggers:", count("trigger")),
        ("number of views:", count("view")),
        ("schema size:", text.to_string()),
    ]);
    for (name, value) in lines {
        shell.print(format!("{name:<20} {value}\n"));
    }
    Flow::Go
}

/// Fields of the header, and where they lie in page 1.
const HEADER: &[(&str, usize)] = &[
    ("file change counter:", 24),
    ("database page count:", 28),
    ("freelist page count:", 36),
    ("schema cookie:", 40),
    ("schema format:", 44),
    ("default cache size:", 48),
    ("autovacuum top root:", 52),
    ("incremental vacuum:", 64),
    ("text encoding:", 56),
    ("user version:", 60),
    ("application id:", 68),
    ("software version:", 96),
];

/// `.clone NEWDB`: rows and CREATE texts into a new database.
pub fn clone(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(".clone") {
        return Flow::Failed;
    }
    let [_, file] = args else {
        return shell.fail("Usage: .clone FILENAME\n");
    };
    if Path::new(file).exists() {
        return shell.fail(format!("File \"{file}\" already exists.\n"));
    }
    let Some(source) = shell.connection_or_complain() else {
        return Flow::Failed;
    };
    let target = match LocalConnection::open(file) {
        Ok(target) => target,
        Err(e) => return shell.fail(format!("Cannot create output database: {}\n", e.message())),
    };
    let entries = match shell.entries("main") {
        Ok(entries) => entries,
        Err(e) => return shell.fail(format!("Error: {}\n", e.message())),
    };
    let copied = copy(&entries, &source, &target, |text| {
        shell.print(text);
        shell.out.flush();
    });
    let copied = copied.and_then(|()| target.close());
    match copied {
        Ok(()) => Flow::Go,
        Err(e) => shell.fail(format!("Error: {}\n", e.message())),
    }
}

/// Makes everything in `target` and copies the rows; `tell` is given what to print on the way.
fn copy(
    entries: &[Entry],
    source: &LocalConnection,
    target: &LocalConnection,
    mut tell: impl FnMut(String),
) -> ringwood::Result<()> {
    target.execute_batch("BEGIN EXCLUSIVE;")?;
    let (tables, others): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|e| e.kind == "table");
    for entry in tables.into_iter().chain(others) {
        let Some(sql) = &entry.sql else { continue };
        tell(format!("{}... ", entry.name));
        if !entry.name.starts_with("sqlite_") {
            target.execute_batch(sql)?;
        }
        if entry.kind == "table" {
            copy_rows(source, target, &entry.name)?;
        }
        tell("done\n".to_owned());
    }
    target.execute_batch("COMMIT;")
}

fn copy_rows(
    source: &LocalConnection,
    target: &LocalConnection,
    table: &str,
) -> ringwood::Result<()> {
    let table = quote::name(table);
    let mut rows = source.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = rows.column_count();
    if columns == 0 {
        return Ok(());
    }
    let mut insert = target.prepare(&format!(
        "INSERT OR IGNORE INTO {table} VALUES(?{})",
        ",?".repeat(columns - 1)
    ))?;
    while rows.step()? {
        for i in 0..columns {
            insert.bind(i + 1, rows.column(i).to_value())?;
        }
        insert.step()?;
        insert.reset();
    }
    Ok(())
}
