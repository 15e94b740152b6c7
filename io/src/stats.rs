//! What the I/O of a thread cost so far.

use std::cell::Cell;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counts since a handle was made.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct IoStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Cell<u64>,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> IoStats {
                IoStats { $($name: self.$name.get(),)* }
            }
        }

        impl std::ops::Sub for IoStats {
            type Output = IoStats;
            fn sub(self, earlier: IoStats) -> IoStats {
                IoStats { $($name: self.$name - earlier.$name,)* }
            }
        }
    };
}

counters! {
    /// System calls of the data path: transfers, syncs, enters, waits for the bell.
    syscalls,
    /// Of these, io_uring_enter.
    enters,
    /// Of these, waits with nothing in flight.
    naps,
    /// Operations performed inline.
    inline_ops,
    /// Operations that went through the ring.
    ring_ops,
    /// Transfers that came back short, interrupted or refused for the moment, and were resumed.
    resumed,
    /// Operations that had to wait for room in the driver.
    held_back,
    /// Operations whose future was dropped before they completed.
    orphaned,
    /// Bytes read.
    read_bytes,
    /// Bytes written.
    written_bytes,
    /// Syncs, of whichever kind.
    syncs,
    /// Entries that used a registered file.
    registered_files,
    /// Entries that used a registered buffer.
    registered_buffers,
}

/// Adds to a counter.
#[inline]
pub(crate) fn add(counter: &Cell<u64>, n: u64) {
    counter.set(counter.get() + n);
}
