//! Changing rows: insert, delete, new rowids.
//!
//! ```text
//!   Insert ── try_insert_rowid ──► done
//!                  │ Slow
//!                  └► insert_rowid().await (balance, overflow pages)          IdxInsert, Delete, IdxDelete likewise
//! ```
//!
//! Rules:
//! 1. The tree is changed first; counters, hooks and the cursor's cache follow when that has succeeded.
//! 2. The asynchronous twin repeats the whole opcode: it may start over, because the synchronous one changed nothing.
//!
//! Source: SQLite's `OP_Insert`, `OP_Delete`, `OP_IdxInsert`, `OP_IdxDelete`, `OP_NewRowid`.

use super::cursor::{Slot, TreeCursor, unpin_twins};
use super::seek::{expand, values};
use super::state::{State, no_cursor, tree, tx_of, tx_of_mut};
use super::trap::{At, Step, fail, fail_with};
use crate::env::{ChangeKind, Env};
use crate::error::{Error, Result};
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::opcode::p5;
use crate::result_code::ResultCode;
use ringwood_btree::{InsertHint, Payload, Seek};
use ringwood_format::key::UnpackedKey;
use std::cmp::Ordering;

/// What an insert may assume.
#[inline]
fn hint(c: &TreeCursor, flags: u16) -> InsertHint {
    InsertHint {
        append: flags & p5::APPEND != 0,
        seek: if flags & p5::USESEEKRESULT != 0 {
            c.seek
        } else {
            None
        },
        keep_position: flags & p5::SAVEPOSITION != 0,
    }
}

/// The record in a register.
#[inline]
fn payload(mem: &Mem) -> Payload<'_> {
    Payload {
        bytes: mem.bytes(),
        zeros: mem.zeros() as u32,
    }
}

/// Insert, where no page has to be balanced.
#[inline]
pub(super) fn insert(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    respect_locks(s, insn)?;
    unpin_twins(&mut s.cursors, insn.p1);
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => {
            mems[insn.p2 as usize].expand();
            let rowid = mems[insn.p3 as usize].raw_int();
            return c.insert(rowid, mems[insn.p2 as usize].bytes());
        }
        _ => return Err(no_cursor(insn.p1)),
    };
    let rowid = mems[insn.p3 as usize].raw_int();
    let row = payload(&mems[insn.p2 as usize]);
    let hint = hint(c, insn.p5);
    c.cur
        .try_insert_rowid(tx_of_mut(&mut env.dbs, temp, c.store), rowid, row, hint)
        .at(c.store)?;
    inserted(s, env, insn);
    Ok(())
}

/// CursorLock: a trigger that is called now must not change the tree that the cursor stands in.
pub(super) fn lock(s: &mut State, insn: &Insn) -> Step {
    let depth = s.frames.depth();
    let c = tree!(s.cursors, insn.p1);
    let lock = (depth, insn.p1, c.store, c.cur.root());
    s.locks.push(lock);
    Ok(())
}

/// CursorUnlock.
pub(super) fn unlock(s: &mut State, insn: &Insn) {
    let depth = s.frames.depth();
    s.locks
        .retain(|(of, cursor, _, _)| (*of, *cursor) != (depth, insn.p1));
}

/// Fails if somebody else has locked a cursor in the tree that is to be changed.
#[inline]
fn respect_locks(s: &mut State, insn: &Insn) -> Step {
    if s.locks.is_empty() {
        return Ok(());
    }
    let own = (s.frames.depth(), insn.p1);
    let c = tree!(s.cursors, insn.p1);
    let is_locked = s.locks.iter().any(|(depth, cursor, store, root)| {
        (*depth, *cursor) != own && (*store, *root) == (c.store, c.cur.root())
    });
    if is_locked {
        return fail(ResultCode::CONSTRAINT_PINNED);
    }
    Ok(())
}

