//! A database that has a file: its files, how they are found, and what they are found to hold.
//!
//! | file | log | header says | becomes |
//! |------|-----|-------------|---------|
//! | empty | any | | Empty: the first commit decides; a stale log or journal is deleted then |
//! | not empty | with committed frames | anything | Wal |
//! | not empty | without | WAL (read version 2) | Wal |
//! | not empty | without | rollback (1) | Rollback |
//!
//! | index of a log | when |
//! |----------------|------|
//! | shared, in the -shm file | normally |
//! | on the heap | `locking_mode=EXCLUSIVE`: nobody else gets in |
//! | on the heap, made from the log | the -shm file cannot be written and nobody keeps it up: read, and made again by the next reader |
//!
//! Rules:
//! 1. In state Wal the file stays locked (shared), so that nobody takes the log away.
//! 2. In state Empty or Rollback it is locked (shared) while snapshots are read; with the first of them the file is
//!    looked at again, and what is cached is forgotten if somebody changed it.
//! 3. Where nothing may be written beside a file with a log and nobody has made an index, the file is refused as stock
//!    does it, unless the medium is read-only: then nobody can change it.
//!
//! Source: SQLite's `sqlite3PagerSharedLock`, `hasHotJournal`, `pagerOpenWalIfPresent`, `lockBtree`,
//! `unixOpenSharedMemory`, `walBeginShmUnreliable`.

use crate::database::{Mark, Phase};
use crate::error::{Error, Result};
use crate::footing::Footing;
use crate::index::WalIndex;
use crate::recovery::{Recovered, install, read_log};
use ringwood_format::header::{DatabaseHeader, HEADER_SIZE};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{WAL_HEADER_SIZE, frame_page_offset};
use ringwood_format::wal_index::{LOCK_READ0, LOCKS_OFFSET};
use ringwood_io::{
    Buf, DbLock, File, FileIdentity, IoHandle, LockKind, LockLevel, OpenOptions, ShmLocks, ShmOwner,
};
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
    shm: Mutex<Option<Shm>>,
    /// The rollback journal whose name is known to be durable.
    named_journal: Mutex<Option<FileIdentity>>,
}

/// How the index is shared.
struct Shm {
    locks: ShmLocks,
    /// Of an index that was made from the log: what keeps checkpointers away.
    _guard: Option<File>,
}

