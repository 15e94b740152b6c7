//! The integrity check of a database at the level of trees and pages, in SQLite's words.
//!
//! For every page of every tree:
//! 1. cells and freeblocks do not overlap, and cover the page's content but for the fragments that it declares;
//! 2. rowids ascend, and stay within the dividers above;
//! 3. overflow chains have the length that the payload needs;
//! 4. all leaves are at one depth;
//! 5. in an autovacuum database, the pointer map tells of every page what it is;
//! 6. every page of the file is referred to exactly once, by a tree, a chain or the freelist.
//!
//! Everything is read as loosely as SQLite reads it (`loose.rs`), so that the same damage gives the same sentences: their
//! prefixes too, which stay what the last check made them.
//!
//! Absent: whether index keys ascend and agree with their rows. That is the business of `PRAGMA integrity_check`'s
//! program above.
//!
//! Source: SQLite's `sqlite3BtreeIntegrityCheck`, `checkTreePage`, `checkList`, `checkPtrmap`.

use crate::loose::{Cell, Page};
use crate::node::DEPTH_MAX;
use ringwood_format::bytes::get_u32;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::ptrmap;
use ringwood_pager::PageRef;
use ringwood_wal::{Result, Tx};
use std::pin::Pin;

/// What an integrity check looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegrityScope {
    /// The roots are all there are: the freelist is checked, and that every page is used.
    Whole,
    /// Some trees only.
    Partial,
}

/// What an integrity check found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IntegrityReport {
    /// One sentence for each fault; empty if all is well.
    pub errors: Vec<String>,
    /// The entries of each tree, in the order of the roots.
    pub entries: Vec<u64>,
}

/// Checks the trees with those roots. At most `limit` faults are reported.
///
/// # Errors
/// None for what a malformed file contains; only if page 1 cannot be read.
pub async fn integrity_check(
    tx: &Tx,
    roots: &[PageNo],
    scope: IntegrityScope,
    limit: usize,
) -> Result<IntegrityReport> {
    let mut report = IntegrityReport::default();
    let page_count = tx.page_count();
    if page_count == 0 {
        return Ok(report);
    }
    let header = tx.page(PageNo::ONE).await?;
    let mut check = Check {
        tx,
        geometry: tx.geometry(),
        page_count,
        used: vec![0; page_count as usize / 64 + 1],
        autovacuum: get_u32(&header, 52) != 0,
        errors: Vec::new(),
        limit,
        place: Place::Nowhere,
        root: 0,
        page: 0,
        cell: 0,
        rows: 0,
    };
    let lock_page = check.geometry.lock_byte_page().get();
    if lock_page <= page_count {
        check.set_used(lock_page);
    }
    if scope == IntegrityScope::Whole || roots.first() == Some(&PageNo::ONE) {
        check.place = Place::Freelist;
        check
            .list(true, get_u32(&header, 32), get_u32(&header, 36))
            .await;
        check.place = Place::Nowhere;
    }
    if scope == IntegrityScope::Whole {
        check.header(&header, roots);
    }
    for &root in roots {
        if check.is_done() {
            break;
        }
        check.rows = 0;
        check.root = root.get();
        if check.autovacuum && root != PageNo::ONE && scope == IntegrityScope::Whole {
            check.pointer_map(root.get(), ROOT, 0).await;
        }
        check.tree_page(root.get(), i64::MAX, 1).await;
        report.entries.push(check.rows);
    }
    if scope == IntegrityScope::Whole {
        check.all_used();
    }
    report.errors = check.errors;
    Ok(report)
}

/// What a message is about: its prefix. The page and the cell are kept beside it.
#[derive(Clone, Copy, Debug)]
enum Place {
    Nowhere,
    Freelist,
    Page,
    RightChild,
    Cell,
}

/// Kinds of entries of the pointer map.
const ROOT: u8 = 1;
const FREE: u8 = 2;
const OVERFLOW_FIRST: u8 = 3;
const OVERFLOW_NEXT: u8 = 4;
const CHILD: u8 = 5;

struct Check<'a> {
    tx: &'a Tx,
    geometry: Geometry,
    page_count: u32,
    used: Vec<u64>,
    autovacuum: bool,
    errors: Vec<String>,
    limit: usize,
    place: Place,
    root: u32,
    page: u32,
    cell: u32,
    rows: u64,
}

/// What a subtree tells its parent.
struct Subtree {
    /// Levels below it; 0 of a leaf, and if it could not be read.
    depth: i32,
    /// Its smallest rowid.
    least: i64,
}

