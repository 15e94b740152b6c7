//! What of a simulated disk is durable, what a crash may lose, and what it may tear: of each file, and of the names.
//!
//! ```text
//! Ledger ─ durable ◄── sync ── pending: sectors written, growth, cuts, in order
//!                  ◄── crash ─ some of them
//! ```
//!
//! The rules are those of the [machine](super) (2 to 5).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Chance, SECTOR};
use crate::memory::MemFile;

/// What of a file is where.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Pending>,
}

pub(super) enum Pending {
    /// Sectors from this byte on, as the file had them then.
    Bytes(u64, Vec<u8>),
    /// The file became at least this long.
    Grow(u64),
    /// The file became this long.
    Cut(u64),
}

#[derive(Clone)]
pub(super) enum NameChange {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Ledger {
    /// Writes down the sectors that a write touched, whole.
    pub(super) fn wrote(&mut self, file: &MemFile, before: u64, offset: u64, len: u64) {
        if len == 0 {
            return;
        }
        if file.len() > before {
            self.pending.push(Pending::Grow(file.len()));
        }
        let from = offset / SECTOR * SECTOR;
        let to = (offset + len).next_multiple_of(SECTOR).min(file.len());
        let mut bytes = vec![0; (to - from) as usize];
        file.read_at(std::iter::once(&mut bytes[..]), from);
        self.pending.push(Pending::Bytes(from, bytes));
    }

    fn apply(durable: &mut Vec<u8>, change: &Pending, keeps: &mut impl FnMut() -> bool) {
        match change {
            Pending::Bytes(offset, bytes) => {
                for (i, sector) in bytes.chunks(SECTOR as usize).enumerate() {
                    if keeps() {
                        let at = *offset as usize + i * SECTOR as usize;
                        if durable.len() < at + sector.len() {
                            durable.resize(at + sector.len(), 0);
                        }
                        durable[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
            Pending::Grow(len) => {
                if keeps() && durable.len() < *len as usize {
                    durable.resize(*len as usize, 0);
                }
            }
            Pending::Cut(len) => {
                if keeps() {
                    durable.resize(*len as usize, 0);
                }
            }
        }
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            Ledger::apply(&mut self.durable, &change, &mut || true);
        }
    }

    /// Some changes become durable, the others never will.
    pub(super) fn fail_sync(&mut self, chance: &mut Chance) {
        for change in self.pending.drain(..) {
            if chance.permille(500) {
                Ledger::apply(&mut self.durable, &change, &mut || true);
            }
        }
    }

    /// What is left of the file after a crash.
    pub(super) fn crash(&self, chance: &mut Chance) -> Vec<u8> {
        let mut durable = self.durable.clone();
        let kept = match chance.below(8) {
            0 => 0,
            1 => 1000,
            2 => 950,
            3 => 50,
            4 => {
                // In order, up to some point.
                let whole = chance.below(self.pending.len() as u64 + 1) as usize;
                for change in &self.pending[..whole] {
                    Ledger::apply(&mut durable, change, &mut || true);
                }
                if let Some(torn) = self.pending.get(whole) {
                    let mut left = chance.below(16);
                    Ledger::apply(&mut durable, torn, &mut || {
                        left = left.saturating_sub(1);
                        left > 0
                    });
                }
                return durable;
            }
            _ => 500,
        };
        for change in &self.pending {
            Ledger::apply(&mut durable, change, &mut || chance.permille(kept));
        }
        durable
    }
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            NameChange::Link(path, ino) => {
                names.insert(path.clone(), *ino);
            }
            NameChange::Unlink(path) => {
                names.remove(path);
            }
            NameChange::Rename(from, to) => {
                if let Some(ino) = names.remove(from) {
                    names.insert(to.clone(), ino);
                }
            }
        }
    }
}
