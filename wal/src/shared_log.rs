//! How a log is shared: what a reader locks, how it learns what others did, who makes a lost index again.
//!
//! ```text
//!  header whole? ──no──► lock WRITE, CKPT, RECOVER; read the log; make the index ──┐
//!     │ yes  ◄─────────────────────────────────────────────────────────────────────┘
//!  as last seen? ──no──► notice: other pages' versions leave the cache
//!     │ yes
//!  all backfilled? ──yes──► share READ 0: the database file alone, and nobody may write to it
//!     │ no
//!  a mark at the last frame, or the highest, or one made so ──► share READ 1–4
//!     │
//!  header and mark still the same? ──no──► again
//! ```
//!
//! | what the header says since it was last seen | what leaves the cache |
//! |---|---|
//! | the same salt, more frames | the pages of those frames |
//! | the same salt and frames | nothing: somebody made the index again |
//! | another salt, or fewer frames | everything: what the last frames of the earlier life held is not known |
//!
//! Rules:
//! 1. Connections of this process share the kernel's locks through [`ShmLocks`](ringwood_io::ShmLocks): it hears of the
//!    first and the last of them. A read transaction costs two system calls at most, as in SQLite.
//! 2. What was noticed is noticed for all connections of this [`Database`], under its lock. Older snapshots of theirs
//!    keep their versions: replaced ones go to the cache's attic, or are read again from where the locks keep them.
//! 3. A reader that shares READ 0 looks at no frame, so the log may start anew under it; at most once, for nobody may
//!    backfill meanwhile.
//!
//! Source: SQLite's `walTryBeginRead`, `walIndexReadHdr`, `walRestartLog`.

use crate::database::{Database, Entered, Mark, Phase, State};
use crate::error::{Error, Result};
use crate::file_store::{FileStore, file_pages};
use crate::index::{HeaderWords, IndexHeader, MARK_UNUSED, MARKS};
use crate::recovery::{install, read_log};
use ringwood_format::header::DatabaseHeader;
use ringwood_format::page::PageNo;
use ringwood_io::{IoHandle, SHM_CKPT, SHM_READ0, SHM_RECOVER, SHM_WRITE, ShmOwner};
use std::time::Duration;

/// How an attempt to read ended.
enum Attempt {
    In(Entered),
    /// Somebody was faster.
    Retry,
    /// The index has no header that can be believed.
    Lost,
}

/// How often an attempt that somebody else spoiled is repeated, as in SQLite.
const RETRIES_MAX: u32 = 100;
/// Attempts after which it waits between them.
const RETRIES_AT_ONCE: u32 = 5;
/// How long somebody of this process who looks at the file is waited for.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// Puts the phase back if looking at the file fails or is given up.
struct Looking<'a>(&'a Database);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.forget_file();
    }
}

/// The index is being made again: others of this process wait.
struct Mending<'a>(&'a Database);

impl Drop for Mending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.phase == Phase::Looking {
            state.phase = Phase::Wal;
        }
    }
}

