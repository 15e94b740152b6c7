//! Every decoder, on bytes that mean nothing and on pages with damage: an answer or an error, never a panic.

use crate::database::{Database, ENCODINGS, geometries};
use crate::random::Random;
use ringwood_format::affinity::{Affinity, arithmetic_number, cast, numeric_affinity};
use ringwood_format::btree_page::{BtreePage, PageKind, parse_cell};
use ringwood_format::encoding::code_points;
use ringwood_format::freelist::Trunk;
use ringwood_format::header::DatabaseHeader;
use ringwood_format::key::{
    KeyColumn, KeyInfo, UnpackedKey, compare_record, compare_records, index_rowid,
};
use ringwood_format::number::{parse_i32_prefix, parse_integer, parse_literal, parse_real};
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::ptrmap;
use ringwood_format::record::{RecordHeader, SerialType, decode_record, record_values};
use ringwood_format::value::ValueRef;
use ringwood_format::varint;
use ringwood_format::wal::{Checksum, FrameHeader, WalHeader};
use ringwood_format::wal_index::{CkptInfo, WalIndexHdr};
use std::cmp::Ordering;
use std::hint::black_box;

/// The optimiser may not leave out what is only computed for its panics.
fn used<T>(value: T) {
    black_box(value);
}

/// Walks a page as far as it lets itself be walked. Returns how many cells could be read.
fn use_page(data: &[u8], geometry: Geometry, page: PageNo) -> usize {
    let Ok(view) = BtreePage::new(data, geometry, page) else {
        return 0;
    };
    let mut read = 0;
    used(view.free_space());
    for i in 0..view.cell_count() {
        read += usize::from(view.cell_info(i).is_ok());
        used(view.cell(i));
        match view.kind() {
            PageKind::TableLeaf => {
                used(view.rowid(i));
                if let Ok(cell) = view.table_leaf_cell(i) {
                    use_record(cell.local);
                }
            }
            PageKind::TableInterior => {
                used((view.rowid(i), view.child(i), view.table_interior_cell(i)));
            }
            PageKind::IndexLeaf | PageKind::IndexInterior => {
                if let Ok(cell) = view.index_cell(i) {
                    use_record(cell.local);
                }
            }
        }
    }
    if !view.is_leaf() {
        used(view.child(view.cell_count()));
    }
    read
}

fn use_record(bytes: &[u8]) {
    for encoding in ENCODINGS {
        used(decode_record(bytes, encoding));
    }
    used(index_rowid(bytes));
    if let Ok(values) = record_values(bytes) {
        for value in values.flatten() {
            assert_eq!(value.1.len(), value.0.size() as usize);
        }
    }
    if let Ok(mut header) = RecordHeader::new(bytes) {
        let (mut types, mut offsets) = ([0; 100], [0; 101]);
        for column in [0, 3, 99] {
            if header
                .parse_to(bytes, bytes.len() as u32, column, &mut types, &mut offsets)
                .is_err()
            {
                break;
            }
            let parsed = header.parsed as usize;
            assert!(
                offsets[..=parsed]
                    .iter()
                    .all(|&offset| offset as usize <= bytes.len().max(header.size as usize))
            );
        }
    }
}

