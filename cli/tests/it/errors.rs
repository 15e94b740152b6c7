//! Errors: their text, the line that points at the place, and the exit status.

use crate::pair::same;

#[test]
fn parse_errors_point_at_the_place() {
    for sql in [
        "SELECT x FROM t;",
        "SELECT * FROM missing;",
        "SELEC 1;",
        "SELECT 1 +;",
        "SELECT (1;",
        "SELECT 'abc;",
        "SELECT 1 FROM;",
        "CREATE TABLE t(a,a);",
        "INSERT INTO t VALUES(1,2,3);",
        "SELECT nosuch(1);",
        "SELECT abs(1,2,3);",
        "DROP TABLE missing;",
        "SELECT a FROM (SELECT 1 AS b);",
        "SELECT 1 WHERE y = 2;",
        "SELECT $;",
        "SELECT 1 2;",
        "SELECT @;",
        "UPDATE t SET z=1;",
        "SELECT\n  a,\n  wrong_column\nFROM t;",
        "SELECT 'ä€', wrong FROM t;",
        "SELECT \t1,\twrong;",
        "BEGIN; BEGIN;",
        "COMMIT;",
        "SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, wrong FROM t;",
        "SELECT 1; SELECT wrong; SELECT 2;",
        "/* c */ SELECT wrong;",
        "SELECT 'a long text that goes on and on so that the place is far away from the start of it all', wrong, 'and more after it, again long enough to be cut somewhere';",
    ] {
        same(
            &[],
            &format!("CREATE TABLE t(a PRIMARY KEY, b);\n\n{sql}\nSELECT 'next';\n"),
        );
    }
}

#[test]
fn runtime_errors_name_the_line_and_code() {
    let table = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL UNIQUE, c CHECK(c > 0));\nINSERT INTO t VALUES(1,'x',1);\n";
    for sql in [
        "INSERT INTO t VALUES(1,'y',1);",
        "INSERT INTO t VALUES(2,'x',1);",
        "INSERT INTO t VALUES(2,NULL,1);",
        "INSERT INTO t VALUES(2,'y',0);",
        "INSERT INTO t VALUES(2,'y',1),(3,'x',1);",
        "SELECT abs(-9223372036854775808);",
        "INSERT INTO t VALUES('abc','y',1);",
        "ROLLBACK;",
        "SELECT 1; SELECT abs(-9223372036854775808); SELECT 2;",
    ] {
        same(&[], &format!("{table}\n{sql}\nSELECT * FROM t;\n"));
        same(&["-bail"], &format!("{table}{sql}\nSELECT * FROM t;\n"));
    }
}

#[test]
fn the_first_line_of_a_statement_is_named() {
    same(
        &[],
        "SELECT 1;\n\nSELECT\n\nwrong\n\n;\nSELECT 2;\nSELECT also_wrong;\n",
    );
    same(&[], "SELECT 1 WHERE\n");
    same(&[], "SELECT 'unterminated\nstring\n");
}

#[test]
fn bail_ends_the_script() {
    same(&["-bail"], "SELECT 1;\nSELECT x;\nSELECT 2;\n");
    same(&[], ".bail on\nSELECT 1;\n.nonsense\nSELECT 2;\n");
    same(&[], "SELECT x;\nSELECT y;\nSELECT 3;\n");
}
