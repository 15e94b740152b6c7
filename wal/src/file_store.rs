//! A database that has a file: how it is found, locked, and read for the first time.
//!
//! | file | log | header says | becomes |
//! |------|-----|-------------|---------|
//! | empty | any | | Empty: the first commit decides; a stale log or journal is deleted then |
//! | not empty | with committed frames | anything | Wal |
//! | not empty | without | WAL (read version 2) | Wal |
//! | not empty | without | rollback (1) | Rollback: read, not written |
//! | not empty | any, and a hot journal | anything | an error: what is in the file is half a transaction |
//!
//! Rules:
//! 1. A database in state Wal is locked exclusively until it is closed: nobody else can change it, so a read
//!    transaction starts without a system call.
//! 2. One in state Empty or Rollback is locked (shared) while snapshots are read; with the first of them the file is
//!    looked at again, and what is cached is forgotten if somebody changed it.
//! 3. A file that can only be opened for reading is locked shared, which keeps writers of the same kind away, but not a
//!    stock SQLite that checkpoints: files that others write should not be read without the right to lock them.
//!
//! Source: SQLite's `sqlite3PagerSharedLock`, `hasHotJournal`, `pagerOpenWalIfPresent`, `lockBtree`.

use crate::database::{Database, Entered, Phase};
use crate::error::{Error, Result};
use crate::footing::Footing;
use crate::index::WalIndex;
use crate::log::LogState;
use crate::recovery::recover;
use ringwood_format::header::{DatabaseHeader, HEADER_SIZE};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{WAL_HEADER_SIZE, frame_page_offset};
use ringwood_io::{Buf, DbLock, File, IoHandle, LockLevel, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The files of a database.
pub(crate) struct FileStore {
    pub(crate) file: File,
    pub(crate) lock: DbLock,
    pub(crate) path: PathBuf,
    /// Nothing can be written, for whatever reason.
    pub(crate) read_only: bool,
    log: Mutex<Option<File>>,
    index: RwLock<WalIndex>,
    pub(crate) footing: Footing,
}

/// What the file was found to hold.
struct Found {
    phase: Phase,
    geometry: Option<Geometry>,
    writable: bool,
    page_count: u32,
    log: LogState,
    fingerprint: [u8; 24],
}

impl FileStore {
    /// Opens the database file; looks at nothing.
    pub(crate) fn open(
        io: &IoHandle,
        path: &Path,
        read_only: bool,
        create: bool,
    ) -> Result<FileStore> {
        let path = io.full_path(path);
        let options = if create && !read_only {
            OpenOptions::create()
        } else {
            OpenOptions::new()
        };
        // The lock of a log's owner needs a writable descriptor, so even a reader asks for one.
        let (file, refused) = match io.open(&path, &options) {
            Ok(file) => (file, false),
            Err(error) if error.is_read_only() => {
                (io.open(&path, &OpenOptions::read_only())?, true)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(FileStore {
            lock: DbLock::new(file.clone()),
            file,
            path,
            read_only: read_only || refused,
            log: Mutex::default(),
            index: RwLock::default(),
            footing: Footing::default(),
        })
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.beside("-wal")
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.beside("-journal")
    }

    pub(crate) fn shm_path(&self) -> PathBuf {
        self.beside("-shm")
    }

    fn log_slot(&self) -> MutexGuard<'_, Option<File>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's file, if it is open.
    pub(crate) fn log(&self) -> Option<File> {
        self.log_slot().clone()
    }

    /// The log's file, made if need be. Whether it was made.
    pub(crate) fn log_or_create(&self, io: &IoHandle) -> Result<(File, bool)> {
        let mut slot = self.log_slot();
        if let Some(file) = &*slot {
            return Ok((file.clone(), false));
        }
        let file = io.open(self.log_path(), &OpenOptions::create())?;
        *slot = Some(file.clone());
        Ok((file, true))
    }

    /// Closes and deletes the log.
    pub(crate) fn delete_log(&self, io: &IoHandle) -> Result<()> {
        self.footing.lost();
        *self.log_slot() = None;
        self.index_mut().restart();
        delete_if_there(io, &self.log_path())
    }

    /// Closes the log, leaving it where it is.
    pub(crate) fn forget_log(&self) {
        *self.log_slot() = None;
        self.index_mut().restart();
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, WalIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, WalIndex> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame that a snapshot reads a page from; `None` for the database file.
    pub(crate) fn frame_of(&self, no: PageNo, generation: u32, max_frame: u32) -> Option<u32> {
        let index = self.index();
        if index.generation() != generation {
            None
        } else {
            index.find(no, max_frame)
        }
    }

    /// Reads a page as a snapshot sees it. The frame that it came from is 0 for the database file.
    pub(crate) async fn read_page(
        &self,
        io: &IoHandle,
        no: PageNo,
        geometry: Geometry,
        (generation, max_frame): (u32, u32),
        mut buf: Buf,
    ) -> Result<(Buf, u32)> {
        let page_size = geometry.page_size();
        if let Some(frame) = self.frame_of(no, generation, max_frame) {
            let file = self.log().expect("an index with frames has a log");
            buf = io
                .read_exact(&file, frame_page_offset(frame, page_size), buf)
                .await?;
            // Where the log started anew meanwhile, the page is in the database file, and these bytes may be another's.
            if self.index().generation() == generation {
                return Ok((buf, frame));
            }
        }
        let (mut buf, got) = io.read(&self.file, geometry.offset(no), buf).await;
        // A page at the end that was allocated and never written need not be there.
        buf[got?..].fill(0);
        Ok((buf, 0))
    }

    /// Whether a rollback journal has to be played back before the file means anything.
    fn has_hot_journal(&self, io: &IoHandle) -> Result<bool> {
        let path = self.journal_path();
        let Some(size) = io.size_of(&path) else {
            return Ok(false);
        };
        if size == 0 || self.lock.is_reserved()? {
            return Ok(false);
        }
        let journal = match io.open(&path, &OpenOptions::read_only()) {
            Ok(journal) => journal,
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut first = [0];
        // A journal that was finished by zeroing its header is cold.
        Ok(io.read_now(&journal, 0, &mut first)? == 1 && first[0] != 0)
    }

    /// Looks at the file. On success it is locked as the phase that was found demands.
    async fn look(&self, io: &IoHandle) -> Result<Found> {
        self.lock.lock(LockLevel::Shared)?;
        let mut found = Found {
            phase: Phase::Empty,
            geometry: None,
            writable: true,
            page_count: 0,
            log: LogState::default(),
            fingerprint: [0; 24],
        };
        let size = self.file.len()?;
        if size == 0 {
            return Ok(found);
        }
        if self.has_hot_journal(io)? {
            return Err(Error::HotJournal(self.journal_path()));
        }
        let mut head = [0; HEADER_SIZE];
        io.read_now(&self.file, 0, &mut head)?;
        found.fingerprint[..16].copy_from_slice(&head[24..40]);
        found.fingerprint[16..].copy_from_slice(&size.to_ne_bytes());
        let in_file = DatabaseHeader::decode(&head);
        let has_log = io
            .size_of(self.log_path())
            .is_some_and(|size| size > WAL_HEADER_SIZE as u64);
        if in_file.is_ok_and(|header| header.is_wal()) || has_log {
            if !self.file.is_read_only() {
                self.lock.lock(LockLevel::Exclusive)?;
            }
            // Now that nobody else is there, both files are as they will be.
            io.read_now(&self.file, 0, &mut head)?;
            self.recover_log(io, &mut found).await?;
            if found.phase == Phase::Wal || DatabaseHeader::decode(&head)?.is_wal() {
                return self.found_wal(io, found, &head).await;
            }
            self.forget_log();
            found.log = LogState::default();
            self.lock.unlock(LockLevel::Shared)?;
        }
        let header = DatabaseHeader::decode(&head)?;
        found.phase = Phase::Rollback;
        found.writable = header.is_writable();
        found.geometry = Some(header.geometry);
        found.page_count = header.page_count_in(file_pages(size, header.geometry))?;
        Ok(found)
    }

    /// Reads the log, if there is one; with committed frames the phase becomes Wal.
    async fn recover_log(&self, io: &IoHandle, found: &mut Found) -> Result<()> {
        let path = self.log_path();
        if io.size_of(&path).is_none() {
            found.log.generation = self.index().generation();
            return Ok(());
        }
        let options = if self.file.is_read_only() {
            OpenOptions::read_only()
        } else {
            OpenOptions::new()
        };
        let file = io.open(&path, &options)?;
        let mut index = WalIndex::default();
        let recovered = recover(io, &file, &mut index).await?;
        found.log = recovered.state;
        found.log.generation = self.adopt_index(index);
        *self.log_slot() = Some(file);
        if recovered.page_count != 0 {
            found.phase = Phase::Wal;
            found.page_count = recovered.page_count;
        }
        Ok(())
    }

    /// Installs a recovered index as another generation.
    fn adopt_index(&self, mut recovered: WalIndex) -> u32 {
        let mut index = self.index_mut();
        recovered.set_generation(index.generation().wrapping_add(1));
        *index = recovered;
        index.generation()
    }

    /// A database with a log: its header is that of page 1 as the log has it.
    async fn found_wal(
        &self,
        io: &IoHandle,
        mut found: Found,
        head: &[u8; HEADER_SIZE],
    ) -> Result<Found> {
        found.phase = Phase::Wal;
        let mut head = *head;
        let log = found.log;
        if let Some(frame) = self.frame_of(PageNo::ONE, log.generation, log.max_frame) {
            let (Some(file), Some(wal)) = (self.log(), log.header) else {
                unreachable!("frames were found in a log")
            };
            io.read_exact_now(&file, frame_page_offset(frame, wal.page_size), &mut head)?;
        }
        let header = DatabaseHeader::decode(&head)?;
        if log.max_frame != 0
            && log
                .header
                .is_some_and(|wal| wal.page_size != header.geometry.page_size())
        {
            return Err(Error::corrupt(
                PageNo::ONE,
                "log and database differ in page size",
            ));
        }
        found.writable = header.is_writable();
        found.geometry = Some(header.geometry);
        let pages = match found.page_count {
            0 => file_pages(self.file.len()?, header.geometry),
            committed => committed,
        };
        found.page_count = header.page_count_in(pages)?;
        Ok(found)
    }
}

/// Pages in a file, a started one included.
fn file_pages(size: u64, geometry: Geometry) -> u32 {
    size.div_ceil(u64::from(geometry.page_size()))
        .min(u64::from(u32::MAX)) as u32
}

/// Deletes a file unless it is gone already.
pub(crate) fn delete_if_there(io: &IoHandle, path: &Path) -> Result<()> {
    match io.delete(path) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Puts the phase back if looking at the file fails or is given up.
struct Looking<'a>(&'a Database);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.phase == Phase::Looking {
            state.phase = Phase::Unknown;
            if let Some(store) = &self.0.store {
                // What cannot be unlocked is unlocked when the file is closed.
                let _ = store.lock.unlock(LockLevel::None);
            }
        }
    }
}

impl Database {
    /// Sees to it that what is known is true of the file, and counts a reader of the newest snapshot in.
    pub(crate) async fn enter(&self, io: &IoHandle, store: &FileStore) -> Result<Entered> {
        let before = {
            let mut state = self.state();
            let known = match state.phase {
                Phase::Wal => true,
                Phase::Empty | Phase::Rollback => state.readers.is_any(),
                Phase::Unknown => false,
                Phase::Looking => return Err(Error::BusyRecovery),
            };
            if known {
                return Ok(state.enter());
            }
            std::mem::replace(&mut state.phase, Phase::Looking)
        };
        let looking = Looking(self);
        let found = store.look(io).await?;
        std::mem::forget(looking);
        let mut state = self.state();
        if state.fingerprint != found.fingerprint || before != found.phase {
            self.cache.clear();
            state.lsn += 1;
        }
        state.phase = found.phase;
        state.fingerprint = found.fingerprint;
        state.page_count = found.page_count;
        state.writable = found.writable;
        state.log = found.log;
        if let Some(geometry) = found.geometry {
            state.geometry = geometry;
        }
        Ok(state.enter())
    }
}
