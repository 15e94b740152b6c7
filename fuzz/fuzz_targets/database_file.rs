//! Any bytes as a database file, opened, read whole, checked and written to: an answer or an error, in bounded time.
#![no_main]
#[path = "../machine.rs"]
mod machine;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.len() <= 1 << 16 {
        machine::read_whole(&[("/f.db", data)]);
    }
});
