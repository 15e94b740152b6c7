//! `.import`: rows from a file into a table, which is made if it does not exist.
//!
//! Fields are read as sqlite3's shell reads them: separators of one byte, double quotes around fields that hold
//! separators, `""` for a quote within; a line with too few fields is filled with NULLs, surplus fields are
//! ignored, and both are told. (The crate `csv` reads other dialects of the same idea; here what a file means
//! must not depend on which shell reads it.)

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use ringwood::{LocalConnection, Value};

use super::{Flow, help, integer};
use crate::mode::quote::doubled;
use crate::mode::{Mode, quote};
use crate::progress::Progress;
use crate::shell::Shell;

/// What the command asks for.
#[derive(Default)]
struct Request {
    file: Option<String>,
    table: Option<String>,
    schema: Option<String>,
    verbose: u8,
    skip: i64,
    /// Separators of `--csv` and `--ascii`; without them the output mode's are taken.
    separators: Option<(u8, u8)>,
    ascii: bool,
}

/// `.import FILE TABLE`
pub fn import(shell: &mut Shell, args: &[String]) -> Flow {
    if !shell.may(".import") {
        return Flow::Failed;
    }
    let request = match parse(shell, args) {
        Ok(request) => request,
        Err(problem) => {
            shell.print(format!("ERROR: {problem} Usage:\n"));
            help::show(shell, "import");
            return Flow::Failed;
        }
    };
    let Some(conn) = shell.connection_or_complain() else {
        return Flow::Failed;
    };
    let (column, row) = match request.separators {
        Some(separators) => separators,
        None => match separators(shell) {
            Ok(separators) => separators,
            Err(problem) => return shell.fail(format!("Error: {problem}\n")),
        },
    };
    let name = request.file.clone().unwrap_or_default();
    let Ok(mut fields) = Fields::open(&name, column, row, request.ascii) else {
        return shell.fail(format!("Error: cannot open \"{name}\"\n"));
    };
    if request.verbose >= 2 || (request.verbose >= 1 && request.separators.is_none()) {
        let mut line = b"Column separator ".to_vec();
        quote::push_c(&[column], &mut line);
        line.extend_from_slice(b", row separator ");
        quote::push_c(&[row], &mut line);
        line.push(b'\n');
        shell.print(line);
    }
    match load(shell, &conn, &request, &mut fields) {
        Ok(()) => Flow::Go,
        Err(message) => shell.fail(message),
    }
}

fn parse(shell: &Shell, args: &[String]) -> Result<Request, String> {
    let mut request = Request {
        ascii: shell.format.mode == Mode::Ascii,
        ..Request::default()
    };
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix('-') else {
            if request.file.is_none() {
                request.file = Some(word.clone());
            } else if request.table.is_none() {
                request.table = Some(word.clone());
            } else {
                return Err(format!("extra argument: \"{word}\". "));
            }
            continue;
        };
        let more = !words.as_slice().is_empty();
        match option.strip_prefix('-').unwrap_or(option) {
            "v" => request.verbose += 1,
            "schema" if more => request.schema = words.next().cloned(),
            "skip" if more => request.skip = words.next().map_or(0, |n| integer(n)),
            "ascii" => {
                request.separators = Some((0x1f, 0x1e));
                request.ascii = true;
            }
            "csv" => {
                request.separators = Some((b',', b'\n'));
                request.ascii = false;
            }
            _ => {
                return Err(format!(
                    "unknown option: \"{}\". ",
                    word.strip_prefix('-')
                        .filter(|w| w.starts_with('-'))
                        .unwrap_or(word)
                ));
            }
        }
    }
    match (&request.file, &request.table) {
        (None, _) => Err("missing FILE argument.".into()),
        (_, None) => Err("missing TABLE argument.".into()),
        _ => Ok(request),
    }
}

/// The output mode's separators, if they are single bytes.
fn separators(shell: &mut Shell) -> Result<(u8, u8), &'static str> {
    let format = &mut shell.format;
    if format.mode == Mode::Csv && format.row_separator == b"\r\n" {
        // What CSV output ends lines with need not be what the input has.
        format.row_separator = b"\n".to_vec();
    }
    let column = match format.column_separator[..] {
        [] => return Err("non-null column separator required for import"),
        [byte] => byte,
        _ => return Err("multi-character column separators not allowed for import"),
    };
    match format.row_separator[..] {
        [] => Err("non-null row separator required for import"),
        [byte] => Ok((column, byte)),
        _ => Err("multi-character row separators not allowed for import"),
    }
}

