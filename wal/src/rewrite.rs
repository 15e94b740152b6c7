//! Giving a database file pages of another size: a transaction of its own, through the rollback journal.
//!
//! ```text
//!   every old page ─► journal (in the old size) ─► sync ─► new pages ─► file ─► sync ─► journal goes = the commit
//! ```
//!
//! Rules:
//! 1. Only in rollback modes: a log's frames all have one size.
//! 2. The journal tells the old size and length: whoever finds it hot has the old file back, and needs to know nothing of
//!    the new one.
//! 3. Afterwards nothing is known of the file: the next reader looks at it as at one that another process has changed.
//!
//! Source: SQLite's `sqlite3BtreeCopyFile`.

use crate::database::Database;
use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::header_fields::SQLITE_VERSION_NUMBER;
use crate::log::CHUNK_BYTES;
use crate::options::Synchronous;
use crate::rollback::Undo;
use crate::tx::{Tx, TxState};
use ringwood_format::header::{Field, set_versions, sign_change};
use ringwood_format::page::PageNo;
use ringwood_io::SyncMode;

impl Tx {
    /// Whether [`rewrite_with`](Self::rewrite_with) can be used: the write transaction is that of a file with a rollback
    /// journal.
    pub fn can_rewrite(&self) -> bool {
        self.state == TxState::Write && self.has_file && !self.to_log
    }

    /// Makes the file what `source` is, page by page, in the page size of `source`, and commits that. Write → Read, in the
    /// new size.
    ///
    /// # Errors
    /// `Misuse` unless [`can_rewrite`](Self::can_rewrite) says yes and nothing was changed in the transaction. After
    /// another error the file is as it was, or the journal is hot; the transaction can only be rolled back.
    ///
    /// # Suspends
    /// For readers of this process and others, to read and to write.
    pub async fn rewrite_with(&mut self, source: &Tx) -> Result<()> {
        if !self.can_rewrite() || self.has_changes() {
            return Err(Error::Misuse(
                "a file gets another page size in a transaction of its own, through a rollback journal",
            ));
        }
        let db = self.db.clone();
        let store = db.store.as_ref().expect("the database has a file");
        self.shut_readers_out(&db, store).await?;
        // What VACUUM copies from is in memory and its own, so that this waits for operations alone.
        let io = self.io.clone();
        io.unbroken(self.rewrite_and_forget(&db, store, source))
            .await?;
        self.begin_read().await
    }

    async fn rewrite_and_forget(
        &mut self,
        db: &Database,
        store: &FileStore,
        source: &Tx,
    ) -> Result<()> {
        let vigil = db.vigil();
        let mut undo = Undo::None;
        let mut result = self.rewrite(store, source, &mut undo).await;
        if result.is_ok() {
            result = self.finish_journal(store, &undo, false).await;
        }
        if result.is_err() {
            self.undo(db, store, &undo).await;
        }
        vigil.over();
        result?;
        self.publish_nothing();
        self.forget_savepoints();
        self.is_signed = false;
        self.state = TxState::Read;
        self.unlock_writer();
        self.end_read();
        {
            let mut state = db.state();
            state.closed = false;
            state.fingerprint = [0xff; 24];
        }
        db.forget_file();
        Ok(())
    }

    async fn rewrite(&mut self, store: &FileStore, source: &Tx, undo: &mut Undo) -> Result<()> {
        let lock_byte_page = self.geometry().lock_byte_page();
        let old: Vec<PageNo> = (1..=self.page_count())
            .filter_map(PageNo::new)
            .filter(|no| *no != lock_byte_page)
            .collect();
        let counter = self.header_field(Field::ChangeCounter);
        self.keep_old_pages(store, &old, None, undo).await?;

        let geometry = source.geometry();
        let size = geometry.page_size() as usize;
        let lock_byte_page = geometry.lock_byte_page();
        let count = source.page_count();
        let many = (CHUNK_BYTES / size).max(1) as u32;
        for first in (1..=count).step_by(many as usize) {
            let last = count.min(first + many - 1);
            let mut buf = self.io.alloc((last - first + 1) as usize * size);
            for (number, out) in (first..=last).zip(buf.chunks_exact_mut(size)) {
                let no = PageNo::new(number).expect("pages are counted from 1");
                if no == lock_byte_page {
                    out.fill(0);
                    continue;
                }
                let page = source.page(no).await?;
                out.copy_from_slice(&page);
                if no == PageNo::ONE {
                    set_versions(out, 1);
                    Field::PageCount.set(out, count);
                    Field::ChangeCounter.set(out, counter);
                    sign_change(out, SQLITE_VERSION_NUMBER);
                }
            }
            let at = u64::from(first - 1) * size as u64;
            self.io
                .write_many(&store.file, vec![(at, buf.into())])
                .await?;
        }
        self.io
            .truncate(&store.file, u64::from(count) * size as u64)
            .await?;
        if self.synchronous() != Synchronous::Off {
            self.io.sync(&store.file, SyncMode::Full).await?;
        }
        Ok(())
    }
}
