//! A slower device than there is: every read, write or flush is told later than it was done.
//!
//! ```text
//!   submit ─► the driver within ─► done ─► held until its time has come ─► told
//!   run    ─► the driver within ─► done ─► sleep                         ─► told
//! ```
//!
//! Rules:
//! 1. What is asked for is done at once; only its completion is late. So operations overlap as on a device whose queue
//!    has no end, and nothing is less durable than it would be.
//! 2. A `WriteSync` is late by a write and a flush.
//! 3. Where nothing is delayed there is no such driver.
//!
//! Absent: bandwidth, and a device that does fewer things at once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Driver, Io, Wait};
use crate::error::Result;
use crate::op::{Done, Durability, Op};
use crate::syscall;

/// By how much operations are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Each read, in nanoseconds.
    pub read_ns: u64,
    /// Each write.
    pub write_ns: u64,
    /// Each flush.
    pub flush_ns: u64,
}

impl Delays {
    /// Whether nothing is late.
    pub fn is_none(&self) -> bool {
        *self == Delays::default()
    }

    /// Reads `read=80us,flush=1600us`: parts with a unit (`ns`, `us`, `ms`), each at most once.
    pub fn parse(text: &str) -> Option<Delays> {
        let mut delays = Delays::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, time) = part.split_once('=')?;
            let digits = time.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = match &time[digits.len()..] {
                "ns" => 1,
                "us" => 1_000,
                "ms" => 1_000_000,
                _ => return None,
            };
            let time = digits.parse::<u64>().ok()?.checked_mul(unit)?;
            match name {
                "read" => delays.read_ns = time,
                "write" => delays.write_ns = time,
                "flush" => delays.flush_ns = time,
                _ => return None,
            }
        }
        Some(delays)
    }

    fn of(&self, op: &Op) -> u64 {
        let flushed = |durability: &Durability| match durability {
            Durability::Cached => 0,
            Durability::Dsync => self.flush_ns,
        };
        match op {
            Op::Read { .. } | Op::Readv { .. } => self.read_ns,
            Op::Write { durability, .. } | Op::Writev { durability, .. } => {
                self.write_ns + flushed(durability)
            }
            Op::WriteSync { .. } => self.write_ns + self.flush_ns,
            Op::Sync { .. } => self.flush_ns,
            Op::Allocate { .. } | Op::Truncate { .. } => 0,
        }
    }
}

/// A driver whose operations are late.
pub(crate) struct Delayed {
    within: Box<Driver>,
    delays: Delays,
    /// Those that were submitted, by token: how late they will be.
    submitted: BTreeMap<u64, u64>,
    /// What is done, by the time at which it is told.
    held: BTreeMap<Reverse<(u64, u64)>, Done>,
    count: u64,
}

impl Delayed {
    pub(crate) fn new(within: Driver, delays: Delays) -> Delayed {
        Delayed {
            within: Box::new(within),
            delays,
            submitted: BTreeMap::new(),
            held: BTreeMap::new(),
            count: 0,
        }
    }

    pub(crate) fn within(&self) -> &Driver {
        &self.within
    }

    pub(crate) fn within_mut(&mut self) -> &mut Driver {
        &mut self.within
    }

    /// Moves what has come home to those that are held, and what is due out.
    fn sort(&mut self, home: Vec<Done>, out: &mut Vec<Done>) {
        let now = syscall::monotonic_ns();
        for done in home {
            let late = self.submitted.remove(&done.token).unwrap_or(0);
            self.count += 1;
            self.held.insert(Reverse((now + late, self.count)), done);
        }
        while let Some(last) = self.held.last_entry() {
            if last.key().0.0 > now {
                return;
            }
            out.push(last.remove());
        }
    }
}

impl Io for Delayed {
    fn submit(&mut self, token: u64, op: Op) -> Result<(), Box<Op>> {
        let late = self.delays.of(&op);
        self.within.submit(token, op)?;
        self.submitted.insert(token, late);
        Ok(())
    }

    fn run(&mut self, op: Op) -> Done {
        let late = self.delays.of(&op);
        let done = self.within.run(op);
        if late > 0 {
            std::thread::sleep(Duration::from_nanos(late));
        }
        done
    }

    fn poll(&mut self, out: &mut Vec<Done>, wait: Wait) {
        let mut home = Vec::new();
        self.within.poll(&mut home, Wait::No);
        let before = out.len();
        self.sort(home, out);
        if out.len() > before || wait == Wait::No {
            return;
        }
        let due = self.held.last_key_value().map(|(key, _)| key.0.0);
        let wait = match (wait, due) {
            (Wait::Until(until), Some(due)) => Wait::Until(until.min(due)),
            (Wait::Forever, Some(due)) => Wait::Until(due),
            (wait, None) => wait,
            (Wait::No, _) => return,
        };
        let mut home = Vec::new();
        self.within.poll(&mut home, wait);
        self.sort(home, out);
    }

    fn cancel(&mut self, token: u64) {
        self.within.cancel(token);
    }

    fn in_flight(&self) -> usize {
        self.within.in_flight() + self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriverChoice, IoHandle, OpenOptions, SyncMode};
    use std::time::Instant;

    #[test]
    fn delays_are_read() {
        let wanted = Delays {
            read_ns: 80_000,
            write_ns: 0,
            flush_ns: 1_600_000,
        };
        assert_eq!(Delays::parse("read=80us,flush=1600us"), Some(wanted));
        assert_eq!(Delays::parse(""), Some(Delays::default()));
        for wrong in ["read", "read=5", "read=5s", "sync=5us", "read=us"] {
            assert_eq!(Delays::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn operations_are_late_and_overlap() {
        let path = std::env::temp_dir().join(format!("ringwood-late-{}", std::process::id()));
        let delays = Delays {
            read_ns: 20_000_000,
            write_ns: 0,
            flush_ns: 30_000_000,
        };
        for driver in [DriverChoice::Auto, DriverChoice::Blocking] {
            let builder = IoHandle::builder().driver(driver).delays(delays);
            let io = builder.build();
            io.block_on(async {
                let file = io.open(&path, &OpenOptions::create()).expect("opens");
                io.write_now(&file, 0, &[1; 4096]).expect("writes");
                let began = Instant::now();
                io.sync(&file, SyncMode::Data).await.expect("syncs");
                assert!(began.elapsed() >= Duration::from_millis(30));
                let began = Instant::now();
                io.sleep(Duration::from_millis(1)).await;
                assert!(
                    began.elapsed() < Duration::from_millis(20),
                    "timers are not"
                );
                let began = Instant::now();
                let wanted = (0..8).map(|_| (0, io.alloc(4096))).collect();
                for (_, read) in io.read_many(&file, wanted).await {
                    assert_eq!(read.expect("reads"), 4096);
                }
                let took = began.elapsed();
                assert!(took >= Duration::from_millis(20), "{took:?}");
                if io.ring_info().is_some_and(|info| info.level.is_some()) {
                    assert!(took < Duration::from_millis(100), "all at once: {took:?}");
                }
            });
        }
        std::fs::remove_file(&path).expect("there");
    }
}
