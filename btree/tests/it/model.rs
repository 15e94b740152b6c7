//! Random histories against a `BTreeMap`, under many configurations.
//!
//! A history is a list of seeded operations; the tree, a scanning second cursor and the map must agree after each,
//! and every so often the whole tree is walked both ways and its integrity checked. A failure names its seed.

use crate::store::{Random, autovacuum_store, check, payload, read, store};
use ringwood_btree::{Cursor, InsertHint, Moved, Payload, Seek, TreeKind, clear_tree, create_tree};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{KeyInfo, UnpackedKey};
use ringwood_format::page::PageNo;
use ringwood_format::record::encode_record;
use ringwood_format::value::ValueRef;
use ringwood_wal::Tx;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
struct Config {
    page_size: u32,
    reserved: u8,
    frames: usize,
    /// Payloads have up to this many bytes; now and then up to ten times that.
    payload_max: u64,
    keys: u64,
    ops: usize,
    seed: u64,
    autovacuum: bool,
}

/// A key of either kind of tree, ordered as the tree orders it.
type Key = (Vec<u8>, i64);

/// One kind of tree, as the histories see it.
trait Tree {
    fn kind(&self) -> TreeKind;
    fn cursor(&self, root: PageNo) -> Cursor;
    fn key(&self, random: &mut Random, config: &Config) -> Key;
    async fn insert(
        &self,
        tx: &mut Tx,
        cursor: &mut Cursor,
        key: &Key,
        value: &[u8],
        hint: InsertHint,
    );
    async fn seek(&self, tx: &Tx, cursor: &mut Cursor, key: &Key) -> Seek;
    /// The cursor's entry.
    async fn entry(&self, tx: &Tx, cursor: &mut Cursor) -> (Key, Vec<u8>);
}

struct Table;

impl Tree for Table {
    fn kind(&self) -> TreeKind {
        TreeKind::Table
    }

    fn cursor(&self, root: PageNo) -> Cursor {
        Cursor::table(root)
    }

    fn key(&self, random: &mut Random, config: &Config) -> Key {
        let near = random.below(config.keys) as i64;
        (
            Vec::new(),
            if random.one_in(20) {
                near.wrapping_mul(0x1234_5678_9abc_def1)
            } else {
                near
            },
        )
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        cursor: &mut Cursor,
        key: &Key,
        value: &[u8],
        hint: InsertHint,
    ) {
        // Zeros at the end need not be given as bytes.
        let zeros = value.iter().rev().take_while(|&&byte| byte == 0).count();
        let payload = Payload {
            bytes: &value[..value.len() - zeros],
            zeros: zeros as u32,
        };
        cursor
            .insert_rowid(tx, key.1, payload, hint)
            .await
            .expect("insert");
    }

    async fn seek(&self, tx: &Tx, cursor: &mut Cursor, key: &Key) -> Seek {
        read(tx, cursor, |cursor, tx| cursor.seek_rowid(tx, key.1)).await
    }

    async fn entry(&self, tx: &Tx, cursor: &mut Cursor) -> (Key, Vec<u8>) {
        ((Vec::new(), cursor.rowid()), payload(tx, cursor).await)
    }
}

/// Records (blob, integer, value): the first two columns are the key.
struct Index(Arc<KeyInfo>);

impl Index {
    fn new() -> Index {
        Index(Arc::new(KeyInfo::binary(2, TextEncoding::Utf8)))
    }

    fn record(key: &Key, value: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        let values = [
            ValueRef::Blob(&key.0),
            ValueRef::Integer(key.1),
            ValueRef::Blob(value),
        ];
        encode_record(&values, TextEncoding::Utf8, true, &mut record);
        record
    }
}

impl Tree for Index {
    fn kind(&self) -> TreeKind {
        TreeKind::Index
    }

    fn cursor(&self, root: PageNo) -> Cursor {
        Cursor::index(root, self.0.clone())
    }

    fn key(&self, random: &mut Random, config: &Config) -> Key {
        let number = random.below(config.keys);
        // A few keys are long, so that their ends lie on overflow pages; they differ only there.
        let long = if number.is_multiple_of(16) {
            config.page_size as usize / 2
        } else {
            0
        };
        let mut blob = vec![b'x'; long];
        blob.extend_from_slice(&(number as u32).to_be_bytes());
        (blob, (number % 3) as i64)
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        cursor: &mut Cursor,
        key: &Key,
        value: &[u8],
        hint: InsertHint,
    ) {
        let record = Index::record(key, value);
        if value.len().is_multiple_of(2) {
            let values = [ValueRef::Blob(&key.0), ValueRef::Integer(key.1)];
            let unpacked = UnpackedKey::new(&values, &self.0, Ordering::Equal);
            cursor
                .insert_key(tx, &record, Some(&unpacked), hint)
                .await
                .expect("insert");
        } else {
            cursor
                .insert_key(tx, &record, None, hint)
                .await
                .expect("insert");
        }
    }

