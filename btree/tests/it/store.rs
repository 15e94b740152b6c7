//! What the tests share: a seeded generator, a store, steps that wait.

use ringwood_btree::{Cursor, IntegrityScope, Stop, Try, integrity_check};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_io::IoHandle;
use ringwood_pager::{PageRef, Pool};
use ringwood_wal::{AutoVacuum, Database, DbOptions, Tx};

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
