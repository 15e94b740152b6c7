//! Benchmarks of Ringwood against its peers.

#[cfg(feature = "peer")]
pub mod peer;
