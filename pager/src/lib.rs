//! The shared page cache of Ringwood.
