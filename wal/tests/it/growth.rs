//! The log under constant load: it does not grow without bound, although somebody reads at every moment; and beside a
//! reader that stays no faster than writers are let.

use crate::store::{Dir, Store, allocate, fill, no};
use ringwood_format::page::Geometry;
use ringwood_io::IoHandle;
use ringwood_wal::Synchronous;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const AUTOCHECKPOINT: u32 = 50;
const COMMITS: u32 = 3000;

#[test]
fn readers_that_overlap_for_ever_do_not_let_the_log_grow() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Rc::new(Store::open(&io, &dir.file("growth.db"), geometry));
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_synchronous(Synchronous::Off);
        tx.set_autocheckpoint(AUTOCHECKPOINT);
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 20).await;
        tx.commit().await.expect("commits");
        tx.end_read();
        let over = Rc::new(Cell::new(false));
        let reads = Rc::new(Cell::new(0u32));
        let mut readers = Vec::new();
        for n in 0..3u64 {
            let (store, io) = (store.clone(), io.clone());
            let (over, reads) = (over.clone(), reads.clone());
            readers.push(io.clone().spawn(async move {
                let mut tx = store.tx();
                io.sleep(Duration::from_micros(700 * n)).await;
                while !over.get() {
                    tx.begin_read().await.expect("readers never wait");
                    io.sleep(Duration::from_millis(2)).await;
                    tx.page(no(2)).await.expect("there");
                    tx.end_read();
                    reads.set(reads.get() + 1);
                }
            }));
        }
        let mut longest = 0;
        for n in 0..COMMITS {
            tx.begin_write().await.expect("the only writer");
            fill(&mut tx, no(2 + n % 18), n as u8).await;
            tx.commit().await.expect("commits");
            tx.end_read();
            longest = longest.max(store.db.log_frames().0);
            if n % 4 == 0 {
                io.sleep(Duration::from_micros(100)).await;
            }
        }
        over.set(true);
        for reader in readers {
            reader.await.expect("ends");
        }
        eprintln!(
            "{COMMITS} commits, {} reads, at most {longest} frames in the log",
            reads.get()
        );
        assert!(reads.get() > 50, "somebody read all the time");
        assert!(
            longest <= AUTOCHECKPOINT * 8,
            "{longest} frames where a checkpoint is due at {AUTOCHECKPOINT}"
        );
    });
}

#[test]
fn a_reader_that_stays_lets_the_log_grow_slowly_and_not_for_longer_than_it_stays() {
    let dir = Dir::new();
    let io = IoHandle::for_thread();
    let geometry = Geometry::new(512, 0).expect("a page size");
    let store = Rc::new(Store::open(&io, &dir.file("stays.db"), geometry));
    io.block_on(async {
        let mut tx = store.tx();
        tx.set_synchronous(Synchronous::Off);
        tx.set_autocheckpoint(AUTOCHECKPOINT);
        tx.begin_write().await.expect("writes");
        allocate(&mut tx, 20).await;
        tx.commit().await.expect("commits");
        tx.end_read();
        let mut stays = store.tx();
        stays.begin_read().await.expect("reads");
        let started = Instant::now();
        for n in 0..COMMITS {
            tx.begin_write().await.expect("the only writer");
            fill(&mut tx, no(2 + n % 18), n as u8).await;
            tx.commit().await.expect("commits");
            tx.end_read();
        }
        let elapsed = started.elapsed();
        let grown = store.db.log_frames().0;
        stays.page(no(2)).await.expect("its snapshot is whole");
        stays.end_read();
        for n in 0..AUTOCHECKPOINT * 5 {
            tx.begin_write().await.expect("the only writer");
            fill(&mut tx, no(2 + n % 18), n as u8).await;
            tx.commit().await.expect("commits");
            tx.end_read();
        }
        let after = store.db.log_frames().0;
        eprintln!(
            "{COMMITS} commits in {elapsed:?} beside a reader: {grown} frames; without it {after}"
        );
        let waits = elapsed.as_millis() as u32 / 100;
        assert!(
            grown <= AUTOCHECKPOINT * 4 * (2 + waits),
            "{grown} frames in {elapsed:?}"
        );
        assert!(
            after <= AUTOCHECKPOINT * 8,
            "{after} frames without a reader"
        );
    });
}
