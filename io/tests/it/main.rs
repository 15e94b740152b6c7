//! Integration tests of ringwood-io: every driver through one list of tests, the executor, locks
//! against a stock sqlite3, and what each path costs in system calls.

mod drivers;
mod executor;
mod scratch;
