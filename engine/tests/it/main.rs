//! The public API from outside.

mod backup;
mod errors;
mod files;
mod hostile;
mod local;
mod module_protocol;
mod remote;
mod sharing;
mod virtual_tables;
