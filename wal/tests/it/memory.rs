//! Transactions without a file: private pages, savepoints, the freelist, snapshots.

use ringwood_format::page::{Geometry, PageNo};
use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_wal::{Allocate, Database, DbOptions, Error, Field, Stop, Tx, TxState};
use std::sync::Arc;

fn no(n: u32) -> PageNo {
    PageNo::new(n).expect("not 0")
}

fn open(page_size: u32) -> (IoHandle, Arc<Pool>, Arc<Database>) {
    let io = IoHandle::in_memory();
    let pool = Pool::with_frames(64, page_size as usize);
    let geometry = Geometry::new(page_size, 0).expect("a page size");
    let db = Database::memory(
        &pool,
        DbOptions {
            geometry,
            ..DbOptions::default()
        },
    );
    (io, pool, db)
}

async fn put(tx: &mut Tx, page: PageNo, byte: u8) {
    tx.fetch(page).await.expect("there");
    tx.page_mut(page).expect("in memory").fill(byte);
}

fn byte(tx: &Tx, page: u32) -> u8 {
    tx.try_page(no(page)).expect("in memory")[100]
}

#[test]
fn commit_and_rollback() {
    let (io, pool, db) = open(512);
    io.clone().block_on(async {
        let mut tx = Tx::new(db.clone(), io.clone());
        assert!(matches!(tx.try_page(no(1)), Err(Stop::Fail(_))));
        tx.begin_write().await.expect("writes");
        assert_eq!((tx.state(), tx.page_count()), (TxState::Write, 1));
        let page = tx.allocate(None, Allocate::Any).await.expect("room");
        assert_eq!(page, no(2));
        put(&mut tx, page, 7).await;
        tx.set_header_field(Field::UserVersion, 42).expect("writes");
        tx.commit().await.expect("commits");
        assert_eq!(
            (
                tx.state(),
                byte(&tx, 2),
                tx.header_field(Field::UserVersion)
            ),
            (TxState::Read, 7, 42)
        );

        let mut reader = Tx::new(db.clone(), io.clone());
        reader.begin_read().await.expect("reads");
        tx.begin_write().await.expect("writes");
        put(&mut tx, page, 8).await;
        let mut second = Tx::new(db.clone(), io.clone());
        assert_eq!(second.begin_write().await, Err(Error::Busy));
        tx.commit().await.expect("commits");
        assert_eq!((byte(&reader, 2), byte(&tx, 2)), (7, 8));
        assert_eq!(reader.begin_write().await, Err(Error::BusySnapshot));
        reader.end_read();
        reader.begin_write().await.expect("a new snapshot");
        assert_eq!(byte(&reader, 2), 8);
        put(&mut reader, page, 9).await;
        reader.rollback();
        assert_eq!((reader.state(), byte(&reader, 2)), (TxState::Read, 8));
    });
    drop(db);
    pool.assert_pool_state();
    assert_eq!((pool.pin_count(), pool.counters().used_bytes), (0, 0));
}

#[test]
fn savepoints_restore_what_was() {
    let (io, pool, db) = open(512);
    io.clone().block_on(async {
        let mut tx = Tx::new(db.clone(), io.clone());
        let before = tx.savepoint();
        tx.begin_write().await.expect("writes");
        let two = tx.allocate(None, Allocate::Any).await.expect("room");
        put(&mut tx, two, 1).await;
        let outer = tx.savepoint();
        put(&mut tx, two, 2).await;
        let inner = tx.savepoint();
        put(&mut tx, two, 3).await;
        let three = tx.allocate(None, Allocate::Any).await.expect("room");
        put(&mut tx, three, 9).await;
        tx.rollback_to(inner).expect("open");
        assert_eq!((byte(&tx, 2), tx.page_count()), (2, 2));
        assert!(tx.try_page(three).is_err());
        put(&mut tx, two, 4).await;
        tx.release(inner);
        assert_eq!(byte(&tx, 2), 4);
        let version = tx.tree_version(two);
        let seen = version.get();
        tx.rollback_to(outer).expect("open");
        assert_eq!(byte(&tx, 2), 1);
        assert!(version.get() > seen);
        put(&mut tx, two, 5).await;
        tx.rollback_to(before).expect("open");
        assert_eq!(tx.page_count(), 1);
        assert!(matches!(tx.rollback_to(inner), Err(Error::Misuse(_))));
        tx.commit().await.expect("commits");
        assert_eq!(tx.page_count(), 1);
    });
    drop(db);
    assert_eq!(pool.counters().used_bytes, 0);
}

