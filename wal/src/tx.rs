//! A connection's transaction on one database.
//!
//! ```text
//!          begin_read                 begin_write
//!   None ─────────────► Read ─────────────────────────► Write ──┐ page_mut, allocate, free,
//!    ▲                  │ ▲                               │ ▲───┘ savepoints, spilling
//!    └──── end_read ────┘ └───── commit, rollback ────────┘
//! ```
//!
//! Rules:
//! 1. A page is looked up among the private pages, then in the cache; a step that finds it nowhere is told
//!    [`Stop::Miss`].
//! 2. The first change of a page makes a private copy; a later one copies only if somebody else still pins the version,
//!    or a savepoint needs it. So whoever holds a [`PageRef`] sees that version for good. **A cursor drops its pin of a
//!    page before it changes it**, or each change costs a copy.
//! 3. A page that this transaction has changed, or that the caller has pinned, never misses in [`Tx::page_mut`].
//! 4. Page 1 stays in memory during a transaction, so header fields are read and set without waiting.
//! 5. [`Tx::commit`] and [`Tx::rollback`] leave the transaction in state Read: on the snapshot just made, or on that
//!    from which writing began.
//!
//! Cost: `try_page` of a private page: three array loads, one atomic addition; of a cached page: an array load, a
//! compare, one atomic addition. `page_mut` of a page that is private already: three array loads, one atomic load.

use crate::database::Database;
use crate::dirty::DirtySet;
use crate::error::{Error, Result, Stop, Try};
use crate::image::{Image, Place};
use crate::options::{AutoVacuum, DbOptions};
use crate::savepoint::{Preimage, Savepoint, SavepointId, Was};
use hashbrown::HashMap;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::header::{DatabaseHeader, Field, HEADER_SIZE, set_versions, sign_change};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_io::IoHandle;
use ringwood_pager::{PageRef, Pool};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// What this library signs databases with: the SQLite version whose format it writes.
pub(crate) const SQLITE_VERSION_NUMBER: u32 = 3_046_000;

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
    pub(crate) geometry: Geometry,
    /// The commit that the snapshot shows.
    pub(crate) lsn: u64,
    pub(crate) page_count: u32,
    /// The snapshot of a database without a file.
    image: Arc<Image>,
    /// Page 1 of the snapshot, until it becomes private.
    page1: Option<PageRef>,
    pub(crate) dirty: RefCell<DirtySet>,
    savepoints: Vec<Savepoint>,
    /// Serial number of the newest savepoint; 0 for none.
    top: u32,
    next_serial: u32,
    /// Frames of the log that belonged to pages which are not private any more.
    pub(crate) spare_frames: Vec<u32>,
    tree_versions: RefCell<HashMap<PageNo, TreeVersion, foldhash::fast::RandomState>>,
    hits: Cell<u64>,
    misses: Cell<u64>,
}

