//! SQLite's file format: what a byte means.
