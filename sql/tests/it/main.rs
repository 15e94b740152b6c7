//! Integration tests of the SQL crate: one binary.

mod corpus;
mod differential;
mod fuzz;
mod golden;
mod oracle;
