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
//! 2. Writers of this process stand in line ([`Turnstile`](crate::turnstile)); then comes the lock that other processes
//!    see. What others did is noticed when a transaction begins ([`shared_log`](crate::shared_log)).
//! 3. A write to log or database whose sync fails, or in whose middle its thread panics, *poisons* the database: what is
//!    on disk is then not known. Nothing more is written through this handle; closing it and opening the file again
//!    recovers what was committed. While a write that a panic left may still land, the locks stay. A future that is
//!    dropped poisons nothing: what it has begun to write is written to its end first
//!    ([`IoHandle::unbroken`](ringwood_io::IoHandle::unbroken)).
//!
//! 4. What is queued and not committed ([`group`](crate::group)) is known to writers alone; readers see what is committed.

use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::group::{Base, Group, Overlay};
use crate::image::Image;
use crate::log::LogState;
use crate::options::{AutoVacuum, DbOptions, JournalMode};
use crate::turnstile::Turnstile;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;
use ringwood_io::{IoHandle, LockLevel, ShmOwner};
use ringwood_pager::{FileCache, Pool};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// An open database, shared by its transactions; `Send` and `Sync`.
pub struct Database {
    pub(crate) pool: Arc<Pool>,
    pub(crate) options: DbOptions,
    pub(crate) cache: FileCache,
    pub(crate) store: Option<FileStore>,
    /// Whose turn it is to write.
    pub(crate) turnstile: Arc<Turnstile>,
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
    /// The committed pages of a database without a file.
    pub(crate) image: Arc<Image>,

    pub(crate) phase: Phase,
    /// Whether the header allows writing.
    pub(crate) writable: bool,
    pub(crate) page_count: u32,
    /// Whether geometry and the like are those of the log's newest snapshot.
    pub(crate) header_is_read: bool,
    pub(crate) log: LogState,
    /// The log's index is good for the present readers only.
    pub(crate) private: bool,
    pub(crate) readers: Readers,
    /// A commit of a rollback journal waits for the readers to leave, or writes: nobody comes in.
    pub(crate) closed: bool,
    /// The log is being ended: the file stays locked exclusively.
    pub(crate) keeps_lock: bool,
    /// The journal mode is being changed: nobody comes in until it is.
    pub(crate) switching: bool,
    pub(crate) poisoned: bool,
    /// Where the log stood when writers last waited for its readers: generation and frames.
    pub(crate) pressed: (u32, u32),
    /// Where the log stood when a commit last tried a checkpoint: generation and frames.
    pub(crate) tried: (u32, u32),
    /// Commits on their way to the log.
    pub(crate) group: Group,
    /// Locks that stay: a write that was given up may still land.
    pub(crate) stuck: Vec<ShmOwner>,
    pub(crate) orphaned: bool,
    /// `locking_mode=EXCLUSIVE`: whether it is so, and whether it is to be.
    pub(crate) alone: bool,
    pub(crate) alone_wanted: bool,
    /// Others could use the log before it was wanted alone.
    pub(crate) was_shared: bool,
    /// Change counter, page count, freelist and size of a file that others may change.
    pub(crate) fingerprint: [u8; 24],
    /// Lookups of pages that found them in memory, and that did not; of transactions that have ended.
    pub(crate) lookups: (u64, u64),
}

/// A snapshot in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) lsn: u64,
    pub(crate) generation: u32,
    pub(crate) max_frame: u32,
    /// The first frame that the database file may lack.
    pub(crate) min_frame: u32,
    /// The read mark whose lock is shared; 0 for the database file alone.
    pub(crate) slot: u8,
}

/// What a reader of a database with a file starts from.
pub(crate) struct Entered {
    pub(crate) mark: Mark,
    pub(crate) geometry: Geometry,
    pub(crate) page_count: u32,
    /// Its locks on the log.
    pub(crate) owner: Option<ShmOwner>,
}