impl Database {
    /// Sees to it that what is known is true of the file, and counts a reader of the newest snapshot in.
    pub(crate) async fn enter(&self, io: &IoHandle, store: &FileStore) -> Result<Entered> {
        let mut retries = 0;
        let started = io.now_ns();
        loop {
            let (looks, before) = {
                let mut state = self.state();
                self.drop_if_unwanted(&mut state, store);
                if state.switching {
                    return Err(Error::Busy);
                }
                match state.phase {
                    Phase::Looking => (false, state.phase),
                    Phase::Wal => match self.enter_log(&mut state, store)? {
                        Attempt::In(entered) if state.header_is_read => return Ok(entered),
                        Attempt::In(entered) => {
                            drop(state);
                            return self.read_first_header(io, store, entered);
                        }
                        Attempt::Retry => (false, Phase::Wal),
                        Attempt::Lost => {
                            state.phase = Phase::Looking;
                            (true, Phase::Wal)
                        }
                    },
                    _ if state.closed => return Err(Error::Busy),
                    Phase::Empty | Phase::Rollback if state.readers.is_any() => {
                        return Ok(state.enter_at(0, 0, None));
                    }
                    before => {
                        state.phase = Phase::Looking;
                        (true, before)
                    }
                }
            };
            match (looks, before) {
                (true, Phase::Wal) => {
                    let mending = Mending(self);
                    let made = self.make_index(io, store).await;
                    drop(mending);
                    if made? {
                        continue;
                    }
                }
                (true, before) => {
                    if let Some(entered) = self.look(io, store, before).await? {
                        return Ok(entered);
                    }
                    continue;
                }
                (false, Phase::Looking) => {
                    if Duration::from_nanos(io.now_ns() - started) > LOOK_MAX {
                        return Err(Error::BusyRecovery);
                    }
                    io.sleep(Duration::from_micros(50)).await;
                    continue;
                }
                (false, _) => {}
            }
            retries += 1;
            if retries > RETRIES_MAX {
                return Err(Error::Protocol);
            }
            if retries > RETRIES_AT_ONCE {
                let micros = 1 + u64::from(retries - RETRIES_AT_ONCE).pow(2) * 4;
                io.sleep(Duration::from_micros(micros)).await;
            }
        }
    }

    /// Looks at the file, which nobody of this process knows, and reads it, if it has no log.
    async fn look(
        &self,
        io: &IoHandle,
        store: &FileStore,
        before: Phase,
    ) -> Result<Option<Entered>> {
        let looking = Looking(self);
        let alone = self.state().alone_wanted;
        let found = store.look(io, alone).await?;
        std::mem::forget(looking);
        let mut state = self.state();
        state.alone = alone;
        state.header_is_read = false;
        if found.phase == Phase::Wal {
            // What was known of an earlier log is not known to be so any more.
            self.cache.clear();
            state.lsn += 1;
            let generation = store.index().generation();
            state.log = crate::log::LogState {
                generation,
                ..Default::default()
            };
            state.private = found.private.is_some();
            state.fingerprint = [0; 24];
        } else {
            if state.fingerprint != found.fingerprint || before != found.phase {
                self.cache.clear();
                state.lsn += 1;
            }
            state.private = false;
            state.fingerprint = found.fingerprint;
            state.page_count = found.page_count;
            state.writable = found.writable;
            if let Some(geometry) = found.geometry {
                state.geometry = geometry;
            }
        }
        state.phase = found.phase;
        Ok((found.phase != Phase::Wal).then(|| state.enter_at(0, 0, None)))
    }

    /// One attempt to read the newest snapshot of the log.
    fn enter_log(&self, state: &mut State, store: &FileStore) -> Result<Attempt> {
        let Some((head, words)) = store.index().header() else {
            return Ok(Attempt::Lost);
        };
        if words != state.log.words {
            self.notice(state, store, head, words)?;
        }
        let mut owner = store.owner()?;
        let Some((slot, min_frame)) = self.take_slot(state, store, &mut owner, true)? else {
            return Ok(Attempt::Retry);
        };
        Ok(Attempt::In(state.enter_at(slot, min_frame, Some(owner))))
    }

