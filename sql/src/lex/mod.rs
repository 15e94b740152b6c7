//! From bytes to tokens.
//!
//! ```text
//! first byte          token
//! letter _ 0x80..     identifier or keyword: letters, digits, _, $, bytes from 0x80
//! " ` [               identifier, until the same quote (doubled: itself) or ]
//! '                   string                    x'…'  blob
//! 0..9, .0..9         number; 0x… hexadecimal; _ between digits; 1e5
//! ? : @ $ #           variable; $a::b(c)
//! -- …  /* … */       comment, skipped like blanks
//! ```
//!
//! Rules:
//! 1. Input is bytes. Nothing below 0x80 depends on encoding, everything from 0x80 up is part of an identifier,
//!    so invalid UTF-8 is no special case here.
//! 2. A NUL byte ends the text, as it does for SQLite.
//! 3. [`lex`] is a pure function of text and position; it allocates nothing. Three words are keywords only in
//!    context (WINDOW, OVER, FILTER): [`resolve_context`] decides, by looking at the tokens around them.
//! 4. A byte that begins no token, or a token that does not end, is [`Token::Illegal`] with the extent that
//!    SQLite quotes in "unrecognized token".
//!
//! Source: sqlite3GetToken in SQLite's tokenize.c.

mod complete;
mod token;

pub use complete::{Missing, complete_statement, incomplete_statement};
pub use token::{KEYWORDS, Token, keyword};

/// A token and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lexeme {
    /// What it is.
    pub token: Token,
    /// Offset of its first byte.
    pub start: u32,
    /// Offset just past its last byte.
    pub end: u32,
}

/// Classes of bytes that begin a token.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Letter,
    X,
    Digit,
    Space,
    Quote,
    Bracket,
    Variable,
    Question,
    Minus,
    LeftParen,
    RightParen,
    Semicolon,
    Plus,
    Star,
    Slash,
    Percent,
    Eq,
    Lt,
    Gt,
    Bang,
    Pipe,
    Comma,
    And,
    Tilde,
    Dot,
    Bom,
    Nul,
    Illegal,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Illegal; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0 => Class::Nul,
            b'\t' | b'\n' | 0x0c | b'\r' | b' ' => Class::Space,
            b'x' | b'X' => Class::X,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            0xef => Class::Bom,
            0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' | b'"' | b'`' => Class::Quote,
            b'[' => Class::Bracket,
            b'$' | b'@' | b':' | b'#' => Class::Variable,
            b'?' => Class::Question,
            b'-' => Class::Minus,
            b'(' => Class::LeftParen,
            b')' => Class::RightParen,
            b';' => Class::Semicolon,
            b'+' => Class::Plus,
            b'*' => Class::Star,
            b'/' => Class::Slash,
            b'%' => Class::Percent,
            b'=' => Class::Eq,
            b'<' => Class::Lt,
            b'>' => Class::Gt,
            b'!' => Class::Bang,
            b'|' => Class::Pipe,
            b',' => Class::Comma,
            b'&' => Class::And,
            b'~' => Class::Tilde,
            b'.' => Class::Dot,
            _ => Class::Illegal,
        };
        byte += 1;
    }
    classes
};

/// Whether a byte may continue an identifier.
static ID_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | 0x80..=0xff);
        byte += 1;
    }
    table
};

/// Whether `byte` may continue an identifier: letters, digits, `_`, `$` and everything from 0x80.
#[inline(always)]
pub fn is_id_byte(byte: u8) -> bool {
    ID_BYTES[byte as usize]
}

/// What SQLite calls a space: blank, tab, newline, vertical tab, form feed, carriage return.
#[inline(always)]
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The byte at `index`; 0 past the end.
#[inline(always)]
fn at(text: &[u8], index: usize) -> u8 {
    match text.get(index) {
        Some(byte) => *byte,
        None => 0,
    }
}

