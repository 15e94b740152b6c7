//! Opening: the page store of a file, and the `Env` of a connection to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_vdbe::{Db, Env};
use ringwood_wal::{Database as Store, DbOptions, Tx};

use crate::error::{Error, Result};

/// How a database file is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Writes are refused, with `SQLITE_READONLY`.
    pub read_only: bool,
    /// The file is made, at the first write, if it does not exist.
    pub create: bool,
}

impl Default for OpenOptions {
    /// For reading and writing, made if absent.
    fn default() -> OpenOptions {
        OpenOptions { read_only: false, create: true }
    }
}

/// The page cache of the process.
fn pool() -> Arc<Pool> {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    POOL.get_or_init(|| Pool::new(POOL_BYTES)).clone()
}

/// What the process keeps of pages at most, unless more are pinned: 64 MiB.
const POOL_BYTES: usize = 64 << 20;

/// Opens the page store of a file, or of `:memory:` (also the empty path).
pub(crate) async fn open_store(io: &IoHandle, path: &Path, options: &OpenOptions) -> Result<Arc<Store>> {
    let store = DbOptions { read_only: options.read_only, create: options.create, ..DbOptions::default() };
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Ok(Store::memory(&pool(), store));
    }
    Store::open(io, &pool(), path, &store).await.map_err(|e| Error::from_vdbe(e.into(), b""))
}

/// The `Env` of a connection: its main database and an empty temporary one.
pub(super) fn env(io: &IoHandle, store: Arc<Store>, interrupt: Arc<AtomicBool>) -> Env {
    let mut env = Env::new(io.clone(), store.pool().clone());
    let temp = Store::memory(
        store.pool(),
        DbOptions { geometry: store.geometry(), encoding: store.options().encoding, spill: true, ..DbOptions::default() },
    );
    for (name, store) in [("main", store), ("temp", temp)] {
        env.dbs.push(Db {
            name: name.to_owned(),
            tx: Tx::new(store, io.clone()),
            schema_cookie: 0,
            generation: 0,
            file_format: 4,
        });
    }
    env.facts.random = io.rand();
    env.interrupt = interrupt;
    env
}
