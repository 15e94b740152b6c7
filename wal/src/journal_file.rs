//! The rollback journal: what the pages of a database were before a commit that may not have ended.
//!
//! ```text
//!  | header, padded to a sector | page no | page | checksum | … | next header … | super-journal's name |
//!
//!  header: magic 8 · records 4 · nonce 4 · pages of the database 4 · sector 4 · page size 4
//!  name:   the lock-byte page's number 4 · name · its length 4 · its checksum 4 · magic 8
//! ```
//!
//! | the journal | then |
//! |---|---|
//! | absent, empty, or its first byte 0 | nothing: it is cold |
//! | somebody holds RESERVED | nothing: he is at work |
//! | names a super-journal that is gone | the commit is done; the journal goes |
//! | anything else | hot: its pages go back, the file gets its length back, the journal goes |
//!
//! Rules:
//! 1. The magic and the count of records are written last, after a sync of the records, so a journal without them is as
//!    good as none. A count of 0xffffffff stands for as many as there are: nobody synced.
//! 2. A record whose checksum is wrong ends the journal: it never arrived.
//! 3. A header may ask for any sector and page size that SQLite can have; ours has sectors of 512 bytes.
//!
//! Source: "Database File Format", section 3; SQLite's `writeJournalHdr`, `readJournalHdr`, `pager_playback`,
//! `readSuperJournal`, `pager_delsuper`.

use crate::error::{Error, Result};
use crate::file_store::{FileStore, delete_if_there};
use ringwood_format::page::Geometry;
use ringwood_io::{File, IoHandle, LockLevel, OpenOptions, PENDING_BYTE, SyncMode};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Bytes of a header that mean something.
const HEADER: usize = 28;
/// The sector of our journals: writes leave the bytes around them alone, as SQLite assumes on Linux.
pub(crate) const SECTOR: u32 = 512;
/// A count of records that is not known.
const ALL: u32 = 0xffff_ffff;
/// The longest name of a super-journal.
const NAME_MAX: u32 = 4096;

/// One header, and the records after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct JournalHeader {
    pub(crate) records: u32,
    pub(crate) nonce: u32,
    pub(crate) page_count: u32,
    pub(crate) sector: u32,
    pub(crate) page_size: u32,
}

fn get(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl JournalHeader {
    /// The header's sector; without magic and count while the records are not durable.
    pub(crate) fn encode(&self, sealed: bool) -> Vec<u8> {
        let mut out = vec![0; self.sector as usize];
        if sealed {
            out[..12].copy_from_slice(&self.seal());
        }
        for (at, value) in [
            (12, self.nonce),
            (16, self.page_count),
            (20, self.sector),
            (24, self.page_size),
        ] {
            out[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        out
    }

    /// Magic and count: what makes the journal one.
    pub(crate) fn seal(&self) -> [u8; 12] {
        let mut out = [0; 12];
        out[..8].copy_from_slice(&MAGIC);
        out[8..].copy_from_slice(&self.records.to_be_bytes());
        out
    }

    /// The same, with as many records as there will be found.
    pub(crate) fn uncounted(self) -> JournalHeader {
        JournalHeader {
            records: ALL,
            ..self
        }
    }

    fn decode(bytes: &[u8; HEADER], first: Option<&JournalHeader>, page_size: u32) -> Option<Self> {
        if bytes[..8] != MAGIC {
            return None;
        }
        let mut header = JournalHeader {
            records: get(bytes, 8),
            nonce: get(bytes, 12),
            page_count: get(bytes, 16),
            sector: get(bytes, 20),
            page_size: get(bytes, 24),
        };
        match first {
            // Only the first one says how the file is laid out.
            Some(first) => (header.sector, header.page_size) = (first.sector, first.page_size),
            None if header.page_size == 0 => header.page_size = page_size,
            None => {}
        }
        let sane = Geometry::is_page_size(header.page_size)
            && header.sector.is_power_of_two()
            && (32..=65536).contains(&header.sector);
        sane.then_some(header)
    }
}

/// The checksum of a page's old content.
pub(crate) fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let mut sum = nonce;
    let mut at = page.len().saturating_sub(200);
    while at > 0 {
        sum = sum.wrapping_add(u32::from(page[at]));
        at = at.saturating_sub(200);
    }
    sum
}

/// The record that names a super-journal.
pub(crate) fn super_record(name: &Path, page_size: u32) -> Vec<u8> {
    let name = name.as_os_str().as_bytes();
    let mut out = Vec::with_capacity(name.len() + 20);
    let lock_byte_page = (PENDING_BYTE / u64::from(page_size)) as u32 + 1;
    out.extend_from_slice(&lock_byte_page.to_be_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(&(name.len() as u32).to_be_bytes());
    out.extend_from_slice(&name_checksum(name).to_be_bytes());
    out.extend_from_slice(&MAGIC);
    out
}

fn name_checksum(name: &[u8]) -> u32 {
    // Bytes count as signed ones.
    name.iter()
        .fold(0u32, |sum, &byte| sum.wrapping_add(byte as i8 as u32))
}

/// The super-journal that a journal names, if it does.
pub(crate) fn super_name(io: &IoHandle, journal: &File) -> Result<Option<PathBuf>> {
    let size = journal.len()?;
    let mut tail = [0; 16];
    if size < 16 || io.read_now(journal, size - 16, &mut tail)? < 16 {
        return Ok(None);
    }
    let len = get(&tail, 0);
    if tail[8..] != MAGIC || len == 0 || len > NAME_MAX || u64::from(len) > size - 16 {
        return Ok(None);
    }
    let mut name = vec![0; len as usize];
    io.read_exact_now(journal, size - 16 - u64::from(len), &mut name)?;
    if name_checksum(&name) != get(&tail, 4) || name.contains(&0) {
        return Ok(None);
    }
    Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(name))))
}

