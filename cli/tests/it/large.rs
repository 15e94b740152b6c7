//! A file over a gibibyte: the page that holds the lock bytes is never used.

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const SCRIPT: &str = "PRAGMA page_size=65536; PRAGMA synchronous=OFF;\n\
    CREATE TABLE d(d); INSERT INTO d VALUES(0),(1),(2),(3),(4),(5),(6),(7),(8),(9);\n\
    CREATE TABLE t(id INTEGER PRIMARY KEY, b);\n\
    INSERT INTO t SELECT NULL, zeroblob(60000) FROM d a, d b, d c, d e LIMIT 9000;\n\
    INSERT INTO t SELECT NULL, zeroblob(60000) FROM d a, d b, d c, d e LIMIT 9000;\n\
    SELECT count(*), sum(length(b)) FROM t;\n";

#[test]
fn the_lock_byte_page_is_left_alone() {
    let Some(sqlite) = sqlite3() else { return };
    let folder = Folder::new("large");
    let db = folder.file("l.db");
    assert_eq!(
        stdout(&run(ringwood(), &db, &[], SCRIPT)),
        "18000|1080000000\n"
    );
    assert!(std::fs::metadata(&db).unwrap().len() > 1 << 30);
    let check = "PRAGMA quick_check; SELECT count(*), sum(length(b)) FROM t;\n";
    assert_eq!(
        stdout(&run(sqlite, &db, &[], check)),
        "ok\n18000|1080000000\n"
    );
}
