//! What integrity_check and quick_check say of damaged files, word for word next to stock SQLite's.

use std::path::{Path, PathBuf};

use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

const PLAIN: &str = "PRAGMA page_size = 512;
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL, c BLOB);
CREATE INDEX t_b ON t(b);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO t SELECT i * 5, 'text ' || i, CASE WHEN i % 10 = 0 THEN zeroblob(1100) ELSE i * 1.5 END FROM n;
DELETE FROM t WHERE a % 4 = 0;";

const VARIED: &str = "PRAGMA page_size = 1024; PRAGMA auto_vacuum = FULL;
CREATE TABLE w(k TEXT, n INTEGER, v, PRIMARY KEY(k, n)) WITHOUT ROWID;
CREATE TABLE u(x UNIQUE, y NOT NULL, CHECK(length(y) < 100));
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO w SELECT 'key ' || (i % 9), i, NULL FROM n;
INSERT INTO u SELECT n, k FROM w;
DELETE FROM u WHERE x % 3 = 0;";

/// What a check says: its rows, or an error's message.
fn says(engine: Result<&mut dyn Engine, String>, sql: &str) -> Vec<String> {
    let answer = match engine {
        Ok(engine) => engine.run(sql).map_err(|error| error.message),
        Err(message) => Err(message),
    };
    match answer {
        Ok(answer) => answer
            .rows
            .into_iter()
            .map(|row| match row.first() {
                Some(Cell::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
            .collect(),
        Err(message) => vec![format!("error: {message}")],
    }
}

fn scratch() -> PathBuf {
    let base = Path::new("/dev/shm");
    let base = if base.is_dir() {
        base.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let dir = base.join(format!("ringwood-wording-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

#[test]
fn damage_is_described_in_sqlites_words() {
    let dir = scratch();
    let (mut total, mut damaged, mut different) = (0, 0, Vec::new());
    for (name, sql) in [("plain", PLAIN), ("varied", VARIED)] {
        let path = dir.join(format!("{name}.db"));
        Sqlite::open(&path)
            .and_then(|mut stock| stock.run(sql))
            .expect("made");
        let whole = std::fs::read(&path).expect("reads");
        let _ = std::fs::remove_file(&path);
        for n in 0..700usize {
            let mut bytes = whole.clone();
            let at = (n * 7919 + n / 3) % bytes.len();
            match n % 4 {
                0 => bytes[at] ^= 1,
                1 => bytes[at] ^= 0xff,
                2 => bytes[at] = 0,
                _ => bytes[at] = bytes[at].wrapping_add(1),
            }
            if n % 11 == 0 {
                let other = (at * 31 + 5) % bytes.len();
                bytes[other] = bytes[other].wrapping_sub(3);
            }
            let path = dir.join("damaged.db");
            std::fs::write(&path, &bytes).expect("writes");
            for check in ["PRAGMA integrity_check", "PRAGMA quick_check"] {
                let theirs = match Sqlite::open(&path) {
                    Ok(mut stock) => says(Ok(&mut stock), check),
                    Err(error) => says(Err(error.message), check),
                };
                let ours = match Ringwood::open(&path) {
                    Ok(mut ours) => says(Ok(&mut ours), check),
                    Err(error) => says(Err(error.message), check),
                };
                for suffix in ["-wal", "-shm", "-journal"] {
                    let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
                }
                total += 1;
                damaged += usize::from(theirs != ["ok"]);
                if ours != theirs {
                    different.push(format!(
                        "{name}, damage {n} at byte {at}, {check}\n  stock {theirs:?}\n  ours  {ours:?}"
                    ));
                }
            }
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
    let some: Vec<&str> = different.iter().take(25).map(String::as_str).collect();
    eprintln!(
        "{total} checks, {damaged} of damage, {} differ\n{}",
        different.len(),
        some.join("\n")
    );
    assert!(damaged > total / 4, "{damaged} of {total}");
    assert!(
        different.len() * 100 <= damaged,
        "{} of {damaged} differ",
        different.len()
    );
}
