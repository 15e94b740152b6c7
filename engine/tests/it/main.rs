//! The public API from outside.

mod backup;
mod errors;
mod files;
mod folder;
mod hostile;
mod local;
mod module_protocol;
mod pool;
mod remote;
mod sharing;
mod statement_cache;
mod virtual_tables;
