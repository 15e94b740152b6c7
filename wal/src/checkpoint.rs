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
//! | RESTART | the same | all | the next writer starts at the first frame |
//! | TRUNCATE | the same | all | the same, and the file is empty |
//!
//! Rules:
//! 1. Whoever is in the way makes the result busy; what can be copied is copied all the same.
//! 2. A frame is copied only if no snapshot in use is older, for that snapshot reads the page from the database file.
//! 3. The log is synced before the first page is written, and the database before the frames count as backfilled:
//!    whichever copy is torn by a crash, the other one is whole.
//! 4. A log of which everything is backfilled needs no reader's leave to start anew: its readers find all pages in the
//!    database file (see the index's generations).
//!
//! Cost of N pages: N/256 writes or fewer where they are adjacent, two syncs at most.
//!
//! Source: SQLite's `walCheckpoint`, `sqlite3WalClose`.

use crate::database::{Database, Phase};
use crate::error::{Error, Result};
use crate::file_store::{FileStore, delete_if_there};
use crate::log::{CHUNK_BYTES, LogState, frame_size};
use crate::options::{CheckpointMode, CheckpointResult, Synchronous};
use crate::tx::{Tx, TxState};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{FRAME_HEADER_SIZE, frame_offset};
use ringwood_io::{Buf, IoError, IoHandle, IoOp, LockLevel, SyncMode, WriteBuf};
use ringwood_pager::PageRef;

/// Bytes of pages in hand at once.
const BATCH_BYTES: usize = 4 * CHUNK_BYTES;

/// Gives the checkpointer's place, and the writer's lock where it was taken, back.
struct Place<'a> {
    db: &'a Database,
    writer: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.db.state();
        state.checkpointing = false;
        if self.writer {
            state.writer = false;
        }
    }
}

/// What is to be copied.
struct Job {
    log: LogState,
    safe: u32,
    page_count: u32,
    geometry: Geometry,
    /// The snapshot whose pages are copied, if it is the newest.
    lsn: Option<u64>,
}

impl Tx {
    /// `PRAGMA wal_checkpoint`: copies the log to the database file, as far as `mode` says.
    ///
    /// # Errors
    /// [`Error::Locked`] in a write transaction. After an error of a sync the database is poisoned.
    pub async fn checkpoint(&mut self, mode: CheckpointMode) -> Result<CheckpointResult> {
        if self.state == TxState::Write {
            return Err(Error::Locked);
        }
        let fresh = self.state == TxState::None;
        self.begin_read().await?;
        let db = self.db.clone();
        let result = db.checkpoint(&self.io, mode, self.synchronous).await;
        if fresh {
            self.end_read();
        }
        result
    }
}

impl Database {
    /// Copies the log to the database file. Without a log there is nothing to do.
    pub(crate) async fn checkpoint(
        &self,
        io: &IoHandle,
        mode: CheckpointMode,
        synchronous: Synchronous,
    ) -> Result<CheckpointResult> {
        let Some(store) = &self.store else {
            return Ok(CheckpointResult::default());
        };
        if store.read_only {
            return Err(Error::ReadOnly);
        }
        let (place, job, mut busy) = {
            let mut state = self.state();
            if state.phase != Phase::Wal {
                return Ok(CheckpointResult::default());
            }
            if state.poisoned {
                return Err(Error::LogPoisoned);
            }
            if state.checkpointing {
                return Ok(state.checkpoint_result(true));
            }
            let wants_all = mode != CheckpointMode::Passive;
            let busy = wants_all && state.writer;
            let writer = wants_all && !state.writer;
            state.writer |= writer;
            state.checkpointing = true;
            let safe = state.readers.safe_frame(&state.log);
            let lsn = (safe == state.log.max_frame).then_some(state.lsn);
            let job = Job {
                log: state.log,
                safe,
                page_count: state.page_count,
                geometry: state.geometry,
                lsn,
            };
            (Place { db: self, writer }, job, busy)
        };
        if job.safe > job.log.backfilled {
            let vigil = self.vigil();
            let result = self.copy(io, store, &job, synchronous).await;
            vigil.over();
            if let Err(Error::Io(IoError { op: IoOp::Sync, .. })) = &result {
                self.poison();
            }
            result?;
        }
        let complete = job.safe == job.log.max_frame;
        busy |= mode != CheckpointMode::Passive && !complete;
        if mode == CheckpointMode::Truncate && !busy {
            self.truncate_log(io, store).await?;
        }
        drop(place);
        Ok(self.state().checkpoint_result(busy))
    }

