//! A transaction far larger than the cache: bounded memory, a log no larger than stock's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::shell::{Folder, ringwood, sqlite3};

const SCRIPT: &str = "PRAGMA journal_mode=WAL; PRAGMA cache_size=-2000;\n\
    CREATE TABLE digit(d); INSERT INTO digit VALUES(0),(1),(2),(3),(4),(5),(6),(7),(8),(9);\n\
    CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX t_a ON t(a);\n\
    BEGIN;\n\
    INSERT INTO t(a,b) SELECT (p.d*131+q.d*17+r.d*7+s.d*29+u.d*3+v.d)*7919%100003, 'some text '||p.d||q.d||r.d||s.d||u.d||v.d\n\
      FROM digit p, digit q, digit r, digit s, digit u, digit v;\n\
    COMMIT; SELECT 'done', count(*) FROM t;\n";

/// Runs the script and, with the database still open, gives (peak resident bytes, log bytes).
fn peak(mut shell: Command, db: &Path) -> (u64, u64) {
    let mut child = shell
        .arg(db)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(SCRIPT.as_bytes()).unwrap();
    stdin.flush().unwrap();
    let done = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .map_while(Result::ok)
        .any(|line| line == "done|1000000");
    assert!(done, "the script ran");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let high = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = high.trim().trim_end_matches("kB").trim().parse().unwrap();
    let log = std::fs::metadata(format!("{}-wal", db.display())).map_or(0, |m| m.len());
    drop(stdin);
    child.wait().unwrap();
    (kib * 1024, log)
}

#[test]
fn a_million_rows_through_a_cache_of_two_megabytes() {
    let Some(sqlite) = sqlite3() else { return };
    let folder = Folder::new("memory");
    let (resident, log) = peak(ringwood(), &folder.file("ours.db"));
    let (theirs, stock_log) = peak(sqlite, &folder.file("theirs.db"));
    println!("resident {resident} (stock {theirs}), log {log} (stock {stock_log})");
    assert!(resident < 64 << 20, "resident memory {resident}");
    assert!(
        log as f64 <= 1.2 * stock_log as f64,
        "log {log}, stock {stock_log}"
    );
}
