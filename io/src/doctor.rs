//! What this machine offers, and how fast it flushes: the text of `ringwood doctor`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::driver::ring_setup::{RingInfo, RingOptions};
use crate::error::Result;
use crate::{Arena, DriverChoice, IoHandle, OpenOptions, SyncMode, syscall};

/// What was found on this machine, for files of one folder.
#[derive(Clone, Debug)]
pub struct Report {
    /// The kernel's release.
    pub kernel: String,
    /// Processors that this process may use.
    pub cpu_count: usize,
    /// What became of a ring, with the reasons for what was refused.
    pub ring: RingInfo,
    /// The value of the switch `kernel.io_uring_disabled`, where there is one.
    pub io_uring_disabled: Option<u32>,
    /// Bytes that may be locked in memory (soft limit); `None` where there is no limit.
    pub memlock_bytes: Option<u64>,
    /// Whether files can be registered, or the errno.
    pub registered_files: Result<(), i32>,
    /// Whether buffers can be registered, or the errno.
    pub registered_buffers: Result<(), i32>,
    /// The folder that was looked at.
    pub folder: PathBuf,
    /// Its file system.
    pub file_system: String,
    /// Alignment of (memory, offset and length) that O_DIRECT wants there; `None` where refused.
    pub direct_align: Option<(u32, u32)>,
    /// Median time of a write of 4 KiB and its fdatasync, in nanoseconds; or what went wrong.
    pub flush_ns: Result<u64>,
    /// Median time of a read of 4 KiB from the kernel's cache: (inline, through the ring), in
    /// nanoseconds; the second is `None` without a ring.
    pub read_ns: Result<(u64, Option<u64>)>,
    /// The setting of transparent huge pages.
    pub transparent_huge_pages: Option<String>,
    /// Huge pages that are set aside.
    pub reserved_huge_pages: Option<u64>,
}

impl Report {
    /// Looks at this machine, and measures a few writes and reads of a temporary file in `folder`.
    pub fn of(folder: &Path) -> Report {
        let arena = Arena::new();
        // Asked for here although it is off by default: the report says whether it could be had.
        let options = RingOptions {
            register_files: true,
            ..RingOptions::default()
        };
        let io = IoHandle::builder()
            .driver(DriverChoice::Uring(options))
            .arena(arena)
            .build();
        let registered_buffers = io.try_register_buffers();
        let ring = io.ring_info().unwrap_or(RingInfo {
            level: None,
            refused: Vec::new(),
            files: None,
            buffers: None,
        });
        Report {
            kernel: syscall::kernel_release(),
            cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
            io_uring_disabled: number_in("/proc/sys/kernel/io_uring_disabled").map(|n| n as u32),
            memlock_bytes: syscall::memlock_limit(),
            registered_files: ring.files.unwrap_or(Err(libc::ENOSYS)),
            registered_buffers: registered_buffers.unwrap_or(Err(libc::ENOSYS)),
            folder: folder.to_path_buf(),
            file_system: syscall::file_system(folder),
            direct_align: direct_align(&io, folder),
            flush_ns: flush_ns(&io, folder),
            read_ns: read_ns(&io, folder, ring.level.is_some()),
            ring,
            transparent_huge_pages: chosen_in("/sys/kernel/mm/transparent_hugepage/enabled"),
            reserved_huge_pages: number_in("/proc/sys/vm/nr_hugepages"),
        }
    }
}

fn number_in(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The word in brackets of a file such as `always [madvise] never`.
fn chosen_in(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_string())
}

fn direct_align(io: &IoHandle, folder: &Path) -> Option<(u32, u32)> {
    let path = folder.join(format!("ringwood_{:016x}", io.rand()));
    let options = OpenOptions::create_new()
        .direct(true)
        .delete_on_close(true)
        .mode(0o600);
    let file = io.open(path, &options).ok()?;
    let caps = file.caps();
    caps.direct.then_some((caps.mem_align, caps.offset_align))
}

fn median(mut of: Vec<u64>) -> u64 {
    of.sort_unstable();
    of[of.len() / 2]
}

fn flush_ns(io: &IoHandle, folder: &Path) -> Result<u64> {
    let file = io.open_temporary(Some(folder))?;
    let page = [0xD0; 4096];
    // As a log does: the space is written ahead, so that a flush has no sizes to record.
    io.write_now(&file, 0, &vec![0; 40 * 4096])?;
    io.sync_now(&file, SyncMode::Full)?;
    let mut times = Vec::new();
    for i in 0..33 {
        let start = Instant::now();
        io.write_now(&file, i * 4096, &page)?;
        io.sync_now(&file, SyncMode::Data)?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    Ok(median(times))
}

fn read_ns(io: &IoHandle, folder: &Path, ring: bool) -> Result<(u64, Option<u64>)> {
    let file = io.open_temporary(Some(folder))?;
    io.write_now(&file, 0, &[1; 4096])?;
    let mut measured = [0; 2];
    for (through_ring, median_ns) in measured.iter_mut().enumerate() {
        let _gather = (through_ring == 1).then(|| io.gather());
        let mut times = Vec::new();
        for _ in 0..101 {
            let start = Instant::now();
            io.block_on(io.read_exact(&file, 0, io.alloc(4096)))?;
            times.push(start.elapsed().as_nanos() as u64);
        }
        *median_ns = median(times);
    }
    Ok((measured[0], ring.then_some(measured[1])))
}

fn us(ns: u64) -> String {
    format!("{:.1} µs", ns as f64 / 1000.0)
}

fn yes_or(r: &Result<(), i32>) -> String {
    match r {
        Ok(()) => "yes".into(),
        Err(e) => format!("no: {}", std::io::Error::from_raw_os_error(*e)),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<22} {value}");
        line(
            "kernel",
            format!("Linux {}, {} processors", self.kernel, self.cpu_count),
        )?;
        line("driver", self.ring.to_string())?;
        match self.io_uring_disabled {
            None | Some(0) => {}
            Some(n) => line(
                "io_uring_disabled",
                format!("{n} (sysctl kernel.io_uring_disabled)"),
            )?,
        }
        let memlock = match self.memlock_bytes {
            None => "unlimited".into(),
            Some(n) => format!("{} KiB", n / 1024),
        };
        line("memlock limit", memlock)?;
        line("registered files", yes_or(&self.registered_files))?;
        line("registered buffers", yes_or(&self.registered_buffers))?;
        let thp = self
            .transparent_huge_pages
            .clone()
            .unwrap_or_else(|| "unknown".into());
        let reserved = self.reserved_huge_pages.unwrap_or(0);
        line(
            "huge pages",
            format!("transparent: {thp}; reserved: {reserved}"),
        )?;
        line(
            "folder",
            format!("{} ({})", self.folder.display(), self.file_system),
        )?;
        let direct = match self.direct_align {
            None => "refused".into(),
            Some((mem, offset)) => format!("memory {mem}, offset and length {offset}"),
        };
        line("O_DIRECT alignment", direct)?;
        let flush = match &self.flush_ns {
            Ok(ns) => format!("{} (write of 4 KiB, fdatasync; median)", us(*ns)),
            Err(e) => e.to_string(),
        };
        line("flush", flush)?;
        let read = match &self.read_ns {
            Ok((inline, None)) => format!("{} inline", us(*inline)),
            Ok((inline, Some(ring))) => {
                format!(
                    "{} inline, {} through the ring (4 KiB, cached; median)",
                    us(*inline),
                    us(*ring)
                )
            }
            Err(e) => e.to_string(),
        };
        line("lone read", read)
    }
}