    async fn seek(&self, tx: &Tx, cursor: &mut Cursor, key: &Key) -> Seek {
        let values = [ValueRef::Blob(&key.0), ValueRef::Integer(key.1)];
        let unpacked = UnpackedKey::new(&values, &self.0, Ordering::Equal);
        read(tx, cursor, |cursor, tx| cursor.seek_key(tx, &unpacked)).await
    }

    async fn entry(&self, tx: &Tx, cursor: &mut Cursor) -> (Key, Vec<u8>) {
        let record = payload(tx, cursor).await;
        let mut columns = ringwood_format::record::record_values(&record).expect("a record");
        let mut next = || {
            let (serial, body) = columns.next().expect("a column").expect("a sound one");
            serial
                .decode_owned(body, TextEncoding::Utf8)
                .expect("a value")
        };
        use ringwood_format::value::Value::{Blob, Integer};
        match (next(), next(), next()) {
            (Blob(key), Integer(number), Blob(value)) => ((key, number), value),
            other => panic!("{other:?}"),
        }
    }
}

fn value(random: &mut Random, config: &Config) -> Vec<u8> {
    let most = if random.one_in(30) {
        config.payload_max * 10
    } else {
        config.payload_max
    };
    let len = random.below(most + 1) as usize;
    // The check of integrity wants a record: its first byte is a header size of at least 2.
    let mut value = random.bytes(len);
    if let Some(first) = value.first_mut() {
        *first |= 2;
    }
    if random.one_in(8) {
        let keep = 1.min(len);
        value[keep..].fill(0);
    }
    value
}

struct History<'a, T: Tree> {
    tree: &'a T,
    config: Config,
    random: Random,
    root: PageNo,
    model: BTreeMap<Key, Vec<u8>>,
    cursor: Cursor,
    /// A second cursor that scans; the key that it was last on.
    scan: Cursor,
    scan_at: Option<Key>,
}

