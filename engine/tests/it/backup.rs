//! Backups in steps, while both databases are in use.

use std::path::PathBuf;

use ringwood::{LocalConnection, ResultCode};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ringwood-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn count(conn: &LocalConnection) -> i64 {
    conn.query_row("SELECT count(*) FROM t", ())
        .and_then(|row| row.get(0))
        .unwrap()
}

fn fill(conn: &LocalConnection, rows: u32) {
    conn.execute_batch(&format!(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
         INSERT INTO t SELECT i, zeroblob(500) FROM n;
         CREATE INDEX i ON t(b);"
    ))
    .unwrap();
}

#[test]
fn a_live_database_is_copied_step_by_step() {
    let folder = Folder::new("backup-steps");
    let path = folder.0.join("source.db");
    let source = LocalConnection::open(&path).unwrap();
    let writer = LocalConnection::open(&path).unwrap();
    let target = LocalConnection::open(folder.0.join("target.db")).unwrap();
    let reader = LocalConnection::open(folder.0.join("target.db")).unwrap();
    fill(&source, 400);
    target
        .execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1)")
        .unwrap();
    assert_eq!(count(&reader), 1);
    let mut backup = source.backup_into("main", &target, "main").unwrap();
    let mut steps = 0;
    let mut restarted = false;
    loop {
        let before = backup.remaining();
        if backup.step(10).unwrap() {
            break;
        }
        steps += 1;
        restarted |= steps > 1 && backup.remaining() > before;
        assert_eq!(count(&reader), 1, "until it is done");
        if steps == 3 || steps == 5 {
            writer
                .execute("INSERT INTO t(b) VALUES (zeroblob(500))", ())
                .unwrap();
        }
        assert!(steps < 1000);
    }
    assert!(restarted, "the source changed");
    assert!(backup.step(1).unwrap(), "done stays done");
    assert_eq!(backup.remaining(), 0);
    drop(backup);
    for conn in [&target, &reader] {
        assert_eq!(count(conn), 402);
        let check: String = conn
            .query_row("PRAGMA integrity_check", ())
            .and_then(|row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
    }
    target.execute("INSERT INTO t(b) VALUES (1)", ()).unwrap();
    assert_eq!((count(&target), count(&source)), (403, 402));
}

#[test]
fn backups_are_given_up_and_refused() {
    let source = LocalConnection::open_in_memory().unwrap();
    fill(&source, 100);
    let target = LocalConnection::open_in_memory().unwrap();
    target
        .execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1)")
        .unwrap();
    let mut backup = source.backup_into("main", &target, "main").unwrap();
    assert!(!backup.step(3).unwrap());
    let refused = target.execute("INSERT INTO t VALUES (2)", ()).unwrap_err();
    assert_eq!(refused.primary_code(), ResultCode::BUSY.get());
    drop(backup);
    assert_eq!(count(&target), 1);
    target.execute("INSERT INTO t VALUES (2)", ()).unwrap();
    let mut whole = source.backup_into("main", &target, "main").unwrap();
    assert!(whole.step(-1).unwrap());
    assert_eq!(count(&target), 100);

    let same = source.backup_into("main", &source, "main").unwrap_err();
    assert_eq!(same.message(), "source and destination must be distinct");
    assert!(source.backup_into("nothing", &target, "main").is_err());
    let other = LocalConnection::open_in_memory().unwrap();
    other
        .execute_batch("PRAGMA page_size=512; CREATE TABLE x(a)")
        .unwrap();
    let mut unfit = source.backup_into("main", &other, "main").unwrap();
    let error = unfit.step(1).unwrap_err();
    assert_eq!(error.primary_code(), ResultCode::READONLY.get());
}
