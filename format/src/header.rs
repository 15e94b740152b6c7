//! The database header: the first 100 bytes of page 1.
//!
//! | offset | size | meaning |
//! |--------|------|---------|
//! | 0      | 16   | `SQLite format 3` and a NUL |
//! | 16     | 2    | page size; 65536 as 1 |
//! | 18     | 1    | write version: 1 rollback journal, 2 WAL |
//! | 19     | 1    | read version: the same |
//! | 20     | 1    | reserved bytes at the end of each page |
//! | 21     | 3    | 64, 32, 32: payload fractions that never became variable |
//! | 24     | 4    | change counter |
//! | 28     | 4    | size of the database in pages |
//! | 32     | 4    | first freelist trunk page, or 0 |
//! | 36     | 4    | count of freelist pages |
//! | 40     | 4    | schema cookie |
//! | 44     | 4    | schema format: 1 to 4, 0 in an empty database |
//! | 48     | 4    | suggested cache size |
//! | 52     | 4    | largest root page of an autovacuum database, else 0 |
//! | 56     | 4    | text encoding: 1, 2 or 3; 0 in an empty database |
//! | 60     | 4    | user version |
//! | 64     | 4    | not 0 for incremental vacuum |
//! | 68     | 4    | application id |
//! | 72     | 20   | zeros |
//! | 92     | 4    | the change counter for which the page count is valid |
//! | 96     | 4    | SQLITE_VERSION_NUMBER of the last writer |
//!
//! Rules:
//! 1. A file whose magic, versions, fractions, page size or usable size is wrong is no database ([`HeaderError::NotADb`]);
//!    a page count beyond the file is corruption, found by [`DatabaseHeader::page_count_in`].
//! 2. The page count counts only if it is not 0 and was written together with the change counter (offsets 24 and 92 are
//!    equal); otherwise the file's size counts, because a writer older than 3.7.0 was there.
//! 3. A write version above 2 makes the file read-only; a read version above 2 makes it unreadable.
//!
//! Source: "Database File Format", section 1.3; SQLite's `lockBtree`, `newDatabase`, `sqlite3InitOne`.

use crate::bytes::{get_u32, put_u32};
use crate::corrupt::Corrupt;
use crate::encoding::TextEncoding;
use crate::page::{Geometry, PageNo, page_no_or_zero};
use std::fmt;

/// Bytes of the header.
pub const HEADER_SIZE: usize = 100;
/// What every database starts with.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The newest schema format, which new databases have.
pub const SCHEMA_FORMAT_MAX: u32 = 4;

/// A number of the header that is four bytes long, for reading and changing it in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Field {
    /// Incremented when the file changes (in WAL mode only by a checkpoint of page 1).
    ChangeCounter = 24,
    /// Size of the database in pages.
    PageCount = 28,
    /// First freelist trunk page.
    FreelistHead = 32,
    /// Count of freelist pages (meta value 0).
    FreelistCount = 36,
    /// Incremented when the schema changes (meta value 1).
    SchemaCookie = 40,
    /// Schema format (meta value 2).
    SchemaFormat = 44,
    /// Suggested cache size (meta value 3).
    DefaultCacheSize = 48,
    /// Largest root page of an autovacuum database (meta value 4).
    LargestRoot = 52,
    /// Text encoding (meta value 5).
    TextEncoding = 56,
    /// User version (meta value 6).
    UserVersion = 60,
    /// Incremental vacuum (meta value 7).
    IncrementalVacuum = 64,
    /// Application id (meta value 8).
    ApplicationId = 68,
    /// The change counter for which the page count is valid.
    VersionValidFor = 92,
    /// SQLITE_VERSION_NUMBER of the last writer.
    SqliteVersion = 96,
}

impl Field {
    /// Where it stands.
    #[inline]
    pub const fn offset(self) -> usize {
        self as usize
    }

    /// Meta value `index` of SQLite's `sqlite3BtreeGetMeta`: 0 (freelist count) to 8 (application id).
    pub const fn meta(index: u32) -> Option<Field> {
        Some(match index {
            0 => Field::FreelistCount,
            1 => Field::SchemaCookie,
            2 => Field::SchemaFormat,
            3 => Field::DefaultCacheSize,
            4 => Field::LargestRoot,
            5 => Field::TextEncoding,
            6 => Field::UserVersion,
            7 => Field::IncrementalVacuum,
            8 => Field::ApplicationId,
            _ => return None,
        })
    }