#[test]
fn a_held_version_stays() {
    let (io, _pool, db) = open(1024);
    io.clone().block_on(async {
        let mut tx = Tx::new(db, io.clone());
        tx.begin_write().await.expect("writes");
        let page = tx.allocate(None, Allocate::Any).await.expect("room");
        put(&mut tx, page, 1).await;
        let held = tx.try_page(page).expect("in memory");
        put(&mut tx, page, 2).await;
        assert_eq!((held[0], byte(&tx, 2)), (1, 2));
        let at = tx.page_mut(page).expect("private").as_ptr();
        assert_eq!(
            tx.page_mut(page).expect("private").as_ptr(),
            at,
            "not copied again"
        );
    });
}

#[test]
fn freed_pages_come_back() {
    let (io, _pool, db) = open(512);
    io.clone().block_on(async {
        let mut tx = Tx::new(db, io.clone());
        tx.begin_write().await.expect("writes");
        // More than a trunk holds, so that there are several.
        let pages: Vec<PageNo> = {
            let mut pages = Vec::new();
            for _ in 0..300 {
                pages.push(tx.allocate(None, Allocate::Any).await.expect("room"));
            }
            pages
        };
        for &page in &pages {
            tx.free(page).await.expect("allocated");
        }
        assert_eq!(tx.header_field(Field::FreelistCount), 300);
        let near = tx
            .allocate(Some(no(290)), Allocate::Any)
            .await
            .expect("free");
        assert!(near.get().abs_diff(290) < 5, "{near}");
        let low = tx.allocate(Some(no(9)), Allocate::Le).await.expect("free");
        assert!(low <= no(9));
        let mut seen = vec![near, low];
        for _ in 0..298 {
            let page = tx.allocate(None, Allocate::Any).await.expect("free");
            assert!(tx.try_page(page).expect("zeroed").iter().all(|&b| b == 0));
            seen.push(page);
        }
        seen.sort();
        assert_eq!(seen, pages);
        assert_eq!(
            (
                tx.header_field(Field::FreelistCount),
                tx.header_field(Field::FreelistHead)
            ),
            (0, 0)
        );
        assert_eq!(
            tx.allocate(None, Allocate::Any).await.expect("grows"),
            no(302)
        );
        assert!(matches!(tx.free(no(1)).await, Err(Error::Corrupt(_))));
        assert!(matches!(tx.free(no(1000)).await, Err(Error::Corrupt(_))));
    });
}

#[test]
fn a_temporary_store_writes_at_once() {
    let io = IoHandle::in_memory();
    let pool = Pool::with_frames(64, 4096);
    io.clone().block_on(async {
        let mut tx = Tx::temporary(io.clone(), &pool, Geometry::default());
        assert_eq!(tx.state(), TxState::Write);
        let page = tx.allocate(None, Allocate::Any).await.expect("room");
        put(&mut tx, page, 3).await;
        assert_eq!(byte(&tx, 2), 3);
    });
    assert_eq!(pool.counters().used_bytes, 0);
}

