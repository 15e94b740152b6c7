//! One open database: what its transactions share.
//!
//! ```text
//!            enter                         set_journal_mode
//!  Unknown ────────► Looking ─┬─► Rollback ──────────────┐
//!     ▲                       ├─► Empty ── first write ──┼─► Wal ──┐
//!     │                       └──────────────────────────┘         │
//!     └──────────────────────────────── close ─────────────────────┘
//! ```
//!
//! Rules:
//! 1. The lock around [`State`] is held for moments, never while waiting for I/O.
//! 2. At most one transaction writes; who asks meanwhile is told [`Error::Busy`].
//! 3. A write to log or database that is given up half way (its future was dropped) or whose sync fails *poisons* the
//!    database: what is on disk is then not known, and an orphaned write may still land. Nothing more is written through
//!    this handle; closing it and opening the file again recovers what was committed.
//!
//! Absent: sharing a file with other processes, and commits in groups.

use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::image::Image;
use crate::log::LogState;
use crate::options::{AutoVacuum, DbOptions, JournalMode};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;
use ringwood_io::{IoHandle, LockLevel};
use ringwood_pager::{FileCache, Pool};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An open database, shared by its transactions; `Send` and `Sync`.
pub struct Database {
    pub(crate) pool: Arc<Pool>,
    pub(crate) options: DbOptions,
    pub(crate) cache: FileCache,
    pub(crate) store: Option<FileStore>,
    state: Mutex<State>,
}

/// What is known of a database file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing yet, or not any more.
    Unknown,
    /// Somebody is looking.
    Looking,
    /// It has no pages.
    Empty,
    /// It keeps a rollback journal.
    Rollback,
    /// It has a log.
    Wal,
}

/// What changes.
pub(crate) struct State {
    /// What an empty database will be made with, and what a written one has.
    pub(crate) geometry: Geometry,
    pub(crate) encoding: TextEncoding,
    pub(crate) auto_vacuum: AutoVacuum,
    pub(crate) journal_mode: JournalMode,
    /// Incremented by every commit, and when somebody else has changed the file.
    pub(crate) lsn: u64,
    /// Whether a transaction is writing.
    pub(crate) writer: bool,
    /// The committed pages of a database without a file.
    pub(crate) image: Arc<Image>,

    pub(crate) phase: Phase,
    /// Whether the header allows writing.
    pub(crate) writable: bool,
    pub(crate) page_count: u32,
    pub(crate) log: LogState,
    pub(crate) readers: Readers,
    pub(crate) checkpointing: bool,
    pub(crate) poisoned: bool,
    /// Change counter, page count, freelist and size of a file that others may change.
    pub(crate) fingerprint: [u8; 24],
}

/// A snapshot in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) lsn: u64,
    pub(crate) generation: u32,
    pub(crate) max_frame: u32,
}

/// What a reader of a database with a file starts from.
pub(crate) struct Entered {
    pub(crate) mark: Mark,
    pub(crate) geometry: Geometry,
    pub(crate) page_count: u32,
}

/// The snapshots in use, each with its number of readers.
#[derive(Debug, Default)]
pub(crate) struct Readers(Vec<(Mark, u32)>);

impl Readers {
    pub(crate) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether there is more than one reader.
    pub(crate) fn is_shared(&self) -> bool {
        self.0.iter().map(|(_, count)| count).sum::<u32>() > 1
    }

    fn add(&mut self, mark: Mark) {
        match self.0.iter_mut().rev().find(|(there, _)| *there == mark) {
            Some((_, count)) => *count += 1,
            None => self.0.push((mark, 1)),
        }
    }

    fn remove(&mut self, mark: Mark) {
        let at = self
            .0
            .iter()
            .rposition(|(there, _)| *there == mark)
            .expect("a reader was counted");
        self.0[at].1 -= 1;
        if self.0[at].1 == 0 {
            self.0.swap_remove(at);
        }
    }

