//! Result codes and other numbers of `sqlite3.h` that the C interface itself uses.

#![allow(missing_docs)] // their names are SQLite's

use std::ffi::c_int;

pub const OK: c_int = 0;
pub const ERROR: c_int = 1;
pub const INTERNAL: c_int = 2;
pub const ABORT: c_int = 4;
pub const BUSY: c_int = 5;
pub const LOCKED: c_int = 6;
pub const NOMEM: c_int = 7;
pub const READONLY: c_int = 8;
pub const INTERRUPT: c_int = 9;
pub const NOTFOUND: c_int = 12;
pub const CANTOPEN: c_int = 14;
pub const TOOBIG: c_int = 18;
pub const CONSTRAINT: c_int = 19;
pub const MISUSE: c_int = 21;
pub const AUTH: c_int = 23;
pub const RANGE: c_int = 25;
pub const ROW: c_int = 100;
pub const DONE: c_int = 101;

/// Storage classes.
pub const INTEGER: c_int = 1;
pub const FLOAT: c_int = 2;
pub const TEXT: c_int = 3;
pub const BLOB: c_int = 4;
pub const NULL: c_int = 5;

/// Encodings.
pub const UTF8: c_int = 1;
pub const UTF16LE: c_int = 2;
pub const UTF16BE: c_int = 3;
pub const UTF16: c_int = 4;
pub const ANY: c_int = 5;
pub const UTF16_ALIGNED: c_int = 8;
pub const UTF8_ZT: c_int = 16;

/// Flags of `sqlite3_open_v2`.
pub const OPEN_READONLY: c_int = 1;
pub const OPEN_READWRITE: c_int = 2;
pub const OPEN_CREATE: c_int = 4;
pub const OPEN_URI: c_int = 0x40;
pub const OPEN_MEMORY: c_int = 0x80;
pub const OPEN_EXRESCODE: c_int = 0x0200_0000;
