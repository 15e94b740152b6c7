//! Trees between stock SQLite and us: each reads what the other wrote, and stock's integrity check has the last word.

use crate::store::{Dir, Random, open, payload, read};
use ringwood_btree::{
    Cursor, InsertHint, IntegrityScope, Payload, Seek, TreeKind, create_tree, drop_tree,
    integrity_check,
};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{KeyInfo, UnpackedKey};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::record::{encode_record, record_values};
use ringwood_format::value::{Value, ValueRef};
use ringwood_io::IoHandle;
use ringwood_wal::{AutoVacuum, DbOptions, Field, Synchronous, Tx};
use rusqlite::Connection;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

fn values(record: &[u8]) -> Vec<Value> {
    let columns = record_values(record).expect("a record");
    columns
        .map(|column| {
            let (serial, body) = column.expect("a column");
            serial
                .decode_owned(body, TextEncoding::Utf8)
                .expect("a value")
        })
        .collect()
}

fn ask(stock: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = stock
        .prepare(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let count = statement.column_count();
    let mut rows = statement.query([]).expect("runs");
    let mut out = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        out.push(
            (0..count)
                .map(|i| value_of(row.get_ref(i).expect("a column")))
                .collect(),
        );
    }
    out
}

fn value_of(value: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef::*;
    match value {
        Null => Value::Null,
        Integer(i) => Value::Integer(i),
        Real(r) => Value::Real(r),
        Text(text) => Value::Text(text.to_vec()),
        Blob(blob) => Value::Blob(blob.to_vec()),
    }
}

/// All records of a tree in order; with their rowids in front where it is a table.
async fn scan(tx: &Tx, mut cursor: Cursor) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let mut there = read(tx, &mut cursor, Cursor::first).await;
    while there {
        let mut row = values(&payload(tx, &mut cursor).await);
        if cursor.is_table() {
            row.insert(0, Value::Integer(cursor.rowid()));
        }
        rows.push(row);
        there = read(tx, &mut cursor, Cursor::next).await;
    }
    rows
}

