//! Trees as a whole: made, emptied, dropped, counted.
//!
//! Rules:
//! 1. A walk over a tree is bounded: at most [`DEPTH_MAX`] levels, and no more pages than the database has.
//! 2. Pages are freed from the leaves up; overflow chains before the page of their cells.

use crate::autovacuum::{allocate_root, free_root};
use crate::chain::chain_pages;
use crate::cursor::Cursor;
use crate::node::{DEPTH_MAX, Node};
use crate::page::build::PageBuild;
use crate::wait::{fetch, wait};
use ringwood_format::btree_page::PageKind;
use ringwood_format::corrupt::Corrupt;
use ringwood_format::page::PageNo;
use ringwood_pager::PageRef;
use ringwood_wal::{Error, Result, Tx};

/// What a tree holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeKind {
    /// Rows by rowid.
    Table,
    /// Records by key: an index, or a table WITHOUT ROWID.
    Index,
}

impl TreeKind {
    const fn leaf(self) -> PageKind {
        match self {
            TreeKind::Table => PageKind::TableLeaf,
            TreeKind::Index => PageKind::IndexLeaf,
        }
    }
}

/// Makes an empty tree: its root.
///
/// # Errors
/// If a page cannot be allocated.
pub async fn create_tree(tx: &mut Tx, kind: TreeKind) -> Result<PageNo> {
    let root = allocate_root(tx).await?;
    init_root(tx, root, kind).await?;
    Ok(root)
}

/// Makes page `root` an empty tree.
pub(crate) async fn init_root(tx: &mut Tx, root: PageNo, kind: TreeKind) -> Result<()> {
    let geometry = tx.geometry();
    // What was fetched is held: a crowded transaction copies no page that nobody holds.
    let mut held = None;
    loop {
        match tx.page_mut(root) {
            Ok(data) => {
                PageBuild::new(data, kind.leaf(), geometry, root).finish();
                break;
            }
            Err(stop) => held = Some(fetch(tx, stop).await?),
        }
    }
    drop(held);
    changed(tx, root);
    Ok(())
}

fn changed(tx: &Tx, root: PageNo) {
    let version = tx.tree_version(root);
    version.set(version.get() + 1);
}

/// Deletes all entries of a tree: how many they were. The root stays.
///
/// # Errors
/// After an error, or if the future is dropped, the transaction must be rolled back to a savepoint.
pub async fn clear_tree(tx: &mut Tx, root: PageNo) -> Result<u64> {
    let (count, kind) = free_pages(tx, root).await?;
    init_root(tx, root, kind).await?;
    Ok(count)
}

/// Deletes a tree and frees its root, which must not be page 1. Returns the old number of the root that was moved to
/// that place, if one was: in an autovacuum database the roots stay together at the start of the file.
///
/// # Errors
/// As [`clear_tree`].
pub async fn drop_tree(tx: &mut Tx, root: PageNo) -> Result<Option<PageNo>> {
    if root == PageNo::ONE {
        return Err(Error::from(Corrupt::on(
            root,
            "the schema table cannot be dropped",
        )));
    }
    free_pages(tx, root).await?;
    changed(tx, root);
    free_root(tx, root).await
}

/// A page on the walk of [`free_pages`].
struct Open {
    page: PageRef,
    node: Node,
    /// The next child to be visited; behind the last one, the page itself is freed.
    next: u16,
}

/// Frees everything below a root: how many entries there were, and what the tree held.
async fn free_pages(tx: &mut Tx, root: PageNo) -> Result<(u64, TreeKind)> {
    let geometry = tx.geometry();
    let (mut entries, mut pages) = (0, 0);
    let mut open: Vec<Open> = Vec::new();
    let mut kind = None;
    let mut down = Some(root);
    loop {
        if let Some(no) = down.take() {
            pages += 1;
            if open.len() >= DEPTH_MAX || pages > tx.page_count() {
                return Err(Error::from(Corrupt::on(
                    no,
                    "tree is too deep or has too many pages",
                )));
            }
            let page = tx.page(no).await?;
            let node = Node::new(&page, geometry, no)?;
            let table = *kind.get_or_insert(node.kind.is_table());
            if node.kind.is_table() != table || (no == root) != open.is_empty() {
                return Err(Error::from(Corrupt::on(
                    no,
                    "page does not belong to the tree",
                )));
            }
            open.push(Open {
                page,
                node,
                next: 0,
            });
        }
        let Some(Open { page, node, next }) = open.last_mut() else {
            break;
        };
        if !node.is_leaf() && *next <= node.count {
            down = Some(node.child(page, *next)?);
            *next += 1;
            continue;
        }
        let (page, node) = (page.clone(), *node);
        open.pop();
        if node.kind != PageKind::TableInterior {
            entries += node.count as u64;
            for ix in 0..node.count {
                let entry = node.entry(&page, ix, geometry)?;
                if entry.overflow.is_some() {
                    for no in chain_pages(tx, geometry, node.no, &entry).await? {
                        tx.free(no).await?;
                    }
                }
            }
        }
        drop(page);
        if node.no != root {
            tx.free(node.no).await?;
        }
    }
    let kind = if kind == Some(true) {
        TreeKind::Table
    } else {
        TreeKind::Index
    };
    Ok((entries, kind))
}

impl Cursor {
    /// Counts the entries of the tree from its pages' headers. The cursor stays where it is.
    ///
    /// # Errors
    /// If a page cannot be read or is malformed.
    pub async fn count(&mut self, tx: &Tx) -> Result<u64> {
        let geometry = tx.geometry();
        let table = self.is_table();
        let root = self.root;
        let mut entries = 0;
        let mut open: Vec<Open> = Vec::new();
        let mut down = Some(root);
        let mut pages = 0u64;
        loop {
            if let Some(no) = down.take() {
                pages += 1;
                if open.len() >= DEPTH_MAX || pages > u64::from(tx.page_count().max(1)) {
                    return Err(Error::from(Corrupt::on(
                        no,
                        "tree is too deep or has too many pages",
                    )));
                }
                let (page, node) =
                    wait!(tx, crate::node::enter(tx, no, table, no == root, geometry));
                if node.kind != PageKind::TableInterior {
                    entries += node.count as u64;
                }
                if !node.is_leaf() {
                    open.push(Open {
                        page,
                        node,
                        next: 0,
                    });
                }
            }
            let Some(Open { page, node, next }) = open.last_mut() else {
                break;
            };
            if *next > node.count {
                open.pop();
                continue;
            }
            if *next % 16 == 0 {
                announce_children(tx, page, node, *next);
            }
            down = Some(node.child(page, *next).map_err(|e| e.at(node.no))?);
            *next += 1;
        }
        Ok(entries)
    }
}

/// Tells the store which pages a walk will want next.
fn announce_children(tx: &Tx, page: &[u8], node: &Node, from: u16) {
    let mut pages: smallvec::SmallVec<[PageNo; 16]> = smallvec::SmallVec::new();
    for ix in from..from.saturating_add(16).min(node.count + 1) {
        match node.child(page, ix) {
            Ok(no) => pages.push(no),
            Err(_) => break,
        }
    }
    if tx
        .try_page(pages.first().copied().unwrap_or(node.no))
        .is_err()
    {
        tx.announce(&pages);
    }
}
