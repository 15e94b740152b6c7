//! Committing: private pages become frames of the log, then the newest version for everybody.
//!
//! ```text
//!  private pages, by number ──► frames, chained ──► queue ──► in a group with others: write, sync, publish
//!                                        │
//!     spilled before, or the first of a file ──► alone: one vectored write, one fdatasync ──► index, cache, snapshot
//!                                                      `------ synchronous = FULL ------´   `- no waiting -´
//! ```
//!
//! Rules:
//! 1. Pages that were spilled have frames already. One that changed again gets another frame while such duplicates are
//!    few (one in sixteen); after that its frame is overwritten in place, and all checksums from there on are made
//!    again, as SQLite always does.
//! 2. A frame that no page needs any more (a savepoint was rolled back) goes to the next page that is written; one that
//!    is left over becomes a copy of page 1.
//! 3. The commit mark is on the last frame. A transaction that changed nothing writes nothing.
//! 4. The first commit of an empty file writes a header of one sector to the database file first, under a rollback journal,
//!    and syncs it: SQLite throws the log of an empty file away. What is there then is a database of one page without tables.
//! 5. A page of the freelist whose contents are meaningless is not written, unless the file is too short to have it.
//! 6. After an error, of a commit or of spilling, or if its future is dropped, the transaction can only be rolled back.
//!    After an error of a sync the database is poisoned. Writes that have begun when the future is dropped are ended
//!    first, and with them the commit: the rollback then finds nothing, in the snapshot after it.
//! 7. What a failed sync leaves in the kernel's cache may never reach the disk, and no later sync says so. A commit frame
//!    among it is wiped, so that nobody who recovers the log takes it for a commit and builds on it.
//!
//! Cost: a commit of one page, once the log has a header: one write, one fdatasync, one copy of the page.
//!
//! Source: SQLite's `sqlite3WalFrames`, `pagerWalFrames`, `walRewriteChecksums`.

use crate::busy::Busy;
use crate::database::{Database, Mark, Phase};
use crate::error::{Error, Result};
use crate::file_store::{FileStore, delete_if_there};
use crate::group::{Queued, Ticket};
use crate::header_fields::{SQLITE_VERSION_NUMBER, empty_page1};
use crate::image::Place;
use crate::index::IndexHeader;
use crate::log::{CHUNK_BYTES, LogState, LogWriter, frame_size, write_header};
use crate::options::{CheckpointMode, Synchronous};
use crate::recovery::{Recovered, install};
use crate::tx::{Pending, Tx, TxState};
use ringwood_format::header::sign_change;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::wal::{FRAME_HEADER_SIZE, frame_offset};
use ringwood_io::{
    Durability, IoError, IoHandle, IoOp, SHM_CKPT, SHM_READ0, SHM_RECOVER, SHM_WRITE, SyncMode,
    WriteBuf,
};
use ringwood_pager::PageRef;
use std::sync::Arc;

/// Bytes handed to one vectored write at most.
const WRITE_BYTES_MAX: usize = 4 * CHUNK_BYTES;
/// Bytes of the header of rule 4: a sector, which is written whole or not at all.
const SECTOR: usize = 512;

/// A private page on its way to the log.
struct Outgoing {
    /// Of its entry; `None` for what only fills a frame.
    index: Option<usize>,
    no: PageNo,
    page: PageRef,
}

impl Tx {
    /// Write → Read: makes the private pages the newest version of the database, durable as `synchronous` says. In other
    /// states nothing happens. For several databases at once there is [`commit_many`](crate::commit_many).
    ///
    /// # Errors
    /// The transaction is then still in state Write; it can only be rolled back (rule 6), but for [`Error::Busy`], which
    /// only a rollback journal knows: then nothing has changed, and the commit can be tried again.
    pub async fn commit(&mut self) -> Result<()> {
        self.prepare_commit().await?;
        self.commit_prepared().await
    }

