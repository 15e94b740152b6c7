//! A simulated machine: a disk that loses what was not synced, processes that die, and a clock that
//! moves only when something happens.
//!
//! ```text
//!   SimProcess 1   SimProcess 2          each with its own handle, killed on its own
//!        │ perform      │
//!        ▼              ▼
//!   SimDisk ── files (what a read sees) ── ledger per file: durable bytes + pending changes
//!        │                                        sync ──► pending become durable
//!        └── crash ──► another SimDisk: durable bytes + some of the pending sectors
//! ```
//!
//! Rules
//! 1. Everything random comes from the seed; the same seed and the same calls give the same
//!    [`SimDisk::trace`].
//! 2. A write changes what everybody reads at once. It is durable only when a sync of the file that
//!    was performed later succeeds. A crash keeps any subset of the pending sectors (512 bytes,
//!    each as it was after one of its writes), and any of the pending sizes.
//! 3. Names (created, renamed, deleted) are durable when their directory is synced; a crash keeps a
//!    beginning of the others, as a journalling file system does.
//! 4. A sync that fails makes some of the pending changes durable and forgets the others: no later
//!    sync brings them back, although they can still be read.
//! 5. A write that fails may have written some of its sectors.
//! 6. A process that is killed loses its locks and its operations in flight, of which some still
//!    happen; a machine that loses power likewise. Nothing that a dead process does has an effect.
//! 7. An operation in flight is performed at a moment that the seed chooses, in any order with the
//!    others.
//!
//! Absent: bit rot and misdirected writes, which SQLite's format cannot notice.

mod ledger;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::IoOp;
use crate::memory::{MemFile, MemFs};
use crate::op::{Durability, Op};

use ledger::{Ledger, NameChange, Pending};

/// What a crash keeps or loses as a whole.
const SECTOR: u64 = 512;

/// A generator of random numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed ^ 0x5851_F42D_4C95_7F2D)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.number() % n
    }

    /// True in `permille` of a thousand cases.
    pub fn permille(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < u64::from(permille)
    }
}

/// What goes wrong, in thousandths of the operations of its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Reads that fail with EIO.
    pub read: u32,
    /// Writes that fail with EIO, perhaps after some of their sectors.
    pub write: u32,
    /// Syncs that fail with EIO, of files and of directories.
    pub sync: u32,
    /// Truncations and reservations that fail with EIO.
    pub truncate: u32,
    /// Names that cannot be opened, renamed or deleted (EIO).
    pub name: u32,
    /// Locks that somebody else seems to hold.
    pub busy: u32,
    /// Bytes that the disk holds; what would exceed them fails with ENOSPC.
    pub capacity: Option<u64>,
    /// The operation of this number (from 1, counted from now) fails.
    pub nth: Option<Nth>,
}

/// One operation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nth {
    /// Its number among the operations that can fail, from 1.
    pub at: u64,
    /// With this.
    pub errno: i32,
    /// And all after it.
    pub for_good: bool,
}

/// Which syncs say that they have synced and have not: what a program that forgets them would get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// None.
    #[default]
    None,
    /// Those of logs and journals.
    Log,
    /// Those of database files.
    Database,
}

const ALIVE: u8 = 0;
const DYING: u8 = 1;
const DEAD: u8 = 2;

/// A simulated disk, with the clock of its machine. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    fs: MemFs,
    state: Arc<Mutex<State>>,
    power: Arc<AtomicU8>,
}

struct State {
    chance: Chance,
    now_ns: u64,
    trace: u64,
    operations: u64,
    fallible: u64,
    cut_at: Option<u64>,
    faults: Faults,
    lie: Lie,
    ledgers: BTreeMap<u64, Ledger>,
    /// The names that a crash leaves.
    durable_names: BTreeMap<PathBuf, u64>,
    /// What happened to names since.
    name_log: Vec<NameChange>,
    processes: u32,
    verbose: bool,
}

