//! Definitions, utilities and pragmas on both engines: ATTACH, ALTER TABLE, VACUUM, ANALYZE, REINDEX and the like, in
//! memory and on files, which stock SQLite looks at afterwards.
//!
//! `{folder}` in a script is a folder of its own for each side; lines that begin with `--memory ` are for databases
//! without a file only.

use ringwood_testkit::compare::{Difference, compare, statements};
use ringwood_testkit::engine::{Cell, Engine};
use ringwood_testkit::ringwood::Ringwood;
use ringwood_testkit::sqlite::Sqlite;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!(
            "ringwood-definitions-{name}-{}",
            std::process::id()
        ));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("x")).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn report(differences: &[Difference]) -> String {
    differences
        .iter()
        .fold(String::new(), |mut text, difference| {
            let _ = writeln!(text, "{difference}\n");
            text
        })
}

/// Both sides run the statement; each has its own folder, of a name of the same length.
fn on_both(
    stock: &mut Sqlite,
    ringwood: &mut Ringwood,
    folder: &Path,
    script: &str,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for sql in statements(script) {
        if !sql.contains("{folder}") {
            differences.extend(compare(stock, ringwood, sql));
            continue;
        }
        let with = |side: &str| {
            let path = folder.join(side);
            std::fs::create_dir_all(&path).unwrap();
            sql.replace("{folder}", &path.display().to_string())
        };
        let (theirs, ours) = (stock.run(&with("a")), ringwood.run(&with("b")));
        let plain = |text: String| text.replace("/a/", "/b/");
        let same = match (&theirs, &ours) {
            (Ok(a), Ok(b)) => a.rows == b.rows,
            (Err(a), Err(b)) => plain(a.to_string()) == b.to_string(),
            _ => false,
        };
        if !same {
            let what = format!("expected {theirs:?}, got {ours:?}");
            let sql = sql.to_owned();
            differences.push(Difference { sql, what });
        }
    }
    differences
}

fn script(name: &str, text: &str) {
    let folder = Folder::new(name);
    let memory = text.replace("--memory ", "");
    let differences = on_both(
        &mut Sqlite::memory(),
        &mut Ringwood::memory(),
        &folder.0,
        &memory,
    );
    assert!(
        differences.is_empty(),
        "in memory:\n{}",
        report(&differences)
    );
    let folder = Folder::new(name);
    let (theirs, ours) = (folder.0.join("theirs.db"), folder.0.join("ours.db"));
    let mut stock = Sqlite::open(&theirs).unwrap();
    stock.run("PRAGMA journal_mode=WAL").unwrap();
    let mut ringwood = Ringwood::open(&ours).unwrap();
    let differences = on_both(&mut stock, &mut ringwood, &folder.0, text);
    assert!(
        differences.is_empty(),
        "on files:\n{}",
        report(&differences)
    );
    drop(ringwood);
    whole(&ours);
}

/// Stock SQLite finds nothing wrong with a file.
fn whole(path: &Path) {
    let answer = Sqlite::open(path)
        .unwrap()
        .run("PRAGMA integrity_check")
        .unwrap();
    assert_eq!(answer.rows, [vec![Cell::Text(b"ok".to_vec())]]);
}

macro_rules! scripts {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            let text = include_str!(concat!("../../scripts/definitions/", stringify!($name), ".sql"));
            script(stringify!($name), text);
        })+
    };
}

scripts! {
    alter_columns
    alter_constraints
    attach
    rename
    vacuum
}
