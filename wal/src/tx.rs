//! A connection's transaction on one database.
//!
//! ```text
//!          begin_read                 begin_write
//!   None ─────────────► Read ─────────────────────────► Write ──┐ page_mut, allocate, free,
//!    ▲                  │ ▲                               │ ▲───┘ savepoints, make_room
//!    └──── end_read ────┘ └───── commit, rollback ────────┘
//! ```
//!
//! Rules:
//! 1. A page is looked up among the private pages, then in the cache; a step that finds it nowhere is told
//!    [`Stop::Miss`](crate::Stop::Miss).
//! 2. The first change of a page makes a private copy; a later one copies only if somebody else still pins the version,
//!    or a savepoint needs it. So whoever holds a [`PageRef`] sees that version for good. **A cursor drops its pin of a
//!    page before it changes it**, or each change costs a copy.
//! 3. A page that this transaction has changed, or that the caller has pinned, never misses in [`Tx::page_mut`].
//! 4. Page 1 stays in memory during a transaction, so header fields are read and set without waiting.
//! 5. [`Tx::commit`] and [`Tx::rollback`] leave the transaction in state Read: on the snapshot just made, or on that
//!    from which writing began. [`Tx::end_read`] gives it up.
//! 6. Private pages beyond the cache's size are moved out of memory by [`Tx::allocate`] and [`Tx::make_room`]. So that
//!    somebody calls the latter, the first change of a page misses while [`Tx::is_crowded`], unless the page is pinned:
//!    who handles a miss fetches the page, makes room, and tries again with the pin in hand.
//!
//! Cost: `try_page` of a private page: three array loads, one atomic addition; of a cached page: an array load, a
//! compare, one atomic addition. `page_mut` of a page that is private already: three array loads, one atomic load.
//! Starting a read transaction on a database with a log: one lock, no system call.

use crate::busy::{Busy, Patience};
use crate::database::{Database, Entered, Mark};
use crate::dirty::DirtySet;
use crate::error::{Error, Result};
use crate::group::{Overlay, Ticket, Tip};
use crate::image::Image;
use crate::log::LogWriter;
use crate::options::{DbOptions, JournalMode, Synchronous};
use crate::savepoint::Savepoint;
use crate::spill::SpillFile;
use crate::turnstile::Turn;
use hashbrown::HashMap;
use ringwood_format::page::{Geometry, PAGE_COUNT_MAX, PageNo};
use ringwood_io::{IoHandle, ShmOwner};
use ringwood_pager::{PageRef, Pool};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The version of one tree, incremented whenever its pages change: see [`Tx::tree_version`].
pub type TreeVersion = Rc<Cell<u64>>;

/// Where a transaction stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TxState {
    /// No snapshot.
    None,
    /// A snapshot.
    Read,
    /// A snapshot, the writer's lock, private pages.
    Write,
}

/// A connection's transaction on one database.
pub struct Tx {
    pub(crate) db: Arc<Database>,
    pub(crate) io: IoHandle,
    pub(crate) pool: Arc<Pool>,
    pub(crate) state: TxState,
    /// Whether pages are in a file and its log, and not in `image`.
    pub(crate) has_file: bool,
    /// Whether private pages may leave memory.
    pub(crate) spills: bool,
    pub(crate) geometry: Geometry,
    /// The snapshot, counted in the database's list of readers.
    pub(crate) mark: Mark,
    /// Whether a write transaction goes to the log.
    pub(crate) to_log: bool,
    /// Which rollback journal, where there is no log.
    pub(crate) rollback_mode: JournalMode,
    /// The same of a database without a file: MEMORY or OFF, which are one.
    pub(crate) memory_mode: JournalMode,
    /// The locks on the log.
    pub(crate) shm: Option<ShmOwner>,
    /// The turn to write.
    pub(crate) turn: Option<Turn>,
    /// What it stands on, if that was not committed when it began to write.
    pub(crate) ground: Option<Ground>,
    /// The pages of that.
    pub(crate) overlay: Overlay,
    /// Its commit is queued.
    pub(crate) queued: Option<Pending>,
    /// What to do while somebody else holds a lock.
    pub(crate) busy: Rc<Busy>,
    /// Counts snapshots that somebody else made.
    pub(crate) data_version: u32,
    pub(crate) page_count: u32,
    /// Pages of the snapshot, before anything was changed.
    pub(crate) committed_page_count: u32,
    /// The snapshot of a database without a file.
    pub(crate) image: Arc<Image>,
    /// Page 1 of the snapshot.
    pub(crate) page1: Option<PageRef>,

