//! The k-th operation of the disk fails, for every k: afterwards the file is whole, and the connection either works or
//! says why not.

use ringwood::local::OpenOptions;
use ringwood::{Error, LocalConnection};
use ringwood_io::{Arena, DriverChoice, Faults, IoHandle, Nth, SimDisk, SimProcess};
use ringwood_pager::{Pool, PoolOptions};

const FILE: &str = "/faults.db";

struct Program {
    process: SimProcess,
    io: IoHandle,
}

impl Program {
    fn start(disk: &SimDisk) -> Program {
        let process = disk.process();
        let driver = DriverChoice::Simulated(process.clone());
        let io = IoHandle::builder().driver(driver).build();
        Program { process, io }
    }

    fn open(&self) -> Result<LocalConnection, Error> {
        let pool = Pool::new(PoolOptions {
            budget_bytes: 16 * 512,
            arena: Arena::global().clone(),
            ..PoolOptions::default()
        });
        let options = OpenOptions {
            pool: Some(pool),
            ..OpenOptions::default()
        };
        let opened = LocalConnection::open_on(&self.io, FILE, &options);
        self.io.block_on(opened)
    }

    fn die(&self) {
        self.process.kill();
        self.process.bury();
        self.io.shutdown();
    }
}

const TABLES: &str = "PRAGMA page_size = 512;
CREATE TABLE t(a INTEGER PRIMARY KEY, b INTEGER, v BLOB);
CREATE INDEX t_b ON t(b, a);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 40)
INSERT INTO t SELECT i * 3, i % 7, zeroblob(i * 11) FROM c;";

/// What the database holds.
fn digest(conn: &LocalConnection) -> Result<String, Error> {
    let sql =
        "SELECT count(*) || ',' || total(a) || ',' || total(b) || ',' || total(length(v)) FROM t";
    conn.query_row(sql, ())?.get::<String>(0)
}

struct Case {
    name: &'static str,
    /// Before, without faults, in the same connection.
    before: &'static str,
    /// What fails; a first word of `reopen` means a new process with a new connection, `hot` the same after a change that
    /// died in the middle and left its journal.
    failing: &'static str,
}

const CASES: [Case; 19] = [
    Case {
        name: "open",
        before: "PRAGMA wal_checkpoint(TRUNCATE)",
        failing: "reopen SELECT count(*) FROM t",
    },
    Case {
        name: "recovery",
        before: "INSERT INTO t VALUES (1000, 1, 'x'); UPDATE t SET b = b + 1 WHERE a < 30",
        failing: "reopen SELECT count(*) FROM t",
    },
    Case {
        name: "recovery and insert",
        before: "INSERT INTO t VALUES (1000, 1, 'x')",
        failing: "reopen INSERT INTO t VALUES (1001, 5, 'y')",
    },
    Case {
        name: "insert",
        before: "",
        failing: "INSERT INTO t VALUES (1000, 1, zeroblob(700))",
    },
    Case {
        name: "update with balance",
        before: "",
        failing: "UPDATE t SET v = zeroblob(900), b = 6 - b",
    },
    Case {
        name: "transaction and commit",
        before: "",
        failing: "BEGIN; DELETE FROM t WHERE a % 2; INSERT INTO t SELECT a + 1, b, v FROM t WHERE a > 30; COMMIT",
    },
    Case {
        name: "commit after a savepoint that spilled",
        before: "",
        failing: "BEGIN; SAVEPOINT s; UPDATE t SET v = zeroblob(2500); ROLLBACK TO s; UPDATE t SET b = 1; COMMIT",
    },
    Case {
        name: "checkpoint",
        before: "UPDATE t SET b = b + 1",
        failing: "PRAGMA wal_checkpoint(TRUNCATE)",
    },
    Case {
        name: "commit over a log that starts anew",
        before: "UPDATE t SET b = b + 1; PRAGMA wal_checkpoint(RESTART)",
        failing: "UPDATE t SET b = b + 1",
    },
    Case {
        name: "vacuum",
        before: "DELETE FROM t WHERE a > 60",
        failing: "VACUUM",
    },
    Case {
        name: "commit with a journal that is deleted",
        before: "PRAGMA journal_mode = delete",
        failing: "UPDATE t SET b = b + 1",
    },
    Case {
        name: "commit with a journal that is deleted, and its folder synced",
        before: "PRAGMA journal_mode = delete; PRAGMA synchronous = extra",
        failing: "UPDATE t SET v = zeroblob(900), b = 6 - b",
    },
    Case {
        name: "commit with a journal that is cut",
        before: "PRAGMA journal_mode = truncate; UPDATE t SET b = b + 1",
        failing: "BEGIN; DELETE FROM t WHERE a % 2; INSERT INTO t SELECT a + 1, b, v FROM t WHERE a > 30; COMMIT",
    },
    Case {
        name: "commit with a journal that stays",
        before: "PRAGMA journal_mode = persist; UPDATE t SET b = b + 1",
        failing: "UPDATE t SET b = b + 1",
    },
    Case {
        name: "from the log to a journal",
        before: "UPDATE t SET b = b + 1",
        failing: "PRAGMA journal_mode = delete; UPDATE t SET b = b + 1",
    },
    Case {
        name: "from a journal to the log",
        before: "PRAGMA journal_mode = persist; UPDATE t SET b = b + 1",
        failing: "PRAGMA journal_mode = wal; UPDATE t SET b = b + 1",
    },
    Case {
        name: "vacuum with a journal",
        before: "PRAGMA journal_mode = delete; DELETE FROM t WHERE a > 60",
        failing: "VACUUM",
    },
    Case {
        name: "rollback of a hot journal",
        before: "PRAGMA journal_mode = delete; UPDATE t SET b = b + 1",
        failing: "hot SELECT count(*) FROM t",
    },
    Case {
        name: "rollback of a hot journal, then a change",
        before: "PRAGMA journal_mode = persist; UPDATE t SET b = b + 1",
        failing: "hot UPDATE t SET b = b + 1",
    },
];

