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
//!    are not private any more are spare, older ones of the same page too: the next spilled pages go there.
//! 5. Pre-images that would crowd the memory go to a spill file.
//!
//! Source: SQLite's `PagerSavepoint`; its sub-journal is our spill file.

use crate::error::{Error, Result};
use crate::spill::SlotRef;
use crate::tx::{Tx, TxState};
use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;

/// A savepoint of one [`Tx`], open until it or an older one is released, or the transaction ends.
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

impl Tx {
    /// Opens a savepoint on top of those that are open. Costs nothing.
    pub fn savepoint(&mut self) -> SavepointId {
        let serial = self.next_serial;
        self.next_serial += 1;
        let page_count = (self.state == TxState::Write).then_some(self.page_count);
        self.savepoints.push(Savepoint {
            serial,
            page_count,
            preimages: Vec::new(),
        });
        self.top = serial;
        SavepointId(serial)
    }

    pub(crate) fn has_savepoint(&self) -> bool {
        self.top != 0
    }

    /// Closes a savepoint, and those on top of it, keeping the changes.
    pub fn release(&mut self, id: SavepointId) {
        let Some(at) = self
            .savepoints
            .iter()
            .position(|savepoint| savepoint.serial == id.0)
        else {
            return;
        };
        while self.savepoints.len() > at {
            let child = self.savepoints.pop().expect("just counted");
            if let Some(parent) = self.savepoints.last_mut() {
                parent.absorb(child);
            }
        }
        self.savepoints_changed();
    }

    /// Undoes all changes since a savepoint was opened, which stays open; those on top of it are closed.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the savepoint is not open.
    pub fn rollback_to(&mut self, id: SavepointId) -> Result<()> {
        let at = self
            .savepoints
            .iter()
            .position(|savepoint| savepoint.serial == id.0);
        let at = at.ok_or(Error::Misuse("the savepoint is not open"))?;
        for level in (at..self.savepoints.len()).rev() {
            let preimages = std::mem::take(&mut self.savepoints[level].preimages);
            preimages
                .into_iter()
                .rev()
                .for_each(|preimage| self.restore(preimage));
        }
        self.spare_older_frames();
        self.savepoints.truncate(at + 1);
        self.savepoints_changed();
        if let Some(page_count) = self.savepoints[at].page_count {
            self.page_count = page_count;
            if page_count == 0 {
                self.make_database();
            }
        }
        self.bump_all_trees();
        Ok(())
    }

    fn restore(&mut self, Preimage { no, saved, was }: Preimage) {
        let dirty = self.dirty.get_mut();
        let Some(index) = dirty.find(no) else {
            unreachable!("a page that was changed is private")
        };
        match was {
            Was::Absent => {
                let entry = dirty.remove(no).expect("just found");
                if entry.frame != 0 {
                    self.spare_frames.push(entry.frame);
                }
                return;
            }
            Was::Page(page) => {
                dirty.set_page(index, Some(page));
                dirty.at(index).slot = None;
            }
            Was::Slot(slot) => {
                dirty.set_page(index, None);
                dirty.at(index).slot = Some(slot);
            }
        }
        let entry = dirty.at(index);
        entry.saved = saved;
        entry.current = false;
        entry.discarded = false;
    }

    /// A page that went to the log twice has an older frame there too: without an entry all of its frames are spare.
    fn spare_older_frames(&mut self) {
        let Some(writer) = self.writer.as_ref().filter(|writer| writer.duplicates > 0) else {
            return;
        };
        if self.spare_frames.is_empty() {
            return; // no page with frames has lost its entry
        }
        let dirty = self.dirty.get_mut();
        let frames = (writer.first..).zip(writer.pages());
        let spare = frames.filter(|(_, no)| dirty.find(**no).is_none());
        self.spare_frames.extend(spare.map(|(frame, _)| frame));
        self.spare_frames.sort_unstable();
        self.spare_frames.dedup();
    }

    /// Closes all savepoints: the transaction ends.
    pub(crate) fn forget_savepoints(&mut self) {
        self.savepoints.clear();
        self.savepoints_changed();
    }

    pub(crate) fn savepoints_changed(&mut self) {
        self.top = self
            .savepoints
            .last()
            .map_or(0, |savepoint| savepoint.serial);
        self.preimage_count = self.savepoints.iter().map(Savepoint::resident).sum();
    }
}
