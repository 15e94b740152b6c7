//! The cached pages of one file: which frame holds which version.
//!
//! ```text
//!   page table (lock-free)          attic (locked, empty unless somebody reads an older snapshot)
//!   page 7 ──► frame, lsn 40        page 7: valid 12..40 ──► frame, lsn 12
//!   page 8 ──► frame, lsn 12
//! ```
//!
//! Rules:
//! 1. A slot of the page table holds the newest committed version or nothing that validates; that version is valid for
//!    every snapshot from its lsn on. What is read from disk is put there only while it is the newest, which the
//!    caller's closure says under the lock that publishers take too.
//! 2. A version that is replaced while an older snapshot is being read goes to the attic with the lsn at which it
//!    ended, and so does one that is read for an older snapshot, for which alone it is found then; otherwise its frame is emptied at once, or, where it is pinned, when the policy comes by.
//! 3. A hit is: array load, pin (one atomic addition), compare of tag and lsn. No lock, no list.
//! 4. Entries of table and attic are hints: the frame is pinned and its tag compared before anything is believed.
//!
//! Absent: knowledge of files. Who misses reads, and publishes what was read.

use crate::flight::{Boarding, FlightKey, Flights};
use crate::frame::{Frame, PageRef};
use crate::page_table::{PageTable, follow};
use crate::pool::Pool;
use hashbrown::HashMap;
use ringwood_format::page::PageNo;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a commit, or several in one, did to a page.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Which page.
    pub page: PageNo,
    /// The snapshot from which on it is as the version says.
    pub from: u64,
    /// The snapshot with which the version before ended: `from`, or earlier if there were others in between.
    pub until: u64,
    /// `None` if it is not in memory any more.
    pub version: Option<&'a PageRef>,
}

/// A replaced version that an older snapshot may still ask for.
struct Old {
    frame: NonNull<Frame>,
    from: u64,
    until: u64,
}

// SAFETY: the address of a header, which is Sync and lives as long as the pool that the cache holds.
unsafe impl Send for Old {}

#[derive(Default)]
struct Attic {
    pages: HashMap<u32, Vec<Old>, foldhash::fast::RandomState>,
}

/// The cached pages of one open file; `Send` and `Sync`.
pub struct FileCache {
    pool: Arc<Pool>,
    id: u32,
    table: PageTable,
    /// Serialises publishers, and holds the attic.
    attic: Mutex<Attic>,
    /// Versions in the attic, so that nobody locks it in vain.
    attic_len: AtomicUsize,
    flights: Flights,
}

fn next_id() -> u32 {
    // Starts at 1, so that no tag is 0.
    static NEXT: AtomicU32 = AtomicU32::new(1);
    loop {
        let id = NEXT.fetch_add(1, Relaxed);
        if id != 0 {
            return id;
        }
    }
}

impl FileCache {
    /// An empty cache of a newly opened file.
    pub fn new(pool: Arc<Pool>) -> FileCache {
        FileCache {
            pool,
            id: next_id(),
            table: PageTable::new(),
            attic: Mutex::default(),
            attic_len: AtomicUsize::new(0),
            flights: Flights::default(),
        }
    }

    /// The pool that holds the pages.
    #[inline]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    #[inline]
    fn tag(&self, page: u32) -> u64 {
        u64::from(self.id) << 32 | u64::from(page)
    }

    fn attic(&self) -> MutexGuard<'_, Attic> {
        self.attic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of `page` that the snapshot `lsn` sees, if it is in memory.
    #[inline]
    pub fn lookup(&self, page: PageNo, lsn: u64) -> Option<PageRef> {
        if let Some(slot) = self.table.slot(page.get()) {
            // SAFETY: the cache holds the pool.
            if let Some(frame) = unsafe { follow(slot.load(Acquire)) } {
                if let Some(pin) = frame.pin(self.tag(page.get())) {
                    if pin.lsn() <= lsn {
                        if frame.warm() {
                            self.pool.touch(frame, pin.len());
                        }
                        return Some(pin);
                    }
                }
            }
        }
        if self.attic_len.load(Relaxed) == 0 {
            None
        } else {
            self.lookup_old(page.get(), lsn)
        }
    }

