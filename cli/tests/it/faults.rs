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

/// Runs both shells as somebody who owns nothing; `None` where that cannot be done.
fn as_nobody(folder: &Folder, db: &Path, sql: &str) -> Option<[(String, String); 2]> {
    let stock = sqlite3()?;
    let mut said = Vec::new();
    for program in [RINGWOOD.as_ref(), stock.get_program()] {
        let out = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(program)
            .arg(db)
            .arg(sql)
            .current_dir(folder.file(""))
            .output()
            .ok()?;
        let errors = text(&out.stderr);
        if errors.contains("setpriv:") {
            eprintln!("skipped: {errors}");
            return None;
        }
        assert_plain(&out);
        // Where in the statement it was, each says in its own way; so do they the number of the error.
        let last = errors.lines().last().unwrap_or_default();
        let last = last.rsplit(": ").next().unwrap_or_default();
        let last = last.rsplit(", ").next().unwrap_or_default();
        let last = last.split(" (").next().unwrap_or_default();
        said.push((text(&out.stdout), last.to_owned()));
    }
    said.try_into().ok()
}

fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permits");
}

#[test]
fn without_permission_both_shells_say_the_same() {
    for mode in ["delete", "wal"] {
        for (file, dir) in [
            (0o600, 0o755),
            (0o644, 0o755),
            (0o666, 0o755),
            (0o666, 0o777),
        ] {
            for sql in [
                "SELECT count(*) FROM t",
                "INSERT INTO t VALUES (3); SELECT count(*) FROM t",
            ] {
                let folder = Folder::new("permission");
                let db = folder.file("a.db");
                let setup = format!(
                    "PRAGMA journal_mode={mode}; CREATE TABLE t(a); INSERT INTO t VALUES (1), (2);\n"
                );
                stdout(&run(ringwood(), &db, &[], &setup));
                permit(&db, file);
                permit(&folder.file(""), dir);
                let Some([ours, stock]) = as_nobody(&folder, &db, sql) else {
                    eprintln!("skipped: nobody else can be had here");
                    return;
                };
                if (file, dir) == (0o666, 0o777) && ours.0.starts_with('3') {
                    assert_eq!(stock.0, "4\n", "both wrote");
                    continue;
                }
                assert_eq!(
                    ours, stock,
                    "{mode} {file:o} {dir:o} {sql}: ours, then stock's"
                );
            }
        }
    }
}

/// Denies io_uring to the program that it becomes: with ENOSYS or EPERM, as containers do.
const WITHOUT_URING: &str = r#"
import ctypes, os, struct, sys
deny = struct.pack("HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0, 0x15, 0, 1, 425, 0x06, 0, 0, 0x50000 | int(sys.argv[1]), 0x06, 0, 0, 0x7fff0000)
code = ctypes.create_string_buffer(deny)
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(4, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit(77)
os.execv(sys.argv[2], sys.argv[2:])
"#;

#[test]
fn a_container_without_io_uring_is_enough() {
    for errno in ["38", "1"] {
        let folder = Folder::new("no-uring");
        let db = folder.file("a.db");
        let sql = "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2); SELECT sum(a) FROM t; PRAGMA integrity_check; \
                   PRAGMA journal_mode=delete; INSERT INTO t VALUES (3); SELECT sum(a) FROM t";
        let out = Command::new("python3")
            .args(["-c", WITHOUT_URING, errno, RINGWOOD])
            .arg(&db)
            .arg(sql)
            .output();
        let Ok(out) = out else {
            eprintln!("skipped: no python3 here");
            return;
        };
        if out.status.code() == Some(77) {
            eprintln!("skipped: no seccomp filters here");
            return;
        }
        assert_plain(&out);
        assert_eq!(
            text(&out.stdout),
            "3\nok\ndelete\n6\n",
            "{}",
            text(&out.stderr)
        );
    }
}

#[test]
fn links_that_lead_in_circles_or_nowhere_are_told_apart() {
    let folder = Folder::new("links");
    let (circle, nowhere) = (folder.file("circle.db"), folder.file("nowhere.db"));
    std::os::unix::fs::symlink(&circle, &circle).expect("links");
    std::os::unix::fs::symlink(folder.file("no/such/folder.db"), &nowhere).expect("links");
    for path in [&circle, &nowhere] {
        let out = run(ringwood(), path, &[], "SELECT * FROM sqlite_schema;\n");
        assert_plain(&out);
        let errors = text(&out.stderr);
        assert!(errors.contains("unable to open database"), "{errors}");
    }
}

#[test]
fn a_disk_that_cannot_keep_what_it_took_is_said_and_costs_nothing_that_was_committed() {
    // The writes go to the page cache; the sync finds that the device has no room for them.
    for mode in ["wal", "delete"] {
        let script = format!(
            "mount -t tmpfs -o size=30m none /mnt && cd /mnt && truncate -s 64M disk && mkfs.ext4 -q -F disk && \
             mkdir m && mount -o loop disk m || exit 77; \
             $R m/a.db \"PRAGMA journal_mode={mode}; CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)\"; \
             sync; head -c 100M /dev/zero > filler 2>/dev/null; \
             $R m/a.db \"INSERT INTO t SELECT zeroblob(3000000); SELECT 'committed'\"; \
             $R m/a.db \"SELECT 'still read', count(*) >= 2 FROM t\"; \
             rm filler; umount m; mount -o loop disk m || exit 77; \
             $R m/a.db \"PRAGMA integrity_check; SELECT total(a) FROM t WHERE typeof(a) = 'integer'\"; \
             sqlite3 m/a.db \"PRAGMA integrity_check\"; umount m"
        );
        let Some(out) = in_a_namespace(&script) else {
            return;
        };
        let (printed, errors) = (text(&out.stdout), text(&out.stderr));
        if out.status.code() == Some(77) {
            eprintln!("skipped: no loop devices or no ext4 here: {errors}");
            return;
        }
        println!("{mode}: {printed}{errors}");
        assert!(!errors.contains("panicked"), "{errors}");
        assert!(!printed.contains("committed"), "{printed}");
        assert!(
            errors.contains("disk I/O error") || errors.contains("database or disk is full"),
            "{mode}: {errors}"
        );
        if sqlite3().is_some() {
            assert!(
                printed.ends_with("ok\n3.0\nok\n"),
                "{mode}: {printed}{errors}"
            );
        }
    }
}