impl<T: Tree> History<'_, T> {
    async fn step(&mut self, tx: &mut Tx, op: usize) {
        match self.random.below(100) {
            0..=44 => self.insert(tx).await,
            45..=64 => self.delete(tx).await,
            65..=74 => self.seek(tx).await,
            75..=79 => self.walk(tx).await,
            80..=82 => self.delete_under_scan(tx).await,
            83..=84 => self.append(tx).await,
            85 => self.roll_back(tx).await,
            86 if op.is_multiple_of(7) => self.clear(tx).await,
            _ => self.scan(tx).await,
        }
    }

    async fn insert(&mut self, tx: &mut Tx) {
        let key = self.tree.key(&mut self.random, &self.config);
        let value = value(&mut self.random, &self.config);
        let mut hint = InsertHint::default();
        if self.random.one_in(3) {
            let found = self.tree.seek(tx, &mut self.cursor, &key).await;
            hint.seek = Some(found);
        }
        hint.keep_position = self.random.one_in(3);
        self.tree
            .insert(tx, &mut self.cursor, &key, &value, hint)
            .await;
        self.model.insert(key.clone(), value.clone());
        if hint.keep_position {
            let moved = read(tx, &mut self.cursor, Cursor::restore).await;
            assert_eq!(moved, Moved::Same);
            assert_eq!(self.tree.entry(tx, &mut self.cursor).await, (key, value));
        }
    }

    async fn append(&mut self, tx: &mut Tx) {
        for _ in 0..self.random.below(60) {
            let last = self.model.keys().next_back().cloned();
            let mut key = last.unwrap_or_default();
            let Some(number) = key.1.checked_add(1) else {
                return;
            };
            key.1 = number;
            let value = value(&mut self.random, &self.config);
            read(tx, &mut self.cursor, Cursor::last).await;
            let hint = InsertHint {
                append: true,
                ..InsertHint::default()
            };
            self.tree
                .insert(tx, &mut self.cursor, &key, &value, hint)
                .await;
            self.model.insert(key, value);
        }
    }

    async fn delete(&mut self, tx: &mut Tx) {
        let key = self.tree.key(&mut self.random, &self.config);
        let found = self.tree.seek(tx, &mut self.cursor, &key).await;
        assert_eq!(found == Seek::Equal, self.model.contains_key(&key));
        if found == Seek::Empty {
            return;
        }
        // Whatever it is on goes.
        let (key, value) = self.tree.entry(tx, &mut self.cursor).await;
        assert_eq!(self.model.remove(&key), Some(value));
        let keep = self.random.one_in(2);
        self.cursor.delete(tx, keep).await.expect("delete");
        if keep {
            let forward = self.random.one_in(2);
            let expected = if forward {
                self.model
                    .range((Bound::Excluded(&key), Bound::Unbounded))
                    .next()
            } else {
                self.model.range(..&key).next_back()
            };
            let found = read(tx, &mut self.cursor, |cursor, tx| {
                if forward {
                    cursor.next(tx)
                } else {
                    cursor.previous(tx)
                }
            })
            .await;
            assert_eq!(found, expected.is_some());
            if let Some((key, value)) = expected {
                assert_eq!(
                    self.tree.entry(tx, &mut self.cursor).await,
                    (key.clone(), value.clone())
                );
            }
        }
    }

    async fn seek(&mut self, tx: &mut Tx) {
        let mut key = self.tree.key(&mut self.random, &self.config);
        // Near the last one, every other time.
        for _ in 0..=self.random.below(8) {
            match self.tree.seek(tx, &mut self.cursor, &key).await {
                Seek::Empty => assert!(self.model.is_empty()),
                Seek::Equal => {
                    let entry = self.tree.entry(tx, &mut self.cursor).await;
                    assert_eq!(entry, (key.clone(), self.model[&key].clone()));
                }
                Seek::Less => {
                    let (found, _) = self.tree.entry(tx, &mut self.cursor).await;
                    assert_eq!(
                        self.model.range(..&key).next_back().map(|(k, _)| k),
                        Some(&found)
                    );
                    assert!(!self.model.contains_key(&key));
                }
                Seek::Greater => {
                    let (found, _) = self.tree.entry(tx, &mut self.cursor).await;
                    assert_eq!(
                        self.model.range(&key..).next().map(|(k, _)| k),
                        Some(&found)
                    );
                    assert!(!self.model.contains_key(&key));
                }
            }
            key.1 = key.1.wrapping_add(self.random.below(4) as i64 - 1);
        }
    }

    async fn walk(&mut self, tx: &mut Tx) {
        let forward = self.random.one_in(2);
        let mut found = read(tx, &mut self.cursor, |cursor, tx| {
            if forward {
                cursor.first(tx)
            } else {
                cursor.last(tx)
            }
        })
        .await;
        let expected: Vec<_> = self.model.iter().collect();
        let mut expected: Box<dyn Iterator<Item = _>> = if forward {
            Box::new(expected.into_iter())
        } else {
            Box::new(expected.into_iter().rev())
        };
        let limit = self.random.below(200);
        for _ in 0..limit {
            let wanted = expected.next();
            assert_eq!(found, wanted.is_some());
            let Some((key, value)) = wanted else { return };
            assert_eq!(
                self.tree.entry(tx, &mut self.cursor).await,
                (key.clone(), value.clone())
            );
            found = read(tx, &mut self.cursor, |cursor, tx| {
                if forward {
                    cursor.next(tx)
                } else {
                    cursor.previous(tx)
                }
            })
            .await;
        }
        // From wherever it stands now, the last entry is the last.
        let found = read(tx, &mut self.cursor, Cursor::last).await;
        let wanted = self.model.iter().next_back();
        assert_eq!(found, wanted.is_some());
        if let Some((key, value)) = wanted {
            assert_eq!(
                self.tree.entry(tx, &mut self.cursor).await,
                (key.clone(), value.clone())
            );
        }
    }

    /// Walks on from somewhere and deletes every other row under the cursor.
    async fn delete_under_scan(&mut self, tx: &mut Tx) {
        let key = self.tree.key(&mut self.random, &self.config);
        let forward = self.random.one_in(2);
        if self.tree.seek(tx, &mut self.cursor, &key).await == Seek::Empty {
            return;
        }
        for _ in 0..self.random.below(40) {
            let (key, value) = self.tree.entry(tx, &mut self.cursor).await;
            assert_eq!(self.model.get(&key), Some(&value));
            if self.random.one_in(2) {
                self.cursor.delete(tx, true).await.expect("delete");
                self.model.remove(&key);
            }
            let expected = if forward {
                self.model
                    .range((Bound::Excluded(&key), Bound::Unbounded))
                    .next()
            } else {
                self.model.range(..&key).next_back()
            };
            let found = read(tx, &mut self.cursor, |cursor, tx| {
                if forward {
                    cursor.next(tx)
                } else {
                    cursor.previous(tx)
                }
            })
            .await;
            assert_eq!(found, expected.is_some());
            let Some((key, _)) = expected else { return };
            assert_eq!(&self.tree.entry(tx, &mut self.cursor).await.0, key);
        }
    }

    async fn roll_back(&mut self, tx: &mut Tx) {
        let savepoint = tx.savepoint();
        let before = self.model.clone();
        for _ in 0..self.random.below(30) {
            if self.random.one_in(2) {
                self.insert(tx).await;
            } else {
                self.delete(tx).await;
            }
        }
        if self.random.one_in(2) {
            tx.rollback_to(savepoint).expect("it is open");
            self.model = before;
        }
        tx.release(savepoint);
    }

    async fn clear(&mut self, tx: &mut Tx) {
        let count = clear_tree(tx, self.root).await.expect("clear");
        assert_eq!(count, self.model.len() as u64);
        self.model.clear();
    }

    /// The second cursor goes on from where it was, whatever happened to the tree.
    async fn scan(&mut self, tx: &mut Tx) {
        for _ in 0..=self.random.below(10) {
            if self.scan_at.is_some() && self.random.one_in(3) {
                let moved = read(tx, &mut self.scan, Cursor::restore).await;
                let there = self
                    .scan_at
                    .as_ref()
                    .is_some_and(|key| self.model.contains_key(key));
                assert_eq!(moved == Moved::Same, there, "{moved:?}");
            }
            let (found, expected) = match self.scan_at.take() {
                None => {
                    let found = read(tx, &mut self.scan, Cursor::first).await;
                    (found, self.model.iter().next())
                }
                Some(key) => {
                    let found = read(tx, &mut self.scan, Cursor::next).await;
                    (
                        found,
                        self.model
                            .range((Bound::Excluded(key), Bound::Unbounded))
                            .next(),
                    )
                }
            };
            assert_eq!(found, expected.is_some());
            if let Some((key, value)) = expected {
                assert_eq!(
                    self.tree.entry(tx, &mut self.scan).await,
                    (key.clone(), value.clone())
                );
                self.scan_at = Some(key.clone());
            }
        }
    }

    async fn check(&mut self, tx: &mut Tx) {
        let entries = check(tx, &[PageNo::ONE, self.root]).await;
        assert_eq!(entries[1], self.model.len() as u64);
        let mut cursor = self.tree.cursor(self.root);
        assert_eq!(
            cursor.count(tx).await.expect("count"),
            self.model.len() as u64
        );
        let mut found = read(tx, &mut cursor, Cursor::first).await;
        for (key, value) in &self.model {
            assert!(found);
            assert_eq!(
                self.tree.entry(tx, &mut cursor).await,
                (key.clone(), value.clone())
            );
            found = read(tx, &mut cursor, Cursor::next).await;
        }
        assert!(!found);
    }
}

