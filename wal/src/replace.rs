//! Whole-file changes within a write transaction: cutting the end off, and taking another database's pages over.
//!
//! Rules:
//! 1. Pages beyond the new end stay private, for savepoints; the commit does not write them, and makes the file shorter.
//! 2. What is taken over has the same page size. Its header comes along; the change counter is the commit's.
//!
//! Source: SQLite's `sqlite3PagerTruncateImage`, `sqlite3BtreeCopyFile`.

use crate::error::{Error, Result};
use crate::tx::{Tx, TxState};
use ringwood_format::header::{Field, set_versions};
use ringwood_format::page::PageNo;

impl Tx {
    /// Ends the database after `page_count` pages. The pages behind are gone; whoever calls this knows that nothing
    /// points to them.
    ///
    /// # Errors
    /// `Misuse` outside of a write transaction, or to make the database longer.
    pub fn truncate(&mut self, page_count: u32) -> Result<()> {
        if self.state != TxState::Write || page_count > self.page_count || page_count == 0 {
            return Err(Error::Misuse(
                "a database is cut within a write transaction, to less than it has",
            ));
        }
        self.set_header_field(Field::PageCount, page_count)?;
        self.page_count = page_count;
        Ok(())
    }

    /// Makes this database what `source` is, page by page.
    ///
    /// # Errors
    /// `Misuse` outside of a write transaction or between different page sizes; what reading `source` fails with. The
    /// transaction must then be rolled back.
    ///
    /// # Suspends
    /// To read pages of `source`, and to spill.
    pub async fn replace_with(&mut self, source: &Tx) -> Result<()> {
        if self.state != TxState::Write || self.geometry != source.geometry {
            return Err(Error::Misuse(
                "pages are taken over within a write transaction, in their own size",
            ));
        }
        self.replace_some(source, 1, source.page_count).await?;
        self.end_replacing(source.page_count)
    }

    /// Takes some pages of `source` over: up to `count` of them, from `first` on. The page after the last.
    ///
    /// # Errors
    /// As [`replace_with`](Self::replace_with).
    ///
    /// # Suspends
    /// To read pages of `source`, and to spill.
    pub async fn replace_some(&mut self, source: &Tx, first: u32, count: u32) -> Result<u32> {
        if self.state != TxState::Write || self.geometry != source.geometry {
            return Err(Error::Misuse(
                "pages are taken over within a write transaction, in their own size",
            ));
        }
        let end = first.saturating_add(count).min(source.page_count + 1);
        let lock_byte_page = self.geometry.lock_byte_page();
        // The journal mode is this file's own.
        let version = self.page(PageNo::ONE).await?[18];
        for number in first..end {
            let Some(no) = PageNo::new(number).filter(|no| *no != lock_byte_page) else {
                continue;
            };
            if self.is_crowded() {
                self.make_room().await?;
            }
            let page = source.page(no).await?;
            self.page_count = self.page_count.max(number);
            self.zero_page(no)?;
            let bytes = self.present_mut(no)?;
            bytes.copy_from_slice(&page);
            if no == PageNo::ONE {
                set_versions(bytes, version);
            }
        }
        Ok(end)
    }

    /// All pages were taken over: the database has as many as its source.
    ///
    /// # Errors
    /// `Misuse` outside of a write transaction.
    pub fn end_replacing(&mut self, page_count: u32) -> Result<()> {
        self.page_count = page_count;
        self.set_header_field(Field::PageCount, page_count)?;
        self.bump_all_trees();
        Ok(())
    }
}
