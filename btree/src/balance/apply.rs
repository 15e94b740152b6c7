//! A plan carried out: pages reserved, then written without waiting, then freed.

use super::deal::{Redistribution, Segment};
use super::distribute::PAGES_MAX;
use super::draft::{Draft, Link, Slot};
use super::plan::Plan;
use crate::autovacuum::note_children;
use crate::node::Limits;
use crate::page::build::PageBuild;
use crate::page::edit::PageEdit;
use crate::wait::touch;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_pager::PageRef;
use ringwood_wal::{Allocate, Error, Result, Stop, Tx};
use smallvec::SmallVec;

/// The numbers of the pages that a redistribution writes.
type Numbers = SmallVec<[PageNo; PAGES_MAX]>;

/// How a page is written.
enum Way {
    /// It is what it is to be already.
    Nothing,
    /// Most of its cells stay: the others are taken off and put on. The source that it is.
    Edit(u8, SmallVec<[Segment; 12]>),
    /// Anew.
    Build(SmallVec<[Segment; 12]>),
}

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
    let mut numbers: SmallVec<[Numbers; 2]> = SmallVec::new();
    let mut freed: SmallVec<[PageNo; 4]> = SmallVec::new();
    for level in &plan.levels {
        numbers.push(reserve(tx, level, near).await?);
        freed.extend(level.old.iter().skip(level.new.len()).copied());
    }
    for &(at, slot) in &plan.arena.fixups {
        let no = number_of(&numbers, slot).get();
        plan.arena.bytes[at as usize..at as usize + 4].copy_from_slice(&no.to_be_bytes());
    }
    let mut held: SmallVec<[PageRef; 8]> = SmallVec::new();
    let mut ways: SmallVec<[Way; 6]> = SmallVec::new();
    for (level, own) in plan.levels.iter().zip(&numbers) {
        for (index, &no) in own.iter().enumerate() {
            let way = way(level, index, no, &numbers);
            if !matches!(way, Way::Nothing) {
                held.push(touch(tx, no).await?);
            }
            ways.push(way);
        }
    }
    for draft in &plan.edits {
        held.push(touch(tx, draft.node().no).await?);
    }
    let written: SmallVec<[PageNo; 8]> = if tx.is_autovacuum() {
        let edited = plan.edits.iter().map(|draft| draft.node().no);
        numbers.iter().flatten().copied().chain(edited).collect()
    } else {
        SmallVec::new()
    };
    write(tx, geometry, plan, &numbers, ways, held)?;
    for no in written {
        note_children(tx, no).await?;
    }
    for no in freed {
        tx.free(no).await?;
    }
    Ok(())
}

