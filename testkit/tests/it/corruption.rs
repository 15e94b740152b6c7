//! Damaged files, opened and read whole by both engines: no panic, no hang, bounded memory, and the same verdict.
//!
//! Three small databases, one of them with a log: each byte is changed once, and then several at a time. The usual run
//! takes a sample; `RINGWOOD_CORRUPTIONS=all` takes every byte and 1,000 random damages of each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringwood::LocalConnection;
use ringwood_io::Chance;

/// What came of opening a file and reading everything in it.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Of `sqlite_schema`.
    schema: Answer,
    /// Of each table, in the order of the schema as it was before the damage.
    tables: Vec<Answer>,
    /// Whether `PRAGMA integrity_check` said ok; what it says otherwise, or that it gives up, is its own affair.
    is_ok: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A hash of the rows.
    Rows(u64),
    /// A primary error code.
    Code(i32),
}

struct Sample {
    name: &'static str,
    tables: &'static [&'static str],
    files: Vec<(&'static str, Vec<u8>)>,
}

const PLAIN: &str = "PRAGMA page_size = 512;
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB);
CREATE INDEX t_b ON t(b);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
INSERT INTO t SELECT i * 5, 'text ' || i, CASE WHEN i % 10 = 0 THEN zeroblob(1100) ELSE i * 1.5 END FROM n;";