/// Insert, with everything that it takes.
pub(super) async fn insert_slow(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    super::rows::to_tree(s, env, insn.p1).await?;
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = slow_tree(cursors, insn.p1)?;
    let rowid = mems[insn.p3 as usize].raw_int();
    let row = payload(&mems[insn.p2 as usize]);
    let hint = hint(c, insn.p5);
    c.cur
        .insert_rowid(tx_of_mut(&mut env.dbs, temp, c.store), rowid, row, hint)
        .await?;
    inserted(s, env, insn);
    Ok(())
}

#[inline]
fn inserted(s: &mut State, env: &mut Env, insn: &Insn) {
    let rowid = s.mems[insn.p3 as usize].raw_int();
    if insn.p5 & p5::NCHANGE != 0 {
        s.changes += 1;
        if insn.p5 & p5::LASTROWID != 0 {
            env.facts.last_insert_rowid = rowid;
        }
    }
    if let Slot::Tree(c) = &mut s.cursors[insn.p1 as usize] {
        c.deferred = false;
        c.null_row = false;
        c.row.valid = false;
        c.seek = None;
        if env.hooks.update.is_some() && c.store != super::cursor::TEMP {
            let kind = if insn.p5 & p5::ISUPDATE != 0 {
                ChangeKind::Update
            } else {
                ChangeKind::Insert
            };
            let store = c.store;
            tell(env, kind, store, &insn.p4, rowid);
        }
    }
}

/// Calls the update hook if the instruction names a table.
#[cold]
fn tell(env: &mut Env, kind: ChangeKind, store: u8, table: &P4, rowid: i64) {
    let Some(mut hook) = env.hooks.update.take() else {
        return;
    };
    if let (P4::Table(table), Some(db)) = (table, env.dbs.get(store as usize)) {
        let db = db.name.clone();
        env.outside(|| hook(kind, &db, table, rowid));
    }
    // Unless it has set another one.
    env.hooks.update.get_or_insert(hook);
}

/// Delete, where no page has to be balanced.
#[inline]
pub(super) fn delete(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    if insn.p2 as u16 & p5::ISNOOP != 0 {
        return Ok(());
    }
    respect_locks(s, insn)?;
    unpin_twins(&mut s.cursors, insn.p1);
    let State { cursors, temp, .. } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => return c.delete(),
        Slot::Queue(queue) => {
            queue.delete();
            return Ok(());
        }
        _ => return Err(no_cursor(insn.p1)),
    };
    if c.deferred && !c.null_row {
        super::column::finish_seek(c, tx_of(&env.dbs, temp.as_deref(), c.store))?;
    }
    let rowid = if c.is_table && env.hooks.update.is_some() {
        c.cur.rowid()
    } else {
        0
    };
    let keep = insn.p5 & p5::SAVEPOSITION != 0;
    c.cur
        .try_delete(tx_of_mut(&mut env.dbs, temp, c.store), keep)
        .at(c.store)?;
    deleted(s, env, insn, rowid);
    Ok(())
}

/// Delete, with everything that it takes.
pub(super) async fn delete_slow(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    super::rows::to_tree(s, env, insn.p1).await?;
    unpin_twins(&mut s.cursors, insn.p1);
    let State { cursors, temp, .. } = s;
    let c = slow_tree(cursors, insn.p1)?;
    let rowid = if c.is_table { c.cur.rowid() } else { 0 };
    let keep = insn.p5 & p5::SAVEPOSITION != 0;
    c.cur
        .delete(tx_of_mut(&mut env.dbs, temp, c.store), keep)
        .await?;
    deleted(s, env, insn, rowid);
    Ok(())
}

fn deleted(s: &mut State, env: &mut Env, insn: &Insn, rowid: i64) {
    if let Slot::Tree(c) = &mut s.cursors[insn.p1 as usize] {
        c.row.valid = false;
        c.seek = None;
        if insn.p2 as u16 & p5::NCHANGE != 0 {
            s.changes += 1;
            if env.hooks.update.is_some() && c.is_table && c.store != super::cursor::TEMP {
                let store = c.store;
                tell(env, ChangeKind::Delete, store, &insn.p4, rowid);
            }
        }
    }
}

