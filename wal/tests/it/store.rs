//! What the tests share: a database under test, on disk or in memory.

use ringwood_format::page::{Geometry, PageNo};
use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_wal::{
    Allocate, CheckpointMode, CheckpointResult, Database, DbOptions, Result, Stop, Tx, TxState,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub fn no(n: u32) -> PageNo {
    PageNo::new(n).expect("not 0")
}

/// A directory that is gone after the test.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ringwood-wal-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Dir(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Store {
    pub io: IoHandle,
    pub pool: Arc<Pool>,
    pub db: Arc<Database>,
}

impl Store {
    pub fn open(io: &IoHandle, path: &Path, geometry: Geometry) -> Store {
        let pool = Pool::with_frames(256, geometry.page_size() as usize);
        let options = DbOptions {
            geometry,
            ..DbOptions::default()
        };
        let db = io
            .block_on(Database::open(io, &pool, path, options))
            .expect("opens");
        Store {
            io: io.clone(),
            pool,
            db,
        }
    }

    pub fn tx(&self) -> Tx {
        Tx::new(self.db.clone(), self.io.clone())
    }
}

/// Makes a page private, as a caller does that handles misses.
pub async fn touch(tx: &mut Tx, page: PageNo) {
    let mut held = None;
    while let Err(stop) = tx.page_mut(page).map(drop) {
        assert_eq!(stop, Stop::Miss(page));
        assert!(held.is_none(), "a pinned page does not miss");
        held = Some(tx.fetch(page).await.expect("there"));
        tx.make_room().await.expect("room");
    }
}

/// Fills a page with a byte.
pub async fn fill(tx: &mut Tx, page: PageNo, byte: u8) {
    touch(tx, page).await;
    tx.page_mut(page).expect("private").fill(byte);
}

/// What `fill` wrote.
pub async fn byte(tx: &Tx, page: u32) -> u8 {
    let page = tx.page(no(page)).await.expect("there");
    assert!(page.iter().all(|&b| b == page[0]), "a page of one byte");
    page[0]
}

pub async fn allocate(tx: &mut Tx, count: u32) -> Vec<PageNo> {
    let mut pages = Vec::new();
    for _ in 0..count {
        pages.push(tx.allocate(None, Allocate::Any).await.expect("room"));
    }
    pages
}

/// A checkpoint by a transaction that may be reading: it gives its snapshot up and takes the newest.
pub async fn checkpoint(tx: &mut Tx, mode: CheckpointMode) -> Result<CheckpointResult> {
    let reads = tx.state() == TxState::Read;
    tx.end_read();
    let result = tx.checkpoint(mode).await;
    if reads {
        tx.begin_read().await.expect("reads on");
    }
    result
}
