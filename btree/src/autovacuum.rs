//! Autovacuum databases: the pointer map kept right, and roots together at the start of the file.
//!
//! The map tells of every page what it is and who points to it ([`PtrmapEntry`]), so that a page can be moved.
//!
//! Rules:
//! 1. Whoever writes a b-tree page notes the pages that it points to ([`note_children`]): children, and the first
//!    pages of overflow chains. The parent of a page is noted when the parent is written, and it is written whenever
//!    its children are new.
//! 2. Whoever writes an overflow page notes the next one.
//! 3. Roots lie in front of all other pages (but for map pages and the lock-byte page); the header knows the largest.
//!    A new root goes behind that, and what is there moves away; when a tree is dropped, the last root takes its place.
//! 4. Moving a page changes pages of trees that have nothing to do with the change: all cursors seek again.
//! 5. Free pages are given back from the end of the file: the last page moves to a free one in front of the new end,
//!    until there is nothing behind that end but free pages and map pages ([`give_back_all`]), or for one page at a time
//!    ([`give_back_one`]).
//!
//! Source: "Database File Format", section 1.8; SQLite's `btreeCreateTable`, `btreeDropTable`, `relocatePage`,
//! `modifyPagePointer`, `setChildPtrmaps`, `autoVacuumCommit`, `incrVacuumStep`, `finalDbSize`.

use crate::node::Node;
use crate::page::edit::PageEdit;
use crate::wait::touch;
use ringwood_format::bytes::put_u32;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::ptrmap::{PtrmapEntry, is_map_page, map_page};
use ringwood_wal::{Allocate, Error, Field, Result, Stop, Tx};

/// Notes the pages that b-tree page `no` points to. Without autovacuum nothing happens.
pub(crate) async fn note_children(tx: &mut Tx, no: PageNo) -> Result<()> {
    if !tx.is_autovacuum() {
        return Ok(());
    }
    let geometry = tx.geometry();
    let page = tx.page(no).await?;
    let node = Node::new(&page, geometry, no)?;
    let mut entries = Vec::new();
    for ix in 0..node.count {
        let (_, cell) = node.cell(&page, ix, geometry)?;
        entries.extend(cell.left_child.map(|child| (child, PtrmapEntry::Btree(no))));
        entries.extend(
            cell.overflow
                .map(|first| (first, PtrmapEntry::Overflow1(no))),
        );
    }
    if !node.is_leaf() {
        entries.push((node.child(&page, node.count)?, PtrmapEntry::Btree(no)));
    }
    drop(page);
    for (child, entry) in entries {
        tx.ptrmap_put(child, entry).await?;
    }
    Ok(())
}

/// A page for a new root (rule 3); in other databases any page.
pub(crate) async fn allocate_root(tx: &mut Tx) -> Result<PageNo> {
    if !tx.is_autovacuum() {
        return tx.allocate(None, Allocate::Any).await;
    }
    let geometry = tx.geometry();
    let largest = tx.header_field(Field::LargestRoot);
    if largest > tx.page_count() {
        return Err(Error::corrupt(
            PageNo::ONE,
            "largest root is beyond the end of the database",
        ));
    }
    let mut root = page_no(largest + 1)?;
    while is_map_page(root, geometry) || root == geometry.lock_byte_page() {
        root = page_no(root.get() + 1)?;
    }
    let free = tx.allocate(Some(root), Allocate::Exact).await?;
    if free != root {
        let entry = tx.ptrmap_get(root).await?;
        if matches!(entry, PtrmapEntry::Root | PtrmapEntry::Free) {
            return Err(Error::corrupt(
                root,
                "page behind the roots is not what the pointer map says",
            ));
        }
        relocate(tx, root, free, entry).await?;
    }
    tx.ptrmap_put(root, PtrmapEntry::Root).await?;
    tx.set_header_field(Field::LargestRoot, root.get())?;
    Ok(root)
}