/// IdxInsert, where no page has to be balanced.
#[inline]
pub(super) fn idx_insert(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Hash(table) => {
            mems[insn.p2 as usize].expand();
            return table.insert(mems[insn.p2 as usize].bytes());
        }
        Slot::Queue(queue) => {
            mems[insn.p2 as usize].expand();
            return queue.insert(mems[insn.p2 as usize].bytes());
        }
        _ => return Err(no_cursor(insn.p1)),
    };
    let hint = hint(c, insn.p5);
    let (first, count) = (insn.p3 as usize, insn.p4.int() as usize);
    mems[insn.p2 as usize].expand();
    expand(&mut mems[first..first + count]);
    let Some(info) = c.info.as_deref() else {
        return Err(no_cursor(insn.p1));
    };
    let record = mems[insn.p2 as usize].bytes();
    let tx = tx_of_mut(&mut env.dbs, temp, c.store);
    // A key with fewer columns than tell entries apart is no use: the tree orders by all of them.
    let columns = info.unique_columns().len();
    if count >= columns && columns > 0 && !c.cur.knows_place(record, hint) {
        let values = values(&mems[first..first + columns]);
        let key = UnpackedKey::new(&values, info, Ordering::Equal);
        c.cur
            .try_insert_key(tx, record, Some(&key), hint)
            .at(c.store)?;
    } else {
        c.cur.try_insert_key(tx, record, None, hint).at(c.store)?;
    }
    if insn.p5 & p5::NCHANGE != 0 {
        s.changes += 1;
    }
    c.row.valid = false;
    c.seek = None;
    Ok(())
}

/// IdxInsert, with everything that it takes.
pub(super) async fn idx_insert_slow(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    match &s.cursors[insn.p1 as usize] {
        Slot::Hash(_) => super::hash::to_tree(s, env, insn.p1).await?,
        Slot::Queue(_) => super::queue::to_tree(s, env, insn.p1).await?,
        _ => {}
    }
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = slow_tree(cursors, insn.p1)?;
    let hint = hint(c, insn.p5);
    let record = mems[insn.p2 as usize].bytes();
    c.cur
        .insert_key(tx_of_mut(&mut env.dbs, temp, c.store), record, None, hint)
        .await?;
    if insn.p5 & p5::NCHANGE != 0 {
        s.changes += 1;
    }
    c.row.valid = false;
    c.seek = None;
    Ok(())
}

/// IdxDelete; `Slow` leaves the cursor on the entry, which the twin deletes.
pub(super) fn idx_delete(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = tree!(cursors, insn.p1);
    let (first, count) = (insn.p2 as usize, insn.p3 as usize);
    expand(&mut mems[first..first + count]);
    let Some(info) = c.info.as_deref() else {
        return Err(no_cursor(insn.p1));
    };
    let values = values(&mems[first..first + count.min(info.columns.len())]);
    let key = UnpackedKey::new(&values, info, Ordering::Equal);
    let found = c
        .cur
        .seek_key(tx_of(&env.dbs, temp.as_deref(), c.store), &key)
        .at(c.store)?;
    c.moved(found == Seek::Equal);
    c.seek = None;
    if found == Seek::Equal {
        c.cur
            .try_delete(tx_of_mut(&mut env.dbs, temp, c.store), false)
            .at(c.store)?;
        c.null_row = true;
    } else if insn.p5 != 0 {
        return fail_with(ResultCode::CORRUPT_INDEX, ResultCode::CORRUPT.message());
    }
    Ok(())
}

/// The second half of IdxDelete: the cursor is on the entry.
pub(super) async fn idx_delete_slow(s: &mut State, env: &mut Env, insn: &Insn) -> Result<()> {
    let State { cursors, temp, .. } = s;
    let c = slow_tree(cursors, insn.p1)?;
    c.cur
        .delete(tx_of_mut(&mut env.dbs, temp, c.store), false)
        .await?;
    c.moved(false);
    Ok(())
}

