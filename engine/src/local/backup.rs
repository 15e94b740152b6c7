//! A database's pages as they are: a copy of the whole file, and one page for a look at it.
//!
//! A copy is made beside its target and takes the target's name when it is whole and on disk, so that at no
//! moment a file of that name is half written. A database that was there before is opened first: its locks are
//! respected, its log is recovered and gone before its file is replaced.
//!
//! Cost: each page is read once, 64 at a time, and written once; one sync.

use std::path::Path;
use std::sync::atomic::Ordering;

use ringwood_format::page::PageNo;
use ringwood_io::{OpenOptions as FileOptions, SyncMode};
use ringwood_vdbe::{Env, Error as VdbeError, ResultCode};
use ringwood_wal::{Synchronous, Tx};

use super::LocalConnection;
use super::store::open_beside;
use crate::error::{Error, Result};

/// Pages that are read together.
const TOGETHER: u32 = 64;

impl LocalConnection {
    /// Writes a copy of a database (`main`, `temp` or an attached one) to the file `to`, which is replaced.
    /// `progress` is told how many pages are done, of how many.
    ///
    /// # Errors
    /// `SQLITE_BUSY` if another process holds `to`; `SQLITE_NOTADB` if it is something else than a database;
    /// `SQLITE_INTERRUPT`; `SQLITE_IOERR`. What was at `to` is then still there.
    pub fn backup(
        &self,
        database: &str,
        to: impl AsRef<Path>,
        progress: impl FnMut(u32, u32),
    ) -> Result<()> {
        let io = self.inner.io.clone();
        io.block_on(self.backup_async(database, to.as_ref(), progress))
    }

    /// As [`backup`](Self::backup).
    pub async fn backup_async(
        &self,
        database: &str,
        to: &Path,
        progress: impl FnMut(u32, u32),
    ) -> Result<()> {
        let io = &self.inner.io;
        if io.size_of(to).is_some_and(|size| size > 0) {
            self.settle_target(to).await?;
        }
        let mut beside = to.as_os_str().to_owned();
        beside.push(format!("-backup-{:016x}", io.rand()));
        let beside = Path::new(&beside);
        let copied = self.copy_to(database, beside, progress).await;
        let placed = match copied {
            Ok(()) => io
                .rename(beside, to)
                .and_then(|()| io.sync_dir_of(to))
                .map_err(|e| Error::from_vdbe(e.into(), b"")),
            Err(e) => Err(e),
        };
        if placed.is_err() {
            // What failed is told already; a file that cannot be removed changes nothing about it.
            let _ = io.delete(beside);
        }
        placed
    }

    /// Sees to it that the database at `to` is free and whole, and has no log.
    async fn settle_target(&self, to: &Path) -> Result<()> {
        let io = &self.inner.io;
        let target = open_beside(io, to).await?;
        let mut tx = Tx::new(target.clone(), io.clone());
        let read = tx.begin_read().await;
        tx.end_read();
        drop(tx);
        let closed = target.close(io, Synchronous::default()).await;
        read.and(closed)
            .map_err(|e| Error::from_vdbe(e.into(), b""))
    }

    async fn copy_to(
        &self,
        database: &str,
        file: &Path,
        progress: impl FnMut(u32, u32),
    ) -> Result<()> {
        let mut env = self.inner.enter().await;
        let index = database_index(&env, database)?;
        let interrupt = env.interrupt.clone();
        let stop = || interrupt.swap(false, Ordering::AcqRel);
        copy_pages(&mut env.dbs[index].tx, file, stop, progress)
            .await
            .map_err(|e| Error::from_vdbe(e, b""))
    }

    /// A page's bytes, as the connection's transaction sees them; `None` if the database has no such page.
    pub fn read_page(&self, database: &str, page: u32) -> Result<Option<Vec<u8>>> {
        self.inner.io.block_on(async {
            let mut env = self.inner.enter().await;
            let index = database_index(&env, database)?;
            one_page(&mut env.dbs[index].tx, page)
                .await
                .map_err(|e| Error::from_vdbe(e, b""))
        })
    }
}

pub(super) fn database_index(env: &Env, name: &str) -> Result<usize> {
    env.dbs
        .iter()
        .position(|db| db.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| Error::from_code(ResultCode::ERROR, format!("unknown database {name}")))
}

async fn one_page(tx: &mut Tx, page: u32) -> std::result::Result<Option<Vec<u8>>, VdbeError> {
    let tx = tx.glance().await?;
    match PageNo::new(page).filter(|no| no.get() <= tx.page_count()) {
        Some(no) => Ok(Some(tx.page(no).await?.to_vec())),
        None => Ok(None),
    }
}

async fn copy_pages(
    tx: &mut Tx,
    file: &Path,
    stop: impl Fn() -> bool,
    mut progress: impl FnMut(u32, u32),
) -> std::result::Result<(), VdbeError> {
    let tx = tx.glance().await?;
    let io = tx.io().clone();
    let geometry = tx.geometry();
    let size = geometry.page_size() as usize;
    let count = tx.page_count();
    let out = io.open(file, &FileOptions::create_new())?;
    let mut block = Vec::with_capacity(size * TOGETHER as usize);
    let mut first = 1;
    while first <= count {
        if stop() {
            return Err(VdbeError::new(ResultCode::INTERRUPT, "interrupted"));
        }
        let last = count.min(first + TOGETHER - 1);
        let pages: Vec<PageNo> = (first..=last).filter_map(PageNo::new).collect();
        tx.announce(&pages);
        block.clear();
        for no in pages {
            if no == geometry.lock_byte_page() {
                block.resize(block.len() + size, 0);
            } else {
                block.extend_from_slice(&tx.page(no).await?);
            }
        }
        if first == 1 {
            settle_header(&mut block, count);
        }
        io.write_now(&out, u64::from(first - 1) * size as u64, &block)?;
        progress(last, count);
        first = last + 1;
    }
    io.sync_now(&out, SyncMode::Full)?;
    Ok(())
}

/// Makes the header's page count valid: within a log it need not be.
pub(super) fn settle_header(page1: &mut [u8], page_count: u32) {
    page1[28..32].copy_from_slice(&page_count.to_be_bytes());
    let (change_counter, valid_for) = page1[24..96].split_at_mut(68);
    valid_for.copy_from_slice(&change_counter[..4]);
}