    /// Reads it from page 1.
    ///
    /// # Panics
    /// If `page1` is shorter than the header.
    #[inline]
    pub fn get(self, page1: &[u8]) -> u32 {
        get_u32(page1, self.offset())
    }

    /// Changes it in page 1.
    ///
    /// # Panics
    /// If `page1` is shorter than the header.
    #[inline]
    pub fn set(self, page1: &mut [u8], value: u32) {
        put_u32(page1, self.offset(), value);
    }
}

/// Why a header was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// The file is no database, or one of a future format: SQLITE_NOTADB.
    NotADb(&'static str),
    /// The file is a damaged database: SQLITE_CORRUPT.
    Corrupt(Corrupt),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::NotADb(reason) => write!(f, "file is not a database: {reason}"),
            HeaderError::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl std::error::Error for HeaderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HeaderError::NotADb(_) => None,
            HeaderError::Corrupt(corrupt) => Some(corrupt),
        }
    }
}

impl From<Corrupt> for HeaderError {
    fn from(corrupt: Corrupt) -> HeaderError {
        HeaderError::Corrupt(corrupt)
    }
}

/// A database header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatabaseHeader {
    /// Page size and reserved bytes.
    pub geometry: Geometry,
    /// 1 for rollback journals, 2 for WAL, more for a format of the future that may be read only.
    pub write_version: u8,
    /// 1 for rollback journals, 2 for WAL.
    pub read_version: u8,
    /// Change counter.
    pub change_counter: u32,
    /// Size of the database in pages, as stored; see [`DatabaseHeader::page_count_in`].
    pub page_count: u32,
    /// First freelist trunk page.
    pub freelist_head: Option<PageNo>,
    /// Count of freelist pages.
    pub freelist_count: u32,
    /// Schema cookie.
    pub schema_cookie: u32,
    /// Schema format: 1 to 4, 0 in an empty database.
    pub schema_format: u32,
    /// Suggested cache size; negative for KiB.
    pub default_cache_size: i32,
    /// Largest root page of an autovacuum database; `None` if it is not one.
    pub largest_root: Option<PageNo>,
    /// Text encoding, as stored; see [`DatabaseHeader::encoding`].
    pub text_encoding: u32,
    /// User version.
    pub user_version: i32,
    /// Whether an autovacuum database vacuums only when told.
    pub incremental_vacuum: bool,
    /// Application id.
    pub application_id: i32,
    /// The change counter for which the page count is valid.
    pub version_valid_for: u32,
    /// SQLITE_VERSION_NUMBER of the last writer.
    pub sqlite_version: u32,
}

impl DatabaseHeader {
    /// The header of a new, empty database of one page: schema format 0, encoding not chosen, rollback journal.
    pub const fn new(geometry: Geometry) -> DatabaseHeader {
        DatabaseHeader {
            geometry,
            write_version: 1,
            read_version: 1,
            change_counter: 0,
            page_count: 1,
            freelist_head: None,
            freelist_count: 0,
            schema_cookie: 0,
            schema_format: 0,
            default_cache_size: 0,
            largest_root: None,
            text_encoding: 0,
            user_version: 0,
            incremental_vacuum: false,
            application_id: 0,
            version_valid_for: 0,
            sqlite_version: 0,
        }
    }

