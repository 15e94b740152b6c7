//! A list of rows in memory: an ephemeral table to which rows are only appended, and from which they are only taken at the
//! front. The queue of a recursive query is one, and the buffer of a window.
//!
//! ```text
//!   rowid          7      8      9                 first = 7; the next is 10, or 1 once the list is empty
//!   places       | 40,12| 52,12| 64,9 |
//!   records  ~~~~~~~~~~~| r7   | r8   | r9  |      what stands before the first is moved away now and then
//! ```
//!
//! Rules:
//! 1. Rowids follow one another, as NewRowid gives them: a cursor's place is a rowid, and a row is there or not.
//! 2. Several cursors may stand on one list (OpenDup).
//! 3. What a list cannot do (a row in the middle deleted, another rowid, more than the memory of a temporary store) makes
//!    it a tree, for all of its cursors.
//!
//! Cost: a row put in, read and taken out needs about 120 instructions, in a tree about 900.

use super::cursor::{Slot, TEMP, TreeCursor};
use super::row::Row;
use super::state::State;
use super::trap::{Step, Trap};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::insn::{Insn, P4};
use crate::opcode::{Opcode, p5};
use crate::result_code::ResultCode;
use ringwood_btree::{Cursor, InsertHint, Payload, Seek, TreeKind, create_tree};
use ringwood_wal::{Stop, Tx};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// The dead bytes in front of the first record that are worth moving the others.
const DEAD_MAX: usize = 64 * 1024;

/// The rows.
pub(super) struct RowList {
    first: i64,
    places: VecDeque<(u32, u32)>,
    records: Vec<u8>,
    memory_max: usize,
}

/// A cursor on a list.
pub(super) struct RowsCursor {
    pub(super) list: Rc<RefCell<RowList>>,
    rowid: i64,
    pub(super) null_row: bool,
    pub(super) row: Row,
    pub(super) sequence: i64,
}

impl RowList {
    fn new(memory_max: usize) -> RowList {
        RowList {
            first: 1,
            places: VecDeque::new(),
            records: Vec::new(),
            memory_max: memory_max.min(u32::MAX as usize / 2),
        }
    }

    fn clear(&mut self) {
        self.first = 1;
        self.places.clear();
        self.records.clear();
    }

    /// The rowid after the last.
    #[inline]
    fn next(&self) -> i64 {
        self.first + self.places.len() as i64
    }

    /// The record of a row, if it is there.
    #[inline]
    pub(super) fn record(&self, rowid: i64) -> Option<&[u8]> {
        let at = usize::try_from(rowid.wrapping_sub(self.first)).ok()?;
        let &(offset, size) = self.places.get(at)?;
        self.records.get(offset as usize..(offset + size) as usize)
    }

    fn push(&mut self, record: &[u8]) -> Step {
        let used = self.records.len() + record.len() + 8 * self.places.len();
        if used > self.memory_max {
            return Err(Trap::Slow);
        }
        let place = (self.records.len() as u32, record.len() as u32);
        self.records.extend_from_slice(record);
        self.places.push_back(place);
        Ok(())
    }

    fn pop(&mut self) {
        self.places.pop_front();
        let Some(&(start, _)) = self.places.front() else {
            self.clear();
            return;
        };
        self.first += 1;
        let start = start as usize;
        if start > DEAD_MAX && start > self.records.len() / 2 {
            self.records.drain(..start);
            for place in &mut self.places {
                place.0 -= start as u32;
            }
        }
    }
}

impl RowsCursor {
    fn on(list: Rc<RefCell<RowList>>) -> RowsCursor {
        RowsCursor {
            list,
            rowid: 0,
            null_row: true,
            row: Row::default(),
            sequence: 0,
        }
    }

    fn moved(&mut self, on_row: bool) -> bool {
        self.null_row = !on_row;
        self.row.valid = false;
        on_row
    }

    /// On no row.
    pub(super) fn leave(&mut self) {
        self.moved(false);
    }

    /// Rewind, Last; false if there are no rows.
    pub(super) fn go_to_end(&mut self, last: bool) -> bool {
        let list = self.list.borrow();
        self.rowid = if last { list.next() - 1 } else { list.first };
        let on_row = !list.places.is_empty();
        drop(list);
        self.moved(on_row)
    }

    /// Next, Prev; false at the end.
    pub(super) fn step(&mut self, forwards: bool) -> bool {
        if self.null_row {
            return false;
        }
        self.rowid += if forwards { 1 } else { -1 };
        let on_row = self.list.borrow().record(self.rowid).is_some();
        self.moved(on_row)
    }

