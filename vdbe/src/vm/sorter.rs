//! The sorter: records in, the same records out in the order of their keys.
//!
//! ```text
//!   insert ──► data (bytes), entries (prefix, place) ── too much? ──► sorted run in a file without a name
//!   sort   ──► no runs: entries in memory                     │
//!          └─► runs: one reader each, and the memory ──► merge ──► record, record, …
//! ```
//!
//! Rules:
//! 1. The order is stable: records with equal keys come out as they went in.
//! 2. An entry carries the first 8 bytes of an order-preserving image of its first key column; records are only compared
//!    where these are equal and do not say it all.
//! 3. Inserting, sorting and stepping are plain functions until the memory budget is spent; what touches the file
//!    answers `Slow` and has an asynchronous twin.
//!
//! Cost: an insert copies the record once; a comparison of different integers or texts is one of two words.
//!
//! Absent: sorting in several threads; a limit that lets records be dropped early.
//!
//! Source: SQLite's `vdbesort.c`.

mod merge;
mod prefix;
mod run;

use super::trap::{Step, Trap};
use crate::env::Env;
use crate::error::{Error, Result};
use merge::Merge;
use prefix::prefix;
use ringwood_format::key::{KeyInfo, UnpackedKey, compare_record, compare_records};
use ringwood_format::record::record_values;
use ringwood_format::value::ValueRef;
use run::Spill;
use std::cmp::Ordering;
use std::sync::Arc;

/// A record in memory.
#[derive(Clone, Copy)]
struct Entry {
    prefix: u64,
    at: u32,
    len: u32,
}

enum Phase {
    Filling,
    /// Sorted in memory; this entry is the current one.
    Memory(usize),
    Merging(Box<Merge>),
}

/// A sorter.
pub(super) struct Sorter {
    info: Arc<KeyInfo>,
    data: Vec<u8>,
    entries: Vec<Entry>,
    /// Whether prefixes alone order all entries so far.
    exact: bool,
    memory_max: usize,
    spill: Option<Spill>,
    phase: Phase,
    pub(super) sequence: i64,
}

/// No sorter keeps more than this in memory, so that places fit in 32 bits.
const MEMORY_MAX: usize = 1 << 30;

impl Sorter {
    pub(super) fn new(info: Arc<KeyInfo>, memory_max: usize) -> Sorter {
        Sorter {
            exact: info.columns.len() == 1,
            info,
            data: Vec::new(),
            entries: Vec::new(),
            memory_max: memory_max.min(MEMORY_MAX),
            spill: None,
            phase: Phase::Filling,
            sequence: 0,
        }
    }

    /// Empties it for another use.
    pub(super) fn reset(&mut self) {
        self.data.clear();
        self.entries.clear();
        self.exact = self.info.columns.len() == 1;
        self.spill = None;
        self.phase = Phase::Filling;
    }

    /// Adds a record. `Slow` if the memory is full: [`spill`](Sorter::spill) first.
    #[inline]
    pub(super) fn insert(&mut self, record: &[u8]) -> Step {
        let used = self.data.len() + self.entries.len() * size_of::<Entry>();
        if used + record.len() > self.memory_max && !self.entries.is_empty() {
            return Err(Trap::Slow);
        }
        let (prefix, exact) = prefix(record, &self.info)?;
        self.exact &= exact;
        let at = u32::try_from(self.data.len()).map_err(|_| Error::too_big())?;
        self.data.extend_from_slice(record);
        self.entries.push(Entry {
            prefix,
            at,
            len: record.len() as u32,
        });
        Ok(())
    }

    fn record_at(data: &[u8], entry: Entry) -> &[u8] {
        &data[entry.at as usize..entry.at as usize + entry.len as usize]
    }

