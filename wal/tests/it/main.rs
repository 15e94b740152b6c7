//! The page store from outside: transactions, the freelist, the log, and what stock SQLite makes of it.

mod costs;
mod crash;
mod file;
mod groups;
mod growth;
mod journal;
mod memory;
mod stock;
mod store;
mod threads;