    /// Pages that will be wanted soon.
    pub(crate) announced: RefCell<Vec<PageNo>>,
    pub(crate) dirty: RefCell<DirtySet>,
    pub(crate) savepoints: Vec<Savepoint>,
    /// Serial number of the newest savepoint; 0 for none.
    pub(crate) top: u32,
    pub(crate) next_serial: u32,
    /// Pre-images in memory.
    pub(crate) preimage_count: usize,
    pub(crate) writer: Option<LogWriter>,
    /// Page 1 says already that the file changed: a commit was tried before.
    pub(crate) is_signed: bool,
    /// Why the transaction cannot be committed any more.
    pub(crate) failure: Option<Error>,
    /// Frames of the log that belonged to pages which are not private any more.
    pub(crate) spare_frames: Vec<u32>,
    pub(crate) spill_file: Option<SpillFile>,

    pub(crate) synchronous: Synchronous,
    pub(crate) autocheckpoint: u32,
    pub(crate) cache_size: i64,
    /// Whether freed pages are overwritten.
    pub(crate) secure_delete: bool,
    /// The most pages that the database may have.
    pub(crate) page_limit: u32,
    pub(crate) cache_pages: usize,

    tree_versions: RefCell<HashMap<PageNo, TreeVersion, foldhash::fast::RandomState>>,
    pub(crate) hits: Cell<u64>,
    pub(crate) misses: Cell<u64>,
}

/// A commit that is queued, and what its snapshot will be.
pub(crate) struct Pending {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) page_count: u32,
    pub(crate) page1: Option<PageRef>,
}

/// What a write transaction stands on, and what its snapshot was without that.
pub(crate) struct Ground {
    pub(crate) tip: Tip,
    pub(crate) page_count: u32,
    pub(crate) page1: Option<PageRef>,
}

/// SQLite's default of `PRAGMA cache_size`: 2000 KiB.
const CACHE_SIZE_DEFAULT: i64 = -2000;
/// SQLite's default of `PRAGMA wal_autocheckpoint`.
const AUTOCHECKPOINT_DEFAULT: u32 = 1000;
/// How often a beginning is tried again, because somebody else was faster.
const RETRIES_MAX: u32 = 100;
/// Private pages that are kept in any case.
const CACHE_PAGES_MIN: usize = 10;

impl Tx {
    /// The transaction of a new connection to `db`, on the calling thread's `io`.
    pub fn new(db: Arc<Database>, io: IoHandle) -> Tx {
        let has_file = db.store.is_some();
        let mut tx = Tx {
            pool: db.pool().clone(),
            geometry: db.geometry(),
            has_file,
            spills: has_file || db.options.spill,
            db,
            io,
            state: TxState::None,
            mark: Mark::default(),
            to_log: false,
            rollback_mode: JournalMode::Delete,
            memory_mode: JournalMode::Memory,
            shm: None,
            turn: None,
            ground: None,
            overlay: Overlay::default(),
            queued: None,
            busy: Rc::default(),
            data_version: 1,
            page_count: 0,
            committed_page_count: 0,
            image: Arc::default(),
            page1: None,
            announced: RefCell::default(),
            dirty: RefCell::default(),
            savepoints: Vec::new(),
            top: 0,
            next_serial: 1,
            preimage_count: 0,
            writer: None,
            is_signed: false,
            failure: None,
            spare_frames: Vec::new(),
            spill_file: None,
            synchronous: Synchronous::default(),
            autocheckpoint: AUTOCHECKPOINT_DEFAULT,
            cache_size: CACHE_SIZE_DEFAULT,
            secure_delete: false,
            page_limit: PAGE_COUNT_MAX,
            cache_pages: 0,
            tree_versions: RefCell::default(),
            hits: Cell::new(0),
            misses: Cell::new(0),
        };
        tx.set_cache_size(CACHE_SIZE_DEFAULT);
        tx
    }

    /// A store of its own for what a statement needs for a while (ephemeral tables, runs of a sorter): always writing,
    /// in memory, with the rest in a file without a name.
    pub fn temporary(io: IoHandle, pool: &Arc<Pool>, geometry: Geometry) -> Tx {
        let db = Database::memory(
            pool,
            DbOptions {
                geometry,
                spill: true,
                ..DbOptions::default()
            },
        );
        let mut tx = Tx::new(db, io);
        tx.start_memory_read();
        let mut turn = tx.db.turnstile.try_take();
        tx.start_write(&mut turn, true)
            .expect("nobody else knows this database");
        tx
    }

