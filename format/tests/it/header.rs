//! The database header.

use crate::oracle::file_of;
use crate::random::Random;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::header::{DatabaseHeader, Field, HEADER_SIZE, HeaderError, sign_change};
use ringwood_format::page::{Geometry, PageNo};

#[test]
fn sqlites_headers_are_read() {
    for page_size in [512, 1024, 4096, 32768, 65536] {
        for (name, encoding) in [
            ("UTF-8", TextEncoding::Utf8),
            ("UTF-16le", TextEncoding::Utf16le),
            ("UTF-16be", TextEncoding::Utf16be),
        ] {
            let bytes = file_of(
                &format!("header{page_size}{name}"),
                &format!(
                    "PRAGMA page_size={page_size}; PRAGMA encoding='{name}'; PRAGMA auto_vacuum=2;
                     PRAGMA user_version=-7; PRAGMA application_id=-2; PRAGMA default_cache_size=123;
                     CREATE TABLE t(a); CREATE TABLE u(a); DROP TABLE t"
                ),
            );
            let header = DatabaseHeader::decode(&bytes).unwrap();
            assert_eq!(header.geometry, Geometry::new(page_size, 0).unwrap());
            assert_eq!(header.encoding(), encoding);
            assert_eq!((header.user_version, header.application_id), (-7, -2));
            assert!(
                header.is_autovacuum()
                    && header.incremental_vacuum
                    && header.has_integer_constants()
            );
            assert_eq!(header.schema_format, 4);
            assert_eq!(header.default_cache_size, 123);
            assert_eq!(header.freelist_count, 1);
            assert!(header.freelist_head.is_some());
            let pages = (bytes.len() / page_size as usize) as u32;
            assert_eq!(header.page_count_in(pages), Ok(pages));
            assert!(header.page_count_in(pages - 1).is_err());
            assert_eq!(header.encode()[..], bytes[..HEADER_SIZE]);
            assert_eq!(Field::SchemaCookie.get(&bytes), header.schema_cookie);
        }
    }
}

#[test]
fn what_is_no_database_is_told_from_what_is_damaged() {
    let good = DatabaseHeader::new(Geometry::new(1024, 8).unwrap());
    let bytes = good.encode();
    assert_eq!(DatabaseHeader::decode(&bytes), Ok(good));
    let broken = [
        (0, b'X'),
        (15, 1),
        (16, 3),
        (17, 1),
        (19, 3),
        (20, 255),
        (21, 63),
        (22, 0),
        (23, 31),
    ];
    for (at, byte) in broken {
        let mut bytes = DatabaseHeader::new(Geometry::new(512, 0).unwrap()).encode();
        bytes[at] = byte;
        assert!(
            matches!(DatabaseHeader::decode(&bytes), Err(HeaderError::NotADb(_))),
            "byte {at}"
        );
    }
    assert!(DatabaseHeader::decode(&bytes[..99]).is_err());
    let mut future = bytes;
    future[18] = 9;
    assert!(!DatabaseHeader::decode(&future).unwrap().is_writable());
}

#[test]
fn the_page_count_counts_only_when_signed() {
    let mut page1 = DatabaseHeader::new(Geometry::default()).encode();
    Field::PageCount.set(&mut page1, 10);
    Field::ChangeCounter.set(&mut page1, u32::MAX);
    assert_eq!(
        DatabaseHeader::decode(&page1).unwrap().page_count_in(5),
        Ok(5)
    );
    sign_change(&mut page1, 3_054_000);
    let header = DatabaseHeader::decode(&page1).unwrap();
    assert_eq!(
        (
            header.change_counter,
            header.version_valid_for,
            header.sqlite_version
        ),
        (0, 0, 3_054_000)
    );
    assert_eq!(header.page_count_in(12), Ok(10));
    assert_eq!(header.page_count_in(5).unwrap_err().page, Some(PageNo::ONE));
}

#[test]
fn any_header_survives() {
    let mut random = Random::new(40);
    for _ in 0..20_000 {
        let mut bytes = random.bytes(HEADER_SIZE);
        let geometry = Geometry::new(512 << random.below(8), random.below(33) as u8).unwrap();
        bytes[..24].copy_from_slice(&DatabaseHeader::new(geometry).encode()[..24]);
        bytes[72..92].fill(0);
        bytes[64..68].copy_from_slice(&[0, 0, 0, random.below(2) as u8]);
        assert_eq!(DatabaseHeader::decode(&bytes).unwrap().encode()[..], bytes);
    }
}
