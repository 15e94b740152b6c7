//! `ringwood recover` on files that were damaged on purpose.

use std::path::Path;
use std::process::Output;

use crate::shell::{Folder, ringwood, run, stdout};

fn recover(file: &Path, new: &Path) -> Output {
    ringwood()
        .arg("recover")
        .arg(file)
        .arg(new)
        .output()
        .expect("runs")
}

fn ask(db: &Path, sql: &str) -> Vec<String> {
    let out = stdout(&run(ringwood(), db, &[], &format!("{sql};\n")));
    out.lines().map(str::to_owned).collect()
}

/// Tables of all kinds, of some pages each, in a file of 1 KiB pages.
fn make(db: &Path) {
    stdout(&run(
        ringwood(),
        db,
        &[],
        "PRAGMA page_size=1024;\n\
         CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, x REAL);\n\
         CREATE TABLE w(k TEXT, n INT, v, PRIMARY KEY(k, n)) WITHOUT ROWID;\n\
         CREATE TABLE plain(a, b);\n\
         CREATE TABLE auto(id INTEGER PRIMARY KEY AUTOINCREMENT, s);\n\
         CREATE INDEX by_x ON t(x);\n\
         CREATE VIEW names AS SELECT name FROM t;\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)\n\
         INSERT INTO t SELECT i, 'name ' || i, i / 2.0 FROM n;\n\
         INSERT INTO w SELECT 'key ' || (id % 50), id, NULL FROM t;\n\
         INSERT INTO plain(rowid, a, b) SELECT id * 3, zeroblob(id * 10), 'it''s ' || id FROM t;\n\
         INSERT INTO auto(s) VALUES ('one'), ('two'); DELETE FROM auto WHERE id=2;\n\
         PRAGMA user_version=42;\n",
    ));
}

#[test]
fn a_whole_file_is_recovered_whole() {
    let folder = Folder::new("recover");
    let (db, new) = (folder.file("whole.db"), folder.file("new.db"));
    make(&db);
    let out = recover(&db, &new);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    for sql in [
        "SELECT * FROM t ORDER BY id",
        "SELECT * FROM w ORDER BY k, n",
        "SELECT rowid, hex(a), b FROM plain ORDER BY rowid",
        "SELECT * FROM auto; SELECT * FROM sqlite_sequence",
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
        "PRAGMA user_version",
        "PRAGMA page_size",
    ] {
        assert_eq!(ask(&db, sql), ask(&new, sql), "{sql}");
    }
    assert_eq!(ask(&new, "PRAGMA integrity_check"), ["ok"]);
    // As text it is a script that makes the same.
    let text = ringwood().arg("recover").arg(&db).output().expect("runs");
    let script = String::from_utf8(text.stdout).expect("text");
    let other = folder.file("other.db");
    let made = run(ringwood(), &other, &[], &script);
    assert!(made.status.success());
    assert_eq!(ask(&other, "SELECT count(*) FROM plain"), ["500"]);
}

#[test]
fn what_is_damaged_costs_what_it_held() {
    let folder = Folder::new("recover-damaged");
    let db = folder.file("damaged.db");
    make(&db);
    let whole = std::fs::read(&db).expect("reads");
    let pages = whole.len() / 1024;
    for page in (0..pages).step_by(pages / 23 + 1) {
        let mut bytes = whole.clone();
        bytes[page * 1024..(page + 1) * 1024].fill(0xa5);
        std::fs::write(&db, &bytes).expect("writes");
        let new = folder.file(&format!("new-{page}.db"));
        let out = recover(&db, &new);
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(!errors.contains("panicked"), "page {page}: {errors}");
        assert!(out.status.success(), "page {page}: {errors}");
        assert_eq!(ask(&new, "PRAGMA integrity_check"), ["ok"], "page {page}");
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name='plain'";
        if ask(&new, tables) == ["1"] {
            let left: u32 = ask(&new, "SELECT count(*) FROM plain")[0]
                .parse()
                .expect("n");
            assert!(left <= 500);
        }
        if page == 0 {
            // The schema is gone, and the page size: all rows are found, and belong to nobody.
            let lost: u32 = ask(&new, "SELECT count(*) FROM lost_and_found")[0]
                .parse()
                .expect("n");
            assert!(lost >= 1500, "{lost}");
            assert_eq!(
                ask(
                    &new,
                    "SELECT count(*) FROM lost_and_found WHERE c1='name 77'"
                ),
                ["1"]
            );
        }
    }
}

#[test]
fn an_interior_page_that_is_gone_sends_its_leaves_to_lost_and_found() {
    let folder = Folder::new("recover-lost");
    let (db, new) = (folder.file("lost.db"), folder.file("new.db"));
    make(&db);
    let root: usize = ask(&db, "SELECT rootpage FROM sqlite_schema WHERE name='t'")[0]
        .parse()
        .expect("a number");
    let mut bytes = std::fs::read(&db).expect("reads");
    bytes[(root - 1) * 1024..root * 1024].fill(0);
    std::fs::write(&db, &bytes).expect("writes");
    assert!(recover(&db, &new).status.success());
    assert_eq!(ask(&new, "SELECT count(*) FROM t"), ["0"]);
    assert_eq!(
        ask(
            &new,
            "SELECT count(*), min(id), max(id) FROM lost_and_found WHERE nfield=3 AND c1 LIKE 'name%'"
        ),
        ["500|1|500"]
    );
    assert_eq!(ask(&new, "SELECT count(*) FROM w"), ["500"]);
}

#[test]
fn a_log_and_a_cut_file_count() {
    let folder = Folder::new("recover-log");
    let (db, new) = (folder.file("log.db"), folder.file("new.db"));
    make(&db);
    let whole = std::fs::read(&db).expect("reads");
    std::fs::write(&db, &whole[..whole.len() / 2 + 100]).expect("writes");
    let out = recover(&db, &new);
    assert!(out.status.success());
    assert_eq!(ask(&new, "PRAGMA integrity_check"), ["ok"]);
    assert_ne!(ask(&new, "SELECT count(*) FROM t"), ["0"]);
    let absent = recover(&folder.file("absent.db"), &folder.file("x.db"));
    assert_eq!(absent.status.code(), Some(1));
    let there = recover(&db, &new);
    assert_eq!(there.status.code(), Some(1), "nothing is overwritten");
}
