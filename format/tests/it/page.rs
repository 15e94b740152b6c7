//! Pages of every kind, in files that stock SQLite wrote.

use crate::database::{Database, ENCODINGS, geometries};
use crate::random::Random;
use ringwood_format::btree_page::{
    BtreePage, PageKind, cell_size, encode_index_cell, encode_table_interior_cell,
    encode_table_leaf_cell, parse_cell,
};
use ringwood_format::freelist::{self, Trunk};
use ringwood_format::lockbyte;
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PENDING_BYTE, PageNo};
use ringwood_format::ptrmap::{self, PtrmapEntry};
use ringwood_format::record::decode_record;
use ringwood_format::value::Value;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Tables and indexes with payloads of every size, and free pages.
fn fill(db: &Connection) {
    db.execute_batch(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);
         CREATE TABLE gone(x);
         CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;
         BEGIN;
         WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c WHERE x<1200)
         INSERT INTO t SELECT (x*x*7919) % 1000003 - 500000, 'row ' || x,
             CASE WHEN x % 10 = 0 THEN randomblob(x*40) WHEN x % 3 = 0 THEN zeroblob(x) ELSE x END FROM c;
         INSERT INTO gone SELECT randomblob(900) FROM t;
         INSERT INTO w SELECT a, b FROM t;
         CREATE INDEX i ON t(b, a);
         DELETE FROM t WHERE id % 7 = 0;
         DROP TABLE gone;
         COMMIT",
    )
    .unwrap();
}

#[test]
fn trees_are_read_and_their_cells_written_back() {
    for (n, geometry) in geometries().enumerate() {
        let encoding = ENCODINGS[n % 3];
        let database = Database::make("tree", geometry, encoding, fill);
        let mut visits = BTreeMap::new();
        for name in ["t", "i", "w", "sqlite_autoindex_w_1"] {
            let root = if name == "sqlite_autoindex_w_1" {
                PageNo::ONE
            } else {
                database.root(name)
            };
            database.walk(root, &mut |visit| {
                let (page, info) = (&visit.page, &visit.info);
                *visits.entry(page.kind().flags()).or_insert(0) += 1;
                assert_eq!(
                    cell_size(page.kind(), info.rowid, info.payload_size, geometry),
                    info.size as usize
                );
                let mut cell = Vec::new();
                match page.kind() {
                    PageKind::TableLeaf => {
                        let local = encode_table_leaf_cell(
                            info.rowid,
                            &visit.payload,
                            info.overflow,
                            geometry,
                            &mut cell,
                        );
                        assert_eq!(local, info.local_size as usize);
                        assert_eq!(page.rowid(visit.index), Ok(info.rowid));
                    }
                    PageKind::TableInterior => {
                        let found = page.table_interior_cell(visit.index).unwrap();
                        assert_eq!(
                            (Some(found.left_child), found.rowid),
                            (info.left_child, info.rowid)
                        );
                        assert_eq!(page.rowid(visit.index), Ok(info.rowid));
                        assert_eq!(page.child(visit.index), Ok(found.left_child));
                        encode_table_interior_cell(found.left_child, found.rowid, &mut cell);
                    }
                    PageKind::IndexLeaf | PageKind::IndexInterior => {
                        encode_index_cell(
                            info.left_child,
                            &visit.payload,
                            info.overflow,
                            geometry,
                            &mut cell,
                        );
                    }
                }
                assert_eq!(parse_cell(&cell, page.kind(), geometry).unwrap(), *info);
                let stored = page.cell(visit.index).unwrap();
                assert!(cell == stored || info.size == 4, "{cell:x?} {stored:x?}");
            });
        }
        let kinds: Vec<u8> = visits.keys().copied().collect();
        assert!(
            kinds.contains(&10) && kinds.contains(&13),
            "{geometry:?}: {kinds:?}"
        );
        if geometry.page_size() <= 4096 {
            assert_eq!(kinds, [2, 5, 10, 13], "{geometry:?}");
        }
    }
}

