//! Ring, drivers, executor, files, buffers and clock of Ringwood.
