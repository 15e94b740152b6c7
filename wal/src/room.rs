//! Room: moving private pages out of memory when there are more of them than the cache's size.
//!
//! | database | private pages go to | pre-images of savepoints go to |
//! |----------|--------------------|--------------------------------|
//! | with a log | the end of the log, as frames without a commit | a spill file |
//! | with a rollback journal | a spill file | the same |
//! | temporary | a spill file | the same |
//! | in memory | nowhere: they stay | nowhere |
//!
//! Rules:
//! 1. Pages go in the order in which they came, those touched since the last round later, pinned ones and page 1 never.
//!    So a bulk load writes each leaf once, and keeps the path to the next one.
//! 2. A quarter of the cache goes at a time, in one write.
//! 3. Where nothing can go, memory grows: the cache's size bounds what is kept, never what works.
//!
//! Source: SQLite's `pagerStress`.

use crate::error::Result;
use crate::image::Place;
use crate::savepoint::Was;
use crate::spill::{SlotRef, SpillFile};
use crate::tx::{Tx, TxState};
use ringwood_format::page::PageNo;
use ringwood_io::Buf;
use ringwood_pager::PageRef;
use std::sync::Arc;

impl Tx {
    /// Whether there are more private pages in memory than the cache's size: time for [`Tx::make_room`].
    #[inline]
    pub fn is_crowded(&self) -> bool {
        self.spills && self.dirty.borrow().resident() + self.preimage_count > self.cache_pages
    }

    /// Moves private pages out of memory if there are too many of them. What is pinned stays.
    ///
    /// # Errors
    /// If they cannot be written: the transaction can only be rolled back then.
    pub async fn make_room(&mut self) -> Result<()> {
        if self.state != TxState::Write || !self.is_crowded() {
            return Ok(());
        }
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        if self.preimage_count > self.cache_pages / 2 {
            self.spill_preimages().await?;
        }
        let victims = self.dirty.get_mut().victims((self.cache_pages / 4).max(1));
        let changed: Vec<usize> = {
            let dirty = self.dirty.get_mut();
            victims
                .iter()
                .copied()
                .filter(|&index| !dirty.at(index).current)
                .collect()
        };
        let written = if changed.is_empty() {
            Ok(())
        } else if self.to_log {
            self.write_to_log(&changed, None).await
        } else {
            self.write_to_slots(&changed).await
        };
        let dirty = self.dirty.get_mut();
        for index in victims {
            if dirty.at(index).current {
                dirty.set_page(index, None);
            } else {
                dirty.spare(index);
            }
        }
        written
    }

    fn spill_file(&mut self) -> Result<SpillFile> {
        if let Some(file) = &self.spill_file {
            return Ok(file.clone());
        }
        let file = SpillFile::new(&self.io, self.geometry.page_size())?;
        self.spill_file = Some(file.clone());
        Ok(file)
    }

    /// Writes pages to slots of their own.
    async fn spill(&mut self, pages: &[PageRef]) -> Result<Vec<SlotRef>> {
        let file = self.spill_file()?;
        let copies: Vec<Buf> = pages
            .iter()
            .map(|page| self.io.arena().copy_of(page))
            .collect();
        file.write(&self.io, copies).await
    }

    async fn write_to_slots(&mut self, indexes: &[usize]) -> Result<()> {
        let pages: Vec<PageRef> = {
            let dirty = self.dirty.get_mut();
            indexes
                .iter()
                .map(|&index| dirty.at(index).page.clone().expect("victims are in memory"))
                .collect()
        };
        let slots = self.spill(&pages).await?;
        let dirty = self.dirty.get_mut();
        for (&index, slot) in indexes.iter().zip(slots) {
            let entry = dirty.at(index);
            entry.slot = Some(slot);
            entry.current = true;
        }
        Ok(())
    }

    /// Moves the pre-images of all savepoints to the spill file.
    async fn spill_preimages(&mut self) -> Result<()> {
        let pages: Vec<PageRef> = self
            .resident_preimages()
            .map(|was| was.page().clone())
            .collect();
        for some in pages.chunks(256) {
            let slots = self.spill(some).await?;
            // The first ones that are still in memory are the ones that were just written.
            let targets = self.resident_preimages_mut();
            targets
                .zip(slots)
                .for_each(|(was, slot)| *was = Was::Slot(slot));
        }
        self.savepoints_changed();
        Ok(())
    }

    fn resident_preimages(&self) -> impl Iterator<Item = &Was> {
        let all = self
            .savepoints
            .iter()
            .flat_map(|savepoint| &savepoint.preimages);
        // Page 1 stays: after a rollback its fields are read without waiting.
        all.filter(|preimage| preimage.no != PageNo::ONE)
            .map(|preimage| &preimage.was)
            .filter(|was| was.is_resident())
    }

    fn resident_preimages_mut(&mut self) -> impl Iterator<Item = &mut Was> {
        let all = self
            .savepoints
            .iter_mut()
            .flat_map(|savepoint| &mut savepoint.preimages);
        all.filter(|preimage| preimage.no != PageNo::ONE)
            .map(|preimage| &mut preimage.was)
            .filter(|was| was.is_resident())
    }

    /// Moves committed pages of a temporary database out of memory if there are too many of them.
    pub(crate) async fn relieve_image(&mut self) -> Result<()> {
        if !self.spills || self.image.resident() <= self.cache_pages {
            return Ok(());
        }
        let surplus = self.image.resident() - self.cache_pages / 2;
        let pages: Vec<(PageNo, PageRef)> = self.image.resident_pages(surplus);
        for some in pages.chunks(256) {
            let unspilled =
                |no: PageNo| self.image.get(no).is_some_and(|place| place.slot.is_none());
            let (numbers, pins): (Vec<PageNo>, Vec<PageRef>) = some
                .iter()
                .filter(|(no, _)| unspilled(*no))
                .cloned()
                .unzip();
            let slots = self.spill(&pins).await?;
            let db = self.db.clone();
            let mut state = db.state();
            self.image = Arc::default();
            let image = Arc::make_mut(&mut state.image);
            for (no, slot) in numbers.into_iter().zip(slots) {
                image.set(
                    no,
                    Place {
                        page: None,
                        slot: Some(slot),
                    },
                );
            }
            for (no, _) in some {
                let slot = image.get(*no).and_then(|place| place.slot.clone());
                image.set(*no, Place { page: None, slot });
            }
            self.image = state.image.clone();
        }
        Ok(())
    }
}

impl Was {
    fn is_resident(&self) -> bool {
        matches!(self, Was::Page(_))
    }

    fn page(&self) -> &PageRef {
        match self {
            Was::Page(page) => page,
            Was::Absent | Was::Slot(_) => unreachable!("only pre-images in memory are asked"),
        }
    }
}