#[test]
fn rowids_and_keys_are_in_order() {
    for geometry in geometries() {
        let database = Database::make("order", geometry, ENCODINGS[0], fill);
        let rows = database.rows(database.root("t"));
        assert!(rows.len() > 900);
        assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (_, record) in &rows {
            let row = decode_record(record, ENCODINGS[0]).unwrap();
            assert!(row[0].is_null(), "an INTEGER PRIMARY KEY is stored as NULL");
            assert!(matches!(row[1], Value::Text(_)));
        }
    }
}

#[test]
fn free_space_adds_up() {
    for geometry in geometries() {
        let database = Database::make("space", geometry, ENCODINGS[0], fill);
        let mut checked = 0;
        for name in ["t", "i", "w"] {
            let mut pages = BTreeMap::new();
            database.walk(database.root(name), &mut |visit| {
                *pages.entry(visit.page.page()).or_insert(0) += visit.info.size as usize;
            });
            for (page, used) in pages {
                let page = database.btree_page(page);
                let free = page.free_space().unwrap();
                assert_eq!(
                    page.pointers_end() + used + free,
                    geometry.usable() as usize
                );
                assert!(page.freeblocks().all(|block| block.is_ok()));
                assert!(page.fragmented_bytes() <= 60);
                checked += 1;
            }
        }
        assert!(checked >= 3);
    }
}

#[test]
fn the_freelist_and_the_pointer_map_know_every_page() {
    for geometry in geometries() {
        let database = Database::make("map", geometry, ENCODINGS[0], fill);
        let mut expected = BTreeMap::new();
        let (trunks, leaves) = database.freelist();
        assert_eq!(
            (trunks.len() + leaves.len()) as u32,
            database.header.freelist_count
        );
        assert!(!trunks.is_empty());
        for page in trunks.iter().chain(&leaves) {
            assert_eq!(expected.insert(*page, PtrmapEntry::Free), None);
        }
        let mut roots = vec![PageNo::ONE];
        for name in ["t", "i", "w"] {
            roots.push(database.root(name));
        }
        for root in roots {
            if root != PageNo::ONE {
                expected.insert(root, PtrmapEntry::Root);
            }
            database.walk(root, &mut |visit| {
                let page = visit.page.page();
                let children = visit
                    .info
                    .left_child
                    .into_iter()
                    .chain(visit.page.right_child());
                for child in children {
                    expected.insert(child, PtrmapEntry::Btree(page));
                }
                let mut before = None;
                for overflow in visit.chain {
                    let entry = before.map_or(PtrmapEntry::Overflow1(page), PtrmapEntry::Overflow2);
                    assert_eq!(expected.insert(overflow, entry), None);
                    before = Some(overflow);
                }
            });
        }
        let mut maps = 0;
        for page in (2..=database.page_count()).filter_map(PageNo::new) {
            let map = ptrmap::map_page(page, geometry).unwrap();
            if ptrmap::is_map_page(page, geometry) {
                assert_eq!(ptrmap::entry_offset(page, geometry), None);
                assert!(!expected.contains_key(&page));
                maps += 1;
                continue;
            }
            let entry = ptrmap::read(database.page(map), page, geometry).unwrap();
            assert_eq!(expected.remove(&page), Some(entry), "page {page}");
            let mut copy = database.page(map).to_vec();
            assert!(!ptrmap::write(&mut copy, page, geometry, entry));
            assert!(ptrmap::write(
                &mut copy,
                page,
                geometry,
                PtrmapEntry::Btree(PageNo::new(77_777_777).unwrap())
            ));
            assert!(ptrmap::write(&mut copy, page, geometry, entry));
            assert_eq!(copy, database.page(map));
        }
        assert!(maps > 0 && expected.is_empty(), "{expected:?}");
    }
}