/// What a writer starts with.
pub(crate) struct Started {
    /// Whether he writes to a log.
    pub(crate) to_log: bool,
    /// Where he reads.
    pub(crate) mark: Mark,
    /// What he stands on, if that is not committed yet.
    pub(crate) base: Option<Base>,
}

impl Started {
    fn plain(mark: Mark, to_log: bool) -> Started {
        Started {
            to_log,
            mark,
            base: None,
        }
    }
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

    pub(crate) fn add(&mut self, mark: Mark) {
        match self.0.iter_mut().rev().find(|(there, _)| *there == mark) {
            Some((_, count)) => *count += 1,
            None => self.0.push((mark, 1)),
        }
    }

    pub(crate) fn remove(&mut self, mark: Mark) {
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
}

impl State {
    /// Counts a reader of the newest snapshot in.
    pub(crate) fn enter_at(
        &mut self,
        slot: u8,
        min_frame: u32,
        owner: Option<ShmOwner>,
    ) -> Entered {
        let mark = Mark {
            lsn: self.lsn,
            generation: self.log.generation,
            max_frame: self.log.head.max_frame,
            min_frame,
            slot,
        };
        self.readers.add(mark);
        Entered {
            mark,
            geometry: self.geometry,
            page_count: self.page_count,
            owner,
        }
    }

    /// Moves a reader to the newest snapshot, under the lock that it has.
    pub(crate) fn advance(&mut self, from: Mark) -> Mark {
        self.readers.remove(from);
        self.enter_at(from.slot, from.min_frame, None).mark
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
                image: Arc::default(),
                phase: if store.is_some() {
                    Phase::Unknown
                } else {
                    Phase::Empty
                },
                writable: true,
                page_count: 0,
                header_is_read: false,
                log: LogState::default(),
                private: false,
                readers: Readers::default(),
                closed: false,
                keeps_lock: false,
                switching: false,
                poisoned: false,
                pressed: (0, 0),
                tried: (0, 0),
                group: Group::default(),
                stuck: Vec::new(),
                orphaned: false,
                alone: false,
                alone_wanted: false,
                was_shared: false,
                fingerprint: [0; 24],
                lookups: (0, 0),
            }),
            store,
            turnstile: Arc::default(),
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

    /// Frames in the log as last seen, and those of them that are in the database file already.
    pub fn log_frames(&self) -> (u32, u32) {
        let frames = self.state().log.head.max_frame;
        let backfilled = self
            .store
            .as_ref()
            .map_or(0, |store| store.index().backfilled());
        (frames, backfilled.min(frames))
    }

    /// `PRAGMA locking_mode`: whether the file is kept from all other processes, from the next transaction on that
    /// finds nobody reading. As in SQLite, a log that was never shared with others stays so: false changes nothing then.
    pub fn set_exclusive(&self, exclusive: bool) {
        let mut state = self.state();
        let is_log = state.phase == Phase::Wal;
        if exclusive {
            if !state.alone_wanted {
                state.was_shared = is_log && !state.alone;
            }
        } else if is_log && state.alone && !state.was_shared {
            return;
        }
        state.alone_wanted = exclusive;
    }

    /// Whether the file is to be kept from all other processes.
    pub fn is_exclusive(&self) -> bool {
        self.state().alone_wanted
    }

    /// Gives up a file that is locked otherwise than is wanted, if nobody uses it.
    pub(crate) fn drop_if_unwanted(&self, state: &mut State, store: &FileStore) {
        let wrong = state.alone != state.alone_wanted && state.phase != Phase::Looking;
        if wrong && !state.readers.is_any() && !self.turnstile.is_taken() && !state.poisoned {
            state.phase = Phase::Unknown;
            store.detach();
            // What cannot be unlocked now is unlocked when the file is closed.
            let _ = store.lock.unlock(LockLevel::None);
        }
    }

    /// Nothing is known of the file any more, and nothing locked.
    pub(crate) fn forget_file(&self) {
        let mut state = self.state();
        state.phase = Phase::Unknown;
        state.group.pen = None;
        if let Some(store) = &self.store {
            store.detach();
            let _ = store.lock.unlock(LockLevel::None);
        }
    }