impl State {
    /// Mixes what happened into the trace.
    fn note(&mut self, what: &[u64]) {
        for &word in what {
            self.trace = (self.trace ^ word)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29);
        }
    }

    fn note_bytes(&mut self, bytes: &[u8]) {
        let mut hash = bytes.len() as u64;
        for word in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..word.len()].copy_from_slice(word);
            hash = (hash ^ u64::from_le_bytes(eight))
                .wrapping_mul(0xFF51_AFD7_ED55_8CCD)
                .rotate_left(31);
        }
        self.note(&[hash]);
    }

    /// Time passes, the operation is counted, and perhaps it fails.
    fn begin(&mut self, power: &AtomicU8, rate: u32) -> Result<(), i32> {
        self.now_ns += 1_000 + self.chance.below(100_000);
        self.operations += 1;
        if self.cut_at.is_some_and(|at| self.operations >= at) {
            power.fetch_max(DYING, Relaxed);
        }
        self.fallible += 1;
        if let Some(nth) = self.faults.nth {
            if self.fallible == nth.at || (nth.for_good && self.fallible > nth.at) {
                return Err(nth.errno);
            }
        }
        if self.chance.permille(rate) {
            Err(libc::EIO)
        } else {
            Ok(())
        }
    }

    fn lies_about(&self, path: &Path) -> bool {
        let name = path.to_string_lossy();
        let log = name.ends_with("-wal") || name.ends_with("-journal");
        match self.lie {
            Lie::None => false,
            Lie::Log => log,
            Lie::Database => !log,
        }
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk {
            fs: MemFs::new(),
            state: Arc::new(Mutex::new(State {
                chance: Chance::new(seed),
                now_ns: 1_000_000_000,
                trace: seed,
                operations: 0,
                fallible: 0,
                cut_at: None,
                faults: Faults::default(),
                lie: Lie::None,
                ledgers: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                name_log: Vec::new(),
                processes: 0,
                verbose: false,
            })),
            power: Arc::new(AtomicU8::new(ALIVE)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another process of the machine.
    pub fn process(&self) -> SimProcess {
        let mut state = self.state();
        state.processes += 1;
        SimProcess {
            disk: self.clone(),
            number: state.processes,
            life: Arc::new(AtomicU8::new(ALIVE)),
        }
    }

    /// A hash of everything that was done on this disk and the ones that it came from.
    pub fn trace(&self) -> u64 {
        self.state().trace
    }

    /// The operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// From now on these go wrong; operations are counted anew for [`Faults::nth`].
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        state.faults = faults;
        state.fallible = 0;
    }

    /// The operations since [`SimDisk::set_faults`] that [`Faults::nth`] counts.
    pub fn fallible(&self) -> u64 {
        self.state().fallible
    }

    /// From now on these syncs do nothing.
    pub fn set_lie(&self, lie: Lie) {
        self.state().lie = lie;
    }

    /// From now on every operation is told on standard error.
    pub fn set_verbose(&self, verbose: bool) {
        self.state().verbose = verbose;
    }

    /// The power fails with the operation of this number; see [`SimDisk::operations`].
    pub fn cut_at(&self, operation: u64) {
        self.state().cut_at = Some(operation);
    }

    /// The power fails now.
    pub fn cut(&self) {
        self.power.fetch_max(DYING, Relaxed);
    }

    /// Whether the power has failed.
    pub fn is_off(&self) -> bool {
        self.power.load(Relaxed) != ALIVE
    }

    /// Nanoseconds since the machine was started.
    pub fn now_ns(&self) -> u64 {
        self.state().now_ns
    }

    /// Time passes until `ns`.
    pub fn advance_to(&self, ns: u64) {
        let mut state = self.state();
        state.now_ns = state.now_ns.max(ns);
    }

    /// The disk of the machine that is started after the power failed: what was durable, and some
    /// of what was not. This disk is of no use to anybody afterwards.
    #[must_use]
    pub fn crash(&self) -> SimDisk {
        self.power.store(DEAD, Relaxed);
        let mut state = self.state();
        let seed = state.chance.number();
        let mut chance = Chance::new(seed);
        let kept = chance.below(state.name_log.len() as u64 + 1) as usize;
        let kept = match chance.below(4) {
            0 => 0,
            1 => state.name_log.len(),
            _ => kept,
        };
        let mut names = state.durable_names.clone();
        for change in &state.name_log[..kept] {
            change.apply(&mut names);
        }
        let after = SimDisk::new(seed);
        {
            let mut fresh = after.state();
            fresh.now_ns = state.now_ns + 1_000_000_000;
            fresh.lie = state.lie;
            fresh.verbose = state.verbose;
            state.note(&[seed]);
            fresh.trace = state.trace;
            fresh.operations = state.operations;
            for (path, ino) in names {
                let bytes = state.ledgers[&ino].crash(&mut chance);
                fresh.note_bytes(&bytes);
                let file = after.fs.put(&path, &bytes);
                fresh.durable_names.insert(path, file.ino);
                let ledger = Ledger {
                    durable: bytes,
                    pending: Vec::new(),
                };
                fresh.ledgers.insert(file.ino, ledger);
            }
        }
        after
    }

    /// Every named file with its bytes, as a program would read them now.
    pub fn image(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.fs.image()
    }

    /// Puts a file onto the disk, durable, in place of one of the same name.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let mut state = self.state();
        let file = self.fs.put(path.as_ref(), bytes);
        state
            .durable_names
            .insert(path.as_ref().to_path_buf(), file.ino);
        let ledger = Ledger {
            durable: bytes.to_vec(),
            pending: Vec::new(),
        };
        state.ledgers.insert(file.ino, ledger);
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SimDisk({:?}, {} operations)",
            self.fs,
            self.operations()
        )
    }
}