/// Makes the table if need be, and fills it.
fn load(
    shell: &mut Shell,
    conn: &LocalConnection,
    request: &Request,
    fields: &mut Fields,
) -> Result<(), String> {
    for _ in 0..request.skip.max(0) {
        while fields.read(shell).is_some() && fields.end == End::Column {}
    }
    let table = full_name(request);
    let select = format!("SELECT * FROM {table}");
    let columns = match conn.prepare(&select) {
        Ok(statement) => statement.column_count(),
        Err(e) if e.message().starts_with("no such table: ") => {
            create(shell, conn, request, fields, &table)?;
            conn.prepare(&select)
                .map_err(|e| format!("Error: {}\n", e.message()))?
                .column_count()
        }
        Err(e) => return Err(format!("Error: {}\n", e.message())),
    };
    if columns == 0 {
        return Ok(());
    }
    let insert = format!("INSERT INTO {table} VALUES(?{})", ",?".repeat(columns - 1));
    if request.verbose >= 2 {
        shell.print(format!("Insert using: {insert}\n"));
    }
    let own_transaction = conn.is_autocommit();
    if own_transaction {
        conn.execute_batch("BEGIN")
            .map_err(|e| format!("Error: {}\n", e.message()))?;
    }
    let (rows, errors) = insert_rows(shell, conn, &insert, columns, fields)?;
    if own_transaction {
        conn.execute_batch("COMMIT")
            .map_err(|e| format!("Error: {}\n", e.message()))?;
    }
    if request.verbose > 0 {
        let lines = fields.line - 1;
        shell.print(format!(
            "Added {rows} rows with {errors} errors using {lines} lines of input\n"
        ));
    }
    Ok(())
}

fn full_name(request: &Request) -> String {
    let table = doubled(request.table.as_deref().unwrap_or_default());
    match &request.schema {
        Some(schema) => format!("{}.{table}", doubled(schema)),
        None => table,
    }
}

/// Makes the table, its columns named by the first line.
fn create(
    shell: &mut Shell,
    conn: &LocalConnection,
    request: &Request,
    fields: &mut Fields,
    table: &str,
) -> Result<(), String> {
    let mut names = Vec::new();
    while let Some(name) = fields.read(shell) {
        names.push(String::from_utf8_lossy(name).into_owned());
        if fields.end != End::Column {
            break;
        }
    }
    if names.is_empty() {
        return Err(format!("{}: empty file\n", fields.name));
    }
    let (names, renamed) = distinct(names);
    if !renamed.is_empty() {
        let renamed = renamed.join(",\n");
        let line = format!(
            "Columns renamed during .import {} due to duplicates:\n{renamed}\n",
            fields.name
        );
        shell.out.complain(line);
    }
    let create = format!("CREATE TABLE {table}{}\n", column_list(&names));
    if request.verbose >= 1 {
        shell.print(format!("{create}\n"));
    }
    conn.execute_batch(&create)
        .map_err(|e| format!("{create} failed:\n{}\n", e.message()))
}

/// Columns of type TEXT, four to a line.
fn column_list(names: &[String]) -> String {
    let mut list = String::from("(\n");
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            list.push_str(if i % 4 > 0 { ", " } else { ",\n " });
        }
        list.push_str(&doubled(name));
        list.push_str(" TEXT");
    }
    list.push(')');
    list
}

/// Column names made distinct: one that occurs twice, case aside, gets its number; an empty one is `?`.
/// Gives also the renamings, `"a" to "a_1"`.
fn distinct(names: Vec<String>) -> (Vec<String>, Vec<String>) {
    let names: Vec<String> = names
        .into_iter()
        .map(|n| if n.is_empty() { "?".into() } else { n })
        .collect();
    let occurrences = |name: &str| {
        names
            .iter()
            .filter(|n| n.eq_ignore_ascii_case(name))
            .count()
    };
    if names.iter().all(|n| occurrences(n) == 1) {
        return (names, Vec::new());
    }
    let most_digits = names.len().to_string().len();
    // Zeros are put before the number until no new name is that of another column.
    let numbered = |zeros: usize| -> Vec<String> {
        names
            .iter()
            .enumerate()
            .map(|(i, n)| {
                if occurrences(n) > 1 {
                    format!("{n}_{}{}", "0".repeat(zeros), i + 1)
                } else {
                    n.clone()
                }
            })
            .collect()
    };
    let all_differ = |names: &[String]| {
        names
            .iter()
            .enumerate()
            .all(|(i, n)| names[..i].iter().all(|o| !o.eq_ignore_ascii_case(n)))
    };
    let new = (0..=most_digits + names.len())
        .map(numbered)
        .find(|n| all_differ(n))
        .unwrap_or_else(|| numbered(0));
    let renamed = names
        .iter()
        .zip(&new)
        .filter(|(old, new)| old != new)
        .map(|(old, new)| format!("{} to {}", doubled(old), doubled(new)))
        .collect();
    (new, renamed)
}

