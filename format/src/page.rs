//! Page numbers, and the sizes that follow from the page size and the reserved bytes.
//!
//! ```text
//!  file offset   0        page_size     2*page_size                  0x40000000
//!                | page 1 |   page 2    |   page 3    | ...          | lock-byte page | ...
//!
//!  one page      |<------------- usable ------------->|<- reserved ->|
//! ```
//!
//! Rules:
//! 1. Pages are numbered from 1; 0 means "no page" on disk and `None` here.
//! 2. The page size is a power of two from 512 to 65536; at most 255 bytes at the end of each page are reserved
//!    for extensions; what remains, the usable size, is at least 480.
//! 3. A payload of at most *max local* bytes is stored whole in its cell. A longer one keeps between *min local*
//!    and *max local* bytes in the cell and the rest in a chain of overflow pages of `usable - 4` bytes each.
//! 4. The page that contains byte 0x40000000 is never used: file locks live there.
//!
//! Source: "Database File Format", sections 1.2, 1.4 and 1.6.

use std::fmt;
use std::num::NonZeroU32;

/// The byte of the file at which SQLite's file locks start.
pub const PENDING_BYTE: u32 = 0x4000_0000;
/// The largest page number that SQLite allows (`SQLITE_MAX_PAGE_COUNT`).
pub const PAGE_COUNT_MAX: u32 = 0xffff_fffe;

/// The number of a page, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct PageNo(NonZeroU32);

impl PageNo {
    /// The first page: it starts with the database header and is the root of the schema table.
    pub const ONE: PageNo = PageNo(NonZeroU32::MIN);

    /// The page number `n`; `None` for 0, which on disk means "no page".
    #[inline]
    pub const fn new(n: u32) -> Option<PageNo> {
        match NonZeroU32::new(n) {
            Some(n) => Some(PageNo(n)),
            None => None,
        }
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The number minus one: the page's index in the file.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0.get() - 1
    }

    /// The next page number, if there is one.
    #[inline]
    pub const fn next(self) -> Option<PageNo> {
        match self.0.checked_add(1) {
            Some(n) => Some(PageNo(n)),
            None => None,
        }
    }
}

impl fmt::Display for PageNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<PageNo> for u32 {
    #[inline]
    fn from(page: PageNo) -> u32 {
        page.get()
    }
}

/// `None` as 0: how a page number is stored where there may be none.
#[inline]
pub const fn page_no_or_zero(page: Option<PageNo>) -> u32 {
    match page {
        Some(page) => page.get(),
        None => 0,
    }
}

/// Page size and reserved bytes of a database, checked (rule 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Geometry {
    page_size: u32,
    reserved: u8,
}

impl Default for Geometry {
    /// 4096-byte pages without reserved bytes: what SQLite gives a new database.
    fn default() -> Geometry {
        Geometry {
            page_size: 4096,
            reserved: 0,
        }
    }
}

impl Geometry {
    /// The smallest page size.
    pub const PAGE_SIZE_MIN: u32 = 512;
    /// The largest page size.
    pub const PAGE_SIZE_MAX: u32 = 65536;
    /// The smallest usable size.
    pub const USABLE_MIN: u32 = 480;

    /// A geometry; `None` unless the page size is a power of two in 512..=65536 and at least 480 bytes are usable.
    pub const fn new(page_size: u32, reserved: u8) -> Option<Geometry> {
        if Geometry::is_page_size(page_size) && page_size - reserved as u32 >= Geometry::USABLE_MIN
        {
            Some(Geometry {
                page_size,
                reserved,
            })
        } else {
            None
        }
    }

    /// Whether `n` is a page size that the format allows.
    pub const fn is_page_size(n: u32) -> bool {
        n.is_power_of_two() && n >= Geometry::PAGE_SIZE_MIN && n <= Geometry::PAGE_SIZE_MAX
    }

    /// Bytes in a page.
    #[inline]
    pub const fn page_size(self) -> u32 {
        self.page_size
    }

    /// Bytes at the end of every page that are not the format's.
    #[inline]
    pub const fn reserved(self) -> u8 {
        self.reserved
    }

    /// Bytes of a page that the format uses: 480..=65536.
    #[inline]
    pub const fn usable(self) -> u32 {
        self.page_size - self.reserved as u32
    }

    /// The largest payload that a table leaf cell stores whole.
    #[inline]
    pub const fn max_local_table_leaf(self) -> u32 {
        self.usable() - 35
    }

    /// The largest payload that an index cell, leaf or interior, stores whole.
    #[inline]
    pub const fn max_local_index(self) -> u32 {
        (self.usable() - 12) * 64 / 255 - 23
    }

    /// The least that a spilled payload keeps in its cell, on every kind of page.
    #[inline]
    pub const fn min_local(self) -> u32 {
        (self.usable() - 12) * 32 / 255 - 23
    }

    /// Bytes of a payload of `payload_size` bytes that stay in the cell, given the cell's `max_local` (rule 3).
    /// Less than `payload_size` exactly if there is an overflow chain.
    #[inline]
    pub const fn local_size(self, payload_size: u64, max_local: u32) -> u32 {
        if payload_size <= max_local as u64 {
            return payload_size as u32;
        }
        let min_local = self.min_local();
        let surplus =
            min_local + ((payload_size - min_local as u64) % (self.usable() as u64 - 4)) as u32;
        if surplus <= max_local {
            surplus
        } else {
            min_local
        }
    }

    /// Content bytes of an overflow page.
    #[inline]
    pub const fn overflow_capacity(self) -> u32 {
        self.usable() - 4
    }

    /// The page that holds the lock bytes and is never used (rule 4).
    #[inline]
    pub const fn lock_byte_page(self) -> PageNo {
        match PageNo::new(PENDING_BYTE / self.page_size + 1) {
            Some(page) => page,
            None => PageNo::ONE,
        }
    }

    /// Where a page starts in the file.
    #[inline]
    pub const fn offset(self, page: PageNo) -> u64 {
        page.index() as u64 * self.page_size as u64
    }
}
