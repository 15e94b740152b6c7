//! Files in memory: for `:memory:`, temporary databases and tests.
//!
//! ```text
//! MemFs ── name ──► MemFile ◄── handle (File) ─┐
//!                     │   ▲────── handle ──────┴─ each handle is a lock owner
//!                     ├ data:  chunk 0 │ hole │ chunk 2 │ …   64 KiB each, holes read as zeros
//!                     ├ locks: byte ranges with owners        as the kernel's OFD locks
//!                     └ shm:   regions of the wal-index       on the heap
//! ```
//!
//! 1. A file lives while it is named or open, as on disk.
//! 2. Reads and writes are whole: a write is seen by others completely or not at all.
//! 3. A sync does nothing, unless the names are those of a [`SimProcess`]: then its disk is told of
//!    every operation, may refuse it, and keeps account of what a crash would leave.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use crate::error::IoOp;
use crate::lock::LockKind;
use crate::op::Op;
use crate::shm::ShmRegion;
use crate::simulated::SimProcess;

const CHUNK: usize = 64 << 10;

/// A name space of files in memory; cheap to clone.
#[derive(Clone, Default)]
pub struct MemFs {
    names: Arc<Mutex<HashMap<PathBuf, Arc<MemFile>>>>,
    /// Whose view of a simulated disk this is.
    process: Option<Arc<SimProcess>>,
}

impl MemFs {
    /// An empty name space of its own.
    pub fn new() -> MemFs {
        MemFs::default()
    }

    /// The name space that the process shares.
    pub fn global() -> &'static MemFs {
        static GLOBAL: OnceLock<MemFs> = OnceLock::new();
        GLOBAL.get_or_init(MemFs::new)
    }

    fn files(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<MemFile>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same names, as a simulated process sees them.
    pub(crate) fn of_process(&self, process: SimProcess) -> MemFs {
        MemFs {
            names: self.names.clone(),
            process: Some(Arc::new(process)),
        }
    }

    /// The simulated process whose names these are.
    pub(crate) fn process(&self) -> Option<&SimProcess> {
        self.process.as_deref()
    }

    /// Puts a file there, in place of one of the same name.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) -> Arc<MemFile> {
        let file = Arc::new(MemFile::new());
        let written = file.write_at(std::iter::once(bytes), 0);
        assert_eq!(written, Ok(bytes.len()), "it fits");
        self.files().insert(path.to_path_buf(), file.clone());
        file
    }

    /// Every file with its bytes, sorted by name.
    pub(crate) fn image(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let whole = |file: &Arc<MemFile>| {
            let mut bytes = vec![0; file.len() as usize];
            file.read_at(std::iter::once(&mut bytes[..]), 0);
            bytes
        };
        let files = self.files();
        let mut image: Vec<_> = files.iter().map(|(n, f)| (n.clone(), whole(f))).collect();
        image.sort();
        image
    }

    /// The bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files().values().map(|f| f.len()).sum()
    }

    /// Opens or creates, as open(2) would; `Err` is an errno.
    pub(crate) fn open(
        &self,
        path: &Path,
        create: bool,
        exclusive: bool,
        truncate: bool,
    ) -> Result<Arc<MemFile>, i32> {
        if let Some(process) = &self.process {
            process.name(0, path)?;
        }
        let mut files = self.files();
        if let Some(file) = files.get(path) {
            if exclusive {
                return Err(libc::EEXIST);
            }
            if truncate {
                file.truncate(0);
                if let Some(process) = &self.process {
                    process.emptied(file.ino);
                }
            }
            return Ok(file.clone());
        }
        if !create {
            return Err(libc::ENOENT);
        }
        let file = Arc::new(MemFile::new());
        files.insert(path.to_path_buf(), file.clone());
        if let Some(process) = &self.process {
            process.linked(path, file.ino);
        }
        Ok(file)
    }

    pub(crate) fn unlink(&self, path: &Path) -> Result<(), i32> {
        if let Some(process) = &self.process {
            process.name(1, path)?;
        }
        self.files().remove(path).ok_or(libc::ENOENT)?;
        if let Some(process) = &self.process {
            process.unlinked(path);
        }
        Ok(())
    }

    /// Unlinks `path` if it still names `file`.
    pub(crate) fn unlink_same(&self, path: &Path, file: &Arc<MemFile>) {
        let mut files = self.files();
        if files.get(path).is_some_and(|f| Arc::ptr_eq(f, file)) {
            files.remove(path);
            if let Some(process) = &self.process {
                process.unlinked(path);
            }
        }
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), i32> {
        if let Some(process) = &self.process {
            process.name(2, from)?;
        }
        let mut files = self.files();
        let file = files.remove(from).ok_or(libc::ENOENT)?;
        files.insert(to.to_path_buf(), file);
        if let Some(process) = &self.process {
            process.renamed(from, to);
        }
        Ok(())
    }

    /// Whether `path` names `file`.
    pub(crate) fn leads_to(&self, path: &Path, file: &Arc<MemFile>) -> bool {
        self.files().get(path).is_some_and(|f| Arc::ptr_eq(f, file))
    }

    /// The size of the file of this name.
    pub(crate) fn size(&self, path: &Path) -> Option<u64> {
        self.files().get(path).map(|f| f.len())
    }

    /// The names of the files, sorted.
    pub fn names(&self) -> Vec<PathBuf> {
        let mut names: Vec<PathBuf> = self.files().keys().cloned().collect();
        names.sort();
        names
    }
}

