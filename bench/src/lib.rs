//! Benchmarks of Ringwood against its peers.

pub mod laboratory;
#[cfg(feature = "peer")]
pub mod peer;
