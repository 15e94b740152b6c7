//! Many threads on few frames: whoever holds a pin sees one version, whole and unchanged.

use ringwood_format::page::PageNo;
use ringwood_pager::{FileCache, PageRef, PolicyKind, Pool, PoolOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const PAGES: u32 = 96;
const SIZE: usize = 512;

/// A page whose every word says which page and version it is.
fn stamp(pool: &Arc<Pool>, page: u32, lsn: u64) -> PageRef {
    let mut version = pool.page(SIZE);
    let words = version.make_mut(pool).chunks_exact_mut(16);
    for word in words {
        word[..8].copy_from_slice(&lsn.to_le_bytes());
        word[8..].copy_from_slice(&u64::from(page).to_le_bytes());
    }
    version
}

fn check(bytes: &[u8], page: u32) -> u64 {
    let mut lsn = None;
    for word in bytes.chunks_exact(16) {
        let (seen, of) = word.split_at(8);
        assert_eq!(
            u64::from_le_bytes(of.try_into().expect("8 bytes")),
            u64::from(page),
            "another page's bytes"
        );
        let seen = u64::from_le_bytes(seen.try_into().expect("8 bytes"));
        assert_eq!(*lsn.get_or_insert(seen), seen, "bytes of two versions");
    }
    lsn.expect("a page has words")
}

/// xorshift: the test's own, so that a seed replays it.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn stress(policy: PolicyKind, frames: usize) {
    let pool = Pool::new(PoolOptions {
        budget_bytes: frames * SIZE,
        policy,
        ..PoolOptions::default()
    });
    let cache = FileCache::new(pool.clone());
    let newest = AtomicU64::new(1);
    let over = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let (cache, pool, newest, over) = (&cache, &pool, &newest, &over);
            scope.spawn(move || {
                let mut seed = 0x9e37_79b9 + thread;
                let mut held: Vec<(u32, u64, PageRef)> = Vec::new();
                let (mut hits, mut tries) = (0, 0);
                while tries < 20_000 {
                    tries += 1;
                    let page = next(&mut seed) as u32 % PAGES + 1;
                    let lsn = newest.load(Ordering::Acquire);
                    let number = PageNo::new(page).expect("not 0");
                    let pin = match cache.lookup(number, lsn) {
                        Some(pin) => {
                            hits += 1;
                            pin
                        }
                        // Reading is stood in for by making what the snapshot sees.
                        None => cache.insert(number, lsn, stamp(pool, page, lsn), || {
                            newest.load(Ordering::Acquire) == lsn
                        }),
                    };
                    let version = check(&pin, page);
                    assert!(version <= lsn, "a version of the future");
                    held.push((page, version, pin));
                    if held.len() > 5 {
                        let (page, version, pin) = held.swap_remove(next(&mut seed) as usize % 5);
                        assert_eq!(check(&pin, page), version, "a pinned version changed");
                        if next(&mut seed).is_multiple_of(4) {
                            let mut copy = pin.clone();
                            drop(pin);
                            copy.make_mut(pool).fill(0xff);
                            assert!(!copy.is_published());
                        }
                    }
                }
                assert!(hits > 0);
                over.fetch_add(1, Ordering::Relaxed);
            });
        }
        let mut seed = 7;
        let mut round = 0u64;
        while over.load(Ordering::Relaxed) < 3 {
            round += 1;
            let lsn = newest.load(Ordering::Relaxed) + 1;
            let pages: Vec<u32> = (0..=(round % 4))
                .map(|_| next(&mut seed) as u32 % PAGES + 1)
                .collect();
            let mut versions: Vec<(u32, PageRef)> = pages
                .iter()
                .map(|&page| (page, stamp(&pool, page, lsn)))
                .collect();
            versions.sort_by_key(|(page, _)| *page);
            versions.dedup_by_key(|(page, _)| *page);
            let changes = versions
                .iter()
                .map(|(page, version)| (PageNo::new(*page).expect("not 0"), Some(version)));
            cache.replace(lsn, lsn - 1, changes);
            newest.store(lsn, Ordering::Release);
            if round.is_multiple_of(16) {
                cache.trim(lsn);
                std::thread::yield_now();
            }
            if round.is_multiple_of(64) {
                cache.truncate(PageNo::new(PAGES / 2).expect("not 0"));
            }
        }
    });
    cache.trim(u64::MAX);
    pool.assert_pool_state();
    assert_eq!(pool.pin_count(), 0);
    drop(cache);
    // Versions that were pinned when they were replaced go when room is wanted.
    pool.set_budget_bytes(0);
    drop(pool.page(SIZE));
    assert_eq!(pool.counters().used_bytes, 0, "nothing leaks");
    pool.assert_pool_state();
}

#[test]
fn versions_stay_whole_with_few_frames() {
    stress(PolicyKind::S3Fifo, 12);
}

#[test]
fn versions_stay_whole_with_many_frames() {
    stress(PolicyKind::S3Fifo, 400);
}

#[test]
fn versions_stay_whole_under_clock_and_lru() {
    stress(PolicyKind::Clock, 24);
    stress(PolicyKind::Lru, 24);
}
