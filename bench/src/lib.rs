//! Benchmarks of Ringwood against its peers.
