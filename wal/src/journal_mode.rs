//! `PRAGMA journal_mode`: which journal, and switching between a rollback journal and a log.
//!
//! ```text
//!  Rollback ── lock exclusively, delete a stale log, commit a header that says 2 to a new log, checkpoint ──► Wal
//!     ▲                                                                                           │
//!     └── delete the log ◄── checkpoint ◄── commit a header that says 1 to the log ◄── lock ──────┘
//!
//!  DELETE, PERSIST, TRUNCATE, MEMORY, OFF: the transaction's own affair, and no change of the file
//! ```
//!
//! Rules:
//! 1. The header changes by a commit of the log, so a crash at any moment leaves a database in one mode or the other;
//!    one whose log has frames is opened with its log, whatever its header says, by us as by SQLite.
//!    The checkpoint puts it into the file, where others look for it, and lets the first writer begin the log anew.
//! 2. An empty file takes the mode that it will be made with.
//! 3. A database without a file knows MEMORY and OFF.
//! 4. From the look around for other readers to the end nobody of this process comes in: the log would go under his feet.
//!
//! Source: SQLite's `sqlite3BtreeSetVersion`, `OP_JournalMode`, `sqlite3PagerSetJournalMode`.

use crate::busy::Busy;
use crate::commit_many::is_log;
use crate::database::{Database, Phase};
use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::options::{CheckpointMode, JournalMode};
use crate::rollback::drop_kept_journal;
use crate::tx::{Tx, TxState};
use ringwood_format::header::set_versions;
use ringwood_format::page::PageNo;
use ringwood_io::LockLevel;

/// Nobody of this process but the transaction that changes the mode; ends however that does.
struct Switching<'a>(&'a Database);

impl Switching<'_> {
    fn begin(db: &Database) -> Result<Switching<'_>> {
        let mut state = db.state();
        if state.readers.is_shared() {
            return Err(Error::Busy);
        }
        state.switching = true;
        Ok(Switching(db))
    }
}

impl Drop for Switching<'_> {
    fn drop(&mut self) {
        self.0.state().switching = false;
    }
}

impl Tx {
    /// The journal mode: of the file as last seen, or as it will be made.
    pub fn journal_mode(&self) -> JournalMode {
        if !self.has_file {
            return self.memory_mode;
        }
        match self.db.journal_mode() {
            JournalMode::Wal => JournalMode::Wal,
            _ => self.rollback_mode,
        }
    }

    /// `PRAGMA journal_mode`: what the mode is afterwards. A snapshot that is being read is given up for another one.
    ///
    /// # Errors
    /// [`Error::Locked`] in a write transaction; [`Error::Busy`] if others use the file; those of a commit and of a
    /// checkpoint.
    pub async fn set_journal_mode(&mut self, mode: JournalMode) -> Result<JournalMode> {
        if self.state == TxState::Write {
            return Err(Error::Locked);
        }
        if !self.has_file {
            if matches!(mode, JournalMode::Memory | JournalMode::Off) {
                self.memory_mode = mode;
            }
            return Ok(self.memory_mode);
        }
        let fresh = self.state == TxState::None;
        self.end_read();
        let mut glance = self.glance().await?;
        let result = glance.change_journal_mode(mode).await;
        drop(glance);
        result?;
        if !fresh {
            self.begin_read().await?;
        }
        Ok(self.journal_mode())
    }

    async fn change_journal_mode(&mut self, mode: JournalMode) -> Result<()> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let (phase, empty_mode) = {
            let state = db.state();
            (state.phase, state.journal_mode)
        };
        let wants_log = mode == JournalMode::Wal;
        match (is_log(phase, empty_mode), wants_log) {
            (true, true) => return Ok(()),
            (true, false) | (false, true) if phase == Phase::Empty => {
                db.state().journal_mode = if wants_log { mode } else { JournalMode::Delete };
            }
            (true, false) => self.end_log(store).await?,
            (false, true) => {
                drop_kept_journal(&self.io, store)?;
                self.start_log(store).await?;
            }
            (false, false) => {
                let kept = [JournalMode::Persist, JournalMode::Truncate];
                if kept.contains(&self.rollback_mode) && !kept.contains(&mode) {
                    drop_kept_journal(&self.io, store)?;
                }
            }
        }
        if !wants_log {
            self.rollback_mode = mode;
        }
        Ok(())
    }

    async fn start_log(&mut self, store: &FileStore) -> Result<()> {
        let db = self.db.clone();
        if db.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let _switching = Switching::begin(&db)?;
        store.lock.lock(LockLevel::Exclusive)?;
        // Without committed frames, or this were no rollback mode.
        let deleted = store.delete_log(&self.io);
        let result = match deleted.and_then(|()| self.enter_new_log(&db, store)) {
            Ok(()) => self.write_versions(2).await,
            Err(error) => Err(error),
        };
        if result.is_ok() {
            self.end_read();
            let none = Busy::default();
            let (mode, synchronous) = (CheckpointMode::Passive, self.synchronous);
            // What cannot be checkpointed now stays in the log.
            let _ = db.checkpoint(&self.io, mode, synchronous, &none).await;
        } else {
            self.rollback();
            self.end_read();
            let poisoned = db.state().poisoned;
            if !poisoned && db.log_frames().0 == 0 {
                // If it stays, it has no frames; who looks next finds out what there is.
                let _ = store.delete_log(&self.io);
                db.forget_file();
            }
        }
        result
    }

    async fn end_log(&mut self, store: &FileStore) -> Result<()> {
        let db = self.db.clone();
        if db.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let _switching = Switching::begin(&db)?;
        store.lock.lock(LockLevel::Exclusive)?;
        db.state().keeps_lock = true;
        let result = self.end_log_alone(store).await;
        let mut state = db.state();
        state.keeps_lock = false;
        if result.is_err() && state.phase == Phase::Wal && !state.alone {
            store.lock.unlock(LockLevel::Shared)?;
        }
        result
    }

    /// Nobody else has the file open.
    async fn end_log_alone(&mut self, store: &FileStore) -> Result<()> {
        let db = self.db.clone();
        self.write_versions(1).await?;
        self.end_read();
        let none = Busy::default();
        let (mode, synchronous) = (CheckpointMode::Passive, self.synchronous);
        db.checkpoint(&self.io, mode, synchronous, &none).await?;
        let (frames, backfilled) = db.log_frames();
        if frames != backfilled {
            return Err(Error::Busy);
        }
        // A log that cannot be deleted is one still, of which everything is in the file: then nothing has changed.
        let deleted = store.delete_log(&self.io);
        db.forget_file();
        deleted?;
        db.state().journal_mode = JournalMode::Delete;
        Ok(())
    }

    async fn write_versions(&mut self, version: u8) -> Result<()> {
        self.begin_write().await?;
        set_versions(self.present_mut(PageNo::ONE)?, version);
        self.commit().await
    }
}
