//! Commands about whole databases: what they leave on disk is what stock reads.

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const FILL: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\nCREATE INDEX i ON t(b);\n\
    INSERT INTO t WITH d(n) AS (VALUES(0),(1),(2),(3),(4),(5),(6),(7),(8),(9))\n\
      SELECT NULL, 'row '||x.n||y.n||z.n FROM d x, d y, d z;\n";
const CHECK: &str = "PRAGMA integrity_check;\nSELECT count(*), min(b), max(b) FROM t;\n";
const WHOLE: &str = "ok\n1000|row 000|row 999\n";

#[test]
fn a_backup_is_a_database() {
    let Some(_) = sqlite3() else { return };
    let stock = |file: &std::path::Path| stdout(&run(sqlite3().unwrap(), file, &[], CHECK));
    let folder = Folder::new("backup");
    let copy = folder.file("copy.db");
    let command = format!(".backup {}\n", copy.display());
    // From a file, with its log not yet checkpointed; then over the older copy, with more in it.
    let db = folder.file("source.db");
    stdout(&run(ringwood(), &db, &[], &format!("{FILL}{command}")));
    assert_eq!(stock(&copy), WHOLE);
    stdout(&run(
        ringwood(),
        &db,
        &[],
        &format!(
            "INSERT INTO t VALUES(5000,'zzz');\n.save main {}\n",
            copy.display()
        ),
    ));
    assert_eq!(stock(&copy), "ok\n1001|row 000|zzz\n");
    // From memory.
    let memory = folder.file("memory.db");
    stdout(&run(
        ringwood(),
        std::path::Path::new(":memory:"),
        &[],
        &format!("{FILL}.backup '{}'\n", memory.display()),
    ));
    assert_eq!(stock(&memory), WHOLE);
    // The folder holds no leftovers.
    let left: Vec<_> = std::fs::read_dir(folder.file(""))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_backup_spares_what_it_must_not_replace() {
    let folder = Folder::new("spare");
    let other = folder.file("notes.txt");
    std::fs::write(
        &other,
        "no database at all, and long enough to be looked at".repeat(20),
    )
    .unwrap();
    let output = run(
        ringwood(),
        &folder.file("db"),
        &[],
        &format!("{FILL}.backup {}\n", other.display()),
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Error: file is not a database\n"
    );
    assert!(
        std::fs::read_to_string(&other)
            .unwrap()
            .starts_with("no database")
    );
    let output = run(
        ringwood(),
        &folder.file("db"),
        &[],
        ".backup\n.backup a b c\n.backup --bad x\n.backup nowhere x\n",
    );
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(
        lines,
        [
            "missing FILENAME argument on .backup",
            "Usage: .backup ?DB? ?OPTIONS? FILENAME",
            "unknown option: --bad",
            "Error: unknown database nowhere"
        ]
    );
}

#[test]
fn restore_brings_a_backup_back() {
    let Some(stock) = sqlite3() else { return };
    let folder = Folder::new("restore");
    let (source, target) = (folder.file("source.db"), folder.file("target.db"));
    stdout(&run(stock, &source, &[], FILL));
    let script = format!(
        "CREATE TABLE old(x);\n.restore {}\n.tables\n{CHECK}",
        source.display()
    );
    let check = script.replace("PRAGMA integrity_check;\n", "");
    for database in [target.as_path(), std::path::Path::new(":memory:")] {
        let printed = stdout(&run(ringwood(), database, &[], &check));
        assert_eq!(
            printed,
            "t\n1000|row 000|row 999\n",
            "{}",
            database.display()
        );
    }
    assert_eq!(stdout(&run(sqlite3().unwrap(), &target, &[], CHECK)), WHOLE);
}

#[test]
fn clone_copies_rows() {
    let Some(_) = sqlite3() else { return };
    let folder = Folder::new("clone");
    let copy = folder.file("copy.db");
    let printed = stdout(&run(
        ringwood(),
        &folder.file("a.db"),
        &[],
        &format!("{FILL}.clone {}\n", copy.display()),
    ));
    assert_eq!(printed, "t... done\ni... done\n");
    assert_eq!(stdout(&run(sqlite3().unwrap(), &copy, &[], CHECK)), WHOLE);
}

#[test]
fn open_changes_the_database() {
    let Some(_) = sqlite3() else { return };
    let folder = Folder::new("open");
    let (one, two) = (folder.file("one.db"), folder.file("two.db"));
    let (one_name, two_name) = (one.display(), two.display());
    let script = format!(
        "CREATE TABLE one(x);\n.open {two_name}\nCREATE TABLE two(x);\n.tables\n.open {one_name}\n.tables\n\
         .open --readonly {two_name}\n.tables\n.open\nCREATE TABLE three(x);\n.tables\n.open --new {two_name}\n.tables\n.open {one_name}\n.databases\n"
    );
    let printed = stdout(&run(ringwood(), &one, &[], &script));
    assert_eq!(
        printed,
        format!("two\none\ntwo\nthree\nmain: {one_name} r/w\n")
    );
    let refused = run(ringwood(), &one, &["-readonly"], "CREATE TABLE z(x);\n");
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "Runtime error near line 1: attempt to write a readonly database (8)\n"
    );
    let missing = run(
        ringwood(),
        &folder.file("no/such/folder.db"),
        &[],
        "CREATE TABLE z(x);\n",
    );
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("unable to open database"));
}

#[test]
fn dbinfo_reads_the_header() {
    let Some(stock) = sqlite3() else { return };
    let folder = Folder::new("dbinfo");
    let db = folder.file("a.db");
    stdout(&run(
        stock,
        &db,
        &[],
        &format!(
            "PRAGMA page_size=1024;\nPRAGMA encoding='UTF-16le';\nPRAGMA user_version=7;\nPRAGMA application_id=9;\n{FILL}CREATE VIEW v AS SELECT 1;\n"
        ),
    ));
    let pages = std::fs::metadata(&db).unwrap().len() / 1024;
    let printed = stdout(&run(ringwood(), &db, &["-readonly"], ".dbinfo\n"));
    let value = |name: &str| {
        printed
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .map(str::trim)
    };
    assert_eq!(value("database page size:"), Some("1024"));
    assert_eq!(value("write format:"), Some("1"));
    assert_eq!(
        value("database page count:"),
        Some(pages.to_string().as_str())
    );
    assert_eq!(value("text encoding:"), Some("2 (utf16le)"));
    assert_eq!(value("user version:"), Some("7"));
    assert_eq!(value("application id:"), Some("9"));
    assert_eq!(value("number of tables:"), Some("1"));
    assert_eq!(value("number of indexes:"), Some("1"));
    assert_eq!(value("number of views:"), Some("1"));
    assert_eq!(printed.lines().count(), 21);
}

#[test]
fn safe_mode_refuses_what_reaches_outside() {
    let folder = Folder::new("safe");
    for command in [
        ".backup x",
        ".system true",
        ".read x",
        ".output x",
        ".import x y",
        ".cd /",
        ".open x.db",
        ".log x",
        ".clone x",
    ] {
        let output = run(
            ringwood(),
            std::path::Path::new(":memory:"),
            &["-safe"],
            &format!("{command}\nSELECT 1;\n"),
        );
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(output.stdout.is_empty(), "{command}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("in safe mode"),
            "{command}"
        );
    }
    assert!(!folder.file("x").exists());
}