struct Tried {
    result: Result<(), Error>,
    before: String,
    fallible: u64,
}

/// Sets a case up, runs it with these faults, and looks at what is left.
fn attempt(case: &Case, faults: Faults, expected_after: Option<&str>) -> Tried {
    let place = format!("{}: {faults:?}", case.name);
    let disk = SimDisk::new(7);
    let mut program = Program::start(&disk);
    let mut conn = Some(program.open().expect("opens"));
    let first = conn.as_ref().expect("open");
    first.execute_batch(TABLES).expect("tables");
    first.execute_batch(case.before).expect("set up");
    let before = digest(first).expect("a digest");
    let hot = case.failing.strip_prefix("hot ");
    let failing = hot.or(case.failing.strip_prefix("reopen "));
    if hot.is_some() {
        leave_hot_journal(&disk, first);
    }
    if failing.is_some() {
        // The first process dies, and leaves its log.
        program.die();
        drop(conn.take());
        program = Program::start(&disk);
    }
    disk.set_faults(faults);
    let result = match conn.take().map_or_else(|| program.open(), Ok) {
        Err(error) => Err(error),
        Ok(opened) => {
            let result = opened.execute_batch(failing.unwrap_or(case.failing));
            conn = Some(opened);
            result
        }
    };
    let fallible = disk.fallible();
    if let Some(conn) = &conn {
        if !conn.is_autocommit() {
            // It may fail; then the transaction must be over all the same.
            let _ = conn.execute_batch("ROLLBACK");
            assert!(conn.is_autocommit(), "{place}: still in a transaction");
        }
        // Still broken, or well again: it works, or it says why not.
        for heals in [false, true] {
            if heals {
                disk.set_faults(Faults::default());
            }
            for sql in [
                "SELECT total(length(v)) FROM t",
                "UPDATE t SET b = b WHERE a = 3",
            ] {
                if let Err(error) = conn.execute_batch(sql) {
                    let code = error.extended_code() & 0xFF;
                    assert!(plain(code), "{place}: then {sql}: {code} {error}");
                    assert!(!error.message().is_empty());
                }
            }
        }
    }
    disk.set_faults(Faults::default());
    if let Err(error) = &result {
        let code = error.extended_code() & 0xFF;
        assert!(plain(code), "{place}: {code} {error}");
    }
    // The process ends, in the middle or properly; another one looks at the file.
    if fallible.is_multiple_of(2) {
        program.die();
    }
    drop(conn);
    program.die();
    let after = Program::start(&disk);
    let conn = after.open().expect("opens");
    let check = conn
        .query_row("PRAGMA integrity_check", ())
        .expect("a check");
    assert_eq!(check.get::<String>(0).expect("text"), "ok", "{place}");
    let left = digest(&conn).unwrap_or_else(|e| panic!("{place}: {e}"));
    match (&result, expected_after) {
        (Ok(()), Some(expected)) => assert_eq!(left, expected, "{place}: it was acknowledged"),
        (Err(_), Some(expected)) => {
            assert!(
                left == before || left == expected,
                "{place}: {left} is neither"
            );
        }
        (_, None) => {
            return Tried {
                before: left,
                result,
                fallible,
            };
        }
    }
    conn.execute_batch("INSERT INTO t VALUES (5000, 1, 'z')")
        .unwrap_or_else(|e| panic!("{place}: the file cannot be written any more: {e}"));
    drop(conn);
    after.io.shutdown();
    Tried {
        result,
        before,
        fallible,
    }
}