impl Tx {
    /// The transaction of a new connection to `db`, on the calling thread's `io`.
    pub fn new(db: Arc<Database>, io: IoHandle) -> Tx {
        Tx {
            pool: db.pool().clone(),
            geometry: db.geometry(),
            db,
            io,
            state: TxState::None,
            lsn: 0,
            page_count: 0,
            image: Arc::default(),
            page1: None,
            dirty: RefCell::default(),
            savepoints: Vec::new(),
            top: 0,
            next_serial: 1,
            spare_frames: Vec::new(),
            tree_versions: RefCell::default(),
            hits: Cell::new(0),
            misses: Cell::new(0),
        }
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
        tx.start_read();
        tx.start_write().expect("nobody else knows this database");
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

    // ---- begin and end ----

    /// None → Read: the newest snapshot. In other states nothing happens.
    ///
    /// # Suspends
    /// Only the first time on a database with a file, and where page 1 is not in memory.
    pub async fn begin_read(&mut self) -> Result<()> {
        if self.state == TxState::None {
            self.start_read();
        }
        Ok(())
    }

    fn start_read(&mut self) {
        let state = self.db.state();
        self.geometry = state.geometry;
        if self.lsn != state.lsn {
            self.lsn = state.lsn;
            self.bump_all_trees();
        }
        self.image = state.image.clone();
        drop(state);
        self.page_count = self.image.page_count;
        self.page1 = self
            .image
            .get(PageNo::ONE)
            .and_then(|place| place.page.clone());
        self.state = TxState::Read;
    }

    /// None or Read → Write. In state Write nothing happens.
    ///
    /// # Errors
    /// [`Error::Busy`]: somebody else writes. [`Error::BusySnapshot`]: somebody else has written since the snapshot was
    /// taken. [`Error::ReadOnly`]. The state is then as it was.
    pub async fn begin_write(&mut self) -> Result<()> {
        if self.state == TxState::Write {
            return Ok(());
        }
        let fresh = self.state == TxState::None;
        self.begin_read().await?;
        let result = self.start_write();
        if result.is_err() && fresh {
            self.end_read();
        }
        result
    }

    fn start_write(&mut self) -> Result<()> {
        self.db.lock_writer(self.lsn)?;
        self.state = TxState::Write;
        let page_count = self.page_count;
        for savepoint in &mut self.savepoints {
            savepoint.page_count = Some(page_count);
        }
        if self.page_count == 0 {
            self.make_database();
        }
        Ok(())
    }

    /// Page 1 of an empty database: the header, and the empty schema table.
    fn make_database(&mut self) {
        let (auto_vacuum, geometry) = {
            let mut state = self.db.state();
            state.geometry = self.geometry;
            (state.auto_vacuum, self.geometry)
        };
        let mut header = DatabaseHeader::new(geometry);
        header.largest_root = (auto_vacuum != AutoVacuum::None).then_some(PageNo::ONE);
        header.incremental_vacuum = auto_vacuum == AutoVacuum::Incremental;
        let mut page = self.io.arena().alloc_zeroed(geometry.page_size() as usize);
        page[..HEADER_SIZE].copy_from_slice(&header.encode());
        set_versions(&mut page, 2);
        init_schema_leaf(&mut page, geometry);
        let page = self.pool.adopt(page);
        self.add_private(PageNo::ONE, page);
        self.page_count = 1;
    }

    /// Read → None: gives the snapshot up. In other states nothing happens.
    pub fn end_read(&mut self) {
        if self.state != TxState::Read {
            return;
        }
        self.state = TxState::None;
        self.image = Arc::default();
        self.page1 = None;
        self.pool.count(self.hits.take(), self.misses.take());
    }

    /// Write → Read: makes the private pages the newest version of the database, durable as `synchronous` says. In other
    /// states nothing happens.
    ///
    /// # Errors
    /// The transaction is then still in state Write; it can only be rolled back.
    pub async fn commit(&mut self) -> Result<()> {
        if self.state != TxState::Write {
            return Ok(());
        }
        if self.dirty.get_mut().get(PageNo::ONE).is_some() {
            let page1 = self.page_mut(PageNo::ONE).expect("page 1 is in memory");
            sign_change(page1, SQLITE_VERSION_NUMBER);
        }
        self.commit_image();
        self.savepoints.clear();
        self.top = 0;
        self.state = TxState::Read;
        self.db.unlock_writer();
        Ok(())
    }

    fn commit_image(&mut self) {
        let entries = self.dirty.get_mut().take();
        if entries.is_empty() {
            return;
        }
        self.image = Arc::default();
        let mut state = self.db.state();
        let image = Arc::make_mut(&mut state.image);
        for entry in entries {
            let slot = entry.slot.filter(|_| entry.current || entry.page.is_none());
            image.set(
                entry.no,
                Place {
                    page: entry.page,
                    slot,
                },
            );
        }
        image.truncate(self.page_count);
        image.page_count = self.page_count;
        state.lsn += 1;
        self.lsn = state.lsn;
        self.image = state.image.clone();
        self.page1 = self
            .image
            .get(PageNo::ONE)
            .and_then(|place| place.page.clone());
    }

    /// Write → Read: forgets the private pages. In other states nothing happens.
    pub fn rollback(&mut self) {
        if self.state != TxState::Write {
            return;
        }
        self.dirty.get_mut().take();
        self.savepoints.clear();
        self.top = 0;
        self.page_count = self.image.page_count;
        self.page1 = self
            .image
            .get(PageNo::ONE)
            .and_then(|place| place.page.clone());
        self.state = TxState::Read;
        self.db.unlock_writer();
        self.bump_all_trees();
    }

    // ---- pages ----

    /// A page as the transaction sees it, if it is in memory.
    ///
    /// # Errors
    /// [`Stop::Miss`] if it is not; [`Stop::Fail`] if there is no such page.
    #[inline]
    pub fn try_page(&self, no: PageNo) -> Try<PageRef> {
        if no.get() > self.page_count {
            return Err(self.no_such_page(no));
        }
        if self.state == TxState::Write {
            if let Some(entry) = self.dirty.borrow().get(no) {
                entry.touched.set(true);
                return match &entry.page {
                    Some(page) => Ok(page.clone()),
                    None => Err(self.missed(no)),
                };
            }
        }
        match self.image.get(no) {
            Some(Place {
                page: Some(page), ..
            }) => {
                self.hits.set(self.hits.get() + 1);
                Ok(page.clone())
            }
            _ => Err(self.missed(no)),
        }
    }

    #[cold]
    fn missed(&self, no: PageNo) -> Stop {
        self.misses.set(self.misses.get() + 1);
        Stop::Miss(no)
    }

    #[cold]
    fn no_such_page(&self, no: PageNo) -> Stop {
        if self.state == TxState::None {
            return Error::Misuse("a page was asked for outside of a transaction").into();
        }
        Error::corrupt(no, "page is beyond the end of the database").into()
    }

    /// Reads a page into memory: a pin of it.
    pub async fn fetch(&self, no: PageNo) -> Result<PageRef> {
        match self.try_page(no) {
            Ok(page) => return Ok(page),
            Err(Stop::Fail(error)) => return Err(*error),
            Err(Stop::Miss(_) | Stop::Slow) => {}
        }
        let slot = {
            let dirty = self.dirty.borrow();
            match dirty.get(no) {
                Some(entry) => entry.slot.clone(),
                None => self.image.get(no).and_then(|place| place.slot.clone()),
            }
        };
        let Some(slot) = slot else {
            return Err(Error::corrupt(no, "page was never written"));
        };
        let buf = slot
            .read(
                &self.io,
                self.pool.buffer(self.geometry.page_size() as usize),
            )
            .await?;
        let page = self.pool.adopt(buf);
        let mut dirty = self.dirty.borrow_mut();
        if let Some(index) = dirty.find(no) {
            if dirty.at(index).page.is_none() {
                dirty.set_page(index, Some(page.clone()));
            }
        }
        Ok(page)
    }

    /// A page, from memory or read.
    #[inline]
    pub async fn page(&self, no: PageNo) -> Result<PageRef> {
        match self.try_page(no) {
            Ok(page) => Ok(page),
            Err(_) => self.fetch(no).await,
        }
    }

    /// Says that these pages will be needed soon. A hint.
    pub fn announce(&self, _pages: &[PageNo]) {}

    /// The bytes of a page for changing; see rule 2.
    ///
    /// # Errors
    /// [`Stop::Miss`] if the page is neither private nor in memory (rule 3).
    #[inline]
    pub fn page_mut(&mut self, no: PageNo) -> Try<&mut [u8]> {
        if let Some(index) = self.dirty.get_mut().find(no) {
            let entry = self.dirty.get_mut().at(index);
            if entry.saved < self.top || entry.page.is_none() {
                self.prepare(index)?;
            }
        } else {
            self.make_private(no)?;
        }
        let dirty = self.dirty.get_mut();
        // `find` again: cheap, and the borrow checker's price for the fast path above.
        let Some(index) = dirty.find(no) else {
            unreachable!("it was just made private")
        };
        let entry = dirty.at(index);
        entry.touched.set(true);
        entry.current = false;
        entry.discarded = false;
        let Some(page) = &mut entry.page else {
            unreachable!("it was just read")
        };
        Ok(page.make_mut(&self.pool))
    }

    /// Makes a private page ready to be changed: in memory, and remembered by the newest savepoint.
    #[cold]
    fn prepare(&mut self, index: usize) -> Try<()> {
        let dirty = self.dirty.get_mut();
        if dirty.at(index).page.is_none() {
            let mut buf = self.pool.buffer(self.geometry.page_size() as usize);
            let slot = dirty.at(index).slot.clone();
            slot.expect("a spilled page is somewhere")
                .read_now(&self.io, &mut buf)?;
            dirty.set_page(index, Some(self.pool.adopt(buf)));
        }
        self.remember(index);
        Ok(())
    }

    /// Gives the newest savepoint a pre-image of an entry in memory, if it needs one.
    fn remember(&mut self, index: usize) {
        let entry = self.dirty.get_mut().at(index);
        let Some(savepoint) = self.savepoints.last_mut() else {
            return;
        };
        if entry.saved >= savepoint.serial {
            return;
        }
        let was = Was::Page(entry.page.clone().expect("in memory"));
        savepoint.preimages.push(Preimage {
            no: entry.no,
            saved: entry.saved,
            was,
        });
        entry.saved = savepoint.serial;
    }

    /// Copies a committed page.
    #[cold]
    fn make_private(&mut self, no: PageNo) -> Try<()> {
        if self.state != TxState::Write {
            return Err(
                Error::Misuse("a page is to be changed outside of a write transaction").into(),
            );
        }
        let page = self.try_page(no)?;
        let copy = self.pool.page_copy(&page);
        self.add_private(no, copy);
        Ok(())
    }

    /// Adds a private page where there was none.
    pub(crate) fn add_private(&mut self, no: PageNo, page: PageRef) {
        if let Some(savepoint) = self.savepoints.last_mut() {
            savepoint.preimages.push(Preimage {
                no,
                saved: 0,
                was: Was::Absent,
            });
        }
        self.dirty.get_mut().insert(no, self.top, page);
        if no == PageNo::ONE {
            self.page1 = None;
        }
    }

    /// Makes a page private whose contents do not matter: it becomes zeros, without being read.
    pub(crate) fn zero_page(&mut self, no: PageNo) -> Result<()> {
        let zeros = self.pool.page_zeroed(self.geometry.page_size() as usize);
        let Some(index) = self.dirty.get_mut().find(no) else {
            self.add_private(no, zeros);
            return Ok(());
        };
        if self.dirty.get_mut().at(index).saved < self.top {
            self.prepare(index).map_err(|stop| match stop {
                Stop::Fail(error) => *error,
                Stop::Miss(no) => Error::corrupt(no, "page is private and nowhere"),
                Stop::Slow => Error::Misuse("reading a private page does not wait"),
            })?;
        }
        let dirty = self.dirty.get_mut();
        dirty.set_page(index, Some(zeros));
        let entry = dirty.at(index);
        entry.current = false;
        entry.discarded = false;
        entry.touched.set(true);
        Ok(())
    }

    // ---- header ----

    fn with_page1<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if let Some(page1) = &self.page1 {
            return Some(read(page1));
        }
        self.dirty
            .borrow()
            .get(PageNo::ONE)?
            .page
            .as_deref()
            .map(read)
    }

