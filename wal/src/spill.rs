//! A file without a name, in slots of one page each: where pages go that a transaction cannot keep in memory and the
//! log cannot hold: those of temporary databases, and the pre-images of savepoints.
//!
//! Rules:
//! 1. A [`SlotRef`] is a share in a slot; with the last one the slot is free for another page.
//! 2. The file is made when the first page goes there, and is gone with the last share.

use crate::error::Result;
use ringwood_io::{Buf, File, IoHandle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Slots {
    free: Vec<u32>,
    next: u32,
}

#[derive(Debug)]
struct Shared {
    file: File,
    page_size: u32,
    slots: Mutex<Slots>,
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A spill file; clones are the same file.
#[derive(Clone, Debug)]
pub(crate) struct SpillFile(Arc<Shared>);

#[derive(Debug)]
struct Slot {
    file: SpillFile,
    number: u32,
}

/// A share in a slot and the page in it.
#[derive(Clone, Debug)]
pub(crate) struct SlotRef(Arc<Slot>);

impl SpillFile {
    /// A new file in the directory for temporary files.
    pub(crate) fn new(io: &IoHandle, page_size: u32) -> Result<SpillFile> {
        let file = io.open_temporary(None)?;
        Ok(SpillFile(Arc::new(Shared {
            file,
            page_size,
            slots: Mutex::default(),
        })))
    }

    /// Writes pages to slots of their own. On an error no slot is kept.
    pub(crate) async fn write(&self, io: &IoHandle, pages: Vec<Buf>) -> Result<Vec<SlotRef>> {
        let mut slots: Vec<SlotRef> = Vec::with_capacity(pages.len());
        for _ in &pages {
            slots.push(self.take());
        }
        let requests = slots
            .iter()
            .map(SlotRef::offset)
            .zip(pages.into_iter().map(Into::into))
            .collect();
        io.write_many(&self.0.file, requests).await?;
        Ok(slots)
    }

    fn take(&self) -> SlotRef {
        let mut slots = self.0.slots();
        let number = slots.free.pop().unwrap_or_else(|| {
            slots.next += 1;
            slots.next - 1
        });
        SlotRef(Arc::new(Slot {
            file: self.clone(),
            number,
        }))
    }

    /// Pages that the file has room for so far.
    #[cfg(test)]
    pub(crate) fn slot_count(&self) -> u32 {
        self.0.slots().next
    }
}

impl SlotRef {
    fn offset(&self) -> u64 {
        u64::from(self.0.number) * u64::from(self.0.file.0.page_size)
    }

    /// Reads the page.
    pub(crate) async fn read(&self, io: &IoHandle, buf: Buf) -> Result<Buf> {
        Ok(io
            .read_exact(&self.0.file.0.file, self.offset(), buf)
            .await?)
    }

    /// Reads the page, now.
    pub(crate) fn read_now(&self, io: &IoHandle, buf: &mut Buf) -> Result<()> {
        Ok(io.read_exact_now(&self.0.file.0.file, self.offset(), buf)?)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.file.0.slots().free.push(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_hold_pages_and_are_reused() {
        let io = IoHandle::in_memory();
        io.clone().block_on(async {
            let file = SpillFile::new(&io, 512).expect("opens");
            let page = |byte: u8| {
                let mut buf = io.alloc(512);
                buf.fill(byte);
                buf
            };
            let slots = file
                .write(&io, vec![page(1), page(2), page(3)])
                .await
                .expect("writes");
            let again = slots[1].clone();
            assert_eq!(
                again.read(&io, io.alloc(512)).await.expect("reads")[..],
                [2; 512]
            );
            drop((slots, again));
            let slots = file
                .write(&io, vec![page(9), page(8)])
                .await
                .expect("writes");
            assert_eq!(file.slot_count(), 3);
            let mut buf = io.alloc(512);
            slots[0].read_now(&io, &mut buf).expect("reads");
            assert_eq!(buf[..], [9; 512]);
        });
    }
}