/// The token that begins at or after `from`, blanks and comments skipped. At the end of the text, or at a NUL
/// byte, it is [`Token::EndOfText`] with an empty extent.
///
/// `text` must be shorter than 4 GiB.
#[inline]
pub fn lex(text: &[u8], from: usize) -> Lexeme {
    let mut start = from;
    loop {
        let (token, end) = match CLASSES[at(text, start) as usize] {
            Class::Space => {
                start += 1;
                while is_space(at(text, start)) {
                    start += 1;
                }
                continue;
            }
            Class::Letter => word(text, start),
            Class::X => {
                if at(text, start + 1) == b'\'' {
                    blob(text, start)
                } else {
                    // No keyword begins with x.
                    (Token::Id, id_end(text, start + 1))
                }
            }
            Class::Bom => {
                if at(text, start + 1) == 0xbb && at(text, start + 2) == 0xbf {
                    start += 3;
                    continue;
                }
                (Token::Id, id_end(text, start + 1))
            }
            Class::Digit => number(text, start),
            Class::Quote => quoted(text, start),
            Class::Bracket => bracketed(text, start),
            Class::Variable => variable(text, start),
            Class::Question => {
                let mut end = start + 1;
                while at(text, end).is_ascii_digit() {
                    end += 1;
                }
                (Token::Variable, end)
            }
            Class::Minus => match at(text, start + 1) {
                b'-' => {
                    start = line_comment_end(text, start + 2);
                    continue;
                }
                b'>' => (
                    Token::Arrow,
                    start + 2 + usize::from(at(text, start + 2) == b'>'),
                ),
                _ => (Token::Minus, start + 1),
            },
            Class::Slash => {
                if at(text, start + 1) == b'*' && at(text, start + 2) != 0 {
                    start = block_comment_end(text, start + 2);
                    continue;
                }
                (Token::Slash, start + 1)
            }
            Class::LeftParen => (Token::LeftParen, start + 1),
            Class::RightParen => (Token::RightParen, start + 1),
            Class::Semicolon => (Token::Semicolon, start + 1),
            Class::Comma => (Token::Comma, start + 1),
            Class::Plus => (Token::Plus, start + 1),
            Class::Star => (Token::Star, start + 1),
            Class::Percent => (Token::Percent, start + 1),
            Class::And => (Token::BitAnd, start + 1),
            Class::Tilde => (Token::BitNot, start + 1),
            Class::Eq => (
                Token::Eq,
                start + 1 + usize::from(at(text, start + 1) == b'='),
            ),
            Class::Lt => match at(text, start + 1) {
                b'=' => (Token::Le, start + 2),
                b'>' => (Token::Ne, start + 2),
                b'<' => (Token::ShiftLeft, start + 2),
                _ => (Token::Lt, start + 1),
            },
            Class::Gt => match at(text, start + 1) {
                b'=' => (Token::Ge, start + 2),
                b'>' => (Token::ShiftRight, start + 2),
                _ => (Token::Gt, start + 1),
            },
            Class::Bang => match at(text, start + 1) {
                b'=' => (Token::Ne, start + 2),
                _ => (Token::Illegal, start + 1),
            },
            Class::Pipe => match at(text, start + 1) {
                b'|' => (Token::Concat, start + 2),
                _ => (Token::BitOr, start + 1),
            },
            Class::Dot => {
                if at(text, start + 1).is_ascii_digit() {
                    number(text, start)
                } else {
                    (Token::Dot, start + 1)
                }
            }
            Class::Nul => (Token::EndOfText, start),
            Class::Illegal => (Token::Illegal, start + 1),
        };
        return Lexeme {
            token,
            start: start as u32,
            end: end as u32,
        };
    }
}

#[inline(always)]
fn id_end(text: &[u8], from: usize) -> usize {
    let mut end = from;
    while is_id_byte(at(text, end)) {
        end += 1;
    }
    end
}

#[inline(always)]
fn word(text: &[u8], start: usize) -> (Token, usize) {
    let end = id_end(text, start + 1);
    (keyword(&text[start..end]), end)
}

/// Past the newline, or the end of the text (or a NUL byte).
fn line_comment_end(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + memchr::memchr2(b'\n', 0, rest).unwrap_or(rest.len())
}

/// Past `*/`, or the end of the text (or a NUL byte). `from` is just past `/*`; as in SQLite, the closing star
/// may not be the opening one.
fn block_comment_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match memchr::memchr2(b'*', 0, rest) {
            None => return text.len(),
            Some(found) => {
                let found = at + found;
                if text[found] == 0 {
                    return found;
                }
                if text.get(found + 1) == Some(&b'/') {
                    return found + 2;
                }
                at = found + 1;
            }
        }
    }
}

