//! An open file: on disk or in memory, and what its device allows.
//!
//! ```text
//! File ─ Arc ─► FileInner { id, path, caps, identity, body }
//!                                                      ├ Os     a descriptor
//!                                                      └ Memory a MemFile
//! ```
//!
//! 1. A `File` is cheap to clone, `Send` and `Sync`. Clones are one handle: they share the locks,
//!    which have an open file description of their own.
//! 2. Opening the same path again gives another handle, whose locks conflict with the first's.
//! 3. Reads and writes go through an [`IoHandle`](crate::IoHandle), which knows the drivers; what
//!    is asked here (size, locks, shared memory) is answered at once.
//! 4. Closing a descriptor of a file drops the *POSIX* locks that anybody in this process holds
//!    on it. Ours are not POSIX locks; a second SQLite library in this process would suffer.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{IoError, IoOp, Result};
use crate::lock::LockKind;
use crate::memory::{MemFile, MemFs};
use crate::shm::{self, ShmRegion};
use crate::simulated::SimProcess;
use crate::syscall;

/// How to open a file. Starts as: for reading and writing, which must exist.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Only reading.
    pub read_only: bool,
    /// Make it if it does not exist.
    pub create: bool,
    /// Fail if it exists (with `create`).
    pub exclusive: bool,
    /// Empty it.
    pub truncate: bool,
    /// Bypass the kernel's cache (O_DIRECT) where the file system can; see [`FileCaps::direct`].
    pub direct: bool,
    /// Unlink it when the last handle clone is dropped.
    pub delete_on_close: bool,
    /// In memory, whatever the driver.
    pub memory: bool,
    /// Do not follow a symbolic link at the end of the path.
    pub no_follow: bool,
    /// Permissions of a file that is made, before the umask.
    pub mode: u32,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            read_only: false,
            create: false,
            exclusive: false,
            truncate: false,
            direct: false,
            delete_on_close: false,
            memory: false,
            no_follow: false,
            mode: 0o644,
        }
    }
}

impl OpenOptions {
    /// For reading and writing, which must exist.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// For reading only, which must exist.
    pub fn read_only() -> OpenOptions {
        OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        }
    }

    /// For reading and writing, made if it does not exist.
    pub fn create() -> OpenOptions {
        OpenOptions {
            create: true,
            ..OpenOptions::default()
        }
    }

    /// For reading and writing; it must not exist yet.
    pub fn create_new() -> OpenOptions {
        OpenOptions {
            create: true,
            exclusive: true,
            ..OpenOptions::default()
        }
    }

    /// The same, bypassing the kernel's cache or not.
    #[must_use]
    pub fn direct(mut self, direct: bool) -> OpenOptions {
        self.direct = direct;
        self
    }

    /// The same, in memory or not.
    #[must_use]
    pub fn memory(mut self, memory: bool) -> OpenOptions {
        self.memory = memory;
        self
    }

    /// The same, emptied or not.
    #[must_use]
    pub fn truncate(mut self, truncate: bool) -> OpenOptions {
        self.truncate = truncate;
        self
    }

    /// The same, refusing a symbolic link at the end of the path.
    #[must_use]
    pub fn no_follow(mut self) -> OpenOptions {
        self.no_follow = true;
        self
    }

    /// The same, unlinked with its last handle or not.
    #[must_use]
    pub fn delete_on_close(mut self, delete: bool) -> OpenOptions {
        self.delete_on_close = delete;
        self
    }

    /// The same, with these permissions if it is made.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> OpenOptions {
        self.mode = mode;
        self
    }
}

/// A number that no other open file of this process has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// Which file it is, whatever its name: two handles are of the same file if these are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileIdentity {
    /// The device, or `u64::MAX` for a file in memory.
    pub dev: u64,
    /// The number on the device.
    pub ino: u64,
}

/// What a file and its device allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCaps {
    /// Whether this handle bypasses the kernel's cache: buffers, offsets and lengths must then be
    /// multiples of `mem_align` and `offset_align`.
    pub direct: bool,
    /// Alignment of buffers for direct transfers.
    pub mem_align: u32,
    /// Alignment of offsets and lengths for direct transfers.
    pub offset_align: u32,
    /// The size of transfer that the file system likes.
    pub block_size: u32,
    /// Whether this handle only reads.
    pub read_only: bool,
    /// Whether the file is in memory.
    pub memory: bool,
}

