//! Commits in groups: what is written and synced together, what fails together, who leads when others are gone.

use crate::store::{Dir, Store, allocate, byte, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::{DriverChoice, Faults, IoHandle, SimDisk};
use ringwood_wal::{Database, DbOptions, Error, Result, Synchronous, Tx, TxState};
use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A database with these pages, on a disk that can fail.
fn prepared(pages: u32) -> (SimDisk, IoHandle, Store) {
    let disk = SimDisk::new(3);
    let io = IoHandle::builder()
        .driver(DriverChoice::Simulated(disk.process()))
        .build();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, Path::new("/db"), geometry);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        for page in allocate(&mut tx, pages).await {
            fill(&mut tx, page, 1).await;
        }
        tx.commit().await.expect("commits");
        tx.end_read();
    });
    (disk, io, store)
}

/// Fills a page, and commits.
async fn write(db: Arc<Database>, io: IoHandle, page: u32, value: u8) -> Result<()> {
    let mut tx = Tx::new(db, io);
    tx.busy().set_timeout(Duration::from_mins(1));
    tx.begin_write().await?;
    fill(&mut tx, no(page), value).await;
    let result = tx.commit().await;
    if result.is_err() {
        tx.rollback();
    }
    assert_eq!(tx.state(), TxState::Read);
    tx.end_read();
    result
}

#[test]
fn who_is_ready_goes_together() {
    let (_disk, io, store) = prepared(40);
    let before = store.db.commit_counters();
    io.block_on(async {
        let tasks: Vec<_> = (0..32)
            .map(|n| io.spawn(write(store.db.clone(), io.clone(), 2 + n % 20, 7)))
            .collect();
        for task in tasks {
            task.await.expect("ends").expect("commits");
        }
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        for page in 2..22 {
            assert_eq!(byte(&tx, page).await, 7);
        }
        tx.end_read();
    });
    let after = store.db.commit_counters();
    assert_eq!(after.commits - before.commits, 32);
    let groups = after.groups - before.groups;
    assert!(groups <= 4, "32 commits in {groups} groups");
    assert_eq!(after.syncs - before.syncs, groups);
    assert_eq!(store.pool.pin_count(), 0, "nothing stays pinned");
    io.block_on(store.db.close(&io, Synchronous::Full))
        .expect("nothing is queued, and nobody reads");
}

#[test]
fn nobody_sees_what_is_queued_but_writers() {
    let (_disk, io, store) = prepared(4);
    io.block_on(async {
        let first = io.spawn(write(store.db.clone(), io.clone(), 2, 9));
        // Until it is queued, and its write under way.
        while store.db.commit_counters().bytes == 0 {
            io.yield_now().await;
        }
        let mut reader = store.tx();
        reader.begin_read().await.expect("reads");
        assert_eq!(byte(&reader, 2).await, 1, "not durable, not seen");

        let mut writer = store.tx();
        writer.begin_write().await.expect("the turn has passed on");
        assert!(writer.is_ahead());
        assert_eq!(byte(&writer, 2).await, 9);
        writer.stand_firm().await.expect("it becomes durable");
        writer.rollback();
        assert_eq!(
            byte(&writer, 2).await,
            9,
            "a rollback does not go back in time"
        );
        writer.end_read();

        assert_eq!(byte(&reader, 2).await, 1, "a snapshot stays");
        reader.end_read();
        first.await.expect("ends").expect("commits");
    });
    assert_eq!(store.pool.pin_count(), 0);
}

/// Tasks that write one after the other, with faults on the disk; what they were told.
fn with_faults(faults: Faults) -> (Vec<Result<()>>, IoHandle, SimDisk, Store) {
    let (disk, io, store) = prepared(20);
    let results = io.block_on(async {
        disk.set_faults(faults);
        let told = Rc::new(RefCell::new(Vec::new()));
        let mut tasks = Vec::new();
        for n in 0..8 {
            let (told, db, local) = (told.clone(), store.db.clone(), io.clone());
            tasks.push(io.spawn(async move {
                let result = write(db, local, 2 + n, 5).await;
                told.borrow_mut().push(result);
            }));
        }
        for task in tasks {
            task.await.expect("ends");
        }
        disk.set_faults(Faults::default());
        told.take()
    });
    (results, io, disk, store)
}