/// A process on a simulated machine; the driver of a handle, and of the files that it opens.
#[derive(Clone)]
pub struct SimProcess {
    pub(crate) disk: SimDisk,
    number: u32,
    life: Arc<AtomicU8>,
}

impl SimProcess {
    /// Its names.
    pub(crate) fn fs(&self) -> MemFs {
        self.disk.fs.of_process(self.clone())
    }

    /// The machine's disk.
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The process ends without a word. What it has in flight may still happen, until
    /// [`SimProcess::bury`].
    pub fn kill(&self) {
        self.life.fetch_max(DYING, Relaxed);
    }

    /// Nothing that is left of the process has an effect any more.
    pub fn bury(&self) {
        self.life.store(DEAD, Relaxed);
    }

    fn life(&self) -> u8 {
        self.life.load(Relaxed).max(self.disk.power.load(Relaxed))
    }

    pub(crate) fn choose(&self, n: usize) -> usize {
        self.disk.state().chance.below(n as u64) as usize
    }

    pub(crate) fn seed(&self) -> u64 {
        self.disk.state().chance.number()
    }

    /// Performs an operation on a file.
    pub(crate) fn perform(&self, file: &MemFile, op: &mut Op) -> Result<u32, (IoOp, i32)> {
        let kind = op.kind();
        let mut state = self.disk.state();
        match self.life() {
            ALIVE => {}
            // What was in flight when the power failed may have reached the disk.
            DYING if state.chance.permille(500) => {
                if matches!(kind, IoOp::Write | IoOp::Truncate) {
                    let _ = state.change(file, op);
                }
                return Err((kind, libc::EIO));
            }
            _ => return Err((kind, libc::EIO)),
        }
        let rate = match kind {
            IoOp::Read => state.faults.read,
            IoOp::Write => state.faults.write,
            IoOp::Sync => 0,
            _ => state.faults.truncate,
        };
        let begun = match kind {
            IoOp::Sync => Ok(()),
            _ => state.begin(&self.disk.power, rate),
        };
        let words = [
            u64::from(self.number),
            kind as u64,
            op.offset().unwrap_or(0),
            op.byte_count() as u64,
            begun.err().unwrap_or(0) as u64,
        ];
        state.note(&words);
        if state.verbose {
            let (path, number) = (op.file().path(), state.operations);
            let ([process, _, offset, len, errno], verb) = (words, kind.verb());
            eprintln!(
                "{number:5} p{process} {verb} {} at {offset}, {len} bytes: {errno}{}",
                path.display(),
                if matches!(op, Op::WriteSync { .. }) {
                    " (then syncs)"
                } else {
                    ""
                }
            );
        }
        if kind == IoOp::Write {
            state.note_write(op);
        }
        if let Err(errno) = begun {
            if kind == IoOp::Write && state.chance.permille(500) {
                state.tear(file, op);
            }
            return Err((kind, errno));
        }
        if let Some(capacity) = state.faults.capacity {
            let end = op.offset().unwrap_or(0) + op.byte_count() as u64;
            let grows = end.saturating_sub(file.len());
            if kind == IoOp::Write && grows > 0 && self.disk.fs.bytes() + grows > capacity {
                state.note(&[28]);
                return Err((kind, libc::ENOSPC));
            }
        }
        let done = match kind {
            IoOp::Sync => 0,
            _ => state.change(file, op)?,
        };
        let syncs = match op {
            Op::Sync { .. } | Op::WriteSync { .. } => true,
            Op::Write { durability, .. } | Op::Writev { durability, .. } => {
                *durability == Durability::Dsync
            }
            _ => false,
        };
        // The power failed with this operation: nobody hears of it any more.
        if self.life() != ALIVE {
            return Err((kind, libc::EIO));
        }
        if syncs {
            let rate = state.faults.sync;
            let mut synced = state.begin(&self.disk.power, rate);
            if self.life() != ALIVE {
                if state.chance.permille(500) {
                    return Err((IoOp::Sync, libc::EIO));
                }
                synced = synced.and(Err(libc::EIO));
            }
            let lies = state.lies_about(op.file().path());
            state.note(&[7, u64::from(synced.is_err())]);
            let State {
                ledgers, chance, ..
            } = &mut *state;
            if let Some(ledger) = ledgers.get_mut(&file.ino) {
                match synced {
                    _ if lies => {}
                    Ok(()) => ledger.sync(),
                    Err(_) => ledger.fail_sync(chance),
                }
            }
            if let Err(errno) = synced {
                return Err((IoOp::Sync, errno));
            }
        }
        Ok(done)
    }

