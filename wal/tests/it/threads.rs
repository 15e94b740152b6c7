//! Several connections of one process on one file: a writer, checkpoints, and readers on other threads.

use crate::store::{Dir, Store, allocate, checkpoint, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::{DriverChoice, IoHandle, SimDisk};
use ringwood_wal::{CheckpointMode, Error, Field, Synchronous, Tx, TxState};
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

const PAGES: u32 = 60;

/// Each commit fills all pages with its number; a reader must see one number everywhere.
fn stress(frames: usize, autocheckpoint: u32, rounds: u32) {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, &dir.file("threads.db"), geometry);
    store.pool.set_budget_bytes(frames * 512);
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_synchronous(Synchronous::Off);
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, PAGES).await;
        tx.commit().await.expect("commits");
    });
    let over = AtomicBool::new(false);
    let snapshots = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (db, over, snapshots) = (store.db.clone(), &over, &snapshots);
            scope.spawn(move || {
                let io = IoHandle::for_thread();
                io.clone().block_on(async {
                    let mut tx = Tx::new(db, io.clone());
                    let mut newest = 0;
                    while !over.load(Ordering::Relaxed) {
                        tx.begin_read().await.expect("reads");
                        let first = tx.page(no(2)).await.expect("there")[0];
                        for n in 0..PAGES {
                            let page = no(2 + (n * 7 + thread * 13) % PAGES);
                            let page = tx.page(page).await.expect("there");
                            assert!(page.iter().all(|&b| b == first), "pages of one commit");
                        }
                        assert!(tx.snapshot() >= newest, "time does not run backwards");
                        newest = tx.snapshot();
                        tx.end_read();
                        snapshots.fetch_add(1, Ordering::Relaxed);
                    }
                });
            });
        }
        io.block_on(async {
            let mut tx = store.tx();
            tx.set_synchronous(Synchronous::Off);
            tx.set_autocheckpoint(autocheckpoint);
            tx.set_cache_size(20);
            let mut round = 0;
            while round < rounds || snapshots.load(Ordering::Relaxed) < 20 {
                round += 1;
                tx.begin_write().await.expect("the only writer");
                for n in 0..PAGES {
                    fill(&mut tx, no(2 + n), round as u8).await;
                }
                if round % 5 == 0 {
                    tx.rollback();
                } else {
                    tx.commit().await.expect("commits");
                }
                tx.end_read();
                if round % 32 == 0 {
                    match checkpoint(&mut tx, CheckpointMode::Truncate).await {
                        Ok(_) | Err(Error::Busy) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            over.store(true, Ordering::Relaxed);
        });
    });
    assert_eq!(store.pool.pin_count(), 0);
    io.block_on(store.db.close(&io, Synchronous::Off))
        .expect("nobody reads");
    store.pool.assert_pool_state();
}

#[test]
fn snapshots_hold_with_a_small_cache_and_many_checkpoints() {
    stress(16, 1, 300);
}

#[test]
fn snapshots_hold_with_a_large_cache() {
    stress(1000, 500, 300);
}

#[test]
fn a_commit_given_up_half_way_is_ended_first() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, &dir.file("given-up.db"), geometry);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 3).await;
        fill(&mut tx, no(2), 1).await;
        tx.commit().await.expect("commits");
        tx.begin_write().await.expect("writes");
        fill(&mut tx, no(2), 2).await;
        {
            // Nothing is performed at once while others are being gathered.
            let _gather = io.gather();
            let mut commit = pin!(tx.commit());
            let mut context = Context::from_waker(Waker::noop());
            assert!(commit.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(io.in_flight(), 0, "its write has landed");
        tx.rollback();
        assert_eq!(tx.page(no(2)).await.expect("reads on")[0], 2);
        tx.begin_write().await.expect("writes on");
        fill(&mut tx, no(2), 3).await;
        tx.commit().await.expect("commits");
        tx.end_read();
        store
            .db
            .close(&io, Synchronous::Full)
            .await
            .expect("closes");
        tx.begin_read().await.expect("opens again");
        assert_eq!(tx.page(no(2)).await.expect("there")[0], 3);
    });
}

/// Drives a future until it has waited so often; whether it came to its end.
async fn within(polls: u32, future: impl Future<Output = ()>) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_beginning_given_up_has_not_begun() {
    let path = Path::new("/db");
    let disk = SimDisk::new(1);
    let io = IoHandle::builder()
        .driver(DriverChoice::Simulated(disk.process()))
        .build();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, path, geometry);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        tx.set_header_field(Field::UserVersion, 7).expect("writes");
        tx.commit().await.expect("commits");
        tx.end_read();
        store.db.close(&io, Synchronous::Full).await.expect("free");
    });
    drop(store);
    for writes in [false, true] {
        let mut given_up = 0;
        for polls in 0.. {
            // Nothing is in its cache.
            let store = Store::open(&io, path, geometry);
            let done = io.block_on(async {
                let mut tx = store.tx();
                let done = within(polls, async {
                    let begun = if writes {
                        tx.begin_write().await
                    } else {
                        tx.begin_read().await
                    };
                    begun.expect("begins");
                })
                .await;
                if !done {
                    assert_eq!(tx.state(), TxState::None, "{polls} polls");
                }
                tx.begin_write().await.expect("begins");
                assert_eq!(tx.header_field(Field::UserVersion), 7, "{polls} polls");
                tx.rollback();
                tx.end_read();
                store.db.close(&io, Synchronous::Full).await.expect("free");
                done
            });
            if done {
                break;
            }
            given_up += 1;
        }
        assert!(given_up > 0, "it waits for page 1");
    }
}

#[test]
fn a_glance_given_up_leaves_what_was_there() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, &dir.file("glance.db"), geometry);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 1).await;
        tx.commit().await.expect("commits");
        tx.end_read();

        let mut glance = tx.glance().await.expect("reads");
        glance.begin_write().await.expect("writes");
        fill(&mut glance, no(2), 9).await;
        drop(glance);
        assert_eq!(tx.state(), TxState::None);

        tx.begin_read().await.expect("reads");
        let mut glance = tx.glance().await.expect("reads");
        glance.begin_write().await.expect("writes");
        drop(glance);
        assert_eq!(tx.state(), TxState::Read);

        tx.begin_write().await.expect("nobody holds the turn");
        fill(&mut tx, no(2), 8).await;
        drop(tx.glance().await.expect("reads"));
        assert_eq!(tx.state(), TxState::Write);
        tx.commit().await.expect("commits");
        assert_eq!(tx.page(no(2)).await.expect("there")[0], 8);
        tx.end_read();

        let glance = tx.glance().await.expect("reads");
        glance.keep();
        assert_eq!(tx.state(), TxState::Read);
    });
}
