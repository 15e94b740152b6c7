//! Versions of pages, and the life of frames, on one thread.

use ringwood_format::page::PageNo;
use ringwood_pager::{Boarding, FileCache, PageRef, PolicyKind, Pool, PoolOptions};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

fn no(n: u32) -> PageNo {
    PageNo::new(n).expect("not 0")
}

fn version(pool: &Arc<Pool>, byte: u8) -> PageRef {
    pool.page_copy(&[byte; 512])
}

#[test]
fn a_private_page_is_its_owners() {
    let pool = Pool::with_frames(4, 512);
    let mut page = pool.page_zeroed(512);
    page.get_mut().expect("the only pin").fill(7);
    let other = page.clone();
    assert!(page.get_mut().is_none() && page.is_shared() && !page.is_published());
    page.make_mut(&pool).fill(8);
    assert_eq!((page[0], other[0]), (8, 7));
    assert!(!page.same(&other));
    drop((page, other));
    pool.assert_pool_state();
    assert_eq!((pool.counters().used_bytes, pool.pin_count()), (0, 0));
}

#[test]
fn snapshots_find_their_versions() {
    let pool = Pool::with_frames(16, 512);
    let cache = FileCache::new(pool.clone());
    assert!(cache.lookup(no(3), 99).is_none());
    cache.publish(no(3), 10, &version(&pool, 10), 10);
    // Somebody reads snapshot 12.
    cache.publish(no(3), 20, &version(&pool, 20), 12);
    cache.publish(no(3), 30, &version(&pool, 30), 12);
    for (lsn, expected) in [
        (9, None),
        (10, Some(10)),
        (19, Some(10)),
        (20, Some(20)),
        (29, Some(20)),
        (30, Some(30)),
        (99, Some(30)),
    ] {
        assert_eq!(
            cache.lookup(no(3), lsn).map(|page| page[0]),
            expected,
            "snapshot {lsn}"
        );
    }
    cache.trim(20);
    assert!(cache.lookup(no(3), 15).is_none());
    assert_eq!(cache.lookup(no(3), 25).expect("still read")[0], 20);
    // A pin outlives what it pins.
    let pin = cache.lookup(no(3), 25).expect("still read");
    cache.trim(99);
    cache.publish(no(3), 40, &version(&pool, 40), 40);
    assert_eq!(
        (pin[0], cache.lookup(no(3), 40).expect("newest")[0]),
        (20, 40)
    );
    drop(pin);
    cache.invalidate(no(3));
    assert!(cache.lookup(no(3), 99).is_none());
    pool.assert_pool_state();
}

#[test]
fn only_the_newest_version_is_inserted() {
    let pool = Pool::with_frames(16, 512);
    let cache = FileCache::new(pool.clone());
    let read = cache.insert(no(5), 10, version(&pool, 1), || false);
    assert!(read.is_published() && cache.lookup(no(5), 11).is_none());
    drop(read);
    cache.trim(11);
    let read = cache.insert(no(5), 10, version(&pool, 1), || true);
    assert!(cache.lookup(no(5), 11).expect("newest").same(&read));
    let again = cache.insert(no(5), 12, version(&pool, 1), || unreachable!("it is there"));
    assert!(again.same(&read), "the one that was there");
    cache.publish(no(5), 20, &version(&pool, 2), 20);
    let old = cache.insert(no(5), 12, version(&pool, 1), || true);
    assert_eq!(
        (old[0], cache.lookup(no(5), 20).expect("newest")[0]),
        (1, 2)
    );
}

#[test]
fn the_pool_grows_when_all_is_pinned_and_shrinks_again() {
    let pool = Pool::with_frames(8, 512);
    let cache = FileCache::new(pool.clone());
    let mut pins = Vec::new();
    for n in 1..=20 {
        let page = version(&pool, n as u8);
        cache.publish(no(n), 1, &page, 1);
        pins.push(page);
    }
    assert_eq!(pool.counters().used_bytes, 20 * 512);
    assert_eq!(pool.counters().grown, 12);
    pins.truncate(2);
    drop(pool.page(512));
    assert_eq!(
        pool.counters().used_bytes,
        7 * 512,
        "room for the one that was asked for"
    );
    pool.assert_pool_state();
    for n in 1..=2 {
        assert_eq!(cache.lookup(no(n), 1).expect("pinned")[0], n as u8);
    }
}