    /// The database.
    pub fn database(&self) -> &Arc<Database> {
        &self.db
    }

    /// The connection's access to I/O.
    pub fn io(&self) -> &IoHandle {
        &self.io
    }

    /// Where the transaction stands.
    #[inline]
    pub fn state(&self) -> TxState {
        self.state
    }

    /// Page size and reserved bytes.
    #[inline]
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Pages of the database as the transaction sees it; 0 while it is empty.
    #[inline]
    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// Names the snapshot: a later one has another number, and so has the same file after somebody else changed it.
    pub fn snapshot(&self) -> u64 {
        match &self.ground {
            Some(ground) => ground.tip.lsn,
            None => self.mark.lsn,
        }
    }

    /// Whether this is a write transaction that was begun on top of a commit which is not durable yet. What it reads may
    /// then still come to nothing: before anything of it is told to anybody, [`Tx::stand_firm`].
    #[inline]
    pub fn is_ahead(&self) -> bool {
        self.ground.is_some()
    }

    /// Waits until what this write transaction was begun on is committed.
    ///
    /// # Errors
    /// Why that came to nothing; the transaction can only be rolled back then.
    pub async fn stand_firm(&mut self) -> Result<()> {
        let Some(ground) = &self.ground else {
            return Ok(());
        };
        let db = self.db.clone();
        db.stand_firm(&self.io, ground.tip.lsn).await
    }

    /// Waits until the commits of this process that are on their way now are durable, or have come to nothing: what is read
    /// then is no older than what a writer stands on.
    pub async fn wait_for_commits(&self) {
        let tip = self.db.state().group.tip.as_ref().map(|tip| tip.lsn);
        if let Some(lsn) = tip.filter(|_| self.state != TxState::Write) {
            // Whatever became of them.
            let _ = self.db.stand_firm(&self.io, lsn).await;
        }
    }

    // ---- settings ----

    /// `PRAGMA synchronous`.
    pub fn synchronous(&self) -> Synchronous {
        self.synchronous
    }

    /// Sets `PRAGMA synchronous`, from the next commit on.
    pub fn set_synchronous(&mut self, synchronous: Synchronous) {
        self.synchronous = synchronous;
    }

    /// `PRAGMA wal_autocheckpoint`: frames in the log from which on a commit is followed by a checkpoint; 0 for never.
    pub fn autocheckpoint(&self) -> u32 {
        self.autocheckpoint
    }

    /// Sets `PRAGMA wal_autocheckpoint`.
    pub fn set_autocheckpoint(&mut self, frames: u32) {
        self.autocheckpoint = frames;
    }

    /// `PRAGMA cache_size`: pages, or if negative KiB.
    pub fn cache_size(&self) -> i64 {
        self.cache_size
    }

    /// `PRAGMA secure_delete`: whether what is deleted is overwritten with zeros.
    #[inline]
    pub fn secure_delete(&self) -> bool {
        self.secure_delete
    }

    /// Sets `PRAGMA secure_delete`.
    pub fn set_secure_delete(&mut self, on: bool) {
        self.secure_delete = on;
    }

    /// `PRAGMA max_page_count`: beyond it [`Tx::allocate`] fails with [`Error::Full`].
    pub fn page_limit(&self) -> u32 {
        self.page_limit
    }

    /// Sets `PRAGMA max_page_count`; not below what the database has.
    pub fn set_page_limit(&mut self, pages: u32) {
        self.page_limit = pages.max(self.page_count).min(PAGE_COUNT_MAX);
    }

    /// Sets `PRAGMA cache_size`: how much of a write transaction is kept in memory. What is read is kept as the pool's
    /// budget says.
    pub fn set_cache_size(&mut self, size: i64) {
        self.cache_size = size;
        let pages = if size >= 0 {
            size as u64
        } else {
            size.unsigned_abs().saturating_mul(1024) / u64::from(self.geometry.page_size())
        };
        self.cache_pages = (pages.min(u64::from(u32::MAX)) as usize).max(CACHE_PAGES_MIN);
    }

    /// What to do while somebody else holds a lock.
    pub fn busy(&self) -> &Rc<Busy> {
        &self.busy
    }

    /// Shares another transaction's policy: a connection has one.
    pub fn set_busy(&mut self, busy: Rc<Busy>) {
        self.busy = busy;
    }

