//! The functions, collations and virtual tables that the shell adds to those of the library, as stock SQLite's shell does.
//!
//! | module | what |
//! |---|---|
//! | [`hash`] | `sha3(x [, bits])`, `sha3_agg` |
//! | [`decimal`] | `decimal`, `decimal_exp`, `decimal_add`, `_sub`, `_mul`, `_cmp`, `_pow2`, `_sum`; collation `decimal` |
//! | [`base64`], [`base85`] | blobs as text and back |
//! | [`ieee754`] | what a real is made of |
//! | [`regexp`] | `regexp`, `regexpi`, so the operator REGEXP |
//! | [`uint`] | collation `uint`: numbers within texts by their value |
//! | [`files`] | `readfile`, `writefile`, `lsmode`, table `fsdir` |
//!
//! Rules:
//! 1. Everything goes through the library's public interface: what is here, an application could have.
//! 2. What touches files works in statements that the user wrote, not in schemas; `-safe` leaves it out.
//!
//! Absent: `sha3_query`, `edit`, `completion` (they run statements, or programs, while one runs), `zipfile` and `sqlar`.
//!
//! Source: SQLite's `ext/misc`, `shell.c`.

mod base64;
mod base85;
mod decimal;
mod files;
mod hash;
mod ieee754;
mod regexp;
mod uint;

use ringwood::{FunctionFlags, LocalConnection, Result};

/// A function of its arguments alone, which a schema may call.
const PURE: FunctionFlags = FunctionFlags::DETERMINISTIC.union(FunctionFlags::INNOCUOUS);

/// Adds everything to a connection; `files`: also what touches files.
pub fn register(conn: &LocalConnection, files: bool) -> Result<()> {
    hash::register(conn)?;
    uint::register(conn)?;
    decimal::register(conn)?;
    base64::register(conn)?;
    base85::register(conn)?;
    regexp::register(conn)?;
    ieee754::register(conn)?;
    if files {
        files::register(conn)?;
    }
    Ok(())
}
