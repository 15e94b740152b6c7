//! Setting a ring up: what to ask for, what was got, and why not more.
//!
//! | level | kernel | flags |
//! |---|---|---|
//! | `Full` | 6.6 | SINGLE_ISSUER, DEFER_TASKRUN, NO_SQARRAY |
//! | `Deferred` | 6.1 | SINGLE_ISSUER, DEFER_TASKRUN |
//! | `Cooperative` | 5.19 | COOP_TASKRUN, TASKRUN_FLAG |
//! | `Plain` | 5.11 | none |
//!
//! Each level that is refused leads to the next; where `Plain` is refused, there is no ring.

use std::fmt;

use io_uring::IoUring;

use crate::error::Result;

/// How much of the ring's modern features to ask for, or were got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RingLevel {
    /// SINGLE_ISSUER, DEFER_TASKRUN, NO_SQARRAY (Linux 6.6).
    Full,
    /// SINGLE_ISSUER, DEFER_TASKRUN (Linux 6.1).
    Deferred,
    /// COOP_TASKRUN (Linux 5.19).
    Cooperative,
    /// No flags (Linux 5.11).
    Plain,
}

impl RingLevel {
    const ALL: [RingLevel; 4] = [
        RingLevel::Full,
        RingLevel::Deferred,
        RingLevel::Cooperative,
        RingLevel::Plain,
    ];

    /// The kernel's names of the flags.
    pub fn flags(self) -> &'static str {
        match self {
            RingLevel::Full => "SINGLE_ISSUER | DEFER_TASKRUN | NO_SQARRAY",
            RingLevel::Deferred => "SINGLE_ISSUER | DEFER_TASKRUN",
            RingLevel::Cooperative => "COOP_TASKRUN | TASKRUN_FLAG",
            RingLevel::Plain => "no flags",
        }
    }
}

/// Settings of a ring.
#[derive(Clone, Debug)]
pub struct RingOptions {
    /// Operations in flight at most; what exceeds it waits its turn.
    pub depth: u32,
    /// The best level to ask for.
    pub level: RingLevel,
    /// A kernel thread polls for submissions, and sleeps after this many milliseconds without any.
    pub sqpoll_idle_ms: Option<u32>,
    /// Register files. Off by default: the kernel takes a killed process's ring apart later than the process, and a
    /// registered file keeps its locks until then.
    pub register_files: bool,
    /// Register buffers, for files that bypass the kernel's cache.
    pub register_buffers: bool,
    /// Behave as where io_uring is forbidden.
    pub forbidden: bool,
}

impl Default for RingOptions {
    fn default() -> RingOptions {
        RingOptions {
            depth: 256,
            level: RingLevel::Full,
            sqpoll_idle_ms: None,
            register_files: false,
            register_buffers: true,
            forbidden: false,
        }
    }
}

/// What became of the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingInfo {
    /// The level that was got; `None` where io_uring is refused altogether.
    pub level: Option<RingLevel>,
    /// The levels that were refused before, with the errno.
    pub refused: Vec<(RingLevel, i32)>,
    /// Whether files are registered, or the errno that refused it.
    pub files: Option<Result<(), i32>>,
    /// Whether buffers are registered, or the errno that refused it; `None` while none was wanted.
    pub buffers: Option<Result<(), i32>>,
}

impl fmt::Display for RingInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "uring ({})", level.flags())?,
            None => f.write_str("blocking (io_uring is refused)")?,
        }
        for (level, errno) in &self.refused {
            let why = std::io::Error::from_raw_os_error(*errno);
            write!(f, "; not {}: {why}", level.flags())?;
        }
        Ok(())
    }
}

type Refusals = Vec<(RingLevel, i32)>;

/// The best ring that the kernel grants (rule 1).
pub(crate) fn set_up(options: &RingOptions) -> Result<(IoUring, RingLevel, Refusals), Refusals> {
    let mut refused = Vec::new();
    for level in RingLevel::ALL.into_iter().filter(|l| *l >= options.level) {
        let entries = options.depth.clamp(2, 4096);
        let mut b = IoUring::builder();
        b.setup_clamp()
            .setup_cqsize(entries.next_power_of_two() * 4);
        // A submission thread and deferred work exclude each other.
        let polled = options.sqpoll_idle_ms;
        if let Some(idle) = polled {
            if level < RingLevel::Plain {
                continue;
            }
            b.setup_sqpoll(idle);
        }
        match level {
            RingLevel::Full | RingLevel::Deferred => {
                b.setup_single_issuer()
                    .setup_defer_taskrun()
                    .setup_taskrun_flag();
                b.setup_submit_all();
                if level == RingLevel::Full {
                    b.setup_no_sqarray();
                }
            }
            RingLevel::Cooperative => {
                b.setup_coop_taskrun()
                    .setup_taskrun_flag()
                    .setup_submit_all();
            }
            RingLevel::Plain => {}
        }
        if options.forbidden {
            refused.push((level, libc::EPERM));
            continue;
        }
        match b.build(entries) {
            Ok(ring) if ring.params().is_feature_ext_arg() && ring.params().is_feature_nodrop() => {
                return Ok((ring, level, refused));
            }
            Ok(_) => refused.push((level, libc::ENOSYS)),
            Err(e) => refused.push((level, e.raw_os_error().unwrap_or(libc::EIO))),
        }
    }
    Err(refused)
}

pub(crate) fn errno_of(e: &std::io::Error) -> i32 {
    e.raw_os_error().unwrap_or(libc::EIO)
}
