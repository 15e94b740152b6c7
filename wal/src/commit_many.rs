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
//! 3. All that has to be waited for comes before the first write, but for the logs among them. A commit that is given up
//!    while it writes is written to its end first; one that is given up while a log takes its time is undone, unless all
//!    logs are past recall: then it is ended. A panic in between leaves journals that only a recovery can judge, and
//!    poisons all files.
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
    let mut changed = Vec::with_capacity(shares.len());
    for (count, &at) in shares.iter().enumerate() {
        match txs[at].ready_for_journal().await {
            Ok(pages) => changed.push((at, pages)),
            Err(error) => {
                for &at in &shares[..count] {
                    txs[at].let_readers_in();
                }
                return Err(error);
            }
        }
    }
    let name = match make_super_journal(&io, txs, &shares) {
        Ok(name) => name,
        Err(error) => {
            for &at in &shares {
                txs[at].let_readers_in();
            }
            return Err(error);
        }
    };
    let databases: Vec<Arc<Database>> = shares.iter().map(|&at| txs[at].db.clone()).collect();
    let mut many = Many {
        vigils: databases.iter().map(|database| database.vigil()).collect(),
        io: io.clone(),
        txs,
        shares,
        name,
        written: Vec::new(),
    };
    io.unbroken(many.write(changed)).await?;
    for at in 0..many.txs.len() {
        if !many.shares.contains(&at) {
            if let Err(error) = many.txs[at].commit_prepared().await {
                io.unbroken(many.undo()).await;
                return Err(error);
            }
        }
    }
    io.unbroken(many.end()).await
}

/// A commit of several files that has begun to write.
struct Many<'a, 'b> {
    io: IoHandle,
    txs: &'a mut [&'b mut Tx],
    /// The files whose journals name the super-journal.
    shares: Vec<usize>,
    name: PathBuf,
    /// Those that are written and neither ended nor undone; nothing was changed in one without anything.
    written: Vec<(usize, Option<Written>)>,
    vigils: Vec<Vigil<'a>>,
}

impl Many<'_, '_> {
    /// Writes all files with a journal, or none.
    async fn write(&mut self, changed: Vec<(usize, Option<Vec<usize>>)>) -> Result<()> {
        for (at, pages) in changed {
            let written = match pages {
                Some(pages) => {
                    let tx = &mut *self.txs[at];
                    match tx.write_through_journal(&pages, Some(&self.name)).await {
                        Ok(written) => Some(written),
                        Err(error) => {
                            self.undo().await;
                            return Err(error);
                        }
                    }
                }
                None => None,
            };
            self.written.push((at, written));
        }
        Ok(())
    }

    /// The super-journal goes, which is the commit; then the journals.
    async fn end(&mut self) -> Result<()> {
        if let Err(error) = end_super_journal(&self.io, &self.name) {
            self.undo().await;
            return Err(error);
        }
        // From here on the commit stands; a journal that stays names nothing, and goes with the next reader.
        for (at, written) in std::mem::take(&mut self.written) {
            match written {
                Some(written) => {
                    let _ = self.txs[at].end_journal_of_many(&written).await;
                }
                None => self.txs[at].publish_nothing(),
            }
            self.txs[at].end_commit().await;
        }
        self.is_over();
        Ok(())
    }

    /// Everything goes back.
    async fn undo(&mut self) {
        for (at, written) in std::mem::take(&mut self.written) {
            if let Some(written) = written {
                self.txs[at].undo_journal(&written).await;
            }
        }
        for &at in &self.shares {
            self.txs[at].let_readers_in();
        }
        // A journal that could not be played back is hot as long as what it names is there (rule 1). Else, if the
        // super-journal stays, it is in nobody's way.
        if self
            .shares
            .iter()
            .all(|&at| is_cold(&self.io, self.txs[at]))
        {
            let _ = delete_if_there(&self.io, &self.name);
        }
        self.is_over();
    }

    fn is_over(&mut self) {
        self.vigils.drain(..).for_each(Vigil::over);
    }
}

impl Drop for Many<'_, '_> {
    fn drop(&mut self) {
        if self.vigils.is_empty() || std::thread::panicking() {
            return;
        }
        // Rule 3: given up while a log was being written.
        let logs = (0..self.txs.len()).filter(|at| !self.shares.contains(at));
        let forward = logs.into_iter().all(|at| self.txs[at].is_past_recall());
        let io = self.io.clone();
        if forward {
            // Nobody is left to tell.
            let _ = io.unbroken(self.end()).now();
        } else {
            io.unbroken(self.undo()).now();
        }
    }
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
