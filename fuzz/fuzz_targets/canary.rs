//! Must fail: who runs the targets sees by it that failures are seen.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    assert!(!data.starts_with(b"tweet"), "the canary sings");
});
