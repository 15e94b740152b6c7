//! Byte-range locks.

/// What a range lock is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others may hold shared locks too.
    Shared,
    /// Nobody else may hold a lock.
    Exclusive,
    /// Ours is given up.
    Unlock,
}
