//! How much memory this process has, and how many threads.

/// Bytes of the process that are in memory: `VmRSS`. 0 where the kernel does not say.
pub fn resident_bytes() -> u64 {
    field("VmRSS:").saturating_mul(1024)
}

/// Its threads.
pub fn threads() -> u64 {
    field("Threads:")
}

/// The files that it has open.
pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
