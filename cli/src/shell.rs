//! The shell's state, and its loop: a line is a dot-command or a piece of SQL.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use ringwood::LocalConnection;
use ringwood::local::OpenOptions;

use crate::args::{Args, HELP, Setting};
use crate::dot::{self, Flow};
use crate::extension;
use crate::input::{Gathered, Group, Lines};
use crate::interrupt::Interrupts;
use crate::mode::{Format, Mode};
use crate::output::Output;
use crate::parameters::Parameters;
use crate::run::{Failure, Phase};
use crate::terminal::{Terminal, Typed};
use crate::timer::Timer;

/// Scripts that read scripts, how deep.
const NESTING_MAX: usize = 25;

/// What `.eqp` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryPlan {
    /// Nothing.
    Off,
    /// The query plan.
    On,
    /// The query plan, those of triggers too.
    Trigger,
    /// The query plan and the program.
    Full,
}

/// Everything that a session of the shell knows.
pub struct Shell {
    /// Where results go.
    pub out: Output,
    /// How results look.
    pub format: Format,
    /// Whether the user has decided about column names.
    pub header_set: bool,
    /// The mode before `.explain on`.
    pub mode_before_explain: Option<Mode>,
    /// EXPLAIN chooses its own mode.
    pub auto_explain: bool,
    /// `.eqp`
    pub query_plan: QueryPlan,
    /// `.echo`
    pub echo: bool,
    /// `.bail`
    pub bail: bool,
    /// `.changes`
    pub changes: bool,
    /// `.stats`
    pub stats: bool,
    /// `.timer`
    pub timer: bool,
    /// `-safe`
    pub safe: bool,
    /// `.parameter`
    pub parameters: Parameters,
    /// The database's name, as given; empty for a temporary one.
    pub database: String,
    /// Opened for reading only.
    pub read_only: bool,
    /// Symbolic links are refused.
    pub no_follow: bool,
    /// Standard input is, or counts as, a terminal.
    pub interactive: bool,
    /// `.prompt`: the main one and the one of further lines.
    pub prompts: (String, String),
    /// Results go elsewhere for one more statement.
    pub once: Option<dot::output::Once>,
    /// `.log`
    pub log: Option<File>,
    /// `.trace`
    pub trace: Option<File>,
    /// Ctrl-C.
    pub interrupts: Interrupts,
    /// The number of the current line of the current script.
    pub line: u64,
    /// The shell ends as soon as it can, with this status.
    pub exit: Option<u8>,
    conn: Option<LocalConnection>,
    nesting: usize,
}