    /// What changes pages, before any of them is written.
    pub(crate) async fn prepare_commit(&mut self) -> Result<()> {
        if self.state != TxState::Write {
            return Ok(());
        }
        let through_journal = self.has_file && !self.to_log;
        if through_journal && self.has_changes() && !self.is_signed {
            // Whoever reads the file has to see that it changed.
            self.make_writable(PageNo::ONE).await?;
        }
        if !self.is_signed && self.dirty.get_mut().find(PageNo::ONE).is_some() {
            sign_change(self.present_mut(PageNo::ONE)?, SQLITE_VERSION_NUMBER);
            self.is_signed = through_journal;
        }
        Ok(())
    }

    /// Whether a commit that was begun has come so far that it stands, whatever becomes of its future.
    pub(crate) fn is_past_recall(&self) -> bool {
        self.state != TxState::Write || self.queued.is_some() || !self.has_changes()
    }

    /// Whether there is anything to be committed.
    pub(crate) fn has_changes(&self) -> bool {
        self.dirty.borrow().len() != 0 || self.page_count != self.committed_page_count
    }

    /// The commit, after it was prepared.
    pub(crate) async fn commit_prepared(&mut self) -> Result<()> {
        if self.state != TxState::Write {
            return Ok(());
        }
        if !self.has_file {
            self.commit_to_image();
        } else if self.to_log {
            self.commit_to_log().await?;
        } else {
            self.commit_through_journal().await?;
        }
        self.end_commit().await;
        Ok(())
    }

    /// Nothing was written.
    pub(crate) fn publish_nothing(&mut self) {
        self.dirty.get_mut().take();
        self.page_count = self.committed_page_count;
    }

    /// After the commit: Write → Read.
    pub(crate) async fn end_commit(&mut self) {
        self.forget_savepoints();
        self.is_signed = false;
        self.state = TxState::Read;
        let due = self.to_log && self.is_checkpoint_due();
        self.unlock_writer();
        if due {
            // Whatever is in its way is in its way next time too, and the commit stands.
            let db = self.db.clone();
            let (mode, none) = (CheckpointMode::Passive, Busy::default());
            let _ = db.checkpoint(&self.io, mode, self.synchronous, &none).await;
        } else if !self.has_file {
            // The commit stands; what cannot leave memory stays there.
            let _ = self.relieve_image().await;
        }
    }

    /// Write → Read: forgets the private pages. In other states nothing happens.
    pub fn rollback(&mut self) {
        if self.state != TxState::Write {
            return;
        }
        self.dirty.get_mut().take();
        self.spare_frames.clear();
        self.writer = None;
        self.failure = None;
        self.is_signed = false;
        self.forget_savepoints();
        self.page_count = self.committed_page_count;
        self.state = TxState::Read;
        let ours = self.queued.take();
        let published = ours.as_ref().and_then(|ours| self.db.abandon(&ours.ticket));
        match published {
            // It was given up too late.
            Some(mark) => self.is_published(mark, ours),
            None => self.leave_ground(),
        }
        self.unlock_writer();
        self.bump_all_trees();
    }

    fn commit_to_image(&mut self) {
        let entries = self.dirty.get_mut().take();
        if entries.is_empty() {
            return;
        }
        // Ours is given up first, so that chunks which nobody else holds are changed in place.
        self.image = Arc::default();
        self.page1 = None;
        let db = self.db.clone();
        let mut state = db.state();
        let image = Arc::make_mut(&mut state.image);
        for entry in entries {
            // What was read back from a slot is of the version before.
            if self.spills {
                db.cache.invalidate(entry.no);
            }
            let slot = entry.slot.filter(|_| entry.current || entry.page.is_none());
            image.set(
                entry.no,
                Place {
                    page: entry.page,
                    slot,
                },
            );
        }
        image.truncate(self.page_count);
        state.lsn += 1;
        self.mark = state.advance(self.mark);
        self.image = state.image.clone();
        drop(state);
        self.page1 = self.image_page1();
        self.committed_page_count = self.page_count;
    }