    /// A field of the database header: schema cookie, user version, …. 0 in an empty database.
    #[inline]
    pub fn header_field(&self, field: Field) -> u32 {
        self.with_page1(|page1| field.get(page1)).unwrap_or(0)
    }

    /// Sets a field of the database header.
    ///
    /// # Errors
    /// [`Error::Misuse`] outside of a write transaction.
    pub fn set_header_field(&mut self, field: Field, value: u32) -> Result<()> {
        if self.header_field(field) == value && self.state == TxState::Write {
            return Ok(());
        }
        field.set(self.page1_mut()?, value);
        Ok(())
    }

    pub(crate) fn page1_mut(&mut self) -> Result<&mut [u8]> {
        self.page_mut(PageNo::ONE).map_err(|stop| match stop {
            Stop::Fail(error) => *error,
            Stop::Miss(_) | Stop::Slow => {
                Error::corrupt(PageNo::ONE, "page 1 left memory during a transaction")
            }
        })
    }

    /// The text encoding; of an empty database the one that it will have.
    pub fn encoding(&self) -> TextEncoding {
        let code = self.header_field(Field::TextEncoding) & 3;
        TextEncoding::from_code(code).unwrap_or_else(|| self.db.state().encoding)
    }

    /// The autovacuum mode; of an empty database the one that it will have.
    pub fn auto_vacuum(&self) -> AutoVacuum {
        if self.page_count == 0 {
            return self.db.state().auto_vacuum;
        }
        match (
            self.header_field(Field::LargestRoot),
            self.header_field(Field::IncrementalVacuum),
        ) {
            (0, _) => AutoVacuum::None,
            (_, 0) => AutoVacuum::Full,
            (_, _) => AutoVacuum::Incremental,
        }
    }

