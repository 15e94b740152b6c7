//! The committed pages of a database that has no file: an array that commits copy on write.
//!
//! ```text
//!  Database ──► Image: [ chunk ][ chunk ][ chunk ]      64 pages each
//!                          ▲        ▲
//!  Tx's snapshot ──► Image: [ same  ][ older ]          shares what did not change
//! ```
//!
//! Rule: an image that somebody else holds is never changed; a commit copies the chunks that it touches, and only where
//! somebody holds them.

use crate::spill::SlotRef;
use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;
use std::sync::Arc;

const CHUNK: usize = 64;

/// Where a committed page is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) page: Option<PageRef>,
    pub(crate) slot: Option<SlotRef>,
}

/// The committed pages; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    chunks: Vec<Arc<[Place; CHUNK]>>,
    pub(crate) page_count: u32,
    /// Pages in memory.
    resident: usize,
}

impl Image {
    #[inline]
    pub(crate) fn get(&self, no: PageNo) -> Option<&Place> {
        let at = no.index() as usize;
        Some(&self.chunks.get(at / CHUNK)?[at % CHUNK])
    }

    pub(crate) fn set(&mut self, no: PageNo, place: Place) {
        let at = no.index() as usize;
        while self.chunks.len() <= at / CHUNK {
            self.chunks
                .push(Arc::new(std::array::from_fn(|_| Place::default())));
        }
        let there = &mut Arc::make_mut(&mut self.chunks[at / CHUNK])[at % CHUNK];
        self.resident += usize::from(place.page.is_some());
        self.resident -= usize::from(there.page.is_some());
        *there = place;
    }

    /// Forgets the pages beyond `page_count`.
    pub(crate) fn truncate(&mut self, page_count: u32) {
        for n in page_count..self.page_count {
            if let Some(no) = PageNo::new(n + 1) {
                self.set(no, Place::default());
            }
        }
        self.chunks.truncate((page_count as usize).div_ceil(CHUNK));
        self.page_count = page_count;
    }

    /// Committed pages in memory.
    pub(crate) fn resident(&self) -> usize {
        self.resident
    }

    /// Up to `count` pages in memory, from page 2 on.
    pub(crate) fn resident_pages(&self, count: usize) -> Vec<(PageNo, PageRef)> {
        let places = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .zip(1..)
            .skip(1);
        let pages = places.filter_map(|(place, n)| Some((PageNo::new(n)?, place.page.clone()?)));
        pages.take(count).collect()
    }
}
