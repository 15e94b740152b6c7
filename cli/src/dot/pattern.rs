//! LIKE and GLOB, for the patterns of dot-commands.

/// `text LIKE pattern ESCAPE '\'`: ASCII letters without regard to case.
pub fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    like_chars(&pattern, &text)
}

fn like_chars(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|i| like_chars(rest, &text[i..])),
        ['_', rest @ ..] => !text.is_empty() && like_chars(rest, &text[1..]),
        ['\\', c, rest @ ..] | [c, rest @ ..] => {
            text.first().is_some_and(|t| t.eq_ignore_ascii_case(c)) && like_chars(rest, &text[1..])
        }
    }
}

/// `text GLOB pattern`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    glob_chars(&pattern, &text)
}

fn glob_chars(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|i| glob_chars(rest, &text[i..])),
        ['?', rest @ ..] => !text.is_empty() && glob_chars(rest, &text[1..]),
        ['[', rest @ ..] => match (text.first(), set(rest)) {
            (Some(c), Some((set, inverted, rest))) => {
                set.iter().any(|(from, to)| (from..=to).contains(&c)) != inverted
                    && glob_chars(rest, &text[1..])
            }
            _ => false,
        },
        [c, rest @ ..] => text.first() == Some(c) && glob_chars(rest, &text[1..]),
    }
}

type Set<'a> = (Vec<(char, char)>, bool, &'a [char]);

/// The ranges of a set whose `[` has been read, whether it is inverted, and what follows it.
fn set(pattern: &[char]) -> Option<Set<'_>> {
    let (inverted, mut rest) = match pattern {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    if let [']', after @ ..] = rest {
        ranges.push((']', ']'));
        rest = after;
    }
    loop {
        rest = match rest {
            [] => return None,
            [']', after @ ..] => return Some((ranges, inverted, after)),
            [from, '-', to, after @ ..] if *to != ']' => {
                ranges.push((*from, *to));
                after
            }
            [c, after @ ..] => {
                ranges.push((*c, *c));
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{glob, like};

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("%", "", true),
            ("t_", "T1", true),
            ("t\\_", "t1", false),
            ("%b%", "aBc", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
        for (pattern, text, expected) in [
            ("*", "", true),
            ("t?", "T1", false),
            ("[a-c]x", "bx", true),
            ("[^a]x", "ax", false),
            ("a[]]", "a]", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
