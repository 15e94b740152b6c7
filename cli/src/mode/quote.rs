//! Text and bytes quoted for SQL, C, JSON, HTML and CSV.
//!
//! As everywhere in the shell's output, a text ends at its first NUL.

use memchr::memchr;

use super::real::push_full;

/// A text up to its first NUL.
#[inline]
pub fn printable(text: &[u8]) -> &[u8] {
    match memchr(0, text) {
        Some(end) => &text[..end],
        None => text,
    }
}

/// Appends `text` between quotes, with every `quote` in it doubled.
pub fn push_doubled(text: &[u8], quote: u8, out: &mut Vec<u8>) {
    out.push(quote);
    push_inner(text, quote, out);
    out.push(quote);
}

fn push_inner(mut text: &[u8], quote: u8, out: &mut Vec<u8>) {
    while let Some(at) = memchr(quote, text) {
        out.extend_from_slice(&text[..=at]);
        out.push(quote);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// Appends a SQL string.
pub fn push_sql(text: &[u8], out: &mut Vec<u8>) {
    push_doubled(text, b'\'', out);
}

/// Appends a SQL expression for `text` that holds no newline and no carriage return: these are put in by
/// `replace`, so that a dump survives what rewrites line ends.
pub fn push_sql_one_line(text: &[u8], out: &mut Vec<u8>) {
    let newline = memchr(b'\n', text).map(|_| unused(text, "\\n", "\\012"));
    let carriage = memchr(b'\r', text).map(|_| unused(text, "\\r", "\\015"));
    if newline.is_none() && carriage.is_none() {
        return push_sql(text, out);
    }
    for _ in newline.iter().chain(&carriage) {
        out.extend_from_slice(b"replace(");
    }
    out.push(b'\'');
    for &byte in text {
        match byte {
            b'\n' => out.extend_from_slice(newline.as_deref().unwrap_or_default().as_bytes()),
            b'\r' => out.extend_from_slice(carriage.as_deref().unwrap_or_default().as_bytes()),
            b'\'' => out.extend_from_slice(b"''"),
            byte => out.push(byte),
        }
    }
    out.push(b'\'');
    for (stand_in, code) in [(&carriage, 13), (&newline, 10)] {
        if let Some(stand_in) = stand_in {
            out.extend_from_slice(format!(",'{stand_in}',char({code}))").as_bytes());
        }
    }
}

/// A stand-in that does not occur in `text`: one of the two, or the first with a number.
fn unused(text: &[u8], first: &str, second: &str) -> String {
    let occurs = |name: &str| memchr::memmem::find(text, name.as_bytes()).is_some();
    for name in [first, second] {
        if !occurs(name) {
            return name.to_owned();
        }
    }
    // A text of n bytes holds fewer than n of these.
    (0..=text.len())
        .map(|i| format!("({first}{i})"))
        .find(|name| !occurs(name))
        .unwrap_or_default()
}

/// Appends a blob literal.
pub fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"X'");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push(b'\'');
}

/// Appends a C string literal.
pub fn push_c(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends a JSON string.
pub fn push_json(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=31 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends text for HTML.
pub fn push_html(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            byte => out.push(byte),
        }
    }
}

/// Appends a field of a CSV line: quoted if it is empty, holds the separator, blanks, quotes or anything that
/// is not ASCII.
pub fn push_csv(text: &[u8], separator: &[u8], out: &mut Vec<u8>) {
    let odd = |b: &u8| matches!(*b, 0..=b' ' | b'"' | b'\'' | 0x7f..);
    if text.is_empty() || text.iter().any(odd) || memchr::memmem::find(text, separator).is_some() {
        push_doubled(text, b'"', out);
    } else {
        out.extend_from_slice(text);
    }
}

/// Appends a real as SQL that denotes it exactly.
pub fn push_sql_real(value: f64, out: &mut Vec<u8>) {
    if value == f64::INFINITY {
        out.extend_from_slice(b"1e999");
    } else if value == f64::NEG_INFINITY {
        out.extend_from_slice(b"-1e999");
    } else {
        push_full(value, out);
    }
}

/// Whether `name` can stand in SQL without quotes: letters, digits and underscores, not first a digit, and no
/// keyword.
pub fn is_plain_name(name: &[u8]) -> bool {
    let Some((first, rest)) = name.split_first() else {
        return false;
    };
    (first.is_ascii_alphabetic() || *first == b'_')
        && rest.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && !is_keyword(name)
}

/// Appends a name, in double quotes where it needs them.
pub fn push_name(name: &[u8], out: &mut Vec<u8>) {
    if is_plain_name(name) {
        out.extend_from_slice(name);
    } else {
        push_doubled(name, b'"', out);
    }
}

/// A name, in double quotes where it needs them.
pub fn name(name: &str) -> String {
    let mut out = Vec::new();
    push_name(name.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A name in double quotes.
pub fn doubled(name: &str) -> String {
    let mut out = Vec::new();
    push_doubled(name.as_bytes(), b'"', &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A SQL string.
pub fn sql(text: &str) -> String {
    let mut out = Vec::new();
    push_sql(text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether SQL keeps a word for itself.
pub fn is_keyword(word: &[u8]) -> bool {
    ringwood_sql::lex::keyword(word) != ringwood_sql::lex::Token::Id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(push: impl Fn(&[u8], &mut Vec<u8>), text: &str) -> String {
        let mut out = Vec::new();
        push(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names() {
        for (name, plain) in [
            ("a", true),
            ("_b1", true),
            ("1a", false),
            ("", false),
            ("select", false),
            ("a b", false),
        ] {
            assert_eq!(is_plain_name(name.as_bytes()), plain, "{name}");
        }
        assert_eq!(with(push_name, "a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn newlines_are_replaced() {
        assert_eq!(with(push_sql_one_line, "it's"), "'it''s'");
        assert_eq!(
            with(push_sql_one_line, "a\nb"),
            "replace('a\\nb','\\n',char(10))"
        );
        assert_eq!(
            with(push_sql_one_line, "a\r\n"),
            "replace(replace('a\\r\\n','\\r',char(13)),'\\n',char(10))"
        );
        assert_eq!(
            with(push_sql_one_line, "\\n\n"),
            "replace('\\n\\012','\\012',char(10))"
        );
    }
}
