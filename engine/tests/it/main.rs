//! The public API from outside.

mod backup;
mod counters;
mod errors;
mod files;
mod hostile;
mod local;
mod module_protocol;
mod pool;
mod remote;
mod runtime;
mod sharing;
mod statement_cache;
mod virtual_tables;
