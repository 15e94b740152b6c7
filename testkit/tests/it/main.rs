//! Integration tests of the test kit: one binary.

mod changes;
mod corruption;
mod definitions;
mod faults;
mod queries;
mod sim;