    /// Reads at once.
    pub(crate) fn read(&self, file: &MemFile, out: &mut [u8], offset: u64) -> Result<usize, i32> {
        let mut state = self.disk.state();
        if self.life() != ALIVE {
            return Err(libc::EIO);
        }
        let rate = state.faults.read;
        let begun = state.begin(&self.disk.power, rate);
        let errno = begun.err().unwrap_or(0) as u64;
        state.note(&[u64::from(self.number), 99, offset, out.len() as u64, errno]);
        if state.verbose {
            let (number, len) = (state.operations, out.len());
            eprintln!(
                "{number:5} p{} read at {offset}, {len} bytes: {errno}",
                self.number
            );
        }
        begun?;
        Ok(file.read_at(std::iter::once(out), offset))
    }

    /// Something happens to a name: it is opened, unlinked, renamed.
    pub(crate) fn name(&self, change: u64, path: &Path) -> Result<(), i32> {
        let mut state = self.disk.state();
        if self.life() != ALIVE {
            return Err(libc::EIO);
        }
        let rate = state.faults.name;
        let begun = state.begin(&self.disk.power, rate);
        let errno = begun.err().unwrap_or(0) as u64;
        state.note(&[u64::from(self.number), 50 + change, errno]);
        if state.verbose {
            let (number, verb) = (
                state.operations,
                ["open", "unlink", "rename"][change as usize],
            );
            eprintln!(
                "{number:5} p{} {verb} {}: {errno}",
                self.number,
                path.display()
            );
        }
        begun
    }

