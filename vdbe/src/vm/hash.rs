//! The storage of an automatic index that is only asked for keys as a whole: a hash table over records.
//!
//! ```text
//!   records   | r0 | r1 | r2 | r3 | …          one buffer, in the order of their coming
//!   entries   | hash, place | …                grouped by bucket; in a bucket by hash, then in the order of the index
//!   starts    | 0 | 2 | 2 | 5 | …              where each bucket begins
//! ```
//!
//! Rules:
//! 1. The buckets are made when the first key is sought. Records that come later make them anew.
//! 2. Entries with one key come in the order in which the tree of that index would have them.
//! 3. Values that compare as equal have the same hash: 1 and 1.0, texts that the column's collation does not tell apart.
//! 4. What does not fit into the memory that a temporary store may have is moved into a tree, and is a tree from then on.
//!
//! Cost: about 60 instructions to add a record and 80 to find one, where a tree takes 700 and 450.
//!
//! **Absent:** collations of the application, texts in UTF-16, walking backwards: the compiler asks for a tree.

use super::cursor::{Slot, TEMP, TreeCursor};
use super::row::Row;
use super::seek::{expand, values};
use super::state::State;
use super::trap::{Step, Trap};
use crate::env::Env;
use crate::error::Result;
use crate::insn::Insn;
use crate::mem::Mem;
use crate::opcode::Opcode;
use ringwood_btree::{Cursor, InsertHint, TreeKind, create_tree};
use ringwood_format::affinity::whole_real;
use ringwood_format::collation::Collation;
use ringwood_format::key::{KeyInfo, UnpackedKey, compare_record, compare_records};
use ringwood_format::record::record_values;
use ringwood_format::value::ValueRef;
use std::cmp::Ordering;
use std::sync::Arc;

/// A cursor on a hash table; there is one for each.
pub(super) struct HashIndex {
    info: Arc<KeyInfo>,
    key_count: usize,
    memory_max: usize,
    records: Vec<u8>,
    entries: Vec<Entry>,
    /// Rule 1; empty: the buckets are to be made.
    starts: Vec<u32>,
    at: usize,
    /// The entry is known to have the key that was sought last.
    is_match: bool,
    pub(super) null_row: bool,
    pub(super) sequence: i64,
    pub(super) row: Row,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    offset: u32,
    size: u32,
}

impl Entry {
    #[inline]
    fn record(self, records: &[u8]) -> &[u8] {
        let start = self.offset as usize;
        records
            .get(start..start + self.size as usize)
            .unwrap_or_default()
    }
}

/// Above this a binary search finds the hash in its bucket.
const LINEAR_MAX: usize = 16;

impl HashIndex {
    /// An empty table for keys of `key_count` columns that may take `memory_max` bytes.
    pub(super) fn new(info: Arc<KeyInfo>, key_count: usize, memory_max: usize) -> HashIndex {
        HashIndex {
            key_count: key_count.min(info.columns.len()),
            info,
            memory_max: memory_max.min(u32::MAX as usize / 2),
            records: Vec::new(),
            entries: Vec::new(),
            starts: Vec::new(),
            at: 0,
            is_match: false,
            null_row: true,
            sequence: 0,
            row: Row::default(),
        }
    }