    #[cold]
    fn lookup_old(&self, page: u32, lsn: u64) -> Option<PageRef> {
        self.find_old(&self.attic(), page, lsn)
    }

    fn find_old(&self, attic: &Attic, page: u32, lsn: u64) -> Option<PageRef> {
        let versions = attic.pages.get(&page)?;
        let mut seen = versions
            .iter()
            .filter(|old| old.from <= lsn && lsn < old.until);
        seen.find_map(|old| {
            // SAFETY: the cache holds the pool.
            let pin = unsafe { old.frame.as_ref() }.pin(self.tag(page))?;
            (pin.lsn() == old.from).then_some(pin)
        })
    }

    /// Publishes what a commit changed: from `lsn` on, each page is as its version says; one
    /// without a version is not in memory any more. `oldest` is the oldest snapshot that somebody
    /// else reads; versions that it may need are kept findable.
    ///
    /// # Panics
    /// If one of the versions is published already.
    pub fn replace<'a>(
        &self,
        lsn: u64,
        oldest: u64,
        changes: impl Iterator<Item = (PageNo, Option<&'a PageRef>)>,
    ) {
        let change = |(page, version)| Change {
            page,
            from: lsn,
            until: lsn,
            version,
        };
        self.replace_many(oldest, changes.map(change));
    }