impl fmt::Debug for MemFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemFs").field(&self.names()).finish()
    }
}

#[derive(Default)]
struct Data {
    chunks: Vec<Option<Box<[u8]>>>,
    len: u64,
}

/// One file in memory.
pub(crate) struct MemFile {
    pub(crate) ino: u64,
    data: RwLock<Data>,
    locks: Mutex<Vec<RangeLock>>,
    shm: Mutex<Vec<ShmRegion>>,
}

struct RangeLock {
    owner: u64,
    start: u64,
    end: u64,
    exclusive: bool,
}

impl MemFile {
    pub(crate) fn new() -> MemFile {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        MemFile {
            ino: NEXT.fetch_add(1, Relaxed),
            data: RwLock::default(),
            locks: Mutex::default(),
            shm: Mutex::default(),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.data.read().unwrap_or_else(PoisonError::into_inner).len
    }

    pub(crate) fn truncate(&self, len: u64) {
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        if len < data.len {
            data.chunks.truncate((len as usize).div_ceil(CHUNK));
            let tail = len as usize % CHUNK;
            // What comes back when the file grows again is zeros.
            if tail > 0 {
                if let Some(Some(chunk)) = data.chunks.get_mut(len as usize / CHUNK) {
                    chunk[tail..].fill(0);
                }
            }
        }
        data.len = len;
    }

    /// Performs an operation; of a sync, nothing.
    pub(crate) fn apply(&self, op: &mut Op) -> Result<u32, (IoOp, i32)> {
        let kind = op.kind();
        let written = |r: Result<usize, i32>| r.map(|n| n as u32).map_err(|e| (kind, e));
        match op {
            Op::Read { offset, buf, .. } => {
                Ok(self.read_at(std::iter::once(&mut buf[..]), *offset) as u32)
            }
            Op::Readv { offset, bufs, .. } => {
                Ok(self.read_at(bufs.iter_mut().map(|b| &mut b[..]), *offset) as u32)
            }
            Op::Write { offset, buf, .. } => {
                written(self.write_at(std::iter::once(&buf[..]), *offset))
            }
            Op::Writev { offset, bufs, .. } | Op::WriteSync { offset, bufs, .. } => {
                written(self.write_at(bufs.iter().map(|b| &b[..]), *offset))
            }
            Op::Sync { .. } => Ok(0),
            Op::Allocate {
                offset,
                len,
                keep_size,
                ..
            } => {
                if !*keep_size {
                    self.extend(*offset + *len);
                }
                Ok(0)
            }
            Op::Truncate { len, .. } => {
                self.truncate(*len);
                if *len == 0 {
                    self.shm_clear();
                }
                Ok(0)
            }
        }
    }

    /// Extends the file to at least `len`.
    pub(crate) fn extend(&self, len: u64) {
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        data.len = data.len.max(len);
    }

    /// Reads into the pieces in order; the bytes read.
    pub(crate) fn read_at<'a>(
        &self,
        pieces: impl Iterator<Item = &'a mut [u8]>,
        offset: u64,
    ) -> usize {
        let data = self.data.read().unwrap_or_else(PoisonError::into_inner);
        let mut at = offset;
        for piece in pieces {
            let mut done = 0;
            while done < piece.len() && at < data.len {
                let within = at as usize % CHUNK;
                let n = (CHUNK - within)
                    .min(piece.len() - done)
                    .min((data.len - at).min(CHUNK as u64) as usize);
                let out = &mut piece[done..done + n];
                match data.chunks.get(at as usize / CHUNK) {
                    Some(Some(chunk)) => out.copy_from_slice(&chunk[within..within + n]),
                    _ => out.fill(0),
                }
                done += n;
                at += n as u64;
            }
            if done < piece.len() {
                break;
            }
        }
        (at - offset) as usize
    }