#[test]
fn trunks_fill_and_drain() {
    for geometry in geometries() {
        let mut data = vec![0xee; geometry.page_size() as usize];
        let next = PageNo::new(12);
        freelist::init_trunk(&mut data, next);
        let capacity = freelist::capacity(geometry);
        assert_eq!(freelist::writer_capacity(geometry) + 6, capacity);
        for i in 0..capacity {
            freelist::push_leaf(&mut data, geometry, PageNo::new(100 + i).unwrap());
        }
        let trunk = Trunk::new(&data, geometry, PageNo::ONE).unwrap();
        assert_eq!((trunk.next(), trunk.leaf_count()), (next, capacity));
        assert!(
            trunk
                .leaves()
                .map(|leaf| leaf.unwrap().get())
                .eq(100..100 + capacity)
        );
        assert_eq!(freelist::remove_leaf(&mut data, 0), PageNo::new(100));
        let trunk = Trunk::new(&data, geometry, PageNo::ONE).unwrap();
        assert_eq!(
            (trunk.leaf_count(), trunk.leaf(0)),
            (capacity - 1, PageNo::new(99 + capacity))
        );
        freelist::set_next(&mut data, None);
        assert_eq!(
            Trunk::new(&data, geometry, PageNo::ONE).unwrap().next(),
            None
        );
        data[4..8].copy_from_slice(&(capacity + 1).to_be_bytes());
        assert!(Trunk::new(&data, geometry, PageNo::ONE).is_err());
        overflow::set_next(&mut data, next);
        assert_eq!(overflow::next(&data), Ok(next));
    }
}

#[test]
fn sizes_are_the_documents() {
    let geometry = Geometry::default();
    assert_eq!(
        (
            geometry.max_local_table_leaf(),
            geometry.max_local_index(),
            geometry.min_local()
        ),
        (4061, 1002, 489)
    );
    assert_eq!(geometry.lock_byte_page().get(), 262_145);
    assert_eq!(
        Geometry::new(65536, 0).unwrap().lock_byte_page().get(),
        16385
    );
    for (page_size, reserved) in [
        (0, 0),
        (256, 0),
        (511, 0),
        (513, 0),
        (1 << 17, 0),
        (512, 33),
        (131_072, 1),
    ] {
        assert_eq!(Geometry::new(page_size, reserved), None);
    }
    for geometry in geometries() {
        let page = geometry.lock_byte_page();
        assert!(geometry.offset(page) <= PENDING_BYTE as u64);
        assert!(geometry.offset(page) + geometry.page_size() as u64 > PENDING_BYTE as u64);
        assert!(lockbyte::is_lock_byte_page(page, geometry));
        let before = PageNo::new(page.get() - 1).unwrap();
        assert_eq!(
            lockbyte::next_usable(before, geometry).map(PageNo::get),
            Some(page.get() + 1)
        );
        assert_eq!(
            PageNo::new(u32::MAX).and_then(|page| lockbyte::next_usable(page, geometry)),
            None
        );
        // No map page is the lock-byte page, and every other page has exactly one entry.
        assert!(!ptrmap::is_map_page(page, geometry));
        for n in page.get() - 300..page.get() + 300 {
            let n = PageNo::new(n).unwrap();
            let map = ptrmap::map_page(n, geometry).unwrap();
            assert_ne!(map, page);
            if n != page && n != map {
                assert!(
                    ptrmap::entry_offset(n, geometry).is_some(),
                    "{geometry:?} {n}"
                );
            }
        }
        for max_local in [geometry.max_local_table_leaf(), geometry.max_local_index()] {
            for payload in (0..200_000u64).step_by(7) {
                let local = geometry.local_size(payload, max_local);
                assert!(local <= max_local && local as u64 <= payload);
                assert_eq!(local as u64 == payload, payload <= max_local as u64);
                assert!(local as u64 == payload || local >= geometry.min_local());
            }
        }
    }
}

/// A page of that kind with one cell at `at`.
fn page_with(geometry: Geometry, kind: PageKind, at: usize, cell: &[u8]) -> Vec<u8> {
    let mut data = vec![0; geometry.page_size() as usize];
    data[0] = kind.flags();
    data[4] = 1;
    data[5..7].copy_from_slice(&(at as u16).to_be_bytes());
    if !kind.is_leaf() {
        data[11] = 9;
    }
    let pointer = kind.header_size();
    data[pointer..pointer + 2].copy_from_slice(&(at as u16).to_be_bytes());
    let end = (at + cell.len()).min(data.len());
    data[at..end].copy_from_slice(&cell[..end - at]);
    data
}

