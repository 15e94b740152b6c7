//! The layers alone, from a record's bytes to a statement: `cargo bench`, or `cargo bench -- pager` for one of them.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use ringwood::LocalConnection;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::PageNo;
use ringwood_format::record::{decode_record, encode_record};
use ringwood_format::value::{Value, ValueRef};
use ringwood_io::{Durability, IoHandle, OpenOptions};
use ringwood_pager::{FileCache, Pool};
use ringwood_sql::parse::parse_statement;
use ringwood_wal::{Allocate, Database, DbOptions, Stop, Tx};

fn format(c: &mut Criterion) {
    let owned = [
        Value::Integer(42),
        Value::text("a name of some length"),
        Value::Real(0.5),
        Value::Null,
    ];
    let values: Vec<ValueRef<'_>> = owned.iter().map(Value::as_ref).collect();
    let (utf8, mut bytes) = (TextEncoding::Utf8, Vec::new());
    encode_record(&values, utf8, true, &mut bytes);
    c.bench_function("format/encode_record", |b| {
        b.iter(|| {
            bytes.clear();
            encode_record(black_box(&values), utf8, true, &mut bytes);
        });
    });
    c.bench_function("format/decode_record", |b| {
        b.iter(|| decode_record(black_box(&bytes), utf8));
    });
}

fn io(c: &mut Criterion) {
    let io = IoHandle::for_thread();
    let path = std::env::temp_dir().join(format!("ringwood-layers-{}", std::process::id()));
    let file = io.open(&path, &OpenOptions::create()).expect("opens");
    io.write_now(&file, 0, &[7; 65536]).expect("writes");
    c.bench_function("io/read_4k_cached", |b| {
        b.iter(|| io.block_on(io.read(&file, 4096, io.alloc(4096))).1);
    });
    c.bench_function("io/write_4k_cached", |b| {
        b.iter(|| {
            let written = io.write(&file, 4096, io.alloc(4096), Durability::Cached);
            io.block_on(written).1
        });
    });
    std::fs::remove_file(&path).expect("there");
}

fn pager(c: &mut Criterion) {
    let pool = Pool::with_frames(256, 4096);
    let cache = FileCache::new(pool.clone());
    for page in (1..=100).filter_map(PageNo::new) {
        cache.insert(page, 1, pool.page(4096), || true);
    }
    let page = PageNo::new(50).expect("not 0");
    c.bench_function("pager/hit", |b| b.iter(|| cache.lookup(black_box(page), 1)));
    let mut next = 1000;
    c.bench_function("pager/miss_insert_evict", |b| {
        b.iter(|| {
            next = 1000 + (next + 1) % 10_000;
            let page = PageNo::new(next).expect("not 0");
            if cache.lookup(page, 1).is_none() {
                cache.insert(page, 1, pool.page(4096), || true);
            }
        });
    });
}

fn wal(c: &mut Criterion) {
    let io = IoHandle::in_memory();
    let pool = Pool::with_frames(256, 4096);
    let mut tx = io.block_on(async {
        let db = Database::open(&io, &pool, Path::new("/layers"), DbOptions::default()).await;
        let mut tx = Tx::new(db.expect("opens"), io.clone());
        tx.begin_write().await.expect("writes");
        tx.allocate(None, Allocate::Any).await.expect("room");
        tx.commit().await.expect("commits");
        tx.end_read();
        tx
    });
    let page = PageNo::new(2).expect("not 0");
    c.bench_function("wal/commit_one_page", |b| {
        b.iter(|| {
            io.block_on(async {
                tx.begin_write().await.expect("writes");
                loop {
                    match tx.page_mut(page) {
                        Ok(bytes) => break bytes[0] ^= 1,
                        Err(Stop::Fail(error)) => panic!("{error}"),
                        Err(_) => drop(tx.page(page).await.expect("there")),
                    }
                }
                tx.commit().await.expect("commits");
                tx.end_read();
            });
        });
    });
}

fn sql(c: &mut Criterion) {
    let text = "SELECT a, b FROM t WHERE a = ?1 ORDER BY b LIMIT 10";
    c.bench_function("sql/parse", |b| {
        b.iter(|| parse_statement(black_box(text.as_bytes())).expect("parses"));
    });
    let conn = LocalConnection::open_in_memory().expect("opens");
    conn.execute_batch(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO t SELECT i, 'row ' || i FROM n",
    )
    .expect("fills");
    c.bench_function("engine/prepare", |b| {
        b.iter(|| conn.prepare(black_box(text)).expect("compiles"));
    });
    c.bench_function("engine/prepare_cached", |b| {
        b.iter(|| conn.prepare_cached(black_box(text)).expect("compiles"));
    });
    let mut seek = conn.prepare("SELECT b FROM t WHERE a = ?1").expect("compiles");
    let mut key = 0;
    c.bench_function("engine/point_read", |b| {
        b.iter(|| {
            key = key % 10_000 + 1;
            seek.reset();
            seek.bind(1, key).expect("one parameter");
            assert!(seek.step().expect("runs"));
        });
    });
    let mut scan = conn.prepare("SELECT sum(a) FROM t").expect("compiles");
    c.bench_function("engine/scan_10000_rows", |b| {
        b.iter(|| {
            scan.reset();
            assert!(scan.step().expect("runs"));
        });
    });
}

criterion_group!(layers, format, io, pager, wal, sql);
criterion_main!(layers);
