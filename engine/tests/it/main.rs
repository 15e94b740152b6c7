//! The public API from outside.

mod errors;
mod files;
mod local;
mod remote;