/// `x'…'`: an even number of hexadecimal digits, or illegal up to the closing quote.
fn blob(text: &[u8], start: usize) -> (Token, usize) {
    let mut end = start + 2;
    while at(text, end).is_ascii_hexdigit() {
        end += 1;
    }
    if at(text, end) == b'\'' && (end - start).is_multiple_of(2) {
        return (Token::Blob, end + 1);
    }
    while !matches!(at(text, end), 0 | b'\'') {
        end += 1;
    }
    (Token::Illegal, end + usize::from(at(text, end) != 0))
}

fn number(text: &[u8], start: usize) -> (Token, usize) {
    let mut token = Token::Integer;
    let mut end = start;
    if text[start] == b'0'
        && matches!(at(text, start + 1), b'x' | b'X')
        && at(text, start + 2).is_ascii_hexdigit()
    {
        end += 3;
        loop {
            match at(text, end) {
                b'_' => token = Token::SeparatedNumber,
                byte if byte.is_ascii_hexdigit() => {}
                _ => break,
            }
            end += 1;
        }
    } else {
        end = digits(text, end, &mut token);
        if at(text, end) == b'.' {
            if token == Token::Integer {
                token = Token::Float;
            }
            end = digits(text, end + 1, &mut token);
        }
        if matches!(at(text, end), b'e' | b'E') {
            let next = at(text, end + 1);
            if next.is_ascii_digit()
                || (matches!(next, b'+' | b'-') && at(text, end + 2).is_ascii_digit())
            {
                if token == Token::Integer {
                    token = Token::Float;
                }
                end = digits(text, end + 2, &mut token);
            }
        }
    }
    if is_id_byte(at(text, end)) {
        return (Token::Illegal, id_end(text, end));
    }
    (token, end)
}

/// Past digits and separators.
#[inline(always)]
fn digits(text: &[u8], from: usize, token: &mut Token) -> usize {
    let mut end = from;
    loop {
        match at(text, end) {
            b'0'..=b'9' => {}
            b'_' => *token = Token::SeparatedNumber,
            _ => return end,
        }
        end += 1;
    }
}

fn quoted(text: &[u8], start: usize) -> (Token, usize) {
    let quote = text[start];
    let mut end = start + 1;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        match memchr::memchr2(quote, 0, rest) {
            None => return (Token::Illegal, text.len()),
            Some(found) => {
                end += found;
                if text[end] == 0 {
                    return (Token::Illegal, end);
                }
                if at(text, end + 1) != quote {
                    return (
                        if quote == b'\'' {
                            Token::String
                        } else {
                            Token::Id
                        },
                        end + 1,
                    );
                }
                end += 2;
            }
        }
    }
}

fn bracketed(text: &[u8], start: usize) -> (Token, usize) {
    let rest = text.get(start + 1..).unwrap_or_default();
    match memchr::memchr2(b']', 0, rest) {
        Some(found) if rest[found] == b']' => (Token::Id, start + found + 2),
        Some(found) => (Token::Illegal, start + 1 + found),
        None => (Token::Illegal, text.len()),
    }
}

/// `:a`, `@a`, `#a`, `$a`; Tcl's `::` and an index in parentheses may be part of any of them.
fn variable(text: &[u8], start: usize) -> (Token, usize) {
    let mut token = Token::Variable;
    let mut end = start + 1;
    let mut has_name = false;
    loop {
        let byte = at(text, end);
        if is_id_byte(byte) {
            has_name = true;
        } else if byte == b'(' && has_name {
            loop {
                end += 1;
                let byte = at(text, end);
                if byte == b')' {
                    end += 1;
                    break;
                }
                if byte == 0 || is_space(byte) {
                    token = Token::Illegal;
                    break;
                }
            }
            break;
        } else if byte == b':' && at(text, end + 1) == b':' {
            end += 1;
        } else {
            break;
        }
        end += 1;
    }
    (if has_name { token } else { Token::Illegal }, end)
}

