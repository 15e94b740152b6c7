//! What commits stand on, and what nobody may have synced: the file's first sector, and the names of file and log.
//!
//! Somebody who died may have made the file or the log and not have synced the directory, or have written the file's
//! header and not have synced the file; all of it is there to be read, until the power fails. A log is thrown away with
//! a file that turns out to be empty, so the first commit through a handle syncs the file and the directory.
//!
//! Cost: two syncs of what is mostly clean, once per open file.
//!
//! The file's first sector itself is written under a rollback journal without pages, whose header says that there was no
//! file before:.
//!
//! Else a crash could leave a file that has grown and holds zeros, which is no database to anybody. Whoever finds the
//! journal empties the file, as stock SQLite does.

use crate::error::Result;
use crate::file_store::FileStore;
use crate::journal_file::{JournalHeader, SECTOR};
use ringwood_format::page::Geometry;
use ringwood_io::{Durability, IoHandle, SyncMode};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Whether this handle has seen to it.
#[derive(Debug, Default)]
pub(crate) struct Footing(AtomicBool);

impl Footing {
    /// The log was deleted: its next name is another.
    pub(crate) fn lost(&self) {
        self.0.store(false, Release);
    }
}

impl FileStore {
    /// Makes the journal of a file's first sector, durable.
    pub(crate) async fn begin_founding(&self, io: &IoHandle, geometry: Geometry) -> Result<()> {
        let header = JournalHeader {
            records: 0,
            nonce: io.rand() as u32,
            page_count: 0,
            sector: SECTOR,
            page_size: geometry.page_size(),
        };
        let journal = io.open(self.journal_path(), &self.beside_options()?)?;
        let header = io.arena().copy_of(&header.encode(true));
        io.write(&journal, 0, header, Durability::Cached).await.1?;
        io.sync(&journal, SyncMode::Full).await?;
        Ok(io.sync_dir_of(&self.path)?)
    }

    /// Makes file and names durable, unless this handle has done so.
    ///
    /// # Errors
    /// An error of a sync; it will be tried again.
    pub(crate) async fn secure(&self, io: &IoHandle) -> Result<()> {
        if self.footing.0.load(Acquire) {
            return Ok(());
        }
        io.sync(&self.file, SyncMode::Full).await?;
        io.sync_dir_of(&self.path)?;
        self.footing.0.store(true, Release);
        Ok(())
    }
}
