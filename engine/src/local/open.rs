//! Opening: the page store of a file, and the `Env` of a connection to it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ringwood_io::IoHandle;
use ringwood_pager::{Pool, PoolOptions};
use ringwood_vdbe::{Db, Env};
use ringwood_wal::{Busy, Database, DbOptions, Synchronous, Tx};

use crate::error::{Error, Result};

/// How a database file is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Writes are refused, with `SQLITE_READONLY`.
    pub read_only: bool,
    /// The file is made, at the first write, if it does not exist.
    pub create: bool,
    /// The page cache; `None` is the one that the process shares.
    pub pool: Option<Arc<Pool>>,
}

impl Default for OpenOptions {
    /// For reading and writing, made if absent.
    fn default() -> OpenOptions {
        OpenOptions {
            read_only: false,
            create: true,
            pool: None,
        }
    }
}

/// The page cache of the process.
fn pool() -> Arc<Pool> {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    POOL.get_or_init(|| Pool::new(PoolOptions::default()))
        .clone()
}

/// An open page store and how many connections it has.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) db: Arc<Database>,
    connections: Arc<AtomicUsize>,
}

impl Store {
    pub(super) fn new(db: Arc<Database>) -> Store {
        Store {
            db,
            connections: Arc::default(),
        }
    }

    /// A connection begins.
    pub(super) fn join(&self) {
        self.connections.fetch_add(1, Ordering::AcqRel);
    }

    /// A connection ends; the last one checkpoints the log and gives the file up.
    pub(super) async fn close(
        &self,
        io: &IoHandle,
        synchronous: Synchronous,
    ) -> ringwood_wal::Result<()> {
        if self.connections.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        self.db.close(io, synchronous).await
    }
}

/// Opens the page store of a file, or of `:memory:` (also the empty path).
pub(crate) async fn open_store(io: &IoHandle, path: &Path, options: &OpenOptions) -> Result<Store> {
    let wanted = DbOptions {
        read_only: options.read_only,
        create: options.create,
        ..DbOptions::default()
    };
    let pool = options.pool.clone().unwrap_or_else(pool);
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Ok(Store::new(Database::memory(&pool, wanted)));
    }
    let db = Database::open(io, &pool, path, wanted).await;
    db.map(Store::new)
        .map_err(|e| Error::from_vdbe(e.into(), b""))
}

/// The `Env` of a connection: its main database and an empty temporary one.
pub(super) fn env(
    io: &IoHandle,
    store: &Store,
    interrupt: Arc<AtomicBool>,
    busy: &Rc<Busy>,
) -> Env {
    store.join();
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
    env.interrupt = interrupt;
    env
}
