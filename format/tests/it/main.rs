//! Integration tests of `ringwood-format`: one binary.
