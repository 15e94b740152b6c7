//! Where the columns of a cursor's record are: types and offsets, parsed as far as they were asked for.
//!
//! ```text
//!   payload   | header size | type 0 | type 1 | type 2 | … | body 0 | body 1 | …
//!                                      ^next                          ^end (of the bodies of the parsed types)
//!   cells     [type 0 | offset 0 << 32, type 1 | offset 1 << 32]
//! ```
//!
//! Rules:
//! 1. `parsed` columns are known; `cells` keeps its memory from row to row.
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
    cells: Vec<u64>,
}

/// A column's serial type and the offset of its body.
pub(super) type Found = (u32, u32);

/// Body sizes of one-byte serial types.
pub(super) const SIZES: [u8; 128] = {
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
    pub(super) fn get(&self, column: usize) -> Option<Found> {
        if column < self.parsed as usize {
            self.cells
                .get(column)
                .map(|&cell| (cell as u32, (cell >> 32) as u32))
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
    #[inline]
    pub(super) fn header_size(&self) -> u32 {
        self.header
    }

    /// Finds a column of a record whose header lies in `payload`, which may end early behind it. None if the record has
    /// no such column, or if the header does not end in `payload`.
    #[inline(always)]
    pub(super) fn find(&mut self, payload: &[u8], column: usize) -> Result<Option<Found>, Corrupt> {
        if column < self.parsed as usize {
            return Ok(self.get(column));
        }
        if self.header == 0 {
            match payload.first() {
                Some(&first) if first.wrapping_sub(2) < 0x7e && u32::from(first) <= self.size => {
                    self.header = u32::from(first);
                    self.next = 1;
                    self.end = u64::from(first);
                }
                _ => self.read_long_size(payload)?,
            }
        }
        let Some(header) = payload.get(..self.header as usize) else {
            return Ok(None);
        };
        // One-byte types, up to the column that is wanted; everything else goes the long way.
        let mut next = self.next as usize;
        let mut end = self.end;
        let Some(cells) = self.cells.get_mut(self.parsed as usize..=column) else {
            return self.find_slowly(payload, column);
        };
        for cell in cells {
            match header.get(next) {
                Some(&kind) if kind < 0x80 => {
                    *cell = end << 32 | u64::from(kind);
                    end += u64::from(SIZES[kind as usize]);
                    next += 1;
                }
                _ => return self.find_slowly(payload, column),
            }
        }
        if end > u64::from(self.size) || (next == header.len() && end != u64::from(self.size)) {
            return Err(Corrupt::new("record and payload differ in length"));
        }
        self.next = next as u32;
        self.parsed = column as u32 + 1;
        self.end = end;
        Ok(self.get(column))
    }

    #[inline(never)]
    fn find_slowly(&mut self, payload: &[u8], column: usize) -> Result<Option<Found>, Corrupt> {
        if !self.is_complete() {
            self.parse(payload, column)?;
        }
        Ok(self.get(column))
    }

    /// Reads the header's size from the start of the record.
    #[inline]
    pub(super) fn read_size(&mut self, payload: &[u8]) -> Result<(), Corrupt> {
        if self.header == 0 {
            self.read_long_size(payload)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn read_long_size(&mut self, payload: &[u8]) -> Result<(), Corrupt> {
        let (header, len) = match varint::read_u32(payload) {
            Some(read) => read,
            // A row of no bytes has no values.
            None if self.size == 0 => (0, 1),
            None => return Err(Corrupt::new("record header is cut off")),
        };
        let len = len as u32;
        // The size 0 is that of a record without values, as it is to SQLite; one that is too small for itself is not.
        if header as usize > RECORD_HEADER_SIZE_MAX
            || header > self.size
            || (header > 0 && header <= len)
        {
            return Err(Corrupt::new("record header size is impossible"));
        }
        self.header = header.max(len);
        self.next = len;
        self.end = u64::from(header);
        Ok(())
    }

    /// Parses up to `column` or the end of the header. `payload` holds at least the header.
    pub(super) fn parse(&mut self, payload: &[u8], column: usize) -> Result<(), Corrupt> {
        if self.cells.len() <= column {
            self.grow(column);
        }
        let Some(header) = payload.get(..self.header as usize) else {
            return Err(Corrupt::new("record header is cut off"));
        };
        let mut next = self.next as usize;
        let mut end = self.end;
        let cells = &mut self.cells[self.parsed as usize..=column];
        let mut parsed = self.parsed;
        for cell in cells {
            let Some(&first) = header.get(next) else {
                break;
            };
            if first < 0x80 {
                *cell = end << 32 | u64::from(first);
                end += u64::from(SIZES[first as usize]);
                next += 1;
            } else {
                let Some((long, len)) = varint::read_u32(&header[next..]) else {
                    return Err(Corrupt::new("record header is cut off"));
                };
                *cell = end << 32 | u64::from(long);
                end += u64::from(SerialType(long).size());
                next += len;
            }
            parsed += 1;
        }
        if end > u64::from(self.size)
            || (next >= header.len() && end != u64::from(self.size) && header.len() > 1)
        {
            return Err(Corrupt::new("record and payload differ in length"));
        }
        self.next = next as u32;
        self.parsed = parsed;
        self.end = end;
        Ok(())
    }

    #[cold]
    fn grow(&mut self, column: usize) {
        self.cells
            .resize((column + 1).next_power_of_two().max(8), 0);
    }
}
