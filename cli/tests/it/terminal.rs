//! The shell at a terminal, which util-linux's `script` provides.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::shell::Folder;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A shell at a terminal.
struct Session {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    seen: String,
    folder: Folder,
}

impl Session {
    /// Starts it; `None`, with a word, where there is no `script`.
    fn start(arguments: &str) -> Option<Session> {
        let folder = Folder::new("terminal");
        Session::start_in(folder, arguments)
    }

    fn start_in(folder: Folder, arguments: &str) -> Option<Session> {
        if !Command::new("script")
            .arg("--version")
            .output()
            .is_ok_and(|o| o.status.success())
        {
            eprintln!("skipped: util-linux's script is not installed");
            return None;
        }
        // Without `exec` a shell in between hears Ctrl-C too, and some then report it as their end.
        let shell = format!("exec {} {arguments}", env!("CARGO_BIN_EXE_ringwood"));
        let mut child = Command::new("script")
            .args(["-qec", &shell, "/dev/null"])
            .current_dir(folder.file(""))
            .env("HOME", folder.file(""))
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let (send, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n) = out.read(&mut piece) {
                if n == 0 || send.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Session {
            child,
            pieces,
            seen: String::new(),
            folder,
        })
    }

    fn send(&mut self, keys: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits for a text, and forgets what came up to it.
    #[track_caller]
    fn expect(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let plain = without_codes(&self.seen);
            if let Some(at) = plain.find(text) {
                let before = plain[..at].to_owned();
                plain[at + text.len()..].clone_into(&mut self.seen);
                return before;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(e) => panic!("{text:?} did not come ({e}): {plain:?}"),
            }
        }
    }

    fn end(mut self) -> (Option<i32>, Folder) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap().code();
        (status, self.folder)
    }
}

/// A terminal's output without the sequences that move the cursor and colour.
fn without_codes(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'[').is_some() {
            while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
        }
    }
    out
}

#[test]
fn statements_over_lines_and_the_end() {
    let Some(mut session) = Session::start("") else {
        return;
    };
    session.expect("Enter \".help\" for usage hints.");
    session.expect("transient in-memory database");
    session.expect("ringwood> ");
    session.send("SELECT 6\r");
    session.expect("...> ");
    session.send("*7;\r");
    session.expect("42\r\n");
    session.send("SELECT x;\r");
    session.expect("Parse error: no such column: x");
    session.expect("^--- error here");
    session.send(".mode box\r");
    session.send("SELECT 'in a box';\r");
    session.expect("│ in a box   │");
    session.send("\u{4}");
    // There was an error.
    assert_eq!(session.end().0, Some(1));
}

#[test]
fn control_c_stops_the_statement_and_not_the_shell() {
    let Some(mut session) = Session::start("") else {
        return;
    };
    session.expect("ringwood> ");
    session.send(
        "WITH d(n) AS (VALUES(0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) SELECT count(*) FROM d a,d b,d c,d e,d f,d g,d h,d i,d j,d k,d l;\r",
    );
    std::thread::sleep(Duration::from_millis(700));
    session.send("\u{3}");
    session.expect("interrupted");
    session.send("SELECT 'still ' || 'here';\r");
    session.expect("still here\r\n");
    session.send("SELECT 'half");
    session.expect("SELECT 'half");
    session.send("\u{3}");
    session.expect("ringwood> ");
    session.send("SELECT 'fresh ' || 'line';\r");
    session.expect("fresh line\r\n");
    // A text that is pasted comes in brackets, and may have several lines.
    session.send(
        "\u{1b}[200~SELECT 'pas' -- a comment\n|| 'ted';\nSELECT 'twi' || 'ce';\u{1b}[201~\r",
    );
    session.expect("pasted\r\n");
    session.expect("twice\r\n");
    session.send(".quit\r");
    // The interruption was an error.
    assert_eq!(session.end().0, Some(1));
}

#[test]
fn history_and_completion() {
    let Some(mut session) = Session::start("x.db") else {
        return;
    };
    session.expect("ringwood> ");
    session.send("CREATE TABLE wombats(fluff);\r");
    session.expect("ringwood> ");
    session.send("INSERT INTO wom\t VALUES(1+1);\r");
    session.expect("ringwood> ");
    session.send("SELECT flu\t, 'x' FROM wombats;\r");
    session.expect("ringwood> ");
    session.send("SELECT 'sum', sum(fluff) FROM wombats;\r");
    session.expect("sum|2\r\n");
    session.send(".quit\r");
    let (status, folder) = session.end();
    assert_eq!(status, Some(0));
    let history = std::fs::read_to_string(folder.file(".ringwood_history")).unwrap();
    assert!(
        history.contains("INSERT INTO wombats") && history.contains("SELECT fluff"),
        "{history}"
    );
    let Some(mut again) = Session::start_in(folder, "x.db") else {
        return;
    };
    again.expect("ringwood> ");
    // Up, past ".quit", to the last statement.
    again.send("\u{1b}[A\u{1b}[A\r");
    again.expect("sum|2\r\n");
    again.send(".exit 3\r");
    assert_eq!(again.end().0, Some(3));
}