    async fn commit_to_log(&mut self) -> Result<()> {
        if self.db.state().poisoned {
            return Err(Error::LogPoisoned);
        }
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let dirty = self.dirty.get_mut();
        let mut changed: Vec<usize> = (0..dirty.len())
            .filter(|&index| {
                let entry = &dirty.entries()[index];
                !entry.current && !entry.discarded && entry.no.get() <= self.page_count
            })
            .collect();
        changed.sort_unstable_by_key(|&index| dirty.entries()[index].no);
        let spilled = self
            .writer
            .as_ref()
            .is_some_and(|writer| !writer.pages().is_empty());
        if changed.is_empty() && !spilled {
            dirty.take();
            self.writer = None;
            self.page_count = self.committed_page_count;
            return Ok(());
        }
        if self.writer.is_some() || self.db.state().phase == Phase::Empty {
            return self.write_to_log(&changed, Some(self.page_count)).await;
        }
        let result = self.commit_in_group(&changed).await;
        if let Err(error) = &result {
            self.failure = Some(error.clone());
        }
        result
    }

    /// Commits together with others; the right to write passes on before the write.
    async fn commit_in_group(&mut self, changed: &[usize]) -> Result<()> {
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the log has a file");
        if db.is_queue_full() {
            db.drain(&self.io).await;
        }
        let mut writer = self.writer_at_end(&db, store).await?;
        let page_size = writer.wal.page_size;
        let dirty = self.dirty.get_mut();
        let frames: Vec<(PageNo, &PageRef)> = changed
            .iter()
            .map(|&index| {
                let entry = &dirty.entries()[index];
                let page = entry.page.as_ref();
                (entry.no, page.expect("nothing was spilled"))
            })
            .collect();
        // What the index has no room for must not be committed.
        store
            .index_mut()
            .reserve(writer.next() - 1 + frames.len() as u32)?;
        let per_chunk = (CHUNK_BYTES / frame_size(page_size)).max(1);
        let mut bufs: Vec<WriteBuf> = Vec::with_capacity(frames.len().div_ceil(per_chunk));
        let mut left = frames.len();
        for chunk in frames.chunks(per_chunk) {
            left -= chunk.len();
            let commit = (left == 0).then_some(self.page_count);
            let pages = chunk.iter().map(|(no, page)| (*no, &page[..]));
            bufs.push(writer.append(&self.io, pages, commit).into());
        }
        let page_count = self.page_count;
        let entries = dirty.take();
        let page1 = entries.iter().find(|entry| entry.no == PageNo::ONE);
        let page1 = page1.and_then(|entry| entry.page.clone());
        let ticket: Arc<Ticket> = Arc::default();
        let queued = Queued {
            head: self.head_after(&writer),
            geometry: self.geometry,
            first: writer.first,
            numbers: writer.pages().to_vec(),
            bufs,
            pages: entries
                .into_iter()
                .filter(|entry| !entry.discarded && entry.no.get() <= page_count)
                .map(|entry| (entry.no, entry.page))
                .collect(),
            sync: self.synchronous >= Synchronous::Full,
            mark: self.mark,
            ticket: ticket.clone(),
            lsn: 0,
        };
        let view = self.snapshot();
        db.enqueue(queued, view, std::mem::take(&mut self.overlay))?;
        self.queued = Some(Pending {
            ticket: ticket.clone(),
            page_count,
            page1,
        });
        self.turn = None;
        let settled = db.settle(&self.io, store, &ticket).await;
        let ours = self.queued.take();
        self.is_published(settled?, ours);
        Ok(())
    }

    /// The queued commit was published: this is its snapshot.
    fn is_published(&mut self, mark: Mark, ours: Option<Pending>) {
        self.mark = mark;
        self.ground = None;
        if let Some(ours) = ours {
            self.page_count = ours.page_count;
            self.page1 = ours.page1.or(self.page1.take());
        }
        self.committed_page_count = self.page_count;
    }

    /// What the log is after a writer's frames.
    fn head_after(&self, writer: &LogWriter) -> IndexHeader {
        IndexHeader {
            change: writer.change.wrapping_add(1),
            order: writer.wal.order,
            page_size: writer.wal.page_size,
            max_frame: writer.next() - 1,
            page_count: self.page_count,
            checksum: writer.checksum(),
            salt: writer.wal.salt,
        }
    }