/// Frees a root whose tree has been emptied. Returns the root that took its place, by its old number.
pub(crate) async fn free_root(tx: &mut Tx, root: PageNo) -> Result<Option<PageNo>> {
    if !tx.is_autovacuum() {
        tx.free(root).await?;
        return Ok(None);
    }
    let geometry = tx.geometry();
    let last = page_no(tx.header_field(Field::LargestRoot))?;
    if last < root || last.get() > tx.page_count() {
        return Err(Error::corrupt(
            PageNo::ONE,
            "largest root is not what the header says",
        ));
    }
    if last != root {
        relocate(tx, last, root, PtrmapEntry::Root).await?;
    }
    tx.free(last).await?;
    let mut largest = last.get() - 1;
    while let Some(no) = PageNo::new(largest)
        && (is_map_page(no, geometry) || no == geometry.lock_byte_page())
    {
        largest -= 1;
    }
    tx.set_header_field(Field::LargestRoot, largest)?;
    Ok((last != root).then_some(last))
}

fn page_no(number: u32) -> Result<PageNo> {
    PageNo::new(number).ok_or(Error::corrupt(PageNo::ONE, "largest root is missing"))
}

/// Whether a page holds no data: a map page, or the lock-byte page.
fn is_skipped(number: u32, geometry: Geometry) -> bool {
    PageNo::new(number)
        .is_some_and(|no| is_map_page(no, geometry) || no == geometry.lock_byte_page())
}

/// How many pages a database of `pages` has once `free` of them are gone, and the map pages that are then of no use.
fn size_without(pages: u32, free: u32, geometry: Geometry) -> u32 {
    let entries = geometry.usable() / 5;
    let last_map = PageNo::new(pages)
        .and_then(|no| map_page(no, geometry))
        .map_or(0, PageNo::get);
    let maps = (i64::from(free) - i64::from(pages) + i64::from(last_map) + i64::from(entries))
        .max(0)
        / i64::from(entries);
    let lock = geometry.lock_byte_page().get();
    let mut size = i64::from(pages) - i64::from(free) - maps;
    if pages > lock && size < i64::from(lock) {
        size -= 1;
    }
    let mut size = u32::try_from(size).unwrap_or(0);
    while size > 1 && is_skipped(size, geometry) {
        size -= 1;
    }
    size
}

/// Free pages, and the size of the database without them; none if there is nothing to give back.
fn plan(tx: &Tx) -> Result<Option<(u32, u32)>> {
    let free = tx.header_field(Field::FreelistCount);
    if free == 0 || !tx.is_autovacuum() {
        return Ok(None);
    }
    let pages = tx.page_count();
    if is_skipped(pages, tx.geometry()) || free >= pages {
        return Err(Error::corrupt(
            PageNo::ONE,
            "freelist has more pages than the database",
        ));
    }
    let size = size_without(pages, free, tx.geometry());
    if size > pages || size == 0 {
        return Err(Error::corrupt(
            PageNo::ONE,
            "freelist has more pages than the database",
        ));
    }
    Ok(Some((free, size)))
}

/// Gives all free pages back: what the commit of a database with `auto_vacuum=FULL` begins with. Within a write
/// transaction.
///
/// # Errors
/// `Corrupt`; the transaction must then be rolled back.
pub async fn give_back_all(tx: &mut Tx) -> Result<()> {
    let Some((_, size)) = plan(tx)? else {
        return Ok(());
    };
    let (geometry, pages) = (tx.geometry(), tx.page_count());
    for last in (size + 1..=pages).rev() {
        if is_skipped(last, geometry) {
            continue;
        }
        let last = page_no(last)?;
        let entry = tx.ptrmap_get(last).await?;
        match entry {
            PtrmapEntry::Root => {
                return Err(Error::corrupt(last, "a root is behind the other pages"));
            }
            PtrmapEntry::Free => continue,
            _ => {}
        }
        let to = loop {
            let free = tx.allocate(None, Allocate::Any).await?;
            if free.get() > pages {
                return Err(Error::corrupt(free, "freelist is shorter than its count"));
            }
            if free.get() <= size {
                break free;
            }
        };
        relocate(tx, last, to, entry).await?;
    }
    tx.set_header_field(Field::FreelistHead, 0)?;
    tx.set_header_field(Field::FreelistCount, 0)?;
    tx.truncate(size)
}

