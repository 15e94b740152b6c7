//! A backup in steps: a database is copied into another one while both are in use, some pages at a time.
//!
//! ```text
//!   source: a snapshot for each step ──► pages ──► target: one write transaction from the first step to the last
//!      └ another snapshot than at the last step: from page 1 again
//! ```
//!
//! Rules:
//! 1. Between steps nobody is kept from writing to the source. What is written there by anybody starts the copy over,
//!    within the next step; the copy that is committed is of one snapshot.
//! 2. The target is locked for writing from the first step on; its readers see what it was until the backup is done, and
//!    after one that was given up.
//! 3. A step that is given up has ended: it holds no snapshot, and the next one copies its pages again.
//! 4. A target whose pages have another size is written anew at the last step, if it is a file with a rollback journal;
//!    otherwise it is refused.
//! 5. A source without pages makes the target an empty database of one page.
//!
//! Source: SQLite's `sqlite3_backup_init`, `sqlite3_backup_step`.

use ringwood_vdbe::{Error as VdbeError, ResultCode};
use ringwood_wal::{Database, DbOptions, Error as StoreError, Field, Tx, TxState};

use super::LocalConnection;
use super::backup::database_index;
use crate::error::{Error, Result};

/// A backup under way; dropping it gives it up.
pub struct Backup {
    source: Tx,
    target: Tx,
    /// The next page to copy.
    next: u32,
    page_count: u32,
    snapshot: u64,
    cookie: u32,
    done: bool,
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup")
            .field("page_count", &self.page_count)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// A step's snapshot of the source, which ends with the step, also where that is given up.
struct Look<'a>(&'a mut Backup);

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.0.source.end_read();
    }
}

fn failure(error: impl Into<VdbeError>) -> Error {
    Error::from_vdbe(error.into(), b"")
}

impl LocalConnection {
    /// Begins a backup of a database of this connection (`main`, `temp` or an attached one) into one of `target`'s, whose
    /// contents are replaced. Nothing is copied before the first [`step`](Backup::step).
    ///
    /// # Errors
    /// `SQLITE_ERROR` for unknown names, or a database that would be copied into itself.
    pub fn backup_into(
        &self,
        database: &str,
        target: &LocalConnection,
        target_database: &str,
    ) -> Result<Backup> {
        let open = |conn: &LocalConnection, name: &str| {
            conn.inner.with_env(|env| {
                let index = database_index(env, name)?;
                let tx = &env.dbs[index].tx;
                let mut own = Tx::new(tx.database().clone(), conn.inner.io.clone());
                own.set_busy(conn.inner.busy.clone());
                own.set_synchronous(tx.synchronous());
                Ok::<_, Error>(own)
            })
        };
        let source = open(self, database)?;
        let to = open(target, target_database)?;
        if std::sync::Arc::ptr_eq(source.database(), to.database()) {
            let message = "source and destination must be distinct";
            return Err(Error::from_code(ResultCode::ERROR, message));
        }
        Ok(Backup {
            source,
            target: to,
            next: 1,
            page_count: 0,
            snapshot: 0,
            cookie: 0,
            done: false,
        })
    }
}

impl Backup {
    /// Copies up to `pages` pages, all that are left if it is negative; true once the backup is done and committed.
    ///
    /// # Errors
    /// `SQLITE_BUSY` if a lock cannot be had: the step can be made again. `SQLITE_READONLY` if the target's page size is
    /// another one and stays (rule 4). Others end the backup.
    pub fn step(&mut self, pages: i32) -> Result<bool> {
        let io = self.source.io().clone();
        io.block_on(self.step_async(pages))
    }

    /// As [`step`](Self::step).
    pub async fn step_async(&mut self, pages: i32) -> Result<bool> {
        if self.done {
            return Ok(true);
        }
        let look = Look(self);
        look.0.source.begin_read().await.map_err(failure)?;
        look.0.copy(pages).await
    }

    async fn copy(&mut self, pages: i32) -> Result<bool> {
        self.lock_target().await?;
        if self.source.snapshot() != self.snapshot {
            self.snapshot = self.source.snapshot();
            self.next = 1;
        }
        self.page_count = self.source.page_count();
        if self.page_count == 0 {
            self.empty_target().await.map_err(failure)?;
            self.done = true;
            return Ok(true);
        }
        let count = u32::try_from(pages).unwrap_or(u32::MAX);
        if self.target.geometry() != self.source.geometry() {
            self.next = self.next.saturating_add(count).min(self.page_count + 1);
            if self.next <= self.page_count {
                return Ok(false);
            }
            self.target
                .rewrite_with(&self.source)
                .await
                .map_err(failure)?;
            self.target.begin_write().await.map_err(failure)?;
        } else {
            self.next = self
                .target
                .replace_some(&self.source, self.next, count)
                .await
                .map_err(failure)?;
            if self.next <= self.page_count {
                return Ok(false);
            }
            self.target
                .end_replacing(self.page_count)
                .map_err(failure)?;
        }
        self.renew_cookie().await.map_err(failure)?;
        self.done = true;
        Ok(true)
    }

    /// Whoever knew the old schema reads the new one. Commits.
    async fn renew_cookie(&mut self) -> Result<(), StoreError> {
        let cookie = self.cookie.wrapping_add(1);
        self.target.set_header_field(Field::SchemaCookie, cookie)?;
        self.target.commit().await?;
        self.target.end_read();
        Ok(())
    }

    /// Rule 5.
    async fn empty_target(&mut self) -> Result<(), StoreError> {
        if self.target.page_count() == 0 {
            self.target.rollback();
            self.target.end_read();
            return Ok(());
        }
        let options = DbOptions {
            geometry: self.source.geometry(),
            ..DbOptions::default()
        };
        let store = Database::memory(self.target.database().pool(), options);
        let mut empty = Tx::new(store, self.source.io().clone());
        empty.begin_write().await?;
        if self.target.geometry() == empty.geometry() {
            self.target.replace_with(&empty).await?;
        } else {
            self.target.rewrite_with(&empty).await?;
            self.target.begin_write().await?;
        }
        empty.rollback();
        empty.end_read();
        self.renew_cookie().await
    }

    async fn lock_target(&mut self) -> Result<()> {
        if self.target.state() == TxState::Write {
            return Ok(());
        }
        self.target.begin_read().await.map_err(failure)?;
        let geometry = self.source.geometry();
        let fits = self.target.geometry() == geometry || self.target.set_geometry(geometry);
        self.target.end_read();
        self.target.begin_write().await.map_err(failure)?;
        if !fits && !self.target.can_rewrite() {
            self.target.rollback();
            self.target.end_read();
            return Err(failure(StoreError::ReadOnly));
        }
        self.cookie = self.target.header_field(Field::SchemaCookie);
        self.next = 1;
        Ok(())
    }

    /// Pages that are still to be copied, as of the last step.
    pub fn remaining(&self) -> u32 {
        (self.page_count + 1).saturating_sub(self.next)
    }

    /// Pages of the source, as of the last step.
    pub fn page_count(&self) -> u32 {
        self.page_count
    }
}