    /// A writer behind everything that is queued.
    async fn writer_at_end(&mut self, db: &Database, store: &FileStore) -> Result<LogWriter> {
        let sync = self.synchronous != Synchronous::Off;
        let (head, seq) = db.end_of_queue(self.snapshot())?;
        if head.max_frame == 0 || self.mark.slot == 0 {
            self.open_log().await?;
            return self.writer.take().ok_or(Error::Misuse("just opened"));
        }
        let file = store.log_of_frames()?;
        if file.is_read_only() {
            return Err(Error::ReadOnly);
        }
        if sync {
            store.secure(&self.io).await?;
        }
        LogWriter::behind(file, &head, seq, self.geometry.page_size())
    }

    /// Everything after the write: nobody waits here.
    fn publish(&mut self) -> Result<()> {
        let writer = self.writer.take().expect("something was written");
        let entries = self.dirty.get_mut().take();
        self.spare_frames.clear();
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the log has a file");
        let mut state = db.state();
        let lsn = state.lsn + 1;
        let oldest = state.readers.oldest_but(self.mark, lsn);
        let head = self.head_after(&writer);
        let words = head.encode();
        {
            // First the index, so that nobody who read an older version takes it for the newest, then the cache.
            let mut index = store.index_mut();
            index.append(writer.first - 1, writer.pages().iter().copied())?;
            index.set_last(head.max_frame);
        }
        let written = entries.iter().filter(|entry| !entry.discarded);
        db.cache.replace(
            lsn,
            oldest,
            written.map(|entry| (entry.no, entry.page.as_ref())),
        );
        if self.page_count < self.committed_page_count {
            if let Some(first) = PageNo::new(self.page_count + 1) {
                db.cache.truncate(first);
            }
        }
        store.index().write_header(&words);
        state.lsn = lsn;
        state.page_count = self.page_count;
        state.geometry = self.geometry;
        state.header_is_read = true;
        state.log.head = head;
        state.log.words = words;
        if self.synchronous >= Synchronous::Full {
            state.log.synced = head.max_frame;
        }
        self.mark = state.advance(self.mark);
        drop(state);
        self.ground = None;
        if let Some(entry) = entries.into_iter().find(|entry| entry.no == PageNo::ONE) {
            self.page1 = entry.page;
        }
        self.committed_page_count = self.page_count;
        Ok(())
    }

    /// Writes private pages to the log; with `commit`, the page count, as the end of the transaction, synced as
    /// `synchronous` says, and published. On an error the private pages are what they were, but frames may hold anything:
    /// the transaction can only be rolled back.
    pub(crate) async fn write_to_log(
        &mut self,
        indexes: &[usize],
        commit: Option<u32>,
    ) -> Result<()> {
        self.open_log().await?;
        let mut writer = self.writer.take().expect("just opened");
        // If the future is dropped the writer is lost, and with it which frames are this transaction's.
        self.failure = Some(Error::Misuse("a write to the log was given up"));
        let result = match self.gather_frames(&mut writer, indexes, commit).await {
            Ok((in_place, appended)) => {
                let io = self.io.clone();
                // Rule 6.
                return io
                    .unbroken(self.land_frames(writer, in_place, appended, commit))
                    .await;
            }
            Err(error) => Err(error),
        };
        self.writer = Some(writer);
        self.failure = result.as_ref().err().cloned();
        result
    }

    /// All of a write after its pages are gathered.
    async fn land_frames(
        &mut self,
        mut writer: LogWriter,
        in_place: Vec<(u32, Outgoing)>,
        appended: Vec<Outgoing>,
        commit: Option<u32>,
    ) -> Result<()> {
        let result = self
            .write_frames(&mut writer, &in_place, &appended, commit)
            .await;
        self.writer = Some(writer);
        self.failure = result.as_ref().err().cloned();
        result?;
        if commit.is_some() {
            self.publish()?;
        }
        Ok(())
    }

