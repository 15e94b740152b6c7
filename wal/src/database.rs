//! One open database: what its transactions share.

use crate::error::{Error, Result};
use crate::image::Image;
use crate::options::{AutoVacuum, DbOptions, JournalMode};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;
use ringwood_pager::Pool;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An open database, shared by its transactions; `Send` and `Sync`.
pub struct Database {
    pool: Arc<Pool>,
    options: DbOptions,
    state: Mutex<State>,
}

/// What changes.
pub(crate) struct State {
    /// What an empty database will be made with, and what a written one has.
    pub(crate) geometry: Geometry,
    pub(crate) encoding: TextEncoding,
    pub(crate) auto_vacuum: AutoVacuum,
    /// Incremented by every commit.
    pub(crate) lsn: u64,
    /// Whether a transaction is writing.
    pub(crate) writer: bool,
    /// The committed pages of a database without a file.
    pub(crate) image: Arc<Image>,
}

impl Database {
    /// A database without a file: `:memory:`, or with [`DbOptions::spill`] a temporary one.
    pub fn memory(pool: &Arc<Pool>, options: DbOptions) -> Arc<Database> {
        Arc::new(Database {
            pool: pool.clone(),
            state: Mutex::new(State {
                geometry: options.geometry,
                encoding: options.encoding,
                auto_vacuum: options.auto_vacuum,
                lsn: 0,
                writer: false,
                image: Arc::default(),
            }),
            options,
        })
    }

    /// The pool that holds the pages.
    #[inline]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// What it was opened with.
    pub fn options(&self) -> &DbOptions {
        &self.options
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Page size and reserved bytes: of the file, or as it will be made.
    pub fn geometry(&self) -> Geometry {
        self.state().geometry
    }

    /// The journal mode.
    pub fn journal_mode(&self) -> JournalMode {
        JournalMode::Memory
    }

    /// Takes the writer's lock for a transaction whose snapshot is `lsn`.
    pub(crate) fn lock_writer(&self, lsn: u64) -> Result<()> {
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        let mut state = self.state();
        if state.writer {
            return Err(Error::Busy);
        }
        if state.lsn != lsn {
            return Err(Error::BusySnapshot);
        }
        state.writer = true;
        Ok(())
    }

    pub(crate) fn unlock_writer(&self) {
        let mut state = self.state();
        assert!(state.writer, "the writer's lock is given up by its holder");
        state.writer = false;
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({:?})", self.options)
    }
}
