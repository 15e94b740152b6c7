//! Commits in groups: one write and one sync for all transactions that are ready.
//!
//! ```text
//!  writer: private pages ─► frames, chained to the tip ─► queue ─► the turn passes on ─► waits
//!                                                           │
//!  whoever finds the log idle leads: takes the queue ◄──────┘      next writer builds on the tip:
//!     one vectored write, one fdatasync                            its pages, the queue's pages, the cache
//!     └─► index, cache, snapshot ─► all owners go on; the next group has formed meanwhile
//!
//!   committed ── durable, what readers see ── being written ── queued ── tip
//! ```
//!
//! | what | belongs to |
//! |------|------------|
//! | the turn | the writer, until his transaction is queued |
//! | the *pen*: SQLite's lock WRITE | the process, until nobody writes and nothing is queued |
//! | queued pages, by number | the writer (they pass on with the turn), else the database |
//!
//! Rules:
//! 1. Frames and checksums of a transaction are made while its writer has the turn, so a group is contiguous and chained.
//! 2. Nothing of a group is in the index, in the cache or in a snapshot before the whole group is as durable as any of
//!    its transactions asks.
//! 3. An error of a group's write fails the group and all that is queued behind it, for that was built on it; who is
//!    writing on top of it fails when he commits. An error of a sync poisons the database besides. Numbers of snapshots
//!    that failed are not used again.
//! 4. There is no timer. A leader lets those tasks of its thread come in that could run now; then it writes what is there.
//!    So a lone writer writes at once.
//! 5. An owner may be gone (its future was dropped): its transaction is committed with its group all the same. The last
//!    one to lead looks that nobody is left behind.
//! 6. A leader that is given up in the middle of its write ends it first: dropping its future waits for the groups that
//!    it has to write. Only one that panics there poisons the database: see rule 3 of [`database`](crate::database).
//! 7. A transaction that has spilled pages to the log, and the first one of a file, commit alone: they wait until the
//!    queue is empty, and keep the turn.
//! 8. While the pen is held other processes cannot write. Where others have the file open it is laid down at times.
//! 9. What a failed sync leaves in the kernel's cache may never reach the disk, and no later sync says so. The first frame
//!    of its group is wiped, so that nobody who recovers the log takes it for commits and builds on them.
//!
//! Cost: of a lone commit one write and one fdatasync; of a group of any size the same.

use crate::database::{Database, Mark, State};
use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::index::IndexHeader;
use hashbrown::HashMap;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{FRAME_HEADER_SIZE, frame_offset};
use ringwood_io::{
    Durability, File, IoError, IoHandle, IoOp, LockLevel, SHM_WRITE, ShmOwner, SyncMode, WriteBuf,
};
use ringwood_pager::{Change, PageRef};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// Bytes that a group has at most, unless one transaction has more.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Transactions in a group at most.
const GROUP_MAX: usize = 256;
/// Bytes in the queue from which on a writer waits before he adds to it.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// How long the pen is held in one go where other processes have the file open, and for how long it is laid down.
const PEN_MAX: Duration = Duration::from_millis(10);
const PEN_PAUSE: Duration = Duration::from_millis(1);

/// The newest pages of queued transactions, by number.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pages: HashMap<PageNo, (u64, PageRef), foldhash::fast::RandomState>,
    /// How many there were after the last pruning.
    kept: usize,
}

impl Overlay {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The newest queued version of a page.
    #[inline]
    pub(crate) fn get(&self, no: PageNo) -> Option<&PageRef> {
        self.pages.get(&no).map(|(_, page)| page)
    }

    fn add(&mut self, lsn: u64, no: PageNo, page: &PageRef) {
        self.pages.insert(no, (lsn, page.clone()));
    }

    fn clear(&mut self) {
        self.pages.clear();
        self.kept = 0;
    }

    /// Lets go of pages that are committed, at times.
    fn prune(&mut self, committed: u64) {
        if self.pages.len() > 64 + 2 * self.kept {
            self.pages.retain(|_, (lsn, _)| *lsn > committed);
            self.kept = self.pages.len();
        }
    }
}

/// The newest transaction that is queued or being written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) lsn: u64,
    pub(crate) head: IndexHeader,
}

