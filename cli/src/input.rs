//! Lines of a script, and how lines become groups of statements.
//!
//! ```text
//!  blocks of 256 KiB ──> lines ──> Group: text that ends with a whole statement ──> run
//!                           └────> a line that begins with '.': a dot-command
//! ```
//!
//! As in sqlite3's shell, a statement ends at the end of a line: lines are gathered until the last token is
//! a semicolon that ends a statement, and then everything gathered runs, one statement after another. The
//! scanner keeps its state from line to line, so that no byte is looked at twice.
//!
//! Costs: a line of a script is found with one `memchr`, copied once, and scanned once.

use std::fs::File;
use std::io::{self, Read as _};

use ringwood_sql::lex::is_id_byte;

/// Bytes that are read from a script at once.
const BLOCK: usize = 256 << 10;

/// The lines of a file or of standard input.
pub struct Lines {
    file: File,
    block: Vec<u8>,
    /// What of `block` has been handed out.
    start: usize,
    /// What of `block` holds bytes.
    end: usize,
    /// Where the search for a newline goes on.
    searched: usize,
}

impl Lines {
    /// Lines of `file`.
    pub fn new(file: File) -> Lines {
        Lines {
            file,
            block: vec![0; BLOCK],
            start: 0,
            end: 0,
            searched: 0,
        }
    }

    /// Standard input.
    pub fn stdin() -> io::Result<Lines> {
        use std::os::fd::AsFd as _;
        Ok(Lines::new(File::from(
            io::stdin().as_fd().try_clone_to_owned()?,
        )))
    }

    /// The next line without its end, or `None` after the last. `before_wait` is called before the file is
    /// asked for more.
    pub fn next(&mut self, mut before_wait: impl FnMut()) -> io::Result<Option<&[u8]>> {
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.block[self.searched..self.end]) {
                let from = self.start;
                let to = self.searched + found;
                self.start = to + 1;
                self.searched = self.start;
                return Ok(Some(without_carriage_return(&self.block[from..to])));
            }
            self.searched = self.end;
            if self.start > 0 {
                self.block.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.searched = self.end;
                self.start = 0;
            }
            if self.end == self.block.len() {
                self.block.resize(self.block.len() * 2, 0);
            }
            before_wait();
            let n = match self.file.read(&mut self.block[self.end..]) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if n == 0 {
                let (from, to) = (self.start, self.end);
                self.start = to;
                return Ok((from < to).then(|| &self.block[from..to]));
            }
            self.end += n;
        }
    }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The bytes at which a statement may end, or a string or comment may begin.
static MARKS: [bool; 256] = {
    let mut marks = [false; 256];
    let mut i = 0;
    while i < 256 {
        marks[i] = matches!(i as u8, b';' | b'\'' | b'"' | b'`' | b'[' | b'-' | b'/');
        i += 1;
    }
    marks
};

/// What sqlite3's shell calls a space.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What the scanner stands in; see `complete_statement` of the SQL lexer for the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before the first token.
    Nothing,
    /// After a semicolon that ends a statement.
    Start,
    /// In a statement that any semicolon ends.
    Normal,
    /// After EXPLAIN.
    Explain,
    /// After CREATE, perhaps TEMP.
    Create,
    /// In CREATE TRIGGER.
    Trigger,
    /// After a semicolon within CREATE TRIGGER.
    Semi,
    /// After `;END` within CREATE TRIGGER.
    End,
}

/// Lines gathered until they end with a whole statement.
pub struct Group {
    /// The lines, with newlines between them; blanks before the first token are dropped.
    pub text: Vec<u8>,
    /// The number of the first line.
    pub line: u64,
    state: State,
    /// The byte that ends the string, name or comment that a line ended in; 0 for none.
    open: u8,
    /// Something else than blanks, comments and semicolons was seen.
    dark: bool,
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gathered {
    /// More lines are needed.
    More,
    /// The text is to be run.
    Ready,
    /// Nothing but blanks and comments: the text may be dropped.
    Blank,
}

impl Group {
    /// An empty group.
    pub fn new() -> Group {
        Group {
            text: Vec::new(),
            line: 0,
            state: State::Nothing,
            open: 0,
            dark: false,
        }
    }

    /// Forgets what was gathered.
    pub fn clear(&mut self) {
        self.text.clear();
        self.state = State::Nothing;
        self.open = 0;
        self.dark = false;
    }

    /// Whether no line has been gathered.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds a line, whose number is `number`.
    pub fn push(&mut self, line: &[u8], number: u64) -> Gathered {
        let line = if self.open == 0 && is_terminator(line) && self.would_be_complete() {
            b";"
        } else {
            line
        };
        self.scan(line);
        if self.text.is_empty() {
            let Some(first) = line.iter().position(|b| !is_space(*b)) else {
                self.clear();
                return Gathered::Blank;
            };
            self.line = number;
            self.text.extend_from_slice(&line[first..]);
        } else {
            self.text.push(b'\n');
            self.text.extend_from_slice(line);
        }
        if self.open == 0 && !self.dark {
            return Gathered::Blank;
        }
        if self.open == 0 && self.state == State::Start {
            Gathered::Ready
        } else {
            Gathered::More
        }
    }

    /// Whether a semicolon would complete it.
    fn would_be_complete(&self) -> bool {
        !matches!(self.state, State::Trigger | State::Semi)
    }

