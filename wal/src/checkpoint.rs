//! Checkpoints: the newest committed frames go to the database file, so that the log can start anew.
//!
//! ```text
//!  sync log ──► newest frame of each page, by page number ──► coalesced writes ──► cut to size ──► sync database
//!               from the cache, or from the log                                                        │
//!                                                                                  backfilled = safe ◄─┘
//! ```
//!
//! | mode | in the way | frames copied | afterwards |
//! |------|-----------|---------------|------------|
//! | PASSIVE | nobody | those that no reader's snapshot precedes | |
//! | FULL | a writer; a reader of an older snapshot | all | |
//! | RESTART | the same; then any reader of the log | all | the next writer starts at the first frame |
//! | TRUNCATE | the same | all | the same, and the file is empty |
//!
//! Rules:
//! 1. Who is in the way is waited for as long as the busy policy says; then the result is busy, and what can be copied
//!    is copied all the same. Another checkpointer is an error: busy.
//! 2. A frame is copied only if no read mark is older, for that reader reads the page from the database file; and only
//!    while nobody shares READ 0, who reads nothing else. New readers are never in the way: they take another mark.
//! 3. The log is synced before the first page is written, and the database before the frames count as backfilled:
//!    whichever copy is torn by a crash, the other one is whole.
//! 4. A log of which everything is backfilled starts anew with the next writer that finds nobody reading it; readers
//!    that come then read the database file alone and are not in its way.
//! 5. Where readers overlap for ever, rule 4 alone would let the log grow for ever. Beyond [`GROWTH_MAX`] times the
//!    length that makes a checkpoint due, the writer who finds it so keeps the turn to write and makes a RESTART of its
//!    own, waiting up to [`PRESSURE_MAX`] for the readers that are there: writers are slowed, readers are not.
//!
//! Cost of N pages: N/256 writes or fewer where they are adjacent, two syncs at most.
//!
//! Source: SQLite's `walCheckpoint`, `sqlite3WalClose`.

use crate::busy::{Busy, Patience};
use crate::database::{Database, Phase};
use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::index::{MARK_UNUSED, MARKS};
use crate::log::{CHUNK_BYTES, LogState, frame_size};
use crate::options::{CheckpointMode, CheckpointResult, Synchronous};
use crate::shared_log::held;
use crate::turnstile::Turn;
use crate::tx::{Tx, TxState};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{FRAME_HEADER_SIZE, frame_offset};
use ringwood_io::{
    Buf, IoError, IoHandle, IoOp, LockLevel, SHM_CKPT, SHM_READ0, SHM_WRITE, ShmOwner, SyncMode,
    WriteBuf,
};
use ringwood_pager::PageRef;
use std::time::Duration;

/// Bytes of pages in hand at once.
const BATCH_BYTES: usize = 4 * CHUNK_BYTES;
/// How much longer than `wal_autocheckpoint` the log gets before writers wait for readers (rule 5).
pub(crate) const GROWTH_MAX: u32 = 4;
/// How long a writer waits for readers then.
pub(crate) const PRESSURE_MAX: Duration = Duration::from_millis(100);

/// The checkpointer's locks. Where a panic left a write of it on its way they stay, for it may still land.
struct Place<'a> {
    db: &'a Database,
    owner: Option<ShmOwner>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.db.state();
        if state.orphaned {
            state.stuck.extend(self.owner.take());
        }
    }
}

impl Place<'_> {
    fn owner(&mut self) -> &mut ShmOwner {
        self.owner.as_mut().expect("kept until the end")
    }
}

/// What is to be copied.
struct Job {
    log: LogState,
    backfilled: u32,
    safe: u32,
    page_count: u32,
    geometry: Geometry,
    /// The snapshot whose pages are copied, if it is the newest.
    lsn: Option<u64>,
}

