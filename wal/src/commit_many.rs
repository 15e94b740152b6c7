//! Committing several files at once: all of them or none, as far as SQLite's files can.
//!
//! ```text
//!  super-journal: the names of all journals ─► each journal names it ─► each file is written
//!        └── deleted: the commit ─► each journal goes
//! ```
//!
//! Rules:
//! 1. A journal that names a super-journal which is gone belongs to a commit that is done; one whose super-journal is
//!    there is hot. So the deletion of one name commits all files.
//! 2. Only files with a rollback journal on disk take part, and `synchronous=OFF` does without; a file with a log
//!    commits for itself, after the others are written and before the super-journal goes: a crash in that moment may
//!    leave it ahead of them, as in SQLite.
//! 3. A commit that is given up between two files leaves journals that only a recovery can judge: from the first file that
//!    is written to the end of the last one, all of them are poisoned if that happens.
//!
//! Source: SQLite's `vdbeCommit`.

use crate::database::{Database, Phase, Vigil};
use crate::error::{Error, Result};
use crate::file_store::delete_if_there;
use crate::options::{JournalMode, Synchronous};
use crate::rollback::Written;
use crate::tx::{Tx, TxState};
use ringwood_io::{IoHandle, OpenOptions, SyncMode};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Commits the write transactions among these, which are of one connection: all or none. The first one's file gives the
/// super-journal its name.
///
/// # Errors
/// Those of [`Tx::commit`]; each transaction that is still in state Write can only be rolled back, but for
/// [`Error::Busy`] before anything was written: then it can be tried again.
pub async fn commit_many(txs: &mut [&mut Tx]) -> Result<()> {
    for tx in txs.iter_mut() {
        tx.prepare_commit().await?;
    }
    let shares: Vec<usize> = (0..txs.len()).filter(|&at| takes_part(txs[at])).collect();
    if shares.len() < 2 {
        for tx in txs.iter_mut() {
            tx.commit_prepared().await?;
        }
        return Ok(());
    }
    let io = txs[shares[0]].io().clone();
    let name = make_super_journal(&io, txs, &shares)?;
    let mut written: Vec<(usize, Option<Written>)> = Vec::new();
    let mut result = Ok(());
    let databases: Vec<Arc<Database>> = shares.iter().map(|&at| txs[at].db.clone()).collect();
    let mut vigils: Vec<Vigil<'_>> = Vec::new();
    for (&at, database) in shares.iter().zip(&databases) {
        // Rule 3.
        vigils.push(database.vigil());
        match txs[at].write_through_journal(Some(&name)).await {
            Ok(done) => written.push((at, done)),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    if result.is_ok() {
        for (at, tx) in txs.iter_mut().enumerate() {
            if !shares.contains(&at) && result.is_ok() {
                result = tx.commit_prepared().await;
            }
        }
    }
    if result.is_ok() {
        result = end_super_journal(&io, &name);
    }
    if let Err(error) = result {
        for (at, done) in written {
            if let Some(done) = done {
                txs[at].undo_journal(done).await;
            }
        }
        // A journal that could not be played back is hot as long as what it names is there (rule 1). Else, if the
        // super-journal stays, it is in nobody's way.
        if shares.iter().all(|&at| is_cold(&io, txs[at])) {
            let _ = delete_if_there(&io, &name);
        }
        vigils.into_iter().for_each(Vigil::over);
        return Err(error);
    }
    // From here on the commit stands; a journal that stays names nothing, and goes with the next reader.
    for (at, done) in written {
        match done {
            Some(done) => {
                let _ = txs[at].end_journal_of_many(done).await;
            }
            None => txs[at].publish_nothing(),
        }
        txs[at].end_commit().await;
    }
    vigils.into_iter().for_each(Vigil::over);
    Ok(())
}

/// Whether a file's commit depends on a journal on disk (rule 2).
fn takes_part(tx: &Tx) -> bool {
    let on_disk = matches!(
        tx.rollback_mode,
        JournalMode::Delete | JournalMode::Persist | JournalMode::Truncate
    );
    tx.state() == TxState::Write
        && tx.has_file
        && !tx.to_log
        && on_disk
        && tx.synchronous() != Synchronous::Off
        && tx.has_changes()
}

/// Whether a file certainly has no journal that would be played back.
fn is_cold(io: &IoHandle, tx: &Tx) -> bool {
    let Some(store) = &tx.db.store else {
        return true;
    };
    let journal = match io.open(store.journal_path(), &OpenOptions::read_only()) {
        Ok(journal) => journal,
        Err(error) => return error.is_not_found(),
    };
    let mut first = [0];
    matches!(io.read_now(&journal, 0, &mut first), Ok(read) if read == 0 || first[0] == 0)
}

fn make_super_journal(io: &IoHandle, txs: &[&mut Tx], shares: &[usize]) -> Result<PathBuf> {
    let first = txs[shares[0]].db.path().unwrap_or(Path::new(""));
    let mut names = Vec::new();
    for &at in shares {
        if let Some(store) = &txs[at].db.store {
            names.extend_from_slice(store.journal_path().as_os_str().as_bytes());
            names.push(0);
        }
    }
    for _ in 0..100 {
        let random = io.rand();
        let mut name = first.as_os_str().to_owned();
        name.push(format!(
            "-mj{:06X}9{:02X}",
            (random >> 8) & 0x00ff_ffff,
            random & 0xff
        ));
        let name = PathBuf::from(name);
        if io.exists(&name) {
            continue;
        }
        let file = io.open(&name, &OpenOptions::create_new())?;
        let made = io
            .write_now(&file, 0, &names)
            .and_then(|()| io.sync_now(&file, SyncMode::Full))
            .and_then(|()| io.sync_dir_of(&name));
        if let Err(error) = made {
            let _ = delete_if_there(io, &name);
            return Err(error.into());
        }
        return Ok(name);
    }
    Err(Error::CantOpen("no name for a super-journal"))
}

fn end_super_journal(io: &IoHandle, name: &Path) -> Result<()> {
    io.delete(name)?;
    Ok(io.sync_dir_of(name)?)
}

/// What the database keeps, for whoever asks before anything is looked at.
pub(crate) fn is_log(phase: Phase, empty_mode: JournalMode) -> bool {
    phase == Phase::Wal || (phase == Phase::Empty && empty_mode == JournalMode::Wal)
}
