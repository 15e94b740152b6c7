//! Moving cursors: to a key, to an end, one step on, one back.
//!
//! Rules:
//! 1. A handler finishes all its moves before it marks the cursor as moved; a move that is repeated after a miss ends in
//!    the same place.
//! 2. `SEEKEQ` is a hint that is not needed: the comparison after the seek decides.
//!
//! Source: SQLite's `OP_SeekGE` and its family, `OP_Found`, `OP_NotExists`, `OP_IdxGE`, `OP_Next`.

use super::column::{finish_seek, ready};
use super::cursor::Slot;
use super::state::{State, no_cursor, tree, tx_of};
use super::trap::{At, Step};
use crate::env::Env;
use crate::error::Error;
use crate::insn::Insn;
use crate::mem::{Kind, Mem};
use crate::opcode::Opcode;
use ringwood_btree::Seek;
use ringwood_format::affinity::{numeric_affinity, numeric_type, whole_real};
use ringwood_format::key::{KeyInfo, UnpackedKey, compare_record, compare_record_loosely};
use ringwood_format::number::{Number, real_to_integer};
use ringwood_format::record::record_values;
use ringwood_format::value::{ValueRef, compare_int_real};
use smallvec::SmallVec;
use std::cmp::Ordering;

/// Values of a key that is built on the stack.
pub(super) type Values<'a> = SmallVec<[ValueRef<'a>; 8]>;

/// Registers as values of a key.
#[inline]
pub(super) fn values(mems: &[Mem]) -> Values<'_> {
    mems.iter().map(Mem::as_value_ref).collect()
}

/// Writes out tails of zeros, so that the registers can be read as values.
#[inline]
pub(super) fn expand(mems: &mut [Mem]) {
    for mem in mems {
        if mem.zeros() > 0 {
            mem.expand();
        }
    }
}

/// Calls `f` with the key in `mems`.
#[inline]
fn with_key<T>(
    mems: &[Mem],
    info: &KeyInfo,
    default: Ordering,
    f: impl FnOnce(&UnpackedKey<'_>) -> Step<T>,
) -> Step<T> {
    let count = mems.len().min(info.columns.len());
    if let ([only], 1) = (mems, count) {
        let values = [only.as_value_ref()];
        return f(&UnpackedKey::new(&values, info, default));
    }
    let values = values(&mems[..count]);
    f(&UnpackedKey::new(&values, info, default))
}

/// A rowid that was asked for: the integer nearest to it and how that compares with it, or what it is if no number.
enum Target {
    Rowid(i64, Ordering),
    Null,
    Other,
}

fn target(mem: &Mem) -> Target {
    let real = |r: f64| {
        let i = real_to_integer(r);
        Target::Rowid(i, compare_int_real(i, r))
    };
    match mem.kind() {
        Kind::Int | Kind::IntReal => Target::Rowid(mem.raw_int(), Ordering::Equal),
        Kind::Real => real(mem.raw_real()),
        Kind::Text => match numeric_type(mem.bytes()) {
            Some(Number::Integer(i)) => Target::Rowid(i, Ordering::Equal),
            Some(Number::Real(r)) => real(r),
            None => Target::Other,
        },
        Kind::Null => Target::Null,
        _ => Target::Other,
    }
}

/// SeekGE, SeekGT, SeekLE, SeekLT; false if there is no such row.
#[inline]
pub(super) fn seek(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => match target(&mems[insn.p3 as usize]) {
            Target::Rowid(rowid, Ordering::Equal) => return Ok(c.seek_near(insn.opcode, rowid)),
            _ => return Err(no_cursor(insn.p1)),
        },
        Slot::Hash(table) => {
            let first = insn.p3 as usize;
            return table.seek(&mut mems[first..first + insn.p4.int() as usize]);
        }
        _ => return Err(no_cursor(insn.p1)),
    };
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    let mut opcode = insn.opcode;
    let found = if c.is_table {
        match target(&mems[insn.p3 as usize]) {
            Target::Rowid(rowid, order) => {
                // 4.9 was rounded to 4: x > 4.9 is x > 4, x >= 4.9 is x > 4; and the other way round.
                opcode = match (order, opcode) {
                    (Ordering::Less, Opcode::SeekGE) => Opcode::SeekGT,
                    (Ordering::Less, Opcode::SeekLT) => Opcode::SeekLE,
                    (Ordering::Greater, Opcode::SeekGT) => Opcode::SeekGE,
                    (Ordering::Greater, Opcode::SeekLE) => Opcode::SeekLT,
                    (_, same) => same,
                };
                c.cur.seek_rowid(tx, rowid).at(c.store)?
            }
            // Text and blobs are larger than every rowid.
            Target::Other if matches!(opcode, Opcode::SeekLT | Opcode::SeekLE) => {
                let on_row = c.cur.last(tx).at(c.store)?;
                c.moved(on_row);
                return Ok(on_row);
            }
            Target::Null | Target::Other => {
                c.moved(false);
                return Ok(false);
            }
        }
    } else {
        let first = insn.p3 as usize;
        let keys = &mut mems[first..first + insn.p4.int() as usize];
        expand(keys);
        let default = match opcode {
            Opcode::SeekGT | Opcode::SeekLE => Ordering::Less,
            _ => Ordering::Greater,
        };
        let Some(info) = c.info.as_deref() else {
            return Err(no_cursor(insn.p1));
        };
        with_key(keys, info, default, |key| {
            c.cur.seek_key(tx, key).at(c.store)
        })?
    };
    let on_row = match (opcode, found) {
        (_, Seek::Empty) => false,
        (Opcode::SeekGE, Seek::Less) | (Opcode::SeekGT, Seek::Less | Seek::Equal) => {
            c.cur.next(tx).at(c.store)?
        }
        (Opcode::SeekLE, Seek::Greater) | (Opcode::SeekLT, Seek::Greater | Seek::Equal) => {
            c.cur.previous(tx).at(c.store)?
        }
        _ => true,
    };
    c.seek = None;
    c.moved(on_row);
    Ok(on_row)
}

