//! The face of all this to the layers above: one [`IoHandle`] per thread.
//!
//! Each operation comes in two forms: `async`, which lets other tasks run meanwhile, and `…_now`,
//! which does not and is for set-up paths. What is between a call and its completion is told in
//! [`reactor`](crate::reactor); tasks and timers in [`executor`](crate::executor).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::driver::blocking::{self, Blocking};
use crate::driver::delayed::{Delayed, Delays};
use crate::driver::ring_setup::{RingInfo, RingOptions};
use crate::driver::simulated::Simulated;
use crate::driver::uring::Uring;
use crate::driver::{Clock, Driver, Io, Names};
use crate::error::{IoError, IoOp, Result};
use crate::executor::Executor;
use crate::file::{self, FileIdentity, OpenOptions};
use crate::memory::MemFs;
use crate::op::{Done, Durability, Op, SyncMode};
use crate::reactor::{Gather, OpFuture, OpState, Reactor};
use crate::simulated::SimProcess;
use crate::stats::{Counters, IoStats, add};
use crate::wake::{RemoteWaker, Shared};
use crate::{Arena, Buf, File, WriteBuf, syscall};

/// A thread's access to I/O, time, randomness and its executor. Cheap to clone, not `Send`.
#[derive(Clone)]
pub struct IoHandle(pub(crate) Rc<Reactor>);

/// Which driver a handle gets.
#[derive(Clone, Debug, Default)]
pub enum DriverChoice {
    /// The best that works here: `uring`, else `blocking`.
    #[default]
    Auto,
    /// The ring with these settings; `blocking` where the kernel refuses.
    Uring(RingOptions),
    /// Plain system calls.
    Blocking,
    /// Files in memory, by name in this name space.
    Memory(MemFs),
    /// A process on a simulated machine; time and chance are the machine's too.
    Simulated(SimProcess),
}

/// Settings of a handle.
#[derive(Clone, Debug)]
pub struct IoBuilder {
    driver: DriverChoice,
    arena: Option<Arena>,
    seed: Option<u64>,
    delays: Delays,
}

impl IoBuilder {
    /// Which driver; the default is `Auto`, or what the variable `RINGWOOD_IO` says
    /// (`uring`, `blocking`).
    #[must_use]
    pub fn driver(mut self, driver: DriverChoice) -> IoBuilder {
        self.driver = driver;
        self
    }

    /// Where buffers come from; the default is the process's arena.
    #[must_use]
    pub fn arena(mut self, arena: Arena) -> IoBuilder {
        self.arena = Some(arena);
        self
    }

    /// Seeds [`IoHandle::rand`], which else is seeded by the kernel.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> IoBuilder {
        self.seed = Some(seed);
        self
    }

    /// By how much operations are late, for measurements; the default is nothing, or what the variable
    /// `RINGWOOD_IO_DELAY` says (`read=80us,flush=1600us`). A simulated machine has its own time.
    #[must_use]
    pub fn delays(mut self, delays: Delays) -> IoBuilder {
        self.delays = delays;
        self
    }

    /// The handle. Costs no system call but the seed's; a ring is set up when first needed.
    pub fn build(self) -> IoHandle {
        let shared = Arc::new(Shared::default());
        let counters = Rc::new(Counters::default());
        let arena = self.arena.unwrap_or_else(|| Arena::global().clone());
        let ring = |options| {
            let (arena, counters) = (arena.clone(), counters.clone());
            Driver::Uring(Box::new(Uring::new(
                options,
                arena,
                counters,
                shared.clone(),
            )))
        };
        let blocking = || Driver::Blocking(Blocking::new(counters.clone(), shared.clone()));
        let (mut clock, mut own_seed) = (Clock::System, self.seed);
        let (driver, names) = match self.driver {
            DriverChoice::Auto => (ring(RingOptions::default()), Names::Os),
            DriverChoice::Uring(options) => (ring(options), Names::Os),
            DriverChoice::Blocking => (blocking(), Names::Os),
            DriverChoice::Memory(fs) => (blocking(), Names::Memory(fs)),
            DriverChoice::Simulated(process) => {
                let names = Names::Memory(process.fs());
                clock = Clock::Simulated(process.disk().clone());
                own_seed = own_seed.or(Some(process.seed()));
                let driver = Simulated::new(process, counters.clone());
                (Driver::Simulated(driver), names)
            }
        };
        let driver = match driver {
            Driver::Simulated(_) => driver,
            driver if self.delays.is_none() => driver,
            driver => Driver::Delayed(Delayed::new(driver, self.delays)),
        };
        let seed = own_seed.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            syscall::random(&mut bytes);
            u64::from_ne_bytes(bytes)
        });
        IoHandle(Rc::new(Reactor {
            driver: RefCell::new(driver),
            names,
            clock,
            rng: Cell::new(seed),
            arena,
            counters,
            slots: RefCell::default(),
            backlog: RefCell::default(),
            in_flight: Cell::new(0),
            gathering: Cell::new(0),
            completed: RefCell::default(),
            exec: Executor::new(shared),
        }))
    }
}