/// Inserts what is left of the file; gives the numbers of rows and of errors.
fn insert_rows(
    shell: &mut Shell,
    conn: &LocalConnection,
    insert: &str,
    columns: usize,
    fields: &mut Fields,
) -> Result<(u64, u64), String> {
    let mut statement = conn
        .prepare(insert)
        .map_err(|e| format!("Error: {}\n", e.message()))?;
    let progress = Progress::bytes(".import", fields.size);
    let (mut rows, mut errors) = (0, 0);
    while fields.end != End::File {
        let first_line = fields.line;
        let mut count = 0;
        while count < columns {
            let ascii = fields.ascii;
            match fields.read(shell) {
                None if count == 0 => break,
                Some([]) if count == 0 && ascii => break,
                None => bind(&mut statement, count, Value::Null)?,
                Some(field) => {
                    let field = quote::printable(field);
                    let value = match std::str::from_utf8(field) {
                        Ok(text) => Value::Text(text.to_owned()),
                        Err(_) => Value::Text(String::from_utf8_lossy(field).into_owned()),
                    };
                    bind(&mut statement, count, value)?;
                }
            }
            count += 1;
            if count < columns && fields.end != End::Column {
                shell.out.complain(format!(
                    "{}:{first_line}: expected {columns} columns but found {count} - filling the rest with NULL\n",
                    fields.name
                ));
                for i in count..columns {
                    bind(&mut statement, i, Value::Null)?;
                }
                count = columns;
            }
        }
        if fields.end == End::Column {
            while fields.end == End::Column {
                fields.read(shell);
                count += 1;
            }
            shell.out.complain(format!(
                "{}:{first_line}: expected {columns} columns but found {count} - extras ignored\n",
                fields.name
            ));
        }
        if count >= columns {
            match statement.step() {
                Ok(_) => rows += 1,
                Err(e) => {
                    let message = format!(
                        "{}:{first_line}: INSERT failed: {}\n",
                        fields.name,
                        e.message()
                    );
                    shell.out.complain(message);
                    errors += 1;
                }
            }
            statement.reset();
            if rows % 1024 == 0 {
                progress.at(fields.consumed);
            }
        }
    }
    Ok((rows, errors))
}

fn bind(
    statement: &mut ringwood::local::Statement,
    column: usize,
    value: Value,
) -> Result<(), String> {
    statement
        .bind(column + 1, value)
        .map_err(|e| format!("Error: {}\n", e.message()))
}

/// What ended a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Column,
    Row,
    File,
}

/// The fields of a file, one after another.
struct Fields {
    /// How messages name it.
    name: String,
    input: Bytes,
    column: u8,
    row: u8,
    ascii: bool,
    /// The number of the line that is being read.
    line: u64,
    /// What ended the field that was read last.
    end: End,
    /// Bytes of the file; 0 where that is not known.
    size: u64,
    /// Bytes that have been read.
    consumed: u64,
    field: Vec<u8>,
    begun: bool,
    /// The command whose output is read.
    child: Option<Child>,
}

type Bytes = BufReader<File>;

impl Fields {
    fn open(name: &str, column: u8, row: u8, ascii: bool) -> std::io::Result<Fields> {
        let mut child = None;
        let file = match name.strip_prefix('|') {
            Some(command) => {
                let mut spawned = Command::new("/bin/sh")
                    .arg("-c")
                    .arg(command)
                    .stdout(Stdio::piped())
                    .spawn()?;
                let out = spawned
                    .stdout
                    .take()
                    .ok_or(std::io::ErrorKind::BrokenPipe)?;
                child = Some(spawned);
                File::from(OwnedFd::from(out))
            }
            None => File::open(name)?,
        };
        let size = file.metadata().map_or(0, |m| m.len());
        Ok(Fields {
            name: if child.is_some() {
                "<pipe>".into()
            } else {
                name.to_owned()
            },
            input: BufReader::with_capacity(256 << 10, file),
            column,
            row,
            ascii,
            line: 1,
            end: End::Row,
            size,
            consumed: 0,
            field: Vec::new(),
            begun: false,
            child,
        })
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        use std::io::BufRead as _;
        // A read error ends the file; what came before it is imported, as by sqlite3's shell.
        let byte = match self.input.buffer().first() {
            Some(byte) => *byte,
            None => *self.input.fill_buf().ok()?.first()?,
        };
        self.input.consume(1);
        self.consumed += 1;
        Some(byte)
    }

