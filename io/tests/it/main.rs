//! Integration tests of ringwood-io: every driver through one list of tests, the executor, locks
//! against a stock sqlite3, and what each path costs in system calls.

mod cost;
mod drivers;
mod executor;
mod locks;
mod scratch;
mod stress;
