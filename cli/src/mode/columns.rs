//! Modes that align columns: `column`, `table`, `box` and `markdown`.
//!
//! All rows are kept until the last is there, since the widest value decides how wide a column is. A value of
//! several lines, or one that is wider than the wrapping allows, takes several lines of the grid; then rows are
//! set apart from each other.
//!
//! A character counts as one column; tabs are expanded to multiples of eight.
//!
//! Source: `exec_prepared_stmt_columnar` of sqlite3's shell, 3.40.

use ringwood::ValueRef;

use super::quote::{printable, push_hex};
use super::rows::push_literal;
use super::{Format, Mode, Row, push_text};

/// What a value without an end of its own may be wide at most.
const WIDEST: usize = 1_000_000;

/// The cells of a result: first a line of names, then the lines of the rows.
pub struct Grid {
    mode: Mode,
    columns: usize,
    cells: Vec<Vec<u8>>,
    /// For each line after the names: whether its row ends there.
    row_ends: Vec<bool>,
    /// Whether some row has more than one line.
    tall: bool,
    /// The longest line of each column's values; 0 for any.
    limits: Vec<usize>,
}

impl Grid {
    /// A grid with the names of `row`'s columns and no rows.
    pub fn new<R: Row>(format: &Format, mode: Mode, row: &R) -> Grid {
        let columns = row.len();
        let limits = (0..columns)
            .map(|i| match format.widths.get(i) {
                None | Some(0) => format.wrapping.width,
                Some(width) => width.unsigned_abs() as usize,
            })
            .collect::<Vec<_>>();
        let cells = (0..columns)
            .map(|i| one_line(row.name(i).as_bytes(), limits[i], format.wrapping.at_words).0)
            .collect();
        Grid {
            mode,
            columns,
            cells,
            row_ends: Vec::new(),
            tall: false,
            limits,
        }
    }

    /// Adds a row.
    pub fn push<R: Row>(&mut self, format: &Format, row: &R) {
        let mut values: Vec<Vec<u8>> = (0..self.columns)
            .map(|i| {
                let mut text = Vec::new();
                match row.value(i) {
                    // Here reals are not printed in full, and blobs begin with a small x.
                    ValueRef::Real(r) => push_text(ValueRef::Real(r), b"", &mut text),
                    ValueRef::Blob(bytes) if format.wrapping.quote => {
                        push_hex(bytes, &mut text);
                        text[0] = b'x';
                    }
                    value if format.wrapping.quote => push_literal(value, &mut text),
                    value => push_text(value, printable(&format.null), &mut text),
                }
                text
            })
            .collect();
        loop {
            let mut more = false;
            for (value, limit) in values.iter_mut().zip(&self.limits) {
                let (line, used) = one_line(value, *limit, format.wrapping.at_words);
                value.drain(..used);
                more |= !value.is_empty();
                self.cells.push(line);
            }
            self.row_ends.push(!more);
            if !more {
                return;
            }
            self.tall = true;
        }
    }

    /// Appends the whole.
    pub fn render(&self, format: &Format, out: &mut Vec<u8>) {
        let given = |i: usize| format.widths.get(i).copied().unwrap_or(0);
        let mut widths: Vec<usize> = (0..self.columns)
            .map(|i| given(i).unsigned_abs() as usize)
            .collect();
        for (i, cell) in self.cells.iter().enumerate() {
            let width = &mut widths[i % self.columns];
            *width = (*width).max(characters(cell));
        }
        let signed: Vec<i64> = widths
            .iter()
            .enumerate()
            .map(|(i, w)| {
                if given(i) < 0 {
                    -(*w as i64)
                } else {
                    *w as i64
                }
            })
            .collect();
        let lines = Lines::of(self.mode);
        let mut rows = self.cells.chunks(self.columns);
        let names = rows.next().unwrap_or_default();
        self.push_names(format, names, &widths, &signed, &lines, out);
        let last = self.row_ends.len().saturating_sub(1);
        for (i, row) in rows.enumerate() {
            out.extend_from_slice(lines.left.as_bytes());
            for (j, cell) in row.iter().enumerate() {
                if j > 0 {
                    out.extend_from_slice(lines.between.as_bytes());
                }
                push_padded(cell, signed[j], out);
            }
            out.extend_from_slice(lines.right.as_bytes());
            if self.tall && self.row_ends[i] && i < last {
                match self.mode {
                    Mode::Column => out.push(b'\n'),
                    Mode::Markdown => {}
                    _ => push_rule(&widths, lines.middle, out),
                }
            }
        }
        if matches!(self.mode, Mode::Table | Mode::Box) {
            push_rule(&widths, lines.bottom, out);
        }
    }

