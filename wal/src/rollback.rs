//! Committing to a database that keeps a rollback journal: the old pages go to the journal, the new ones to the file.
//!
//! ```text
//!  lock EXCLUSIVE ─► old pages ─► journal ─► sync ─► seal ─► sync ─► new pages ─► file ─► sync ─► journal goes
//!   nobody reads                                                                                  = the commit
//! ```
//!
//! | mode | the journal | goes by |
//! |---|---|---|
//! | DELETE | a file | being deleted |
//! | TRUNCATE | a file | being cut to nothing |
//! | PERSIST | a file | its header being zeroed |
//! | MEMORY | pinned pages | being dropped: a crash in between destroys the file |
//! | OFF | none | : an error in between does so too |
//!
//! | synchronous | syncs |
//! |---|---|
//! | OFF | none |
//! | NORMAL | journal once, file |
//! | FULL | journal before and after it is sealed, file; the cut or zeroed journal |
//! | EXTRA | the same, and the directory after the journal was deleted |
//!
//! Rules:
//! 1. Until the commit the private pages are in memory or in a file without a name, so others read meanwhile, and a
//!    rollback touches nothing. (SQLite writes the journal as it goes.)
//! 2. While a commit waits for the readers of this process or others, no new ones come in; if it gives up (busy), the
//!    transaction is as it was and the commit can be tried again.
//! 3. After an error the journal is played back at once; if that fails too it stays, hot, for the next reader.
//! 4. From the first write to the end of the journal a commit is not given up: dropping its future waits until it is done.
//!
//! Source: SQLite's `sqlite3PagerCommitPhaseOne`, `syncJournal`, `pager_write_pagelist`, `pager_end_transaction`.

use crate::busy::Patience;
use crate::database::{Database, Phase};
use crate::error::{Error, Result};
use crate::file_store::{FileStore, delete_if_there};
use crate::journal_file::{self, JournalHeader, SECTOR, checksum, super_record};
use crate::log::CHUNK_BYTES;
use crate::options::{JournalMode, Synchronous};
use crate::tx::Tx;
use ringwood_format::page::PageNo;
use ringwood_io::{Buf, Durability, File, IoHandle, LockLevel, SyncMode, WriteBuf};
use ringwood_pager::PageRef;
use std::path::Path;

/// Pages in hand at once.
const BATCH_BYTES: usize = 4 * CHUNK_BYTES;

/// What undoes a commit that has not ended.
pub(crate) enum Undo {
    /// Nothing can.
    None,
    /// The old pages, in memory.
    Memory(Vec<(PageNo, PageRef)>),
    /// The journal, a file.
    File(File),
}

/// A commit whose pages are all written; what is left is to let the journal go.
pub(crate) struct Written {
    undo: Undo,
}

impl Tx {
    /// Commits.
    pub(crate) async fn commit_through_journal(&mut self) -> Result<()> {
        let Some(changed) = self.ready_for_journal().await? else {
            self.publish_nothing();
            return Ok(());
        };
        let io = self.io.clone();
        let commit = async {
            let written = self.write_through_journal(&changed, None).await?;
            self.end_journal(written).await
        };
        // Rule 4.
        io.unbroken(commit).await
    }

