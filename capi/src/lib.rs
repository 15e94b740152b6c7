//! SQLite's C interface over Ringwood: a `libsqlite3.so.0` for programs that are linked to SQLite.
//!
//! In reading order: [`boundary`] (how a call becomes a call of Rust), [`code`], [`memory`], [`mutex`], [`connection`],
//! [`error`], [`statement`], [`bind`], [`mod@column`], [`value`], [`exec`], [`expanded`]; what an application registers:
//! [`function`], [`result`], [`collation`], [`hook`], [`trace`], [`vtab`], [`extension`], [`routines`]; whole databases: [`backup`],
//! [`blob`], [`serialize`]; the rest: [`config`], [`library`], [`printf`], [`variadic`], [`uri`], [`status`], [`metadata`],
//! [`file_control`], [`vfs`], [`session`], [`changeset`].
//!
//! **Invariant**: no panic crosses the boundary; handles that SQLite would recognize as misused are recognized.
//! **Absent**: SQL, pages, files. What a function does is the engine's business.

#![allow(unsafe_code)] // the boundary is what this crate is; each block says why it holds
#![allow(clippy::missing_safety_doc)] // what callers must hold is what SQLite documents of each function
#![allow(non_upper_case_globals)] // exported variables have SQLite's names
#![allow(clippy::not_unsafe_ptr_arg_deref)] // the same

pub mod authorizer;
pub mod backup;
pub mod bind;
pub mod blob;
pub mod boundary;
pub mod changeset;
pub mod code;
pub mod collation;
pub mod column;
pub mod config;
pub mod connection;
pub mod error;
pub mod exec;
pub mod expanded;
pub mod extension;
pub mod file_control;
pub mod function;
pub mod hook;
pub mod library;
pub mod memory;
pub mod metadata;
pub mod mutex;
pub mod printf;
pub mod result;
pub mod routines;
pub mod serialize;
pub mod session;
pub mod statement;
pub mod status;
pub mod trace;
pub mod uri;
pub mod value;
pub mod variadic;
pub mod vfs;
pub mod vtab;
