//! The costs that the headers state, counted.

use crate::store::{Dir, Store, allocate, byte, checkpoint, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::{IoHandle, IoStats};
use ringwood_wal::{CheckpointMode, Synchronous, Tx};

fn counted(io: &IoHandle, before: IoStats) -> (u64, u64) {
    let now = io.stats() - before;
    (now.syscalls - now.syncs, now.syncs)
}

async fn change(tx: &mut Tx, page: u32, byte: u8) {
    tx.begin_write().await.expect("writes");
    fill(tx, no(page), byte).await;
    tx.commit().await.expect("commits");
    tx.end_read();
}

#[test]
fn transfers_and_syncs() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let store = Store::open(&io, &dir.file("costs.db"), Geometry::default());
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_autocheckpoint(0);
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 700).await;
        tx.commit().await.expect("commits");
        tx.end_read();

        for page in [1, 5, 6] {
            tx.begin_read().await.expect("reads");
            tx.fetch(no(page)).await.expect("there");
        }
        tx.end_read();
        let before = io.stats();
        change(&mut tx, 5, 1).await;
        assert_eq!(
            counted(&io, before),
            (1, 1),
            "a commit of one page: one write, one sync"
        );

        tx.set_synchronous(Synchronous::Normal);
        let before = io.stats();
        change(&mut tx, 5, 2).await;
        assert_eq!(counted(&io, before), (1, 0), "NORMAL: one write");

        let before = io.stats();
        for _ in 0..100 {
            tx.begin_read().await.expect("reads");
            assert_eq!(byte(&tx, 5).await, 2);
            tx.end_read();
        }
        assert_eq!(
            counted(&io, before),
            (0, 0),
            "reading what is in memory: no system call"
        );

        let before = io.stats();
        tx.begin_write().await.expect("writes");
        fill(&mut tx, no(6), 3).await;
        tx.rollback();
        tx.begin_write().await.expect("writes");
        tx.commit().await.expect("commits");
        tx.end_read();
        assert_eq!(
            counted(&io, before),
            (0, 0),
            "nothing changed: nothing written"
        );

        let before = io.stats();
        let done = checkpoint(&mut tx, CheckpointMode::Passive)
            .await
            .expect("runs");
        assert_eq!(done.checkpointed_frames, done.log_frames);
        let (transfers, syncs) = counted(&io, before);
        assert!(syncs <= 2, "{syncs} syncs");
        // 701 pages in runs of 256, one of which had frames at the log's end, and one truncation at most.
        assert!(transfers <= 12, "{transfers} transfers");
    });
}

#[test]
fn hits_do_not_lock_and_are_counted() {
    let io = IoHandle::in_memory();
    let store = Store::open(&io, std::path::Path::new("/db"), Geometry::default());
    io.block_on(async {
        let mut tx = store.tx();
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 10).await;
        tx.commit().await.expect("commits");
        for _ in 0..5 {
            drop(tx.try_page(no(3)).expect("in memory"));
        }
        tx.end_read();
    });
    let counters = store.pool.counters();
    assert!(counters.hits >= 5);
    assert_eq!(
        store.pool.pin_count(),
        0,
        "nothing is pinned between transactions"
    );
    store.pool.assert_pool_state();
}