    /// Decodes the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`HeaderError::NotADb`] by rule 1; also if there are fewer than 100 bytes.
    pub fn decode(bytes: &[u8]) -> Result<DatabaseHeader, HeaderError> {
        let Some(bytes) = bytes.get(..HEADER_SIZE) else {
            return Err(HeaderError::NotADb("shorter than a database header"));
        };
        if &bytes[..16] != MAGIC {
            return Err(HeaderError::NotADb("wrong magic"));
        }
        let (write_version, read_version) = (bytes[18], bytes[19]);
        if read_version > 2 {
            return Err(HeaderError::NotADb("read version of a future format"));
        }
        if bytes[21..24] != [64, 32, 32] {
            return Err(HeaderError::NotADb("wrong payload fractions"));
        }
        // 1 is 65536: bits 16 to 8 of the size are stored in that order.
        let page_size = (bytes[16] as u32) << 8 | (bytes[17] as u32) << 16;
        if !Geometry::is_page_size(page_size) {
            return Err(HeaderError::NotADb("impossible page size"));
        }
        let Some(geometry) = Geometry::new(page_size, bytes[20]) else {
            return Err(HeaderError::NotADb("too many reserved bytes"));
        };
        let field = |field: Field| field.get(bytes);
        Ok(DatabaseHeader {
            geometry,
            write_version,
            read_version,
            change_counter: field(Field::ChangeCounter),
            page_count: field(Field::PageCount),
            freelist_head: PageNo::new(field(Field::FreelistHead)),
            freelist_count: field(Field::FreelistCount),
            schema_cookie: field(Field::SchemaCookie),
            schema_format: field(Field::SchemaFormat),
            default_cache_size: field(Field::DefaultCacheSize) as i32,
            largest_root: PageNo::new(field(Field::LargestRoot)),
            text_encoding: field(Field::TextEncoding),
            user_version: field(Field::UserVersion) as i32,
            incremental_vacuum: field(Field::IncrementalVacuum) != 0,
            application_id: field(Field::ApplicationId) as i32,
            version_valid_for: field(Field::VersionValidFor),
            sqlite_version: field(Field::SqliteVersion),
        })
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut out = [0; HEADER_SIZE];
        out[..16].copy_from_slice(MAGIC);
        let page_size = self.geometry.page_size();
        out[16] = (page_size >> 8) as u8;
        out[17] = (page_size >> 16) as u8;
        out[18] = self.write_version;
        out[19] = self.read_version;
        out[20] = self.geometry.reserved();
        out[21..24].copy_from_slice(&[64, 32, 32]);
        let mut field = |field: Field, value: u32| field.set(&mut out, value);
        field(Field::ChangeCounter, self.change_counter);
        field(Field::PageCount, self.page_count);
        field(Field::FreelistHead, page_no_or_zero(self.freelist_head));
        field(Field::FreelistCount, self.freelist_count);
        field(Field::SchemaCookie, self.schema_cookie);
        field(Field::SchemaFormat, self.schema_format);
        field(Field::DefaultCacheSize, self.default_cache_size as u32);
        field(Field::LargestRoot, page_no_or_zero(self.largest_root));
        field(Field::TextEncoding, self.text_encoding);
        field(Field::UserVersion, self.user_version as u32);
        field(Field::IncrementalVacuum, u32::from(self.incremental_vacuum));
        field(Field::ApplicationId, self.application_id as u32);
        field(Field::VersionValidFor, self.version_valid_for);
        field(Field::SqliteVersion, self.sqlite_version);
        out
    }

    /// Pages of the database whose file has `file_pages` pages (rule 2).
    ///
    /// # Errors
    /// If the header claims more pages than the file has.
    pub const fn page_count_in(&self, file_pages: u32) -> Result<u32, Corrupt> {
        if self.page_count == 0 || self.change_counter != self.version_valid_for {
            return Ok(file_pages);
        }
        if self.page_count > file_pages {
            return Err(Corrupt::on(PageNo::ONE, "database is larger than its file"));
        }
        Ok(self.page_count)
    }

    /// The text encoding; UTF-8 where none was chosen yet. Like SQLite, only the low two bits count.
    pub const fn encoding(&self) -> TextEncoding {
        match TextEncoding::from_code(self.text_encoding & 3) {
            Some(encoding) => encoding,
            None => TextEncoding::Utf8,
        }
    }

    /// Whether the database may be written (rule 3).
    pub const fn is_writable(&self) -> bool {
        self.write_version <= 2
    }

    /// Whether the database is in WAL mode.
    pub const fn is_wal(&self) -> bool {
        self.read_version == 2
    }

    /// Whether records store 0 and 1 without a body.
    pub const fn has_integer_constants(&self) -> bool {
        self.schema_format >= 4
    }

    /// Whether this is an autovacuum database, one with pointer map pages.
    pub const fn is_autovacuum(&self) -> bool {
        self.largest_root.is_some()
    }
}

/// Sets the read and write version in page 1: WAL or rollback journal.
///
/// # Panics
/// If `page1` is shorter than the header.
pub fn set_versions(page1: &mut [u8], version: u8) {
    page1[18] = version;
    page1[19] = version;
}

/// Increments the change counter, declares the page count valid for it, and signs with `sqlite_version`: what a commit
/// does to page 1 in rollback modes.
///
/// # Panics
/// If `page1` is shorter than the header.
pub fn sign_change(page1: &mut [u8], sqlite_version: u32) {
    let counter = Field::ChangeCounter.get(page1).wrapping_add(1);
    Field::ChangeCounter.set(page1, counter);
    Field::VersionValidFor.set(page1, counter);
    Field::SqliteVersion.set(page1, sqlite_version);
}