    /// Opened again: empty.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.entries.clear();
        self.starts.clear();
        self.sequence = 0;
        self.leave();
    }

    /// On no row.
    pub(super) fn leave(&mut self) {
        self.null_row = true;
        self.row.valid = false;
    }

    /// The current record; empty on the null row.
    #[inline]
    pub(super) fn record(&self) -> &[u8] {
        match self.entries.get(self.at) {
            Some(entry) if !self.null_row => entry.record(&self.records),
            _ => &[],
        }
    }

    /// The parsed row and the record that it is of.
    #[inline]
    pub(super) fn row_and_record(&mut self) -> (&mut Row, &[u8]) {
        let record = match self.entries.get(self.at) {
            Some(entry) => entry.record(&self.records),
            None => &[],
        };
        (&mut self.row, record)
    }

    /// Adds a record; `Slow` when it would be too many (rule 4).
    pub(super) fn insert(&mut self, record: &[u8]) -> Step {
        let size = self.records.len() + record.len();
        let table = (self.entries.len() + 1) * (size_of::<Entry>() + size_of::<u32>());
        if size + table > self.memory_max {
            return Err(Trap::Slow);
        }
        let mut hash = Hash::default();
        for (value, column) in record_values(record)?
            .take(self.key_count)
            .zip(&self.info.columns)
        {
            let (kind, body) = value?;
            hash.add(kind.decode(body)?, &column.collation);
        }
        self.entries.push(Entry {
            hash: hash.finish(),
            offset: self.records.len() as u32,
            size: record.len() as u32,
        });
        self.records.extend_from_slice(record);
        self.starts.clear();
        self.leave();
        Ok(())
    }

    /// Rule 1: puts the entries of a bucket side by side, in the order of rule 2.
    fn make_buckets(&mut self) {
        let count = self.entries.len().next_power_of_two();
        let mask = count - 1;
        self.starts.resize(count + 1, 0);
        for entry in &self.entries {
            self.starts[(entry.hash as usize & mask) + 1] += 1;
        }
        for i in 1..=count {
            self.starts[i] += self.starts[i - 1];
        }
        let mut next = self.starts.clone();
        let empty = Entry {
            hash: 0,
            offset: 0,
            size: 0,
        };
        let mut grouped = vec![empty; self.entries.len()];
        for entry in &self.entries {
            let place = &mut next[entry.hash as usize & mask];
            grouped[*place as usize] = *entry;
            *place += 1;
        }
        let (records, info) = (&self.records, &self.info);
        for bounds in self.starts.windows(2) {
            let bucket = &mut grouped[bounds[0] as usize..bounds[1] as usize];
            if bucket.len() > 1 {
                bucket.sort_unstable_by(|a, b| {
                    a.hash.cmp(&b.hash).then_with(|| {
                        compare_records(a.record(records), b.record(records), info)
                            .unwrap_or(Ordering::Equal)
                    })
                });
            }
        }
        self.entries = grouped;
    }

    /// SeekGE: stands on the first entry with that key, if there is one.
    pub(super) fn seek(&mut self, key: &mut [Mem]) -> Step<bool> {
        self.leave();
        if self.entries.is_empty() {
            return Ok(false);
        }
        if self.starts.is_empty() {
            self.make_buckets();
        }
        expand(key);
        let mut hash = Hash::default();
        for (mem, column) in key.iter().zip(&self.info.columns) {
            hash.add(mem.as_value_ref(), &column.collation);
        }
        let hash = hash.finish();
        let bucket = hash as usize & (self.starts.len() - 2);
        let (low, high) = (
            self.starts[bucket] as usize,
            self.starts[bucket + 1] as usize,
        );
        let bucket = &self.entries[low..high];
        let first = if bucket.len() <= LINEAR_MAX {
            bucket.iter().position(|entry| entry.hash >= hash)
        } else {
            Some(bucket.partition_point(|entry| entry.hash < hash))
        };
        let Some(first) = first else { return Ok(false) };
        let same = bucket[first..].iter().take_while(|e| e.hash == hash);
        let same = &bucket[first..first + same.count()];
        let values = values(key);
        let key = UnpackedKey::new(&values, &self.info, Ordering::Equal);
        let order = |entry: &Entry| compare_record(entry.record(&self.records), &key);
        let skipped = if same.len() <= LINEAR_MAX {
            let mut skipped = 0;
            for entry in same {
                if order(entry)? != Ordering::Less {
                    break;
                }
                skipped += 1;
            }
            skipped
        } else {
            same.partition_point(|entry| order(entry).is_ok_and(|o| o == Ordering::Less))
        };
        let Some(entry) = same.get(skipped) else {
            return Ok(false);
        };
        if order(entry)? != Ordering::Equal {
            return Ok(false);
        }
        self.at = low + first + skipped;
        self.is_match = true;
        self.null_row = false;
        Ok(true)
    }

    /// IdxGT: whether the entry has another key than the one that was sought.
    pub(super) fn differs(&mut self, key: &mut [Mem]) -> Step<bool> {
        if self.is_match {
            return Ok(false);
        }
        expand(key);
        let values = values(key);
        let key = UnpackedKey::new(&values, &self.info, Ordering::Equal);
        Ok(compare_record(self.record(), &key)? != Ordering::Equal)
    }

    /// Next: the next entry with the same hash, if there is one.
    pub(super) fn next(&mut self) -> bool {
        let here = self.entries.get(self.at).map(|entry| entry.hash);
        self.at += 1;
        let there = self.entries.get(self.at).map(|entry| entry.hash);
        self.is_match = false;
        self.row.valid = false;
        self.null_row |= here != there;
        !self.null_row
    }
}

