//! Ringwood's table and index B-trees.