/// Opens the trees of a database that stock wrote: name, kind and root.
fn roots(stock: &Connection) -> Vec<(String, String, PageNo)> {
    let rows = ask(
        stock,
        "SELECT type, name, rootpage FROM sqlite_schema WHERE rootpage > 0 ORDER BY rootpage",
    );
    rows.into_iter()
        .map(|row| match row.as_slice() {
            [Value::Text(kind), Value::Text(name), Value::Integer(root)] => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a name");
                (
                    text(kind),
                    text(name),
                    PageNo::new(*root as u32).expect("a root"),
                )
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn tables_of_stock_are_read() {
    for (page_size, rows, width) in [
        (512, 3000, 40),
        (512, 300, 3000),
        (1024, 2000, 200),
        (4096, 5000, 100),
        (4096, 100, 30000),
        (65536, 3000, 500),
    ] {
        let dir = Dir::new();
        let path = dir.file("stock.db");
        let stock = Connection::open(&path).expect("opens");
        stock
            .execute_batch(&format!(
                "PRAGMA page_size={page_size}; PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);
                 CREATE INDEX i ON t(b, c); CREATE TABLE w(x TEXT, y INT, z, PRIMARY KEY(x, y)) WITHOUT ROWID;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
                 INSERT INTO t SELECT i*7 % 100003, hex(randomblob(abs(random()) % {width} / 2)), i*1.5 FROM n;
                 DELETE FROM t WHERE a % 5 = 0; UPDATE t SET b = b || b WHERE a % 7 = 0;
                 INSERT INTO w SELECT b, a, c FROM t;"
            ))
            .expect("runs");
        let t = ask(&stock, "SELECT a, NULL, b, c FROM t ORDER BY a");
        let i = ask(&stock, "SELECT b, c, a FROM t ORDER BY b, c, a");
        let w = ask(&stock, "SELECT x, y, z FROM w ORDER BY x, y");
        let roots = roots(&stock);
        stock.close().expect("closes");
        let io = IoHandle::for_thread();
        io.clone().block_on(async {
            let (db, mut tx) = open(&io, &path, DbOptions::default()).await;
            tx.begin_read().await.expect("reads");
            let root = |name: &str| {
                roots
                    .iter()
                    .find(|(_, found, _)| found == name)
                    .expect("there")
                    .2
            };
            assert_eq!(scan(&tx, Cursor::table(root("t"))).await, t);
            let info = |columns| Arc::new(KeyInfo::binary(columns, TextEncoding::Utf8));
            assert_eq!(scan(&tx, Cursor::index(root("i"), info(3))).await, i);
            assert_eq!(scan(&tx, Cursor::index(root("w"), info(2))).await, w);
            for row in &i {
                let key: Vec<ValueRef<'_>> = row.iter().map(Value::as_ref).collect();
                let info = info(3);
                let key = UnpackedKey::new(&key, &info, Ordering::Equal);
                let mut cursor = Cursor::index(root("i"), info.clone());
                assert_eq!(
                    read(&tx, &mut cursor, |cursor, tx| cursor.seek_key(tx, &key)).await,
                    Seek::Equal
                );
            }
            let mut all = vec![PageNo::ONE];
            all.extend(roots.iter().map(|(_, _, root)| *root));
            let report = integrity_check(&tx, &all, IntegrityScope::Whole, 100)
                .await
                .expect("checks");
            assert_eq!(report.errors, Vec::<String>::new());
            tx.end_read();
            drop(tx);
            db.close(&io, Synchronous::Off).await.expect("closes");
        });
    }
}

/// A sample database, if it lies beside the repository or where `RINGWOOD_CHINOOK` says.
fn chinook() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("RINGWOOD_CHINOOK")?;
    Path::new(&path).exists().then(|| path.into())
}

#[test]
fn a_sample_database_is_read() {
    let Some(sample) = chinook() else { return };
    let dir = Dir::new();
    let path = dir.file("chinook.db");
    std::fs::copy(sample, &path).expect("copies");
    let stock = Connection::open(&path).expect("opens");
    let trees = roots(&stock);
    let counts: Vec<i64> = trees
        .iter()
        .map(|(kind, name, _)| {
            if kind != "table" {
                return -1;
            }
            let rows = ask(&stock, &format!("SELECT count(*) FROM \"{name}\""));
            let [Value::Integer(count)] = rows[0].as_slice() else {
                panic!("{rows:?}")
            };
            *count
        })
        .collect();
    stock.close().expect("closes");
    let io = IoHandle::for_thread();
    io.clone().block_on(async {
        let (_db, mut tx) = open(&io, &path, DbOptions::default()).await;
        tx.begin_read().await.expect("reads");
        let mut all = vec![PageNo::ONE];
        for ((kind, name, root), count) in trees.iter().zip(counts) {
            all.push(*root);
            if kind == "table" {
                let rows = scan(&tx, Cursor::table(*root)).await;
                assert_eq!(rows.len() as i64, count, "{name}");
                let mut cursor = Cursor::table(*root);
                assert_eq!(cursor.count(&tx).await.expect("counts") as i64, count);
            } else {
                let info = Arc::new(KeyInfo::binary(1, TextEncoding::Utf8));
                scan(&tx, Cursor::index(*root, info)).await;
            }
        }
        let report = integrity_check(&tx, &all, IntegrityScope::Whole, 100)
            .await
            .expect("checks");
        assert_eq!(report.errors, Vec::<String>::new());
    });
}

/// Adds a row to the schema table.
async fn declare(
    tx: &mut Tx,
    kind: &str,
    name: &str,
    table: &str,
    root: PageNo,
    sql: Option<&str>,
) -> i64 {
    let mut cursor = Cursor::table(PageNo::ONE);
    let rowid = read(tx, &mut cursor, Cursor::last_rowid).await.unwrap_or(0) + 1;
    let mut record = Vec::new();
    let sql = sql.map_or(ValueRef::Null, |sql| ValueRef::Text(sql.as_bytes()));
    let columns = [
        ValueRef::Text(kind.as_bytes()),
        ValueRef::Text(name.as_bytes()),
        ValueRef::Text(table.as_bytes()),
        ValueRef::Integer(root.get() as i64),
        sql,
    ];
    encode_record(&columns, TextEncoding::Utf8, true, &mut record);
    cursor
        .insert_rowid(tx, rowid, record.as_slice().into(), InsertHint::default())
        .await
        .expect("inserts");
    rowid
}

struct Trees {
    table: Cursor,
    index: Cursor,
    without_rowid: Cursor,
    info: Arc<KeyInfo>,
    rows: BTreeMap<i64, Vec<u8>>,
    keys: BTreeSet<(Vec<u8>, i64)>,
}

impl Trees {
    async fn step(&mut self, tx: &mut Tx, random: &mut Random, width: u64) {
        let rowid = random.below(3000) as i64;
        if let Some(old) = self.rows.remove(&rowid) {
            let key = [ValueRef::Blob(&old), ValueRef::Integer(rowid)];
            let key = UnpackedKey::new(&key, &self.info, Ordering::Equal);
            assert_eq!(
                read(tx, &mut self.index, |cursor, tx| cursor.seek_key(tx, &key)).await,
                Seek::Equal
            );
            self.index.delete(tx, false).await.expect("deletes");
            assert_eq!(
                read(tx, &mut self.table, |cursor, tx| cursor
                    .seek_rowid(tx, rowid))
                .await,
                Seek::Equal
            );
            self.table.delete(tx, false).await.expect("deletes");
            return;
        }
        let len = if random.one_in(20) {
            random.below(width * 20)
        } else {
            random.below(width)
        };
        let value = random.bytes(len as usize);
        let mut record = Vec::new();
        let columns = [ValueRef::Null, ValueRef::Blob(&value)];
        encode_record(&columns, TextEncoding::Utf8, true, &mut record);
        let row = Payload::from(record.as_slice());
        self.table
            .insert_rowid(tx, rowid, row, InsertHint::default())
            .await
            .expect("inserts");
        let mut record = Vec::new();
        let key = [ValueRef::Blob(&value), ValueRef::Integer(rowid)];
        encode_record(&key, TextEncoding::Utf8, true, &mut record);
        self.index
            .insert_key(tx, &record, None, InsertHint::default())
            .await
            .expect("inserts");
        let key = (random.bytes(1 + len as usize % 20), random.below(4) as i64);
        let mut record = Vec::new();
        let columns = [
            ValueRef::Blob(&key.0),
            ValueRef::Integer(key.1),
            ValueRef::Blob(&value),
        ];
        encode_record(&columns, TextEncoding::Utf8, true, &mut record);
        self.without_rowid
            .insert_key(tx, &record, None, InsertHint::default())
            .await
            .expect("inserts");
        self.keys.insert(key);
        self.rows.insert(rowid, value);
    }
}

#[test]
fn stock_reads_our_trees() {
    let geometries = [(512, 0), (1024, 5), (4096, 0), (4096, 255), (65536, 0)];
    let modes = [AutoVacuum::None, AutoVacuum::Incremental];
    for ((page_size, reserved), auto_vacuum) in geometries
        .into_iter()
        .flat_map(|geometry| modes.into_iter().map(move |mode| (geometry, mode)))
    {
        let dir = Dir::new();
        let path = dir.file("ours.db");
        let io = IoHandle::for_thread();
        let geometry = Geometry::new(page_size, reserved).expect("a geometry");
        let options = DbOptions {
            geometry,
            auto_vacuum,
            ..DbOptions::default()
        };
        let trees = io.clone().block_on(async {
            let (db, mut tx) = open(&io, &path, options).await;
            tx.begin_write().await.expect("writes");
            tx.set_cache_size(if page_size == 512 { 10 } else { 1000 });
            tx.set_header_field(Field::SchemaFormat, 4).expect("sets");
            tx.set_header_field(Field::TextEncoding, 1).expect("sets");
            let mut random = Random::new(page_size as u64 + reserved as u64);
            let info = Arc::new(KeyInfo::binary(2, TextEncoding::Utf8));
            // Trees that come and go, so that with autovacuum pages and roots move.
            let mut gone = Vec::new();
            let mut trees: Option<Trees> = None;
            for round in 0..6 {
                let root = create_tree(&mut tx, TreeKind::Table)
                    .await
                    .expect("creates");
                if round == 2 {
                    let index = create_tree(&mut tx, TreeKind::Index)
                        .await
                        .expect("creates");
                    let without = create_tree(&mut tx, TreeKind::Index)
                        .await
                        .expect("creates");
                    declare(
                        &mut tx,
                        "table",
                        "t",
                        "t",
                        root,
                        Some("CREATE TABLE t(a INTEGER PRIMARY KEY, b)"),
                    )
                    .await;
                    declare(
                        &mut tx,
                        "index",
                        "i",
                        "t",
                        index,
                        Some("CREATE INDEX i ON t(b)"),
                    )
                    .await;
                    let sql = "CREATE TABLE w(x, y, z, PRIMARY KEY(x, y)) WITHOUT ROWID";
                    declare(&mut tx, "table", "w", "w", without, Some(sql)).await;
                    trees = Some(Trees {
                        table: Cursor::table(root),
                        index: Cursor::index(index, info.clone()),
                        without_rowid: Cursor::index(without, info.clone()),
                        info: info.clone(),
                        rows: BTreeMap::new(),
                        keys: BTreeSet::new(),
                    });
                } else {
                    gone.push(root);
                }
                if let Some(trees) = &mut trees {
                    for _ in 0..700 {
                        trees.step(&mut tx, &mut random, page_size as u64 / 8).await;
                    }
                }
            }
            let mut trees = trees.expect("made in round 2");
            while let Some(root) = gone.pop() {
                if let Some(moved) = drop_tree(&mut tx, root).await.expect("drops") {
                    // What was the last root is where the dropped one was.
                    gone.iter_mut()
                        .filter(|root| **root == moved)
                        .for_each(|other| *other = root);
                    for cursor in [&mut trees.table, &mut trees.index, &mut trees.without_rowid] {
                        if cursor.root() == moved {
                            let info = cursor.key_info().cloned();
                            cursor.reopen(root, info);
                            rename(&mut tx, moved, root).await;
                        }
                    }
                }
                for _ in 0..100 {
                    trees.step(&mut tx, &mut random, page_size as u64 / 8).await;
                }
            }
            let mut roots = vec![PageNo::ONE];
            roots.extend([
                trees.table.root(),
                trees.index.root(),
                trees.without_rowid.root(),
            ]);
            let report = integrity_check(&tx, &roots, IntegrityScope::Whole, 100)
                .await
                .expect("checks");
            assert_eq!(report.errors, Vec::<String>::new());
            tx.commit().await.expect("commits");
            tx.end_read();
            drop(tx);
            db.close(&io, Synchronous::Off).await.expect("closes");
            trees
        });
        let stock = Connection::open(&path).expect("opens");
        let ok = vec![vec![Value::Text(b"ok".to_vec())]];
        assert_eq!(
            ask(&stock, "PRAGMA integrity_check"),
            ok,
            "{page_size} {reserved} {auto_vacuum:?}"
        );
        let rows: Vec<Vec<Value>> = trees
            .rows
            .iter()
            .map(|(a, b)| vec![Value::Integer(*a), Value::Blob(b.clone())])
            .collect();
        assert_eq!(ask(&stock, "SELECT a, b FROM t NOT INDEXED"), rows);
        let keys: Vec<Vec<Value>> = trees
            .keys
            .iter()
            .map(|(x, y)| vec![Value::Blob(x.clone()), Value::Integer(*y)])
            .collect();
        assert_eq!(ask(&stock, "SELECT x, y FROM w ORDER BY x, y"), keys);
        stock
            .execute_batch("DELETE FROM t WHERE a % 3 = 0; INSERT INTO t SELECT a+10000, b FROM t; DROP TABLE w;")
            .expect("stock goes on");
        assert_eq!(ask(&stock, "PRAGMA integrity_check"), ok);
    }
}

/// Writes the new root of a tree that moved to its row of the schema table.
async fn rename(tx: &mut Tx, from: PageNo, to: PageNo) {
    let mut cursor = Cursor::table(PageNo::ONE);
    let mut there = read(tx, &mut cursor, Cursor::first).await;
    while there {
        let row = values(&payload(tx, &mut cursor).await);
        if row[3] == Value::Integer(from.get() as i64) {
            let mut columns: Vec<ValueRef<'_>> = row.iter().map(Value::as_ref).collect();
            columns[3] = ValueRef::Integer(to.get() as i64);
            let mut record = Vec::new();
            encode_record(&columns, TextEncoding::Utf8, true, &mut record);
            let rowid = cursor.rowid();
            let hint = InsertHint::default();
            cursor
                .insert_rowid(tx, rowid, record.as_slice().into(), hint)
                .await
                .expect("replaces");
            return;
        }
        there = read(tx, &mut cursor, Cursor::next).await;
    }
    panic!("no tree at {from}");
}

/// Pages that stock needs for these rows, and pages that we need.
fn shapes(rowids: &[i64], width: usize, append: bool) -> (u32, u32) {
    let stock = Connection::open_in_memory().expect("opens");
    stock
        .execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b); BEGIN")
        .expect("runs");
    let row = vec![7; width];
    {
        let mut statement = stock
            .prepare("INSERT OR REPLACE INTO t VALUES(?, ?)")
            .expect("prepares");
        for rowid in rowids {
            statement.execute((rowid, &row)).expect("inserts");
        }
    }
    let theirs: u32 = stock
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .expect("asks");
    let (io, mut tx) = crate::store::store(4096, 0, 10_000);
    tx.set_cache_size(10_000);
    let ours = io.block_on(async {
        let root = create_tree(&mut tx, TreeKind::Table)
            .await
            .expect("creates");
        let mut cursor = Cursor::table(root);
        let mut record = Vec::new();
        encode_record(
            &[ValueRef::Null, ValueRef::Blob(&row)],
            TextEncoding::Utf8,
            true,
            &mut record,
        );
        for &rowid in rowids {
            let hint = InsertHint {
                append,
                ..InsertHint::default()
            };
            cursor
                .insert_rowid(&mut tx, rowid, record.as_slice().into(), hint)
                .await
                .expect("inserts");
        }
        tx.page_count()
    });
    (theirs, ours)
}

#[test]
fn trees_are_as_full_as_stocks() {
    let ascending: Vec<i64> = (1..20_000).collect();
    let mut random = Random::new(4);
    let any: Vec<i64> = (0..20_000).map(|_| random.below(1 << 40) as i64).collect();
    for width in [10, 100, 700, 3000] {
        for (rowids, append) in [(&ascending, true), (&ascending, false), (&any, false)] {
            let (theirs, ours) = shapes(rowids, width, append);
            assert!(
                ours.abs_diff(theirs) * 100 <= theirs * 3,
                "{width} {append}: {ours} pages, stock has {theirs}"
            );
        }
    }
}
