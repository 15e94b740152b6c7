//! Any bytes as a record: it decodes or is `Corrupt`, and what decodes encodes to an equal record.
#![no_main]
use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use ringwood_format::key::{KeyInfo, compare_records};
use ringwood_format::record::decode_record;
use ringwood_format::value::TextEncoding;

fuzz_target!(|data: &[u8]| {
    let [encoding, rest @ ..] = data else { return };
    let encoding = match encoding % 3 {
        0 => TextEncoding::Utf8,
        1 => TextEncoding::Utf16le,
        _ => TextEncoding::Utf16be,
    };
    if let Ok(values) = decode_record(rest, encoding) {
        let info = KeyInfo::binary(values.len(), encoding);
        assert_eq!(compare_records(rest, rest, &info), Ok(Ordering::Equal));
    }
});