#[test]
fn pins_outlive_cache_and_pool() {
    let pool = Pool::with_frames(8, 512);
    let cache = FileCache::new(pool.clone());
    cache.publish(no(1), 1, &version(&pool, 42), 1);
    let published = cache.lookup(no(1), 1).expect("published");
    let private = version(&pool, 43);
    drop(cache);
    drop(pool);
    assert_eq!((published[511], private[511]), (42, 43));
}

#[test]
fn classes_share_the_budget() {
    let pool = Pool::new(PoolOptions {
        budget_bytes: 1 << 20,
        policy: PolicyKind::Clock,
        ..PoolOptions::default()
    });
    let cache = FileCache::new(pool.clone());
    let large = FileCache::new(pool.clone());
    for n in 1..=200 {
        cache.publish(no(n), 1, &pool.page_zeroed(4096), 1);
    }
    for n in 1..=16 {
        large.publish(no(n), 1, &pool.page_zeroed(65536), 1);
    }
    assert!(pool.counters().used_bytes <= 1 << 20);
    let kept = (1..=16)
        .filter(|&n| large.lookup(no(n), 1).is_some())
        .count();
    assert!((7..=9).contains(&kept), "half of the budget: {kept}");
    pool.assert_pool_state();
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn one_reads_and_the_others_wait() {
    let pool = Pool::with_frames(8, 512);
    let cache = FileCache::new(pool);
    let Boarding::Lead(flight) = cache.board((7, 1)) else {
        panic!("nobody reads it yet")
    };
    assert!(matches!(cache.board((8, 1)), Boarding::Lead(_)));
    let Boarding::Follow(landing) = cache.board((7, 1)) else {
        panic!("it is being read")
    };
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut context = Context::from_waker(&waker);
    let mut landing = std::pin::pin!(landing);
    assert!(landing.as_mut().poll(&mut context).is_pending());
    assert!(landing.as_mut().poll(&mut context).is_pending());
    drop(flight);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(landing.as_mut().poll(&mut context), Poll::Ready(()));
    assert!(
        matches!(cache.board((7, 1)), Boarding::Lead(_)),
        "whoever still misses reads"
    );
}

#[test]
fn private_pages_leave_published_ones_a_share() {
    let pool = Pool::with_frames(80, 512);
    let cache = FileCache::new(pool.clone());
    let private: Vec<PageRef> = (0..500).map(|n| version(&pool, n as u8)).collect();
    for n in 1..=40 {
        cache.publish(no(n), 1, &version(&pool, 1), 1);
    }
    let kept = (1..=40)
        .filter(|&n| cache.lookup(no(n), 1).is_some())
        .count();
    assert_eq!(kept, 11, "an eighth of 80, and the one that was asked for");
    assert_eq!(pool.counters().used_bytes, 511 * 512);
    drop(private);
    pool.assert_pool_state();
}

#[test]
fn what_is_read_for_an_older_snapshot_is_found_for_it() {
    let pool = Pool::with_frames(16, 512);
    let cache = FileCache::new(pool.clone());
    cache.publish(no(7), 20, &version(&pool, 20), 10);
    // Not the newest: a version is in the table already, or the log says so.
    for (page, is_newest) in [(no(7), true), (no(8), false)] {
        let old = cache.insert(page, 10, version(&pool, 10), || is_newest);
        assert_eq!(cache.lookup(page, 10).expect("just read")[0], 10);
        assert!(cache.lookup(page, 11).is_none_or(|p| p[0] == 20));
        let again = cache.insert(page, 10, version(&pool, 11), || is_newest);
        assert_eq!(again[0], 10, "the first is used");
        drop((old, again));
        cache.trim(11);
        assert!(cache.lookup(page, 10).is_none());
    }
    assert_eq!(cache.lookup(no(7), 20).expect("the newest")[0], 20);
}

#[test]
fn an_old_version_in_the_newest_ones_frame_is_not_taken_for_it() {
    let pool = Pool::with_frames(1, 512);
    let cache = FileCache::new(pool.clone());
    cache.publish(no(7), 20, &version(&pool, 20), 10);
    for n in 100..400 {
        // The newest is evicted, and each frame is used again.
        let old = cache.insert(no(7), 10, version(&pool, 10), || false);
        assert!(cache.lookup(no(7), 20).is_none_or(|page| page[0] == 20));
        drop(old);
        cache.trim(11);
        cache.publish(no(n), 20, &version(&pool, 0), 20);
    }
}
