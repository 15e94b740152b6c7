//! Thin, safe faces of the system calls: `Err` is an errno, `EINTR` never gets out.
//!
//! Everything here takes slices or numbers, so that no caller needs `unsafe`. Short transfers are
//! resumed; a short count from a read means the end of the file.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The errno of the last call on this thread.
pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

fn check(r: libc::c_int) -> Result<i32, i32> {
    if r < 0 { Err(errno()) } else { Ok(r) }
}

fn retry(mut call: impl FnMut() -> libc::c_int) -> Result<i32, i32> {
    loop {
        match check(call()) {
            Err(libc::EINTR) => {}
            other => return other,
        }
    }
}

fn c_path(path: &Path) -> Result<CString, i32> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| libc::EINVAL)
}

/// Waits until a descriptor that answered EAGAIN may be asked again (odd file systems only).
fn wait_ready(fd: RawFd, events: i16) {
    let mut p = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one valid pollfd; the result does not matter, the caller asks again.
    unsafe { libc::poll(&raw mut p, 1, 10) };
}

/// How many calls a transfer took, beside its result.
pub(crate) struct Transfer {
    pub(crate) result: Result<usize, i32>,
    pub(crate) calls: u32,
}

/// Whether a direct transfer could not go on after this many bytes, since its offset would not be
/// aligned any more.
pub(crate) fn is_off_grid(done: usize) -> bool {
    !done.is_multiple_of(512)
}

fn transfer(
    fd: RawFd,
    len: usize,
    events: i16,
    at_zero: Result<(), i32>,
    mut call: impl FnMut(usize) -> isize,
) -> Transfer {
    let (mut done, mut calls) = (0, 0);
    let result = loop {
        if done == len {
            break Ok(done);
        }
        calls += 1;
        let n = call(done);
        match n {
            0 => break at_zero.map(|()| done),
            1.. => done += n as usize,
            _ => match errno() {
                libc::EINTR => {}
                libc::EAGAIN => wait_ready(fd, events),
                // A direct read that ended off the grid met the end of the file.
                libc::EINVAL if at_zero.is_ok() && is_off_grid(done) => break Ok(done),
                e => break Err(e),
            },
        }
    };
    Transfer { result, calls }
}

/// Reads until the slice is full or the file ends.
pub(crate) fn pread(fd: RawFd, buf: &mut [u8], offset: u64) -> Transfer {
    transfer(fd, buf.len(), libc::POLLIN, Ok(()), |done| {
        let rest = &mut buf[done..];
        // SAFETY: the pointer and length are those of a live, exclusively borrowed slice.
        unsafe {
            libc::pread64(
                fd,
                rest.as_mut_ptr().cast(),
                rest.len(),
                (offset + done as u64) as i64,
            )
        }
    })
}

/// Writes the whole slice.
pub(crate) fn pwrite(fd: RawFd, buf: &[u8], offset: u64, flags: i32) -> Transfer {
    transfer(fd, buf.len(), libc::POLLOUT, Err(libc::EIO), |done| {
        let rest = &buf[done..];
        let at = (offset + done as u64) as i64;
        if flags == 0 {
            // SAFETY: the pointer and length are those of a live slice.
            return unsafe { libc::pwrite64(fd, rest.as_ptr().cast(), rest.len(), at) };
        }
        let iov = libc::iovec {
            iov_base: rest.as_ptr() as *mut _,
            iov_len: rest.len(),
        };
        // SAFETY: one valid iovec over a live slice, which the kernel only reads.
        unsafe { libc::pwritev2(fd, &raw const iov, 1, at, flags) }
    })
}

/// The most pieces that one vectored call may have (UIO_MAXIOV).
pub(crate) const IOV_MAX: usize = 1024;

/// The iovecs of what is left after `done` bytes, at most [`IOV_MAX`] of them.
pub(crate) fn iovecs_after<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    done: usize,
    out: &mut Vec<libc::iovec>,
) {
    out.clear();
    let mut skip = done;
    for piece in pieces {
        if skip >= piece.len() {
            skip -= piece.len();
            continue;
        }
        let rest = &piece[skip..];
        skip = 0;
        out.push(libc::iovec {
            iov_base: rest.as_ptr() as *mut _,
            iov_len: rest.len(),
        });
        if out.len() == IOV_MAX {
            break;
        }
    }
}

