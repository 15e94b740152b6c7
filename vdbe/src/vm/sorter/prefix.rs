//! The order-preserving image of a record's first key column in 64 bits.
//!
//! ```text
//!   | class: 0 NULL, 1 number, 2 text, 3 blob (4: NULL that sorts last) | 56 bits |
//!   number   floor + 2^55, cut off at both ends          text (BINARY), blob   the first 7 bytes
//!   DESC     all bits turned around
//! ```
//!
//! Rule: if a < b in the key's order, then image(a) <= image(b). Texts under other collations only have a class.

use ringwood_format::corrupt::Corrupt;
use ringwood_format::key::KeyInfo;
use ringwood_format::record::record_values;
use ringwood_format::value::ValueRef;

const HALF: i64 = 1 << 55;

/// The image, and whether records with equal images have equal first columns.
#[inline]
pub(super) fn prefix(record: &[u8], info: &KeyInfo) -> Result<(u64, bool), Corrupt> {
    let Some(column) = info.columns.first() else {
        return Ok((0, false));
    };
    let Some(first) = record_values(record)?.next() else {
        return Ok((0, false));
    };
    let (kind, body) = first?;
    let (class, bits, exact) = match kind.decode(body)? {
        ValueRef::Null if column.big_null => (4, 0, true),
        ValueRef::Null => (0, 0, true),
        ValueRef::Integer(i) => (
            1,
            (i.clamp(-HALF, HALF - 1) + HALF) as u64,
            i > -HALF && i < HALF - 1,
        ),
        ValueRef::Real(r) => (
            1,
            ((r.floor() as i64).clamp(-HALF, HALF - 1) + HALF) as u64,
            false,
        ),
        ValueRef::Text(text) if column.collation.is_binary() => (2, head(text), false),
        ValueRef::Text(_) => (2, 0, false),
        ValueRef::Blob(blob) => (3, head(blob), false),
    };
    let image = class << 56 | bits;
    Ok((if column.desc { !image } else { image }, exact))
}

/// The first 7 bytes, padded with zeros.
#[inline]
fn head(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.first_chunk::<8>() {
        return u64::from_be_bytes(*word) >> 8;
    }
    let mut word = [0; 8];
    let len = bytes.len().min(7);
    word[1..=len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwood_format::encoding::TextEncoding;
    use ringwood_format::key::compare_records;
    use ringwood_format::record::encode_record;
    use std::cmp::Ordering;

    #[test]
    fn images_never_contradict_the_order() {
        let values = [
            ValueRef::Null,
            ValueRef::Integer(i64::MIN),
            ValueRef::Integer(-HALF - 1),
            ValueRef::Integer(-1),
            ValueRef::Integer(0),
            ValueRef::Integer(HALF),
            ValueRef::Integer(i64::MAX),
            ValueRef::Real(-1e300),
            ValueRef::Real(-0.5),
            ValueRef::Real(0.5),
            ValueRef::Real(1e300),
            ValueRef::Text(b""),
            ValueRef::Text(b"a"),
            ValueRef::Text(b"a\0"),
            ValueRef::Text(b"abcdefg"),
            ValueRef::Text(b"abcdefgh"),
            ValueRef::Blob(b"\xff"),
        ];
        for (desc, big_null) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut info = KeyInfo::binary(1, TextEncoding::Utf8);
            info.columns[0].desc = desc;
            info.columns[0].big_null = big_null;
            for a in values {
                for b in values {
                    let (mut x, mut y) = (Vec::new(), Vec::new());
                    encode_record(&[a], TextEncoding::Utf8, true, &mut x);
                    encode_record(&[b], TextEncoding::Utf8, true, &mut y);
                    let order = compare_records(&x, &y, &info).expect("well formed");
                    let (p, p_exact) = prefix(&x, &info).expect("well formed");
                    let (q, q_exact) = prefix(&y, &info).expect("well formed");
                    if order != Ordering::Equal && p != q {
                        assert_eq!(
                            p.cmp(&q),
                            order,
                            "{a:?} {b:?} desc {desc} big_null {big_null}"
                        );
                    }
                    if p_exact && q_exact && p == q {
                        assert_eq!(order, Ordering::Equal, "{a:?} {b:?}");
                    }
                }
            }
        }
    }
}
