//! The tests of the b-trees, in one binary.

mod model;
mod store;
