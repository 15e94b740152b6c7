//! The program `ringwood`: all of it is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(ringwood_cli::main(std::env::args_os().skip(1)))
}
