//! Colours for a line of SQL.

use std::borrow::Cow;

use nu_ansi_term::{Color, Style};
use ringwood_sql::lex::{Token, keyword, lex};

/// The line with its keywords, strings, numbers and comments coloured.
pub fn coloured(line: &str) -> Cow<'_, str> {
    if line.starts_with('.') {
        return Cow::Owned(Color::Cyan.paint(line).to_string());
    }
    let mut out = String::with_capacity(line.len() * 2);
    let mut at = 0;
    while at < line.len() {
        let lexeme = lex(line.as_bytes(), at);
        let (start, end) = (lexeme.start as usize, lexeme.end as usize);
        // What the lexer skips is blanks and comments.
        push(
            &line[at..start.min(line.len())],
            Style::new().dimmed(),
            &mut out,
        );
        if lexeme.token == Token::EndOfText || end <= start {
            at = start.max(at);
            break;
        }
        let text = &line[start..end];
        push(text, style(text), &mut out);
        at = end;
    }
    out.push_str(&line[at.min(line.len())..]);
    Cow::Owned(out)
}

fn push(text: &str, style: Style, out: &mut String) {
    if text.trim().is_empty() || style.is_plain() {
        out.push_str(text);
    } else {
        out.push_str(&style.paint(text).to_string());
    }
}

fn style(text: &str) -> Style {
    match text.as_bytes()[0] {
        b'\'' => Color::Green.normal(),
        b'0'..=b'9' => Color::Yellow.normal(),
        b'"' | b'[' | b'`' => Style::new(),
        b':' | b'@' | b'$' | b'?' => Color::Purple.normal(),
        _ if keyword(text.as_bytes()) != Token::Id => Color::Blue.bold(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::coloured;

    /// A line without the codes that colour it.
    fn plain(line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((text, after)) = rest.split_once('\u{1b}') {
            out.push_str(text);
            rest = after.split_once('m').unwrap().1;
        }
        out + rest
    }

    #[test]
    fn the_text_stays_what_it_is() {
        for line in [
            "SELECT 'a', 1 -- c",
            "select \"x\" /* open",
            "'open",
            "",
            "  ",
            "é ; ?1",
            ".mode csv",
            "\u{0}x",
            "#",
        ] {
            assert_eq!(plain(&coloured(line)), line);
        }
        assert!(coloured("SELECT 1").contains("\u{1b}["));
    }
}
