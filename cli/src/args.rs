//! The command line.
//!
//! Options begin with one dash or two, as in sqlite3's shell. The first other argument is the database, what
//! follows it is run as SQL or dot-commands. The word `doctor` in place of the database prints what the machine
//! offers for I/O, unless a file of that name exists.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Args {
    /// The database, if one was named.
    pub database: Option<String>,
    /// SQL and dot-commands to run instead of standard input.
    pub commands: Vec<String>,
    /// `-init FILE`.
    pub init: Option<PathBuf>,
    /// `-batch` or `-interactive`.
    pub interactive: Option<bool>,
    /// `-readonly`.
    pub read_only: bool,
    /// `-nofollow`.
    pub no_follow: bool,
    /// `-bail`.
    pub bail: bool,
    /// `-safe`.
    pub safe: bool,
    /// Settings in the order in which they were given; they are applied after the init file.
    pub settings: Vec<Setting>,
    /// Nothing was given at all.
    pub bare: bool,
}

/// An option that changes a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `-csv`, `-json`, …: the option's name.
    Mode(&'static str),
    /// `-separator SEP`
    Separator(String),
    /// `-newline SEP`
    Newline(String),
    /// `-nullvalue TEXT`
    Null(String),
    /// `-header`, `-noheader`
    Header(bool),
    /// `-echo`
    Echo,
    /// `-eqp`, `-eqpfull`
    QueryPlan {
        /// The program too.
        full: bool,
    },
    /// `-stats`
    Stats,
    /// `-cmd COMMAND`
    Command(String),
    /// `-version`
    Version,
    /// `-help`
    Help,
}

/// The options that set a mode.
const MODES: [&str; 12] = [
    "ascii", "box", "column", "csv", "html", "json", "line", "list", "markdown", "quote", "table",
    "tabs",
];

/// Options of sqlite3 about its allocator and its files' layers: how many arguments each has. They change no
/// result and are accepted.
const WITHOUT_EFFECT: [(&str, usize); 8] = [
    ("heap", 1),
    ("lookaside", 2),
    ("memtrace", 0),
    ("mmap", 1),
    ("pagecache", 2),
    ("scanstats", 0),
    ("sorterref", 1),
    ("threadsafe", 1),
];

impl Args {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// What is wrong with them, as sqlite3's shell says it.
    pub fn parse(given: impl Iterator<Item = OsString>) -> Result<Args, String> {
        let mut args = Args {
            bare: true,
            ..Args::default()
        };
        let mut given = given.map(|a| a.to_string_lossy().into_owned());
        while let Some(arg) = given.next() {
            args.bare = false;
            let Some(option) = arg.strip_prefix('-') else {
                match args.database {
                    None => args.database = Some(arg),
                    Some(_) => args.commands.push(arg),
                }
                continue;
            };
            let option = option.strip_prefix('-').unwrap_or(option);
            let mut value = || given.next().ok_or(format!("missing argument to {arg}"));
            match option {
                "init" => args.init = Some(value()?.into()),
                "batch" => args.interactive = Some(false),
                "interactive" => args.interactive = Some(true),
                "readonly" => args.read_only = true,
                "nofollow" => args.no_follow = true,
                "bail" => args.bail = true,
                "safe" => args.safe = true,
                "separator" => args.settings.push(Setting::Separator(value()?)),
                "newline" => args.settings.push(Setting::Newline(value()?)),
                "nullvalue" => args.settings.push(Setting::Null(value()?)),
                "header" => args.settings.push(Setting::Header(true)),
                "noheader" => args.settings.push(Setting::Header(false)),
                "echo" => args.settings.push(Setting::Echo),
                "eqp" => args.settings.push(Setting::QueryPlan { full: false }),
                "eqpfull" => args.settings.push(Setting::QueryPlan { full: true }),
                "stats" => args.settings.push(Setting::Stats),
                "cmd" => args.settings.push(Setting::Command(value()?)),
                "version" => args.settings.push(Setting::Version),
                "help" => args.settings.push(Setting::Help),
                other => {
                    if let Some(mode) = MODES.iter().find(|m| **m == other) {
                        args.settings.push(Setting::Mode(mode));
                    } else if let Some((_, count)) = WITHOUT_EFFECT.iter().find(|o| o.0 == other) {
                        for _ in 0..*count {
                            value()?;
                        }
                    } else {
                        return Err(format!(
                            "unknown option: -{other}\nUse -help for a list of options."
                        ));
                    }
                }
            }
        }
        Ok(args)
    }
}

