//! A whole database file, read with nothing but this crate: the b-trees of its pages, their payloads, its freelist.

use crate::oracle::Folder;
use ringwood_format::btree_page::{BtreePage, CellInfo, PageKind};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::freelist::Trunk;
use ringwood_format::header::DatabaseHeader;
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::record::decode_record;
use ringwood_format::value::Value;
use rusqlite::Connection;

/// The bytes of a database file.
pub struct Database {
    pub bytes: Vec<u8>,
    pub header: DatabaseHeader,
}

/// A cell that a walk came by.
pub struct Visit<'a> {
    pub page: BtreePage<'a>,
    pub index: usize,
    pub info: CellInfo,
    pub payload: Vec<u8>,
    /// The overflow pages of the payload.
    pub chain: Vec<PageNo>,
}

impl Database {
    /// Makes a database with that page size, reserved bytes and encoding, and runs `fill` on it.
    pub fn make(
        name: &str,
        geometry: Geometry,
        encoding: TextEncoding,
        fill: impl FnOnce(&Connection),
    ) -> Database {
        let page_size = geometry.page_size();
        let folder = Folder::new(&format!(
            "{name}-{page_size}-{}-{}",
            geometry.reserved(),
            encoding.name()
        ));
        let path = folder.path().join("db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(&format!(
            "PRAGMA page_size={page_size}; PRAGMA encoding='{}'; PRAGMA synchronous=OFF; PRAGMA auto_vacuum=FULL;
             PRAGMA auto_vacuum=INCREMENTAL; PRAGMA user_version=1",
            encoding.name()
        ))
        .unwrap();
        db.close().unwrap();
        if geometry.reserved() != 0 {
            // SQLite has no statement for it, but obeys the header of an empty database.
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[20] = geometry.reserved();
            bytes[105..107].copy_from_slice(&(geometry.usable() as u16).to_be_bytes());
            std::fs::write(&path, bytes).unwrap();
        }
        let db = Connection::open(&path).unwrap();
        // The encoding is chosen when the first table is made, not when the file is.
        db.execute_batch(&format!("PRAGMA encoding='{}'", encoding.name()))
            .unwrap();
        fill(&db);
        let check: String = db
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        db.close().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let header = DatabaseHeader::decode(&bytes).unwrap();
        assert_eq!((header.geometry, header.encoding()), (geometry, encoding));
        Database { bytes, header }
    }

    pub fn geometry(&self) -> Geometry {
        self.header.geometry
    }

    pub fn page(&self, page: PageNo) -> &[u8] {
        let size = self.geometry().page_size() as usize;
        &self.bytes[page.index() as usize * size..][..size]
    }

    pub fn page_count(&self) -> u32 {
        let pages = (self.bytes.len() / self.geometry().page_size() as usize) as u32;
        self.header.page_count_in(pages).unwrap()
    }

    pub fn btree_page(&self, page: PageNo) -> BtreePage<'_> {
        BtreePage::new(self.page(page), self.geometry(), page).unwrap()
    }

    /// Visits the cells of a tree in key order.
    pub fn walk<'a>(&'a self, root: PageNo, visit: &mut dyn FnMut(Visit<'a>)) {
        let page = self.btree_page(root);
        for index in 0..page.cell_count() {
            if !page.is_leaf() {
                self.walk(page.child(index).unwrap(), visit);
            }
            let info = page.cell_info(index).unwrap();
            let (payload, chain) = self.payload(&page, index, &info);
            visit(Visit {
                page,
                index,
                info,
                payload,
                chain,
            });
        }
        if !page.is_leaf() {
            self.walk(page.child(page.cell_count()).unwrap(), visit);
        }
    }

    fn payload(
        &self,
        page: &BtreePage<'_>,
        index: usize,
        info: &CellInfo,
    ) -> (Vec<u8>, Vec<PageNo>) {
        let local = match page.kind() {
            PageKind::TableInterior => return (Vec::new(), Vec::new()),
            PageKind::TableLeaf => {
                let cell = page.table_leaf_cell(index).unwrap();
                assert_eq!(
                    (cell.rowid, cell.payload_size, cell.overflow),
                    (info.rowid, info.payload_size, info.overflow)
                );
                cell.local
            }
            PageKind::IndexLeaf | PageKind::IndexInterior => {
                let cell = page.index_cell(index).unwrap();
                assert_eq!(
                    (cell.left_child, cell.payload_size),
                    (info.left_child, info.payload_size)
                );
                assert_eq!(cell.overflow, info.overflow);
                cell.local
            }
        };
        assert_eq!(local.len(), info.local_size as usize);
        let mut payload = local.to_vec();
        let mut chain = Vec::new();
        let mut next = info.overflow;
        while let Some(page) = next {
            let content = overflow::content(self.page(page), self.geometry()).unwrap();
            let missing = info.payload_size as usize - payload.len();
            assert!(missing > 0, "the chain is too long");
            payload.extend_from_slice(&content[..missing.min(content.len())]);
            chain.push(page);
            next = overflow::next(self.page(page)).unwrap();
        }
        assert_eq!(payload.len(), info.payload_size as usize);
        let expected = overflow::chain_len(
            info.payload_size as u64,
            info.local_size as u32,
            self.geometry(),
        );
        assert_eq!(chain.len() as u64, expected);
        (payload, chain)
    }

    /// Rowids and records of a table.
    pub fn rows(&self, root: PageNo) -> Vec<(i64, Vec<u8>)> {
        let mut rows = Vec::new();
        self.walk(root, &mut |visit| {
            if visit.page.kind() == PageKind::TableLeaf {
                rows.push((visit.info.rowid, visit.payload));
            }
        });
        rows
    }

    /// The root of the table or index of that name.
    pub fn root(&self, name: &str) -> PageNo {
        let wanted = Value::from(name);
        for (_, record) in self.rows(PageNo::ONE) {
            let row = decode_record(&record, self.header.encoding()).unwrap();
            if let (name, Value::Integer(root)) = (&row[1], &row[3])
                && *name == wanted
            {
                return PageNo::new(*root as u32).unwrap();
            }
        }
        panic!("no {name}");
    }

    /// Trunks and leaves of the freelist.
    pub fn freelist(&self) -> (Vec<PageNo>, Vec<PageNo>) {
        let (mut trunks, mut leaves) = (Vec::new(), Vec::new());
        let mut next = self.header.freelist_head;
        while let Some(page) = next {
            let trunk = Trunk::new(self.page(page), self.geometry(), page).unwrap();
            trunks.push(page);
            leaves.extend(trunk.leaves().map(Option::unwrap));
            next = trunk.next();
        }
        (trunks, leaves)
    }
}

/// Geometries worth a test: every page size, with and without reserved bytes.
pub fn geometries() -> impl Iterator<Item = Geometry> {
    [
        (512, 0),
        (512, 32),
        (1024, 0),
        (2048, 255),
        (4096, 0),
        (4096, 8),
        (8192, 0),
        (16384, 1),
        (32768, 0),
        (65536, 0),
        (65536, 32),
    ]
    .into_iter()
    .map(|(page_size, reserved)| Geometry::new(page_size, reserved).unwrap())
}

pub const ENCODINGS: [TextEncoding; 3] = [
    TextEncoding::Utf8,
    TextEncoding::Utf16le,
    TextEncoding::Utf16be,
];
