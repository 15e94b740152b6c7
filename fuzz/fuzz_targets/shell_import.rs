//! Any bytes as a file that `.import` reads. The shell is a program, so its modules are compiled into this one.
#![no_main]
#![allow(dead_code)]
#[path = "../../cli/src/args.rs"]
mod args;
#[path = "../../cli/src/dot/mod.rs"]
mod dot;
#[path = "../../cli/src/input.rs"]
mod input;
#[path = "../../cli/src/interrupt.rs"]
mod interrupt;
#[path = "../../cli/src/mode/mod.rs"]
mod mode;
#[path = "../../cli/src/output.rs"]
mod output;
#[path = "../../cli/src/parameters.rs"]
mod parameters;
#[path = "../../cli/src/progress.rs"]
mod progress;
#[path = "../../cli/src/run.rs"]
mod run;
#[path = "../../cli/src/shell.rs"]
mod shell;
#[path = "../../cli/src/terminal/mod.rs"]
mod terminal;
#[path = "../../cli/src/timer.rs"]
mod timer;

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
    if let Ok(args) = args::Args::parse(words.into_iter().map(Into::into)) {
        shell::main(args);
    }
});