/// Where lines come from.
enum Source<'a> {
    Script(&'a mut Lines),
    Terminal(&'a mut Terminal),
}

/// Runs the shell; gives its exit status.
pub fn main(args: Args) -> u8 {
    if let Some(status) = dot::doctor::asked_for(&args) {
        return status;
    }
    if let Some(status) = dot::recover::asked_for(&args) {
        return status;
    }
    for setting in &args.settings {
        match setting {
            Setting::Help => {
                print!("{HELP}");
                return 0;
            }
            Setting::Version => {
                println!("{}", version());
                return 0;
            }
            _ => {}
        }
    }
    let mut shell = Shell::new(&args);
    let status = shell.session(args);
    shell.end(status)
}

/// The version line.
pub fn version() -> String {
    format!(
        "Ringwood {} (SQLite {} dialect and file format)",
        env!("CARGO_PKG_VERSION"),
        "3.54"
    )
}

impl Shell {
    fn new(args: &Args) -> Shell {
        use std::io::IsTerminal as _;
        Shell {
            out: Output::stdout(),
            format: Format::new(),
            header_set: false,
            mode_before_explain: None,
            auto_explain: true,
            query_plan: QueryPlan::Off,
            echo: false,
            bail: args.bail,
            changes: false,
            stats: false,
            timer: false,
            safe: false,
            parameters: Parameters::default(),
            database: args.database.clone().unwrap_or_else(|| ":memory:".into()),
            read_only: args.read_only,
            no_follow: args.no_follow,
            interactive: args
                .interactive
                .unwrap_or_else(|| std::io::stdin().is_terminal()),
            prompts: ("ringwood> ".into(), "     ...> ".into()),
            once: None,
            log: None,
            trace: None,
            interrupts: Interrupts::listen(),
            line: 0,
            exit: None,
            conn: None,
            nesting: 0,
        }
    }

    fn session(&mut self, args: Args) -> u8 {
        // A file that does not exist is opened when it is needed, so that a mistyped name makes no file.
        if Path::new(&self.database).exists() && self.connection_or_complain().is_none() {
            return 1;
        }
        if !self.read_init_file(args.init.as_deref()) && self.bail {
            return 1;
        }
        for setting in args.settings {
            if let Some(status) = self.apply(setting) {
                return status;
            }
        }
        self.safe = args.safe;
        if !args.commands.is_empty() {
            return self.run_commands(&args.commands);
        }
        if self.interactive {
            self.converse(args.bare)
        } else {
            self.run_stdin()
        }
    }

    /// Ends the session: the last results go out, the database is closed.
    fn end(mut self, status: u8) -> u8 {
        self.out.reset();
        let broken = self.out.is_broken();
        let closed = self.close();
        // Who reads a pipe up to its middle learns of it as from a program that a signal stopped.
        if broken {
            return 141;
        }
        if closed { status } else { status.max(1) }
    }

    /// Applies an option; gives the status to end with, if it ends the shell.
    fn apply(&mut self, setting: Setting) -> Option<u8> {
        match setting {
            Setting::Mode(name) => self.apply_mode(name),
            Setting::Separator(text) => self.format.column_separator = text.into_bytes(),
            Setting::Newline(text) => self.format.row_separator = text.into_bytes(),
            Setting::Null(text) => self.format.null = text.into_bytes(),
            Setting::Header(on) => {
                self.format.header = on;
                self.header_set = true;
            }
            Setting::Echo => self.echo = true,
            Setting::QueryPlan { full } => {
                self.query_plan = if full { QueryPlan::Full } else { QueryPlan::On }
            }
            Setting::Stats => self.stats = true,
            Setting::Command(command) => {
                let status = self.run_argument(&command)?;
                if self.bail || self.exit.is_some() {
                    return Some(status);
                }
            }
            Setting::Version | Setting::Help => {}
        }
        None
    }

    /// A mode by the name of its option. Options set fewer things along than `.mode` does.
    fn apply_mode(&mut self, name: &str) {
        let format = &mut self.format;
        format.mode = match name {
            "html" => Mode::Html,
            "line" => Mode::Line,
            "column" => Mode::Column,
            "json" => Mode::Json,
            "markdown" => Mode::Markdown,
            "table" => Mode::Table,
            "box" => Mode::Box,
            "csv" => {
                format.column_separator = b",".to_vec();
                Mode::Csv
            }
            "quote" => {
                format.separators(b",", b"\n");
                Mode::Quote
            }
            "ascii" => {
                format.separators(b"\x1f", b"\x1e");
                Mode::Ascii
            }
            "tabs" => {
                format.separators(b"\t", b"\n");
                Mode::List
            }
            _ => Mode::List,
        };
    }

    fn run_commands(&mut self, commands: &[String]) -> u8 {
        for command in commands {
            if let Some(status) = self.run_argument(command) {
                return status;
            }
        }
        0
    }

    /// Runs SQL or a dot-command given on the command line; gives the exit status if it failed or ends the
    /// shell.
    fn run_argument(&mut self, command: &str) -> Option<u8> {
        if command.starts_with('.') {
            return match dot::run(self, command) {
                Flow::Go => None,
                Flow::Failed => Some(1),
                Flow::Quit => Some(0),
                Flow::Exit(status) => Some(status),
            };
        }
        let failure = self.run_sql(command).err()?;
        self.out.complain(failure.brief());
        Some(failure.code.clamp(1, 255) as u8)
    }

    fn run_stdin(&mut self) -> u8 {
        match Lines::stdin() {
            Ok(mut lines) => self.process(&mut Source::Script(&mut lines)),
            Err(e) => {
                self.out
                    .complain(format!("Error: cannot read standard input: {e}\n"));
                1
            }
        }
    }

    fn converse(&mut self, bare: bool) -> u8 {
        println!(
            "Ringwood {}\nEnter \".help\" for usage hints.",
            env!("CARGO_PKG_VERSION")
        );
        if bare {
            println!(
                "Connected to a transient in-memory database.\nUse \".open FILENAME\" to reopen on a persistent database."
            );
        }
        let mut terminal = Terminal::new(history_file());
        let status = self.process(&mut Source::Terminal(&mut terminal));
        terminal.save();
        status
    }

    /// Runs a script; gives 1 if anything in it failed, or what `.exit` said.
    pub fn run_script(&mut self, file: File) -> u8 {
        let line = self.line;
        let interactive = std::mem::replace(&mut self.interactive, false);
        let status = self.process(&mut Source::Script(&mut Lines::new(file)));
        self.interactive = interactive;
        self.line = line;
        status
    }

    fn read_init_file(&mut self, given: Option<&Path>) -> bool {
        let path = match given {
            Some(path) => path.to_owned(),
            None => match home() {
                Some(home) => home.join(".ringwoodrc"),
                None => return true,
            },
        };
        match File::open(&path) {
            Ok(file) => {
                if self.interactive {
                    self.out
                        .complain(format!("-- Loading resources from {}\n", path.display()));
                }
                self.run_script(file) == 0
            }
            Err(_) if given.is_none() => true,
            Err(_) => {
                self.out
                    .complain(format!("cannot open: \"{}\"\n", path.display()));
                false
            }
        }
    }

    /// The loop. Gives 0, 1 after an error, or what `.exit` said.
    fn process(&mut self, source: &mut Source<'_>) -> u8 {
        if self.nesting == NESTING_MAX {
            let line = self.line;
            self.out.complain(format!(
                "Input nesting limit ({NESTING_MAX}) reached at line {line}. Check recursion.\n"
            ));
            return 1;
        }
        self.nesting += 1;
        self.line = 0;
        let typed = matches!(source, Source::Terminal(_));
        let mut failed = false;
        let mut group = Group::new();
        // Whether what was gathered last is still to be run.
        let unfinished = loop {
            if (failed && self.bail && !typed) || self.exit.is_some() || self.out.is_broken() {
                break false;
            }
            let typed_line;
            let line = match source {
                Source::Script(lines) => match lines.next(|| self.out.flush()) {
                    Ok(Some(line)) => line,
                    Ok(None) => break true,
                    Err(e) => {
                        self.out
                            .complain(format!("Error: cannot read the script: {e}\n"));
                        failed = true;
                        break false;
                    }
                },
                Source::Terminal(terminal) => {
                    self.out.flush();
                    let prompt = if group.is_empty() {
                        &self.prompts.0
                    } else {
                        &self.prompts.1
                    };
                    typed_line = match terminal.read(prompt, self.conn.as_ref()) {
                        Typed::Line(line) => line.into_bytes(),
                        Typed::Interrupted => {
                            group.clear();
                            continue;
                        }
                        Typed::End => {
                            println!();
                            break true;
                        }
                    };
                    &typed_line
                }
            };
            if self.interrupts.came() {
                if !typed {
                    break false;
                }
                self.interrupts.clear();
            }
            self.line += 1;
            if group.is_empty() && matches!(line.first(), Some(b'.' | b'#')) {
                if self.echo {
                    self.out.text.extend_from_slice(line);
                    self.out.text.push(b'\n');
                }
                if line[0] == b'.' {
                    let command = String::from_utf8_lossy(line).into_owned();
                    match dot::run(self, &command) {
                        Flow::Go => {}
                        Flow::Failed => failed = true,
                        Flow::Quit => break false,
                        Flow::Exit(status) => {
                            self.exit = Some(status);
                            break false;
                        }
                    }
                }
                continue;
            }
            match group.push(line, self.line) {
                Gathered::More => {}
                Gathered::Blank => {
                    if self.echo {
                        let text = if group.is_empty() { line } else { &group.text };
                        self.out.text.extend_from_slice(text);
                        self.out.text.push(b'\n');
                    }
                    group.clear();
                }
                Gathered::Ready => {
                    failed |= !self.run_group(&group, typed);
                    group.clear();
                    dot::output::end_once(self);
                }
            }
        };
        if unfinished && !group.is_empty() {
            failed |= !self.run_group(&group, typed);
            dot::output::end_once(self);
        }
        self.nesting -= 1;
        self.exit.unwrap_or(u8::from(failed))
    }

    /// Runs gathered lines; false if they failed.
    fn run_group(&mut self, group: &Group, typed: bool) -> bool {
        if self.echo {
            self.out.text.extend_from_slice(&group.text);
            self.out.text.push(b'\n');
        }
        // Much faster than the repair of what is not UTF-8, which is rare.
        let text = match std::str::from_utf8(&group.text) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&group.text),
        };
        let timer = self.timer.then(Timer::start);
        let outcome = self.run_sql(&text);
        if let Some(timer) = timer {
            self.out.text.extend_from_slice(timer.report().as_bytes());
        }
        match outcome {
            Ok(()) => {
                if self.changes {
                    self.show_changes();
                }
                true
            }
            Err(failure) => {
                let message = failure.at_line((!typed).then_some(group.line));
                self.log_line(&message);
                self.out.complain(message);
                false
            }
        }
    }

    fn show_changes(&mut self) {
        if let Some(conn) = &self.conn {
            let line = format!(
                "changes: {}   total_changes: {}\n",
                conn.changes(),
                conn.total_changes()
            );
            self.out.text.extend_from_slice(line.as_bytes());
        }
    }

    fn log_line(&mut self, message: &str) {
        use std::io::Write as _;
        if let Some(log) = &mut self.log {
            // A log that cannot be written stops nothing.
            let _ = log.write_all(message.as_bytes());
        }
    }

    /// Writes a statement that is about to run to the trace.
    pub fn trace_statement(&mut self, text: &str) {
        use std::io::Write as _;
        if let Some(trace) = &mut self.trace {
            self.out.flush();
            // A trace that cannot be written stops nothing.
            let _ = writeln!(trace, "{};", text.trim_end_matches(';'));
        }
    }

    /// The connection, opened if need be.
    ///
    /// # Errors
    /// The database cannot be opened; the shell then ends.
    pub fn connection(&mut self) -> Result<LocalConnection, Failure> {
        if let Some(conn) = &self.conn {
            return Ok(conn.clone());
        }
        let path = self.database.clone();
        self.open(&path).map_err(|e| {
            self.exit = Some(1);
            let message = format!("unable to open database \"{path}\": {}", e.message());
            Failure {
                phase: Phase::Open,
                message,
                code: 1,
            }
        })
    }

    /// As [`connection`](Self::connection); an error is printed.
    pub fn connection_or_complain(&mut self) -> Option<LocalConnection> {
        match self.connection() {
            Ok(conn) => Some(conn),
            Err(failure) => {
                self.out.complain(format!("Error: {}\n", failure.message));
                None
            }
        }
    }

    /// The connection, if it is open.
    pub fn connected(&self) -> Option<&LocalConnection> {
        self.conn.as_ref()
    }

    /// Opens a database in place of the one that was open.
    pub fn open(&mut self, path: &str) -> ringwood::Result<LocalConnection> {
        if self.no_follow && Path::new(path).is_symlink() {
            return Err(ringwood::Error::SqliteFailure(
                14,
                "unable to open database file".into(),
            ));
        }
        let (file, options) = file_and_options(path, self.read_only);
        let conn = LocalConnection::open_with(file, &options)?;
        // Files come from anywhere: what their schemas call must be harmless.
        conn.execute("PRAGMA trusted_schema=OFF", ())?;
        extension::register(&conn, !self.safe)?;
        self.interrupts.aim(Some(conn.interrupt_handle()));
        self.conn = Some(conn.clone());
        Ok(conn)
    }

    /// Closes the database; false, after a word about it, if that failed.
    pub fn close(&mut self) -> bool {
        self.interrupts.aim(None);
        let Some(conn) = self.conn.take() else {
            return true;
        };
        match conn.close() {
            Ok(()) => true,
            Err(e) => {
                self.out
                    .complain(format!("Error: closing the database: {}\n", e.message()));
                false
            }
        }
    }

    /// Whether a command may touch other files; says so if not.
    pub fn may(&mut self, what: &str) -> bool {
        if self.safe {
            let line = self.line;
            self.out
                .complain(format!("line {line}: cannot run {what} in safe mode\n"));
            self.exit = Some(1);
        }
        !self.safe
    }
}

