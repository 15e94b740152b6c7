//! Where the columns of a cursor's record are: types and offsets, parsed as far as they were asked for.
//!
//! ```text
//!   payload   | header size | type 0 | type 1 | type 2 | … | body 0 | body 1 | …
//!                                      ^next                          ^end (of the bodies of the parsed types)
//!   types     [t0, t1]        offsets  [b0, b1]
//! ```
//!
//! Rules:
//! 1. `parsed` columns are known; `types` and `offsets` keep their memory from row to row.
//! 2. A header that does not end on a type, or bodies that do not end with the payload, is corruption, found when the
//!    parser gets there, as SQLite does.
//!
//! Cost: about 10 instructions a column for one-byte types.
//!
//! Source: SQLite's `OP_Column`.

use ringwood_format::corrupt::Corrupt;
use ringwood_format::record::{RECORD_HEADER_SIZE_MAX, SerialType};
use ringwood_format::varint;

/// The parsed part of a record's header.
#[derive(Default)]
pub(super) struct Row {
    /// Whether the rest describes the current record.
    pub(super) valid: bool,
    parsed: u32,
    /// Size of the header; 0 until it is read.
    header: u32,
    next: u32,
    end: u64,
    size: u32,
    types: Vec<u32>,
    offsets: Vec<u32>,
}

/// Body sizes of one-byte serial types.
const SIZES: [u8; 128] = {
    let mut sizes = [0; 128];
    let mut t = 0;
    while t < 128 {
        sizes[t] = SerialType(t as u32).size() as u8;
        t += 1;
    }
    sizes
};

impl Row {
    /// Starts a record of `size` bytes.
    #[inline]
    pub(super) fn start(&mut self, size: u32) {
        self.valid = true;
        self.parsed = 0;
        self.header = 0;
        self.size = size;
    }

    /// The type and offset of column `column` if it is parsed already.
    #[inline]
    pub(super) fn get(&self, column: usize) -> Option<(u32, u32)> {
        if column < self.parsed as usize {
            Some((self.types[column], self.offsets[column]))
        } else {
            None
        }
    }

    /// Whether the header was read to its end.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.header != 0 && self.next >= self.header
    }

    /// Size of the header, once it is known.
    pub(super) fn header_size(&self) -> u32 {
        self.header
    }

    /// Reads the header's size from the start of the record.
    #[inline]
    pub(super) fn read_size(&mut self, payload: &[u8]) -> Result<(), Corrupt> {
        if self.header != 0 {
            return Ok(());
        }
        let (header, len) = match payload.first() {
            Some(&first) if first < 0x80 => (first as u32, 1),
            _ => match varint::read_u32(payload) {
                Some(found) => (found.0, found.1 as u32),
                None => return Err(Corrupt::new("record header is cut off")),
            },
        };
        if header as usize > RECORD_HEADER_SIZE_MAX || header > self.size.max(1) {
            return Err(Corrupt::new("record header size is impossible"));
        }
        self.header = header.max(len);
        self.next = len;
        self.end = u64::from(header);
        Ok(())
    }

    /// Parses up to `column` or the end of the header. `header` holds at least the header.
    #[inline]
    pub(super) fn parse(&mut self, header: &[u8], column: usize) -> Result<(), Corrupt> {
        let size = self.header as usize;
        let Some(header) = header.get(..size) else {
            return Err(Corrupt::new("record header is cut off"));
        };
        if self.types.len() <= column {
            let room = (column + 1).next_power_of_two().clamp(8, 32768);
            self.types.resize(room.max(column + 1), 0);
            self.offsets.resize(room.max(column + 1), 0);
        }
        let mut next = self.next as usize;
        let mut at = self.parsed as usize;
        let mut end = self.end;
        while at <= column && next < size {
            let first = header[next];
            let kind;
            if first < 0x80 {
                kind = u32::from(first);
                next += 1;
                self.types[at] = kind;
                self.offsets[at] = end as u32;
                end += u64::from(SIZES[first as usize]);
            } else {
                let Some((long, len)) = varint::read_u32(&header[next..]) else {
                    return Err(Corrupt::new("record header is cut off"));
                };
                next += len;
                self.types[at] = long;
                self.offsets[at] = end as u32;
                end += u64::from(SerialType(long).size());
            }
            at += 1;
        }
        if end > u64::from(self.size) || (next >= size && end != u64::from(self.size) && size > 1) {
            return Err(Corrupt::new("record and payload differ in length"));
        }
        self.next = next as u32;
        self.parsed = at as u32;
        self.end = end;
        Ok(())
    }
}