    /// The oldest snapshot in use, or `newest`.
    pub(crate) fn oldest(&self, newest: u64) -> u64 {
        self.0
            .iter()
            .map(|(mark, _)| mark.lsn)
            .min()
            .unwrap_or(newest)
            .min(newest)
    }

    /// The oldest snapshot that somebody but one reader at `mark` uses, or `newest`.
    pub(crate) fn oldest_but(&self, mark: Mark, newest: u64) -> u64 {
        let others = self
            .0
            .iter()
            .filter(|&&(there, count)| there != mark || count > 1);
        others
            .map(|(mark, _)| mark.lsn)
            .min()
            .unwrap_or(newest)
            .min(newest)
    }

    /// The frames that may be copied to the database without changing it under a reader.
    pub(crate) fn safe_frame(&self, log: &LogState) -> u32 {
        let limit = |mark: &Mark| {
            if mark.generation == log.generation {
                mark.max_frame
            } else {
                0
            }
        };
        self.0
            .iter()
            .map(|(mark, _)| limit(mark))
            .min()
            .unwrap_or(log.max_frame)
            .min(log.max_frame)
    }
}

impl State {
    fn mark(&self) -> Mark {
        Mark {
            lsn: self.lsn,
            generation: self.log.generation,
            max_frame: self.log.max_frame,
        }
    }

    /// Counts a reader of the newest snapshot in.
    pub(crate) fn enter(&mut self) -> Entered {
        let mark = self.mark();
        self.readers.add(mark);
        Entered {
            mark,
            geometry: self.geometry,
            page_count: self.page_count,
        }
    }

    /// Moves a reader to the newest snapshot.
    pub(crate) fn advance(&mut self, from: Mark) -> Mark {
        self.readers.remove(from);
        self.enter().mark
    }
}

impl Database {
    /// Opens a database file, or makes an empty one. Nothing is read, locked or recovered before the first transaction;
    /// an empty file stays empty until the first commit.
    ///
    /// A file that cannot be written is opened for reading.
    pub async fn open(
        io: &IoHandle,
        pool: &Arc<Pool>,
        path: &Path,
        options: DbOptions,
    ) -> Result<Arc<Database>> {
        let store = FileStore::open(io, path, options.read_only, options.create)?;
        Ok(Arc::new(Database::new(pool, options, Some(store))))
    }

    /// A database without a file: `:memory:`, or with [`DbOptions::spill`] a temporary one.
    pub fn memory(pool: &Arc<Pool>, options: DbOptions) -> Arc<Database> {
        Arc::new(Database::new(pool, options, None))
    }

    fn new(pool: &Arc<Pool>, options: DbOptions, store: Option<FileStore>) -> Database {
        Database {
            pool: pool.clone(),
            cache: FileCache::new(pool.clone()),
            state: Mutex::new(State {
                geometry: options.geometry,
                encoding: options.encoding,
                auto_vacuum: options.auto_vacuum,
                journal_mode: options.journal_mode,
                lsn: 0,
                writer: false,
                image: Arc::default(),
                phase: if store.is_some() {
                    Phase::Unknown
                } else {
                    Phase::Empty
                },
                writable: true,
                page_count: 0,
                log: LogState::default(),
                readers: Readers::default(),
                checkpointing: false,
                poisoned: false,
                fingerprint: [0; 24],
            }),
            store,
            options,
        }
    }

    /// The pool that holds the pages.
    #[inline]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// What it was opened with.
    pub fn options(&self) -> &DbOptions {
        &self.options
    }