/// Writes all pieces, one after the other, from `offset` on.
pub(crate) fn pwritev<T: std::ops::Deref<Target = [u8]>>(
    fd: RawFd,
    pieces: &[T],
    offset: u64,
    flags: i32,
) -> Transfer {
    let len = pieces.iter().map(|p| p.len()).sum();
    let mut iov = Vec::with_capacity(pieces.len().min(IOV_MAX));
    transfer(fd, len, libc::POLLOUT, Err(libc::EIO), |done| {
        iovecs_after(pieces.iter().map(|p| &**p), done, &mut iov);
        let at = (offset + done as u64) as i64;
        // SAFETY: the iovecs cover live slices, which the kernel only reads.
        unsafe { libc::pwritev2(fd, iov.as_ptr(), iov.len() as i32, at, flags) }
    })
}

/// Reads into all pieces, one after the other, until they are full or the file ends.
pub(crate) fn preadv(fd: RawFd, pieces: &mut [crate::Buf], offset: u64) -> Transfer {
    let len = pieces.iter().map(|p| p.len()).sum();
    let mut iov = Vec::with_capacity(pieces.len().min(IOV_MAX));
    transfer(fd, len, libc::POLLIN, Ok(()), |done| {
        iovecs_after(pieces.iter().map(|p| &**p), done, &mut iov);
        // SAFETY: the iovecs cover buffers that are borrowed exclusively for this call.
        unsafe {
            libc::preadv2(
                fd,
                iov.as_ptr(),
                iov.len() as i32,
                (offset + done as u64) as i64,
                0,
            )
        }
    })
}

/// fdatasync, or fsync where `full`. Never retried: an error means that pages may be lost.
pub(crate) fn sync(fd: RawFd, full: bool) -> Result<(), i32> {
    // SAFETY: takes a number only.
    retry(|| unsafe {
        if full {
            libc::fsync(fd)
        } else {
            libc::fdatasync(fd)
        }
    })
    .map(drop)
}

pub(crate) fn ftruncate(fd: RawFd, len: u64) -> Result<(), i32> {
    // SAFETY: takes numbers only.
    retry(|| unsafe { libc::ftruncate64(fd, len as i64) }).map(drop)
}

pub(crate) fn fallocate(fd: RawFd, keep_size: bool, offset: u64, len: u64) -> Result<(), i32> {
    let mode = if keep_size {
        libc::FALLOC_FL_KEEP_SIZE
    } else {
        0
    };
    // SAFETY: takes numbers only.
    retry(|| unsafe { libc::fallocate64(fd, mode, offset as i64, len as i64) }).map(drop)
}

/// What the kernel says about an open file.
#[derive(Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) len: u64,
    pub(crate) mode: u32,
    pub(crate) block_size: u32,
}

fn stat_with(call: impl FnOnce(*mut libc::stat64) -> libc::c_int) -> Result<Stat, i32> {
    let mut st = std::mem::MaybeUninit::<libc::stat64>::zeroed();
    check(call(st.as_mut_ptr()))?;
    // SAFETY: all-zero is a valid stat, and the call succeeded in filling it.
    let st = unsafe { st.assume_init() };
    Ok(Stat {
        dev: st.st_dev,
        ino: st.st_ino,
        len: st.st_size as u64,
        mode: st.st_mode,
        block_size: st.st_blksize as u32,
    })
}

pub(crate) fn fstat(fd: RawFd) -> Result<Stat, i32> {
    // SAFETY: the pointer is to a stat of our own.
    stat_with(|st| unsafe { libc::fstat64(fd, st) })
}

pub(crate) fn stat(path: &Path) -> Result<Stat, i32> {
    let path = c_path(path)?;
    // SAFETY: a terminated path, and a pointer to a stat of our own.
    stat_with(|st| unsafe { libc::stat64(path.as_ptr(), st) })
}