    /// Which pages go over which frames, and which to the end; room for them in the index.
    async fn gather_frames(
        &mut self,
        writer: &mut LogWriter,
        indexes: &[usize],
        commit: Option<u32>,
    ) -> Result<(Vec<(u32, Outgoing)>, Vec<Outgoing>)> {
        // Frames at the end that no page needs are simply not there.
        self.spare_frames.sort_unstable();
        while self
            .spare_frames
            .last()
            .is_some_and(|&frame| frame + 1 == writer.next())
        {
            self.spare_frames.pop();
            writer.retreat(writer.next() - 1);
        }
        let mut outgoing = Vec::with_capacity(indexes.len());
        for &index in indexes {
            outgoing.push(self.outgoing(index).await?);
        }
        let (in_place, appended) = self.assign(writer, outgoing, commit.is_some()).await?;
        if commit.is_some() {
            // What the index has no room for must not be committed.
            let store = self.db.store.as_ref().expect("the log has a file");
            let last = writer.next() - 1 + appended.len() as u32;
            store.index_mut().reserve(last)?;
        }
        Ok((in_place, appended))
    }

    async fn write_frames(
        &mut self,
        writer: &mut LogWriter,
        in_place: &[(u32, Outgoing)],
        appended: &[Outgoing],
        commit: Option<u32>,
    ) -> Result<()> {
        let db = self.db.clone();
        let vigil = db.vigil();
        let mut result = self.overwrite(writer, in_place).await;
        let sync = commit.is_some() && self.synchronous >= Synchronous::Full;
        if result.is_ok() && commit.is_some() && (writer.is_broken() || appended.is_empty()) {
            result = writer
                .mend(&self.io, commit.filter(|_| appended.is_empty()))
                .await;
        }
        let first = writer.next();
        if result.is_ok() {
            result = append(&self.io, writer, appended, commit, sync).await;
        }
        if result.is_ok() && sync && appended.is_empty() {
            result = self
                .io
                .sync(&writer.file, SyncMode::Data)
                .await
                .map_err(Error::from);
        }
        vigil.over();
        if let Err(Error::Io(IoError { op: IoOp::Sync, .. })) = &result {
            db.poison();
            if commit.is_some() {
                // Rule 7, and 9 of `group`. If even that fails, the outcome is as open as the error says.
                let last = (first + appended.len() as u32).saturating_sub(1).max(1);
                let offset = frame_offset(last, self.geometry.page_size());
                let _ = self
                    .io
                    .write_now(&writer.file, offset, &[0; FRAME_HEADER_SIZE]);
            }
        }
        result?;

        let dirty = self.dirty.get_mut();
        let placed = in_place
            .iter()
            .map(|(frame, page)| (*frame, page))
            .chain((first..).zip(appended));
        for (frame, page) in placed {
            if let Some(index) = page.index {
                let entry = dirty.at(index);
                entry.frame = frame;
                entry.slot = None;
                entry.current = true;
            }
        }
        Ok(())
    }

    /// A pin of a private page, wherever it is.
    async fn outgoing(&self, index: usize) -> Result<Outgoing> {
        let (no, page) = {
            let dirty = self.dirty.borrow();
            let entry = &dirty.entries()[index];
            (entry.no, entry.page.clone())
        };
        let page = match page {
            Some(page) => page,
            None => self.page(no).await?,
        };
        Ok(Outgoing {
            index: Some(index),
            no,
            page,
        })
    }

    /// Which page goes over which frame, and which at the end (rules 1 and 2).
    async fn assign(
        &mut self,
        writer: &mut LogWriter,
        outgoing: Vec<Outgoing>,
        commits: bool,
    ) -> Result<(Vec<(u32, Outgoing)>, Vec<Outgoing>)> {
        let (mut in_place, mut appended) = (Vec::new(), Vec::with_capacity(outgoing.len()));
        let duplicates_max = (writer.next() - writer.first) / 16;
        for page in outgoing {
            let index = page.index.expect("each has an entry");
            let frame = self.dirty.get_mut().at(index).frame;
            if frame != 0 && writer.duplicates >= duplicates_max {
                in_place.push((frame, page));
            } else if frame != 0 {
                writer.duplicates += 1;
                appended.push(page);
            } else if let Some(spare) = self.spare_frames.pop() {
                in_place.push((spare, page));
            } else {
                appended.push(page);
            }
        }
        if commits && !self.spare_frames.is_empty() {
            let page = self.page(PageNo::ONE).await?;
            let fill = |frame| {
                (
                    frame,
                    Outgoing {
                        index: None,
                        no: PageNo::ONE,
                        page: page.clone(),
                    },
                )
            };
            in_place.extend(std::mem::take(&mut self.spare_frames).into_iter().map(fill));
        }
        Ok((in_place, appended))
    }