    /// The absolute path of its file, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.store.as_ref().map(|store| store.path.as_path())
    }

    /// Whether nothing can be written, because it was opened so or the file allows no more.
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
            || self.store.as_ref().is_some_and(|store| store.read_only)
            || !self.state().writable
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Page size and reserved bytes: of the file, once a transaction has looked at it, or as it will be made.
    pub fn geometry(&self) -> Geometry {
        self.state().geometry
    }

    /// The journal mode: of the file, once a transaction has looked at it, or as it will be made.
    pub fn journal_mode(&self) -> JournalMode {
        let state = self.state();
        match (&self.store, state.phase) {
            (None, _) => JournalMode::Memory,
            (Some(_), Phase::Wal) => JournalMode::Wal,
            (Some(_), Phase::Rollback) => JournalMode::Delete,
            (Some(_), Phase::Empty | Phase::Unknown | Phase::Looking) => state.journal_mode,
        }
    }

    /// Frames in the log, and those of them that are in the database file already.
    pub fn log_frames(&self) -> (u32, u32) {
        let state = self.state();
        (state.log.max_frame, state.log.backfilled)
    }

    /// Takes the writer's lock for a reader at `mark`: its mark, where the log may have started anew.
    pub(crate) fn lock_writer(&self, mark: Mark) -> Result<Mark> {
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let mut state = self.state();
        if state.poisoned {
            return Err(Error::LogPoisoned);
        }
        if state.writer {
            return Err(Error::Busy);
        }
        if state.lsn != mark.lsn {
            return Err(Error::BusySnapshot);
        }
        if let Some(store) = &self.store {
            match state.phase {
                Phase::Wal => {}
                Phase::Empty if state.journal_mode == JournalMode::Wal => {
                    // From here on this is a database with a log; it stays empty until the first commit.
                    store.lock.lock(LockLevel::Exclusive)?;
                    if store.file.len()? != 0 {
                        store.lock.unlock(LockLevel::Shared)?;
                        return Err(Error::BusySnapshot);
                    }
                }
                Phase::Empty | Phase::Rollback => return Err(Error::RollbackMode),
                Phase::Unknown | Phase::Looking => {
                    return Err(Error::Misuse("writing before reading"));
                }
            }
        }
        state.writer = true;
        Ok(state.advance(mark))
    }

    pub(crate) fn unlock_writer(&self) {
        let mut state = self.state();
        assert!(state.writer, "the writer's lock is given up by its holder");
        state.writer = false;
        if state.phase == Phase::Empty {
            if let Some(store) = &self.store {
                // Nothing was committed: others may be the first. What cannot be lowered falls when the file is closed.
                let _ = store.lock.unlock(LockLevel::Shared);
            }
        }
    }

    /// Counts a reader out; with the last one, a file that others may change is unlocked.
    pub(crate) fn leave(&self, mark: Mark) {
        let mut state = self.state();
        state.readers.remove(mark);
        if let Some(store) = &self.store {
            if matches!(state.phase, Phase::Empty | Phase::Rollback) && !state.readers.is_any() {
                let _ = store.lock.unlock(LockLevel::None);
            }
        }
        let oldest = state.readers.oldest(state.lsn);
        drop(state);
        self.cache.trim(oldest);
    }

    /// Refuses all writes from now on, as after a failed sync (rule 3): for tests, and for whoever learns of a damage.
    pub fn poison(&self) {
        self.state().poisoned = true;
    }

    /// Poisons the database unless [`Vigil::over`] is called: what is on disk is not known while a write is on its way.
    pub(crate) fn vigil(&self) -> Vigil<'_> {
        Vigil(self)
    }
}

/// See [`Database::vigil`].
pub(crate) struct Vigil<'a>(&'a Database);

impl Vigil<'_> {
    /// The writes have ended, well or not.
    pub(crate) fn over(self) {
        std::mem::forget(self);
    }
}

impl Drop for Vigil<'_> {
    fn drop(&mut self) {
        self.0.poison();
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let path = self.path().unwrap_or(Path::new(":memory:"));
        write!(
            f,
            "Database({}, {:?}, lsn {}, {:?})",
            path.display(),
            state.phase,
            state.lsn,
            state.log
        )
    }
}