    fn sort_memory(&mut self) -> Result<()> {
        let (data, info) = (&self.data, &self.info);
        let mut corrupt = false;
        if self.exact {
            self.entries.sort_by_key(|entry| entry.prefix);
        } else {
            self.entries.sort_by(|a, b| {
                a.prefix.cmp(&b.prefix).then_with(|| {
                    let order = compare_records(
                        Sorter::record_at(data, *a),
                        Sorter::record_at(data, *b),
                        info,
                    );
                    order.unwrap_or_else(|_| {
                        corrupt = true;
                        Ordering::Equal
                    })
                })
            });
        }
        if corrupt {
            Err(Error::corrupt())
        } else {
            Ok(())
        }
    }

    /// Sorts and goes to the first record; false if there is none. `Slow` if there are runs in the file.
    pub(super) fn sort(&mut self) -> Step<bool> {
        if self.spill.is_some() {
            return Err(Trap::Slow);
        }
        self.sort_memory()?;
        self.phase = Phase::Memory(0);
        Ok(!self.entries.is_empty())
    }

    /// Writes what is in memory to the file as a sorted run.
    pub(super) async fn spill(&mut self, env: &Env) -> Result<()> {
        self.sort_memory()?;
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::open(&env.io)?),
        };
        let records = self
            .entries
            .iter()
            .map(|entry| Sorter::record_at(&self.data, *entry));
        spill.write_run(&env.io, records).await?;
        self.data.clear();
        self.entries.clear();
        Ok(())
    }

    /// [`sort`](Sorter::sort) where there are runs in the file.
    pub(super) async fn sort_slow(&mut self, env: &Env) -> Result<bool> {
        if !self.entries.is_empty() {
            self.spill(env).await?;
        }
        let Some(spill) = &self.spill else {
            return Ok(false);
        };
        let merge = Merge::start(&env.io, spill, self.info.clone()).await?;
        let has_record = merge.record().is_some();
        self.phase = Phase::Merging(Box::new(merge));
        Ok(has_record)
    }

    /// Goes to the next record; false at the end. `Slow` if more of a run has to be read.
    #[inline]
    pub(super) fn next(&mut self) -> Step<bool> {
        match &mut self.phase {
            Phase::Memory(at) => {
                *at += 1;
                Ok(*at < self.entries.len())
            }
            Phase::Merging(merge) => match merge.next()? {
                Some(on_record) => Ok(on_record),
                None => Err(Trap::Slow),
            },
            Phase::Filling => Ok(false),
        }
    }

    /// Reads more of the run that [`next`](Sorter::next) stopped at, which is then called again.
    pub(super) async fn refill(&mut self, env: &Env) -> Result<()> {
        match (&mut self.phase, &self.spill) {
            (Phase::Merging(merge), Some(spill)) => merge.refill(&env.io, spill).await,
            _ => Ok(()),
        }
    }

    /// The current record.
    #[inline]
    pub(super) fn record(&self) -> Step<&[u8]> {
        let record = match &self.phase {
            Phase::Memory(at) => self
                .entries
                .get(*at)
                .map(|entry| Sorter::record_at(&self.data, *entry)),
            Phase::Merging(merge) => merge.record(),
            Phase::Filling => None,
        };
        record.ok_or_else(|| Error::corrupt().into())
    }

    /// Whether the first `count` columns of the current record are those of `other`, and none is NULL.
    pub(super) fn has_key_of(&self, other: &[u8], count: usize) -> Step<bool> {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let encoding = self.info.encoding;
        let count = count.min(self.info.columns.len());
        let record = self.record()?;
        for value in record_values(record)?.take(count) {
            let (kind, body) = value?;
            let mut text = Vec::new();
            if let ValueRef::Text(bytes) = kind.decode(body)? {
                encoding.decode(bytes, &mut text);
            }
            texts.push(text);
        }
        let mut values = Vec::with_capacity(count);
        for (value, text) in record_values(record)?.zip(&texts) {
            let (kind, body) = value?;
            values.push(match kind.decode(body)? {
                ValueRef::Text(_) => ValueRef::Text(text),
                ValueRef::Null => return Ok(false),
                other => other,
            });
        }
        let key = UnpackedKey::new(&values, &self.info, Ordering::Equal);
        Ok(compare_record(other, &key)? == Ordering::Equal)
    }
}