    fn push_names(
        &self,
        format: &Format,
        names: &[Vec<u8>],
        widths: &[usize],
        signed: &[i64],
        lines: &Lines,
        out: &mut Vec<u8>,
    ) {
        if self.mode == Mode::Column {
            if !format.header {
                return;
            }
            for (i, name) in names.iter().enumerate() {
                push_padded(name, signed[i], out);
                out.extend_from_slice(if i + 1 == names.len() { b"\n" } else { b"  " });
            }
            for (i, width) in widths.iter().enumerate() {
                out.extend(std::iter::repeat_n(b'-', *width));
                out.extend_from_slice(if i + 1 == names.len() { b"\n" } else { b"  " });
            }
            return;
        }
        if self.mode != Mode::Markdown {
            push_rule(widths, lines.top, out);
        }
        out.extend_from_slice(lines.left.as_bytes());
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(lines.between.as_bytes());
            }
            let blank = widths[i] - characters(name);
            out.extend(std::iter::repeat_n(b' ', blank / 2));
            out.extend_from_slice(name);
            out.extend(std::iter::repeat_n(b' ', blank.div_ceil(2)));
        }
        out.extend_from_slice(lines.right.as_bytes());
        push_rule(widths, lines.middle, out);
    }
}

/// The strokes of a mode. A rule is (left end, dash, joint, right end).
struct Lines {
    left: &'static str,
    between: &'static str,
    right: &'static str,
    top: Rule,
    middle: Rule,
    bottom: Rule,
}

type Rule = (&'static str, &'static str, &'static str, &'static str);

impl Lines {
    fn of(mode: Mode) -> Lines {
        const PLUS: Rule = ("+", "-", "+", "+");
        const BAR: Rule = ("|", "-", "|", "|");
        match mode {
            Mode::Table => Lines {
                left: "| ",
                between: " | ",
                right: " |\n",
                top: PLUS,
                middle: PLUS,
                bottom: PLUS,
            },
            Mode::Markdown => Lines {
                left: "| ",
                between: " | ",
                right: " |\n",
                top: BAR,
                middle: BAR,
                bottom: BAR,
            },
            Mode::Box => Lines {
                left: "│ ",
                between: " │ ",
                right: " │\n",
                top: ("┌", "─", "┬", "┐"),
                middle: ("├", "─", "┼", "┤"),
                bottom: ("└", "─", "┴", "┘"),
            },
            _ => Lines {
                left: "",
                between: "  ",
                right: "\n",
                top: PLUS,
                middle: PLUS,
                bottom: PLUS,
            },
        }
    }
}

fn push_rule(widths: &[usize], (left, dash, joint, right): Rule, out: &mut Vec<u8>) {
    out.extend_from_slice(left.as_bytes());
    for (i, width) in widths.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(joint.as_bytes());
        }
        for _ in 0..width + 2 {
            out.extend_from_slice(dash.as_bytes());
        }
    }
    out.extend_from_slice(right.as_bytes());
    out.push(b'\n');
}

/// How many characters `text` has.
pub fn characters(text: &[u8]) -> usize {
    text.iter().filter(|b| *b & 0xc0 != 0x80).count()
}

/// Appends `text` in `width` columns, cut if it is longer; a negative width aligns right.
pub fn push_padded(text: &[u8], width: i64, out: &mut Vec<u8>) {
    let columns = width.unsigned_abs() as usize;
    let mut count = 0;
    let mut end = 0;
    while end < text.len() {
        if text[end] & 0xc0 != 0x80 {
            if count == columns && columns > 0 {
                break;
            }
            count += 1;
        }
        end += 1;
    }
    let blank = columns.saturating_sub(count);
    if width < 0 {
        out.extend(std::iter::repeat_n(b' ', blank));
    }
    out.extend_from_slice(&text[..end]);
    if width >= 0 {
        out.extend(std::iter::repeat_n(b' ', blank));
    }
}

