//! Ringwood's table and index B-trees: cursors over the pages of a transaction.
//!
//! ```text
//!   Cursor: first last next previous seek_rowid seek_key restore read_payload      plain functions: Try
//!           try_insert_* try_delete                                                 plain functions: Try, or Slow
//!           insert_* delete                                                         async: gather, plan, apply
//!      │
//!      ├── node     a page that was entered: its header checked once
//!      ├── page     cells put on and taken off one page; pages built anew
//!      ├── balance  cells dealt out over siblings
//!      └── chain    overflow pages
//! ```
//!
//! Rules:
//! 1. A step that reads is a plain function that can be called again: see [`Cursor`]'s module.
//! 2. A step that changes has a plain twin for the common case, and an async one for all.
//! 3. What a page contains is never trusted: a malformed one answers `Corrupt`, and no walk is endless.
//! 4. After an error from a change, or a future dropped in the middle of one, the caller rolls back to a savepoint.
//!
//! Costs, in instructions, everything cached, release build with thin LTO, pages of 4096 bytes (the example `costs`
//! counts them under callgrind, its own loop included):
//!
//! | operation | instructions |
//! |-----------|--------------|
//! | a row scanned, with its payload | 110 |
//! | the next rowid sought | 240 |
//! | a random rowid sought among 300,000 | 1,450 |
//! | a random index key (two integers) sought among 300,000 | 2,750 |
//! | a row of 30 bytes appended | 800 |
//! | a row of 30 bytes inserted at a random rowid, balancing included | 6,400 |
//! | a random index key inserted, balancing included | 7,200 |
//! | a row overwritten by another of its size, with its seek | 1,600 |
//! | a random row deleted, with its seek | 2,500 |
//!
//! No allocation for each step, seek, or insert that finds room.
//!
//! Absent: transactions, the freelist and the cache (`wal`); what a record means (`format`, the VM).

mod node;
mod wait;

mod cursor;

mod page;

mod autovacuum;
mod balance;
mod chain;
mod delete;
mod insert;
mod integrity;
mod loose;
mod tree;

pub use autovacuum::{give_back_all, give_back_one};
pub use chain::Payload;
pub use cursor::{Cursor, Moved, Seek};
pub use insert::InsertHint;
pub use integrity::{IntegrityReport, IntegrityScope, integrity_check};
pub use node::DEPTH_MAX;
pub use ringwood_wal::{Error, Result, Stop, Try};
pub use tree::{TreeKind, clear_tree, create_tree, drop_tree};
