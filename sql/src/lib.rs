//! Ringwood's SQL compiler: text to program.
//!
//! ```text
//! bytes ── lex ──> tokens ── parse ──> ast ── (resolve, plan, codegen) ──> program
//! ```
//!
//! The language is SQLite's, as of 3.54. Where its documents are silent, what stock SQLite does is the rule,
//! down to messages and error offsets.

mod alter;
pub mod ast;
pub mod authorizer;
pub mod bound;
pub mod codegen;
mod compile;
pub mod compiler;
pub mod lex;
pub mod parse;
pub mod plan;
pub mod resolve;
pub mod rewrite;
pub mod schema;

pub use compile::compile;