impl Check<'_> {
    fn is_done(&self) -> bool {
        self.errors.len() >= self.limit
    }

    fn fault(&mut self, message: &str) {
        if self.is_done() {
            return;
        }
        let (root, page, cell) = (self.root, self.page, self.cell);
        self.errors.push(match self.place {
            Place::Nowhere => message.to_string(),
            Place::Freelist => format!("Freelist: {message}"),
            Place::Page => format!("Tree {root} page {page}: {message}"),
            Place::RightChild => format!("Tree {root} page {page} right child: {message}"),
            Place::Cell => format!("Tree {root} page {page} cell {cell}: {message}"),
        });
    }

    fn is_used(&self, page: u32) -> bool {
        self.used[page as usize / 64] >> (page % 64) & 1 != 0
    }

    fn set_used(&mut self, page: u32) {
        self.used[page as usize / 64] |= 1 << (page % 64);
    }

    /// Counts a reference to a page; `None` if that must not be followed.
    fn refer(&mut self, page: u32) -> Option<PageNo> {
        match PageNo::new(page) {
            Some(no) if page <= self.page_count => {
                if self.is_used(page) {
                    self.fault(&format!("2nd reference to page {page}"));
                    return None;
                }
                self.set_used(page);
                Some(no)
            }
            _ => {
                self.fault(&format!("invalid page number {page}"));
                None
            }
        }
    }

    fn header(&mut self, header: &[u8], roots: &[PageNo]) {
        let largest = get_u32(header, 52);
        if self.autovacuum {
            let found = roots.iter().max().map_or(0, |root| root.get());
            if found != largest {
                self.fault(&format!(
                    "max rootpage ({found}) disagrees with header ({largest})"
                ));
            }
        } else if get_u32(header, 64) != 0 {
            self.fault("incremental_vacuum enabled with a max rootpage of zero");
        }
    }

    fn all_used(&mut self) {
        for page in 1..=self.page_count {
            if self.is_done() {
                return;
            }
            let is_map = self.autovacuum
                && PageNo::new(page).is_some_and(|no| ptrmap::is_map_page(no, self.geometry));
            match (self.is_used(page), is_map) {
                (false, false) => self.fault(&format!("Page {page}: never used")),
                (true, true) => self.fault(&format!("Page {page}: pointer map referenced")),
                _ => {}
            }
        }
    }

    /// The kind and the parent that the pointer map has for `page`; `None` if it has nothing that makes sense.
    async fn map_entry(&self, page: u32) -> Option<(u8, u32)> {
        let no = PageNo::new(page)?;
        let map = ptrmap::map_page(no, self.geometry)?;
        let offset = ptrmap::entry_offset(no, self.geometry)?;
        let data = self.tx.page(map).await.ok()?;
        let kind = *data.get(offset)?;
        (ROOT..=CHILD)
            .contains(&kind)
            .then(|| (kind, get_u32(&data, offset + 1)))
    }

    /// Whether the pointer map says of `page` what it should.
    async fn pointer_map(&mut self, page: u32, kind: u8, parent: u32) {
        match self.map_entry(page).await {
            None => self.fault(&format!("Failed to read ptrmap key={page}")),
            Some(got) if got == (kind, parent) => {}
            Some((k, p)) => self.fault(&format!(
                "Bad ptr map entry key={page} expected=({kind},{parent}) got=({k},{p})"
            )),
        }
    }

    /// The freelist, or an overflow chain, of `expected` pages.
    async fn list(&mut self, is_freelist: bool, first: u32, expected: u32) {
        let faults = self.errors.len();
        // It wraps where there are more pages than expected, as SQLite's.
        let mut left = expected;
        let mut page = first;
        while page != 0 && !self.is_done() {
            let Some(no) = self.refer(page) else { break };
            left = left.wrapping_sub(1);
            let Ok(data) = self.tx.page(no).await else {
                self.fault(&format!("failed to get page {page}"));
                break;
            };
            if is_freelist {
                left = left.wrapping_sub(self.trunk(page, &data).await);
            } else if self.autovacuum && left > 0 {
                self.pointer_map(get_u32(&data, 0), OVERFLOW_NEXT, page)
                    .await;
            }
            page = get_u32(&data, 0);
        }
        if left != 0 && faults == self.errors.len() {
            let what = if is_freelist {
                "size"
            } else {
                "overflow list length"
            };
            let found = expected.wrapping_sub(left);
            self.fault(&format!("{what} is {found} but should be {expected}"));
        }
    }

    /// The leaves of a freelist trunk: by how many pages they lengthen the list.
    async fn trunk(&mut self, page: u32, data: &PageRef) -> u32 {
        if self.autovacuum {
            self.pointer_map(page, FREE, 0).await;
        }
        let count = get_u32(data, 4);
        if count > self.geometry.usable() / 4 - 2 {
            self.fault(&format!("freelist leaf count too big on page {page}"));
            return 1;
        }
        for i in 0..count as usize {
            let leaf = get_u32(data, 8 + 4 * i);
            if self.autovacuum {
                self.pointer_map(leaf, FREE, 0).await;
            }
            self.refer(leaf);
        }
        count
    }

    /// A page of a tree and all below it. Rowids must not exceed `most`.
    fn tree_page<'s>(
        &'s mut self,
        page: u32,
        most: i64,
        level: usize,
    ) -> Pin<Box<dyn Future<Output = Subtree> + 's>> {
        Box::pin(async move {
            let nothing = Subtree {
                depth: 0,
                least: most,
            };
            if self.is_done() || page == 0 {
                return nothing;
            }
            let Some(no) = self.refer(page) else {
                return nothing;
            };
            let outer = (self.place, self.page, self.cell);
            (self.place, self.page) = (Place::Page, page);
            let subtree = self.tree_page_inner(no, most, level).await;
            (self.place, self.page, self.cell) = outer;
            subtree
        })
    }

    async fn tree_page_inner(&mut self, no: PageNo, mut most: i64, level: usize) -> Subtree {
        let number = no.get();
        let nothing = Subtree {
            depth: 0,
            least: most,
        };
        let Ok(data) = self.tx.page(no).await else {
            self.fault("unable to get the page. error code=10");
            return nothing;
        };
        if level > DEPTH_MAX {
            self.fault(&format!("btree depth exceeds {DEPTH_MAX}"));
            return nothing;
        }
        let Some(page) = Page::new(&data, no, self.geometry) else {
            self.fault("btreeInitPage() returns error code 11");
            return nothing;
        };
        if !page.is_free_space_sound() {
            self.fault("free space corruption");
            return nothing;
        }
        self.place = Place::Cell;
        if page.is_leaf || !page.is_table {
            self.rows += page.count as u64;
        }
        let mut depth = -1;
        let mut may_equal = true;
        if !page.is_leaf {
            let right = page.right_child();
            if self.autovacuum {
                self.place = Place::RightChild;
                self.pointer_map(right, CHILD, number).await;
            }
            let subtree = self.tree_page(right, most, level + 1).await;
            (depth, most, may_equal) = (subtree.depth, subtree.least, false);
        }
        let mut sound = true;
        for ix in (0..page.count).rev() {
            if self.is_done() {
                break;
            }
            self.cell = ix as u32;
            let Some(cell) = self.sound_cell(&page, ix) else {
                sound = false;
                continue;
            };
            if page.is_table {
                if cell.rowid > most || (cell.rowid == most && !may_equal) {
                    self.fault(&format!("Rowid {} out of order", cell.rowid));
                }
                (most, may_equal) = (cell.rowid, false);
            }
            if cell.payload > cell.local {
                if self.autovacuum {
                    self.pointer_map(cell.overflow, OVERFLOW_FIRST, number)
                        .await;
                }
                let pages = page.overflow_pages(&cell);
                self.list(false, cell.overflow, pages).await;
            }
            if !page.is_leaf {
                if self.autovacuum {
                    self.pointer_map(cell.left_child, CHILD, number).await;
                }
                let subtree = self.tree_page(cell.left_child, most, level + 1).await;
                (most, may_equal) = (subtree.least, false);
                if subtree.depth != depth {
                    self.fault("Child page depth differs");
                    depth = subtree.depth;
                }
            }
        }
        self.place = Place::Nowhere;
        if sound && !self.is_done() {
            self.coverage(&page);
        }
        Subtree {
            depth: depth + 1,
            least: most,
        }
    }

    /// A cell, if it lies within the page.
    fn sound_cell(&mut self, page: &Page<'_>, ix: usize) -> Option<Cell> {
        let (at, start) = (page.cell_at(ix), page.content_start());
        let last = page.usable - 4;
        if at < start || at > last {
            self.fault(&format!("Offset {at} out of range {start}..{last}"));
            return None;
        }
        let cell = page.cell(at);
        if at + cell.size as usize > page.usable {
            self.fault("Extends off end of page");
            return None;
        }
        if cell.payload > 0 && page.data[cell.payload_at] < 2 {
            self.fault("Bad cell header size");
            return None;
        }
        Some(cell)
    }

    /// Cells and freeblocks cover the content without overlap, but for the fragments.
    fn coverage(&mut self, page: &Page<'_>) {
        let mut ranges: Vec<(usize, usize)> = Vec::with_capacity(page.count);
        for ix in 0..page.count {
            let at = page.cell_at(ix);
            ranges.push((at, at + page.cell(at).size as usize));
        }
        ranges.extend(page.freeblocks());
        ranges.sort_unstable();
        let mut end = page.content_start();
        let mut fragments = 0;
        let last = ranges.len().wrapping_sub(1);
        for (n, (start, stop)) in ranges.into_iter().enumerate() {
            if start < end {
                self.fault(&format!(
                    "Multiple uses for byte {start} of page {}",
                    page.no
                ));
                // Where nothing comes behind it the fragments are still counted.
                if n < last {
                    return;
                }
                break;
            }
            fragments += start - end;
            end = stop;
        }
        fragments += page.usable - end;
        let declared = page.fragmented_bytes();
        if fragments != declared {
            self.fault(&format!(
                "Fragmentation of {fragments} bytes reported as {declared} on page {}",
                page.no
            ));
        }
    }
}