    /// Shares the lock of a read mark for the newest snapshot: the mark's slot, and the first frame that the database
    /// file may lack. `None` if somebody else did something meanwhile.
    pub(crate) fn take_slot(
        &self,
        state: &State,
        store: &FileStore,
        owner: &mut ShmOwner,
        may_skip_log: bool,
    ) -> Result<Option<(u8, u32)>> {
        let index = store.index();
        let (max, words) = (state.log.head.max_frame, &state.log.words);
        if may_skip_log && index.backfilled() == max && held(owner.lock_shared(SHM_READ0))? {
            if index.is_still(words) {
                return Ok(Some((0, 0)));
            }
            owner.unlock_shared(SHM_READ0)?;
            return Ok(None);
        }
        let (mut best, mut best_mark) = (0, 0);
        for slot in 1..MARKS {
            let mark = index.mark(slot);
            if mark != MARK_UNUSED && mark <= max && (best == 0 || mark >= best_mark) {
                (best, best_mark) = (slot, mark);
            }
        }
        if (best == 0 || best_mark < max) && !index.is_read_only() {
            for slot in 1..MARKS {
                if held(owner.lock_exclusive(SHM_READ0 + slot, 1))? {
                    index.set_mark(slot, max);
                    owner.unlock_exclusive(SHM_READ0 + slot, 1)?;
                    (best, best_mark) = (slot, max);
                    break;
                }
            }
        }
        if best == 0 || !held(owner.lock_shared(SHM_READ0 + best))? {
            return Ok(None);
        }
        let min_frame = index.backfilled() + 1;
        if index.mark(best) != best_mark || !index.is_still(words) {
            owner.unlock_shared(SHM_READ0 + best)?;
            return Ok(None);
        }
        Ok(Some((best as u8, min_frame)))
    }

    /// Takes notice of what somebody else did to the log.
    pub(crate) fn notice(
        &self,
        state: &mut State,
        store: &FileStore,
        head: IndexHeader,
        words: HeaderWords,
    ) -> Result<()> {
        let before = state.log.head;
        let known = state.log.words != HeaderWords::default();
        let goes_on = known && head.salt == before.salt && head.max_frame >= before.max_frame;
        let changed = {
            let mut index = store.index_mut();
            index.reserve(head.max_frame)?;
            if goes_on {
                let changed = index.pages(before.max_frame + 1, head.max_frame)?;
                index.set_last(head.max_frame);
                changed
            } else {
                index.renew(head.max_frame);
                state.log.generation = index.generation();
                state.log.synced = 0;
                Vec::new()
            }
        };
        if !goes_on {
            state.lsn += 1;
            state.log.seq = state.log.seq.wrapping_add(1);
            self.cache.clear();
        } else if !changed.is_empty() {
            state.lsn += 1;
            let oldest = state.readers.oldest(state.lsn);
            self.cache
                .replace(state.lsn, oldest, changed.into_iter().map(|no| (no, None)));
            if head.page_count < state.page_count {
                if let Some(first) = PageNo::new(head.page_count + 1) {
                    self.cache.truncate(first);
                }
            }
        }
        if head.page_count != 0 {
            state.page_count = head.page_count;
        }
        if head.page_count == 0 || !goes_on {
            state.header_is_read = false;
        }
        state.log.head = head;
        state.log.words = words;
        Ok(())
    }

    /// The first reader reads the header of the database, as its snapshot has it.
    fn read_first_header(
        &self,
        io: &IoHandle,
        store: &FileStore,
        mut entered: Entered,
    ) -> Result<Entered> {
        let result = self.read_header(io, store, &mut entered);
        if result.is_err() {
            self.leave(entered.mark, (0, 0));
        }
        result.map(|()| entered)
    }

    fn read_header(&self, io: &IoHandle, store: &FileStore, entered: &mut Entered) -> Result<()> {
        let log = self.state().log;
        if log.head.max_frame != 0 {
            store.open_late_log(io)?;
        }
        let head = store.read_header(io, &entered.mark, log.head.page_size)?;
        let header = DatabaseHeader::decode(&head)?;
        let size = header.geometry.page_size();
        if log.head.max_frame != 0 && log.head.page_size != size {
            let reason = "log and database differ in page size";
            return Err(Error::corrupt(PageNo::ONE, reason));
        }
        let pages = match log.head.page_count {
            0 => file_pages(store.file.len()?, header.geometry),
            committed => committed,
        };
        let page_count = header.page_count_in(pages)?;
        entered.geometry = header.geometry;
        entered.page_count = page_count;
        let mut state = self.state();
        if state.lsn == entered.mark.lsn {
            state.geometry = header.geometry;
            state.writable = header.is_writable();
            state.page_count = page_count;
            state.header_is_read = true;
        }
        Ok(())
    }

