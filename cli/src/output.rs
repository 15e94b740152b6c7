//! Where results go: standard output, a file, or the standard input of a command.
//!
//! Renderers append to a plain byte buffer, which cannot fail; the buffer goes out in large pieces.
//!
//! Rules:
//! 1. The buffer is flushed before the shell waits for input, before anything is written to standard
//!    error, when the target changes, and at the end. A reader of a pipe sees every result as soon as
//!    the shell has nothing more to do.
//! 2. A closed pipe is not an error: what follows is dropped, and the shell ends.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::{Child, Command, Stdio};

/// Bytes that are gathered before they are written.
const BLOCK: usize = 64 << 10;

/// The target and what has not been written to it yet.
pub struct Output {
    /// What the renderers append to.
    pub text: Vec<u8>,
    target: Target,
    name: String,
    broken: bool,
}

enum Target {
    Stdout(File),
    File(File),
    Pipe(Child),
    Nowhere,
}

impl Output {
    /// Standard output.
    pub fn stdout() -> Output {
        Output {
            text: Vec::with_capacity(BLOCK + BLOCK / 4),
            target: Self::own_stdout(),
            name: "stdout".into(),
            broken: false,
        }
    }

    fn own_stdout() -> Target {
        use std::os::fd::AsFd as _;
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(fd) => Target::Stdout(File::from(fd)),
            Err(_) => Target::Nowhere,
        }
    }

    /// The target's name, as `.show` prints it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether results go to standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self.target, Target::Stdout(_))
    }

    /// Whether the reader has gone away.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Writes the buffer out if it is large.
    #[inline]
    pub fn relieve(&mut self) {
        if self.text.len() >= BLOCK {
            self.flush();
        }
    }

    /// Writes the buffer out.
    pub fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let written = match &mut self.target {
            Target::Stdout(file) | Target::File(file) => file.write_all(&self.text),
            Target::Pipe(child) => match &mut child.stdin {
                Some(pipe) => pipe.write_all(&self.text),
                None => Ok(()),
            },
            Target::Nowhere => Ok(()),
        };
        self.text.clear();
        match written {
            Ok(()) => {}
            // A command that has read enough is no concern of ours; the reader of our own output is.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.broken |= self.is_stdout(),
            Err(e) => {
                self.broken = self.is_stdout();
                eprintln!("Error: cannot write to {}: {e}", self.name);
                self.target = Target::Nowhere;
            }
        }
    }

    /// Writes to standard error, after everything that was printed before.
    pub fn complain(&mut self, text: impl AsRef<[u8]>) {
        self.flush();
        // Nobody is left to be told.
        let _ = io::stderr().write_all(text.as_ref());
    }

    /// Back to standard output; waits for a command that was being fed.
    pub fn reset(&mut self) {
        self.flush();
        if let Target::Pipe(child) = &mut self.target {
            drop(child.stdin.take());
            // Its exit status was never of interest.
            let _ = child.wait();
        }
        if !self.is_stdout() {
            self.target = Self::own_stdout();
            self.name = "stdout".into();
        }
    }

    /// Sends what follows to a file, made anew; `off` drops it.
    pub fn send_to_file(&mut self, name: &str) -> io::Result<()> {
        self.reset();
        match name {
            "stdout" => return Ok(()),
            "off" => self.target = Target::Nowhere,
            "stderr" => {
                use std::os::fd::AsFd as _;
                self.target = Target::File(File::from(io::stderr().as_fd().try_clone_to_owned()?));
            }
            path => self.target = Target::File(File::create(path)?),
        }
        name.clone_into(&mut self.name);
        Ok(())
    }

    /// Sends what follows to a shell command.
    pub fn send_to_command(&mut self, command: &str) -> io::Result<()> {
        self.reset();
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .stdin(Stdio::piped())
            .spawn()?;
        self.target = Target::Pipe(child);
        self.name = format!("|{command}");
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.reset();
    }
}
