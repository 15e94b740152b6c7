//! `Builder` and `Database`: how a database is opened for `Connection`s.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_channel::oneshot;

use crate::connection::{Connection, Link};
use crate::connection_pool::{ConnectionPool, PoolOptions};
use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::local::{LocalConnection, OpenOptions, Store};
use crate::queue;
use crate::runtime::Runtime;
use crate::session::{self, Facts};

bitflags::bitflags! {
    /// How a database file is opened.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct OpenFlags: u32 {
        /// Writes are refused.
        const SQLITE_OPEN_READ_ONLY = 1;
        /// Reads and writes.
        const SQLITE_OPEN_READ_WRITE = 2;
        /// The file is made if it does not exist.
        const SQLITE_OPEN_CREATE = 4;
    }
}

impl Default for OpenFlags {
    fn default() -> OpenFlags {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    }
}

/// Makes a [`Database`].
///
/// ```
/// # fn main() -> ringwood::Result<()> { ringwood::block_on(async {
/// let db = ringwood::Builder::new_local(":memory:").build().await?;
/// let conn = db.connect()?;
/// conn.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)", ()).await?;
/// conn.execute("INSERT INTO t(b) VALUES (?1)", ["hello"]).await?;
/// let mut rows = conn.query("SELECT a, b FROM t", ()).await?;
/// let row = rows.next().await?.unwrap();
/// assert_eq!((row.get::<i64>(0)?, row.get_str(1)?), (1, "hello"));
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    path: PathBuf,
    options: OpenOptions,
    runtime: Option<Runtime>,
    pool: PoolOptions,
}

impl Builder {
    /// A database file, or `:memory:`.
    pub fn new_local(path: impl AsRef<Path>) -> Builder {
        Builder {
            path: path.as_ref().to_owned(),
            options: OpenOptions::default(),
            runtime: None,
            pool: PoolOptions::default(),
        }
    }

    /// How the file is opened; by default for reading and writing, made if absent.
    #[must_use]
    pub fn flags(mut self, flags: OpenFlags) -> Builder {
        self.options.read_only = !flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
        self.options.create = flags.contains(OpenFlags::SQLITE_OPEN_CREATE);
        self
    }

    /// The threads that its connections live on; by default [`Runtime::global`].
    #[must_use]
    pub fn runtime(mut self, runtime: &Runtime) -> Builder {
        self.runtime = Some(runtime.clone());
        self
    }

    /// How many connections [`Database::acquire`] gives out at a time; by default there is no bound.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Builder {
        self.pool.connections_max = connections.max(1);
        self
    }

    /// How long [`Database::acquire`] waits for a connection; by default as long as it takes.
    #[must_use]
    pub fn acquire_timeout(mut self, patience: Duration) -> Builder {
        self.pool.patience = Some(patience);
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// `SQLITE_CANTOPEN` where the file cannot be opened or made; `SQLITE_BUSY` where another
    /// process holds it; `SQLITE_NOTADB` and `SQLITE_CORRUPT` for what is not a database.
    pub async fn build(self) -> Result<Database> {
        let runtime = self.runtime.unwrap_or_else(|| Runtime::global().clone());
        let core = runtime.next_core();
        let (reply, answer) = oneshot::channel();
        let (path, options) = (self.path.clone(), self.options.clone());
        core.spawn(move |io| async move {
            // The caller may have gone away.
            let _ = reply.send(crate::local::open_store(&io, &path, &options).await);
        })?;
        let store = answer.await.map_err(|_| Error::ConnectionClosed)??;
        Ok(Database {
            pool: Arc::new(ConnectionPool::new(self.pool)),
            store,
            runtime,
        })
    }
}

/// An open database file. Connections to it share its page cache with all others of this process, and are spread over
/// the cores.
#[derive(Clone)]
pub struct Database {
    store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) pool: Arc<ConnectionPool>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// A new connection, whatever the pool's bound. What can go wrong with the file is said by its first statement.
    ///
    /// # Errors
    /// The runtime was shut down.
    pub fn connect(&self) -> Result<Connection> {
        let core = self.runtime.next_core();
        let (queue, commands) = queue::bounded(session::QUEUE_MAX);
        let facts = Arc::new(Facts::default());
        let interrupt = Arc::new(AtomicBool::new(false));
        let guest = core.let_in(commands.door(), interrupt.clone())?;
        let link = Link {
            queue,
            facts: facts.clone(),
            interrupt: interrupt.clone(),
        };
        let store = self.store.clone();
        core.spawn(move |io| async move {
            store.take_seat().await;
            let conn = LocalConnection::on_store(io, store, interrupt);
            session::serve(conn, commands, facts, &guest.core.meters).await;
        })?;
        Ok(Connection {
            link: Arc::new(link),
        })
    }

    /// What was counted so far: of the process, its cores, this database and its pool.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::of_process();
        counters.add_database("main", &self.store);
        counters.add_pool(&self.pool);
        counters
    }
}
