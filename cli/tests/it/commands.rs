//! Dot-commands.

use std::fmt::Write as _;

use crate::pair::{same, same_with};

const SCHEMA: &str = "CREATE TABLE t1(a INTEGER PRIMARY KEY, b TEXT NOT NULL DEFAULT 'x', c);\n\
    CREATE INDEX i1 ON t1(b, c DESC);\nCREATE UNIQUE INDEX i2 ON t1(c) WHERE c IS NOT NULL;\n\
    CREATE VIEW v1 AS SELECT a, b FROM t1 WHERE c > 0;\n\
    CREATE TABLE \"two words\"(x, \"y z\", PRIMARY KEY(x, \"y z\"));\n\
    CREATE TABLE long_table_name_that_makes_the_text_long(first_column INTEGER NOT NULL, second_column TEXT DEFAULT (1+2), CHECK (first_column > 0), FOREIGN KEY (second_column) REFERENCES t1(a));\n\
    CREATE TABLE c1(a, -- a comment\n b /* another */);\nCREATE TABLE c2(a) -- trailing\n;\n";

#[test]
fn schema_tables_indexes() {
    for command in [
        ".tables",
        ".tables t%",
        ".tables nothing",
        ".indexes",
        ".indexes t1",
        ".indices two%",
        ".indexes a b",
        ".schema",
        ".schema t1",
        ".schema T1",
        ".schema t?",
        ".schema i1",
        ".schema main.t1",
        ".schema --indent",
        ".schema --nosys",
        ".schema --indent long%",
        ".schema sqlite_schema",
        ".schema --bad",
        ".schema a b",
        ".fullschema",
        ".fullschema --indent",
        ".fullschema x",
        ".sch",
        ".ta",
    ] {
        same(&[], &format!("{SCHEMA}{command}\n"));
    }
    let mut many = String::new();
    for i in 0..60 {
        let _ = writeln!(many, "CREATE TABLE table_{}(x);", i * 7919 % 1000);
    }
    same(&[], &format!("{many}.tables\n.tables table_1%\n"));
}

#[test]
fn settings_are_shown() {
    same(
        &[],
        ".show\n.headers on\n.mode csv\n.nullvalue NULL\n.width 3 4\n.separator a b\n.echo off\n.eqp on\n.stats off\n.show\n.show x\n",
    );
    same(
        &[],
        ".headers\n.headers maybe\n.headers on off\n.nullvalue\n.separator\n.bail\n.timer\n.echo\n.changes\n.explain\n.show\n.explain off\n.show\n.explain auto\n.show\n",
    );
}

#[test]
fn print_echo_changes() {
    same(
        &[],
        ".print a 'b  c' \"d\\te\" f\\tg\n.print\n.echo on\nSELECT 1;\n-- comment\n.print x\nSELECT 2,\n3;\n.echo off\nSELECT 4;\n",
    );
    same(
        &[],
        "CREATE TABLE t(a);\n.changes on\nINSERT INTO t VALUES(1),(2);\nUPDATE t SET a=a+1;\nDELETE FROM t WHERE a=2;\nSELECT * FROM t;\n.changes off\nDELETE FROM t;\n",
    );
    same(&["-echo"], "SELECT 1;\n\n/* c */\nSELECT 2;");
}

#[test]
fn lines_are_gathered() {
    same(
        &[],
        "SELECT\n1\n,2;\nSELECT 3; SELECT 4;\nSELECT ';\n';\nSELECT 5 -- ;\n;\nSELECT /* ;\n*/ 6;\n;\n;;\nSELECT 7\ngo\nSELECT 8\n/\n",
    );
    same(&[], "SELECT 'no newline at the end'");
    same(&[], "SELECT 1;\r\n.print windows\r\nSELECT\r\n2;\r\n");
    same(
        &[],
        "# a comment\nSELECT 1; -- one\n/* several\nlines */ SELECT 2;\n  .print not a command\n;\n",
    );
    same(&[], "");
    same(&[], "\n\n   \n");
}