#[test]
fn a_failed_write_fails_the_group_and_what_was_built_on_it_and_nothing_more() {
    let faults = Faults {
        write: 1000,
        ..Faults::default()
    };
    let (results, io, _disk, store) = with_faults(faults);
    assert_eq!(results.len(), 8);
    assert!(results.iter().all(Result::is_err), "{results:?}");
    io.block_on(async {
        write(store.db.clone(), io.clone(), 3, 6)
            .await
            .expect("the next ones succeed");
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        assert_eq!((byte(&tx, 2).await, byte(&tx, 3).await), (1, 6));
        tx.end_read();
    });
    assert_eq!(store.pool.pin_count(), 0);
}

#[test]
fn a_failed_sync_poisons_and_fails_everybody_who_waits() {
    let faults = Faults {
        sync: 1000,
        ..Faults::default()
    };
    let (results, io, _disk, store) = with_faults(faults);
    assert!(results.iter().all(Result::is_err), "{results:?}");
    io.block_on(async {
        let again = write(store.db.clone(), io.clone(), 3, 6).await;
        assert_eq!(again, Err(Error::LogPoisoned));
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads on");
        assert_eq!(byte(&tx, 2).await, 1);
        tx.end_read();
    });
    assert_eq!(store.pool.pin_count(), 0);
}

#[test]
fn commits_given_up_at_any_moment_are_nobody_elses_matter() {
    let mut most = 0;
    for given_up in [0b01_0101_u32, 0b00_0001, 0b11_1111, 0b10_0000] {
        let mut polls = 0;
        while give_up_in_a_crowd(given_up, polls) > 0 {
            polls += 1;
        }
        most = most.max(polls);
    }
    assert!(most > 1, "for the crowd, and for the write");
}

/// Six tasks commit; those of a mask give up after so many polls: how many did.
fn give_up_in_a_crowd(mask: u32, polls: u32) -> u32 {
    let (_disk, io, store) = prepared(20);
    let gone = io.block_on(async {
        let tasks: Vec<_> = (0..6_u32)
            .map(|n| {
                let left = if mask & 1 << n != 0 { polls } else { u32::MAX };
                let write = write(store.db.clone(), io.clone(), 2 + n, 5);
                io.spawn(within(left, write))
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.expect("ends"));
        }
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        for (n, outcome) in outcomes.iter().enumerate() {
            let found = byte(&tx, 2 + n as u32).await;
            match outcome {
                Some(result) => {
                    result.as_ref().expect("nobody else fails");
                    assert_eq!(found, 5, "mask {mask:b}, {polls} polls: told of it");
                }
                None => assert!(found == 5 || found == 1),
            }
        }
        tx.end_read();
        write(store.db.clone(), io.clone(), 3, 8)
            .await
            .expect("whoever comes next writes");
        assert_eq!(io.in_flight(), 0, "nothing lands later");
        store
            .db
            .close(&io, Synchronous::Full)
            .await
            .expect("nobody reads, and nothing is queued");
        outcomes.iter().filter(|outcome| outcome.is_none()).count() as u32
    });
    assert_eq!(store.pool.pin_count(), 0);
    gone
}

#[test]
fn threads_that_give_up_leading_stop_nobody() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, &dir.file("given-up.db"), geometry);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        for page in allocate(&mut tx, 40).await {
            fill(&mut tx, page, 0).await;
        }
        tx.commit().await.expect("commits");
        tx.end_read();
    });
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let db = store.db.clone();
            scope.spawn(move || {
                let io = IoHandle::for_thread();
                io.clone().block_on(async {
                    let pages = 2 + 8 * thread..10 + 8 * thread;
                    for round in 1..=60_u32 {
                        let crowd: Vec<_> = pages
                            .clone()
                            .map(|page| {
                                let gives_up = (page + round) % 3 == 0;
                                let left = if gives_up {
                                    (page + round) % 7
                                } else {
                                    u32::MAX
                                };
                                let value = round as u8;
                                io.spawn(within(left, write(db.clone(), io.clone(), page, value)))
                            })
                            .collect();
                        for task in crowd {
                            let outcome = task.await.expect("ends");
                            outcome.unwrap_or(Ok(())).expect("nobody else fails");
                        }
                    }
                });
            });
        }
    });
    assert_eq!(store.pool.pin_count(), 0);
    io.block_on(store.db.close(&io, Synchronous::Off))
        .expect("nobody reads");
}