    /// Locks the file for a writer who reads at `mark` and has the turn. If he has read nothing yet he is `fresh`, and may
    /// stand on what is not committed yet.
    pub(crate) fn lock_file_for_writing(
        &self,
        io: &IoHandle,
        mut mark: Mark,
        owner: Option<&mut ShmOwner>,
        fresh: bool,
    ) -> Result<Started> {
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let mut guard = self.state();
        let state = &mut *guard;
        if state.poisoned {
            return Err(Error::LogPoisoned);
        }
        if state.lsn != mark.lsn {
            return Err(Error::BusySnapshot);
        }
        let Some(store) = &self.store else {
            return Ok(Started::plain(mark, false));
        };
        match state.phase {
            Phase::Wal => {
                let owner = owner.ok_or(Error::Misuse("a reader of a log has its locks"))?;
                if state.private {
                    return Err(Error::ReadOnly);
                }
                if state.group.is_ahead(state.lsn) {
                    if !fresh {
                        return Err(Error::BusySnapshot);
                    }
                    if mark.slot == 0 {
                        // What is queued will be in the log.
                        let moved = self.move_mark_in(state, store, owner, mark, false)?;
                        mark = moved.ok_or(Error::BusySnapshot)?;
                    }
                }
                self.take_pen(state, store, io.now_ns())?;
                Ok(Started {
                    to_log: true,
                    mark,
                    base: state.take_base(),
                })
            }
            Phase::Empty if state.journal_mode == JournalMode::Wal => {
                // From here on this is a database with a log; it stays empty until the first commit.
                store.lock.lock(LockLevel::Exclusive)?;
                if store.file.len()? != 0 {
                    if !state.alone {
                        store.lock.unlock(LockLevel::Shared)?;
                    }
                    return Err(Error::BusySnapshot);
                }
                Ok(Started::plain(mark, true))
            }
            Phase::Empty | Phase::Rollback => {
                store.lock.lock(LockLevel::Reserved)?;
                Ok(Started::plain(mark, false))
            }
            Phase::Unknown | Phase::Looking => Err(Error::Misuse("writing before reading")),
        }
    }

    /// Gives up what [`lock_file_for_writing`](Self::lock_file_for_writing) locked, by a writer who has queued nothing.
    pub(crate) fn unlock_file(&self, overlay: Overlay) {
        let mut wakers: Vec<Waker> = Vec::new();
        self.unlock_file_in(&mut self.state(), overlay, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn unlock_file_in(&self, state: &mut State, overlay: Overlay, wakers: &mut Vec<Waker>) {
        let Some(store) = &self.store else { return };
        if !state.orphaned {
            state.closed = false;
        }
        match state.phase {
            Phase::Wal => self.end_writing(state, overlay, wakers),
            // Nothing was committed: others may be the first.
            Phase::Empty | Phase::Rollback if !state.alone && !state.orphaned => {
                let _ = store.lock.unlock(LockLevel::Shared);
            }
            _ => {}
        }
    }

    /// Lookups of pages by the transactions that have ended: how many found them in memory, and how many did not.
    pub fn lookups(&self) -> (u64, u64) {
        self.state().lookups
    }

    /// Counts a reader out, and what he has looked up; with the last one, a file that others may change is unlocked.
    pub(crate) fn leave(&self, mark: Mark, (hits, misses): (u64, u64)) {
        let mut state = self.state();
        state.lookups.0 += hits;
        state.lookups.1 += misses;
        state.readers.remove(mark);
        if let Some(store) = &self.store {
            let over = !state.readers.is_any();
            let unlocks = !state.alone && !state.orphaned;
            if over && matches!(state.phase, Phase::Empty | Phase::Rollback) && unlocks {
                let _ = store.lock.unlock(LockLevel::None);
            }
            if over && state.private {
                state.private = false;
                state.phase = Phase::Unknown;
                store.detach();
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
        let mut state = self.0.state();
        state.poisoned = true;
        state.orphaned = true;
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
