//! Records, against rows that stock SQLite wrote.

use crate::database::{Database, ENCODINGS};
use crate::oracle::{Param, value_of};
use crate::random::Random;
use ringwood_format::affinity::Affinity;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::page::Geometry;
use ringwood_format::record::{
    RecordHeader, SerialType, decode_record, encode_record, record_values,
};
use ringwood_format::value::{Value, ValueRef};

fn encoded(values: &[Value], encoding: TextEncoding, constants: bool) -> Vec<u8> {
    let refs: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    let mut out = b"before".to_vec();
    encode_record(&refs, encoding, constants, &mut out);
    out.split_off(6)
}

#[test]
fn rows_are_the_bytes_that_sqlite_writes() {
    let mut random = Random::new(60);
    for encoding in ENCODINGS {
        for constants in [true, false] {
            let mut rows = Vec::new();
            let database = Database::make("record", Geometry::default(), encoding, |db| {
                let legacy = rusqlite::config::DbConfig::SQLITE_DBCONFIG_LEGACY_FILE_FORMAT;
                db.set_db_config(legacy, !constants).unwrap();
                db.execute_batch("CREATE TABLE t(a, b, c, r REAL); BEGIN")
                    .unwrap();
                let mut insert = db.prepare("INSERT INTO t VALUES(?1, ?2, ?3, ?4)").unwrap();
                for _ in 0..4000 {
                    let mut row: Vec<Value> = (0..4).map(|_| random.value()).collect();
                    if random.chance(20) {
                        let len = random.below(20000) as usize;
                        row[1] = Value::Blob(random.bytes(len));
                    }
                    insert
                        .execute([0, 1, 2, 3].map(|i| Param(row[i].as_ref())))
                        .unwrap();
                    rows.push(row);
                }
                drop(insert);
                db.execute_batch("COMMIT").unwrap();
                // What was read back is the text that the encoding left over.
                let mut select = db
                    .prepare("SELECT a, b, c, r FROM t ORDER BY rowid")
                    .unwrap();
                let mut read = select.query([]).unwrap();
                for row in &mut rows {
                    let found = read.next().unwrap().unwrap();
                    for (i, value) in row.iter_mut().enumerate() {
                        *value = value_of(found.get_ref(i).unwrap());
                    }
                }
            });
            assert_eq!(database.header.has_integer_constants(), constants);
            let stored = database.rows(database.root("t"));
            assert_eq!(stored.len(), rows.len());
            for ((_, record), row) in stored.iter().zip(&rows) {
                let mut decoded = decode_record(record, encoding).unwrap();
                let mut for_storage = row.clone();
                let mut scratch = Vec::new();
                for_storage[3] = Affinity::Real
                    .apply_for_storage(row[3].as_ref(), &mut scratch)
                    .to_owned();
                assert_eq!(
                    encoded(&for_storage, encoding, constants),
                    *record,
                    "{row:?}"
                );
                if let Value::Integer(i) = decoded[3] {
                    decoded[3] = Value::Real(i as f64);
                }
                assert_eq!(decoded, *row);
            }
        }
    }
}

#[test]
fn any_row_survives_and_can_be_read_column_by_column() {
    let mut random = Random::new(61);
    let (mut types, mut offsets, mut scratch) = ([0; 500], [0; 501], Vec::new());
    for round in 0..30_000 {
        let count = if round % 500 == 0 {
            random.below(400)
        } else {
            random.below(10)
        };
        let row: Vec<Value> = (0..count).map(|_| random.value()).collect();
        let encoding = random.pick(&ENCODINGS);
        let record = encoded(&row, encoding, random.chance(2));
        assert_eq!(decode_record(&record, encoding).unwrap(), row);
        assert_eq!(record_values(&record).unwrap().count(), row.len());

        let mut header = RecordHeader::new(&record).unwrap();
        let mut wanted: Vec<usize> = (0..4).map(|_| random.below(count + 2) as usize).collect();
        wanted.push(count as usize);
        for column in wanted {
            header
                .parse_to(
                    &record,
                    record.len() as u32,
                    column,
                    &mut types,
                    &mut offsets,
                )
                .unwrap();
            if column < header.parsed as usize {
                let serial = types[column];
                let body = &record[offsets[column] as usize..];
                let serial = SerialType(serial);
                assert_eq!(
                    serial.decode_into(body, encoding, &mut scratch).unwrap(),
                    row[column].as_ref()
                );
                assert_eq!(offsets[column + 1] - offsets[column], serial.size());
            } else {
                assert!(column >= row.len());
            }
        }
        assert!(header.is_complete());
        assert_eq!(header.parsed as usize, row.len());
    }
}

#[test]
fn headers_around_the_one_byte_limit() {
    for count in [125, 126, 127, 128, 129, 16380, 16381, 16382, 16383, 32767] {
        let row = vec![Value::Integer(300); count];
        let record = encoded(&row, TextEncoding::Utf8, true);
        assert_eq!(
            decode_record(&record, TextEncoding::Utf8).unwrap(),
            row,
            "{count} columns"
        );
        let header = RecordHeader::new(&record).unwrap();
        assert_eq!(header.size as usize + 2 * count, record.len());
    }
}

#[test]
fn a_record_that_lies_about_its_length_is_corrupt() {
    let record = encoded(
        &[Value::Integer(5), Value::from("abc")],
        TextEncoding::Utf8,
        true,
    );
    let mut header = RecordHeader::new(&record).unwrap();
    let (mut types, mut offsets) = ([0; 4], [0; 5]);
    assert!(
        header
            .parse_to(
                &record,
                record.len() as u32 + 1,
                1,
                &mut types,
                &mut offsets
            )
            .is_err()
    );
    assert!(decode_record(&record[..record.len() - 1], TextEncoding::Utf8).is_err());
    assert!(RecordHeader::new(&[]).is_err());
    assert!(RecordHeader::new(&[0x86, 0x80, 0x04]).is_err()); // 98308
    assert!(RecordHeader::new(&[0x86, 0x80, 0x03]).is_ok());
    // A header of no size is a record of no values.
    assert_eq!(decode_record(&[0], TextEncoding::Utf8).unwrap(), []);
}