/// SeekRowid and NotExists; false if there is no such row.
#[inline]
pub(super) fn seek_rowid(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let mem = &mems[insn.p3 as usize];
    let rowid = match mem.kind() {
        Kind::Int | Kind::IntReal => mem.raw_int(),
        Kind::Real => match whole_real(mem.raw_real()) {
            Some(rowid) => rowid,
            None => return Ok(false),
        },
        Kind::Text => match numeric_affinity(mem.bytes()) {
            Some(Number::Integer(rowid)) => rowid,
            _ => return Ok(false),
        },
        _ => return Ok(false),
    };
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => return Ok(c.seek(rowid)),
        _ => return Err(no_cursor(insn.p1)),
    };
    let found = c
        .cur
        .seek_rowid(tx_of(&env.dbs, temp.as_deref(), c.store), rowid)
        .at(c.store)?;
    c.moved(true);
    c.seek = Some(found);
    if found != Seek::Equal && insn.p2 == 0 {
        return Err(Error::corrupt().into());
    }
    Ok(found == Seek::Equal)
}

/// Found, NotFound, NoConflict, IfNoHope: whether there is an entry with the key.
pub(super) fn find(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = tree!(cursors, insn.p1);
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    let Some(info) = c.info.as_deref() else {
        return Err(no_cursor(insn.p1));
    };
    let first = insn.p3 as usize;
    let count = insn.p4.int() as usize;
    let found = if count > 0 {
        let keys = &mut mems[first..first + count];
        expand(keys);
        with_key(keys, info, Ordering::Equal, |key| {
            c.cur.seek_key(tx, key).at(c.store)
        })?
    } else {
        mems[first].expand();
        with_record(mems[first].bytes(), info, |key| {
            c.cur.seek_key(tx, key).at(c.store)
        })?
    };
    let exists = found == Seek::Equal;
    c.moved(exists);
    c.seek = Some(found);
    if exists
        && insn.opcode == Opcode::NoConflict
        && mems[first..first + count].iter().any(Mem::is_null)
    {
        return Ok(false);
    }
    if exists && insn.opcode == Opcode::IfNoHope {
        c.seek_hit = count as u16;
    }
    Ok(exists)
}

