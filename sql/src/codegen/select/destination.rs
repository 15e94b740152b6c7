//! Where the rows of a SELECT go.
//!
//! Source: SQLite's SelectDest and SRT_*.

use ringwood_vdbe::P4;

/// What is done with a row.
#[derive(Clone, Debug)]
pub enum DestinationKind {
    /// `ResultRow`: to the caller.
    Output,
    /// Registers `param`…; the first row only.
    Memory,
    /// Register `param` becomes 1 if there is a row.
    Exists,
    /// Into the ephemeral index `param`, as the right side of an IN; with these affinities.
    Set {
        /// One letter a column.
        affinities: P4,
        /// The register of a filter that the rows are added to as well; 0: none. Becomes 0 where that is not done.
        filter: i32,
    },
    /// As a record with a new rowid into the ephemeral table `param`, which exists.
    Table,
    /// The same; the SELECT opens the table (SQLite's SRT_EphemTab).
    EphemeralTable,
    /// Into the queue `param` of a recursive query (SQLite's SRT_Queue, SRT_Fifo and their DISTINCT forms).
    Queue(super::recursive::Queue),
    /// Into the ephemeral table `param` under the key that the row begins with, over a row that is there already
    /// (SQLite's SRT_Upfrom).
    UpdateFrom {
        /// How many columns the key has; 0: the first column is the rowid, and not stored.
        key_count: usize,
    },
    /// `Yield` through register `param`: the registers `first`… hold the row.
    Coroutine,
    /// Nowhere: for its effects.
    Discard,
}

/// Where the rows of a SELECT go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What is done with a row.
    pub kind: DestinationKind,
    /// Its register or cursor.
    pub param: i32,
    /// The first register of a row; 0: to be chosen by the SELECT.
    pub first: i32,
    /// How many registers a row has.
    pub count: usize,
}

impl Destination {
    /// A destination of that kind; the SELECT chooses the registers.
    pub const fn new(kind: DestinationKind, param: i32) -> Destination {
        Destination {
            kind,
            param,
            first: 0,
            count: 0,
        }
    }

    /// To the caller.
    pub const fn output() -> Destination {
        Destination::new(DestinationKind::Output, 0)
    }

    /// The right side of an IN.
    pub const fn set(cursor: i32, affinities: P4, filter: i32) -> Destination {
        Destination::new(DestinationKind::Set { affinities, filter }, cursor)
    }

    /// Registers.
    pub const fn memory(first: i32, count: usize) -> Destination {
        Destination {
            kind: DestinationKind::Memory,
            param: first,
            first,
            count,
        }
    }

    /// Whether there is a row.
    pub const fn exists(reg: i32) -> Destination {
        Destination::new(DestinationKind::Exists, reg)
    }

    /// Whether it is a queue, which has an order of its own.
    pub const fn is_queue(&self) -> bool {
        matches!(self.kind, DestinationKind::Queue(_))
    }

    /// Whether neither duplicates nor the order make a difference (SQLite's IgnorableDistinct).
    pub const fn ignores_order(&self) -> bool {
        matches!(
            self.kind,
            DestinationKind::Exists | DestinationKind::Discard
        )
    }
}