    /// Writes the pieces in order; the bytes written, or EFBIG.
    pub(crate) fn write_at<'a>(
        &self,
        pieces: impl Iterator<Item = &'a [u8]>,
        offset: u64,
    ) -> Result<usize, i32> {
        if offset >= 1 << 47 {
            return Err(libc::EFBIG);
        }
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        let mut at = offset as usize;
        for piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                let (index, within) = (at / CHUNK, at % CHUNK);
                let n = (CHUNK - within).min(rest.len());
                if data.chunks.len() <= index {
                    data.chunks.resize_with(index + 1, || None);
                }
                let chunk = data.chunks[index].get_or_insert_with(|| vec![0; CHUNK].into());
                chunk[within..within + n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                at += n;
            }
        }
        data.len = data.len.max(at as u64);
        Ok(at - offset as usize)
    }

    fn locks(&self) -> MutexGuard<'_, Vec<RangeLock>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or clears a range for `owner`, as F_OFD_SETLK does; whether it could.
    pub(crate) fn try_lock(&self, owner: u64, start: u64, len: u64, kind: LockKind) -> bool {
        let end = start + len;
        let mut locks = self.locks();
        if kind != LockKind::Unlock && conflict(&locks, owner, start, end, kind).is_some() {
            return false;
        }
        // What the owner held in the range goes; its remains to the left and right stay.
        let mut kept = Vec::with_capacity(locks.len() + 2);
        for l in locks.drain(..) {
            if l.owner != owner || l.end <= start || l.start >= end {
                kept.push(l);
                continue;
            }
            if l.start < start {
                kept.push(RangeLock { end: start, ..l });
            }
            if l.end > end {
                kept.push(RangeLock { start: end, ..l });
            }
        }
        if kind != LockKind::Unlock {
            kept.push(RangeLock {
                owner,
                start,
                end,
                exclusive: kind == LockKind::Exclusive,
            });
        }
        *locks = kept;
        true
    }

    /// Whose lock would conflict: `Some(exclusive)`.
    pub(crate) fn query_lock(
        &self,
        owner: u64,
        start: u64,
        len: u64,
        kind: LockKind,
    ) -> Option<bool> {
        conflict(&self.locks(), owner, start, start + len, kind)
    }

    pub(crate) fn release_locks(&self, owner: u64) {
        self.locks().retain(|l| l.owner != owner);
    }

    /// Region `index` of the shared memory that goes with this file; `None` where it does not
    /// exist and is not to be made.
    pub(crate) fn shm_region(&self, index: usize, extend: bool) -> Option<ShmRegion> {
        let mut regions = self.shm.lock().unwrap_or_else(PoisonError::into_inner);
        while extend && regions.len() <= index {
            regions.push(ShmRegion::heap());
        }
        regions.get(index).cloned()
    }

    /// Forgets the shared memory; who has a region mapped keeps it.
    pub(crate) fn shm_clear(&self) {
        self.shm
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn conflict(locks: &[RangeLock], owner: u64, start: u64, end: u64, kind: LockKind) -> Option<bool> {
    locks
        .iter()
        .find(|l| {
            l.owner != owner
                && l.start < end
                && start < l.end
                && (l.exclusive || kind == LockKind::Exclusive)
        })
        .map(|l| l.exclusive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(f: &MemFile, offset: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0xEE; len];
        let n = f.read_at(std::iter::once(&mut out[..]), offset);
        out.truncate(n);
        out
    }

    #[test]
    fn holes_are_zeros_and_cut_bytes_do_not_come_back() {
        let f = MemFile::new();
        f.write_at(std::iter::once(&[7u8; 10][..]), CHUNK as u64 - 5)
            .unwrap();
        assert_eq!(f.len(), CHUNK as u64 + 5);
        assert_eq!(read(&f, 0, 3), [0, 0, 0]);
        assert_eq!(
            read(&f, CHUNK as u64 - 6, 100),
            [0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]
        );
        f.truncate(CHUNK as u64 - 3);
        f.truncate(CHUNK as u64 + 2);
        assert_eq!(read(&f, CHUNK as u64 - 6, 100), [0, 7, 7, 0, 0, 0, 0, 0]);
        f.truncate(0);
        f.truncate(4);
        assert_eq!(read(&f, 0, 9), [0; 4]);
    }

    #[test]
    fn ranges_split_and_conflict_like_the_kernels() {
        let f = MemFile::new();
        assert!(f.try_lock(1, 0, 10, LockKind::Exclusive));
        assert!(!f.try_lock(2, 5, 1, LockKind::Shared));
        assert!(f.try_lock(1, 4, 2, LockKind::Unlock));
        assert!(f.try_lock(2, 4, 2, LockKind::Shared));
        assert!(!f.try_lock(2, 3, 2, LockKind::Shared));
        assert_eq!(f.query_lock(1, 0, 10, LockKind::Exclusive), Some(false));
        assert_eq!(f.query_lock(1, 0, 10, LockKind::Shared), None);
        f.release_locks(1);
        assert!(f.try_lock(2, 0, 10, LockKind::Exclusive));
    }
}