    /// `PRAGMA data_version`: another number whenever somebody else has changed the database since the last one.
    pub fn data_version(&self) -> u32 {
        self.data_version
    }

    // ---- begin and end ----

    /// None → Read: the newest snapshot. In other states nothing happens.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::NotADb`], `Corrupt`, `Io`: the state is None as before.
    ///
    /// # Suspends
    /// Where page 1 is not in memory, to look at a file for the first time, and while somebody else holds a lock, as
    /// long as [`Busy`] says.
    pub async fn begin_read(&mut self) -> Result<()> {
        let mut patience = Patience::default();
        loop {
            match self.try_begin_read().await {
                Err(error) if error.is_busy() => {
                    let busy = self.busy.clone();
                    if !busy.wait(&self.io, &mut patience).await {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// As [`begin_read`](Tx::begin_read), without waiting; none if there is something to wait for, and nothing has
    /// happened.
    pub fn begin_read_now(&mut self) -> Option<Result<()>> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.try_begin_read()).poll(&mut context) {
            Poll::Ready(Err(error)) if error.is_busy() => None,
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    async fn try_begin_read(&mut self) -> Result<()> {
        if self.state != TxState::None {
            return Ok(());
        }
        let Some(store) = &self.db.store else {
            self.start_memory_read();
            return Ok(());
        };
        let Entered {
            mark,
            geometry,
            page_count,
            owner,
        } = self.db.enter(&self.io, store).await?;
        self.shm = owner;
        self.start_read(mark, geometry, page_count);
        if page_count != 0 {
            // Without page 1 it has not begun: on an error, or if the future is dropped, it is None as before.
            let mut begun = self.begun();
            let page1 = begun.page(PageNo::ONE).await?;
            begun.page1 = Some(page1);
            begun.keep();
        }
        Ok(())
    }

    fn start_memory_read(&mut self) {
        let db = self.db.clone();
        let mut state = db.state();
        let mark = state.enter_at(0, 0, None).mark;
        self.image = state.image.clone();
        self.start_read(mark, state.geometry, self.image.page_count);
        self.page1 = self
            .image
            .get(PageNo::ONE)
            .and_then(|place| place.page.clone());
    }

    fn start_read(&mut self, mark: Mark, geometry: Geometry, page_count: u32) {
        if self.mark.lsn != mark.lsn {
            self.bump_all_trees();
            self.data_version = self.data_version.wrapping_add(1);
        }
        self.mark = mark;
        if self.geometry != geometry {
            self.geometry = geometry;
            self.set_cache_size(self.cache_size);
        }
        self.page_count = page_count;
        self.committed_page_count = page_count;
        self.state = TxState::Read;
    }

    /// None or Read → Write. In state Write nothing happens.
    ///
    /// # Errors
    /// [`Error::Busy`]: somebody else writes. [`Error::BusySnapshot`]: somebody else has written since the snapshot was
    /// taken. [`Error::ReadOnly`], [`Error::LogPoisoned`]; and those of [`Tx::begin_read`]. The state is then as it was.
    ///
    /// # Suspends
    /// From None, while somebody else writes, as long as [`Busy`] says; writers of this process are served in order.
    pub async fn begin_write(&mut self) -> Result<()> {
        if self.state == TxState::Write {
            return Ok(());
        }
        if self.state == TxState::Read {
            let mut turn = self.db.turnstile.try_take();
            return self.start_write(&mut turn, false);
        }
        if self.db.is_read_only() {
            // What the file is comes before what may not be done with it.
            self.begin_read().await?;
            self.end_read();
            return Err(Error::ReadOnly);
        }
        let busy = self.busy.clone();
        let mut patience = Patience::default();
        loop {
            let turn = self.db.turnstile.take(&self.io, busy.line_time()).await;
            let result = match turn {
                Some(turn) => self.begin_with(turn).await,
                None => Err(Error::Busy),
            };
            match result {
                // Somebody wrote between the two locks: the next snapshot is the newest.
                Err(Error::BusySnapshot) => {}
                Err(error) if error.is_busy() => {
                    if !busy.wait(&self.io, &mut patience).await {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    async fn begin_with(&mut self, turn: Turn) -> Result<()> {
        let db = self.db.clone();
        let turn = db
            .press(&self.io, turn, self.autocheckpoint, self.synchronous)
            .await;
        db.pause_for_others(&self.io).await;
        let mut turn = Some(turn);
        let mut tries = 0;
        loop {
            self.try_begin_read().await?;
            let result = self.start_write(&mut turn, true);
            if result.is_err() {
                self.end_read();
            }
            match result {
                // A group became durable, or somebody else wrote, between the two steps: the next snapshot is the newest.
                Err(Error::BusySnapshot) if tries < RETRIES_MAX => tries += 1,
                other => return other,
            }
        }
    }

    /// Read → Write, with the turn, which is taken if that succeeds. With `fresh` nothing was read in this snapshot.
    fn start_write(&mut self, turn: &mut Option<Turn>, fresh: bool) -> Result<()> {
        if turn.is_none() {
            return Err(Error::Busy);
        }
        let db = self.db.clone();
        let started = db.lock_file_for_writing(&self.io, self.mark, self.shm.as_mut(), fresh)?;
        self.turn = turn.take();
        self.to_log = started.to_log;
        self.mark = started.mark;
        self.state = TxState::Write;
        if let Some(base) = started.base {
            let page_count = base.tip.head.page_count;
            let newest = base.overlay.get(PageNo::ONE).cloned();
            self.ground = Some(Ground {
                tip: base.tip,
                page_count: std::mem::replace(&mut self.page_count, page_count),
                page1: self.page1.clone(),
            });
            self.overlay = base.overlay;
            self.committed_page_count = page_count;
            self.page1 = newest.or(self.page1.take());
            // What others have queued is news.
            self.bump_all_trees();
            self.data_version = self.data_version.wrapping_add(1);
        }
        let page_count = self.page_count;
        for savepoint in &mut self.savepoints {
            savepoint.page_count = Some(page_count);
        }
        if self.page_count == 0 {
            self.make_database();
        }
        Ok(())
    }

    /// Gives up the right to write, if it was not passed on with a queued commit.
    pub(crate) fn unlock_writer(&mut self) {
        let overlay = std::mem::take(&mut self.overlay);
        if let Some(turn) = self.turn.take() {
            self.db.unlock_file(overlay);
            drop(turn);
        }
    }

    /// After a rollback: back to the snapshot from which writing began. That is what was built on, if it is committed by
    /// now; else nobody was told anything of it.
    pub(crate) fn leave_ground(&mut self) {
        let Some(ground) = self.ground.take() else {
            return;
        };
        let mut state = self.db.state();
        if self.mark.slot != 0 && Database::is_firm(&state, ground.tip.lsn) {
            let mark = Mark {
                lsn: ground.tip.lsn,
                max_frame: ground.tip.head.max_frame,
                ..self.mark
            };
            state.readers.remove(self.mark);
            state.readers.add(mark);
            self.mark = mark;
            self.page_count = ground.tip.head.page_count;
        } else {
            self.page_count = ground.page_count;
            self.page1 = ground.page1;
        }
        self.committed_page_count = self.page_count;
    }

    /// Read → None: gives the snapshot up. In other states nothing happens.
    pub fn end_read(&mut self) {
        if self.state != TxState::Read {
            return;
        }
        self.state = TxState::None;
        if !self.has_file {
            self.image = Arc::default();
        }
        self.page1 = None;
        let shm = self.shm.take();
        if shm.is_some() && self.db.state().orphaned {
            // A write that was given up may still land: nobody else may write meanwhile.
            self.db.state().stuck.extend(shm);
        }
        let (hits, misses) = (self.hits.take(), self.misses.take());
        self.db.leave(self.mark, (hits, misses));
        if hits + misses != 0 {
            self.pool.count(hits, misses);
        }
    }

    // ---- trees ----

    /// The version of the tree at `root`: the tree's owner increments it on every change, and all are incremented when
    /// pages go back to what they were or a newer snapshot is taken. A cursor that finds it changed has to seek again.
    pub fn tree_version(&self, root: PageNo) -> TreeVersion {
        self.tree_versions
            .borrow_mut()
            .entry(root)
            .or_default()
            .clone()
    }

    /// Makes all cursors seek again: pages were moved without regard to trees.
    pub fn bump_all_trees(&self) {
        for version in self.tree_versions.borrow().values() {
            version.set(version.get() + 1);
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.rollback();
        self.end_read();
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let private = self.dirty.borrow().len();
        write!(
            f,
            "Tx({:?}, lsn {}, {} pages, {private} private)",
            self.state, self.mark.lsn, self.page_count
        )
    }
}