thread_local! {
    static THREAD: RefCell<Option<IoHandle>> = const { RefCell::new(None) };
}

impl IoHandle {
    /// This thread's handle, with the default settings, made when first asked for.
    pub fn for_thread() -> IoHandle {
        THREAD.with(|t| {
            t.borrow_mut()
                .get_or_insert_with(|| IoHandle::builder().build())
                .clone()
        })
    }

    /// Settings for a handle of one's own.
    pub fn builder() -> IoBuilder {
        let driver = match std::env::var("RINGWOOD_IO").as_deref() {
            Ok("blocking") => DriverChoice::Blocking,
            _ => DriverChoice::Auto,
        };
        IoBuilder {
            driver,
            arena: None,
            seed: None,
            delays: std::env::var("RINGWOOD_IO_DELAY")
                .ok()
                .and_then(|text| Delays::parse(&text))
                .unwrap_or_default(),
        }
    }

    /// A handle whose files are in memory, in a name space of their own.
    pub fn in_memory() -> IoHandle {
        IoHandle::builder()
            .driver(DriverChoice::Memory(MemFs::new()))
            .build()
    }

    /// Whether both are the same handle.
    pub fn is_same(&self, other: &IoHandle) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Where this handle's buffers come from.
    #[inline]
    pub fn arena(&self) -> &Arena {
        &self.0.arena
    }

    /// A buffer of `len` bytes with unspecified contents.
    #[inline]
    pub fn alloc(&self, len: usize) -> Buf {
        self.0.arena.alloc(len)
    }