#[test]
fn a_close_that_is_given_up_keeps_nobody_out() {
    for polls in 0.. {
        let (disk, io, store) = prepared(20);
        let other = IoHandle::builder()
            .driver(DriverChoice::Simulated(disk.process()))
            .build();
        let closed = io.block_on(within(polls, store.db.close(&io, Synchronous::Full)));
        if let Some(closed) = &closed {
            closed.as_ref().expect("nobody reads");
        }
        let geometry = Geometry::new(512, 0).expect("a page size");
        let theirs = Store::open(&other, Path::new("/db"), geometry);
        let written = other.block_on(write(theirs.db.clone(), other.clone(), 3, 7));
        written.expect("another process writes");
        let written = io.block_on(write(store.db.clone(), io.clone(), 4, 8));
        written.expect("and so does this one");
        io.block_on(async {
            let mut tx = store.tx();
            tx.begin_read().await.expect("reads");
            assert_eq!((byte(&tx, 3).await, byte(&tx, 4).await), (7, 8));
            tx.end_read();
        });
        if closed.is_some() {
            assert!(polls > 1, "it waits for its writes");
            break;
        }
    }
}

/// Drives a future until it has waited so often.
async fn within<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_follower_that_is_given_up_is_committed_with_its_group() {
    let (_disk, io, store) = prepared(6);
    io.block_on(async {
        let leader = io.spawn(write(store.db.clone(), io.clone(), 2, 9));
        while store.db.commit_counters().bytes == 0 {
            io.yield_now().await;
        }
        {
            let mut follower = pin!(write(store.db.clone(), io.clone(), 3, 9));
            let mut context = Context::from_waker(Waker::noop());
            let bytes = store.db.commit_counters().bytes;
            while store.db.commit_counters().bytes == bytes {
                assert!(follower.as_mut().poll(&mut context).is_pending());
            }
        }
        let last = io.spawn(write(store.db.clone(), io.clone(), 4, 9));
        leader.await.expect("ends").expect("commits");
        last.await.expect("ends").expect("commits");
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        for page in 2..5 {
            assert_eq!(byte(&tx, page).await, 9);
        }
        tx.end_read();
    });
    assert_eq!(store.pool.pin_count(), 0);
}

#[test]
fn threads_commit_together_and_a_transaction_that_spills_goes_alone() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Store::open(&io, &dir.file("groups.db"), geometry);
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 120).await;
        for page in 2..122 {
            fill(&mut tx, no(page), 0).await;
        }
        tx.commit().await.expect("commits");
        tx.end_read();
    });
    std::thread::scope(|scope| {
        for thread in 0..6_u8 {
            let db = store.db.clone();
            scope.spawn(move || {
                let io = IoHandle::for_thread();
                io.clone().block_on(async {
                    let mut tx = Tx::new(db, io.clone());
                    tx.busy().set_timeout(Duration::from_mins(1));
                    tx.set_autocheckpoint(40);
                    for round in 1..=60_u8 {
                        tx.begin_write().await.expect("in turn");
                        let own = no(2 + u32::from(thread));
                        let before = tx.page(own).await.expect("there")[0];
                        assert_eq!(before, round - 1, "nothing of ours is lost");
                        fill(&mut tx, own, round).await;
                        if thread == 0 && round % 10 == 0 {
                            tx.set_cache_size(10);
                            for page in 20..90 {
                                fill(&mut tx, no(page), round).await;
                            }
                        }
                        if thread == 1 && round % 7 == 0 {
                            tx.rollback();
                            tx.end_read();
                            tx.begin_write().await.expect("in turn");
                            fill(&mut tx, own, round).await;
                        }
                        tx.commit().await.expect("commits");
                        let own = tx.page(own).await.expect("there")[0];
                        assert_eq!(own, round, "the snapshot after a commit has it");
                        tx.end_read();
                    }
                });
            });
        }
    });
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_read().await.expect("reads");
        for page in 2..8 {
            assert_eq!(byte(&tx, page).await, 60);
        }
        assert_eq!(byte(&tx, 89).await, 60);
        tx.end_read();
    });
    assert_eq!(store.pool.pin_count(), 0);
    io.block_on(store.db.close(&io, Synchronous::Off))
        .expect("nobody reads");
    store.pool.assert_pool_state();
    // What is in the file alone is the same.
    let pool = ringwood_pager::Pool::with_frames(64, 512);
    io.block_on(async {
        let options = DbOptions::default();
        let path = dir.file("groups.db");
        let db = Database::open(&io, &pool, &path, options).await;
        let mut tx = Tx::new(db.expect("opens"), io.clone());
        tx.begin_read().await.expect("reads");
        for page in 2..8 {
            assert_eq!(byte(&tx, page).await, 60);
        }
    });
}