    /// Waits until a commit may write, with nobody reading: which of its pages it will write, unless nothing was changed.
    pub(crate) async fn ready_for_journal(&mut self) -> Result<Option<Vec<usize>>> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        if db.state().poisoned {
            return Err(Error::LogPoisoned);
        }
        let changed = self.pages_to_write();
        if changed.is_empty() && self.page_count == self.committed_page_count {
            return Ok(None);
        }
        self.shut_readers_out(&db, store).await?;
        Ok(Some(changed))
    }

    /// All of the commit but its end, after [`ready_for_journal`](Self::ready_for_journal). `super_name` is that of a
    /// super-journal, if others commit too.
    pub(crate) async fn write_through_journal(
        &mut self,
        changed: &[usize],
        super_name: Option<&Path>,
    ) -> Result<Written> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let vigil = db.vigil();
        let mut undo = Undo::None;
        let result = self
            .write_journal_and_file(store, changed, super_name, &mut undo)
            .await;
        if result.is_err() {
            self.undo(&db, store, &undo).await;
        }
        vigil.over();
        result.map(|()| Written { undo })
    }

    /// The end of a commit: its journal goes.
    async fn end_journal(&mut self, written: Written) -> Result<()> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let vigil = db.vigil();
        let result = self.finish_journal(store, &written.undo, false).await;
        if result.is_err() {
            self.undo(&db, store, &written.undo).await;
        }
        vigil.over();
        result?;
        self.publish_file();
        Ok(())
    }

    /// The same, once the super-journal is gone: whatever becomes of the journal, the commit stands.
    pub(crate) async fn end_journal_of_many(&mut self, written: &Written) -> Result<()> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let vigil = db.vigil();
        let result = self.finish_journal(store, &written.undo, true).await;
        vigil.over();
        self.publish_file();
        result
    }

    /// Undoes a commit that was written and shall not be.
    pub(crate) async fn undo_journal(&mut self, written: &Written) {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let vigil = db.vigil();
        self.undo(&db, store, &written.undo).await;
        vigil.over();
    }

    fn pages_to_write(&mut self) -> Vec<usize> {
        let page_count = self.page_count;
        let lock_byte_page = self.geometry.lock_byte_page();
        let dirty = self.dirty.get_mut();
        let mut changed: Vec<usize> = (0..dirty.len())
            .filter(|&index| {
                let entry = &dirty.entries()[index];
                !entry.discarded && entry.no.get() <= page_count && entry.no != lock_byte_page
            })
            .collect();
        changed.sort_unstable_by_key(|&index| dirty.entries()[index].no);
        changed
    }

    /// Waits until nobody reads, and lets nobody in (rule 2).
    pub(crate) async fn shut_readers_out(&self, db: &Database, store: &FileStore) -> Result<()> {
        let mut patience = Patience::default();
        loop {
            let alone = {
                let mut state = db.state();
                state.closed = true;
                !state.readers.is_shared()
            };
            let result = if alone {
                store.lock.lock(LockLevel::Exclusive).map_err(Error::from)
            } else {
                Err(Error::Busy)
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) if error.is_busy() && self.busy.wait(&self.io, &mut patience).await => {}
                Err(error) => {
                    db.state().closed = false;
                    return Err(error);
                }
            }
        }
    }

    /// Takes back what [`ready_for_journal`](Self::ready_for_journal) waited for; file locks stay until the end of the
    /// transaction.
    pub(crate) fn let_readers_in(&self) {
        self.db.state().closed = false;
    }

    async fn write_journal_and_file(
        &mut self,
        store: &FileStore,
        changed: &[usize],
        super_name: Option<&Path>,
        undo: &mut Undo,
    ) -> Result<()> {
        let mut old: Vec<PageNo> = changed
            .iter()
            .map(|&index| self.dirty.get_mut().at(index).no)
            .filter(|no| no.get() <= self.committed_page_count)
            .collect();
        // Pages that are cut off may be wanted back.
        let lock_byte_page = self.geometry.lock_byte_page();
        let cut = (self.page_count + 1..=self.committed_page_count).filter_map(PageNo::new);
        old.extend(cut.filter(|no| *no != lock_byte_page));
        self.keep_old_pages(store, &old, super_name, undo).await?;
        self.write_file(store, changed).await
    }

    /// Keeps pages as they were, where the journal mode says.
    pub(crate) async fn keep_old_pages(
        &self,
        store: &FileStore,
        old: &[PageNo],
        super_name: Option<&Path>,
        undo: &mut Undo,
    ) -> Result<()> {
        match self.rollback_mode {
            JournalMode::Off => {}
            JournalMode::Memory => {
                let mut pages = Vec::with_capacity(old.len());
                for &no in old {
                    pages.push((no, self.committed_page(store, no).await?));
                }
                *undo = Undo::Memory(pages);
            }
            _ => {
                let options = store.beside_options()?;
                let existed = self.io.exists(store.journal_path());
                let opened = self.io.open(store.journal_path(), &options);
                let file = opened.map_err(|error| {
                    if !existed && error.is_read_only() {
                        Error::ReadOnlyDirectory
                    } else {
                        error.into()
                    }
                })?;
                *undo = Undo::File(file.clone());
                self.write_journal(store, &file, !existed, old, super_name)
                    .await?;
            }
        }
        Ok(())
    }

    /// A page as it was before this transaction.
    async fn committed_page(&self, store: &FileStore, no: PageNo) -> Result<PageRef> {
        if let Some(page) = self.db.cache.lookup(no, self.mark.lsn) {
            return Ok(page);
        }
        let size = self.geometry.page_size() as usize;
        let offset = self.geometry.offset(no);
        let (mut buf, got) = self
            .io
            .read(&store.file, offset, self.pool.buffer(size))
            .await;
        buf[got?..].fill(0);
        Ok(self.pool.adopt(buf))
    }

    async fn write_journal(
        &self,
        store: &FileStore,
        file: &File,
        made: bool,
        old: &[PageNo],
        super_name: Option<&Path>,
    ) -> Result<()> {
        let io = &self.io;
        let page_size = self.geometry.page_size();
        let sync = self.synchronous;
        let header = JournalHeader {
            records: old.len() as u32,
            nonce: io.rand() as u32,
            page_count: self.committed_page_count,
            sector: SECTOR,
            page_size,
        };
        let first = match sync {
            Synchronous::Off => header.uncounted().encode(true),
            _ => header.encode(false),
        };
        io.write_now(file, 0, &first)?;
        let record = 8 + page_size as usize;
        let mut at = u64::from(SECTOR);
        for some in old.chunks((CHUNK_BYTES / record).max(1)) {
            let mut buf = io.alloc(some.len() * record);
            for (&no, out) in some.iter().zip(buf.chunks_exact_mut(record)) {
                let page = self.committed_page(store, no).await?;
                out[..4].copy_from_slice(&no.get().to_be_bytes());
                out[4..4 + page.len()].copy_from_slice(&page);
                out[4 + page.len()..].copy_from_slice(&checksum(header.nonce, &page).to_be_bytes());
            }
            io.write(file, at, buf, Durability::Cached).await.1?;
            at += (some.len() * record) as u64;
        }
        if let Some(name) = super_name {
            if sync >= Synchronous::Full {
                at = at.div_ceil(u64::from(SECTOR)) * u64::from(SECTOR);
            }
            let record = super_record(name, page_size);
            io.write_now(file, at, &record)?;
            at += record.len() as u64;
        }
        // Only at the end is a name found: neither may it be hidden, nor may an older one be taken for this commit's.
        if file.len()? > at
            && (super_name.is_some() || journal_file::super_name(io, file)?.is_some())
        {
            io.truncate(file, at).await?;
        }
        if sync == Synchronous::Off {
            return Ok(());
        }
        if sync >= Synchronous::Full {
            io.sync(file, SyncMode::Data).await?;
        }
        io.write_now(file, 0, &header.seal())?;
        io.sync(file, SyncMode::Data).await?;
        store.sync_journal_name(io, file, made)
    }

    async fn write_file(&mut self, store: &FileStore, changed: &[usize]) -> Result<()> {
        let page_size = self.geometry.page_size() as usize;
        for some in changed.chunks((BATCH_BYTES / page_size).max(1)) {
            let mut pages: Vec<(PageNo, Source)> = Vec::with_capacity(some.len());
            for &index in some {
                let (no, page, slot) = {
                    let entry = self.dirty.get_mut().at(index);
                    (entry.no, entry.page.clone(), entry.slot.clone())
                };
                let source = match (page, slot) {
                    (Some(page), _) => Source::Page(page),
                    (None, Some(slot)) => {
                        Source::Buf(slot.read(&self.io, self.io.alloc(page_size)).await?)
                    }
                    (None, None) => {
                        let reason = "a private page is in memory or in a slot";
                        return Err(Error::Misuse(reason));
                    }
                };
                pages.push((no, source));
            }
            let mut requests: Vec<(u64, WriteBuf)> = Vec::new();
            for run in pages.chunk_by(|a, b| a.0.get() + 1 == b.0.get()) {
                for part in run.chunks((CHUNK_BYTES / page_size).max(1)) {
                    let mut buf = self.io.alloc(part.len() * page_size);
                    for ((_, source), out) in part.iter().zip(buf.chunks_exact_mut(page_size)) {
                        out.copy_from_slice(source.bytes());
                    }
                    requests.push((self.geometry.offset(part[0].0), buf.into()));
                }
            }
            self.io.write_many(&store.file, requests).await?;
        }
        let length = u64::from(self.page_count) * page_size as u64;
        if store.file.len()? != length {
            self.io.truncate(&store.file, length).await?;
        }
        if self.synchronous != Synchronous::Off {
            let mode = if self.page_count == self.committed_page_count {
                SyncMode::Data
            } else {
                SyncMode::Full
            };
            self.io.sync(&store.file, mode).await?;
            if self.committed_page_count == 0 {
                self.io.sync_dir_of(&store.path)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn finish_journal(
        &self,
        store: &FileStore,
        undo: &Undo,
        named: bool,
    ) -> Result<()> {
        let Undo::File(file) = undo else {
            return Ok(());
        };
        let io = &self.io;
        let sync = self.synchronous;
        match self.rollback_mode {
            // The name of a super-journal does not stay behind.
            mode if mode == JournalMode::Truncate || (mode == JournalMode::Persist && named) => {
                io.truncate(file, 0).await?;
                if sync >= Synchronous::Full {
                    io.sync(file, SyncMode::Full).await?;
                }
            }
            JournalMode::Persist => {
                io.write_now(file, 0, &[0; 28])?;
                if sync != Synchronous::Off {
                    io.sync(file, SyncMode::Data).await?;
                }
            }
            _ => {
                delete_if_there(io, &store.journal_path())?;
                if sync == Synchronous::Extra {
                    io.sync_dir_of(store.journal_path())?;
                }
            }
        }
        Ok(())
    }

    /// Brings the file back (rule 3).
    pub(crate) async fn undo(&self, db: &Database, store: &FileStore, undo: &Undo) {
        let undone = match undo {
            Undo::None => Ok(()),
            Undo::Memory(pages) => self.write_back(store, pages).await,
            // A journal that was never sealed is no journal, and nothing was written.
            Undo::File(_) => store.play_back(&self.io).await,
        };
        let mut state = db.state();
        state.closed = false;
        if undone.is_err() || matches!(undo, Undo::None) {
            // The next reader finds out what there is.
            state.fingerprint = [0xff; 24];
        }
    }

    async fn write_back(&self, store: &FileStore, pages: &[(PageNo, PageRef)]) -> Result<()> {
        for (no, page) in pages {
            let offset = self.geometry.offset(*no);
            self.io.write_now(&store.file, offset, page)?;
        }
        let length = u64::from(self.committed_page_count) * u64::from(self.geometry.page_size());
        self.io.truncate(&store.file, length).await?;
        self.io.sync(&store.file, SyncMode::Full).await?;
        Ok(())
    }

    /// The private pages are the newest version of the database.
    fn publish_file(&mut self) {
        let entries = self.dirty.get_mut().take();
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        let mut state = db.state();
        let lsn = state.lsn + 1;
        let written = entries.iter().filter(|entry| !entry.discarded);
        db.cache.replace(
            lsn,
            lsn,
            written.map(|entry| (entry.no, entry.page.as_ref())),
        );
        if self.page_count < self.committed_page_count {
            if let Some(first) = PageNo::new(self.page_count + 1) {
                db.cache.truncate(first);
            }
        }
        state.lsn = lsn;
        state.closed = false;
        state.phase = Phase::Rollback;
        state.page_count = self.page_count;
        state.geometry = self.geometry;
        if let Some(page1) = entries.iter().find(|entry| entry.no == PageNo::ONE) {
            if let Some(bytes) = &page1.page {
                state.fingerprint[..16].copy_from_slice(&bytes[24..40]);
            }
        }
        let length = u64::from(self.page_count) * u64::from(self.geometry.page_size());
        state.fingerprint[16..].copy_from_slice(&length.to_ne_bytes());
        self.mark = state.advance(self.mark);
        if !state.alone {
            // What cannot be weakened now is given up with the last reader.
            let _ = store.lock.unlock(LockLevel::Shared);
        }
        drop(state);
        if let Some(entry) = entries.into_iter().find(|entry| entry.no == PageNo::ONE) {
            self.page1 = entry.page;
        }
        self.committed_page_count = self.page_count;
    }
}

/// Where a private page is.
enum Source {
    Page(PageRef),
    Buf(Buf),
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Source::Page(page) => page,
            Source::Buf(buf) => buf,
        }
    }
}

/// A journal that is kept between commits and is not wanted any more.
pub(crate) fn drop_kept_journal(io: &IoHandle, store: &FileStore) -> Result<()> {
    if !io.exists(store.journal_path()) || store.read_only {
        return Ok(());
    }
    let before = store.lock.level();
    match store.lock.lock(LockLevel::Reserved) {
        Ok(()) => {}
        // Somebody is at work with it.
        Err(error) if error.is_busy() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let result = delete_if_there(io, &store.journal_path());
    if before < LockLevel::Reserved {
        store.lock.unlock(LockLevel::Shared)?;
    }
    result
}
