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
    script_after(name, "", text);
}

/// The same after a statement that a new database begins with.
fn script_after(name: &str, first: &str, text: &str) {
    let folder = Folder::new(name);
    let memory = format!("{first}{}", text.replace("--memory ", ""));
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
    let mut ringwood = Ringwood::open(&ours).unwrap();
    let differences = on_both(&mut stock, &mut ringwood, &folder.0, first);
    assert!(differences.is_empty(), "{}", report(&differences));
    stock.run("PRAGMA journal_mode=WAL").unwrap();
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
    alter_triggers
    analyze
    attach
    attach_files
    pragmas
    rename
    rename_modules
    vacuum
}

macro_rules! in_utf16 {
    ($($test:ident $name:ident $encoding:literal)+) => {
        $(#[test]
        fn $test() {
            let text = include_str!(concat!("../../scripts/definitions/", stringify!($name), ".sql"));
            let first = format!("PRAGMA encoding='{}';", $encoding);
            script_after(stringify!($test), &first, text);
        })+
    };
}

in_utf16! {
    utf16_alter_columns alter_columns "UTF-16le"
    utf16_alter_triggers alter_triggers "UTF-16be"
    utf16_analyze analyze "UTF-16le"
    utf16_rename rename "UTF-16be"
    utf16_vacuum vacuum "UTF-16le"
}

/// A file of schema format 1, in which DESC has no effect, through statements that change definitions.
#[test]
fn old_schema_format() {
    const MAKE: &str = "CREATE TABLE t(a, b, c DEFAULT 7);
        INSERT INTO t VALUES (5,'five',6),(3,'three',4),(9,'nine',10);
        CREATE INDEX i ON t(a); PRAGMA writable_schema=ON;
        UPDATE sqlite_schema SET sql='CREATE INDEX i ON t(a DESC)' WHERE name='i';";
    const SCRIPT: &str = "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=OFF;
        SELECT a FROM t ORDER BY a DESC; SELECT a FROM t WHERE a>4 ORDER BY a; PRAGMA integrity_check;
        PRAGMA index_xinfo(i); INSERT INTO t VALUES(0,'nil',1),(1,'one',0);
        SELECT *, typeof(a) FROM t ORDER BY a; CREATE INDEX j ON t(b DESC); PRAGMA index_xinfo(j);
        SELECT b FROM t ORDER BY b DESC; ANALYZE; SELECT * FROM sqlite_stat1 ORDER BY idx; REINDEX;
        PRAGMA integrity_check; ALTER TABLE t ADD COLUMN d DEFAULT 1; SELECT * FROM t ORDER BY a;
        CREATE INDEX k ON t(d DESC, a DESC); SELECT a FROM t WHERE d=1 ORDER BY a DESC;
        ALTER TABLE t DROP COLUMN c; ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t RENAME TO u;
        UPDATE u SET z=z+1; SELECT * FROM u ORDER BY z; PRAGMA integrity_check;
        SELECT name, sql FROM sqlite_schema ORDER BY rowid;";
    let folder = Folder::new("format");
    let (theirs, ours) = (folder.0.join("theirs.db"), folder.0.join("ours.db"));
    let mut maker = Sqlite::open(&theirs).unwrap();
    for sql in statements(MAKE) {
        maker.run(sql).unwrap();
    }
    drop(maker);
    let mut bytes = std::fs::read(&theirs).unwrap();
    bytes[44..48].copy_from_slice(&[0, 0, 0, 1]);
    std::fs::write(&theirs, &bytes).unwrap();
    std::fs::write(&ours, &bytes).unwrap();
    let mut stock = Sqlite::open(&theirs).unwrap();
    let mut ringwood = Ringwood::open(&ours).unwrap();
    let differences = on_both(&mut stock, &mut ringwood, &folder.0, SCRIPT);
    assert!(differences.is_empty(), "{}", report(&differences));
    drop(ringwood);
    whole(&ours);
}

/// What VACUUM INTO writes, and what a database with another page size becomes.
#[test]
fn vacuum_into_files() {
    let folder = Folder::new("into");
    let ours = folder.0.join("ours.db");
    let mut ringwood = Ringwood::open(&ours).unwrap();
    let script = "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c);
        CREATE TABLE w(a, b, PRIMARY KEY(b, a)) WITHOUT ROWID; CREATE INDEX i ON t(c DESC);
        CREATE VIEW v AS SELECT b FROM t; PRAGMA user_version=9;
        WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)
          INSERT INTO t SELECT i, 'b'||i, printf('%200d', i) FROM n;
        INSERT INTO w SELECT a, b FROM t; DELETE FROM t WHERE a%3=0;";
    for sql in statements(script) {
        ringwood.run(sql).unwrap();
    }
    for (size, vacuum) in [(4096, 0), (512, 1), (65536, 2), (1024, 0)] {
        let copy = folder.0.join(format!("copy{size}.db"));
        let path = copy.display();
        ringwood.run(&format!("PRAGMA page_size={size}")).unwrap();
        ringwood
            .run(&format!("PRAGMA auto_vacuum={vacuum}"))
            .unwrap();
        ringwood.run(&format!("VACUUM INTO '{path}'")).unwrap();
        let again = ringwood.run(&format!("VACUUM INTO '{path}'"));
        assert_eq!(
            again.unwrap_err().message,
            "output file already exists",
            "{size}"
        );
        whole(&copy);
        let mut stock = Sqlite::open(&copy).unwrap();
        for (sql, wanted) in [
            ("PRAGMA page_size", size),
            ("PRAGMA auto_vacuum", vacuum),
            ("PRAGMA user_version", 9),
            ("PRAGMA freelist_count", 0),
            ("SELECT count(*) FROM v", 334),
            ("SELECT count(*) FROM w", 500),
            ("SELECT count(*) FROM t WHERE c>''", 334),
        ] {
            let rows = stock.run(sql).unwrap().rows;
            assert_eq!(rows, [vec![Cell::Integer(wanted)]], "{size}: {sql}");
        }
        let mode = stock.run("PRAGMA journal_mode").unwrap().rows;
        assert_eq!(mode, [vec![Cell::Text(b"delete".to_vec())]]);
    }
    ringwood.run("VACUUM").unwrap();
    drop(ringwood);
    whole(&ours);
}

/// Each line is a statement of its own, since most of them have no end.
#[test]
fn beginnings_are_looked_at_first() {
    let (mut stock, mut ringwood) = (Sqlite::memory(), Ringwood::memory());
    let differences: Vec<Difference> = include_str!("../../scripts/definitions/beginnings.sql")
        .lines()
        .filter_map(|sql| compare(&mut stock, &mut ringwood, sql))
        .collect();
    assert!(differences.is_empty(), "{}", report(&differences));
}
