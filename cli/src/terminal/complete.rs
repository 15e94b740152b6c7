//! What a word at the cursor may become: dot-commands, keywords, tables and columns, file names.

use ringwood::{LocalConnection, ValueRef};

use crate::dot::COMMANDS;

/// Where the word begins, and what it may become.
pub fn candidates(line: &str, at: usize, conn: Option<&LocalConnection>) -> (usize, Vec<String>) {
    let before = &line[..at];
    if let Some(command) = before.strip_prefix('.') {
        return match command.rsplit_once(char::is_whitespace) {
            None => (
                1,
                matching(command, COMMANDS.iter().map(|c| c.0.to_owned()), false),
            ),
            Some((name, word)) => (at - word.len(), argument(name, word, conn)),
        };
    }
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |i| i + char_len(before, i));
    let word = &before[start..];
    let mut words = names(conn);
    if !before[..start].ends_with('.') && !word.is_empty() {
        let lower = !word.chars().any(char::is_uppercase);
        words.extend(ringwood_sql::lex::KEYWORDS.iter().map(|(k, _)| {
            if lower {
                k.to_ascii_lowercase()
            } else {
                (*k).to_owned()
            }
        }));
    }
    (start, matching(word, words.into_iter(), true))
}

fn char_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// What may follow a command's name.
fn argument(name: &str, word: &str, conn: Option<&LocalConnection>) -> Vec<String> {
    const MODES: [&str; 16] = [
        "ascii", "box", "column", "count", "csv", "html", "insert", "json", "line", "list",
        "markdown", "off", "quote", "table", "tabs", "tcl",
    ];
    let name = name.split_whitespace().next().unwrap_or_default();
    match name {
        "mode" => matching(word, MODES.iter().map(|m| (*m).to_owned()), false),
        "help" => matching(word, COMMANDS.iter().map(|c| c.0.to_owned()), false),
        "read" | "open" | "import" | "backup" | "save" | "restore" | "output" | "once" | "cd" => {
            files(word)
        }
        "tables" | "schema" | "indexes" | "dump" => matching(word, names(conn).into_iter(), true),
        _ => Vec::new(),
    }
}

fn matching(word: &str, words: impl Iterator<Item = String>, any_case: bool) -> Vec<String> {
    let fits = |candidate: &str| match candidate.get(..word.len()) {
        Some(head) if any_case => head.eq_ignore_ascii_case(word),
        Some(head) => head == word,
        None => false,
    };
    let mut found: Vec<String> = words.filter(|w| fits(w)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Tables, views and their columns. Where the schema cannot be read there are none.
fn names(conn: Option<&LocalConnection>) -> Vec<String> {
    let mut names = Vec::new();
    let Some(conn) = conn else { return names };
    let column = |sql: &str, i: usize| {
        let mut found = Vec::new();
        if let Ok(mut statement) = conn.prepare(sql) {
            while let Ok(true) = statement.step() {
                if let ValueRef::Text(text) = statement.column(i) {
                    found.push(String::from_utf8_lossy(text).into_owned());
                }
            }
        }
        found
    };
    for table in column(
        "SELECT name FROM sqlite_schema WHERE type IN ('table','view')",
        0,
    ) {
        names.extend(column(
            &format!("PRAGMA table_info={}", crate::mode::quote::sql(&table)),
            1,
        ));
        names.push(table);
    }
    names
}

/// Files whose path begins with `word`.
fn files(word: &str) -> Vec<String> {
    let (folder, stem) = word
        .rsplit_once('/')
        .map_or(("", word), |(folder, stem)| (&word[..=folder.len()], stem));
    let Ok(entries) = std::fs::read_dir(if folder.is_empty() { "." } else { folder }) else {
        return Vec::new();
    };
    let mut found: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.starts_with(stem) && (!name.starts_with('.') || stem.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            fits.then(|| format!("{folder}{name}{slash}"))
        })
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn commands_modes_and_keywords() {
        assert_eq!(candidates(".tab", 4, None), (1, vec!["tables".to_owned()]));
        assert_eq!(candidates(".mode j", 7, None), (6, vec!["json".to_owned()]));
        let (start, words) = candidates("select 1 fro", 12, None);
        assert_eq!((start, &words[..]), (9, &["from".to_owned()][..]));
        assert_eq!(candidates("SEL", 3, None).1, ["SELECT"]);
    }
}
