//! Opening: the options, and the `Env` of a connection to a page store.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_vdbe::{Db, Env, ResultCode};
pub use ringwood_wal::JournalMode;
use ringwood_wal::{Busy, Database, DbOptions, Tx};

use super::LocalConnection;
use super::store::{Store, open_store};
use super::uri::{self, Place};
use crate::error::{Error, Result};

/// How a database file is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Writes are refused, with `SQLITE_READONLY`.
    pub read_only: bool,
    /// The file is made, at the first write, if it does not exist.
    pub create: bool,
    /// The journal mode of a database that is still empty.
    pub journal_mode: JournalMode,
    /// The page cache; `None` is the one that the process shares.
    pub pool: Option<Arc<Pool>>,
}

impl Default for OpenOptions {
    /// For reading and writing, made if absent, with a write-ahead log.
    fn default() -> OpenOptions {
        OpenOptions {
            read_only: false,
            create: true,
            journal_mode: JournalMode::Wal,
            pool: None,
        }
    }
}

impl LocalConnection {
    /// Opens what a name stands for (a file, `:memory:`, the empty name, and with `is_uri` what follows `file:`), on a
    /// handle of one's own.
    ///
    /// # Errors
    /// As [`open`](LocalConnection::open); `SQLITE_ERROR` for a URI that means nothing.
    pub fn open_named(
        io: &IoHandle,
        name: &[u8],
        is_uri: bool,
        options: &OpenOptions,
    ) -> Result<LocalConnection> {
        let (place, options) = if is_uri {
            let placed = uri::place(name, options);
            placed.map_err(|message| Error::from_code(ResultCode::ERROR, message))?
        } else {
            (uri::place_of(name.to_vec()), options.clone())
        };
        let is_temporary = place == Place::Temporary;
        let path = match place {
            Place::Memory | Place::Temporary => PathBuf::new(),
            Place::File(path) => path,
        };
        let store = io.block_on(async {
            let store = open_store(io, &path, &options).await?;
            store.take_seat().await;
            Ok::<_, Error>(store)
        })?;
        let connection = LocalConnection::on_store(io.clone(), store, Arc::default());
        connection.inner.main_is_temporary.set(is_temporary);
        Ok(connection)
    }
}

/// The `Env` of a connection that has its seat: its main database and an empty temporary one.
pub(super) fn env(
    io: &IoHandle,
    store: &Store,
    interrupt: Arc<AtomicBool>,
    busy: &Rc<Busy>,
) -> Env {
    let main = store.db.clone();
    let mut env = Env::new(io.clone(), main.pool().clone());
    let temp = DbOptions {
        geometry: main.geometry(),
        encoding: main.options().encoding,
        spill: true,
        ..DbOptions::default()
    };
    let temp = Database::memory(main.pool(), temp);
    for (name, database) in [("main", main), ("temp", temp)] {
        let mut tx = Tx::new(database, io.clone());
        tx.set_busy(busy.clone());
        env.dbs.push(Db {
            name: name.to_owned(),
            tx,
            schema_cookie: 0,
            generation: 0,
            file_format: 4,
        });
    }
    env.facts.random = io.rand();
    env.facts.interrupt = interrupt.clone();
    env.interrupt = interrupt;
    env
}