impl Tx {
    /// `PRAGMA wal_checkpoint`: copies the log to the database file, as far as `mode` says. Without a log there is
    /// nothing to do.
    ///
    /// # Errors
    /// [`Error::Locked`] within a transaction; [`Error::Busy`] if somebody else makes a checkpoint. After an error of a
    /// sync the database is poisoned.
    pub async fn checkpoint(&mut self, mode: CheckpointMode) -> Result<CheckpointResult> {
        if self.state != TxState::None {
            return Err(Error::Locked);
        }
        // Sees what others did, and opens what is not open.
        self.begin_read().await?;
        self.end_read();
        let (db, busy) = (self.db.clone(), self.busy.clone());
        db.checkpoint(&self.io, mode, self.synchronous, &busy).await
    }
}

impl Database {
    /// Copies the log to the database file. Without a log there is nothing to do.
    pub(crate) async fn checkpoint(
        &self,
        io: &IoHandle,
        mode: CheckpointMode,
        synchronous: Synchronous,
        busy: &Busy,
    ) -> Result<CheckpointResult> {
        let Some(store) = &self.store else {
            return Ok(CheckpointResult::default());
        };
        {
            let state = self.state();
            if state.phase != Phase::Wal {
                return Ok(CheckpointResult::default());
            }
            if store.read_only || state.private {
                return Err(Error::ReadOnly);
            }
            if state.poisoned {
                return Err(Error::LogPoisoned);
            }
        }
        let mut turn = None;
        self.checkpoint_in_turn(io, store, &mut turn, mode, synchronous, busy)
            .await
    }

    /// The same, with the turn to write, if the caller has it; if it is taken here it stays with the caller.
    async fn checkpoint_in_turn(
        &self,
        io: &IoHandle,
        store: &FileStore,
        turn: &mut Option<Turn>,
        wanted: CheckpointMode,
        synchronous: Synchronous,
        busy: &Busy,
    ) -> Result<CheckpointResult> {
        let mut place = Place {
            db: self,
            owner: Some(store.owner()?),
        };
        place.owner().lock_exclusive(SHM_CKPT, 1)?;
        let holds = wanted == CheckpointMode::Passive
            || self.hold_writers(io, &mut place, turn, busy).await?;
        let mode = if holds {
            wanted
        } else {
            CheckpointMode::Passive
        };
        let result = self
            .run_checkpoint(io, store, &mut place, mode, synchronous, busy)
            .await;
        drop(place);
        let mut result = result?;
        result.busy |= mode != wanted;
        Ok(result)
    }

    /// Whether a commit that left the log with so many frames is to try a checkpoint: while others commit at the same
    /// time only one in some, for theirs are in its way.
    pub(crate) fn is_checkpoint_worthwhile(&self, frames: u32, autocheckpoint: u32) -> bool {
        let crowded = self.turnstile.is_taken();
        let mut state = self.state();
        let crowded = crowded || !state.group.is_idle();
        let step = (autocheckpoint / 4).max(1);
        let (generation, tried) = state.tried;
        if crowded && generation == state.log.generation && frames < tried.saturating_add(step) {
            return false;
        }
        state.tried = (state.log.generation, frames);
        true
    }

    /// Makes a log that has grown too long start anew, if that can be had in a moment (rule 5). The caller has the turn
    /// to write and no snapshot.
    pub(crate) async fn press(
        &self,
        io: &IoHandle,
        turn: Turn,
        autocheckpoint: u32,
        synchronous: Synchronous,
    ) -> Turn {
        let Some(store) = &self.store else {
            return turn;
        };
        {
            let mut state = self.state();
            let frames = state.log.head.max_frame;
            let step = autocheckpoint.saturating_mul(GROWTH_MAX);
            let limit = match state.pressed {
                (generation, frames) if generation == state.log.generation => frames + step,
                _ => step,
            };
            let is_log = state.phase == Phase::Wal && !state.private && !state.poisoned;
            if step == 0 || frames < limit || !is_log {
                return turn;
            }
            state.pressed = (state.log.generation, frames);
        }
        let busy = Busy::default();
        busy.set_timeout(PRESSURE_MAX);
        let mut turn = Some(turn);
        // Whether it succeeded or not: the log is as good as before.
        let mode = CheckpointMode::Restart;
        let _ = self
            .checkpoint_in_turn(io, store, &mut turn, mode, synchronous, &busy)
            .await;
        turn.expect("only borrowed")
    }

