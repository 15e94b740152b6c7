//! Integration tests of `ringwood-format`: one binary.
//!
//! Every random test is seeded, so that a failure repeats. The oracle is SQLite 3.54 through rusqlite.

mod affinity;
mod encoding;

mod header;

mod number;
mod oracle;

mod random;

mod database;
mod garbage;
mod key;
mod page;
mod record;
mod varint;
mod wal;
