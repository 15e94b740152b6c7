//! `.dump`: the same text as stock's, and a text that makes the database again.

use crate::pair::{both_with, same};
use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const SCRIPT: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, c REAL, d BLOB);\n\
    INSERT INTO t VALUES(1,'it''s',2.5,x'00ff'),(5,NULL,0.1,x''),(6,'two\nlines',1e300,NULL),(7,'cr\r\nlf \\n',-1e-5,'text');\n\
    INSERT INTO t(b,c) VALUES('inf',1e999),('-inf',-1e999),('big',1e22),('whole',3.0),('int',4);\n\
    CREATE INDEX i ON t(b);\nCREATE VIEW v AS SELECT b FROM t -- comment\n;\n\
    CREATE TABLE \"select\"(\"from\" INT, \"a b\");\nINSERT INTO \"select\" VALUES(1,2);\n\
    CREATE TABLE wr(k TEXT PRIMARY KEY, v) WITHOUT ROWID;\nINSERT INTO wr VALUES('b',1),('a',2);\n\
    CREATE TABLE pk(a TEXT PRIMARY KEY, b);\nINSERT INTO pk(rowid,a,b) VALUES(10,'x',1),(3,'y',2);\n\
    CREATE TABLE empty(x);\n";

/// What stock makes, and a database of ours need not be able to make.
const MORE: &str = "CREATE TRIGGER tr AFTER INSERT ON empty BEGIN INSERT INTO wr VALUES('c',3); SELECT 1; END;\n\
    INSERT INTO t SELECT 100+value, 'row '||value, value/8.0, zeroblob(value%9) FROM generate_series(1,300);\n\
    CREATE VIRTUAL TABLE ft USING fts5(words);\nINSERT INTO ft VALUES('some words');\nANALYZE;\n";

#[test]
fn a_file_of_stock_dumps_as_stock_dumps_it() {
    let Some(stock) = sqlite3() else { return };
    let folder = Folder::new("dump");
    let file = folder.file("stock.db");
    stdout(&run(stock, &file, &[], &format!("{SCRIPT}{MORE}")));
    for command in [
        ".dump",
        ".dump t",
        ".dump ft",
        ".dump --nosys",
        ".dump --preserve-rowids",
        ".dump --data-only t",
    ] {
        let script = format!("{command}\n");
        let ours = stdout(&run(ringwood(), &file, &["-readonly"], &script));
        let theirs = stdout(&run(sqlite3().unwrap(), &file, &["-readonly"], &script));
        assert!(ours.len() > 100);
        assert_eq!(ours, theirs, "{command}");
    }
}

#[test]
fn as_stock_writes_it() {
    for command in [
        ".dump",
        ".dump t",
        ".dump %e%",
        ".dump t wr",
        ".dump nothing",
        ".dump --newlines",
        ".dump --preserve-rowids",
        ".dump --data-only t",
        ".dump --nosys",
        ".dump --data-only --newlines t",
        ".dump --bad",
        ".headers on\n.mode csv\n.dump",
    ] {
        same(&[], &format!("{SCRIPT}{command}\nSELECT 'after';\n"));
    }
}

#[test]
fn a_dump_makes_the_database_again() {
    let Some((ours, _)) = both_with(&[], &format!("{SCRIPT}.dump\n"), &[]) else {
        return;
    };
    let Some((again, stock)) = both_with(&[], &format!("{}.dump\n", ours.out), &[]) else {
        return;
    };
    assert_eq!(again.out, ours.out);
    assert_eq!(stock.out, ours.out);
}
