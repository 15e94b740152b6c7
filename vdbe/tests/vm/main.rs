//! The crate's integration tests, in one binary.

mod assembler;
mod docs;
mod functions;
mod golden;
mod statements;
