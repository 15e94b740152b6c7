//! A terminal: line editing with history, completion and colours.
//!
//! Reading order: [`complete`], [`highlight`], this module, which ties them to rustyline.

mod complete;
mod highlight;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use ringwood::LocalConnection;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Context, Editor, Helper, Hinter, Validator};

/// Lines of history that are kept.
const HISTORY_MAX: usize = 2000;

/// What was typed.
pub enum Typed {
    /// A line.
    Line(String),
    /// Ctrl-C: what was begun is dropped.
    Interrupted,
    /// Ctrl-D, or the end of the input.
    End,
}

/// The terminal.
pub struct Terminal {
    editor: Option<Editor<Aid, FileHistory>>,
    history: Option<PathBuf>,
    /// Lines of a text that was pasted, which came as one.
    pasted: VecDeque<String>,
}

impl Terminal {
    /// A terminal whose history lies in a file.
    pub fn new(history: Option<PathBuf>) -> Terminal {
        // With `-interactive` on a pipe there is nothing to edit, but prompts all the same.
        let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let config = Config::builder()
            .auto_add_history(true)
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_MAX)
            .map(rustyline::config::Builder::build);
        let editor = config
            .and_then(Editor::with_config)
            .ok()
            .filter(|_| on_terminal);
        let editor = editor.map(|mut editor| {
            editor.set_helper(Some(Aid::default()));
            if let Some(path) = &history {
                // The first session has none.
                let _ = editor.load_history(path);
            }
            editor
        });
        Terminal {
            editor,
            history,
            pasted: VecDeque::new(),
        }
    }

    /// The next line.
    pub fn read(&mut self, prompt: &str, conn: Option<&LocalConnection>) -> Typed {
        if let Some(line) = self.pasted.pop_front() {
            return Typed::Line(line);
        }
        let Some(editor) = &mut self.editor else {
            return read_plainly(prompt);
        };
        if let Some(aid) = editor.helper_mut() {
            aid.conn = conn.cloned();
        }
        match editor.readline(prompt) {
            Ok(text) => {
                self.pasted.extend(text.split('\n').map(str::to_owned));
                Typed::Line(self.pasted.pop_front().unwrap_or_default())
            }
            Err(ReadlineError::Interrupted) => Typed::Interrupted,
            Err(_) => Typed::End,
        }
    }

    /// Writes the history.
    pub fn save(&mut self) {
        if let (Some(editor), Some(path)) = (&mut self.editor, &self.history) {
            // A history that cannot be written is not worth a word at the end of a session.
            let _ = editor.save_history(path);
        }
    }
}

/// Reads a line where there is no editing: with `-interactive` on a pipe.
fn read_plainly(prompt: &str) -> Typed {
    use std::io::Write as _;
    print!("{prompt}");
    // A prompt that cannot be shown is no reason not to read.
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(n) if n > 0 => Typed::Line(line.trim_end_matches(['\n', '\r']).to_owned()),
        _ => Typed::End,
    }
}

/// What rustyline asks while a line is edited.
#[derive(Default, Helper, Hinter, Validator)]
struct Aid {
    conn: Option<LocalConnection>,
}

impl Completer for Aid {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = complete::candidates(line, at, self.conn.as_ref());
        Ok((
            start,
            words
                .into_iter()
                .map(|w| Pair {
                    display: w.clone(),
                    replacement: w,
                })
                .collect(),
        ))
    }
}

impl Highlighter for Aid {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        highlight::coloured(line)
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(nu_ansi_term::Style::new().bold().paint(prompt).to_string())
    }
}
