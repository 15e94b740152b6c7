//! Switching between a rollback journal and a log.
//!
//! ```text
//!  Rollback ── lock exclusively, delete a stale log, commit a header that says 2 to a new log ──► Wal
//!     ▲                                                                                           │
//!     └── delete the log ◄── checkpoint ◄── commit a header that says 1 to the log ◄──────────────┘
//! ```
//!
//! Rule: the header changes by a commit of the log, so a crash at any moment leaves a database in one mode or the other;
//! one whose log has frames is opened with its log, whatever its header says, by us as by SQLite.
//!
//! Source: SQLite's `sqlite3BtreeSetVersion`, `OP_JournalMode`.

use crate::busy::Busy;
use crate::database::Phase;
use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::options::{CheckpointMode, JournalMode};
use crate::tx::{Tx, TxState};
use ringwood_format::header::set_versions;
use ringwood_format::page::PageNo;
use ringwood_io::LockLevel;

impl Tx {
    /// `PRAGMA journal_mode`: a write-ahead log, or a rollback journal, which is then read and not written. What the mode
    /// is afterwards. A snapshot that is being read is given up for another one.
    ///
    /// From a rollback journal to a log: a transaction of the log itself changes the header, so a crash leaves the one
    /// or the other. Back: the same, then a checkpoint, and the log is deleted.
    ///
    /// # Errors
    /// [`Error::Locked`] in a write transaction; [`Error::Busy`] if others use the file; those of a commit and of a
    /// checkpoint.
    pub async fn set_journal_mode(&mut self, mode: JournalMode) -> Result<JournalMode> {
        if self.state == TxState::Write {
            return Err(Error::Locked);
        }
        if !self.has_file {
            return Ok(JournalMode::Memory);
        }
        let fresh = self.state == TxState::None;
        self.end_read();
        self.begin_read().await?;
        let result = self.change_journal_mode(mode).await;
        self.rollback();
        self.end_read();
        result?;
        if !fresh {
            self.begin_read().await?;
        }
        Ok(self.db.journal_mode())
    }

    async fn change_journal_mode(&mut self, mode: JournalMode) -> Result<()> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let phase = db.state().phase;
        match (phase, mode) {
            (Phase::Empty, JournalMode::Wal | JournalMode::Delete) => {
                db.state().journal_mode = mode;
            }
            (Phase::Rollback, JournalMode::Wal) => self.start_log(store).await?,
            (Phase::Wal, JournalMode::Delete) => self.end_log(store).await?,
            _ => {}
        }
        Ok(())
    }

    async fn start_log(&mut self, store: &FileStore) -> Result<()> {
        let db = self.db.clone();
        if db.is_read_only() {
            return Err(Error::ReadOnly);
        }
        if db.state().readers.is_shared() {
            return Err(Error::Busy);
        }
        store.lock.lock(LockLevel::Exclusive)?;
        // Without committed frames, or this were no rollback mode.
        store.delete_log(&self.io)?;
        let result = match self.enter_new_log(&db, store) {
            Ok(()) => self.write_versions(2).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.rollback();
            self.end_read();
            let poisoned = db.state().poisoned;
            if !poisoned && db.log_frames().0 == 0 {
                store.delete_log(&self.io)?;
                db.forget_file();
            }
        }
        result
    }

    async fn end_log(&mut self, store: &FileStore) -> Result<()> {
        let db = self.db.clone();
        if db.state().readers.is_shared() {
            return Err(Error::Busy);
        }
        store.lock.lock(LockLevel::Exclusive)?;
        let result = self.end_log_alone(store).await;
        if result.is_err() && db.state().phase == Phase::Wal && !db.state().alone {
            store.lock.unlock(LockLevel::Shared)?;
        }
        result
    }

    /// Nobody else has the file open.
    async fn end_log_alone(&mut self, store: &FileStore) -> Result<()> {
        let db = self.db.clone();
        self.write_versions(1).await?;
        store.lock.lock(LockLevel::Exclusive)?;
        self.end_read();
        let none = Busy::default();
        let (mode, synchronous) = (CheckpointMode::Passive, self.synchronous);
        db.checkpoint(&self.io, mode, synchronous, &none).await?;
        let (frames, backfilled) = db.log_frames();
        if frames != backfilled {
            return Err(Error::Busy);
        }
        store.delete_log(&self.io)?;
        db.forget_file();
        db.state().journal_mode = JournalMode::Delete;
        Ok(())
    }

    async fn write_versions(&mut self, version: u8) -> Result<()> {
        self.begin_write().await?;
        set_versions(self.present_mut(PageNo::ONE)?, version);
        self.commit().await
    }
}
