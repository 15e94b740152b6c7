//! What is counted, and how it is read.
//!
//! ```sql
//! SELECT * FROM ringwood_counters WHERE name = 'cache_misses';   PRAGMA counters;
//! ```
//! and `counters()` of `Connection`, `LocalConnection`, `Database` and this crate. Each gives the same list, of what it
//! can see: SQL sees the process, its cores, the databases of its connection and the connection; not other files.
//!
//! | scope | name | |
//! |---|---|---|
//! | `process` | `cache_hits`, `cache_misses` | lookups of pages by transactions that have ended, in the shared cache |
//! | | `cache_evictions`, `cache_grown` | pages that made room; pages made beyond the budget, everything being pinned |
//! | | `cache_used_bytes`, `cache_budget_bytes` | |
//! | | `databases` | files that are open |
//! | `core N` | `connections` | that live there now |
//! | | `calls`, `calls_left_out`, `panics` | begun; given up before; tasks that panicked |
//! | | `queue_depth` | distribution: calls that waited for the same connection when one began |
//! | | `queue_wait_ns`, `run_ns` | distribution: from being sent to being begun, and to the answer |
//! | | `syscalls`, `enters`, `naps`, `inline_ops`, `ring_ops`, `resumed`, `held_back`, `orphaned`, `read_bytes`, `written_bytes`, `syncs`, `registered_files`, `registered_buffers` | of its I/O handle, as in [`IoStats`] |
//! | `thread` | the same of `syscalls` … | of the handle of a `LocalConnection` that lives on no core |
//! | a database: `main`, its name, or its path | `cache_hits`, `cache_misses` | as above, of this file |
//! | | `connections`, `log_frames`, `log_frames_copied` | now |
//! | | `commits`, `commit_groups`, `commit_syncs`, `commit_bytes`, `commits_failed`, `commit_group_max` | of groups, but for transactions that had to commit alone |
//! | | `commit_group_size` | distribution |
//! | | `wait_ns` | distribution: steps that had to wait for a page, a lock or a commit |
//! | `pool` | `pool_made`, `pool_idle`, `pool_acquired`, `pool_timeouts` | |
//! | | `pool_wait_ns` | distribution: of those who had to wait for a connection and got one |
//! | `connection` | `statement_cache_hits`, `…_misses`, `…_invalidated`, `…_evicted`, `…_kept` | texts that were asked for |
//!
//! Rules:
//! 1. A page that is found costs one addition to a cell of its transaction, as it always did; the sum is added to the
//!    others when the transaction ends. A step that does not wait costs nothing, one that does two looks at the clock, a
//!    call of a `Connection` three.
//! 2. Counters only grow, but for those that say what is so now. They start at 0 with what they are about.
//! 3. Those of different threads are read one after the other: sums may be off by what happened meanwhile.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringwood_io::IoStats;

use crate::connection_pool::ConnectionPool;
use crate::core_meters::{CoreMeters, io_counters};
use crate::histogram::Distribution;
use crate::local::{self, StatementCacheCounters, Store};
use crate::runtime;

/// A counter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// A number.
    Number(u64),
    /// How many values there were of which size.
    Distribution(Box<Distribution>),
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What it is about: `process`, `core 0`, a database, `connection`.
    pub scope: Arc<str>,
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub count: Count,
}

/// A list of counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(Vec<Counter>);

/// What this process has counted: its page cache, its cores and all files that are open, each by its path.
pub fn counters() -> Counters {
    let mut counters = Counters::of_process();
    for store in Store::all() {
        let path = store.db.path().map(|path| path.to_string_lossy());
        counters.add_database(&path.unwrap_or_default(), &store);
    }
    counters
}

impl Counters {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Counter> {
        self.0.iter()
    }

    /// The number of that name in a scope.
    pub fn get(&self, scope: &str, name: &str) -> Option<u64> {
        match self.find(scope, name)? {
            Count::Number(number) => Some(*number),
            Count::Distribution(_) => None,
        }
    }

    /// The distribution of that name in a scope.
    pub fn distribution(&self, scope: &str, name: &str) -> Option<&Distribution> {
        match self.find(scope, name)? {
            Count::Number(_) => None,
            Count::Distribution(distribution) => Some(distribution),
        }
    }

    /// The sum of the numbers of that name in all scopes that begin so: `"core"` for all cores.
    pub fn sum(&self, scopes: &str, name: &str) -> u64 {
        let all = self.0.iter();
        let all = all.filter(|c| c.name == name && c.scope.starts_with(scopes));
        all.map(|c| match c.count {
            Count::Number(number) => number,
            Count::Distribution(_) => 0,
        })
        .sum()
    }

    fn find(&self, scope: &str, name: &str) -> Option<&Count> {
        let all = &mut self.0.iter();
        let found = all.find(|c| c.name == name && &*c.scope == scope);
        found.map(|c| &c.count)
    }

