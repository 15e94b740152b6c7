//! `ringwood doctor [FOLDER]`: what this machine offers for I/O.

use std::path::Path;

use crate::args::Args;

/// Prints the report if the command line asks for it: its first word is `doctor`, no file has that name, and
/// at most a folder follows. Gives the exit status.
pub fn asked_for(args: &Args) -> Option<u8> {
    if args.database.as_deref() != Some("doctor") || Path::new("doctor").exists() {
        return None;
    }
    let folder = match &args.commands[..] {
        [] => ".",
        [folder] => folder,
        _ => return None,
    };
    if !Path::new(folder).is_dir() {
        eprintln!("ringwood doctor: no folder \"{folder}\"");
        return Some(1);
    }
    print!("{}", ringwood_io::Report::of(Path::new(folder)));
    Some(0)
}
