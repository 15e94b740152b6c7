//! Ringwood's register virtual machine, sorter and functions.
