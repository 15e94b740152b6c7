//! Ringwood's register virtual machine, sorter and functions.
//!
//! In reading order: [`opcode`] (the table), [`insn`], [`program`] (builder and verifier), [`mem`] (registers),
//! [`func`] (functions and their registry), [`result_code`] and [`error`].

pub mod error;
pub mod func;
pub mod insn;
pub mod mem;
pub mod opcode;
pub mod program;
pub mod result_code;
pub mod rowset;

pub use error::{Error, Result};
pub use func::{
    Aggregate, FnContext, FnError, FunctionDef, FunctionFlags, FunctionKind, FunctionRegistry,
};
pub use insn::{Insn, P4};
pub use mem::Mem;
pub use opcode::Opcode;
pub use program::{Addr, ColumnInfo, Explain, Label, Program, ProgramBuilder};
pub use result_code::ResultCode;
