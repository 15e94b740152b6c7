//! Dot-commands: the words after a dot at the beginning of a line.
//!
//! Reading order: this module (words, table, dispatch), [`help`], then the commands: [`settings`], [`output`],
//! [`schema`], [`dump`], [`import`], [`database`], [`parameter`], [`system`], [`doctor`].
//!
//! As in sqlite3's shell a command may be cut short (`.he on`), from as many letters on as [`COMMANDS`] says; where
//! several would match the first does.

pub mod database;
pub mod doctor;
pub mod dump;
pub mod help;
pub mod import;
pub mod output;
pub mod parameter;
pub mod pattern;
pub mod recover;
pub mod schema;
pub mod settings;
pub mod system;

use ringwood::{LocalConnection, Value};

use crate::shell::Shell;

/// What becomes of the shell after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// It goes on.
    Go,
    /// It goes on, and something went wrong.
    Failed,
    /// The script that is being read ends; the shell does, if it is the outermost.
    Quit,
    /// The shell ends with this status.
    Exit(u8),
}

type Run = fn(&mut Shell, &[String]) -> Flow;

/// Commands: name, letters needed at least, what runs it. The first argument that it gets is its name.
pub const COMMANDS: &[(&str, usize, Run)] = &[
    ("backup", 3, database::backup),
    ("save", 3, database::backup),
    ("bail", 3, settings::bail),
    ("binary", 3, settings::binary),
    ("cd", 2, system::cd),
    ("changes", 3, settings::changes),
    ("clone", 1, database::clone),
    ("databases", 2, schema::databases),
    ("dbinfo", 3, database::dbinfo),
    ("dump", 1, dump::dump),
    ("echo", 1, settings::echo),
    ("eqp", 1, settings::eqp),
    ("exit", 1, system::exit),
    ("explain", 1, settings::explain),
    ("excel", 5, output::excel),
    ("fullschema", 1, schema::fullschema),
    ("headers", 1, settings::headers),
    ("help", 1, help::help),
    ("import", 1, import::import),
    ("indices", 1, schema::indexes),
    ("indexes", 1, schema::indexes),
    ("limits", 5, settings::limit),
    ("log", 1, settings::log),
    ("mode", 1, settings::mode),
    ("nullvalue", 1, settings::nullvalue),
    ("open", 2, database::open),
    ("output", 1, output::output),
    ("once", 1, output::once),
    ("parameter", 3, parameter::parameter),
    ("print", 3, settings::print),
    ("prompt", 1, settings::prompt),
    ("quit", 1, system::quit),
    ("read", 3, system::read),
    ("restore", 3, database::restore),
    ("schema", 1, schema::schema),
    ("separator", 1, settings::separator),
    ("shell", 1, system::shell),
    ("system", 1, system::shell),
    ("show", 1, settings::show),
    ("stats", 1, settings::stats),
    ("tables", 2, schema::tables),
    ("timeout", 5, database::timeout),
    ("timer", 5, settings::timer),
    ("trace", 1, settings::trace),
    ("version", 1, settings::version),
    ("width", 1, settings::width),
];

/// Runs a line that begins with a dot.
pub fn run(shell: &mut Shell, line: &str) -> Flow {
    let words = words(&line[1..]);
    let Some(first) = words.first() else {
        return Flow::Go;
    };
    let command = COMMANDS
        .iter()
        .find(|(name, least, _)| first.len() >= *least && name.starts_with(first.as_str()))
        .map(|(_, _, run)| run);
    let flow = match command {
        Some(run) => run(shell, &words),
        None => shell.fail(format!(
            "Error: unknown command or invalid arguments:  \"{first}\". Enter \".help\" for help\n"
        )),
    };
    output::count_command(shell);
    flow
}

impl Shell {
    /// Says what went wrong.
    pub fn fail(&mut self, message: impl AsRef<[u8]>) -> Flow {
        self.out.complain(message);
        Flow::Failed
    }

    /// Prints a text among the results.
    pub fn print(&mut self, text: impl AsRef<[u8]>) {
        self.out.text.extend_from_slice(text.as_ref());
        self.out.relieve();
    }

    /// A yes or no, as sqlite3's shell reads it.
    pub fn truth(&mut self, word: &str) -> bool {
        if !word.is_empty() && (word.bytes().all(|b| b.is_ascii_digit()) || word.starts_with("0x"))
        {
            return integer(word) & 0xffff_ffff != 0;
        }
        match word.to_ascii_lowercase().as_str() {
            "on" | "yes" => true,
            "off" | "no" => false,
            _ => {
                self.out.complain(format!(
                    "ERROR: Not a boolean value: \"{word}\". Assuming \"no\".\n"
                ));
                false
            }
        }
    }

    /// All rows of a query.
    pub fn rows(&mut self, sql: &str) -> ringwood::Result<Vec<Vec<Value>>> {
        let conn = self
            .connection()
            .map_err(|failure| ringwood::Error::SqliteFailure(failure.code, failure.message))?;
        rows_of(&conn, sql)
    }

