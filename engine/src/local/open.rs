//! Opening: the options, and the `Env` of a connection to a page store.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_vdbe::{Db, Env};
use ringwood_wal::{Busy, Database, DbOptions, Tx};

use super::store::Store;

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
    env.interrupt = interrupt;
    env
}
