//! Allocating and freeing pages: SQLite's algorithm on SQLite's freelist.
//!
//! ```text
//!  page 1: first trunk, count ──► trunk ──► trunk ──► 0
//!                                  │ leaves: 9 4 17 …
//! ```
//!
//! | asked for | freelist | result |
//! |-----------|----------|--------|
//! | any | empty | the file grows, past the lock-byte page and, with autovacuum, pointer map pages |
//! | any, near n | first trunk has leaves | the leaf nearest to n, or the first where n is none |
//! | any | first trunk has none | the trunk itself |
//! | exactly n | n is free | n: a leaf, or a trunk, whose first leaf then becomes the trunk |
//! | at most n | has such a page | the first one found along the chain |
//!
//! Rules:
//! 1. The content of a free leaf is never read, and a page freed and not used again is not written.
//! 2. Nothing is changed before all pages that are involved are in memory and checked.
//!
//! Source: SQLite's `allocateBtreePage` and `freePage2`.

use crate::error::{Error, Result};
use crate::options::Allocate;
use crate::tx::{Tx, TxState};
use ringwood_format::freelist::{self, Trunk};
use ringwood_format::header::Field;
use ringwood_format::page::{Geometry, PAGE_COUNT_MAX, PageNo, page_no_or_zero};
use ringwood_format::ptrmap::{self, PtrmapEntry};
use ringwood_pager::PageRef;

/// What a search of the freelist found on one trunk.
enum Found {
    /// The trunk itself.
    Trunk,
    /// Its leaf of this index.
    Leaf(u32),
}

impl Tx {
    /// A page for use: private, zeroed, counted. `near` is a wish, or the page that is asked for, by `mode`.
    ///
    /// # Errors
    /// [`Error::Full`] at the largest page count; `Corrupt` if the freelist is damaged. Nothing has changed then.
    ///
    /// # Suspends
    /// For trunk pages that are not in memory, and to spill.
    pub async fn allocate(&mut self, near: Option<PageNo>, mode: Allocate) -> Result<PageNo> {
        if self.state != TxState::Write {
            return Err(Error::Misuse(
                "a page is allocated outside of a write transaction",
            ));
        }
        if self.is_crowded() {
            self.make_room().await?;
        }
        let free_count = self.header_field(Field::FreelistCount);
        if free_count == 0 {
            return self.grow();
        }
        if free_count >= self.page_count {
            return Err(Error::corrupt(
                PageNo::ONE,
                "freelist has more pages than the database",
            ));
        }
        let page = match self.find_free(near, mode, free_count).await? {
            Some(page) => page,
            None => return self.grow(),
        };
        self.zero_page(page)?;
        Ok(page)
    }

    /// Takes a page off the freelist; `None` if it has none that `mode` asks for.
    async fn find_free(
        &mut self,
        near: Option<PageNo>,
        mode: Allocate,
        free_count: u32,
    ) -> Result<Option<PageNo>> {
        let search = match mode {
            Allocate::Any => false,
            Allocate::Le => true,
            Allocate::Exact => match near.filter(|near| near.get() <= self.page_count) {
                Some(near) => self.ptrmap_get(near).await? == PtrmapEntry::Free,
                None => false,
            },
        };
        let mut previous: Option<PageNo> = None;
        let mut trunk_no = PageNo::new(self.header_field(Field::FreelistHead));
        for _ in 0..=free_count {
            let Some(no) = trunk_no else {
                if search {
                    return Ok(None);
                }
                return Err(Error::corrupt(
                    PageNo::ONE,
                    "freelist is shorter than its count",
                ));
            };
            self.check_free(no)?;
            let page = self.page(no).await?;
            let trunk = Trunk::new(&page, self.geometry, no)?;
            let next = trunk.next();
            if let Some(found) = choose(&trunk, no, near, mode, search) {
                return self.unlink(page, no, previous, found).await.map(Some);
            }
            previous = Some(no);
            trunk_no = next;
        }
        Err(Error::corrupt(PageNo::ONE, "freelist goes in a circle"))
    }

    fn check_free(&self, no: PageNo) -> Result<()> {
        if no.get() > self.page_count || no == PageNo::ONE {
            return Err(Error::corrupt(no, "free page is not in the database"));
        }
        Ok(())
    }

    /// Takes what was found off its trunk, and the count down.
    async fn unlink(
        &mut self,
        page: PageRef,
        trunk_no: PageNo,
        previous: Option<PageNo>,
        found: Found,
    ) -> Result<PageNo> {
        let free_count = self.header_field(Field::FreelistCount);
        let trunk = Trunk::new(&page, self.geometry, trunk_no)?;
        let bad_leaf = || Error::corrupt(trunk_no, "freelist trunk page has an impossible leaf");
        let taken = match found {
            Found::Leaf(i) => {
                let leaf = trunk.leaf(i).ok_or_else(bad_leaf)?;
                self.check_free(leaf)?;
                drop(page);
                self.make_writable(trunk_no).await?;
                freelist::remove_leaf(self.present_mut(trunk_no)?, i);
                leaf
            }
            Found::Trunk => {
                let next = trunk.next();
                if let Some(previous) = previous {
                    self.make_writable(previous).await?;
                }
                let follower = if trunk.leaf_count() == 0 {
                    next
                } else {
                    let heir = trunk.leaf(0).ok_or_else(bad_leaf)?;
                    self.check_free(heir)?;
                    let leaves: Vec<PageNo> = trunk
                        .leaves()
                        .skip(1)
                        .collect::<Option<_>>()
                        .ok_or_else(bad_leaf)?;
                    self.zero_page(heir)?;
                    let geometry = self.geometry;
                    let bytes = self.present_mut(heir)?;
                    freelist::init_trunk(bytes, next);
                    for leaf in leaves {
                        freelist::push_leaf(bytes, geometry, leaf);
                    }
                    Some(heir)
                };
                match previous {
                    Some(previous) => freelist::set_next(self.present_mut(previous)?, follower),
                    None => {
                        self.set_header_field(Field::FreelistHead, page_no_or_zero(follower))?;
                    }
                }
                trunk_no
            }
        };
        self.set_header_field(Field::FreelistCount, free_count - 1)?;
        Ok(taken)
    }