/// The text of `-help`.
pub const HELP: &str = "\
Usage: ringwood [OPTIONS] [FILENAME [SQL...]]
       ringwood doctor [FOLDER]

FILENAME is a SQLite database; it is made, in WAL mode, at the first write if it
does not exist. Without it, or as \":memory:\", the database is in memory and is
lost at the end. SQL and dot-commands that follow are run one after another;
without them they are read from standard input.
`ringwood doctor` prints what this machine offers for I/O on FOLDER (default:
the current one).

OPTIONS include (one dash or two):
   -ascii               set output mode to 'ascii'
   -bail                stop after hitting an error
   -batch               force batch I/O
   -box                 set output mode to 'box'
   -column              set output mode to 'column'
   -cmd COMMAND         run \"COMMAND\" before reading stdin
   -csv                 set output mode to 'csv'
   -echo                print inputs before execution
   -eqp                 print the query plan of each statement
   -eqpfull             print the query plan and the program of each statement
   -[no]header          turn headers on or off
   -help                show this message
   -html                set output mode to HTML
   -init FILE           read/process named file instead of ~/.ringwoodrc
   -interactive         force interactive I/O
   -json                set output mode to 'json'
   -line                set output mode to 'line'
   -list                set output mode to 'list'
   -markdown            set output mode to 'markdown'
   -newline SEP         set output row separator. Default: '\\n'
   -nofollow            refuse to open symbolic links to database files
   -nullvalue TEXT      set text string for NULL values. Default ''
   -quote               set output mode to 'quote'
   -readonly            open the database read-only
   -safe                refuse commands that touch other files or run programs
   -separator SEP       set output column separator. Default: '|'
   -stats               print counters after each statement
   -table               set output mode to 'table'
   -tabs                set output mode to 'tabs'
   -version             show the version
Accepted and without effect, as there is nothing to set: -heap, -lookaside,
-memtrace, -mmap, -pagecache, -scanstats, -sorterref, -threadsafe.

FILES
   ~/.ringwoodrc        read at the start, like -init FILE
   ~/.ringwood_history  lines typed at the prompt (RINGWOOD_HISTORY names another)

EXIT STATUS
   0 if all went well, 1 after an error in a script (2 and more: the code given
   to .exit, or SQLite's result code of SQL on the command line).
";

#[cfg(test)]
mod tests {
    use super::{Args, Setting};

    fn parse(args: &[&str]) -> Result<Args, String> {
        Args::parse(args.iter().map(Into::into))
    }

    #[test]
    fn one_dash_or_two() {
        for args in [
            ["-csv", "--header", "a.db", "select 1", "-cmd", ".x"],
            ["--csv", "-header", "a.db", "select 1", "--cmd", ".x"],
        ] {
            let args = parse(&args).unwrap();
            assert_eq!(args.database.as_deref(), Some("a.db"));
            assert_eq!(args.commands, ["select 1"]);
            assert_eq!(
                args.settings,
                [
                    Setting::Mode("csv"),
                    Setting::Header(true),
                    Setting::Command(".x".into())
                ]
            );
            assert!(!args.bare);
        }
    }

    #[test]
    fn refusals() {
        assert_eq!(
            parse(&["-nonsense"]).unwrap_err().lines().next(),
            Some("unknown option: -nonsense")
        );
        assert_eq!(parse(&["-cmd"]).unwrap_err(), "missing argument to -cmd");
        assert!(parse(&[]).unwrap().bare);
    }
}
