//! The database header as a transaction sees and changes it, and the settings that only an empty database takes.
//!
//! Source: SQLite's `newDatabase`, `sqlite3BtreeGetMeta`, `sqlite3BtreeUpdateMeta`, `sqlite3BtreeSetPageSize`.

use crate::error::Result;
use crate::options::AutoVacuum;
use crate::tx::{Tx, TxState};
use ringwood_format::encoding::TextEncoding;
use ringwood_format::header::{DatabaseHeader, Field, HEADER_SIZE, set_versions};
use ringwood_format::page::{Geometry, PageNo};
use ringwood_pager::PageRef;

/// What this library signs databases with: the SQLite version whose format it writes.
pub(crate) const SQLITE_VERSION_NUMBER: u32 = 3_046_000;

/// The image of page 1 of a database without tables: the header, and the empty schema table.
pub(crate) fn empty_page1(page: &mut [u8], geometry: Geometry, auto_vacuum: AutoVacuum) {
    let mut header = DatabaseHeader::new(geometry);
    header.largest_root = (auto_vacuum != AutoVacuum::None).then_some(PageNo::ONE);
    header.incremental_vacuum = auto_vacuum == AutoVacuum::Incremental;
    page[..HEADER_SIZE].copy_from_slice(&header.encode());
    set_versions(page, 2);
    // A table leaf without cells, whose cell content starts at the end of the page; 65536 is stored as 0.
    let leaf = &mut page[HEADER_SIZE..HEADER_SIZE + 8];
    leaf[0] = 0x0d;
    leaf[5..7].copy_from_slice(&(geometry.usable() as u16).to_be_bytes());
}

impl Tx {
    /// Makes page 1 of an empty database.
    pub(crate) fn make_database(&mut self) {
        let mut page = self
            .io
            .arena()
            .alloc_zeroed(self.geometry.page_size() as usize);
        let auto_vacuum = self.db.state().auto_vacuum;
        empty_page1(&mut page, self.geometry, auto_vacuum);
        if self.has_file && !self.to_log {
            set_versions(&mut page, 1);
        }
        let page = self.pool.adopt(page);
        self.add_private(PageNo::ONE, page);
        self.page_count = 1;
    }

    /// What a reader sees of a database that nobody has written yet: a schema without tables.
    #[cold]
    pub(crate) fn blank_page1(&self) -> PageRef {
        let mut page = self
            .io
            .arena()
            .alloc_zeroed(self.geometry.page_size() as usize);
        empty_page1(&mut page, self.geometry, AutoVacuum::None);
        self.pool.adopt(page)
    }

    fn with_page1<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if self.state == TxState::Write {
            if let Some(entry) = self.dirty.borrow().get(PageNo::ONE) {
                return entry.page.as_deref().map(read);
            }
        }
        self.page1.as_deref().map(read)
    }

    /// A field of the database header: schema cookie, user version, …. 0 in an empty database.
    #[inline]
    pub fn header_field(&self, field: Field) -> u32 {
        self.with_page1(|page1| field.get(page1)).unwrap_or(0)
    }

    /// Sets a field of the database header.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) outside of a write transaction.
    pub fn set_header_field(&mut self, field: Field, value: u32) -> Result<()> {
        if self.state == TxState::Write && self.header_field(field) == value {
            return Ok(());
        }
        field.set(self.present_mut(PageNo::ONE)?, value);
        Ok(())
    }

    /// The text encoding; of an empty database, or one without tables, the one that it will have.
    pub fn encoding(&self) -> TextEncoding {
        let code = self.header_field(Field::TextEncoding) & 3;
        TextEncoding::from_code(code).unwrap_or_else(|| self.db.state().encoding)
    }

    /// The autovacuum mode; of an empty database the one that it will have.
    pub fn auto_vacuum(&self) -> AutoVacuum {
        if self.page_count == 0 {
            return self.db.state().auto_vacuum;
        }
        match (
            self.header_field(Field::LargestRoot),
            self.header_field(Field::IncrementalVacuum),
        ) {
            (0, _) => AutoVacuum::None,
            (_, 0) => AutoVacuum::Full,
            (_, _) => AutoVacuum::Incremental,
        }
    }

    /// Sets page size and reserved bytes of a database that is still empty. Whether that was so.
    ///
    /// The transaction must have looked at the database ([`Tx::begin_read`]) and not write.
    pub fn set_geometry(&mut self, geometry: Geometry) -> bool {
        if !self.takes_settings() {
            return false;
        }
        self.db.state().geometry = geometry;
        self.geometry = geometry;
        self.set_cache_size(self.cache_size);
        true
    }

    /// Sets the text encoding of a database that has none yet. Whether that was so.
    pub fn set_encoding(&mut self, encoding: TextEncoding) -> bool {
        if self.header_field(Field::TextEncoding) != 0 {
            return false;
        }
        self.db.state().encoding = encoding;
        true
    }

    /// Sets the autovacuum mode of a database that is still empty, or changes Full to Incremental and back. Whether that
    /// was possible.
    ///
    /// # Errors
    /// Those of [`Tx::set_header_field`], in a database that is not empty.
    pub fn set_auto_vacuum(&mut self, mode: AutoVacuum) -> Result<bool> {
        if self.takes_settings() {
            self.db.state().auto_vacuum = mode;
            return Ok(true);
        }
        if (self.auto_vacuum() == AutoVacuum::None) != (mode == AutoVacuum::None) {
            return Ok(false);
        }
        if mode != AutoVacuum::None {
            self.set_header_field(
                Field::IncrementalVacuum,
                u32::from(mode == AutoVacuum::Incremental),
            )?;
        }
        Ok(true)
    }

    fn takes_settings(&self) -> bool {
        self.state != TxState::Write && self.page_count == 0
    }
}