    pub(crate) fn of_process() -> Counters {
        let mut counters = Counters::default();
        let pool = local::pool();
        let seen = pool.counters();
        counters.add_numbers(
            "process",
            [
                ("cache_hits", seen.hits),
                ("cache_misses", seen.misses),
                ("cache_evictions", seen.evictions),
                ("cache_grown", seen.grown),
                ("cache_used_bytes", seen.used_bytes),
                ("cache_budget_bytes", pool.budget_bytes() as u64),
                ("databases", Store::all().len() as u64),
            ],
        );
        for core in runtime::running() {
            counters.add_core(&format!("core {}", core.index), &core.meters);
        }
        counters
    }

    fn add_core(&mut self, scope: &str, meters: &CoreMeters) {
        let look = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        self.add_numbers(
            scope,
            [
                ("connections", look(&meters.connections)),
                ("calls", look(&meters.calls)),
                ("calls_left_out", look(&meters.calls_left_out)),
                ("panics", meters.panics()),
            ],
        );
        self.add_distributions(
            scope,
            [
                ("queue_depth", meters.queue_depth.look()),
                ("queue_wait_ns", meters.queue_wait.look()),
                ("run_ns", meters.run.look()),
            ],
        );
        self.add_io(scope, &meters.io());
    }

    pub(crate) fn add_io(&mut self, scope: &str, stats: &IoStats) {
        self.add_numbers(scope, io_counters(stats));
    }

    pub(crate) fn add_database(&mut self, scope: &str, store: &Store) {
        let commits = store.db.commit_counters();
        let (hits, misses) = store.db.lookups();
        let (frames, copied) = store.db.log_frames();
        self.add_numbers(
            scope,
            [
                ("cache_hits", hits),
                ("cache_misses", misses),
                ("connections", store.seats_taken() as u64),
                ("log_frames", u64::from(frames)),
                ("log_frames_copied", u64::from(copied)),
                ("commits", commits.commits),
                ("commit_groups", commits.groups),
                ("commit_syncs", commits.syncs),
                ("commit_bytes", commits.bytes),
                ("commits_failed", commits.failed),
                ("commit_group_max", commits.largest),
            ],
        );
        // Sizes begin with 1, where buckets begin with 0.
        let mut sizes = [0; 10];
        sizes[1..].copy_from_slice(&commits.sizes);
        self.add_distributions(
            scope,
            [
                ("commit_group_size", Distribution::of(&sizes)),
                ("wait_ns", store.waits().look()),
            ],
        );
    }

    pub(crate) fn add_pool(&mut self, pool: &ConnectionPool) {
        let (made, idle) = pool.size();
        let meters = &pool.meters;
        self.add_numbers(
            "pool",
            [
                ("pool_made", made as u64),
                ("pool_idle", idle as u64),
                ("pool_acquired", meters.acquired.load(Ordering::Relaxed)),
                ("pool_timeouts", meters.timeouts.load(Ordering::Relaxed)),
            ],
        );
        self.add_distributions("pool", [("pool_wait_ns", meters.waits.look())]);
    }

    pub(crate) fn add_statements(&mut self, cache: &StatementCacheCounters) {
        self.add_numbers(
            "connection",
            [
                ("statement_cache_hits", cache.hits),
                ("statement_cache_misses", cache.misses),
                ("statement_cache_invalidated", cache.invalidated),
                ("statement_cache_evicted", cache.evicted),
                ("statement_cache_kept", cache.kept),
            ],
        );
    }

    fn add_numbers(&mut self, scope: &str, numbers: impl IntoIterator<Item = (&'static str, u64)>) {
        let scope: Arc<str> = scope.into();
        self.0
            .extend(numbers.into_iter().map(|(name, number)| Counter {
                scope: scope.clone(),
                name,
                count: Count::Number(number),
            }));
    }

    fn add_distributions(
        &mut self,
        scope: &str,
        distributions: impl IntoIterator<Item = (&'static str, Distribution)>,
    ) {
        let scope: Arc<str> = scope.into();
        let all = distributions.into_iter();
        self.0.extend(all.map(|(name, distribution)| Counter {
            scope: scope.clone(),
            name,
            count: Count::Distribution(Box::new(distribution)),
        }));
    }
}

impl fmt::Display for Counters {
    /// A line for each: `core 0 run_ns 812 ≤4095 ≤16383`, which of a distribution are the number, the median and the 99th
    /// percentile.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Counter { scope, name, count } in &self.0 {
            match count {
                Count::Number(number) => writeln!(f, "{scope} {name} {number}")?,
                Count::Distribution(all) => {
                    let (median, late) = (all.quantile(0.5), all.quantile(0.99));
                    writeln!(f, "{scope} {name} {} ≤{median} ≤{late}", all.count())?;
                }
            }
        }
        Ok(())
    }
}