    async fn overwrite(&self, writer: &mut LogWriter, in_place: &[(u32, Outgoing)]) -> Result<()> {
        let page_size = writer.wal.page_size;
        for some in in_place.chunks(WRITE_BYTES_MAX / frame_size(page_size)) {
            let request = |(frame, out): &(u32, Outgoing)| {
                let buf = writer.overwrite(&self.io, *frame, out.no, &out.page);
                (frame_offset(*frame, page_size), buf.into())
            };
            let requests = some.iter().map(request).collect();
            self.io.write_many(&writer.file, requests).await?;
        }
        Ok(())
    }

    /// Sees to it that there is a log to append to, and a writer at its end.
    async fn open_log(&mut self) -> Result<()> {
        if self.writer.is_some() {
            return Ok(());
        }
        let db = self.db.clone();
        let store = db
            .store
            .as_ref()
            .expect("only a database with a file has a log");
        let sync = self.synchronous != Synchronous::Off;
        // Rule 7 of `group`: whoever writes by himself waits for what is queued.
        db.drain(&self.io).await;
        if db.state().phase == Phase::Wal {
            db.end_of_queue(self.snapshot())?;
        }
        let io = self.io.clone();
        let search = async {
            let vigil = db.vigil();
            let result = self.find_end_of_log(&db, store, sync).await;
            vigil.over();
            result
        };
        let result = io.unbroken(search).await;
        self.writer = Some(result?);
        Ok(())
    }

    async fn find_end_of_log(
        &mut self,
        db: &Database,
        store: &FileStore,
        sync: bool,
    ) -> Result<LogWriter> {
        if db.state().phase == Phase::Empty {
            found_database(&self.io, store, self.geometry, sync).await?;
            self.enter_new_log(db, store)?;
        }
        self.leave_slot_zero(db, store)?;
        store.open_late_log(&self.io)?;
        let file = store.log_of_frames()?;
        if file.is_read_only() {
            return Err(Error::ReadOnly);
        }
        if sync {
            store.secure(&self.io).await?;
        }
        let log = db.state().log;
        let page_size = self.geometry.page_size();
        if log.head.max_frame != 0 {
            return LogWriter::behind(file, &log.head, log.seq, page_size);
        }
        let wal = log.wal_header(&self.io, page_size);
        let checksum = write_header(&self.io, &file, &wal).await?;
        if sync {
            self.io.sync(&file, SyncMode::Data).await?;
        }
        Ok(LogWriter::new(file, wal, &log.head, checksum))
    }

    /// The first commit of a file with a log, which nobody else has seen: the file is locked exclusively.
    pub(crate) fn enter_new_log(&mut self, db: &Database, store: &FileStore) -> Result<()> {
        let alone = db.state().alone;
        store.attach(&self.io, alone)?;
        let mut owner = store.owner()?;
        owner.lock_exclusive(SHM_WRITE, SHM_RECOVER + 1)?;
        install(
            &mut store.index_mut(),
            &Recovered::default(),
            Some(&mut owner),
        )?;
        let mut state = db.state();
        let Some((head, words)) = store.index().header() else {
            return Err(Error::BusyRecovery);
        };
        state.log = LogState {
            head,
            words,
            generation: store.index().generation(),
            ..LogState::default()
        };
        state.phase = Phase::Wal;
        // Should the commit fail, the next reader finds out what there is.
        state.header_is_read = false;
        owner.unlock_exclusive(SHM_CKPT, SHM_RECOVER + 1 - SHM_CKPT)?;
        owner.lock_shared(SHM_READ0)?;
        state.group.pen = Some(owner.hand_over(SHM_WRITE));
        state.group.writing = self.state == TxState::Write;
        self.shm = Some(owner);
        self.mark = state.advance(self.mark);
        Ok(())
    }