/// A transaction on its way to the log.
pub(crate) struct Queued {
    /// What the newest snapshot is after it.
    pub(crate) head: IndexHeader,
    pub(crate) geometry: Geometry,
    /// Its first frame, and the pages of its frames.
    pub(crate) first: u32,
    pub(crate) numbers: Vec<PageNo>,
    /// Its frames.
    pub(crate) bufs: Vec<WriteBuf>,
    /// Its pages; one without a version is not in memory.
    pub(crate) pages: Vec<(PageNo, Option<PageRef>)>,
    pub(crate) sync: bool,
    /// Where its owner reads.
    pub(crate) mark: Mark,
    pub(crate) ticket: Arc<Ticket>,
    /// Its snapshot; known once it is queued.
    pub(crate) lsn: u64,
}

impl Queued {
    fn bytes(&self) -> usize {
        self.bufs.iter().map(|buf| buf.len()).sum()
    }
}

/// How the owner of a queued transaction learns what became of it.
#[derive(Default)]
pub(crate) struct Ticket(Mutex<TicketState>);

#[derive(Default)]
struct TicketState {
    outcome: Option<Result<Mark>>,
    waker: Option<Waker>,
    /// Nobody waits any more.
    gone: bool,
}

impl Ticket {
    fn state(&self) -> MutexGuard<'_, TicketState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, outcome: Result<Mark>, wakers: &mut Vec<Waker>) {
        let mut ticket = self.state();
        ticket.outcome = Some(outcome);
        wakers.extend(ticket.waker.take());
    }
}

/// What became of the commits through one open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CommitCounters {
    /// Transactions that were published by groups.
    pub commits: u64,
    /// Groups: writes of the log.
    pub groups: u64,
    /// Groups that were synced.
    pub syncs: u64,
    /// The most transactions that a group had.
    pub largest: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// Transactions that failed, with their group or because of what they were built on.
    pub failed: u64,
    /// Groups by their size: of 1, of 2 and 3, of 4 to 7, …, of 256.
    pub sizes: [u64; 9],
}

/// The queue of a database, and what belongs to it; part of [`State`].
#[derive(Default)]
pub(crate) struct Group {
    /// SQLite's lock WRITE.
    pub(crate) pen: Option<ShmOwner>,
    /// When it was taken.
    pen_since_ns: u64,
    /// Somebody has the turn and has begun to write.
    pub(crate) writing: bool,
    /// Somebody leads.
    busy: bool,
    pub(crate) tip: Option<Tip>,
    queue: VecDeque<Queued>,
    batch: Vec<Queued>,
    overlay: Overlay,
    /// Who waits for a group to end.
    watchers: Vec<Waker>,
    counters: CommitCounters,
    /// The snapshots that came to nothing last, and why.
    failed: Option<(RangeInclusive<u64>, Error)>,
}

impl Group {
    /// Something is queued or being written that a writer would stand on.
    pub(crate) fn is_ahead(&self, committed: u64) -> bool {
        self.tip.is_some_and(|tip| tip.lsn > committed)
    }

    /// The file is closed; nothing is queued.
    pub(crate) fn close(&mut self) {
        let counters = self.counters;
        *self = Group {
            counters,
            ..Group::default()
        };
    }

    /// Nothing is queued or being written.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy && self.queue.is_empty()
    }

    fn queued_bytes(&self) -> usize {
        self.queue.iter().map(Queued::bytes).sum()
    }

    /// Why the snapshot `lsn`, which was built on, came to nothing.
    fn failure_of(&self, lsn: u64) -> Option<Error> {
        let (range, error) = self.failed.as_ref()?;
        range.contains(&lsn).then(|| error.clone())
    }

    /// Who can lead: the first owner that is there.
    fn heir(&self) -> Option<&Ticket> {
        let mut tickets = self.queue.iter().map(|queued| &*queued.ticket);
        tickets.find(|ticket| !ticket.state().gone)
    }
}

/// What a writer stands on that is not committed yet.
pub(crate) struct Base {
    pub(crate) tip: Tip,
    pub(crate) overlay: Overlay,
}

/// Whether a snapshot that was built on is committed.
enum Ground {
    Firm,
    Pending,
    Lost(Error),
}

