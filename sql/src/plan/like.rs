//! The prefix of a LIKE or GLOB pattern, as a range.
//!
//! ```text
//! x GLOB 'abc*'   x >= 'abc' COLLATE BINARY  AND  x < 'abd' COLLATE BINARY      complete
//! x LIKE 'abc%'   x >= 'ABC' COLLATE NOCASE  AND  x < 'abd' COLLATE NOCASE      complete
//! x LIKE 'a_c'    x >= 'A'   COLLATE NOCASE  AND  x < 'b'   COLLATE NOCASE      the LIKE stays
//! ```
//!
//! Rules:
//! 1. The pattern is a literal text; the part before the first wildcard counts, without the escape characters.
//! 2. Unless the left side is a column of TEXT affinity, the prefix must not look like a number (nor become one when
//!    its last character is raised), because a number on the left compares otherwise than its text.
//! 3. Complete means that the range says all that the pattern says; the pattern is then not evaluated for texts, only
//!    in the second pass over BLOBs.
//! 4. Not in a database of UTF-16 little-endian, whose order of bytes is not that of the prefix.
//!
//! Source: SQLite's `isLikeOrGlob`.

use super::{Where, facts};
use crate::bound::{Expr, FunctionCall};
use ringwood_format::affinity::Affinity;

/// A prefix as a range.
#[derive(Debug)]
pub struct Prefix {
    /// Inclusive lower bound.
    pub low: Vec<u8>,
    /// Exclusive upper bound.
    pub high: Vec<u8>,
    /// Compared with NOCASE.
    pub no_case: bool,
    /// Rule 3.
    pub complete: bool,
}

/// The wildcards of a pattern function.
#[derive(Clone, Copy, Debug)]
pub struct Wildcards {
    /// Matches any run of characters.
    pub all: u8,
    /// Matches one character.
    pub one: u8,
    /// Opens a set of characters; 0 if there are none.
    pub set: u8,
    /// Makes the next character an ordinary one; 0 if there is none.
    pub escape: u8,
    /// Letters match without case.
    pub no_case: bool,
}

/// The prefix of this call, if it is a LIKE or GLOB that has one.
pub fn prefix(plan: &Where<'_>, call: &FunctionCall) -> Option<Prefix> {
    let wild = facts::wildcards(call)?;
    let value = &call.args[1];
    let Expr::Text(pattern) = facts::skip_ref(&call.args[0]) else {
        return None;
    };
    let text_column = matches!(value, Expr::Column(_)) && value.affinity() == Affinity::Text;
    range(pattern, wild, text_column, plan.utf16le)
}

/// The range of a pattern; `text_column` waives rule 2.
pub fn range(pattern: &[u8], wild: Wildcards, text_column: bool, utf16le: bool) -> Option<Prefix> {
    let at = |i: usize| pattern.get(i).copied().unwrap_or(0);
    let mut end = 0;
    let mut last;
    loop {
        last = at(end);
        if last == 0 || last == wild.all || last == wild.one || (wild.set != 0 && last == wild.set)
        {
            break;
        }
        end += 1;
        if wild.escape != 0 && last == wild.escape && at(end) > 0 && at(end) < 0x80 {
            end += 1;
        } else if last >= 0x80 {
            let length = utf8_length(&pattern[end - 1..]);
            match length {
                Some(n) if !utf16le => end = end - 1 + n,
                _ => {
                    end -= 1;
                    break;
                }
            }
        }
    }
    let worth_it = end > 1 || (end == 1 && (wild.escape == 0 || pattern[0] != wild.escape));
    if !worth_it {
        return None;
    }
    let mut complete = last == wild.all && at(end + 1) == 0 && end + 1 >= pattern.len() && !utf16le;
    let mut low = Vec::with_capacity(end);
    let mut i = 0;
    while i < end {
        if wild.escape != 0 && pattern[i] == wild.escape {
            i += 1;
        }
        if i < end {
            low.push(pattern[i]);
        }
        i += 1;
    }
    if low.is_empty() || (!text_column && numeric_looking(&low)) {
        return None;
    }
    let mut high = low.clone();
    if wild.no_case {
        low.make_ascii_uppercase();
        high.make_ascii_lowercase();
    }
    let mut at = high.len() - 1;
    if wild.no_case {
        // '@' is raised to 'A', which NOCASE takes for 'a': the range ends too late for the pattern to be omitted.
        if high[at] == b'A' - 1 {
            complete = false;
        }
    }
    while high[at] == 0xBF && at > 0 {
        high[at] = 0x80;
        at -= 1;
    }
    high[at] += 1;
    Some(Prefix {
        low,
        high,
        no_case: wild.no_case,
        complete,
    })
}

/// Rule 2.
fn numeric_looking(text: &[u8]) -> bool {
    if facts::is_number_text(text) {
        return true;
    }
    if text == b"-" {
        return true;
    }
    let mut raised = text.to_vec();
    if let Some(last) = raised.last_mut() {
        *last = last.wrapping_add(1);
    }
    facts::is_number_text(&raised)
}

/// The bytes of the character at the start, if it is a proper one that is not U+FFFD.
fn utf8_length(text: &[u8]) -> Option<usize> {
    let window = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(window) {
        Ok(s) => s,
        Err(e) if e.valid_up_to() > 0 => std::str::from_utf8(&window[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let c = valid.chars().next()?;
    (c != '\u{fffd}').then(|| c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIKE: Wildcards = Wildcards {
        all: b'%',
        one: b'_',
        set: 0,
        escape: 0,
        no_case: true,
    };
    const GLOB: Wildcards = Wildcards {
        all: b'*',
        one: b'?',
        set: b'[',
        escape: 0,
        no_case: false,
    };

    fn show(pattern: &str, wild: Wildcards) -> Option<(String, String, bool)> {
        let p = range(pattern.as_bytes(), wild, true, false)?;
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        Some((text(&p.low), text(&p.high), p.complete))
    }

    fn expect(low: &str, high: &str, complete: bool) -> Option<(String, String, bool)> {
        Some((low.into(), high.into(), complete))
    }

    #[test]
    fn prefixes() {
        assert_eq!(show("abc%", LIKE), expect("ABC", "abd", true));
        assert_eq!(show("abc*", GLOB), expect("abc", "abd", true));
        assert_eq!(show("a_c", LIKE), expect("A", "b", false));
        assert_eq!(show("abc", LIKE), expect("ABC", "abd", false));
        assert_eq!(show("%abc", LIKE), None);
        assert_eq!(show("", LIKE), None);
        assert_eq!(show("a@%", LIKE), expect("A@", "aA", false));
        assert_eq!(show("a[bc]*", GLOB), expect("a", "b", false));
        assert_eq!(show("é%", LIKE), expect("é", "ê", true));
        assert_eq!(show("\u{7ff}%", LIKE).unwrap().0, "\u{7ff}");
    }

    #[test]
    fn escapes_leave_the_prefix() {
        let wild = Wildcards {
            escape: b'\\',
            ..LIKE
        };
        assert_eq!(show("a\\%b%", wild), expect("A%B", "a%c", true));
        assert_eq!(show("\\", wild), None);
    }

    #[test]
    fn numbers_are_left_alone() {
        assert!(range(b"12%", LIKE, false, false).is_none());
        assert!(range(b"1e%", LIKE, true, false).is_some());
        assert!(range(b"/%", LIKE, false, false).is_none()); // '/' raised is '0'
        assert!(range(b"-%", LIKE, false, false).is_none());
        assert!(range(b"ab%", LIKE, false, false).is_some());
    }
}
