//! The page store from outside: transactions, the freelist, the log, and what stock SQLite makes of it.

mod file;
mod memory;
mod store;
