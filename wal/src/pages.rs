//! Reading and changing pages within a transaction.
//!
//! ```text
//!  try_page ──► private? ──► queued by others? ──► cached? ──► Miss
//!  fetch    ──► private and spilled: its slot, or its frame
//!               else what the snapshot sees: a frame of the log, or the database file; then cached
//!  page_mut ──► private, remembered by the newest savepoint, not shared? ──► its bytes
//!               else made so: remembered, copied, read back
//! ```

use crate::dirty::Entry;
use crate::error::{Error, Result, Stop, Try};
use crate::image::Place;
use crate::savepoint::{Preimage, Was};
use crate::spill::SlotRef;
use crate::tx::{Tx, TxState};
use ringwood_format::page::PageNo;
use ringwood_format::wal::frame_page_offset;
use ringwood_io::{Buf, File};
use ringwood_pager::{Boarding, PageRef};

/// Where a private page is that is not in memory.
enum Elsewhere {
    Slot(SlotRef),
    Frame(File, u64),
}

impl Tx {
    /// A page as the transaction sees it, if it is in memory.
    ///
    /// # Errors
    /// [`Stop::Miss`] if it is not; [`Stop::Fail`] if there is no such page.
    #[inline]
    pub fn try_page(&self, no: PageNo) -> Try<PageRef> {
        if self.state == TxState::Read && self.has_file && no.get() <= self.page_count {
            if let Some(page) = self.db.cache.lookup(no, self.mark.lsn) {
                self.hits.set(self.hits.get() + 1);
                return Ok(page);
            }
            return Err(self.missed(no));
        }
        self.try_page_otherwise(no)
    }

