//! A SQL storage engine for Linux, with SQLite's file format and dialect, made for io_uring.
