//! The pages of a file that may be damaged, with what its log adds, and their cells.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ringwood_format::btree_page::{BtreePage, PageKind};
use ringwood_format::bytes::get_u32;
use ringwood_format::encoding::TextEncoding;
use ringwood_format::overflow;
use ringwood_format::page::{Geometry, PageNo};
use ringwood_format::record::record_values;
use ringwood_format::value::Value;
use ringwood_format::wal::{FRAME_HEADER_SIZE, FrameHeader, WAL_HEADER_SIZE, WalHeader};
use ringwood_io::{File, IoHandle, OpenOptions};

use crate::error::{Error, Result};

/// The deepest tree that is followed.
const DEPTH_MAX: u32 = 32;
/// The longest record that is put together.
const PAYLOAD_MAX: usize = 1 << 30;

/// The pages.
pub(super) struct Pages {
    io: IoHandle,
    file: File,
    geometry: Geometry,
    count: u32,
    /// Pages of the log's last commit.
    log: HashMap<u32, Vec<u8>>,
    encoding: TextEncoding,
    head: Vec<u8>,
}

/// One row or index entry.
pub(super) struct Cell {
    pub(super) rowid: Option<i64>,
    pub(super) payload: Vec<u8>,
}

fn failure(error: ringwood_io::IoError) -> Error {
    Error::from_vdbe(error.into(), b"")
}

