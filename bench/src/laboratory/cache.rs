//! The page cache alone: miss ratios of its policies on traces, and what a hit costs.
//!
//! | trace | each access is to |
//! |---|---|
//! | `zipf` | a page drawn by Zipf's law |
//! | `scan` | the same, and every now and then all pages of a table, once |
//! | `loop` | the next of a few more pages than there is room for, round and round |

use std::time::Instant;

use clap::{Args, ValueEnum};
use ringwood_format::page::PageNo;
use ringwood_pager::{FileCache, PolicyKind, Pool, PoolOptions};
use serde_json::json;

use super::chance::{Chance, Zipf};
use super::{Failure, machine};

/// `ringwood-bench cache`
#[derive(Args, Clone, Debug)]
pub struct Cache {
    /// Policies to compare.
    #[arg(long, value_delimiter = ',', default_value = "s3-fifo,clock,lru")]
    pub policies: Vec<PolicyName>,
    /// Traces.
    #[arg(long, value_delimiter = ',', default_value = "zipf,scan,loop")]
    pub traces: Vec<Trace>,
    /// Pages that there are.
    #[arg(long, default_value_t = 20_000)]
    pub pages: u64,
    /// Pages that there is room for.
    #[arg(long, default_value_t = 2_000)]
    pub frames: usize,
    /// Bytes of a page.
    #[arg(long, default_value_t = 4096)]
    pub page_size: usize,
    /// Accesses.
    #[arg(long, default_value_t = 500_000)]
    pub accesses: u64,
    /// Exponent of Zipf's law.
    #[arg(long, default_value_t = 0.9)]
    pub skew: f64,
}

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// S3-FIFO.
    #[value(name = "s3-fifo")]
    S3Fifo,
    /// CLOCK.
    Clock,
    /// Least recently used.
    Lru,
}

/// A trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Trace {
    /// Zipf's law.
    Zipf,
    /// The same, with scans.
    Scan,
    /// Round and round.
    Loop,
}

impl PolicyName {
    fn kind(self) -> PolicyKind {
        match self {
            PolicyName::S3Fifo => PolicyKind::S3Fifo,
            PolicyName::Clock => PolicyKind::Clock,
            PolicyName::Lru => PolicyKind::Lru,
        }
    }
}

/// The pages of a trace, one after the other.
fn trace(options: &Cache, trace: Trace) -> Vec<u32> {
    let (mut chance, zipf) = (Chance::new(1), Zipf::new(options.pages, options.skew));
    let (pages, frames) = (options.pages, options.frames as u64);
    let mut all = Vec::with_capacity(options.accesses as usize);
    while (all.len() as u64) < options.accesses {
        let at = all.len() as u64;
        match trace {
            Trace::Zipf => all.push(zipf.draw(&mut chance)),
            Trace::Loop => all.push(at % (frames + frames / 4)),
            // A table that is as large as the cache, after each ten times as many accesses.
            Trace::Scan if at > 0 && at % (11 * frames) >= 10 * frames => {
                all.push(pages + at % (11 * frames) - 10 * frames);
            }
            Trace::Scan => all.push(zipf.draw(&mut chance)),
        }
    }
    all.into_iter().map(|page| page as u32 + 1).collect()
}

/// Measures, and prints a line for each combination.
///
/// # Errors
/// None, but for what a page number cannot be.
pub fn run(options: &Cache) -> Result<(), Failure> {
    let machine = machine::facts(&std::env::temp_dir());
    for &name in &options.traces {
        let pages = trace(options, name);
        for &policy in &options.policies {
            let (misses, hit_ns) = play(options, policy, &pages)?;
            let line = json!({
                "what": "cache",
                "trace": name.to_possible_value().map(|v| v.get_name().to_owned()),
                "policy": policy.to_possible_value().map(|v| v.get_name().to_owned()),
                "pages": options.pages,
                "frames": options.frames,
                "page_size": options.page_size,
                "skew": options.skew,
                "accesses": pages.len(),
                "miss_ratio": misses as f64 / pages.len() as f64,
                "hit_ns": hit_ns,
                "machine": machine,
            });
            println!("{line}");
        }
    }
    Ok(())
}

/// Misses of a trace, and the time of a hit in nanoseconds.
fn play(options: &Cache, policy: PolicyName, pages: &[u32]) -> Result<(u64, f64), Failure> {
    let pool = Pool::new(PoolOptions {
        budget_bytes: options.frames * options.page_size,
        policy: policy.kind(),
        ..PoolOptions::default()
    });
    let cache = FileCache::new(pool.clone());
    let mut misses = 0;
    for &page in pages {
        let no = PageNo::new(page).ok_or("pages are counted from 1")?;
        if cache.lookup(no, 1).is_none() {
            misses += 1;
            cache.insert(no, 1, pool.page(options.page_size), || true);
        }
    }
    let warm: Vec<PageNo> = (1..=64).filter_map(PageNo::new).collect();
    for &no in &warm {
        if cache.lookup(no, 1).is_none() {
            cache.insert(no, 1, pool.page(options.page_size), || true);
        }
    }
    const ROUNDS: usize = 20_000;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for &no in &warm {
            std::hint::black_box(cache.lookup(no, 1));
        }
    }
    let hit_ns = began.elapsed().as_nanos() as f64 / (ROUNDS * warm.len()) as f64;
    Ok((misses, hit_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_worst_for_lru() {
        let options = Cache {
            policies: Vec::new(),
            traces: Vec::new(),
            pages: 2000,
            frames: 200,
            page_size: 512,
            accesses: 20_000,
            skew: 0.9,
        };
        let pages = trace(&options, Trace::Loop);
        let misses = |policy| play(&options, policy, &pages).expect("plays").0;
        assert!(misses(PolicyName::Lru) > 19_000);
        assert!(misses(PolicyName::S3Fifo) < 12_000);
    }
}