    /// Takes the writers' turn and lock; whether they were had.
    async fn hold_writers(
        &self,
        io: &IoHandle,
        place: &mut Place<'_>,
        turn: &mut Option<Turn>,
        busy: &Busy,
    ) -> Result<bool> {
        if turn.is_none() {
            *turn = self.turnstile.take(io, busy.line_time()).await;
        }
        if turn.is_none() {
            return Ok(false);
        }
        // What is queued holds the lock.
        self.drain(io).await;
        let mut patience = Patience::default();
        while !held(place.owner().lock_exclusive(SHM_WRITE, 1))? {
            if !busy.wait(io, &mut patience).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn run_checkpoint(
        &self,
        io: &IoHandle,
        store: &FileStore,
        place: &mut Place<'_>,
        mode: CheckpointMode,
        synchronous: Synchronous,
        busy: &Busy,
    ) -> Result<CheckpointResult> {
        {
            let mut state = self.state();
            let (head, words) = store.index().header().ok_or(Error::Busy)?;
            if words != state.log.words {
                self.notice(&mut state, store, head, words)?;
            }
        }
        let passive = mode == CheckpointMode::Passive;
        let mut complete = self
            .backfill(io, store, place, passive, synchronous, busy)
            .await?;
        if complete && matches!(mode, CheckpointMode::Restart | CheckpointMode::Truncate) {
            let mut patience = Patience::default();
            loop {
                if held(place.owner().lock_exclusive(SHM_READ0 + 1, MARKS - 1))? {
                    break;
                }
                if !busy.wait(io, &mut patience).await {
                    complete = false;
                    break;
                }
            }
            if complete && mode == CheckpointMode::Truncate {
                self.start_log_anew(io, store);
                if let Some(log) = store.log() {
                    self.to_the_end(io, io.truncate(&log, 0)).await?;
                }
            }
            place.owner().unlock_exclusive(SHM_READ0 + 1, MARKS - 1)?;
        }
        let (log_frames, checkpointed_frames) = self.log_frames();
        Ok(CheckpointResult {
            busy: !passive && !complete,
            log_frames,
            checkpointed_frames,
        })
    }

    /// Copies what may be copied; whether that was all.
    async fn backfill(
        &self,
        io: &IoHandle,
        store: &FileStore,
        place: &mut Place<'_>,
        passive: bool,
        synchronous: Synchronous,
        busy: &Busy,
    ) -> Result<bool> {
        let log = self.state().log;
        let max = log.head.max_frame;
        if log.head.page_size == 0 || store.index().backfilled() >= max {
            return Ok(true);
        }
        let none = Busy::default();
        let busy = if passive { &none } else { busy };
        let mut safe = max;
        for slot in 1..MARKS {
            let mark = store.index().mark(slot);
            if safe <= mark {
                continue;
            }
            let mut patience = Patience::default();
            loop {
                if held(place.owner().lock_exclusive(SHM_READ0 + slot, 1))? {
                    let mark = if slot == 1 { safe } else { MARK_UNUSED };
                    store.index().set_mark(slot, mark);
                    place.owner().unlock_exclusive(SHM_READ0 + slot, 1)?;
                    break;
                }
                if !busy.wait(io, &mut patience).await {
                    safe = store.index().mark(slot).min(safe);
                    break;
                }
            }
        }
        let backfilled = store.index().backfilled();
        if backfilled < safe {
            let mut patience = Patience::default();
            while !held(place.owner().lock_exclusive(SHM_READ0, 1))? {
                if !busy.wait(io, &mut patience).await {
                    return Ok(false);
                }
            }
            store.index().set_backfill_attempted(safe);
            let geometry = Geometry::new(log.head.page_size, 0)
                .ok_or(Error::CantOpen("the log has an impossible page size"))?;
            let job = {
                let state = self.state();
                Job {
                    log,
                    backfilled,
                    safe,
                    page_count: log.head.page_count,
                    geometry,
                    lsn: (safe == max && state.log.words == log.words).then_some(state.lsn),
                }
            };
            self.copy(io, store, &job, synchronous).await?;
            place.owner().unlock_exclusive(SHM_READ0, 1)?;
        }
        Ok(safe == max)
    }

    async fn copy(
        &self,
        io: &IoHandle,
        store: &FileStore,
        job: &Job,
        synchronous: Synchronous,
    ) -> Result<()> {
        let log = store.log_of_frames()?;
        let sync = synchronous != Synchronous::Off;
        if sync && job.log.synced < job.safe {
            self.to_the_end(io, io.sync(&log, SyncMode::Data)).await?;
        }
        let mut pages = store.index().newest(job.backfilled + 1, job.safe)?;
        pages.retain(|(no, _)| no.get() <= job.page_count);
        let batch = (BATCH_BYTES / job.geometry.page_size() as usize).max(1);
        for some in pages.chunks(batch) {
            let sources = self.sources(io, store, job, some).await?;
            let requests = coalesce(io, job.geometry, some, &sources);
            self.to_the_end(io, io.write_many(&store.file, requests))
                .await?;
        }
        if job.safe == job.log.head.max_frame {
            let size = u64::from(job.page_count) * u64::from(job.geometry.page_size());
            if store.file.len()? != size {
                self.to_the_end(io, io.truncate(&store.file, size)).await?;
            }
        }
        if sync {
            self.to_the_end(io, io.sync(&store.file, SyncMode::Data))
                .await?;
        }
        store.index().set_backfilled(job.safe);
        if sync {
            let mut state = self.state();
            if state.log.generation == job.log.generation {
                state.log.synced = state.log.synced.max(job.safe);
            }
        }
        Ok(())
    }

    /// One step of a checkpoint, which lands even if it is given up; a failed sync poisons.
    async fn to_the_end(
        &self,
        io: &IoHandle,
        step: impl Future<Output = ringwood_io::Result<()>>,
    ) -> Result<()> {
        let landing = async {
            let vigil = self.vigil();
            let result = step.await;
            vigil.over();
            if let Err(IoError { op: IoOp::Sync, .. }) = &result {
                self.poison();
            }
            result
        };
        Ok(io.unbroken(landing).await?)
    }

    /// The bytes of pages: from the cache, else from the log, adjacent frames in one read.
    async fn sources(
        &self,
        io: &IoHandle,
        store: &FileStore,
        job: &Job,
        pages: &[(PageNo, u32)],
    ) -> Result<Vec<Source>> {
        let mut sources: Vec<Source> = Vec::with_capacity(pages.len());
        let mut missing: Vec<(u32, usize)> = Vec::new();
        for (i, &(no, frame)) in pages.iter().enumerate() {
            let cached = job.lsn.and_then(|lsn| self.cache.lookup(no, lsn));
            if cached.is_none() {
                missing.push((frame, i));
            }
            sources.push(cached.map_or(Source::None, Source::Cached));
        }
        missing.sort_unstable();
        let page_size = job.geometry.page_size();
        let runs: Vec<&[(u32, usize)]> = missing.chunk_by(|a, b| a.0 + 1 == b.0).collect();
        let request = |run: &&[(u32, usize)]| {
            (
                frame_offset(run[0].0, page_size),
                io.alloc(run.len() * frame_size(page_size)),
            )
        };
        let log = store.log_of_frames()?;
        let read = io.read_many(&log, runs.iter().map(request).collect()).await;
        for (run, (buf, got)) in runs.iter().zip(read) {
            if got? != buf.len() {
                return Err(IoError::short_read()
                    .at_offset(frame_offset(run[0].0, page_size))
                    .into());
            }
            let buf = std::rc::Rc::new(buf);
            for (k, &(_, i)) in run.iter().enumerate() {
                sources[i] =
                    Source::Log(buf.clone(), k * frame_size(page_size) + FRAME_HEADER_SIZE);
            }
        }
        Ok(sources)
    }

    /// Ends the use of the file: the last one of all processes makes a checkpoint and deletes the log; then locks are
    /// given up. For the last connection, when no transaction is open; a later transaction looks at the file again.
    ///
    /// A poisoned database is closed without a checkpoint; its log stays, to be recovered.
    ///
    /// # Errors
    /// [`Error::Locked`] if a transaction is open. If the checkpoint fails the log stays. If the future is dropped the file
    /// stays open, and can be used or closed.
    pub async fn close(&self, io: &IoHandle, synchronous: Synchronous) -> Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let (phase, poisoned, orphaned) = {
            let state = self.state();
            let idle = state.group.is_idle();
            if state.readers.is_any() || self.turnstile.is_taken() || !idle {
                return Err(Error::Locked);
            }
            let private = state.private;
            (state.phase, state.poisoned || private, state.orphaned)
        };
        let mut result = Ok(());
        if phase == Phase::Wal && !poisoned && !store.read_only {
            match store.lock.lock(LockLevel::Exclusive) {
                Ok(()) => {
                    let lowering = Lowering(self);
                    result = self.last_checkpoint(io, store, synchronous).await;
                    std::mem::forget(lowering);
                }
                // Others go on with the log.
                Err(error) if error.is_busy() => {}
                Err(error) => result = Err(error.into()),
            }
        }
        if orphaned {
            // What was given up has to land before anybody else may write.
            for _ in 0..1000 {
                if io.in_flight() == 0 {
                    break;
                }
                io.sleep(Duration::from_millis(5)).await;
            }
        }
        let mut state = self.state();
        state.stuck.clear();
        state.group.close();
        state.orphaned = false;
        state.phase = Phase::Unknown;
        state.log = LogState::default();
        state.poisoned = false;
        // A commit or an end of the log that was given up may have left these.
        state.closed = false;
        state.keeps_lock = false;
        state.private = false;
        state.header_is_read = false;
        state.alone_wanted = false;
        state.fingerprint = [0; 24];
        state.lsn += 1;
        store.detach();
        drop(state);
        self.cache.clear();
        store.lock.unlock(LockLevel::None)?;
        result
    }

    /// Nobody else has the file open.
    async fn last_checkpoint(
        &self,
        io: &IoHandle,
        store: &FileStore,
        synchronous: Synchronous,
    ) -> Result<()> {
        if store.index().header().is_none() {
            // Somebody died while writing it: the log stays, to be recovered.
            return Ok(());
        }
        let mode = CheckpointMode::Passive;
        let none = Busy::default();
        self.checkpoint(io, mode, synchronous, &none).await?;
        let (frames, backfilled) = self.log_frames();
        if frames == backfilled {
            store.delete_log(io)?;
        }
        Ok(())
    }
}

/// A close that is given up in the middle lets others in again.
struct Lowering<'a>(&'a Database);

