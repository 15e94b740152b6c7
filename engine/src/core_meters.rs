//! What a core counts: written by its thread and its callers, read by whoever asks.

use std::sync::atomic::{AtomicU64, Ordering};

use ringwood_io::{IoHandle, IoStats};

use crate::histogram::Histogram;

/// The counters of one core.
#[derive(Default)]
pub(crate) struct CoreMeters {
    /// Connections that live there.
    pub(crate) connections: AtomicU64,
    /// Calls that were begun.
    pub(crate) calls: AtomicU64,
    /// Calls that were given up before they began.
    pub(crate) calls_left_out: AtomicU64,
    /// Tasks that panicked.
    panics: AtomicU64,
    /// How many more calls waited for the same connection when one began.
    pub(crate) queue_depth: Histogram,
    /// How long a call waited for its connection, in nanoseconds.
    pub(crate) queue_wait: Histogram,
    /// How long a call ran.
    pub(crate) run: Histogram,
    io: IoMeters,
}

impl CoreMeters {
    pub(crate) fn panics_add(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Copies what the thread's handle has counted; on that thread, after a call.
    pub(crate) fn publish(&self, io: &IoHandle) {
        self.io.publish(io.stats());
    }

    pub(crate) fn io(&self) -> IoStats {
        self.io.look()
    }
}

macro_rules! io_meters {
    ($($name:ident),* $(,)?) => {
        /// An `IoStats` that other threads can read.
        #[derive(Default)]
        struct IoMeters {
            $($name: AtomicU64,)*
        }

        impl IoMeters {
            fn publish(&self, stats: IoStats) {
                $(self.$name.store(stats.$name, Ordering::Relaxed);)*
            }

            fn look(&self) -> IoStats {
                let mut stats = IoStats::default();
                $(stats.$name = self.$name.load(Ordering::Relaxed);)*
                stats
            }
        }

        /// The names of a handle's counters, with their values.
        pub(crate) fn io_counters(stats: &IoStats) -> impl Iterator<Item = (&'static str, u64)> {
            [$((stringify!($name), stats.$name),)*].into_iter()
        }
    };
}

io_meters! {
    syscalls,
    enters,
    naps,
    inline_ops,
    ring_ops,
    resumed,
    held_back,
    orphaned,
    read_bytes,
    written_bytes,
    syncs,
    registered_files,
    registered_buffers,
}