    /// The names of the databases: main, temp, and those that are attached.
    pub fn database_names(&mut self) -> ringwood::Result<Vec<String>> {
        let rows = self.rows("PRAGMA database_list")?;
        Ok(rows
            .into_iter()
            .filter_map(|mut row| text(row.swap_remove(1)))
            .collect())
    }
}

/// All rows of a query.
pub fn rows_of(conn: &LocalConnection, sql: &str) -> ringwood::Result<Vec<Vec<Value>>> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = Vec::new();
    while statement.step()? {
        let columns = 0..statement.column_count();
        rows.push(columns.map(|i| statement.column(i).to_value()).collect());
    }
    Ok(rows)
}

/// The text of a value, if it is text.
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Splits a command into words. Words may be quoted: in single quotes as they are, in double quotes, and
/// without quotes, with C's backslash escapes.
fn words(line: &str) -> Vec<String> {
    let space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(space);
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' => rest[1..].split_once('\'').unwrap_or((&rest[1..], "")),
            '"' => {
                let end = end_of_quoted(&rest[1..]);
                (&rest[1..=end], rest.get(end + 2..).unwrap_or(""))
            }
            _ => rest.split_once(space).unwrap_or((rest, "")),
        };
        words.push(if first == '\'' {
            word.to_owned()
        } else {
            unescaped(word)
        });
        rest = after.trim_start_matches(space);
    }
    words
}

/// Where the closing double quote of `text` is, or its end.
fn end_of_quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' && at + 1 < bytes.len() {
            2
        } else {
            1
        };
    }
    at.min(bytes.len())
}

/// Replaces C's escapes: `\n`, `\t`, `\\`, `\"`, `\'`, `\101`.
fn unescaped(word: &str) -> String {
    if !word.contains('\\') {
        return word.to_owned();
    }
    let mut out = Vec::with_capacity(word.len());
    let mut bytes = word.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' || bytes.peek().is_none() {
            out.push(byte);
            continue;
        }
        let escaped = bytes.next().unwrap_or(b'\\');
        out.push(match escaped {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            b'0'..=b'7' => {
                let mut code = u32::from(escaped - b'0');
                for _ in 0..2 {
                    match bytes.peek() {
                        Some(digit @ b'0'..=b'7') => {
                            code = code * 8 + u32::from(digit - b'0');
                            bytes.next();
                        }
                        _ => break,
                    }
                }
                code as u8
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An integer as sqlite3's shell reads it: decimal or `0x…`, with a sign, with K, M, G and their like.
pub fn integer(word: &str) -> i64 {
    let (negative, word) = match word.as_bytes().first() {
        Some(b'-') => (true, &word[1..]),
        Some(b'+') => (false, &word[1..]),
        _ => (false, word),
    };
    let (radix, word) = match word.strip_prefix("0x") {
        Some(hex) => (16, hex),
        None => (10, word),
    };
    let digits = word
        .bytes()
        .take_while(|b| (*b as char).is_digit(radix))
        .count();
    let number = word[..digits].bytes().fold(0_i64, |n, b| {
        n.wrapping_mul(i64::from(radix))
            .wrapping_add(i64::from((b as char).to_digit(radix).unwrap_or(0)))
    });
    let factor = match word[digits..].to_ascii_lowercase().as_str() {
        "kib" => 1024,
        "mib" => 1024 * 1024,
        "gib" => 1024 * 1024 * 1024,
        "kb" | "k" => 1000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        _ => 1,
    };
    let number = number.wrapping_mul(factor);
    if negative {
        number.wrapping_neg()
    } else {
        number
    }
}

/// Whether `word` is the option `name`, with one dash or two.
pub fn is_option(word: &str, name: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|rest| rest.strip_prefix('-').unwrap_or(rest) == name)
}

#[cfg(test)]
mod tests {
    use super::{integer, is_option, words};

    #[test]
    fn words_of_a_command() {
        for (line, expected) in [
            ("mode csv", &["mode", "csv"][..]),
            (
                "  print   'a  b' \"c\\td\" e\\tf ",
                &["print", "a  b", "c\td", "e\tf"],
            ),
            ("print \"a\\\"b\" c", &["print", "a\"b", "c"]),
            ("print 'open", &["print", "open"]),
            ("separator \\037 \"\"", &["separator", "\x1f", ""]),
            ("", &[]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn integers() {
        for (word, expected) in [
            ("12", 12),
            ("-3", -3),
            ("0x1F", 31),
            ("2K", 2000),
            ("1MiB", 1 << 20),
            ("x", 0),
        ] {
            assert_eq!(integer(word), expected, "{word}");
        }
        assert!(is_option("--csv", "csv") && is_option("-csv", "csv") && !is_option("csv", "csv"));
    }
}