/// The first line of `text` as it is displayed, at most `limit` characters wide (0: any), and how many bytes
/// of `text` it stands for.
fn one_line(text: &[u8], limit: usize, at_words: bool) -> (Vec<u8>, usize) {
    let limit = if limit == 0 { WIDEST } else { limit };
    let byte = |i: usize| text.get(i).copied().unwrap_or(0);
    let next_character = |mut i: usize| {
        i += 1;
        while byte(i) & 0xc0 == 0x80 {
            i += 1;
        }
        i
    };
    let mut end = 0;
    let mut column = 0;
    while column < limit {
        match byte(end) {
            b' '.. => {
                column += 1;
                end = next_character(end);
            }
            b'\t' => {
                column = tab_stop(column, limit);
                end += 1;
            }
            _ => break,
        }
    }
    // What is displayed ends at `shown`, and the next line begins at or after `end`.
    let mut shown = end;
    if column >= limit && at_words {
        if let Some(place) = word_break(text, end) {
            shown = place;
            end = place;
            while byte(end) == b' ' {
                end += 1;
            }
        }
    }
    let used = if column >= limit && byte(end) >= b' ' {
        end
    } else if byte(end) == b'\r' && byte(end + 1) == b'\n' {
        end + 2
    } else {
        end + 1
    };
    let mut line = Vec::with_capacity(shown);
    let (mut at, mut column) = (0, 0);
    while at < shown {
        match byte(at) {
            b' '.. => {
                let next = next_character(at);
                line.extend_from_slice(&text[at..next.min(text.len())]);
                column += 1;
                at = next;
            }
            b'\t' => {
                let stop = tab_stop(column, limit);
                line.extend(std::iter::repeat_n(b' ', stop - column));
                column = stop;
                at += 1;
            }
            _ => break,
        }
    }
    (line, used.min(text.len()))
}

fn tab_stop(column: usize, limit: usize) -> usize {
    (column / 8 * 8 + 8).min(limit).max(column + 1)
}

/// Where the first `end` bytes of `text` are best broken: after a blank, else between a word and something
/// else, in their second half.
fn word_break(text: &[u8], end: usize) -> Option<usize> {
    let byte = |i: usize| text.get(i).copied().unwrap_or(0);
    let space = |b: u8| matches!(b, b' ' | b'\t'..=b'\r');
    let half = end / 2;
    (half + 1..=end)
        .rev()
        .find(|k| space(byte(k - 1)))
        .or_else(|| {
            (half + 1..=end).rev().find(|k| {
                byte(k - 1).is_ascii_alphanumeric() != byte(*k).is_ascii_alphanumeric()
                    && byte(*k) & 0xc0 != 0x80
            })
        })
}

#[cfg(test)]
mod tests {
    use super::{one_line, push_padded};

    #[test]
    fn lines_of_a_value() {
        let line = |text: &str, limit, words| {
            let (line, used) = one_line(text.as_bytes(), limit, words);
            (String::from_utf8(line).unwrap(), used)
        };
        assert_eq!(line("abc", 0, false), ("abc".into(), 3));
        assert_eq!(line("abcdef", 4, false), ("abcd".into(), 4));
        assert_eq!(line("ab\ncd", 0, false), ("ab".into(), 3));
        assert_eq!(line("ab\r\ncd", 0, false), ("ab".into(), 4));
        assert_eq!(line("one two three", 9, true), ("one two ".into(), 8));
        assert_eq!(line("a\tb", 0, false), ("a       b".into(), 3));
        assert_eq!(line("äöü", 2, false), ("äö".into(), 4));
    }

    #[test]
    fn padding_counts_characters() {
        let padded = |text: &str, width| {
            let mut out = Vec::new();
            push_padded(text.as_bytes(), width, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(padded("ä", 3), "ä  ");
        assert_eq!(padded("ä", -3), "  ä");
        assert_eq!(padded("äbcd", 2), "äb");
    }
}
