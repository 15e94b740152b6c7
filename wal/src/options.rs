//! How a database is opened and how its transactions behave: the pragmas of the store.

use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;

/// What a database is opened with.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// Refuse to write.
    pub read_only: bool,
    /// Make the file if it does not exist.
    pub create: bool,
    /// Page size and reserved bytes of a database that is still empty.
    pub geometry: Geometry,
    /// Text encoding of a database that is still empty.
    pub encoding: TextEncoding,
    /// Autovacuum mode of a database that is still empty.
    pub auto_vacuum: AutoVacuum,
    /// Journal mode of a database that is still empty.
    pub journal_mode: JournalMode,
    /// Without a file: move pages that exceed the cache to a file without a name instead of keeping them in memory.
    pub spill: bool,
}

impl Default for DbOptions {
    /// Written, made if need be, 4096-byte pages, UTF-8, no autovacuum, with a log, in memory without a file.
    fn default() -> DbOptions {
        DbOptions {
            read_only: false,
            create: true,
            geometry: Geometry::default(),
            encoding: TextEncoding::Utf8,
            auto_vacuum: AutoVacuum::None,
            journal_mode: JournalMode::Wal,
            spill: false,
        }
    }
}

/// `PRAGMA auto_vacuum`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AutoVacuum {
    /// Free pages stay in the file; no pointer map.
    #[default]
    None,
    /// Free pages leave the file at every commit.
    Full,
    /// Free pages leave the file when told.
    Incremental,
}

/// `PRAGMA journal_mode`: what makes a commit whole, whatever happens meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JournalMode {
    /// A rollback journal, deleted at commit.
    Delete,
    /// A rollback journal whose header is zeroed at commit.
    Persist,
    /// No journal: a crash, or an error, in the middle of a commit destroys the file.
    Off,
    /// A rollback journal that is cut to nothing at commit.
    Truncate,
    /// A rollback journal in memory: a crash in the middle of a commit destroys the file.
    Memory,
    /// A write-ahead log.
    Wal,
}

impl JournalMode {
    /// All of them, by SQLite's numbers.
    pub const ALL: [JournalMode; 6] = [
        JournalMode::Delete,
        JournalMode::Persist,
        JournalMode::Off,
        JournalMode::Truncate,
        JournalMode::Memory,
        JournalMode::Wal,
    ];

    /// As the pragma prints it.
    pub const fn name(self) -> &'static str {
        match self {
            JournalMode::Delete => "delete",
            JournalMode::Persist => "persist",
            JournalMode::Off => "off",
            JournalMode::Truncate => "truncate",
            JournalMode::Memory => "memory",
            JournalMode::Wal => "wal",
        }
    }
}

/// `PRAGMA synchronous`: what is synced when. With a log:
///
/// | level | at a commit | at a checkpoint, at the log's start |
/// |-------|-------------|-------------------------------------|
/// | OFF | nothing | nothing |
/// | NORMAL | nothing: a commit may be lost, none is torn | log and database |
/// | FULL, EXTRA | the log | log and database |
///
/// With a rollback journal: see `rollback`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Synchronous {
    /// Nothing is synced.
    Off,
    /// Checkpoints are synced.
    Normal,
    /// Commits too.
    #[default]
    Full,
    /// The same as FULL, but for rollback journals.
    Extra,
}

/// `PRAGMA wal_checkpoint`: how far it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckpointMode {
    /// What can be copied without waiting for anybody.
    Passive,
    /// All of the log; busy if somebody writes or reads older snapshots.
    Full,
    /// As FULL, and the next writer starts at the log's beginning.
    Restart,
    /// As RESTART, and the log's file is cut to nothing.
    Truncate,
}

/// What a checkpoint did: the result row of `PRAGMA wal_checkpoint`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CheckpointResult {
    /// Somebody was in the way, and less was done than the mode asks for.
    pub busy: bool,
    /// Frames in the log.
    pub log_frames: u32,
    /// Frames of the log that are in the database now.
    pub checkpointed_frames: u32,
}

/// Where [`Tx::allocate`](crate::Tx::allocate) takes a page from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allocate {
    /// Any free page, near the given one if there is a choice; else the file grows.
    Any,
    /// The given page, if it is free; else any.
    Exact,
    /// A free page whose number is at most the given one, if there is one; else the file grows.
    Le,
}
