//! Counts of values by their size: how long, how many.
//!
//! ```text
//!   bucket   0    1    2      3      4       …    39
//!   values   0    1    2–3    4–7    8–15    …    from 2³⁸ on
//! ```
//!
//! A value costs one relaxed addition, from any thread. A quantile is told as the upper bound of its bucket, so it is at
//! most twice what it was.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many buckets there are.
pub const BUCKETS: usize = 40;

/// A histogram that many threads add to.
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Histogram {
    #[inline]
    pub(crate) fn add(&self, value: u64) {
        let bucket = (64 - value.leading_zeros() as usize).min(BUCKETS - 1);
        self.0[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a time, in nanoseconds.
    #[inline]
    pub(crate) fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn look(&self) -> Distribution {
        Distribution(std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed)))
    }
}

/// A copy of a histogram.
#[derive(Clone, PartialEq, Eq)]
pub struct Distribution([u64; BUCKETS]);

impl Distribution {
    /// One with these counts in its first buckets.
    pub(crate) fn of(counts: &[u64]) -> Distribution {
        Distribution(std::array::from_fn(|at| {
            counts.get(at).copied().unwrap_or(0)
        }))
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The upper bounds of the buckets that are not empty, and how many values they have.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let bounds = (0..BUCKETS).map(Distribution::bound);
        bounds.zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// The bound below which (or at which) this part of the values is, from 0 to 1; 0 without values.
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = (self.count() as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reached = self.buckets().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(0, |(bound, _)| bound)
    }

    /// The largest value that a bucket holds.
    fn bound(bucket: usize) -> u64 {
        match bucket {
            0 => 0,
            last if last == BUCKETS - 1 => u64::MAX,
            n => (1 << n) - 1,
        }
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_by_their_size() {
        let histogram = Histogram::default();
        assert_eq!(histogram.look().quantile(0.5), 0, "of nothing");
        for value in [0, 1, 2, 3, 4, 1000, u64::MAX] {
            histogram.add(value);
        }
        histogram.add_time(Duration::from_nanos(1023));
        let seen = histogram.look();
        let wanted = [(0, 1), (1, 1), (3, 2), (7, 1), (1023, 2), (u64::MAX, 1)];
        assert_eq!(seen.buckets().collect::<Vec<_>>(), wanted);
        assert_eq!(seen.count(), 8);
        assert_eq!(seen.quantile(0.5), 3);
        assert_eq!(seen.quantile(0.75), 1023);
        assert_eq!(seen.quantile(1.0), u64::MAX);
        assert_eq!(Distribution::of(&[0, 0, 5]).quantile(0.1), 3);
    }
}