pub(crate) enum Body {
    Os(OwnedFd),
    Memory(Arc<MemFile>, MemFs),
}

pub(crate) struct FileInner {
    pub(crate) id: FileId,
    path: Arc<Path>,
    caps: FileCaps,
    identity: FileIdentity,
    delete_on_close: bool,
    /// The descriptor that locks are taken through, once one was: see [`File::lock_fd`].
    lock_fd: OnceLock<Option<OwnedFd>>,
    pub(crate) body: Body,
}

/// An open file.
#[derive(Clone)]
pub struct File(pub(crate) Arc<FileInner>);

/// Counts closed files, so that rings know when to look for descriptors to let go of.
pub(crate) static CLOSED: AtomicU64 = AtomicU64::new(0);

fn next_id() -> FileId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    FileId(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl File {
    /// Opens a file on disk.
    pub(crate) fn open_os(path: &Path, options: &OpenOptions) -> Result<File> {
        let shared: Arc<Path> = path.into();
        let fail = |errno| IoError::os(IoOp::Open, errno).at_path(&shared);
        let mut flags = if options.read_only {
            libc::O_RDONLY
        } else {
            libc::O_RDWR
        };
        for (wanted, flag) in [
            (options.create, libc::O_CREAT),
            (options.create && options.exclusive, libc::O_EXCL),
            (options.truncate, libc::O_TRUNC),
            (options.no_follow, libc::O_NOFOLLOW),
        ] {
            if wanted {
                flags |= flag;
            }
        }
        let (fd, direct) = if options.direct {
            match syscall::open(path, flags | libc::O_DIRECT, options.mode) {
                Ok(fd) => (fd, true),
                // The file system does not know O_DIRECT.
                Err(libc::EINVAL) => (
                    syscall::open(path, flags & !libc::O_EXCL, options.mode).map_err(fail)?,
                    false,
                ),
                Err(e) => return Err(fail(e)),
            }
        } else {
            (
                syscall::open(path, flags, options.mode).map_err(fail)?,
                false,
            )
        };
        File::from_fd(fd, shared, options, direct)
    }

    fn from_fd(fd: OwnedFd, path: Arc<Path>, options: &OpenOptions, direct: bool) -> Result<File> {
        let st = syscall::fstat(fd.as_raw_fd())
            .map_err(|e| IoError::os(IoOp::Stat, e).at_path(&path))?;
        if st.mode & libc::S_IFMT == libc::S_IFDIR {
            return Err(IoError::os(IoOp::Open, libc::EISDIR).at_path(&path));
        }
        let (mem_align, offset_align) = if direct {
            syscall::dio_align(fd.as_raw_fd())
                .filter(|a| a.1 > 0)
                .unwrap_or((4096, 4096))
        } else {
            (1, 1)
        };
        Ok(File(Arc::new(FileInner {
            id: next_id(),
            path,
            caps: FileCaps {
                direct,
                mem_align,
                offset_align,
                block_size: st.block_size,
                read_only: options.read_only,
                memory: false,
            },
            identity: FileIdentity {
                dev: st.dev,
                ino: st.ino,
            },
            delete_on_close: options.delete_on_close,
            lock_fd: OnceLock::new(),
            body: Body::Os(fd),
        })))
    }

    /// A file of a directory that has no name and is gone with its last handle.
    pub(crate) fn temporary_os(dir: &Path, name: &str) -> Result<File> {
        let options = OpenOptions {
            delete_on_close: false,
            ..OpenOptions::create_new().mode(0o600)
        };
        match syscall::open(dir, libc::O_TMPFILE | libc::O_RDWR, 0o600) {
            Ok(fd) => File::from_fd(fd, dir.join("(temporary)").into(), &options, false),
            Err(_) => {
                // No O_TMPFILE on this file system: make one and take its name away.
                let file = File::open_os(&dir.join(name), &options)?;
                syscall::unlink(&dir.join(name))
                    .map_err(|e| IoError::os(IoOp::Delete, e).at_path(&file.0.path))?;
                Ok(file)
            }
        }
    }

    /// Opens a file in memory.
    pub(crate) fn open_memory(fs: &MemFs, path: &Path, options: &OpenOptions) -> Result<File> {
        let file = fs
            .open(
                path,
                options.create,
                options.create && options.exclusive,
                options.truncate && !options.read_only,
            )
            .map_err(|e| IoError::os(IoOp::Open, e).at_path(&path.into()))?;
        Ok(File::of_memory(file, fs.clone(), path, options))
    }

    /// A file in memory without a name.
    pub(crate) fn temporary_memory(fs: MemFs) -> File {
        let path = Path::new("(temporary)");
        File::of_memory(Arc::new(MemFile::new()), fs, path, &OpenOptions::create())
    }

    fn of_memory(file: Arc<MemFile>, fs: MemFs, path: &Path, options: &OpenOptions) -> File {
        File(Arc::new(FileInner {
            id: next_id(),
            path: path.into(),
            caps: FileCaps {
                direct: false,
                mem_align: 1,
                offset_align: 1,
                block_size: 4096,
                read_only: options.read_only,
                memory: true,
            },
            identity: FileIdentity {
                dev: u64::MAX,
                ino: file.ino,
            },
            delete_on_close: options.delete_on_close,
            lock_fd: OnceLock::new(),
            body: Body::Memory(file, fs),
        }))
    }

    /// The number of this handle.
    #[inline]
    pub fn id(&self) -> FileId {
        self.0.id
    }

    /// The path as it was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn shared_path(&self) -> &Arc<Path> {
        &self.0.path
    }

    /// What the file and its device allow.
    #[inline]
    pub fn caps(&self) -> &FileCaps {
        &self.0.caps
    }

    /// Which file it is, whatever its name.
    pub fn identity(&self) -> FileIdentity {
        self.0.identity
    }

    /// Whether this handle only reads.
    pub fn is_read_only(&self) -> bool {
        self.0.caps.read_only
    }

    /// Whether the file is in memory.
    #[inline]
    pub fn is_memory(&self) -> bool {
        self.0.caps.memory
    }

    /// Whether the path still leads to this file: it may have been deleted or replaced.
    pub fn is_at_its_path(&self) -> bool {
        match &self.0.body {
            Body::Os(_) => syscall::stat(&self.0.path)
                .is_ok_and(|st| (st.dev, st.ino) == (self.0.identity.dev, self.0.identity.ino)),
            Body::Memory(file, fs) => fs.leads_to(&self.0.path, file),
        }
    }

    /// The size in bytes.
    pub fn len(&self) -> Result<u64> {
        match &self.0.body {
            Body::Os(fd) => match syscall::fstat(fd.as_raw_fd()) {
                Ok(st) => Ok(st.len),
                Err(e) => Err(self.error(IoOp::Stat, e)),
            },
            Body::Memory(file, _) => Ok(file.len()),
        }
    }

    /// The permissions of the file, for files that are made beside it.
    pub fn permissions(&self) -> Result<u32> {
        match &self.0.body {
            Body::Os(fd) => match syscall::fstat(fd.as_raw_fd()) {
                Ok(st) => Ok(st.mode & 0o777),
                Err(e) => Err(self.error(IoOp::Stat, e)),
            },
            Body::Memory(..) => Ok(0o644),
        }
    }

    /// The alignment that O_DIRECT wants here, asked afresh: `None` where it is refused or unknown.
    pub fn direct_align(&self) -> Option<(u32, u32)> {
        match &self.0.body {
            Body::Os(fd) => syscall::dio_align(fd.as_raw_fd()).filter(|a| a.1 > 0),
            Body::Memory(..) => None,
        }
    }

    /// Takes or gives up a lock on a byte range, without waiting; `false` where somebody else's
    /// lock is in the way.
    ///
    /// The owner is this handle: what it holds already in the range is replaced.
    pub fn try_lock_range(&self, start: u64, len: u64, kind: LockKind) -> Result<bool> {
        match &self.0.body {
            Body::Os(fd) => match syscall::ofd_lock(self.lock_fd(fd), raw_kind(kind), start, len) {
                Ok(()) => Ok(true),
                Err(libc::EAGAIN | libc::EACCES) => Ok(false),
                Err(e) => Err(self.error(IoOp::Lock, e)),
            },
            Body::Memory(file, fs) => {
                let refused = |process: &SimProcess| {
                    kind != LockKind::Unlock && (!process.is_alive() || process.seems_busy())
                };
                if fs.process().is_some_and(refused) {
                    return Ok(false);
                }
                Ok(file.try_lock(u64::from(self.0.id.0), start, len, kind))
            }
        }
    }

    /// Whether somebody else's lock would conflict with one of this kind: `Some(exclusive)`.
    pub fn query_lock_range(&self, start: u64, len: u64, kind: LockKind) -> Result<Option<bool>> {
        match &self.0.body {
            Body::Os(fd) => syscall::ofd_query(self.lock_fd(fd), raw_kind(kind), start, len)
                .map_err(|e| self.error(IoOp::Lock, e)),
            Body::Memory(file, _) => Ok(file.query_lock(u64::from(self.0.id.0), start, len, kind)),
        }
    }

    /// The descriptor that locks go through: an open file description of their own, which no ring
    /// ever sees. The ring of a killed process outlives it for a while and keeps what it was
    /// reading or writing; locks on that description would outlive the process too.
    ///
    /// Where a second one cannot be had (no `/proc`, permissions given up since), it is `fd`.
    fn lock_fd(&self, fd: &OwnedFd) -> RawFd {
        let reopened = self.0.lock_fd.get_or_init(|| {
            let access = if self.is_read_only() {
                libc::O_RDONLY
            } else {
                libc::O_RDWR
            };
            let same = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            syscall::open(&same, access, 0).ok()
        });
        reopened.as_ref().unwrap_or(fd).as_raw_fd()
    }

    /// Region `index` of the shared memory in this (-shm) file, which grows where `extend`;
    /// `None` where the file is too short and is not to grow.
    pub fn shm_region(&self, index: usize, extend: bool) -> Result<Option<ShmRegion>> {
        let fd = match &self.0.body {
            Body::Memory(file, _) => return Ok(file.shm_region(index, extend)),
            Body::Os(fd) => fd.as_raw_fd(),
        };
        if extend && !self.is_read_only() {
            shm::grow(fd, index).map_err(|(op, e)| self.error(op, e))?;
        }
        if self.len()? < ((index + 1) * shm::SHM_REGION_SIZE) as u64 {
            return Ok(None);
        }
        ShmRegion::map(fd, index, self.is_read_only())
            .map(Some)
            .map_err(|e| self.error(IoOp::ShmMap, e))
    }

    /// Cuts the file to nothing, at once.
    pub(crate) fn empty(&self) -> Result<()> {
        match &self.0.body {
            Body::Os(fd) => {
                syscall::ftruncate(fd.as_raw_fd(), 0).map_err(|e| self.error(IoOp::Truncate, e))
            }
            Body::Memory(file, fs) => {
                if fs.process().is_some_and(|process| !process.is_alive()) {
                    return Err(self.error(IoOp::Truncate, libc::EIO));
                }
                file.truncate(0);
                file.shm_clear();
                Ok(())
            }
        }
    }

    /// The descriptor of a file on disk.
    pub(crate) fn raw_fd(&self) -> Option<RawFd> {
        match &self.0.body {
            Body::Os(fd) => Some(fd.as_raw_fd()),
            Body::Memory(..) => None,
        }
    }

    pub(crate) fn error(&self, op: IoOp, errno: i32) -> IoError {
        IoError::os(op, errno).at_path(&self.0.path)
    }
}

