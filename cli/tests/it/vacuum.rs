//! VACUUM next to stock's: what it leaves is the same rows under the same rowids, in pages of the size that was asked for.

use std::path::Path;

use crate::pair::same;
use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const TABLES: &str = "CREATE TABLE plain(a, b); CREATE TABLE keyed(id INTEGER PRIMARY KEY, a); CREATE TABLE indexed(a); CREATE INDEX i ON indexed(a);\n\
    CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE TABLE pair(k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE uniq(a UNIQUE);\n\
    CREATE VIEW v AS SELECT a FROM plain; CREATE TRIGGER t AFTER INSERT ON keyed BEGIN INSERT INTO plain VALUES (new.a, 't'); END;\n\
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)\n\
      INSERT INTO plain SELECT i, hex(zeroblob(i % 50)) FROM n;\n\
    INSERT INTO keyed SELECT a * 3, b FROM plain WHERE a IN (1, 5, 9, 100, 700); INSERT INTO indexed SELECT a FROM plain; INSERT INTO uniq SELECT a FROM plain WHERE a < 50;\n\
    INSERT INTO counted(a) SELECT a FROM plain WHERE a < 30; INSERT INTO pair SELECT a, b FROM plain WHERE a < 100;\n\
    DELETE FROM plain WHERE a % 3 = 0; DELETE FROM indexed WHERE a % 7 = 0; DELETE FROM uniq WHERE a % 2; DELETE FROM counted WHERE id > 10;\n";

const LOOK: &str = "SELECT 'plain', rowid, * FROM plain; SELECT 'keyed', * FROM keyed; SELECT 'indexed', rowid, * FROM indexed; SELECT 'uniq', rowid, * FROM uniq;\n\
    SELECT 'counted', * FROM counted; SELECT 'pair', * FROM pair; SELECT rowid, * FROM sqlite_sequence; SELECT type, name, tbl_name, sql FROM sqlite_master;\n\
    PRAGMA page_size; PRAGMA auto_vacuum; PRAGMA freelist_count; PRAGMA integrity_check; PRAGMA schema_version;\n";

#[test]
fn rows_and_their_numbers() {
    same(
        &[],
        &format!("PRAGMA journal_mode=DELETE;\n{TABLES}VACUUM;\n{LOOK}VACUUM;\n{LOOK}"),
    );
}

#[test]
fn page_sizes_and_auto_vacuum() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF", "WAL"] {
        for (size, auto) in [(512, 0), (8192, 1), (65536, 2), (1024, 1)] {
            same(
                &[],
                &format!(
                    "PRAGMA journal_mode={mode};\n{TABLES}PRAGMA page_size={size}; PRAGMA auto_vacuum={auto};\nPRAGMA page_size;\nVACUUM;\n{LOOK}\
                     INSERT INTO plain VALUES ('more', x''); PRAGMA page_size=4096; VACUUM;\n{LOOK}PRAGMA page_count;\n"
                ),
            );
        }
    }
}

#[test]
fn attached_databases_and_files_to_come() {
    same(
        &[],
        &format!(
            "PRAGMA journal_mode=DELETE;\n{TABLES}ATTACH 'other.db' AS o; PRAGMA o.journal_mode=DELETE;\nCREATE TABLE o.x(a); INSERT INTO o.x SELECT a FROM plain; DELETE FROM o.x WHERE a < 1000;\n\
             PRAGMA o.page_size=2048; VACUUM o; PRAGMA o.page_size; SELECT rowid, a FROM o.x LIMIT 3; PRAGMA o.integrity_check;\n\
             PRAGMA page_size; VACUUM INTO 'copy.db'; ATTACH 'copy.db' AS c; SELECT rowid, a FROM c.plain LIMIT 5; PRAGMA c.page_size; PRAGMA c.freelist_count;\n\
             BEGIN; VACUUM; COMMIT; VACUUM nothing; VACUUM temp; VACUUM INTO 'copy.db';\n"
        ),
    );
}

/// What stock's shell finds in a file.
fn stock_dump(db: &Path) -> Option<String> {
    let mut script = sqlite3()?;
    script.arg(db).arg(".dump");
    let output = script.output().expect("it runs");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn stock_reads_the_new_pages() {
    let folder = Folder::new("vacuum");
    let db = folder.file("ours.db");
    run(
        ringwood(),
        &db,
        &[],
        &format!("PRAGMA journal_mode=DELETE;\n{TABLES}"),
    );
    let Some(before) = stock_dump(&db) else {
        return;
    };
    for size in [1024, 16384, 512] {
        let script =
            format!("PRAGMA page_size={size}; VACUUM; PRAGMA page_size; PRAGMA integrity_check;\n");
        let said = stdout(&run(ringwood(), &db, &[], &script));
        assert_eq!(said, format!("{size}\nok\n"));
        assert_eq!(stock_dump(&db).expect("it was there"), before);
        let stock = stdout(&run(
            sqlite3().expect("it was there"),
            &db,
            &[],
            "PRAGMA page_size; PRAGMA integrity_check;\n",
        ));
        assert_eq!(stock, format!("{size}\nok\n"));
    }
}

#[test]
fn others_see_the_new_pages() {
    let folder = Folder::new("vacuum-others");
    let db = folder.file("shared.db");
    run(
        ringwood(),
        &db,
        &[],
        &format!("PRAGMA journal_mode=DELETE;\n{TABLES}"),
    );
    let one = ::ringwood::LocalConnection::open(&db).expect("it opens");
    let two = ::ringwood::LocalConnection::open(&db).expect("it opens");
    let count = |conn: &::ringwood::LocalConnection| -> i64 {
        let row = conn
            .query_row("SELECT count(*) FROM plain", ())
            .expect("a row");
        row.get(0).expect("a number")
    };
    let before = count(&two);
    one.execute_batch("PRAGMA page_size = 1024; VACUUM")
        .expect("it is vacuumed");
    assert_eq!(count(&two), before);
    assert_eq!(count(&one), before);
    two.execute_batch("INSERT INTO plain VALUES (1, 2)")
        .expect("a row");
    assert_eq!(count(&one), before + 1);
    let size = two.query_row("PRAGMA page_size", ()).expect("a row");
    assert_eq!(size.get::<i64>(0).expect("a number"), 1024);
    // An open read keeps it from being done.
    let mut reader = two.query("SELECT * FROM plain", ()).expect("a query");
    reader.next().expect("a row");
    one.busy_timeout(std::time::Duration::ZERO);
    let refused = one.execute_batch("PRAGMA page_size = 2048; VACUUM");
    assert_eq!(refused.expect_err("somebody reads").primary_code(), 5);
    drop(reader);
    one.execute_batch("VACUUM").expect("nobody reads");
    assert_eq!(count(&two), before + 1);
}