    /// Who writes to the log reads it, and no more the database file alone; where nobody else reads the log, it starts
    /// anew before.
    fn leave_slot_zero(&mut self, db: &Database, store: &FileStore) -> Result<()> {
        if self.mark.slot != 0 {
            return Ok(());
        }
        let owner = self.shm.as_mut().ok_or(Error::Misuse("no locks"))?;
        db.restart_log(&self.io, store, owner)?;
        for _ in 0..100 {
            let moved = db.move_mark(store, owner, self.mark, false)?;
            if let Some(mark) = moved {
                self.mark = mark;
                return Ok(());
            }
            std::thread::yield_now();
        }
        Err(Error::Busy)
    }

    /// Whether a checkpoint is to follow the commit; if so, this transaction is out of its way.
    fn is_checkpoint_due(&mut self) -> bool {
        let (frames, backfilled) = self.db.log_frames();
        if self.autocheckpoint == 0 || frames < self.autocheckpoint || backfilled >= frames {
            return false;
        }
        let db = self.db.clone();
        if !db.is_checkpoint_worthwhile(frames, self.autocheckpoint) {
            return false;
        }
        if let (Some(store), Some(owner)) = (&db.store, self.shm.as_mut()) {
            // Only in the newest snapshot is there nothing else to be seen.
            if let Ok(Some(mark)) = db.move_mark(store, owner, self.mark, true) {
                self.mark = mark;
            }
        }
        true
    }
}

/// Writes frames at the end of the log, and syncs it after the last.
async fn append(
    io: &IoHandle,
    writer: &mut LogWriter,
    pages: &[Outgoing],
    commit: Option<u32>,
    sync: bool,
) -> Result<()> {
    let page_size = writer.wal.page_size;
    let per_chunk = (CHUNK_BYTES / frame_size(page_size)).max(1);
    let per_write = per_chunk * (WRITE_BYTES_MAX / CHUNK_BYTES);
    let count = pages.len();
    for (round, some) in pages.chunks(per_write).enumerate() {
        let is_last = (round + 1) * per_write >= count;
        let offset = frame_offset(writer.next(), page_size);
        let mut bufs: Vec<WriteBuf> = Vec::with_capacity(some.len().div_ceil(per_chunk));
        for (number, chunk) in some.chunks(per_chunk).enumerate() {
            let ends = is_last && (number + 1) * per_chunk >= some.len();
            let frames = chunk.iter().map(|out| (out.no, &out.page[..]));
            bufs.push(writer.append(io, frames, commit.filter(|_| ends)).into());
        }
        if is_last && sync {
            io.write_sync(&writer.file, offset, bufs, SyncMode::Data)
                .await
                .1?;
        } else {
            io.writev(&writer.file, offset, bufs, Durability::Cached)
                .await
                .1?;
        }
    }
    Ok(())
}

/// Makes an empty file a database of one page without tables (rule 4). Journals and logs of an earlier file of the same
/// name go first, or somebody would play them back.
async fn found_database(
    io: &IoHandle,
    store: &FileStore,
    geometry: Geometry,
    sync: bool,
) -> Result<()> {
    delete_if_there(io, &store.journal_path())?;
    store.delete_log(io)?;
    if sync {
        store.begin_founding(io, geometry).await?;
    }
    let mut page = vec![0; geometry.page_size() as usize];
    empty_page1(&mut page, geometry, crate::AutoVacuum::None);
    io.write(
        &store.file,
        0,
        io.arena().copy_of(&page[..SECTOR]),
        Durability::Cached,
    )
    .await
    .1?;
    if sync {
        io.sync(&store.file, SyncMode::Full).await?;
        // The deletion becomes durable with the names, before the first commit counts.
        delete_if_there(io, &store.journal_path())?;
    }
    Ok(())
}