#[test]
fn unknown_commands() {
    for command in [".nonsense", ".x y z", ".", ". ", ".headersx on", ".qu1t"] {
        same(&[], &format!("{command}\nSELECT 1;\n"));
    }
}

#[test]
fn exit_and_quit() {
    for command in [".exit", ".exit 7", ".quit", ".q", ".exit 0", ".exit -1"] {
        same(&[], &format!("SELECT 1;\n{command}\nSELECT 2;\n"));
        same(&[], &format!("SELECT x;\n{command}\nSELECT 2;\n"));
    }
}

#[test]
fn read_nests() {
    let files = [
        ("a.sql", "SELECT 'a';\n.read b.sql\nSELECT 'after b';\n"),
        ("b.sql", "SELECT 'b'; SELECT x;\nSELECT 'b2';\n"),
        ("loop.sql", ".read loop.sql\n"),
    ];
    same_with(&[], ".read a.sql\nSELECT 'end';\nSELECT y;\n", &files);
    same_with(&["-bail"], ".read a.sql\nSELECT 'end';\n", &files);
    same_with(
        &[],
        ".read missing.sql\n.read\n.read 'a b' c\n.read '|echo SELECT 42;'\n",
        &files,
    );
    same_with(&[], ".read loop.sql\nSELECT 1;\n", &files);
}

#[test]
fn output_goes_elsewhere() {
    same_with(
        &[],
        ".output out.txt\nSELECT 1;\n.print hello\n.output\nSELECT 2;\n.system cat out.txt\n",
        &[],
    );
    same_with(
        &[],
        ".once out.txt\nSELECT 1; SELECT 11;\nSELECT 2;\n.system cat out.txt\n.once '|cat -n'\nSELECT 'piped';\nSELECT 3;\n",
        &[],
    );
    same_with(
        &[],
        ".once x.txt\n.print to file\n.print to stdout\n.system cat x.txt\n.output '|tr a-z A-Z'\nSELECT 'upper';\n.output stdout\nSELECT 'lower';\n",
        &[],
    );
    same_with(
        &[],
        ".output /nonexistent/x\nSELECT 1;\n.once a b\n.output --bad\n.once --bom f.csv\nSELECT 1;\n.system od -c f.csv\n",
        &[],
    );
}

#[test]
fn system_and_cd() {
    same_with(
        &[],
        ".system echo hello 'two words'\n.shell false\n.system\n.cd /nonexistent\n.cd\n.cd /\n.system pwd\n",
        &[],
    );
}

#[test]
fn parameters_are_bound() {
    same(
        &[],
        ".parameter init\n.parameter set :a 5\n.parameter set $b 'text'\n.parameter set @c \"'it''s'\"\n.parameter set ?4 hello\n.parameter list\nSELECT :a, $b, @c, ?4, :unset;\n.parameter unset :a\n.parameter list\nSELECT :a;\n.parameter clear\n.parameter list\nSELECT $b;\n.parameter set :x 1.5\n.parameter set :y x'0102'\n.parameter set :z null\n.parameter list\nSELECT :x+1, :y, :z;\n",
    );
}

#[test]
fn statements_are_traced() {
    same(
        &[],
        ".trace stdout\nSELECT 1; SELECT 2;\nSELECT\n3;\n.trace off\nSELECT 4;\n.trace --bad\n",
    );
    same_with(
        &[],
        ".trace t.txt\nSELECT 1;\n.trace off\nSELECT 2;\n.system cat t.txt\n",
        &[],
    );
}

#[test]
fn query_plans_before_results() {
    same(
        &[],
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b);\nINSERT INTO t VALUES(1,2);\n.eqp on\nSELECT * FROM t WHERE a=1;\n.eqp off\nEXPLAIN QUERY PLAN SELECT * FROM t;\nEXPLAIN QUERY PLAN SELECT b FROM t UNION SELECT a FROM t ORDER BY 1;\n.eqp\n",
    );
}