    /// Scans a line that follows what was scanned.
    fn scan(&mut self, line: &[u8]) {
        let mut at = 0;
        if self.open != 0 {
            match self.close(line, 0) {
                Some(next) => at = next,
                None => return,
            }
        }
        loop {
            if self.state == State::Normal {
                // Only these bytes change anything here.
                at += line[at..]
                    .iter()
                    .take_while(|b| !MARKS[usize::from(**b)])
                    .count();
            }
            let Some(&byte) = line.get(at) else { return };
            at += 1;
            match byte {
                b';' => self.state = self.after_semicolon(),
                b' ' | b'\t'..=b'\r' => {}
                b'-' if line.get(at) == Some(&b'-') => return,
                b'/' if line.get(at) == Some(&b'*') => {
                    self.open = b'*';
                    match self.close(line, at + 1) {
                        Some(next) => at = next,
                        None => return,
                    }
                }
                b'\'' | b'"' | b'`' | b'[' => {
                    self.other();
                    self.open = if byte == b'[' { b']' } else { byte };
                    match self.close(line, at) {
                        Some(next) => at = next,
                        None => return,
                    }
                }
                byte if is_id_byte(byte) => {
                    let from = at - 1;
                    while line.get(at).is_some_and(|b| is_id_byte(*b)) {
                        at += 1;
                    }
                    self.word(&line[from..at]);
                }
                _ => self.other(),
            }
        }
    }

    /// The offset past the end of what is open, if it ends in `line` at or after `from`.
    fn close(&mut self, line: &[u8], from: usize) -> Option<usize> {
        let rest = &line[from.min(line.len())..];
        let found = if self.open == b'*' {
            memchr::memmem::find(rest, b"*/").map(|n| n + 2)
        } else {
            // A doubled quote closes and opens again: it comes to the same.
            memchr::memchr(self.open, rest).map(|n| n + 1)
        };
        let end = found? + from;
        self.open = 0;
        Some(end)
    }

    fn after_semicolon(&self) -> State {
        match self.state {
            State::Trigger | State::Semi => State::Semi,
            _ => State::Start,
        }
    }

    /// A token that is no word.
    #[inline]
    fn other(&mut self) {
        self.dark = true;
        self.state = match self.state {
            State::Trigger | State::Semi | State::End => State::Trigger,
            State::Explain => State::Explain,
            _ => State::Normal,
        };
    }

    #[inline]
    fn word(&mut self, word: &[u8]) {
        self.dark = true;
        if self.state != State::Normal {
            self.state = after_word(self.state, word);
        }
    }
}

fn after_word(state: State, word: &[u8]) -> State {
    let is = |text: &str| word.eq_ignore_ascii_case(text.as_bytes());
    match state {
        State::Nothing | State::Start if is("explain") => State::Explain,
        State::Nothing | State::Start | State::Explain if is("create") => State::Create,
        State::Explain
            if !is("temp")
                && !is("temporary")
                && !is("trigger")
                && !is("end")
                && !is("explain") =>
        {
            State::Explain
        }
        State::Create if is("temp") || is("temporary") => State::Create,
        State::Create if is("trigger") => State::Trigger,
        State::Semi if is("end") => State::End,
        State::Trigger | State::Semi | State::End => State::Trigger,
        _ => State::Normal,
    }
}

/// Whether a line is `go` or `/`, which end a statement as in other shells.
fn is_terminator(line: &[u8]) -> bool {
    if !matches!(
        line.first(),
        Some(b'/' | b'g' | b'G' | b' ' | b'\t'..=b'\r')
    ) {
        return false;
    }
    let line = line.trim_ascii();
    line == b"/" || line.eq_ignore_ascii_case(b"go")
}

#[cfg(test)]
mod tests {
    use super::{Gathered, Group};
    use ringwood_sql::lex::complete_statement;

    /// The scanner and `complete_statement` agree after every line.
    #[test]
    fn as_complete_statement_says() {
        let texts = [
            "select 1;",
            "select 1\n,2;",
            "select ';\n';",
            "select 'it''s\n';",
            "select \"a;\nb\";",
            "select [a;\nb];",
            "select 1; /* c\n; */",
            "/* only\n*/ select 1;",
            "select 1; -- c",
            "select 1 -- ;\n;",
            "create table t(a,\nb);",
            "create trigger x after insert on t begin\n select 1;\n select 2;\nend;",
            "create temp trigger x after insert on t begin\n select case when 1 then 2 end;\nend\n;",
            "explain create trigger x after insert on t begin\n select 1;\nend;",
            "explain query plan\nselect 1;",
            "explain select 1;",
            "insert into t values(1); insert into t values(2);",
            "create temporary\ntrigger y begin x;end;",
            "select 1; create trigger y begin\nx;end;",
        ];
        for text in texts {
            let mut group = Group::new();
            let mut gathered = String::new();
            for (i, line) in text.lines().enumerate() {
                let outcome = group.push(line.as_bytes(), i as u64 + 1);
                if !gathered.is_empty() {
                    gathered.push('\n');
                }
                gathered.push_str(line);
                let complete = complete_statement(gathered.as_bytes());
                assert_eq!(outcome == Gathered::Ready, complete, "{gathered:?}");
            }
            assert_eq!(group.text, text.as_bytes());
        }
    }

    #[test]
    fn blanks_and_comments_alone_are_dropped() {
        for lines in [
            &["   "][..],
            &["-- c"],
            &["/* c */"],
            &[";"],
            &["/* a", "b */"],
        ] {
            let mut group = Group::new();
            let outcomes: Vec<_> = lines.iter().map(|l| group.push(l.as_bytes(), 1)).collect();
            assert_eq!(outcomes.last(), Some(&Gathered::Blank), "{lines:?}");
        }
    }

    #[test]
    fn go_and_slash_end_a_statement() {
        for end in ["go", "/", " GO "] {
            let mut group = Group::new();
            assert_eq!(group.push(b"select 1", 1), Gathered::More);
            assert_eq!(group.push(end.as_bytes(), 2), Gathered::Ready);
            assert_eq!(group.text, b"select 1\n;");
        }
    }
}