fn slow_tree(cursors: &mut [super::cursor::Slot], p1: i32) -> Result<&mut TreeCursor> {
    match &mut cursors[p1 as usize] {
        Slot::Tree(c) => Ok(c),
        _ => Err(Error::code(ResultCode::INTERNAL)),
    }
}

/// How often NewRowid tries a random number before it says that the table is full.
const RANDOM_TRIES: usize = 100;

/// NewRowid.
#[inline]
pub(super) fn new_rowid(s: &mut State, env: &mut Env, insn: &Insn) -> Step {
    let State {
        cursors,
        mems,
        temp,
        frames,
        ..
    } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => {
            let rowid = c.new_rowid();
            mems[insn.p2 as usize].set_int(rowid);
            return Ok(());
        }
        _ => return Err(no_cursor(insn.p1)),
    };
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    let mut rowid = 1;
    if !c.use_random_rowid && c.cur.last(tx).at(c.store)? {
        match c.cur.rowid() {
            i64::MAX => c.use_random_rowid = true,
            last => rowid = last + 1,
        }
    }
    if insn.p3 > 0 {
        let largest = &mut frames.main_registers(mems)[insn.p3 as usize];
        let used = super::arith::integer(largest);
        if used == i64::MAX || c.use_random_rowid {
            return fail(ResultCode::FULL);
        }
        rowid = rowid.max(used.saturating_add(1));
        largest.set_int(rowid);
    }
    if c.use_random_rowid {
        let mut tries = 0;
        loop {
            rowid = (env.facts.next_random() & (i64::MAX as u64 >> 1)) as i64 + 1;
            if c.cur.seek_rowid(tx, rowid).at(c.store)? != Seek::Equal {
                break;
            }
            tries += 1;
            if tries >= RANDOM_TRIES {
                return fail(ResultCode::FULL);
            }
        }
    }
    c.moved(false);
    c.null_row = false;
    c.seek = None;
    mems[insn.p2 as usize].set_int(rowid);
    Ok(())
}

/// RowSetTest: whether an earlier batch has the rowid in r[p3].
pub(super) fn rowset_test(mems: &mut [Mem], insn: &Insn) -> bool {
    let batch = insn.p4.int();
    let rowid = mems[insn.p3 as usize].raw_int();
    let set = mems[insn.p1 as usize].rowset();
    if batch != 0 && set.test(batch, rowid) {
        return true;
    }
    if batch >= 0 {
        set.insert(rowid);
    }
    false
}

/// The slot of a Bloom filter for a key: a hash of the registers.
fn filter_hash(mems: &[Mem]) -> u64 {
    let mut hash = 0u64;
    for mem in mems {
        hash = hash.wrapping_add(match mem.kind() {
            Kind::Int | Kind::IntReal => mem.raw_int() as u64,
            Kind::Real => super::arith::integer(mem) as u64,
            // All texts share a hash, and all blobs: collations and encodings may make different bytes equal.
            Kind::Text | Kind::Blob => 4093 + mem.kind() as u64,
            Kind::Null | Kind::Object => 0,
        });
    }
    hash
}

/// FilterAdd and Filter: the byte and bit of the key in the filter of register P1.
pub(super) fn filter(mems: &mut [Mem], insn: &Insn, add: bool) -> bool {
    let first = insn.p3 as usize;
    let hash = filter_hash(&mems[first..first + insn.p4.int() as usize]);
    let filter = &mut mems[insn.p1 as usize];
    filter.expand();
    let Some(bytes) = filter.bytes_mut().filter(|bytes| !bytes.is_empty()) else {
        return true;
    };
    let bit = (hash % (bytes.len() as u64 * 8)) as usize;
    let byte = &mut bytes[bit / 8];
    if add {
        *byte |= 1 << (bit & 7);
    }
    *byte & (1 << (bit & 7)) != 0
}
