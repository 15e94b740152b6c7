//! Ringwood's SQL compiler: text to program.
