//! The order of values and of keys: among themselves, and against stock SQLite.

use crate::database::ENCODINGS;
use crate::oracle::{Param, ask, memory, value_of};
use crate::random::Random;
use ringwood_format::collation::{Collation, CustomCollation};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::key::{
    KeyColumn, KeyInfo, UnpackedKey, compare_record, compare_records, index_rowid, integer_on_page,
};
use ringwood_format::record::encode_record;
use ringwood_format::value::{Value, ValueRef, compare_values, compare_values_encoded};
use std::cmp::Ordering;
use std::sync::Arc;

fn builtins() -> [Collation; 3] {
    [Collation::Binary, Collation::NoCase, Collation::Rtrim]
}

#[test]
fn values_compare_as_sqlites_do() {
    let mut random = Random::new(70);
    for encoding in ENCODINGS {
        let db = memory(encoding.name());
        for collation in builtins() {
            let sql = format!(
                "SELECT (?1 > ?2 COLLATE {0}) - (?1 < ?2 COLLATE {0})",
                collation.name()
            );
            let mut statement = db.prepare(&sql).unwrap();
            for _ in 0..60_000 {
                let a = random.value();
                let b = match (&a, random.below(4)) {
                    (Value::Integer(i), 0) => Value::real(*i as f64),
                    (Value::Real(r), 0) => Value::Integer(*r as i64),
                    (Value::Text(t), 0) => {
                        let mut t = t.clone();
                        t.extend_from_slice(random.pick(&["", " ", "  ", "a", "é"]).as_bytes());
                        t.make_ascii_uppercase();
                        Value::Text(t)
                    }
                    _ => random.value(),
                };
                if a.is_null() || b.is_null() {
                    continue; // SQL answers NULL
                }
                let expected = match ask(&mut statement, &[a.as_ref(), b.as_ref()]) {
                    Value::Integer(i) => i.cmp(&0),
                    other => panic!("{other:?}"),
                };
                let got = compare_values_encoded(a.as_ref(), b.as_ref(), &collation, encoding);
                assert_eq!(got, expected, "{a:?} {b:?} {collation:?} {encoding:?}");
                if encoding.is_utf8() {
                    assert_eq!(compare_values(a.as_ref(), b.as_ref(), &collation), expected);
                }
            }
        }
    }
}

fn custom() -> Collation {
    Collation::Custom(Arc::new(CustomCollation {
        name: "BACKWARDS".to_owned(),
        compare: Arc::new(|a: &[u8], b: &[u8]| a.iter().rev().cmp(b.iter().rev())),
    }))
}

fn key_info(random: &mut Random, encoding: TextEncoding) -> KeyInfo {
    let collations = [
        Collation::Binary,
        Collation::Binary,
        Collation::NoCase,
        Collation::Rtrim,
        custom(),
    ];
    let columns = (0..=random.below(4)).map(|_| KeyColumn {
        collation: collations[random.below(5) as usize].clone(),
        desc: random.chance(2),
        big_null: random.chance(3),
    });
    KeyInfo {
        columns: columns.collect(),
        behind: 0,
        encoding,
    }
}

