//! SQL on both engines: the same rows, and errors where stock SQLite has errors.
//!
//! The first byte says whether the rest is text, or the seeds of generated statements. What may differ is in
//! `tolerated`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use ringwood_testkit::compare::{compare, statements};
use ringwood_testkit::queries::{self, Dice};
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;

/// Statements whose answers need not be equal, by a word in them, with the reason.
const TOLERATED: &[(&str, &str)] = &[
    ("random", "chance"),
    ("now", "the clock"),
    ("current", "the clock"),
    ("date", "without arguments, the clock"),
    ("time", "the clock"),
    ("unixepoch", "the clock"),
    ("julianday", "the clock"),
    ("pragma", "settings of the engine"),
    ("explain", "programs are our own"),
    ("attach", "reaches files"),
    ("vacuum", "reaches files"),
    ("sqlite_", "version, source, internal tables"),
    ("load_extension", "absent on purpose"),
    ("zeroblob", "memory"),
    ("replicate", "memory"),
    ("printf", "memory: a width of a gigabyte"),
    ("format", "the same"),
    ("recursive", "need not end"),
    ("like", "patterns of stock SQLite are limited in length"),
    ("glob", "the same"),
    ("fts", "modules that are not ours"),
    ("rtree", "the same"),
    ("dbstat", "the same"),
    ("virtual", "the same"),
    ("bytecode", "the same"),
];

/// Differences that are known, by a part of their text.
const KNOWN: &[&str] = &["is not supported yet", "too many", "too complex", "too big", "stack overflow"];

fuzz_target!(|data: &[u8]| {
    let [kind, rest @ ..] = data else { return };
    let mut ours = Ringwood::memory();
    let mut theirs = Sqlite::memory();
    if kind & 1 == 1 {
        let mut seed = [0; 8];
        let n = rest.len().min(8);
        seed[..n].copy_from_slice(&rest[..n]);
        let mut dice = Dice::new(u64::from_le_bytes(seed));
        for setup in statements(queries::SCRIPT) {
            let _ = compare(&mut theirs, &mut ours, setup);
        }
        for _ in 0..4 {
            check(&mut theirs, &mut ours, &queries::draw(&mut dice, 2));
        }
        return;
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if text.len() > 2000 || text.contains('\0') {
        return;
    }
    let lower = text.to_ascii_lowercase();
    if TOLERATED.iter().any(|(word, _)| lower.contains(word)) {
        return;
    }
    for sql in statements(text) {
        check(&mut theirs, &mut ours, sql);
    }
});

fn check(theirs: &mut Sqlite, ours: &mut Ringwood, sql: &str) {
    if let Some(difference) = compare(theirs, ours, sql) {
        let text = difference.to_string();
        assert!(KNOWN.iter().any(|known| text.contains(known)), "{text}");
    }
}