    /// A page of a write transaction, or of a database without a file.
    fn try_page_otherwise(&self, no: PageNo) -> Try<PageRef> {
        if no.get() > self.page_count {
            if self.page_count == 0 && no == PageNo::ONE && self.state == TxState::Read {
                return Ok(self.blank_page1());
            }
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
        if !self.overlay.is_empty() {
            if let Some(page) = self.overlay.get(no) {
                self.hits.set(self.hits.get() + 1);
                return Ok(page.clone());
            }
        }
        let found = if self.has_file {
            self.db.cache.lookup(no, self.mark.lsn)
        } else {
            self.image_page(no)
        };
        match found {
            Some(page) => {
                self.hits.set(self.hits.get() + 1);
                Ok(page)
            }
            None => Err(self.missed(no)),
        }
    }

    #[cold]
    fn missed(&self, no: PageNo) -> Stop {
        if self.state == TxState::None {
            return Error::Misuse("a page was asked for outside of a transaction").into();
        }
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

    /// A page, from memory or read.
    #[inline]
    pub async fn page(&self, no: PageNo) -> Result<PageRef> {
        match self.try_page(no) {
            Ok(page) => Ok(page),
            Err(Stop::Fail(error)) => Err(*error),
            Err(Stop::Miss(_) | Stop::Slow) => self.read(no).await,
        }
    }

    /// Reads a page into memory, unless it is there: a pin of it.
    ///
    /// # Errors
    /// If there is no such page, or it cannot be read.
    pub async fn fetch(&self, no: PageNo) -> Result<PageRef> {
        self.page(no).await
    }

    fn buffer(&self) -> Buf {
        self.pool.buffer(self.geometry.page_size() as usize)
    }

    async fn read(&self, no: PageNo) -> Result<PageRef> {
        let elsewhere = self
            .dirty
            .borrow()
            .get(no)
            .map(|entry| self.elsewhere(entry));
        if let Some(elsewhere) = elsewhere {
            let buf = match elsewhere {
                Elsewhere::Slot(slot) => slot.read(&self.io, self.buffer()).await?,
                Elsewhere::Frame(file, offset) => {
                    self.io.read_exact(&file, offset, self.buffer()).await?
                }
            };
            return Ok(self.back_in_memory(no, buf));
        }
        if self.has_file {
            return self.read_committed(no).await;
        }
        let Some(slot) = self.image.get(no).and_then(|place| place.slot.clone()) else {
            return Err(Error::corrupt(no, "page was never written"));
        };
        let buf = slot.read(&self.io, self.buffer()).await?;
        Ok(self
            .db
            .cache
            .insert(no, self.mark.lsn, self.pool.adopt(buf), || true))
    }

    /// A committed page of a database without a file.
    fn image_page(&self, no: PageNo) -> Option<PageRef> {
        let place = self.image.get(no)?;
        match &place.page {
            Some(page) => Some(page.clone()),
            None if place.slot.is_some() => self.db.cache.lookup(no, self.mark.lsn),
            None => None,
        }
    }

    /// Where a private page is that is not in memory.
    fn elsewhere(&self, entry: &Entry) -> Elsewhere {
        if let Some(slot) = &entry.slot {
            return Elsewhere::Slot(slot.clone());
        }
        assert!(
            entry.frame != 0,
            "a private page is in memory, in a slot or in a frame"
        );
        let writer = self
            .writer
            .as_ref()
            .expect("frames of this transaction have a writer");
        Elsewhere::Frame(
            writer.file.clone(),
            frame_page_offset(entry.frame, self.geometry.page_size()),
        )
    }

    /// Gives a private page that was read its place in memory, unless somebody else was faster.
    fn back_in_memory(&self, no: PageNo, buf: Buf) -> PageRef {
        let mut dirty = self.dirty.borrow_mut();
        let Some(index) = dirty.find(no) else {
            return self.pool.adopt(buf);
        };
        if let Some(page) = &dirty.at(index).page {
            return page.clone();
        }
        let page = self.pool.adopt(buf);
        dirty.set_page(index, Some(page.clone()));
        page
    }

    /// Reads what the snapshot sees, or waits for somebody who is reading it.
    async fn read_committed(&self, no: PageNo) -> Result<PageRef> {
        if let Some(announced) = self.take_announced(no) {
            if let Some(page) = self.read_ahead(no, announced).await? {
                return Ok(page);
            }
        }
        let cache = &self.db.cache;
        let lsn = self.mark.lsn;
        let flight = loop {
            match cache.board((no.get(), lsn)) {
                Boarding::Lead(flight) => break flight,
                Boarding::Follow(landing) => landing.await,
            }
            if let Some(page) = cache.lookup(no, lsn) {
                return Ok(page);
            }
        };
        let store = self.db.store.as_ref().expect("pages are in a file");
        let (buf, frame) = store
            .read_page(&self.io, no, self.geometry, &self.mark, self.buffer())
            .await?;
        let page = self.install_read(no, frame, buf);
        drop(flight);
        Ok(page)
    }

    /// Gives a page that was read for the snapshot, from a frame or (0) from the database file,
    /// its place in the cache, while it is the newest version.
    pub(crate) fn install_read(&self, no: PageNo, frame: u32, buf: Buf) -> PageRef {
        let store = self.db.store.as_ref().expect("pages are in a file");
        let page = self.pool.adopt(buf);
        self.db.cache.insert(no, self.mark.lsn, page, || {
            let index = store.index();
            let same_log = index.generation() == self.mark.generation;
            // Up to here it is the newest version of the page.
            let floor = match (frame, self.mark.slot, same_log) {
                (0, 0, true) => self.mark.max_frame,
                (0, 0, false) => 0,
                (0, _, _) => self.mark.min_frame - 1,
                (frame, _, true) => frame,
                (_, _, false) => return false,
            };
            index
                .find(no, floor + 1, index.last())
                .is_ok_and(|newer| newer.is_none())
        })
    }

    /// The bytes of a page for changing; see rule 2 of [`Tx`].
    ///
    /// # Errors
    /// [`Stop::Miss`] if the page is neither private nor pinned and not in memory (rule 3), or if the transaction is
    /// crowded (rule 6).
    #[inline]
    pub fn page_mut(&mut self, no: PageNo) -> Try<&mut [u8]> {
        let dirty = self.dirty.get_mut();
        let index = match dirty.find(no) {
            Some(index) if dirty.is_ready(index, self.top) => index,
            found => self.make_ready(no, found)?,
        };
        let entry = self.dirty.get_mut().at(index);
        entry.touched.set(true);
        entry.current = false;
        entry.discarded = false;
        let Some(page) = &mut entry.page else {
            unreachable!("it is ready")
        };
        Ok(page.make_mut(&self.pool))
    }

    /// Makes a page ready to be changed: the index of its entry.
    #[cold]
    fn make_ready(&mut self, no: PageNo, found: Option<usize>) -> Try<usize> {
        match found {
            Some(index) => self.prepare(index).map(|()| index),
            None => self.make_private(no),
        }
    }

    /// Makes a private page ready to be changed: in memory, and remembered by the newest savepoint.
    fn prepare(&mut self, index: usize) -> Try<()> {
        let size = self.geometry.page_size() as usize;
        let dirty = self.dirty.borrow();
        let entry = &dirty.entries()[index];
        if entry.page.is_none() {
            let mut buf = self.pool.buffer(size);
            match self.elsewhere(entry) {
                Elsewhere::Slot(slot) => slot.read_now(&self.io, &mut buf)?,
                Elsewhere::Frame(file, offset) => {
                    self.io
                        .read_exact_now(&file, offset, &mut buf)
                        .map_err(Error::from)?;
                }
            }
            drop(dirty);
            let page = self.pool.adopt(buf);
            self.dirty.get_mut().set_page(index, Some(page));
        } else {
            drop(dirty);
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
        self.preimage_count += 1;
        entry.saved = savepoint.serial;
    }

    /// Copies a committed page: the index of its entry.
    fn make_private(&mut self, no: PageNo) -> Try<usize> {
        if self.state != TxState::Write {
            return Err(
                Error::Misuse("a page is to be changed outside of a write transaction").into(),
            );
        }
        let page = self.try_page(no)?;
        // Time to make room: a page that nobody pins may be missing, so it is.
        if self.has_file && self.is_crowded() && !page.is_shared() {
            return Err(Stop::Miss(no));
        }
        let copy = self.pool.page_copy(&page);
        Ok(self.add_private(no, copy))
    }

    /// Adds a private page where there was none: the index of its entry.
    pub(crate) fn add_private(&mut self, no: PageNo, page: PageRef) -> usize {
        if let Some(savepoint) = self.savepoints.last_mut() {
            savepoint.preimages.push(Preimage {
                no,
                saved: 0,
                was: Was::Absent,
            });
        }
        self.dirty.get_mut().insert(no, self.top, page)
    }

    /// Makes a page private whose contents do not matter: it becomes zeros, without being read.
    pub(crate) fn zero_page(&mut self, no: PageNo) -> Result<()> {
        let zeros = self.pool.page_zeroed(self.geometry.page_size() as usize);
        let Some(index) = self.dirty.get_mut().find(no) else {
            self.add_private(no, zeros);
            return Ok(());
        };
        if self.dirty.get_mut().at(index).saved < self.top {
            self.prepare(index).map_err(unstop)?;
        }
        let dirty = self.dirty.get_mut();
        dirty.set_page(index, Some(zeros));
        let entry = dirty.at(index);
        entry.current = false;
        entry.discarded = false;
        entry.touched.set(true);
        Ok(())
    }

    /// Makes a page private, so that [`Tx::page_mut`] finds it from now on.
    pub(crate) async fn make_writable(&mut self, no: PageNo) -> Result<()> {
        let mut held = None;
        loop {
            match self.page_mut(no) {
                Ok(_) => break,
                Err(Stop::Fail(error)) => return Err(*error),
                Err(Stop::Miss(_) | Stop::Slow) => held = Some(self.page(no).await?),
            }
        }
        drop(held);
        Ok(())
    }

    /// The bytes of a page that is private already, or pinned.
    pub(crate) fn present_mut(&mut self, no: PageNo) -> Result<&mut [u8]> {
        self.page_mut(no).map_err(unstop)
    }

    /// Page 1 of the snapshot of a database without a file.
    pub(crate) fn image_page1(&self) -> Option<PageRef> {
        self.image
            .get(PageNo::ONE)
            .and_then(|Place { page, .. }| page.clone())
    }
}

/// The error of a step that had no reason to stop otherwise.
fn unstop(stop: Stop) -> Error {
    match stop {
        Stop::Fail(error) => *error,
        Stop::Miss(no) => Error::corrupt(no, "page left memory while it was pinned"),
        Stop::Slow => Error::Misuse("changing a page does not wait"),
    }
}
