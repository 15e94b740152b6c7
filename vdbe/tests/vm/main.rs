//! The crate's integration tests, in one binary.

mod assembler;
mod docs;
mod golden;
mod statements;