/// What WINDOW, OVER and FILTER are where they stand: the keyword or an identifier.
///
/// `previous` is the token before, `end` the offset just past the word.
/// - WINDOW is a keyword before a name and AS.
/// - OVER is one after `)`, before `(` or a name.
/// - FILTER is one after `)`, before `(`.
pub fn resolve_context(text: &[u8], word: Token, previous: Option<Token>, end: usize) -> Token {
    let is_name = |token: Token| {
        token.is_id()
            || matches!(
                token,
                Token::String | Token::JoinWord | Token::Window | Token::Over
            )
    };
    let keyword = match word {
        Token::Window => {
            let name = lex(text, end);
            is_name(name.token) && lex(text, name.end as usize).token == Token::As
        }
        Token::Over => {
            previous == Some(Token::RightParen) && {
                let next = lex(text, end).token;
                next == Token::LeftParen || is_name(next)
            }
        }
        Token::Filter => {
            previous == Some(Token::RightParen) && lex(text, end).token == Token::LeftParen
        }
        _ => true,
    };
    if keyword { word } else { Token::Id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(Token, &[u8])> {
        let mut at = 0;
        let mut list = Vec::new();
        loop {
            let lexeme = lex(text, at);
            if lexeme.token == Token::EndOfText {
                return list;
            }
            list.push((
                lexeme.token,
                &text[lexeme.start as usize..lexeme.end as usize],
            ));
            at = lexeme.end as usize;
        }
    }

    fn only(text: &str) -> (Token, usize) {
        let lexeme = lex(text.as_bytes(), 0);
        (lexeme.token, lexeme.end as usize)
    }

    #[test]
    fn numbers() {
        assert_eq!(only("12"), (Token::Integer, 2));
        assert_eq!(only("1.5e+3 "), (Token::Float, 6));
        assert_eq!(only(".5"), (Token::Float, 2));
        assert_eq!(only("5."), (Token::Float, 2));
        assert_eq!(only("0xFFg"), (Token::Illegal, 5));
        assert_eq!(only("0x"), (Token::Illegal, 2));
        assert_eq!(only("1_000"), (Token::SeparatedNumber, 5));
        assert_eq!(only("0x1_f"), (Token::SeparatedNumber, 5));
        assert_eq!(only("1e"), (Token::Illegal, 2));
        assert_eq!(only("1e+"), (Token::Illegal, 2));
    }

    #[test]
    fn quotes() {
        assert_eq!(only("'a''b'c"), (Token::String, 6));
        assert_eq!(only("\"a\"\"\""), (Token::Id, 5));
        assert_eq!(only("[a\"b]"), (Token::Id, 5));
        assert_eq!(only("`a`"), (Token::Id, 3));
        assert_eq!(only("'a"), (Token::Illegal, 2));
        assert_eq!(only("[a"), (Token::Illegal, 2));
        assert_eq!(only("x'ab'"), (Token::Blob, 5));
        assert_eq!(only("x'abc'"), (Token::Illegal, 6));
        assert_eq!(only("X'zz"), (Token::Illegal, 4));
        assert_eq!(only("xyz"), (Token::Id, 3));
    }

    #[test]
    fn variables() {
        assert_eq!(only("?12a"), (Token::Variable, 3));
        assert_eq!(only(":a::b(c d)"), (Token::Illegal, 7));
        assert_eq!(only("$a::b(c)d"), (Token::Variable, 8));
        assert_eq!(only(":"), (Token::Illegal, 1));
        assert_eq!(only("#a"), (Token::Variable, 2));
    }

    #[test]
    fn blanks_and_comments() {
        assert_eq!(
            all(b" -- c\n /* * / **/ a /* open"),
            vec![(Token::Id, &b"a"[..])]
        );
        assert_eq!(
            all(b"a/*"),
            vec![
                (Token::Id, &b"a"[..]),
                (Token::Slash, b"/"),
                (Token::Star, b"*")
            ]
        );
        assert_eq!(all(b"/*/ a */b"), vec![(Token::Id, &b"b"[..])]);
        assert_eq!(
            all(b"\xef\xbb\xbfselect"),
            vec![(Token::Select, &b"select"[..])]
        );
        assert_eq!(all(b"a\0b"), vec![(Token::Id, &b"a"[..])]);
        assert_eq!(all(b"\x0b"), vec![(Token::Illegal, &b"\x0b"[..])]);
    }
}
