//! Which processors a thread runs on.

use crate::syscall;

/// The processors that this thread may run on, by number; none where the kernel does not say.
pub fn allowed_cpus() -> Vec<usize> {
    syscall::affinity()
}

/// Keeps the calling thread on one processor; whether the kernel does so. It refuses where there is no such processor, or
/// this process may not use it.
pub fn pin_thread(cpu: usize) -> bool {
    syscall::set_affinity(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_kept_on_one_processor() {
        let pinned = std::thread::spawn(|| {
            let all = allowed_cpus();
            let last = *all.last().expect("it runs somewhere");
            assert!(pin_thread(last), "one of its own");
            (last, allowed_cpus())
        });
        let (last, now) = pinned.join().expect("ends");
        assert_eq!(now, [last]);
        assert!(!pin_thread(1 << 20), "there are not so many");
    }
}