/// Rule 3.
#[derive(Default)]
struct Hash(u64);

impl Hash {
    #[inline]
    fn mix(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    #[inline]
    fn add(&mut self, value: ValueRef<'_>, collation: &Collation) {
        match value {
            ValueRef::Null => self.mix(1),
            ValueRef::Integer(i) => self.mix(i as u64),
            ValueRef::Real(r) => match whole_real(r) {
                Some(i) => self.mix(i as u64),
                None => self.mix(r.to_bits()),
            },
            ValueRef::Blob(bytes) => {
                self.mix(2);
                self.add_bytes(bytes);
            }
            ValueRef::Text(text) => match collation {
                Collation::Binary => self.add_bytes(text),
                Collation::NoCase => {
                    // What stands behind a NUL is not compared, but the length is.
                    for &byte in text.iter().take_while(|&&byte| byte != 0) {
                        self.mix(u64::from(byte.to_ascii_lowercase()));
                    }
                    self.mix(text.len() as u64);
                }
                Collation::Rtrim => {
                    let kept = text.iter().rposition(|&b| b != b' ').map_or(0, |at| at + 1);
                    self.add_bytes(&text[..kept]);
                }
                Collation::Custom(_) => self.mix(3),
            },
        }
    }

    #[inline]
    fn add_bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut whole = [0; 8];
            whole.copy_from_slice(word);
            self.mix(u64::from_le_bytes(whole));
        }
        let mut rest = [0; 8];
        let tail = words.remainder();
        rest[..tail.len()].copy_from_slice(tail);
        self.mix(u64::from_le_bytes(rest));
        self.mix(bytes.len() as u64);
    }

    #[inline]
    fn finish(&self) -> u32 {
        (self.0 ^ (self.0 >> 29)) as u32
    }
}

/// OpenAutoindex with P3: a hash table over the first P3 columns of the key. False if it must be a tree.
pub(super) fn open(s: &mut State, env: &Env, insn: &Insn) -> bool {
    let crate::insn::P4::KeyInfo(info) = &insn.p4 else {
        return false;
    };
    if insn.opcode != Opcode::OpenAutoindex || insn.p3 <= 0 {
        return false;
    }
    match &mut s.cursors[insn.p1 as usize] {
        Slot::Hash(table) => table.clear(),
        // It has grown too large before.
        Slot::Tree(c) if c.store == TEMP => return false,
        slot => {
            let memory_max = super::state::temp_memory(env);
            let table = HashIndex::new(info.clone(), insn.p3 as usize, memory_max);
            *slot = Slot::Hash(Box::new(table));
        }
    }
    true
}