    pub(crate) fn linked(&self, path: &Path, ino: u64) {
        let mut state = self.disk.state();
        state.ledgers.insert(ino, Ledger::default());
        state
            .name_log
            .push(NameChange::Link(path.to_path_buf(), ino));
    }

    pub(crate) fn unlinked(&self, path: &Path) {
        let change = NameChange::Unlink(path.to_path_buf());
        self.disk.state().name_log.push(change);
    }

    pub(crate) fn renamed(&self, from: &Path, to: &Path) {
        let change = NameChange::Rename(from.to_path_buf(), to.to_path_buf());
        self.disk.state().name_log.push(change);
    }

    /// A file was emptied while it was opened.
    pub(crate) fn emptied(&self, ino: u64) {
        if let Some(ledger) = self.disk.state().ledgers.get_mut(&ino) {
            ledger.pending.push(Pending::Cut(0));
        }
    }

    /// Makes names durable.
    pub(crate) fn sync_dir(&self) -> Result<(), i32> {
        let mut state = self.disk.state();
        if self.life() != ALIVE {
            return Err(libc::EIO);
        }
        let rate = state.faults.sync;
        let begun = state.begin(&self.disk.power, rate);
        state.note(&[u64::from(self.number), 8, u64::from(begun.is_err())]);
        if state.verbose {
            let number = state.operations;
            eprintln!("{number:5} p{} sync directory: {begun:?}", self.number);
        }
        begun?;
        let State {
            name_log,
            durable_names,
            ..
        } = &mut *state;
        for change in name_log.drain(..) {
            change.apply(durable_names);
        }
        Ok(())
    }

    /// Whether a lock is refused although nobody holds it.
    pub(crate) fn seems_busy(&self) -> bool {
        let mut state = self.disk.state();
        let rate = state.faults.busy;
        state.chance.permille(rate)
    }

    /// Whether the process and its machine run.
    pub fn is_alive(&self) -> bool {
        self.life() == ALIVE
    }
}

impl State {
    /// Performs a change, and writes down what a crash may lose of it.
    fn change(&mut self, file: &MemFile, op: &mut Op) -> Result<u32, (IoOp, i32)> {
        let before = file.len();
        let (offset, len) = (op.offset().unwrap_or(0), op.byte_count() as u64);
        let done = file.apply(op)?;
        let Some(ledger) = self.ledgers.get_mut(&file.ino) else {
            return Ok(done);
        };
        match op {
            Op::Write { .. } | Op::Writev { .. } | Op::WriteSync { .. } => {
                ledger.wrote(file, before, offset, len);
            }
            Op::Truncate { len, .. } => ledger.pending.push(Pending::Cut(*len)),
            Op::Allocate { .. } if file.len() > before => {
                ledger.pending.push(Pending::Grow(file.len()));
            }
            _ => {}
        }
        Ok(done)
    }

    fn note_write(&mut self, op: &Op) {
        match op {
            Op::Write { buf, .. } => self.note_bytes(buf),
            Op::Writev { bufs, .. } | Op::WriteSync { bufs, .. } => {
                for buf in bufs {
                    self.note_bytes(buf);
                }
            }
            _ => {}
        }
    }

    /// Writes the first sectors of what was to be written.
    fn tear(&mut self, file: &MemFile, op: &Op) {
        let offset = op.offset().unwrap_or(0);
        let sectors = op.byte_count() as u64 / SECTOR;
        let mut left = (self.chance.below(sectors + 1) * SECTOR) as usize;
        let total = left as u64;
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut take = |bytes: &'_ [u8]| {
            let n = bytes.len().min(left);
            left -= n;
            n
        };
        match op {
            Op::Write { buf, .. } => {
                let n = take(buf);
                pieces.push(&buf[..n]);
            }
            Op::Writev { bufs, .. } | Op::WriteSync { bufs, .. } => {
                for buf in bufs {
                    let n = take(buf);
                    pieces.push(&buf[..n]);
                }
            }
            _ => {}
        }
        let before = file.len();
        if total > 0 && file.write_at(pieces.into_iter(), offset).is_ok() {
            if let Some(ledger) = self.ledgers.get_mut(&file.ino) {
                ledger.wrote(file, before, offset, total);
            }
        }
    }
}

