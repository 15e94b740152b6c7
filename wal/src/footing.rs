//! What commits stand on, and what nobody may have synced: the file's first sector, and the names of file and log.
//!
//! Somebody who died may have made the file or the log and not have synced the directory, or have written the file's
//! header and not have synced the file; all of it is there to be read, until the power fails. A log is thrown away with
//! a file that turns out to be empty, so the first commit through a handle syncs the file and the directory.
//!
//! Cost: two syncs of what is mostly clean, once per open file.
//!
//! The file's first sector itself is written under a rollback journal without pages, whose header says that there was no
//! file before:
//!
//! | offset | size | meaning |
//! |---|---|---|
//! | 0 | 8 | d9 d5 05 f9 20 a1 63 d7 |
//! | 8 | 4 | records: 0 |
//! | 12 | 4 | a random number |
//! | 16 | 4 | pages of the database before: 0 |
//! | 20 | 4 | bytes of a sector: 512 |
//! | 24 | 4 | bytes of a page |
//!
//! Else a crash could leave a file that has grown and holds zeros, which is no database to anybody. Whoever finds the
//! journal empties the file, as stock SQLite does.

use crate::error::Result;
use crate::file_store::{FileStore, delete_if_there};
use ringwood_format::page::Geometry;
use ringwood_io::{Durability, IoHandle, OpenOptions, SyncMode};
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

const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const SECTOR: usize = 512;

impl FileStore {
    /// Makes the journal of a file's first sector, durable.
    pub(crate) async fn begin_founding(&self, io: &IoHandle, geometry: Geometry) -> Result<()> {
        let mut header = [0; SECTOR];
        header[..8].copy_from_slice(&JOURNAL_MAGIC);
        header[12..16].copy_from_slice(&(io.rand() as u32).to_be_bytes());
        header[20..24].copy_from_slice(&(SECTOR as u32).to_be_bytes());
        header[24..28].copy_from_slice(&geometry.page_size().to_be_bytes());
        let journal = io.open(self.journal_path(), &OpenOptions::create())?;
        let header = io.arena().copy_of(&header);
        io.write(&journal, 0, header, Durability::Cached).await.1?;
        io.sync(&journal, SyncMode::Full).await?;
        Ok(io.sync_dir_of(&self.path)?)
    }

    /// Empties a file whose founding was cut short, if the hot journal says that it was; whether it did.
    pub(crate) async fn undo_founding(&self, io: &IoHandle) -> Result<bool> {
        let mut head = [0; 28];
        let journal = io.open(self.journal_path(), &OpenOptions::read_only())?;
        let got = io.read_now(&journal, 0, &mut head)?;
        let is_founding = got == head.len()
            && head[..8] == JOURNAL_MAGIC
            && head[8..12] == [0; 4]
            && head[16..20] == [0; 4]
            && journal.len()? == SECTOR as u64;
        if !is_founding || self.read_only {
            return Ok(false);
        }
        io.truncate(&self.file, 0).await?;
        io.sync(&self.file, SyncMode::Full).await?;
        delete_if_there(io, &self.journal_path())?;
        Ok(true)
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
