//! Integration tests of the test kit: one binary.

mod authorizer;
mod calls;
mod changes;
mod compat;
mod corruption;
mod definitions;
mod effects;
mod faults;
mod limits;
mod plans;
mod queries;
mod sim;
mod unsafe_blocks;
mod wording;