#[test]
fn damaged_pages_are_refused_with_page_and_reason() {
    let geometry = Geometry::new(512, 0).unwrap();
    let page = PageNo::new(7).unwrap();
    let reason = |data: &[u8]| BtreePage::new(data, geometry, page).unwrap_err();
    let good = page_with(geometry, PageKind::TableInterior, 500, &[0, 0, 0, 3, 5]);
    assert!(BtreePage::new(&good, geometry, page).is_ok());
    assert!(reason(&good[..511]).to_string().starts_with("page 7: "));
    let damage = |at: usize, byte: u8| {
        let mut data = good.clone();
        data[at] = byte;
        data
    };
    reason(&damage(0, 1));
    reason(&damage(3, 1));
    reason(&damage(11, 0));
    for (kind, at, cell) in [
        (PageKind::TableLeaf, 510, vec![9, 9]),
        (PageKind::TableLeaf, 500, vec![200, 1, 1]),
        (PageKind::TableLeaf, 500, vec![0xff; 9]),
        (PageKind::TableLeaf, 4, vec![]),
        (PageKind::IndexLeaf, 508, vec![100, 1]),
        (PageKind::TableInterior, 509, vec![0, 0, 1]),
        (PageKind::TableInterior, 500, vec![0, 0, 0, 0, 5]),
        (PageKind::IndexInterior, 500, vec![0, 0, 0, 0, 5]),
    ] {
        let data = page_with(geometry, kind, at, &cell);
        let view = BtreePage::new(&data, geometry, page).unwrap();
        let error = view.cell_info(0).unwrap_err();
        assert_eq!(error.page, Some(page), "{kind:?} at {at}");
        assert!(view.cell(0).is_err());
    }
    let mut freeblock = good.clone();
    freeblock[2] = 100; // before the content
    assert!(
        BtreePage::new(&freeblock, geometry, page)
            .unwrap()
            .free_space()
            .is_err()
    );
}

#[test]
fn freeblocks_ascend_and_keep_their_distance() {
    let geometry = Geometry::new(512, 0).unwrap();
    let page = PageNo::new(7).unwrap();
    // Freeblocks (offset, next, size) on a leaf without cells whose content starts at 300.
    let free = |blocks: &[(usize, u16, u16)]| {
        let mut data = vec![0; 512];
        data[0] = PageKind::TableLeaf.flags();
        data[5..7].copy_from_slice(&300u16.to_be_bytes());
        data[1..3].copy_from_slice(&(blocks[0].0 as u16).to_be_bytes());
        for &(at, next, size) in blocks {
            data[at..at + 2].copy_from_slice(&next.to_be_bytes());
            data[at + 2..at + 4].copy_from_slice(&size.to_be_bytes());
        }
        BtreePage::new(&data, geometry, page).unwrap().free_space()
    };
    assert_eq!(free(&[(300, 350, 10), (350, 0, 20)]), Ok(300 - 8 + 30));
    assert_eq!(free(&[(300, 0, 212)]), Ok(504));
    for bad in [
        &[(350, 300, 20), (300, 0, 10)][..],
        &[(300, 310, 10), (310, 0, 20)],
        &[(300, 313, 10), (313, 0, 20)],
        &[(300, 305, 10), (305, 0, 20)],
        &[(300, 300, 10)],
        &[(299, 0, 10)],
        &[(300, 0, 3)],
        &[(300, 0, 213)],
        &[(300, 509, 10)],
    ] {
        assert!(free(bad).is_err(), "{bad:?}");
    }
    assert!(free(&[(300, 314, 10), (314, 0, 20)]).is_ok());
}

#[test]
fn the_random_generator_reaches_every_kind() {
    let mut random = Random::new(80);
    let mut seen = [false; 5];
    for _ in 0..200 {
        seen[random.value().value_type() as usize] = true;
    }
    assert_eq!(seen, [true; 5]);
}
