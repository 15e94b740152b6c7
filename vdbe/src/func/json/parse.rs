//! JSON text to JSONB.
//!
//! Rules:
//! 1. RFC 8259, and JSON5 beside it: comments, other spaces, identifiers as labels, text in single quotes, more escapes,
//!    hexadecimal numbers, numbers that start or end with a point, commas at the end, `Infinity` and `NaN` (which is
//!    null). A text that makes use of that is not canonical.
//! 2. A NUL ends the text.
//! 3. Numbers and texts are copied as they are written; the kind tells what they need when they are printed.
//! 4. Objects and arrays nest 1000 deep.
//!
//! Source: SQLite's `jsonTranslateTextToBlob`, `json5Whitespace`, `jsonConvertTextToBlob`; RFC 8259; json5.org.

use super::blob::{ARRAY, FALSE, FLOAT, INT, NULL, OBJECT, TEXT, TEXT5, TEXTJ, TRUE};
use super::blob::{is_text, kind, push_header, push_node, resize};
use super::escape::is_hex4;
use super::{DEPTH_MAX, is_plain};

/// What became of a text.
pub(super) struct Parsed {
    pub blob: Vec<u8>,
    /// Whether it is RFC 8259 (rule 1).
    pub is_canonical: bool,
}

/// Parses a text; if it is not JSON, where that showed, in bytes.
pub(super) fn parse(text: &[u8]) -> Result<Parsed, usize> {
    let mut parser = Parser {
        text,
        blob: Vec::with_capacity(text.len() + 8),
        depth: 0,
        error_at: 0,
        is_canonical: true,
    };
    let Element::End(mut end) = parser.element(0) else {
        return Err(parser.error_at);
    };
    end += spaces(parser.from(end));
    if parser.at(end) != 0 {
        end += json5_spaces(parser.from(end));
        if parser.at(end) != 0 {
            return Err(parser.error_at);
        }
        parser.is_canonical = false;
    }
    Ok(Parsed {
        blob: parser.blob,
        is_canonical: parser.is_canonical,
    })
}

/// What was found at a place.
enum Element {
    /// A value, which ends there.
    End(usize),
    /// One of `} ] , :`, at `error_at`.
    Mark(u8),
    /// Nothing more.
    Nothing,
    /// No JSON, at `error_at`.
    Error,
}

struct Parser<'a> {
    text: &'a [u8],
    blob: Vec<u8>,
    depth: u32,
    error_at: usize,
    is_canonical: bool,
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' ')
}

/// How many spaces a text starts with.
fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_space(**byte)).count()
}

/// The same with JSON5's spaces and comments.
pub(super) fn json5_spaces(text: &[u8]) -> usize {
    let mut n = 0;
    loop {
        n += match text[n..] {
            [9..=13 | b' ', ..] => 1,
            [b'/', b'*', first, ..] if first != 0 => match comment_end(&text[n..]) {
                Some(end) => end,
                None => return n,
            },
            [b'/', b'/', ..] => line_comment_end(&text[n..]),
            [0xc2, 0xa0, ..] => 2,
            [0xe1, 0x9a, 0x80, ..]
            | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
            | [0xe2, 0x81, 0x9f, ..]
            | [0xe3, 0x80, 0x80, ..]
            | [0xef, 0xbb, 0xbf, ..] => 3,
            _ => return n,
        };
    }
}

/// Where a comment ends that starts with `/*`; none if a NUL or the end comes first.
fn comment_end(text: &[u8]) -> Option<usize> {
    let mut j = 3;
    loop {
        match *text.get(j)? {
            0 => return None,
            b'/' if text[j - 1] == b'*' => return Some(j + 1),
            _ => j += 1,
        }
    }
}

/// Where the line ends that starts with `//`, the line end included.
fn line_comment_end(text: &[u8]) -> usize {
    let mut j = 2;
    loop {
        match text[j..] {
            [] | [0, ..] => return j,
            [b'\n' | b'\r', ..] => return j + 1,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => return j + 3,
            _ => j += 1,
        }
    }
}