    /// Moves to a rowid; false if there is no such row.
    pub(super) fn seek(&mut self, rowid: i64) -> bool {
        self.rowid = rowid;
        let on_row = self.list.borrow().record(rowid).is_some();
        self.moved(on_row)
    }

    /// SeekGE, SeekGT, SeekLE, SeekLT; false if there is no such row.
    pub(super) fn seek_near(&mut self, opcode: Opcode, rowid: i64) -> bool {
        let (first, last) = {
            let list = self.list.borrow();
            (list.first, list.next() - 1)
        };
        let to = match opcode {
            Opcode::SeekGE => rowid.max(first),
            Opcode::SeekGT => rowid.saturating_add(1).max(first),
            Opcode::SeekLE => rowid.min(last),
            _ => rowid.saturating_sub(1).min(last),
        };
        self.seek(to)
    }

    /// The rowid, if the cursor is on a row that is there.
    pub(super) fn rowid(&self) -> Option<i64> {
        let is_there = !self.null_row && self.list.borrow().record(self.rowid).is_some();
        is_there.then_some(self.rowid)
    }

    /// Calls `f` with the parsed row and its record; none if there is no row.
    #[inline]
    pub(super) fn with_record<T>(&mut self, f: impl FnOnce(&mut Row, &[u8]) -> T) -> Option<T> {
        if self.null_row {
            return None;
        }
        let list = self.list.borrow();
        let record = list.record(self.rowid)?;
        Some(f(&mut self.row, record))
    }

    /// NewRowid: the rowid after the last.
    pub(super) fn new_rowid(&mut self) -> i64 {
        self.row.valid = false;
        self.list.borrow().next()
    }

    /// Insert; `Slow` for what rule 3 speaks of.
    pub(super) fn insert(&mut self, rowid: i64, record: &[u8]) -> Step {
        let mut list = self.list.borrow_mut();
        if rowid != list.next() {
            return Err(Trap::Slow);
        }
        list.push(record)?;
        drop(list);
        self.rowid = rowid;
        self.moved(true);
        Ok(())
    }

    /// Delete; `Slow` for a row that is not the first.
    pub(super) fn delete(&mut self) -> Step {
        let mut list = self.list.borrow_mut();
        if self.null_row || self.rowid != list.first || list.places.is_empty() {
            return Err(Trap::Slow);
        }
        list.pop();
        drop(list);
        self.row.valid = false;
        Ok(())
    }

    /// ResetSorter.
    pub(super) fn clear(&mut self) {
        self.list.borrow_mut().clear();
        self.leave();
    }
}

/// OpenEphemeral with ROWLIST. False if it must be a tree.
pub(super) fn open(s: &mut State, env: &Env, insn: &Insn) -> bool {
    let is_list = insn.opcode == Opcode::OpenEphemeral
        && insn.p5 & p5::ROWLIST != 0
        && !matches!(insn.p4, P4::KeyInfo(_));
    if !is_list {
        return false;
    }
    match &mut s.cursors[insn.p1 as usize] {
        Slot::Rows(cursor) => {
            cursor.clear();
            cursor.sequence = 0;
        }
        // It has become one before.
        Slot::Tree(c) if c.store == TEMP => return false,
        slot => {
            let list = RowList::new(super::state::temp_memory(env));
            *slot = Slot::Rows(Box::new(RowsCursor::on(Rc::new(RefCell::new(list)))));
        }
    }
    true
}

/// OpenDup of a cursor on a list; false if it is none.
pub(super) fn open_dup(s: &mut State, insn: &Insn) -> bool {
    let Slot::Rows(cursor) = &s.cursors[insn.p2 as usize] else {
        return false;
    };
    let twin = RowsCursor::on(cursor.list.clone());
    s.cursors[insn.p1 as usize] = Slot::Rows(Box::new(twin));
    true
}

/// Rule 3: moves the rows into a tree, and all cursors on them.
pub(super) async fn to_tree(s: &mut State, env: &mut Env, p1: i32) -> Result<()> {
    let Slot::Rows(cursor) = &s.cursors[p1 as usize] else {
        return Ok(());
    };
    let list = cursor.list.clone();
    let root = create_tree(s.temp_mut(env), TreeKind::Table).await?;
    let rows = std::mem::replace(&mut *list.borrow_mut(), RowList::new(0));
    let mut writer = Cursor::table(root);
    let append = InsertHint {
        append: true,
        ..InsertHint::default()
    };
    for rowid in rows.first..rows.next() {
        let record = rows.record(rowid).unwrap_or_default();
        writer
            .insert_rowid(s.temp_mut(env), rowid, Payload::from(record), append)
            .await?;
    }
    writer.reset();
    for at in 0..s.cursors.len() {
        let Slot::Rows(cursor) = &s.cursors[at] else {
            continue;
        };
        if !Rc::ptr_eq(&cursor.list, &list) {
            continue;
        }
        let mut c = TreeCursor::new(Cursor::table(root), TEMP, None);
        c.has_twins = true;
        c.sequence = cursor.sequence;
        let (rowid, null_row) = (cursor.rowid, cursor.null_row);
        let tx = s.temp_mut(env);
        let on_row = !null_row && seek_fetching(&mut c.cur, tx, rowid).await?;
        c.moved(on_row);
        s.cursors[at] = Slot::Tree(c);
    }
    Ok(())
}