/// Leads; if that ends by a panic while the log is being written, the database is poisoned (rule 6).
struct Leading<'a> {
    db: &'a Database,
    writing: bool,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        {
            let mut state = self.db.state();
            state.group.busy = false;
            if self.writing {
                state.poisoned = true;
                state.orphaned = true;
                state.fail_queue(&Error::LogPoisoned, &mut wakers);
                let pen = state.group.pen.take();
                state.stuck.extend(pen);
            } else {
                self.db.see_to_queue(&mut state, &mut wakers);
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Everything that is queued or being written comes to nothing (rule 3).
    fn fail_queue(&mut self, error: &Error, wakers: &mut Vec<Waker>) {
        let group = &mut self.group;
        for queued in group.batch.drain(..).chain(group.queue.drain(..)) {
            group.counters.failed += 1;
            queued.ticket.end(Err(error.clone()), wakers);
        }
        if let Some(tip) = group.tip.take() {
            if tip.lsn > self.lsn {
                group.failed = Some((self.lsn + 1..=tip.lsn, error.clone()));
                self.lsn = tip.lsn + 1;
            }
        }
        group.overlay.clear();
        wakers.append(&mut group.watchers);
    }

    /// What a new writer stands on, if that is not committed yet. He has the turn.
    pub(crate) fn take_base(&mut self) -> Option<Base> {
        let committed = self.lsn;
        let group = &mut self.group;
        let tip = group.tip.filter(|tip| tip.lsn > committed)?;

        let mut overlay = std::mem::take(&mut group.overlay);
        overlay.prune(committed);
        Some(Base { tip, overlay })
    }
}

impl Database {
    /// Takes SQLite's lock WRITE for this process, unless it has it.
    ///
    /// # Errors
    /// Busy; or somebody else has written since the newest snapshot was looked at.
    pub(crate) fn take_pen(&self, state: &mut State, store: &FileStore, now_ns: u64) -> Result<()> {
        if state.group.pen.is_none() {
            let mut pen = store.owner()?;
            pen.lock_exclusive(SHM_WRITE, 1)?;
            if !store.index().is_still(&state.log.words) {
                return Err(Error::BusySnapshot);
            }
            state.group.pen = Some(pen);
            state.group.pen_since_ns = now_ns;
        }
        state.group.writing = true;
        Ok(())
    }

    /// A writer ends without having queued anything: what he stood on goes back.
    pub(crate) fn end_writing(&self, state: &mut State, overlay: Overlay, wakers: &mut Vec<Waker>) {
        state.group.writing = false;
        if state.group.tip.is_some() {
            state.group.overlay = overlay;
        }
        self.see_to_queue(state, wakers);
    }

    /// Lays the pen down if nobody needs it; sees to it that somebody leads if something is queued.
    fn see_to_queue(&self, state: &mut State, wakers: &mut Vec<Waker>) {
        if !state.group.busy && !state.group.queue.is_empty() {
            match state.group.heir() {
                // Who has not begun to wait finds the log idle when he does.
                Some(heir) => wakers.extend(heir.state().waker.clone()),
                // The one who writes finds the log idle when he commits, or comes here again.
                None if state.group.writing => {}
                None => {
                    let error = Error::Misuse("a commit was given up before it was written");
                    state.fail_queue(&error, wakers);
                }
            }
        }
        self.lay_pen_down(state);
    }

    fn lay_pen_down(&self, state: &mut State) {
        if state.group.writing || !state.group.is_idle() || state.orphaned {
            return;
        }
        state.group.tip = None;
        state.group.overlay.clear();
        // What cannot be unlocked now is unlocked when the file is closed.
        state.group.pen = None;
        if let Some(store) = &self.store {
            // The first commit of a log kept everybody away.
            let lowers = !state.alone && !state.keeps_lock;
            if lowers && store.lock.level() > LockLevel::Shared {
                let _ = store.lock.unlock(LockLevel::Shared);
            }
        }
    }

    /// Lets other processes write, if there are any and the pen has been held for long (rule 8). The caller has the turn
    /// and has not begun to write.
    pub(crate) async fn pause_for_others(&self, io: &IoHandle) {
        let now = io.now_ns();
        let shared = {
            let mut state = self.state();
            let group = &mut state.group;
            let held = now.saturating_sub(group.pen_since_ns);
            if group.pen.is_none() || Duration::from_nanos(held) < PEN_MAX {
                return;
            }
            group.pen_since_ns = now;
            let pen = group.pen.as_ref();
            pen.is_some_and(ShmOwner::is_used_by_others)
        };
        if shared {
            self.drain(io).await;
            io.sleep(PEN_PAUSE).await;
        }
    }

    /// Where the next transaction's frames go: the state of the log after everything that is queued. `view` is the
    /// snapshot that the writer stands on.
    ///
    /// # Errors
    /// Why that came to nothing.
    pub(crate) fn end_of_queue(&self, view: u64) -> Result<(IndexHeader, u32)> {
        let state = self.state();
        let (lsn, head) = match state.group.tip {
            Some(tip) if tip.lsn > state.lsn => (tip.lsn, tip.head),
            _ => (state.lsn, state.log.head),
        };
        if lsn != view {
            let failed = state.group.failure_of(view);
            return Err(failed.unwrap_or(Error::BusySnapshot));
        }
        Ok((head, state.log.seq))
    }

    /// Whether the queue holds as much as it may.
    pub(crate) fn is_queue_full(&self) -> bool {
        self.state().group.queued_bytes() > QUEUE_BYTES_MAX
    }

    /// Queues a transaction that stands on `view`; its writer then gives up the turn.
    ///
    /// # Errors
    /// What it stands on came to nothing, or nothing can be written any more; the transaction has ended with the error.
    pub(crate) fn enqueue(
        &self,
        mut queued: Queued,
        view: u64,
        mut overlay: Overlay,
    ) -> Result<()> {
        let mut state = self.state();
        if state.poisoned {
            return Err(Error::LogPoisoned);
        }
        let committed = state.lsn;
        let tip = state
            .group
            .tip
            .map_or(committed, |tip| tip.lsn.max(committed));
        if tip != view {
            let failed = state.group.failure_of(view);
            return Err(failed.unwrap_or(Error::BusySnapshot));
        }
        queued.lsn = tip + 1;
        let counters = &mut state.group.counters;
        counters.bytes += queued.bytes() as u64;
        for (no, page) in &queued.pages {
            if let Some(page) = page {
                overlay.add(queued.lsn, *no, page);
            }
        }
        let group = &mut state.group;
        group.tip = Some(Tip {
            lsn: queued.lsn,
            head: queued.head,
        });
        group.overlay = overlay;
        group.writing = false;
        group.queue.push_back(queued);
        Ok(())
    }

    /// Waits until a queued transaction is committed, leading if nobody does: where its owner reads now.
    ///
    /// # Errors
    /// It has come to nothing.
    pub(crate) async fn settle(
        &self,
        io: &IoHandle,
        store: &FileStore,
        ticket: &Ticket,
    ) -> Result<Mark> {
        loop {
            let outcome = std::future::poll_fn(|cx| {
                let mut state = self.state();
                let mut mine = ticket.state();
                if let Some(outcome) = mine.outcome.take() {
                    return Poll::Ready(Some(outcome));
                }
                if !state.group.busy {
                    state.group.busy = true;
                    return Poll::Ready(None);
                }
                if !mine.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                    mine.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            });
            match outcome.await {
                Some(outcome) => return outcome,
                None => self.lead(io, store).await,
            }
        }
    }

    /// The owner of a queued transaction does not wait any more: where it reads now, if it was committed.
    pub(crate) fn abandon(&self, ticket: &Ticket) -> Option<Mark> {
        let mut wakers = Vec::new();
        {
            let mut state = self.state();
            let mut mine = ticket.state();
            if let Some(outcome) = mine.outcome.take() {
                return outcome.ok();
            }
            mine.gone = true;
            drop(mine);
            self.see_to_queue(&mut state, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        None
    }

    /// Waits until nothing is queued, leading if nobody does. The caller has the turn, so nothing is added.
    pub(crate) async fn drain(&self, io: &IoHandle) {
        let Some(store) = &self.store else { return };
        loop {
            let leads = std::future::poll_fn(|cx| {
                let mut state = self.state();
                if state.group.is_idle() {
                    return Poll::Ready(false);
                }
                if !state.group.busy {
                    state.group.busy = true;
                    return Poll::Ready(true);
                }
                state.group.watchers.push(cx.waker().clone());
                Poll::Pending
            });
            if !leads.await {
                return;
            }
            self.lead(io, store).await;
        }
    }

    /// Waits until the snapshot `view`, which a writer stands on, is committed.
    ///
    /// # Errors
    /// It has come to nothing.
    pub(crate) async fn stand_firm(&self, io: &IoHandle, view: u64) -> Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        loop {
            let ground = std::future::poll_fn(|cx| {
                let mut state = self.state();
                if let Some(error) = state.group.failure_of(view) {
                    return Poll::Ready(Ground::Lost(error));
                }
                if state.lsn >= view {
                    return Poll::Ready(Ground::Firm);
                }
                if !state.group.busy {
                    state.group.busy = true;
                    return Poll::Ready(Ground::Pending);
                }
                state.group.watchers.push(cx.waker().clone());
                Poll::Pending
            });
            match ground.await {
                Ground::Firm => return Ok(()),
                Ground::Lost(error) => return Err(error),
                Ground::Pending => self.lead(io, store).await,
            }
        }
    }

    /// What became of the commits so far, but for those that had to go alone.
    pub fn commit_counters(&self) -> CommitCounters {
        self.state().group.counters
    }

    /// Whether the snapshot `view` is committed.
    pub(crate) fn is_firm(state: &State, view: u64) -> bool {
        state.lsn >= view && state.group.failure_of(view).is_none()
    }

    /// Writes the next group. The caller has made the log busy.
    async fn lead(&self, io: &IoHandle, store: &FileStore) {
        let leading = Leading {
            db: self,
            writing: false,
        };
        if io.has_runnable() {
            // Rule 4.
            io.yield_now().await;
        }
        // Rule 6.
        io.unbroken(self.write_groups(io, store, leading)).await;
    }

    /// Writes groups until somebody else can lead.
    async fn write_groups(&self, io: &IoHandle, store: &FileStore, mut leading: Leading<'_>) {
        loop {
            let Ok(file) = store.log_of_frames() else {
                unreachable!("whoever queued has opened the log")
            };
            let (offset, bufs, sync) = self.take_group();
            leading.writing = true;
            let result = write_group(io, &file, offset, bufs, sync).await;
            leading.writing = false;
            if self.end_group(store, result, sync) {
                break;
            }
        }
        std::mem::forget(leading);
    }

    /// Moves the front of the queue to the batch: where it is written, what, and whether it is synced.
    fn take_group(&self) -> (u64, Vec<WriteBuf>, bool) {
        let mut state = self.state();
        let group = &mut state.group;
        let (mut bufs, mut bytes, mut sync) = (Vec::new(), 0, false);
        while let Some(next) = group.queue.front() {
            let more = next.bytes();
            let full = bytes + more > GROUP_BYTES_MAX || group.batch.len() == GROUP_MAX;
            if full && !group.batch.is_empty() {
                break;
            }
            let mut next = group.queue.pop_front().expect("just seen");
            bytes += more;
            sync |= next.sync;
            bufs.append(&mut next.bufs);
            group.batch.push(next);
        }
        let offset = group
            .batch
            .first()
            .map_or(0, |first| frame_offset(first.first, first.head.page_size));
        (offset, bufs, sync)
    }

    /// A group was written, or not: its owners learn of it. Whether the leader is free: somebody else leads next, if
    /// anything is queued.
    fn end_group(&self, store: &FileStore, result: Result<()>, synced: bool) -> bool {
        let mut wakers = Vec::new();
        let free = {
            let mut state = self.state();
            let result = result.and_then(|()| self.publish_group(&mut state, store, synced));
            let mut ended = Vec::new();
            match result {
                Ok(owners) => {
                    for (ticket, mark) in owners {
                        ticket.end(Ok(mark), &mut ended);
                    }
                    ended.append(&mut state.group.watchers);
                }
                Err(error) => {
                    if matches!(
                        &error,
                        Error::Io(IoError { op: IoOp::Sync, .. }) | Error::Corrupt { .. }
                    ) {
                        state.poisoned = true;
                    }
                    state.fail_queue(&error, &mut ended);
                }
            }
            let orphans = !state.group.queue.is_empty() && state.group.heir().is_none();
            if !orphans {
                state.group.busy = false;
                self.see_to_queue(&mut state, &mut wakers);
            }
            // The next leader is woken first.
            wakers.append(&mut ended);
            !orphans
        };
        wakers.into_iter().for_each(Waker::wake);
        free
    }

    /// Makes the batch the newest snapshot: the owners, and where they read now.
    fn publish_group(
        &self,
        state: &mut State,
        store: &FileStore,
        synced: bool,
    ) -> Result<Vec<(Arc<Ticket>, Mark)>> {
        let batch = std::mem::take(&mut state.group.batch);
        let Some(last) = batch.last() else {
            return Ok(Vec::new());
        };
        {
            // First the index, so that nobody who read an older version takes it for the newest, then the cache.
            let mut index = store.index_mut();
            for queued in &batch {
                let appended = index.append(queued.first - 1, queued.numbers.iter().copied());
                if let Err(error) = appended {
                    state.group.batch = batch;
                    return Err(error);
                }
            }
            index.set_last(last.head.max_frame);
        }
        // Owners move to their own snapshots, each to its own.
        let mut owners = Vec::with_capacity(batch.len());
        for queued in &batch {
            if queued.ticket.state().gone {
                continue;
            }
            let mark = Mark {
                lsn: queued.lsn,
                max_frame: queued.head.max_frame,
                generation: state.log.generation,
                ..queued.mark
            };
            state.readers.remove(queued.mark);
            state.readers.add(mark);
            owners.push((queued.ticket.clone(), mark));
        }
        let shortest = batch.iter().map(|queued| queued.head.page_count).min();
        if let Some(first) = shortest.filter(|&count| count < state.page_count) {
            if let Some(first) = PageNo::new(first + 1) {
                self.cache.truncate(first);
            }
        }
        let oldest = state.readers.oldest(last.lsn);
        self.cache.replace_many(oldest, changes(&batch).into_iter());
        let words = last.head.encode();
        store.index().write_header(&words);
        let counters = &mut state.group.counters;
        counters.commits += batch.len() as u64;
        counters.groups += 1;
        counters.syncs += u64::from(synced);
        counters.largest = counters.largest.max(batch.len() as u64);
        counters.sizes[(batch.len().ilog2() as usize).min(8)] += 1;
        state.lsn = last.lsn;
        state.page_count = last.head.page_count;
        state.geometry = last.geometry;
        state.header_is_read = true;
        state.log.head = last.head;
        state.log.words = words;
        if synced {
            state.log.synced = last.head.max_frame;
        }
        Ok(owners)
    }
}

/// What a batch changes in the cache: of each page the newest version, which takes the place of the one before the batch.
fn changes(batch: &[Queued]) -> Vec<Change<'_>> {
    fn own(queued: &Queued) -> impl Iterator<Item = Change<'_>> {
        queued.pages.iter().map(|(page, version)| Change {
            page: *page,
            from: queued.lsn,
            until: queued.lsn,
            version: version.as_ref(),
        })
    }
    let mut all: Vec<Change<'_>> = Vec::with_capacity(batch.iter().map(|q| q.pages.len()).sum());
    if let [queued] = batch {
        all.extend(own(queued));
        return all;
    }
    let mut places: HashMap<PageNo, usize, foldhash::fast::RandomState> = HashMap::default();
    for change in batch.iter().flat_map(own) {
        match places.get(&change.page) {
            Some(&at) => {
                let until = all[at].until;
                all[at] = Change { until, ..change };
            }
            None => {
                places.insert(change.page, all.len());
                all.push(change);
            }
        }
    }
    all
}

async fn write_group(
    io: &IoHandle,
    file: &File,
    offset: u64,
    bufs: Vec<WriteBuf>,
    sync: bool,
) -> Result<()> {
    if !sync {
        io.writev(file, offset, bufs, Durability::Cached).await.1?;
        return Ok(());
    }
    let result = io.write_sync(file, offset, bufs, SyncMode::Data).await.1;
    if let Err(IoError { op: IoOp::Sync, .. }) = &result {
        // Rule 9. If even that fails, the outcome is as open as the error says.
        let _ = io.write_now(file, offset, &[0; FRAME_HEADER_SIZE]);
    }
    Ok(result?)
}
