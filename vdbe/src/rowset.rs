//! Sets of rowids: what UPDATE, DELETE and OR-lookups remember between passes.
//!
//! Rules:
//! 1. [`RowSet::insert`] and [`RowSet::take_smallest`] are used one after the other: all inserts, then all takes; an
//!    insert after a take starts a new set.
//! 2. [`RowSet::test`] asks only about batches before the given one, as SQLite's, so that within a batch a rowid is
//!    added without a lookup.
//!
//! Source: SQLite's `rowset.c`.

/// A set of rowids.
#[derive(Debug, Default)]
pub struct RowSet {
    /// The rowids of the current batch, or all of them; sorted descending while they are taken out.
    fresh: Vec<i64>,
    /// The rowids of earlier batches, sorted runs of growing size.
    runs: Vec<Vec<i64>>,
    batch: i32,
    taking: bool,
}

impl RowSet {
    /// Adds a rowid.
    pub fn insert(&mut self, rowid: i64) {
        if self.taking {
            self.taking = false;
            self.fresh.clear();
        }
        self.fresh.push(rowid);
    }

    /// Takes the smallest rowid out.
    pub fn take_smallest(&mut self) -> Option<i64> {
        if !self.taking {
            for run in self.runs.drain(..) {
                self.fresh.extend(run);
            }
            self.fresh.sort_unstable_by(|a, b| b.cmp(a));
            self.fresh.dedup();
            self.taking = true;
        }
        self.fresh.pop()
    }

    /// Whether a batch before `batch` has the rowid.
    pub fn test(&mut self, batch: i32, rowid: i64) -> bool {
        if batch != self.batch {
            self.seal();
            self.batch = batch;
        }
        self.runs
            .iter()
            .any(|run| run.binary_search(&rowid).is_ok())
    }

    /// Makes a sorted run of the fresh rowids, and merges runs so that sizes at least double from one to the next.
    fn seal(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let mut run = std::mem::take(&mut self.fresh);
        run.sort_unstable();
        run.dedup();
        while let Some(last) = self.runs.pop_if(|last| last.len() <= run.len() * 2) {
            run = merge(&last, &run);
        }
        self.runs.push(run);
    }
}

/// The union of two sorted runs.
fn merge(a: &[i64], b: &[i64]) -> Vec<i64> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        out.push(a[i].min(b[j]));
        let least = out[out.len() - 1];
        i += usize::from(a[i] == least);
        j += usize::from(b[j] == least);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_in_order_without_doubles() {
        let mut set = RowSet::default();
        for rowid in [5, -3, 9, 5, 0] {
            set.insert(rowid);
        }
        let taken: Vec<i64> = std::iter::from_fn(|| set.take_smallest()).collect();
        assert_eq!(taken, [-3, 0, 5, 9]);
    }

    #[test]
    fn tests_earlier_batches_only() {
        let mut set = RowSet::default();
        for rowid in 0..100 {
            assert!(!set.test(1, rowid));
            set.insert(rowid);
        }
        assert!(!set.test(1, 50));
        for rowid in 0..200 {
            assert_eq!(set.test(2, rowid), rowid < 100);
            set.insert(rowid);
        }
        assert!(set.test(3, 150));
        assert!(!set.test(3, 200));
    }
}