    async fn copy(
        &self,
        io: &IoHandle,
        store: &FileStore,
        job: &Job,
        synchronous: Synchronous,
    ) -> Result<()> {
        let log = store.log().expect("frames are in a log");
        let sync = synchronous != Synchronous::Off;
        if sync && job.log.synced < job.safe {
            io.sync(&log, SyncMode::Data).await?;
        }
        let mut pages = store.index().newest(job.log.backfilled + 1, job.safe);
        pages.retain(|(no, _)| no.get() <= job.page_count);
        let batch = (BATCH_BYTES / job.geometry.page_size() as usize).max(1);
        for some in pages.chunks(batch) {
            let sources = self.sources(io, store, job, some).await?;
            let requests = coalesce(io, job.geometry, some, &sources);
            io.write_many(&store.file, requests).await?;
        }
        if job.lsn.is_some() {
            let size = u64::from(job.page_count) * u64::from(job.geometry.page_size());
            if store.file.len()? != size {
                io.truncate(&store.file, size).await?;
            }
        }
        if sync {
            io.sync(&store.file, SyncMode::Data).await?;
        }
        let mut state = self.state();
        assert!(
            state.log.generation == job.log.generation,
            "a log starts anew only when it is backfilled"
        );
        state.log.backfilled = job.safe;
        if sync {
            state.log.synced = state.log.synced.max(job.safe);
        }
        Ok(())
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
        let log = store.log().expect("frames are in a log");
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

    async fn truncate_log(&self, io: &IoHandle, store: &FileStore) -> Result<()> {
        let Some(log) = store.log() else {
            return Ok(());
        };
        let vigil = self.vigil();
        // First nobody reads the log any more, then it goes.
        let generation = {
            let mut index = store.index_mut();
            index.restart();
            index.generation()
        };
        {
            let mut state = self.state();
            state.log.generation = generation;
            (state.log.max_frame, state.log.backfilled, state.log.synced) = (0, 0, 0);
            // The salts go on from here, although the header goes with the file's bytes.
            if let Some(header) = &mut state.log.header {
                header.page_size = 0;
            }
        }
        let result = io.truncate(&log, 0).await;
        vigil.over();
        Ok(result?)
    }

    /// Ends the use of the file: checkpoint, log deleted, locks given up. For the last connection, when no transaction is
    /// open; a later transaction looks at the file again.
    ///
    /// A poisoned database is closed without a checkpoint; its log stays, to be recovered.
    ///
    /// # Errors
    /// [`Error::Locked`] if a transaction is open. If the checkpoint fails the log stays.
    pub async fn close(&self, io: &IoHandle, synchronous: Synchronous) -> Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let (phase, poisoned) = {
            let state = self.state();
            if state.readers.is_any() || state.writer {
                return Err(Error::Locked);
            }
            (state.phase, state.poisoned)
        };
        let mut result = Ok(());
        if phase == Phase::Wal {
            let deletes = !store.read_only && !poisoned;
            if deletes {
                result = self
                    .checkpoint(io, CheckpointMode::Full, synchronous)
                    .await
                    .map(drop);
            }
            let (frames, backfilled) = self.log_frames();
            if deletes && frames == backfilled {
                store.delete_log(io)?;
                delete_if_there(io, &store.shm_path())?;
            } else {
                store.forget_log();
            }
        }
        let mut state = self.state();
        state.phase = Phase::Unknown;
        state.log = LogState::default();
        state.poisoned = false;
        state.fingerprint = [0; 24];
        state.lsn += 1;
        drop(state);
        self.cache.clear();
        store.lock.unlock(LockLevel::None)?;
        result
    }
}

impl crate::database::State {
    fn checkpoint_result(&self, busy: bool) -> CheckpointResult {
        CheckpointResult {
            busy,
            log_frames: self.log.max_frame,
            checkpointed_frames: self.log.backfilled,
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