impl Drop for Lowering<'_> {
    fn drop(&mut self) {
        let state = self.0.state();
        let lowers = !state.alone && !state.keeps_lock && !state.orphaned;
        if let Some(store) = self.0.store.as_ref().filter(|_| lowers) {
            // What cannot be weakened now is unlocked when the file is closed.
            let _ = store.lock.unlock(LockLevel::Shared);
        }
    }
}

/// Where the bytes of a page are.
enum Source {
    None,
    Cached(PageRef),
    Log(std::rc::Rc<Buf>, usize),
}

impl Source {
    fn bytes(&self, page_size: usize) -> &[u8] {
        match self {
            Source::Cached(page) => page,
            Source::Log(buf, at) => &buf[*at..*at + page_size],
            Source::None => unreachable!("each page was found"),
        }
    }
}

/// Writes for pages in order: adjacent ones in one.
fn coalesce(
    io: &IoHandle,
    geometry: Geometry,
    pages: &[(PageNo, u32)],
    sources: &[Source],
) -> Vec<(u64, WriteBuf)> {
    let page_size = geometry.page_size() as usize;
    let mut requests = Vec::new();
    let mut at = 0;
    while at < pages.len() {
        let first = pages[at].0;
        let adjacent = pages[at..]
            .iter()
            .zip(first.get()..)
            .take_while(|((no, _), n)| no.get() == *n)
            .count();
        let count = adjacent.min((CHUNK_BYTES / page_size).max(1));
        let mut buf = io.alloc(count * page_size);
        for (out, source) in buf.chunks_exact_mut(page_size).zip(&sources[at..]) {
            out.copy_from_slice(source.bytes(page_size));
        }
        requests.push((geometry.offset(first), buf.into()));
        at += count;
    }
    requests
}
