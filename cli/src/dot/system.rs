//! Commands that reach outside: other scripts, folders, programs, and the shell's own end.

use std::fs::File;
use std::process::{Command, Stdio};

use super::{Flow, integer};
use crate::shell::Shell;

/// `.cd DIRECTORY`
pub fn cd(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(".cd") {
        return Flow::Failed;
    }
    let [_, folder] = args else {
        return shell.fail("Usage: .cd DIRECTORY\n");
    };
    match std::env::set_current_dir(folder) {
        Ok(()) => Flow::Go,
        Err(_) => shell.fail(format!("Cannot change to directory \"{folder}\"\n")),
    }
}

/// `.exit ?CODE?`
pub fn exit(_: &mut Shell, args: &[String]) -> Flow {
    match args.get(1).map_or(0, |code| integer(code) as u8) {
        0 => Flow::Quit,
        status => Flow::Exit(status),
    }
}

/// `.quit`
pub fn quit(_: &mut Shell, _: &[String]) -> Flow {
    Flow::Quit
}

/// `.read FILE`: a script, or the output of a command after a bar.
pub fn read(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(".read") {
        return Flow::Failed;
    }
    let [_, name] = args else {
        return shell.fail("Usage: .read FILE\n");
    };
    let status = match name.strip_prefix('|') {
        Some(command) => {
            let child = Command::new("/bin/sh")
                .arg("-c")
                .arg(command)
                .stdout(Stdio::piped())
                .spawn();
            let Ok(mut child) = child else {
                return shell.fail(format!("Error: cannot open \"{name}\"\n"));
            };
            let status = child
                .stdout
                .take()
                .map(|out| shell.run_script(File::from(std::os::fd::OwnedFd::from(out))));
            // How the command ended was never of interest.
            let _ = child.wait();
            status.unwrap_or(1)
        }
        None => match File::open(name) {
            Ok(file) if file.metadata().is_ok_and(|m| !m.is_dir()) => shell.run_script(file),
            _ => return shell.fail(format!("Error: cannot open \"{name}\"\n")),
        },
    };
    match shell.exit {
        Some(status) => Flow::Exit(status),
        None if status == 0 => Flow::Go,
        None => Flow::Failed,
    }
}

/// `.shell CMD ARGS…`
pub fn shell(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(&format!(".{}", args[0])) {
        return Flow::Failed;
    }
    if args.len() < 2 {
        return shell.fail("Usage: .system COMMAND\n");
    }
    let words: Vec<String> = args[1..]
        .iter()
        .map(|w| {
            if w.contains(' ') {
                format!("\"{w}\"")
            } else {
                w.clone()
            }
        })
        .collect();
    shell.out.flush();
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(words.join(" "))
        .status();
    match status {
        Ok(status) if status.success() => Flow::Go,
        Ok(status) => {
            use std::os::unix::process::ExitStatusExt as _;
            shell
                .out
                .complain(format!("System command returns {}\n", status.into_raw()));
            Flow::Go
        }
        Err(e) => shell.fail(format!("Error: {e}\n")),
    }
}
