//! `.open`, `.clone`, `.timeout`: databases as a whole.

use std::path::Path;
use std::time::Duration;

use ringwood::LocalConnection;

use super::schema::Entry;
use super::{Flow, integer, is_option};
use crate::mode::quote;
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
    let copied = copy(shell, &source, &target).and_then(|()| target.close());
    match copied {
        Ok(()) => Flow::Go,
        Err(e) => shell.fail(format!("Error: {}\n", e.message())),
    }
}

fn copy(
    shell: &mut Shell,
    source: &LocalConnection,
    target: &LocalConnection,
) -> ringwood::Result<()> {
    let entries = shell.entries("main")?;
    target.execute_batch("BEGIN EXCLUSIVE;")?;
    let (tables, others): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|e| e.kind == "table");
    for entry in tables.into_iter().chain(others) {
        let Some(sql) = &entry.sql else { continue };
        shell.print(format!("{}... ", entry.name));
        shell.out.flush();
        let made = if entry.name.starts_with("sqlite_") {
            Ok(())
        } else {
            target.execute_batch(sql)
        };
        if let Err(e) = made {
            shell
                .out
                .complain(format!("Error: {}\nSQL: [{sql}]\n", e.message()));
        }
        if entry.kind == "table" {
            copy_rows(source, target, &entry.name)?;
        }
        shell.print("done\n");
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
