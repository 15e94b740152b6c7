//! The two shells side by side: the same script, the same answer.

use std::process::{Command, Stdio};

use crate::shell::{Folder, ringwood, run, sqlite3};

/// What a shell did: standard output, standard error, exit status.
#[derive(PartialEq, Eq)]
pub struct Answer {
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub err: String,
    /// How it ended.
    pub status: Option<i32>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "status {:?}\n--- stdout\n{}--- stderr\n{}---",
            self.status, self.out, self.err
        )
    }
}

fn answer(output: &std::process::Output) -> Answer {
    Answer {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output.status.code(),
    }
}

/// Runs a script on an empty database in both shells, each in a folder of its own that holds `files`.
pub fn both_with(args: &[&str], script: &str, files: &[(&str, &str)]) -> Option<(Answer, Answer)> {
    let stock = sqlite3()?;
    let mut answers = [ringwood(), stock].into_iter().map(|mut shell| {
        let folder = Folder::new("pair");
        for (name, text) in files {
            std::fs::write(folder.file(name), text).unwrap();
        }
        shell
            .current_dir(folder.file(""))
            .env("HOME", folder.file(""));
        answer(&run(shell, std::path::Path::new("test.db"), args, script))
    });
    Some((answers.next()?, answers.next()?))
}

/// Asserts that both shells give the same answer to a script.
#[track_caller]
pub fn same(args: &[&str], script: &str) {
    same_with(args, script, &[]);
}

/// As [`same`], with files in the working folder.
#[track_caller]
pub fn same_with(args: &[&str], script: &str, files: &[(&str, &str)]) {
    let Some((ours, theirs)) = both_with(args, script, files) else {
        return;
    };
    if ours == theirs {
        return;
    }
    let differs = |a: &str, b: &str| {
        let (mut a, mut b) = (a.lines(), b.lines());
        loop {
            match (a.next(), b.next()) {
                (None, None) => return String::from("nowhere but in line ends"),
                (x, y) if x != y => return format!("ours {x:?}, stock {y:?}"),
                _ => {}
            }
        }
    };
    panic!(
        "{args:?} {}\nstatus: ours {:?}, stock {:?}\nstdout: {}\nstderr: {}",
        script
            .chars()
            .rev()
            .take(300)
            .collect::<String>()
            .chars()
            .rev()
            .collect::<String>(),
        ours.status,
        theirs.status,
        differs(&ours.out, &theirs.out),
        differs(&ours.err, &theirs.err),
    );
}

/// Runs a shell with arguments alone.
pub fn with_arguments(mut shell: Command, args: &[&str]) -> Answer {
    let folder = Folder::new("arguments");
    let output = shell
        .args(args)
        .current_dir(folder.file(""))
        .env("HOME", folder.file(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    answer(&output)
}
