//! Output modes, byte for byte.

use std::fmt::Write as _;

use crate::pair::same;

/// Values that modes treat differently.
const DATA: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, \"c d\" REAL, e BLOB);\n\
    INSERT INTO t VALUES(1,'plain',2.5,x'00ff41');\n\
    INSERT INTO t VALUES(2,NULL,NULL,NULL);\n\
    INSERT INTO t VALUES(3,'it''s \"quoted\", with | and\ttab',-1e300,x'');\n\
    INSERT INTO t VALUES(4,'two\nlines',0.1,'text in blob');\n\
    INSERT INTO t VALUES(5,'',1e20,42);\n\
    INSERT INTO t VALUES(-6,'äöü €',123456.75,'<b>&amp;</b>');\n\
    INSERT INTO t VALUES(7,'\\ back/slash',3.0,x'27');\n\
    INSERT INTO t VALUES(8,char(1,8,12,13,27,127),-0.5,'a;b');\n";

const MODES: &[&str] = &[
    "ascii",
    "box",
    "column",
    "count",
    "csv",
    "html",
    "insert",
    "insert tab",
    "insert order",
    "json",
    "line",
    "list",
    "markdown",
    "off",
    "qbox",
    "quote",
    "table",
    "tabs",
    "tcl",
    "box --wrap 4",
    "column --wrap 5",
    "table --wrap 6 --ww",
    "box --quote",
    "markdown --wrap 3",
    "column --wordwrap on --wrap 10",
    "table --quote --wrap 7",
];

const QUERIES: &str = "SELECT * FROM t;\nSELECT a, b FROM t WHERE a=2;\nSELECT 1 WHERE 0;\nSELECT a AS \"x y\", b \"\", 'k' select_ FROM t LIMIT 2;\nSELECT 'one value';\n";

#[test]
fn every_mode_with_and_without_headers() {
    for mode in MODES {
        for headers in ["", ".headers on\n", ".headers off\n"] {
            same(&[], &format!("{DATA}.mode {mode}\n{headers}{QUERIES}"));
        }
    }
}

#[test]
fn null_values_and_separators() {
    for mode in MODES {
        let script = format!(
            "{DATA}.mode {mode}\n.nullvalue NULL\n.separator <> \"\\n--\\n\"\n.headers on\n{QUERIES}"
        );
        same(&[], &script);
    }
    same(
        &[],
        &format!(
            "{DATA}.separator , \\n\n{QUERIES}.mode csv\n.separator p\n{QUERIES}.separator \"\"\n{QUERIES}"
        ),
    );
}

#[test]
fn widths_align_and_cut() {
    for mode in ["column", "box", "table", "markdown", "list", "qbox"] {
        for widths in ["5 -8 3", "20", "-3 -3 -3 -3", "0 4", "1 1 1 1 1 1"] {
            same(
                &[],
                &format!("{DATA}.mode {mode}\n.width {widths}\n{QUERIES}"),
            );
        }
    }
}

#[test]
fn long_texts_wrap() {
    let texts = "CREATE TABLE w(t);\nINSERT INTO w VALUES('The quick brown fox jumps over the lazy dog; and then, having jumped, it sleeps_for_a_very_long_time_in_the_sun.');\n\
        INSERT INTO w VALUES('short');\nINSERT INTO w VALUES('tab\tand\r\ncrlf\nand a line');\nINSERT INTO w VALUES('ends with newline\n');\n\
        INSERT INTO w VALUES('äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü');\n";
    for mode in ["box", "column", "table", "markdown", "qbox"] {
        for options in [
            "",
            "--wrap 10",
            "--wrap 10 --ww",
            "--wrap 1",
            "--wrap 0",
            "--wrap 25 --wordwrap on",
        ] {
            same(
                &[],
                &format!(
                    "{texts}.mode {mode} {options}\nSELECT t, length(t) AS n FROM w;\n.mode\n"
                ),
            );
        }
    }
}

#[test]
fn options_of_the_command_line() {
    for option in [
        "-ascii",
        "-box",
        "-column",
        "-csv",
        "-html",
        "-json",
        "-line",
        "-list",
        "-markdown",
        "-quote",
        "-table",
        "-tabs",
    ] {
        for header in ["-header", "-noheader", "--header"] {
            same(&[option, header], &format!("{DATA}{QUERIES}"));
        }
    }
    same(
        &["-separator", "::", "-newline", "!\n", "-nullvalue", "nil"],
        &format!("{DATA}{QUERIES}"),
    );
    same(&["--csv", "-separator", ";"], &format!("{DATA}{QUERIES}"));
}

#[test]
fn reals_in_full() {
    // Made from integers and powers of two, so that no literal has to be rounded on the way in.
    let mut script = String::from("CREATE TABLE r(x REAL);\n");
    let mut state = 88172645463325252_u64;
    for i in 0..300 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let operation = if i % 2 == 0 {
            "*1048576.0"
        } else {
            "/1048576.0"
        };
        let scaled = operation.repeat(i % 49);
        let _ = writeln!(
            script,
            "INSERT INTO r VALUES({}*1.0{scaled});",
            state >> (11 + i % 50)
        );
    }
    script += "INSERT INTO r VALUES(1e999),(-1e999),(0.0),(9007199254740993.0),(1e18),(1e19),(-9223372036854775808.0);\n";
    for mode in ["insert", "quote", "json"] {
        same(&[], &format!("{script}.mode {mode}\nSELECT x FROM r;\n"));
    }
}

#[test]
fn modes_are_named_and_refused() {
    same(
        &[],
        ".mode\n.mode box\n.mode\n.mode nonsense\n.mode c\n.mode\n.mode csv t extra\n.mode box --bad x -y\n.show\n",
    );
}
