//! The command line.

use crate::pair::{same_with, with_arguments};
use crate::shell::{ringwood, sqlite3};

fn same_arguments(args: &[&str]) {
    let Some(stock) = sqlite3() else { return };
    let mut theirs = with_arguments(stock, args);
    let ours = with_arguments(ringwood(), args);
    theirs.err = theirs.err.replace("sqlite3: Error:", "ringwood: Error:");
    assert!(
        ours == theirs,
        "{args:?}\nours: {ours:?}\nstock: {theirs:?}"
    );
}

#[test]
fn sql_after_the_database_runs() {
    for args in [
        &[":memory:", "SELECT 1"][..],
        &[":memory:", "SELECT 1;", "SELECT 2"],
        &[":memory:", "SELECT 1; SELECT 2; -- end"],
        &[":memory:", ".print hello", "SELECT 1"],
        &[":memory:", "SELECT x"],
        &[":memory:", "SELECT 1; SELECT x; SELECT 2"],
        &[":memory:", "SELECT abs(-9223372036854775808)"],
        &[":memory:", ".nonsense", "SELECT 1"],
        &[":memory:", ".exit", "SELECT 1"],
        &[":memory:", ".exit 3"],
        &[":memory:", ""],
        &["-csv", ":memory:", "-header", "SELECT 1 AS a, 'b c' AS d"],
        &[":memory:", "SELECT 1", "-json"],
        &["", "SELECT 1"],
    ] {
        same_arguments(args);
    }
}

#[test]
fn options_are_read() {
    for args in [
        &["-nonsense"][..],
        &["--nonsense", "x.db"],
        &["-separator"],
        &["-cmd"],
        &["-batch", ":memory:", "SELECT 1"],
        &["-cmd", "SELECT 'first'", ":memory:", "SELECT 'second'"],
        &[
            "-cmd",
            ".mode csv",
            "-cmd",
            "SELECT 1, 2",
            ":memory:",
            "SELECT 'a b'",
        ],
        &["-cmd", "SELECT x", ":memory:", "SELECT 1"],
        &["-bail", "-cmd", "SELECT x", ":memory:", "SELECT 1"],
        &["-init", "missing.sql", ":memory:", "SELECT 1"],
        &[
            "-nullvalue",
            "N",
            "-separator",
            ",",
            ":memory:",
            "SELECT NULL, 1",
        ],
        &["-eqp", ":memory:", "SELECT 1"],
        &["-readonly", "missing.db", "SELECT 1"],
    ] {
        same_arguments(args);
    }
}

#[test]
fn an_init_file_comes_first() {
    let files = [
        (
            "init.sql",
            ".mode csv\n.headers on\nSELECT 'from init' AS x;\n",
        ),
        ("bad.sql", "SELECT nope;\n"),
    ];
    same_with(&["-init", "init.sql"], "SELECT 1 AS a, 2 AS b;\n", &files);
    same_with(
        &["-init", "init.sql", "-json"],
        "SELECT 1 AS a, 2 AS b;\n",
        &files,
    );
    same_with(&["-init", "bad.sql"], "SELECT 1 AS a, 2 AS b;\n", &files);
    same_with(
        &["-bail", "-init", "bad.sql"],
        "SELECT 1 AS a, 2 AS b;\n",
        &files,
    );
}

#[test]
fn the_home_folder_has_an_init_file() {
    let Some((ours, _)) =
        crate::pair::both_with(&[], "SELECT 1 AS a;\n", &[(".ringwoodrc", ".headers on\n")])
    else {
        return;
    };
    assert_eq!(ours.out, "a\n1\n");
}

#[test]
fn help_version_and_doctor() {
    let help = with_arguments(ringwood(), &["-help"]);
    assert!(
        help.out.contains("-separator SEP") && help.status == Some(0),
        "{help:?}"
    );
    let version = with_arguments(ringwood(), &["--version"]);
    assert!(
        version.out.starts_with("Ringwood ") && version.status == Some(0),
        "{version:?}"
    );
    let doctor = with_arguments(ringwood(), &["doctor"]);
    assert!(
        doctor.out.contains("kernel") && doctor.out.contains("flush") && doctor.status == Some(0),
        "{doctor:?}"
    );
    let nowhere = with_arguments(ringwood(), &["doctor", "/nonexistent"]);
    assert!(
        nowhere.status == Some(1) && nowhere.err.contains("/nonexistent"),
        "{nowhere:?}"
    );
}
