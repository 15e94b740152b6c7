//! The queue of a recursive query with ORDER BY: records of which only the first is ever looked at, in a heap.
//!
//! ```text
//!   records  ~~~~| r3 | r1 | r5 | ..        what was taken out leaves a hole; the rest moves together now and then
//!   heap     | r5 | r1 | r3 | ..            each not before its parent: item i's children are 2i + 1 and 2i + 2
//! ```
//!
//! Rules:
//! 1. Records are ordered by their first columns; those that agree come as they went in.
//! 2. Only the first record can be read, and taken out.
//! 3. What does not fit into the memory that a temporary store may have is moved into a tree, and is a tree from then on.
//!
//! Cost, counted over 32,767 records that come and go depth first: 280 instructions to put one in and 230 to take one
//! out; of a tree 2,130 and 620.
//!
//! **Absent:** seeking, walking: nobody asks a queue for that.

use super::cursor::{Slot, TEMP, TreeCursor};
use super::row::Row;
use super::state::State;
use super::trap::{Step, Trap};
use crate::env::Env;
use crate::error::Result;
use crate::insn::{Insn, P4};
use crate::opcode::{Opcode, p5};
use ringwood_btree::{Cursor, InsertHint, TreeKind, create_tree};
use ringwood_format::key::{KeyInfo, compare_records};
use ringwood_format::record::record_values;
use ringwood_format::value::ValueRef;
use std::cmp::Ordering;
use std::sync::Arc;

/// The dead bytes among the records that are worth moving the others.
const DEAD_MAX: usize = 64 * 1024;

/// A queue, and the only cursor on it.
pub(super) struct OrderedQueue {
    info: Arc<KeyInfo>,
    /// Rule 1: `info` without what stands behind the columns of ORDER BY.
    order: KeyInfo,
    memory_max: usize,
    heap: Vec<Item>,
    records: Vec<u8>,
    dead: usize,
    pub(super) null_row: bool,
    pub(super) sequence: i64,
    pub(super) row: Row,
}

#[derive(Clone, Copy)]
struct Item {
    /// The first column, if it is an integer.
    first: Option<i64>,
    /// When it came.
    number: i64,
    offset: u32,
    size: u32,
}

impl Item {
    #[inline]
    fn record(self, records: &[u8]) -> &[u8] {
        let start = self.offset as usize;
        records
            .get(start..start + self.size as usize)
            .unwrap_or_default()
    }
}

impl OrderedQueue {
    /// An empty queue; the last two of the key's columns are a number and the row.
    fn new(info: Arc<KeyInfo>, memory_max: usize) -> OrderedQueue {
        let mut order = (*info).clone();
        order
            .columns
            .truncate(order.columns.len().saturating_sub(2));
        OrderedQueue {
            info,
            order,
            memory_max: memory_max.min(u32::MAX as usize / 2),
            heap: Vec::new(),
            records: Vec::new(),
            dead: 0,
            null_row: true,
            sequence: 0,
            row: Row::default(),
        }
    }

    /// Opened again: empty.
    fn clear(&mut self) {
        self.heap.clear();
        self.records.clear();
        self.dead = 0;
        self.sequence = 0;
        self.leave();
    }

    /// On no row.
    pub(super) fn leave(&mut self) {
        self.null_row = true;
        self.row.valid = false;
    }

    /// Rewind: false if it is empty.
    pub(super) fn rewind(&mut self) -> bool {
        self.null_row = self.heap.is_empty();
        self.row.valid = false;
        !self.null_row
    }

    /// The parsed row and the first record; none if the queue is on no row.
    #[inline]
    pub(super) fn row_and_record(&mut self) -> Option<(&mut Row, &[u8])> {
        let first = self.heap.first().filter(|_| !self.null_row)?;
        Some((&mut self.row, first.record(&self.records)))
    }