    /// [`FileCache::replace`] for several commits at once: of each page its newest version.
    ///
    /// # Panics
    /// If one of the versions is published already.
    pub fn replace_many<'a>(&self, oldest: u64, changes: impl Iterator<Item = Change<'a>>) {
        let mut attic = self.attic();
        for change in changes {
            let page = change.page.get();
            let before = match change.version {
                Some(version) => self.install(page, change.from, version),
                None => match self.table.slot(page) {
                    Some(slot) => slot.swap(std::ptr::null_mut(), AcqRel),
                    None => continue,
                },
            };
            self.put_away(&mut attic, page, before, change.until, oldest);
        }
    }

    /// [`FileCache::replace`] for one page.
    ///
    /// # Panics
    /// If the version is published already.
    pub fn publish(&self, page: PageNo, lsn: u64, version: &PageRef, oldest: u64) {
        self.replace(lsn, oldest, std::iter::once((page, Some(version))));
    }

    /// Publishes a version that was read for a snapshot `lsn`: as the newest, if `is_newest` still says so, else for
    /// this snapshot alone. It, or the equal one that somebody else published meanwhile, is returned; while the caller
    /// keeps it, [`FileCache::lookup`] finds it.
    pub fn insert(
        &self,
        page: PageNo,
        lsn: u64,
        version: PageRef,
        is_newest: impl FnOnce() -> bool,
    ) -> PageRef {
        let mut attic = self.attic();
        if let Some(there) = self.lookup_newest(page.get()) {
            if there.lsn() <= lsn {
                return there;
            }
        } else if is_newest() {
            let before = self.install(page.get(), lsn, &version);
            self.put_away(&mut attic, page.get(), before, lsn, lsn);
            return version;
        }
        self.install_old(&mut attic, page.get(), lsn, version)
    }

    /// Publishes a version that is not the newest any more, for the snapshot that it was read for.
    fn install_old(&self, attic: &mut Attic, page: u32, lsn: u64, version: PageRef) -> PageRef {
        if let Some(there) = self.find_old(attic, page, lsn) {
            return there;
        }
        let frame = version.frame();
        // The newest version may have been evicted from this very frame.
        let ours = NonNull::from(frame).as_ptr();
        if let Some(slot) = self.table.slot(page) {
            let _ = slot.compare_exchange(ours, std::ptr::null_mut(), AcqRel, Relaxed);
        }
        frame.seal(self.tag(page), lsn);
        self.pool.admit(frame, version.len(), self.tag(page));
        let versions = attic.pages.entry(page).or_default();
        let until = lsn + 1;
        let before = versions.len();
        // One that was evicted since.
        versions.retain(|old| (old.from, old.until) != (lsn, until));
        let gone = before - versions.len();
        versions.push(Old {
            frame: NonNull::from(frame),
            from: lsn,
            until,
        });
        self.attic_len.fetch_add(1, Relaxed);
        self.attic_len.fetch_sub(gone, Relaxed);
        version
    }

    fn lookup_newest(&self, page: u32) -> Option<PageRef> {
        // SAFETY: the cache holds the pool.
        unsafe { follow(self.table.slot(page)?.load(Acquire)) }?.pin(self.tag(page))
    }

    /// Makes a version the newest: the one before, which is to be put away. The caller has the attic locked.
    fn install(&self, page: u32, lsn: u64, version: &PageRef) -> *mut Frame {
        let tag = self.tag(page);
        let frame = version.frame();
        frame.seal(tag, lsn);
        self.pool.admit(frame, version.len(), tag);
        let slot = self.table.slot_or_grow(page);
        slot.swap(NonNull::from(frame).as_ptr(), AcqRel)
    }

    /// A version was replaced: it goes to the attic if an older snapshot may need it, else its
    /// frame is emptied.
    fn put_away(&self, attic: &mut Attic, page: u32, replaced: *mut Frame, lsn: u64, oldest: u64) {
        let tag = self.tag(page);
        // SAFETY: the cache holds the pool.
        let Some(replaced) = (unsafe { follow(replaced) }) else {
            return;
        };
        let Some(pin) = replaced.pin(tag) else { return };
        let from = pin.lsn();
        let page_size = pin.len();
        drop(pin);
        if oldest < lsn {
            let frame = NonNull::from(replaced);
            attic.pages.entry(page).or_default().push(Old {
                frame,
                from,
                until: lsn,
            });
            self.attic_len.fetch_add(1, Relaxed);
        } else {
            self.retire(replaced, page_size, tag);
        }
    }

    /// Empties a frame that nothing points to any more; where it is pinned, the policy does later.
    fn retire(&self, frame: &Frame, page_size: usize, tag: u64) {
        if !self.pool.retire(frame, page_size, tag) {
            frame.heat.store(0, Relaxed);
        }
    }

    /// Forgets the versions that no snapshot from `oldest` on sees.
    pub fn trim(&self, oldest: u64) {
        if self.attic_len.load(Relaxed) == 0 {
            return;
        }
        let mut attic = self.attic();
        let mut gone = 0;
        attic.pages.retain(|&page, versions| {
            versions.retain(|old| {
                let keep = old.until > oldest;
                if !keep {
                    gone += 1;
                    self.retire_entry(page, old.frame.as_ptr());
                }
                keep
            });
            !versions.is_empty()
        });
        self.attic_len.fetch_sub(gone, Relaxed);
    }

    fn retire_entry(&self, page: u32, frame: *mut Frame) {
        // SAFETY: the cache holds the pool.
        let Some(frame) = (unsafe { follow(frame) }) else {
            return;
        };
        let tag = self.tag(page);
        let Some(page_size) = frame.pin(tag).map(|pin| pin.len()) else {
            return;
        };
        self.retire(frame, page_size, tag);
    }

    /// Forgets the pages from `from` on: the file was cut there. Pins stay good.
    pub fn truncate(&self, from: PageNo) {
        let attic = self.attic();
        for (page, slot) in self.table.slots_from(from.get()) {
            self.retire_entry(page, slot.swap(std::ptr::null_mut(), AcqRel));
        }
        drop(attic);
    }

    /// Forgets a page, whatever its version. Pins stay good.
    pub fn invalidate(&self, page: PageNo) {
        let attic = self.attic();
        if let Some(slot) = self.table.slot(page.get()) {
            self.retire_entry(page.get(), slot.swap(std::ptr::null_mut(), Release));
        }
        drop(attic);
    }

    /// Forgets everything: somebody else may have changed the file. Pins stay good.
    pub fn clear(&self) {
        self.trim(u64::MAX);
        self.truncate(PageNo::ONE);
    }

    /// Whether to read a page, or to wait for somebody who is reading it.
    pub fn board(&self, key: FlightKey) -> Boarding<'_> {
        self.flights.board(key)
    }
}

impl Drop for FileCache {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for FileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FileCache(file {}, {} old versions)",
            self.id,
            self.attic_len.load(Relaxed)
        )
    }
}
