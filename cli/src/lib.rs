//! The Ringwood shell: SQL and dot-commands from a terminal, a script or the command line.
//!
//! ```text
//!  arguments ─> args::Args ─┐
//!  terminal  ─> terminal ───┤                       ┌─> run: statements ─> mode: text ─┐
//!  script    ─> input::Lines┴─> shell::Shell ── line┤                                 ├─> output
//!                                                   └─> dot: dot-commands ─────────────┘
//! ```
//!
//! It does what sqlite3's shell does, to the byte where it prints results, so that scripts and fingers need not
//! learn anything new. **Absent:** `.archive`, `.session`, `.expert`, `.recover` and the other commands that
//! sqlite3 builds in from extensions; they are refused as unknown.

mod args;
mod dot;
mod extension;
mod input;
mod interrupt;
mod mode;
mod output;
mod parameters;
mod progress;
mod run;
mod shell;
mod terminal;
mod timer;

use std::ffi::OsString;

/// Runs the shell with these arguments (without the program's name) and gives the code to exit with: 0, or 1 after an
/// error. Reads standard input where no SQL is among the arguments, writes to standard output and standard error, and
/// returns when the input ends or `.quit` is met. Blocks.
pub fn main(arguments: impl Iterator<Item = OsString>) -> u8 {
    match args::Args::parse(arguments) {
        Ok(args) => shell::main(args),
        Err(message) => {
            eprintln!("ringwood: Error: {message}");
            1
        }
    }
}
