//! `.dump`: the same text as stock's, and a text that makes the database again.

use crate::pair::{both_with, same};

const SCRIPT: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, c REAL, d BLOB);\n\
    INSERT INTO t VALUES(1,'it''s',2.5,x'00ff'),(5,NULL,0.1,x''),(6,'two\nlines',1e300,NULL),(7,'cr\r\nlf \\n',-1e-5,'text');\n\
    INSERT INTO t(b,c) VALUES('inf',1e999),('-inf',-1e999),('big',1e22),('whole',3.0),('int',4);\n\
    CREATE INDEX i ON t(b);\nCREATE VIEW v AS SELECT b FROM t -- comment\n;\n\
    CREATE TABLE \"select\"(\"from\" INT, \"a b\");\nINSERT INTO \"select\" VALUES(1,2);\n\
    CREATE TABLE wr(k TEXT PRIMARY KEY, v) WITHOUT ROWID;\nINSERT INTO wr VALUES('b',1),('a',2);\n\
    CREATE TABLE pk(a TEXT PRIMARY KEY, b);\nINSERT INTO pk(rowid,a,b) VALUES(10,'x',1),(3,'y',2);\n\
    CREATE TABLE empty(x);\n\
    CREATE TRIGGER tr AFTER INSERT ON empty BEGIN INSERT INTO wr VALUES('c',3); SELECT 1; END;\n";

#[test]
fn as_stock_writes_it() {
    for command in [
        ".dump", ".dump t", ".dump %e%", ".dump t wr", ".dump nothing", ".dump --newlines", ".dump --preserve-rowids",
        ".dump --data-only", ".dump --nosys", ".dump --data-only --newlines t", ".dump --bad", ".headers on\n.mode csv\n.dump",
    ] {
        same(&[], &format!("{SCRIPT}{command}\nSELECT 'after';\n"));
    }
}

#[test]
fn a_dump_makes_the_database_again() {
    let Some((ours, _)) = both_with(&[], &format!("{SCRIPT}.dump\n"), &[]) else { return };
    let Some((again, stock)) = both_with(&[], &format!("{}.dump\n", ours.out), &[]) else { return };
    assert_eq!(again.out, ours.out);
    assert_eq!(stock.out, ours.out);
}