impl FileStore {
    /// Plays a hot journal back, if there is one. The file is locked (shared), and is so afterwards.
    ///
    /// # Errors
    /// [`Error::HotJournal`] where nothing may be written; [`Error::Busy`] while others read or somebody else does it.
    pub(crate) async fn settle_journal(&self, io: &IoHandle) -> Result<()> {
        if !self.has_hot_journal(io)? {
            return Ok(());
        }
        if self.read_only {
            return Err(Error::HotJournal(self.journal_path()));
        }
        let before = self.lock.level();
        self.lock.lock(LockLevel::Exclusive)?;
        let result = self.play_back(io).await;
        if before < LockLevel::Exclusive {
            self.lock.unlock(LockLevel::Shared)?;
        }
        result
    }

    /// Brings the file back to what it was before the commit that the journal belongs to. The file is locked
    /// exclusively.
    pub(crate) async fn play_back(&self, io: &IoHandle) -> Result<()> {
        let path = self.journal_path();
        // Somebody else may have been faster.
        let journal = match io.open(&path, &OpenOptions::new()) {
            Ok(journal) => journal,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let name = super_name(io, &journal)?;
        let done = match &name {
            Some(name) => !is_there(io, name)?,
            None => false,
        };
        if !done {
            self.restore(io, &journal).await?;
            io.sync(&self.file, SyncMode::Full).await?;
        }
        drop(journal);
        delete_if_there(io, &path)?;
        io.sync_dir_of(&path)?;
        if let Some(name) = name.filter(|_| !done) {
            forget_super_journal(io, &name)?;
        }
        Ok(())
    }

    async fn restore(&self, io: &IoHandle, journal: &File) -> Result<()> {
        let size = journal.len()?;
        let mut first: Option<JournalHeader> = None;
        let mut at = 0;
        let file_page_size = self.page_size_in_file(io)?;
        loop {
            let mut bytes = [0; HEADER];
            if io.read_now(journal, at, &mut bytes)? < HEADER {
                break;
            }
            let Some(header) = JournalHeader::decode(&bytes, first.as_ref(), file_page_size) else {
                break;
            };
            let sector = u64::from(header.sector);
            at += sector;
            if first.is_none() {
                let length = u64::from(header.page_count) * u64::from(header.page_size);
                let now = self.file.len()?;
                if now > length {
                    // If reading is given up, nothing may land in the file after its lock is gone.
                    io.truncate_now(&self.file, length)?;
                } else if now < length && length > 0 {
                    // The last page has to be there; what is between comes from the journal.
                    io.write_now(&self.file, length - 1, &[0])?;
                }
                first = Some(header);
            }
            let layout = first.unwrap_or(header);
            let record = 8 + u64::from(layout.page_size);
            let room = size.saturating_sub(at) / record;
            let count = match header.records {
                ALL => room,
                records => u64::from(records).min(room),
            };
            let (read, whole) = self
                .restore_records(io, journal, at, count, &header, &layout)
                .await?;
            at += read * record;
            if !whole || header.records == ALL {
                break;
            }
            at = at.div_ceil(sector) * sector;
        }
        Ok(())
    }

    /// Writes records back; how many there were, and whether none was missing.
    async fn restore_records(
        &self,
        io: &IoHandle,
        journal: &File,
        from: u64,
        count: u64,
        header: &JournalHeader,
        layout: &JournalHeader,
    ) -> Result<(u64, bool)> {
        let page_size = layout.page_size as usize;
        let record = 8 + page_size;
        let lock_byte_page = (PENDING_BYTE / page_size as u64) as u32 + 1;
        let mut at = 0;
        while at < count {
            let some = ((1 << 20) / record).clamp(1, (count - at) as usize);
            let buf = io.alloc(some * record);
            let buf = io
                .read_exact(journal, from + at * record as u64, buf)
                .await?;
            for bytes in buf.chunks_exact(record) {
                let no = get(bytes, 0);
                let page = &bytes[4..4 + page_size];
                let right = checksum(header.nonce, page) == get(bytes, 4 + page_size);
                if no == 0 || no == lock_byte_page || !right {
                    return Ok((at, false));
                }
                at += 1;
                if no <= layout.page_count {
                    io.write_now(&self.file, u64::from(no - 1) * page_size as u64, page)?;
                }
            }
        }
        Ok((at, true))
    }

    fn page_size_in_file(&self, io: &IoHandle) -> Result<u32> {
        let mut bytes = [0; 2];
        if io.read_now(&self.file, 16, &mut bytes)? < 2 {
            return Ok(4096);
        }
        Ok(match u16::from_be_bytes(bytes) {
            1 => 65536,
            size => u32::from(size),
        })
    }
}

/// Whether a super-journal is there; what cannot be told is an error, for a commit depends on it.
fn is_there(io: &IoHandle, name: &Path) -> Result<bool> {
    match io.open(name, &OpenOptions::read_only()) {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a super-journal that no journal names any more.
fn forget_super_journal(io: &IoHandle, name: &Path) -> Result<()> {
    let file = match io.open(name, &OpenOptions::read_only()) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut names = vec![0; file.len()?.min(1 << 20) as usize];
    io.read_exact_now(&file, 0, &mut names)?;
    drop(file);
    for child in names.split(|&byte| byte == 0).filter(|n| !n.is_empty()) {
        let child = Path::new(std::ffi::OsStr::from_bytes(child));
        let journal = match io.open(child, &OpenOptions::read_only()) {
            Ok(journal) => journal,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        if super_name(io, &journal)?.as_deref() == Some(name) {
            return Ok(());
        }
    }
    delete_if_there(io, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_names_are_read_as_written() {
        let header = JournalHeader {
            records: 3,
            nonce: 77,
            page_count: 9,
            sector: SECTOR,
            page_size: 1024,
        };
        let bytes = header.encode(true);
        let start: [u8; HEADER] = bytes[..HEADER].try_into().expect("28 bytes");
        assert_eq!(JournalHeader::decode(&start, None, 4096), Some(header));
        let unsealed: [u8; HEADER] = header.encode(false)[..HEADER].try_into().expect("28 bytes");
        assert_eq!(JournalHeader::decode(&unsealed, None, 4096), None);
        let io = IoHandle::in_memory();
        let file = io.open("/j", &OpenOptions::create()).expect("opens");
        assert_eq!(super_name(&io, &file), Ok(None));
        io.write_now(&file, 0, &super_record(Path::new("/a/b-mj1"), 4096))
            .expect("writes");
        assert_eq!(super_name(&io, &file), Ok(Some(PathBuf::from("/a/b-mj1"))));
        assert_eq!(checksum(5, &[1; 512]), 5 + 2);
    }
}