/// Calls `f` with the key that a record holds.
pub(super) fn with_record<T>(
    record: &[u8],
    info: &KeyInfo,
    f: impl FnOnce(&UnpackedKey<'_>) -> Step<T>,
) -> Step<T> {
    let mut texts: SmallVec<[Vec<u8>; 2]> = SmallVec::new();
    if info.encoding.is_utf8() {
        let mut values = Values::new();
        for value in record_values(record)?.take(info.columns.len()) {
            let (kind, body) = value?;
            values.push(kind.decode(body)?);
        }
        return f(&UnpackedKey::new(&values, info, Ordering::Equal));
    }
    // UTF-16: texts are decoded first, then all values are put together.
    for value in record_values(record)?.take(info.columns.len()) {
        let (kind, body) = value?;
        let mut text = Vec::new();
        if let ValueRef::Text(bytes) = kind.decode(body)? {
            info.encoding.decode(bytes, &mut text);
        }
        texts.push(text);
    }
    let mut values = Values::new();
    for (value, text) in record_values(record)?.zip(&texts) {
        let (kind, body) = value?;
        values.push(match kind.decode(body)? {
            ValueRef::Text(_) => ValueRef::Text(text),
            other => other,
        });
    }
    f(&UnpackedKey::new(&values, info, Ordering::Equal))
}

/// IdxGE, IdxGT, IdxLE, IdxLT: whether the cursor's entry is on that side of the key.
#[inline]
pub(super) fn compare_entry(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let State {
        cursors,
        mems,
        temp,
        payload,
        ..
    } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Hash(table) => {
            let first = insn.p3 as usize;
            return table.differs(&mut mems[first..first + insn.p4.int() as usize]);
        }
        _ => return Err(no_cursor(insn.p1)),
    };
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    if !ready(c, tx)? {
        return Err(Error::corrupt().into());
    }
    let Some(info) = c.info.as_deref() else {
        return Err(no_cursor(insn.p1));
    };
    let first = insn.p3 as usize;
    let keys = &mut mems[first..first + insn.p4.int() as usize];
    expand(keys);
    let size = c.cur.payload_size() as usize;
    if size == 0 {
        return Err(Error::corrupt().into());
    }
    let is_local = c.cur.local_payload().len() == size;
    if !is_local {
        c.cur
            .read_payload(tx, 0, size as u32, payload)
            .at(c.store)?;
    }
    let record = if is_local {
        c.cur.local_payload()
    } else {
        &payload[..]
    };
    let order = with_key(keys, info, Ordering::Equal, |key| {
        Ok(compare_record(record, key).unwrap_or_else(|_| {
            let bytes = if is_local {
                c.cur.payload_and_behind()
            } else {
                record
            };
            compare_damaged(bytes, size, key)
        }))
    });
    if !is_local {
        payload.clear();
    }
    let order = order?;
    Ok(match insn.opcode {
        Opcode::IdxGE => order != Ordering::Less,
        Opcode::IdxGT => order == Ordering::Greater,
        Opcode::IdxLE => order != Ordering::Greater,
        _ => order == Ordering::Less,
    })
}

/// A record that makes no sense, ordered as SQLite orders it; it counts as behind the key where not even that goes.
#[cold]
fn compare_damaged(bytes: &[u8], size: usize, key: &UnpackedKey<'_>) -> Ordering {
    compare_record_loosely(bytes, size, key).unwrap_or(Ordering::Greater)
}

/// What `SeekScan` found.
pub(super) enum Scan {
    /// Go on with the seek.
    Seek,
    /// The cursor is on the row: skip the seek.
    Arrived,
    /// The cursor is past the key, in a loop that is then at its end.
    Past,
    /// There are no more rows.
    End,
}