impl fmt::Debug for SimProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimProcess({} on {:?})", self.number, self.disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriverChoice, IoHandle, OpenOptions, SyncMode};

    fn handle(disk: &SimDisk) -> (SimProcess, IoHandle) {
        let process = disk.process();
        let io = IoHandle::builder()
            .driver(DriverChoice::Simulated(process.clone()))
            .build();
        (process, io)
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_is_anybodys_guess() {
        let (mut kept, mut lost, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let (_, io) = handle(&disk);
            let file = io.open("/a", &OpenOptions::create()).unwrap();
            io.write_now(&file, 0, &[1; 2048]).unwrap();
            io.sync_now(&file, SyncMode::Data).unwrap();
            io.sync_dir_of("/a").unwrap();
            io.write_now(&file, 0, &[2; 2048]).unwrap();
            io.open("/b", &OpenOptions::create()).unwrap();
            disk.cut();
            let image = disk.crash().image();
            assert!(io.write_now(&file, 0, &[3; 8]).is_err());
            let bytes = &image[0].1;
            assert_eq!(bytes.len(), 2048);
            let whole = bytes.chunks(512).all(|s| s.iter().all(|b| *b == s[0]));
            assert!(whole, "a sector is one or the other");
            let twos = bytes.chunks(512).filter(|s| s[0] == 2).count();
            *match twos {
                0 => &mut lost,
                4 => &mut kept,
                _ => &mut torn,
            } += 1;
        }
        assert!(kept > 20 && lost > 20 && torn > 20, "{kept} {lost} {torn}");
    }

    #[test]
    fn a_failed_sync_is_not_made_good_by_the_next() {
        let mut lost = 0;
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            let (_, io) = handle(&disk);
            let file = io.open("/a", &OpenOptions::create()).unwrap();
            io.sync_dir_of("/a").unwrap();
            io.write_now(&file, 0, &[1; 512]).unwrap();
            disk.set_faults(Faults {
                sync: 1000,
                ..Faults::default()
            });
            assert!(io.sync_now(&file, SyncMode::Data).is_err());
            disk.set_faults(Faults::default());
            io.sync_now(&file, SyncMode::Data).unwrap();
            disk.cut();
            lost += u32::from(disk.crash().image()[0].1.first() != Some(&1));
        }
        assert!((10..40).contains(&lost), "{lost}");
    }

    #[test]
    fn the_dead_do_nothing_and_the_trace_repeats() {
        let run = |seed| {
            let disk = SimDisk::new(seed);
            let (process, io) = handle(&disk);
            let (_, other) = handle(&disk);
            let file = io.open("/a", &OpenOptions::create()).unwrap();
            io.write_now(&file, 0, b"one").unwrap();
            process.kill();
            process.bury();
            assert!(io.write_now(&file, 0, b"two").is_err());
            let mut out = [0; 3];
            let again = other.open("/a", &OpenOptions::new()).unwrap();
            other.read_exact_now(&again, 0, &mut out).unwrap();
            assert_eq!(&out, b"one");
            disk.trace()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn operations_in_flight_come_home_in_any_order() {
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let disk = SimDisk::new(seed);
            let (_, io) = handle(&disk);
            let file = io.open("/a", &OpenOptions::create()).unwrap();
            let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let tasks = (0..3u8).map(|i| {
                let (io, file, order) = (io.clone(), file.clone(), order.clone());
                let inner = io.clone();
                io.spawn(async move {
                    let buf = inner.alloc(8);
                    let _ = inner.read(&file, 0, buf).await;
                    order.borrow_mut().push(i);
                })
            });
            let tasks: Vec<_> = tasks.collect();
            io.block_on(async {
                for task in tasks {
                    let _ = task.await;
                }
            });
            orders.insert(order.borrow().clone());
        }
        assert!(orders.len() > 2, "{orders:?}");
    }
}
