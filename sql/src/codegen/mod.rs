//! Code generation: bound trees to opcodes. Everything here is a method of [`crate::compiler::Compiler`].
//!
//! | module | what |
//! |---|---|
//! | [`types`] | affinity, collation, whether a value can be NULL or is known |
//! | [`mod@column`] | reading a column from wherever it is |
//! | [`expr`] | values of expressions |
//! | [`condition`] | jumps on conditions |
//! | [`comparison`] | comparisons, of row values too |
//! | [`function`] | calls |
//! | [`membership`] | IN |
//! | [`subquery`] | scalar subqueries and EXISTS |
//! | [`loops`] | nested loops over FROM and WHERE |
//! | [`mod@write`] | INSERT, UPDATE, DELETE |
//! | [`trigger`] | triggers and their programs |
//! | [`ddl`] | CREATE and DROP |
//! | [`pragma`] | PRAGMA |
//! | [`transaction`] | BEGIN, COMMIT, ROLLBACK, savepoints |
//! | [`aggregate`] | aggregate functions: collecting, stepping, finishing |

pub mod aggregate;
pub mod analyze;
pub mod attach;
pub mod column;
pub mod comparison;
pub mod condition;
pub mod ddl;
pub mod expr;
pub mod function;
pub mod loops;
pub mod membership;
pub mod pragma;
pub mod select;
pub mod subquery;
pub mod transaction;
pub mod trigger;
pub mod types;
pub mod window;
pub mod write;
