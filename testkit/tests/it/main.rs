//! Integration tests of the test kit: one binary.

mod changes;
mod definitions;
mod queries;