fn raw_kind(kind: LockKind) -> i32 {
    match kind {
        LockKind::Shared => libc::F_RDLCK,
        LockKind::Exclusive => libc::F_WRLCK,
        LockKind::Unlock => libc::F_UNLCK,
    }
}

impl Drop for FileInner {
    fn drop(&mut self) {
        match &self.body {
            Body::Os(fd) => {
                // A ring may keep the open file description, and with it the locks.
                if let Some(None) = self.lock_fd.get() {
                    let _ = syscall::ofd_lock(fd.as_raw_fd(), libc::F_UNLCK, 0, 0);
                }
                if self.delete_on_close {
                    let _ = syscall::unlink(&self.path);
                }
                CLOSED.fetch_add(1, Ordering::Relaxed);
            }
            Body::Memory(file, fs) => {
                file.release_locks(u64::from(self.id.0));
                let lives = fs.process().is_none_or(SimProcess::is_alive);
                if self.delete_on_close && lives {
                    fs.unlink_same(&self.path, file);
                }
            }
        }
    }
}

impl PartialEq for File {
    fn eq(&self, other: &File) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for File {}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_memory() { " in memory" } else { "" };
        write!(
            f,
            "File({}{place}, #{})",
            self.0.path.display(),
            self.0.id.0
        )
    }
}

/// The absolute form of a path, symbolic links resolved as far as the path exists.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    if let Ok(full) = path.canonicalize() {
        return full;
    }
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match (parent.canonicalize(), path.file_name()) {
        (Ok(dir), Some(name)) => dir.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
    }
}