/// Moves a cursor to a rowid, whatever pages have to be fetched for that; whether there is such a row.
async fn seek_fetching(cur: &mut Cursor, tx: &Tx, rowid: i64) -> Result<bool> {
    let mut pins = Vec::new();
    loop {
        match cur.seek_rowid(tx, rowid) {
            Ok(found) => return Ok(found == Seek::Equal),
            Err(Stop::Miss(page)) => pins.push(tx.fetch(page).await?),
            Err(Stop::Fail(error)) => return Err((*error).into()),
            Err(Stop::Slow) => return Err(Error::code(ResultCode::INTERNAL)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> RowsCursor {
        RowsCursor::on(Rc::new(RefCell::new(RowList::new(1 << 20))))
    }

    fn add(c: &mut RowsCursor, record: &[u8]) -> i64 {
        let rowid = c.new_rowid();
        assert!(c.insert(rowid, record).is_ok());
        rowid
    }

    fn here(c: &mut RowsCursor) -> Option<Vec<u8>> {
        c.with_record(|_, record| record.to_vec())
    }

    #[test]
    fn a_queue_gives_what_it_was_given() {
        let mut c = cursor();
        let long = vec![7; 1000];
        for round in 0..300 {
            for n in 0..3 {
                let rowid = add(&mut c, &long[..=(round * 3 + n) % 999]);
                assert!(rowid > 0);
            }
            assert!(c.go_to_end(false));
            assert!(c.delete().is_ok());
        }
        let mut left = 0;
        while c.go_to_end(false) {
            assert!(here(&mut c).is_some());
            assert!(c.delete().is_ok());
            left += 1;
        }
        assert_eq!(left, 600);
        assert_eq!(add(&mut c, b"again"), 1, "an empty list begins anew");
    }

    #[test]
    fn twins_see_what_is_appended_and_taken() {
        let mut write = cursor();
        let mut read = RowsCursor::on(write.list.clone());
        assert!(!read.go_to_end(false));
        for n in 0..5u8 {
            add(&mut write, &[n]);
        }
        assert!(read.go_to_end(false));
        assert!(read.step(true));
        assert_eq!((read.rowid(), here(&mut read)), (Some(2), Some(vec![1])));
        assert!(write.go_to_end(false));
        assert!(write.delete().is_ok());
        assert!(write.step(true) && write.delete().is_ok());
        assert_eq!(
            (read.rowid(), here(&mut read)),
            (None, None),
            "its row is gone"
        );
        assert!(read.step(true));
        assert_eq!(read.rowid(), Some(3));
        assert!(read.seek(5) && !read.seek(6) && !read.step(true));
        let mut near = |opcode, rowid| read.seek_near(opcode, rowid).then(|| read.rowid().unwrap());
        assert_eq!(near(Opcode::SeekGE, 1), Some(3));
        assert_eq!(near(Opcode::SeekGE, 4), Some(4));
        assert_eq!(near(Opcode::SeekGT, 4), Some(5));
        assert_eq!(near(Opcode::SeekGT, 5), None);
        assert_eq!(near(Opcode::SeekLE, 9), Some(5));
        assert_eq!(near(Opcode::SeekLT, 4), Some(3));
        assert_eq!(near(Opcode::SeekLT, 3), None);
    }

    #[test]
    fn what_a_list_cannot_do_is_refused() {
        let mut c = cursor();
        add(&mut c, b"a");
        add(&mut c, b"b");
        assert!(matches!(c.delete(), Err(Trap::Slow)), "not the first");
        assert!(matches!(c.insert(9, b"x"), Err(Trap::Slow)), "not the next");
        let mut small = RowsCursor::on(Rc::new(RefCell::new(RowList::new(10))));
        add(&mut small, b"abcd");
        assert!(matches!(small.insert(2, &[0; 100]), Err(Trap::Slow)));
    }
}
