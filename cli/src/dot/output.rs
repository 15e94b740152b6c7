//! `.output`, `.once`, `.excel`: where results go.

use std::process::Command;

use super::{Flow, help};
use crate::mode::Format;
use crate::shell::Shell;

/// Results that go elsewhere until the next statement or command is done.
pub struct Once {
    /// Dot-commands that may still run before it ends.
    commands_left: u8,
    /// What is shown when it ends.
    opened: Option<Opened>,
}

/// A file for a spreadsheet or an editor, and the format that was set before.
struct Opened {
    path: String,
    format: Format,
    echo: bool,
}

/// `.output ?FILE?`
pub fn output(shell: &mut Shell, args: &[String]) -> Flow {
    redirect(shell, args, false, false)
}

/// `.once ?FILE?`
pub fn once(shell: &mut Shell, args: &[String]) -> Flow {
    redirect(shell, args, true, false)
}

/// `.excel`
pub fn excel(shell: &mut Shell, args: &[String]) -> Flow {
    redirect(shell, args, true, true)
}

fn redirect(shell: &mut Shell, args: &[String], once: bool, excel: bool) -> Flow {
    if !shell.may(&format!(".{}", args[0])) {
        return Flow::Failed;
    }
    let mut bom = false;
    let mut open_as = excel.then_some("csv");
    let mut file: Option<String> = None;
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        let option = word
            .strip_prefix('-')
            .map(|rest| rest.strip_prefix('-').unwrap_or(rest));
        match option {
            Some("bom") => bom = true,
            Some("x") if !excel => open_as = Some("csv"),
            Some("e") if !excel => open_as = Some("txt"),
            Some(_) => return refuse(shell, args, "unknown option", word),
            None if file.is_none() && open_as.is_none() => {
                let mut name = word.clone();
                if name.starts_with('|') {
                    for more in words.by_ref() {
                        name = format!("{name} {more}");
                    }
                }
                file = Some(name);
            }
            None => return refuse(shell, args, "extra parameter", word),
        }
    }
    end(shell);
    let opened = match open_as {
        None => None,
        Some(suffix) => {
            let path =
                std::env::temp_dir().join(format!("ringwood-{}.{suffix}", std::process::id()));
            let path = path.to_string_lossy().into_owned();
            file = Some(path.clone());
            let opened = Opened {
                path,
                format: shell.format.clone(),
                echo: shell.echo,
            };
            if suffix == "csv" {
                shell.echo = false;
                shell.format.mode = crate::mode::Mode::Csv;
                shell.format.separators(b",", b"\r\n");
            }
            Some(opened)
        }
    };
    if once || opened.is_some() {
        let commands_left = if once { 2 } else { u8::MAX };
        shell.once = Some(Once {
            commands_left,
            opened,
        });
    }
    let file = file.unwrap_or_else(|| "stdout".into());
    let done = match file.strip_prefix('|') {
        Some(command) => shell.out.send_to_command(command),
        None => shell.out.send_to_file(&file),
    };
    if done.is_err() {
        return shell.fail(format!(
            "Error: cannot open \"{file}\"\nError: cannot write to \"{file}\"\n"
        ));
    }
    if bom {
        shell.print([0xef, 0xbb, 0xbf]);
    }
    Flow::Go
}

fn refuse(shell: &mut Shell, args: &[String], what: &str, word: &str) -> Flow {
    shell.print(format!("ERROR: {what}: \"{word}\".  Usage:\n"));
    help::show(shell, &args[0]);
    Flow::Failed
}

/// Called after every dot-command: the one after `.once` is still written there.
pub fn count_command(shell: &mut Shell) {
    if let Some(once) = &mut shell.once {
        if once.commands_left != u8::MAX {
            once.commands_left -= 1;
            if once.commands_left == 0 {
                end(shell);
            }
        }
    }
}

/// Called after a statement.
pub fn end_once(shell: &mut Shell) {
    if shell
        .once
        .as_ref()
        .is_some_and(|once| once.commands_left != u8::MAX)
    {
        end(shell);
    }
}

/// Results go to standard output again; a file for a program is shown to it.
fn end(shell: &mut Shell) {
    shell.out.reset();
    let Some(Once {
        opened: Some(opened),
        ..
    }) = shell.once.take()
    else {
        return;
    };
    shell.format = opened.format;
    shell.echo = opened.echo;
    let shown = Command::new("xdg-open").arg(&opened.path).status();
    if !shown.is_ok_and(|status| status.success()) {
        shell
            .out
            .complain(format!("Failed: [xdg-open {}]\n", opened.path));
    }
}