/// A change whose every operation fails from some point on, behind the journal's seal: the journal stays, hot.
fn leave_hot_journal(disk: &SimDisk, conn: &LocalConnection) {
    let is_hot = || {
        let journal = format!("{FILE}-journal");
        let image = disk.image();
        let found = image.iter().find(|(path, _)| path.as_os_str() == &*journal);
        found.is_some_and(|(_, bytes)| bytes.first().is_some_and(|byte| *byte == 0xd9))
    };
    for at in 1..100 {
        let nth = Some(Nth {
            at,
            errno: 5,
            for_good: true,
        });
        disk.set_faults(Faults {
            nth,
            ..Faults::default()
        });
        let result = conn.execute_batch("UPDATE t SET v = zeroblob(700), b = 1");
        assert!(result.is_err(), "it ends well before it is hot");
        if is_hot() {
            return;
        }
        disk.set_faults(Faults::default());
        let _ = conn.execute_batch("SELECT count(*) FROM t");
    }
    panic!("no journal ever became hot");
}

/// Errors that say what is the matter: I/O, full, cannot open, read-only, busy.
fn plain(code: i32) -> bool {
    matches!(code, 5 | 8 | 10 | 13 | 14)
}

#[test]
fn whichever_operation_fails_the_file_stays_whole() {
    for case in &CASES {
        let whole = attempt(case, Faults::default(), None);
        if let Err(error) = &whole.result {
            assert!(
                error.message().contains("not supported yet"),
                "{}: {error}",
                case.name
            );
            eprintln!("{}: {error}", case.name);
            continue;
        }
        let after = whole.before;
        let mut failed = 0;
        for at in 1..=whole.fallible {
            for (errno, for_good) in [(5, false), (5, true), (28, false), (28, true)] {
                let nth = Some(Nth {
                    at,
                    errno,
                    for_good,
                });
                let faults = Faults {
                    nth,
                    ..Faults::default()
                };
                failed += u64::from(attempt(case, faults, Some(&after)).result.is_err());
            }
        }
        println!(
            "{}: {} operations, {failed} of {} failed",
            case.name,
            whole.fallible,
            whole.fallible * 4
        );
        assert!(failed > 0, "{}: nothing ever failed", case.name);
    }
}

#[test]
fn nobody_builds_on_a_commit_whose_sync_failed() {
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        let first = Program::start(&disk);
        let conn = first.open().expect("opens");
        conn.execute_batch(TABLES).expect("tables");
        let before = digest(&conn).expect("a digest");
        disk.set_faults(Faults {
            sync: 1000,
            ..Faults::default()
        });
        let failed = conn.execute_batch("UPDATE t SET b = 100, v = zeroblob(400)");
        assert!(failed.is_err(), "seed {seed}: the sync failed");
        first.die();
        drop(conn);
        disk.set_faults(Faults::default());
        // What the first process left can be read still, from the cache of a disk that has lost it.
        let second = Program::start(&disk);
        let conn = second.open().expect("opens");
        assert_eq!(digest(&conn).expect("a digest"), before, "seed {seed}");
        conn.execute_batch("INSERT INTO t VALUES (2000, 1, 'acknowledged')")
            .expect("commits");
        let acknowledged = digest(&conn).expect("a digest");
        second.process.kill();
        let after = disk.crash();
        second.die();
        drop(conn);
        let third = Program::start(&after);
        let conn = third.open().expect("opens");
        assert_eq!(
            digest(&conn).expect("a digest"),
            acknowledged,
            "seed {seed}"
        );
        third.die();
    }
}
