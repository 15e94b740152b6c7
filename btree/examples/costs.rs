//! Counts instructions per operation: runs itself under callgrind, each phase with two counts of operations, and
//! divides the difference.
//!
//! `cargo run --release -p ringwood-btree --example costs`

use ringwood_btree::{Cursor, InsertHint, Payload, Seek, Stop, TreeKind, Try, create_tree};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{KeyInfo, UnpackedKey};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::record::encode_record;
use ringwood_format::value::ValueRef;
use ringwood_io::IoHandle;
use ringwood_pager::Pool;
use ringwood_wal::Tx;
use std::cmp::Ordering;
use std::process::Command;
use std::sync::Arc;

/// Rows of the tree that is read: three levels of 4096-byte pages.
const ROWS: i64 = 300_000;

const PHASES: [(&str, u64, &str); 10] = [
    ("scan", 200_000, "row scanned, with its payload"),
    ("seek", 100_000, "random seek by rowid"),
    ("seek-next", 100_000, "seek of the next rowid"),
    ("append", 200_000, "row of 30 bytes appended"),
    ("append-100", 100_000, "row of 100 bytes appended"),
    (
        "insert",
        100_000,
        "row of 30 bytes inserted at a random rowid",
    ),
    (
        "overwrite",
        100_000,
        "row overwritten by another of its size",
    ),
    ("delete", 100_000, "random row sought and deleted"),
    (
        "index-seek",
        50_000,
        "random seek of an index key (integer, integer)",
    ),
    ("index-insert", 50_000, "random index key inserted"),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, phase, count] = args.as_slice() {
        let count = count.parse().expect("a count");
        run(phase, count);
        return;
    }
    let only = args.get(1).cloned();
    for (phase, count, what) in PHASES {
        if only.as_ref().is_some_and(|only| only != phase) {
            continue;
        }
        let cost = (instructions(phase, 2 * count) - instructions(phase, count)) / count as f64;
        println!("{cost:8.0}  {what}");
    }
}

/// Instructions of a whole run.
fn instructions(phase: &str, count: u64) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program"))
        .args([phase, &count.to_string()])
        .output()
        .expect("valgrind runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find(|line| line.contains("Collected :"))
        .unwrap_or_else(|| panic!("{text}"));
    let number = line.rsplit(' ').next().expect("a number");
    number.parse().expect("a number")
}

fn random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    *state >> 33
}

/// A step that never misses here.
fn now<T>(step: Try<T>) -> T {
    step.unwrap_or_else(|stop| panic!("{stop:?}"))
}

fn run(phase: &str, count: u64) {
    let io = IoHandle::for_thread();
    let pool = Pool::with_frames(40_000, 4096);
    let mut tx = Tx::temporary(io.clone(), &pool, Geometry::default());
    tx.set_cache_size(40_000);
    io.block_on(async {
        if phase.starts_with("index") {
            index(&mut tx, phase, count).await;
        } else {
            table(&mut tx, phase, count).await;
        }
    });
}

/// Inserts, the fast way first, as the VM does.
async fn insert(tx: &mut Tx, cursor: &mut Cursor, rowid: i64, row: &[u8], hint: InsertHint) {
    let payload = Payload::from(row);
    match cursor.try_insert_rowid(tx, rowid, payload, hint) {
        Ok(()) => {}
        Err(Stop::Slow) => cursor
            .insert_rowid(tx, rowid, payload, hint)
            .await
            .expect("insert"),
        Err(stop) => panic!("{stop:?}"),
    }
}

async fn append(tx: &mut Tx, cursor: &mut Cursor, count: u64, row: &[u8]) {
    let hint = InsertHint {
        append: true,
        ..InsertHint::default()
    };
    for _ in 0..count {
        let rowid = now(cursor.last_rowid(tx)).unwrap_or(0) + 1;
        insert(tx, cursor, rowid, row, hint).await;
    }
}

async fn table(tx: &mut Tx, phase: &str, count: u64) {
    let root = create_tree(tx, TreeKind::Table).await.expect("create");
    let mut cursor = Cursor::table(root);
    let row = [3u8; 30];
    let mut state = 1;
    let mut sum = 0;
    match phase {
        "append" => return append(tx, &mut cursor, count, &row).await,
        "append-100" => return append(tx, &mut cursor, count, &[3; 100]).await,
        "insert" => {
            for _ in 0..count {
                let rowid = random(&mut state) as i64;
                insert(tx, &mut cursor, rowid, &row, InsertHint::default()).await;
            }
            return;
        }
        _ => append(tx, &mut cursor, ROWS as u64, &row).await,
    }
    match phase {
        "scan" => {
            assert!(now(cursor.first(tx)));
            for _ in 0..count {
                sum += cursor.local_payload()[1] as i64 + cursor.rowid();
                if !now(cursor.next(tx)) {
                    now(cursor.first(tx));
                }
            }
        }
        "seek" => {
            for _ in 0..count {
                let rowid = random(&mut state) as i64 % ROWS + 1;
                assert_eq!(now(cursor.seek_rowid(tx, rowid)), Seek::Equal);
            }
        }
        "seek-next" => {
            for i in 0..count {
                assert_eq!(now(cursor.seek_rowid(tx, i as i64 % ROWS + 1)), Seek::Equal);
            }
        }
        "overwrite" => {
            for i in 0..count {
                let rowid = i as i64 % ROWS + 1;
                let mut row = row;
                row[1] = random(&mut state) as u8;
                now(cursor.seek_rowid(tx, rowid));
                insert(tx, &mut cursor, rowid, &row, InsertHint::default()).await;
            }
        }
        "delete" => {
            for _ in 0..count {
                let rowid = random(&mut state) as i64 % ROWS + 1;
                if now(cursor.seek_rowid(tx, rowid)) == Seek::Equal {
                    match cursor.try_delete(tx, false) {
                        Err(Stop::Slow) => cursor.delete(tx, false).await.expect("delete"),
                        done => now(done),
                    }
                }
            }
        }
        other => panic!("no phase {other}"),
    }
    std::hint::black_box(sum);
}

async fn index(tx: &mut Tx, phase: &str, count: u64) {
    let root: PageNo = create_tree(tx, TreeKind::Index).await.expect("create");
    let info = Arc::new(KeyInfo::binary(2, TextEncoding::Utf8));
    let mut cursor = Cursor::index(root, info.clone());
    let mut record = Vec::new();
    let mut state = 1;
    let rows = if phase == "index-seek" {
        ROWS as u64
    } else {
        count
    };
    for i in 0..rows {
        let first = if phase == "index-seek" {
            i * 3
        } else {
            random(&mut state)
        };
        let values = [ValueRef::Integer(first as i64), ValueRef::Integer(i as i64)];
        record.clear();
        encode_record(&values, TextEncoding::Utf8, true, &mut record);
        let key = UnpackedKey::new(&values, &info, Ordering::Equal);
        match cursor.try_insert_key(tx, &record, Some(&key), InsertHint::default()) {
            Err(Stop::Slow) => {
                cursor
                    .insert_key(tx, &record, Some(&key), InsertHint::default())
                    .await
                    .expect("insert");
            }
            done => now(done),
        }
    }
    if phase == "index-seek" {
        for _ in 0..count {
            let i = random(&mut state) % ROWS as u64;
            let values = [ValueRef::Integer(i as i64 * 3), ValueRef::Integer(i as i64)];
            let key = UnpackedKey::new(&values, &info, Ordering::Equal);
            assert_eq!(now(cursor.seek_key(tx, &key)), Seek::Equal);
        }
    }
}
