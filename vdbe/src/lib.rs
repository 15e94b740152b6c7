//! Ringwood's register virtual machine, sorter and functions.
//!
//! In reading order: [`opcode`] (the table), [`insn`], [`program`] (builder and verifier), [`mem`] (registers),
//! [`func`] (functions and their registry), [`mod@env`] (what a connection lends), [`vm`] (the machine), [`listing`]
//! (EXPLAIN), [`result_code`] and [`error`].
//!
//! **Invariant**: a program that [`ProgramBuilder::finish`] has accepted does not panic, whatever file it runs on; a
//! handler that stops because a page is missing has changed nothing. **Absent**: SQL, the schema (programs carry what
//! they need), triggers.

pub mod env;
pub mod error;
pub mod func;
pub mod insn;
pub mod listing;
pub mod mem;
pub mod opcode;
pub mod program;
pub mod result_code;
pub mod rowset;
pub mod setting;
pub mod vm;
pub mod vtab;

pub use env::{Db, Env, Hooks, Limits};
pub use error::{Error, Result};
pub use func::{
    Aggregate, Facts, FnContext, FnError, FunctionDef, FunctionFlags, FunctionKind,
    FunctionRegistry,
};
pub use insn::{Insn, P4};
pub use mem::Mem;
pub use opcode::Opcode;
pub use program::{Addr, Buffers, ColumnInfo, Explain, Label, Program, ProgramBuilder, SubProgram};
pub use result_code::ResultCode;
pub use setting::Setting;
pub use vm::{Answer, Exit, Request, Vm};
pub use vtab::{Connected, Module, VirtualTables};