/// The file that a database's name stands for, and how it is opened: the name itself, or a `file:` URI with
/// its `mode`. Other parameters of a URI are ignored, as SQLite ignores those that it does not know.
fn file_and_options(name: &str, read_only: bool) -> (PathBuf, OpenOptions) {
    let mut options = OpenOptions {
        read_only,
        create: !read_only,
        ..OpenOptions::default()
    };
    let Some(uri) = name.strip_prefix("file:") else {
        return (PathBuf::from(name), options);
    };
    let uri = uri.split('#').next().unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let path = match path.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => path,
    };
    let mut path = PathBuf::from(decoded(path));
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match (key, value) {
            ("mode", "ro") => {
                options.read_only = true;
                options.create = false;
            }
            ("mode", "rw") => options.create = false,
            ("mode", "memory") => path = ":memory:".into(),
            _ => {}
        }
    }
    (path, options)
}

/// Replaces `%41` by `A`.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

fn history_file() -> Option<PathBuf> {
    match std::env::var_os("RINGWOOD_HISTORY") {
        Some(path) => Some(path.into()),
        None => home().map(|home| home.join(".ringwood_history")),
    }
}

#[cfg(test)]
mod tests {
    use super::file_and_options;

    #[test]
    fn uris_name_files() {
        for (name, path, read_only, create) in [
            ("a.db", "a.db", false, true),
            ("file:a.db", "a.db", false, true),
            ("file:/x/a%20b.db?mode=ro", "/x/a b.db", true, false),
            ("file:///x/y?mode=rw&cache=shared", "/x/y", false, false),
            ("file://localhost/x#part", "/x", false, true),
            ("file:any?mode=memory", ":memory:", false, true),
            ("100%.db", "100%.db", false, true),
        ] {
            let (file, options) = file_and_options(name, false);
            assert_eq!(file.to_str(), Some(path), "{name}");
            assert_eq!(
                (options.read_only, options.create),
                (read_only, create),
                "{name}"
            );
        }
    }
}
