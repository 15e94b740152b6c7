//! Operations on a table tree and an index tree against a `BTreeMap`, as the bytes say: three bytes an operation.
//!
//! | byte | means |
//! |---|---|
//! | 0 | insert, delete, look up, walk on from here, roll back to the savepoint, set a savepoint; how full a page is |
//! | 1, 2 | the key, and the length of the payload |
#![no_main]
use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use ringwood_btree::{Cursor, InsertHint, IntegrityScope, Payload, Seek, Stop, TreeKind, create_tree, integrity_check};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::record::encode_record;
use ringwood_format::value::{TextEncoding, ValueRef};
use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_wal::Tx;

fuzz_target!(|data: &[u8]| {
    let [first, rest @ ..] = data else { return };
    let page_size = 512 << (first % 3);
    let io = IoHandle::for_thread();
    let pool = Pool::with_frames(8 + usize::from(first >> 4), page_size as usize);
    let geometry = Geometry::new(page_size, 0).expect("a valid geometry");
    let mut tx = Tx::temporary(io.clone(), &pool, geometry);
    io.block_on(async {
        let root = create_tree(&mut tx, TreeKind::Table).await.expect("created");
        let mut cursor = Cursor::table(root);
        let mut model: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        let mut saved = None;
        for op in rest.chunks_exact(3).take(400) {
            let key = i64::from(op[1]) | i64::from(op[2] & 3) << 8;
            match op[0] % 8 {
                0..=3 => {
                    let len = usize::from(op[2]) * (1 + usize::from(op[0] >> 5));
                    let blob = vec![op[1]; len];
                    let mut bytes = Vec::new();
                    encode_record(&[ValueRef::Blob(&blob)], TextEncoding::Utf8, true, &mut bytes);
                    let hint = InsertHint::default();
                    cursor
                        .insert_rowid(&mut tx, key, Payload { bytes: &bytes, zeros: 0 }, hint)
                        .await
                        .expect("inserted");
                    model.insert(key, bytes);
                }
                4 | 5 => {
                    let found = seek(&tx, &mut cursor, key).await;
                    assert_eq!(found == Seek::Equal, model.contains_key(&key));
                    if found == Seek::Equal {
                        cursor.delete(&mut tx, false).await.expect("deleted");
                        model.remove(&key);
                    }
                }
                6 => {
                    if let Some((id, before)) = saved.take() {
                        tx.rollback_to(id).expect("rolled back");
                        tx.release(id);
                        model = before;
                    } else {
                        saved = Some((tx.savepoint(), model.clone()));
                    }
                }
                _ => {
                    let found = seek(&tx, &mut cursor, key).await;
                    assert_eq!(found == Seek::Equal, model.contains_key(&key));
                }
            }
        }
        let mut scan = Cursor::table(root);
        let mut more = step(&tx, &mut scan, Cursor::first).await;
        for (key, bytes) in &model {
            assert!(more, "the tree ends before {key}");
            assert_eq!((scan.rowid(), scan.payload_size() as usize), (*key, bytes.len()));
            more = step(&tx, &mut scan, Cursor::next).await;
        }
        assert!(!more, "the tree has more than the model");
        let roots = [PageNo::ONE, root];
        let report = integrity_check(&tx, &roots, IntegrityScope::Partial, 10).await.expect("checked");
        assert!(report.errors.is_empty(), "{:?}", report.errors);
    });
});

async fn seek(tx: &Tx, cursor: &mut Cursor, key: i64) -> Seek {
    step(tx, cursor, |cursor, tx| cursor.seek_rowid(tx, key)).await
}

async fn step<T>(
    tx: &Tx,
    cursor: &mut Cursor,
    mut step: impl FnMut(&mut Cursor, &Tx) -> ringwood_btree::Try<T>,
) -> T {
    let mut held = Vec::new();
    loop {
        match step(cursor, tx) {
            Ok(value) => return value,
            Err(Stop::Miss(no)) => held.push(tx.fetch(no).await.expect("the page is there")),
            Err(stop) => panic!("{stop:?}"),
        }
        assert!(held.len() < 1000, "a step does not get further");
    }
}