/// The alignment that O_DIRECT wants: (memory, offset and length); zeros where it is refused,
/// `None` where the kernel does not say (before 6.1, and on some file systems).
pub(crate) fn dio_align(fd: RawFd) -> Option<(u32, u32)> {
    const STATX_DIOALIGN: u32 = 0x2000;
    let mut st = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: an empty path with AT_EMPTY_PATH names the descriptor; the pointer is our own.
    let r = unsafe {
        libc::statx(
            fd,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            STATX_DIOALIGN,
            st.as_mut_ptr(),
        )
    };
    // SAFETY: all-zero is a valid statx.
    let st = unsafe { st.assume_init() };
    (r == 0 && st.stx_mask & STATX_DIOALIGN != 0)
        .then_some((st.stx_dio_mem_align, st.stx_dio_offset_align))
}

/// Opens a file, never as descriptor 0, 1 or 2, so that a stray print cannot write into it.
pub(crate) fn open(path: &Path, flags: i32, mode: u32) -> Result<OwnedFd, i32> {
    let path = c_path(path)?;
    // SAFETY: a terminated path, and numbers.
    let fd = retry(|| unsafe { libc::open64(path.as_ptr(), flags | libc::O_CLOEXEC, mode) })?;
    // SAFETY: the kernel just gave us this descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: takes numbers only.
    let moved = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

pub(crate) fn unlink(path: &Path) -> Result<(), i32> {
    let path = c_path(path)?;
    // SAFETY: a terminated path.
    check(unsafe { libc::unlink(path.as_ptr()) }).map(drop)
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), i32> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    // SAFETY: terminated paths.
    check(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) }).map(drop)
}

pub(crate) fn access(path: &Path, mode: i32) -> Result<(), i32> {
    let path = c_path(path)?;
    // SAFETY: a terminated path.
    check(unsafe { libc::access(path.as_ptr(), mode) }).map(drop)
}

/// Maps `size` private zero bytes at a multiple of `align`; `None` where there is no room.
pub(crate) fn map_anonymous(size: usize, align: usize) -> Option<usize> {
    let whole = size + align;
    // SAFETY: a fresh private mapping, placed by the kernel.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            whole,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return None;
    }
    let start = at as usize;
    let addr = start.next_multiple_of(align);
    // SAFETY: the parts of the fresh mapping around the aligned piece, which nobody knows of.
    unsafe {
        unmap(start, addr - start);
        unmap(addr + size, start + whole - addr - size);
    }
    Some(addr)
}

/// Unmaps a range.
///
/// # Safety
/// The range is part of a mapping of the caller's, which nobody uses any more.
pub(crate) unsafe fn unmap(addr: usize, size: usize) {
    if size > 0 {
        // SAFETY: the caller gives the range up.
        unsafe { libc::munmap(addr as *mut _, size) };
    }
}

/// Offers a range to transparent huge pages; a refusal changes nothing.
pub(crate) fn advise_huge(addr: usize, size: usize) {
    // SAFETY: a mapping of the caller's; the advice does not change contents.
    unsafe { libc::madvise(addr as *mut _, size, libc::MADV_HUGEPAGE) };
}

/// A byte-range lock of this open file description.
pub(crate) fn ofd_lock(fd: RawFd, kind: i32, start: u64, len: u64) -> Result<(), i32> {
    let mut lk = flock(kind, start, len);
    // SAFETY: a valid flock for this command.
    retry(|| unsafe { libc::fcntl(fd, libc::F_OFD_SETLK, &raw mut lk) }).map(drop)
}

/// Whether somebody's lock would conflict with one of this kind; `Some(exclusive)` where so.
pub(crate) fn ofd_query(fd: RawFd, kind: i32, start: u64, len: u64) -> Result<Option<bool>, i32> {
    let mut lk = flock(kind, start, len);
    // SAFETY: a valid flock for this command.
    retry(|| unsafe { libc::fcntl(fd, libc::F_OFD_GETLK, &raw mut lk) })?;
    Ok((lk.l_type != libc::F_UNLCK as i16).then_some(lk.l_type == libc::F_WRLCK as i16))
}

fn flock(kind: i32, start: u64, len: u64) -> libc::flock64 {
    // SAFETY: all-zero is a valid flock; l_pid must be 0 for these commands.
    let mut lk: libc::flock64 = unsafe { std::mem::zeroed() };
    lk.l_type = kind as i16;
    lk.l_whence = libc::SEEK_SET as i16;
    lk.l_start = start as i64;
    lk.l_len = len as i64;
    lk
}

