//! Any bytes as a file that `.import` reads, through the whole shell.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kind, rest @ ..] = data else { return };
    let path = format!("/dev/shm/ringwood-import-{}", std::process::id());
    if std::fs::write(&path, rest).is_err() {
        return;
    }
    let how = ["--csv", "--ascii", "--csv -v", "--csv --skip 1"][usize::from(kind % 4)];
    let import = format!(".import {how} {path} t");
    let made = ["CREATE TABLE t(a, b);", "SELECT 1;"][usize::from(kind >> 7)];
    let words = ["-batch", ":memory:", ".output /dev/null", made, &import, "SELECT count(*), max(a) FROM t;"];
    ringwood_cli::main(words.into_iter().map(Into::into));
});
