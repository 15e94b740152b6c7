//! Integration tests of the SQL crate: one binary.

mod corpus;
mod depth;
mod differential;
mod fuzz;
mod gate;
mod golden;
mod oracle;
mod plans;
mod roundtrip;
