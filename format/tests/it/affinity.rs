//! Affinity, CAST and the values behind arithmetic, against stock SQLite.

use crate::oracle::{ask, memory, same};
use crate::random::Random;
use ringwood_format::affinity::{
    Affinity, arithmetic_number, boolean_value, cast, integer_value, numeric_type, real_value,
};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::value::{Value, ValueRef};

#[test]
fn declared_types_give_sqlites_affinity() {
    let mut random = Random::new(10);
    let pieces = [
        "INT", "CHAR", "CLOB", "TEXT", "BLOB", "REAL", "FLOA", "DOUB", "VAR", "(10)", " ", "x",
        "poINT", "bl", "ob",
    ];
    for _ in 0..3000 {
        let declared: String = (0..random.below(4)).map(|_| random.pick(&pieces)).collect();
        let db = memory("UTF-8");
        let quoted = if declared.trim().is_empty() {
            String::new()
        } else {
            format!("\"{declared}\"")
        };
        let declared = if quoted.is_empty() {
            ""
        } else {
            declared.as_str()
        };
        db.execute_batch(&format!(
            "CREATE TABLE t(a {quoted}); INSERT INTO t VALUES('12'),(12),(12.5)"
        ))
        .unwrap();
        let types = ask(
            &mut db.prepare("SELECT group_concat(typeof(a)) FROM t").unwrap(),
            &[],
        );
        let expected = match Affinity::of_type(declared) {
            Affinity::Blob => "text,integer,real",
            Affinity::Text => "text,text,text",
            Affinity::Real => "real,real,real",
            _ => "integer,integer,real",
        };
        assert_eq!(types, Value::from(expected), "{declared:?}");
        // NUMERIC and INTEGER differ in nothing but their letter.
        let is_int = declared.to_ascii_uppercase().contains("INT");
        assert_eq!(
            Affinity::of_type(declared) == Affinity::Integer,
            is_int,
            "{declared:?}"
        );
    }
}

#[test]
fn columns_convert_as_sqlites_do() {
    let db = memory("UTF-8");
    db.execute_batch("CREATE TABLE t(a TEXT, b NUMERIC, c INTEGER, d REAL, e BLOB)")
        .unwrap();
    let mut random = Random::new(11);
    let affinities = [
        Affinity::Text,
        Affinity::Numeric,
        Affinity::Integer,
        Affinity::Real,
        Affinity::Blob,
    ];
    let mut insert = db.prepare("INSERT INTO t VALUES(?1,?1,?1,?1,?1)").unwrap();
    let mut selects =
        ["a", "b", "c", "d", "e"].map(|c| db.prepare(&format!("SELECT {c} FROM t")).unwrap());
    let mut delete = db.prepare("DELETE FROM t").unwrap();
    db.execute_batch("BEGIN").unwrap();
    for _ in 0..150_000 {
        let value = random.value();
        insert
            .execute([crate::oracle::Param(value.as_ref())])
            .unwrap();
        for (affinity, select) in affinities.iter().zip(&mut selects) {
            let expected = ask(select, &[]);
            let mut scratch = Vec::new();
            let mut got = affinity
                .apply_for_storage(value.as_ref(), &mut scratch)
                .to_owned();
            if let (Affinity::Real, Value::Integer(i)) = (affinity, &got) {
                got = Value::Real(*i as f64); // what OP_RealAffinity does to what is read
            }
            assert!(
                same(&got, &expected),
                "{value:?} under {affinity:?}: {got:?}, not {expected:?}"
            );
            let owned = affinity.apply_owned(value.clone());
            assert!(same(
                &owned,
                &affinity.apply(value.as_ref(), &mut Vec::new()).to_owned()
            ));
        }
        delete.execute([]).unwrap();
    }
}

