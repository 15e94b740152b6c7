//! Savepoints: what restores the private pages to where they were.
//!
//! ```text
//!  serial 3  SAVEPOINT a      pre-images: page 5 was absent, page 9 was [bytes]
//!  serial 7  SAVEPOINT b      pre-images: page 5 was [bytes]
//!            ▲ top: a page whose entry says `saved < 7` is remembered here before it changes
//! ```
//!
//! Rules:
//! 1. Opening one costs nothing. The first change of a page after that remembers what it was: not private, or a pin of
//!    the private version, which the change then copies instead of overwriting.
//! 2. Serial numbers only grow, so an entry needs one number to know whether it is remembered.
//! 3. Releasing a savepoint hands its pre-images to the one below, but for pages that this one remembers itself.
//! 4. Rolling back applies the pre-images of the newest savepoint first. Frames of the log that belong to pages which
//!    are not private any more are spare: the next spilled pages go there.
//! 5. Pre-images that would crowd the memory go to a spill file.
//!
//! Source: SQLite's `PagerSavepoint`; its sub-journal is our spill file.

use crate::spill::SlotRef;
use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;

/// A savepoint of one [`Tx`](crate::Tx), open until it or an older one is released, or the transaction ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SavepointId(pub(crate) u32);

/// What a page was.
#[derive(Debug)]
pub(crate) enum Was {
    /// Not private.
    Absent,
    /// Private, with these bytes.
    Page(PageRef),
    /// The same, moved to a spill file.
    Slot(SlotRef),
}

#[derive(Debug)]
pub(crate) struct Preimage {
    pub(crate) no: PageNo,
    /// The entry's `saved` before this pre-image was taken.
    pub(crate) saved: u32,
    pub(crate) was: Was,
}

#[derive(Debug)]
pub(crate) struct Savepoint {
    pub(crate) serial: u32,
    /// Pages of the database; `None` until the write transaction begins.
    pub(crate) page_count: Option<u32>,
    pub(crate) preimages: Vec<Preimage>,
}

impl Savepoint {
    /// Takes over the pre-images of a savepoint that was opened on top of this one and is released (rule 3).
    pub(crate) fn absorb(&mut self, child: Savepoint) {
        let serial = self.serial;
        self.preimages.extend(
            child
                .preimages
                .into_iter()
                .filter(|preimage| preimage.saved < serial),
        );
    }

    /// Pre-images in memory.
    pub(crate) fn resident(&self) -> usize {
        self.preimages
            .iter()
            .filter(|preimage| matches!(preimage.was, Was::Page(_)))
            .count()
    }
}