/// The numbers for the pages of a redistribution: old ones first, then new ones. Where pages are added, all get new
/// places in ascending order, so that a scan reads the file forward; where none are, most cells stay on their pages.
async fn reserve(tx: &mut Tx, level: &Redistribution, near: PageNo) -> Result<Numbers> {
    let mut numbers: Numbers = level.old.iter().take(level.new.len()).copied().collect();
    if numbers.len() == level.new.len() {
        return Ok(numbers);
    }
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

/// How new page `index` of a redistribution gets to page `no`.
fn way(level: &Redistribution, index: usize, no: PageNo, numbers: &[Numbers]) -> Way {
    let segments = level.segments_of(index);
    let Some(own) = level.source_of(no) else {
        return Way::Build(segments);
    };
    let mut kept = 0;
    for segment in &segments {
        if let Segment::Run { source, from, to } = segment
            && *source == own
        {
            kept += (to - from) as usize;
        }
    }
    let count = level.new[index].cells.len();
    let source = &level.sources[own as usize];
    let before = source.node.count as usize;
    let right = |link: Option<Link>| link.map(|link| resolve(numbers, link));
    if kept == count && kept == before && right(source.right) == right(level.new[index].right) {
        // An interior page whose right child has another number now is to be written, although the link is the same.
        let unmoved = !matches!(source.right, Some(Link::Slot(_)));
        if unmoved {
            return Way::Nothing;
        }
    }
    // What goes and what comes costs about twice what a cell costs in a page built anew.
    if (before - kept) + (count - kept) < count / 2 {
        Way::Edit(own, segments)
    } else {
        Way::Build(segments)
    }
}

/// Writes everything. `held` pins the pages in the order in which they are written, so that they are resident; each
/// pin is given up before its page is written, so that it is not copied.
fn write(
    tx: &mut Tx,
    geometry: Geometry,
    plan: Plan,
    numbers: &[Numbers],
    ways: SmallVec<[Way; 6]>,
    held: SmallVec<[PageRef; 8]>,
) -> Result<()> {
    let (mut held, mut ways) = (held.into_iter(), ways.into_iter());
    let Plan {
        arena,
        levels,
        edits,
    } = plan;
    let arena = arena.bytes;
    for (level, own) in levels.iter().zip(numbers) {
        for ((index, &no), way) in own.iter().enumerate().zip(&mut ways) {
            if matches!(way, Way::Nothing) {
                continue;
            }
            drop(held.next());
            let data = tx.page_mut(no).map_err(failed)?;
            let right = level.new[index].right.map(|link| resolve(numbers, link));
            match way {
                Way::Nothing => {}
                Way::Edit(own, segments) => {
                    change(data, geometry, no, level, own, &segments, right, &arena)?;
                }
                Way::Build(segments) => build(data, geometry, no, level, &segments, right, &arena)?,
            }
        }
    }
    for draft in edits {
        drop(held.next());
        edit(tx, geometry, draft, &arena, numbers)?;
    }
    Ok(())
}

/// Writes a page anew.
fn build(
    data: &mut [u8],
    geometry: Geometry,
    no: PageNo,
    level: &Redistribution,
    segments: &[Segment],
    right: Option<PageNo>,
    arena: &[u8],
) -> Result<()> {
    let limits = Limits::new(geometry, level.kind);
    let mut page = PageBuild::new(data, level.kind, geometry, no);
    for segment in segments {
        match *segment {
            Segment::Run { source, from, to } => {
                let source = &level.sources[source as usize];
                page.push_run(&source.page, &source.node, from..to, limits)?;
            }
            Segment::One(piece) => {
                page.push(&arena[piece.at as usize..(piece.at + piece.len) as usize])?;
            }
        }
    }
    if let Some(right) = right {
        page.set_right_child(right);
    }
    page.finish();
    Ok(())
}

/// Makes a page of what it is, source `own`: takes off the cells that go, and puts on those that come.
fn change(
    data: &mut [u8],
    geometry: Geometry,
    no: PageNo,
    level: &Redistribution,
    own: u8,
    segments: &[Segment],
    right: Option<PageNo>,
    arena: &[u8],
) -> Result<()> {
    let mut page = PageEdit::new(data, geometry, no)?;
    // From the end, everything between the runs that stay.
    let mut upto = page.node.count;
    let mut kept = segments.iter().rev().filter_map(|segment| match *segment {
        Segment::Run { source, from, to } if source == own => Some((from, to)),
        _ => None,
    });
    loop {
        let (from, to) = kept.next().unwrap_or((0, 0));
        for ix in (to..upto).rev() {
            page.remove(ix)?;
        }
        upto = from;
        if upto == 0 {
            break;
        }
    }
    let mut ix = 0;
    for segment in segments {
        match *segment {
            Segment::Run { source, from, to } if source == own => ix += to - from,
            Segment::Run { source, from, to } => {
                let source = &level.sources[source as usize];
                for from in from..to {
                    put(
                        &mut page,
                        ix,
                        source.node.cell_bytes(&source.page, from, geometry)?,
                    )?;
                    ix += 1;
                }
            }
            Segment::One(piece) => {
                put(
                    &mut page,
                    ix,
                    &arena[piece.at as usize..(piece.at + piece.len) as usize],
                )?;
                ix += 1;
            }
        }
    }
    if let Some(right) = right {
        page.set_child(ix, right)?;
    }
    Ok(())
}

/// Puts a cell on a page that has room for it.
fn put(page: &mut PageEdit<'_>, ix: u16, cell: &[u8]) -> Result<()> {
    if page.insert_cell(ix, cell)? {
        return Ok(());
    }
    Err(Error::from(Corrupt::on(
        page.node.no,
        "free space is not what the page says",
    )))
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
            put(&mut page, (ix as i32 + shift) as u16, cell)?;
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
        Stop::Miss(no) => Error::from(Corrupt::on(no, "page vanished while it was written")),
        Stop::Slow => Error::Misuse("writing a page does not wait"),
    }
}