    /// Puts a record in; `Slow` when it would be too many (rule 3).
    pub(super) fn insert(&mut self, record: &[u8]) -> Step {
        let size = self.records.len() + record.len();
        if size + (self.heap.len() + 1) * size_of::<Item>() > self.memory_max {
            return Err(Trap::Slow);
        }
        let first = match record_values(record)?.next() {
            Some(value) => {
                let (kind, body) = value?;
                match kind.decode(body)? {
                    ValueRef::Integer(i) => Some(i),
                    _ => None,
                }
            }
            None => None,
        };
        self.heap.push(Item {
            first,
            // The register of the sequence number was counted up for this very record.
            number: self.sequence,
            offset: self.records.len() as u32,
            size: record.len() as u32,
        });
        self.records.extend_from_slice(record);
        self.rise(self.heap.len() - 1);
        self.leave();
        Ok(())
    }

    /// Takes the first record out.
    pub(super) fn delete(&mut self) {
        if self.null_row || self.heap.is_empty() {
            return;
        }
        let taken = self.heap.swap_remove(0);
        self.dead += taken.size as usize;
        self.leave();
        if self.heap.is_empty() {
            self.records.clear();
            self.dead = 0;
            return;
        }
        self.sink();
        if self.dead > DEAD_MAX && self.dead > self.records.len() / 2 {
            self.move_together();
        }
    }

    fn move_together(&mut self) {
        let mut kept = Vec::with_capacity(self.records.len() - self.dead);
        for item in &mut self.heap {
            let record = item.record(&self.records);
            item.offset = kept.len() as u32;
            kept.extend_from_slice(record);
        }
        self.records = kept;
        self.dead = 0;
    }

    /// Rule 1: whether one item comes before another.
    #[inline]
    fn is_before(&self, a: Item, b: Item) -> bool {
        let order = match (a.first, b.first, self.order.columns.as_slice()) {
            (Some(x), Some(y), [column, others @ ..]) => {
                let order = if column.desc { y.cmp(&x) } else { x.cmp(&y) };
                if order == Ordering::Equal && !others.is_empty() {
                    self.compare(a, b)
                } else {
                    order
                }
            }
            _ => self.compare(a, b),
        };
        order.then(a.number.cmp(&b.number)) == Ordering::Less
    }

    #[inline(never)]
    fn compare(&self, a: Item, b: Item) -> Ordering {
        // A record of MakeRecord is whole.
        compare_records(
            a.record(&self.records),
            b.record(&self.records),
            &self.order,
        )
        .unwrap_or(Ordering::Equal)
    }

    /// Moves the item at `at` before those that it comes before.
    fn rise(&mut self, mut at: usize) {
        let item = self.heap[at];
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_before(item, self.heap[parent]) {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = item;
    }

    /// Moves the first item behind those that come before it.
    fn sink(&mut self) {
        let item = self.heap[0];
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            let Some(&left) = self.heap.get(child) else {
                break;
            };
            let mut smaller = left;
            if let Some(&right) = self.heap.get(child + 1)
                && self.is_before(right, left)
            {
                child += 1;
                smaller = right;
            }
            if !self.is_before(smaller, item) {
                break;
            }
            self.heap[at] = smaller;
            at = child;
        }
        self.heap[at] = item;
    }
}

/// OpenEphemeral with ROWLIST and a key. False if it must be a tree.
pub(super) fn open(s: &mut State, env: &Env, insn: &Insn) -> bool {
    let (Opcode::OpenEphemeral, P4::KeyInfo(info)) = (insn.opcode, &insn.p4) else {
        return false;
    };
    if insn.p5 & p5::ROWLIST == 0 {
        return false;
    }
    match &mut s.cursors[insn.p1 as usize] {
        Slot::Queue(queue) => queue.clear(),
        // It has become one before.
        Slot::Tree(c) if c.store == TEMP => return false,
        slot => {
            let queue = OrderedQueue::new(info.clone(), super::state::temp_memory(env));
            *slot = Slot::Queue(Box::new(queue));
        }
    }
    true
}

