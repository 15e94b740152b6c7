//! CREATE texts as `.schema` prints them.

use ringwood_sql::lex::complete_statement;

/// Appends a CREATE text and `tail`. A text that ends in a comment gets the comment closed first; a table
/// whose name is quoted is made only if it does not exist, as such names belong to virtual tables' shadows.
pub fn push_line(text: &[u8], tail: &[u8], out: &mut Vec<u8>) {
    let mut closed = Vec::new();
    let mut text = text;
    let has = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    if tail.first() == Some(&b';') && (has(b"/*") || has(b"--")) {
        for end in [&b""[..], b"*/", b"\n"] {
            let candidate = [text, end, b";"].concat();
            if complete_statement(&candidate) {
                closed = candidate;
                closed.pop();
                break;
            }
        }
        if !closed.is_empty() {
            text = &closed;
        }
    }
    if text.starts_with(b"CREATE TABLE '") || text.starts_with(b"CREATE TABLE \"") {
        out.extend_from_slice(b"CREATE TABLE IF NOT EXISTS ");
        out.extend_from_slice(&text[13..]);
    } else {
        out.extend_from_slice(text);
    }
    out.extend_from_slice(tail);
}

/// Appends a CREATE text laid out over lines, a column or constraint each, if it is long.
pub fn push_indented(text: &[u8], out: &mut Vec<u8>) {
    let begins =
        |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    if begins(b"CREATE VIEW") || begins(b"CREATE TRIG") {
        out.extend_from_slice(text);
        out.extend_from_slice(b";\n");
        return;
    }
    let text = squeezed(text);
    if text.len() < 79 {
        push_line(&text, b";\n", out);
        return;
    }
    let mut line = Vec::new();
    let mut open = 0_u8;
    let mut depth = 0;
    let mut lines = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == open {
            open = 0;
        } else if matches!(byte, b'"' | b'\'' | b'`') {
            open = byte;
        } else if byte == b'[' {
            open = b']';
        } else if byte == b'-' && text.get(at + 1) == Some(&b'-') {
            open = b'\n';
        } else if byte == b'(' {
            depth += 1;
        } else if byte == b')' {
            depth -= 1;
            if lines > 0 && depth == 0 && !line.is_empty() {
                push_line(&line, b"\n", out);
                line.clear();
            }
        }
        line.push(byte);
        let breaks =
            byte == b'(' || byte == b'\n' || (byte == b',' && !blank_to_line_end(&text[at + 1..]));
        if depth == 1 && open == 0 && breaks {
            if byte == b'\n' {
                line.pop();
            }
            push_line(&line, b"\n  ", out);
            line.clear();
            lines += 1;
            while text.get(at + 1).is_some_and(|b| space(*b)) {
                at += 1;
            }
        }
        at += 1;
    }
    push_line(&line, b";\n", out);
}

fn space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// `text` without blanks at its ends and before and after parentheses, and without runs of blanks.
fn squeezed(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(text.len());
    for &byte in text.iter().skip_while(|b| space(**b)) {
        match kept.last_mut() {
            Some(last) if space(byte) => {
                if *last == b'\r' {
                    *last = b'\n';
                }
                if space(*last) || *last == b'(' {
                    continue;
                }
            }
            Some(last) if matches!(byte, b'(' | b')') && space(*last) => {
                kept.pop();
            }
            _ => {}
        }
        kept.push(byte);
    }
    while kept.last().is_some_and(|b| space(*b)) {
        kept.pop();
    }
    kept
}

/// Whether only blanks, and perhaps a comment, stand before the end of the line.
fn blank_to_line_end(text: &[u8]) -> bool {
    for (i, &byte) in text.iter().enumerate() {
        if byte == b'\n' {
            return true;
        }
        if space(byte) {
            continue;
        }
        return byte == b'-' && text.get(i + 1) == Some(&b'-');
    }
    true
}
