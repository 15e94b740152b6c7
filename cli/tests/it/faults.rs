//! Faults of the real world: what the machine refuses is said plainly, what was committed stays, nothing panics.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const RINGWOOD: &str = env!("CARGO_BIN_EXE_ringwood");

/// Runs a script of `sh` in a mount namespace of its own; `None` where that is not allowed.
fn in_a_namespace(script: &str) -> Option<Output> {
    let probe = Command::new("unshare")
        .args(["-m", "sh", "-c", "mount -t tmpfs none /mnt"])
        .output();
    if !probe.is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: no mount namespaces here");
        return None;
    }
    let out = Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .env("R", RINGWOOD)
        .output();
    Some(out.expect("runs"))
}

fn limited(limit: &str, db: &Path, sql: &str) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit {limit}; exec \"$R\" \"$DB\" \"$SQL\""))
        .env("R", RINGWOOD)
        .env("DB", db)
        .env("SQL", sql)
        .output()
        .expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_plain(out: &Output) {
    let errors = text(&out.stderr);
    assert!(
        out.status.code().is_some() && !errors.contains("panicked"),
        "{:?}: {errors}",
        out.status
    );
}

#[test]
fn a_full_disk_is_said_and_costs_nothing_that_was_committed() {
    for mode in ["wal", "delete"] {
        let script = format!(
            "mount -t tmpfs -o size=400k none /mnt && cd /mnt && \
             $R a.db \"PRAGMA journal_mode={mode}; CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)\" && \
             $R a.db \"INSERT INTO t SELECT zeroblob(600000)\"; \
             $R a.db \"SELECT count(*), sum(length(a)) FROM t; PRAGMA integrity_check\"; \
             $R a.db \"INSERT INTO t VALUES (3); SELECT count(*) FROM t\"; \
             sqlite3 a.db \"PRAGMA integrity_check; SELECT count(*) FROM t\""
        );
        let Some(out) = in_a_namespace(&script) else {
            return;
        };
        let (printed, errors) = (text(&out.stdout), text(&out.stderr));
        assert!(
            errors.contains("database or disk is full"),
            "{mode}: {errors}"
        );
        assert!(!errors.contains("panicked"), "{errors}");
        if sqlite3().is_some() {
            assert_eq!(printed, format!("{mode}\n2|2\nok\n3\nok\n3\n"), "{errors}");
        }
    }
}

#[test]
fn a_read_only_medium_is_read() {
    for mode in ["wal", "delete"] {
        let script = format!(
            "mount -t tmpfs -o size=4m none /mnt && cd /mnt && \
             $R a.db \"PRAGMA journal_mode={mode}; CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)\" && \
             mount -o remount,ro none /mnt && \
             $R a.db \"SELECT count(*) FROM t; PRAGMA integrity_check\"; \
             $R a.db \"INSERT INTO t VALUES (3)\""
        );
        let Some(out) = in_a_namespace(&script) else {
            return;
        };
        let (printed, errors) = (text(&out.stdout), text(&out.stderr));
        assert_eq!(printed, format!("{mode}\n2\nok\n"), "{errors}");
        assert!(
            errors.contains("attempt to write a readonly database"),
            "{errors}"
        );
    }
}

#[test]
fn a_directory_is_no_database() {
    let folder = Folder::new("directory");
    let dir = folder.file("dir");
    std::fs::create_dir(&dir).expect("makes");
    for path in [&dir, &dir.join("no/such.db")] {
        let ours = run(ringwood(), path, &[], "SELECT * FROM sqlite_schema;\n");
        assert_plain(&ours);
        assert!(!ours.status.success());
        assert!(
            text(&ours.stderr).contains("unable to open database"),
            "{}",
            text(&ours.stderr)
        );
    }
}

#[test]
fn a_symbolic_link_leads_to_one_log() {
    let folder = Folder::new("symlink");
    let (db, link) = (folder.file("real.db"), folder.file("link.db"));
    std::os::unix::fs::symlink(&db, &link).expect("links");
    let mut child = ringwood()
        .arg(&link)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    stdin
        .write_all(b"CREATE TABLE t(a); INSERT INTO t VALUES (7); SELECT a FROM t;\n")
        .expect("writes");
    assert_eq!(lines.next().expect("a line").expect("text"), "7");
    assert!(folder.file("real.db-wal").exists() && !folder.file("link.db-wal").exists());
    // Another process by the other name sees the same log.
    assert_eq!(
        stdout(&run(ringwood(), &db, &[], "SELECT a FROM t;\n")),
        "7\n"
    );
    drop(stdin);
    assert!(child.wait().expect("ends").success());
}

#[test]
fn a_file_that_is_replaced_or_cut_under_us_does_no_harm() {
    for cuts in [false, true] {
        let folder = Folder::new("under");
        let db = folder.file("a.db");
        let setup =
            "CREATE TABLE t(a); INSERT INTO t SELECT zeroblob(100000); INSERT INTO t VALUES (1);\n";
        stdout(&run(ringwood(), &db, &[], setup));
        let mut child = ringwood()
            .arg(&db)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(b"SELECT count(*) FROM t;\n")
            .expect("writes");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "2");
        if cuts {
            let file = std::fs::File::options()
                .write(true)
                .open(&db)
                .expect("opens");
            file.set_len(0).expect("cuts");
        } else {
            std::fs::rename(&db, folder.file("old.db")).expect("renames");
            std::fs::write(&db, b"something else").expect("writes");
        }
        stdin
            .write_all(b"SELECT sum(length(a)) FROM t; INSERT INTO t VALUES (2); SELECT count(*) FROM t; SELECT 'end';\n")
            .expect("writes");
        drop(stdin);
        let out = child.wait_with_output().expect("ends");
        assert_plain(&out);
        if !cuts {
            // The open file is the one that it was.
            assert_eq!(text(&out.stderr), "");
        }
    }
}

#[test]
fn limits_of_the_process_are_no_surprise() {
    let folder = Folder::new("limits");
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t";
    for (n, limit) in ["-l 0", "-l 8192", "-v 400000"].iter().enumerate() {
        let out = limited(limit, &folder.file(&format!("{n}.db")), sql);
        assert_plain(&out);
        assert_eq!(text(&out.stdout), "3\n", "{limit}: {}", text(&out.stderr));
    }
    for descriptors in 4..16 {
        let db = folder.file(&format!("fd{descriptors}.db"));
        let out = limited(&format!("-n {descriptors}"), &db, sql);
        assert_plain(&out);
        let (printed, errors) = (text(&out.stdout), text(&out.stderr));
        assert!(
            printed == "3\n"
                || errors.contains("unable to open database file")
                || !errors.is_empty(),
            "{descriptors}: {printed} {errors}"
        );
        let after = run(ringwood(), &db, &[], "PRAGMA integrity_check;\n");
        assert_eq!(stdout(&after), "ok\n", "{descriptors}");
    }
    for kilobytes in [60_000, 100_000, 150_000, 250_000] {
        let db = folder.file(&format!("v{kilobytes}.db"));
        let out = limited(&format!("-v {kilobytes}"), &db, sql);
        let errors = text(&out.stderr);
        assert!(!errors.contains("panicked"), "{kilobytes}: {errors}");
    }
}
