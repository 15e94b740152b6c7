//! Integration tests of ringwood-io: every driver through one list of tests, the executor, locks
//! against a stock sqlite3, and what each path costs in system calls.

mod cost;
mod drivers;
mod executor;
mod locks;
mod scratch;
mod stress;

/// A handle whose ring registers files.
fn registering_files() -> ringwood_io::IoHandle {
    let options = ringwood_io::RingOptions {
        register_files: true,
        ..Default::default()
    };
    let ring = ringwood_io::DriverChoice::Uring(options);
    ringwood_io::IoHandle::builder().driver(ring).build()
}