const VARIED: &str = "PRAGMA page_size = 1024; PRAGMA auto_vacuum = FULL;
CREATE TABLE w(k TEXT, n INTEGER, v, PRIMARY KEY(k, n)) WITHOUT ROWID;
CREATE TABLE u(x UNIQUE, y NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO w SELECT 'key ' || (i % 9), i, NULL FROM n;
INSERT INTO u SELECT n, k FROM w;
DELETE FROM u WHERE x % 3 = 0;";

const LOGGED: &str =
    "PRAGMA page_size = 512; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
PRAGMA wal_checkpoint;
INSERT INTO t VALUES (3, 'three');
UPDATE t SET b = b || '!' WHERE a < 3;";

fn scratch() -> PathBuf {
    let base = Path::new("/dev/shm");
    let base = if base.is_dir() {
        base.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    base.join(format!("ringwood-corruption-{}", std::process::id()))
}

/// Makes a database with stock SQLite and takes its files.
fn sample(dir: &Path, name: &'static str, sql: &str, tables: &'static [&'static str]) -> Sample {
    let path = dir.join("made.db");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let conn = rusqlite::Connection::open(&path).expect("opens");
    conn.execute_batch(sql).expect("made");
    let mut files = Vec::new();
    for suffix in ["", "-wal"] {
        if let Ok(bytes) = std::fs::read(format!("{}{suffix}", path.display())) {
            files.push((suffix, bytes));
        }
    }
    drop(conn);
    Sample {
        name,
        tables,
        files,
    }
}

fn mix(hash: &mut u64, bytes: &[u8]) {
    for &byte in bytes {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
}

fn ours(path: &Path, tables: &[&str]) -> Verdict {
    let conn = LocalConnection::open(path);
    let answer = |sql: &str, is_check: bool| -> Answer {
        let code = |e: &ringwood::Error| Answer::Code(e.extended_code() & 0xFF);
        let conn = match &conn {
            Ok(conn) => conn,
            Err(error) => return code(error),
        };
        let mut statement = match conn.prepare(sql) {
            Ok(statement) => statement,
            Err(error) => return code(&error),
        };
        let mut hash = 0;
        loop {
            match statement.step() {
                Ok(true) => {}
                Ok(false) => return Answer::Rows(hash),
                Err(error) => return code(&error),
            }
            for value in statement.values() {
                if is_check {
                    let ok = matches!(&value, ringwood::Value::Text(t) if t == "ok");
                    return Answer::Rows(u64::from(ok));
                }
                match value {
                    ringwood::Value::Null => mix(&mut hash, b"null"),
                    ringwood::Value::Integer(i) => mix(&mut hash, &i.to_le_bytes()),
                    ringwood::Value::Real(r) => mix(&mut hash, &r.to_bits().to_le_bytes()),
                    ringwood::Value::Text(t) => mix(&mut hash, t.as_bytes()),
                    ringwood::Value::Blob(b) => mix(&mut hash, &b),
                }
            }
        }
    };
    if let Ok(conn) = &conn {
        // A table that never ends is as bad as a hang.
        let mut left = 200;
        conn.progress_handler(
            100_000,
            Some(Box::new(move || {
                left -= 1;
                left == 0
            })),
        );
    }
    verdict(tables, answer)
}

fn stock(path: &Path, tables: &[&str]) -> Verdict {
    let conn = rusqlite::Connection::open(path);
    let answer = |sql: &str, is_check: bool| -> Answer {
        let code = |e: &rusqlite::Error| {
            Answer::Code(e.sqlite_error().map_or(-1, |e| e.extended_code & 0xFF))
        };
        let conn = match &conn {
            Ok(conn) => conn,
            Err(error) => return code(error),
        };
        let mut statement = match conn.prepare(sql) {
            Ok(statement) => statement,
            Err(error) => return code(&error),
        };
        let width = statement.column_count();
        let mut hash = 0;
        let mut rows = match statement.query([]) {
            Ok(rows) => rows,
            Err(error) => return code(&error),
        };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Answer::Rows(hash),
                Err(error) => return code(&error),
            };
            for i in 0..width {
                let value = row.get_ref(i).expect("a column");
                if is_check {
                    let ok = value == rusqlite::types::ValueRef::Text(b"ok");
                    return Answer::Rows(u64::from(ok));
                }
                match value {
                    rusqlite::types::ValueRef::Null => mix(&mut hash, b"null"),
                    rusqlite::types::ValueRef::Integer(i) => mix(&mut hash, &i.to_le_bytes()),
                    rusqlite::types::ValueRef::Real(r) => {
                        mix(&mut hash, &r.to_bits().to_le_bytes());
                    }
                    // As our values hold text: characters, whatever the bytes.
                    rusqlite::types::ValueRef::Text(t) => {
                        mix(&mut hash, String::from_utf8_lossy(t).as_bytes());
                    }
                    rusqlite::types::ValueRef::Blob(b) => mix(&mut hash, b),
                }
            }
        }
    };
    verdict(tables, answer)
}

fn verdict(tables: &[&str], answer: impl Fn(&str, bool) -> Answer) -> Verdict {
    let schema = answer("SELECT * FROM sqlite_schema", false);
    let scan = |table: &&str| answer(&format!("SELECT * FROM {table}"), false);
    Verdict {
        schema,
        tables: tables.iter().map(scan).collect(),
        is_ok: answer("PRAGMA integrity_check", true) == Answer::Rows(1),
    }
}

/// Whether two verdicts agree. What stock's integrity_check condemns we may refuse to read where stock reads on: it
/// masks cell pointers that lead out of the page, and takes what it finds there.
fn agree(stock: &Verdict, ours: &Verdict) -> bool {
    let stricter = |s: &Answer, o: &Answer| *o == Answer::Code(11) && matches!(s, Answer::Rows(_));
    let same = |s: &Answer, o: &Answer| s == o || (!stock.is_ok && stricter(s, o));
    let tables = stock
        .tables
        .iter()
        .zip(&ours.tables)
        .all(|(s, o)| same(s, o));
    same(&stock.schema, &ours.schema) && tables && stock.is_ok <= ours.is_ok
}

/// A damage: which file, and what becomes of which bytes.
type Damage = (usize, Vec<(usize, u8)>);

fn damages(sample: &Sample, all: bool, chance: &mut Chance) -> Vec<Damage> {
    let mut damages = Vec::new();
    for (number, (_, bytes)) in sample.files.iter().enumerate() {
        let step = if all { 1 } else { 41 };
        for at in (0..bytes.len()).step_by(step) {
            let other = match chance.below(4) {
                0 => bytes[at] ^ 1 << chance.below(8),
                1 => bytes[at].wrapping_add(1),
                2 => 0xFF,
                _ => chance.number() as u8,
            };
            damages.push((number, vec![(at, other)]));
        }
        for _ in 0..if all { 1000 } else { 40 } {
            let count = 2 + chance.below(30);
            let near = chance.below(bytes.len() as u64);
            let changes = (0..count).map(|_| {
                let at = if chance.below(2) == 0 {
                    (near + chance.below(16)) % bytes.len() as u64
                } else {
                    chance.below(bytes.len() as u64)
                };
                (at as usize, chance.number() as u8)
            });
            damages.push((number, changes.collect()));
        }
    }
    damages
}

/// Peak memory of the process so far, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

#[test]
fn damaged_files_get_the_verdict_of_stock_sqlite() {
    let all = std::env::var("RINGWOOD_CORRUPTIONS").is_ok_and(|v| v == "all");
    let dir = scratch();
    std::fs::create_dir_all(&dir).expect("a folder");
    let samples = [
        sample(&dir, "plain", PLAIN, &["t"]),
        sample(&dir, "varied", VARIED, &["w", "u"]),
        sample(&dir, "logged", LOGGED, &["t"]),
    ];
    let chance = &mut Chance::new(3);
    let (mut count, mut missed, mut different) = (0, 0, Vec::new());
    let path = dir.join("damaged.db");
    for sample in &samples {
        for damage in damages(sample, all, chance) {
            let mut verdicts = Vec::new();
            for engine in [stock, ours] {
                for (number, (suffix, bytes)) in sample.files.iter().enumerate() {
                    let mut bytes = bytes.clone();
                    if number == damage.0 {
                        for &(at, byte) in &damage.1 {
                            bytes[at] = byte;
                        }
                    }
                    std::fs::write(format!("{}{suffix}", path.display()), bytes).expect("written");
                }
                let started = Instant::now();
                verdicts.push(engine(&path, sample.tables));
                assert!(
                    started.elapsed() < Duration::from_secs(20),
                    "{}: {damage:?} takes for ever",
                    sample.name
                );
                for suffix in ["", "-wal", "-shm", "-journal"] {
                    let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
                }
            }
            count += 1;
            let interrupted = verdicts[1].tables.contains(&Answer::Code(9));
            assert!(!interrupted, "{}: {damage:?} never ends", sample.name);
            missed += usize::from(!verdicts[0].is_ok && verdicts[1].is_ok);
            if !agree(&verdicts[0], &verdicts[1]) {
                different.push(format!(
                    "{} {damage:?}:\n  stock {:?}\n  ours  {:?}",
                    sample.name, verdicts[0], verdicts[1]
                ));
            }
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
    let peak = peak_kib();
    println!(
        "{count} damages, {} verdicts differ, integrity_check misses {missed}, {peak} KiB at most",
        different.len()
    );
    for text in different.iter().take(if all { usize::MAX } else { 40 }) {
        println!("{text}");
    }
    // Only in a process of its own it is known whose memory that is.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(peak < 256 << 10, "{peak} KiB");
    }
    // Ratchets: they may only fall.
    assert!(
        different.len() * 1000 <= count,
        "{} of {count} verdicts differ",
        different.len()
    );
    assert_eq!(missed, 0, "integrity_check misses {missed} of {count}");
}
