//! `ringwood recover FILE [NEW]`: what can be read of a damaged file, as SQL or as a new database.

use std::io::Write as _;
use std::path::Path;

use ringwood::LocalConnection;

use crate::args::Args;

/// Recovers if the command line asks for it: its first word is `recover`, no file has that name, and one or two files
/// follow. Gives the exit status.
pub fn asked_for(args: &Args) -> Option<u8> {
    if args.database.as_deref() != Some("recover") || Path::new("recover").exists() {
        return None;
    }
    let (file, new) = match &args.commands[..] {
        [file] => (file, None),
        [file, new] => (file, Some(new)),
        _ => return None,
    };
    let done = match new {
        None => {
            let mut out = std::io::stdout().lock();
            ringwood::recover::recover(Path::new(file), &mut |sql| {
                // A reader that has seen enough ends it.
                writeln!(out, "{sql}").map_err(|e| ringwood::Error::Misuse(e.to_string()))
            })
        }
        Some(new) => into(Path::new(file), Path::new(new)),
    };
    match done {
        Ok(counts) => {
            eprintln!(
                "{} rows of {} tables; {} in lost_and_found",
                counts.rows, counts.tables, counts.lost
            );
            Some(0)
        }
        Err(error) => {
            eprintln!("ringwood recover: {error}");
            Some(1)
        }
    }
}

fn into(file: &Path, new: &Path) -> ringwood::Result<ringwood::recover::Recovered> {
    if new.exists() {
        let message = format!("\"{}\" is there already", new.display());
        return Err(ringwood::Error::Misuse(message));
    }
    let conn = LocalConnection::open(new)?;
    let counts = ringwood::recover::recover(file, &mut |sql| {
        // A statement that fails (a row that violates a constraint, an index that is not unique) is left out.
        if let Err(error) = conn.execute_batch(sql) {
            if matches!(error.primary_code(), 10 | 13) {
                return Err(error);
            }
            eprintln!("{error}: {}", sql.chars().take(200).collect::<String>());
        }
        Ok(())
    })?;
    conn.close()?;
    Ok(counts)
}