#[test]
fn casts_are_sqlites() {
    let db = memory("UTF-8");
    let mut random = Random::new(12);
    let targets = [
        ("TEXT", Affinity::Text),
        ("NUMERIC", Affinity::Numeric),
        ("INTEGER", Affinity::Integer),
        ("REAL", Affinity::Real),
        ("BLOB", Affinity::Blob),
    ];
    let mut statements = targets.map(|(name, affinity)| {
        (
            db.prepare(&format!("SELECT CAST(?1 AS {name})")).unwrap(),
            affinity,
        )
    });
    for _ in 0..200_000 {
        let value = random.value();
        for (statement, affinity) in &mut statements {
            let expected = ask(statement, &[value.as_ref()]);
            let got = cast(value.as_ref(), *affinity, TextEncoding::Utf8);
            assert!(
                same(&got, &expected),
                "CAST({value:?} AS {affinity:?}) is {got:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn casts_to_blob_show_the_encoding() {
    let mut random = Random::new(13);
    for encoding in [TextEncoding::Utf16le, TextEncoding::Utf16be] {
        let db = memory(encoding.name());
        let mut to_blob = db.prepare("SELECT CAST(?1 AS BLOB)").unwrap();
        for _ in 0..20_000 {
            let value = random.value();
            let expected = ask(&mut to_blob, &[value.as_ref()]);
            assert_eq!(
                cast(value.as_ref(), Affinity::Blob, encoding),
                expected,
                "{value:?}"
            );
        }
    }
}

#[test]
fn arithmetic_takes_the_number_that_sqlite_takes() {
    let db = memory("UTF-8");
    let mut plus = db.prepare("SELECT ?1 + 0").unwrap();
    let mut not = db.prepare("SELECT NOT ?1").unwrap();
    let mut random = Random::new(14);
    for _ in 0..200_000 {
        let value = random.value();
        if let ValueRef::Text(text) | ValueRef::Blob(text) = value.as_ref() {
            let expected = ask(&mut plus, &[value.as_ref()]);
            let got = Value::from(arithmetic_number(text));
            assert!(
                same(&got, &expected),
                "{value:?} + 0 is {got:?}, not {expected:?}"
            );
        }
        let expected = match ask(&mut not, &[value.as_ref()]) {
            Value::Integer(i) => Some(i == 0),
            _ => None,
        };
        assert_eq!(boolean_value(value.as_ref()), expected, "{value:?}");
    }
}

#[test]
fn functions_see_the_numbers_that_sqlites_see() {
    let db = memory("UTF-8");
    // sqlite3_value_int64, sqlite3_value_double and sqlite3_value_numeric_type, through functions that use them.
    let mut int64 = db.prepare("SELECT CAST(?1 AS INTEGER)").unwrap();
    let mut double = db.prepare("SELECT CAST(?1 AS REAL)").unwrap();
    let mut numeric = db
        .prepare("SELECT abs(?1), typeof(sum(?1)) FROM (SELECT 1)")
        .unwrap();
    let mut random = Random::new(15);
    for _ in 0..100_000 {
        let value = random.value();
        if value.is_null() {
            continue;
        }
        assert_eq!(
            Value::Integer(integer_value(value.as_ref())),
            ask(&mut int64, &[value.as_ref()]),
            "{value:?}"
        );
        assert_eq!(
            Value::Real(real_value(value.as_ref())),
            ask(&mut double, &[value.as_ref()]),
            "{value:?}"
        );
        if let Value::Text(text) = &value {
            let mut rows = numeric
                .query([crate::oracle::Param(value.as_ref())])
                .unwrap();
            let row = match rows.next() {
                Ok(row) => row.unwrap(),
                Err(_) => continue, // abs(-9223372036854775808) overflows
            };
            let kind: String = row.get(1).unwrap();
            let is_integer = matches!(
                numeric_type(text),
                Some(ringwood_format::number::Number::Integer(_))
            );
            assert_eq!(kind == "integer", is_integer, "{value:?}");
        }
    }
}
