//! What the name of a database stands for: a file, memory, a temporary database, or a `file:` URI.
//!
//! ```text
//! file:path?mode=ro#part          file:///abs/path     file://localhost/abs/path
//!      │    └ key=value&…         %41 is A
//! ```
//!
//! Rules:
//! 1. Parameters that nobody knows are ignored, as in SQLite.
//! 2. A `mode` may take rights away that the connection has, and give none.
//!
//! Absent: `vfs` other than the default ones, `immutable`, `nolock`, shared memory databases.
//!
//! Source: "Uniform Resource Identifiers", SQLite's `sqlite3ParseUri`.

use std::path::PathBuf;

use super::OpenOptions;

/// A database to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// `:memory:`
    Memory,
    /// The empty name: a database of its own that goes with the connection.
    Temporary,
    /// A file.
    File(PathBuf),
}

/// What `name` stands for, and how it is opened. `outer`: what the connection may do.
///
/// # Errors
/// SQLite's message.
pub(super) fn place(name: &[u8], outer: &OpenOptions) -> Result<(Place, OpenOptions), String> {
    let mut options = outer.clone();
    let Some(uri) = name.strip_prefix(b"file:") else {
        return Ok((place_of(name.to_vec()), options));
    };
    let uri = uri.split(|b| *b == b'#').next().unwrap_or_default();
    let at = uri.iter().position(|b| *b == b'?');
    let (path, query) = match at {
        Some(at) => (&uri[..at], &uri[at + 1..]),
        None => (uri, &b""[..]),
    };
    let path = match path.strip_prefix(b"//") {
        None => path,
        Some(rest) => {
            let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
            let authority = &rest[..end];
            if !authority.is_empty() && authority != b"localhost" {
                return Err(format!(
                    "invalid uri authority: {}",
                    String::from_utf8_lossy(authority)
                ));
            }
            &rest[end..]
        }
    };
    let mut place = place_of(decoded(path));
    for pair in query.split(|b| *b == b'&') {
        let mut parts = pair.splitn(2, |b| *b == b'=');
        let key = decoded(parts.next().unwrap_or_default());
        let value = decoded(parts.next().unwrap_or_default());
        let text = String::from_utf8_lossy(&value).into_owned();
        match key.as_slice() {
            b"mode" => {
                let allowed = match value.as_slice() {
                    b"ro" => {
                        options.read_only = true;
                        options.create = false;
                        true
                    }
                    b"rw" => {
                        options.create = false;
                        !outer.read_only
                    }
                    b"rwc" => outer.create,
                    b"memory" => {
                        place = Place::Memory;
                        true
                    }
                    _ => return Err(format!("no such access mode: {text}")),
                };
                if !allowed {
                    return Err(format!("access mode not allowed: {text}"));
                }
            }
            b"cache" if value != b"shared" && value != b"private" => {
                return Err(format!("no such cache mode: {text}"));
            }
            b"vfs"
                if !matches!(
                    value.as_slice(),
                    b"unix" | b"unix-excl" | b"unix-none" | b"unix-dotfile"
                ) =>
            {
                return Err(format!("no such vfs: {text}"));
            }
            _ => {}
        }
    }
    Ok((place, options))
}

pub(super) fn place_of(path: Vec<u8>) -> Place {
    match path.as_slice() {
        b"" => Place::Temporary,
        b":memory:" => Place::Memory,
        _ => {
            use std::os::unix::ffi::OsStringExt as _;
            Place::File(std::ffi::OsString::from_vec(path).into())
        }
    }
}

/// Replaces `%41` by `A`; `%00` ends the text.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let code = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if code == Some(0) {
            break;
        }
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_uris() {
        let outer = OpenOptions::default();
        let file = |path: &str| Place::File(path.into());
        for (name, wanted, read_only, create) in [
            ("a.db", file("a.db"), false, true),
            ("", Place::Temporary, false, true),
            (":memory:", Place::Memory, false, true),
            ("file:a.db", file("a.db"), false, true),
            ("file:/x/a%20b.db?mode=ro", file("/x/a b.db"), true, false),
            (
                "file:///x/y?mode=rw&cache=shared",
                file("/x/y"),
                false,
                false,
            ),
            ("file://localhost/x#part", file("/x"), false, true),
            ("file:any?mode=memory", Place::Memory, false, true),
            ("file:?x=y", Place::Temporary, false, true),
            ("100%.db", file("100%.db"), false, true),
        ] {
            let (found, options) = place(name.as_bytes(), &outer).unwrap();
            assert_eq!(found, wanted, "{name}");
            assert_eq!(
                (options.read_only, options.create),
                (read_only, create),
                "{name}"
            );
        }
        for (name, message) in [
            ("file:x?mode=new", "no such access mode: new"),
            ("file:x?cache=no", "no such cache mode: no"),
            ("file://host/x", "invalid uri authority: host"),
            ("file:x?vfs=y", "no such vfs: y"),
        ] {
            assert_eq!(place(name.as_bytes(), &outer).unwrap_err(), message);
        }
        let reader = OpenOptions {
            read_only: true,
            create: false,
            ..OpenOptions::default()
        };
        assert_eq!(
            place(b"file:x?mode=rw", &reader).unwrap_err(),
            "access mode not allowed: rw"
        );
    }
}
