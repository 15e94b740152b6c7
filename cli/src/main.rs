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

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::Args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("ringwood: Error: {message}");
            return ExitCode::from(1);
        }
    };
    ExitCode::from(shell::main(args))
}
