//! Cursors of a running program.
//!
//! | slot     | rows come from |
//! |----------|----------------|
//! | `Tree`   | a table or index of a database, or an ephemeral one (in the VM's temporary store) |
//! | `Hash` | the hash table of an automatic index |
//! | `Rows` | a list of rows in memory: a queue, the buffer of a window |
//! | `Queue` | a queue in the order of a key |
//! | `Sorter` | a sorter |
//! | `Pseudo` | one record in a register |
//! | `Virtual` | a virtual table |
//! | `Null`   | nowhere: every column is NULL |
//!
//! Foreign stores will be a further variant.
//!
//! Rules:
//! 1. `null_row` means that the cursor is on no row: every column and the rowid read as NULL.
//! 2. `deferred` means that a table cursor is to move to `target` before its row is read (`DeferredSeek`).
//! 3. `row.valid` says that `row` describes the current record; every move and change clears it.

use super::hash::HashIndex;
use super::queue::OrderedQueue;
use super::row::Row;
use super::rows::RowsCursor;
use super::sorter::Sorter;
use crate::vtab::{Connected, VirtualCursor};
use ringwood_btree::{Cursor, Seek};
use ringwood_format::key::KeyInfo;
use std::rc::Rc;
use std::sync::Arc;

/// The VM's temporary store, in place of a database's index.
pub(super) const TEMP: u8 = u8::MAX;

/// A cursor number's current meaning.
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be one more load for every column"
)]
pub(super) enum Slot {
    Closed,
    Tree(TreeCursor),
    Hash(Box<HashIndex>),
    Rows(Box<RowsCursor>),
    Queue(Box<OrderedQueue>),
    Sorter(Box<Sorter>),
    Pseudo(PseudoCursor),
    Virtual(Box<VtabCursor>),
    Null,
}

/// A cursor on a tree.
pub(super) struct TreeCursor {
    pub(super) cur: Cursor,
    /// Index of the database, or `TEMP`.
    pub(super) store: u8,
    pub(super) is_table: bool,
    pub(super) null_row: bool,
    /// Other cursors stand on the same ephemeral table (`OpenDup`), and must not pin what is changed through this one.
    pub(super) has_twins: bool,
    pub(super) deferred: bool,
    pub(super) use_random_rowid: bool,
    pub(super) seek_hit: u16,
    /// Where the last seek left the cursor, for an insert that wants to use it.
    pub(super) seek: Option<Seek>,
    pub(super) target: i64,
    pub(super) sequence: i64,
    pub(super) info: Option<Arc<KeyInfo>>,
    /// While `deferred`: the index cursor that knows some columns, and where they are (0: not there, else 1 + column).
    pub(super) alternative: Option<(u32, Arc<[u32]>)>,
    pub(super) row: Row,
}

impl TreeCursor {
    pub(super) fn new(cur: Cursor, store: u8, info: Option<Arc<KeyInfo>>) -> TreeCursor {
        TreeCursor {
            cur,
            store,
            is_table: info.is_none(),
            null_row: true,
            has_twins: false,
            deferred: false,
            use_random_rowid: false,
            seek_hit: 0,
            seek: None,
            target: 0,
            sequence: 0,
            info,
            alternative: None,
            row: Row::default(),
        }
    }

    /// Opened again on the same tree: as new, but for the buffers and the place, from which a search may begin.
    pub(super) fn reopened(&mut self) {
        self.moved(false);
        self.use_random_rowid = false;
        self.seek_hit = 0;
        self.seek = None;
        self.target = 0;
        self.sequence = 0;
        self.alternative = None;
    }

    /// After a move: on a row or not, nothing pending, nothing cached.
    #[inline]
    pub(super) fn moved(&mut self, on_row: bool) {
        self.null_row = !on_row;
        self.deferred = false;
        self.row.valid = false;
    }
}

/// Takes the pins from the cursors on the same ephemeral table, which is about to be changed through cursor `at`.
#[inline]
pub(super) fn unpin_twins(cursors: &mut [Slot], at: i32) {
    if let Slot::Tree(TreeCursor {
        has_twins: true, ..
    }) = &cursors[at as usize]
    {
        unpin_twins_slow(cursors, at as usize);
    }
}

#[cold]
fn unpin_twins_slow(cursors: &mut [Slot], at: usize) {
    let Slot::Tree(c) = &cursors[at] else { return };
    let (root, store) = (c.cur.root(), c.store);
    for (i, slot) in cursors.iter_mut().enumerate() {
        match slot {
            Slot::Tree(c) if i != at && c.store == store && c.is_table && c.cur.root() == root => {
                c.cur.unpin();
                c.row.valid = false;
            }
            _ => {}
        }
    }
}

/// A record in a register as a table of one row.
pub(super) struct PseudoCursor {
    /// The register; 0 for none.
    pub(super) register: u32,
    pub(super) row: Row,
}

/// A cursor on a virtual table.
pub(super) struct VtabCursor {
    pub(super) cursor: Box<dyn VirtualCursor>,
    /// Keeps the table connected.
    pub(super) table: Rc<Connected>,
    pub(super) null_row: bool,
}
