//! A plan carried out: pages reserved, then written without waiting, then freed.

use super::distribute::PAGES_MAX;
use super::draft::{ARENA, Draft, Link, Slot};
use super::plan::{Plan, Redistribution};
use crate::page::build::PageBuild;
use crate::page::edit::PageEdit;
use crate::wait::touch;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_pager::PageRef;
use ringwood_wal::{Allocate, Error, Result, Stop, Tx};
use smallvec::SmallVec;

/// The numbers of the pages that a redistribution writes.
type Numbers = SmallVec<[PageNo; PAGES_MAX]>;

/// Carries a plan out. `near` is a page of the tree, beside which new pages are best placed.
///
/// # Suspends
/// While pages are reserved, when nothing of the tree has changed, and while pages are freed, when all of it has.
pub(crate) async fn apply(
    tx: &mut Tx,
    geometry: Geometry,
    mut plan: Plan,
    near: PageNo,
) -> Result<()> {
    refuse_autovacuum(tx)?;
    let mut numbers: SmallVec<[Numbers; 4]> = SmallVec::new();
    let mut freed: SmallVec<[PageNo; 4]> = SmallVec::new();
    for level in &plan.levels {
        numbers.push(reserve(tx, level, near).await?);
        freed.extend(level.old.iter().skip(level.new.len()).map(|old| old.no));
    }
    for &(at, slot) in &plan.arena.fixups {
        let no = number_of(&numbers, slot).get();
        plan.arena.bytes[at as usize..at as usize + 4].copy_from_slice(&no.to_be_bytes());
    }
    let mut held: SmallVec<[PageRef; 16]> = SmallVec::new();
    for (level, numbers) in plan.levels.iter().zip(&numbers) {
        for (index, &no) in numbers.iter().enumerate() {
            if !level.is_as_before(index, no) {
                held.push(touch(tx, no).await?);
            }
        }
    }
    for draft in &plan.edits {
        held.push(touch(tx, draft.node().no).await?);
    }
    write(tx, geometry, plan, &numbers, held)?;
    for no in freed {
        tx.free(no).await?;
    }
    Ok(())
}

/// The numbers for the pages of a redistribution: old ones first, then new ones, in ascending order.
async fn reserve(tx: &mut Tx, level: &Redistribution, near: PageNo) -> Result<Numbers> {
    let mut numbers: Numbers = level
        .old
        .iter()
        .take(level.new.len())
        .map(|old| old.no)
        .collect();
    while numbers.len() < level.new.len() {
        let near = numbers.last().copied().unwrap_or(near);
        numbers.push(tx.allocate(Some(near), Allocate::Any).await?);
    }
    numbers[usize::from(level.first_stays)..].sort_unstable();
    Ok(numbers)
}

fn number_of(numbers: &[Numbers], slot: Slot) -> PageNo {
    numbers[slot.level as usize][slot.index as usize]
}

fn resolve(numbers: &[Numbers], link: Link) -> PageNo {
    match link {
        Link::Page(no) => no,
        Link::Slot(slot) => number_of(numbers, slot),
    }
}

/// Writes everything. `held` pins the pages in the order in which they are written, so that they are resident; each
/// pin is given up before its page is written, so that it is not copied.
fn write(
    tx: &mut Tx,
    geometry: Geometry,
    plan: Plan,
    numbers: &[Numbers],
    held: SmallVec<[PageRef; 16]>,
) -> Result<()> {
    let mut held = held.into_iter();
    for (level, own) in plan.levels.iter().zip(numbers) {
        for (index, &no) in own.iter().enumerate() {
            if level.is_as_before(index, no) {
                continue;
            }
            drop(held.next());
            let data = tx.page_mut(no).map_err(failed)?;
            let mut page = PageBuild::new(data, level.kind, geometry, no);
            let new = &level.new[index];
            for piece in &level.cells[new.cells.clone()] {
                let bytes: &[u8] = if piece.source == ARENA {
                    &plan.arena.bytes
                } else {
                    &level.sources[piece.source as usize]
                };
                page.push(&bytes[piece.at as usize..(piece.at + piece.len) as usize]);
            }
            if let Some(right) = new.right {
                page.set_right_child(resolve(numbers, right));
            }
            page.finish();
        }
    }
    let Plan { arena, edits, .. } = plan;
    for draft in edits {
        drop(held.next());
        edit(tx, geometry, draft, &arena.bytes, numbers)?;
    }
    Ok(())
}

/// Changes a page in place: everything that goes is taken off before anything is put on.
fn edit(
    tx: &mut Tx,
    geometry: Geometry,
    draft: Draft,
    arena: &[u8],
    numbers: &[Numbers],
) -> Result<()> {
    let Draft {
        level,
        changes,
        links,
        right,
    } = draft;
    let no = level.node.no;
    drop(level);
    let data = tx.page_mut(no).map_err(failed)?;
    let mut page = PageEdit::new(data, geometry, no)?;
    for (ix, link) in links {
        page.set_child(ix, resolve(numbers, link))?;
    }
    for change in changes.iter().rev() {
        for ix in (change.at..change.at + change.remove).rev() {
            page.remove(ix)?;
        }
    }
    let mut shift = 0i32;
    for change in &changes {
        for (ix, piece) in (change.at..).zip(&change.insert) {
            let cell = &arena[piece.at as usize..(piece.at + piece.len) as usize];
            if !page.insert_cell((ix as i32 + shift) as u16, cell)? {
                return Err(Error::from(ringwood_format::corrupt::Corrupt::on(
                    no,
                    "free space is not what the page says",
                )));
            }
        }
        shift += change.insert.len() as i32 - change.remove as i32;
    }
    if let Some(right) = right {
        let count = page.node.count;
        page.set_child(count, resolve(numbers, right))?;
    }
    Ok(())
}

/// A page that was pinned a moment ago is there.
fn failed(stop: Stop) -> Error {
    match stop {
        Stop::Fail(error) => *error,
        Stop::Miss(no) => Error::from(ringwood_format::corrupt::Corrupt::on(
            no,
            "page vanished while it was written",
        )),
        Stop::Slow => Error::from(ringwood_format::corrupt::Corrupt::new(
            "page is not writable",
        )),
    }
}

/// Pages of an autovacuum database cannot be moved about yet: its pointer map would be wrong.
pub(crate) fn refuse_autovacuum(tx: &Tx) -> Result<()> {
    if tx.is_autovacuum() {
        Err(Error::ReadOnly)
    } else {
        Ok(())
    }
}