#[test]
fn a_temporary_database_leaves_memory_and_comes_back() {
    let io = IoHandle::in_memory();
    let pool = Pool::with_frames(64, 512);
    let geometry = Geometry::new(512, 0).expect("a page size");
    let options = DbOptions {
        geometry,
        spill: true,
        ..DbOptions::default()
    };
    let db = Database::memory(&pool, options);
    io.clone().block_on(async {
        let mut tx = Tx::new(db.clone(), io.clone());
        tx.set_cache_size(16);
        tx.begin_write().await.expect("writes");
        for n in 2..=500 {
            let page = tx.allocate(None, Allocate::Any).await.expect("room");
            assert_eq!(page, no(n));
            put(&mut tx, page, n as u8).await;
        }
        assert!(pool.counters().used_bytes < 64 * 512);
        let savepoint = tx.savepoint();
        for n in 2..=500 {
            tx.make_room().await.expect("room");
            put(&mut tx, no(n), 0xee).await;
        }
        assert!(
            pool.counters().used_bytes < 64 * 512,
            "pre-images leave memory too"
        );
        tx.rollback_to(savepoint).expect("open");
        tx.release(savepoint);
        tx.commit().await.expect("commits");
        assert!(pool.counters().used_bytes < 64 * 512);
        tx.begin_write().await.expect("writes");
        for n in 2..=500 {
            put(&mut tx, no(n), 0xdd).await;
        }
        tx.rollback();
        for round in 0..2 {
            for n in 2..=500 {
                tx.fetch(no(n)).await.expect("there");
                assert_eq!(
                    tx.page(no(n)).await.expect("there")[100],
                    n as u8,
                    "round {round}"
                );
            }
        }
    });
    drop(db);
    assert_eq!(pool.counters().used_bytes, 0);
}

#[test]
fn an_autovacuum_database_keeps_its_pointer_map() {
    use ringwood_format::ptrmap::PtrmapEntry;
    use ringwood_wal::AutoVacuum;
    let io = IoHandle::in_memory();
    let pool = Pool::with_frames(1000, 512);
    let geometry = Geometry::new(512, 0).expect("a page size");
    let options = DbOptions {
        geometry,
        auto_vacuum: AutoVacuum::Full,
        ..DbOptions::default()
    };
    let db = Database::memory(&pool, options);
    io.clone().block_on(async {
        let mut tx = Tx::new(db.clone(), io.clone());
        tx.begin_write().await.expect("writes");
        assert!(tx.is_autovacuum());
        let mut pages = Vec::new();
        for _ in 0..250 {
            let page = tx.allocate(None, Allocate::Any).await.expect("room");
            assert!(![2, 105, 208].contains(&page.get()), "{page} is a map page");
            tx.ptrmap_put(page, PtrmapEntry::Root)
                .await
                .expect("has an entry");
            pages.push(page);
        }
        assert_eq!(tx.page_count(), 1 + 3 + 250);
        tx.free(no(100)).await.expect("frees");
        tx.free(no(150)).await.expect("frees");
        tx.free(no(200)).await.expect("frees");
        assert_eq!(tx.ptrmap_get(no(150)).await, Ok(PtrmapEntry::Free));
        assert_eq!(tx.ptrmap_get(no(151)).await, Ok(PtrmapEntry::Root));
        assert!(matches!(
            tx.ptrmap_get(no(105)).await,
            Err(Error::Corrupt(_))
        ));
        // The trunk is page 100: asked for exactly, its first leaf takes its place.
        assert_eq!(
            tx.allocate(Some(no(100)), Allocate::Exact).await,
            Ok(no(100))
        );
        assert_eq!(tx.header_field(Field::FreelistCount), 2);
        let mut ask = async |near, mode| tx.allocate(Some(no(near)), mode).await;
        assert_eq!(ask(7, Allocate::Exact).await, Ok(no(200)), "7 is in use");
        assert_eq!(ask(149, Allocate::Le).await, Ok(no(255)), "150 is too high");
        assert_eq!(ask(150, Allocate::Le).await, Ok(no(150)));
        assert_eq!(tx.header_field(Field::FreelistCount), 0);
    });
}
