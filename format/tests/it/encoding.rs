//! Transcoding against stock SQLite.

use crate::oracle::{ask, memory};
use crate::random::Random;
use ringwood_format::encoding::{TextEncoding, code_points};
use ringwood_format::value::{Value, ValueRef};

const WIDE: [TextEncoding; 2] = [TextEncoding::Utf16le, TextEncoding::Utf16be];

fn encoded(text: &[u8], encoding: TextEncoding) -> Vec<u8> {
    let mut out = Vec::new();
    encoding.encode(text, &mut out);
    assert_eq!(out.len(), encoding.encoded_len(text));
    out
}

fn decoded(bytes: &[u8], encoding: TextEncoding) -> Vec<u8> {
    let mut out = Vec::new();
    encoding.decode(bytes, &mut out);
    out
}

#[test]
fn malformed_utf8_becomes_what_sqlite_makes_of_it() {
    let mut random = Random::new(20);
    for encoding in WIDE {
        let db = memory(encoding.name());
        let mut statement = db.prepare("SELECT CAST(?1 AS BLOB)").unwrap();
        for _ in 0..100_000 {
            let len = random.below(12) as usize;
            let mut text = random.bytes(len);
            if random.chance(2) {
                for byte in &mut text {
                    *byte |= 0x80;
                }
            }
            let expected = ask(&mut statement, &[ValueRef::Text(&text)]);
            assert_eq!(Value::Blob(encoded(&text, encoding)), expected, "{text:x?}");
        }
    }
}

#[test]
fn malformed_utf16_becomes_what_sqlite_makes_of_it() {
    let mut random = Random::new(21);
    for encoding in WIDE {
        let db = memory(encoding.name());
        let mut statement = db.prepare("SELECT CAST(?1 AS TEXT)").unwrap();
        for _ in 0..100_000 {
            let len = random.below(13) as usize;
            let mut bytes = random.bytes(len);
            if random.chance(2) {
                let high = usize::from(encoding == TextEncoding::Utf16le);
                bytes
                    .iter_mut()
                    .skip(high)
                    .step_by(2)
                    .for_each(|byte| *byte = *byte & 0x07 | 0xd8);
            }
            let expected = ask(&mut statement, &[ValueRef::Blob(&bytes)]);
            assert_eq!(
                Value::Text(decoded(&bytes, encoding)),
                expected,
                "{bytes:x?}"
            );
        }
    }
}

#[test]
fn proper_text_survives() {
    let mut random = Random::new(22);
    for _ in 0..50_000 {
        let text = random.text();
        assert!(code_points(text.as_bytes()).eq(text.chars().map(u32::from)));
        for encoding in WIDE {
            assert_eq!(
                decoded(&encoded(text.as_bytes(), encoding), encoding),
                text.as_bytes()
            );
        }
    }
}
