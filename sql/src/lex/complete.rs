//! Whether a text is a whole number of statements: what a shell asks before it runs what was typed.
//!
//! ```text
//!              ;        blank    other    EXPLAIN  CREATE   TEMP     TRIGGER  END
//! Nothing      Start    Nothing  Normal   Explain  Create   Normal   Normal   Normal
//! Start        Start    Start    Normal   Explain  Create   Normal   Normal   Normal
//! Normal       Start    Normal   Normal   Normal   Normal   Normal   Normal   Normal
//! Explain      Start    Explain  Explain  Normal   Create   Normal   Normal   Normal
//! Create       Start    Create   Normal   Normal   Normal   Create   Trigger  Normal
//! Trigger      Semi     Trigger  …
//! Semi         Semi     Semi     Trigger  …                                   End
//! End          Start    End      Trigger  …
//! ```
//!
//! Within CREATE TRIGGER only `;END;` ends the statement. Words are looked at without regard to syntax: this is
//! no parser. A text is complete in state Start, also if a `--` comment without newline follows. (SQLite 3.40
//! answers so; 3.54 calls a text incomplete that ends in such a comment, which no shell would want.)
//!
//! Source: sqlite3_complete in SQLite's complete.c.

use super::is_id_byte;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    Start,
    Normal,
    Explain,
    Create,
    Trigger,
    Semi,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Semicolon,
    Blank,
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

const fn next(state: State, sign: Sign) -> State {
    match (state, sign) {
        (_, Sign::Blank) => state,
        (State::Trigger | State::Semi, Sign::Semicolon) => State::Semi,
        (_, Sign::Semicolon) => State::Start,
        (State::Nothing | State::Start, Sign::Explain) => State::Explain,
        (State::Nothing | State::Start | State::Explain, Sign::Create) => State::Create,
        (State::Explain, Sign::Other) => State::Explain,
        (State::Create, Sign::Temp) => State::Create,
        (State::Create, Sign::Trigger) => State::Trigger,
        (State::Semi, Sign::End) => State::End,
        (State::Trigger | State::Semi | State::End, _) => State::Trigger,
        _ => State::Normal,
    }
}

/// What a text lacks to be complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Missing {
    /// Nothing but blanks and comments has been read.
    pub is_empty: bool,
    /// The string, quoted name or comment in which it ends: what closes it, `-` and `/` for comments; 0 for none.
    pub close: u8,
    /// What ends the statement: 0 nothing, 1 `;`, 2 `END;`, 3 `;END;`.
    pub end: u8,
    /// How many more `(` there are than `)`.
    pub parens: i32,
}

/// Whether `text` ends with a complete statement: its last token, comments and blanks aside, is a semicolon that
/// ends one. A text of blanks only is not complete; neither is one that ends within a string or a comment.
pub fn complete_statement(text: &[u8]) -> bool {
    let missing = incomplete_statement(text);
    !missing.is_empty && missing.end == 0 && matches!(missing.close, 0 | b'-')
}

/// What `text` lacks to end with a complete statement.
pub fn incomplete_statement(text: &[u8]) -> Missing {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    let mut state = State::Nothing;
    let mut parens = 0;
    let mut at = 0;
    let mut close = 0;
    while let Some(&byte) = text.get(at) {
        let mut end = at + 1;
        let found = |found: Option<usize>, length: usize| found.map(|found| found + length);
        let (sign, ends) = match byte {
            b';' => (Sign::Semicolon, Some(0)),
            b' ' | b'\r' | b'\t' | b'\n' | 0x0c => (Sign::Blank, Some(0)),
            b'/' if text.get(end) == Some(&b'*') => {
                end += 1;
                close = b'/';
                (
                    Sign::Blank,
                    found(memchr::memmem::find(&text[end..], b"*/"), 2),
                )
            }
            b'-' if text.get(end) == Some(&b'-') => {
                close = b'-';
                (Sign::Blank, found(memchr::memchr(b'\n', &text[end..]), 1))
            }
            b'[' | b'"' | b'\'' | b'`' => {
                close = if byte == b'[' { b']' } else { byte };
                (Sign::Other, found(memchr::memchr(close, &text[end..]), 1))
            }
            byte if is_id_byte(byte) => {
                while text.get(end).is_some_and(|byte| is_id_byte(*byte)) {
                    end += 1;
                }
                (word(&text[at..end]), Some(0))
            }
            _ => {
                parens += i32::from(byte == b'(') - i32::from(byte == b')');
                (Sign::Other, Some(0))
            }
        };
        let Some(length) = ends else {
            break;
        };
        close = 0;
        state = next(state, sign);
        at = end + length;
    }
    Missing {
        is_empty: state == State::Nothing && close == 0,
        close,
        end: match state {
            State::Nothing | State::Start => 0,
            State::Normal | State::Explain | State::Create | State::End => 1,
            State::Trigger => 3,
            State::Semi => 2,
        },
        parens: if state == State::Start { 0 } else { parens },
    }
}

fn word(word: &[u8]) -> Sign {
    const WORDS: [(&[u8], Sign); 6] = [
        (b"create", Sign::Create),
        (b"trigger", Sign::Trigger),
        (b"temp", Sign::Temp),
        (b"temporary", Sign::Temp),
        (b"end", Sign::End),
        (b"explain", Sign::Explain),
    ];
    WORDS
        .iter()
        .find(|(text, _)| text.eq_ignore_ascii_case(word))
        .map_or(Sign::Other, |(_, sign)| *sign)
}

#[cfg(test)]
mod tests {
    use super::complete_statement;

    #[test]
    fn as_a_shell_asks() {
        for (text, expected) in [
            ("", false),
            (" \n", false),
            (";", true),
            ("select 1", false),
            ("select 1;", true),
            ("select 1; -- c\n", true),
            ("select 1; -- c", true),
            ("select 1 -- c;", false),
            ("select 1; /* c */", true),
            ("select ';", false),
            ("select ';';", true),
            ("select [;]", false),
            ("create trigger t after insert on t begin select 1;", false),
            (
                "create trigger t after insert on t begin select 1; end;",
                true,
            ),
            ("explain create temp trigger t begin x; end", false),
            ("create table t(trigger);", true),
        ] {
            assert_eq!(complete_statement(text.as_bytes()), expected, "{text}");
        }
    }
}