    /// Makes the index again from the log; whether there is any use in looking at it at once.
    async fn make_index(&self, io: &IoHandle, store: &FileStore) -> Result<bool> {
        if store.index().is_read_only() {
            // Nobody keeps it up any more; the next look finds another way.
            if self.state().readers.is_any() {
                return Err(Error::ReadOnlyRecovery);
            }
            self.forget_file();
            return Ok(true);
        }
        let mut owner = store.owner()?;
        if !held(owner.lock_exclusive(SHM_WRITE, 1))? {
            // A writer is about to finish the header, or somebody recovers.
            if held(owner.lock_shared(SHM_RECOVER))? {
                return Ok(false);
            }
            return Err(Error::BusyRecovery);
        }
        if store.index().header().is_some() {
            return Ok(true);
        }
        if !held(owner.lock_exclusive(SHM_CKPT, SHM_RECOVER + 1 - SHM_CKPT))? {
            return Ok(false);
        }
        store.open_late_log(io)?;
        let found = match store.log() {
            Some(log) => read_log(io, &log).await?,
            None => crate::recovery::Recovered::default(),
        };
        install(&mut store.index_mut(), &found, Some(&mut owner))?;
        self.state().log.seq = found.seq;
        Ok(true)
    }

    /// Lets the log start anew, if nobody reads it: `owner` holds WRITE and READ 0 or no mark. Whether it did.
    pub(crate) fn restart_log(
        &self,
        io: &IoHandle,
        store: &FileStore,
        owner: &mut ShmOwner,
    ) -> Result<bool> {
        if store.index().backfilled() == 0 || !held(owner.lock_exclusive(SHM_READ0 + 1, MARKS - 1))?
        {
            return Ok(false);
        }
        self.start_log_anew(io, store);
        owner.unlock_exclusive(SHM_READ0 + 1, MARKS - 1)?;
        Ok(true)
    }

    /// The same, with all locks held.
    pub(crate) fn start_log_anew(&self, io: &IoHandle, store: &FileStore) {
        let mut state = self.state();
        let head = state.log.restarted(io.rand() as u32);
        let words = head.encode();
        let mut index = store.index_mut();
        index.write_header(&words);
        index.set_backfilled(0);
        index.set_backfill_attempted(0);
        index.set_mark(1, 0);
        (2..MARKS).for_each(|slot| index.set_mark(slot, MARK_UNUSED));
        index.renew(0);
        state.log.generation = index.generation();
        drop(index);
        state.log.head = head;
        state.log.words = words;
        state.log.seq = state.log.seq.wrapping_add(1);
        state.log.synced = 0;
    }

    /// Moves a transaction that reads the newest snapshot to a mark at its last frame. `None` if somebody else was
    /// faster: then nothing has changed.
    pub(crate) fn move_mark(
        &self,
        store: &FileStore,
        owner: &mut ShmOwner,
        mark: Mark,
        may_skip_log: bool,
    ) -> Result<Option<Mark>> {
        self.move_mark_in(&mut self.state(), store, owner, mark, may_skip_log)
    }

    /// The same, with the state in hand.
    pub(crate) fn move_mark_in(
        &self,
        state: &mut State,
        store: &FileStore,
        owner: &mut ShmOwner,
        mark: Mark,
        may_skip_log: bool,
    ) -> Result<Option<Mark>> {
        if state.lsn != mark.lsn {
            return Ok(None);
        }
        let mut fresh = store.owner()?;
        // One mark more for a moment, so that none is missing in between.
        let Some((slot, min_frame)) = self.take_slot(state, store, &mut fresh, may_skip_log)?
        else {
            return Ok(None);
        };
        owner.unlock_shared(SHM_READ0 + mark.slot as usize)?;
        owner.lock_shared(SHM_READ0 + slot as usize)?;
        state.readers.remove(mark);
        Ok(Some(state.enter_at(slot, min_frame, None).mark))
    }
}

/// Whether a lock was had; an error if the reason was another one than somebody else's lock.
pub(crate) fn held(result: ringwood_io::Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.is_busy() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
