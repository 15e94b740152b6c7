//! Reading ahead: the pages that a caller has announced are read together with the first of them that it misses.
//!
//! ```text
//!  announce [12 13 14 40 7] … fetch 12 ──► one trip to the kernel:  12–14 in one read, 40, 7 (frame 91 of the log)
//! ```
//!
//! Rules:
//! 1. An announcement is a hint: nothing happens until one of its pages is fetched, and an error of any other page is
//!    left for whoever wants that page.
//! 2. At most an eighth of the pool's budget is read ahead, so that what was read is still there when it is wanted.
//! 3. Each page has its flight, so two who read ahead do not read the same page twice.

use crate::error::Result;
use crate::tx::Tx;
use ringwood_format::page::PageNo;
use ringwood_format::wal::frame_page_offset;
use ringwood_io::{Buf, File, IoError, Op, OpFuture};
use ringwood_pager::{Boarding, Flight, PageRef};

/// Pages that are read ahead at most.
const AHEAD_MAX: usize = 64;

/// A page that is to be read, and where from.
struct Wanted<'a> {
    no: PageNo,
    /// Frame of the log, or 0 for the database file.
    frame: u32,
    _flight: Flight<'a>,
}

impl Tx {
    /// Says that these pages will be needed soon, in about this order. The next [`Tx::fetch`] of one of them reads all
    /// that are not in memory.
    pub fn announce(&self, pages: &[PageNo]) {
        if !self.has_file {
            return;
        }
        let frames = self.pool.budget_bytes() / self.geometry.page_size() as usize;
        let mut announced = self.announced.borrow_mut();
        announced.clear();
        announced.extend_from_slice(&pages[..pages.len().min(AHEAD_MAX).min(frames / 8)]);
    }

    /// The announcement, if `no` is part of it and others are too.
    pub(crate) fn take_announced(&self, no: PageNo) -> Option<Vec<PageNo>> {
        let mut announced = self.announced.borrow_mut();
        if announced.len() < 2 || !announced.contains(&no) {
            return None;
        }
        Some(std::mem::take(&mut *announced))
    }

    /// Reads the pages of an announcement that are not in memory and that nobody else is reading: a pin of `no`, if it
    /// was among them.
    pub(crate) async fn read_ahead(
        &self,
        no: PageNo,
        mut pages: Vec<PageNo>,
    ) -> Result<Option<PageRef>> {
        pages.sort_unstable();
        pages.dedup();
        let store = self.db.store.as_ref().expect("pages are in a file");
        let mut wanted: Vec<Wanted<'_>> = Vec::with_capacity(pages.len());
        for page in pages {
            let private = self.dirty.borrow().find(page).is_some();
            let queued = self.overlay.get(page).is_some();
            let known = private || queued || self.db.cache.lookup(page, self.mark.lsn).is_some();
            if known || page.get() > self.page_count {
                continue;
            }
            if let Boarding::Lead(flight) = self.db.cache.board((page.get(), self.mark.lsn)) {
                let frame = store.frame_of(page, &self.mark)?;
                wanted.push(Wanted {
                    no: page,
                    frame: frame.unwrap_or(0),
                    _flight: flight,
                });
            }
        }
        // Adjacent pages of the database file in one read; frames have headers between them.
        let runs: Vec<&[Wanted<'_>]> = wanted
            .chunk_by(|a, b| a.frame == 0 && b.frame == 0 && a.no.get() + 1 == b.no.get())
            .collect();
        let reads: Vec<OpFuture> = {
            let _gather = (runs.len() > 1).then(|| self.io.gather());
            runs.iter()
                .map(|run| self.start_read_of(run))
                .collect::<Result<_>>()?
        };
        let mut found = None;
        let mut failure = None;
        for (run, read) in runs.iter().zip(reads) {
            let done = read.await;
            let (Op::Readv { bufs, .. }, result) = (done.op, done.result) else {
                continue;
            };
            match result {
                Ok(got) => self.adopt_run(run, bufs, got as usize, no, &mut found)?,
                Err(error) if run.iter().any(|wanted| wanted.no == no) => failure = Some(error),
                Err(_) => {}
            }
        }
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(found),
        }
    }

    fn start_read_of(&self, run: &[Wanted<'_>]) -> Result<OpFuture> {
        let store = self.db.store.as_ref().expect("pages are in a file");
        let size = self.geometry.page_size();
        let first = &run[0];
        let (file, offset): (File, u64) = match first.frame {
            0 => (store.file.clone(), self.geometry.offset(first.no)),
            frame => (store.log_of_frames()?, frame_page_offset(frame, size)),
        };
        let bufs = run
            .iter()
            .map(|_| self.pool.buffer(size as usize))
            .collect();
        Ok(self.io.start(Op::Readv { file, offset, bufs }))
    }

    fn adopt_run(
        &self,
        run: &[Wanted<'_>],
        bufs: Vec<Buf>,
        mut got: usize,
        no: PageNo,
        found: &mut Option<PageRef>,
    ) -> Result<()> {
        for (wanted, mut buf) in run.iter().zip(bufs) {
            let here = got.min(buf.len());
            got -= here;
            if here < buf.len() {
                if wanted.frame != 0 {
                    if wanted.no == no {
                        return Err(IoError::short_read().into());
                    }
                    continue;
                }
                buf[here..].fill(0);
            }
            let page = self.install_read(wanted.no, wanted.frame, buf);
            if wanted.no == no {
                *found = Some(page);
            }
        }
        Ok(())
    }
}
