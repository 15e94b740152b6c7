//! A database as bytes, and one in memory made of bytes.
//!
//! Source: SQLite's `sqlite3_serialize`, `sqlite3_deserialize`.

use std::path::PathBuf;

use ringwood_format::page::PageNo;
use ringwood_io::OpenOptions as FileOptions;
use ringwood_vdbe::{Db, Error as VdbeError, ResultCode};
use ringwood_wal::{Database, DbOptions, Tx, TxState};

use super::LocalConnection;
use super::backup::database_index;
use super::open::OpenOptions;
use super::store::{Store, open_store};
use crate::error::{Error, Result};

fn failure(error: impl Into<VdbeError>) -> Error {
    Error::from_vdbe(error.into(), b"")
}

impl LocalConnection {
    /// All pages of a database, one after the other; none of a database that is empty.
    ///
    /// # Errors
    /// `SQLITE_ERROR` for an unknown name; what reading it fails with.
    pub fn serialize(&self, database: &str) -> Result<Vec<u8>> {
        self.inner.io.block_on(async {
            let mut env = self.inner.enter().await;
            let index = database_index(&env, database)?;
            let tx = env.dbs[index].tx.glance().await.map_err(failure)?;
            let size = tx.geometry().page_size() as usize;
            let lock_byte_page = tx.geometry().lock_byte_page();
            let mut bytes = Vec::with_capacity(size * tx.page_count() as usize);
            for no in (1..=tx.page_count()).filter_map(PageNo::new) {
                if no == lock_byte_page {
                    bytes.resize(bytes.len() + size, 0);
                } else {
                    bytes.extend_from_slice(&tx.page(no).await.map_err(failure)?);
                }
            }
            if bytes.len() >= 100 {
                let count = tx.page_count();
                super::backup::settle_header(&mut bytes, count);
            }
            Ok(bytes)
        })
    }

    /// Puts a database in memory, with these pages, in the place of one of the connection's.
    ///
    /// # Errors
    /// `SQLITE_ERROR` for an unknown name, for `temp`, and for a database that is in use; `SQLITE_NOTADB`,
    /// `SQLITE_CORRUPT` for bytes that are no database.
    pub fn deserialize(&self, database: &str, bytes: &[u8], read_only: bool) -> Result<()> {
        let io = self.inner.io.clone();
        // Through a file, which is read as any other.
        let name = format!("ringwood-deserialize-{:016x}", io.rand());
        let path = std::env::temp_dir().join(name);
        let made = self.deserialize_by(database, bytes, read_only, &path);
        if io.exists(&path) {
            // What cannot be removed is the system's to clean.
            let _ = io.delete(&path);
        }
        made
    }

    fn deserialize_by(
        &self,
        database: &str,
        bytes: &[u8],
        read_only: bool,
        path: &PathBuf,
    ) -> Result<()> {
        let io = self.inner.io.clone();
        io.block_on(async {
            let mut env = self.inner.enter().await;
            let index = database_index(&env, database)?;
            let in_use = env.dbs[index].tx.state() != TxState::None;
            if index == 1 || in_use || !env.autocommit {
                return Err(failure(VdbeError::code(ResultCode::ERROR)));
            }
            let main = env.dbs[index].tx.database().clone();
            let mut wanted = DbOptions {
                read_only,
                geometry: main.geometry(),
                encoding: env.dbs[index].tx.encoding(),
                ..DbOptions::default()
            };
            let mut source = None;
            if !bytes.is_empty() {
                let mut content = bytes.to_vec();
                if let [.., write, read] = content.get_mut(..20).unwrap_or_default() {
                    // In memory there is no log.
                    (*write, *read) = (1, 1);
                }
                let file = io.open(path, &FileOptions::create_new()).map_err(failure)?;
                io.write_now(&file, 0, &content).map_err(failure)?;
                drop(file);
                let store = open_store(&io, path, &OpenOptions::default()).await?;
                let mut tx = Tx::new(store.db.clone(), io.clone());
                tx.begin_read().await.map_err(failure)?;
                wanted.geometry = tx.geometry();
                wanted.encoding = tx.encoding();
                source = Some((store, tx));
            }
            let made = Store::private(Database::memory(main.pool(), wanted));
            if let Some((store, mut tx)) = source {
                let mut target = Tx::new(made.db.clone(), io.clone());
                target.begin_read().await.map_err(failure)?;
                target.begin_write().await.map_err(failure)?;
                target.replace_with(&tx).await.map_err(failure)?;
                target.commit().await.map_err(failure)?;
                target.end_read();
                tx.end_read();
                drop(tx);
                // It was only read.
                let _ = store.db.close(&io, ringwood_wal::Synchronous::Off).await;
            }
            made.take_seat().await;
            let mut tx = Tx::new(made.db.clone(), io.clone());
            tx.set_busy(self.inner.busy.clone());
            let name = env.dbs[index].name.clone();
            env.dbs[index] = Db {
                name,
                tx,
                schema_cookie: 0,
                generation: self.inner.next_generation(),
                file_format: 4,
            };
            let before = if index == 0 {
                self.inner.store.replace(Some(made))
            } else {
                Some(std::mem::replace(
                    &mut self.inner.attached.borrow_mut()[index - 2],
                    made,
                ))
            };
            self.inner.forget_schema();
            env.expirations += 1;
            if let Some(before) = before {
                // What cannot be written back now is recovered by the next open.
                let _ = before.close(&io, ringwood_wal::Synchronous::Full).await;
            }
            Ok(())
        })
    }
}