pub(crate) fn eventfd() -> Result<OwnedFd, i32> {
    // SAFETY: takes numbers only.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to an eventfd.
pub(crate) fn eventfd_signal(fd: BorrowedFd<'_>) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight readable bytes. It can fail only when 2^64 signals are unread.
    unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), 8) };
}

/// Takes what is in an eventfd, if anything.
pub(crate) fn eventfd_drain(fd: BorrowedFd<'_>) {
    let mut count = [0u8; 8];
    // SAFETY: eight writable bytes.
    unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
}

/// Waits for an eventfd, at most `timeout_ns`; whether it became readable.
pub(crate) fn eventfd_wait(fd: BorrowedFd<'_>, timeout_ns: Option<u64>) -> bool {
    let mut p = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let ts = timeout_ns.map(timespec);
    let ts_ptr = ts.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: one valid pollfd, and a timespec that outlives the call, or none.
    let n = unsafe { libc::ppoll(&raw mut p, 1, ts_ptr, std::ptr::null()) };
    n > 0 && p.revents & libc::POLLIN != 0
}

pub(crate) fn timespec(ns: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    }
}

/// The processors that the calling thread may run on.
pub(crate) fn affinity() -> Vec<usize> {
    // SAFETY: a set of bits; all zeroes is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most as many bytes as we say that the set has; 0 is the calling thread.
    let got = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    if got != 0 {
        return Vec::new();
    }
    // SAFETY: the index is below the number of bits.
    let allowed = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    (0..libc::CPU_SETSIZE as usize).filter(allowed).collect()
}

/// Keeps the calling thread on one processor; whether that is so now.
pub(crate) fn set_affinity(cpu: usize) -> bool {
    if cpu >= libc::CPU_SETSIZE as usize {
        return false;
    }
    // SAFETY: a set of bits; all zeroes is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the index is below the number of bits.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads as many bytes as the set has; 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) == 0 }
}

pub(crate) fn monotonic_ns() -> u64 {
    let mut ts = timespec(0);
    // SAFETY: a timespec of our own; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Fills a slice with random bytes.
pub(crate) fn random(out: &mut [u8]) {
    let mut done = 0;
    while done < out.len() {
        let rest = &mut out[done..];
        // SAFETY: a live, exclusively borrowed slice.
        let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        if n > 0 {
            done += n as usize;
        } else if errno() != libc::EINTR {
            // No getrandom: the clock and an address are all that is left.
            let seed = monotonic_ns() ^ (std::ptr::from_ref(&done) as u64).rotate_left(32);
            for (i, b) in out.iter_mut().enumerate() {
                *b = (seed >> (8 * (i % 8))) as u8;
            }
            return;
        }
    }
}

/// The kernel's release, such as "6.8.0".
pub(crate) fn kernel_release() -> String {
    // SAFETY: all-zero is a valid utsname, and the call fills it with terminated strings.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut name);
        name
    };
    let bytes: Vec<u8> = name
        .release
        .iter()
        .take_while(|c| **c != 0)
        .map(|c| *c as u8)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The soft limit of locked memory; `None` where there is none.
pub(crate) fn memlock_limit() -> Option<u64> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a limit of our own.
    unsafe { libc::getrlimit64(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    (limit.rlim_cur != libc::RLIM64_INFINITY).then_some(limit.rlim_cur)
}

/// The name of the file system of a folder, or its magic number.
pub(crate) fn file_system(path: &Path) -> String {
    let Ok(path) = c_path(path) else {
        return "unknown".into();
    };
    let mut st = std::mem::MaybeUninit::<libc::statfs64>::zeroed();
    // SAFETY: a terminated path, and a pointer to a statfs of our own, for which all-zero is valid.
    let st = unsafe {
        if libc::statfs64(path.as_ptr(), st.as_mut_ptr()) != 0 {
            return "unknown".into();
        }
        st.assume_init()
    };
    let name = match st.f_type as u32 {
        0xEF53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683E => "btrfs",
        0x0102_1994 => "tmpfs",
        0x794C_7630 => "overlay",
        0x6969 => "nfs",
        0x2FC1_2FC1 => "zfs",
        0xF2F5_2010 => "f2fs",
        other => return format!("file system {other:#x}"),
    };
    name.into()
}
