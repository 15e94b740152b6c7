//! Ringwood: a SQL storage engine for Linux, with SQLite's file format and dialect, made for io_uring.
//!
//! Two ways in:
//!
//! - [`LocalConnection`] runs on the calling thread, with no hop and no async runtime.
//! - [`Builder`] → [`Database`] → [`Connection`]: a `Send` handle for any async runtime; the work is
//!   done on Ringwood's own threads ([`Runtime`]). Names follow the crate `libsql`.
//!   [`Database::acquire`] gives out the connections of a pool.
//!
//! Values are [`Value`]s; parameters are anything that is [`IntoParams`](params::IntoParams); errors
//! carry SQLite's extended result codes ([`Error`]).

mod builder;
mod connection;
mod connection_pool;
mod core_meters;
pub mod counters;
mod error;
mod extension;
mod histogram;
pub mod local;
pub mod params;
mod queue;
pub mod recover;
mod row;
mod rows;
mod runtime;
mod session;
mod statement;
mod transaction;
mod value;

pub use builder::{Builder, Database, OpenFlags};
pub use connection::Connection;
pub use connection_pool::PooledConnection;
pub use counters::{Count, Counter, Counters, counters};
pub use error::{BoxError, Error, Result, ResultCode};
pub use extension::{SendAuthorizer, SendUpdateHook};
pub use histogram::Distribution;
pub use local::{LocalConnection, Optimizations};
pub use params::{Params, params_from_iter};
pub use ringwood_io::block_on;
pub use ringwood_vdbe::env::ChangeKind;
/// What the application is asked while a statement is prepared.
pub mod authorizer {
    pub use crate::local::AuthorizerCallback;
    pub use ringwood_sql::authorizer::{Action, ActionCode, Authorization};
}
/// Virtual tables: the traits of modules, tables and cursors, and what the planner asks them.
pub mod vtab {
    pub use ringwood_vdbe::Error as VtabError;
    pub use ringwood_vdbe::vtab::*;
}
pub use ringwood_vdbe::{Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, Mem};
pub use row::{Column, Row};
pub use rows::{BatchRows, Rows};
pub use runtime::{Runtime, RuntimeBuilder};
pub use statement::Statement;
pub use transaction::{Transaction, TransactionBehavior};
pub use value::{FromValue, Value, ValueRef, ValueType};

/// What happens in a connection's own thread.
pub use local::InterruptHandle;