    /// The driver that performs operations: "uring", "blocking", "memory" or "simulated". Sets the ring up, if
    /// one is wanted and there is none yet.
    pub fn driver_name(&self) -> &'static str {
        match (&self.0.names, self.ring_info()) {
            (Names::Memory(fs), _) if fs.process().is_some() => "simulated",
            (Names::Memory(_), _) => "memory",
            (_, Some(RingInfo { level: Some(_), .. })) => "uring",
            _ => "blocking",
        }
    }

    /// What became of the ring, where one was wanted. Sets it up, if there is none yet.
    pub fn ring_info(&self) -> Option<RingInfo> {
        self.0.driver.borrow_mut().ring_info()
    }

    /// Whether the ring can register buffers; `None` without a ring.
    pub(crate) fn try_register_buffers(&self) -> Option<Result<(), i32>> {
        self.0.driver.borrow_mut().try_buffers()
    }

    /// Counts since the handle was made.
    pub fn stats(&self) -> IoStats {
        self.0.counters.snapshot()
    }

    /// Operations started and not completed, orphaned ones included.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.get() + self.0.backlog.borrow().len()
    }

    // ---- operations ----

    /// Starts an operation. It proceeds whether the future is polled or not.
    pub fn start(&self, op: Op) -> OpFuture {
        let r = &self.0;
        let mut driver = r.driver.borrow_mut();
        let at_once = op.file().is_memory() || driver.is_inline() || r.is_alone();
        let state = if at_once && !driver.always_queues() {
            OpState::Ready(driver.run(op))
        } else {
            OpState::Waiting(r.enqueue(op))
        };
        drop(driver);
        OpFuture {
            io: self.clone(),
            state,
        }
    }

    /// Performs an operation now, waiting for it.
    pub fn run(&self, op: Op) -> Done {
        self.0.driver.borrow_mut().run(op)
    }

    /// Until the result is dropped, operations are queued, so that they reach the kernel together.
    pub fn gather(&self) -> Gather {
        self.0.gathering.set(self.0.gathering.get() + 1);
        Gather(self.clone())
    }

    /// Reads into `buf`; the number of bytes is less than its length only at the end of the file.
    pub async fn read(&self, file: &File, offset: u64, buf: Buf) -> (Buf, Result<usize>) {
        let done = self
            .start(Op::Read {
                file: file.clone(),
                offset,
                buf,
            })
            .await;
        let Op::Read { buf, .. } = done.op else {
            unreachable!("comes home as it went")
        };
        (buf, done.result.map(|n| n as usize))
    }

    /// Reads all of `buf`.
    ///
    /// # Errors
    /// Of kind `ShortRead` where the file ends before; the buffer is then gone.
    pub async fn read_exact(&self, file: &File, offset: u64, buf: Buf) -> Result<Buf> {
        let (buf, n) = self.read(file, offset, buf).await;
        exact(file, offset, buf.len(), n?)?;
        Ok(buf)
    }

    /// Reads adjacent bytes into several buffers.
    pub async fn readv(
        &self,
        file: &File,
        offset: u64,
        bufs: Vec<Buf>,
    ) -> (Vec<Buf>, Result<usize>) {
        let done = self
            .start(Op::Readv {
                file: file.clone(),
                offset,
                bufs,
            })
            .await;
        let Op::Readv { bufs, .. } = done.op else {
            unreachable!("comes home as it went")
        };
        (bufs, done.result.map(|n| n as usize))
    }

    /// Reads at several places at once: one trip to the ring for all of them. The results come in
    /// the order of the requests.
    pub async fn read_many(
        &self,
        file: &File,
        requests: Vec<(u64, Buf)>,
    ) -> Vec<(Buf, Result<usize>)> {
        let started: Vec<OpFuture> = {
            let _gather = (requests.len() > 1).then(|| self.gather());
            let op = |(offset, buf)| Op::Read {
                file: file.clone(),
                offset,
                buf,
            };
            requests.into_iter().map(|r| self.start(op(r))).collect()
        };
        let mut results = Vec::with_capacity(started.len());
        for future in started {
            let done = future.await;
            let Op::Read { buf, .. } = done.op else {
                unreachable!("comes home as it went")
            };
            results.push((buf, done.result.map(|n| n as usize)));
        }
        results
    }

    /// Writes all of `buf`.
    pub async fn write(
        &self,
        file: &File,
        offset: u64,
        buf: impl Into<WriteBuf>,
        durability: Durability,
    ) -> (WriteBuf, Result<()>) {
        let op = Op::Write {
            file: file.clone(),
            offset,
            buf: buf.into(),
            durability,
        };
        let done = self.start(op).await;
        let Op::Write { buf, .. } = done.op else {
            unreachable!("comes home as it went")
        };
        (buf, done.result.map(drop))
    }

    /// Writes several buffers, one after the other.
    pub async fn writev(
        &self,
        file: &File,
        offset: u64,
        bufs: Vec<WriteBuf>,
        durability: Durability,
    ) -> (Vec<WriteBuf>, Result<()>) {
        let done = self
            .start(Op::Writev {
                file: file.clone(),
                offset,
                bufs,
                durability,
            })
            .await;
        let Op::Writev { bufs, .. } = done.op else {
            unreachable!("comes home as it went")
        };
        (bufs, done.result.map(drop))
    }

    /// Writes several buffers, one after the other, and syncs: durable when it returns.
    ///
    /// # Errors
    /// `op` says whether writing or syncing failed.
    pub async fn write_sync(
        &self,
        file: &File,
        offset: u64,
        bufs: Vec<WriteBuf>,
        mode: SyncMode,
    ) -> (Vec<WriteBuf>, Result<()>) {
        let done = self
            .start(Op::WriteSync {
                file: file.clone(),
                offset,
                bufs,
                mode,
            })
            .await;
        let Op::WriteSync { bufs, .. } = done.op else {
            unreachable!("comes home as it went")
        };
        (bufs, done.result.map(drop))
    }

    /// Writes at several places: at once where others are at work too, else one after the other. A write into the page
    /// cache is a copy; the kernel has a worker make it where it comes by the ring, which costs more than the copy.
    ///
    /// # Errors
    /// The first in the order of the requests; the others were made all the same.
    pub async fn write_many(&self, file: &File, requests: Vec<(u64, WriteBuf)>) -> Result<()> {
        let started: Vec<OpFuture> = {
            let gathers = requests.len() > 1 && !self.0.is_alone();
            let _gather = gathers.then(|| self.gather());
            let durability = Durability::Cached;
            let op = |(offset, buf)| Op::Write {
                file: file.clone(),
                offset,
                buf,
                durability,
            };
            requests.into_iter().map(|r| self.start(op(r))).collect()
        };
        let mut result = Ok(());
        for future in started {
            result = result.and(future.await.result.map(drop));
        }
        result
    }

    /// Makes completed writes durable. After an error it is unknown which writes are.
    pub async fn sync(&self, file: &File, mode: SyncMode) -> Result<()> {
        self.start(Op::Sync {
            file: file.clone(),
            mode,
        })
        .await
        .result
        .map(drop)
    }

    /// Sets the size.
    pub async fn truncate(&self, file: &File, len: u64) -> Result<()> {
        self.start(Op::Truncate {
            file: file.clone(),
            len,
        })
        .await
        .result
        .map(drop)
    }

    /// Reserves space for a range; the file grows to cover it unless `keep_size`.
    pub async fn allocate(
        &self,
        file: &File,
        offset: u64,
        len: u64,
        keep_size: bool,
    ) -> Result<()> {
        let op = Op::Allocate {
            file: file.clone(),
            offset,
            len,
            keep_size,
        };
        self.start(op).await.result.map(drop)
    }

    // ---- the same at once, for set-up paths ----

    /// Reads into a slice; fewer bytes than its length only at the end of the file.
    pub fn read_now(&self, file: &File, offset: u64, out: &mut [u8]) -> Result<usize> {
        let n = blocking::read_slice(file, offset, out, &self.0.arena, &self.0.counters)?;
        add(&self.0.counters.read_bytes, n as u64);
        Ok(n)
    }

    /// Fills a slice.
    ///
    /// # Errors
    /// Of kind `ShortRead` where the file ends before; the rest of the slice is then zeros.
    pub fn read_exact_now(&self, file: &File, offset: u64, out: &mut [u8]) -> Result<()> {
        let n = self.read_now(file, offset, out)?;
        out[n..].fill(0);
        exact(file, offset, out.len(), n)
    }

    /// Writes a slice. On a file that bypasses the kernel's cache, offset and length must be
    /// multiples of its alignment; the slice may lie anywhere.
    pub fn write_now(&self, file: &File, offset: u64, bytes: &[u8]) -> Result<()> {
        let buf = self.0.arena.copy_of(bytes).into();
        let durability = Durability::Cached;
        self.run(Op::Write {
            file: file.clone(),
            offset,
            buf,
            durability,
        })
        .result
        .map(drop)
    }

    /// Makes completed writes durable.
    pub fn sync_now(&self, file: &File, mode: SyncMode) -> Result<()> {
        self.run(Op::Sync {
            file: file.clone(),
            mode,
        })
        .result
        .map(drop)
    }

    /// Sets the size.
    pub fn truncate_now(&self, file: &File, len: u64) -> Result<()> {
        self.run(Op::Truncate {
            file: file.clone(),
            len,
        })
        .result
        .map(drop)
    }

    /// Reserves space for a range.
    pub fn allocate_now(&self, file: &File, offset: u64, len: u64, keep_size: bool) -> Result<()> {
        self.run(Op::Allocate {
            file: file.clone(),
            offset,
            len,
            keep_size,
        })
        .result
        .map(drop)
    }

    // ---- files and names ----

    /// Opens a file: on disk, or in memory where the driver or the options say so.
    pub fn open(&self, path: impl AsRef<Path>, options: &OpenOptions) -> Result<File> {
        match &self.0.names {
            Names::Memory(fs) => File::open_memory(fs, path.as_ref(), options),
            Names::Os if options.memory => {
                File::open_memory(MemFs::global(), path.as_ref(), options)
            }
            Names::Os => File::open_os(path.as_ref(), options),
        }
    }

    /// A file without a name, gone with its last handle: in `dir`, or where SQLite puts its
    /// temporary files (SQLITE_TMPDIR, TMPDIR, /var/tmp, /usr/tmp, /tmp, the working directory).
    pub fn open_temporary(&self, dir: Option<&Path>) -> Result<File> {
        if let Names::Memory(fs) = &self.0.names {
            return Ok(File::temporary_memory(fs.clone()));
        }
        let name = format!("ringwood_{:016x}", self.rand());
        if let Some(dir) = dir {
            return File::temporary_os(dir, &name);
        }
        let asked = ["SQLITE_TMPDIR", "TMPDIR"]
            .into_iter()
            .filter_map(std::env::var_os);
        let usual = ["/var/tmp", "/usr/tmp", "/tmp", "."]
            .into_iter()
            .map(Into::into);
        let mut result = Err(IoError::os(IoOp::Open, libc::ENOENT));
        for dir in asked.chain(usual) {
            result = File::temporary_os(Path::new(&dir), &name);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// A file in memory without a name, whatever the driver.
    pub fn open_temporary_memory(&self) -> File {
        File::temporary_memory(MemFs::new())
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// [`IoError::is_not_found`] where there is none.
    pub fn delete(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match &self.0.names {
            Names::Os => syscall::unlink(path),
            Names::Memory(fs) => fs.unlink(path),
        }
        .map_err(|e| IoError::os(IoOp::Delete, e).at_path(&path.into()))
    }

    /// Whether there is such a file.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        match &self.0.names {
            Names::Os => syscall::stat(path.as_ref()).is_ok(),
            Names::Memory(fs) => fs.size(path.as_ref()).is_some(),
        }
    }

    /// The size of the file of this name, `None` where there is none.
    pub fn size_of(&self, path: impl AsRef<Path>) -> Option<u64> {
        match &self.0.names {
            Names::Os => syscall::stat(path.as_ref()).ok().map(|st| st.len),
            Names::Memory(fs) => fs.size(path.as_ref()),
        }
    }

    /// What tells the file of this name from all others of the machine; `None` where there is none, and for files in
    /// memory, which are their driver's own affair.
    pub fn identity_of(&self, path: impl AsRef<Path>) -> Option<FileIdentity> {
        match &self.0.names {
            Names::Os => {
                let st = syscall::stat(path.as_ref()).ok()?;
                Some(FileIdentity {
                    dev: st.dev,
                    ino: st.ino,
                })
            }
            Names::Memory(_) => None,
        }
    }

    /// Whether we may write to the file of this name.
    pub fn is_writable(&self, path: impl AsRef<Path>) -> bool {
        match &self.0.names {
            Names::Os => syscall::access(path.as_ref(), libc::W_OK | libc::R_OK).is_ok(),
            Names::Memory(fs) => fs.size(path.as_ref()).is_some(),
        }
    }

    /// Renames a file; one that had the new name is replaced.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let from = from.as_ref();
        match &self.0.names {
            Names::Os => syscall::rename(from, to.as_ref()),
            Names::Memory(fs) => fs.rename(from, to.as_ref()),
        }
        .map_err(|e| IoError::os(IoOp::Rename, e).at_path(&from.into()))
    }

    /// Makes the making, renaming and deleting of files in the directory of `path` durable.
    pub fn sync_dir_of(&self, path: impl AsRef<Path>) -> Result<()> {
        if let Names::Memory(fs) = &self.0.names {
            let synced = fs.process().map_or(Ok(()), SimProcess::sync_dir);
            return synced
                .map_err(|e| IoError::os(IoOp::DirSync, e).at_path(&path.as_ref().into()));
        }
        let parent = path.as_ref().parent().filter(|p| !p.as_os_str().is_empty());
        let dir = parent.unwrap_or(Path::new("."));
        let fail = |e| IoError::os(IoOp::DirSync, e).at_path(&dir.into());
        let fd = syscall::open(dir, libc::O_RDONLY | libc::O_DIRECTORY, 0).map_err(fail)?;
        use std::os::fd::AsRawFd;
        syscall::sync(fd.as_raw_fd(), true).map_err(fail)
    }

    /// The absolute form of a path, symbolic links resolved as far as the path exists.
    pub fn full_path(&self, path: impl AsRef<Path>) -> PathBuf {
        match &self.0.names {
            Names::Os => file::absolute(path.as_ref()),
            Names::Memory(_) => path.as_ref().to_path_buf(),
        }
    }

    // ---- time and chance ----

    /// Nanoseconds of a clock that only goes forward.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.0.clock.now_ns()
    }

    /// Milliseconds since 1970, UTC.
    pub fn unix_ms(&self) -> i64 {
        self.0.clock.unix_ms()
    }

    /// A random number (splitmix64; not for secrets).
    pub fn rand(&self) -> u64 {
        let state = self.0.rng.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.rng.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The part of this handle that other threads may hold.
    pub fn remote_waker(&self) -> RemoteWaker {
        RemoteWaker(self.0.exec.shared().clone())
    }
}

impl fmt::Debug for IoHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IoHandle({} in flight)", self.in_flight())
    }
}

fn exact(file: &File, offset: u64, wanted: usize, got: usize) -> Result<()> {
    if got == wanted {
        return Ok(());
    }
    Err(IoError::short_read()
        .at_path(file.shared_path())
        .at_offset(offset + got as u64))
}
