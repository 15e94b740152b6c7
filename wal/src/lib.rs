//! The transactional page store: turns a page number and a snapshot into bytes, and private pages into a commit.
//!
//! ```text
//!   Tx (one per connection)                         Database (one per file, shared)
//!    snapshot, private pages, savepoints             committed snapshot, writer's lock, page cache, log and index
//!        │ try_page: private? cached? else Miss               │
//!        └── fetch ───────────────────────────────────────────┴── log frame, or database file
//! ```
//!
//! Reading order: [`error`](Error) and [`Stop`] (how a step waits), [`Database`], [`Tx`], then what a transaction is
//! made of: private pages (`dirty`), [savepoints](SavepointId), the freelist, the pointer map, spilling, committing;
//! then the log: commits in groups (`group`), its index, recovery, checkpoints.
#![forbid(unsafe_code)]

mod error;
mod options;

mod busy;
mod database;
mod file_store;
mod footing;
mod turnstile;
mod tx;

mod dirty;
mod freelist;
mod glance;
mod group;
mod header_fields;
mod image;
mod pages;
mod pointer_map;
mod read_ahead;
mod replace;
mod rewrite;
mod room;
mod savepoint;
mod spill;

mod checkpoint;
mod commit;
mod commit_many;
mod index;
mod journal_file;
mod journal_mode;
mod log;
mod recovery;
mod rollback;
mod shared_log;

pub use busy::{Busy, BusyHandler};
pub use commit_many::commit_many;
pub use database::Database;
pub use error::{Error, Result, Stop, Try};
pub use glance::Glance;
pub use group::CommitCounters;
pub use options::{
    Allocate, AutoVacuum, CheckpointMode, CheckpointResult, DbOptions, JournalMode, Synchronous,
};
pub use ringwood_format::header::Field;
pub use savepoint::SavepointId;
pub use tx::{TreeVersion, Tx, TxState};