/// Rule 3: moves the records into a tree.
pub(super) async fn to_tree(s: &mut State, env: &mut Env, p1: i32) -> Result<()> {
    let Slot::Queue(queue) = &mut s.cursors[p1 as usize] else {
        return Ok(());
    };
    let (info, sequence) = (queue.info.clone(), queue.sequence);
    let records = std::mem::take(&mut queue.records);
    let heap = std::mem::take(&mut queue.heap);
    let root = create_tree(s.temp_mut(env), TreeKind::Index).await?;
    let mut cur = Cursor::index(root, info.clone());
    for item in heap {
        let record = item.record(&records);
        cur.insert_key(s.temp_mut(env), record, None, InsertHint::default())
            .await?;
    }
    cur.reset();
    let mut c = TreeCursor::new(cur, TEMP, Some(info));
    c.sequence = sequence;
    s.cursors[p1 as usize] = Slot::Tree(c);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwood_format::key::KeyColumn;
    use ringwood_format::value::Value;

    fn queue(desc: bool, memory_max: usize) -> OrderedQueue {
        let mut info = KeyInfo::binary(4, <_>::default());
        info.columns[0] = KeyColumn {
            desc,
            ..KeyColumn::default()
        };
        OrderedQueue::new(Arc::new(info), memory_max)
    }

    fn record(values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
        ringwood_format::record::encode_record(&values, <_>::default(), true, &mut out);
        out
    }

    fn put(queue: &mut OrderedQueue, first: Value, second: i64) -> Step {
        queue.sequence += 1;
        let number = Value::Integer(queue.sequence - 1);
        let row = Value::Blob(vec![1; 20]);
        queue.insert(&record(&[first, Value::Integer(second), number, row]))
    }

    fn drain(queue: &mut OrderedQueue) -> Vec<(Value, i64, i64)> {
        let mut taken = Vec::new();
        while queue.rewind() {
            let (_, record) = queue.row_and_record().expect("it is on a row");
            let values: Vec<Value> = record_values(record)
                .expect("whole")
                .map(|value| {
                    let (kind, body) = value.expect("whole");
                    kind.decode(body).expect("whole").to_owned()
                })
                .collect();
            let int = |at: usize| match values[at] {
                Value::Integer(i) => i,
                _ => unreachable!("an integer"),
            };
            taken.push((values[0].clone(), int(1), int(2)));
            queue.delete();
        }
        taken
    }

    #[test]
    fn records_come_in_order_and_equal_ones_as_they_went_in() {
        for desc in [false, true] {
            let mut queue = queue(desc, 1 << 24);
            let mut model = Vec::new();
            let mut state = 12345u64;
            for number in 0..5000 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                let n = (state >> 60) as i64;
                let first = match n {
                    3 => Value::Null,
                    4 => Value::Real(4.5),
                    5 => Value::Text(b"five".to_vec()),
                    n => Value::Integer(n),
                };
                let second = (state >> 40) as i64 & 3;
                assert!(put(&mut queue, first.clone(), second).is_ok());
                model.push((first, second, number));
            }
            let rank = |value: &Value| match value {
                Value::Null => -1.0,
                Value::Integer(i) => *i as f64,
                Value::Real(r) => *r,
                _ => 1e9,
            };
            model.sort_by(|a, b| {
                let order = rank(&a.0).total_cmp(&rank(&b.0));
                let order = if desc { order.reverse() } else { order };
                order.then((a.1, a.2).cmp(&(b.1, b.2)))
            });
            assert_eq!(drain(&mut queue), model);
            assert!(!queue.rewind() && queue.records.is_empty());
        }
    }

    #[test]
    fn holes_are_closed() {
        let mut queue = queue(false, 1 << 24);
        for n in 0..20_000 {
            assert!(put(&mut queue, Value::Integer(n), 0).is_ok());
            if n % 10 != 0 {
                assert!(queue.rewind());
                queue.delete();
            }
            assert!(queue.records.len() < 400_000);
        }
        assert_eq!(drain(&mut queue).len(), 2000);
    }

    #[test]
    fn too_much_is_refused() {
        let mut queue = queue(false, 1000);
        let fits = (0..100).take_while(|&n| put(&mut queue, Value::Integer(n), 0).is_ok());
        let fits = fits.count();
        assert!((5..30).contains(&fits));
        assert!(matches!(
            put(&mut queue, Value::Integer(7), 0),
            Err(Trap::Slow)
        ));
        assert_eq!(drain(&mut queue).len(), fits);
    }
}