fn starts_without_case(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(word))
}

impl<'a> Parser<'a> {
    #[inline]
    fn at(&self, i: usize) -> u8 {
        self.text.get(i).copied().unwrap_or(0)
    }

    fn from(&self, i: usize) -> &'a [u8] {
        &self.text[i.min(self.text.len())..]
    }

    fn error(&mut self, at: usize) -> Element {
        self.error_at = at;
        Element::Error
    }

    /// The element at `start`, behind spaces.
    fn element(&mut self, start: usize) -> Element {
        let mut i = start;
        loop {
            let byte = self.at(i);
            match byte {
                b'{' => return self.object(i),
                b'[' => return self.array(i),
                b'"' => return self.string(i),
                b'\'' => {
                    self.is_canonical = false;
                    return self.string(i);
                }
                b'0'..=b'9' | b'-' | b'+' | b'.' => return self.number(i),
                b't' => return self.word(i, b"true", TRUE),
                b'f' => return self.word(i, b"false", FALSE),
                b'}' | b']' | b',' | b':' => {
                    self.error_at = i;
                    return Element::Mark(byte);
                }
                0 => return Element::Nothing,
                b'\t' | b'\n' | b'\r' | b' ' => i += spaces(self.from(i)),
                0x0b | 0x0c | b'/' | 0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef => {
                    match json5_spaces(self.from(i)) {
                        0 => return self.error(i),
                        n => i += n,
                    }
                    self.is_canonical = false;
                }
                b'n' if self.is_word(i, b"null") => {
                    self.blob.push(NULL);
                    return Element::End(i + 4);
                }
                _ => return self.special_number(i),
            }
        }
    }

    fn is_word(&self, i: usize, word: &[u8]) -> bool {
        self.from(i).starts_with(word) && !self.at(i + word.len()).is_ascii_alphanumeric()
    }

    fn word(&mut self, i: usize, word: &[u8], kind: u8) -> Element {
        if !self.is_word(i, word) {
            return self.error(i);
        }
        self.blob.push(kind);
        Element::End(i + word.len())
    }

    /// Infinity and NaN, in any case.
    fn special_number(&mut self, i: usize) -> Element {
        const WORDS: [(&[u8], u8); 5] = [
            (b"inf", FLOAT),
            (b"infinity", FLOAT),
            (b"nan", NULL),
            (b"qnan", NULL),
            (b"snan", NULL),
        ];
        for (word, kind) in WORDS {
            let is_it = starts_without_case(self.from(i), word)
                && !self.at(i + word.len()).is_ascii_alphanumeric();
            if is_it {
                let payload: &[u8] = if kind == FLOAT { b"9e999" } else { b"" };
                push_node(kind, payload, &mut self.blob);
                self.is_canonical = false;
                return Element::End(i + word.len());
            }
        }
        self.error(i)
    }

    /// Goes one level down.
    fn open(&mut self, i: usize, kind: u8) -> Option<usize> {
        push_header(kind, self.text.len() - i, &mut self.blob);
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.error_at = i;
            return None;
        }
        Some(self.blob.len())
    }

    /// Comes back up: the element at `this` ends, which had its payload from `start` on.
    fn close(&mut self, this: usize, start: usize, end: usize) -> Element {
        let size = self.blob.len() - start;
        resize(&mut self.blob, this, size);
        self.depth -= 1;
        Element::End(end + 1)
    }

    fn object(&mut self, i: usize) -> Element {
        let this = self.blob.len();
        let Some(start) = self.open(i, OBJECT) else {
            return Element::Error;
        };
        let mut j = i + 1;
        loop {
            let label_at = self.blob.len();
            let label_end = match self.element(j) {
                Element::End(end) => end,
                Element::Mark(b'}') => {
                    if self.blob.len() != start {
                        self.is_canonical = false;
                    }
                    return self.close(this, start, self.error_at);
                }
                other => {
                    j += json5_spaces(self.from(j));
                    match self.identifier(j) {
                        Some(end) => end,
                        None if matches!(other, Element::Error) => return Element::Error,
                        None => return self.error(j),
                    }
                }
            };
            if !is_text(kind(&self.blob, label_at)) {
                return self.error(j);
            }
            j = label_end + spaces(self.from(label_end));
            if self.at(j) != b':' {
                match self.element(j) {
                    Element::Mark(b':') => j = self.error_at,
                    Element::Error => return Element::Error,
                    _ => return self.error(j),
                }
            }
            j += 1;
            match self.element(j) {
                Element::End(end) => j = end,
                Element::Error => return Element::Error,
                _ => return self.error(j),
            }
            match self.separator(&mut j, b'}') {
                Some(b',') => j += 1,
                Some(_) => return self.close(this, start, j),
                None => return self.error(j),
            }
        }
    }

    fn array(&mut self, i: usize) -> Element {
        let this = self.blob.len();
        let Some(start) = self.open(i, ARRAY) else {
            return Element::Error;
        };
        let mut j = i + 1;
        loop {
            match self.element(j) {
                Element::End(end) => j = end,
                Element::Mark(b']') => {
                    if self.blob.len() != start {
                        self.is_canonical = false;
                    }
                    return self.close(this, start, self.error_at);
                }
                Element::Error => return Element::Error,
                _ => return self.error(j),
            }
            match self.separator(&mut j, b']') {
                Some(b',') => j += 1,
                Some(_) => return self.close(this, start, j),
                None => return self.error(j),
            }
        }
    }

    /// A comma or the end, behind spaces; `j` is then where it stands.
    fn separator(&mut self, j: &mut usize, end: u8) -> Option<u8> {
        *j += spaces(self.from(*j));
        let byte = self.at(*j);
        if byte == b',' || byte == end {
            return Some(byte);
        }
        match self.element(*j) {
            Element::Mark(byte) if byte == b',' || byte == end => {
                *j = self.error_at;
                Some(byte)
            }
            _ => None,
        }
    }

    /// A label without quotes; where it ends.
    fn identifier(&mut self, j: usize) -> Option<usize> {
        let starts = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'$' | b'_' | 0x80..);
        let mut kind = TEXT;
        let mut is_escape = |parser: &Parser<'_>, at: usize| {
            let found =
                parser.at(at) == b'\\' && parser.at(at + 1) == b'u' && is_hex4(parser.from(at + 2));
            if found {
                kind = TEXTJ;
            }
            found
        };
        if !starts(self.at(j)) && !is_escape(self, j) {
            return None;
        }
        let mut k = j + 1;
        loop {
            let byte = self.at(k);
            let continues = (starts(byte) || byte.is_ascii_digit())
                && (byte < 0x80 || json5_spaces(self.from(k)) == 0);
            if !continues && !is_escape(self, k) {
                break;
            }
            k += 1;
        }
        push_node(kind, &self.text[j..k], &mut self.blob);
        self.is_canonical = false;
        Some(k)
    }

    /// A text in quotes.
    fn string(&mut self, i: usize) -> Element {
        let quote = self.at(i);
        let mut kind = TEXT;
        let mut j = i + 1;
        loop {
            while self.text.get(j).is_some_and(|byte| is_plain(*byte)) {
                j += 1;
            }
            match self.at(j) {
                byte if byte == quote => break,
                b'\\' => {
                    j += 1;
                    match self.from(j) {
                        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {
                            kind = kind.max(TEXTJ);
                        }
                        [b'u', digits @ ..] if is_hex4(digits) => kind = kind.max(TEXTJ),
                        [b'\'' | b'v' | b'\n', ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..] => {
                            kind = self.json5_text();
                        }
                        [b'0', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_digit) => {
                            kind = self.json5_text();
                        }
                        [b'x', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                            kind = self.json5_text();
                        }
                        [b'\r', rest @ ..] => {
                            j += usize::from(rest.first() == Some(&b'\n'));
                            kind = self.json5_text();
                        }
                        _ => return self.error(j),
                    }
                }
                0 => return self.error(j),
                1..0x20 => kind = self.json5_text(),
                b'"' => kind = TEXT5,
                _ => {}
            }
            j += 1;
        }
        push_node(kind, &self.text[i + 1..j], &mut self.blob);
        Element::End(j + 1)
    }

    fn json5_text(&mut self) -> u8 {
        self.is_canonical = false;
        TEXT5
    }

    fn number(&mut self, i: usize) -> Element {
        let next = self.at(i + 1);
        match self.at(i) {
            b'.' => {
                if !next.is_ascii_digit() {
                    return self.error(i);
                }
                self.is_canonical = false;
                return self.digits(i, JSON5 | REAL);
            }
            b'0' => {
                if matches!(next, b'x' | b'X') && self.at(i + 2).is_ascii_hexdigit() {
                    return self.hexadecimal(i, i + 3);
                }
                if next.is_ascii_digit() {
                    return self.error(i + 1);
                }
            }
            sign @ (b'+' | b'-') => {
                if sign == b'+' {
                    self.is_canonical = false;
                }
                if !next.is_ascii_digit() {
                    if starts_without_case(self.from(i + 1), b"inf") {
                        self.is_canonical = false;
                        let payload: &[u8] = if sign == b'-' { b"-9e999" } else { b"9e999" };
                        push_node(FLOAT, payload, &mut self.blob);
                        let is_long = starts_without_case(self.from(i + 4), b"inity");
                        return Element::End(i + if is_long { 9 } else { 4 });
                    }
                    if next == b'.' {
                        self.is_canonical = false;
                        return self.digits(i, JSON5);
                    }
                    return self.error(i);
                }
                if next == b'0' {
                    if self.at(i + 2).is_ascii_digit() {
                        return self.error(i + 1);
                    }
                    if matches!(self.at(i + 2), b'x' | b'X') && self.at(i + 3).is_ascii_hexdigit() {
                        return self.hexadecimal(i, i + 4);
                    }
                }
            }
            _ => {}
        }
        self.digits(i, 0)
    }

    fn hexadecimal(&mut self, i: usize, from: usize) -> Element {
        self.is_canonical = false;
        let mut j = from;
        while self.at(j).is_ascii_hexdigit() {
            j += 1;
        }
        self.finish_number(i, j, JSON5)
    }

    /// A point needs a digit before it, if none follows.
    fn ends_with_point(&mut self, i: usize, j: usize) -> bool {
        let fine = self.at(j - 1) == b'.' && j >= i + 2 && self.at(j - 2).is_ascii_digit();
        if fine {
            self.is_canonical = false;
        } else {
            self.error_at = j;
        }
        fine
    }

    /// Digits, point and exponent behind the first byte.
    fn digits(&mut self, i: usize, form: u8) -> Element {
        let mut form = form;
        let mut has_exponent = false;
        let mut j = i + 1;
        loop {
            match self.at(j) {
                b'0'..=b'9' => {}
                b'.' => {
                    if form & REAL != 0 {
                        return self.error(j);
                    }
                    form |= REAL;
                }
                b'e' | b'E' => {
                    if self.at(j - 1) < b'0' {
                        if !self.ends_with_point(i, j) {
                            return Element::Error;
                        }
                        form |= JSON5;
                    }
                    if has_exponent {
                        return self.error(j);
                    }
                    form |= REAL;
                    has_exponent = true;
                    if matches!(self.at(j + 1), b'+' | b'-') {
                        j += 1;
                    }
                    if !self.at(j + 1).is_ascii_digit() {
                        return self.error(j);
                    }
                }
                _ => break,
            }
            j += 1;
        }
        if self.at(j - 1) < b'0' {
            if !self.ends_with_point(i, j) {
                return Element::Error;
            }
            form |= JSON5;
        }
        self.finish_number(i, j, form)
    }

    fn finish_number(&mut self, i: usize, j: usize, form: u8) -> Element {
        let i = i + usize::from(self.at(i) == b'+');
        push_node(INT + form, &self.text[i..j], &mut self.blob);
        Element::End(j)
    }
}

/// Added to INT: it needs JSON5, it is a real.
const JSON5: u8 = 1;
const REAL: u8 = 2;