    // ---- savepoints ----

    /// Opens a savepoint on top of those that are open. Costs nothing.
    pub fn savepoint(&mut self) -> SavepointId {
        let serial = self.next_serial;
        self.next_serial += 1;
        let page_count = (self.state == TxState::Write).then_some(self.page_count);
        self.savepoints.push(Savepoint {
            serial,
            page_count,
            preimages: Vec::new(),
        });
        self.top = serial;
        SavepointId(serial)
    }

    pub(crate) fn has_savepoint(&self) -> bool {
        self.top != 0
    }

    /// Closes a savepoint, and those on top of it, keeping the changes.
    pub fn release(&mut self, id: SavepointId) {
        let Some(at) = self
            .savepoints
            .iter()
            .position(|savepoint| savepoint.serial == id.0)
        else {
            return;
        };
        while self.savepoints.len() > at {
            let child = self.savepoints.pop().expect("just counted");
            if let Some(parent) = self.savepoints.last_mut() {
                parent.absorb(child);
            }
        }
        self.top = self
            .savepoints
            .last()
            .map_or(0, |savepoint| savepoint.serial);
    }

    /// Undoes all changes since a savepoint was opened, which stays open; those on top of it are closed.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the savepoint is not open.
    pub fn rollback_to(&mut self, id: SavepointId) -> Result<()> {
        let at = self
            .savepoints
            .iter()
            .position(|savepoint| savepoint.serial == id.0);
        let at = at.ok_or(Error::Misuse("the savepoint is not open"))?;
        for level in (at..self.savepoints.len()).rev() {
            let preimages = std::mem::take(&mut self.savepoints[level].preimages);
            preimages
                .into_iter()
                .rev()
                .for_each(|preimage| self.restore(preimage));
        }
        self.savepoints.truncate(at + 1);
        self.top = id.0;
        if let Some(page_count) = self.savepoints[at].page_count {
            self.page_count = page_count;
            if page_count == 0 {
                self.make_database();
            }
        }
        self.bump_all_trees();
        Ok(())
    }

