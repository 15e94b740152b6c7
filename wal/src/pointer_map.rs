//! The pointer map of autovacuum databases, kept by whoever moves pages: [`Tx::ptrmap_get`] and [`Tx::ptrmap_put`].
//!
//! Rule: without autovacuum there is no map; writing to it does nothing then, and reading it is an error.
//!
//! Source: SQLite's `ptrmapGet`, `ptrmapPut`.

use crate::error::{Error, Result};
use crate::options::AutoVacuum;
use crate::tx::Tx;
use ringwood_format::page::PageNo;
use ringwood_format::ptrmap::{self, PtrmapEntry};

impl Tx {
    /// Whether the database keeps a pointer map.
    #[inline]
    pub fn is_autovacuum(&self) -> bool {
        self.auto_vacuum() != AutoVacuum::None
    }

    fn map_page(&self, no: PageNo) -> Result<PageNo> {
        let map = ptrmap::map_page(no, self.geometry())
            .filter(|_| ptrmap::entry_offset(no, self.geometry()).is_some());
        map.ok_or(Error::corrupt(no, "page has no entry in the pointer map"))
    }

    /// What the pointer map says about a page.
    ///
    /// # Errors
    /// `Corrupt` if the database has no pointer map, the page no entry, or the entry no meaning.
    pub async fn ptrmap_get(&self, no: PageNo) -> Result<PtrmapEntry> {
        if !self.is_autovacuum() {
            return Err(Error::corrupt(no, "database has no pointer map"));
        }
        let page = self.page(self.map_page(no)?).await?;
        Ok(ptrmap::read(&page, no, self.geometry())?)
    }

    /// Notes in the pointer map what a page is. Without autovacuum nothing happens.
    ///
    /// # Errors
    /// `Corrupt` if the page has no entry: it is page 1 or a map page.
    pub async fn ptrmap_put(&mut self, no: PageNo, entry: PtrmapEntry) -> Result<()> {
        if !self.is_autovacuum() {
            return Ok(());
        }
        let map = self.map_page(no)?;
        let geometry = self.geometry();
        let pin = self.page(map).await?;
        // Not private for a change that is none.
        if ptrmap::read(&pin, no, geometry).is_ok_and(|there| there == entry) {
            return Ok(());
        }
        drop(pin);
        self.make_writable(map).await?;
        let bytes = self.present_mut(map)?;
        ptrmap::write(bytes, no, geometry, entry);
        Ok(())
    }
}