fn run(tree: &impl Tree, config: Config) {
    println!("{config:?}");
    let (io, mut tx) = store(config.page_size, config.reserved, config.frames);
    io.clone().block_on(async {
        if config.autovacuum {
            tx = autovacuum_store(&io, config.page_size).await;
        }
        tx.set_cache_size(config.frames as i64);
        let root = create_tree(&mut tx, tree.kind()).await.expect("create");
        let mut history = History {
            tree,
            config,
            random: Random::new(config.seed),
            root,
            model: BTreeMap::new(),
            cursor: tree.cursor(root),
            scan: tree.cursor(root),
            scan_at: None,
        };
        for op in 0..config.ops {
            history.step(&mut tx, op).await;
            if op % 256 == 255 {
                history.check(&mut tx).await;
            }
        }
        history.check(&mut tx).await;
        // And down to nothing.
        while let Some((key, _)) = history.model.pop_first() {
            assert_eq!(tree.seek(&tx, &mut history.cursor, &key).await, Seek::Equal);
            history.cursor.delete(&mut tx, false).await.expect("delete");
            if history.model.len().is_multiple_of(64) {
                check(&tx, &[PageNo::ONE, root]).await;
            }
        }
        history.check(&mut tx).await;
    });
}

fn configs(ops: usize) -> Vec<Config> {
    let mut configs = Vec::new();
    let mut seed = 1;
    for (page_size, reserved) in [
        (512, 0),
        (512, 32),
        (1024, 0),
        (4096, 0),
        (4096, 255),
        (65536, 0),
        (65536, 8),
    ] {
        for payload_max in [8, 60, 300, page_size as u64 / 2] {
            for frames in [8, 4096] {
                for keys in [100, 1500] {
                    seed += 1;
                    configs.push(Config {
                        page_size,
                        reserved,
                        frames,
                        payload_max,
                        keys,
                        ops,
                        seed,
                        autovacuum: false,
                    });
                }
            }
        }
    }
    configs
}

#[test]
fn tables_agree_with_a_map() {
    for config in configs(1000) {
        run(&Table, config);
    }
}

#[test]
fn indexes_agree_with_a_map() {
    let tree = Index::new();
    for config in configs(1000) {
        run(&tree, config);
    }
}

#[test]
fn pointer_maps_are_right() {
    let index = Index::new();
    for mut config in configs(700) {
        if config.reserved == 0 && config.frames > 8 {
            config.autovacuum = true;
            run(&Table, config);
            run(&index, config);
        }
    }
}
