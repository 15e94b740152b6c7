//! The page cache that a process shares: immutable versions of pages in frames that never move.
//!
//! Reading order: [`frame`](PageRef) (a frame's life, and how a pin is taken without a lock), `page_table` (from a page
//! number to a frame), [`FileCache`] (versions of one file's pages), [`Pool`] (memory, classes, budget), `policy`
//! (who goes when room is needed), `flight` (one read for all who miss the same page).
//!
//! | cost | expected |
//! |---|---|
//! | hit | an array load, a compare, one atomic addition; another when the pin is dropped |
//! | page made, published or evicted | one lock of its class, one of the arena's |
//! | page copied on write | the same, and the copy |
//!
//! **Invariant**: bytes that were published never change; whoever holds a [`PageRef`] needs no latch.
//! **Absent**: I/O, transactions, dirty pages. Those are `wal`'s.
#![allow(unsafe_code)] // frame memory; each block says why it is sound

mod file_cache;
mod flight;
mod frame;
mod page_table;
mod policy;
mod pool;

pub use file_cache::{Change, FileCache};
pub use flight::{Boarding, Flight, FlightKey, Landing};
pub use frame::PageRef;
pub use policy::{Frames, Policy, PolicyKind};
pub use pool::{Pool, PoolCounters, PoolOptions};
