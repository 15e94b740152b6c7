//! The tests of the b-trees, in one binary.

mod corrupt;
mod model;
mod stock;
mod store;
