//! What the tests share: a seeded generator, a store, steps that wait.

use ringwood_btree::{Cursor, IntegrityScope, Stop, Try, integrity_check};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_io::IoHandle;
use ringwood_pager::{PageRef, Pool};
use ringwood_wal::{AutoVacuum, Database, DbOptions, Error, Tx};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A small generator of random numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// An autovacuum database in memory.
pub async fn autovacuum_store(io: &IoHandle, page_size: u32) -> Tx {
    let pool = Pool::with_frames(64, page_size as usize);
    let options = DbOptions {
        geometry: Geometry::new(page_size, 0).expect("a valid geometry"),
        auto_vacuum: AutoVacuum::Incremental,
        ..DbOptions::default()
    };
    let mut tx = Tx::new(Database::memory(&pool, options), io.clone());
    tx.begin_write().await.expect("nobody else writes");
    tx
}

/// A store in memory whose cache has that many frames.
pub fn store(page_size: u32, reserved: u8, frames: usize) -> (IoHandle, Tx) {
    let io = IoHandle::for_thread();
    let pool = Pool::with_frames(frames, page_size as usize);
    let geometry = Geometry::new(page_size, reserved).expect("a valid geometry");
    let tx = Tx::temporary(io.clone(), &pool, geometry);
    (io, tx)
}

/// Calls a read step until it succeeds.
pub async fn read<T>(
    tx: &Tx,
    cursor: &mut Cursor,
    mut step: impl FnMut(&mut Cursor, &Tx) -> Try<T>,
) -> T {
    let mut held: Vec<PageRef> = Vec::new();
    for _ in 0..1000 {
        match step(cursor, tx) {
            Ok(value) => return value,
            Err(Stop::Miss(no)) => held.push(tx.fetch(no).await.expect("the page is there")),
            Err(stop) => panic!("{stop:?}"),
        }
    }
    panic!("a step does not get further");
}

/// All trees are sound, and every page is used.
pub async fn check(tx: &Tx, roots: &[PageNo]) -> Vec<u64> {
    let report = integrity_check(tx, roots, IntegrityScope::Whole, 20)
        .await
        .expect("page 1 is there");
    assert!(report.errors.is_empty(), "{:#?}", report.errors);
    report.entries
}

/// The whole payload of the current entry.
pub async fn payload(tx: &Tx, cursor: &mut Cursor) -> Vec<u8> {
    let mut out = Vec::new();
    let size = cursor.payload_size();
    read(tx, cursor, |cursor, tx| {
        cursor.read_payload(tx, 0, size, &mut out)
    })
    .await;
    out
}

/// The same where an error is an answer.
pub async fn read_or<T>(
    tx: &Tx,
    cursor: &mut Cursor,
    mut step: impl FnMut(&mut Cursor, &Tx) -> Try<T>,
) -> Result<T, Error> {
    let mut held: Vec<PageRef> = Vec::new();
    for _ in 0..100_000 {
        match step(cursor, tx) {
            Ok(value) => return Ok(value),
            Err(Stop::Miss(no)) => held.push(tx.fetch(no).await?),
            Err(Stop::Fail(error)) => return Err(*error),
            Err(Stop::Slow) => panic!("reads are not slow"),
        }
    }
    panic!("a step does not get further");
}

/// Damages a page but the first: a byte, a header field, a pointer, or all of it.
pub async fn damage(tx: &mut Tx, random: &mut Random) {
    let page = PageNo::new(2 + random.below(tx.page_count() as u64 - 1) as u32).expect("not 0");
    let other = PageNo::new(1 + random.below(tx.page_count() as u64) as u32).expect("not 0");
    let other = tx.fetch(other).await.expect("there").to_vec();
    let pin = tx.fetch(page).await.expect("there");
    drop(pin);
    let Ok(data) = tx.page_mut(page) else { return };
    let len = data.len() as u64;
    match random.below(6) {
        0 => data[random.below(len) as usize] = random.next() as u8,
        1 => data[random.below(12) as usize] = random.next() as u8,
        2 => data[8 + random.below(60) as usize] = random.next() as u8,
        3 => data[random.below(len) as usize] ^= 1 << random.below(8),
        4 => data.copy_from_slice(&other),
        _ => {
            let (from, to) = (
                random.below(len - 8) as usize,
                random.below(len - 8) as usize,
            );
            data.copy_within(from..from + 8, to);
        }
    }
}

/// A directory that is gone after the test.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ringwood-btree-{}-{n}", std::process::id()));
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

/// A database in a file, behind a small cache.
pub async fn open(io: &IoHandle, path: &Path, options: DbOptions) -> (Arc<Database>, Tx) {
    let pool = Pool::with_frames(32, options.geometry.page_size() as usize);
    let db = Database::open(io, &pool, path, options)
        .await
        .expect("opens");
    let tx = Tx::new(db.clone(), io.clone());
    (db, tx)
}
