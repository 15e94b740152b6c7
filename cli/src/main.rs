//! The Ringwood shell.
fn main() {}