/// SeekScan: up to `steps` steps towards the key of the seek that follows.
pub(super) fn seek_scan(s: &mut State, env: &Env, steps: i32, seek: &Insn) -> Step<Scan> {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let c = tree!(cursors, seek.p1);
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    if c.null_row || !c.cur.is_current() {
        return Ok(Scan::Seek);
    }
    let Some(info) = c.info.clone() else {
        return Err(no_cursor(seek.p1));
    };
    let first = seek.p3 as usize;
    let keys = &mut mems[first..first + seek.p4.int() as usize];
    expand(keys);
    let mut left = steps;
    loop {
        let local = c.cur.local_payload();
        if local.len() != c.cur.payload_size() as usize {
            return Ok(Scan::Seek);
        }
        match with_key(keys, &info, Ordering::Equal, |key| {
            Ok(compare_record(local, key)?)
        })? {
            Ordering::Greater => return Ok(Scan::Past),
            Ordering::Equal => return Ok(Scan::Arrived),
            Ordering::Less if left <= 0 => return Ok(Scan::Seek),
            Ordering::Less => {}
        }
        left -= 1;
        let on_row = c.cur.next(tx).at(c.store)?;
        c.moved(on_row);
        if !on_row {
            return Ok(Scan::End);
        }
    }
}

/// Rewind, Sort, Last; false if there are no rows.
pub(super) fn go_to_end(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let State { cursors, temp, .. } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => return Ok(c.go_to_end(insn.opcode == Opcode::Last)),
        Slot::Queue(queue) if insn.opcode != Opcode::Last => return Ok(queue.rewind()),
        _ => return Err(no_cursor(insn.p1)),
    };
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    if insn.opcode == Opcode::Last {
        if insn.p3 < 0 && c.cur.is_valid() {
            c.seek = Some(Seek::Less);
            return Ok(true);
        }
        let on_row = c.cur.last(tx).at(c.store)?;
        c.seek = if insn.p3 >= 0 {
            None
        } else {
            Some(if on_row { Seek::Less } else { Seek::Empty })
        };
        c.moved(on_row);
        return Ok(on_row);
    }
    let on_row = c.cur.first(tx).at(c.store)?;
    c.seek = None;
    c.moved(on_row);
    Ok(on_row)
}

/// SeekEnd.
pub(super) fn seek_end(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let State { cursors, temp, .. } = s;
    let c = tree!(cursors, insn.p1);
    let on_row = c
        .cur
        .last(tx_of(&env.dbs, temp.as_deref(), c.store))
        .at(c.store)?;
    c.moved(on_row);
    c.seek = Some(if on_row { Seek::Less } else { Seek::Empty });
    Ok(())
}

/// Next, Prev; false at the end.
#[inline]
pub(super) fn advance(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let State { cursors, temp, .. } = s;
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Rows(c) => return Ok(c.step(insn.opcode == Opcode::Next)),
        Slot::Hash(table) if insn.opcode == Opcode::Next => return Ok(table.next()),
        _ => return Err(no_cursor(insn.p1)),
    };
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    let on_row = if insn.opcode == Opcode::Next {
        c.cur.next(tx).at(c.store)?
    } else {
        c.cur.previous(tx).at(c.store)?
    };
    c.null_row = !on_row;
    c.row.valid = false;
    Ok(on_row)
}

/// FinishSeek.
pub(super) fn finish(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let State { cursors, temp, .. } = s;
    let c = tree!(cursors, insn.p1);
    if c.deferred && !c.null_row {
        finish_seek(c, tx_of(&env.dbs, temp.as_deref(), c.store))?;
    }
    Ok(())
}

/// NullRow. A cursor that was never opened becomes one without rows.
pub(super) fn null_row(s: &mut State, insn: &Insn) {
    let slot = &mut s.cursors[insn.p1 as usize];
    match slot {
        Slot::Tree(c) => {
            c.cur.reset();
            c.moved(false);
        }
        Slot::Hash(table) => table.leave(),
        Slot::Rows(c) => c.leave(),
        Slot::Queue(queue) => queue.leave(),
        Slot::Pseudo(c) => c.row.valid = false,
        Slot::Virtual(c) => c.null_row = true,
        Slot::Closed => *slot = Slot::Null,
        Slot::Null | Slot::Sorter(_) => {}
    }
}