/// What the file was found to hold.
pub(crate) struct Found {
    pub(crate) phase: Phase,
    pub(crate) geometry: Option<Geometry>,
    pub(crate) writable: bool,
    pub(crate) page_count: u32,
    pub(crate) fingerprint: [u8; 24],
    /// The index is nobody else's, and good for this reader only.
    pub(crate) private: Option<Recovered>,
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
        let options = if read_only {
            OpenOptions::read_only()
        } else if create {
            OpenOptions::create()
        } else {
            OpenOptions::new()
        };
        let (file, refused) = match io.open(&path, &options) {
            Ok(file) => (file, false),
            Err(error) if error.is_read_only() && !read_only => {
                // Why it cannot be written, and not why it cannot be read either, is the reason to give.
                let file = io.open(&path, &OpenOptions::read_only());
                (file.map_err(|_| error)?, true)
            }
            Err(error) => return Err(error.into()),
        };
        // A link that led nowhere leads to the file that was just made; the log lies beside that.
        let path = io.full_path(&path);
        Ok(FileStore {
            lock: DbLock::new(file.clone()),
            file,
            path,
            read_only: read_only || refused,
            log: Mutex::default(),
            index: RwLock::default(),
            footing: Footing::default(),
            shm: Mutex::default(),
            named_journal: Mutex::default(),
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

    fn shm_slot(&self) -> MutexGuard<'_, Option<Shm>> {
        self.shm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's file, if it is open.
    pub(crate) fn log(&self) -> Option<File> {
        self.log_slot().clone()
    }

    /// The log's file, which frames were found in.
    pub(crate) fn log_of_frames(&self) -> Result<File> {
        self.log().ok_or(Error::CantOpen("the log is gone"))
    }

    /// A share in the locks of the log.
    pub(crate) fn owner(&self) -> Result<ShmOwner> {
        let slot = self.shm_slot();
        let shm = slot
            .as_ref()
            .ok_or(Error::Misuse("the database has no log"))?;
        Ok(shm.locks.owner())
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, WalIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, WalIndex> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Options for a file beside the database: whoever may use the one may use the other.
    pub(crate) fn beside_options(&self) -> Result<OpenOptions> {
        Ok(OpenOptions::create().mode(self.file.permissions()?))
    }

    /// Opens the log and its index; what is there is not looked at. With `alone` nobody else gets in.
    ///
    /// # Errors
    /// [`Error::Busy`] while somebody else is about to make the index anew; nothing is attached then.
    pub(crate) fn attach(&self, io: &IoHandle, alone: bool) -> Result<()> {
        let log = self.open_log(io)?;
        let (locks, file) = if alone {
            (ShmLocks::heap(), None)
        } else {
            let file = io.open(self.shm_path(), &self.beside_options()?.no_follow())?;
            (ShmLocks::open(file.clone())?.0, Some(file))
        };
        let mut index = self.index_mut();
        index.attach(file);
        if let Err(error) = index.reserve(1) {
            index.attach(None);
            return Err(error);
        }
        drop(index);
        *self.shm_slot() = Some(Shm {
            locks,
            _guard: None,
        });
        *self.log_slot() = log;
        Ok(())
    }

    fn open_log(&self, io: &IoHandle) -> Result<Option<File>> {
        let path = self.log_path();
        if !self.file.is_read_only() {
            match io.open(&path, &self.beside_options()?) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.is_read_only() => {}
                Err(error) => return Err(error.into()),
            }
        }
        match io.open(&path, &OpenOptions::read_only()) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`attach`](Self::attach) where the -shm file cannot be written: the index that somebody else keeps up, or
    /// one made from the log.
    async fn attach_reading(&self, io: &IoHandle) -> Result<Option<Recovered>> {
        let log = self.open_log(io)?;
        let mut guard = None;
        match io.open(self.shm_path(), &OpenOptions::read_only().no_follow()) {
            Ok(file) => match ShmLocks::open(file.clone()) {
                Ok((locks, false)) => {
                    let mut index = self.index_mut();
                    index.attach(Some(file));
                    index.reserve(1)?;
                    if index.header().is_some() {
                        drop(index);
                        *self.shm_slot() = Some(Shm {
                            locks,
                            _guard: None,
                        });
                        *self.log_slot() = log;
                        return Ok(None);
                    }
                    index.attach(None);
                }
                Ok((_, true)) => {
                    let byte = (LOCKS_OFFSET as u64) + u64::from(LOCK_READ0);
                    if !file.try_lock_range(byte, 1, LockKind::Shared)? {
                        return Err(Error::Busy);
                    }
                    guard = Some(file);
                }
                Err(error) => return Err(error.into()),
            },
            Err(error) if error.is_not_found() && self.medium_is_read_only(io) => {}
            Err(error) if error.is_not_found() => return Err(Error::ReadOnlyDirectory),
            Err(error) => return Err(error.into()),
        }
        let found = match &log {
            Some(file) => read_log(io, file).await?,
            None => Recovered::default(),
        };
        let mut index = self.index_mut();
        index.attach(None);
        install(&mut index, &found, None)?;
        drop(index);
        *self.shm_slot() = Some(Shm {
            locks: ShmLocks::heap(),
            _guard: guard,
        });
        *self.log_slot() = log;
        Ok(Some(found))
    }

    /// Whether nobody at all can write where the database is.
    fn medium_is_read_only(&self, io: &IoHandle) -> bool {
        let probe = io.open(self.shm_path(), &OpenOptions::create().no_follow());
        match probe {
            Ok(_) => false,
            Err(error) => error.is_read_only_medium(),
        }
    }

    /// Sees to it that the journal's name is durable. One that was there before may be somebody's who did not sync it, or
    /// failed to; one that was just made (`made`) may have the number of one that is gone.
    pub(crate) fn sync_journal_name(
        &self,
        io: &IoHandle,
        journal: &File,
        made: bool,
    ) -> Result<()> {
        let mut named = self
            .named_journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let identity = journal.identity();
        if made || *named != Some(identity) {
            io.sync_dir_of(self.journal_path())?;
            *named = Some(identity);
        }
        Ok(())
    }

    /// Closes the log and its index, leaving the files where they are.
    pub(crate) fn detach(&self) {
        *self.log_slot() = None;
        self.index_mut().attach(None);
        *self.shm_slot() = None;
    }

    /// Closes the log and its index and deletes both files; nobody else may be using them.
    pub(crate) fn delete_log(&self, io: &IoHandle) -> Result<()> {
        self.footing.lost();
        self.detach();
        delete_if_there(io, &self.log_path())?;
        delete_if_there(io, &self.shm_path())
    }

    /// Opens the log if somebody made it meanwhile.
    pub(crate) fn open_late_log(&self, io: &IoHandle) -> Result<()> {
        if self.log().is_none() {
            let log = self.open_log(io)?;
            *self.log_slot() = log;
        }
        Ok(())
    }

    /// The frame that a snapshot reads a page from; `None` for the database file.
    pub(crate) fn frame_of(&self, no: PageNo, mark: &Mark) -> Result<Option<u32>> {
        if mark.slot == 0 {
            return Ok(None);
        }
        self.index().find(no, mark.min_frame, mark.max_frame)
    }

    /// Reads a page as a snapshot sees it. The frame that it came from is 0 for the database file.
    pub(crate) async fn read_page(
        &self,
        io: &IoHandle,
        no: PageNo,
        geometry: Geometry,
        mark: &Mark,
        buf: Buf,
    ) -> Result<(Buf, u32)> {
        if let Some(frame) = self.frame_of(no, mark)? {
            let file = self.log_of_frames()?;
            let offset = frame_page_offset(frame, geometry.page_size());
            return Ok((io.read_exact(&file, offset, buf).await?, frame));
        }
        let (mut buf, got) = io.read(&self.file, geometry.offset(no), buf).await;
        // A page at the end that was allocated and never written need not be there.
        buf[got?..].fill(0);
        Ok((buf, 0))
    }

    /// The database header as a snapshot sees it.
    pub(crate) fn read_header(
        &self,
        io: &IoHandle,
        mark: &Mark,
        page_size: u32,
    ) -> Result<[u8; HEADER_SIZE]> {
        let mut head = [0; HEADER_SIZE];
        match self.frame_of(PageNo::ONE, mark)? {
            Some(frame) => {
                let file = self.log_of_frames()?;
                io.read_exact_now(&file, frame_page_offset(frame, page_size), &mut head)?;
            }
            None => {
                io.read_now(&self.file, 0, &mut head)?;
            }
        }
        Ok(head)
    }

    /// Whether a rollback journal has to be played back before the file means anything.
    pub(crate) fn has_hot_journal(&self, io: &IoHandle) -> Result<bool> {
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

    /// Looks at the file. On success it is locked as the phase that was found demands, and a log is attached.
    pub(crate) async fn look(&self, io: &IoHandle, alone: bool) -> Result<Found> {
        self.lock.lock(LockLevel::Shared)?;
        let alone = alone && !self.file.is_read_only();
        if self.file.len()? != 0 {
            self.settle_journal(io).await?;
        }
        if alone {
            self.lock.lock(LockLevel::Exclusive)?;
        }
        let mut found = Found {
            phase: Phase::Empty,
            geometry: None,
            writable: true,
            page_count: 0,
            fingerprint: [0; 24],
            private: None,
        };
        let size = self.file.len()?;
        if size == 0 {
            return Ok(found);
        }
        let mut head = [0; HEADER_SIZE];
        io.read_now(&self.file, 0, &mut head)?;
        found.fingerprint[..16].copy_from_slice(&head[24..40]);
        found.fingerprint[16..].copy_from_slice(&size.to_ne_bytes());
        let is_wal = DatabaseHeader::decode(&head).is_ok_and(|header| header.is_wal());
        if is_wal || self.log_counts(io).await? {
            found.phase = Phase::Wal;
            found.private = self.attach_somehow(io, alone).await?;
            return Ok(found);
        }
        let header = DatabaseHeader::decode(&head)?;
        found.phase = Phase::Rollback;
        found.writable = header.is_writable();
        found.geometry = Some(header.geometry);
        found.page_count = header.page_count_in(file_pages(size, header.geometry))?;
        Ok(found)
    }

    async fn attach_somehow(&self, io: &IoHandle, alone: bool) -> Result<Option<Recovered>> {
        match self.attach(io, alone) {
            Ok(()) => Ok(None),
            Err(Error::Io(error)) if error.is_read_only() => self.attach_reading(io).await,
            Err(error) => Err(error),
        }
    }

    /// Whether the log of a file whose header does not speak of one has committed frames, or others use it.
    async fn log_counts(&self, io: &IoHandle) -> Result<bool> {
        let path = self.log_path();
        if io
            .size_of(&path)
            .is_none_or(|size| size <= WAL_HEADER_SIZE as u64)
        {
            return Ok(false);
        }
        let level = self.lock.level();
        if !self.file.is_read_only() {
            match self.lock.lock(LockLevel::Exclusive) {
                Ok(()) => {}
                Err(error) if error.is_busy() => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        let counts = async {
            let file = io.open(&path, &OpenOptions::read_only())?;
            Ok::<_, Error>(read_log(io, &file).await?.head.max_frame != 0)
        }
        .await;
        if level < LockLevel::Exclusive {
            self.lock.unlock(LockLevel::Shared)?;
        }
        counts
    }
}

/// Pages in a file, a started one included.
pub(crate) fn file_pages(size: u64, geometry: Geometry) -> u32 {
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