#[test]
fn random_bytes() {
    let mut random = Random::new(90);
    let geometries: Vec<Geometry> = geometries()
        .filter(|geometry| geometry.page_size() <= 4096)
        .collect();
    for _ in 0..40_000 {
        let geometry = random.pick(&geometries);
        let len = if random.chance(8) {
            geometry.page_size() as usize
        } else {
            random.below(64) as usize
        };
        let mut bytes = random.bytes(len);
        if random.chance(2) {
            for byte in &mut bytes {
                *byte &= 0x0f;
            }
        }
        if let [first, ..] = &mut *bytes
            && random.chance(2)
        {
            *first = random.pick(&[2, 5, 10, 13]);
        }
        for page in [PageNo::ONE, PageNo::new(2).unwrap()] {
            use_page(&bytes, geometry, page);
            used(Trunk::new(&bytes, geometry, page).map(|trunk| trunk.leaves().count()));
        }
        for kind in [
            PageKind::TableLeaf,
            PageKind::TableInterior,
            PageKind::IndexLeaf,
            PageKind::IndexInterior,
        ] {
            used(parse_cell(&bytes, kind, geometry));
        }
        used((overflow::next(&bytes), overflow::content(&bytes, geometry)));
        used(PageNo::new(random.next() as u32).map(|page| ptrmap::read(&bytes, page, geometry)));
        used((
            DatabaseHeader::decode(&bytes),
            varint::read(&bytes),
            varint::read_u32(&bytes),
        ));
        used((
            WalHeader::decode(&bytes),
            WalIndexHdr::decode(&bytes),
            CkptInfo::decode(&bytes),
        ));
        let (wal, checksum) = WalHeader::decode(&wal_header()).unwrap();
        assert_eq!(FrameHeader::decode(&bytes, &[0; 512], &wal, checksum), None);
        used(FrameHeader::peek(&bytes, wal.salt));
        assert_ne!(Checksum::ZERO, checksum);

        use_record(&bytes);
        let serial = SerialType(random.next() as u32 >> random.below(32));
        used(serial.decode(&bytes));
        let (a, b) = bytes.split_at(bytes.len() / 2);
        let column = KeyColumn::default();
        for encoding in ENCODINGS {
            let info = KeyInfo {
                columns: vec![column.clone(), column.clone()],
                behind: 0,
                encoding,
            };
            used(compare_records(a, b, &info));
            for values in [
                &[ValueRef::Integer(0), ValueRef::Null][..],
                &[ValueRef::Text(b), ValueRef::Text(b)],
                &[ValueRef::Text(b)],
                &[ValueRef::Real(1.5), ValueRef::Blob(b)],
                &[],
            ] {
                used(compare_record(
                    a,
                    &UnpackedKey::new(values, &info, Ordering::Equal),
                ));
            }
            let (mut text, mut back) = (Vec::new(), Vec::new());
            encoding.decode(&bytes, &mut text);
            encoding.encode(&bytes, &mut back);
        }

        used((
            parse_real(&bytes),
            parse_integer(&bytes),
            parse_i32_prefix(&bytes),
            arithmetic_number(&bytes),
        ));
        used((numeric_affinity(&bytes), parse_literal(&bytes, true)));
        assert!(code_points(&bytes).count() <= bytes.len());
        if let Ok(text) = std::str::from_utf8(&bytes) {
            Affinity::of_type(text);
        }
        for affinity in [
            Affinity::Text,
            Affinity::Numeric,
            Affinity::Integer,
            Affinity::Real,
            Affinity::Blob,
        ] {
            cast(ValueRef::Blob(&bytes), affinity, random.pick(&ENCODINGS));
        }
    }
}

fn wal_header() -> [u8; 32] {
    let order = ringwood_format::wal::ChecksumOrder::Big;
    let salt = ringwood_format::wal::Salt {
        s1: 0x1234_5678,
        s2: 0x9abc_def0,
    };
    WalHeader {
        order,
        page_size: 512,
        checkpoint_seq: 0,
        salt,
    }
    .encode()
    .0
}

#[test]
fn damaged_pages() {
    let mut random = Random::new(91);
    for geometry in geometries().filter(|geometry| geometry.page_size() <= 8192) {
        let database = Database::make("damage", geometry, ENCODINGS[0], |db| {
            db.execute_batch(
                "CREATE TABLE t(a, b); CREATE INDEX i ON t(a, b); BEGIN;
                 WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c WHERE x<400)
                 INSERT INTO t SELECT x || 'text', CASE WHEN x%20=0 THEN zeroblob(x*9) ELSE x/3.0 END FROM c; COMMIT",
            )
            .unwrap();
        });
        let mut whole = 0;
        for page in (1..=database.page_count()).filter_map(PageNo::new) {
            whole += use_page(database.page(page), geometry, page);
            for _ in 0..60 {
                let mut data = database.page(page).to_vec();
                for _ in 0..=random.below(6) {
                    // Headers and pointers are where damage does most.
                    let bound = if random.chance(2) {
                        140
                    } else {
                        data.len() as u64
                    };
                    data[random.below(bound) as usize] = random.next() as u8;
                }
                use_page(&data, geometry, page);
            }
        }
        assert!(whole >= 800);
    }
}
