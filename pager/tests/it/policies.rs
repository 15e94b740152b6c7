//! What the policies miss on the traces that tell them apart.

use ringwood_format::page::PageNo;
use ringwood_pager::{FileCache, PolicyKind, Pool, PoolOptions};

const SIZE: usize = 512;
const FRAMES: usize = 1000;

/// The share of a trace that misses a cache of [`FRAMES`] frames, once it is warm.
fn miss_ratio(policy: PolicyKind, trace: &[u32]) -> f64 {
    let pool = Pool::new(PoolOptions {
        budget_bytes: FRAMES * SIZE,
        policy,
        ..PoolOptions::default()
    });
    let cache = FileCache::new(pool.clone());
    let mut misses = 0;
    let half = trace.len() / 2;
    for (i, &page) in trace.iter().enumerate() {
        let page = PageNo::new(page + 1).expect("not 0");
        if cache.lookup(page, 1).is_none() {
            misses += usize::from(i >= half);
            cache.insert(page, 1, pool.page_zeroed(SIZE), || true);
        }
    }
    pool.assert_pool_state();
    misses as f64 / (trace.len() - half) as f64
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Zipf with exponent 1 over `pages` pages, by the inverse of the harmonic sum.
fn zipf(pages: u32, count: usize) -> Vec<u32> {
    let mut random = Random(0x1234_5678_9abc);
    let ln = f64::from(pages).ln();
    let rank = |u: f64| ((u * ln).exp() as u32).min(pages - 1);
    (0..count)
        .map(|_| rank(random.unit()).wrapping_mul(2_654_435_761) % pages)
        .collect()
}

fn ratios(name: &str, trace: &[u32]) -> [f64; 3] {
    let ratios = [PolicyKind::S3Fifo, PolicyKind::Clock, PolicyKind::Lru]
        .map(|policy| miss_ratio(policy, trace));
    println!(
        "{name}: S3-FIFO {:.3}, CLOCK {:.3}, LRU {:.3}",
        ratios[0], ratios[1], ratios[2]
    );
    ratios
}

#[test]
fn a_loop_that_exceeds_the_cache() {
    let trace: Vec<u32> = (0..80_000).map(|i| i % 1400).collect();
    let [s3fifo, clock, lru] = ratios("loop of 1400", &trace);
    assert!(s3fifo < 0.5, "what is kept of a loop hits");
    assert!(clock > 0.99 && lru > 0.99, "recency misses everything");
}

#[test]
fn a_skewed_workload() {
    let [s3fifo, clock, lru] = ratios("zipf over 20000", &zipf(20_000, 200_000));
    assert!(s3fifo < lru && s3fifo < clock, "frequency beats recency");
    assert!(s3fifo < 0.36);
}

#[test]
fn a_skewed_workload_with_scans() {
    let mut scan = 100_000;
    let mut trace = Vec::new();
    for chunk in zipf(20_000, 160_000).chunks(1000) {
        trace.extend_from_slice(chunk);
        // Pages that are read once and never again.
        trace.extend(scan..scan + 500);
        scan += 500;
    }
    let [s3fifo, clock, lru] = ratios("zipf with scans", &trace);
    assert!(
        s3fifo + 0.02 < lru && s3fifo + 0.02 < clock,
        "a scan does not sweep the cache"
    );
}

#[test]
fn everything_fits() {
    let trace: Vec<u32> = (0..20_000).map(|i| i * 7 % 990).collect();
    assert_eq!(ratios("990 pages", &trace), [0.0; 3]);
}
