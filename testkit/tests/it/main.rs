//! Integration tests of the test kit: one binary.

mod changes;
mod compat;
mod queries;
