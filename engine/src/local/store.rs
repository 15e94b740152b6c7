//! Open files: all connections of the process on one file share one page store.
//!
//! ```text
//!  (device, inode, how opened, page cache) ──► Open ── Database: page cache, log and its index, line of writers
//!                                               └ seats: connections, and whether the last one is closing it
//!  LocalConnection, Connection, ATTACH ── take a seat ──┘
//! ```
//!
//! Rules:
//! 1. A file is known by device and inode, so every name of it leads to the same store, from any thread. One that is
//!    opened for reading alone, or with another page cache, is another store; file locks stand between the two, as
//!    between processes.
//! 2. The last connection to leave checkpoints the log and gives the file up. Who comes meanwhile waits until that is
//!    done, and then looks at the file anew.
//! 3. Databases in memory, and files of drivers that keep them in memory or simulate them, are in no list: a simulated
//!    machine has several processes in one.
//! 4. What an empty database will be made with (page size, encoding, journal mode) is a property of the store: the
//!    connections of a process share it until the first commit.
//!
//! A name is looked at before it is opened: closing a descriptor of a file drops the POSIX locks of everybody in this
//! process, which another SQLite library here may count on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};

use ringwood_io::{FileIdentity, IoHandle};
use ringwood_pager::{Pool, PoolOptions};
use ringwood_wal::{Database, DbOptions, Synchronous};

use super::open::OpenOptions;
use crate::error::{Error, Result};
use crate::histogram::Histogram;

/// What tells one store from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    file: FileIdentity,
    read_only: bool,
    /// Address of the pool, which the store keeps alive.
    pool: usize,
}

/// The open files.
#[derive(Default)]
struct Registry(Mutex<HashMap<Key, Weak<Open>>>);

impl Registry {
    fn global() -> &'static Registry {
        static FILES: OnceLock<Registry> = OnceLock::new();
        FILES.get_or_init(Registry::default)
    }

    fn files(&self) -> MutexGuard<'_, HashMap<Key, Weak<Open>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store of that key, if it is open.
    fn find(&self, key: &Key) -> Option<Arc<Open>> {
        self.files().get(key).and_then(Weak::upgrade)
    }

    /// Puts a store into the list, unless somebody was faster: the one that is in the list.
    fn enter(&self, key: Key, open: Arc<Open>) -> Arc<Open> {
        let mut files = self.files();
        if let Some(there) = files.get(&key).and_then(Weak::upgrade) {
            // Ours is dropped after the lock is given up, for it looks at the list then.
            drop(files);
            return there;
        }
        files.insert(key, Arc::downgrade(&open));
        open
    }

    /// A store is gone.
    fn leave(&self, key: &Key) {
        let mut files = self.files();
        if files.get(key).is_some_and(|open| open.strong_count() == 0) {
            files.remove(key);
        }
    }
}

/// A store and its connections.
struct Open {
    key: Option<Key>,
    seats: Mutex<Seats>,
    db: Arc<Database>,
    waits: Histogram,
}

#[derive(Default)]
struct Seats {
    taken: usize,
    /// The last one is closing the file.
    closing: bool,
    waiting: Vec<Waker>,
}

impl Open {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            Registry::global().leave(key);
        }
    }
}

/// Ends the closing, also if it is given up.
struct Closing<'a>(&'a Open);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut seats = self.0.seats();
            seats.closing = false;
            std::mem::take(&mut seats.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// An open page store; clones are the same one.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) db: Arc<Database>,
    open: Arc<Open>,
}

impl Store {
    /// A store that nobody else can find.
    pub(super) fn private(db: Arc<Database>) -> Store {
        Store::of(Arc::new(Open {
            key: None,
            seats: Mutex::default(),
            db,
            waits: Histogram::default(),
        }))
    }

    fn of(open: Arc<Open>) -> Store {
        Store {
            db: open.db.clone(),
            open,
        }
    }

    /// How long steps waited for pages, locks and commits, in nanoseconds.
    #[inline]
    pub(crate) fn waits(&self) -> &Histogram {
        &self.open.waits
    }

    /// How many connections there are.
    pub(crate) fn seats_taken(&self) -> usize {
        self.open.seats().taken
    }

    /// The stores of all files that this process has open.
    pub(crate) fn all() -> Vec<Store> {
        let files = Registry::global().files();
        let open: Vec<Arc<Open>> = files.values().filter_map(Weak::upgrade).collect();
        // Should one of them be gone by now, it looks at the list when it is dropped.
        drop(files);
        open.into_iter().map(Store::of).collect()
    }

