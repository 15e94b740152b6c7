//! Damaged databases: every way of reading and changing them ends in an answer or an error.

use crate::store::{Random, damage, read_or, store};
use ringwood_btree::{
    Cursor, InsertHint, IntegrityScope, Payload, TreeKind, clear_tree, create_tree, drop_tree,
    integrity_check,
};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{KeyInfo, UnpackedKey};
use ringwood_format::page::PageNo;
use ringwood_format::record::encode_record;
use ringwood_format::value::ValueRef;
use ringwood_wal::Tx;
use std::cmp::Ordering;
use std::sync::Arc;

fn record(key: &[u8], number: i64) -> Vec<u8> {
    let mut record = Vec::new();
    encode_record(
        &[ValueRef::Blob(key), ValueRef::Integer(number)],
        TextEncoding::Utf8,
        true,
        &mut record,
    );
    record
}

/// Two trees of a few levels, with overflow pages.
async fn make(tx: &mut Tx, random: &mut Random, info: &Arc<KeyInfo>) -> (PageNo, PageNo) {
    let table = create_tree(tx, TreeKind::Table).await.expect("creates");
    let index = create_tree(tx, TreeKind::Index).await.expect("creates");
    let (mut rows, mut keys) = (Cursor::table(table), Cursor::index(index, info.clone()));
    for i in 0..400 {
        let len = if random.one_in(15) {
            random.below(3000)
        } else {
            random.below(60)
        };
        let row = record(&random.bytes(len as usize), i);
        let rowid = random.below(1000) as i64;
        rows.insert_rowid(
            tx,
            rowid,
            Payload::from(row.as_slice()),
            InsertHint::default(),
        )
        .await
        .expect("inserts");
        keys.insert_key(tx, &row, None, InsertHint::default())
            .await
            .expect("inserts");
    }
    (table, index)
}

/// Everything that can be done to a tree. Errors are fine; panics and endless loops are not.
async fn exercise(tx: &mut Tx, random: &mut Random, mut cursor: Cursor, info: &Arc<KeyInfo>) {
    let mut out = Vec::new();
    for forward in [true, false] {
        let start = if forward { Cursor::first } else { Cursor::last };
        let step = if forward {
            Cursor::next
        } else {
            Cursor::previous
        };
        let mut there = read_or(tx, &mut cursor, start).await;
        for _ in 0..5000 {
            if there != Ok(true) {
                break;
            }
            let (size, local) = (cursor.payload_size(), cursor.local_payload().len());
            assert!(local <= size as usize);
            out.clear();
            let len = size.min(5000);
            let _ = read_or(tx, &mut cursor, |cursor, tx| {
                cursor.read_payload(tx, size - len, len, &mut out)
            })
            .await;
            there = read_or(tx, &mut cursor, step).await;
        }
    }
    let _ = cursor.count(tx).await;
    for i in 0..60 {
        let len = random.below(80) as usize;
        let row = record(&random.bytes(len), i);
        let key = random.bytes(3);
        let key = [ValueRef::Blob(&key), ValueRef::Integer(i)];
        let key = UnpackedKey::new(&key, info, Ordering::Equal);
        let rowid = random.below(1000) as i64;
        let found = if cursor.is_table() {
            read_or(tx, &mut cursor, |cursor, tx| cursor.seek_rowid(tx, rowid)).await
        } else {
            read_or(tx, &mut cursor, |cursor, tx| cursor.seek_key(tx, &key)).await
        };
        let _ = match random.below(3) {
            0 if found.is_ok() => cursor.delete(tx, random.one_in(2)).await,
            _ if cursor.is_table() => {
                cursor
                    .insert_rowid(tx, rowid, row.as_slice().into(), InsertHint::default())
                    .await
            }
            _ => {
                cursor
                    .insert_key(tx, &row, None, InsertHint::default())
                    .await
            }
        };
        let _ = read_or(tx, &mut cursor, Cursor::next).await;
    }
}

#[test]
fn damage_is_answered() {
    let info = Arc::new(KeyInfo::binary(2, TextEncoding::Utf8));
    let mut found = 0;
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let (io, mut tx) = store([512, 1024, 4096][seed as usize % 3], 0, 1000);
        tx.set_cache_size(1000);
        io.block_on(async {
            let (table, index) = make(&mut tx, &mut random, &info).await;
            for _ in 0..8 {
                let savepoint = tx.savepoint();
                for _ in 0..=random.below(3) {
                    damage(&mut tx, &mut random).await;
                }
                let roots = [PageNo::ONE, table, index];
                let report = integrity_check(&tx, &roots, IntegrityScope::Whole, 50)
                    .await
                    .expect("page 1 is there");
                found += usize::from(!report.errors.is_empty());
                exercise(&mut tx, &mut random, Cursor::table(table), &info).await;
                exercise(
                    &mut tx,
                    &mut random,
                    Cursor::index(index, info.clone()),
                    &info,
                )
                .await;
                if random.one_in(2) {
                    let _ = clear_tree(&mut tx, table).await;
                    let _ = drop_tree(&mut tx, index).await;
                }
                tx.rollback_to(savepoint).expect("it is open");
                tx.release(savepoint);
            }
            let report =
                integrity_check(&tx, &[PageNo::ONE, table, index], IntegrityScope::Whole, 50).await;
            assert_eq!(
                report.expect("page 1 is there").errors,
                Vec::<String>::new()
            );
        });
    }
    assert!(
        found > 300,
        "{found} of 1200 damaged databases were noticed"
    );
}
