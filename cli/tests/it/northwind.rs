//! A real schema and load script, through the shell: what we leave on disk is what stock leaves.

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

fn load(name: &str, prologue: &str) {
    let (Some(script), Some(_)) = (
        ringwood_testkit::data::file("data/northwind.sql"),
        sqlite3(),
    ) else {
        return;
    };
    let script = format!("{prologue}\n{}", std::fs::read_to_string(script).unwrap());
    let folder = Folder::new(name);
    let (ours, theirs) = (folder.file("ours.db"), folder.file("theirs.db"));
    stdout(&run(ringwood(), &ours, &[], &script));
    stdout(&run(sqlite3().unwrap(), &theirs, &[], &script));
    let stock = |db, sql: &str| stdout(&run(sqlite3().unwrap(), db, &[], sql));
    assert_eq!(stock(&ours, "PRAGMA integrity_check;\n"), "ok\n");
    for pragma in ["PRAGMA page_size;\n", "PRAGMA encoding;\n"] {
        assert_eq!(stock(&ours, pragma), stock(&theirs, pragma));
    }
    let (a, b) = (stock(&ours, ".dump\n"), stock(&theirs, ".dump\n"));
    assert!(a.len() > 500_000, "a dump of the whole database");
    assert!(
        a == b,
        "dumps differ, first at line {:?}",
        a.lines().zip(b.lines()).position(|(a, b)| a != b)
    );
}

#[test]
fn page_size_4096() {
    load("nw4096", "");
}

#[test]
fn page_size_512() {
    load("nw512", "PRAGMA page_size=512;");
}

#[test]
fn page_size_65536() {
    load("nw65536", "PRAGMA page_size=65536;");
}

#[test]
fn utf16_little_endian() {
    load("nw16le", "PRAGMA encoding='UTF-16le';");
}

#[test]
fn utf16_big_endian_small_pages() {
    load(
        "nw16be",
        "PRAGMA page_size=512; PRAGMA encoding='UTF-16be';",
    );
}