    /// A connection begins; while another one closes the file it waits.
    pub(crate) async fn take_seat(&self) {
        std::future::poll_fn(|cx| {
            let mut seats = self.open.seats();
            if seats.closing {
                seats.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            seats.taken += 1;
            Poll::Ready(())
        })
        .await;
    }

    /// The same beside a connection that has a seat, so that nobody closes the file.
    pub(super) fn take_seat_beside(&self) {
        let mut seats = self.open.seats();
        debug_assert!(seats.taken > 0, "somebody has a seat");
        seats.taken += 1;
    }

    /// A connection ends; the last one checkpoints the log and gives the file up.
    pub(super) async fn close(
        &self,
        io: &IoHandle,
        synchronous: Synchronous,
    ) -> ringwood_wal::Result<()> {
        {
            let mut seats = self.open.seats();
            seats.taken -= 1;
            if seats.taken > 0 {
                return Ok(());
            }
            seats.closing = true;
        }
        let closing = Closing(&self.open);
        let closed = self.db.close(io, synchronous).await;
        drop(closing);
        closed
    }
}

/// The page cache of the process.
pub(crate) fn pool() -> Arc<Pool> {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    POOL.get_or_init(|| Pool::new(PoolOptions::default()))
        .clone()
}

fn wanted(options: &OpenOptions) -> DbOptions {
    DbOptions {
        read_only: options.read_only,
        create: options.create,
        journal_mode: options.journal_mode,
        ..DbOptions::default()
    }
}

/// Opens the page store of a file, or of `:memory:` (also the empty path). The caller takes a seat in it.
pub(crate) async fn open_store(io: &IoHandle, path: &Path, options: &OpenOptions) -> Result<Store> {
    let pool = options.pool.clone().unwrap_or_else(pool);
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Ok(Store::private(Database::memory(&pool, wanted(options))));
    }
    let key = |file| Key {
        file,
        read_only: options.read_only,
        pool: Arc::as_ptr(&pool) as usize,
    };
    let known = io.identity_of(path).map(key);
    if let Some(open) = known.and_then(|key| Registry::global().find(&key)) {
        return Ok(Store::of(open));
    }
    let db = Database::open(io, &pool, path, wanted(options))
        .await
        .map_err(|e| Error::from_vdbe(e.into(), b""))?;
    // The file may have been made just now.
    let Some(key) = io.identity_of(path).map(key) else {
        return Ok(Store::private(db));
    };
    let open = Arc::new(Open {
        key: Some(key),
        seats: Mutex::default(),
        db,
        waits: Histogram::default(),
    });
    Ok(Store::of(Registry::global().enter(key, open)))
}

/// Opens the page store of a file for one use, beside the connections that this process may have on it.
pub(super) async fn open_beside(io: &IoHandle, path: &Path) -> Result<Arc<Database>> {
    let options = OpenOptions::default();
    Database::open(io, &pool(), path, wanted(&options))
        .await
        .map_err(|e| Error::from_vdbe(e.into(), b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_store_under_all_its_names() {
        let dir = std::env::temp_dir().join(format!("ringwood-store-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let io = IoHandle::for_thread();
        let open = |name: &str, options: &OpenOptions| {
            io.block_on(open_store(&io, &dir.join(name), options))
                .expect("opens")
        };
        let options = OpenOptions::default();
        let first = open("a.db", &options);
        std::fs::hard_link(dir.join("a.db"), dir.join("b.db")).expect("a link");
        let linked = open("b.db", &options);
        assert!(Arc::ptr_eq(&first.db, &linked.db));
        let reading = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        assert!(!Arc::ptr_eq(&first.db, &open("a.db", &reading).db));
        assert!(!Arc::ptr_eq(&first.db, &open("c.db", &options).db));
        let elsewhere = std::thread::scope(|scope| {
            let dir = &dir;
            let other = scope.spawn(move || {
                let io = IoHandle::for_thread();
                let store =
                    io.block_on(open_store(&io, &dir.join("a.db"), &OpenOptions::default()));
                store.expect("opens").db
            });
            other.join().expect("ends")
        });
        assert!(Arc::ptr_eq(&first.db, &elsewhere));
        let key = first.open.key.expect("a file");
        drop((first, linked, elsewhere));
        assert!(Registry::global().find(&key).is_none());
        assert!(!Registry::global().files().contains_key(&key));
        let _ = std::fs::remove_dir_all(&dir);
    }

    #[test]
    fn who_comes_while_the_last_one_closes_waits() {
        let io = IoHandle::in_memory();
        let store = Store::private(Database::memory(&pool(), DbOptions::default()));
        io.clone().block_on(async {
            store.take_seat().await;
            store.open.seats().taken -= 1;
            store.open.seats().closing = true;
            let closing = Closing(&store.open);
            let other = store.clone();
            let waits = io.spawn(async move { other.take_seat().await });
            io.yield_now().await;
            io.yield_now().await;
            assert_eq!(store.open.seats().taken, 0);
            drop(closing);
            waits.await.expect("ends");
            assert_eq!(store.open.seats().taken, 1);
        });
    }
}