    /// The next field, or `None` at the end of the file.
    fn read(&mut self, shell: &mut Shell) -> Option<&[u8]> {
        self.field.clear();
        let first = if shell.interrupts.came() {
            None
        } else {
            self.byte()
        };
        let Some(first) = first else {
            self.end = End::File;
            return None;
        };
        if self.ascii {
            self.plain(Some(first), false);
        } else if first == b'"' {
            self.quoted(shell);
        } else if first == 0xef && !self.begun {
            self.after_mark(first, shell);
        } else {
            self.plain(Some(first), true);
        }
        self.begun = true;
        Some(&self.field)
    }

    /// The first field of a file that may begin with a byte-order mark.
    fn after_mark(&mut self, first: u8, shell: &mut Shell) {
        let mut next = Some(first);
        for mark in [0xef, 0xbb, 0xbf] {
            if next != Some(mark) {
                return self.plain(next, true);
            }
            self.field.push(mark);
            next = self.byte();
        }
        self.field.clear();
        self.begun = true;
        match next {
            None => self.end = End::File,
            Some(b'"') => self.quoted(shell),
            next => self.plain(next, true),
        }
    }

    /// A field without quotes, whose first byte is `byte`.
    fn plain(&mut self, mut byte: Option<u8>, lines: bool) {
        loop {
            match byte {
                None => {
                    self.end = End::File;
                    return;
                }
                Some(b) if b == self.column => {
                    self.end = End::Column;
                    return;
                }
                Some(b) if b == self.row => {
                    self.end = End::Row;
                    self.line += 1;
                    if lines && self.field.last() == Some(&b'\r') {
                        self.field.pop();
                    }
                    return;
                }
                Some(b) => self.field.push(b),
            }
            byte = self.byte();
        }
    }

    /// A field whose opening quote has been read.
    fn quoted(&mut self, shell: &mut Shell) {
        let first_line = self.line;
        let (mut previous, mut before) = (0, 0);
        loop {
            let byte = self.byte();
            if byte == Some(self.row) {
                self.line += 1;
            }
            if byte == Some(b'"') && previous == b'"' {
                previous = 0;
                continue;
            }
            let closed = previous == b'"';
            let ended = match byte {
                None => closed.then_some(End::File),
                Some(b) if b == self.column && closed => Some(End::Column),
                Some(b) if b == self.row && (closed || (previous == b'\r' && before == b'"')) => {
                    Some(End::Row)
                }
                _ => None,
            };
            if let Some(end) = ended {
                self.end = end;
                while self.field.pop().is_some_and(|b| b != b'"') {}
                return;
            }
            if closed && byte != Some(b'\r') {
                shell.out.complain(format!(
                    "{}:{}: unescaped \" character\n",
                    self.name, self.line
                ));
            }
            let Some(byte) = byte else {
                shell.out.complain(format!(
                    "{}:{first_line}: unterminated \"-quoted field\n",
                    self.name
                ));
                self.end = End::File;
                return;
            };
            self.field.push(byte);
            (before, previous) = (previous, byte);
        }
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Lets a command that still writes end.
            let _ = std::io::copy(&mut (&mut self.input).take(1 << 30), &mut std::io::sink());
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{column_list, distinct};

    #[test]
    fn names_are_made_distinct() {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(distinct(names(&["a", "b"])), (names(&["a", "b"]), vec![]));
        let (new, renamed) = distinct(names(&["a", "", "A"]));
        assert_eq!(new, ["a_1", "?", "A_3"]);
        assert_eq!(renamed, ["\"a\" to \"a_1\"", "\"A\" to \"A_3\""]);
        assert_eq!(
            column_list(&new),
            "(\n\"a_1\" TEXT, \"?\" TEXT, \"A_3\" TEXT)"
        );
    }
}
