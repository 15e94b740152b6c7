//! Ringwood's transactional page store over SQLite's write-ahead log.