/// Gives one free page back; false if there is none. Within a write transaction.
///
/// # Errors
/// `Corrupt`; the transaction must then be rolled back.
pub async fn give_back_one(tx: &mut Tx) -> Result<bool> {
    let Some((_, size)) = plan(tx)? else {
        return Ok(false);
    };
    let geometry = tx.geometry();
    let last = page_no(tx.page_count())?;
    let entry = tx.ptrmap_get(last).await?;
    match entry {
        PtrmapEntry::Root => {
            return Err(Error::corrupt(last, "a root is behind the other pages"));
        }
        PtrmapEntry::Free => {
            let taken = tx.allocate(Some(last), Allocate::Exact).await?;
            if taken != last {
                return Err(Error::corrupt(last, "a free page is not on the freelist"));
            }
        }
        _ => {
            let to = tx.allocate(Some(page_no(size)?), Allocate::Le).await?;
            if to.get() > last.get() {
                return Err(Error::corrupt(last, "freelist is shorter than its count"));
            }
            relocate(tx, last, to, entry).await?;
        }
    }
    let mut end = last.get() - 1;
    while is_skipped(end, geometry) {
        end -= 1;
    }
    tx.truncate(end)?;
    Ok(true)
}

/// Moves page `from`, of which the pointer map says `entry`, to `to`, and redirects who points to it.
async fn relocate(tx: &mut Tx, from: PageNo, to: PageNo, entry: PtrmapEntry) -> Result<()> {
    if from.get() <= 2 {
        return Err(Error::corrupt(from, "page cannot be moved"));
    }
    let geometry = tx.geometry();
    let content = tx.page(from).await?;
    let pin = touch(tx, to).await?;
    drop(pin);
    tx.page_mut(to).map_err(failed)?.copy_from_slice(&content);
    let next = overflow::next(&content)?;
    drop(content);
    match entry {
        PtrmapEntry::Root | PtrmapEntry::Btree(_) => note_children(tx, to).await?,
        PtrmapEntry::Overflow1(_) | PtrmapEntry::Overflow2(_) => {
            if let Some(next) = next {
                tx.ptrmap_put(next, PtrmapEntry::Overflow2(to)).await?;
            }
        }
        PtrmapEntry::Free => return Err(Error::corrupt(from, "a free page cannot be moved")),
    }
    if let Some(parent) = entry.parent() {
        let pin = touch(tx, parent).await?;
        drop(pin);
        let data = tx.page_mut(parent).map_err(failed)?;
        redirect(data, geometry, parent, from, to, entry)?;
    }
    tx.ptrmap_put(to, entry).await?;
    tx.bump_all_trees();
    Ok(())
}

/// Changes the pointer to `from` on page `parent` to one to `to`.
fn redirect(
    data: &mut [u8],
    geometry: Geometry,
    parent: PageNo,
    from: PageNo,
    to: PageNo,
    entry: PtrmapEntry,
) -> Result<()> {
    if let PtrmapEntry::Overflow2(_) = entry {
        if overflow::next(data)? != Some(from) {
            return Err(Error::corrupt(
                parent,
                "overflow page is not behind the one that the pointer map says",
            ));
        }
        overflow::set_next(data, Some(to));
        return Ok(());
    }
    let node = Node::new(data, geometry, parent)?;
    for ix in 0..node.count {
        let (at, cell) = node.cell(data, ix, geometry)?;
        let place = match entry {
            PtrmapEntry::Btree(_) if cell.left_child == Some(from) => at as usize,
            PtrmapEntry::Overflow1(_) if cell.overflow == Some(from) => {
                at as usize + cell.payload_offset as usize + cell.local_size as usize
            }
            _ => continue,
        };
        if place + 4 > geometry.usable() as usize || place < node.pointers_end() {
            return Err(Error::from(Corrupt::on(
                parent,
                "cell extends past the end of its page",
            )));
        }
        put_u32(data, place, to.get());
        return Ok(());
    }
    if matches!(entry, PtrmapEntry::Btree(_))
        && !node.is_leaf()
        && node.child(data, node.count)? == from
    {
        PageEdit::new(data, geometry, parent)?.set_child(node.count, to)?;
        return Ok(());
    }
    Err(Error::corrupt(
        parent,
        "page does not point to the one that the pointer map says",
    ))
}

/// A page that was pinned a moment ago is there.
fn failed(stop: Stop) -> Error {
    match stop {
        Stop::Fail(error) => *error,
        Stop::Miss(no) => Error::corrupt(no, "page vanished while it was written"),
        Stop::Slow => Error::Misuse("writing a page does not wait"),
    }
}