    /// A page at the end of the file.
    fn grow(&mut self) -> Result<PageNo> {
        let geometry = self.geometry;
        let mut new = next_page(self.page_count, geometry)?;
        if self.is_autovacuum() && ptrmap::is_map_page(new, geometry) {
            let map = new;
            new = next_page(map.get(), geometry)?;
            if new.get() > self.page_limit {
                return Err(Error::Full);
            }
            self.page_count = map.get();
            self.zero_page(map)?;
        }
        if new.get() > self.page_limit {
            return Err(Error::Full);
        }
        self.page_count = new.get();
        self.set_header_field(Field::PageCount, new.get())?;
        self.zero_page(new)?;
        Ok(new)
    }

    /// Puts a page on the freelist. Its contents are gone.
    ///
    /// # Errors
    /// `Corrupt` if the page is not in the database or the freelist is damaged. Nothing has changed then.
    ///
    /// # Suspends
    /// For the first trunk page and, with autovacuum, the pointer map, if they are not in memory.
    pub async fn free(&mut self, no: PageNo) -> Result<()> {
        if self.state != TxState::Write {
            return Err(Error::Misuse(
                "a page is freed outside of a write transaction",
            ));
        }
        self.check_free(no)?;
        let free_count = self.header_field(Field::FreelistCount);
        let head = PageNo::new(self.header_field(Field::FreelistHead));
        let trunk = match head.filter(|_| free_count != 0) {
            Some(trunk_no) => {
                self.check_free(trunk_no)?;
                let page = self.page(trunk_no).await?;
                let leaves = Trunk::new(&page, self.geometry, trunk_no)?.leaf_count();
                (leaves < freelist::writer_capacity(self.geometry)).then_some((trunk_no, page))
            }
            None => None,
        };
        if self.is_autovacuum() {
            self.ptrmap_put(no, PtrmapEntry::Free).await?;
        }
        if let Some((trunk_no, pin)) = trunk {
            drop(pin);
            self.make_writable(trunk_no).await?;
            let geometry = self.geometry;
            freelist::push_leaf(self.present_mut(trunk_no)?, geometry, no);
            // A savepoint may still want the bytes; and a page that is new has to be written for the file to have it.
            if self.secure_delete {
                self.zero_page(no)?;
            } else if !self.has_savepoint() && no.get() <= self.committed_page_count {
                if let Some(entry) = self.dirty.get_mut().get_mut(no) {
                    entry.discarded = true;
                }
            }
        } else {
            self.zero_page(no)?;
            freelist::init_trunk(self.present_mut(no)?, head.filter(|_| free_count != 0));
            self.set_header_field(Field::FreelistHead, no.get())?;
        }
        self.set_header_field(Field::FreelistCount, free_count + 1)
    }
}

/// The page after `page_count`, but for the lock-byte page.
fn next_page(page_count: u32, geometry: Geometry) -> Result<PageNo> {
    let mut next = page_count.checked_add(1).ok_or(Error::Full)?;
    if next == geometry.lock_byte_page().get() {
        next += 1;
    }
    PageNo::new(next)
        .filter(|_| next <= PAGE_COUNT_MAX)
        .ok_or(Error::Full)
}

/// What to take from a trunk; `None` if nothing there is what is searched for.
fn choose(
    trunk: &Trunk<'_>,
    no: PageNo,
    near: Option<PageNo>,
    mode: Allocate,
    search: bool,
) -> Option<Found> {
    let wanted = |page: PageNo| match (near, mode) {
        (Some(near), Allocate::Le) => page <= near,
        (Some(near), _) => page == near,
        (None, _) => false,
    };
    if search && wanted(no) {
        return Some(Found::Trunk);
    }
    if trunk.leaf_count() == 0 {
        return (!search).then_some(Found::Trunk);
    }
    if search {
        let at = trunk.leaves().position(|leaf| leaf.is_some_and(wanted))?;
        return Some(Found::Leaf(at as u32));
    }
    let distance = |leaf: Option<PageNo>| match (leaf, near) {
        (Some(leaf), Some(near)) => leaf.get().abs_diff(near.get()),
        _ => 0,
    };
    let (at, _) = trunk
        .leaves()
        .map(distance)
        .enumerate()
        .min_by_key(|&(_, distance)| distance)?;
    Some(Found::Leaf(at as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_byte_page_is_stepped_over() {
        for size in [512, 4096, 65536] {
            let geometry = Geometry::new(size, 0).expect("a page size");
            let lock = geometry.lock_byte_page().get();
            let after = |count| next_page(count, geometry).map(PageNo::get);
            assert_eq!(
                (after(lock - 2), after(lock - 1), after(lock)),
                (Ok(lock - 1), Ok(lock + 1), Ok(lock + 1))
            );
            assert_eq!(after(PAGE_COUNT_MAX), Err(Error::Full));
            assert_eq!(after(PAGE_COUNT_MAX - 1), Ok(PAGE_COUNT_MAX));
        }
    }
}