    fn restore(&mut self, Preimage { no, saved, was }: Preimage) {
        let dirty = self.dirty.get_mut();
        let Some(index) = dirty.find(no) else {
            unreachable!("a page that was changed is private")
        };
        match was {
            Was::Absent => {
                let entry = dirty.remove(no).expect("just found");
                if entry.frame != 0 {
                    self.spare_frames.push(entry.frame);
                }
                if no == PageNo::ONE {
                    self.page1 = self.image.get(no).and_then(|place| place.page.clone());
                }
                return;
            }
            Was::Page(page) => dirty.set_page(index, Some(page)),
            Was::Slot(slot) => {
                dirty.set_page(index, None);
                dirty.at(index).slot = Some(slot);
            }
        }
        let entry = dirty.at(index);
        entry.saved = saved;
        entry.current = false;
        entry.discarded = false;
    }

    // ---- trees ----

    /// The version of the tree at `root`: the tree's owner increments it on every change, and all are incremented when
    /// pages go back to what they were. A cursor that finds it changed has to seek again.
    pub fn tree_version(&self, root: PageNo) -> TreeVersion {
        self.tree_versions
            .borrow_mut()
            .entry(root)
            .or_default()
            .clone()
    }

    fn bump_all_trees(&self) {
        for version in self.tree_versions.borrow().values() {
            version.set(version.get() + 1);
        }
    }
}

/// An empty table leaf on page 1.
fn init_schema_leaf(page1: &mut [u8], geometry: Geometry) {
    let leaf = &mut page1[HEADER_SIZE..HEADER_SIZE + 8];
    leaf[0] = 0x0d;
    // 65536 is stored as 0.
    leaf[5..7].copy_from_slice(&(geometry.usable() as u16).to_be_bytes());
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
            self.state, self.lsn, self.page_count
        )
    }
}
