//! Reading the current row of a cursor: columns, the whole record, the rowid.
//!
//! ```text
//!   Column ── cached header? ──► type, offset ──► local payload? ──► register
//!      │  no                          │                │ no
//!      └► pending seek, moved cursor  └► parse on      └► overflow pages (a step that may miss)
//! ```
//!
//! Rules:
//! 1. Nothing is copied but the column itself; what lies on the leaf is read in place.
//! 2. Of a record with overflow pages only what is asked for is read: the header, then the column.
//! 3. A column that the record does not have is P4's value, or NULL.
//!
//! Source: SQLite's `OP_Column`, `sqlite3VdbeSerialGet`.

use super::cursor::{Slot, TreeCursor};
use super::row::Row;
use super::state::{State, no_cursor, tree, tx_of};
use super::trap::{At, Step};
use crate::env::Env;
use crate::error::Error;
use crate::insn::{Insn, P4};
use crate::mem::{Kind, Mem};
use crate::opcode::p5;
use ringwood_btree::{Moved, Seek};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::index_rowid;
use ringwood_format::record::SerialType;
use ringwood_wal::Tx;

/// Makes the cursor's entry readable: makes a pending move, and finds it again if somebody changed the tree. False on
/// the null row.
#[inline]
pub(super) fn ready(c: &mut TreeCursor, tx: &Tx) -> Step<bool> {
    if c.null_row {
        return Ok(false);
    }
    if c.deferred {
        finish_seek(c, tx)?;
    } else if !c.cur.is_current() {
        c.row.valid = false;
        if c.cur.restore(tx).at(c.store)? != Moved::Same {
            c.null_row = true;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a move that was put off.
pub(super) fn finish_seek(c: &mut TreeCursor, tx: &Tx) -> Step {
    let seek = c.cur.seek_rowid(tx, c.target).at(c.store)?;
    c.seek = Some(seek);
    c.moved(true);
    if seek == Seek::Equal {
        Ok(())
    } else {
        Err(Error::corrupt().into())
    }
}

/// Column.
#[inline(always)]
pub(super) fn column(s: &mut State, env: &Env, insn: &Insn) -> Step {
    // The common case first: a cursor that stands where it stood, a column on the leaf.
    if let Slot::Tree(c) = &mut s.cursors[insn.p1 as usize] {
        if c.row.valid || (!c.null_row && !c.deferred && c.cur.is_current()) {
            let local = c.cur.local_payload();
            if !c.row.valid {
                c.row.start(c.cur.payload_size());
            }
            if let Some((kind, offset)) = c.row.find(local, insn.p2 as usize)? {
                if let Some(tail) = local.get(offset as usize..) {
                    if decode(
                        kind,
                        tail,
                        env.facts.encoding,
                        &mut s.mems[insn.p3 as usize],
                    ) {
                        return Ok(());
                    }
                }
            }
        }
    }
    column_slow(s, env, insn)
}

/// Column in all other cases.
#[inline(never)]
fn column_slow(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let column = insn.p2 as usize;
    let State {
        cursors,
        mems,
        temp,
        payload,
        ..
    } = s;
    match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => {
            if !c.row.valid {
                let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
                if c.deferred && !c.null_row {
                    if let Some((other, column)) = redirected(c, column) {
                        let redirected = Insn {
                            p1: other,
                            p2: column,
                            ..insn.clone()
                        };
                        return column_slow(s, env, &redirected);
                    }
                }
                if !ready(c, tx)? {
                    mems[insn.p3 as usize].set_null();
                    return Ok(());
                }
                c.row.start(c.cur.payload_size());
            }
            let out = &mut mems[insn.p3 as usize];
            if c.row.get(column).is_none() && !c.row.is_complete() {
                parse(c, env, temp.as_deref(), column, payload)?;
            }
            let Some((kind, offset)) = c.row.get(column) else {
                has_no_values(c)?;
                missing(insn, out);
                return Ok(());
            };
            let tail = c
                .cur
                .local_payload()
                .get(offset as usize..)
                .unwrap_or_default();
            if decode(kind, tail, env.facts.encoding, out) {
                return Ok(());
            }
            overflowing_column(c, env, temp.as_deref(), kind, offset, insn, out, payload)
        }
        Slot::Hash(table) => {
            let out = &mut mems[insn.p3 as usize];
            if table.null_row {
                out.set_null();
                return Ok(());
            }
            let (row, record) = table.row_and_record();
            column_of_record(row, record, column, env.facts.encoding, insn, out)
        }
        Slot::Queue(queue) => {
            let out = &mut mems[insn.p3 as usize];
            let Some((row, record)) = queue.row_and_record() else {
                out.set_null();
                return Ok(());
            };
            column_of_record(row, record, column, env.facts.encoding, insn, out)
        }
        Slot::Rows(c) => {
            let out = &mut mems[insn.p3 as usize];
            let encoding = env.facts.encoding;
            let read = c.with_record(|row, record| {
                column_of_record(row, record, column, encoding, insn, out)
            });
            read.unwrap_or_else(|| {
                mems[insn.p3 as usize].set_null();
                Ok(())
            })
        }
        Slot::Pseudo(c) => {
            let register = c.register as usize;
            if register == insn.p3 as usize || register == 0 {
                mems[insn.p3 as usize].set_null();
                return Ok(());
            }
            let Ok([record, out]) = mems.get_disjoint_mut([register, insn.p3 as usize]) else {
                return Err(no_cursor(insn.p1));
            };
            record.expand();
            column_of_record(
                &mut c.row,
                record.bytes(),
                column,
                env.facts.encoding,
                insn,
                out,
            )
        }
        Slot::Sorter(sorter) => {
            let out = &mut mems[insn.p3 as usize];
            let mut row = Row::default();
            column_of_record(
                &mut row,
                sorter.record()?,
                column,
                env.facts.encoding,
                insn,
                out,
            )
        }
        Slot::Null => {
            mems[insn.p3 as usize].set_null();
            Ok(())
        }
        Slot::Closed | Slot::Virtual(_) => Err(no_cursor(insn.p1)),
    }
}

/// Where an index cursor knows the column of a table cursor whose move is put off.
fn redirected(c: &TreeCursor, column: usize) -> Option<(i32, i32)> {
    let (cursor, map) = c.alternative.as_ref()?;
    match map.get(column) {
        Some(&at) if at > 0 => Some((*cursor as i32, at as i32 - 1)),
        _ => None,
    }
}

/// A row of no bytes has no values; but where the byte behind it is not 0, that is the size of a header that it does not
/// have.
fn has_no_values(c: &TreeCursor) -> Step {
    if c.cur.payload_size() == 0 && c.cur.payload_and_behind().first() != Some(&0) {
        return Err(Error::corrupt().into());
    }
    Ok(())
}

/// Rule 3.
#[cold]
fn missing(insn: &Insn, out: &mut Mem) {
    match &insn.p4 {
        P4::Value(value) => out.set_value(value.as_ref().as_ref()),
        _ => out.set_null(),
    }
}

/// Parses the header up to `column`.
#[inline]
fn parse(
    c: &mut TreeCursor,
    env: &Env,
    temp: Option<&Tx>,
    column: usize,
    scratch: &mut Vec<u8>,
) -> Step {
    let local = c.cur.local_payload();
    c.row.read_size(local)?;
    let header = c.row.header_size();
    if header as usize <= local.len() {
        return Ok(c.row.parse(local, column)?);
    }
    let tx = if c.store == super::cursor::TEMP {
        temp
    } else {
        env.dbs.get(c.store as usize).map(|db| &db.tx)
    };
    let tx = tx.ok_or_else(|| no_cursor(0))?;
    // If that fails, it is not the header that makes no sense: it cannot be had.
    c.row.valid = false;
    c.cur.read_payload(tx, 0, header, scratch).at(c.store)?;
    c.row.valid = true;
    let parsed = c.row.parse(scratch, column);
    scratch.clear();
    Ok(parsed?)
}

/// A column that goes on on overflow pages.
#[cold]
#[inline(never)]
fn overflowing_column(
    c: &mut TreeCursor,
    env: &Env,
    temp: Option<&Tx>,
    kind: u32,
    offset: u32,
    insn: &Insn,
    out: &mut Mem,
    scratch: &mut Vec<u8>,
) -> Step {
    let size = SerialType(kind).size();
    let asks = insn.p5 & p5::BYTELENARG;
    if asks != 0 && describe(kind, size, asks, out) {
        return Ok(());
    }
    if u64::from(size) > env.limits.length {
        return Err(Error::too_big().into());
    }
    let tx = if c.store == super::cursor::TEMP {
        temp
    } else {
        env.dbs.get(c.store as usize).map(|db| &db.tx)
    };
    let tx = tx.ok_or_else(|| no_cursor(insn.p1))?;
    // The bytes read so far stay in `scratch` across misses.
    c.cur.read_payload(tx, offset, size, scratch).at(c.store)?;
    if kind >= 12 && (kind & 1 == 0 || env.facts.encoding.is_utf8()) {
        let bytes = std::mem::take(scratch);
        if kind & 1 == 1 {
            out.set_text_vec(bytes);
        } else {
            out.set_blob_vec(bytes);
        }
        return Ok(());
    }
    let decoded = decode(kind, scratch, env.facts.encoding, out);
    scratch.clear();
    if decoded {
        Ok(())
    } else {
        Err(Error::corrupt().into())
    }
}

/// Only type or length are wanted: says them without reading the content, where that is possible.
fn describe(kind: u32, size: u32, asks: u16, out: &mut Mem) -> bool {
    let type_only = asks == p5::TYPEOFARG;
    let is_blob = kind >= 12 && kind & 1 == 0;
    if !(type_only || (kind >= 12 && (is_blob || asks == p5::BYTELENARG))) {
        return false;
    }
    match kind {
        1..=6 => out.set_int(0),
        7 => out.set_real(0.0),
        _ if is_blob || !type_only => out.set_zeroblob(u64::from(size)),
        _ => out.set_text(b""),
    }
    true
}

/// Puts the value at the start of `tail` into a register; false if it goes on behind the end.
#[inline(always)]
fn decode(kind: u32, tail: &[u8], encoding: TextEncoding, out: &mut Mem) -> bool {
    match kind {
        0 | 11 => out.set_null(),
        // A value that an UPDATE of a virtual table does not change (`record::UNCHANGED`).
        10 => out.set_no_change(),
        1 => match *tail {
            [a, ..] => out.set_int(i64::from(a as i8)),
            _ => return false,
        },
        2 => match *tail {
            [a, b, ..] => out.set_int(i64::from(i16::from_be_bytes([a, b]))),
            _ => return false,
        },
        3 => match *tail {
            [a, b, c, ..] => out.set_int(i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8)),
            _ => return false,
        },
        4 => match *tail {
            [a, b, c, d, ..] => out.set_int(i64::from(i32::from_be_bytes([a, b, c, d]))),
            _ => return false,
        },
        5 => match *tail {
            [a, b, c, d, e, f, ..] => {
                out.set_int(i64::from_be_bytes([a, b, c, d, e, f, 0, 0]) >> 16);
            }
            _ => return false,
        },
        6 | 7 => match tail.first_chunk::<8>() {
            Some(word) if kind == 6 => out.set_int(i64::from_be_bytes(*word)),
            Some(word) => out.set_real(f64::from_be_bytes(*word)),
            None => return false,
        },
        8 => out.set_int(0),
        9 => out.set_int(1),
        _ => match tail.get(..(kind as usize - 12) >> 1) {
            Some(body) if kind & 1 == 0 => out.set_blob(body),
            Some(body) if encoding.is_utf8() => out.set_text(body),
            Some(body) => encoding.decode(body, out.start_bytes(Kind::Text)),
            None => return false,
        },
    }
    true
}

/// A column of a record that is all there.
#[inline]
fn column_of_record(
    row: &mut Row,
    record: &[u8],
    column: usize,
    encoding: TextEncoding,
    insn: &Insn,
    out: &mut Mem,
) -> Step {
    if !row.valid {
        row.start(record.len() as u32);
    }
    let Some((kind, offset)) = row.find(record, column)? else {
        missing(insn, out);
        return Ok(());
    };
    let tail = record.get(offset as usize..).unwrap_or_default();
    if decode(kind, tail, encoding, out) {
        Ok(())
    } else {
        Err(Error::corrupt().into())
    }
}

/// The type and place of a column of a record in memory.
fn type_of_record(row: &mut Row, record: &[u8], column: usize) -> Step<Option<(u32, u32)>> {
    if !row.valid {
        row.start(record.len() as u32);
    }
    Ok(row.find(record, column)?)
}

/// IsType: the mask of the type of a column or register.
pub(super) fn is_type(s: &mut State, env: &Env, insn: &Insn) -> Step<bool> {
    let mask = if insn.p1 < 0 {
        match s.mems[insn.p3 as usize].kind() {
            Kind::Int => 1,
            Kind::Real | Kind::IntReal => 2,
            Kind::Text => 4,
            Kind::Blob => 8,
            Kind::Null | Kind::Object => 16,
        }
    } else {
        let State {
            cursors,
            temp,
            payload,
            ..
        } = s;
        let column = insn.p3 as usize;
        let found = match &mut cursors[insn.p1 as usize] {
            Slot::Tree(c) => {
                if ready(c, tx_of(&env.dbs, temp.as_deref(), c.store))? {
                    if !c.row.valid {
                        c.row.start(c.cur.payload_size());
                    }
                    if c.row.get(column).is_none() && !c.row.is_complete() {
                        parse(c, env, temp.as_deref(), column, payload)?;
                    }
                    let found = c.row.get(column);
                    if found.is_none() {
                        has_no_values(c)?;
                    }
                    Some(found)
                } else {
                    None
                }
            }
            Slot::Hash(table) if table.null_row => None,
            Slot::Hash(table) => {
                let (row, record) = table.row_and_record();
                Some(type_of_record(row, record, column)?)
            }
            Slot::Rows(c) => c
                .with_record(|row, record| type_of_record(row, record, column))
                .transpose()?,
            _ => return Err(no_cursor(insn.p1)),
        };
        if let Some(found) = found {
            match found {
                Some((0 | 10 | 11, _)) => 16,
                Some((1..=6 | 8 | 9, _)) => 1,
                Some((7, _)) => 2,
                Some((kind, _)) if kind & 1 == 1 => 4,
                Some(_) => 8,
                None => match insn.p4.int() {
                    1 => 1,
                    2 => 2,
                    3 => 4,
                    4 => 8,
                    _ => 16,
                },
            }
        } else {
            16
        }
    };
    Ok(mask & insn.p5 != 0)
}

/// RowData.
pub(super) fn row_data(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let State {
        cursors,
        mems,
        temp,
        payload,
        ..
    } = s;
    let out = &mut mems[insn.p2 as usize];
    match &mut cursors[insn.p1 as usize] {
        Slot::Sorter(sorter) => {
            out.set_blob(sorter.record()?);
            return Ok(());
        }
        Slot::Rows(c) => {
            if c.with_record(|_, record| out.set_blob(record)).is_none() {
                out.set_null();
            }
            return Ok(());
        }
        _ => {}
    }
    let c = tree!(cursors, insn.p1);
    let tx = tx_of(&env.dbs, temp.as_deref(), c.store);
    if !ready(c, tx)? {
        out.set_null();
        return Ok(());
    }
    let size = c.cur.payload_size();
    if u64::from(size) > env.limits.length {
        return Err(Error::too_big().into());
    }
    let local = c.cur.local_payload();
    if local.len() == size as usize {
        out.set_blob(local);
    } else {
        c.cur.read_payload(tx, 0, size, payload).at(c.store)?;
        out.set_blob_vec(std::mem::take(payload));
    }
    Ok(())
}

/// Rowid.
#[inline]
pub(super) fn rowid(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let State {
        cursors,
        mems,
        temp,
        ..
    } = s;
    let out = &mut mems[insn.p2 as usize];
    let c = match &mut cursors[insn.p1 as usize] {
        Slot::Tree(c) => c,
        Slot::Virtual(c) => return super::vtab::rowid(c, out),
        Slot::Rows(c) => {
            match c.rowid() {
                Some(rowid) => out.set_int(rowid),
                None => out.set_null(),
            }
            return Ok(());
        }
        _ => {
            out.set_null();
            return Ok(());
        }
    };
    if c.deferred && !c.null_row {
        out.set_int(c.target);
    } else if ready(c, tx_of(&env.dbs, temp.as_deref(), c.store))? {
        out.set_int(c.cur.rowid());
    } else {
        out.set_null();
    }
    Ok(())
}

/// The rowid at the end of an index cursor's entry; none on the null row.
#[inline]
pub(super) fn entry_rowid(c: &mut TreeCursor, tx: &Tx, scratch: &mut Vec<u8>) -> Step<Option<i64>> {
    if !ready(c, tx)? {
        return Ok(None);
    }
    let local = c.cur.local_payload();
    let size = c.cur.payload_size();
    if local.len() == size as usize {
        return Ok(Some(index_rowid(local)?));
    }
    c.cur.read_payload(tx, 0, size, scratch).at(c.store)?;
    let rowid = index_rowid(scratch);
    scratch.clear();
    Ok(Some(rowid?))
}

/// IdxRowid.
pub(super) fn idx_rowid(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let State {
        cursors,
        mems,
        temp,
        payload,
        ..
    } = s;
    match &cursors[insn.p1 as usize] {
        Slot::Null => {
            mems[insn.p2 as usize].set_null();
            return Ok(());
        }
        Slot::Hash(table) => {
            let out = &mut mems[insn.p2 as usize];
            if table.null_row {
                out.set_null();
            } else {
                out.set_int(index_rowid(table.record())?);
            }
            return Ok(());
        }
        _ => {}
    }
    let c = tree!(cursors, insn.p1);
    match entry_rowid(c, tx_of(&env.dbs, temp.as_deref(), c.store), payload)? {
        Some(rowid) => mems[insn.p2 as usize].set_int(rowid),
        None => mems[insn.p2 as usize].set_null(),
    }
    Ok(())
}

/// DeferredSeek: table cursor P3 will move to the rowid of index cursor P1's entry.
#[inline]
pub(super) fn deferred_seek(s: &mut State, env: &Env, insn: &Insn) -> Step {
    let State {
        cursors,
        temp,
        payload,
        ..
    } = s;
    let rowid = {
        let c = tree!(cursors, insn.p1);
        entry_rowid(c, tx_of(&env.dbs, temp.as_deref(), c.store), payload)?
    };
    let table = tree!(cursors, insn.p3);
    let Some(rowid) = rowid else {
        table.moved(false);
        return Ok(());
    };
    table.null_row = false;
    table.row.valid = false;
    table.deferred = true;
    table.target = rowid;
    match (&insn.p4, &mut table.alternative) {
        (P4::Ints(map), Some((cursor, old))) if std::sync::Arc::ptr_eq(map, old) => {
            *cursor = insn.p1 as u32;
        }
        (P4::Ints(map), alternative) => *alternative = Some((insn.p1 as u32, map.clone())),
        (_, alternative) => *alternative = None,
    }
    Ok(())
}