/// Rule 4: moves what the table of a cursor holds into a tree.
pub(super) async fn to_tree(s: &mut State, env: &mut Env, p1: i32) -> Result<()> {
    let slot = std::mem::replace(&mut s.cursors[p1 as usize], Slot::Closed);
    let Slot::Hash(table) = slot else {
        s.cursors[p1 as usize] = slot;
        return Ok(());
    };
    let root = create_tree(s.temp_mut(env), TreeKind::Index).await?;
    let cur = Cursor::index(root, table.info.clone());
    let mut c = TreeCursor::new(cur, TEMP, Some(table.info.clone()));
    c.sequence = table.sequence;
    for entry in &table.entries {
        let record = entry.record(&table.records);
        c.cur
            .insert_key(s.temp_mut(env), record, None, InsertHint::default())
            .await?;
    }
    s.cursors[p1 as usize] = Slot::Tree(c);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwood_format::encoding::TextEncoding;
    use ringwood_format::record::encode_record;
    use ringwood_format::value::Value;

    fn table(collation: Collation) -> HashIndex {
        let mut info = KeyInfo::binary(3, TextEncoding::Utf8);
        info.columns[0].collation = collation;
        HashIndex::new(Arc::new(info), 1, 1 << 20)
    }

    fn add(table: &mut HashIndex, key: Value, value: i64, rowid: i64) {
        let values = [key, Value::Integer(value), Value::Integer(rowid)];
        let mut record = Vec::new();
        let values = values.each_ref().map(Value::as_ref);
        encode_record(&values, TextEncoding::Utf8, false, &mut record);
        assert!(table.insert(&record).is_ok());
    }

    /// The rowids of all entries with a key.
    fn found(table: &mut HashIndex, key: Value) -> Vec<i64> {
        let mut key = [Mem::from_value(key)];
        let mut rowids = Vec::new();
        let mut on_row = matches!(table.seek(&mut key), Ok(true));
        while on_row && matches!(table.differs(&mut key), Ok(false)) {
            rowids.push(ringwood_format::key::index_rowid(table.record()).unwrap());
            on_row = table.next();
        }
        rowids
    }

    #[test]
    fn equal_values_are_found_in_the_order_of_the_index() {
        let mut t = table(Collation::Binary);
        for (rowid, key) in [
            Value::Integer(1),
            Value::real(1.0),
            Value::real(1.5),
            Value::text("1"),
            Value::Null,
        ]
        .into_iter()
        .enumerate()
        {
            add(&mut t, key, 10 - rowid as i64, rowid as i64);
        }
        assert_eq!(found(&mut t, Value::Integer(1)), [1, 0]);
        assert_eq!(found(&mut t, Value::real(1.0)), [1, 0]);
        assert_eq!(found(&mut t, Value::real(1.5)), [2]);
        assert_eq!(found(&mut t, Value::text("1")), [3]);
        assert_eq!(found(&mut t, Value::Null), [4]);
        assert_eq!(found(&mut t, Value::Integer(2)), []);
        add(&mut t, Value::Integer(1), 9, 7);
        assert_eq!(found(&mut t, Value::Integer(1)), [1, 7, 0]);
    }

    #[test]
    fn collations_have_their_say() {
        let mut t = table(Collation::NoCase);
        add(&mut t, Value::text("aBc"), 1, 1);
        add(&mut t, Value::text("Abc"), 1, 2);
        add(&mut t, Value::text("abc "), 1, 3);
        assert_eq!(found(&mut t, Value::text("ABC")), [1, 2]);
        let mut t = table(Collation::Rtrim);
        add(&mut t, Value::text("abc  "), 1, 1);
        add(&mut t, Value::text("abc"), 2, 2);
        assert_eq!(found(&mut t, Value::text("abc ")), [1, 2]);
    }

    #[test]
    fn many_keys_and_few() {
        let mut t = table(Collation::Binary);
        for i in 0..5000 {
            add(&mut t, Value::Integer(i % 500), 5000 - i, i);
        }
        for key in 0..500 {
            let expected: Vec<i64> = (0..10).rev().map(|n| key + 500 * n).collect();
            assert_eq!(found(&mut t, Value::Integer(key)), expected);
        }
        assert_eq!(found(&mut t, Value::Integer(500)), []);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let info = Arc::new(KeyInfo::binary(1, TextEncoding::Utf8));
        let mut t = HashIndex::new(info, 1, 100);
        let record = [2, 1, 5];
        let added = (0..20).take_while(|_| t.insert(&record).is_ok()).count();
        assert!(added > 0 && added < 20, "{added}");
    }
}