/// The order by its definition, column by column.
fn model(a: &[Value], b: &[Value], info: &KeyInfo, default: Ordering) -> Ordering {
    for ((a, b), column) in a.iter().zip(b).zip(&info.columns) {
        let order =
            compare_values_encoded(a.as_ref(), b.as_ref(), &column.collation, info.encoding);
        let order = match (column.big_null, a.is_null(), b.is_null()) {
            (true, true, false) => Ordering::Greater,
            (true, false, true) => Ordering::Less,
            _ if column.desc => order.reverse(),
            _ => order,
        };
        // NULLS LAST is asked for ascending columns and NULLS FIRST for descending ones: DESC turns big nulls, too.
        let order = if column.big_null && column.desc && a.is_null() != b.is_null() {
            order.reverse()
        } else {
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    default
}

#[test]
fn serialized_keys_compare_as_their_values() {
    let mut random = Random::new(71);
    for _ in 0..150_000 {
        let encoding = random.pick(&ENCODINGS);
        let info = key_info(&mut random, encoding);
        let columns = info.columns.len() as u64;
        let few = random.chance(2);
        let (record_len, key_len) = (random.below(columns + 2), random.below(columns + 1));
        let mut row = |len: u64| -> Vec<Value> {
            (0..len)
                .map(|_| {
                    if few {
                        random.pick(&FEW).to_owned()
                    } else {
                        random.value()
                    }
                })
                .collect()
        };
        let (record, key) = (row(record_len), row(key_len));
        let key = &key[..];
        let default = random.pick(&[Ordering::Less, Ordering::Equal, Ordering::Greater]);
        let bytes = encode(&record, encoding);
        let refs: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
        let unpacked = UnpackedKey::new(&refs, &info, default);
        // Where the record ends and all was equal so far, nothing can be said.
        let ends = record.len() < key.len();
        for default in [default, Ordering::Equal] {
            let expected = model(&record, key, &info, default);
            let undecided = model(&record, key, &info, Ordering::Equal) == Ordering::Equal;
            let found = compare_record(&bytes, &unpacked.with_default(default));
            if ends && undecided {
                assert!(found.is_err(), "{record:?} {key:?} {info:?}");
            } else {
                assert_eq!(found, Ok(expected), "{record:?} {key:?} {info:?}");
            }
        }
        let other = encode(key, encoding);
        assert_eq!(
            compare_records(&bytes, &other, &info),
            Ok(model(&record, key, &info, Ordering::Equal))
        );
    }
}

const FEW: [ValueRef<'static>; 9] = [
    ValueRef::Null,
    ValueRef::Integer(0),
    ValueRef::Integer(1),
    ValueRef::Integer(-70000),
    ValueRef::Real(0.5),
    ValueRef::Text(b"ab "),
    ValueRef::Text(b"AB"),
    ValueRef::Text(b"ab"),
    ValueRef::Blob(b"ab"),
];

fn encode(values: &[Value], encoding: TextEncoding) -> Vec<u8> {
    let refs: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    let mut out = Vec::new();
    encode_record(&refs, encoding, true, &mut out);
    out
}

#[test]
fn sqlite_sorts_rows_in_our_order() {
    let mut random = Random::new(72);
    for encoding in ENCODINGS {
        let db = memory(encoding.name());
        db.execute_batch("CREATE TABLE t(a, b, c)").unwrap();
        for _ in 0..40 {
            db.execute_batch("DELETE FROM t; BEGIN").unwrap();
            let mut insert = db.prepare("INSERT INTO t VALUES(?1, ?2, ?3)").unwrap();
            for _ in 0..200 {
                let row = [0; 3].map(|_| {
                    if random.chance(2) {
                        random.value()
                    } else {
                        random.pick(&FEW).to_owned()
                    }
                });
                insert
                    .execute([0, 1, 2].map(|i| Param(row[i].as_ref())))
                    .unwrap();
            }
            db.execute_batch("COMMIT").unwrap();
            let mut terms = Vec::new();
            let mut info = KeyInfo {
                columns: Vec::new(),
                behind: 0,
                encoding,
            };
            for name in ["a", "b", "c"] {
                let collation = builtins()[random.below(3) as usize].clone();
                let (desc, big_null) = (random.chance(2), random.chance(2));
                // The default is small nulls: first when ascending, last when descending.
                let nulls = if big_null == desc { "FIRST" } else { "LAST" };
                let order = if desc { "DESC" } else { "ASC" };
                terms.push(format!(
                    "{name} COLLATE {} {order} NULLS {nulls}",
                    collation.name()
                ));
                info.columns.push(KeyColumn {
                    collation,
                    desc,
                    big_null,
                });
            }
            let mut select = db
                .prepare(&format!(
                    "SELECT a, b, c FROM t ORDER BY {}",
                    terms.join(", ")
                ))
                .unwrap();
            let mut rows = select.query([]).unwrap();
            let mut last: Option<Vec<Value>> = None;
            while let Some(row) = rows.next().unwrap() {
                let row: Vec<Value> = (0..3).map(|i| value_of(row.get_ref(i).unwrap())).collect();
                if let Some(last) = last {
                    let (a, b) = (encode(&last, encoding), encode(&row, encoding));
                    let order = compare_records(&a, &b, &info).unwrap();
                    assert_ne!(order, Ordering::Greater, "{last:?} {row:?} {terms:?}");
                    assert_eq!(compare_records(&b, &a, &info).unwrap(), order.reverse());
                }
                last = Some(row);
            }
        }
    }
}

#[test]
fn rowids_are_found_at_the_end() {
    let mut random = Random::new(73);
    for _ in 0..20_000 {
        let rowid = random.integer();
        let record = encode(&[random.value(), Value::Integer(rowid)], TextEncoding::Utf8);
        assert_eq!(index_rowid(&record), Ok(rowid));
    }
    for last in [
        Value::Null,
        Value::Real(1.5),
        Value::from("x"),
        Value::Blob(vec![1]),
    ] {
        assert!(index_rowid(&encode(&[Value::Null, last], TextEncoding::Utf8)).is_err());
    }
}

#[test]
fn a_stored_nan_is_null() {
    let mut record = encode(&[Value::Real(1.5)], TextEncoding::Utf8);
    record[2..].copy_from_slice(&f64::NAN.to_be_bytes());
    let column = KeyColumn {
        big_null: true,
        ..KeyColumn::default()
    };
    let info = KeyInfo {
        columns: vec![column],
        behind: 0,
        encoding: TextEncoding::Utf8,
    };
    let five = encode(&[Value::Integer(5)], TextEncoding::Utf8);
    assert_eq!(
        compare_records(&record, &five, &info),
        Ok(Ordering::Greater)
    );
    for (value, expected) in [
        (ValueRef::Integer(5), Ordering::Greater),
        (ValueRef::Real(5.0), Ordering::Greater),
        (ValueRef::Text(b"x"), Ordering::Greater),
        (ValueRef::Null, Ordering::Equal),
    ] {
        let values = [value];
        let key = UnpackedKey::new(&values, &info, Ordering::Equal);
        assert_eq!(compare_record(&record, &key), Ok(expected), "{value:?}");
    }
}

/// An integer is read off a page as it was written, or not at all where the cell lies.
#[test]
fn integers_are_read_off_pages() {
    let mut random = Random::new(73);
    let mut read = 0;
    for _ in 0..20_000 {
        let first = random.value();
        let others: Vec<Value> = (0..random.below(3)).map(|_| random.value()).collect();
        let mut values = vec![first.clone()];
        values.extend(others);
        let record = encode(&values, TextEncoding::Utf8);
        if record.len() >= 0x80 {
            continue;
        }
        let mut page = vec![0xff; 512];
        let at = random.below(512 - record.len() as u64 - 1) as usize;
        page[at] = record.len() as u8;
        page[at + 1..at + 1 + record.len()].copy_from_slice(&record);
        let usable = 512;
        match (integer_on_page(&page, at, usable), &first) {
            (Some(found), Value::Integer(i)) => {
                assert_eq!(found, *i);
                read += 1;
            }
            (Some(found), other) => panic!("{found} for {other:?}"),
            (None, _) => {}
        }
        // A payload that ends before the integer, or behind the usable bytes, is for others to look at.
        let header = record[0] as usize;
        page[at] = header as u8;
        assert_eq!(integer_on_page(&page, at, usable), None);
        page[at] = record.len() as u8;
        assert_eq!(integer_on_page(&page, at, at as u32 + 1), None);
    }
    assert!(read > 2000, "{read}");
    for at in 0..20 {
        assert_eq!(integer_on_page(&[1; 16], at, 16), None);
    }
}