impl Pages {
    /// Opens the file and reads its log.
    pub(super) fn read(path: &Path) -> Result<Pages> {
        let io = IoHandle::for_thread();
        let file = io.open(path, &OpenOptions::read_only()).map_err(failure)?;
        let mut head = vec![0; 100];
        io.read_now(&file, 0, &mut head).map_err(failure)?;
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        let (log, log_size, log_count) = read_log(&io, Path::new(&log_path)).unwrap_or_default();
        if let Some(page1) = log.get(&1) {
            head.copy_from_slice(&page1[..100]);
        }
        let length = file.len().map_err(failure)?;
        let said = match u16::from_be_bytes([head[16], head[17]]) {
            1 => 65536,
            size => u32::from(size),
        };
        let plausible = Geometry::is_page_size(said) && head.starts_with(b"SQLite format 3\0");
        let page_size = match (log_size, plausible) {
            (0, true) => said,
            (0, false) => guess_page_size(&io, &file, length).unwrap_or(4096),
            (size, _) => size,
        };
        let reserved = if plausible { head[20] } else { 0 };
        let geometry = Geometry::new(page_size, reserved)
            .or(Geometry::new(page_size, 0))
            .ok_or_else(|| Error::Misuse("no page size".into()))?;
        let in_file = length
            .div_ceil(u64::from(page_size))
            .min(u64::from(u32::MAX)) as u32;
        let encoding = TextEncoding::from_code(get_u32(&head, 56) & 3);
        Ok(Pages {
            io,
            file,
            geometry,
            count: in_file.max(log_count),
            log,
            encoding: encoding.unwrap_or(TextEncoding::Utf8),
            head,
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn page_size(&self) -> u32 {
        self.geometry.page_size()
    }

    pub(super) fn encoding_name(&self) -> &'static str {
        match self.encoding {
            TextEncoding::Utf8 => "UTF-8",
            TextEncoding::Utf16le => "UTF-16le",
            TextEncoding::Utf16be => "UTF-16be",
        }
    }

    pub(super) fn auto_vacuum(&self) -> u32 {
        match (get_u32(&self.head, 52), get_u32(&self.head, 64)) {
            (0, _) => 0,
            (_, 0) => 1,
            (_, _) => 2,
        }
    }

    /// Numbers of the header that pragmas set.
    pub(super) fn header_numbers(&self) -> [(&'static str, i32); 2] {
        [
            ("user_version", get_u32(&self.head, 60) as i32),
            ("application_id", get_u32(&self.head, 68) as i32),
        ]
    }

    /// A page's bytes; `None` if it cannot be read.
    fn page(&self, number: u32) -> Option<Vec<u8>> {
        if let Some(page) = self.log.get(&number) {
            return Some(page.clone());
        }
        let no = PageNo::new(number).filter(|_| number <= self.count)?;
        if no == self.geometry.lock_byte_page() {
            return None;
        }
        let mut bytes = vec![0; self.geometry.page_size() as usize];
        // The last page may be cut off.
        let got = self
            .io
            .read_now(&self.file, self.geometry.offset(no), &mut bytes);
        got.ok().filter(|got| *got > 0).map(|_| bytes)
    }

    /// What kind of page it is, if it is one of a tree.
    pub(super) fn kind(&self, number: u32) -> Option<PageKind> {
        let bytes = self.page(number)?;
        let page = BtreePage::new(&bytes, self.geometry, PageNo::new(number)?).ok()?;
        Some(page.kind())
    }

    /// Calls `visit` on every cell of the leaves of a tree, and for an index on those of its interior pages too.
    pub(super) fn walk(
        &self,
        root: u32,
        seen: &mut HashSet<u32>,
        visit: &mut dyn FnMut(u32, Cell),
    ) {
        self.walk_from(root, seen, visit, 0);
    }

    fn walk_from(
        &self,
        number: u32,
        seen: &mut HashSet<u32>,
        visit: &mut dyn FnMut(u32, Cell),
        depth: u32,
    ) {
        if depth > DEPTH_MAX || number == 0 || number > self.count || !seen.insert(number) {
            return;
        }
        let children = self.children(number);
        match self.kind(number) {
            None => {}
            Some(PageKind::TableInterior) => {
                for child in children {
                    self.walk_from(child, seen, visit, depth + 1);
                }
            }
            Some(_) => {
                for child in children {
                    self.walk_from(child, seen, visit, depth + 1);
                }
                for cell in self.cells(number) {
                    visit(number, cell);
                }
            }
        }
    }

    fn children(&self, number: u32) -> Vec<u32> {
        let (Some(bytes), Some(no)) = (self.page(number), PageNo::new(number)) else {
            return Vec::new();
        };
        let Ok(page) = BtreePage::new(&bytes, self.geometry, no) else {
            return Vec::new();
        };
        if page.is_leaf() {
            return Vec::new();
        }
        let children = (0..=page.cell_count()).filter_map(|i| page.child(i).ok());
        children.map(PageNo::get).collect()
    }

    /// Of every page that an interior page refers to, that page.
    pub(super) fn parents(&self) -> HashMap<u32, u32> {
        let mut parents = HashMap::new();
        for number in 1..=self.count {
            for child in self.children(number) {
                if child != number {
                    parents.entry(child).or_insert(number);
                }
            }
        }
        parents
    }

    /// The cells of a page that have a payload and can be read.
    pub(super) fn cells(&self, number: u32) -> Vec<Cell> {
        let (Some(bytes), Some(no)) = (self.page(number), PageNo::new(number)) else {
            return Vec::new();
        };
        let Ok(page) = BtreePage::new(&bytes, self.geometry, no) else {
            return Vec::new();
        };
        let mut cells = Vec::new();
        for i in 0..page.cell_count() {
            let (rowid, local, size, chain) = match page.kind() {
                PageKind::TableLeaf => match page.table_leaf_cell(i) {
                    Ok(c) => (Some(c.rowid), c.local, c.payload_size, c.overflow),
                    Err(_) => continue,
                },
                PageKind::TableInterior => continue,
                _ => match page.index_cell(i) {
                    Ok(c) => (None, c.local, c.payload_size, c.overflow),
                    Err(_) => continue,
                },
            };
            cells.push(Cell {
                rowid,
                payload: self.payload(local, size as usize, chain),
            });
        }
        cells
    }

    /// A payload, with as much of its chain as can be read.
    fn payload(&self, local: &[u8], size: usize, chain: Option<PageNo>) -> Vec<u8> {
        let mut payload = local.to_vec();
        let mut next = chain;
        let mut steps = 0;
        while let Some(no) = next.filter(|_| payload.len() < size.min(PAYLOAD_MAX)) {
            steps += 1;
            if steps > self.count {
                break;
            }
            let Some(bytes) = self.page(no.get()) else {
                break;
            };
            let Ok(content) = overflow::content(&bytes, self.geometry) else {
                break;
            };
            let wanted = content.len().min(size - payload.len());
            payload.extend_from_slice(&content[..wanted]);
            next = overflow::next(&bytes).ok().flatten();
        }
        payload
    }

    /// The values of a record, up to the first that cannot be decoded.
    pub(super) fn decode(&self, payload: &[u8]) -> Vec<Value> {
        let Ok(values) = record_values(payload) else {
            return Vec::new();
        };
        values
            .map_while(|value| {
                let (serial, body) = value.ok()?;
                serial.decode_owned(body, self.encoding).ok()
            })
            .collect()
    }
}

/// The pages of a log's last commit, their size, and the database's count.
fn read_log(io: &IoHandle, path: &Path) -> Option<(HashMap<u32, Vec<u8>>, u32, u32)> {
    let file = io.open(path, &OpenOptions::read_only()).ok()?;
    let length = file.len().ok()?;
    let mut head = [0; WAL_HEADER_SIZE];
    if io.read_now(&file, 0, &mut head).ok()? < WAL_HEADER_SIZE {
        return None;
    }
    let (wal, mut checksum) = WalHeader::decode(&head).ok()?;
    let size = FRAME_HEADER_SIZE + wal.page_size as usize;
    let mut at = WAL_HEADER_SIZE as u64;
    let (mut committed, mut pending) = (HashMap::new(), HashMap::new());
    let mut count = 0;
    let mut frame = vec![0; size];
    while at + size as u64 <= length {
        if io.read_now(&file, at, &mut frame).ok()? < size {
            break;
        }
        let (head, page) = frame.split_at(FRAME_HEADER_SIZE);
        let Some((header, after)) = FrameHeader::decode(head, page, &wal, checksum) else {
            break;
        };
        checksum = after;
        pending.insert(header.page.get(), page.to_vec());
        if let Some(pages) = header.commit {
            committed.extend(pending.drain());
            count = pages;
        }
        at += size as u64;
    }
    let page_size = if committed.is_empty() {
        0
    } else {
        wal.page_size
    };
    Some((committed, page_size, count))
}

/// The page size at which most bytes look like pages of a tree. At twice the size about as many do, since every second
/// page begins at such a place; so the smallest size wins that is not much worse than the best.
fn guess_page_size(io: &IoHandle, file: &File, length: u64) -> Option<u32> {
    let mut found = Vec::new();
    let mut size = 65536u32;
    while size >= 512 {
        let geometry = Geometry::new(size, 0)?;
        let pages = (length / u64::from(size)).min(2000) as u32;
        let mut good = 0u64;
        for number in 2..=pages {
            let no = PageNo::new(number)?;
            let mut bytes = vec![0; size as usize];
            if io.read_now(file, geometry.offset(no), &mut bytes).ok()? < bytes.len() {
                break;
            }
            let fits = BtreePage::new(&bytes, geometry, no)
                .is_ok_and(|page| page.cell_count() > 0 && page.free_space().is_ok());
            good += u64::from(fits) * u64::from(size);
        }
        found.push((good, size));
        size /= 2;
    }
    let best = found
        .iter()
        .map(|found| found.0)
        .max()
        .filter(|&good| good > 0)?;
    let like_best = found.iter().rev().find(|found| found.0 * 10 >= best * 6);
    like_best.map(|found| found.1)
}
